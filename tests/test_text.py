"""CharLSTMClassifier: its three kinds of input, what it writes, and scikit-learn's tools around."""

import copy
import pickle
from itertools import islice

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import label
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.class_weight import compute_sample_weight
from test_examples import DATA, needs_data

from skrnn import CharLSTMClassifier, WindowTransformer, _language
from skrnn.datasets import load_text
from skrnn.networks.initialize import RECURRENT_INITIALIZERS
from skrnn.text import sample

# Keras makes arrays of its variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SMALL = {"cell": "rnn", "units": 8, "learning_rate": 0.02, "epochs": 5, "random_state": 0}
STRINGS = ["aba", "abba", "ab", "baa", "a", "xyx", "yx", "xx", "y", "yyxyx"]
LABELS = ["left"] * 5 + ["right"] * 5
ALPHABET = "".join(chr(48 + i) for i in range(70))
TEXT = "the cat sat on the mat. the rat sat on the cat. " * 6


def small(*analyzer, **parameters):
    return CharLSTMClassifier(*analyzer, **(SMALL | parameters))


@pytest.fixture(scope="module")
def speaker():
    """A language model of a short text."""
    return small(cell="gru", units=24, epochs=40, chunk_length=16, batch_size=4).fit(TEXT)


@pytest.fixture(scope="module")
def reader():
    """A classifier of strings."""
    return small(epochs=40).fit(STRINGS, LABELS)


@pytest.fixture
def symbols():
    """A column of the symbols of a text."""
    return np.array(list("abcd" * 30))[:, None]


def steps_by_hand(model, text, analyzer=list):
    """The probabilities after each symbol of a text, and before the first, in NumPy."""
    table, recurrent, dense = (layer.get_weights() for layer in model.model_.layers[1:4])
    W, U, b = recurrent
    h, rows = np.zeros(U.shape[0]), []
    for number in [len(model.vocabulary_) + 1, *(model.vocabulary_[s] + 1 for s in text)]:
        h = np.tanh(table[0][number] @ W + h @ U + b)
        scores = np.exp(h @ dense[0] + dense[1])
        rows.append(scores / scores.sum())
    return np.array(rows)


# A text alone: a language model


def test_hello():
    model = small(units=3, epochs=200, learning_rate=0.05).fit("hello")
    assert model.predict(["h", "he", "hel", "hell"]).tolist() == ["e", "l", "l", "o"]
    assert model.score("hello") == 1
    assert model.classes_.tolist() == ["e", "h", "l", "o"]
    assert model.vocabulary_ == {"e": 0, "h": 1, "l": 2, "o": 3}
    # h(t) = tanh(W_hh h(t-1) + W_xh x(t)), by hand
    expected = steps_by_hand(model, "hell")
    found = model.predict_proba(["", "h", "he", "hel", "hell"])
    np.testing.assert_allclose(found, expected, atol=1e-5)
    costs = -np.log(expected[np.arange(5), [model.vocabulary_[s] for s in "hello"]])
    entropy = model.cross_entropy("hello")
    assert entropy.nats == pytest.approx(costs.mean(), abs=1e-5)
    assert entropy.bits == pytest.approx(costs.mean() / np.log(2), abs=1e-5)


