"""Kernels against Keras' own layers: outputs, and the gradients of all that goes in."""

import contextlib
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import label
from keras import layers

from skrnn import _kernels
from skrnn._engine.patch import find_kernel, patched_layers
from skrnn._engine.trainer import sample_dropout_mask
from skrnn._keras_compat import all_layers

CELLS = {"rnn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}
TOLERANCES = {"float64": (1e-10, 1e-10), "float32": (1e-4, 1e-5)}  # atol as a share of the largest

each_cell = pytest.mark.parametrize("cell", CELLS)
with_and_without_xla = pytest.mark.parametrize("jit", [True, False], ids=["xla", "plain"])
# Mistakes show in float64, where tolerances are narrow; float32 is what XLA compiles for users.
in_either_dtype = pytest.mark.parametrize(
    ("dtype", "jit"),
    [("float64", True), ("float64", False), ("float32", True)],
    ids=["float64-xla", "float64-plain", "float32-xla"],
)


@pytest.fixture
def refuse_keras(monkeypatch):
    """Return a context in which Keras' own computation of layers that have kernels fails."""

    def refuse(*arguments, **options):
        raise AssertionError("Keras' own layer ran")

    @contextlib.contextmanager
    def context():
        with monkeypatch.context() as patch:
            for layer in CELLS.values():
                patch.setattr(layer, "inner_loop", refuse)
            patch.setattr(layers.Dense, "call", refuse)
            yield

    return context


def randomize(model, seed=0):
    """Set all variables to random numbers: Keras' biases are zero at first, and hide mistakes."""
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(scale=0.7 / np.sqrt(variable.shape[0]), size=variable.shape))


def outputs_and_gradients(model, inputs, weights, context):
    with context, tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = keras.tree.flatten(model(inputs if len(inputs) > 1 else inputs[0], training=True))
        loss = sum(tf.reduce_sum(y * w) for y, w in zip(outputs, weights, strict=True))
    variables = [variable.value for variable in model.trainable_variables]
    return outputs, tape.gradient(loss, [*inputs, *variables])


def check_like_keras(model, n_samples, *, jit, refuse_keras):
    """Compare the outputs and all gradients of a weighted sum of them, on random numbers."""
    randomize(model)
    rng = np.random.default_rng(1)
    dtype = model.inputs[0].dtype

    def random(tensor):
        return tf.constant(rng.normal(size=(n_samples, *tensor.shape[1:])), dtype)

    inputs = [random(tensor) for tensor in model.inputs]
    weights = [random(tensor) for tensor in model.outputs]

    @tf.function(jit_compile=jit, autograph=False)
    def by_kernels(inputs):
        return outputs_and_gradients(model, inputs, weights, patched_layers(model))

    expected = outputs_and_gradients(model, inputs, weights, contextlib.nullcontext())
    with refuse_keras():
        found = by_kernels(inputs)

    names = [f"output {i}" for i in range(len(weights))]
    names += [f"gradient of {tensor.name}" for tensor in model.inputs]
    names += [f"gradient of {variable.path}" for variable in model.trainable_variables]
    flat = keras.tree.flatten
    for name, value, expected_value in zip(names, flat(found), flat(expected), strict=True):
        scale = float(tf.reduce_max(tf.abs(expected_value)))
        assert scale > 0, f"{name} says nothing"
        rtol, atol = TOLERANCES[dtype]
        np.testing.assert_allclose(value, expected_value, rtol, atol * max(1, scale), err_msg=name)


# Functional models, by what they are about: (samples in the batch, the model of a cell)


def one_layer(Cell, dtype):
    x = keras.Input((5, 1), dtype=dtype)
    return 3, keras.Model(x, layers.Dense(1, dtype=dtype)(Cell(4, dtype=dtype)(x)))


def initial_states(Cell, units, dtype):
    return [keras.Input((units,), dtype=dtype) for _ in range(2 if Cell is layers.LSTM else 1)]


