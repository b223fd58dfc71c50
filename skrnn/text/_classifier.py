"""CharLSTMClassifier: a recurrent network that reads characters or words."""

import copy
import math
from collections import namedtuple
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score

from .._checks import check_not_bool, unchanged_on_error
from .._estimator import (
    NETWORK,
    TRAINING,
    check_callbacks,
    check_same_settings,
    draw_seed,
    fitted_state,
    train,
)
from .._inputs.labels import class_weights, encode_classes, find_classes, stratified_holdout
from .._inputs.weights import normalize_weights
from .._inputs.windows import n_incomplete, purged_time_split
from .._process import check_not_forked, limit_threads_in_worker
from .._progress import FitProgress
from .._sklearn_compat import (
    CallbackSupportMixin,
    Interval,
    NotFittedError,
    StrOptions,
    check_is_fitted,
    fit_context,
)
from ..windows._array import is_windows
from ._inputs import (
    KINDS,
    bucket_length,
    build_vocabulary,
    check_symbols,
    check_text_weights,
    encode_tokens,
    holdout_tail,
    labels_of,
    read,
    rounded_up,
)
from ._tokens import check_texts, join, pad, split

# Symbols that `stream` writes at once, at most, the first block being of one.
_WRITTEN_AT_ONCE = 128


CrossEntropy = namedtuple("CrossEntropy", ["nats", "bits"])


CrossEntropy.__doc__ = "Mean cross entropy of a text's symbols, in nats and in bits a symbol."


