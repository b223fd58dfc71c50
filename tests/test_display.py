import subprocess
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler

from skrnn import (
    CompleteWindowsRegressor,
    ForecastDisplay,
    LossCurveDisplay,
    NaiveRegressor,
    RNNRegressor,
    WindowTransformer,
    backtest,
)

matplotlib.use("Agg")

from matplotlib import dates
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

N_TRAIN = 80


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def walk(n_samples=120, n_features=1, seed=0):
    steps = np.random.RandomState(seed).normal(size=(n_samples, n_features))
    return 50 + steps.cumsum(axis=0)


def ridge(window_length=5, horizon=1):
    window = WindowTransformer(window_length, horizon, flatten=True)
    return make_pipeline(MinMaxScaler(), window, CompleteWindowsRegressor(Ridge(1e-2)))


def scaled_around(**window):
    return TransformedTargetRegressor(ridge(**window), transformer=MinMaxScaler())


def scaled_inside(**window):
    model = ridge(**window)
    inner = TransformedTargetRegressor(Ridge(1e-2), transformer=MinMaxScaler())
    return model.set_params(completewindowsregressor__regressor=inner)


def scaled_last_step(window_length=5, horizon=1):
    return make_pipeline(
        MinMaxScaler(),
        WindowTransformer(window_length, horizon, flatten=True),
        TransformedTargetRegressor(Ridge(1e-2), transformer=MinMaxScaler()),
    )


def in_a_nested_pipeline(window_length=5, horizon=1):
    inner = make_pipeline(MinMaxScaler(), WindowTransformer(window_length, horizon, flatten=True))
    return make_pipeline("passthrough", inner, None, Ridge(1e-2))


def searched(**window):
    grid = {"completewindowsregressor__regressor__alpha": [1e-2, 1.0]}
    return GridSearchCV(ridge(**window), grid, cv=TimeSeriesSplit(2))


MODELS = [ridge, scaled_around, scaled_inside, scaled_last_step, in_a_nested_pipeline, searched]


def split(series):
    return series[:N_TRAIN], series[N_TRAIN:]


def labels(display, ax=None):
    ax = display.ax_ if ax is None else ax
    return [text.get_text() for text in ax.get_legend().get_texts()]


# ForecastDisplay: scores and lines


def test_legend_has_the_scores_computed_by_hand():
    y, y_pred, y_naive = walk(40, 3).T
    display = ForecastDisplay.from_predictions(y, y_pred, y_naive=y_naive)
    rmse = np.sqrt(np.mean((y - y_pred) ** 2))
    rmse_naive = np.sqrt(np.mean((y - y_naive) ** 2))
    assert_allclose([display.rmse, display.rmse_naive], [rmse, rmse_naive])
    assert display.skill == pytest.approx(1 - rmse / rmse_naive)
    assert labels(display) == [
        "Real",
        f"Predicted (RMSE {rmse:.4g}, skill {1 - rmse / rmse_naive:.3f})",
        f"Naive (RMSE {rmse_naive:.4g})",
    ]


def test_lines_hold_the_inputs():
    y, y_pred, y_naive = walk(40, 3).T
    display = ForecastDisplay.from_predictions(y, y_pred, y_naive=y_naive, name="GRU")
    for line, values in zip(display.lines_, [y, y_pred, y_naive], strict=True):
        assert_array_equal(line.get_xdata(), np.arange(40))
        assert_array_equal(line.get_ydata(), values)
    assert display.ax_.get_xlabel() == "Row"
    assert display.figure_ is display.ax_.figure
    assert labels(display)[1].startswith("GRU (RMSE")
    assert display.plot() is display


@pytest.mark.parametrize("horizon", [1, 3])
def test_naive_forecast_of_given_values_is_the_value_horizon_rows_earlier(horizon):
    past, y = walk(30).ravel()[:10], walk(30).ravel()[10:]
    display = ForecastDisplay.from_predictions(y, y + 1, y_past=past, horizon=horizon)
    assert_array_equal(display.y_naive, walk(30).ravel()[10 - horizon : -horizon])
    assert display.rmse == pytest.approx(1)

    display = ForecastDisplay.from_predictions(y, y * 1.1, horizon=horizon)
    assert np.isnan(display.y_naive[:horizon]).all()
    assert_array_equal(display.y_naive[horizon:], y[:-horizon])
    # Both scores are of the rows that have a naive forecast.
    assert display.rmse == pytest.approx(root_mean_squared_error(y[horizon:], 1.1 * y[horizon:]))
    assert display.rmse_naive == pytest.approx(root_mean_squared_error(y[horizon:], y[:-horizon]))


