"""
Several features a day
======================

A window may hold several columns: here a day's open, high, low and volume, of which the next day's
open is to be predicted. All that changes is X; y is the one column that is wanted.
"""

# %%
# The series
# ----------
# ``--data FOLDER`` names the folder of a tutorial's files; without it the days are those of
# Google's stock that ship with matplotlib, and the epochs few.

import argparse
import os

import matplotlib.pyplot as plt
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrnn import ForecastDisplay, NaiveRegressor, RNNRegressor, WindowTransformer, skill_score
from skrnn.datasets import load_stock

parser = argparse.ArgumentParser()
parser.add_argument("--data", default=os.environ.get("SKRNN_DATA"), help="folder of the CSV files")
parser.add_argument("--epochs", type=int, help="default: 100 with --data, else 60")
options = parser.parse_args()
epochs = options.epochs or (100 if options.data else 60)

train, test = load_stock(options.data, "google")
features = ["Open", "High", "Low", "Volume"]
train[features].tail(3)

# %%
# One model, two choices of columns
# ---------------------------------
# Each column is scaled by itself. ``residual=True`` finds out which column is the target, also
# where there are several, and lets the network learn the change from its last value.

rnn = RNNRegressor(
    "gru", units=32, residual=True, learning_rate=0.01, epochs=epochs, random_state=0
)
model = TransformedTargetRegressor(
    regressor=make_pipeline(
        StandardScaler(),
        WindowTransformer(10),
        rnn,
    ),
    transformer=StandardScaler(),
)
every = clone(model).fit(train[features], train["Open"])
alone = clone(model).fit(train[["Open"]], train["Open"])
naive = make_pipeline(WindowTransformer(1), NaiveRegressor()).fit(train[["Open"]], train["Open"])

for name, fitted in [("Open alone", alone), ("four columns", every)]:
    n_timesteps, n_features = fitted.regressor_[-1].input_shape_
    print(f"{name}: windows of {n_timesteps} days and {n_features} features")

# %%
# The forecasts
# -------------
# A day's high and low tell where the price went after the open, and the next open starts from
# there. That is no way to get rich, as the last price is known to all, but it is something to
# learn: here the naive forecast is beaten.

y_test, y_naive = test["Open"], naive.predict(test[["Open"]])
forecasts = {
    "four columns": every.predict(test[features]),
    "Open alone": alone.predict(test[["Open"]]),
    "naive": y_naive,
}
print("model          RMSE   skill")
for name, y_pred in forecasts.items():
    rmse, skill = root_mean_squared_error(y_test, y_pred), skill_score(y_test, y_pred, y_naive)
    print(f"{name:13} {rmse:5.2f}  {skill:+.3f}")

ForecastDisplay.from_estimator(every, test[features], y_test)
plt.show()
