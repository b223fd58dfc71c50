import inspect
import random
from functools import partial

import keras
import numpy as np
import pytest

from skrnn.networks import (
    MASKED,
    build_cnn_rnn,
    build_encoder_decoder,
    build_rnn,
    build_rnn_classifier,
    build_text_rnn,
)

BUILDERS = [build_rnn, build_rnn_classifier, build_text_rnn, build_encoder_decoder, build_cnn_rnn]
each_builder = pytest.mark.parametrize("builder", BUILDERS, ids=lambda builder: builder.__name__)

DEFAULTS = {
    "cell": "lstm",
    "units": 64,
    "activation": "tanh",
    "bidirectional": False,
    "dropout": 0.0,
    "recurrent_dropout": 0.0,
    "recurrent_initializer": "orthogonal",
    "l1": 0.0,
    "l2": 0.0,
    "recurrent_l2": 0.0,
    "seed": None,
}


def build(builder, **parameters):
    shapes = (4, 3) if builder is build_text_rnn else ((8, 2), 3)
    return builder(*shapes, **{"cell": "rnn", "units": 3, "seed": 0} | parameters)


@each_builder
def test_signature_lists_all_parameters(builder):
    parameters = inspect.signature(builder).parameters
    assert {name: parameters[name].default for name in DEFAULTS} == DEFAULTS
    assert list(parameters)[2:4] == ["cell", "units"]
    keyword_only = [p.name for p in parameters.values() if p.kind is p.KEYWORD_ONLY]
    assert set(parameters) == {*list(parameters)[:4], *keyword_only}  # no **keywords
    assert inspect.signature(partial(builder, l1=0.1)).parameters["l1"].default == 0.1


@each_builder
def test_docstring_describes_all_parameters_in_the_signature(builder):
    lines = inspect.getdoc(builder).splitlines()
    section = lines[lines.index("Parameters") + 2 : lines.index("Returns")]
    entries = [line.split(" :")[0] for line in section if line and not line.startswith(" ")]
    assert sorted(entries) == sorted(inspect.signature(builder).parameters)


@each_builder
def test_unknown_keyword(builder):
    with pytest.raises(TypeError, match="unexpected keyword argument 'droput'"):
        build(builder, droput=0.1)


@each_builder
def test_network_has_only_layers_of_keras_and_is_not_compiled(builder):
    model = build(builder, bidirectional=True, dropout=0.1)
    assert not model.compiled
    assert {type(layer).__module__.split(".")[0] for layer in model.layers} == {"keras"}


@each_builder
def test_seed_determines_all_weights(builder):
    settings = {"bidirectional": True, "dropout": 0.2, "units": (3, 2)}
    model, same, other = (build(builder, **settings, seed=seed) for seed in (1, 1, 2))
    for weights, expected in zip(model.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, expected)
    kernels = [
        (weight.numpy(), different.numpy())
        for weight, different in zip(model.trainable_weights, other.trainable_weights, strict=True)
        if "kernel" in weight.name
    ]
    assert len(kernels) >= 9
    assert not any(np.array_equal(*pair) for pair in kernels)


@each_builder
def test_global_random_states_are_unchanged(builder):
    # Bidirectional copies a SimpleRNN without its seed, and depth-gated cells contain others.
    for cell in ("rnn", "depthgated"):
        states = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
        build(builder, cell=cell, bidirectional=True, dropout=0.2)
        assert (random.getstate(), np.random.get_state()[1].tolist()) == states  # noqa: NPY002


def test_seed_none_is_drawn_from_the_random_module():
    kernels = []
    for _ in range(2):
        random.seed(5)
        kernels += [build(build_rnn, seed=None).get_weights()[0] for _ in range(2)]
    np.testing.assert_array_equal(kernels[0], kernels[2])
    np.testing.assert_array_equal(kernels[1], kernels[3])
    assert not np.array_equal(kernels[0], kernels[1])


@pytest.mark.parametrize(
    ("cell", "n_parameters"),
    [
        ("rnn", lambda d, u: u * (d + u + 1)),
        ("lstm", lambda d, u: 4 * u * (d + u + 1)),
        ("gru", lambda d, u: 3 * u * (d + u + 2)),
        ("peephole", lambda d, u: 4 * u * (d + u + 1) + 3 * u),
        ("coupled", lambda d, u: 3 * u * (d + u + 1)),
        ("clockwork", lambda d, u: u * (d + u + 1)),
    ],
)
def test_number_of_parameters(cell, n_parameters):
    d, u, v = 2, 5, 3
    assert build_rnn((7, d), 2, cell, u).count_params() == n_parameters(d, u) + 2 * (u + 1)
    stack = build_rnn((7, d), 2, cell, (u, v))
    assert stack.count_params() == n_parameters(d, u) + n_parameters(u, v) + 2 * (v + 1)
    bidirectional = build_rnn((7, d), 2, cell, u, bidirectional=True)
    assert bidirectional.count_params() == 2 * n_parameters(d, u) + 2 * (2 * u + 1)