def test_past_shorter_than_the_horizon_reaches_as_far_as_it_goes():
    display = ForecastDisplay.from_predictions(
        [3.0, 4.0, 5.0, 6.0], [0.0] * 4, y_past=[2.0], horizon=3
    )
    assert_array_equal(display.y_naive, [np.nan, np.nan, 2, 3])
    display = ForecastDisplay.from_predictions([3.0], [0.0], y_past=[1.0, 2.0], horizon=2)
    assert_array_equal(display.y_naive, [1])


def test_rows_not_yet_observed_are_gaps_and_not_scored():
    series = walk(30).ravel()
    y, y_pred = series[10:].copy(), series[10:] + 2
    y[-5:] = np.nan
    display = ForecastDisplay.from_predictions(y, y_pred, y_past=series[:10])
    assert display.rmse == pytest.approx(2)
    assert display.rmse_naive == pytest.approx(root_mean_squared_error(y[:-5], series[9:-6]))
    assert_array_equal(display.lines_[0].get_ydata(), y)
    assert_array_equal(display.lines_[1].get_ydata(), y_pred)
    assert display.y_naive[-5] == y[-6]  # the first unknown row still has a naive forecast
    assert np.isnan(display.y_naive[-4:]).all()


def test_without_any_real_value_only_forecasts_are_drawn():
    unknown = np.full(4, np.nan)
    display = ForecastDisplay.from_predictions(unknown, np.arange(4.0), y_past=[1.0])
    assert labels(display) == ["Predicted", "Naive"]
    assert len(display.lines_) == 2
    assert np.isnan([display.rmse, display.rmse_naive, display.skill]).all()
    display = ForecastDisplay.from_predictions(unknown, np.arange(4.0))
    assert labels(display) == ["Predicted"]


def test_without_any_naive_value_the_forecast_is_scored_alone():
    display = ForecastDisplay([1.0, 2.0], [2.0, 3.0], [np.nan, np.nan]).plot()
    assert display.rmse == 1
    assert np.isnan([display.rmse_naive, display.skill]).all()
    assert labels(display) == ["Real", "Predicted (RMSE 1)"]
    assert labels(ForecastDisplay([1.0, 2.0], [2.0, 3.0]).plot()) == ["Real", "Predicted (RMSE 1)"]


def test_skill_just_below_zero_has_no_sign_when_rounded():
    display = ForecastDisplay([0.0], [1.00001], [1.0]).plot()
    assert display.skill < 0
    assert labels(display)[1].endswith("skill 0.000)")


def test_intervals_are_drawn_and_their_coverage_counted():
    y, y_pred = walk(40, 2).T
    bounds = np.c_[y_pred - 3, y_pred + 3]
    y = y.copy()
    y[-2:] = np.nan
    display = ForecastDisplay.from_predictions(y, y_pred, y_interval=bounds)
    covered = np.mean(np.abs(y - y_pred)[:-2] <= 3)
    assert display.coverage == pytest.approx(covered)
    assert f"Interval (covers {covered:.0%})" in labels(display)
    assert len(display.bands_) == 1
    corners = display.bands_[0].get_paths()[0].vertices
    assert corners[:, 1].max() == bounds[:, 1].max()
    assert corners[:, 1].min() == bounds[:, 0].min()
    colour = display.bands_[0].get_facecolor()[0, :3]
    assert_allclose(colour, matplotlib.colors.to_rgb(display.lines_[1].get_color()))
    again = display.plot(interval_kwargs={"alpha": 0.5, "color": "red"})
    assert_allclose(again.bands_[0].get_facecolor()[0], [1, 0, 0, 0.5])


