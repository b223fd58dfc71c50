"""Parameters that builders and recurrent estimators share: types, defaults, constraints, texts.

A new parameter is a field of a dataclass, an entry in its docstring, and an entry in the dictionary
of constraints. `skrnn._docstrings` inserts the entries of the docstrings into those of the builders
and estimators.
"""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ._sklearn_compat import HasMethods, Interval, StrOptions

if TYPE_CHECKING:
    import keras

Activation: TypeAlias = str | Callable[..., Any]
Cell: TypeAlias = str | Callable[..., Any]
Units: TypeAlias = int | Sequence[int]

POSITIVE_INT = Interval(Integral, 1, None, closed="left")
# As the constraint "random_state" of scikit-learn, but without bools.
RANDOM_STATE = [Interval(Integral, 0, 2**32 - 1, closed="both"), np.random.RandomState, None]
FRACTION = Interval(Real, 0, 1, closed="left")
_POSITIVE = Interval(Real, 0, None, closed="neither")


class _LearningRate(Interval):
    """The learning rates, with a description that says where to pass a schedule."""

    def __str__(self) -> str:
        schedule = "optimizer=keras.optimizers.Adam(schedule)"
        return f"{super().__str__()} (pass a schedule to the optimizer instead: {schedule})"


_NON_NEGATIVE = Interval(Real, 0, None, closed="left")

# Parameters of the recurrent layers, passed to the builders.
STACK_CONSTRAINTS: dict[str, list] = {
    "cell": [str, callable],
    "units": [POSITIVE_INT, tuple, list],
    "activation": [str, callable],
    "bidirectional": ["boolean"],
    "dropout": [FRACTION],
    "recurrent_dropout": [FRACTION],
    "recurrent_initializer": [str],
    "l1": [_NON_NEGATIVE],
    "l2": [_NON_NEGATIVE],
    "recurrent_l2": [_NON_NEGATIVE],
}

# Settings of the optimizer, passed to it under the same names unless they are None.
OPTIMIZER_CONSTRAINTS: dict[str, list] = {
    "learning_rate": [_LearningRate(Real, 0, None, closed="neither"), None],
    "clipnorm": [_POSITIVE, None],
    "clipvalue": [_POSITIVE, None],
}

TRAINING_CONSTRAINTS: dict[str, list] = {
    "optimizer": [str, HasMethods(["apply_gradients", "get_config"])],
    "epochs": [POSITIVE_INT],
    "batch_size": [POSITIVE_INT],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [POSITIVE_INT],
    "warm_start": ["boolean"],
    "random_state": RANDOM_STATE,
    "callbacks": [list, tuple, None],
    "verbose": ["verbose"],
}

SEQUENCE_CONSTRAINTS: dict[str, list] = {
    "output": [StrOptions({"last", "sequence"})],
    "network": [callable, None],
    "chunk_length": [POSITIVE_INT, None],
    "n_features": [POSITIVE_INT, None],
}


@dataclass(eq=False, repr=False)
class StackParameters:
    """Parameters of a stack of recurrent layers.

    Parameters
    ----------
    cell : str, class or callable, default="lstm"
        The recurrent cell: "rnn" (simple recurrent network), "lstm" (long short-term memory), "gru"
        (gated recurrent unit), or one of the cells of `skrnn.layers`: "peephole", "coupled",
        "depthgated" and "clockwork". A custom cell is the class of a Keras cell or recurrent layer,
        or a function that returns a new cell or layer for a given number of units. See the Notes of
        `build_rnn`.
    units : int or sequence of int, default=64
        Number of units of the recurrent layer. A sequence stacks one layer for each number.
        With ``cell="depthgated"``, the whole stack is a single layer: its levels need the same
        number of units, a single int means two levels, and `dropout` is applied to the output
        of the highest level.
    activation : str or callable, default="tanh"
        Activation function of the cell's output. Gates always use the sigmoid function.
    bidirectional : bool, default=False
        Whether each recurrent layer also processes the sequence backwards. The outputs of both
        directions are concatenated.
    dropout : float in [0, 1), default=0.0
        Fraction of the outputs of each recurrent layer to drop during training.
    recurrent_dropout : float in [0, 1), default=0.0
        Fraction of the units to drop for the recurrent state during training. The same units
        are dropped at all time steps of a sequence.
    recurrent_initializer : str, default="orthogonal"
        Initializer of the recurrent weights: "orthogonal", "identity" (an identity matrix for
        each gate), "glorot_uniform", "glorot_normal", "he_normal", "random_normal",
        "random_uniform" or "zeros". With ``cell="rnn"`` and ``activation="relu"``, "identity"
        prevents vanishing gradients at the start of training.
    l1 : float, default=0.0
        L1 regularization factor of the input weights of the recurrent layers. The sum of their
        absolute values, times `l1`, is added to the loss.
    l2 : float, default=0.0
        L2 regularization factor of the input weights of the recurrent layers. The sum of their
        squares, times `l2`, is added to the loss.
    recurrent_l2 : float, default=0.0
        L2 regularization factor of the recurrent weights.
    """

    cell: Cell = "lstm"
    units: Units = 64
    _: KW_ONLY
    activation: Activation = "tanh"
    bidirectional: bool = False
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    recurrent_initializer: str = "orthogonal"
    l1: float = 0.0
    l2: float = 0.0
    recurrent_l2: float = 0.0


