"""GradientFlowDisplay: plot how far gradients are propagated back in time."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ._estimators import find_inner_estimator, inner_windows
from ._matplotlib import Display, add_legend, check_axes, format_ticks, line_style

if TYPE_CHECKING:
    import keras


class GradientFlowDisplay(Display):
    """Plot of the gradient of a network's output with respect to earlier time steps.

    The display shows the norm of the gradient of the output with respect to the input k steps
    before the last, averaged over windows. Backpropagation through time multiplies the gradient by
    one factor per step. If the factors are small, the gradient vanishes, and the network does not
    learn from early time steps. If they are large, the gradient explodes [1]_. It is recommended to
    use `from_estimator` or `from_network` to create a display. To compare networks, plot them on
    the same axes. All parameters are stored as attributes.

    Parameters
    ----------
    norms : array-like of shape (n_timesteps,)
        Norm of the gradient 0, 1, 2, ... steps before the last.
    untrained_norms : array-like of shape (n_timesteps,), default=None
        Norms of the gradients before training.
    name : str, default=None
        Name of the network, which is added to the labels of its lines.

    Attributes
    ----------
    rate, untrained_rate : float
        Geometric mean of the factor by which the norm changes per step back. Gradients vanish with
        a rate below 1 and explode with a rate above 1. NaN if the last step has no gradient or is
        the only step.
    ax_ : matplotlib Axes
        The axes with the lines.
    figure_ : matplotlib Figure
        The figure that contains the axes.
    lines_ : list of matplotlib Line2D
        The norms after training and, if known, before training.

    References
    ----------
    .. [1] Y. Bengio, P. Simard, P. Frasconi (1994). Learning long-term dependencies with gradient
       descent is difficult. IEEE Transactions on Neural Networks 5(2).

    Examples
    --------
    >>> from skrnn import GradientFlowDisplay
    >>> display = GradientFlowDisplay([1.0, 0.5, 0.25, 0.125], name="rnn").plot()
    >>> display.rate
    0.5
    >>> display.lines_[0].get_label()
    'rnn (×0.500 per step)'
    """

    lines_: list[Any]

    def __init__(
        self, norms: ArrayLike, *, untrained_norms: ArrayLike | None = None, name: str | None = None
    ) -> None:
        self.norms = _check_norms("norms", norms)
        self.untrained_norms: np.ndarray | None = None
        self.untrained_rate = float("nan")
        if untrained_norms is not None:
            self.untrained_norms = _check_norms("untrained_norms", untrained_norms)
            if len(self.untrained_norms) != len(self.norms):
                raise ValueError(
                    f"norms has {len(self.norms)} steps and untrained_norms "
                    f"{len(self.untrained_norms)}, but both must be computed from the same windows."
                )
            self.untrained_rate = _rate_per_step(self.untrained_norms)
        self.rate = _rate_per_step(self.norms)
        self.name = name

    def plot(
        self,
        ax: Any = None,
        *,
        relative: bool = True,
        log: bool = True,
        name: str | None = None,
        line_kwargs: dict[str, Any] | None = None,
        untrained_kwargs: dict[str, Any] | None = None,
    ) -> "GradientFlowDisplay":
        """Plot the gradient norms against the number of steps back.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a figure is created.
        relative : bool, default=True
            Whether to divide the norms by the norm at the last step.
        log : bool, default=True
            Whether to use a logarithmic scale, on which a constant rate is a straight line.
        name : str, default=None
            Name of the network. If None, the `name` of the display is used.
        line_kwargs, untrained_kwargs : dict, default=None
            Keyword arguments of `Axes.plot` for the norms after and before training.

        Returns
        -------
        display : GradientFlowDisplay
            The display, with the attributes `ax_`, `figure_` and `lines_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        (axis,) = check_axes(ax, 1, type(self).__name__)
        name = self.name if name is None else name
        values = _scaled(self.norms, relative, log)
        steps = np.arange(len(values))
        lines = axis.plot(steps, values, **line_style(line_kwargs, label=_label(name, self.rate)))
        if self.untrained_norms is not None:
            style = {"linestyle": "--", "color": lines[0].get_color(), "alpha": 0.6}
            style["label"] = _label(name, self.untrained_rate, "untrained")
            values = _scaled(self.untrained_norms, relative, log)
            lines += axis.plot(steps, values, **line_style(untrained_kwargs, **style))
        if log:
            axis.set_yscale("log")
        unit = ", relative to the last step" if relative else ""
        axis.set(xlabel="Steps back", ylabel=f"Norm of the gradient{unit}")
        format_ticks(axis.xaxis)
        add_legend(axis)
        self.ax_, self.figure_, self.lines_ = axis, axis.figure, lines
        return self

    @classmethod
    def from_network(
        cls,
        network: "keras.Model",
        X: ArrayLike,
        *,
        untrained: "keras.Model | None" = None,
        n_windows: int = 256,
        name: str | None = None,
        ax: Any = None,
        **style: Any,
    ) -> "GradientFlowDisplay":
        """Plot the gradient norms of a Keras model.

        Parameters
        ----------
        network : keras.Model
            A model with inputs of shape (n_samples, n_timesteps, n_features).
        X : array-like of shape (n_samples, n_timesteps, n_features)
            Windows, as they are passed to the model.
        untrained : keras.Model, default=None
            The model before training.
        n_windows : int, default=256
            Maximum number of windows to average over, which are evenly spaced in X.
        name : str, default=None
            Name of the network, which is added to the labels of its lines.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a figure is created.
        **style : dict
            `relative`, `log`, `line_kwargs` and `untrained_kwargs` of `plot`.

        Returns
        -------
        display : GradientFlowDisplay

        Raises
        ------
        ValueError
            If X has no windows.

        Examples
        --------
        >>> import numpy as np
        >>> from skrnn import GradientFlowDisplay, build_rnn
        >>> network = build_rnn((20, 1), 1, "rnn", units=1, activation="linear", seed=0)
        >>> network.layers[1].cell.recurrent_kernel.assign([[0.8]])
        <...
        >>> display = GradientFlowDisplay.from_network(network, np.ones((5, 20, 1)))
        >>> round(display.rate, 4)
        0.8
        """
        windows = _select_windows(np.asarray(X), n_windows)
        norms = _gradient_norms(network, windows)
        untrained_norms = None if untrained is None else _gradient_norms(untrained, windows)
        return cls(norms, untrained_norms=untrained_norms, name=name).plot(ax, **style)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        *,
        untrained: bool = True,
        n_windows: int = 256,
        name: str | None = None,
        ax: Any = None,
        **style: Any,
    ) -> "GradientFlowDisplay":
        """Plot the gradient norms of the network of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted `RNNRegressor` or other estimator with a Keras model as `model_`, or a
            pipeline, `TransformedTargetRegressor` or search that contains one.
        X : array-like
            Input of `predict`. Incomplete windows are excluded.
            If there is a base forecast, the gradient is that of the change that the network
            predicts, with respect to the inputs of its first recurrent layer.
        untrained : bool, default=True
            Whether to also plot an untrained network: a copy whose trainable weights are
            reinitialized by the same initializers.
        n_windows : int, default=256
            Maximum number of windows to average over, which are evenly spaced in X.
        name : str, default=None
            Name of the network. If None, the name of its `cell` is used, if it has one.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a figure is created.
        **style : dict
            `relative`, `log`, `line_kwargs` and `untrained_kwargs` of `plot`.

        Returns
        -------
        display : GradientFlowDisplay

        Raises
        ------
        ValueError
            If neither the estimator nor any estimator inside it has a `model_`, or no window is
            complete.
        NotFittedError
            If the estimator is not fitted.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.pipeline import make_pipeline
        >>> from skrnn import GradientFlowDisplay, RNNRegressor, WindowTransformer
        >>> series = np.sin(np.arange(60.0))[:, None]
        >>> rnn = RNNRegressor("lstm", units=4, epochs=2, random_state=0)
        >>> model = make_pipeline(WindowTransformer(10), rnn).fit(series)
        >>> display = GradientFlowDisplay.from_estimator(model, series)
        >>> display.norms.shape, len(display.lines_)
        ((10,), 2)
        """
        hint = "Only estimators with a network have gradients, such as RNNRegressor."
        fitted = find_inner_estimator(estimator, "model_", hint)
        windows: Any = inner_windows(estimator, X)
        windows = np.asarray(X) if windows is None else windows[windows.n_incomplete :]
        if name is None and getattr(fitted, "network", None) is None:
            name = getattr(fitted, "cell", None)
            name = getattr(name, "__name__", name)
        network, windows = _without_base_forecast(fitted, windows)
        return cls.from_network(
            network,
            windows,
            untrained=reinitialized_clone(network) if untrained else None,
            n_windows=n_windows,
            name=name if isinstance(name, str) else None,
            ax=ax,
            **style,
        )


def _without_base_forecast(estimator, windows):
    """Return the network of an estimator without its base forecast, and its inputs.

    The inputs of the networks of `build_rnn` are those of the first recurrent layer, such as
    windows relative to their last row.
    """
    import keras

    from ..networks.residual import WEIGHT, frozen_layer

    model = estimator.model_
    weight = frozen_layer(model, WEIGHT)
    if weight is None:
        return model, windows
    is_recurrent = keras.layers.RNN, keras.layers.Bidirectional
    recurrent = [layer for layer in model.layers if isinstance(layer, is_recurrent)]
    if estimator.network is not None or not recurrent:
        return keras.Model(model.inputs[0], weight.input), windows
    inputs = keras.Model(model.inputs[0], recurrent[0].input)(np.asarray(windows))
    return keras.Model(recurrent[0].input, weight.input), np.asarray(inputs)


def _check_norms(name, norms):
    norms = np.asarray(norms, dtype=np.float64)
    if norms.ndim != 1 or not norms.size:
        raise ValueError(f"{name} must be of shape (n_timesteps,), got {norms.shape}.")
    return norms


def _rate_per_step(norms):
    """Return the mean factor per step, up to the first norm that is zero."""
    n_steps = int(np.argmax(np.append(norms, 0) <= 0))
    if n_steps < 2:
        return float("nan")
    return float((norms[n_steps - 1] / norms[0]) ** (1 / (n_steps - 1)))


def _label(name, rate, state=None):
    text = ", ".join(filter(None, [name, state])) or "Gradient"
    return text if np.isnan(rate) else f"{text} (×{rate:.3f} per step)"


def _scaled(norms, relative, log):
    """Return the values to plot, without zeros on a logarithmic scale."""
    values = norms / norms[0] if relative and norms[0] else norms
    return np.where(values > 0, values, np.nan) if log else values


def _select_windows(windows, n_windows):
    """Return evenly spaced windows of shape (n_windows, n_timesteps, n_features)."""
    windows = windows[..., None] if windows.ndim == 2 else windows
    if windows.ndim != 3 or not len(windows):
        raise ValueError(
            "X must contain windows, of shape (n_samples, n_timesteps, n_features), got shape "
            f"{windows.shape}."
        )
    n_windows = min(len(windows), n_windows)
    return windows[np.linspace(0, len(windows) - 1, n_windows).astype(int)]


def _gradient_norms(network, windows):
    """Return the norm of the gradient with respect to each step, starting at the last step."""
    import tensorflow as tf

    x = tf.constant(windows, network.inputs[0].dtype)

    def gradients(x):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = network(x, training=False)
            outputs = tf.unstack(tf.reshape(y, (-1, np.prod(y.shape[1:], dtype=int))), axis=1)
        zero = tf.UnconnectedGradients.ZERO
        return [tape.gradient(output, x, unconnected_gradients=zero) for output in outputs]

    graph = tf.function(gradients, autograph=False).get_concrete_function(x)
    # In double precision, as the squares of vanishing gradients underflow.
    squares = sum(np.square(g.numpy().astype(np.float64)).sum(axis=2) for g in graph(x))
    return np.sqrt(squares).mean(axis=0)[::-1]


def reinitialized_clone(network: "keras.Model") -> "keras.Model":
    """Return a copy of a network with new initial values of its trainable weights."""
    import keras

    from .._keras_compat import all_layers, default_seeds
    from ..networks.custom_cells import custom_objects_of

    # `default_seeds` makes the initial values of layers without a seed reproducible.
    with (
        default_seeds(0),
        keras.saving.custom_object_scope(custom_objects_of([*all_layers(network)])),
    ):
        clone = keras.models.clone_model(network)
    variables = (clone.non_trainable_variables, network.non_trainable_variables)
    for variable, source in zip(*variables, strict=True):
        variable.assign(source)
    return clone
