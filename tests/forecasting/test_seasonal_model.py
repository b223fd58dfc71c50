import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skrnn.forecasting._scaling import ScaledSeries, SeriesScaler
from skrnn.forecasting._seasonal_model import NaiveModel, SeasonalModel

from .helpers import monthly, panel, panel_series, small


def model_of(seasonal, n_rows=60, steps=(1, 2, 3), **parameters):
    options = small(**({"sp": 12, "window_length": None} | parameters))
    model = SeasonalModel(options, seasonal, [*steps])
    model.set_window_length(panel_series(monthly(n_rows).to_frame()))
    return model


@pytest.mark.parametrize(("n_rows", "n_seasons"), [(40, 2), (60, 2), (100, 6), (300, 8)])
def test_default_windows_of_segments_are_whole_seasons(n_rows, n_seasons):
    series = panel_series(pd.Series(np.sin(np.arange(n_rows))).to_frame())
    model = SeasonalModel(small(sp=12, window_length=None), "window", [1, 2, 3])
    model.set_window_length(series)
    assert model.window_length == 12 * n_seasons


def test_windows_that_are_no_whole_seasons_raise():
    with pytest.raises(ValueError, match="window_length=6 is not a multiple of sp=12"):
        model_of("window", window_length=6)


def test_windows_that_do_not_fit_raise():
    with pytest.raises(
        ValueError, match="window_length=24 and 3 steps ahead need at least 27 rows"
    ):
        model_of("window", n_rows=20)


@pytest.mark.parametrize("season_length", [1, 12])
def test_naive_models_equal_a_naive_loop(season_length):
    series = panel_series(monthly().to_frame())
    scaler = SeriesScaler(None, None, np.array([False]), 0, 0)
    origins = [np.array([20, 59])]
    ((first, second),) = NaiveModel(season_length).forecast(
        [ScaledSeries(series[0], scaler)], origins, 30
    )
    values = series[0].values[:, 0]
    for origin, forecast in zip(origins[0], (first, second), strict=True):
        season = values[origin + 1 - season_length : origin + 1]
        assert_array_equal(forecast[:, 0], [season[step % season_length] for step in range(30)])


@pytest.mark.parametrize("seasonal", ["indices", "difference", "window"])
def test_a_weight_of_zero_gives_the_base_forecast(seasonal):
    model = model_of(seasonal)
    series = panel_series(monthly().to_frame())
    scaled, model.pooled = model.scale_panel(series)
    exog = [np.zeros((60, 0))]
    model.fit_holdout(scaled, exog, 12, 0)
    arguments = scaled, [np.arange(40, 50)], 3, exog
    (base,), (network,) = (model.forecast(*arguments, weight) for weight in (0.0, 1.0))
    model.strategy.weights = [0.25]
    (weighted,) = model.forecast(*arguments)
    assert np.abs(network - base).max() > 0
    assert_allclose(weighted, 0.75 * base + 0.25 * network)


def test_networks_without_a_weight_are_not_trained_again():
    model = model_of("window")
    model.options.seasonal = "auto"
    scaled, model.pooled = model.scale_panel(panel_series(monthly().to_frame()))
    exog = [np.zeros((60, 0))]
    model.fit_holdout(scaled, exog, 12, 0)
    model.strategy.weights = [0.0]
    model.fit_all(scaled, exog, 0)
    assert model.strategy.networks == [[]]
    (forecast,) = model.forecast(scaled, [np.array([59])], 3, exog)
    assert np.isfinite(forecast).all()


def test_window_forecasts_do_not_depend_on_level_and_scale():
    """A series and a multiple of it plus a level have the same normalized windows."""
    parameters = {"seasonal": "window", "sp": 12, "window_length": 24, "log": False}
    y = monthly()
    forecast = small(**parameters).fit(y, fh=[1, 2, 3]).predict()
    other = small(**parameters).fit(1000 + 5 * y, fh=[1, 2, 3]).predict()
    assert_allclose(other, 1000 + 5 * forecast, rtol=1e-3)


def test_a_constant_series_of_a_panel_is_forecast_as_constant():
    frame = panel((60, 60))
    frame.loc[("s1", slice(None)), "sales"] = 7.0
    forecaster = small(seasonal="window", sp=12, window_length=24).fit(frame, fh=[1, 2])
    assert_allclose(forecaster.predict().loc["s1"], 7.0)
