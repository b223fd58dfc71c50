"""Private names of Keras, and functions that traverse the layers of a model."""

import contextlib
import random
import threading
from collections.abc import Iterator
from typing import Any

from ._process import check_backend

check_backend()  # before the import, which fails if the library of another backend is missing

import keras  # noqa: E402
import keras.src.random.seed_generator  # noqa: E402
from keras.src.layers.rnn.dropout_rnn_cell import (  # noqa: E402
    DropoutRNNCell as DropoutRNNCell,
)

_thread = threading.local()
# Held while a model is built or a graph of it is traced: `default_seeds` replaces a module of Keras
# meanwhile, and `_engine.patch` methods of the layers.
model_lock = threading.RLock()


def default_rng() -> Any:
    """Return the generator of the seeds of layers that have none: `random`, or `default_seeds`."""
    return getattr(_thread, "rng", random)


class _DefaultRandom:
    """Replacement of the module `random` inside of Keras during `default_seeds`."""

    @staticmethod
    def randint(a: int, b: int) -> int:
        return default_rng().randint(a, b)


@contextlib.contextmanager
def default_seeds(seed: int) -> Iterator[None]:
    """Draw the seeds of layers and initializers that have none from `seed`, in this thread.

    Outside, Keras draws them from Python's global random state, which is neither read nor changed.
    """
    module: Any = keras.src.random.seed_generator
    with model_lock:
        original, outer = module.python_random, default_rng()
        module.python_random, _thread.rng = _DefaultRandom, random.Random(seed)
        try:
            yield
        finally:
            module.python_random, _thread.rng = original, outer


def all_layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """Yield the layers of a model, with those inside of each Bidirectional layer before it."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Bidirectional):
            yield from (layer.forward_layer, layer.backward_layer)
        yield layer


def recurrent_layers(model: keras.Model) -> list[keras.layers.RNN]:
    """Return the recurrent layers of a model, without those inside of other layers."""
    return [layer for layer in model.layers if isinstance(layer, keras.layers.RNN)]


def flatten_layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """Yield a model and the layers and cells inside of it, at any depth."""
    return model._flatten_layers()


def n_calls(model: keras.Model, layer: keras.layers.Layer) -> int:
    """Return how many times a model calls one of its layers, which other models may call too."""
    graph = getattr(model, "_functional", None) or model  # the functional model of a Sequential
    nodes = [node for same_depth in graph._nodes_by_depth.values() for node in same_depth]
    return sum(node.operation is layer for node in nodes)
