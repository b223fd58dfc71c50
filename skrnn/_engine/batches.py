"""Training data as tensors, and the batches gathered from them."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ..windows._array import is_windows


def loss_weights(counted, weights):
    """Return what to multiply losses by, so that each batch's add up to their weighted mean."""
    axes = list(range(1, counted.shape.rank))
    scale = counted / tf.maximum(tf.reduce_sum(counted, axes, keepdims=True), 1)
    return scale if weights is None else scale * weights


def batch_indices(order, n_rows, numbers, size, dtype):
    """Return the rows of numbered batches, which of them count, and how many.

    A last batch that is short is filled up with rows that do not count.
    """
    place = numbers[:, None] * size + tf.range(size)
    index = tf.gather(order, tf.minimum(place, n_rows - 1))
    counts = tf.cast(tf.clip_by_value(n_rows - place[:, 0], 1, size), dtype)
    return index, place < n_rows, counts


class BatchSpec(NamedTuple):
    """What an epoch's graph depends on, the size of its batches aside.

    `X` and `y` are the specs of the tensors, `weights_shape` is the shape of the weights of a row,
    None without weights, and `chunk_length` is that of `_engine.tbptt`.
    """

    n_timesteps: int
    window_length: int | None
    X: Any
    y: Any
    weights_shape: tuple | None
    chunk_length: int | None = None


class Data:
    """Rows to train on, as tensors that share the arrays' memory where they can.

    Parameters
    ----------
    X : WindowArray or ndarray of shape (n_samples, n_timesteps, ...)
    y : ndarray of shape (n_samples, ...)
    weights : ndarray of shape (n_samples,) or (n_samples, n_timesteps or 1), or None
    """

    def __init__(self, X, y, weights):
        self.X, self.window_length = gather_source(X)
        self.n_timesteps = X.shape[1]
        # Where y is the series itself, it is in memory already.
        self.first_y = view_offset(y, X.series) if is_windows(X) else None
        self.y = as_tensor(y) if self.first_y is None else self.X
        self.weights = None if weights is None else as_tensor(weights)
        self.order, self.n_rows = None, 0

    def put_in_order(self, order, rng):
        """Take the order of the rows for the next epoch; `rng` is for all else to be drawn."""
        self.order, self.n_rows = order, len(order)

    def steps_an_epoch(self, n_rows, batch_size):
        return -(-n_rows // batch_size)

    def rows_at_once(self, batch_size):
        return min(batch_size, 2 ** max(0, int(np.ceil(np.log2(self.n_rows)))))

    def n_batches(self, size):
        return -(-self.n_rows // size)

    def n_counted(self, n_batches, size):
        """Return how many losses there are in the first batches."""
        return min(self.n_rows, n_batches * size)

    def kind(self):
        """Return what an epoch's graph depends on."""
        X, y = (tf.TensorSpec((None, *part.shape[1:]), part.dtype) for part in (self.X, self.y))
        weights_shape = None if self.weights is None else tuple(self.weights.shape[1:])
        return BatchSpec(self.n_timesteps, self.window_length, X, y, weights_shape)

    def arguments(self, size, dtype):
        weights = tf.zeros((0,), dtype) if self.weights is None else self.weights
        first_y = tf.constant(self.first_y or 0)
        return self.X, self.y, first_y, weights, as_tensor(self.order), tf.constant(self.n_rows)


def view_offset(y, series):
    """Return from which row of a series on y is a view of it, or None."""
    start = y.ctypes.data - series.ctypes.data
    same_kind = y.dtype == series.dtype and y.shape[1:] == series.shape[1:]
    if not (np.may_share_memory(y, series) and same_kind and y.strides == series.strides):
        return None
    row = start // series.strides[0]
    return row if start % series.strides[0] == 0 and row + len(y) <= len(series) else None


def gather_source(X):
    """Return what windows are gathered from as a tensor: series and length, or windows and None."""
    return (as_tensor(X.series), X.window_length) if is_windows(X) else (as_tensor(X), None)


def as_tensor(array):
    """Return a tensor of an array that nobody writes to any more, without a copy if possible."""
    return tf.raw_ops.Identity(input=np.ascontiguousarray(array))


def sample_shape(model, n_timesteps):
    """Return the shape of one row of a batch."""
    return (n_timesteps, *model.inputs[0].shape[2:])
