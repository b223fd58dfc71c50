"""The recurrent cells that Keras lacks, each as its paper writes it.

A cell is one time step: ``call(inputs, states) -> output, states``. ``keras.layers.RNN(cell)``
makes a layer of it, and `recurrent_layer` does so with the settings of both in one call. To load a
model that was saved with one of these cells, import this module first.

Symbols: x is the input, h the hidden and c the memory state, before a step where they carry a minus
(h⁻ is what h was); W the input and U the recurrent weights, p the peepholes, b the bias; σ the
logistic function; ⊙ the product of numbers in the same place. Vectors are rows, so x W is what
papers write as W x. `kernel` holds the W of all gates side by side, `recurrent_kernel` the U, in
the order i, f, g, o, d of those that a cell has.
"""

import functools
import math
from numbers import Integral

import keras
import numpy as np
from keras import ops
from keras.src.layers.rnn.dropout_rnn_cell import DropoutRNNCell

__all__ = [
    "LAYERS",
    "ClockworkRNNCell",
    "CoupledLSTMCell",
    "DepthGatedLSTMCell",
    "PeepholeLSTMCell",
    "recurrent_layer",
]


_registered = keras.saving.register_keras_serializable(package="skrnn")


class _Cell(DropoutRNNCell, keras.layers.Layer):
    """What the cells share: the weights, what of a step is linear, dropout and settings.

    A step is ``step(project(x) + h @ recurrent_weights(), states)``, where `step` treats each unit
    by itself: `_engine.recurrence` takes it apart there. In training, dropout multiplies x and the h of
    the product by a mask that is the same for all steps.
    """

    n_blocks: int  # parts of `project`, of as many columns as units each
    n_recurrent_blocks: int | None = None  # the first of them, that h adds to; None is all

    def __init__(
        self,
        units,
        activation="tanh",
        *,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = _check_size("units", units)
        self.activation = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = keras.regularizers.get(recurrent_regularizer)
        self.dropout = _check_share("dropout", dropout)
        self.recurrent_dropout = _check_share("recurrent_dropout", recurrent_dropout)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        n_recurrent = self.n_recurrent_blocks or self.n_blocks
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.n_blocks * self.units),
            name="kernel",
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, n_recurrent * self.units),
            name="recurrent_kernel",
            initializer=self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
        )
        first_bias = np.repeat(self.first_bias(), self.units)
        self.bias = self.add_weight(
            shape=(self.n_blocks * self.units,),
            name="bias",
            initializer=lambda shape, dtype: ops.cast(first_bias, dtype),
        )
        self.built = True

    def first_bias(self):
        """Return the bias of each block at the start."""
        return np.zeros(self.n_blocks)

    def project(self, inputs):
        """Return x W + b."""
        return ops.matmul(inputs, self.kernel) + self.bias

    def recurrent_weights(self):
        """Return U."""
        return ops.convert_to_tensor(self.recurrent_kernel)

    def call(self, inputs, states, training=False):
        """Return the output and the states after one time step."""
        h = states[0]
        if training and self.dropout:
            inputs = inputs * self.get_dropout_mask(inputs)
        if training and self.recurrent_dropout:
            h = h * self.get_recurrent_dropout_mask(h)
        a = self.project(inputs) + ops.matmul(h, self.recurrent_weights())
        states = self.step(a, states)
        return states[0], list(states)

    def step(self, a, states):
        """Return the states after a time step, h first; `a` is x W + b + h⁻ U."""
        raise NotImplementedError

    @property
    def output_size(self):
        """Columns of the output."""
        return self.units

    def get_initial_state(self, batch_size=None):
        """Return states of zeros."""
        return [ops.zeros((batch_size, size), dtype=self.compute_dtype) for size in self.state_size]

    def get_config(self):
        """Return the settings, as Keras saves them."""
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


