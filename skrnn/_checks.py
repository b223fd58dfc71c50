"""Shared checks, and a context that restores an estimator after an error."""

import contextlib
import difflib
from collections.abc import Collection, Iterator
from typing import Any

# The value of all features of a masked time step. It does not occur in data, float32 and
# wider types represent it exactly, and its product with zero is zero.
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


def check_name(parameter: str, name: Any, known: Collection) -> Any:
    """Return `name` if it is in `known`, or raise a ValueError that suggests the closest name."""
    if name in known:
        return name
    names = [str(choice) for choice in known]
    closest = difflib.get_close_matches(str(name).lower(), names, n=1, cutoff=0.5)
    hint = f" Did you mean {closest[0]!r}?" if closest else ""
    choices = ", ".join(repr(choice) for choice in known)
    raise ValueError(f"{parameter}={name!r} is not known.{hint} Choose one of {choices}.")


def check_not_bool(parameter: str, value: Any) -> None:
    """Raise a ValueError if an integer parameter is a bool, which Python accepts as an int."""
    if isinstance(value, bool):
        raise ValueError(f"{parameter}={value} must be a positive int. Set it to a number.")
