"""Series and composite estimators for the tests of displays."""

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skrnn import CompleteWindowsRegressor, WindowTransformer

N_TRAIN = 80


def walk(n_samples=120, n_features=1, seed=0):
    steps = np.random.RandomState(seed).normal(size=(n_samples, n_features))
    return 50 + steps.cumsum(axis=0)


def ridge(window_length=5, horizon=1):
    window = WindowTransformer(window_length, horizon, flatten=True)
    return make_pipeline(MinMaxScaler(), window, CompleteWindowsRegressor(Ridge(1e-2)))


def scaled_target(**window):
    return TransformedTargetRegressor(ridge(**window), transformer=MinMaxScaler())


def scaled_inner_target(**window):
    model = ridge(**window)
    inner = TransformedTargetRegressor(Ridge(1e-2), transformer=MinMaxScaler())
    return model.set_params(completewindowsregressor__regressor=inner)


def scaled_last_step(window_length=5, horizon=1):
    return make_pipeline(
        MinMaxScaler(),
        WindowTransformer(window_length, horizon, flatten=True),
        TransformedTargetRegressor(Ridge(1e-2), transformer=MinMaxScaler()),
    )


def nested_pipeline(window_length=5, horizon=1):
    inner = make_pipeline(MinMaxScaler(), WindowTransformer(window_length, horizon, flatten=True))
    return make_pipeline("passthrough", inner, None, Ridge(1e-2))


def searched(**window):
    grid = {"completewindowsregressor__regressor__alpha": [1e-2, 1.0]}
    return GridSearchCV(ridge(**window), grid, cv=TimeSeriesSplit(2))


MODELS = [ridge, scaled_target, scaled_inner_target, scaled_last_step, nested_pipeline, searched]


def split(series):
    return series[:N_TRAIN], series[N_TRAIN:]


def labels(display, ax=None):
    ax = display.ax_ if ax is None else ax
    return [text.get_text() for text in ax.get_legend().get_texts()]
