"""
The next days, not yet seen
===========================

What comes after the last known row? Rows that are not yet observed are passed as NaN: no window
reads them, and each gets its prediction.
"""

# %%
# The series
# ----------
# ``--data FOLDER`` names the folder of a tutorial's files; without it the days are those of
# Google's stock that ship with matplotlib, and the epochs few.

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
parser.add_argument("--data", default=os.environ.get("SKRNN_DATA"), help="folder of the CSV files")
parser.add_argument("--epochs", type=int, help="default: 100 with --data, else 15")
options = parser.parse_args()
epochs = options.epochs or (100 if options.data else 15)

train, test = (part[["Open"]] for part in load_stock(options.data, "google"))

# %%
# A model that looks five days ahead
# ----------------------------------
# With ``horizon=5`` a row is predicted from the 60 rows that end five before it. How good that
# is, the test days tell. The naive forecast, too, has to do with what was known five days before.

rnn = RNNRegressor("gru", units=32, residual=True, epochs=epochs, random_state=0)
model = TransformedTargetRegressor(
    regressor=make_pipeline(MinMaxScaler(), WindowTransformer(60, horizon=5), rnn),
    transformer=MinMaxScaler(),
)
y_pred = model.fit(train, train).predict(test)
naive = make_pipeline(WindowTransformer(1, horizon=5), NaiveRegressor()).fit(train)
y_naive = naive.predict(test)

print(f"RMSE of the network, five days ahead  {root_mean_squared_error(test, y_pred):.2f}")
print(f"RMSE of the naive, five days ahead    {root_mean_squared_error(test, y_naive):.2f}")
print(f"skill                                 {skill_score(test, y_pred, y_naive):+.3f}")

# %%
# Beyond the last day
# -------------------
# Fitted on all that is known, the model continues from there. The next five days are five rows of
# NaN, which no window reads: the five windows end in the last five known rows.

known = pd.concat([train, test])
days = pd.bdate_range(known.index[-1], periods=6, inclusive="right", name="Date")
future = pd.DataFrame(np.nan, index=days, columns=known.columns)
forecast = model.fit(known, known).predict(future)
print(pd.DataFrame(forecast, index=days, columns=["Open"], dtype=float).round(2))

# %%
# The last twenty days and, right of the line, what comes after them. What is not yet observed is
# not scored; the scores are those of the twenty days.

display = ForecastDisplay.from_predictions(
    pd.concat([known[-20:], future]),
    np.r_[y_pred[-20:], forecast],
    y_past=known[:-20],
    horizon=5,
)
display.ax_.axvline(known.index[-1], color="black", linewidth=0.8)
plt.show()
