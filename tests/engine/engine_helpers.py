"""Data, networks, callbacks and comparisons that the tests of the engine share."""

import keras
import numpy as np
from keras import layers

from skrnn import RNNRegressor, sliding_windows

SERIES = (np.sin(np.arange(48) / 4) + np.random.default_rng(0).normal(scale=0.1, size=48))[:, None]
WINDOWS = sliding_windows(SERIES, 4)


class BatchCallback(keras.callbacks.Callback):
    """Has a hook for batches, so that `keras.Model.fit` trains."""

    def on_train_batch_end(self, batch, logs=None):
        pass


def make_rnn(cell="rnn", units=2, **parameters):
    """Return an estimator with a plain network that is compiled and trained quickly."""
    defaults = {"epochs": 2, "batch_size": 16, "learning_rate": 0.01, "random_state": 0}
    defaults |= {"residual": False, "early_stopping": False}
    return RNNRegressor(cell, units, **(defaults | parameters))


def builder(*middle, model=keras.Model, **compile_settings):
    """Return a builder of a network of some layers, given as functions, and a dense layer."""

    def build(input_shape, n_outputs):
        y = x = keras.Input(input_shape)
        for make in middle:
            y = make()(y)
        built = model(x, layers.Dense(n_outputs)(y))
        if compile_settings:
            built.compile(**compile_settings)
        return built

    return build


def gru(units=2, **settings):
    return lambda: layers.GRU(units, **settings)


def build_sequential(input_shape, n_outputs):
    return keras.Sequential([keras.Input(input_shape), layers.GRU(2), layers.Dense(n_outputs)])


def weights_of(rnn):
    """Return the weights. Reading `model_` would give the network a model of its own."""
    return [value for value in rnn._network.values() if value.dtype.kind == "f"]


def results_of(rnn, X=WINDOWS):
    """Return predictions, losses and weights."""
    return [rnn.predict(X), np.array(rnn.loss_curve_), *weights_of(rnn)]


def assert_identical(arrays, expected):
    for array, other in zip(arrays, expected, strict=True):
        np.testing.assert_array_equal(array, other)
