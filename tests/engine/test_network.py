"""Networks share compiled models and nothing else, and survive errors, pickles and callbacks."""

import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import joblib
import keras
import numpy as np
import pytest
from conftest import label
from engine_helpers import (
    WINDOWS,
    BatchCallback,
    assert_identical,
    build_sequential,
    builder,
    gru,
    make_rnn,
    results_of,
    weights_of,
)
from keras import layers
from sklearn.base import clone

from skrnn import clear_compiled
from skrnn._engine import network as network_module
from skrnn._engine.network import Network, build_network, copy_optimizer
from skrnn._engine.predictor import Predictor
from skrnn._engine.trainer import Trainer
from skrnn.networks import build_rnn

# Keras makes arrays of its variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

MOMENTUM = keras.optimizers.SGD(momentum=0.9, nesterov=True)


# Fits do not affect each other


def interrupted(rnn, monkeypatch):
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
            rnn.fit(WINDOWS)


def interrupted_by_a_callback(rnn, monkeypatch):
    def interrupt(epoch, logs):
        raise KeyboardInterrupt

    callback = keras.callbacks.LambdaCallback(on_epoch_end=interrupt)
    with pytest.raises(KeyboardInterrupt):
        rnn.set_params(callbacks=[callback]).fit(WINDOWS)


def diverged(rnn, monkeypatch):
    with pytest.raises(ValueError, match="Training diverged"):
        rnn.set_params(learning_rate=1e38).fit(WINDOWS, WINDOWS.target * 1e18)


def diverged_after_an_epoch(rnn, monkeypatch):
    rnn.set_params(warm_start=True).fit(WINDOWS)
    with pytest.raises(ValueError, match="Training diverged"):
        rnn.fit(WINDOWS, WINDOWS.target * 1e30)


def another_seed_and_learning_rate(rnn, monkeypatch):
    rnn.set_params(random_state=1, learning_rate=0.3, epochs=4).fit(WINDOWS)


def weights_and_another_batch_size(rnn, monkeypatch):
    rnn.set_params(batch_size=7).fit(WINDOWS, 2 * WINDOWS.target, np.arange(48.0))


def early_stopping(rnn, monkeypatch):
    rnn.set_params(early_stopping=True, epochs=3).fit(WINDOWS)


def changed_model(rnn, monkeypatch):
    model = rnn.fit(WINDOWS).model_
    model.set_weights([value + 1 for value in model.get_weights()])
    rnn.partial_fit(WINDOWS)


def another_optimizer(rnn, monkeypatch):
    rnn.set_params(optimizer="adam").fit(WINDOWS)


@pytest.fixture(scope="module")
def first_fit():
    """An estimator, and the results of its fit without any fits before."""
    settings = {"dropout": 0.3, "residual": True, "optimizer": MOMENTUM}
    rnn = make_rnn("rnn", (3, 2), **settings)
    clear_compiled()
    return rnn, results_of(clone(rnn).fit(WINDOWS).partial_fit(WINDOWS))


@pytest.mark.parametrize(
    "earlier_fit",
    [
        another_seed_and_learning_rate,
        weights_and_another_batch_size,
        early_stopping,
        changed_model,
        another_optimizer,
        interrupted,
        interrupted_by_a_callback,
        diverged,
        diverged_after_an_epoch,
    ],
)
def test_a_fit_is_not_affected_by_an_earlier_one(earlier_fit, first_fit, monkeypatch):
    rnn, expected = first_fit
    earlier_fit(clone(rnn), monkeypatch)
    assert_identical(results_of(clone(rnn).fit(WINDOWS).partial_fit(WINDOWS)), expected)


def test_alternating_fits_are_those_of_separate_ones():
    def make_two():
        return make_rnn(dropout=0.2).fit(WINDOWS), make_rnn(dropout=0.2, random_state=1)

    first, second = make_two()
    second.fit(WINDOWS)
    for _ in range(2):
        first.partial_fit(WINDOWS)
        second.partial_fit(WINDOWS)
    for rnn, alternating in zip(make_two(), (first, second), strict=True):
        assert_identical(results_of(rnn.set_params(epochs=4).fit(WINDOWS)), results_of(alternating))


