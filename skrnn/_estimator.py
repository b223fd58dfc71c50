"""Base classes of the recurrent estimators: parameters, training, and fitted attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from ._checks import unchanged_on_error
from ._inputs.sequences import masked_steps, pad_to_bucket, right_align
from ._inputs.weights import normalize_weights
from ._inputs.windows import n_incomplete, purged_time_split
from ._parameters import (
    OPTIMIZER_CONSTRAINTS,
    SEQUENCE_CONSTRAINTS,
    STACK_CONSTRAINTS,
    TRAINING_CONSTRAINTS,
    RNNParameters,
    SequenceParameters,
)
from ._process import check_not_forked, limit_threads_in_worker
from ._progress import FitProgress
from ._sklearn_compat import CallbackSupportMixin, NotFittedError
from .windows._array import is_windows

if TYPE_CHECKING:
    import keras

    from ._engine.network import Network


# Attributes of an estimator, and the attributes of the engine's record of training.
_CURVES = {
    "loss_curve_": "losses",
    "validation_loss_curve_": "validation_losses",
    "validation_scores_": "validation_scores",
}


class BaseRNN(RNNParameters, CallbackSupportMixin, BaseEstimator):
    """Base class of the recurrent estimators.

    Subclasses validate the data (`_validate_input`), build the network (`_build_network`) and
    score predictions on the holdout (`_score_holdout`).
    """

    loss_curve_: list[float]
    validation_loss_curve_: list[float]
    validation_scores_: list[float]
    n_iter_: int
    n_outputs_: int
    n_features_in_: int
    input_shape_: tuple[int, int]
    _network: Network

    _parameter_constraints = STACK_CONSTRAINTS | OPTIMIZER_CONSTRAINTS | TRAINING_CONSTRAINTS
    # Parameters of subclasses that a resumed fit must not change, besides those of the stack.
    _fixed_parameters: tuple[str, ...] = ()

    def _fit(self, X, y, sample_weight, *, partial=False, classes=None):
        """Train a new network, or resume training; `partial` is for `partial_fit`."""
        if partial and self.early_stopping and not isinstance(self.early_stopping, str):
            raise ValueError(
                "partial_fit does not support early_stopping=True, because it trains for one "
                "epoch. Set early_stopping=False."
            )
        resume = (partial or self.warm_start) and hasattr(self, "_network")
        epochs = 1 if partial else self._n_epochs(X, y)
        progress = FitProgress(self, epochs)
        with unchanged_on_error(self):
            check_not_forked()
            limit_threads_in_worker()
            self._check_callbacks()
            data = self._validate_input(X, y, sample_weight, resume, classes)
            progress.begin(X, self._callback_target(y, data), sample_weight)
            self._has_holdout = None if partial else self.early_stopping  # None in partial_fit
            network = self._network_to_train(X, y, data, resume)
            arguments = self._training_arguments(network, data)
            try:
                self._train(network, arguments, epochs, progress, resume)
            except KeyboardInterrupt as interrupt:
                if hasattr(interrupt, "record"):
                    self._finish_training(network, X, data)
                raise
            self._finish_training(network, X, data)
            progress.end(fitted_attributes(network))
        return self

    def _validate_input(self, X, y, sample_weight, resume, classes):
        """Return X, y and sample weights as arrays, and set the fitted attributes of the data.

        `classes` is the argument of `partial_fit` of a classifier, or None.
        """
        raise NotImplementedError

    def _n_epochs(self, X, y):
        """Return the number of epochs of a fit to X and y, which are not validated."""
        return self.epochs

    def _network_settings(self):
        """Return the parameters of the network, which a resumed fit must not change."""
        fixed = [*STACK_CONSTRAINTS, "optimizer", "clipnorm", "clipvalue", *self._fixed_parameters]
        return {name: getattr(self, name) for name in fixed}

    def _optimizer_settings(self):
        """Return the arguments of `Network.compile` except the loss."""
        return {name: getattr(self, name) for name in ("optimizer", *OPTIMIZER_CONSTRAINTS)}

    def _callback_target(self, y, data):
        """Return the y to pass to scikit-learn callbacks."""
        return y

    def _build_network(self, X, y, data, seed, settings):
        """Return a new network for X and y, validated as `data`."""
        raise NotImplementedError

    def _loss(self):
        """Return the loss as an argument of `keras.Model.compile`."""
        raise NotImplementedError

    def _score_holdout(self, y, y_pred, sample_weight):
        """Return the score of the network's outputs on the holdout."""
        raise NotImplementedError

    def _check_resumed(self, network, data):
        """Raise a ValueError if a fitted network cannot be trained on the data."""

    def _check_callbacks(self):
        import keras

        for callback in self.callbacks or ():
            if not isinstance(callback, keras.callbacks.Callback):
                raise ValueError(
                    f"callbacks must contain Keras callbacks, got {callback!r}. Pass callbacks of "
                    "scikit-learn to set_callbacks(...)."
                )

    def _network_to_train(self, X, y, data, resume):
        """Return the compiled network to train: the fitted one if training is resumed."""
        settings = self._network_settings()
        if resume:
            network = self._network
            check_same_settings(network, settings)
            self._check_resumed(network, data)
        else:
            seed = draw_seed(self.random_state)
            network = self._build_network(X, y, data, seed, settings)
        network.compile(loss=self._loss(), **self._optimizer_settings())
        return network

    def _training_arguments(self, network, data):
        """Return the arguments of `fit_network`: the rows to train on, without the holdout."""
        import keras

        X, y, weights = data
        rows, validation = self._complete_rows(X, y), None
        if self._has_holdout:
            X, y, weights, rows, holdout = self._split_holdout(X, y, weights, rows, network.seed)
            weights = normalize_weights(weights, rows, holdout, mask=self._loss_mask(X, y))
            validation = self._validation(network, X, y, weights, holdout)
        dtype = keras.config.floatx()
        X, trainer_class = self._select_trainer(X)
        return {
            "X": X,
            "y": y.astype(dtype, copy=False) if y.dtype.kind == "f" else y,
            "sample_weight": None if weights is None else weights.astype(dtype, copy=False),
            "rows": rows,
            "validation": validation,
            "trainer_class": trainer_class,
        }

    def _complete_rows(self, X, y):
        """Return the rows with a complete window and a target."""
        return range(n_incomplete(X), len(X))

    def _finish_training(self, network, X, data):
        """Adjust a trained network by its errors on the holdout, also after an interrupt."""

    def _split_holdout(self, X, y, weights, rows, seed):
        """Split the rows in time; classifiers stratify sequences instead."""
        return X, y, weights, *purged_time_split(X, rows, self.validation_fraction)

    def _loss_mask(self, X, y):
        """Return where there is a loss, None for everywhere."""
        return None

    def _select_trainer(self, X):
        """Return X in the format of the trainer, and the class of the trainer."""
        from ._engine.trainer import Trainer

        return X, Trainer

    def _validation(self, network, X, y, weights, rows):
        """Return a function that computes the loss and the score on consecutive rows."""
        from ._engine.fit import evaluate_loss

        holdout = slice(rows.start, rows.stop)
        X, y = X.part(holdout) if is_windows(X) else X[holdout], y[holdout]
        weights = None if weights is None else weights[holdout]

        def validate():
            y_pred = network.predict(X)
            loss = evaluate_loss(network, y, y_pred, weights)
            return loss, float(self._score_holdout(y, y_pred, weights))

        return validate

    def _train(self, network, arguments, epochs, progress, resume):
        """Train a network and set the fitted attributes, also after a KeyboardInterrupt."""
        from ._engine.fit import fit_network

        if not resume:
            for name in _CURVES:
                self.__dict__.pop(name, None)
        n_before = len(self.loss_curve_) if resume else 0
        curves = {
            name: getattr(self, name, []) if resume else []
            for name in _CURVES
            if name == "loss_curve_" or self._has_holdout or (resume and hasattr(self, name))
        }

        def attributes(record):
            # Epochs without a holdout have NaN in its curves, so that all curves align.
            return fitted_attributes(network) | {
                name: _pad(before, n_before)
                + _pad(getattr(record, _CURVES[name]), len(record.losses))
                for name, before in curves.items()
            }

        try:
            record = fit_network(
                network,
                **arguments,
                epochs=epochs,
                batch_size=self.batch_size,
                patience=self.n_iter_no_change,
                callbacks=self.callbacks,
                verbose=self.verbose,
                begin_epoch=progress.begin_epoch,
                end_epoch=lambda record: progress.end_epoch(lambda: attributes(record)),
            )
        except KeyboardInterrupt as interrupt:
            if (record := getattr(interrupt, "record", None)) is not None:
                self.__dict__.update(attributes(record))
            raise
        self.__dict__.update(attributes(record))

    @property
    def model_(self) -> keras.Model:
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
        tags.non_deterministic = False
        return tags


