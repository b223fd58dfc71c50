"""Validation and encoding of class labels, class weights, and stratified holdouts."""

from collections.abc import Iterable, Mapping, Set, Sized
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split
from sklearn.utils.class_weight import compute_class_weight


def find_classes(name, y, classes=None, fitted=None):
    """Return the sorted classes of a fit.

    Parameters
    ----------
    name : str
        Name of the estimator.
    y : ndarray of shape (n_samples,)
        The labels to train on.
    classes : array-like of shape (n_classes,), default=None
        The classes that were passed to `partial_fit`. If None, the labels in y are used.
    fitted : ndarray of shape (n_classes,), default=None
        The classes of the previous fit, if it is resumed.

    Raises
    ------
    ValueError
        If there is only one class, or `classes` differ from `fitted`.
    """
    labels = np.unique(y if classes is None else label_array(classes, "classes"))
    if fitted is None and len(labels) < 2:
        source = "y contains" if classes is None else "classes contains"
        found = f"one class, {labels.tolist()[0]!r}" if len(labels) else "no class"
        raise ValueError(f"{name} needs at least 2 classes, but {source} {found}.")
    if fitted is None:
        return labels
    if classes is not None and not np.array_equal(labels, fitted):
        raise ValueError(
            f"classes={labels[:10].tolist()} are not those of the first fit, "
            f"{fitted[:10].tolist()}. Pass classes=None, or fit a new estimator."
        )
    return fitted


def check_one_label(name: str, y: Any) -> None:
    """Raise a ValueError if y has several columns, as indicators of classes have."""
    shape = np.shape(y) if hasattr(y, "shape") else (len(y), *np.shape(y[0]))
    if len(shape) > 1 and shape[1] > 1:
        raise ValueError(
            f"y has shape {shape}, but {name} needs one class for each sample. If it consists of "
            "one-hot vectors, pass y.argmax(axis=1). For several labels of a sample, use "
            "sklearn.multioutput.MultiOutputClassifier."
        )


def label_array(y: Any, name: str = "y", skip: int = 0) -> np.ndarray:
    """Return labels as an array with one dimension, without the first `skip` ones.

    Raises
    ------
    TypeError
        If y is not a sequence, or contains both str and numbers, or objects that are no labels.
    ValueError
        If y has another shape, or a label is missing.
    """
    is_array_like = isinstance(y, Sized) if not hasattr(y, "shape") else len(y.shape) > 0
    if isinstance(y, (str, bytes, Mapping, Set)) or not is_array_like:
        raise TypeError(
            f"{name} must be a sequence of labels, got {y!r} ({type(y).__name__}). Pass a list or "
            "an array with one label for each row of X."
        )
    try:
        y = y[skip:] if hasattr(y, "__getitem__") else np.asarray(y)[skip:]
        labels = np.asarray(y)
    except ValueError:
        raise ValueError(
            f"{name} must be of shape (n_samples,), got rows of different lengths. Pass one label "
            "for each row of X."
        ) from None
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise ValueError(f"{name} must be of shape (n_samples,), got {labels.shape}.")
    if labels.dtype.kind in "MmSV":
        raise TypeError(
            f"{name} contains labels of dtype {labels.dtype}. Convert them to str or numbers."
        )
    # An array of str would hide what was None or a number in a list.
    is_list = isinstance(y, (list, tuple)) and len(y) and np.ndim(y[0]) == 0
    is_converted = labels.dtype.kind == "U" and is_list
    _check_label_types(name, y if is_converted else labels if labels.dtype.kind == "O" else ())
    return labels


def _check_label_types(name, labels):
    """Raise an error for missing labels, for str next to others, and for objects such as dicts."""
    if {*map(type, labels)} <= {str, np.str_}:  # the fast case
        return
    first: dict[bool, Any] = {}
    for row, label in enumerate(labels):
        if isinstance(label, Iterable) and not isinstance(label, (str, bytes)):
            raise TypeError(f"{name}[{row}] is {label!r}, which is no label. Pass str or numbers.")
        if pd.isna(label):
            raise ValueError(
                f"{name}[{row}] is {label!r}, a missing label. Drop row {row} of X and y."
            )
        first.setdefault(isinstance(label, str), label)
    if len(first) == 2:
        raise TypeError(
            f"{name} contains str and other labels, such as {first[True]!r} and {first[False]!r}, "
            "which cannot be sorted. Convert all labels to str."
        )


def sequence_labels(y: Any, valid: np.ndarray) -> np.ndarray:
    """Return the labels of the valid time steps in one dimension.

    Parameters
    ----------
    y : array-like of shape (n_samples, n_timesteps), or list of lists
        The list of a shorter sequence may end at the last time step of the sequence.
    valid : ndarray of bool of shape (n_samples, n_timesteps)
        The time steps that are not masked.

    Returns
    -------
    labels : ndarray of shape (n_valid,)

    Raises
    ------
    ValueError
        If y does not have this shape, or the label of a valid time step is missing.
    """
    y = _pad_labels(y, valid)
    if y.ndim != 2:
        raise ValueError(
            f"y must have 2 dimensions, a label for each time step, got shape {y.shape}."
        )
    if y.shape != valid.shape:
        raise ValueError(
            f"output='sequence' needs a label for each of the {valid.shape[1]} time steps of X, "
            f"got y of shape {y.shape}. Pad it with any label at masked time steps."
        )
    missing = valid & (pd.isna(y) | (np.isinf(y) if y.dtype.kind == "f" else False))
    if missing.any():
        row, step = np.argwhere(missing)[0]
        raise ValueError(
            f"y contains {y[row, step]} at time step {step} of row {row}, which is not masked in "
            "X. Every such time step needs a label. Set X to NaN there to mask the time step."
        )
    labels = y[valid]
    # Numbers in an object array, padded with another type, are converted to numbers.
    is_text = labels.dtype != object or isinstance(labels.flat[0], str)
    return labels if is_text else np.array(labels.tolist())


