"""Predictions in graphs are those of the model, for any number of rows."""

import contextlib
import pickle
import time

import joblib
import keras
import numpy as np
import pytest
from engine_helpers import SERIES, WINDOWS, assert_identical, make_rnn

from skrnn import RNNRegressor, WindowTransformer, clear_compiled, sliding_windows
from skrnn._engine import predictor


@pytest.fixture(scope="module")
def fitted():
    return make_rnn("gru", (3, 2), bidirectional=True, epochs=1).fit(WINDOWS)


def test_any_number_of_rows_is_predicted_like_the_model_does(fitted):
    X = np.random.default_rng(0).normal(size=(200, 4, 1)).astype("float32")
    expected = np.asarray(pickle.loads(pickle.dumps(fitted)).model_(X))
    for n_rows in (1, 2, 64, 65, 200):
        for rows in (slice(n_rows), slice(200 - n_rows, 200)):
            np.testing.assert_allclose(fitted.predict(X[rows]), expected[rows], atol=1e-5)


def test_windows_and_arrays_have_the_same_predictions(fitted):
    expected = fitted.predict(WINDOWS)
    for array in (np.asarray(WINDOWS), np.ascontiguousarray(WINDOWS), np.asarray(WINDOWS)[:, :, 0]):
        np.testing.assert_array_equal(fitted.predict(array), expected)
    np.testing.assert_allclose(fitted.predict(WINDOWS[::-1])[::-1], expected, atol=1e-6)


def test_a_single_window_has_the_prediction_that_it_has_among_others(fitted):
    window = WindowTransformer(4).fit(SERIES[:47]).transform(SERIES[47:])
    assert len(window) == 1
    np.testing.assert_allclose(fitted.predict(window), fitted.predict(WINDOWS)[-1:], atol=1e-6)


def test_no_rows_cannot_be_predicted(fitted):
    with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\)"):
        fitted.predict(np.asarray(WINDOWS)[:0])


def test_masks_of_operations_are_not_ignored():
    def build(input_shape, n_outputs, seed):
        x = keras.Input(input_shape)
        mask = keras.ops.any(keras.ops.not_equal(x, 0.0), axis=-1)
        h = keras.layers.LSTM(3, kernel_initializer=keras.initializers.Ones())(x, mask=mask)
        return keras.Model(x, keras.layers.Dense(n_outputs)(h))

    X = np.random.default_rng(0).normal(size=(20, 5, 1))
    X[::2, 3:] = 0
    rnn = RNNRegressor(network=build, epochs=1, random_state=0).fit(X, X[:, 0, 0])
    np.testing.assert_allclose(rnn.predict(X), rnn.model_(X)[:, 0], atol=1e-6)


def test_threads_may_predict_for_the_first_time_at_once(monkeypatch):
    patched_layers = predictor.patched_layers

    @contextlib.contextmanager
    def slow(*arguments, **options):
        with patched_layers(*arguments, **options):
            yield
            time.sleep(0.1)

    rnn = make_rnn().fit(WINDOWS)
    X = np.asarray(WINDOWS)
    inputs = [WINDOWS, X, X[:1], sliding_windows(WINDOWS.target[:1], 4), WINDOWS]
    expected = [rnn.predict(windows) for windows in inputs]
    clear_compiled()
    copied = pickle.loads(pickle.dumps(rnn))
    monkeypatch.setattr(predictor, "patched_layers", slow)
    predictions = joblib.Parallel(5, backend="threading")(
        joblib.delayed(copied.predict)(windows) for windows in inputs
    )
    assert_identical(predictions, expected)
