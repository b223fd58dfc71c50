"""Checks of losses, before a network is trained with them."""

import functools
import re

import keras
import numpy as np
import pytest
from keras import ops

from skrnn._engine.eligibility import check_loss

Y = np.random.default_rng(0).normal(size=(5, 2)).astype("float32")
Y_OF_STEPS = np.random.default_rng(0).normal(size=(5, 4, 1)).astype("float32")
WEIGHTS = np.ones(5)


def squared_error(y_true, y_pred):
    return ops.mean((y_true - y_pred) ** 2, axis=-1)


def batch_error(y_true, y_pred):
    return ops.mean((y_true - y_pred) ** 2)


def error_of_outputs(y_true, y_pred):
    return ops.mean((y_true - y_pred) ** 2, axis=0)


def failing_error(y_true, y_pred):
    return ops.matmul(y_true, y_pred)


class SquaredError(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return squared_error(y_true, y_pred)


class BatchError(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return batch_error(y_true, y_pred)


class WeightedBatchError(keras.losses.Loss):
    def __call__(self, y_true, y_pred, sample_weight=None):
        return batch_error(y_true, y_pred)


class OwnCrossentropy(keras.losses.SparseCategoricalCrossentropy):
    pass


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("y", [Y, Y[:1], Y_OF_STEPS], ids=["rows", "row", "steps"])
@pytest.mark.parametrize(
    "loss",
    [
        "mse",
        "mean_absolute_error",
        "BinaryCrossentropy",
        keras.losses.Huber(2.0),
        keras.losses.log_cosh,
        functools.partial(keras.losses.huber, delta=0.5),
        squared_error,
        SquaredError(),
        WeightedBatchError(),
    ],
)
def test_losses_of_numbers_pass(loss, y, weights):
    check_loss(loss, y, None if weights is None else weights[: len(y)])


@pytest.mark.parametrize("loss", [batch_error, BatchError()])
def test_one_number_for_a_batch_passes_without_weights_alone(loss):
    check_loss(loss, Y)
    message = r"returns values of shape \(\) for .* sample_weight needs a value for each row, .*3,"
    with pytest.raises(ValueError, match=rf"{re.escape(repr(loss))} {message}"):
        check_loss(loss, Y, WEIGHTS)


def test_weights_of_time_steps_need_a_value_for_each():
    check_loss(squared_error, Y_OF_STEPS, np.ones((5, 4)))
    check_loss(lambda a, b: ops.mean((a - b) ** 2, (1, 2)), Y_OF_STEPS, np.ones((5, 1)))
    with pytest.raises(ValueError, match=r"a value for each time step, of shape \(2, 4\)"):
        check_loss(lambda a, b: ops.mean((a - b) ** 2, (1, 2)), Y_OF_STEPS, np.ones((5, 4)))


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda a, b: 1.0, r"returned 1\.0, which is not a tensor"),
        (lambda a, b: None, "returned None, which is not a tensor"),
        (lambda a, b: float(batch_error(a, b)), "which is not a tensor"),
        (lambda a, b: np.mean(a - b), "which is not a tensor"),
        (lambda a, b: ops.mean(a, -1), r"has no gradient with respect to y_pred.*shape \(3,\)"),
        (lambda a, b: ops.argmax(b, -1), "has no gradient with respect to y_pred.*int32"),
        (error_of_outputs, r"error_of_outputs.* returns values of shape \(2,\) for .* \(3, 2\)"),
        (
            failing_error,
            "failing_error.* raised InvalidArgumentError when it was called with y_true",
        ),
        (lambda a: a, "raised TypeError when it was called with y_true and y_pred of shape"),
    ],
)
def test_losses_that_cannot_train_raise(loss, message):
    with pytest.raises(ValueError, match=f"(?s)loss=<function .*{message}"):
        check_loss(loss, Y)


def test_errors_of_a_loss_are_the_cause():
    with pytest.raises(ValueError, match="raised TypeError") as info:
        check_loss(lambda a: a, Y)
    assert isinstance(info.value.__cause__, TypeError)


@pytest.mark.parametrize(
    "loss",
    [
        "sparse_categorical_crossentropy",
        "SparseCategoricalCrossentropy",
        "categorical_crossentropy",
        keras.losses.categorical_crossentropy,
        keras.losses.CategoricalCrossentropy(from_logits=True),
        keras.losses.CategoricalFocalCrossentropy(),
        "categorical_hinge",
        keras.losses.CTC(),
        OwnCrossentropy(),
    ],
)
def test_losses_of_classes_raise_for_numbers(loss):
    with pytest.raises(ValueError, match=r"is a loss of classes, .* Use RNNClassifier"):
        check_loss(loss, Y)
    check_loss(loss, np.array([0, 1, 1]))


@pytest.mark.parametrize("loss", [None, ["mse"], {"out": batch_error}])
def test_structures_of_losses_are_not_checked(loss):
    check_loss(loss, Y, WEIGHTS)
