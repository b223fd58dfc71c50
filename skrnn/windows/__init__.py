"""Lagged windows of a time series: a transformer, a function, and the class of the windows."""

from ._array import WindowArray, sliding_windows
from ._transformer import WindowTransformer

__all__ = ["WindowArray", "WindowTransformer", "sliding_windows"]

# Pickles contain this public path, so they do not depend on the private modules.
for _class in (WindowArray, WindowTransformer):
    _class.__module__ = __name__
