"""GradientFlowDisplay: how much of the gradient reaches back how far."""

from typing import Any

import numpy as np

from .._sklearn_compat import check_is_fitted
from ._forecast import inner_windows, iter_inner_estimators
from ._matplotlib import add_legend, check_axes, styled, thin_ticks


class GradientFlowDisplay:
    """How strongly a network's output depends on what it read k steps before the last.

    The strength is the norm of the output's gradient with respect to the input k steps before the
    last, averaged over windows. In a recurrent network it is the product of what k steps do to a
    gradient: where each makes it smaller it vanishes, and nothing is learnt from what lies far
    back; where each makes it larger it explodes [1]_. Make one with `from_estimator` or
    `from_network`; several in the same axes compare cells. All parameters are stored as attributes.

    Parameters
    ----------
    norms : array-like of shape (n_timesteps,)
        The strength 0, 1, 2, ... steps before the last.
    untrained_norms : array-like of shape (n_timesteps,), default=None
        The same before training.
    name : str, default=None
        Name of the network, put before the labels of its lines.

    Attributes
    ----------
    rate, untrained_rate : float
        What a step back multiplies the strength by, on (geometric) average from the last step to
        the first: below 1 it vanishes, above 1 it explodes. NaN where the last step has none, or
        is the only one.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        After training, and before it where known.

    References
    ----------
    .. [1] Y. Bengio, P. Simard, P. Frasconi (1994). Learning long-term dependencies with gradient
       descent is difficult. IEEE Transactions on Neural Networks 5(2).

    Examples
    --------
    >>> from skrnn import GradientFlowDisplay
    >>> display = GradientFlowDisplay([1.0, 0.5, 0.25, 0.125], name="forgetful").plot()
    >>> display.rate
    0.5
    >>> display.lines_[0].get_label()
    'forgetful (×0.500 a step)'
    """

    def __init__(self, norms, *, untrained_norms=None, name=None):
        self.norms = _checked("norms", norms)
        self.untrained_norms = None
        self.untrained_rate = float("nan")
        if untrained_norms is not None:
            self.untrained_norms = _checked("untrained_norms", untrained_norms)
            if len(self.untrained_norms) != len(self.norms):
                raise ValueError(
                    f"norms has {len(self.norms)} steps and untrained_norms "
                    f"{len(self.untrained_norms)}: both need those of the same windows."
                )
            self.untrained_rate = _rate(self.untrained_norms)
        self.rate = _rate(self.norms)
        self.name = name

    def plot(
        self,
        ax=None,
        *,
        relative=True,
        log=True,
        name=None,
        line_kwargs=None,
        untrained_kwargs=None,
    ):
        """Draw the strength over the steps back.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        relative : bool, default=True
            Whether the last step's strength counts as 1.
        log : bool, default=True
            Whether the strength is on a logarithmic scale, where a constant rate is a straight
            line.
        name : str, default=None
            Name of the network; None is the display's `name`.
        line_kwargs, untrained_kwargs : dict, default=None
            Style of the lines after and before training: keywords of `Axes.plot`.

        Returns
        -------
        display : GradientFlowDisplay
            The object itself, with `ax_`, `figure_` and `lines_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        (ax,) = check_axes(ax, 1, type(self).__name__)
        name = self.name if name is None else name
        lines: list = []
        for norms, rate, untrained, kwargs in [
            (self.norms, self.rate, False, line_kwargs),
            (self.untrained_norms, self.untrained_rate, True, untrained_kwargs),
        ]:
            if norms is None:
                continue
            style: dict[str, Any] = {"label": _label(name, untrained, rate)}
            if untrained:
                style |= {"linestyle": "--", "color": lines[0].get_color(), "alpha": 0.6}
            values = norms / norms[0] if relative and norms[0] else norms
            # A logarithm has no place for zero: what came to nothing is not drawn.
            values = np.where(values > 0, values, np.nan) if log else values
            lines += ax.plot(np.arange(len(values)), values, **styled(style, kwargs))
        if log:
            ax.set_yscale("log")
        share = ", as a share of the last step's" if relative else ""
        ax.set(xlabel="Steps back", ylabel=f"Norm of the gradient{share}")
        thin_ticks(ax.xaxis)
        add_legend(ax)
        self.ax_, self.figure_, self.lines_ = ax, ax.figure, lines
        return self

    @classmethod
    def from_network(
        cls, network, X, *, untrained=None, n_windows=256, name=None, ax=None, **style
    ):
        """Plot the strength in a Keras model.

        Parameters
        ----------
        network : keras.Model
            From (n_samples, n_timesteps, n_features) to (n_samples, ...).
        X : array-like of shape (n_samples, n_timesteps, n_features)
            Windows, as they reach the network.
        untrained : keras.Model, default=None
            The network as it was before training.
        n_windows : int, default=256
            Windows that are averaged over, evenly spaced in X; at most.
        name : str, default=None
            Name of the network, put before the labels of its lines.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **style : dict
            `relative`, `log`, `line_kwargs` and `untrained_kwargs`, as in `plot`.

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
        windows = _some(np.asarray(X), n_windows)
        norms = [None if one is None else _norms(one, windows) for one in (network, untrained)]
        display = cls(norms[0], untrained_norms=norms[1], name=name)
        return display.plot(ax, **style)

    @classmethod
    def from_estimator(
        cls, estimator, X, *, untrained=True, n_windows=256, name=None, ax=None, **style
    ):
        """Plot the strength in the network of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted `RNNRegressor` or other estimator with a Keras model as `model_`, or a
            pipeline, `TransformedTargetRegressor` or search with one inside.
        X : array-like
            As `predict` takes it. Incomplete windows are left out.
        untrained : bool, default=True
            Whether to show the network before training too: one like it, with its weights drawn
            anew from the same initialisers (and those that do not train as they are).
        n_windows : int, default=256
            Windows that are averaged over, evenly spaced in X; at most.
        name : str, default=None
            Name of the network; None is its `cell`'s, if it has one.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **style : dict
            `relative`, `log`, `line_kwargs` and `untrained_kwargs`, as in `plot`.

        Returns
        -------
        display : GradientFlowDisplay

        Raises
        ------
        ValueError
            If nothing inside the estimator has a `model_`, or X has no complete window.
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
        check_is_fitted(estimator)
        owner = next((e for e in iter_inner_estimators(estimator) if hasattr(e, "model_")), None)
        if owner is None:
            raise ValueError(
                f"{type(estimator).__name__} has no model_, nor has any estimator inside it: only "
                "a network has a gradient that flows back, such as that of RNNRegressor."
            )
        windows = inner_windows(estimator, X)
        windows = np.asarray(X) if windows is None else windows[windows.n_incomplete :]
        network = owner.model_
        if name is None and getattr(owner, "network", None) is None:
            name = getattr(owner, "cell", None)
            name = getattr(name, "__name__", name)
        return cls.from_network(
            network,
            windows,
            untrained=reinitialized_clone(network) if untrained else None,
            n_windows=n_windows,
            name=name if isinstance(name, str) else None,
            ax=ax,
            **style,
        )


def _checked(name, norms):
    norms = np.asarray(norms, dtype=np.float64)
    if norms.ndim != 1 or not norms.size:
        raise ValueError(f"{name} must be of shape (n_timesteps,), got {norms.shape}.")
    return norms


def _rate(norms):
    """Return what a step multiplies by, on average; from a norm of zero on nothing is known."""
    n_steps = int(np.argmax(norms <= 0)) if (norms <= 0).any() else len(norms)
    if n_steps < 2:
        return float("nan")
    return float((norms[n_steps - 1] / norms[0]) ** (1 / (n_steps - 1)))


def _label(name, untrained, rate):
    parts = [part for part in (name, "untrained" if untrained else None) if part]
    text = ", ".join(parts) or "Gradient"
    return text if np.isnan(rate) else f"{text} (×{rate:.3f} a step)"


def _some(windows, n_windows):
    """Return as many windows, evenly spaced, as (n_windows, n_timesteps, n_features)."""
    windows = windows[..., None] if windows.ndim == 2 else windows
    if windows.ndim != 3 or not len(windows):
        raise ValueError(
            f"X must hold windows, (n_samples, n_timesteps, n_features), got shape {windows.shape}."
        )
    n_windows = min(len(windows), n_windows)
    return windows[np.linspace(0, len(windows) - 1, n_windows).astype(int)]


def _norms(network, windows):
    """Return the norms of the outputs' gradients with respect to each step, the last step first."""
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
    # In double precision, as squares of what has all but vanished would be zero.
    squares = sum(np.square(g.numpy().astype(np.float64)).sum(axis=2) for g in graph(x))
    return np.sqrt(squares).mean(axis=0)[::-1]


def reinitialized_clone(network):
    """Return a network like it with its weights drawn anew, but for those that do not train."""
    import keras

    from .._keras_compat import all_layers
    from ..networks.custom_cells import custom_objects_of
    from ..networks.initialize import seeded

    # Layers without a seed would draw one.
    with seeded(0), keras.saving.custom_object_scope(custom_objects_of([*all_layers(network)])):
        other = keras.models.clone_model(network)
    for mine, theirs in zip(
        other.non_trainable_variables, network.non_trainable_variables, strict=True
    ):
        mine.assign(theirs)
    return other
