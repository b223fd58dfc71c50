"""Validation of the names of Keras objects and of custom networks."""

import math
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import keras
import numpy as np

from .._checks import check_name, raises_as_value_error

# Names in the modules of Keras that are not names of activations, losses or optimizers.
_OTHER_NAMES = {"get", "serialize", "deserialize", "legacy", "schedules", "optimizer", "loss"}


def check_keras_name(parameter: str, name: Any, module: ModuleType) -> Any:
    """Return the Keras object with a name, or raise a ValueError with a suggestion.

    Parameters
    ----------
    parameter : str
        Name of the parameter, for the error message.
    name : str or object
        Objects that are not strings are returned unchanged, except for classes.
    module : module
        `keras.activations`, `keras.losses` or `keras.optimizers`.
    """
    if isinstance(name, type):
        raise ValueError(f"{parameter}={name!r} is a class. Pass an instance of it, or its name.")
    if not isinstance(name, str):
        return name
    try:
        return module.get(name)
    except ValueError:
        known = {key.lower() for key in vars(module) if not key.startswith("_")} - _OTHER_NAMES
        aliases = {"mse", "mae"} if parameter == "loss" else set()
        check_name(parameter, name, sorted(known | aliases))
        raise


def output_policy() -> str | None:
    """Return the dtype of output layers: float32 in half precision, else None for the default."""
    is_half = keras.config.dtype_policy().compute_dtype in ("float16", "bfloat16")
    return "float32" if is_half else None


def check_network(
    model: Any,
    input_shape: Sequence[int | None],
    n_outputs: int,
    sequence: bool = False,
    probabilities: bool = False,
) -> keras.Model:
    """Return the model of a custom builder with fixed inputs, or raise a ValueError.

    Parameters
    ----------
    model : keras.Model
        Sequential models are built, and subclassed models are called on new inputs.
    input_shape : tuple (n_timesteps, n_features)
        Shape of the inputs.
    n_outputs : int
        Number of outputs, at each time step if `sequence`.
    sequence : bool, default=False
        Whether the outputs must have a time axis.
    probabilities : bool, default=False
        Whether the outputs must be probabilities of classes.

    Raises
    ------
    ValueError
        If `model` is not a Keras model, or its outputs have a wrong shape or are not probabilities.
    """
    if not isinstance(model, keras.Model):
        raise ValueError(
            f"network must return a keras.Model, got {type(model).__name__}. Return the model at "
            "the end of the function."
        )
    action = f"was called on inputs of shape {(None, *input_shape)}"
    need = "Build it with the input_shape that the builder receives."
    with raises_as_value_error(f"The network {model.name!r}", action, need):
        if not model.built and isinstance(model, keras.Sequential):
            model.build((None, *input_shape))
        if not getattr(model, "inputs", None):
            inputs = keras.Input(input_shape)
            model = compile_like(model, keras.Model(inputs, model(inputs)))
    _check_tensors(model, input_shape)
    shape = tuple(model.outputs[0].shape)
    expected = (None, input_shape[0], n_outputs) if sequence else (None, n_outputs)
    # A time axis of variable length matches one of any length.
    has_any_length = sequence and len(shape) == 3 and None in (shape[1], input_shape[0])
    matches = shape[1:] == expected[1:] or (has_any_length and shape[2] == n_outputs)
    if not matches:
        raise ValueError(f"The network's outputs have shape {shape}, but y needs {expected}.")
    if probabilities:
        _check_probabilities(model, input_shape)
    return model


def _check_tensors(model, input_shape):
    """Raise a ValueError unless the inputs and the outputs of a model are one tensor each."""
    for kind, tensors in (("inputs", model.inputs), ("outputs", model.outputs)):
        if len(tensors) != 1:
            raise ValueError(
                f"The network {model.name!r} has {len(tensors)} {kind}, of shapes "
                f"{[tuple(tensor.shape) for tensor in tensors]}, but needs one."
            )
    if not isinstance(model, keras.Sequential) and isinstance(model.output, dict):
        raise ValueError(
            f"The network {model.name!r} returns a dict with the keys {list(model.output)}. Return "
            "its output itself."
        )
    n_timesteps, n_features = input_shape
    shape = tuple(model.inputs[0].shape)
    fits = len(shape) > 1 and (shape[1] is None or n_timesteps in (None, shape[1]))
    if not fits or (None not in shape[2:] and math.prod(shape[2:]) != n_features):
        raise ValueError(
            f"The network {model.name!r} takes inputs of shape {shape}, but X has the shape "
            f"{(None, *input_shape)}. Build it with the input_shape that the builder receives."
        )
    if not keras.backend.is_float_dtype(model.outputs[0].dtype):
        raise ValueError(
            f"The network {model.name!r} has outputs of dtype {model.outputs[0].dtype}, which has "
            "no gradient. Return floating-point outputs."
        )


def _check_probabilities(model, input_shape):
    """Raise a ValueError if the outputs for a sequence of zeros are not probabilities."""
    shape = [size or 1 for size in input_shape]
    zeros = np.zeros((1, *shape), model.inputs[0].dtype)
    outputs = keras.ops.convert_to_numpy(model(zeros, training=False)).astype(float)
    if (outputs < 0).any() or not np.allclose(outputs.sum(axis=-1), 1, atol=0.01):
        raise ValueError(
            "The network's outputs are not probabilities: for a sequence of zeros they are "
            f"{outputs.reshape(-1, outputs.shape[-1])[-1][:10].round(3).tolist()}. Add an output "
            "layer with activation='softmax', or with the output_activation that the builder "
            "receives."
        )


def compile_like(model: keras.Model, other: keras.Model) -> keras.Model:
    """Compile `other` with the settings of `model` if `model` is compiled, and return it."""
    if model.compiled:
        optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
        other.compile(optimizer, loss=model.loss, run_eagerly=model.run_eagerly, jit_compile=False)
    return other
