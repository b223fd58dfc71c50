"""X and y as the classifier of texts takes them: which kind they are, as symbols and as numbers."""

import numpy as np
from sklearn.utils.multiclass import check_classification_targets

from .._inputs.windows import n_incomplete
from .._sklearn_compat import check_sample_weight
from ..windows._array import is_windows
from ._tokens import check_texts, check_vocabulary, encode, split

KINDS = {
    "strings": "strings and their labels",
    "language": "text alone",
    "windows": "windows of symbols",
}


# One-hot vectors are as long as there are symbols: beyond this, they take more than 64 MB.
_MAX_ONE_HOT_TOKENS = 4096


# Texts are filled up to a multiple of this: fits of like texts then share a compiled network.
_LENGTHS = 8


def read(estimator, X, y):
    """Return which of the three kinds X and y are, X as symbols, and y."""
    name = type(estimator).__name__
    if is_windows(X) or getattr(X, "ndim", 1) in (2, 3):
        return "windows", check_symbols(name, X), y
    texts = [split(text, estimator.analyzer) for text in check_texts(name, X)]
    if y is not None:
        if isinstance(X, str):
            raise ValueError(
                f"X is one str, so y={y!r} would label a single text. Pass a list of texts and "
                "as many labels, or leave y out to model the text."
            )
        if len(y) != len(texts):
            raise ValueError(
                "Found input variables with inconsistent numbers of samples: X has "
                f"{len(texts)} texts and y has {len(y)}. Each text needs its label."
            )
        return "strings", texts, y
    if len(texts) > 1 and max(map(len, texts)) <= 1:
        raise ValueError(
            f"All {len(texts)} texts are one symbol long, as when a splitter cuts a str into "
            "its characters: there is nothing to learn from. To search over a text, pass "
            "np.array(list(text))[:, None] to a Pipeline of a WindowTransformer and "
            f"{name}; or pass longer texts."
        )
    return "language", texts, None


def build_vocabulary(estimator, data):
    """Return the vocabulary of a fit: from symbols to their places in sorted order."""
    if estimator.vocabulary is not None:
        symbols = check_vocabulary(estimator.vocabulary)
    elif is_windows(data):
        symbols = sorted(set(data.series.ravel().tolist()))
    else:
        parts = data.reshape(len(data), -1).tolist() if isinstance(data, np.ndarray) else data
        symbols = sorted(set().union(*parts))
    if not symbols:
        raise ValueError(
            f"{type(estimator).__name__} found no symbol: every text is empty. Pass texts with "
            f"at least one {'word' if estimator.analyzer == 'word' else 'character'}."
        )
    if estimator.embedding is None and len(symbols) > _MAX_ONE_HOT_TOKENS:
        raise ValueError(
            f"embedding=None makes one-hot vectors as long as the vocabulary, {len(symbols)} "
            f"symbols; beyond {_MAX_ONE_HOT_TOKENS} that takes too much memory. Set embedding=128 "
            "or another number."
        )
    return {symbol: place for place, symbol in enumerate(symbols)}


def check_symbols(name, X):
    """Return windows of symbols, a WindowArray where they were one, else (n, n_timesteps)."""
    if not is_windows(X) and (hasattr(X, "columns") or np.shape(X)[1:] == (1,)):
        raise ValueError(
            f"{name} takes texts as a sequence of str, got a table of shape {np.shape(X)}. Pass "
            "one column of it: X['name'] of a DataFrame, X[:, 0] of an array."
        )
    X = X.stacked() if is_windows(X) else np.asarray(X)
    if X.ndim not in (2, 3) or (X.ndim == 3 and X.shape[2] != 1):
        raise ValueError(
            f"{name} reads windows of one column of symbols, got shape {X.shape}. Pass "
            "np.array(list(text))[:, None] to the WindowTransformer."
        )
    cells = X.series if is_windows(X) else X
    if cells.dtype.kind not in "UO":
        raise ValueError(
            f"{name} reads symbols, but the windows hold numbers such as {cells.flat[-1]!r}. Use "
            "RNNClassifier or RNNRegressor for numbers, or convert them with astype(str)."
        )
    if cells.dtype.kind == "O":
        for place, symbol in enumerate(cells.ravel().tolist()):
            if not isinstance(symbol, str):
                raise TypeError(
                    f"X holds {symbol!r} ({type(symbol).__name__}) at place {place}, not a str. "
                    "Fill, drop or convert it first."
                )
    return X


def check_text_weights(X, sample_weight):
    """Return weights of mean 1 over the rows that count."""
    rows = np.zeros((len(X), 1))
    weights = check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
    mean = weights[n_incomplete(X) :].mean()
    if not mean > 0:
        raise ValueError(
            "Sample weights cannot all be zero: nothing would count. Give at least one a positive "
            "weight."
        )
    return weights / mean


def labels_of(estimator, X, y):
    """Return the labels of windows or strings as an array of shape (n_samples,)."""
    if y is None:
        if not is_windows(X):
            raise ValueError(
                f"{type(estimator).__name__} requires y to be passed, but the target y is None: "
                "these windows do not know the series they came from. Pass y."
            )
        if X.horizon == 0:
            raise ValueError(
                "With horizon=0 each window ends in the symbol that y=None would have it name. "
                "Pass y, or take horizon >= 1."
            )
        y = X.target
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise ValueError(f"y must be of shape (n_samples,), got {y.shape}.")
    if len(y) != len(X):
        raise ValueError(
            "Found input variables with inconsistent numbers of samples: X has "
            f"{len(X)} rows and y has {len(y)}. Each row of X needs its label."
        )
    if y.dtype.kind == "f":  # of symbols there may be nearly as many as rows: no warning
        check_classification_targets(y)
    return y


def encode_tokens(estimator, X):
    """Return windows or texts as numbers."""
    if is_windows(X):
        series = encode(X.series.ravel().tolist(), estimator.vocabulary_)
        return type(X)(series[:, None], X.window_length, X.horizon, X.n_incomplete)
    if isinstance(X, np.ndarray):
        return encode(X.ravel().tolist(), estimator.vocabulary_).reshape(X.shape[:2])
    if estimator.analyzer == "char":  # which `encode` takes fastest as str
        X = ["".join(text) for text in X]
    return [encode(text, estimator.vocabulary_) for text in X]


def holdout_tail(texts, weights, fraction):
    """Cut the last symbols off some texts, to hold them out; weights stay with the rest."""
    n_symbols = sum(map(len, texts))
    n_train = n_symbols - max(1, round(fraction * n_symbols))
    if n_train < 1:
        raise ValueError(
            f"early_stopping with validation_fraction={fraction} leaves none of {n_symbols} "
            "symbols to train on. Fit on more text, or set early_stopping=False."
        )
    kept, held_out, left = [], [], n_train
    for text in texts:
        kept.append(text[:left])
        held_out.append(text[left:])
        left = max(0, left - len(text))
    rows = [row for row, text in enumerate(kept) if len(text)]
    weights = None if weights is None else weights[rows]
    return [kept[row] for row in rows], [text for text in held_out if len(text)], weights


def rounded_up(length):
    """Return the length that texts are filled up to in fit."""
    return -(-length // _LENGTHS) * _LENGTHS


def bucket_length(length):
    """Return to how many symbols texts of a length are filled up: 8, 16, 24, 32, 48, 64, 96 ..."""
    room = _LENGTHS
    while room < length:
        step = max(_LENGTHS, 2 ** (room.bit_length() - 1) // 2)
        room += step
    return room
