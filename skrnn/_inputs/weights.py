"""Validation and normalization of sample weights."""

import numpy as np

from .._sklearn_compat import check_array, check_sample_weight
from .windows import n_incomplete


def check_weights(X, sample_weight, *, of_steps=False):
    """Return weights of mean 1 over the complete windows, or None where none were given.

    With `of_steps` they are of shape (n_samples, n_timesteps), or (n_samples, 1) where each step
    weighs as its row does.
    """
    if sample_weight is None:
        return None
    weights = (
        check_step_weights(X, sample_weight)
        if of_steps
        else check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    )
    mean = weights[n_incomplete(X) :].mean()
    if mean == 0:
        raise ValueError(
            "Sample weights cannot all be zero: no complete window would count. Give at least one "
            "a positive weight."
        )
    return weights / mean


def check_step_weights(X, sample_weight):
    """Return weights of steps, (n_samples, n_timesteps), or of rows, (n_samples, 1).

    X is windows or sequences of shape (n_samples, n_timesteps, n_features).
    """
    if np.ndim(sample_weight) < 2:
        rows = check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        return rows[:, None]
    weights = check_array(sample_weight, dtype=np.float64, input_name="sample_weight")
    if weights.shape != X.shape[:2]:
        n_samples, n_timesteps = X.shape[:2]
        raise ValueError(
            f"output='sequence' needs a sample_weight of shape ({n_samples},), or of each step "
            f"({n_samples}, {n_timesteps}), got {weights.shape}."
        )
    if (weights < 0).any():
        raise ValueError("Negative values in data passed to `sample_weight`.")
    return weights


def normalize_weights(weights, *parts, counted=None):
    """Return weights of mean 1 in each of one or two ranges of rows, over those that are counted.

    Parameters
    ----------
    weights : ndarray of shape (n_samples,), (n_samples, 1) or (n_samples, n_timesteps), or None
    *parts : ranges
        The rows to train on, and those held out.
    counted : ndarray of bool of shape (n_samples,) or (n_samples, n_timesteps), default=None
        What there are losses of. None is everything.
    """
    if weights is None:
        return None
    weights = weights.copy()
    for part, name in zip(parts, ("trained on", "held out for early stopping"), strict=False):
        rows = slice(part.start, part.stop)
        mean = _mean(weights[rows], None if counted is None else counted[rows])
        if mean == 0:
            raise ValueError(
                f"The weights of samples and classes cannot all be zero in the {len(part)} samples "
                f"that are {name}. Give at least one a positive weight."
            )
        weights[rows] /= mean
    return weights


def _mean(weights, counted):
    if counted is None:
        return weights.mean()
    return np.broadcast_to(weights, counted.shape)[counted].mean()
