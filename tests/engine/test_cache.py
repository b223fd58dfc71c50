"""The keys of compiled networks have every setting that changes what is compiled."""

import hashlib
import inspect
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from engine_helpers import WINDOWS, build_sequential, builder, gru, make_rnn, weights_of
from keras import layers

from skrnn import RNNRegressor, clear_compiled
from skrnn._engine import cache, network
from skrnn._engine.cache import LRUCache, architecture_key, training_key
from skrnn._engine.trainer import Trainer
from skrnn.networks import build_rnn, build_rnn_classifier

# Models

ARCHITECTURE = {
    "input_shape": (4, 2),
    "n_outputs": 2,
    "cell": "gru",
    "units": 3,
    "output": "sequence",
    "activation": "relu",
    "bidirectional": True,
    "dropout": 0.1,
    "recurrent_dropout": 0.1,
    "recurrent_initializer": "identity",
    "l1": 0.1,
    "l2": 0.1,
    "recurrent_l2": 0.1,
    "masking": True,
    "center_windows": True,
    "scale_windows": True,
    "segment_length": 2,
}


def test_the_architecture_key_depends_on_every_argument_of_the_builder():
    base = {"input_shape": (4, 1), "n_outputs": 1, "cell": "rnn", "units": 2}
    assert set(ARCHITECTURE) == set(inspect.signature(build_rnn).parameters) - {"seed", "meta"}
    varied = [base | {name: value} for name, value in ARCHITECTURE.items()]
    keys = [architecture_key(build_rnn(**arguments)) for arguments in [base, *varied]]
    assert None not in keys
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    "settings",
    [{"bidirectional": True, "dropout": 0.1}, {"cell": "peephole"}, {"recurrent_dropout": 0.1}],
    ids=["bidirectional", "peephole", "dropout"],
)
def test_the_architecture_key_ignores_names_and_seeds(settings):
    keys = {
        architecture_key(build_rnn_classifier((None, 1), 2, units=(3, 2), seed=seed, **settings))
        for seed in (0, 1)
    }
    assert len(keys) == 1
    assert keys != {None}


DTYPES = {"relu": "float32", "softplus": "float64"}


@pytest.mark.parametrize(
    "make_layers",
    [
        lambda name: [layers.Activation(name, name=name)],
        lambda name: [layers.Dense(1, dtype=DTYPES[name], name=DTYPES[name])],
        lambda name: [layers.Dense(1, dtype=DTYPES[name], name="float32")],
    ],
    ids=["activation", "dtype", "dtype of the same name"],
)
def test_names_of_layers_do_not_hide_settings(make_layers):
    keys = [
        architecture_key(keras.Sequential([keras.Input((4,)), *make_layers(name)]))
        for name in ("relu", "softplus")
    ]
    assert keys[0] != keys[1]


def test_the_architecture_key_has_the_connections():
    def key(reverse):
        x = keras.Input((4,), name="x")
        a, b = layers.Dense(2)(x), layers.Dense(2, activation="relu")(x)
        return architecture_key(keras.Model(x, layers.Subtract()([b, a] if reverse else [a, b])))

    assert key(False) == key(False)
    assert key(False) != key(True)


def relu(x):
    return -x


class Penalty(keras.regularizers.Regularizer):
    def __call__(self, x):
        return keras.ops.sum(x)

    def get_config(self):
        return {}


@pytest.mark.parametrize("settings", [{"activation": relu}, {"kernel_regularizer": Penalty()}])
def test_there_is_no_architecture_key_with_custom_code(settings):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, **settings)])
    assert architecture_key(model) is None


# Optimizers and losses


def is_class_of(value, base):
    return inspect.isclass(value) and issubclass(value, base) and value is not base


OPTIMIZERS = [
    value
    for name, value in vars(keras.optimizers).items()
    if is_class_of(value, keras.optimizers.Optimizer)
    and name not in ("LossScaleOptimizer", "MultiOptimizer", "Muon")
]
LOSSES = [v for v in vars(keras.losses).values() if is_class_of(v, keras.losses.Loss)]


def changed(value):
    """Return another value of a setting."""
    if isinstance(value, (bool, str)):
        return "float64" if isinstance(value, str) else not value
    return 2 if value is None else value / 2 + 0.1


@pytest.mark.parametrize("optimizer_class", OPTIMIZERS, ids=lambda value: value.__name__)
def test_the_training_key_depends_on_every_setting_of_an_optimizer(optimizer_class):
    config = optimizer_class().get_config()
    key = training_key(optimizer_class(), "mse")
    assert key is not None
    for name, value in config.items():
        if name == "name":
            other = training_key(optimizer_class(name="another"), "mse")
        else:
            optimizer = optimizer_class.from_config(config | {name: changed(value)})
            other = training_key(optimizer, "mse")
        assert (other == key) == (name in ("name", "learning_rate")), name


