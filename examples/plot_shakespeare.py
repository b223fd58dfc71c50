"""
Writing like Shakespeare
========================

A language model learns to name the next character of Shakespeare's plays, and then writes on by
itself. It is trained on long chunks of text, with the state carried on from one to the next, and
not on one window for each character.
"""

# %%
# The text
# --------
# The first 90 % is to learn from, the rest is not seen in training. ``--data FOLDER`` names the
# folder of the plays; without it the text is scikit-learn's descriptions of its data sets.

import argparse
import os

import matplotlib.pyplot as plt
import numpy as np

from skrnn import CharLSTMClassifier, LossCurveDisplay, NextCharDisplay
from skrnn.datasets import load_text

parser = argparse.ArgumentParser()
parser.add_argument("--data", default=os.environ.get("SKRNN_DATA"), help="folder of the text")
parser.add_argument("--epochs", type=int, help="default: 10 with --data, else 20")
options = parser.parse_args()
epochs = options.epochs or (10 if options.data else 20)

text = load_text(options.data, "shakespeare")
train, test = text[: len(text) * 9 // 10], text[len(text) * 9 // 10 :]
known = set(train)
test = "".join(character for character in test if character in known)

# %%
# The model
# ---------

model = CharLSTMClassifier(units=128, learning_rate=0.004, epochs=epochs, random_state=0)
model.fit(train)

# %%
# What is it worth? Beside it stands a model without memory, which knows only how frequent each
# character is.

counts = np.array([train.count(character) for character in model.classes_])
frequency = dict(zip(model.classes_, counts / counts.sum(), strict=True))
entropy = -np.mean([np.log2(frequency[character]) for character in test])
most = model.classes_[counts.argmax()]
print(f"bits a character of the network   {model.cross_entropy(test).bits:.2f}")
print(f"bits a character of the baseline  {entropy:.2f}")
print(f"accuracy of the network   {model.score(test):.3f}")
print(f"accuracy of the baseline  {test.count(most) / len(test):.3f}")

# %%
# What it writes
# --------------
# At a low temperature it repeats what is probable; at a high one it spells worse.

for temperature in (0.5, 1.0):
    print(f"--- temperature {temperature}")
    print(model.generate("The ", 300, temperature=temperature, random_state=0))

NextCharDisplay.from_estimator(model, test[:80])
LossCurveDisplay.from_estimator(model)
plt.show()
