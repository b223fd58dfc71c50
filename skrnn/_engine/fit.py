"""Training of a network: the epochs, their callbacks, and early stopping."""

import keras
import numpy as np
import tensorflow as tf

from ..windows._array import aligned_empty, is_windows
from .network import has_batch_hooks
from .parameters import assign, values_of, variables_of
from .trainer import Trainer

# Batches per graph call of `keras.Model.fit`, unless a callback has a hook for batches.
_STEPS_PER_EXECUTION = 32


class EpochRecorder(keras.callbacks.Callback):
    """Set the order of the rows in each epoch, record losses and scores, and stop early."""

    def __init__(self, rows, network, validation, patience, begin_epoch, end_epoch):
        super().__init__()
        self.rows, self.network = rows, network
        self.order = self.order_variable = self.rng = None
        self.validation, self.patience = validation, patience
        self.begin_epoch, self.end_epoch = begin_epoch, end_epoch
        self.losses, self.validation_losses, self.validation_scores = [], [], []
        self.best_loss, self.best_weights, self.best_epoch = np.inf, None, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.rng = np.random.default_rng([self.network.seed, self.network.epochs_done])
        if self.order is None:
            self.order = aligned_empty((len(self.rows),), np.int32)
        # The range of the rows, made in place.
        self.order.fill(1)
        self.order[0] = self.rows.start
        np.cumsum(self.order, out=self.order)
        self.rng.shuffle(self.order)
        if self.order_variable is not None:
            self.order_variable.assign(self.order)
        self.begin_epoch()

    def on_epoch_end(self, epoch, logs=None):
        self.network.epochs_done += 1
        self.losses.append(float(logs["loss"]))
        if not np.isfinite(self.losses[-1]):
            raise ValueError(
                f"Training diverged: the loss of epoch {epoch + 1} is {self.losses[-1]}. Scale X "
                "and y (MinMaxScaler, TransformedTargetRegressor), lower learning_rate, or set "
                "clipnorm."
            )
        if self.validation is not None:
            loss, score = self.validation()
            logs["val_loss"] = loss
            self.validation_losses.append(loss)
            self.validation_scores.append(score)
            if loss < self.best_loss:
                self.best_loss, self.best_epoch = loss, epoch
                self.best_weights = values_of(variables_of(self.model))
            elif epoch - self.best_epoch >= self.patience:
                self.model.stop_training = True
        if self.end_epoch(self):
            self.model.stop_training = True


def fit_network(
    network,
    X,
    y,
    sample_weight=None,
    *,
    rows,
    epochs,
    batch_size,
    validation=None,
    patience=10,
    callbacks=None,
    verbose=0,
    begin_epoch,
    end_epoch,
    trainer_class=Trainer,
):
    """Train a network on some rows of X and y.

    Parameters
    ----------
    network : Network
        A network with an optimizer and a loss.
    X : WindowArray or ndarray of shape (n_samples, n_timesteps, n_features)
        Windows are gathered batch by batch from the series of a WindowArray.
    y : ndarray of shape (n_samples, n_outputs)
    sample_weight : ndarray of shape (n_samples,), default=None
        If there are outputs at each time step, of shape (n_samples, n_timesteps) or (n_samples, 1).
    rows : range
        The rows to train on, in a new order in each epoch.
    epochs, batch_size : int
    validation : callable, default=None
        Called after each epoch. Returns the validation loss and score. Training stops if the loss
        has not decreased for `patience` epochs, and the best weights are restored.
    patience : int, default=10
    callbacks : list of keras.callbacks.Callback, default=None
    verbose : int, default=0
    begin_epoch, end_epoch : callable
        Called without arguments, and with the record. `end_epoch` returns whether to stop.
    trainer_class : class, default=Trainer
        The class of the trainer, whose data may accept other types of X and y.

    Returns
    -------
    record : EpochRecorder
        `losses`, `validation_losses` and `validation_scores` are lists of float.

    Raises
    ------
    ValueError
        If the loss is not finite, or a callback is not supported. The network is then unchanged.
    KeyboardInterrupt
        If interrupted. Its attribute `record` is the record. The network keeps its current values.
    """
    callbacks = list(callbacks or [])
    _check_resumable(callbacks)
    record = EpochRecorder(rows, network, validation, patience, begin_epoch, end_epoch)
    data = (X, y, sample_weight)
    try:
        with network.trainer(callbacks, trainer_class) as trainer:
            model = network.model if trainer is None else trainer.model
            try:
                if trainer is None:
                    _train_with_keras(model, data, epochs, batch_size, record, callbacks, verbose)
                else:
                    _train_fused(trainer, data, epochs, batch_size, record, callbacks, verbose)
            finally:
                if record.best_weights is not None:
                    assign(variables_of(model), record.best_weights)
                    record.best_weights = None
    except KeyboardInterrupt as interrupt:
        if record.order is not None:
            interrupt.record = record  # type: ignore[attr-defined]
        raise
    finally:
        for callback in [record, *callbacks]:
            # A pickle of the callback would include the model. Overridden methods are not called.
            keras.callbacks.Callback.set_model(callback, None)
    return record


