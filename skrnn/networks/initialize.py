"""Initializers, seeds, and the reinitialization of a built network."""

import contextlib
import random
import threading

import keras
import numpy as np

from .._keras_compat import all_layers
from ..layers import reinitialize

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


def initialize_embeddings(layer, seed):
    """Draw the vectors of all symbols but the first and the last, which stay zeros."""
    shape = (layer.input_dim - 2, layer.output_dim)
    drawn = keras.initializers.RandomNormal(stddev=_EMBEDDING_SCALE, seed=seed)(shape)
    layer.embeddings.assign(keras.ops.pad(drawn, ((1, 1), (0, 0))))


def make_initializer(name, seed):
    """Return a new initializer of recurrent weights."""
    make = RECURRENT_INITIALIZERS[name]
    return make() if name in ("identity", "zeros") else make(seed=seed)


def identity_blocks(shape, dtype=None):
    """Return identity matrices side by side, one for each gate."""
    units = shape[0]
    return keras.ops.cast(np.tile(np.eye(units), shape[1] // units), dtype)


def reseed_initializer(initializer, seed):
    """Return what draws recurrent weights like `initializer`, by another seed."""
    if isinstance(initializer, keras.initializers.Identity):
        return identity_blocks
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


def seed_sequence(seed):
    """Return a function that draws one seed after the other."""
    seeds = random.Random(seed)
    return lambda: seeds.getrandbits(31)


def reseed(model, seed):
    """Give a model of this room's, with a base or without, the variables of another seed."""
    new_seed = seed_sequence(seed)
    has_base = any(layer.name == "base" for layer in model.layers)

    def glorot(variable):
        return keras.initializers.GlorotUniform(new_seed())(variable.shape, variable.dtype)

    for layer in all_layers(model):
        if isinstance(layer, keras.layers.RNN):
            drawn_by = getattr(layer.cell, "cells", [layer.cell])[0].recurrent_initializer
            reinitialize(
                layer,
                keras.initializers.GlorotUniform(new_seed()),
                reseed_initializer(drawn_by, new_seed()),
            )
            layer.cell.seed_generator.state.assign([new_seed(), 0])
        elif isinstance(layer, keras.layers.Embedding):
            if layer.trainable:
                initialize_embeddings(layer, new_seed())
        elif isinstance(layer, keras.layers.Dropout):
            layer.seed_generator.state.assign([new_seed(), 0])
        elif isinstance(layer, keras.layers.Dense) and layer.trainable:
            kernel = glorot(layer.kernel)
            layer.kernel.assign(keras.ops.zeros_like(kernel) if has_base else kernel)
