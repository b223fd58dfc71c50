"""WindowArray and sliding_windows against a naive loop."""

import copy
import pickle

import cloudpickle
import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skrnn import WindowArray, sliding_windows

from .helpers import (
    ATTRIBUTES,
    assert_same_windows,
    assert_view,
    naive_windows,
    random_walk,
    series_and_context,
)

PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)


@settings(deadline=None, max_examples=100)
@given(data=series_and_context(), window_length=st.integers(1, 8), horizon=st.integers(0, 4))
def test_windows_equal_naive_loop(data, window_length, horizon):
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


def test_only_horizon_zero_includes_the_row_itself():
    X = random_walk(50)
    for horizon, sees in [(0, True), (1, False), (3, False)]:
        windows = sliding_windows(X, 5, horizon)
        assert np.any(windows[10] == X[10]) == sees


@pytest.mark.parametrize("X_dtype", ["int8", "float32", "float64", object])
@pytest.mark.parametrize("context_dtype", ["int64", "float32", "float64", object])
def test_context_of_another_numeric_dtype_is_not_truncated(X_dtype, context_dtype):
    context = np.array([[1.5], [300.0]]).astype(context_dtype)
    X = np.array([[1], [2]]).astype(X_dtype)
    windows = sliding_windows(X, 2, context=context)
    assert windows.series.tolist() == [*context.tolist(), [1], [2]]
    if "float" in str(np.dtype(X_dtype)):
        assert windows.dtype == X_dtype


def test_empty_context_equals_no_context():
    X = np.array([[1], [2]])
    assert_same_windows(sliding_windows(X, 2, context=np.empty((0, 1))), sliding_windows(X, 2))


@pytest.mark.parametrize("X_dtype", ["U1", "U6", object])
@pytest.mark.parametrize("context_dtype", ["U3", object])
def test_context_of_longer_strings_is_not_truncated(X_dtype, context_dtype):
    context = np.array([["abc"], ["abd"]]).astype(context_dtype)
    X = np.array([["x"], ["y"]]).astype(X_dtype)
    windows = sliding_windows(X, 2, context=context)
    assert windows.series.ravel().tolist() == ["abc", "abd", "x", "y"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"window_length": 0}, "window_length must be an int of at least 1, got 0"),
        ({"window_length": True}, "window_length must be an int of at least 1, got True"),
        ({"window_length": 1.5}, "window_length must be an int of at least 1, got 1.5"),
        ({"horizon": -1}, "horizon must be an int of at least 0, got -1"),
        ({"context": np.ones((4, 2))}, r"the 1 columns of X, got an array of shape \(4, 2\)"),
        ({"context": 1.0}, r"context must be an array, .* got 1\.0 of type float"),
    ],
)
def test_invalid_arguments_of_sliding_windows_raise(parameters, message):
    with pytest.raises(ValueError, match=message):
        sliding_windows(random_walk(10), **parameters)


@pytest.mark.parametrize("flatten", [False, True])
def test_windows_are_a_read_only_view(flatten):
    assert_view(sliding_windows(random_walk(20), 4, flatten=flatten))


def test_constructor_does_not_make_its_input_read_only():
    series = np.zeros((5, 1))
    assert_view(WindowArray(series, 2, 1, 0))
    series[0] = 1.0


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
def test_operations_return_plain_arrays(make):
    windows = sliding_windows(random_walk(10, 2), 3)
    result = make(windows)
    assert type(result) is np.ndarray
    np.testing.assert_array_equal(result, make(np.asarray(windows)))


@pytest.mark.parametrize("make", [np.sum, np.max, lambda w: w.mean(), lambda w: w.std()])
def test_full_reductions_return_scalars(make):
    windows = sliding_windows(random_walk(10, 2), 3)
    assert isinstance(make(windows), np.float64)
    assert make(windows) == make(np.asarray(windows))


def test_copy_is_writable():
    windows = sliding_windows(random_walk(10), 3)
    changed = windows.copy()
    changed[:] = 0.0
    assert windows.sum() > 0


@pytest.mark.parametrize("flatten", [False, True])
@pytest.mark.parametrize(("start", "stop"), [(0, 10), (2, 6), (4, 10), (7, 8)])
def test_part_contains_the_windows_of_a_slice(start, stop, flatten):
    windows = sliding_windows(random_walk(10, 2), 3, 2, flatten=flatten)
    part = windows.part(slice(start, stop))
    assert_view(part)
    np.testing.assert_array_equal(part, windows[start:stop])
    np.testing.assert_array_equal(part.target, windows.target[start:stop])
    assert part.n_incomplete == max(0, 4 - start)


DERIVED = {
    "transpose": lambda w: w.T,
    "reshape": lambda w: w.reshape(len(w), -1),
    "ravel": lambda w: w.ravel(),
    "view": lambda w: w.view(),
    "like": np.zeros_like,
}


@pytest.mark.parametrize("derive", DERIVED.values(), ids=DERIVED)
@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_derived_arrays_have_no_window_attributes(derive, attribute):
    derived = derive(sliding_windows(random_walk(10, 2), 3))
    assert not derived.is_intact
    with pytest.raises(AttributeError, match="Use the WindowArray itself"):
        getattr(derived, attribute)


@pytest.mark.parametrize("derive", DERIVED.values(), ids=DERIVED)
def test_copies_of_derived_arrays_are_plain_arrays(derive):
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
def test_astype_casts_the_series(dtype, flatten):
    windows = sliding_windows(10 * random_walk(20, 2), 4, 2, flatten=flatten)
    cast = windows.astype(dtype)
    assert cast.dtype == dtype
    assert_view(cast)
    np.testing.assert_array_equal(cast, np.asarray(windows).astype(dtype))
    np.testing.assert_array_equal(cast.series, windows.series.astype(dtype))
    assert (cast.n_incomplete, cast.window_length, cast.horizon) == (5, 4, 2)


def test_astype_respects_casting():
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
def test_serialization_preserves_the_attributes(round_trip, dtype, flatten):
    if dtype is object:
        X = np.array(list("abcdefghij"), dtype=object)[:, None]
    else:
        X = random_walk(10, 2).astype(dtype)
    windows = sliding_windows(X, 3, 2, context=X[:1], flatten=flatten)
    assert_same_windows(round_trip(windows), windows)


def test_pickles_contain_the_public_module():
    stored = pickle.dumps(sliding_windows(random_walk(10), 3), protocol=0)
    assert b"skrnn.windows\nWindowArray" in stored


def test_deepcopy_copies_the_series():
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


def test_joblib_memory_preserves_the_attributes(tmp_path):
    cached = joblib.Memory(tmp_path, verbose=0).cache(sliding_windows)
    X = random_walk(20)
    first = cached(X, 3)
    assert cached.check_call_in_cache(X, 3)
    assert_same_windows(cached(X, 3), first)
