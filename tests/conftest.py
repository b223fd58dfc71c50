"""Fixtures and small models that several test modules share."""

import os
import re
from pathlib import Path

# Tests run in parallel processes: one thread each uses the cores best.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from skrnn import RNNRegressor, WindowTransformer

DATA = Path(__file__).parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no data in {DATA}")


@pytest.fixture
def wave():
    """Return a sine wave of 120 rows with mean 50 and amplitude 10."""
    return 50 + 10 * np.sin(np.arange(120) / 4).reshape(-1, 1)


@pytest.fixture
def small_rnn():
    """Return a function that creates networks that train in milliseconds."""

    def make(cell="rnn", units=4, **parameters):
        defaults = {"epochs": 2, "batch_size": 16, "learning_rate": 0.01, "random_state": 0}
        return RNNRegressor(cell, units, **(defaults | parameters))

    return make


@pytest.fixture
def small_model(small_rnn):
    """Return a function that creates pipelines of scalers, windows and a small network."""

    def make(rnn=None, window_length=6, horizon=1):
        steps = [
            ("scale", MinMaxScaler()),
            ("window", WindowTransformer(window_length, horizon)),
            ("rnn", rnn if rnn is not None else small_rnn()),
        ]
        return TransformedTargetRegressor(regressor=Pipeline(steps), transformer=MinMaxScaler())

    return make


@pytest.fixture
def dtype_policy():
    """Return `keras.config.set_dtype_policy`, whose change is undone after the test."""
    import keras

    before = keras.config.dtype_policy()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(before)


def label(value):
    """Return the name of a test parameter, which is the same in every process."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))
