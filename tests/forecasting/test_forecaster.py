import copy
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sktime.datasets import load_solar
from sktime.forecasting.base import ForecastingHorizon
from sktime.forecasting.compose import EnsembleForecaster, TransformedTargetForecaster
from sktime.forecasting.model_evaluation import evaluate
from sktime.forecasting.model_selection import ForecastingGridSearchCV
from sktime.forecasting.naive import NaiveForecaster
from sktime.performance_metrics.forecasting import MeanAbsoluteError
from sktime.split import ExpandingWindowSplitter
from sktime.utils.estimator_checks import check_estimator

from skrnn import RNNForecaster
from skrnn.datasets import load_airline, make_ar

from .helpers import MONTHS, autoregressions, monthly, needs_pretrain, panel, sktime_warns, small

STRATEGIES = ["recursive", "multioutput", "direct"]

# Accuracy


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("decoder", ["dense", pytest.param("recurrent", marks=pytest.mark.slow)])
def test_wave_is_learned(strategy, decoder):
    y = pd.Series(50 + 10 * np.sin(np.arange(130) / 4))
    forecaster = small(strategy=strategy, decoder=decoder, epochs=100, learning_rate=0.02)
    forecast = forecaster.fit(y[:120], fh=[1, 2, 3]).predict()
    assert_array_equal(forecast.index, [120, 121, 122])
    errors, naive_errors = forecast - y[forecast.index], y[119] - y[forecast.index]
    assert np.abs(errors).max() < 0.2 * np.abs(naive_errors).max()
    assert (np.array(forecaster.model_.models[0].strategy.weights) > 0.8).all()


@pytest.mark.parametrize("strategy", ["recursive", "multioutput"])
def test_line_and_season_are_continued(strategy):
    y = monthly(noise=0.0)
    forecaster = small(sp=12, strategy=strategy, log=False, epochs=1).fit(y[:48], fh=[1, 2, 3])
    assert_allclose(forecaster.predict(fh=range(1, 13)), y[48:], atol=1.5)


@pytest.mark.slow
def test_error_on_an_autoregression_is_close_to_the_smallest_possible():
    x = pd.Series(make_ar(600, (1.2, -0.5), random_state=0)[:, 0])
    forecaster = RNNForecaster(8, units=8, random_state=0).fit(x[:400], fh=[1])
    forecast = forecaster.predict(fh=np.arange(-390, 1))
    best = 1.2 * x.shift(1) - 0.5 * x.shift(2)

    def rmse(forecast):
        return np.sqrt(np.mean((forecast - x)[20:400] ** 2))

    assert rmse(forecast) < 1.1 * rmse(best)
    assert rmse(forecast) < 0.9 * rmse(x.shift(1))


def test_random_walk_is_forecast_by_its_last_value():
    walk = pd.Series(np.random.default_rng(0).normal(size=400).cumsum())
    forecaster = small(epochs=20).fit(walk[:300], fh=[1, 2, 3])
    forecaster.update(walk[300:], update_params=False)
    forecast = forecaster.predict(fh=np.arange(-99, 1))
    error = np.sqrt(np.mean((forecast - walk[300:]) ** 2))
    assert error < 1.02 * np.sqrt(np.mean(np.diff(walk[299:]) ** 2))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("slope", [0.0, 0.3])
def test_forecast_reverts_to_the_line(strategy, slope):
    line = 50 + slope * np.arange(140)
    errors = []
    for values in autoregressions(0.5, 120, 3):
        values[-1] = 5.0  # a large deviation, which an autoregression does not keep
        y = pd.Series(line[:120] + values)
        fh = [5, 20] if strategy == "direct" else [1, 2, 3]
        forecaster = small(strategy=strategy, log=False).fit(y, fh=fh)
        errors.append(forecaster.predict(fh=[5, 20]) - line[[124, 139]])
    assert np.abs(np.mean(errors)) < 2.5


@pytest.mark.slow
def test_solar_forecast_from_noon_beats_the_seasonal_naive_forecast():
    y = load_solar(api_version=None).reset_index(drop=True)
    errors, naive_errors = [], []
    for n in (173, 215):  # an afternoon, and the noon of a bright day
        forecast = RNNForecaster(sp=48, epochs=5, random_state=0).fit(y[:n], fh=range(1, 49))
        errors.append(forecast.predict() - y[n : n + 48])
        naive_errors.append(y[n - 48 : n].to_numpy() - y[n : n + 48])
    assert np.mean(np.square(errors)) < np.mean(np.square(naive_errors))


def test_a_column_is_forecast_from_another_column():
    cause = np.random.default_rng(0).normal(size=200)
    y = pd.DataFrame({"effect": np.r_[0.0, cause[:-1]], "cause": cause})
    forecaster = small(log=False, epochs=60, learning_rate=0.02, residual=False)
    forecast = forecaster.fit(y[:-1], fh=[1]).predict()
    assert list(forecast.columns) == ["effect", "cause"]
    assert abs(forecast["effect"].iloc[0] - y["effect"].iloc[-1]) < 0.4


@pytest.mark.parametrize(
    ("strategy", "decoder"),
    [
        ("multioutput", "dense"),
        ("recursive", "dense"),
        pytest.param("multioutput", "recurrent", marks=pytest.mark.slow),
        pytest.param("recursive", "recurrent", marks=pytest.mark.slow),
        pytest.param("direct", "dense", marks=pytest.mark.slow),
        pytest.param("direct", "recurrent", marks=pytest.mark.slow),
    ],
)
def test_future_exogenous_variables_are_used(strategy, decoder):
    X = pd.DataFrame({"price": np.random.default_rng(0).choice([0.0, 1.0], size=200)})
    y = 20 + 10 * X["price"]
    parameters = {"strategy": strategy, "decoder": decoder, "log": False, "residual": False}
    forecaster = small(epochs=60, learning_rate=0.02, **parameters)
    fh = [1, 3] if strategy == "direct" else [1, 2, 3]
    forecast = forecaster.fit(y[:-3], X[:-3], fh=fh).predict(X=X[-3:])
    assert_allclose(forecast, y[forecast.index], atol=2.5)


