"""Language models: training on text, scores, and generation of text."""

import copy
import pickle
from itertools import islice

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import label
from sklearn.model_selection import cross_val_score

from skrnn import CharLSTMClassifier
from skrnn.networks import CELLS

# Keras converts its variables to arrays in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TEXT = "the cat sat on the mat. the rat sat on the cat. " * 6


def small(*analyzer, **parameters):
    settings = {"cell": "rnn", "units": 4, "learning_rate": 0.05, "epochs": 5, "random_state": 0}
    settings |= {"chunk_length": 16, "batch_size": 4}
    return CharLSTMClassifier(*analyzer, **settings | parameters)


@pytest.fixture(scope="module")
def model():
    """Return a language model of a short text."""
    return small(cell="gru", units=24, epochs=40, learning_rate=0.02).fit(TEXT)


def recurrent_layers(model):
    return [layer for layer in model.layers if isinstance(layer, keras.layers.RNN)]


def probabilities_of_formula(model, text):
    """Return the probabilities of the next token at the beginning and after each token."""
    table, (W, U, b), dense = (layer.get_weights() for layer in model.model_.layers[1:4])
    h, rows = np.zeros(U.shape[0]), []
    for code in [len(model.vocabulary_) + 1, *(model.vocabulary_[s] + 1 for s in text)]:
        h = np.tanh(table[0][code] @ W + h @ U + b)
        scores = np.exp(h @ dense[0] + dense[1])
        rows.append(scores / scores.sum())
    return np.array(rows)


# Training


def test_learns_hello():
    model = small(epochs=150).fit("hello")
    assert model.predict(["h", "he", "hel", "hell"]).tolist() == ["e", "l", "l", "o"]
    assert model.score("hello") == 1
    assert model.classes_.tolist() == ["e", "h", "l", "o"]
    assert model.vocabulary_ == {"e": 0, "h": 1, "l": 2, "o": 3}
    expected = probabilities_of_formula(model, "hell")
    probabilities = model.predict_proba(["", "h", "he", "hel", "hell"])
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    losses = -np.log(expected[np.arange(5), [model.vocabulary_[s] for s in "hello"]])
    entropy = model.cross_entropy("hello")
    assert entropy.nats == pytest.approx(losses.mean(), abs=1e-5)
    assert entropy.bits == pytest.approx(losses.mean() / np.log(2), abs=1e-5)


@pytest.mark.parametrize("embedding", [None, pytest.param(5, marks=pytest.mark.slow)])
def test_the_keras_model_returns_the_predictions(embedding, tmp_path):
    model = small(embedding=embedding).fit(TEXT)
    codes = [len(model.vocabulary_) + 1, *(model.vocabulary_[s] + 1 for s in "the c")]
    expected = model.predict_proba(["", "t", "th", "the", "the ", "the c"])
    np.testing.assert_allclose(model.model_(np.array([codes]))[0], expected, atol=1e-5)
    np.testing.assert_allclose(expected, probabilities_of_formula(model, "the c"), atol=1e-5)
    model.model_.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(np.array([codes]))[0], expected, atol=1e-5)


REGULARIZATION = {"l1": 0.01, "l2": 0.1, "recurrent_l2": 0.1, "dropout": 0.3}
REGULARIZATION |= {"recurrent_dropout": 0.3, "recurrent_initializer": "identity"}


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("rnn", REGULARIZATION | {"clipvalue": 1e-3}),
        pytest.param("lstm", {}, marks=pytest.mark.slow),
        pytest.param("gru", REGULARIZATION | {"clipvalue": 1e-3}, marks=pytest.mark.slow),
        pytest.param("gru", {"clipnorm": 1e-3}, marks=pytest.mark.slow),
        pytest.param("clockwork", REGULARIZATION | {"clipnorm": 0.5}, marks=pytest.mark.slow),
    ],
    ids=["rnn", "lstm", "gru", "clipnorm", "clockwork"],
)
def test_a_training_step_equals_that_of_keras(cell, options):
    """A single chunk contains the whole text."""
    text = "hello world"
    settings = {"cell": cell, "units": (5, 4), "epochs": 1, "optimizer": "sgd"} | options
    trained = small(**settings, learning_rate=0.5).fit(text)
    model = small(**settings, learning_rate=1e-30).fit(text).model_
    for layer in model.layers:
        source = layer.cell if isinstance(layer, keras.layers.RNN) else layer
        if (generator := getattr(source, "seed_generator", None)) is not None:
            generator.state.assign([generator.state[0], 0])  # as before the fit
    clips = {name: value for name, value in options.items() if name.startswith("clip")}
    model.compile(keras.optimizers.SGD(0.5, **clips), "sparse_categorical_crossentropy")
    codes = np.array([trained.vocabulary_[s] for s in text])
    x = np.append(len(trained.vocabulary_) + 1, codes[:-1] + 1)[None]
    loss = model.train_on_batch(x, codes[None])
    assert trained.loss_curve_[0] == pytest.approx(float(loss), rel=1e-5)
    pairs = zip(trained.model_.get_weights(), model.get_weights(), strict=True)
    for weights, expected in pairs:
        np.testing.assert_allclose(weights, expected, atol=1e-5)


