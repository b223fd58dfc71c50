import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from skrnn import candidate_window_lengths
from skrnn.datasets import load_airline, make_ar
from skrnn.windows._length import partial_autocorrelations


def test_partial_autocorrelations_equal_those_of_statsmodels():
    pacf = pytest.importorskip("statsmodels.tsa.stattools").pacf
    values = make_ar(200, (0.5, -0.3), random_state=0)[:, 0]
    expected = pacf(values, nlags=8, method="ywmle")[1:]
    assert_allclose(partial_autocorrelations(values, 8), expected)


def test_partial_autocorrelation_is_the_last_coefficient_of_an_autoregression():
    values = make_ar(300, (0.6, 0.2), random_state=1)[:, 0]
    values = values - values.mean()
    lagged = [np.concatenate([np.zeros(lag), values, np.zeros(3 - lag)]) for lag in range(4)]
    coefficients = np.linalg.lstsq(np.array(lagged[1:]).T, lagged[0], rcond=None)[0]
    assert partial_autocorrelations(values, 3)[-1] == pytest.approx(coefficients[-1])


@pytest.mark.parametrize(("coefficients", "order"), [((0.9,), 1), ((0.5, 0.3), 2)])
def test_the_order_of_an_autoregression_is_a_candidate(coefficients, order):
    y = make_ar(1000, coefficients, random_state=0)[:, 0]
    assert order in candidate_window_lengths(y)


def test_seasons_are_candidates_and_windows_are_at_most_a_quarter_of_the_series():
    passengers = load_airline()["Passengers"]
    candidates = candidate_window_lengths(passengers, 12)
    assert {12, 24} <= {*candidates}
    assert max(candidates) <= len(passengers) // 4
    assert candidates == sorted(candidates)


def test_a_constant_series_has_a_candidate():
    assert candidate_window_lengths(np.ones(40)) == [1, 2]


@pytest.mark.parametrize(
    ("y", "season_length", "message"),
    [
        (np.ones(4), 1, r"at least 8 finite numbers, of shape \(n_samples,\), got shape \(4,\)"),
        (np.ones((20, 2)), 1, r"got shape \(20, 2\)"),
        (pd.Series([np.nan] * 20), 1, "without NaN"),
        (np.arange(20), 0, "season_length must be an int of at least 1, got 0"),
        (["a"] * 20, 1, "string"),
    ],
)
def test_invalid_arguments_raise(y, season_length, message):
    with pytest.raises(ValueError, match=message):
        candidate_window_lengths(y, season_length)