def one_timestep_and_unit(Cell, dtype):
    x, begin = keras.Input((1, 2), dtype=dtype), initial_states(Cell, 1, dtype)
    layer = Cell(1, dtype=dtype)
    return 1, keras.Model([x, *begin], [layer(x), layer(x, initial_state=begin)])


def sequences_backwards(Cell, dtype):
    x = keras.Input((4, 3), dtype=dtype)
    y = Cell(2, return_sequences=True, go_backwards=True, dtype=dtype)(x)
    y = Cell(3, return_sequences=True, dtype=dtype)(y)
    return 7, keras.Model(x, [layers.Dense(2, dtype=dtype)(y), y])


def stacked_without_bias(Cell, dtype):
    x = keras.Input((4, 2), dtype=dtype)
    y = Cell(5, return_sequences=True, use_bias=False, dtype=dtype)(x)
    y = Cell(3, go_backwards=True, use_bias=False, dtype=dtype)(y)
    return 1, keras.Model(x, layers.Dense(2, use_bias=False, dtype=dtype)(y))


def bidirectional(Cell, dtype):
    x = keras.Input((4, 2), dtype=dtype)
    first = Cell(3, return_sequences=True, dtype=dtype)
    y = layers.Bidirectional(first, merge_mode="concat", dtype=dtype)(x)
    backward = Cell(2, go_backwards=True, dtype=dtype)
    last = Cell(2, dtype=dtype)
    y = layers.Bidirectional(last, merge_mode="sum", backward_layer=backward, dtype=dtype)(y)
    return 3, keras.Model(x, y)


def encoder_and_decoder(Cell, dtype):
    x, z = keras.Input((4, 2), dtype=dtype), keras.Input((3, 1), dtype=dtype)
    begin = initial_states(Cell, 3, dtype)
    _, *states = Cell(3, return_state=True, dtype=dtype)(x, initial_state=begin)
    decoder = Cell(3, return_sequences=True, return_state=True, dtype=dtype)
    y, *states = decoder(z, initial_state=states)
    return 3, keras.Model([x, z, *begin], [y, *states])


def used_twice(Cell, dtype):
    x = keras.Input((3, 2), dtype=dtype)
    layer = Cell(2, return_sequences=True, dtype=dtype)
    return 3, keras.Model(x, layer(layer(x)))


def wide(Cell, dtype):
    """Sums over the units and over the batch's time steps that `_product` parts."""
    x = keras.Input((4, 2), dtype=dtype)
    y = Cell(85, return_sequences=True, dtype=dtype)(x)
    return 77, keras.Model(x, Cell(81, dtype=dtype)(y))


MODELS = [
    one_layer,
    one_timestep_and_unit,
    sequences_backwards,
    stacked_without_bias,
    bidirectional,
    encoder_and_decoder,
    used_twice,
]


@with_and_without_xla
@each_cell
@pytest.mark.parametrize("make", MODELS)
def test_outputs_and_gradients_are_those_of_keras(make, cell, jit, refuse_keras):
    n_samples, model = make(CELLS[cell], "float64")
    check_like_keras(model, n_samples, jit=jit, refuse_keras=refuse_keras)


@each_cell
@pytest.mark.parametrize("make", [sequences_backwards, bidirectional])
def test_float32_is_that_of_keras_but_for_rounding(make, cell, refuse_keras):
    n_samples, model = make(CELLS[cell], "float32")
    check_like_keras(model, n_samples, jit=True, refuse_keras=refuse_keras)


@in_either_dtype
@each_cell
def test_wide_layers_part_their_sums_and_are_those_of_keras(
    cell, dtype, jit, refuse_keras, monkeypatch
):
    parted = []
    product = _kernels._product

    def spy(a, b):
        (m, k), n = a.shape, b.shape[1]
        parted.append(k > _kernels._LONGEST_SUM and m * k * n > _kernels._TOO_SMALL_TO_SHARE)
        return product(a, b)

    monkeypatch.setattr(_kernels, "_product", spy)
    n_samples, model = wide(CELLS[cell], dtype)
    check_like_keras(model, n_samples, jit=jit, refuse_keras=refuse_keras)
    assert set(parted) == {True, False}


