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

import tensorflow as tf

from .matmul import deterministic_matmul, weight_gradient


def scan(step, states, inputs, widths, *, backwards=False):
    """Run ``states, outputs = step(states, inputs of one time step)`` over all time steps.

    `inputs` are of shape (n_timesteps, n_samples, ...), the outputs of each step of shape
    (n_samples, width). Returns the last states, and all outputs in the order of the inputs.
    """
    n_timesteps, n_samples = inputs[0].shape[:2]
    if n_timesteps == 1:  # nothing to compile a loop for
        states, outputs = step(states, [part[0] for part in inputs])
        return states, [output[None] for output in outputs]
    dtype = inputs[0].dtype
    arrays = [
        tf.TensorArray(dtype, n_timesteps, element_shape=(n_samples, width)) for width in widths
    ]

    def body(count, states, arrays):
        t = n_timesteps - 1 - count if backwards else count
        states, outputs = step(states, [part[t] for part in inputs])
        return count + 1, states, [a.write(t, o) for a, o in zip(arrays, outputs, strict=True)]

    _, states, arrays = tf.while_loop(
        lambda count, *_: count < n_timesteps,
        body,
        (0, tuple(states), arrays),
        parallel_iterations=1,
        maximum_iterations=n_timesteps,
    )
    return states, [array.stack() for array in arrays]


def recurrent_matmul(h, U, heard):
    """Return h @ U, of the h that each gate hears."""
    if not heard:
        return deterministic_matmul(h, U)
    parts = zip(heard, tf.split(U, len(heard), axis=1), strict=True)
    return tf.concat([deterministic_matmul(h * mask, part) for mask, part in parts], axis=1)


def recurrent_matmul_vjp_h(da, Ut, heard):
    """Return the gradient with respect to h of ``_hear(h, U, heard)``; Ut is U transposed."""
    if not heard:
        return deterministic_matmul(da, Ut)
    n = len(heard)
    parts = zip(heard, tf.split(da, n, axis=1), tf.split(Ut, n, axis=0), strict=True)
    return tf.add_n([deterministic_matmul(da_k, Ut_k) * mask for mask, da_k, Ut_k in parts])


def recurrent_matmul_vjp_U(H, dA, heard):
    """Return the gradient with respect to U of ``_hear(h, U, heard)``, from all steps' h and da."""
    if not heard:
        return weight_gradient(H, dA)
    parts = zip(heard, tf.split(dA, len(heard), axis=2), strict=True)
    return tf.concat([weight_gradient(H * mask, dA_k) for mask, dA_k in parts], axis=1)


def previous_states(first, sequence):
    """Return what stood before each step of `sequence`: its first state, then all but its last."""
    return tf.concat([first[None], sequence[:-1]], axis=0)


def where_mask(new, old, mask):
    """Return the new state where a step counts, and the old one where it is masked."""
    return tf.where(mask[0], new, old) if mask else new


def split_masked_cotangent(gradient, mask):
    """Part the gradient of a state into that of the new state and that of the old one it kept."""
    if not mask:
        return gradient, tf.zeros_like(gradient)
    zero = tf.zeros_like(gradient)
    return tf.where(mask[0], gradient, zero), tf.where(mask[0], zero, gradient)
