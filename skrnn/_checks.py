"""Checks that several modules share, and a context that restores an estimator after an error."""

import contextlib
import difflib
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

# The value of all features of a masked time step. No data hold it, float32 and wider types
# represent it exactly, and its product with zero is zero.
MASKED = -(2.0**126)


@contextlib.contextmanager
def unchanged_on_error(estimator: Any) -> Iterator[None]:
    """Restore the attributes of an estimator if the body raises an error.

    A KeyboardInterrupt with a `record` comes from training. It leaves the estimator fitted with
    what was learned so far.
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
    """Raise an error of user-defined code as a ValueError.

    Parameters
    ----------
    subject : str
        The user-defined object, such as "cell=<class 'dict'>".
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
    """Return `name` if it is in `known`, else raise a ValueError that suggests the closest name."""
    if name in known:
        return name
    names = [str(choice) for choice in known]
    closest = difflib.get_close_matches(str(name).lower(), names, n=1, cutoff=0.5)
    hint = f" Did you mean {closest[0]!r}?" if closest else ""
    choices = ", ".join(repr(choice) for choice in known)
    raise ValueError(f"{parameter}={name!r} is not known.{hint} Choose one of {choices}.")


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
