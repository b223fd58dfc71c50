"""Texts as symbols: characters or words, and the numbers that stand for them."""

import unicodedata
from itertools import groupby

import numpy as np

# Marks between words that stick to the word before them, and those that stick to the one behind.
_CLOSING = set(".,;:!?%)]}»”’…")


_OPENING = set("([{«“‘¿¡")


def check_texts(name, X):
    """Return X as a list of str, or raise one error that says what is wrong with it.

    Parameters
    ----------
    name : str
        Of the estimator.
    X : str or iterable of str
        One str is one text.
    """
    if isinstance(X, (bytes, bytearray)):
        raise TypeError(f"{name} reads str, got bytes. Decode them: X.decode('utf-8').")
    if isinstance(X, str):
        texts = [X]
    elif getattr(X, "ndim", 1) != 1:
        raise ValueError(
            f"{name} expects texts, a 1-D sequence of str, got an array of shape "
            f"{tuple(np.shape(X))}. Pass one column, or windows of a WindowTransformer."
        )
    else:
        try:
            texts = list(X)
        except TypeError:
            raise TypeError(
                f"{name} expects a str or a sequence of str, got {type(X).__name__}."
            ) from None
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            hint = "Decode it" if isinstance(text, bytes) else "Fill, drop or convert it"
            raise TypeError(f"X[{i}] is {text!r} ({type(text).__name__}), not a str. {hint} first.")
        _check_characters(text, i)
    if not texts:
        raise ValueError(f"Found array with 0 sample(s): {name} needs at least 1 text.")
    return [str(text) for text in texts]


def _check_characters(text, i, name="X"):
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{name}[{i}] holds a lone surrogate, {text[error.start]!r} at position {error.start}, "
            "which is half a character. Decode the text again with errors='replace'."
        ) from None
    if "\0" in text:
        raise ValueError(
            f"{name}[{i}] holds the NUL character at position {text.index(chr(0))}, which arrays "
            "of str cannot keep. Remove it: text.replace('\\0', '')."
        )


def split(text, analyzer):
    """Return the symbols of a text: its code points, or its words and punctuation marks.

    Examples
    --------
    >>> split("Don't ask, she said.", "word")
    ["Don't", 'ask', ',', 'she', 'said', '.']
    """
    if analyzer == "char":
        return list(text)
    words: list = []
    for part in text.split():
        for in_word, characters in groupby(_places_in_words(part), key=lambda pair: pair[0]):
            marks = [character for _, character in characters]
            words += ["".join(marks)] if in_word else _clusters(marks)
    return words


def _places_in_words(part):
    """Yield for each character whether it is part of a word, and the character."""
    for i, character in enumerate(part):
        inside = 0 < i < len(part) - 1 and part[i - 1].isalnum() and part[i + 1].isalnum()
        joins = inside and (character in "'’-_" or (character in ".,:" and part[i - 1].isdigit()))
        category = unicodedata.category(character)[0]
        yield (category in "LN" or character == "_" or joins or _extends(part, i)), character


def _extends(part, i):
    """Whether a character is a mark on a letter before it, such as an accent."""
    while i > 0 and unicodedata.category(part[i])[0] == "M":
        i -= 1
        if unicodedata.category(part[i])[0] in "LN":
            return True
    return False


def _clusters(marks):
    """Put marks that modify the one before (variation selectors, joiners, skin tones) to it."""
    clusters: list = []
    for mark in marks:
        modifies = (
            unicodedata.category(mark) in ("Mn", "Me", "Mc", "Cf", "Sk") and not mark.isascii()
        )
        if clusters and (modifies or clusters[-1].endswith("\u200d")):
            clusters[-1] += mark
        else:
            clusters.append(mark)
    return clusters


def join(symbols, analyzer):
    """Return the text that symbols make up: words with a blank between them, where one belongs.

    Examples
    --------
    >>> join(["Don't", "ask", ",", "she", "said", "."], "word")
    "Don't ask, she said."
    """
    if analyzer == "char":
        return "".join(symbols)
    text = ""
    for symbol in symbols:
        no_blank = not text or symbol in _CLOSING or text[-1] in _OPENING
        text += symbol if no_blank else f" {symbol}"
    return text


def check_vocabulary(vocabulary):
    """Return the symbols that a user names as a sorted list, or raise an error."""
    if isinstance(vocabulary, str) or not all(isinstance(s, str) and s for s in vocabulary):
        raise ValueError(
            f"vocabulary={vocabulary!r} must be a sequence of symbols, each a non-empty str, such "
            "as list('abc')."
        )
    for place, symbol in enumerate(vocabulary):
        _check_characters(symbol, place, "vocabulary")
    return sorted(set(vocabulary))


def encode(symbols, vocabulary):
    """Return the numbers of symbols, from 1 on; those not in the vocabulary get the last one.

    Parameters
    ----------
    symbols : str, or sequence of str
        A str is a sequence of characters.
    vocabulary : dict
        From symbols to their places, 0 to ``len(vocabulary) - 1``, in sorted order.

    Returns
    -------
    numbers : ndarray of int32
    """
    unknown = len(vocabulary) + 1
    if isinstance(symbols, str):
        known = sorted((ord(s), place) for s, place in vocabulary.items() if len(s) == 1)
        if not symbols or not known:
            return np.full(len(symbols), unknown, np.int32)
        codes, places = np.array(known, np.uint32).T
        points = np.frombuffer(symbols.encode("utf-32-le"), np.uint32)
        found = np.minimum(np.searchsorted(codes, points), len(codes) - 1)
        return np.where(codes[found] == points, places[found] + 1, unknown).astype(np.int32)
    get = vocabulary.get
    return np.array([get(symbol, unknown - 1) + 1 for symbol in symbols], np.int32)


def pad(texts, n_timesteps):
    """Return texts as rows of numbers of one length, filled up with zeros."""
    rows = np.zeros((len(texts), n_timesteps), np.int32)
    for row, text in zip(rows, texts, strict=True):
        row[: len(text)] = text
    return rows
