"""Networks that encode before they answer: encoder and decoder, and convolutions before cells.

They are builders for ``network=``: of `RNNRegressor`, and the convolutions of `RNNClassifier` too;
`functools.partial` sets what those do not pass on.
"""

import random

import keras

from .._process import check_not_forked
from .initialize import seed_sequence
from .stack import check_units, stack_recurrent_layers


def build_encoder_decoder(
    input_shape,
    n_outputs,
    cell="lstm",
    units=64,
    *,
    n_variables=1,
    activation="tanh",
    bidirectional=False,
    dropout=0.0,
    recurrent_dropout=0.0,
    recurrent_initializer="orthogonal",
    l1=0.0,
    l2=0.0,
    recurrent_l2=0.0,
    seed=None,
):
    """Build an encoder of sequences, and a decoder that answers with one of another length [1]_.

    Recurrent layers read the window; the last one's last output goes into each step of as many
    recurrent layers that write the answer, with a linear layer on each of their outputs.

    Parameters
    ----------
    input_shape : tuple (n_timesteps, n_features)
        The shape of one window.
    n_outputs : int
        Values to predict: steps of the answer, times `n_variables`. y is of shape (n_samples,
        n_steps), or (n_samples, n_steps * n_variables) with all variables of a step side by side.
    n_variables : int, default=1
        Values in a step of the answer.
    cell, units, activation, bidirectional, dropout, recurrent_dropout, recurrent_initializer, l1, \
l2, recurrent_l2, seed
        As `build_rnn` takes them. `units` are those of the encoder, and of the decoder the other
        way round; a decoder reads in one direction alone.

    Returns
    -------
    model : keras.Model
        From (n_samples, n_timesteps, n_features) to (n_samples, n_outputs). Not compiled.

    Raises
    ------
    ValueError
        If `n_outputs` is no multiple of `n_variables`.

    References
    ----------
    .. [1] K. Cho et al. (2014). Learning phrase representations using RNN encoder-decoder.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import RNNRegressor
    >>> from skrnn.encoders import build_encoder_decoder
    >>> X = np.random.default_rng(0).normal(size=(64, 6))
    >>> rnn = RNNRegressor("gru", 8, network=build_encoder_decoder, epochs=2)
    >>> rnn.fit(X, X[:, :3].cumsum(axis=1)).predict(X).shape  # 6 steps to 3
    (64, 3)
    """
    if n_outputs % n_variables:
        raise ValueError(
            f"n_outputs={n_outputs}, the columns of y, is no multiple of n_variables="
            f"{n_variables}: each step of the answer has as many. Change n_variables or y."
        )
    check_not_forked()
    new_seed = seed_sequence(random.getrandbits(31) if seed is None else seed)
    remedies = {
        "recurrent_dropout": recurrent_dropout,
        "recurrent_initializer": recurrent_initializer,
        "l1": l1,
        "l2": l2,
        "recurrent_l2": recurrent_l2,
    }
    sizes = check_units(units)
    inputs = keras.Input(tuple(input_shape))
    x = stack_recurrent_layers(
        inputs, cell, sizes, activation, bidirectional, dropout, new_seed, **remedies
    )
    x = keras.layers.RepeatVector(n_outputs // n_variables)(x)
    x = stack_recurrent_layers(
        x, cell, sizes[::-1], activation, False, dropout, new_seed, sequences=True, **remedies
    )
    x = _head(n_variables, "linear", new_seed)(x)
    return keras.Model(inputs, keras.layers.Flatten()(x))


def build_cnn_rnn(
    input_shape,
    n_outputs,
    cell="lstm",
    units=64,
    *,
    filters=32,
    kernel_size=5,
    pool_size=4,
    output_activation="linear",
    activation="tanh",
    bidirectional=False,
    dropout=0.0,
    recurrent_dropout=0.0,
    recurrent_initializer="orthogonal",
    l1=0.0,
    l2=0.0,
    recurrent_l2=0.0,
    seed=None,
):
    """Build a convolution that shortens long windows, with recurrent layers behind it [1]_.

    A convolution over time with relu looks for patterns of a few steps, and only the most of each
    in `pool_size` steps goes on into the recurrent layers: they read a window that is so many times
    shorter, and gradients reach as many times further back.

    Parameters
    ----------
    input_shape : tuple (n_timesteps, n_features)
        The shape of one window. Steps cannot be masked.
    n_outputs : int
        Values to predict, or classes.
    filters : int or sequence of int, default=32
        Patterns that the convolution looks for; a tuple stacks convolutions, each with pooling.
    kernel_size : int, default=5
        Steps in a pattern.
    pool_size : int, default=4
        How many times shorter each pooling makes the window.
    output_activation : str, default="linear"
        `RNNClassifier` passes "softmax".
    cell, units, activation, bidirectional, dropout, recurrent_dropout, recurrent_initializer, l1, \
l2, recurrent_l2, seed
        As `build_rnn` takes them; they are of the recurrent layers.

    Returns
    -------
    model : keras.Model
        From (n_samples, n_timesteps, n_features) to (n_samples, n_outputs). Not compiled; it
        trains through `keras.Model.fit`.

    Raises
    ------
    ValueError
        If the window is too short to be pooled so often.

    References
    ----------
    .. [1] T. N. Sainath et al. (2015). Convolutional, long short-term memory, fully connected deep
       neural networks. ICASSP.

    Examples
    --------
    >>> from skrnn.encoders import build_cnn_rnn
    >>> model = build_cnn_rnn((400, 3), 1, "gru", 16, filters=(8, 8), seed=0)
    >>> [layer.output.shape[1] for layer in model.layers[:5]]
    [400, 400, 100, 100, 25]
    """
    check_not_forked()
    new_seed = seed_sequence(random.getrandbits(31) if seed is None else seed)
    sizes = check_units(filters)
    n_timesteps = input_shape[0]
    if n_timesteps is not None and n_timesteps < pool_size ** len(sizes):
        raise ValueError(
            f"A window of {n_timesteps} steps cannot be made {pool_size} times shorter "
            f"{len(sizes)} times. Take a longer window, a smaller pool_size or fewer filters."
        )
    inputs = x = keras.Input(tuple(input_shape))
    for size in sizes:
        convolution = keras.layers.Conv1D(
            size,
            kernel_size,
            padding="same",
            activation="relu",
            kernel_initializer=keras.initializers.GlorotUniform(new_seed()),
        )
        x = keras.layers.MaxPooling1D(pool_size)(convolution(x))
    x = stack_recurrent_layers(
        x,
        cell,
        units,
        activation,
        bidirectional,
        dropout,
        new_seed,
        recurrent_dropout=recurrent_dropout,
        recurrent_initializer=recurrent_initializer,
        l1=l1,
        l2=l2,
        recurrent_l2=recurrent_l2,
    )
    return keras.Model(inputs, _head(n_outputs, output_activation, new_seed)(x))


def _head(size, activation, new_seed):
    glorot = keras.initializers.GlorotUniform(new_seed())
    return keras.layers.Dense(size, activation=activation, kernel_initializer=glorot)
