"""Datasets: series and texts from dependencies or files, and generators of series."""

import contextlib
import io
from collections.abc import Sequence
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from ._checks import check_generator, check_name

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

# The files of the training set and the test set.
_STOCKS = {
    "facebook": ["fb/FB_training_data.csv", "fb/FB_test_data.csv"],
    "google": ["google/Google_Stock_Price_Train.csv", "google/Google_Stock_Price_Test.csv"],
    "mastercard": ["mastercard/Mastercard_stock_history.csv"] * 2,
}

# The days of both sets, if a file contains more than these.
_DAYS = {"mastercard": [slice("2016", "2020"), slice("2021", "2021")]}

_REGIONS = {"Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe"}
_REGIONS |= {"Indian", "Pacific"}

# Types of parameters.
_Folder = str | PathLike[str] | None
_RandomState = int | np.random.RandomState | None


def load_google() -> pd.DataFrame:
    """Load the daily prices of Google's stock from matplotlib.

    Returns
    -------
    prices : DataFrame of shape (1047, 6)
        Open, High, Low, Close and Adj Close in US dollars, and Volume in shares. The index is a
        DatetimeIndex of the trading days from 2004-08-19 to 2008-10-14.

    Notes
    -----
    The source is ``goog.npz`` in the sample data of matplotlib.

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
    from matplotlib.cbook import get_sample_data

    archive: Any = get_sample_data("goog.npz")
    with archive:
        days = archive["price_data"]
    names = ["Open", "High", "Low", "Close", "Adj Close", "Volume"]
    columns = {name: days[name.lower().replace(" ", "_")] for name in names}
    index = pd.DatetimeIndex(days["date"].astype("datetime64[ns]"), name="Date")
    return pd.DataFrame(columns, index=index)


def load_airline() -> pd.DataFrame:
    """Load the monthly numbers of airline passengers [1]_ from sktime.

    Returns
    -------
    passengers : DataFrame of shape (144, 1)
        Thousands of international passengers per month. The index is a PeriodIndex from January
        1949 to December 1960.

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


def load_cities() -> tuple[list[str], list[str]]:
    """Load the cities in the time zone database and their regions (classification).

    Returns
    -------
    cities : list of str
        Names such as "New York", without duplicates.
    regions : list of str
        The region of each city, such as "America".

    Raises
    ------
    FileNotFoundError
        If neither the operating system nor Python has a time zone database.

    Notes
    -----
    The names are those of the IANA time zone database, as read by the standard library's
    `zoneinfo`. Their number depends on its version. Names without a region (such as "Etc/GMT") are
    excluded.

    Examples
    --------
    >>> from skrnn.datasets import load_cities
    >>> cities, regions = load_cities()
    >>> dict(zip(cities, regions))["Paris"]
    'Europe'
    """
    names = sorted(name.split("/") for name in available_timezones() if "/" in name)
    if not names:
        raise FileNotFoundError(
            "No time zone database is installed. Install one: `pip install tzdata`."
        )
    region_of = {name[-1].replace("_", " "): name[0] for name in names if name[0] in _REGIONS}
    return list(region_of), list(region_of.values())


def load_text(folder: _Folder, name: str) -> str:
    """Load a text from a file, from Python or from scikit-learn.

    Parameters
    ----------
    folder : str, path-like or None
        Folder of the file. If None, a different text is returned, so that examples can also be run
        without the files.
    name : {"fable", "shakespeare"}
        - "fable": Aesop's fable "Belling the Cat", ``fable/belling_the_cat.txt`` (204 words and
          punctuation marks). Without a folder, the Zen of Python.
        - "shakespeare": plays by Shakespeare, ``tinyshakespeare/input.txt`` (1,115,394
          characters). Without a folder, the descriptions of scikit-learn's datasets.

    Returns
    -------
    text : str

    Raises
    ------
    ValueError
        If `name` is not known.
    FileNotFoundError
        If the file does not exist.

    Examples
    --------
    >>> from skrnn.datasets import load_text
    >>> load_text(None, "fable")[:32]
    'The Zen of Python, by Tim Peters'
    """
    check_name("name", name, _TEXTS)
    if folder is not None:
        return (Path(folder) / _TEXTS[name]).read_text(encoding="utf-8")
    if name == "fable":
        with contextlib.redirect_stdout(io.StringIO()):  # the module prints when it is imported
            import this
        return "".join(this.d.get(letter, letter) for letter in this.s)
    paths = {path.name: path for path in files("sklearn.datasets.descr").iterdir()}
    names = sorted(name for name in paths if name.endswith(".rst"))
    return "\n".join(paths[name].read_text(encoding="utf-8") for name in names)


