"""
Predicting the next word of a fable
===================================

In a well-known tutorial, an LSTM memorizes Aesop's fable "Belling the Cat" and predicts each word
from the three words before it. Of the 201 windows of three words in the fable, 199 determine the
next word. The other two are ambiguous: they contain the same three words, but are followed by
different words.
"""

# %%
# Data
# ----
# The text is a column with one word per row. ``--data FOLDER`` specifies the folder that contains
# the fable. By default, the example uses the Zen of Python.

import argparse
import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import make_pipeline

from skrnn import CharLSTMClassifier, LossCurveDisplay, WindowTransformer
from skrnn.datasets import load_text

parser = argparse.ArgumentParser()
parser.add_argument("--data", default=os.environ.get("SKRNN_DATA"), help="folder with the text")
parser.add_argument("--epochs", type=int, default=100)
options = parser.parse_args()

words = np.array(load_text(options.data, "fable").split())[:, None]
print(f"{len(words)} words, {len(np.unique(words))} of them distinct")

# %%
# Model
# -----
# `WindowTransformer` generates windows of three words. The target of each window is the word that
# follows, so y is not required.

lstm = CharLSTMClassifier(units=64, epochs=options.epochs, learning_rate=0.01, random_state=0)
model = make_pipeline(WindowTransformer(3), lstm).fit(words)

# %%
# The first three rows have no complete window and are excluded from the accuracy.

predicted = model.predict(words)
correct = predicted[3:] == words[3:, 0]
dummy = DummyClassifier(strategy="most_frequent").fit(words[3:], words[3:, 0])
print(f"correct predictions       {correct.sum()} of {len(correct)}")
print(f"accuracy of the network   {correct.mean():.3f}")
print(f"accuracy of the baseline  {dummy.score(words[3:], words[3:, 0]):.3f}")

# %%
# The incorrect predictions are those for the ambiguous windows.

for row in np.flatnonzero(~correct)[:5] + 3:
    print(*words[row - 3 : row, 0], "...", words[row, 0], "- predicted:", predicted[row])

LossCurveDisplay.from_estimator(lstm)
plt.show()