class _LSTMCell(_Cell):
    """An LSTM's states, h and c, its gates' activation, and a forget gate that starts open."""

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        *,
        unit_forget_bias=True,
        **settings,
    ):
        super().__init__(units, activation, **settings)
        self.recurrent_activation = keras.activations.get(recurrent_activation)
        self.unit_forget_bias = bool(unit_forget_bias)

    @property
    def state_size(self):
        """Columns of the hidden state and of the memory."""
        return [self.units, self.units]

    def get_config(self):
        """Return the settings, as Keras saves them."""
        return super().get_config() | {
            "recurrent_activation": keras.activations.serialize(self.recurrent_activation),
            "unit_forget_bias": self.unit_forget_bias,
        }


@_registered
class PeepholeLSTMCell(_LSTMCell):
    """LSTM whose gates see the memory through peepholes [1]_.

    In an LSTM the gates see what the output gate lets pass, which is nothing while it is closed.
    Here each gate also sees its own unit's memory::

        i = σ(x W_i + h⁻ U_i + p_i ⊙ c⁻ + b_i)
        f = σ(x W_f + h⁻ U_f + p_f ⊙ c⁻ + b_f)
        g = act(x W_g + h⁻ U_g + b_g)
        c = f ⊙ c⁻ + i ⊙ g
        o = σ(x W_o + h⁻ U_o + p_o ⊙ c + b_o)
        h = o ⊙ act(c)

    with the gates i, f and o for input, forgetting and output, and the candidate g.

    Parameters
    ----------
    units : int
        Columns of h and of c.
    activation : str or callable, default="tanh"
        act.
    recurrent_activation : str or callable, default="sigmoid"
        What stands for σ.
    unit_forget_bias : bool, default=True
        Whether b_f starts at one, so that the memory is kept at first, instead of at zero.
    kernel_initializer, recurrent_initializer : str or keras.initializers.Initializer
        What W (Glorot uniform by default) and U (orthogonal) are drawn by.
    kernel_regularizer, recurrent_regularizer : str or keras.regularizers.Regularizer, default=None
    dropout, recurrent_dropout : float in [0, 1), default=0.0
        Shares of x, and of the h⁻ in h⁻ U, dropped in training; the same ones in all steps.
    seed : int, default=None
        Seeds dropout.
    **kwargs : dict
        `name`, `dtype` and `trainable`, as in other Keras layers.

    Notes
    -----
    It has 4u(d + u + 1) + 3u parameters for u units on d inputs. The peepholes start at zero: as
    the LSTM.

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

    def build(self, input_shape):
        """Make the weights."""
        super().build(input_shape)
        self.peepholes = self.add_weight(
            shape=(3, self.units), name="peepholes", initializer="zeros"
        )

    def first_bias(self):
        """Return the bias of i, f, g and o at the start."""
        return np.array([0.0, self.unit_forget_bias, 0.0, 0.0])

    def step(self, a, states):
        """Return h and c after a time step."""
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
class CoupledLSTMCell(_LSTMCell):
    """LSTM that forgets as much as it takes in: its input and forget gates are coupled [1]_.

    ::

        i = σ(x W_i + h⁻ U_i + b_i)
        g = act(x W_g + h⁻ U_g + b_g)
        c = (1 − i) ⊙ c⁻ + i ⊙ g
        o = σ(x W_o + h⁻ U_o + b_o)
        h = o ⊙ act(c)

    Parameters
    ----------
    units : int
        Columns of h and of c.
    activation : str or callable, default="tanh"
        act.
    recurrent_activation : str or callable, default="sigmoid"
        What stands for σ.
    unit_forget_bias : bool, default=True
        Whether b_i starts at minus one, so that the memory is kept at first (1 − σ(−1) = σ(1)),
        instead of at zero.
    kernel_initializer, recurrent_initializer : str or keras.initializers.Initializer
        What W (Glorot uniform by default) and U (orthogonal) are drawn by.
    kernel_regularizer, recurrent_regularizer : str or keras.regularizers.Regularizer, default=None
    dropout, recurrent_dropout : float in [0, 1), default=0.0
        Shares of x, and of the h⁻ in h⁻ U, dropped in training; the same ones in all steps.
    seed : int, default=None
        Seeds dropout.
    **kwargs : dict
        `name`, `dtype` and `trainable`, as in other Keras layers.

    Notes
    -----
    It has 3u(d + u + 1) parameters for u units on d inputs, as many as a GRU with one bias. The
    paper's network ("CIFG") also has peepholes; without them, as its own comparison says, an LSTM
    does as well, and this cell has none.

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

    def first_bias(self):
        """Return the bias of i, g and o at the start."""
        return np.array([-1.0 * self.unit_forget_bias, 0.0, 0.0])

    def step(self, a, states):
        """Return h and c after a time step."""
        _, c = states
        a_i, a_g, a_o = ops.split(a, 3, axis=-1)
        i = self.recurrent_activation(a_i)
        g = self.activation(a_g)
        c = (1 - i) * c + i * g
        o = self.recurrent_activation(a_o)
        return o * self.activation(c), c


