"""Compiled graphs: an epoch and a prediction each as one call, shared by fits of one architecture.

An epoch is a loop over batches inside one graph, which gathers each batch's windows from the
series. XLA compiles what a batch computes, for a number of rows and time steps that never changes:
a short last batch is filled up with rows of weight zero. Large batches are cut into branches, which
run side by side, each on one thread. Their number depends on shapes alone, and `_kernels` keeps
threads out of single products: the number of cores changes no bit.
"""

import collections
import contextlib
import threading
import time
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from ._architecture import drops, ignored_class, per_row_loss
from ._flat import FlatWeights, can_be_flat
from ._kernels import in_place_of_keras
from .networks import all_layers
from .windows import is_windows

__all__ = [
    "Data",
    "Kind",
    "Predictor",
    "Trainer",
    "assign",
    "clear_compiled",
    "keep_template",
    "predictor_for",
    "take_template",
    "trainer_for",
    "values_of",
    "variables_of",
]

# Programs kept for fits to come, of each sort; the least recently used goes first.
_KEPT = 16
# What one graph call should last, so that Ctrl-C and progress bars are not kept waiting.
_SECONDS_PER_CALL = 0.3
# Rows of a batch that make a branch of their own, if there are multiplications enough for it.
_ROWS_PER_BRANCH = 8
_MOST_BRANCHES = 16
_WORTH_A_BRANCH = 2**21
# Batches that XLA runs through in one call, and values in their windows, at most.
_BATCHES_PER_GROUP = 32
_VALUES_PER_GROUP = 2**18
# Rows that are predicted at once.
_PREDICT_ROWS = 64

_NO_XLA = (
    tf.errors.InvalidArgumentError,
    tf.errors.UnimplementedError,
    tf.errors.InternalError,
    tf.errors.NotFoundError,
)


def _input_shape(model, n_timesteps):
    """Return the shape of one row of a batch."""
    return (n_timesteps, *model.inputs[0].shape[2:])


def variables_of(model):
    return [*model.trainable_variables, *model.non_trainable_variables]


def values_of(variables):
    return [variable.value.numpy() for variable in variables]


def assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