@with_and_without_xla
@pytest.mark.parametrize("m", [128, 500, 512, 1024])
@pytest.mark.parametrize("n", [65, 500, 512, 1024])
def test_parted_products_are_right_whatever_their_shape(m, n, jit):
    """XLA's own sum of a product's parts is wrong for square results."""
    rng = np.random.default_rng(0)
    product = tf.function(_kernels._product, jit_compile=jit, autograph=False)
    for k in (65, 128, 200):
        assert m * k * n > _kernels._TOO_SMALL_TO_SHARE
        a, b = rng.normal(size=(m, k)), rng.normal(size=(k, n))
        found = product(tf.constant(a, tf.float32), tf.constant(b, tf.float32))
        np.testing.assert_allclose(found, a @ b, atol=1e-3)


@with_and_without_xla
@each_cell
def test_activations_are_those_of_keras(cell, jit, refuse_keras):
    x = keras.Input((4, 2), dtype="float64")
    both = [(act, gate) for act in ("sigmoid", "relu", "linear") for gate in (None, "relu")]
    both += [("tanh", "tanh"), ("relu", "linear")]
    settings = [
        {"activation": act} | ({} if cell == "rnn" else {"recurrent_activation": gate or "sigmoid"})
        for act, gate in both
    ]
    outputs = [CELLS[cell](3, dtype="float64", **setting)(x) for setting in settings]
    check_like_keras(keras.Model(x, outputs), 3, jit=jit, refuse_keras=refuse_keras)


@with_and_without_xla
@pytest.mark.parametrize("activation", [None, "tanh", "softmax"])
@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 4, 3)])
def test_dense_layers_are_those_of_keras(shape, activation, jit, refuse_keras):
    x = keras.Input(shape, dtype="float64")
    y = [layers.Dense(4, activation, bias, dtype="float64")(x) for bias in (True, False)]
    check_like_keras(keras.Model(x, y), 7, jit=jit, refuse_keras=refuse_keras)


@with_and_without_xla
@pytest.mark.parametrize("training", [True, False])
def test_dropout_multiplies_by_the_mask_that_it_is_given(training, jit):
    x = keras.Input((3, 2), dtype="float64")
    dropout = layers.Dropout(0.5, dtype="float64")
    model = keras.Model(x, [dropout(x), layers.Dropout(0.5, dtype="float64")(x)])
    mask = tf.constant(np.random.default_rng(0).normal(size=(5, 3, 2)))
    X = tf.constant(np.random.default_rng(1).normal(size=(5, 3, 2)))

    @tf.function(jit_compile=jit, autograph=False)
    def by_masks(X, mask):
        with patched_layers(model, {dropout: mask}):
            # Without `training`, the layer that was given no mask does nothing.
            return model(X, training=training and None)

    given, left = by_masks(X, mask)
    np.testing.assert_allclose(given, X * mask, rtol=1e-14)
    np.testing.assert_array_equal(left, X)


