"""Validation and encoding of the input of CharLSTMClassifier."""

from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets

from .._inputs.labels import label_array
from .._inputs.windows import check_n_samples, series_target
from ..windows._array import WindowArray, is_windows
from ._tokens import check_texts, check_vocabulary, encode, split

# The kinds of input, and how errors refer to them.
KINDS = {
    "strings": "strings and their labels",
    "language": "text alone",
    "windows": "windows of tokens",
}

# One-hot vectors of larger vocabularies need more than 64 MB.
_MAX_ONE_HOT_TOKENS = 4096
# Texts are padded to a multiple of this length, so that fits of similar texts share a compiled
# network.
_LENGTH_MULTIPLE = 8


def input_kind(X: Any, y: Any) -> str:
    """Return the kind of input of X and y, a key of `KINDS`."""
    if is_windows(X) or getattr(X, "ndim", 1) in (2, 3):
        return "windows"
    return "language" if y is None else "strings"


def read_input(estimator: Any, X: Any, y: Any) -> tuple[str, Any, Any]:
    """Return the kind of input of X and y, X as tokens, and y."""
    name = type(estimator).__name__
    kind = input_kind(X, y)
    if kind == "windows":
        return kind, check_tokens(name, X), y
    texts = [split(text, estimator.analyzer) for text in check_texts(name, X)]
    if kind == "strings":
        if isinstance(X, str):
            raise ValueError(
                f"X is one str, so y={y!r} would label a single text. Pass a list of texts with a "
                "label for each, or y=None to fit a language model."
            )
        return kind, texts, label_array(y)
    if len(texts) > 1 and max(map(len, texts)) <= 1:
        raise ValueError(
            f"All {len(texts)} texts consist of one token, as if a splitter had split a str into "
            "its characters, so there is nothing to train on. To search over a text, pass "
            "np.array(list(text))[:, None] to a Pipeline of a WindowTransformer and "
            f"{name}. Otherwise, pass longer texts."
        )
    return kind, texts, None


def build_vocabulary(estimator: Any, tokens: Any, embedding: int | None) -> dict[str, int]:
    """Return the vocabulary, a dict of tokens and their indices in sorted order."""
    if estimator.vocabulary is not None:
        distinct = check_vocabulary(estimator.vocabulary)
    elif isinstance(tokens, np.ndarray):
        cells = tokens.series if is_windows(tokens) else tokens
        distinct = sorted(set(cells.ravel().tolist()))
    else:
        distinct = sorted(set().union(*tokens))
    if not distinct:
        raise ValueError(
            f"{type(estimator).__name__} found no token: every text is empty. Pass texts with "
            f"at least one {'word' if estimator.analyzer == 'word' else 'character'}."
        )
    if embedding is None and len(distinct) > _MAX_ONE_HOT_TOKENS:
        raise ValueError(
            f"The vocabulary has {len(distinct)} tokens, but embedding={estimator.embedding!r} "
            "uses one-hot vectors, which need too much memory for more than "
            f"{_MAX_ONE_HOT_TOKENS} tokens. Set embedding=128 or another dimension."
        )
    return {token: index for index, token in enumerate(distinct)}


def check_tokens(name: str, X: Any) -> WindowArray | np.ndarray:
    """Validate windows of tokens: a WindowArray or an array of shape (n_samples, n_timesteps)."""
    is_table = hasattr(X, "columns")
    try:
        X = X.stacked() if is_windows(X) else np.asarray(X)
    except ValueError:
        raise ValueError(
            f"{name} takes windows of the same number of tokens, got rows of different lengths. "
            "Pass windows of a WindowTransformer."
        ) from None
    if not is_windows(X) and (is_table or X.shape[1:] == (1,)):
        raise ValueError(
            f"{name} takes texts as a sequence of str, got a table of shape {X.shape}. Pass "
            "one column: X['name'] of a DataFrame, X[:, 0] of an array."
        )
    if X.ndim not in (2, 3) or (X.ndim == 3 and X.shape[2] != 1):
        raise ValueError(
            f"{name} takes windows of one column of tokens, got shape {X.shape}. Pass "
            "np.array(list(text))[:, None] to the WindowTransformer."
        )
    cells = X.series if is_windows(X) else X
    if not cells.size:
        raise ValueError(f"{name} takes windows of tokens, got an empty array of shape {X.shape}.")
    if cells.dtype.kind not in "UO":
        raise ValueError(
            f"{name} requires tokens, but the windows contain numbers such as {cells.flat[-1]!r}. "
            "Use RNNClassifier or RNNRegressor for numbers, or convert them with astype(str)."
        )
    if cells.dtype.kind == "O":
        for position, token in enumerate(cells.ravel().tolist()):
            if not isinstance(token, str):
                raise TypeError(
                    f"X contains {token!r} ({type(token).__name__}) at position {position}, but "
                    "tokens must be str. Fill, drop or convert it first."
                )
    return X


def check_labels(estimator: Any, X: Any, y: Any) -> np.ndarray:
    """Return the labels of windows or strings as an array of shape (n_samples,)."""
    y = label_array(series_target(estimator, X) if y is None else y)
    check_n_samples(X, y)
    if y.dtype.kind == "f":  # not for tokens: many distinct tokens would raise a warning
        check_classification_targets(y)
    return y


def encode_tokens(estimator: Any, X: Any) -> Any:
    """Return windows or texts with the codes of their tokens."""
    vocabulary = estimator.vocabulary_
    if is_windows(X):
        series = encode(X.series.ravel().tolist(), vocabulary)
        return WindowArray(series[:, None], X.window_length, X.horizon, X.n_incomplete)
    if isinstance(X, np.ndarray):
        return encode(X.ravel().tolist(), vocabulary).reshape(X.shape[:2])
    if estimator.analyzer == "char":  # `encode` is fastest on str
        X = ["".join(text) for text in X]
    return [encode(text, vocabulary) for text in X]


def holdout_tail(texts, weights, fraction):
    """Hold out the last tokens of encoded texts.

    Parameters
    ----------
    texts : list of ndarray of int
    weights : ndarray of shape (n_texts,) or None
    fraction : float
        Fraction of the tokens of all texts to hold out.

    Returns
    -------
    train, holdout : lists of ndarray of int
        The text that is split is in both.
    weights : ndarray of shape (n_train,) or None
    """
    n_tokens = sum(map(len, texts))
    n_train = n_tokens - max(1, round(fraction * n_tokens))
    if n_train < 1:
        raise ValueError(
            f"early_stopping with validation_fraction={fraction} leaves none of {n_tokens} "
            "tokens to train on. Fit on more text, or set early_stopping=False."
        )
    train, holdout, remaining = [], [], n_train
    for text in texts:
        train.append(text[:remaining])
        holdout.append(text[remaining:])
        remaining = max(0, remaining - len(text))
    rows = [row for row, text in enumerate(train) if len(text)]
    weights = None if weights is None else weights[rows]
    return [train[row] for row in rows], [text for text in holdout if len(text)], weights


def round_up_length(length: int) -> int:
    """Return the length that texts are padded to in fit, a multiple of 8."""
    return -(-max(length, 1) // _LENGTH_MULTIPLE) * _LENGTH_MULTIPLE


def bucket_length(length: int) -> int:
    """Return the length that texts are padded to in predict: 8, 16, 24, 32, 48, 64, 96, ..."""
    bucket = _LENGTH_MULTIPLE
    while bucket < length:
        bucket += max(_LENGTH_MULTIPLE, 2 ** (bucket.bit_length() - 1) // 2)
    return bucket