# Horizons and indexes

INDEXES = {
    "range": pd.RangeIndex(5, 65),
    "period": MONTHS,
    "days": pd.date_range("2020-01-01", periods=60, freq="D"),
    "months": pd.date_range("2020-01-31", periods=60, freq="ME"),
    "half hours": pd.date_range("2020-01-01", periods=60, freq="30min"),
    "business days": pd.date_range("2020-01-01", periods=60, freq="B"),
}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES.keys())
def test_relative_and_absolute_horizons_are_equal(index, strategy):
    y = pd.Series(monthly(60).to_numpy(), index=index)
    forecaster = small(sp=12, strategy=strategy, early_stopping=False, epochs=1)
    forecast = forecaster.fit(y[:50], fh=[-2, 0, 1, 3]).predict()
    labels = index[[47, 49, 50, 52]]
    assert_array_equal(forecast.index, labels)
    absolute = ForecastingHorizon(labels, is_relative=False)
    assert_array_equal(forecaster.clone().fit(y[:50], fh=absolute).predict(), forecast)


def test_horizon_may_be_passed_to_predict():
    for strategy in ("recursive", "multioutput"):
        forecaster = small(strategy=strategy, sp=3).fit(monthly())
        long = forecaster.predict(fh=range(1, 31))
        assert long.notna().all()
        assert_array_equal(forecaster.predict(fh=[3, 20]), long.iloc[[2, 19]])
    with pytest.raises(ValueError, match=r"fh.* must be passed"):
        small(strategy="direct").fit(monthly())


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_in_sample_forecasts_use_previous_rows_only(strategy):
    y, fh = monthly(40), np.arange(-18, 1)
    forecaster = small(sp=12, strategy=strategy, log=False)
    forecaster.fit(y, fh=[1] if strategy == "direct" else [1, 2, 3])
    cv = ExpandingWindowSplitter(fh=[1], initial_window=20, step_length=1)
    moving = forecaster.update_predict(y, cv, update_params=False)
    if strategy == "direct":
        forecaster = forecaster.clone().fit(y, fh=fh)
    in_sample = forecaster.predict(fh=fh)
    common = moving.index.intersection(in_sample.index)
    assert len(common) > 15
    assert_allclose(moving[common], in_sample[common], rtol=1e-6)
    if strategy != "direct":
        assert len(forecaster.predict_residuals(y)) == 40


def test_first_rows_are_forecast_from_the_repeated_first_row():
    forecaster = small().fit(monthly(40), fh=[1, 2, 3])
    assert forecaster.predict(fh=np.arange(-39, 1)).notna().all()
    with pytest.raises(ValueError, match=r"begins at 2015-01, but fh contains 2014-12"):
        forecaster.predict(fh=[-40])