def _check_resumable(callbacks):
    """Raise a ValueError if a callback would resume the training of an earlier process."""
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            raise ValueError(
                f"callbacks contains {type(callback).__name__}, which is not supported: training "
                "that it resumes would repeat the order of the rows of the first epochs, and its "
                "loss curve would lack them. Save the fitted estimator with joblib.dump, and "
                "resume with partial_fit or warm_start=True."
            )


def _train_fused(trainer, data, epochs, batch_size, record, callbacks, verbose):
    """Train with a `Trainer`, which calls the hooks of the callbacks."""
    model = trainer.model
    data = trainer.data_class(*data)
    events = keras.callbacks.CallbackList(
        [record, *callbacks],
        add_progbar=bool(verbose),
        model=model,
        verbose=verbose,
        epochs=epochs,
        steps=data.steps_per_epoch(len(record.rows), batch_size),
    )
    calls_batch_hooks = any(map(has_batch_hooks, callbacks))

    def after_call(batches, loss):
        if verbose or calls_batch_hooks:
            events.on_train_batch_end(batches - 1, {"loss": loss})

    before_batch = events.on_train_batch_begin if calls_batch_hooks else None
    model.stop_training = False
    events.on_train_begin()
    for epoch in range(epochs):
        events.on_epoch_begin(epoch)
        data.set_epoch_order(record.order, record.rng)
        logs = {"loss": trainer.run_epoch(data, batch_size, after_call, before_batch)}
        events.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    model.optimizer.finalize_variable_values(model.trainable_variables)
    events.on_train_end(logs)


def _train_with_keras(model, data, epochs, batch_size, record, callbacks, verbose):
    """Train with `keras.Model.fit`, on the same batches."""
    order = tf.Variable(tf.zeros(len(record.rows), tf.int32), trainable=False)
    record.order_variable = order
    n_batches = -(-len(record.rows) // batch_size)
    calls_batch_hooks = verbose or any(map(has_batch_hooks, callbacks))
    steps = 1 if calls_batch_hooks else min(n_batches, _STEPS_PER_EXECUTION)
    if model.steps_per_execution != steps:
        model.steps_per_execution = steps
        model.make_train_function(force=True)
    model.fit(
        _make_dataset(data, order, batch_size, n_batches),
        epochs=epochs,
        verbose=verbose,
        callbacks=[record, *callbacks],
        shuffle=False,
    )


def _make_dataset(data, order, batch_size, n_batches):
    """Return an epoch as a `tf.data.Dataset`, in the order that a variable holds."""
    X, y, sample_weight = data
    series = tf.constant(X.series if is_windows(X) else X)
    window = tf.range(X.window_length) if is_windows(X) else None
    targets = [tf.constant(y)] + ([] if sample_weight is None else [tf.constant(sample_weight)])

    @tf.autograph.experimental.do_not_convert
    def gather(number):
        rows = order[number * batch_size : (number + 1) * batch_size]
        index = rows if window is None else rows[:, None] + window
        return (tf.gather(series, index), *(tf.gather(target, rows) for target in targets))

    options = tf.data.Options()
    options.autotune.enabled = False
    return tf.data.Dataset.range(n_batches).map(gather).with_options(options)


def evaluate_loss(network, y, y_pred, sample_weight=None):
    """Return the loss of a network on its predictions, as a float."""
    loss = keras.losses.get(network.loss())
    y = y.astype(y_pred.dtype)
    if isinstance(loss, keras.losses.Loss):
        return float(loss(y, y_pred, sample_weight=sample_weight))
    values = np.asarray(keras.ops.convert_to_numpy(loss(y, y_pred)))
    if sample_weight is None:
        return float(values.mean())
    weights = np.broadcast_to(sample_weight, values.shape[: sample_weight.ndim])
    return float(np.average(values.reshape(*weights.shape, -1).mean(axis=-1), weights=weights))
