"""
Google's stock price with a deep and a small LSTM
=================================================

Two well-known tutorials predict Google's opening prices of January 2017. The first uses four layers
of 50 LSTM units and windows of 60 days. The second uses a single layer of four units with a sigmoid
activation and windows of one day.
"""

# %%
# Data
# ----
# The series has one row per trading day. ``--data FOLDER`` specifies the folder with the CSV files
# of the tutorials. By default, the example uses Google's stock prices, which ship with matplotlib,
# and a small number of epochs.

import argparse
import os

import matplotlib.pyplot as plt
from sklearn.compose import TransformedTargetRegressor
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skrnn import (
    ForecastDisplay,
    LossCurveDisplay,
    NaiveRegressor,
    RNNRegressor,
    WindowTransformer,
    skill_score,
)
from skrnn.datasets import load_stock

parser = argparse.ArgumentParser()
parser.add_argument("--data", default=os.environ.get("SKRNN_DATA"), help="folder with CSV files")
parser.add_argument("--epochs", type=int, help="default: 100 and 200 with --data, else 8 and 200")
options = parser.parse_args()
deep_epochs = options.epochs or (100 if options.data else 8)
small_epochs = options.epochs or 200

train, test = (frame[["Open"]] for frame in load_stock(options.data, "google"))

# %%
# Models
# ------
# The two models differ only in the window length and in the network. As in the tutorials, there is
# no base forecast and no early stopping.

plain = {"residual": False, "early_stopping": False, "random_state": 0}
deep_lstm = RNNRegressor("lstm", units=(50, 50, 50, 50), dropout=0.2, epochs=deep_epochs, **plain)
small_lstm = RNNRegressor("lstm", units=4, activation="sigmoid", epochs=small_epochs, **plain)
deep, small = (
    TransformedTargetRegressor(
        regressor=make_pipeline(MinMaxScaler(), WindowTransformer(window_length), rnn),
        transformer=MinMaxScaler(),
    ).fit(train, train)
    for window_length, rnn in [(60, deep_lstm), (1, small_lstm)]
)

# %%
# Forecasts
# ---------
# A network with windows of one day learns little more than to repeat the last value. Its forecast
# is therefore close to the naive forecast, which is accurate for a stock price.

naive = make_pipeline(WindowTransformer(1), NaiveRegressor()).fit(train)
y_naive = naive.predict(test)

print("model          RMSE   skill")
for name, model in {"4 x LSTM(50)": deep, "LSTM(4)": small, "naive": naive}.items():
    y_pred = model.predict(test)
    rmse, skill = root_mean_squared_error(test, y_pred), skill_score(test, y_pred, y_naive)
    print(f"{name:13} {rmse:5.2f}  {skill:+.3f}")

_, axes = plt.subplots(2, figsize=(7, 8), sharex=True, layout="constrained")
for ax, model, name in zip(axes, [deep, small], ["4 x LSTM(50)", "LSTM(4)"], strict=True):
    ForecastDisplay.from_estimator(model, test, test, ax=ax, name=name)
axes[0].label_outer()

# %%
# The figure shows the training loss of each epoch, computed on the scaled series.

_, ax = plt.subplots()
for model, name in [(deep, "4 x LSTM(50)"), (small, "LSTM(4)")]:
    LossCurveDisplay.from_estimator(model, ax=ax, name=name)
plt.show()
