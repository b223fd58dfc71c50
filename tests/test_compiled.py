"""Compiled epochs and predictions: which way training goes, and that no result tells which."""

import contextlib
import os
import pickle
import subprocess
import sys
import time
import tracemalloc
from types import SimpleNamespace

import joblib
import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import label
from keras import layers
from sklearn.base import clone

from skrnn import RNNRegressor, WindowTransformer, _compiled, sliding_windows
from skrnn._engine.cache import clear_compiled
from skrnn._engine.trainer import Trainer

# Keras makes arrays of its variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def series():
    """A noisy wave of 120 rows."""
    rng = np.random.default_rng(0)
    return np.sin(np.arange(120) / 4)[:, None] + rng.normal(scale=0.1, size=(120, 1))


@pytest.fixture
def windows(series):
    return WindowTransformer(6).fit_transform(series)


@pytest.fixture
def ways(monkeypatch):
    """The ways that epochs have gone: "compiled" for each epoch, "keras" for each fit."""
    taken = []

    def spy(owner, name, way):
        method = getattr(owner, name)

        def noting(*arguments, **options):
            taken.append(way)
            return method(*arguments, **options)

        monkeypatch.setattr(owner, name, noting)

    spy(Trainer, "run_epoch", "compiled")
    spy(keras.Model, "fit", "keras")
    return taken


@pytest.fixture
def n_trainers(monkeypatch):
    """A function that tells how many trainers were made since the test began, with none before."""
    made, init = [], Trainer.__init__

    def counting(self, *arguments, **options):
        made.append(self)
        init(self, *arguments, **options)

    monkeypatch.setattr(Trainer, "__init__", counting)
    clear_compiled()
    return lambda: len(made)


class EachBatch(keras.callbacks.Callback):
    """Does nothing, but wants to be told of every batch."""

    def on_train_batch_end(self, batch, logs=None):
        pass


class OwnStep(keras.Model):
    def train_step(self, data):
        return super().train_step(data)


@keras.saving.register_keras_serializable("test_compiled")
class OwnCell(layers.LSTMCell):
    pass


def builder(*middle, model=keras.Model, **compile_settings):
    """Return a builder of input, the layers that some functions make, and a dense layer."""

    def build(input_shape, n_outputs):
        y = x = keras.Input(input_shape)
        for make in middle:
            y = make()(y)
        built = model(x, layers.Dense(n_outputs)(y))
        if compile_settings:
            built.compile(**compile_settings)
        return built

    return build


def gru(units=3, **settings):
    return lambda: layers.GRU(units, **settings)


def sequential(input_shape, n_outputs):
    return keras.Sequential([keras.Input(input_shape), layers.GRU(3), layers.Dense(n_outputs)])


def learning_rates():
    return keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5**epoch)


def all_of(rnn, X):
    """Return what came out of a fit: predictions, losses and weights."""
    return [rnn.predict(X), np.array(rnn.loss_curve_), *weights_of(rnn)]


def weights_of(rnn):
    """Return the weights, not by `model_`: asking for it changes how an estimator goes on."""
    return [value for value in rnn._network.values() if value.dtype.kind == "f"]


def assert_same_bits(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


# Which way training goes


@pytest.fixture
def way(monkeypatch):
    """Return a function that tells which way a fit goes, without going it."""

    class Way(Exception):
        pass

    def to(way):
        def stop(*arguments, **options):
            raise Way(way)

        return stop

    monkeypatch.setattr(Trainer, "run_epoch", to("compiled"))
    monkeypatch.setattr(keras.Model, "fit", to("keras"))

    def way_of(fit, *arguments, **options):
        with pytest.raises(Way) as stopped:
            fit(*arguments, **options)
        return str(stopped.value)

    return way_of


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"cell": "gru", "units": (4, 3), "dropout": 0.2},
        {"bidirectional": True, "activation": "relu"},
        {"residual": True},
        {"early_stopping": True, "clipnorm": 0.5},
        {"loss": keras.losses.Huber(), "optimizer": keras.optimizers.SGD(momentum=0.9)},
        {"callbacks": [learning_rates(), keras.callbacks.ReduceLROnPlateau("loss")]},
        {"callbacks": [keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None)]},
        {"network": builder(gru())},
        {"network": sequential},
        {"network": builder(layers.Masking, gru())},
        {"network": builder(gru(recurrent_dropout=0.1))},
        {"network": builder(lambda: layers.RNN(OwnCell(3)))},
        {"verbose": 2},
    ],
    ids=label,
)
def test_training_is_compiled(settings, windows, small_rnn, way):
    rnn = small_rnn(**settings)
    assert way(rnn.fit, windows) == "compiled"
    assert way(rnn.fit, windows, sample_weight=np.ones(120)) == "compiled"


