import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sktime.forecasting.base import ForecastingHorizon

from skrnn.forecasting import RNNForecaster
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
    "index", [pd.Index([1.0, 3.0]), pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-05"])]
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
    with pytest.raises(ValueError, match=r"00:30:00 lies between the labels of .*`resample`"):
        TimeIndexer(hours).ordinals(hours + pd.Timedelta("30min"))


def test_missing_row_raises():
    rows = monthly().drop(MONTHS[10])
    message = r"The series 'a' has no row between 2015-10 and 2015-12.*fill"
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
    index = pd.to_datetime([0, 1, 3, 7, 8, 20], unit="D")
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


# Labels of rows


def values(n_rows):
    return np.sin(np.arange(n_rows) / 4) + 3


def series(index):
    return pd.Series(values(len(index)), index=index)


def panel_of(index):
    return pd.concat({key: series(index).to_frame("v") for key in "ab"}, names=["key", "time"])


def make(**parameters):
    return RNNForecaster(window_length=5, epochs=1, units=2, random_state=0, **parameters)


@pytest.fixture(scope="module")
def forecast_of_40_rows():
    return make().fit(series(pd.RangeIndex(40)), fh=[1, 2]).predict()


@pytest.mark.parametrize("index", [pd.RangeIndex(10, 90, 2), pd.Index(np.arange(10, 90, 2))])
def test_a_regular_step_of_integers_is_kept(index, forecast_of_40_rows):
    forecaster = make().fit(series(index), fh=[1, 2])
    expected = forecast_of_40_rows.to_numpy()
    absolute = ForecastingHorizon([90, 92], is_relative=False)
    for y_pred in (forecaster.predict(), forecaster.predict(fh=absolute)):
        assert y_pred.index.tolist() == [90, 92]
        np.testing.assert_array_equal(y_pred.to_numpy(), expected)
    assert forecaster.predict(fh=[-2, 0]).index.tolist() == [84, 88]
    assert forecaster.predict_interval(fh=[1]).index.tolist() == [90]
    with pytest.raises(ValueError, match="91 lies between the labels of a series with step 2"):
        forecaster.predict(fh=ForecastingHorizon([91], is_relative=False))
    updated = forecaster.clone().fit(series(index), fh=[1]).update(series(pd.Index([90, 92])))
    assert updated.predict(fh=[1]).index.tolist() == [94]
    assert make().fit(panel_of(index), fh=[1]).predict().index.tolist() == [("a", 90), ("b", 90)]


@pytest.mark.parametrize("make_y", [series, panel_of])
@pytest.mark.parametrize(
    ("index", "match"),
    [
        ([*range(20), *range(21, 41)], r"no row between 19 and 21, .*reset_index\(drop=True\)"),
        ([*range(0, 40, 2), *range(42, 80, 2)], "no row between 38 and 42"),
        ([*range(20), *range(19, 39)], "duplicate labels: 19 occurs more than once"),
        (pd.date_range("2020-01-01", periods=40).repeat(2), "duplicate labels: 2020-01-01"),
    ],
)
def test_holes_and_duplicates_raise(make_y, index, match):
    forecaster = make()
    with pytest.raises(ValueError, match=match):
        forecaster.fit(make_y(pd.Index(index)), fh=[1])
    assert not forecaster.is_fitted


def test_holes_of_an_update_raise_and_change_nothing(forecast_of_40_rows):
    forecaster = make().fit(series(pd.RangeIndex(40)), fh=[1, 2])
    for index, match in [
        ([42], "no row between 39 and 42"),
        ([40, 40], "duplicate labels: 40"),
        (["40"], "index of strings such as '40'"),
    ]:
        with pytest.raises(ValueError, match=match):
            forecaster.update(series(pd.Index(index)))
        pd.testing.assert_series_equal(forecaster.predict(fh=[1, 2]), forecast_of_40_rows)


def test_the_advice_on_trading_days_works(forecast_of_40_rows):
    days = pd.bdate_range("2020-01-01", periods=41).delete(7)
    y = series(days)
    with pytest.raises(ValueError, match="not evenly spaced") as error:
        make().fit(y, fh=[1])
    assert "y.reset_index(drop=True)" in str(error.value)
    assert "y.asfreq('B').ffill()" in str(error.value)
    numbered = make().fit(y.reset_index(drop=True), fh=[1, 2]).predict()
    pd.testing.assert_series_equal(numbered, forecast_of_40_rows)
    filled = make().fit(y.asfreq("B").ffill(), fh=[1]).predict()
    assert filled.index[0] == days[-1] + pd.offsets.BDay()


@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(42),
        pd.RangeIndex(0, 84, 2),
        pd.date_range("2020-01-01", periods=42),
        pd.period_range("2020-01", periods=42, freq="M"),
    ],
    ids=["range", "step 2", "dates", "periods"],
)
def test_rows_of_an_array_are_counted(index):
    X = pd.DataFrame({"x": np.arange(42.0)}, index=index)
    y = series(index[:40])
    forecaster = make().fit(y, X=X[:40], fh=[1, 2])
    expected = forecaster.predict(X=X[40:])
    for future in (X[40:].to_numpy(), X["x"].to_numpy()[40:]):
        pd.testing.assert_series_equal(forecaster.predict(X=future), expected)
    fitted_on_array = make().fit(y, X=X[:40].to_numpy(), fh=[1, 2])
    pd.testing.assert_series_equal(fitted_on_array.predict(X=X[40:].to_numpy()), expected)
    with pytest.raises(ValueError, match="no row of X 2 steps after its last row"):
        forecaster.predict(X=X[40:41].to_numpy())
    with pytest.raises(ValueError, match="X is an array of 39 rows, but y has 40"):
        make().fit(y, X=X[:39].to_numpy(), fh=[1])


