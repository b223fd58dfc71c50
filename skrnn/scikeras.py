"""The networks of skrnn as scikeras estimators, with scikeras' routed parameters.

`SciKerasRNNRegressor` and `SciKerasRNNClassifier` subclass scikeras' wrappers [1]_ around
`build_rnn`: ``model__units``, ``optimizer__learning_rate``, ``callbacks__patience`` and the like
can be set and searched over. Behind a `WindowTransformer` they learn from the complete windows
alone, as `RNNRegressor` does. What they do not share is its memory and speed: scikeras hands the
windows to Keras as one array of n_samples * window_length * n_features values, and trains with
`keras.Model.fit`.

Importing scikeras, and thus this module, replaces how Keras pickles models, losses, metrics and
optimizers, for the whole process. Nothing else in skrnn imports it.

Notes
-----
``scikeras.wrappers.KerasRegressor(model=build_rnn, loss="mse", model__units=32)`` itself also
works as the last step behind a `WindowTransformer`, in a `Pipeline`, in a search and in a
`TransformedTargetRegressor`. What is different there, with scikeras 0.13 and scikit-learn 1.7 or
later, and is mended here:

- It has lost its tags: `is_regressor`, and for a `KerasClassifier` `is_classifier`, are false. A
  search does not stratify a `KerasClassifier`'s folds, the scorer ``"roc_auc"`` fails, and
  `VotingRegressor`, `StackingRegressor` and their kin refuse both.
- It trains on the incomplete windows too, needs y, and has ``n_features_in_`` count time steps.
- After a fit on float32 it refuses float64, and `score` wants y with the dimensions seen in
  `fit`.
- An optimizer object serves one fit only, and every RandomState instance stands for seed 0.
  `build_rnn` takes its seed as ``model__seed``, apart from `random_state`.
- ``callbacks__patience`` can be given, but not set again later, as a search does.
- `KerasClassifier.predict_proba` returns one row without its first axis.
- The first fit with `random_state` leaves TensorFlow's op determinism on, and training without
  `random_state` then fails, in the whole process, unless this module was imported before.

What remains in the subclasses too: scikeras' classes define ``_more_tags`` and put the mixins
behind `BaseEstimator`, which two of scikit-learn's estimator checks object to
(``check_estimator_tags_renamed``, ``check_mixin_order``). And `keras.Model.predict` compiles anew
for other batch sizes, so that the last bit of a ``"rnn"`` cell's predictions can depend on how
many rows were predicted before.

References
----------
.. [1] https://www.adriangb.com/scikeras, source: https://github.com/adriangb/scikeras
"""

from functools import partial

import keras
import numpy as np
from scikeras.utils import loss_name
from scikeras.wrappers import KerasClassifier, KerasRegressor
from sklearn.base import ClassifierMixin
from sklearn.utils import ClassifierTags, RegressorTags, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from tensorflow.python.framework import config as tf_config

from ._checks import unchanged_on_error
from ._inputs.weights import check_weights
from ._inputs.windows import (
    check_inputs,
    check_outputs,
    n_incomplete,
    score_windows,
    window_regressor_tags,
)
from ._process import check_not_forked
from ._sklearn_compat import check_array, check_is_fitted
from .networks.builders import build_rnn

__all__ = ["SciKerasRNNClassifier", "SciKerasRNNRegressor"]

# TensorFlow reads TF_DETERMINISTIC_OPS when it is first asked. scikeras sets that variable before
# it asks, and so would leave op determinism on for good, where unseeded training is an error.
tf_config.is_op_determinism_enabled()


def with_probabilities(model):
    """Turn the linear outputs of a network into probabilities.

    Parameters
    ----------
    model : keras.Model
        One output is the log-odds of the second of two classes; several have a class each.

    Returns
    -------
    model : keras.Model
        The same layers, then a sigmoid (one output) or a softmax (several).
    """
    activation = "sigmoid" if model.output_shape[-1] == 1 else "softmax"
    return keras.Model(model.input, keras.layers.Activation(activation)(model.output))


