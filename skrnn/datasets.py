"""Series to try things on: some that ship with our dependencies, files, and a generator."""

from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["load_airline", "load_cities", "load_google", "load_stock", "load_text", "make_ar"]

_TEXTS = {"fable": "fable/belling_the_cat.txt", "shakespeare": "tinyshakespeare/input.txt"}

# File and days of train, and of test.
_STOCKS = {
    "facebook": [("fb/FB_training_data.csv", slice(None)), ("fb/FB_test_data.csv", slice(None))],
    "google": [
        ("google/Google_Stock_Price_Train.csv", slice(None)),
        ("google/Google_Stock_Price_Test.csv", slice(None)),
    ],
    "mastercard": [
        ("mastercard/Mastercard_stock_history.csv", slice("2016", "2020")),
        ("mastercard/Mastercard_stock_history.csv", slice("2021", "2021")),
    ],
}


def load_google():
    """Load the daily prices of Google's stock that ship with matplotlib.

    Returns
    -------
    prices : DataFrame of shape (1047, 6)
        Open, High, Low, Close and Adj Close in US dollars, and Volume in shares, for each trading
        day from 2004-08-19 to 2008-10-14 (a DatetimeIndex).

    Notes
    -----
    Read from ``goog.npz`` in matplotlib's sample data.

    Examples
    --------
    >>> from skrnn.datasets import load_google
    >>> prices = load_google()
    >>> prices.shape
    (1047, 6)
    >>> prices.loc["2008-10-10":, ["Open", "Close", "Volume"]]
                  Open   Close    Volume
    Date
    2008-10-10  313.16  332.00  10597800
    2008-10-13  355.79  381.02   8905500
    2008-10-14  393.53  362.71   7784800
    """
    import pandas as pd
    from matplotlib.cbook import get_sample_data

    archive: Any = get_sample_data("goog.npz")
    with archive:
        days = archive["price_data"]
    names = ["Open", "High", "Low", "Close", "Adj Close", "Volume"]
    columns = {name: days[name.lower().replace(" ", "_")] for name in names}
    index = pd.DatetimeIndex(days["date"].astype("datetime64[ns]"), name="Date")
    return pd.DataFrame(columns, index=index)


def load_airline():
    """Load the monthly numbers of airline passengers [1]_ that ship with sktime.

    Returns
    -------
    passengers : DataFrame of shape (144, 1)
        Thousands of international passengers a month, from January 1949 to December 1960 (a
        PeriodIndex).

    References
    ----------
    .. [1] G. E. P. Box, G. M. Jenkins (1976). Time series analysis: forecasting and control.
       Holden-Day. Series G.

    Examples
    --------
    >>> from skrnn.datasets import load_airline
    >>> load_airline().head(2)
             Passengers
    Period
    1949-01       112.0
    1949-02       118.0
    """
    from sktime.datasets import load_airline as load

    return load().astype(float).to_frame("Passengers")


def load_cities():
    """Load the cities that time zones are named for, and the regions that they lie in.

    Returns
    -------
    cities : list of str
        Such as "New York", without duplicates.
    regions : list of str
        Such as "America"; as many.

    Raises
    ------
    FileNotFoundError
        If neither the machine nor Python has a time zone database.

    Notes
    -----
    Read from the standard library's `zoneinfo`, whose names are those of the IANA time zone
    database; how many there are depends on its version. Names that are no region's cities (such
    as "Etc/GMT") are left out.

    Examples
    --------
    >>> from skrnn.datasets import load_cities
    >>> cities, regions = load_cities()
    >>> dict(zip(cities, regions))["Paris"]
    'Europe'
    """
    from zoneinfo import available_timezones

    regions = {"Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe"}
    regions |= {"Indian", "Pacific"}
    names = sorted(name.split("/") for name in available_timezones() if "/" in name)
    if not names:
        raise FileNotFoundError(
            "There is no time zone database here. Install one: `pip install tzdata`."
        )
    found = {parts[-1].replace("_", " "): parts[0] for parts in names if parts[0] in regions}
    return list(found), list(found.values())


def load_text(folder, name):
    """Load a text: a file's, or one that ships with Python or scikit-learn.

    Parameters
    ----------
    folder : str, path-like or None
        Where the files are. None gives another text instead, so that an example also runs
        without the files.
    name : {"fable", "shakespeare"}
        Aesop's fable of belling the cat, ``fable/belling_the_cat.txt`` (204 words and marks
        between blanks), or else the Zen of Python; or the plays known as tiny Shakespeare,
        ``tinyshakespeare/input.txt`` (1,115,394 characters), or else scikit-learn's
        descriptions of its data sets.

    Returns
    -------
    text : str

    Raises
    ------
    ValueError
        If `name` is not known.
    FileNotFoundError
        If the file is missing.

    Examples
    --------
    >>> from skrnn.datasets import load_text
    >>> load_text(None, "fable")[:32]
    'The Zen of Python, by Tim Peters'
    """
    if name not in _TEXTS:
        raise ValueError(
            f"name={name!r} is not known. Choose one of {', '.join(map(repr, _TEXTS))}."
        )
    if folder is not None:
        return (Path(folder) / _TEXTS[name]).read_text(encoding="utf-8")
    if name == "fable":
        import contextlib
        import io

        with contextlib.redirect_stdout(io.StringIO()):  # the module prints when it is imported
            import this
        return "".join(this.d.get(letter, letter) for letter in this.s)
    from importlib.resources import files

    folder = files("sklearn.datasets.descr")
    described = sorted(path.name for path in folder.iterdir() if path.name.endswith(".rst"))
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in described)


