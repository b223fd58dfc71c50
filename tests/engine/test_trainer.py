"""Training in graphs: what it supports, that it is that of Keras, and its time and memory."""

import os
import subprocess
import sys
import tracemalloc
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import label
from engine_helpers import (
    SERIES,
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

from skrnn import clear_compiled, sliding_windows
from skrnn._engine import trainer as trainer_module
from skrnn._engine.batches import TrainingData
from skrnn._engine.trainer import Trainer
from skrnn.networks import build_rnn

# Keras makes arrays of its variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


class OwnStep(keras.Model):
    def train_step(self, data):
        return super().train_step(data)


@keras.saving.register_keras_serializable("test_trainer")
class OwnCell(layers.LSTMCell):
    pass


def learning_rates():
    return keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5**epoch)


# What is fused


@pytest.fixture
def trained_by(monkeypatch):
    """A function that returns whether a fit is fused or left to Keras, without training."""

    class Stopped(Exception):
        pass

    def stop_at(name):
        def stop(*arguments, **options):
            raise Stopped(name)

        return stop

    monkeypatch.setattr(Trainer, "run_epoch", stop_at("fused"))
    monkeypatch.setattr(keras.Model, "fit", stop_at("keras"))

    def trained_by(rnn, **options):
        with pytest.raises(Stopped) as stopped:
            rnn.fit(WINDOWS, **options)
        return str(stopped.value)

    return trained_by


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"cell": "gru", "units": (4, 3), "dropout": 0.2},
        {"bidirectional": True, "activation": "relu"},
        {"residual": True},
        {"early_stopping": True, "clipnorm": 0.5},
        {"loss": keras.losses.Huber(), "optimizer": keras.optimizers.SGD(momentum=0.9)},
        {"optimizer": keras.optimizers.Adam(use_ema=True)},
        {"optimizer": keras.optimizers.Adam(gradient_accumulation_steps=3)},
        {"callbacks": [learning_rates(), keras.callbacks.ReduceLROnPlateau("loss")]},
        {"callbacks": [keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None)]},
        {"network": builder(gru())},
        {"network": build_sequential},
        {"network": builder(layers.Masking, gru())},
        {"network": builder(gru(recurrent_dropout=0.1))},
        {"network": builder(lambda: layers.RNN(OwnCell(3)))},
        {"verbose": 2},
    ],
    ids=label,
)
def test_training_is_fused(settings, trained_by):
    assert trained_by(make_rnn(**settings)) == "fused"


def own_loss(y, y_pred):
    return tf.reduce_mean(tf.square(y - y_pred))


def twice(x):
    return 2 * x


@pytest.mark.parametrize(
    "settings",
    [
        {"callbacks": [BatchCallback()]},
        {"callbacks": [keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: 0)]},
        {"callbacks": [keras.callbacks.TerminateOnNaN()]},
        {"network": builder(gru(), optimizer="sgd", loss="mae")},
        {"network": builder(gru(), model=OwnStep)},
        {"network": builder(gru(), layers.BatchNormalization)},
        {"network": builder(gru(dropout=0.1))},
        {"network": builder(gru(reset_after=False))},
        {"network": builder(gru(activity_regularizer="l2"))},
        {"network": builder(gru(dtype="float64"))},
        {"network": builder(lambda: layers.RNN(OwnCell(3, dropout=0.1)))},
        {"network": builder(gru(), lambda: layers.Lambda(lambda x: 2 * x))},
        {"network": builder(gru(), lambda: layers.Softmax(axis=0))},
        {"network": builder(gru(), lambda: layers.Dense(4, twice))},
        {"activation": "elu"},
        {"loss": keras.losses.MeanSquaredError(reduction="sum")},
        {"loss": own_loss},
        {"optimizer": keras.optimizers.SGD(loss_scale_factor=8.0)},
        {
            "optimizer": keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01)),
            "learning_rate": None,
        },
    ],
    ids=label,
)
def test_training_is_left_to_keras(settings, trained_by):
    assert trained_by(make_rnn(**settings)) == "keras"


