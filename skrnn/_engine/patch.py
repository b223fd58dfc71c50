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

import contextlib

import keras
import tensorflow as tf

from .._keras_compat import all_layers
from .kernels import _ACTIVATIONS, _KERNELS, _value
from .matmul import dense_matmul, flatten_batch_time, weight_gradient

# Symbols up to which the gradient of an embedding is a product, and not a sum for each symbol.
_MAX_ONE_HOT_TOKENS = 512


def find_kernel(layer, heard=()):
    """Return the function that computes a recurrent layer in Keras' place, or None.

    It takes x, the mask (in a list that is empty without one), the states and whether it is in
    training, and returns all outputs and the last states. There is one for
    `keras.layers.SimpleRNN`, `LSTM` and `GRU` (not their subclasses) with tanh, sigmoid, relu or
    linear activations, no dropout of their inputs, ``reset_after=True`` and one dtype throughout;
    and what `find_recurrence` has one for.

    Parameters
    ----------
    layer : keras.layers.Layer
    heard : sequence of tensors
        The masks of recurrent dropout.
    """
    from .recurrence import find_recurrence  # which takes its products from here

    make = _KERNELS.get(type(layer))
    if make is None:
        run = find_recurrence(layer, heard)
        return run and (
            lambda x, mask, *states, training: run(
                x, *states, mask=mask[0] if mask else None, training=training
            )
        )
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
    kernel = make(cell, heard)
    return lambda x, mask, *states, training: kernel(x, mask, *states)


def _inner_loop(layer, kernel, heard):
    """Return what stands for ``layer.inner_loop``."""

    def inner_loop(sequences, initial_state, mask, training=False):
        if (
            training and getattr(layer.cell, "recurrent_dropout", 0) and not heard
        ):  # it draws its own masks
            return type(layer).inner_loop(layer, sequences, initial_state, mask, training)
        backwards = layer.go_backwards
        x = tf.transpose(sequences, (1, 0, 2))
        masks = []
        if mask is not None:
            masks = [tf.transpose(tf.cast(mask, tf.bool))[:, :, None]]
        if backwards:
            x, masks = x[::-1], [part[::-1] for part in masks]
        H, states = kernel(x, masks, *initial_state, training=training)
        for part in masks:
            has_output = part
            if not layer.zero_output_for_mask:  # that of the last step that counts, if any did
                has_output = tf.cumsum(tf.cast(part, tf.int32)) > 0
            H = tf.where(has_output, H, tf.zeros_like(H))
        return H[-1], tf.transpose(H, (1, 0, 2)), states

    return inner_loop


def _dense(layer):
    def call(inputs, training=None):
        outputs = dense_matmul(inputs, _value(layer.kernel))
        if layer.use_bias:
            outputs += _value(layer.bias)
        return outputs if layer.activation is None else layer.activation(outputs)

    return call


def _embedding(layer):
    n_symbols = layer.input_dim

    def call(inputs):
        symbols = tf.cast(inputs, tf.int32)

        @tf.custom_gradient
        def rows_of(embeddings):
            def gradient(dy):
                ids = tf.reshape(symbols, (-1,))
                if n_symbols > _MAX_ONE_HOT_TOKENS:
                    return tf.math.unsorted_segment_sum(flatten_batch_time(dy), ids, n_symbols)
                return weight_gradient(tf.one_hot(ids, n_symbols, dtype=dy.dtype), dy)

            return tf.gather(embeddings, symbols), gradient

        return rows_of(_value(layer.embeddings))

    return call


def _dropout(mask):
    def call(inputs, training=None):
        return inputs * mask

    return call


@contextlib.contextmanager
def patched_layers(model, masks=None):
    """Within the context, calls of `model` run kernels where there are any.

    Parameters
    ----------
    model : keras.Model
        Its layers are changed within the context: keep other threads off it. Batch sizes and
        numbers of time steps must be known while its calls are traced.
    masks : dict, default=None
        From `keras.layers.Dropout` to what they multiply their inputs by, and from recurrent
        layers to the list of what their recurrent dropout multiplies the state by.
    """
    changed, masks = [], masks or {}

    def put(layer, name, function):
        vars(layer)[name] = function
        changed.append((layer, name))

    try:
        for layer in all_layers(model):
            heard = masks.get(layer, ()) if isinstance(layer, keras.layers.RNN) else ()
            if (kernel := find_kernel(layer, heard)) is not None:
                put(layer, "inner_loop", _inner_loop(layer, kernel, heard))
            elif type(layer) is keras.layers.Dense and layer.quantization_mode is None:
                put(layer, "call", _dense(layer))
            elif type(layer) is keras.layers.Embedding and layer.quantization_mode is None:
                put(layer, "call", _embedding(layer))
            elif type(layer) is keras.layers.Dropout and layer in masks:
                put(layer, "call", _dropout(masks[layer]))
        yield
    finally:
        for layer, name in changed:
            del vars(layer)[name]
