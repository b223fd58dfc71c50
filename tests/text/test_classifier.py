"""CharLSTMClassifier on strings and on windows of tokens.

What it shares with the other estimators is tested in test_estimator.py, and language models in
test_language_model.py.
"""

import keras
import numpy as np
import pytest
from conftest import DATA, label, needs_data
from sklearn.base import is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_predict,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import get_tags
from sklearn.utils.class_weight import compute_sample_weight

from skrnn import CharLSTMClassifier, WindowTransformer
from skrnn.datasets import load_text

# Keras converts its variables to arrays in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

STRINGS = ["aba", "abba", "ab", "baa", "a", "xyx", "yx", "xx", "y", "yyxyx"]
LABELS = ["left"] * 5 + ["right"] * 5

# A network without the layers that are the default for strings.
PLAIN = {"bidirectional": False, "dropout": 0.0, "embedding": None}


def small(*analyzer, **parameters):
    settings = {"cell": "rnn", "units": 4, "learning_rate": 0.05, "epochs": 5, "batch_size": 16}
    return CharLSTMClassifier(*analyzer, **settings | {"random_state": 0} | parameters)


@pytest.fixture(scope="module")
def fitted():
    return small(epochs=40).fit(STRINGS, LABELS)


@pytest.fixture
def tokens():
    """Return a column of the tokens of a text."""
    return np.array(list("abcd" * 30))[:, None]


def test_tags():
    tags = get_tags(CharLSTMClassifier())
    assert is_classifier(CharLSTMClassifier())
    assert (tags.input_tags.string, tags.input_tags.two_d_array) == (True, False)
    assert not tags.target_tags.required
    assert tags.requires_fit


# Strings and labels


def test_strings_are_classified(fitted):
    assert fitted.predict(STRINGS).tolist() == LABELS
    assert fitted.score(STRINGS, LABELS) == 1
    assert fitted.classes_.tolist() == ["left", "right"]
    assert fitted.vocabulary_ == {"a": 0, "b": 1, "x": 2, "y": 3}
    assert fitted.predict(["ab" * 50, "yx" * 50]).tolist() == ["left", "right"]
    probabilities = fitted.predict_proba([*STRINGS, "", "ΩΩ"])
    assert probabilities.shape == (12, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    log_probabilities = fitted.predict_log_proba(STRINGS)
    np.testing.assert_allclose(np.exp(log_probabilities), probabilities[:10], rtol=1e-5)


@pytest.mark.parametrize("text", ["aba", "y", ""])
def test_probabilities_equal_those_of_the_formula(text):
    """h(t) = tanh(x(t) W + h(t - 1) U + b), and a softmax of the last h."""
    model = small(**PLAIN).fit(STRINGS, LABELS)
    table, (W, U, b), dense = (layer.get_weights() for layer in model.model_.layers[1:4])
    h = np.zeros(4)
    for token in text:
        h = np.tanh(table[0][model.vocabulary_[token] + 1] @ W + h @ U + b)
    scores = np.exp(h @ dense[0] + dense[1])
    expected = scores / scores.sum()
    np.testing.assert_allclose(model.predict_proba([text])[0], expected, atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        pytest.param(
            {"cell": "gru", "units": (4, 3), "bidirectional": True, "embedding": 3},
            marks=pytest.mark.slow,
        ),
    ],
    ids=["rnn", "bidirectional"],
)
def test_neither_padding_nor_other_strings_affect_a_prediction(settings):
    model = small(**settings).fit(STRINGS, LABELS)
    texts = ["a", "ab" * 3, "", "x" * 9, "xy" * 20, "ba" * 200]
    alone = np.concatenate([model.predict_proba([text]) for text in texts])
    np.testing.assert_allclose(model.predict_proba(texts), alone, atol=1e-6)
    order = [3, 0, 5, 1, 4, 2]
    probabilities = model.predict_proba([texts[i] for i in order])
    np.testing.assert_allclose(probabilities, alone[order], atol=1e-6)


@pytest.mark.slow
def test_next_characters_as_labels():
    prefixes = ["h", "he", "hel", "hell"]
    model = small(epochs=100, **PLAIN).fit(prefixes, list("ello"))
    assert model.predict(prefixes).tolist() == list("ello")


@pytest.mark.parametrize("labels", [[0, 1], [2.0, 7.0], [True, False], ["no", "yes"]], ids=label)
def test_labels_of_any_type(labels):
    y = np.array(labels)[[0] * 5 + [1] * 5]
    predicted = small(epochs=40).fit(np.array(STRINGS, object), y).predict(STRINGS)
    np.testing.assert_array_equal(predicted, y)
    assert predicted.dtype == y.dtype


def test_class_weights_equal_sample_weights():
    y = ["left"] * 7 + ["right"] * 3
    balanced = small(class_weight="balanced").fit(STRINGS, y).predict_proba(STRINGS)
    weighted = small().fit(STRINGS, y, sample_weight=compute_sample_weight("balanced", y))
    np.testing.assert_allclose(balanced, weighted.predict_proba(STRINGS), rtol=1e-6)
    assert not np.allclose(balanced, small().fit(STRINGS, y).predict_proba(STRINGS))
    extreme = small(class_weight={"right": 1e6, "left": 1e-6}, epochs=60).fit(STRINGS, y)
    assert set(extreme.predict(STRINGS)) == {"right"}


