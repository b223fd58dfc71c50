"""Private and version-dependent names of scikit-learn, under one name each."""

from sklearn.base import _fit_context
from sklearn.exceptions import NotFittedError
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval, InvalidParameterError, StrOptions
from sklearn.utils.validation import _check_feature_names_in as check_feature_names_in
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import _check_y as check_y
from sklearn.utils.validation import _num_samples as num_samples
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

try:  # scikit-learn >= 1.9 (SLEP023)
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in where scikit-learn has no callback API; `set_callbacks` is then absent."""


__all__ = [
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "InvalidParameterError",
    "NotFittedError",
    "StrOptions",
    "check_array",
    "check_feature_names_in",
    "check_is_fitted",
    "check_sample_weight",
    "check_y",
    "fit_context",
    "num_samples",
    "safe_indexing",
    "store_output_config",
    "validate_data",
]


def fit_context(fit_method):
    """Validate parameters by `_parameter_constraints`, and close callbacks, around a fit method."""
    return _fit_context(prefer_skip_nested_validation=True)(fit_method)


def store_output_config(estimator, transform):
    """Do what scikit-learn's `set_output` does, also where it hides the method."""
    if transform is not None:
        if not hasattr(estimator, "_sklearn_output_config"):
            estimator._sklearn_output_config = {}
        estimator._sklearn_output_config["transform"] = transform
    return estimator
