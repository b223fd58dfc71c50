"""How displays draw: lines, axes, ticks and legends, in matplotlib, imported when they do."""

import datetime
from typing import Any

import numpy as np

# The real line is broad and pale, so that two lines on top of it do not hide it. The predicted
# one takes the next colour of the axes: a second model in the same axes gets another one.
LOOKS: dict[str, dict[str, Any]] = {
    "y_true": {"color": "0.6", "linewidth": 3.5},
    "y_pred": {"linewidth": 1.5},
    "y_naive": {"color": "tab:red", "linewidth": 1.2, "linestyle": (0, (2, 1)), "zorder": 2.5},
}


def styled(style, kwargs):
    """Return the keywords of a line, the user's before ours, whichever alias they use."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return style | normalize_kwargs(kwargs or {}, Line2D)


def check_axes(ax, n_plots, caller):
    """Return as many axes as plots, as an array: those given, or those of a new figure."""
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise ImportError(
            f"{caller}.plot needs matplotlib. Install it with `pip install matplotlib`."
        ) from error
    if ax is None:
        from matplotlib import pyplot as plt

        width, height = mpl.rcParams["figure.figsize"]
        _, axes = plt.subplots(
            n_plots,
            sharex=True,
            squeeze=False,
            layout="constrained",
            figsize=(width, height * (1 + n_plots) / 2),
        )
        return axes[:, 0]
    axes = np.ravel(np.asarray(ax, dtype=object))
    if len(axes) != n_plots:
        raise ValueError(
            f"{n_plots} plots need as many Axes, got {len(axes)}. Pass {n_plots}, or choose one "
            "output with output=."
        )
    return axes


def legend_label(name, **scores):
    known = ", ".join(f"{score} {value}" for score, value in scores.items() if value != "nan")
    return f"{name} ({known})" if known else name


def positions(index, n_samples):
    """Return x and its labels: numbers and dates as they are, rows for labels of other kinds."""
    if index is None:
        return np.arange(n_samples), None
    if hasattr(index, "to_timestamp"):  # periods
        index = index.to_timestamp()
    x = np.asarray(index)
    is_date = x.dtype.kind == "M" or (x.ndim == 1 and isinstance(x[0], datetime.date))
    if is_date or x.dtype.kind in "iuf":
        return x, None
    return np.arange(n_samples), [str(label) for label in index]


def thin_ticks(axis, row_labels=None, counts=True):
    """Keep dates short, labels of rows few, and ticks that count rows or epochs whole."""
    from matplotlib import dates, ticker

    if row_labels is not None:
        n_samples = len(row_labels)
        axis.set_major_locator(ticker.MaxNLocator(4, integer=True))
        axis.set_major_formatter(
            lambda x, _: row_labels[round(x)] if 0 <= round(x) < n_samples else ""
        )
    elif isinstance(axis.get_major_formatter(), dates.AutoDateFormatter):
        axis.set_major_formatter(dates.ConciseDateFormatter(axis.get_major_locator()))
    elif counts and isinstance(axis.get_major_locator(), ticker.MaxNLocator):
        axis.get_major_locator().set_params(integer=True)


def add_legend(ax):
    """Put the legend into a corner without lines, or make room for it above them."""
    handles, labels = ax.get_legend_handles_labels()
    entries = dict(zip(labels, handles, strict=True))  # one "Real" for two models in one plot

    def legend_at(corner, n_columns=1):
        legend = ax.legend(
            entries.values(), entries.keys(), loc=corner, ncols=n_columns, fontsize="small"
        )
        return legend.get_window_extent()

    low, high = ax.yaxis.get_transform().transform(ax.get_ylim())
    paths = [line.get_path().transformed(line.get_transform()) for line in ax.lines]
    for corner in ("upper left", "upper right", "lower left", "lower right"):
        box = legend_at(corner).padded(4)
        if not any(path.intersects_bbox(box, filled=False) for path in paths):
            return
    if not ax.get_autoscaley_on():
        return
    axes_box = ax.get_window_extent()
    box = legend_at("upper left", len(entries))
    if box.x1 > axes_box.x1:
        box = legend_at("upper left")
    share = min(0.5, (axes_box.y1 - box.y0) / axes_box.height)
    top = low + (high - low) / (1 - share)
    ax.set_ylim(top=ax.yaxis.get_transform().inverted().transform(top), auto=True)
