"""Candidate window lengths of a series."""

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import solve_toeplitz

from .._checks import check_array_like, check_numeric
from ._array import as_column


def candidate_window_lengths(y: ArrayLike, season_length: int = 1) -> list[int]:
    """Return window lengths to search over, from the partial autocorrelation and the season.

    The candidates are the last lag with a significant partial autocorrelation, which is the order
    of an autoregression [1]_, and twice this lag; and one, two and four seasons. Windows are at
    most a quarter of the series long.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        The series to forecast.
    season_length : int, default=1
        Number of rows in a season. 1 if there is none.

    Returns
    -------
    window_lengths : list of int
        In ascending order, for the parameter `window_length` of a grid search.

    Raises
    ------
    ValueError
        If y is not a series of at least 8 finite numbers, or `season_length` is not an int of at
        least 1.

    References
    ----------
    .. [1] M. H. Quenouille (1949). Approximate tests of correlation in time-series. Journal of the
       Royal Statistical Society B 11(1).

    Examples
    --------
    >>> from skrnn import candidate_window_lengths
    >>> from skrnn.datasets import make_ar
    >>> candidate_window_lengths(make_ar(500, (0.5, 0.3), random_state=0)[:, 0])
    [2, 4]
    """
    check_array_like(y, "y")
    check_numeric(y, "y")
    values = np.asarray(as_column(y), dtype=float)
    if values.ndim != 2 or values.shape[1] != 1 or len(values) < 8 or not np.isfinite(values).all():
        raise ValueError(
            "y must be a series of at least 8 finite numbers, of shape (n_samples,), got shape "
            f"{np.shape(y)}. Pass one column, without NaN."
        )
    is_int = isinstance(season_length, Integral) and not isinstance(season_length, (bool, np.bool_))
    if not is_int or season_length < 1:
        raise ValueError(f"season_length must be an int of at least 1, got {season_length!r}.")
    longest = len(values) // 4
    n_lags = min(longest, max(round(10 * np.log10(len(values))), 2 * season_length))
    # Approximate 99% limits, because many lags are tested.
    limit = 2.58 / np.sqrt(len(values))
    significant = np.flatnonzero(np.abs(partial_autocorrelations(values[:, 0], n_lags)) > limit)
    order = int(significant[-1]) + 1 if len(significant) else 1
    seasons = [n * season_length for n in (1, 2, 4)] if season_length > 1 else []
    return sorted({min(length, longest) for length in (order, 2 * order, *seasons)})


def partial_autocorrelations(values: np.ndarray, n_lags: int) -> np.ndarray:
    """Return the partial autocorrelations of lags 1 to n_lags, by the Yule-Walker equations."""
    deviations = values - values.mean()
    covariances = np.array(
        [deviations[: len(values) - lag] @ deviations[lag:] for lag in range(n_lags + 1)]
    )
    if covariances[0] <= 0:
        return np.zeros(n_lags)
    return np.array(
        [
            solve_toeplitz(covariances[:lag], covariances[1 : lag + 1])[-1]
            for lag in range(1, n_lags + 1)
        ]
    )
