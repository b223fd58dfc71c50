"""RNNClassifier: a recurrent network that tells classes of sequences of numbers."""

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.multiclass import check_classification_targets

from ._checks import check_labels, unchanged_on_error
from ._estimator import (
    NETWORK,
    TRAINING,
    as_type,
    build_shape,
    check_callbacks,
    check_chunk_length,
    check_same_settings,
    draw_seed,
    fitted_state,
    train,
)
from ._inputs.labels import (
    class_weights,
    encode_classes,
    find_classes,
    sequence_labels,
    stratified_holdout,
)
from ._inputs.sequences import check_sequences, masked_steps, pad_to_bucket
from ._inputs.weights import check_step_weights, check_weights, normalize_weights
from ._inputs.windows import n_incomplete, purged_time_split
from ._process import check_not_forked, limit_threads_in_worker
from ._progress import FitProgress
from ._sklearn_compat import (
    CallbackSupportMixin,
    Interval,
    NotFittedError,
    StrOptions,
    check_is_fitted,
    fit_context,
    num_samples,
)
from .windows._array import is_windows

__all__ = ["RNNClassifier"]


# Stands for the class of a masked step, which counts for nothing.
_NO_CLASS = -1


class RNNClassifier(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    """Recurrent network that tells to which class a sequence of numbers belongs.

    Stacked recurrent layers read each sequence, and a softmax over the classes follows the last
    state. Sequences may be of different lengths: a step with a NaN is masked, wherever it stands,
    which means that the network passes over it as if it were not there.

    X is one of

    - an array of shape (n_samples, n_timesteps, n_features), or (n_samples, n_timesteps) of one
      feature, with NaN for steps that are not there: before, between or after the others;
    - a list or a Series of arrays of shape (n_timesteps, n_features), or (n_timesteps,), of any
      lengths;
    - a DataFrame whose cells are series, a column for each feature (sktime's nested panel);
    - windows made by a `WindowTransformer`; those that are incomplete are not learnt from.

    sktime's numpy3D panels have the features before the time steps, which nobody can tell from
    the shape: use `RNNTimeSeriesClassifier`, or transpose them.

    Parameters
    ----------
    cell : str, class or callable, default="lstm"
        Long short-term memory ("lstm"), gated recurrent unit ("gru"), Elman's simple recurrent
        network ("rnn"), or a cell of `skrnn.layers`: "peephole", "coupled", "depthgated" or
        "clockwork". A cell of your own: the class of a Keras cell or recurrent layer, or a function
        from units to one, as `build_rnn` takes it.
    units : int or tuple of int, default=64
        Units of the recurrent layer; a tuple stacks layers.
    output : {"last", "sequence"}, default="last"
        Whether a sequence belongs to a class, or each of its steps; y is then of shape
        (n_samples, n_timesteps), and what stands there for masked steps counts for nothing.
    activation : str, default="tanh"
        Activation of the cells' output.
    bidirectional : bool, default=False
        Whether each layer also reads the sequence backwards.
    dropout : float in [0, 1), default=0.0
        Share of each recurrent layer's outputs dropped in training.
    recurrent_dropout : float in [0, 1), default=0.0
        Share of the state that each recurrent layer does not hear in training, the same units in
        all steps of a sequence.
    recurrent_initializer : str, default="orthogonal"
        What recurrent weights are drawn by; `build_rnn` names them.
    l1, l2 : float, default=0.0
        Penalties on the input weights of the recurrent layers: on absolute values and squares.
    recurrent_l2 : float, default=0.0
        Penalty on the squares of their recurrent weights.
    network : callable, default=None
        A builder of your own: called with those of the keywords ``input_shape``, ``n_outputs``
        (the number of classes), ``cell``, ``units``, ``output``, ``output_activation`` (always
        "softmax"), ``activation``, ``bidirectional``, ``dropout``, ``recurrent_dropout``,
        ``recurrent_initializer``, ``l1``, ``l2``, ``recurrent_l2`` and ``seed`` that its
        signature names, it returns a new `keras.Model` whose outputs are probabilities. A model
        it compiled itself keeps its own loss and optimizer. For masked steps it needs a layer
        ``keras.layers.Masking(skrnn.networks.MASKED)``. None is
        `skrnn.networks.build_rnn_classifier`.
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
    chunk_length : int, default=None
        Steps through which gradients are carried back: truncated backpropagation through time
        [1]_, for long sequences. With ``output="sequence"`` each sequence is cut into chunks of so
        many consecutive steps; each gradient step trains on one chunk of a batch of sequences, from
        the state that the chunk before ended with. With ``output="last"`` all steps are read, and
        the gradient stops so many steps before the last that is
        not masked. None, or no fewer steps than there are,
        carries gradients through all. Not for networks that read backwards.
    early_stopping : bool, default=False
        Whether to stop when the loss on the validation part has not fallen for
        `n_iter_no_change` epochs, and to return to the best weights. The part is drawn class by
        class from sequences, and the *last* in time of windows; windows before it that share
        rows with it are left out of training.
    validation_fraction : float in (0, 1), default=0.1
        Share of the sequences or complete windows in the validation part.
    n_iter_no_change : int, default=10
    class_weight : dict or "balanced", default=None
        Weights of the classes; "balanced" makes all classes weigh the same. With
        ``output="sequence"`` they weigh the steps of a class.
    warm_start : bool, default=False
        Whether `fit` goes on training the fitted network, with its classes. The network's
        settings and optimizer must be those of the first fit; learning_rate may change.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, dropout, the validation part and the order of the batches. The same int
        gives the same bits. No global random state is read or changed.
    callbacks : list of keras.callbacks.Callback, default=None
        `sklearn.callback` ones go to `set_callbacks`, where scikit-learn has it.
    verbose : int, default=0
        Keras' verbosity: 0 silent, 1 a progress bar, 2 a line an epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    model_ : keras.Model
        The fitted network, a plain Keras model: sequences, with `skrnn.networks.MASKED` in all
        features of masked steps, to probabilities.
    loss_curve_ : list of float
        Training loss of each epoch, the mean cross entropy in nats. With ``output="sequence"``
        each batch's is the mean over its steps that are not masked, as in Keras.
    validation_loss_curve_, validation_scores_ : lists of float
        Loss and accuracy on the validation part after each epoch, with `early_stopping`.
    n_iter_ : int
        Epochs trained in total.
    n_outputs_ : int
        Number of classes.
    input_shape_ : tuple (n_timesteps, n_features)
        The shape of the longest sequence in `fit`. Others may be longer.
    n_features_in_ : int
        Columns of a 2-D X; features of any other.

    See Also
    --------
    RNNRegressor : Predicts numbers.
    CharLSTMClassifier : Reads characters and words.

    Notes
    -----
    Probabilities have the network's dtype, float32 unless Keras is set otherwise. Sample weights
    are scaled to mean 1. A sequence without any step that is not NaN raises an error. Ctrl-C ends
    training with KeyboardInterrupt and leaves the estimator fitted with what was learnt.

    Predictions, and the losses and scores on the validation part, are of whole sequences whatever
    `chunk_length`. `recurrent_dropout` draws anew for each chunk. A builder of your own gets an
    `input_shape` of (None, n_features) with ``output="sequence"`` and a `chunk_length`, and is to
    treat each step by itself between its recurrent layers.

    References
    ----------
    .. [1] R. J. Williams, J. Peng (1990). An efficient gradient-based algorithm for on-line
       training of recurrent network trajectories. Neural Computation 2(4).

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import RNNClassifier
    >>> up, down = np.arange(8.0), np.arange(8.0)[::-1]
    >>> X = [up, down, up[2:], down[:5], up[:6], down[1:]]
    >>> y = ["up", "down", "up", "down", "up", "down"]
    >>> rnn = RNNClassifier("gru", units=8, learning_rate=0.05, random_state=0).fit(X, y)
    >>> rnn.predict([up[:4], down[2:], [1, np.nan, 3, 4]])
    array(['up', 'down', 'up'], dtype='<U4')
    """

    _parameter_constraints = NETWORK | {
        "output": [StrOptions({"last", "sequence"})],
        "network": [callable, None],
        "chunk_length": [Interval(Integral, 1, None, closed="left"), None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        **TRAINING,
    }

    def __init__(
        self,
        cell="lstm",
        units=64,
        *,
        output="last",
        activation="tanh",
        bidirectional=False,
        dropout=0.0,
        recurrent_dropout=0.0,
        recurrent_initializer="orthogonal",
        l1=0.0,
        l2=0.0,
        recurrent_l2=0.0,
        network=None,
        optimizer="adam",
        learning_rate=None,
        clipnorm=None,
        clipvalue=None,
        epochs=50,
        batch_size=32,
        chunk_length=None,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        class_weight=None,
        warm_start=False,
        random_state=None,
        callbacks=None,
        verbose=0,
    ):
        self.cell = cell
        self.units = units
        self.output = output
        self.activation = activation
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.recurrent_initializer = recurrent_initializer
        self.l1 = l1
        self.l2 = l2
        self.recurrent_l2 = recurrent_l2
        self.network = network
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.epochs = epochs
        self.batch_size = batch_size
        self.chunk_length = chunk_length
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.random_state = random_state
        self.callbacks = callbacks
        self.verbose = verbose

    @fit_context
    def fit(self, X, y, sample_weight=None):
        """Train the network.

        Parameters
        ----------
        X : array-like, list of arrays, DataFrame of series, or WindowArray
            Sequences, as the class describes.
        y : array-like of shape (n_samples,)
            Labels; with ``output="sequence"`` of shape (n_samples, n_timesteps).
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the sequences, scaled to mean 1; with ``output="sequence"`` also of shape
            (n_samples, n_timesteps).

        Returns
        -------
        self : RNNClassifier

        Raises
        ------
        ValueError
            If there are fewer than two classes, a sequence of nothing but NaN, or a parameter is
            off.
        KeyboardInterrupt
            On Ctrl-C; the estimator is then fitted with what was learnt.
        """
        go_on = self.warm_start and hasattr(self, "_network")
        return self._fit(X, y, sample_weight, epochs=self.epochs, go_on=go_on)

    @fit_context
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train for one epoch more. The classes are those of the first call.

        Parameters
        ----------
        X : array-like, list of arrays, DataFrame of series, or WindowArray
            Sequences of the same features as before.
        y : array-like of shape (n_samples,)
            Labels; with ``output="sequence"`` of shape (n_samples, n_timesteps).
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come, in the first call. None is those in its y.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the sequences, scaled to mean 1; with ``output="sequence"`` also of shape
            (n_samples, n_timesteps).

        Returns
        -------
        self : RNNClassifier

        Raises
        ------
        ValueError
            As `fit`, and if y holds other labels than the first, or early_stopping is set.
        """
        if self.early_stopping:
            raise ValueError(
                "partial_fit does not support early_stopping=True: it sees one epoch only. Set "
                "early_stopping=False."
            )
        go_on = hasattr(self, "_network")
        return self._fit(X, y, sample_weight, epochs=1, go_on=go_on, classes=classes)

    def _fit(self, X, y, sample_weight, *, epochs, go_on, classes=None):
        progress = FitProgress(self, epochs)
        with unchanged_on_error(self):
            check_not_forked()
            limit_threads_in_worker()
            import keras

            check_callbacks(self.callbacks)
            check_chunk_length(self)
            dtype, given = keras.config.floatx(), X
            X = self._read(X, reset=not go_on, dtype=dtype)
            labels, counted = self._labels(X, y, skip=n_incomplete(X))
            fitted = self.classes_ if go_on else None
            self.classes_: np.ndarray = find_classes(type(self).__name__, labels, classes, fitted)
            places = np.full(counted.shape, _NO_CLASS, np.int32)
            places[counted] = encode_classes(labels, self.classes_)
            weights = self._weights(X, places, sample_weight)
            progress.begin(given, y, sample_weight)
            network = self._network_to_train(X, go_on, dtype)
            self._check_loss(network, places[n_incomplete(X) :])
            self._train(network, X, places, weights, epochs, progress, go_on)
            progress.end(fitted_state(network))
        return self

    def _read(self, X, *, reset, dtype):
        in_place = self.output == "sequence"
        return check_sequences(self, X, reset=reset, dtype=dtype, in_place=in_place)

    def _labels(self, X, y, skip=0):
        """Return the labels that count, one after the other, and where they stand in y."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None. Pass "
                "the classes of the sequences or windows."
            )
        if num_samples(y) != len(X):
            raise ValueError(
                "Found input variables with inconsistent numbers of samples: X has "
                f"{len(X)} rows and y has {len(y)}. Each row of X needs its row of y."
            )
        counted = ~masked_steps(X) if self.output == "sequence" else np.ones(len(X), bool)
        counted[:skip] = False
        labels = (
            sequence_labels(y, counted)
            if self.output == "sequence"
            else check_labels(y, skip=skip, estimator=self)
        )
        check_classification_targets(labels)
        return labels, counted

    def _weights(self, X, places, sample_weight):
        """Return weights of mean 1 over what counts, or None where all weigh the same."""
        weights = check_weights(X, sample_weight, of_steps=self.output == "sequence")
        counted = places != _NO_CLASS
        if self.class_weight is not None:
            of_classes = class_weights(self.class_weight, self.classes_, places[counted])
            weights = of_classes[places] * (1 if weights is None else weights)
        return normalize_weights(weights, range(n_incomplete(X), len(X)), counted=counted)

    def _network_to_train(self, X, go_on, dtype):
        """Return the network to train, compiled: the fitted one to go on with, or a new one."""
        from ._engine.network import build_network
        from .networks.builders import build_rnn_classifier

        settings = {name: getattr(self, name) for name in _KEPT_SETTINGS}
        if go_on:
            network = self._network
            check_same_settings(network, settings)
            self._check_masks(network, X)
        else:
            options = {"output_activation": "softmax"} if self.network is not None else {}
            network = build_network(
                self.network,
                build_rnn_classifier,
                None,
                draw_seed(self.random_state),
                settings,
                dtype,
                sequence=self.output == "sequence",
                probabilities=True,
                input_shape=build_shape(self),
                n_outputs=len(self.classes_),
                **{name: settings[name] for name in _BUILDER_OPTIONS},
                **options,
            )
            self._check_masks(network, X)
        network.compile(
            optimizer=self.optimizer,
            loss=self._loss(),
            learning_rate=self.learning_rate,
            clipnorm=self.clipnorm,
            clipvalue=self.clipvalue,
        )
        return network

    def _loss(self):
        import keras

        if self.output == "last":
            return "sparse_categorical_crossentropy"
        return keras.losses.SparseCategoricalCrossentropy(ignore_class=_NO_CLASS)

    @staticmethod
    def _check_masks(network, X):
        """Raise a ValueError if there are masked steps that a network of the user's would read."""
        if not network.masks and masked_steps(X.series[:, None] if is_windows(X) else X).any():
            raise ValueError(
                "X holds masked steps (NaN, or sequences of different lengths), but the network "
                "has no layer that masks them. Begin it with "
                "keras.layers.Masking(skrnn.networks.MASKED), or fill or cut the sequences."
            )

    @staticmethod
    def _check_loss(network, places):
        """Raise a ValueError if masked steps have no class that a loss of Keras' can tell."""
        from ._engine.eligibility import ignored_class, per_sample_loss

        if not network.own_compile or not (places == _NO_CLASS).any():
            return
        loss = network.loss()
        is_one = isinstance(loss, str) or callable(loss)
        if is_one and per_sample_loss(loss) is not None and ignored_class(loss) != _NO_CLASS:
            raise ValueError(
                f"X holds masked steps, which are of class {_NO_CLASS}, but the network was "
                f"compiled with loss={loss!r}, which does not leave them out. Compile it with "
                f"keras.losses.SparseCategoricalCrossentropy(ignore_class={_NO_CLASS}), or fill "
                "or cut the sequences."
            )

    def _train(self, network, X, places, weights, epochs, progress, go_on):
        """Train `network` on all sequences or complete windows, but for those held out."""
        from ._engine.tbptt import select_tbptt_trainer

        rows, validation = range(n_incomplete(X), len(X)), None
        if self.early_stopping:
            if is_windows(X):
                rows, held_out = purged_time_split(X, rows, self.validation_fraction)
            else:
                strata = places if places.ndim == 1 else np.zeros(len(X), int)
                order, n_train = stratified_holdout(strata, self.validation_fraction, network.seed)
                X, places = X[order], places[order]
                weights = None if weights is None else weights[order]
                rows, held_out = range(n_train), range(n_train, len(X))
            weights = normalize_weights(weights, rows, held_out, counted=places != _NO_CLASS)
            validation = self._validation(network, X, places, weights, held_out)
        to_learn, trainer_class = select_tbptt_trainer(X, self.chunk_length, self.output)
        train(
            self,
            network,
            (to_learn, places, as_type(weights, X.dtype)),
            rows=rows,
            validation=validation,
            epochs=epochs,
            progress=progress,
            go_on=go_on,
            trainer_class=trainer_class,
        )

    @staticmethod
    def _validation(network, X, places, weights, rows):
        """Return a function that gives the loss and accuracy on some consecutive rows."""
        from ._engine.fit import evaluate_loss

        rows = slice(rows.start, rows.stop)
        X, places = X.part(rows) if is_windows(X) else X[rows], places[rows]
        weights = None if weights is None else weights[rows]

        def validate():
            probabilities = network.predict(X)
            counted = places != _NO_CLASS
            hits = _accuracy(places[counted], probabilities.argmax(axis=-1), counted, weights)
            return evaluate_loss(network, places, probabilities, weights), hits

        return validate

    def predict_proba(self, X):
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : array-like, list of arrays, DataFrame of series, or WindowArray
            Sequences of the features seen in `fit`, of any lengths.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`, of the network's dtype. With ``output="sequence"`` of
            shape (n_samples, n_timesteps, n_classes); at a masked step, the states are those of
            the step before, and of the step after for the backward direction.

        Raises
        ------
        ValueError
            If X has other features than in `fit`, inf, or a sequence of nothing but NaN.
        NotFittedError
            Before `fit`.
        """
        check_is_fitted(self)
        return self._predict(self._read(X, reset=False, dtype=self._network.input_dtype))

    def _predict(self, X):
        n_timesteps, fixed = X.shape[1], self._network.n_timesteps
        may_fill_up = self._network.masks and not is_windows(X)
        if fixed is not None and n_timesteps != fixed and not (may_fill_up and n_timesteps < fixed):
            raise ValueError(
                f"X has sequences of {n_timesteps} time steps, but the network takes {fixed}. "
                "Pass as many, or build it on (None, n_features)."
            )
        self._check_masks(self._network, X)
        if may_fill_up:
            X = pad_to_bucket(X, self.input_shape_[0])
        probabilities = self._network.predict(X)
        return probabilities[:, :n_timesteps] if probabilities.ndim == 3 else probabilities

    def predict_log_proba(self, X):
        """Return the logarithms of `predict_proba`.

        Parameters
        ----------
        X : array-like, list of arrays, DataFrame of series, or WindowArray

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
        """
        probabilities = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return np.log(probabilities)

    def predict(self, X):
        """Return the most probable class of each sequence.

        Parameters
        ----------
        X : array-like, list of arrays, DataFrame of series, or WindowArray
            Sequences of the features seen in `fit`, of any lengths.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            With ``output="sequence"`` of shape (n_samples, n_timesteps).
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=-1)]

    def score(self, X, y, sample_weight=None):
        """Return the accuracy; with ``output="sequence"``, over all steps that are not masked.

        Parameters
        ----------
        X : array-like, list of arrays, DataFrame of series, or WindowArray
        y : array-like of shape (n_samples,) or (n_samples, n_timesteps)
        sample_weight : array-like of shape (n_samples,), default=None
            With ``output="sequence"`` also of shape (n_samples, n_timesteps).

        Returns
        -------
        accuracy : float
        """
        if self.output == "last":
            return super().score(X, y, sample_weight)
        check_is_fitted(self)
        X = self._read(X, reset=False, dtype=self._network.input_dtype)
        labels, counted = self._labels(X, y)
        if sample_weight is not None:
            sample_weight = check_step_weights(X, sample_weight)
        y_pred = self.classes_[self._predict(X).argmax(axis=-1)]
        return _accuracy(labels, y_pred, counted, sample_weight)

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
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.non_deterministic = False
        return tags


def _accuracy(labels, y_pred, counted, weights):
    """Return the accuracy over what counts, which `labels` are of; weights are of all."""
    if weights is not None:
        weights = np.broadcast_to(weights, counted.shape)[counted]
    return float(accuracy_score(labels, y_pred[counted], sample_weight=weights))


_BUILDER_OPTIONS = (*NETWORK, "output")


_KEPT_SETTINGS = (*_BUILDER_OPTIONS, "network", "optimizer", "clipnorm", "clipvalue")