@pytest.mark.parametrize(
    "settings",
    [
        {"callbacks": [EachBatch()]},
        {
            "callbacks": [
                keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
            ]
        },
        {"callbacks": [keras.callbacks.TerminateOnNaN()]},
        {"network": builder(gru(), optimizer="sgd", loss="mae")},
        {"network": builder(gru(), model=OwnStep)},
        {"network": builder(gru(), layers.BatchNormalization)},
        {"network": builder(gru(dropout=0.1))},
        {"network": builder(gru(reset_after=False))},
        {"network": builder(lambda: layers.RNN(OwnCell(3, dropout=0.1)))},
        {"network": builder(gru(), lambda: layers.Lambda(lambda x: 2 * x))},
        {"activation": "elu"},
        {"loss": keras.losses.MeanSquaredError(reduction="sum")},
        {"loss": lambda y, y_pred: tf.reduce_mean(tf.square(y - y_pred))},
    ],
    ids=label,
)
def test_training_is_left_to_keras(settings, windows, small_rnn, way):
    assert way(small_rnn(**settings).fit, windows) == "keras"


def test_training_is_left_to_keras_while_there_is_a_gpu(windows, small_rnn, monkeypatch, way):
    with monkeypatch.context() as patch:
        patch.setattr(tf.config, "list_logical_devices", lambda kind: ["one"])
        assert way(small_rnn().fit, windows) == "keras"
    assert way(small_rnn().fit, windows) == "compiled"


def test_layers_without_kernels_train_in_keras(windows, small_rnn):
    steps = []

    class Noting(keras.Model):
        def train_step(self, data):
            steps.append(data)
            return super().train_step(data)

    network = builder(
        layers.Masking,
        gru(dropout=0.1, return_sequences=True),
        layers.BatchNormalization,
        lambda: layers.RNN(OwnCell(3)),
        model=Noting,
    )
    rnn = small_rnn(network=network, epochs=3).fit(windows)
    assert steps
    assert rnn.loss_curve_[-1] < rnn.loss_curve_[0]
    assert np.isfinite(rnn.predict(windows)).all()


# The same results either way


def absolute_error(y, y_pred):
    return tf.reduce_mean(tf.abs(y - y_pred), axis=-1)


def elementwise_error(y, y_pred):
    return tf.abs(y - y_pred)


def error_of_each_output(y, y_pred):
    return tf.reduce_mean(tf.square(y - y_pred), axis=0)


def error_relative_to_the_batch(y, y_pred):
    return tf.reduce_mean(tf.square(y - y_pred), axis=-1) / tf.reduce_mean(tf.square(y))


def twice(x):
    return 2 * x


class Ridge(keras.regularizers.Regularizer):
    def __call__(self, x):
        return 0.1 * tf.reduce_sum(x**2)

    def get_config(self):
        return {}


def penalized(input_shape, n_outputs):
    first = gru(return_sequences=True, kernel_constraint=keras.constraints.MaxNorm(0.1))
    second = gru(kernel_regularizer="l2", recurrent_regularizer="l1")
    model = builder(first, gru(return_sequences=True), second)(input_shape, n_outputs)
    model.layers[2].trainable = False
    return model


decay = keras.optimizers.schedules.ExponentialDecay(0.05, 4, 0.5)
momentum = keras.optimizers.SGD(momentum=0.9, nesterov=True)
averaged = keras.optimizers.Adam(use_ema=True, ema_momentum=0.8)
scaled = keras.optimizers.SGD(loss_scale_factor=8.0)
scaling = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01))
accumulating = keras.optimizers.Adam(gradient_accumulation_steps=3)

