"""Sliding windows over a series, as a view of its rows."""

import copy
import math
from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .._checks import check_array_like, check_numeric

# Maximum number of rows that a window may extend before a series that is shorter.
_MAX_PADDING = 100_000


class WindowArray(np.ndarray):
    """Windows of a series, as a read-only view of its rows.

    Returned by `sliding_windows` and `WindowTransformer`. It is an ndarray of shape (n_samples,
    window_length, n_features), or (n_samples, window_length * n_features) if flattened. Its memory
    usage does not depend on the window length. Slices, copies and the results of arithmetic are
    plain ndarrays, but slices of flattened windows of several features also have `n_features`.
    `astype`, pickle, deepcopy and joblib preserve the attributes and store each row once.

    Parameters
    ----------
    series : array-like of shape (n_rows, n_features)
        The rows of the series, preceded by ``window_length + horizon - 1`` rows of context.
    window_length : int
        Number of time steps in each window.
    horizon : int
        Number of rows from the last row of a window to the row that it predicts.
    n_incomplete : int
        Number of leading windows that extend before the first known row.
    flat : bool, default=False
        Whether each window is a single row.

    Attributes
    ----------
    series : ndarray of shape (n_samples + window_length + horizon - 1, n_features)
        The rows of the series, preceded by their context or, if there is none, by copies of the
        earliest known row. Window i is ``series[i : i + window_length]``.
    target : ndarray of shape (n_samples, n_features)
        The rows of the series without the context. Window i predicts row i.
    n_incomplete : int
        Number of leading windows that extend before the first known row.
    window_length, horizon : int
        Window i consists of rows i - horizon - window_length + 1 to i - horizon.

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

    series: np.ndarray
    window_length: int
    horizon: int
    n_incomplete: int

    def __new__(
        cls,
        series: ArrayLike,
        window_length: int,
        horizon: int,
        n_incomplete: int,
        flat: bool = False,
    ) -> "WindowArray":
        """Create the windows of a series that begins with its context."""
        rows = np.ascontiguousarray(series).view()
        rows.flags.writeable = False  # of the view only: the caller's array stays writable
        n_samples = len(rows) - (window_length + horizon - 1)
        n_features = rows.shape[1]
        row, column = rows.strides
        shape = (window_length * n_features,) if flat else (window_length, n_features)
        strides = (row, column) if flat else (row, row, column)
        self = np.lib.stride_tricks.as_strided(
            rows, (n_samples, *shape), strides, writeable=False
        ).view(cls)
        # NumPy does not copy these to an array that it derives, such as a transposed one.
        self.series = rows
        self.window_length = int(window_length)
        self.horizon = int(horizon)
        self.n_incomplete = int(n_incomplete)
        return self

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            if name in ("series", "target", "window_length", "horizon", "n_incomplete"):
                raise AttributeError(
                    f"{name} is not known, because NumPy derived this array from a WindowArray (by "
                    "reshape, transpose, ...). Use the WindowArray itself."
                )
            raise AttributeError(f"'WindowArray' object has no attribute {name!r}")

    @property
    def is_intact(self) -> bool:
        """Whether the array consists of the original windows, so that its attributes are known."""
        return "series" in self.__dict__

    @property
    def target(self) -> np.ndarray:
        """Rows of the series that the windows predict."""
        return self.series[self.window_length + self.horizon - 1 :]

    def _arguments(self, series):
        return series, self.window_length, self.horizon, self.n_incomplete, self.ndim == 2

    def stacked(self) -> "WindowArray":
        """Return the windows with shape (n_samples, window_length, n_features)."""
        return WindowArray(*self._arguments(self.series)[:-1])

    def part(self, rows: slice) -> "WindowArray":
        """Return the windows of consecutive rows as a WindowArray.

        Parameters
        ----------
        rows : slice
            The rows. The step is ignored.

        Returns
        -------
        windows : WindowArray
        """
        start, stop, _ = rows.indices(len(self))
        series = self.series[start : stop + self.window_length + self.horizon - 1]
        n_incomplete = max(0, self.n_incomplete - start)
        return WindowArray(series, self.window_length, self.horizon, n_incomplete, self.ndim == 2)

    def astype(  # type: ignore[override]
        self,
        dtype: DTypeLike,
        order: Any = "K",
        casting: Any = "unsafe",
        subok: bool = True,
        copy: bool = True,
    ) -> Any:
        """Cast the series to a dtype without copying each window.

        The result is a read-only WindowArray. If the dtype is the same, it shares the series, also
        with ``copy=True``. With ``subok=False`` the result is a plain ndarray.
        """
        if not self.is_intact or not subok:
            return np.asarray(self).astype(dtype, order=order, casting=casting, copy=copy)
        series = self.series.astype(dtype, casting=casting, copy=False)
        return WindowArray(*self._arguments(series))

    def copy(self, order: Any = "C") -> Any:
        """Return the windows as a writable plain ndarray."""
        return np.array(self, order=order)

    def __getitem__(self, key: Any) -> Any:
        array = np.asarray(self)[key]
        n_features = self.series.shape[1] if self.is_intact and self.ndim == 2 else 1
        if n_features == 1 or np.ndim(array) != 2 or array.shape[1] != self.shape[1]:
            return array
        return FlatWindows(array, n_features)

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return array[()] if return_scalar else np.asarray(array)

    def __reduce__(self) -> Any:
        if not self.is_intact:
            return np.asarray(self).__reduce__()
        return WindowArray, self._arguments(self.series)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__reduce__()

    def __copy__(self) -> Any:
        return self.astype(self.dtype) if self.is_intact else np.array(self)

    def __deepcopy__(self, memo: Any) -> Any:
        if not self.is_intact:
            return np.array(self)
        return WindowArray(*self._arguments(copy.deepcopy(self.series, memo)))


class FlatWindows(np.ndarray):
    """Some rows of flattened windows of several features, with the number of features.

    Returned when flattened windows are sliced by rows, as in cross-validation. Arrays derived from
    it are FlatWindows as long as they have the same columns.

    Parameters
    ----------
    windows : array-like of shape (n_samples, window_length * n_features)
        Time-major.
    n_features : int
        Number of features of a window.
    """

    _layout: tuple[int, int] | None

    def __new__(cls, windows: ArrayLike, n_features: int) -> "FlatWindows":
        """Create a view of the windows."""
        self = np.asarray(windows).view(cls)
        self._layout = int(n_features), self.shape[1]
        return self

    def __array_finalize__(self, source: Any) -> None:
        self._layout = getattr(source, "_layout", None)

    @property
    def n_features(self) -> int | None:
        """Number of features of a window, None if it is not known."""
        if self._layout is None or self.ndim != 2 or self.shape[1] != self._layout[1]:
            return None
        return self._layout[0]

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return array[()] if return_scalar else array.view(type(self))

    def __reduce__(self) -> Any:
        array, n_features = np.asarray(self), self.n_features
        return array.__reduce__() if n_features is None else (FlatWindows, (array, n_features))

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__reduce__()


class IncompleteArray(np.ndarray):
    """An array with the number of its leading rows that are incomplete.

    Slices, copies and the results of arithmetic have ``n_incomplete=0``.

    Parameters
    ----------
    array : array-like
    n_incomplete : int, default=0
        Number of leading rows that are excluded from `fit`.
    """

    n_incomplete: int

    def __new__(cls, array: ArrayLike, n_incomplete: int = 0) -> Self:
        """Create a view of the array."""
        self = np.asarray(array).view(cls)
        self.n_incomplete = int(n_incomplete)
        return self

    def __array_finalize__(self, obj: Any) -> None:
        self.n_incomplete = 0

    def __reduce__(self) -> Any:
        return type(self), (np.asarray(self), self.n_incomplete)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__reduce__()


def aligned_empty(shape: Sequence[int], dtype: DTypeLike) -> np.ndarray:
    """Return an uninitialized array, aligned so that TensorFlow can use it without a copy."""
    dtype = np.dtype(dtype)
    if dtype.hasobject:
        return np.empty(shape, dtype)
    n_bytes = math.prod(shape) * dtype.itemsize
    memory = np.empty(n_bytes + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + n_bytes].view(dtype).reshape(shape)


def is_windows(X: Any) -> TypeGuard[WindowArray]:
    """Return whether X is a WindowArray whose attributes are known."""
    return isinstance(X, WindowArray) and X.is_intact


def sliding_windows(
    X: ArrayLike,
    window_length: int = 30,
    horizon: int = 1,
    *,
    context: ArrayLike | None = None,
    flatten: bool = False,
) -> WindowArray:
    """Return the lagged window of each row of a series.

    Output row i contains rows ``i - horizon - window_length + 1`` to ``i - horizon`` of X, oldest
    first. With ``horizon=1`` these are the rows directly before row i. The output has as many rows
    as X: the first windows extend into `context`. Windows that extend beyond the context, or have
    no context, are padded with copies of the earliest known row and counted in `n_incomplete`.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features) or (n_samples,)
        The series, one row per time step, oldest first. 1-D means one feature.
    window_length : int, default=30
        Number of time steps in each window, at least 1.
    horizon : int, default=1
        Number of rows from the last row of a window to the row with the same index as the window.
        With 0, the window includes that row.
    context : array-like of shape (n_context, n_features), default=None
        Rows directly before X. Rows that no window extends to are ignored.
    flatten : bool, default=False
        Whether to return each window as a row of length window_length * n_features, time-major.

    Returns
    -------
    windows : WindowArray of shape (n_samples, window_length, n_features)
        Or (n_samples, window_length * n_features) with ``flatten=True``. A read-only view of one
        padded copy of the series. It has the dtype of X, unless that dtype cannot represent the
        context (integers and floats, or longer strings).

    Raises
    ------
    ValueError
        If X is not 2-D or is empty, if X and the context differ in the number of columns or only
        one of them contains strings, or if `window_length` or `horizon` is too small.

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
    check_array_like(X)
    X = np.asarray(as_column(X))
    check_series_shape(X)
    if not len(X):
        raise ValueError(f"X has no rows (shape {X.shape}), but at least one row is needed.")
    for name, value, least in [("window_length", window_length, 1), ("horizon", horizon, 0)]:
        is_int = isinstance(value, Integral) and not isinstance(value, (bool, np.bool_))
        if not is_int or value < least:
            raise ValueError(f"{name} must be an int of at least {least}, got {value!r}.")
    n_before = window_length + horizon - 1
    if context is None:
        context = X[:0]
    check_array_like(context, "context")
    context = np.asarray(as_column(context))
    if context.ndim != 2 or context.shape[1] != X.shape[1]:
        raise ValueError(
            f"context must have the {X.shape[1]} columns of X, got an array of shape "
            f"{context.shape}."
        )
    context = context[max(0, len(context) - n_before) :]
    n_missing = n_before - len(context)
    if n_missing > max(_MAX_PADDING, len(X)):
        raise ValueError(
            f"window_length={window_length} and horizon={horizon} extend {n_before} rows before "
            f"each row, but X has {len(X)} rows, so that no window is complete. Use a shorter "
            "window."
        )
    series = aligned_empty((n_before + len(X), X.shape[1]), dtype=_common_dtype(X, context))
    series[:n_missing] = context[:1] if len(context) else X[:1]
    series[n_missing:n_before] = context
    series[n_before:] = X
    return WindowArray(series, window_length, horizon, min(n_missing, len(X)), flatten)