@pytest.mark.parametrize(
    ("settings", "read_model"),
    [
        ({}, False),
        ({}, True),
        pytest.param({"activation": "elu"}, False, marks=pytest.mark.slow),
        pytest.param(
            {"network": builder(gru(), layers.BatchNormalization)}, False, marks=pytest.mark.slow
        ),
    ],
    ids=["fused", "own model", "keras", "custom"],
)
def test_fitted_estimators_share_no_state(settings, read_model):
    first = make_rnn(**settings).fit(WINDOWS)
    if read_model:
        assert first.model_.built
    before = results_of(first)
    second = make_rnn(**settings, random_state=1).fit(WINDOWS)
    assert_identical(results_of(first), before)
    results_of_second = results_of(second)
    assert not np.array_equal(before[0], results_of_second[0])
    first.partial_fit(WINDOWS)
    assert_identical(results_of(second), results_of_second)
    after = results_of(first)
    make_rnn(**settings, random_state=2).fit(WINDOWS).partial_fit(WINDOWS)
    assert_identical(results_of(first), after)
    assert not np.array_equal(before[0], after[0])


@pytest.mark.parametrize("activation", ["tanh", pytest.param("elu", marks=pytest.mark.slow)])
def test_a_model_is_compiled_as_its_own_fit_says(activation):
    settings = {"loss": "mae", "optimizer": "sgd", "clipnorm": 1.0, "epochs": 1}
    make_rnn(activation=activation, **settings).fit(WINDOWS)
    model = make_rnn(activation=activation).fit(WINDOWS).model_
    assert model.loss == "mse"
    assert type(model.optimizer).__name__ == "Adam"
    assert model.optimizer.clipnorm is None


@pytest.mark.slow
def test_threads_train_like_consecutive_fits():
    settings = [{"random_state": seed, "dropout": rate} for seed in range(2) for rate in (0, 0.2)]

    def fit(setting):
        rnn = make_rnn(epochs=4, **setting).fit(WINDOWS)
        return [rnn.predict(WINDOWS), rnn.predict(WINDOWS[40:41]), rnn.loss_curve_]

    clear_compiled()
    in_threads = joblib.Parallel(4, backend="threading")(joblib.delayed(fit)(s) for s in settings)
    for results, setting in zip(in_threads, settings, strict=True):
        assert_identical(results, fit(setting))


def in_threads(function, n_threads=8):
    """Return the results of a function that so many threads call at the same time."""
    barrier = threading.Barrier(n_threads)

    def call(_):
        barrier.wait()
        return function()

    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(call, range(n_threads)))


@pytest.mark.parametrize("get", [lambda rnn: rnn, lambda rnn: pickle.loads(pickle.dumps(rnn))])
def test_threads_get_one_model(get):
    rnn = get(make_rnn().fit(WINDOWS))
    models = in_threads(lambda: rnn.model_)
    assert {id(model) for model in models} == {id(rnn.model_)}
    assert_identical(rnn.model_.get_weights(), pickle.loads(pickle.dumps(rnn)).model_.get_weights())


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "by Keras"])
def test_threads_predict_with_one_graph(fused, monkeypatch):
    noise = [] if fused else [lambda: layers.GaussianNoise(0.1)]
    rnn = make_rnn(network=builder(gru(), *noise)).fit(WINDOWS)
    expected = rnn._network.predict(WINDOWS)
    clear_compiled()
    network, calls = copy.deepcopy(rnn._network), []

    def counted(original):
        def call(*args):
            calls.append(original.__name__)
            return original(*args)

        return call

    monkeypatch.setattr(Predictor, "_make_graph", counted(Predictor._make_graph))
    monkeypatch.setattr(Network, "_new_model", counted(Network._new_model))
    for predictions in in_threads(lambda: network.predict(WINDOWS)):
        np.testing.assert_array_equal(predictions, expected)
    assert sorted(calls) == ["_make_graph", "_new_model"][not fused :]
    assert len(network._programs) == 1


# Resumed training


def test_training_is_resumed_with_keras_and_back():
    rnn = make_rnn(dropout=0.2, warm_start=True)
    expected = clone(rnn).set_params(epochs=6).fit(WINDOWS)
    for callbacks in (None, [BatchCallback()], None):
        rnn.set_params(callbacks=callbacks).fit(WINDOWS)
    np.testing.assert_allclose(rnn.loss_curve_, expected.loss_curve_, rtol=1e-5)
    np.testing.assert_allclose(rnn.predict(WINDOWS), expected.predict(WINDOWS), atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {"dropout": 0.2},
        {"residual": True, "optimizer": MOMENTUM},
        {"network": build_sequential, "early_stopping": True, "warm_start": True},
    ],
    ids=label,
)
def test_training_is_resumed_after_a_pickle(settings):
    rnn = make_rnn(**settings).fit(WINDOWS)
    copied = pickle.loads(pickle.dumps(rnn))
    np.testing.assert_array_equal(copied.predict(WINDOWS), rnn.predict(WINDOWS))
    for fitted in (rnn, copied):
        fitted.fit(WINDOWS) if fitted.warm_start else fitted.partial_fit(WINDOWS)
    assert_identical(results_of(copied), results_of(rnn))