SETTINGS = {
    "lstm in a batch larger than the data": {"cell": "lstm", "batch_size": 500},
    "gru in batches of one": {"cell": "gru", "batch_size": 1, "epochs": 1},
    "stacked with dropout": {"units": (4, 3), "dropout": 0.4},
    "bidirectional": {"bidirectional": True, "units": 3},
    "in branches": {"cell": "gru", "units": 48, "batch_size": 60},
    "in branches with dropout": {"cell": "lstm", "units": 40, "batch_size": 64, "dropout": 0.2},
    "residual and stopped early": {"residual": True, "early_stopping": True, "epochs": 3},
    "sgd and clipnorm": {"optimizer": momentum, "learning_rate": None, "clipnorm": 0.01},
    "rmsprop and mae": {"optimizer": "rmsprop", "loss": "mae"},
    "adamw and huber": {"optimizer": "adamw", "loss": "huber"},
    "a schedule and a huber of one's own": {
        "optimizer": keras.optimizers.Adam(decay),
        "learning_rate": None,
        "loss": keras.losses.Huber(0.1),
    },
    "a scheduling callback and log cosh": {
        "callbacks": [learning_rates()],
        "epochs": 3,
        "loss": keras.losses.LogCosh(),
    },
    "a function without a mean": {"loss": elementwise_error},
    "a function of the batch": {"loss": error_relative_to_the_batch},
    "averaged weights": {"optimizer": averaged},
    "scaled loss": {"optimizer": scaled},
    "an optimizer that scales the loss": {"optimizer": scaling, "learning_rate": None},
    "accumulated gradients": {"optimizer": accumulating},
    "penalties, a constraint and a frozen layer": {"network": penalized},
    "an activity regularizer": {"network": builder(gru(activity_regularizer="l2"))},
    "masked steps": {"network": builder(layers.Masking, gru())},
    "a layer over the batch": {"network": builder(gru(), lambda: layers.Softmax(axis=0))},
    "a regularizer of one's own": {"network": builder(gru(kernel_regularizer=Ridge()))},
    "an activation of one's own": {"network": builder(gru(), lambda: layers.Dense(4, twice))},
    "layers of float64": {"network": builder(gru(dtype="float64"))},
}


def assert_same_either_way(rnn, X, y=None, sample_weight=None, rtol=1e-4):
    callbacks = [*(rnn.callbacks or []), EachBatch()]
    compiled = clone(rnn).fit(X, y, sample_weight)
    by_keras = clone(rnn).set_params(callbacks=callbacks).fit(X, y, sample_weight)
    np.testing.assert_allclose(compiled.loss_curve_, by_keras.loss_curve_, rtol)
    if rnn.early_stopping:
        curves = (one.validation_loss_curve_ for one in (compiled, by_keras))
        np.testing.assert_allclose(*curves, rtol)
    np.testing.assert_allclose(compiled.predict(X), by_keras.predict(X), rtol, atol=rtol)
    for one, other in zip(weights_of(compiled), weights_of(by_keras), strict=True):
        np.testing.assert_allclose(one, other, rtol, atol=rtol)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_results_are_those_of_keras(settings, windows, small_rnn, ways):
    assert_same_either_way(small_rnn(**settings), windows)
    assert "keras" in ways


@pytest.mark.parametrize("settings", [{}, {"early_stopping": True, "loss": "mae"}], ids=label)
def test_results_with_sample_weights_are_those_of_keras(settings, windows, small_rnn, ways):
    weights = np.random.default_rng(0).uniform(0, 3, size=120)
    weights[20:50] = 0
    assert_same_either_way(small_rnn(**settings), windows, sample_weight=weights)
    assert set(ways) == {"compiled", "keras"}


@pytest.mark.parametrize(
    ("horizon", "loss"), [(0, "mse"), (3, absolute_error), (3, error_of_each_output)]
)
def test_results_with_several_columns_are_those_of_keras(horizon, loss, series, small_rnn):
    two = np.hstack([series, np.cos(series)])
    rnn = small_rnn(units=3, bidirectional=True, loss=loss, batch_size=23)
    assert_same_either_way(rnn, sliding_windows(two, 5, horizon), two[::-1])


def test_results_on_plain_arrays_are_those_of_keras(windows, small_rnn, ways):
    X, y = np.asarray(windows)[6:], windows.target[6:, 0]
    assert_same_either_way(small_rnn("gru"), X, y)
    assert set(ways) == {"compiled", "keras"}


