"""Sliding windows over a series: a pure function, the array it returns, and a transformer."""

import contextlib
import copy
import math
import warnings
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.metaestimators import available_if

from ._validation import (
    Interval,
    check_feature_names_in,
    check_is_fitted,
    fit_context,
    store_output_config,
    unchanged_on_error,
    validate_data,
)

__all__ = ["WindowArray", "WindowTransformer", "sliding_windows"]


class WindowArray(np.ndarray):
    """Windows of a series: a read-only view that knows the series it was cut from.

    Made by `sliding_windows` and `WindowTransformer`. It is an ndarray of shape
    (n_samples, window_length, n_features), or (n_samples, window_length * n_features) where
    flattened, whose memory is that of the series. Slices, copies and results of arithmetic are
    plain ndarrays; `astype`, pickle, deepcopy and joblib keep the attributes and never store a
    row twice.

    Attributes
    ----------
    series : ndarray of shape (n_samples + window_length + horizon - 1, n_features)
        The rows of the series, after the rows before them (context, or the earliest known row
        repeated). Window i is ``series[i : i + window_length]``.
    target : ndarray of shape (n_samples, n_features)
        Row i of the series itself, which window i is there to predict.
    n_incomplete : int
        How many leading windows reach before the first known row.
    window_length, horizon : int
        The row rule: window i holds rows i - horizon - window_length + 1 to i - horizon.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import sliding_windows
    >>> windows = sliding_windows(np.arange(5.0)[:, None], window_length=2)
    >>> windows.shape, windows.n_incomplete
    ((5, 2, 1), 2)
    >>> windows.target.ravel()
    array([0., 1., 2., 3., 4.])
    """

    _parts: tuple | None

    def __new__(cls, series, window_length, horizon, n_incomplete, flat=False):
        """Lay windows over a series that begins with the rows before the first sample."""
        series = np.ascontiguousarray(series).view()
        series.flags.writeable = False  # of the view: the caller's own array stays as it was
        n_samples = len(series) - (window_length + horizon - 1)
        n_features = series.shape[1]
        row, column = series.strides
        shape = (window_length * n_features,) if flat else (window_length, n_features)
        strides = (row, column) if flat else (row, row, column)
        view = np.lib.stride_tricks.as_strided(
            series, (n_samples, *shape), strides, writeable=False
        )
        self = view.view(cls)
        self._parts = (series, int(window_length), int(horizon), int(n_incomplete), bool(flat))
        return self

    def __array_finalize__(self, obj):
        # A reshaped or transposed array is no longer windows: it must not claim their attributes.
        self._parts = None

    def _part(self, position):
        if self._parts is None:
            raise AttributeError(
                "this array was derived from windows by numpy (reshape, transpose, ...) and no "
                "longer knows their series; keep the WindowArray itself."
            )
        return self._parts[position]

    @property
    def is_intact(self):
        """Whether this array still is the windows it was made as, and has their attributes."""
        return self._parts is not None

    series = property(lambda self: self._part(0))
    window_length = property(lambda self: self._part(1))
    horizon = property(lambda self: self._part(2))
    n_incomplete = property(lambda self: self._part(3))

    @property
    def target(self):
        """The rows that the windows are there to predict."""
        return self.series[self.window_length + self.horizon - 1 :]

    def stacked(self):
        """Return the same windows as (n_samples, window_length, n_features), also if flattened."""
        series, window_length, horizon, n_incomplete, _ = (self._part(i) for i in range(5))
        return WindowArray(series, window_length, horizon, n_incomplete)

    def part(self, rows):
        """Return the windows of a slice of consecutive rows as a WindowArray of their own."""
        series, window_length, horizon, n_incomplete, flat = (self._part(i) for i in range(5))
        start, stop, _ = rows.indices(len(self))
        series = series[start : stop + window_length + horizon - 1]
        return WindowArray(series, window_length, horizon, max(0, n_incomplete - start), flat)

    def astype(self, dtype, order="K", casting="unsafe", subok=True, copy=True):
        """Cast the series, not every window: the result is a WindowArray over the cast rows.

        It is read-only too, so where nothing is to be cast it shares the series, whatever `copy`
        says. With ``subok=False`` it is a plain ndarray.
        """
        if self._parts is None or not subok:
            return np.asarray(self).astype(dtype, order=order, casting=casting, copy=copy)
        series, *rest = self._parts
        return WindowArray(series.astype(dtype, casting=casting, copy=False), *rest)

    def copy(self, order="C"):
        """Return a plain ndarray with memory of its own."""
        return np.array(self, order=order)

    def __getitem__(self, key):
        return np.asarray(self)[key]

    def __array_wrap__(self, array, context=None, return_scalar=False):
        return array[()] if return_scalar else np.asarray(array)

    def __reduce__(self):
        if self._parts is None:
            return np.asarray(self).__reduce__()
        return WindowArray, self._parts

    def __reduce_ex__(self, protocol):
        return self.__reduce__()

    def __copy__(self):
        return self.astype(self.dtype) if self.is_intact else np.array(self)

    def __deepcopy__(self, memo):
        if self._parts is None:
            return np.array(self)
        series, *rest = self._parts
        return WindowArray(copy.deepcopy(series, memo), *rest)


