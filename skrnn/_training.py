"""Training and prediction: the only room with a training loop."""

import contextlib
import json
import random
import threading

import keras
import numpy as np
import tensorflow as tf

from ._fork import check_not_forked
from .networks import check_keras_name
from .windows import is_windows

# What one prediction call may hold: values in windows (64 MiB of float32), and rows, as layers
# that return sequences hold many times as much. More at once would not be faster.
_PREDICT_VALUES = 2**24
_PREDICT_ROWS = 2**12
# Batches that one graph call runs through, where no callback asks to see each of them.
_STEPS_PER_CALL = 32

_seeding = threading.Lock()


@contextlib.contextmanager
def seeded(seed):
    """Seed what Keras draws unseeded layers from, and put the global random states back after."""
    with _seeding:
        python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002


def compile_network(model, *, optimizer, loss, learning_rate, clipnorm):
    """Compile `model`, leaving the caller's optimizer as it is; one compiled already is kept."""
    optimizer = check_keras_name("optimizer", optimizer, keras.optimizers)
    check_keras_name("loss", loss, keras.losses)
    if model.compiled:
        return
    settings = optimizer.get_config()
    settings.pop("name", None)
    if learning_rate is not None:
        settings["learning_rate"] = float(learning_rate)
    if clipnorm is not None:
        settings["clipnorm"] = float(clipnorm)
    # XLA compiles for longer than networks of this size train.
    model.compile(optimizer=type(optimizer).from_config(settings), loss=loss, jit_compile=False)


class Network:
    """A fitted `keras.Model` with what it takes to go on training, also after a pickle.

    Parameters
    ----------
    model : keras.Model
    seed : int
        What the order of the rows is drawn from.
    settings : dict
        The estimator's settings that it was built with.
    input_dtype : str
        What windows are cast to.
    own_compile : bool
        Whether the model came compiled from its builder.
    """

    def __init__(self, model, seed, settings, input_dtype, own_compile):
        self._model = model
        self._saved: dict | None = None  # what a pickle holds, until training goes on
        self._predict = None
        self.seed = seed
        self.settings = settings
        self.input_dtype = input_dtype
        self.own_compile = own_compile
        self.epochs_done = 0
        self.n_outputs = int(model.output_shape[-1])

    @property
    def model(self):
        if self._model is None:
            check_not_forked()
            assert self._saved is not None
            self._model = keras.saving.deserialize_keras_object(
                json.loads(self._saved["config"]), safe_mode=False
            )
            _assign(self._model.variables, self._saved["variables"])
        return self._model

    def make_ready(self, **settings):
        """Compile the model, if it is not, and put its optimizer where it stood when pickled."""
        model, saved = self.model, self._saved
        if saved is not None and saved["compile"]:
            model.compile_from_config(json.loads(saved["compile"]))
        compile_network(model, **settings)
        if saved is not None and saved["optimizer"]:
            model.optimizer.build(model.trainable_variables)
            _assign(model.optimizer.variables, saved["optimizer"])
        self._saved = None
        if settings["learning_rate"] is not None and not self.own_compile:
            model.optimizer.learning_rate = float(settings["learning_rate"])

    def snapshot(self):
        """Return what `restore` needs to undo training that failed."""
        model = self.model
        return self.epochs_done, _values(model.variables), _values(model.optimizer.variables)

    def restore(self, snapshot):
        self.epochs_done, variables, optimizer = snapshot
        _assign(self.model.variables, variables)
        _assign(self.model.optimizer.variables, optimizer)

    def predict(self, batch):
        if self._predict is None:
            model = self.model
            # One trace for every number of rows: another one could round the last bit otherwise.
            shape = tf.TensorSpec((None, *batch.shape[1:]), batch.dtype)
            self._predict = tf.function(
                lambda x: model(x, training=False), autograph=False
            ).get_concrete_function(shape)
        return self._predict(batch)

    def __getstate__(self):
        saved = self._saved
        if saved is None:
            model = self._model
            optimizer = getattr(model, "optimizer", None)
            config = keras.saving.serialize_keras_object(model)
            own_compile = config.pop("compile_config", None)
            saved = {
                "config": json.dumps(config),
                "compile": json.dumps(own_compile) if self.own_compile else None,
                "variables": _values(model.variables),
                "optimizer": _values(optimizer.variables) if optimizer and optimizer.built else [],
            }
        return self.__dict__ | {"_model": None, "_predict": None, "_saved": saved}


