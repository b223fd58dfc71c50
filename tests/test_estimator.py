"""Behavior that RNNRegressor, RNNClassifier and CharLSTMClassifier share."""

import copy
import inspect
import pickle
import random
import signal
import subprocess
import sys
from typing import NamedTuple

import joblib
import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skrnn import CharLSTMClassifier, RNNClassifier, RNNRegressor, sliding_windows

# Keras converts its variables to arrays in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ESTIMATORS = [RNNRegressor, RNNClassifier, CharLSTMClassifier]
each_estimator = pytest.mark.parametrize("estimator_class", ESTIMATORS)


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


class Case(NamedTuple):
    """An estimator class and a data set to fit it on."""

    estimator_class: type
    X: object
    y: object
    parameters: dict = {}

    def make(self, **parameters):
        """Return an estimator with a small network."""
        defaults = {"cell": "rnn", "units": 4, "epochs": 2, "batch_size": 16}
        defaults |= {"learning_rate": 0.01, "random_state": 0}
        return self.estimator_class(**defaults | self.parameters | parameters)

    def fit(self, **parameters):
        return self.make(**parameters).fit(self.X, self.y)

    def predict(self, estimator):
        """Return the outputs of the network."""
        if self.estimator_class is RNNRegressor:
            return estimator.predict(self.X)
        return estimator.predict_proba(self.X)


def make_sequences():
    """Return sequences of 3 to 9 time steps of two features, and two classes."""
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(length, 2)) for length in rng.integers(3, 10, size=40)]
    return X, np.where([sequence[-1, 0] > 0 for sequence in X], "up", "down")


WAVE = np.sin(np.arange(120) / 4).reshape(-1, 1)
WINDOWS = sliding_windows(WAVE, 6)
STRINGS = ["aba", "abba", "ab", "baa", "a", "xyx", "yx", "xx", "y", "yyxyx"]
TEXT = "the cat sat on the mat. the rat sat on the cat. "
# Without a base forecast and a holdout, which are tested in test_base_forecast.py.
PLAIN = {"residual": False, "early_stopping": False}
# One recurrent and one dropout layer. The default network is tested in text/test_classifier.py.
PLAIN_STRINGS = {"bidirectional": False, "embedding_dropout": 0.0}
CASES = {
    "regressor": Case(RNNRegressor, WINDOWS, None, PLAIN),
    "classifier": Case(RNNClassifier, *make_sequences()),
    "strings": Case(CharLSTMClassifier, STRINGS, ["left"] * 5 + ["right"] * 5, PLAIN_STRINGS),
    "language": Case(CharLSTMClassifier, [TEXT, TEXT[:30]], None),
}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture(scope="module")
def fitted():
    """Return a fitted estimator of each case, by the name of the case."""
    return {name: case.fit() for name, case in CASES.items()}


def public_attributes(estimator):
    return {name: value for name, value in vars(estimator).items() if not name.startswith("_")}


def assert_same_fit(case, estimator, other):
    np.testing.assert_array_equal(case.predict(estimator), case.predict(other))
    assert estimator.loss_curve_ == other.loss_curve_


def callback_after_epoch(function):
    return keras.callbacks.LambdaCallback(on_epoch_end=function)


# Parameters


@each_estimator
def test_init_assigns_its_parameters_and_nothing_else(estimator_class):
    parameters = inspect.signature(estimator_class).parameters
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    assert vars(estimator_class()) == defaults
    values = {name: object() for name in parameters}
    assert vars(estimator_class(**values)) == values