@pytest.mark.parametrize("embedding", [None, 5])
def test_language_model_is_a_plain_keras_model(embedding, tmp_path):
    model = small(embedding=embedding).fit(TEXT)
    numbers = [len(model.vocabulary_) + 1, *(model.vocabulary_[s] + 1 for s in "the c")]
    expected = model.predict_proba(["", "t", "th", "the", "the ", "the c"])
    np.testing.assert_allclose(model.model_(np.array([numbers]))[0], expected, atol=1e-5)
    np.testing.assert_allclose(expected, steps_by_hand(model, "the c"), atol=1e-5)
    model.model_.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(np.array([numbers]))[0], expected, atol=1e-5)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_one_step_of_training_is_that_of_keras(cell):
    """One chunk holds the whole text: its loss and step are those of `Model.train_on_batch`."""
    text = "hello world"
    model = small(cell=cell, units=(5, 4), epochs=1, chunk_length=64, optimizer="sgd")
    model.fit(text)
    before = small(cell=cell, units=(5, 4), epochs=1, learning_rate=1e-30, optimizer="sgd")
    twin = before.fit(text).model_
    twin.compile(keras.optimizers.SGD(0.02), "sparse_categorical_crossentropy")
    numbers = np.array([model.vocabulary_[s] for s in text])
    x = np.append(len(model.vocabulary_) + 1, numbers[:-1] + 1)[None]
    loss = twin.train_on_batch(x, numbers[None])
    assert model.loss_curve_[0] == pytest.approx(float(loss), rel=1e-5)
    for found, expected in zip(model.model_.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_state_is_carried_from_chunk_to_chunk(monkeypatch):
    """With a learning rate of almost 0, the loss is that of reading the text without cuts."""
    monkeypatch.setattr(_language, "_BEGIN_ANEW", 0)
    text = "".join(np.random.default_rng(0).choice(list("abcde"), 50))
    settings = {"learning_rate": 1e-30, "optimizer": "sgd", "epochs": 1, "units": 16}
    cut = small(chunk_length=8, batch_size=1, **settings).fit(text)
    assert cut.loss_curve_[0] == pytest.approx(cut.cross_entropy(text).nats, rel=1e-5)
    # Several texts begin anew each, wherever they stand in a row.
    texts = [text, text[:13], text[5:30], "", text[7]]
    for batch_size in (1, 2, 7):
        cut = small(chunk_length=8, batch_size=batch_size, **settings).fit([*texts, *"abcde"])
        if batch_size == 1:
            several = [*texts, *"abcde"]
            assert cut.loss_curve_[0] == pytest.approx(cut.cross_entropy(several).nats, rel=1e-5)
    # Two rows: the second one begins in the middle of the text, without what was before.
    halves = small(chunk_length=8, batch_size=2, **settings).fit(text)
    assert halves.loss_curve_[0] != pytest.approx(halves.cross_entropy(text).nats, rel=1e-7)


def test_what_is_trained_is_what_is_read():
    """The loss of an epoch that changes nothing is that of reading, in branches of a batch too."""
    texts = ["".join(row) for row in np.random.default_rng(0).choice(list(ALPHABET), (16, 64))]
    model = small(cell="lstm", units=128, epochs=20, batch_size=16).fit(texts)
    assert len(model.classes_) == 70
    model.set_params(learning_rate=1e-30).partial_fit(texts)
    read = model.cross_entropy(texts).nats
    assert read < 3.5 < np.log(70)
    assert model.loss_curve_[-1] == pytest.approx(read, rel=1e-4)
    numbers = [[71, *(model.vocabulary_[s] + 1 for s in text[:-1])] for text in texts]
    named = np.array([[model.vocabulary_[s] for s in text] for text in texts])
    probabilities = np.asarray(model.model_(np.array(numbers)))
    by_keras = -np.log(np.take_along_axis(probabilities, named[..., None], axis=2)).mean()
    assert read == pytest.approx(by_keras, rel=1e-4)


def test_remembers_beyond_a_chunk():
    """What comes depends on a symbol further back than a chunk reaches: the state carries it."""
    rng = np.random.default_rng(0)
    text = "".join(rng.choice(["a....A", "b....B"]) for _ in range(300))
    model = small(cell="lstm", units=16, epochs=30, chunk_length=4, batch_size=4).fit(text)
    # Gradients of 4 steps do not reach the 5 steps back, but the state holds what was read.
    assert set(model.predict(["a....A", "b....B"])) <= set("ab")
    longer = small(cell="lstm", units=16, epochs=30, chunk_length=24, batch_size=4).fit(text)
    assert longer.predict(["a....", "b....", "b....Ba...."]).tolist() == ["A", "B", "A"]


def test_predictions_do_not_depend_on_other_texts(speaker):
    texts = ["the cat", "", "t", TEXT * 2, "on the mat. the r", "a", "the cat sat on the mat."]
    alone = np.concatenate([speaker.predict_proba([text]) for text in texts])
    np.testing.assert_allclose(speaker.predict_proba(texts), alone, atol=1e-6)
    np.testing.assert_allclose(alone.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.exp(speaker.predict_log_proba(texts)), alone, atol=1e-6)


def test_score_counts_all_positions(speaker):
    text = TEXT[:100]
    named = speaker.predict([text[:i] for i in range(100)])
    expected = np.mean([a == b for a, b in zip(named, text, strict=True)])
    assert 0.5 < speaker.score(text) == pytest.approx(expected)
    texts = [text[:30], text[40:]]
    parts = [speaker.score(part) for part in texts]
    assert speaker.score(texts) == pytest.approx(np.average(parts, weights=[30, 60]))
    assert speaker.score(texts, sample_weight=[0, 2]) == pytest.approx(parts[1])
    assert speaker.score(["the c", "the m"], ["a", "b"]) == 0.5


def test_words():
    text = "the cat sat on the mat . the dog sat on the rug . " * 20
    model = small("word", cell="lstm", units=16, epochs=30).fit(text)
    assert model.predict(["the cat sat", "the dog", "mat."]).tolist() == ["on", "sat", "the"]
    written = model.generate("the cat", 6, top_k=1)
    assert written in ("sat on the mat. the", "sat on the rug. the")
    assert list(model.stream("the cat", 2, top_k=1)) == ["sat", "on"]


@pytest.mark.parametrize(
    "X", ["abab", ["abab"], ("abab",), np.array(["abab"]), pd.Series(["abab"])]
)
def test_a_text_is_a_list_of_one(X):
    assert small().fit(X).cross_entropy(X) == small().fit(["abab"]).cross_entropy("abab")


def test_symbols_never_seen(speaker):
    assert speaker.predict(["the Ω"]).shape == (1,)
    assert speaker.score("the ΩΩΩΩΩΩΩΩΩΩΩΩ") < speaker.score("the ")
    with pytest.raises(ValueError, match=r"never seen in fit is infinite: \['Ω'\]"):
        speaker.cross_entropy("the Ω")
    assert speaker.generate("Ω", 5, random_state=0)
    knows = small(vocabulary=list("abΩ")).fit("abab")
    assert knows.classes_.tolist() == ["a", "b", "Ω"]
    assert np.isfinite(knows.cross_entropy("Ω").nats)


def test_emoji_and_right_to_left_text():
    text = "שלום 👍🏽 " * 20
    model = small(epochs=100).fit(text)
    assert set(model.generate("", 20, random_state=0)) <= set(text)
    assert model.score(text) > 0.9


# Writing


@pytest.mark.parametrize(
    "settings",
    [{}, {"temperature": 0.3}, {"top_k": 3}, {"top_p": 0.6, "temperature": 2.0}],
    ids=label,
)
@pytest.mark.parametrize("prompt", ["", "t", "the cat s"])
def test_writing_is_drawing_from_what_is_predicted(settings, prompt, speaker):
    written = speaker.generate(prompt, 40, random_state=7, **settings)
    rng, text = np.random.default_rng(np.random.RandomState(7).randint(2**31 - 1)), prompt
    for _ in range(40):
        noise = rng.gumbel(size=len(speaker.classes_))
        text += speaker.classes_[sample(speaker.predict_proba([text])[0], noise=noise, **settings)]
    assert prompt + written == text


def test_the_same_seed_writes_the_same_text(speaker):
    written = speaker.generate("the", 300, random_state=3)
    assert len(written) == 300
    assert speaker.generate("the", 300, random_state=3) == written
    assert speaker.generate("the", 300, random_state=4) != written
    assert speaker.generate("the", 300) != speaker.generate("the", 300)
    assert speaker.generate("the", 100, random_state=3) == written[:100]
    assert "".join(islice(speaker.stream("the", random_state=3), 300)) == written


def test_a_stream_goes_on_with_the_fit_it_was_opened_on():
    model = small(epochs=20).fit("abcd" * 20)
    expected = model.generate("a", 30, random_state=0)
    begun, waiting = (model.stream("a", 30, random_state=0) for _ in range(2))
    first = next(begun)
    model.fit("wxyz1" * 20)
    assert first + "".join(begun) == "".join(waiting) == expected


@pytest.mark.parametrize("settings", [{"top_p": 1e-40}, {"temperature": 1e-40}], ids=label)
def test_the_least_of_numbers_take_the_most_probable_symbol(settings, speaker):
    expected = speaker.generate("the", 30, top_k=1)
    assert speaker.generate("the", 30, random_state=1, **settings) == expected


def test_prompts_longer_than_a_block(speaker):
    prompt = TEXT[:200]
    assert speaker.generate(prompt, 1, top_k=1) == speaker.predict([prompt])[0]


def test_writes_what_it_learnt(speaker):
    assert speaker.generate("the cat s", 8, top_k=1) == "at on th"


def test_draws_have_the_probabilities():
    p = np.array([0.5, 0.3, 0.15, 0.05])
    noise = np.random.default_rng(0).gumbel(size=(20_000, 4))

    def shares(**settings):
        drawn = [sample(p, noise=row, **settings) for row in noise]
        return np.bincount(drawn, minlength=4) / len(noise)

    np.testing.assert_allclose(shares(), p, atol=0.012)
    np.testing.assert_allclose(shares(temperature=0.5), p**2 / (p**2).sum(), atol=0.012)
    np.testing.assert_allclose(shares(top_k=2), [0.625, 0.375, 0, 0], atol=0.012)
    np.testing.assert_allclose(shares(top_p=0.6), [0.625, 0.375, 0, 0], atol=0.012)
    np.testing.assert_allclose(shares(top_p=0.5), [1, 0, 0, 0])
    # The most probable three, then of these the fewest that make up 80 %.
    np.testing.assert_allclose(shares(top_k=3, top_p=0.8), [0.625, 0.375, 0, 0], atol=0.012)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"length": 0}, "length=0 must be an int of at least 1"),
        ({"length": 2.5}, "length=2.5 must be"),
        ({"top_k": 2.5}, "top_k=2.5 must be"),
        ({"temperature": 0}, "temperature=0 must be a number > 0"),
        ({"temperature": -1.0}, "temperature=-1.0 must be a number > 0"),
        ({"temperature": float("nan")}, "temperature=nan must be"),
        ({"temperature": None}, "temperature=None must be"),
        ({"top_k": 0}, "top_k=0 must be an int of at least 1"),
        ({"top_p": 0.0}, r"top_p=0.0 must be a number in \(0, 1\]"),
        ({"top_p": 1.5}, "top_p=1.5 must be"),
    ],
)
@pytest.mark.parametrize("method", ["generate", "stream"])
def test_how_not_to_write(settings, match, method, speaker):
    with pytest.raises(ValueError, match=match):
        getattr(speaker, method)("the", **settings)


