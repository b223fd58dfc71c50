import numpy as np
import pytest
from numpy.testing import assert_allclose

from skrnn.forecasting._unit_root import (
    ar1_coefficient,
    dickey_fuller,
    mean_reversion_weight,
)

from .helpers import autoregressions


@pytest.mark.parametrize("trend", [False, True])
def test_dickey_fuller_statistic_equals_that_of_statsmodels(trend):
    adfuller = pytest.importorskip("statsmodels.tsa.stattools").adfuller
    for values in autoregressions(0.8, 60, 5):
        statistic = dickey_fuller(1000 + 3 * values, trend)
        # That of one of the lags, each over the rows that all lags have.
        expected = [
            adfuller(values[7 - lag :], lag, "ct" if trend else "c", autolag=None)[0]
            for lag in range(8)
        ]
        assert np.isclose(statistic, expected).any()


@pytest.mark.parametrize("trend", [False, True])
def test_weight_separates_mean_reverting_series_from_random_walks(trend):
    walks = [values.cumsum() for values in autoregressions(0.0, 120, 40)]
    reverting = autoregressions(0.5, 120, 40)
    assert np.mean([mean_reversion_weight([values], [trend]) for values in walks]) < 0.25
    assert np.mean([mean_reversion_weight([values], [trend]) for values in reverting]) > 0.5
    assert mean_reversion_weight(walks, [trend] * 40) < 0.15
    assert mean_reversion_weight(reverting, [trend] * 40) > 0.5


def test_weight_of_series_around_a_line_needs_the_trend():
    lines = [values + 0.2 * np.arange(120) for values in autoregressions(0.5, 120, 40)]
    assert mean_reversion_weight(lines, [True] * 40) > 0.5
    assert mean_reversion_weight(lines, [False] * 40) < 0.1


@pytest.mark.parametrize("values", [np.full(40, 7.0), np.arange(40.0), np.arange(5.0) ** 2])
def test_weight_of_constants_lines_and_short_series_is_zero(values):
    assert mean_reversion_weight([values], [False]) == 0
    assert 0 <= mean_reversion_weight([values], [True]) <= 1


def test_an_outlying_series_does_not_change_the_weight_of_a_panel():
    rng = np.random.default_rng(0)
    walks = [rng.normal(size=80).cumsum() for _ in range(9)]
    assert mean_reversion_weight(walks, [False] * 9) < 0.2
    for outlier in ((-1.0) ** np.arange(80), np.sin(2.1 * np.arange(80)), rng.normal(size=80)):
        assert mean_reversion_weight([*walks, outlier], [False] * 10) < 0.2
    noises = [rng.normal(size=80) for _ in range(9)]
    assert mean_reversion_weight([*noises, walks[0]], [False] * 10) > 0.5


def test_ar1_coefficient():
    assert ar1_coefficient(0.8 ** np.arange(30), 10) == pytest.approx(0.8)
    assert ar1_coefficient(np.full(30, 3.0), 10) == 1
    assert ar1_coefficient((-1.0) ** np.arange(30), 1) == 0
    coefficients = [ar1_coefficient(values, 12) for values in autoregressions(0.7, 400, 5)]
    assert_allclose(np.mean(coefficients), 0.7, atol=0.1)
