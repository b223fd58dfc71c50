"""scikit-learn's own checks over every public estimator: fast parameters, expected failures."""

import contextlib
import inspect
import pickle

import keras
import numpy as np
import pytest
from conftest import label
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from skrnn import (
    CharLSTMClassifier,
    CompleteWindowsRegressor,
    NaiveRegressor,
    ReservoirTransformer,
    RNNClassifier,
    RNNRegressor,
    WindowTransformer,
)
from skrnn.scikeras import SciKerasRNNClassifier, SciKerasRNNRegressor

FAST = [
    WindowTransformer(window_length=3),
    WindowTransformer(window_length=3, flatten=True),
    RNNRegressor("rnn", units=16, epochs=30, learning_rate=0.02, batch_size=16),
    RNNClassifier("rnn", units=8, epochs=30, learning_rate=0.05, batch_size=16),
    NaiveRegressor(),
    CompleteWindowsRegressor(Ridge()),
    ReservoirTransformer(units=8),
]
# All rows in one batch: cheap, and then a weight of 0 does the same as leaving the row out.
SCIKERAS = {"model__cell": "rnn", "model__units": 8, "batch_size": -1}
FAST_SCIKERAS = [
    SciKerasRNNRegressor(**SCIKERAS, epochs=30, optimizer=keras.optimizers.Adam(0.05)),
    SciKerasRNNClassifier(**SCIKERAS, epochs=20, optimizer=keras.optimizers.Adam(0.1)),
]

MINI_BATCHES = (
    "trained on mini-batches, whose make-up depends on the number of rows: removing a row is not "
    "giving it no weight (scikit-learn declares the same of its SGD estimators)"
)
SCIKERAS_FAILURES = {
    "check_estimator_tags_renamed": "scikeras' own base class defines _more_tags",
    "check_mixin_order": "scikeras' own classes put the mixin behind BaseEstimator",
}
EXPECTED_FAILURES = {
    "WindowTransformer": {
        "check_methods_subset_invariance": "a row's window is made of the rows before it",
        "check_methods_sample_order_invariance": "a row's window is made of the rows before it",
    },
    "ReservoirTransformer": {
        "check_methods_subset_invariance": "a row's state is made of the rows before it",
        "check_methods_sample_order_invariance": "a row's state is made of the rows before it",
    },
    "RNNRegressor": {"check_sample_weight_equivalence_on_dense_data": MINI_BATCHES},
    "RNNClassifier": {"check_sample_weight_equivalence_on_dense_data": MINI_BATCHES},
    "SciKerasRNNRegressor": SCIKERAS_FAILURES,
    "SciKerasRNNClassifier": SCIKERAS_FAILURES,
}


def expected_failures(estimator):
    return EXPECTED_FAILURES.get(type(estimator).__name__, {})


@contextlib.contextmanager
def float64_networks():
    """Have Keras make networks, and so predictions, in float64."""
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        yield
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])


@parametrize_with_checks(FAST, expected_failed_checks=expected_failures)
def test_scikit_learn_check(estimator, check):
    # This check wants float64 predictions; a network's are of its own dtype, which Keras sets.
    wants_float64 = check.func.__name__ == "check_regressor_multioutput"
    with float64_networks() if wants_float64 else contextlib.nullcontext():
        check(estimator)


# What is done to X and to weights is one function for both of scikeras' wrappers, which in each
# check have Keras trace their networks anew: these run on the regressor alone.
OF_X_AND_WEIGHTS = {
    "check_complex_data",
    "check_dtype_object",
    "check_estimators_dtypes",
    "check_f_contiguous_array_estimator",
    "check_fit2d_1feature",
    "check_fit2d_1sample",
    "check_fit2d_predict1d",
    "check_n_features_in",
    "check_n_features_in_after_fitting",
    "check_positive_only_tag_during_fit",
    "check_readonly_memmap_input",
    "check_sample_weights_list",
    "check_sample_weights_not_an_array",
    "check_sample_weights_not_overwritten",
    "check_sample_weights_pandas_series",
}


def named_checks(estimator):
    """Yield what `parametrize_with_checks` does, by names without an optimizer's address."""
    name = type(estimator).__name__
    for _, check in estimator_checks_generator(estimator):
        if is_classifier(estimator) and check.func.__name__ in OF_X_AND_WEIGHTS:
            continue
        failure = expected_failures(estimator).get(check.func.__name__)
        marks = [] if failure is None else [pytest.mark.xfail(reason=failure)]
        yield pytest.param(estimator, check, id=f"{name}-{check.func.__name__}", marks=marks)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("estimator", "check"), [case for one in FAST_SCIKERAS for case in named_checks(one)]
)
def test_scikit_learn_check_behind_the_scikeras_door(estimator, check):
    with float64_networks():
        check(estimator)


# Of an estimator of strings scikit-learn's checks run almost nothing: here is what they would run.


@pytest.mark.filterwarnings("ignore:Can't test estimator:sklearn.exceptions.SkipTestWarning")
def test_strings_checks_of_scikit_learn():
    checks = list(estimator_checks_generator(CharLSTMClassifier(cell="rnn", units=4, epochs=2)))
    for estimator, check in checks:
        check(estimator)
    assert checks


