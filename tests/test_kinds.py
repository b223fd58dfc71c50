"""The kinds of recurrent networks, on data that can be solved exactly; and their remedies."""

from functools import partial

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import r2_score

from skrnn import RNNClassifier, RNNRegressor, build_rnn, sliding_windows
from skrnn._engine.eligibility import supports_fused_engine
from skrnn.networks import CELLS
from skrnn.networks.encoders import build_cnn_rnn, build_encoder_decoder
from skrnn.networks.initialize import RECURRENT_INITIALIZERS, reseed

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def signs(n_samples, n_timesteps, seed=0):
    return np.random.default_rng(seed).choice([-1.0, 1.0], (n_samples, n_timesteps))


# Kinds


def test_one_to_one():
    X = np.linspace(-1, 1, 200)[:, None]
    model = RNNRegressor("gru", 16, epochs=100, learning_rate=0.02, random_state=0)
    assert model.fit(X, X[:, 0] ** 2).score(X, X[:, 0] ** 2) > 0.99


def test_one_to_many():
    """A number to as many steps as it is counted down in."""
    X = np.linspace(0, 1, 100)[:, None]
    y = X - np.linspace(0, 1, 5)
    network = build_encoder_decoder
    model = RNNRegressor("gru", 16, network=network, epochs=60, learning_rate=0.02, random_state=0)
    assert model.fit(X, y).score(X, y) > 0.99


def test_many_to_one():
    X = signs(300, 6)
    model = RNNRegressor("lstm", 16, epochs=60, learning_rate=0.02, random_state=0)
    assert model.fit(X[:200], X[:200].sum(axis=1)).score(X[200:], X[200:].sum(axis=1)) > 0.95


@pytest.mark.parametrize("bidirectional", [False, True])
def test_many_to_many_of_equal_length(bidirectional):
    X = signs(300, 8)
    y = np.cumsum(X, axis=1)
    model = RNNRegressor(
        "gru",
        16,
        output="sequence",
        bidirectional=bidirectional,
        epochs=60,
        learning_rate=0.02,
        random_state=0,
    )
    model.fit(X[:200], y[:200])
    assert model.predict(X).shape == y.shape
    assert model.score(X[200:], y[200:]) > 0.95
    flat = r2_score(y[200:].ravel(), model.predict(X[200:]).ravel())
    assert model.score(X[200:], y[200:]) == pytest.approx(flat)
    assert supports_fused_engine(model.model_)


def test_several_outputs_at_each_step():
    X = signs(100, 5)
    y = np.stack([X, -2 * X], axis=2)
    model = RNNRegressor(
        "rnn", 8, output="sequence", epochs=40, learning_rate=0.03, early_stopping=True
    )
    model.set_params(random_state=0).fit(X, y, sample_weight=np.arange(1, 101))
    assert model.predict(X).shape == (100, 5, 2)
    assert model.score(X, y, sample_weight=np.ones(100)) > 0.95
    assert len(model.validation_scores_) == model.n_iter_


@pytest.mark.parametrize("shape", [(40, 1), (40, 5)], ids=str)
@pytest.mark.parametrize("batch_size", [5, 16])
def test_weights_of_steps_train_as_in_keras(shape, batch_size):
    """Also where there are as many rows in a batch as steps."""
    X, weights = signs(40, 5), np.random.default_rng(0).random(shape)
    y = np.cumsum(X, axis=1)
    settings = {"output": "sequence", "epochs": 2, "batch_size": batch_size, "random_state": 0}
    each_batch = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    ours = RNNRegressor("gru", 4, **settings).fit(X, y, sample_weight=weights.squeeze())
    by_keras = RNNRegressor("gru", 4, callbacks=[each_batch], **settings)
    by_keras.fit(X, y, sample_weight=weights.squeeze())
    np.testing.assert_allclose(ours.loss_curve_, by_keras.loss_curve_, rtol=1e-5)
    np.testing.assert_allclose(ours.predict(X), by_keras.predict(X), atol=1e-6)
    found = ours.score(X, y, sample_weight=weights.squeeze())
    flat = np.broadcast_to(weights, (40, 5)).ravel()
    assert found == pytest.approx(r2_score(y.ravel(), ours.predict(X).ravel(), sample_weight=flat))


