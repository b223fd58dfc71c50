"""The column of a series that a target is, and the naive forecast from a window."""

import numpy as np

from .windows._array import is_windows


def fit_affine_target(target, y, columns=None):
    """Find for each column of y the column of `target` that it is, up to scale and shift.

    y may have been scaled apart from X, as `TransformedTargetRegressor` does.

    Parameters
    ----------
    target : ndarray of shape (n_samples, n_features)
        The rows that the windows are there to predict.
    y : ndarray of shape (n_samples, n_outputs)
    columns : sequence of int, default=None
        The column of each output; any, by default.

    Returns
    -------
    columns : list of int
    scales, shifts : lists of float
        ``y[:, j] == scales[j] * target[:, columns[j]] + shifts[j]``.

    Raises
    ------
    ValueError
        If a column of y is no column of `target`.
    """
    matches = []
    for output in range(y.shape[1]):
        candidates = range(target.shape[1]) if columns is None else [columns[output]]
        # Any two rows lie on a line: there, only equal values tell one column from another.
        only_equal = len(candidates) > 1 and len(y) < 3
        fits = [
            (*_line(target[:, column], y[:, output], only_equal), column) for column in candidates
        ]
        error, scale, shift, column = min(fits)
        # Other columns of the same asset follow y closely too, but not to within rounding.
        if not error <= 1e-4:
            which = "no column" if columns is None else f"not column {column}"
            raise ValueError(
                f"Output {output} of y is {which} of the series in the windows, up to scale and "
                f"shift (the best match leaves {error:.1%} of its spread), so there is no last "
                "value to start from. Put the target's column into X, or name it."
            )
        matches.append((column, scale, shift))
    return tuple(list(part) for part in zip(*matches, strict=True))


def check_columns(name, columns, n_outputs, n_features):
    """Return `columns` as a list of ints, one for each output, or None."""
    if columns is None:
        return None
    chosen = [int(column) for column in np.atleast_1d(columns)]
    if len(chosen) != n_outputs or not all(0 <= column < n_features for column in chosen):
        raise ValueError(
            f"{name}={columns!r} must name one of the columns 0 to {n_features - 1} for each of "
            f"{n_outputs} outputs."
        )
    return chosen


def _line(x, y, only_equal=False):
    """Return the relative error, scale and shift of the line from x to y by least squares."""
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known].astype(np.float64), y[known].astype(np.float64)
    if not len(x):
        return np.inf, 1.0, 0.0
    if np.array_equal(x, y) or only_equal:
        return (0.0 if np.array_equal(x, y) else np.inf), 1.0, 0.0
    x_mean, y_mean = x.mean(), y.mean()
    spread, y_spread = np.std(x), np.std(y)
    if spread == 0:
        return (0.0 if y_spread == 0 else np.inf), 1.0, y_mean - x_mean
    scale = np.mean((x - x_mean) * (y - y_mean)) / spread**2
    shift = y_mean - scale * x_mean
    error = np.std(y - scale * x) / y_spread if y_spread else np.inf
    return error, scale, shift


def window_value(X, columns, season_length=None):
    """Return from each window the naive forecast of its row: the last value, or last season's.

    Parameters
    ----------
    X : WindowArray or ndarray of shape (n_samples, n_timesteps, n_features)
    columns : sequence of int
    season_length : int, default=None
        Rows in a season; None stands for the window's last row.

    Returns
    -------
    values : ndarray of shape (n_samples, len(columns))

    Raises
    ------
    ValueError
        If the window does not reach back one season.
    """
    n_timesteps, position = X.shape[1], X.shape[1] - 1
    if season_length is not None:
        # The latest row of the same season that lies inside the window: for horizons longer
        # than a season, more than one season back.
        horizon = X.horizon if is_windows(X) else 1
        seasons = max(1, -(-horizon // season_length))
        position = n_timesteps - 1 + horizon - seasons * season_length
        if position < 0:
            raise ValueError(
                f"strategy='seasonal' with season_length={season_length} and horizon={horizon} "
                f"needs window_length >= {n_timesteps - position}, got {n_timesteps}."
            )
    return np.asarray(X)[:, position, :][:, columns]
