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

# Threads that share a product share its rows or columns, which leaves each number as it is, but a
# long sum too: then the last bits would depend on the number of cores. So no sum is longer than
# this, unless the product is too small to share.
_MAX_SUM_LENGTH = 64


_MIN_SHARED_MULTIPLICATIONS = 2**19


def deterministic_matmul(a, b):
    """Return a @ b for matrices, the same to the last bit whatever the number of threads."""
    (m, k), n = a.shape, b.shape[1]
    if k == 1:
        return a * b
    if k <= _MAX_SUM_LENGTH or m * k * n <= _MIN_SHARED_MULTIPLICATIONS:
        return tf.matmul(a, b)
    parts = -(-k // _MAX_SUM_LENGTH)
    size = -(-k // parts)
    if parts * size > k:
        a = tf.pad(a, ((0, 0), (0, parts * size - k)))
        b = tf.pad(b, ((0, parts * size - k), (0, 0)))
    a = tf.transpose(tf.reshape(a, (m, parts, size)), (1, 0, 2))
    # Added up one by one: XLA's CPU backend of TensorFlow 2.21 makes one operation of a product
    # and a sum over its parts, and its result is wrong where m == n.
    return tf.add_n(tf.unstack(tf.matmul(a, tf.reshape(b, (parts, size, n)))))


def flatten_batch_time(x):
    """Put all axes but the last into one."""
    return tf.reshape(x, (-1, x.shape[-1]))


def weight_gradient(x, dy):
    """Return the gradient with respect to W of ``y = x @ W``."""
    return deterministic_matmul(tf.transpose(flatten_batch_time(x)), flatten_batch_time(dy))


@tf.custom_gradient
def dense_matmul(x, W):
    """Return x @ W for x of any number of dimensions."""

    def gradient(dy):
        dx = tf.reshape(deterministic_matmul(flatten_batch_time(dy), tf.transpose(W)), x.shape)
        return dx, weight_gradient(x, dy)

    return tf.reshape(
        deterministic_matmul(flatten_batch_time(x), W), (*x.shape[:-1], W.shape[1])
    ), gradient
