"""Training and prediction: the only room with a training loop."""

import keras
import numpy as np
import tensorflow as tf

from ..windows._array import aligned_empty, is_windows
from .network import has_batch_hooks
from .parameters import assign, values_of, variables_of
from .trainer import Trainer

# Batches that one graph call runs through, where no callback asks to see each of them.
_STEPS_PER_CALL = 32


class EpochRecorder(keras.callbacks.Callback):
    """Draw each epoch's order, record its losses, and stop early on the validation part."""

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
        # Rows in order, without another array of as many: a one each, added up.
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
    """Train a compiled network on some rows of X and y, and return the record of its epochs.

    Parameters
    ----------
    network : Network
        Its model is compiled.
    X : WindowArray or ndarray of shape (n_samples, n_timesteps, n_features)
        Windows are gathered batch by batch from the series of a WindowArray.
    y : ndarray of shape (n_samples, n_outputs)
    sample_weight : ndarray of shape (n_samples,), default=None
        With outputs after each step, of shape (n_samples, n_timesteps) or (n_samples, 1).
    rows : range
        The rows to train on; each epoch takes them in a new order.
    epochs, batch_size, patience, verbose : int
    validation : callable, default=None
        Called after each epoch; returns the loss and the score on the validation part. Training
        stops when the loss has not fallen for `patience` epochs, and the best weights return.
    callbacks : list of keras.callbacks.Callback, default=None
    begin_epoch, end_epoch : callable
        Called without and with the record; end_epoch returns whether to stop.
    trainer_class : class, default=Trainer
        What trains; any other one takes X and y of its own kinds.

    Returns
    -------
    record : object with `losses`, `validation_losses` and `validation_scores`, lists of float

    Raises
    ------
    ValueError
        If the loss is no longer finite; the network is then as it was before.
    KeyboardInterrupt
        With the record so far as its `record` attribute; the network keeps what it learnt.
    """
    callbacks = list(callbacks or [])
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
            # Or a pickle of the callback would hold the network. Callbacks that do more when
            # they get a model need not know of this.
            keras.callbacks.Callback.set_model(callback, None)
    return record


def _train_fused(trainer, data, epochs, batch_size, record, callbacks, verbose):
    """Train by `_engine.trainer`, with the callbacks' events at the epochs."""
    model = trainer.model
    data = trainer.data(*data)
    events = keras.callbacks.CallbackList(
        [record, *callbacks],
        add_progbar=bool(verbose),
        model=model,
        verbose=verbose,
        epochs=epochs,
        steps=data.steps_an_epoch(len(record.rows), batch_size),
    )

    every_batch = any(has_batch_hooks(callback) for callback in callbacks)

    def after_call(batches, loss):
        if verbose or every_batch:
            events.on_train_batch_end(batches - 1, {"loss": loss})

    model.stop_training = False
    events.on_train_begin()
    for epoch in range(epochs):
        events.on_epoch_begin(epoch)
        data.put_in_order(record.order, record.rng)
        before_batch = events.on_train_batch_begin if every_batch else None
        logs = {"loss": trainer.run_epoch(data, batch_size, after_call, before_batch)}
        events.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    model.optimizer.finalize_variable_values(model.trainable_variables)
    events.on_train_end(logs)


def _train_with_keras(model, data, epochs, batch_size, record, callbacks, verbose):
    """Train by `keras.Model.fit`, in the same order."""
    order = tf.Variable(tf.zeros(len(record.rows), tf.int32), trainable=False)
    record.order_variable = order
    n_batches = -(-len(record.rows) // batch_size)
    # A graph call over many batches costs less than as many calls; a callback may need each.
    every_batch = verbose or any(has_batch_hooks(callback) for callback in callbacks)
    steps = 1 if every_batch else min(n_batches, _STEPS_PER_CALL)
    if model.steps_per_execution != steps:
        model.steps_per_execution = steps
        model.make_train_function(force=True)
    model.fit(
        _keras_dataset(data, order, batch_size, n_batches),
        epochs=epochs,
        verbose=verbose,
        callbacks=[record, *callbacks],
        shuffle=False,
    )


def _keras_dataset(data, order, batch_size, n_batches):
    """One epoch as a `tf.data.Dataset`, in the order that stands in `order` when it begins."""
    X, y, sample_weight = data
    series = tf.constant(X.series if is_windows(X) else X)
    window = tf.range(X.window_length) if is_windows(X) else None
    parts = [tf.constant(y)] + ([] if sample_weight is None else [tf.constant(sample_weight)])

    @tf.autograph.experimental.do_not_convert
    def in_order(_):
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size)

    @tf.autograph.experimental.do_not_convert
    def gather(rows):
        index = rows if window is None else rows[:, None] + window
        return (tf.gather(series, index), *(tf.gather(part, rows) for part in parts))

    options = tf.data.Options()
    options.autotune.enabled = False
    return (
        tf.data.Dataset.from_tensors(0)
        .flat_map(in_order)
        .map(gather)
        .apply(tf.data.experimental.assert_cardinality(n_batches))
        .with_options(options)
    )


def evaluate_loss(network, y, y_pred, sample_weight=None):
    """Return the network's loss on predictions made outside of training, as a float."""
    loss = keras.losses.get(network.loss())
    y = y.astype(y_pred.dtype)
    if isinstance(loss, keras.losses.Loss):
        return float(loss(y, y_pred, sample_weight=sample_weight))
    values = np.asarray(keras.ops.convert_to_numpy(loss(y, y_pred)))
    if sample_weight is None:
        return float(values.mean())
    weights = np.broadcast_to(sample_weight, values.shape[: sample_weight.ndim])
    return float(np.average(values.reshape(*weights.shape, -1).mean(axis=-1), weights=weights))


def predict_network(network, X):
    """Return the network's outputs for every row of X, batch by batch.

    Parameters
    ----------
    network : Network
    X : WindowArray or ndarray of shape (n_samples, n_timesteps, n_features)

    Returns
    -------
    outputs : ndarray of shape (n_samples, n_outputs), of the network's dtype
    """
    return network.predict(X)
