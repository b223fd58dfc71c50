"""Replacement of the computations of Keras' layers, while a graph is traced.

`patched_layers` replaces the inner loop of recurrent layers with kernels, and the calls of Dense,
Embedding and Dropout layers with functions whose results are bit-identical for any number of
threads. The model and its variables remain the same. Layers without a replacement compute as in
Keras.
"""

import contextlib

import keras
import tensorflow as tf

from .._keras_compat import all_layers
from .kernels import find_builtin_kernel, lstm_block_kernel
from .matmul import dense_matmul, flatten_batch_time, weight_gradient
from .recurrence import find_recurrence

# The gradient of an embedding of more tokens is a sum for each token instead of a product.
_MAX_ONE_HOT_TOKENS = 512


def find_kernel(layer, recurrent_dropout_masks=()):
    """Return the kernel of a recurrent layer, or None if it has none.

    Parameters
    ----------
    layer : keras.layers.Layer
    recurrent_dropout_masks : sequence of tensors
        Masks of shape (batch_size, units) that h is multiplied by: none, one, or one for each gate.

    Returns
    -------
    kernel : callable or None
        ``kernel(x, mask, *states, training=False) -> outputs, last_states``, with sequences and
        `mask` as in `scan`. All shapes must be known.
    """
    return find_builtin_kernel(layer, recurrent_dropout_masks) or find_recurrence(
        layer, recurrent_dropout_masks
    )


def _inner_loop(layer, kernel, recurrent_dropout_masks):
    """Return a function like ``layer.inner_loop``."""

    def inner_loop(sequences, initial_state, mask, training=False):
        if training and getattr(layer.cell, "recurrent_dropout", 0) and not recurrent_dropout_masks:
            return type(layer).inner_loop(layer, sequences, initial_state, mask, training)
        x = tf.transpose(sequences, (1, 0, 2))
        masks = [] if mask is None else [tf.transpose(tf.cast(mask, tf.bool))[:, :, None]]
        if layer.go_backwards:
            x, masks = x[::-1], [mask[::-1] for mask in masks]
        H, states = kernel(x, masks, *initial_state, training=training)
        for mask in masks:
            has_output = mask
            if not layer.zero_output_for_mask:  # from the first unmasked time step on
                has_output = tf.cumsum(tf.cast(mask, tf.int32)) > 0
            H = tf.where(has_output, H, tf.zeros_like(H))
        return H[-1], tf.transpose(H, (1, 0, 2)), states

    return inner_loop


def _dense(layer):
    def call(inputs, training=None):
        outputs = dense_matmul(inputs, tf.convert_to_tensor(layer.kernel))
        if layer.use_bias:
            outputs += tf.convert_to_tensor(layer.bias)
        return outputs if layer.activation is None else layer.activation(outputs)

    return call


def _embedding(layer):
    n_tokens = layer.input_dim

    def call(inputs):
        tokens = tf.cast(inputs, tf.int32)

        @tf.custom_gradient
        def gather(embeddings):
            def gradient(dy):
                ids = tf.reshape(tokens, (-1,))
                if n_tokens > _MAX_ONE_HOT_TOKENS:
                    return tf.math.unsorted_segment_sum(flatten_batch_time(dy), ids, n_tokens)
                return weight_gradient(tf.one_hot(ids, n_tokens, dtype=dy.dtype), dy)

            return tf.gather(embeddings, tokens), gradient

        return gather(tf.convert_to_tensor(layer.embeddings))

    return call


def _dropout(mask):
    def call(inputs, training=None):
        return inputs * mask

    return call


@contextlib.contextmanager
def patched(layer, name, value):
    """Set an attribute of a layer within the context."""
    attributes = vars(layer)
    before = {name: attributes[name]} if name in attributes else {}
    attributes[name] = value
    try:
        yield
    finally:
        del attributes[name]
        attributes.update(before)


@contextlib.contextmanager
def patched_layers(model, dropout_masks=None, xla=True):
    """Return a context in which calls of a model use the kernels of its layers.

    Parameters
    ----------
    model : keras.Model
        Its layers are modified within the context: no other thread may use it. Batch sizes and
        numbers of time steps must be known when its calls are traced.
    dropout_masks : dict, default=None
        The mask of each `keras.layers.Dropout`, and the list of the masks of each recurrent layer
        with recurrent dropout. Layers without masks compute as in Keras.
    xla : bool, default=True
        Whether the calls are compiled by XLA. Otherwise all recurrent layers are computed by
        `lstm_block_kernel`, for at most `eligibility.max_rows_without_xla` rows.
    """
    dropout_masks = dropout_masks or {}
    with contextlib.ExitStack() as patches:
        for layer in all_layers(model):
            masks = dropout_masks.get(layer, ())
            if isinstance(layer, keras.layers.RNN):
                kernel = find_kernel(layer, masks) if xla else lstm_block_kernel(layer)
                if kernel is not None:
                    patches.enter_context(
                        patched(layer, "inner_loop", _inner_loop(layer, kernel, masks))
                    )
            elif type(layer) is keras.layers.Dense and layer.quantization_mode is None:
                patches.enter_context(patched(layer, "call", _dense(layer)))
            elif type(layer) is keras.layers.Embedding and layer.quantization_mode is None:
                patches.enter_context(patched(layer, "call", _embedding(layer)))
            elif type(layer) is keras.layers.Dropout and layer in dropout_masks:
                patches.enter_context(patched(layer, "call", _dropout(masks)))
        yield