def test_only_a_stream_goes_on_for_ever(speaker):
    with pytest.raises(ValueError, match="length=None must be an int"):
        speaker.generate("the", None)


def test_only_text_is_a_prompt(speaker):
    with pytest.raises(TypeError, match=r"prompt must be a str, got \['a'\]"):
        speaker.generate(["a"])


@pytest.mark.parametrize("method", ["generate", "stream", "cross_entropy"])
def test_only_a_language_model_writes(method, reader):
    with pytest.raises(
        ValueError, match=r"fitted on strings and their labels\. Fit it on text alone"
    ):
        getattr(reader, method)("a")


# Strings and labels


def test_strings_to_classes(reader):
    assert reader.predict(STRINGS).tolist() == LABELS
    assert reader.score(STRINGS, LABELS) == 1
    assert reader.predict(["ab" * 50, "yx" * 50]).tolist() == ["left", "right"]
    probabilities = reader.predict_proba([*STRINGS, "", "ΩΩ"])
    assert probabilities.shape == (12, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    again = np.exp(reader.predict_log_proba(STRINGS))
    np.testing.assert_allclose(again, probabilities[:10], rtol=1e-5)


def test_strings_by_hand(reader):
    for text in ("aba", "y", ""):
        table, recurrent, dense = (layer.get_weights() for layer in reader.model_.layers[1:4])
        h = np.zeros(8)
        for s in text:
            h = np.tanh(
                table[0][reader.vocabulary_[s] + 1] @ recurrent[0] + h @ recurrent[1] + recurrent[2]
            )
        scores = np.exp(h @ dense[0] + dense[1])
        expected = scores / scores.sum()
        np.testing.assert_allclose(reader.predict_proba([text])[0], expected, atol=1e-5)


def test_neither_padding_nor_other_strings_count():
    """Neither forwards nor backwards, as each is read in either layer of a stack."""
    model = small(bidirectional=True, cell="gru", units=(4, 3), embedding=3)
    model.fit(STRINGS, LABELS)
    texts = ["a", "ab" * 3, "", "x" * 9, "xy" * 20, "ba" * 200]
    alone = np.concatenate([model.predict_proba([text]) for text in texts])
    np.testing.assert_allclose(model.predict_proba(texts), alone, atol=1e-6)
    order = [3, 0, 5, 1, 4, 2]
    np.testing.assert_allclose(
        model.predict_proba([texts[i] for i in order]), alone[order], atol=1e-6
    )


def test_next_character_as_label():
    model = small(epochs=60).fit(["h", "he", "hel", "hell"], list("ello"))
    assert model.predict(["h", "he", "hel", "hell"]).tolist() == list("ello")


@pytest.mark.parametrize("labels", [[0, 1], [2.0, 7.0], [True, False], ["no", "yes"]], ids=label)
def test_labels_come_back_as_they_are(labels):
    y = np.array(labels)[[0] * 5 + [1] * 5]
    model = small(epochs=40).fit(STRINGS, y)
    predicted = model.predict(STRINGS)
    np.testing.assert_array_equal(predicted, y)
    assert predicted.dtype == y.dtype


def test_class_weight_is_sample_weight():
    y = ["left"] * 7 + ["right"] * 3
    balanced = small(class_weight="balanced").fit(STRINGS, y)
    weighted = small().fit(STRINGS, y, sample_weight=compute_sample_weight("balanced", y))
    plain = small().fit(STRINGS, y)
    np.testing.assert_allclose(balanced.predict_proba(STRINGS), weighted.predict_proba(STRINGS))
    assert not np.allclose(balanced.predict_proba(STRINGS), plain.predict_proba(STRINGS))
    by_hand = small(class_weight={"right": 1e6, "left": 1e-6}, epochs=60).fit(STRINGS, y)
    assert set(by_hand.predict(STRINGS)) == {"right"}


def test_partial_fit_knows_its_classes_from_the_first_call():
    model = small()
    for _ in range(40):
        model.partial_fit(STRINGS[:5], LABELS[:5], classes=["left", "middle", "right"])
        model.partial_fit(STRINGS[5:], LABELS[5:])
    assert model.classes_.tolist() == ["left", "middle", "right"]
    assert model.n_iter_ == 80
    with pytest.raises(ValueError, match=r"labels that were not in the first fit: \['top'\]"):
        model.partial_fit(["a"], ["top"])
    with pytest.raises(
        ValueError, match=r"classes=\['left', 'right'\] are not those of the first fit"
    ):
        model.partial_fit(STRINGS[:5], LABELS[:5], classes=["left", "right"])


def test_partial_fit_of_text_goes_on():
    model, whole = small(vocabulary=list("ab")), small(vocabulary=list("ab"), epochs=2)
    model.partial_fit("abab").partial_fit("abab")
    whole.fit("abab")
    assert model.loss_curve_ == whole.loss_curve_
    assert model.predict_proba(["a"]).tolist() == whole.predict_proba(["a"]).tolist()


def test_warm_start_goes_on(speaker):
    model = small(warm_start=True, epochs=2).fit("abab")
    model.fit("abab")
    assert model.n_iter_ == 4
    assert model.loss_curve_ == small(epochs=4).fit("abab").loss_curve_
    with pytest.raises(ValueError, match="fitted on text alone and cannot go on with strings"):
        model.fit(["ab", "ba"], [0, 1])


@pytest.mark.parametrize(
    ("X", "y"), [(STRINGS * 4, LABELS * 4), (TEXT, None), ([TEXT, TEXT], None)], ids=["a", "b", "c"]
)
def test_early_stopping_returns_to_the_best(X, y):
    model = small(early_stopping=True, epochs=300, n_iter_no_change=3, learning_rate=0.3).fit(X, y)
    assert model.n_iter_ < 300
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == model.n_iter_
    assert np.argmin(model.validation_loss_curve_) == model.n_iter_ - 4


# Windows of symbols


def test_windows_in_a_pipeline(symbols):
    model = Pipeline([("window", WindowTransformer(4)), ("lstm", small(epochs=20))]).fit(symbols)
    assert model.score(symbols) == 1
    assert model.predict(np.array([["?"]])).tolist() == ["a"]
    assert model.named_steps["lstm"].classes_.tolist() == list("abcd")
    labelled = make_pipeline(WindowTransformer(4), small(epochs=20)).fit(symbols, symbols)
    np.testing.assert_array_equal(labelled.predict(symbols), model.predict(symbols))


@pytest.mark.parametrize("dtype", [None, object])
def test_search_over_the_window_length(symbols, dtype):
    model = Pipeline([("window", WindowTransformer(1)), ("lstm", small(epochs=10))])
    search = GridSearchCV(model, {"window__window_length": [1, 5]}, cv=TimeSeriesSplit(3))
    search.fit(symbols.astype(dtype or symbols.dtype))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    scored = GridSearchCV(model, {"lstm__units": [2, 8]}, cv=TimeSeriesSplit(3), scoring="accuracy")
    assert scored.fit(symbols, symbols[:, 0]).best_score_ > 0.5


def test_windows_as_plain_arrays(symbols):
    windows = WindowTransformer(4).fit_transform(symbols)
    model = small(epochs=20).fit(windows, symbols[:, 0])
    plain = np.asarray(windows)
    np.testing.assert_array_equal(model.predict(plain), model.predict(windows))
    again = small(epochs=20).fit(plain[4:], symbols[4:, 0])
    assert again.score(plain[4:], symbols[4:, 0]) == 1
    with pytest.raises(ValueError, match="do not know the series they came from"):
        small().fit(plain)
    with pytest.raises(ValueError, match=r"windows of 3 symbols, .* fitted on windows of 4"):
        model.predict(plain[:, :3])


@needs_data
def test_the_fable_is_learnt_by_heart():
    words = np.array(load_text(DATA, "fable").split())[:, None]
    lstm = CharLSTMClassifier(units=64, epochs=100, learning_rate=0.01, random_state=0)
    model = make_pipeline(WindowTransformer(3), lstm).fit(words)
    assert (len(words), len(np.unique(words))) == (204, 112)
    following = {}
    for i in range(3, 204):
        following.setdefault(tuple(words[i - 3 : i, 0]), set()).add(words[i, 0])
    certain = [len(following[tuple(words[i - 3 : i, 0])]) == 1 for i in range(3, 204)]
    named = model.predict(words)[3:] == words[3:, 0]
    assert sum(certain) == 197  # and two windows come twice, each before two words
    assert named[certain].all()
    assert named.sum() == 199
    # The same from strings of three words.
    strings = [" ".join(words[i - 3 : i, 0]) for i in range(3, 204)]
    lstm = CharLSTMClassifier("word", units=64, epochs=100, learning_rate=0.01, random_state=0)
    assert lstm.fit(strings, words[3:, 0]).score(strings, words[3:, 0]) >= 199 / 201


# Remedies

REMEDIES = [
    {"l1": 0.01},
    {"l2": 0.1},
    {"recurrent_l2": 0.1},
    {"recurrent_dropout": 0.3},
    {"recurrent_initializer": "identity"},
    {"clipvalue": 1e-3},
    {"clipnorm": 1e-3},
    {"dropout": 0.3},
]
each_remedy = pytest.mark.parametrize("remedy", REMEDIES, ids=lambda remedy: next(iter(remedy)))


def recurrent(model):
    return [layer for layer in model.layers if isinstance(layer, keras.layers.RNN)]


def remedied(kind, symbols, **remedies):
    """Fit on one of three kinds of input."""
    windows = WindowTransformer(4).fit_transform(symbols)
    data = [(STRINGS, LABELS), (TEXT[:50],), (windows,)][kind]
    return small(cell="gru", epochs=2, **remedies).fit(*data).model_


@each_remedy
def test_remedies_act(remedy, symbols):
    """Each on one kind of input: the next test has them all reach every kind."""
    kind = REMEDIES.index(remedy) % 3
    weights, plain = (remedied(kind, symbols, **r).get_weights() for r in (remedy, {}))
    assert max(abs(a - b).max() for a, b in zip(weights, plain, strict=True)) > 1e-4


@pytest.mark.parametrize(("kind", "clip"), enumerate(["clipvalue", "clipnorm", "clipvalue"]))
def test_remedies_reach_every_kind_of_input_and_repeat(kind, clip, symbols):
    remedies = {name: value for remedy in REMEDIES[:5] for name, value in remedy.items()}
    remedies |= {"dropout": 0.3, clip: 1e-3}
    model, again = (remedied(kind, symbols, **remedies) for _ in range(2))
    for one, same in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)
    (layer,) = recurrent(model)
    assert layer.cell.kernel_regularizer.get_config() == pytest.approx({"l1": 0.01, "l2": 0.1})
    assert layer.cell.recurrent_regularizer.get_config() == pytest.approx({"l2": 0.1})
    assert layer.cell.recurrent_dropout == 0.3
    assert isinstance(layer.cell.recurrent_initializer, RECURRENT_INITIALIZERS["identity"])
    rates = [one.rate for one in model.layers if isinstance(one, keras.layers.Dropout)]
    assert rates == [0.3]
    assert getattr(model.optimizer, clip) == 1e-3


