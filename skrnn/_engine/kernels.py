"""Kernels of `keras.layers.SimpleRNN`, `LSTM` and `GRU`.

A kernel has a forward loop over time for the states and a backward loop for their gradients. The
products with the inputs and the gradients of all weights are computed for all time steps at once.
These kernels are designed for XLA, which fuses their element-wise operations. Without XLA, the
results are the same, but the computation is slower. `lstm_block_kernel` is TensorFlow's kernel of
an LSTM instead, which XLA cannot compile, and which is fast without it.

Names follow the papers cited in `build_rnn`: x is the input, h the hidden state and c the cell
state; W are the input weights and U the recurrent weights; i, f and o are the input, forget and
output gates and g is the candidate of an LSTM; z and r are the update and reset gates of a GRU; a
is the input of an activation function. dh is the gradient with respect to h, and so on. Sequences
and `mask` are those of `scan`, recurrent dropout masks those of `matmul`.
"""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from .matmul import (
    dense_matmul,
    recurrent_matmul,
    recurrent_matmul_vjp_h,
    recurrent_matmul_vjp_U,
)
from .scan import previous_states, scan, split_by_lengths, split_masked_cotangent, where_mask

# TensorFlow's function of an activation, and its derivative as a function of its output.
_ACTIVATIONS = {
    keras.activations.tanh: (tf.tanh, lambda y: 1 - y * y),
    keras.activations.sigmoid: (tf.sigmoid, lambda y: y * (1 - y)),
    keras.activations.relu: (tf.nn.relu, lambda y: tf.cast(y > 0, y.dtype)),
    keras.activations.linear: (tf.identity, tf.ones_like),
}

# TensorFlow computes a product with at most this many multiplications on one thread.
_MAX_BLOCK_MULTIPLICATIONS = 2**20


def find_builtin_kernel(layer, recurrent_dropout_masks=()):
    """Return the kernel of a layer of class SimpleRNN, LSTM or GRU, or None if it is unsupported.

    Supported layers have a single dtype and tanh, sigmoid, relu or linear activations, do not drop
    inputs, are not stateful, and use ``reset_after=True`` if they are GRUs.
    """
    if type(layer) not in _EQUATIONS:
        return None
    cell = layer.cell
    activations = [cell.activation, getattr(cell, "recurrent_activation", keras.activations.tanh)]
    if (
        any(activation not in _ACTIVATIONS for activation in activations)
        or cell.dropout
        or layer.stateful
        or not getattr(cell, "reset_after", True)
        or layer.compute_dtype != layer.variable_dtype
    ):
        return None
    equations = _EQUATIONS[type(layer)](cell)
    recurrence = _make_recurrence(cell, equations, recurrent_dropout_masks)

    def kernel(x, mask, *states, training=False):
        ax = dense_matmul(x, tf.convert_to_tensor(cell.kernel))
        recurrent_bias = [tf.zeros(ax.shape[-1], ax.dtype)] if equations.is_split else []
        if cell.use_bias:
            biases = tf.reshape(tf.convert_to_tensor(cell.bias), (-1, ax.shape[-1]))
            input_bias, *recurrent_bias = tf.unstack(biases)
            ax += input_bias
        U = tf.convert_to_tensor(cell.recurrent_kernel)
        H, *other_states = recurrence(ax, U, *states, *recurrent_bias, *mask)
        return H, [H[-1], *other_states]

    return kernel


def max_block_rows(layer):
    """Return the maximum number of rows for `lstm_block_kernel`, 0 if it does not support a layer.

    For more rows, TensorFlow shares the product of a time step among threads, and the bits depend
    on their number.
    """
    if type(layer) is not keras.layers.LSTM or find_builtin_kernel(layer) is None:
        return 0
    cell = layer.cell
    if (
        cell.activation is not keras.activations.tanh
        or cell.recurrent_activation is not keras.activations.sigmoid
        or cell.recurrent_dropout
        or layer.compute_dtype != "float32"
    ):
        return 0
    n_inputs, n_columns = cell.kernel.shape
    return _MAX_BLOCK_MULTIPLICATIONS // (n_columns * (n_inputs + cell.units))