def test_partial_fit_takes_all_classes_in_the_first_call():
    model = small()
    for _ in range(30):
        model.partial_fit(STRINGS[:5], LABELS[:5], classes=["left", "middle", "right"])
        model.partial_fit(STRINGS[5:], LABELS[5:])
    assert model.classes_.tolist() == ["left", "middle", "right"]
    assert model.n_iter_ == 60
    with pytest.raises(ValueError, match=r"labels that were not in the first fit: \['top'\]"):
        model.partial_fit(["a"], ["top"])
    match = r"classes=\['left', 'right'\] are not those of the first fit"
    with pytest.raises(ValueError, match=match):
        model.partial_fit(STRINGS[:5], LABELS[:5], classes=["left", "right"])


def test_searches_and_cross_validation():
    search = GridSearchCV(small(), {"epochs": [1, 40]}, cv=StratifiedKFold(2))
    assert search.fit(STRINGS, LABELS).best_score_ > 0.5
    assert cross_val_predict(small(), STRINGS, LABELS, cv=2).shape == (10,)


def test_calibration():
    calibrated = CalibratedClassifierCV(small(epochs=40), cv=2).fit(STRINGS, LABELS)
    np.testing.assert_allclose(calibrated.predict_proba(STRINGS).sum(axis=1), 1)
    assert calibrated.score(STRINGS, LABELS) > 0.5


# Keras' Adam sums the squares of the parts of an embedding's gradient: SGD is the same.
@pytest.mark.parametrize(
    "settings",
    [
        PLAIN,
        pytest.param(
            {"cell": "gru", "embedding": 3, "optimizer": "sgd"},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            PLAIN
            | {"cell": "peephole", "bidirectional": True, "optimizer": "sgd", "batch_size": 5}
            | {"recurrent_dropout": 0.3, "l1": 1e-3, "recurrent_l2": 1e-3, "clipvalue": 0.05},
            marks=pytest.mark.slow,
        ),
    ],
    ids=["rnn", "embedding", "regularized"],
)
def test_training_equals_that_of_keras(settings):
    batch_hook = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    settings = {"dropout": 0.0, "embedding_dropout": 0.0} | settings
    by_keras = small(callbacks=[batch_hook], **settings).fit(STRINGS, LABELS)
    model = small(**settings).fit(STRINGS, LABELS)
    np.testing.assert_allclose(model.loss_curve_, by_keras.loss_curve_, rtol=1e-4)
    np.testing.assert_allclose(
        model.predict_proba(STRINGS), by_keras.predict_proba(STRINGS), atol=1e-4
    )


# Default settings

DEFAULTS_OF_STRINGS = {
    "bidirectional": True,
    "dropout": 0.5,
    "embedding": 128,
    "embedding_dropout": 0.4,
    "learning_rate": 0.002,
}
DEFAULTS_OF_TEXT = {
    "bidirectional": False,
    "dropout": 0.0,
    "embedding": None,
    "embedding_dropout": 0.0,
    "learning_rate": 0.001,
}


@pytest.mark.parametrize("kind", ["strings", "language", "windows"])
def test_auto_is_resolved_by_the_kind_of_input(kind, tokens):
    windows = WindowTransformer(4).fit_transform(tokens)
    data = {"strings": (STRINGS, LABELS), "language": (STRINGS,), "windows": (windows,)}[kind]
    expected = DEFAULTS_OF_STRINGS if kind == "strings" else DEFAULTS_OF_TEXT
    settings = {"cell": "rnn", "units": 4, "epochs": 2, "random_state": 0}
    by_default = CharLSTMClassifier(**settings).fit(*data)
    explicit = CharLSTMClassifier(**settings, **expected).fit(*data)
    assert by_default.loss_curve_ == explicit.loss_curve_
    for value, other in zip(
        by_default.model_.get_weights(), explicit.model_.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(value, other)
    assert by_default.get_params()["embedding"] == "auto"
    # A setting that is the same as "auto" does not prevent a resumed fit.
    by_default.set_params(**expected).partial_fit(*data)
    assert by_default.n_iter_ == 3


def test_auto_with_one_hot_vectors_drops_no_tokens():
    layers = (
        CharLSTMClassifier(units=4, embedding=None, epochs=1).fit(STRINGS, LABELS).model_.layers
    )
    rates = [layer.rate for layer in layers if isinstance(layer, keras.layers.Dropout)]
    assert rates == [0.5]  # of the outputs


@pytest.mark.parametrize(("n_samples", "epochs"), [(10, 50), (900, 50), (2500, 30), (100_000, 5)])
def test_number_of_epochs_for_strings(n_samples, epochs):
    model = CharLSTMClassifier()
    assert model._n_epochs(["a"] * n_samples, [0] * n_samples) == epochs
    assert model._n_epochs(["a"] * n_samples, None) == 50
    assert CharLSTMClassifier(epochs=7)._n_epochs(["a"] * n_samples, [0] * n_samples) == 7


def test_learning_rate_of_another_optimizer_is_its_own():
    for optimizer in ("sgd", keras.optimizers.Adam(0.1)):
        model = small(optimizer=optimizer, learning_rate="auto", epochs=1).fit(STRINGS, LABELS)
        expected = keras.optimizers.get(optimizer).learning_rate
        assert float(model.model_.optimizer.learning_rate) == pytest.approx(float(expected))


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"bidirectional": "yes"}, "The 'bidirectional' parameter of CharLSTMClassifier"),
        ({"dropout": 1.0}, "The 'dropout' parameter of CharLSTMClassifier"),
        ({"embedding_dropout": None}, "The 'embedding_dropout' parameter of CharLSTMClassifier"),
        ({"learning_rate": 0.0}, "The 'learning_rate' parameter of CharLSTMClassifier"),
        ({"epochs": "all"}, "The 'epochs' parameter of CharLSTMClassifier"),
    ],
)
def test_values_other_than_auto_are_validated(parameters, match):
    with pytest.raises(ValueError, match=match):
        small(**parameters).fit(STRINGS, LABELS)


