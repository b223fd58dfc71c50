"""What touches scikit-learn's private or version-dependent names, and checks that rooms share."""

import contextlib
import difflib

import numpy as np
from sklearn.base import _fit_context
from sklearn.exceptions import NotFittedError
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval, InvalidParameterError, StrOptions
from sklearn.utils.validation import (
    _check_feature_names_in,
    _check_sample_weight,
    _check_y,
    _num_samples,
    check_array,
    check_is_fitted,
    validate_data,
)

try:  # scikit-learn >= 1.9 (SLEP023)
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in where scikit-learn has no callback API; `set_callbacks` is then absent."""


__all__ = [
    "CallbackSupportMixin",
    "FitProgress",
    "HasMethods",
    "Interval",
    "InvalidParameterError",
    "NotFittedError",
    "StrOptions",
    "check_array",
    "check_feature_names_in",
    "check_is_fitted",
    "check_labels",
    "check_name",
    "check_sample_weight",
    "fit_context",
    "n_samples_of",
    "rows_of",
    "store_output_config",
    "unchanged_on_error",
    "validate_data",
]

check_feature_names_in = _check_feature_names_in
check_sample_weight = _check_sample_weight
n_samples_of = _num_samples
rows_of = _safe_indexing


def fit_context(fit_method):
    """Validate parameters by `_parameter_constraints`, and close callbacks, around a fit method."""
    return _fit_context(prefer_skip_nested_validation=True)(fit_method)


@contextlib.contextmanager
def unchanged_on_error(estimator):
    """Leave `estimator` as it was if the body raises an error: nothing is half-fitted.

    A KeyboardInterrupt with a `record` passes without a restore: it came from training, and what
    was learnt until then is worth keeping.
    """
    before = estimator.__dict__.copy()
    try:
        yield
    except BaseException as error:
        if getattr(error, "record", None) is not None:
            raise
        estimator.__dict__.clear()
        estimator.__dict__.update(before)
        raise


def check_labels(y, *, skip, estimator):
    """Return the labels of all rows but the first `skip`, where y may hold anything.

    Raises
    ------
    ValueError
        If y is not of one dimension, or a label is missing.
    """
    return _check_y(y if skip == 0 else np.asarray(y)[skip:], estimator=estimator)


def check_name(kind, name, known):
    """Return `name` if it is one of `known`, or raise a ValueError that suggests the nearest."""
    if name in known:
        return name
    near = difflib.get_close_matches(str(name).lower(), [str(k) for k in known], n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    choices = ", ".join(repr(k) for k in known)
    raise ValueError(f"{kind}={name!r} is not known.{hint} Choose one of {choices}.")


def store_output_config(estimator, transform):
    """Do what scikit-learn's `set_output` does, also where it hides the method."""
    if transform is not None:
        if not hasattr(estimator, "_sklearn_output_config"):
            estimator._sklearn_output_config = {}
        estimator._sklearn_output_config["transform"] = transform
    return estimator


class FitProgress:
    """The epochs of a fit as tasks of scikit-learn's callback API (a no-op where there is none).

    Parameters
    ----------
    estimator : estimator with `CallbackSupportMixin`
    epochs : int
        Number of subtasks of the fit.
    """

    def __init__(self, estimator, epochs):
        self.estimator = estimator
        self.data = {}
        init = getattr(estimator, "_init_callback_context", None)
        self.context = init(max_subtasks=epochs) if init is not None else None
        self.epoch = None

    def begin(self, X, y, sample_weight=None):
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self.data = {"X": X, "y": y, "metadata": metadata}
        if self.context is not None:
            self.context.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def begin_epoch(self):
        if self.context is not None:
            self.epoch = self.context.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def end_epoch(self, attributes):
        """Return True if a callback asks for the end of training."""
        return self._end(self.epoch, attributes)

    def end(self, attributes):
        return self._end(self.context, attributes)

    def _end(self, context, attributes):
        if context is None:
            return False
        return bool(
            context.call_on_fit_task_end(
                estimator=self.estimator, reconstruction_attributes=attributes, **self.data
            )
        )
