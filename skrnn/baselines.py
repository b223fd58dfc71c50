"""Naive forecasts, and the score that says whether a model beats them."""

import time
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import TimeSeriesSplit, check_cv
from sklearn.utils import indexable
from sklearn.utils.parallel import Parallel, delayed

from ._checks import unchanged_on_error
from ._inputs.windows import check_inputs, check_outputs, score_windows, window_regressor_tags
from ._sklearn_compat import Interval, StrOptions, check_is_fitted, fit_context, safe_indexing
from ._target import check_columns, fit_affine_target, window_value
from .windows._array import is_windows
from .windows._transformer import WindowTransformer

__all__ = ["Backtest", "NaiveRegressor", "backtest", "skill_score"]


def skill_score(y_true, y_pred, y_naive, *, sample_weight=None):
    """Score a forecast against a naive one: ``1 - RMSE / RMSE_naive`` [1]_.

    1 is perfect, 0 no better than the naive forecast, negative worse.

    Parameters
    ----------
    y_true, y_pred, y_naive : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Observed, predicted and naively predicted values.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    skill : float
        Over several outputs, RMSE is their mean. Where the naive forecast is perfect, 0.0 if the
        prediction is too and -inf if not.

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
    rmse = root_mean_squared_error(y_true, y_pred, sample_weight=sample_weight)
    rmse_naive = root_mean_squared_error(y_true, y_naive, sample_weight=sample_weight)
    if rmse_naive == 0:
        return 0.0 if rmse == 0 else -np.inf
    return float(1 - rmse / rmse_naive)


class NaiveRegressor(RegressorMixin, BaseEstimator):
    """Predict that a window's last value, or last season's, comes again.

    The baseline every forecast has to beat, in a network's place behind a `WindowTransformer`.
    It predicts ``scale * value + shift``; scale and shift are 1 and 0, or, where y was scaled
    apart from X, what `fit` finds by matching y to the series.

    Parameters
    ----------
    strategy : {"last", "seasonal"}, default="last"
        Which value of a window is repeated.
    season_length : int, default=None
        Rows in a season, for ``strategy="seasonal"``.
    columns : int or sequence of int, default=None
        The column of X that each output repeats. By default it is found by matching y to the
        series; for plain arrays, output j repeats column j, or the only one.

    Attributes
    ----------
    columns_ : list of int
        The column that each output repeats.
    n_features_in_ : int
        Features seen in `fit`.

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

    _parameter_constraints = {
        "strategy": [StrOptions({"last", "seasonal"})],
        "season_length": [Interval(Integral, 1, None, closed="left"), None],
        "columns": ["array-like", Integral, None],
    }

    def __init__(self, strategy="last", *, season_length=None, columns=None):
        self.strategy = strategy
        self.season_length = season_length
        self.columns = columns

    @fit_context
    def fit(self, X, y=None):
        """Find the column, scale and shift of each output.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
            Windows. 2-D means one feature.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target; None stands for the series that a WindowArray was made from.

        Returns
        -------
        self : NaiveRegressor

        Raises
        ------
        ValueError
            If y is no column of the series, or the window is shorter than a season.
        """
        with unchanged_on_error(self):
            given = y is not None
            raw = X
            X = check_inputs(self, X, reset=True, dtype=[np.float64, np.float32])
            y, self._y_ndim = check_outputs(self, X, y)
            n_outputs, n_features = y.shape[1], X.shape[2]
            if (self.strategy == "seasonal") != (self.season_length is not None):
                raise ValueError(
                    f"strategy={self.strategy!r} with season_length={self.season_length}: the "
                    "seasonal strategy needs a season_length, and only it takes one."
                )
            columns = check_columns("columns", self.columns, n_outputs, n_features)
            if not is_windows(raw):
                default = [*range(n_outputs)] if n_features == n_outputs else [0] * n_outputs
                if columns is None and n_features not in (1, n_outputs):
                    raise ValueError(
                        f"y has {n_outputs} outputs and X {n_features} features: name the "
                        "column of each output with columns=."
                    )
                parts = (columns or default, [1.0] * n_outputs, [0.0] * n_outputs)
            elif given:
                skip = X.n_incomplete
                parts = fit_affine_target(raw.stacked().target[skip:], y[skip:], columns)
            else:
                parts = (columns or [*range(n_outputs)], [1.0] * n_outputs, [0.0] * n_outputs)
            self.columns_, self._scales, self._shifts = parts
            window_value(X[:1] if not is_windows(X) else X, self.columns_, self.season_length)
        return self

    def predict(self, X):
        """Repeat the value that each window ends in, or that of the last season.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
            Windows like those seen in `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            In the shape of the y seen in `fit`.
        """
        check_is_fitted(self)
        X = check_inputs(self, X, reset=False, dtype=[np.float64, np.float32])
        values = window_value(X, self.columns_, self.season_length)
        values = values * np.array(self._scales) + np.array(self._shifts)
        return values[:, 0] if self._y_ndim == 1 else values

    def score(self, X, y=None, sample_weight=None):
        """Return R² of the prediction; without y, on the complete windows of the series itself.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
        """
        return score_windows(self, X, y, sample_weight)

    def __sklearn_tags__(self):
        tags = window_regressor_tags(super().__sklearn_tags__())
        tags.regressor_tags.poor_score = True
        return tags