class SciKerasRNNRegressor(KerasRegressor):
    """Recurrent network that predicts numbers from windows, as a scikeras estimator.

    Parameters
    ----------
    model__cell : {"lstm", "gru", "rnn"}, default="lstm"
        The recurrent cell.
    model__units : int or tuple of int, default=64
        Units of the recurrent layer; a tuple stacks layers.
    model__activation : str, default="tanh"
        Activation of the cells' output.
    model__bidirectional : bool, default=False
        Whether each layer also reads the window backwards.
    model__dropout : float in [0, 1), default=0.0
        Share of each recurrent layer's outputs dropped in training.
    loss : str, keras.losses.Loss or its class, or callable, default="mse"
    optimizer : str, keras.optimizers.Optimizer or its class, default="adam"
    epochs : int, default=50
    batch_size : int, default=32
        -1 takes all rows at once.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, dropout and the order of the batches. The same int gives the same bits.
    verbose : int, default=0
    **kwargs : dict
        Any other parameter of `scikeras.wrappers.KerasRegressor`, such as ``callbacks``,
        ``validation_split`` and ``warm_start``, and routed ones, such as
        ``optimizer__learning_rate`` and ``callbacks__patience``. They can be set later as well.

    Attributes
    ----------
    model_ : keras.Model
        The fitted network.
    history_ : dict of str to list of float
        Losses and metrics of each epoch.
    input_shape_ : tuple (n_timesteps, n_features)
        The shape of one window.
    n_features_in_ : int
        Columns of a 2-D X; features of a 3-D X.
    n_outputs_ : int
        Values predicted a row.

    See Also
    --------
    RNNRegressor : The same networks, faster, in less memory, and without scikeras.
    SciKerasRNNClassifier : Predicts classes.
    build_rnn : Builds the network from the ``model__`` parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from skrnn import WindowTransformer
    >>> from skrnn.scikeras import SciKerasRNNRegressor
    >>> series = np.sin(np.arange(120) / 4).reshape(-1, 1)
    >>> rnn = SciKerasRNNRegressor(
    ...     model__cell="gru", model__units=8, optimizer__learning_rate=0.02, epochs=15,
    ...     random_state=0,
    ... )
    >>> model = make_pipeline(WindowTransformer(10), rnn).fit(series[:100])
    >>> model.predict(series[100:]).shape
    (20, 1)
    >>> model.score(series[100:]) > 0.9
    True
    """

    _routing_prefixes = KerasRegressor._routing_prefixes | {"callbacks"}

    def __init__(
        self,
        *,
        model__cell="lstm",
        model__units=64,
        model__activation="tanh",
        model__bidirectional=False,
        model__dropout=0.0,
        loss="mse",
        optimizer="adam",
        epochs=50,
        batch_size=32,
        random_state=None,
        verbose=0,
        **kwargs,
    ):
        super().__init__(
            loss=loss,
            optimizer=optimizer,
            epochs=epochs,
            batch_size=batch_size,
            random_state=random_state,
            verbose=verbose,
            **kwargs,
        )
        self.model__cell = model__cell
        self.model__units = model__units
        self.model__activation = model__activation
        self.model__bidirectional = model__bidirectional
        self.model__dropout = model__dropout

    def fit(self, X, y=None, sample_weight=None, **kwargs):
        """Train a new network on the complete windows of X.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
            Windows. 2-D means one feature.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target; None stands for the series that a WindowArray was made from.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, scaled to mean 1. Rows of weight 0 are left out.
        **kwargs : dict
            For `keras.Model.fit`.

        Returns
        -------
        self : SciKerasRNNRegressor

        Raises
        ------
        ValueError
            If no window is complete, a value inside one is not finite, or a parameter is off.
        """
        go_on = self.warm_start and self.initialized_
        return _train(self, super().fit, _numbers, X, y, sample_weight, not go_on, **kwargs)

    def partial_fit(self, X, y=None, sample_weight=None, **kwargs):
        """Train for one epoch more on the complete windows of X.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
            Windows like those before.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target; None stands for the series that a WindowArray was made from.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, scaled to mean 1. Rows of weight 0 are left out.
        **kwargs : dict
            For `keras.Model.fit`.

        Returns
        -------
        self : SciKerasRNNRegressor

        Raises
        ------
        ValueError
            As `fit`, and if X or y has another shape than before.
        """
        reset = not self.initialized_
        return _train(self, super().partial_fit, _numbers, X, y, sample_weight, reset, **kwargs)

    def predict(self, X, **kwargs):
        """Predict the row that each window comes before.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
            Windows like those seen in `fit`. Incomplete ones are answered too.
        **kwargs : dict
            For `keras.Model.predict`.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            In the shape of the y seen in `fit`, and the network's dtype.

        Raises
        ------
        ValueError
            If a window holds NaN or inf, or has another length or other features than in `fit`.
        NotFittedError
            Before `fit`.
        """
        return super().predict(_windows(self, X), **kwargs)

    def score(self, X, y=None, sample_weight=None):
        """Return R² of the prediction; without y, on the complete windows of the series itself.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
        """
        return score_windows(self, X, y, sample_weight)

    @property
    def _keras_build_fn(self):
        return partial(build_rnn, n_outputs=self.n_outputs_, seed=self._random_state)

    def _build_keras_model(self):
        self._random_state = _seed(self.random_state)
        return super()._build_keras_model()

    def _get_compile_kwargs(self):
        return _to_compile(super()._get_compile_kwargs())

    def __sklearn_is_fitted__(self):
        return self.initialized_

    def __sklearn_tags__(self):
        # scikeras' order of base classes hides the tags of RegressorMixin.
        tags = super().__sklearn_tags__()
        tags.estimator_type = "regressor"
        tags.regressor_tags = RegressorTags()
        return window_regressor_tags(tags)