def load_stock(folder: _Folder, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Load the daily prices of a stock from a tutorial's CSV files, with the tutorial's split.

    Parameters
    ----------
    folder : str, path-like or None
        Folder that contains the subfolders below. If None, the prices of `load_google` are
        returned, with the last 200 days as the test set, so that examples can also be run without
        the files.
    name : {"facebook", "google", "mastercard"}
        - "facebook": ``fb/FB_training_data.csv`` (2015 to 2019) and ``fb/FB_test_data.csv``
          (January 2020).
        - "google": ``google/Google_Stock_Price_Train.csv`` (2012 to 2016) and
          ``google/Google_Stock_Price_Test.csv`` (January 2017).
        - "mastercard": ``mastercard/Mastercard_stock_history.csv`` (2016 to 2020, and 2021).

    Returns
    -------
    train, test : DataFrame of shape (n_days, n_columns)
        Numbers with an increasing DatetimeIndex: 1258 and 21 days of Facebook, 1258 and 20 of
        Google, 1259 and 195 of MasterCard, 847 and 200 without a folder. The columns include
        Open, High, Low, Close and Volume.

    Raises
    ------
    ValueError
        If `name` is not known.
    FileNotFoundError
        If a file does not exist.

    Warnings
    --------
    In Google's files, Close is not adjusted for a split before 2014-03-27. Before this date, it is
    about twice Open, High and Low, which are adjusted. Use one of these columns instead.

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
    check_name("name", name, _STOCKS)
    if folder is None:
        prices = load_google()
        return prices[:-200], prices[-200:]
    train, test = (_read_prices(Path(folder) / file) for file in _STOCKS[name])
    train_days, test_days = _DAYS.get(name, [slice(None), slice(None)])
    return train.loc[train_days], test.loc[test_days]


def _read_prices(path):
    """Read a file of daily prices."""
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing. Pass the folder that contains {path.parent.name}/{path.name}, or "
            "None for the prices that matplotlib includes."
        )
    table = pd.read_csv(path, index_col="Date", thousands=",")
    # ISO dates, or month/day/year.
    date_format = "%m/%d/%Y" if "/" in table.index[0] else "%Y-%m-%d"
    table.index = pd.to_datetime(table.index, format=date_format)
    return table.sort_index()


