"""Builders of encoder-decoder networks and of convolutional recurrent networks.

Pass them to the parameter `network` of `RNNRegressor`, or `build_cnn_rnn` to that of
`RNNClassifier`. Use `functools.partial` to set parameters that the estimators do not have.
"""

import copy
from collections.abc import Sequence
from typing import Unpack

import keras

from .._parameters import Cell, Units
from .stack import (
    StackKeywords,
    StackOptions,
    check_units,
    output_layer,
    stack_builder,
    stack_recurrent_layers,
)


@stack_builder
def build_encoder_decoder(
    input_shape: Sequence[int | None],
    n_outputs: int,
    cell: Cell = "lstm",
    units: Units = 64,
    *,
    n_variables: int = 1,
    **stack_options: Unpack[StackKeywords],
) -> keras.Model:
    """Build an encoder-decoder network, which maps windows to sequences of other lengths [1]_.

    The encoder processes the window. Its last output is the input of the decoder at every time
    step. A linear layer is applied to each output of the decoder.

    Parameters
    ----------
    input_shape : tuple (n_timesteps, n_features)
        Shape of a window.
    n_outputs : int
        Number of values to predict: time steps of the output sequence times `n_variables`. The
        target has shape (n_samples, n_steps), or (n_samples, n_steps * n_variables) with the
        variables of a time step next to each other.
    {network_parameters}
    {seed}
    n_variables : int, default=1
        Number of values at each time step of the output sequence.

    Returns
    -------
    model : keras.Model
        Maps inputs of shape (n_samples, n_timesteps, n_features) to outputs of shape
        (n_samples, n_outputs). It is not compiled.

    Raises
    ------
    ValueError
        If `n_outputs` is not a multiple of `n_variables`, or a parameter of the recurrent layers
        is invalid.

    Notes
    -----
    The decoder has the layers of the encoder in reverse order. It is never bidirectional.

    References
    ----------
    .. [1] K. Cho et al. (2014). Learning phrase representations using RNN encoder-decoder.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import RNNRegressor
    >>> from skrnn.networks import build_encoder_decoder
    >>> X = np.random.default_rng(0).normal(size=(64, 6))
    >>> rnn = RNNRegressor("gru", 8, network=build_encoder_decoder, epochs=2)
    >>> rnn.fit(X, X[:, :3].cumsum(axis=1)).predict(X).shape  # 6 time steps to 3
    (64, 3)
    """
    if n_outputs % n_variables:
        raise ValueError(
            f"n_outputs={n_outputs}, the number of columns of y, is not a multiple of n_variables="
            f"{n_variables}, the number of values at each time step. Change n_variables or y."
        )
    encoder = StackOptions(cell, units, **stack_options)
    decoder = copy.copy(encoder)  # its seeds come from the same sequence
    decoder.sizes, decoder.bidirectional = encoder.sizes[::-1], False
    inputs = keras.Input(tuple(input_shape))
    x = stack_recurrent_layers(inputs, encoder)
    x = keras.layers.RepeatVector(n_outputs // n_variables)(x)
    x = stack_recurrent_layers(x, decoder, sequences=True)
    x = output_layer(n_variables, encoder)(x)
    return keras.Model(inputs, keras.layers.Flatten()(x))


@stack_builder
def build_cnn_rnn(
    input_shape: Sequence[int | None],
    n_outputs: int,
    cell: Cell = "lstm",
    units: Units = 64,
    *,
    filters: Units = 32,
    kernel_size: int = 5,
    pool_size: int = 4,
    output_activation: str = "linear",
    **stack_options: Unpack[StackKeywords],
) -> keras.Model:
    """Build a network of convolutions, which shorten long windows, and recurrent layers [1]_.

    A convolution over time with ReLU activation detects short patterns, and max pooling reduces
    every `pool_size` time steps to one. The recurrent layers process a shorter sequence, so that
    gradients are propagated further back in time.

    Parameters
    ----------
    input_shape : tuple (n_timesteps, n_features)
        Shape of a window. Masked time steps are not supported.
    n_outputs : int
        Number of values to predict, or of classes.
    {network_parameters}
    {seed}
    filters : int or sequence of int, default=32
        Number of filters of the convolution. A sequence stacks convolutions, each followed by
        pooling.
    kernel_size : int, default=5
        Number of time steps in a filter.
    pool_size : int, default=4
        Factor by which each pooling layer shortens the window.
    output_activation : str, default="linear"
        Activation of the output layer. `RNNClassifier` passes "softmax".

    Returns
    -------
    model : keras.Model
        Maps inputs of shape (n_samples, n_timesteps, n_features) to outputs of shape
        (n_samples, n_outputs). It is not compiled. Estimators train it with `keras.Model.fit`.

    Raises
    ------
    ValueError
        If the window is too short for the pooling layers, or a parameter of the recurrent layers
        is invalid.

    References
    ----------
    .. [1] T. N. Sainath et al. (2015). Convolutional, long short-term memory, fully connected deep
       neural networks. ICASSP.

    Examples
    --------
    >>> from skrnn.networks import build_cnn_rnn
    >>> model = build_cnn_rnn((400, 3), 1, "gru", 16, filters=(8, 8), seed=0)
    >>> [layer.output.shape[1] for layer in model.layers[:5]]
    [400, 400, 100, 100, 25]
    """
    options = StackOptions(cell, units, **stack_options)
    sizes = check_units(filters)
    n_timesteps = input_shape[0]
    if n_timesteps is not None and n_timesteps < pool_size ** len(sizes):
        raise ValueError(
            f"A window of {n_timesteps} time steps is too short for {len(sizes)} pooling layers "
            f"with pool_size={pool_size}, which need at least {pool_size ** len(sizes)}. Use a "
            "longer window, a smaller pool_size or fewer filters."
        )
    inputs = x = keras.Input(tuple(input_shape))
    for size in sizes:
        initializer = keras.initializers.GlorotUniform(options.new_seed())
        x = keras.layers.Conv1D(
            size, kernel_size, padding="same", activation="relu", kernel_initializer=initializer
        )(x)
        x = keras.layers.MaxPooling1D(pool_size)(x)
    x = stack_recurrent_layers(x, options)
    return keras.Model(inputs, output_layer(n_outputs, options, output_activation)(x))
