import copy
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import StandardScaler
from sktime.datasets import load_solar
from sktime.forecasting.base import ForecastingHorizon
from sktime.forecasting.compose import (
    EnsembleForecaster,
    TransformedTargetForecaster,
    make_reduction,
)
from sktime.forecasting.model_evaluation import evaluate
from sktime.forecasting.model_selection import ForecastingGridSearchCV
from sktime.forecasting.naive import NaiveForecaster
from sktime.performance_metrics.forecasting import MeanAbsoluteError
from sktime.split import ExpandingWindowSplitter
from sktime.utils.estimator_checks import check_estimator

from skrnn import RNNForecaster, RNNRegressor, RNNTimeSeriesRegressor
from skrnn.datasets import load_airline, make_ar
from skrnn.forecasting._panel_model import PanelModel
from skrnn.forecasting._scaling import fit_scales, wants_log
from skrnn.forecasting._series import PanelSeries, TimeIndexer, split_panel
from skrnn.forecasting._strategy import Strategy, Windows, make_inputs
from skrnn.forecasting._unit_root import ar1_coefficient, dickey_fuller, mean_reversion_weight

MONTHS = pd.period_range("2015-01", periods=60, freq="M", name="month")


# Of other forecasters of sktime's; what is not marked shows that ours do not warn.
sktime_warns = pytest.mark.filterwarnings("ignore:.*:FutureWarning")


def small(**parameters):
    """Return a forecaster that trains in an instant."""
    defaults = {"window_length": 6, "cell": "rnn", "units": 4, "epochs": 5, "random_state": 0}
    return RNNForecaster(**(defaults | parameters))


def monthly(n_rows=60, noise=1.0, seed=0, scale=1.0):
    """A line and a season of 12 months, with noise."""
    rows = np.arange(n_rows)
    season = 10 * np.sin(2 * np.pi * rows / 12) + 5 * (rows % 12 == 11)
    values = 100 + 0.5 * rows + season + noise * np.random.default_rng(seed).normal(size=n_rows)
    return pd.Series(scale * values, index=MONTHS[:n_rows], name="sales")


def panel(lengths=(40, 50, 60), noise=1.0, levels=1):
    """Series of several lengths that end together, by a key of one level or two."""
    parts = {}
    for i, length in enumerate(lengths):
        key = f"s{i}" if levels == 1 else ("ab"[i % 2], f"s{i}")
        series = monthly(noise=noise, seed=i, scale=10.0**i)[-length:]
        parts[key] = series.to_frame()
    names = ["region", "shop"][-levels:]
    return pd.concat(parts, names=[*names, "month"]).sort_index()


# Windows


def histories_of(frame):
    return [
        PanelSeries(key, rows.index, rows.to_numpy(dtype=float), None, TimeIndexer(rows.index))
        for key, rows in split_panel(frame)
    ]


@pytest.mark.parametrize("window_length", [1, 3])
@pytest.mark.parametrize("n_steps", [1, 4])
def test_windows_are_those_of_a_naive_loop(window_length, n_steps):
    values, exog = np.arange(20.0).reshape(10, 2), np.arange(0, -15, -1.0)[:, None]
    origins = np.array([0, 4, 8, 9])
    windows = Windows.cut(values, exog, origins, window_length, n_steps)
    for i, origin in enumerate(origins):
        for j in range(window_length):
            row = max(0, origin - window_length + 1 + j)
            assert_array_equal(windows.past[i, j], values[row])
            assert_array_equal(windows.past_exog[i, j], exog[row])
        for step in range(1, n_steps + 1):
            after = values[origin + step] if origin + step < 10 else [np.nan, np.nan]
            assert_array_equal(windows.after[i, step - 1], after)
            assert_array_equal(windows.after_exog[i, step - 1], exog[origin + step])


@pytest.mark.parametrize("strategy", ["recursive", "multioutput", "direct"])
def test_networks_see_no_window_across_two_series(strategy, monkeypatch):
    seen = []
    monkeypatch.setattr(
        RNNRegressor, "fit", lambda self, X, y: seen.append((X, y)) or self, raising=True
    )
    monkeypatch.setattr(RNNRegressor, "predict", lambda self, X: np.zeros((len(X), 3)))
    frame = panel((20, 25, 30))
    forecaster = small(
        window_length=4, strategy=strategy, log=False, scaler=None, residual=False, epochs=1
    )
    options = forecaster.set_params(early_stopping=False)
    scales, _ = fit_scales(histories_of(frame), options, 4)
    rows, reach = [], 1 if strategy == "recursive" else 3
    for history, scale in zip(histories_of(frame), scales, strict=True):
        values = scale.inputs(scale.levels(history))
        for last in range(3, len(values) - reach):
            window, after = values[last - 3 : last + 1], values[last + 1 : last + 1 + reach, 0]
            rows.append((len(values) - last, window, after))
    strategy_of = Strategy.for_horizon(options, 4, [1, 2, 3])
    model = PanelModel(options, [1, 2, 3])
    model.window_length, model.strategy, model.scales = 4, strategy_of, scales
    model._fit_exog(histories_of(frame))
    model._train(histories_of(frame), 0, 1.0)
    rows.sort(key=lambda row: -row[0])  # by time
    X, y = seen[-1]
    assert_allclose(X, [window for _, window, _ in rows])
    after = np.array([after for *_, after in rows])
    assert_allclose(y, after[:, -1:] if strategy == "direct" else after)
    assert len(seen) == (3 if strategy == "direct" else 1)


def test_series_are_forecast_each_by_its_own_past():
    together = small(sp=12).fit(panel(), fh=[1, 2, 3])
    forecast = together.predict()
    assert list(forecast.index.get_level_values(0).unique()) == ["s0", "s1", "s2"]
    changed = panel()
    changed.loc["s2"] *= 3.0
    again = copy.deepcopy(together).update(changed.loc[["s2"]], update_params=False).predict()
    assert_array_equal(again.loc["s0"], forecast.loc["s0"])
    assert (again.loc["s2"] != forecast.loc["s2"]).all(axis=None)


# Forecasts whose truth is known


@pytest.mark.parametrize("strategy", ["recursive", "multioutput"])
def test_line_and_season_are_continued(strategy):
    y = monthly(noise=0.0)
    forecaster = small(sp=12, strategy=strategy, log=False, epochs=1)
    forecast = forecaster.fit(y[:48], fh=range(1, 13)).predict()
    assert_allclose(forecast, y[48:], atol=1.5)


@pytest.mark.parametrize("strategy", ["recursive", "multioutput", "direct"])
@pytest.mark.parametrize("decoder", ["dense", "recurrent"])
def test_wave_is_learnt(strategy, decoder):
    y = pd.Series(50 + 10 * np.sin(np.arange(220) / 4))
    forecaster = RNNForecaster(
        8, units=8, strategy=strategy, decoder=decoder, learning_rate=0.02, random_state=0
    )
    forecast = forecaster.fit(y[:200], fh=[1, 3, 6]).predict()
    assert_array_equal(forecast.index, [200, 202, 205])
    assert np.abs(forecast - y[forecast.index]).max() < 1.5
    assert np.abs(y[199] - y[forecast.index]).max() > 5


def test_autoregression_is_forecast_about_as_well_as_can_be():
    x = pd.Series(make_ar(600, (1.2, -0.5), random_state=0)[:, 0])
    forecaster = RNNForecaster(8, units=8, random_state=0).fit(x[:400], fh=[1])
    found = forecaster.predict(fh=np.arange(-390, 1))
    best = 1.2 * x.shift(1) - 0.5 * x.shift(2)
    last = x.shift(1)

    def rmse(forecast):
        return np.sqrt(np.mean((forecast - x)[20:400] ** 2))

    assert rmse(found) < 1.1 * rmse(best)
    assert rmse(found) < 0.9 * rmse(last)