def aligned_empty(shape, dtype):
    """Return an uninitialised array that begins where TensorFlow can take it without a copy."""
    dtype = np.dtype(dtype)
    if dtype.hasobject:
        return np.empty(shape, dtype)
    n_bytes = math.prod(shape) * dtype.itemsize
    memory = np.empty(n_bytes + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + n_bytes].view(dtype).reshape(shape)


def is_windows(X):
    """Whether X is a WindowArray that still knows its series."""
    return isinstance(X, WindowArray) and X.is_intact


def sliding_windows(X, window_length=30, horizon=1, *, context=None, flatten=False):
    """Cut a series into the windows that come before each of its rows.

    Output row i holds rows ``i - horizon - window_length + 1`` to ``i - horizon`` of X, oldest
    first; with ``horizon=1`` those are "the rows before it". There are as many rows out as in:
    the first windows reach back into `context`, and where that ends (or none is given) they
    repeat the earliest known row and are counted in `n_incomplete`.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        The series, one row a time step, oldest first. Its dtype is kept, unless it is one that
        cannot hold the context (integers before which come floats, longer str).
    window_length : int, default=30
        Time steps in a window, at least 1.
    horizon : int, default=1
        How many rows ahead of its window's last row a row lies. 0 includes the row itself.
    context : array-like of shape (n_context, n_features), default=None
        Rows that come right before X. Those out of reach are ignored.
    flatten : bool, default=False
        Whether each window is one row of length window_length * n_features, time-major.

    Returns
    -------
    windows : WindowArray of shape (n_samples, window_length, n_features)
        Or (n_samples, window_length * n_features) where flattened. A read-only view whose memory
        is that of one copy of the series.

    Raises
    ------
    ValueError
        If X is not 2-D or empty, the context has other columns or is not of its kind, or
        window_length or horizon is too small.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import sliding_windows
    >>> series = np.array([[10.0], [11.0], [12.0], [13.0]])
    >>> sliding_windows(series, window_length=2)[:, :, 0]
    array([[10., 10.],
           [10., 10.],
           [10., 11.],
           [11., 12.]])
    >>> sliding_windows(series[2:], window_length=2, context=series[:2])[:, :, 0]
    array([[10., 11.],
           [11., 12.]])
    >>> sliding_windows(series, window_length=2, flatten=True).shape
    (4, 2)
    """
    X = np.asarray(X)
    if X.ndim != 2:
        raise ValueError(_shape_message(X.shape))
    if not len(X):
        raise ValueError(f"X has no rows (shape {X.shape}), but at least one is needed.")
    if window_length < 1:
        raise ValueError(f"window_length must be at least 1, got {window_length}.")
    if horizon < 0:
        raise ValueError(f"horizon must be at least 0, got {horizon}.")
    reach = window_length + horizon - 1
    known = X[:0] if context is None else np.asarray(context)
    if known.ndim != 2 or known.shape[1] != X.shape[1]:
        raise ValueError(
            f"context must have the {X.shape[1]} columns of X, got an array of shape {known.shape}."
        )
    known = known[max(0, len(known) - reach) :]
    earliest = known[:1] if len(known) else X[:1]
    n_missing = reach - len(known)
    series = aligned_empty((reach + len(X), X.shape[1]), dtype=_common_dtype(X, known))
    series[:n_missing] = earliest
    series[n_missing:reach] = known
    series[reach:] = X
    return WindowArray(series, window_length, horizon, min(n_missing, len(X)), flatten)


def _common_dtype(X, known):
    """Return the dtype of X, or of both where that of X would spoil the known rows before it."""
    if not len(known):
        return X.dtype
    kinds = {"symbols" if dtype.kind in "UST" else dtype.kind for dtype in (X.dtype, known.dtype)}
    if "symbols" in kinds and not kinds <= {"symbols", "O"}:
        raise ValueError(
            f"X and its context must both hold numbers or both hold str symbols, got dtypes "
            f"{X.dtype} and {known.dtype}."
        )
    return X.dtype if X.dtype.kind == "f" else np.result_type(X.dtype, known.dtype)


