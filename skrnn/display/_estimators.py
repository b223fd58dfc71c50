"""Windows, target and naive forecasts of composite estimators."""

from collections.abc import Iterator
from copy import copy
from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline

from .._sklearn_compat import check_is_fitted
from .._target import fit_affine_target, window_value
from ..windows._array import WindowArray
from ..windows._transformer import WindowTransformer


def iter_inner_estimators(estimator: Any) -> Iterator[Any]:
    """Yield a fitted estimator and the estimators that it contains, outermost first."""
    yield estimator
    for name in ("best_estimator_", "regressor_"):
        if hasattr(estimator, name):
            yield from iter_inner_estimators(getattr(estimator, name))
    for _, step in getattr(estimator, "steps", []):
        if step not in (None, "passthrough"):
            yield from iter_inner_estimators(step)


def find_inner_estimator(estimator: Any, attribute: str, hint: str) -> Any:
    """Return the outermost fitted estimator that has an attribute.

    Raises
    ------
    ValueError
        If no estimator has the attribute. The message ends with the hint.
    """
    check_is_fitted(estimator)
    for candidate in iter_inner_estimators(estimator):
        if hasattr(candidate, attribute):
            return candidate
    raise ValueError(
        f"{type(estimator).__name__} has no {attribute}, nor does any estimator inside it. {hint}"
    )


def inner_windows(estimator: Any, X: Any) -> WindowArray | None:
    """Return the 3-D windows of X in a fitted estimator, or None if it has no windows."""
    if isinstance(estimator, WindowTransformer):
        return copy(estimator).set_params(flatten=False).transform(X)
    for name in ("best_estimator_", "regressor_"):
        if hasattr(estimator, name):
            return inner_windows(getattr(estimator, name), X)
    if isinstance(estimator, Pipeline):
        for _, step in estimator.steps:
            if step in (None, "passthrough"):
                continue
            windows = inner_windows(step, X)
            if windows is not None or not hasattr(step, "transform"):
                return windows
            X = step.transform(X)
    return None


def inner_target(estimator: Any, windows: WindowArray | None, n_outputs: int) -> np.ndarray:
    """Return the series that an estimator fitted without y predicts.

    Raises
    ------
    ValueError
        If the target cannot be determined from the windows.
    """
    inner = iter_inner_estimators(estimator)
    if windows is None:
        problem = "there is no WindowTransformer inside the estimator"
    elif windows.horizon == 0:
        problem = "with horizon=0 the windows contain the rows to predict"
    elif any(isinstance(candidate, TransformedTargetRegressor) for candidate in inner):
        problem = "a TransformedTargetRegressor was fitted with a y"
    elif windows.shape[2] != n_outputs:
        problem = f"the series has {windows.shape[2]} columns and the predictions {n_outputs}"
    else:
        return windows.target
    raise ValueError(f"y cannot be omitted: {problem}. Pass y.")


def naive_forecast(windows: WindowArray | None, y: np.ndarray) -> np.ndarray | None:
    """Return the last value of y in each window, or None if the windows do not contain y."""
    if windows is None or windows.horizon == 0:
        return None
    target, rows = windows.target, y.reshape(len(y), -1)
    known = np.isfinite(rows).all(axis=1) & np.isfinite(target).all(axis=1)
    if known.sum() < 3:  # a line fits any two points exactly
        return None
    try:
        columns, scales, shifts, _ = fit_affine_target(target, rows)
    except ValueError:
        return None
    return (window_value(windows, columns) * scales + shifts).reshape(y.shape)