def test_training_is_left_to_keras_on_a_gpu(monkeypatch, trained_by):
    with monkeypatch.context() as patch:
        patch.setattr(tf.config, "list_logical_devices", lambda kind: ["a GPU"])
        assert trained_by(make_rnn()) == "keras"
    assert trained_by(make_rnn()) == "fused"


@pytest.mark.slow
def test_networks_that_are_not_supported_train():
    steps = []

    class Counting(keras.Model):
        def train_step(self, data):
            steps.append(data)
            return super().train_step(data)

    network = builder(
        layers.Masking,
        gru(dropout=0.1, return_sequences=True),
        layers.BatchNormalization,
        gru(),
        model=Counting,
    )
    rnn = make_rnn(network=network, epochs=3).fit(WINDOWS)
    assert steps
    assert rnn.loss_curve_[-1] < rnn.loss_curve_[0]
    assert np.isfinite(rnn.predict(WINDOWS)).all()


# Fused training is that of Keras


def penalized(input_shape, n_outputs):
    first = gru(return_sequences=True, kernel_constraint=keras.constraints.MaxNorm(0.1))
    second = gru(kernel_regularizer="l2", recurrent_regularizer="l1")
    model = builder(first, gru(return_sequences=True), second)(input_shape, n_outputs)
    model.layers[2].trainable = False
    return model


class Ridge(keras.regularizers.Regularizer):
    def __call__(self, x):
        return 0.1 * tf.reduce_sum(x**2)

    def get_config(self):
        return {}


DECAY = keras.optimizers.schedules.ExponentialDecay(0.05, 4, 0.5)
FAST_SETTINGS = {
    "a batch larger than the data": {"cell": "gru", "units": (3, 2), "batch_size": 500},
    "residual, stopped early": {"residual": True, "early_stopping": True, "epochs": 3},
    "clipnorm and a schedule": {
        "optimizer": keras.optimizers.SGD(DECAY, momentum=0.9, nesterov=True),
        "learning_rate": None,
        "clipnorm": 0.01,
        "loss": keras.losses.Huber(0.1),
    },
}
SLOW_SETTINGS = {
    "batches of one row": {"cell": "gru", "batch_size": 1, "epochs": 1},
    "bidirectional": {"bidirectional": True},
    "shards without dropout": {"cell": "gru", "units": 160, "batch_size": 16, "epochs": 1},
    "adamw and huber": {"optimizer": "adamw", "loss": "huber"},
    "rmsprop, mae and a callback that sets the learning rate": {
        "callbacks": [learning_rates()],
        "epochs": 3,
        "optimizer": "rmsprop",
        "loss": "mae",
    },
    "averaged weights": {"optimizer": keras.optimizers.Adam(use_ema=True, ema_momentum=0.8)},
    "accumulated gradients": {"optimizer": keras.optimizers.Adam(gradient_accumulation_steps=3)},
    "penalties, a constraint and a frozen layer": {"network": penalized},
    "masking": {"network": builder(layers.Masking, gru())},
    "a custom regularizer": {"network": builder(gru(kernel_regularizer=Ridge()))},
}


def assert_trains_like_keras(rnn, X=WINDOWS, y=None, sample_weight=None, rtol=1e-4):
    fits = []
    run_epoch = Trainer.run_epoch

    def spy(self, *arguments):
        fits.append("fused")
        return run_epoch(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "run_epoch", spy)
        fused = clone(rnn).fit(X, y, sample_weight)
        n_epochs = len(fits)
        assert n_epochs == fused.n_iter_
        callbacks = [*(rnn.callbacks or []), BatchCallback()]
        by_keras = clone(rnn).set_params(callbacks=callbacks).fit(X, y, sample_weight)
        assert len(fits) == n_epochs
    np.testing.assert_allclose(fused.loss_curve_, by_keras.loss_curve_, rtol)
    if rnn.early_stopping:
        curves = (fitted.validation_loss_curve_ for fitted in (fused, by_keras))
        np.testing.assert_allclose(*curves, rtol)
    np.testing.assert_allclose(fused.predict(X), by_keras.predict(X), rtol, atol=rtol)
    for value, expected in zip(weights_of(fused), weights_of(by_keras), strict=True):
        np.testing.assert_allclose(value, expected, rtol, atol=rtol)


