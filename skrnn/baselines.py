"""Naive forecasts, the skill score relative to them, and backtesting."""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import TimeSeriesSplit, check_cv
from sklearn.utils import indexable
from sklearn.utils.parallel import Parallel, delayed

from ._checks import check_numeric, unchanged_on_error
from ._inputs.windows import check_inputs, check_outputs, score_windows, window_regressor_tags
from ._sklearn_compat import Interval, StrOptions, check_is_fitted, fit_context, safe_indexing
from ._target import check_columns, fit_affine_target, window_value
from .windows._array import is_windows
from .windows._transformer import WindowTransformer

__all__ = ["Backtest", "NaiveRegressor", "backtest", "skill_score"]

_Columns = int | Sequence[int] | None


def skill_score(
    y_true: ArrayLike, y_pred: ArrayLike, y_naive: ArrayLike, *, sample_weight: Any = None
) -> float:
    """Return the skill of a forecast, ``1 - RMSE / RMSE_naive`` [1]_.

    The best possible score is 1. The score of the naive forecast is 0, and that of a less accurate
    forecast is negative.

    Parameters
    ----------
    y_true, y_pred, y_naive : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Observed values, forecasts and naive forecasts.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.

    Returns
    -------
    skill : float
        With several outputs, the RMSE is averaged over the outputs. If the naive forecast has no
        error, the score is 0.0 for a forecast without error and -inf otherwise.

    References
    ----------
    .. [1] A. H. Murphy (1988). Skill scores based on the mean square error and their
       relationships to the correlation coefficient. Monthly Weather Review 116(12).

    Examples
    --------
    >>> from skrnn import skill_score
    >>> skill_score([1.0, 2.0, 3.0], [1.0, 2.0, 2.5], y_naive=[0.0, 1.0, 2.0])
    0.711...
    """
    arguments = {"y_true": y_true, "y_pred": y_pred, "y_naive": y_naive}
    if sample_weight is not None:
        arguments["sample_weight"] = sample_weight
    for name, values in arguments.items():
        check_numeric(values, name)
    rmse = root_mean_squared_error(y_true, y_pred, sample_weight=sample_weight)
    rmse_naive = root_mean_squared_error(y_true, y_naive, sample_weight=sample_weight)
    if rmse_naive == 0:
        return 0.0 if rmse == 0 else -np.inf
    return float(1 - rmse / rmse_naive)


