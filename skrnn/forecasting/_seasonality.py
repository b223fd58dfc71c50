"""The units in which a network sees a series: what is taken out of it, and put back."""

import numpy as np


def _trend(values, length):
    """Return the centred moving average over a season, drawn out straight to both ends."""
    weights = np.ones(length) / length
    if length % 2 == 0:
        weights = np.convolve(weights, [0.5, 0.5])
    middle = np.apply_along_axis(np.convolve, 0, values, weights, "valid")
    half = len(weights) // 2
    slope = (middle[-1] - middle[0]) / max(len(middle) - 1, 1)
    steps = np.arange(1, half + 1)[:, None]
    after = middle[-1] + slope * steps[: len(values) - half - len(middle)]
    return np.concatenate([middle[0] - slope * steps[::-1], middle, after])


def seasonal_indices(levels, first_place, length):
    """Return the seasonal means of one series around its trend, and the variance of their error.

    Both are zero where the series has less than two seasons.
    """
    n_columns = levels.shape[1]
    if len(levels) < 2 * length:
        return np.zeros((length, n_columns)), np.zeros(n_columns)
    around = levels - _trend(levels, length)
    places = (first_place + np.arange(len(levels))) % length
    counts = np.bincount(places, minlength=length)[:, None]
    means = np.zeros((length, n_columns))
    np.add.at(means, places, around)
    means /= counts
    left = around - means[places]
    variance = (left**2).sum(axis=0) / max(len(levels) - length, 1)
    return means - means.mean(axis=0), variance * np.mean(1 / counts)


def pooled_seasonal_indices(scales, length, known):
    """Return the season of each series, drawn to a shape that all share as far as they do share it.

    Each series' own seasonal means are the sum of a multiple of the shape and a rest. What of the
    rests is more than their own error would make is kept, by the positive part of James and Stein's
    factor (Miller and Williams, 2003: Shrinkage estimators of time series seasonal factors and
    their effect on forecasting accuracy, International Journal of Forecasting 19; group seasonal
    indices: Dekker et al., 2004, International Journal of Production Economics 88).
    """
    found = [seasonal_indices(levels, scale.first_place, length) for scale, levels in scales]
    seasons = np.array([season for season, _ in found])
    noise = np.array([variance for _, variance in found])
    shapes = seasons[0] * 0 if known is None else known[0]
    keep = np.ones(seasons.shape[2]) if known is None else known[1]
    for column in range(seasons.shape[2]):
        own, error = seasons[:, :, column], noise[:, column]
        power = np.mean(own**2, axis=1)
        some = power > 0
        if not some.any():
            continue
        if known is None:
            # The first direction in which the series vary together, each counted alike.
            units = own[some] / np.sqrt(power[some])[:, None]
            shapes[:, column] = np.linalg.svd(units, full_matrices=False)[2][0]
        shape = shapes[:, column]
        shared = np.outer(own @ shape, shape)
        rest = own - shared
        if known is None:
            share = 1 - 1 / max(some.sum(), 1)  # of the error, what the shape has not taken up
            excess = np.sum((np.mean(rest**2, axis=1) - share * error)[some] / power[some])
            total = np.sum(np.mean(rest**2, axis=1)[some] / power[some])
            if some.sum() > 1:  # one series says nothing of what it shares with others
                keep[column] = np.clip(excess / total, 0, 1) if total > 1e-12 else 0.0
        mixed = shared + keep[column] * rest
        # A season no larger than its own error is none.
        error = error * (keep[column] ** 2 + 1 / length)
        size = np.maximum(np.mean(mixed**2, axis=1), 1e-300)
        seasons[:, :, column] = mixed * np.clip(1 - error / size, 0, 1)[:, None]
    return seasons, (shapes, keep)
