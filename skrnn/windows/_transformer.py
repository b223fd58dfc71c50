"""WindowTransformer: transform a time series into lagged windows."""

import warnings
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.metaestimators import available_if

from .._checks import check_no_panel, check_numeric, unchanged_on_error
from .._sklearn_compat import (
    Interval,
    check_feature_names_in,
    check_is_fitted,
    fit_context,
    store_output_config,
    validate_data,
)
from ._array import WindowArray, as_column, check_series_shape, sliding_windows
from ._index import check_index, index_follows, summarize_index

# Minimum number of rows compared at each end to recognize the fitted data. The few rows that a
# short window extends to may recur in a series with few distinct values (tokens, counts).
_MIN_BOUNDARY_ROWS = 100

# Minimum number of fitted rows that are looked for in other data. Fewer may recur by chance.
_MIN_KNOWN_ROWS = 10


class WindowTransformer(TransformerMixin, BaseEstimator):
    """Transform a time series into lagged windows.

    Output row i contains rows ``i - horizon - window_length + 1`` to ``i - horizon`` of the
    series, oldest first. With ``horizon=1`` these are the rows directly before row i, so
    ``fit(series, series)`` does not leak the target. The output has as many rows as the input, as
    scikit-learn's `Pipeline`, scorers and splitters require.

    `fit` stores the number of rows, the last rows as context, and the first and last rows for
    comparison. `transform` distinguishes two cases:

    - X that begins with the fitted rows (within float32 tolerance) is the fitted data, possibly
      followed by new rows. No context is prepended, so the first windows are incomplete. Rows that
      were NaN in `fit` may have been observed since then.
    - Any other X is treated as a continuation of the fitted rows, as a train/test split and
      `TimeSeriesSplit` require. Without an index, this includes a slice from the middle of the
      fitted data, which cannot be distinguished from new rows.

    If the fitted rows repeat with a period, both may hold. X then continues the fitted rows, and a
    warning is issued.

    If both the fitted data and X are DataFrames with comparable indexes, the index decides
    instead. It must be increasing. Rows after the fitted rows continue them. Rows that begin among
    the fitted rows (and are not the fitted data) raise an error, as in shuffled splits; those that
    begin before them get no context and a warning. A step larger than any step in `fit` (by more
    than half, if the steps vary) causes a warning. In a pipeline behind a scaler,
    ``set_output(transform="pandas")`` keeps the index.

    Parameters
    ----------
    window_length : int, default=30
        Number of time steps in each window.
    horizon : int, default=1
        Number of rows from the last row of a window to the row with the same index as the window.
        With 0, the window includes that row, which is only suitable for predicting *another*
        variable at the same time step.
    flatten : bool, default=False
        Whether to return 2-D windows, time-major, for estimators such as `Ridge` or a random
        forest. Only 2-D windows support `get_feature_names_out` and `set_output`. For 3-D windows,
        `set_output` has no effect.

    Attributes
    ----------
    n_samples_fit_ : int
        Number of rows seen in `fit`.
    context_ : ndarray of shape (min(n_samples, window_length + horizon - 1), n_features)
        The last rows of the fitted data.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns seen in `fit`. Defined only if X has column names that are all
        strings.

    See Also
    --------
    sliding_windows : The same windows as a function.
    RNNRegressor : Recurrent network that takes the windows.

    Notes
    -----
    The windows are a view of one padded copy of the series. The first windows extend before the
    first known row and are padded with copies of it. `WindowArray.n_incomplete` is their number.
    Short series and NaN are accepted: rows that have not been observed yet may be NaN if no window
    contains them. Estimators raise an error for windows that contain NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import WindowTransformer
    >>> series = np.arange(6.0)[:, None]
    >>> train, test = series[:4], series[4:]
    >>> window = WindowTransformer(window_length=2).fit(train)
    >>> window.transform(test)[:, :, 0]  # extends into train
    array([[2., 3.],
           [3., 4.]])
    >>> window.transform(train).n_incomplete  # the fitted data
    2
    >>> WindowTransformer(2, flatten=True).fit(train).get_feature_names_out(["close"])
    array(['close_lag2', 'close_lag1'], dtype=object)
    """

    n_samples_fit_: int
    context_: np.ndarray
    n_features_in_: int
    feature_names_in_: np.ndarray

    _parameter_constraints = {
        "window_length": [Interval(Integral, 1, None, closed="left")],
        "horizon": [Interval(Integral, 0, None, closed="left")],
        "flatten": ["boolean"],
    }

    def __init__(self, window_length: int = 30, horizon: int = 1, *, flatten: bool = False) -> None:
        self.window_length = window_length
        self.horizon = horizon
        self.flatten = flatten

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Store the last rows of X as context for the rows that follow.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples,)
            The series, oldest row first, of numbers or of strings. 1-D means one feature.
        y : Ignored
            Not used, present for API consistency.

        Returns
        -------
        self : WindowTransformer
            Fitted transformer.

        Raises
        ------
        ValueError
            If X is empty or not 2-D, has columns of times, a MultiIndex, or an index that is not
            increasing.
        """
        self._fit(X)
        return self

    def fit_transform(self, X: ArrayLike, y: Any = None) -> WindowArray:
        """Fit to X and return its windows, the first of which are incomplete.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The series, oldest row first.
        y : Ignored
            Not used, present for API consistency.

        Returns
        -------
        windows : WindowArray of shape (n_samples, window_length, n_features)
            Or (n_samples, window_length * n_features) with ``flatten=True``.
        """
        X = self._fit(X)
        return sliding_windows(X, self.window_length, self.horizon, flatten=self.flatten)

    @fit_context
    def _fit(self, X):
        with unchanged_on_error(self):
            index = check_index(X)
            X = self._validate(X, reset=True)
            self._index = None if index is None else summarize_index(index)
            self.n_samples_fit_ = len(X)
            self.context_ = X[max(0, len(X) - self._n_context) :].copy()
            self._fitted_ends = _boundary_rows(X, max(self._n_context, _MIN_BOUNDARY_ROWS))
            self._fitted_roundings = _rounding_tolerance(X)
            self._period = _find_period(X, self._fitted_roundings)
        return X

    def transform(self, X: ArrayLike) -> WindowArray:
        """Return the lagged window of each row of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The fitted data, the fitted data followed by new rows, or rows that follow the fitted
            data.

        Returns
        -------
        windows : WindowArray of shape (n_samples, window_length, n_features)
            Or (n_samples, window_length * n_features) with ``flatten=True``. They have the dtype
            of X.

        Warns
        -----
        UserWarning
            If the fitted rows repeat with a period and X begins with them, if X contains the last
            fitted rows without beginning with the first ones, or if the index of X begins before
            the fitted rows or has a gap.

        Raises
        ------
        ValueError
            If the columns of X differ from those of the fitted data, or its index is not
            increasing or begins among the fitted rows.
        NotFittedError
            If the transformer is not fitted.
        """
        check_is_fitted(self)
        index = check_index(X)
        X = self._validate(X, reset=False)
        in_sample = self._begins_with_fitted_rows(X)
        follows = None
        if index is not None and self._index is not None:
            follows = index_follows(index, self._index, in_sample)
        if follows is None:
            follows = self._follows_without_index(X, in_sample)
        context = self.context_ if follows else None
        return sliding_windows(
            X, self.window_length, self.horizon, context=context, flatten=self.flatten
        )

    @property
    def _n_context(self):
        return self.window_length + self.horizon - 1

    def _validate(self, X, reset):
        name = type(self).__name__
        check_no_panel(name, X, "Use RNNForecaster for panels, or transform each series.")
        check_numeric(X, strings=True)
        if reset or self.n_features_in_ == 1:
            X = as_column(X)
        check_series_shape(X)
        dtype = None if _contains_strings(X) else [np.float64, np.float32]
        X = validate_data(self, X, reset=reset, dtype=dtype, ensure_all_finite=False)
        is_numeric = X.dtype.kind == "f"
        if not reset and is_numeric != (self.context_.dtype.kind == "f"):
            content, fitted = ("numbers", "strings") if is_numeric else ("strings", "numbers")
            raise ValueError(
                f"X contains {content}, but {name} was fitted on {fitted}. "
                "Transform data of the same type, or fit again."
            )
        return X

    def _follows_without_index(self, X, in_sample):
        """Return whether rows follow the fitted rows, judged by their values."""
        if in_sample and self._period is not None:
            warnings.warn(
                f"X begins with the fitted rows, but these repeat with a period of {self._period} "
                "rows, so X may also be rows that follow them. It is treated as such, and windows "
                "extend into the fitted rows. Pass DataFrames with an index to decide it, or "
                "transform the fitted rows together with those that follow.",
                UserWarning,
                stacklevel=4,
            )
            return True
        if not in_sample and _holds_rows(X, self.context_):
            warnings.warn(
                "X does not begin with the fitted rows, but contains some of them, so the rows are "
                "shuffled or a part of the fitted data. They are treated as rows that follow the "
                "fitted data. Transform the fitted data as a whole, and split rows in time "
                "(TimeSeriesSplit, shuffle=False).",
                UserWarning,
                stacklevel=4,
            )
        return not in_sample

    def _begins_with_fitted_rows(self, X):
        n = self.n_samples_fit_
        if len(X) < n:
            return False
        rows = _boundary_rows(X[:n], len(self._fitted_ends) // 2)
        return _is_close(rows, self._fitted_ends, self._fitted_roundings)

    @available_if(lambda self: self.flatten)
    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the column names of flattened windows.

        ``close_lag60`` is the value of `close` 60 rows earlier.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Column names of the series. If None, the names seen in `fit`, or x0, x1, ..., are used.

        Returns
        -------
        feature_names_out : ndarray of str objects of shape (window_length * n_features,)
        """
        check_is_fitted(self, "n_features_in_")
        names = check_feature_names_in(self, input_features)
        lags = range(self._n_context, self.horizon - 1, -1)
        return np.array([f"{name}_lag{lag}" for lag in lags for name in names], dtype=object)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Set the output container of flattened windows. It has no effect on 3-D windows.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None, default=None
            Container of the output. If None, the setting is not changed.

        Returns
        -------
        self : WindowTransformer
        """
        return store_output_config(self, transform)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _contains_strings(X):
    """Return whether X contains strings only; numbers in object arrays count as numbers."""
    dtypes = getattr(X, "dtypes", None)  # of a DataFrame; checking them first avoids a copy
    if dtypes is not None and any(getattr(d, "kind", "O") in "biufc" for d in dtypes):
        return False
    values = np.asarray(X)
    if values.dtype.kind == "O":
        return all(isinstance(value, str) for value in values.flat)
    return values.dtype.kind == "U"


def _boundary_rows(X, n_rows):
    """Return a copy of the first and the last rows."""
    return np.concatenate([X[:n_rows], X[max(0, len(X) - n_rows) :]])


def _rounding_tolerance(X):
    """Return the largest rounding error of each column, in units of the machine epsilon.

    Rounding errors are proportional to the magnitude of a number. But prices of 1000 to 1010 that
    were scaled to 0 to 1 have the rounding errors of the original magnitude, so a fraction of the
    range is added: with the epsilon of float32 it is 1/1024.
    """
    if X.dtype.kind != "f":
        return None
    finite = np.isfinite(X)
    low = np.min(X, axis=0, where=finite, initial=np.inf).astype(np.float64)
    high = np.max(X, axis=0, where=finite, initial=-np.inf).astype(np.float64)
    low, high = np.where(finite.any(axis=0), [low, high], 0.0)
    with np.errstate(over="ignore"):
        return 8 * np.maximum(np.abs(low), np.abs(high)) + 2**13 * (high - low)


def _find_period(X, tolerance):
    """Return the period of rows that consist of several whole periods, None for other rows."""
    if tolerance is not None and not np.isfinite(tolerance).all():
        return None
    lengths = np.arange(1, len(X) // 2 + 1)
    for period in lengths[len(X) % lengths == 0].tolist():
        # Few rows first, as most candidates differ early.
        n_rows = min(_MIN_BOUNDARY_ROWS, len(X) - period)
        if all(_is_close(X[period:][:n], X[:-period][:n], tolerance) for n in (n_rows, len(X))):
            return period
    return None


def _holds_rows(X, rows):
    """Return whether X contains most of some rows, judged by a first column of distinct values."""
    if X.dtype.kind != "f" or len(rows) < _MIN_KNOWN_ROWS or len(X) < len(rows):
        return False
    values = X[:, 0]
    is_distinct = len(np.unique(values)) >= 0.9 * len(values)
    return is_distinct and np.isin(rows[:, 0], values).mean() >= 0.8


def _is_close(X, fitted, tolerance):
    """Return whether X equals the fitted rows up to rounding in the less precise dtype."""
    if not (X.dtype.kind == fitted.dtype.kind == "f"):
        return np.array_equal(X, fitted)
    eps = float(max(np.finfo(X.dtype).eps, np.finfo(fitted.dtype).eps))
    with np.errstate(invalid="ignore", over="ignore"):  # inf - inf; the limits of float32
        close = np.abs(X - fitted) <= eps * tolerance
    return bool(np.all(close | (X == fitted) | np.isnan(fitted)))
