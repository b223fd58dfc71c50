"""Conformance of the estimators to scikit-learn, by its estimator checks."""

import contextlib

import keras
import pytest
from sklearn.base import clone, is_classifier
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import estimator_checks_generator

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

WITHOUT_TRAINING = [
    WindowTransformer(window_length=3),
    WindowTransformer(window_length=3, flatten=True),
    NaiveRegressor(),
    CompleteWindowsRegressor(Ridge()),
    ReservoirTransformer(units=8),
]
NETWORKS = [
    RNNRegressor("rnn", units=16, epochs=30, learning_rate=0.02, batch_size=16),
    RNNClassifier("rnn", units=8, epochs=30, learning_rate=0.05, batch_size=16),
]
# In one batch, a sample of weight zero has the same effect as no sample. Tracing a graph takes
# longer than a few epochs of eager training.
SCIKERAS_PARAMETERS = {"model__cell": "rnn", "model__units": 8, "batch_size": -1}
SCIKERAS_PARAMETERS |= {"run_eagerly": True, "epochs": 2}
SCIKERAS = [
    SciKerasRNNRegressor(**SCIKERAS_PARAMETERS, optimizer=keras.optimizers.Adam(0.05)),
    SciKerasRNNClassifier(**SCIKERAS_PARAMETERS, optimizer=keras.optimizers.Adam(0.1)),
]

MINI_BATCHES = (
    "trained on mini-batches, which change if a row is removed but not if its weight is zero "
    "(scikit-learn declares the same of its SGD estimators)"
)
SCIKERAS_FAILURES = {
    "check_estimator_tags_renamed": "the base class of scikeras defines _more_tags",
    "check_mixin_order": "the classes of scikeras have the mixin behind BaseEstimator",
    "check_do_not_raise_errors_in_init_or_set_params": "**kwargs is taken for a parameter",
}
ROWS_BEFORE = "the output of a row depends on the rows before it"
TRANSFORMER_FAILURES = {
    "check_methods_subset_invariance": ROWS_BEFORE,
    "check_methods_sample_order_invariance": ROWS_BEFORE,
    "check_fit1d": "a 1-D array is a series of one column",
}
EXPECTED_FAILURES = {
    "WindowTransformer": TRANSFORMER_FAILURES,
    "ReservoirTransformer": TRANSFORMER_FAILURES,
    "RNNRegressor": {"check_sample_weight_equivalence_on_dense_data": MINI_BATCHES},
    "RNNClassifier": {"check_sample_weight_equivalence_on_dense_data": MINI_BATCHES},
    "SciKerasRNNRegressor": SCIKERAS_FAILURES,
    "SciKerasRNNClassifier": SCIKERAS_FAILURES,
}
# The checks of networks that are not marked as slow.
FAST_CHECKS = {
    "check_do_not_raise_errors_in_init_or_set_param",
    "check_dont_overwrite_attributes",
    "check_estimator_cloneable",
    "check_estimators_unfitted",
    "check_get_params_invariance",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_requires_y_none",
    "check_set_params",
    "check_valid_tag_types",
}
# The wrappers of scikeras share the code of these checks, which therefore run on the regressor
# only: in each of them Keras traces its networks again.
SHARED_CHECKS = {
    "check_classifiers_train",  # on other types of X; the first one is run
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


def expand_checks(estimators, is_slow=lambda estimator, check: False):
    """Yield the checks of estimators as parameters of a test."""
    for index, estimator in enumerate(estimators):
        name = type(estimator).__name__
        failures = EXPECTED_FAILURES.get(name, {})
        for _, check in estimator_checks_generator(estimator):
            check_name = check.func.__name__
            marks = [pytest.mark.slow] if is_slow(estimator, check_name) else []
            if check_name in failures:
                marks.append(pytest.mark.xfail(reason=failures[check_name]))
            identifier = f"{name}{index}-{check_name}"
            yield pytest.param(estimator, check, id=identifier, marks=marks)


# The checks of what is learned.
LEARNING_CHECKS = {
    "check_class_weight_classifiers",
    "check_classifiers_classes",
    "check_classifiers_train",
    "check_regressors_train",
}


@contextlib.contextmanager
def float64_networks():
    """Have Keras create networks, and thereby predictions, in float64."""
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        yield
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])


@pytest.mark.parametrize(("estimator", "check"), expand_checks(WITHOUT_TRAINING))
def test_estimators_without_training(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    ("estimator", "check"),
    expand_checks(NETWORKS, is_slow=lambda estimator, name: name not in FAST_CHECKS),
)
def test_networks(estimator, check):
    # These compare predictions with the tolerance of their dtype, float64.
    is_exact = check.func.__name__.startswith("check_methods_")
    with float64_networks() if is_exact else contextlib.nullcontext():
        check(estimator)


def scikeras_checks():
    """Yield the checks of both wrappers, those that they share only once."""
    seen = set()
    for parameters in expand_checks(SCIKERAS):
        estimator, check = parameters.values
        name = check.func.__name__
        if not (is_classifier(estimator) and name in SHARED_CHECKS and name in seen):
            yield parameters
        seen.add(name)


@pytest.mark.slow
@pytest.mark.parametrize(("estimator", "check"), scikeras_checks())
def test_scikeras_networks(estimator, check):
    if check.func.__name__ in LEARNING_CHECKS:
        estimator = clone(estimator).set_params(run_eagerly=False, epochs=30)
    with float64_networks():
        check(estimator)


# scikit-learn has few checks for estimators of texts; test_estimator.py has the others.
@pytest.mark.filterwarnings("ignore:Can't test estimator:sklearn.exceptions.SkipTestWarning")
def test_text_estimators():
    estimator = CharLSTMClassifier(cell="rnn", units=4, epochs=2)
    checks = list(estimator_checks_generator(estimator))
    for _, check in checks:
        check(estimator)
    assert checks
