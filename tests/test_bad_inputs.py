"""Bad inputs of every public estimator: they work, or raise one clear error and change nothing.

Each estimator is fitted once. Training is replaced by a function that accepts its data, so that
the cases take milliseconds.
"""

import copy
import inspect
import re
import traceback
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.linear_model import Ridge

from skrnn import (
    CharLSTMClassifier,
    CompleteWindowsRegressor,
    NaiveRegressor,
    ReservoirTransformer,
    RNNClassifier,
    RNNRegressor,
    WindowTransformer,
    skill_score,
    sliding_windows,
)
from skrnn._engine import fit as engine_fit
from skrnn.forecasting import RNNForecaster

N_SAMPLES = 12
RNG = np.random.default_rng(0)
SERIES = RNG.normal(size=(N_SAMPLES + 3, 2)).cumsum(axis=0)
WINDOWS = sliding_windows(SERIES, 3)[3:]
Y = SERIES[3:, 0]
LABELS = np.array(["down", "up"])[(Y > 0).astype(int)]
TEXTS = [f"a{i % 3}b{'x' * (i % 2)}" for i in range(N_SAMPLES)]
SMALL = {"units": 2, "epochs": 1, "random_state": 0}

DAYS = pd.date_range("2020-01-01", periods=N_SAMPLES)


def frame(values, **kwargs):
    return pd.DataFrame({"a": np.arange(float(N_SAMPLES)), "b": values}, **kwargs)


