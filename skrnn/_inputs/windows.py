"""Validation of windows and of their targets."""

import contextlib
import re
from numbers import Number
from typing import Any

import numpy as np
from sklearn.metrics import r2_score

from .._checks import check_no_panel, check_numeric
from .._sklearn_compat import (
    check_array,
    check_is_fitted,
    check_sample_weight,
    num_samples,
    validate_data,
)
from ..windows._array import FlatWindows, IncompleteArray, WindowArray, is_windows


def n_incomplete(X: Any) -> int:
    """Return how many leading rows of X are incomplete windows; 0 for arrays without windows.

    In a DataFrame of lags, as many rows are incomplete as the largest lag.
    """
    return getattr(X, "n_incomplete", 0) if hasattr(X, "dtype") else max(_lags(X), default=0)


def check_n_samples(X: Any, y: Any) -> None:
    """Raise a ValueError if X and y differ in length."""
    n_samples, n_targets = num_samples(X), num_samples(y)
    if n_samples != n_targets:
        raise ValueError(
            "Found input variables with inconsistent numbers of samples: X has "
            f"{n_samples} rows and y has {n_targets}. Pass one row of y for each row of X."
        )


def check_enough_rows(X: Any) -> None:
    """Raise a ValueError if no window is complete, so that there is nothing to fit."""
    n_samples, n_skipped = len(X), n_incomplete(X)
    if n_skipped == 0 or n_skipped < n_samples:
        return
    if not is_windows(X):
        raise ValueError(
            f"None of the {n_samples} windows is complete: the first {n_skipped} rows of a "
            "DataFrame of lags are excluded. Fit on more rows."
        )
    raise ValueError(
        f"window_length={X.window_length} and horizon={X.horizon} need at least "
        f"{X.window_length + X.horizon} rows to fit, got {n_samples}. Fit on more rows or use a "
        "shorter window."
    )


def check_complete_windows(n_samples: int, n_incomplete: int) -> None:
    """Raise a ValueError if no window is complete, so that there is nothing to score."""
    if n_incomplete and n_incomplete >= n_samples:
        raise ValueError(
            f"None of the {n_samples} windows is complete, so there is nothing to score. "
            "Score more rows, or rows that follow the fitted rows."
        )


def check_row_weights(X: Any, sample_weight: Any) -> np.ndarray:
    """Return the weights of the rows of X as an array of non-negative float64."""
    if not isinstance(sample_weight, Number):
        check_numeric(sample_weight, "sample_weight")
    rows = np.zeros((num_samples(X), 1))  # X may be a list of texts
    return check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)


def missing_target(estimator: Any, hint: str) -> ValueError:
    """Return the error for y=None if y is required."""
    return ValueError(
        f"{type(estimator).__name__} requires y to be passed, but the target y is None{hint}"
    )


def series_target(estimator: Any, X: Any) -> np.ndarray:
    """Return the series that windows were made from, the target if y is None."""
    if not is_windows(X):
        raise missing_target(
            estimator,
            ": only windows of a WindowTransformer contain the series. Pass y.",
        )
    if X.horizon == 0:
        raise ValueError(
            "With horizon=0 each window contains the row that y=None would predict. Pass y, "
            "another variable of the same time step, or use horizon >= 1."
        )
    return X.target


