"""Comparison of the kernels of recurrent layers with Keras' own loops."""

import contextlib
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from skrnn._engine.patch import patched_layers

TOLERANCES = {"float64": 1e-10, "float32": 1e-4}  # relative, and as a fraction of the largest value


def randomize(*layers, seed=0):
    """Set all trainable variables to random numbers: initial zeros would hide errors."""
    rng = np.random.default_rng(seed)
    for layer in layers:
        for variable in layer.trainable_variables:
            variable.assign(rng.normal(scale=0.5, size=variable.shape))


@contextlib.contextmanager
def without_keras_loops():
    """Within the context, calls of the inner loops of Keras are errors."""

    def fail(*arguments, **options):
        raise AssertionError("Keras computed the layer")

    classes = keras.layers.RNN, keras.layers.SimpleRNN, keras.layers.LSTM, keras.layers.GRU
    with pytest.MonkeyPatch.context() as patch:
        for layer_class in classes:
            patch.setattr(layer_class, "inner_loop", fail)
        yield


def compare_with_keras(call, layers, inputs, *, jit=False, xla=True, dropout_masks=None):
    """Compare the outputs of a call of layers and all gradients of a weighted sum of them.

    `call` takes the inputs and returns a tensor or a list of them. `xla` selects the kernels that
    XLA can compile, and `jit` compiles them. Returns the outputs and the
    gradients with respect to the inputs and the trainable variables, as NumPy arrays.
    """
    dtype = layers[0].compute_dtype
    inputs = [tf.constant(value, dtype) for value in inputs]
    variables = [variable for layer in layers for variable in layer.trainable_variables]

    def outputs_and_gradients():
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = keras.tree.flatten(call(*inputs))
            rng = np.random.default_rng(1)
            loss = sum(tf.reduce_sum(y * rng.normal(size=y.shape)) for y in outputs)
        sources = [*inputs, *(variable.value for variable in variables)]
        zero = tf.UnconnectedGradients.ZERO
        return outputs, tape.gradient(loss, sources, unconnected_gradients=zero)

    def with_kernels():
        with patched_layers(SimpleNamespace(layers=layers), dropout_masks, xla):
            return outputs_and_gradients()

    expected = outputs_and_gradients()
    for layer in layers:
        if hasattr(layer, "cell"):
            layer.cell._recurrent_dropout_mask = None
    with without_keras_loops():
        compiled = tf.function(with_kernels, jit_compile=jit, autograph=False)
        results = compiled() if jit else with_kernels()
    names = [f"output {i}" for i in range(len(expected[0]))]
    names += [f"gradient of input {i}" for i in range(len(inputs))]
    names += [f"gradient of {variable.path}" for variable in variables]
    results, expected = (
        [np.asarray(x) for x in keras.tree.flatten(r)] for r in (results, expected)
    )
    tolerance = TOLERANCES[dtype]
    for name, result, reference in zip(names, results, expected, strict=True):
        scale = max(1, np.abs(reference).max())
        np.testing.assert_allclose(result, reference, tolerance, tolerance * scale, err_msg=name)
    n_outputs = len(names) - len(inputs) - len(variables)
    return results[:n_outputs], results[n_outputs:]


def masks_of_all_kinds():
    """Return masks of sequences that end early, start late, have gaps, or have no time steps."""
    rows = [[1] * 5, [1, 1, 1, 0, 0], [0, 0, 1, 1, 1], [1, 0, 1, 0, 1], [0, 1, 0, 1, 0], [0] * 5]
    return np.array(rows, bool)
