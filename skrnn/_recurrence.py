"""The loop over time for cells without a kernel of their own: only what needs the states.

It is `_kernels`' plan, with the derivatives of a step left to TensorFlow. A cell of `layers` is
taken apart into its products, which are done for all steps at once where they need no state, and
the rest of a step, which treats each unit by itself. On the way forward the loop saves the states.
On the way back it computes a step's rest anew, takes its vector-Jacobian product, and collects the
gradients of what went into it; the weights' gradients are one product each after the loop.

Arrays are time-major: x and masks are of shape (n_timesteps, n_samples, ...).
"""

import keras
import tensorflow as tf

from . import _kernels, layers

__all__ = ["recurrence_of"]


def recurrence_of(layer):
    """Return the function that computes a recurrent layer in Keras' place, or None.

    There is one for `keras.layers.RNN` around the cells of `layers` without dropout of their own
    and of one dtype throughout.

    Parameters
    ----------
    layer : keras.layers.Layer

    Returns
    -------
    run : callable or None
        ``run(x, *states, mask=None) -> outputs, states``, of arrays of shape (n_timesteps,
        n_samples, ...) whose shapes are known. `mask` is boolean, of shape (n_timesteps, n_samples,
        1): where it is False, states and outputs stay what they were before the step. Where no
        step of a sequence has been True yet, its output is zero, and with the layer's
        `zero_output_for_mask` wherever it is False, as in Keras.
    """
    if type(layer) is not keras.layers.RNN:
        return None
    cell = layer.cell
    if (
        type(cell) not in _CELLS
        or cell.dropout
        or cell.recurrent_dropout
        or layer.stateful
        or layer.compute_dtype != layer.variable_dtype
        or cell.compute_dtype != layer.compute_dtype
        or cell.variable_dtype != layer.compute_dtype
    ):
        return None
    levels = cell.cells if isinstance(cell, layers.DepthGatedLSTMCell) else [cell]

    def run(x, *states, mask=None):
        below, last = (), []
        for n, level in enumerate(levels):
            own = states[n * len(level.state_size) : (n + 1) * len(level.state_size)]
            sequences = _level(level, x, own, below, mask)
            x, below = sequences[0], sequences[1:]
            last += [sequence[-1] for sequence in sequences]
        if mask is not None:
            is_known = mask
            if not layer.zero_output_for_mask:
                is_known = tf.cumsum(tf.cast(mask, tf.int32), axis=0) > 0
            x = tf.where(is_known, x, tf.zeros_like(x))
        return x, last

    return run


_CELLS = {
    layers.ClockworkRNNCell,
    layers.CoupledLSTMCell,
    layers.DepthGatedLSTMCell,
    layers.PeepholeLSTMCell,
}


def _level(cell, x, states, below, mask):
    """Return all states of one level as sequences; `below` is c of the level below, if any."""
    blocks = _kernels._times(x, tf.convert_to_tensor(cell.kernel)) + cell.bias
    U = tf.convert_to_tensor(cell.recurrent_weights())
    width = U.shape[1]
    parts = [blocks[..., :width]]
    if width < blocks.shape[-1]:
        parts += [blocks[..., width:], *below]
    weights = [w for w in cell.weights if w.name not in ("kernel", "recurrent_kernel", "bias")]
    values = [tf.convert_to_tensor(w) for w in weights]

    def step(a, states, others, values, mask_t):
        """Return the states after a step, by the weights' `values`."""
        with keras.StatelessScope(list(zip(weights, values, strict=True))):
            new_states = cell.step(a, states, *others)
        if mask_t is not None:
            pairs = zip(new_states, states, strict=True)
            new_states = [tf.where(mask_t, new, old) for new, old in pairs]
        return tuple(new_states)

    return _scan_step(step, U, states, parts, values, mask)


def _scan_step(step, U, states, parts, values, mask):
    """Run a step for all times, h first among its states, and return them as sequences.

    ``step(a, states, others, values, mask)`` treats each unit by itself. `a` is the first of
    `parts` at that time plus h @ U, and `others` are the others; `values` are the weights that it
    uses. There are gradients of all but the mask.
    """
    n_states, n_parts = len(states), len(parts)
    masks = [] if mask is None else [mask]

    def cut(inputs, *lengths):
        """Yield lists of so many of the inputs, one after the other, and then of the rest."""
        start = 0
        for length in lengths:
            yield list(inputs[start : start + length])
            start += length
        yield list(inputs[start:])

    @tf.custom_gradient
    def run(U, *arguments):
        first, parts, values = cut(arguments, n_states, n_parts)
        widths = [state.shape[-1] for state in first]

        def forward(states, inputs):
            (ax, *others), mask_t = inputs[:n_parts], inputs[n_parts:]
            a = ax + _kernels._product(states[0], U)
            states = step(a, states, others, values, *(mask_t or [None]))
            return states, states

        _, sequences = _kernels._scan(forward, first, [*parts, *masks], widths)

        def gradient(*d_sequences):
            before = [
                _kernels._before(state, sequence)
                for state, sequence in zip(first, sequences, strict=True)
            ]
            a = parts[0] + _kernels._times(before[0], U)
            Ut = tf.transpose(U)

            def backward(carried, inputs):
                d_states, d_values = carried
                d_sequence, states, parts_t, mask_t = cut(inputs, n_states, n_states, n_parts)
                d_states = [d + dt for d, dt in zip(d_states, d_sequence, strict=True)]
                with tf.GradientTape() as tape:
                    tape.watch([*states, *parts_t, *values])
                    ends = step(parts_t[0], states, parts_t[1:], values, *(mask_t or [None]))
                gradients = tape.gradient(
                    ends,
                    [*states, *parts_t, *values],
                    output_gradients=d_states,
                    unconnected_gradients=tf.UnconnectedGradients.ZERO,
                )
                d_states, d_parts, more = cut(gradients, n_states, n_parts)
                d_states[0] += _kernels._product(d_parts[0], Ut)
                d_values = [d + dt for d, dt in zip(d_values, more, strict=True)]
                return (tuple(d_states), tuple(d_values)), d_parts

            zeros = [tf.zeros_like(state) for state in first], [tf.zeros_like(v) for v in values]
            (d_first, d_values), d_parts = _kernels._scan(
                backward,
                tuple(map(tuple, zeros)),
                [*d_sequences, *before, a, *parts[1:], *masks],
                [part.shape[-1] for part in parts],
                backwards=True,
            )
            dU = _kernels._weight_gradient(before[0], d_parts[0])
            return dU, *d_first, *d_parts, *d_values

        return tuple(sequences), gradient

    return run(U, *states, *parts, *values)