def test_intervals_of_several_outputs():
    y, y_pred = walk(20, 2), walk(20, 2, seed=1)
    width = np.array([1, 100])
    lower, upper = y_pred - width, y_pred + width
    bounds = np.c_[lower[:, 0], upper[:, 0], lower[:, 1], upper[:, 1]]
    display = ForecastDisplay.from_predictions(y, y_pred, y_interval=bounds)
    assert display.coverage[1] == 1
    assert len(display.bands_) == 2
    assert len(display.plot(output=1).bands_) == 1
    with pytest.raises(ValueError, match=r"y_interval has 2 columns, but 2 outputs.*pass 4"):
        ForecastDisplay(y, y_pred, y_interval=bounds[:, :2])
    with pytest.raises(ValueError, match=r"as many rows.*y_interval has 3"):
        ForecastDisplay(y, y_pred, y_interval=bounds[:3])


def test_without_intervals_there_is_no_band():
    display = ForecastDisplay([1.0, 2.0], [2.0, 3.0]).plot()
    assert display.bands_ == []
    assert np.isnan(display.coverage)
    ahead = ForecastDisplay([np.nan], [2.0], y_interval=[[1.0, 3.0]]).plot()
    assert labels(ahead) == ["Predicted", "Interval"]


def test_backtest_feeds_the_display():
    series = walk(60)
    result = backtest(ridge(), series, series, cv=3)
    display = ForecastDisplay.from_predictions(
        result.y_true, result.y_pred, y_naive=result.y_naive, index=result.rows
    )
    assert display.rmse == pytest.approx(result.rmse)
    assert display.skill == pytest.approx(result.skill)
    assert_array_equal(display.lines_[0].get_xdata(), result.rows)


# ForecastDisplay: estimators


@pytest.mark.parametrize("make_model", MODELS)
@pytest.mark.parametrize("horizon", [1, 3])
def test_naive_forecast_is_exact_from_the_first_row_on(make_model, horizon):
    series = walk()
    train, test = split(series)
    model = make_model(horizon=horizon).fit(train, train.ravel())
    display = ForecastDisplay.from_estimator(model, test, test.ravel())
    assert_allclose(display.y_naive, series[N_TRAIN - horizon : -horizon, 0], rtol=1e-12)
    assert_allclose(display.y_pred, model.predict(test))
    assert_array_equal(display.y_true, test.ravel())
    naive = series[N_TRAIN - horizon : -horizon, 0]
    assert display.rmse_naive == pytest.approx(root_mean_squared_error(test, naive))


def test_naive_forecast_repeats_the_column_that_is_the_target():
    series = walk(n_features=3)
    train, test = split(series)
    model = scaled_around().fit(train, train[:, 2])
    display = ForecastDisplay.from_estimator(model, test, test[:, 2])
    assert_allclose(display.y_naive, series[N_TRAIN - 1 : -1, 2])


def test_naive_forecast_in_float32():
    train, test = split(walk().astype(np.float32))
    model = scaled_around().fit(train, train.ravel())
    display = ForecastDisplay.from_estimator(model, test, test.ravel())
    assert_allclose(display.y_naive[:2], [train[-1, 0], test[0, 0]], rtol=1e-5)


def test_naive_regressor_has_no_skill():
    train, test = split(walk())
    naive = TransformedTargetRegressor(
        make_pipeline(MinMaxScaler(), WindowTransformer(5), NaiveRegressor()),
        transformer=MinMaxScaler(),
    ).fit(train, train)
    display = ForecastDisplay.from_estimator(naive, test, test)
    assert display.skill == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("rows", [1, 2])
def test_two_rows_cannot_tell_the_column_and_fall_back_to_the_shift(rows):
    train, test = split(walk(n_features=2))
    model = scaled_around().fit(train, train[:, 1])
    display = ForecastDisplay.from_estimator(model, test[:rows], test[:rows, 1])
    assert_array_equal(display.y_naive, [np.nan, test[0, 1]][:rows])
    assert len(display.lines_) == rows + 1


def test_another_variable_falls_back_to_the_shift_by_the_horizon_of_the_windows():
    (train, test), (other_train, other) = split(walk()), split(walk(seed=1).ravel())
    model = scaled_around(horizon=2).fit(train, other_train)
    display = ForecastDisplay.from_estimator(model, test, other)
    assert_array_equal(display.y_naive, np.r_[np.nan, np.nan, other[:-2]])


def test_horizon_0_does_not_take_the_row_itself_for_its_forecast():
    train, test = split(walk())
    model = ridge(horizon=0).fit(train, train.ravel() * 2)
    display = ForecastDisplay.from_estimator(model, test, test.ravel() * 2)
    assert_array_equal(display.y_naive, np.r_[np.nan, 2 * test[:-1, 0]])