@each_estimator
def test_get_params_set_params_and_clone(estimator_class):
    estimator = estimator_class(units=5)
    parameters = estimator.get_params()
    assert set(parameters) == set(inspect.signature(estimator_class).parameters)
    assert clone(estimator).get_params() == parameters
    assert estimator.set_params(units=7, cell="gru") is estimator
    assert (estimator.units, estimator.cell) == (7, "gru")
    with pytest.raises(ValueError, match="Invalid parameter 'unit'"):
        estimator.set_params(unit=3)


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"cell": "lstn"}, "cell='lstn' is not known. Did you mean 'lstm'"),
        ({"units": -3}, "The 'units' parameter of RNNRegressor must be an int in the range"),
        ({"units": (4, 0)}, r"units=\(4, 0\) must be a positive int"),
        ({"units": ()}, r"units=\(\) must be a positive int"),
        ({"epochs": 0}, "The 'epochs' parameter of RNNRegressor must be an int in the range"),
        ({"dropout": 1.0}, "The 'dropout' parameter of RNNRegressor"),
        ({"recurrent_dropout": 1.0}, "The 'recurrent_dropout' parameter of RNNRegressor"),
        ({"l1": -1.0}, "The 'l1' parameter of RNNRegressor"),
        ({"learning_rate": 0.0}, "The 'learning_rate' parameter of RNNRegressor"),
        ({"optimizer": "adan"}, "optimizer='adan' is not known. Did you mean 'adam'"),
        ({"activation": "tahn"}, "activation='tahn' is not known. Did you mean 'tanh'"),
        ({"recurrent_initializer": "ortogonal"}, "is not known. Did you mean 'orthogonal'"),
        ({"callbacks": [print]}, r"callbacks must contain Keras callbacks, got .*set_callbacks"),
        (
            {"clipnorm": 1.0, "clipvalue": 0.5},
            "clipnorm=1.0 and clipvalue=0.5 cannot be combined",
        ),
    ],
)
def test_invalid_parameters_raise_and_leave_the_estimator_unfitted(parameters, match):
    estimator = CASES["regressor"].make(**parameters)
    before = vars(estimator).copy()
    with pytest.raises(ValueError, match=match):
        estimator.fit(WINDOWS)
    assert vars(estimator) == before


@pytest.mark.parametrize("parameters", [{"units": 0}, {"epochs": 0}, {"cell": "lstn"}])
def test_every_estimator_validates_its_parameters(parameters, case):
    estimator = case.make(**parameters)
    before, (name,) = vars(estimator).copy(), parameters
    match = f"The {name!r} parameter of {case.estimator_class.__name__}|{name}='lstn' is not known"
    with pytest.raises(ValueError, match=match):
        estimator.fit(case.X, case.y)
    assert vars(estimator) == before


def recurrent_layers(model):
    return [layer for layer in model.layers if isinstance(layer, keras.layers.RNN)]


REGULARIZATION = {"l1": 0.01, "l2": 0.1, "recurrent_l2": 0.2, "dropout": 0.3}
REGULARIZATION |= {"recurrent_dropout": 0.4, "recurrent_initializer": "identity", "clipvalue": 1e-3}


def test_regularization_reaches_the_network(case):
    estimator = case.fit(**REGULARIZATION, epochs=1, learning_rate=1e-30)
    (layer,) = recurrent_layers(estimator.model_)
    assert layer.cell.kernel_regularizer.get_config() == pytest.approx({"l1": 0.01, "l2": 0.1})
    assert layer.cell.recurrent_regularizer.get_config() == pytest.approx({"l2": 0.2})
    assert layer.cell.recurrent_dropout == 0.4
    np.testing.assert_allclose(layer.cell.recurrent_kernel.numpy(), np.eye(4), atol=1e-6)
    dropout = [
        layer for layer in estimator.model_.layers if isinstance(layer, keras.layers.Dropout)
    ]
    assert [layer.rate for layer in dropout] == [0.3]
    assert estimator.model_.optimizer.clipvalue == 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "parameter", "weights"),
    [
        ("regressor", "l1", "kernel"),
        ("classifier", "l2", "kernel"),
        ("strings", "recurrent_l2", "recurrent_kernel"),
    ],
)
def test_penalties_shrink_the_weights(name, parameter, weights):
    def norm(**parameters):
        model = CASES[name].fit(epochs=40, learning_rate=0.03, **parameters).model_
        (layer,) = recurrent_layers(model)
        return np.square(getattr(layer.cell, weights).numpy()).sum()

    assert norm(**{parameter: 0.3}) < norm() / 2