def test_random_walk_is_forecast_by_its_last_value():
    walk = pd.Series(np.random.default_rng(0).normal(size=400).cumsum())
    forecaster = RNNForecaster(random_state=0).fit(walk[:300], fh=[1])
    forecaster.update(walk[300:], update_params=False)
    found = forecaster.predict(fh=np.arange(-99, 1))
    error = np.sqrt(np.mean((found - walk[300:]) ** 2))
    assert error < 1.02 * np.sqrt(np.mean(np.diff(walk[299:]) ** 2))


def autoregressions(slope, n_rows, count):
    return [make_ar(n_rows, (slope,), random_state=seed)[:, 0] for seed in range(count)]


@pytest.mark.parametrize("trend", [False, True])
def test_statistic_is_that_of_statsmodels(trend):
    adfuller = pytest.importorskip("statsmodels.tsa.stattools").adfuller
    for values in autoregressions(0.8, 60, 5):
        found = dickey_fuller(1000 + 3 * values, trend)
        # With as many lags as any, over the rows that all of them have.
        others = [
            adfuller(values[7 - lag :], lag, "ct" if trend else "c", autolag=None)[0]
            for lag in range(8)
        ]
        assert np.isclose(found, others).any()


def test_series_return_to_their_mean_and_walks_do_not():
    walks = [values.cumsum() for values in autoregressions(0.0, 120, 40)]
    returns = autoregressions(0.5, 120, 40)
    for trend in (False, True):
        assert np.mean([mean_reversion_weight([values], [trend]) for values in walks]) < 0.25
        assert np.mean([mean_reversion_weight([values], [trend]) for values in returns]) > 0.5
        assert mean_reversion_weight(walks, [trend] * 40) < 0.15
        assert mean_reversion_weight(returns, [trend] * 40) > 0.5
    lines = [values + 0.2 * np.arange(120) for values in returns]
    assert mean_reversion_weight(lines, [True] * 40) > 0.5
    assert mean_reversion_weight(lines, [False] * 40) < 0.1


@pytest.mark.parametrize("values", [np.full(40, 7.0), np.arange(40.0), np.arange(5.0) ** 2])
def test_nothing_is_said_of_constants_lines_and_few_rows(values):
    assert mean_reversion_weight([values], [False]) == 0
    assert 0 <= mean_reversion_weight([values], [True]) <= 1


def test_memory_is_that_of_an_autoregression():
    assert ar1_coefficient(0.8 ** np.arange(30), 10) == pytest.approx(0.8)
    assert ar1_coefficient(np.full(30, 3.0), 10) == 1
    assert ar1_coefficient((-1.0) ** np.arange(30), 1) == 0
    found = [ar1_coefficient(values, 12) for values in autoregressions(0.7, 400, 5)]
    assert_allclose(np.mean(found), 0.7, atol=0.1)


def test_last_row_is_carried_on_as_far_as_it_is_remembered():
    past = np.arange(12.0).reshape(2, 3, 2)
    nothing, ahead = np.zeros((2, 3, 0)), np.zeros((2, 4, 0))
    kept = np.array([[1.0, 0.5], [0.0, 0.9]])
    inputs, base = make_inputs(past, nothing, ahead, True, kept)
    assert_array_equal(inputs, past - past[:, -1:])
    for window in range(2):
        for step in range(4):
            assert_allclose(base[window, step], past[window, -1] * kept[window] ** (step + 1))
    inputs, base = make_inputs(past, nothing, ahead, False, kept)
    assert_array_equal(inputs, past)
    assert not base.any()


@pytest.mark.parametrize("strategy", ["recursive", "multioutput", "direct"])
@pytest.mark.parametrize("slope", [0.0, 0.3])
def test_forecast_returns_to_the_line(strategy, slope):
    line = 50 + slope * np.arange(140)
    errors = []
    for values in autoregressions(0.5, 120, 3):
        values[-1] = 5.0  # far off, which is soon forgotten
        y = pd.Series(line[:120] + values)
        forecast = small(strategy=strategy, log=False).fit(y, fh=[5, 20]).predict()
        errors.append(forecast - line[[124, 139]])
    assert np.abs(np.mean(errors)) < 2.5


def test_brightness_at_noon_is_not_carried_on_into_the_next_day():
    y = load_solar(api_version=None).reset_index(drop=True)
    ours, naive = [], []
    for n in (173, 215):  # in the afternoon, and at noon of a bright day
        forecast = RNNForecaster(sp=48, epochs=5, random_state=0).fit(y[:n], fh=range(1, 49))
        ours.append(forecast.predict() - y[n : n + 48])
        naive.append(y[n - 48 : n].to_numpy() - y[n : n + 48])
    assert np.mean(np.square(ours)) < np.mean(np.square(naive))


def test_one_column_is_forecast_from_another():
    cause = np.random.default_rng(0).normal(size=300)
    y = pd.DataFrame({"effect": np.r_[0.0, cause[:-1]], "cause": cause})
    forecaster = small(log=False, epochs=60, learning_rate=0.01, residual=False)
    forecast = forecaster.fit(y[:-1], fh=[1]).predict()
    assert list(forecast.columns) == ["effect", "cause"]
    assert abs(forecast["effect"].iloc[0] - y["effect"].iloc[-1]) < 0.4


@pytest.mark.parametrize("strategy", ["recursive", "multioutput", "direct"])
@pytest.mark.parametrize("decoder", ["dense", "recurrent"])
def test_what_is_known_ahead_is_used(strategy, decoder):
    X = pd.DataFrame({"price": np.random.default_rng(0).choice([0.0, 1.0], size=260)})
    y = 20 + 10 * X["price"]
    forecaster = RNNForecaster(
        4,
        units=8,
        strategy=strategy,
        decoder=decoder,
        log=False,
        residual=False,
        learning_rate=0.02,
        random_state=0,
    )
    forecast = forecaster.fit(y[:-3], X[:-3], fh=[1, 2, 3]).predict(X=X[-3:])
    assert_allclose(forecast, y[-3:], atol=2.5)


# Steps ahead, and indexes


INDEXES = {
    "range": pd.RangeIndex(5, 65),
    "period": MONTHS,
    "days": pd.date_range("2020-01-01", periods=60, freq="D"),
    "months": pd.date_range("2020-01-31", periods=60, freq="ME"),
    "half hours": pd.date_range("2020-01-01", periods=60, freq="30min"),
    "business days": pd.date_range("2020-01-01", periods=60, freq="B"),
}


@pytest.mark.parametrize("strategy", ["recursive", "multioutput", "direct"])
@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES.keys())
def test_any_steps_of_any_index(index, strategy):
    y = pd.Series(monthly(60).to_numpy(), index=index)
    forecaster = small(sp=12, strategy=strategy)
    relative = [-2, 0, 1, 4, 7]
    forecast = forecaster.fit(y[:50], fh=relative).predict()
    wanted = index[[47, 49, 50, 53, 56]]
    assert_array_equal(forecast.index, wanted)
    absolute = ForecastingHorizon(wanted, is_relative=False)
    again = small(sp=12, strategy=strategy).fit(y[:50], fh=absolute).predict()
    assert_array_equal(forecast, again)