class NaiveRegressor(RegressorMixin, BaseEstimator):
    """Predict the last value of each window, or the value one season earlier.

    This naive forecast is a baseline for other regressors. It is used after a `WindowTransformer`,
    like any other regressor, and predicts ``scale * value + shift``. Scale and shift are 1 and 0
    unless y is scaled differently from X. In this case, `fit` determines them by matching y to the
    columns of the series.

    Parameters
    ----------
    strategy : {"last", "seasonal"}, default="last"
        Whether to repeat the last value of a window or the value one season earlier.
    season_length : int, default=None
        Number of rows in a season. Required with ``strategy="seasonal"``.
    columns : int or sequence of int, default=None
        The column of X that each output repeats. If None, it is determined by matching y to the
        columns of a `WindowArray`. For plain arrays, output j repeats column j, or the only column.

    Attributes
    ----------
    columns_ : list of int
        The column that each output repeats.
    input_shape_ : tuple (n_timesteps, n_features)
        Shape of a window.
    n_features_in_ : int
        Number of columns of a 2-D X, or of features of a 3-D X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns of a 2-D X seen in `fit`. Defined only if X has column names that are
        all strings.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from skrnn import NaiveRegressor, WindowTransformer
    >>> series = np.array([[3.0], [4.0], [6.0], [7.0]])
    >>> naive = make_pipeline(WindowTransformer(2), NaiveRegressor()).fit(series[:3])
    >>> naive.predict(series[3:])
    array([[6.]])
    """

    columns_: list[int]
    n_features_in_: int

    _parameter_constraints = {
        "strategy": [StrOptions({"last", "seasonal"})],
        "season_length": [Interval(Integral, 1, None, closed="left"), None],
        "columns": ["array-like", Integral, None],
    }

    def __init__(
        self, strategy: str = "last", *, season_length: int | None = None, columns: _Columns = None
    ) -> None:
        self.strategy = strategy
        self.season_length = season_length
        self.columns = columns

    @fit_context
    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Determine the column, scale and shift of each output.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
            Windows. 2-D arrays have one feature.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target values. If None, the series of a WindowArray is used.

        Returns
        -------
        self : NaiveRegressor
            Fitted regressor.

        Raises
        ------
        ValueError
            If y does not match any column of the series up to scale and shift, or if the window is
            shorter than a season.
        """
        with unchanged_on_error(self):
            windows = check_inputs(self, X, reset=True, dtype=[np.float64, np.float32])
            targets, self._y_ndim = check_outputs(self, windows, y)
            if (self.strategy == "seasonal") != (self.season_length is not None):
                raise ValueError(
                    f"strategy={self.strategy!r} with season_length={self.season_length}: the "
                    "seasonal strategy requires season_length, and 'last' does not accept it."
                )
            n_outputs, n_features = targets.shape[1], windows.shape[2]
            columns = check_columns("columns", self.columns, n_outputs, n_features)
            if is_windows(windows) and y is not None:
                skip = windows.n_incomplete
                affine = fit_affine_target(windows.target[skip:], targets[skip:], columns)
                self.columns_, self._scales, self._shifts, self._steps = affine
            else:
                self.columns_ = columns or _default_columns(n_outputs, n_features)
                self._scales, self._shifts = [1.0] * n_outputs, [0.0] * n_outputs
                self._steps = [0] * n_outputs
            self._window_value(windows)  # checks the window length
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the last value of each window, or the value one season earlier.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
            Windows of the same shape as in `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Naive forecasts, with the same number of dimensions as y in `fit`.
        """
        check_is_fitted(self)
        windows = check_inputs(self, X, reset=False, dtype=[np.float64, np.float32])
        values = self._window_value(windows)
        values = values * np.array(self._scales) + np.array(self._shifts)
        return values[:, 0] if self._y_ndim == 1 else values

    def _window_value(self, windows):
        steps = getattr(self, "_steps", 0)  # missing in old pickles
        return window_value(windows, self.columns_, self.season_length, steps)

    def score(self, X: ArrayLike, y: ArrayLike | None = None, sample_weight: Any = None) -> float:
        """Return the R² of the predictions.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
            Windows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target values. If None, the complete windows of a WindowArray are scored on its series.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        score : float
        """
        return score_windows(self, X, y, sample_weight)

    def __sklearn_tags__(self):
        tags = window_regressor_tags(super().__sklearn_tags__())
        tags.regressor_tags.poor_score = True
        return tags


def _default_columns(n_outputs, n_features):
    """Return the column of each output of plain arrays."""
    if n_features not in (1, n_outputs):
        raise ValueError(
            f"y has {n_outputs} outputs and X has {n_features} features. Set the column of each "
            "output with columns=."
        )
    return [*range(n_outputs)] if n_features == n_outputs else [0] * n_outputs


@dataclass(frozen=True)
class Backtest:
    """Forecasts of `backtest`, with the observed values and the naive forecasts.

    Attributes
    ----------
    rows : ndarray of shape (n_predicted,)
        Indices of the predicted rows of X.
    fold : ndarray of shape (n_predicted,)
        Index of the split that predicted each row.
    y_true, y_pred, y_naive : ndarray of shape (n_predicted,) or (n_predicted, n_outputs)
        Observed values, forecasts and naive forecasts (the value `horizon` rows or one season
        earlier).
    fit_time : ndarray of shape (n_splits,)
        Time for fitting in seconds.
    """

    rows: np.ndarray
    fold: np.ndarray
    y_true: np.ndarray
    y_pred: np.ndarray
    y_naive: np.ndarray
    fit_time: np.ndarray

    @property
    def rmse(self) -> float:
        """Root mean squared error of the forecasts."""
        return float(root_mean_squared_error(self.y_true, self.y_pred))

    @property
    def rmse_naive(self) -> float:
        """Root mean squared error of the naive forecasts."""
        return float(root_mean_squared_error(self.y_true, self.y_naive))

    @property
    def skill(self) -> float:
        """Skill score of the forecasts, ``1 - rmse / rmse_naive``."""
        return skill_score(self.y_true, self.y_pred, self.y_naive)


