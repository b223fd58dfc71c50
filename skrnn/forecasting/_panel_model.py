"""Global model of all series of a panel, with conformal prediction intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.isotonic import IsotonicRegression
from sklearn.utils import check_random_state

from ._scaling import ScaledSeries, SeriesScaler
from ._seasonal_model import NaiveModel, SeasonalModel
from ._series import PanelSeries
from ._strategy import Windows

# Smallest degrees of freedom of the t distribution that widens intervals.
_MIN_DEGREES_OF_FREEDOM = 3
# Forecasts with a smaller weight are dropped before the networks are trained on all rows.
_MIN_WEIGHT = 0.1
# Smallest number of independent errors in the weights of the forecasts.
_MIN_ERRORS = 4
# Prior weight of the forecasts of the first model, relative to that of each other forecast. It
# matters if the series has few seasons, or is close to a random walk.
_PRIOR_WEIGHTS = {"indices": 4}
# Weights of the networks in the forecasts of a seasonal model that are compared on the holdout.
_KINDS = {"base forecast": 0.0, "network": 1.0, "model": None}


@dataclass(frozen=True)
class MultiScaledSeries:
    """A series of a panel, with its scalers for each seasonal model of a `PanelModel`."""

    series: PanelSeries
    parts: tuple[ScaledSeries, ...]

    def __len__(self) -> int:
        return len(self.series)

    @property
    def scaler(self) -> SeriesScaler:
        """The scaler whose units those of the combined forecast and of its errors are."""
        return self.parts[0].scaler

    def select(self, models: Sequence[int]) -> "MultiScaledSeries":
        """Return the series with the scalers of some models."""
        return MultiScaledSeries(self.series, tuple(self.parts[i] for i in models))

    def head(self, n_rows: int) -> "MultiScaledSeries":
        """Return the first rows with the same scalers."""
        return MultiScaledSeries(
            self.series.head(n_rows), tuple(p.head(n_rows) for p in self.parts)
        )


class PanelModel:
    """Weighted average of seasonal models of a panel, to forecast any series.

    With ``seasonal="auto"``, the forecasts of several models and the naive forecasts are averaged
    with weights that decrease with their mean squared error on the holdout, a combination of
    forecasts [1]_. See `combination_weights`. Models with a small weight are dropped before the
    networks are trained on all rows.

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
    models : list of SeasonalModel
        The models whose networks are trained on all rows.
    naive_models : list of NaiveModel
    weights : ndarray of shape (n_models + n_naive_models,)
        Weights of the forecasts, with sum 1.
    scores : DataFrame or None
        With ``seasonal="auto"``, the columns "rmse", the root mean squared error of each forecast
        on the holdout in units of the typical changes of the series, and "weight", its weight in
        the average. The forecasts are the naive forecasts, and for each model the base forecast,
        the base forecast plus the network, and the model, which shrinks the network. None without
        a holdout.
    n_columns : int
    exog_columns : list
        Names of the columns of X. Empty without X.
    unit : tuple
        Unit of the time index.
    errors : ndarray of shape (n_steps, n_columns)
        Typical error of each step ahead, in the units of the networks.
    conformity_scores : ndarray of shape (n_scores,)
        Absolute errors divided by the typical error of their step, in ascending order.
    n_origins : int
        Number of forecast origins of the errors.

    References
    ----------
    .. [1] J. M. Bates, C. W. J. Granger (1969). The combination of forecasts. Journal of the
       Operational Research Society 20(4).
    """

    errors: np.ndarray
    conformity_scores: np.ndarray

    def __init__(self, options: Any, steps: list[int], columns: list) -> None:
        self.options = options
        self.steps = steps
        self.columns = columns

    def fit(self, panel: Sequence[PanelSeries]) -> list[MultiScaledSeries]:
        """Estimate weights, errors and the number of epochs on a holdout, then train on all rows.

        Returns
        -------
        scaled : list of MultiScaledSeries
            The series with their fitted scalers.
        """
        self.n_columns = panel[0].values.shape[1]
        self.unit = panel[0].indexer.unit
        self._fit_exog(panel)
        seeds = check_random_state(self.options.random_state).randint(2**31 - 1, size=2)
        self._make_models(panel)
        scaled = {}
        for model in self.models:
            scaled[model], model.pooled = model.scale_panel(panel)
        has_holdout = self._fit_holdout(panel, scaled, seeds[0])
        exog = [self.exog_values(series, len(series)) for series in panel]
        for i, model in enumerate(self.models):
            model.fit_all(scaled[model], exog, (seeds[1] + i) % 2**31)
        fitted = self._scaled_series(panel, [scaled[model] for model in self.models])
        if not has_holdout:  # only the errors of training are available
            (model,) = self.models
            start = model.lag + model.window_length
            origins = [np.arange(start - 1, len(series) - 1) for series in panel]
            forecasts = self.forecast(fitted, origins, self.steps[-1])
            self._fit_error_scale(self._errors(forecasts, fitted, origins))
        return fitted

    @staticmethod
    def _scaled_series(panel, parts):
        """Return the series with their scalers; `parts` are the scaled series of each model."""
        return [
            MultiScaledSeries(*row) for row in zip(panel, zip(*parts, strict=True), strict=True)
        ]

    def _make_models(self, panel):
        """Set the seasonal models whose windows fit into the series, and the naive forecasts."""
        options, self.naive_models, self.scores = self.options, [], None
        if options.seasonal != "auto":
            self.models = [SeasonalModel(options, options.seasonal, self.steps)]
            self.models[0].set_window_length(panel)
        else:
            self.models, names = [], ["indices", "difference"] if options.sp > 1 else ["indices"]
            if options.decoder == "dense" and options.strategy == "multioutput":
                names.append("window")
            for name in names:
                model = SeasonalModel(options, name, self.steps)
                try:
                    model.set_window_length(panel)
                except ValueError:
                    if name == "indices":
                        raise
                else:
                    self.models.append(model)
            lengths = [1, options.sp] if options.sp > 1 else [1]
            self.naive_models = [NaiveModel(length) for length in lengths]
        n_forecasts = len(self.models) + len(self.naive_models)
        self.weights = np.full(n_forecasts, 1 / n_forecasts)

    def resume(
        self, panel: Sequence[PanelSeries], epoch_fraction: float
    ) -> list[MultiScaledSeries]:
        """Fit the scalers again and resume training. The error scale is unchanged."""
        exog = [self.exog_values(series, len(series)) for series in panel]
        scaled = []
        for model in self.models:
            scaled.append(model.scale_panel(panel, model.pooled)[0])
            model.train(scaled[-1], exog, 0, epoch_fraction)
        return self._scaled_series(panel, scaled)

    def scale(
        self, series: PanelSeries, former: MultiScaledSeries | None = None
    ) -> MultiScaledSeries:
        """Return a series with its scalers, as in `SeasonalModel.scale`.

        Raises
        ------
        ValueError
            If the series cannot be forecast, because it has no logarithm or rows of X are missing.
        """
        scalers: Any = [None] * len(self.models)
        if former is not None:
            scalers = [part.scaler for part in former.parts]
        self.exog_values(series, len(series))
        return MultiScaledSeries(
            series, tuple(m.scale(series, s) for m, s in zip(self.models, scalers, strict=True))
        )

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

    def _holdout_length(self, panel):
        """Return the number of rows of the holdout."""
        n_rows = int(np.median([len(series) for series in panel]))
        n_holdout = round(self.options.validation_fraction * n_rows)
        n_holdout = min(max(n_holdout, self.steps[-1]), n_rows // 3)
        if self.options.sp > 1:  # leave two seasons for training
            n_holdout = max(min(n_holdout, n_rows - 2 * self.options.sp), n_rows // 5)
        return n_holdout

    def _fit_holdout(self, panel, scaled, seed):
        """Fit the models on the rows before a holdout, and the weights and errors on the holdout.

        Returns
        -------
        has_holdout : bool
            False if there are too few rows. Then there is a single model.
        """
        n_holdout = self._holdout_length(panel)
        # A shorter holdout is better than none, and than one that leaves too few rows for the first
        # model.
        n_rows = int(np.median([len(series) for series in panel]))
        n_free = [n_rows - model.min_rows() for model in self.models]
        for limit in (n_free[0], max(n_free)):
            if limit >= n_rows // 10:
                n_holdout = min(n_holdout, limit)
                break
        n_before = np.array([len(series) - n_holdout for series in panel])
        counts = [np.sum(n_before >= model.min_rows()) for model in self.models]
        if n_holdout < 2 or not max(counts):
            self.models, self.naive_models, self.weights = self.models[:1], [], np.ones(1)
            return False
        # Models that need more rows than most series have are dropped.
        pairs = zip(self.models, counts, strict=True)
        self.models = [model for model, count in pairs if 2 * count >= max(counts)]
        needed = max(model.min_rows() for model in self.models)
        rows = np.flatnonzero(n_before >= needed)
        panel = [panel[row] for row in rows]
        exog = [self.exog_values(series, len(series)) for series in panel]
        held, units = [], []
        for i, model in enumerate(self.models):
            units.append([scaled[model][row] for row in rows])
            held.append(model.fit_holdout(units[-1], exog, n_holdout, (seed + i) % 2**31))
        origins = [np.arange(len(series) - n_holdout - 1, len(series) - 1) for series in panel]
        held, units = self._scaled_series(panel, held), self._scaled_series(panel, units)
        if self.options.seasonal == "auto":
            kept = self._fit_weights(held, units, origins, exog)
            held, units = ([s.select(kept) for s in panel] for panel in (held, units))
        forecasts = self._model_forecasts(held, origins, self.steps[-1], exog)
        errors = self._errors(_average(forecasts, self.weights), units, origins)
        self._fit_error_scale(errors)
        return True

    def _fit_weights(self, panel, units, origins, exog):
        """Set the weights of the forecasts and their scores, and drop those with a small weight.

        Parameters
        ----------
        panel, units : lists of MultiScaledSeries
            The series with the scalers of the rows before the holdout, and of all rows.
        origins, exog : lists of ndarray

        Returns
        -------
        kept : list of int
            Indices of the models that are kept.
        """
        n_steps, errors = self.steps[-1], {}
        first = [series.parts[0] for series in panel]
        for i, model in enumerate(self.models):
            parts = [series.parts[i] for series in panel]
            for kind, weight in _KINDS.items():
                forecasts = model.forecast(parts, origins, n_steps, exog, weight)
                forecasts = _convert(forecasts, parts, first)
                errors[model.seasonal, kind] = self._errors(forecasts, units, origins)
        for naive in self.naive_models:
            forecasts = naive.forecast(first, origins, n_steps)
            errors[naive.name, "naive forecast"] = self._errors(forecasts, units, origins)
        scores = pd.Series({key: _root_mean_square(error) for key, error in errors.items()})
        n_errors = effective_number(max(map(len, origins)), n_steps) * np.sqrt(len(panel))
        weights = combination_weights(scores, n_errors)
        self.scores = pd.DataFrame({"rmse": scores, "weight": weights})
        self.scores.index.names = "forecast", "kind"
        totals, kept = weights.groupby(level=0, sort=False).sum(), []
        for i, model in enumerate(self.models):
            if totals[model.seasonal] > 0:
                # The average with the base forecast shrinks the weight of the network.
                factor = weights[model.seasonal, "model"] / totals[model.seasonal]
                model.strategy.weights = [factor * w for w in model.strategy.weights]
                kept.append(i)
        self.models = [self.models[i] for i in kept]
        self.naive_models = [naive for naive in self.naive_models if totals[naive.name] > 0]
        self.weights = totals[totals > 0].to_numpy()
        return kept

    def _model_forecasts(self, panel, origins, n_steps, exog):
        """Return the forecasts of each model for each series; see `SeasonalModel.forecast`."""
        parts = [*zip(*(series.parts for series in panel), strict=True)]
        forecasts = [
            _convert(model.forecast(part, origins, n_steps, exog), part, parts[0])
            for model, part in zip(self.models, parts, strict=True)
        ]
        return forecasts + [m.forecast(parts[0], origins, n_steps) for m in self.naive_models]

    def _errors(self, forecasts, units, origins):
        """Return the errors of forecasts, divided by the scales of `units`.

        Parameters
        ----------
        forecasts : list of ndarrays of shape (n_origins, n_steps, n_columns)
        units : list of MultiScaledSeries
        origins : list of ndarray of int

        Returns
        -------
        errors : ndarray of shape (n_origins, n_steps, n_columns)
            NaN after the end of a series, and in columns of scale 0.
        """
        errors = []
        for forecast, unit, rows in zip(forecasts, units, origins, strict=True):
            transformed = unit.parts[0].transform()
            future = Windows.from_series(transformed, transformed, rows, 1, self.steps[-1]).future
            scale = np.where(unit.scaler.scale > 0, unit.scaler.scale, np.nan)
            errors.append((future - forecast) / scale)
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
        measured = np.minimum(steps, last)
        degrees = effective_number(self.n_origins, measured)
        degrees = np.maximum(degrees, _MIN_DEGREES_OF_FREEDOM)
        tail = 0.5 + min(coverage, 0.999) / 2
        if coverage:
            growth = growth * stats.t.ppf(tail, degrees) / stats.norm.ppf(tail)
        return quantile * self.errors[measured - 1] * growth[:, None]

    def forecast(self, panel, origins, n_steps, future_exog=None, n_required=None):
        """Forecast the transformed series from several origins.

        Parameters
        ----------
        panel : sequence of MultiScaledSeries
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
        n_seen = max(model.strategy.n_exog_steps(n_steps) for model in self.models)
        future_exog = future_exog or [None] * len(panel)
        n_required = n_required or [0] * len(panel)
        exog = [
            self.exog_values(s.series, len(s) + max(n_rows, 0), future, n_seen)
            for s, n_rows, future in zip(panel, n_required, future_exog, strict=True)
        ]
        return _average(self._model_forecasts(panel, origins, n_steps, exog), self.weights)


