import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skrnn import RNNForecaster, RNNRegressor
from skrnn.datasets import make_ar
from skrnn.forecasting._panel_model import PanelModel, combination_weights, effective_number
from skrnn.forecasting._scaling import scale_panel

from .helpers import monthly, panel, panel_series, small


@pytest.mark.parametrize("strategy", ["recursive", "multioutput", "direct"])
def test_windows_of_training_are_within_one_series(strategy, monkeypatch):
    seen, n_outputs = [], 3 if strategy == "multioutput" else 1
    monkeypatch.setattr(RNNRegressor, "fit", lambda self, X, y: seen.append((X, y)) or self)
    monkeypatch.setattr(RNNRegressor, "predict", lambda self, X: np.zeros((len(X), n_outputs)))
    parameters = {"window_length": 4, "strategy": strategy, "log": False, "residual": False}
    options = small(early_stopping=False, scaler=None, **parameters)
    series = panel_series(panel((20, 25, 30)))
    PanelModel(options, [1, 2, 3], ["sales"]).fit(series)
    rows, reach = [], 1 if strategy == "recursive" else 3
    for scaled in scale_panel(series, options, "indices", 4)[0]:
        values = scaled.normalize()
        for last in range(3, len(values) - reach):
            window, future = values[last - 3 : last + 1], values[last + 1 : last + 1 + reach, 0]
            rows.append((len(values) - last, window, future))
    rows.sort(key=lambda row: -row[0])  # by time
    X, y = seen[-1]
    assert_allclose(X, [window for _, window, _ in rows])
    future = np.array([future for *_, future in rows])
    assert_allclose(y, future[:, -1:] if strategy == "direct" else future)
    assert len(seen) == 2 * (3 if strategy == "direct" else 1)  # holdout and all rows


@pytest.mark.parametrize("epochs", [1, 3, 7, 50])
def test_networks_of_the_holdout_are_trained_for_all_epochs(epochs, monkeypatch):
    trained, networks = {}, []

    def count(self, X, y):
        networks.append(self)  # a reference, so that no other network has the same id
        trained[id(self)] = trained.get(id(self), 0) + self.epochs
        return self

    monkeypatch.setattr(RNNRegressor, "fit", count)
    monkeypatch.setattr(RNNRegressor, "predict", lambda self, X: np.zeros((len(X), 3)))
    forecaster = small(epochs=epochs, early_stopping=False).fit(monthly(), fh=[1, 2, 3])
    assert trained[id(forecaster.model_.models[0].strategy.networks[0][0])] == epochs
    trained.clear()
    forecaster.set_params(early_stopping=True).fit(monthly(), fh=[1, 2, 3])
    ((network,),) = forecaster.model_.models[0].strategy.networks
    selected = trained.pop(id(network))
    assert selected == max(1, round(forecaster.model_.models[0].epoch_fraction * epochs))
    assert max(trained.values()) == epochs


@pytest.fixture
def without_training(monkeypatch):
    """Replace the networks by functions that predict zero."""

    def fit(self, X, y):
        self.n_outputs_ = y.shape[1]
        return self

    def predict(self, X):
        return np.zeros((len(X), self.n_outputs_))

    monkeypatch.setattr(RNNRegressor, "fit", fit)
    monkeypatch.setattr(RNNRegressor, "predict", predict)


@pytest.mark.usefixtures("without_training")
@pytest.mark.parametrize("n_rows", [4, 6, 9, 14])
def test_short_series_have_a_shorter_default_window(n_rows):
    forecaster = small(window_length=None, sp=12).fit(monthly(n_rows), fh=[1, 2, 3])
    assert forecaster.model_.models[0].window_length <= 3
    assert np.isfinite(forecaster.predict_interval()).all(axis=None)


@pytest.mark.usefixtures("without_training")
def test_default_window_is_one_season_of_a_long_series():
    lengths = {
        small(window_length=None, sp=12).fit(monthly(n), fh=[1]).model_.models[0].window_length
        for n in (36, 40, 48, 60)
    }
    assert lengths == {12}
    no_season = small(window_length=None).fit(monthly(), fh=[1])
    assert no_season.model_.models[0].window_length == 12


def test_series_too_short_for_a_window_raise():
    message = r"window_length=6 and 1 steps ahead need at least 7 rows to fit, got 5"
    with pytest.raises(ValueError, match=message):
        small(strategy="recursive").fit(monthly(5), fh=[1, 2])
    with pytest.raises(ValueError, match=r"6 and 4 steps ahead need at least 10 rows.*got 9"):
        small(strategy="direct").fit(monthly(9), fh=[4])
    with pytest.raises(ValueError, match=r"a seasonal difference of 12 rows need at least 19"):
        small(seasonal="difference", sp=12).fit(monthly(15), fh=[1])


@pytest.mark.usefixtures("without_training")
def test_typical_errors_are_non_decreasing_and_grow_beyond_the_last_step():
    model = small().fit(monthly(), fh=[1, 2, 3]).model_
    assert model.errors.shape == (3, 1)
    assert (np.diff(model.errors[:, 0]) >= 0).all()
    widths = model.interval_half_width(0.9, np.array([1, 2, 3, 12, 48]))[:, 0]
    assert (np.diff(widths) > -1e-9).all()
    assert widths[4] == pytest.approx(2 * widths[3])  # as a random walk: sqrt(48 / 12)
    assert_array_equal(model.interval_half_width(0.0, np.array([1])) >= 0, True)