BAD_DATA = {
    "none": None,
    "zero": 0,
    "float": 1.5,
    "bool": True,
    "string": "text",
    "bytes": b"bytes",
    "object": object(),
    "function": len,
    "class": dict,
    "dict": {"a": [1.0, 2.0]},
    "empty dict": {},
    "set": {1, 2},
    "empty list": [],
    "list of an empty list": [[]],
    "list of none": [None] * N_SAMPLES,
    "list of strings": ["a"] * N_SAMPLES,
    "list of bytes": [b"a"] * N_SAMPLES,
    "list of bools": [True] * N_SAMPLES,
    "list of dicts": [{}] * N_SAMPLES,
    "list of numbers": [1.0] * N_SAMPLES,
    "ragged list": [[1.0] * (1 + i % 2) for i in range(N_SAMPLES)],
    "ragged 3-D list": [[[1.0] * (1 + i % 2)] * 3 for i in range(N_SAMPLES)],
    "list of mixed types": [1.0, "a"] * (N_SAMPLES // 2),
    "generator": (i for i in range(N_SAMPLES)),
    "iterator": iter([1.0] * N_SAMPLES),
    "range": range(N_SAMPLES),
    "0-D": np.array(1.0),
    "1-D": np.ones(N_SAMPLES),
    "4-D": np.ones((N_SAMPLES, 3, 2, 2)),
    "no rows": np.ones((0, 3)),
    "no rows 3-D": np.ones((0, 3, 2)),
    "no columns": np.ones((N_SAMPLES, 0)),
    "no steps": np.ones((N_SAMPLES, 0, 2)),
    "no features": np.ones((N_SAMPLES, 3, 0)),
    "too few rows": np.ones((N_SAMPLES - 1, 3, 2)),
    "too many rows": np.ones((N_SAMPLES + 1, 3, 2)),
    "nan": np.full((N_SAMPLES, 3, 2), np.nan),
    "nan 1-D": np.full(N_SAMPLES, np.nan),
    "inf": np.full((N_SAMPLES, 3, 2), np.inf),
    "inf 1-D": np.full(N_SAMPLES, -np.inf),
    "inf 2-D": np.full((N_SAMPLES, 2), np.inf),
    "too large for float32": np.full((N_SAMPLES, 3, 2), 1e300),
    "complex": np.full((N_SAMPLES, 3, 2), 1j),
    "complex 1-D": np.full(N_SAMPLES, 1j),
    "datetimes": DAYS.to_numpy(),
    "durations": (DAYS - DAYS[0]).to_numpy(),
    "strings": np.full((N_SAMPLES, 3), "a"),
    "objects": np.full((N_SAMPLES, 3), object()),
    "object arrays of strings": np.full((N_SAMPLES, 3), "a", dtype=object),
    "void": np.zeros(N_SAMPLES, [("a", float), ("b", int)]),
    "sparse": scipy.sparse.csr_array(np.eye(N_SAMPLES)),
    "empty frame": pd.DataFrame(),
    "frame without columns": pd.DataFrame(index=range(N_SAMPLES)),
    "frame of datetimes": frame(DAYS),
    "frame of durations": frame(DAYS - DAYS[0]),
    "frame of periods": frame(DAYS.to_period("D")),
    "frame of strings": frame(["x"] * N_SAMPLES),
    "frame of categories": frame(pd.Categorical(["x"] * N_SAMPLES)),
    "frame of dicts": frame([{}] * N_SAMPLES),
    "frame of nan": frame([np.nan] * N_SAMPLES),
    "panel": frame(1.0, index=pd.MultiIndex.from_product([range(N_SAMPLES // 2), range(2)])),
    "reversed index": frame(1.0, index=range(N_SAMPLES, 0, -1)),
    "duplicate index": frame(1.0, index=[0] * N_SAMPLES),
    "duplicate columns": pd.DataFrame(np.ones((N_SAMPLES, 2)), columns=["a", "a"]),
    "columns of numbers and strings": pd.DataFrame(np.ones((N_SAMPLES, 2)), columns=["a", 1]),
    "series of datetimes": pd.Series(DAYS),
    "masked": np.ma.masked_array(np.ones(N_SAMPLES), [True] * N_SAMPLES),
    "negative": -np.ones(N_SAMPLES),
    "zeros": np.zeros(N_SAMPLES),
}
BAD_PARAMETERS = {
    "none": None,
    "negative": -1,
    "zero": 0,
    "fraction": 1.5,
    "negative fraction": -0.5,
    "nan": np.nan,
    "inf": np.inf,
    "true": True,
    "string": "unknown",
    "empty string": "",
    "bytes": b"bytes",
    "empty list": [],
    "list of zero": [0],
    "list of strings": ["a"],
    "empty dict": {},
    "dict": {"a": 1},
    "array": np.array([1.5, 2.5]),
    "object": object(),
    "function": lambda: None,
    "class": dict,
    "date": DAYS[0],
}


def ridge():
    return CompleteWindowsRegressor(Ridge())


# An estimator, valid arguments of its methods, and the methods.
ESTIMATORS = {
    "WindowTransformer": (
        WindowTransformer(3),
        {"X": SERIES},
        ["fit", "fit_transform", "transform"],
    ),
    "ReservoirTransformer": (
        ReservoirTransformer(3, random_state=0),
        {"X": SERIES},
        ["fit", "fit_transform", "transform"],
    ),
    "NaiveRegressor": (
        NaiveRegressor(columns=0),
        {"X": WINDOWS, "y": Y},
        ["fit", "predict", "score"],
    ),
    "CompleteWindowsRegressor": (
        ridge(),
        {"X": WINDOWS.reshape(N_SAMPLES, -1), "y": Y},
        ["fit", "predict", "score"],
    ),
    "RNNRegressor": (
        RNNRegressor("rnn", **SMALL),
        {"X": WINDOWS, "y": Y},
        ["fit", "partial_fit", "predict", "score"],
    ),
    "RNNClassifier": (
        RNNClassifier("rnn", **SMALL),
        {"X": WINDOWS, "y": LABELS},
        ["fit", "partial_fit", "predict", "predict_proba", "predict_log_proba", "score"],
    ),
    "CharLSTMClassifier": (
        CharLSTMClassifier(cell="rnn", **SMALL),
        {"X": TEXTS, "y": LABELS},
        ["fit", "partial_fit", "predict", "predict_proba", "predict_log_proba", "score"],
    ),
    "language model": (
        CharLSTMClassifier(cell="rnn", **SMALL),
        {"X": "abcab" * 9},
        ["fit", "predict", "score", "cross_entropy", "generate", "stream"],
    ),
}


def arguments(method):
    return [name for name in inspect.signature(method).parameters if name not in ("self", "kwargs")]


def case(*values, slow):
    return pytest.param(*values, marks=[pytest.mark.slow] if slow else [])


# Methods that check their arguments as another method does.
SLOW_METHODS = ("fit_transform", "partial_fit", "predict_log_proba", "stream")


def data_cases():
    for name, (estimator, _, methods) in ESTIMATORS.items():
        for method in methods:
            for argument in arguments(getattr(estimator, method)):
                is_data = argument in ("X", "y", "sample_weight", "classes", "start", "text")
                for bad in BAD_DATA if is_data else BAD_PARAMETERS:
                    slow = method in SLOW_METHODS
                    yield case(name, method, argument, bad, slow=slow)


def parameter_cases():
    shared = set(RNNRegressor().get_params())
    for name, (estimator, *_) in ESTIMATORS.items():
        for parameter in estimator.get_params(deep=False):
            for bad in BAD_PARAMETERS:
                slow = name != "RNNRegressor" and parameter in shared
                if name != "language model":
                    yield case(name, parameter, bad, slow=slow)


@pytest.fixture(scope="module")
def fitted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            name: copy.deepcopy(estimator).fit(**valid)
            for name, (estimator, valid, _) in ESTIMATORS.items()
        }


@pytest.fixture
def no_training(monkeypatch):
    class Record:
        losses = validation_losses = validation_scores = (1.0,)

    def fit_network(network, *args, **kwargs):
        network.epochs_done += 1
        record = Record()
        for name in ("losses", "validation_losses", "validation_scores"):
            setattr(record, name, [1.0])
        return record

    monkeypatch.setattr(engine_fit, "fit_network", fit_network)


def fresh(values, name):
    """Return a bad value, and a function that checks that it has not changed."""
    value = values[name]
    if inspect.isgenerator(value) or hasattr(value, "__next__"):
        value = iter([1.0] * N_SAMPLES)
        return value, lambda: None
    before = copy.deepcopy(value) if not inspect.isfunction(value) else value

    def check_unchanged():
        if isinstance(value, (pd.DataFrame, pd.Series)):
            assert type(value)(value).equals(before)
        elif isinstance(value, np.ndarray) and value.dtype != object:
            np.testing.assert_array_equal(value, before)
        elif isinstance(value, (list, dict, set)):
            assert repr(value) == repr(before)

    return value, check_unchanged


# How messages of scikit-learn name a value: by its shape, its type or its content.
NAMES = (
    "array=",
    r"\(shape=",
    r"\b[Gg]ot ",
    "got scalar",
    "Complex data",
    "Sample weights",
    "bytes/strings",
    "Sparse data",
    "could not convert string to float",
    "inconsistent numbers of samples",
    "y_true",
    r"float\(\) argument must be",
    "Found array with dim",
    "Cannot cast array data from dtype",
    "Expected sequence or array-like",
    "columns=",
    "Input contains (NaN|infinity)",
    "needs at least 1 text",
    "requires (y|tokens)",
    "texts consist of one token",
)


def check_call(estimator, call, names):
    """Check that a call works, or raises an error that names a value and changes nothing."""
    before = vars(estimator).copy()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call()
    except (ValueError, TypeError) as error:
        message = str(error)
        assert re.search("|".join([*NAMES, *names]), message), message
        files = [entry.filename for entry in traceback.extract_tb(error.__traceback__)]
        assert not any(part in files[-1] for part in ("/keras/", "/tensorflow/")), files[-3:]
        after = vars(estimator)
        assert after.keys() == before.keys()
        assert all(after[name] is before[name] for name in before)


@pytest.mark.parametrize(("name", "method", "argument", "bad"), data_cases())
def test_bad_arguments(name, method, argument, bad, fitted, no_training):
    _, valid, _ = ESTIMATORS[name]
    is_data = argument in ("X", "y", "sample_weight", "classes", "start", "text")
    value, check_unchanged = fresh(BAD_DATA if is_data else BAD_PARAMETERS, bad)
    for estimator in (copy.copy(fitted[name]), copy.deepcopy(ESTIMATORS[name][0])):
        if not method.startswith(("fit", "partial")) and not hasattr(estimator, "n_features_in_"):
            continue
        bound = getattr(estimator, method)
        kwargs = {key: valid[key] for key in arguments(bound) if key in valid}
        kwargs[argument] = value

        def call(bound=bound, kwargs=kwargs):
            result = bound(**kwargs)
            return list(result) if method == "stream" else result

        check_call(estimator, call, [rf"\b{argument}\b"])
        check_unchanged()


@pytest.mark.parametrize(("name", "parameter", "bad"), parameter_cases())
def test_bad_parameters(name, parameter, bad, no_training):
    estimator, valid, _ = ESTIMATORS[name]
    value, check_unchanged = fresh(BAD_PARAMETERS, bad)
    estimator = copy.deepcopy(estimator).set_params(**{parameter: value})
    check_call(estimator, lambda: estimator.fit(**valid), [rf"\b{parameter}\b"])
    check_unchanged()


def test_number_of_cases():
    assert len([*data_cases(), *parameter_cases()]) >= 1000


# Functions, and the forecaster of sktime

FUNCTIONS = {
    "sliding_windows": (sliding_windows, {"X": SERIES, "window_length": 3, "context": SERIES[:3]}),
    "skill_score": (skill_score, {"y_true": Y, "y_pred": Y + 1, "y_naive": Y + 2}),
}


def function_cases():
    for name, (_, valid) in FUNCTIONS.items():
        for argument in [*valid, "sample_weight"] if name == "skill_score" else valid:
            for bad in BAD_PARAMETERS if argument == "window_length" else BAD_DATA:
                yield name, argument, bad


@pytest.mark.parametrize(("name", "argument", "bad"), function_cases())
def test_bad_arguments_of_functions(name, argument, bad):
    function, valid = FUNCTIONS[name]
    values = BAD_PARAMETERS if argument == "window_length" else BAD_DATA
    value, check_unchanged = fresh(values, bad)
    kwargs = valid | {argument: value}
    check_call(SimpleNamespace(), lambda: function(**kwargs), [rf"\b{argument}\b"])
    check_unchanged()


MONTHS = pd.period_range("2020-01", periods=N_SAMPLES + 6, freq="M")
MONTHLY = pd.Series(np.arange(N_SAMPLES + 6.0) ** 2, index=MONTHS)
EXOG = pd.DataFrame({"x": np.arange(N_SAMPLES + 6.0)}, index=MONTHS)
FORECASTER = {
    "fit": {"y": MONTHLY[:16], "X": EXOG[:16], "fh": [1]},
    "predict": {"fh": [1], "X": EXOG[16:]},
    "update": {"y": MONTHLY[16:17], "X": EXOG[16:17]},
}


FAST = [("fit", "y"), ("predict", "X"), ("update", "y")]


@pytest.fixture(scope="module")
def forecaster():
    parameters = {"window_length": 3, "cell": "rnn", "units": 2, "epochs": 1, "random_state": 0}
    return RNNForecaster(**parameters).fit(**FORECASTER["fit"])


@pytest.mark.parametrize("bad", BAD_DATA)
@pytest.mark.parametrize(
    ("method", "argument"),
    [
        case(method, argument, slow=(method, argument) not in FAST)
        for method, valid in FORECASTER.items()
        for argument in valid
    ],
)
def test_bad_arguments_of_the_forecaster(method, argument, bad, forecaster, no_training):
    value, check_unchanged = fresh(BAD_DATA, bad)
    expected = forecaster.predict(**FORECASTER["predict"])
    called = copy.deepcopy(forecaster)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            getattr(called, method)(**(FORECASTER[method] | {argument: value}))
    except (ValueError, TypeError, AssertionError) as error:
        files = [entry.filename for entry in traceback.extract_tb(error.__traceback__)]
        assert not any(part in files[-1] for part in ("/keras/", "/tensorflow/")), files[-3:]
        if called.is_fitted:
            y_pred = called.predict(**FORECASTER["predict"])
            pd.testing.assert_series_equal(y_pred, expected)
    check_unchanged()
