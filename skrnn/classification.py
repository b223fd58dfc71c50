"""RNNClassifier: a recurrent network that classifies sequences of numbers."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.multiclass import check_classification_targets

from ._docstrings import substitute_docs
from ._estimator import BaseSequenceRNN, check_masks
from ._inputs.labels import (
    check_one_label,
    class_weights,
    encode_classes,
    find_classes,
    label_array,
    sequence_labels,
    stratified_holdout,
)
from ._inputs.sequences import check_sequences, masked_steps
from ._inputs.weights import check_step_weights, check_weights, normalize_weights
from ._inputs.windows import check_n_samples, check_row_weights, missing_target, n_incomplete
from ._sklearn_compat import StrOptions, check_is_fitted, check_y, fit_context
from .windows._array import is_windows

__all__ = ["RNNClassifier"]

# The class of a masked time step, which has no loss.
NO_CLASS = -1


@substitute_docs()
@dataclass(eq=False, repr=False)
class RNNClassifier(ClassifierMixin, BaseSequenceRNN):
    """Recurrent network that classifies sequences of numbers.

    Stacked recurrent layers process each sequence, and a softmax over the classes follows the last
    hidden state. Sequences may have different lengths. A time step with a NaN is masked: the
    network skips it, at any position.

    X is one of:

    - an array of shape (n_samples, n_timesteps, n_features), or (n_samples, n_timesteps) for one
      feature, with NaN at missing time steps;
    - a list or a Series of arrays of shape (n_timesteps, n_features), or (n_timesteps,), of any
      lengths;
    - a DataFrame whose cells are series, with a column for each feature (sktime's nested panel);
    - windows of a `WindowTransformer`; incomplete windows are excluded from training.

    In sktime's numpy3D panels, the axis of the features precedes the axis of the time steps, which
    cannot be inferred from the shape. Use `RNNTimeSeriesClassifier` for them, or transpose them.

    Parameters
    ----------
    {network_parameters}
    {optimizer_parameters}
    early_stopping : bool, default=False
        Whether to stop when the loss on a holdout has not decreased for `n_iter_no_change` epochs,
        and to restore the best weights. The holdout is stratified by class for sequences. For
        windows, it consists of the *last* windows in time, and earlier windows that share rows with
        it are excluded from training.
    {early_stopping_parameters}
    {fit_parameters}
    output : {"last", "sequence"}, default="last"
        Whether to classify each sequence or each of its time steps. With "sequence", y has shape
        (n_samples, n_timesteps), and its values at masked time steps are ignored.
    network : callable, default=None
        Custom builder of the network. It is called with those of the keywords ``input_shape``,
        ``n_outputs`` (the number of classes), ``output``, ``output_activation`` (always
        "softmax"), ``seed`` and the parameters of the recurrent layers (``cell`` to
        ``recurrent_l2``) that are in its signature, and returns a new `keras.Model` whose outputs
        are probabilities. A compiled model keeps its loss and optimizer. For masked time steps it
        needs a layer ``keras.layers.Masking(skrnn.networks.MASKED)``. If None,
        `skrnn.networks.build_rnn_classifier` is used.
    {chunk_length}
    {n_features}
    early_stopping : bool, default=False
        Whether to stop when the loss on a holdout has not decreased for `n_iter_no_change` epochs,
        and to restore the best weights. The holdout is stratified by class for sequences, and the
        *last* part in time for windows, where windows before it that share rows with it are left
        out of training.
    {early_stopping_parameters}
    class_weight : dict or "balanced", default=None
        Weights of the classes. "balanced" gives all classes the same total weight. With
        ``output="sequence"`` they are weights of the time steps.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    model_ : keras.Model
        The fitted network, a plain Keras model from sequences, with `skrnn.networks.MASKED` in all
        features of masked time steps, to probabilities.
    loss_curve_ : list of float
        Training loss of each epoch, the mean cross-entropy in nats. With ``output="sequence"`` the
        loss of a batch is the mean over the time steps that are not masked, as in Keras.
    validation_loss_curve_, validation_scores_ : lists of float
        Loss and accuracy on the holdout after each epoch, with `early_stopping`.
    n_iter_ : int
        Total number of training epochs.
    n_outputs_ : int
        Number of classes.
    input_shape_ : tuple (n_timesteps, n_features)
        Shape of the longest sequence in `fit`. Sequences to predict may be longer.
    n_features_in_ : int
        Number of columns of a 2-D X, or of features otherwise.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns of a 2-D X seen in `fit`. Defined only if X has column names that are
        all strings.

    See Also
    --------
    RNNRegressor : Regression on windows of a time series.
    CharLSTMClassifier : Classification and language models of characters and words.

    Notes
    -----
    Probabilities have the dtype of the network, which is float32 unless Keras is configured
    otherwise. Sample weights are scaled to mean 1. A fully masked sequence raises an error. If
    training is interrupted with Ctrl-C, a KeyboardInterrupt is raised, and the estimator is fitted
    with the current weights.

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

    _: KW_ONLY
    class_weight: dict[Any, float] | str | None = None

    _parameter_constraints = BaseSequenceRNN._parameter_constraints | {
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }
    _fixed_parameters = ("output", "network")

    @fit_context
    def fit(self, X: Any, y: ArrayLike, sample_weight: Any = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like, list of arrays, DataFrame of series, or WindowArray
            Sequences, as described in the class docstring.
        y : array-like of shape (n_samples,)
            Labels. With ``output="sequence"`` of shape (n_samples, n_timesteps).
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, scaled to mean 1. With ``output="sequence"`` also of shape
            (n_samples, n_timesteps).

        Returns
        -------
        self : RNNClassifier

        Raises
        ------
        ValueError
            If there are fewer than two classes, a sequence is fully masked, or a parameter is
            invalid.
        KeyboardInterrupt
            If training is interrupted with Ctrl-C. The estimator is then fitted with the current
            weights.
        """
        return self._fit(X, y, sample_weight)

    @fit_context
    def partial_fit(
        self, X: Any, y: ArrayLike, classes: Any = None, sample_weight: Any = None
    ) -> Self:
        """Train for one epoch.

        Parameters
        ----------
        X : array-like, list of arrays, DataFrame of series, or WindowArray
            Sequences with the same features as in previous calls.
        y : array-like of shape (n_samples,)
            Labels. With ``output="sequence"`` of shape (n_samples, n_timesteps).
        classes : array-like of shape (n_classes,), default=None
            All labels that can occur in later calls, for the first call. If None, the labels in y
            are used.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, scaled to mean 1. With ``output="sequence"`` also of shape
            (n_samples, n_timesteps).

        Returns
        -------
        self : RNNClassifier

        Raises
        ------
        ValueError
            As for `fit`, or if y contains labels that are not in `classes_`, or if `early_stopping`
            is True.
        """
        return self._fit(X, y, sample_weight, partial=True, classes=classes)

    def _validate_input(self, X, y, sample_weight, resume, classes):
        import keras

        self._check_chunk_length()
        X = self._check_sequences(X, reset=not resume, dtype=keras.config.floatx())
        labels, valid = self._valid_labels(X, y, skip=n_incomplete(X))
        fitted = self.classes_ if resume else None
        self.classes_: np.ndarray = find_classes(type(self).__name__, labels, classes, fitted)
        codes = np.full(valid.shape, NO_CLASS, np.int32)
        codes[valid] = encode_classes(labels, self.classes_)
        return X, codes, self._weights(X, codes, sample_weight)

    def _check_sequences(self, X, *, reset, dtype):
        return check_sequences(self, X, reset=reset, dtype=dtype, in_place=self.output != "last")

    def _valid_labels(self, X, y, skip=0):
        """Return the labels that have a loss as a 1-D array, and a mask of their positions."""
        if y is None:
            raise missing_target(self, ". Pass the classes of the sequences or windows.")
        if hasattr(y, "__array__") and not hasattr(y, "__len__"):
            y = np.asarray(y)
        check_n_samples(X, y)
        if self.output == "sequence":
            valid = ~masked_steps(X)
            valid[:skip] = False
            labels = sequence_labels(y, valid)
        else:
            valid = np.arange(len(X)) >= skip
            check_one_label(type(self).__name__, y)
            label_array(y, skip=skip)
            labels = check_y(y if skip == 0 else np.asarray(y)[skip:], estimator=self)
        check_classification_targets(labels)
        return labels, valid

    def _weights(self, X, codes, sample_weight):
        """Return weights of mean 1 where there is a loss, or None for equal weights."""
        weights = check_weights(X, sample_weight, of_steps=self.output == "sequence")
        valid = codes != NO_CLASS
        if self.class_weight is not None:
            by_class = class_weights(self.class_weight, self.classes_, codes[valid])
            weights = by_class[codes] * (1 if weights is None else weights)
        return normalize_weights(weights, range(n_incomplete(X), len(X)), mask=valid)

    def _build_network(self, X, y, data, seed, settings):
        from .networks.builders import build_rnn_classifier

        options = {} if self.network is None else {"output_activation": "softmax"}
        n_classes = len(self.classes_)
        network = self._build(
            build_rnn_classifier, None, seed, settings, n_classes, probabilities=True, **options
        )
        self._check_resumed(network, data)
        return network

    def _check_resumed(self, network, data):
        """Raise a ValueError if the network or its loss does not support the masked time steps."""
        from ._engine.eligibility import ignored_class, per_sample_loss

        X, codes, _ = data
        check_masks(network, X)
        if not network.is_precompiled or not (codes[n_incomplete(X) :] == NO_CLASS).any():
            return
        loss = network.loss()
        is_single = isinstance(loss, str) or callable(loss)
        if is_single and per_sample_loss(loss) is not None and ignored_class(loss) != NO_CLASS:
            raise ValueError(
                f"X contains masked time steps, which have class {NO_CLASS}, but the network was "
                f"compiled with loss={loss!r}, which does not ignore them. Compile it with "
                f"keras.losses.SparseCategoricalCrossentropy(ignore_class={NO_CLASS}), or pad or "
                "truncate the sequences."
            )

    def _loss(self):
        import keras

        if self.output == "last":
            return "sparse_categorical_crossentropy"
        return keras.losses.SparseCategoricalCrossentropy(ignore_class=NO_CLASS)

    def _split_holdout(self, X, y, weights, rows, seed):
        if is_windows(X):
            return super()._split_holdout(X, y, weights, rows, seed)
        return stratified_holdout(X, y, weights, self.validation_fraction, seed)

    def _loss_mask(self, X, y):
        return y != NO_CLASS

    def _score_holdout(self, y, y_pred, sample_weight):
        valid = y != NO_CLASS
        return _accuracy(y[valid], y_pred.argmax(axis=-1), valid, sample_weight)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : array-like, list of arrays, DataFrame of series, or WindowArray
            Sequences with the fitted features, of any lengths.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`, in the dtype of the network. With ``output="sequence"`` of
            shape (n_samples, n_timesteps, n_classes). The recurrent states at a masked time step
            are those of the previous time step, or of the next time step in the backward direction.

        Raises
        ------
        ValueError
            If the features of X differ from those in `fit`, if X contains infinity, or if a
            sequence is fully masked.
        NotFittedError
            If the estimator is not fitted.
        """
        check_is_fitted(self)
        X = self._check_sequences(X, reset=False, dtype=self._network.input_dtype)
        return self._predict_sequences(X)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithms of `predict_proba`.

        Parameters
        ----------
        X : array-like, list of arrays, DataFrame of series, or WindowArray
            Sequences with the fitted features, of any lengths.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            With ``output="sequence"`` of shape (n_samples, n_timesteps, n_classes).
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> np.ndarray:
        """Predict the class of each sequence.

        Parameters
        ----------
        X : array-like, list of arrays, DataFrame of series, or WindowArray
            Sequences with the fitted features, of any lengths.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            With ``output="sequence"`` of shape (n_samples, n_timesteps).
        """
        codes = self.predict_proba(X).argmax(axis=-1)
        return self.classes_[codes]

    def score(self, X: Any, y: ArrayLike, sample_weight: Any = None) -> float:
        """Return the accuracy.

        Parameters
        ----------
        X : array-like, list of arrays, DataFrame of series, or WindowArray
            Sequences with the fitted features, of any lengths.
        y : array-like of shape (n_samples,) or (n_samples, n_timesteps)
            Labels. With ``output="sequence"`` masked time steps are ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            With ``output="sequence"`` also of shape (n_samples, n_timesteps).

        Returns
        -------
        accuracy : float
        """
        check_is_fitted(self)
        X = self._check_sequences(X, reset=False, dtype=self._network.input_dtype)
        labels, valid = self._valid_labels(X, y)
        if (labels.dtype.kind in "US") != (self.classes_.dtype.kind in "US"):
            raise ValueError(
                f"y contains labels such as {labels[0]!r}, but {type(self).__name__} was fitted on "
                f"labels such as {self.classes_[0]!r}. Pass labels of the same type."
            )
        if sample_weight is not None:
            check = check_row_weights if self.output == "last" else check_step_weights
            sample_weight = check(X, sample_weight)
        y_pred = self.classes_[self._predict_sequences(X).argmax(axis=-1)]
        return _accuracy(labels, y_pred, valid, sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _accuracy(labels, y_pred, valid, weights):
    """Return the accuracy where `valid`; `labels` are the valid labels only."""
    if weights is not None:
        weights = np.broadcast_to(weights, valid.shape)[valid]
    return float(accuracy_score(labels, y_pred[valid], sample_weight=weights))
