"""Base forecasts: networks that learn the change from a forecast of each window."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from .checks import compile_like, output_policy

# Names of the frozen layers of `add_residual_baseline`.
BASE, LINEAR, WEIGHT, SPREAD = "base", "linear_change", "network_weight", "spread"


def add_residual_baseline(
    model: keras.Model,
    columns: Sequence[int],
    scales: Sequence[float],
    shifts: Sequence[float],
    coefficients: np.ndarray | None = None,
    *,
    scale_windows: bool = False,
) -> keras.Model:
    """Add a base forecast to the outputs of a model.

    The base forecast is ``scale * last + shift``, plus the product of `coefficients` and the window
    relative to its last row, if there are any. The model then learns the change from the base
    forecast. If its last layer is a dense layer, this layer is initialized with zeros, so that
    training starts at the base forecast.

    Parameters
    ----------
    model : keras.Model
        Maps inputs of shape (n_samples, n_timesteps, n_features) to outputs of shape
        (n_samples, n_outputs).
    columns : sequence of int, of length n_outputs
        The feature of each output, whose last value in the window is `last`.
    scales, shifts : sequence of float, of length n_outputs
        Scale and shift of each output.
    coefficients : ndarray of shape (n_timesteps * n_features + 1, n_outputs), default=None
        Coefficients, and in the last row intercepts, of a linear forecast of the change.
    scale_windows : bool, default=False
        Whether to multiply the outputs of the model by the spread of the window, in the units of
        the output.

    Returns
    -------
    model : keras.Model
        The layers of `model`, and frozen layers: the base forecast ("base" and "linear_change"),
        and the weight of the network in the forecast ("network_weight"), which is 1.

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

    def frozen(name, x, use_bias=False):
        layer = keras.layers.Dense(
            len(columns), trainable=False, use_bias=use_bias, name=name, dtype=policy
        )
        return layer(x)

    change = frozen(WEIGHT, model.outputs[0])
    if scale_windows:
        spread = frozen(SPREAD, window_spread(window))
        change = keras.layers.Multiply(dtype=policy)([change, spread])
    if coefficients is not None:
        relative = keras.layers.Flatten(dtype=policy)(relative_windows(window))
        linear = frozen(LINEAR, relative, use_bias=True)
        change = keras.layers.Add(dtype=policy)([change, linear])
    last = keras.layers.Flatten(dtype=policy)(_last_rows(window))
    base = frozen(BASE, last, use_bias=True)
    model = compile_like(model, keras.Model(window, keras.layers.Add(dtype=policy)([change, base])))
    set_residual_baseline(model, columns, scales, shifts, coefficients)
    return model


def _last_rows(window):
    crop = keras.layers.Cropping1D((window.shape[1] - 1, 0), dtype=output_policy())
    return crop(window)


def relative_windows(window: Any, features: np.ndarray | None = None) -> Any:
    """Return a tensor of windows from which their last row is subtracted.

    Parameters
    ----------
    window : KerasTensor of shape (n_samples, n_timesteps, n_features)
    features : ndarray of bool, of shape (n_features,), default=None
        The features to subtract. If None, all.
    """
    last = _last_rows(window)
    if features is not None and not np.all(features):
        select = keras.layers.Dense(
            len(features),
            use_bias=False,
            trainable=False,
            name="relative_features",
            dtype=output_policy(),
        )
        last = select(last)
        select.set_weights([np.diag(features).astype(float)])
    return keras.layers.Subtract(dtype=output_policy())([window, last])


def scale_by_spread(relative: Any) -> Any:
    """Return windows, relative to their last row, divided by their root mean square."""
    policy, n_timesteps = output_policy(), relative.shape[1]
    unit = keras.layers.UnitNormalization(axis=1, dtype=policy)(relative)
    return keras.layers.Rescaling(n_timesteps**0.5, dtype=policy)(unit)


def window_spread(window: Any) -> Any:
    """Return the root mean square of each feature of windows relative to their last row.

    It is the product of the window and the window divided by its norm.
    """
    policy, relative = output_policy(), relative_windows(window)
    unit = keras.layers.UnitNormalization(axis=1, dtype=policy)(relative)
    product = keras.layers.Multiply(dtype=policy)([relative, unit])
    mean = keras.layers.GlobalAveragePooling1D(dtype=policy)(product)
    return keras.layers.Rescaling(window.shape[1] ** 0.5, dtype=policy)(mean)


def set_residual_baseline(
    model: keras.Model,
    columns: Sequence[int],
    scales: Sequence[float],
    shifts: Sequence[float],
    coefficients: np.ndarray | None = None,
) -> None:
    """Set the base forecast of a model of `add_residual_baseline`, and the weights to 1."""
    selection = np.zeros((model.inputs[0].shape[2], len(columns)))
    selection[columns, range(len(columns))] = scales
    values = {
        BASE: [selection, np.asarray(shifts)],
        LINEAR: [] if coefficients is None else [coefficients[:-1], coefficients[-1]],
        WEIGHT: [np.eye(len(columns))],
        SPREAD: [np.abs(selection)],
    }
    for name, arrays in values.items():
        if (layer := frozen_layer(model, name)) is not None:
            layer.set_weights(arrays)


def remove_residual_baseline(model: keras.Model) -> keras.Model:
    """Return the model without the last value of `add_residual_baseline`, with shared layers."""
    return keras.Model(model.inputs, model.layers[-1].input[0])


def frozen_layer(model: keras.Model, name: str) -> Any:
    """Return a frozen layer of `add_residual_baseline` by its name, or None."""
    return next((layer for layer in model.layers if layer.name == name), None)


def residual_baseline_layer(model: keras.Model) -> Any:
    """Return the layer with the last value of `add_residual_baseline`, or None."""
    return frozen_layer(model, BASE)