def test_unevenly_spaced_dates_raise():
    dates = pd.DatetimeIndex(["2020-01-01", "2020-01-02", "2020-01-05", "2020-01-06"] * 10)
    dates += pd.to_timedelta(np.arange(40) // 4 * 7, unit="D")
    with pytest.raises(ValueError, match=r"not evenly spaced.*reset_index\(drop=True\)"):
        small().fit(pd.Series(np.arange(40.0), dates), fh=[1])


@pytest.mark.parametrize(("freq", "n_rows"), [("B", 5), ("MS", 3), ("YS", 4), ("QS", 3)])
def test_frequency_of_a_few_dates_is_not_taken_for_daily(freq, n_rows):
    dates = pd.date_range("2024-01-01", periods=15, freq=freq)
    y = pd.Series(np.arange(15.0), dates)
    forecaster = small(window_length=1, epochs=1).fit(y[:n_rows], fh=[1])
    forecaster.update(y[n_rows:10], update_params=False)
    assert forecaster.predict().index[0] == dates[10]


# Updates


@pytest.mark.parametrize("strategy", ["recursive", "multioutput"])
def test_update_without_parameters_appends_rows(strategy):
    y = monthly()
    forecaster = small(sp=12, strategy=strategy).fit(y[:50], fh=[1, 2, 3])
    (network,) = forecaster.model_.models[0].strategy.networks[0]
    before = network.model_.get_weights()
    forecast = forecaster.predict()
    forecaster.update(y[50:55], update_params=False)
    assert forecaster.cutoff[0] == y.index[54]
    ((updated,),) = forecaster.model_.models[0].strategy.networks
    for old, new in zip(before, updated.model_.get_weights(), strict=True):
        assert_array_equal(old, new)
    assert_array_equal(forecaster.predict(fh=[-4]), forecast[:1])
    assert_array_equal(forecaster.predict(fh=[1]).index, y.index[55:56])


def test_update_with_parameters_resumes_training():
    y = monthly()
    forecaster = small(sp=12).fit(y[:50], fh=[1, 2, 3])
    model = forecaster.model_
    ((network,),) = model.models[0].strategy.networks
    n_epochs = network.n_iter_
    forecaster.update(y[50:], update_params=True)
    ((trained,),) = forecaster.model_.models[0].strategy.networks
    assert trained.n_iter_ > n_epochs
    assert network.n_iter_ == n_epochs  # copies of the forecaster share it
    assert forecaster.model_ is not model
    assert_array_equal(forecaster.predict().index, pd.period_range("2020-01", periods=3, freq="M"))


def test_updated_rows_replace_older_ones():
    y = monthly()
    forecaster = small(log=False).fit(y[:50], fh=[1, 2, 3])
    forecaster.update(y[40:55] + 1000, update_params=False)
    assert (forecaster.predict(fh=[-10, 0, 1]) > 1000).all()  # months 44, 54 and 55
    assert (forecaster.predict(fh=[-40, -15]) < 200).all()  # months 14 and 39


@pytest.mark.parametrize("update_params", [True, False])
def test_update_predict(update_params):
    y = monthly()
    forecaster = small(sp=12).fit(y[:40], fh=[1, 2, 3])
    cv = ExpandingWindowSplitter(fh=[1, 2, 3], initial_window=5, step_length=5)
    forecasts = forecaster.update_predict(y[40:], cv, update_params=update_params)
    assert forecasts.shape[1] == 3
    assert forecaster.cutoff[0] == y.index[39]


def test_failed_update_changes_nothing():
    y = monthly()
    forecaster = small().fit(y[:40], fh=[1, 2, 3])
    expected = forecaster.predict()
    with pytest.raises(ValueError, match=r"no row between 2018-04 and 2018-10.*fill"):
        forecaster.update(y[45:], update_params=False)
    with pytest.raises(ValueError, match=r"y has 2 index levels, but 1 are needed"):
        forecaster.update(panel(), update_params=False)
    logarithmic = small(log=True).fit(y[:40], fh=[1, 2, 3])
    for update_params in (True, False):
        with pytest.raises(ValueError, match=r"contains -.*, which has no logarithm.*log=False"):
            logarithmic.update(-y[40:], update_params=update_params)
    pd.testing.assert_series_equal(forecaster.predict(), expected)


def two_columns():
    y = monthly()
    return pd.DataFrame({"u": y, "v": 1000 + 10 * y})


def test_columns_of_an_update_may_be_in_another_order():
    frame = two_columns()
    forecaster = small(log=False).fit(frame[:50], fh=[1])
    other = copy.deepcopy(forecaster)
    expected = forecaster.update(frame[50:], update_params=False).predict()
    forecast = other.update(frame[50:][["v", "u"]], update_params=False).predict()
    pd.testing.assert_frame_equal(forecast, expected)
    with pytest.raises(ValueError, match=r"y has the columns \['u', 'r'\], but .* \['u', 'v'\]"):
        other.update(frame[50:].rename(columns={"v": "r"}), update_params=False)


def test_intervals_keep_the_columns_of_fit_after_updates():
    frame = two_columns()
    forecaster = small(log=False).fit(frame[:50], fh=[1])
    forecaster.update(frame[50:52][["v", "u"]], update_params=False)
    with pytest.raises(ValueError, match="no row between"):
        forecaster.update(frame[55:56][["v", "u"]], update_params=False)
    forecast, bounds = forecaster.predict(), forecaster.predict_interval(coverage=0.9)
    for column in "uv":
        lower, upper = bounds[column].to_numpy()[0]
        assert lower < forecast[column].iloc[0] < upper


# Panels


@pytest.mark.parametrize("levels", [1, 2])
def test_panel_has_a_forecast_for_every_series(levels):
    frame = panel(levels=levels)
    forecast = small(sp=12).fit(frame, fh=[1, 2, 3]).predict(fh=[1, 3])
    assert forecast.index.names == frame.index.names
    expected = [
        (*np.atleast_1d(key), month)
        for key in frame.index.droplevel("month").unique().sort_values()
        for month in pd.PeriodIndex(["2020-01", "2020-03"], freq="M")
    ]
    assert forecast.index.tolist() == expected
    assert list(forecast.columns) == ["sales"]


def test_forecast_depends_on_the_past_of_its_own_series():
    forecaster = small(sp=12).fit(panel(), fh=[1, 2, 3])
    forecast = forecaster.predict()
    changed = panel()
    changed.loc["s2"] *= 3.0
    forecaster.update(changed.loc[["s2"]], update_params=False)
    again = forecaster.predict()
    assert_array_equal(again.loc["s0"], forecast.loc["s0"])
    assert (again.loc["s2"] != forecast.loc["s2"]).all(axis=None)


def test_series_that_end_earlier_are_forecast_to_the_same_months():
    values = np.tile(np.arange(12.0), 5) * 5 + 50 + 0.1 * np.random.default_rng(0).normal(size=60)
    series = pd.Series(values, pd.date_range("2000-01", periods=60, freq="MS"))
    y = pd.concat({"a": series[:57], "b": series[5:]}, names=["i", "t"]).to_frame("y")
    fh = ForecastingHorizon(pd.date_range("2005-01", periods=3, freq="MS"), is_relative=False)
    forecast = small(sp=12).fit(y, fh=fh).predict()
    assert_allclose(forecast["y"], [50, 55, 60] * 2, atol=2)


def test_forecast_is_proportional_to_the_scale_of_a_series():
    frame = panel((60, 60))
    larger = frame.copy()
    larger.loc["s1"] *= 1000.0
    forecast, other = (
        small(sp=12, log=False).fit(f, fh=[1, 2, 3]).predict() for f in (frame, larger)
    )
    assert_allclose(other.loc["s1"], 1000 * forecast.loc["s1"], rtol=1e-4)
    assert_allclose(other.loc["s0"], forecast.loc["s0"], rtol=1e-4)


def test_unseen_series_are_forecast_after_an_update():
    new = monthly(noise=0.5, seed=9, scale=50.0)
    forecaster = small(sp=12).fit(panel((60, 60, 60)), fh=[1, 2, 3])
    unseen = pd.concat({"new": new.to_frame()}, names=["shop"])
    forecast = forecaster.update(unseen, update_params=False).predict()
    assert set(forecast.index.get_level_values(0)) == {"s0", "s1", "s2", "new"}
    assert_allclose(forecast.loc["new"]["sales"], new.to_numpy()[-12:-9] + 50 * 6, rtol=0.1)


@needs_pretrain
def test_unseen_series_are_forecast_after_pretraining():
    new = monthly(noise=0.5, seed=9, scale=50.0)
    forecaster = small(sp=12).pretrain(panel((60, 60, 60)), fh=range(1, 4))
    networks = forecaster.model_.models[0].strategy.networks
    forecast = forecaster.fit(new, fh=range(1, 4)).predict()
    assert forecaster.model_.models[0].strategy.networks is networks
    assert_allclose(forecast, new.to_numpy()[-12:-9] + 50 * 6, rtol=0.1)
    wide = pd.DataFrame({"a": new, "b": new})
    with pytest.raises(ValueError, match=r"y has 2 columns, but the networks were trained on 1"):
        forecaster.fit(wide, fh=[1])


@needs_pretrain
def test_pretraining_is_resumed_with_another_panel():
    forecaster = small(sp=12).pretrain(panel((60, 60)), fh=[1, 2, 3])
    ((network,),) = forecaster.model_.models[0].strategy.networks
    n_epochs = network.n_iter_
    forecaster.pretrain(panel((60, 60), noise=2.0))
    ((resumed,),) = forecaster.model_.models[0].strategy.networks
    assert resumed.n_iter_ > n_epochs == network.n_iter_


@needs_pretrain
def test_columns_are_in_the_order_of_pretraining():
    frame = two_columns()
    frames = pd.concat({"a": frame, "b": 2 * frame}, names=["key", "month"])
    trained = small(log=False).pretrain(frames, fh=[1, 2])
    expected = trained.clone().fit(frame, fh=[1, 2]).predict()
    forecast = trained.clone().fit(frame[["v", "u"]], fh=[1, 2]).predict()
    pd.testing.assert_frame_equal(forecast[["u", "v"]], expected)


@needs_pretrain
def test_series_that_differ_from_those_of_pretraining_raise():
    frame = panel((60, 60))
    X = pd.DataFrame({"a": 1.0, "b": np.arange(120.0)}, index=frame.index)
    y = monthly()
    trained = small(sp=12, epochs=1).pretrain(frame, X, fh=MONTHS[-1:] + 3)
    assert trained.model_.steps == [1, 2, 3]
    with pytest.raises(ValueError, match=r"X has the columns \['a'\], but .*\['a', 'b'\]"):
        trained.clone().fit(y, X.loc["s0"][["a"]], fh=[1])
    with pytest.raises(ValueError, match=r"The series has no X, but .* was fitted with X"):
        trained.clone().fit(y, fh=[1])
    without_X = small(sp=12).pretrain(frame, fh=[1, 2, 3])
    with pytest.raises(ValueError, match=r"but the forecaster was fitted with no X"):
        without_X.clone().fit(y, X.loc["s0"], fh=[1])
    # Seasonal indices of months do not apply to days. Without a season, days are accepted.
    days = y.set_axis(pd.date_range("2020-01-01", periods=60))
    with pytest.raises(ValueError, match=r"has the unit .*'D'.*, but .* estimated with the unit"):
        without_X.clone().fit(days, fh=[1])
    forecast = small().pretrain(frame, fh=[1, 2, 3]).fit(days, fh=[1]).predict()
    assert forecast.index[0] == days.index[-1] + pd.Timedelta("1D")


@pytest.mark.parametrize("freq", ["ME", "h", "B"])
@pytest.mark.filterwarnings("ignore:PeriodDtype:FutureWarning")  # of sktime, for "B"
def test_dates_of_a_panel_need_no_frequency(freq):
    dates = pd.date_range("2020-01-01", periods=40, freq=freq)
    frame = pd.concat({key: pd.DataFrame({"v": np.arange(37.0)}, dates[:37]) for key in "ab"})
    frame = frame.reset_index().set_index(["level_0", "level_1"])
    assert frame.index.levels[1].freq is None
    forecaster = small(epochs=1).fit(frame, fh=[1, 3])
    relative = forecaster.predict()
    assert [*relative.loc["a"].index] == [dates[37], dates[39]]
    pd.testing.assert_frame_equal(forecaster.predict(fh=dates[[37, 39]]), relative)
    assert [*forecaster.predict(fh=[-1, 2]).loc["b"].index] == [dates[35], dates[38]]
    new = pd.DataFrame({"v": 37.0}, pd.MultiIndex.from_product([["a", "b"], dates[37:38]]))
    forecaster.update(new, update_params=False)
    assert [*forecaster.predict_interval(fh=[1]).loc["a"].index] == [dates[38]]


@pytest.mark.parametrize("n_rows", [1, 3])
def test_frequency_is_that_of_the_longest_series(n_rows):
    dates = pd.date_range("2024-01-01", periods=40, freq="B")
    y = pd.Series(np.arange(40.0), dates)
    frame = pd.concat({"a": y[-n_rows:].to_frame("y"), "b": y.to_frame("y")}, names=["key", "day"])
    forecast = small(epochs=1).fit(frame, fh=[1, 2, 3]).predict()
    assert len(forecast.loc["a"]) == len(forecast.loc["b"]) == 3


def test_series_shorter_than_a_season_in_a_panel_of_seasonal_differences():
    frame = pd.concat([panel((60, 60)), panel((60,)).rename({"s0": "short"}).iloc[-1:]])
    forecaster = small(sp=12, seasonal="difference").fit(frame, fh=[1, 2, 3])
    assert np.isfinite(forecaster.predict_interval()).all(axis=None)


def test_steps_without_a_network_raise():
    forecaster = small(strategy="direct").fit(panel((40, 40)), fh=[1, 2])
    later = pd.period_range("2020-01", periods=2, freq="M", name="month")
    new = pd.concat({"s0": pd.DataFrame({"sales": [130.0, 131.0]}, later)}, names=["shop"])
    with pytest.raises(ValueError, match=r"has no network for \[3, 4\] steps after the end of"):
        forecaster.update(new, update_params=False).predict()


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_constant_series_in_a_panel(scale):
    rng = np.random.default_rng(0)
    parts = {f"s{i}": 10 + rng.normal(size=60).cumsum() for i in range(4)}
    parts["flat"] = np.full(60, 20.0)
    frame = pd.concat(
        {key: pd.DataFrame({"y": scale * values}, MONTHS) for key, values in parts.items()},
        names=["key", "month"],
    )
    forecaster = small(log=False).fit(frame, fh=[1, 2, 3])
    assert_allclose(forecaster.predict().loc["flat"], scale * 20)
    assert_allclose(forecaster.predict_interval().loc["flat"], scale * 20)
    # A series of one row has the typical scale of the others.
    row = pd.concat({"new": frame.loc["flat"].iloc[-1:]}, names=["key"])
    forecaster.update(row, update_params=False)
    lower, upper = forecaster.predict_interval().loc["new"].to_numpy()[0] / scale
    assert 1 < upper - lower < 40


# Exogenous variables


def caused_series():
    """Return a series and the exogenous variables that determine it."""
    X = pd.DataFrame({"a": np.random.default_rng(1).normal(size=60), "b": 1.0}, MONTHS)
    return (20 + 10 * X["a"]).rename("sales"), X


def fit_with_X(n_rows, n_exog_rows):
    y, X = caused_series()
    forecaster = small(log=False, residual=False, epochs=50, learning_rate=0.02)
    return forecaster.fit(y[:n_rows], X[:n_exog_rows], fh=[1, 2, 3])


@pytest.fixture(scope="module")
def fitted_with_X():
    forecaster = fit_with_X(50, 50)
    assert forecaster.model_.models[0].strategy.weights[0] > 0.1  # so that the network matters
    return forecaster


def test_exogenous_rows_are_required_for_all_steps(fitted_with_X):
    (y, X), forecaster = caused_series(), copy.deepcopy(fitted_with_X)
    forecaster.predict(X=X[50:53])
    with pytest.raises(ValueError, match=r"no row of X 1 steps after its last row.*Pass X for"):
        forecaster.predict()
    with pytest.raises(ValueError, match=r"no row of X 2 steps after"):
        forecaster.predict(X=X.iloc[[50, 52]])
    with pytest.raises(ValueError, match=r"no row of X 2019-03"):
        forecaster.update(y[50:], update_params=False)
    assert forecaster.predict(X=X[50:]).index[0] == MONTHS[50]  # the update had no effect


def test_exogenous_rows_of_fit_may_extend_beyond_the_series(fitted_with_X):
    _, X = caused_series()
    assert_array_equal(fit_with_X(50, 53).predict(), fitted_with_X.predict(X=X[50:53]))


def test_forecast_of_a_step_does_not_depend_on_the_other_steps(fitted_with_X):
    _, X = caused_series()
    forecast = fitted_with_X.predict(fh=range(1, 4), X=X[50:])
    assert_array_equal(fitted_with_X.predict(fh=[1], X=X[50:]), forecast[:1])
    assert_array_equal(fitted_with_X.predict(fh=[1, 3], X=X[50:]), forecast.iloc[[0, 2]])


def test_in_sample_forecasts_use_the_exogenous_rows_of_all_steps(fitted_with_X):
    (y, X), forecaster = caused_series(), copy.deepcopy(fitted_with_X)
    before = forecaster.predict(fh=[-3, -2], X=X[50:])
    X.loc[MONTHS[49], "a"] += 1  # a network that forecasts month 47 reads months 47 to 49
    forecaster.update(y[49:50], X[49:50], update_params=False)
    after = forecaster.predict(fh=[-3, -2], X=X[50:])
    assert after.iloc[0] == before.iloc[0]
    assert after.iloc[1] != before.iloc[1]


def test_exogenous_columns_are_those_of_fit(fitted_with_X):
    _, X = caused_series()
    expected = fitted_with_X.predict(X=X[50:])
    reordered = fitted_with_X.predict(X=X[50:][["b", "a"]])
    pd.testing.assert_series_equal(reordered, expected)
    message = r"X has the columns \['a'\], but .* fitted with columns \['a', 'b'\]. Pass the same"
    with pytest.raises(ValueError, match=message):
        fitted_with_X.predict(X=X[50:][["a"]])
    with pytest.raises(ValueError, match=r"X contains inf at 2019-03 in column 'b'"):
        fitted_with_X.predict(X=X[50:].replace(1.0, np.inf))
    with pytest.raises(ValueError, match=r"X has a DatetimeIndex, but a PeriodIndex"):
        fitted_with_X.predict(X=X[50:].set_axis(MONTHS[50:].to_timestamp()))
    with pytest.raises(ValueError, match=r"but the forecaster was fitted with no X"):
        small().fit(monthly()[:50], fh=[1, 2, 3]).predict(X=X[50:])


def test_exogenous_rows_of_a_panel_are_required_for_each_series():
    y, X = caused_series()
    parts = {"long": slice(0, 50), "short": slice(10, 48)}
    frame = pd.concat({key: y[rows] for key, rows in parts.items()}, names=["key", "month"])
    frame = frame.to_frame()
    known = pd.concat({key: X[rows] for key, rows in parts.items()}, names=["key", "month"])
    ahead = {"long": X[50:51], "short": X[48:51]}
    forecaster = small().fit(frame, known, fh=[1])
    assert forecaster.model_.steps == [1, 2, 3]  # of the short series
    forecast = forecaster.predict(X=pd.concat(ahead, names=["key", "month"]))
    assert [*forecast.loc["short"].index] == [MONTHS[50]]
    ahead["short"] = X[48:50]
    with pytest.raises(ValueError, match=r"'short' has no row of X 3 steps after"):
        forecaster.predict(X=pd.concat(ahead, names=["key", "month"]))
    with pytest.raises(ValueError, match=r"X has no rows for The series 'short'"):
        small().fit(frame, known.loc[["long"]], fh=[1])


def test_exogenous_variables_in_backtests_of_sktime():
    index = pd.period_range("2000-01", periods=80, freq="M")
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=80)}, index=index)
    y = pd.Series(3 * X["x"].to_numpy() + rng.normal(scale=0.1, size=80), index=index)
    forecaster = small(epochs=60, learning_rate=0.02)
    windows = ExpandingWindowSplitter(initial_window=60, step_length=10, fh=[1, 2, 3])
    scoring, column = MeanAbsoluteError(), "test_MeanAbsoluteError"
    with_x, without = (
        evaluate(forecaster, windows, y, X=known, scoring=scoring, error_score="raise")[column]
        for known in (X, None)
    )
    assert with_x.mean() < 0.6 * without.mean()
    forecaster.fit(y[:60], X=X[:60], fh=[1, 2, 3])
    cv = ExpandingWindowSplitter(initial_window=1, step_length=1, fh=[1])
    y_pred = forecaster.update_predict(y[60:], cv, X=X[60:], update_params=False)
    rows = y_pred.index.intersection(y.index)
    assert len(rows) >= 19
    assert (y_pred[rows] - y[rows]).abs().mean() < 0.5 * y.abs().mean()


