"""
"hello", a character at a time
==============================

The smallest text model of all: after "h" comes "e", after "he" comes "l", after "hel" comes
another "l", and after "hell" comes "o". The same letter is followed by another one each time, so
that the network has to remember. Here are its numbers, step by step.
"""

# %%
# The network
# -----------
# Four symbols as one-hot vectors x, three units h and one output for each symbol. Left alone with
# a text, `CharLSTMClassifier` learns to name what follows every one of its symbols.

import argparse

import matplotlib.pyplot as plt
import numpy as np
from sklearn.dummy import DummyClassifier

from skrnn import CharLSTMClassifier, LossCurveDisplay, NextCharDisplay

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=200)
options = parser.parse_args()

model = CharLSTMClassifier(
    cell="rnn", units=3, learning_rate=0.05, epochs=options.epochs, random_state=1
)
model.fit("hello")

# %%
# Beside it stands what needs no network: naming the most frequent letter, every time.

letters = list("hello")
dummy = DummyClassifier(strategy="most_frequent").fit(letters, letters)
print(f"accuracy of the network   {model.score('hello'):.2f}")
print(f"accuracy of the baseline  {dummy.score(letters, letters):.2f}")
print("after h, he, hel, hell:  ", *model.predict(["h", "he", "hel", "hell"]))

# %%
# The forward pass in numbers
# ---------------------------
# Elman's recurrence is h(t) = tanh(W_xh x(t) + W_hh h(t-1) + b), the outputs are W_hy h(t) + b',
# and a softmax turns them into probabilities. The weights are those of `model_`, a plain Keras
# model; a text begins with x = 0.

_, recurrent, dense, _ = model.model_.layers[1:]
W_xh, W_hh, b = recurrent.get_weights()
W_hy, b_y = dense.get_weights()
np.set_printoptions(precision=2, suppress=True)
h = np.tanh(b)
for letter in "hell":
    x = np.eye(4)[model.vocabulary_[letter]]
    h = np.tanh(x @ W_xh + h @ W_hh + b)
    p = np.exp(h @ W_hy + b_y)
    p /= p.sum()
    print(f"{letter}  x = {x}  h = {h}  p({', '.join(model.classes_)}) = {p}")

np.testing.assert_allclose(p, model.predict_proba(["hell"])[0], atol=1e-5)

# %%
# The same as a picture: under each letter the letters expected next, darker where more probable,
# framed where they did come.

NextCharDisplay.from_estimator(model, "hello", top_k=4)
LossCurveDisplay.from_estimator(model)
plt.show()
