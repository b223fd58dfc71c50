"""Private names of Keras, and functions that traverse its models."""

import keras


def all_layers(model):
    """Yield the layers of a model, those inside of `keras.layers.Bidirectional` before it."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Bidirectional):
            yield from (layer.forward_layer, layer.backward_layer)
        yield layer


def recurrent_layers(model):
    return [layer for layer in model.layers if isinstance(layer, keras.layers.RNN)]


def n_calls(model, layer):
    """Return how often a model calls one of its layers: others may call it too."""
    graph = getattr(model, "_functional", None) or model  # a Sequential holds one
    nodes = [node for same_depth in graph._nodes_by_depth.values() for node in same_depth]
    return sum(node.operation is layer for node in nodes)