UNTRAINED = {"learning_rate": 1e-30, "optimizer": "sgd", "epochs": 1}


def test_states_are_carried_from_one_chunk_to_the_next():
    """Without training, the loss of an epoch is the cross-entropy of the text."""
    text = "".join(np.random.default_rng(0).choice(list("abcde"), 50))
    settings = UNTRAINED | {"chunk_length": 8}

    def losses(texts, batch_size):
        models = [
            small(**settings, batch_size=batch_size, random_state=seed).fit(texts)
            for seed in range(5)
        ]
        return [(model.loss_curve_[0], model.cross_entropy(texts).nats) for model in models]

    # Of 6 chunks none begins with the initial states in most epochs: the probability is 1 / 32.
    n_equal = sum(loss == pytest.approx(nats, rel=1e-5) for loss, nats in losses(text, 1))
    assert 3 <= n_equal
    texts = [text, text[:13], text[5:30], "", text[7], *"abcde"]
    n_equal = sum(loss == pytest.approx(nats, rel=1e-5) for loss, nats in losses(texts, 1))
    assert 3 <= n_equal
    # The second row of a batch begins in the middle of the text, without what precedes it.
    assert not any(loss == pytest.approx(nats, rel=1e-6) for loss, nats in losses(text, 2))


@pytest.mark.slow
def test_the_training_loss_equals_the_cross_entropy():
    """Also where the rows of a batch are split into shards."""
    alphabet = [chr(48 + i) for i in range(70)]
    texts = ["".join(row) for row in np.random.default_rng(0).choice(alphabet, (16, 64))]
    settings = {"cell": "lstm", "units": 128, "epochs": 20, "learning_rate": 0.02}
    model = small(**settings).fit(texts)
    assert len(model.classes_) == 70
    model.set_params(learning_rate=1e-30).partial_fit(texts)
    nats = model.cross_entropy(texts).nats
    assert nats < 3.5 < np.log(70)
    assert model.loss_curve_[-1] == pytest.approx(nats, rel=1e-4)
    inputs = [[71, *(model.vocabulary_[s] + 1 for s in text[:-1])] for text in texts]
    codes = np.array([[model.vocabulary_[s] for s in text] for text in texts])
    probabilities = np.asarray(model.model_(np.array(inputs)))
    by_keras = -np.log(np.take_along_axis(probabilities, codes[..., None], axis=2)).mean()
    assert nats == pytest.approx(by_keras, rel=1e-4)


@pytest.mark.slow
def test_learns_from_tokens_beyond_a_chunk():
    rng = np.random.default_rng(0)
    text = "".join(rng.choice(["a....A", "b....B"]) for _ in range(300))
    settings = {"cell": "lstm", "units": 16, "epochs": 30, "batch_size": 4, "learning_rate": 0.02}
    model = small(**settings, chunk_length=4).fit(text)
    # Gradients of 4 time steps do not reach back 5 time steps, but the state does.
    assert set(model.predict(["a....A", "b....B"])) <= set("ab")
    longer = small(**settings, chunk_length=24).fit(text)
    assert longer.predict(["a....", "b....", "b....Ba...."]).tolist() == ["A", "B", "A"]


@pytest.mark.slow
def test_the_loss_of_an_epoch_includes_the_penalties_once():
    """For any number of chunks, rows and shards."""
    alphabet = [chr(48 + i) for i in range(70)]
    texts = ["".join(row) for row in np.random.default_rng(0).choice(alphabet, (16, 150))]
    settings = UNTRAINED | {"cell": "gru", "units": 64, "optimizer": "adam"}
    plain = small(**settings).fit(texts)
    model = small(**settings, l1=0.01, l2=0.02, recurrent_l2=0.03).fit(texts)
    penalty = float(sum(model.model_.losses))
    assert penalty > 1
    assert model.loss_curve_[0] == pytest.approx(plain.loss_curve_[0] + penalty, rel=1e-5)