class _DepthGatedLevel(_LSTMCell):
    """One level of a `DepthGatedLSTMCell`; the lowest has no depth gate."""

    def __init__(self, *arguments, is_lowest, **settings):
        super().__init__(*arguments, **settings)
        self.n_blocks = 4 if is_lowest else 5
        self.n_recurrent_blocks = 4
        self.is_lowest = is_lowest

    def build(self, input_shape):
        super().build(input_shape)
        if not self.is_lowest:
            self.depth_weights = self.add_weight(
                shape=(2, self.units), name="depth_weights", initializer="zeros"
            )

    def first_bias(self):
        return np.array([0.0, self.unit_forget_bias, 0.0, 0.0, 0.0][: self.n_blocks])

    def step(self, a, states, x_d=None, below=None):
        _, c = states
        a_i, a_f, a_g, a_o = ops.split(a, 4, axis=-1)
        i = self.recurrent_activation(a_i)
        f = self.recurrent_activation(a_f)
        g = self.activation(a_g)
        new_c = f * c + i * g
        if not self.is_lowest:
            w_c, w_below = ops.unstack(self.depth_weights)
            d = self.recurrent_activation(x_d + w_c * c + w_below * below)
            new_c += d * below
        o = self.recurrent_activation(a_o)
        return o * self.activation(new_c), new_c


