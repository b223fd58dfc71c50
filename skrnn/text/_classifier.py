"""CharLSTMClassifier: a recurrent network for characters and words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score

from .._checks import check_generator
from .._docstrings import substitute_docs
from .._estimator import BaseRNN, draw_seed
from .._inputs.labels import class_weights, encode_classes, find_classes, stratified_holdout
from .._inputs.weights import check_weights, normalize_weights
from .._inputs.windows import check_complete_windows, check_enough_rows, n_incomplete
from .._parameters import POSITIVE_INT, STACK_CONSTRAINTS, Cell, Units
from .._sklearn_compat import StrOptions, check_is_fitted, check_sample_weight, fit_context
from ._inputs import (
    KINDS,
    bucket_length,
    build_vocabulary,
    check_labels,
    check_symbols,
    encode_tokens,
    holdout_tail,
    read_input,
    round_up_length,
)
from ._tokens import check_texts, join, pad, split

# Maximum number of symbols that `stream` generates in one graph call; the first call makes one.
_MAX_BLOCK = 128


class CrossEntropy(NamedTuple):
    """Mean cross entropy per symbol of a text, in nats and in bits."""

    nats: float
    bits: float


@substitute_docs()
@dataclass(eq=False, repr=False)
class CharLSTMClassifier(ClassifierMixin, BaseRNN):
    """Recurrent network that classifies texts or predicts the next character or word.

    The input determines the task:

    - **Strings and labels**, ``fit(texts, y)``: each string, of any length, has a class. The class
      may be the next character or any category.
    - **Text alone**, ``fit(text)`` or ``fit(texts)``: a language model. It is trained to predict
      the symbol after *every* symbol, in long chunks, by truncated backpropagation through time
      [1]_: the state is carried from one chunk to the next. It generates text (`generate`).
    - **Windows of symbols**, behind a `WindowTransformer` in a `Pipeline`: the class of a window is
      the symbol that follows it, or y. The series is one column of symbols:
      ``np.array(list(text))[:, None]``.

    Parameters
    ----------
    analyzer : {"char", "word"}, default="char"
        Whether symbols are characters (Unicode code points), or words and punctuation marks. Case
        is distinguished. In windows, each cell is a symbol.
    {cell}
    units : int or tuple of int, default=128
        Number of units of the recurrent layer. A tuple stacks layers.
    embedding : int, default=None
        Dimension of the learned embeddings of the symbols. None uses one-hot vectors.
    {layer_parameters}
    vocabulary : sequence of str, default=None
        The symbols of the vocabulary. None is the symbols in `fit`, or in the first
        `partial_fit`.
    chunk_length : int, default=64
        Number of symbols that the gradients of a language model are propagated back.
    {optimizer_parameters}
    early_stopping : bool, default=False
        Whether to stop when the loss on a holdout has not decreased for `n_iter_no_change` epochs,
        and to restore the best weights. The holdout is stratified by class for strings, and the
        last part of windows and of text.
    {early_stopping_parameters}
    class_weight : dict or "balanced", default=None
        Weights of the classes, or of the symbols of a language model. "balanced" gives all classes
        the same total weight.
    {fit_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted. For a language model the symbols.
    vocabulary_ : dict
        From symbols to their indices in sorted order. The network's input is the index plus one.
    model_ : keras.Model
        The fitted network, from encoded symbols of shape (n_samples, n_timesteps) to
        probabilities.
    loss_curve_ : list of float
        Training loss of each epoch in nats, including regularization.
    validation_loss_curve_, validation_scores_ : lists of float
        Loss and accuracy on the holdout after each epoch, with `early_stopping`.
    n_iter_ : int
        Total number of training epochs.

    See Also
    --------
    WindowTransformer : Transforms a column of symbols into windows.
    NextCharDisplay : Plots the most probable next symbols after each symbol of a text.

    Notes
    -----
    A symbol that is not in the vocabulary is encoded as a vector of zeros. With embeddings it has
    the same vector as the beginning of a text. It is never predicted: `score` counts it as an
    error, and `cross_entropy` raises an error. Text is not normalized. Apply
    `unicodedata.normalize` if characters occur in several Unicode representations. Splitters of
    scikit-learn split a single str into its characters: search over windows of symbols, or over a
    list of texts.

    References
    ----------
    .. [1] R. J. Williams, J. Peng (1990). An efficient gradient-based algorithm for on-line
       training of recurrent network trajectories. Neural Computation 2(4).
    .. [2] A. Karpathy (2015). The unreasonable effectiveness of recurrent neural networks.

    Examples
    --------
    >>> from skrnn import CharLSTMClassifier
    >>> hello = CharLSTMClassifier(cell="rnn", units=3, learning_rate=0.1, random_state=0)
    >>> hello.fit("hello").predict(["h", "he", "hel", "hell"])
    array(['e', 'l', 'l', 'o'], dtype='<U1')
    >>> names = CharLSTMClassifier(units=8, learning_rate=0.05, random_state=0)
    >>> names = names.fit(["aba", "ab", "xyx", "yx"], ["from a", "from a", "from x", "from x"])
    >>> names.predict(["abab", "xy"])
    array(['from a', 'from x'], dtype='<U6')
    """

    analyzer: str = "char"
    _: KW_ONLY
    cell: Cell = "lstm"
    units: Units = 128
    embedding: int | None = None
    vocabulary: Sequence[str] | None = None
    chunk_length: int = 64
    class_weight: dict[Any, float] | str | None = None

    _parameter_constraints = BaseRNN._parameter_constraints | {
        "analyzer": [StrOptions({"char", "word"})],
        "embedding": [POSITIVE_INT, None],
        "activation": [str],
        "vocabulary": ["array-like", set, None],
        "chunk_length": [POSITIVE_INT],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }
    _fixed_parameters = ("analyzer", "embedding")

    @fit_context
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X : str, sequence of str of length n_samples, or WindowArray of symbols
            Strings, text, or windows, as described in the class docstring.
        y : array-like of shape (n_samples,), default=None
            Labels. None is for text, and for windows whose class is the symbol that follows.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the strings, texts or windows, scaled to mean 1.

        Returns
        -------
        self : CharLSTMClassifier

        Raises
        ------
        TypeError
            If X contains anything but str.
        ValueError
            If there is nothing to train on, or a parameter is invalid.
        KeyboardInterrupt
            On Ctrl-C. The estimator is then fitted with the weights reached so far.
        """
        return self._fit(X, y, sample_weight)

    @fit_context
    def partial_fit(
        self, X: Any, y: Any = None, classes: Any = None, sample_weight: Any = None
    ) -> Self:
        """Train for one epoch. Vocabulary and classes are those of the first call.

        Parameters
        ----------
        X : str, sequence of str of length n_samples, or WindowArray of symbols
            The same kind of input as in previous calls.
        y : array-like of shape (n_samples,), default=None
            Labels. None is for text, and for windows whose class is the symbol that follows.
        classes : array-like of shape (n_classes,), default=None
            All labels of all calls, for the first call on strings or windows.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the strings, texts or windows, scaled to mean 1.

        Returns
        -------
        self : CharLSTMClassifier
        """
        return self._fit(X, y, sample_weight, partial=True, classes=classes)

    def _validate_input(self, X, y, sample_weight, resume, classes):
        kind, symbols, y = read_input(self, X, y)
        if resume and kind != self._kind:
            raise ValueError(
                f"The network was fitted on {KINDS[self._kind]}, and training cannot be resumed on "
                f"{KINDS[kind]}. Pass X and y as before, or fit with warm_start=False."
            )
        weights = check_weights(symbols, sample_weight)
        if not resume:
            self._kind: str = kind
            self.vocabulary_: dict[str, int] = build_vocabulary(self, symbols)
        if kind == "language":
            return self._validate_text(symbols, weights, classes)
        return self._validate_classes(symbols, y, weights, classes, resume)

    def _validate_text(self, texts, weights, classes):
        """Return encoded texts, those held out, symbol weights and text weights."""
        from .._engine.network import has_batch_hooks

        if len(self.vocabulary_) < 2:
            raise ValueError(
                f"The text has one distinct symbol, {next(iter(self.vocabulary_))!r}, and every "
                "prediction would be that symbol. Pass a text with at least 2."
            )
        if self.bidirectional:
            raise ValueError(
                "bidirectional=True would show a language model the symbols it predicts. Set "
                "bidirectional=False."
            )
        for callback in self.callbacks or ():
            if has_batch_hooks(callback):
                raise ValueError(
                    f"{callback!r} has batch hooks, which the training of a language model does "
                    "not call, because it is compiled as a whole. Use callbacks with epoch hooks."
                )
        if classes is not None:
            raise ValueError(
                f"classes={classes!r} contains labels, but the classes of a language model are its "
                "symbols. Pass the symbols as vocabulary=."
            )
        self.classes_: np.ndarray = np.array(list(self.vocabulary_))
        encoded, holdout = encode_tokens(self, texts), None
        if self.early_stopping:
            encoded, holdout, weights = holdout_tail(encoded, weights, self.validation_fraction)
        if not any(len(text) for text in encoded):
            raise ValueError("Every text is empty: there is no symbol to predict.")
        codes = np.concatenate(encoded) - 1
        codes = codes[codes < len(self.classes_)]  # without unknown symbols
        symbol_weights = class_weights(self.class_weight, self.classes_, codes)
        is_weighted = weights is None or weights.any()
        if not len(codes) or not symbol_weights[codes].any() or not is_weighted:
            raise ValueError(
                "Nothing to train on: no symbol of the training text is in the vocabulary and has "
                "a weight. Check vocabulary, class_weight and sample_weight."
            )
        weights = None if weights is None else weights / weights.mean()
        return encoded, holdout, symbol_weights, weights

    def _validate_classes(self, X, y, weights, classes, resume):
        """Return encoded strings or windows, codes of the classes, and weights."""
        skip = n_incomplete(X)
        y = check_labels(self, X, y)
        if not resume:
            check_enough_rows(X)
            if self._kind == "windows":
                self.window_length_: int = X.shape[1]
        fitted = self.classes_ if resume else None
        self.classes_ = find_classes(type(self).__name__, y[skip:], classes, fitted)
        codes = encode_classes(y, self.classes_, skip)
        by_class = class_weights(self.class_weight, self.classes_, codes[skip:])
        encoded = encode_tokens(self, X)
        if self._kind == "strings":
            encoded = pad(encoded, round_up_length(max(map(len, encoded))))
        if self.class_weight is not None:
            weights = by_class[codes] * (1 if weights is None else weights)
        return encoded, codes, normalize_weights(weights, range(skip, len(encoded)))

    def _build_network(self, X, y, data, seed, settings):
        from .._engine.network import build_network
        from ..networks.builders import build_text_rnn

        options = {name: settings[name] for name in (*STACK_CONSTRAINTS, "embedding")}
        options |= {"n_symbols": len(self.vocabulary_), "n_classes": len(self.classes_)}
        options["sequences"] = self._kind == "language"
        return build_network(None, build_text_rnn, None, seed, settings, "int32", **options)

    def _loss(self):
        return "sparse_categorical_crossentropy"

    def _training_arguments(self, network, data):
        if self._kind != "language":
            return super()._training_arguments(network, data)
        import keras

        from ._language_model import LanguageTrainer

        texts, holdout, symbol_weights, weights = data
        dtype = keras.config.floatx()
        chunk_length = min(self.chunk_length, round_up_length(max(map(len, texts))))
        return {
            "X": (texts, chunk_length),
            "y": symbol_weights.astype(dtype),
            "sample_weight": None if weights is None else weights.astype(dtype),
            "rows": range(len(texts)),
            "validation": None if holdout is None else self._text_validation(network, holdout),
            "trainer_class": LanguageTrainer,
        }

    def _split_holdout(self, X, y, weights, rows, seed):
        if self._kind == "windows":
            return super()._split_holdout(X, y, weights, rows, seed)
        return stratified_holdout(X, y, weights, self.validation_fraction, seed)

    def _score_holdout(self, y, y_pred, sample_weight):
        return accuracy_score(y, y_pred.argmax(axis=1), sample_weight=sample_weight)

    def _text_validation(self, network, texts):
        """Return a function that computes the loss and accuracy of a language model on texts."""
        n_known = max(1, sum((text <= len(self.vocabulary_)).sum() for text in texts))

        def validate():
            losses, n_correct, _ = self._evaluate(network, texts)
            return losses.sum() / n_known, n_correct.sum() / n_known

        return validate

    def _evaluate(self, network, texts):
        """Return for each text its loss, number of correct predictions, and next logits."""
        from ._language_model import SequenceScorer

        scorer, values = network.compiled_program(SequenceScorer)
        return scorer(values, texts)

    def _read_symbols(self, X):
        """Return X as symbols, of the fitted kind of input."""
        name = type(self).__name__
        if self._kind == "windows":
            return check_symbols(name, X)
        texts = check_texts(name, X)
        if isinstance(X, str) and self._kind == "strings":
            raise ValueError(
                f"Iterable over raw text documents expected, got one str, {X!r}. Pass [{X!r}]."
            )
        return [split(text, self.analyzer) for text in texts]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities of the classes, or of the next symbol of each text.

        Parameters
        ----------
        X : str, sequence of str of length n_samples, or windows of symbols
            The kind of input seen in `fit`.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`, in the dtype of the network.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        """
        check_is_fitted(self)
        encoded = encode_tokens(self, self._read_symbols(X))
        if self._kind == "language":
            _, _, logits = self._evaluate(self._network, encoded)
            likelihoods = np.exp(logits - logits.max(axis=1, keepdims=True))
            return likelihoods / likelihoods.sum(axis=1, keepdims=True)
        if self._kind == "strings":
            return self._predict_strings(encoded)
        if encoded.shape[1] != self.window_length_:
            raise ValueError(
                f"X has windows of {encoded.shape[1]} symbols, but {type(self).__name__} was "
                f"fitted on windows of {self.window_length_}. Predict with the same windows."
            )
        return self._network.predict(encoded)

    def _predict_strings(self, texts):
        """Return the probabilities of encoded strings, padded to buckets of similar lengths."""
        probabilities = np.empty((len(texts), len(self.classes_)), self._network.output_dtype)
        lengths = np.array([bucket_length(len(text)) for text in texts])
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            bucket = pad([texts[row] for row in rows], length)
            probabilities[rows] = self._network.predict(bucket)
        return probabilities

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithms of `predict_proba`.

        Parameters
        ----------
        X : str, sequence of str of length n_samples, or windows of symbols
            The kind of input seen in `fit`.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> np.ndarray:
        """Predict the class, or the most probable next symbol, of each text or window.

        Parameters
        ----------
        X : str, sequence of str of length n_samples, or windows of symbols
            The kind of input seen in `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        codes = self.predict_proba(X).argmax(axis=1)
        return self.classes_[codes]

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the accuracy.

        Parameters
        ----------
        X : str, sequence of str of length n_samples, or windows of symbols
            The kind of input seen in `fit`.
        y : array-like of shape (n_samples,), default=None
            Labels. None scores a language model on all symbols of the texts, and windows on the
            symbols that follow the complete ones.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the strings, texts or windows.

        Returns
        -------
        accuracy : float
        """
        check_is_fitted(self)
        if y is None and self._kind == "language":
            return self._score_texts(X, sample_weight)
        skip = 0
        if y is None and self._kind == "strings":
            raise ValueError("score needs the labels of the strings: pass y.")
        if self._kind == "windows":
            X = self._read_symbols(X)
            if y is None:
                skip = n_incomplete(X)
                check_complete_windows(len(X), skip)
        elif not isinstance(X, str):  # which is one text
            X = check_texts(type(self).__name__, X)
        y_pred = self.predict(X)
        y = check_labels(self, [X] if isinstance(X, str) else X, y)
        if sample_weight is not None:
            rows = np.zeros((len(y), 1))
            weights = check_sample_weight(sample_weight, rows, ensure_non_negative=True)
            sample_weight = weights[skip:]
        return accuracy_score(y[skip:], y_pred[skip:], sample_weight=sample_weight)

    def _score_texts(self, X, sample_weight):
        """Return the accuracy of a language model over all symbols of texts."""
        texts = encode_tokens(self, self._read_symbols(X))
        _, n_correct, _ = self._evaluate(self._network, texts)
        weights = check_weights(texts, sample_weight)
        weights = np.ones(len(texts)) if weights is None else weights
        n_symbols = (weights * [len(text) for text in texts]).sum()
        if n_symbols == 0:
            raise ValueError("There is no symbol to score: every text is empty.")
        return float((weights * n_correct).sum() / n_symbols)

    def cross_entropy(self, X: Any) -> CrossEntropy:
        """Return the cross entropy per symbol of a language model on texts.

        The mean of ``-log p(symbol | all symbols before it)`` over all symbols of all texts.

        Parameters
        ----------
        X : str or sequence of str
            The texts. Each begins without context.

        Returns
        -------
        cross_entropy : CrossEntropy
            Named tuple (nats, bits).

        Raises
        ------
        ValueError
            If the texts contain no symbol, or one that is not in the vocabulary, whose cross
            entropy is infinite.

        Examples
        --------
        >>> from skrnn import CharLSTMClassifier
        >>> model = CharLSTMClassifier(units=8, epochs=20, random_state=0).fit("ab" * 100)
        >>> model.cross_entropy("abab").bits < 1
        True
        """
        self._check_language_model("cross_entropy")
        symbols = self._read_symbols(X)
        texts = encode_tokens(self, symbols)
        n_symbols = sum(map(len, texts))
        if n_symbols == 0:
            raise ValueError("cross_entropy needs a symbol, but every text is empty.")
        if unknown := set().union(*symbols) - set(self.vocabulary_):
            raise ValueError(
                "cross_entropy of symbols that were not in fit is infinite: "
                f"{sorted(unknown)[:10]}. Add them to vocabulary= before fit, or remove them from "
                "the text."
            )
        losses, _, _ = self._evaluate(self._network, texts)
        nats = float(losses.sum() / n_symbols)
        return CrossEntropy(nats, nats / math.log(2))

    def generate(
        self,
        prompt: str = "",
        length: int = 200,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> str:
        """Generate text with a language model, one symbol after the other.

        Parameters
        ----------
        prompt : str, default=""
            The text before the generated one; it is not returned. An empty prompt is the beginning
            of a text.
        length : int, default=200
            Number of symbols to generate.
        temperature : float, default=1.0
            Values below 1 favor probable symbols, values above 1 improbable ones.
        top_k : int, default=None
            Sample from this many most probable symbols only; 1 takes the most probable one.
        top_p : float in (0, 1], default=None
            Sample from the smallest set of most probable symbols whose total probability is at
            least `top_p`, as in nucleus sampling [1]_.
        random_state : int, RandomState instance or None, default=None
            The same int generates the same text.

        Returns
        -------
        text : str
            Characters, or words separated by blanks (none before a comma, and so on).

        Raises
        ------
        ValueError
            If the estimator was fitted on labels or windows, or a parameter is invalid.

        See Also
        --------
        stream : Yields the same symbols one by one.

        References
        ----------
        .. [1] A. Holtzman et al. (2020). The curious case of neural text degeneration. ICLR.

        Examples
        --------
        >>> from skrnn import CharLSTMClassifier
        >>> model = CharLSTMClassifier(units=16, learning_rate=0.02, random_state=0)
        >>> model.fit("abc" * 100).generate("ab", 7, top_k=1)
        'cabcabc'
        """
        if length is None:
            raise ValueError("length=None must be an int of at least 1; only `stream` is endless.")
        stream = self.stream(prompt, length, temperature, top_k, top_p, random_state)
        return join(list(stream), self.analyzer)

    def stream(
        self,
        prompt: str = "",
        length: int | None = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> Iterator[str]:
        """Yield the symbols of `generate` one by one.

        Parameters
        ----------
        prompt : str, default=""
            The text before the generated one.
        length : int, default=None
            Number of symbols to generate. None generates symbols without end.
        temperature, top_k, top_p, random_state
            As in `generate`.

        Yields
        ------
        symbol : str
        """
        self._check_language_model("generate")
        _check_generation(prompt, length, temperature, top_k, top_p)
        from ._language_model import Generator

        (encoded,) = encode_tokens(self, self._read_symbols([prompt]))
        rng = np.random.default_rng(draw_seed(check_generator(random_state)))
        # Copied, so that a later fit does not change the symbols of this generator.
        symbols = self.classes_.tolist()
        generator, values = self._network.compiled_program(Generator)
        n_symbols = len(symbols)
        encoded = np.append(n_symbols + 1, encoded)  # after the code of the beginning
        top_k = None if top_k is None else min(int(top_k), n_symbols)
        # A temperature below the smallest normal float32 would become zero.
        temperature = max(float(temperature), 1e-30)

        def noise():
            remaining, size = math.inf if length is None else length, 1
            while remaining > 0:
                n_rows = int(min(size, remaining))
                yield rng.gumbel(size=(n_rows, n_symbols))
                remaining -= n_rows
                size = min(2 * size, _MAX_BLOCK)

        top_p = 1.0 if top_p is None else top_p
        blocks = generator(values, encoded, noise(), temperature, top_k, top_p)
        return (symbols[code - 1] for block in blocks for code in block)

    def _check_language_model(self, method):
        check_is_fitted(self)
        if self._kind != "language":
            raise ValueError(
                f"{method} needs a language model, but this {type(self).__name__} was fitted on "
                f"{KINDS[self._kind]}. Fit it on text alone: fit(text)."
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.target_tags.required = False
        return tags


def _check_generation(prompt, length, temperature, top_k, top_p):
    """Raise an error if a parameter of `generate` is invalid."""
    if length is not None:
        _check_number("length", length, Integral, "an int of at least 1", lambda v: v >= 1)
    need = "a number > 0; top_k=1 takes the most probable symbol"
    _check_number("temperature", temperature, Real, need, lambda v: 0 < v < np.inf)
    if top_k is not None:
        _check_number("top_k", top_k, Integral, "an int of at least 1", lambda v: v >= 1)
    if top_p is not None:
        _check_number("top_p", top_p, Real, "a number in (0, 1]", lambda v: 0 < v <= 1)
    if not isinstance(prompt, str):
        raise TypeError(f"prompt must be a str, got {prompt!r}.")


def _check_number(name, value, kind, need, is_valid):
    if isinstance(value, bool) or not isinstance(value, kind) or not is_valid(value):
        raise ValueError(f"{name}={value!r} must be {need}.")