def test_steps_may_be_left_to_predict():
    y = monthly()
    for strategy in ("recursive", "multioutput"):
        forecaster = small(sp=12, strategy=strategy).fit(y)
        long = forecaster.predict(fh=range(1, 31))
        assert long.notna().all()
        assert_array_equal(forecaster.predict(fh=[3, 20]), long.iloc[[2, 19]])
    with pytest.raises(ValueError, match=r"fh.* must be passed"):
        small(strategy="direct").fit(y)


def test_seasons_are_counted_from_time_not_from_the_first_row():
    y = monthly()
    forecaster = small(sp=12).fit(y[7:48], fh=[1, 2, 3])
    scale = forecaster._scales[()]
    season = scale.season[:, 0] + scale.drift[0] * np.arange(12)
    # January 2015 is period 540, a multiple of 12; December has the peak.
    assert np.argmax(np.diff(season)) == 10


@pytest.mark.parametrize("strategy", ["recursive", "multioutput", "direct"])
def test_in_sample_forecasts_are_made_from_the_rows_before(strategy):
    y = monthly(40)
    forecaster = small(sp=12, strategy=strategy).fit(y, fh=[1] if strategy == "direct" else None)
    cv = ExpandingWindowSplitter(fh=[1], initial_window=20, step_length=1)
    moved = forecaster.update_predict(y, cv, update_params=False)
    fh = np.arange(-18, 1)
    if strategy == "direct":
        forecaster = small(sp=12, strategy=strategy).fit(y, fh=fh)
    within = forecaster.predict(fh=fh)
    both = moved.index.intersection(within.index)
    assert len(both) > 15
    assert_allclose(moved[both], within[both], rtol=1e-6)
    if strategy != "direct":
        assert len(forecaster.predict_residuals(y)) == 40


def test_first_rows_repeat_the_first():
    y = monthly(40)
    forecaster = small().fit(y)
    everything = forecaster.predict(fh=np.arange(-39, 1))
    assert everything.notna().all()
    with pytest.raises(ValueError, match=r"begins at 2015-01, and fh asks for 2014-12"):
        forecaster.predict(fh=[-40])


# Updates


@pytest.mark.parametrize("strategy", ["recursive", "multioutput"])
def test_update_without_parameters_moves_the_rows_alone(strategy):
    y = monthly()
    forecaster = small(sp=12, strategy=strategy).fit(y[:50], fh=[1, 2, 3])
    before = [network.model_.get_weights() for network in forecaster.model_.strategy.networks[0]]
    first = forecaster.predict()
    forecaster.update(y[50:55], update_params=False)
    assert forecaster.cutoff[0] == y.index[54]
    for one, other in zip(
        before[0], forecaster.model_.strategy.networks[0][0].model_.get_weights(), strict=True
    ):
        assert_array_equal(one, other)
    assert_array_equal(forecaster.predict(fh=[-4]), first[:1])
    assert_array_equal(forecaster.predict(fh=[1]).index, y.index[55:56])


def test_update_with_parameters_goes_on_training_with_all_rows():
    y = monthly()
    forecaster = small(sp=12).fit(y[:50], fh=[1, 2, 3])
    network = forecaster.model_.strategy.networks[0][0]
    n_epochs = network.n_iter_
    model = forecaster.model_
    forecaster.update(y[50:], update_params=True)
    trained = forecaster.model_.strategy.networks[0][0]
    assert trained.n_iter_ > n_epochs
    assert network.n_iter_ == n_epochs  # a copy of the forecaster shares it
    assert forecaster.model_ is not model
    assert_array_equal(
        forecaster.predict().index,
        pd.period_range("2020-01", periods=3, freq="M"),
    )


def test_rows_given_again_replace_the_older():
    y = monthly()
    forecaster = small(sp=12).fit(y[:50], fh=[1, 2, 3])
    forecaster.update(y[40:55] + 1000, update_params=False)
    history = forecaster._histories[()]
    assert len(history) == 55
    assert_array_equal(history.values[:, 0], np.r_[y[:40], y[40:55] + 1000])


@pytest.mark.parametrize("update_params", [True, False])
def test_update_predict(update_params):
    y = monthly()
    forecaster = small(sp=12).fit(y[:40], fh=[1, 2, 3])
    cv = ExpandingWindowSplitter(fh=[1, 2, 3], initial_window=5, step_length=5)
    forecasts = forecaster.update_predict(y[40:], cv, update_params=update_params)
    assert forecasts.shape[1] == 3
    assert forecaster.cutoff[0] == y.index[39]


def test_rows_missing_between_updates():
    y = monthly()
    forecaster = small(sp=12).fit(y[:40], fh=[1, 2, 3])
    with pytest.raises(ValueError, match=r"no row between 2018-04 and 2018-10.*Imputer"):
        forecaster.update(y[45:], update_params=False)


# Panels


@pytest.mark.parametrize("levels", [1, 2])
def test_panel_has_a_forecast_for_every_series(levels):
    frame = panel(levels=levels)
    forecast = small(sp=12).fit(frame, fh=[1, 3]).predict()
    assert forecast.index.names == frame.index.names
    expected = [
        (*np.atleast_1d(key), month)
        for key in frame.index.droplevel("month").unique().sort_values()
        for month in pd.PeriodIndex(["2020-01", "2020-03"], freq="M")
    ]
    assert forecast.index.tolist() == expected
    assert list(forecast.columns) == ["sales"]


def test_series_that_end_earlier_are_forecast_to_the_same_months():
    frame = panel((40, 40))
    early = frame.drop([("s1", month) for month in MONTHS[-3:]])
    forecaster = small(sp=12, log=False).fit(early, fh=[1, 2])
    forecast = forecaster.predict()
    alone = forecaster.model_.forecast(
        [forecaster._histories["s1",]], [forecaster._scales["s1",]], [np.array([36])], 5
    )[0][0, 3:]
    assert_allclose(forecast.loc["s1"], alone)


def test_scale_of_a_series_does_not_matter():
    frame = panel((60, 60), noise=1.0)
    bigger = frame.copy()
    bigger.loc["s1"] *= 1000.0
    one, other = (small(sp=12, log=False).fit(f, fh=[1, 2, 3]).predict() for f in (frame, bigger))
    assert_allclose(other.loc["s1"], 1000 * one.loc["s1"], rtol=1e-4)
    assert_allclose(other.loc["s0"], one.loc["s0"], rtol=1e-4)


def test_unseen_series_are_forecast_by_an_update():
    train, other = panel((60, 60, 60)), monthly(noise=0.5, seed=9, scale=50.0)
    forecaster = small(sp=12).fit(train, fh=range(1, 4))
    unseen = pd.concat({"new": other.to_frame()}, names=["shop"])
    forecaster.update(unseen, update_params=False)
    forecast = forecaster.predict()
    assert set(forecast.index.get_level_values(0)) == {"s0", "s1", "s2", "new"}
    season = other.to_numpy()[-12:-9] + 50 * 6
    assert_allclose(forecast.loc["new"]["sales"], season, rtol=0.1)


@pytest.mark.skipif(not hasattr(RNNForecaster, "pretrain"), reason="sktime < 1.2")
def test_unseen_series_are_forecast_after_pretraining():
    other = monthly(noise=0.5, seed=9, scale=50.0)
    forecaster = small(sp=12).pretrain(panel((60, 60, 60)), fh=range(1, 4))
    networks = forecaster.model_.strategy.networks
    forecast = forecaster.fit(other, fh=range(1, 4)).predict()
    assert forecaster.model_.strategy.networks is networks
    assert_allclose(forecast, other.to_numpy()[-12:-9] + 50 * 6, rtol=0.1)
    wide = pd.DataFrame({"a": other, "b": other})
    with pytest.raises(ValueError, match=r"y has 2 columns, but the networks were trained on 1"):
        forecaster.fit(wide, fh=[1])