def effective_number(n_origins: int, n_steps: Any) -> Any:
    """Return how many independent errors forecasts of some steps from successive origins are worth.

    Overlapping h-step errors are moving sums of the same shocks. With autocorrelations rho, which
    fall linearly to 0 at lag h, n of them are worth n / sum(rho²) independent ones.
    """
    return n_origins * 3 * n_steps / (2 * n_steps**2 + 1)


def combination_weights(scores: pd.Series, n_errors: float) -> pd.Series:
    """Return the weights of forecasts, which decrease with their mean squared error.

    They are proportional to the prior weight times the likelihood of independent Gaussian errors,
    as Akaike weights [1]_. If there are few errors, the likelihood is that of 4 errors.

    Parameters
    ----------
    scores : Series
        Root mean squared error of each forecast on a holdout, by name and kind. Networks without
        shrinkage have the weight zero.
    n_errors : float
        Effective number of independent errors.

    Returns
    -------
    weights : Series
        Weights below a tenth are zero, except that of the best model. The sum is 1.

    References
    ----------
    .. [1] K. P. Burnham, D. R. Anderson (2004). Multimodel inference: understanding AIC and BIC in
       model selection. Sociological Methods & Research 33(2).
    """
    kinds = scores.index.get_level_values(1)
    scores = scores.clip(lower=1e-6 * max(scores.max(), 1e-300))
    weights = (scores.min() / scores) ** max(_MIN_ERRORS, n_errors)
    weights *= [_PRIOR_WEIGHTS.get(name, 1) for name in scores.index.get_level_values(0)]
    weights[kinds == "network"] = 0
    for name, kind in scores.index:  # a network that is shrunk to zero is no second forecast
        if kind == "model" and scores[name, kind] == scores.get((name, "base forecast")):
            weights[name, "base forecast"] = 0
    weights /= weights.sum()
    best = scores[kinds == "model"].idxmin()
    is_small = weights < _MIN_WEIGHT
    is_small[best] = False
    weights[is_small] = 0
    return weights / weights.sum()


def _convert(forecasts, parts, units):
    """Return the forecasts of each series in the transformed units of other scalers."""
    return [
        part.scaler.convert(forecast, unit.scaler)
        for forecast, part, unit in zip(forecasts, parts, units, strict=True)
    ]


def _average(forecasts, weights):
    """Return the weighted averages of the forecasts of several models, for each series."""
    if len(forecasts) == 1:
        return forecasts[0]
    return [
        np.tensordot(weights, np.array(parts), axes=1) for parts in zip(*forecasts, strict=True)
    ]


def _root_mean_square(errors):
    """Return the root mean square of the errors that are known."""
    is_known = np.isfinite(errors)
    return float(np.sqrt(np.mean(errors[is_known] ** 2))) if is_known.any() else 0.0
