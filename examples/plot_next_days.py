"""
Forecasting unobserved days
===========================

This example predicts the days after the last row of a series. Rows that have not been observed yet
are passed to `predict` as NaN. This is possible because no window contains these rows.
"""

# %%
# Data
# ----
# ``--data FOLDER`` specifies the folder with the CSV files of the tutorial. By default, the example
# uses Google's stock prices, which ship with matplotlib, and a small number of epochs.

import argparse
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skrnn import ForecastDisplay, NaiveRegressor, RNNRegressor, WindowTransformer, skill_score
from skrnn.datasets import load_stock

parser = argparse.ArgumentParser()
parser.add_argument("--data", default=os.environ.get("SKRNN_DATA"), help="folder with CSV files")
parser.add_argument("--epochs", type=int, help="default: 100 with --data, else 15")
options = parser.parse_args()
epochs = options.epochs or (100 if options.data else 15)

train, test = (frame[["Open"]] for frame in load_stock(options.data, "google"))

# %%
# Forecasts five days ahead
# -------------------------
# With ``horizon=5``, a row is predicted from a window of 60 rows, which ends five rows earlier. The
# forecasts are evaluated on the test days. The naive forecast has the same horizon.

rnn = RNNRegressor("gru", units=32, residual=True, epochs=epochs, random_state=0)
model = TransformedTargetRegressor(
    regressor=make_pipeline(MinMaxScaler(), WindowTransformer(60, horizon=5), rnn),
    transformer=MinMaxScaler(),
)
y_pred = model.fit(train, train).predict(test)
naive = make_pipeline(WindowTransformer(1, horizon=5), NaiveRegressor()).fit(train)
y_naive = naive.predict(test)

print(f"RMSE of the network, five days ahead         {root_mean_squared_error(test, y_pred):.2f}")
print(f"RMSE of the naive forecast, five days ahead  {root_mean_squared_error(test, y_naive):.2f}")
print(f"skill                                        {skill_score(test, y_pred, y_naive):+.3f}")

# %%
# Forecasts beyond the last day
# -----------------------------
# The model is refitted on all observed rows. The next five days are passed as five rows of NaN,
# which no window contains: the five windows end at the last five observed rows.

observed = pd.concat([train, test])
days = pd.bdate_range(observed.index[-1], periods=6, inclusive="right", name="Date")
future = pd.DataFrame(np.nan, index=days, columns=observed.columns)
forecast = model.fit(observed, observed).predict(future)
print(pd.DataFrame(forecast, index=days, columns=["Open"], dtype=float).round(2))

# %%
# The figure shows the last twenty observed days and, to the right of the vertical line, the
# forecast. The scores are computed on the observed days.

display = ForecastDisplay.from_predictions(
    pd.concat([observed[-20:], future]),
    np.r_[y_pred[-20:], forecast],
    y_past=observed[:-20],
    horizon=5,
)
display.ax_.axvline(observed.index[-1], color="black", linewidth=0.8)
plt.show()
