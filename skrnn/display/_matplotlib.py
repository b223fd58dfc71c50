"""Axes, styles, ticks and legends of displays. Matplotlib is imported only for plotting."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The line of the observed values is wide and light, so that it stays visible below the other two.
# The predicted line has the next color of the axes, so that several models can share the axes.
LINE_STYLES: dict[str, dict[str, Any]] = {
    "y_true": {"color": "0.6", "linewidth": 3.5},
    "y_pred": {"linewidth": 1.5},
    "y_naive": {"color": "tab:red", "linewidth": 1.2, "linestyle": (0, (2, 1)), "zorder": 2.5},
}

# Up to this many points have markers, which also show points between two missing values.
_MAX_MARKED_POINTS = 60


class Display:
    """Base class of displays: the attributes that `plot` sets."""

    ax_: Any
    figure_: "Figure"


def line_style(kwargs, n_points=None, **default):
    """Return the default style of a line, updated with keyword arguments or their aliases.

    A line with few points has markers.
    """
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    marker = {"marker": "."} if n_points is not None and n_points <= _MAX_MARKED_POINTS else {}
    return marker | default | normalize_kwargs(kwargs or {}, Line2D)


def check_axes(ax: Any, n_plots: int, display: str) -> np.ndarray:
    """Return one Axes per plot: the given Axes, or those of a new figure."""
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise ImportError(
            f"{display}.plot needs matplotlib. Install it with `pip install matplotlib`."
        ) from error
    if ax is None:
        from matplotlib import pyplot as plt

        width, height = mpl.rcParams["figure.figsize"]
        size = (width, height * (1 + n_plots) / 2)
        options: dict[str, Any] = {"squeeze": False, "layout": "constrained", "figsize": size}
        return plt.subplots(n_plots, sharex=True, **options)[1][:, 0]
    axes = np.ravel(np.asarray(ax, dtype=object))
    if len(axes) != n_plots:
        raise ValueError(
            f"{n_plots} plots need {n_plots} Axes, got {len(axes)}. Pass {n_plots} Axes, or "
            "select one output with output=."
        )
    return axes


def format_ticks(axis: Any, row_labels: list[str] | None = None, is_count: bool = True) -> None:
    """Use few row labels, concise dates, and integer ticks for counts of rows or epochs."""
    from matplotlib import dates, ticker

    if row_labels is not None:
        labels = dict(enumerate(row_labels))
        axis.set_major_locator(ticker.MaxNLocator(4, integer=True))
        axis.set_major_formatter(lambda x, _: labels.get(round(x), ""))
    elif isinstance(axis.get_major_formatter(), dates.AutoDateFormatter):
        axis.set_major_formatter(dates.ConciseDateFormatter(axis.get_major_locator()))
    elif is_count and isinstance(axis.get_major_locator(), ticker.MaxNLocator):
        axis.get_major_locator().set_params(integer=True)


def add_legend(ax: Any) -> None:
    """Add a legend with one entry per label, such as the observed values of several models."""
    handles, labels = ax.get_legend_handles_labels()
    entries = dict(zip(labels, handles, strict=True))
    ax.legend(entries.values(), entries.keys(), loc="best", fontsize="small")
