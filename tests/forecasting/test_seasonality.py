import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skrnn.forecasting._seasonality import pooled_seasonal_indices, seasonal_indices


@pytest.mark.parametrize("season_length", [3, 4])
@pytest.mark.parametrize("first_ordinal", [0, 5])
def test_indices_of_a_line_and_a_season_are_exact(season_length, first_ordinal):
    season = np.random.default_rng(0).normal(size=(season_length, 2))
    season -= season.mean(axis=0)
    rows = np.arange(6 * season_length)
    values = season[(first_ordinal + rows) % season_length] + 0.5 * rows[:, None]
    indices, variances = seasonal_indices(values, first_ordinal, season_length)
    assert_allclose(indices, season, atol=1e-12)
    assert_allclose(variances, 0, atol=1e-12)


def test_error_variance_is_that_of_repeated_estimates():
    rng = np.random.default_rng(0)
    estimates = [seasonal_indices(rng.normal(size=(60, 1)), 0, 6) for _ in range(200)]
    indices = np.array([estimate for estimate, _ in estimates])
    predicted = np.mean([variance for _, variance in estimates])
    assert_allclose(np.mean(indices**2), predicted, rtol=0.25)


def test_less_than_two_seasons_have_no_indices():
    indices, variances = seasonal_indices(np.arange(11.0)[:, None], 0, 6)
    assert_array_equal(indices, np.zeros((6, 1)))
    assert_array_equal(variances, [0])


def make_panel(shapes, seed=0):
    """Return noisy series with a multiple of each shape, and their true seasons."""
    rng = np.random.default_rng(seed)
    series, seasons = [], []
    for shape in shapes:
        season = rng.uniform(5, 50) * (shape - shape.mean())
        noise = 0.3 * np.abs(season).max() * rng.normal(size=36)
        series.append((500 + np.tile(season, 3) + noise)[:, None])
        seasons.append(season)
    return series, np.array(seasons)


def relative_error(indices, seasons):
    errors = np.mean((indices[:, :, 0] - seasons) ** 2, axis=1) / np.mean(seasons**2, axis=1)
    return np.sqrt(errors.mean())


SHAPE = np.sin(2 * np.pi * np.arange(12) / 12) + (np.arange(12) == 3)


@pytest.mark.parametrize("is_shared", [True, False])
def test_indices_of_a_panel_are_shrunk_towards_a_shared_shape(is_shared):
    rng = np.random.default_rng(1)
    shapes = [SHAPE if is_shared else rng.permutation(SHAPE) for _ in range(30)]
    series, seasons = make_panel(shapes)
    pooled, _, shrinkage = pooled_seasonal_indices(series, [0] * 30, 12)
    alone = np.concatenate([pooled_seasonal_indices([x], [0], 12)[0] for x in series])
    ratio = relative_error(pooled, seasons) / relative_error(alone, seasons)
    if is_shared:
        assert ratio < 0.6
        assert shrinkage[0] < 0.3
    else:
        assert ratio < 1.1
        assert shrinkage[0] > 0.6


def test_given_shapes_are_used_for_other_series():
    series, _ = make_panel([SHAPE] * 30)
    _, shapes, shrinkage = pooled_seasonal_indices(series, [0] * 30, 12)
    new, seasons = make_panel([SHAPE] * 5, seed=2)
    indices, same, _ = pooled_seasonal_indices(new, [0] * 5, 12, shapes, shrinkage)
    alone = np.concatenate([pooled_seasonal_indices([x], [0], 12)[0] for x in new])
    assert same is shapes
    assert relative_error(indices, seasons) < 0.7 * relative_error(alone, seasons)


def test_a_season_no_larger_than_its_error_is_zero():
    noise = [np.random.default_rng(seed).normal(size=(36, 1)) for seed in range(20)]
    indices, _, _ = pooled_seasonal_indices(noise, [0] * 20, 12)
    assert np.mean(indices**2) < 0.25 * np.mean([seasonal_indices(x, 0, 12)[0] ** 2 for x in noise])
