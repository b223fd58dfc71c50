"""Validation and normalization of sample weights."""

from typing import Any

import numpy as np

from .._sklearn_compat import check_array
from .windows import check_row_weights, n_incomplete


def check_weights(X: Any, sample_weight: Any, *, of_steps: bool = False) -> np.ndarray | None:
    """Validate sample weights, and scale them to mean 1 over the complete windows.

    Parameters
    ----------
    X : WindowArray, array-like of shape (n_samples, n_timesteps, ...), or list of length n_samples
    sample_weight : array-like or None
        Weights of shape (n_samples,), or with `of_steps` also (n_samples, n_timesteps).
    of_steps : bool, default=False
        Whether there is a loss for each time step.

    Returns
    -------
    weights : ndarray of shape (n_samples,), or None
        With `of_steps` of shape (n_samples, n_timesteps), or (n_samples, 1) if all time steps of a
        sample have the same weight.
    """
    if sample_weight is None:
        return None
    check = check_step_weights if of_steps else check_row_weights
    weights = check(X, sample_weight)
    mean = weights[n_incomplete(X) :].mean()
    if mean == 0:
        raise ValueError(
            "Sample weights cannot all be zero: no complete window would have a weight. Pass at "
            "least one positive weight."
        )
    return weights / mean


def check_step_weights(X: Any, sample_weight: Any) -> np.ndarray:
    """Return weights of time steps, (n_samples, n_timesteps), or of samples, (n_samples, 1)."""
    if np.ndim(sample_weight) < 2:
        return check_row_weights(X, sample_weight)[:, None]
    weights = check_array(sample_weight, dtype=np.float64, input_name="sample_weight")
    if weights.shape != X.shape[:2]:
        n_samples, n_timesteps = X.shape[:2]
        raise ValueError(
            f"output='sequence' needs a sample_weight of shape ({n_samples},), or of each time "
            f"step ({n_samples}, {n_timesteps}), got {weights.shape}."
        )
    if (weights < 0).any():
        raise ValueError("Negative values in data passed to `sample_weight`.")
    return weights


def normalize_weights(weights, *ranges, mask=None):
    """Scale weights to mean 1 in each of one or two ranges of rows.

    Parameters
    ----------
    weights : ndarray of shape (n_samples,), (n_samples, 1) or (n_samples, n_timesteps), or None
    *ranges : range
        The rows to train on, and the holdout.
    mask : ndarray of bool of shape (n_samples,) or (n_samples, n_timesteps), default=None
        Mask of the values that have a loss. If None, all have a loss.
    """
    if weights is None:
        return None
    weights = weights.copy()
    for rows, use in zip(ranges, ("used to train", "held out for early stopping"), strict=False):
        part = weights[rows.start : rows.stop]
        if mask is None:
            mean = part.mean()
        else:
            part_mask = mask[rows.start : rows.stop]
            mean = np.broadcast_to(part, part_mask.shape)[part_mask].mean()
        if mean == 0:
            raise ValueError(
                f"The weights of samples and classes cannot all be zero in the {len(rows)} samples "
                f"that are {use}. Pass at least one positive weight."
            )
        part /= mean
    return weights
