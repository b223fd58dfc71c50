"""The units in which a network sees a series: what is taken out of it, and put back."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from ._seasonality import pooled_seasonal_indices
from ._unit_root import ar1_coefficient, mean_reversion_weight

# A season must explain the changes of spread this much better, before logarithms are taken.
_CLEARLY = 0.9


def wants_log(series, season_length):
    """Whether the spread of positive series grows with their level.

    Of Guerrero's [1]_ power transformations only two are compared, the logarithm and none: the
    series is cut into stretches (a season each), and the power is better for which the spread of
    the stretches, divided by their level or not, varies less.

    Parameters
    ----------
    series : list of ndarrays of shape (n_rows,)
        Of one column; stretches of all series are judged together.
    season_length : int
        Rows in a season.

    Returns
    -------
    log : bool
        False if a value is not positive, or no series has three stretches.

    References
    ----------
    .. [1] V. M. Guerrero (1993). Time-series analysis supported by power transformations. Journal
       of Forecasting 12(1).
    """
    if any((values <= 0).any() for values in series):
        return False
    length = season_length if season_length > 1 else 6
    votes = []
    for values in series:
        n_stretches = len(values) // length
        if n_stretches < 3:
            continue
        stretches = values[len(values) - n_stretches * length :].reshape(n_stretches, length)
        spread = np.abs(np.diff(stretches, axis=1)).mean(axis=1)
        if spread.mean() == 0:
            continue
        relative = spread / stretches.mean(axis=1)
        votes.append((np.std(relative) / relative.mean(), np.std(spread) / spread.mean()))
    return bool(votes) and bool(np.less(*np.mean(votes, axis=0) * [1, _CLEARLY]))


@dataclass
class Scale:
    """What is taken out of one series, and put back into its forecasts.

    In order: the user's transformer, the logarithm, the user's scaler, season and drift, the size.

    Parameters
    ----------
    transformer, scaler : fitted transformers or None
    log : ndarray of bool, of shape (n_columns,)
    season : ndarray of shape (season_length, n_columns)
        Of each place in the season, what it has more than the average; zeros without a season.
    lag : int
        Rows back to the value that is subtracted; 0 for none.
    first_place : int
        The place in time of the first row.
    mean, drift : ndarrays of shape (n_columns,)
        What is subtracted from all rows, and from row i another i times.
    size : ndarray of shape (n_columns,)
        What is divided by; 0 where nothing changes, and nothing is forecast to.
    memory : ndarray of shape (n_columns,)
        What is left, a row later, of a row's distance from what is subtracted; 1 if all of it is.
    """

    transformer: Any
    scaler: Any
    log: np.ndarray
    season: np.ndarray
    lag: int
    first_place: int
    mean: np.ndarray
    drift: np.ndarray
    size: np.ndarray
    ar1_coefficient: np.ndarray

    def levels(self, history):
        """Return the rows of a series before season and size are taken out."""
        return _levels(history, self.transformer, self.log, self.scaler)

    def _usual(self, rows):
        """Return season, mean and drift of some rows."""
        season = self.season[(self.first_place + rows) % len(self.season)]
        return season + self.mean + self.drift * rows[..., None]

    def inputs(self, levels):
        """Return what a network sees of levels, of shape (n_rows, n_columns)."""
        rows = np.arange(len(levels))
        before = levels[np.maximum(rows - self.lag, 0)] if self.lag else 0
        return (levels - before - self._usual(rows)) / np.where(self.size > 0, self.size, 1.0)

    def outputs(self, forecasts, levels, origins):
        """Return forecasts in a network's units as levels.

        Parameters
        ----------
        forecasts : ndarray of shape (n_origins, n_steps, n_columns)
            Of the steps 1, 2, ... after each origin.
        levels : ndarray of shape (n_rows, n_columns)
            Rows after an origin are not looked at.
        origins : ndarray of int, of shape (n_origins,)
            The last row known.

        Returns
        -------
        forecasts : ndarray of shape (n_origins, n_steps, n_columns)
        """
        rows = origins[:, None] + 1 + np.arange(forecasts.shape[1])
        found = forecasts * self.size + self._usual(rows)
        for step in range(forecasts.shape[1] if self.lag else 0):
            back = step - self.lag
            known = levels[np.clip(rows[:, step] - self.lag, 0, len(levels) - 1)]
            found[:, step] += found[:, back] if back >= 0 else known
        return found

    def values(self, levels, index):
        """Return levels, of shape (n_rows, n_columns), in the units of the series."""
        if self.scaler is not None:
            levels = self.scaler.inverse_transform(levels)
        levels = np.where(self.log, np.exp(np.where(self.log, levels, 0.0)), levels)
        if self.transformer is not None:
            levels = np.asarray(
                self.transformer.inverse_transform(_as_taken(self.transformer, levels, index))
            ).reshape(levels.shape)
        return levels


def _as_taken(transformer, values, index):
    """Return values as an sktime transformer takes them, by an index, or as scikit-learn's do."""
    is_sktime = hasattr(transformer, "get_tag")
    return pd.DataFrame(values, index=index) if is_sktime else values


