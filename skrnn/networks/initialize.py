"""Initializers and seeds of networks.

All seeds of a network come from one sequence. Its layers take them in order: a recurrent layer
those of `recurrent_settings`, any other layer with an initializer or dropout a single one.
"""

import random
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from .._keras_compat import all_layers, default_rng
from .._process import check_not_forked
from ..layers import reinitialize
from .residual import residual_baseline_layer

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

# Embeddings and one-hot vectors then change the states of the cells by similar amounts.
_EMBEDDING_STDDEV = 0.5


def seed_sequence(seed: int | None) -> Callable[[], int]:
    """Return a function that returns the next seed of a network at each call.

    It is called before a network is built or changed, and raises the RuntimeError of
    `check_not_forked` in a forked process.
    """
    check_not_forked()
    seeds = random.Random(default_rng().getrandbits(31) if seed is None else seed)
    return lambda: seeds.getrandbits(31)


def recurrent_settings(
    recurrent_initializer: Callable[..., Any], new_seed: Callable[[], int]
) -> dict[str, Any]:
    """Return the seeded settings of a recurrent layer, for a new layer as well as for `reseed`."""
    kernel_initializer = keras.initializers.GlorotUniform(new_seed())
    seed = {"seed": new_seed()}
    if recurrent_initializer in (keras.initializers.Identity, keras.initializers.Zeros):
        seed = {}
    return {
        "kernel_initializer": kernel_initializer,
        "recurrent_initializer": recurrent_initializer(**seed),
        "seed": new_seed(),
    }


def initialize_identity(layer: keras.Layer) -> None:
    """Set the recurrent weights of a layer to an identity matrix for each gate.

    `keras.initializers.Identity` initializes only square matrices in this way.
    """
    if isinstance(layer, keras.layers.Bidirectional):
        initialize_identity(layer.forward_layer)
        initialize_identity(layer.backward_layer)
        return
    for cell in getattr(layer.cell, "cells", [layer.cell]):
        if (kernel := getattr(cell, "recurrent_kernel", None)) is not None:
            units, n_columns = kernel.shape
            identity = np.tile(np.eye(units), n_columns // units)
            kernel.assign(keras.ops.cast(identity, kernel.dtype))


def initialize_embeddings(layer: keras.layers.Embedding, seed: int) -> None:
    """Initialize the embeddings of all tokens. The first and the last row are zeros."""
    shape = (layer.input_dim - 2, layer.output_dim)
    embeddings = keras.initializers.RandomNormal(stddev=_EMBEDDING_STDDEV, seed=seed)(shape)
    layer.embeddings.assign(keras.ops.pad(embeddings, ((1, 1), (0, 0))))


def reseed(model: keras.Model, seed: int) -> None:
    """Initialize a model of a builder as if it had been built with another seed."""
    new_seed = seed_sequence(seed)
    for layer in all_layers(model):
        if isinstance(layer, keras.layers.RNN):
            cell = getattr(layer.cell, "cells", [layer.cell])[0]
            settings = recurrent_settings(type(cell.recurrent_initializer), new_seed)
            reinitialize(layer, settings["kernel_initializer"], settings["recurrent_initializer"])
            if isinstance(cell.recurrent_initializer, keras.initializers.Identity):
                initialize_identity(layer)
            layer.cell.seed_generator.state.assign([settings["seed"], 0])
        elif isinstance(layer, keras.layers.Embedding) and layer.trainable:
            initialize_embeddings(layer, new_seed())
        elif isinstance(layer, keras.layers.Dropout):
            layer.seed_generator.state.assign([new_seed(), 0])
        elif isinstance(layer, keras.layers.Dense) and layer.trainable:
            initializer = keras.initializers.GlorotUniform(new_seed())
            if residual_baseline_layer(model) is not None:
                initializer = keras.initializers.Zeros()
            layer.kernel.assign(initializer(layer.kernel.shape, layer.kernel.dtype))
