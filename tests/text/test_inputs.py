"""Validation of the input of CharLSTMClassifier."""

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline

from skrnn import CharLSTMClassifier, WindowTransformer

STRINGS = ["aba", "abba", "ab", "baa", "a", "xyx", "yx", "xx", "y", "yyxyx"]
LABELS = ["left"] * 5 + ["right"] * 5


def small(**parameters):
    settings = {"cell": "rnn", "units": 4, "epochs": 2, "batch_size": 16, "random_state": 0}
    return CharLSTMClassifier(**settings | parameters)


@pytest.mark.parametrize(
    ("X", "y", "error", "match"),
    [
        ("", None, ValueError, "found no token: every text is empty"),
        (["", ""], ["a", "b"], ValueError, "found no token: every text is empty"),
        ("aaaa", None, ValueError, "one distinct token, 'a'"),
        (list("hello"), None, ValueError, "All 5 texts consist of one token.*WindowTransformer"),
        ("ab", "c", ValueError, "would label a single text"),
        (["ab", "ba"], ["x"], ValueError, "X has 2 rows and y has 1"),
        (["ab", "ba"], ["x", "x"], ValueError, "needs at least 2 classes.*one class, 'x'"),
        (["ab", "ba"], [0.5, 1.7], ValueError, "Unknown label type"),
        (["ab", "ba"], [["x", "y"], ["y", "x"]], ValueError, r"y must be of shape \(n_samples,\)"),
        (b"ab", None, TypeError, "got bytes"),
        (["ab", None], None, TypeError, r"X\[1\] is None"),
        (["ab", 3], [0, 1], TypeError, r"X\[1\] is 3"),
        ([], [], ValueError, r"0 sample\(s\)"),
        (np.array([], dtype=str), None, ValueError, r"0 sample\(s\)"),
        (np.zeros((4, 3, 1)), [0, 1, 0, 1], ValueError, "windows contain numbers .*RNNClass"),
        (np.full((4, 3, 2), "a"), [0, 1, 0, 1], ValueError, "one column of tokens"),
        (np.array([["ab"], ["ba"]]), [0, 1], ValueError, r"got a table of shape \(2, 1\)"),
        (pd.DataFrame({"a": ["ab", "ba"]}), [0, 1], ValueError, "one column: X"),
        (np.array([["a", None]] * 2, object), [0, 1], TypeError, "X contains None"),
        (np.full((4, 3), "a"), None, ValueError, "only windows of a WindowTransformer"),
    ],
)
def test_invalid_input_raises_and_leaves_the_estimator_unfitted(X, y, error, match):
    model = small()
    before = vars(model).copy()
    with pytest.raises(error, match=match):
        model.fit(X, y)
    assert vars(model) == before


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"bidirectional": True}, "would show a language model the tokens it predicts"),
        ({"analyzer": "letter"}, "The 'analyzer' parameter of CharLSTMClassifier"),
        ({"vocabulary": "ab"}, "The 'vocabulary' parameter of CharLSTMClassifier"),
        ({"vocabulary": ["a", ""]}, "each a non-empty str"),
        ({"vocabulary": ["a", "\0"]}, r"vocabulary\[1\] contains the NUL character"),
        ({"vocabulary": ["x", "y"]}, "Nothing to train on: no token of the training text"),
        ({"class_weight": {"z": 2}}, r"class_weight contains \['z'\]"),
        ({"class_weight": {"a": 0, "b": 0}}, "Nothing to train on"),
        ({"class_weight": {"a": -1.0}}, "must be finite, non-negative numbers"),
        ({"chunk_length": 0}, "The 'chunk_length' parameter of CharLSTMClassifier"),
        ({"embedding": 0}, "The 'embedding' parameter of CharLSTMClassifier"),
        ({"vocabulary": {"a": 0, "b": 1}}, r"vocabulary=\{'a': 0, 'b': 1\} must be a sequence"),
        ({"vocabulary": pd.DataFrame({"a": ["b"]})}, "must be a sequence of tokens"),
    ],
)
def test_invalid_parameters_raise(parameters, match):
    with pytest.raises(ValueError, match=match):
        small(**parameters).fit("abab")


