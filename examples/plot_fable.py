"""
The next word of a fable, from the three before it
==================================================

A tutorial teaches an LSTM Aesop's fable of belling the cat, by heart: from three words it names
the fourth. In the fable's 201 windows of three words, 199 are followed by one word only; two are
ambiguous, as the same three words stand there before two different ones.
"""

# %%
# The text
# --------
# One row a word, one column. ``--data FOLDER`` names the folder of the fable; without it the text
# is the Zen of Python.

import argparse
import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import make_pipeline

from skrnn import CharLSTMClassifier, LossCurveDisplay, WindowTransformer
from skrnn.datasets import load_text

parser = argparse.ArgumentParser()
parser.add_argument("--data", default=os.environ.get("SKRNN_DATA"), help="folder of the text")
parser.add_argument("--epochs", type=int, default=100)
options = parser.parse_args()

words = np.array(load_text(options.data, "fable").split())[:, None]
print(f"{len(words)} words, {len(np.unique(words))} distinct")

# %%
# The model
# ---------
# `WindowTransformer` makes the windows of three words. Each belongs to the word that follows it:
# y is left out.

lstm = CharLSTMClassifier(units=64, epochs=options.epochs, learning_rate=0.01, random_state=0)
model = make_pipeline(WindowTransformer(3), lstm).fit(words)

# %%
# The first three rows have no complete window, and are not counted.

predicted = model.predict(words)
named = predicted[3:] == words[3:, 0]
dummy = DummyClassifier(strategy="most_frequent").fit(words[3:], words[3:, 0])
print(f"named rightly             {named.sum()} of {len(named)}")
print(f"accuracy of the network   {named.mean():.3f}")
print(f"accuracy of the baseline  {dummy.score(words[3:], words[3:, 0]):.3f}")

# %%
# What it has not learnt by heart are the windows that are followed by different words.

for row in np.flatnonzero(~named)[:5] + 3:
    print(*words[row - 3 : row, 0], "...", words[row, 0], "- but named:", predicted[row])

LossCurveDisplay.from_estimator(lstm)
plt.show()