def test_regressor_without_windows_is_compared_with_the_row_before():
    X, y = walk(30, 2), walk(30, seed=1).ravel()
    model = make_pipeline(MinMaxScaler(), LinearRegression()).fit(X, y)
    display = ForecastDisplay.from_estimator(model, X, y)
    assert_array_equal(display.y_naive, np.r_[np.nan, y[:-1]])
    assert_array_equal(display.y_true, y)


@pytest.mark.parametrize("horizon", [1, 3])
def test_incomplete_windows_are_left_out(horizon):
    train, _ = split(walk())
    model = ridge(window_length=5, horizon=horizon).fit(train, train.ravel())
    skip = 5 + horizon - 1
    display = ForecastDisplay.from_estimator(model, train, train.ravel())
    for line, values in zip(
        display.lines_,
        [train[skip:, 0], model.predict(train)[skip:], train[5 - 1 : -horizon, 0]],
        strict=True,
    ):
        assert_array_equal(line.get_xdata(), np.arange(skip, N_TRAIN))
        assert display.ax_.get_xlabel() == "Row"
        assert_allclose(line.get_ydata(), values)
    assert display.rmse == pytest.approx(
        root_mean_squared_error(train[skip:, 0], model.predict(train)[skip:])
    )


def test_y_left_out_is_the_series_that_reaches_the_windows():
    train, test = split(walk(n_features=2))
    model = ridge().fit(train)
    display = ForecastDisplay.from_estimator(model, test)
    scaled = model[0].transform(test)
    assert_allclose(display.y_true, scaled)
    assert_allclose(display.y_naive, np.r_[model[0].transform(train[-1:]), scaled[:-1]])


def test_rows_not_yet_observed_of_an_estimator():
    train, test = split(walk())
    model = scaled_around(horizon=3).fit(train, train.ravel())
    future = test[:12].copy()
    future[9:] = np.nan
    display = ForecastDisplay.from_estimator(model, future, future.ravel())
    assert np.isfinite(display.y_pred).all()
    assert_allclose(display.y_naive, np.r_[train[-3:], test[:9]].ravel())
    assert display.rmse == pytest.approx(root_mean_squared_error(test[:9, 0], display.y_pred[:9]))


def test_flattened_windows_in_a_data_frame():
    frame = pd.DataFrame(walk(n_features=2), columns=["open", "close"])
    train, test = split(frame)
    model = ridge().set_output(transform="pandas").fit(train, train["close"])
    display = ForecastDisplay.from_estimator(model, test, test["close"])
    assert_allclose(display.y_naive, frame["close"][N_TRAIN - 1 : -1])
    assert model[1].flatten  # what was looked into is as it was


def test_a_gap_in_the_index_is_warned_of_once():
    days = pd.date_range("2024-01-01", periods=120, name="day")
    frame = pd.DataFrame(walk(), columns=["close"], index=days)
    train, test = split(frame)
    window = WindowTransformer(5, flatten=True)
    model = make_pipeline(window, Ridge(1e-2)).fit(train, train["close"])
    with pytest.warns(UserWarning, match="rows seem to be missing") as record:
        ForecastDisplay.from_estimator(model, test[3:], test["close"][3:])
    assert len(record) == 1


# ForecastDisplay: axes


def test_index_of_the_data_becomes_the_x_axis():
    days = pd.date_range("2024-01-01", periods=120, name="day")
    frame = pd.DataFrame(walk(), columns=["close"], index=days)
    train, test = split(frame)
    model = scaled_around().fit(train, train["close"])
    for y in (test["close"], test["close"].to_numpy()):
        display = ForecastDisplay.from_estimator(model, test, y)
        assert_array_equal(display.lines_[0].get_xdata(), days[N_TRAIN:])
        assert display.ax_.get_xlabel() == "day"
        assert isinstance(display.ax_.xaxis.get_major_formatter(), dates.ConciseDateFormatter)
    display = ForecastDisplay.from_estimator(model, test, test["close"], index=[*range(7, 47)])
    assert_array_equal(display.lines_[0].get_xdata(), np.arange(7, 47))
    display = ForecastDisplay.from_estimator(model, train, train["close"])  # incomplete rows
    assert_array_equal(display.lines_[1].get_xdata(), days[5:N_TRAIN])
    display = ForecastDisplay.from_predictions(test["close"], model.predict(test))
    assert_array_equal(display.lines_[0].get_xdata(), days[N_TRAIN:])
    assert display.ax_.get_ylabel() == "close"


