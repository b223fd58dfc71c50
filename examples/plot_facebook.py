"""
Facebook's stock price with four LSTM layers
============================================

A well-known tutorial trains four LSTM layers on five years of Facebook's opening prices and
predicts the 21 trading days of January 2020. This example implements the tutorial as a standard
scikit-learn pipeline, without a loop over windows, reshaping or manual inverse scaling.
"""

# %%
# Data
# ----
# The series has one row per trading day and one column. ``--data FOLDER`` specifies the folder with
# the CSV files of the tutorial. By default, the example uses Google's stock prices (847 days for
# training, 200 for testing) and a small number of epochs.

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
parser.add_argument("--epochs", type=int, help="default: 100 with --data, else 10")
options = parser.parse_args()
epochs = options.epochs or (100 if options.data else 10)

train, test = (frame[["Open"]] for frame in load_stock(options.data, "facebook"))

# %%
# Model
# -----
# Each row is predicted from the 40 rows before it. `WindowTransformer` provides these rows to the
# network, so y is the series itself. The tutorial uses four layers of 45 units, a dropout rate of
# 0.2, Adam and a batch size of 32. It has no base forecast and no early stopping.

rnn = RNNRegressor(
    "lstm",
    units=(45, 45, 45, 45),
    dropout=0.2,
    epochs=epochs,
    residual=False,
    early_stopping=False,
    random_state=0,
)
model = TransformedTargetRegressor(
    regressor=make_pipeline(MinMaxScaler(), WindowTransformer(40), rnn),
    transformer=MinMaxScaler(),
)
model.fit(train, train)

# %%
# Forecast
# --------
# The windows of the first test days extend into the training data, whose last rows are stored by
# the pipeline. The network is compared with the naive forecast, which predicts the last opening
# price.

y_pred = model.predict(test)
naive = make_pipeline(WindowTransformer(1), NaiveRegressor()).fit(train)
y_naive = naive.predict(test)

print(f"RMSE of the network         {root_mean_squared_error(test, y_pred):.2f}")
print(f"RMSE of the naive forecast  {root_mean_squared_error(test, y_naive):.2f}")
print(f"skill                       {skill_score(test, y_pred, y_naive):+.3f}")

_ = ForecastDisplay.from_estimator(model, test, test)

# %%
# A negative skill means that the network is less accurate than the naive forecast: its predictions
# lag behind the price. A price that is close to a random walk is hardly predictable. In
# :ref:`sphx_glr_auto_examples_plot_residual.py`, training starts at the naive forecast, and the
# network only learns the change.

LossCurveDisplay.from_estimator(model)
plt.show()