def test_output_for_the_last_time_step_or_for_all_of_them():
    assert build(build_rnn).output_shape == (None, 3)
    assert build(build_rnn, output="sequence").output_shape == (None, 8, 3)
    assert build(build_rnn_classifier).output_shape == (None, 3)
    assert build(build_rnn_classifier, output="sequence").output_shape == (None, None, 3)
    assert build(build_text_rnn).output_shape == (None, 3)
    assert build(build_text_rnn, sequences=True).output_shape == (None, None, 3)


def test_dropout_follows_each_recurrent_layer():
    layers = build(build_rnn, units=(3, 2), dropout=0.2).layers
    kinds = [type(layer).__name__ for layer in layers[1:]]
    assert kinds == ["SimpleRNN", "Dropout", "SimpleRNN", "Dropout", "Dense"]
    assert layers[2].rate == 0.2


def test_shapes_of_build_rnn():
    assert build_rnn((8,), 1, units=2).input_shape == (None, 8, 1)
    assert build_rnn((None, 2), 1, units=2).input_shape == (None, None, 2)
    meta = {"X_shape_": (50, 8, 2), "n_outputs_": 3}
    from_meta = build_rnn(meta=meta, units=2)
    assert (from_meta.input_shape, from_meta.output_shape) == ((None, 8, 2), (None, 3))
    assert build_rnn((5, 1), 4, units=2, meta=meta).output_shape == (None, 4)
    with pytest.raises(ValueError, match=r"needs input_shape=.* got input_shape=None and n_outpu"):
        build_rnn(n_outputs=3)
    with pytest.raises(ValueError, match=r"got input_shape=\(8, 2\) and n_outputs=None"):
        build_rnn((8, 2))


@pytest.mark.parametrize("output", ["last", "sequence"])
def test_classifier_skips_masked_time_steps_anywhere(output):
    model = build(build_rnn_classifier, output=output, cell="gru")
    X = np.random.default_rng(0).normal(size=(2, 6, 2)).astype("float32")
    valid = [1, 2, 4]
    X[:, [0, 3, 5]] = MASKED
    probabilities = model(X).numpy()
    expected = model(X[:, valid]).numpy()
    if output == "sequence":
        probabilities = probabilities[:, valid]
    np.testing.assert_allclose(probabilities, expected, rtol=1e-6)
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, rtol=1e-6)


def test_classifier_masks_before_the_cast_to_half_precision():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float16")
    try:
        model = build(build_rnn_classifier)
        X = np.ones((1, 4, 2), "float32")
        X[:, 2:] = MASKED
        probabilities = model(X).numpy()
        np.testing.assert_allclose(probabilities, model(X[:, :2]).numpy(), rtol=1e-2)
    finally:
        keras.config.set_dtype_policy(policy)


def test_one_hot_vectors_of_tokens():
    table = build(build_text_rnn).layers[1]
    assert not table.trainable
    # Padding and unknown tokens have no vector.
    expected = np.vstack([np.zeros(4), np.eye(4), np.zeros(4)])
    np.testing.assert_array_equal(table.get_weights()[0], expected)


def test_embedding_of_tokens():
    table = build(build_text_rnn, embedding=2).layers[1]
    assert table.trainable
    (embeddings,) = table.get_weights()
    assert embeddings.shape == (6, 2)
    assert (embeddings[1:-1] != 0).all()
    np.testing.assert_array_equal(embeddings[[0, -1]], 0)


def test_padding_is_masked_unless_there_are_outputs_for_all_tokens():
    padded, tokens = np.array([[3, 0, 1, 0]]), np.array([[3, 1]])
    model = build(build_text_rnn)
    np.testing.assert_allclose(model(padded), model(tokens), rtol=1e-6)
    model = build(build_text_rnn, sequences=True)
    assert not np.allclose(model(padded)[:, 2], model(tokens)[:, 1])


def test_embedding_dropout_follows_the_embedding():
    layers = build(build_text_rnn, embedding=2, embedding_dropout=0.2, dropout=0.3).layers
    kinds = [type(layer).__name__ for layer in layers[1:]]
    assert kinds == ["Embedding", "Dropout", "SimpleRNN", "Dropout", "Dense", "Softmax"]
    assert (layers[2].rate, layers[4].rate) == (0.2, 0.3)
