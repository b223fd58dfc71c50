"""Stacks of recurrent layers."""

import contextlib

import keras

from .._checks import check_name
from ..layers import LAYERS
from .checks import check_keras_name
from .custom_cells import custom_objects_of, make_recurrent_layer
from .initialize import RECURRENT_INITIALIZERS, identity_blocks, make_initializer, seeded

CELLS = {
    "rnn": keras.layers.SimpleRNN,
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
    **LAYERS,
}


def stack_recurrent_layers(
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
        return make_recurrent_layer(
            cell,
            CELLS,
            size,
            activation=activation,
            return_sequences=sequences or not is_last,
            kernel_initializer=keras.initializers.GlorotUniform(new_seed()),
            recurrent_initializer=make_initializer(recurrent_initializer, new_seed()),
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
                with keras.saving.custom_object_scope(custom_objects_of([own])):
                    layer = keras.layers.Bidirectional(own, backward_layer=backward)
                if isinstance(cell, str):  # the copy of a simple RNN has a seed of its own
                    copied, state = layer.forward_layer.cell, own.cell.seed_generator.state
                    copied.seed_generator.state.assign(state)
            x = layer(x)
        if recurrent_initializer == "identity":
            for one in (layer.forward_layer, layer.backward_layer) if bidirectional else (own,):
                for part in getattr(one.cell, "cells", [one.cell]):
                    if (kernel := getattr(part, "recurrent_kernel", None)) is not None:
                        kernel.assign(identity_blocks(kernel.shape, kernel.dtype))
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
