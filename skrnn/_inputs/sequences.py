"""Validation of sequences of unequal lengths with masked time steps."""

import numpy as np

from .._sklearn_compat import check_array, validate_data
from ..windows._array import is_windows
from .windows import check_no_lag_columns, n_incomplete

# A sequence that is longer than those in fit is filled up by so many steps at least, and by this
# share of its length: predictions of like lengths then share a compiled network.
_STEPS, _SHARE = 8, 4


def check_sequences(estimator, X, *, reset, dtype, in_place):
    """Return X as (n_samples, n_timesteps, n_features), a WindowArray where it was one.

    A step with a NaN is masked: `networks.MASKED` stands in all its features.

    Parameters
    ----------
    estimator : estimator
        In `fit`, ``reset=True``, it gets `input_shape_` and `n_features_in_`.
    X : WindowArray, array-like, sequence of arrays, or DataFrame of series
    reset : bool
    dtype : str
        Of what is returned.
    in_place : bool
        Whether masked steps stay where they are, or come after all others.

    Returns
    -------
    X : WindowArray or ndarray

    Raises
    ------
    ValueError
        If X has another shape, other features than in `fit`, inf, or a sequence of nothing.
    """
    name, n_columns, panel = type(estimator).__name__, None, X if _is_panel(X) else None
    with np.errstate(over="ignore"):  # what is too large for dtype is refused as infinite
        if is_windows(X):
            X = _check_windows(name, X.stacked(), reset=reset, dtype=dtype)
        elif (sequences := _as_sequences(name, X)) is not None:
            X = check_array(
                _padded(name, sequences, dtype),
                dtype=dtype,
                allow_nd=True,
                ensure_all_finite="allow-nan",
                estimator=estimator,
            )
        else:
            X, n_columns = _check_table(estimator, X, reset=reset, dtype=dtype)
    if 0 in X.shape[1:]:
        raise ValueError(f"{name} needs time steps and features, got X of shape {X.shape}.")
    if not reset and X.shape[2] != estimator.input_shape_[1]:
        raise ValueError(
            f"X has {X.shape[2]} features, but {name} was fitted on {estimator.input_shape_[1]}. "
            "Predict with the same features, or fit again."
        )
    if not is_windows(X):
        X = _masked(name, X, in_place=in_place, trim=n_columns is None)
    if reset:
        estimator.input_shape_ = X.shape[1:]
        estimator.n_features_in_ = X.shape[2] if n_columns is None else n_columns
        estimator._takes_columns = n_columns is not None
        if n_columns is None:
            vars(estimator).pop("feature_names_in_", None)
    fitted_on_panel = hasattr(estimator, "feature_names_in_") and not estimator._takes_columns
    if panel is not None and (reset or fitted_on_panel):
        validate_data(estimator, panel, reset=reset, skip_check_array=True)
    return X


def masked_steps(X):
    """Return which steps of sequences, as `check_sequences` returns them, are masked."""
    from .._checks import MASKED

    return (np.asarray(X) == np.float32(MASKED)).all(axis=2)  # float16 cannot hold it


def right_align(X):
    """Return sequences with their masked steps before all others."""
    is_masked = masked_steps(X)
    if not is_masked.any():
        return X
    order = np.argsort(~is_masked, axis=1, kind="stable")
    return np.take_along_axis(X, order[:, :, None], axis=1)