class BaseSequenceRNN(SequenceParameters, BaseRNN):
    """Base class of the recurrent estimators of windows and sequences of numbers."""

    _parameter_constraints = BaseRNN._parameter_constraints | SEQUENCE_CONSTRAINTS

    def _check_chunk_length(self):
        if self.chunk_length is not None and self.bidirectional:
            raise ValueError(
                f"chunk_length={self.chunk_length} carries the state forwards from one time step "
                "to the next, but with bidirectional=True, layers also process the sequence "
                "backwards. Set bidirectional=False, or chunk_length=None."
            )

    def _build(self, build, baseline, seed, settings, n_outputs, **options):
        """Return a new network of `network`, or of a builder of the package."""
        import keras

        from ._engine.network import build_network

        n_timesteps, n_features = self.input_shape_
        is_sequence = self.output == "sequence"
        in_chunks = is_sequence and self.chunk_length is not None
        options |= {name: settings[name] for name in (*STACK_CONSTRAINTS, "output")}
        options |= {
            "input_shape": (None if in_chunks else n_timesteps, n_features),
            "n_outputs": n_outputs,
        }
        network = self.network, build, baseline, seed, settings, keras.config.floatx()
        return build_network(*network, sequence=is_sequence, **options)

    def _network_to_train(self, X, y, data, resume):
        from ._engine.eligibility import check_loss

        network = super()._network_to_train(X, y, data, resume)
        _, targets, weights = data
        check_loss(network.loss(), targets, weights)
        return network

    def _select_trainer(self, X):
        from ._engine.tbptt import select_tbptt_trainer

        if self.chunk_length is not None and self.output == "last" and not is_windows(X):
            X = right_align(X)  # gradients are truncated before the last time steps
        return select_tbptt_trainer(X, self.chunk_length, self.output)

    def _predict_sequences(self, X):
        """Return the outputs for validated sequences of any length that the network takes."""
        network = self._network
        n_timesteps, fixed = X.shape[1], network.n_timesteps
        can_pad = network.has_masking and not is_windows(X)
        if fixed is not None and n_timesteps != fixed and not (can_pad and n_timesteps < fixed):
            raise ValueError(
                f"X has sequences of {n_timesteps} time steps, but the network takes {fixed}. "
                "Pass sequences of that length, or build the network on (None, n_features)."
            )
        check_masks(network, X)
        if can_pad:
            X = pad_to_bucket(X, self.input_shape_[0])
        outputs = network.predict(X)
        return outputs[:, :n_timesteps] if outputs.ndim == 3 else outputs


