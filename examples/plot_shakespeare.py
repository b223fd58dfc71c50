"""
Text generation with a character-level language model
=====================================================

A language model is trained to predict the next character of Shakespeare's plays and then generates
text. Instead of one window per character, the training data are long chunks of text, and the state
is carried from one chunk to the next.
"""

# %%
# Data
# ----
# The first 90% of the text is used for training, and the remainder for testing. ``--data FOLDER``
# specifies the folder that contains the plays. By default, the example uses the descriptions of the
# datasets in scikit-learn.

import argparse
import os

import matplotlib.pyplot as plt
import numpy as np

from skrnn import CharLSTMClassifier, LossCurveDisplay, NextCharDisplay
from skrnn.datasets import load_text

parser = argparse.ArgumentParser()
parser.add_argument("--data", default=os.environ.get("SKRNN_DATA"), help="folder with the text")
parser.add_argument("--epochs", type=int, help="default: 10 with --data, else 20")
options = parser.parse_args()
epochs = options.epochs or (10 if options.data else 20)

text = load_text(options.data, "shakespeare")
train, test = text[: len(text) * 9 // 10], text[len(text) * 9 // 10 :]
vocabulary = set(train)
test = "".join(character for character in test if character in vocabulary)

# %%
# Model
# -----
# The language model is an LSTM with 128 units.

model = CharLSTMClassifier(units=128, learning_rate=0.004, epochs=epochs, random_state=0)
model.fit(train)

# %%
# The baseline predicts the relative frequency of each character, independently of the context.

counts = np.array([train.count(character) for character in model.classes_])
frequency = dict(zip(model.classes_, counts / counts.sum(), strict=True))
entropy = -np.mean([np.log2(frequency[character]) for character in test])
most_frequent = model.classes_[counts.argmax()]
print(f"bits per character of the network   {model.cross_entropy(test).bits:.2f}")
print(f"bits per character of the baseline  {entropy:.2f}")
print(f"accuracy of the network   {model.score(test):.3f}")
print(f"accuracy of the baseline  {test.count(most_frequent) / len(test):.3f}")

# %%
# Generated text
# --------------
# With a low temperature, the generated text is more repetitive. With a high temperature, it
# contains more spelling errors.

for temperature in (0.5, 1.0):
    print(f"--- temperature {temperature}")
    print(model.generate("The ", 300, temperature=temperature, random_state=0))

NextCharDisplay.from_estimator(model, test[:80])
LossCurveDisplay.from_estimator(model)
plt.show()
