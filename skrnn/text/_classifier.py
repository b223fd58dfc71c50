"""CharLSTMClassifier: classification and language models of characters and words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence, Sized
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
from .._parameters import (
    FRACTION,
    OPTIMIZER_CONSTRAINTS,
    POSITIVE_INT,
    STACK_CONSTRAINTS,
    Cell,
    RNNParameters,
    Units,
)
from .._sklearn_compat import StrOptions, check_is_fitted, check_sample_weight, fit_context
from ._inputs import (
    KINDS,
    bucket_length,
    build_vocabulary,
    check_labels,
    check_tokens,
    encode_tokens,
    holdout_tail,
    input_kind,
    read_input,
    round_up_length,
)
from ._tokens import check_texts, join, pad, split

# Maximum number of tokens that `stream` generates in one graph call. The first call generates one.
_MAX_BLOCK = 128

_AUTO = StrOptions({"auto"})
# The network that "auto" means for strings with labels, and for text and windows.
_NETWORK_OF_STRINGS = {
    "bidirectional": True,
    "dropout": 0.5,
    "embedding": 128,
    "embedding_dropout": 0.4,
}
_NETWORK_OF_TEXT = {
    "bidirectional": False,
    "dropout": 0.0,
    "embedding": None,
    "embedding_dropout": 0.0,
}


class CrossEntropy(NamedTuple):
    """Mean cross-entropy per token of a text, in nats and in bits."""

    nats: float
    bits: float


@substitute_docs()
@dataclass(eq=False, repr=False)
class CharLSTMClassifier(ClassifierMixin, BaseRNN):
    """Recurrent network that classifies texts or predicts the next token.

    The input determines the task:

    - **Strings and labels**, ``fit(texts, y)``: the class of each string is predicted. Strings may
      have any length. The class may be the next token or any category.
    - **Text alone**, ``fit(text)`` or ``fit(texts)``: a language model. It is trained to predict
      the next token at *each* position of the text by truncated backpropagation through time [1]_:
      the text is split into chunks, and the state is carried from one chunk to the next. A language
      model generates text (`generate`).
    - **Windows of tokens**, after a `WindowTransformer` in a `Pipeline`: the class of a window is
      the token that follows it, or y. The series is one column of tokens:
      ``np.array(list(text))[:, None]``.

    Parameters
    ----------
    analyzer : {"char", "word"}, default="char"
        Whether tokens are characters (Unicode code points) or words and punctuation marks. Tokens
        are case-sensitive. In windows, each element is a token.
    {cell}
    units : int or tuple of int, default=128
        Number of units of the recurrent layer. A tuple stacks layers.
    {activation}
    bidirectional : bool or "auto", default="auto"
        Whether each recurrent layer also processes the sequence backwards. The outputs of both
        directions are concatenated. "auto" is True for strings with labels, and False otherwise.
    dropout : float in [0, 1) or "auto", default="auto"
        Fraction of the outputs of each recurrent layer to drop during training. "auto" is 0.5 for
        strings with labels, and 0 otherwise.
    {recurrent_dropout}
    {recurrent_initializer}
    {l1}
    {l2}
    {recurrent_l2}
    {optimizer}
    learning_rate : float, None or "auto", default="auto"
        Learning rate. None is that of the optimizer, which may have a schedule:
        ``optimizer=keras.optimizers.Adam(schedule)``. "auto" is 0.002 for strings with labels and
        ``optimizer="adam"``, and None otherwise.
    {clipnorm}
    {clipvalue}
    epochs : int or "auto", default="auto"
        Number of passes over the data, or their maximum number with early stopping. "auto" is 50.
        For more than 900 strings with labels, it is ``round(1500 / sqrt(n_samples))``, and at
        least 5.
    {batch_size}
    early_stopping : bool, default=False
        Whether to stop when the loss on a holdout has not decreased for `n_iter_no_change` epochs,
        and to restore the best weights. The holdout is stratified by class for strings. For
        windows and text, it consists of the last windows or tokens.
    {early_stopping_parameters}
    {fit_parameters}
    embedding : int, None or "auto", default="auto"
        Dimension of the learned embeddings of the tokens. If None, tokens are encoded as one-hot
        vectors. "auto" is 128 for strings with labels, and None otherwise.
    embedding_dropout : float in [0, 1) or "auto", default="auto"
        Fraction of the values of the embeddings, or of the one-hot vectors, to drop during
        training. "auto" is 0.4 for strings with labels and embeddings, and 0 otherwise.
    vocabulary : sequence of str, default=None
        The tokens of the vocabulary. If None, the tokens seen in `fit`, or in the first
        `partial_fit`, are used.
    chunk_length : int, default=64
        Number of tokens through which the gradients of a language model are propagated.
    class_weight : dict or "balanced", default=None
        Weights of the classes, or of the tokens of a language model. "balanced" gives all classes
        the same total weight.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted. For a language model, the tokens.
    vocabulary_ : dict
        Maps tokens to their indices in sorted order. The network's input is the index plus one.
    model_ : keras.Model
        The fitted network. It maps encoded tokens of shape (n_samples, n_timesteps) to
        probabilities.
    loss_curve_ : list of float
        Training loss of each epoch in nats, including regularization.
    validation_loss_curve_, validation_scores_ : lists of float
        Loss and accuracy on the holdout after each epoch, with `early_stopping`.
    n_iter_ : int
        Total number of training epochs.
    n_outputs_ : int
        Number of classes.
    window_length_ : int
        Number of tokens in a window. Defined only if the estimator was fitted on windows.

    See Also
    --------
    WindowTransformer : Transforms a column of tokens into windows.
    NextCharDisplay : Plots the most probable next tokens after each token of a text.

    Notes
    -----
    A token that is not in the vocabulary is encoded as a vector of zeros. With embeddings, its
    vector is that of the beginning of a text. It is never predicted: `score` counts it as an error,
    and `cross_entropy` raises an error. Text is not normalized. Apply `unicodedata.normalize` if
    characters occur in several Unicode representations. scikit-learn's splitters split a single str
    into its characters. To search over hyperparameters, use windows of tokens or a list of texts.

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
    bidirectional: bool | str = "auto"  # type: ignore[assignment]
    dropout: float | str = "auto"  # type: ignore[assignment]
    learning_rate: float | str | None = "auto"  # type: ignore[assignment]
    epochs: int | str = "auto"  # type: ignore[assignment]
    embedding: int | str | None = "auto"
    embedding_dropout: float | str = "auto"
    vocabulary: Sequence[str] | None = None
    chunk_length: int = 64
    class_weight: dict[Any, float] | str | None = None

    _parameter_constraints = BaseRNN._parameter_constraints | {
        "analyzer": [StrOptions({"char", "word"})],
        "bidirectional": ["boolean", _AUTO],
        "dropout": [FRACTION, _AUTO],
        "learning_rate": [*OPTIMIZER_CONSTRAINTS["learning_rate"], _AUTO],
        "epochs": [POSITIVE_INT, _AUTO],
        "embedding": [POSITIVE_INT, _AUTO, None],
        "embedding_dropout": [FRACTION, _AUTO],
        "activation": [str],
        "vocabulary": ["array-like", set, None],
        "chunk_length": [POSITIVE_INT],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }
    _fixed_parameters = ("analyzer", "embedding", "embedding_dropout")

    @fit_context
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X : str, sequence of str of length n_samples, or WindowArray of tokens
            Strings, text, or windows, as described in the class docstring.
        y : array-like of shape (n_samples,), default=None
            Labels. Must be None for text. For windows, None means that the class is the token that
            follows.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the strings, texts or windows, scaled to mean 1.

        Returns
        -------
        self : CharLSTMClassifier

        Raises
        ------
        TypeError
            If X contains a value that is not a str.
        ValueError
            If there are no tokens or fewer than two classes to train on, or a parameter is invalid.
        KeyboardInterrupt
            If training is interrupted with Ctrl-C. The estimator is then fitted with the current
            weights.
        """
        return self._fit(X, y, sample_weight)

    @fit_context
    def partial_fit(
        self, X: Any, y: Any = None, classes: Any = None, sample_weight: Any = None
    ) -> Self:
        """Train for one epoch, with the vocabulary and the classes of the first call.

        Parameters
        ----------
        X : str, sequence of str of length n_samples, or WindowArray of tokens
            The same kind of input as in previous calls.
        y : array-like of shape (n_samples,), default=None
            Labels. Must be None for text. For windows, None means that the class is the token that
            follows.
        classes : array-like of shape (n_classes,), default=None
            All labels that can occur in later calls, for the first call on strings or windows. If
            None, the labels in y are used.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the strings, texts or windows, scaled to mean 1.

        Returns
        -------
        self : CharLSTMClassifier

        Raises
        ------
        TypeError
            If X contains a value that is not a str.
        ValueError
            As for `fit`, or if the kind of input differs from that of previous calls, if y contains
            labels that are not in `classes_`, or if `early_stopping` is True.
        """
        return self._fit(X, y, sample_weight, partial=True, classes=classes)

    def _validate_input(self, X, y, sample_weight, resume, classes):
        kind, tokens, y = read_input(self, X, y)
        if resume and kind != self._kind:
            raise ValueError(
                f"The network was fitted on {KINDS[self._kind]}, and training cannot be resumed on "
                f"{KINDS[kind]}. Pass X and y as before, or fit with warm_start=False."
            )
        weights = check_weights(tokens, sample_weight)
        if not resume:
            self._kind: str = kind
            self.vocabulary_: dict[str, int] = build_vocabulary(
                self, tokens, self._network_settings()["embedding"]
            )
        if kind == "language":
            return self._validate_text(tokens, weights, classes)
        return self._validate_classes(tokens, y, weights, classes, resume)

    def _validate_text(self, texts, weights, classes):
        """Return encoded texts, the holdout, token weights and text weights."""
        from .._engine.network import has_batch_hooks

        if len(self.vocabulary_) < 2:
            raise ValueError(
                f"The text has one distinct token, {next(iter(self.vocabulary_))!r}, and every "
                "prediction would be that token. Pass a text with at least 2."
            )
        if self._network_settings()["bidirectional"]:
            raise ValueError(
                "bidirectional=True would show a language model the tokens it predicts. Set "
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
                "tokens. Pass the tokens as vocabulary=."
            )
        self.classes_: np.ndarray = np.array(list(self.vocabulary_))
        encoded, holdout = encode_tokens(self, texts), None
        if self.early_stopping:
            encoded, holdout, weights = holdout_tail(encoded, weights, self.validation_fraction)
        if not any(len(text) for text in encoded):
            raise ValueError("Every text is empty: there is no token to predict.")
        codes = np.concatenate(encoded) - 1
        codes = codes[codes < len(self.classes_)]  # without unknown tokens
        token_weights = class_weights(self.class_weight, self.classes_, codes)
        is_weighted = weights is None or weights.any()
        if not len(codes) or not token_weights[codes].any() or not is_weighted:
            raise ValueError(
                "Nothing to train on: no token of the training text is in the vocabulary and has "
                "a weight. Check vocabulary, class_weight and sample_weight."
            )
        weights = None if weights is None else weights / weights.mean()
        return encoded, holdout, token_weights, weights

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

    def _network_settings(self):
        settings = super()._network_settings()
        auto = _NETWORK_OF_STRINGS if self._kind == "strings" else _NETWORK_OF_TEXT
        settings |= {name: value for name, value in auto.items() if settings[name] == "auto"}
        if self.embedding_dropout == "auto" and settings["embedding"] is None:
            settings["embedding_dropout"] = 0.0
        return settings

    def _optimizer_settings(self):
        settings = super()._optimizer_settings()
        if self.learning_rate == "auto":
            is_default = self._kind == "strings" and self.optimizer == "adam"
            settings["learning_rate"] = 0.002 if is_default else None
        return settings

    def _n_epochs(self, X, y):
        if self.epochs != "auto":
            return self.epochs
        if input_kind(X, y) != "strings":
            return RNNParameters.epochs
        is_sized = isinstance(X, Sized) and getattr(X, "ndim", 1) > 0
        return _epochs_of_strings(len(X) if is_sized else 1)

    def _build_network(self, X, y, data, seed, settings):
        from .._engine.network import build_network
        from ..networks.builders import build_text_rnn

        names = *STACK_CONSTRAINTS, "embedding", "embedding_dropout"
        options = {name: settings[name] for name in names}
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

        texts, holdout, token_weights, weights = data
        dtype = keras.config.floatx()
        chunk_length = min(self.chunk_length, round_up_length(max(map(len, texts))))
        return {
            "X": (texts, chunk_length),
            "y": token_weights.astype(dtype),
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

    def _read_tokens(self, X):
        """Return X as tokens, validated as the fitted kind of input."""
        name = type(self).__name__
        if self._kind == "windows":
            return check_tokens(name, X)
        texts = check_texts(name, X)
        if isinstance(X, str) and self._kind == "strings":
            raise ValueError(
                f"Iterable over raw text documents expected, got one str, {X!r}. Pass [{X!r}]."
            )
        return [split(text, self.analyzer) for text in texts]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities of the classes, or of the next token of each text.

        Parameters
        ----------
        X : str, sequence of str of length n_samples, or windows of tokens
            The kind of input seen in `fit`.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`, in the dtype of the network.

        Raises
        ------
        TypeError
            If X contains a value that is not a str.
        ValueError
            If X is not the kind of input seen in `fit`, is empty, or contains windows of a
            different length than in `fit`.
        NotFittedError
            If the estimator is not fitted.
        """
        check_is_fitted(self)
        encoded = encode_tokens(self, self._read_tokens(X))
        if self._kind == "language":
            _, _, logits = self._evaluate(self._network, encoded)
            likelihoods = np.exp(logits - logits.max(axis=1, keepdims=True))
            return likelihoods / likelihoods.sum(axis=1, keepdims=True)
        if self._kind == "strings":
            return self._predict_strings(encoded)
        if encoded.shape[1] != self.window_length_:
            raise ValueError(
                f"X has windows of {encoded.shape[1]} tokens, but {type(self).__name__} was "
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
        X : str, sequence of str of length n_samples, or windows of tokens
            The kind of input seen in `fit`.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)

        Raises
        ------
        TypeError, ValueError, NotFittedError
            As for `predict_proba`.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> np.ndarray:
        """Predict the class, or the most probable next token, of each text or window.

        Parameters
        ----------
        X : str, sequence of str of length n_samples, or windows of tokens
            The kind of input seen in `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,)

        Raises
        ------
        TypeError, ValueError, NotFittedError
            As for `predict_proba`.
        """
        codes = self.predict_proba(X).argmax(axis=1)
        return self.classes_[codes]

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the accuracy.

        Parameters
        ----------
        X : str, sequence of str of length n_samples, or windows of tokens
            The kind of input seen in `fit`.
        y : array-like of shape (n_samples,), default=None
            Labels. If None, a language model is scored on all tokens of the texts, and complete
            windows are scored on the tokens that follow them.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the strings, texts or windows.

        Returns
        -------
        accuracy : float

        Raises
        ------
        TypeError
            If X contains a value that is not a str.
        ValueError
            As for `predict_proba`, or if X and y differ in length, if y is None for strings, or if
            there is no token or complete window to score.
        NotFittedError
            If the estimator is not fitted.
        """
        check_is_fitted(self)
        if y is None and self._kind == "language":
            return self._score_texts(X, sample_weight)
        skip = 0
        if y is None and self._kind == "strings":
            raise ValueError("score needs the labels of the strings. Pass y.")
        if self._kind == "windows":
            X = self._read_tokens(X)
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
        """Return the accuracy of a language model over all tokens of texts."""
        texts = encode_tokens(self, self._read_tokens(X))
        _, n_correct, _ = self._evaluate(self._network, texts)
        weights = check_weights(texts, sample_weight)
        weights = np.ones(len(texts)) if weights is None else weights
        n_tokens = (weights * [len(text) for text in texts]).sum()
        if n_tokens == 0:
            raise ValueError("There is no token to score: every text is empty.")
        return float((weights * n_correct).sum() / n_tokens)

    def cross_entropy(self, X: Any) -> CrossEntropy:
        """Return the cross-entropy per token of a language model on texts.

        It is the mean of ``-log p(token | previous tokens)`` over all tokens of all texts.

        Parameters
        ----------
        X : str or sequence of str
            The texts. The state is reset at the beginning of each text.

        Returns
        -------
        cross_entropy : CrossEntropy
            Named tuple (nats, bits).

        Raises
        ------
        TypeError
            If X contains a value that is not a str.
        ValueError
            If the estimator is not fitted on text alone, if the texts contain no token, or if a
            token is not in the vocabulary, so that its cross-entropy is infinite.
        NotFittedError
            If the estimator is not fitted.

        Examples
        --------
        >>> from skrnn import CharLSTMClassifier
        >>> model = CharLSTMClassifier(units=8, epochs=20, random_state=0).fit("ab" * 100)
        >>> model.cross_entropy("abab").bits < 1
        True
        """
        self._check_language_model("cross_entropy")
        tokens = self._read_tokens(X)
        texts = encode_tokens(self, tokens)
        n_tokens = sum(map(len, texts))
        if n_tokens == 0:
            raise ValueError("cross_entropy needs a token, but every text is empty.")
        if unknown := set().union(*tokens) - set(self.vocabulary_):
            raise ValueError(
                "cross_entropy of tokens that are not in the vocabulary is infinite: "
                f"{sorted(unknown)[:10]}. Add them to vocabulary= before fit, or remove them from "
                "the text."
            )
        losses, _, _ = self._evaluate(self._network, texts)
        nats = float(losses.sum() / n_tokens)
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
        """Generate text with a language model, one token at a time.

        Parameters
        ----------
        prompt : str, default=""
            The text that the generated text continues. It is not returned. If empty, the beginning
            of a text is generated.
        length : int, default=200
            Number of tokens to generate.
        temperature : float, default=1.0
            Values below 1 favor probable tokens, and values above 1 improbable tokens.
        top_k : int, default=None
            Number of most probable tokens to sample from. With 1, the most probable token is always
            generated.
        top_p : float in (0, 1], default=None
            Sample from the smallest set of most probable tokens whose total probability is at
            least `top_p`, as in nucleus sampling [1]_.
        random_state : int, RandomState instance or None, default=None
            Seed of the samples. Pass an int for identical results across calls.

        Returns
        -------
        text : str
            The generated text. Words are separated by blanks, except around punctuation marks.

        Raises
        ------
        TypeError
            If `prompt` is not a str.
        ValueError
            If the estimator is not fitted on text alone, or a parameter is invalid.
        NotFittedError
            If the estimator is not fitted.

        See Also
        --------
        stream : Yields the same tokens one at a time.

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
            raise ValueError("length=None must be an int of at least 1. Only `stream` allows None.")
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
        """Yield the tokens of `generate` one at a time.

        Parameters
        ----------
        prompt : str, default=""
            The text that the generated text continues.
        length : int, default=None
            Number of tokens to generate. If None, tokens are generated without end.
        temperature, top_k, top_p, random_state
            As in `generate`.

        Yields
        ------
        token : str

        Raises
        ------
        TypeError, ValueError, NotFittedError
            As for `generate`.
        """
        self._check_language_model("generate")
        _check_generation(prompt, length, temperature, top_k, top_p)
        from ._language_model import Generator

        (encoded,) = encode_tokens(self, self._read_tokens([prompt]))
        rng = np.random.default_rng(draw_seed(check_generator(random_state)))
        # Copied, so that a later fit does not change the tokens of this generator.
        tokens = self.classes_.tolist()
        generator, values = self._network.compiled_program(Generator)
        n_tokens = len(tokens)
        encoded = np.append(n_tokens + 1, encoded)  # after the code of the beginning
        top_k = None if top_k is None else min(int(top_k), n_tokens)
        # A temperature below the smallest normal float32 would become zero.
        temperature = max(float(temperature), 1e-30)

        def noise():
            remaining, size = math.inf if length is None else length, 1
            while remaining > 0:
                n_rows = int(min(size, remaining))
                yield rng.gumbel(size=(n_rows, n_tokens))
                remaining -= n_rows
                size = min(2 * size, _MAX_BLOCK)

        top_p = 1.0 if top_p is None else top_p
        blocks = generator(values, encoded, noise(), temperature, top_k, top_p)
        return (tokens[code - 1] for block in blocks for code in block)

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


def _epochs_of_strings(n_samples):
    """Return the default number of epochs for strings with labels."""
    return max(5, min(RNNParameters.epochs, round(1500 / math.sqrt(max(1, n_samples)))))


def _check_generation(prompt, length, temperature, top_k, top_p):
    """Raise an error if a parameter of `generate` is invalid."""
    if length is not None:
        _check_number("length", length, Integral, "an int of at least 1", lambda v: v >= 1)
    need = "a number > 0; top_k=1 takes the most probable token"
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