@pytest.fixture
def default_dtypes():
    """A function that sets Keras' default dtypes, of inputs and of layers, for one test."""
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()

    def set_dtypes(of_inputs, of_layers):
        keras.config.set_floatx(of_inputs)
        keras.config.set_dtype_policy(of_layers)

    yield set_dtypes
    set_dtypes(floatx, policy)


def test_results_in_float64_are_those_of_keras(default_dtypes, windows, small_rnn, ways):
    default_dtypes("float64", "float64")
    rnn = small_rnn("lstm", dropout=0.2)
    assert_same_either_way(rnn, windows, sample_weight=np.arange(120.0), rtol=1e-6)
    assert set(ways) == {"compiled", "keras"}
    assert rnn.fit(windows).predict(windows).dtype == np.float64


def test_results_on_inputs_of_float64_are_those_of_keras(default_dtypes, windows, small_rnn):
    default_dtypes("float64", "float32")
    rnn = small_rnn("gru")
    assert_same_either_way(rnn, windows, sample_weight=np.arange(120.0))
    assert rnn.fit(windows).predict(windows).dtype == np.float32


def test_training_may_go_on_the_other_way(windows, small_rnn, ways):
    rnn = small_rnn(dropout=0.2, warm_start=True)
    whole = clone(rnn).set_params(epochs=6).fit(windows)
    rnn.fit(windows)
    rnn.set_params(callbacks=[EachBatch()]).fit(windows)
    rnn.set_params(callbacks=None).fit(windows)
    assert ways[6:] == ["compiled"] * 2 + ["keras"] + ["compiled"] * 2
    np.testing.assert_allclose(rnn.loss_curve_, whole.loss_curve_, rtol=1e-5)
    np.testing.assert_allclose(rnn.predict(windows), whole.predict(windows), atol=1e-5)


def test_networks_that_differ_in_what_their_layers_are_called_after(windows, small_rnn):
    def build(activation):
        return builder(gru(), lambda: layers.Activation(activation, name=activation))

    clear_compiled()
    small_rnn(network=build("relu")).fit(windows)
    assert_same_either_way(small_rnn(network=build("softplus")), windows)


# Fits of one architecture share a trainer, and nothing else


def test_fits_of_one_architecture_share_a_trainer(windows, series, small_rnn, n_trainers):
    small_rnn().fit(windows)
    small_rnn(random_state=1, learning_rate=0.1, epochs=1, batch_size=8).fit(windows)
    small_rnn(random_state=None).fit(np.asarray(windows)[6:], series[6:])
    small_rnn().fit(windows, sample_weight=np.ones(120)).partial_fit(windows)
    assert n_trainers() == 1
    for other in ({"units": 5}, {"loss": "mae"}, {"clipnorm": 1.0}):
        small_rnn(**other, epochs=1).fit(windows)
    assert n_trainers() == 4
    clear_compiled()
    small_rnn(epochs=1).fit(windows)
    assert n_trainers() == 5


@pytest.mark.parametrize("network", [builder(gru()), sequential])
def test_networks_of_ones_own_share_a_trainer(network, windows, small_rnn, n_trainers):
    small_rnn(network=network).fit(windows)
    small_rnn(network=network, random_state=1).fit(windows)
    assert n_trainers() == 1


def interrupted(rnn, windows, monkeypatch):
    run_epoch, epochs = Trainer.run_epoch, []

    def interrupt(self, *arguments):
        epochs.append(run_epoch(self, *arguments))
        if len(epochs) == 2:
            raise KeyboardInterrupt
        return epochs[-1]

    rnn.set_params(epochs=5)
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "run_epoch", interrupt)
        with pytest.raises(KeyboardInterrupt):
            rnn.fit(windows)


def interrupted_by_a_callback(rnn, windows, monkeypatch):
    def interrupt(epoch, logs):
        raise KeyboardInterrupt

    callback = keras.callbacks.LambdaCallback(on_epoch_end=interrupt)
    with pytest.raises(KeyboardInterrupt):
        rnn.set_params(callbacks=[callback]).fit(windows)


def failed(rnn, windows, monkeypatch):
    with pytest.raises(ValueError, match="Training diverged"):
        rnn.set_params(learning_rate=1e38).fit(windows, windows.target * 1e18)


def failed_after_an_epoch(rnn, windows, monkeypatch):
    rnn.set_params(warm_start=True).fit(windows)
    with pytest.raises(ValueError, match="Training diverged"):
        rnn.fit(windows, windows.target * 1e30)


