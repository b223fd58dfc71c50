"""Estimators with scikeras' routed parameters.

`SciKerasRNNRegressor` and `SciKerasRNNClassifier` are scikeras wrappers [1]_ around `build_rnn`.
Parameters such as ``model__units``, ``optimizer__learning_rate`` and ``callbacks__patience`` can be
set and searched over. After a `WindowTransformer` they are trained only on the complete windows, as
`RNNRegressor` is. They are slower and need more memory than `RNNRegressor`, because scikeras passes
the windows to Keras as a single array of n_samples * window_length * n_features values and trains
with `keras.Model.fit`.

This module requires scikeras, which ``pip install skrnn[scikeras]`` installs. Importing scikeras
replaces how Keras pickles models, losses, metrics and optimizers in the whole process. No other
module of skrnn imports it.

Notes
-----
``scikeras.wrappers.KerasRegressor(model=build_rnn, loss="mse", model__units=32)`` also works as the
last step after a `WindowTransformer`, in a `Pipeline`, in a search and in a
`TransformedTargetRegressor`. The classes of this module fix the following limitations of scikeras
0.13 with scikit-learn 1.7 or later:

- The estimators do not have the tags of regressors and classifiers: `is_regressor` and
  `is_classifier` return False. A search does not stratify the folds of a `KerasClassifier`, the
  scorer ``"roc_auc"`` fails, and ensembles such as `VotingRegressor` and `StackingRegressor` do not
  accept them.
- The estimators are also trained on incomplete windows, require y, and set ``n_features_in_`` to
  the number of time steps.
- After a fit on float32, the estimators do not accept float64, and `score` requires y to have the
  same number of dimensions as in `fit`.
- An optimizer object can only be used for one fit, and the seed of any RandomState instance is 0.
  `build_rnn` takes its seed from ``model__seed`` instead of `random_state`.
- ``callbacks__patience`` can be set in the constructor, but not with `set_params`, as in a search.
- `KerasClassifier.predict_proba` of a single row returns an array of one dimension.
- The first fit with a `random_state` permanently enables TensorFlow's op determinism, which makes
  training without a `random_state` fail in the whole process, unless this module was imported
  before.

Two limitations remain. The classes of scikeras define ``_more_tags`` and have mixins after
`BaseEstimator`. Therefore, two of scikit-learn's estimator checks fail
(``check_estimator_tags_renamed`` and ``check_mixin_order``). `keras.Model.predict` compiles the
network for each batch size, so that the last bit of the predictions with ``model__cell="rnn"`` can
depend on the number of rows of previous predictions.

References
----------
.. [1] https://www.adriangb.com/scikeras, source: https://github.com/adriangb/scikeras
"""

import difflib
from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.utils import ClassifierTags, RegressorTags, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from ._checks import unchanged_on_error
from ._docstrings import PARAMETERS, substitute_docs
from ._inputs.weights import check_weights
from ._inputs.windows import (
    check_inputs,
    check_outputs,
    missing_target,
    n_incomplete,
    score_windows,
    window_regressor_tags,
)
from ._keras_compat import keras
from ._process import check_not_forked
from ._sklearn_compat import check_array, check_is_fitted
from .networks.builders import build_rnn
from .networks.stack import expand_keywords

try:
    from scikeras.utils import loss_name, random_state
    from scikeras.wrappers import BaseWrapper, KerasClassifier, KerasRegressor
except ImportError as error:
    raise ImportError(
        "skrnn.scikeras requires scikeras. Install it with: pip install skrnn[scikeras]"
    ) from error

__all__ = ["SciKerasRNNClassifier", "SciKerasRNNRegressor"]

_Array: TypeAlias = ArrayLike | None

# TensorFlow reads TF_DETERMINISTIC_OPS only once. scikeras sets this variable temporarily, and
# would otherwise enable op determinism permanently, with which unseeded training is an error.
random_state.config.is_op_determinism_enabled()

