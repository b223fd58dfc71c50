"""The loop over time for cells without a kernel of their own: only what needs the states.

It is `_engine.kernels`' plan, with the derivatives of a step left to TensorFlow. A cell of `layers` is
taken apart into its products, which are done for all steps at once where they need no state, and
the rest of a step, which treats each unit by itself. On the way forward the loop saves the states.
On the way back it computes a step's rest anew, takes its vector-Jacobian product, and collects the
gradients of what went into it; the weights' gradients are one product each after the loop.

Any other cell runs in the same loop as a whole, if its step depends on what goes in alone: the
gradients of its weights are then added up step by step.

Arrays are time-major: x and masks are of shape (n_timesteps, n_samples, ...).
"""

import weakref
from inspect import signature

import keras
import numpy as np
import tensorflow as tf

from .. import layers
from .matmul import dense_matmul
from .scan import (
    previous_states,
    recurrent_matmul,
    recurrent_matmul_vjp_h,
    recurrent_matmul_vjp_U,
    scan,
)


def find_recurrence(layer, heard=()):
    """Return the function that computes a recurrent layer in Keras' place, or None.

    There is one for `keras.layers.RNN` around the cells of `layers` without dropout of their
    inputs, and around any other cell without dropout that `is_pure_cell` finds to be one; of one
    dtype throughout.

    Parameters
    ----------
    layer : keras.layers.Layer
    heard : sequence of tensors
        As in `_engine.kernels`; of all levels alike.

    Returns
    -------
    run : callable or None
        ``run(x, *states, mask=None, training=False) -> outputs, states``, of arrays of shape
        (n_timesteps, n_samples, ...) whose shapes are known. `mask` is boolean, of shape
        (n_timesteps, n_samples, 1): where it is False, states and outputs stay what they were
        before the step. Where no step of a sequence has been True yet, its output is zero, and with
        the layer's `zero_output_for_mask` wherever it is False, as in Keras.
    """
    if type(layer) is not keras.layers.RNN:
        return None
    cell = layer.cell
    if (
        getattr(cell, "dropout", 0)
        or layer.stateful
        or layer.compute_dtype != layer.variable_dtype
        or cell.compute_dtype != layer.compute_dtype
        or cell.variable_dtype != layer.compute_dtype
        or not (type(cell) in _CELLS or is_pure_cell(layer))
    ):
        return None
    loop = scan_layered_cell if type(cell) in _CELLS else scan_generic_cell

    def run(x, *states, mask=None, training=False):
        x, last = loop(cell, x, states, mask, heard, training)
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


def scan_layered_cell(cell, x, states, mask, heard, training):
    """Return the outputs and the last states of a cell of `layers`."""
    levels = cell.cells if isinstance(cell, layers.DepthGatedLSTMCell) else [cell]
    below, last = (), []
    for n, level in enumerate(levels):
        own = states[n * len(level.state_size) : (n + 1) * len(level.state_size)]
        sequences = _scan_level(level, x, own, below, mask, heard)
        x, below = sequences[0], sequences[1:]
        last += [sequence[-1] for sequence in sequences]
    return x, last


def scan_generic_cell(cell, x, states, mask, heard, training):
    """Return the outputs and the last states of any other cell."""
    weights = cell.weights
    values = [tf.convert_to_tensor(w) for w in weights]

    def step(x_t, states, others, values, mask_t):
        """Return the output and the states after a step; the first of `states` is an output."""
        with keras.StatelessScope(list(zip(weights, values, strict=True))):
            new_states = _call(cell, x_t, states[1:], training)
        return where_mask_all(new_states, states, mask_t)

    no_output = tf.zeros((x.shape[1], _output_size(cell)), x.dtype)
    outputs, *sequences = scan_with_vjp(step, None, [no_output, *states], [x], values, mask, ())
    return outputs, [sequence[-1] for sequence in sequences]


def _output_size(cell):
    size = getattr(cell, "output_size", None)
    return keras.tree.flatten(cell.state_size)[0] if size is None else size


def _call(cell, x, states, training):
    """Return the output and the states after a step of a Keras cell, in one list."""
    takes_training = "training" in signature(cell.call).parameters
    output, states = cell(x, states, **({"training": training} if takes_training else {}))
    return [output, *keras.tree.flatten(states)]


_purity: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def is_pure_cell(layer):
    """Whether a cell's step is a function of input, states and weights, row by row.

    It is not if it draws random numbers, changes variables, adds losses, or looks at a batch as a
    whole; nor is it one here if XLA does not compile it. The step is tried once for each cell.
    """
    cell = layer.cell
    if getattr(cell, "recurrent_dropout", 0) or not cell.built:
        return False
    if cell not in _purity:
        try:
            _purity[cell] = probe_cell_purity(cell, layer.get_initial_state(2))
        except Exception:  # whatever a user's code may raise: Keras says what is wrong, if it is
            _purity[cell] = False
    return _purity[cell]


