"""The pandas index of a series: order, continuation and gaps."""

import contextlib
import warnings

import numpy as np


class TimeIndex:
    """An increasing pandas index: where rows lie, and how far apart."""

    def __init__(self, index):
        self.index = index
        if index.is_monotonic_increasing and index.is_unique:
            return
        values = list(index)
        at = next((i for i in range(1, len(values)) if not _after(values[i], values[i - 1])), 0)
        fault = (
            f"does not come after row {at - 1} ({values[at - 1]})" if at else "has no place in it"
        )
        raise ValueError(
            f"X's index must be increasing, but row {at} ({values[at]}) {fault}. Sort the rows by "
            "time and drop duplicates, or pass X.to_numpy() if the rows are in order and the "
            "index means nothing."
        )

    @classmethod
    def of(cls, X):
        return cls(X.index) if hasattr(X, "iloc") and hasattr(X, "columns") and len(X) else None

    def summary(self):
        """Return what `fit` remembers: first and last index value, and the largest step."""
        steps = _steps(self.index)
        largest = None if steps is None or not len(steps) else steps.max()
        return {
            "first": self.index[0],
            "last": self.index[-1:].copy(deep=True),  # as an index: it knows unit and time zone
            "n_samples": len(self.index),
            "largest_step": largest,
        }

    def follows(self, fitted, in_sample):
        """Return whether X continues the fitted rows, and warn if it neither does nor is they.

        By the index, if the two can be compared; else by the values, which `in_sample` tells.
        """
        index, last = self.index, fitted["last"][0]
        try:
            after = bool(index[0] > last)
        except (TypeError, ValueError):  # dates against numbers: as good as no index
            return not in_sample
        if after:
            with contextlib.suppress(ValueError):  # years that nanoseconds cannot hold
                index = _join(fitted["last"], index)
        elif not (
            in_sample and index[0] == fitted["first"] and index[fitted["n_samples"] - 1] == last
        ):
            self._warn(
                f"X begins at index {index[0]}, before the end of the fitted rows at {last}, and "
                "is not the fitted data: its windows get no context, so the first are incomplete. "
                "If X follows the fitted rows, give it an index that says so, or pass "
                "X.to_numpy()."
            )
            return False
        gap = _first_gap(index, fitted["largest_step"])
        if gap is not None:
            self._warn(
                f"The step from index {index[gap]} to {index[gap + 1]} is larger than any between "
                "the fitted rows: windows take rows as they come, so rows seem to be missing "
                "there."
            )
        return after

    @staticmethod
    def _warn(message):
        # from here up: follows, transform, scikit-learn's wrapper of transform, the caller
        warnings.warn(message, UserWarning, stacklevel=5)


def _after(value, earlier):
    try:
        return bool(value > earlier)
    except TypeError:  # labels of several kinds
        return False


def _join(last, index):
    """Put `index` behind the `last` of another, in whose time zone."""
    if getattr(last, "tz", None) is not None and getattr(index, "tz", None) is not None:
        index = index.tz_convert(last.tz)
    return last.append(index)


def _steps(index):
    """Differences of neighbours in an index: numbers, durations, or None for mere labels."""
    kind = index.dtype.kind
    if kind in "iuf":
        return np.diff(index.to_numpy("int64" if kind in "iu" else None))  # int8 would wrap
    if not hasattr(index, "asi8"):
        return None
    steps = np.diff(index.asi8)
    if getattr(index, "tz", None) is not None:
        # The day, or the hour, in which the clocks change is no gap.
        steps = np.minimum(steps, np.diff(index.tz_localize(None).asi8))
    return steps.view(f"m8[{index.unit}]") if hasattr(index, "unit") else steps


def _first_gap(index, largest_step):
    """Position of the first step in `index` that is larger, or None."""
    steps = _steps(index)
    if largest_step is None or steps is None:
        return None
    if steps.dtype.kind == "f":  # 0.1, 0.2, 0.3: the steps are equal up to rounding
        largest_step = largest_step + 4 * np.spacing(np.max(np.abs(index.to_numpy())))
    gaps = np.flatnonzero(steps > largest_step)
    return gaps[0] if len(gaps) else None