def _common_dtype(X, context):
    """Return the dtype of X, or a wider one if that of X cannot represent the context."""
    if not len(context):
        return X.dtype
    kinds = {"string" if a.dtype.kind in "UST" else a.dtype.kind for a in (X, context)}
    if "string" in kinds and not kinds <= {"string", "O"}:
        raise ValueError(
            "X and its context must both contain numbers or both contain strings, got dtypes "
            f"{X.dtype} and {context.dtype}."
        )
    return X.dtype if X.dtype.kind == "f" else np.result_type(X.dtype, context.dtype)


def as_column(X):
    """Return a 1-D array, Series or list of numbers or strings as one column; X otherwise."""
    if isinstance(X, (list, tuple)):
        return np.reshape(X, (-1, 1)) if X and np.ndim(X[0]) == 0 else X
    if len(getattr(X, "shape", (0, 0))) != 1:
        return X
    return X.to_frame() if hasattr(X, "to_frame") else np.reshape(X, (-1, 1))


def check_series_shape(X):
    """Raise a ValueError if X has a shape that is not 2-D."""
    if hasattr(X, "shape") and len(X.shape) != 2:
        raise ValueError(
            "Expected a series X of shape (n_samples, n_features), or (n_samples,) for one "
            f"feature, got shape {tuple(X.shape)}. Reshape your data to one row for each time step."
        )