@pytest.mark.slow
def test_default_settings_learn_more_than_the_largest_class():
    """The class is whether a string of random letters contains "ab" or "ba"."""
    rng = np.random.default_rng(0)
    X = ["".join(rng.choice(list("abcd"), size=rng.integers(3, 9))) for _ in range(600)]
    y = np.array(["ab" in x or "ba" in x for x in X])
    model = CharLSTMClassifier(random_state=0).fit(X[:400], y[:400])
    largest = max(np.mean(y[400:]), np.mean(~y[400:]))
    assert largest < 0.7
    assert model.score(X[400:], y[400:]) > 0.9
    again = CharLSTMClassifier(random_state=0).fit(X[:400], y[:400])
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


# Windows of tokens


def test_windows_in_a_pipeline(tokens):
    tokens = tokens[:-1]  # whole periods would be taken for a continuation
    model = Pipeline([("window", WindowTransformer(4)), ("rnn", small(epochs=10))]).fit(tokens)
    assert model.score(tokens) == 1
    assert model.predict(np.array([["?"]])).tolist() == ["d"]
    assert model.named_steps["rnn"].classes_.tolist() == list("abcd")
    labeled = make_pipeline(WindowTransformer(4), small(epochs=10)).fit(tokens, tokens)
    np.testing.assert_array_equal(labeled.predict(tokens), model.predict(tokens))


@pytest.mark.slow
def test_windows_as_plain_arrays(tokens):
    windows = WindowTransformer(4).fit_transform(tokens)
    model = small(epochs=10).fit(windows, tokens[:, 0])
    plain = np.asarray(windows)
    np.testing.assert_array_equal(model.predict(plain), model.predict(windows))
    from_plain = small(epochs=10).fit(plain[4:], tokens[4:, 0])
    assert from_plain.score(plain[4:], tokens[4:, 0]) == 1
    with pytest.raises(ValueError, match=r"windows of 3 tokens, .* fitted on windows of 4"):
        model.predict(plain[:, :3])


def test_early_stopping_of_windows(tokens):
    model = make_pipeline(WindowTransformer(4), small(early_stopping=True)).fit(tokens)[-1]
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == model.n_iter_


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [str, object])
def test_search_over_the_window_length(dtype, tokens):
    model = Pipeline([("window", WindowTransformer(1)), ("rnn", small(epochs=10))])
    search = GridSearchCV(model, {"window__window_length": [1, 4]}, cv=TimeSeriesSplit(3))
    search.fit(tokens.astype(dtype))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    scored = GridSearchCV(
        model, {"rnn__epochs": [2, 10]}, cv=TimeSeriesSplit(3), scoring="accuracy"
    )
    assert scored.fit(tokens, tokens[:, 0]).best_score_ > 0.5


@pytest.mark.slow
@needs_data
def test_learns_the_fable_of_the_tutorial():
    words = np.array(load_text(DATA, "fable").split())[:, None]
    settings = {"units": 64, "epochs": 100, "learning_rate": 0.01, "random_state": 0}
    model = make_pipeline(WindowTransformer(3), CharLSTMClassifier(**settings)).fit(words)
    assert (len(words), len(np.unique(words))) == (204, 112)
    windows = [tuple(words[i - 3 : i, 0]) for i in range(3, 204)]
    next_words = {}
    for window, word in zip(windows, words[3:, 0], strict=True):
        next_words.setdefault(window, set()).add(word)
    is_unique = np.array([len(next_words[window]) == 1 for window in windows])
    is_correct = model.predict(words)[3:] == words[3:, 0]
    assert is_unique.sum() == 197  # two windows occur twice, with different next words
    assert is_correct[is_unique].all()
    assert is_correct.sum() == 199
    # The same from strings of three words.
    strings, y = [" ".join(window) for window in windows], words[3:, 0]
    assert CharLSTMClassifier("word", **settings).fit(strings, y).score(strings, y) >= 199 / 201