def check_inputs(estimator, X, *, reset, dtype, any_length=False):
    """Validate windows of numbers.

    Parameters
    ----------
    estimator : estimator
        With ``reset=True``, `input_shape_` and `n_features_in_` are set.
    X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
    reset : bool
        Whether to validate for `fit`, where at least one window must be complete and incomplete
        windows may contain NaN. Otherwise all windows must be finite and of the fitted shape.
    dtype : dtype or list of dtype
        dtype of the result. If X has none of the dtypes of a list, it is cast to the first.
    any_length : bool, default=False
        Whether the number of time steps may differ from the fitted one.

    Returns
    -------
    X : WindowArray or ndarray of shape (n_samples, n_timesteps, n_features)

    Raises
    ------
    ValueError
        If X has an invalid shape or contains a value that is not finite.
    """
    name = type(estimator).__name__
    n_columns = None
    check_windows_or_table(name, X)
    if is_windows(X):
        n_columns = X.shape[1] if X.ndim == 2 else None
        X = _check_windows(name, X.stacked(), reset=reset, dtype=dtype)
    elif is_three_dimensional(X):
        X = check_array(X, dtype=dtype, allow_nd=True, input_name="X", estimator=estimator)
    else:
        n_features, n_skipped = features_of_columns(estimator, X, reset), n_incomplete(X)
        if takes_any_columns(estimator, X, reset, any_length):
            X = check_array(X, dtype=dtype, input_name="X", estimator=estimator)
        else:
            X = validate_data(estimator, X, dtype=dtype, allow_nd=True, reset=reset)
        n_columns = X.shape[1]
        X = to_three_dimensions(name, X, n_features)
        if reset and n_skipped:
            X = IncompleteArray(X, n_skipped)
            check_enough_rows(X)
    check_not_empty(name, X)
    if reset:
        store_input_shape(estimator, X, n_columns)
    elif X.shape[2:] != estimator.input_shape_[1:] or not (
        any_length or X.shape[1] == estimator.input_shape_[0]
    ):
        raise ValueError(
            f"X has windows of {X.shape[1]} time steps and {X.shape[2]} features, but {name} was "
            f"fitted on {estimator.input_shape_[0]} time steps and {estimator.input_shape_[1]} "
            "features. Predict with the same windows and columns, or fit again."
        )
    return X


def is_three_dimensional(X: Any) -> bool:
    """Return whether X is a 3-D array or nested list; other objects are not converted."""
    if not isinstance(X, (list, tuple)):
        return getattr(X, "ndim", None) == 3
    with contextlib.suppress(ValueError):  # rows of unequal lengths
        return np.ndim(X) == 3
    return False


def check_windows_or_table(name: str, X: Any) -> None:
    """Raise a ValueError if X is a panel of several series, or holds times or strings."""
    if not is_windows(X):
        check_no_panel(
            name,
            X,
            "Use RNNForecaster to forecast, or RNNTimeSeriesClassifier to classify panels, or pass "
            "an array of shape (n_samples, n_timesteps, n_features) or a list of arrays.",
        )
        check_numeric(X)


def takes_any_columns(estimator: Any, X: Any, reset: bool, any_length: bool) -> bool:
    """Return whether the columns of a 2-D X to predict may differ from those in `fit`."""
    if reset:
        return False
    if not _fitted_on_columns(estimator):
        return True
    return any_length and np.ndim(X) == 2 and np.shape(X)[1] != estimator.n_features_in_


def _fitted_on_columns(estimator):
    """Return whether the columns of a 2-D X were the time steps and features in `fit`."""
    n_timesteps, n_features = estimator.input_shape_
    return estimator.n_features_in_ == n_timesteps * n_features


def features_of_columns(estimator: Any, X: Any, reset: bool) -> int:
    """Return the number of features of a window whose columns are those of a 2-D X, time-major.

    It is known from the fit, from rows of flattened windows, from the column names of a DataFrame
    of lags, or from the parameter `n_features` of the estimator. Otherwise it is 1.
    """
    known = X.n_features if isinstance(X, FlatWindows) else _n_features_of_lags(X)
    if not reset:
        return estimator.input_shape_[1] if _fitted_on_columns(estimator) else known or 1
    parameter = getattr(estimator, "n_features", None)
    if known and parameter and known != parameter:
        raise ValueError(
            f"n_features={parameter}, but X consists of windows of {known} features. Set "
            f"n_features={known} or None."
        )
    return known or parameter or 1


