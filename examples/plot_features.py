"""
Multivariate input
==================

A window may contain several columns. In this example, the next opening price is predicted from the
prices and the volume of the preceding days. X contains these columns, and y is the column to
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
features = ["Open", "High", "Low", "Close", "Volume"]
train[features].tail(3)

# %%
# Models
# ------
# The same model is fitted on five columns and on the opening price only. Each column is scaled
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

for name, fitted in [("Open only", univariate), ("five columns", multivariate)]:
    print(f"{name}: windows of shape {fitted.regressor_[-1].input_shape_}")

# %%
# Forecasts
# ---------
# Several naive forecasts are possible. The best one repeats the column that is closest to the next
# opening price in the last training year: the closing price, the latest of a day. The other prices
# make the network more accurate than the opening price alone, but a model of several columns has to
# be compared with the best of their naive forecasts.

naive, errors = {}, {}
for column in features:
    naive[column] = make_pipeline(WindowTransformer(1), NaiveRegressor()).fit(train[[column]])
    y_pred = naive[column].predict(train[[column]])[:, 0]
    errors[column] = root_mean_squared_error(train["Open"][-250:], y_pred[-250:])
best = min(errors, key=errors.get)
y_test, y_naive = test["Open"], naive[best].predict(test[[best]])[:, 0]
forecasts = {
    "five columns": multivariate.predict(test[features]),
    "Open only": univariate.predict(test[["Open"]]),
    f"naive: {best}": y_naive,
}
print("model          RMSE   skill")
for name, y_pred in forecasts.items():
    rmse, skill = root_mean_squared_error(y_test, y_pred), skill_score(y_test, y_pred, y_naive)
    print(f"{name:13} {rmse:5.2f}  {skill:+.3f}")

y_pred = forecasts["five columns"]
ForecastDisplay.from_predictions(y_test, y_pred, y_naive=y_naive, index=test.index)
plt.show()
