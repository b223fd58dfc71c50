import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skrnn.datasets import load_airline
from skrnn.forecasting._scaling import (
    PooledParameters,
    fit_drift,
    needs_log,
    scale_panel,
    trend_and_persistence,
)

from .helpers import MONTHS, autoregressions, monthly, panel, panel_series, small


def scale(frame, pooled=None, window_length=6, **parameters):
    options = small(**({"sp": 12, "log": False} | parameters))
    return scale_panel(panel_series(frame), options, options.seasonal, window_length, pooled)


def test_logarithm_is_needed_if_the_spread_grows_with_the_level():
    airline = load_airline()["Passengers"].to_numpy()
    assert needs_log([airline], 12)
    assert not needs_log([monthly().to_numpy()], 12)
    assert not needs_log([airline - 200], 12)  # negative values
    assert not needs_log([airline[:20]], 12)  # less than three seasons
    assert not needs_log([np.full(40, 3.0)], 12)


def test_only_columns_that_need_it_are_transformed_by_the_logarithm():
    passengers = load_airline()["Passengers"]
    frame = pd.DataFrame({"log": passengers, "negative": passengers - 200})
    (scaled,), pooled = scale(frame, log="auto")
    assert pooled.log.tolist() == [True, False]
    expected = np.column_stack([np.log(frame["log"]), frame["negative"]])
    assert_array_equal(scaled.transform(), expected)
    _, pooled = scale(frame, log="auto", transformer=StandardScaler())
    assert pooled.log.tolist() == [False, False]


def test_the_logarithm_is_not_selected_again():
    (scaled,), pooled = scale(monthly().to_frame(), PooledParameters(np.array([True])), log="auto")
    assert pooled.log.tolist() == [True]
    assert_array_equal(scaled.transform(), np.log(monthly().to_frame()))


@pytest.mark.parametrize("seasonal", ["indices", "difference", None])
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"log": True},
        {"scaler": StandardScaler()},
        {"scaler": None},
        {"transformer": FunctionTransformer(np.sqrt, np.square)},
    ],
    ids=str,
)
def test_denormalize_inverts_normalize(seasonal, parameters):
    frame = monthly()[7:].to_frame()
    (scaled,), _ = scale(frame, seasonal=seasonal, **parameters)
    normalized, transformed = scaled.normalize(), scaled.transform()
    origins = np.array([20, 30])
    future = np.stack([normalized[origin + 1 : origin + 16] for origin in origins])
    forecasts = scaled.scaler.denormalize(future, transformed, origins)
    for origin, forecast in zip(origins, forecasts, strict=True):
        rows = slice(origin + 1, origin + 16)
        assert_allclose(forecast, transformed[rows])
        values = scaled.scaler.inverse_transform(forecast, frame.index[rows])
        assert_allclose(values, frame[rows])


def test_normalize_removes_trend_and_season_and_divides_by_the_changes_in_windows():
    frame = monthly(noise=0.5).to_frame()
    (scaled,), _ = scale(frame)
    normalized = scaled.normalize()[:, 0]
    assert abs(normalized.mean()) < 1e-12
    assert (normalized * scaled.scaler.scale).std() < 1.0 < 0.1 * frame.to_numpy().std()
    assert scaled.scaler.drift[0] == pytest.approx(0.5, abs=0.05)
    changes = [normalized[lag:] - normalized[:-lag] for lag in range(1, 6)]
    assert np.sqrt(np.mean([np.mean(c**2) for c in changes])) == pytest.approx(1)


def test_seasonal_difference_subtracts_the_value_one_season_earlier():
    y = monthly()
    (scaled,), _ = scale(y.to_frame(), seasonal="difference", scaler=None)
    expected = y.diff(12)[12:]
    assert_allclose(scaled.normalize()[12:, 0], expected - expected.mean())


def test_seasons_are_aligned_with_the_calendar():
    whole, _ = scale(monthly().to_frame())
    part, _ = scale(monthly()[7:48].to_frame())
    seasonal = part[0].scaler.seasonal[:, 0]
    assert np.corrcoef(seasonal, whole[0].scaler.seasonal[:, 0])[0, 1] > 0.95


def test_pooled_parameters_apply_to_a_single_new_series():
    _, pooled = scale(panel((60, 60, 60)))
    new = monthly(seed=9)[30:]
    (alone,), _ = scale(new.to_frame())
    (scaled,), again = scale(new.to_frame(), pooled)
    true = (10 * np.sin(2 * np.pi * np.arange(12) / 12) + 5 * (np.arange(12) == 11))[:, None]
    true -= true.mean()
    errors = [np.std(s.scaler.seasonal - true) for s in (scaled, alone)]
    assert errors[0] < errors[1]
    assert again.mean_reversion_weight is pooled.mean_reversion_weight
    assert again.typical_scale is pooled.typical_scale