@pytest.mark.slow
def test_recurrent_dropout_masks_are_sampled_for_each_batch_of_chunks():
    model = small(cell="gru", recurrent_dropout=0.5, chunk_length=8, batch_size=2, epochs=3)
    (layer,) = recurrent_layers(model.fit(TEXT[: 8 * 10]).model_)
    n_samples = int(layer.cell.seed_generator.state[1]) // 3  # a mask for each of three gates
    assert n_samples == 3 * 5  # epochs times batches
    # Predictions sample no masks.
    np.testing.assert_array_equal(model.predict_proba(["the"]), model.predict_proba(["the"]))
    assert model.generate("the", 9, random_state=0) == model.generate("the", 9, random_state=0)
    assert int(layer.cell.seed_generator.state[1]) // 3 == n_samples


def test_unknown_tokens_have_no_loss():
    model = small(vocabulary=["a", "b"], learning_rate=1e-30, epochs=1).fit("abcab")
    probabilities = model.predict_proba(["", "a", "abc", "abca"])
    expected = -np.log(probabilities[[0, 1, 2, 3], [0, 1, 0, 1]]).mean()
    assert model.loss_curve_[0] == pytest.approx(expected, rel=1e-5)


def test_texts_of_weight_zero_are_not_trained_on():
    texts = ["abababab", "cdcdcdcd"]
    model = small(epochs=60).fit(texts, sample_weight=[1, 0])
    assert model.predict(["aba", "bab"]).tolist() == ["b", "a"]
    assert model.predict_proba(["cdc"])[0, 3] < 0.5


def test_callbacks_with_batch_hooks_raise():
    callback = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    with pytest.raises(ValueError, match="has batch hooks, which the training of a language mode"):
        small(callbacks=[callback]).fit("abab")


# Predictions and scores


@pytest.mark.parametrize(
    "X", ["abab", ["abab"], ("abab",), np.array(["abab"]), pd.Series(["abab"])], ids=label
)
def test_a_str_is_a_list_of_one_text(X):
    assert small().fit(X).cross_entropy(X) == small().fit(["abab"]).cross_entropy("abab")


def test_predictions_do_not_depend_on_other_texts(model):
    texts = ["the cat", "", "t", TEXT * 2, "on the mat. the r", "a", "the cat sat on the mat."]
    alone = np.concatenate([model.predict_proba([text]) for text in texts])
    np.testing.assert_allclose(model.predict_proba(texts), alone, atol=1e-6)
    np.testing.assert_allclose(alone.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(texts)), alone, atol=1e-6)


def test_score_is_the_accuracy_over_all_tokens(model):
    text = TEXT[:100]
    predicted = model.predict([text[:i] for i in range(100)])
    expected = np.mean([a == b for a, b in zip(predicted, text, strict=True)])
    assert 0.5 < model.score(text) == pytest.approx(expected)
    texts = [text[:30], text[40:]]
    scores = [model.score(part) for part in texts]
    assert model.score(texts) == pytest.approx(np.average(scores, weights=[30, 60]))
    assert model.score(texts, sample_weight=[0, 2]) == pytest.approx(scores[1])
    assert model.score(["the c", "the m"], ["a", "b"]) == 0.5


def test_cross_validation_over_texts():
    assert len(cross_val_score(small(), [TEXT[:100], TEXT, TEXT[9:]], cv=3)) == 3


def test_unknown_tokens(model):
    assert model.predict(["the Ω"]).shape == (1,)
    assert model.score("the ΩΩΩΩΩΩΩΩΩΩΩΩ") < model.score("the ")
    with pytest.raises(ValueError, match=r"not in the vocabulary is infinite: \['Ω'\]"):
        model.cross_entropy("the Ω")
    assert model.generate("Ω", 5, random_state=0)


def test_vocabulary_may_contain_tokens_that_are_not_in_the_text():
    model = small(vocabulary=["a", "Ω"]).fit("aaaa")
    assert model.classes_.tolist() == ["a", "Ω"]
    assert np.isfinite(model.cross_entropy("Ω").nats)


# Generation


def test_words():
    text = "the cat sat on the mat . the dog sat on the rug . " * 20
    model = small("word", units=16, epochs=40).fit(text)
    assert model.predict(["the cat sat", "the dog", "mat."]).tolist() == ["on", "sat", "the"]
    generated = model.generate("the cat", 6, top_k=1)
    assert generated in ("sat on the mat. the", "sat on the rug. the")
    assert list(model.stream("the cat", 2, top_k=1)) == ["sat", "on"]


@pytest.mark.slow
def test_emoji_and_right_to_left_text():
    text = "שלום 👍🏽 " * 20
    model = small(epochs=60).fit(text)
    assert set(model.generate("", 20, random_state=0)) <= set(text)
    assert model.score(text) > 0.9


