"""WindowTransformer: a time series to lagged windows."""

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.metaestimators import available_if

from .._checks import unchanged_on_error
from .._sklearn_compat import (
    Interval,
    check_feature_names_in,
    check_is_fitted,
    fit_context,
    store_output_config,
    validate_data,
)
from ._array import shape_message, sliding_windows
from ._index import TimeIndex


class WindowTransformer(TransformerMixin, BaseEstimator):
    """Turn a series into the windows that come before each of its rows.

    Output row i holds rows ``i - horizon - window_length + 1`` to ``i - horizon`` of the series,
    oldest first. With ``horizon=1`` that is "the rows before it": ``fit(series, series)`` does not
    leak. There are as many rows out as in, so a stock `Pipeline`, scorers and splitters work.

    `fit` remembers the first and the last rows, as many as a window reaches back (for comparison
    at least 100), and their count. `transform` then takes X for one of two things:

    - X that begins with the fitted rows (within float32 tolerance) is the fitted data, or it and
      what follows: nothing is put before it, and its first windows are incomplete. Fitted rows
      that were NaN may have been observed since.
    - Any other X continues from the remembered last rows, which is what a train/test cut and
      `TimeSeriesSplit` need. A slice out of the middle of the fitted data cannot be told from
      that, as long as no index says so.

    The index of a DataFrame, where it reaches the transformer, decides instead: it must increase;
    rows after the fitted ones continue from them; rows before or among them (that are not the
    fitted data) get no context and a warning; a step larger than any seen in `fit` warns.

    Parameters
    ----------
    window_length : int, default=30
        Time steps in a window.
    horizon : int, default=1
        How many rows ahead of its window's last row a row lies. 0 lets the window include the row
        itself, which is for predicting *another* variable of the same moment.
    flatten : bool, default=False
        Whether to return 2-D windows, time-major, with `get_feature_names_out` and `set_output`,
        so that `Ridge` or a forest can take a network's place. 3-D windows accept `set_output`
        and ignore it.

    Attributes
    ----------
    n_samples_fit_ : int
        Rows seen in `fit`.
    context_ : ndarray of shape (min(n_samples, window_length + horizon - 1), n_features)
        The last rows of the fitted data.
    n_features_in_ : int
        Columns seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where X had any.

    See Also
    --------
    sliding_windows : The row rule as a function.
    RNNRegressor : Learns from the windows.

    Notes
    -----
    Memory is that of one copy of the series, never n_samples * window_length. Windows that reach
    before the first known row repeat that row; they lead, and `WindowArray.n_incomplete` counts
    them. Short series and NaN are not refused here: rows not yet observed may be NaN where no
    window reads them, and the estimator behind raises where one does.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import WindowTransformer
    >>> series = np.arange(6.0)[:, None]
    >>> train, test = series[:4], series[4:]
    >>> window = WindowTransformer(window_length=2).fit(train)
    >>> window.transform(test)[:, :, 0]  # reaches back into train
    array([[2., 3.],
           [3., 4.]])
    >>> window.transform(train).n_incomplete  # the fitted data itself
    2
    >>> WindowTransformer(2, flatten=True).fit(train).get_feature_names_out(["close"])
    array(['close_lag2', 'close_lag1'], dtype=object)
    """

    _parameter_constraints = {
        "window_length": [Interval(Integral, 1, None, closed="left")],
        "horizon": [Interval(Integral, 0, None, closed="left")],
        "flatten": ["boolean"],
    }

    def __init__(self, window_length=30, horizon=1, *, flatten=False):
        self.window_length = window_length
        self.horizon = horizon
        self.flatten = flatten

    def fit(self, X, y=None):
        """Remember the first and last rows of X, as many as a window reaches back.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The series, oldest row first: numbers, or str symbols.
        y : ignored

        Returns
        -------
        self : WindowTransformer

        Raises
        ------
        ValueError
            If X is not 2-D or empty, or its index does not increase.
        """
        self._fit(X)
        return self

    def fit_transform(self, X, y=None):
        """Fit to X and return its windows, of which the first are incomplete.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The series, oldest row first.
        y : ignored

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
            index = TimeIndex.of(X)
            X = self._validate(X, reset=True)
            self._index = None if index is None else index.summary()
            self.n_samples_fit_ = len(X)
            self.context_ = X[max(0, len(X) - self._reach) :].copy()
            self._fitted_ends = boundary_rows(X, max(self._reach, _MIN_COMPARED))
            self._fitted_roundings = rounding_tolerance(X)
        return X

    def transform(self, X):
        """Return the windows before each row of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The fitted data, it and what follows, or the rows that follow it.

        Returns
        -------
        windows : WindowArray of shape (n_samples, window_length, n_features)
            Or (n_samples, window_length * n_features) with ``flatten=True``. The dtype of X.

        Warns
        -----
        UserWarning
            If X's index lies before or among the fitted rows, or leaves a gap.

        Raises
        ------
        ValueError
            If X has other columns than the fitted data, or its index does not increase.
        NotFittedError
            Before `fit`.
        """
        check_is_fitted(self)
        index = TimeIndex.of(X)
        X = self._validate(X, reset=False)
        in_sample = self._begins_with_fitted_rows(X)
        follows = not in_sample
        if index is not None and self._index is not None:
            follows = index.follows(self._index, in_sample)
        context = self.context_ if follows else None
        return sliding_windows(
            X, self.window_length, self.horizon, context=context, flatten=self.flatten
        )

    @property
    def _reach(self):
        return self.window_length + self.horizon - 1

    def _validate(self, X, reset):
        shape = getattr(X, "shape", None)
        if shape is not None and len(shape) != 2:
            raise ValueError(shape_message(shape))
        dtype = None if _holds_symbols(X) else [np.float64, np.float32]
        X = validate_data(self, X, reset=reset, dtype=dtype, ensure_all_finite=False)
        if not reset and (X.dtype.kind == "f") != (self.context_.dtype.kind == "f"):
            came, fitted = "numbers", "str symbols"
            if X.dtype.kind != "f":
                came, fitted = fitted, came
            raise ValueError(
                f"X holds {came}, but {type(self).__name__} was fitted on {fitted}. Transform "
                "data of the same kind, or fit again."
            )
        return X

    def _begins_with_fitted_rows(self, X):
        n = self.n_samples_fit_
        if len(X) < n:
            return False
        ends = boundary_rows(X[:n], len(self._fitted_ends) // 2)
        return _same_rows(ends, self._fitted_ends, self._fitted_roundings)

    def _is_flat(self):
        return self.flatten

    @available_if(_is_flat)
    def get_feature_names_out(self, input_features=None):
        """Name the columns of flattened windows: ``close_lag60`` is `close`, 60 rows earlier.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the series' columns; those seen in `fit`, or x0, x1, ..., by default.

        Returns
        -------
        names : ndarray of shape (window_length * n_features,) of str objects
        """
        check_is_fitted(self, "n_features_in_")
        names = check_feature_names_in(self, input_features)
        lags = range(self._reach, self.horizon - 1, -1)
        return np.array([f"{name}_lag{lag}" for lag in lags for name in names], dtype=object)

    def set_output(self, *, transform=None):
        """Choose the container of flattened windows; 3-D windows ignore it.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None, default=None
            None leaves the setting as it is.

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


