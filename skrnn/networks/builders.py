"""Builders: functions from shapes and sizes to an uncompiled `keras.Model`."""

import random

import keras
import numpy as np

from .._checks import MASKED
from .._process import check_not_forked
from .initialize import initialize_embeddings, seed_sequence
from .stack import stack_recurrent_layers


def build_rnn(
    input_shape=None,
    n_outputs=None,
    cell="lstm",
    units=64,
    *,
    activation="tanh",
    bidirectional=False,
    dropout=0.0,
    recurrent_dropout=0.0,
    recurrent_initializer="orthogonal",
    l1=0.0,
    l2=0.0,
    recurrent_l2=0.0,
    output="last",
    seed=None,
    meta=None,
):
    """Build recurrent layers, one after the other, with a linear layer on the last state.

    A window of shape (n_timesteps, n_features) goes through one layer of `cell` for each entry of
    `units`, each followed by dropout if there is any, and the last layer's last output through a
    dense layer of `n_outputs` linear units.

    Parameters
    ----------
    input_shape : tuple (n_timesteps, n_features)
        The shape of one window. n_timesteps may be None.
    n_outputs : int
        Values to predict.
    cell : str, class or callable, default="lstm"
        "rnn" is Elman's simple recurrent network [1]_, "lstm" the long short-term memory [2]_ with
        a forget gate, "gru" the gated recurrent unit [3]_; "peephole", "coupled", "depthgated" and
        "clockwork" are the cells of `skrnn.layers`. A cell of your own is the class of a Keras cell
        or recurrent layer, or a function from units to a new one: see the Notes.
    units : int or sequence of int, default=64
        Units in the recurrent layer; one number a layer for stacked ones. A stack of "depthgated"
        is one layer, with a depth gate between each two levels, which need as many units each;
        one number stands for two levels, and `dropout` drops outputs of the highest.
    activation : str, default="tanh"
        The activation of the cells' output. Gates keep their sigmoid.
    bidirectional : bool, default=False
        Whether each layer also reads the window backwards; its outputs are put side by side.
    dropout : float in [0, 1), default=0.0
        The share of each recurrent layer's outputs dropped in training.
    recurrent_dropout : float in [0, 1), default=0.0
        The share of the state that each recurrent layer does not hear in training, the same units
        in all steps of a sequence [4]_.
    recurrent_initializer : str, default="orthogonal"
        What recurrent weights are drawn by: "orthogonal", "identity" [5]_ (in each gate's place),
        "glorot_uniform", "glorot_normal", "he_normal", "random_normal", "random_uniform" or
        "zeros". The bias of forget gates starts at 1 throughout.
    l1, l2 : float, default=0.0
        Penalties on the recurrent layers' input weights, added to the loss: `l1` times the sum of
        their absolute values, `l2` times that of their squares.
    recurrent_l2 : float, default=0.0
        The same of the recurrent weights' squares.
    output : {"last", "sequence"}, default="last"
        Whether there are outputs after the last step alone, or after each.
    seed : int, default=None
        Seeds every initialiser and dropout layer. None draws it from Python's `random`, which
        scikeras seeds by its `random_state`; the global random state is not touched otherwise.
    meta : dict, default=None
        What scikeras knows of the data; `input_shape` and `n_outputs` default to it, so that
        ``scikeras.wrappers.KerasRegressor(model=build_rnn, model__units=32)`` works.

    Returns
    -------
    model : keras.Model
        Not compiled, made of `keras.layers` alone.

    Raises
    ------
    ValueError
        If `cell` is unknown or makes no cell, a size is not a positive int, or the shapes are
        missing.

    Notes
    -----
    A Keras cell is a `keras.layers.Layer` with `state_size` and ``call(inputs, states)``, which
    returns an output and the new states. A cell of your own keeps its own defaults: it is called
    with its units, and with those of ``activation``, ``recurrent_initializer``,
    ``kernel_regularizer`` (for `l1` and `l2`), ``recurrent_regularizer`` and ``recurrent_dropout``
    that are set to something else than here; if it has no such parameter, that is an error. To load
    a saved model of it elsewhere, register it (`keras.saving.register_keras_serializable`).

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
    check_not_forked()
    new_seed = seed_sequence(random.getrandbits(31) if seed is None else seed)
    shape = tuple(input_shape)
    inputs = keras.Input(shape if len(shape) == 2 else (*shape, 1))
    x = stack_recurrent_layers(
        inputs,
        cell,
        units,
        activation,
        bidirectional,
        dropout,
        new_seed,
        sequences=output == "sequence",
        recurrent_dropout=recurrent_dropout,
        recurrent_initializer=recurrent_initializer,
        l1=l1,
        l2=l2,
        recurrent_l2=recurrent_l2,
    )
    head = keras.layers.Dense(
        n_outputs, kernel_initializer=keras.initializers.GlorotUniform(new_seed())
    )
    return keras.Model(inputs, head(x))


def build_rnn_classifier(
    input_shape,
    n_outputs,
    cell="lstm",
    units=64,
    *,
    activation="tanh",
    bidirectional=False,
    dropout=0.0,
    recurrent_dropout=0.0,
    recurrent_initializer="orthogonal",
    l1=0.0,
    l2=0.0,
    recurrent_l2=0.0,
    output="last",
    seed=None,
):
    """Build recurrent layers that pass over masked steps, with the probabilities of classes on top.

    A step that holds `MASKED` in all features is passed over, wherever it stands: the states stay
    what they were. So sequences of different lengths fit in one array.

    Parameters
    ----------
    input_shape : tuple (n_timesteps, n_features)
        n_timesteps counts for nothing here: the network takes sequences of any length.
    n_outputs : int
        Classes.
    cell, units, activation, bidirectional, dropout, recurrent_dropout, recurrent_initializer, l1, \
