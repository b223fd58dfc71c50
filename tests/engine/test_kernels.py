"""The kernels of SimpleRNN, LSTM and GRU against Keras: outputs and gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import label
from engine_kernel_helpers import compare_with_keras, masks_of_all_kinds, randomize
from keras import layers

from skrnn._engine.eligibility import max_rows_without_xla
from skrnn._engine.patch import find_kernel
from skrnn._engine.trainer import sample_dropout_mask

CELLS = {"rnn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}
each_cell = pytest.mark.parametrize("cell", CELLS)
rng = np.random.default_rng(0)
X = rng.normal(size=(6, 5, 2))


def make(cell, units=3, dtype="float64", input_shape=(None, 5, 2), **settings):
    settings = {"return_sequences": True, "return_state": True} | settings
    layer = CELLS[cell](units, dtype=dtype, **settings)
    layer.build(input_shape)
    randomize(layer)
    return layer


def states_of(cell, n_samples=6, units=3):
    return [rng.normal(size=(n_samples, units)) for _ in range(2 if cell == "lstm" else 1)]


@each_cell
@pytest.mark.parametrize(
    "settings",
    [{}, {"use_bias": False}, {"go_backwards": True}, {"units": 1}, {"return_sequences": False}],
    ids=label,
)
def test_outputs_and_gradients_are_those_of_keras(cell, settings):
    layer, states = make(cell, **settings), states_of(cell, units=settings.get("units", 3))
    compare_with_keras(lambda x, *s: layer(x, initial_state=list(s)), [layer], [X, *states])


@each_cell
def test_one_sample_and_one_time_step(cell):
    layer = make(cell)
    call = lambda x, *s: layer(x, initial_state=list(s))  # noqa: E731
    compare_with_keras(call, [layer], [X[:1, :1], *states_of(cell, n_samples=1)])


@each_cell
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu", "linear"])
def test_activations(cell, activation):
    gates = ["sigmoid", "relu", "tanh"] if activation != "linear" and cell != "rnn" else ["linear"]
    for gate in gates:
        gate_setting = {} if cell == "rnn" else {"recurrent_activation": gate}
        layer = make(cell, activation=activation, **gate_setting)
        compare_with_keras(layer, [layer], [X])


@each_cell
@pytest.mark.parametrize(
    "settings", [{}, {"go_backwards": True}, {"zero_output_for_mask": True}], ids=label
)
def test_masks(cell, settings):
    layer, mask = make(cell, **settings), masks_of_all_kinds()
    states = states_of(cell)
    call = lambda x, *s: layer(x, initial_state=list(s), mask=mask)  # noqa: E731
    _, gradients = compare_with_keras(call, [layer], [X, *states])
    np.testing.assert_array_equal(gradients[0][~mask], 0)
    assert np.abs(gradients[0][mask]).min() > 0


@each_cell
def test_recurrent_dropout_with_given_masks(cell):
    layer, mask = make(cell, recurrent_dropout=0.5), masks_of_all_kinds()
    dropout_masks = sample_dropout_mask(layer, 6, 5)
    assert len(dropout_masks) == {"rnn": 1, "lstm": 4, "gru": 3}[cell]

    def call(x, *states):
        # Keras uses the masks that it finds there; the kernels are passed them.
        one = len(dropout_masks) == 1
        layer.cell._recurrent_dropout_mask = dropout_masks[0] if one else dropout_masks
        return layer(x, initial_state=list(states), mask=mask, training=True)

    inputs = [X, *states_of(cell)]
    outputs, _ = compare_with_keras(call, [layer], inputs, dropout_masks={layer: dropout_masks})
    assert np.abs(outputs[0] - layer(*inputs[:1])[0]).max() > 0.01


@each_cell
def test_layers_that_share_states_and_layers_in_both_directions(cell):
    """Compiled by XLA, in the precision that users train in."""
    bidirectional = layers.Bidirectional(make(cell, dtype="float32", return_state=False))
    bidirectional.build(X.shape)
    encoder = make(cell, dtype="float32", input_shape=(None, 5, 6))
    decoder = make(cell, dtype="float32", input_shape=(None, 5, 3))
    mask = masks_of_all_kinds()

    def call(x):
        y, *states = encoder(bidirectional(x, mask=mask))
        y, *states = decoder(y, initial_state=states, mask=mask)
        return [*decoder(y, initial_state=states), y]  # called twice

    randomize(bidirectional)
    compare_with_keras(call, [bidirectional, encoder, decoder], [X], jit=True)


# The kernel of TensorFlow


@pytest.mark.parametrize(
    "settings",
    [{}, {"use_bias": False}, {"go_backwards": True}, {"return_sequences": False}, {"units": 1}],
    ids=label,
)
def test_lstms_without_xla_are_those_of_keras(settings):
    layer = make("lstm", dtype="float32", **settings)
    states = states_of("lstm", units=settings.get("units", 3))
    call = lambda x, *s: layer(x, initial_state=list(s))  # noqa: E731
    compare_with_keras(call, [layer], [X, *states], xla=False)


def test_stacked_and_bidirectional_lstms_without_xla_are_those_of_keras():
    bidirectional = layers.Bidirectional(make("lstm", dtype="float32", return_state=False))
    bidirectional.build(X.shape)
    last = make("lstm", dtype="float32", input_shape=(None, 5, 6), return_state=False)
    randomize(bidirectional)
    call = lambda x: last(bidirectional(x))  # noqa: E731
    compare_with_keras(call, [bidirectional, last], [X], xla=False)


def test_rows_without_xla():
    def max_rows(*model_layers, input_shape=(5, 2)):
        return max_rows_without_xla(keras.Sequential([layers.Input(input_shape), *model_layers]))

    lstm = layers.LSTM(64, return_sequences=True)
    # A product for all gates at one time step has at most 2**20 multiplications.
    assert max_rows(lstm) == 2**20 // (4 * 64 * (2 + 64))
    assert max_rows(layers.LSTM(125, return_sequences=True), layers.LSTM(8)) == 16
    assert max_rows(layers.Bidirectional(layers.LSTM(3)), layers.Dropout(0.5)) > 0
    for other in (
        layers.GRU(3),
        layers.LSTM(3, activation="relu"),
        layers.LSTM(3, recurrent_dropout=0.5),
        layers.LSTM(3, dtype="float64"),
        layers.LSTM(600),
    ):
        assert max_rows(lstm, other) == 0
    assert max_rows(layers.Dense(3)) == 0
    assert max_rows(layers.Masking(), layers.LSTM(3)) == 0
    tokens = layers.Embedding(4, 2, mask_zero=True)
    assert max_rows(tokens, layers.LSTM(3), input_shape=(5,)) == 0
    x = keras.Input((5, 2))
    mask = keras.ops.any(keras.ops.not_equal(x, 0.0), axis=-1)
    assert max_rows_without_xla(keras.Model(x, layers.LSTM(3)(x, mask=mask))) == 0


# Layers without a kernel


class DerivedLSTM(layers.LSTM):
    pass


@each_cell
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"activation": "relu", "use_bias": False, "go_backwards": True},
        {"return_state": True, "return_sequences": True, "unroll": True},
        {"dtype": "float64", "kernel_regularizer": "l2"},
    ],
    ids=label,
)
def test_settings_with_a_kernel(cell, settings):
    assert find_kernel(CELLS[cell](3, **settings)) is not None


@each_cell
@pytest.mark.parametrize(
    "settings",
    [
        {"dropout": 0.1},
        {"dropout": 0.1, "recurrent_dropout": 0.1},
        {"stateful": True},
        {"activation": "elu"},
        {"activation": lambda x: x},
        {"activation": tf.tanh},
        {"dtype": "mixed_float16"},
    ],
    ids=label,
)
def test_settings_without_a_kernel(cell, settings):
    assert find_kernel(CELLS[cell](3, **settings)) is None


@pytest.mark.parametrize(
    "make_layer",
    [
        lambda: DerivedLSTM(3),
        lambda: layers.GRU(3, reset_after=False),
        lambda: layers.LSTM(3, recurrent_activation="hard_sigmoid"),
        lambda: layers.GRU(3, recurrent_activation="hard_sigmoid"),
        lambda: layers.ConvLSTM1D(3, 2),
        lambda: layers.Dense(3),
    ],
)
def test_layers_without_a_kernel(make_layer):
    assert find_kernel(make_layer()) is None
