"""Training data as tensors, and the arithmetic of batches."""

import numpy as np
import tensorflow as tf

from skrnn import sliding_windows
from skrnn._engine.batches import TrainingData, batch_indices, loss_weights, view_offset


def test_a_view_is_found_in_its_series():
    series = np.arange(20.0).reshape(10, 2)
    assert view_offset(series[3:], series) == 3
    assert view_offset(series, series) == 0
    assert view_offset(series[3:].copy(), series) is None
    assert view_offset(series[::2], series) is None
    assert view_offset(series[:, :1], series) is None
    assert view_offset(series[3:].view(np.int64), series) is None


def test_a_target_that_is_a_view_of_the_series_is_not_copied():
    series = np.random.default_rng(0).normal(size=(20, 1)).astype("float32")
    X = sliding_windows(series, 4)
    data = TrainingData(X, X.target, None)
    assert data.y is data.X
    data.set_epoch_order(np.arange(4, 20, dtype=np.int32), None)
    tensors = data.tensors(8, "float32")
    np.testing.assert_array_equal(tensors[1][tensors[2] :][: len(X)], X.target)
    assert TrainingData(X, X.target.copy(), None).y_offset is None


def test_a_short_last_batch_is_padded():
    order = tf.constant([4, 2, 0, 1, 3])
    index, is_real = batch_indices(order, 5, tf.range(2), 4)
    np.testing.assert_array_equal(index, [[4, 2, 0, 1], [3, 3, 3, 3]])
    np.testing.assert_array_equal(is_real, [[1, 1, 1, 1], [1, 0, 0, 0]])


def test_batches_are_not_much_larger_than_the_data():
    X = np.zeros((40, 3, 1), "float32")
    data = TrainingData(X, X[:, 0], None)
    for n_rows, batch_size, expected in [(3, 32, 4), (5, 4, 4), (33, 500, 64), (1, 32, 1)]:
        data.set_epoch_order(np.arange(n_rows, dtype=np.int32), None)
        assert data.effective_batch_size(batch_size) == expected


def test_the_weighted_sum_of_losses_is_their_weighted_mean():
    rng = np.random.default_rng(0)
    losses, weights = rng.random((2, 3, 4)), rng.random((2, 3, 4))
    mask = (rng.random((2, 3, 4)) > 0.3).astype(float)
    scaled = np.asarray(loss_weights(tf.constant(mask), tf.constant(weights)))
    means = (losses * weights * mask).sum(axis=(1, 2)) / mask.sum(axis=(1, 2))
    np.testing.assert_allclose((losses * scaled).sum(axis=(1, 2)), means)
    nothing = loss_weights(tf.zeros((1, 3)), None)
    np.testing.assert_array_equal(nothing, np.zeros((1, 3)))
