import pickle
from functools import partial

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skrnn import RNNForecaster, RNNRegressor
from skrnn.forecasting._strategy import Strategy, Windows, _fit_with_schedule, build_forecaster

from .helpers import small


def make_windows(n_windows=3, window_length=4, n_steps=2, n_columns=2, n_exog=0, coefficient=1.0):
    rng = np.random.default_rng(0)
    n_rows = window_length + n_steps + n_windows - 1
    values, exog = rng.normal(size=(n_rows, n_columns)), rng.normal(size=(n_rows, n_exog))
    origins = window_length - 1 + np.arange(n_windows)
    return Windows.from_series(values, exog, origins, window_length, n_steps, coefficient)


@pytest.mark.parametrize("window_length", [1, 3])
@pytest.mark.parametrize("n_steps", [1, 4])
def test_windows_equal_a_naive_loop(window_length, n_steps):
    values, exog = np.arange(20.0).reshape(10, 2), np.arange(0, -15, -1.0)[:, None]
    origins = np.array([0, 4, 8, 9])
    windows = Windows.from_series(values, exog, origins, window_length, n_steps)
    for i, origin in enumerate(origins):
        for j in range(window_length):
            row = max(0, origin - window_length + 1 + j)
            assert_array_equal(windows.past[i, j], values[row])
            assert_array_equal(windows.past_exog[i, j], exog[row])
        for step in range(1, n_steps + 1):
            future = values[origin + step] if origin + step < 10 else [np.nan, np.nan]
            assert_array_equal(windows.future[i, step - 1], future)
            assert_array_equal(windows.future_exog[i, step - 1], exog[origin + step])


def test_windows_are_concatenated_and_selected():
    windows = make_windows()
    both = Windows.concatenate([windows, windows])
    assert both.past.shape == (6, 4, 2)
    assert_array_equal(both.take(np.array([4])).future, windows.future[1:2])


def test_advance_moves_windows_to_the_forecast_steps():
    windows = make_windows(n_windows=1, n_steps=4, n_exog=1)
    moved = windows.advance(windows.future[:, :3])
    everything = np.concatenate([windows.past, windows.future], axis=1)
    exog = np.concatenate([windows.past_exog, windows.future_exog], axis=1)
    assert_array_equal(moved.past, everything[:, 3:7])
    assert_array_equal(moved.past_exog, exog[:, 3:7])
    assert_array_equal(moved.future, everything[:, 7:])
    assert_array_equal(moved.future_exog, exog[:, 7:])


def test_naive_forecast_decays_with_the_ar1_coefficient():
    coefficients = np.array([0.5, 0.9])
    windows = make_windows(coefficient=coefficients)
    inputs, naive = windows.network_inputs(4, residual=True)
    assert_array_equal(inputs, windows.past - windows.past[:, -1:])
    for window in range(3):
        for step in range(4):
            expected = windows.past[window, -1] * coefficients ** (step + 1)
            assert_allclose(naive[window, step], expected)
    inputs, naive = windows.network_inputs(4, residual=False)
    assert_array_equal(inputs, windows.past)
    assert not naive.any()


def test_future_exogenous_rows_follow_the_window():
    windows = make_windows(n_exog=3)
    inputs, _ = windows.network_inputs(2, residual=False)
    assert inputs.shape == (3, 6, 6)
    assert_array_equal(inputs[:, :4, :2], windows.past)
    assert_array_equal(inputs[:, :4, 2:5], windows.past_exog)
    assert_array_equal(inputs[:, 4:, 2:5], windows.future_exog)
    assert not inputs[:, 4:, :2].any()
    assert_array_equal(inputs[0, :, 5], [0, 0, 0, 0, 1, 1])


@pytest.mark.parametrize("decoder", ["dense", "recurrent"])
@pytest.mark.parametrize("n_ahead", [0, 3])
def test_forecaster_network(decoder, n_ahead):
    builder = partial(
        build_forecaster, n_steps=3, n_ahead=n_ahead, decoder=decoder, zero_init_head=True
    )
    builder = pickle.loads(pickle.dumps(builder))
    model = builder((6 + n_ahead, 2), 6, "rnn", (3, 2), 0.0, 0)
    assert model.output_shape == (None, 6)
    inputs = np.random.default_rng(0).normal(size=(4, 6 + n_ahead, 2)).astype("float32")
    assert not np.asarray(model(inputs)).any()
    assert len([w for w in model.get_weights() if w.shape == (2, 2)]) >= 1


@pytest.mark.parametrize("decoder", ["dense", "recurrent"])
def test_depth_gated_levels_are_one_layer(decoder):
    parameters = {"n_steps": 3, "n_ahead": 0, "decoder": decoder, "zero_init_head": True}
    model = build_forecaster((6, 1), 3, "depthgated", (4, 4), 0.0, 0, **parameters)
    n_recurrent = sum(isinstance(layer, keras.layers.RNN) for layer in model.layers)
    assert n_recurrent == (2 if decoder == "recurrent" else 1)


