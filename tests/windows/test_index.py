"""WindowTransformer on DataFrames, whose index determines which rows follow the fitted rows."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skrnn import WindowTransformer, sliding_windows

from .helpers import assert_same_windows, frame


def dates(*args, **kwargs):
    return lambda n: pd.date_range(*args, periods=n, **kwargs)


INDEXES = {
    "days ns": dates("2020-01-01", unit="ns"),
    "days us": dates("2020-01-01", unit="us"),
    "hours with zone": dates("2020-03-01", freq="h", tz="Europe/Berlin"),
    "ticks": dates("2020-01-01", freq="100ns", unit="ns"),
    "before nanoseconds": dates("1066-10-14", freq="1000D", unit="s"),
    "periods": lambda n: pd.period_range("2020-01", periods=n, freq="M"),
    "durations": lambda n: pd.timedelta_range("1h", periods=n, freq="h"),
    "range": pd.RangeIndex,
    "integers": lambda n: pd.Index(np.arange(10, 10 + 3 * n, 3)),
    "small integers": lambda n: pd.Index(np.arange(-100, n - 100, dtype="int8")),
    "floats": lambda n: pd.Index(np.arange(n) * 0.1),
    "labels": lambda n: pd.Index([f"row {i:03}" for i in range(n)]),
}
COMPARABLE = [name for name in INDEXES if name != "labels"]


@pytest.fixture(params=INDEXES)
def indexed(request):
    return frame(INDEXES[request.param](100))


@pytest.fixture(params=COMPARABLE)
def comparable(request):
    return frame(INDEXES[request.param](100))


def test_index_after_the_fitted_rows_gets_context(indexed):
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


def test_index_decides_for_equal_values(indexed):
    indexed.iloc[:] = 1.0
    assert (
        WindowTransformer(5).fit(indexed.iloc[:40]).transform(indexed.iloc[40:]).n_incomplete == 0
    )


@pytest.mark.parametrize(("start", "stop"), [(0, 10), (0, 19), (19, 20), (10, 80), (20, 59)])
def test_index_before_the_fitted_rows_warns(indexed, start, stop):
    transformer = WindowTransformer(5).fit(indexed.iloc[20:60])
    with pytest.warns(UserWarning, match="is not the fitted data") as record:
        windows = transformer.transform(indexed.iloc[start:stop])
    assert_same_windows(windows, sliding_windows(indexed.iloc[start:stop], 5))
    message = str(record[0].message)
    assert f"begins at index {indexed.index[start]}," in message
    assert f"fitted rows at {indexed.index[59]}," in message
    assert record[0].filename == __file__


@pytest.mark.parametrize("rows", [range(21, 30), range(30, 80), [59], range(40, 100)])
def test_index_among_the_fitted_rows_raises(indexed, rows):
    transformer = WindowTransformer(5).fit(indexed.iloc[20:60])
    message = f"X begins at index {indexed.index[rows[0]]}, and the fitted rows are those from "
    with pytest.raises(ValueError, match="fitted rows are missing before or between") as error:
        transformer.transform(indexed.iloc[rows])
    assert message in str(error.value)


def test_shuffled_split_of_an_index_raises(comparable):
    for train, test in KFold(3, shuffle=True, random_state=0).split(comparable):
        transformer = WindowTransformer(5).fit(comparable.iloc[train])
        with pytest.raises(ValueError, match="shuffled split"):
            transformer.transform(comparable.iloc[test])


def test_different_values_with_the_fitted_index_warn():
    """Such as two files whose rows are both numbered from 0."""
    train, test = frame(pd.RangeIndex(40)), frame(pd.RangeIndex(60), seed=1)
    transformer = WindowTransformer(5).fit(train)
    with pytest.warns(UserWarning, match=r"begins at index 0, .* at 39, .* X.to_numpy\(\)"):
        windows = transformer.transform(test)
    assert windows.n_incomplete == 5
    assert transformer.transform(test.to_numpy()).n_incomplete == 0


def test_fitted_values_with_another_index():
    X = frame(pd.RangeIndex(40))
    transformer = WindowTransformer(5).fit(X)
    with pytest.warns(UserWarning, match="is not the fitted data"):
        assert transformer.transform(X.set_axis(np.arange(40) - 0.5)).n_incomplete == 5
    with pytest.raises(ValueError, match=r"begins at index 0\.5"):
        transformer.transform(X.set_axis([0.5, *range(1, 40)]))


def test_gap_that_overflows_a_small_integer_warns():
    X = frame(pd.Index(np.array([-100, -99, -98, 100], dtype="int8")))
    with pytest.warns(UserWarning, match="from index -98 to 100 is larger"):
        WindowTransformer(2).fit(X.iloc[:3]).transform(X.iloc[3:])


def test_gap_warning_names_its_boundaries(comparable):
    transformer = WindowTransformer(5).fit(comparable.iloc[:40])
    index = comparable.index
    for X, start, stop in [
        (comparable.iloc[42:], 39, 42),  # directly after the fitted rows
        (pd.concat([comparable.iloc[40:50], comparable.iloc[53:]]), 49, 53),
        (pd.concat([comparable.iloc[:60], comparable.iloc[62:]]), 59, 62),  # after the fitted data
    ]:
        with pytest.warns(UserWarning, match="Rows may be missing") as record:
            windows = transformer.transform(X)
        assert f"from index {index[start]} to {index[stop]} is" in str(record[0].message)
        assert record[0].filename == __file__
        assert len(windows) == len(X)
        assert windows.n_incomplete == (5 if len(X) > 60 else 0)


def test_string_labels_have_no_gaps():
    labelled = frame(INDEXES["labels"](100))
    assert WindowTransformer(5).fit(labelled[:40]).transform(labelled[60:]).n_incomplete == 0


REGULAR = {
    "weekends": (pd.bdate_range("2020-01-01", periods=90), 20),
    "months": (pd.date_range("2020-01-01", periods=90, freq="MS"), 20),
    "days with a clock change": (pd.date_range("2020-09-20", periods=90, tz="Europe/Berlin"), 20),
    "hours with a clock change": (
        pd.date_range("2020-03-28", periods=90, freq="h", tz="Europe/Berlin"),
        20,
    ),
    "tenths": (pd.Index(np.arange(90) * 0.1), 3),
    "one fitted row": (pd.RangeIndex(0, 900, 10), 1),
}


@pytest.mark.parametrize(("index", "n_fit"), REGULAR.values(), ids=REGULAR)
def test_regular_steps_do_not_warn(index, n_fit):
    """Warnings are errors in the test suite."""
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
def test_indexes_are_compared_across_units_and_time_zones(fitted, other):
    X = frame(INDEXES[fitted](100))
    transformer = WindowTransformer(5).fit(X.iloc[:40])
    X = X.set_axis(other(X.index))
    assert transformer.transform(X).n_incomplete == 5
    assert transformer.transform(X.iloc[40:]).n_incomplete == 0
    with pytest.raises(ValueError, match="fitted rows are missing"):
        transformer.transform(X.iloc[10:])
    if X.index.dtype != object:
        with pytest.warns(UserWarning, match="Rows may be missing"):
            assert transformer.transform(X.iloc[43:]).n_incomplete == 0


def test_dates_beyond_the_range_of_nanoseconds():
    transformer = WindowTransformer(5).fit(frame(INDEXES["before nanoseconds"](50)))
    later = frame(pd.date_range("2020-01-01", periods=20, unit="us"))
    with pytest.warns(UserWarning, match="Rows may be missing"):
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
        ("range", "durations"),
    ],
)
def test_values_decide_for_indexes_of_different_types(fitted, other):
    X = frame(INDEXES[fitted](100))
    transformer = WindowTransformer(5).fit(X.iloc[:40])
    X = X.set_axis(INDEXES[other](100))
    assert transformer.transform(X.iloc[40:]).n_incomplete == 0
    assert_same_windows(transformer.transform(X.iloc[:40]), sliding_windows(X.iloc[:40], 5))
    assert_same_windows(transformer.transform(X), sliding_windows(X, 5))


def test_values_decide_for_periods_of_different_frequencies():
    X = frame(pd.period_range("2020-01", periods=60, freq="M"))
    transformer = WindowTransformer(5).fit(X.iloc[:40])
    days = X.set_axis(pd.period_range("2020-01-01", periods=60, freq="D"))
    assert transformer.transform(days).n_incomplete == 5
    assert transformer.transform(days.iloc[40:]).n_incomplete == 0


@pytest.mark.parametrize("convert", ["fit", "transform"])
def test_values_decide_for_a_frame_and_an_array(convert):
    X = frame(INDEXES["days us"](100))
    fitted, given = (X.to_numpy(), X) if convert == "fit" else (X, X.to_numpy())
    transformer = WindowTransformer(5).fit(fitted[:40])
    assert transformer.transform(given[40:]).n_incomplete == 0
    assert_same_windows(transformer.transform(given), sliding_windows(X, 5))


@pytest.mark.parametrize("order", [[0, 1, 3, 2, 4], [0, 1, 3, 3, 4]], ids=["order", "duplicate"])
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
    for fitted in (
        indexed.iloc[:3],
        indexed.iloc[:3].to_numpy(),
    ):  # also without a fitted index
        transformer.fit(fitted)
        with pytest.raises(ValueError, match="index must be increasing") as error:
            transformer.transform(broken)
        assert message in str(error.value)


@pytest.mark.parametrize("index", [[np.nan], [pd.NaT], [1.0, np.nan], [1, "a"], ["a", None]])
def test_index_without_an_order_raises(index):
    with pytest.raises(ValueError, match=f"index must be increasing, but row {len(index) - 1} "):
        WindowTransformer(2).fit(frame(pd.Index(index)))


def test_index_is_preserved_by_a_pipeline_with_pandas_output():
    X = frame(INDEXES["days us"](60))
    X.columns = ["open", "high"]
    pipeline = make_pipeline(MinMaxScaler(), WindowTransformer(5)).set_output(transform="pandas")
    pipeline.fit(X.iloc[:40])
    assert pipeline.transform(X.iloc[40:]).n_incomplete == 0
    with pytest.raises(ValueError, match="fitted rows are missing"):
        pipeline.transform(X.iloc[10:])


def test_panel_raises():
    panel = frame(pd.MultiIndex.from_product([["a", "b"], range(10)]))
    for method in (WindowTransformer(2).fit, WindowTransformer(2).fit_transform):
        with pytest.raises(ValueError, match=r"MultiIndex.* not accept\. Use RNNForecaster"):
            method(panel)
    with pytest.raises(ValueError, match="MultiIndex"):
        WindowTransformer(2).fit(panel.to_numpy()).transform(panel)


def test_dates_as_strings_are_ordered_as_text():
    days = pd.date_range("2020-01-01", periods=20)
    X = frame([f"{day.month}/{day.day}/{day.year}" for day in days])
    with pytest.raises(ValueError, match=r"strings such as '1/1/2020'.*pd.to_datetime"):
        WindowTransformer(2).fit(X)


def test_index_of_a_series():
    series = frame(pd.date_range("2020-01-01", periods=30)).iloc[:, 0]
    transformer = WindowTransformer(3).fit(series.iloc[:20])
    assert transformer.transform(series.iloc[20:]).n_incomplete == 0
    with pytest.raises(ValueError, match="fitted rows are missing"):
        transformer.transform(series.iloc[10:])


def test_gaps_of_irregular_steps_are_larger_by_more_than_half():
    days = pd.bdate_range("2020-01-01", periods=60).delete([20, 50])  # a holiday each
    X = frame(days)
    transformer = WindowTransformer(3).fit(X[:40])
    assert transformer.transform(X[40:]).n_incomplete == 0
    with pytest.warns(UserWarning, match="Rows may be missing"):
        transformer.transform(X[45:])