@pytest.mark.usefixtures("without_training")
def test_half_width_grows_with_the_coverage():
    model = small().fit(monthly(), fh=[1, 2, 3]).model_
    widths = [model.interval_half_width(c, np.array([2]))[0, 0] for c in (0.2, 0.5, 0.9, 1.0)]
    assert (np.diff(widths) > 0).all()


@pytest.mark.slow
def test_intervals_cover_an_autoregression():
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


def scores(**values):
    keys = [tuple(name.split("__")) for name in values]
    return pd.Series([*values.values()], pd.MultiIndex.from_tuples(keys))


def test_weights_are_inversely_proportional_to_the_square_of_the_mean_square():
    rmse = scores(a__model=1.0, b__model=1.2, c__naive=1.1)
    weights = combination_weights(rmse, 2)
    expected = np.array([1.0, 1.2**-4, 1.1**-4])
    assert_allclose(weights, expected / expected.sum())


def test_prior_weights():
    rmse = scores(indices__base=1.0, indices__model=1.1, b__model=1.05)
    weights = combination_weights(rmse, 2)
    expected = np.array([4.0, 4 * 1.1**-4, 1.05**-4])
    assert_allclose(weights, expected / expected.sum())


def test_indices_are_compared_in_short_series_too():
    """A longer holdout would leave too few rows for them, but not for seasonal differences."""
    y = pd.Series(np.tile(np.sin(np.arange(12)), 3) + np.random.default_rng(0).normal(size=36))
    model = RNNForecaster(sp=12, epochs=1, random_state=0).fit(y, fh=range(1, 13)).model_
    assert {"indices", "difference"} <= {*model.scores.index.get_level_values("forecast")}


def test_weights_of_many_errors_select_the_best_forecast():
    rmse = scores(a__model=1.0, b__model=1.1, c__naive=1.2)
    assert_array_equal(combination_weights(rmse, 200), [1, 0, 0])


def test_the_best_model_is_kept_and_networks_without_shrinkage_have_no_weight():
    rmse = scores(a__model=3.0, a__network=0.5, b__model=4.0, c__naive=1.0)
    weights = combination_weights(rmse, 1)
    assert weights["a", "model"] > 0
    assert_array_equal(weights[[("a", "network"), ("b", "model")]], 0)
    assert weights.sum() == pytest.approx(1)


def test_a_network_of_weight_zero_is_no_second_forecast():
    keys = [("a", "base forecast"), ("a", "model"), ("b", "base forecast"), ("b", "model")]
    rmse = pd.Series([1.0, 1.0, 1.0, 0.999999], pd.MultiIndex.from_tuples(keys))
    weights = combination_weights(rmse, 1)
    assert weights["a", "base forecast"] == 0
    assert_allclose(weights[weights > 0], 1 / 3, rtol=1e-4)


@pytest.mark.parametrize(("n_origins", "n_steps"), [(100, 1), (100, 10)])
def test_effective_number_of_overlapping_errors(n_origins, n_steps):
    rho = 1 - np.abs(np.arange(1 - n_steps, n_steps)) / n_steps
    assert effective_number(n_origins, n_steps) == pytest.approx(n_origins / np.sum(rho**2))


def test_auto_averages_models_and_naive_forecasts():
    y = monthly(60)
    forecaster = small(seasonal="auto", sp=12, window_length=None).fit(y, fh=[1, 2, 3])
    model = forecaster.model_
    assert model.scores["weight"].sum() == pytest.approx(1)
    assert model.weights.sum() == pytest.approx(1)
    assert {"indices", "difference", "window"} == {*model.scores.index.get_level_values(0)} - {
        "last value",
        "seasonal naive",
    }
    naive = model.scores.xs("naive forecast", level="kind")["rmse"]
    assert model.scores["rmse"].min() < naive.min()
    member, origins = next(iter(forecaster._panel.values())), [np.array([59])]
    forecasts = model._model_forecasts([member], origins, 3, [np.zeros((60, 0))])
    average = sum(w * f[0][0] for w, f in zip(model.weights, forecasts, strict=True))
    expected = member.scaler.inverse_transform(average, y.index[-3:])[:, 0]
    assert_allclose(forecaster.predict(), expected)


def test_auto_without_a_holdout_has_a_single_model():
    forecaster = small(seasonal="auto", window_length=2).fit(monthly(8), fh=[1, 2])
    assert [member.seasonal for member in forecaster.model_.models] == ["indices"]
    assert forecaster.model_.scores is None
    assert np.isfinite(forecaster.predict_interval()).all(axis=None)


def test_auto_of_a_random_walk_is_close_to_the_last_value():
    rng, errors, naive = np.random.default_rng(0), [], []
    for _ in range(5):
        y = np.cumsum(rng.normal(size=200))
        forecaster = small(seasonal="auto", window_length=None).fit(pd.Series(y[:150]), fh=[1, 2])
        forecasts = forecaster.predict_origins(pd.Series(y), range(149, 198), [1, 2])[..., 0]
        future = np.lib.stride_tricks.sliding_window_view(y[150:], 2)
        errors.append(np.mean((forecasts - future) ** 2))
        naive.append(np.mean((y[149:198, None] - future) ** 2))
    assert np.sum(errors) < 1.05 * np.sum(naive)