def test_networks_of_each_strategy():
    steps = {
        name: Strategy.for_horizon(small(strategy=name), [1, 3]).steps
        for name in ("multioutput", "recursive", "direct")
    }
    assert steps == {"multioutput": [(1, 2, 3)], "recursive": [(1,)], "direct": [(1,), (3,)]}


@pytest.mark.parametrize(
    ("strategy", "n_seen"), [("multioutput", 6), ("recursive", 5), ("direct", 5)]
)
def test_steps_of_exogenous_variables_that_networks_read(strategy, n_seen):
    networks = Strategy.for_horizon(small(strategy=strategy), [1, 3])
    assert networks.n_exog_steps(5) == n_seen


def test_normalized_windows_equal_a_naive_loop():
    rng = np.random.default_rng(0)
    values, exog = rng.normal(5, 2, size=(30, 2)), np.zeros((30, 0))
    windows = Windows.from_series(values, exog, np.array([10, 20]), 6, 2)
    normalized, mean, spread = windows.normalize(3)
    for i, origin in enumerate((10, 20)):
        past, future = values[origin - 5 : origin + 1], values[origin + 1 : origin + 3]
        center = past[-3:].mean(axis=0)
        deviation = np.sqrt(np.mean((past - center) ** 2, axis=0))
        assert_allclose(mean[i, 0], center)
        assert_allclose(spread[i, 0], deviation)
        assert_allclose(normalized.past[i], (past - center) / deviation)
        assert_allclose(normalized.future[i], (future - center) / deviation)
    constant = Windows.from_series(np.full((30, 2), 4.0), exog, np.array([10]), 6, 2)
    assert_array_equal(constant.normalize(3)[2], 1)


def test_segments_are_seasons_with_the_exogenous_variables():
    values, exog = np.arange(20.0)[:, None], np.arange(100.0, 120)[:, None]
    windows = Windows.from_series(values, np.zeros((20, 0)), np.array([9]), 6, 2)
    assert_array_equal(windows.segments(2, 3)[0], [[4, 5, 6], [7, 8, 9]])
    windows = Windows.from_series(values, exog, np.array([9]), 6, 2)
    segments = windows.segments(2, 3)[0].reshape(3, 3, 3)
    assert_array_equal(segments[:2, :, 0], [[4, 5, 6], [7, 8, 9]])
    assert_array_equal(segments[2, :, 1], [110, 111, 0])
    assert_array_equal(segments[2, :, 2], [1, 1, 0])


def test_last_and_seasonal_rows_of_windows():
    windows = Windows.from_series(np.arange(20.0)[:, None], np.zeros((20, 0)), np.array([9]), 6, 5)
    last, seasonal = windows.naive_forecasts(5, 3)
    assert_array_equal(last[0, :, 0], [9])
    assert_array_equal(seasonal[0, :, 0], [7, 8, 9, 7, 8])


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_weights_of_the_last_row_are_those_of_least_squares(weight):
    rng = np.random.default_rng(0)
    windows = Windows.from_series(
        rng.normal(size=(300, 1)), np.zeros((300, 0)), np.arange(11, 290), 12, 4
    )
    last, seasonal = windows.naive_forecasts(4, 4)
    windows.future[:] = weight * last + (1 - weight) * seasonal
    strategy = Strategy.for_horizon(small(), [1, 2, 3, 4], segment_length=4)
    weights = strategy._fit_last_weights(windows, (1, 2, 3, 4))
    assert_allclose(weights[:3, 0], weight, atol=1e-9)
    assert weights[3, 0] == 0 or weight == pytest.approx(weights[3, 0])


def test_segments_have_a_schedule_of_the_learning_rate(monkeypatch):
    calls = []

    def fit(self, X, y):
        calls.append((self.epochs, self.learning_rate, self.warm_start))
        return self

    monkeypatch.setattr(RNNRegressor, "fit", fit)
    network = RNNRegressor(epochs=50, learning_rate=0.01)
    _fit_with_schedule(network, None, None)
    epochs, rates, resumed = zip(*calls, strict=True)
    assert sum(epochs) == 50
    assert resumed == (False, *[True] * (len(calls) - 1))
    peak = int(np.argmax(rates))
    assert max(rates) <= 0.01
    assert (np.diff(rates[: peak + 1]) > 0).all()
    assert (np.diff(rates[peak:]) < 0).all()
    assert rates[-1] < 0.001
    assert network.epochs == 50
    assert network.learning_rate == pytest.approx(0.002)


@pytest.mark.parametrize(
    ("n_windows", "units", "batch_size", "epochs"),
    [(100, 32, 32, 125), (8_000, 32, 128, 10), (30_000, 64, 256, 10), (200_000, 128, 256, 10)],
)
def test_size_of_networks_of_segments(n_windows, units, batch_size, epochs):
    strategy = Strategy.for_horizon(RNNForecaster(sp=12), [1], segment_length=12)
    assert strategy._size(n_windows) == (units, batch_size)
    assert strategy._n_epochs(n_windows) == epochs
    other = Strategy.for_horizon(small(units=5, batch_size=7, epochs=3), [1], segment_length=12)
    assert other._size(n_windows) == (5, 7)
    assert other._n_epochs(n_windows) == 3
