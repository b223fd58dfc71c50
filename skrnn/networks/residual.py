"""A residual baseline inside a network: the window's last value, scaled and shifted."""

import keras

from .checks import compile_like


def add_residual_baseline(model, columns, scales, shifts):
    """Let `model` learn the change from a base, ``scale * last + shift``, instead of the value.

    Parameters
    ----------
    model : keras.Model
        From (n_samples, n_timesteps, n_features) to (n_samples, n_outputs). Its last dense layer,
        if it ends in one, is set to zero, so that training starts at the base.
    columns : sequence of int, of length n_outputs
        Which column of a window's last row each output starts from.
    scales, shifts : sequence of float, of length n_outputs

    Returns
    -------
    model : keras.Model
        Made of the same layers and a frozen one that holds the base.
    """
    window = model.inputs[0]
    n_timesteps = window.shape[1]
    if n_timesteps is None:
        raise ValueError(
            "residual needs to know where a window ends: build the network on the input_shape "
            f"that it is given, not on {tuple(window.shape[1:])}."
        )
    head = model.layers[-1]
    if isinstance(head, keras.layers.Dense):
        for variable in head.trainable_variables:
            variable.assign(keras.ops.zeros_like(variable))
    base = keras.layers.Dense(len(columns), trainable=False, name="base")
    last = keras.layers.Flatten()(keras.layers.Cropping1D((n_timesteps - 1, 0))(window))
    sum_of_both = keras.layers.Add()([model.outputs[0], base(last)])
    model = compile_like(model, keras.Model(window, sum_of_both))
    set_residual_baseline(model, columns, scales, shifts)
    return model


def set_residual_baseline(model, columns, scales, shifts):
    """Put a base into a model of `add_residual_baseline`'s, and let its training start there."""
    base = model.get_layer("base")
    n_features = base.kernel.shape[0]
    kernel = [
        [scale if column == row else 0.0 for column, scale in zip(columns, scales, strict=True)]
        for row in range(n_features)
    ]
    base.set_weights([keras.ops.convert_to_numpy(kernel), keras.ops.convert_to_numpy(shifts)])