# Parameters


@pytest.mark.parametrize(
    "parameters",
    [
        {"seasonal": "difference", "sp": 12},
        {"seasonal": "difference", "sp": 12, "strategy": "recursive", "residual": False},
        {"seasonal": None, "sp": 12},
        {"scaler": StandardScaler(), "sp": 12},
        {"scaler": None, "log": True},
        {"transformer": StandardScaler()},
        {"n_networks": 2},
        {"epochs": None, "learning_rate": None},
        pytest.param({"units": (3, 2), "decoder": "recurrent"}, marks=pytest.mark.slow),
        pytest.param({"dropout": 0.1, "early_stopping": False}, marks=pytest.mark.slow),
        pytest.param({"cell": "lstm", "batch_size": 16}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_forecasts_with_other_parameters(parameters):
    y = monthly()
    forecaster = small(**parameters).fit(y[:50], fh=[1, 2, 3])
    forecast = forecaster.predict(fh=range(1, 11))
    assert np.abs(forecast - y[50:]).max() < 35
    bounds = forecaster.predict_interval(fh=range(1, 11), coverage=[0.5, 0.9])
    assert_array_equal(bounds.index, forecast.index)
    assert forecaster.predict(fh=[-45, -3, 0]).notna().all()


def test_networks_are_averaged():
    y = monthly()
    forecaster = small(n_networks=2, residual=False, log=False).fit(y, fh=[1, 2, 3])
    ((first, second),) = forecaster.model_.models[0].strategy.networks
    assert first.random_state != second.random_state
    assert not np.array_equal(first.model_.get_weights()[0], second.model_.get_weights()[0])


def test_a_repeated_season_is_continued_exactly_by_seasonal_differences():
    y = pd.Series(np.tile(np.arange(12.0) ** 2, 5), index=MONTHS)
    forecaster = small(sp=12, seasonal="difference", log=False, epochs=1)
    forecast = forecaster.fit(y[:48], fh=[1, 2, 3]).predict(fh=range(1, 26))
    assert_allclose(forecast[:12], y[48:], atol=1e-3)
    assert_allclose(forecast[12:24], y[48:], atol=1e-3)


def test_sktime_transformer_is_inverted():
    from sktime.transformations.series.boxcox import LogTransformer

    y = load_airline()["Passengers"]
    logs = small(sp=12, log=True).fit(y, fh=[1, 2, 3]).predict()
    transformed = small(sp=12, transformer=LogTransformer()).fit(y, fh=[1, 2, 3]).predict()
    assert_allclose(transformed, logs, rtol=1e-6)


def test_the_logarithm_is_selected_once_for_holdout_and_training():
    # The spread grows with the level only in the last rows, which are the holdout.
    noise = np.random.default_rng(0).normal(size=96)
    y = pd.Series(np.exp(5 + np.maximum(np.arange(96) - 77, 0) / 6 + 0.05 * noise))
    forecaster = small(sp=12, seasonal=None).fit(y, fh=[1, 2, 3])
    assert forecaster.model_.models[0].pooled.log.tolist() == [True]
    without = small(sp=12, seasonal=None, epochs=1).fit(y[:77], fh=[1, 2, 3])
    assert without.model_.models[0].pooled.log.tolist() == [False]
    lower, upper = np.log(forecaster.predict_interval().iloc[0].to_numpy())
    assert upper - lower < 5


def test_an_int_random_state_gives_identical_forecasts():
    y = pd.Series(50 + 10 * np.sin(np.arange(80) / 4))
    first, again, other = (
        small(random_state=seed, epochs=20).fit(y, fh=[1, 2, 3]).predict() for seed in (0, 0, 1)
    )
    assert_array_equal(first, again)
    assert (first != other).any()


def test_constant_series():
    forecaster = small().fit(pd.Series(np.full(40, 7.0)), fh=[1, 2, 3])
    assert_allclose(forecaster.predict(), 7, atol=1e-3)
    assert np.isfinite(forecaster.predict_interval()).all(axis=None)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"strategy": "recursiv"}, r"strategy must be a str among .*'recursive'.*, got 'recursiv'"),
        ({"decoder": "none"}, r"decoder must be a str among .*, got 'none'"),
        ({"seasonal": "indexes"}, r"seasonal must be .*'indices'.* or None, got 'indexes'"),
        ({"log": "maybe"}, r"log must be a str among {'auto'} or a bool, got 'maybe'"),
        ({"log": 1}, r"log must be .* or a bool, got 1"),
        ({"residual": 1}, r"residual must be a bool, got 1"),
        ({"early_stopping": None}, r"early_stopping must be a bool, got None"),
        ({"sp": True}, r"sp must be an int in the range .*, got True"),
        ({"sp": 0}, r"sp must be an int in the range \[1, inf\), got 0"),
        ({"window_length": 2.5}, r"window_length must be an int .* or None, got 2.5"),
        ({"n_networks": 0}, r"n_networks must be an int"),
        ({"epochs": 0}, r"epochs must be an int"),
        ({"batch_size": 0}, r"batch_size must be an int .*, got 0"),
        ({"validation_fraction": 0.7}, r"validation_fraction must be a float .*, got 0.7"),
        ({"scaler": "standard"}, r"scaler must be .*'series'.*, got 'standard'"),
        (
            {"transformer": 3},
            r"transformer must be an object implementing 'fit_transform' and 'inverse_transform'",
        ),
        ({"cell": "gur"}, r"cell='gur' is not known. Did you mean 'gru'"),
    ],
    ids=str,
)
def test_invalid_parameters_raise(parameters, message):
    with pytest.raises((ValueError, TypeError), match=message):
        small(**parameters).fit(monthly(), fh=[1])


