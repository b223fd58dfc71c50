"""Validation and encoding of class labels, class weights, and stratified holdouts."""

from numbers import Real

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split
from sklearn.utils.class_weight import compute_class_weight


def find_classes(name, y, classes=None, fitted=None):
    """Return the classes of a fit, sorted: those it goes on with, those named, or those in y.

    Parameters
    ----------
    name : str
        Of the estimator.
    y : ndarray of shape (n_samples,)
        The labels to learn from.
    classes : array-like of shape (n_classes,), default=None
        What `partial_fit` was given.
    fitted : ndarray of shape (n_classes,), default=None
        The classes of the fit before.

    Raises
    ------
    ValueError
        If there is only one, or `classes` are not those `fitted`.
    """
    found = np.unique(y if classes is None else classes)
    if fitted is None:
        if len(found) < 2:
            raise ValueError(
                f"{name} needs at least 2 classes to tell apart, but "
                f"{'y holds' if classes is None else 'classes names'} one class, "
                f"{found.tolist()[0]!r}."
            )
        return found
    if classes is not None and not np.array_equal(found, fitted):
        raise ValueError(
            f"classes={found[:10].tolist()} are not those of the first fit, "
            f"{fitted[:10].tolist()}. Leave classes out, or fit anew."
        )
    return fitted


def sequence_labels(y, counted):
    """Return the labels of the steps that count, one after the other.

    Parameters
    ----------
    y : array-like of shape (n_samples, n_timesteps), or list of lists
        Lists may end where a sequence does, before those that are longer.
    counted : ndarray of bool of shape (n_samples, n_timesteps)

    Returns
    -------
    labels : ndarray of shape (n_counted,)

    Raises
    ------
    ValueError
        If y is of another shape, or a label that counts is missing.
    """
    y = _filled_up(y, counted)
    if y.ndim != 2:
        raise ValueError(f"y must have 2 dimensions, a label for each step, got shape {y.shape}.")
    if y.shape != counted.shape:
        raise ValueError(
            f"output='sequence' needs a label for each of the {counted.shape[1]} time steps of X, "
            f"got y of shape {y.shape}. Fill it up at masked steps with any label."
        )
    missing = counted & (pd.isna(y) | (np.isinf(y) if y.dtype.kind == "f" else False))
    if missing.any():
        row, step = np.argwhere(missing)[0]
        raise ValueError(
            f"y holds {y[row, step]} at step {step} of row {row}, which is not masked in X: every "
            "such step needs a label. Put NaN into X there to leave the step out."
        )
    labels = y[counted]
    # Numbers are of their own type again, where others stand at masked steps.
    is_text = labels.dtype != object or isinstance(labels.flat[0], str)
    return labels if is_text else np.array(labels.tolist())


def _filled_up(y, counted):
    """Return y as an array, with rows that are shorter filled up behind what counts."""
    lengths = {np.size(row) for row in y} if isinstance(y, (list, tuple)) else set()
    if len(lengths) < 2:
        return np.asarray(y)
    n_steps = counted.shape[1]
    filled = []
    for row, labels in enumerate(y):
        given = np.asarray(labels).tolist()
        needed = int(np.flatnonzero(counted[row]).max(initial=-1)) + 1
        if not needed <= len(given) <= n_steps:
            raise ValueError(
                f"Row {row} of y has {len(given)} labels, but its sequence in X has {needed} time "
                "steps. Pass a label for each step."
            )
        filled.append(given + given[-1:] * (n_steps - len(given)))
    return np.asarray(filled)


def encode_classes(y, classes, skip=0):
    """Return labels as places in `classes`; of the first `skip` rows they may be anything.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
    classes : ndarray of shape (n_classes,), sorted
    skip : int, default=0

    Returns
    -------
    places : ndarray of int32 of shape (n_samples,)

    Raises
    ------
    ValueError
        If a label is not among the classes.
    """
    places = np.zeros(len(y), np.int32)
    labels, inverse = np.unique(y[skip:], return_inverse=True)
    unknown = np.setdiff1d(labels, classes)
    if len(unknown):
        raise ValueError(
            f"y contains labels that were not in the first fit: {unknown[:10].tolist()}. Name all "
            "classes in the first partial_fit(X, y, classes=...), or fit anew."
        )
    places[skip:] = np.searchsorted(classes, labels)[inverse]
    return places


def class_weights(class_weight, classes, places):
    """Return a weight for each class, as scikit-learn's classifiers understand `class_weight`.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
    classes : ndarray of shape (n_classes,)
    places : ndarray of int of shape (n_samples,)
        The class of each sample, which "balanced" counts. A class without any weighs 1.

    Returns
    -------
    weights : ndarray of float of shape (n_classes,)
    """
    weights = np.ones(len(classes))
    if class_weight is None:
        return weights
    refused = ValueError(
        f"class_weight={class_weight!r} must be finite numbers that are not negative."
    )
    if isinstance(class_weight, dict):
        missing = [label for label in class_weight if label not in set(classes.tolist())]
        if not all(isinstance(weight, Real) for weight in class_weight.values()):
            raise refused
        if missing:
            raise ValueError(
                f"class_weight names {missing[:10]}, which are not among the classes "
                f"{classes[:10].tolist()}. Remove them, or fit on data that has them."
            )
        present = np.arange(len(classes))
    else:
        present = np.unique(places)
    by_place = (
        {place: class_weight.get(classes[place].item(), 1.0) for place in present}
        if isinstance(class_weight, dict)
        else class_weight
    )
    y = places if class_weight == "balanced" else present
    weights[present] = compute_class_weight(by_place, classes=present, y=y)
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise refused
    return weights


def stratified_holdout(places, fraction, seed):
    """Draw the samples to hold out, class by class where each class has enough.

    Returns
    -------
    order : ndarray of int of shape (n_samples,)
        The samples to train on, then those held out.
    n_train : int
    """
    rows = np.arange(len(places))
    n_held_out = max(1, round(fraction * len(rows)))
    if n_held_out >= len(rows):
        raise ValueError(
            f"early_stopping with validation_fraction={fraction} leaves none of {len(rows)} "
            "samples to train on. Fit on more, or set early_stopping=False."
        )
    counts = np.bincount(places)
    counts = counts[counts > 0]
    enough = counts.min() >= 2 and min(n_held_out, len(rows) - n_held_out) >= len(counts)
    train, held_out = train_test_split(
        rows, test_size=n_held_out, random_state=seed, stratify=places if enough else None
    )
    return np.concatenate([np.sort(train), np.sort(held_out)]), len(train)
