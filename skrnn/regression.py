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
    n_incomplete,
    n_purged,
    n_unknown,
    purged_time_split,
    score_windows,
    window_regressor_tags,
)
from ._linear import LinearForecast, linear_change, shrinkage_weights
from ._parameters import POSITIVE_INT
from ._sklearn_compat import NotFittedError, StrOptions, check_is_fitted, fit_context
from ._target import check_columns, check_features, fit_affine_target, window_value
from .windows._array import is_windows

if TYPE_CHECKING:
    import keras

__all__ = ["RNNRegressor"]

# Smallest number of training windows, and of windows in the holdout, with early_stopping="auto".
_MIN_HOLDOUT = 10


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
    early_stopping : bool or "auto", default="auto"
        Whether to stop when the loss on a holdout has not decreased for `n_iter_no_change` epochs,
        and to restore the best weights. The holdout consists of the *last* windows in time. Earlier
        windows that share rows with it are excluded from training. For plain arrays, shared rows
        are not known, and no windows are excluded. "auto" is True in `fit` if there is a base
        forecast (see `residual`), and at least 10 windows in the holdout and 10 to train on.
        Otherwise, and in `partial_fit`, it is False.
    validation_fraction : float in (0, 1), default=0.2
        Fraction of the samples to hold out for early stopping.
    {n_iter_no_change}
    {fit_parameters}
    output : {"last", "sequence"}, default="last"
        Whether to predict one target for each window or for each time step. With "sequence", y is
        required and has shape (n_samples, n_timesteps[, n_outputs]).
    network : callable, default=None
        Custom builder of the network. It is called with those of the keywords ``input_shape``,
        ``n_outputs``, ``output``, ``seed`` and the parameters of the recurrent layers (``cell`` to
        ``recurrent_l2``) that are in its signature, and returns a new `keras.Model`. It also gets
        `center_windows`, `scale_windows` and `segment_length` if they are set. A compiled model
        keeps its loss and optimizer. If None, `build_rnn` is used. See `skrnn.networks` for other
        builders.
    {chunk_length}
    residual : "auto", "linear", bool, int or sequence of int, default="auto"
        The base forecast. The network predicts the change from it.

        - True is the last value of the target column in the window, ``a * last + b``. The column
          is determined by matching y to the columns of the series. a and b are estimated in `fit`,
          because y may be scaled differently from X. Targets several steps ahead, as those of
          `steps_ahead`, are matched to later rows of a column.
        - An int is the index of the column. For several outputs, pass a sequence with one index
          per output.
        - "linear" adds a linear forecast of the change from the last value: a ridge regression on
          the windows relative to their last row [2]_. See the Notes.
        - False is no base forecast.
        - "auto" is "linear" in `fit` if X consists of windows of a `WindowTransformer` with
          ``horizon >= 1``, y is a column of the series, `network` is None and `output` is "last".
          Otherwise it is False, as it is if the first call is `partial_fit`, because a base
          forecast of the first batch would not be updated.
    center_windows : bool, sequence of int or "auto", default="auto"
        Whether the network subtracts the last row from each window, so that it does not depend on
        the level of the series [2]_. A sequence contains the indices of the features to subtract.
        "auto" is True if there is a base forecast, `network` is None and the windows have more
        than one row.
    scale_windows : bool, default=False
        Whether the network divides each feature of a window, relative to its last row, by its root
        mean square, and multiplies its outputs by that of the target column [3]_. Requires a base
        forecast.
    segment_length : int, default=None
        Number of rows in a time step of the recurrent layers: each window is split into segments of
        this many consecutive rows [4]_. It must divide the window length. If None, each row is a
        time step. Cannot be combined with `chunk_length`.
    loss : str, keras.losses.Loss or callable, default="mse"
        The loss function.

    Attributes
    ----------
    model_ : keras.Model
        The fitted network, a plain Keras model. It includes the base forecast, if there is one.
    network_weight_ : ndarray of shape (n_outputs,)
        Weight of the network in each output, from 0 to 1. It is 1 without a holdout. Defined only
        if there is a base forecast.
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

    With a base forecast, a prediction is the base forecast plus the weight of the network times its
    output. After training, the weight is set by the errors on the holdout: it is the least squares
    weight times the positive part of a James-Stein factor, so it is 0 if the network does not
    reduce the errors of the base forecast by more than their standard error. Outputs of the same
    column have the same weight. The layer of the weights in `model_` is
    ``model_.get_layer("network_weight")``.

    The regularization strength of the linear forecast minimizes the leave-one-out error on the
    training windows. The linear forecast is shrunk by its errors on the holdout in the same way.
    The network is trained on the change from it. After training, its coefficients are replaced
    with those of all complete windows. They are in ``model_.get_layer("linear_change")``.
    `partial_fit` and `warm_start` do not change the base forecast. Without a holdout, they do not
    change the weights.

    References
    ----------
    .. [1] R. J. Williams, J. Peng (1990). An efficient gradient-based algorithm for on-line
       training of recurrent network trajectories. Neural Computation 2(4).
    .. [2] A. Zeng, M. Chen, L. Zhang, Q. Xu (2023). Are transformers effective for time series
       forecasting? AAAI Conference on Artificial Intelligence.
    .. [3] T. Kim et al. (2022). Reversible instance normalization for accurate time-series
       forecasting against distribution shift. International Conference on Learning
       Representations.
    .. [4] S. Lin et al. (2023). SegRNN: Segment recurrent neural network for long-term time series
       forecasting. arXiv:2308.11200.

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
    early_stopping: bool | str = "auto"  # type: ignore[assignment]
    validation_fraction: float = 0.2
    residual: str | bool | int | Sequence[int] = "auto"
    center_windows: str | bool | Sequence[int] = "auto"
    scale_windows: bool = False
    segment_length: int | None = None
    loss: str | keras.losses.Loss | Callable[..., Any] = "mse"

    _parameter_constraints = BaseSequenceRNN._parameter_constraints | {
        "early_stopping": [StrOptions({"auto"}), "boolean"],
        "residual": [StrOptions({"auto", "linear"}), "boolean", Integral, "array-like"],
        "center_windows": [StrOptions({"auto"}), "boolean", "array-like"],
        "scale_windows": ["boolean"],
        "segment_length": [POSITIVE_INT, None],
        "loss": [str, callable],
    }
    _fixed_parameters = (
        "output",
        "residual",
        "center_windows",
        "scale_windows",
        "segment_length",
        "network",
        "loss",
    )

    # The number of rows by which the last output is later than the first one.
    _max_step = 0

    @fit_context
    def fit(self, X: ArrayLike, y: ArrayLike | None = None, sample_weight: Any = None) -> Self:
        """Train the network on the complete windows of X.

        Parameters
        ----------
        X : WindowArray, array-like, list of arrays or DataFrame of series
            Windows or sequences, as described in the class docstring.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target. None is the series that a WindowArray was made from. The last rows of targets
            several steps ahead may be incomplete, as those of `steps_ahead`. They are excluded.
            With ``output="sequence"`` of shape (n_samples, n_timesteps[, n_outputs]), or a list of
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

    def _complete_rows(self, X, y):
        return range(n_incomplete(X), len(y) - n_unknown(y))

    def _network_to_train(self, X, y, data, resume):
        network = super()._network_to_train(X, y, data, resume)
        if self._has_holdout == "auto":
            self._has_holdout = network.baseline is not None and self._can_hold_out(*data[:2])
        return network

    def _can_hold_out(self, X, y):
        """Return whether there are enough rows for a holdout with ``early_stopping="auto"``."""
        n_rows = len(self._complete_rows(X, y))
        n_holdout = round(self.validation_fraction * n_rows)
        return min(n_holdout, n_rows - n_holdout - n_purged(X, self._max_step)) >= _MIN_HOLDOUT

    def _split_holdout(self, X, y, weights, rows, seed):
        split = purged_time_split(X, rows, self.validation_fraction, self._max_step)
        return X, y, weights, *split

    def _build_network(self, X, y, data, seed, settings):
        from .networks.builders import build_rnn

        windows, target, weights = data
        baseline = self._fit_baseline(X, y, windows, target, weights)
        options = self._window_options(baseline)
        if self._has_masking:
            options["masking"] = True
        network = self._build(build_rnn, baseline, seed, settings, target.shape[-1], **options)
        if self._has_masking:
            check_masks(network, windows)
        return network

    def _window_options(self, baseline):
        """Return the options of the builder that are not parameters of the recurrent layers.

        Custom builders get those that are set.
        """
        center, (n_timesteps, n_features) = self.center_windows, self.input_shape_
        if isinstance(center, str):
            center = baseline is not None and self.network is None and n_timesteps > 1
        elif np.ndim(center):
            center = check_features("center_windows", center, n_features)
        if self.segment_length is not None and self.chunk_length is not None:
            raise ValueError(
                f"segment_length={self.segment_length} and chunk_length={self.chunk_length} cannot "
                "be combined: the time steps of the network are segments. Set one of them to None."
            )
        if self.scale_windows and baseline is None:
            raise ValueError(
                f"scale_windows=True with residual={self.residual!r}: predictions are scaled back "
                "to the units of the target by the spread of its column in the window, so it "
                "needs a base forecast. Set residual=True, or scale_windows=False."
            )
        options: dict[str, Any] = {
            "center_windows": center,
            "scale_windows": self.scale_windows,
            "segment_length": self.segment_length,
        }
        return {name: value for name, value in options.items() if np.ndim(value) or value}

    def _fit_baseline(self, X, y, windows, target, weights):
        """Return the columns, scales, shifts and coefficients of the base forecast, or None."""
        residual, self._max_step = self.residual, 0
        if isinstance(residual, bool | np.bool_) and not residual:
            return None
        if isinstance(residual, str) and residual == "auto":
            residual, is_partial_fit = "linear", self._has_holdout is None
            if is_partial_fit or self.network is not None or self._reason_against_baseline(X):
                return None
        elif (reason := self._reason_against_baseline(X)) is not None:
            raise ValueError(f"residual={self.residual!r} {reason}")
        is_linear = isinstance(residual, str)
        n_outputs = target.shape[1]
        columns = None if is_linear or isinstance(residual, bool | np.bool_) else residual
        columns = check_columns("residual", columns, n_outputs, self.input_shape_[1])
        if y is None and columns is None:
            columns = [*range(n_outputs)]
        skip = X.n_incomplete
        try:
            *affine, steps = fit_affine_target(X.target[skip:], target[skip:], columns)
        except ValueError:
            if isinstance(self.residual, str) and self.residual == "auto":
                return None
            raise
        self._max_step = max(steps)
        if not is_linear:
            return *affine, None
        return *affine, self._fit_linear_change(X, affine, windows, target, weights)

    def _reason_against_baseline(self, X):
        """Return why there is no base forecast for the windows X, or None."""
        if self.output == "sequence":
            return (
                "starts from the last value of a window, but with output='sequence' each time step "
                "has a target. Set residual=False."
            )
        if not is_windows(X):
            return (
                "needs windows made by WindowTransformer, which contain the series that y is "
                "matched to, but X is a plain array. Set residual=False."
            )
        if X.horizon == 0:
            return (
                "with horizon=0 would start from the row to predict. Use horizon >= 1, or "
                "residual=False."
            )
        return None

    def _fit_linear_change(self, X, affine, windows, target, weights):
        """Return the coefficients of the linear forecast that the network is trained on.

        Those of all rows are set after training.
        """
        series, rows = X.stacked(), self._complete_rows(X, target)
        changes = target - self._last_value(series, affine)
        n_lags = X.horizon - 1 + self._max_step
        linear = LinearForecast(series, changes, affine[0], n_lags, weights)
        if not self._has_holdout or (
            self._has_holdout == "auto" and not self._can_hold_out(windows, target)
        ):
            return linear.fit(rows).coefficients
        *_, train, holdout = self._split_holdout(windows, target, weights, rows, None)
        normalize_weights(weights, train, holdout)  # raises if all of them are zero
        linear.fit(train, holdout)
        self._final_coefficients = linear.refit(rows)
        return linear.coefficients

    def _train(self, network, arguments, epochs, progress, resume):
        if not resume or network.baseline is None:
            return super()._train(network, arguments, epochs, progress, resume)
        weights, coefficients = network.forecast_weights(), network.coefficients()
        self._set_base_of_training(network)
        try:
            super()._train(network, arguments, epochs, progress, resume)
        finally:
            network.set_forecast_weights(weights)
            if coefficients is not None:
                network.set_coefficients(coefficients)

    def _set_base_of_training(self, network):
        """Set the base forecast that the network learns the change from."""
        network.set_forecast_weights(np.ones(network.n_outputs))
        *_, coefficients = network.baseline
        if self._has_holdout and coefficients is not None:
            network.set_coefficients(coefficients)  # those of the training rows

    def _finish_training(self, network, X, data):
        """Set the weight of the network by its errors on the holdout, and the base of all rows."""
        if network.baseline is None or not self._has_holdout:
            return
        final_coefficients = self.__dict__.pop("_final_coefficients", network.coefficients())
        windows, target, weights = data
        rows = self._complete_rows(windows, target)
        *_, holdout = self._split_holdout(windows, target, weights, rows, None)
        part = slice(holdout.start, holdout.stop)
        series, target = X.stacked().part(part), target[part]
        weights = None if weights is None else weights[part]
        base = self._last_value(series, network.baseline)
        self._set_base_of_training(network)
        change = network.predict(windows.part(part), without_baseline=True).astype(np.float64)
        if (coefficients := network.coefficients()) is not None:
            linear = linear_change(series, range(len(target)), coefficients)
            base, change = base + linear, change - linear
        groups, n_lags = network.baseline[0], X.horizon - 1 + self._max_step
        network.set_forecast_weights(
            shrinkage_weights(change, target - base, groups, n_lags, weights)
        )
        if final_coefficients is not None:
            network.set_coefficients(final_coefficients)

    @staticmethod
    def _last_value(X, baseline):
        """Return the last value of each window, in the units of the targets."""
        columns, scales, shifts, *_ = baseline
        return window_value(X, columns).astype(np.float64) * scales + shifts

    @property
    def network_weight_(self) -> np.ndarray:
        """Weight of the network in each output, if there is a base forecast."""
        if not hasattr(self, "_network"):
            raise NotFittedError(
                f"This {type(self).__name__} is not fitted yet, so it has no network_weight_. Call "
                "fit."
            )
        if self._network.baseline is None:
            raise AttributeError(
                f"This {type(self).__name__} has no network_weight_, because it was fitted without "
                "a base forecast (see `residual`)."
            )
        return self._network.forecast_weights()

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
            series = X.stacked() if is_windows(X) else np.reshape(X, windows.shape)
            y_pred += self._last_value(series, baseline)
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
            The last rows of targets several steps ahead may be incomplete. They are excluded.
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