def lstm_block_kernel(layer):
    """Return TensorFlow's kernel of an LSTM layer with ``max_block_rows(layer) > 0``."""
    cell = layer.cell

    def kernel(x, mask, h, c, training=False):
        W, U = tf.convert_to_tensor(cell.kernel), tf.convert_to_tensor(cell.recurrent_kernel)
        b = tf.convert_to_tensor(cell.bias) if cell.use_bias else tf.zeros(U.shape[1], U.dtype)
        no_peephole = tf.zeros(cell.units, x.dtype)
        outputs = tf.raw_ops.BlockLSTM(
            seq_len_max=tf.constant(x.shape[0], tf.int64),
            x=x,
            h_prev=h,
            cs_prev=c,
            w=_swap_f_and_g(tf.concat([W, U], axis=0)),
            b=_swap_f_and_g(b),
            wci=no_peephole,
            wcf=no_peephole,
            wco=no_peephole,
            use_peephole=False,
            forget_bias=0.0,
            cell_clip=-1.0,
        )
        return outputs.h, [outputs.h[-1], outputs.cs[-1]]

    return kernel


def _swap_f_and_g(weights):
    """Return weights of the gates i, f, g and o in the order i, g, f, o."""
    i, f, g, o = tf.split(weights, 4, axis=-1)
    return tf.concat([i, g, f, o], axis=-1)


class _Equations(NamedTuple):
    """The step of a cell and its gradient.

    ``step(a, *states) -> new_states, saved`` is a time step, with h first among the states, and
    ``vjp(d_new_states, states, new_states, *saved) -> da, d_states`` its gradient, without that
    which flows through a to h. `saved` are tensors of `saved_sizes` columns, for the gradient.

    a is ``[x W + b + h U]``, or ``[ax, ah] = [x W + b, h U + b']`` if `is_split`. Then da is the
    gradient of ah, and that of the last block of ax, where the two differ.
    """

    step: Callable
    vjp: Callable
    saved_sizes: tuple[int, ...] = ()
    is_split: bool = False


def _make_recurrence(cell, equations, recurrent_dropout_masks):
    """Return ``recurrence(x W + b, U, *states[, b'], *mask) -> H, *other_last_states``."""
    step, vjp, saved_sizes, is_split = equations
    n_states = len(keras.tree.flatten(cell.state_size))

    @tf.custom_gradient
    def recurrence(ax, U, *arguments):
        initial, recurrent_bias, mask = split_by_lengths(arguments, n_states, int(is_split))

        def forward(states, inputs):
            ax_t, *m = inputs
            ah = recurrent_matmul(states[0], U, recurrent_dropout_masks)
            a = [ax_t, ah + recurrent_bias[0]] if is_split else [ax_t + ah]
            new_states, saved = step(a, *states)
            states = tuple(where_mask(*pair, m) for pair in zip(new_states, states, strict=True))
            return states, (*states, *saved)

        sizes = [*[cell.units] * n_states, *saved_sizes]
        (_, *last_states), outputs = scan(forward, initial, (ax, *mask), sizes)
        states, saved = split_by_lengths(outputs, n_states)
        before = [previous_states(*pair) for pair in zip(initial, states, strict=True)]

        def gradient(dH, *d_last_states):
            Ut, n_columns = tf.transpose(U), U.shape[1]

            def backward(carry, inputs):
                (dh, *d_others), (dh_t, *inputs) = carry, inputs
                states, new_states, saved, m = split_by_lengths(
                    inputs, n_states, n_states, len(saved_sizes)
                )
                cotangents = [split_masked_cotangent(d, m) for d in (dh + dh_t, *d_others)]
                d_new_states, d_skipped = zip(*cotangents, strict=True)
                da, (dh, *d_others) = vjp(d_new_states, states, new_states, *saved)
                dh = recurrent_matmul_vjp_h(da[0], Ut, recurrent_dropout_masks) + dh
                d_states = zip((dh, *d_others), d_skipped, strict=True)
                return tuple(d + d_old for d, d_old in d_states), [tf.concat(da, axis=1)]

            carry = tf.zeros_like(initial[0]), *d_last_states
            inputs = dH, *before, *states, *saved, *mask
            sizes = [n_columns + is_split * cell.units]
            d_initial, (dA,) = scan(backward, carry, inputs, sizes, backwards=True)
            dAx, dAh, db = dA, dA, []
            if is_split:
                gates = dA[..., : n_columns - cell.units]
                dAx = tf.concat([gates, dA[..., n_columns:]], axis=2)
                dAh = dA[..., :n_columns]
                db = [tf.reduce_sum(dAh, axis=(0, 1))]
            dU = recurrent_matmul_vjp_U(before[0], dAh, recurrent_dropout_masks)
            return dAx, dU, *d_initial, *db, *[None] * len(mask)

        return (states[0], *last_states), gradient

    return recurrence


