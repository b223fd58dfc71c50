"""Layers while they are patched, and afterwards."""

import contextlib
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from engine_kernel_helpers import compare_with_keras, randomize
from keras import layers

from skrnn._engine import patch
from skrnn._engine.patch import patched_layers
from skrnn._keras_compat import all_layers

rng = np.random.default_rng(0)
X = rng.normal(size=(3, 4, 2))


@pytest.mark.parametrize("shape", [(3,), (2, 4, 3)])
def test_dense_layers(shape):
    x = rng.normal(size=(5, *shape))
    for settings in ({}, {"activation": "softmax", "use_bias": False}):
        layer = layers.Dense(4, dtype="float64", **settings)
        layer.build(x.shape)
        randomize(layer)
        compare_with_keras(layer, [layer], [x])


@pytest.mark.parametrize("n_tokens", [5, patch._MAX_ONE_HOT_TOKENS + 1])
def test_embeddings(n_tokens, monkeypatch):
    layer, tokens = layers.Embedding(n_tokens, 2), rng.integers(0, 5, (6, 4))
    layer.build()
    weights = rng.normal(size=(6, 4, 2))

    def outputs_and_gradient():
        with tf.GradientTape() as tape:
            outputs = layer(tokens)
            loss = tf.reduce_sum(outputs * weights)
        return outputs, tf.convert_to_tensor(tape.gradient(loss, layer.embeddings.value))

    expected = outputs_and_gradient()
    monkeypatch.delattr(layers.Embedding, "call")
    with patched_layers(keras.Sequential([layer])):
        for result, reference in zip(outputs_and_gradient(), expected, strict=True):
            np.testing.assert_allclose(result, reference, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_dropout_with_a_given_mask(training):
    x = keras.Input((3, 2), dtype="float64")
    dropout, other = (layers.Dropout(0.5, dtype="float64") for _ in range(2))
    model = keras.Model(x, [dropout(x), other(x)])
    mask, X = rng.normal(size=(2, 5, 3, 2))
    with patched_layers(model, {dropout: mask}):
        with_mask, without_mask = model(X, training=training and None)
    np.testing.assert_allclose(with_mask, X * mask, rtol=1e-14)
    np.testing.assert_array_equal(without_mask, X)  # Keras drops nothing outside of training


@pytest.mark.parametrize("cell", [layers.SimpleRNN, layers.LSTM, layers.GRU])
def test_recurrent_dropout_without_given_masks_is_that_of_keras(cell):
    layer = cell(5, recurrent_dropout=0.5, dtype="float64")
    layer.build(X.shape)
    with patched_layers(keras.Sequential([layer])):
        first, second, predicted = (layer(X, training=t).numpy() for t in (True, True, False))
    assert abs(first - second).max() > 0.01
    np.testing.assert_allclose(predicted, layer(X), rtol=1e-10)


def test_layers_without_a_kernel_compute_as_in_keras():
    gru = layers.GRU(3, return_sequences=True, dtype="float64")
    reset_before = layers.GRU(3, reset_after=False, dtype="float64")
    model = keras.Sequential([keras.Input((4, 2), dtype="float64"), gru, reset_before])
    expected = model(X)
    with patched_layers(model):
        assert "inner_loop" in vars(gru)
        assert "inner_loop" not in vars(reset_before)
        np.testing.assert_allclose(model(X), expected, rtol=1e-10)


@pytest.fixture
def model():
    x = y = keras.Input((4, 2))
    for cell in (layers.SimpleRNN, layers.LSTM, layers.GRU):
        y = layers.Bidirectional(cell(2, return_sequences=True))(y)
    y = layers.Dropout(0.5, name="dropout")(layers.LSTM(3)(y))
    return keras.Model(x, layers.Dense(1)(y))


def attributes_of(model):
    return [dict(vars(layer)) for layer in all_layers(model)]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras
@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_layers_are_restored(error, model):
    expected, before, config = model(X), attributes_of(model), model.get_config()
    context = patched_layers(model, {model.get_layer("dropout"): tf.zeros((3, 3))})
    with contextlib.nullcontext() if error is None else pytest.raises(error), context:
        patched = attributes_of(model)
        if error is not None:
            raise error
    added = [set(new) - set(old) for new, old in zip(patched, before, strict=True)]
    assert added.count(set()) == 4  # the input, and the three bidirectional layers themselves
    assert attributes_of(model) == before
    assert model.get_config() == config
    np.testing.assert_array_equal(model(X), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model))(X), expected)


def test_layers_are_restored_after_an_error_in_the_middle_of_the_patch(model, monkeypatch):
    before, calls = attributes_of(model), []

    def fail_at_the_third_call(layer, masks):
        calls.append(layer)
        if len(calls) == 3:
            raise ValueError("third kernel")
        return find_kernel(layer)

    find_kernel = patch.find_kernel
    monkeypatch.setattr(patch, "find_kernel", fail_at_the_third_call)
    with pytest.raises(ValueError, match="third kernel"), patched_layers(model):
        pass
    assert attributes_of(model) == before


def test_a_model_trains_in_keras_after_the_patch():
    model = keras.Sequential([keras.Input((4, 2)), layers.GRU(2), layers.Dense(1)])
    y = np.ones((3, 1))
    with patched_layers(model):
        model(X)
    model.compile("sgd", "mse")
    losses = model.fit(X, y, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
