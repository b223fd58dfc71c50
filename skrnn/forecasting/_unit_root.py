"""How far series return to their mean: what is left of a row's distance from it some rows later."""

import numpy as np

# The mean square of Dickey and Fuller's statistic on a random walk, around a mean and a line.
_BY_CHANCE = {False: 3.1, True: 5.3}


def mean_reversion_weight(series, trends):
    """Return from 0 to 1 how sure it is that series return to their means, or to their lines.

    A random walk has no mean to return to, and looks as if it had: Dickey and Fuller's [1]_
    statistic is the distance from a random walk in standard errors, and a test for one tells which
    forecasts are the better ones [2]_. Rather than to decide between the two, they are averaged
    [3]_: the share is the positive part of James and Stein's factor, 1 - what the squares of the
    statistics are by chance / what they are. Short series say little alone, and are judged together
    [4]_: by the median, which a few strange ones do not move.

    Parameters
    ----------
    series : list of ndarrays of shape (n_rows,)
    trends : list of bool
        Whether a line was taken out of each series, and not the mean alone.

    Returns
    -------
    share : float
        0 for a random walk, and where there are too few rows to say.

    References
    ----------
    .. [1] D. A. Dickey, W. A. Fuller (1979). Distribution of the estimators for autoregressive time
       series with a unit root. Journal of the American Statistical Association 74(366).
    .. [2] F. X. Diebold, L. Kilian (2000). Unit-root tests are useful for selecting forecasting
       models. Journal of Business & Economic Statistics 18(3).
    .. [3] B. E. Hansen (2010). Averaging estimators for autoregressions with a near unit root.
       Journal of Econometrics 158(1).
    .. [4] K. S. Im, M. H. Pesaran, Y. Shin (2003). Testing for unit roots in heterogeneous panels.
       Journal of Econometrics 115(1).
    """
    squares = [
        min(0.0, dickey_fuller(values, trend)) ** 2 / _BY_CHANCE[trend]
        for values, trend in zip(series, trends, strict=True)
    ]
    found = float(np.quantile(squares, 0.5, method="lower"))
    return 1 - 1 / found if found > 1 else 0.0


def dickey_fuller(values, trend):
    """Return the augmented Dickey-Fuller statistic, 0 where there are too few rows.

    Changes are regressed on the row before them, a constant, time if there is a trend, and as many
    of the changes before them as is best by Ng and Perron's [1]_ criterion. That takes more of them
    than others do where a level wanders slowly under noise, which is a random walk, too.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
    trend : bool

    Returns
    -------
    statistic : float
        The slope on the row before, in standard errors; below zero where the series returns.

    References
    ----------
    .. [1] S. Ng, P. Perron (2001). Lag length selection and the construction of unit root tests
       with good size and power. Econometrica 69(6).
    """
    size = np.std(values)
    if size <= 1e-12 * (1 + np.abs(values).max()):
        return 0.0
    values = (values - values.mean()) / size
    n_most = int(np.sqrt(len(values)))
    changes = np.diff(values)[n_most:]
    n_rows = len(changes)
    columns = [values[n_most:-1], np.ones(n_rows)]
    columns += [np.linspace(-1, 1, n_rows)] if trend else []
    n_first = len(columns)
    columns += [np.diff(values)[n_most - lag : -lag] for lag in range(1, n_most + 1)]
    best, found = np.inf, 0.0
    if n_rows < 2 * len(columns):
        return found
    for n_columns in range(n_first, len(columns) + 1):
        X = np.column_stack(columns[:n_columns])
        inverse = np.linalg.pinv(X.T @ X)
        slopes = inverse @ X.T @ changes
        squares = np.sum((changes - X @ slopes) ** 2)
        variance = squares / (n_rows - n_columns) * inverse[0, 0]
        if variance <= 0:  # nothing changes, or all of it is known
            continue
        returned = slopes[0] ** 2 * np.sum((columns[0] - columns[0].mean()) ** 2)
        penalty = 2 * (n_columns + n_rows * returned / squares)
        criterion = n_rows * np.log(squares) + penalty
        if criterion < best:
            best, found = criterion, float(slopes[0] / np.sqrt(variance))
    return found


def ar1_coefficient(values, n_steps):
    """Return what is left, a row later, of a row's distance from zero.

    It is the r in [0, 1] for which ``r**h * values[t]`` fits ``values[t + h]`` best in all steps h
    that are looked at: an autoregression, fitted for forecasts of several steps [1]_.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
    n_steps : int
        A third of the rows at the most are looked at.

    References
    ----------
    .. [1] A. A. Weiss (1991). Multi-step estimation and forecasting in dynamic models. Journal of
       Econometrics 48(1).
    """
    steps = np.arange(1, max(1, min(n_steps, len(values) // 3)) + 1)
    own = np.array([values[:-step] @ values[:-step] for step in steps])
    shared = np.array([values[:-step] @ values[step:] for step in steps])
    grid = np.linspace(0, 1, 101)
    powers = grid[:, None] ** steps
    return float(grid[np.argmin(powers**2 @ own - 2 * powers @ shared)])
