"""Order, continuation and gaps of a pandas index."""

import contextlib
import warnings

import numpy as np


def check_index(X):
    """Return the index of pandas data, or None for data without rows or without an index.

    Raises
    ------
    ValueError
        If the index does not increase.
    """
    if not (hasattr(X, "iloc") and len(X)):
        return None
    index = X.index
    if index.is_monotonic_increasing and index.is_unique:
        return index
    values = list(index)
    text = ""
    if isinstance(values[0], str):
        text = f" It holds strings such as {values[0]!r}; convert dates with pd.to_datetime."
    row = next((i for i in range(1, len(values)) if not _is_after(values[i], values[i - 1])), 0)
    problem = (
        f"does not come after row {row - 1} ({values[row - 1]})" if row else "cannot be ordered"
    )
    raise ValueError(
        f"X's index must be increasing, but row {row} ({values[row]}) {problem}. Sort the rows "
        "by time and drop duplicates, or pass X.to_numpy() if the rows are in order and the "
        f"index has no meaning.{text}"
    )


def summarize_index(index):
    """Return the properties of the index of the fitted rows that `index_follows` needs."""
    steps = _index_steps(index)
    largest_step = None if steps is None or not len(steps) else steps.max()
    if largest_step is not None and largest_step > 1.001 * steps.min():
        # Irregular steps, such as those of trading days, may well be exceeded.
        largest_step = 1.5 * largest_step
    return {
        "first": index[0],
        "last": index[-1:].copy(deep=True),  # an index, which has a unit and a time zone
        "n_samples": len(index),
        "largest_step": largest_step,
    }


def index_follows(index, fitted, in_sample):
    """Return whether rows follow the fitted rows, None if the two indexes cannot be compared.

    Parameters
    ----------
    index : pandas.Index
        The index of the rows.
    fitted : dict
        The summary of the index of the fitted rows.
    in_sample : bool
        Whether the values begin with those of the fitted rows.

    Warns
    -----
    UserWarning
        If there is a gap, or the rows begin before the fitted ones.

    Raises
    ------
    ValueError
        If the rows are among the fitted rows without being the fitted data.
    """
    first, last = fitted["first"], fitted["last"][0]
    try:
        follows = bool(index[0] > last)
    except (TypeError, ValueError):  # such as dates and numbers
        return None
    if follows:
        with contextlib.suppress(ValueError):  # years that nanoseconds cannot represent
            index = _append_index(fitted["last"], index)
    gap = _first_gap(index, fitted["largest_step"])
    is_fitted_data = in_sample and index[0] == first and index[fitted["n_samples"] - 1] == last
    if not follows and not is_fitted_data:
        if index[0] > first or (gap is not None and index[-1] > first):
            raise ValueError(
                f"X begins at index {index[0]}, and the fitted rows are those from {first} to "
                f"{last}: fitted rows are missing before or between the rows of X, so that its "
                "windows would be wrong. Such rows come from a shuffled split, or from the middle "
                "of the fitted data. Split in time (TimeSeriesSplit, shuffle=False), or transform "
                "the fitted data with the rows that follow, and select rows of the result."
            )
        _warn(
            f"X begins at index {index[0]}, before the end of the fitted rows at {last}, and "
            "is not the fitted data. No context is prepended, so its first windows are "
            "incomplete. If X follows the fitted rows, set an index that follows theirs, or "
            "pass X.to_numpy()."
        )
    elif gap is not None:
        _warn(
            f"The step from index {index[gap]} to {index[gap + 1]} is larger than any step "
            "between the fitted rows. Rows may be missing between them, but windows treat the "
            "rows as consecutive."
        )
    return follows


def _warn(message):
    # Levels: _warn, index_follows, transform, scikit-learn's wrapper of transform, the caller.
    warnings.warn(message, UserWarning, stacklevel=5)


def _is_after(value, earlier):
    try:
        return bool(value > earlier)
    except TypeError:  # labels of different types
        return False


def _append_index(last, index):
    """Append `index` to `last`, in the time zone of `last`."""
    if getattr(last, "tz", None) is not None and getattr(index, "tz", None) is not None:
        index = index.tz_convert(last.tz)
    return last.append(index)


def _index_steps(index):
    """Return the differences of an index as numbers or durations, or None for labels."""
    kind = index.dtype.kind
    if kind in "iuf":
        return np.diff(index.to_numpy("int64" if kind in "iu" else None))  # int8 would overflow
    if not hasattr(index, "asi8"):
        return None
    steps = np.diff(index.asi8)
    if getattr(index, "tz", None) is not None:
        # The change to or from daylight saving time is not a gap.
        steps = np.minimum(steps, np.diff(index.tz_localize(None).asi8))
    return steps.view(f"m8[{index.unit}]") if hasattr(index, "unit") else steps


def _first_gap(index, largest_step):
    """Return the position before the first step larger than `largest_step`, or None."""
    steps = _index_steps(index)
    if largest_step is None or steps is None:
        return None
    if steps.dtype.kind == "f":  # 0.1, 0.2, 0.3: the steps are equal up to rounding
        largest_step = largest_step + 4 * np.spacing(np.max(np.abs(index.to_numpy())))
    gaps = np.flatnonzero(steps > largest_step)
    return gaps[0] if len(gaps) else None
