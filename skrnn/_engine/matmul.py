"""Matrix products with bit-identical results for any number of threads, and their gradients.

``y = x @ W`` has the gradients dx and dW, given the gradient dy.
"""

import tensorflow as tf

# Threads share a product by its rows and columns, which changes no bit, but also by the terms of
# long sums, which does. Products with longer sums than this are split into a sum of products ...
_MAX_SUM_LENGTH = 64

# ... unless they have fewer multiplications than this: TensorFlow computes them on one thread.
_MIN_SHARED_MULTIPLICATIONS = 2**19


def deterministic_matmul(a, b):
    """Return a @ b for matrices, with bit-identical results for any number of threads."""
    (m, k), n = a.shape, b.shape[1]
    if k == 1:
        return a * b
    if k <= _MAX_SUM_LENGTH or m * k * n <= _MIN_SHARED_MULTIPLICATIONS:
        return tf.matmul(a, b)
    n_blocks = -(-k // _MAX_SUM_LENGTH)
    length = -(-k // n_blocks)
    if n_blocks * length > k:
        a = tf.pad(a, ((0, 0), (0, n_blocks * length - k)))
        b = tf.pad(b, ((0, n_blocks * length - k), (0, 0)))
    a = tf.transpose(tf.reshape(a, (m, n_blocks, length)), (1, 0, 2))
    # Not tf.reduce_sum: XLA's CPU backend in TensorFlow 2.21 fuses it with the batched product, and
    # the result is wrong if m == n.
    return tf.add_n(tf.unstack(tf.matmul(a, tf.reshape(b, (n_blocks, length, n)))))


def flatten_batch_time(x):
    """Reshape x to a matrix: all axes but the last are flattened into one."""
    return tf.reshape(x, (-1, x.shape[-1]))


def weight_gradient(x, dy):
    """Return dW."""
    return deterministic_matmul(tf.transpose(flatten_batch_time(x)), flatten_batch_time(dy))


@tf.custom_gradient
def dense_matmul(x, W):
    """Return x @ W for x of any number of dimensions."""

    def gradient(dy):
        dx = tf.reshape(deterministic_matmul(flatten_batch_time(dy), tf.transpose(W)), x.shape)
        return dx, weight_gradient(x, dy)

    y = deterministic_matmul(flatten_batch_time(x), W)
    return tf.reshape(y, (*x.shape[:-1], W.shape[1])), gradient


# The recurrent product. `dropout_masks` are those of recurrent dropout: an empty sequence, or one
# tensor of shape (batch_size, units) for the whole product, or one tensor for each gate.


def recurrent_matmul(h, U, dropout_masks):
    """Return h @ U, where h is multiplied by the dropout mask of each gate."""
    if not dropout_masks:
        return deterministic_matmul(h, U)
    gates = zip(dropout_masks, tf.split(U, len(dropout_masks), axis=1), strict=True)
    return tf.concat([deterministic_matmul(h * mask, U_k) for mask, U_k in gates], axis=1)


def recurrent_matmul_vjp_h(da, U_transposed, dropout_masks):
    """Return dh for ``a = recurrent_matmul(h, U, dropout_masks)``."""
    if not dropout_masks:
        return deterministic_matmul(da, U_transposed)
    n = len(dropout_masks)
    da, U_transposed = tf.split(da, n, axis=1), tf.split(U_transposed, n, axis=0)
    gates = zip(dropout_masks, da, U_transposed, strict=True)
    return tf.add_n([deterministic_matmul(da_k, Ut_k) * mask for mask, da_k, Ut_k in gates])


def recurrent_matmul_vjp_U(H, dA, dropout_masks):
    """Return dU for the products of all time steps, H and dA being the stacked h and da."""
    if not dropout_masks:
        return weight_gradient(H, dA)
    gates = zip(dropout_masks, tf.split(dA, len(dropout_masks), axis=2), strict=True)
    return tf.concat([weight_gradient(H * mask, dA_k) for mask, dA_k in gates], axis=1)
