"""scikit-learn's own checks over every public estimator: fast parameters, expected failures."""

import contextlib

from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from skrnn import CompleteWindowsRegressor, NaiveRegressor, RNNRegressor, WindowTransformer

FAST = [
    WindowTransformer(window_length=3),
    WindowTransformer(window_length=3, flatten=True),
    RNNRegressor("rnn", units=16, epochs=30, learning_rate=0.02, batch_size=16),
    NaiveRegressor(),
    CompleteWindowsRegressor(Ridge()),
]

MINI_BATCHES = (
    "trained on mini-batches, whose make-up depends on the number of rows: removing a row is not "
    "giving it no weight (scikit-learn declares the same of its SGD estimators)"
)
EXPECTED_FAILURES = {
    "WindowTransformer": {
        "check_methods_subset_invariance": "a row's window is made of the rows before it",
        "check_methods_sample_order_invariance": "a row's window is made of the rows before it",
    },
    "RNNRegressor": {"check_sample_weight_equivalence_on_dense_data": MINI_BATCHES},
}


def expected_failures(estimator):
    return EXPECTED_FAILURES.get(type(estimator).__name__, {})


@contextlib.contextmanager
def float64_network():
    import keras

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
    with float64_network() if wants_float64 else contextlib.nullcontext():
        check(estimator)