DATES = pd.date_range("2020-01-01", periods=40)


@pytest.mark.parametrize(
    ("y", "X", "match"),
    [
        (series(DATES.strftime("%m/%d/%Y")), None, "an index of strings such as '01/01/2020'"),
        (panel_of(DATES.strftime("%Y-%m-%d")), None, r"strings .*pd.to_datetime\(y.index\)"),
        (series(DATES)[:0], None, "y has no rows"),
        (series(DATES).where(DATES != DATES[7]), None, "y contains NaN at 2020-01-08"),
        (pd.Series(DATES, index=DATES), None, "of y holds times"),
        (series(DATES), pd.DataFrame({"day": DATES}, DATES), "Column 'day' of X holds times"),
        (series(DATES), series(DATES.repeat(2)).to_frame(), "X has duplicate labels"),
        (series(DATES), pd.DataFrame(np.ones((40, 2)), DATES, ["a", "a"]), "duplicate column"),
    ],
)  # fmt: skip
def test_bad_data_raises(y, X, match):
    forecaster, before = make(), (y.copy(), None if X is None else X.copy())
    with pytest.raises(ValueError, match=match):
        forecaster.fit(y, X=X, fh=[1])
    assert not forecaster.is_fitted
    assert y.equals(before[0])
    assert X is None or X.equals(before[1])


def test_fh_of_strings_raises():
    with pytest.raises(ValueError, match=r"fh=\['2020-03-01'\] contains strings"):
        make().fit(series(DATES), fh=["2020-03-01"])


def test_random_state_of_numpy_seeds_the_forecaster():
    forecasts = []
    for _ in range(2):
        np.random.seed(3)  # noqa: NPY002
        forecasts.append(make().set_params(random_state=None).fit(series(DATES), fh=[1]).predict())
    pd.testing.assert_series_equal(*forecasts)
    state = np.random.get_state()[1].tolist()  # noqa: NPY002
    make().fit(series(DATES), fh=[1])
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002


def test_labels_of_fh_between_those_of_the_series_raise():
    forecaster = make().fit(series(DATES), fh=[1])
    expected = forecaster.predict()
    noon = ForecastingHorizon(DATES[-1:] + pd.Timedelta("36h"), is_relative=False)
    with pytest.raises(ValueError, match="2020-02-10 12:00:00, which lies between the labels"):
        forecaster.predict(fh=noon)
    pd.testing.assert_series_equal(forecaster.predict(), expected)  # fh is that of fit
    months = make().fit(series(pd.date_range("2020-01-31", periods=40, freq="ME")), fh=[1])
    middle = ForecastingHorizon(pd.DatetimeIndex(["2023-05-15"]), is_relative=False)
    with pytest.raises(ValueError, match="2023-05-15"):
        months.predict(fh=middle)


def test_an_update_with_an_array_raises():
    forecaster = make().fit(values(40), fh=[1])
    expected = forecaster.predict()
    with pytest.raises(ValueError, match=r"y is an array .*Update with a Series .* after 39"):
        forecaster.update(values(4))
    np.testing.assert_array_equal(forecaster.predict(), expected)
    forecaster.update(pd.Series(values(2), index=[40, 41]))


@pytest.mark.parametrize("random_state", [True, -1, "x", 1.5])
def test_a_random_state_that_is_no_seed_raises(random_state):
    with pytest.raises(ValueError, match="random_state must be"):
        make().set_params(random_state=random_state).fit(series(DATES), fh=[1])