def steps_ahead(y: ArrayLike, n_steps: int) -> np.ndarray:
    """Return the next rows of a series as the targets of each row, to forecast several steps ahead.

    Output row i contains rows i to ``i + n_steps - 1`` of y. Behind a `WindowTransformer` with
    ``horizon=1``, a regressor that is fitted to these targets predicts 1 to `n_steps` steps ahead.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_columns)
        The series, one row per time step, oldest first.
    n_steps : int
        Number of steps ahead, at least 1.

    Returns
    -------
    targets : ndarray of shape (n_samples, n_steps * n_columns)
        All columns of the first step, followed by those of the next step. The last ``n_steps - 1``
        rows contain NaN where the row is not observed yet. `RNNRegressor` and
        `CompleteWindowsRegressor` exclude them from training and scores. Drop them before other
        estimators, scorers and cross-validation. The targets of the last training rows of a split
        contain test rows. `backtest` excludes these targets.

    Raises
    ------
    ValueError
        If `y` is not 1-D or 2-D, is empty or does not contain numbers, or if `n_steps` is not an
        int of at least 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import steps_ahead
    >>> steps_ahead(np.arange(4.0), 2)
    array([[ 0.,  1.],
           [ 1.,  2.],
           [ 2.,  3.],
           [ 3., nan]])
    """
    check_array_like(y, "y")
    check_numeric(y, "y")
    values = np.asarray(as_column(y))
    if values.ndim != 2 or not values.size:
        raise ValueError(
            f"y must be of shape (n_samples,) or (n_samples, n_columns) with at least one row, got "
            f"shape {np.shape(y)}."
        )
    is_int = isinstance(n_steps, Integral) and not isinstance(n_steps, (bool, np.bool_))
    if not is_int or n_steps < 1:
        raise ValueError(f"n_steps must be an int of at least 1, got {n_steps!r}.")
    values = values.astype(np.result_type(values.dtype, np.float32), copy=False)
    unknown = np.full((n_steps - 1, values.shape[1]), np.nan, values.dtype)
    series = np.concatenate([values, unknown])
    rows = np.lib.stride_tricks.sliding_window_view(series, n_steps, axis=0)
    return rows.transpose(0, 2, 1).reshape(len(values), -1)