@pytest.mark.parametrize("loss", ["mse", keras.losses.MeanSquaredError()], ids=["name", "object"])
def test_weights_of_steps_hold_for_the_part_held_out(loss):
    X = signs(40, 5)
    weights = np.where(np.arange(5) < 3, 1.0, 0.0) * np.ones((40, 1))
    settings = {"early_stopping": True, "epochs": 2, "loss": loss, "random_state": 0}
    first = RNNRegressor("gru", 4, output="sequence", **settings).fit(X, X, sample_weight=weights)
    other = np.where(weights > 0, X, 100.0)
    second = clone(first).fit(X, other, sample_weight=weights)
    assert second.validation_loss_curve_ == pytest.approx(first.validation_loss_curve_)
    assert second.validation_scores_ == pytest.approx(first.validation_scores_)


def test_sequences_to_sequences_of_another_length():
    """Six steps to the three sums of pairs."""
    X = signs(600, 6)
    y = X.reshape(-1, 3, 2).sum(axis=2)
    network = build_encoder_decoder
    model = RNNRegressor("gru", 32, network=network, epochs=80, learning_rate=0.01, random_state=0)
    assert model.fit(X[:500], y[:500]).score(X[500:], y[500:]) > 0.9
    assert supports_fused_engine(model.model_)


def test_several_variables_in_each_step_of_an_answer():
    X = signs(60, 6)
    both = np.hstack([X[:, :3], X[:, 3:]])
    network = partial(build_encoder_decoder, n_variables=2)
    model = RNNRegressor("rnn", (6, 4), network=network, epochs=2, bidirectional=True)
    assert model.fit(X, both).predict(X).shape == (60, 6)
    sizes = [layer.units for layer in layers_of(model.model_)]  # of the decoder: it reads one way
    assert sizes == [4, 6]
    with pytest.raises(ValueError, match="n_outputs=5, the columns of y, is no multiple of n_var"):
        model.fit(X, X[:, :5])