def with_another_seed_and_rate(rnn, windows, monkeypatch):
    rnn.set_params(random_state=1, learning_rate=0.3, epochs=4).fit(windows)


def with_weights_and_batches_of_another_size(rnn, windows, monkeypatch):
    rnn.set_params(batch_size=7).fit(windows, 2 * windows.target, np.arange(120.0))


def with_early_stopping(rnn, windows, monkeypatch):
    rnn.set_params(early_stopping=True, epochs=3).fit(windows)


def whose_model_was_asked_for(rnn, windows, monkeypatch):
    model = rnn.fit(windows).model_
    model.set_weights([value + 1 for value in model.get_weights()])
    rnn.partial_fit(windows)


def of_other_architectures(rnn, windows, monkeypatch):
    for other in ({"cell": "gru"}, {"optimizer": "adam"}):
        clone(rnn).set_params(**other).fit(windows)


@pytest.fixture(scope="module")
def first_fit():
    """An estimator, and what comes out of its fit where nothing was fitted before."""
    series = np.sin(np.arange(120) / 4)[:, None]
    rnn = RNNRegressor("rnn", (4, 3), dropout=0.3, residual=True, optimizer=momentum)
    rnn.set_params(epochs=2, batch_size=16, random_state=0)
    clear_compiled()
    windows = sliding_windows(series, 6)
    return rnn, windows, all_of(clone(rnn).fit(windows).partial_fit(windows), windows)


@pytest.mark.parametrize(
    "before",
    [
        with_another_seed_and_rate,
        with_weights_and_batches_of_another_size,
        with_early_stopping,
        whose_model_was_asked_for,
        of_other_architectures,
        interrupted,
        interrupted_by_a_callback,
        failed,
        failed_after_an_epoch,
    ],
)
def test_a_fit_after_another_has_the_bits_of_a_first_one(before, first_fit, monkeypatch):
    rnn, windows, expected = first_fit
    before(clone(rnn), windows, monkeypatch)
    assert_same_bits(all_of(clone(rnn).fit(windows).partial_fit(windows), windows), expected)


def test_fits_in_turns_have_the_bits_of_fits_one_by_one(windows, small_rnn):
    def both():
        return small_rnn(dropout=0.2).fit(windows), small_rnn(dropout=0.2, random_state=1)

    one, two = both()
    two.fit(windows)
    for _ in range(2):
        one.partial_fit(windows)
        two.partial_fit(windows)
    for rnn in both():
        clear_compiled()
        rnn.set_params(epochs=4).fit(windows)
        turns = one if rnn.random_state == 0 else two
        assert_same_bits(all_of(turns, windows), all_of(rnn, windows))


@pytest.mark.parametrize(
    ("settings", "ask"),
    [
        ({}, False),
        ({}, True),
        ({"activation": "elu"}, False),
        ({"network": builder(gru(), layers.BatchNormalization)}, False),
    ],
    ids=["compiled", "model_ asked for", "keras", "keras with a network of one's own"],
)
def test_fitted_estimators_share_nothing(settings, ask, windows, small_rnn):
    one = small_rnn(**settings).fit(windows)
    if ask:
        assert one.model_.built
    before = all_of(one, windows)
    two = small_rnn(**settings, random_state=1).fit(windows)
    assert_same_bits(all_of(one, windows), before)
    of_two = all_of(two, windows)
    assert not np.array_equal(before[0], of_two[0])
    one.partial_fit(windows)
    assert_same_bits(all_of(two, windows), of_two)
    after = all_of(one, windows)
    small_rnn(**settings, callbacks=[EachBatch()]).fit(windows)
    small_rnn(**settings, random_state=2).fit(windows).partial_fit(windows)
    assert_same_bits(all_of(one, windows), after)
    assert not np.array_equal(before[0], after[0])


@pytest.mark.parametrize("activation", ["tanh", "elu"])
def test_a_fit_does_not_take_over_how_another_was_compiled(activation, windows, small_rnn):
    small_rnn(activation=activation, loss="mae", optimizer="sgd", clipnorm=1.0).fit(windows)
    model = small_rnn(activation=activation).fit(windows).model_
    assert model.loss == "mse"
    assert type(model.optimizer).__name__ == "Adam"
    assert model.optimizer.clipnorm is None