@sktime_warns
def test_sktime_transformer_as_scaler_raises():
    from sktime.transformations.series.detrend import Detrender

    with pytest.raises(ValueError, match=r"needs the index of a series.*Pass it as transformer="):
        small(scaler=Detrender()).fit(monthly(), fh=[1])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "y contains NaN at"),
        (np.inf, "y contains inf at 2016-09 in column 'sales'"),
        (1e200, r"y contains 1e\+200 .* below 1e150"),
    ],
)
def test_invalid_values_raise(value, message):
    y = monthly()
    y.iloc[20] = value
    with pytest.raises(ValueError, match=message):
        small().fit(y, fh=[1])


# Prediction intervals


def test_quantiles_are_nested_around_the_forecast():
    y = load_airline()["Passengers"]
    forecaster = small(sp=12).fit(y[:120], fh=[1, 2, 3])
    fh = range(1, 13)
    levels = [0.05, 0.25, 0.5, 0.75, 0.95]
    quantiles = forecaster.predict_quantiles(fh=fh, alpha=levels).to_numpy()
    assert (np.diff(quantiles, axis=1) > 0).all()
    assert_allclose(quantiles[:, 2], forecaster.predict(fh=fh))
    assert (quantiles > 0).all()
    assert (np.diff(np.log(quantiles[:, 4] / quantiles[:, 0])) > -1e-9).all()
    bounds = forecaster.predict_interval(fh=fh, coverage=0.9).to_numpy()
    assert_allclose(bounds, quantiles[:, [0, 4]])
    in_sample = forecaster.predict_interval(fh=[-3, 1]).to_numpy()
    assert (in_sample[:, 0] < in_sample[:, 1]).all()