def probe_cell_purity(cell, states):
    """Try the step of a cell on two rows of random numbers, twice, with another second row."""
    rng = np.random.default_rng(0)
    width, variables, is_pure = cell.get_build_config()["input_shape"][-1], cell.variables, False

    def random(shape):
        return tf.constant(rng.normal(size=shape), cell.compute_dtype)

    @tf.function(jit_compile=True, autograph=False)
    def step(x, states, values):
        nonlocal is_pure
        pairs = list(zip(variables, values, strict=True))
        with keras.StatelessScope(pairs, collect_losses=True) as scope, tf.GradientTape() as tape:
            tape.watch(x)
            found = _call(cell, x, states, training=True)
        is_pure = (
            all(scope.get_current_value(variable) is value for variable, value in pairs)
            and not scope.losses
            and [one.shape for one in found[1:]] == [one.shape for one in states]
            and all(one.shape.rank == 2 and one.dtype == x.dtype for one in found)
        )
        return found, tape.gradient(found, x)

    is_number = [variable.dtype == cell.compute_dtype for variable in variables]
    values = [
        random(variable.shape) if known else tf.convert_to_tensor(variable)
        for variable, known in zip(variables, is_number, strict=True)
    ]
    states = [random(state.shape) for state in states]
    first, second, other = (random((1, width)) for _ in range(3))
    pairs = [tf.concat([first, row], 0) for row in (second, other)]
    # Traced by itself: TensorFlow warns of a function that is called anew for each cell.
    graph = step.get_concrete_function(pairs[0], states, values)
    found = [graph(pair, states, values)[0] for pair in pairs]
    return is_pure and all(
        np.allclose(one[0], same[0], 1e-3, 1e-5) for one, same in zip(*found, strict=True)
    )


def where_mask_all(new, old, mask):
    """Return new states where a step counts, and the old ones where it is masked."""
    if mask is None:
        return tuple(new)
    return tuple(tf.where(mask, one, other) for one, other in zip(new, old, strict=True))


def _scan_level(cell, x, states, below, mask, heard):
    """Return all states of one level as sequences; `below` is c of the level below, if any."""
    blocks = dense_matmul(x, tf.convert_to_tensor(cell.kernel)) + cell.bias
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
        return where_mask_all(new_states, states, mask_t)

    return scan_with_vjp(step, U, states, parts, values, mask, heard)


def scan_with_vjp(step, U, states, parts, values, mask, heard):
    """Run a step for all times, h first among its states, and return them as sequences.

    In ``step(a, states, others, values, mask)``, `a` is the first of `parts` at that time plus
    h @ U, of the h that is `heard`, if there is a U; `others` are the others, and `values` the
    weights that it uses. There are gradients of all but the masks.
    """
    n_states, n_parts = len(states), len(parts)
    weights = [] if U is None else [U]
    masks = [] if mask is None else [mask]

    def cut(inputs, *lengths):
        """Yield lists of so many of the inputs, one after the other, and then of the rest."""
        start = 0
        for length in lengths:
            yield list(inputs[start : start + length])
            start += length
        yield list(inputs[start:])

    @tf.custom_gradient
    def run(*arguments):
        U, first, parts, values = cut(arguments, len(weights), n_states, n_parts)
        widths = [state.shape[-1] for state in first]

        def forward(states, inputs):
            (ax, *others), mask_t = inputs[:n_parts], inputs[n_parts:]
            a = ax + recurrent_matmul(states[0], U[0], heard) if U else ax
            states = step(a, states, others, values, *(mask_t or [None]))
            return states, states

        _, sequences = scan(forward, first, [*parts, *masks], widths)

        def gradient(*d_sequences):
            before = [
                previous_states(state, sequence)
                for state, sequence in zip(first, sequences, strict=True)
            ]
            h = before[0] * heard[0] if heard else before[0]
            a = parts[0] + dense_matmul(h, U[0]) if U else parts[0]
            Ut = [tf.transpose(one) for one in U]

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
                if Ut:
                    d_states[0] += recurrent_matmul_vjp_h(d_parts[0], Ut[0], heard)
                d_values = [d + dt for d, dt in zip(d_values, more, strict=True)]
                return (tuple(d_states), tuple(d_values)), d_parts

            zeros = [tf.zeros_like(state) for state in first], [tf.zeros_like(v) for v in values]
            (d_first, d_values), d_parts = scan(
                backward,
                tuple(map(tuple, zeros)),
                [*d_sequences, *before, a, *parts[1:], *masks],
                [part.shape[-1] for part in parts],
                backwards=True,
            )
            dU = [recurrent_matmul_vjp_U(before[0], d_parts[0], heard) for _ in U]
            return *dU, *d_first, *d_parts, *d_values

        return tuple(sequences), gradient

    return run(*weights, *states, *parts, *values)