@pytest.mark.parametrize(
    ("cell", "remedy"),
    [
        *[("gru", remedy) for remedy in REMEDIES],
        ("clockwork", {"l1": 0.01, "l2": 0.1, "recurrent_l2": 0.1}),
        ("clockwork", {"recurrent_dropout": 0.3, "dropout": 0.3, "clipnorm": 0.5}),
        ("clockwork", {"recurrent_initializer": "identity", "clipvalue": 1e-3}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_a_step_with_a_remedy_is_that_of_keras(cell, remedy):
    """One chunk holds the whole text."""
    text = "hello world"
    settings = {"cell": cell, "units": (5, 4), "epochs": 1, "optimizer": "sgd"} | remedy
    model = small(**settings, learning_rate=0.5).fit(text)
    twin = small(**settings | {"learning_rate": 1e-30}).fit(text).model_
    for layer in twin.layers:
        source = layer.cell if isinstance(layer, keras.layers.RNN) else layer
        if (generator := getattr(source, "seed_generator", None)) is not None:
            generator.state.assign([generator.state[0], 0])  # as before the fit
    clips = {name: value for name, value in remedy.items() if name.startswith("clip")}
    twin.compile(keras.optimizers.SGD(0.5, **clips), "sparse_categorical_crossentropy")
    numbers = np.array([model.vocabulary_[s] for s in text])
    x = np.append(len(model.vocabulary_) + 1, numbers[:-1] + 1)[None]
    loss = twin.train_on_batch(x, numbers[None])
    assert model.loss_curve_[0] == pytest.approx(float(loss), rel=1e-5)
    for found, expected in zip(model.model_.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_penalties_count_once_in_the_loss_of_an_epoch():
    """However many chunks, rows and branches there are."""
    texts = ["".join(row) for row in np.random.default_rng(0).choice(list(ALPHABET), (16, 150))]
    settings = {"cell": "gru", "units": 64, "epochs": 1, "learning_rate": 1e-30, "batch_size": 16}
    plain = small(**settings).fit(texts)
    model = small(**settings, l1=0.01, l2=0.02, recurrent_l2=0.03).fit(texts)
    penalty = float(sum(model.model_.losses))
    assert penalty > 1
    assert model.loss_curve_[0] == pytest.approx(plain.loss_curve_[0] + penalty, rel=1e-5)


def test_recurrent_dropout_is_drawn_anew_for_each_batch_of_chunks():
    model = small(cell="gru", recurrent_dropout=0.5, chunk_length=8, batch_size=2, epochs=3)
    text = TEXT[: 8 * 10]
    (layer,) = recurrent(model.fit(text).model_)
    n_draws = int(layer.cell.seed_generator.state[1]) // 3  # a mask for each of three gates
    assert n_draws == 3 * 5  # epochs times batches
    # Nothing is dropped in prediction, and reading draws nothing.
    np.testing.assert_array_equal(model.predict_proba(["the"]), model.predict_proba(["the"]))
    assert model.generate("the", 9, random_state=0) == model.generate("the", 9, random_state=0)
    assert int(layer.cell.seed_generator.state[1]) // 3 == n_draws


@pytest.mark.parametrize("cell", ["lstm", "peephole"])
def test_compiled_training_with_remedies_is_that_of_keras(cell):
    batches = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    remedies = {"recurrent_dropout": 0.3, "l1": 1e-3, "recurrent_l2": 1e-3, "clipvalue": 0.05}
    settings = {"cell": cell, "bidirectional": True, "batch_size": 5, "optimizer": "sgd"} | remedies
    by_keras = small(callbacks=[batches], **settings).fit(STRINGS, LABELS)
    compiled = small(**settings).fit(STRINGS, LABELS)
    np.testing.assert_allclose(compiled.loss_curve_, by_keras.loss_curve_, rtol=1e-4)
    np.testing.assert_allclose(
        compiled.predict_proba(STRINGS), by_keras.predict_proba(STRINGS), atol=1e-4
    )


# What scikit-learn expects of an estimator of strings: `check_estimator` runs almost nothing


def test_search_and_folds_of_strings():
    search = GridSearchCV(small(epochs=20), {"units": [2, 8]}, cv=StratifiedKFold(2))
    assert search.fit(STRINGS, LABELS).best_score_ > 0.5
    assert cross_val_predict(small(), STRINGS, LABELS, cv=2).shape == (10,)
    assert len(cross_val_score(small(), [TEXT[:50], TEXT, TEXT[9:]], cv=3)) == 3


def test_calibration():
    calibrated = CalibratedClassifierCV(small(epochs=30), cv=2).fit(STRINGS, LABELS)
    np.testing.assert_allclose(calibrated.predict_proba(STRINGS).sum(axis=1), 1)
    assert calibrated.score(STRINGS, LABELS) > 0.5


@pytest.mark.parametrize("way", [pickle.loads, copy.deepcopy], ids=["pickle", "deepcopy"])
def test_copies_predict_and_write_alike(way, speaker, reader):
    def copied(model):
        return copy.deepcopy(model) if way is copy.deepcopy else way(pickle.dumps(model))

    assert copied(speaker).generate("t", 20, random_state=0) == speaker.generate(
        "t", 20, random_state=0
    )
    np.testing.assert_array_equal(
        copied(reader).predict_proba(STRINGS), reader.predict_proba(STRINGS)
    )


def test_callbacks_get_epochs_and_a_language_model_no_batches():
    seen = []
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(logs["loss"])
    )
    model = small(callbacks=[note]).fit("abab")
    assert seen == model.loss_curve_
    batches = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    with pytest.raises(ValueError, match="wants to see each batch"):
        small(callbacks=[batches]).fit("abab")
    # Keras' Adam takes the squares of an embedding's gradient apart where a symbol comes twice,
    # and so is not Adam; its SGD is right.
    learnt = {"cell": "gru", "embedding": 3, "bidirectional": True, "optimizer": "sgd"}
    for settings in ({}, learnt):
        by_keras = small(callbacks=[batches], **settings).fit(STRINGS, LABELS)
        compiled = small(**settings).fit(STRINGS, LABELS)
        np.testing.assert_allclose(compiled.loss_curve_, by_keras.loss_curve_, rtol=1e-4)
        np.testing.assert_allclose(
            compiled.predict_proba(STRINGS), by_keras.predict_proba(STRINGS), atol=1e-4
        )


def test_verbose_shows_progress(capsys):
    small(verbose=2).fit("abab")
    assert "Epoch 5/5" in capsys.readouterr().out


def test_ctrl_c_leaves_what_was_learnt():
    def interrupt(epoch, logs):
        if epoch == 2:
            raise KeyboardInterrupt

    model = small(callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=interrupt)])
    with pytest.raises(KeyboardInterrupt):
        model.fit("abab")
    assert model.n_iter_ == 3
    assert model.predict(["a"]).shape == (1,)


@pytest.mark.parametrize(
    ("X", "y", "error", "match"),
    [
        ("", None, ValueError, "every text is empty"),
        (["", ""], ["a", "b"], ValueError, "every text is empty"),
        ("aaaa", None, ValueError, "one distinct symbol, 'a'"),
        (list("hello"), None, ValueError, "All 5 texts are one symbol long.*WindowTransformer"),
        ("ab", "c", ValueError, "would label a single text"),
        (["ab", "ba"], ["x"], ValueError, "X has 2 texts and y has 1"),
        (["ab", "ba"], ["x", "x"], ValueError, "at least 2 classes.*one class, .*'x'"),
        (["ab", "ba"], [0.5, 1.7], ValueError, "Unknown label type"),
        (["ab", "ba"], [["x", "y"], ["y", "x"]], ValueError, r"y must be of shape \(n_samples,\)"),
        (b"ab", None, TypeError, "got bytes"),
        (["ab", None], None, TypeError, "None"),
        (["ab", 3], [0, 1], TypeError, "3"),
        (np.zeros((4, 3, 1)), [0, 1, 0, 1], ValueError, "windows hold numbers such as .*RNNClass"),
        (np.full((4, 3, 2), "a"), [0, 1, 0, 1], ValueError, "one column of symbols"),
        (np.array([["ab"], ["ba"]]), [0, 1], ValueError, r"got a table of shape \(2, 1\)"),
        (pd.DataFrame({"a": ["ab", "ba"]}), [0, 1], ValueError, "one column of it: X"),
        (np.array([["a", None]] * 2, object), [0, 1], TypeError, "X holds None"),
    ],
)
def test_what_cannot_be_fitted(X, y, error, match):
    model = small()
    before = dict(vars(model))
    with pytest.raises(error, match=match):
        model.fit(X, y)
    assert vars(model) == before


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"bidirectional": True}, "would let a language model see"),
        ({"analyzer": "letter"}, "analyzer"),
        ({"cell": "lstn"}, "Did you mean 'lstm'"),
        ({"vocabulary": "ab"}, "vocabulary"),
        ({"vocabulary": ["a", ""]}, "each a non-empty str"),
        ({"class_weight": {"z": 2}}, r"class_weight names \['z'\]"),
        ({"class_weight": {"a": 0, "b": 0}}, "Nothing to learn"),
        ({"class_weight": {"a": -1.0}}, "must be finite numbers that are not negative"),
        ({"vocabulary": ["a", "\0"]}, r"vocabulary\[1\] holds the NUL character"),
        ({"units": 0}, "units"),
        ({"chunk_length": 0}, "chunk_length"),
        ({"recurrent_dropout": 1.0}, "recurrent_dropout"),
        ({"l1": -1.0}, "l1"),
        ({"recurrent_initializer": "ortogonal"}, "Did you mean 'orthogonal'"),
        ({"clipnorm": 1.0, "clipvalue": 0.5}, "clipnorm=1.0 and clipvalue=0.5 exclude each other"),
    ],
)
def test_parameters_that_are_off(parameters, match):
    with pytest.raises(ValueError, match=match):
        small(**parameters).fit("abab")