# Reproducibility


def test_same_seed_gives_the_same_bits(case, fitted):
    first, second = case.fit(), case.fit()
    assert_same_fit(case, first, second)
    other = case.fit(random_state=1)
    assert not np.array_equal(case.predict(first), case.predict(other))


@pytest.mark.parametrize(
    "options",
    [
        REGULARIZATION,
        slow({"cell": "lstm", "units": (4, 3), "dropout": 0.5}),
        slow({"cell": "gru", "bidirectional": True}),
    ],
    ids=["regularized", "lstm", "gru"],
)
def test_same_seed_gives_the_same_bits_with_other_networks(options):
    case = CASES["regressor"]
    first, second, other = (case.fit(**options, random_state=seed) for seed in (0, 0, 1))
    assert_same_fit(case, first, second)
    assert not np.array_equal(first.predict(WINDOWS), other.predict(WINDOWS))


def test_random_state_instances_and_none(case):
    first, second = (case.fit(random_state=np.random.RandomState(3)) for _ in range(2))
    assert_same_fit(case, first, second)
    first, second = (case.fit(random_state=None) for _ in range(2))
    assert not np.array_equal(case.predict(first), case.predict(second))
    fits = []
    for _ in range(2):
        np.random.seed(3)  # noqa: NPY002
        fits.append(case.fit(random_state=None))
    assert_same_fit(case, *fits)


def global_random_states():
    """Return numbers drawn from the global random states of Python, NumPy and TensorFlow."""
    import tensorflow as tf

    tf.random.set_seed(7)
    drawn = random.random(), np.random.rand(), float(tf.random.uniform([]))  # noqa: NPY002
    return *drawn, random.getstate()


def seed_global_random_states():
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002


@pytest.mark.parametrize("random_state", [0, None])
def test_fit_and_predict_leave_the_global_random_states_unchanged(random_state, case):
    seed_global_random_states()
    if random_state is None:  # the seed is drawn from NumPy's global random state
        np.random.randint(2**31 - 1)  # noqa: NPY002
    expected = global_random_states()
    seed_global_random_states()
    case.predict(case.fit(**REGULARIZATION, random_state=random_state))
    assert global_random_states() == expected


# Fitted attributes


def test_fit_returns_self_and_changes_no_parameter(case):
    estimator = case.make()
    before = estimator.get_params()
    assert estimator.fit(case.X, case.y) is estimator
    assert estimator.get_params() == before
    added = set(vars(estimator)) - set(before)
    assert {"loss_curve_", "n_iter_", "n_outputs_"} < added
    assert all(name.endswith("_") or name.startswith("_") for name in added)
    assert estimator.n_iter_ == len(estimator.loss_curve_) == 2
    assert not hasattr(estimator, "validation_scores_")


@pytest.mark.parametrize("name", CASES)
def test_model_is_a_plain_keras_model(name, fitted):
    model = fitted[name].model_
    assert isinstance(model, keras.Model)
    assert {type(layer).__module__.split(".")[0] for layer in model.layers} == {"keras"}


def test_a_second_fit_gives_the_same_result(case):
    estimator = case.fit()
    before = case.predict(estimator)
    np.testing.assert_array_equal(case.predict(estimator.fit(case.X, case.y)), before)
    assert estimator.n_iter_ == 2


@pytest.mark.parametrize("other", ["strings", "language"])
@pytest.mark.parametrize("name", ["strings", "language"])
def test_fit_on_another_kind_of_input_forgets_the_previous_one(name, other, fitted):
    case = CASES[name]
    estimator = CASES[other].fit(early_stopping=True)
    estimator.set_params(early_stopping=False, **case.parameters)
    assert_same_fit(case, estimator.fit(case.X, case.y), fitted[name])
    assert set(vars(estimator)) == set(vars(fitted[name]))


