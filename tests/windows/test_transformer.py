"""WindowTransformer against a naive loop: context, containers, strings and errors."""

import copy
import pickle
import tracemalloc
import warnings
from pathlib import Path

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

from skrnn import WindowTransformer, sliding_windows

from .helpers import assert_same_windows, frame, naive_windows, random_walk, series_and_context


@settings(deadline=None, max_examples=100)
@given(data=series_and_context(), window_length=st.integers(1, 8), horizon=st.integers(0, 4))
def test_transformed_windows_equal_naive_loop(data, window_length, horizon):
    """This includes fits on fewer rows than a window extends to."""
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


def test_default_parameters_return_the_previous_thirty_rows():
    X = np.arange(100.0)[:, None]
    windows = WindowTransformer().fit_transform(X)
    assert windows.shape == (100, 30, 1)
    np.testing.assert_array_equal(windows[50, :, 0], np.arange(20, 50))


@pytest.mark.parametrize("flatten", [False, True])
def test_memory_is_proportional_to_the_series(flatten):
    X = np.random.default_rng(0).normal(size=(200_000, 1))
    WindowTransformer(200, flatten=flatten).fit_transform(X[:300])  # imports of the first call
    tracemalloc.start()
    windows = WindowTransformer(200, flatten=flatten).fit(X).transform(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert windows.nbytes == 200 * X.nbytes
    assert peak < 2.5 * X.nbytes


def test_windows_and_context_do_not_share_memory_with_the_input():
    X = random_walk(20)
    transformer = WindowTransformer(3)
    windows = transformer.fit_transform(X)
    expected = np.array(windows), transformer.transform([[0.5]])
    X[:] = 7.0
    np.testing.assert_array_equal(windows, expected[0])
    np.testing.assert_array_equal(transformer.transform([[0.5]]), expected[1])


class StoreInput(BaseEstimator):
    def fit(self, X, y=None):
        self.seen_ = X
        return self


def test_pipeline_memory_preserves_the_attributes(tmp_path, monkeypatch):
    X = random_walk(20)
    pipeline = make_pipeline(
        MinMaxScaler(), WindowTransformer(3), StoreInput(), memory=str(tmp_path)
    )
    first = pipeline.fit(X)[-1].seen_
    monkeypatch.delattr(WindowTransformer, "fit_transform")
    monkeypatch.setattr(WindowTransformer, "fit", None)  # so the windows must come from the cache
    second = pipeline.fit(X)[-1].seen_
    assert second is not first
    assert_same_windows(second, first)
    assert pipeline[1].transform([[0.0]]).n_incomplete == 0


# Context


@pytest.mark.parametrize(("window_length", "horizon"), [(1, 0), (1, 1), (5, 1), (5, 3), (4, 0)])
@pytest.mark.parametrize("n_test", [1, 3, 40])
def test_new_rows_get_the_fitted_rows_as_context(window_length, horizon, n_test):
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
    """The scaled float32 prices of 1000 to 1010 have five significant digits less."""
    for seed in range(10):
        X = random_walk(300, 2, 1000.0, 1010.0, seed=seed)
        train = X[: len(X) - n_after]
        pipeline = make_pipeline(scaler, WindowTransformer(5)).fit(train.astype(fit_dtype))
        windows = pipeline.transform(X.astype(dtype))
        assert windows.n_incomplete == 5
        assert windows.dtype == dtype
        np.testing.assert_array_equal(windows.target[:-1], windows[1:, -1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_new_rows_of_similar_values_get_context(dtype):
    """The rounding tolerance must not include rows that follow the fitted data."""
    X = (1000 + random_walk(400, high=0.5)).astype(dtype)
    transformer = WindowTransformer(3).fit(X[:100])
    for start in range(101, 300, 10):
        assert transformer.transform(X[start:]).n_incomplete == 0
    assert transformer.transform(X[:100] + np.array([[0.01]], dtype=dtype)).n_incomplete == 0


def test_new_binary_rows_with_equal_boundaries_get_context():
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
def test_fitted_data_with_huge_or_infinite_values_is_recognized(dtype, largest):
    """The comparison overflows, which must not cause a warning."""
    X = np.array([[1.0], [largest], [-largest], [2.0]]).astype(dtype)
    transformer = WindowTransformer(2).fit(X)
    assert transformer.transform(X).n_incomplete == 2
    if np.isinf(largest):
        assert transformer.transform(-X).n_incomplete == 0


def test_fitted_data_is_recognized_by_first_and_last_rows():
    X = random_walk(500)
    transformer = WindowTransformer(5).fit(X[:400])
    for changed in (0, 399):
        other = X.copy()
        other[changed] += 0.1
        assert transformer.transform(other).n_incomplete == 0
        assert transformer.transform(X).n_incomplete == 5


@pytest.mark.parametrize(("fit_dtype", "dtype"), [("float32", "float64"), ("float64", "float32")])
def test_constant_column_is_recognized_in_another_dtype(fit_dtype, dtype):
    X = np.full((23, 1), 1000.1)
    X[0] = 1000.5
    transformer = WindowTransformer(5).fit(X.astype(fit_dtype))
    assert transformer.transform(X.astype(dtype)).n_incomplete == 5
    assert transformer.transform(X.astype(dtype) + 1).n_incomplete == 0


@pytest.mark.parametrize("test_size", [None, 20])
def test_time_series_split_uses_training_rows_as_context(test_size):
    X = random_walk(120, 2)
    expected = sliding_windows(X, 6, 2)
    for train, test in TimeSeriesSplit(5, test_size=test_size).split(X):
        windows = WindowTransformer(6, 2).fit(X[train]).transform(X[test])
        assert windows.n_incomplete == 0
        np.testing.assert_array_equal(windows, expected[test])


@pytest.mark.parametrize("flatten", [False, True])
def test_one_window_is_returned_per_row(flatten):
    X = random_walk(40)
    transformer = WindowTransformer(5, flatten=flatten).fit(X[:30])
    for n_rows in (1, 2, 10):
        assert len(transformer.transform(X[30 : 30 + n_rows])) == n_rows
    np.testing.assert_array_equal(transformer.transform(X[30:31]).ravel(), X[25:30, 0])


def test_pipeline_predicts_every_row():
    X = random_walk(60)
    model = make_pipeline(WindowTransformer(5, flatten=True), Ridge()).fit(X[:50], X[:50, 0])
    assert model.predict(X[50:]).shape == (10,)
    assert model.predict(X).shape == (60,)


def test_constant_series():
    X = np.full((20, 1), 3.0)
    transformer = WindowTransformer(4).fit(X)
    assert transformer.transform(X[:5]).n_incomplete == 0
    for length in (20, 30):
        with pytest.warns(UserWarning, match="repeat with a period of 1 rows"):
            windows = transformer.transform(np.full((length, 1), 3.0))
        assert windows.n_incomplete == 0
        assert np.all(windows == 3.0)


def one_hot(n_rows, period):
    return np.eye(period)[np.arange(n_rows) % period]


PERIODIC = {
    "tiled": (lambda n: np.tile(random_walk(12), (n // 12 + 1, 1))[:n], 12),
    "one-hot weekdays": (lambda n: one_hot(n, 7), 7),
    "sine and cosine of the hour": (
        lambda n: np.column_stack([f(2 * np.pi * np.arange(n) / 24) for f in (np.sin, np.cos)]),
        24,
    ),
    "float32": (lambda n: np.sin(2 * np.pi * np.arange(n) / 24)[:, None].astype("float32"), 24),
    "tokens": (lambda n: np.array(list("abcd") * n)[:n, None], 4),
}


@pytest.mark.parametrize(("make", "period"), PERIODIC.values(), ids=PERIODIC)
@pytest.mark.parametrize("n_periods", [2, 3, 40])
def test_periodic_rows_follow_the_fitted_rows(make, period, n_periods):
    n_fit = period * n_periods
    X = make(2 * n_fit + 5)
    expected = sliding_windows(X, 6)
    transformer = WindowTransformer(6).fit(X[:n_fit])
    match = f"repeat with a period of {period} rows"
    for stop in (2 * n_fit, 2 * n_fit + 5):
        with pytest.warns(UserWarning, match=match) as record:
            windows = transformer.transform(X[n_fit:stop])
        assert record[0].filename == __file__
        assert windows.n_incomplete == 0
        assert_close_or_equal(windows, expected[n_fit:stop])
    # In the sample, only the incomplete windows differ.
    with pytest.warns(UserWarning, match=match):
        windows = transformer.transform(X[:n_fit])
    assert_close_or_equal(windows[6:], expected[6:n_fit])
    assert WindowTransformer(6).fit_transform(X[:n_fit]).n_incomplete == 6


def assert_close_or_equal(windows, expected):
    if windows.dtype.kind == "f":
        np.testing.assert_allclose(windows, expected, atol=1e-6)
    else:
        np.testing.assert_array_equal(windows, expected)


@pytest.mark.parametrize(("make", "period"), PERIODIC.values(), ids=PERIODIC)
def test_time_series_split_of_periodic_rows(make, period):
    X = make(6 * period)
    expected = sliding_windows(X, 3)
    for train, test in TimeSeriesSplit(5).split(X):
        transformer = WindowTransformer(3).fit(X[train])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "X begins with the fitted rows")
            windows = transformer.transform(X[test])
        if len(train) > period:  # a single period does not show that it repeats
            assert windows.n_incomplete == 0
            assert_close_or_equal(windows, expected[test])


@pytest.mark.parametrize(("make", "period"), PERIODIC.values(), ids=PERIODIC)
def test_index_decides_for_periodic_rows(make, period):
    X = pd.DataFrame(make(8 * period), index=pd.date_range("2020-01-01", periods=8 * period))
    transformer = WindowTransformer(3).fit(X[: 4 * period])
    assert transformer.transform(X[4 * period :]).n_incomplete == 0
    assert transformer.transform(X[: 4 * period]).n_incomplete == 3
    assert transformer.transform(X).n_incomplete == 3


@pytest.mark.parametrize("n_fit", [25, 47])
def test_rows_of_incomplete_periods_are_the_fitted_data(n_fit):
    X = PERIODIC["tiled"][0](100)
    transformer = WindowTransformer(5).fit(X[:n_fit])
    assert transformer.transform(X[:n_fit]).n_incomplete == 5
    assert transformer.transform(X).n_incomplete == 5


def test_rows_that_contain_fitted_rows_warn():
    X = random_walk(200)
    transformer = WindowTransformer(20).fit(X[:150])
    order = np.random.default_rng(0).permutation(150)
    for rows in (X[130:], X[10:160], X[order]):
        with pytest.warns(UserWarning, match="does not begin with the fitted rows, but contains"):
            assert transformer.transform(rows).n_incomplete == 0
    assert transformer.transform(X[150:]).n_incomplete == 0
    counts = np.random.default_rng(0).poisson(3, 200).astype(float)[:, None]
    WindowTransformer(20).fit(counts[:150]).transform(counts[150:])


def test_window_that_extends_far_before_all_rows_raises():
    X = random_walk(40)
    for method in (
        WindowTransformer(10**9).fit_transform,
        WindowTransformer(5, 10**9).fit_transform,
    ):
        with pytest.raises(
            ValueError, match=r"10{8}.* X has 40 rows, so that no window is complete"
        ):
            method(X)
    with pytest.raises(ValueError, match="no window is complete"):
        sliding_windows(X, 10**9)
    with pytest.raises(ValueError, match="no window is complete"):
        WindowTransformer(10**9).fit(X).transform(X)


TIMES = pd.date_range("2020-01-01", periods=4)
NOT_NUMBERS = {
    "datetime": (TIMES, "holds times"),
    "datetime with zone": (TIMES.tz_localize("UTC"), "holds times"),
    "duration": (TIMES - TIMES[0], "holds times"),
    "period": (TIMES.to_period("D"), "holds times"),
    "date": (pd.Series(TIMES.date), "holds times"),
    "timestamps as objects": (TIMES.astype(object), "holds times"),
    "string": (list("abcd"), "holds strings or categories"),
    "strings as objects": (np.array(list("abcd"), object), "holds strings or categories"),
    "category": (pd.Categorical(list("abcd")), "holds strings or categories"),
    "category of numbers": (pd.Categorical([1, 2, 3, 4]), "holds strings or categories"),
}


@pytest.mark.parametrize(("values", "match"), NOT_NUMBERS.values(), ids=NOT_NUMBERS)
def test_columns_of_times_and_strings_raise(values, match):
    X = pd.DataFrame({"close": [1.0, 2, 3, 4], "other": values})
    for method in (WindowTransformer(2).fit, WindowTransformer(2).fit_transform):
        with pytest.raises(ValueError, match=f"Column 'other' of X {match}"):
            method(X)
    with pytest.raises(ValueError, match=f"Column 'other' of X {match}"):
        WindowTransformer(2).fit(np.ones((3, 2))).transform(X)


def test_polars_columns_of_times_and_strings_raise():
    polars = pytest.importorskip("polars")
    days = [day.to_pydatetime() for day in TIMES]
    for values, match in [
        (days, "holds times"),
        ([day.date() for day in days], "holds times"),
        ([day - days[0] for day in days], "holds times"),
        (list("abcd"), "holds strings"),
        (polars.Series(list("abcd"), dtype=polars.Categorical), "holds strings"),
    ]:
        X = polars.DataFrame({"close": [1.0, 2, 3, 4], "other": values})
        with pytest.raises(ValueError, match=f"Column 'other' of X {match}"):
            WindowTransformer(2).fit(X)


@pytest.mark.parametrize("values", [TIMES.to_numpy(), (TIMES - TIMES[0]).to_numpy(), TIMES])
def test_arrays_of_times_raise(values):
    for X in (values, np.asarray(values)[:, None]):
        with pytest.raises(ValueError, match="X holds times"):
            WindowTransformer(2).fit(X)


@pytest.mark.parametrize("horizon", [1, 3])
def test_unobserved_rows_may_be_nan(horizon):
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


def test_fitted_data_with_nan_is_recognized():
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


# Flattened windows and containers


@pytest.mark.parametrize(
    ("horizon", "names"),
    [
        (0, ["close_lag1", "volume_lag1", "close_lag0", "volume_lag0"]),
        (1, ["close_lag2", "volume_lag2", "close_lag1", "volume_lag1"]),
        (3, ["close_lag4", "volume_lag4", "close_lag3", "volume_lag3"]),
    ],
)
def test_feature_names_match_the_columns(horizon, names):
    X = pd.DataFrame(random_walk(20, 2), columns=["close", "volume"])
    transformer = WindowTransformer(2, horizon, flatten=True)
    windows = transformer.fit_transform(X)
    assert transformer.get_feature_names_out().tolist() == names
    for name, column in zip(names, windows.T[:, 10], strict=True):
        feature, lag = name.split("_lag")
        assert column == X[feature][10 - int(lag)]


def test_feature_names_from_input_features():
    transformer = WindowTransformer(60, flatten=True).fit(random_walk(70))
    assert transformer.get_feature_names_out()[0] == "x0_lag60"
    assert transformer.get_feature_names_out(["close"])[-1] == "close_lag1"
    with pytest.raises(ValueError, match="should have length equal to"):
        transformer.get_feature_names_out(["close", "open"])
    assert not hasattr(WindowTransformer(60), "get_feature_names_out")
    with pytest.raises(NotFittedError):
        WindowTransformer(flatten=True).get_feature_names_out()


def test_feature_names_of_a_pipeline():
    X = pd.DataFrame({"close": random_walk(20)[:, 0]})
    pipeline = make_pipeline(MinMaxScaler(), WindowTransformer(2, flatten=True)).fit(X)
    assert pipeline.get_feature_names_out().tolist() == ["close_lag2", "close_lag1"]


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_flattened_windows_as_data_frame(container):
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


def test_3d_windows_ignore_set_output():
    X = pd.DataFrame(random_walk(20), columns=["close"])
    expected = sliding_windows(X, 3)
    transformer = WindowTransformer(3).set_output(transform="pandas")
    assert_same_windows(transformer.fit_transform(X), expected)
    assert_same_windows(transformer.transform(X), expected)
    with config_context(transform_output="pandas"):
        pipeline = make_pipeline("passthrough", WindowTransformer(3))
        assert_same_windows(pipeline.fit_transform(X), expected)
        assert_same_windows(pipeline.transform(X), expected)


def test_set_output_is_stored_for_flattened_windows():
    transformer = WindowTransformer(3).set_output(transform="pandas").set_output()
    transformer = clone(transformer).set_params(flatten=True)
    assert isinstance(transformer.fit_transform(random_walk(20)), pd.DataFrame)


# Types of series


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
def test_windows_of_strings(fit_kind, kind):
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
        pd.DataFrame({"open": [1, 2], "volume": pd.Categorical(["1,657,300", "1,073,000"])}),
    ],
)
def test_mixed_strings_and_numbers_raise(X):
    with pytest.raises(ValueError, match="Column 'volume' of X holds strings"):
        WindowTransformer(2).fit(X)


def test_numbers_do_not_continue_strings():
    numbers, symbols = np.ones((5, 1)), np.array([["a"]] * 5)
    for rows in (1, 5):
        with pytest.raises(ValueError, match=r"contains strings, .* fitted on numbers"):
            WindowTransformer(2).fit(numbers).transform(symbols[:rows])
        for fitted in (symbols, symbols.astype(object)):
            with pytest.raises(ValueError, match=r"contains numbers, .* fitted on strings"):
                WindowTransformer(2).fit(fitted).transform(numbers[:rows])
    for X, context in [(numbers, symbols), (symbols, numbers)]:
        with pytest.raises(ValueError, match="must both contain numbers or both contain strings"):
            sliding_windows(X, 2, context=context)


# Invalid input


@pytest.mark.parametrize("make", [np.array, pd.Series, list])
def test_one_dimensional_input_is_one_column(make):
    values = random_walk(30)[:, 0]
    X, column = make(values), values[:, None]
    assert_same_windows(sliding_windows(X, 2), sliding_windows(column, 2))
    transformer = WindowTransformer(2).fit(X[:20])
    assert_same_windows(WindowTransformer(2).fit_transform(X), sliding_windows(column, 2))
    windows = transformer.transform(X[20:])
    assert windows.n_incomplete == 0
    np.testing.assert_array_equal(windows, sliding_windows(column, 2)[20:])
    np.testing.assert_array_equal(sliding_windows(X[20:], 2, context=X[:20]), windows)
    with pytest.raises(ValueError, match=r"got shape \(30,\)|got 1D array"):
        WindowTransformer(2).fit(np.ones((5, 2))).transform(X)


def test_three_dimensions_raise():
    for method in (WindowTransformer(2).fit, sliding_windows):
        with pytest.raises(ValueError, match=r"Expected a series X .* got shape \(2, 3, 1\)"):
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
def test_invalid_parameters_raise(parameters, named):
    transformer = WindowTransformer(**parameters)
    for method in (transformer.fit, transformer.fit_transform):
        with pytest.raises(ValueError, match=f"The '{named}' parameter of WindowTransformer"):
            method(random_walk(10))


def test_transform_before_fit_raises():
    with pytest.raises(NotFittedError):
        WindowTransformer(2).transform(random_walk(10))


def test_different_columns_raise():
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
        np.empty((0, 2)),
        np.array([[1.0, "x"]], dtype=object),
    ],
)
def test_failed_refit_does_not_change_the_transformer(bad):
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


# Estimator API


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
def test_fitted_transformer_can_be_copied(copied, with_index):
    X = frame(pd.date_range("2020-03-01", periods=60, freq="h", tz="Europe/Berlin"))
    X = X if with_index else X.to_numpy()
    transformer = WindowTransformer(5).fit(X[:40])
    for rows in (X[40:], X[:40], X):
        assert_same_windows(copied(transformer).transform(rows), transformer.transform(rows))


def test_fitted_transformer_does_not_store_the_data():
    X = frame(pd.date_range("2000-01-01", periods=20_000, freq="h"))
    assert len(pickle.dumps(WindowTransformer(10).fit(X))) < 0.05 * X.to_numpy().nbytes


def test_refit_replaces_the_fitted_state():
    other = random_walk(8, 3, seed=1)
    refitted = WindowTransformer(5).fit(frame(pd.RangeIndex(40))).fit(other[:6])
    following = pd.DataFrame(other[6:])  # the first fit would cause a warning about this index
    assert_same_windows(
        refitted.transform(following), WindowTransformer(5).fit(other[:6]).transform(other[6:])
    )
    assert (refitted.n_samples_fit_, refitted.n_features_in_) == (6, 3)


# Real data


DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data in {DATA}")


@needs_data
def test_windows_of_facebook_prices():
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
def test_windows_of_mastercard_prices():
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