def load_stock(folder, name):
    """Load a stock's daily prices from a tutorial's CSV files, parted as the tutorial does.

    Parameters
    ----------
    folder : str, path-like or None
        Where the files are, in the folders named below. None gives the prices of `load_google`
        instead, so that an example also runs without the files: the last 200 days are then test.
    name : {"facebook", "google", "mastercard"}
        Which stock: ``fb/FB_training_data.csv`` and ``fb/FB_test_data.csv`` (2015 to 2019, and
        January 2020); ``google/Google_Stock_Price_Train.csv`` and ``..._Test.csv`` (2012 to 2016,
        and January 2017); ``mastercard/Mastercard_stock_history.csv`` (2016 to 2020, and 2021).

    Returns
    -------
    train, test : DataFrames of shape (n_days, n_columns)
        Numbers, by an increasing DatetimeIndex: 1258 and 21 days of Facebook, 1258 and 20 of
        Google, 1259 and 195 of MasterCard, 847 and 200 without files. All have the columns Open,
        High, Low, Close and Volume.

    Raises
    ------
    ValueError
        If `name` is not known.
    FileNotFoundError
        If a file is missing.

    Warnings
    --------
    Until 2014-03-26 the Close in Google's files is about twice what Open, High and Low are, which
    were adjusted for a split. Take one of those.

    Examples
    --------
    >>> from skrnn.datasets import load_stock
    >>> train, test = load_stock(None, "google")
    >>> len(train), len(test)
    (847, 200)
    >>> train, test = load_stock("data", "google")  # doctest: +SKIP
    >>> len(train), len(test)  # doctest: +SKIP
    (1258, 20)
    """
    if name not in _STOCKS:
        raise ValueError(
            f"name={name!r} is not known. Choose one of {', '.join(map(repr, _STOCKS))}."
        )
    if folder is None:
        prices = load_google()
        return prices[:-200], prices[-200:]
    train, test = (_read(Path(folder) / file, days) for file, days in _STOCKS[name])
    return train, test


def _read(path, days):
    """Read a file of daily prices, and keep some of its days."""
    import pandas as pd

    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing. Pass the folder that holds {path.parent.name}/{path.name}, or "
            "None for the prices that ship with matplotlib."
        )
    table = pd.read_csv(path, index_col="Date", thousands=",")
    # Year first, or the American month/day/year.
    pattern = "%m/%d/%Y" if "/" in table.index[0] else "%Y-%m-%d"
    table.index = pd.to_datetime(table.index, format=pattern)
    return table.sort_index().loc[days]


def make_ar(n_samples=1000, coefficients=(1.2, -0.5), *, noise=1.0, random_state=None):
    """Draw a stationary autoregressive series, for which the best forecast is known.

    Row t is ``coefficients[0] * x[t-1] + coefficients[1] * x[t-2] + ... + noise * e[t]`` with
    standard normal e. No forecast of the next row has a lower expected RMSE than `noise`.

    Parameters
    ----------
    n_samples : int, default=1000
        Rows.
    coefficients : sequence of float, default=(1.2, -0.5)
        Weights of the rows before, the latest first.
    noise : float, default=1.0
        Standard deviation of what cannot be predicted.
    random_state : int, RandomState instance or None, default=None
        Seeds the noise.

    Returns
    -------
    series : ndarray of shape (n_samples, 1)

    Raises
    ------
    ValueError
        If the coefficients make no stationary series.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn.datasets import make_ar
    >>> x = make_ar(5000, (1.2, -0.5), noise=2.0, random_state=0)[:, 0]
    >>> x.shape
    (5000,)
    >>> best = 1.2 * x[1:-1] - 0.5 * x[:-2]
    >>> round(float(np.sqrt(np.mean((x[2:] - best) ** 2))), 1)
    2.0
    """
    from scipy.signal import lfilter
    from sklearn.utils import check_random_state

    polynomial = np.r_[1.0, -np.asarray(coefficients, dtype=float)]
    slowest = max(np.abs(np.roots(polynomial)), default=0.0)
    if not slowest < 1:
        raise ValueError(
            f"coefficients={tuple(coefficients)} make no stationary series: the largest root of "
            f"its characteristic polynomial is {slowest:.3g} in size and must be below 1."
        )
    # Until the zeros it starts from count for less than rounding.
    n_burn_in = len(polynomial) + int(np.log(1e-16) / np.log(max(slowest, 0.1)))
    shocks = check_random_state(random_state).standard_normal(n_burn_in + n_samples)
    return noise * lfilter([1.0], polynomial, shocks)[n_burn_in:, None]
