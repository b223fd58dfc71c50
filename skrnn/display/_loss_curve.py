"""LossCurveDisplay: plot the loss during training."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._estimators import find_inner_estimator
from ._matplotlib import LINE_STYLES, Display, add_legend, check_axes, format_ticks, line_style
from ._validation import check_equal_lengths


class LossCurveDisplay(Display):
    """Plot of the training loss and the validation loss of each epoch.

    It is recommended to use `from_estimator` to create a display. All parameters are stored as
    attributes.

    Parameters
    ----------
    loss_curve : array-like of shape (n_epochs,)
        Training loss of each epoch.
    validation_loss_curve : array-like of shape (n_epochs,), default=None
        Validation loss of each epoch.
    naive_loss : float, default=None
        Loss of the naive forecast, in the units of the data that is passed to the network. It is
        plotted as a horizontal line.
    name : str, default=None
        Name of the model, which is added to the labels of its lines.

    Attributes
    ----------
    best_epoch : int or None
        Epoch with the lowest validation loss, starting at 1. None without validation.
    ax_ : matplotlib Axes
        The axes with the lines.
    figure_ : matplotlib Figure
        The figure that contains the axes.
    lines_ : list of matplotlib Line2D
        Training loss and, if known, validation loss, its minimum and the naive loss.

    See Also
    --------
    RNNRegressor : Has the attributes `loss_curve_` and `validation_loss_curve_`.

    Examples
    --------
    >>> from skrnn import LossCurveDisplay
    >>> display = LossCurveDisplay([0.9, 0.5, 0.4], [0.8, 0.6, 0.7]).plot()
    >>> display.best_epoch, display.ax_.get_yscale()
    (2, 'log')
    """

    lines_: list[Any]

    def __init__(
        self,
        loss_curve: ArrayLike,
        validation_loss_curve: ArrayLike | None = None,
        *,
        naive_loss: float | None = None,
        name: str | None = None,
    ) -> None:
        check_equal_lengths(loss_curve=loss_curve, validation_loss_curve=validation_loss_curve)
        self.loss_curve = np.asarray(loss_curve, dtype=np.float64)
        self.validation_loss_curve: np.ndarray | None = None
        self.best_epoch: int | None = None
        if validation_loss_curve is not None:
            curve = self.validation_loss_curve = np.asarray(validation_loss_curve, np.float64)
            if not np.isnan(curve).all():
                self.best_epoch = int(np.nanargmin(curve)) + 1
        self.naive_loss = naive_loss
        self.name = name

    def plot(
        self,
        ax: Any = None,
        *,
        log: bool = True,
        name: str | None = None,
        train_kwargs: dict[str, Any] | None = None,
        validation_kwargs: dict[str, Any] | None = None,
        naive_kwargs: dict[str, Any] | None = None,
    ) -> "LossCurveDisplay":
        """Plot the loss curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a figure is created.
        log : bool, default=True
            Whether to use a logarithmic scale, if all values are positive.
        name : str, default=None
            Name of the model. If None, the `name` of the display is used.
        train_kwargs, validation_kwargs, naive_kwargs : dict, default=None
            Keyword arguments of `Axes.plot` for the training, validation and naive loss.

        Returns
        -------
        display : LossCurveDisplay
            The display, with the attributes `ax_`, `figure_` and `lines_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        (axis,) = check_axes(ax, 1, type(self).__name__)
        name = self.name if name is None else name

        def label(text):
            return text if name is None else f"{name}: {text[0].lower()}{text[1:]}"

        n_epochs = len(self.loss_curve)
        epochs = np.arange(1, n_epochs + 1)
        style = line_style(train_kwargs, n_epochs, label=label("Training loss"))
        lines = axis.plot(epochs, self.loss_curve, **style)
        losses = [self.loss_curve]
        if self.validation_loss_curve is not None:
            losses.append(self.validation_loss_curve)
            style = line_style(validation_kwargs, n_epochs, label=label("Validation loss"))
            lines += axis.plot(epochs, self.validation_loss_curve, **style)
            if self.best_epoch is not None:
                lowest, color = np.nanmin(self.validation_loss_curve), lines[-1].get_color()
                text = label(f"Lowest {lowest:.4g}, in epoch {self.best_epoch}")
                lines += axis.plot([self.best_epoch], [lowest], "o", color=color, label=text)
        if self.naive_loss is not None:
            losses.append(np.atleast_1d(self.naive_loss))
            default = LINE_STYLES["y_naive"] | {"label": f"Naive {self.naive_loss:.4g}"}
            lines += [axis.axhline(self.naive_loss, **line_style(naive_kwargs, **default))]
        if log and all((values[~np.isnan(values)] > 0).all() for values in losses):
            axis.set_yscale("log")
        axis.set(xlabel="Epoch", ylabel="Loss")
        format_ticks(axis.xaxis)
        add_legend(axis)
        self.ax_, self.figure_, self.lines_ = axis, axis.figure, lines
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        naive_loss: float | None = None,
        name: str | None = None,
        ax: Any = None,
        **style: Any,
    ) -> "LossCurveDisplay":
        """Plot the loss curves of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted `RNNRegressor` or other estimator with `loss_curve_` (such as
            `MLPRegressor`), or a pipeline, `TransformedTargetRegressor` or search that contains
            one.
        naive_loss : float, default=None
            Loss of the naive forecast, in the units of the data that is passed to the network. It
            is plotted as a horizontal line.
        name : str, default=None
            Name of the model, which is added to the labels of its lines.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a figure is created.
        **style : dict
            `log`, `train_kwargs`, `validation_kwargs` and `naive_kwargs` of `plot`.

        Returns
        -------
        display : LossCurveDisplay

        Raises
        ------
        ValueError
            If neither the estimator nor any estimator inside it has a `loss_curve_`.
        NotFittedError
            If the estimator is not fitted.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.neural_network import MLPRegressor
        >>> from skrnn import LossCurveDisplay
        >>> X = np.linspace(-1, 1, 50)[:, None]
        >>> mlp = MLPRegressor(max_iter=500, random_state=0).fit(X, X.ravel())
        >>> display = LossCurveDisplay.from_estimator(mlp)
        >>> len(display.loss_curve) == mlp.n_iter_
        True
        """
        hint = "Only estimators that are trained in epochs have one, such as RNNRegressor."
        network = find_inner_estimator(estimator, "loss_curve_", hint)
        validation = getattr(network, "validation_loss_curve_", None)
        display = cls(network.loss_curve_, validation, naive_loss=naive_loss, name=name)
        return display.plot(ax, **style)
