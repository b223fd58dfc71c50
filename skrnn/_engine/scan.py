"""Loops over time, with masks, and with a gradient by vector-Jacobian products.

Sequences are time-major, of shape (n_timesteps, batch_size, ...), and written in upper case: H are
the h of all time steps. `mask` is an empty sequence, or contains one boolean tensor of shape
(n_timesteps, batch_size, 1), or (batch_size, 1) within a time step. Where it is False, the time
step is skipped, and the states do not change.
"""

import keras
import tensorflow as tf

from ..layers import add_recurrent
from .matmul import (
    dense_matmul,
    recurrent_matmul,
    recurrent_matmul_vjp_h,
    recurrent_matmul_vjp_U,
)


def scan(step, carry, inputs, output_sizes, *, backwards=False):
    """Run ``carry, outputs = step(carry, inputs)`` for all time steps.

    `inputs` are sequences. The input of each step is one time step of them, and its outputs have
    the shape (batch_size, output_size). Returns the last carry, and the outputs as sequences in the
    order of the inputs.
    """
    n_timesteps, batch_size = inputs[0].shape[:2]
    if n_timesteps == 1:  # without a loop to compile
        carry, outputs = step(carry, [sequence[0] for sequence in inputs])
        return carry, [output[None] for output in outputs]
    arrays = [
        tf.TensorArray(inputs[0].dtype, n_timesteps, element_shape=(batch_size, size))
        for size in output_sizes
    ]

    def body(i, carry, arrays):
        t = n_timesteps - 1 - i if backwards else i
        carry, outputs = step(carry, [sequence[t] for sequence in inputs])
        written = [array.write(t, y) for array, y in zip(arrays, outputs, strict=True)]
        return i + 1, carry, written

    _, carry, arrays = tf.while_loop(
        lambda i, *_: i < n_timesteps,
        body,
        (0, tuple(carry), arrays),
        parallel_iterations=1,
        maximum_iterations=n_timesteps,
    )
    return carry, [array.stack() for array in arrays]


def previous_states(initial, sequence):
    """Return the state before each time step, given the state after each."""
    return tf.concat([initial[None], sequence[:-1]], axis=0)


def where_mask(new, old, mask):
    """Return the new state, or the old one where the time step is skipped."""
    return tf.where(mask[0], new, old) if mask else new


def split_masked_cotangent(cotangent, mask):
    """Split the cotangent of ``where_mask(new, old, mask)`` into those of new and old."""
    zeros = tf.zeros_like(cotangent)
    if not mask:
        return cotangent, zeros
    return tf.where(mask[0], cotangent, zeros), tf.where(mask[0], zeros, cotangent)


def split_by_lengths(values, *lengths):
    """Split a sequence into lists of these lengths, and a list of the rest."""
    lists, start = [], 0
    for length in lengths:
        lists.append(list(values[start : start + length]))
        start += length
    return [*lists, list(values[start:])]


def scan_with_vjp(step, inputs, states, variables, mask, U=None, recurrent_dropout_masks=()):
    """Run a step for all time steps, with a gradient by vector-Jacobian products of the step.

    The forward loop saves the states. The backward loop recomputes the step at each time step and
    accumulates the gradients of the weights; that of U is one product for all time steps.

    Parameters
    ----------
    step : callable
        ``step(inputs, states)`` returns the new states.
    inputs : list of sequences
    states : list of tensors
        Initial states, h first.
    variables : list of keras.Variable
        All variables that the step reads.
    mask : sequence
    U : tensor, default=None
        Recurrent weights: h U is added to the first columns of the first input of the step.
    recurrent_dropout_masks : sequence of tensors
        At most one, that h is multiplied by in h U.

    Returns
    -------
    states : tuple of sequences
    """
    lengths = len(inputs), len(states), len(variables)
    masks = recurrent_dropout_masks

    def masked_step(inputs, states, weights, mask):
        with keras.StatelessScope(list(zip(variables, weights, strict=True))):
            new_states = step(inputs, states)
        return tuple(where_mask(*pair, mask) for pair in zip(new_states, states, strict=True))

    @tf.custom_gradient
    def run(*arguments):
        inputs, states, weights, U = split_by_lengths(arguments, *lengths)

        def forward(states, step_inputs):
            (a, *others), mask = split_by_lengths(step_inputs, len(inputs))
            if U:
                a = add_recurrent(a, recurrent_matmul(states[0], U[0], masks))
            states = masked_step([a, *others], states, weights, mask)
            return states, states

        sizes = [state.shape[-1] for state in states]
        _, sequences = scan(forward, states, [*inputs, *mask], sizes)

        def gradient(*d_sequences):
            before = [previous_states(*pair) for pair in zip(states, sequences, strict=True)]
            A, *others = inputs
            if U:
                H = before[0] * masks[0] if masks else before[0]
                A = add_recurrent(A, dense_matmul(H, U[0]))
            U_transposed = [tf.transpose(u) for u in U]

            def backward(carry, step_inputs):
                d_states, d_weights = carry
                d_outputs, states, inputs, mask = split_by_lengths(
                    step_inputs, len(d_states), len(d_states), lengths[0]
                )
                d_states = [d + d_t for d, d_t in zip(d_states, d_outputs, strict=True)]
                arguments = [inputs, states, weights]
                with tf.GradientTape() as tape:
                    tape.watch(arguments)
                    new_states = masked_step(inputs, states, weights, mask)
                zero = tf.UnconnectedGradients.ZERO
                d_inputs, d_states, d_weights_t = tape.gradient(
                    new_states, arguments, output_gradients=d_states, unconnected_gradients=zero
                )
                for Ut in U_transposed:
                    da = d_inputs[0][:, : Ut.shape[0]]
                    d_states[0] += recurrent_matmul_vjp_h(da, Ut, masks)
                d_weights = [d + d_t for d, d_t in zip(d_weights, d_weights_t, strict=True)]
                return (tuple(d_states), tuple(d_weights)), d_inputs

            zeros = tuple(map(tf.zeros_like, states)), tuple(map(tf.zeros_like, weights))
            (d_states, d_weights), d_inputs = scan(
                backward,
                zeros,
                [*d_sequences, *before, A, *others, *mask],
                [sequence.shape[-1] for sequence in inputs],
                backwards=True,
            )
            dA = [d_inputs[0][..., : u.shape[1]] for u in U]
            dU = [recurrent_matmul_vjp_U(before[0], dA_u, masks) for dA_u in dA]
            return *d_inputs, *d_states, *d_weights, *dU

        return tuple(sequences), gradient

    weights = [tf.convert_to_tensor(variable) for variable in variables]
    return run(*inputs, *states, *weights, *([] if U is None else [U]))