class SciKerasRNNClassifier(KerasClassifier):
    """Recurrent network that tells the class of windows, as a scikeras estimator.

    Two classes share one sigmoid output, more have a softmax output each.

    Parameters
    ----------
    model__cell : {"lstm", "gru", "rnn"}, default="lstm"
        The recurrent cell.
    model__units : int or tuple of int, default=64
        Units of the recurrent layer; a tuple stacks layers.
    model__activation : str, default="tanh"
        Activation of the cells' output.
    model__bidirectional : bool, default=False
        Whether each layer also reads the window backwards.
    model__dropout : float in [0, 1), default=0.0
        Share of each recurrent layer's outputs dropped in training.
    loss : str, keras.losses.Loss or its class, or callable, default=None
        None is ``"binary_crossentropy"`` for two classes and
        ``"sparse_categorical_crossentropy"`` for more. With the latter by name, two classes have
        two softmax outputs.
    optimizer : str, keras.optimizers.Optimizer or its class, default="adam"
    epochs : int, default=50
    batch_size : int, default=32
        -1 takes all rows at once.
    class_weight : dict or "balanced", default=None
        Weights of the classes, by label; they multiply those of the rows.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, dropout and the order of the batches. The same int gives the same bits.
    verbose : int, default=0
    **kwargs : dict
        Any other parameter of `scikeras.wrappers.KerasClassifier`, such as ``callbacks``,
        ``validation_split`` and ``warm_start``, and routed ones, such as
        ``optimizer__learning_rate`` and ``callbacks__patience``. They can be set later as well.

    Attributes
    ----------
    model_ : keras.Model
        The fitted network.
    history_ : dict of str to list of float
        Losses and metrics of each epoch.
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    n_classes_ : int
        How many they are.
    input_shape_ : tuple (n_timesteps, n_features)
        The shape of one window.
    n_features_in_ : int
        Columns of a 2-D X; features of a 3-D X.

    See Also
    --------
    SciKerasRNNRegressor : Predicts numbers.
    build_rnn : Builds the network from the ``model__`` parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from skrnn import WindowTransformer
    >>> from skrnn.scikeras import SciKerasRNNClassifier
    >>> series = np.sin(np.arange(120) / 4).reshape(-1, 1)
    >>> rises = np.where(np.diff(series[:, 0], prepend=-1) > 0, "up", "down")
    >>> rnn = SciKerasRNNClassifier(
    ...     model__cell="gru", model__units=8, optimizer__learning_rate=0.02, epochs=15,
    ...     random_state=0,
    ... )
    >>> model = make_pipeline(WindowTransformer(10), rnn).fit(series[:100], rises[:100])
    >>> model.predict_proba(series[100:]).shape
    (20, 2)
    >>> model.score(series[100:], rises[100:]) > 0.8
    True
    """

    _routing_prefixes = KerasClassifier._routing_prefixes | {"callbacks"}

    def __init__(
        self,
        *,
        model__cell="lstm",
        model__units=64,
        model__activation="tanh",
        model__bidirectional=False,
        model__dropout=0.0,
        loss=None,
        optimizer="adam",
        epochs=50,
        batch_size=32,
        class_weight=None,
        random_state=None,
        verbose=0,
        **kwargs,
    ):
        super().__init__(
            loss=loss,
            optimizer=optimizer,
            epochs=epochs,
            batch_size=batch_size,
            class_weight=class_weight,
            random_state=random_state,
            verbose=verbose,
            **kwargs,
        )
        self.model__cell = model__cell
        self.model__units = model__units
        self.model__activation = model__activation
        self.model__bidirectional = model__bidirectional
        self.model__dropout = model__dropout

    def fit(self, X, y, sample_weight=None, **kwargs):
        """Train a new network on the complete windows of X.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
            Windows. 2-D means one feature.
        y : array-like of shape (n_samples,)
            The label of each row: int, str or bool.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, scaled to mean 1. Rows of weight 0 are left out.
        **kwargs : dict
            For `keras.Model.fit`.

        Returns
        -------
        self : SciKerasRNNClassifier

        Raises
        ------
        ValueError
            If no window is complete, a value inside one is not finite, y holds no labels, or a
            parameter is off.
        """
        go_on = self.warm_start and self.initialized_
        _train(self, super().fit, _labels, X, y, sample_weight, not go_on, **kwargs)
        self.classes_ = self.target_encoder_.classes_  # scikeras forgets them on a warm start
        return self

    def partial_fit(self, X, y, classes=None, sample_weight=None, **kwargs):
        """Train for one epoch more on the complete windows of X.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
            Windows like those before.
        y : array-like of shape (n_samples,)
            The label of each row.
        classes : array-like of shape (n_classes,), default=None
            All labels there will be, for the first call. None takes those in y.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, scaled to mean 1. Rows of weight 0 are left out.
        **kwargs : dict
            For `keras.Model.fit`.

        Returns
        -------
        self : SciKerasRNNClassifier

        Raises
        ------
        ValueError
            As `fit`, and if X has another shape than before or y a label not in `classes_`.
        """
        if classes is not None:
            kwargs["classes"] = np.unique(classes)
        reset = not self.initialized_
        return _train(self, super().partial_fit, _labels, X, y, sample_weight, reset, **kwargs)

    def predict(self, X, **kwargs):
        """Tell the likeliest class of each window.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
            Windows like those seen in `fit`. Incomplete ones are answered too.
        **kwargs : dict
            For `keras.Model.predict`.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels.

        Raises
        ------
        ValueError
            If a window holds NaN or inf, or has another length or other features than in `fit`.
        NotFittedError
            Before `fit`.
        """
        return super().predict(_windows(self, X), **kwargs)

    def predict_proba(self, X, **kwargs):
        """Return the probability of each class.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
            Windows like those seen in `fit`. Incomplete ones are answered too.
        **kwargs : dict
            For `keras.Model.predict`.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.

        Raises
        ------
        ValueError
            As `predict`.
        NotFittedError
            Before `fit`.
        """
        X = _windows(self, X)
        # scikeras drops the axis of a single row.
        return super().predict_proba(X, **kwargs).reshape(len(X), -1)

    def score(self, X, y, sample_weight=None):
        """Return the accuracy of the predicted labels.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
        """
        return ClassifierMixin.score(self, X, y, sample_weight)

    @property
    def _n_logits(self):
        sparse = self.loss is not None and loss_name(self.loss) == _SPARSE
        return 1 if self.n_classes_ == 2 and not sparse else self.n_classes_

    @property
    def _keras_build_fn(self):
        return partial(build_rnn, n_outputs=self._n_logits, seed=self._random_state)

    def _build_keras_model(self):
        self._random_state = _seed(self.random_state)
        return with_probabilities(super()._build_keras_model())

    def _get_compile_kwargs(self):
        settings = _to_compile(super()._get_compile_kwargs())
        if self.loss is None:
            settings["loss"] = "binary_crossentropy" if self._n_logits == 1 else _SPARSE
        return settings

    def __sklearn_is_fitted__(self):
        return self.initialized_

    def __sklearn_tags__(self):
        # scikeras' order of base classes hides the tags of ClassifierMixin.
        tags = super().__sklearn_tags__()
        tags.estimator_type = "classifier"
        tags.classifier_tags = ClassifierTags()
        tags.input_tags.three_d_array = True
        tags.target_tags.required = True
        return tags