@with_and_without_xla
@each_cell
@pytest.mark.parametrize("bidirectional", [False, True])
def test_recurrent_dropout_multiplies_by_the_masks_that_it_is_given(
    bidirectional, cell, jit, refuse_keras
):
    x = keras.Input((4, 3), dtype="float64")
    masked = layers.Masking(9.0, dtype="float64")(x)
    layer = CELLS[cell](5, recurrent_dropout=0.5, return_sequences=True, dtype="float64")
    layer = layers.Bidirectional(layer, dtype="float64") if bidirectional else layer
    model = keras.Model(x, layer(masked))
    randomize(model)
    own = [one for one in all_layers(model) if isinstance(one, layers.RNN)]
    masks = {one: sample_dropout_mask(one, 6, 4) for one in own}
    X = np.random.default_rng(0).normal(size=(6, 4, 3))
    X[2, 1:3] = X[3, 2:] = 9.0
    inputs, weights = [tf.constant(X)], [np.random.default_rng(1).normal(size=model(X).shape)]
    for one, mask in masks.items():  # Keras takes what it finds there for drawn
        one.cell._recurrent_dropout_mask = mask if len(mask) > 1 else mask[0]
    expected = outputs_and_gradients(model, inputs, weights, contextlib.nullcontext())

    @tf.function(jit_compile=jit, autograph=False)
    def by_masks(inputs, masks):
        context = patched_layers(model, dict(zip(own, masks, strict=True)))
        return outputs_and_gradients(model, inputs, weights, context)

    with refuse_keras():
        found = by_masks(inputs, list(masks.values()))
    for one, other in zip(*map(keras.tree.flatten, (found, expected)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-10)


@each_cell
def test_recurrent_dropout_without_masks_draws_its_own(cell):
    x = keras.Input((4, 3))
    model = keras.Model(x, CELLS[cell](5, recurrent_dropout=0.5)(x))
    X = np.ones((2, 4, 3), "float32")
    with patched_layers(model):
        one, other, predicted = (model(X, training=t).numpy() for t in (True, True, False))
    assert abs(one - other).max() > 0.01
    np.testing.assert_allclose(predicted, model(X), rtol=1e-5)


# Products


@pytest.mark.parametrize(
    ("m", "k", "n"),
    [
        (3, 1, 5),
        (1, 1, 1),
        (900, 1, 900),
        (7, 64, 3),
        (7, 65, 3),
        (128, 64, 128),
        (64, 128, 64),  # as many multiplications as are too few to share
        (65, 128, 64),
        (90, 65, 91),
        (50, 127, 111),
        (33, 501, 41),
        (1, 2**19 + 1, 1),
    ],
)
def test_products_are_those_of_numpy(m, k, n):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(m, k)), rng.normal(size=(k, n))
    scale = np.sqrt(k)
    for jit in (True, False):
        product = tf.function(_kernels._product, jit_compile=jit, autograph=False)
        np.testing.assert_allclose(
            product(tf.constant(a), tf.constant(b)), a @ b, rtol=1e-12, atol=1e-12 * scale
        )


@pytest.mark.parametrize(
    ("m", "k", "n", "is_parted"),
    [
        (900, 1, 900, False),
        (128, 64, 128, False),
        (64, 128, 64, False),
        (65, 128, 64, True),
        (90, 65, 91, True),
        (33, 501, 41, True),
    ],
)
def test_no_shared_sum_is_longer_than_the_longest(m, k, n, is_parted):
    graph = tf.function(_kernels._product, autograph=False).get_concrete_function(
        tf.TensorSpec((m, k)), tf.TensorSpec((k, n))
    )
    operations = graph.graph.get_operations()
    sums = [op.inputs[0].shape[-1] for op in operations if "MatMul" in op.type]
    assert len(sums) == (k > 1)
    assert any(op.type == "AddN" for op in operations) == is_parted
    if is_parted:
        assert sums[0] <= _kernels._LONGEST_SUM


# What is left to Keras


class OwnLSTM(layers.LSTM):
    pass