@_registered
class DepthGatedLSTMCell(DropoutRNNCell, keras.layers.Layer):
    """Stacked LSTMs in one cell, with the memories of neighbours linked by a depth gate [1]_.

    The levels stand one above the other. Each reads the h of the one below at the same time step,
    the lowest the input; and its memory also takes from that of the level below, as much as the
    depth gate d lets pass. With x for what a level reads and c_below for the memory below::

        i = σ(x W_i + h⁻ U_i + b_i)
        f = σ(x W_f + h⁻ U_f + b_f)
        g = act(x W_g + h⁻ U_g + b_g)
        o = σ(x W_o + h⁻ U_o + b_o)
        d = σ(x W_d + w_c ⊙ c⁻ + w_below ⊙ c_below + b_d)
        c = d ⊙ c_below + f ⊙ c⁻ + i ⊙ g
        h = o ⊙ act(c)

    The lowest level has no d: with one level, this is an LSTM. The output is the highest h.

    Parameters
    ----------
    units : int
        Columns of h and of c, in every level.
    activation : str or callable, default="tanh"
        act.
    recurrent_activation : str or callable, default="sigmoid"
        What stands for σ.
    levels : int, default=2
        LSTMs one above the other.
    unit_forget_bias : bool, default=True
        Whether b_f starts at one, so that the memory is kept at first, instead of at zero.
    kernel_initializer, recurrent_initializer : str or keras.initializers.Initializer
        What W (Glorot uniform by default) and U (orthogonal) are drawn by. A seeded one draws the
        n-th level above the lowest by its seed plus n.
    kernel_regularizer, recurrent_regularizer : str or keras.regularizers.Regularizer, default=None
    dropout, recurrent_dropout : float in [0, 1), default=0.0
        Shares of the lowest level's x, and of the h⁻ in h⁻ U, dropped in training; the same ones in
        all steps and levels.
    seed : int, default=None
        Seeds dropout.
    **kwargs : dict
        `name`, `dtype` and `trainable`, as in other Keras layers.

    Attributes
    ----------
    cells : list
        The levels, the lowest first, each with a `kernel` and a `recurrent_kernel`.

    Notes
    -----
    It has 4u(d + u + 1) parameters for u units on d inputs in the lowest level, and
    4u(2u + 1) + u(u + 1) + 2u in each other. w_c and w_below start at zero. As d and w_below take
    memories number by number, all levels have as many units. Implementations differ in two things
    that the depth gate does not need, and that are left out here: peepholes of the other gates, and
    a depth gate in the lowest level too, on a projection of x.

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
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        *,
        levels=2,
        unit_forget_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.dropout = _check_share("dropout", dropout)
        self.recurrent_dropout = _check_share("recurrent_dropout", recurrent_dropout)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.cells = [
            _DepthGatedLevel(
                units,
                activation,
                recurrent_activation,
                is_lowest=n == 0,
                unit_forget_bias=unit_forget_bias,
                kernel_initializer=with_seed_offset(kernel_initializer, n),
                recurrent_initializer=with_seed_offset(recurrent_initializer, n),
                kernel_regularizer=kernel_regularizer,
                recurrent_regularizer=recurrent_regularizer,
                name=f"level_{n}",
                dtype=self.dtype_policy,
            )
            for n in range(_check_size("levels", levels))
        ]

    @property
    def units(self):
        """Columns of h and of c."""
        return self.cells[0].units

    @property
    def state_size(self):
        """Columns of h and of c, level by level."""
        return [self.units, self.units] * len(self.cells)

    @property
    def output_size(self):
        """Columns of the output."""
        return self.units

    get_initial_state = _Cell.get_initial_state

    def build(self, input_shape):
        """Make the weights of every level."""
        for cell in self.cells:
            cell.build(input_shape)
            input_shape = (*input_shape[:-1], self.units)
        self.built = True

    def call(self, inputs, states, training=False):
        """Return the highest h and all states after one time step."""
        x, below, new_states = inputs, None, []
        if training and self.dropout:
            x = x * self.get_dropout_mask(inputs)
        for cell, h, c in zip(self.cells, states[::2], states[1::2], strict=True):
            h_sent = h
            if training and self.recurrent_dropout:
                h_sent = h * self.get_recurrent_dropout_mask(h)
            blocks = cell.project(x)
            product = ops.matmul(h_sent, cell.recurrent_weights())
            width = product.shape[-1]
            a, x_d = blocks[:, :width] + product, blocks[:, width:]
            x, below = cell.step(a, [h, c], x_d, below)
            new_states += [x, below]
        return x, new_states

    def get_config(self):
        """Return the settings, as Keras saves them."""
        lowest = self.cells[0].get_config()
        own = {"levels": len(self.cells), "dropout": self.dropout, "seed": self.seed}
        own["recurrent_dropout"] = self.recurrent_dropout
        return lowest | super().get_config() | own


@_registered
class ClockworkRNNCell(_Cell):
    """Simple recurrent network in modules that work at clock rates of their own [1]_.

    The units are parted into modules, and a module changes only in every T-th time step, with T its
    period. A module hears from itself and from slower ones::

        h = act(x W + h⁻ U + b)    for the units of modules whose T divides the step's number
        h = h⁻                     for all others

    with U zero wherever it would lead from a faster module to a slower one.

    Parameters
    ----------
    units : int
        Columns of h. The modules have as many units each, the first ones more by one if need be;
        with fewer units than periods, only the first periods have one.
    activation : str or callable, default="tanh"
        act.
    periods : sequence of int, default=(1, 2, 4, 8)
        T of each module, increasing.
    kernel_initializer, recurrent_initializer : str or keras.initializers.Initializer
        What W (Glorot uniform by default) and U (orthogonal, before the zeros) are drawn by.
    kernel_regularizer, recurrent_regularizer : str or keras.regularizers.Regularizer, default=None
    dropout, recurrent_dropout : float in [0, 1), default=0.0
        Shares of x, and of the h⁻ in h⁻ U, dropped in training; the same ones in all steps.
    seed : int, default=None
        Seeds dropout.
    **kwargs : dict
        `name`, `dtype` and `trainable`, as in other Keras layers.

    Notes
    -----
    Steps are numbered from 0, in which all modules change. The number is a state of its own,
    beside h (modulo the least common multiple of the periods), so that a masked step, which leaves
    the states as they are, is not counted. `recurrent_kernel` is stored with the u² numbers of
    which those that lead from faster to slower modules are not used.

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

    def __init__(self, units, activation="tanh", *, periods=(1, 2, 4, 8), **settings):
        super().__init__(units, activation, **settings)
        self.periods = _check_periods(periods)
        used = self.periods[: self.units]
        modules = np.array_split(np.arange(self.units), len(used))
        # Of each unit.
        self._periods = np.repeat(used, [len(module) for module in modules]).astype(float)
        # From (rows) units as slow as those that hear (columns), or slower.
        self._is_heard = (self._periods[:, None] >= self._periods).astype(float)
        self._round = float(math.lcm(*used))

    @property
    def state_size(self):
        """Columns of h, and of the step's number."""
        return [self.units, 1]

    def recurrent_weights(self):
        """Return U."""
        return self.recurrent_kernel * ops.cast(self._is_heard, self.compute_dtype)

    def step(self, a, states):
        """Return h and the next step's number after a time step."""
        h, number = states
        is_due = ops.equal(ops.mod(number, ops.cast(self._periods, number.dtype)), 0)
        h = ops.where(is_due, self.activation(a), h)
        return h, ops.mod(number + 1, self._round)

    def get_config(self):
        """Return the settings, as Keras saves them."""
        return super().get_config() | {"periods": list(self.periods)}