@pytest.mark.parametrize("settings", FAST_SETTINGS.values(), ids=FAST_SETTINGS)
def test_fused_training_is_that_of_keras(settings):
    assert_trains_like_keras(make_rnn(**settings))


@pytest.mark.slow
@pytest.mark.parametrize("settings", SLOW_SETTINGS.values(), ids=SLOW_SETTINGS)
def test_fused_training_with_more_settings_is_that_of_keras(settings):
    assert_trains_like_keras(make_rnn(**settings))


def test_fused_training_in_shards_is_that_of_keras(monkeypatch):
    monkeypatch.setattr(trainer_module, "_MULTIPLICATIONS_PER_SHARD", 1)
    assert trainer_module.n_shards(16, 1) == 2
    clear_compiled()
    assert_trains_like_keras(make_rnn("gru", dropout=0.2))
    clear_compiled()


def test_large_batches_are_split_into_shards():
    settings = SLOW_SETTINGS["shards without dropout"]
    model = build_rnn((4, 1), 1, settings["cell"], settings["units"])
    assert trainer_module.n_shards(16, 4 * model.count_params()) == 2
    assert trainer_module.n_shards(17, 4 * model.count_params()) == 1
    assert trainer_module.n_shards(500, 2**22) == 10


@pytest.mark.parametrize("early_stopping", [False, True])
def test_fused_training_with_sample_weights_is_that_of_keras(early_stopping):
    weights = np.random.default_rng(0).uniform(0, 3, size=48)
    weights[20:30] = 0
    rnn = make_rnn(early_stopping=early_stopping)
    assert_trains_like_keras(rnn, sample_weight=weights)


@pytest.mark.slow
def test_fused_training_on_arrays_of_several_features_is_that_of_keras():
    X = np.random.default_rng(0).normal(size=(23, 4, 2))
    assert_trains_like_keras(make_rnn("gru"), X, X[:, ::2, 0])


def test_fused_training_on_the_windows_of_several_columns_is_that_of_keras():
    """With horizon=0, the target of a window is in the series, but not a view of it."""
    series = np.hstack([SERIES, np.cos(SERIES)])
    rnn = make_rnn(units=3, loss="mae", batch_size=23)
    assert_trains_like_keras(rnn, sliding_windows(series, 4, 0), series[::-1])


@pytest.fixture
def default_dtypes():
    """A function that sets Keras' default dtypes, of inputs and of layers, for one test."""
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()

    def set_dtypes(inputs, layers):
        keras.config.set_floatx(inputs)
        keras.config.set_dtype_policy(layers)

    yield set_dtypes
    set_dtypes(floatx, policy)


@pytest.mark.slow
def test_fused_training_in_float64_is_that_of_keras(default_dtypes):
    default_dtypes("float64", "float64")
    rnn = make_rnn("gru", dropout=0.2)
    assert_trains_like_keras(rnn, sample_weight=np.arange(48.0), rtol=1e-6)
    assert rnn.fit(WINDOWS).predict(WINDOWS).dtype == np.float64


def test_inputs_of_another_dtype_than_the_layers(default_dtypes):
    default_dtypes("float64", "float32")
    rnn = make_rnn("gru").fit(WINDOWS, sample_weight=np.arange(48.0))
    assert np.isfinite(rnn.loss_curve_).all()
    assert rnn.model_.outputs[0].dtype == "float32"
    assert rnn.predict(WINDOWS).dtype == np.float64


