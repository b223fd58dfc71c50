"""Builders: pure functions from shapes and sizes to an uncompiled `keras.Model`."""

import contextlib
import random
import threading

import keras
import numpy as np

from ._cells import layer_of, own_classes
from ._processes import check_not_forked
from ._validation import check_name
from .layers import LAYERS, redraw

__all__ = ["CELLS", "MASKED", "build_rnn", "build_rnn_classifier", "build_text_rnn"]

# What stands in all features of a step that is masked: a number that no data hold, that every
# float of 32 bits or more holds as it is, and whose product with zero is zero.
MASKED = -(2.0**126)

# Of the vectors that stand for symbols, so that they move the cells as much as one-hot ones do.
_EMBEDDING_SCALE = 0.5

# What recurrent weights are drawn by; "identity" puts one in the place of each gate's (Le et al.
# 2015: with relu, a simple RNN that hands its state on as it is).
RECURRENT_INITIALIZERS = {
    "orthogonal": keras.initializers.Orthogonal,
    "identity": keras.initializers.Identity,
    "glorot_uniform": keras.initializers.GlorotUniform,
    "glorot_normal": keras.initializers.GlorotNormal,
    "he_normal": keras.initializers.HeNormal,
    "random_normal": keras.initializers.RandomNormal,
    "random_uniform": keras.initializers.RandomUniform,
    "zeros": keras.initializers.Zeros,
}

