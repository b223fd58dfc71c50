"""Datasets: shapes, published properties and errors."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import make_pipeline

from skrnn import NaiveRegressor, WindowTransformer
from skrnn.datasets import (
    load_airline,
    load_cities,
    load_google,
    load_stock,
    load_text,
    make_adding,
    make_ar,
    make_mackey_glass,
    make_narma,
)

DATA = Path(__file__).parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data in {DATA}")

STOCKS = {
    # n_train, n_test, column, naive test RMSE, first and last day of each set
    "facebook": (1258, 21, "Open", 4.38, "2015-01-02", "2019-12-31", "2020-01-02", "2020-01-31"),
    "google": (1258, 20, "Open", 8.42, "2012-01-03", "2016-12-30", "2017-01-03", "2017-01-31"),
    "mastercard": (1259, 195, "High", 5.28, "2016-01-04", "2020-12-31", "2021-01-04", "2021-10-11"),
}


def all_numeric(table):
    return all(dtype.kind in "if" for dtype in table.dtypes) and not table.isna().any(axis=None)


def test_google_is_complete_and_ordered():
    prices = load_google()
    assert prices.columns.tolist() == ["Open", "High", "Low", "Close", "Adj Close", "Volume"]
    assert isinstance(prices.index, pd.DatetimeIndex)
    assert prices.index.is_monotonic_increasing
    assert prices.index.is_unique
    assert str(prices.index[0].date()) == "2004-08-19"
    assert all_numeric(prices)
    assert (prices["Low"] <= prices[["Open", "Close"]].min(axis=1)).all()
    assert (prices["High"] >= prices[["Open", "Close"]].max(axis=1)).all()


def test_airline_has_periods():
    passengers = load_airline()
    assert passengers.shape == (144, 1)
    assert isinstance(passengers.index, pd.PeriodIndex)
    assert passengers.index.freqstr == "M"
    assert passengers["Passengers"].iloc[-1] == 432


@pytest.mark.parametrize("name", STOCKS)
@needs_data
def test_stock_has_the_split_of_the_tutorial(name):
    n_train, n_test, column, rmse, *days = STOCKS[name]
    train, test = load_stock(DATA, name)
    assert (len(train), len(test)) == (n_train, n_test)
    index = [*train.index[[0, -1]], *test.index[[0, -1]]]
    assert [str(day.date()) for day in index] == days
    for prices in train, test:
        assert all_numeric(prices)
        assert prices.index.is_monotonic_increasing
        assert {"Open", "High", "Low", "Close", "Volume"} <= {*prices.columns}
    naive = make_pipeline(WindowTransformer(1), NaiveRegressor()).fit(train[[column]])
    naive_rmse = root_mean_squared_error(test[[column]], naive.predict(test[[column]]))
    assert round(naive_rmse, 2) == rmse


def test_thousands_separators_and_american_dates(tmp_path):
    folder = tmp_path / "google"
    folder.mkdir()
    header = "Date,Open,High,Low,Close,Volume\r\n"
    rows = '2/1/2012,1.5,2,1,"1,155.55","7,380,500"\r\n12/30/2012,2.5,3,2,3,100'
    for subset in "Train", "Test":
        (folder / f"Google_Stock_Price_{subset}.csv").write_text(header + rows, newline="")
    train, test = load_stock(tmp_path, "google")
    pd.testing.assert_frame_equal(train, test)
    assert train["Close"].tolist() == [1155.55, 3.0]
    assert train["Volume"].tolist() == [7380500, 100]
    assert train.index.month.tolist() == [2, 12]


def test_rows_out_of_order_are_sorted(tmp_path):
    (tmp_path / "mastercard").mkdir()
    rows = "2021-01-04,3\n2020-12-31,2\n2015-12-31,0\n2016-01-04,1\n"
    (tmp_path / "mastercard" / "Mastercard_stock_history.csv").write_text("Date,High\n" + rows)
    train, test = load_stock(tmp_path, "mastercard")
    assert train["High"].tolist() == [1, 2]
    assert test["High"].tolist() == [3]


def test_stock_without_folder_returns_google():
    train, test = load_stock(None, "mastercard")
    pd.testing.assert_frame_equal(pd.concat([train, test]), load_google())
    assert len(test) == 200


def test_stock_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"FB_training_data\.csv is missing"):
        load_stock(tmp_path, "facebook")
    with pytest.raises(ValueError, match=r"name='apple' is not known\. Choose one of 'facebook'"):
        load_stock(tmp_path, "apple")


@pytest.mark.parametrize("coefficients", [(1.2, -0.5), (0.9,), (0.0, 0.0, 0.7), ()])
def test_ar_follows_its_recursion(coefficients):
    n, p = 20_000, len(coefficients)
    x = make_ar(n, coefficients, noise=3.0, random_state=0)
    assert x.shape == (n, 1)
    best = sum(
        (c * x[p - lag : n - lag, 0] for lag, c in enumerate(coefficients, 1)), np.zeros(n - p)
    )
    errors = x[p:, 0] - best
    assert np.std(errors) == pytest.approx(3.0, rel=0.02)
    assert abs(np.corrcoef(errors[1:], errors[:-1])[0, 1]) < 0.03


def test_ar_is_stationary_from_its_first_row():
    expected = 1 / np.sqrt(1 - 0.99**2)
    first = [make_ar(1, (0.99,), random_state=seed)[0, 0] for seed in range(1000)]
    assert np.std(first) == pytest.approx(expected, rel=0.1)


def test_ar_is_seeded():
    a, b, c = (make_ar(50, random_state=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


@pytest.mark.parametrize("coefficients", [(1.0,), (1.2, -0.1), (0.5, 0.6), (np.nan,)])
def test_ar_coefficients_that_are_not_stationary_raise(coefficients):
    with pytest.raises(ValueError, match=r"not define a stationary series|NaN|inf"):
        make_ar(10, coefficients)


@pytest.mark.parametrize("n_timesteps", [2, 3, 100])
def test_adding_problem(n_timesteps):
    X, y = make_adding(4000, n_timesteps, random_state=0)
    assert X.shape == (4000, n_timesteps, 2)
    half = n_timesteps // 2
    for markers in (X[:, :half, 1], X[:, half:, 1]):
        np.testing.assert_array_equal(np.sum(markers, axis=1), 1)
        assert np.all(np.any(markers, axis=0))  # each step is marked in some sequence
    np.testing.assert_allclose(y, [row[row[:, 1] == 1, 0].sum() for row in X])
    assert np.mean((y - 1) ** 2) == pytest.approx(1 / 6, rel=0.05)


@pytest.mark.parametrize("order", [1, 4, 10])
def test_narma_follows_its_recursion(order):
    X, y = make_narma(300, order, random_state=0)
    x = X[:, 0]
    assert X.shape == (300, 1)
    assert y.shape == (300,)
    assert 0 <= x.min() < x.max() <= 0.5
    for t in range(order, 300):  # x[t] is the input of y[t]
        past = sum(y[t - k] for k in range(1, order + 1))
        expected = 0.3 * y[t - 1] + 0.05 * y[t - 1] * past + 1.5 * x[t - order + 1] * x[t] + 0.1
        assert y[t] == pytest.approx(expected)


def test_narma_stays_finite():
    assert all(np.abs(make_narma(1000, random_state=seed)[1]).max() < 2 for seed in range(20))


def test_mackey_glass_has_the_known_range_and_period():
    series = make_mackey_glass(5000, random_state=0)[:, 0]
    # The range and mean are well known, and the period is about 50 rows.
    assert series.min() == pytest.approx(0.42, abs=0.03)
    assert series.max() == pytest.approx(1.31, abs=0.03)
    assert series.mean() == pytest.approx(0.93, abs=0.02)
    n_rises = np.sum((series[1:] > 0.93) & (series[:-1] <= 0.93))
    assert 35 < 5000 / n_rises < 60


def test_mackey_glass_is_chaotic_from_a_delay_of_17():
    """Without chaos the series becomes periodic, so a shifted copy is almost equal."""
    periodic = make_mackey_glass(3000, delay=10, random_state=0)[:, 0]
    distance = [np.abs(periodic[:-lag] - periodic[lag:]).max() for lag in range(10, 200)]
    assert min(distance) < 0.02
    chaotic = make_mackey_glass(3000, random_state=0)[:, 0]
    distance = [np.abs(chaotic[:-lag] - chaotic[lag:]).max() for lag in range(10, 200)]
    assert min(distance) > 0.1


@pytest.mark.parametrize("make", [make_adding, make_narma, make_mackey_glass])
def test_generators_are_seeded(make):
    a, b, c = (np.concatenate([*make(50, random_state=seed)], None) for seed in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_invalid_parameters_of_generators_raise():
    with pytest.raises(ValueError, match="n_timesteps=1 must be at least 2"):
        make_adding(5, 1)
    with pytest.raises(ValueError, match="order=20 must be between 1 and 10"):
        make_narma(5, 20)
    with pytest.raises(ValueError, match="delay=0 must be at least 1"):
        make_mackey_glass(5, 0)


def test_cities_and_their_regions():
    cities, regions = load_cities()
    assert len(cities) == len(regions) == len(set(cities)) > 300
    assert dict(zip(cities, regions, strict=True))["Buenos Aires"] == "America"
    assert len(set(regions)) == 9


def test_texts_that_dependencies_include():
    assert len(load_text(None, "fable")) == 856
    assert len(load_text(None, "shakespeare")) > 20_000
    with pytest.raises(ValueError, match="'fables' is not known"):
        load_text(None, "fables")
    with pytest.raises(FileNotFoundError):
        load_text("no such folder", "fable")
