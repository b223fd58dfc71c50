"""Series and small forecasters of the tests of `skrnn.forecasting`.

All tests share a few architectures, which are compiled once per process: `small()` with three steps
ahead, and its one-step networks ("recursive" and "direct").
"""

import numpy as np
import pandas as pd
import pytest

from skrnn import RNNForecaster
from skrnn.datasets import make_ar
from skrnn.forecasting._series import PanelSeries, TimeIndexer, split_panel

MONTHS = pd.period_range("2015-01", periods=60, freq="M", name="month")

# Other estimators of sktime warn of coming changes; tests without this mark show that ours do not.
sktime_warns = pytest.mark.filterwarnings("ignore:.*:FutureWarning")

needs_pretrain = pytest.mark.skipif(
    not hasattr(RNNForecaster, "pretrain"), reason="sktime < 1.2 has no pretrain"
)


def small(**parameters):
    """Return a forecaster with a small network."""
    defaults = {"window_length": 6, "cell": "rnn", "units": 4, "epochs": 5, "random_state": 0}
    return RNNForecaster(**(defaults | {"seasonal": "indices"} | parameters))


def monthly(n_rows=60, noise=1.0, seed=0, scale=1.0):
    """Return a linear trend with a season of 12 months and noise."""
    rows = np.arange(n_rows)
    season = 10 * np.sin(2 * np.pi * rows / 12) + 5 * (rows % 12 == 11)
    values = 100 + 0.5 * rows + season + noise * np.random.default_rng(seed).normal(size=n_rows)
    return pd.Series(scale * values, index=MONTHS[:n_rows], name="sales")


def panel(lengths=(40, 50, 60), noise=1.0, levels=1):
    """Return series of several lengths that end together, with a key of one or two levels."""
    parts = {}
    for i, length in enumerate(lengths):
        key = f"s{i}" if levels == 1 else ("ab"[i % 2], f"s{i}")
        series = monthly(noise=noise, seed=i, scale=10.0**i)[-length:]
        parts[key] = series.to_frame()
    names = ["region", "shop"][-levels:]
    return pd.concat(parts, names=[*names, "month"]).sort_index()


def panel_series(frame):
    """Return the series of a frame as the modules of the package expect them."""
    return [
        PanelSeries(key, rows.index, rows.to_numpy(dtype=float), None, TimeIndexer(rows.index))
        for key, rows in split_panel(frame)
    ]


def autoregressions(coefficient, n_rows, n_series):
    return [make_ar(n_rows, (coefficient,), random_state=seed)[:, 0] for seed in range(n_series)]