def test_seasons_of_a_panel_are_drawn_to_what_they_share():
    rng = np.random.default_rng(0)
    shape = np.sin(2 * np.pi * np.arange(12) / 12) + (np.arange(12) == 3)

    def error(shapes):
        parts, true = {}, []
        for i, one in enumerate(shapes):
            season = rng.uniform(5, 50) * (one - one.mean())
            noise = 0.3 * np.abs(season).max() * rng.normal(size=36)
            parts[f"s{i:02d}"] = pd.DataFrame({"y": 500 + np.tile(season, 3) + noise}, MONTHS[:36])
            true.append(season)
        frame = pd.concat(parts, names=["shop", "month"])
        options = small(sp=12, log=False)
        histories = histories_of(frame)
        together, (_, (_, keep), *_) = fit_scales(histories, options, 6)
        alone = [fit_scales([history], options, 6)[0][0] for history in histories]

        def rms(scales):
            errors = [s.season[:, 0] - t for s, t in zip(scales, true, strict=True)]
            shares = np.mean(np.square(errors), axis=1) / np.mean(np.square(true), axis=1)
            return np.sqrt(shares.mean())

        return rms(together), rms(alone), keep[0]

    same, own, keep = error([shape] * 30)
    assert same < 0.6 * own
    assert keep < 0.3
    different, own, keep = error([rng.permutation(shape) for _ in range(30)])
    assert different < 1.1 * own
    assert keep > 0.6


def test_series_without_a_season_in_a_panel_of_differences():
    frame = pd.concat([panel((60, 60)), panel((60,)).rename({"s0": "short"}).iloc[-1:]])
    forecaster = small(sp=12, seasonal="difference").fit(frame, fh=[1, 2, 3])
    assert np.isfinite(forecaster.predict_interval()).all(axis=None)


# Exogenous rows


def test_exogenous_rows_must_be_there():
    y = monthly()
    X = pd.DataFrame({"a": np.arange(60.0), "b": 1.0}, index=y.index)
    forecaster = small().fit(y[:50], X[:50], fh=[1, 3])
    forecaster.predict(X=X[50:53])
    with pytest.raises(ValueError, match=r"no row of X 1 steps after its last row.*pass X for"):
        forecaster.predict()
    with pytest.raises(ValueError, match=r"no row of X 2 steps after"):
        forecaster.predict(X=X.iloc[[50, 52]])
    with pytest.raises(ValueError, match=r"no row of X 2019-03"):
        forecaster.update(y[50:], update_params=False).predict(X=X[-3:])


def test_exogenous_rows_given_in_fit_may_reach_ahead():
    y = monthly()
    X = pd.DataFrame({"a": np.arange(60.0)}, index=y.index)
    forecaster = small().fit(y[:50], X[:53], fh=[1, 3])
    assert_array_equal(forecaster.predict(), forecaster.predict(X=X[50:53]))


def test_first_steps_do_not_depend_on_the_steps_asked_for():
    y = monthly()
    X = pd.DataFrame({"a": np.random.default_rng(1).normal(size=60)}, index=y.index)
    forecaster = small().fit(y[:50], X[:50], fh=range(1, 4))
    forecast = forecaster.predict(fh=range(1, 4), X=X[50:])
    assert_array_equal(forecaster.predict(fh=[1], X=X[50:]), forecast[:1])
    assert_array_equal(forecaster.predict(fh=[1, 3], X=X[50:]), forecast.iloc[[0, 2]])
    # In sample, too, where rows known ahead are those that came.
    within = forecaster.predict(fh=[-3, -2], X=X[50:])
    model = forecaster.model_
    history = forecaster._histories[()]
    scale = forecaster._scales[()]
    after = model.forecast([history], [scale], [np.array([46])], 3)[0][0, 0]
    assert_array_equal(scale.values(after[None], y.index[47:48]), within[1:].to_frame())


def test_exogenous_columns_are_those_of_fit():
    y = monthly()
    X = pd.DataFrame({"a": np.arange(60.0), "b": 1.0}, index=y.index)
    forecaster = small().fit(y[:50], X[:50], fh=[1, 2, 3])
    expected = forecaster.predict(X=X[50:])
    pd.testing.assert_series_equal(forecaster.predict(X=X[50:][["b", "a"]]), expected)
    message = r"X has the columns \['a'\], but .* fitted with columns \['a', 'b'\]. Pass the same"
    with pytest.raises(ValueError, match=message):
        forecaster.predict(X=X[50:][["a"]])
    with pytest.raises(ValueError, match=r"X holds inf at 2019-03 in column 'b'"):
        forecaster.predict(X=X[50:].replace(1.0, np.inf))
    with pytest.raises(ValueError, match=r"but the forecaster was fitted with no X"):
        small().fit(y[:50], fh=[1, 2, 3]).predict(X=X[50:])
    with pytest.raises(ValueError, match=r"no row of X 2019-03"):
        forecaster.update(y[50:], update_params=False)
    pd.testing.assert_series_equal(forecaster.predict(X=X[50:]), expected)


@pytest.mark.skipif(not hasattr(RNNForecaster, "pretrain"), reason="sktime < 1.2")
def test_series_unlike_those_of_pretraining():
    frame = panel((60, 60))
    X = pd.DataFrame({"a": 1.0, "b": np.arange(120.0)}, index=frame.index)
    y = monthly()
    own = X.loc["s0"]
    trained = small(sp=12).pretrain(frame, X, fh=MONTHS[-1:] + 3)
    assert trained.model_.steps == [1, 2, 3]
    with pytest.raises(ValueError, match=r"X has the columns \['a'\], but .*\['a', 'b'\]"):
        trained.clone().fit(y, own[["a"]], fh=[1])
    with pytest.raises(ValueError, match=r"The series has no X, but was fitted with X"):
        trained.clone().fit(y, fh=[1])
    with pytest.raises(ValueError, match=r"but the forecaster was fitted with no X"):
        small().pretrain(frame, fh=[1]).fit(y, own, fh=[1])
    # Seasons have other places in days, and none are needed without a season.
    days = y.set_axis(pd.date_range("2020-01-01", periods=60))
    with pytest.raises(ValueError, match=r"time is counted by .*seasons have no places"):
        small(sp=12).pretrain(frame, fh=[1]).fit(days, fh=[1])
    assert small().pretrain(frame, fh=[1]).fit(days, fh=[1]).predict().index[0] == days.index[
        -1
    ] + pd.Timedelta("1D")


def test_exogenous_rows_of_a_panel():
    frame = panel((60, 60))
    X = pd.DataFrame({"a": np.arange(120.0)}, index=frame.index)
    months = frame.index.get_level_values("month")
    train = months < MONTHS[57]
    forecaster = small(sp=12).fit(frame[train], X[train], fh=[1, 2, 3])
    forecast = forecaster.predict(X=X[~train])
    assert len(forecast) == 6
    assert forecast.notna().all(axis=None)


# Settings


@pytest.mark.parametrize(
    "settings",
    [
        {"seasonal": "difference", "sp": 12},
        {"seasonal": "difference", "sp": 12, "strategy": "recursive", "residual": False},
        {"seasonal": None, "sp": 12},
        {"scaler": StandardScaler(), "sp": 12},
        {"scaler": None, "log": True},
        {"transformer": StandardScaler()},
        {"n_networks": 2},
        {"units": (3, 2), "cell": "gru", "decoder": "recurrent"},
        {"epochs": None, "batch_size": 16},
        {"early_stopping": False, "dropout": 0.1},
    ],
    ids=str,
)
def test_settings(settings):
    y = monthly()
    forecaster = small(**settings).fit(y[:50], fh=range(1, 11))
    forecast = forecaster.predict()
    assert np.abs(forecast - y[50:]).max() < 35
    bounds = forecaster.predict_interval(coverage=[0.5, 0.9])
    assert_array_equal(bounds.index, forecast.index)
    assert forecaster.predict(fh=[-45, -3, 0]).notna().all()