STRINGS = ["aba", "abba", "ab", "baa", "a", "xyx", "yx", "xx", "y", "yyxyx"]
KINDS = {
    "strings": (STRINGS, np.array(["left"] * 5 + ["right"] * 5)),
    "text": (["the cat sat", "on the mat", "and sat on the rat", "the end"], None),
    "array of strings": (np.array(STRINGS, object), np.array([3] * 5 + [1] * 5)),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def reader(**parameters):
    defaults = {"cell": "gru", "units": 4, "epochs": 3, "learning_rate": 0.02, "random_state": 0}
    return CharLSTMClassifier(**(defaults | parameters))


def fitted(kind, **parameters):
    X, y = KINDS[kind]
    return reader(**parameters).fit(X, y)


def public_state(estimator):
    return {name: value for name, value in vars(estimator).items() if not name.startswith("_")}


def test_strings_init_sets_its_parameters_and_nothing_else():
    parameters = inspect.signature(CharLSTMClassifier).parameters
    estimator = CharLSTMClassifier()
    assert vars(estimator) == {name: p.default for name, p in parameters.items()}
    marks = {name: object() for name in parameters}
    assert vars(CharLSTMClassifier(**marks)) == marks


def test_strings_parameters_are_got_set_and_cloned():
    estimator = reader()
    parameters = estimator.get_params()
    assert set(parameters) == set(inspect.signature(CharLSTMClassifier).parameters)
    assert clone(estimator).get_params() == parameters
    assert estimator.set_params(units=7, analyzer="word") is estimator
    assert (estimator.units, estimator.analyzer) == (7, "word")
    with pytest.raises(ValueError, match="Invalid parameter 'unit'"):
        estimator.set_params(unit=3)


def test_strings_tags_say_what_is_true():
    tags = get_tags(CharLSTMClassifier())
    assert is_classifier(CharLSTMClassifier())
    assert (tags.input_tags.string, tags.input_tags.two_d_array) == (True, False)
    assert not tags.target_tags.required
    assert tags.requires_fit


@each_kind
def test_strings_fit_returns_self_and_changes_no_parameter(kind):
    X, y = KINDS[kind]
    estimator = reader()
    before = estimator.get_params()
    assert estimator.fit(X, y) is estimator
    assert estimator.get_params() == before


@each_kind
def test_strings_fit_adds_attributes_that_end_in_an_underscore(kind):
    added = set(vars(fitted(kind))) - set(vars(reader()))
    assert added
    assert all(name.endswith("_") or name.startswith("_") for name in added)


@each_kind
def test_strings_fit_is_idempotent(kind):
    X, y = KINDS[kind]
    estimator = fitted(kind)
    before = estimator.predict_proba(X)
    np.testing.assert_array_equal(estimator.fit(X, y).predict_proba(X), before)
    np.testing.assert_array_equal(fitted(kind).predict_proba(X), before)
    assert estimator.n_iter_ == 3


@each_kind
def test_strings_fit_forgets_the_fit_before(kind):
    X, y = KINDS[kind]
    for other in KINDS:
        estimator = fitted(other).fit(X, y)
        np.testing.assert_array_equal(estimator.predict_proba(X), fitted(kind).predict_proba(X))


@each_kind
def test_strings_pickle_keeps_everything(kind):
    X, _ = KINDS[kind]
    estimator = fitted(kind)
    loaded = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(loaded.predict_proba(X), estimator.predict_proba(X))
    for name, value in public_state(estimator).items():
        np.testing.assert_equal(getattr(loaded, name), value)


@each_kind
def test_strings_probabilities_are_of_the_classes(kind):
    X, y = KINDS[kind]
    estimator = fitted(kind)
    expected = np.unique(list("".join(X))) if y is None else np.unique(y)
    np.testing.assert_array_equal(estimator.classes_, expected)
    probabilities = estimator.predict_proba(X)
    assert probabilities.shape == (len(X), len(expected))
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(estimator.predict(X), expected[probabilities.argmax(axis=1)])
    np.testing.assert_allclose(estimator.predict_log_proba(X), np.log(probabilities))


@each_kind
def test_strings_predictions_depend_on_no_other_string(kind):
    X, _ = KINDS[kind]
    estimator = fitted(kind)
    whole = estimator.predict_proba(X)
    batches = [estimator.predict_proba(X[i : i + 1]) for i in range(len(X))]
    np.testing.assert_allclose(np.concatenate(batches), whole, atol=1e-6)
    backwards = estimator.predict_proba(list(X)[::-1])
    np.testing.assert_allclose(backwards[::-1], whole, atol=1e-6)


@each_kind
def test_strings_prediction_changes_nothing(kind):
    X, _ = KINDS[kind]
    estimator = fitted(kind)
    before = {name: repr(value) for name, value in public_state(estimator).items()}
    given = list(X)
    for method in ("predict", "predict_proba", "predict_log_proba", "score"):
        getattr(estimator, method)(X, *([KINDS[kind][1]] if method == "score" else []))
    assert {name: repr(value) for name, value in public_state(estimator).items()} == before
    assert list(X) == given


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba", "score"])
def test_strings_need_a_fit(method):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(reader(), method)(["ab"])


@each_kind
def test_strings_and_no_strings_at_all(kind):
    estimator = fitted(kind)
    for X in ([], np.array([], dtype=str)):
        with pytest.raises(ValueError, match=r"0 sample\(s\)"):
            estimator.predict(X)
        with pytest.raises(ValueError, match=r"0 sample\(s\)"):
            reader().fit(X, [])


@pytest.mark.parametrize("weights", [None, np.ones(10), [1] * 10], ids=label)
def test_strings_of_equal_weights(weights):
    X, y = KINDS["strings"]
    weighted = reader().fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(
        weighted.predict_proba(X), fitted("strings").predict_proba(X), atol=1e-6
    )
