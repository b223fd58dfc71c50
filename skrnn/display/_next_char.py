"""NextCharDisplay: plot the most probable next tokens of a text."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from .._sklearn_compat import check_is_fitted
from ..text._tokens import join, split
from ._matplotlib import Display, check_axes

_Tokens = Sequence[str]

# Visible forms of white space, and of the character that begins a formula in matplotlib.
_VISIBLE = {" ": "␣", "\n": "⏎", "\r": "␍", "\t": "⇥", "$": r"\$"}


class NextCharDisplay(Display):
    """Plot of a text with the most probable next tokens below each token.

    More probable tokens have darker cells, and the token that follows in the text has a frame. The
    plot follows Karpathy [1]_. It is recommended to use `from_estimator` or `from_predictions` to
    create a display. All parameters are stored as attributes.

    Parameters
    ----------
    symbols : sequence of str of length n_symbols
        The tokens of the text (characters or words).
    probabilities : array-like of shape (n_symbols, n_classes)
        Row i contains the probabilities of the token after token i.
    classes : sequence of str of length n_classes
        The tokens that the columns of `probabilities` correspond to.
    top_k : int, default=5
        Number of next tokens to show.

    Attributes
    ----------
    top_symbols : ndarray of shape (n_symbols, top_k)
        The most probable next tokens, by decreasing probability.
    top_probabilities : ndarray of shape (n_symbols, top_k)
        The probabilities of `top_symbols`.
    ax_ : matplotlib Axes
        The axes with the plot.
    figure_ : matplotlib Figure
        The figure that contains the axes.

    See Also
    --------
    CharLSTMClassifier : Predicts the next token.

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

    def __init__(
        self, symbols: _Tokens, probabilities: ArrayLike, classes: _Tokens, *, top_k: int = 5
    ) -> None:
        self.symbols = list(symbols)
        self.probabilities = np.asarray(probabilities, dtype=float)
        self.classes = [str(symbol) for symbol in classes]
        self.top_k = _check_count("top_k", top_k)
        expected = (len(self.symbols), len(self.classes))
        if self.probabilities.shape != expected:
            raise ValueError(
                f"probabilities must be of shape {expected}, one row per token and one column per "
                f"class, got {self.probabilities.shape}."
            )
        if not ((self.probabilities >= 0) & (self.probabilities <= 1.001)).all():
            raise ValueError("probabilities must be numbers from 0 to 1.")
        if not self.symbols:
            raise ValueError("The text is empty, so there is nothing to plot.")
        order = np.argsort(-self.probabilities, axis=1, kind="stable")[:, : self.top_k]
        self.top_symbols = np.array(self.classes)[order]
        self.top_probabilities = np.take_along_axis(self.probabilities, order, axis=1)

    @classmethod
    def from_estimator(
        cls, estimator: Any, text: str, *, top_k: int = 5, **plot_options: Any
    ) -> "NextCharDisplay":
        """Plot the predictions of a fitted estimator for each token of a text.

        Parameters
        ----------
        estimator : CharLSTMClassifier
            Fitted on text, or on strings whose labels are the next tokens.
        text : str
            The text.
        top_k : int, default=5
            Number of next tokens to show.
        **plot_options : dict
            Arguments of `plot`.

        Returns
        -------
        display : NextCharDisplay

        Raises
        ------
        TypeError
            If the estimator is not a CharLSTMClassifier, or the text is not a str.
        ValueError
            If the text is empty.
        NotFittedError
            If the estimator is not fitted.
        """
        check_is_fitted(estimator)
        if not isinstance(text, str):
            raise TypeError(f"text must be a str, got {text!r}.")
        analyzer = getattr(estimator, "analyzer", None)
        if analyzer not in ("char", "word"):
            raise TypeError(
                f"NextCharDisplay needs a CharLSTMClassifier, got {type(estimator).__name__}. Pass "
                "the classifier itself, not a pipeline or a search that contains it."
            )
        symbols = split(text, analyzer)
        if not symbols:
            raise ValueError("The text is empty, so there is nothing to plot.")
        prefixes = [join(symbols[: i + 1], analyzer) for i in range(len(symbols))]
        probabilities = estimator.predict_proba(prefixes)
        return cls.from_predictions(
            symbols, probabilities, estimator.classes_, top_k=top_k, **plot_options
        )

    @classmethod
    def from_predictions(
        cls,
        symbols: _Tokens,
        probabilities: ArrayLike,
        classes: _Tokens,
        *,
        top_k: int = 5,
        **plot_options: Any,
    ) -> "NextCharDisplay":
        """Plot given probabilities.

        Parameters
        ----------
        symbols : sequence of str of length n_symbols
            The tokens of the text.
        probabilities : array-like of shape (n_symbols, n_classes)
            Row i contains the probabilities of the token after token i.
        classes : sequence of str of length n_classes
            The tokens that the columns of `probabilities` correspond to.
        top_k : int, default=5
            Number of next tokens to show.
        **plot_options : dict
            Arguments of `plot`.

        Returns
        -------
        display : NextCharDisplay
        """
        return cls(symbols, probabilities, classes, top_k=top_k).plot(**plot_options)

    def plot(self, ax: Any = None, *, width: int | None = None, cmap: Any = "Greens") -> Self:
        """Plot the tokens and, below each, the most probable next tokens.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a figure is created.
        width : int, default=None
            Number of tokens per line. If None, 40 characters, or as many words as fit, are plotted.
        cmap : str or matplotlib Colormap, default="Greens"
            Colormap of the probabilities from 0 to 1.

        Returns
        -------
        display : NextCharDisplay
            The display, with the attributes `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        (axis,) = check_axes(ax, 1, type(self).__name__)
        from matplotlib import colormaps
        from matplotlib.patches import Rectangle

        colormap = colormaps[cmap] if isinstance(cmap, str) else cmap
        shown = [*self.symbols, *self.top_symbols.ravel()]
        max_length = max(len(_visible(symbol)) for symbol in shown)
        if width is None:
            n_columns = 40 if max_length == 1 else max(1, 90 // (max_length + 2))
            width = min(len(self.symbols), n_columns)
        width = _check_count("width", width)
        n_lines = -(-len(self.symbols) // width)
        height = self.top_symbols.shape[1] + 2  # the text, the next tokens, and a blank row
        if ax is None:
            cell = 0.26 if max_length == 1 else 0.1 * (max_length + 2)
            axis.figure.set_size_inches(max(2, cell * width), max(1.2, 0.24 * height * n_lines))
        center = {"ha": "center", "va": "center"}
        for i, symbol in enumerate(self.symbols):
            line, x = divmod(i, width)
            y = line * height
            axis.text(x + 0.5, y + 0.5, _visible(symbol), weight="bold", **center)
            guesses = zip(self.top_symbols[i], self.top_probabilities[i], strict=True)
            for row, (guess, probability) in enumerate(guesses, y + 1):
                is_next = self.symbols[i + 1 : i + 2] == [guess]
                edge, linewidth, zorder = ("black", 1.2, 2) if is_next else ("white", 0.5, 1)
                style: dict[str, Any] = {"edgecolor": edge, "lw": linewidth, "zorder": zorder}
                axis.add_patch(Rectangle((x, row), 1, 1, facecolor=colormap(probability), **style))
                color = "white" if probability > 0.6 else "black"
                position = (x + 0.5, row + 0.5)
                axis.text(*position, _visible(guess), size="small", color=color, zorder=3, **center)
        axis.set(xlim=(0, min(width, len(self.symbols))), ylim=(n_lines * height - 1, 0))
        axis.set_axis_off()
        self.ax_, self.figure_ = axis, axis.figure
        return self


def _check_count(name, value):
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
        raise ValueError(f"{name}={value!r} must be an int of at least 1.")
    return int(value)


def _visible(symbol):
    """Return the visible form of a token."""
    return _VISIBLE.get(symbol, symbol.replace("$", r"\$"))