def test_seasonal_difference_of_a_repeated_season_is_continued_exactly():
    y = pd.Series(np.tile(np.arange(12.0) ** 2, 5), index=MONTHS)
    forecaster = small(sp=12, seasonal="difference", log=False, epochs=1)
    forecast = forecaster.fit(y[:48], fh=range(1, 26)).predict()
    assert_allclose(forecast[:12], y[48:], atol=1e-3)
    assert_allclose(forecast[12:24], y[48:], atol=1e-3)


def test_sktime_transformer_is_taken_out_and_put_back():
    from sktime.transformations.series.boxcox import LogTransformer

    y = load_airline()["Passengers"]
    logs = small(sp=12, log=True).fit(y, fh=[1, 2, 3]).predict()
    transformed = small(sp=12, transformer=LogTransformer()).fit(y, fh=[1, 2, 3]).predict()
    assert_allclose(transformed, logs, rtol=1e-6)


def test_logarithm_is_taken_where_the_spread_grows_with_the_level():
    airline = load_airline()["Passengers"].to_numpy()
    additive = monthly().to_numpy()
    assert wants_log([airline], 12)
    assert not wants_log([additive], 12)
    assert not wants_log([airline - 200], 12)
    assert not wants_log([airline[:20]], 12)
    forecaster = small(sp=12).fit(load_airline(), fh=[1, 2, 3])
    assert forecaster.model_.known[0].tolist() == [True]
    forecaster.update(
        pd.DataFrame({"Passengers": [1.0]}, pd.PeriodIndex(["1961-01"], freq="M")),
        update_params=False,
    )
    negative = pd.DataFrame({"Passengers": [-1.0]}, pd.PeriodIndex(["1961-02"], freq="M"))
    expected = forecaster.predict()
    for update_params in (True, False):
        with pytest.raises(ValueError, match=r"holds -1, which has no logarithm.*log=False"):
            forecaster.update(negative, update_params=update_params)
        pd.testing.assert_frame_equal(forecaster.predict(), expected)


def test_logarithms_are_decided_on_once():
    # Its spread grows with its level in the last part alone, which is held out first.
    noise = np.random.default_rng(0).normal(size=96)
    rows = np.arange(96)
    y = pd.Series(np.exp(5 + np.maximum(rows - 77, 0) / 6 + 0.05 * noise))
    forecaster = small(sp=12, seasonal=None).fit(y, fh=range(1, 13))
    assert forecaster.model_.known[0].tolist() == [True]
    assert wants_log([y[:77].to_numpy()], 12) is False
    width = np.log(forecaster.predict_interval().iloc[0].to_numpy())
    assert width[1] - width[0] < 5


def test_same_seed_same_bits():
    y = monthly()
    one, again, other = (
        small(sp=12, random_state=seed, epochs=20).fit(y, fh=[1, 3]).predict() for seed in (0, 0, 1)
    )
    assert_array_equal(one, again)
    assert (one != other).any()


def test_constant_series():
    y = pd.Series(np.full(40, 7.0))
    forecaster = small().fit(y, fh=[1, 2, 3])
    assert_allclose(forecaster.predict(), 7, atol=1e-3)
    assert np.isfinite(forecaster.predict_interval()).all(axis=None)


@pytest.mark.parametrize("n_rows", [4, 6, 9, 14])
def test_short_series_have_a_shorter_default_window(n_rows):
    forecaster = small(window_length=None, sp=12).fit(monthly(n_rows), fh=[1, 2, 3])
    assert forecaster.model_.window_length <= 3
    assert np.isfinite(forecaster.predict_interval()).all(axis=None)


def test_default_window_stays_as_a_series_grows():
    lengths = {
        small(window_length=None, sp=12).fit(monthly(n), fh=[1]).model_.window_length
        for n in (36, 40, 48, 60)
    }
    assert lengths == {12}


# Intervals


def test_intervals_hold_their_coverage_on_an_autoregression():
    x = pd.Series(make_ar(900, (1.2, -0.5), random_state=1)[:, 0])
    forecaster = RNNForecaster(8, units=4, random_state=0).fit(x[:400], fh=[1, 2, 5])
    inside = []
    for n in range(400, 880, 4):
        forecaster.update(x[n - 4 : n], update_params=False)
        bounds = forecaster.predict_interval(coverage=[0.5, 0.9])
        bounds.columns = bounds.columns.droplevel(0)
        true = x[bounds.index]
        inside.append(
            [
                ((bounds[c, "lower"] <= true) & (true <= bounds[c, "upper"])).to_numpy()
                for c in (0.5, 0.9)
            ]
        )
    half, most = np.mean(inside, axis=(0, 2))
    assert 0.42 < half < 0.6
    assert 0.85 < most < 0.95


@pytest.mark.parametrize("scale", [1.0, 1e-15])
def test_intervals_of_a_series_that_was_constant_at_first(scale):
    noise = np.random.default_rng(0).normal(size=20)
    values = scale * np.concatenate([np.full(60, 1000.0), 1000 + 50 * noise])
    forecaster = small().fit(pd.Series(values), fh=[1, 2, 3])
    bounds = forecaster.predict_interval().to_numpy() / scale
    width = bounds[:, 1] - bounds[:, 0]
    assert np.all((50 < width) & (width < 2000))


@pytest.mark.parametrize("alpha", [[0.1, 0.5, 0.9], [0.9], [0.2]])
def test_quantiles_of_a_transformer_that_turns_around(alpha):
    from sklearn.preprocessing import FunctionTransformer

    turn = FunctionTransformer(lambda x: 1e4 / x, lambda x: 1e4 / x)
    forecaster = small(transformer=turn).fit(monthly(), fh=[1, 2, 3])
    found = forecaster.predict_quantiles(alpha=alpha)
    forecast = forecaster.predict().to_numpy()
    for share in alpha:
        side = found[("sales", share)].to_numpy() - forecast
        assert_array_equal(np.sign(np.round(side, 9)), np.sign(share - 0.5))


def test_intervals_are_nested_and_around_the_forecast():
    y = load_airline()["Passengers"]
    forecaster = small(sp=12).fit(y[:120], fh=range(1, 13))
    quantiles = forecaster.predict_quantiles(alpha=[0.05, 0.25, 0.5, 0.75, 0.95]).to_numpy()
    assert (np.diff(quantiles, axis=1) > 0).all()
    assert_allclose(quantiles[:, 2], forecaster.predict())
    assert (quantiles > 0).all()
    widths = np.log(quantiles[:, 4] / quantiles[:, 0])
    assert (np.diff(widths) > -1e-9).all()
    bounds = forecaster.predict_interval(coverage=0.9).to_numpy()
    assert_allclose(bounds, quantiles[:, [0, 4]])
    far = forecaster.predict_interval(fh=[12, 48], coverage=0.9).to_numpy()
    assert np.diff(np.log(far[1]))[0] > np.diff(np.log(far[0]))[0]
    within = forecaster.predict_interval(fh=[-3, 1]).to_numpy()
    assert (within[:, 0] < within[:, 1]).all()


# Composition