@pytest.mark.parametrize("name", CASES)
def test_prediction_changes_no_attribute(name, fitted):
    case, estimator = CASES[name], fitted[name]
    before = {key: repr(value) for key, value in public_attributes(estimator).items()}
    X = copy.deepcopy(case.X)
    case.predict(estimator)
    estimator.score(case.X, case.y)
    assert {key: repr(value) for key, value in public_attributes(estimator).items()} == before
    np.testing.assert_equal(case.X, X)


def test_equal_sample_weights_have_no_effect(case):
    n_samples = len(case.X)
    for sample_weight in (np.ones(n_samples), [7] * n_samples):
        weighted = case.make().fit(case.X, case.y, sample_weight=sample_weight)
        np.testing.assert_allclose(case.predict(weighted), case.predict(case.fit()), atol=1e-6)


@pytest.mark.parametrize(
    ("weights", "match"),
    [(0.0, "cannot all be zero|at least one non-zero"), (np.nan, "NaN"), (-1.0, "Negative")],
)
def test_invalid_sample_weights_raise(weights, match, case):
    with pytest.raises(ValueError, match=match):
        case.make().fit(case.X, case.y, sample_weight=np.full(len(case.X), weights))


def test_sample_weights_of_another_length_raise(case):
    with pytest.raises(ValueError, match=r"sample_weight.shape"):
        case.make().fit(case.X, case.y, sample_weight=np.ones(3))


# Resumed training


def test_warm_start_and_partial_fit_resume_training(case):
    whole = case.fit(epochs=4)
    warm = case.fit(warm_start=True).fit(case.X, case.y)
    assert_same_fit(case, warm, whole)
    assert warm.n_iter_ == 4
    partial = case.make()
    for _ in range(4):
        assert partial.partial_fit(case.X, case.y) is partial
    assert_same_fit(case, partial, whole)


@pytest.mark.parametrize("options", [{}, REGULARIZATION], ids=["plain", "regularized"])
def test_training_resumes_after_a_pickle_with_the_same_bits(options, case):
    estimator = case.fit(**options)
    copied = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(estimator))))
    estimator.partial_fit(case.X, case.y)
    assert_same_fit(case, copied.partial_fit(case.X, case.y), estimator)


@pytest.mark.parametrize("pickled", [False, True])
def test_resumed_training_requires_the_fitted_parameters(pickled, case):
    estimator = case.fit(warm_start=True)
    estimator = pickle.loads(pickle.dumps(estimator)) if pickled else estimator
    before = case.predict(estimator)
    for name, value in {"units": 8, "optimizer": "sgd", "clipnorm": 0.5, "l1": 0.1}.items():
        fitted_value = estimator.get_params()[name]
        match = f"fitted with {name}={fitted_value!r}, and training cannot be resumed with {name}="
        with pytest.raises(ValueError, match=match):
            estimator.set_params(**{name: value}).fit(case.X, case.y)
        estimator.set_params(**{name: fitted_value})
    estimator.set_params(learning_rate=1e-12).fit(case.X, case.y)
    np.testing.assert_allclose(case.predict(estimator), before, atol=1e-6)


# Early stopping


def test_partial_fit_raises_with_early_stopping(case):
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        case.make(early_stopping=True).partial_fit(case.X, case.y)


def test_early_stopping_stops_and_restores_the_best_weights(case):
    settings = {"early_stopping": True, "validation_fraction": 0.4, "learning_rate": 0.3}
    estimator = case.fit(**settings, epochs=200, n_iter_no_change=3)
    best = int(np.argmin(estimator.validation_loss_curve_))
    assert estimator.n_iter_ == best + 4 < 200
    assert len(estimator.validation_scores_) == len(estimator.loss_curve_) == estimator.n_iter_
    until_best = case.fit(**settings, epochs=best + 1)
    np.testing.assert_array_equal(case.predict(estimator), case.predict(until_best))


