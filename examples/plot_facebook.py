"""
Four stacked LSTM layers on Facebook's stock
============================================

A well-known tutorial trains four LSTM layers on five years of Facebook's opening prices, and
predicts the 21 trading days of January 2020. Here it is as a stock scikit-learn pipeline: no loop
that builds windows, no reshape, no scaling undone by hand.
"""

# %%
# The series
# ----------
# One row a trading day, one column. ``--data FOLDER`` names the folder of the tutorial's files;
# without it the days are Google's, 847 to learn from and 200 to predict, and the epochs few.

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
parser.add_argument("--data", default=os.environ.get("SKRNN_DATA"), help="folder of the CSV files")
parser.add_argument("--epochs", type=int, help="default: 100 with --data, else 10")
options = parser.parse_args()
epochs = options.epochs or (100 if options.data else 10)

train, test = (part[["Open"]] for part in load_stock(options.data, "facebook"))

# %%
# The model
# ---------
# Every row is predicted from the 40 rows before it. `WindowTransformer` gives the network those
# rows, so that y is the series itself. Four layers of 45 units with a dropout of 0.2, adam and
# batches of 32 are the tutorial's settings.

rnn = RNNRegressor("lstm", units=(45, 45, 45, 45), dropout=0.2, epochs=epochs, random_state=0)
model = TransformedTargetRegressor(
    regressor=make_pipeline(MinMaxScaler(), WindowTransformer(40), rnn),
    transformer=MinMaxScaler(),
)
model.fit(train, train)

# %%
# The forecast
# ------------
# The windows of the first test days reach back into the training days, which the pipeline
# remembers. Beside it stands the forecast that needs no learning: tomorrow opens where today did.

y_pred = model.predict(test)
naive = make_pipeline(WindowTransformer(1), NaiveRegressor()).fit(train)
y_naive = naive.predict(test)

print(f"RMSE of the network  {root_mean_squared_error(test, y_pred):.2f}")
print(f"RMSE of the naive    {root_mean_squared_error(test, y_naive):.2f}")
print(f"skill                {skill_score(test, y_pred, y_naive):+.3f}")

ForecastDisplay.from_estimator(model, test, test)

# %%
# A skill below 0 means that the network has lost: it follows the price, with a delay. Of a price
# close to a random walk little more can be had. :ref:`sphx_glr_auto_examples_plot_residual.py`
# lets a network start from the naive forecast, and learn only what goes beyond it.

LossCurveDisplay.from_estimator(model)
plt.show()
