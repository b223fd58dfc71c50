"""
A network among sktime's forecasters
====================================

`RNNForecaster` is an sktime forecaster: it stands in sktime's own comparisons, takes panels, and
says how far its forecasts may be off.
"""

# %%
# A series with a season
# ----------------------
# The numbers of airline passengers grow, and so does their season: the forecaster takes logarithms,
# takes out season and drift, and the network learns the rest. All that it has to be told is the
# season's length.

import argparse
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

# sktime announces a new default of its own forecasters.
warnings.filterwarnings("ignore", category=FutureWarning, module="sktime")

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, help="default: as many as make 500 gradient steps")
options = parser.parse_args()

passengers = load_airline()["Passengers"]
train, test = passengers[:-24], passengers[-24:]
rnn = RNNForecaster(sp=12, epochs=options.epochs, random_state=0)
naive = NaiveForecaster(sp=12)
horizon = np.arange(1, 25)
y_pred = rnn.fit(train, fh=horizon).predict()
y_naive = naive.fit(train, fh=horizon).predict()

# %%
# The band should hold nine of ten values.

ForecastDisplay.from_predictions(
    test, y_pred, y_naive=y_naive, y_interval=rnn.predict_interval(coverage=0.9)
)

# %%
# Over expanding windows
# ----------------------
# sktime's `evaluate` fits each forecaster anew on ever more years, and scores the next year.

years = ExpandingWindowSplitter(fh=np.arange(1, 13), initial_window=84, step_length=12)
rmse = {
    name: evaluate(model, years, passengers, scoring=MeanSquaredError(square_root=True))
    for name, model in {"network": rnn, "naive": naive}.items()
}
rmse = pd.DataFrame({name: scores.iloc[:, 0] for name, scores in rmse.items()})
rmse["skill"] = 1 - rmse["network"] / rmse["naive"]
print("RMSE of each year, and skill")
print(rmse.round(2))

# %%
# One network for many series
# ---------------------------
# Fifty shops, each with three years of sales. They share the shape of a season, each has its own
# level, and what is noise in one series is known from the others.

rng = np.random.default_rng(0)
months = pd.period_range("2021-01", periods=48, freq="M", name="month")
shape = np.sin(2 * np.pi * np.arange(48) / 12) + (np.arange(48) % 12 == 11)
shops = {}
for shop in range(50):
    size = rng.uniform(5, 50)
    shops[shop] = pd.DataFrame({"sales": size * (5 + shape + 0.4 * rng.normal(size=48))}, months)
sales = pd.concat(shops, names=["shop"])
past = sales[sales.index.get_level_values("month") < months[36]]
future = sales.drop(past.index)

rnn.fit(past, fh=np.arange(1, 13))
y_pred, y_naive = rnn.predict(), naive.fit(past, fh=np.arange(1, 13)).predict()
size = past.groupby("shop").mean()
errors = {"network": (y_pred - future) / size, "naive": (y_naive - future) / size}
for name, error in errors.items():
    print(f"{name:8s} RMSE, as a share of a shop's mean: {np.sqrt((error**2).mean().item()):.3f}")

# %%
# A shop that opens later is forecast from its own past, by the network of the others.

late = pd.concat({99: 3 * shops[0][:36]}, names=["shop"])
forecast = rnn.update(late, update_params=False).predict().loc[99]
ForecastDisplay.from_predictions(
    3 * shops[0][36:], forecast, y_naive=3 * shops[0][24:36].set_axis(months[36:])
)
plt.show()
