"""Splitting of texts into tokens, and encoding of tokens."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skrnn.text._tokens import check_texts, check_vocabulary, encode, join, pad, split

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(texts)
def test_characters_join_to_the_text(text):
    assert join(split(text, "char"), "char") == text


@given(texts)
def test_words_contain_every_character_except_blanks(text):
    assert "".join(split(text, "word")) == "".join(text.split())


@given(texts)
def test_joined_words_split_into_the_same_words(text):
    words = [word for word in split(text, "word") if word.isalpha() or word in ".,;:!?"]
    assert split(join(words, "word"), "word") == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't ask, she said.", ["Don't", "ask", ",", "she", "said", "."]),
        ("well-known 3.14 (yes)", ["well-known", "3.14", "(", "yes", ")"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("שלום, עולם", ["שלום", ",", "עולם"]),
        ("hi 👍🏽! 👩‍👩‍👧", ["hi", "👍🏽", "!", "👩‍👩‍👧"]),
        ("cafe\u0301 café", ["cafe\u0301", "café"]),
        (" \n\t", []),
    ],
)
def test_words_of_several_scripts(text, words):
    assert split(text, "word") == words


def test_many_marks_on_one_letter_are_one_word():
    text = "a" + "\u0301" * 1500
    assert split(text, "word") == [text]


def test_blanks_separate_words_but_not_punctuation():
    words = ["(", "Well", ",", "yes", "!", ")", "¿", "Qué", "?"]
    assert join(words, "word") == "(Well, yes!) ¿Qué?"


@given(texts, st.sets(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_str_is_encoded_like_a_list_of_its_characters(text, known):
    vocabulary = {token: index for index, token in enumerate(sorted(known))}
    expected = [vocabulary.get(token, len(known)) + 1 for token in text]
    for tokens in (text, list(text)):
        codes = encode(tokens, vocabulary)
        assert codes.dtype == np.int32
        assert codes.tolist() == expected


def test_rows_are_padded_with_zeros():
    rows = pad([np.array([1, 2]), np.array([], int)], 3)
    np.testing.assert_array_equal(rows, [[1, 2, 0], [0, 0, 0]])


@pytest.mark.parametrize(
    ("X", "error", "match"),
    [
        (b"abc", TypeError, "requires str, got bytes. Decode them"),
        (["a", b"b"], TypeError, r"X\[1\] is b'b' \(bytes\), not a str. Decode it"),
        (["a", None], TypeError, r"X\[1\] is None \(NoneType\), not a str. Fill"),
        (["a", float("nan")], TypeError, r"X\[1\] is nan \(float\)"),
        ([1, 2], TypeError, r"X\[0\] is 1 \(int\)"),
        (3, TypeError, "expects a str or a sequence of str, got int"),
        ([], ValueError, r"0 sample\(s\)"),
        (["a", "b\ud83dc"], ValueError, r"X\[1\] contains a lone surrogate, .* at position 1"),
        (["a\0"], ValueError, r"X\[0\] contains the NUL character at position 1"),
        (
            np.array([["a", "b"]]),
            ValueError,
            r"1-D sequence of str, got an array of shape \(1, 2\)",
        ),
    ],
)
def test_check_texts_raises_for_anything_but_texts(X, error, match):
    with pytest.raises(error, match=match):
        check_texts("Estimator", X)


@pytest.mark.parametrize(
    "make", [list, tuple, np.array, lambda X: np.array(X, object), iter, pd.Series]
)
def test_check_texts_accepts_any_sequence(make):
    checked = check_texts("Estimator", make(["ab", "c"]))
    assert checked == ["ab", "c"]
    assert {type(text) for text in checked} == {str}


def test_one_str_is_one_text():
    assert check_texts("Estimator", "abc") == ["abc"]


def test_vocabulary_is_sorted_and_distinct():
    assert check_vocabulary(["b", "a", "b"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("vocabulary", "match"),
    [
        ("ab", "'ab' must be a sequence of tokens"),
        (["a", ""], "each a non-empty str"),
        (["a", 1], "each a non-empty str"),
        (["a", "\0"], r"vocabulary\[1\] contains the NUL character"),
        (["\ud83d"], r"vocabulary\[0\] contains a lone surrogate"),
    ],
)
def test_check_vocabulary_raises_for_invalid_tokens(vocabulary, match):
    with pytest.raises(ValueError, match=match):
        check_vocabulary(vocabulary)