def test_curves_stay_aligned_when_early_stopping_is_switched(case):
    estimator = case.fit(warm_start=True, early_stopping=True)
    estimator.set_params(early_stopping=False).fit(case.X, case.y)
    estimator.set_params(early_stopping=True).fit(case.X, case.y)
    has_no_holdout = [False] * 2 + [True] * 2 + [False] * 2
    assert np.isnan(estimator.validation_loss_curve_).tolist() == has_no_holdout
    assert np.isnan(estimator.validation_scores_).tolist() == has_no_holdout
    assert len(estimator.loss_curve_) == 6


# Callbacks, verbosity and Ctrl-C


def test_epoch_hooks_of_keras_callbacks_are_called(case):
    losses = []
    callback = callback_after_epoch(lambda epoch, logs: losses.append(logs["loss"]))
    estimator = case.fit(callbacks=[callback])
    assert losses == estimator.loss_curve_
    assert callback.model is None
    clone(estimator)


def test_batch_hooks_of_keras_callbacks_are_called():
    case, batches, epochs = CASES["regressor"], [], []
    per_batch = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: batches.append(batch)
    )
    per_epoch = callback_after_epoch(lambda epoch, logs: epochs.append(logs))
    estimator = case.fit(callbacks=[per_batch, per_epoch])
    assert batches == [0, 1, 2, 3, 4, 5, 6, 7] * 2
    assert [set(logs) for logs in epochs] == [{"loss"}] * 2
    np.testing.assert_allclose(case.predict(estimator), case.predict(case.fit()), atol=1e-6)


def test_keras_callbacks_may_stop_training_by_the_validation_loss(case):
    stop = keras.callbacks.EarlyStopping("val_loss", patience=0, min_delta=1e6)
    estimator = case.fit(callbacks=[stop], early_stopping=True, epochs=9)
    assert estimator.n_iter_ == 2
    pickle.loads(pickle.dumps(estimator))


def test_set_model_of_callbacks_is_called():
    class LayerCounter(keras.callbacks.Callback):
        def set_model(self, model):
            super().set_model(model)
            self.n_layers = len(model.layers)

    callback = LayerCounter()
    CASES["regressor"].fit(callbacks=[callback])
    assert callback.n_layers == 3
    assert callback.model is None


class Recorder:
    """Follows the FitCallback protocol of scikit-learn."""

    def __init__(self):
        self.begun, self.ended, self.losses, self.n_teardowns = [], [], [], 0

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        self.n_teardowns += 1

    def on_fit_task_begin(self, estimator, context):
        self.begun.append((context.task_name, context.task_id, context.max_subtasks))

    def on_fit_task_end(self, estimator, context, *, X=None, fitted_estimator=None):
        self.ended.append((context.task_name, context.task_id))
        self.losses.append(fitted_estimator.loss_curve_[-1])
        assert len(fitted_estimator.predict(X)) == len(X)


def test_scikit_learn_callbacks_follow_the_epochs(case):
    pytest.importorskip("sklearn.callback", reason="scikit-learn has no callback API")
    recorder = Recorder()
    estimator = case.make(epochs=3).set_callbacks(recorder).fit(case.X, case.y)
    assert recorder.begun == [("fit", 0, 3), ("epoch", 0, 0), ("epoch", 1, 0), ("epoch", 2, 0)]
    assert recorder.ended == [("epoch", 0), ("epoch", 1), ("epoch", 2), ("fit", 0)]
    assert recorder.losses[:3] == estimator.loss_curve_
    with pytest.raises(ValueError, match=r"0 sample|Expected 2D array"):
        estimator.fit([], [])
    assert recorder.n_teardowns == 2


