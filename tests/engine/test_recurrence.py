"""The kernels of `keras.layers.RNN` around cells, against Keras: outputs and gradients."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import label
from engine_kernel_helpers import compare_with_keras, masks_of_all_kinds, randomize
from keras import ops

from skrnn import build_rnn
from skrnn._engine.cache import architecture_key
from skrnn._engine.eligibility import supports_fused_engine
from skrnn._engine.patch import find_kernel, patched_layers
from skrnn._engine.recurrence import scan_generic_cell, scan_layered_cell
from skrnn._engine.trainer import sample_dropout_mask
from skrnn.layers import LAYERS, CoupledLSTMCell, PeepholeLSTMCell

each_cell = pytest.mark.parametrize("name", LAYERS)
rng = np.random.default_rng(0)
X = rng.normal(size=(6, 5, 3))


def build(cell):
    layer = keras.layers.RNN(
        cell, return_sequences=True, return_state=True, dtype=cell.dtype_policy
    )
    layer.build(X.shape)
    randomize(layer)
    return layer


def make(name, units=4, dtype="float64", **settings):
    layer = LAYERS[name](units, dtype=dtype, return_sequences=True, return_state=True, **settings)
    layer.build(X.shape)
    randomize(layer)
    return layer


def states_of(layer, n_samples=6):
    return [
        np.full((n_samples, 1), 3.0) if size == 1 else rng.normal(size=(n_samples, size))
        for size in keras.tree.flatten(layer.state_size)
    ]


def compare(layer, x=X, mask=None, **options):
    def call(x, *states):
        return layer(x, initial_state=list(states), mask=mask)

    return compare_with_keras(call, [layer], [x, *states_of(layer, len(x))], **options)


@each_cell
def test_outputs_and_gradients_are_those_of_keras(name):
    compare(make(name))
    compare(make(name, go_backwards=True), X[:1, :1])


@each_cell
def test_kernels_compiled_by_xla(name):
    compare(make(name, dtype="float32"), mask=masks_of_all_kinds(), jit=True)


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
    ids=label,
)
def test_settings(name, settings):
    compare(make(name, **settings))


@each_cell
@pytest.mark.parametrize("zero_output_for_mask", [False, True])
def test_masks(name, zero_output_for_mask):
    layer, mask = make(name, zero_output_for_mask=zero_output_for_mask), masks_of_all_kinds()
    compare(layer, np.where(mask[..., None], X, 1e3), mask)


@each_cell
def test_recurrent_dropout_with_given_masks(name):
    layer = make(name, recurrent_dropout=0.5)
    dropout_masks = sample_dropout_mask(layer, 6, 5)

    def call(x):
        layer.cell._recurrent_dropout_mask = dropout_masks[0]  # for Keras
        return layer(x, training=True)

    outputs, _ = compare_with_keras(call, [layer], [X], dropout_masks={layer: dropout_masks})
    assert np.abs(outputs[0] - layer(X)[0]).max() > 0.01


@each_cell
def test_values_of_a_stateless_scope(name):
    layer = make(name)
    halves = [(weight, weight.value / 2) for weight in layer.weights]
    with patched_layers(keras.Sequential([layer])):
        with keras.StatelessScope(halves):
            outputs = layer(X)[0]
        for variable, value in halves:
            variable.assign(value)
        np.testing.assert_array_equal(outputs, layer(X)[0])


@each_cell
def test_layers_that_are_not_trainable(name):
    compare(make(name, trainable=False))


class DerivedRNN(keras.layers.RNN):
    pass


@pytest.mark.parametrize(
    "make_layer",
    [
        lambda: make("peephole", dropout=0.1),
        lambda: make("depthgated", dropout=0.1, recurrent_dropout=0.1),
        lambda: make("clockwork", stateful=True),
        lambda: make("coupled", dtype="mixed_float16"),
        lambda: make("peephole", activation=lambda x: x - ops.mean(x, axis=0)),
        lambda: DerivedRNN(make("coupled").cell),
        lambda: keras.layers.RNN(keras.layers.LSTMCell(3)),  # not built
        lambda: keras.layers.RNN(make("coupled").cell),  # of another dtype
        lambda: build(keras.layers.LSTMCell(3, recurrent_dropout=0.1)),
        lambda: build(keras.layers.StackedRNNCells([keras.layers.GRUCell(3)])),
    ],
)
def test_layers_without_a_kernel(make_layer):
    assert find_kernel(make_layer()) is None


# Custom cells


class MinimalCell(keras.layers.Layer):
    """The minimal gated unit of Zhou et al. (2016)."""

    def __init__(self, units, **settings):
        super().__init__(**settings)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], 2 * self.units), name="kernel")
        self.U_f = self.add_weight(shape=(self.units, self.units), name="U_f")
        self.U_g = self.add_weight(shape=(self.units, self.units), name="U_g")

    def call(self, inputs, states):
        (h,) = states
        a_f, a_g = ops.split(ops.matmul(inputs, self.kernel), 2, axis=-1)
        f = ops.sigmoid(a_f + ops.matmul(h, self.U_f))
        h = (1 - f) * h + f * ops.tanh(a_g + ops.matmul(f * h, self.U_g))
        return h, [h]

    def get_config(self):
        return super().get_config() | {"units": self.units}


class LeakyCell(keras.layers.Layer):
    """An output that is not a state, and another computation in training."""

    def __init__(self, units, **settings):
        super().__init__(**settings)
        self.units, self.output_size, self.state_size = units, 2 * units, [units, 1]

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), name="w")

    def call(self, inputs, states, training=False):
        h, total = states
        h = 0.5 * h + ops.tanh(ops.matmul(inputs, self.w)) * (0.8 if training else 1.0)
        total = total + ops.mean(ops.square(h), axis=-1, keepdims=True)
        return ops.concatenate([h, h / (1 + total)], axis=-1), [h, total]


@pytest.mark.parametrize("jit", [False, True], ids=["plain", "xla"])
@pytest.mark.parametrize(
    "make_cell", [MinimalCell, LeakyCell, keras.layers.LSTMCell, keras.layers.GRUCell]
)
def test_custom_cells(make_cell, jit):
    layer, mask = build(make_cell(3, dtype="float64")), masks_of_all_kinds()
    assert find_kernel(layer).func is scan_generic_cell

    def call(x, *states):
        return [
            *layer(x, initial_state=list(states), mask=mask, training=True),
            *layer(x, initial_state=list(states)),
        ]

    compare_with_keras(call, [layer], [X, *states_of(layer)], jit=jit)


class CenteringCell(MinimalCell):
    def call(self, inputs, states):
        h, _ = super().call(inputs, states)
        return h - ops.mean(h, axis=0), [h]


class NoisyCell(MinimalCell):
    def __init__(self, units, **settings):
        super().__init__(units, **settings)
        self.seed_generator = keras.random.SeedGenerator(0)

    def call(self, inputs, states, training=False):
        h, states = super().call(inputs, states)
        noise = keras.random.normal(ops.shape(h), stddev=0.1, seed=self.seed_generator)
        return (h + noise if training else h), states


class CountingCell(MinimalCell):
    def build(self, input_shape):
        super().build(input_shape)
        self.count = self.add_weight(name="count", initializer="zeros", trainable=False)

    def call(self, inputs, states):
        self.count.assign_add(1.0)
        return super().call(inputs / (1 + self.count), states)


class PenalizedCell(MinimalCell):
    def call(self, inputs, states):
        h, states = super().call(inputs, states)
        self.add_loss(ops.mean(ops.square(h)))
        return h, states


class PythonCell(MinimalCell):
    def call(self, inputs, states):
        h, states = super().call(inputs, states)
        return tf.ensure_shape(tf.numpy_function(np.abs, [h], h.dtype), h.shape), states


@pytest.mark.parametrize(
    "cell_class", [CenteringCell, NoisyCell, CountingCell, PenalizedCell, PythonCell]
)
def test_cells_that_are_not_pure_and_row_wise_are_left_to_keras(cell_class):
    assert find_kernel(build(cell_class(3))) is None
    assert not supports_fused_engine(build_rnn((6, 2), 1, cell_class, 3, seed=0))
    assert supports_fused_engine(build_rnn((6, 2), 1, MinimalCell, 3, seed=0))


# Subclasses of the cells of skrnn.layers


class DerivedCell(PeepholeLSTMCell):
    """A subclass that overrides nothing."""


class DerivedStep(PeepholeLSTMCell):
    def step(self, a, states):
        h, c = super().step(a, states)
        return h / 2, c


class StepWithWeights(CoupledLSTMCell):
    """A step that reads all weights, those of the contract too."""

    def build(self, input_shape):
        super().build(input_shape)
        self.scale = self.add_weight(shape=(self.units,), name="bias")

    def step(self, a, states):
        products = ops.matmul(states[0], self.recurrent_kernel) + self.bias + self.kernel[0]
        h, c = super().step(a + products, states)
        return h * self.scale, c


class RecurrentWeights(CoupledLSTMCell):
    def recurrent_weights(self):
        return 2 * self.recurrent_kernel[:, : self.units]  # of the first block alone


class InitialBias(CoupledLSTMCell):
    def initial_bias(self):
        return np.array([1.0, 2.0, 3.0])


class InitialState(PeepholeLSTMCell):
    def get_initial_state(self, batch_size=None):
        return [0.5 + state for state in super().get_initial_state(batch_size)]


@pytest.mark.parametrize(
    "cell_class",
    [DerivedCell, DerivedStep, StepWithWeights, RecurrentWeights, InitialBias, InitialState],
)
def test_methods_that_subclasses_may_override(cell_class):
    layer = build(cell_class(4, dtype="float64"))
    assert find_kernel(layer).func is scan_layered_cell
    compare(layer)
    compare_with_keras(layer, [layer], [X])


class Projection(PeepholeLSTMCell):
    def project(self, inputs):
        return ops.tanh(super().project(inputs))


class Call(PeepholeLSTMCell):
    def call(self, inputs, states, training=False):
        output, states = super().call(inputs, states, training)
        return 2 * output, states


class SpecialCall(PeepholeLSTMCell):
    def __call__(self, inputs, states, **options):
        output, states = super().__call__(inputs, states, **options)
        return 2 * output, states


@pytest.mark.parametrize("cell_class", [Projection, Call, SpecialCall])
def test_subclasses_that_override_other_methods_run_as_custom_cells(cell_class):
    layer = build(cell_class(4, dtype="float64"))
    assert find_kernel(layer).func is scan_generic_cell
    compare(layer)
    assert find_kernel(build(cell_class(4, recurrent_dropout=0.5))) is None


def test_methods_overridden_for_an_instance():
    layer = build(PeepholeLSTMCell(4, dtype="float64"))
    project = layer.cell.project
    layer.cell.project = lambda inputs: ops.tanh(project(inputs))
    assert find_kernel(layer).func is scan_generic_cell
    compare(layer)


class CenteredStep(PeepholeLSTMCell):
    def step(self, a, states):
        return super().step(a - ops.mean(a, axis=0), states)


class RandomWeights(PeepholeLSTMCell):
    def recurrent_weights(self):
        return keras.random.dropout(self.recurrent_kernel, 0.5, seed=self.seed_generator)


class RandomStep(PeepholeLSTMCell):
    def step(self, a, states):
        return super().step(a + tf.random.normal((1, 1), dtype=a.dtype), states)


@pytest.mark.parametrize("cell_class", [CenteredStep, RandomWeights, RandomStep])
def test_overridden_methods_that_are_not_pure_are_left_to_keras(cell_class):
    assert find_kernel(build(cell_class(4))) is None


# Compiled programs of custom code are not shared


def relu(x):
    return ops.minimum(x, 0.0)


def halves(shape, dtype=None):
    return ops.full(shape, 0.5, dtype)


class L2(keras.regularizers.L2):
    pass


@pytest.mark.parametrize(
    "settings",
    [
        {"activation": relu},
        {"recurrent_initializer": type("Zeros", (keras.initializers.Zeros,), {})()},
        {"bias_initializer": halves},
        {"kernel_regularizer": L2(0.1)},
        {"kernel_constraint": type("NonNeg", (keras.constraints.NonNeg,), {})()},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_programs_of_cells_with_custom_settings_are_not_shared(settings):
    assert architecture_key(build_rnn((6, 2), 1, keras.layers.LSTMCell, 3)) is not None
    cell = partial(keras.layers.LSTMCell, **settings)
    assert architecture_key(build_rnn((6, 2), 1, cell, 3)) is None


@pytest.mark.parametrize("is_registered", [False, True])
def test_programs_of_custom_cells_are_not_shared(is_registered):
    cell_class = type("RegisteredCell", (MinimalCell,), {})
    if is_registered:
        keras.saving.register_keras_serializable("test_recurrence")(cell_class)
    assert architecture_key(build_rnn((6, 2), 1, cell_class, 3)) is None