@dataclass(frozen=True)
class Backtest:
    """Forecasts of `backtest`, aligned with what happened and with the naive forecast.

    Attributes
    ----------
    rows : ndarray of shape (n_predicted,)
        The rows of X that were predicted.
    fold : ndarray of shape (n_predicted,)
        The split that predicted each.
    y_true, y_pred, y_naive : ndarrays of shape (n_predicted,) or (n_predicted, n_outputs)
        Observed, predicted, and the value `horizon` rows (or a season) earlier, in y's shape.
    fit_time : ndarray of shape (n_splits,)
        Seconds.
    """

    rows: np.ndarray
    fold: np.ndarray
    y_true: np.ndarray
    y_pred: np.ndarray
    y_naive: np.ndarray
    fit_time: np.ndarray

    @property
    def rmse(self):
        """Root mean squared error over all predicted rows."""
        return float(root_mean_squared_error(self.y_true, self.y_pred))

    @property
    def rmse_naive(self):
        """Root mean squared error of the naive forecast on the same rows."""
        return float(root_mean_squared_error(self.y_true, self.y_naive))

    @property
    def skill(self):
        """Return ``1 - rmse / rmse_naive``."""
        return skill_score(self.y_true, self.y_pred, self.y_naive)


def backtest(estimator, X, y=None, *, cv=None, season_length=None, n_jobs=None):
    """Predict each test part of a time series splitter by a model fitted on what came before.

    `cross_val_predict` refuses `TimeSeriesSplit`, because its test parts leave out the first
    rows; here they are simply not predicted.

    Parameters
    ----------
    estimator : estimator
        A regressor of rows, such as a pipeline with a `WindowTransformer`; it is cloned.
    X : array-like of shape (n_samples, n_features)
        The series, oldest row first.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Target; None fits without y and compares with X itself.
    cv : int, splitter or iterable, default=None
        None is ``TimeSeriesSplit(5)``, an int n ``TimeSeriesSplit(n)``.
    season_length : int, default=None
        Rows in a season, for a seasonal naive forecast; None repeats the last known value.
    n_jobs : int, default=None
        Folds at a time.

    Returns
    -------
    result : Backtest

    Raises
    ------
    ValueError
        If a test part has rows too early to have a naive forecast.

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
    lag = horizon = max(1, windows[0].horizon) if windows else 1
    if season_length is not None:
        lag = max(1, -(-horizon // season_length)) * season_length
    splits = list(check_cv(cv).split(X, y))
    if min(test.min() for _, test in splits) < lag:
        raise ValueError(
            f"cv predicts rows before row {lag}, which have no value {lag} rows earlier to "
            "compare with. Take a splitter that tests only later rows, such as TimeSeriesSplit."
        )

    def run(train, test):
        model = clone(estimator)
        start = time.perf_counter()
        model.fit(safe_indexing(X, train), *([] if y is None else [safe_indexing(y, train)]))
        fit_time = time.perf_counter() - start
        return fit_time, np.asarray(model.predict(safe_indexing(X, test)))

    results = Parallel(n_jobs=n_jobs)(delayed(run)(train, test) for train, test in splits)
    rows = np.concatenate([test for _, test in splits])
    y_true = observed[rows]
    return Backtest(
        rows=rows,
        fold=np.repeat(np.arange(len(splits)), [len(test) for _, test in splits]),
        y_true=y_true,
        y_pred=np.concatenate([y_pred for _, y_pred in results]).reshape(y_true.shape),
        y_naive=observed[rows - lag],
        fit_time=np.array([fit_time for fit_time, _ in results]),
    )
