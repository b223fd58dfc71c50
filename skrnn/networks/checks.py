"""Checks of the names of Keras objects and of user-defined networks."""

import keras
import numpy as np

from .._checks import check_name


def check_keras_name(kind, name, module):
    """Return what `name` stands for in a Keras module, or raise a ValueError with a suggestion."""
    if isinstance(name, type):
        raise ValueError(f"{kind}={name!r} is a class; pass an instance of it, or its name.")
    if not isinstance(name, str):
        return name
    try:
        return module.get(name)
    except ValueError:
        others = {"get", "serialize", "deserialize", "legacy", "schedules", "optimizer", "loss"}
        known = {key.lower() for key in vars(module) if not key.startswith("_")} - others
        check_name(kind, name, sorted(known | ({"mse", "mae"} if kind == "loss" else set())))
        raise


def check_network(model, input_shape, n_outputs, sequence=False, probabilities=False):
    """Return a builder's model with inputs and outputs of its own, or raise a ValueError."""
    if not isinstance(model, keras.Model):
        raise ValueError(f"network must return a keras.Model, got {type(model).__name__}.")
    if not model.built and isinstance(model, keras.Sequential):
        model.build((None, *input_shape))
    if not getattr(model, "inputs", None):
        inputs = keras.Input(input_shape)
        model = compile_like(model, keras.Model(inputs, model(inputs)))
    shape = tuple(model.outputs[0].shape)
    n_steps = (input_shape[0],) if sequence else ()
    any_number = sequence and len(shape) == 3 and None in (shape[1], input_shape[0])
    fits = shape[1:] == (*n_steps, n_outputs) or (any_number and shape[2] == n_outputs)
    if len(model.outputs) != 1 or not fits:
        needed = ", ".join(str(size) for size in (None, *n_steps, n_outputs))
        raise ValueError(f"The network's outputs have shape {shape}, but y needs ({needed}).")
    if probabilities:
        _check_probabilities(model, input_shape)
    return model


def _check_probabilities(model, input_shape):
    """Raise a ValueError if a model's outputs of a sequence of zeros are no probabilities."""
    shape = [size or 1 for size in input_shape]  # any number of steps will do where it is None
    zeros = np.zeros((1, *shape), model.inputs[0].dtype)
    outputs = keras.ops.convert_to_numpy(model(zeros, training=False)).astype(float)
    if (outputs < 0).any() or not np.allclose(outputs.sum(axis=-1), 1, atol=0.01):
        raise ValueError(
            f"The network's outputs are no probabilities: of a sequence of zeros they are "
            f"{outputs.reshape(-1, outputs.shape[-1])[-1][:10].round(3).tolist()}. End it with "
            "activation='softmax', or with the output_activation that the builder gets."
        )


def compile_like(model, other):
    """Compile `other` as `model` is, if it is."""
    if model.compiled:
        optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
        other.compile(optimizer, loss=model.loss, run_eagerly=model.run_eagerly, jit_compile=False)
    return other