@sktime_warns
def test_grid_search():
    search = ForecastingGridSearchCV(
        small(sp=12),
        ExpandingWindowSplitter(fh=[1, 2, 3], initial_window=48, step_length=6),
        {"window_length": [3, 6]},
        scoring=MeanAbsoluteError(),
    )
    y = monthly()
    assert search.fit(y, fh=[1, 2, 3]).best_params_["window_length"] in (3, 6)
    assert len(search.predict()) == 3


@pytest.mark.parametrize("strategy", ["refit", "update", "no-update_params"])
def test_evaluate(strategy):
    cv = ExpandingWindowSplitter(fh=[1, 2, 3], initial_window=48, step_length=5)
    found = evaluate(
        small(sp=12), cv, monthly(), strategy=strategy, return_data=True, error_score="raise"
    )
    assert len(found) == 2
    assert found["y_pred"].map(len).tolist() == [3, 3]


@sktime_warns
def test_transformed_target():
    from sktime.transformations.series.boxcox import LogTransformer

    y = load_airline()["Passengers"]
    model = TransformedTargetForecaster(
        [("log", LogTransformer()), ("rnn", small(sp=12, log=False))]
    )
    forecast = model.fit(y, fh=[1, 2, 3]).predict()
    assert_allclose(forecast, small(sp=12, log=True).fit(y, fh=[1, 2, 3]).predict(), rtol=1e-6)
    bounds = model.predict_interval()
    assert (bounds.iloc[:, 0] < forecast).all()


@sktime_warns
def test_deseasonalizer():
    pytest.importorskip("statsmodels")
    from sktime.transformations.series.detrend import Deseasonalizer

    y = monthly()
    forecast = (Deseasonalizer(sp=12) * small()).fit(y[:48], fh=range(1, 13)).predict()
    assert np.abs(forecast - y[48:]).max() < 25


@sktime_warns
def test_ensemble():
    y = monthly()
    parts = [("rnn", small(sp=12)), ("naive", NaiveForecaster(sp=12))]
    forecast = EnsembleForecaster(parts).fit(y, fh=[1, 2, 3]).predict()
    alone = [model.fit(y, fh=[1, 2, 3]).predict() for _, model in parts]
    assert_allclose(forecast, np.mean(alone, axis=0), rtol=1e-6)


# Reduction


@sktime_warns
@pytest.mark.parametrize("strategy", ["recursive", "direct", "multioutput"])
def test_reduction_of_a_network_in_its_tabular_form(strategy):
    y = pd.Series(np.sin(np.arange(220) / 4))
    rnn = RNNRegressor("rnn", units=8, epochs=60, learning_rate=0.01, random_state=0)
    model = make_reduction(rnn, window_length=8, strategy=strategy)
    forecast = model.fit(y[:200], fh=[1, 2, 3]).predict()
    assert_allclose(forecast, y[200:203], atol=0.15)


@sktime_warns
def test_reduction_with_exogenous_rows_needs_the_layout_of_windows():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"cause": rng.normal(size=400), "other": rng.normal(size=400)})
    y = pd.Series(np.r_[np.zeros(2), X["cause"][:-2]])
    rnn = RNNRegressor("rnn", units=8, epochs=40, learning_rate=0.01, random_state=0)

    class VariableMajor(RNNTimeSeriesRegressor):
        """What sktime's own layout, not transposed, would be read as."""

        def _fit(self, X, y):
            return super()._fit(X.reshape(len(X), X.shape[2], X.shape[1]).transpose(0, 2, 1), y)

        def _predict(self, X):
            return super()._predict(X.reshape(len(X), X.shape[2], X.shape[1]).transpose(0, 2, 1))

    def error(regressor):
        model = make_reduction(
            regressor, window_length=4, strategy="direct", scitype="time-series-regressor"
        )
        errors = []
        model.fit(y[:300], X[:300], fh=[1])
        for n in range(300, 399):
            model.update(y[n : n + 1], X[n : n + 1], update_params=False)
            errors.append(float(model.predict(X=X[n + 1 : n + 2]).iloc[0]) - y[n + 1])
        return np.sqrt(np.mean(np.square(errors)))

    right, permuted = error(RNNTimeSeriesRegressor(rnn)), error(VariableMajor(rnn))
    assert right < 0.3
    assert right < 0.85 * permuted


def test_regressor_transposes():
    X = np.random.default_rng(0).normal(size=(30, 2, 5))
    y = X[:, 0, -1]
    rnn = RNNRegressor("rnn", units=4, epochs=3, random_state=0)
    model = RNNTimeSeriesRegressor(rnn).fit(X, y)
    assert model.regressor_.input_shape_ == (5, 2)
    alone = rnn.fit(X.transpose(0, 2, 1), y)
    assert_allclose(model.predict(X), alone.predict(X.transpose(0, 2, 1)))
    assert RNNTimeSeriesRegressor().get_params() == {"regressor": None}


# sktime's own checks


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [RNNForecaster, RNNTimeSeriesRegressor])
@pytest.mark.filterwarnings("ignore")  # of sktime's own making
def test_sktime_check(estimator):
    results = check_estimator(estimator, raise_exceptions=True, verbose=False)
    assert set(results.values()) == {"PASSED"}


# Errors


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"strategy": "recursiv"}, r"strategy='recursiv' is not known. Did you mean 'recursive'"),
        ({"decoder": "none"}, r"decoder='none' is not known"),
        ({"seasonal": "indexes"}, r"seasonal='indexes' is not known. Did you mean 'indices'"),
        ({"log": "maybe"}, r"log must be True or False, or 'auto', got 'maybe'"),
        ({"log": 1}, r"log must be True or False, or 'auto', got 1"),
        ({"residual": 1}, r"residual must be True or False, got 1"),
        ({"sp": True}, r"sp must be an int in the range .*, got True"),
        ({"sp": 0}, r"sp must be an int in the range \[1, inf\), got 0"),
        ({"window_length": 2.5}, r"window_length must be an int in the range .*, got 2.5"),
        ({"n_networks": 0}, r"n_networks must be an int"),
        ({"epochs": 0}, r"epochs must be an int"),
        ({"validation_fraction": 0.7}, r"validation_fraction must be a float .*, got 0.7"),
        ({"scaler": "standard"}, r"scaler='standard' is not known"),
        ({"transformer": 3}, r"transformer=3 has no fit_transform and inverse_transform"),
        ({"cell": "gur"}, r"cell='gur' is not known. Did you mean 'gru'"),
    ],
    ids=str,
)
def test_settings_that_cannot_be(settings, message):
    forecaster = small(**settings)
    with pytest.raises((ValueError, TypeError), match=message):
        forecaster.fit(monthly(), fh=[1])


def test_series_too_short():
    with pytest.raises(
        ValueError, match=r"window_length=6 and 1 steps ahead need at least 7 rows to fit, got 5"
    ):
        small(strategy="recursive").fit(monthly(5), fh=[1, 2])
    with pytest.raises(ValueError, match=r"6 and 4 steps ahead need at least 10 rows.*got 9"):
        small(strategy="direct").fit(monthly(9), fh=[4])
    with pytest.raises(ValueError, match=r"a seasonal difference of 12 rows need at least 19"):
        small(seasonal="difference", sp=12).fit(monthly(15), fh=[1])


@pytest.mark.parametrize(("value", "message"), [(np.nan, "missing data"), (np.inf, "y holds inf")])
def test_values_that_are_no_numbers(value, message):
    y = monthly()
    y.iloc[20] = value
    with pytest.raises(ValueError, match=message):
        small().fit(y, fh=[1])


