"""Validation of the data of displays."""

from typing import Any

import numpy as np
import pandas as pd


def as_floats(name: str, y: Any) -> np.ndarray:
    """Return y as an array of floats of shape (n_samples,) or (n_samples, n_outputs)."""
    y = np.asarray(y, dtype=np.float64)
    if y.ndim not in (1, 2) or y.size == 0:
        raise ValueError(
            f"{name} must be of shape (n,) or (n, n_outputs) and contain values, got {y.shape}."
        )
    if np.isinf(y).any():
        row = int(np.argwhere(np.isinf(y))[0, 0])
        raise ValueError(f"{name} is infinite in row {row}, which cannot be plotted or scored.")
    return y


def check_equal_counts(unit: str, counts: dict[str, int]) -> None:
    """Raise a ValueError if arrays differ in a number, such as that of their outputs."""
    if len({*counts.values()}) > 1:
        given = ", ".join(f"{name} has {count}" for name, count in counts.items())
        raise ValueError(f"All arrays must have the same number of {unit}, but {given}.")


def check_equal_lengths(**arrays: Any) -> None:
    """Raise a ValueError if arrays, except those that are None, differ in length."""
    check_equal_counts("rows", {k: len(array) for k, array in arrays.items() if array is not None})


def check_equal_labels(**arrays: Any) -> None:
    """Raise a ValueError if the indexes of pandas data have the same type but different labels."""
    indexes = {name: array.index for name, array in arrays.items() if hasattr(array, "iloc")}
    # The default index only counts the rows.
    labels = [(k, v) for k, v in indexes.items() if not v.equals(pd.RangeIndex(len(v)))]
    for name, index in labels[1:]:
        first, expected = labels[0]
        if index.dtype == expected.dtype and not index.equals(expected):
            row = int(np.flatnonzero(np.asarray(index != expected))[0])
            raise ValueError(
                f"Row {row} of {name} is {index[row]}, and of {first} {expected[row]}. Rows are "
                f"compared by position: reindex {name} like {first} first."
            )