def test_numbers_that_are_no_counts_on_the_x_axis():
    index = np.linspace(0, 1, 5)
    display = ForecastDisplay.from_predictions(np.arange(5.0), np.arange(5.0), index=index)
    assert_array_equal(display.lines_[0].get_xdata(), index)
    assert display.ax_.get_xlabel() == ""
    assert 0.4 in display.ax_.get_xticks().round(3)


def test_ticks_set_by_the_user_stay():
    _, ax = plt.subplots()
    ax.set_xticks([1, 2])
    LossCurveDisplay([3.0, 2.0]).plot(ax)
    assert_array_equal(ax.get_xticks(), [1, 2])


@pytest.mark.parametrize("tz", [None, "Europe/Vienna"])
def test_periods_and_time_zones_on_the_x_axis(tz):
    days = pd.date_range("2024-01-01", periods=5, tz=tz)
    index = days if tz else days.to_period("D")
    display = ForecastDisplay.from_predictions(np.arange(5.0), np.arange(5.0), index=index)
    first = dates.num2date(display.lines_[0].get_xdata(orig=False)[0])
    assert first == pd.Timestamp("2024-01-01", tz=tz or "UTC")


def test_labels_that_are_no_dates_are_few_and_stand_at_their_rows():
    index = [f"row {i}" for i in range(200)]
    display = ForecastDisplay.from_predictions(walk(200), walk(200), index=index)
    display.figure_.draw_without_rendering()
    ticks = {
        round(position): text.get_text()
        for position, text in zip(
            display.ax_.get_xticks(), display.ax_.get_xticklabels(), strict=True
        )
    }
    assert len(ticks) <= 6
    inside = {row: text for row, text in ticks.items() if 0 <= row < 200}
    assert len(inside) >= 3
    assert inside == {row: f"row {row}" for row in inside}


def test_draws_into_given_axes():
    figure, (left, right) = plt.subplots(1, 2)
    y = walk(20).ravel()
    display = ForecastDisplay.from_predictions(
        y, y, ax=right, pred_kwargs={"c": "k", "lw": 4}, true_kwargs={"label": "Close"}
    )
    assert display.ax_ is right
    assert display.figure_ is figure
    assert not left.lines
    assert display.lines_[1].get_color() == "k"
    assert display.lines_[1].get_linewidth() == 4
    assert labels(display)[0] == "Close"
    assert plt.get_fignums() == [figure.number]
    unmanaged = Figure().subplots()
    assert ForecastDisplay.from_predictions(y, y, ax=unmanaged).ax_ is unmanaged


def test_two_models_in_one_plot_have_colours_of_their_own():
    y = walk(20).ravel()
    first = ForecastDisplay.from_predictions(y, y + 1, name="a")
    second = ForecastDisplay.from_predictions(y, y + 2, name="b", ax=first.ax_)
    assert first.lines_[1].get_color() != second.lines_[1].get_color()
    assert [label[:2] for label in labels(second)] == ["Re", "a ", "Na", "b "]


def test_room_for_the_legend_does_not_cut_off_what_is_drawn_later():
    wave = np.sin(np.arange(200.0))
    display = ForecastDisplay.from_predictions(wave, wave)
    assert display.ax_.get_ylim()[1] > 1.2
    ForecastDisplay.from_predictions(wave, wave * 9, ax=display.ax_)
    assert display.ax_.get_ylim()[0] < -8
    assert display.ax_.get_ylim()[1] > 8


def test_single_points_and_a_naive_line_below_others_are_seen():
    display = ForecastDisplay.from_predictions([1.0, np.nan, 2.0], [1.0, 1.5, 2.0], y_past=[1.0])
    assert all(line.get_marker() == "." for line in display.lines_)
    real, predicted, naive = display.lines_
    assert naive.get_zorder() > predicted.get_zorder()
    assert naive.get_linestyle() == "--"
    assert real.get_linewidth() > 2 * predicted.get_linewidth()
    colours = {line.get_color() for line in display.lines_}
    assert len(colours) == 3