def _holds_symbols(X):
    """Whether X is made of str, where numbers in object arrays still count as numbers."""
    dtypes = getattr(X, "dtypes", None)  # a DataFrame's; looking at them first avoids a copy
    if dtypes is not None and any(getattr(d, "kind", "O") in "biufc" for d in dtypes):
        return False
    values = np.asarray(X)
    if values.dtype.kind == "O":
        return all(isinstance(value, str) for value in values.flat)
    return values.dtype.kind == "U"


# Rows compared at each end, to tell the fitted data from what follows it: more than a short window
# reaches back, as a few rows of a series with few values (symbols, counts) are soon met again.
_MIN_COMPARED = 100


def boundary_rows(X, n_rows):
    """Return a copy of the first and the last rows, one under the other."""
    return np.concatenate([X[:n_rows], X[max(0, len(X) - n_rows) :]])


def rounding_tolerance(X):
    """How far rounding may move a number of each column, over the machine epsilon.

    Rounding goes by the size of a number. But prices of 1000 to 1010 that were scaled to 0 to 1
    carry the roundings of a thousand, so a share of the range is added: with float32's epsilon
    it comes to 1/1024.
    """
    if X.dtype.kind != "f":
        return None
    finite = np.isfinite(X)
    low = np.min(X, axis=0, where=finite, initial=np.inf).astype(np.float64)
    high = np.max(X, axis=0, where=finite, initial=-np.inf).astype(np.float64)
    low, high = np.where(finite.any(axis=0), [low, high], 0.0)
    with np.errstate(over="ignore"):
        return 8 * np.maximum(np.abs(low), np.abs(high)) + 2**13 * (high - low)


def _same_rows(X, fitted, roundings):
    """Whether X is the fitted rows, up to rounding in the coarser of their dtypes."""
    if not (X.dtype.kind == fitted.dtype.kind == "f"):
        return np.array_equal(X, fitted)
    eps = float(max(np.finfo(X.dtype).eps, np.finfo(fitted.dtype).eps))
    with np.errstate(invalid="ignore", over="ignore"):  # inf - inf; the ends of float32
        close = np.abs(X - fitted) <= eps * roundings
    return bool(np.all(close | (X == fitted) | np.isnan(fitted)))
