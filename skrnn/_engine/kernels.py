"""Fast forward passes and gradients of Keras' recurrent layers, over those layers' own variables.

`patched_layers` puts them, while a graph is traced, in the place of the inner loops of
`keras.layers.LSTM`, `GRU` and `SimpleRNN`, and of `keras.layers.Dense` and `Embedding`. The model
stays what it is; what a kernel cannot do, Keras' layer does.

Each kernel is one loop over time for the states and one for their gradients. All that needs no
state is done for all steps at once: the products with the inputs before the loop, and those that
give the gradients of the weights after it. They are written for XLA, which fuses the element-wise
operations; without it they give the same numbers, slowly.

Arrays are time-major. Symbols are those of the papers that `build_rnn` names: x the inputs, h the
hidden state, c the cell state; W the input and U the recurrent weights; i, f, o the input, forget
and output gates and g the candidate of an LSTM; z, r the update and reset gates of a GRU; a what
goes into an activation. dh is the gradient with respect to h, and so on. `mask` is empty, or holds
one array of bool, of shape (n_timesteps, n_samples, 1): where it is False, states stay. `heard` is
empty, or holds what h is multiplied by in h U, the same in all steps: one array of shape
(n_samples, units) for all of U, or one for each gate.
"""

import keras
import numpy as np
import tensorflow as tf

from .matmul import dense_matmul
from .scan import (
    previous_states,
    recurrent_matmul,
    recurrent_matmul_vjp_h,
    recurrent_matmul_vjp_U,
    scan,
    split_masked_cotangent,
    where_mask,
)

_SIGMOID_AND_TANH = {keras.activations.sigmoid, keras.activations.tanh}


# Activations, with their derivative as a function of their value.
_ACTIVATIONS = {
    keras.activations.tanh: (tf.tanh, lambda a: 1 - a * a),
    keras.activations.sigmoid: (tf.sigmoid, lambda a: a * (1 - a)),
    keras.activations.relu: (tf.nn.relu, lambda a: tf.cast(a > 0, a.dtype)),
    keras.activations.linear: (tf.identity, tf.ones_like),
}


def _no_gradient(mask):
    return [None] * len(mask)


def _simple_rnn(cell, heard):
    """Make the kernel of Elman's network: h = act(x W + b + h U)."""
    act, slope = _ACTIVATIONS[cell.activation]

    @tf.custom_gradient
    def recurrence(ax, U, h0, *mask):
        def step(states, inputs):
            (h,), (ax_t, *m) = states, inputs
            h = where_mask(act(ax_t + recurrent_matmul(h, U, heard)), h, m)
            return (h,), (h,)

        _, (H,) = scan(step, (h0,), (ax, *mask), (cell.units,))

        def gradient(dH):
            Ut = tf.transpose(U)

            def step(states, inputs):
                (dh,), (dh_t, h, *m) = states, inputs
                dh, dh_kept = split_masked_cotangent(dh + dh_t, m)
                da = dh * slope(h)
                return (recurrent_matmul_vjp_h(da, Ut, heard) + dh_kept,), (da,)

            (dh0,), (dA,) = scan(
                step, (tf.zeros_like(h0),), (dH, H, *mask), (cell.units,), backwards=True
            )
            dU = recurrent_matmul_vjp_U(previous_states(h0, H), dA, heard)
            return dA, dU, dh0, *_no_gradient(mask)

        return H, gradient

    def run(x, mask, h0):
        ax = dense_matmul(x, _value(cell.kernel))
        if cell.use_bias:
            ax += _value(cell.bias)
        H = recurrence(ax, _value(cell.recurrent_kernel), h0, *mask)
        return H, [H[-1]]

    return run


def fused_gate_activation(cell, activations):
    """Return a function of what goes into the gates and the candidate, side by side, to them.

    It is one tanh for all of them where they are sigmoids and tanh, as sigmoid(a) = (1 + tanh(a /
    2)) / 2: one loop over what lies side by side is compiled and run faster than one for each.
    """
    if {cell.activation, cell.recurrent_activation} == _SIGMOID_AND_TANH:
        is_gate = np.repeat([activation is tf.sigmoid for activation in activations], cell.units)
        scale, shift = np.where(is_gate, 0.5, 1.0), np.where(is_gate, 0.5, 0.0)

        def together(a):
            factor = tf.constant(scale, a.dtype)
            return tf.tanh(a * factor) * factor + tf.constant(shift, a.dtype)

        return together

    def one_by_one(a):
        parts = tf.split(a, len(activations), axis=1)
        return tf.concat([act(part) for act, part in zip(activations, parts, strict=True)], axis=1)

    return one_by_one