_substitute_docs = substitute_docs(
    model_parameters="\n".join(
        f"model__{PARAMETERS.get(name, name)}"  # python -OO removes the entries
        for name in ("cell", "units", "activation", "bidirectional", "dropout")
    ),
    kwargs="""**kwargs : dict
    Other parameters of the wrapper of scikeras, such as ``callbacks``, ``validation_split`` and
    ``warm_start``, and routed parameters, such as ``model__recurrent_dropout``,
    ``optimizer__learning_rate`` and ``callbacks__patience``.""",
    attributes="""model_ : keras.Model
    The fitted network.
history_ : dict of str to list of float
    Losses and metrics of each epoch.
input_shape_ : tuple (n_timesteps, n_features)
    Shape of a window.
n_features_in_ : int
    Number of columns of a 2-D X, or of features of a 3-D X.
feature_names_in_ : ndarray of shape (n_features,)
    Names of the columns of a 2-D X seen in `fit`. Defined only if X has column names that are all
    strings.
n_outputs_ : int
    Number of outputs, which is the number of columns of y.""",
)


def with_probabilities(model: keras.Model) -> keras.Model:
    """Add the activation that turns the linear outputs of a network into probabilities.

    Parameters
    ----------
    model : keras.Model
        A single output is the log-odds of the second of two classes; several outputs are the
        logits of the classes.

    Returns
    -------
    model : keras.Model
        The same layers followed by a sigmoid (one output) or a softmax (several outputs).
    """
    activation = "sigmoid" if model.output_shape[-1] == 1 else "softmax"
    return keras.Model(model.input, keras.layers.Activation(activation)(model.output))


def _advice(name, known):
    """Return what to write instead of an unknown parameter."""
    optimizers = keras.optimizers.Adam, keras.optimizers.SGD
    for prefix, functions in {"model": [build_rnn], "optimizer": optimizers}.items():
        if any(name in signature(function).parameters for function in functions):
            return f"Did you mean {f'{prefix}__{name}'!r}?"
    routed = {f"model__{parameter}" for parameter in signature(build_rnn).parameters}
    if closest := difflib.get_close_matches(name, sorted(routed | known), n=1):
        return f"Did you mean {closest[0]!r}?"
    return (
        "Parameters of the network begin with 'model__', as in 'model__cell', and those of the "
        "optimizer with 'optimizer__'."
    )


