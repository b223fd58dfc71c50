"""NextCharDisplay: a text with the most probable next symbols under each of its own."""

import numpy as np

from .._sklearn_compat import check_is_fitted
from ..text._tokens import join, split
from ._matplotlib import check_axes


class NextCharDisplay:
    """A text and, under each of its symbols, the symbols that most probably come next.

    The more probable a symbol, the darker its cell; a frame marks the one that did come next.
    The picture is Karpathy's [1]_. Make one with `from_estimator` or `from_predictions`. All
    parameters are stored as attributes.

    Parameters
    ----------
    symbols : sequence of str of length n_symbols
        The text.
    probabilities : array-like of shape (n_symbols, n_classes)
        Row i: of what comes after symbols 0 to i.
    classes : sequence of str of length n_classes
        What the columns of `probabilities` stand for.
    top_k : int, default=5
        How many next symbols to show.

    Attributes
    ----------
    top_symbols : ndarray of shape (n_symbols, top_k)
        The most probable next symbols, the first one first.
    top_probabilities : ndarray of shape (n_symbols, top_k)
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    See Also
    --------
    CharLSTMClassifier : Names what comes next.

    References
    ----------
    .. [1] A. Karpathy (2015). The unreasonable effectiveness of recurrent neural networks.

    Examples
    --------
    >>> from skrnn import NextCharDisplay
    >>> display = NextCharDisplay("ab", [[0.1, 0.9], [0.8, 0.2]], classes=["a", "b"], top_k=1)
    >>> display.top_symbols.tolist()
    [['b'], ['a']]
    """

    def __init__(self, symbols, probabilities, classes, *, top_k=5):
        self.symbols = list(symbols)
        self.probabilities = np.asarray(probabilities, dtype=float)
        self.classes = [str(symbol) for symbol in classes]
        self.top_k = top_k
        expected = (len(self.symbols), len(self.classes))
        if self.probabilities.shape != expected:
            raise ValueError(
                f"probabilities must be of shape {expected}, a row for each symbol and a column "
                f"for each class, got {self.probabilities.shape}."
            )
        if not ((self.probabilities >= 0) & (self.probabilities <= 1.001)).all():
            raise ValueError("probabilities must be numbers from 0 to 1.")
        if not self.symbols:
            raise ValueError("There is nothing to show: the text is empty.")
        if isinstance(top_k, bool) or not hasattr(top_k, "__index__") or top_k < 1:
            raise ValueError(f"top_k={top_k!r} must be an int of at least 1.")
        order = np.argsort(-self.probabilities, axis=1, kind="stable")[:, : int(top_k)]
        self.top_symbols = np.array(self.classes)[order]
        self.top_probabilities = np.take_along_axis(self.probabilities, order, axis=1)

    @classmethod
    def from_estimator(cls, estimator, text, *, top_k=5, **plot_options):
        """Draw what a fitted estimator expects after each symbol of a text.

        Parameters
        ----------
        estimator : CharLSTMClassifier
            Fitted on text, or on strings whose labels are next symbols.
        text : str
        top_k : int, default=5
        **plot_options
            As `plot` takes them.

        Returns
        -------
        display : NextCharDisplay

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        """
        check_is_fitted(estimator)
        if not isinstance(text, str):
            raise TypeError(f"text must be a str, got {text!r}.")
        analyzer = getattr(estimator, "analyzer", None)
        if analyzer not in ("char", "word"):
            raise TypeError(
                f"NextCharDisplay needs a CharLSTMClassifier, got {type(estimator).__name__}. Of a "
                "pipeline or a search, pass the classifier itself."
            )
        symbols = split(text, analyzer)
        if not symbols:
            raise ValueError("There is nothing to show: the text is empty.")
        beginnings = [join(symbols[: i + 1], analyzer) for i in range(len(symbols))]
        probabilities = estimator.predict_proba(beginnings)
        return cls.from_predictions(
            symbols, probabilities, estimator.classes_, top_k=top_k, **plot_options
        )

    @classmethod
    def from_predictions(cls, symbols, probabilities, classes, *, top_k=5, **plot_options):
        """Draw probabilities that are known already.

        Parameters
        ----------
        symbols : sequence of str of length n_symbols
        probabilities : array-like of shape (n_symbols, n_classes)
        classes : sequence of str of length n_classes
        top_k : int, default=5
        **plot_options
            As `plot` takes them.

        Returns
        -------
        display : NextCharDisplay
        """
        return cls(symbols, probabilities, classes, top_k=top_k).plot(**plot_options)

    def plot(self, ax=None, *, width=None, cmap="Greens"):
        """Draw the symbols and, under each, the next ones.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        width : int, default=None
            Symbols in a line; None is 40 characters, or as many words as have room.
        cmap : str or matplotlib Colormap, default="Greens"
            From 0, improbable, to 1, certain.

        Returns
        -------
        self : NextCharDisplay
        """
        (ax,) = (
            check_axes(ax, 1, type(self).__name__) if ax is not None else [self._new_axes(width)]
        )
        from matplotlib import colormaps
        from matplotlib.patches import Rectangle

        colours = colormaps[cmap] if isinstance(cmap, str) else cmap
        width, n_shown = self._width(width), self.top_symbols.shape[1]
        height = n_shown + 2  # the text, the next symbols, and a blank line
        for i, symbol in enumerate(self.symbols):
            line, x = divmod(i, width)
            y = line * height
            ax.text(x + 0.5, y + 0.5, _shown(symbol), ha="center", va="center", weight="bold")
            for rank in range(n_shown):
                probability = self.top_probabilities[i, rank]
                guess = self.top_symbols[i, rank]
                came = i + 1 < len(self.symbols) and guess == self.symbols[i + 1]
                cell = Rectangle(
                    (x, y + 1 + rank),
                    1,
                    1,
                    facecolor=colours(probability),
                    edgecolor="black" if came else "white",
                    linewidth=1.2 if came else 0.5,
                    zorder=2 if came else 1,
                )
                ax.add_patch(cell)
                ax.text(
                    x + 0.5,
                    y + 1.5 + rank,
                    _shown(guess),
                    ha="center",
                    va="center",
                    size="small",
                    color="white" if probability > 0.6 else "black",
                    zorder=3,
                )
        n_lines = -(-len(self.symbols) // width)
        ax.set(xlim=(0, min(width, len(self.symbols))), ylim=(n_lines * height - 1, 0))
        ax.set_axis_off()
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _width(self, width):
        if width is not None:
            if isinstance(width, bool) or not hasattr(width, "__index__") or width < 1:
                raise ValueError(f"width={width!r} must be an int of at least 1.")
            return int(width)
        longest = max(len(_shown(s)) for s in [*self.symbols, *self.top_symbols.ravel()])
        return max(1, min(len(self.symbols), 40 if longest == 1 else 90 // (longest + 2)))

    def _new_axes(self, width):
        (ax,) = check_axes(None, 1, type(self).__name__)
        columns, height = self._width(width), self.top_symbols.shape[1] + 2
        n_lines = -(-len(self.symbols) // columns)
        longest = max(len(_shown(s)) for s in [*self.symbols, *self.top_symbols.ravel()])
        cell = 0.26 if longest == 1 else 0.1 * (longest + 2)
        ax.figure.set_size_inches(max(2, cell * columns), max(1.2, 0.24 * height * n_lines))
        return ax


_MARKS = {" ": "␣", "\n": "⏎", "\r": "␍", "\t": "⇥", "$": r"\$"}


def _shown(symbol):
    """Return what stands for a symbol in a plot."""
    return _MARKS.get(symbol, symbol.replace("$", r"\$"))
