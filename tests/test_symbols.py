"""Texts as symbols and as numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skrnn.text._tokens import check_texts, encode, join, pad, split

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(texts)
def test_characters_make_up_the_text(text):
    assert join(split(text, "char"), "char") == text


@given(texts)
def test_words_leave_out_nothing_but_blanks(text):
    assert "".join(split(text, "word")) == "".join(text.split())


@given(texts)
def test_words_joined_are_the_same_words_again(text):
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
def test_words_of_many_writings(text, words):
    assert split(text, "word") == words


def test_blanks_stand_between_words_and_not_before_marks():
    words = ["(", "Well", ",", "yes", "!", ")", "¿", "Qué", "?"]
    assert join(words, "word") == "(Well, yes!) ¿Qué?"


@given(texts, st.sets(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_characters_are_numbered_like_any_symbols(text, known):
    vocabulary = {symbol: place for place, symbol in enumerate(sorted(known))}
    expected = [vocabulary.get(symbol, len(known)) + 1 for symbol in text]
    for symbols in (text, list(text)):
        numbers = encode(symbols, vocabulary)
        assert numbers.dtype == np.int32
        assert numbers.tolist() == expected


def test_rows_are_filled_up_with_zeros():
    rows = pad([np.array([1, 2]), np.array([], int)], 3)
    np.testing.assert_array_equal(rows, [[1, 2, 0], [0, 0, 0]])


@pytest.mark.parametrize(
    ("X", "error", "match"),
    [
        (b"abc", TypeError, "got bytes. Decode them"),
        (["a", b"b"], TypeError, r"X\[1\] is b'b' \(bytes\), not a str. Decode it"),
        (["a", None], TypeError, r"X\[1\] is None \(NoneType\), not a str. Fill"),
        (["a", float("nan")], TypeError, r"X\[1\] is nan \(float\)"),
        ([1, 2], TypeError, r"X\[0\] is 1 \(int\)"),
        (3, TypeError, "expects a str or a sequence of str, got int"),
        ([], ValueError, r"0 sample\(s\)"),
        (["a", "b\ud83dc"], ValueError, r"X\[1\] holds a lone surrogate, .* at position 1"),
        (["a\0"], ValueError, r"X\[0\] holds the NUL character at position 1"),
        (
            np.array([["a", "b"]]),
            ValueError,
            r"1-D sequence of str, got an array of shape \(1, 2\)",
        ),
    ],
)
def test_what_is_no_text(X, error, match):
    with pytest.raises(error, match=match):
        check_texts("Reader", X)


@pytest.mark.parametrize("make", [list, tuple, np.array, lambda X: np.array(X, object), iter])
def test_texts_come_in_any_sequence(make):
    assert check_texts("Reader", make(["ab", "c"])) == ["ab", "c"]


def test_one_str_is_one_text():
    assert check_texts("Reader", "abc") == ["abc"]
