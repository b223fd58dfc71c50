import numpy as np
import pytest
from numpy.testing import assert_allclose

from skrnn._shrinkage import james_stein_weight, long_run_variance


def targets_and_times(n_origins=60, n_steps=3):
    targets = np.random.default_rng(0).normal(size=(n_origins, n_steps, 1))
    return targets, np.arange(n_origins)


def test_weight_of_good_predictions_is_that_of_least_squares():
    targets, times = targets_and_times()
    assert james_stein_weight(targets, targets, times) == pytest.approx(1, abs=0.05)
    assert james_stein_weight(2 * targets, targets, times) == pytest.approx(0.5, abs=0.05)
    assert james_stein_weight(0.5 * targets, targets, times) <= 1


def test_weight_of_useless_predictions_is_zero():
    targets, times = targets_and_times()
    noise = np.random.default_rng(1).normal(size=targets.shape)
    assert james_stein_weight(-targets, targets, times) == 0
    assert james_stein_weight(np.zeros_like(targets), targets, times) == 0
    weights = [
        james_stein_weight(np.roll(noise, i, axis=0), targets, times) for i in range(0, 60, 5)
    ]
    assert np.mean(weights) < 0.05


def test_weight_ignores_unknown_targets():
    targets, times = targets_and_times()
    targets[-1, 1:] = np.nan
    predictions = np.where(np.isfinite(targets), targets, 1e6)
    assert james_stein_weight(predictions, targets, times) == pytest.approx(1, abs=0.05)


def test_correlated_series_count_as_one():
    targets, times = targets_and_times(12)
    predictions = 0.3 * targets + 0.5 * np.random.default_rng(2).normal(size=targets.shape)
    alone = james_stein_weight(predictions, targets, times)
    copies = [np.concatenate([array] * 5) for array in (predictions, targets)]
    assert james_stein_weight(*copies, np.tile(times, 5)) == pytest.approx(alone)


def test_long_run_variance_equals_a_naive_loop():
    values = np.random.default_rng(0).normal(size=(20, 2))
    for column in range(2):
        x = values[:, column]
        expected = np.mean(x * x)
        for lag in (1, 2, 3):
            products = [x[i] * x[i - lag] for i in range(lag, 20)]
            expected += 2 * (1 - lag / 4) * sum(products) / 20
        assert_allclose(long_run_variance(values, 3)[column], expected)
        assert_allclose(long_run_variance(x, 3), expected)
    assert_allclose(long_run_variance(x, 0), np.mean(x**2))