def make_ar(
    n_samples: int = 1000,
    coefficients: Sequence[float] = (1.2, -0.5),
    *,
    noise: float = 1.0,
    random_state: _RandomState = None,
) -> np.ndarray:
    """Generate a stationary autoregressive series, whose optimal forecast is known.

    Row t is ``coefficients[0] * x[t-1] + coefficients[1] * x[t-2] + ... + noise * e[t]`` with
    standard normal e. No forecast of the next row has a lower expected RMSE than `noise`.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    coefficients : sequence of float, default=(1.2, -0.5)
        Autoregressive coefficients, starting with that of lag 1.
    noise : float, default=1.0
        Standard deviation of the noise.
    random_state : int, RandomState instance or None, default=None
        Determines the noise. Pass an int for reproducible results.

    Returns
    -------
    series : ndarray of shape (n_samples, 1)

    Raises
    ------
    ValueError
        If the series would not be stationary.

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
    polynomial = np.r_[1.0, -np.asarray(coefficients, dtype=float)]
    modulus = max(np.abs(np.roots(polynomial)), default=0.0)
    if not modulus < 1:
        raise ValueError(
            f"coefficients={tuple(coefficients)} do not define a stationary series: the largest "
            f"root of the characteristic polynomial has modulus {modulus:.3g}, which must be "
            "below 1."
        )
    # Until the effect of the initial zeros is smaller than rounding errors.
    n_burn_in = len(polynomial) + int(np.log(1e-16) / np.log(max(modulus, 0.1)))
    shocks = check_generator(random_state).standard_normal(n_burn_in + n_samples)
    return noise * lfilter([1.0], polynomial, shocks)[n_burn_in:, None]


def make_adding(
    n_samples: int = 1000, n_timesteps: int = 100, *, random_state: _RandomState = None
) -> tuple[np.ndarray, np.ndarray]:
    """Generate the adding problem, the addition of two marked numbers in a long sequence [1]_.

    Each time step has two features: a number, uniform between 0 and 1, and a marker. The marker is
    1 at a random step in the first half of the sequence and at a random step in the second half,
    and 0 elsewhere. The target is the sum of the two marked numbers. The mean squared error of the
    constant prediction 1 is 1/6 = 0.167. The network must remember the first number for at least
    n_timesteps / 2 steps.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of sequences.
    n_timesteps : int, default=100
        Number of time steps in each sequence, at least 2.
    random_state : int, RandomState instance or None, default=None
        Determines the numbers and markers. Pass an int for reproducible results.

    Returns
    -------
    X : ndarray of shape (n_samples, n_timesteps, 2)
        Numbers and markers.
    y : ndarray of shape (n_samples,)
        Sums of the marked numbers.

    Raises
    ------
    ValueError
        If the sequences are too short for two markers.

    References
    ----------
    .. [1] S. Hochreiter, J. Schmidhuber (1997). Long short-term memory. Neural Computation 9(8),
       experiment 4. The variant with numbers from 0 to 1, sequences of equal length and markers
       in different halves: M. Arjovsky, A. Shah, Y. Bengio (2016). Unitary evolution recurrent
       neural networks. ICML 2016.

    Examples
    --------
    >>> from skrnn.datasets import make_adding
    >>> X, y = make_adding(1000, 100, random_state=0)
    >>> X.shape, y.shape
    ((1000, 100, 2), (1000,))
    >>> bool((abs((X[..., 0] * X[..., 1]).sum(axis=1) - y) < 1e-12).all())
    True
    """
    if n_timesteps < 2:
        raise ValueError(f"n_timesteps={n_timesteps} must be at least 2, for two markers.")
    rng = check_generator(random_state)
    half = n_timesteps // 2
    X = np.zeros((n_samples, n_timesteps, 2))
    X[..., 0] = rng.uniform(size=(n_samples, n_timesteps))
    rows = np.arange(n_samples)
    X[rows, rng.randint(half, size=n_samples), 1] = 1
    X[rows, rng.randint(half, n_timesteps, size=n_samples), 1] = 1
    return X, np.sum(X[..., 0] * X[..., 1], axis=1)


def make_narma(
    n_samples: int = 1000, order: int = 10, *, random_state: _RandomState = None
) -> tuple[np.ndarray, np.ndarray]:
    """Generate a nonlinear autoregressive moving average (NARMA) series and its input [1]_.

    The input x is uniform between 0 and 0.5, and ``y[t+1] = 0.3 y[t] + 0.05 y[t] (y[t] + ... +
    y[t-order+1]) + 1.5 x[t-order+1] x[t] + 0.1``. Row t of X is x[t], and row t of y is y[t+1].

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    order : int, default=10
        Number of previous values of x and y that y depends on, from 1 to 10. Series of a higher
        order diverge.
    random_state : int, RandomState instance or None, default=None
        Determines x. Pass an int for reproducible results.

    Returns
    -------
    X : ndarray of shape (n_samples, 1)
        Input.
    y : ndarray of shape (n_samples,)
        Output.

    Raises
    ------
    ValueError
        If the order is not between 1 and 10.

    Notes
    -----
    In the rare case that y diverges, x is sampled again.

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
    if not 1 <= order <= 10:
        raise ValueError(f"order={order} must be between 1 and 10: higher orders diverge.")
    rng = check_generator(random_state)
    n_burn_in = 10 * order  # until the effect of the initial zeros has decayed
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


def make_mackey_glass(
    n_samples: int = 1000, delay: int = 17, *, random_state: _RandomState = None
) -> np.ndarray:
    """Generate the Mackey-Glass series, which is chaotic for a delay of 17 and more [1]_.

    The differential equation ``dx/dt = 0.2 x(t - delay) / (1 + x(t - delay)^10) - 0.1 x(t)`` is
    integrated in steps of 1/10, and every tenth step is a row.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    delay : int, default=17
        Delay, at least 1.
    random_state : int, RandomState instance or None, default=None
        Determines the initial values. Pass an int for reproducible results.

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
       Science 197. Integrated as in H. Jaeger, H. Haas (2004). Harnessing nonlinearity. Science
       304.

    Examples
    --------
    >>> from skrnn.datasets import make_mackey_glass
    >>> series = make_mackey_glass(500, random_state=0)
    >>> series.shape, bool(0.2 < series.min() < series.max() < 1.5)
    ((500, 1), True)
    """
    if delay < 1:
        raise ValueError(f"delay={delay} must be at least 1.")
    steps = 10
    lag, n_burn_in = steps * delay, 100 * steps * delay
    x = np.empty(lag + 1 + n_burn_in + steps * n_samples)
    x[: lag + 1] = 1.2 + 0.2 * check_generator(random_state).uniform(-1, 1, lag + 1)
    values = x.tolist()  # single Python floats are faster than NumPy scalars
    for t in range(lag, len(values) - 1):
        delayed = values[t - lag]
        values[t + 1] = values[t] + (0.2 * delayed / (1 + delayed**10) - 0.1 * values[t]) / steps
    return np.array(values[-steps * n_samples :: steps])[:, None]
