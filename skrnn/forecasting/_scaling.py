"""Scaling of the series of a panel to the units of a network, and its inverse for forecasts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from .._shrinkage import long_run_variance
from ._seasonality import pooled_seasonal_indices
from ._series import PanelSeries
from ._unit_root import ar1_coefficient, mean_reversion_weight

# The logarithm is taken only if it reduces the variation of the spread to this fraction.
_LOG_IMPROVEMENT = 0.9


def needs_log(columns: Sequence[np.ndarray], season_length: int) -> bool:
    """Return whether the spread of positive series grows with their level.

    Two of the power transformations of Guerrero [1]_ are compared, the logarithm and the identity.
    Each series is split into blocks of one season. The logarithm is better if the ratio of spread
    to level varies less between the blocks than the spread itself.

    Parameters
    ----------
    columns : sequence of ndarrays of shape (n_rows,)
        One column of each series of a panel.
    season_length : int
        Rows per season.

    Returns
    -------
    needs_log : bool
        False if a value is not positive, or if no series has three blocks.

    References
    ----------
    .. [1] V. M. Guerrero (1993). Time-series analysis supported by power transformations. Journal
       of Forecasting 12(1).
    """
    if any((values <= 0).any() for values in columns):
        return False
    length = season_length if season_length > 1 else 6
    variations = []
    for values in columns:
        n_blocks = len(values) // length
        if n_blocks < 3:
            continue
        blocks = values[len(values) - n_blocks * length :].reshape(n_blocks, length)
        spread = np.abs(np.diff(blocks, axis=1)).mean(axis=1)
        if spread.mean() == 0:
            continue
        relative = spread / blocks.mean(axis=1)
        variations.append((np.std(relative) / relative.mean(), np.std(spread) / spread.mean()))
    if not variations:
        return False
    with_log, without = np.mean(variations, axis=0)
    return bool(with_log < without * _LOG_IMPROVEMENT)


@dataclass
class SeriesScaler:
    """Scale one series to the units of a network, and its forecasts back.

    `transform` applies the transformer, the logarithm and the scaler. `normalize` then subtracts
    the seasonal indices (or the value one season earlier), mean and drift, and divides by the
    scale. `denormalize` and `inverse_transform` are the inverses.

    Parameters
    ----------
    transformer, scaler : fitted transformers or None
    log : ndarray of bool, of shape (n_columns,)
        Whether to take the logarithm of each column.
    lag : int
        Lag of the seasonal difference. 0 if there is none.
    first_ordinal : int
        Ordinal of the first row of the series.
    seasonal : ndarray of shape (season_length, n_columns), default=zero
        Seasonal indices.
    mean, drift : ndarrays of shape (n_columns,), default=0
        Intercept and slope of the line to subtract.
    scale : ndarray of shape (n_columns,), default=1
        Divisor of each column. 0 for a constant column.
    ar1_coefficient : ndarray of shape (n_columns,), default=1
        Fraction of a deviation from the line that remains after one step. 1 for a random walk.
    minimum : ndarray of shape (n_columns,), default=0
        Smallest value before the logarithm.
    """

    transformer: Any
    scaler: Any
    log: np.ndarray
    lag: int
    first_ordinal: int
    seasonal: np.ndarray = field(default_factory=lambda: np.zeros((1, 1)))
    mean: np.ndarray | float = 0.0
    drift: np.ndarray | float = 0.0
    scale: np.ndarray | float = 1.0
    ar1_coefficient: np.ndarray | float = 1.0
    minimum: np.ndarray | float = 0.0

    def transform(self, series: PanelSeries) -> np.ndarray:
        """Return the transformed rows of a series, of shape (n_rows, n_columns).

        Raises
        ------
        ValueError
            If the logarithm is taken of a value that is not positive.
        """
        values = _apply(self.transformer, "transform", series.values, series.index)
        if (values[:, self.log] <= 0).any():
            raise ValueError(
                f"{series.name} contains {values[:, self.log].min():g}, which has no logarithm, "
                "but logarithms are taken. Set log=False, or add a constant to the series."
            )
        values = np.where(self.log, np.log(np.where(self.log, values, 1.0)), values)
        return _apply(self.scaler, "transform", values, series.index)

    def inverse_transform(self, values: np.ndarray, index: pd.Index) -> np.ndarray:
        """Return transformed rows, of shape (n_rows, n_columns), in the units of the series."""
        values = _apply(self.scaler, "inverse_transform", values, index)
        values = np.where(self.log, np.exp(np.where(self.log, values, 0.0)), values)
        return _apply(self.transformer, "inverse_transform", values, index)

    def convert(self, values: np.ndarray, other: "SeriesScaler") -> np.ndarray:
        """Return transformed values, of shape (..., n_columns), as another scaler transforms them.

        The transformers of both are equal. Values that are smaller than half of the minimum of the
        series, which may have no logarithm, are replaced with it.
        """
        if np.array_equal(self.log, other.log):
            return values
        flat = values.reshape(-1, values.shape[-1])
        flat = _apply(self.scaler, "inverse_transform", flat, None)
        flat = np.where(self.log, np.exp(np.where(self.log, flat, 0.0)), flat)
        positive = np.maximum(flat, 0.5 * self.minimum)
        flat = np.where(other.log, np.log(np.where(other.log, positive, 1.0)), flat)
        return _apply(other.scaler, "transform", flat, None).reshape(values.shape)

    def _baseline(self, rows: np.ndarray) -> np.ndarray:
        """Return the sum of seasonal indices, mean and drift in some rows."""
        seasonal = self.seasonal[(self.first_ordinal + rows) % len(self.seasonal)]
        return seasonal + self.mean + self.drift * rows[..., None]

    def normalize(self, transformed: np.ndarray) -> np.ndarray:
        """Return the input of a network from transformed rows, of shape (n_rows, n_columns)."""
        rows = np.arange(len(transformed))
        lagged = transformed[np.maximum(rows - self.lag, 0)] if self.lag else 0
        deviations = transformed - lagged - self._baseline(rows)
        return deviations / np.where(self.scale > 0, self.scale, 1.0)

    def denormalize(self, forecasts, transformed, origins):
        """Return forecasts in the units of the transformed series.

        Parameters
        ----------
        forecasts : ndarray of shape (n_origins, n_steps, n_columns)
            Forecasts 1, 2, ... steps after each origin, in the units of the network.
        transformed : ndarray of shape (n_rows, n_columns)
            Transformed rows. The rows up to the origin are used.
        origins : ndarray of int, of shape (n_origins,)
            The last observed row of each forecast.

        Returns
        -------
        forecasts : ndarray of shape (n_origins, n_steps, n_columns)
        """
        n_steps = forecasts.shape[1]
        rows = origins[:, None] + 1 + np.arange(n_steps)
        forecasts = forecasts * self.scale + self._baseline(rows)
        for step in range(n_steps if self.lag else 0):
            if step >= self.lag:
                forecasts[:, step] += forecasts[:, step - self.lag]
            else:
                lagged = np.clip(rows[:, step] - self.lag, 0, len(transformed) - 1)
                forecasts[:, step] += transformed[lagged]
        return forecasts


@dataclass(frozen=True)
class ScaledSeries:
    """A series and its fitted scaler."""

    series: PanelSeries
    scaler: SeriesScaler

    def __len__(self) -> int:
        return len(self.series)

    def head(self, n_rows: int) -> "ScaledSeries":
        """Return the first rows with the same scaler."""
        return ScaledSeries(self.series.head(n_rows), self.scaler)

    def transform(self) -> np.ndarray:
        """Return the transformed rows."""
        return self.scaler.transform(self.series)

    def normalize(self) -> np.ndarray:
        """Return the rows in the units of a network."""
        return self.scaler.normalize(self.transform())


def _apply(transformer, method, values, index):
    """Return the values transformed by a method, or unchanged if the transformer is None."""
    if transformer is None:
        return values
    is_sktime = hasattr(transformer, "get_tag")
    frame = pd.DataFrame(values, index=index) if is_sktime else values
    transformed = np.asarray(getattr(transformer, method)(frame), dtype=float)
    return transformed.reshape(len(transformed), -1)


def _fit_transformer(transformer, values, index):
    """Return a fitted copy of a transformer, and the transformed values."""
    if transformer is None:
        return None, values
    fitted = transformer.clone() if hasattr(transformer, "get_tag") else clone(transformer)
    transformed = _apply(fitted, "fit_transform", values, index)
    if transformed.shape != values.shape or not np.isfinite(transformed).all():
        raise ValueError(
            f"{transformer} transformed {values.shape[0]} rows and {values.shape[1]} columns to "
            f"{transformed.shape[0]} and {transformed.shape[1]}, or to NaN. Pass a transformer "
            "that does not change the number of rows and columns and returns finite values."
        )
    _check_rowwise_inverse(fitted, transformed, index)
    return fitted, transformed


def _check_rowwise_inverse(transformer, values, index):
    """Raise a ValueError if the inverse transform of a row depends on the rows before it."""
    changed, middle = values.copy(), len(values) // 2
    changed[middle] += np.maximum(values.std(axis=0), 1e-3 * np.abs(values[middle]))
    before = _apply(transformer, "inverse_transform", values, index)
    after = _apply(transformer, "inverse_transform", changed, index)
    if not np.array_equal(before[middle + 1 :], after[middle + 1 :], equal_nan=True):
        raise ValueError(
            f"{transformer} has an inverse transform that depends on previous rows, so it cannot "
            "be applied to forecasts and intervals. Use it before the forecaster in sktime's "
            "TransformedTargetForecaster, or use seasonal='difference' or residual=True instead."
        )


@dataclass(frozen=True)
class PooledParameters:
    """Parameters of scalers that are estimated from all series of a panel.

    Parameters
    ----------
    log : ndarray of bool, of shape (n_columns,)
    seasonal_shapes : ndarray of shape (season_length, n_columns), default=None
        Seasonal indices that all series share. None without seasonality.
    seasonal_shrinkage : ndarray of shape (n_columns,), default=None
        Shrinkage factors of the individual seasonal indices of each series.
    mean_reversion_weight : ndarray of shape (n_columns,), default=None
        Weights of mean reversion against a random walk.
    typical_scale : ndarray of shape (n_columns,), default=None
        Median scale of the series, relative to their level if there is no logarithm.
    """

    log: np.ndarray
    seasonal_shapes: np.ndarray | None = None
    seasonal_shrinkage: np.ndarray | None = None
    mean_reversion_weight: np.ndarray | None = None
    typical_scale: np.ndarray | None = None


def scale_panel(panel, options, seasonal, window_length, pooled=None):
    """Fit the scalers of all series of a panel.

    Parameters
    ----------
    panel : sequence of PanelSeries
    options : RNNForecaster
        Unfitted forecaster with the parameters.
    seasonal : {"indices", "difference", "window", None}
        How seasonality is removed. With "window", neither seasonality nor drift is removed.
    window_length : int
        The scale of a series is the root mean square of its changes within windows of this length.
    pooled : PooledParameters, default=None
        Parameters of a previous panel to reuse. Parameters that are None are estimated.

    Returns
    -------
    scaled : list of ScaledSeries
    pooled : PooledParameters
    """
    fitted = [_fit_transformer(options.transformer, s.values, s.index) for s in panel]
    if pooled is None:
        pooled = PooledParameters(_select_log([v for _, v in fitted], options, seasonal))
    shapes, shrinkage = pooled.seasonal_shapes, pooled.seasonal_shrinkage
    weight, typical = pooled.mean_reversion_weight, pooled.typical_scale
    lag = options.sp if options.sp > 1 and seasonal == "difference" else 0
    has_series_scale = isinstance(options.scaler, str)
    scalers, transformed = [], []
    for series, (transformer, rows) in zip(panel, fitted, strict=True):
        scaler = SeriesScaler(transformer, None, pooled.log, lag, series.first_ordinal)
        scaler.minimum = rows.min(axis=0)
        values = scaler.transform(series)
        user_scaler = None if has_series_scale else options.scaler
        scaler.scaler, values = _fit_transformer(user_scaler, values, series.index)
        scalers.append(scaler)
        transformed.append(values)
    if options.sp > 1 and seasonal == "indices":
        first_ordinals = [scaler.first_ordinal for scaler in scalers]
        indices, shapes, shrinkage = pooled_seasonal_indices(
            transformed, first_ordinals, options.sp, shapes, shrinkage
        )
        for scaler, season in zip(scalers, indices, strict=True):
            scaler.seasonal = season
    deviations = [s.normalize(values) for s, values in zip(scalers, transformed, strict=True)]
    # Drop the rows without a value one season earlier, unless there are no others.
    deviations = [values[lag:] if len(values) > lag else values for values in deviations]
    has_drift = not lag and seasonal != "window"
    drifts = [fit_drift(v) if has_drift else np.zeros(v.shape[1]) for v in deviations]
    if seasonal == "window":
        weight = np.zeros(deviations[0].shape[1])
    elif weight is None:
        weight = _mean_reversion_weights(deviations, drifts)
    for scaler, values, drift in zip(scalers, deviations, drifts, strict=True):
        scaler.drift, scaler.ar1_coefficient = trend_and_persistence(
            values, drift, weight, window_length
        )
        scaler.mean = np.mean(_subtract_line(values, scaler.drift), axis=0)
    if has_series_scale:
        typical = _fit_scales(scalers, transformed, deviations, window_length, typical)
    pooled = PooledParameters(pooled.log, shapes, shrinkage, weight, typical)
    return [ScaledSeries(*pair) for pair in zip(panel, scalers, strict=True)], pooled


def _select_log(panel, options, seasonal):
    """Return the columns of which to take the logarithm.

    Windows that are divided by their spread need no logarithm.
    """
    n_columns = panel[0].shape[1]
    if options.log != "auto" or options.transformer is not None or seasonal == "window":
        return np.full(n_columns, options.log != "auto" and bool(options.log))
    columns = [[values[:, column] for values in panel] for column in range(n_columns)]
    return np.array([needs_log(column, options.sp) for column in columns])


def _fit_scales(scalers, transformed, deviations, window_length, typical):
    """Set the scale of each scaler: 0 for a constant column, the typical scale for a single row.

    Returns
    -------
    typical : ndarray of shape (n_columns,)
        The argument, or the median scale of the columns that are not constant, relative to their
        level if there is no logarithm.
    """
    levels = [np.sqrt(np.mean(values**2, axis=0)) for values in transformed]
    units = [np.where(s.log, 1.0, level) for s, level in zip(scalers, levels, strict=True)]
    for scaler, values, level in zip(scalers, deviations, levels, strict=True):
        scale = _window_scale(_subtract_line(values, scaler.drift) - scaler.mean, window_length)
        # The differences of constant values are rounding errors.
        scaler.scale = np.where(scale > 1e-12 * level, scale, 0.0)
    if typical is None:
        ratios = np.array([scaler.scale for scaler in scalers]) / np.maximum(units, 1e-300)
        ratios = np.where(ratios > 0, ratios, np.nan)
        typical = np.array([np.nanmedian([0.0] if np.isnan(c).all() else c) for c in ratios.T])
    for scaler, values, unit in zip(scalers, transformed, units, strict=True):
        if len(values) == 1:
            scaler.scale = np.where(scaler.scale > 0, scaler.scale, typical * unit)
    return typical


def _window_scale(values, window_length):
    """Return the root mean square of the changes within windows."""
    if len(values) < 2:
        return np.zeros(values.shape[1])
    lags = range(1, min(max(window_length, 2), len(values)))
    squares = [np.mean((values[lag:] - values[:-lag]) ** 2, axis=0) for lag in lags]
    return np.sqrt(np.mean(squares, axis=0))


def _subtract_line(values, drift):
    return values - drift * np.arange(len(values))[:, None]


def fit_drift(values: np.ndarray) -> np.ndarray:
    """Return the mean change per row of each column, shrunk by its standard error.

    It is multiplied by the positive part of 1 - (2 standard errors / mean change)², so a drift
    within two standard errors is zero. The standard error is computed from the long-run variance of
    the changes, because the changes of a series around a line are negatively correlated, which
    makes their mean more precise.
    """
    changes = np.diff(values, axis=0)
    if len(changes) < 4:
        return np.zeros(values.shape[1])
    mean = changes.mean(axis=0)
    variance = long_run_variance(changes - mean, int(np.sqrt(len(changes))))
    smallest = 0.05 * np.mean((changes - mean) ** 2, axis=0)
    variance = np.maximum(variance, smallest) / len(changes)
    return mean * np.clip(1 - 4 * variance / np.maximum(mean**2, 1e-300), 0, 1)


def _mean_reversion_weights(deviations, drifts):
    """Return the weight of mean reversion in each column."""
    detrended = [_subtract_line(v, drift).T for v, drift in zip(deviations, drifts, strict=True)]
    trends = np.transpose(drifts) != 0
    return np.array([*map(mean_reversion_weight, zip(*detrended, strict=True), trends)])


def trend_and_persistence(values, drift, weight, n_steps):
    """Return the drift and the AR(1) coefficient of each column of a series.

    Both are averages over a random walk and a mean-reverting series. The drift of a random walk is
    its mean change, and that of a mean-reverting series the slope of its least squares line.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
    drift : ndarray of shape (n_columns,)
        Mean change per row. Where it is 0, it remains 0.
    weight : ndarray of shape (n_columns,)
        Weight of the mean-reverting series, from 0 to 1.
    n_steps : int
        Number of steps ahead to which the AR(1) coefficient is fitted.

    Returns
    -------
    drift, ar1_coefficient : ndarrays of shape (n_columns,)
    """
    rows = np.arange(len(values))[:, None] - (len(values) - 1) / 2
    slope = np.sum(rows * values, axis=0) / max(np.sum(rows**2), 1)
    drift = drift + np.where(drift == 0, 0, weight * (slope - drift))
    deviations = values - values.mean(axis=0) - drift * rows
    coefficients = np.array([ar1_coefficient(column, n_steps) for column in deviations.T])
    return drift, 1 - weight * (1 - coefficients)
