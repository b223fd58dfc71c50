"""RNNRegressor: a recurrent network that predicts numbers from windows."""

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.metrics import r2_score

from ._checks import unchanged_on_error
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
from ._inputs.weights import check_step_weights, check_weights, normalize_weights
from ._inputs.windows import (
    check_inputs,
    check_outputs,
    check_sequence_targets,
    n_incomplete,
    purged_time_split,
    score_windows,
    window_regressor_tags,
)
from ._process import check_not_forked, limit_threads_in_worker
from ._progress import FitProgress
from ._sklearn_compat import (
    CallbackSupportMixin,
    Interval,
    NotFittedError,
    StrOptions,
    check_is_fitted,
    fit_context,
)
from ._target import check_columns, fit_affine_target
from .windows._array import is_windows

__all__ = ["RNNRegressor"]


class RNNRegressor(CallbackSupportMixin, RegressorMixin, BaseEstimator):
    """Recurrent network that predicts numbers from windows of a series.

    Stacked recurrent layers read each window, and a linear layer turns the last state into the
    outputs. It goes behind a `WindowTransformer` in a stock `Pipeline`, where it learns from the
    complete windows alone, and also takes plain arrays of sequences.

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
        Whether to predict what comes after the window, or a value at each of its steps; y is then
        of shape (n_samples, n_timesteps) or (n_samples, n_timesteps, n_outputs), and has to be
        given.
    activation : str, default="tanh"
        Activation of the cells' output.
    bidirectional : bool, default=False
        Whether each layer also reads the window backwards.
    dropout : float in [0, 1), default=0.0
        Share of each recurrent layer's outputs dropped in training.
    recurrent_dropout : float in [0, 1), default=0.0
        Share of the state that each recurrent layer does not hear in training, the same units in
        all steps of a sequence.
    recurrent_initializer : str, default="orthogonal"
        What recurrent weights are drawn by; `build_rnn` names them. "identity" with
        ``cell="rnn", activation="relu"`` keeps gradients from vanishing at first.
    l1, l2 : float, default=0.0
        Penalties on the input weights of the recurrent layers: on absolute values and squares.
    recurrent_l2 : float, default=0.0
        Penalty on the squares of their recurrent weights.
    residual : bool, int or sequence of int, default=False
        Whether to learn the change from a base, ``a * last + b``, where `last` is the window's
        last value of the column that is the target. True finds the column by matching y to the
        series; an int (one for each output, if several) names it. a and b are found in `fit`
        (y may have been scaled apart from X). Training starts at the naive forecast.
    network : callable, default=None
        A builder of your own: called with those of the keywords ``input_shape``, ``n_outputs``,
        ``cell``, ``units``, ``output``, ``activation``, ``bidirectional``, ``dropout``,
        ``recurrent_dropout``, ``recurrent_initializer``, ``l1``, ``l2``, ``recurrent_l2`` and
        ``seed`` that its signature names, it returns a new `keras.Model`. A model it compiled
        itself keeps its own loss and optimizer. None is `build_rnn`; `skrnn.encoders` has others.
    loss : str or keras.losses.Loss or callable, default="mse"
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
        the gradient stops so many steps before the last. None, or no fewer steps than there are,
        carries gradients through all. Not for networks that read backwards.
    early_stopping : bool, default=False
        Whether to stop when the loss on the validation part has not fallen for
        `n_iter_no_change` epochs, and to return to the best weights. The part is the *last* in
        time, and the windows before it that share rows with it are left out of training (of
        plain arrays nobody knows which do, and none are).
    validation_fraction : float in (0, 1), default=0.1
        Share of the complete windows in the validation part.
    n_iter_no_change : int, default=10
    warm_start : bool, default=False
        Whether `fit` goes on training the fitted network, base included. The network's
        settings, loss and optimizer must be those of the first fit; learning_rate may change.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, dropout and the order of the batches. The same int gives the same bits.
        None takes fresh entropy. No global random state is read or changed.
    callbacks : list of keras.callbacks.Callback, default=None
        `sklearn.callback` ones go to `set_callbacks`, where scikit-learn has it.
    verbose : int, default=0
        Keras' verbosity: 0 silent, 1 a progress bar, 2 a line an epoch.

    Attributes
    ----------
    model_ : keras.Model
        The fitted network, a plain Keras model; with `residual`, base included.
    loss_curve_ : list of float
        Training loss of each epoch.
    validation_loss_curve_, validation_scores_ : lists of float
        Loss and R² on the validation part after each epoch, with `early_stopping`.
    n_iter_ : int
        Epochs trained in total.
    n_outputs_ : int
        Values predicted a row.
    input_shape_ : tuple (n_timesteps, n_features)
        The shape of one window.
    n_features_in_ : int
        Columns of a 2-D X; features of a 3-D X.

    See Also
    --------
    WindowTransformer : Makes the windows.
    NaiveRegressor : The baseline to beat.
    SciKerasRNNRegressor : The same networks with scikeras' routed parameters.

    Notes
    -----
    Predictions have the network's dtype, float32 unless Keras is set otherwise (one of
    scikit-learn's estimator checks, ``check_regressor_multioutput``, wants float64, and passes
    where Keras is set so). Sample weights are scaled to mean 1. Ctrl-C ends training with
    KeyboardInterrupt and leaves the estimator fitted with what was learnt.

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
    >>> from sklearn.pipeline import make_pipeline
    >>> from skrnn import RNNRegressor, WindowTransformer
    >>> series = np.sin(np.arange(120) / 4).reshape(-1, 1)
    >>> rnn = RNNRegressor("gru", units=8, epochs=20, learning_rate=0.01, random_state=0)
    >>> model = make_pipeline(WindowTransformer(10), rnn).fit(series[:100])
    >>> model.predict(series[100:]).shape
    (20, 1)
    >>> model.score(series[100:]) > 0.9
    True
    """

    _parameter_constraints = NETWORK | {
        "output": [StrOptions({"last", "sequence"})],
        "residual": ["boolean", Integral, "array-like"],
        "network": [callable, None],
        "loss": [str, callable],
        "chunk_length": [Interval(Integral, 1, None, closed="left"), None],
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
        residual=False,
        network=None,
        loss="mse",
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
        self.residual = residual
        self.network = network
        self.loss = loss
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
        self.warm_start = warm_start
        self.random_state = random_state
        self.callbacks = callbacks
        self.verbose = verbose

    @fit_context
    def fit(self, X, y=None, sample_weight=None):
        """Train the network on the complete windows of X.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
            Windows. 2-D means one feature.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target; None stands for the series that a WindowArray was made from.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, scaled to mean 1; with ``output="sequence"`` also of shape
            (n_samples, n_timesteps).

        Returns
        -------
        self : RNNRegressor

        Raises
        ------
        ValueError
            If no window is complete, a value inside one is not finite, or a parameter is off.
        KeyboardInterrupt
            On Ctrl-C; the estimator is then fitted with what was learnt.
        """
        go_on = self.warm_start and hasattr(self, "_network")
        return self._fit(X, y, sample_weight, epochs=self.epochs, go_on=go_on)

    @fit_context
    def partial_fit(self, X, y=None, sample_weight=None):
        """Train for one epoch more on the complete windows of X.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
            Windows like those before.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target; None stands for the series that a WindowArray was made from.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, scaled to mean 1; with ``output="sequence"`` also of shape
            (n_samples, n_timesteps).

        Returns
        -------
        self : RNNRegressor

        Raises
        ------
        ValueError
            As `fit`, and if X or y has another shape than before, or early_stopping is set.
        """
        if self.early_stopping:
            raise ValueError(
                "partial_fit does not support early_stopping=True: it sees one epoch only. Set "
                "early_stopping=False."
            )
        return self._fit(X, y, sample_weight, epochs=1, go_on=hasattr(self, "_network"))

    def _fit(self, X, y, sample_weight, *, epochs, go_on):
        progress = FitProgress(self, epochs)
        with unchanged_on_error(self):
            check_not_forked()
            limit_threads_in_worker()
            import keras

            check_callbacks(self.callbacks)
            check_chunk_length(self)
            series = X
            X = check_inputs(self, X, reset=not go_on, dtype=keras.config.floatx())
            y_given = y is not None
            y, y_ndim = (
                check_outputs(self, series, y)
                if self.output == "last"
                else check_sequence_targets(self, X, y)
            )
            weights = check_weights(X, sample_weight, of_steps=self.output == "sequence")
            progress.begin(series, y, sample_weight)
            network = self._network_to_train(series, y, y_given, go_on, keras.config.floatx())
            self._y_ndim = y_ndim
            self._train(network, X, y, weights, epochs, progress, go_on)
            progress.end(fitted_state(network))
        return self

    def _network_to_train(self, X, y, y_given, go_on, dtype):
        """Return the network to train, compiled: the fitted one to go on with, or a new one."""
        from ._engine.network import build_network
        from .networks.builders import build_rnn

        compile_settings = {
            "optimizer": self.optimizer,
            "loss": self.loss,
            "learning_rate": self.learning_rate,
            "clipnorm": self.clipnorm,
            "clipvalue": self.clipvalue,
        }
        settings = {name: getattr(self, name) for name in _KEPT_SETTINGS}
        if go_on:
            network = self._network
            check_same_settings(network, settings)
            if y.shape[-1] != self.n_outputs_:
                raise ValueError(
                    f"The network has {self.n_outputs_} outputs and cannot go on with a y of "
                    f"{y.shape[-1]}. Pass y like before, or fit anew with warm_start=False."
                )
            network.compile(**compile_settings)
            return network

        base = self._base(X, y, y_given)
        seed = draw_seed(self.random_state)
        available = {
            "input_shape": build_shape(self),
            "n_outputs": y.shape[-1],
            "sequence": self.output == "sequence",
            **{name: settings[name] for name in _BUILDER_OPTIONS},
        }
        network = build_network(self.network, build_rnn, base, seed, settings, dtype, **available)
        network.compile(**compile_settings)
        return network

    def _base(self, X, y, y_given):
        """Return columns, scales and shifts of the base that `residual` asks for, or None."""
        if isinstance(self.residual, (bool, np.bool_)) and not self.residual:
            return None
        if self.output == "sequence":
            raise ValueError(
                f"residual={self.residual!r} starts from a window's last value, but with "
                "output='sequence' each step has its own. Set residual=False."
            )
        n_outputs = y.shape[1]
        if not is_windows(X):
            raise ValueError(
                f"residual={self.residual!r} needs windows made by WindowTransformer, which know "
                "the series that y is matched to; X is a plain array. Set residual=False."
            )
        if X.horizon == 0:
            raise ValueError(
                f"residual={self.residual!r} with horizon=0 would start from the row to be "
                "predicted itself. Take horizon >= 1, or residual=False."
            )
        named = None if isinstance(self.residual, (bool, np.bool_)) else self.residual
        columns = check_columns("residual", named, n_outputs, self.input_shape_[1])
        if not y_given and columns is None:
            columns = [*range(n_outputs)]
        target, skip = X.target, X.n_incomplete
        return fit_affine_target(target[skip:], y[skip:], columns)

    def _train(self, network, X, y, weights, epochs, progress, go_on):
        """Train `network` on the complete windows, but for those held out."""
        from ._engine.tbptt import select_tbptt_trainer

        rows, validation = range(n_incomplete(X), len(X)), None
        if self.early_stopping:
            rows, held_out = purged_time_split(X, rows, self.validation_fraction)
            weights = normalize_weights(weights, rows, held_out)
            validation = self._validation(network, X, y, weights, held_out)
        to_learn, trainer_class = select_tbptt_trainer(X, self.chunk_length, self.output)
        train(
            self,
            network,
            (to_learn, y.astype(X.dtype, copy=False), as_type(weights, X.dtype)),
            rows=rows,
            validation=validation,
            epochs=epochs,
            progress=progress,
            go_on=go_on,
            trainer_class=trainer_class,
        )

    @staticmethod
    def _validation(network, X, y, weights, rows):
        """Return a function that gives the loss and R² on some consecutive rows."""
        from ._engine.fit import evaluate_loss, predict_network

        rows = slice(rows.start, rows.stop)
        X, y = X.part(rows) if is_windows(X) else X[rows], y[rows]
        weights = None if weights is None else weights[rows]

        def validate():
            y_pred = predict_network(network, X)
            loss = evaluate_loss(network, y, y_pred, weights)
            score = _r2(y, y_pred, weights) if len(y) > 1 else np.nan
            return loss, float(score)

        return validate

    def predict(self, X):
        """Predict the row that each window comes before.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
            Windows like those seen in `fit`. Incomplete ones are answered too. With
            ``output="sequence"`` and a network that takes any number of time steps, as with
            `chunk_length`, they may be longer or shorter.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            In the shape of the y seen in `fit`, and the network's dtype. With
            ``output="sequence"`` of shape (n_samples, n_timesteps) or (n_samples, n_timesteps,
            n_outputs).

        Raises
        ------
        ValueError
            If a window holds NaN or inf, or has other features than in `fit`, or another length
            that the network does not take.
        NotFittedError
            Before `fit`.
        """
        check_is_fitted(self)
        from ._engine.fit import predict_network

        X = self._read(X)
        y = predict_network(self._network, X)
        return y[..., 0] if self._y_ndim < y.ndim else y

    def _read(self, X):
        """Return windows to predict, of any length where there are outputs after each step."""
        network = self._network
        any_length = self.output == "sequence" and network.n_timesteps is None
        return check_inputs(self, X, reset=False, dtype=network.input_dtype, any_length=any_length)

    def score(self, X, y=None, sample_weight=None):
        """Return R² of the prediction; without y, on the complete windows of the series itself.

        With ``output="sequence"`` it is that of all steps together.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        sample_weight : array-like of shape (n_samples,), default=None
            With ``output="sequence"`` also of shape (n_samples, n_timesteps).

        Returns
        -------
        score : float
        """
        if self.output == "last":
            return score_windows(self, X, y, sample_weight)
        check_is_fitted(self)
        X = self._read(X)
        y, _ = check_sequence_targets(self, X, y)
        if y.shape[2] != self.n_outputs_:
            raise ValueError(
                f"y has {y.shape[2]} outputs at each step, but {type(self).__name__} was fitted on "
                f"{self.n_outputs_}. Score with the same outputs."
            )
        if sample_weight is not None:
            sample_weight = check_step_weights(X, sample_weight)
        return float(_r2(y, self._network.predict(X), sample_weight))

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
        tags = window_regressor_tags(super().__sklearn_tags__())
        tags.non_deterministic = False
        return tags


def _r2(y, y_pred, weights):
    """Return R², of steps all together where there are any."""
    if y.ndim == 3:
        weights = None if weights is None else np.broadcast_to(weights, y.shape[:2]).ravel()
        y, y_pred = y.reshape(-1, y.shape[2]), y_pred.reshape(-1, y.shape[2])
    return r2_score(y, y_pred, sample_weight=weights)


_BUILDER_OPTIONS = (*NETWORK, "output")


_COMPILE_OPTIONS = ("optimizer", "loss", "clipnorm", "clipvalue")


_KEPT_SETTINGS = (*_BUILDER_OPTIONS, "residual", "network", *_COMPILE_OPTIONS)
