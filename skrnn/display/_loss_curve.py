"""Plots of forecasts beside the naive one, and of training, in scikit-learn's Display grammar."""

from typing import Any

import numpy as np

from .._sklearn_compat import check_is_fitted
from ._forecast import _check_lengths, iter_inner_estimators
from ._matplotlib import LOOKS, add_legend, check_axes, styled, thin_ticks


class LossCurveDisplay:
    """Loss of each epoch, on the training and on the validation part.

    Make one with `from_estimator`. All parameters are stored as attributes.

    Parameters
    ----------
    loss_curve : array-like of shape (n_epochs,)
        Training loss of each epoch.
    validation_loss_curve : array-like of shape (n_epochs,), default=None
        Loss on the validation part.
    naive_loss : float, default=None
        Loss of the naive forecast, in the same units (those that reach the network), drawn as a
        level.
    name : str, default=None
        Name of the model, put before the labels of its lines.

    Attributes
    ----------
    best_epoch : int or None
        Epoch of the lowest validation loss, counted from 1. None without validation.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        Training loss, and where known validation loss, its minimum and the naive level.

    See Also
    --------
    RNNRegressor : Has the curves as `loss_curve_` and `validation_loss_curve_`.

    Examples
    --------
    >>> from skrnn import LossCurveDisplay
    >>> display = LossCurveDisplay([0.9, 0.5, 0.4], [0.8, 0.6, 0.7]).plot()
    >>> display.best_epoch, display.ax_.get_yscale()
    (2, 'log')
    """

    def __init__(self, loss_curve, validation_loss_curve=None, *, naive_loss=None, name=None):
        self.loss_curve = np.asarray(loss_curve, dtype=np.float64)
        self.validation_loss_curve = self.best_epoch = None
        if validation_loss_curve is not None:
            curve = self.validation_loss_curve = np.asarray(validation_loss_curve, np.float64)
            if not np.isnan(curve).all():
                self.best_epoch = int(np.nanargmin(curve)) + 1
        self.naive_loss = naive_loss
        self.name = name
        _check_lengths(loss_curve=loss_curve, validation_loss_curve=validation_loss_curve)

    def plot(
        self,
        ax=None,
        *,
        log=True,
        name=None,
        train_kwargs=None,
        validation_kwargs=None,
        naive_kwargs=None,
    ):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        log : bool, default=True
            Whether the loss is on a logarithmic scale; if not all are positive, it is linear.
        name : str, default=None
            Name of the model; None is the display's `name`.
        train_kwargs, validation_kwargs, naive_kwargs : dict, default=None
            Style of the curves and of the naive level: keywords of `Axes.plot`.

        Returns
        -------
        display : LossCurveDisplay
            The object itself, with `ax_`, `figure_` and `lines_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        (ax,) = check_axes(ax, 1, type(self).__name__)
        name = self.name if name is None else name

        def label(text):
            return text if name is None else f"{name}: {text[0].lower()}{text[1:]}"

        epochs = np.arange(1, len(self.loss_curve) + 1)
        looks: dict[str, Any] = {"marker": "."} if len(epochs) <= 60 else {}
        style = looks | {"label": label("Training loss")}
        lines = ax.plot(epochs, self.loss_curve, **styled(style, train_kwargs))
        losses = [self.loss_curve]
        if self.validation_loss_curve is not None:
            curve = self.validation_loss_curve
            losses.append(curve)
            style = looks | {"label": label("Validation loss")}
            lines += ax.plot(epochs, curve, **styled(style, validation_kwargs))
            if self.best_epoch is not None:
                lowest, color = curve[self.best_epoch - 1], lines[-1].get_color()
                text = label(f"Lowest {lowest:.4g}, in epoch {self.best_epoch}")
                style = {"marker": "o", "linestyle": "", "color": color, "label": text}
                lines += ax.plot([self.best_epoch], [lowest], **style)
        if self.naive_loss is not None:
            losses.append(np.atleast_1d(self.naive_loss))
            style = LOOKS["y_naive"] | {"label": f"Naive {self.naive_loss:.4g}"}
            lines += [ax.axhline(self.naive_loss, **styled(style, naive_kwargs))]
        if log and all((values[~np.isnan(values)] > 0).all() for values in losses):
            ax.set_yscale("log")
        ax.set(xlabel="Epoch", ylabel="Loss")
        thin_ticks(ax.xaxis)
        add_legend(ax)
        self.ax_, self.figure_, self.lines_ = ax, ax.figure, lines
        return self

    @classmethod
    def from_estimator(cls, estimator, *, naive_loss=None, name=None, ax=None, **style):
        """Plot the curves of a fitted network.

        Parameters
        ----------
        estimator : estimator
            A fitted `RNNRegressor` or other estimator with `loss_curve_` (such as
            `MLPRegressor`), or a pipeline, `TransformedTargetRegressor` or search with one inside.
        naive_loss : float, default=None
            Loss of the naive forecast, in the same units (those that reach the network), drawn
            as a level.
        name : str, default=None
            Name of the model, put before the labels of its lines.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **style : dict
            `log`, `train_kwargs`, `validation_kwargs` and `naive_kwargs`, as in `plot`.

        Returns
        -------
        display : LossCurveDisplay

        Raises
        ------
        ValueError
            If nothing inside the estimator has a `loss_curve_`.
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
        check_is_fitted(estimator)
        network = next(
            (e for e in iter_inner_estimators(estimator) if hasattr(e, "loss_curve_")), None
        )
        if network is None:
            raise ValueError(
                f"{type(estimator).__name__} has no loss_curve_, nor has any estimator inside it: "
                "only what is trained in epochs has one, such as RNNRegressor."
            )
        validation = getattr(network, "validation_loss_curve_", None)
        display = cls(network.loss_curve_, validation, naive_loss=naive_loss, name=name)
        return display.plot(ax, **style)