def test_generates_the_text_that_it_was_fitted_on(model):
    assert model.generate("the cat s", 8, top_k=1) == "at on th"


def filtered_logits(probabilities, temperature=1.0, top_k=None, top_p=None):
    """Return the logarithms of the probabilities that generation samples from, in NumPy."""
    logits = np.log(probabilities) / temperature
    order = np.argsort(-logits, kind="stable")[:top_k]
    if top_p is not None:
        remaining = np.exp(logits[order] - logits[order].max())
        cumulated = np.cumsum(remaining / remaining.sum())
        order = order[: int((cumulated - remaining / remaining.sum() < top_p).sum())]
    filtered = np.full(len(logits), -np.inf)
    filtered[order] = logits[order]
    return filtered


SETTINGS = [
    {},
    {"temperature": 0.3},
    {"top_k": 3},
    {"top_p": 0.6, "temperature": 2.0},
    {"top_k": 3, "top_p": 0.8},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=label)
@pytest.mark.parametrize("prompt", ["", "the cat s"])
def test_generation_samples_from_the_predicted_probabilities(settings, prompt, model):
    generated = model.generate(prompt, 40, random_state=7, **settings)
    seed = np.random.RandomState(7).randint(2**31 - 1)  # as random_state=7 is used
    rng, text = np.random.default_rng(seed), prompt
    for _ in range(40):
        logits = filtered_logits(model.predict_proba([text])[0], **settings)
        text += model.classes_[np.argmax(logits + rng.gumbel(size=len(logits)))]
    assert prompt + generated == text


@pytest.mark.parametrize("settings", SETTINGS, ids=label)
def test_generated_tokens_have_the_predicted_frequencies(settings, model):
    probabilities = np.array([0.5, 0.3, 0.15, 0.05])
    constant = pickle.loads(pickle.dumps(model))
    dense = constant.model_.layers[-2 if not constant.model_.layers[-1].weights else -1]
    kernel, bias = dense.get_weights()
    bias[:4], bias[4:] = np.log(probabilities), -100
    dense.set_weights([np.zeros_like(kernel), bias])
    generated = list(constant.generate("t", 5000, random_state=0, **settings))
    frequencies = [generated.count(token) / 5000 for token in constant.classes_[:4]]
    expected = np.exp(filtered_logits(probabilities, **settings))
    np.testing.assert_allclose(frequencies, expected / expected.sum(), atol=0.025)


def test_the_same_seed_generates_the_same_text(model):
    generated = model.generate("the", 300, random_state=3)
    assert len(generated) == 300
    assert model.generate("the", 300, random_state=3) == generated
    assert model.generate("the", 300, random_state=4) != generated
    assert model.generate("the", 300) != model.generate("the", 300)
    assert model.generate("the", 100, random_state=3) == generated[:100]
    assert "".join(islice(model.stream("the", random_state=3), 300)) == generated


@pytest.mark.parametrize(
    "copy_model", [lambda model: pickle.loads(pickle.dumps(model)), copy.deepcopy]
)
def test_copies_generate_the_same_text(copy_model, model):
    generated = model.generate("t", 20, random_state=0)
    assert copy_model(model).generate("t", 20, random_state=0) == generated


def test_a_stream_continues_with_the_network_that_it_was_started_with(model):
    expected = model.generate("t", 30, random_state=0)
    refitted = copy.deepcopy(model)
    started, waiting = (refitted.stream("t", 30, random_state=0) for _ in range(2))
    first = next(started)
    refitted.set_params(epochs=1).fit(TEXT.upper())
    assert first + "".join(started) == "".join(waiting) == expected


@pytest.mark.parametrize("settings", [{"top_p": 1e-40}, {"temperature": 1e-40}], ids=label)
def test_tiny_parameters_generate_the_most_probable_token(settings, model):
    expected = model.generate("the", 30, top_k=1)
    assert model.generate("the", 30, random_state=1, **settings) == expected


