"""The cells against steps in NumPy, finite differences, and the number of their parameters."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from skrnn import layers
from skrnn.layers import (
    LAYERS,
    ClockworkRNNCell,
    CoupledLSTMCell,
    DepthGatedLSTMCell,
    PeepholeLSTMCell,
)

each_cell = pytest.mark.parametrize("name", LAYERS)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# One time step of each cell: (weights by name, x, states, number of the time step) -> states


def peephole_step(w, x, states, t):
    h, c = states
    W, U, b, p = w["kernel"], w["recurrent_kernel"], w["bias"], w["peepholes"]
    u = h.shape[1]
    a = x @ W + h @ U + b
    i = sigmoid(a[:, :u] + c * p[0])
    f = sigmoid(a[:, u : 2 * u] + c * p[1])
    c = f * c + i * np.tanh(a[:, 2 * u : 3 * u])
    o = sigmoid(a[:, 3 * u :] + c * p[2])
    return [o * np.tanh(c), c]


def coupled_step(w, x, states, t):
    h, c = states
    u = h.shape[1]
    a = x @ w["kernel"] + h @ w["recurrent_kernel"] + w["bias"]
    i, g, o = sigmoid(a[:, :u]), np.tanh(a[:, u : 2 * u]), sigmoid(a[:, 2 * u :])
    c = c - i * c + i * g
    return [o * np.tanh(c), c]


def depthgated_step(w, x, states, t):
    new_states, below = [], None
    for level in range(len(states) // 2):
        h, c = states[2 * level : 2 * level + 2]
        u = h.shape[1]
        W, U, b = (w[f"level_{level}/{part}"] for part in ("kernel", "recurrent_kernel", "bias"))
        block = [slice(k * u, (k + 1) * u) for k in range(5)]
        i, f, g, o = (x @ W[:, k] + h @ U[:, k] + b[k] for k in block[:4])
        new_c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        if level:
            w_c, w_below = w[f"level_{level}/depth_weights"]
            d = sigmoid(x @ W[:, block[4]] + b[block[4]] + w_c * c + w_below * below)
            new_c = new_c + d * below
        x = sigmoid(o) * np.tanh(new_c)
        below = new_c
        new_states += [x, new_c]
    return new_states


def clockwork_step(w, x, states, t):
    h, number = states
    new_h = h.copy()
    module = [0, 0, 1, 2, 3]  # of five units in four modules
    for unit in range(5):
        if t % 2 ** module[unit] == 0:
            senders = [other for other in range(5) if module[other] >= module[unit]]
            a = x @ w["kernel"][:, unit] + w["bias"][unit]
            a = a + h[:, senders] @ w["recurrent_kernel"][senders, unit]
            new_h[:, unit] = np.tanh(a)
    return [new_h, (number + 1) % 8]


STEPS = {
    "peephole": peephole_step,
    "coupled": coupled_step,
    "depthgated": depthgated_step,
    "clockwork": clockwork_step,
}
UNITS = 5


def make(name, n_features=3, **settings):
    """Return a built layer with random weights: initial zeros would hide errors."""
    layer = LAYERS[name](UNITS, **({"dtype": "float64"} | settings))
    layer.build((None, None, n_features))
    rng = np.random.default_rng(0)
    for variable in layer.trainable_variables:
        variable.assign(rng.normal(scale=0.6, size=variable.shape))
    return layer


def weights_of(layer):
    """Return the weights of a layer by their names within the cell."""
    return {w.path.partition(f"{layer.cell.name}/")[2]: w.numpy() for w in layer.weights}


def plain_loop(name, layer, X, states):
    """Return the outputs and the last states."""
    outputs = []
    for t in range(X.shape[1]):
        states = STEPS[name](weights_of(layer), X[:, t], states, t)
        outputs.append(states[-2] if name == "depthgated" else states[0])
    return np.stack(outputs, axis=1), states


def random_states(layer, n_samples):
    rng = np.random.default_rng(1)
    sizes = layer.cell.state_size
    return [np.zeros((n_samples, 1)) if s == 1 else rng.normal(size=(n_samples, s)) for s in sizes]


@pytest.mark.parametrize(
    ("name", "settings"), [*((name, {}) for name in LAYERS), ("depthgated", {"levels": 3})]
)
def test_layer_equals_a_loop_in_numpy(name, settings):
    layer = make(name, return_sequences=True, return_state=True, **settings)
    X = np.random.default_rng(2).normal(size=(4, 9, 3))
    states = random_states(layer, 4)
    expected, expected_states = plain_loop(name, layer, X, states)
    outputs, *last = layer(X, initial_state=[tf.constant(state) for state in states])
    np.testing.assert_allclose(outputs, expected, rtol=1e-11)
    for state, expected_state in zip(last, expected_states, strict=True):
        np.testing.assert_allclose(state, expected_state, rtol=1e-11)
    last_output = make(name, **settings)
    last_output.set_weights(layer.get_weights())
    zeros = [np.zeros_like(state) for state in states]
    expected, _ = plain_loop(name, layer, X, zeros)
    np.testing.assert_allclose(last_output(X), expected[:, -1], rtol=1e-11)


@each_cell
def test_gradients_equal_finite_differences(name):
    layer = make(name, n_features=2)
    rng = np.random.default_rng(3)
    X, weights = rng.normal(size=(2, 3, 2)), rng.normal(size=UNITS)

    def loss():
        return tf.reduce_sum(layer(X) * weights)

    variables = layer.trainable_variables
    with tf.GradientTape() as tape:
        value = loss()
    gradients = tape.gradient(value, [variable.value for variable in variables])
    for variable, gradient in zip(variables, gradients, strict=True):
        gradient = np.asarray(gradient)
        assert np.abs(gradient).max() > 1e-3
        start = variable.numpy()
        for index in rng.permutation(list(np.ndindex(*start.shape)))[:3]:
            index = tuple(index)
            values = []
            for change in (1e-5, -1e-5):
                changed = start.copy()
                changed[index] += change
                variable.assign(changed)
                values.append(float(loss()))
            variable.assign(start)
            difference = (values[0] - values[1]) / 2e-5
            assert gradient[index] == pytest.approx(difference, rel=1e-5, abs=1e-8), variable.path


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("peephole", lambda d, u: 4 * u * (d + u + 1) + 3 * u),
        ("coupled", lambda d, u: 3 * u * (d + u + 1)),
        (
            "depthgated",
            lambda d, u: 4 * u * (d + u + 1) + 4 * u * (2 * u + 1) + u * (u + 1) + 2 * u,
        ),
        ("clockwork", lambda d, u: u * (d + u + 1)),
    ],
)
def test_parameter_counts(name, count):
    layer = LAYERS[name](7)
    layer.build((None, 4, 3))
    assert layer.count_params() == count(3, 7)


def test_peephole_and_depth_gated_cells_start_as_an_lstm():
    lstm = keras.layers.LSTM(6, kernel_initializer=keras.initializers.GlorotUniform(1))
    X = np.random.default_rng(0).normal(size=(3, 5, 2)).astype("float32")
    expected = lstm(X)
    for name, settings in [("peephole", {}), ("depthgated", {"levels": 1})]:
        layer = LAYERS[name](6, **settings)
        layer.build(X.shape)
        assert layer.get_weights()[2].tolist() == lstm.get_weights()[2].tolist()
        for variable, value in zip(layer.weights, lstm.get_weights(), strict=False):
            variable.assign(value)
        np.testing.assert_allclose(layer(X), expected, rtol=1e-5, atol=1e-6)


def test_most_of_the_cell_state_is_kept_at_the_start_of_training():
    for name in ("peephole", "coupled", "depthgated"):
        for forget in (True, False):
            layer = LAYERS[name](6, unit_forget_bias=forget, kernel_initializer="zeros")
            layer.build((None, 1, 2))
            c = np.ones((1, 6), "float32")
            states = [np.zeros_like(c), c] * (len(layer.cell.state_size) // 2)
            _, states = layer.cell(np.zeros((1, 2), "float32"), states)
            assert np.asarray(states[1])[0, 0] == pytest.approx(sigmoid(float(forget)), rel=1e-5)


def test_cell_state_of_coupled_gates_is_bounded():
    layer = make("coupled", return_state=True)
    X = np.random.default_rng(0).normal(scale=5, size=(8, 200, 3))
    _, _, c = layer(X)
    assert np.abs(c).max() <= 1


def test_depth_gate_passes_the_cell_state_of_the_level_below():
    layer = make("depthgated", return_state=True)
    upper = layer.cell.cells[1]
    X = np.random.default_rng(0).normal(size=(4, 6, 3))
    bias = upper.bias.numpy()
    for is_closed in (True, False):
        # The input and forget gates are closed, the depth gate is closed or open.
        bias[:] = 0
        bias[:UNITS], bias[UNITS : 2 * UNITS] = -50, -50
        bias[4 * UNITS :] = -50 if is_closed else 50
        upper.bias.assign(bias)
        for variable in (upper.kernel, upper.recurrent_kernel, upper.depth_weights):
            variable.assign(np.zeros(variable.shape))
        _, _, c_below, _, c = layer(X)
        np.testing.assert_allclose(c, 0 if is_closed else c_below, atol=1e-15)


# Clockwork


def test_clockwork_modules_are_updated_at_their_periods():
    layer = LAYERS["clockwork"](8, periods=(1, 2, 3, 6), return_sequences=True, dtype="float64")
    X = np.random.default_rng(0).normal(size=(2, 13, 1))
    h = np.asarray(layer(X))
    changed = np.any(np.diff(h, axis=1, prepend=0) != 0, axis=0)
    for module, period in enumerate((1, 2, 3, 6)):
        expected = np.arange(13) % period == 0
        for unit in (2 * module, 2 * module + 1):
            np.testing.assert_array_equal(changed[:, unit], expected)


def test_clockwork_modules_receive_the_state_of_slower_modules():
    layer = make("clockwork", n_features=1, return_state=True)
    X = tf.zeros((1, 1, 1), "float64")
    h = tf.Variable(np.full((1, UNITS), 0.3))
    with tf.GradientTape() as tape:
        _, new_h, _ = layer(X, initial_state=[h, tf.zeros((1, 1), "float64")])
    effect = np.asarray(tape.jacobian(new_h, h))[0, :, 0]  # (receiver, sender)
    module = np.array([0, 0, 1, 2, 3])
    np.testing.assert_array_equal(effect != 0, module[None, :] >= module[:, None])


def test_clockwork_does_not_count_masked_time_steps():
    layer = make("clockwork", n_features=1, return_state=True)
    X = np.random.default_rng(0).normal(size=(1, 7, 1))
    mask = np.array([[True, False, True, False, False, True, True]])
    h, _, number = layer(X, mask=mask)
    expected, _, expected_number = layer(X[:, mask[0]])
    np.testing.assert_array_equal(h, expected)
    assert float(number[0, 0]) == float(expected_number[0, 0]) == 4


@pytest.mark.parametrize(
    ("units", "periods", "expected"),
    [(6, (1, 2, 4, 8), [1, 1, 2, 2, 4, 8]), (2, (1, 2, 4, 8), [1, 2]), (3, (5,), [5, 5, 5])],
)
def test_clockwork_units_are_divided_evenly(units, periods, expected):
    layer = LAYERS["clockwork"](units, periods=periods, return_sequences=True)
    h = np.asarray(layer(np.random.default_rng(0).normal(size=(1, 9, 1))))[0]
    n_updates = np.count_nonzero(np.diff(h, axis=0, prepend=0), axis=0)
    assert n_updates.tolist() == [-(-9 // period) for period in expected]


# The cells in layers of Keras


@each_cell
def test_bidirectional(name):
    layer = keras.layers.Bidirectional(make(name, return_sequences=True), dtype="float64")
    X = np.random.default_rng(0).normal(size=(4, 6, 3))
    both = np.asarray(layer(X))
    assert both.shape == (4, 6, 2 * UNITS)
    forward, backward = layer.forward_layer, layer.backward_layer
    zeros = [np.zeros((4, size)) for size in forward.cell.state_size]
    expected, _ = plain_loop(name, forward, X, zeros)
    np.testing.assert_allclose(both[..., :UNITS], expected, rtol=1e-11)
    expected, _ = plain_loop(name, backward, X[:, ::-1], zeros)
    np.testing.assert_allclose(both[..., UNITS:], expected[:, ::-1], rtol=1e-11)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras
@each_cell
def test_model_is_saved_and_loaded(name, tmp_path):
    x = keras.Input((6, 2))
    layer = LAYERS[name](
        4,
        activation="relu",
        kernel_initializer=keras.initializers.GlorotUniform(3),
        kernel_regularizer="l2",
        recurrent_regularizer=keras.regularizers.L1(0.1),
        dropout=0.1,
        recurrent_dropout=0.2,
        seed=5,
        **({"periods": (1, 3)} if name == "clockwork" else {}),
        **({"levels": 3} if name == "depthgated" else {}),
    )
    model = keras.Model(x, [layer(x), keras.layers.Bidirectional(layer)(x)])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    X = np.random.default_rng(0).normal(size=(3, 6, 2)).astype("float32")
    for output, expected in zip(loaded(X), model(X), strict=True):
        np.testing.assert_array_equal(output, expected)
    assert [w.path.split("/")[-1] for w in loaded.weights] == [
        w.path.split("/")[-1] for w in model.weights
    ]
    np.testing.assert_allclose(sum(loaded.losses), sum(model.losses), rtol=1e-6)
    assert loaded.layers[1].cell.get_config() == layer.cell.get_config()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras
def test_model_loads_in_a_fresh_process_after_the_import(tmp_path):
    x = keras.Input((6, 2))
    model = keras.Model(x, LAYERS["peephole"](4)(x))
    model.save(tmp_path / "model.keras")
    code = (
        "import keras, skrnn.layers;"
        f"print(keras.saving.load_model({str(tmp_path / 'model.keras')!r}).count_params())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120
    )
    assert int(run.stdout) == model.count_params()


@each_cell
def test_settings_reach_the_cell(name):
    settings = {
        "activation": "relu",
        "return_sequences": True,
        "go_backwards": True,
        "kernel_initializer": keras.initializers.GlorotUniform(1),
        "recurrent_initializer": keras.initializers.Orthogonal(seed=2),
        "kernel_regularizer": keras.regularizers.L2(0.5),
        "seed": 7,
        "name": "layer",
    }
    layer = LAYERS[name](3, **settings)
    assert layer.name == "layer"
    assert layer.return_sequences
    assert layer.go_backwards
    assert layer.cell.seed == 7
    layer(np.zeros((1, 2, 2), "float32"))
    first = getattr(layer.cell, "cells", [layer.cell])[0]
    assert first.activation is keras.activations.relu
    expected = keras.initializers.GlorotUniform(1)(first.kernel.shape)
    np.testing.assert_array_equal(first.kernel.numpy(), expected)
    expected = keras.initializers.Orthogonal(seed=2)(first.recurrent_kernel.shape)
    np.testing.assert_array_equal(first.recurrent_kernel.numpy(), expected)
    assert float(layer.losses[0]) == pytest.approx(
        0.5 * float(np.sum(np.square(first.kernel.numpy()))), rel=1e-5
    )


def test_levels_have_different_weights_determined_by_the_seed():
    def kernels():
        layer = LAYERS["depthgated"](
            4,
            levels=3,
            kernel_initializer=keras.initializers.GlorotUniform(1),
            recurrent_initializer=keras.initializers.Orthogonal(seed=1),
        )
        layer.build((None, 2, 4))
        cells = layer.cell.cells
        return [getattr(c, n).numpy() for n in ("kernel", "recurrent_kernel") for c in cells]

    first, second = kernels(), kernels()
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[1], first[2])
    assert not np.array_equal(first[3], first[4])


@each_cell
def test_dropout_multiplies_by_the_same_mask_at_all_time_steps(name):
    settings = {"dropout": 0.5, "recurrent_dropout": 0.5, "seed": 3}
    layer, plain = make(name, **settings), make(name)
    X = np.random.default_rng(0).normal(size=(4, 6, 3))
    np.testing.assert_array_equal(layer(X), plain(X))  # nothing is dropped in prediction
    first, second = layer(X, training=True), layer(X, training=True)
    assert not np.array_equal(first, plain(X))
    assert not np.array_equal(first, second)
    inputs_only = make(name, dropout=0.5, seed=3)
    mask = inputs_only.cell.get_dropout_mask(tf.ones((4, 3), "float64"))
    inputs_only.cell.reset_dropout_mask()
    inputs_only.cell.seed_generator.state.assign([3, 0])
    dropped = inputs_only(X, training=True)
    np.testing.assert_allclose(dropped, plain(X * np.asarray(mask)[:, None]), rtol=1e-11)


@each_cell
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_mixed_precision_rounds_the_outputs_of_float32(name, dtype):
    X = np.random.default_rng(0).normal(size=(2, 9, 2)).astype("float32")
    layer = LAYERS[name](5, return_sequences=True, dtype=f"mixed_{dtype}")
    single = LAYERS[name](5, return_sequences=True, dtype="float32")
    mask = tf.constant([[True] * 6 + [False] * 3, [False, True] * 4 + [True]])
    output, _ = layer(X, mask=mask), single(X)
    assert output.dtype == dtype
    assert layer.trainable_variables[0].dtype == "float32"
    single.set_weights(layer.get_weights())
    expected = single(X, mask=mask)
    np.testing.assert_allclose(tf.cast(output, "float32"), expected, atol=0.05)


def test_clockwork_counts_all_time_steps_in_half_precision():
    layer = LAYERS["clockwork"](2, periods=(1, 256), return_sequences=True, dtype="mixed_bfloat16")
    h = tf.cast(layer(np.ones((1, 520, 1), "float32")), "float32").numpy()[0, :, 1]
    assert np.flatnonzero(np.diff(h)).tolist() == [255, 511]


@pytest.mark.parametrize(
    ("make_cell", "message"),
    [
        (lambda: PeepholeLSTMCell(0), "units=0 must be an int of at least 1"),
        (lambda: CoupledLSTMCell(2.5), r"units=2\.5 must be an int"),
        (lambda: DepthGatedLSTMCell(2, levels=0), "levels=0 must be an int of at least 1"),
        (lambda: PeepholeLSTMCell(2, dropout=1.0), r"dropout=1\.0 must be at least 0 and less"),
        (lambda: ClockworkRNNCell(2, recurrent_dropout=-0.1), r"recurrent_dropout=-0\.1 must be"),
        (lambda: ClockworkRNNCell(2, periods=(2, 1)), r"periods=\(2, 1\) must be increasing ints"),
        (lambda: ClockworkRNNCell(2, periods=()), r"periods=\(\) must be increasing ints"),
        (lambda: ClockworkRNNCell(2, periods=(0, 1)), r"periods=\(0, 1\) must be increasing ints"),
        (
            lambda: ClockworkRNNCell(4, periods=(1, 3, 7, 13), dtype="mixed_bfloat16"),
            r"periods=\(1, 3, 7, 13\) repeat after 273 time steps, but bfloat16 .* up to 256",
        ),
        (
            lambda: ClockworkRNNCell(4, periods=(1, 3, 7, 101), dtype="mixed_float16"),
            "repeat after 2121 time steps, but float16 can only count up to 2048",
        ),
    ],
)
def test_errors_name_the_value(make_cell, message):
    with pytest.raises(ValueError, match=message):
        make_cell()


def test_layer_of_a_cell_of_keras():
    layer = layers.recurrent_layer(keras.layers.LSTMCell, 3, return_state=True)
    assert len(layer(np.ones((2, 4, 1), "float32"))) == 3
