"""
One-to-one, one-to-many, many-to-one and many-to-many
=====================================================

The input and the output of a recurrent network may be a single value or a sequence. In this
example, each type of network learns a known function. The network is compared with a baseline that
ignores the input: the mean, or the most frequent class.
"""

# %%
# Three quarters of the sequences are used for training, and the remaining quarter for testing.

import argparse
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import is_classifier

from skrnn import RNNClassifier, RNNRegressor
from skrnn.datasets import make_adding
from skrnn.networks import build_cnn_rnn, build_encoder_decoder

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


def compare(task, model, X, y):
    y_train, y_test = y[:600], y[600:]
    y_pred = model.fit(X[:600], y_train).predict(X[600:])
    if is_classifier(model):
        labels, counts = np.unique(y_train, return_counts=True)
        score, baseline = accuracy, labels[counts.argmax()]
    else:
        score, baseline = rmse, y_train.mean(axis=0)
    name = "RMSE" if score is rmse else "accuracy"
    rows.append([task, name, score(y_test, y_pred), score(y_test, baseline)])
    print("{:28} {:8}  {:.3f}, baseline {:.3f}".format(*rows[-1]))


# %%
# One-to-one
# ----------
# The output is the square of the input, a sequence of one time step.

x = rng.uniform(-1, 1, (800, 1))
compare("one-to-one", regressor(), x, x[:, 0] ** 2)

# %%
# One-to-many
# -----------
# The output is a countdown that starts at the input. The number of time steps that the decoder
# generates is the number of columns of y.

compare("one-to-many", regressor(network=build_encoder_decoder), x, x - np.linspace(0, 1, 6))

# %%
# Many-to-one
# -----------
# The first task is to add two marked numbers in a sequence of 12 time steps. The second task is to
# classify sequences of 5 to 15 time steps as increasing or decreasing. The sequences do not have to
# be padded.

compare("many-to-one", regressor(), *make_adding(800, 12, random_state=0))
slopes = rng.choice([-0.1, 0.1], 800)
walks = [slope * np.arange(rng.integers(5, 16)) + rng.normal() for slope in slopes]
compare("many-to-one, any length", classifier(), walks, np.where(slopes > 0, "up", "down"))

# %%
# Many-to-many
# ------------
# The output at each time step is the cumulative sum in the first task, and the sign of the
# cumulative sum in the second task.

sums = signs.cumsum(axis=1)
compare("many-to-many", regressor(output="sequence"), signs, sums)
compare("many-to-many, classes", classifier(output="sequence"), signs, np.sign(sums))

# %%
# Many-to-many with different lengths
# -----------------------------------
# The input has 12 time steps, and the output consists of the 6 sums of adjacent pairs. The encoder
# reads the input, and the decoder generates the output.

pairs = signs[:, ::2] + signs[:, 1::2]
compare("12 to 6 steps", regressor(network=build_encoder_decoder), signs, pairs)

# %%
# Long windows
# ------------
# The task is to detect a pattern of 3 time steps in 200 time steps of noise. Convolution and
# pooling layers shorten the window before the recurrent layers.

noise, has_pattern = rng.normal(scale=0.25, size=(800, 200)), np.arange(800) % 2
for row in np.flatnonzero(has_pattern):
    noise[row, (start := rng.integers(197)) : start + 3] += [1.5, -1.5, 1.5]
compare("long window", classifier(network=build_cnn_rnn), noise, has_pattern)

# %%
# The following figure shows the scores of all tasks.

table = pd.DataFrame(rows, columns=["task", "score", "network", "baseline"])
table.plot.barh("task", ["network", "baseline"], xlabel="RMSE (numbers) or accuracy (classes)")
plt.tight_layout()
plt.show()
