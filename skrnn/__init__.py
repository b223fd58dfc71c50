"""Recurrent networks that behave like scikit-learn estimators.

Public names are imported from their modules when first asked for, and TensorFlow not before a
network is needed.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import baselines as baselines
    from . import classification as classification
    from . import datasets as datasets
    from . import display as display
    from . import encoders as encoders
    from . import forecasting as forecasting
    from . import gradient_flow as gradient_flow
    from . import layers as layers
    from . import networks as networks
    from . import next_char as next_char
    from . import regression as regression
    from . import reservoir as reservoir
    from . import scikeras as scikeras
    from . import sktime_classification as sktime_classification
    from . import tabular as tabular
    from . import text as text
    from . import windows as windows
    from ._compiled import clear_compiled
    from .baselines import NaiveRegressor, backtest, skill_score
    from .classification import RNNClassifier
    from .display import ForecastDisplay, LossCurveDisplay
    from .forecasting import RNNForecaster, RNNTimeSeriesRegressor
    from .gradient_flow import GradientFlowDisplay
    from .networks import build_rnn
    from .next_char import NextCharDisplay
    from .regression import RNNRegressor
    from .reservoir import ReservoirTransformer
    from .sktime_classification import RNNTimeSeriesClassifier
    from .tabular import CompleteWindowsRegressor
    from .text import CharLSTMClassifier
    from .windows import WindowArray, WindowTransformer, sliding_windows

__version__ = "0.1.0"

__all__ = [
    "CharLSTMClassifier",
    "CompleteWindowsRegressor",
    "ForecastDisplay",
    "GradientFlowDisplay",
    "LossCurveDisplay",
    "NaiveRegressor",
    "NextCharDisplay",
    "RNNClassifier",
    "RNNForecaster",
    "RNNRegressor",
    "RNNTimeSeriesClassifier",
    "RNNTimeSeriesRegressor",
    "ReservoirTransformer",
    "WindowArray",
    "WindowTransformer",
    "backtest",
    "build_rnn",
    "clear_compiled",
    "skill_score",
    "sliding_windows",
]

_ROOMS = {
    "_compiled": ["clear_compiled"],
    "baselines": ["NaiveRegressor", "backtest", "skill_score"],
    "classification": ["RNNClassifier"],
    "datasets": [],
    "display": ["ForecastDisplay", "LossCurveDisplay"],
    "encoders": [],
    "forecasting": ["RNNForecaster", "RNNTimeSeriesRegressor"],
    "gradient_flow": ["GradientFlowDisplay"],
    "layers": [],
    "networks": ["build_rnn"],
    "next_char": ["NextCharDisplay"],
    "regression": ["RNNRegressor"],
    "reservoir": ["ReservoirTransformer"],
    "scikeras": [],
    "sktime_classification": ["RNNTimeSeriesClassifier"],
    "tabular": ["CompleteWindowsRegressor"],
    "text": ["CharLSTMClassifier"],
    "windows": ["WindowArray", "WindowTransformer", "sliding_windows"],
}


def __getattr__(name):
    """Import a public name when it is first asked for."""
    for room, names in _ROOMS.items():
        if name == room or name in names:
            module = importlib.import_module(f".{room}", __name__)
            return module if name == room else getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