def test_long_windows_behind_a_convolution():
    """Whether a pattern of three steps stands anywhere in 120 of noise."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 120)) / 4, np.arange(300) % 2
    for row in np.flatnonzero(y):
        place = rng.integers(0, 110)
        X[row, place : place + 3] += [1.5, -1.5, 1.5]
    settings = {"epochs": 15, "learning_rate": 0.01, "random_state": 0, "network": build_cnn_rnn}
    model = RNNClassifier("gru", 8, **settings).fit(X[:200], y[:200])
    assert model.score(X[200:], y[200:]) > 0.95
    regressor = RNNRegressor("gru", 8, **settings).fit(X[:200], y[:200])
    assert regressor.score(X[200:], y[200:]) > 0.7
    with pytest.raises(ValueError, match="window of 3 steps cannot be made 4 times shorter 1 time"):
        regressor.fit(X[:, :3], y)
    X[0, 3] = np.nan
    with pytest.raises(ValueError, match="no layer that masks them"):
        model.fit(X, y)


def test_windows_and_the_steps_in_them(wave):
    series = (wave - 50) / 10
    windows = sliding_windows(series, 6)
    y = np.array(windows[:, :, 0]) ** 2
    y[:6] = np.nan  # incomplete windows are not learnt from
    model = RNNRegressor("rnn", 4, output="sequence", epochs=2, random_state=0).fit(windows, y)
    plain = RNNRegressor("rnn", 4, output="sequence", epochs=2, random_state=0)
    plain.fit(np.array(windows)[6:], y[6:])
    np.testing.assert_array_equal(model.predict(windows), plain.predict(windows))


def test_errors_of_sequences(wave):
    model = RNNRegressor("rnn", 4, output="sequence", epochs=1)
    X = signs(10, 4)
    with pytest.raises(ValueError, match=r"needs a y of shape \(10, 4\), or of .* got \(10, 3\)"):
        model.fit(X, X[:, 1:])
    with pytest.raises(ValueError, match="with output='sequence' it is a value for each time"):
        model.fit(sliding_windows(wave, 4))
    with pytest.raises(ValueError, match="contains NaN"):
        model.fit(X, np.full((10, 4), np.nan))
    with pytest.raises(ValueError, match=r"or of each step \(10, 4\), got \(10, 3\)"):
        model.fit(X, X, sample_weight=np.ones((10, 3)))
    with pytest.raises(ValueError, match="y has 2 outputs at each step, but RNNRegressor was fitt"):
        model.fit(X, X).score(X, np.stack([X, X], axis=2))
    windows = sliding_windows(wave, 4)
    with pytest.raises(ValueError, match="residual=True starts from a window's last value"):
        model.set_params(residual=True).fit(windows, np.array(windows[:, :, 0]))
    last = partial(build_rnn, output="last")
    with pytest.raises(ValueError, match=r"outputs have shape \(None, 1\), but y needs \(None, 4,"):
        model.set_params(residual=False, network=lambda input_shape: last(input_shape, 1)).fit(X, X)


# Remedies


def layers_of(model):
    return [layer for layer in model.layers if isinstance(layer, keras.layers.RNN)]


def cells_of(model):
    return [one for layer in layers_of(model) for one in getattr(layer.cell, "cells", [layer.cell])]


@pytest.mark.parametrize("cell", CELLS)
def test_penalties_and_recurrent_dropout_reach_every_cell(cell):
    settings = {"l1": 0.1, "l2": 0.2, "recurrent_l2": 0.3, "recurrent_dropout": 0.4}
    model = build_rnn((5, 2), 1, cell, (4, 4), seed=0, **settings)
    for one in cells_of(model):
        assert one.kernel_regularizer.get_config() == pytest.approx({"l1": 0.1, "l2": 0.2})
        assert one.recurrent_regularizer.get_config() == pytest.approx({"l2": 0.3})
    expected = sum(
        0.1 * abs(kernel).sum() + 0.2 * (kernel**2).sum() + 0.3 * (recurrent**2).sum()
        for kernel, recurrent in (
            (one.kernel.numpy(), one.recurrent_kernel.numpy()) for one in cells_of(model)
        )
    )
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-5)
    assert all(layer.cell.recurrent_dropout == 0.4 for layer in layers_of(model))
    assert supports_fused_engine(model)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("name", RECURRENT_INITIALIZERS)
def test_initialisers_reach_every_cell(cell, name):
    model = build_rnn((5, 2), 1, cell, 4, recurrent_initializer=name, seed=0)
    (first, *_) = cells_of(model)
    kernel = first.recurrent_kernel.numpy()
    if name == "identity":
        np.testing.assert_array_equal(kernel, np.tile(np.eye(4), kernel.shape[1] // 4))
    if name == "orthogonal":
        np.testing.assert_allclose(kernel @ kernel.T, np.eye(4), atol=1e-6)
    if name == "zeros":
        assert not kernel.any()
    # Another seed is as if built with it.
    reseed(model, 7)
    twin = build_rnn((5, 2), 1, cell, 4, recurrent_initializer=name, seed=7)
    for found, expected in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    if hasattr(first, "unit_forget_bias"):
        assert first.unit_forget_bias


def test_unknown_initialiser():
    with pytest.raises(ValueError, match=r"'ortogonal' is not known. Did you mean 'orthogonal'"):
        build_rnn((5, 2), 1, recurrent_initializer="ortogonal")


def test_identity_and_relu_hand_the_state_on():
    """Le, Jaitly and Hinton's network is an adder at first."""
    model = build_rnn((50, 1), 1, "rnn", 6, activation="relu", recurrent_initializer="identity")
    (layer,) = layers_of(model)
    X = np.ones((1, 50, 1), "float32")
    expected = np.maximum(50 * layer.cell.kernel.numpy(), 0)
    np.testing.assert_allclose(layer(X), expected, rtol=1e-5)


