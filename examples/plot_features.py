"""
Multivariate input
==================

A window may contain several columns. In this example, the next opening price is predicted from the
open, high, low and volume of the preceding days. X contains these columns, and y is the column to
predict.
"""

# %%
# Data
# ----
# ``--data FOLDER`` specifies the folder with the CSV files of the tutorial. By default, the example
# uses Google's stock prices, which ship with matplotlib, and a small number of epochs.

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
parser.add_argument("--data", default=os.environ.get("SKRNN_DATA"), help="folder with CSV files")
parser.add_argument("--epochs", type=int, help="default: 100 with --data, else 60")
options = parser.parse_args()
epochs = options.epochs or (100 if options.data else 60)

train, test = load_stock(options.data, "google")
features = ["Open", "High", "Low", "Volume"]
train[features].tail(3)

# %%
# Models
# ------
# The same model is fitted on four columns and on the opening price only. Each column is scaled
# separately. With ``residual=True``, the model detects which column is the target, and the network
# learns the change from the last value of this column.

rnn = RNNRegressor(
    "gru", units=32, residual=True, learning_rate=0.01, epochs=epochs, random_state=0
)
model = TransformedTargetRegressor(
    regressor=make_pipeline(StandardScaler(), WindowTransformer(10), rnn),
    transformer=StandardScaler(),
)
multivariate = clone(model).fit(train[features], train["Open"])
univariate = clone(model).fit(train[["Open"]], train["Open"])
naive = make_pipeline(WindowTransformer(1), NaiveRegressor()).fit(train[["Open"]], train["Open"])

for name, fitted in [("Open only", univariate), ("four columns", multivariate)]:
    print(f"{name}: windows of shape {fitted.regressor_[-1].input_shape_}")

# %%
# Forecasts
# ---------
# A day's high and low contain information about the price after the open, and thus about the next
# open. The model with four columns is therefore more accurate than the naive forecast. This is not
# a trading strategy, because the information is publicly available.

y_test, y_naive = test["Open"], naive.predict(test[["Open"]])
forecasts = {
    "four columns": multivariate.predict(test[features]),
    "Open only": univariate.predict(test[["Open"]]),
    "naive": y_naive,
}
print("model          RMSE   skill")
for name, y_pred in forecasts.items():
    rmse, skill = root_mean_squared_error(y_test, y_pred), skill_score(y_test, y_pred, y_naive)
    print(f"{name:13} {rmse:5.2f}  {skill:+.3f}")

ForecastDisplay.from_estimator(multivariate, test[features], y_test)
plt.show()