@pytest.mark.parametrize("alpha", [[0.1, 0.5, 0.9], [0.9], [0.2]])
def test_quantiles_of_a_decreasing_transformer(alpha):
    reciprocal = FunctionTransformer(lambda x: 1e4 / x, lambda x: 1e4 / x)
    forecaster = small(transformer=reciprocal).fit(monthly(), fh=[1, 2, 3])
    quantiles = forecaster.predict_quantiles(alpha=alpha)
    forecast = forecaster.predict().to_numpy()
    for level in alpha:
        deviation = quantiles[("sales", level)].to_numpy() - forecast
        assert_array_equal(np.sign(np.round(deviation, 9)), np.sign(level - 0.5))


@pytest.mark.parametrize("scale", [1.0, 1e-15])
def test_intervals_of_a_series_that_is_constant_before_the_holdout(scale):
    noise = np.random.default_rng(0).normal(size=20)
    values = scale * np.concatenate([np.full(60, 1000.0), 1000 + 50 * noise])
    forecaster = small().fit(pd.Series(values), fh=[1, 2, 3])
    bounds = forecaster.predict_interval().to_numpy() / scale
    width = bounds[:, 1] - bounds[:, 0]
    assert np.all((50 < width) & (width < 2000))


# Composition


@sktime_warns
@pytest.mark.parametrize("backend", ["None", pytest.param("loky", marks=pytest.mark.slow)])
def test_grid_search(backend):
    search = ForecastingGridSearchCV(
        small(sp=12),
        ExpandingWindowSplitter(fh=[1, 2, 3], initial_window=48, step_length=6),
        {"learning_rate": [0.001, 0.01]},
        scoring=MeanAbsoluteError(),
        backend=backend,
    )
    y = monthly()
    assert search.fit(y, fh=[1, 2, 3]).best_params_["learning_rate"] in (0.001, 0.01)
    assert len(search.predict()) == 3