def check_masks(network: Network, X: np.ndarray) -> None:
    """Raise a ValueError if there are masked time steps that a custom network would read."""
    if not network.has_masking and masked_steps(X.series[:, None] if is_windows(X) else X).any():
        raise ValueError(
            "X contains masked time steps (NaN, or sequences of unequal lengths), but the network "
            "has no layer that masks them. Begin it with "
            "keras.layers.Masking(skrnn.networks.MASKED), or pad or truncate the sequences."
        )


def draw_seed(random_state: int | np.random.RandomState | None) -> int:
    """Return an int from a `random_state`; None draws it from NumPy's global random state."""
    return int(check_random_state(random_state).randint(2**31 - 1))


def fitted_attributes(network: Network) -> dict[str, Any]:
    """Return the fitted attributes that are derived from a network."""
    return {
        "_network": network,
        "n_iter_": network.epochs_done,
        "n_outputs_": network.n_outputs,
    }


def check_same_settings(network: Network, settings: dict[str, Any]) -> None:
    """Raise a ValueError if a resumed fit changes the settings of the network."""
    for name, fitted in network.settings.items():
        if not _is_same(settings[name], fitted):
            raise ValueError(
                f"The network was fitted with {name}={fitted!r}, and training cannot be resumed "
                f"with {name}={settings[name]!r}. Set it back, or fit with warm_start=False."
            )


def _is_same(value, other):
    """Return whether two parameters are equal; Keras objects are if their configs are."""
    if isinstance(value, type) or isinstance(other, type):
        return value is other
    if hasattr(value, "get_config") and type(value) is type(other):
        import keras

        if isinstance(value, keras.losses.Loss):  # the config of Huber lacks its delta
            return vars(value) == vars(other)
        return value.get_config() == other.get_config()
    return value is other or np.array_equal(value, other)


def _pad(curve, length):
    return curve + [float("nan")] * (length - len(curve))