def to_three_dimensions(name: str, X: np.ndarray, n_features: int = 1) -> np.ndarray:
    """Return an array of two or three dimensions as three."""
    if X.ndim not in (2, 3):
        raise ValueError(
            f"{name} expects X of shape (n_samples, n_timesteps, n_features), or (n_samples, "
            f"n_timesteps) for one feature, got shape {X.shape}."
        )
    if X.ndim == 3:
        return X
    if X.shape[1] % n_features:
        raise ValueError(
            f"X has {X.shape[1]} columns, which is no multiple of the {n_features} features of a "
            "time step. Pass X of shape (n_samples, n_timesteps * n_features), with all features "
            "of the first time step first, or of shape (n_samples, n_timesteps, n_features)."
        )
    return X.reshape(len(X), -1, n_features)


def check_not_empty(name: str, X: np.ndarray) -> None:
    """Raise a ValueError if X has no time steps or no features."""
    if 0 in X.shape[1:]:
        raise ValueError(f"{name} needs time steps and features, got X of shape {X.shape}.")


def store_input_shape(estimator: Any, X: np.ndarray, n_columns: int | None) -> None:
    """Set the fitted attributes of X. `n_columns` is the number of columns of a 2-D X."""
    estimator.input_shape_ = X.shape[1:]
    estimator.n_features_in_ = X.shape[2] if n_columns is None else n_columns
    if n_columns is None:
        vars(estimator).pop("feature_names_in_", None)


def _lags(X):
    """Return the lag of each column of a DataFrame of lags (close_lag60), else an empty list."""
    return [lag for _, lag in _split_names(X)]


def _split_names(X):
    """Return the feature and the lag of each column of a DataFrame of lags, else an empty list."""
    names = getattr(X, "columns", [])
    matches = [re.fullmatch(r"(.*)_lag(\d+)", str(name)) for name in names]
    return [(match[1], int(match[2])) for match in matches if match] if all(matches) else []


def _n_features_of_lags(X):
    """Return the number of features of a DataFrame of lags, None for other data."""
    names = _split_names(X)
    if not names:
        return None
    features = list(dict.fromkeys(feature for feature, _ in names))
    lags = sorted({lag for _, lag in names}, reverse=True)
    if names != [(feature, lag) for lag in lags for feature in features]:
        raise ValueError(
            f"The columns of X ({X.columns[0]}, ...) are lags, but not those of whole windows in "
            "time order. Pass all columns of WindowTransformer(flatten=True) in their order."
        )
    return len(features)


def check_numeric_windows(name: str, X: WindowArray, advice: str) -> None:
    """Raise a ValueError if windows hold strings or times."""
    if X.dtype.kind in "Mm":
        check_numeric(X.series)
    if X.dtype.kind not in "fiub":
        raise ValueError(
            f"{name} requires numbers, but the windows contain strings such as "
            f"{str(X.series.flat[-1])!r}. {advice}"
        )


def _check_windows(name, X, *, reset, dtype):
    check_numeric_windows(name, X, "Convert the columns of the series to numbers first.")
    dtypes = [np.dtype(candidate) for candidate in np.atleast_1d(dtype)]
    X = X.astype(X.dtype if X.dtype in dtypes else dtypes[0])
    if reset:
        check_enough_rows(X)
    n_samples, reach = len(X), X.window_length + X.horizon - 1
    first = X.n_incomplete if reset else 0
    series = X.series[first : n_samples + X.window_length - 1]
    with np.errstate(invalid="ignore", over="ignore"):
        is_finite = np.isfinite(series.sum())  # without a temporary array
    if not is_finite and len(positions := np.argwhere(~np.isfinite(series))):
        row, column = positions[0] + (first, 0)
        value = X.series[row, column]
        where = f"row {row - reach}" if row >= reach else f"the row {reach - row} before X"
        raise ValueError(
            f"X contains {value} in {where} of the series (column {column}), inside the windows "
            f"of the rows that follow it, but {name} needs finite numbers. Fill or drop such rows "
            "before the WindowTransformer. NaN is allowed only in the last rows, which are not "
            "observed yet and which no window contains."
        )
    return X