@pytest.mark.parametrize("value", [True, np.True_, -1, float("nan"), 2.5, "4"])
@pytest.mark.parametrize(
    "name", ["embedding", "units", "batch_size", "chunk_length", "epochs", "n_iter_no_change"]
)
def test_parameters_that_are_counts_take_ints_alone(name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter of CharLSTMClassifier.* Got "):
        small(**{name: value}).fit("abab")


UNORDERED = [{"ab": 1, "ba": 2}, {"ab", "ba"}]


@pytest.mark.parametrize("X", UNORDERED, ids=["dict", "set"])
@pytest.mark.parametrize("method", ["fit", "predict", "score", "cross_entropy", "partial_fit"])
def test_texts_have_an_order(method, X):
    model = small().fit("abab")
    with pytest.raises(TypeError, match=r"expects a sequence of str, got a (dict|set)"):
        getattr(model, method)(X)


@pytest.mark.parametrize(
    ("y", "error", "match"),
    [
        (3, TypeError, r"y must be a sequence of labels, got 3 \(int\)"),
        ("xy", TypeError, r"y must be a sequence of labels, got 'xy' \(str\)"),
        ({"x": 1, "y": 2}, TypeError, r"y must be a sequence of labels, got .* \(dict\)"),
        ({"x", "y"}, TypeError, r"y must be a sequence of labels, got .* \(set\)"),
        ((label for label in "xy"), TypeError, r"y must be a sequence .* \(generator\)"),
        (np.array("x"), TypeError, "y must be a sequence of labels"),
        ([["x"], ["x", "y"]], ValueError, "got rows of different lengths"),
        ([["x", "y"], ["y", "x"]], ValueError, r"y must be of shape \(n_samples,\), got \(2, 2\)"),
        (["x", None], ValueError, r"y\[1\] is None, a missing label"),
        ([float("nan"), "x"], ValueError, r"y\[0\] is nan, a missing label"),
        (pd.Series(["x", pd.NA]), ValueError, r"y\[1\] is .*, a missing label"),
        (["x", 1], TypeError, "y contains str and other labels, such as 'x' and 1"),
        (["x"], ValueError, "X has 2 rows and y has 1"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "score"])
def test_labels_are_one_sequence_of_one_type(method, y, error, match):
    model = small().fit(STRINGS, LABELS)
    with pytest.raises(error, match=match):
        getattr(model, method)(["ab", "ba"], y)


def test_windows_have_one_length():
    X = [["a", "b"], ["b"]]
    model = small().fit(np.array([["a", "b"], ["b", "a"]]), [0, 1])
    for method in (model.predict, model.predict_proba):
        with pytest.raises(ValueError, match="windows of the same number of tokens, got rows of"):
            method(X)


@pytest.mark.parametrize("weights", ["x", [1], [1, np.nan], [1, -1]], ids=str)
def test_score_of_strings_validates_sample_weights(weights):
    model = small().fit(STRINGS, LABELS)
    with pytest.raises(ValueError, match=r"sample_weight|could not convert string to float: 'x'"):
        model.score(["ab", "xy"], ["left", "right"], sample_weight=weights)
    assert model.score(["ab", "xy"], ["left", "right"], sample_weight=2.0) == model.score(
        ["ab", "xy"], ["left", "right"]
    )


def test_partial_fit_of_text_raises_for_classes():
    with pytest.raises(ValueError, match="the classes of a language model are its tokens"):
        small().partial_fit("abab", classes=["a", "b"])


MANY_TOKENS = "".join(chr(0x4E00 + i) for i in range(4100))


def test_large_vocabularies_need_an_embedding():
    with pytest.raises(ValueError, match=r"4100 tokens, .* more than 4096 tokens\. Set"):
        small().fit(MANY_TOKENS)


@pytest.mark.slow
def test_large_vocabularies_with_an_embedding():
    model = small(embedding=4, epochs=1).fit(MANY_TOKENS)
    assert model.predict(["一"]).shape == (1,)


def test_early_stopping_needs_text_to_train_on():
    with pytest.raises(ValueError, match="leaves none of 2 tokens to train on"):
        small(early_stopping=True, validation_fraction=0.9).fit("ab")
    model = small(early_stopping=True, validation_fraction=0.5)
    with pytest.raises(ValueError, match="Nothing to train on"):
        model.fit(["abab" * 9, "abba" * 9], sample_weight=[0, 1])


def test_weights_of_strings_must_not_all_be_zero():
    with pytest.raises(ValueError, match="cannot all be zero in the 10 samples"):
        small(class_weight={"left": 0, "right": 0}).fit(STRINGS, LABELS)


def test_windows_need_a_complete_one():
    tokens = np.array(list("abcd" * 30))[:, None]
    with pytest.raises(ValueError, match="window_length=9 and horizon=1 need at least 10 rows"):
        make_pipeline(WindowTransformer(9), small()).fit(tokens[:9])
    model = make_pipeline(WindowTransformer(4), small()).fit(tokens)
    windows = WindowTransformer(4).fit_transform(tokens[:4])
    with pytest.raises(ValueError, match="None of the 4 windows is complete"):
        model[-1].score(windows)


def test_prediction_requires_the_fitted_kind_of_input():
    model = small().fit(STRINGS, LABELS)
    with pytest.raises(ValueError, match="Iterable over raw text documents expected"):
        model.predict("aba")
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        model.predict([])
    with pytest.raises(ValueError, match="score needs the labels of the strings"):
        model.score(STRINGS)
    model = small().fit("abab")
    with pytest.raises(ValueError, match="no token to score"):
        model.score(["", ""])
    with pytest.raises(ValueError, match="cross_entropy needs a token"):
        model.cross_entropy("")


@pytest.mark.parametrize(
    ("weights", "match"),
    [([1], "sample_weight.shape"), ([-1, 2], "Negative"), ([np.nan, 1], "NaN"), ([0, 0], "zero")],
    ids=str,
)
def test_score_validates_sample_weights(weights, match):
    with pytest.raises(ValueError, match=match):
        small().fit("abab").score(["abb", "aba"], sample_weight=weights)


def test_training_resumes_on_the_same_kind_of_input_only():
    model = small(warm_start=True).fit("abab")
    match = "fitted on text alone, and training cannot be resumed on strings and their labels"
    with pytest.raises(ValueError, match=match):
        model.fit(["ab", "ba"], [0, 1])
