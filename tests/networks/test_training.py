"""Networks of the builders and of all named cells in estimators: what they learn, and options."""

import itertools
from functools import partial

import keras
import numpy as np
import pytest

from skrnn import RNNClassifier, RNNRegressor, build_rnn
from skrnn.networks import CELLS, build_cnn_rnn, build_encoder_decoder
from skrnn.networks.initialize import RECURRENT_INITIALIZERS

# Keras converts its variables to arrays in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

BATCH_HOOK = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)


def make_signs(n_samples, n_timesteps):
    return np.random.default_rng(0).choice([-1.0, 1.0], (n_samples, n_timesteps))


def recurrent_layers(model):
    return [layer for layer in model.layers if isinstance(layer, keras.layers.RNN)]


def recurrent_cells(model):
    cells = [layer.cell for layer in recurrent_layers(model)]
    return [inner for cell in cells for inner in getattr(cell, "cells", [cell])]


# Encoders


@pytest.mark.slow
def test_encoder_decoder_learns_sequences_from_single_values():
    X = np.linspace(0, 1, 100)[:, None]
    y = X - np.linspace(0, 1, 5)
    settings = {"epochs": 60, "learning_rate": 0.02, "random_state": 0}
    model = RNNRegressor("gru", 16, network=build_encoder_decoder, **settings)
    assert model.fit(X, y).score(X, y) > 0.99


@pytest.mark.slow
def test_encoder_decoder_learns_sequences_of_another_length():
    X = make_signs(600, 6)
    y = X.reshape(-1, 3, 2).sum(axis=2)
    settings = {"epochs": 80, "learning_rate": 0.01, "random_state": 0}
    model = RNNRegressor("gru", 32, network=build_encoder_decoder, **settings)
    assert model.fit(X[:500], y[:500]).score(X[500:], y[500:]) > 0.9


@pytest.mark.slow
def test_encoder_decoder_of_several_variables():
    X = make_signs(60, 6)
    network = partial(build_encoder_decoder, n_variables=2)
    model = RNNRegressor("rnn", 4, network=network, epochs=2)
    assert model.fit(X, np.hstack([X[:, :3], X[:, 3:]])).predict(X).shape == (60, 6)
    with pytest.raises(
        ValueError, match="n_outputs=5, the number of columns of y, is not a multip"
    ):
        model.fit(X, X[:, :5])


@pytest.mark.slow
def test_convolutions_find_a_pattern_in_long_windows():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 120)) / 4, np.arange(300) % 2
    for row in np.flatnonzero(y):
        first = rng.integers(0, 110)
        X[row, first : first + 3] += [1.5, -1.5, 1.5]
    settings = {"epochs": 15, "learning_rate": 0.01, "random_state": 0, "network": build_cnn_rnn}
    classifier = RNNClassifier("gru", 8, **settings).fit(X[:200], y[:200])
    assert classifier.score(X[200:], y[200:]) > 0.95
    regressor = RNNRegressor("gru", 8, **settings).fit(X[:200], y[:200])
    assert regressor.score(X[200:], y[200:]) > 0.7
    with pytest.raises(ValueError, match="window of 3 time steps is too short"):
        regressor.fit(X[:, :3], y)
    X[0, 3] = np.nan
    with pytest.raises(ValueError, match="no layer that masks them"):
        classifier.fit(X, y)


# Options of all cells


@pytest.mark.parametrize("cell", CELLS)
def test_penalties_and_recurrent_dropout_reach_every_cell(cell):
    settings = {"l1": 0.1, "l2": 0.2, "recurrent_l2": 0.3, "recurrent_dropout": 0.4}
    model = build_rnn((5, 2), 1, cell, (4, 4), seed=0, **settings)
    expected = 0.0
    for inner in recurrent_cells(model):
        assert inner.kernel_regularizer.get_config() == pytest.approx({"l1": 0.1, "l2": 0.2})
        assert inner.recurrent_regularizer.get_config() == pytest.approx({"l2": 0.3})
        kernel, recurrent = inner.kernel.numpy(), inner.recurrent_kernel.numpy()
        expected += 0.1 * abs(kernel).sum() + 0.2 * (kernel**2).sum() + 0.3 * (recurrent**2).sum()
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-5)
    assert all(layer.cell.recurrent_dropout == 0.4 for layer in recurrent_layers(model))