def test_gap_in_a_series():
    with pytest.raises(ValueError, match=r"no row between 2015-10 and 2015-12.*Imputer"):
        small().fit(monthly().drop(MONTHS[10]), fh=[1])


def test_transformer_that_needs_the_rows_before():
    from sktime.transformations.series.difference import Differencer

    message = r"turns rows back by the rows before them.*TransformedTargetForecaster"
    with pytest.raises(ValueError, match=message):
        small(transformer=Differencer()).fit(monthly(), fh=[1])


def test_transformer_that_does_not_keep_the_rows():
    class Shorter(StandardScaler):
        def transform(self, X):
            return super().transform(X)[1:]

    with pytest.raises(ValueError, match=r"turned 60 rows and 1 columns into 59 and 1"):
        small(transformer=Shorter()).fit(monthly(), fh=[1])
    with pytest.raises(ValueError, match=r"has no fit_transform and inverse_transform"):
        small(transformer=object()).fit(monthly(), fh=[1])


# The object


def test_copies_and_pickles_forecast_the_same():
    y = monthly()
    forecaster = small(sp=12).fit(y[:50], fh=[1, 2, 3])
    forecast = forecaster.predict()
    for other in (copy.deepcopy(forecaster), pickle.loads(pickle.dumps(forecaster))):
        assert_array_equal(other.predict(), forecast)
        other.update(y[50:])
        assert other.predict().notna().all()
    assert_array_equal(forecaster.predict(), forecast)
    assert forecaster.clone().get_params() == forecaster.get_params()


def test_import_costs_neither_sktime_nor_tensorflow_before_they_are_needed():
    code = (
        "import sys, skrnn\n"
        "assert 'sktime' not in sys.modules and 'tensorflow' not in sys.modules\n"
        "skrnn.RNNForecaster(sp=12)\n"
        "assert 'sktime' in sys.modules and 'tensorflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.slow
def test_exogenous_columns_go_through_sktime_s_backtests():
    index = pd.period_range("2000-01", periods=80, freq="M")
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=80)}, index=index)
    y = pd.Series(3 * X["x"].to_numpy() + rng.normal(scale=0.1, size=80), index=index)
    forecaster = RNNForecaster(random_state=0)
    windows = ExpandingWindowSplitter(initial_window=60, step_length=10, fh=[1, 2, 3])
    scoring, column = MeanAbsoluteError(), "test_MeanAbsoluteError"
    with_x, without = (
        evaluate(forecaster, windows, y, X=known, scoring=scoring, error_score="raise")[column]
        for known in (X, None)
    )
    assert with_x.mean() < 0.6 * without.mean()
    forecaster.fit(y[:60], X=X[:60], fh=[1])
    y_pred = forecaster.update_predict(y[60:], X=X[60:], update_params=False)
    rows = y_pred.index.intersection(y.index)
    assert len(rows) >= 19
    assert (y_pred[rows] - y[rows]).abs().mean() < 0.5 * y.abs().mean()


@pytest.mark.parametrize(
    "freq", ["D", "2D", "W", "B", "MS", "ME", "2MS", "QS", "QE", "YS", "YE", "BME", "h", "15min"]
)
def test_dates_of_any_frequency_have_places(freq):
    dates = pd.date_range("2000-01-03", periods=30, freq=freq)
    for index in (dates, dates._with_freq(None)):
        clock = TimeIndexer(index)
        places = clock(index)
        assert_array_equal(np.diff(places), 1)
        assert_array_equal(clock(index[7:20:3]), places[7:20:3])


@pytest.mark.parametrize("freq", ["MS", "ME", "W-SUN", "h", "2D", "B"])
@pytest.mark.filterwarnings("ignore:PeriodDtype:FutureWarning")  # of sktime's, for "B"
def test_dates_of_a_panel_need_no_frequency(freq):
    dates = pd.date_range("2020-01-01", periods=40, freq=freq)
    frame = pd.concat({key: pd.DataFrame({"v": np.arange(37.0)}, dates[:37]) for key in "ab"})
    frame = frame.reset_index().set_index(["level_0", "level_1"])
    assert frame.index.levels[1].freq is None
    forecaster = small().fit(frame, fh=[1, 3])
    relative = forecaster.predict()
    assert [*relative.loc["a"].index] == [dates[37], dates[39]]
    pd.testing.assert_frame_equal(forecaster.predict(fh=dates[[37, 39]]), relative)
    assert [*forecaster.predict(fh=[-1, 2]).loc["b"].index] == [dates[35], dates[38]]
    more = pd.DataFrame({"v": 37.0}, pd.MultiIndex.from_product([["a", "b"], dates[37:38]]))
    forecaster.update(more, update_params=False)
    assert [*forecaster.predict_interval(fh=[1]).loc["a"].index] == [dates[38]]


