"""
Networks, ridge, trees and the naive forecast in one search
===========================================================

A network behind a `WindowTransformer` is a regressor like others, so that others can take its
place: one `GridSearchCV` over a time series splitter compares them all, and the length of the
window too.
"""

# %%
# The series
# ----------
# ``--data FOLDER`` names the folder of a tutorial's files; without it the days are those of
# Google's stock that ship with matplotlib, and the epochs few.

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
parser.add_argument("--data", default=os.environ.get("SKRNN_DATA"), help="folder of the CSV files")
parser.add_argument("--epochs", type=int, help="default: 50 with --data, else 10")
options = parser.parse_args()
epochs = options.epochs or (50 if options.data else 10)

train, test = load_stock(options.data, "google")

# %%
# One pipeline, four regressors
# -----------------------------
# `CompleteWindowsRegressor` keeps the first windows, which reach before the first row, out of the
# training of regressors that do not know of them.

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
with threadpool_limits(1, "openmp"):  # trees on so few rows lose time in waiting for threads
    search.fit(train[["Open"]], train["Open"])

# %%
# The scores
# ----------
# RMSE in dollars, over the three parts that followed what each fold was trained on. Trees know no
# price above the highest that they were trained on, and on a rising price that costs them dearly.

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
# The best of them on the days held back:

ForecastDisplay.from_estimator(search, test[["Open"]], test["Open"])
plt.show()
