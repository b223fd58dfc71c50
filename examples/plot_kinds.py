"""
One to one, one to many, many to one, many to many
==================================================

What goes in and what comes out may be one value or many. Each kind here learns something that can
be known exactly, beside a baseline that ignores what goes in: the mean, or the commonest class.
"""

# %%
# Three quarters of the sequences are learnt from, the others are predicted.

import argparse
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import is_classifier

from skrnn import RNNClassifier, RNNRegressor
from skrnn.datasets import make_adding
from skrnn.networks.encoders import build_cnn_rnn, build_encoder_decoder

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=60)
settings = {"units": 32, "learning_rate": 0.01, "epochs": parser.parse_args().epochs}
regressor = partial(RNNRegressor, "gru", **settings, random_state=0)
classifier = partial(RNNClassifier, "gru", **settings, random_state=0)
rng = np.random.default_rng(0)
signs = rng.choice([-1.0, 1.0], (800, 12))
rows = []


def rmse(y, y_pred):
    return np.sqrt(np.mean((y - y_pred) ** 2))


def accuracy(y, y_pred):
    return np.mean(y == y_pred)


def compare(kind, model, X, y):
    y_train, y_test = y[:600], y[600:]
    y_pred = model.fit(X[:600], y_train).predict(X[600:])
    if is_classifier(model):
        labels, counts = np.unique(y_train, return_counts=True)
        score, baseline = accuracy, labels[counts.argmax()]
    else:
        score, baseline = rmse, y_train.mean(axis=0)
    name = "RMSE" if score is rmse else "accuracy"
    rows.append([kind, name, score(y_test, y_pred), score(y_test, baseline)])
    print("{:28} {:8}  {:.3f}, baseline {:.3f}".format(*rows[-1]))


# %%
# One to one
# ----------
# A number to its square: a network with one time step.

x = rng.uniform(-1, 1, (800, 1))
compare("one to one", regressor(), x, x[:, 0] ** 2)

# %%
# One to many
# -----------
# A number to a countdown from it. A decoder writes as many steps as y has.

compare("one to many", regressor(network=build_encoder_decoder), x, x - np.linspace(0, 1, 6))

# %%
# Many to one
# -----------
# The sum of two marked numbers among 12; and whether a sequence rises, of 5 to 15 steps. Shorter
# ones need no filling up.

compare("many to one", regressor(), *make_adding(800, 12, random_state=0))
slopes = rng.choice([-0.1, 0.1], 800)
walks = [slope * np.arange(rng.integers(5, 16)) + rng.normal() for slope in slopes]
compare("many to one, of any length", classifier(), walks, np.where(slopes > 0, "up", "down"))

# %%
# Many to many
# ------------
# A value at each step, the sum so far; and a class at each step, its sign.

sums = signs.cumsum(axis=1)
compare("many to many", regressor(output="sequence"), signs, sums)
compare("many to many, classes", classifier(output="sequence"), signs, np.sign(sums))

# %%
# Many to many of another length
# ------------------------------
# 12 steps to the 6 sums of neighbours: what the encoder has read, the decoder writes.

pairs = signs[:, ::2] + signs[:, 1::2]
compare("12 to 6", regressor(network=build_encoder_decoder), signs, pairs)

# %%
# Long windows
# ------------
# Whether three steps of a pattern stand anywhere in 200 of noise. Convolutions make the window
# shorter before the cells read it.

noise, has_pattern = rng.normal(scale=0.25, size=(800, 200)), np.arange(800) % 2
for row in np.flatnonzero(has_pattern):
    noise[row, (place := rng.integers(197)) : place + 3] += [1.5, -1.5, 1.5]
compare("long window", classifier(network=build_cnn_rnn), noise, has_pattern)

# %%

table = pd.DataFrame(rows, columns=["kind", "score", "network", "baseline"])
table.plot.barh("kind", ["network", "baseline"], xlabel="RMSE, or accuracy of classes")
plt.tight_layout()
plt.show()
