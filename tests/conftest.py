"""Series and small networks that several test modules use."""

import os
import re

# Tests run side by side, each in a process of its own: one thread is the fair share.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from skrnn import RNNRegressor, WindowTransformer


@pytest.fixture
def wave():
    """A sine of 120 rows around 50, with an amplitude of 10."""
    return 50 + 10 * np.sin(np.arange(120) / 4).reshape(-1, 1)


@pytest.fixture
def small_rnn():
    """Return a function that makes networks that train in an instant."""

    def make(cell="rnn", units=4, **parameters):
        defaults = {"epochs": 2, "batch_size": 16, "learning_rate": 0.01, "random_state": 0}
        return RNNRegressor(cell, units, **(defaults | parameters))

    return make


@pytest.fixture
def small_model(small_rnn):
    """Return a function that makes the whole model: scaled, windowed, learnt, scaled back."""

    def make(rnn=None, window_length=6, horizon=1):
        steps = [
            ("scale", MinMaxScaler()),
            ("window", WindowTransformer(window_length, horizon)),
            ("rnn", rnn if rnn is not None else small_rnn()),
        ]
        return TransformedTargetRegressor(regressor=Pipeline(steps), transformer=MinMaxScaler())

    return make


def label(value):
    """Name a test by its parameter, the same in every process."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))
