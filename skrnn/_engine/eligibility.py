"""Which Keras models, losses and optimizers the fused engine supports."""

import keras
import tensorflow as tf

from .._keras_compat import all_layers, n_calls
from .patch import find_kernel

# Layers that compute each step's outputs from its inputs alone, in training as in prediction.
TIMESTEP_WISE = {
    keras.layers.InputLayer,
    keras.layers.Masking,
    keras.layers.Dense,
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.ELU,
    keras.layers.Softmax,
    keras.layers.Add,
    keras.layers.Subtract,
    keras.layers.Multiply,
    keras.layers.Average,
    keras.layers.Maximum,
    keras.layers.Minimum,
    keras.layers.Concatenate,
    keras.layers.LayerNormalization,
    keras.layers.Rescaling,
}


# Layers that treat each row of a batch by itself, in training as in prediction.
SAMPLE_WISE_LAYERS = TIMESTEP_WISE | {
    keras.layers.LSTM,
    keras.layers.GRU,
    keras.layers.SimpleRNN,
    keras.layers.Bidirectional,
    keras.layers.Embedding,
    keras.layers.PReLU,
    keras.layers.Flatten,
    keras.layers.Reshape,
    keras.layers.Permute,
    keras.layers.RepeatVector,
    keras.layers.Cropping1D,
    keras.layers.ZeroPadding1D,
}


# What Keras puts between layers to tell from their inputs which steps are masked.
_MASK_OPERATIONS = {"NotEqual", "Any"}


def supports_fused_engine(model):
    """Whether the graphs of `_engine.trainer` can train `model` and predict with it.

    They can if it is a functional or sequential model whose layers are Keras' own, treat each row
    by itself and have kernels where they are recurrent, and if there is no GPU, whose own kernels
    are faster.
    """
    if (
        not is_keras_builtin(model)
        or len(model.inputs) != 1
        or len(model.outputs) != 1
        or None in model.inputs[0].shape[2:]
        or model.run_eagerly
        or tf.config.functions_run_eagerly()
        or tf.config.list_logical_devices("GPU")
    ):
        return False
    operations = getattr(model, "operations", model.layers)
    dtype = model.outputs[0].dtype
    return (
        (model.inputs[0].dtype == dtype or _takes_tokens(model))
        and all(isinstance(one, keras.layers.Layer) or is_mask_operation(one) for one in operations)
        and all(
            _is_sample_wise(layer, model)
            and (layer.compute_dtype == layer.variable_dtype == dtype or _is_input(layer))
            for layer in all_layers(model)
        )
        # A penalty on outputs would count the rows that a short batch is filled up with.
        and not any(getattr(layer, "activity_regularizer", None) for layer in all_layers(model))
    )


def is_mask_operation(operation):
    """Whether an operation between layers is one that Keras has put there for masks."""
    return is_keras_builtin(operation) and type(operation).__name__ in _MASK_OPERATIONS


def _is_input(layer):
    return type(layer) is keras.layers.InputLayer


def _takes_tokens(model):
    """Whether a model's inputs are integers, which go into an embedding."""
    readers = [layer for layer in model.layers if not _is_input(layer)]
    return model.inputs[0].dtype == "int32" and type(readers[0]) is keras.layers.Embedding


def _is_sample_wise(layer, model):
    # What drops something draws a mask a call, and is given one mask a batch.
    is_called_once = n_calls(model, layer) <= 1
    if type(layer) is keras.layers.Dropout:
        return is_called_once and layer.noise_shape is None
    if isinstance(layer, keras.layers.RNN):
        return find_kernel(layer) is not None and (is_called_once or not has_active_dropout(layer))
    if isinstance(layer, keras.layers.Bidirectional) and has_active_dropout(layer.forward_layer):
        return is_called_once
    activation = getattr(layer, "activation", None)
    return (
        type(layer) in SAMPLE_WISE_LAYERS
        and getattr(layer, "axis", -1) in (-1, [-1])
        and (activation is None or is_keras_function(activation))
    )


def has_active_dropout(layer):
    """Whether a layer drops something in training."""
    if isinstance(layer, keras.layers.RNN):
        return bool(getattr(layer.cell, "recurrent_dropout", 0))
    return type(layer) is keras.layers.Dropout and layer.rate > 0


def is_keras_builtin(thing):
    """Whether the class of an object is one of Keras' own."""
    return type(thing).__module__.partition(".")[0] == "keras"


def per_sample_loss(loss):
    """Return a loss of Keras' own as a function from y and y_pred to a loss for each row, or None.

    Others may look at a batch as a whole, which is not what they would see.
    """
    loss = keras.losses.get(loss)
    if isinstance(loss, keras.losses.Loss):
        by_row = is_keras_builtin(loss) and loss.reduction == "sum_over_batch_size"
        return loss.call if by_row else None
    return loss if is_keras_function(loss) else None


def ignored_class(loss):
    """Return the class of y that a loss leaves out, and does not divide by, or None."""
    return getattr(keras.losses.get(loss), "ignore_class", None)


def is_keras_function(function):
    return getattr(function, "__module__", "").partition(".")[0] == "keras"


def uses_loss_scaling(optimizer):
    """Whether an optimizer wants its loss scaled, and divides the gradients by as much."""
    is_scaler = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    return is_scaler or optimizer.loss_scale_factor is not None
