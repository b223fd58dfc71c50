"""Global model of all series of a panel, with conformal prediction intervals."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats
from sklearn.isotonic import IsotonicRegression
from sklearn.utils import check_random_state

from ._scaling import PooledParameters, ScaledSeries, SeriesScaler, difference_lag, scale_panel
from ._series import PanelSeries
from ._strategy import Strategy, Windows

# The default window is shortened until there are this many windows for training.
_MIN_WINDOWS = 12
# Smallest degrees of freedom of the t distribution that widens intervals.
_MIN_DEGREES_OF_FREEDOM = 3
# Fractions of the epochs after which the networks are evaluated on the holdout.
_CHECKPOINTS = 0.1, 0.2, 0.4, 0.7, 1.0


class PanelModel:
    """Networks, pooled parameters and error scales of a panel, to forecast any series.

    Parameters
    ----------
    options : RNNForecaster
        Unfitted forecaster with the parameters.
    steps : list of int
        Steps ahead to forecast, in ascending order.
    columns : list
        Names of the columns of y.

    Attributes
    ----------
    lag : int
        Lag of the seasonal difference. 0 if there is none.
    window_length, n_columns : int
    exog_columns : list
        Names of the columns of X. Empty without X.
    unit : tuple
        Unit of the time index.
    pooled : PooledParameters
    strategy : Strategy
    epoch_fraction : float
        Fraction of the epochs that early stopping selected.
    errors : ndarray of shape (n_steps, n_columns)
        Typical error of each step ahead, in the units of the networks.
    conformity_scores : ndarray of shape (n_scores,)
        Absolute errors divided by the typical error of their step, in ascending order.
    n_origins : int
        Number of forecast origins of the errors.
    """

    strategy: Strategy
    errors: np.ndarray
    conformity_scores: np.ndarray

    def __init__(self, options: Any, steps: list[int], columns: list) -> None:
        self.options = options
        self.lag = difference_lag(options)
        self.steps = steps
        self.columns = columns

    def fit(self, panel: Sequence[PanelSeries]) -> list[ScaledSeries]:
        """Estimate errors and the number of epochs on a holdout, then train on all rows.

        Returns
        -------
        scaled : list of ScaledSeries
            The series with their fitted scalers.
        """
        self._set_window_length(panel)
        self.n_columns = panel[0].values.shape[1]
        self.unit = panel[0].indexer.unit
        self._fit_exog(panel)
        seeds = check_random_state(self.options.random_state).randint(2**31 - 1, size=2)
        scaled, self.pooled = scale_panel(panel, self.options, self.window_length)
        self.epoch_fraction = 1.0
        has_holdout = self._fit_holdout(scaled, seeds[0])
        holdout_weights = self.strategy.weights
        self.strategy = self._make_strategy()
        self._train(scaled, seeds[1], self.epoch_fraction)
        if has_holdout:
            self.strategy.weights = holdout_weights
        else:  # only the errors of training are available
            start = self.lag + self.window_length
            self._fit_error_scale(self._backtest(scaled, [start] * len(scaled), scaled))
        return scaled

    def resume(self, panel: Sequence[PanelSeries], epoch_fraction: float) -> list[ScaledSeries]:
        """Fit the scalers again and resume training. The error scale is unchanged."""
        scaled, _ = scale_panel(panel, self.options, self.window_length, self.pooled)
        self._train(scaled, 0, epoch_fraction)
        return scaled

    def scale(self, series: PanelSeries, scaler: SeriesScaler | None = None) -> ScaledSeries:
        """Return a series with its scaler, which is fitted if it is None or for another first row.

        Raises
        ------
        ValueError
            If the series cannot be forecast, because it has no logarithm or rows of X are missing.
        """
        if scaler is None or scaler.first_ordinal != series.first_ordinal:
            scaled = scale_panel([series], self.options, self.window_length, self.pooled)[0][0]
        else:
            scaled = ScaledSeries(series, scaler)
        scaled.transform()
        self.exog_values(series, len(series))
        return scaled

    def check_compatible(self, panel: Sequence[PanelSeries]) -> None:
        """Raise a ValueError if series differ from those that the networks were trained on."""
        n_columns, unit = panel[0].values.shape[1], panel[0].indexer.unit
        if n_columns != self.n_columns:
            raise ValueError(
                f"y has {n_columns} columns, but the networks were trained on {self.n_columns}. "
                "Pass series with the same columns, or fit a new forecaster."
            )
        if self.options.sp > 1 and unit != self.unit:
            raise ValueError(
                f"The time index has the unit {unit}, but the seasonality was estimated with the "
                f"unit {self.unit}. Pass series with the same frequency, or fit a new forecaster."
            )

    def _make_strategy(self):
        steps = self.steps
        if self.options.strategy == "multioutput":
            steps = [min(steps[-1], self._max_steps)]
        return Strategy.for_horizon(self.options, steps)

    def _set_window_length(self, panel):
        """Set the window length, or raise a ValueError if all series are too short."""
        options = self.options
        longest = max(map(len, panel))
        median = int(np.median([len(series) for series in panel])) - self.lag
        self._max_steps = max(1, median // 3)
        last = self._make_strategy().max_step
        length = options.window_length
        if length is None:
            length = 12 if options.sp == 1 else min(max(options.sp, 8), 48)
            while length > 1 and median - last - length + 1 < _MIN_WINDOWS:
                length //= 2
        needed = length + last + self.lag
        if longest < needed:
            hint = ", or set a shorter window_length" if length > 1 else ""
            difference = f", a seasonal difference of {self.lag} rows" if self.lag else ""
            raise ValueError(
                f"window_length={length} and {last} steps ahead{difference} need at least {needed} "
                f"rows to fit, got {longest}. Fit on more rows{hint}."
            )
        self.window_length = length

    def _fit_exog(self, panel):
        """Fit the standardization of the exogenous variables."""
        self.exog_columns = [] if panel[0].exog is None else [*panel[0].exog.columns]
        if not self.exog_columns:
            return
        rows = np.concatenate([series.exog_values(len(series)) for series in panel])
        deviation = rows.std(axis=0)
        self._exog_mean = rows.mean(axis=0)
        self._exog_scale = np.where(deviation > 0, deviation, 1.0)

    def exog_values(self, series, n_rows, future=None, n_optional=0):
        """Return the standardized exogenous variables; see `PanelSeries.exog_values`."""
        if not self.exog_columns:
            return np.zeros((n_rows, 0))
        values = series.exog_values(n_rows, future, n_optional)
        return (values - self._exog_mean) / self._exog_scale

    def _make_windows(self, panel, origins, n_steps, exog=None):
        """Return the windows that end at the origins, with the steps after them."""
        if exog is None:
            exog = [self.exog_values(scaled.series, len(scaled)) for scaled in panel]
        sizes = self.window_length, n_steps
        return Windows.concatenate(
            Windows.from_series(s.normalize(), exog_rows, rows, *sizes, s.scaler.ar1_coefficient)
            for s, rows, exog_rows in zip(panel, origins, exog, strict=True)
        )

    def _train(self, panel, seed, epoch_fraction, epochs_done=0.0):
        # All windows within the series that have a row after them, sorted by time.
        first = self.lag + self.window_length - 1
        origins = [np.arange(first, len(scaled) - 1) for scaled in panel]
        times = [np.arange(first - len(scaled), -1) for scaled in panel]
        windows = self._make_windows(panel, origins, self.strategy.max_step)
        windows = windows.take(np.argsort(np.concatenate(times), kind="stable"))
        self.strategy.fit(windows, seed, epoch_fraction, epochs_done)

    def _holdout_length(self, panel):
        """Return the number of rows of the holdout."""
        n_rows = int(np.median([len(series) for series in panel]))
        n_holdout = round(self.options.validation_fraction * n_rows)
        n_holdout = min(max(n_holdout, self.steps[-1]), n_rows // 3)
        if self.options.sp > 1:  # leave two seasons for training
            n_holdout = max(min(n_holdout, n_rows - 2 * self.options.sp), n_rows // 5)
        return n_holdout

    def _fit_holdout(self, panel, seed):
        """Fit weights, epochs and error scale on the holdout. Return False if there are few rows.

        The networks are trained on the rows before the holdout.
        """
        self.strategy = self._make_strategy()
        n_holdout, max_step = self._holdout_length(panel), self.strategy.max_step
        needed = self.lag + self.window_length + max_step + _MIN_WINDOWS // 2
        panel = [scaled for scaled in panel if len(scaled) - n_holdout >= needed]
        if n_holdout < 2 or not panel:
            return False
        # Errors are compared with those of all rows, so the logarithm must be the same.
        pooled = PooledParameters(self.pooled.log)
        early_series = [scaled.series.head(len(scaled) - n_holdout) for scaled in panel]
        early, _ = scale_panel(early_series, self.options, self.window_length, pooled)
        held = []
        for part, full in zip(early, panel, strict=True):
            scale = part.scaler.scale  # 0 if a column is constant before the holdout
            part.scaler.scale = np.where(scale > 0, scale, full.scaler.scale)
            held.append(ScaledSeries(full.series, part.scaler))
        origins = [np.arange(len(scaled) - n_holdout - 1, len(scaled) - 1) for scaled in held]
        windows = self._make_windows(held, origins, max_step)
        times = np.tile(np.arange(n_holdout), len(panel))
        lowest, epochs_done = np.inf, 0.0
        for fraction in _CHECKPOINTS if self.options.early_stopping else _CHECKPOINTS[-1:]:
            self._train(early, seed, fraction, epochs_done)
            loss, epochs_done = self.strategy.fit_shrinkage(windows, times), fraction
            if loss < lowest:
                lowest, self.epoch_fraction = loss, fraction
                best = copy.deepcopy(self.strategy)
        self.strategy = best
        self._fit_error_scale(self._backtest(held, [len(part) for part in early], panel))
        return True

    def _backtest(self, panel, starts, unit_panel):
        """Return the errors of forecasts from every origin, divided by the scales of `unit_panel`.

        Parameters
        ----------
        starts : list of int
            For each series, the first row to forecast.

        Returns
        -------
        errors : ndarray of shape (n_origins, n_steps, n_columns)
            NaN after the end of a series, and in columns of scale 0.
        """
        errors, n_steps = [], self.steps[-1]
        for scaled, start, unit in zip(panel, starts, unit_panel, strict=True):
            transformed = scaled.transform()
            origins = np.arange(start - 1, len(scaled) - 1)
            future = Windows.from_series(transformed, transformed, origins, 1, n_steps).future
            scale = np.where(unit.scaler.scale > 0, unit.scaler.scale, np.nan)
            errors.append((future - self.forecast([scaled], [origins], n_steps)[0]) / scale)
        return np.concatenate(errors)

    def _fit_error_scale(self, errors):
        """Set the typical errors, which do not decrease with the steps, and the scores."""
        is_known = np.isfinite(errors)
        squares = np.where(is_known, errors, 0.0) ** 2
        counts = is_known.sum(axis=0)
        sizes = np.zeros(errors.shape[1:])
        for column in range(errors.shape[2]):
            steps = np.flatnonzero(counts[:, column])
            if len(steps):
                mean = squares[:, steps, column].sum(axis=0) / counts[steps, column]
                isotonic = IsotonicRegression(out_of_bounds="clip")
                isotonic.fit(steps, np.sqrt(mean), sample_weight=counts[steps, column])
                sizes[:, column] = isotonic.predict(np.arange(len(sizes)))
        self.errors, self.n_origins = sizes, int(is_known.any(axis=(1, 2)).sum())
        scores = np.abs(errors) / np.where(sizes > 0, sizes, 1.0)
        self.conformity_scores = np.sort(scores[is_known])

    def interval_half_width(self, coverage: float, steps: np.ndarray) -> np.ndarray:
        """Return half the width of prediction intervals, in the units of the networks.

        Parameters
        ----------
        coverage : float
        steps : ndarray of int, of shape (n_steps,)
            Steps ahead, from 1.

        Returns
        -------
        half_width : ndarray of shape (n_steps, n_columns)
        """
        if not len(self.conformity_scores):
            return np.zeros((len(steps), self.n_columns))
        level = min(1.0, coverage * (1 + 1 / self.n_origins))
        quantile = np.quantile(self.conformity_scores, level, method="higher")
        last = len(self.errors)
        # Beyond the last measured step, errors grow as those of a random walk.
        growth = np.sqrt(np.maximum(steps, last) / last)
        # Overlapping h-step errors are moving sums of the same shocks. With autocorrelations rho,
        # which fall linearly to 0 at lag h, n of them are worth n / sum(rho²) independent ones.
        measured = np.minimum(steps, last)
        n_effective = self.n_origins * 3 * measured / (2 * measured**2 + 1)
        degrees = np.maximum(n_effective, _MIN_DEGREES_OF_FREEDOM)
        tail = 0.5 + min(coverage, 0.999) / 2
        if coverage:
            growth = growth * stats.t.ppf(tail, degrees) / stats.norm.ppf(tail)
        return quantile * self.errors[measured - 1] * growth[:, None]

    def forecast(self, panel, origins, n_steps, future_exog=None, n_required=None):
        """Forecast the transformed series from several origins.

        Parameters
        ----------
        panel : sequence of ScaledSeries
        origins : sequence of ndarray of int
            For each series, the last observed rows.
        n_steps : int
        future_exog : sequence of DataFrame or None, default=None
            For each series, future rows of the exogenous variables.
        n_required : sequence of int, default=None
            For each series, the number of steps after its last row for which the exogenous
            variables are required. If None, 0 for each series.

        Returns
        -------
        forecasts : list of ndarrays of shape (n_origins, n_steps, n_columns)
        """
        n_seen = self.strategy.n_exog_steps(n_steps)
        future_exog = future_exog or [None] * len(panel)
        n_required = n_required or [0] * len(panel)
        exog = [
            self.exog_values(s.series, len(s) + max(n_rows, 0), future, n_seen)
            for s, n_rows, future in zip(panel, n_required, future_exog, strict=True)
        ]
        windows = self._make_windows(panel, origins, n_seen, exog)
        ends = np.cumsum([len(rows) for rows in origins])[:-1]
        forecasts = np.split(self.strategy.forecast(windows, n_steps), ends)
        return [
            scaled.scaler.denormalize(values, scaled.transform(), rows)
            for scaled, values, rows in zip(panel, forecasts, origins, strict=True)
        ]
