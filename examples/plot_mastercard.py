"""
MasterCard's stock price with LSTM and GRU
==========================================

A well-known tutorial trains an LSTM and a GRU with 125 units on MasterCard's daily highs from 2016
to 2020 and predicts the following 195 trading days of 2021. The two models differ only in the
parameter ``cell``.
"""

# %%
# Data
# ----
# ``--data FOLDER`` specifies the folder with the CSV file of the tutorial. By default, the example
# uses Google's stock prices, which ship with matplotlib, and a small number of epochs.

import argparse
import os

import matplotlib.pyplot as plt
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skrnn import ForecastDisplay, NaiveRegressor, RNNRegressor, WindowTransformer, skill_score
from skrnn.datasets import load_stock

parser = argparse.ArgumentParser()
parser.add_argument("--data", default=os.environ.get("SKRNN_DATA"), help="folder with CSV files")
parser.add_argument("--epochs", type=int, help="default: 50 with --data, else 8")
options = parser.parse_args()
epochs = options.epochs or (50 if options.data else 8)

train, test = (frame[["High"]] for frame in load_stock(options.data, "mastercard"))

# %%
# Models
# ------
# Both models use windows of 60 days, 125 units and RMSprop, without a base forecast and early
# stopping. The GRU is a clone of the LSTM with a
# different ``cell``.

rnn = RNNRegressor(
    "lstm",
    units=125,
    optimizer="rmsprop",
    epochs=epochs,
    residual=False,
    early_stopping=False,
    random_state=0,
)
lstm = TransformedTargetRegressor(
    regressor=make_pipeline(MinMaxScaler(), WindowTransformer(60), rnn),
    transformer=MinMaxScaler(),
)
gru = clone(lstm).set_params(regressor__rnnregressor__cell="gru")
naive = make_pipeline(WindowTransformer(1), NaiveRegressor())
models = {"LSTM(125)": lstm, "GRU(125)": gru, "naive": naive}
for model in models.values():
    model.fit(train, train)

for name, model in [*models.items()][:2]:
    print(f"{name} has {model.regressor_[-1].model_.count_params():,} parameters")

# %%
# Forecasts
# ---------
# The skill is ``1 - RMSE / RMSE of the naive forecast``. A model with a positive skill is more
# accurate than the naive forecast.

y_naive = naive.predict(test)
print("model       RMSE   skill")
for name, model in models.items():
    y_pred = model.predict(test)
    rmse, skill = root_mean_squared_error(test, y_pred), skill_score(test, y_pred, y_naive)
    print(f"{name:10} {rmse:5.2f}  {skill:+.3f}")

_, axes = plt.subplots(2, figsize=(7, 8), sharex=True, layout="constrained")
for ax, name in zip(axes, ["LSTM(125)", "GRU(125)"], strict=True):
    ForecastDisplay.from_estimator(models[name], test, test, ax=ax, name=name)
axes[0].label_outer()
plt.show()