@dataclass(eq=False, repr=False)
class RNNParameters(StackParameters):
    """Parameters of all recurrent estimators.

    Parameters
    ----------
    optimizer : str or keras.optimizers.Optimizer, default="adam"
        The optimizer. An instance is copied and not modified.
    learning_rate : float, default=None
        Learning rate. None is that of the optimizer, which may have a schedule:
        ``optimizer=keras.optimizers.Adam(schedule)``.
    clipnorm : float, default=None
        Maximum norm of the gradient of each weight. Larger gradients are scaled to this norm.
    clipvalue : float, default=None
        Maximum absolute value of the elements of the gradients. Cannot be combined with `clipnorm`.
    epochs : int, default=50
        Number of passes over the data, or their maximum number with early stopping.
    batch_size : int, default=32
        Number of samples in a batch.
    early_stopping : bool, default=False
        Whether to stop when the loss on a holdout has not decreased for `n_iter_no_change` epochs,
        and to restore the best weights.
    validation_fraction : float in (0, 1), default=0.1
        Fraction of the samples to hold out for early stopping.
    n_iter_no_change : int, default=10
        Number of epochs without a decrease of the loss on the holdout after which training
        stops.
    warm_start : bool, default=False
        Whether `fit` resumes the training of the fitted network. The parameters of the network, the
        loss and the optimizer must be the same as in the first fit. `learning_rate` may change.
    random_state : int, RandomState instance or None, default=None
        Seed of the weights, dropout, the holdout and the order of the batches. Pass an int for
        bit-identical results across calls. If None, a new seed is sampled. Global random states are
        neither read nor changed.
    callbacks : list of keras.callbacks.Callback, default=None
        Keras callbacks. Pass scikit-learn callbacks to `set_callbacks`.
    verbose : int, default=0
        Verbosity of training: 0 is silent, 1 shows a progress bar, 2 prints one line per epoch.
    """

    _: KW_ONLY
    optimizer: "str | keras.optimizers.Optimizer" = "adam"
    learning_rate: float | None = None
    clipnorm: float | None = None
    clipvalue: float | None = None
    epochs: int = 50
    batch_size: int = 32
    early_stopping: bool = False
    validation_fraction: float = 0.1
    n_iter_no_change: int = 10
    warm_start: bool = False
    random_state: "int | np.random.RandomState | None" = None
    callbacks: "Sequence[keras.callbacks.Callback] | None" = None
    verbose: int = 0


@dataclass(eq=False, repr=False)
class SequenceParameters(RNNParameters):
    """Parameters of the recurrent estimators of windows and sequences of numbers.

    Parameters
    ----------
    output : {"last", "sequence"}, default="last"
        Whether to predict one target for each sequence or for each time step.
    network : callable, default=None
        Custom builder of the network. If None, a builder of `skrnn.networks` is used.
    chunk_length : int, default=None
        Number of time steps through which gradients are propagated: truncated backpropagation
        through time [1]_, for long sequences. With ``output="sequence"`` each sequence is split
        into chunks of this many consecutive time steps. Each gradient step uses one chunk of a
        batch of sequences, and starts from the last state of the previous chunk. With
        ``output="last"`` all time steps are processed, and the gradient is truncated this many time
        steps before the last one. If None, or not less than the number of time steps, gradients are
        propagated through all of them. Cannot be combined with `bidirectional`.

        Predictions, and the loss and score on the holdout, are those of whole sequences for any
        `chunk_length`. `recurrent_dropout` samples new masks for each chunk. A custom builder
        gets an `input_shape` of (None, n_features) with ``output="sequence"`` and a `chunk_length`,
        and must treat each time step independently between its recurrent layers.
    n_features : int, default=None
        Number of features of a 2-D X, whose columns are then all features of the first time step,
        followed by those of the next one. If None, it is 1, unless X consists of flattened windows
        or of a DataFrame of lags (``WindowTransformer(flatten=True)``), where it is known.
    """

    _: KW_ONLY
    output: str = "last"
    network: "Callable[..., keras.Model] | None" = None
    chunk_length: int | None = None
    n_features: int | None = None