def check_outputs(estimator: Any, X: Any, y: Any) -> tuple[np.ndarray, int]:
    """Validate the targets of windows.

    Parameters
    ----------
    estimator : estimator
    X : WindowArray, or array-like of shape (n_samples, ...)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), or None
        If None, the series of a WindowArray is used. The targets of incomplete windows may be
        missing, as may those of several steps ahead in the last rows.

    Returns
    -------
    y : ndarray of shape (n_samples, n_outputs)
    ndim : int
        Number of dimensions of the y that was passed.
    """
    y = series_target(estimator, X) if y is None else y
    y = _check_float_targets(y, ensure_2d=False)
    check_n_samples(X, y)
    if y.ndim not in (1, 2) or y.size == 0:
        raise ValueError(f"y must be of shape (n,) or (n, n_outputs), got {y.shape}.")
    known = slice(n_incomplete(X), len(y) - n_unknown(y))
    if known.start >= known.stop:
        raise ValueError(
            f"{known.start} of the {len(y)} windows are incomplete, and the targets of the last "
            f"{n_unknown(y)} rows are not all known, so that no row is left to fit. Fit on more "
            "rows, or use a shorter window or fewer steps ahead."
        )
    check_no_nan(y[: known.stop], known.start)
    check_array(y[known], ensure_2d=False, input_name="y", estimator=estimator)
    return y.reshape(len(y), -1), y.ndim


def n_unknown(y: np.ndarray) -> int:
    """Return the number of last rows in which not all steps ahead are known, as in `steps_ahead`.

    Their last columns are NaN, but not the first one, and each row has more of them than the row
    before it.
    """
    if y.ndim != 2 or y.shape[1] < 2 or y.dtype.kind != "f":
        return 0
    missing = np.isnan(y[max(0, len(y) - y.shape[1] + 1) :])
    n_missing = missing.sum(axis=1)
    n_rows = len(missing) - int(np.max(np.flatnonzero(n_missing == 0), initial=-1)) - 1
    missing, n_missing = missing[len(missing) - n_rows :], n_missing[len(missing) - n_rows :]
    are_last = (np.diff(missing.astype(int), axis=1) >= 0).all()
    is_triangle = are_last and not missing[:, 0].any() and (np.diff(n_missing) > 0).all()
    return n_rows if is_triangle else 0


def check_no_nan(y: np.ndarray, skip: int = 0) -> None:
    """Raise a ValueError if y contains NaN after the first `skip` rows."""
    missing = np.isnan(y[skip:])
    if missing.any():
        row = skip + int(np.flatnonzero(missing.reshape(len(missing), -1).any(axis=1))[0])
        raise ValueError(
            f"Input y contains NaN in row {row}. Fill or drop such rows. Do not shift y: a window "
            "contains the rows before its row, so the y of a row is the value of that row."
        )


def check_sequence_targets(
    estimator: Any, X: Any, y: Any, valid: np.ndarray | None = None
) -> tuple[np.ndarray, int]:
    """Validate the targets of all time steps.

    Parameters
    ----------
    estimator : estimator
    X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
    y : array-like of shape (n_samples, n_timesteps[, n_outputs])
    valid : ndarray of bool of shape (n_samples, n_timesteps), default=None
        The time steps that are not masked. Where they are, y may be NaN, and becomes zero.

    Returns
    -------
    y : ndarray of shape (n_samples, n_timesteps, n_outputs)
    ndim : int
        Number of dimensions of the y that was passed.
    """
    if y is None:
        raise missing_target(
            estimator,
            ": with output='sequence' it contains a value for each time step, of shape "
            "(n_samples, n_timesteps).",
        )
    n_samples, n_timesteps = num_samples(X), np.shape(X)[1]
    y = _check_float_targets(_pad_targets(y, n_timesteps))
    if y.ndim not in (2, 3) or y.shape[:2] != (n_samples, n_timesteps) or y.size == 0:
        raise ValueError(
            f"output='sequence' needs a y of shape ({n_samples}, {n_timesteps}), or of several "
            f"outputs ({n_samples}, {n_timesteps}, n_outputs), got {y.shape}."
        )
    if valid is not None:
        y = np.where(valid.reshape(*valid.shape, *[1] * (y.ndim - 2)), y, 0)
    skip = n_incomplete(X)
    check_no_nan(y, skip)
    check_array(y[skip:], allow_nd=True, input_name="y", estimator=estimator)
    return y.reshape(n_samples, n_timesteps, -1), y.ndim


