"""Private and version-dependent names of scikit-learn."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from sklearn.base import _fit_context
from sklearn.exceptions import NotFittedError
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import HasMethods, InvalidParameterError, StrOptions
from sklearn.utils._param_validation import Interval as _Interval
from sklearn.utils.validation import _check_feature_names_in as check_feature_names_in
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import _check_y as check_y
from sklearn.utils.validation import _num_samples as num_samples
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

try:  # scikit-learn >= 1.9 (SLEP023)
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Replacement without `set_callbacks`, for versions that have no callback API."""


class Interval(_Interval):
    """Interval of numbers that does not contain bools, which Python counts as 0 and 1."""

    def is_satisfied_by(self, val: Any) -> bool:
        return not isinstance(val, (bool, np.bool_)) and super().is_satisfied_by(val)


FitMethod = TypeVar("FitMethod", bound=Callable[..., Any])


def fit_context(fit_method: FitMethod) -> FitMethod:
    """Wrap a fit method: validate `_parameter_constraints`, and manage callbacks."""
    return _fit_context(prefer_skip_nested_validation=True)(fit_method)


def init_callback_context(estimator: Any, max_subtasks: int) -> Any:
    """Return the callback context of a fit, or None if scikit-learn has no callback API."""
    init = getattr(estimator, "_init_callback_context", None)
    return None if init is None else init(max_subtasks=max_subtasks)


def store_output_config(estimator: Any, transform: str | None) -> Any:
    """Store the container of `set_output`, even if scikit-learn hides this method."""
    if transform is not None:
        if not hasattr(estimator, "_sklearn_output_config"):
            estimator._sklearn_output_config = {}
        estimator._sklearn_output_config["transform"] = transform
    return estimator
