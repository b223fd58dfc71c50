import copy
import pickle
import subprocess
import sys
import tracemalloc
from pathlib import Path

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import TimeSeriesSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import skrnn
from skrnn import WindowArray, WindowTransformer, sliding_windows
from skrnn.windows._array import is_windows

PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)
ATTRIBUTES = ["series", "target", "n_incomplete", "window_length", "horizon"]


def naive_windows(X, window_length, horizon, context=()):
    """The row rule as a double loop, and how many windows reach before the first known row."""
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
    """The windows own nothing but their series, and nothing can be written into them."""
    assert np.may_share_memory(windows, windows.series)
    assert windows.strides[0] == windows.series.strides[0]
    for array in (windows, windows.series, windows.target, windows[:1]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[0]


# The row rule


@st.composite
def series_and_context(draw):
    n_features = draw(st.integers(1, 3))
    n_samples, n_context = draw(st.integers(1, 12)), draw(st.integers(0, 12))
    dtype = draw(st.sampled_from(["float32", "float64", "int64", "U3", object]))
    rows = np.arange((n_context + n_samples) * n_features).reshape(-1, n_features)
    rows = rows.astype("U3").astype(object) if dtype is object else rows.astype(dtype)
    return rows[n_context:], rows[:n_context]


@settings(deadline=None, max_examples=200)
@given(data=series_and_context(), window_length=st.integers(1, 8), horizon=st.integers(0, 4))
def test_row_rule(data, window_length, horizon):
    X, context = data
    windows = sliding_windows(X, window_length, horizon, context=context)
    expected, n_incomplete = naive_windows(X, window_length, horizon, context)
    np.testing.assert_array_equal(windows, expected)
    assert windows.shape == (len(X), window_length, X.shape[1])
    assert windows.dtype == X.dtype
    assert windows.n_incomplete == n_incomplete
    assert (windows.window_length, windows.horizon) == (window_length, horizon)
    np.testing.assert_array_equal(windows.target, X)
    assert len(windows.series) == len(X) + window_length + horizon - 1

    flat = sliding_windows(X, window_length, horizon, context=context, flatten=True)
    np.testing.assert_array_equal(flat, expected.reshape(len(X), -1))
    for stacked in (flat.stacked(), windows.stacked()):
        assert_same_windows(stacked, windows)


@settings(deadline=None, max_examples=200)
@given(data=series_and_context(), window_length=st.integers(1, 8), horizon=st.integers(0, 4))
def test_transformer_follows_the_row_rule(data, window_length, horizon):
    """Also where fewer rows were fitted than a window reaches back."""
    X, fitted = data
    transformer = WindowTransformer(window_length, horizon)
    in_sample = transformer.fit_transform(X)
    assert_same_windows(transformer.transform(X), in_sample)
    expected, n_incomplete = naive_windows(X, window_length, horizon)
    np.testing.assert_array_equal(in_sample, expected)
    assert in_sample.n_incomplete == n_incomplete
    if len(fitted):
        windows = transformer.fit(fitted).transform(X)
        expected, n_incomplete = naive_windows(X, window_length, horizon, fitted)
        np.testing.assert_array_equal(windows.astype(expected.dtype), expected)
        assert windows.n_incomplete == n_incomplete
        assert len(transformer.context_) == min(len(fitted), window_length + horizon - 1)


def test_default_is_the_thirty_rows_before():
    X = np.arange(100.0)[:, None]
    windows = WindowTransformer().fit_transform(X)
    assert windows.shape == (100, 30, 1)
    np.testing.assert_array_equal(windows[50, :, 0], np.arange(20, 50))


def test_only_horizon_zero_shows_the_row_itself():
    X = random_walk(50)
    for horizon, sees in [(0, True), (1, False), (3, False)]:
        windows = sliding_windows(X, 5, horizon)
        assert np.any(windows[10] == X[10]) == sees


@pytest.mark.parametrize("X_dtype", ["int8", "float32", "float64", object])
@pytest.mark.parametrize("context_dtype", ["int64", "float32", "float64", object])
def test_context_of_other_numbers_is_not_cut(X_dtype, context_dtype):
    context = np.array([[1.5], [300.0]]).astype(context_dtype)
    X = np.array([[1], [2]]).astype(X_dtype)
    windows = sliding_windows(X, 2, context=context)
    assert windows.series.tolist() == [*context.tolist(), [1], [2]]
    if "float" in str(np.dtype(X_dtype)):
        assert windows.dtype == X_dtype


def test_context_without_rows_is_no_context():
    X = np.array([[1], [2]])
    assert_same_windows(sliding_windows(X, 2, context=np.empty((0, 1))), sliding_windows(X, 2))


@pytest.mark.parametrize("X_dtype", ["U1", "U6", object])
@pytest.mark.parametrize("context_dtype", ["U3", object])
def test_context_of_longer_symbols_is_not_cut(X_dtype, context_dtype):
    context = np.array([["abc"], ["abd"]]).astype(context_dtype)
    X = np.array([["x"], ["y"]]).astype(X_dtype)
    windows = sliding_windows(X, 2, context=context)
    assert windows.series.ravel().tolist() == ["abc", "abd", "x", "y"]


# Memory


@pytest.mark.parametrize("flatten", [False, True])
def test_memory_is_a_few_copies_of_the_series(flatten):
    X = np.random.default_rng(0).normal(size=(200_000, 1))
    WindowTransformer(200, flatten=flatten).fit_transform(X[:300])  # what the first call imports
    tracemalloc.start()
    windows = WindowTransformer(200, flatten=flatten).fit(X).transform(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert windows.nbytes == 200 * X.nbytes
    assert peak < 2.5 * X.nbytes


@pytest.mark.parametrize("flatten", [False, True])
def test_windows_are_a_read_only_view(flatten):
    assert_view(sliding_windows(random_walk(20), 4, flatten=flatten))


def test_windows_and_context_are_apart_from_the_data_given():
    X = random_walk(20)
    transformer = WindowTransformer(3)
    windows = transformer.fit_transform(X)
    expected = np.array(windows), transformer.transform([[0.5]])
    X[:] = 7.0
    np.testing.assert_array_equal(windows, expected[0])
    np.testing.assert_array_equal(transformer.transform([[0.5]]), expected[1])


def test_constructor_leaves_the_array_of_the_caller_writable():
    series = np.zeros((5, 1))
    assert_view(WindowArray(series, 2, 1, 0))
    series[0] = 1.0


# The array


PLAIN = {
    "row": lambda w: w[3],
    "slice": lambda w: w[2:5],
    "everything": lambda w: w[...],
    "mask": lambda w: w[w[:, 0, 0] > 0.5],
    "iteration": lambda w: next(iter(w)),
    "ufunc": lambda w: w + 1,
    "comparison": lambda w: w == w,
    "two outputs": lambda w: np.divmod(w, 2)[1],
    "mean": lambda w: w.mean(axis=1),
    "max": lambda w: w.max(axis=0),
    "np.sum": lambda w: np.sum(w, axis=(0, 1)),
    "reduce": lambda w: np.add.reduce(w),
    "copy": lambda w: w.copy(),
    "np.copy": np.copy,
    "np.array": np.array,
    "np.asarray": np.asarray,
    "concatenate": lambda w: np.concatenate([w, w]),
    "without subclass": lambda w: w.astype("float32", subok=False),
}


@pytest.mark.parametrize("make", PLAIN.values(), ids=PLAIN)
def test_plain_arrays_come_of(make):
    windows = sliding_windows(random_walk(10, 2), 3)
    result = make(windows)
    assert type(result) is np.ndarray
    np.testing.assert_array_equal(result, make(np.asarray(windows)))


@pytest.mark.parametrize("make", [np.sum, np.max, lambda w: w.mean(), lambda w: w.std()])
def test_reductions_to_a_number_are_scalars(make):
    windows = sliding_windows(random_walk(10, 2), 3)
    assert isinstance(make(windows), np.float64)
    assert make(windows) == make(np.asarray(windows))


def test_copy_is_writable():
    windows = sliding_windows(random_walk(10), 3)
    changed = windows.copy()
    changed[:] = 0.0
    assert windows.sum() > 0


DERIVED = {
    "transpose": lambda w: w.T,
    "reshape": lambda w: w.reshape(len(w), -1),
    "ravel": lambda w: w.ravel(),
    "view": lambda w: w.view(),
    "like": np.zeros_like,
}


@pytest.mark.parametrize("derive", DERIVED.values(), ids=DERIVED)
@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_derived_arrays_refuse_the_attributes(derive, attribute):
    derived = derive(sliding_windows(random_walk(10, 2), 3))
    assert not is_windows(derived)
    with pytest.raises(AttributeError, match="keep the WindowArray itself"):
        getattr(derived, attribute)


@pytest.mark.parametrize("derive", DERIVED.values(), ids=DERIVED)
def test_derived_arrays_copy_as_plain_arrays(derive):
    derived = derive(sliding_windows(random_walk(10, 2), 3))
    for copied in (
        copy.copy(derived),
        copy.deepcopy(derived),
        pickle.loads(pickle.dumps(derived)),
        derived.astype("float64"),
    ):
        assert type(copied) is np.ndarray
        np.testing.assert_array_equal(copied, derived)


@pytest.mark.parametrize("flatten", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", object])
def test_astype_casts_the_series_alone(dtype, flatten):
    windows = sliding_windows(10 * random_walk(20, 2), 4, 2, flatten=flatten)
    cast = windows.astype(dtype)
    assert cast.dtype == dtype
    assert_view(cast)
    np.testing.assert_array_equal(cast, np.asarray(windows).astype(dtype))
    np.testing.assert_array_equal(cast.series, windows.series.astype(dtype))
    assert (cast.n_incomplete, cast.window_length, cast.horizon) == (5, 4, 2)


def test_astype_heeds_casting():
    with pytest.raises(TypeError, match="safe"):
        sliding_windows(random_walk(10), 3).astype("float32", casting="safe")


def joblib_round_trip(path, compress=0, mmap_mode=None):
    def round_trip(windows):
        joblib.dump(windows, path, compress=compress)
        return joblib.load(path, mmap_mode=mmap_mode)

    return round_trip


@pytest.fixture(
    params=[
        *(f"pickle {protocol}" for protocol in PROTOCOLS),
        "cloudpickle",
        "joblib",
        "joblib compressed",
        "joblib mmap",
        "deepcopy",
        "copy",
    ]
)
def round_trip(request, tmp_path):
    kind, _, how = request.param.partition(" ")
    path = tmp_path / "windows.joblib"
    return {
        "pickle": lambda windows: pickle.loads(pickle.dumps(windows, protocol=int(how))),
        "cloudpickle": lambda windows: cloudpickle.loads(cloudpickle.dumps(windows)),
        "joblib": joblib_round_trip(
            path, 3 if how == "compressed" else 0, "r" if how == "mmap" else None
        ),
        "deepcopy": copy.deepcopy,
        "copy": copy.copy,
    }[kind]


@pytest.mark.parametrize("flatten", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64", "U4", object])
def test_round_trips_keep_the_attributes(round_trip, dtype, flatten):
    if dtype is object:
        X = np.array(list("abcdefghij"), dtype=object)[:, None]
    else:
        X = random_walk(10, 2).astype(dtype)
    windows = sliding_windows(X, 3, 2, context=X[:1], flatten=flatten)
    assert_same_windows(round_trip(windows), windows)


def test_deepcopy_has_a_series_of_its_own():
    windows = sliding_windows(random_walk(10), 3)
    assert not np.may_share_memory(copy.deepcopy(windows), windows)
    assert np.may_share_memory(copy.copy(windows), windows)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_pickle_stores_each_row_once(protocol):
    """Protocol 2 writes any bytes half as long again."""
    X = random_walk(5000)
    limit = 1.1 * (X.nbytes if protocol > 2 else len(pickle.dumps(X, protocol=2)))
    for flatten in (False, True):
        windows = sliding_windows(X, 100, flatten=flatten)
        assert len(pickle.dumps(windows, protocol=protocol)) < limit


def test_joblib_stores_each_row_once(tmp_path):
    X = random_walk(5000)
    joblib.dump(sliding_windows(X, 100), tmp_path / "windows")
    assert (tmp_path / "windows").stat().st_size < 1.1 * X.nbytes


def test_joblib_memory_keeps_the_attributes(tmp_path):
    cached = joblib.Memory(tmp_path, verbose=0).cache(sliding_windows)
    X = random_walk(20)
    first = cached(X, 3)
    assert cached.check_call_in_cache(X, 3)
    assert_same_windows(cached(X, 3), first)


class Keep(BaseEstimator):
    def fit(self, X, y=None):
        self.seen_ = X
        return self


def test_pipeline_memory_keeps_the_attributes(tmp_path, monkeypatch):
    X = random_walk(20)
    pipeline = make_pipeline(MinMaxScaler(), WindowTransformer(3), Keep(), memory=str(tmp_path))
    first = pipeline.fit(X)[-1].seen_
    monkeypatch.delattr(WindowTransformer, "fit_transform")
    monkeypatch.setattr(WindowTransformer, "fit", None)  # what comes now comes from the cache
    second = pipeline.fit(X)[-1].seen_
    assert second is not first
    assert_same_windows(second, first)
    assert pipeline[1].transform([[0.0]]).n_incomplete == 0


# Context from fit


@pytest.mark.parametrize(("window_length", "horizon"), [(1, 0), (1, 1), (5, 1), (5, 3), (4, 0)])
@pytest.mark.parametrize("n_test", [1, 3, 40])
def test_following_rows_continue_from_the_fitted(window_length, horizon, n_test):
    X = random_walk(70, 2)
    train, test = X[:30], X[30 : 30 + n_test]
    windows = WindowTransformer(window_length, horizon).fit(train).transform(test)
    assert windows.n_incomplete == 0
    expected = sliding_windows(X, window_length, horizon)[30 : 30 + n_test]
    np.testing.assert_array_equal(windows, expected)
    np.testing.assert_array_equal(windows.target, test)


@pytest.mark.parametrize("scaler", [None, MinMaxScaler(), StandardScaler()])
@pytest.mark.parametrize("fit_dtype", ["float32", "float64"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_after", [0, 7])
def test_fitted_data_gets_no_context(scaler, fit_dtype, dtype, n_after):
    """Scaling prices of 1000 to 1010 leaves float32 five digits of what it had."""
    for seed in range(10):
        X = random_walk(300, 2, 1000.0, 1010.0, seed=seed)
        train = X[: len(X) - n_after]
        pipeline = make_pipeline(scaler, WindowTransformer(5)).fit(train.astype(fit_dtype))
        windows = pipeline.transform(X.astype(dtype))
        assert windows.n_incomplete == 5
        assert windows.dtype == dtype
        np.testing.assert_array_equal(windows.target[:-1], windows[1:, -1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_other_rows_of_the_same_size_continue(dtype):
    """A tolerance for rounding must not take what follows for the fitted data."""
    X = (1000 + random_walk(400, high=0.5)).astype(dtype)
    transformer = WindowTransformer(3).fit(X[:100])
    for start in range(101, 300, 10):
        assert transformer.transform(X[start:]).n_incomplete == 0
    assert transformer.transform(X[:100] + np.array([[0.01]], dtype=dtype)).n_incomplete == 0


def test_few_values_are_not_taken_for_the_fitted_data():
    """Ones and zeros soon begin and end alike."""
    bits = np.random.default_rng(0).integers(0, 2, size=(600, 1)).astype(float)
    bits[[0, 200, 199, 399]] = 1.0
    windows = WindowTransformer(1).fit(bits[:200]).transform(bits[200:])
    assert windows.n_incomplete == 0


@pytest.mark.parametrize(
    ("dtype", "largest"),
    [
        ("float32", np.finfo("float32").max),
        ("float64", np.finfo("float64").max),
        ("float32", np.inf),
        ("float64", np.inf),
    ],
)
def test_huge_and_infinite_rows_are_known_again(dtype, largest):
    """Comparing them overflows, which must not warn."""
    X = np.array([[1.0], [largest], [-largest], [2.0]]).astype(dtype)
    transformer = WindowTransformer(2).fit(X)
    assert transformer.transform(X).n_incomplete == 2
    if np.isinf(largest):
        assert transformer.transform(-X).n_incomplete == 0


def test_fitted_data_is_known_by_both_ends():
    X = random_walk(500)
    transformer = WindowTransformer(5).fit(X[:400])
    for changed in (0, 399):
        other = X.copy()
        other[changed] += 0.1
        assert transformer.transform(other).n_incomplete == 0
        assert transformer.transform(X).n_incomplete == 5


@pytest.mark.parametrize(("fit_dtype", "dtype"), [("float32", "float64"), ("float64", "float32")])
def test_constant_column_is_known_again_in_another_dtype(fit_dtype, dtype):
    X = np.full((20, 1), 1000.1)
    transformer = WindowTransformer(5).fit(X.astype(fit_dtype))
    assert transformer.transform(X.astype(dtype)).n_incomplete == 5
    assert transformer.transform(X.astype(dtype) + 1).n_incomplete == 0


@pytest.mark.parametrize("test_size", [None, 20])
def test_time_series_split_gets_the_rows_before_each_fold(test_size):
    X = random_walk(120, 2)
    expected = sliding_windows(X, 6, 2)
    for train, test in TimeSeriesSplit(5, test_size=test_size).split(X):
        windows = WindowTransformer(6, 2).fit(X[train]).transform(X[test])
        assert windows.n_incomplete == 0
        np.testing.assert_array_equal(windows, expected[test])


@pytest.mark.parametrize("flatten", [False, True])
def test_one_window_for_each_row_and_one_row_alone(flatten):
    X = random_walk(40)
    transformer = WindowTransformer(5, flatten=flatten).fit(X[:30])
    for n_rows in (1, 2, 10):
        assert len(transformer.transform(X[30 : 30 + n_rows])) == n_rows
    np.testing.assert_array_equal(transformer.transform(X[30:31]).ravel(), X[25:30, 0])


def test_predictions_are_as_many_as_the_rows():
    X = random_walk(60)
    model = make_pipeline(WindowTransformer(5, flatten=True), Ridge()).fit(X[:50], X[:50, 0])
    assert model.predict(X[50:]).shape == (10,)
    assert model.predict(X).shape == (60,)


def test_constant_series():
    X = np.full((20, 1), 3.0)
    transformer = WindowTransformer(4).fit(X)
    assert transformer.transform(X).n_incomplete == 4
    assert transformer.transform(X[:5]).n_incomplete == 0
    assert np.all(transformer.transform(np.full((30, 1), 3.0)) == 3.0)


@pytest.mark.parametrize("horizon", [1, 3])
def test_rows_not_yet_observed_are_nan(horizon):
    X, future = random_walk(30), np.full((horizon, 1), np.nan)
    transformer = WindowTransformer(4, horizon).fit(X)
    known = transformer.transform(future)
    assert known.n_incomplete == 0
    np.testing.assert_array_equal(known[0, :, 0], X[31 - horizon - 4 : 31 - horizon, 0])
    assert not np.isnan(known).any()
    assert np.isnan(known.target).all()
    assert np.isnan(transformer.transform(np.vstack([future, [[np.nan]]]))).any()

    both = transformer.transform(np.vstack([X, future]))  # in-sample, and what follows
    assert both.n_incomplete == 3 + horizon
    np.testing.assert_array_equal(both[30:], known)


def test_fitted_data_with_nan_rows_is_known_again():
    X = random_walk(30, 2)
    X[[4, 29]] = np.nan
    X[:, 1] = np.nan
    transformer = WindowTransformer(4).fit(X)
    assert transformer.transform(X).n_incomplete == 4
    observed = X.copy()
    observed[29] = 0.3
    assert transformer.transform(observed).n_incomplete == 4
    hidden = X.copy()
    hidden[0] = np.nan
    assert transformer.transform(hidden).n_incomplete == 0


# The index of a DataFrame


def dates(*args, **kwargs):
    return lambda n: pd.date_range(*args, periods=n, **kwargs)


INDEXES = {
    "days ns": dates("2020-01-01", unit="ns"),
    "days us": dates("2020-01-01", unit="us"),
    "hours with zone": dates("2020-03-01", freq="h", tz="Europe/Berlin"),
    "ticks": dates("2020-01-01", freq="100ns", unit="ns"),
    "middle ages": dates("1066-10-14", freq="1000D", unit="s"),
    "periods": lambda n: pd.period_range("2020-01", periods=n, freq="M"),
    "durations": lambda n: pd.timedelta_range("1h", periods=n, freq="h"),
    "range": pd.RangeIndex,
    "integers": lambda n: pd.Index(np.arange(10, 10 + 3 * n, 3)),
    "small integers": lambda n: pd.Index(np.arange(-100, n - 100, dtype="int8")),
    "floats": lambda n: pd.Index(np.arange(n) * 0.1),
    "labels": lambda n: pd.Index([f"row {i:03}" for i in range(n)]),
    "tuples": lambda n: pd.MultiIndex.from_product([["a"], range(n)]),
}
PLACES = [name for name in INDEXES if name not in ("labels", "tuples")]


def frame(index, seed=0):
    """Columns without names, so that arrays can take the place of a frame."""
    return pd.DataFrame(random_walk(len(index), 2, seed=seed), index=index)


@pytest.fixture(params=INDEXES)
def indexed(request):
    return frame(INDEXES[request.param](100))


@pytest.fixture(params=PLACES)
def placed(request):
    return frame(INDEXES[request.param](100))


def test_index_after_the_fitted_rows_continues(indexed):
    transformer = WindowTransformer(5).fit(indexed.iloc[:40])
    for stop in (41, 60, 100):
        windows = transformer.transform(indexed.iloc[40:stop])
        assert windows.n_incomplete == 0
        np.testing.assert_array_equal(windows, sliding_windows(indexed, 5)[40:stop])


def test_index_of_the_fitted_rows_gets_no_context(indexed):
    transformer = WindowTransformer(5).fit(indexed.iloc[:40])
    for stop in (40, 41, 100):
        windows = transformer.transform(indexed.iloc[:stop])
        assert_same_windows(windows, sliding_windows(indexed.iloc[:stop], 5))


def test_index_decides_where_values_would_not(indexed):
    indexed.iloc[:] = 1.0
    assert (
        WindowTransformer(5).fit(indexed.iloc[:40]).transform(indexed.iloc[40:]).n_incomplete == 0
    )


@pytest.mark.parametrize(
    ("start", "stop"), [(0, 10), (0, 19), (19, 20), (21, 30), (30, 80), (59, 60), (20, 59)]
)
def test_rows_before_or_among_the_fitted_warn(indexed, start, stop):
    transformer = WindowTransformer(5).fit(indexed.iloc[20:60])
    with pytest.warns(UserWarning, match="is not the fitted data") as record:
        windows = transformer.transform(indexed.iloc[start:stop])
    assert_same_windows(windows, sliding_windows(indexed.iloc[start:stop], 5))
    message = str(record[0].message)
    assert f"begins at index {indexed.index[start]}," in message
    assert f"fitted rows at {indexed.index[59]}," in message
    assert record[0].filename == __file__


def test_other_values_at_the_same_index_warn():
    """Two files whose rows are both counted from 0 do not follow one another, nor are they one."""
    train, test = frame(pd.RangeIndex(40)), frame(pd.RangeIndex(60), seed=1)
    transformer = WindowTransformer(5).fit(train)
    with pytest.warns(UserWarning, match=r"begins at index 0, .* at 39, .* X.to_numpy\(\)"):
        windows = transformer.transform(test)
    assert windows.n_incomplete == 5
    assert transformer.transform(test.to_numpy()).n_incomplete == 0


@pytest.mark.parametrize("index", [[0.5, *range(1, 40)], [*range(39), 39.5]])
def test_fitted_values_at_another_index_warn(index):
    X = frame(pd.RangeIndex(40))
    transformer = WindowTransformer(5).fit(X)
    with pytest.warns(UserWarning, match="is not the fitted data"):
        assert transformer.transform(X.set_axis(index)).n_incomplete == 5


def test_a_gap_too_wide_for_a_small_integer_warns():
    X = frame(pd.Index(np.array([-100, -99, -98, 100], dtype="int8")))
    with pytest.warns(UserWarning, match="from index -98 to 100 is larger"):
        WindowTransformer(2).fit(X.iloc[:3]).transform(X.iloc[3:])


def test_a_gap_warns_and_names_its_ends(placed):
    transformer = WindowTransformer(5).fit(placed.iloc[:40])
    behind = placed.index
    for X, start, stop in [
        (placed.iloc[42:], 39, 42),  # right behind the fitted rows
        (pd.concat([placed.iloc[40:50], placed.iloc[53:]]), 49, 53),
        (pd.concat([placed.iloc[:60], placed.iloc[62:]]), 59, 62),  # behind the fitted data itself
    ]:
        with pytest.warns(UserWarning, match="rows seem to be missing") as record:
            windows = transformer.transform(X)
        assert f"from index {behind[start]} to {behind[stop]} is" in str(record[0].message)
        assert record[0].filename == __file__
        assert len(windows) == len(X)
        assert windows.n_incomplete == (5 if len(X) > 60 else 0)


def test_labels_have_no_gaps():
    labelled = frame(INDEXES["labels"](100))
    assert WindowTransformer(5).fit(labelled[:40]).transform(labelled[60:]).n_incomplete == 0


USUAL = {
    "weekends": (pd.bdate_range("2020-01-01", periods=90), 20),
    "months": (pd.date_range("2020-01-01", periods=90, freq="MS"), 20),
    "days to winter time": (pd.date_range("2020-09-20", periods=90, tz="Europe/Berlin"), 20),
    "hours to summer time": (
        pd.date_range("2020-03-28", periods=90, freq="h", tz="Europe/Berlin"),
        20,
    ),
    "tenths": (pd.Index(np.arange(90) * 0.1), 3),
    "one fitted row": (pd.RangeIndex(0, 900, 10), 1),
}


@pytest.mark.parametrize(("index", "n_fit"), USUAL.values(), ids=USUAL)
def test_usual_steps_do_not_warn(index, n_fit):
    """Warnings are errors here."""
    X = frame(index)
    assert WindowTransformer(1).fit(X.iloc[:n_fit]).transform(X.iloc[n_fit:]).n_incomplete == 0


@pytest.mark.parametrize(
    ("fitted", "other"),
    [
        ("days ns", lambda index: index.as_unit("us")),
        ("days us", lambda index: index.as_unit("ns")),
        ("days us", lambda index: index.as_unit("s")),
        ("hours with zone", lambda index: index.tz_convert("Asia/Tokyo")),
        ("range", lambda index: index.astype("float64")),
        ("range", lambda index: index.astype("Int64")),
        ("days us", lambda index: index.astype(object)),
    ],
)
def test_indexes_of_one_kind_compare_across_units_and_zones(fitted, other):
    X = frame(INDEXES[fitted](100))
    transformer = WindowTransformer(5).fit(X.iloc[:40])
    X = X.set_axis(other(X.index))
    assert transformer.transform(X).n_incomplete == 5
    assert transformer.transform(X.iloc[40:]).n_incomplete == 0
    with pytest.warns(UserWarning, match="is not the fitted data"):
        assert transformer.transform(X.iloc[10:]).n_incomplete == 5
    if X.index.dtype != object:
        with pytest.warns(UserWarning, match="rows seem to be missing"):
            assert transformer.transform(X.iloc[43:]).n_incomplete == 0


def test_centuries_before_what_nanoseconds_hold():
    transformer = WindowTransformer(5).fit(frame(INDEXES["middle ages"](50)))
    later = frame(pd.date_range("2020-01-01", periods=20, unit="us"))
    with pytest.warns(UserWarning, match="rows seem to be missing"):
        assert transformer.transform(later).n_incomplete == 0
    later.index = later.index.as_unit("ns")
    assert transformer.transform(later).n_incomplete == 0


@pytest.mark.parametrize(
    ("fitted", "other"),
    [
        ("days us", "range"),
        ("days us", "labels"),
        ("days us", "periods"),
        ("days us", "hours with zone"),
        ("labels", "floats"),
        ("tuples", "integers"),
        ("range", "durations"),
    ],
)
def test_indexes_of_different_kinds_leave_it_to_the_values(fitted, other):
    X = frame(INDEXES[fitted](100))
    transformer = WindowTransformer(5).fit(X.iloc[:40])
    X = X.set_axis(INDEXES[other](100))
    assert transformer.transform(X.iloc[40:]).n_incomplete == 0
    assert_same_windows(transformer.transform(X.iloc[:40]), sliding_windows(X.iloc[:40], 5))
    assert_same_windows(transformer.transform(X), sliding_windows(X, 5))


def test_periods_of_another_frequency_leave_it_to_the_values():
    X = frame(pd.period_range("2020-01", periods=60, freq="M"))
    transformer = WindowTransformer(5).fit(X.iloc[:40])
    days = X.set_axis(pd.period_range("2020-01-01", periods=60, freq="D"))
    assert transformer.transform(days).n_incomplete == 5
    assert transformer.transform(days.iloc[40:]).n_incomplete == 0


@pytest.mark.parametrize("convert", ["fit", "transform"])
def test_frames_and_arrays_leave_it_to_the_values(convert):
    X = frame(INDEXES["days us"](100))
    fitted, given = (X.to_numpy(), X) if convert == "fit" else (X, X.to_numpy())
    transformer = WindowTransformer(5).fit(fitted[:40])
    assert transformer.transform(given[40:]).n_incomplete == 0
    assert_same_windows(transformer.transform(given), sliding_windows(X, 5))


@pytest.mark.parametrize("order", [[0, 1, 3, 2, 4], [0, 1, 3, 3, 4]], ids=["fall", "duplicate"])
def test_index_that_does_not_increase_raises(indexed, order):
    broken = indexed.iloc[order]
    labels = list(broken.index)
    message = (
        f"row 3 ({labels[3]}) does not come after row 2 ({labels[2]}). Sort the rows by time and "
        "drop duplicates, or pass X.to_numpy()"
    )
    transformer = WindowTransformer(2)
    for method in (transformer.fit, transformer.fit_transform, clone(transformer).fit):
        with pytest.raises(ValueError, match="index must be increasing") as error:
            method(broken)
        assert message in str(error.value)
    for fitted in (indexed.iloc[:3], indexed.iloc[:3].to_numpy()):  # an index is heeded even if new
        transformer.fit(fitted)
        with pytest.raises(ValueError, match="index must be increasing") as error:
            transformer.transform(broken)
        assert message in str(error.value)


@pytest.mark.parametrize("index", [[np.nan], [pd.NaT], [1.0, np.nan], [1, "a"], ["a", None]])
def test_index_without_an_order_raises(index):
    with pytest.raises(ValueError, match=f"index must be increasing, but row {len(index) - 1} "):
        WindowTransformer(2).fit(frame(pd.Index(index)))


def test_index_reaches_the_windows_through_a_pipeline():
    X = frame(INDEXES["days us"](60))
    X.columns = ["open", "high"]
    pipeline = make_pipeline(MinMaxScaler(), WindowTransformer(5)).set_output(transform="pandas")
    pipeline.fit(X.iloc[:40])
    assert pipeline.transform(X.iloc[40:]).n_incomplete == 0
    with pytest.warns(UserWarning, match="is not the fitted data"):
        assert pipeline.transform(X.iloc[10:]).n_incomplete == 5


# Flattened windows and containers


@pytest.mark.parametrize(
    ("horizon", "names"),
    [
        (0, ["close_lag1", "volume_lag1", "close_lag0", "volume_lag0"]),
        (1, ["close_lag2", "volume_lag2", "close_lag1", "volume_lag1"]),
        (3, ["close_lag4", "volume_lag4", "close_lag3", "volume_lag3"]),
    ],
)
def test_names_of_flattened_windows_are_true(horizon, names):
    X = pd.DataFrame(random_walk(20, 2), columns=["close", "volume"])
    transformer = WindowTransformer(2, horizon, flatten=True)
    windows = transformer.fit_transform(X)
    assert transformer.get_feature_names_out().tolist() == names
    for name, column in zip(names, windows.T[:, 10], strict=True):
        feature, lag = name.split("_lag")
        assert column == X[feature][10 - int(lag)]


def test_names_of_flattened_windows_by_default_and_as_given():
    transformer = WindowTransformer(60, flatten=True).fit(random_walk(70))
    assert transformer.get_feature_names_out()[0] == "x0_lag60"
    assert transformer.get_feature_names_out(["close"])[-1] == "close_lag1"
    with pytest.raises(ValueError, match="should have length equal to"):
        transformer.get_feature_names_out(["close", "open"])
    assert not hasattr(WindowTransformer(60), "get_feature_names_out")
    with pytest.raises(NotFittedError):
        WindowTransformer(flatten=True).get_feature_names_out()


def test_flattened_windows_in_a_pipeline_have_names():
    X = pd.DataFrame({"close": random_walk(20)[:, 0]})
    pipeline = make_pipeline(MinMaxScaler(), WindowTransformer(2, flatten=True)).fit(X)
    assert pipeline.get_feature_names_out().tolist() == ["close_lag2", "close_lag1"]


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_flattened_windows_as_a_frame(container):
    pytest.importorskip(container)
    X = pd.DataFrame(random_walk(20, 2), columns=["close", "volume"])
    X.index = pd.date_range("2020-01-01", periods=20)
    transformer = WindowTransformer(3, flatten=True).set_output(transform=container)
    for windows in (transformer.fit_transform(X), transformer.transform(X)):
        assert type(windows).__module__.startswith(container)
        np.testing.assert_array_equal(windows.to_numpy(), sliding_windows(X, 3, flatten=True))
        assert list(windows.columns) == transformer.get_feature_names_out().tolist()
        if container == "pandas":
            pd.testing.assert_index_equal(windows.index, X.index)


def test_stacked_windows_ignore_the_container():
    X = pd.DataFrame(random_walk(20), columns=["close"])
    expected = sliding_windows(X, 3)
    transformer = WindowTransformer(3).set_output(transform="pandas")
    assert_same_windows(transformer.fit_transform(X), expected)
    assert_same_windows(transformer.transform(X), expected)
    with config_context(transform_output="pandas"):
        pipeline = make_pipeline("passthrough", WindowTransformer(3))
        assert_same_windows(pipeline.fit_transform(X), expected)
        assert_same_windows(pipeline.transform(X), expected)


def test_container_is_kept_for_when_windows_are_flattened():
    transformer = WindowTransformer(3).set_output(transform="pandas").set_output()
    transformer = clone(transformer).set_params(flatten=True)
    assert isinstance(transformer.fit_transform(random_walk(20)), pd.DataFrame)


# What a series may hold


SYMBOLS = {
    "str": lambda text: np.array(text)[:, None],
    "object": lambda text: np.array(text, dtype=object)[:, None],
    "list": lambda text: [[symbol] for symbol in text],
    "frame": lambda text: pd.DataFrame({0: text}),
    "string frame": lambda text: pd.DataFrame({0: text}, dtype="string"),
    "category frame": lambda text: pd.DataFrame({0: text}, dtype="category"),
}


@pytest.mark.parametrize("fit_kind", SYMBOLS)
@pytest.mark.parametrize("kind", SYMBOLS)
def test_symbols(fit_kind, kind):
    text = ["to", "be", "or", "not", "to", "be", "that", "is", "the", "question"]
    transformer = WindowTransformer(2).fit(SYMBOLS[fit_kind](text[:6]))
    windows = transformer.transform(SYMBOLS[kind](text[:6]))
    assert windows.dtype.kind in "UO"
    assert windows[5, :, 0].tolist() == ["not", "to"]
    assert windows.n_incomplete == 2
    following = SYMBOLS[kind](text[6:])
    if isinstance(following, pd.DataFrame):
        following.index += 6
    windows = transformer.transform(following)
    assert windows[:, :, 0].tolist() == [text[i - 2 : i] for i in range(6, 10)]
    assert windows.n_incomplete == 0


@pytest.mark.parametrize(
    ("X", "dtype"),
    [
        (np.array([[1, 2.5], [True, None]], dtype=object), "float64"),
        (np.array([[1, 2], [3, 4]]), "float64"),
        (np.array([[1, 2], [3, 4]], dtype="uint8"), "float64"),
        (np.array([[True, False]]), "float64"),
        (np.array([[1, 2]], dtype="float16"), "float64"),
        ([[1, 2], [3, 4]], "float64"),
        (pd.DataFrame({0: [1, 2], 1: [0.5, 1.5]}), "float64"),
        (pd.DataFrame({0: [1, None], 1: [1, 2]}, dtype="Int64"), "float64"),
        (pd.DataFrame({0: [1, 2]}, dtype="float32"), "float32"),
        (np.array([[1, 2]], dtype="float32"), "float32"),
    ],
)
def test_numbers_become_floats(X, dtype):
    windows = WindowTransformer(2).fit_transform(X)
    assert windows.dtype == dtype
    np.testing.assert_array_equal(windows.target, pd.DataFrame(X).astype("float64"))


@pytest.mark.parametrize(
    "X",
    [
        pd.DataFrame({"open": [1.0, 2.0], "volume": ["1,657,300", "1,073,000"]}),
        np.array([[1.0, "1,657,300"]], dtype=object),
        pd.DataFrame({"open": [1, 2], "volume": pd.Categorical(["1,657,300", "1,073,000"])}),
    ],
)
def test_strings_beside_numbers_raise(X):
    with pytest.raises(ValueError, match=r"could not convert string to float: '1,657,300'"):
        WindowTransformer(2).fit(X)


def test_numbers_and_symbols_do_not_follow_one_another():
    numbers, symbols = np.ones((5, 1)), np.array([["a"]] * 5)
    for rows in (1, 5):
        with pytest.raises(ValueError, match=r"holds str symbols, .* fitted on numbers"):
            WindowTransformer(2).fit(numbers).transform(symbols[:rows])
        for fitted in (symbols, symbols.astype(object)):
            with pytest.raises(ValueError, match=r"holds numbers, .* fitted on str symbols"):
                WindowTransformer(2).fit(fitted).transform(numbers[:rows])
    for X, context in [(numbers, symbols), (symbols, numbers)]:
        with pytest.raises(ValueError, match="must both hold numbers or both hold str symbols"):
            sliding_windows(X, 2, context=context)


# Bad input


@pytest.mark.parametrize("make", [np.array, pd.Series, list, np.ones_like])
def test_one_dimension_raises_and_says_how_to_reshape(make):
    X = make([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"reshape\(-1, 1\)"):
        sliding_windows(X, 2)
    with pytest.raises(ValueError, match=r"reshape\(-1, 1\)"):
        WindowTransformer(2).fit(X)
    with pytest.raises(ValueError, match=r"reshape\(-1, 1\)"):
        WindowTransformer(2).fit([[1.0]]).transform(X)


def test_pandas_series_is_told_of_to_frame():
    with pytest.raises(ValueError, match=r"got shape \(3,\).*\.to_frame\(\)"):
        WindowTransformer(2).fit(pd.Series([1.0, 2.0, 3.0]))


def test_three_dimensions_raise():
    for method in (WindowTransformer(2).fit, sliding_windows):
        with pytest.raises(ValueError, match=r"2-D series .* got shape \(2, 3, 1\)"):
            method(np.ones((2, 3, 1)))


@pytest.mark.parametrize("X", [np.empty((0, 1)), pd.DataFrame({"a": []}), np.empty((0, 1), "U1")])
def test_empty_input_raises(X):
    for method in (WindowTransformer(2).fit, WindowTransformer(2).fit_transform):
        with pytest.raises(ValueError, match="0 sample"):
            method(X)
    with pytest.raises(ValueError, match=r"X has no rows \(shape \(0, 1\)\)"):
        sliding_windows(X, 2)


@pytest.mark.parametrize("dtype", ["float64", "U1"])
def test_empty_input_to_transform_raises(dtype):
    transformer = WindowTransformer(2).fit(np.ones((3, 1)).astype(dtype))
    with pytest.raises(ValueError, match="0 sample"):
        transformer.transform(np.empty((0, 1), dtype))


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"window_length": 0}, "window_length"),
        ({"window_length": -3}, "window_length"),
        ({"window_length": 2.5}, "window_length"),
        ({"horizon": -1}, "horizon"),
        ({"horizon": None}, "horizon"),
        ({"flatten": "yes"}, "flatten"),
    ],
)
def test_bad_parameters_raise_by_name(parameters, named):
    transformer = WindowTransformer(**parameters)
    for method in (transformer.fit, transformer.fit_transform):
        with pytest.raises(ValueError, match=f"The '{named}' parameter of WindowTransformer"):
            method(random_walk(10))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"window_length": 0}, "window_length must be at least 1, got 0"),
        ({"horizon": -1}, "horizon must be at least 0, got -1"),
        ({"context": np.ones((4, 2))}, r"the 1 columns of X, got an array of shape \(4, 2\)"),
        ({"context": np.ones(4)}, r"the 1 columns of X, got an array of shape \(4,\)"),
        ({"context": 1.0}, r"the 1 columns of X, got an array of shape \(\)"),
    ],
)
def test_bad_arguments_of_sliding_windows_raise(parameters, message):
    with pytest.raises(ValueError, match=message):
        sliding_windows(random_walk(10), **parameters)


def test_transform_before_fit_raises():
    with pytest.raises(NotFittedError):
        WindowTransformer(2).transform(random_walk(10))


def test_other_columns_raise():
    transformer = WindowTransformer(2).fit(pd.DataFrame(random_walk(9, 2), columns=["a", "b"]))
    with pytest.raises(ValueError, match="feature names should match"):
        transformer.transform(pd.DataFrame(random_walk(9, 2), columns=["a", "c"]))
    transformer.fit(random_walk(9, 2))
    with pytest.raises(ValueError, match=r"3 features, but .* expecting 2 features"):
        transformer.transform(random_walk(9, 3))


@pytest.mark.parametrize(
    "bad",
    [
        frame(pd.Index([3, 2, 1])),
        pd.Series([1.0, 2.0]),
        np.empty((0, 2)),
        np.array([[1.0, "x"]], dtype=object),
    ],
)
def test_failed_refit_leaves_the_earlier_fit(bad):
    X = frame(pd.RangeIndex(30))
    X.columns = ["a", "b"]
    transformer = WindowTransformer(3).fit(X[:20])
    before = vars(transformer).copy()
    for method in (transformer.fit, transformer.fit_transform):
        with pytest.raises(ValueError, match=r"increasing|Reshape|0 sample|could not convert"):
            method(bad)
        after = vars(transformer)
        assert after.keys() == before.keys()
        assert all(after[name] is before[name] for name in before)
    np.testing.assert_array_equal(transformer.transform(X[20:]), sliding_windows(X, 3)[20:])

    unfitted = WindowTransformer(3)
    with pytest.raises(ValueError, match=r"increasing|Reshape|0 sample|could not convert"):
        unfitted.fit(bad)
    assert vars(unfitted) == vars(WindowTransformer(3))


# The estimator


def test_parameters():
    transformer = WindowTransformer(7, 2, flatten=True)
    assert transformer.get_params() == {"window_length": 7, "horizon": 2, "flatten": True}
    assert WindowTransformer().get_params() == {
        "window_length": 30,
        "horizon": 1,
        "flatten": False,
    }
    cloned = clone(transformer.fit(random_walk(20)))
    assert cloned.get_params() == transformer.get_params()
    assert not hasattr(cloned, "n_samples_fit_")
    pipeline = Pipeline([("window", cloned)]).set_params(window__window_length=4)
    assert pipeline.fit_transform(random_walk(20)).shape == (20, 4)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
@pytest.mark.parametrize("with_index", [False, True])
def test_fitted_transformer_can_be_stored(copied, with_index):
    X = frame(INDEXES["hours with zone"](60))
    X = X if with_index else X.to_numpy()
    transformer = WindowTransformer(5).fit(X[:40])
    for rows in (X[40:], X[:40], X):
        assert_same_windows(copied(transformer).transform(rows), transformer.transform(rows))


def test_fitted_transformer_does_not_hold_the_data():
    X = frame(pd.date_range("2000-01-01", periods=20_000, freq="h"))
    assert len(pickle.dumps(WindowTransformer(10).fit(X))) < 0.05 * X.to_numpy().nbytes


def test_refit_forgets():
    other = random_walk(8, 3, seed=1)
    refitted = WindowTransformer(5).fit(frame(pd.RangeIndex(40))).fit(other[:6])
    following = pd.DataFrame(other[6:])  # whose index the first fit would have warned of
    assert_same_windows(
        refitted.transform(following), WindowTransformer(5).fit(other[:6]).transform(other[6:])
    )
    assert (refitted.n_samples_fit_, refitted.n_features_in_) == (6, 3)


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import skrnn", {"tensorflow", "keras", "sklearn", "pandas", "matplotlib"}),
        ("from skrnn import WindowTransformer", {"tensorflow", "keras", "scikeras", "sktime"}),
    ],
)
def test_import_is_light(statement, unwanted):
    """TensorFlow takes seconds to import, and scikeras changes Keras for the whole process."""
    code = f"import sys\n{statement}\nprint(*sorted({unwanted!r} & set(sys.modules)))"
    root = Path(skrnn.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True
    )
    assert done.stdout.split() == []