class _WindowNetwork(BaseWrapper):
    """Validation, training and prediction of both estimators; subclasses validate the target."""

    n_features_in_: int
    _routing_prefixes = BaseWrapper._routing_prefixes | {"callbacks"}

    def __init__(
        self,
        *,
        model__cell: str | Callable[..., Any] = "lstm",
        model__units: int | tuple[int, ...] = 64,
        model__activation: str | Callable[..., Any] = "tanh",
        model__bidirectional: bool = False,
        model__dropout: float = 0.0,
        loss: Any = "mse",
        optimizer: Any = "adam",
        epochs: int = 50,
        batch_size: int = 32,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        **kwargs: Any,
    ) -> None:
        self._check_names(kwargs, TypeError)
        super().__init__(
            model__cell=model__cell,
            model__units=model__units,
            model__activation=model__activation,
            model__bidirectional=model__bidirectional,
            model__dropout=model__dropout,
            loss=loss,
            optimizer=optimizer,
            epochs=epochs,
            batch_size=batch_size,
            random_state=random_state,
            verbose=verbose,
            **kwargs,
        )

    def set_params(self, **params: Any) -> Self:
        """Set parameters of the wrapper, and routed parameters.

        Parameters
        ----------
        **params : dict
            Parameters by name, such as ``epochs`` and ``model__units``.

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError
            If a name is unknown.
        """
        self._check_names(params, ValueError)
        for name, value in params.items():
            setattr(self, name, value)
        return self

    @classmethod
    def _check_names(cls, parameters, error):
        """Raise an error if a parameter is neither one of the wrapper nor a routed one."""
        own = {*signature(BaseWrapper).parameters, *signature(cls).parameters} - {"kwargs"}
        # Of the base class: KerasClassifier makes them properties.
        base = BaseWrapper
        own = own.union(base._fit_kwargs, base._predict_kwargs, base._compile_kwargs)
        of_model = signature(build_rnn).parameters
        for name in parameters:
            prefix, routed, rest = name.partition("__")
            if routed and prefix == "model" and rest not in of_model:
                raise error(
                    f"{cls.__name__} has no parameter {name!r}, because build_rnn has no parameter "
                    f"{rest!r}: it has {', '.join(map(repr, of_model))}."
                )
            if name not in own and not (routed and prefix in cls._routing_prefixes):
                raise error(f"{cls.__name__} has no parameter {name!r}. {_advice(name, own)}")

    def _check_no_builder(self):
        """Raise a ValueError for the builders that the wrappers of scikeras take."""
        for name in ("model", "build_fn"):
            if (value := getattr(self, name, None)) is not None:
                raise ValueError(
                    f"{name}={value!r} is not supported: the network of {type(self).__name__} is "
                    "that of build_rnn. Use scikeras.wrappers with another network."
                )

    def fit(
        self, X: ArrayLike, y: _Array = None, sample_weight: _Array = None, **kwargs: Any
    ) -> Self:
        """Train a new network on the complete windows of X.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
            Windows. 2-D arrays have one feature.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target values, or the labels of a classifier. If None, a regressor uses the series of a
            WindowArray.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, which are scaled to mean 1. Samples of weight 0 are excluded.
        **kwargs : dict
            Arguments of `keras.Model.fit`.

        Returns
        -------
        self : estimator
            The fitted estimator.

        Raises
        ------
        ValueError
            If no window is complete, a value is not finite, the labels of a classifier are
            missing or continuous, or a parameter is invalid.
        """
        return self._train(super().fit, X, y, sample_weight, resume=self.warm_start, **kwargs)

    def predict(self, X: ArrayLike, **kwargs: Any) -> np.ndarray:
        """Predict the target of each window.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
            Windows of the same shape as in `fit`. Predictions include incomplete windows.
        **kwargs : dict
            Arguments of `keras.Model.predict`.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted values in the dtype of the network, with the same number of dimensions as y in
            `fit`, or predicted labels.

        Raises
        ------
        ValueError
            If a window contains NaN or infinity, or its shape differs from that in `fit`.
        NotFittedError
            If the estimator is not fitted.
        """
        return super().predict(self._check_windows(X), **kwargs)

    def _check_windows(self, X):
        check_is_fitted(self)
        check_not_forked()
        return np.asarray(check_inputs(self, X, reset=False, dtype=keras.config.floatx()))

    def _train(self, train, X, y, sample_weight, *, resume, **kwargs):
        """Call a method of scikeras on the complete windows. Errors leave the estimator as is."""
        with unchanged_on_error(self):
            self._check_no_builder()
            check_not_forked()
            reset = not (resume and self.initialized_)
            X = check_inputs(self, X, reset=reset, dtype=keras.config.floatx())
            n_features_in = self.n_features_in_
            y = self._check_target(X, y)
            weights = check_weights(X, sample_weight)
            rows = slice(n_incomplete(X), None)
            if weights is not None:
                # scikeras excludes rows of weight 0: the others must have mean 1.
                weights = weights[rows] * (np.count_nonzero(weights[rows]) / len(weights[rows]))
            try:
                train(X[rows], y[rows], sample_weight=weights, **kwargs)
            finally:
                self.n_features_in_ = n_features_in  # scikeras counts the time steps
        return self

    def _build_keras_model(self):
        # scikeras replaces any RandomState with 0, and does not accept integers of NumPy.
        seed = self.random_state
        if isinstance(seed, np.random.RandomState):
            seed = seed.randint(2**31 - 1)
        self._random_state = None if seed is None else int(seed)
        return super()._build_keras_model()

    def _get_compile_kwargs(self):
        settings = super()._get_compile_kwargs()
        # An optimizer belongs to the first network it trains, and scikeras passes the user's.
        optimizer = settings["optimizer"]
        settings["optimizer"] = type(optimizer).from_config(optimizer.get_config())
        # Compiling small networks with XLA takes longer than training them.
        return {"jit_compile": False} | settings

    def __sklearn_is_fitted__(self):
        return self.initialized_