def pad_to_bucket(X, n_timesteps):
    """Return sequences with masked steps after them: `n_timesteps` or more in all."""
    room = n_timesteps
    while room < X.shape[1]:
        room += max(_STEPS, room // _SHARE)
    if room == X.shape[1]:
        return X
    after = ((0, 0), (0, room - X.shape[1]), (0, 0))
    return np.pad(X, after, constant_values=_masked_value(X.dtype))


def _masked_value(dtype):
    """Return `MASKED` as a number of a dtype."""
    from .._checks import MASKED

    if float(np.finfo(dtype).min) > MASKED:
        raise ValueError(
            f"{dtype} cannot hold the number that stands for masked steps (NaN, or sequences of "
            "different lengths). Set keras.config.set_floatx('float32')."
        )
    return dtype.type(MASKED)


def _check_table(estimator, X, *, reset, dtype):
    """Return arrays of two or three dimensions as three, and the number of columns or None."""
    name = type(estimator).__name__
    kept = {"dtype": dtype, "ensure_all_finite": "allow-nan", "allow_nd": True}
    if getattr(X, "ndim", None) == 3 or (isinstance(X, (list, tuple)) and np.ndim(X) == 3):
        return check_array(X, input_name="X", estimator=estimator, **kept), None
    if not reset and (isinstance(X, (list, tuple)) or not estimator._takes_columns):
        # A list is of sequences of any length; and in three dimensions columns were not counted.
        return check_array(X, input_name="X", estimator=estimator, **kept)[:, :, None], None
    check_no_lag_columns(name, X)
    X = validate_data(estimator, X, reset=reset, **kept)
    if X.ndim != 2:
        raise ValueError(
            f"{name} expects X of shape (n_samples, n_timesteps, n_features), or (n_samples, "
            f"n_timesteps) for one feature, got shape {X.shape}."
        )
    return X[:, :, None], X.shape[1]


def _is_panel(X):
    """Whether X is a DataFrame whose cells are series."""
    if not hasattr(X, "iloc") or np.ndim(X) != 2 or not np.size(X):
        return False
    return X.dtypes.iloc[0].kind == "O" and any(np.ndim(cell) == 1 for cell in X.iloc[:, 0])


def _as_sequences(name, X):
    """Return X as a list of (n_timesteps, n_features) arrays if it is of many lengths, or None."""
    if _is_panel(X):
        rows = zip(*(X.iloc[:, column] for column in range(X.shape[1])), strict=True)
        return [_joined(name, row, X.columns, cells) for row, cells in enumerate(rows)]
    is_column = hasattr(X, "dtype") and X.ndim == 1 and getattr(X.dtype, "kind", "") == "O"
    if not (isinstance(X, (list, tuple)) or is_column) or len(X) == 0:
        return None
    sequences = [_as_array(name, row, one) for row, one in enumerate(X)]
    shapes, dimensions = {one.shape for one in sequences}, {one.ndim for one in sequences}
    if len(shapes) == 1 and dimensions != {2}:
        return None  # a table, or of four dimensions
    if not dimensions <= {1, 2}:
        raise _of_other_shapes(name, shapes)
    return [one[:, None] if one.ndim == 1 else one for one in sequences]


def _as_array(name, row, sequence):
    try:
        return np.asarray(sequence)
    except ValueError:
        raise ValueError(
            f"Row {row} of X is no array of shape (n_timesteps, n_features): {name} needs as many "
            "features at each of its steps."
        ) from None


def _of_other_shapes(name, shapes):
    return ValueError(
        f"{name} needs sequences of shape (n_timesteps, n_features) with the same features, "
        f"got shapes {sorted(shapes)[:5]}."
    )


def _joined(name, row, columns, cells):
    """Return the series in a row of a DataFrame side by side."""
    for column, cell in zip(columns, cells, strict=True):
        if np.ndim(cell) != 1:
            raise ValueError(
                f"Row {row} of X holds {cell!r} in column {column!r}, where {name} needs a series. "
                "Leave such rows out."
            )
    lengths = {len(cell) for cell in cells}
    if len(lengths) > 1:
        raise ValueError(
            f"The series in row {row} of X have lengths {sorted(lengths)}, but {name} needs the "
            "same steps of all features. Fill the shorter ones up with NaN."
        )
    return np.column_stack([np.asarray(cell) for cell in cells])


def _padded(name, sequences, dtype):
    """Put sequences into one array, with NaN behind the shorter ones."""
    _refuse_empty(name, np.array([len(one) == 0 for one in sequences]))
    widths = {one.shape[1] for one in sequences}
    if len(widths) > 1:
        raise _of_other_shapes(name, {one.shape for one in sequences})
    if any(one.dtype.kind == "c" for one in sequences):
        raise ValueError("Complex data not supported")
    longest = max(map(len, sequences))
    X = np.full((len(sequences), longest, *widths), np.nan, dtype)
    for row, one in enumerate(sequences):
        X[row, : len(one)] = one
    return X


def _masked(name, X, *, in_place, trim):
    """Return X with `MASKED` in all features of the steps that hold a NaN."""
    missing = np.isnan(X).any(axis=2)
    if not missing.any():
        return X
    _refuse_empty(name, missing.all(axis=1))
    X = np.where(missing[:, :, None], _masked_value(X.dtype), X)
    if in_place:
        return X
    # Behind all others: GPUs' own kernels mask no others, and what is shorter is faster.
    order = np.argsort(missing, axis=1, kind="stable")
    X = np.take_along_axis(X, order[:, :, None], axis=1)
    return X[:, : (~missing).sum(axis=1).max()] if trim else X


def _refuse_empty(name, empty, first=0):
    if empty.any():
        row = first + int(np.argmax(empty))
        raise ValueError(
            f"Row {row} of X has no time step without NaN, and {name} cannot tell a class from "
            "nothing. Leave such rows out."
        )


def _check_windows(name, X, *, reset, dtype):
    """Return windows with `MASKED` in the series' rows that hold a NaN."""
    if X.dtype.kind not in "fiub":
        raise ValueError(
            f"{name} learns from numbers, but the windows hold symbols such as "
            f"{str(X.series.flat[-1])!r}. Use CharLSTMClassifier for symbols, or convert the "
            "series' columns to numbers first."
        )
    X = X.astype(dtype)
    n_samples, length = len(X), X.window_length
    if reset and X.n_incomplete >= n_samples:
        raise ValueError(
            f"window_length={length} and horizon={X.horizon} need at least "
            f"{length + X.horizon} rows to fit, got {n_samples}. Fit on more rows or take a "
            "shorter window."
        )
    first = n_incomplete(X) if reset else 0
    series = X.series
    inside = series[first : n_samples + length - 1]
    if np.isinf(inside).any():
        raise ValueError(
            "Input X contains infinity or a value too large for "
            f"{np.dtype(dtype)!r}, inside the windows. Clip or drop such rows first."
        )
    missing = np.isnan(series).any(axis=1)
    if not missing.any():
        return X
    known = np.concatenate([[0], np.cumsum(~missing)])
    n_known = (known[length:] - known[:-length])[first:n_samples]
    _refuse_empty(name, n_known == 0, first)
    series = np.where(missing[:, None], _masked_value(series.dtype), series)
    return type(X)(series, length, X.horizon, X.n_incomplete)