def _shape_message(shape):
    return (
        f"Expected a 2-D series of shape (n_samples, n_features), got shape {tuple(shape)}. "
        "Reshape your data: X.reshape(-1, 1) for a 1-D array of one feature, or .to_frame() for "
        "a pandas Series."
    )


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
            index = _Index.of(X)
            X = self._validate(X, reset=True)
            self._index = None if index is None else index.summary()
            self.n_samples_fit_ = len(X)
            self.context_ = X[max(0, len(X) - self._reach) :].copy()
            self._fitted_ends = _ends(X, max(self._reach, _MIN_COMPARED))
            self._fitted_roundings = _roundings(X)
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
        index = _Index.of(X)
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
            raise ValueError(_shape_message(shape))
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
        ends = _ends(X[:n], len(self._fitted_ends) // 2)
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


def _ends(X, n_rows):
    """Return a copy of the first and the last rows, one under the other."""
    return np.concatenate([X[:n_rows], X[max(0, len(X) - n_rows) :]])


def _roundings(X):
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


class _Index:
    """An increasing pandas index: where rows lie, and how far apart."""

    def __init__(self, index):
        self.index = index
        if index.is_monotonic_increasing and index.is_unique:
            return
        values = list(index)
        at = next((i for i in range(1, len(values)) if not _after(values[i], values[i - 1])), 0)
        fault = (
            f"does not come after row {at - 1} ({values[at - 1]})" if at else "has no place in it"
        )
        raise ValueError(
            f"X's index must be increasing, but row {at} ({values[at]}) {fault}. Sort the rows by "
            "time and drop duplicates, or pass X.to_numpy() if the rows are in order and the "
            "index means nothing."
        )

    @classmethod
    def of(cls, X):
        return cls(X.index) if hasattr(X, "iloc") and hasattr(X, "columns") and len(X) else None

    def summary(self):
        """Return what `fit` remembers: first and last index value, and the largest step."""
        steps = _steps(self.index)
        largest = None if steps is None or not len(steps) else steps.max()
        return {
            "first": self.index[0],
            "last": self.index[-1:].copy(deep=True),  # as an index: it knows unit and time zone
            "n_samples": len(self.index),
            "largest_step": largest,
        }

    def follows(self, fitted, in_sample):
        """Return whether X continues the fitted rows, and warn if it neither does nor is they.

        By the index, if the two can be compared; else by the values, which `in_sample` tells.
        """
        index, last = self.index, fitted["last"][0]
        try:
            after = bool(index[0] > last)
        except (TypeError, ValueError):  # dates against numbers: as good as no index
            return not in_sample
        if after:
            with contextlib.suppress(ValueError):  # years that nanoseconds cannot hold
                index = _join(fitted["last"], index)
        elif not (
            in_sample and index[0] == fitted["first"] and index[fitted["n_samples"] - 1] == last
        ):
            self._warn(
                f"X begins at index {index[0]}, before the end of the fitted rows at {last}, and "
                "is not the fitted data: its windows get no context, so the first are incomplete. "
                "If X follows the fitted rows, give it an index that says so, or pass "
                "X.to_numpy()."
            )
            return False
        gap = _first_gap(index, fitted["largest_step"])
        if gap is not None:
            self._warn(
                f"The step from index {index[gap]} to {index[gap + 1]} is larger than any between "
                "the fitted rows: windows take rows as they come, so rows seem to be missing "
                "there."
            )
        return after

    @staticmethod
    def _warn(message):
        # from here up: follows, transform, scikit-learn's wrapper of transform, the caller
        warnings.warn(message, UserWarning, stacklevel=5)


def _after(value, earlier):
    try:
        return bool(value > earlier)
    except TypeError:  # labels of several kinds
        return False


def _join(last, index):
    """Put `index` behind the `last` of another, in whose time zone."""
    if getattr(last, "tz", None) is not None and getattr(index, "tz", None) is not None:
        index = index.tz_convert(last.tz)
    return last.append(index)


def _steps(index):
    """Differences of neighbours in an index: numbers, durations, or None for mere labels."""
    kind = index.dtype.kind
    if kind in "iuf":
        return np.diff(index.to_numpy("int64" if kind in "iu" else None))  # int8 would wrap
    if not hasattr(index, "asi8"):
        return None
    steps = np.diff(index.asi8)
    if getattr(index, "tz", None) is not None:
        # The day, or the hour, in which the clocks change is no gap.
        steps = np.minimum(steps, np.diff(index.tz_localize(None).asi8))
    return steps.view(f"m8[{index.unit}]") if hasattr(index, "unit") else steps


def _first_gap(index, largest_step):
    """Position of the first step in `index` that is larger, or None."""
    steps = _steps(index)
    if largest_step is None or steps is None:
        return None
    if steps.dtype.kind == "f":  # 0.1, 0.2, 0.3: the steps are equal up to rounding
        largest_step = largest_step + 4 * np.spacing(np.max(np.abs(index.to_numpy())))
    gaps = np.flatnonzero(steps > largest_step)
    return gaps[0] if len(gaps) else None