def _simple_rnn(cell):
    """Return the equations of a simple recurrent network: h = act(a)."""
    act, act_grad = _ACTIVATIONS[cell.activation]

    def step(a, h):
        return [act(a[0])], []

    def vjp(d_new_states, states, new_states):
        (dh,), (h,) = d_new_states, new_states
        return [dh * act_grad(h)], [0.0]

    return _Equations(step, vjp)


def fused_gate_activation(cell, activations):
    """Return a function that applies an activation to each block of `units` columns.

    Sigmoid and tanh are a single tanh of all columns, since sigmoid(a) = (1 + tanh(a / 2)) / 2: XLA
    compiles and runs one loop faster than a loop for each block.
    """
    sigmoid_and_tanh = {keras.activations.sigmoid, keras.activations.tanh}
    if {cell.activation, cell.recurrent_activation} != sigmoid_and_tanh:

        def apply_each(a):
            blocks = zip(activations, tf.split(a, len(activations), axis=1), strict=True)
            return tf.concat([activation(block) for activation, block in blocks], axis=1)

        return apply_each

    is_sigmoid = np.repeat([activation is tf.sigmoid for activation in activations], cell.units)
    scale, shift = np.where(is_sigmoid, 0.5, 1.0), np.where(is_sigmoid, 0.5, 0.0)

    def apply(a):
        factor = tf.constant(scale, a.dtype)
        return tf.tanh(a * factor) * factor + tf.constant(shift, a.dtype)

    return apply


def _lstm(cell):
    """Return the equations of an LSTM with forget gate.

    c = f c + i g and h = o act(c), with i, f, o = gate(a) and g = act(a), in the order i, f, g, o.
    """
    act, act_grad = _ACTIVATIONS[cell.activation]
    gate, gate_grad = _ACTIVATIONS[cell.recurrent_activation]
    activate = fused_gate_activation(cell, [gate, gate, act, gate])

    def step(a, h, c):
        gates = activate(a[0])
        i, f, g, o = tf.split(gates, 4, axis=1)
        c = f * c + i * g
        return [o * act(c), c], [gates]

    def vjp(d_new_states, states, new_states, gates):
        (dh, dc), (_, c_before), (_, c) = d_new_states, states, new_states
        i, f, g, o = tf.split(gates, 4, axis=1)
        act_c = act(c)
        dc += dh * o * act_grad(act_c)
        da_i = dc * g * gate_grad(i)
        da_f = dc * c_before * gate_grad(f)
        da_g = dc * i * act_grad(g)
        da_o = dh * act_c * gate_grad(o)
        return [tf.concat([da_i, da_f, da_g, da_o], axis=1)], [0.0, dc * f]

    return _Equations(step, vjp, saved_sizes=(4 * cell.units,))


def _gru(cell):
    """Return the equations of a GRU with ``reset_after=True``.

    h = z h + (1 - z) g, with z, r = gate(ax + ah) and g = act(ax + r ah), in the order z, r, g.
    """
    act, act_grad = _ACTIVATIONS[cell.activation]
    gate, gate_grad = _ACTIVATIONS[cell.recurrent_activation]
    u = cell.units

    def step(a, h):
        ax, ah = a
        ah_g = ah[:, 2 * u :]
        zr = gate(ax[:, : 2 * u] + ah[:, : 2 * u])
        z, r = zr[:, :u], zr[:, u:]
        g = act(ax[:, 2 * u :] + r * ah_g)
        return [z * h + (1 - z) * g], [tf.concat([z, r, g, ah_g], axis=1)]

    def vjp(d_new_states, states, new_states, saved):
        (dh,), (h,) = d_new_states, states
        z, r, g, ah_g = tf.split(saved, 4, axis=1)
        da_g = dh * (1 - z) * act_grad(g)
        da_z = dh * (h - g) * gate_grad(z)
        da_r = da_g * ah_g * gate_grad(r)
        return [tf.concat([da_z, da_r, da_g * r], axis=1), da_g], [dh * z]

    return _Equations(step, vjp, saved_sizes=(4 * u,), is_split=True)


_EQUATIONS = {
    keras.layers.SimpleRNN: _simple_rnn,
    keras.layers.LSTM: _lstm,
    keras.layers.GRU: _gru,
}