@pytest.mark.parametrize("shape", ["wave", "rise", "fall"])
def test_legend_hides_no_line(shape):
    x = np.arange(200.0)
    y = {"wave": np.sin(x / 4), "rise": x, "fall": -x}[shape]
    display = ForecastDisplay.from_predictions(y, y, name="a rather long name of a model")
    display.figure_.draw_without_rendering()
    box = display.ax_.get_legend().get_window_extent()
    low, high = display.ax_.get_ylim()
    assert low < y.min() < y.max() < high
    for line in display.lines_:
        path = line.get_path().transformed(line.get_transform())
        assert not path.intersects_bbox(box, filled=False)


def test_limits_set_by_the_user_stay():
    _, ax = plt.subplots()
    ax.set_ylim(-3, 3)
    y = np.sin(np.arange(200.0))
    ForecastDisplay.from_predictions(y, y, ax=ax)
    assert ax.get_ylim() == (-3, 3)


def test_several_outputs_have_a_plot_each():
    frame = pd.DataFrame(walk(n_features=2), columns=["open", "close"])
    train, test = split(frame)
    model = scaled_around().fit(train, train)
    display = ForecastDisplay.from_estimator(model, test, test)
    assert display.rmse.shape == display.rmse_naive.shape == display.skill.shape == (2,)
    assert display.ax_.shape == (2,)
    for j, column in enumerate(frame.columns):
        assert display.ax_[j].get_ylabel() == column
        assert_allclose(display.lines_[j][0].get_ydata(), test[column])
        assert_allclose(display.lines_[j][1].get_ydata(), model.predict(test)[:, j])
        assert_allclose(display.lines_[j][2].get_ydata(), frame[column][N_TRAIN - 1 : -1])
        rmse = root_mean_squared_error(test[column], model.predict(test)[:, j])
        assert display.rmse[j] == pytest.approx(rmse)
        assert f"RMSE {rmse:.4g}" in labels(display, display.ax_[j])[1]
    _, ax = plt.subplots()
    display.plot(ax, output=1)
    assert display.ax_ is ax
    assert_allclose(display.lines_[0].get_ydata(), test["close"])
    assert ax.get_ylabel() == "close"
    unnamed = ForecastDisplay.from_predictions(test.to_numpy(), test.to_numpy(), output=1)
    assert unnamed.ax_.get_ylabel() == "Output 1"
    assert ForecastDisplay.from_estimator(ridge().fit(train), test).ax_[1].get_ylabel() == "close"


def test_names_of_other_columns_than_the_windows_have_are_not_used():
    frame = pd.DataFrame(walk(n_features=2), columns=["open", "close"])
    first = make_pipeline(FunctionTransformer(lambda X: X[["close"]]), ridge()).fit(frame)
    display = ForecastDisplay.from_estimator(first, frame)
    assert display.output_names is None
    assert display.y_true.shape == (115, 1)


def test_a_column_counts_as_one_output():
    y = walk(20)
    display = ForecastDisplay.from_predictions(y, y.ravel() + 1, y_past=[5.0])
    assert isinstance(display.rmse, float)
    assert display.y_naive[0] == 5
    assert_array_equal(display.lines_[0].get_ydata(), y.ravel())


# ForecastDisplay: errors


def test_lengths_that_differ():
    message = "y_true has 3, y_pred has 4"
    with pytest.raises(ValueError, match=message):
        ForecastDisplay.from_predictions([1.0, 2, 3], [1.0, 2, 3, 4])
    with pytest.raises(ValueError, match="y_pred has 3, y_naive has 2"):
        ForecastDisplay([1.0, 2, 3], [1.0, 2, 3], [1.0, 2])
    with pytest.raises(ValueError, match="y_pred has 3, index has 2"):
        ForecastDisplay([1.0, 2, 3], [1.0, 2, 3], index=[1, 2])
    train, test = split(walk())
    model = ridge().fit(train, train.ravel())
    with pytest.raises(ValueError, match="y has 30, predictions has 40"):
        ForecastDisplay.from_estimator(model, test, test[10:, 0])