def test_dates_that_are_not_evenly_apart():
    dates = pd.DatetimeIndex(["2020-01-01", "2020-01-02", "2020-01-05", "2020-01-06"] * 10)
    dates += pd.to_timedelta(np.arange(40) // 4 * 7, unit="D")
    y = pd.Series(np.arange(40.0), dates)
    with pytest.raises(ValueError, match=r"not evenly apart.*`asfreq`, or a PeriodIndex"):
        small().fit(y, fh=[1])


def test_series_of_a_panel_that_end_at_different_dates():
    rng = np.random.default_rng(0)
    values = np.tile(np.arange(12.0), 5) * 5 + 50 + 0.1 * rng.normal(size=60)
    series = pd.Series(values, pd.date_range("2000-01", periods=60, freq="MS"))
    y = pd.concat({"a": series[:57], "b": series[5:]}, names=["i", "t"]).to_frame("y")
    fh = ForecastingHorizon(pd.date_range("2005-01", periods=3, freq="MS"), is_relative=False)
    y_pred = small(sp=12).fit(y, fh=fh).predict()
    assert_allclose(y_pred["y"], [50, 55, 60] * 2, atol=2)


def test_columns_in_another_order_are_put_in_order():
    y = pd.DataFrame({"p": monthly().to_numpy(), "q": 1000 * monthly().to_numpy()}, index=MONTHS)
    forecaster = small().fit(y[:50], fh=[1])
    other = copy.deepcopy(forecaster)
    expected = forecaster.update(y[50:], update_params=False).predict()
    found = other.update(y[50:][["q", "p"]], update_params=False).predict()
    pd.testing.assert_frame_equal(found, expected)
    with pytest.raises(ValueError, match=r"y has the columns \['p', 'r'\], but .* \['p', 'q'\]"):
        other.update(y[50:].rename(columns={"q": "r"}), update_params=False)


def test_an_update_that_fails_leaves_everything():
    y = monthly()
    forecaster = small().fit(y[:50], fh=[1, 2, 3])
    expected = forecaster.predict()
    with pytest.raises(ValueError, match="has no row between"):
        forecaster.update(y[55:])
    pd.testing.assert_series_equal(forecaster.predict(), expected)


def test_direct_forecasts_of_steps_without_a_network():
    y = panel(lengths=(40, 40))
    forecaster = small(strategy="direct").fit(y, fh=[1, 2])
    later = pd.period_range("2020-01", periods=2, freq="M", name="month")
    more = pd.concat({"s0": pd.DataFrame({"sales": [130.0, 131.0]}, later)}, names=["shop"])
    with pytest.raises(ValueError, match=r"has no network for \[3, 4\] steps after the end of"):
        forecaster.update(more, update_params=False).predict()


@pytest.mark.parametrize("epochs", [1, 3, 7, 50])
def test_judged_networks_were_trained_as_long_as_the_last_one(epochs, monkeypatch):
    done, networks = {}, []
    fit = RNNRegressor.fit

    def counted(self, X, y):
        networks.append(self)  # so that no other one gets its id
        done[id(self)] = done.get(id(self), 0) + self.epochs
        return fit(self, X, y)

    monkeypatch.setattr(RNNRegressor, "fit", counted)
    forecaster = small(epochs=epochs, early_stopping=False).fit(monthly(), fh=[1, 2, 3])
    assert done[id(forecaster.model_.strategy.networks[0][0])] == epochs
    done.clear()
    forecaster.set_params(early_stopping=True).fit(monthly(), fh=[1, 2, 3])
    (network,) = forecaster.model_.strategy.networks[0]
    trained = done.pop(id(network))
    assert trained == max(1, round(forecaster.model_.share * epochs))
    assert max(done.values()) == epochs


# Series unlike the others, and what they must not change


def two_columns():
    y = monthly()
    return pd.DataFrame({"u": y, "v": 1000 + 10 * y})


def test_intervals_keep_the_columns_of_fit():
    D = two_columns()
    forecaster = small(log=False).fit(D[:50], fh=[1])
    for update in (D[50:52][["v", "u"]], D[55:56][["v", "u"]]):
        try:
            forecaster.update(update, update_params=False)
        except ValueError as error:
            assert "no row between" in str(error)  # noqa: PT017
        forecast, bounds = forecaster.predict(), forecaster.predict_interval(coverage=0.9)
        for column in "uv":
            lower, upper = bounds[column].to_numpy()[0]
            assert lower < forecast[column].iloc[0] < upper


@pytest.mark.skipif(not hasattr(RNNForecaster, "pretrain"), reason="sktime < 1.2")
def test_columns_are_those_of_pretraining():
    D = two_columns()
    frame = pd.concat({"a": D, "b": 2 * D}, names=["key", "month"])
    trained = small(log=False).pretrain(frame, fh=[1, 2])
    expected = trained.clone().fit(D, fh=[1, 2]).predict()
    found = trained.clone().fit(D[["v", "u"]], fh=[1, 2]).predict()
    pd.testing.assert_frame_equal(found[["u", "v"]], expected)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_series_that_never_change(scale):
    rng = np.random.default_rng(0)
    parts = {f"s{i}": 10 + rng.normal(size=60).cumsum() for i in range(4)}
    parts["flat"] = np.full(60, 20.0)
    months = MONTHS[:60]
    frame = pd.concat(
        {key: pd.DataFrame({"y": scale * values}, months) for key, values in parts.items()},
        names=["key", "month"],
    )
    forecaster = small(log=False).fit(frame, fh=[1, 2])
    assert_allclose(forecaster.predict().loc["flat"], scale * 20)
    assert_allclose(forecaster.predict_interval().loc["flat"], scale * 20)
    # Of one row, what is usual for the others is all there is to know.
    one = pd.concat({"new": frame.loc["flat"].iloc[-1:]}, names=["key"])
    forecaster.update(one, update_params=False)
    lower, upper = forecaster.predict_interval().loc["new"].to_numpy()[0] / scale
    assert 1 < upper - lower < 40


def test_one_strange_series_does_not_judge_the_others():
    from skrnn.forecasting._unit_root import mean_reversion_weight

    rng = np.random.default_rng(0)
    walks = [rng.normal(size=80).cumsum() for _ in range(9)]
    alone = mean_reversion_weight(walks, [False] * 9)
    assert alone < 0.2
    for strange in ((-1.0) ** np.arange(80), np.sin(2.1 * np.arange(80)), rng.normal(size=80)):
        assert mean_reversion_weight([*walks, strange], [False] * 10) < 0.2
    noises = [rng.normal(size=80) for _ in range(9)]
    assert mean_reversion_weight([*noises, walks[0]], [False] * 10) > 0.5


@sktime_warns
def test_scaler_that_needs_the_index():
    from sktime.transformations.series.detrend import Detrender

    with pytest.raises(ValueError, match=r"needs the index of a series: pass it as transformer="):
        small(scaler=Detrender()).fit(monthly(), fh=[1])


@pytest.mark.parametrize(("freq", "n_rows"), [("B", 5), ("MS", 3), ("YS", 4), ("QS", 3)])
def test_dates_that_look_daily_at_first(freq, n_rows):
    dates = pd.date_range("2024-01-01", periods=15, freq=freq)
    y = pd.Series(np.arange(15.0), dates)
    forecaster = small(window_length=1).fit(y[:n_rows], fh=[1])
    forecaster.update(y[n_rows:10], update_params=False)
    assert forecaster.predict().index[0] == dates[10]


@pytest.mark.parametrize("n_rows", [1, 3])
def test_time_is_that_of_the_longest_series(n_rows):
    dates = pd.date_range("2024-01-01", periods=40, freq="B")
    y = pd.Series(np.arange(40.0), dates)
    frame = pd.concat({"a": y[-n_rows:].to_frame("y"), "b": y.to_frame("y")}, names=["key", "day"])
    forecast = small().fit(frame, fh=[1, 2]).predict()
    assert len(forecast.loc["a"]) == len(forecast.loc["b"]) == 2


def test_dates_between_those_of_the_other_series():
    hours = pd.date_range("2024-01-01", periods=40, freq="h")
    y = pd.DataFrame({"y": np.arange(40.0)}, hours)
    frame = pd.concat({"a": y, "b": y.set_axis(hours + pd.Timedelta("30min"))}, names=["key", "t"])
    with pytest.raises(ValueError, match=r"lies between the dates of a series.*`resample`"):
        small().fit(frame, fh=[1])


def test_exogenous_rows_are_needed_as_far_as_each_series_is_forecast():
    y = monthly().to_frame()
    X = pd.DataFrame({"a": np.random.default_rng(1).normal(size=60)}, y.index)
    parts = {"long": slice(0, 50), "short": slice(10, 40)}
    frame = pd.concat({key: y[rows] for key, rows in parts.items()}, names=["key", "month"])
    known = pd.concat({key: X[rows] for key, rows in parts.items()}, names=["key", "month"])
    ahead = {"long": X[50:52], "short": X[40:52]}
    forecaster = small().fit(frame, known, fh=[1, 2])
    forecast = forecaster.predict(X=pd.concat(ahead, names=["key", "month"]))
    assert [*forecast.loc["short"].index] == [*MONTHS[50:52]]
    ahead["short"] = X[40:51]
    with pytest.raises(ValueError, match=r"'short' has no row of X 12 steps after"):
        forecaster.predict(X=pd.concat(ahead, names=["key", "month"]))


def test_updates_and_exogenous_rows_of_another_kind():
    y, frame = monthly(), panel()
    X = pd.DataFrame({"a": np.arange(60.0)}, y.index)
    forecaster = small().fit(y[:50], fh=[1])
    expected = forecaster.predict()
    with pytest.raises(ValueError, match=r"y has 2 levels of its index, but there are 1"):
        forecaster.update(frame, update_params=False)
    pd.testing.assert_series_equal(forecaster.predict(), expected)
    with pytest.raises(ValueError, match=r"y has 1 levels of its index, but there are 2"):
        small().fit(frame, fh=[1]).update(y[50:].to_frame(), update_params=False)
    with pytest.raises(ValueError, match=r"X is labelled by DatetimeIndex, .* by PeriodIndex"):
        small().fit(y[:50], X[:50], fh=[1]).predict(X=X[50:].set_axis(X.index[50:].to_timestamp()))
    with pytest.raises(ValueError, match=r"y holds 1e\+200 .* below 1e150"):
        small().fit(y.where(y.index != MONTHS[3], 1e200), fh=[1])
