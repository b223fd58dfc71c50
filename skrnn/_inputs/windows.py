"""Validation of windows and of their targets."""

import re

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from .._sklearn_compat import (
    check_array,
    check_is_fitted,
    check_sample_weight,
    num_samples,
    validate_data,
)
from ..windows._array import is_windows


def n_incomplete(X):
    """How many leading rows of X are incomplete windows, or states of such; 0 for plain arrays."""
    return getattr(X, "n_incomplete", 0)


def check_inputs(estimator, X, *, reset, dtype, any_length=False):
    """Return X as windows (n_samples, n_timesteps, n_features), a WindowArray where it was one.

    In `fit` (``reset=True``) there must be a complete window, and only complete windows must be
    finite; in `predict` all must be, and of the shape seen in `fit`, but for the number of time
    steps with `any_length`.
    """
    name = type(estimator).__name__
    n_columns = None
    if is_windows(X):
        X = _check_windows(name, X.stacked(), reset=reset, dtype=dtype)
    elif getattr(X, "ndim", None) == 3 or (isinstance(X, (list, tuple)) and np.ndim(X) == 3):
        X = check_array(X, dtype=dtype, allow_nd=True, input_name="X", estimator=estimator)
    elif not reset and (
        estimator.n_features_in_ != estimator.input_shape_[0]
        or (any_length and np.ndim(X) == 2 and np.shape(X)[1] != estimator.n_features_in_)
    ):
        # Fitted on three dimensions, where the columns were not counted, or they do not count.
        X = check_array(X, dtype=dtype, input_name="X", estimator=estimator)[:, :, None]
    else:
        check_no_lag_columns(name, X)
        X = validate_data(estimator, X, dtype=dtype, allow_nd=True, reset=reset)
        if X.ndim != 2:
            raise ValueError(
                f"{name} expects X of shape (n_samples, n_timesteps, n_features), or (n_samples, "
                f"window_length) for one feature, got shape {X.shape}."
            )
        n_columns = X.shape[1]
        X = X[:, :, None]
    if 0 in X.shape[1:]:
        raise ValueError(f"{name} needs time steps and features, got X of shape {X.shape}.")
    if reset:
        estimator.input_shape_ = X.shape[1:]
        estimator.n_features_in_ = X.shape[2] if n_columns is None else n_columns
        if n_columns is None:
            vars(estimator).pop("feature_names_in_", None)
    elif X.shape[2:] != estimator.input_shape_[1:] or not (
        any_length or X.shape[1] == estimator.input_shape_[0]
    ):
        raise ValueError(
            f"X has windows of {X.shape[1]} time steps and {X.shape[2]} features, but {name} was "
            f"fitted on {estimator.input_shape_[0]} time steps and {estimator.input_shape_[1]} "
            "features. Predict with the same windows and columns, or fit again."
        )
    return X


def n_rows_before(X):
    """How many rows come before the first complete window, by a frame's columns: close_lag60."""
    names = getattr(X, "columns", [])
    lags = [lag for name in names if (lag := re.fullmatch(r".*_lag(\d+)", str(name)))]
    return max(int(lag[1]) for lag in lags) if lags and len(lags) == len(names) else 0


def check_no_lag_columns(name, X):
    if n_rows_before(X):
        raise ValueError(
            f"X is a DataFrame of lags ({X.columns[0]}, ...), which says neither how many features "
            f"a window has nor which windows are complete. Give {name} the windows themselves: "
            "WindowTransformer(flatten=False), or set_output(transform='default'); or pass "
            "X.to_numpy() if each row is a window of one feature, oldest value first."
        )


def _check_windows(name, X, *, reset, dtype):
    if X.dtype.kind not in "fiub":
        raise ValueError(
            f"{name} learns from numbers, but the windows hold symbols such as "
            f"{str(X.series.flat[-1])!r}. Convert the series' columns to numbers first."
        )
    known = [np.dtype(kind) for kind in np.atleast_1d(dtype)]
    X = X.astype(X.dtype if X.dtype in known else known[0])
    n_samples, reach = len(X), X.window_length + X.horizon - 1
    if reset and X.n_incomplete >= n_samples:
        raise ValueError(
            f"window_length={X.window_length} and horizon={X.horizon} need at least {reach + 1} "
            f"rows to fit, got {n_samples}. Fit on more rows or take a shorter window."
        )
    first = X.n_incomplete if reset else 0
    inside = X.series[first : n_samples + X.window_length - 1]
    with np.errstate(invalid="ignore", over="ignore"):
        sound = np.isfinite(inside.sum())  # takes no memory
    if not sound and len(faults := np.argwhere(~np.isfinite(inside))):
        row, column = faults[0] + (first, 0)
        value = X.series[row, column]
        where = f"row {row - reach}" if row >= reach else f"the row {reach - row} before X"
        raise ValueError(
            f"X contains {value} in {where} of the series (column {column}), inside the windows "
            f"of the rows that follow it; {name} needs finite numbers there. Fill or drop such "
            "rows before the WindowTransformer (NaN is for the last rows, not yet observed, which "
            "no window reads)."
        )
    return X


