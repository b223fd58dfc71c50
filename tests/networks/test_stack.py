from dataclasses import fields

import keras
import numpy as np
import pytest

from skrnn.networks import build_encoder_decoder, build_rnn
from skrnn.networks.stack import StackKeywords, StackOptions


def test_keywords_of_builders_are_the_options_of_a_stack():
    options = {option.name: option.type for option in fields(StackOptions)}
    assert StackKeywords.__annotations__ | {"cell": options["cell"], "units": options["units"]} == (
        options
    )


@pytest.mark.parametrize("units", [0, -1, True, 2.5, "8", (), (4, 0), (4, None)])
def test_invalid_units(units):
    with pytest.raises(ValueError, match=r"^units=.* must be a positive int, or a non-empty tuple"):
        build_rnn((5, 2), 1, units=units)


def test_units_of_numpy():
    model = build_rnn((5, 2), 1, units=[np.int64(4), np.int32(3)])
    assert [layer.units for layer in model.layers[1:-1]] == [4, 3]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"cell": "gur"}, "cell='gur' is not known. Did you mean 'gru'"),
        ({"activation": "tahn"}, "activation='tahn' is not known. Did you mean 'tanh'"),
        ({"activation": keras.layers.ReLU}, r"is a class\. Pass an instance of it, or its name"),
        (
            {"recurrent_initializer": "ortogonal"},
            "recurrent_initializer='ortogonal' is not known. Did you mean 'orthogonal'",
        ),
        (
            {"cell": "depthgated", "units": (5, 3)},
            r"units=\(5, 3\) has levels of different sizes, .* such as units=\(5, 5\)\.",
        ),
    ],
)
def test_invalid_options(options, match):
    with pytest.raises(ValueError, match=match):
        build_rnn((5, 2), 1, **options)
    with pytest.raises(ValueError, match=match):
        build_encoder_decoder((5, 2), 1, **options)


def test_activation_is_a_function():
    (layer,) = build_rnn((5, 2), 1, "gru", 3, activation=keras.activations.relu).layers[1:-1]
    assert layer.activation is keras.activations.relu


def test_bidirectional_layers_concatenate_both_directions():
    model = build_rnn((5, 2), 1, "gru", (3, 2), bidirectional=True, seed=0)
    first, second = model.layers[1:-1]
    assert (first.output.shape, second.output.shape) == ((None, 5, 6), (None, 4))
    X = np.random.default_rng(0).normal(size=(2, 5, 2)).astype("float32")
    backward = keras.layers.GRU(3, return_sequences=True)
    backward(X[:, ::-1])
    backward.set_weights(first.backward_layer.get_weights())
    np.testing.assert_allclose(first(X)[:, :, 3:], backward(X[:, ::-1])[:, ::-1], rtol=1e-6)


@pytest.mark.parametrize("cell", ["rnn", "gru", "peephole"])
def test_directions_have_different_weights_and_dropout(cell):
    (layer,) = build_rnn((5, 2), 1, cell, 3, bidirectional=True, recurrent_dropout=0.5).layers[1:-1]
    forward, backward = layer.forward_layer.cell, layer.backward_layer.cell
    for weights, others in zip(forward.weights[:2], backward.weights[:2], strict=True):
        assert not np.array_equal(weights, others)
    states = [cell.seed_generator.state.numpy().tolist() for cell in (forward, backward)]
    assert states[0] != states[1]