class CharLSTMClassifier(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    """Recurrent network that reads characters or words, and names a class or the next symbol.

    It takes three kinds of input, and each means one thing:

    - **strings and labels**, ``fit(texts, y)``: each string, of any length, belongs to a class. The
      class may be the next character, or any category.
    - **text alone**, ``fit(text)`` or ``fit(texts)``: a language model. It learns to name the next
      symbol after *every* symbol, in long chunks, by truncated backpropagation through time [1]_:
      the state is carried on from chunk to chunk. It can write (`generate`).
    - **windows of symbols**, behind a `WindowTransformer` in a `Pipeline`: each window belongs to
      the symbol that follows it (or to y). Make a column of a text's symbols for it:
      ``np.array(list(text))[:, None]``.

    Parameters
    ----------
    analyzer : {"char", "word"}, default="char"
        What a symbol is: a character (a Unicode code point), or a word or punctuation mark.
        Case counts. In windows, each cell is a symbol.
    cell : str, class or callable, default="lstm"
        Long short-term memory ("lstm"), gated recurrent unit ("gru"), Elman's simple recurrent
        network ("rnn"), or a cell of `skrnn.layers`: "peephole", "coupled", "depthgated" or
        "clockwork". A cell of your own: the class of a Keras cell or recurrent layer, or a function
        from units to one, as `build_rnn` takes it.
    units : int or tuple of int, default=128
        Units of the recurrent layer; a tuple stacks layers.
    embedding : int, default=None
        Length of the vectors, learnt, that stand for symbols. None is one-hot vectors.
    activation : str, default="tanh"
        Activation of the cells' output.
    bidirectional : bool, default=False
        Whether each layer also reads backwards; not for a language model, which would see what
        it is to name.
    dropout : float in [0, 1), default=0.0
        Share of each recurrent layer's outputs dropped in training.
    recurrent_dropout : float in [0, 1), default=0.0
        Share of the state that each recurrent layer does not hear in training, the same units in
        all steps of a sequence, or of a language model's chunk.
    recurrent_initializer : str, default="orthogonal"
        What recurrent weights are drawn by; `build_rnn` names them.
    l1, l2 : float, default=0.0
        Penalties on the input weights of the recurrent layers: on absolute values and squares.
    recurrent_l2 : float, default=0.0
        Penalty on the squares of their recurrent weights.
    vocabulary : sequence of str, default=None
        The symbols to know. None is those seen in `fit`, or in the first `partial_fit`.
    chunk_length : int, default=64
        Symbols through which a language model's gradients are carried back.
    optimizer : str or keras.optimizers.Optimizer, default="adam"
        Never changed: training uses a copy.
    learning_rate : float, default=None
        Overrides the optimizer's own.
    clipnorm : float, default=None
        Clips each gradient to this norm.
    clipvalue : float, default=None
        Clips each number of the gradients to this size; not along with `clipnorm`.
    epochs : int, default=50
        Passes over the data; at most, with early stopping.
    batch_size : int, default=32
        Texts or windows in a batch; for a language model, chunks side by side.
    early_stopping : bool, default=False
        Whether to stop when the loss on the validation part has not fallen for
        `n_iter_no_change` epochs, and to return to the best weights. The part is drawn class by
        class from strings, and the last in time of windows and of text.
    validation_fraction : float in (0, 1), default=0.1
        Share of the strings, windows or symbols in the validation part.
    n_iter_no_change : int, default=10
    class_weight : dict or "balanced", default=None
        Weights of the classes, or of a language model's symbols; "balanced" makes all classes
        weigh the same.
    warm_start : bool, default=False
        Whether `fit` goes on training the fitted network, with its vocabulary and classes.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, dropout and the order of the batches. The same int gives the same bits.
    callbacks : list of keras.callbacks.Callback, default=None
        `sklearn.callback` ones go to `set_callbacks`, where scikit-learn has it.
    verbose : int, default=0
        Keras' verbosity: 0 silent, 1 a progress bar, 2 a line an epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted; of a language model the symbols.
    vocabulary_ : dict
        From symbols to their places in sorted order. The network's number of a symbol is one more.
    model_ : keras.Model
        The fitted network: numbers of symbols, shape (n, n_timesteps), to probabilities.
    loss_curve_ : list of float
        Training loss of each epoch, in nats, with the penalties.
    validation_loss_curve_, validation_scores_ : lists of float
        Loss and accuracy on the validation part after each epoch, with `early_stopping`.
    n_iter_ : int
        Epochs trained in total.

    See Also
    --------
    WindowTransformer : Makes windows of a column of symbols.
    NextCharDisplay : A text with the most probable next symbols under each of its own.

    Notes
    -----
    A symbol that is not in the vocabulary is read as zeros: as one-hot vectors know nothing of it,
    and as learnt vectors know it no more than the beginning of a text. It can never be predicted,
    so in `score` it counts as missed, and `cross_entropy` refuses it. Text is taken as it is:
    letters that Unicode writes in two ways are two symbols unless `unicodedata.normalize` makes
    them one. Splitters of scikit-learn would cut a single str into its characters; search over
    windows of symbols, or over a list of texts, instead.

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

    _parameter_constraints = NETWORK | {
        "analyzer": [StrOptions({"char", "word"})],
        "embedding": [Interval(Integral, 1, None, closed="left"), None],
        "activation": [str],
        "vocabulary": ["array-like", set, None],
        "chunk_length": [Interval(Integral, 1, None, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        **TRAINING,
    }

    def __init__(
        self,
        analyzer="char",
        *,
        cell="lstm",
        units=128,
        embedding=None,
        activation="tanh",
        bidirectional=False,
        dropout=0.0,
        recurrent_dropout=0.0,
        recurrent_initializer="orthogonal",
        l1=0.0,
        l2=0.0,
        recurrent_l2=0.0,
        vocabulary=None,
        chunk_length=64,
        optimizer="adam",
        learning_rate=None,
        clipnorm=None,
        clipvalue=None,
        epochs=50,
        batch_size=32,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        class_weight=None,
        warm_start=False,
        random_state=None,
        callbacks=None,
        verbose=0,
    ):
        self.analyzer = analyzer
        self.cell = cell
        self.units = units
        self.embedding = embedding
        self.activation = activation
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.recurrent_initializer = recurrent_initializer
        self.l1 = l1
        self.l2 = l2
        self.recurrent_l2 = recurrent_l2
        self.vocabulary = vocabulary
        self.chunk_length = chunk_length
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.epochs = epochs
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.random_state = random_state
        self.callbacks = callbacks
        self.verbose = verbose

    @fit_context
    def fit(self, X, y=None, sample_weight=None):
        """Train the network.

        Parameters
        ----------
        X : str, sequence of str of length n_samples, or WindowArray of symbols
            Strings, text, or windows, as the class describes.
        y : array-like of shape (n_samples,), default=None
            Labels. Without, X is text to model, or windows and what follows them.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the strings, texts or windows, scaled to mean 1.

        Returns
        -------
        self : CharLSTMClassifier

        Raises
        ------
        TypeError
            If X holds anything but str.
        ValueError
            If there is nothing to learn, or a parameter is off.
        KeyboardInterrupt
            On Ctrl-C; the estimator is then fitted with what was learnt.
        """
        go_on = self.warm_start and hasattr(self, "_network")
        return self._fit(X, y, sample_weight, epochs=self.epochs, go_on=go_on)

    @fit_context
    def partial_fit(self, X, y=None, classes=None, sample_weight=None):
        """Train for one epoch more. Vocabulary and classes are those of the first call.

        Parameters
        ----------
        X : str, sequence of str of length n_samples, or WindowArray of symbols
            Of the same kind as before.
        y : array-like of shape (n_samples,), default=None
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; for strings and labels, in the first call only.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : CharLSTMClassifier
        """
        if self.early_stopping:
            raise ValueError(
                "partial_fit does not support early_stopping=True: it sees one epoch only. Set "
                "early_stopping=False."
            )
        go_on = hasattr(self, "_network")
        return self._fit(X, y, sample_weight, epochs=1, go_on=go_on, classes=classes)

    _kind: str  # of the fitted data

    def _fit(self, X, y, sample_weight, *, epochs, go_on, classes=None):
        progress = FitProgress(self, epochs)
        with unchanged_on_error(self):
            kind, data, y = read(self, X, y)
            if go_on and kind != self._kind:
                raise ValueError(
                    f"The network was fitted on {KINDS[self._kind]} and cannot go on with "
                    f"{KINDS[kind]}. Pass X and y like before, or fit anew with warm_start=False."
                )
            if sample_weight is not None:
                sample_weight = check_text_weights(data, sample_weight)
            check_not_forked()
            limit_threads_in_worker()
            check_callbacks(self.callbacks)
            check_not_bool("chunk_length", self.chunk_length)
            if not go_on:
                self._kind = kind
                self.vocabulary_ = build_vocabulary(self, data)
            progress.begin(X, y, sample_weight)
            prepare = self._prepare_text if kind == "language" else self._prepare_classes
            network, arguments = prepare(data, y, sample_weight, classes, go_on)
            train(self, network, **arguments, epochs=epochs, progress=progress, go_on=go_on)
            progress.end(fitted_state(network))
        return self

    def _prepare_text(self, texts, y, weights, classes, go_on):
        """Return a language model's network, and what to train it on."""
        from .._engine.network import has_batch_hooks
        from ._language_model import LanguageTrainer, TokenCorpus

        if len(self.vocabulary_) < 2:
            raise ValueError(
                f"The text has one distinct symbol, {next(iter(self.vocabulary_))!r}, and every "
                "prediction would be that symbol. Pass a text with at least 2."
            )
        if self.bidirectional:
            raise ValueError(
                "bidirectional=True would let a language model see the symbols it is to name. Set "
                "bidirectional=False."
            )
        for callback in self.callbacks or ():
            if has_batch_hooks(callback):
                raise ValueError(
                    f"{callback!r} wants to see each batch, which a language model's training, "
                    "compiled as a whole, has not to show. Use callbacks of epochs."
                )
        if classes is not None:
            raise ValueError(
                f"classes={classes!r} names labels, but a language model has none: its classes are "
                "the symbols. Name those in vocabulary=."
            )
        if not go_on:
            self.classes_ = np.array(list(self.vocabulary_))
        numbers = encode_tokens(self, texts)
        held_out = None
        if self.early_stopping:
            numbers, held_out, weights = holdout_tail(numbers, weights, self.validation_fraction)
        if not any(len(text) for text in numbers):
            raise ValueError("Every text is empty: there is no symbol to name.")
        longest = max(map(len, numbers))
        chunk = min(self.chunk_length, rounded_up(longest))
        dtype = _floatx()
        flat = np.concatenate(numbers) - 1
        counted = flat[flat < len(self.classes_)]
        by_symbol = class_weights(self.class_weight, self.classes_, counted)
        counts = np.ones(len(numbers)) if weights is None else weights
        if not len(counted) or not by_symbol[counted].any() or not counts.any():
            raise ValueError(
                "Nothing to learn: no symbol of the text to train on is known and has a weight. "
                "Check vocabulary, class_weight and sample_weight."
            )
        weights = None if weights is None else weights / weights.mean()
        network = self._network_to_train(go_on)
        arguments = {
            "data": (
                TokenCorpus(numbers, len(self.vocabulary_), chunk),
                by_symbol.astype(dtype),
                None if weights is None else weights.astype(dtype),
            ),
            "rows": range(len(numbers)),
            "validation": held_out and self._text_validation(network, held_out),
            "trainer_class": LanguageTrainer,
        }
        return network, arguments

    def _text_validation(self, network, texts):
        def validate():
            losses, hits, _ = self._run(network, texts)
            n_known = max(1, sum((text <= len(self.vocabulary_)).sum() for text in texts))
            return losses.sum() / n_known, hits.sum() / n_known

        return validate

    def _run(self, network, texts):
        from ._language_model import SequenceScorer

        reader, values = network.program(SequenceScorer)
        return reader(values, texts, len(self.vocabulary_))

    def _prepare_classes(self, X, y, weights, classes, go_on):
        """Return a classifier's network, and what to train it on."""
        skip = n_incomplete(X)
        y = labels_of(self, X, y)
        if not go_on:
            if skip >= len(X):
                raise ValueError(
                    f"window_length={X.window_length} and horizon={X.horizon} need at least "
                    f"{X.window_length + X.horizon} rows to fit, got {len(X)}. Fit on more rows or "
                    "take a shorter window."
                )
            if self._kind == "windows":
                self.window_length_ = X.shape[1]
        fitted = self.classes_ if go_on else None
        self.classes_ = find_classes(type(self).__name__, y[skip:], classes, fitted)
        y = encode_classes(y, self.classes_, skip)
        dtype = _floatx()
        by_class = class_weights(self.class_weight, self.classes_, y[skip:])
        numbers = encode_tokens(self, X)
        if self._kind == "strings":
            longest = max(8, *map(len, numbers))
            X = pad(numbers, rounded_up(longest))
            rows, held_out = range(len(X)), None
            if self.early_stopping:
                seed = _holdout_seed(self.random_state)
                order, n_train = stratified_holdout(y, self.validation_fraction, seed)
                X, y = X[order], y[order]
                weights = None if weights is None else weights[order]
                rows, held_out = range(n_train), range(n_train, len(X))
        else:
            X = numbers
            rows, held_out = range(skip, len(X)), None
            if self.early_stopping:
                rows, held_out = purged_time_split(X, rows, self.validation_fraction)
        if weights is not None or self.class_weight is not None:
            weights = by_class[y] if weights is None else by_class[y] * weights
            weights = normalize_weights(weights, rows, *([] if held_out is None else [held_out]))
        network = self._network_to_train(go_on)
        weights = None if weights is None else weights.astype(dtype)
        arguments = {
            "data": (X, y, weights),
            "rows": rows,
            "validation": held_out and self._class_validation(network, X, y, weights, held_out),
        }
        return network, arguments

    def _class_validation(self, network, X, y, weights, rows):
        from .._engine.fit import evaluate_loss

        part = slice(rows.start, rows.stop)
        X, y = X.part(part) if is_windows(X) else X[part], y[part]
        weights = None if weights is None else weights[part]

        def validate():
            probabilities = network.predict(X)
            score = accuracy_score(y, probabilities.argmax(axis=1), sample_weight=weights)
            return evaluate_loss(network, y, probabilities, weights), float(score)

        return validate

    def _network_to_train(self, go_on):
        """Return the network to train, compiled: the fitted one to go on with, or a new one."""
        from .._engine.network import new_network
        from ..networks.builders import build_text_rnn

        settings = {name: getattr(self, name) for name in _KEPT_SETTINGS}
        if go_on:
            network = self._network
            check_same_settings(network, settings)
        else:
            network = new_network(
                build_text_rnn,
                None,
                draw_seed(self.random_state),
                settings,
                "int32",
                n_symbols=len(self.vocabulary_),
                n_classes=len(self.classes_),
                sequences=self._kind == "language",
                **{name: settings[name] for name in _BUILDER_OPTIONS},
            )
        network.compile(
            optimizer=self.optimizer,
            loss="sparse_categorical_crossentropy",
            learning_rate=self.learning_rate,
            clipnorm=self.clipnorm,
            clipvalue=self.clipvalue,
        )
        return network

    def predict_proba(self, X):
        """Return the probabilities of the classes, or of the symbols that may follow each text.

        Parameters
        ----------
        X : str, sequence of str of length n_samples, or windows of symbols
            Of the kind seen in `fit`.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`, of the network's dtype.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        check_is_fitted(self)
        data = self._read_again(X)
        if self._kind == "language":
            logits = self._run(self._network, encode_tokens(self, data))[2]
            shares = np.exp(logits - logits.max(axis=1, keepdims=True))
            return shares / shares.sum(axis=1, keepdims=True)
        numbers = encode_tokens(self, data)
        if self._kind == "windows":
            if numbers.shape[1] != self.window_length_:
                raise ValueError(
                    f"X has windows of {numbers.shape[1]} symbols, but {type(self).__name__} was "
                    f"fitted on windows of {self.window_length_}. Predict with the same windows."
                )
            return self._network.predict(numbers)
        return self._predict_strings(numbers)

    def _predict_strings(self, texts):
        """Predict texts of about the same length together."""
        probabilities = np.empty((len(texts), len(self.classes_)), self._network.output_dtype)
        lengths = np.array([bucket_length(len(text)) for text in texts])
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            part = pad([texts[row] for row in rows], length)
            probabilities[rows] = self._network.predict(part)
        return probabilities

    def _read_again(self, X):
        """Return X as symbols, of the kind seen in fit."""
        if self._kind == "windows":
            return check_symbols(type(self).__name__, X)
        texts = check_texts(type(self).__name__, X)
        if isinstance(X, str) and self._kind == "strings":
            raise ValueError(
                f"Iterable over raw text documents expected, got one str, {X!r}. Pass [{X!r}]."
            )
        return [split(text, self.analyzer) for text in texts]

    def predict_log_proba(self, X):
        """Return the logarithms of `predict_proba`.

        Parameters
        ----------
        X : str, sequence of str of length n_samples, or windows of symbols

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
        """
        probabilities = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return np.log(probabilities)

    def predict(self, X):
        """Return the most probable class, or the symbol that most probably follows each text.

        Parameters
        ----------
        X : str, sequence of str of length n_samples, or windows of symbols
            Of the kind seen in `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def score(self, X, y=None, sample_weight=None):
        """Return the accuracy; without y, over all symbols of texts, or of complete windows.

        Parameters
        ----------
        X : str, sequence of str of length n_samples, or windows of symbols
            Of the kind seen in `fit`.
        y : array-like of shape (n_samples,), default=None
            Labels. A language model is scored without, or on the symbols that follow the texts.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        accuracy : float
        """
        check_is_fitted(self)
        if y is None and self._kind == "language":
            texts = encode_tokens(self, self._read_again(X))
            hits = self._run(self._network, texts)[1]
            weights = np.ones(len(texts))
            if sample_weight is not None:
                weights = check_text_weights(texts, sample_weight)
            n_symbols = (weights * [len(text) for text in texts]).sum()
            if n_symbols == 0:
                raise ValueError("There is no symbol to score: every text is empty.")
            return float((weights * hits).sum() / n_symbols)
        if y is None and self._kind == "windows":
            data = self._read_again(X)
            skip, y = n_incomplete(data), labels_of(self, data, None)
            if skip >= len(data):
                raise ValueError(
                    f"None of the {len(data)} windows is complete, so there is nothing to score. "
                    "Score more rows, or rows that follow the fitted ones."
                )
            rows = None if sample_weight is None else np.asarray(sample_weight)[skip:]
            return accuracy_score(y[skip:], self.predict(X)[skip:], sample_weight=rows)
        if y is None:
            raise ValueError("score needs the labels of the strings: pass y.")
        y = labels_of(self, X, y) if self._kind == "windows" else y
        return accuracy_score(y, self.predict(X), sample_weight=sample_weight)

    def cross_entropy(self, X):
        """Return how many nats and bits a symbol of unseen text costs a language model.

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
            If the texts hold no symbol, or one that was not in `fit`: it would cost infinitely
            much.

        Examples
        --------
        >>> from skrnn import CharLSTMClassifier
        >>> model = CharLSTMClassifier(units=8, epochs=20, random_state=0).fit("ab" * 100)
        >>> model.cross_entropy("abab").bits < 1
        True
        """
        self._check_language("cross_entropy")
        data = self._read_again(X)
        texts = encode_tokens(self, data)
        n_symbols = sum(map(len, texts))
        if n_symbols == 0:
            raise ValueError("cross_entropy needs a symbol, but every text is empty.")
        unknown = {s for text in data for s in text} - set(self.vocabulary_)
        if unknown:
            raise ValueError(
                f"cross_entropy of symbols never seen in fit is infinite: {sorted(unknown)[:10]}. "
                "Name them in vocabulary= before fit, or leave them out of the text."
            )
        nats = float(self._run(self._network, texts)[0].sum() / n_symbols)
        return CrossEntropy(nats, nats / math.log(2))

    def generate(
        self, prompt="", length=200, temperature=1.0, top_k=None, top_p=None, random_state=None
    ):
        """Write on after a prompt: a language model's symbols, one drawn after the other.

        Parameters
        ----------
        prompt : str, default=""
            What comes before; it is not returned. From an empty prompt a text is begun.
        length : int, default=200
            Symbols to write.
        temperature : float, default=1.0
            Below 1 favours probable symbols, above 1 improbable ones.
        top_k : int, default=None
            Draw only from this many of the most probable symbols; 1 takes the most probable one.
        top_p : float in (0, 1], default=None
            Draw only from the fewest of the most probable symbols that together are this probable.
        random_state : int, RandomState instance or None, default=None
            The same int writes the same text.

        Returns
        -------
        text : str
            Characters, or words with blanks between them (none before a comma, and so on).

        Raises
        ------
        ValueError
            If the estimator was fitted on labels or windows, or a parameter is off.

        See Also
        --------
        stream : The same symbols, as they come.

        Examples
        --------
        >>> from skrnn import CharLSTMClassifier
        >>> model = CharLSTMClassifier(units=16, learning_rate=0.02, random_state=0)
        >>> model.fit("abc" * 100).generate("ab", 7, top_k=1)
        'cabcabc'
        """
        if length is None:
            raise ValueError("length=None must be an int of at least 1; `stream` goes on for ever.")
        stream = self.stream(prompt, length, temperature, top_k, top_p, random_state)
        return join(list(stream), self.analyzer)

    def stream(
        self, prompt="", length=None, temperature=1.0, top_k=None, top_p=None, random_state=None
    ):
        """Yield the symbols that `generate` writes, as they come.

        Parameters
        ----------
        prompt : str, default=""
        length : int, default=None
            Symbols to write; None never ends.
        temperature, top_k, top_p, random_state
            As `generate` takes them.

        Yields
        ------
        symbol : str
        """
        self._check_language("generate")
        _check_number("length", length, Integral, "an int of at least 1", lambda v: v >= 1)
        _check_number("temperature", temperature, Real, "a number > 0", lambda v: 0 < v < np.inf)
        _check_number("top_k", top_k, Integral, "an int of at least 1", lambda v: v >= 1)
        _check_number("top_p", top_p, Real, "a number in (0, 1]", lambda v: 0 < v <= 1)
        if temperature is None:
            raise ValueError("temperature=None must be a number > 0.")
        if not isinstance(prompt, str):
            raise TypeError(f"prompt must be a str, got {prompt!r}.")
        (before,) = encode_tokens(self, self._read_again([prompt]))
        from ._language_model import Generator

        rng = np.random.default_rng(draw_seed(random_state))
        # What is written is this fit's, whatever becomes of the estimator meanwhile.
        symbols = self.classes_.tolist()
        writer, values = self._network.program(Generator)
        n_symbols = len(symbols)
        before = np.append(n_symbols + 1, before)
        top_k = None if top_k is None else min(int(top_k), n_symbols)
        top_p = 1.0 if top_p is None else top_p
        # Below the least normal number of 32 bits, a temperature would be none.
        temperature = max(float(temperature), 1e-30)

        def noise():
            left, size = length, 1
            while left is None or left > 0:
                n = size if left is None else min(size, left)
                yield rng.gumbel(size=(n, n_symbols))
                left = None if left is None else left - n
                size = min(2 * size, _WRITTEN_AT_ONCE)

        blocks = writer(values, before, noise(), temperature, top_k, top_p)
        return (symbols[number - 1] for block in blocks for number in block)

    def _check_language(self, method):
        check_is_fitted(self)
        if self._kind != "language":
            raise ValueError(
                f"{method} needs a language model, but this {type(self).__name__} was fitted on "
                f"{KINDS[self._kind]}. Fit it on text alone: fit(text)."
            )

    @property
    def model_(self):
        """The fitted `keras.Model`."""
        if not hasattr(self, "_network"):
            raise NotFittedError(
                f"This {type(self).__name__} is not fitted yet, so it has no model_. Call fit."
            )
        return self._network.model

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_network")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.target_tags.required = False
        return tags


def _check_number(name, value, kind, need, is_good):
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, kind) or not is_good(value):
        raise ValueError(f"{name}={value!r} must be {need}.")


def _holdout_seed(random_state):
    """Return a seed to part strings by, without a draw from the random state of the user."""
    return 0 if random_state is None else draw_seed(copy.deepcopy(random_state))


def _floatx():
    import keras

    return keras.config.floatx()


_BUILDER_OPTIONS = (*NETWORK, "embedding")


_KEPT_SETTINGS = (*_BUILDER_OPTIONS, "analyzer", "optimizer", "clipnorm", "clipvalue")
