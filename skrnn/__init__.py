"""Recurrent neural networks as scikit-learn estimators.

Public names are imported from their modules on first access, and TensorFlow is imported when a
network is first needed.
"""

import importlib
from typing import TYPE_CHECKING

from ._legacy import install_finder as _install_legacy_finder

if TYPE_CHECKING:
    # Type checkers also find the modules of the names below.
    from . import datasets as datasets
    from . import layers as layers
    from . import scikeras as scikeras
    from ._engine.cache import clear_compiled as clear_compiled
    from .baselines import Backtest as Backtest
    from .baselines import NaiveRegressor as NaiveRegressor
    from .baselines import backtest as backtest
    from .baselines import skill_score as skill_score
    from .classification import RNNClassifier as RNNClassifier
    from .display import ForecastDisplay as ForecastDisplay
    from .display import GradientFlowDisplay as GradientFlowDisplay
    from .display import LossCurveDisplay as LossCurveDisplay
    from .display import NextCharDisplay as NextCharDisplay
    from .forecasting import RNNForecaster as RNNForecaster
    from .forecasting import RNNTimeSeriesClassifier as RNNTimeSeriesClassifier
    from .forecasting import RNNTimeSeriesRegressor as RNNTimeSeriesRegressor
    from .networks import build_rnn as build_rnn
    from .regression import RNNRegressor as RNNRegressor
    from .reservoir import ReservoirTransformer as ReservoirTransformer
    from .tabular import CompleteWindowsRegressor as CompleteWindowsRegressor
    from .text import CharLSTMClassifier as CharLSTMClassifier
    from .windows import WindowArray as WindowArray
    from .windows import WindowTransformer as WindowTransformer
    from .windows import candidate_window_lengths as candidate_window_lengths
    from .windows import sliding_windows as sliding_windows
    from .windows import steps_ahead as steps_ahead

__version__ = "0.1.0"

_install_legacy_finder()

# Public modules and the names that the package exports from each.
_LAZY_MODULES = {
    "_engine.cache": ["clear_compiled"],
    "baselines": ["Backtest", "NaiveRegressor", "backtest", "skill_score"],
    "classification": ["RNNClassifier"],
    "datasets": [],
    "display": ["ForecastDisplay", "GradientFlowDisplay", "LossCurveDisplay", "NextCharDisplay"],
    "forecasting": ["RNNForecaster", "RNNTimeSeriesClassifier", "RNNTimeSeriesRegressor"],
    "layers": [],
    "networks": ["build_rnn"],
    "regression": ["RNNRegressor"],
    "reservoir": ["ReservoirTransformer"],
    "scikeras": [],
    "tabular": ["CompleteWindowsRegressor"],
    "text": ["CharLSTMClassifier"],
    "windows": [
        "WindowArray",
        "WindowTransformer",
        "candidate_window_lengths",
        "sliding_windows",
        "steps_ahead",
    ],
}
_MODULE_OF = {name: module for module, names in _LAZY_MODULES.items() for name in names}
_PUBLIC_MODULES = [module for module in _LAZY_MODULES if not module.startswith("_")]

__all__ = sorted(_MODULE_OF)


def __getattr__(name):
    """Import a public name or module on first access."""
    if name in _MODULE_OF:
        return getattr(importlib.import_module(f".{_MODULE_OF[name]}", __name__), name)
    if name in _PUBLIC_MODULES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__, *_PUBLIC_MODULES})
