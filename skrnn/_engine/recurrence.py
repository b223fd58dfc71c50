"""Kernels of `keras.layers.RNN` around the cells of `skrnn.layers` and custom cells.

A step of the cells of `skrnn.layers` is ``step(project(x) + h @ recurrent_weights(), states)``. The
projections are computed for all time steps at once, and so are the gradients of both products. A
subclass of these cells that overrides `call` or `project` is treated as a custom cell, whose whole
step runs in the loop.

Every step must be pure and row-wise, as `tracing` defines it. Keras computes all other layers.
"""

import functools
import weakref
from inspect import signature

import keras
import tensorflow as tf

from .. import layers
from .matmul import dense_matmul
from .scan import scan_with_vjp
from .tracing import trace_row_wise

# The loop for a cell and the variables that its steps read, or None if Keras computes the cell.
_loops: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def find_recurrence(layer, recurrent_dropout_masks=()):
    """Return the kernel of a layer of class `keras.layers.RNN`, or None if it is unsupported.

    The kernel is called as in `patch.find_kernel`. Built cells of a single dtype that do not drop
    inputs are supported. Recurrent dropout is supported for the cells of `skrnn.layers`.
    """
    if type(layer) is not keras.layers.RNN:
        return None
    cell = layer.cell
    if (
        not cell.built
        or layer.stateful
        or getattr(cell, "dropout", 0)
        or layer.compute_dtype != layer.variable_dtype
        or cell.compute_dtype != layer.compute_dtype
        or cell.variable_dtype != layer.compute_dtype
    ):
        return None
    if cell not in _loops:
        _loops[cell] = _select_loop(layer)
    if _loops[cell] is None:
        return None
    loop, variables = _loops[cell]
    return functools.partial(loop, cell, variables, recurrent_dropout_masks)


def _select_loop(layer):
    """Return the value of `_loops` for the cell of a layer."""
    cell, states = layer.cell, layer.get_initial_state(1)
    if any(map(keras.tree.is_nested, states)):
        return None
    states = [tf.TensorSpec((None, *state.shape[1:]), state.dtype) for state in states]
    if _follows_contract(cell):
        loop, variables = scan_layered_cell, []
        states_below: list = []
        for level, before in zip(cell.level_cells(), cell.split_states(states), strict=True):
            variables.append(_trace_level(level, before, states_below))
            states_below = before[1:]
    elif getattr(cell, "recurrent_dropout", 0):
        return None
    else:
        loop, variables = scan_generic_cell, [_trace_call(cell, states)]
    return None if None in variables else (loop, variables)


def _follows_contract(cell):
    """Return whether a cell and its levels inherit `call` and `project` from `skrnn.layers`."""
    base = layers._Cell
    return isinstance(cell, base) and all(
        getattr(getattr(part, name), "__func__", None) is getattr(base, name)
        for part in (cell, *cell.level_cells())
        for name in ("__call__", "call", "project")
    )


def _trace_level(cell, states, states_below):
    """Return the variables that `cell.step` reads, or None if it cannot run in the loop."""

    def step(a, *states):
        return cell.step(a, list(states[:n_states]), *states[n_states:])

    n_states = len(states)
    a = tf.TensorSpec((None, cell.kernel.shape[-1]), cell.compute_dtype)
    if trace_row_wise(lambda: [cell.recurrent_weights()], cell.variables, []) is None:
        return None
    return trace_row_wise(step, cell.variables, [a, *states, *states_below], states)


def _trace_call(cell, states):
    """Return the variables that a call of a cell reads, or None if it cannot run in the loop."""

    def predict_and_train(x, *states):
        return [*_call(cell, x, states, training=False), *_call(cell, x, states, training=True)]

    build_config = cell.get_build_config() or {}
    if "input_shape" not in build_config:
        return None
    x = tf.TensorSpec((None, build_config["input_shape"][-1]), cell.compute_dtype)
    outputs = [tf.TensorSpec((None, _output_size(cell)), cell.compute_dtype), *states]
    return trace_row_wise(predict_and_train, cell.variables, [x, *states], 2 * outputs)


def _call(cell, x, states, training):
    """Return the output and the new states of a Keras cell, in one list."""
    takes_training = "training" in signature(cell.call).parameters
    output, states = cell(x, states, **({"training": training} if takes_training else {}))
    return [output, *keras.tree.flatten(states)]


def _output_size(cell):
    size = getattr(cell, "output_size", None)
    return keras.tree.flatten(cell.state_size)[0] if size is None else size


def scan_layered_cell(
    cell, variables, recurrent_dropout_masks, x, mask, *initial_states, training=False
):
    """Return the outputs and the last states of a cell of `skrnn.layers`."""
    states_below: list = []
    last_states: list = []
    levels = cell.level_cells(), cell.split_states(initial_states), variables
    for level, states, read_by_step in zip(*levels, strict=True):
        ax = dense_matmul(x, tf.convert_to_tensor(level.kernel)) + level.bias
        U = tf.convert_to_tensor(level.recurrent_weights())

        def step(inputs, states, level=level):
            a, *states_below = inputs
            return level.step(a, states, *states_below)

        x, *states_below = scan_with_vjp(
            step, [ax, *states_below], states, read_by_step, mask, U, recurrent_dropout_masks
        )
        last_states += [sequence[-1] for sequence in (x, *states_below)]
    return x, last_states


def scan_generic_cell(
    cell, variables, recurrent_dropout_masks, x, mask, *initial_states, training=False
):
    """Return the outputs and the last states of any other cell."""

    def step(inputs, states):
        return _call(cell, inputs[0], states[1:], training)  # the first state is the output

    no_output = tf.zeros((x.shape[1], _output_size(cell)), x.dtype)
    states = [no_output, *initial_states]
    outputs, *sequences = scan_with_vjp(step, [x], states, variables[0], mask)
    return outputs, [sequence[-1] for sequence in sequences]