@pytest.mark.parametrize("cell", CELLS)
def test_recurrent_initializers_of_every_cell(cell):
    kernels = {}
    for name in RECURRENT_INITIALIZERS:
        model = build_rnn((5, 2), 1, cell, 4, recurrent_initializer=name, seed=0)
        first, *_ = recurrent_cells(model)
        kernels[name] = first.recurrent_kernel.numpy()
        assert getattr(first, "unit_forget_bias", True)
    np.testing.assert_array_equal(
        kernels["identity"], np.tile(np.eye(4), kernels["identity"].shape[1] // 4)
    )
    orthogonal = kernels["orthogonal"]
    np.testing.assert_allclose(orthogonal @ orthogonal.T, np.eye(4), atol=1e-6)
    assert not kernels["zeros"].any()
    assert len({kernel.tobytes() for kernel in kernels.values()}) == len(RECURRENT_INITIALIZERS)


def test_unknown_recurrent_initializer():
    with pytest.raises(ValueError, match=r"'ortogonal' is not known. Did you mean 'orthogonal'"):
        build_rnn((5, 2), 1, recurrent_initializer="ortogonal")


def test_identity_and_relu_add_the_inputs():
    """The network of Le, Jaitly and Hinton sums its inputs at the start of training."""
    model = build_rnn((50, 1), 1, "rnn", 6, activation="relu", recurrent_initializer="identity")
    (layer,) = recurrent_layers(model)
    expected = np.maximum(50 * layer.cell.kernel.numpy(), 0)
    np.testing.assert_allclose(layer(np.ones((1, 50, 1), "float32")), expected, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("index", "cell"), enumerate(CELLS))
def test_recurrent_dropout_has_the_masks_of_keras(index, cell):
    """In each cell, in one of the estimators, in one direction or in both."""
    X = make_signs(32, 5)
    y = X.sum(axis=1) > 0
    settings = {"recurrent_dropout": 0.4, "l2": 0.01, "recurrent_l2": 0.01, "epochs": 2}
    settings |= {"optimizer": "sgd", "learning_rate": 0.1, "batch_size": 16, "random_state": 0}
    estimator_class = (RNNRegressor, RNNClassifier)[index % 2]
    make = partial(estimator_class, cell, 4, bidirectional=index % 4 < 2, **settings)
    model, expected = make().fit(X, y), make(callbacks=[BATCH_HOOK]).fit(X, y)
    np.testing.assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-4)


@pytest.mark.slow
def test_a_layer_that_is_called_twice_samples_a_recurrent_dropout_mask_for_each_call():
    def build(input_shape, n_outputs):
        x = keras.Input(input_shape)
        gru = keras.layers.GRU(input_shape[1], return_sequences=True, recurrent_dropout=0.3, seed=0)
        y = keras.layers.Dense(n_outputs)(keras.layers.Flatten()(gru(gru(x))))
        return keras.Model(x, y)

    X = make_signs(32, 6).reshape(32, 3, 2)
    settings = {"network": build, "epochs": 2, "batch_size": 16, "random_state": 0}
    model = RNNRegressor(**settings).fit(X, X[:, -1])
    expected = RNNRegressor(callbacks=[BATCH_HOOK], **settings).fit(X, X[:, -1])
    np.testing.assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-5)


# Dtype policies

OPTIONS = {
    "plain": {},
    "dropout": {"dropout": 0.1, "recurrent_dropout": 0.1},
    "bidirectional": {"bidirectional": True},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "policy", "options"),
    [
        *zip(CELLS, itertools.repeat("mixed_float16"), itertools.cycle(OPTIONS)),
        ("clockwork", "mixed_bfloat16", "plain"),
        ("gru", "mixed_bfloat16", "dropout"),
        ("lstm", "float64", "bidirectional"),
    ],
)
def test_every_cell_learns_under_dtype_policies(cell, policy, options, dtype_policy):
    dtype_policy(policy)
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(length, 1)) for length in rng.integers(2, 7, 64)]
    y = [int(x[-1, 0] > 0) for x in X]
    settings = {"epochs": 6, "learning_rate": 0.02, "random_state": 0, **OPTIONS[options]}
    model = RNNClassifier(cell, 8, **settings).fit(X, y)  # masks all but the last time steps
    assert np.isfinite(model.loss_curve_).all()
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    probabilities = model.predict_proba(X)
    assert probabilities.dtype == ("float64" if policy == "float64" else "float32")
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("cell", ["clockwork", "depthgated"])
def test_regression_under_dtype_policies(cell, policy, dtype_policy):
    dtype_policy(policy)
    X = np.random.default_rng(0).normal(size=(64, 6, 1))
    settings = {"epochs": 10, "learning_rate": 0.02, "random_state": 0}
    model = RNNRegressor(cell, 8, **settings).fit(X, X[:, -1, 0])
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert np.isfinite(model.predict(X)).all()
