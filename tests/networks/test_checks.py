import keras
import numpy as np
import pytest

from skrnn.networks.checks import check_keras_name, check_network


def network(*layers, shape=(6, 2)):
    return keras.Sequential([keras.Input(shape), *layers])


def test_names_of_keras():
    assert check_keras_name("activation", "relu", keras.activations) is keras.activations.relu
    adam = keras.optimizers.Adam()
    assert check_keras_name("optimizer", adam, keras.optimizers) is adam
    with pytest.raises(ValueError, match=r"loss='mss' is not known\. Did you mean 'mse'"):
        check_keras_name("loss", "mss", keras.losses)
    with pytest.raises(ValueError, match=r"optimizer='adan' is not known") as error:
        check_keras_name("optimizer", "adan", keras.optimizers)
    assert not {"'get'", "'schedules'", "'serialize'"} & set(str(error.value).split(", "))
    with pytest.raises(ValueError, match=r"is a class\. Pass an instance of it, or its name"):
        check_keras_name("optimizer", keras.optimizers.Adam, keras.optimizers)


def test_sequential_models_are_built_and_subclassed_models_get_inputs():
    unbuilt = keras.Sequential([keras.layers.GRU(3), keras.layers.Dense(2)])
    assert check_network(unbuilt, (6, 2), 2).input_shape == (None, 6, 2)

    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.layer = keras.layers.GRU(2)

        def call(self, x):
            return self.layer(x)

    subclassed = Subclassed()
    subclassed.compile("sgd", loss="mae")
    model = check_network(subclassed, (6, 2), 2)
    assert model.input_shape == (None, 6, 2)
    assert model.loss == "mae"


@pytest.mark.parametrize(("length", "network_length"), [(6, 6), (6, None), (None, 6), (None, None)])
def test_time_axes_of_the_outputs(length, network_length):
    layers = keras.layers.GRU(3, return_sequences=True), keras.layers.Dense(2)
    model = network(*layers, shape=(network_length, 2))
    assert check_network(model, (length, 2), 2, sequence=True) is model
    with pytest.raises(ValueError, match=r"outputs have shape .*, but y needs \(None, .*, 3\)"):
        check_network(model, (length, 2), 3, sequence=True)
    with pytest.raises(ValueError, match=r"but y needs \(None, 2\)"):
        check_network(model, (length, 2), 2)


def test_networks_that_do_not_match():
    with pytest.raises(ValueError, match=r"network must return a keras\.Model, got int"):
        check_network(3, (6, 2), 1)
    with pytest.raises(ValueError, match=r"shape \(None, 3\), but y needs \(None, 6, 3\)"):
        check_network(network(keras.layers.GRU(3)), (6, 2), 3, sequence=True)
    sequences = network(keras.layers.GRU(3, return_sequences=True), shape=(5, 2))
    with pytest.raises(ValueError, match=r"takes inputs of shape \(None, 5, 2\), but X has the"):
        check_network(sequences, (6, 2), 3, sequence=True)
    inputs = keras.Input((6, 2))
    outputs = [keras.layers.GRU(3)(inputs), keras.layers.GRU(3)(inputs)]
    with pytest.raises(ValueError, match=r"has 2 outputs, of shapes \[\(None, 3\), \(None, 3\)\]"):
        check_network(keras.Model(inputs, outputs), (6, 2), 3)
    with pytest.raises(ValueError, match=r"returns a dict with the keys \['a'\]"):
        check_network(keras.Model(inputs, {"a": outputs[0]}), (6, 2), 3)
    other = keras.Input((6, 2))
    summed = keras.layers.GRU(3)(keras.layers.Add()([inputs, other]))
    with pytest.raises(ValueError, match="has 2 inputs"):
        check_network(keras.Model([inputs, other], summed), (6, 2), 3)
    whole = keras.Model(inputs, keras.ops.cast(outputs[0], "int32"))
    with pytest.raises(ValueError, match="has outputs of dtype int32, which has no gradient"):
        check_network(whole, (6, 2), 3)
    with pytest.raises(
        ValueError, match=r"raised ValueError when it was called on inputs of .*6, 2"
    ):
        check_network(keras.Sequential(), (6, 2), 3)


def test_networks_of_flat_windows_match_windows_of_one_feature():
    flat = network(keras.layers.Dense(1), shape=(6,))
    assert check_network(flat, (6, 1), 1) is flat
    with pytest.raises(ValueError, match=r"takes inputs of shape \(None, 6\), but X"):
        check_network(flat, (6, 2), 1)


def test_outputs_must_be_probabilities():
    layers = keras.layers.GRU(3), keras.layers.Dense(2)
    softmax = network(*layers, keras.layers.Softmax(), shape=(None, 2))
    assert check_network(softmax, (None, 2), 2, probabilities=True) is softmax
    linear = network(*layers)
    assert check_network(linear, (6, 2), 2) is linear
    linear.layers[-1].set_weights([np.zeros((3, 2)), np.array([0.25, 0.5])])
    match = r"not probabilities: for a sequence of zeros they are \[0\.25, 0\.5\]\. Add an output"
    with pytest.raises(ValueError, match=match):
        check_network(linear, (6, 2), 2, probabilities=True)