def test_a_model_that_was_asked_for_is_its_estimators_alone(windows, small_rnn):
    one, two = (small_rnn().fit(windows) for _ in range(2))
    expected, model = all_of(two, windows), one.model_
    assert model is one.model_
    assert model is not two.model_
    model.set_weights([value * 0 for value in model.get_weights()])
    np.testing.assert_array_equal(one.predict(windows), np.zeros((120, 1)))
    assert_same_bits(all_of(two, windows), expected)
    three = small_rnn().fit(windows)
    assert_same_bits(all_of(three, windows), expected)
    np.testing.assert_array_equal(model(windows[6:8]), np.zeros((2, 1)))
    one.partial_fit(windows)
    assert one.model_ is model
    assert one.predict(windows).any()
    np.testing.assert_allclose(
        model(windows[6:].astype("float32")), one.predict(windows)[6:], atol=1e-6
    )


@pytest.mark.parametrize("more", [{}, {"callbacks": [EachBatch()]}], ids=["compiled", "keras"])
def test_asking_for_the_model_changes_nothing(more, windows, small_rnn):
    one, two = (small_rnn(dropout=0.2, **more).fit(windows) for _ in range(2))
    _ = one.model_
    assert_same_bits(
        all_of(one.partial_fit(windows), windows), all_of(two.partial_fit(windows), windows)
    )