def backtest(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    cv: Any = None,
    season_length: int | None = None,
    n_jobs: int | None = None,
) -> Backtest:
    """Predict the test rows of each split with a model fitted on its training rows.

    `cross_val_predict` does not support `TimeSeriesSplit`, because its test sets do not contain the
    first rows. `backtest` does not predict these rows.

    Parameters
    ----------
    estimator : estimator
        A regressor that predicts rows of a series, such as a pipeline with a `WindowTransformer`.
        It is cloned.
    X : array-like of shape (n_samples, n_features)
        The series, oldest row first.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Target values. If None, the estimator is fitted without y, and the predictions are compared
        with X. The targets of several steps ahead, as those of `steps_ahead`, are set to NaN in the
        last training rows where they are rows after the training rows. Drop the last rows of X and
        y, whose targets are not known.
    cv : int, cross-validation splitter or iterable, default=None
        Splitter. If None, ``TimeSeriesSplit(5)`` is used. For an int n, ``TimeSeriesSplit(n)`` is
        used.
    season_length : int, default=None
        Number of rows in a season, for a seasonal naive forecast. If None, the naive forecast is
        the last observed value.
    n_jobs : int, default=None
        Number of splits that are fitted in parallel.

    Returns
    -------
    result : Backtest

    Raises
    ------
    ValueError
        If a test row has no naive forecast, because it is too close to the start of the series.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from skrnn import WindowTransformer, backtest
    >>> series = np.sin(np.arange(200.0))[:, None]
    >>> ridge = make_pipeline(WindowTransformer(5, flatten=True), Ridge(1e-3))
    >>> result = backtest(ridge, series, series, cv=3)
    >>> result.y_pred.shape, result.skill > 0.9
    ((150, 1), True)
    """
    X, y = indexable(X, y)
    if cv is None or isinstance(cv, Integral):
        cv = TimeSeriesSplit(5 if cv is None else cv)
    observed = np.asarray(X if y is None else y)
    windows = [p for p in estimator.get_params().values() if isinstance(p, WindowTransformer)]
    steps = _steps_of_outputs(X, observed)
    horizon = (max(1, windows[0].horizon) if windows else 1) + steps
    lags = horizon if season_length is None else -(-horizon // season_length) * season_length
    splits = list(check_cv(cv).split(X, y))
    if min(test.min() for _, test in splits) < lags.max():
        raise ValueError(
            f"cv predicts rows before row {lags.max()}, which have no value {lags.max()} rows "
            "earlier for the naive forecast. Use a splitter that tests only later rows, such as "
            "TimeSeriesSplit."
        )

    def fit_and_predict(train, test):
        model = clone(estimator)
        targets = [] if y is None else [_observed_targets(safe_indexing(y, train), train, steps)]
        start = time.perf_counter()
        model.fit(safe_indexing(X, train), *targets)
        fit_time = time.perf_counter() - start
        return fit_time, np.asarray(model.predict(safe_indexing(X, test)))

    results = Parallel(n_jobs=n_jobs)(delayed(fit_and_predict)(*split) for split in splits)
    rows = np.concatenate([test for _, test in splits])
    y_true = observed[rows]
    return Backtest(
        rows=rows,
        fold=np.repeat(np.arange(len(splits)), [len(test) for _, test in splits]),
        y_true=y_true,
        y_pred=np.concatenate([y_pred for _, y_pred in results]).reshape(y_true.shape),
        y_naive=_earlier_values(observed, rows, lags),
        fit_time=np.array([fit_time for fit_time, _ in results]),
    )


def _steps_of_outputs(X, y):
    """Return by how many rows each output is later than a column of X, as in `steps_ahead`."""
    steps = np.zeros(1 if y.ndim == 1 else y.shape[1], int)
    series = np.asarray(X)
    if y.ndim == 2 and y.shape[1] > 1 and {y.dtype.kind, series.dtype.kind} <= {*"fiu"}:
        with contextlib.suppress(ValueError):  # y is no column of X
            *_, steps = fit_affine_target(series.reshape(len(series), -1), y)
    return np.asarray(steps)


def _observed_targets(y, rows, steps):
    """Return training targets with NaN where they are rows after the last training row."""
    if not steps.any():
        return y
    is_observed = rows[:, None] + steps <= rows.max()
    return np.where(is_observed, np.asarray(y), np.nan)


def _earlier_values(y, rows, lags):
    """Return the value of each output as many rows earlier as its lag."""
    if y.ndim == 1:
        return y[rows - lags[0]]
    return y[rows[:, None] - lags, np.arange(y.shape[1])]
