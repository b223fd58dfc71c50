"""Checks that modules share: names, numbers, labels, and a context that restores an estimator."""

import contextlib
import difflib

import numpy as np

from ._sklearn_compat import check_y


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
    return check_y(y if skip == 0 else np.asarray(y)[skip:], estimator=estimator)


def check_name(kind, name, known):
    """Return `name` if it is one of `known`, or raise a ValueError that suggests the nearest."""
    if name in known:
        return name
    near = difflib.get_close_matches(str(name).lower(), [str(k) for k in known], n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    choices = ", ".join(repr(k) for k in known)
    raise ValueError(f"{kind}={name!r} is not known.{hint} Choose one of {choices}.")


def check_not_bool(name, value):
    """Raise a ValueError if a number of something is True or False, which Python counts as one."""
    if isinstance(value, bool):
        raise ValueError(f"{name}={value} must be a positive int. Set it to a number.")


# What stands in all features of a step that is masked: a number that no data hold, that every
# float of 32 bits or more holds as it is, and whose product with zero is zero.
MASKED = -(2.0**126)