def test_outputs_that_differ():
    with pytest.raises(ValueError, match="y_true has 2, y_pred has 1"):
        ForecastDisplay(walk(5, 2), walk(5))
    with pytest.raises(ValueError, match="output_names has 1 names, but y has 2 outputs"):
        ForecastDisplay(walk(5, 2), walk(5, 2), output_names=["a"])
    with pytest.raises(ValueError, match=r"y_past has shape \(5, 2\) and y_true \(5, 1\)"):
        ForecastDisplay.from_predictions(walk(5), walk(5), y_past=walk(5, 2))
    display = ForecastDisplay(walk(5, 2), walk(5, 2))
    for output in (2, -1, "close"):
        with pytest.raises(ValueError, match="y has the outputs 0 to 1"):
            display.plot(output=output)
    with pytest.raises(ValueError, match="2 plots need as many Axes, got 1"):
        display.plot(Figure().subplots())


def test_values_that_cannot_be_shown():
    with pytest.raises(ValueError, match="y_pred is infinite in row 1"):
        ForecastDisplay([1.0, 2.0], [1.0, np.inf])
    with pytest.raises(ValueError, match=r"y_true must be .* hold values, got \(0,\)"):
        ForecastDisplay([], [])
    with pytest.raises(ValueError, match="horizon must be an int of at least 1, got 0"):
        ForecastDisplay.from_predictions([1.0], [1.0], horizon=0)


def test_estimators_that_cannot_be_shown():
    train, test = split(walk())
    with pytest.raises(NotFittedError):
        ForecastDisplay.from_estimator(scaled_around(), test, test)
    frame = pd.DataFrame(train, columns=["close"])
    model = (
        ridge(window_length=30).set_params(minmaxscaler=None).fit(frame[40:], frame["close"][40:])
    )
    with (
        pytest.warns(UserWarning, match="get no context"),
        pytest.raises(ValueError, match="None of the 20 windows is complete"),
    ):
        ForecastDisplay.from_estimator(model, frame[:20], frame["close"][:20])


@pytest.mark.parametrize(
    ("make_model", "reason"),
    [
        (scaled_around, "a TransformedTargetRegressor was fitted with a y"),
        (scaled_last_step, "a TransformedTargetRegressor was fitted with a y"),
        (lambda: make_pipeline(FunctionTransformer(), Ridge()), "no WindowTransformer"),
        (lambda: ridge(horizon=0), "with horizon=0 the windows hold the rows"),
        (ridge, "the series has 2 columns and the predictions 1"),
    ],
)
def test_y_that_cannot_be_left_out(make_model, reason):
    train, test = split(walk(n_features=2))
    model = make_model().fit(train, train[:, 0])
    with pytest.raises(ValueError, match=f"y cannot be left out: .*{reason}.* Pass y"):
        ForecastDisplay.from_estimator(model, test)


# LossCurveDisplay


def test_loss_curves_hold_the_inputs():
    loss, validation = [0.5, 0.3, 0.2, 0.1], [0.6, 0.4, 0.3, 0.35]
    display = LossCurveDisplay(loss, validation, naive_loss=0.25).plot()
    training, held_out, lowest, naive = display.lines_
    assert_array_equal(training.get_xdata(), [1, 2, 3, 4])
    assert_array_equal(training.get_ydata(), loss)
    assert_array_equal(held_out.get_ydata(), validation)
    assert all(tick == round(tick) for tick in display.ax_.get_xticks())
    assert display.best_epoch == 3
    assert (lowest.get_xdata(), lowest.get_ydata()) == ([3], [0.3])
    assert_array_equal(naive.get_ydata(), [0.25, 0.25])
    assert labels(display) == [
        "Training loss",
        "Validation loss",
        "Lowest 0.3, in epoch 3",
        "Naive 0.25",
    ]
    assert display.ax_.get_yscale() == "log"
    assert display.plot(log=False).ax_.get_yscale() == "linear"
    assert labels(display.plot(name="GRU"))[0] == "GRU: training loss"


@pytest.mark.parametrize("loss", [[0.5, 0.0], [0.5, -0.1]])
def test_losses_that_are_not_positive_have_a_linear_scale(loss):
    assert LossCurveDisplay(loss).plot().ax_.get_yscale() == "linear"
    assert LossCurveDisplay([0.5, 0.4], loss).plot().ax_.get_yscale() == "linear"
    assert LossCurveDisplay([0.5, 0.4], naive_loss=0.0).plot().ax_.get_yscale() == "linear"


def test_losses_that_became_nan():
    display = LossCurveDisplay([0.5, np.nan, np.nan], [0.6, 0.4, np.nan]).plot()
    assert display.best_epoch == 2
    assert display.ax_.get_yscale() == "log"
    assert LossCurveDisplay([0.5], [np.nan]).plot().best_epoch is None