def _pad_targets(y, n_timesteps):
    """Pad a list of arrays of unequal lengths with NaN to the longest one, or `n_timesteps`."""
    if not isinstance(y, (list, tuple)) or len({len(row) for row in y if np.ndim(row)}) < 2:
        return y
    rows = [np.asarray(row, np.float64) for row in y]
    padded = np.full((len(rows), max(n_timesteps, *map(len, rows)), *rows[0].shape[1:]), np.nan)
    for row, values in zip(padded, rows, strict=True):
        row[: len(values)] = values
    return padded


def _check_float_targets(y, ensure_2d=True):
    check_numeric(y, "y")
    return check_array(
        y,
        dtype=[np.float64, np.float32],
        ensure_2d=ensure_2d,
        ensure_all_finite=False,
        allow_nd=True,
        input_name="y",
    )


def score_windows(estimator: Any, X: Any, y: Any = None, sample_weight: Any = None) -> float:
    """Return R² of `estimator` on X; if y is None, on the complete windows of the series itself."""
    check_is_fitted(estimator)
    if y is not None:
        check_numeric(y, "y")
        check_n_samples(X, y)
        settings = {"ensure_2d": False, "dtype": None, "input_name": "y"}
        y = check_array(y, ensure_all_finite=False, **settings)
        n_known = len(y) - n_unknown(y)
        y = check_array(y[:n_known], **settings)
        if sample_weight is not None:
            sample_weight = check_row_weights(X, sample_weight)[:n_known]
        return r2_score(y, estimator.predict(X)[:n_known], sample_weight=sample_weight)
    skip = n_incomplete(X)
    check_complete_windows(num_samples(X), skip)
    y, _ = check_outputs(estimator, X, y)
    weights = None if sample_weight is None else check_row_weights(X, sample_weight)[skip:]
    y_pred = np.asarray(estimator.predict(X)).reshape(len(y), -1)
    return r2_score(y[skip:], y_pred[skip:], sample_weight=weights)


def window_regressor_tags(tags: Any) -> Any:
    """Set the tags of regressors of windows."""
    tags.input_tags.three_d_array = True
    tags.target_tags.required = False
    tags.target_tags.multi_output = True
    return tags


def n_purged(X: Any, max_step: int = 0) -> int:
    """Return the number of windows before a holdout that share rows with it; 0 for arrays.

    The targets are up to `max_step` rows later than the row of the window.
    """
    return X.window_length + X.horizon - 1 + max_step if is_windows(X) else 0


def purged_time_split(
    X: Any, rows: range, fraction: float, max_step: int = 0
) -> tuple[range, range]:
    """Split rows in time, and purge the windows that share rows with the holdout.

    Parameters
    ----------
    X : WindowArray or ndarray
        No rows of an array are purged.
    rows : range
    fraction : float
        Fraction of the rows to hold out.

    Returns
    -------
    train, holdout : ranges
    """
    n_holdout = max(1, round(fraction * len(rows)))
    n_shared = n_purged(X, max_step)
    n_train = len(rows) - n_holdout - n_shared
    if n_train < 1:
        raise ValueError(
            f"early_stopping with validation_fraction={fraction} holds out {n_holdout} of "
            f"{len(rows)} complete windows, and {n_shared} more share rows with them: "
            f"{max(0, n_train)} are left to train on. Fit on more rows, or set "
            "early_stopping=False."
        )
    return rows[:n_train], rows[-n_holdout:]
