"""Which functions of rows are recognized as pure and row-wise."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from skrnn._engine.tracing import trace_row_wise

W = keras.Variable(np.ones((4, 4), "float32"))
outside = keras.Variable(np.ones((4, 4), "float32"))
dense, normalization = keras.layers.Dense(4, "gelu"), keras.layers.LayerNormalization()
batch_normalization, dropout = keras.layers.BatchNormalization(), keras.layers.Dropout(0.5, seed=0)
for layer in (dense, normalization, batch_normalization, dropout):
    layer.build((None, 4))
LAYERS = [dense, normalization, batch_normalization, dropout]
VARIABLES = [W, *(variable for layer in LAYERS for variable in layer.variables)]
ROWS = [tf.TensorSpec((None, 4), "float32")]


def trace(function):
    return trace_row_wise(lambda x: [function(x)], VARIABLES, ROWS)


ROW_WISE = {
    "layers": lambda x: normalization(dense(x)),
    "product with weights": lambda x: ops.matmul(x, W),
    "activations": lambda x: ops.silu(ops.gelu(ops.selu(ops.leaky_relu(ops.hard_sigmoid(x))))),
    "softmax": lambda x: ops.softmax(x) + ops.log_softmax(x),
    "normalized rows": lambda x: (x - ops.mean(x, -1, keepdims=True)) / ops.std(x, -1)[:, None],
    "slices of columns": lambda x: ops.concatenate([x[:, :2], x[..., 2:], x[:, ::-1]], -1),
    "split": lambda x: ops.split(x, 2, axis=-1)[0] * ops.split(x, [2], axis=-1)[1],
    "stack": lambda x: ops.stack(ops.unstack(x, axis=1), 1),
    "reshape": lambda x: ops.transpose(ops.reshape(x, (-1, 2, 2)), (0, 2, 1)),
    "outer product": lambda x: x[:, :, None] * x[:, None, :],
    "where": lambda x: ops.where(x > 0, ops.clip(x, -1, 1), ops.zeros_like(x)),
}


@pytest.mark.parametrize("name", ROW_WISE)
def test_row_wise_functions(name):
    assert trace(ROW_WISE[name]) is not None


OTHERS = {
    "centered batch": lambda x: x - ops.mean(x, axis=0),
    "centered batch with axes": lambda x: x - ops.mean(x, axis=0, keepdims=True),
    "mean of all": lambda x: x - ops.mean(x),
    "batch normalization": lambda x: batch_normalization(x, training=True),
    "cumulative sum": lambda x: ops.cumsum(x, axis=0),
    "reversed rows": lambda x: x[::-1],
    "reversed rows and an ellipsis": lambda x: x[:, None][..., ::-1, :, :],
    "without the first row": lambda x: x[1:],
    "first row": lambda x: x - x[0],
    "first row as a batch": lambda x: x - x[:1],
    "rolled rows": lambda x: ops.roll(x, 1, axis=0),
    "sorted rows": lambda x: ops.sort(x, axis=0),
    "softmax of rows": lambda x: ops.softmax(x, axis=0),
    "softmax of a column": lambda x: ops.softmax(x[:, 0])[:, None],
    "square product": lambda x: ops.matmul(x, x),
    "product of rows": lambda x: ops.matmul(ops.matmul(x, ops.transpose(x)), x),
    "product of columns": lambda x: ops.matmul(x, ops.matmul(ops.transpose(x), x)),
    "halves": lambda x: ops.concatenate(ops.split(x, 2, axis=0)[::-1], axis=0),
    "constant rows": lambda x: ops.concatenate([W, x], axis=0),
    "pairs of rows": lambda x: ops.reshape(ops.softmax(ops.reshape(x, (-1, 8))), (-1, 4)),
    "transposed reshape": lambda x: ops.reshape(ops.transpose(x), (-1, 4)),
    "outer broadcast": lambda x: x[:, :, None] + x,
    "axis from weights": lambda x: tf.reduce_mean(x, tf.cast(W[0, 0] - 1, tf.int32), True),
    "size of the batch": lambda x: x / tf.cast(tf.shape(x)[0], "float32"),
    "condition": lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: x, lambda: -x),
    "random numbers of TensorFlow": lambda x: x + tf.random.normal((1, 4)),
    "random numbers of Keras": lambda x: x + keras.random.normal((1, 4)),
    "dropout": lambda x: dropout(x, training=True),
    "Python": lambda x: tf.ensure_shape(tf.numpy_function(np.abs, [x], x.dtype), x.shape),
    "print": lambda x: (tf.print(x), x)[1],
    "updated variable": lambda x: (W.assign(2 * W), x)[1],
    "unknown variable": lambda x: x * outside,
    "loss": lambda x: (batch_normalization.add_loss(ops.mean(W)), x)[1],
    "error": lambda x: x + ops.ones((3, 3)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_functions(name):
    assert trace(OTHERS[name]) is None


def test_variables_that_are_read():
    assert trace(lambda x: dense(x) + W[0]) == [W, *dense.variables]
    assert trace(lambda x: 2 * x) == []
    assert trace_row_wise(lambda: [W], VARIABLES, []) == [W]


@pytest.mark.parametrize(
    "spec", [((None, 8), "float32"), ((None, 4), "float64"), ((4,), "float32")]
)
def test_unexpected_outputs(spec):
    assert trace_row_wise(lambda x: [x], [], ROWS, ROWS) == []
    assert trace_row_wise(lambda x: [x], [], ROWS, [tf.TensorSpec(*spec)]) is None


def test_repeated_traces_cause_no_warning(caplog):
    for factor in range(8):
        assert trace(lambda x, factor=factor: factor * x) == []
    assert "retracing" not in caplog.text
