"""Base forecasts: networks that learn the change from the last value of a window."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from .checks import compile_like, output_policy

_LAYER_NAME = "base"


def add_residual_baseline(
    model: keras.Model, columns: Sequence[int], scales: Sequence[float], shifts: Sequence[float]
) -> keras.Model:
    """Add the base forecast ``scale * last + shift`` to the outputs of a model.

    The model then learns the change from the base forecast. If its last layer is a dense layer,
    this layer is initialized with zeros, so that training starts at the base forecast.

    Parameters
    ----------
    model : keras.Model
        Maps inputs of shape (n_samples, n_timesteps, n_features) to outputs of shape
        (n_samples, n_outputs).
    columns : sequence of int, of length n_outputs
        The feature of each output, whose last value in the window is `last`.
    scales, shifts : sequence of float, of length n_outputs
        Scale and shift of each output.

    Returns
    -------
    model : keras.Model
        The layers of `model`, and a frozen layer with the base forecast.

    Raises
    ------
    ValueError
        If the number of time steps of the inputs is not fixed.
    """
    window = model.inputs[0]
    n_timesteps = window.shape[1]
    if n_timesteps is None:
        raise ValueError(
            "residual needs the position of a window's last time step, but the network takes "
            f"inputs of shape {tuple(window.shape[1:])}. Build it with the input_shape that the "
            "builder receives."
        )
    policy = output_policy()
    head = model.layers[-1]
    if isinstance(head, keras.layers.Dense):
        for variable in head.trainable_variables:
            variable.assign(keras.ops.zeros_like(variable))
    last = keras.layers.Cropping1D((n_timesteps - 1, 0), dtype=policy)(window)
    last = keras.layers.Flatten(dtype=policy)(last)
    layer = keras.layers.Dense(len(columns), trainable=False, name=_LAYER_NAME, dtype=policy)
    outputs = keras.layers.Add(dtype=policy)([model.outputs[0], layer(last)])
    model = compile_like(model, keras.Model(window, outputs))
    set_residual_baseline(model, columns, scales, shifts)
    return model


def set_residual_baseline(
    model: keras.Model, columns: Sequence[int], scales: Sequence[float], shifts: Sequence[float]
) -> None:
    """Set the baseline of a model of `add_residual_baseline`."""
    layer = residual_baseline_layer(model)
    kernel = np.zeros(layer.kernel.shape)
    kernel[columns, range(len(columns))] = scales
    layer.set_weights([kernel, np.asarray(shifts)])


def remove_residual_baseline(model: keras.Model) -> keras.Model:
    """Return the model that `add_residual_baseline` added the baseline to, with shared layers."""
    return keras.Model(model.inputs, model.layers[-1].input[0])


def residual_baseline_layer(model: keras.Model) -> Any:
    """Return the layer with the baseline of `add_residual_baseline`, or None."""
    return next((layer for layer in model.layers if layer.name == _LAYER_NAME), None)
