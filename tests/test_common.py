"""scikit-learn's own checks over every public estimator: fast parameters, expected failures."""

import contextlib

import keras
import pytest
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from skrnn import (
    CompleteWindowsRegressor,
    NaiveRegressor,
    ReservoirTransformer,
    RNNRegressor,
    WindowTransformer,
)
from skrnn.scikeras import SciKerasRNNClassifier, SciKerasRNNRegressor

FAST = [
    WindowTransformer(window_length=3),
    WindowTransformer(window_length=3, flatten=True),
    RNNRegressor("rnn", units=16, epochs=30, learning_rate=0.02, batch_size=16),
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


def named_checks(estimator):
    """Yield what `parametrize_with_checks` does, by names without an optimizer's address."""
    name = type(estimator).__name__
    for _, check in estimator_checks_generator(estimator):
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
