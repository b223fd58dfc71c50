"""Lagged windows of a time series: a transformer, a function, and the class of the windows."""

from ._array import WindowArray, sliding_windows, steps_ahead
from ._length import candidate_window_lengths
from ._transformer import WindowTransformer

__all__ = [
    "WindowArray",
    "WindowTransformer",
    "candidate_window_lengths",
    "sliding_windows",
    "steps_ahead",
]

# Pickles contain this public path, so they do not depend on the private modules.
for _class in (WindowArray, WindowTransformer):
    _class.__module__ = __name__
