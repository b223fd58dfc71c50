"""Labels as the classifiers take them: numbers for classes, their weights, and held-out parts."""

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils.class_weight import compute_class_weight

__all__ = ["class_weights", "encode_classes", "split_by_class"]


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
    if isinstance(class_weight, dict):
        missing = [label for label in class_weight if label not in set(classes.tolist())]
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
        raise ValueError(
            f"class_weight={class_weight!r} must be finite numbers that are not negative."
        )
    return weights


def split_by_class(places, fraction, seed):
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
