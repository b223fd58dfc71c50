"""ForecastDisplay: scores, naive forecasts and errors."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler

from skrnn import ForecastDisplay, NaiveRegressor, WindowTransformer, backtest

from .helpers import MODELS, N_TRAIN, labels, ridge, scaled_last_step, scaled_target, split, walk


def test_scores_and_legend_equal_manual_computations():
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


def test_lines_contain_the_inputs():
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
def test_default_naive_forecast_is_the_value_horizon_rows_earlier(horizon):
    past, y = walk(30).ravel()[:10], walk(30).ravel()[10:]
    display = ForecastDisplay.from_predictions(y, y + 1, y_past=past, horizon=horizon)
    assert_array_equal(display.y_naive, walk(30).ravel()[10 - horizon : -horizon])
    assert display.rmse == pytest.approx(1)

    display = ForecastDisplay.from_predictions(y, y * 1.1, horizon=horizon)
    assert np.isnan(display.y_naive[:horizon]).all()
    assert_array_equal(display.y_naive[horizon:], y[:-horizon])
    # Both scores are computed from the rows that have a naive forecast.
    assert display.rmse == pytest.approx(root_mean_squared_error(y[horizon:], 1.1 * y[horizon:]))
    assert display.rmse_naive == pytest.approx(root_mean_squared_error(y[horizon:], y[:-horizon]))


def test_past_values_shorter_than_the_horizon():
    display = ForecastDisplay.from_predictions(
        [3.0, 4.0, 5.0, 6.0], [0.0] * 4, y_past=[2.0], horizon=3
    )
    assert_array_equal(display.y_naive, [np.nan, np.nan, 2, 3])
    display = ForecastDisplay.from_predictions([3.0], [0.0], y_past=[1.0, 2.0], horizon=2)
    assert_array_equal(display.y_naive, [1])


def test_unobserved_rows_are_gaps_and_not_scored():
    series = walk(30).ravel()
    y, y_pred = series[10:].copy(), series[10:] + 2
    y[-5:] = np.nan
    display = ForecastDisplay.from_predictions(y, y_pred, y_past=series[:10])
    assert display.rmse == pytest.approx(2)
    assert display.rmse_naive == pytest.approx(root_mean_squared_error(y[:-5], series[9:-6]))
    assert_array_equal(display.lines_[0].get_ydata(), y)
    assert_array_equal(display.lines_[1].get_ydata(), y_pred)
    assert display.y_naive[-5] == y[-6]  # the first unobserved row has a naive forecast
    assert np.isnan(display.y_naive[-4:]).all()


def test_without_observed_values_only_forecasts_are_plotted():
    unknown = np.full(4, np.nan)
    display = ForecastDisplay.from_predictions(unknown, np.arange(4.0), y_past=[1.0])
    assert labels(display) == ["Predicted", "Naive"]
    assert len(display.lines_) == 2
    assert np.isnan([display.rmse, display.rmse_naive, display.skill]).all()
    display = ForecastDisplay.from_predictions(unknown, np.arange(4.0))
    assert labels(display) == ["Predicted"]


def test_without_naive_values_only_the_forecast_is_scored():
    display = ForecastDisplay([1.0, 2.0], [2.0, 3.0], [np.nan, np.nan]).plot()
    assert display.rmse == 1
    assert np.isnan([display.rmse_naive, display.skill]).all()
    assert labels(display) == ["Real", "Predicted (RMSE 1)"]
    assert labels(ForecastDisplay([1.0, 2.0], [2.0, 3.0]).plot()) == ["Real", "Predicted (RMSE 1)"]


def test_rounded_negative_skill_has_no_sign():
    display = ForecastDisplay([0.0], [1.00001], [1.0]).plot()
    assert display.skill < 0
    assert labels(display)[1].endswith("skill 0.000)")


def test_intervals_and_coverage():
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
    color = display.bands_[0].get_facecolor()[0, :3]
    assert_allclose(color, mpl.colors.to_rgb(display.lines_[1].get_color()))
    again = display.plot(interval_kwargs={"alpha": 0.5, "color": "red"})
    assert_allclose(again.bands_[0].get_facecolor()[0], [1, 0, 0, 0.5])


def test_intervals_of_multiple_outputs():
    y, y_pred = walk(20, 2), walk(20, 2, seed=1)
    width = np.array([1, 100])
    lower, upper = y_pred - width, y_pred + width
    bounds = np.c_[lower[:, 0], upper[:, 0], lower[:, 1], upper[:, 1]]
    display = ForecastDisplay.from_predictions(y, y_pred, y_interval=bounds)
    assert display.coverage[1] == 1
    assert len(display.bands_) == 2
    assert len(display.plot(output=1).bands_) == 1
    with pytest.raises(ValueError, match=r"y_interval has 2 columns, but 2 outputs.*Pass the 4"):
        ForecastDisplay(y, y_pred, y_interval=bounds[:, :2])
    with pytest.raises(ValueError, match=r"same number of rows.*y_interval has 3"):
        ForecastDisplay(y, y_pred, y_interval=bounds[:3])


def test_without_intervals_or_observed_values_coverage_is_nan():
    display = ForecastDisplay([1.0, 2.0], [2.0, 3.0]).plot()
    assert display.bands_ == []
    assert np.isnan(display.coverage)
    ahead = ForecastDisplay([np.nan], [2.0], y_interval=[[1.0, 3.0]]).plot()
    assert labels(ahead) == ["Predicted", "Interval"]


def test_display_of_a_backtest():
    series = walk(60)
    result = backtest(ridge(), series, series, cv=3)
    display = ForecastDisplay.from_predictions(
        result.y_true, result.y_pred, y_naive=result.y_naive, index=result.rows
    )
    assert display.rmse == pytest.approx(result.rmse)
    assert display.skill == pytest.approx(result.skill)
    assert_array_equal(display.lines_[0].get_xdata(), result.rows)


@pytest.mark.parametrize("make_model", MODELS)
@pytest.mark.parametrize("horizon", [1, 3])
def test_naive_forecast_of_an_estimator_is_known_for_all_rows(make_model, horizon):
    series = walk()
    train, test = split(series)
    model = make_model(horizon=horizon).fit(train, train.ravel())
    display = ForecastDisplay.from_estimator(model, test, test.ravel())
    assert_allclose(display.y_naive, series[N_TRAIN - horizon : -horizon, 0], rtol=1e-12)
    assert_allclose(display.y_pred, model.predict(test))
    assert_array_equal(display.y_true, test.ravel())
    naive = series[N_TRAIN - horizon : -horizon, 0]
    assert display.rmse_naive == pytest.approx(root_mean_squared_error(test, naive))


def test_naive_forecast_repeats_the_target_column():
    series = walk(n_features=3)
    train, test = split(series)
    model = scaled_target().fit(train, train[:, 2])
    display = ForecastDisplay.from_estimator(model, test, test[:, 2])
    assert_allclose(display.y_naive, series[N_TRAIN - 1 : -1, 2])


def test_naive_forecast_in_float32():
    train, test = split(walk().astype(np.float32))
    model = scaled_target().fit(train, train.ravel())
    display = ForecastDisplay.from_estimator(model, test, test.ravel())
    assert_allclose(display.y_naive[:2], [train[-1, 0], test[0, 0]], rtol=1e-5)


def test_naive_regressor_has_zero_skill():
    train, test = split(walk())
    naive = TransformedTargetRegressor(
        make_pipeline(MinMaxScaler(), WindowTransformer(5), NaiveRegressor()),
        transformer=MinMaxScaler(),
    ).fit(train, train)
    display = ForecastDisplay.from_estimator(naive, test, test)
    assert display.skill == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("rows", [1, 2])
def test_two_rows_do_not_identify_the_target_column(rows):
    train, test = split(walk(n_features=2))
    model = scaled_target().fit(train, train[:, 1])
    display = ForecastDisplay.from_estimator(model, test[:rows], test[:rows, 1])
    assert_array_equal(display.y_naive, [np.nan, test[0, 1]][:rows])
    assert len(display.lines_) == rows + 1


def test_target_outside_the_windows_is_shifted_by_their_horizon():
    (train, test), (other_train, other) = split(walk()), split(walk(seed=1).ravel())
    model = scaled_target(horizon=2).fit(train, other_train)
    display = ForecastDisplay.from_estimator(model, test, other)
    assert_array_equal(display.y_naive, np.r_[np.nan, np.nan, other[:-2]])


def test_naive_forecast_with_horizon_zero_is_the_previous_row():
    train, test = split(walk())
    model = ridge(horizon=0).fit(train, train.ravel() * 2)
    display = ForecastDisplay.from_estimator(model, test, test.ravel() * 2)
    assert_array_equal(display.y_naive, np.r_[np.nan, 2 * test[:-1, 0]])


def test_naive_forecast_without_windows_is_the_previous_row():
    X, y = walk(30, 2), walk(30, seed=1).ravel()
    model = make_pipeline(MinMaxScaler(), LinearRegression()).fit(X, y)
    display = ForecastDisplay.from_estimator(model, X, y)
    assert_array_equal(display.y_naive, np.r_[np.nan, y[:-1]])
    assert_array_equal(display.y_true, y)


@pytest.mark.parametrize("horizon", [1, 3])
def test_incomplete_windows_are_excluded(horizon):
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


def test_default_y_is_the_series_of_the_windows():
    train, test = split(walk(n_features=2))
    model = ridge().fit(train)
    display = ForecastDisplay.from_estimator(model, test)
    scaled = model[0].transform(test)
    assert_allclose(display.y_true, scaled)
    assert_allclose(display.y_naive, np.r_[model[0].transform(train[-1:]), scaled[:-1]])


def test_unobserved_rows_of_an_estimator():
    train, test = split(walk())
    model = scaled_target(horizon=3).fit(train, train.ravel())
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
    assert model[1].flatten  # the estimator is not changed


def test_gap_in_the_index_warns_once():
    days = pd.date_range("2024-01-01", periods=120, name="day")
    frame = pd.DataFrame(walk(), columns=["close"], index=days)
    train, test = split(frame)
    window = WindowTransformer(5, flatten=True)
    model = make_pipeline(window, Ridge(1e-2)).fit(train, train["close"])
    with pytest.warns(UserWarning, match="Rows may be missing") as record:
        ForecastDisplay.from_estimator(model, test[3:], test["close"][3:])
    assert len(record) == 1


def test_line_styles_and_markers():
    display = ForecastDisplay.from_predictions([1.0, np.nan, 2.0], [1.0, 1.5, 2.0], y_past=[1.0])
    assert all(line.get_marker() == "." for line in display.lines_)
    real, predicted, naive = display.lines_
    assert naive.get_zorder() > predicted.get_zorder()
    assert naive.get_linestyle() == "--"
    assert real.get_linewidth() > 2 * predicted.get_linewidth()
    colors = {line.get_color() for line in display.lines_}
    assert len(colors) == 3


def test_one_plot_per_output():
    frame = pd.DataFrame(walk(n_features=2), columns=["open", "close"])
    train, test = split(frame)
    model = scaled_target().fit(train, train)
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


def test_column_names_of_X_are_not_used_for_selected_columns():
    frame = pd.DataFrame(walk(n_features=2), columns=["open", "close"])
    first = make_pipeline(FunctionTransformer(lambda X: X[["close"]]), ridge()).fit(frame)
    display = ForecastDisplay.from_estimator(first, frame)
    assert display.output_names is None
    assert display.y_true.shape == (115, 1)


def test_single_column_is_one_output():
    y = walk(20)
    display = ForecastDisplay.from_predictions(y, y.ravel() + 1, y_past=[5.0])
    assert isinstance(display.rmse, float)
    assert display.y_naive[0] == 5
    assert_array_equal(display.lines_[0].get_ydata(), y.ravel())


def test_different_lengths_raise():
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


def test_different_numbers_of_outputs_raise():
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
    with pytest.raises(ValueError, match="2 plots need 2 Axes, got 1"):
        display.plot(Figure().subplots())


def test_invalid_values_raise():
    with pytest.raises(ValueError, match="y_pred is infinite in row 1"):
        ForecastDisplay([1.0, 2.0], [1.0, np.inf])
    with pytest.raises(ValueError, match=r"y_true must be .* contain values, got \(0,\)"):
        ForecastDisplay([], [])
    with pytest.raises(ValueError, match="horizon must be an int of at least 1, got 0"):
        ForecastDisplay.from_predictions([1.0], [1.0], horizon=0)


def test_invalid_estimators_raise():
    train, test = split(walk())
    with pytest.raises(NotFittedError):
        ForecastDisplay.from_estimator(scaled_target(), test, test)
    frame = pd.DataFrame(train, columns=["close"])
    model = (
        ridge(window_length=30).set_params(minmaxscaler=None).fit(frame[40:], frame["close"][40:])
    )
    with (
        pytest.warns(UserWarning, match="No context is prepended"),
        pytest.raises(ValueError, match="None of the 20 windows is complete"),
    ):
        ForecastDisplay.from_estimator(model, frame[:20], frame["close"][:20])


@pytest.mark.parametrize(
    ("make_model", "reason"),
    [
        (scaled_target, "a TransformedTargetRegressor was fitted with a y"),
        (scaled_last_step, "a TransformedTargetRegressor was fitted with a y"),
        (lambda: make_pipeline(FunctionTransformer(), Ridge()), "no WindowTransformer"),
        (lambda: ridge(horizon=0), "with horizon=0 the windows contain the rows"),
        (ridge, "the series has 2 columns and the predictions 1"),
    ],
)
def test_missing_y_raises(make_model, reason):
    train, test = split(walk(n_features=2))
    model = make_model().fit(train, train[:, 0])
    with pytest.raises(ValueError, match=f"y cannot be omitted: .*{reason}.* Pass y"):
        ForecastDisplay.from_estimator(model, test)


def test_different_labels_raise():
    dates = pd.date_range("2020-01-01", periods=3)
    y_true = pd.Series([1.0, 2.0, 3.0], dates)
    message = r"Row 0 of y_pred is 2020-01-03 .* and of y_true 2020-01-01"
    with pytest.raises(ValueError, match=message):
        ForecastDisplay(y_true, y_true[::-1])
    bounds = pd.DataFrame({"lower": [0.0, 1.0, 2.0], "upper": [2.0, 3.0, 4.0]}, dates)
    with pytest.raises(ValueError, match=r"Row 0 of y_interval .* reindex y_interval like y_true"):
        ForecastDisplay(y_true, y_true, y_interval=bounds[::-1])
    # Arrays and data with the default index have no labels.
    unlabeled = y_true.reset_index(drop=True)
    assert ForecastDisplay(y_true, unlabeled, y_interval=bounds.to_numpy()).rmse == 0


def test_lower_bound_above_upper_bound_raises():
    message = r"y_interval has 3 and 2 in row 1\. Pass the lower bound before the upper bound"
    with pytest.raises(ValueError, match=message):
        ForecastDisplay([1.0, 2.0], [1.0, 2.0], y_interval=[[0.0, 2.0], [3.0, 2.0]])
