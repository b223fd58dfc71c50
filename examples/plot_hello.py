"""
A character-level language model for "hello"
============================================

This example trains a minimal language model: "h" is followed by "e", "he" by "l", "hel" by another
"l", and "hell" by "o". Because the letter "l" is followed by different letters, the network has to
use its state. The example also computes the forward pass step by step with NumPy.
"""

# %%
# Network
# -------
# The inputs of the network are one-hot vectors x of the four letters. The network has three units h
# and one output per letter. If `CharLSTMClassifier` is fitted on text alone, it learns to predict
# the letter that follows each position.

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
# The baseline always predicts the most frequent letter.

letters = list("hello")
dummy = DummyClassifier(strategy="most_frequent").fit(letters, letters)
print(f"accuracy of the network   {model.score('hello'):.2f}")
print(f"accuracy of the baseline  {dummy.score(letters, letters):.2f}")
print("after h, he, hel, hell:  ", *model.predict(["h", "he", "hel", "hell"]))

# %%
# Forward pass
# ------------
# The state of an Elman network is h(t) = tanh(W_xh x(t) + W_hh h(t-1) + b). The probabilities are
# the softmax of the outputs W_hy h(t) + b'. The weights are taken from ``model_``, a plain Keras
# model. The input before the first letter of a text is x = 0.

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
# `NextCharDisplay` shows the most probable next letters below each letter. Darker cells are more
# probable, and a frame marks the letter that actually follows.

NextCharDisplay.from_estimator(model, "hello", top_k=4)
LossCurveDisplay.from_estimator(model)
plt.show()