# Real data


DATA = Path(__file__).parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data in {DATA}")


@needs_data
def test_facebook():
    train, test = (
        pd.read_csv(DATA / "fb" / f"FB_{part}_data.csv", index_col="Date", parse_dates=True)
        for part in ("training", "test")
    )
    transformer = WindowTransformer(40)
    windows = transformer.fit_transform(train[["Open"]])
    complete = windows[windows.n_incomplete :]
    assert complete.shape == (1218, 40, 1)
    np.testing.assert_array_equal(complete[0], train[["Open"]][:40])
    windows = transformer.transform(test[["Open"]])
    assert windows.shape == (21, 40, 1)
    np.testing.assert_array_equal(windows[0], train[["Open"]][-40:])


@needs_data
def test_mastercard():
    path = DATA / "mastercard" / "Mastercard_stock_history.csv"
    high = pd.read_csv(path, index_col="Date", parse_dates=True)[["High"]]
    train, test = high["2016":"2020"], high["2021":]
    transformer = WindowTransformer(60)
    windows = transformer.fit_transform(train)
    assert windows[windows.n_incomplete :].shape == (1199, 60, 1)
    windows = transformer.transform(test)
    assert windows.shape == (195, 60, 1)
    assert windows.n_incomplete == 0
    np.testing.assert_array_equal(windows[0], train[-60:])