def test_training_without_xla(monkeypatch):
    """XLA may refuse a graph, or may not be available."""
    expected = make_rnn("gru").fit(WINDOWS)
    make_epoch, attempts = Trainer._make_epoch, []

    def refuse(*arguments):
        raise tf.errors.UnimplementedError(None, None, "XLA is not available")

    def make(self, *arguments):
        attempts.append(self._xla_works)
        return refuse if self._xla_works else make_epoch(self, *arguments)

    clear_compiled()
    monkeypatch.setattr(Trainer, "_make_epoch", make)
    rnn = make_rnn("gru").fit(WINDOWS)
    clear_compiled()
    assert attempts == [True, False]
    np.testing.assert_allclose(rnn.loss_curve_, expected.loss_curve_, rtol=1e-5)


# The number of threads


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        ({"cell": "peephole", "units": 125}, (64, 20, 3)),
        ({"cell": "lstm", "units": 125}, (64, 60, 1)),
        ({"cell": "lstm", "units": (45, 45), "dropout": 0.2}, (70, 30, 1)),
        ({"cell": "lstm", "units": 64, "bidirectional": True, "batch_size": 64}, (70, 20, 30)),
        ({"cell": "lstm", "units": 200}, (64, 10, 1)),
    ],
    ids=label,
)
def test_predictions_do_not_depend_on_the_number_of_threads(settings, shape):
    code = (
        "import numpy as np; from skrnn import RNNRegressor;"
        f"X = np.random.default_rng(0).normal(size={shape}).astype('float32'); y = X[:, -5, 0];"
        f"rnn = RNNRegressor(**{settings}, epochs=2, random_state=0).fit(X, y);"
        "print(rnn.predict(X).tobytes().hex())"
    )
    outputs = []
    for n_threads in "14":
        threads = {f"TF_NUM_{kind}OP_THREADS": n_threads for kind in ("INTRA", "INTER")}
        command, environment = [sys.executable, "-c", code], os.environ | threads
        run = subprocess.run(command, check=True, capture_output=True, env=environment, timeout=300)
        outputs.append(run.stdout)
    assert outputs[0] == outputs[1]


# The duration of graph calls


class Clock:
    """A clock that advances by a number of seconds whenever it is read."""

    def __init__(self, seconds):
        self.now, self.seconds = 0.0, seconds

    def perf_counter(self):
        self.now += self.seconds
        return self.now


ROWS = sliding_windows(np.random.default_rng(0).normal(size=(120, 1)), 6)


@pytest.fixture
def small_trainer():
    model = builder(gru())((6, 1), 1)
    model.compile("adam", "mse")
    return Trainer(model)


def batches_per_call(trainer):
    """Return how many batches each graph call of an epoch of 114 batches trained on."""
    data = TrainingData(ROWS.astype("float32"), ROWS.target.astype("float32"), None)
    data.set_epoch_order(np.arange(6, 120, dtype=np.int32), None)
    done = [0]
    trainer.run_epoch(data, 1, lambda batches, loss: done.append(batches))
    return np.diff(done).tolist()


def test_short_graph_calls_become_longer_and_long_ones_shorter(small_trainer, monkeypatch):
    monkeypatch.setattr(trainer_module, "time", clock := Clock(0.001))
    first = batches_per_call(small_trainer)
    assert first == sorted(first[:-1]) + first[-1:]
    assert first[0] < first[1]
    assert sum(first) == 114
    assert batches_per_call(small_trainer) == [114]
    clock.seconds = 10.0
    batches_per_call(small_trainer)
    slow = batches_per_call(small_trainer)
    assert max(slow) <= 114 / 10
    assert sum(slow) == 114
    assert batches_per_call(small_trainer) == [1] * 114


