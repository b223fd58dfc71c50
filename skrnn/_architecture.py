"""What models are made of: which of them `_compiled` can run, and which can share a graph."""

import json
import types

import keras
import tensorflow as tf

from ._kernels import kernel_of
from .networks import all_layers

__all__ = [
    "STEP_BY_STEP",
    "architecture_of",
    "compilation_of",
    "drops",
    "ignored_class",
    "is_compilable",
    "is_of_keras",
    "is_of_masks",
    "n_calls",
    "per_row_loss",
    "scales_loss",
]

# Layers that compute each step's outputs from its inputs alone, in training as in prediction.
STEP_BY_STEP = {
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
_ROW_BY_ROW = STEP_BY_STEP | {
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
_OF_MASKS = {"NotEqual", "Any"}


def is_compilable(model):
    """Whether the graphs of `_compiled` can train `model` and predict with it.

    They can if it is a functional or sequential model whose layers are Keras' own, treat each row
    by itself and have kernels where they are recurrent, and if there is no GPU, whose own kernels
    are faster.
    """
    if (
        not is_of_keras(model)
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
        (model.inputs[0].dtype == dtype or _reads_symbols(model))
        and all(isinstance(one, keras.layers.Layer) or is_of_masks(one) for one in operations)
        and all(
            _is_row_by_row(layer, model)
            and (layer.compute_dtype == layer.variable_dtype == dtype or _is_input(layer))
            for layer in all_layers(model)
        )
        # A penalty on outputs would count the rows that a short batch is filled up with.
        and not any(getattr(layer, "activity_regularizer", None) for layer in all_layers(model))
    )


def is_of_masks(operation):
    """Whether an operation between layers is one that Keras has put there for masks."""
    return is_of_keras(operation) and type(operation).__name__ in _OF_MASKS


def _is_input(layer):
    return type(layer) is keras.layers.InputLayer


def _reads_symbols(model):
    """Whether a model's inputs are integers, which go into an embedding."""
    readers = [layer for layer in model.layers if not _is_input(layer)]
    return model.inputs[0].dtype == "int32" and type(readers[0]) is keras.layers.Embedding


def n_calls(model, layer):
    """Return how often a model calls one of its layers: others may call it too."""
    graph = getattr(model, "_functional", None) or model  # a Sequential holds one
    nodes = [node for same_depth in graph._nodes_by_depth.values() for node in same_depth]
    return sum(node.operation is layer for node in nodes)


def _is_row_by_row(layer, model):
    # What drops something draws a mask a call, and is given one mask a batch.
    is_called_once = n_calls(model, layer) <= 1
    if type(layer) is keras.layers.Dropout:
        return is_called_once and layer.noise_shape is None
    if isinstance(layer, keras.layers.RNN):
        return kernel_of(layer) is not None and (is_called_once or not drops(layer))
    if isinstance(layer, keras.layers.Bidirectional) and drops(layer.forward_layer):
        return is_called_once
    activation = getattr(layer, "activation", None)
    return (
        type(layer) in _ROW_BY_ROW
        and getattr(layer, "axis", -1) in (-1, [-1])
        and (activation is None or _is_function_of_keras(activation))
    )


def drops(layer):
    """Whether a layer drops something in training."""
    if isinstance(layer, keras.layers.RNN):
        return bool(getattr(layer.cell, "recurrent_dropout", 0))
    return type(layer) is keras.layers.Dropout and layer.rate > 0


def is_of_keras(thing):
    """Whether the class of an object is one of Keras' own."""
    return type(thing).__module__.partition(".")[0] == "keras"


def per_row_loss(loss):
    """Return a loss of Keras' own as a function from y and y_pred to a loss for each row, or None.

    Others may look at a batch as a whole, which is not what they would see.
    """
    loss = keras.losses.get(loss)
    if isinstance(loss, keras.losses.Loss):
        by_row = is_of_keras(loss) and loss.reduction == "sum_over_batch_size"
        return loss.call if by_row else None
    return loss if _is_function_of_keras(loss) else None


def ignored_class(loss):
    """Return the class of y that a loss leaves out, and does not divide by, or None."""
    return getattr(keras.losses.get(loss), "ignore_class", None)


def _is_function_of_keras(function):
    return getattr(function, "__module__", "").partition(".")[0] == "keras"


def scales_loss(optimizer):
    """Whether an optimizer wants its loss scaled, and divides the gradients by as much."""
    is_scaler = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    return is_scaler or optimizer.loss_scale_factor is not None


def architecture_of(model):
    """Return what models that compute the same have in common, as a string, or None for never.

    It is the layers' settings without names and seeds, if all that they name is Keras' or ours.
    """
    config = keras.saving.serialize_keras_object(model)["config"]
    config.pop("name", None)
    numbers = {name: number for number, name in enumerate(_layer_names(config))}
    text = json.dumps(_anonymous(config, numbers))
    return text if _is_all_known(config) and _runs_known_code(model) else None


# What Keras calls settings that name no class.
_VALUES = {"__tuple__", "__tensor__", "__numpy__", "__keras_tensor__"}


def _is_known(module):
    """Whether a module, by its name, is Keras' or ours: there a name stands for one thing alone."""
    return isinstance(module, str) and module.partition(".")[0] in ("keras", "skrnn")


def _is_all_known(settings):
    """Whether all classes and functions that some settings name are Keras' or ours."""
    if isinstance(settings, (list, tuple)):
        return all(map(_is_all_known, settings))
    if not isinstance(settings, dict):
        return True
    name = settings.get("class_name")
    is_known = name is None or name in _VALUES or _is_known(settings.get("module"))
    return is_known and all(map(_is_all_known, settings.values()))


def _runs_known_code(model):
    """Whether all layers and cells of a model, and the functions in them, are Keras' or ours.

    Settings may name a function of the user's that is called `relu` as they name Keras'.
    """
    return all(
        _is_known(type(layer).__module__)
        and all(
            _is_known(part.__module__)
            for part in vars(layer).values()
            if isinstance(part, types.FunctionType)
        )
        for layer in model._flatten_layers()
    )


# What tells the settings of a layer, or of another operation, from others with a name.
_LAYER_KEYS = {"trainable", "batch_shape", "inbound_nodes"}


def _layer_names(config):
    """Yield the names of the layers in a model's settings."""
    parts = config.values() if isinstance(config, dict) else config
    if isinstance(config, dict) and "name" in config and _LAYER_KEYS & set(config):
        yield config["name"]
    for part in parts:
        if isinstance(part, (dict, list, tuple)):
            yield from _layer_names(part)


def _anonymous(config, numbers):
    """Return a model's settings with numbers for the layers' names, and no seeds."""
    if isinstance(config, (list, tuple)):
        return [_anonymous(part, numbers) for part in config]
    if not isinstance(config, dict):
        return config
    anonymous = {key: _anonymous(part, numbers) for key, part in config.items() if key != "seed"}
    places = {"keras_history", "input_layers", "output_layers"}
    if (_LAYER_KEYS | {"class_name"}) & set(config):
        places.add("name")
    if set(config) == {"name"}:  # the settings of an operation that is not a layer
        places.add("name")
    for key in places & set(config):
        anonymous[key] = _numbered(config[key], numbers)
    return anonymous


def _numbered(names, numbers):
    if isinstance(names, (list, tuple)):
        return [_numbered(name, numbers) for name in names]
    return numbers.get(names, names)


def compilation_of(optimizer, loss, clipnorm, clipvalue=None):
    """Return what fits that train alike have in common, as a string, or None for never.

    The learning rate is not part of it, as it is a variable, unless it follows a schedule.
    """
    if not (is_of_keras(optimizer) and (isinstance(loss, str) or is_of_keras(loss))):
        return None
    settings = optimizer.get_config()
    settings.pop("name", None)
    if isinstance(settings.get("learning_rate"), (int, float)):
        del settings["learning_rate"]
    is_known = isinstance(loss, str) or _is_function_of_keras(getattr(loss, "fn", loss))
    loss = loss if isinstance(loss, str) else keras.saving.serialize_keras_object(loss)
    parts = [type(optimizer).__name__, settings, loss, clipnorm, clipvalue]
    if not (is_known and _is_all_known(parts)):
        return None
    return json.dumps(parts, default=str)