CELLS = {
    "rnn": keras.layers.SimpleRNN,
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
    **LAYERS,
}


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
    new_seed = _seeds(random.getrandbits(31) if seed is None else seed)
    shape = tuple(input_shape)
    inputs = keras.Input(shape if len(shape) == 2 else (*shape, 1))
    x = _recurrent_layers(
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
    new_seed = _seeds(random.getrandbits(31) if seed is None else seed)
    inputs = keras.Input((None, input_shape[1]))
    # Half precision cannot hold `MASKED`: there the layers behind are the first to have it.
    is_half = keras.config.dtype_policy().compute_dtype == "float16"
    x = _recurrent_layers(
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
    new_seed = _seeds(random.getrandbits(31) if seed is None else seed)
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
        _draw_embeddings(table, new_seed())
    x = _recurrent_layers(
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


def _draw_embeddings(layer, seed):
    """Draw the vectors of all symbols but the first and the last, which stay zeros."""
    shape = (layer.input_dim - 2, layer.output_dim)
    drawn = keras.initializers.RandomNormal(stddev=_EMBEDDING_SCALE, seed=seed)(shape)
    layer.embeddings.assign(keras.ops.pad(drawn, ((1, 1), (0, 0))))


def _recurrent_layers(
    x,
    cell,
    units,
    activation,
    bidirectional,
    dropout,
    new_seed,
    *,
    sequences=False,
    recurrent_dropout=0.0,
    recurrent_initializer="orthogonal",
    l1=0.0,
    l2=0.0,
    recurrent_l2=0.0,
):
    """Put recurrent layers onto x, with an output after each step or after the last alone."""
    check_keras_name("activation", activation, keras.activations)
    check_name("recurrent_initializer", recurrent_initializer, RECURRENT_INITIALIZERS)
    sizes, levels = _levels(cell, check_units(units))
    penalties = {}
    if l1 or l2:
        penalties["kernel_regularizer"] = keras.regularizers.L1L2(l1, l2)
    if recurrent_l2:
        penalties["recurrent_regularizer"] = keras.regularizers.L2(recurrent_l2)

    def make(size, is_last, **settings):
        return layer_of(
            cell,
            CELLS,
            size,
            activation=activation,
            return_sequences=sequences or not is_last,
            kernel_initializer=keras.initializers.GlorotUniform(new_seed()),
            recurrent_initializer=_drawn_by(recurrent_initializer, new_seed()),
            recurrent_dropout=recurrent_dropout,
            seed=new_seed(),
            **penalties,
            **levels,
            **settings,
        )

    for i, size in enumerate(sizes):
        is_last = i == len(sizes) - 1
        with contextlib.nullcontext() if isinstance(cell, str) else seeded(new_seed()):
            own = layer = make(size, is_last)
            if bidirectional:
                backward = make(size, is_last, go_backwards=True, name=f"{layer.name}_backward")
                with keras.saving.custom_object_scope(own_classes([own])):
                    layer = keras.layers.Bidirectional(own, backward_layer=backward)
                if isinstance(cell, str):  # the copy of a simple RNN has a seed of its own
                    copied, state = layer.forward_layer.cell, own.cell.seed_generator.state
                    copied.seed_generator.state.assign(state)
            x = layer(x)
        if recurrent_initializer == "identity":
            for one in (layer.forward_layer, layer.backward_layer) if bidirectional else (own,):
                for part in getattr(one.cell, "cells", [one.cell]):
                    if (kernel := getattr(part, "recurrent_kernel", None)) is not None:
                        kernel.assign(_identities(kernel.shape, kernel.dtype))
        if dropout:
            x = keras.layers.Dropout(dropout, seed=new_seed())(x)
    return x


def _levels(cell, sizes):
    """Return the sizes of layers, and their settings: a stack of depth-gated LSTMs is one layer."""
    if cell != "depthgated" or len(sizes) == 1:
        return sizes, {}
    if len(set(sizes)) > 1:
        raise ValueError(
            f"units={sizes} has levels of different sizes, but with cell='depthgated' each unit's "
            "memory takes from that of the unit in the same place one level below. Give all levels "
            f"as many units, such as units={(sizes[0],) * len(sizes)}."
        )
    return sizes[:1], {"levels": len(sizes)}


def _drawn_by(name, seed):
    """Return a new initializer of recurrent weights."""
    make = RECURRENT_INITIALIZERS[name]
    return make() if name in ("identity", "zeros") else make(seed=seed)


def _identities(shape, dtype=None):
    """Return identity matrices side by side, one for each gate."""
    units = shape[0]
    return keras.ops.cast(np.tile(np.eye(units), shape[1] // units), dtype)


def _drawn_again(initializer, seed):
    """Return what draws recurrent weights like `initializer`, by another seed."""
    if isinstance(initializer, keras.initializers.Identity):
        return _identities
    settings = initializer.get_config()
    return type(initializer).from_config(
        settings | {"seed": seed} if "seed" in settings else settings
    )


_seeding = threading.RLock()


@contextlib.contextmanager
def seeded(seed):
    """Seed what Keras draws unseeded layers from, and put the global random states back after."""
    with _seeding:
        python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002


def _seeds(seed):
    """Return a function that draws one seed after the other."""
    seeds = random.Random(seed)
    return lambda: seeds.getrandbits(31)


def reseed(model, seed):
    """Give a model of this room's, with a base or without, the variables of another seed."""
    new_seed = _seeds(seed)
    has_base = any(layer.name == "base" for layer in model.layers)

    def glorot(variable):
        return keras.initializers.GlorotUniform(new_seed())(variable.shape, variable.dtype)

    for layer in all_layers(model):
        if isinstance(layer, keras.layers.RNN):
            drawn_by = getattr(layer.cell, "cells", [layer.cell])[0].recurrent_initializer
            redraw(
                layer,
                keras.initializers.GlorotUniform(new_seed()),
                _drawn_again(drawn_by, new_seed()),
            )
            layer.cell.seed_generator.state.assign([new_seed(), 0])
        elif isinstance(layer, keras.layers.Embedding):
            if layer.trainable:
                _draw_embeddings(layer, new_seed())
        elif isinstance(layer, keras.layers.Dropout):
            layer.seed_generator.state.assign([new_seed(), 0])
        elif isinstance(layer, keras.layers.Dense) and layer.trainable:
            kernel = glorot(layer.kernel)
            layer.kernel.assign(keras.ops.zeros_like(kernel) if has_base else kernel)


def all_layers(model):
    """Yield the layers of a model, those inside of `keras.layers.Bidirectional` before it."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Bidirectional):
            yield from (layer.forward_layer, layer.backward_layer)
        yield layer


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
        model = as_compiled(model, keras.Model(inputs, model(inputs)))
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


def as_compiled(model, other):
    """Compile `other` as `model` is, if it is."""
    if model.compiled:
        optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
        other.compile(optimizer, loss=model.loss, run_eagerly=model.run_eagerly, jit_compile=False)
    return other


def check_units(units):
    """Return `units` as a tuple of positive ints, one a layer, or raise a ValueError."""
    sizes = tuple(units) if isinstance(units, (tuple, list)) else (units,)
    if not sizes or not all(
        hasattr(size, "__index__") and not isinstance(size, bool) and size >= 1 for size in sizes
    ):
        raise ValueError(
            f"units={units!r} must be a positive int, or a non-empty tuple of them, one a layer."
        )
    return tuple(int(size) for size in sizes)


def add_base(model, columns, scales, shifts):
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
    model = as_compiled(model, keras.Model(window, sum_of_both))
    set_base(model, columns, scales, shifts)
    return model


def set_base(model, columns, scales, shifts):
    """Put a base into a model of `add_base`'s, and let its training start there."""
    base = model.get_layer("base")
    n_features = base.kernel.shape[0]
    kernel = [
        [scale if column == row else 0.0 for column, scale in zip(columns, scales, strict=True)]
        for row in range(n_features)
    ]
    base.set_weights([keras.ops.convert_to_numpy(kernel), keras.ops.convert_to_numpy(shifts)])
