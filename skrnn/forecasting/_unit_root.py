"""Mean reversion of time series: unit root test and first-order autoregression."""

from collections.abc import Sequence

import numpy as np

# Mean square of the Dickey-Fuller statistic of a random walk, without and with a linear trend.
_RANDOM_WALK_SQUARE = {False: 3.1, True: 5.3}


def mean_reversion_weight(series: Sequence[np.ndarray], trends: Sequence[bool]) -> float:
    """Return the weight, from 0 to 1, of a mean-reverting forecast relative to the last value.

    The AR(1) coefficient of a short random walk is underestimated, so the forecast of the estimated
    autoregression reverts to the mean too fast. The Dickey-Fuller test [1]_ for a random walk can
    select the more accurate of the two forecasts [2]_. Instead of selecting one of them, both are
    averaged [3]_. The weight is the positive part of the James-Stein factor, 1 - (mean square of
    the test statistic of a random walk) / (its square). Because the test has little power on short
    series, all series of a panel are tested together [4]_, by the median of the squares, which is
    robust to outliers.

    Parameters
    ----------
    series : sequence of ndarrays of shape (n_rows,)
    trends : sequence of bool
        Whether a linear trend was removed from each series, rather than the mean alone.

    Returns
    -------
    weight : float
        0 for a random walk, and for series that are too short to test.

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
    ratios = [
        min(0.0, dickey_fuller(values, trend)) ** 2 / _RANDOM_WALK_SQUARE[trend]
        for values, trend in zip(series, trends, strict=True)
    ]
    ratio = float(np.quantile(ratios, 0.5, method="lower"))
    return 1 - 1 / ratio if ratio > 1 else 0.0


def dickey_fuller(values: np.ndarray, trend: bool) -> float:
    """Return the augmented Dickey-Fuller statistic, or 0 for a series that is too short to test.

    Changes are regressed on the previous value, a constant, a linear trend if there is one, and
    lagged changes. The number of lags minimizes the modified information criterion of Ng and Perron
    [1]_, which selects more lags than Akaike's if a slow random walk is observed with noise.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
    trend : bool

    Returns
    -------
    statistic : float
        The coefficient of the previous value divided by its standard error. Negative for a
        mean-reverting series.

    References
    ----------
    .. [1] S. Ng, P. Perron (2001). Lag length selection and the construction of unit root tests
       with good size and power. Econometrica 69(6).
    """
    deviation = np.std(values)
    if deviation <= 1e-12 * (1 + np.abs(values).max()):
        return 0.0
    values = (values - values.mean()) / deviation
    max_lags = int(np.sqrt(len(values)))
    changes = np.diff(values)[max_lags:]
    n_rows = len(changes)
    columns = [values[max_lags:-1], np.ones(n_rows)]
    columns += [np.linspace(-1, 1, n_rows)] if trend else []
    n_required = len(columns)
    columns += [np.diff(values)[max_lags - lag : -lag] for lag in range(1, max_lags + 1)]
    lowest, statistic = np.inf, 0.0
    if n_rows < 2 * len(columns):
        return statistic
    for n_columns in range(n_required, len(columns) + 1):
        X = np.column_stack(columns[:n_columns])
        inverse = np.linalg.pinv(X.T @ X)
        coefficients = inverse @ X.T @ changes
        residual_square = np.sum((changes - X @ coefficients) ** 2)
        variance = residual_square / (n_rows - n_columns) * inverse[0, 0]
        if variance <= 0:  # a constant, or a perfect fit
            continue
        explained = coefficients[0] ** 2 * np.sum((columns[0] - columns[0].mean()) ** 2)
        penalty = 2 * (n_columns + n_rows * explained / residual_square)
        criterion = n_rows * np.log(residual_square) + penalty
        if criterion < lowest:
            lowest, statistic = criterion, float(coefficients[0] / np.sqrt(variance))
    return statistic


def ar1_coefficient(values: np.ndarray, n_steps: int) -> float:
    """Return the AR(1) coefficient with the best fit of forecasts of several steps.

    It is the r in [0, 1] that minimizes the sum of the squared errors of ``r**h * values[t]`` as a
    forecast of ``values[t + h]`` over all steps h, a direct multi-step estimate [1]_.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        A series with mean zero.
    n_steps : int
        Number of steps to fit, at most a third of the number of rows.

    References
    ----------
    .. [1] A. A. Weiss (1991). Multi-step estimation and forecasting in dynamic models. Journal of
       Econometrics 48(1).
    """
    steps = np.arange(1, max(1, min(n_steps, len(values) // 3)) + 1)
    variances = np.array([values[:-step] @ values[:-step] for step in steps])
    covariances = np.array([values[:-step] @ values[step:] for step in steps])
    grid = np.linspace(0, 1, 101)
    powers = grid[:, None] ** steps
    return float(grid[np.argmin(powers**2 @ variances - 2 * powers @ covariances)])
