"""Splitting of texts into tokens, characters or words, and encoding of tokens as integers."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np

# Punctuation marks without a blank before them, and those without a blank after them.
_CLOSING = set(".,;:!?%)]}»”’…")
_OPENING = set("([{«“‘¿¡")


def check_texts(name: str, X: Any) -> list[str]:
    """Return X as a list of str.

    Parameters
    ----------
    name : str
        Name of the estimator.
    X : str or iterable of str
        A str is a single text.

    Raises
    ------
    TypeError
        If X contains a value that is not a str.
    ValueError
        If X contains no text or has more than one dimension, or if a text contains a lone surrogate
        or the NUL character.
    """
    if isinstance(X, (bytes, bytearray)):
        raise TypeError(f"{name} requires str, got bytes. Decode them: X.decode('utf-8').")
    if getattr(X, "ndim", 1) != 1:
        raise ValueError(
            f"{name} expects texts, a 1-D sequence of str, got an array of shape "
            f"{tuple(np.shape(X))}. Pass one column, or windows of a WindowTransformer."
        )
    if isinstance(X, (Mapping, Set)):
        raise TypeError(
            f"{name} expects a sequence of str, got a {type(X).__name__}, whose order means "
            "nothing. Pass a list of texts."
        )
    if not isinstance(X, Iterable):
        raise TypeError(f"{name} expects a str or a sequence of str, got {type(X).__name__}.")
    texts = [X] if isinstance(X, str) else list(X)
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            advice = "Decode it" if isinstance(text, bytes) else "Fill, drop or convert it"
            kind = type(text).__name__
            raise TypeError(f"X[{index}] is {text!r} ({kind}), not a str. {advice} first.")
        _check_characters(text, f"X[{index}]")
    if not texts:
        raise ValueError(f"Found array with 0 sample(s): {name} needs at least 1 text.")
    return [str(text) for text in texts]  # not subclasses, such as numpy.str_


def _check_characters(text, name):
    if surrogate := re.search("[\ud800-\udfff]", text):
        raise ValueError(
            f"{name} contains a lone surrogate, {surrogate[0]!r} at position {surrogate.start()}, "
            "which is half a character. Decode the text again with errors='replace'."
        )
    if "\0" in text:
        raise ValueError(
            f"{name} contains the NUL character at position {text.index(chr(0))}, which arrays of "
            "str cannot store. Remove it: text.replace('\\0', '')."
        )


def check_vocabulary(vocabulary: Collection[str]) -> list[str]:
    """Return the tokens of a custom vocabulary, sorted and distinct.

    Raises
    ------
    ValueError
        If it is a str, or contains a value that is not a non-empty str that `check_texts` accepts.
    """
    is_list = isinstance(vocabulary, Collection) and not isinstance(vocabulary, (str, Mapping))
    is_list = is_list and getattr(vocabulary, "ndim", 1) == 1 and len(vocabulary) > 0
    if not (is_list and all(isinstance(s, str) and s for s in vocabulary)):
        raise ValueError(
            f"vocabulary={vocabulary!r} must be a sequence of tokens, each a non-empty str, such "
            "as list('abc')."
        )
    for index, token in enumerate(vocabulary):
        _check_characters(token, f"vocabulary[{index}]")
    return sorted(set(vocabulary))


def split(text: str, analyzer: str) -> list[str]:
    """Split a text into tokens: code points ("char"), or words and punctuation marks ("word").

    Examples
    --------
    >>> split("Don't ask, she said.", "word")
    ["Don't", 'ask', ',', 'she', 'said', '.']
    """
    if analyzer == "char":
        return list(text)
    tokens: list[str] = []
    for chunk in text.split():
        in_word = [_is_in_word(chunk, i) for i in range(len(chunk))]
        for is_word, pairs in groupby(zip(in_word, chunk, strict=True), key=itemgetter(0)):
            characters = "".join(character for _, character in pairs)
            tokens += [characters] if is_word else _join_clusters(characters)
    return tokens


def _is_in_word(text, i):
    """Return whether character i belongs to a word: letters, digits, "don't", "3.14", accents."""
    base = i  # the character that is modified by marks, such as accents
    while base > 0 and unicodedata.category(text[base])[0] == "M":
        base -= 1
    if unicodedata.category(text[base])[0] in "LN" or text[i] == "_":
        return True
    if not (0 < i < len(text) - 1 and text[i - 1].isalnum() and text[i + 1].isalnum()):
        return False
    return text[i] in "'’-_" or (text[i] in ".,:" and text[i - 1].isdigit())


def _join_clusters(characters):
    """Join characters with the modifiers that follow them, such as the skin tone of an emoji."""
    clusters: list[str] = []
    for character in characters:
        is_modifier = unicodedata.category(character) in ("Mn", "Me", "Mc", "Cf", "Sk")
        is_modifier &= not character.isascii()
        if clusters and (is_modifier or clusters[-1].endswith("\u200d")):  # zero-width joiner
            clusters[-1] += character
        else:
            clusters.append(character)
    return clusters


def join(tokens: Iterable[str], analyzer: str) -> str:
    """Join tokens to a text, words with a blank between them except around punctuation.

    Examples
    --------
    >>> join(["Don't", "ask", ",", "she", "said", "."], "word")
    "Don't ask, she said."
    """
    if analyzer == "char":
        return "".join(tokens)
    text = ""
    for token in tokens:
        no_blank = not text or token in _CLOSING or text[-1] in _OPENING
        text += token if no_blank else f" {token}"
    return text


def encode(tokens: str | Sequence[str], vocabulary: Mapping[str, int]) -> np.ndarray:
    """Encode tokens as integers from 1. The code of unknown tokens is ``len(vocabulary) + 1``.

    Parameters
    ----------
    tokens : str or sequence of str
        A str is a sequence of characters.
    vocabulary : dict
        Maps tokens to their indices in sorted order, from 0.

    Returns
    -------
    codes : ndarray of int32 of shape (n_tokens,)
    """
    unknown = len(vocabulary) + 1
    if isinstance(tokens, str):
        known = sorted((ord(s), index) for s, index in vocabulary.items() if len(s) == 1)
        if not tokens or not known:
            return np.full(len(tokens), unknown, np.int32)
        known_points, indices = np.array(known, np.uint32).T
        points = np.frombuffer(tokens.encode("utf-32-le"), np.uint32)
        nearest = np.minimum(np.searchsorted(known_points, points), len(known) - 1)
        is_known = known_points[nearest] == points
        return np.where(is_known, indices[nearest] + 1, unknown).astype(np.int32)
    return np.array([vocabulary.get(token, unknown - 1) + 1 for token in tokens], np.int32)


def pad(texts: Sequence[np.ndarray], n_timesteps: int) -> np.ndarray:
    """Return encoded texts as the rows of an array, padded with zeros to `n_timesteps`."""
    rows = np.zeros((len(texts), n_timesteps), np.int32)
    for row, text in zip(rows, texts, strict=True):
        row[: len(text)] = text
    return rows
