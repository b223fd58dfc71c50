"""Displays of forecasts, training and networks, similar to those of scikit-learn."""

from ._forecast import ForecastDisplay
from ._gradient_flow import GradientFlowDisplay
from ._loss_curve import LossCurveDisplay
from ._next_char import NextCharDisplay

__all__ = ["ForecastDisplay", "GradientFlowDisplay", "LossCurveDisplay", "NextCharDisplay"]

# Pickles contain this public path, so they do not depend on the private modules.
for _class in (ForecastDisplay, GradientFlowDisplay, LossCurveDisplay, NextCharDisplay):
    _class.__module__ = __name__
