"""Series, naive implementations and assertions for the tests of windows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st
from sklearn.preprocessing import MinMaxScaler

from skrnn import WindowArray

ATTRIBUTES = ["series", "target", "n_incomplete", "window_length", "horizon"]


def naive_windows(X, window_length, horizon, context=()):
    """Return the windows and the number of incomplete windows, computed in a double loop."""
    rows = [*context, *X]
    oldest_lag = window_length + horizon - 1
    windows, n_incomplete = [], 0
    for i in range(len(context), len(rows)):
        lags = range(oldest_lag, horizon - 1, -1)
        windows.append([rows[max(i - lag, 0)] for lag in lags])
        n_incomplete += i - oldest_lag < 0
    return np.array(windows), n_incomplete


def random_walk(n_samples, n_features=1, low=0.0, high=1.0, seed=0):
    walk = np.cumsum(np.random.default_rng(seed).normal(size=(n_samples, n_features)), axis=0)
    return MinMaxScaler((low, high)).fit_transform(walk)


def assert_same_windows(actual, expected):
    assert type(actual) is WindowArray
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)
    for name in ATTRIBUTES:
        np.testing.assert_array_equal(getattr(actual, name), getattr(expected, name))
    assert_view(actual)


def assert_view(windows):
    """Assert that the windows are a read-only view of their series."""
    assert np.may_share_memory(windows, windows.series)
    assert windows.strides[0] == windows.series.strides[0]
    for array in (windows, windows.series, windows.target, windows[:1]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[0]


@st.composite
def series_and_context(draw):
    n_features = draw(st.integers(1, 3))
    n_samples, n_context = draw(st.integers(1, 12)), draw(st.integers(0, 12))
    dtype = draw(st.sampled_from(["float32", "float64", "int64", "U3", object]))
    rows = np.arange((n_context + n_samples) * n_features).reshape(-1, n_features)
    rows = rows.astype("U3").astype(object) if dtype is object else rows.astype(dtype)
    return rows[n_context:], rows[:n_context]


def frame(index, seed=0):
    """Return a DataFrame without column names, so that it is compatible with arrays."""
    return pd.DataFrame(random_walk(len(index), 2, seed=seed), index=index)
