"""
Comparing regressors in a grid search
=====================================

After a `WindowTransformer`, an `RNNRegressor` can be replaced by any other regressor. In this
example, a single `GridSearchCV` with `TimeSeriesSplit` compares a network, ridge regression,
gradient boosting and the naive forecast, and selects the window length.
"""

# %%
# Data
# ----
# ``--data FOLDER`` specifies the folder with the CSV files of the tutorial. By default, the example
# uses Google's stock prices, which ship with matplotlib, and a small number of epochs.

import argparse
import os

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler
from threadpoolctl import threadpool_limits

from skrnn import (
    CompleteWindowsRegressor,
    ForecastDisplay,
    NaiveRegressor,
    RNNRegressor,
    WindowTransformer,
)
from skrnn.datasets import load_stock

parser = argparse.ArgumentParser()
parser.add_argument("--data", default=os.environ.get("SKRNN_DATA"), help="folder with CSV files")
parser.add_argument("--epochs", type=int, help="default: 50 with --data, else 10")
options = parser.parse_args()
epochs = options.epochs or (50 if options.data else 10)

train, test = load_stock(options.data, "google")

# %%
# One pipeline, four regressors
# -----------------------------
# The first windows extend before the first row and are incomplete. `CompleteWindowsRegressor`
# excludes incomplete windows from the training data of the regressor.

pipeline = Pipeline(
    [("scale", MinMaxScaler()), ("window", WindowTransformer()), ("model", RNNRegressor())]
)
candidates = [
    RNNRegressor("gru", units=16, residual=True, epochs=epochs, random_state=0),
    CompleteWindowsRegressor(Ridge(1e-3)),
    CompleteWindowsRegressor(HistGradientBoostingRegressor(random_state=0)),
    NaiveRegressor(),
]
search = GridSearchCV(
    TransformedTargetRegressor(regressor=pipeline, transformer=MinMaxScaler()),
    {"regressor__model": candidates, "regressor__window__window_length": [5, 20]},
    scoring="neg_root_mean_squared_error",
    cv=TimeSeriesSplit(3),
)
with threadpool_limits(1, "openmp"):  # several threads are slower for small data
    search.fit(train[["Open"]], train["Open"])

# %%
# Scores
# ------
# The RMSE, in dollars, is the mean over the test sets of the three folds. Trees cannot predict a
# price above the highest price in the training set, so the error of gradient boosting is large if
# the price rises.

results = search.cv_results_
models = [getattr(model, "regressor", model) for model in results["param_regressor__model"]]
table = pd.DataFrame(
    {
        "model": [type(model).__name__ for model in models],
        "days": results["param_regressor__window__window_length"].astype(int),
        "RMSE": -results["mean_test_score"],
        "seconds": results["mean_fit_time"],
    }
).sort_values("RMSE")
naive_rmse = table.loc[table["model"] == "NaiveRegressor", "RMSE"].iloc[0]
table["skill"] = 1 - table["RMSE"] / naive_rmse
print(table.to_string(index=False, float_format="%.3f"))

# %%
# The figure shows the forecast of the best model on the test days.

ForecastDisplay.from_estimator(search, test[["Open"]], test["Open"])
plt.show()