@pytest.mark.parametrize("loss_class", LOSSES, ids=lambda value: value.__name__)
def test_the_training_key_depends_on_every_setting_of_a_loss(loss_class):
    """The configurations of some of Keras' losses lack settings, such as the delta of Huber."""
    adam = keras.optimizers.Adam()
    key = training_key(adam, loss_class())
    assert key is not None
    for name, parameter in list(inspect.signature(loss_class).parameters.items()):
        value = {"reduction": "sum", "name": "another", "dtype": "float64"}.get(name)
        value = changed(parameter.default) if value is None else value
        other = training_key(adam, loss_class(**{name: value}))
        assert (other == key) == (name == "name"), name


def test_training_keys_of_different_classes_differ():
    adam = keras.optimizers.Adam()
    losses = [training_key(adam, loss_class()) for loss_class in LOSSES]
    optimizers = [training_key(optimizer_class(), "mse") for optimizer_class in OPTIMIZERS]
    keys = [*losses, *optimizers, training_key(adam, "mae")]
    assert len(set(keys)) == len(keys)
    assert training_key(adam, "mse") == training_key(adam, keras.losses.mean_squared_error)


def test_the_training_key_has_the_schedule_of_the_learning_rate():
    schedule = keras.optimizers.schedules.ExponentialDecay
    keys = {
        training_key(keras.optimizers.Adam(rate), "mse")
        for rate in (0.1, schedule(0.1, 2, 0.5), schedule(0.1, 2, 0.6), schedule(0.2, 2, 0.5))
    }
    assert len(keys) == 4
    assert None not in keys


class OwnOptimizer(keras.optimizers.SGD):
    pass


class OwnLoss(keras.losses.Huber):
    pass


class OwnSchedule(keras.optimizers.schedules.ExponentialDecay):
    pass


def own_loss(y, y_pred):
    return keras.ops.mean(keras.ops.abs(y - y_pred), axis=-1)


@pytest.mark.parametrize(
    ("optimizer", "loss"),
    [
        (OwnOptimizer(), "mse"),
        (keras.optimizers.SGD(OwnSchedule(0.1, 2, 0.5)), "mse"),
        (keras.optimizers.SGD(), OwnLoss()),
        (keras.optimizers.SGD(), own_loss),
        (keras.optimizers.SGD(), lambda y, y_pred: own_loss(y, y_pred)),
    ],
    ids=["optimizer", "schedule", "loss class", "loss", "lambda"],
)
def test_there_is_no_training_key_with_custom_code(optimizer, loss):
    assert training_key(optimizer, loss) is None


# Estimators

DECAY = keras.optimizers.schedules.ExponentialDecay(0.05, 2, 0.5)
# Another value of each parameter, and of more settings of optimizers and losses.
CHANGES_PROGRAM = {
    "cell": "gru",
    "units": 3,
    "activation": "relu",
    "bidirectional": True,
    "dropout": 0.3,
    "recurrent_dropout": 0.3,
    "recurrent_initializer": "zeros",
    "output": "sequence",
    "l1": 0.1,
    "l2": 0.1,
    "recurrent_l2": 0.1,
    "residual": True,
    "center_windows": True,
    "scale_windows": True,
    "segment_length": 2,
    "network": build_sequential,
    "optimizer": keras.optimizers.SGD(momentum=0.9),
    "loss": keras.losses.Huber(0.1),
    "clipnorm": 0.01,
    "clipvalue": 0.001,
    "chunk_length": 2,
}
MORE_CHANGES = [
    {"optimizer": keras.optimizers.SGD(momentum=0.5)},
    {"optimizer": keras.optimizers.SGD(DECAY), "learning_rate": None},
    {"loss": keras.losses.Huber(0.5)},
    {"loss": "mae"},
]
SAME_PROGRAM = {
    "learning_rate": 0.1,
    "epochs": 3,
    "batch_size": 8,
    "early_stopping": True,
    "validation_fraction": 0.3,
    "n_iter_no_change": 1,
    "warm_start": True,
    "random_state": 1,
    "n_features": 1,
    "callbacks": [keras.callbacks.TerminateOnNaN()][:0],
    "verbose": 2,
}


def test_every_parameter_is_varied():
    assert set(CHANGES_PROGRAM) | set(SAME_PROGRAM) == set(RNNRegressor().get_params())


def variations():
    return [{}, *({n: v} for n, v in (CHANGES_PROGRAM | SAME_PROGRAM).items()), *MORE_CHANGES]


def fit(variation):
    """Fit a network that one setting of which is varied."""
    defaults = {"epochs": 1, "residual": "scale_windows" in variation}
    rnn = make_rnn(**(defaults | variation))
    if variation.get("output") == "sequence":
        X = np.asarray(WINDOWS)[4:]
        return rnn.fit(X, X[:, :, 0])
    return rnn.fit(WINDOWS)