SCHEDULE = keras.optimizers.schedules.ExponentialDecay(0.05, 2, 0.5)


def test_fits_with_a_schedule_have_the_same_bits():
    settings = {"optimizer": keras.optimizers.Adam(SCHEDULE), "learning_rate": None}
    first, second = (make_rnn(**settings).fit(WINDOWS) for _ in range(2))
    assert_identical(results_of(first), results_of(second))
    optimizer = first.model_.optimizer
    n_steps = 2 * 3  # epochs and batches
    assert int(optimizer.iterations) == n_steps
    assert float(optimizer.learning_rate) == pytest.approx(0.05 * 0.5 ** (n_steps / 2))
    resumed = pickle.loads(pickle.dumps(first)).partial_fit(WINDOWS)
    assert int(resumed.model_.optimizer.iterations) == n_steps + 3


def test_a_step_has_the_learning_rate_of_the_schedule():
    """An SGD step is the learning rate times the gradient, which is that of a constant rate."""
    rates = [0.5, 0.25, 0.125]
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0, 1], rates)
    batches = {"batch_size": 16, "epochs": 1, "cell": "gru"}
    rnn = make_rnn(optimizer=keras.optimizers.SGD(schedule), learning_rate=None, **batches)
    rnn.fit(WINDOWS)
    by_keras = clone(rnn).set_params(callbacks=[BatchCallback()]).fit(WINDOWS)
    for value, expected in zip(weights_of(rnn), weights_of(by_keras), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)
    used = []

    class Rates(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            used.append(float(self.model.optimizer.learning_rate))

    clone(rnn).set_params(callbacks=[Rates()]).fit(WINDOWS)
    assert used == rates


@pytest.mark.parametrize("touch", [False, True], ids=["", "model was read"])
@pytest.mark.parametrize("rates", [(None, 0.1), (0.1, None)], ids=["to constant", "to schedule"])
def test_training_is_not_resumed_with_another_kind_of_learning_rate(rates, touch):
    settings = {"optimizer": keras.optimizers.SGD(SCHEDULE), "warm_start": True}
    rnn = make_rnn(learning_rate=rates[0], **settings).fit(WINDOWS)
    if touch:
        _ = rnn.model_
    expected = results_of(rnn)
    rnn = pickle.loads(pickle.dumps(rnn)) if not touch else rnn
    with pytest.raises(ValueError, match=r"was trained with a .* cannot be resumed with a .* rate"):
        rnn.set_params(learning_rate=rates[1]).fit(WINDOWS)
    assert_identical(results_of(rnn), expected)
    rnn.set_params(learning_rate=rates[0]).fit(WINDOWS)
    assert len(rnn.loss_curve_) == 4


@pytest.mark.parametrize("rate", [SCHEDULE, "fast", -1.0, True])
def test_an_invalid_learning_rate_says_where_a_schedule_goes(rate):
    match = r"'learning_rate' parameter .* optimizer=keras\.optimizers\.Adam\(schedule\).* Got "
    with pytest.raises(ValueError, match=match):
        make_rnn(learning_rate=rate).fit(WINDOWS)


# The model


def test_a_model_belongs_to_its_estimator_alone():
    rnn, other = (make_rnn().fit(WINDOWS) for _ in range(2))
    expected, model = results_of(other), rnn.model_
    assert model is rnn.model_
    assert model is not other.model_
    model.set_weights([value * 0 for value in model.get_weights()])
    np.testing.assert_array_equal(rnn.predict(WINDOWS), np.zeros((48, 1)))
    assert_identical(results_of(other), expected)
    assert_identical(results_of(make_rnn().fit(WINDOWS)), expected)
    np.testing.assert_array_equal(model(WINDOWS[6:8]), np.zeros((2, 1)))
    rnn.partial_fit(WINDOWS)
    assert rnn.model_ is model
    assert rnn.predict(WINDOWS).any()
    outputs = model(WINDOWS[6:].astype("float32"))
    np.testing.assert_allclose(outputs, rnn.predict(WINDOWS)[6:], atol=1e-6)


@pytest.mark.parametrize("callbacks", [None, [BatchCallback()]], ids=["fused", "keras"])
def test_reading_the_model_does_not_affect_training(callbacks):
    rnn, other = (make_rnn(dropout=0.2, callbacks=callbacks).fit(WINDOWS) for _ in range(2))
    _ = rnn.model_
    resumed = [fitted.partial_fit(WINDOWS) for fitted in (rnn, other)]
    assert_identical(*map(results_of, resumed))


def test_a_model_that_a_callback_retains_is_not_trained_by_later_fits():
    class Retaining(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            self.retained = self.model

    callback = Retaining()
    rnn = make_rnn(callbacks=[callback]).fit(WINDOWS)
    assert callback.retained is rnn.model_
    before = callback.retained.get_weights()
    make_rnn(random_state=1).fit(WINDOWS)
    assert_identical(callback.retained.get_weights(), before)


# Optimizers


def test_an_optimizer_is_copied_with_other_settings():
    optimizer = keras.optimizers.Adam(0.1, name="own", beta_1=0.8)
    copied = copy_optimizer(
        optimizer, learning_rate=np.float32(0.5), clipnorm=1, gradient_accumulation_steps=2
    )
    config = optimizer.get_config() | {"clipnorm": 1, "gradient_accumulation_steps": 2}
    assert copied.get_config() | {"name": "own"} == config | {"learning_rate": 0.5}
    assert copied.name != "own"
    assert float(optimizer.learning_rate) == pytest.approx(0.1)


def test_settings_of_an_optimizer_that_are_none_are_its_own():
    network = Network(build_rnn((4, 1), 1, "rnn", 2), 0, {}, "float32")
    sgd = keras.optimizers.SGD(0.3, clipvalue=0.1, weight_decay=0.2)
    network.compile(optimizer=sgd, loss="mse", learning_rate=None, clipvalue=None, weight_decay=0.4)
    optimizer = network.model.optimizer
    assert optimizer is not sgd
    assert float(optimizer.learning_rate) == pytest.approx(0.3)
    assert (optimizer.clipvalue, optimizer.weight_decay) == (0.1, 0.4)


def test_clipnorm_and_clipvalue_exclude_each_other():
    with pytest.raises(ValueError, match=r"clipnorm=1.0 and clipvalue=0.5 cannot be combined"):
        make_rnn(clipnorm=1.0, clipvalue=0.5).fit(WINDOWS)


def test_a_learning_rate_of_numpy_is_that_of_each_fit():
    """Also where a fit before, which shares the trainer, had another learning rate."""
    make_rnn(learning_rate=0.3).fit(WINDOWS)
    expected = make_rnn(learning_rate=float(np.float32(0.02))).fit(WINDOWS)
    make_rnn(learning_rate=0.3).fit(WINDOWS)
    rnn = make_rnn(learning_rate=np.float32(0.02)).fit(WINDOWS)
    assert_identical(results_of(rnn), results_of(expected))


# New networks


COEFFICIENTS = np.arange(5.0)[:, None]


@pytest.mark.parametrize(
    "baseline",
    [None, ([0], [2.0], [1.0], None), ([0], [2.0], [1.0], COEFFICIENTS)],
    ids=["plain", "residual", "linear"],
)
@pytest.mark.parametrize("options", [{"dropout": 0.2}, {"bidirectional": True}], ids=label)
def test_networks_of_reused_models_are_those_of_new_ones(options, baseline):
    options = {"input_shape": (4, 1), "n_outputs": 1, "cell": "rnn", "units": 2} | options

    def values(seed):
        arguments = None, build_rnn, baseline, seed, {}, "float32"
        return build_network(*arguments, **options).values()

    clear_compiled()
    expected = values(1)
    clear_compiled()
    values(0)
    assert_identical(values(1), expected)


def test_builders_are_passed_the_options_that_they_name():
    passed = {}

    def build(input_shape, n_outputs, units, seed=None):
        passed.update(units=units, seed=seed)
        return build_sequential(input_shape, n_outputs)

    make_rnn(network=build, units=7, random_state=0, epochs=1).fit(WINDOWS)
    assert passed["units"] == 7
    assert isinstance(passed["seed"], int)


# Prediction with Keras, and interrupts


def test_many_rows_are_predicted_in_batches_by_keras_too(monkeypatch):
    rnn = make_rnn(activation="elu").fit(WINDOWS)
    expected = rnn.predict(WINDOWS)
    monkeypatch.setattr(network_module, "_PREDICT_ROWS", 20)
    np.testing.assert_allclose(rnn.predict(WINDOWS), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("owner", "name"), [(network_module, "Network"), (Trainer, "data_class")], ids=["build", "data"]
)
def test_an_interrupt_before_training_leaves_the_earlier_fit(owner, name, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    rnn = make_rnn().fit(WINDOWS)
    before = rnn.predict(WINDOWS)
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, interrupt)
        with pytest.raises(KeyboardInterrupt):
            rnn.fit(np.zeros((50, 7, 1)), np.zeros(50))
    np.testing.assert_array_equal(rnn.predict(WINDOWS), before)
