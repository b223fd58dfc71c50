"""Sliding windows over a series: a function, and the array it returns."""

import copy
import math

import numpy as np


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
        raise ValueError(shape_message(X.shape))
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


def shape_message(shape):
    return (
        f"Expected a 2-D series of shape (n_samples, n_features), got shape {tuple(shape)}. "
        "Reshape your data: X.reshape(-1, 1) for a 1-D array of one feature, or .to_frame() for "
        "a pandas Series."
    )