_SPARSE = "sparse_categorical_crossentropy"


def _to_compile(settings):
    """Return scikeras' arguments of `keras.Model.compile` with a copy of the optimizer.

    An optimizer belongs to the first network it trains, and scikeras hands on the user's own.
    """
    optimizer = settings["optimizer"]
    copy = type(optimizer).from_config(optimizer.get_config())
    # XLA compiles for longer than networks of this size train.
    return {"jit_compile": False} | settings | {"optimizer": copy}


def _train(estimator, train, check_y, X, y, sample_weight, reset, **kwargs):
    """Call scikeras' `train` on the complete windows; errors leave `estimator` as it was."""
    with unchanged_on_error(estimator):
        check_not_forked()
        X = check_inputs(estimator, X, reset=reset, dtype=keras.config.floatx())
        n_features_in = estimator.n_features_in_
        y = check_y(estimator, X, y)
        weights = check_weights(X, sample_weight)
        rows = slice(n_incomplete(X), None)
        if weights is not None:
            # scikeras leaves out rows of weight 0: the mean of 1 is that of the others.
            weights = weights[rows] * (np.count_nonzero(weights[rows]) / len(weights[rows]))
        try:
            train(X[rows], y[rows], sample_weight=weights, **kwargs)
        finally:
            estimator.n_features_in_ = n_features_in  # scikeras puts the time steps there
    return estimator


def _windows(estimator, X):
    check_is_fitted(estimator)
    check_not_forked()
    return np.asarray(check_inputs(estimator, X, reset=False, dtype=keras.config.floatx()))


def _numbers(estimator, X, y):
    y, ndim = check_outputs(estimator, X, y)
    y = y.astype(keras.config.floatx())
    return y[:, 0] if ndim == 1 else y


def _labels(estimator, X, y):
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None: pass "
            "the label of each row."
        )
    y = column_or_1d(y, warn=True)
    check_consistent_length(X, y)
    known = check_array(
        y[n_incomplete(X) :], ensure_2d=False, dtype=None, input_name="y", estimator=estimator
    )
    check_classification_targets(known)
    return y


def _seed(random_state):
    """Return an int or None: scikeras takes any RandomState for 0, and chokes on NumPy's ints."""
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    return None if random_state is None else int(random_state)