def _values(variables):
    return [variable.value.numpy() for variable in variables]


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


class _Epochs(keras.callbacks.Callback):
    """Draw each epoch's order, record its losses, and stop early on the validation part."""

    def __init__(self, order, rows, network, validation, patience, begin_epoch, end_epoch):
        super().__init__()
        self.order, self.rows, self.network = order, rows, network
        self.validation, self.patience = validation, patience
        self.begin_epoch, self.end_epoch = begin_epoch, end_epoch
        self.losses, self.validation_losses, self.validation_scores = [], [], []
        self.best_loss, self.best_weights, self.best_epoch = np.inf, None, 0

    def on_epoch_begin(self, epoch, logs=None):
        rng = np.random.default_rng([self.network.seed, self.network.epochs_done])
        self.order.assign(rng.permutation(self.rows))
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
                self.best_weights = _values(self.model.variables)
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
    rows : ndarray of int
        The rows to train on; each epoch takes them in a new order.
    epochs, batch_size, patience, verbose : int
    validation : callable, default=None
        Called after each epoch; returns the loss and the score on the validation part. Training
        stops when the loss has not fallen for `patience` epochs, and the best weights return.
    callbacks : list of keras.callbacks.Callback, default=None
    begin_epoch, end_epoch : callable
        Called without and with the record; end_epoch returns whether to stop.

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
    model = network.model
    callbacks = list(callbacks or [])
    order = tf.Variable(rows, dtype=tf.int64, trainable=False)
    n_batches = -(-len(rows) // batch_size)
    dataset = _batches(X, y, sample_weight, order, batch_size, n_batches)
    record = _Epochs(order, rows, network, validation, patience, begin_epoch, end_epoch)
    before = network.snapshot() if network.epochs_done else None
    # A graph call over many batches costs less than as many calls; a callback may need each.
    every_batch = verbose or any(_sees_batches(callback) for callback in callbacks)
    steps = 1 if every_batch else min(n_batches, _STEPS_PER_CALL)
    if model.steps_per_execution != steps:
        model.steps_per_execution = steps
        model.make_train_function(force=True)
    try:
        model.fit(
            dataset, epochs=epochs, verbose=verbose, callbacks=[record, *callbacks], shuffle=False
        )
    except KeyboardInterrupt as interrupt:
        interrupt.record = record  # type: ignore[attr-defined]
        raise
    except Exception:
        if before is not None:
            network.restore(before)
        raise
    finally:
        if record.best_weights is not None:
            _assign(model.variables, record.best_weights)
            record.best_weights = None
        for callback in [record, *callbacks]:
            # Or a pickle of the callback would hold the network. Callbacks that do more when
            # they get a model need not know of this.
            keras.callbacks.Callback.set_model(callback, None)
    return record


def _sees_batches(callback):
    hooks = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")
    base = keras.callbacks.Callback
    return any(getattr(type(callback), hook) is not getattr(base, hook) for hook in hooks) or (
        isinstance(callback, keras.callbacks.LambdaCallback)
        and any(hook in vars(callback) for hook in hooks)
    )


def _batches(X, y, sample_weight, order, batch_size, n_batches):
    """One epoch as a `tf.data.Dataset`, in the order that stands in `order` when it begins."""
    series = tf.constant(X.series if is_windows(X) else X)
    window = tf.range(X.window_length, dtype=tf.int64) if is_windows(X) else None
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


def loss_of(model, y, y_pred, sample_weight=None):
    """Return the model's loss on predictions made outside of training, as a float."""
    loss = keras.losses.get(model.loss)
    y = y.astype(y_pred.dtype)
    if isinstance(loss, keras.losses.Loss):
        return float(loss(y, y_pred, sample_weight=sample_weight))
    values = np.asarray(keras.ops.convert_to_numpy(loss(y, y_pred)))
    return float(np.average(values.reshape(len(y), -1).mean(axis=1), weights=sample_weight))


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
    check_not_forked()
    windows = np.asarray(X)
    size = min(_PREDICT_ROWS, max(1, _PREDICT_VALUES // max(1, windows[:1].size)))
    outputs = [
        network.predict(tf.constant(windows[start : start + size])).numpy()
        for start in range(0, len(windows), size)
    ]
    return np.concatenate(outputs)