@pytest.mark.parametrize("strategy", ["refit", "update", "no-update_params"])
def test_evaluate(strategy):
    cv = ExpandingWindowSplitter(fh=[1, 2, 3], initial_window=48, step_length=5)
    results = evaluate(
        small(sp=12), cv, monthly(), strategy=strategy, return_data=True, error_score="raise"
    )
    assert results["y_pred"].map(len).tolist() == [3, 3]


@sktime_warns
def test_transformed_target():
    from sktime.transformations.series.boxcox import LogTransformer

    y = load_airline()["Passengers"]
    steps = [("log", LogTransformer()), ("rnn", small(sp=12, log=False))]
    model = TransformedTargetForecaster(steps)
    forecast = model.fit(y, fh=[1, 2, 3]).predict()
    assert_allclose(forecast, small(sp=12, log=True).fit(y, fh=[1, 2, 3]).predict(), rtol=1e-6)
    assert (model.predict_interval().iloc[:, 0] < forecast).all()


@sktime_warns
def test_deseasonalizer():
    pytest.importorskip("statsmodels")
    from sktime.transformations.series.detrend import Deseasonalizer

    y = monthly()
    model = (Deseasonalizer(sp=12) * small()).fit(y[:48], fh=[1, 2, 3])
    assert np.abs(model.predict() - y[48:51]).max() < 25


