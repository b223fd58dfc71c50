"""
Forecasting the next twelve months
==================================

This example predicts the next twelve months of a monthly series at once. A network is compared with
ridge regression on the same windows and with the naive forecast, in time-ordered splits.
"""

# %%
# Data
# ----
# The monthly numbers of airline passengers have a trend and a seasonality. The targets of a row are
# the twelve rows that begin with it, in the order of the months. The last eleven rows have unknown
# targets and are dropped.

import argparse

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import RidgeCV
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skrnn import CompleteWindowsRegressor, RNNRegressor, WindowTransformer, backtest, steps_ahead
from skrnn.datasets import load_airline

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=50)
options = parser.parse_args()

passengers = load_airline()[["Passengers"]]
X, y = passengers[:-11], steps_ahead(passengers, 12)[:-11]
print(X.shape, y.shape)

# %%
# Backtest
# --------
# `backtest` fits a model on the first rows of each split, without the targets that are observed
# after them, and predicts the rows that follow. The skill is relative to the value a year earlier.
# That value plus the change of the last year is a more accurate naive forecast of this series.

rnn = RNNRegressor("gru", units=32, epochs=options.epochs, learning_rate=0.005, random_state=0)
ridge = CompleteWindowsRegressor(RidgeCV(np.logspace(-4, 4, 9)))
cv = TimeSeriesSplit(4, test_size=18)
results = {}
for name, regressor in {"RNNRegressor": rnn, "ridge regression": ridge}.items():
    flatten = regressor is ridge
    model = make_pipeline(MinMaxScaler(), WindowTransformer(24, flatten=flatten), regressor)
    model.set_output(transform="pandas")
    results[name] = backtest(model, X, y, cv=cv, season_length=12)
    print(f"{name:28} RMSE {results[name].rmse:.1f}, skill {results[name].skill:+.3f}")

naive = results["RNNRegressor"].y_naive
values = passengers["Passengers"].to_numpy()
rows = results["RNNRegressor"].rows
naives = {
    "one year earlier": naive,
    "one year earlier plus change": naive + (values[rows - 1] - values[rows - 13])[:, None],
}
for name, y_pred in naives.items():
    error = root_mean_squared_error(results["RNNRegressor"].y_true, y_pred)
    print(f"{name:28} RMSE {error:.1f}")

# %%
# Errors by step
# --------------
# The first figure shows the errors of each step ahead, the second one the forecasts of every
# twelfth row.

forecasts = {name: result.y_pred for name, result in results.items()} | naives
y_true = results["RNNRegressor"].y_true
errors = {name: np.square(y_pred - y_true) for name, y_pred in forecasts.items()}
rmse = pd.DataFrame({name: np.sqrt(error.mean(axis=0)) for name, error in errors.items()})
rmse.index += 1
rmse.plot(xlabel="months ahead", ylabel="RMSE (thousand passengers)", ylim=0)

# %%

ax = passengers.plot(color="black", ylabel="thousand passengers")
months = passengers.index
for row, y_pred in zip(rows[::12], forecasts["RNNRegressor"][::12], strict=True):
    pd.Series(y_pred, months[row : row + 12]).plot(ax=ax, color="tab:blue")
ax.legend(["observed", "forecasts of RNNRegressor"])
plt.show()
