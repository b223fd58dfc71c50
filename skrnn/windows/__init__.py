"""Windows of a time series: a function, the array that it returns, and a transformer."""

from ._array import WindowArray, sliding_windows
from ._transformer import WindowTransformer

__all__ = ["WindowArray", "WindowTransformer", "sliding_windows"]