@each_cell
def test_keras_layers_with_ordinary_settings_have_kernels(cell):
    Cell = CELLS[cell]
    assert find_kernel(Cell(3)) is not None
    assert find_kernel(Cell(3, activation="relu", use_bias=False, go_backwards=True)) is not None
    assert find_kernel(Cell(3, return_state=True, return_sequences=True, unroll=True)) is not None
    assert find_kernel(Cell(3, dtype="float64", kernel_regularizer="l2")) is not None


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
        {"dtype": "mixed_bfloat16"},
    ],
    ids=label,
)
def test_settings_without_a_kernel_are_left_to_keras(cell, settings):
    assert find_kernel(CELLS[cell](3, **settings)) is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: OwnLSTM(3),
        lambda: layers.GRU(3, reset_after=False),
        lambda: layers.LSTM(3, recurrent_activation="hard_sigmoid"),
        lambda: layers.GRU(3, recurrent_activation="hard_sigmoid"),
        lambda: layers.RNN(layers.LSTMCell(3)),
        lambda: layers.ConvLSTM1D(3, 2),
        lambda: layers.Dense(3),
    ],
)
def test_layers_without_a_kernel_are_left_to_keras(make):
    assert find_kernel(make()) is None


class Spy:
    """Counts the calls of a method, and passes them on."""

    def __init__(self, monkeypatch, owner, name):
        method = getattr(owner, name)
        self.n_calls = 0

        def counting(*arguments, **options):
            self.n_calls += 1
            return method(*arguments, **options)

        monkeypatch.setattr(owner, name, counting)


def random_mask(rng, n_samples, n_timesteps):
    """A mask with steps that count anywhere: none, all, the first, the last, or some."""
    mask = rng.random((n_samples, n_timesteps)) < 0.5
    mask[0], mask[1] = True, False
    mask[2, :2], mask[2, 2:] = True, False
    mask[3, :2], mask[3, 2:] = False, True
    return mask


@pytest.mark.parametrize("way", ["one", "backwards", "sequences", "bidirectional", "zeros"])
@each_cell
@in_either_dtype
def test_masked_steps_are_those_of_keras(cell, way, dtype, jit, refuse_keras):
    def make(units, **options):
        return CELLS[cell](units, dtype=dtype, **options)

    x = keras.Input((6, 2), dtype=dtype)
    mask = keras.Input((6,), dtype="bool")
    if way == "bidirectional":
        y = layers.Bidirectional(make(3, return_sequences=True), dtype=dtype)(x, mask=mask)
        y = layers.Bidirectional(make(2), dtype=dtype)(y, mask=mask)
    elif way == "sequences":
        y = make(3, return_sequences=True)(x, mask=mask)
    elif way == "zeros":
        y = make(3, zero_output_for_mask=True)(x, mask=mask)
    else:
        y = make(3, go_backwards=way == "backwards")(x, mask=mask)
    model = keras.Model([x, mask], y)
    randomize(model)
    rng = np.random.default_rng(3)
    X = tf.constant(rng.normal(size=(7, 6, 2)), dtype)
    M = tf.constant(random_mask(rng, 7, 6))
    weights = tf.constant(rng.normal(size=(7, *model.output_shape[1:])), dtype)

    def run(context):
        variables = [variable.value for variable in model.trainable_variables]
        with context, tf.GradientTape() as tape:
            tape.watch(X)
            y = model([X, M], training=True)
            loss = tf.reduce_sum(y * weights)
        return y, tape.gradient(loss, [X, *variables])

    @tf.function(jit_compile=jit, autograph=False)
    def by_kernels():
        return run(patched_layers(model))

    expected = run(contextlib.nullcontext())
    with refuse_keras():
        found = by_kernels()
    for value, expected_value in zip(
        keras.tree.flatten(found), keras.tree.flatten(expected), strict=True
    ):
        rtol, atol = TOLERANCES[dtype]
        np.testing.assert_allclose(value, expected_value, rtol, atol)
    np.testing.assert_array_equal(found[1][0][1], 0)  # nothing counts there
    assert np.abs(found[1][0][0]).max() > 0


