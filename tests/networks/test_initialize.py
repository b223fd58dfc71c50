import random
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

from skrnn._keras_compat import all_layers, default_seeds
from skrnn.networks import CELLS, build_rnn, build_rnn_classifier, build_text_rnn
from skrnn.networks.initialize import RECURRENT_INITIALIZERS, reseed
from skrnn.networks.residual import add_residual_baseline


def random_values(model):
    """Return the weights and the states of dropout of a model."""
    layers = list(all_layers(model))
    cells = [layer.cell for layer in layers if isinstance(layer, keras.layers.RNN)]
    dropout = [layer for layer in layers if isinstance(layer, keras.layers.Dropout)]
    generators = [layer.seed_generator.state for layer in (*cells, *dropout)]
    return [value.numpy() for value in (*model.weights, *generators)]


def assert_equal(model, other):
    for value, expected in zip(random_values(model), random_values(other), strict=True):
        np.testing.assert_array_equal(value, expected)


STACK = {"units": (4, 4), "bidirectional": True, "dropout": 0.2, "recurrent_dropout": 0.3}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    "build",
    [
        lambda seed, cell: build_rnn((5, 2), 2, cell, seed=seed, **STACK),
        lambda seed, cell: build_rnn_classifier((5, 2), 3, cell, 4, seed=seed),
        lambda seed, cell: build_text_rnn(4, 3, cell, 4, seed=seed),
        lambda seed, cell: build_text_rnn(4, 3, cell, embedding=2, seed=seed, **STACK),
        lambda seed, cell: build_text_rnn(
            4, 3, cell, embedding=2, embedding_dropout=0.2, seed=seed, **STACK
        ),
        lambda seed, cell: add_residual_baseline(
            build_rnn((5, 2), 2, cell, seed=seed, **STACK), [1, 0], [2.0, 0.5], [0.1, 0.2]
        ),
    ],
    ids=["regression", "classification", "one-hot", "embedding", "embedding dropout", "residual"],
)
def test_reseeded_network_equals_a_new_one(build, cell):
    model, other = build(1, cell), build(2, cell)
    changed = [
        not np.array_equal(value, different)
        for value, different in zip(random_values(model), random_values(other), strict=True)
    ]
    assert sum(changed) >= 4
    reseed(model, 2)
    assert_equal(model, other)


@pytest.mark.parametrize("name", RECURRENT_INITIALIZERS)
def test_reseeding_keeps_the_recurrent_initializer(name):
    # A cell with one gate, one with several, and one with several levels.
    for cell in ("rnn", "lstm", "depthgated"):
        model, other = (
            build_rnn((5, 2), 1, cell, 4, recurrent_initializer=name, seed=seed) for seed in (1, 2)
        )
        reseed(model, 2)
        assert_equal(model, other)


def test_identity_of_a_custom_cell():
    class TwoGates(keras.layers.Layer):
        def __init__(self, units, recurrent_initializer="orthogonal"):
            super().__init__()
            self.units = self.state_size = units

        def build(self, input_shape):
            self.kernel = self.add_weight(shape=(input_shape[-1], 2 * self.units))
            self.recurrent_kernel = self.add_weight(shape=(self.units, 2 * self.units))

        def call(self, inputs, states):
            a = inputs @ self.kernel + states[0] @ self.recurrent_kernel
            h = a[:, : self.units] * a[:, self.units :]
            return h, [h]

        def get_config(self):
            return {"units": self.units}

    model = build_rnn(
        (5, 2), 1, TwoGates, 3, recurrent_initializer="identity", bidirectional=True, seed=0
    )
    for layer in (model.layers[1].forward_layer, model.layers[1].backward_layer):
        np.testing.assert_array_equal(layer.cell.recurrent_kernel, np.tile(np.eye(3), 2))


def test_default_seeds_of_layers():
    def kernel(seed):
        with default_seeds(seed):
            layer = keras.layers.Dense(3)
            layer.build((None, 2))
            return layer.kernel.numpy()

    np.testing.assert_array_equal(kernel(1), kernel(1))
    assert not np.array_equal(kernel(1), kernel(2))


def test_default_seeds_neither_read_nor_change_the_global_random_states():
    states = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002

    def draw_and_fail():
        with default_seeds(3):
            keras.initializers.GlorotUniform()((2, 2))
            with default_seeds(4):  # contexts can be nested
                keras.initializers.GlorotUniform()((2, 2))
            build_rnn((3, 1), 1, units=2)
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        draw_and_fail()
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states  # noqa: NPY002
    random.seed(0)
    expected = random.randint(1, int(1e9))
    random.seed(0)
    assert keras.initializers.GlorotUniform().seed == expected


def test_global_random_state_of_another_thread_while_a_network_is_built():
    random.seed(0)
    expected = [random.random() for _ in range(4)]
    random.seed(0)
    with default_seeds(3), ThreadPoolExecutor(1) as pool:
        drawn = [pool.submit(random.random).result() for _ in range(4)]
        other = [pool.submit(lambda: keras.initializers.GlorotUniform().seed).result()]
        own = keras.initializers.GlorotUniform().seed
    assert drawn == expected
    with default_seeds(3):
        assert keras.initializers.GlorotUniform().seed == own not in other
