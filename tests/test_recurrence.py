"""The fast recurrence against `keras.layers.RNN` around the same cells: outputs and gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from test_layers import make as make_layer

from skrnn._engine.recurrence import find_recurrence
from skrnn._engine.trainer import sample_dropout_mask
from skrnn.layers import LAYERS

TOLERANCES = {"float64": (1e-10, 1e-11), "float32": (1e-3, 1e-5)}

each_cell = pytest.mark.parametrize("name", LAYERS)
with_and_without_xla = pytest.mark.parametrize("jit", [True, False], ids=["xla", "plain"])


def by_keras(layer, X, states, mask, heard=()):
    """Return outputs, then states, of arrays whose first axis is time."""
    if heard:  # Keras takes what it finds there for drawn
        layer.cell._recurrent_dropout_mask = heard[0]
    x = tf.transpose(X, (1, 0, 2))
    keras_mask = None if mask is None else tf.transpose(mask[..., 0])
    outputs, *last = layer(x, initial_state=list(states), mask=keras_mask, training=bool(heard))
    return [tf.transpose(outputs, (1, 0, 2)), *last]


def by_recurrence(layer, X, states, mask, heard=()):
    outputs, last = find_recurrence(layer, heard)(X, *states, mask=mask)
    return [outputs, *last]


def check_like_keras(layer, X, states, mask=None, *, jit=False, heard=()):
    """Compare the outputs, the last states and all gradients of a weighted sum of them."""
    rng = np.random.default_rng(5)
    dtype = layer.compute_dtype
    X = tf.constant(X, dtype)
    states = [tf.constant(state, dtype) for state in states]
    mask = None if mask is None else tf.constant(mask)
    shapes = [(*X.shape[:2], layer.cell.output_size), *(state.shape for state in states)]
    weights = [tf.constant(rng.normal(size=shape), dtype) for shape in shapes]
    variables = layer.trainable_variables

    def results_and_gradients(run):
        with tf.GradientTape() as tape:
            tape.watch([X, *states])
            results = run(layer, X, states, mask, heard)
            loss = sum(tf.reduce_sum(r * w) for r, w in zip(results, weights, strict=True))
        into = [X, *states, *(variable.value for variable in variables)]
        zero = tf.UnconnectedGradients.ZERO
        return results, tape.gradient(loss, into, unconnected_gradients=zero)

    compiled = tf.function(results_and_gradients, jit_compile=jit, autograph=False)
    found, expected = compiled(by_recurrence), results_and_gradients(by_keras)
    names = ["outputs", *(f"state {n}" for n in range(len(states)))]
    names += ["gradient of X", *(f"gradient of state {n}" for n in range(len(states)))]
    names += [f"gradient of {variable.path}" for variable in variables]
    flat = keras.tree.flatten
    rtol, atol = TOLERANCES[dtype]
    for name, value, expected_value in zip(names, flat(found), flat(expected), strict=True):
        scale = np.abs(expected_value).max()
        np.testing.assert_allclose(value, expected_value, rtol, atol * max(1, scale), err_msg=name)
    return found, expected


def random_case(layer, n_timesteps, n_samples, n_features=3):
    rng = np.random.default_rng(4)
    X = rng.normal(size=(n_timesteps, n_samples, n_features))
    states = [
        np.full((n_samples, 1), 3.0) if size == 1 else rng.normal(size=(n_samples, size))
        for size in layer.cell.state_size
    ]
    return X, states


def sequences(name, **settings):
    return make_layer(name, return_sequences=True, return_state=True, **settings)


# Mistakes show in float64, where tolerances are narrow; float32 is what XLA compiles for users.
@each_cell
@pytest.mark.parametrize(
    ("dtype", "n_timesteps", "n_samples", "jit"),
    [
        ("float32", 6, 7, True),
        ("float64", 6, 7, True),
        ("float64", 6, 7, False),
        ("float64", 1, 1, True),
        ("float64", 1, 1, False),
        ("float64", 9, 1, True),
        ("float64", 1, 5, False),
    ],
)
def test_outputs_and_gradients_are_those_of_keras(name, dtype, n_timesteps, n_samples, jit):
    layer = sequences(name, dtype=dtype)
    check_like_keras(layer, *random_case(layer, n_timesteps, n_samples), jit=jit)


@with_and_without_xla
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("peephole", {"activation": "relu", "recurrent_activation": "hard_sigmoid"}),
        ("coupled", {"activation": "elu", "unit_forget_bias": False}),
        ("depthgated", {"levels": 1}),
        ("depthgated", {"levels": 3, "activation": "softsign"}),
        ("clockwork", {"periods": (2, 3, 7), "activation": "linear"}),
        ("clockwork", {"periods": (1,)}),
    ],
)
def test_settings_are_followed(name, settings, jit):
    layer = sequences(name, **settings)
    check_like_keras(layer, *random_case(layer, 5, 4), jit=jit)


# Sequences that end early, begin late, have gaps, and are all there, or not at all.
MASKS = [
    [1, 1, 1, 0, 0],
    [1, 0, 0, 0, 0],
    [0, 0, 1, 1, 1],
    [0, 0, 0, 0, 1],
    [1, 0, 1, 0, 1],
    [0, 1, 0, 1, 0],
    [1, 1, 1, 1, 1],
    [0, 0, 0, 0, 0],
]


@with_and_without_xla
@each_cell
@pytest.mark.parametrize("zero", [False, True], ids=["last", "zero"])
def test_masks_are_those_of_keras(name, zero, jit):
    layer = sequences(name)
    layer.zero_output_for_mask = zero
    mask = np.array(MASKS, bool).T[..., None]
    X, states = random_case(layer, 5, 8)
    X[~mask[..., 0]] = 1e3  # is not looked at
    check_like_keras(layer, X, states, mask, jit=jit)


@with_and_without_xla
@each_cell
def test_recurrent_dropout_is_that_of_keras(name, jit):
    layer = sequences(name, recurrent_dropout=0.5)
    X, states = random_case(layer, 5, 4)
    dropped = sample_dropout_mask(layer, 4, 5)
    plain, _ = check_like_keras(layer, X, states, jit=jit)
    found, _ = check_like_keras(layer, X, states, jit=jit, heard=dropped)
    assert np.abs(found[0][0] - plain[0][0]).max() > 0.01


@each_cell
def test_masked_steps_change_nothing(name):
    layer = sequences(name)
    X, states = random_case(layer, 5, 2)
    mask = np.ones((5, 2, 1), bool)
    mask[[1, 3], 0] = False
    outputs, last = find_recurrence(layer)(
        tf.constant(X), *map(tf.constant, states), mask=tf.constant(mask)
    )
    outputs = np.asarray(outputs)
    np.testing.assert_array_equal(outputs[[1, 3], 0], outputs[[0, 2], 0])
    short, short_last = find_recurrence(layer)(
        tf.constant(X[[0, 2, 4], :1]), *(tf.constant(state[:1]) for state in states)
    )
    np.testing.assert_allclose(outputs[::2, :1], short, rtol=1e-12)
    for one, other in zip(last, short_last, strict=True):
        np.testing.assert_allclose(one[:1], other, rtol=1e-12)


@each_cell
def test_values_of_another_scope_are_used(name):
    """As `stateless_call` gives them."""
    layer = sequences(name)
    X, states = (tf.nest.map_structure(tf.constant, part) for part in random_case(layer, 4, 2))
    halved = [(w, w.value / 2) for w in layer.weights]
    with keras.StatelessScope(halved):
        found = find_recurrence(layer)(X, *states)[0]
    for variable, value in halved:
        variable.assign(value)
    np.testing.assert_array_equal(found, find_recurrence(layer)(X, *states)[0])


@with_and_without_xla
def test_wide_layers_part_their_sums(jit):
    for name in LAYERS:
        layer = LAYERS[name](81, return_sequences=True, return_state=True, dtype="float64")
        layer.build((None, 4, 70))
        check_like_keras(layer, *random_case(layer, 4, 77, n_features=70), jit=jit)


@each_cell
def test_trainable_or_not(name):
    layer = sequences(name, trainable=False)
    X, states = (tf.nest.map_structure(tf.constant, part) for part in random_case(layer, 3, 2))
    expected = by_keras(layer, X, states, None)
    for one, other in zip(by_recurrence(layer, X, states, None), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


class OwnRNN(keras.layers.RNN):
    pass


@pytest.mark.parametrize(
    "make",
    [
        lambda: LAYERS["peephole"](3, dropout=0.1),
        lambda: LAYERS["depthgated"](3, dropout=0.1, recurrent_dropout=0.1),
        lambda: LAYERS["clockwork"](3, stateful=True),
        lambda: LAYERS["coupled"](3, dtype="mixed_float16"),
        lambda: keras.layers.RNN(keras.layers.LSTMCell(3)),
        lambda: OwnRNN(LAYERS["coupled"](3).cell),
        lambda: keras.layers.LSTM(3),
        lambda: keras.layers.Dense(3),
    ],
)
def test_what_is_left_to_keras(make):
    assert find_recurrence(make()) is None
