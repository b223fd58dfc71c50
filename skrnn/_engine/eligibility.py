"""Which Keras models, losses and optimizers the fused engine supports."""

import itertools

import keras
import numpy as np
import tensorflow as tf

from .._checks import raises_as_value_error
from .._keras_compat import all_layers, n_calls
from .kernels import max_block_rows
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
    keras.layers.UnitNormalization,
    keras.layers.GlobalAveragePooling1D,
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


def max_rows_without_xla(model):
    """Return the maximum number of rows for which no layer of a model needs XLA, 0 if one does.

    Layers that need XLA are recurrent layers without a `lstm_block_kernel`, which takes no masks.
    """
    operations = [*all_layers(model), *getattr(model, "operations", [])]
    if any(map(_makes_masks, operations)):
        return 0
    recurrent = [layer for layer in all_layers(model) if isinstance(layer, keras.layers.RNN)]
    return min(map(max_block_rows, recurrent), default=0)


def _makes_masks(operation):
    is_masking = isinstance(operation, keras.layers.Masking)
    return is_masking or getattr(operation, "mask_zero", False) or is_mask_operation(operation)


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
    has_any_axis = type(layer) is keras.layers.UnitNormalization
    return (
        type(layer) in SAMPLE_WISE_LAYERS
        and (has_any_axis or getattr(layer, "axis", -1) in (-1, [-1]))
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


# The losses of Keras whose y consists of classes, as numbers or as one column for each.
_CLASS_LOSSES = (
    keras.losses.CategoricalCrossentropy,
    keras.losses.CategoricalFocalCrossentropy,
    keras.losses.CategoricalHinge,
    keras.losses.Circle,
    keras.losses.CTC,
    keras.losses.SparseCategoricalCrossentropy,
)


_CLASS_LOSS_FUNCTIONS = (
    keras.losses.categorical_crossentropy,
    keras.losses.categorical_focal_crossentropy,
    keras.losses.categorical_hinge,
    keras.losses.circle,
    keras.losses.ctc,
    keras.losses.sparse_categorical_crossentropy,
)


def check_loss(loss, y, sample_weight=None):
    """Raise a ValueError if a network cannot be trained on numbers with a loss.

    A custom loss is evaluated on a few rows, with predictions of the shape of y. Integer y,
    which are classes, and a structure of several losses are not checked.

    Parameters
    ----------
    loss : str, keras.losses.Loss, callable, or a list or dict of them
    y : ndarray of shape (n_samples, n_outputs) or (n_samples, n_timesteps, n_outputs)
    sample_weight : ndarray of shape (n_samples,), (n_samples, 1) or (n_samples, n_timesteps)
        None means no weights.

    Raises
    ------
    ValueError
        If the loss is one of classes, raises an error, has no gradient, has values of the wrong
        shape, or has one value for a batch although there are sample weights.
    """
    is_single = isinstance(loss, str) or callable(loss)
    if not is_single or y.dtype.kind != "f":
        return
    name, loss = loss, keras.losses.get(loss)
    if isinstance(loss, _CLASS_LOSSES) or any(loss is other for other in _CLASS_LOSS_FUNCTIONS):
        raise ValueError(
            f"loss={name!r} is a loss of classes, but y contains numbers. Use RNNClassifier for "
            "classes, or a loss of numbers, such as loss='mse' or loss='mae'."
        )
    if is_keras_builtin(loss) or is_keras_function(loss):
        return
    # A number of rows that is the length of no other axis: values of that length are one per row.
    n_rows = next(n for n in itertools.count(2) if n not in y.shape[1:])
    rows = y[np.arange(n_rows) % len(y)].astype(keras.config.floatx())
    shape = tuple(_evaluate_loss(loss, rows))
    is_one_number = all(size == 1 for size in shape)
    if not (is_one_number or shape[0] == n_rows):
        raise ValueError(
            f"loss={name!r} returns values of shape {shape} for y_true and y_pred of shape "
            f"{rows.shape}. It must return one value for each row, of shape ({n_rows},), or one "
            "for the batch."
        )
    if sample_weight is not None and not _handles_weights(loss):
        _check_weighted_shape(name, shape, rows, sample_weight)


def _handles_weights(loss):
    """Return whether a loss applies the sample weights itself, instead of Keras."""
    is_loss = isinstance(loss, keras.losses.Loss)
    return is_loss and type(loss).__call__ is not keras.losses.Loss.__call__


def _evaluate_loss(loss, y):
    """Return the shape of the values of a custom loss, or raise a ValueError."""
    is_call_of_keras = isinstance(loss, keras.losses.Loss) and not _handles_weights(loss)
    function = loss.call if is_call_of_keras else loss
    y_pred = tf.constant(y + 0.5, y.dtype)
    action = f"was called with y_true and y_pred of shape {y.shape}"
    need = "It must return one value for each row."
    with raises_as_value_error(f"loss={loss!r}", action, need), tf.GradientTape() as tape:
        tape.watch(y_pred)
        values = function(tf.constant(y), y_pred)
    if not tf.is_tensor(values):
        raise ValueError(
            f"loss={loss!r} returned {values!r}, which is not a tensor: there is no gradient to "
            "train with. Compute it from y_true and y_pred with functions of keras.ops."
        )
    gradient = tape.gradient(values, y_pred) if values.dtype.is_floating else None
    if gradient is None:
        raise ValueError(
            f"loss={loss!r} has no gradient with respect to y_pred: its values, of shape "
            f"{tuple(values.shape)} and dtype {values.dtype.name}, do not depend on it, or not in "
            "a differentiable way. Compute them from y_pred with functions of keras.ops."
        )
    return values.shape


def _check_weighted_shape(name, shape, y, sample_weight):
    """Raise a ValueError if a loss has no value for each weight."""
    of_steps = sample_weight.ndim == 2 and sample_weight.shape[1] > 1
    expected = y.shape[: 2 if of_steps else 1]
    if shape[: len(expected)] != expected:
        raise ValueError(
            f"loss={name!r} returns values of shape {shape} for y_true and y_pred of shape "
            f"{y.shape}, but sample_weight needs a value for each "
            f"{'time step' if of_steps else 'row'}, of shape {expected}. Take the mean over the "
            "last axis only, such as keras.ops.mean(..., axis=-1), or leave out sample_weight."
        )
