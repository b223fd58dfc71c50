"""Recurrent cells that Keras does not provide.

A cell computes one time step: ``call(inputs, states) -> output, states``. The layer
``keras.layers.RNN(cell)`` applies it to sequences. `recurrent_layer` creates the layer and its cell
in one call. Import this module before loading a model that was saved with one of these cells.

In the equations, x is the input, h the hidden state and c the cell state; h⁻ and c⁻ are the states
before the time step. W are the input weights, U the recurrent weights, p the peephole weights and b
the bias; σ is the logistic function and ⊙ the element-wise product. Vectors are row vectors: x W
corresponds to W x in papers. `kernel` contains the W of all gates, concatenated along the columns
in the order i, f, g, o, d, and `recurrent_kernel` contains the U in the same order.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from inspect import signature
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np

from ._docstrings import substitute_docs
from ._keras_compat import DropoutRNNCell, keras

__all__ = [
    "LAYERS",
    "ClockworkRNNCell",
    "CoupledLSTMCell",
    "DepthGatedLSTMCell",
    "PeepholeLSTMCell",
    "recurrent_layer",
]

ops = keras.ops

Tensor: TypeAlias = Any
Activation: TypeAlias = str | Callable[[Tensor], Tensor]
Initializer: TypeAlias = str | Callable[..., Tensor]
Regularizer: TypeAlias = str | Callable[[Tensor], Tensor] | None

_registered = keras.saving.register_keras_serializable(package="skrnn")

_documented = substitute_docs(
    units="""\
units : int
    Number of units, the size of h and of c.""",
    activations="""\
activation : str or callable, default="tanh"
    act, the activation function of the candidate and of the output.
recurrent_activation : str or callable, default="sigmoid"
    σ, the activation function of the gates.""",
    unit_forget_bias="""\
unit_forget_bias : bool, default=True
    Whether b_f is initialized with ones, so that most of the cell state is kept at the start of
    training. Otherwise it is initialized with zeros.""",
    weights_and_dropout="""\
kernel_initializer : str or callable, default="glorot_uniform"
    Initializer of W.
recurrent_initializer : str or callable, default="orthogonal"
    Initializer of U.
kernel_regularizer, recurrent_regularizer : str or callable, default=None
    Regularizers of W and of U.
dropout : float in [0, 1), default=0.0
    Fraction of the units to drop for the inputs during training, the same at all time steps.
recurrent_dropout : float in [0, 1), default=0.0
    Fraction of the units to drop for the h⁻ in h⁻ U during training, the same at all time steps.
seed : int, default=None
    Seed of dropout.
