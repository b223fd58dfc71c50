"""Series to try things on: some that ship with our dependencies, files, and generators."""

from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "load_airline",
    "load_cities",
    "load_google",
    "load_stock",
    "load_text",
    "make_adding",
    "make_ar",
    "make_mackey_glass",
    "make_narma",
]


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


def make_adding(n_samples=1000, n_timesteps=100, *, random_state=None):
    """Draw the adding problem: to find two numbers in a long sequence and add them up [1]_.

    Each step of a sequence holds a number, uniform in 0 to 1, and a mark, which is 1 for one step
    of the first half and one of the second, and 0 for all others. The target is the sum of the two
    marked numbers. Who answers 1 every time has a mean squared error of 1/6 = 0.167; to do better
    takes a memory of n_timesteps / 2 steps or more.

    Parameters
    ----------
    n_samples : int, default=1000
        Sequences.
    n_timesteps : int, default=100
        Steps in a sequence, at least 2.
    random_state : int, RandomState instance or None, default=None
        Seeds numbers and marks.

    Returns
    -------
    X : ndarray of shape (n_samples, n_timesteps, 2)
        Numbers and marks.
    y : ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If a sequence is too short for two marks.

    References
    ----------
    .. [1] S. Hochreiter, J. Schmidhuber (1997). Long short-term memory. Neural Computation 9(8),
       experiment 4; with numbers from 0 to 1, a length that is the same for all and the marks in
       different halves: M. Arjovsky, A. Shah, Y. Bengio (2016). Unitary evolution recurrent neural
       networks. ICML 2016.

    Examples
    --------
    >>> from skrnn.datasets import make_adding
    >>> X, y = make_adding(1000, 100, random_state=0)
    >>> X.shape, y.shape
    ((1000, 100, 2), (1000,))
    >>> bool((abs((X[..., 0] * X[..., 1]).sum(axis=1) - y) < 1e-12).all())
    True
    """
    from sklearn.utils import check_random_state

    if n_timesteps < 2:
        raise ValueError(f"n_timesteps={n_timesteps} must be at least 2, for two marks.")
    rng = check_random_state(random_state)
    half = n_timesteps // 2
    X = np.zeros((n_samples, n_timesteps, 2))
    X[..., 0] = rng.uniform(size=(n_samples, n_timesteps))
    rows = np.arange(n_samples)
    X[rows, rng.randint(half, size=n_samples), 1] = 1
    X[rows, rng.randint(half, n_timesteps, size=n_samples), 1] = 1
    return X, np.sum(X[..., 0] * X[..., 1], axis=1)


def make_narma(n_samples=1000, order=10, *, random_state=None):
    """Draw a nonlinear autoregressive moving average that is driven by noise, and the noise [1]_.

    With x uniform in 0 to 0.5, ``y[t+1] = 0.3 y[t] + 0.05 y[t] (y[t] + ... + y[t-order+1])
    + 1.5 x[t-order+1] x[t] + 0.1``. Row t of X is x[t], and of y what it leads to, y[t+1].

    Parameters
    ----------
    n_samples : int, default=1000
        Rows.
    order : int, default=10
        How far back y depends on itself and on x; at most 10, as longer ones do not stay finite.
    random_state : int, RandomState instance or None, default=None
        Seeds x.

    Returns
    -------
    X : ndarray of shape (n_samples, 1)
    y : ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If the order is not in 1 to 10.

    Notes
    -----
    Once in a long while y leaves for infinity; x is then drawn again.

    References
    ----------
    .. [1] A. F. Atiya, A. G. Parlos (2000). New results on recurrent network training. IEEE
       Transactions on Neural Networks 11(3).

    Examples
    --------
    >>> from skrnn.datasets import make_narma
    >>> X, y = make_narma(500, random_state=0)
    >>> X.shape, y.shape
    ((500, 1), (500,))
    """
    from sklearn.utils import check_random_state

    if not 1 <= order <= 10:
        raise ValueError(f"order={order} must be in 1 to 10: longer ones do not stay finite.")
    rng = check_random_state(random_state)
    n_burn_in = 10 * order  # steps to forget that y starts at zero
    y = np.full(1, np.inf)
    while not np.abs(y).max() < 2:
        x = rng.uniform(0, 0.5, n_burn_in + n_samples)
        y = np.zeros(len(x) + 1)
        for t in range(order - 1, len(x)):
            past = slice(t - order + 1, t + 1)
            y[t + 1] = 0.3 * y[t] + 0.05 * y[t] * y[past].sum() + 1.5 * x[past][0] * x[t] + 0.1
            if y[t + 1] > 2:
                break
    return x[n_burn_in:, None], y[n_burn_in + 1 :]


def make_mackey_glass(n_samples=1000, delay=17, *, random_state=None):
    """Draw the Mackey-Glass series, chaotic for a delay of 17 and more [1]_.

    It follows ``dx/dt = 0.2 x(t - delay) / (1 + x(t - delay)^10) - 0.1 x(t)``, taken in steps of
    1/10, of which every tenth is a row.

    Parameters
    ----------
    n_samples : int, default=1000
        Rows.
    delay : int, default=17
    random_state : int, RandomState instance or None, default=None
        Seeds what the series starts from.

    Returns
    -------
    series : ndarray of shape (n_samples, 1)

    Raises
    ------
    ValueError
        If the delay is below 1.

    References
    ----------
    .. [1] M. C. Mackey, L. Glass (1977). Oscillation and chaos in physiological control systems.
       Science 197; in steps as in H. Jaeger, H. Haas (2004). Harnessing nonlinearity. Science 304.

    Examples
    --------
    >>> from skrnn.datasets import make_mackey_glass
    >>> series = make_mackey_glass(500, random_state=0)
    >>> series.shape, bool(0.2 < series.min() < series.max() < 1.5)
    ((500, 1), True)
    """
    from sklearn.utils import check_random_state

    if delay < 1:
        raise ValueError(f"delay={delay} must be at least 1.")
    steps = 10
    lag, n_burn_in = steps * delay, 100 * steps * delay
    x = np.empty(lag + 1 + n_burn_in + steps * n_samples)
    x[: lag + 1] = 1.2 + 0.2 * check_random_state(random_state).uniform(-1, 1, lag + 1)
    values = x.tolist()  # numbers of Python's own are faster one by one
    for t in range(lag, len(values) - 1):
        late = values[t - lag]
        values[t + 1] = values[t] + (0.2 * late / (1 + late**10) - 0.1 * values[t]) / steps
    return np.array(values[-steps * n_samples :: steps])[:, None]
