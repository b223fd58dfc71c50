"""RNNRegressor: a recurrent network for regression on windows of a time series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from ._docstrings import substitute_docs
from ._estimator import BaseSequenceRNN, check_masks
from ._inputs.sequences import check_sequences, has_masked_steps, masked_steps
from ._inputs.weights import check_step_weights, check_weights, normalize_weights
from ._inputs.windows import (
    check_inputs,
    check_outputs,
    check_sequence_targets,
    score_windows,
    window_regressor_tags,
)
from ._sklearn_compat import check_is_fitted, fit_context
from ._target import check_columns, fit_affine_target, window_value
from .windows._array import is_windows

if TYPE_CHECKING:
    import keras

__all__ = ["RNNRegressor"]


@substitute_docs()
@dataclass(eq=False, repr=False)
class RNNRegressor(RegressorMixin, BaseSequenceRNN):
    """Recurrent network for regression on windows of a time series.

    Stacked recurrent layers process each window, and a linear layer maps the last hidden state to
    the outputs. Behind a `WindowTransformer` in a stock `Pipeline` it is trained on the complete
    windows only.

    X may also consist of sequences, as in `RNNClassifier`: an array of shape (n_samples,
    n_timesteps, n_features), or (n_samples, n_timesteps) for one feature; a list of arrays of shape
    (n_timesteps, n_features), or (n_timesteps,), of any lengths; or a DataFrame whose cells are
    series. If the sequences in `fit` have different lengths or contain NaN, the network masks
    missing time steps.

    Parameters
    ----------
    {network_parameters}
    {optimizer_parameters}
    {chunk_length}
    {n_features}
    early_stopping : bool, default=False
        Whether to stop when the loss on a holdout has not decreased for `n_iter_no_change` epochs,
        and to restore the best weights. The holdout consists of the *last* windows in time. Earlier
        windows that share rows with it are excluded from training. For plain arrays, shared rows
        are not known, and no windows are excluded.
    {early_stopping_parameters}
    {fit_parameters}
    output : {"last", "sequence"}, default="last"
        Whether to predict one target for each window or for each time step. With "sequence", y is
        required and has shape (n_samples, n_timesteps[, n_outputs]).
    network : callable, default=None
        Custom builder of the network. It is called with those of the keywords ``input_shape``,
        ``n_outputs``, ``output``, ``seed`` and the parameters of the recurrent layers (``cell`` to
        ``recurrent_l2``) that are in its signature, and returns a new `keras.Model`. A compiled
        model keeps its loss and optimizer. If None, `build_rnn` is used. See `skrnn.networks` for
        other builders.
    {chunk_length}
    residual : bool, int or sequence of int, default=False
        Whether to predict the change from a base forecast, ``a * last + b``, where `last` is the
        last value of the target column in the window. If True, the column is determined by
        matching y to the columns of the series. An int is the index of the column; for several
        outputs, pass a sequence with one index per output. a and b are estimated in `fit`, because
        y may be scaled differently from X. Training starts at the naive forecast.
    loss : str, keras.losses.Loss or callable, default="mse"
        The loss function.

    Attributes
    ----------
    model_ : keras.Model
        The fitted network, a plain Keras model. With `residual` it includes the base forecast.
    loss_curve_ : list of float
        Training loss of each epoch.
    validation_loss_curve_, validation_scores_ : lists of float
        Loss and R² on the holdout after each epoch, with `early_stopping`.
    n_iter_ : int
        Total number of training epochs.
    n_outputs_ : int
        Number of outputs.
    input_shape_ : tuple (n_timesteps, n_features)
        Shape of a window.
    n_features_in_ : int
        Number of columns of a 2-D X, or of features of a 3-D X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns of a 2-D X seen in `fit`. Defined only if X has column names that are
        all strings.

    See Also
    --------
    WindowTransformer : Transforms a time series into windows.
    NaiveRegressor : The naive forecast as a regressor.
    SciKerasRNNRegressor : The same networks with scikeras' routed parameters.

    Notes
    -----
    The network computes in float32, unless Keras is configured otherwise. Predictions are float64,
    and the base forecast of `residual` is added in float64, so that a scaler can invert them
    without a loss of digits. Sample weights are scaled to mean 1. Ctrl-C stops training with
    a KeyboardInterrupt and leaves the estimator fitted with the weights reached so far.

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

    _: KW_ONLY
    residual: bool | int | Sequence[int] = False
    loss: str | keras.losses.Loss | Callable[..., Any] = "mse"

    _parameter_constraints = BaseSequenceRNN._parameter_constraints | {
        "residual": ["boolean", Integral, "array-like"],
        "loss": [str, callable],
    }
    _fixed_parameters = ("output", "residual", "network", "loss")

    @fit_context
    def fit(self, X: ArrayLike, y: ArrayLike | None = None, sample_weight: Any = None) -> Self:
        """Train the network on the complete windows of X.

        Parameters
        ----------
        X : WindowArray, array-like, list of arrays or DataFrame of series
            Windows or sequences, as described in the class docstring.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target. None is the series that a WindowArray was made from. With
            ``output="sequence"`` of shape (n_samples, n_timesteps[, n_outputs]), or a list of
            arrays; values at masked time steps are ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, scaled to mean 1. With ``output="sequence"`` also of shape
            (n_samples, n_timesteps).

        Returns
        -------
        self : RNNRegressor

        Raises
        ------
        ValueError
            If no window is complete, if a window contains a value that is not finite, or if a
            parameter is invalid.
        KeyboardInterrupt
            If training is interrupted with Ctrl-C. The estimator is then fitted with the current
            weights.
        """
        return self._fit(X, y, sample_weight)

    @fit_context
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike | None = None, sample_weight: Any = None
    ) -> Self:
        """Train for one epoch on the complete windows of X.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
            Windows of the same shape as in previous calls.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target values. If None, the series of a WindowArray is used.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, scaled to mean 1. With ``output="sequence"`` also of shape
            (n_samples, n_timesteps).

        Returns
        -------
        self : RNNRegressor

        Raises
        ------
        ValueError
            As for `fit`, or if the shape of X or y differs from that of previous calls, or if
            `early_stopping` is True.
        """
        return self._fit(X, y, sample_weight, partial=True)

    def _validate_input(self, X, y, sample_weight, resume, classes):
        import keras

        self._check_chunk_length()
        if not resume:
            self._has_masking = not is_windows(X) and has_masked_steps(type(self).__name__, X)
        windows = self._check_inputs(X, reset=not resume, dtype=keras.config.floatx())
        is_sequence = self.output == "sequence"
        if is_sequence:
            y, self._y_ndim = check_sequence_targets(self, windows, y, self._valid_steps(windows))
        else:
            y, self._y_ndim = check_outputs(self, X, y)
        weights = check_weights(windows, sample_weight, of_steps=is_sequence)
        if is_sequence and self._has_masking:
            valid = self._valid_steps(windows)
            weights = valid * (1.0 if weights is None else weights)
            weights = normalize_weights(weights, range(len(windows)), mask=valid)
        return windows, y, weights

    def _valid_steps(self, X):
        """Return a mask of the time steps that are not masked, None if there are no masks."""
        return ~masked_steps(X) if self._has_masking else None

    def _callback_target(self, y, data):
        _, target, _ = data  # y may be None, the series itself
        return target

    def _check_resumed(self, network, data):
        _, y, _ = data
        if y.shape[-1] != network.n_outputs:
            raise ValueError(
                f"The network has {network.n_outputs} outputs, and training cannot be resumed with "
                f"a y of {y.shape[-1]}. Pass y as before, or fit with warm_start=False."
            )

    def _build_network(self, X, y, data, seed, settings):
        from .networks.builders import build_rnn

        _, target, _ = data
        baseline = self._fit_baseline(X, target, is_series=y is None)
        options = {"masking": True} if self._has_masking else {}
        network = self._build(build_rnn, baseline, seed, settings, target.shape[-1], **options)
        if self._has_masking:
            check_masks(network, data[0])
        return network

    def _fit_baseline(self, X, y, *, is_series):
        """Return columns, scales and shifts of the base forecast of `residual`, or None."""
        if isinstance(self.residual, (bool, np.bool_)) and not self.residual:
            return None
        if self.output == "sequence":
            raise ValueError(
                f"residual={self.residual!r} starts from the last value of a window, but with "
                "output='sequence' each time step has a target. Set residual=False."
            )
        if not is_windows(X):
            raise ValueError(
                f"residual={self.residual!r} needs windows made by WindowTransformer, which "
                "contain the series that y is matched to, but X is a plain array. Set "
                "residual=False."
            )
        if X.horizon == 0:
            raise ValueError(
                f"residual={self.residual!r} with horizon=0 would start from the row to predict. "
                "Use horizon >= 1, or residual=False."
            )
        n_outputs = y.shape[1]
        columns = None if isinstance(self.residual, (bool, np.bool_)) else self.residual
        columns = check_columns("residual", columns, n_outputs, self.input_shape_[1])
        if is_series and columns is None:
            columns = [*range(n_outputs)]
        skip = X.n_incomplete
        return fit_affine_target(X.target[skip:], y[skip:], columns)

    def _loss(self):
        return self.loss

    def _loss_mask(self, X, y):
        return self._valid_steps(X) if self.output == "sequence" else None

    def _score_holdout(self, y, y_pred, sample_weight):
        return _r2(y, y_pred, sample_weight) if len(y) > 1 else np.nan

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predict the row that follows each window.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
            Windows of the fitted shape, including incomplete windows. With ``output="sequence"``
            and a network that accepts any number of time steps, as with `chunk_length`, they may be
            longer or shorter.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions in float64, with the number of dimensions of the fitted y. With
            ``output="sequence"`` of shape (n_samples, n_timesteps[, n_outputs]).

        Raises
        ------
        ValueError
            If a window contains NaN or infinity, if its features differ from those in `fit`, or if
            the network does not accept its length.
        NotFittedError
            If the estimator is not fitted.
        """
        check_is_fitted(self)
        y_pred = self._predict(X, self._check_inputs(X))
        return y_pred[..., 0] if self._y_ndim < y_pred.ndim else y_pred

    def _predict(self, X, windows):
        """Predict X, validated as `windows`, and add the base forecast in float64."""
        baseline = self._network.baseline
        without_baseline = baseline is not None
        if self._has_masking:
            y_pred = self._predict_sequences(windows)
        else:
            y_pred = self._network.predict(windows, without_baseline=without_baseline)
        y_pred = y_pred.astype(np.float64, copy=False)
        if without_baseline:
            columns, scales, shifts = baseline
            series = X.stacked() if is_windows(X) else np.reshape(X, windows.shape)
            y_pred += window_value(series, columns).astype(np.float64) * scales + shifts
        return y_pred

    def _check_inputs(self, X, reset=False, dtype=None):
        """Validate windows or sequences; `dtype` is that of the network by default."""
        network: Any = None if reset else self._network
        dtype = dtype or network.input_dtype
        if self._has_masking:
            in_place = self.output == "sequence"
            return check_sequences(self, X, reset=reset, dtype=dtype, in_place=in_place)
        name = type(self).__name__
        if not reset and not is_windows(X) and has_masked_steps(name, X):
            raise ValueError(
                f"X contains NaN or sequences of unequal lengths, but {name} was fitted without "
                "them, so its network does not mask time steps. Fit on such sequences too, or "
                "fill, pad or truncate them."
            )
        any_length = not reset and self.output == "sequence" and network.n_timesteps is None
        return check_inputs(self, X, reset=reset, dtype=dtype, any_length=any_length)

    def score(self, X: ArrayLike, y: ArrayLike | None = None, sample_weight: Any = None) -> float:
        """Return the R² of the predictions.

        Parameters
        ----------
        X : WindowArray, or array-like of shape (n_samples, n_timesteps[, n_features])
            Windows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target values. If None, the complete windows of a WindowArray are scored on its series.
            With ``output="sequence"``, R² is computed over all time steps.
        sample_weight : array-like of shape (n_samples,), default=None
            With ``output="sequence"`` also of shape (n_samples, n_timesteps).

        Returns
        -------
        score : float
        """
        if self.output == "last":
            return score_windows(self, X, y, sample_weight)
        check_is_fitted(self)
        X = self._check_inputs(X)
        valid = self._valid_steps(X)
        y, _ = check_sequence_targets(self, X, y, valid)
        if y.shape[2] != self.n_outputs_:
            raise ValueError(
                f"y has {y.shape[2]} outputs at each time step, but {type(self).__name__} was "
                f"fitted on {self.n_outputs_}. Score with the same outputs."
            )
        if sample_weight is not None:
            sample_weight = check_step_weights(X, sample_weight)
        if valid is not None:
            sample_weight = valid * (1.0 if sample_weight is None else sample_weight)
        return float(_r2(y, self._predict(X, X), sample_weight))

    def __sklearn_tags__(self):
        tags = window_regressor_tags(super().__sklearn_tags__())
        tags.input_tags.allow_nan = True
        return tags


def _r2(y, y_pred, weights):
    """Return R², over all time steps if there are outputs at each time step."""
    if y.ndim == 3:
        weights = None if weights is None else np.broadcast_to(weights, y.shape[:2]).ravel()
        y, y_pred = y.reshape(-1, y.shape[2]), y_pred.reshape(-1, y.shape[2])
    return r2_score(y, y_pred, sample_weight=weights)