def test_constant_columns_have_scale_zero():
    frame = pd.DataFrame({"constant": 0.1, "sales": monthly()}, MONTHS)
    (scaled,), _ = scale(frame, sp=1)
    assert scaled.scaler.scale[0] == 0
    assert scaled.scaler.scale[1] > 0
    assert np.abs(scaled.normalize()[:, 0]).max() < 1e-12


def test_a_single_row_has_the_typical_scale():
    frame = panel((60, 60, 1))
    scaled, pooled = scale(frame)
    levels = [np.sqrt(np.mean(frame.loc[key] ** 2)) for key in ("s0", "s1", "s2")]
    scales = [s.scaler.scale[0] for s in scaled]
    typical = np.median(np.divide(scales[:2], levels[:2]))
    assert pooled.typical_scale == pytest.approx(typical)
    assert scales[2] == pytest.approx(typical * levels[2])


def test_drift_within_two_standard_errors_is_zero():
    rng = np.random.default_rng(0)
    steps = 0.5 + rng.normal(size=(400, 1))
    assert 0.3 < fit_drift(steps.cumsum(axis=0))[0] < 0.6
    assert fit_drift((steps - steps.mean()).cumsum(axis=0))[0] == 0
    assert fit_drift(np.arange(4.0)[:, None]) == 0  # too short
    # The changes of a line with noise are negatively correlated: its slope is known precisely.
    line = 0.2 * np.arange(300)[:, None] + rng.normal(size=(300, 1))
    assert fit_drift(line)[0] == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_trend_and_persistence_average_a_random_walk_and_a_mean_reverting_series(weight):
    values = np.column_stack(autoregressions(0.5, 200, 2)) + [0.3, 0] * np.arange(200)[:, None]
    slope = np.polyfit(np.arange(200), values[:, 0], 1)[0]
    drift, _ = trend_and_persistence(values, np.array([0.25, 0.0]), np.full(2, weight), 5)
    assert_allclose(drift, [0.25 + weight * (slope - 0.25), 0.0])
    slopes = np.array([slope, 0.0])
    _, reverting = trend_and_persistence(values, slopes, np.ones(2), 5)
    assert_allclose(reverting, 0.5, atol=0.15)
    _, averaged = trend_and_persistence(values, slopes, np.full(2, weight), 5)
    assert_allclose(averaged, 1 - weight * (1 - reverting))


def test_transformer_with_an_inverse_that_depends_on_previous_rows_raises():
    from sktime.transformations.series.difference import Differencer

    message = r"inverse transform that depends on previous rows.*TransformedTargetForecaster"
    with pytest.raises(ValueError, match=message):
        scale(monthly().to_frame(), transformer=Differencer())


def test_transformer_that_drops_rows_raises():
    class Shorter(StandardScaler):
        def transform(self, X):
            return super().transform(X)[1:]

    with pytest.raises(ValueError, match=r"transformed 60 rows and 1 columns to 59 and 1"):
        scale(monthly().to_frame(), transformer=Shorter())


def test_value_without_a_logarithm_raises():
    y = monthly()
    y.iloc[3] = -1.0
    with pytest.raises(ValueError, match=r"contains -1, which has no logarithm.*log=False"):
        scale(y.to_frame(), log=True)


def test_values_are_converted_between_scalers_with_and_without_logarithm():
    frame = monthly(scale=10.0).to_frame()
    ((with_log,), _), ((without,), _) = (
        scale(frame, log=log, scaler=None) for log in (True, False)
    )
    values, logs = without.transform(), with_log.transform()
    assert_allclose(without.scaler.convert(values, with_log.scaler), logs)
    assert_allclose(with_log.scaler.convert(logs, without.scaler), values)
    assert without.scaler.convert(values, without.scaler) is values
    values[0] = -1
    assert np.isfinite(without.scaler.convert(values, with_log.scaler)).all()


def test_windows_that_are_normalized_have_neither_logarithm_nor_drift():
    options = small(sp=12, log="auto", window_length=24)
    series = panel_series(np.exp(monthly() / 20).to_frame())
    (scaled,), _ = scale_panel(series, options, "window", 24)
    assert not scaled.scaler.log.any()
    assert scaled.scaler.drift == 0
    assert_array_equal(scaled.scaler.ar1_coefficient, 1)