@pytest.mark.parametrize("make", [RNNRegressor, RNNClassifier])
def test_penalties_shrink_weights(make):
    X = signs(100, 5)
    y = (X.sum(axis=1) > 0).astype(int)

    def size(part, **settings):
        model = make("gru", 8, epochs=30, learning_rate=0.02, random_state=0, **settings)
        (cell,) = cells_of(model.fit(X, y).model_)
        return float(np.square(getattr(cell, part).numpy()).sum())

    assert size("kernel", l2=0.1) < size("kernel") / 2
    assert size("kernel", l1=0.1) < size("kernel") / 2
    assert size("recurrent_kernel", recurrent_l2=0.1) < size("recurrent_kernel") / 2


# Every cell in both directions and in both estimators, and all four pairs of these.
BOTH_WAYS = [
    (cell, make, bidirectional == (i % 2 == 0))
    for i, cell in enumerate(CELLS)
    for make, bidirectional in ((RNNRegressor, False), (RNNClassifier, True))
]


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "make", "bidirectional"), BOTH_WAYS)
def test_recurrent_dropout_is_that_of_keras(cell, make, bidirectional):
    """The same masks are drawn where Keras trains, as it looks at batches."""
    X = signs(32, 5)
    settings = {"recurrent_dropout": 0.4, "l2": 0.01, "recurrent_l2": 0.01, "epochs": 3}
    settings |= {"bidirectional": bidirectional, "optimizer": "sgd", "random_state": 0}
    batches = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    target = X.sum(axis=1) > 0
    models = [
        make(cell, (4, 4), batch_size=16, learning_rate=0.1, callbacks=callbacks, **settings)
        for callbacks in ([batches], None)
    ]
    eager, compiled = (model.fit(X, target) for model in models)
    np.testing.assert_allclose(compiled.loss_curve_, eager.loss_curve_, rtol=1e-4)
    if make is RNNRegressor:
        plain = make(cell, (4, 4), batch_size=16, **settings | {"recurrent_dropout": 0.0})
        assert abs(plain.fit(X, target).loss_curve_[0] - compiled.loss_curve_[0]) > 1e-4


def test_a_layer_with_recurrent_dropout_that_is_used_twice_draws_a_mask_each_time():
    x = keras.Input((5, 4))
    gru = keras.layers.GRU(4, return_sequences=True, recurrent_dropout=0.3)
    both = keras.layers.Bidirectional(
        keras.layers.GRU(2, return_sequences=True, recurrent_dropout=0.3)
    )
    for layer in (gru, both):
        assert supports_fused_engine(keras.Model(x, layer(x)))
        assert not supports_fused_engine(keras.Model(x, layer(layer(x))))


@pytest.mark.parametrize("units", [3, 40])  # weights as one vector, and one by one
def test_clipvalue_is_that_of_keras(units):
    X, y = signs(32, 5), signs(32, 1)
    settings = {"epochs": 1, "optimizer": "sgd", "clipvalue": 0.01, "random_state": 0}
    model = RNNRegressor("gru", units, learning_rate=1.0, **settings).fit(X, y)
    assert model.model_.optimizer.clipvalue == 0.01
    before = RNNRegressor("gru", units, learning_rate=1e-30, **settings).fit(X, y).model_
    after = zip(model.model_.get_weights(), before.get_weights(), strict=True)
    changes = [abs(found - start).max() for found, start in after]
    assert max(changes) == pytest.approx(0.01, rel=1e-3)
    before.compile(keras.optimizers.SGD(1.0, clipvalue=0.01), "mse")
    before.train_on_batch(X[:, :, None].astype("float32"), y.astype("float32"))
    for found, expected in zip(model.model_.get_weights(), before.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_clipping_is_of_one_kind():
    model = RNNRegressor("rnn", 2, clipnorm=1.0, clipvalue=0.5)
    with pytest.raises(ValueError, match=r"clipnorm=1.0 and clipvalue=0.5 exclude each other"):
        model.fit(signs(8, 3), np.zeros(8))