def _lstm(cell, heard):
    """Make the kernel of an LSTM with forget gate, its gates in Keras' order: i, f, g, o.

    c = f c + i g and h = o act(c), with i, f, o = gate(x W + b + h U) and g = act(x W + b + h U).
    """
    act, slope = _ACTIVATIONS[cell.activation]
    gate, gate_slope = _ACTIVATIONS[cell.recurrent_activation]
    u = cell.units
    both = fused_gate_activation(cell, [gate, gate, act, gate])

    @tf.custom_gradient
    def recurrence(ax, U, h0, c0, *mask):
        def step(states, inputs):
            (h_before, c_before), (ax_t, *m) = states, inputs
            a = ax_t + recurrent_matmul(h_before, U, heard)
            gates = both(a)
            i, f, g, o = tf.split(gates, 4, axis=1)
            c = f * c_before + i * g
            h = where_mask(o * act(c), h_before, m)
            c = where_mask(c, c_before, m)
            return (h, c), (h, c, gates)

        (_, c_last), (H, C, gates) = scan(step, (h0, c0), (ax, *mask), (u, u, 4 * u))

        def gradient(dH, dc_last):
            Ut = tf.transpose(U)

            def step(states, inputs):
                (dh, dc), (dh_t, c_before, c, gates_t, *m) = states, inputs
                i, f, g, o = tf.split(gates_t, 4, axis=1)
                act_c = act(c)
                dh, dh_kept = split_masked_cotangent(dh + dh_t, m)
                dc, dc_kept = split_masked_cotangent(dc, m)
                dc += dh * o * slope(act_c)
                da = tf.concat(
                    [
                        dc * g * gate_slope(i),
                        dc * c_before * gate_slope(f),
                        dc * i * slope(g),
                        dh * act_c * gate_slope(o),
                    ],
                    axis=1,
                )
                return (recurrent_matmul_vjp_h(da, Ut, heard) + dh_kept, dc * f + dc_kept), (da,)

            (dh0, dc0), (dA,) = scan(
                step,
                (tf.zeros_like(h0), dc_last),
                (dH, previous_states(c0, C), C, gates, *mask),
                (4 * u,),
                backwards=True,
            )
            dU = recurrent_matmul_vjp_U(previous_states(h0, H), dA, heard)
            return dA, dU, dh0, dc0, *_no_gradient(mask)

        return (H, c_last), gradient

    def run(x, mask, h0, c0):
        ax = dense_matmul(x, _value(cell.kernel))
        if cell.use_bias:
            ax += _value(cell.bias)
        H, c_last = recurrence(ax, _value(cell.recurrent_kernel), h0, c0, *mask)
        return H, [H[-1], c_last]

    return run


def _gru(cell, heard):
    """Make the kernel of a GRU that resets after the product, its gates in Keras' order: z, r, g.

    h = z h + (1 - z) g, with z, r = gate(x W + b + h U + b') and g = act(x W + b + r (h U + b')).
    """
    act, slope = _ACTIVATIONS[cell.activation]
    gate, gate_slope = _ACTIVATIONS[cell.recurrent_activation]
    u = cell.units

    @tf.custom_gradient
    def recurrence(ax, U, b, h0, *mask):
        def step(states, inputs):
            (h,), (ax_t, *m) = states, inputs
            a = recurrent_matmul(h, U, heard) + b
            zr = gate(ax_t[:, : 2 * u] + a[:, : 2 * u])
            z, r = zr[:, :u], zr[:, u:]
            g = act(ax_t[:, 2 * u :] + r * a[:, 2 * u :])
            h = where_mask(z * h + (1 - z) * g, h, m)
            return (h,), (h, tf.concat([z, r, g, a[:, 2 * u :]], axis=1))

        _, (H, saved) = scan(step, (h0,), (ax, *mask), (u, 4 * u))
        H_before = previous_states(h0, H)

        def gradient(dH):
            Ut = tf.transpose(U)

            def step(states, inputs):
                (dh,), (dh_t, h_before, saved_t, *m) = states, inputs
                z, r, g, a_g = tf.split(saved_t, 4, axis=1)
                dh, dh_kept = split_masked_cotangent(dh + dh_t, m)
                dg = dh * (1 - z) * slope(g)
                dz = dh * (h_before - g) * gate_slope(z)
                dr = dg * a_g * gate_slope(r)
                da = tf.concat([dz, dr, dg * r], axis=1)
                dh_before = recurrent_matmul_vjp_h(da, Ut, heard) + dh * z + dh_kept
                return (dh_before,), (tf.concat([da, dg], axis=1),)

            (dh0,), (dA,) = scan(
                step, (tf.zeros_like(h0),), (dH, H_before, saved, *mask), (4 * u,), backwards=True
            )
            da = dA[..., : 3 * u]
            dax = tf.concat([dA[..., : 2 * u], dA[..., 3 * u :]], axis=2)
            db = tf.reduce_sum(da, axis=(0, 1))
            dU = recurrent_matmul_vjp_U(H_before, da, heard)
            return dax, dU, db, dh0, *_no_gradient(mask)

        return H, gradient

    def run(x, mask, h0):
        ax = dense_matmul(x, _value(cell.kernel))
        b = tf.zeros(3 * u, ax.dtype)
        if cell.use_bias:
            input_bias, b = tf.unstack(_value(cell.bias))
            ax += input_bias
        H = recurrence(ax, _value(cell.recurrent_kernel), b, h0, *mask)
        return H, [H[-1]]

    return run


_KERNELS = {
    keras.layers.SimpleRNN: _simple_rnn,
    keras.layers.LSTM: _lstm,
    keras.layers.GRU: _gru,
}


def _value(variable):
    return tf.convert_to_tensor(variable)
