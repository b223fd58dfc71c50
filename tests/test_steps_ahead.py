"""Targets several steps ahead: steps_ahead, and the estimators that are fitted to them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import TimeSeriesSplit
from sklearn.pipeline import make_pipeline

from skrnn import (
    CompleteWindowsRegressor,
    ForecastDisplay,
    NaiveRegressor,
    RNNRegressor,
    WindowTransformer,
    backtest,
    sliding_windows,
    steps_ahead,
)
from skrnn._inputs.windows import n_unknown, purged_time_split

# Keras converts its variables to arrays in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

LENGTH = 5


@pytest.fixture
def walk():
    return np.random.default_rng(0).normal(size=(90, 2)).cumsum(axis=0)


def naive_steps(y, n_steps):
    """Return the targets of a loop over rows, steps and columns."""
    rows = []
    for i in range(len(y)):
        row = []
        for step in range(n_steps):
            for column in range(y.shape[1]):
                row.append(y[i + step, column] if i + step < len(y) else np.nan)
        rows.append(row)
    return np.array(rows)


# The targets


@pytest.mark.parametrize("n_steps", [1, 2, 4, 12])
@pytest.mark.parametrize("n_columns", [1, 2])
def test_targets_are_those_of_a_loop(n_steps, n_columns):
    y = np.random.default_rng(0).normal(size=(10, n_columns))
    np.testing.assert_array_equal(steps_ahead(y, n_steps), naive_steps(y, n_steps))


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("float32", "float32"), ("float64", "float64"), ("int64", "float64"), ("int8", "float32")],
)
def test_targets_are_floats(dtype, expected):
    assert steps_ahead(np.arange(5, dtype=dtype), 2).dtype == expected


def test_lists_and_frames_are_accepted(walk):
    expected = steps_ahead(walk, 3)
    np.testing.assert_array_equal(steps_ahead(pd.DataFrame(walk), 3), expected)
    np.testing.assert_array_equal(steps_ahead(walk.tolist(), 3), expected)
    np.testing.assert_array_equal(steps_ahead(pd.Series(walk[:, 0]), 3), expected[:, ::2])


@pytest.mark.parametrize("n_steps", [0, -1, 1.0, True, "2", None])
def test_n_steps_must_be_a_positive_int(n_steps, walk):
    with pytest.raises(ValueError, match="n_steps must be an int of at least 1, got"):
        steps_ahead(walk, n_steps)


@pytest.mark.parametrize(
    ("y", "match"),
    [
        (np.zeros((3, 2, 1)), r"got shape \(3, 2, 1\)"),
        (np.zeros((0, 2)), r"got shape \(0, 2\)"),
        (np.array(["a", "b"]), "strings or categories"),
        ([[1.0], [1.0, 2.0]], "unequal lengths"),
    ],
)
def test_invalid_series_raise(y, match):
    with pytest.raises(ValueError, match=match):
        steps_ahead(y, 2)


# Rows with unknown steps


@pytest.mark.parametrize(
    ("n_steps", "n_columns"), [(1, 1), (2, 1), (4, 1), (1, 2), (3, 2), (12, 1)]
)
def test_unknown_rows_are_the_last_ones(n_steps, n_columns):
    y = steps_ahead(np.random.default_rng(0).normal(size=(10, n_columns)), n_steps)
    assert n_unknown(y) == min(n_steps - 1, 10)
    assert n_unknown(y[: -n_steps + 1 or None]) == 0
    assert n_unknown(y[3:]) == min(n_steps - 1, 7)


@pytest.mark.parametrize(
    "missing",
    [[(-1, 0)], [(-1, 1)], [(-3, 2)], [(-1, 2), (-2, 2)], [(-2, 2)], [(-1, 0), (-1, 1), (-1, 2)]],
    ids=str,
)
def test_other_missing_values_raise(missing, walk, small_rnn):
    y = np.column_stack([walk[:, 0]] * 3)
    for position in missing:
        y[position] = np.nan
    assert n_unknown(y) == 0
    with pytest.raises(ValueError, match="Input y contains NaN"):
        small_rnn().fit(sliding_windows(walk, LENGTH), y)


@pytest.mark.parametrize("residual", ["linear", False])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_unknown_rows_are_not_trained_on(residual, early_stopping, walk, small_rnn):
    y = steps_ahead(walk[:, 0], 3)
    settings = {"residual": residual, "early_stopping": early_stopping}
    rnn = small_rnn(**settings).fit(sliding_windows(walk, LENGTH), y)
    complete = small_rnn(**settings).fit(sliding_windows(walk[:-2], LENGTH), y[:-2])
    windows = sliding_windows(walk, LENGTH)
    np.testing.assert_array_equal(rnn.predict(windows), complete.predict(windows))
    assert rnn.loss_curve_ == complete.loss_curve_


def test_unknown_rows_are_not_scored(walk, small_rnn):
    windows, y = sliding_windows(walk, LENGTH), steps_ahead(walk[:, 0], 3)
    rnn = small_rnn().fit(windows, y)
    assert rnn.score(windows, y) == pytest.approx(r2_score(y[:-2], rnn.predict(windows)[:-2]))
    weights = np.linspace(1, 2, len(y))
    weighted = r2_score(y[:-2], rnn.predict(windows)[:-2], sample_weight=weights[:-2])
    assert rnn.score(windows, y, weights) == pytest.approx(weighted)


def test_regressors_of_complete_windows_exclude_unknown_rows(walk):
    windows, y = sliding_windows(walk, LENGTH, flatten=True), steps_ahead(walk[:, 0], 3)
    model = CompleteWindowsRegressor(Ridge()).fit(windows, y)
    expected = Ridge().fit(np.asarray(windows)[LENGTH:-2], y[LENGTH:-2])
    np.testing.assert_allclose(model.predict(windows), expected.predict(np.asarray(windows)))


# Base forecasts


def test_the_base_forecast_of_each_step_is_the_last_value(walk, small_rnn):
    y = steps_ahead(walk, 3)
    rnn = small_rnn(residual=True, early_stopping=False, epochs=1, learning_rate=1e-12)
    rnn.fit(sliding_windows(walk, LENGTH), y)
    last = np.tile(walk[LENGTH - 1 : -1], 3)
    y_pred = rnn.predict(sliding_windows(walk, LENGTH))[LENGTH:]
    np.testing.assert_allclose(y_pred, last, atol=1e-6)


def test_auto_is_linear_several_steps_ahead(walk, small_rnn):
    rnn = small_rnn().fit(sliding_windows(walk, LENGTH), steps_ahead(walk[:, 1], 4))
    assert rnn.model_.get_layer("linear_change").units == 4
    assert len(set(rnn.network_weight_)) == 1


def test_windows_whose_targets_are_in_the_holdout_are_purged():
    windows = sliding_windows(np.zeros((100, 1)), LENGTH)
    train, holdout = purged_time_split(windows, range(LENGTH, 100), 0.2, max_step=3)
    assert holdout == range(81, 100)
    first_row_of_holdout = holdout[0] - LENGTH
    assert train[-1] + 3 == first_row_of_holdout - 1


def test_the_last_rows_before_the_holdout_are_purged_in_fit(walk, small_rnn):
    """Targets that contain rows of the windows in the holdout have no effect on the network."""
    windows, y = sliding_windows(walk, LENGTH), steps_ahead(walk[:, 0], 3)
    settings = {"residual": True, "early_stopping": True, "epochs": 1, "n_iter_no_change": 9}
    weights = np.ones(len(y))
    n_holdout = round(0.2 * (len(y) - LENGTH - 2))
    purged = slice(len(y) - 2 - n_holdout - LENGTH - 2, len(y) - 2 - n_holdout)

    def losses(rows):
        changed = weights.copy()
        changed[rows] = 5.0
        return small_rnn(**settings).fit(windows, y, changed).loss_curve_

    assert losses(purged) == losses(slice(0, 0))
    assert losses(slice(purged.start - 1, purged.stop)) != losses(slice(0, 0))


# Naive forecasts


@pytest.mark.parametrize("horizon", [1, 2])
def test_naive_forecasts_repeat_the_last_value(horizon, walk):
    y = steps_ahead(walk[:, 1], 3)
    naive = NaiveRegressor().fit(sliding_windows(walk, LENGTH, horizon), y)
    y_pred = naive.predict(sliding_windows(walk, LENGTH, horizon))
    for i in range(LENGTH + horizon - 1, len(walk)):
        np.testing.assert_array_equal(y_pred[i], [walk[i - horizon, 1]] * 3)


@pytest.mark.parametrize(("horizon", "n_steps"), [(1, 3), (1, 6), (3, 5)])
def test_naive_forecasts_repeat_the_last_season(horizon, n_steps, walk):
    season, length = 4, 8
    windows = sliding_windows(walk, length, horizon)
    naive = NaiveRegressor("seasonal", season_length=season)
    y_pred = naive.fit(windows, steps_ahead(walk[:, 0], n_steps)).predict(windows)
    for i in range(length + horizon - 1, len(walk)):
        for step in range(n_steps):
            row = i + step
            while row > i - horizon:  # the latest observed row of the same season
                row -= season
            assert y_pred[i, step] == walk[row, 0]


# Backtests


def test_backtest_excludes_targets_after_the_training_rows(walk):
    n_steps, X = 3, walk[:-2]
    y = steps_ahead(walk[:, 0], n_steps)[:-2]
    model = make_pipeline(
        WindowTransformer(LENGTH, flatten=True), CompleteWindowsRegressor(Ridge())
    )
    result = backtest(model, X, y, cv=TimeSeriesSplit(3))
    for fold, (train, test) in enumerate(TimeSeriesSplit(3).split(X)):
        observed = steps_ahead(X[train, 0], n_steps)  # NaN in the last two rows
        expected = model.fit(X[train], observed).predict(X[test])
        np.testing.assert_allclose(result.y_pred[result.fold == fold], expected)


def test_no_row_with_a_complete_window_and_known_targets(walk, small_rnn):
    model = make_pipeline(WindowTransformer(LENGTH), small_rnn())
    with pytest.raises(ValueError, match=r"5 of the 8 windows are incomplete, .* last 3 rows are"):
        model.fit(walk[:8], steps_ahead(walk[:8], 4))


@pytest.mark.parametrize("season_length", [None, 4])
def test_naive_forecasts_of_backtest_are_those_of_the_regressor(season_length, walk):
    X, y = walk[:-2], steps_ahead(walk[:, 0], 3)[:-2]
    strategy = "last" if season_length is None else "seasonal"
    naive = NaiveRegressor(strategy, season_length=season_length)
    model = make_pipeline(WindowTransformer(8), naive)
    result = backtest(model, X, y, cv=TimeSeriesSplit(3), season_length=season_length)
    np.testing.assert_allclose(result.y_naive, result.y_pred)
    assert result.skill == pytest.approx(0)


def test_forecast_display_of_several_steps(walk):
    pytest.importorskip("matplotlib")
    y = steps_ahead(walk[:, 0], 3)
    rnn = RNNRegressor("rnn", 2, epochs=1, random_state=0)
    model = make_pipeline(WindowTransformer(LENGTH), rnn).fit(walk[:60], y[:60])
    display = ForecastDisplay.from_estimator(model, walk[60:-2], y[60:-2])
    np.testing.assert_allclose(display.y_naive[0], [walk[59, 0]] * 3)
    assert display.skill.shape == (3,)