# What goes to the layer around a cell; all other settings are the cell's.
_LAYER_SETTINGS = {
    "activity_regularizer",
    "go_backwards",
    "name",
    "return_sequences",
    "return_state",
    "stateful",
    "unroll",
    "zero_output_for_mask",
}


def recurrent_layer(cell_class, units, **settings):
    """Make a layer of a cell, with the settings of both in one call.

    Parameters
    ----------
    cell_class : callable
        Called with `units` and all settings that are not the layer's, it returns a Keras cell.
    units : int
    **settings : dict
        `return_sequences`, `return_state`, `go_backwards`, `stateful`, `unroll`, `name`,
        `zero_output_for_mask` and `activity_regularizer` go to the layer, `dtype` and `trainable`
        to both, all others to the cell.

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


# Layers by the names of their cells: called like keras.layers.LSTM.
LAYERS = {
    "peephole": functools.partial(recurrent_layer, PeepholeLSTMCell),
    "coupled": functools.partial(recurrent_layer, CoupledLSTMCell),
    "depthgated": functools.partial(recurrent_layer, DepthGatedLSTMCell),
    "clockwork": functools.partial(recurrent_layer, ClockworkRNNCell),
}


def reinitialize(layer, kernel_initializer, recurrent_initializer):
    """Draw the weights of a recurrent layer anew, as one made with these initializers has them."""
    for n, cell in enumerate(getattr(layer.cell, "cells", [layer.cell])):
        for variable, initializer in (
            (cell.kernel, kernel_initializer),
            (cell.recurrent_kernel, recurrent_initializer),
        ):
            variable.assign(with_seed_offset(initializer, n)(variable.shape, variable.dtype))


def with_seed_offset(initializer, n):
    """Return an initializer that draws other numbers, the same for the same n."""
    initializer = keras.initializers.get(initializer)
    settings = initializer.get_config() if hasattr(initializer, "get_config") else {}
    if n == 0 or not isinstance(settings.get("seed"), int):
        return initializer.clone() if n and hasattr(initializer, "clone") else initializer
    return type(initializer).from_config(settings | {"seed": settings["seed"] + n})


def _check_size(name, value):
    if not (isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1):
        raise ValueError(f"{name}={value!r} must be an int of at least 1.")
    return int(value)


def _check_share(name, value):
    if not 0 <= value < 1:
        raise ValueError(f"{name}={value!r} must be at least 0 and less than 1.")
    return float(value)


def _check_periods(periods):
    periods = tuple(periods)
    are_ints = all(isinstance(period, Integral) for period in periods)
    if not periods or not are_ints or np.any(np.diff((0, *periods)) <= 0):
        raise ValueError(
            f"periods={periods!r} must be increasing ints of at least 1, such as (1, 2, 4, 8)."
        )
    return tuple(int(period) for period in periods)