def _fitted(transformer, values, index):
    """Return a fitted copy of a transformer, and what it makes of the values."""
    if transformer is None:
        return None, values
    fitted = transformer.clone() if hasattr(transformer, "get_tag") else clone(transformer)
    found = np.asarray(fitted.fit_transform(_as_taken(fitted, values, index)), dtype=float)
    found = found.reshape(len(found), -1)
    if found.shape != values.shape or not np.isfinite(found).all():
        raise ValueError(
            f"{transformer} turned {values.shape[0]} rows and {values.shape[1]} columns into "
            f"{found.shape[0]} and {found.shape[1]}, or into NaN: it must keep them, and be finite."
        )
    _check_row_by_row(fitted, found, index)
    return fitted, found


def _check_row_by_row(transformer, values, index):
    """Raise a ValueError if rows that are turned back change with the rows before them."""
    moved, middle = values.copy(), len(values) // 2
    moved[middle] += np.maximum(values.std(axis=0), 1e-3 * np.abs(values[middle]))
    back = [
        np.asarray(transformer.inverse_transform(_as_taken(transformer, rows, index)), dtype=float)
        for rows in (values, moved)
    ]
    if not np.array_equal(back[0][middle + 1 :], back[1][middle + 1 :], equal_nan=True):
        raise ValueError(
            f"{transformer} turns rows back by the rows before them, and so cannot put forecasts "
            "and intervals back: put it before the forecaster in sktime's "
            "TransformedTargetForecaster, or take seasonal='difference' or residual=True."
        )


def _levels(history, transformer, log, scaler):
    values = history.values
    if transformer is not None:
        values = np.asarray(transformer.transform(_as_taken(transformer, values, history.index)))
        values = values.reshape(len(history), -1).astype(float)
    if (values[:, log] <= 0).any():
        raise ValueError(
            f"{history.name} holds {values[:, log].min():g}, which has no logarithm, but "
            "logarithms are taken of it: take log=False, or add a constant to it first."
        )
    values = np.where(log, np.log(np.where(log, values, 1.0)), values)
    return values if scaler is None else np.asarray(scaler.transform(values), dtype=float)


def fit_scales(histories, options, window_length, known=None, later=None):
    """Fit the scales of all series, whose seasons may share a shape.

    Parameters
    ----------
    histories : list of History
    options : object with the attributes `sp`, `seasonal`, `log`, `scaler` and `transformer`
    window_length : int
        The size of a series is that of its windows around their last rows.
    known : tuple (log, shapes, share, typical), default=None
        What an earlier call found for all series, to be kept for others; what is None is found
        anew.
    later : list of Scale, default=None
        Of the same series with more rows: where nothing changes in these, their size is taken.

    Returns
    -------
    scales : list of Scale
    known : tuple (log, shapes, share, typical)
    """
    seasonal = options.seasonal if options.sp > 1 else None
    own_size = isinstance(options.scaler, str)
    first = [_fitted(options.transformer, h.values, h.index) for h in histories]
    n_columns = histories[0].values.shape[1]
    lag = options.sp if seasonal == "difference" else 0
    log, shapes, share, typical = [None] * 4 if known is None else known
    log = _logs([values for _, values in first], options) if log is None else log
    scales = []
    for history, (transformer, _) in zip(histories, first, strict=True):
        levels = _levels(history, transformer, log, None)
        scaler, levels = _fitted(None if own_size else options.scaler, levels, history.index)
        scale = Scale(
            transformer,
            scaler,
            log,
            season=np.zeros((1, n_columns)),
            lag=lag,
            first_place=history.first_place,
            mean=np.zeros(n_columns),
            drift=np.zeros(n_columns),
            size=np.ones(n_columns),
            memory=np.ones(n_columns),
        )
        scales.append((scale, levels))
    if seasonal == "indices":
        seasons, shapes = pooled_seasonal_indices(scales, options.sp, shapes)
        for (scale, _), season in zip(scales, seasons, strict=True):
            scale.season = season
    # Without the rows that have none a season earlier, unless there are no others.
    parts = [scale.inputs(levels) for scale, levels in scales]
    parts = [values[lag:] if len(values) > lag else values for values in parts]
    drifts = [np.zeros(n_columns) if lag else _drift(around) for around in parts]
    share = mean_reversion_weights(parts, drifts) if share is None else share
    for (scale, _), around, drift in zip(scales, parts, drifts, strict=True):
        scale.drift, scale.memory = trend_and_persistence(around, drift, share, window_length)
        scale.mean = np.mean(around - scale.drift * np.arange(len(around))[:, None], axis=0)
    if own_size:
        later = [None] * len(scales) if later is None else later
        typical = _set_sizes(scales, parts, window_length, typical, later)
    return [scale for scale, _ in scales], (log, shapes, share, typical)


