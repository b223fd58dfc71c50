"""The column of a series that is the target, and its naive forecast."""

import numpy as np

from .windows._array import is_windows

# Relative error up to which a target equals a column of the series. Related columns, such as the
# prices of one asset, differ by more; rounding errors are smaller.
_MAX_ERROR = 1e-4


def fit_affine_target(target, y, columns=None):
    """Find the column of the series that each output is equal to, up to scale and shift.

    Scale and shift differ from 1 and 0 if y was scaled separately from X, such as by
    `TransformedTargetRegressor`.

    Parameters
    ----------
    target : ndarray of shape (n_samples, n_features)
        Rows of the series that the windows predict.
    y : ndarray of shape (n_samples, n_outputs)
    columns : sequence of int, default=None
        The column of each output. If None, the column with the best fit is used.

    Returns
    -------
    columns : list of int
    scales, shifts : list of float
        ``y[:, j] == scales[j] * target[:, columns[j]] + shifts[j]``.
    steps : list of int
        The number of rows by which each output is later. 0 unless the outputs are several steps
        ahead, as those of `steps_ahead`.

    Raises
    ------
    ValueError
        If an output is not equal to any column of `target`.
    """
    fits = []
    n_outputs, n_features = y.shape[1], target.shape[1]
    widths = [n for n in range(1, n_features + 1) if n_outputs % n == 0]
    for output in range(n_outputs):
        candidates = range(n_features) if columns is None else [columns[output]]
        # A line fits any two rows exactly, so with two rows only equal values identify a column.
        only_equal = len(candidates) > 1 and len(y) < 3
        lags = sorted({0, *(output // width for width in widths)} & {*range(len(y))})
        error, scale, shift, column, lag = min(
            (*_fit_line(target[lag:, column], y[: len(y) - lag, output], only_equal), column, lag)
            for column in candidates
            for lag in lags
        )
        if not error <= _MAX_ERROR:
            which = "no column" if columns is None else f"not column {column}"
            raise ValueError(
                f"Output {output} of y is {which} of the series in the windows, up to scale and "
                f"shift (the best fit has an error of {error:.1%} of its standard deviation), so "
                "its last value is not known. Add the column of the target to X. (Outputs of "
                "several steps ahead are the column itself, and the column 1, 2, ... rows later.)"
            )
        fits.append((column, scale, shift, lag))
    return [list(values) for values in zip(*fits, strict=True)]


def check_columns(name, columns, n_outputs, n_features):
    """Return the parameter `columns` as a list of one int per output, or None."""
    if columns is None:
        return None
    indices = np.atleast_1d(columns)
    is_valid = indices.dtype.kind in "iu" and indices.shape == (n_outputs,)
    if not is_valid or not all(0 <= column < n_features for column in indices):
        raise ValueError(
            f"{name}={columns!r} must contain one of the columns 0 to {n_features - 1} for each of "
            f"the {n_outputs} outputs."
        )
    return indices.tolist()


def check_features(name, features, n_features):
    """Return a parameter with indices of features as a list of int."""
    indices = np.asarray(features)
    if (
        indices.ndim != 1
        or indices.dtype.kind not in "iu"
        or not np.all((indices >= 0) & (indices < n_features))
    ):
        raise ValueError(
            f"{name}={features!r} must contain indices of features, from 0 to {n_features - 1}."
        )
    return indices.tolist()


def _fit_line(x, y, only_equal):
    """Return the relative error, scale and shift of the least-squares line from x to y."""
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known].astype(np.float64), y[known].astype(np.float64)
    equal = len(x) > 0 and np.array_equal(x, y)
    if equal or only_equal or not len(x):
        return (0.0 if equal else np.inf), 1.0, 0.0
    x_mean, y_mean, x_std, y_std = x.mean(), y.mean(), x.std(), y.std()
    if x_std == 0 or y_std == 0:
        return (0.0 if x_std == y_std else np.inf), 1.0, y_mean - x_mean
    scale = np.mean((x - x_mean) * (y - y_mean)) / x_std**2
    return np.std(y - scale * x) / y_std, scale, y_mean - scale * x_mean


def window_value(X, columns, season_length=None, steps=0):
    """Return the naive forecast of each window: its last value, or the value one season earlier.

    Parameters
    ----------
    X : WindowArray or ndarray of shape (n_samples, n_timesteps, n_features)
    columns : sequence of int
        The columns to forecast.
    season_length : int, default=None
        Number of rows in a season. If None, the last row of the window is used.
    steps : int or sequence of int, of length len(columns), default=0
        Number of rows by which each output is later than the row of the window.

    Returns
    -------
    values : ndarray of shape (n_samples, len(columns))

    Raises
    ------
    ValueError
        If the window is shorter than a season.
    """
    positions = np.full(len(columns), X.shape[1] - 1)
    if season_length is not None:
        # The latest row of the same season inside the window. If the horizon is longer than a
        # season, it is more than one season earlier.
        horizons = (X.horizon if is_windows(X) else 1) + np.broadcast_to(steps, len(columns))
        n_seasons = np.maximum(1, -(-horizons // season_length))
        positions = positions + horizons - n_seasons * season_length
        if positions.min() < 0:
            horizon = horizons[positions.argmin()]
            raise ValueError(
                f"strategy='seasonal' with season_length={season_length} and horizon={horizon} "
                f"needs window_length >= {X.shape[1] - positions.min()}, got {X.shape[1]}."
            )
    return np.asarray(X)[:, positions, columns]
