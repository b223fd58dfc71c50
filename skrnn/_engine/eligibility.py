"""Which Keras models, losses and optimizers the fused engine supports."""

import keras
import tensorflow as tf

from .._keras_compat import all_layers, n_calls
from .patch import find_kernel

# Layers whose output at a time step depends on their input at that step alone.
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


# Layers that treat the samples of a batch independently, in training and in prediction.
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


# Operations that Keras inserts between layers to compute masks.
_MASK_OPERATIONS = {"NotEqual", "Any"}


def supports_fused_engine(model):
    """Return whether the graphs of `_engine.trainer` can train `model` and predict with it.

    They support functional and sequential models of Keras' layers that treat each sample
    independently, with a kernel for every recurrent layer. On a GPU, Keras' own kernels are faster.
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
        (model.inputs[0].dtype == dtype or _reads_tokens(model))
        and all(isinstance(op, keras.layers.Layer) or is_mask_operation(op) for op in operations)
        and all(
            _is_sample_wise(layer, model)
            and (layer.compute_dtype == layer.variable_dtype == dtype or _is_input(layer))
            for layer in all_layers(model)
        )
        # A penalty on outputs would include the rows that pad a short batch.
        and not any(getattr(layer, "activity_regularizer", None) for layer in all_layers(model))
    )


def is_mask_operation(operation):
    """Return whether Keras inserts an operation between layers to compute a mask."""
    return is_keras_builtin(operation) and type(operation).__name__ in _MASK_OPERATIONS


def _is_input(layer):
    return type(layer) is keras.layers.InputLayer


def _reads_tokens(model):
    """Return whether the inputs of a model are integers that are passed to an embedding."""
    layers = [layer for layer in model.layers if not _is_input(layer)]
    return model.inputs[0].dtype == "int32" and type(layers[0]) is keras.layers.Embedding


def _is_sample_wise(layer, model):
    # A layer with dropout samples a mask per call, but the engine passes it one mask per batch.
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
    """Return whether a layer drops inputs or recurrent states during training."""
    if isinstance(layer, keras.layers.RNN):
        return bool(getattr(layer.cell, "recurrent_dropout", 0))
    return type(layer) is keras.layers.Dropout and layer.rate > 0


def is_keras_builtin(instance):
    """Return whether the class of an object is defined in Keras."""
    return type(instance).__module__.partition(".")[0] == "keras"


def is_keras_function(function):
    """Return whether a function is defined in Keras."""
    return getattr(function, "__module__", "").partition(".")[0] == "keras"


def per_sample_loss(loss):
    """Return a loss of Keras as a function of y and y_pred that has a value per sample, or None.

    Custom losses may depend on the batch as a whole, and are supported only by `keras.Model.fit`.
    """
    loss = keras.losses.get(loss)
    if isinstance(loss, keras.losses.Loss):
        is_mean = loss.reduction == "sum_over_batch_size"
        return loss.call if is_keras_builtin(loss) and is_mean else None
    return loss if is_keras_function(loss) else None


def tbptt_loss(loss):
    """Return any loss that is a mean over a batch as a function that has a value per sample.

    Raises
    ------
    ValueError
        If it is not a single loss, or its reduction is not a mean.
    """
    is_single = isinstance(loss, str) or callable(loss)
    loss = keras.losses.get(loss) if is_single else loss
    reduction = getattr(loss, "reduction", "sum_over_batch_size")
    if not is_single or reduction != "sum_over_batch_size":
        raise ValueError(
            f"The network was compiled with loss={loss!r}, which cannot be computed in chunks: "
            "chunk_length needs a single loss with reduction='sum_over_batch_size'. Use such a "
            "loss, or set chunk_length=None."
        )
    return loss.call if isinstance(loss, keras.losses.Loss) else loss


def ignored_class(loss):
    """Return the class of y that a loss ignores, or None."""
    return getattr(keras.losses.get(loss), "ignore_class", None)


def uses_loss_scaling(optimizer):
    """Return whether an optimizer expects a scaled loss and divides the gradients by the scale."""
    is_scaler = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    return is_scaler or optimizer.loss_scale_factor is not None