@pytest.mark.parametrize("n_symbols", [5, 700])  # a product, and a sum for each symbol
@with_and_without_xla
def test_embeddings_are_those_of_keras(n_symbols, jit, monkeypatch):
    x = keras.Input((4,), dtype="int32")
    y = layers.GRU(3)(layers.Embedding(n_symbols, 2, mask_zero=True)(x))
    model = keras.Model(x, y)
    randomize(model)
    X = tf.constant(np.random.default_rng(0).integers(0, 5, (6, 4)), tf.int32)
    table = model.layers[1].embeddings

    def run(context):
        with context, tf.GradientTape() as tape:
            y = model(X, training=True)
            loss = tf.reduce_sum(y**2)
        return y, tf.convert_to_tensor(tape.gradient(loss, table.value))

    @tf.function(jit_compile=jit, autograph=False)
    def by_kernels():
        return run(patched_layers(model))

    expected = run(contextlib.nullcontext())
    spy = Spy(monkeypatch, layers.Embedding, "call")
    for value, expected_value in zip(by_kernels(), expected, strict=True):
        np.testing.assert_allclose(value, expected_value, 1e-4, 1e-6)
    assert spy.n_calls == 0
    assert np.abs(expected[1]).max() > 0


def test_a_layer_without_a_kernel_runs_beside_those_that_have_one(monkeypatch):
    x = keras.Input((4, 2), dtype="float64")
    y = layers.GRU(3, return_sequences=True, dtype="float64")(x)
    old = layers.GRU(3, reset_after=False, dtype="float64")
    model = keras.Model(x, old(y))
    randomize(model)
    X = np.random.default_rng(0).normal(size=(3, 4, 2))
    expected = model(X)
    spy = Spy(monkeypatch, layers.GRU, "inner_loop")
    with patched_layers(model):
        np.testing.assert_allclose(model(X), expected, rtol=1e-10)
    assert spy.n_calls == 1


# What is left of it afterwards


def model_of_all_sorts():
    x = keras.Input((4, 2))
    y = x
    for Cell in CELLS.values():
        y = layers.Bidirectional(Cell(2, return_sequences=True))(y)
    y = layers.Dropout(0.5, name="drop")(layers.LSTM(3)(y))
    return keras.Model(x, layers.Dense(1)(y))


def attributes(model):
    return [dict(vars(layer)) for layer in all_layers(model)]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras
@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_layers_are_as_they_were_afterwards(error):
    model = model_of_all_sorts()
    X = np.random.default_rng(0).normal(size=(3, 4, 2)).astype("float32")
    expected, before, config = model(X), attributes(model), model.get_config()
    context = patched_layers(model, {model.get_layer("drop"): tf.zeros((3, 3))})
    with contextlib.nullcontext() if error is None else pytest.raises(error), context:
        changed = attributes(model)
        if error is not None:
            raise error
    assert [set(now) - set(then) for now, then in zip(changed, before, strict=True)].count(
        set()
    ) == 4  # the input, and what is around the layers in the three bidirectional ones
    assert attributes(model) == before
    assert model.get_config() == config
    np.testing.assert_array_equal(model(X), expected)
    copied = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copied(X), expected)


def test_an_error_while_layers_are_being_replaced_leaves_them_as_they_were(monkeypatch):
    model = model_of_all_sorts()
    before, made = attributes(model), []

    def refuse_the_third(layer, heard):
        made.append(layer)
        if len(made) == 3:
            raise ValueError("no third kernel")
        return find_kernel(layer)

    monkeypatch.setattr(_kernels, "find_kernel", refuse_the_third)
    with pytest.raises(ValueError, match="no third kernel"), patched_layers(model):
        pass
    assert attributes(model) == before


def test_a_model_trains_in_keras_after_it_ran_in_kernels():
    model = model_of_all_sorts()
    X, y = np.ones((8, 4, 2), "float32"), np.ones((8, 1), "float32")
    with patched_layers(model):
        model(X)
    model.compile("sgd", "mse")
    before = float(model.evaluate(X, y, verbose=0))
    model.fit(X, y, epochs=5, verbose=0)
    assert float(model.evaluate(X, y, verbose=0)) < before