**kwargs : dict
    `name`, `dtype` and `trainable`, as in other Keras layers.""",
)


class _Cell(DropoutRNNCell, keras.layers.Layer):
    """Base class of the cells: weights, dropout and configuration.

    A time step is ``step(project(x) + h @ recurrent_weights(), states)``. Subclasses set `n_blocks`
    and implement `step`; they may override `initial_bias`, `recurrent_weights` and `build`. The
    fused engine computes `project` for all time steps at once. If a subclass overrides `project`
    or `call`, the engine runs `call` instead.

    During training, dropout multiplies x, and the h of the product, by masks that are the same at
    all time steps.
    """

    n_blocks: int  # blocks of `units` columns in `kernel`: gates and candidates
    n_recurrent_blocks: int | None = None  # in `recurrent_kernel`; if None, `n_blocks`

    def __init__(
        self,
        units: int,
        activation: Activation = "tanh",
        *,
        kernel_initializer: Initializer = "glorot_uniform",
        recurrent_initializer: Initializer = "orthogonal",
        kernel_regularizer: Regularizer = None,
        recurrent_regularizer: Regularizer = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units = _check_size("units", units)
        self.activation = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = keras.regularizers.get(recurrent_regularizer)
        self.dropout = _check_rate("dropout", dropout)
        self.recurrent_dropout = _check_rate("recurrent_dropout", recurrent_dropout)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the weights."""
        n_recurrent_blocks = self.n_recurrent_blocks or self.n_blocks
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.n_blocks * self.units),
            name="kernel",
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, n_recurrent_blocks * self.units),
            name="recurrent_kernel",
            initializer=self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
        )
        initial_bias = np.repeat(self.initial_bias(), self.units)
        self.bias = self.add_weight(
            shape=(self.n_blocks * self.units,),
            name="bias",
            initializer=lambda shape, dtype: ops.cast(initial_bias, dtype),
        )

    def initial_bias(self) -> np.ndarray:
        """Return the initial bias of each block."""
        return np.zeros(self.n_blocks)

    def project(self, inputs: Tensor) -> Tensor:
        """Return x W + b."""
        return ops.matmul(inputs, self.kernel) + self.bias

    def recurrent_weights(self) -> Tensor:
        """Return U. If it has fewer blocks than W, they correspond to the first blocks of W."""
        return self.recurrent_kernel

    def level_cells(self) -> list[_Cell]:
        """Return the cells of a stack, from the lowest to the highest level."""
        return [self]

    def call(
        self, inputs: Tensor, states: Sequence[Tensor], training: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the output and the states after one time step."""
        x = inputs
        states_below: list[Tensor] = []
        new_states: list[Tensor] = []
        if training and self.dropout:
            x = x * self.get_dropout_mask(x)
        for level, (h, *others) in zip(self.level_cells(), self.split_states(states), strict=True):
            masked_h = h
            if training and self.recurrent_dropout:
                masked_h = h * self.get_recurrent_dropout_mask(h)
            a = add_recurrent(level.project(x), ops.matmul(masked_h, level.recurrent_weights()))
            x, *states_below = level.step(a, [h, *others], *states_below)
            new_states += [x, *states_below]
        return x, new_states

    def split_states(self, states: Sequence[Tensor]) -> list[Sequence[Tensor]]:
        """Return a list of the states of each level."""
        size = len(states) // len(self.level_cells())
        return [states[start : start + size] for start in range(0, len(states), size)]

    def step(self, a: Tensor, states: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return the states after one time step, h first.

        Parameters
        ----------
        a : tensor of shape (batch_size, n_blocks * units)
            x W + b + h⁻ U.
        states : list of tensors
            The states before the time step, h first.

        Notes
        -----
        In a stack, the new states of the level below other than its h are further arguments.
        """
        raise NotImplementedError

    @property
    def output_size(self) -> int:
        """Size of the output."""
        return self.units

    def get_initial_state(self, batch_size: int | None = None) -> list[Tensor]:
        """Return states of zeros."""
        return [ops.zeros((batch_size, size), dtype=self.compute_dtype) for size in self.state_size]

    def get_config(self) -> dict[str, Any]:
        """Return the configuration for serialization."""
        return super().get_config() | {
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": keras.initializers.serialize(self.recurrent_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "recurrent_regularizer": keras.regularizers.serialize(self.recurrent_regularizer),
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "seed": self.seed,
        }


def add_recurrent(ax: Tensor, ah: Tensor) -> Tensor:
    """Add the recurrent product h⁻ U to the first columns of x W + b."""
    width = ah.shape[-1]
    if width == ax.shape[-1]:
        return ax + ah
    return ops.concatenate([ax[..., :width] + ah, ax[..., width:]], axis=-1)


class _LSTMCell(_Cell):
    """Base class of the LSTM cells, with the states h and c and the activation of the gates."""

    def __init__(
        self,
        units: int,
        activation: Activation = "tanh",
        recurrent_activation: Activation = "sigmoid",
        *,
        unit_forget_bias: bool = True,
        **kwargs: Any,
    ):
        super().__init__(units, activation, **kwargs)
        self.recurrent_activation = keras.activations.get(recurrent_activation)
        self.unit_forget_bias = bool(unit_forget_bias)

    @property
    def state_size(self) -> list[int]:
        """Sizes of h and c."""
        return [self.units, self.units]

    def get_config(self) -> dict[str, Any]:
        """Return the configuration for serialization."""
        return super().get_config() | {
            "recurrent_activation": keras.activations.serialize(self.recurrent_activation),
            "unit_forget_bias": self.unit_forget_bias,
        }


@_registered
@_documented
class PeepholeLSTMCell(_LSTMCell):
    """Cell of an LSTM with peephole connections [1]_.

    The gates of an LSTM depend on the cell state only through h, which is close to zero while the
    output gate is closed. Peephole connections add a direct dependence on the cell state::

        i = σ(x W_i + h⁻ U_i + p_i ⊙ c⁻ + b_i)
        f = σ(x W_f + h⁻ U_f + p_f ⊙ c⁻ + b_f)
        g = act(x W_g + h⁻ U_g + b_g)
        c = f ⊙ c⁻ + i ⊙ g
        o = σ(x W_o + h⁻ U_o + p_o ⊙ c + b_o)
        h = o ⊙ act(c)

    where i, f and o are the input, forget and output gates, and g is the candidate.

    Parameters
    ----------
    {units}
    {activations}
    {unit_forget_bias}
    {weights_and_dropout}

    Notes
    -----
    The cell has 4u(d + u + 1) + 3u parameters for u units and d inputs. The peephole weights are
    initialized with zeros, so that the cell starts as an LSTM.

    References
    ----------
    .. [1] F. A. Gers, J. Schmidhuber (2000). Recurrent nets that time and count. IJCNN 2000,
       vol. 3, 189-194.

    Examples
    --------
    >>> import keras
    >>> from skrnn.layers import PeepholeLSTMCell
    >>> layer = keras.layers.RNN(PeepholeLSTMCell(8))
    >>> layer(keras.ops.ones((2, 5, 3))).shape
    TensorShape([2, 8])
    >>> layer.count_params() == 4 * 8 * (3 + 8 + 1) + 3 * 8
    True
    """

    n_blocks = 4

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the weights."""
        super().build(input_shape)
        self.peepholes = self.add_weight(
            shape=(3, self.units), name="peepholes", initializer="zeros"
        )

    def initial_bias(self) -> np.ndarray:
        """Return the initial bias of i, f, g and o."""
        return np.array([0.0, self.unit_forget_bias, 0.0, 0.0])

    def step(self, a: Tensor, states: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return h and c after one time step."""
        _, c = states
        a_i, a_f, a_g, a_o = ops.split(a, 4, axis=-1)
        p_i, p_f, p_o = ops.unstack(self.peepholes)
        i = self.recurrent_activation(a_i + p_i * c)
        f = self.recurrent_activation(a_f + p_f * c)
        g = self.activation(a_g)
        c = f * c + i * g
        o = self.recurrent_activation(a_o + p_o * c)
        return o * self.activation(c), c


@_registered
@_documented
class CoupledLSTMCell(_LSTMCell):
    """Cell of an LSTM with coupled input and forget gates [1]_.

    The forget gate is one minus the input gate::

        i = σ(x W_i + h⁻ U_i + b_i)
        g = act(x W_g + h⁻ U_g + b_g)
        c = (1 − i) ⊙ c⁻ + i ⊙ g
        o = σ(x W_o + h⁻ U_o + b_o)
        h = o ⊙ act(c)

    Parameters
    ----------
    {units}
    {activations}
    unit_forget_bias : bool, default=True
        Whether b_i is initialized with minus ones, so that most of the cell state is kept at the
        start of training (1 − σ(−1) = σ(1)). Otherwise it is initialized with zeros.
    {weights_and_dropout}

    Notes
    -----
    The cell has 3u(d + u + 1) parameters for u units and d inputs, like a GRU with a single bias.
    The network of the paper ("CIFG") has peephole connections as well. This cell has none, because
    removing them does not reduce the accuracy of an LSTM in the comparison of the paper.

    References
    ----------
    .. [1] K. Greff, R. K. Srivastava, J. Koutník, B. R. Steunebrink, J. Schmidhuber (2017). LSTM: a
       search space odyssey. IEEE Transactions on Neural Networks and Learning Systems 28(10).

    Examples
    --------
    >>> import keras
    >>> from skrnn.layers import CoupledLSTMCell
    >>> layer = keras.layers.RNN(CoupledLSTMCell(8), return_sequences=True)
    >>> layer(keras.ops.ones((2, 5, 3))).shape
    TensorShape([2, 5, 8])
    >>> layer.count_params() == 3 * 8 * (3 + 8 + 1)
    True
    """

    n_blocks = 3

    def initial_bias(self) -> np.ndarray:
        """Return the initial bias of i, g and o."""
        return np.array([-1.0 * self.unit_forget_bias, 0.0, 0.0])

    def step(self, a: Tensor, states: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return h and c after one time step."""
        _, c = states
        a_i, a_g, a_o = ops.split(a, 3, axis=-1)
        i = self.recurrent_activation(a_i)
        g = self.activation(a_g)
        c = (1 - i) * c + i * g
        o = self.recurrent_activation(a_o)
        return o * self.activation(c), c


class _DepthGatedLevel(_LSTMCell):
    """One level of a `DepthGatedLSTMCell`; the lowest level has no depth gate."""

    n_recurrent_blocks = 4

    def __init__(self, *args: Any, is_lowest: bool, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.n_blocks = 4 if is_lowest else 5
        self.is_lowest = is_lowest

    def build(self, input_shape: Sequence[int | None]) -> None:
        super().build(input_shape)
        if not self.is_lowest:
            self.depth_weights = self.add_weight(
                shape=(2, self.units), name="depth_weights", initializer="zeros"
            )

    def initial_bias(self) -> np.ndarray:
        return np.array([0.0, self.unit_forget_bias, 0.0, 0.0, 0.0][: self.n_blocks])

    def step(self, a: Tensor, states: Sequence[Tensor], c_below: Tensor = None) -> Sequence[Tensor]:
        _, c = states
        a_i, a_f, a_g, a_o, *a_d = ops.split(a, self.n_blocks, axis=-1)
        i = self.recurrent_activation(a_i)
        f = self.recurrent_activation(a_f)
        g = self.activation(a_g)
        new_c = f * c + i * g
        if c_below is not None:
            w_c, w_below = ops.unstack(self.depth_weights)
            d = self.recurrent_activation(a_d[0] + w_c * c + w_below * c_below)
            new_c += d * c_below
        o = self.recurrent_activation(a_o)
        return o * self.activation(new_c), new_c


@_registered
@_documented
class DepthGatedLSTMCell(_LSTMCell):
    """Cell of a stack of LSTMs whose cell states are connected by depth gates [1]_.

    The input of each level is the h of the level below at the same time step. The input of the
    lowest level is the input of the cell. A depth gate d adds a fraction of the cell state of the
    level below to the cell state. With x for the input of a level and c_below for the cell state
    below::

        i = σ(x W_i + h⁻ U_i + b_i)
        f = σ(x W_f + h⁻ U_f + b_f)
        g = act(x W_g + h⁻ U_g + b_g)
        o = σ(x W_o + h⁻ U_o + b_o)
        d = σ(x W_d + w_c ⊙ c⁻ + w_below ⊙ c_below + b_d)
        c = d ⊙ c_below + f ⊙ c⁻ + i ⊙ g
        h = o ⊙ act(c)

    The lowest level has no depth gate: with one level, the cell is that of an LSTM. The output is
    the h of the highest level.

    Parameters
    ----------
    units : int
        Number of units of each level.
    {activations}
    levels : int, default=2
        Number of LSTMs in the stack.
    {unit_forget_bias}
    {weights_and_dropout}

    Attributes
    ----------
    cells : list
        The levels from the lowest to the highest, each with a `kernel` and a `recurrent_kernel`.

    Notes
    -----
    The lowest level has 4u(d + u + 1) parameters for u units and d inputs, each of the others
    4u(2u + 1) + u(u + 1) + 2u. w_c and w_below are initialized with zeros. All levels have the same
    number of units, because d and w_below apply to cell states element by element. Seeded
    initializers add the number of levels below to their seed. `dropout` applies to the input of the
    lowest level, and `recurrent_dropout` drops the same units in all levels.

    Other implementations have peephole connections in the other gates, and a depth gate in the
    lowest level, whose input is a projection of x. This cell has neither.

    References
    ----------
    .. [1] K. Yao, T. Cohn, K. Vylomova, K. Duh, C. Dyer (2015). Depth-gated LSTM. arXiv:1508.03790.

    Examples
    --------
    >>> import keras
    >>> from skrnn.layers import DepthGatedLSTMCell
    >>> layer = keras.layers.RNN(DepthGatedLSTMCell(8, levels=3))
    >>> layer(keras.ops.ones((2, 5, 3))).shape
    TensorShape([2, 8])
    """

    def __init__(
        self,
        units: int,
        activation: Activation = "tanh",
        recurrent_activation: Activation = "sigmoid",
        *,
        levels: int = 2,
        **kwargs: Any,
    ):
        super().__init__(units, activation, recurrent_activation, **kwargs)
        self.cells = [
            _DepthGatedLevel(
                units,
                activation,
                recurrent_activation,
                is_lowest=n == 0,
                unit_forget_bias=self.unit_forget_bias,
                kernel_initializer=with_seed_offset(self.kernel_initializer, n),
                recurrent_initializer=with_seed_offset(self.recurrent_initializer, n),
                kernel_regularizer=self.kernel_regularizer,
                recurrent_regularizer=self.recurrent_regularizer,
                name=f"level_{n}",
                dtype=self.dtype_policy,
            )
            for n in range(_check_size("levels", levels))
        ]

    @property
    def state_size(self) -> list[int]:
        """Sizes of h and c of each level."""
        return [self.units, self.units] * len(self.cells)

    def level_cells(self) -> list[_Cell]:
        """Return the levels, from the lowest to the highest."""
        return list(self.cells)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the weights of all levels."""
        for cell in self.cells:
            cell.build(input_shape)
            input_shape = (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """Return the configuration for serialization."""
        return super().get_config() | {"levels": len(self.cells)}


@_registered
@_documented
class ClockworkRNNCell(_Cell):
    """Cell of a simple recurrent network whose modules run at different clock rates [1]_.

    The units are divided into modules. A module with period T is updated only at every T-th time
    step. Its input includes its own h⁻ and the h⁻ of the slower modules::

        h = act(x W + h⁻ U + b)    for units whose T divides the number of the time step
        h = h⁻                     for all other units

    where U is zero from faster to slower modules.

    Parameters
    ----------
    units : int
        Number of units, the size of h. They are divided evenly. If necessary, the first modules
        have one more unit. With fewer units than periods, the last periods are not used.
    activation : str or callable, default="tanh"
        act, the activation function.
    periods : sequence of int, default=(1, 2, 4, 8)
        T of each module, in increasing order. Their least common multiple must be at most 256 with
        bfloat16, and at most 2048 with float16.
    {weights_and_dropout}

    Notes
    -----
    Time steps are numbered from 0, at which all modules are updated. The number is a second state,
    modulo the least common multiple of the periods, so that masked time steps do not count.
    `recurrent_kernel` has u² entries; those from faster to slower modules are multiplied by zero.

    References
    ----------
    .. [1] J. Koutník, K. Greff, F. Gomez, J. Schmidhuber (2014). A clockwork RNN. ICML 2014.

    Examples
    --------
    >>> import keras
    >>> from skrnn.layers import ClockworkRNNCell
    >>> layer = keras.layers.RNN(ClockworkRNNCell(4, periods=(1, 3)), return_sequences=True)
    >>> h = layer(keras.ops.ones((1, 4, 1)))[0]
    >>> [bool(h[t, 3] == h[t - 1, 3]) for t in (1, 2, 3)]  # a unit of the slow module
    [True, True, False]
    """

    n_blocks = 1

    def __init__(
        self,
        units: int,
        activation: Activation = "tanh",
        *,
        periods: Sequence[int] = (1, 2, 4, 8),
        **kwargs: Any,
    ):
        super().__init__(units, activation, **kwargs)
        self.periods = _check_periods(periods)
        used_periods = self.periods[: self.units]
        modules = np.array_split(np.arange(self.units), len(used_periods))
        unit_periods = np.repeat(used_periods, [len(module) for module in modules])
        self._unit_periods = unit_periods.astype(float)
        # Rows are units that send h⁻, columns are units that receive it.
        self._connection_mask = (unit_periods[:, None] >= unit_periods).astype(float)
        self._cycle_length = float(_check_cycle_length(used_periods, self.compute_dtype))

    @property
    def state_size(self) -> list[int]:
        """Sizes of h and of the number of the time step."""
        return [self.units, 1]

    def recurrent_weights(self) -> Tensor:
        """Return U."""
        return self.recurrent_kernel * ops.cast(self._connection_mask, self.compute_dtype)

    def step(self, a: Tensor, states: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return h and the number of the next time step."""
        h, number = states
        is_due = ops.equal(ops.mod(number, ops.cast(self._unit_periods, number.dtype)), 0)
        h = ops.where(is_due, self.activation(a), h)
        return h, ops.mod(number + 1, ops.cast(self._cycle_length, number.dtype))

    def get_config(self) -> dict[str, Any]:
        """Return the configuration for serialization."""
        return super().get_config() | {"periods": list(self.periods)}


# Settings of the layer; all others are those of the cell.
_LAYER_SETTINGS = {*signature(keras.layers.RNN.__init__).parameters, "activity_regularizer", "name"}


def recurrent_layer(
    cell_class: Callable[..., keras.layers.Layer], units: int, **settings: Any
) -> keras.layers.RNN:
    """Make a recurrent layer and its cell.

    Parameters
    ----------
    cell_class : callable
        Class of a Keras cell, or a function that returns one. It is called with `units` and the
        settings of the cell.
    units : int
        Number of units.
    **settings : dict
        `return_sequences`, `return_state`, `go_backwards`, `stateful`, `unroll`, `name`,
        `zero_output_for_mask` and `activity_regularizer` are settings of the layer, `dtype` and
        `trainable` of both, all others of the cell.

    Returns
    -------
    layer : keras.layers.RNN

    Examples
    --------
    >>> from skrnn.layers import PeepholeLSTMCell, recurrent_layer
    >>> layer = recurrent_layer(PeepholeLSTMCell, 8, activation="relu", return_sequences=True)
    >>> layer.return_sequences, layer.cell.units
    (True, 8)
    """
    of_layer = {name: settings.pop(name) for name in _LAYER_SETTINGS & set(settings)}
    of_both = {name: settings[name] for name in ("dtype", "trainable") if name in settings}
    return keras.layers.RNN(cell_class(units, **settings), **of_layer, **of_both)


# Makers of recurrent layers by the name of the cell, with the interface of keras.layers.LSTM.
LAYERS: dict[str, Callable[..., keras.layers.RNN]] = {
    "peephole": functools.partial(recurrent_layer, PeepholeLSTMCell),
    "coupled": functools.partial(recurrent_layer, CoupledLSTMCell),
    "depthgated": functools.partial(recurrent_layer, DepthGatedLSTMCell),
    "clockwork": functools.partial(recurrent_layer, ClockworkRNNCell),
}


def reinitialize(
    layer: keras.layers.RNN, kernel_initializer: Initializer, recurrent_initializer: Initializer
) -> None:
    """Assign the initial weights of a new recurrent layer with these initializers."""
    for n, cell in enumerate(getattr(layer.cell, "cells", [layer.cell])):
        for variable, initializer in (
            (cell.kernel, kernel_initializer),
            (cell.recurrent_kernel, recurrent_initializer),
        ):
            variable.assign(with_seed_offset(initializer, n)(variable.shape, variable.dtype))


def with_seed_offset(initializer: Initializer, n: int) -> Callable[..., Tensor]:
    """Return a copy of an initializer, with n added to its seed if it has one."""
    instance: Any = keras.initializers.get(initializer)
    config = instance.get_config() if hasattr(instance, "get_config") else {}
    if n == 0 or not isinstance(config.get("seed"), int):
        return instance.clone() if n and hasattr(instance, "clone") else instance
    return type(instance).from_config(config | {"seed": config["seed"] + n})


def _check_size(name: str, value: Any) -> int:
    if not (isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1):
        raise ValueError(f"{name}={value!r} must be an int of at least 1.")
    return int(value)


def _check_rate(name: str, value: float) -> float:
    if not 0 <= value < 1:
        raise ValueError(f"{name}={value!r} must be at least 0 and less than 1.")
    return float(value)


def _check_periods(periods: Sequence[int]) -> tuple[int, ...]:
    periods = tuple(periods)
    are_ints = all(isinstance(period, Integral) for period in periods)
    if not periods or not are_ints or np.any(np.diff((0, *periods)) <= 0):
        raise ValueError(
            f"periods={periods!r} must be increasing ints of at least 1, such as (1, 2, 4, 8)."
        )
    return tuple(int(period) for period in periods)


# Up to these numbers, floating-point types of half precision represent all ints.
_MAX_EXACT_INT = {"bfloat16": 2**8, "float16": 2**11}


def _check_cycle_length(periods: Sequence[int], dtype: str) -> int:
    """Return the least common multiple of periods, up to which a dtype must represent all ints."""
    length = math.lcm(*periods)
    if length > (largest := _MAX_EXACT_INT.get(dtype, length)):
        raise ValueError(
            f"periods={tuple(map(int, periods))} repeat after {length} time steps, but {dtype} can "
            f"only count up to {largest}. Choose periods with a smaller least common multiple, or "
            "set dtype='float32'."
        )
    return length
