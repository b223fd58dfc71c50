"""Training data as tensors, and the batches that graphs gather from them."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ..windows._array import is_windows


class Rows(NamedTuple):
    """The rows of a batch: tensors whose first axis is that of the samples.

    `weights` is a list of tensors that the losses are multiplied by, one after the other.
    `continues` is a list of at most one tensor of bool: whether a row continues from the state that
    the same row had after the batch before.
    """

    x: Any
    y: Any
    weights: list
    continues: list


class Batch(NamedTuple):
    """A batch. The tensors of a group of batches have an additional first axis.

    The sum of the weighted losses, multiplied by `n_losses`, is added to the loss of the epoch.
    Only the first `n_rows` rows are real, the others are padding. `gradient_scale` is a list of at
    most one tensor, which the gradients of that sum are multiplied by.
    """

    rows: Rows
    n_losses: Any
    n_rows: Any
    gradient_scale: list


class BatchSpec(NamedTuple):
    """The properties of the training data that the graph of an epoch depends on.

    `X` and `y` are tensor specs. `weights_shape` is the shape of the weights of a row, or None.
    Gradients are truncated after `chunk_length` time steps, if it is not None.
    """

    n_timesteps: int | None = None
    window_length: int | None = None
    X: Any = None
    y: Any = None
    weights_shape: tuple | None = None
    chunk_length: int | None = None


class TrainingData:
    """Rows to train on, as tensors that share the memory of the arrays where possible.

    Parameters
    ----------
    X : WindowArray or ndarray of shape (n_samples, n_timesteps, ...)
    y : ndarray of shape (n_samples, ...)
    weights : ndarray of shape (n_samples,) or (n_samples, n_timesteps or 1), or None
    """

    def __init__(self, X, y, weights):
        self.X, self.window_length = gather_source(X)
        self.n_timesteps = X.shape[1]
        # If y is a view of the series, the tensor of the series serves for both.
        self.y_offset = view_offset(y, X.series) if is_windows(X) else None
        self.y = as_tensor(y) if self.y_offset is None else self.X
        self.weights = None if weights is None else as_tensor(weights)
        self.order, self.n_rows = None, 0

    def set_epoch_order(self, order, rng):
        """Set the order of the rows for the next epoch. `rng` is for other random choices."""
        self.order, self.n_rows = order, len(order)

    def steps_per_epoch(self, n_rows, batch_size):
        return -(-n_rows // batch_size)

    def effective_batch_size(self, batch_size):
        """Return the number of rows in a batch, less than twice the number of rows of the data."""
        return min(batch_size, 2 ** max(0, int(np.ceil(np.log2(self.n_rows)))))

    def n_batches(self, size):
        return self.steps_per_epoch(self.n_rows, size)

    def loss_denominator(self, n_batches, size):
        """Return the number of losses in the first batches."""
        return min(self.n_rows, n_batches * size)

    def batch_spec(self):
        X, y = (tf.TensorSpec((None, *part.shape[1:]), part.dtype) for part in (self.X, self.y))
        weights_shape = None if self.weights is None else tuple(self.weights.shape[1:])
        return BatchSpec(self.n_timesteps, self.window_length, X, y, weights_shape)

    def tensors(self, size, dtype):
        """Return the tensors from which the batches of an epoch are gathered."""
        weights = tf.zeros((0,), dtype) if self.weights is None else tf.cast(self.weights, dtype)
        y_offset = tf.constant(self.y_offset or 0)
        return self.X, self.y, y_offset, weights, as_tensor(self.order), tf.constant(self.n_rows)


def loss_weights(mask, weights):
    """Return weights that make the sum of a batch's losses their mean, times `weights`.

    Parameters
    ----------
    mask : tensor of shape (n_batches, size[, n_timesteps])
        1 for each loss to include, else 0.
    weights : tensor of shape (n_batches, size[, 1 or n_timesteps]) or None
    """
    axes = list(range(1, mask.shape.rank))
    scale = mask / tf.maximum(tf.reduce_sum(mask, axes, keepdims=True), 1)
    return scale if weights is None else scale * weights


def batch_indices(order, n_rows, numbers, size):
    """Return the indices of the rows of numbered batches, and which of them are not padding.

    A short last batch is padded with the last row.
    """
    position = numbers[:, None] * size + tf.range(size)
    return tf.gather(order, tf.minimum(position, n_rows - 1)), position < n_rows


def view_offset(y, series):
    """Return the row of a series at which y begins, if y is a view of it, else None."""
    start = y.ctypes.data - series.ctypes.data
    same_layout = y.dtype == series.dtype and y.shape[1:] == series.shape[1:]
    if not (np.may_share_memory(y, series) and same_layout and y.strides == series.strides):
        return None
    row = start // series.strides[0]
    return row if start % series.strides[0] == 0 and row + len(y) <= len(series) else None


def gather_source(X):
    """Return the tensor that windows are gathered from, and their length.

    They are the series of a `WindowArray` and the window length, or an array and None.
    """
    return (as_tensor(X.series), X.window_length) if is_windows(X) else (as_tensor(X), None)


def as_tensor(array):
    """Return a tensor of an array that is not modified later, without a copy if possible."""
    return tf.raw_ops.Identity(input=np.ascontiguousarray(array))


def sample_shape(model, n_timesteps):
    """Return the shape of a sample of a model's inputs."""
    return (n_timesteps, *model.inputs[0].shape[2:])