def _set_sizes(scales, parts, window_length, typical, later):
    """Set the sizes of series: 0 where nothing changes, and as is typical where one row says it.

    Returns
    -------
    typical : ndarray of shape (n_columns,)
        The median of the sizes of those that change, over their levels where these are no
        logarithms; as it is given, if it is.
    """
    levels = [np.sqrt(np.mean(levels**2, axis=0)) for _, levels in scales]
    units = [
        np.where(scale.log, 1.0, level) for (scale, _), level in zip(scales, levels, strict=True)
    ]
    for (scale, _), around, level in zip(scales, parts, levels, strict=True):
        straight = around - scale.drift * np.arange(len(around))[:, None] - scale.mean
        size = _size(straight, window_length)
        # What is left of numbers that take each other out is no change.
        scale.size = np.where(size > 1e-12 * level, size, 0.0)
    if typical is None:
        sizes = np.array([s.size for s, _ in scales]) / np.maximum(units, 1e-300)
        sizes = np.where(sizes > 0, sizes, np.nan)
        typical = np.array([np.nanmedian([0.0] if np.isnan(c).all() else c) for c in sizes.T])
    for (scale, rows), unit, one in zip(scales, units, later, strict=True):
        usual = typical * unit if len(rows) == 1 else 0.0
        scale.size = np.where(scale.size > 0, scale.size, usual if one is None else one.size)
    return typical


def _logs(series, options):
    """Return of which columns the logarithm is taken."""
    n_columns = series[0].shape[1]
    if options.log != "auto" or options.transformer is not None:
        return np.full(n_columns, options.log != "auto" and bool(options.log))
    columns = [[values[:, column] for values in series] for column in range(n_columns)]
    return np.array([wants_log(column, options.sp) for column in columns])


def _size(values, window_length):
    """Return the root mean square of windows around their last row."""
    if len(values) < 2:
        return np.zeros(values.shape[1])
    lags = range(1, min(max(window_length, 2), len(values)))
    squares = [np.mean((values[lag:] - values[:-lag]) ** 2, axis=0) for lag in lags]
    return np.sqrt(np.mean(squares, axis=0))


def _drift(values):
    """Return the mean change from row to row, shrunk to none up to two standard errors.

    The variance is that of Newey and West (1987, Econometrica 55(3)), as changes that take each
    other back, as those of noise around a line, leave the mean better known than others.
    """
    changes = np.diff(values, axis=0)
    if len(changes) < 4:
        return np.zeros(values.shape[1])
    mean = changes.mean(axis=0)
    around, n_changes = changes - mean, len(changes)
    squares = np.mean(around**2, axis=0)
    variance, n_lags = squares.copy(), int(np.sqrt(n_changes))
    for lag in range(1, n_lags + 1):
        product = np.sum(around[lag:] * around[:-lag], axis=0) / n_changes
        variance += 2 * (1 - lag / (n_lags + 1)) * product
    variance = np.maximum(variance, 0.05 * squares) / n_changes
    return mean * np.clip(1 - 4 * variance / np.maximum(mean**2, 1e-300), 0, 1)


def mean_reversion_weights(parts, drifts):
    """Return how sure it is of each column that series return to their means, or to their lines."""
    straight = [
        values - drift * np.arange(len(values))[:, None]
        for values, drift in zip(parts, drifts, strict=True)
    ]
    return np.array(
        [
            mean_reversion_weight(
                [v[:, column] for v in straight], [bool(d[column]) for d in drifts]
            )
            for column in range(parts[0].shape[1])
        ]
    )


def trend_and_persistence(values, drift, share, n_steps):
    """Return the slope of the line that a series returns to, and what is left of the way a row on.

    As far as it returns, the best slope is that of least squares, and otherwise the mean change.
    """
    rows = np.arange(len(values))[:, None] - (len(values) - 1) / 2
    slope = np.sum(rows * values, axis=0) / max(np.sum(rows**2), 1)
    drift = drift + np.where(drift == 0, 0, share * (slope - drift))
    around = values - values.mean(axis=0) - drift * rows
    return drift, 1 - share * (1 - np.array([ar1_coefficient(one, n_steps) for one in around.T]))