def test_too_many_symbols_for_one_hot_vectors():
    text = "".join(chr(0x4E00 + i) for i in range(4100))
    with pytest.raises(ValueError, match=r"4100 symbols; beyond 4096 .* Set embedding="):
        small().fit(text)
    assert small(embedding=4, epochs=1).fit(text).predict(["一"]).shape == (1,)


def test_windows_without_a_complete_one(symbols):
    with pytest.raises(ValueError, match="window_length=9 and horizon=1 need at least 10 rows"):
        make_pipeline(WindowTransformer(9), small()).fit(symbols[:9])


@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "score", "generate", "cross_entropy"]
)
def test_nothing_before_fit(method):
    with pytest.raises(NotFittedError):
        getattr(small(), method)("abc")
    with pytest.raises(NotFittedError):
        _ = small().model_


def test_one_str_is_not_many(reader):
    with pytest.raises(ValueError, match="Iterable over raw text documents expected"):
        reader.predict("aba")


def test_weights_that_are_off():
    with pytest.raises(ValueError, match="at least one non-zero"):
        small().fit(STRINGS, LABELS, sample_weight=np.zeros(10))
    with pytest.raises(ValueError, match=r"sample_weight.shape"):
        small().fit(STRINGS, LABELS, sample_weight=np.ones(3))


