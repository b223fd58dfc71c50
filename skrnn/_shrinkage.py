"""Shrinkage of forecasts towards a naive forecast."""

import numpy as np


def james_stein_weight(
    predictions: np.ndarray, targets: np.ndarray, times: np.ndarray, n_lags: int | None = None
) -> float:
    """Return the weight, from 0 to 1, of predictions that are added to a naive forecast.

    It is the least squares weight, times the positive part of the James-Stein factor 1 - (variance
    of the mean gain) / (mean gain)². The gain is the reduction of the squared error at a forecast
    origin, so the weight is zero if the mean gain is not larger than its standard error. The
    long-run variance accounts for overlapping forecasts of successive origins.

    Parameters
    ----------
    predictions : ndarray of shape (n_windows, n_steps, n_columns)
    targets : ndarray of shape (n_windows, n_steps, n_columns)
        NaN after the end of a series.
    times : ndarray of int, of shape (n_windows,)
        Forecast origins.
    n_lags : int, default=None
        Number of later origins whose forecasts overlap. If None, it is ``n_steps - 1``.
    """
    is_known = np.isfinite(targets)
    predictions = np.where(is_known, predictions, 0.0)
    targets = np.where(is_known, targets, 0.0)
    total = np.sum(predictions**2)
    if total == 0:
        return 0.0
    weight = np.clip(np.sum(predictions * targets) / total, 0, 1)
    gains = targets**2 - (targets - weight * predictions) ** 2
    # Relative to the mean square of each step, as the last origins have fewer known steps.
    squares = np.sum(targets**2, axis=0) / np.maximum(is_known.sum(axis=0), 1)
    gains /= np.where(squares > 0, squares, 1.0)
    counts = np.bincount(times, is_known.sum(axis=(1, 2)))
    gains = np.bincount(times, gains.sum(axis=(1, 2)))[counts > 0] / counts[counts > 0]
    mean = gains.mean()
    if mean <= 0:
        return 0.0
    n_lags = predictions.shape[1] - 1 if n_lags is None else n_lags
    n_lags = min(n_lags, len(gains) - 1)
    variance = long_run_variance(gains - mean, n_lags) / len(gains)
    return float(weight * max(0.0, 1 - variance / mean**2))


def long_run_variance(deviations: np.ndarray, n_lags: int) -> np.ndarray:
    """Return the variance of autocorrelated values by the estimator of Newey and West [1]_.

    Divided by n_rows it is the variance of their mean.

    Parameters
    ----------
    deviations : ndarray of shape (n_rows,) or (n_rows, n_columns)
        Deviations from the mean.
    n_lags : int
        Number of autocovariances to add to the variance.

    Returns
    -------
    variance : float or ndarray of shape (n_columns,)

    References
    ----------
    .. [1] W. K. Newey, K. D. West (1987). A simple, positive semi-definite, heteroskedasticity and
       autocorrelation consistent covariance matrix. Econometrica 55(3).
    """
    variance = np.mean(deviations**2, axis=0)
    for lag in range(1, n_lags + 1):
        autocovariance = np.sum(deviations[lag:] * deviations[:-lag], axis=0) / len(deviations)
        variance = variance + 2 * (1 - lag / (n_lags + 1)) * autocovariance
    return variance