def test_graph_calls_converge_to_less_than_a_second(small_trainer, monkeypatch):
    seconds_per_batch, clock, durations = 0.02, SimpleNamespace(now=0.0), []
    clock.perf_counter = lambda: clock.now
    make_epoch = Trainer._make_epoch

    def make_timed_epoch(self, *arguments):
        epoch = make_epoch(self, *arguments)

        def run(tensors, first, n_batches, carry):
            durations.append(n_batches * seconds_per_batch)
            clock.now += durations[-1]
            return epoch(tensors, first, n_batches, carry)

        return run

    monkeypatch.setattr(trainer_module, "time", clock)
    monkeypatch.setattr(Trainer, "_make_epoch", make_timed_epoch)
    for _ in range(3):
        assert sum(batches_per_call(small_trainer)) == 114
    assert 0.1 < max(durations) < 1


@pytest.mark.parametrize("dropout", [0, pytest.param(0.2, marks=pytest.mark.slow)])
def test_results_do_not_depend_on_the_duration_of_graph_calls(dropout, monkeypatch):
    results = []
    for seconds in (1e-3, 10.0):
        monkeypatch.setattr(trainer_module, "time", Clock(seconds))
        rnn = make_rnn(batch_size=2, dropout=dropout, epochs=3)
        results.append(results_of(rnn.fit(WINDOWS)))
    assert_identical(*results)


# Threads and memory

MANY_NETWORKS = """
import hashlib, numpy as np
from skrnn import RNNRegressor, sliding_windows

series = np.sin(np.arange(200) / 4)[:, None] + np.random.default_rng(0).normal(size=(200, 1)) / 9
for cell, units, length, settings in [
    ("lstm", 125, 20, {}),
    ("lstm", (45, 45), 10, {"dropout": 0.2}),
    ("gru", 300, 5, {"batch_size": 64}),
    ("rnn", 30, 5, {"bidirectional": True, "batch_size": 50}),
]:
    rnn = RNNRegressor(cell, units, epochs=2, random_state=0, **settings)
    windows = sliding_windows(series[: length + 100], length)
    rnn.fit(windows)
    arrays = [rnn.predict(windows), np.array(rnn.loss_curve_), *rnn.model_.get_weights()]
    print("digest", hashlib.md5(b"".join(array.tobytes() for array in arrays)).hexdigest())
"""


@pytest.mark.slow
def test_results_do_not_depend_on_the_number_of_threads():
    digests = []
    for n_threads in ("1", "5"):
        threads = {f"TF_NUM_{kind}_THREADS": n_threads for kind in ("INTRAOP", "INTEROP")}
        process = subprocess.run(
            [sys.executable, "-c", MANY_NETWORKS],
            check=True,
            timeout=240,
            env=os.environ | threads,
            capture_output=True,
            text=True,
        )
        digests.append([line for line in process.stdout.splitlines() if "digest" in line])
    assert len(digests[0]) == 4
    assert digests[1] == digests[0]


def peaks_of(function):
    """Return the peaks of the memory that NumPy, and that the process, allocated in a call."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # resets the peak
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


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="needs Linux")
def test_the_windows_of_a_series_are_not_copied():
    n_rows, window_length = 100_000, 200  # 80 MB of windows
    settings = {"early_stopping": True, "validation_fraction": 0.2}
    rnn = make_rnn("rnn", 1, epochs=1, batch_size=2048, **settings)
    series = np.random.default_rng(0).normal(size=(n_rows, 1)).astype("float32")
    rnn.fit(sliding_windows(series[:3000], window_length)).predict(series[:2, :1].repeat(200, 1))
    windows = sliding_windows(series, window_length)
    for function in (rnn.fit, rnn.predict):
        numpy_peak, process_peak = peaks_of(lambda function=function: function(windows))
        assert numpy_peak < 20 * series.nbytes
        assert process_peak < n_rows * window_length * 4 / 3


def test_several_batches_per_xla_call_of_windows_of_medium_size():
    """Their number was once a NumPy integer, which TensorFlow converts to int64."""
    X = np.random.default_rng(0).normal(size=(64, 60, 20))
    assert np.isfinite(make_rnn(epochs=1, batch_size=32).fit(X, X[:, 0, 0]).loss_curve_[0])
