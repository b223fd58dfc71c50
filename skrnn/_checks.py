"""Shared checks, and a context that restores an estimator after an error."""

import contextlib
import difflib
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

# The value of all features of a masked time step. No data hold it, float32 and wider types
# represent it exactly, and its product with zero is zero.
MASKED = -(2.0**126)


@contextlib.contextmanager
def unchanged_on_error(estimator: Any) -> Iterator[None]:
    """Restore the attributes of an estimator if the body raises an error.

    After a KeyboardInterrupt during training, which has a `record`, the estimator remains fitted
    with the current weights.
    """
    attributes = vars(estimator).copy()
    try:
        yield
    except BaseException as error:
        if getattr(error, "record", None) is None:
            vars(estimator).clear()
            vars(estimator).update(attributes)
        raise


@contextlib.contextmanager
def raises_as_value_error(subject: str, action: str, need: str) -> Iterator[None]:
    """Raise an error of custom code as a ValueError.

    Parameters
    ----------
    subject : str
        The custom object, such as "cell=<class 'dict'>".
    action : str
        What it did when it raised the error, such as "was called as cell(3)".
    need : str
        What is needed instead, in one or more sentences.
    """
    try:
        yield
    except Exception as error:
        raise ValueError(
            f"{subject} raised {type(error).__name__} when it {action}: "
            f"{str(error).rstrip('.')}. {need}"
        ) from error


def check_name(parameter: str, name: Any, known: Collection) -> Any:
    """Return `name` if it is in `known`, or raise a ValueError that suggests the closest name."""
    if name in known:
        return name
    names = [str(choice) for choice in known]
    closest = difflib.get_close_matches(str(name).lower(), names, n=1, cutoff=0.5)
    hint = f" Did you mean {closest[0]!r}?" if closest else ""
    choices = ", ".join(repr(choice) for choice in known)
    raise ValueError(f"{parameter}={name!r} is not known.{hint} Choose one of {choices}.")


# Types of values that are not numbers, as dtypes of pandas and polars and `infer_dtype` name them.
_TIME = re.compile("date|time|duration|period|interval")
_TEXT = re.compile("cat|enum|str|utf|bytes")


def check_array_like(X: Any, name: str = "X") -> None:
    """Raise a ValueError if X is no array, DataFrame or list, or a list that is no array."""
    has_rows = hasattr(X, "__array__") or hasattr(X, "toarray")  # the latter are sparse
    is_array = has_rows and not isinstance(X, type) and getattr(X, "ndim", 1) > 0
    if not is_array and not (isinstance(X, Sequence) and not isinstance(X, (str, bytes))):
        raise ValueError(
            f"{name} must be an array, a DataFrame or a list, got {X!r} of type "
            f"{type(X).__name__}. Pass an array with one row for each sample."
        )
    if len(getattr(X, "columns", (0,))) == 0:
        raise ValueError(f"{name} has no columns. Pass a DataFrame with at least one column.")
    counts = Counter(getattr(X, "columns", ()))
    if duplicates := [column for column, count in counts.items() if count > 1]:
        raise ValueError(f"{name} has duplicate column names, {duplicates[:5]}. Rename them.")
    if isinstance(X, Sequence):
        try:
            np.asarray(X)
        except ValueError:
            raise ValueError(
                f"{name} is a list of rows of unequal lengths. Pass rows of the same length."
            ) from None


def check_numeric(X: Any, name: str = "X", *, strings: bool = False) -> None:
    """Raise a ValueError if data hold times, strings or categories instead of numbers.

    Parameters
    ----------
    X : DataFrame, Series, ndarray or other array-like
        Lists are not checked for their values.
    name : str, default="X"
        Name of the data in the message.
    strings : bool, default=False
        Whether strings are accepted, if there is nothing but strings.
    """
    check_array_like(X, name)
    kinds = _column_kinds(X)
    if strings and all(_TEXT.search(kind) for _, kind in kinds):
        return
    for column, kind in kinds:
        where = f"Column {column!r} of {name}" if column is not None else name
        if _TIME.search(kind):
            raise ValueError(
                f"{where} holds times (dtype {kind}), not numbers. Drop them, make them the index, "
                "or derive numbers from them, such as the hour or the weekday."
            )
        if _TEXT.search(kind):
            raise ValueError(
                f"{where} holds strings or categories (dtype {kind}), not numbers. Encode them "
                "first, with sklearn.preprocessing.OrdinalEncoder or OneHotEncoder. Make dates the "
                "index, with pd.to_datetime."
            )


def _column_kinds(X):
    """Return pairs of a column and the name of its dtype; the column is None if it has no name."""
    if hasattr(X, "columns") and hasattr(X, "dtypes"):
        columns = enumerate(zip(X.columns, X.dtypes, strict=True))
        return [(name, _kind(dtype, lambda i=i: X.iloc[:, i])) for i, (name, dtype) in columns]
    return [(None, _kind(X.dtype, lambda: X))] if hasattr(X, "dtype") else []


def _kind(dtype, get_values):
    """Return the name of a dtype, or of the type of its values if it is that of Python objects."""
    if dtype == "O":
        return pd.api.types.infer_dtype(np.ravel(get_values()))
    return {"M": "datetime64", "m": "timedelta64", "U": "str", "S": "bytes"}.get(
        getattr(dtype, "kind", ""), str(dtype).lower()
    )


def check_no_panel(name: str, X: Any, advice: str) -> None:
    """Raise a ValueError if X has a MultiIndex, as panels of several series have."""
    if getattr(getattr(X, "index", None), "nlevels", 1) > 1:
        raise ValueError(
            f"X has a MultiIndex, as a panel of several series, which {name} does not accept. "
            f"{advice}"
        )


def check_generator(random_state: Any) -> np.random.RandomState:
    """Return the generator of a `random_state` that a method or a function is called with.

    Raises
    ------
    ValueError
        If it is not an int that seeds a RandomState, such as a bool, or a RandomState or None.
    """
    try:
        if not isinstance(random_state, (bool, np.bool_)):
            return check_random_state(random_state)
    except (TypeError, ValueError):
        pass
    raise ValueError(
        f"random_state={random_state!r} must be an int from 0 to {2**32 - 1}, a "
        "numpy.random.RandomState, or None for a random seed."
    )
