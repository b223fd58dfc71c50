"""Compiled graphs: an epoch and a prediction each as one call, shared by fits of one architecture.

An epoch is a loop over batches inside one graph, which gathers each batch's windows from the
series. XLA compiles what a batch computes, for a number of rows and time steps that never changes:
a short last batch is filled up with rows of weight zero. Large batches are cut into branches, which
run side by side, each on one thread. Their number depends on shapes alone, and `_engine.kernels` keeps
threads out of single products: the number of cores changes no bit.
"""

import contextlib
import time

import keras
import numpy as np
import tensorflow as tf

from .._keras_compat import all_layers
from .batches import Data, batch_indices, loss_weights, sample_shape
from .eligibility import has_active_dropout, ignored_class, per_sample_loss
from .parameters import (
    FlattenedParameters,
    ModelParameters,
    assign,
    supports_flattening,
    values_of,
    variables_of,
)
from .patch import patched_layers

# What one graph call should last, so that Ctrl-C and progress bars are not kept waiting.
_SECONDS_PER_CALL = 0.3


# Rows of a batch that make a branch of their own, if there are multiplications enough for it.
_ROWS_PER_SHARD = 8


MAX_SHARDS = 16


_MULTIPLICATIONS_PER_SHARD = 2**21


# Batches that XLA runs through in one call, and values in their windows, at most.
_BATCHES_PER_GROUP = 32


_VALUES_PER_GROUP = 2**18


XLA_ERRORS = (
    tf.errors.InvalidArgumentError,
    tf.errors.UnimplementedError,
    tf.errors.InternalError,
    tf.errors.NotFoundError,
)


class Trainer:
    """A compiled `keras.Model` and the graphs that train it; for one fit at a time.

    Parameters
    ----------
    model : keras.Model
        Compiled and `supports_fused_engine`.

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
        self._loss, self._ignored = per_sample_loss(model.loss), ignored_class(model.loss)
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
            except XLA_ERRORS:
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
        parts = n_shards(size, n_steps * model.count_params())
        flat = parts == 1 and supports_flattening(model)
        parameters = FlattenedParameters(model) if flat else ModelParameters(model)
        dropouts = dropout_layers(model)
        # Batches that XLA runs through by itself, where calling it costs as much as its work.
        group = 1
        if parts == 1 and not dropouts:
            n_values = size * int(np.prod(sample_shape(model, n_steps)))
            group = max(1, min(_BATCHES_PER_GROUP, _VALUES_PER_GROUP // n_values))

        def gradients(trainable, others, extra, masks, x, y, weights, states):
            masks = dict(zip(dropouts, masks, strict=True))
            with tf.GradientTape() as tape, patched_layers(model, masks):
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
            masks = [sample_dropout_mask(layer, size, n_steps) for layer in dropouts]
            others = [tf.convert_to_tensor(v) for v in model.non_trainable_variables]
            if parts == 1:
                return many_graph(
                    n_batches, others, masks, x, y, weights, counts, extra, total, states
                )
            shared = parameters.values(), others, [part[0] for part in extra]
            by_row = masks, x[0], y[0], weights[0], states
            branches, loss, states = map_shards(gradients_graph, size, parts, shared, by_row)
            update_graph(branches)
            return total + loss * counts[0], states

        return train, parameters, group

    def _make_gather(self, size, group, kind):
        """Make what gathers a group of batches: x, y, weights, the losses that count, extras."""
        shape, dtype = sample_shape(self.model, kind.n_timesteps), self.dtype

        def gather(series, target, first_target, weights, order, n_rows, batch):
            numbers = batch + tf.range(group)
            index, is_real, counts = batch_indices(order, n_rows, numbers, size, dtype)
            y = tf.gather(target, first_target + index)
            given = None if kind.weights_shape is None else tf.gather(weights, index)
            scale = loss_weights(self._counted(y, is_real, given), given)
            if kind.window_length is not None:
                index = index[..., None] + tf.range(kind.window_length)
            x = tf.reshape(tf.gather(series, index), (group, size, *shape))
            return x, y, scale, counts, []

        return gather


def map_shards(gradients, size, parts, shared, by_row):
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


def n_shards(size, multiplications):
    """Return in how many branches to compute a batch, from the work that a row of it takes."""
    if size * multiplications < 2 * _MULTIPLICATIONS_PER_SHARD:
        return 1
    parts = max(1, min(MAX_SHARDS, size // _ROWS_PER_SHARD))
    while size % parts:
        parts -= 1
    return parts


def dropout_layers(model):
    """Return the layers of a model that drop something, or whose cells do."""
    return [layer for layer in all_layers(model) if has_active_dropout(layer)]


def sample_dropout_mask(layer, size, n_timesteps):
    """Draw what a layer multiplies a batch by, as the layer itself would: a mask, or a list."""
    if isinstance(layer, keras.layers.RNN):
        h = tf.ones((size, layer.state_size[0]), layer.compute_dtype)
        masks = layer.cell.get_recurrent_dropout_mask(h)
        layer.cell.reset_recurrent_dropout_mask()
        return masks if isinstance(masks, list) else [masks]
    shape = [n_timesteps if length is None else length for length in layer.output.shape[1:]]
    ones = tf.ones((size, *shape), layer.compute_dtype)
    return keras.random.dropout(ones, layer.rate, seed=layer.seed_generator)


Trainer.data = Data