def test_progress_bar_of_scikit_learn_shows_the_epochs(capsys):
    callback = pytest.importorskip("sklearn.callback", reason="no callback API")
    pytest.importorskip("rich")
    ended = []

    class Counter(callback.ProgressBar):
        def on_fit_task_end(self, estimator, context):
            ended.append(context.task_name)
            super().on_fit_task_end(estimator, context)

    CASES["regressor"].make().set_callbacks(Counter()).fit(WINDOWS)
    output = capsys.readouterr().out
    assert "RNNRegressor - fit" in output
    assert "100%" in output
    assert ended == ["epoch", "epoch", "fit"]


def test_verbose_prints_the_epochs(case, capsys):
    quiet = case.fit()
    assert capsys.readouterr().out == ""
    loud = case.fit(verbose=2)
    assert "Epoch 2/2" in capsys.readouterr().out
    np.testing.assert_allclose(case.predict(loud), case.predict(quiet), rtol=1e-5)


@pytest.fixture
def sigint_handler():
    """Handle SIGINT as in a terminal: a process in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_leaves_the_estimator_fitted_with_the_weights_so_far(case, sigint_handler):
    def interrupt(epoch, logs):
        if epoch == 2:
            signal.raise_signal(signal.SIGINT)

    estimator = case.make(epochs=50, callbacks=[callback_after_epoch(interrupt)])
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(case.X, case.y)
    assert estimator.n_iter_ == len(estimator.loss_curve_) == 3
    assert_same_fit(case, estimator, case.fit(epochs=3))
    estimator.set_params(callbacks=None, warm_start=True, epochs=1).fit(case.X, case.y)
    assert_same_fit(case, estimator, case.fit(epochs=4))


def interrupting_builder(input_shape, n_outputs):
    raise KeyboardInterrupt


class InterruptingCallback(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    "parameters",
    [{"network": interrupting_builder}, {"callbacks": [InterruptingCallback()]}],
    ids=["building", "preparing"],
)
def test_ctrl_c_before_the_first_epoch_leaves_the_previous_fit(parameters):
    case = CASES["regressor"]
    estimator = case.fit()
    before = estimator.predict(WINDOWS)
    attributes = vars(estimator).copy()
    with pytest.raises(KeyboardInterrupt):
        estimator.set_params(**parameters).fit(sliding_windows(np.zeros((50, 1)), 7))
    assert vars(estimator) == attributes | parameters
    np.testing.assert_array_equal(estimator.predict(WINDOWS), before)


# Errors


def test_errors_leave_the_previous_fit(case):
    estimator = case.fit()
    before, attributes = case.predict(estimator), vars(estimator).copy()
    with pytest.raises(ValueError, match=r"0 sample|Expected 2D array"):
        estimator.fit([], [])

    def fail(epoch, logs):
        raise RuntimeError("in an epoch")

    for warm_start in (False, True):
        parameters = {"callbacks": [callback_after_epoch(fail)], "warm_start": warm_start}
        with pytest.raises(RuntimeError, match="in an epoch"):
            estimator.set_params(**parameters).fit(case.X, case.y)
        assert vars(estimator).keys() == attributes.keys()
        np.testing.assert_array_equal(case.predict(estimator), before)
        assert estimator.n_iter_ == 2
    estimator.set_params(callbacks=None).fit(case.X, case.y)
    assert_same_fit(case, estimator, case.fit(epochs=4))


@pytest.mark.parametrize("method", ["predict", "score", "predict_proba", "predict_log_proba"])
def test_prediction_raises_before_fit(method, case):
    if case.estimator_class is RNNRegressor and method.startswith("predict_"):
        assert not hasattr(case.estimator_class, method)
        return
    arguments = [case.X, case.y] if method == "score" else [case.X]
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(case.make(), method)(*arguments)


@each_estimator
def test_model_raises_before_fit(estimator_class):
    with pytest.raises(NotFittedError, match=r"is not fitted yet, so it has no model_\. Call fit"):
        _ = estimator_class().model_


# Persistence


def through_joblib(estimator, folder):
    joblib.dump(estimator, folder / "estimator.joblib")
    return joblib.load(folder / "estimator.joblib")


COPIES = {
    "pickle": lambda estimator, folder: pickle.loads(pickle.dumps(estimator)),
    "joblib": through_joblib,
    "deepcopy": lambda estimator, folder: copy.deepcopy(estimator),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("copy_through", COPIES.values(), ids=COPIES)
def test_copies_predict_the_same_bits(copy_through, name, fitted, tmp_path):
    case, estimator = CASES[name], fitted[name]
    copied = copy_through(estimator, tmp_path)
    for name, value in public_attributes(estimator).items():
        np.testing.assert_equal(getattr(copied, name), value)
    assert_same_fit(case, copied, estimator)
    again = copy_through(copied, tmp_path)
    np.testing.assert_array_equal(case.predict(again), case.predict(estimator))


def run_in_new_process(code, folder):
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr[-3000:]


@pytest.mark.slow
def test_a_new_process_predicts_the_same_bits_from_a_pickle(fitted, tmp_path):
    joblib.dump([(fitted[name], case.X) for name, case in CASES.items()], tmp_path / "fitted")
    code = (
        "import sys, joblib, numpy as np\n"
        "for i, (estimator, X) in enumerate(joblib.load('fitted')):\n"
        "    predict = getattr(estimator, 'predict_proba', estimator.predict)\n"
        "    np.save(f'{i}.npy', predict(X))\n"
        "assert 'scikeras' not in sys.modules\n"
    )
    run_in_new_process(code, tmp_path)
    for i, (name, case) in enumerate(CASES.items()):
        np.testing.assert_array_equal(np.load(tmp_path / f"{i}.npy"), case.predict(fitted[name]))


@pytest.mark.slow
def test_keras_files_open_without_skrnn(tmp_path):
    estimators = [CASES["regressor"].fit(residual=True)]
    estimators += [CASES[name].fit() for name in ("classifier", "strings", "language")]
    inputs = [np.asarray(WINDOWS[6:], "float32"), np.array([[[0.1, 0], [0.3, 0]]], "float32")]
    inputs += [np.array([[1, 2, 1]]), np.array([[1, 2, 1]])]
    for i, (estimator, X) in enumerate(zip(estimators, inputs, strict=True)):
        estimator.model_.save(tmp_path / f"{i}.keras")
        np.save(tmp_path / f"X{i}.npy", X)
    code = (
        "import sys, keras, numpy as np\n"
        "sys.modules['skrnn'] = None\n"
        "for i in range(4):\n"
        "    model = keras.saving.load_model(f'{i}.keras')\n"
        "    np.save(f'y{i}.npy', model(np.load(f'X{i}.npy')))\n"
    )
    run_in_new_process(code, tmp_path)
    for i, (estimator, X) in enumerate(zip(estimators, inputs, strict=True)):
        y = np.load(tmp_path / f"y{i}.npy")
        np.testing.assert_allclose(y, estimator.model_(X), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        np.load(tmp_path / "y0.npy"), estimators[0].predict(WINDOWS)[6:], rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(
        np.load(tmp_path / "y1.npy"), estimators[1].predict_proba([[[0.1, 0], [0.3, 0]]]), atol=1e-5
    )


def test_callbacks_of_scikit_learn_get_the_series_as_y():
    pytest.importorskip("sklearn.callback", reason="scikit-learn has no callback API")
    shapes = []

    class ShapeOfY(Recorder):
        def on_fit_task_end(self, estimator, context, *, X=None, y=None):
            shapes.append((len(X), y.shape))

    CASES["regressor"].make(epochs=2).set_callbacks(ShapeOfY()).fit(WINDOWS)
    assert shapes == [(len(WINDOWS), (len(WINDOWS), 1))] * 3
