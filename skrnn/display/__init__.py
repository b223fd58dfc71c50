"""Plots of forecasts, of training and of networks, in the form of scikit-learn's displays."""

from ._forecast import ForecastDisplay
from ._gradient_flow import GradientFlowDisplay
from ._loss_curve import LossCurveDisplay
from ._next_char import NextCharDisplay

__all__ = ["ForecastDisplay", "GradientFlowDisplay", "LossCurveDisplay", "NextCharDisplay"]
