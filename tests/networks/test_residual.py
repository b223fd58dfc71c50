import keras
import numpy as np
import pytest

from skrnn.networks import build_rnn
from skrnn.networks.residual import add_residual_baseline, set_residual_baseline

X = np.random.default_rng(0).normal(size=(4, 5, 3)).astype("float32")
COLUMNS, SCALES, SHIFTS = [2, 0], [2.0, -0.5], [1.0, 0.25]


def baseline(columns=COLUMNS, scales=SCALES, shifts=SHIFTS):
    return X[:, -1, columns] * np.array(scales) + np.array(shifts)


def test_untrained_network_predicts_the_baseline():
    model = add_residual_baseline(build_rnn((5, 3), 2, "gru", 4), COLUMNS, SCALES, SHIFTS)
    np.testing.assert_allclose(model(X), baseline(), rtol=1e-6)
    set_residual_baseline(model, [1, 1], [3.0, 1.0], [0.0, -1.0])
    np.testing.assert_allclose(model(X), baseline([1, 1], [3.0, 1.0], [0.0, -1.0]), rtol=1e-6)


def test_outputs_are_added_to_the_baseline_which_is_not_trained():
    network = build_rnn((5, 3), 2, "gru", 4, seed=0)
    n_weights = len(network.trainable_weights)
    model = add_residual_baseline(network, COLUMNS, SCALES, SHIFTS)
    assert len(model.trainable_weights) == n_weights
    network.layers[-1].set_weights([np.ones((4, 2)), np.array([1.0, 2.0])])
    np.testing.assert_allclose(model(X), network(X) + baseline(), rtol=1e-5)


def test_networks_that_do_not_end_in_a_dense_layer_keep_their_weights():
    inputs = keras.Input((5, 3))
    outputs = keras.layers.Rescaling(2.0)(keras.layers.GRU(2)(inputs))
    network = keras.Model(inputs, outputs)
    model = add_residual_baseline(network, COLUMNS, SCALES, SHIFTS)
    assert np.abs(network(X)).max() > 0
    np.testing.assert_allclose(model(X), network(X) + baseline(), rtol=1e-5)


def test_settings_of_a_compiled_network_are_kept():
    network = build_rnn((5, 3), 2, "gru", 4)
    network.compile(keras.optimizers.SGD(0.25), loss="mae")
    model = add_residual_baseline(network, COLUMNS, SCALES, SHIFTS)
    assert model.loss == "mae"
    assert model.optimizer is not network.optimizer
    assert float(model.optimizer.learning_rate) == 0.25


def test_window_length_must_be_fixed():
    network = build_rnn((None, 3), 2, "gru", 4)
    with pytest.raises(ValueError, match=r"but the network takes inputs of shape \(None, 3\)"):
        add_residual_baseline(network, COLUMNS, SCALES, SHIFTS)