def check_outputs(estimator, X, y):
    """Return y as (n_samples, n_outputs) and its own number of dimensions.

    y=None stands for the series itself, which only a WindowArray knows. The rows whose windows
    are incomplete may hold anything, as nothing is learnt from them.
    """
    name = type(estimator).__name__
    if y is None:
        if not is_windows(X):
            raise ValueError(
                f"{name} requires y to be passed, but the target y is None: only windows made by "
                "WindowTransformer know the series they came from. Pass y."
            )
        if X.horizon == 0:
            raise ValueError(
                "With horizon=0 each window holds the row that y=None would have it predict. Pass "
                "y, another variable of the same moment, or take horizon >= 1."
            )
        y = X.target
    skip = n_incomplete(X)
    y = check_array(
        y,
        dtype=[np.float64, np.float32],
        ensure_2d=False,
        ensure_all_finite=False,
        allow_nd=True,
        input_name="y",
    )
    n_samples = num_samples(X)
    if len(y) != n_samples:
        raise ValueError(
            "Found input variables with inconsistent numbers of samples: X has "
            f"{n_samples} rows and y has {len(y)}. Each row of X needs its row of y."
        )
    if y.ndim not in (1, 2) or y.size == 0:
        raise ValueError(f"y must be of shape (n,) or (n, n_outputs), got {y.shape}.")
    check_array(y[skip:], ensure_2d=False, input_name="y", estimator=estimator)
    return y.reshape(len(y), -1), y.ndim


def check_sequence_targets(estimator, X, y):
    """Return y as (n_samples, n_timesteps, n_outputs) and its own number of dimensions.

    X is windows or sequences of shape (n_samples, n_timesteps[, n_features]).
    """
    name = type(estimator).__name__
    if y is None:
        raise ValueError(
            f"{name} requires y to be passed, but the target y is None: with output='sequence' "
            "it is a value for each time step, of shape (n_samples, n_timesteps)."
        )
    y = check_array(
        y,
        dtype=[np.float64, np.float32],
        ensure_all_finite=False,
        allow_nd=True,
        input_name="y",
    )
    n_samples, n_timesteps = num_samples(X), np.shape(X)[1]
    if y.ndim not in (2, 3) or y.shape[:2] != (n_samples, n_timesteps) or y.size == 0:
        raise ValueError(
            f"output='sequence' needs a y of shape ({n_samples}, {n_timesteps}), or of several "
            f"outputs ({n_samples}, {n_timesteps}, n_outputs), got {y.shape}."
        )
    check_array(y[n_incomplete(X) :], allow_nd=True, input_name="y", estimator=estimator)
    return y.reshape(n_samples, n_timesteps, -1), y.ndim


def score_windows(estimator, X, y=None, sample_weight=None):
    """R² of `estimator` on X; without y, of the complete windows against their own series."""
    if y is not None:
        return RegressorMixin.score(estimator, X, y, sample_weight)
    check_is_fitted(estimator)
    skip = n_incomplete(X)
    if skip and skip >= len(X):
        raise ValueError(
            f"None of the {len(X)} windows is complete, so there is nothing to score. "
            "Score more rows, or rows that follow the fitted ones."
        )
    y, _ = check_outputs(estimator, X, y)
    weights = None if sample_weight is None else check_sample_weight(sample_weight, X)[skip:]
    y_pred = np.asarray(estimator.predict(X)).reshape(len(y), -1)
    return r2_score(y[skip:], y_pred[skip:], sample_weight=weights)


def window_regressor_tags(tags):
    """Set what is true of every regressor that takes windows."""
    tags.input_tags.three_d_array = True
    tags.target_tags.required = False
    tags.target_tags.multi_output = True
    return tags


def purged_time_split(X, rows, fraction):
    """Part a range of rows in time, and leave out those whose windows share rows with both.

    Returns
    -------
    train, held_out : ranges
    """
    n_held_out = max(1, round(fraction * len(rows)))
    n_shared = X.window_length + X.horizon - 1 if is_windows(X) else 0
    n_train = len(rows) - n_held_out - n_shared
    if n_train < 1:
        raise ValueError(
            f"early_stopping with validation_fraction={fraction} holds out {n_held_out} of "
            f"{len(rows)} complete windows, and {n_shared} more share rows with them: "
            f"{max(0, n_train)} are left to train on. Fit on more rows, or set "
            "early_stopping=False."
        )
    return rows[:n_train], rows[-n_held_out:]