@_substitute_docs
class SciKerasRNNRegressor(_WindowNetwork, KerasRegressor):
    """Recurrent network that predicts numbers from windows, as a scikeras estimator.

    Parameters
    ----------
    {model_parameters}
    loss : str, keras.losses.Loss or its class, or callable, default="mse"
        The loss.
    optimizer : str, keras.optimizers.Optimizer or its class, default="adam"
        The optimizer. An instance is copied and not modified.
    {epochs}
    batch_size : int, default=32
        Number of samples in a batch. -1 means all samples.
    random_state : int, RandomState instance or None, default=None
        Seed of the weights, dropout and the order of the batches. Pass an int for bit-identical
        results across calls.
    {verbose}
    {kwargs}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    RNNRegressor : The same networks without scikeras, with less training time and memory.
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

    def partial_fit(
        self, X: ArrayLike, y: _Array = None, sample_weight: _Array = None, **kwargs: Any
    ) -> Self:
        """Train for one more epoch on the complete windows of X.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
            Windows of the same shape as in previous calls.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target values. If None, the series of a WindowArray is used.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, which are scaled to mean 1. Samples of weight 0 are excluded.
        **kwargs : dict
            Arguments of `keras.Model.fit`.

        Returns
        -------
        self : SciKerasRNNRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            As for `fit`, or if the shape of X or y differs from that of previous calls.
        """
        return self._train(super().partial_fit, X, y, sample_weight, resume=True, **kwargs)

    def score(self, X: ArrayLike, y: _Array = None, sample_weight: _Array = None) -> float:
        """Return the coefficient of determination R² of the predictions.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
            Windows of the same shape as in `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target values. If None, the complete windows of a WindowArray are scored on its series.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        score : float
            R² of the predictions.
        """
        return score_windows(self, X, y, sample_weight)

    def _check_target(self, X, y):
        y, ndim = check_outputs(self, X, y)
        y = y.astype(keras.config.floatx())
        return y[:, 0] if ndim == 1 else y

    @property
    def _keras_build_fn(self):
        return partial(build_rnn, n_outputs=self.n_outputs_, seed=self._random_state)

    def __sklearn_tags__(self):
        # The order of the base classes in scikeras hides the tags of RegressorMixin.
        tags = super().__sklearn_tags__()
        tags.estimator_type = "regressor"
        tags.regressor_tags = RegressorTags()
        return window_regressor_tags(tags)


@_substitute_docs
class SciKerasRNNClassifier(_WindowNetwork, KerasClassifier):
    """Recurrent network that predicts the class of windows, as a scikeras estimator.

    The output layer is a single sigmoid unit for two classes, and a softmax for more.

    Parameters
    ----------
    {model_parameters}
    optimizer : str, keras.optimizers.Optimizer or its class, default="adam"
        The optimizer. An instance is copied and not modified.
    {epochs}
    batch_size : int, default=32
        Number of samples in a batch. -1 means all samples.
    random_state : int, RandomState instance or None, default=None
        Seed of the weights, dropout and the order of the batches. Pass an int for bit-identical
        results across calls.
    {verbose}
    loss : str, keras.losses.Loss or its class, or callable, default=None
        The loss. If None, ``"binary_crossentropy"`` is used for two classes and
        ``"sparse_categorical_crossentropy"`` for more. If the latter is set explicitly, the output
        layer is also a softmax for two classes.
    class_weight : dict or "balanced", default=None
        Weights of the classes by label, which are multiplied by the sample weights.
    {kwargs}

    Attributes
    ----------
    {attributes}
    classes_ : ndarray of shape (n_classes,)
        The sorted labels.
    n_classes_ : int
        Number of classes.

    See Also
    --------
    RNNClassifier : Similar networks without scikeras, also for sequences of different lengths.
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

    def __init__(
        self,
        *,
        loss: Any = None,
        class_weight: dict[Any, float] | str | None = None,
        **parameters: Any,
    ) -> None:
        super().__init__(loss=loss, class_weight=class_weight, **parameters)

    expand_keywords(__init__, _WindowNetwork.__init__)

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: _Array = None,
        sample_weight: _Array = None,
        **kwargs: Any,
    ) -> Self:
        """Train for one more epoch on the complete windows of X.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
            Windows of the same shape as in previous calls.
        y : array-like of shape (n_samples,)
            Labels: int, str or bool.
        classes : array-like of shape (n_classes,), default=None
            All classes that can occur in later calls. It is used only in the first call. If None,
            the classes in y are used.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, which are scaled to mean 1. Samples of weight 0 are excluded.
        **kwargs : dict
            Arguments of `keras.Model.fit`.

        Returns
        -------
        self : SciKerasRNNClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            As for `fit`, or if the shape of X differs from that of previous calls, or y contains a
            label that is not in `classes_`.
        """
        if classes is not None:
            kwargs["classes"] = np.unique(classes)
        return self._train(super().partial_fit, X, y, sample_weight, resume=True, **kwargs)

    def predict_proba(self, X: ArrayLike, **kwargs: Any) -> np.ndarray:
        """Predict the probabilities of the classes.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
            Windows of the same shape as in `fit`. Predictions include incomplete windows.
        **kwargs : dict
            Arguments of `keras.Model.predict`.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Probabilities in the order of `classes_`.

        Raises
        ------
        ValueError
            As for `predict`.
        NotFittedError
            If the estimator is not fitted.
        """
        windows = self._check_windows(X)
        # scikeras drops the first axis if there is only one row.
        return super().predict_proba(windows, **kwargs).reshape(len(windows), -1)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: _Array = None) -> float:
        """Return the accuracy of the predicted labels.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
            Windows of the same shape as in `fit`.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        score : float
            Accuracy of the predictions.
        """
        return ClassifierMixin.score(self, X, y, sample_weight)

    def _train(self, train, X, y, sample_weight, *, resume, **kwargs):
        super()._train(train, X, y, sample_weight, resume=resume, **kwargs)
        self.classes_ = self.target_encoder_.classes_  # scikeras loses them in a warm start
        return self

    def _check_target(self, X, y):
        if y is None:
            raise missing_target(self, ": pass the label of each window.")
        y = column_or_1d(y, warn=True)
        check_consistent_length(X, y)
        labels = check_array(
            y[n_incomplete(X) :], ensure_2d=False, dtype=None, input_name="y", estimator=self
        )
        check_classification_targets(labels)
        return y

    @property
    def _keras_build_fn(self):
        is_sparse = self.loss is not None and loss_name(self.loss) == _SPARSE_CROSSENTROPY
        n_outputs = 1 if self.n_classes_ == 2 and not is_sparse else self.n_classes_
        return partial(build_rnn, n_outputs=n_outputs, seed=self._random_state)

    def _build_keras_model(self):
        return with_probabilities(super()._build_keras_model())

    def _get_compile_kwargs(self):
        settings = super()._get_compile_kwargs()
        if self.loss is None:
            is_binary = self.n_classes_ == 2
            settings["loss"] = "binary_crossentropy" if is_binary else _SPARSE_CROSSENTROPY
        return settings

    def __sklearn_tags__(self):
        # The order of the base classes in scikeras hides the tags of ClassifierMixin.
        tags = super().__sklearn_tags__()
        tags.estimator_type = "classifier"
        tags.classifier_tags = ClassifierTags()
        tags.input_tags.three_d_array = True
        tags.target_tags.required = True
        return tags


_SPARSE_CROSSENTROPY = "sparse_categorical_crossentropy"
