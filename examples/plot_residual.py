"""
Residual forecasts
==================

For many series, the last value is an accurate forecast, and a network that is trained on the values
of the series mostly learns to repeat the last value. With ``residual=True``, training starts at
this naive forecast, and the network only learns the change. This example compares both settings on
a predictable series and on a stock price.
"""

# %%
# Data
# ----
# `make_ar` generates a series whose optimal forecast has an RMSE of 1. The second series is a stock
# price, which is close to a random walk. ``--data FOLDER`` specifies the folder with the CSV files
# of the tutorial.

import argparse
import os

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skrnn import ForecastDisplay, NaiveRegressor, RNNRegressor, WindowTransformer, skill_score
from skrnn.datasets import load_stock, make_ar

parser = argparse.ArgumentParser()
parser.add_argument("--data", default=os.environ.get("SKRNN_DATA"), help="folder with CSV files")
parser.add_argument("--epochs", type=int, help="default: 50 with --data, else 15")
options = parser.parse_args()
epochs = options.epochs or (50 if options.data else 15)

ar = make_ar(1500, (1.2, -0.5), random_state=0)
stock = (frame[["Open"]].to_numpy() for frame in load_stock(options.data, "google"))
splits = {"AR(2)": (ar[:1000], ar[1000:]), "stock": tuple(stock)}

# %%
# Models
# ------
# With ``residual=True``, `fit` detects the column of X that corresponds to the target, even if X
# and y are scaled separately.

rnn = RNNRegressor(
    "gru",
    units=16,
    learning_rate=0.003,
    epochs=epochs,
    residual=False,
    early_stopping=False,
    random_state=0,
)
plain = TransformedTargetRegressor(
    regressor=make_pipeline(MinMaxScaler(), WindowTransformer(10), rnn),
    transformer=MinMaxScaler(),
)
models = {
    "residual=False": plain,
    "residual=True": clone(plain).set_params(regressor__rnnregressor__residual=True),
    "naive": make_pipeline(WindowTransformer(1), NaiveRegressor()),
}
forecasts = {
    series: {name: clone(model).fit(train, train).predict(test) for name, model in models.items()}
    for series, (train, test) in splits.items()
}

# %%
# Scores
# ------
# The naive forecast has a skill of 0. On the AR(2) series, which is predictable, the skill of the
# network is positive with both settings. On the stock price, the skill is negative with
# ``residual=False`` and close to 0 with ``residual=True``.

scores = [
    (series, name, root_mean_squared_error(test, y), skill_score(test, y, y_pred["naive"]))
    for (series, (_, test)), y_pred in zip(splits.items(), forecasts.values(), strict=True)
    for name, y in y_pred.items()
]
print(pd.DataFrame(scores, columns=["series", "model", "RMSE", "skill"]).round(3).to_string())

_, axes = plt.subplots(2, figsize=(7, 8), layout="constrained")
for ax, (series, y_pred) in zip(axes, forecasts.items(), strict=True):
    y_true = splits[series][1]
    ForecastDisplay.from_predictions(
        y_true, y_pred["residual=True"], y_naive=y_pred["naive"], ax=ax
    )
    ax.set(title=series, xlim=(0, min(60, len(y_true) - 1)))
plt.show()
