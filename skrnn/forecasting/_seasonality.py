"""Seasonal indices of single series and of panels."""

import numpy as np


def _moving_average(values, length):
    """Return the centered moving average over a season, extrapolated linearly to both ends."""
    weights = np.ones(length) / length
    if length % 2 == 0:
        weights = np.convolve(weights, [0.5, 0.5])
    middle = np.apply_along_axis(np.convolve, 0, values, weights, "valid")
    half = len(weights) // 2
    slope = (middle[-1] - middle[0]) / max(len(middle) - 1, 1)
    steps = np.arange(1, half + 1)[:, None]
    after = middle[-1] + slope * steps[: len(values) - half - len(middle)]
    return np.concatenate([middle[0] - slope * steps[::-1], middle, after])


def seasonal_indices(values, first_ordinal, season_length):
    """Return the additive seasonal indices of one series, and their error variances.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
    first_ordinal : int
        Ordinal of the first row. Ordinal 0 is the first row of a season.
    season_length : int

    Returns
    -------
    indices : ndarray of shape (season_length, n_columns)
        Mean deviations from the centered moving average. Zero for less than two seasons.
    variances : ndarray of shape (n_columns,)
    """
    n_columns = values.shape[1]
    if len(values) < 2 * season_length:
        return np.zeros((season_length, n_columns)), np.zeros(n_columns)
    detrended = values - _moving_average(values, season_length)
    phases = (first_ordinal + np.arange(len(values))) % season_length
    counts = np.bincount(phases, minlength=season_length)[:, None]
    means = np.zeros((season_length, n_columns))
    np.add.at(means, phases, detrended)
    means /= counts
    residuals = detrended - means[phases]
    variance = (residuals**2).sum(axis=0) / max(len(values) - season_length, 1)
    return means - means.mean(axis=0), variance * np.mean(1 / counts)


def _individual_shrinkage(individual: np.ndarray, variance: np.ndarray, power: np.ndarray) -> float:
    """Return the James-Stein factor of the individual parts of seasons, relative to their power."""
    is_seasonal = power > 0
    square = np.mean(individual**2, axis=1)
    # The shared shape accounts for a part of the error variance.
    excess = square - (1 - 1 / is_seasonal.sum()) * variance
    total = np.sum(square[is_seasonal] / power[is_seasonal])
    if total <= 1e-12:
        return 0.0
    return float(np.clip(np.sum(excess[is_seasonal] / power[is_seasonal]) / total, 0, 1))


def pooled_seasonal_indices(panel, first_ordinals, season_length, shapes=None, shrinkage=None):
    """Return the seasonal indices of each series, shrunk towards a shape that all series share.

    The indices of each series are a multiple of the shared shape plus an individual part. The
    individual parts are multiplied by the positive part of the James-Stein factor [1]_, which is
    close to 0 if they are not larger than their estimation errors. Shared seasonal indices are more
    accurate if the series of a panel are short and have similar seasons [2]_.

    Parameters
    ----------
    panel : sequence of ndarrays of shape (n_rows, n_columns)
    first_ordinals : sequence of int
    season_length : int
    shapes : ndarray of shape (season_length, n_columns), default=None
        Shared shapes estimated from another panel.
    shrinkage : ndarray of shape (n_columns,), default=None
        Factors of the individual parts, estimated with `shapes`.

    Returns
    -------
    indices : ndarray of shape (n_series, season_length, n_columns)
    shapes : ndarray of shape (season_length, n_columns)
    shrinkage : ndarray of shape (n_columns,)

    References
    ----------
    .. [1] D. Miller, D. Williams (2003). Shrinkage estimators of time series seasonal factors and
       their effect on forecasting accuracy. International Journal of Forecasting 19(4).
    .. [2] M. Dekker, K. van Donselaar, P. Ouwehand (2004). How to use aggregation and combined
       forecasting to improve seasonal demand forecasts. International Journal of Production
       Economics 90(2).
    """
    estimates = [
        seasonal_indices(values, first, season_length)
        for values, first in zip(panel, first_ordinals, strict=True)
    ]
    indices, variances = map(np.array, zip(*estimates, strict=True))
    n_columns = indices.shape[2]
    is_given = shapes is not None
    if not is_given:
        shapes, shrinkage = np.zeros((season_length, n_columns)), np.ones(n_columns)
    for column in range(n_columns):
        seasons, variance = indices[:, :, column], variances[:, column]
        power = np.mean(seasons**2, axis=1)
        is_seasonal = power > 0
        if not is_seasonal.any():
            continue
        if not is_given:
            # The first principal direction of the seasons, each scaled to unit variance.
            units = seasons[is_seasonal] / np.sqrt(power[is_seasonal])[:, None]
            shapes[:, column] = np.linalg.svd(units, full_matrices=False)[2][0]
        shape = shapes[:, column]
        shared = np.outer(seasons @ shape, shape)
        individual = seasons - shared
        if not is_given and is_seasonal.sum() > 1:  # one series shares nothing
            shrinkage[column] = _individual_shrinkage(individual, variance, power)
        shrunk = shared + shrinkage[column] * individual
        # Shrink the whole season by its error, to zero if it is no larger.
        variance = variance * (shrinkage[column] ** 2 + 1 / season_length)
        power = np.maximum(np.mean(shrunk**2, axis=1), 1e-300)
        indices[:, :, column] = shrunk * np.clip(1 - variance / power, 0, 1)[:, None]
    return indices, shapes, shrinkage