class Trainer:
    """A compiled `keras.Model` and the graphs that train it; for one fit at a time.

    Parameters
    ----------
    model : keras.Model
        Compiled and `is_compilable`.

    Attributes
    ----------
    data : class
        What a trainer takes its batches from, made of X, y and sample weights.
    by_keras : class or None
        What trains in its place where `Network.trainer` finds no way for XLA; None for
        `keras.Model.fit`.
    """

    data: type
    by_keras: type | None = None

    def __init__(self, model):
        self.model = model
        self.dtype = model.outputs[0].dtype
        self._loss, self._ignored = per_row_loss(model.loss), ignored_class(model.loss)
        self._epochs = {}
        self._steps = 4  # batches a graph call
        self._jit = True
        model.optimizer.build(model.trainable_variables)
        self._fresh_optimizer = values_of(model.optimizer.variables)

    def load(self, variables, optimizer, learning_rate):
        """Put every variable where a fit begins; `optimizer` is empty for a first one."""
        assign(variables_of(self.model), variables)
        assign(self.model.optimizer.variables, optimizer or self._fresh_optimizer)
        if learning_rate is not None:
            self.model.optimizer.learning_rate = learning_rate

    def run_epoch(self, data, batch_size, after_call, before_batch=None):
        """Train on all rows of `data` once, and return their mean loss.

        Parameters
        ----------
        data : Data
        batch_size : int
        after_call : callable
            Called after each graph call with the batches done and the loss so far.
        before_batch : callable, default=None
            Called before each batch with its number; there is a graph call for each then.
        """
        size = data.rows_at_once(batch_size)
        key = size, data.kind()
        if key not in self._epochs:
            self._epochs[key] = self._make_epoch(*key)
        epoch, arguments = self._epochs[key], data.arguments(size, self.dtype)
        n_batches, done, carried = data.n_batches(size), 0, self._carried(size)
        while done < n_batches:
            steps = 1 if before_batch else min(self._steps, n_batches - done)
            if before_batch:
                before_batch(done)
            start = time.perf_counter()
            try:
                carried = epoch(*arguments, done, steps, *carried)
                loss = float(carried[0])
            except _NO_XLA:
                if not self._jit:
                    raise
                # XLA refuses before anything was computed, or is not there.
                self._jit = False
                epoch = self._epochs[key] = self._make_epoch(*key)
                continue
            seconds = time.perf_counter() - start
            self._steps = max(1, min(8 * steps, int(steps * _SECONDS_PER_CALL / seconds)))
            done += steps
            after_call(done, loss / data.n_counted(done, size))
        return loss / data.n_counted(done, size)

    def _carried(self, size):
        """Return what an epoch's graph calls hand on, as it is at first: the sum of the losses."""
        return [tf.zeros((), self.dtype)]

    def _counted(self, y, is_real, weights):
        """Return 1 for what has a loss that counts, else 0: rows, or each of their steps.

        It is steps where there are weights of steps or some are left out.

        Parameters
        ----------
        y : tensor of shape (n_batches, size, ...)
        is_real : tensor of bool, of shape (n_batches, size[, n_timesteps])
        weights : tensor of shape (n_batches, size[, 1 or n_timesteps]) or None
        """
        counted = tf.cast(is_real, self.dtype)
        by_step = weights is not None and weights.shape.rank == 3
        if counted.shape.rank == 2 and (by_step or self._ignored is not None):
            counted = tf.repeat(counted[..., None], y.shape[2], axis=2)
        if self._ignored is not None:
            counted *= tf.cast(y != self._ignored, self.dtype)
        return counted

    def _n_steps(self, kind):
        """Return how many steps of its sequences a batch goes through."""
        return kind.n_timesteps

    def _around(self, kind, extra, states):
        """Return the context to call the model in; it hands out a list for the states after it."""
        return contextlib.nullcontext([])

    def _weighable(self, losses, y, weights):
        """Return the losses with one number for each weight: for each row, or each of its steps."""
        shape = tf.concat([tf.shape(y)[: weights.shape.rank], [-1]], axis=0)
        return tf.reduce_mean(tf.reshape(losses, shape), axis=-1)

    def _make_epoch(self, size, kind):
        """Make the graph of an epoch, for batches of a size and data of a kind."""
        train, parameters, group = self._make_train(size, kind)
        gather, dtype = self._make_gather(size, group, kind), self.dtype

        @tf.function(autograph=False)
        def epoch(series, target, first_target, weights, order, n_rows, first, steps, *carried):
            last = first + steps

            def body(batch, total, states):
                data = gather(series, target, first_target, weights, order, n_rows, batch)
                n_batches = tf.minimum(last - batch, group)
                return batch + group, *train(n_batches, *data, total, states)

            total, *states = carried
            parameters.load()
            _, total, states = tf.while_loop(
                lambda batch, *_: batch < last, body, (first, total, states), parallel_iterations=1
            )
            parameters.store()
            return total, *states

        integer = tf.TensorSpec((), tf.int32)
        return epoch.get_concrete_function(
            kind.X,
            kind.y,
            integer,
            tf.TensorSpec((None, *(kind.weights_shape or ())), dtype),
            tf.TensorSpec((None,), tf.int32),
            integer,
            integer,
            integer,
            *(tf.TensorSpec(part.shape, part.dtype) for part in self._carried(size)),
        )

    def _make_train(self, size, kind):
        """Make what trains on a group of batches.

        Returns
        -------
        train : callable
            ``train(n_batches, x, y, weights, counts, extra, total, states)`` trains on the first of
            the batches, adds up their rows' losses in `total`, and returns it with the states.
        parameters : _Weights or FlatWeights
        group : int
            Batches in a group.
        """
        model, n_steps = self.model, self._n_steps(kind)
        parts = branches_of(size, n_steps * model.count_params())
        flat = parts == 1 and can_be_flat(model)
        parameters = FlatWeights(model) if flat else _Weights(model)
        dropouts = dropouts_of(model)
        # Batches that XLA runs through by itself, where calling it costs as much as its work.
        group = 1
        if parts == 1 and not dropouts:
            n_values = size * int(np.prod(_input_shape(model, n_steps)))
            group = max(1, min(_BATCHES_PER_GROUP, _VALUES_PER_GROUP // n_values))

        def gradients(trainable, others, extra, masks, x, y, weights, states):
            masks = dict(zip(dropouts, masks, strict=True))
            with tf.GradientTape() as tape, in_place_of_keras(model, masks):
                tape.watch(trainable)
                with self._around(kind, extra, states) as after:
                    y_pred, _, penalties = model.stateless_call(
                        trainable, others, x, training=True, return_losses=True
                    )
                y = tf.cast(y, y_pred.dtype) if y.dtype.is_floating else y
                losses = self._weighable(self._loss(y, y_pred), y, weights)
                loss = tf.reduce_sum(losses * weights) + sum(penalties) / parts
            zero = tf.UnconnectedGradients.ZERO
            return tape.gradient(loss, trainable, unconnected_gradients=zero), loss, after

        def update(branches):
            parameters.apply([tf.add_n(parts) for parts in zip(*branches, strict=True)])

        def one_after_the_other(
            n_batches, others, masks, xs, ys, weights, counts, extra, total, states
        ):
            """Train on the first of some batches; add up their rows' losses in `total`."""

            def body(i, total, states):
                data = masks, xs[i], ys[i], weights[i], states
                of_batch = [part[i] for part in extra]
                gradient, loss, states = gradients(parameters.values(), others, of_batch, *data)
                update([gradient])
                return i + 1, total + loss * counts[i], states

            return tf.while_loop(lambda i, *_: i < n_batches, body, (0, total, states))[1:]

        gradients_graph, update_graph, many_graph = (
            tf.function(f, jit_compile=self._jit, autograph=False)
            for f in (gradients, update, one_after_the_other)
        )

        def train(n_batches, x, y, weights, counts, extra, total, states):
            masks = [draw_mask(layer, size, n_steps) for layer in dropouts]
            others = [tf.convert_to_tensor(v) for v in model.non_trainable_variables]
            if parts == 1:
                return many_graph(
                    n_batches, others, masks, x, y, weights, counts, extra, total, states
                )
            shared = parameters.values(), others, [part[0] for part in extra]
            by_row = masks, x[0], y[0], weights[0], states
            branches, loss, states = in_branches(gradients_graph, size, parts, shared, by_row)
            update_graph(branches)
            return total + loss * counts[0], states

        return train, parameters, group

    def _make_gather(self, size, group, kind):
        """Make what gathers a group of batches: x, y, weights, the losses that count, extras."""
        shape, dtype = _input_shape(self.model, kind.n_timesteps), self.dtype

        def gather(series, target, first_target, weights, order, n_rows, batch):
            numbers = batch + tf.range(group)
            index, is_real, counts = places_of(order, n_rows, numbers, size, dtype)
            y = tf.gather(target, first_target + index)
            given = None if kind.weights_shape is None else tf.gather(weights, index)
            scale = scale_of(self._counted(y, is_real, given), given)
            if kind.window_length is not None:
                index = index[..., None] + tf.range(kind.window_length)
            x = tf.reshape(tf.gather(series, index), (group, size, *shape))
            return x, y, scale, counts, []

        return gather


def scale_of(counted, weights):
    """Return what to multiply losses by, so that each batch's add up to their weighted mean."""
    axes = list(range(1, counted.shape.rank))
    scale = counted / tf.maximum(tf.reduce_sum(counted, axes, keepdims=True), 1)
    return scale if weights is None else scale * weights


def places_of(order, n_rows, numbers, size, dtype):
    """Return the rows of numbered batches, which of them count, and how many.

    A last batch that is short is filled up with rows that do not count.
    """
    place = numbers[:, None] * size + tf.range(size)
    index = tf.gather(order, tf.minimum(place, n_rows - 1))
    counts = tf.cast(tf.clip_by_value(n_rows - place[:, 0], 1, size), dtype)
    return index, place < n_rows, counts


def in_branches(gradients, size, parts, shared, by_row):
    """Compute a batch in parts that run side by side.

    Parameters
    ----------
    gradients : callable
        Returns the gradients, the loss and the states after it, as a list.
    size, parts : int
        Of the batch.
    shared, by_row : tuples
        What `gradients` is called with: as it is, and row by row.

    Returns
    -------
    branches : list of lists of tensors
        The gradients of each part.
    loss : tensor
        The sum of the losses.
    states : list of tensors
    """
    rows = size // parts
    branches, losses, after = [], [], []
    for i in range(parts):
        branch = slice(i * rows, (i + 1) * rows)
        part = tf.nest.map_structure(lambda values, branch=branch: values[branch], by_row)
        gradient, loss, states = gradients(*shared, *part)
        branches.append(gradient)
        losses.append(loss)
        after.append(states)
    states = [tf.concat(part, axis=0) for part in zip(*after, strict=True)]
    return branches, tf.add_n(losses), states


class _Weights:
    """The trainable variables of a model as they are; `FlatWeights` has the same methods."""

    def __init__(self, model):
        self._model = model

    def load(self):
        pass

    def store(self):
        pass

    def values(self):
        return [tf.convert_to_tensor(variable) for variable in self._model.trainable_variables]

    def apply(self, gradients):
        self._model.optimizer.apply(gradients, self._model.trainable_variables)


def branches_of(size, multiplications):
    """Return in how many branches to compute a batch, from the work that a row of it takes."""
    if size * multiplications < 2 * _WORTH_A_BRANCH:
        return 1
    parts = max(1, min(_MOST_BRANCHES, size // _ROWS_PER_BRANCH))
    while size % parts:
        parts -= 1
    return parts


def dropouts_of(model):
    """Return the layers of a model that drop something, or whose cells do."""
    return [layer for layer in all_layers(model) if drops(layer)]


def recurrent_layers(model):
    return [layer for layer in model.layers if isinstance(layer, keras.layers.RNN)]


def first_states(model, size):
    """Return the states of all recurrent layers before a sequence, in one list."""
    states = [layer.get_initial_state(size) for layer in recurrent_layers(model)]
    return [tf.convert_to_tensor(state) for state in tf.nest.flatten(states)]


def draw_mask(layer, size, n_timesteps):
    """Draw what a layer multiplies a batch by, as the layer itself would: a mask, or a list."""
    if isinstance(layer, keras.layers.RNN):
        h = tf.ones((size, layer.state_size[0]), layer.compute_dtype)
        masks = layer.cell.get_recurrent_dropout_mask(h)
        layer.cell.reset_recurrent_dropout_mask()
        return masks if isinstance(masks, list) else [masks]
    shape = [n_timesteps if length is None else length for length in layer.output.shape[1:]]
    ones = tf.ones((size, *shape), layer.compute_dtype)
    return keras.random.dropout(ones, layer.rate, seed=layer.seed_generator)


class Kind(NamedTuple):
    """What an epoch's graph depends on, the size of its batches aside.

    `X` and `y` are the specs of the tensors, `weights_shape` is the shape of the weights of a row,
    None without weights, and `chunk_length` is that of `_truncation`.
    """

    n_timesteps: int
    window_length: int | None
    X: Any
    y: Any
    weights_shape: tuple | None
    chunk_length: int | None = None


class Data:
    """Rows to train on, as tensors that share the arrays' memory where they can.

    Parameters
    ----------
    X : WindowArray or ndarray of shape (n_samples, n_timesteps, ...)
    y : ndarray of shape (n_samples, ...)
    weights : ndarray of shape (n_samples,) or (n_samples, n_timesteps or 1), or None
    """

    def __init__(self, X, y, weights):
        self.X, self.window_length = source_of(X)
        self.n_timesteps = X.shape[1]
        # Where y is the series itself, it is in memory already.
        self.first_y = _rows_into(y, X.series) if is_windows(X) else None
        self.y = _tensor(y) if self.first_y is None else self.X
        self.weights = None if weights is None else _tensor(weights)
        self.order, self.n_rows = None, 0

    def put_in_order(self, order, rng):
        """Take the order of the rows for the next epoch; `rng` is for all else to be drawn."""
        self.order, self.n_rows = order, len(order)

    def steps_an_epoch(self, n_rows, batch_size):
        return -(-n_rows // batch_size)

    def rows_at_once(self, batch_size):
        return min(batch_size, 2 ** max(0, int(np.ceil(np.log2(self.n_rows)))))

    def n_batches(self, size):
        return -(-self.n_rows // size)

    def n_counted(self, n_batches, size):
        """Return how many losses there are in the first batches."""
        return min(self.n_rows, n_batches * size)

    def kind(self):
        """Return what an epoch's graph depends on."""
        X, y = (tf.TensorSpec((None, *part.shape[1:]), part.dtype) for part in (self.X, self.y))
        weights_shape = None if self.weights is None else tuple(self.weights.shape[1:])
        return Kind(self.n_timesteps, self.window_length, X, y, weights_shape)

    def arguments(self, size, dtype):
        weights = tf.zeros((0,), dtype) if self.weights is None else self.weights
        first_y = tf.constant(self.first_y or 0)
        return self.X, self.y, first_y, weights, _tensor(self.order), tf.constant(self.n_rows)


Trainer.data = Data


def _rows_into(y, series):
    """Return from which row of a series on y is a view of it, or None."""
    start = y.ctypes.data - series.ctypes.data
    same_kind = y.dtype == series.dtype and y.shape[1:] == series.shape[1:]
    if not (np.may_share_memory(y, series) and same_kind and y.strides == series.strides):
        return None
    row = start // series.strides[0]
    return row if start % series.strides[0] == 0 and row + len(y) <= len(series) else None


def source_of(X):
    """Return what windows are gathered from as a tensor: series and length, or windows and None."""
    return (_tensor(X.series), X.window_length) if is_windows(X) else (_tensor(X), None)


def _tensor(array):
    """Return a tensor of an array that nobody writes to any more, without a copy if possible."""
    return tf.raw_ops.Identity(input=np.ascontiguousarray(array))


class Predictor:
    """The graph of a model's outputs, as a function of its weights; for any number of threads."""

    def __init__(self, model):
        self._model = model
        self._graphs = {}
        self._lock = threading.Lock()

    def __call__(self, values, X):
        """Return the outputs for all rows of X, a WindowArray or an array."""
        n_rows = len(X)
        source, window_length = source_of(X)
        spec = tf.TensorSpec((None, *source.shape[1:]), source.dtype)
        key = (1 if n_rows == 1 else _PREDICT_ROWS, X.shape[1], window_length, spec)
        with self._lock:
            if key not in self._graphs:
                self._graphs[key] = self._make(*key)
        return self._graphs[key](values, source, tf.constant(n_rows)).numpy()

    def _make(self, size, n_timesteps, window_length, X_spec):
        model = self._model
        shape = _input_shape(model, n_timesteps)
        n_trainable = len(model.trainable_variables)

        @tf.function(jit_compile=True, autograph=False)
        def outputs(values, x):
            with in_place_of_keras(model):
                return model.stateless_call(
                    values[:n_trainable], values[n_trainable:], x, training=False
                )[0]

        def batch(values, X, first, n_rows):
            index = tf.minimum(first + tf.range(size), n_rows - 1)
            if window_length is not None:
                index = index[:, None] + tf.range(window_length)
            return outputs(values, tf.reshape(tf.gather(X, index), (size, *shape)))

        specs = [tf.TensorSpec(v.shape, v.dtype) for v in variables_of(model)]

        @tf.function(
            autograph=False,
            input_signature=[
                specs,
                X_spec,
                tf.TensorSpec((), tf.int32),
            ],
        )
        def predict(values, X, n_rows):
            if size == 1:
                return batch(values, X, 0, n_rows)
            parts = tf.map_fn(
                lambda first: batch(values, X, first, n_rows),
                tf.range(0, n_rows, size),
                fn_output_signature=model.outputs[0].dtype,
                parallel_iterations=_MOST_BRANCHES,
            )
            row = tf.shape(parts)[2:]  # a model may not know its number of time steps
            return tf.reshape(parts, tf.concat([[-1], row], axis=0))[:n_rows]

        return predict.get_concrete_function()


class _Kept(collections.OrderedDict):
    """The last used of some programs by their key; safe in threads."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()

    def take(self, key):
        with self.lock:
            return self.pop(key, None)

    def put(self, key, program):
        with self.lock:
            self[key] = program
            self.move_to_end(key)
            while len(self) > _KEPT:
                self.popitem(last=False)


_templates, _trainers, _predictors = _Kept(), _Kept(), _Kept()


# Models of `build_rnn`'s that nobody holds, by what they were built with.
take_template, keep_template = _templates.take, _templates.put


@contextlib.contextmanager
def trainer_for(key, make):
    """Lend the trainer that is kept under `key`, or a new one if there is none that is free."""
    trainer = _trainers.take(key) or make()
    try:
        yield trainer
    finally:  # after an error too, as `load` leaves nothing of what was before
        _trainers.put(key, trainer)


def predictor_for(key, make):
    """Return the predictor that is kept under `key`, or a new one."""
    with _predictors.lock:
        found = _predictors.get(key)
    if found is None:
        found = make()
    _predictors.put(key, found)
    return found


def clear_compiled():
    """Forget the compiled networks that are kept for the fits and predictions to come.

    Within a process, fits of networks of the same architecture, shapes, loss and optimizer share
    one compiled network, as do their predictions. The last 16 architectures used are kept. Those
    that hold code of your own, such as a cell, are compiled for each fit. A fitted estimator shares
    none of its state, and works on without: it is compiled anew when needed.

    Examples
    --------
    >>> from skrnn import clear_compiled
    >>> clear_compiled()
    """
    for kept in (_templates, _trainers, _predictors):
        kept.clear()
