"""Recurrent networks as sktime estimators: a forecaster, a regressor and a classifier."""

from ._adapters import RNNTimeSeriesClassifier, RNNTimeSeriesRegressor
from ._forecaster import RNNForecaster

__all__ = ["RNNForecaster", "RNNTimeSeriesClassifier", "RNNTimeSeriesRegressor"]