def test_a_model_that_a_callback_kept_is_not_trained_by_later_fits(windows, small_rnn):
    class Keeping(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            self.kept = self.model

    callback = Keeping()
    rnn = small_rnn(callbacks=[callback]).fit(windows)
    assert callback.kept is rnn.model_
    before = callback.kept.get_weights()
    small_rnn(random_state=1).fit(windows)
    small_rnn(random_state=2, callbacks=[keras.callbacks.Callback()]).fit(windows)
    assert_same_bits(callback.kept.get_weights(), before)


def test_no_more_is_kept_than_the_bound(windows, small_rnn, n_trainers, monkeypatch):
    monkeypatch.setattr(_compiled, "_KEPT", 2)
    fitted = [small_rnn(units=units).fit(windows) for units in (1, 2, 3)]
    predictions = [rnn.predict(windows) for rnn in fitted]
    kept = [len(part) for part in (_compiled._trainers, _compiled._predictors)]
    assert kept == [2, 2]
    small_rnn(units=3).fit(windows)
    small_rnn(units=2).fit(windows)
    assert n_trainers() == 3
    small_rnn(units=1).fit(windows)
    assert n_trainers() == 4
    clear_compiled()
    for rnn, expected in zip(fitted, predictions, strict=True):
        np.testing.assert_array_equal(rnn.predict(windows), expected)


def test_threads_have_the_bits_of_one_after_the_other(windows, small_rnn):
    settings = [{"random_state": seed, "dropout": rate} for seed in range(4) for rate in (0, 0.2)]

    def fit(setting):
        rnn = small_rnn(epochs=4, **setting).fit(windows)
        return [rnn.predict(windows), rnn.predict(windows[40:41]), rnn.loss_curve_]

    clear_compiled()
    in_threads = joblib.Parallel(4, backend="threading")(joblib.delayed(fit)(s) for s in settings)
    clear_compiled()
    for found, setting in zip(in_threads, settings, strict=True):
        assert_same_bits(found, fit(setting))


def test_threads_may_predict_for_the_first_time_at_the_same_moment(windows, small_rnn, monkeypatch):
    real = _compiled.in_place_of_keras

    @contextlib.contextmanager
    def slow(*arguments):
        with real(*arguments):
            yield
            time.sleep(0.2)

    rnn = small_rnn().fit(windows)
    X = np.asarray(windows)
    parts = [windows, X, X[:1], sliding_windows(windows.target[:1], 6), windows]
    expected = [rnn.predict(part) for part in parts]
    clear_compiled()
    other = pickle.loads(pickle.dumps(rnn))
    monkeypatch.setattr(_compiled, "in_place_of_keras", slow)
    found = joblib.Parallel(5, backend="threading")(
        joblib.delayed(other.predict)(part) for part in parts
    )
    assert_same_bits(found, expected)


@pytest.mark.parametrize(
    "settings",
    [
        {"units": (4, 3), "dropout": 0.3},
        {"residual": True, "optimizer": momentum},
        {"callbacks": [learning_rates()]},
        {"network": sequential, "early_stopping": True, "warm_start": True},
    ],
    ids=label,
)
def test_training_goes_on_after_a_pickle_with_the_same_bits(settings, windows, small_rnn):
    rnn = small_rnn(**settings).fit(windows)
    pickled = pickle.dumps(rnn.set_params(callbacks=None))
    clear_compiled()
    copied = pickle.loads(pickled)
    np.testing.assert_array_equal(copied.predict(windows), rnn.predict(windows))
    for one in (rnn, copied):
        one.fit(windows) if one.warm_start else one.partial_fit(windows)
    assert_same_bits(all_of(copied, windows), all_of(rnn, windows))


# Bits, time and memory


MANY_NETWORKS = """
import hashlib, numpy as np
from skrnn import RNNRegressor, sliding_windows

series = np.sin(np.arange(200) / 4)[:, None] + np.random.default_rng(0).normal(size=(200, 1)) / 9
digests = []
for cell, units, length, settings in [
    ("lstm", 125, 60, {}),
    ("gru", 64, 20, {"loss": "mae"}),
    ("lstm", (45, 45), 20, {"dropout": 0.2}),
    ("rnn", 30, 20, {"bidirectional": True, "batch_size": 50}),
    ("gru", 300, 10, {"batch_size": 64}),
    ("gru", 4, 5, {"batch_size": 8}),
]:
    rnn = RNNRegressor(cell, units, epochs=2, random_state=0, **settings)
    windows = sliding_windows(series[: length + 100], length)
    rnn.fit(windows)
    parts = [rnn.predict(windows), np.array(rnn.loss_curve_), *rnn.model_.get_weights()]
    digests.append(hashlib.md5(b"".join(part.tobytes() for part in parts)).hexdigest())
print("digests", *digests)
"""


@pytest.mark.slow
def test_bits_do_not_depend_on_the_number_of_threads():
    digests = {}
    for n_threads in ("1", "2", "5"):
        threads = {f"TF_NUM_{kind}_THREADS": n_threads for kind in ("INTRAOP", "INTEROP")}
        process = subprocess.run(
            [sys.executable, "-c", MANY_NETWORKS],
            check=True,
            timeout=240,
            env=os.environ | threads,
            capture_output=True,
            text=True,
        )
        digests[n_threads] = process.stdout.split("digests")[1].split()
    assert len(digests["1"]) == 6
    assert digests["2"] == digests["1"]
    assert digests["5"] == digests["1"]


class Clock:
    """Lets a number of seconds go by from one look at it to the next."""

    def __init__(self, seconds):
        self.now, self.seconds = 0.0, seconds

    def perf_counter(self):
        self.now += self.seconds
        return self.now


@pytest.fixture
def small_trainer():
    model = builder(gru())((6, 1), 1)
    model.compile("adam", "mse")
    return Trainer(model)


def calls(trainer, windows, batch_size=1):
    """Return how many batches each graph call of an epoch took."""
    data, done = (
        _compiled.Data(windows.astype("float32"), windows.target.astype("float32"), None),
        [0],
    )
    data.put_in_order(np.arange(6, 120, dtype=np.int32), None)
    trainer.run_epoch(data, batch_size, lambda batches, loss: done.append(batches))
    return np.diff(done).tolist()


def test_graph_calls_take_more_batches_as_long_as_they_are_short(
    windows, small_trainer, monkeypatch
):
    monkeypatch.setattr(_compiled, "time", Clock(0.001))
    first = calls(small_trainer, windows)
    assert first == sorted(first[:-1]) + first[-1:]
    assert first[0] < first[1]
    assert sum(first) == 114
    assert calls(small_trainer, windows) == [114]


def test_graph_calls_take_fewer_batches_once_they_are_long(windows, small_trainer, monkeypatch):
    monkeypatch.setattr(_compiled, "time", clock := Clock(0.001))
    calls(small_trainer, windows)
    clock.seconds = 10.0
    calls(small_trainer, windows)
    slow = calls(small_trainer, windows)
    assert max(slow) <= 114 / 10
    assert sum(slow) == 114
    assert calls(small_trainer, windows) == [1] * 114


def test_graph_calls_tend_to_less_than_a_second(windows, small_trainer, monkeypatch):
    per_batch, clock, lengths = 0.02, SimpleNamespace(now=0.0), []
    make_epoch = Trainer._make_epoch

    def timed(self, *arguments):
        epoch = make_epoch(self, *arguments)

        def run(*arguments):
            lengths.append(float(arguments[-2]) * per_batch)
            clock.now += lengths[-1]
            return epoch(*arguments)

        return run

    clock.perf_counter = lambda: clock.now
    monkeypatch.setattr(_compiled, "time", clock)
    monkeypatch.setattr(Trainer, "_make_epoch", timed)
    for _ in range(3):
        assert sum(calls(small_trainer, windows)) == 114
    assert 0.1 < max(lengths) < 1


@pytest.mark.parametrize("settings", [{"batch_size": 2}, {"dropout": 0.2}], ids=label)
def test_bits_do_not_depend_on_how_long_graph_calls_take(settings, windows, small_rnn, monkeypatch):
    found = []
    for seconds in (1e-3, 10.0):
        clear_compiled()
        monkeypatch.setattr(_compiled, "time", Clock(seconds))
        found.append(all_of(small_rnn(**settings, epochs=3).fit(windows), windows))
    assert_same_bits(found[1], found[0])


def peak_of(function):
    """Return the bytes that NumPy, and those that the process, took at most in a call."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # Forgets the peak so far.
    before = resident("VmRSS")
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1], resident("VmHWM") - before
    finally:
        tracemalloc.stop()


def resident(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="peaks are Linux'")
@pytest.mark.parametrize(
    "settings", [{}, {"early_stopping": True, "validation_fraction": 0.5}], ids=label
)
def test_windows_are_never_materialised(settings, small_rnn):
    n_rows, window_length = 100_000, 200  # 80 MB of windows
    rnn = small_rnn("rnn", 1, epochs=1, batch_size=2048, **settings)
    series = np.random.default_rng(0).normal(size=(n_rows, 1)).astype("float32")
    rnn.fit(sliding_windows(series[:3000], window_length)).predict(series[:2, :1].repeat(200, 1))
    windows = sliding_windows(series, window_length)
    for function in (rnn.fit, rnn.predict):
        by_numpy, by_all = peak_of(lambda function=function: function(windows))
        assert by_numpy < 20 * series.nbytes
        assert by_all < n_rows * window_length * 4 / 3


# Predictions


@pytest.fixture
def fitted(windows, small_rnn):
    return small_rnn("gru", (5, 3), bidirectional=True).fit(windows)


def test_any_number_of_rows_is_predicted_as_by_keras(fitted, windows):
    rows = np.random.default_rng(0).normal(size=(200, 6, 1)).astype("float32")
    expected = pickle.loads(pickle.dumps(fitted)).model_(rows)
    for n_rows in (1, 2, 63, 64, 65, 129, 200):
        for first in (0, 200 - n_rows):
            part = slice(first, first + n_rows)
            np.testing.assert_allclose(fitted.predict(rows[part]), expected[part], atol=1e-5)


def test_windows_and_arrays_are_predicted_alike(fitted, windows):
    expected = fitted.predict(windows)
    np.testing.assert_array_equal(fitted.predict(np.asarray(windows)), expected)
    np.testing.assert_array_equal(fitted.predict(np.ascontiguousarray(windows)), expected)
    np.testing.assert_array_equal(fitted.predict(np.asarray(windows)[:, :, 0]), expected)
    np.testing.assert_allclose(fitted.predict(windows[::-1])[::-1], expected, atol=1e-6)


def test_one_window_is_predicted_as_among_others(fitted, windows):
    series = windows.target
    alone = WindowTransformer(6).fit(series[:119]).transform(series[119:])
    assert len(alone) == 1
    np.testing.assert_allclose(fitted.predict(alone), fitted.predict(windows)[-1:], atol=1e-6)


def test_no_rows_cannot_be_predicted(fitted, windows):
    with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\)"):
        fitted.predict(np.asarray(windows)[:0])


def test_several_batches_at_once_of_middle_sized_windows(small_rnn):
    """As many as is a number of NumPy's, which TensorFlow would count in int64."""
    X = np.random.default_rng(0).normal(size=(64, 60, 20))
    assert np.isfinite(small_rnn(epochs=1, batch_size=32).fit(X, X[:, 0, 0]).loss_curve_[0])
