"""Builders: functions that return an uncompiled `keras.Model` for given shapes and sizes."""

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import keras
import numpy as np

from .._checks import MASKED
from .._parameters import Cell, Units
from .checks import output_policy
from .initialize import initialize_embeddings
from .residual import relative_windows, scale_by_spread
from .stack import StackKeywords, StackOptions, output_layer, stack_builder, stack_recurrent_layers


@stack_builder
def build_rnn(
    input_shape: Sequence[int | None] | None = None,
    n_outputs: int | None = None,
    cell: Cell = "lstm",
    units: Units = 64,
    *,
    output: str = "last",
    masking: bool = False,
    center_windows: bool | Sequence[int] = False,
    scale_windows: bool = False,
    segment_length: int | None = None,
    meta: Mapping[str, Any] | None = None,
    **stack_options: Unpack[StackKeywords],
) -> keras.Model:
    """Build a network of recurrent layers with a linear output layer.

    The network consists of one recurrent layer for each entry of `units`, each followed by dropout
    if `dropout` is positive, and a dense layer with `n_outputs` linear units.

    Parameters
    ----------
    input_shape : tuple (n_timesteps, n_features)
        Shape of a window. `n_timesteps` may be None. A shape (n_timesteps,) means one feature.
    n_outputs : int
        Number of values to predict.
    {network_parameters}
    {seed}
    output : {"last", "sequence"}, default="last"
        Whether to return the output of the last time step or of all time steps.
    masking : bool, default=False
        Whether to skip masked time steps, whose features are all `MASKED`. The network then accepts
        sequences of any length.
    center_windows : bool or sequence of int, default=False
        Whether to subtract the last row from each window [6]_. A sequence contains the indices of
        the features to subtract.
    scale_windows : bool, default=False
        Whether to divide each feature of a window, relative to its last row, by its root mean
        square [7]_. The outputs are then in these units.
    segment_length : int, default=None
        Number of rows in a time step of the recurrent layers: each window is split into segments of
        this many consecutive rows [8]_. If None, each row is a time step.
    meta : dict, default=None
        Metadata that scikeras passes. If `input_shape` and `n_outputs` are None, they are taken
        from it, so that ``scikeras.wrappers.KerasRegressor(model=build_rnn, model__units=32)``
        works.

    Returns
    -------
    model : keras.Model
        Maps inputs of shape (n_samples, n_timesteps, n_features) to outputs of shape
        (n_samples, n_outputs) or (n_samples, n_timesteps, n_outputs). It is not compiled and
        consists of `keras.layers` only.

    Raises
    ------
    ValueError
        If `cell`, `activation` or `recurrent_initializer` is unknown, `cell` does not return a
        recurrent cell, `units` is not positive, the shapes are missing, or windows cannot be split
        into segments.

    See Also
    --------
    skrnn.networks.build_rnn_classifier : Build a network that predicts class probabilities.
    skrnn.networks.build_text_rnn : Build a network for texts.
    skrnn.networks.build_encoder_decoder : Build a network whose outputs form another sequence.
    skrnn.networks.build_cnn_rnn : Build a network with convolutions for long windows.

    Notes
    -----
    The cells "rnn", "lstm" and "gru" are described in [1]_, [2]_ and [3]_, recurrent dropout in
    [4]_, and the initializer "identity" in [5]_. The bias of forget gates is initialized to one.

    A custom cell is a `keras.layers.Layer` with `state_size` and ``call(inputs, states)``, which
    returns the output and the new states. The class is called with the number of units. Its other
    parameters keep their defaults. Regularization is passed to cells that accept it: the values of
    ``activation``, ``recurrent_initializer``, ``recurrent_dropout``, ``kernel_regularizer`` (for
    `l1` and `l2`) and ``recurrent_regularizer`` that differ from the defaults of the builder are
    passed to the cell. If the cell has no parameter for one of them, a ValueError is raised. To
    load a saved model in another process, register the class of the cell with
    `keras.saving.register_keras_serializable`.

    References
    ----------
    .. [1] J. L. Elman (1990). Finding structure in time. Cognitive Science 14(2).
    .. [2] S. Hochreiter, J. Schmidhuber (1997). Long short-term memory. Neural Computation 9(8);
       F. Gers, J. Schmidhuber, F. Cummins (2000). Learning to forget. Neural Computation 12(10).
    .. [3] K. Cho et al. (2014). Learning phrase representations using RNN encoder-decoder.
    .. [4] Y. Gal, Z. Ghahramani (2016). A theoretically grounded application of dropout in
       recurrent neural networks. NeurIPS.
    .. [5] Q. V. Le, N. Jaitly, G. E. Hinton (2015). A simple way to initialize recurrent networks
       of rectified linear units. arXiv:1504.00941.
    .. [6] A. Zeng, M. Chen, L. Zhang, Q. Xu (2023). Are transformers effective for time series
       forecasting? AAAI Conference on Artificial Intelligence.
    .. [7] T. Kim et al. (2022). Reversible instance normalization for accurate time-series
       forecasting against distribution shift. International Conference on Learning
       Representations.
    .. [8] S. Lin et al. (2023). SegRNN: Segment recurrent neural network for long-term time series
       forecasting. arXiv:2308.11200.

    Examples
    --------
    >>> from skrnn import build_rnn
    >>> build_rnn((60, 1), n_outputs=1, cell="lstm", units=125).count_params()
    63626
    >>> build_rnn((60, 1), n_outputs=1, cell="gru", units=125).count_params()
    48126
    """
    if meta is not None:
        input_shape = input_shape or meta["X_shape_"][1:]
        n_outputs = n_outputs or meta["n_outputs_"]
    if input_shape is None or n_outputs is None:
        raise ValueError(
            f"build_rnn needs input_shape=(n_timesteps, n_features) and n_outputs, got "
            f"input_shape={input_shape} and n_outputs={n_outputs}."
        )
    options = StackOptions(cell, units, **stack_options)
    shape = tuple(input_shape)
    shape = shape if len(shape) == 2 else (*shape, 1)
    is_centered = scale_windows or np.any(center_windows) or np.ndim(center_windows) > 0
    if is_centered or segment_length is not None:
        _check_fixed_windows(masking, shape[0], output, segment_length)
    inputs = keras.Input((None, shape[1]) if masking else shape)
    x = _mask(inputs) if masking else inputs
    if is_centered:
        x = _normalize(x, center_windows, scale_windows)
    if segment_length is not None:
        x = _split_into_segments(x, segment_length)
    x = stack_recurrent_layers(x, options, sequences=output == "sequence")
    return keras.Model(inputs, output_layer(n_outputs, options)(x))


