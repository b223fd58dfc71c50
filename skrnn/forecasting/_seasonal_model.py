"""Model of the series of a panel for one way of removing seasonality."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._scaling import PooledParameters, ScaledSeries, SeriesScaler, scale_panel
from ._series import PanelSeries
from ._strategy import Strategy, Windows

# The default window is shortened until there are this many windows for training.
MIN_WINDOWS = 12
# Fractions of the epochs after which the networks are evaluated on the holdout.
_CHECKPOINTS = 0.1, 0.2, 0.4, 0.7, 1.0
# Default number of seasons in a window that is read season by season.
_MAX_SEASONS, _MIN_SEASONS = 8, 2


class SeasonalModel:
    """Networks and pooled parameters for one way of removing seasonality.

    Parameters
    ----------
    options : RNNForecaster
        Unfitted forecaster with the parameters.
    seasonal : {"indices", "difference", "window", None}
    steps : list of int
        Steps ahead to forecast, in ascending order.

    Attributes
    ----------
    lag : int
        Lag of the seasonal difference. 0 if there is none.
    window_length : int
    pooled : PooledParameters
    strategy : Strategy
    epoch_fraction : float
        Fraction of the epochs that early stopping selected.
    """

    pooled: PooledParameters
    strategy: Strategy

    def __init__(self, options: Any, seasonal: str | None, steps: list[int]) -> None:
        self.options, self.seasonal, self.steps = options, seasonal, steps
        self.lag = options.sp if options.sp > 1 and seasonal == "difference" else 0
        self.segment_length = options.sp if seasonal == "window" else None
        self.epoch_fraction = 1.0

    def set_window_length(self, panel: Sequence[PanelSeries]) -> None:
        """Set the window length, or raise a ValueError if all series are too short."""
        options = self.options
        longest = max(map(len, panel))
        median = int(np.median([len(series) for series in panel])) - self.lag
        self._max_steps = max(1, median // 3)
        last = self._make_strategy().max_step
        length = options.window_length
        if length is None:
            length = self._default_window_length(median, last)
        needed = length + last + self.lag
        if longest < needed:
            hint = ", or set a shorter window_length" if length > 1 else ""
            difference = f", a seasonal difference of {self.lag} rows" if self.lag else ""
            raise ValueError(
                f"window_length={length} and {last} steps ahead{difference} need at least {needed} "
                f"rows to fit, got {longest}. Fit on more rows{hint}."
            )
        if self.segment_length is not None and length % self.segment_length:
            raise ValueError(
                f"window_length={length} is not a multiple of sp={self.segment_length}, the length "
                "of the segments of seasonal='window'. Use a multiple, or window_length=None."
            )
        self.window_length = length

    def _default_window_length(self, n_rows, last):
        sp = self.options.sp
        if self.segment_length is not None:
            n_seasons = (n_rows - last - max(2 * MIN_WINDOWS, n_rows // 4)) // sp
            length = sp * int(np.clip(n_seasons, _MIN_SEASONS, _MAX_SEASONS))
            return length if sp > 1 else min(length, 2 * MIN_WINDOWS)
        length = 12 if sp == 1 else min(max(sp, 8), 48)
        while length > 1 and n_rows - last - length + 1 < MIN_WINDOWS:
            length //= 2
        return length

    def _make_strategy(self):
        steps = self.steps
        if self.options.strategy == "multioutput":
            steps = [min(steps[-1], self._max_steps)]
        return Strategy.for_horizon(self.options, steps, self.segment_length)

    def min_rows(self) -> int:
        """Return the number of rows before a holdout that the networks need."""
        return self.lag + self.window_length + self._make_strategy().max_step + MIN_WINDOWS // 2

    def scale_panel(self, panel, pooled=None):
        """Return the series with fitted scalers, and the parameters of all series."""
        return scale_panel(panel, self.options, self.seasonal, self.window_length, pooled)

    def scale(self, series: PanelSeries, scaler: SeriesScaler | None = None) -> ScaledSeries:
        """Return a series with its scaler, which is fitted if it is None or for another first row.

        Raises
        ------
        ValueError
            If the series cannot be forecast, because it has no logarithm.
        """
        if scaler is None or scaler.first_ordinal != series.first_ordinal:
            scaled = self.scale_panel([series], self.pooled)[0][0]
        else:
            scaled = ScaledSeries(series, scaler)
        scaled.transform()
        return scaled

    def make_windows(self, panel, origins, n_steps, exog):
        """Return the windows that end at the origins, with the steps after them."""
        sizes = self.window_length, n_steps
        return Windows.concatenate(
            Windows.from_series(s.normalize(), exog_rows, rows, *sizes, s.scaler.ar1_coefficient)
            for s, rows, exog_rows in zip(panel, origins, exog, strict=True)
        )

    def train(self, panel, exog, seed, epoch_fraction=None, epochs_done=0.0):
        """Train networks on the series, or resume training."""
        # All windows within the series that have a row after them, sorted by time.
        first = self.lag + self.window_length - 1
        origins = [np.arange(first, len(scaled) - 1) for scaled in panel]
        times = [np.arange(first - len(scaled), -1) for scaled in panel]
        windows = self.make_windows(panel, origins, self.strategy.max_step, exog)
        windows = windows.take(np.argsort(np.concatenate(times), kind="stable"))
        fraction = self.epoch_fraction if epoch_fraction is None else epoch_fraction
        self.strategy.fit(windows, seed, fraction, epochs_done)

    def fit_holdout(self, panel, exog, n_holdout, seed):
        """Train networks on the rows before the holdout, and select epochs and weights.

        Parameters
        ----------
        panel : sequence of ScaledSeries
            All rows of the series, which are longer than `min_rows` before the holdout.
        exog : sequence of ndarray
        n_holdout : int
            Number of rows of the holdout.
        seed : int

        Returns
        -------
        held : list of ScaledSeries
            All rows of the series, with the scalers of the rows before the holdout.
        """
        self.strategy = self._make_strategy()
        # Errors are compared with those of all rows, so the logarithm must be the same.
        pooled = PooledParameters(self.pooled.log)
        early_series = [scaled.series.head(len(scaled) - n_holdout) for scaled in panel]
        early, _ = self.scale_panel(early_series, pooled)
        held = []
        for part, full in zip(early, panel, strict=True):
            scale = part.scaler.scale  # 0 if a column is constant before the holdout
            part.scaler.scale = np.where(scale > 0, scale, full.scaler.scale)
            held.append(ScaledSeries(full.series, part.scaler))
        origins = [np.arange(len(scaled) - n_holdout - 1, len(scaled) - 1) for scaled in held]
        windows = self.make_windows(held, origins, self.strategy.max_step, exog)
        times = np.tile(np.arange(n_holdout), len(panel))
        lowest, epochs_done = np.inf, 0.0
        # The learning rate falls until the last epoch if windows are read season by season.
        stops_early = self.options.early_stopping and self.segment_length is None
        early_exog = [rows[: len(part)] for rows, part in zip(exog, early, strict=True)]
        for fraction in _CHECKPOINTS if stops_early else _CHECKPOINTS[-1:]:
            self.train(early, early_exog, seed, fraction, epochs_done)
            loss, epochs_done = self.strategy.fit_shrinkage(windows, times), fraction
            if loss < lowest:
                lowest, self.epoch_fraction = loss, fraction
                best = copy.deepcopy(self.strategy)
        self.strategy = best
        return held

    def fit_all(self, panel, exog, seed):
        """Train new networks on all rows, with the weights that the holdout selected.

        Networks with the weight zero are not trained if there are several models.
        """
        weights = self.strategy.weights if hasattr(self, "strategy") else None
        self.strategy = self._make_strategy()
        if weights is not None:
            self.strategy.has_networks = self.options.seasonal != "auto" or any(weights)
        self.train(panel, exog, seed)
        if weights is not None:
            self.strategy.weights = weights

    def forecast(self, panel, origins, n_steps, exog, network_weight=None):
        """Forecast the transformed series from several origins.

        Parameters
        ----------
        panel : sequence of ScaledSeries
        origins : sequence of ndarray of int
            For each series, the last observed rows.
        n_steps : int
        exog : sequence of ndarray
            For each series, the exogenous variables. Steps beyond the last row repeat it.
        network_weight : float, default=None
            Weight of the networks. If None, the fitted weights are used.

        Returns
        -------
        forecasts : list of ndarrays of shape (n_origins, n_steps, n_columns)
        """
        windows = self.make_windows(panel, origins, self.strategy.n_exog_steps(n_steps), exog)
        ends = np.cumsum([len(rows) for rows in origins])[:-1]
        forecasts = np.split(self.strategy.forecast(windows, n_steps, network_weight), ends)
        return [
            scaled.scaler.denormalize(values, scaled.transform(), rows)
            for scaled, values, rows in zip(panel, forecasts, origins, strict=True)
        ]


class NaiveModel:
    """The last value, or the value one season earlier, as a model of the series of a panel.

    Parameters
    ----------
    season_length : int
        1 for the last value.
    """

    def __init__(self, season_length: int) -> None:
        self.season_length = season_length
        self.name = "last value" if season_length == 1 else "seasonal naive"

    def forecast(self, panel, origins, n_steps):
        """Forecast the transformed series from several origins, as `SeasonalModel.forecast`."""
        steps = np.arange(n_steps) % self.season_length + 1 - self.season_length
        return [
            scaled.transform()[np.maximum(rows[:, None] + steps, 0)]
            for scaled, rows in zip(panel, origins, strict=True)
        ]