def test_parameters_that_change_the_program_change_its_key(monkeypatch):
    class Stopped(Exception):
        pass

    def stop(key, make):
        raise Stopped(key)

    def key_of(variation):
        with pytest.raises(Stopped) as stopped:
            fit(variation)
        return stopped.value.args[0]

    monkeypatch.setattr(network, "trainer_for", stop)
    key = key_of({})
    changed = [{name: value} for name, value in CHANGES_PROGRAM.items()]
    keys = [key, *map(key_of, [*changed, *MORE_CHANGES])]
    assert len(set(keys)) == len(keys)
    for name, value in SAME_PROGRAM.items():
        assert key_of({name: value}) == key, name


def print_digests():
    """Print the hashes of the results of fits that are compiled one by one."""
    for variation in variations():
        clear_compiled()
        print("digest", digest(variation))


def digest(variation):
    rnn = fit(variation)
    arrays = [np.array(rnn.loss_curve_), *weights_of(rnn)]
    return hashlib.md5(b"".join(array.tobytes() for array in arrays)).hexdigest()


@pytest.mark.slow
def test_fits_after_others_are_those_of_a_fresh_process():
    """Every parameter is varied, one at a time, after a first fit."""
    clear_compiled()
    digests = [digest(variation) for variation in variations()]
    script = f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r}); import test_cache"
    process = subprocess.run(
        [sys.executable, "-c", f"{script}; test_cache.print_digests()"],
        check=True,
        timeout=300,
        capture_output=True,
        text=True,
    )
    lines = [line.split()[1] for line in process.stdout.splitlines() if line.startswith("digest")]
    for variation, found, expected in zip(variations(), digests, lines, strict=True):
        assert found == expected, variation
    assert len(set(digests)) > len(CHANGES_PROGRAM)


def test_a_loss_with_another_delta_is_not_trained_with_that_of_an_earlier_fit():
    losses = []
    for delta in (0.5, 0.001):
        rnn = make_rnn(loss=keras.losses.Huber(delta), learning_rate=1e-30, epochs=1)
        losses.append(rnn.fit(WINDOWS).loss_curve_[0])
        error = np.abs(rnn.predict(WINDOWS) - WINDOWS.target)[4:]
        huber = np.where(error < delta, error**2 / 2, delta * (error - delta / 2))
        assert losses[-1] == pytest.approx(huber.mean(), rel=1e-4)
    assert losses[1] < losses[0] / 10


# The cache


@pytest.fixture
def n_trainers(monkeypatch):
    """A function that returns the number of trainers made since the test began."""
    made, init = [], Trainer.__init__

    def count(self, *arguments, **options):
        made.append(self)
        init(self, *arguments, **options)

    monkeypatch.setattr(Trainer, "__init__", count)
    clear_compiled()
    return lambda: len(made)


def test_fits_of_one_architecture_share_a_trainer(n_trainers):
    make_rnn().fit(WINDOWS)
    make_rnn(random_state=1, learning_rate=0.1, epochs=1).fit(WINDOWS)
    make_rnn(random_state=None).fit(WINDOWS).partial_fit(WINDOWS)
    assert n_trainers() == 1
    make_rnn(loss="mae", epochs=1).fit(WINDOWS)
    assert n_trainers() == 2
    clear_compiled()
    make_rnn(epochs=1).fit(WINDOWS)
    assert n_trainers() == 3


@pytest.mark.parametrize("build", [builder(gru()), build_sequential])
def test_custom_networks_of_keras_layers_share_a_trainer(build, n_trainers):
    for random_state in (0, 1):
        make_rnn(network=build, random_state=random_state).fit(WINDOWS)
    assert n_trainers() == 1


def test_the_least_recently_used_programs_are_discarded(monkeypatch):
    monkeypatch.setattr(cache, "CACHE_SIZE", 2)
    programs = LRUCache()
    for key in "abc":
        programs.put(key, key.upper())
    assert len(programs) == 2
    assert programs.get("a") is None
    assert programs.take("b") == "B"
    programs.put("b", "B")
    programs.put("d", "D")
    assert [programs.get(key) for key in "bcd"] == ["B", None, "D"]
    programs.clear()
    assert len(programs) == 0


def test_fitted_estimators_predict_after_the_cache_is_cleared():
    rnn = make_rnn().fit(WINDOWS)
    expected = rnn.predict(WINDOWS)
    clear_compiled()
    np.testing.assert_array_equal(rnn.predict(WINDOWS), expected)


@pytest.mark.parametrize(
    ("get", "change", "value"),
    [
        (keras.config.floatx, keras.config.set_floatx, "float64"),
        (keras.config.epsilon, keras.config.set_epsilon, 1e-3),
        (keras.config.dtype_policy, keras.config.set_dtype_policy, "mixed_float16"),
    ],
    ids=["floatx", "epsilon", "dtype policy"],
)
def test_programs_are_found_under_the_same_global_settings_only(get, change, value):
    clear_compiled()
    before, program = get(), cache.predictor_for("key", object)
    assert cache.predictor_for("key", object) is program
    try:
        change(value)
        assert cache.predictor_for("key", object) is not program
    finally:
        change(before)
    assert cache.predictor_for("key", object) is program
    clear_compiled()