def test_loss_curve_of_a_network_inside_others():
    train, _ = split(walk())
    rnn = RNNRegressor("rnn", 2, epochs=3, early_stopping=True, random_state=0)
    model = TransformedTargetRegressor(
        make_pipeline(MinMaxScaler(), WindowTransformer(4), rnn), transformer=MinMaxScaler()
    ).fit(train, train)
    network = model.regressor_[-1]
    _, ax = plt.subplots()
    display = LossCurveDisplay.from_estimator(model, ax=ax, naive_loss=0.01, name="rnn")
    assert display.ax_ is ax
    assert_array_equal(display.lines_[0].get_ydata(), network.loss_curve_)
    assert_array_equal(display.lines_[1].get_ydata(), network.validation_loss_curve_)
    assert display.best_epoch == np.argmin(network.validation_loss_curve_) + 1
    assert (display.naive_loss, display.name) == (0.01, "rnn")


def test_loss_curve_of_scikit_learns_network_in_a_search():
    X = walk(40, 2)
    mlp = make_pipeline(MinMaxScaler(), MLPRegressor(solver="sgd", max_iter=500))
    search = GridSearchCV(mlp, {"mlpregressor__alpha": [1e-4]}, cv=2).fit(X, X[:, 0] / 50)
    display = LossCurveDisplay.from_estimator(search)
    assert_array_equal(display.loss_curve, search.best_estimator_[-1].loss_curve_)
    assert display.validation_loss_curve is None
    assert len(display.lines_) == 1


def test_loss_curve_errors():
    with pytest.raises(ValueError, match="loss_curve has 3, validation_loss_curve has 2"):
        LossCurveDisplay([3, 2, 1], [2, 1])
    with pytest.raises(NotFittedError):
        LossCurveDisplay.from_estimator(RNNRegressor())
    X = walk(40)
    with pytest.raises(ValueError, match="Pipeline has no loss_curve_"):
        LossCurveDisplay.from_estimator(make_pipeline(MinMaxScaler(), Ridge()).fit(X, X))


# Both


def test_matplotlib_is_imported_when_something_is_drawn():
    code = (
        "import sys, skrnn\n"
        "display = skrnn.ForecastDisplay([1.0], [2.0])\n"
        "skrnn.LossCurveDisplay([1.0])\n"
        "assert 'matplotlib' not in sys.modules and 'tensorflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"ForecastDisplay.plot needs matplotlib. .*pip install"):
        ForecastDisplay([1.0], [1.0]).plot()
    with pytest.raises(ImportError, match=r"LossCurveDisplay.plot needs matplotlib"):
        LossCurveDisplay([1.0]).plot()


def test_settings_of_matplotlib_stay_as_they_were():
    before = dict(matplotlib.rcParams)
    train, test = split(walk())
    ForecastDisplay.from_estimator(ridge().fit(train, train.ravel()), test, test.ravel())
    LossCurveDisplay([2.0, 1.0], [2.0, 1.0]).plot()
    assert dict(matplotlib.rcParams) == before


def test_rows_of_other_labels_are_not_compared():
    dates = pd.date_range("2020-01-01", periods=3)
    y_true = pd.Series([1.0, 2.0, 3.0], dates)
    message = r"Row 0 of y_pred is 2020-01-03 .* and of y_true 2020-01-01"
    with pytest.raises(ValueError, match=message):
        ForecastDisplay(y_true, y_true[::-1])
    bounds = pd.DataFrame({"lower": [0.0, 1.0, 2.0], "upper": [2.0, 3.0, 4.0]}, dates)
    with pytest.raises(ValueError, match=r"Row 0 of y_interval .* reindex y_interval like y_true"):
        ForecastDisplay(y_true, y_true, y_interval=bounds[::-1])
    # Arrays, and rows that are only counted, have no labels to differ by.
    counted = y_true.reset_index(drop=True)
    assert ForecastDisplay(y_true, counted, y_interval=bounds.to_numpy()).rmse == 0


def test_bounds_the_wrong_way_round():
    message = r"y_interval has 3 and 2 in row 1: pass the lower bound before the upper one"
    with pytest.raises(ValueError, match=message):
        ForecastDisplay([1.0, 2.0], [1.0, 2.0], y_interval=[[0.0, 2.0], [3.0, 2.0]])