l2, recurrent_l2, seed
        As `build_rnn` takes them.
    output : {"last", "sequence"}, default="last"
        Whether there are probabilities after the last step alone, or after each.

    Returns
    -------
    model : keras.Model
        From (n_samples, n_timesteps, n_features) to (n_samples[, n_timesteps], n_classes). Not
        compiled, made of `keras.layers` alone.

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
    check_not_forked()
    new_seed = seed_sequence(random.getrandbits(31) if seed is None else seed)
    inputs = keras.Input((None, input_shape[1]))
    # Half precision cannot hold `MASKED`: there the layers behind are the first to have it.
    is_half = keras.config.dtype_policy().compute_dtype == "float16"
    x = stack_recurrent_layers(
        keras.layers.Masking(MASKED, dtype="float32" if is_half else None)(inputs),
        cell,
        units,
        activation,
        bidirectional,
        dropout,
        new_seed,
        sequences=output == "sequence",
        recurrent_dropout=recurrent_dropout,
        recurrent_initializer=recurrent_initializer,
        l1=l1,
        l2=l2,
        recurrent_l2=recurrent_l2,
    )
    head = keras.layers.Dense(
        n_outputs, kernel_initializer=keras.initializers.GlorotUniform(new_seed())
    )
    return keras.Model(inputs, keras.layers.Activation("softmax")(head(x)))


def build_text_rnn(
    n_symbols,
    n_classes,
    cell="lstm",
    units=64,
    *,
    sequences=False,
    embedding=None,
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
    """Build recurrent layers over symbols, with the probabilities of classes on top.

    Symbols are numbered from 1; 0 is no symbol and masked, and ``n_symbols + 1`` is any other
    symbol, or the beginning of a text. Both are read as zeros at first.

    Parameters
    ----------
    n_symbols, n_classes : int
    cell, units, activation, bidirectional, dropout, recurrent_dropout, recurrent_initializer, l1, \
l2, recurrent_l2, seed
        As `build_rnn` takes them.
    sequences : bool, default=False
        Whether there are probabilities after each symbol (nothing is masked then), or after the
        last alone.
    embedding : int, default=None
        The length of the vectors, learnt, that stand for symbols. None is one-hot vectors.

    Returns
    -------
    model : keras.Model
        From (n_samples, n_timesteps) of int32 to (n_samples[, n_timesteps], n_classes). Not
        compiled, made of `keras.layers` alone.

    Examples
    --------
    >>> from skrnn.networks import build_text_rnn
    >>> build_text_rnn(4, 4, "rnn", 3).count_params()  # 24 of them in the one-hot vectors
    64
    """
    check_not_forked()
    new_seed = seed_sequence(random.getrandbits(31) if seed is None else seed)
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
        initialize_embeddings(table, new_seed())
    x = stack_recurrent_layers(
        x,
        cell,
        units,
        activation,
        bidirectional,
        dropout,
        new_seed,
        sequences=sequences,
        recurrent_dropout=recurrent_dropout,
        recurrent_initializer=recurrent_initializer,
        l1=l1,
        l2=l2,
        recurrent_l2=recurrent_l2,
    )
    head = keras.layers.Dense(
        n_classes, kernel_initializer=keras.initializers.GlorotUniform(new_seed())
    )
    return keras.Model(inputs, keras.layers.Softmax()(head(x)))
