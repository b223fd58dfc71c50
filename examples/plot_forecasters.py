"""
Forecasting with sktime
=======================

`RNNForecaster` is an sktime forecaster. It supports sktime's model evaluation, panels and
prediction intervals.
"""

# %%
# Seasonal series
# ---------------
# The number of airline passengers increases over time, and so does its seasonal variation. The
# forecaster takes the logarithm and removes the seasonal component and the drift. The network
# learns the remainder. Only the seasonal period has to be specified.

import argparse
import logging
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sktime.forecasting.model_evaluation import evaluate
from sktime.forecasting.naive import NaiveForecaster
from sktime.performance_metrics.forecasting import MeanSquaredError
from sktime.split import ExpandingWindowSplitter

from skrnn import ForecastDisplay, RNNForecaster
from skrnn.datasets import load_airline

# Hide sktime's warning about a new default. sktime resets the filter, so also log the warnings.
warnings.filterwarnings("ignore", category=FutureWarning, module="sktime")
logging.captureWarnings(True)

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, help="default: 500 gradient steps in total")
options = parser.parse_args()

passengers = load_airline()["Passengers"]
train, test = passengers[:-24], passengers[-24:]
rnn = RNNForecaster(sp=12, epochs=options.epochs, random_state=0)
naive = NaiveForecaster(sp=12)
horizon = np.arange(1, 25)
y_pred = rnn.fit(train, fh=horizon).predict()
y_naive = naive.fit(train, fh=horizon).predict()

# %%
# With ``coverage=0.9``, about 90% of the observed values are expected to be inside the prediction
# intervals.

_ = ForecastDisplay.from_predictions(
    test, y_pred, y_naive=y_naive, y_interval=rnn.predict_interval(coverage=0.9)
)

# %%
# Evaluation with expanding windows
# ---------------------------------
# The function ``evaluate`` of sktime refits each forecaster on an increasing number of years and
# scores the forecast of the following year.

years = ExpandingWindowSplitter(fh=np.arange(1, 13), initial_window=84, step_length=12)
rmse = {
    name: evaluate(model, years, passengers, scoring=MeanSquaredError(square_root=True))
    for name, model in {"network": rnn, "naive": naive}.items()
}
rmse = pd.DataFrame({name: scores.iloc[:, 0] for name, scores in rmse.items()})
rmse["skill"] = 1 - rmse["network"] / rmse["naive"]
print("RMSE and skill per year")
print(rmse.round(2))

# %%
# One network for a panel
# -----------------------
# The panel contains three years of monthly sales of fifty shops, which have the same seasonal
# pattern and different levels. A model that is fitted on all series can separate the seasonal
# pattern from the noise of each series.

rng = np.random.default_rng(0)
months = pd.period_range("2021-01", periods=48, freq="M", name="month")
pattern = np.sin(2 * np.pi * np.arange(48) / 12) + (np.arange(48) % 12 == 11)
shops = {}
for shop in range(50):
    size = rng.uniform(5, 50)
    shops[shop] = pd.DataFrame({"sales": size * (5 + pattern + 0.4 * rng.normal(size=48))}, months)
sales = pd.concat(shops, names=["shop"])
past = sales[sales.index.get_level_values("month") < months[36]]
future = sales.drop(past.index)

rnn.fit(past, fh=np.arange(1, 13))
y_pred, y_naive = rnn.predict(), naive.fit(past, fh=np.arange(1, 13)).predict()
size = past.groupby("shop").mean()
errors = {"network": (y_pred - future) / size, "naive": (y_naive - future) / size}
for name, error in errors.items():
    print(f"{name:8s} RMSE relative to the mean sales: {np.sqrt((error**2).mean().item()):.3f}")

# %%
# The sales of a shop that is not in the training data are forecast from their past values by the
# same network.

new_shop = pd.concat({99: 3 * shops[0][:36]}, names=["shop"])
forecast = rnn.update(new_shop, update_params=False).predict().loc[99]
ForecastDisplay.from_predictions(
    3 * shops[0][36:], forecast, y_naive=3 * shops[0][24:36].set_axis(months[36:])
)
logging.captureWarnings(False)
plt.show()
