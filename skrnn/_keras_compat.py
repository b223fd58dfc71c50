"""Private names of Keras, and functions that traverse the layers of a model."""

from collections.abc import Iterator

import keras
from keras.src.layers.rnn.dropout_rnn_cell import DropoutRNNCell as DropoutRNNCell


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
