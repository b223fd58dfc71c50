import keras
import numpy as np
import pytest

from skrnn.networks import build_cnn_rnn, build_encoder_decoder


def test_decoder_has_the_layers_of_the_encoder_in_reverse_order():
    model = build_encoder_decoder((8, 2), 6, "gru", (5, 3), n_variables=2, seed=0)
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.RNN)]
    assert [layer.units for layer in layers] == [5, 3, 3, 5]
    assert [layer.return_sequences for layer in layers] == [True, False, True, True]
    assert model.output_shape == (None, 6)


def test_decoder_is_not_bidirectional():
    settings = {"bidirectional": True, "dropout": 0.1, "recurrent_l2": 0.2}
    model = build_encoder_decoder((8, 2), 4, "lstm", 3, **settings, seed=0)
    encoder, decoder = (
        layer
        for layer in model.layers
        if isinstance(layer, (keras.layers.RNN, keras.layers.Bidirectional))
    )
    assert isinstance(encoder, keras.layers.Bidirectional)
    assert isinstance(decoder, keras.layers.LSTM)
    assert decoder.recurrent_regularizer.get_config() == pytest.approx({"l2": 0.2})
    assert sum(isinstance(layer, keras.layers.Dropout) for layer in model.layers) == 2


def test_variables_of_a_time_step_are_adjacent_outputs():
    model = build_encoder_decoder((8, 2), 6, "gru", 4, n_variables=2, seed=0)
    X = np.random.default_rng(0).normal(size=(3, 8, 2)).astype("float32")
    steps = keras.Model(model.inputs[0], model.layers[-2].output)(X).numpy()
    assert steps.shape == (3, 3, 2)
    np.testing.assert_array_equal(model(X), steps.reshape(3, 6))


def test_number_of_outputs_must_be_a_multiple_of_the_variables():
    match = r"n_outputs=5, the number of columns of y, is not a multiple of n_variables=2"
    with pytest.raises(ValueError, match=match):
        build_encoder_decoder((8, 2), 5, n_variables=2)


def test_each_pooling_layer_shortens_the_window():
    model = build_cnn_rnn((24, 2), 3, "gru", 4, filters=(5, 6), kernel_size=3, pool_size=2, seed=0)
    shapes = [layer.output.shape[1:] for layer in model.layers]
    assert shapes == [(24, 2), (24, 5), (12, 5), (12, 6), (6, 6), (4,), (3,)]
    assert model.layers[1].get_weights()[0].shape == (3, 2, 5)


def test_activation_of_the_outputs():
    model = build_cnn_rnn((8, 2), 3, "gru", 4, filters=2, output_activation="softmax")
    X = np.random.default_rng(0).normal(size=(3, 8, 2)).astype("float32")
    np.testing.assert_allclose(model(X).numpy().sum(axis=1), 1, rtol=1e-6)


def test_windows_of_any_length():
    model = build_cnn_rnn((None, 2), 1, "gru", 4, filters=2, seed=0)
    assert [model(np.ones((1, n, 2))).shape for n in (4, 9)] == [(1, 1), (1, 1)]


def test_window_is_too_short_for_the_pooling_layers():
    match = (
        r"window of 15 time steps is too short for 2 pooling layers with pool_size=4, which need "
        r"at least 16\."
    )
    with pytest.raises(ValueError, match=match):
        build_cnn_rnn((15, 2), 1, filters=(2, 2))
    assert build_cnn_rnn((16, 2), 1, units=2, filters=(2, 2)).output_shape == (None, 1)
