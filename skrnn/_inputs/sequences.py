"""Validation of sequences of unequal lengths and with masked time steps."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from .._checks import MASKED
from .._sklearn_compat import check_array, validate_data
from ..windows._array import IncompleteArray, WindowArray, is_windows
from .windows import (
    check_enough_rows,
    check_not_empty,
    check_numeric_windows,
    check_windows_or_table,
    features_of_columns,
    is_three_dimensional,
    n_incomplete,
    store_input_shape,
    to_three_dimensions,
)

# A sequence longer than the fitted ones is padded to a bucket: each bucket is longer than the one
# before by this number of time steps, or by this fraction of it (1 / 4). Sequences of similar
# lengths then share a compiled network.
_MIN_BUCKET_STEPS, _BUCKET_DIVISOR = 8, 4


def check_sequences(estimator, X, *, reset, dtype, in_place):
    """Validate sequences of numbers; all features of a time step with a NaN become `MASKED`.

    Parameters
    ----------
    estimator : estimator
        With ``reset=True``, in `fit`, `input_shape_` and `n_features_in_` are set.
    X : WindowArray, array-like, sequence of arrays, or DataFrame of series
    reset : bool
    dtype : str
        dtype of the result.
    in_place : bool
        Whether masked time steps keep their position or are moved to the end.

    Returns
    -------
    X : WindowArray or ndarray of shape (n_samples, n_timesteps, n_features)

    Raises
    ------
    ValueError
        If the shape or features of X are invalid, X contains inf, or a sequence is fully masked.
    """
    name, n_columns, panel = type(estimator).__name__, None, X if _is_panel(X) else None
    n_skipped = n_incomplete(X)
    with np.errstate(over="ignore"):  # values too large for dtype become inf, which is an error
        if is_windows(X):
            n_columns = X.shape[1] if X.ndim == 2 else None
            X = _check_windows(name, X.stacked(), reset=reset, dtype=dtype)
        elif (sequences := _as_sequences(name, X)) is not None:
            X = check_array(
                _pad(name, sequences, dtype),
                dtype=dtype,
                allow_nd=True,
                ensure_all_finite="allow-nan",
                estimator=estimator,
            )
        else:
            X, n_columns = _check_table(estimator, X, reset=reset, dtype=dtype)
    check_not_empty(name, X)
    if not reset and X.shape[2] != estimator.input_shape_[1]:
        raise ValueError(
            f"X has {X.shape[2]} features, but {name} was fitted on {estimator.input_shape_[1]}. "
            "Predict with the same features, or fit again."
        )
    if not is_windows(X):
        X = _mask(name, X, in_place=in_place, trim=n_columns is None)
        if reset and n_skipped:
            X = IncompleteArray(X, n_skipped)
    if reset:
        check_enough_rows(X)
        store_input_shape(estimator, X, n_columns)
        estimator._takes_columns = n_columns is not None
    fitted_on_panel = hasattr(estimator, "feature_names_in_") and not estimator._takes_columns
    if panel is not None and (reset or fitted_on_panel):
        validate_data(estimator, panel, reset=reset, skip_check_array=True)
    return X


def has_masked_steps(name: str, X: Any) -> bool:
    """Return whether X has sequences of unequal lengths, NaN, or series as cells."""
    if _is_panel(X):
        return True
    sequences = _as_sequences(name, X)
    if sequences is None:
        return _has_nan(pd.isna(X).to_numpy() if hasattr(X, "iloc") else np.asarray(X))
    return len({len(sequence) for sequence in sequences}) > 1 or any(map(_has_nan, sequences))


def _has_nan(values):
    if values.dtype == bool:
        return bool(values.any())
    return values.dtype.kind == "f" and bool(np.isnan(values.sum()) and np.isnan(values).any())


def masked_steps(X: WindowArray | np.ndarray) -> np.ndarray:
    """Return a mask of the masked time steps, of shape (n_samples, n_timesteps)."""
    return (np.asarray(X) == np.float32(MASKED)).all(axis=2)  # float16 cannot represent it


def right_align(X: np.ndarray) -> np.ndarray:
    """Move the masked time steps of sequences to the beginning."""
    is_masked = masked_steps(X)
    if not is_masked.any():
        return X
    order = np.argsort(~is_masked, axis=1, kind="stable")
    return np.take_along_axis(X, order[:, :, None], axis=1)


def pad_to_bucket(X: np.ndarray, n_timesteps: int) -> np.ndarray:
    """Pad sequences with masked time steps to the length of a bucket, at least `n_timesteps`."""
    length = n_timesteps
    while length < X.shape[1]:
        length += max(_MIN_BUCKET_STEPS, length // _BUCKET_DIVISOR)
    if length == X.shape[1]:
        return X
    padding = ((0, 0), (0, length - X.shape[1]), (0, 0))
    return np.pad(X, padding, constant_values=_masked_value(X.dtype))


def _masked_value(dtype):
    """Return `MASKED` as a number of a dtype."""
    if float(np.finfo(dtype).min) > MASKED:
        raise ValueError(
            f"{dtype} cannot represent the value of masked time steps (NaN, or sequences of "
            "unequal lengths). Set keras.config.set_floatx('float32')."
        )
    return dtype.type(MASKED)


def _check_table(estimator, X, *, reset, dtype):
    """Return X with three dimensions, and the number of columns or None."""
    name = type(estimator).__name__
    check_windows_or_table(name, X)
    n_features = features_of_columns(estimator, X, reset)
    options = {"dtype": dtype, "ensure_all_finite": "allow-nan", "allow_nd": True}
    is_list = isinstance(X, (list, tuple))
    # A list contains sequences of any length, and after a 3-D X, columns are time steps.
    any_length = not reset and (is_list or not estimator._takes_columns)
    if is_three_dimensional(X) or any_length:
        X = check_array(X, input_name="X", estimator=estimator, **options)
        n_columns = None
    else:
        X = validate_data(estimator, X, reset=reset, **options)
        n_columns = X.shape[1]
    return to_three_dimensions(name, X, n_features), n_columns


def _is_panel(X):
    """Return whether X is a DataFrame whose cells are series."""
    if not hasattr(X, "iloc") or np.ndim(X) != 2 or not np.size(X):
        return False
    return X.dtypes.iloc[0].kind == "O" and any(np.ndim(cell) == 1 for cell in X.iloc[:, 0])


def _as_sequences(name: str, X: Any) -> list[np.ndarray] | None:
    """Return X as a list of (n_timesteps, n_features) arrays, or None if it is a table."""
    if _is_panel(X):
        rows = zip(*(X.iloc[:, column] for column in range(X.shape[1])), strict=True)
        return [_stack_columns(name, row, X.columns, cells) for row, cells in enumerate(rows)]
    is_object_array = hasattr(X, "dtype") and X.ndim == 1 and getattr(X.dtype, "kind", "") == "O"
    if not (isinstance(X, (list, tuple)) or is_object_array) or len(X) == 0:
        return None
    sequences = [_as_array(name, row, sequence) for row, sequence in enumerate(X)]
    shapes = {sequence.shape for sequence in sequences}
    dimensions = {sequence.ndim for sequence in sequences}
    if len(shapes) == 1 and dimensions != {2}:
        return None  # a table, or an array of four dimensions
    if not dimensions <= {1, 2}:
        raise _unequal_shapes(name, shapes)
    return [sequence[:, None] if sequence.ndim == 1 else sequence for sequence in sequences]


def _as_array(name, row, sequence):
    try:
        return np.asarray(sequence)
    except ValueError:
        raise ValueError(
            f"Row {row} of X is not an array of shape (n_timesteps, n_features): {name} needs the "
            "same number of features at each time step."
        ) from None


def _unequal_shapes(name, shapes):
    return ValueError(
        f"{name} needs sequences of shape (n_timesteps, n_features) with the same features, "
        f"got shapes {sorted(shapes)[:5]}."
    )


def _stack_columns(name, row, columns, cells):
    """Return the series in a row of a DataFrame as the columns of an array."""
    for column, cell in zip(columns, cells, strict=True):
        if np.ndim(cell) != 1:
            raise ValueError(
                f"Row {row} of X contains {cell!r} in column {column!r}, but {name} needs a "
                "series. Drop such rows."
            )
    lengths = {len(cell) for cell in cells}
    if len(lengths) > 1:
        raise ValueError(
            f"The series in row {row} of X have lengths {sorted(lengths)}, but {name} needs the "
            "same time steps of all features. Pad the shorter series with NaN."
        )
    return np.column_stack([np.asarray(cell) for cell in cells])


def _pad(name: str, sequences: Sequence[np.ndarray], dtype: str) -> np.ndarray:
    """Return sequences as one array, padded with NaN."""
    _check_not_fully_masked(name, np.array([len(sequence) == 0 for sequence in sequences]))
    widths = {sequence.shape[1] for sequence in sequences}
    if len(widths) > 1:
        raise _unequal_shapes(name, {sequence.shape for sequence in sequences})
    if any(sequence.dtype.kind == "c" for sequence in sequences):
        raise ValueError("Complex data not supported")
    X = np.full((len(sequences), max(map(len, sequences)), *widths), np.nan, dtype)
    for row, sequence in enumerate(sequences):
        X[row, : len(sequence)] = sequence
    return X


def _mask(name, X, *, in_place, trim):
    """Return X with `MASKED` in all features of the time steps that contain a NaN."""
    missing = np.isnan(X).any(axis=2)
    if not missing.any():
        return X
    _check_not_fully_masked(name, missing.all(axis=1))
    X = np.where(missing[:, :, None], _masked_value(X.dtype), X)
    if in_place:
        return X
    # At the end: the kernels of GPUs support no other masks, and shorter sequences are faster.
    order = np.argsort(missing, axis=1, kind="stable")
    X = np.take_along_axis(X, order[:, :, None], axis=1)
    return X[:, : (~missing).sum(axis=1).max()] if trim else X


def _check_not_fully_masked(name, fully_masked, first_row=0):
    if fully_masked.any():
        row = first_row + int(np.argmax(fully_masked))
        raise ValueError(
            f"Row {row} of X has no time step without NaN, and {name} does not accept empty "
            "sequences. Drop such rows."
        )


def _check_windows(name, X, *, reset, dtype):
    """Return windows with `MASKED` in the rows of the series that contain a NaN."""
    check_numeric_windows(
        name,
        X,
        "Use CharLSTMClassifier for strings, or convert the columns of the series to numbers "
        "first.",
    )
    X = X.astype(dtype)
    n_samples, length = len(X), X.window_length
    first = n_incomplete(X) if reset else 0
    series = X.series
    if np.isinf(series[first : n_samples + length - 1]).any():
        raise ValueError(
            "Input X contains infinity or a value too large for "
            f"{np.dtype(dtype)!r}, inside the windows. Clip or drop such rows first."
        )
    missing = np.isnan(series).any(axis=1)
    if not missing.any():
        return X
    n_valid = np.concatenate([[0], np.cumsum(~missing)])
    n_valid_in_window = (n_valid[length:] - n_valid[:-length])[first:n_samples]
    _check_not_fully_masked(name, n_valid_in_window == 0, first)
    series = np.where(missing[:, None], _masked_value(series.dtype), series)
    return WindowArray(series, length, X.horizon, X.n_incomplete)