def _check_fixed_windows(masking, n_timesteps, output, segment_length):
    """Raise a ValueError if windows cannot be centered, scaled or split into segments."""
    if masking or n_timesteps is None:
        raise ValueError(
            "center_windows, scale_windows and segment_length need windows of a fixed length "
            "without masked time steps. Set them to False, False and None for sequences of unequal "
            "lengths, and for chunk_length with output='sequence'."
        )
    if segment_length is not None and output == "sequence":
        raise ValueError(
            f"segment_length={segment_length} with output='sequence' would return an output for "
            "each segment, not for each time step. Set segment_length=None."
        )


def _normalize(window, center_windows, scale_windows):
    """Return windows relative to their last row, divided by their spread if `scale_windows`."""
    if scale_windows:
        return scale_by_spread(relative_windows(window))
    features = np.full(window.shape[2], np.ndim(center_windows) == 0)
    if np.ndim(center_windows):
        features[list(center_windows)] = True
    return relative_windows(window, features)


def _split_into_segments(x, length):
    """Return a tensor of shape (n_samples, n_timesteps // length, length * n_features)."""
    _, n_timesteps, n_features = x.shape
    if n_timesteps % length:
        raise ValueError(
            f"segment_length={length} does not divide the {n_timesteps} rows of a window. Use a "
            "window_length that is a multiple of segment_length."
        )
    return keras.layers.Reshape((n_timesteps // length, length * n_features))(x)


def _mask(inputs):
    # float16 cannot represent MASKED: the inputs are cast after the masking.
    return keras.layers.Masking(MASKED, dtype=output_policy())(inputs)


@stack_builder
def build_rnn_classifier(
    input_shape: Sequence[int | None],
    n_outputs: int,
    cell: Cell = "lstm",
    units: Units = 64,
    *,
    output: str = "last",
    **stack_options: Unpack[StackKeywords],
) -> keras.Model:
    """Build a network of recurrent layers with masking and a softmax output layer.

    A time step is masked if all of its features are `MASKED`. The recurrent states do not change
    at masked time steps, so that an array can contain sequences of different lengths.

    Parameters
    ----------
    input_shape : tuple (n_timesteps, n_features)
        Shape of a sequence. `n_timesteps` is ignored: the network accepts sequences of any length.
    n_outputs : int
        Number of classes.
    {network_parameters}
    {seed}
    output : {"last", "sequence"}, default="last"
        Whether to return the probabilities after the last time step or after all time steps.

    Returns
    -------
    model : keras.Model
        Maps inputs of shape (n_samples, n_timesteps, n_features) to probabilities of shape
        (n_samples, n_outputs) or (n_samples, n_timesteps, n_outputs). It is not compiled and
        consists of `keras.layers` only.

    Raises
    ------
    ValueError
        If `cell`, `activation` or `recurrent_initializer` is unknown, `cell` does not return a
        recurrent cell, or `units` is not positive.

    Examples
    --------
    >>> from skrnn.networks import MASKED, build_rnn_classifier
    >>> model = build_rnn_classifier((5, 2), n_outputs=3, cell="gru", units=4, seed=0)
    >>> model.output_shape
    (None, 3)
    >>> import numpy as np
    >>> X = np.array([[[1, 2], [MASKED, MASKED], [3, 4]]])
    >>> bool(np.allclose(model(X), model(X[:, [0, 2]])))
    True
    """
    options = StackOptions(cell, units, **stack_options)
    inputs = keras.Input((None, input_shape[1]))
    x = stack_recurrent_layers(_mask(inputs), options, sequences=output == "sequence")
    logits = output_layer(n_outputs, options)(x)
    return keras.Model(inputs, keras.layers.Activation("softmax", dtype=output_policy())(logits))


@stack_builder
def build_text_rnn(
    n_symbols: int,
    n_classes: int,
    cell: Cell = "lstm",
    units: Units = 64,
    *,
    sequences: bool = False,
    embedding: int | None = None,
    embedding_dropout: float = 0.0,
    **stack_options: Unpack[StackKeywords],
) -> keras.Model:
    """Build a network of recurrent layers for sequences of tokens, with a softmax output layer.

    Tokens are numbered from 1. The number 0 is padding, which is masked, and ``n_symbols + 1`` is
    an unknown token or the start of a text. The vectors of both are initialized with zeros.

    Parameters
    ----------
    n_symbols : int
        Size of the vocabulary.
    n_classes : int
        Number of classes.
    {network_parameters}
    {seed}
    sequences : bool, default=False
        Whether to return the probabilities after each token, in which case nothing is masked, or
        only after the last token.
    embedding : int, default=None
        Dimension of the learned embeddings of the tokens. If None, tokens are encoded as one-hot
        vectors.
    embedding_dropout : float in [0, 1), default=0.0
        Fraction of the values of the embeddings, or of the one-hot vectors, to drop during
        training. Each occurrence of a token has its own values to drop.

    Returns
    -------
    model : keras.Model
        Maps int32 inputs of shape (n_samples, n_timesteps) to probabilities of shape
        (n_samples, n_classes) or (n_samples, n_timesteps, n_classes). It is not compiled and
        consists of `keras.layers` only.

    Raises
    ------
    ValueError
        If `cell`, `activation` or `recurrent_initializer` is unknown, `cell` does not return a
        recurrent cell, or `units` is not positive.

    Examples
    --------
    >>> from skrnn.networks import build_text_rnn
    >>> build_text_rnn(4, 4, "rnn", 3).count_params()  # including 24 of the one-hot vectors
    64
    """
    options = StackOptions(cell, units, **stack_options)
    inputs = keras.Input((None,), dtype="int32")
    table = keras.layers.Embedding(
        n_symbols + 2,
        n_symbols if embedding is None else embedding,
        trainable=embedding is not None,
        mask_zero=not sequences,
        embeddings_initializer=keras.initializers.Zeros(),
    )
    x = table(inputs)
    if embedding is None:
        table.embeddings.assign(np.eye(n_symbols + 2, n_symbols, -1))
    else:
        initialize_embeddings(table, options.new_seed())
    if embedding_dropout:
        x = keras.layers.Dropout(embedding_dropout, seed=options.new_seed())(x)
    x = stack_recurrent_layers(x, options, sequences=sequences)
    logits = output_layer(n_classes, options)(x)
    return keras.Model(inputs, keras.layers.Softmax(dtype=output_policy())(logits))