def test_weights_of_one_part_that_are_all_zero():
    texts = ["abab" * 9, "abba" * 9]
    model = small(early_stopping=True, validation_fraction=0.5)
    with pytest.raises(ValueError, match="Nothing to learn"):
        model.fit(texts, sample_weight=[0, 1])
    zero = small(class_weight={"left": 0, "right": 0})
    with pytest.raises(ValueError, match="cannot all be zero in the 10 samples"):
        zero.fit(STRINGS, LABELS)


@pytest.mark.parametrize(
    ("weights", "match"),
    [([1], "sample_weight.shape"), ([-1, 2], "Negative"), ([np.nan, 1], "NaN"), ([0, 0], "zero")],
    ids=label,
)
def test_scores_check_weights(weights, match, speaker):
    with pytest.raises(ValueError, match=match):
        speaker.score(["the cat", "the mat"], sample_weight=weights)


def test_unknown_symbols_are_not_in_the_loss():
    settings = {"vocabulary": list("ab"), "learning_rate": 1e-30, "optimizer": "sgd", "epochs": 1}
    loss = small(**settings).fit(["abcab", "ccab"]).loss_curve_[0]
    assert loss == pytest.approx(np.log(2), abs=0.2)


def test_a_text_without_weight_teaches_nothing():
    texts = ["abababab", "cdcdcdcd"]
    model = small(epochs=30).fit(texts, sample_weight=[1, 0])
    assert model.predict(["aba", "bab"]).tolist() == ["b", "a"]
    assert model.predict_proba(["cdc"])[0, 3] < 0.5


def test_clone_has_the_parameters():
    model = small(embedding=3)
    assert clone(model).get_params() == model.get_params()
