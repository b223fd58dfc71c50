"""
What is learnt beyond "tomorrow equals today"
=============================================

On many series, repeating the last value is hard to beat, and a network spends its training on
finding that out. With ``residual=True`` it starts there, and learns the change only. On a series
that has something to learn it finds it; on one that has not, it no longer loses.
"""

# %%
# Two series
# ----------
# `make_ar` draws a series of which we know that the best forecast has an RMSE of 1. The other is
# a stock (``--data FOLDER`` names the folder of a tutorial's files), close to a random walk.

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
parser.add_argument("--data", default=os.environ.get("SKRNN_DATA"), help="folder of the CSV files")
parser.add_argument("--epochs", type=int, help="default: 50 with --data, else 15")
options = parser.parse_args()
epochs = options.epochs or (50 if options.data else 15)

ar = make_ar(1500, (1.2, -0.5), random_state=0)
stock = (part[["Open"]].to_numpy() for part in load_stock(options.data, "google"))
cuts = {"AR(2)": (ar[:1000], ar[1000:]), "stock": tuple(stock)}

# %%
# With and without a base
# -----------------------
# The column that the change is counted from is found in `fit`, also behind scalers.

rnn = RNNRegressor("gru", units=16, learning_rate=0.003, epochs=epochs, random_state=0)
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
    for series, (train, test) in cuts.items()
}

# %%
# The scores
# ----------
# The naive forecast has a skill of 0. On AR(2), where there is something to learn, the network
# finds it with a base and without. On the stock there is not: without a base the network loses,
# and with one it stays beside the naive forecast.

scores = [
    (series, name, root_mean_squared_error(test, y), skill_score(test, y, of_series["naive"]))
    for (series, (_, test)), of_series in zip(cuts.items(), forecasts.values(), strict=True)
    for name, y in of_series.items()
]
print(pd.DataFrame(scores, columns=["series", "model", "RMSE", "skill"]).round(3).to_string())

_, axes = plt.subplots(2, figsize=(7, 8), layout="constrained")
for ax, (series, of_series) in zip(axes, forecasts.items(), strict=True):
    y_true = cuts[series][1]
    ForecastDisplay.from_predictions(
        y_true, of_series["residual=True"], y_naive=of_series["naive"], ax=ax
    )
    ax.set(title=series, xlim=(0, min(60, len(y_true) - 1)))
plt.show()