def test_long_prompts(model):
    prompt = TEXT[:200]
    assert model.generate(prompt, 1, top_k=1) == model.predict([prompt])[0]


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"length": 0}, "length=0 must be an int of at least 1"),
        ({"length": 2.5}, "length=2.5 must be"),
        ({"top_k": 2.5}, "top_k=2.5 must be"),
        ({"temperature": 0}, "temperature=0 must be a number > 0; top_k=1 takes the most prob"),
        ({"random_state": "x"}, "random_state='x' must be an int from 0 to 4294967295"),
        ({"random_state": True}, "random_state=True must be an int"),
        ({"random_state": 2.5}, "random_state=2.5 must be an int"),
        ({"random_state": -1}, "random_state=-1 must be an int"),
        ({"random_state": float("nan")}, "random_state=nan must be an int"),
        ({"random_state": [1]}, r"random_state=\[1\] must be an int"),
        ({"temperature": -1.0}, "temperature=-1.0 must be a number > 0"),
        ({"temperature": float("nan")}, "temperature=nan must be"),
        ({"temperature": None}, "temperature=None must be"),
        ({"top_k": 0}, "top_k=0 must be an int of at least 1"),
        ({"top_p": 0.0}, r"top_p=0.0 must be a number in \(0, 1\]"),
        ({"top_p": 1.5}, "top_p=1.5 must be"),
    ],
    ids=label,
)
@pytest.mark.parametrize("method", ["generate", "stream"])
def test_invalid_parameters_of_generation_raise(settings, match, method, model):
    with pytest.raises(ValueError, match=match):
        getattr(model, method)("the", **settings)


@pytest.mark.parametrize("value", [True, np.True_, -2, "2", float("nan"), float("inf"), [2]])
@pytest.mark.parametrize("name", ["length", "temperature", "top_k", "top_p"])
def test_invalid_numbers_of_generation_name_the_parameter(name, value, model):
    with pytest.raises(ValueError, match=f"^{name}=.* must be a"):
        model.generate("the", **{name: value})


def test_generate_requires_a_length(model):
    with pytest.raises(ValueError, match=r"length=None must be an int of at least 1\. Only `str"):
        model.generate("the", None)


def test_prompts_must_be_str(model):
    with pytest.raises(TypeError, match=r"prompt must be a str, got \['a'\]"):
        model.generate(["a"])


@pytest.mark.parametrize("method", ["generate", "stream", "cross_entropy"])
def test_only_language_models_generate_and_have_a_cross_entropy(method):
    strings = ["aba", "abba", "ab", "baa", "a", "xyx", "yx", "xx", "y", "yyxyx"]
    classifier = small(batch_size=16).fit(strings, [0] * 5 + [1] * 5)
    match = r"fitted on strings and their labels\. Fit it on text alone"
    with pytest.raises(ValueError, match=match):
        getattr(classifier, method)("a")


# Dtype policies


@pytest.mark.parametrize(
    ("cell", "policy"),
    [
        ("clockwork", "mixed_float16"),
        ("gru", "mixed_bfloat16"),
        ("gru", "float64"),
        *(
            pytest.param(cell, "mixed_float16", marks=pytest.mark.slow)
            for cell in CELLS
            if cell != "clockwork"
        ),
        pytest.param("clockwork", "mixed_bfloat16", marks=pytest.mark.slow),
    ],
)
def test_language_models_under_dtype_policies(cell, policy, dtype_policy):
    dtype_policy(policy)
    model = small(cell=cell, units=16, epochs=12, learning_rate=0.02, chunk_length=20)
    model.fit("abcd" * 50)
    losses = np.array(model.loss_curve_)
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.8 * losses[0]
    probabilities = model.predict_proba(["abc", "d", ""])
    assert probabilities.dtype == ("float64" if policy == "float64" else "float32")
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    tokens = np.array([[5, 1, 2, 3]])
    expected = model.model_.predict(tokens, verbose=0)[0, -1]
    np.testing.assert_allclose(probabilities[0], expected, atol=0.02)
    assert 0 < model.cross_entropy("abcdab").nats < losses[0]
    text = model.generate("ab", 40, top_k=2, top_p=0.9, random_state=0)
    assert (len(text), text) == (40, model.generate("ab", 40, top_k=2, top_p=0.9, random_state=0))


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_language_models_with_dropout_under_dtype_policies(policy, early_stopping, dtype_policy):
    dtype_policy(policy)
    settings = {"dropout": 0.1, "recurrent_dropout": 0.1, "embedding": 3, "units": (8, 8)}
    model = small(cell="lstm", epochs=12, early_stopping=early_stopping, **settings)
    model.fit("abcd" * 50)
    assert np.isfinite(model.loss_curve_).all()
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    np.testing.assert_allclose(model.predict_proba(["abc"]).sum(), 1, rtol=1e-6)


def test_strings_under_dtype_policies(dtype_policy):
    dtype_policy("mixed_float16")
    texts, labels = ["abab", "ba", "xyx", "yxyx"] * 8, [0, 0, 1, 1] * 8
    model = small(cell="clockwork", epochs=20, learning_rate=0.05).fit(texts, labels)
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert model.score(texts, labels) == 1