@sktime_warns
def test_ensemble():
    y = monthly()
    members = [("rnn", small(sp=12)), ("naive", NaiveForecaster(sp=12))]
    forecast = EnsembleForecaster(members).fit(y, fh=[1, 2, 3]).predict()
    alone = [model.fit(y, fh=[1, 2, 3]).predict() for _, model in members]
    assert_allclose(forecast, np.mean(alone, axis=0), rtol=1e-6)


# The estimator


def test_copies_and_pickles_give_the_same_forecasts():
    y = monthly()
    forecaster = small(sp=12).fit(y[:50], fh=[1, 2, 3])
    forecast = forecaster.predict()
    for other in (copy.deepcopy(forecaster), pickle.loads(pickle.dumps(forecaster))):
        assert_array_equal(other.predict(), forecast)
        other.update(y[50:])
        assert other.predict().notna().all()
    assert_array_equal(forecaster.predict(), forecast)
    assert forecaster.clone().get_params() == forecaster.get_params()


def test_import_is_lazy():
    code = (
        "import sys, skrnn\n"
        "assert 'sktime' not in sys.modules and 'tensorflow' not in sys.modules\n"
        "skrnn.RNNForecaster(sp=12)\n"
        "assert 'sktime' in sys.modules and 'tensorflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of sktime itself
def test_sktime_conformance():
    forecaster = RNNForecaster.create_test_instance()
    results = check_estimator(forecaster, raise_exceptions=True, verbose=False)
    assert set(results.values()) == {"PASSED"}


@pytest.mark.parametrize("seasonal", ["indices", "window"])
def test_forecasts_from_origins_equal_those_after_updates(seasonal):
    y = monthly()
    forecaster = small(seasonal=seasonal, sp=12, window_length=24).fit(y[:50], fh=[1, 3])
    forecasts = forecaster.predict_origins(y, [49, 52, 57], [1, 3])
    assert forecasts.shape == (3, 2, 1)
    for origin, forecast in zip([49, 52, 57], forecasts, strict=True):
        updated = copy.deepcopy(forecaster)
        if origin > 49:
            updated.update(y[50 : origin + 1], update_params=False)
        assert_allclose(forecast[:, 0], updated.predict(fh=[1, 3]), rtol=1e-5)


def test_forecasts_from_origins_of_another_series_do_not_depend_on_later_rows():
    y = monthly()
    forecaster = small(sp=12).fit(panel(), fh=[1, 2])
    other = pd.concat({"new": (3 * y[:50]).to_frame()}, names=["region", "month"])
    changed = other.copy()
    changed.iloc[45:] = 1e3
    before = forecaster.predict_origins(other, [40, 44], [1, 2])
    assert_array_equal(before, forecaster.predict_origins(changed, [40, 44], [1, 2]))


def test_forecasts_from_origins_with_exogenous_variables():
    y = monthly()
    X = pd.DataFrame({"x": np.arange(60.0)}, index=y.index)
    forecaster = small().fit(y[:50], X[:50], fh=[1, 2])
    forecasts = forecaster.predict_origins(y[:55], [49, 54], [1, 2], X=X)
    assert_allclose(forecasts[0, :, 0], forecaster.predict(X=X[50:52]), rtol=1e-5)
    with pytest.raises(ValueError, match="no row of X 2 steps after its last row"):
        forecaster.predict_origins(y[:55], [54], [1, 2], X=X[:56])


@pytest.mark.parametrize(
    ("origins", "fh", "message"),
    [
        ([60], [1], r"origins must contain positions of the 60 rows of y, .* got \[60\]"),
        ([], [1], r"origins must contain positions"),
        ([3], [0], r"fh must contain steps ahead, from 1, got \[0\]"),
    ],
)
def test_invalid_origins_raise(origins, fh, message):
    forecaster = small().fit(monthly(), fh=[1])
    with pytest.raises(ValueError, match=message):
        forecaster.predict_origins(monthly(), origins, fh)


def test_forecasts_from_origins_of_several_series_raise():
    forecaster = small().fit(panel(), fh=[1])
    with pytest.raises(ValueError, match="y has 3 series"):
        forecaster.predict_origins(panel(), [3], [1])
