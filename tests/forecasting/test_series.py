import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from skrnn.forecasting._series import PanelSeries, TimeIndexer, check_index_type, split_panel

from .helpers import MONTHS, monthly, panel, panel_series


@pytest.mark.parametrize(
    "freq", ["D", "2D", "W", "B", "MS", "ME", "2MS", "QS", "QE", "YS", "YE", "BME", "h", "15min"]
)
def test_dates_of_any_frequency_have_consecutive_ordinals(freq):
    dates = pd.date_range("2000-01-03", periods=30, freq=freq)
    for index in (dates, pd.DatetimeIndex([*dates])):
        indexer = TimeIndexer(index)
        ordinals = indexer.ordinals(index)
        assert_array_equal(np.diff(ordinals), 1)
        assert_array_equal(indexer.ordinals(index[7:20:3]), ordinals[7:20:3])


@pytest.mark.parametrize("index", [MONTHS, pd.RangeIndex(3, 30), pd.Index([-1, 0, 1])], ids=str)
def test_periods_and_integers_have_consecutive_ordinals(index):
    assert_array_equal(np.diff(TimeIndexer(index).ordinals(index)), 1)


@pytest.mark.parametrize(
    "index", [pd.Index([1, 3, 4]), pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-05"])]
)
def test_unevenly_spaced_labels_have_no_ordinals(index):
    indexer = TimeIndexer(index)
    assert indexer.ordinals(index) is None
    assert indexer.unit[0] == "order"
    assert indexer.with_freq(index[0]).tolist() == [index[0]]


def test_a_label_gets_the_frequency_of_the_series():
    dates = pd.date_range("2020-01-31", periods=5, freq="ME")
    indexer = TimeIndexer(pd.DatetimeIndex([*dates]))
    assert indexer.with_freq(dates[2]).freqstr == "ME"
    assert indexer.with_freq(pd.Timestamp("2020-02-15")).freq is None


def test_date_between_those_of_the_series_raises():
    hours = pd.date_range("2024-01-01", periods=40, freq="h")
    with pytest.raises(ValueError, match=r"00:30:00 lies between the dates of .*`resample`"):
        TimeIndexer(hours).ordinals(hours + pd.Timedelta("30min"))


def test_missing_row_raises():
    rows = monthly().drop(MONTHS[10])
    message = r"The series 'a' has no row between 2015-10 and 2015-12.*Imputer"
    with pytest.raises(ValueError, match=message):
        PanelSeries(("a",), rows.index, rows.to_numpy()[:, None], None, TimeIndexer(rows.index))


def series_of(y, exog=None):
    return PanelSeries((), y.index, y.to_numpy()[:, None], exog, TimeIndexer(y.index))


def test_append_replaces_rows_with_the_same_label():
    y = monthly()
    both = series_of(y[:50]).append(series_of(y[40:55] + 1000))
    assert_array_equal(both.index, y.index[:55])
    assert_array_equal(both.values[:, 0], np.r_[y[:40], y[40:55] + 1000])


def test_head_and_count_until():
    series = series_of(monthly())
    assert_array_equal(series.head(7).values, series.values[:7])
    assert series.head(7).index.equals(MONTHS[:7])
    assert series.count_until(MONTHS[9]) == (10, 0)
    assert series.count_until(MONTHS[-1] + 4) == (60, 4)
    assert series.count_until(MONTHS[0] - 1) == (0, 0)
    assert series.first_ordinal == 540  # January 2015 is the first month of a season of 12


X = pd.DataFrame({"a": np.arange(60.0), "b": 1.0}, index=MONTHS)


def test_exogenous_rows_are_aligned_with_the_series():
    series = series_of(monthly()[5:40], X[:45])
    assert_array_equal(series.exog_values(35), X[5:40])
    assert_array_equal(series.exog_values(40), X[5:45])
    assert_array_equal(series.exog_values(38, n_optional=10), X[5:45])
    assert_array_equal(series.exog_values(50, X[45:]), X[5:55])


def test_exogenous_rows_without_ordinals_follow_the_series():
    index = pd.Index([0, 1, 3, 7, 8, 20])
    y = pd.Series(np.arange(4.0), index[:4])
    exog = pd.DataFrame({"a": np.arange(6.0)}, index)
    assert_array_equal(series_of(y, exog).exog_values(6)[:, 0], np.arange(6))


def test_missing_exogenous_row_raises():
    series = series_of(monthly()[:50], X[:50])
    with pytest.raises(ValueError, match=r"no row of X 1 steps after its last row.*without gaps"):
        series.exog_values(51)
    with pytest.raises(ValueError, match=r"no row of X 2 steps after"):
        series.exog_values(53, X.iloc[[50, 52]])
    with pytest.raises(ValueError, match=r"no row of X 2015-04"):
        series_of(monthly()[:50], X.drop(MONTHS[3])).exog_values(50)
    with pytest.raises(ValueError, match=r"The series has no X, but .* was fitted with X"):
        series_of(monthly()).exog_values(60)


def test_index_of_another_type_raises():
    y = monthly().to_frame()
    check_index_type("y", y, MONTHS)
    with pytest.raises(ValueError, match=r"y has 2 index levels, but 1 are needed"):
        check_index_type("y", panel(), MONTHS)
    with pytest.raises(ValueError, match=r"X has a DatetimeIndex, but a PeriodIndex is needed"):
        check_index_type("X", y.set_axis(MONTHS.to_timestamp()), MONTHS)


def test_split_panel_yields_sorted_keys():
    frame = panel((3, 4, 5), levels=2)
    assert [key for key, _ in split_panel(frame[::-1])] == [("a", "s0"), ("a", "s2"), ("b", "s1")]
    assert [len(series) for series in panel_series(frame)] == [3, 5, 4]
    ((key, rows),) = split_panel(monthly().to_frame())
    assert key == ()
    assert len(rows) == 60