def _pad_labels(y, valid):
    """Return y as an array, with shorter rows padded by their last label."""
    lengths = {np.size(row) for row in y} if isinstance(y, (list, tuple)) else set()
    if len(lengths) < 2:
        return np.asarray(y)
    n_timesteps = valid.shape[1]
    padded = []
    for row, row_labels in enumerate(y):
        labels = np.asarray(row_labels).tolist()
        n_needed = int(np.flatnonzero(valid[row]).max(initial=-1)) + 1
        if not n_needed <= len(labels) <= n_timesteps:
            raise ValueError(
                f"Row {row} of y has {len(labels)} labels, but its sequence in X has {n_needed} "
                "time steps. Pass a label for each time step."
            )
        padded.append(labels + labels[-1:] * (n_timesteps - len(labels)))
    return np.asarray(padded)


def encode_classes(y: np.ndarray, classes: np.ndarray, skip: int = 0) -> np.ndarray:
    """Encode labels as indices of `classes`.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
    classes : ndarray of shape (n_classes,)
        Sorted.
    skip : int, default=0
        Number of leading rows whose labels are ignored. Their code is 0.

    Returns
    -------
    codes : ndarray of int32 of shape (n_samples,)

    Raises
    ------
    ValueError
        If a label is not in `classes`.
    """
    codes = np.zeros(len(y), np.int32)
    labels, inverse = np.unique(y[skip:], return_inverse=True)
    unknown = np.setdiff1d(labels, classes)
    if len(unknown):
        raise ValueError(
            f"y contains labels that were not in the first fit: {unknown[:10].tolist()}. Pass all "
            "classes to the first partial_fit(X, y, classes=...), or fit a new estimator."
        )
    codes[skip:] = np.searchsorted(classes, labels)[inverse]
    return codes


def class_weights(class_weight: Any, classes: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return the weight of each class, with the semantics of scikit-learn's `class_weight`.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
    classes : ndarray of shape (n_classes,)
    codes : ndarray of int of shape (n_samples,)
        The class of each sample, counted by "balanced". A class without samples has weight 1.

    Returns
    -------
    weights : ndarray of float of shape (n_classes,)
    """
    weights = np.ones(len(classes))
    if class_weight is None:
        return weights
    labels = classes.tolist()
    if isinstance(class_weight, dict):
        if not all(isinstance(weight, Real) for weight in class_weight.values()):
            raise _invalid_class_weight(class_weight)
        if unknown := [label for label in class_weight if label not in set(labels)]:
            raise ValueError(
                f"class_weight contains {unknown[:10]}, which are not among the classes "
                f"{labels[:10]}. Remove them, or fit on data that contains them."
            )
        weights[:] = [class_weight.get(label, 1.0) for label in labels]
    else:
        present = np.unique(codes)
        weights[present] = compute_class_weight(class_weight, classes=present, y=codes)
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise _invalid_class_weight(class_weight)
    return weights


def _invalid_class_weight(class_weight):
    return ValueError(f"class_weight={class_weight!r} must be finite, non-negative numbers.")


def stratified_holdout(X, codes, weights, fraction, seed):
    """Sample a holdout, stratified by class if each class has enough samples.

    Parameters
    ----------
    X : ndarray of shape (n_samples, ...)
    codes : ndarray of int of shape (n_samples,) or (n_samples, n_timesteps)
        Codes of time steps are not stratified.
    weights : ndarray of shape (n_samples, ...), or None
    fraction : float
    seed : int

    Returns
    -------
    X, codes, weights : ndarrays, or None for no weights
        The samples to train on, followed by the holdout.
    train, holdout : ranges
        Their row indices.
    """
    strata = codes if codes.ndim == 1 else np.zeros(len(codes), int)
    rows = np.arange(len(codes))
    n_holdout = max(1, round(fraction * len(rows)))
    n_train = len(rows) - n_holdout
    if n_train < 1:
        raise ValueError(
            f"early_stopping with validation_fraction={fraction} leaves none of {len(rows)} "
            "samples to train on. Fit on more samples, or set early_stopping=False."
        )
    counts = np.unique(strata, return_counts=True)[1]
    is_stratified = counts.min() >= 2 and min(n_holdout, n_train) >= len(counts)
    train, holdout = train_test_split(
        rows, test_size=n_holdout, random_state=seed, stratify=strata if is_stratified else None
    )
    order = np.concatenate([np.sort(train), np.sort(holdout)])
    weights = None if weights is None else weights[order]
    return X[order], codes[order], weights, range(n_train), range(n_train, len(rows))
