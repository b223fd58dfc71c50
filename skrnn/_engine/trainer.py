"""Training in TensorFlow graphs, each of which runs through an epoch or a part of it.

An epoch is a loop over batches inside a graph, which gathers the windows of each batch from the
series. XLA compiles the computation of a batch for a fixed number of rows and time steps: a short
last batch is padded with rows of weight zero. Large batches are split into shards, which run in
parallel with one thread each. The number of shards depends on shapes alone, and `_engine.matmul`
keeps single products from being split among threads: results do not depend on the number of cores.
"""

import time

import keras
import numpy as np
import tensorflow as tf

from .._keras_compat import all_layers
from .batches import Batch, Rows, TrainingData, batch_indices, loss_weights, sample_shape
from .eligibility import (
    has_active_dropout,
    ignored_class,
    max_rows_without_xla,
    per_sample_loss,
    tbptt_loss,
)
from .parameters import (
    FlattenedParameters,
    ModelParameters,
    assign,
    specs_of,
    stateless_scope,
    supports_flattening,
    values_of,
    variables_of,
)
from .patch import patched_layers

# Target duration of a graph call: Ctrl-C and progress bars wait for it to return.
_SECONDS_PER_CALL = 0.3


# Minimum rows of a shard, with XLA and without, and the multiplications that are worth a thread.
_ROWS_PER_SHARD, _ROWS_PER_SHARD_WITHOUT_XLA = 8, 16


_MULTIPLICATIONS_PER_SHARD = 2**21


MAX_SHARDS = 16


# Maximum batches that one call of an XLA program trains on, and values in their windows.
_BATCHES_PER_GROUP = 32


_VALUES_PER_GROUP = 2**18


# What TensorFlow raises if XLA cannot compile a graph or is not available.
XLA_ERRORS = (
    tf.errors.InvalidArgumentError,
    tf.errors.UnimplementedError,
    tf.errors.InternalError,
    tf.errors.NotFoundError,
)


class Trainer:
    """A compiled `keras.Model` and the graphs that train it, for one fit at a time.

    Subclasses define which models they train (`check_model`), how batches are gathered (`gather`),
    how the model is called (`forward`) and which states are carried from batch to batch
    (`initial_carry`).

    Parameters
    ----------
    model : keras.Model
        Compiled.
    fused : bool, default=True
        Whether to train with kernels and XLA, for which the model must be `supports_fused_engine`.
        Otherwise the same graphs call Keras' own layers.

    Attributes
    ----------
    data_class : class
        Makes the batches of X, y and sample weights.
    replaces_model_fit : bool
        Whether the class also trains models that are not fused, instead of `keras.Model.fit`.
    groups_batches : bool
        Whether one XLA program may train on several batches.
    """

    data_class: type = TrainingData
    replaces_model_fit = False
    groups_batches = True

    def __init__(self, model, fused=True):
        self.model, self.fused = model, fused
        # The outputs of a model in mixed precision have a smaller dtype than its variables.
        self.dtype = model.outputs[0].dtype if fused else model.variable_dtype
        self.loss = per_sample_loss(model.loss) if fused else tbptt_loss(model.loss)
        self._ignored_class = ignored_class(model.loss)
        self._epochs = {}
        self._batches_per_call = 4
        self._xla_works = True
        model.optimizer.build(model.trainable_variables)
        self._initial_optimizer_values = values_of(model.optimizer.variables)

    def load(self, values, optimizer_values, learning_rate):
        """Set all variables for a fit. `optimizer_values` is empty before the first fit."""
        assign(variables_of(self.model), values)
        assign(self.model.optimizer.variables, optimizer_values or self._initial_optimizer_values)
        if learning_rate is not None:
            self.model.optimizer.learning_rate = learning_rate

    def run_epoch(self, data, batch_size, after_call, before_batch=None):
        """Train on all rows of `data` once, and return their mean loss.

        Parameters
        ----------
        data : TrainingData
        batch_size : int
        after_call : callable
            Called after each graph call with the number of batches so far and their mean loss.
        before_batch : callable, default=None
            Called before each batch with its number. Each graph call then trains on one batch.
        """
        size = data.effective_batch_size(batch_size)
        spec, tensors = data.batch_spec(), data.tensors(size, self.dtype)
        if (size, spec) not in self._epochs:
            self._epochs[size, spec] = self._make_epoch(size, spec, tensors)
        n_batches, done, carry = data.n_batches(size), 0, self.initial_carry(size)
        while done < n_batches:
            steps = 1 if before_batch else min(self._batches_per_call, n_batches - done)
            if before_batch:
                before_batch(done)
            start = time.perf_counter()
            try:
                carry = self._epochs[size, spec](tensors, done, steps, carry)
                loss = float(carry[0])
            except XLA_ERRORS:
                if not self._xla_works:
                    raise
                # XLA raises before anything was computed.
                self._xla_works = False
                self._epochs[size, spec] = self._make_epoch(size, spec, tensors)
                continue
            seconds = time.perf_counter() - start
            batches_per_call = int(steps * _SECONDS_PER_CALL / seconds)
            self._batches_per_call = max(1, min(8 * steps, batches_per_call))
            done += steps
            after_call(done, loss / data.loss_denominator(done, size))
        return loss / data.loss_denominator(done, size)

    # Methods that subclasses override

    def initial_carry(self, size):
        """Return the initial carry of an epoch: the sum of the losses, and the states."""
        return [tf.zeros((), self.dtype)]

    def n_steps(self, spec):
        """Return the number of time steps in a batch."""
        return spec.n_timesteps

    def check_model(self, spec):
        """Raise a ValueError if the model cannot be trained on data of a spec."""

    def forward(self, rows, states, spec):
        """Return the predictions for the loss, and a list of the states to carry."""
        return self.model(rows.x, training=True), []

    def reduce_losses_to_weights(self, losses, y, weights):
        """Average the losses over the axes that `weights` lacks."""
        shape = tf.concat([tf.shape(y)[: weights.shape.rank], [-1]], axis=0)
        return tf.reduce_mean(tf.reshape(losses, shape), axis=-1)

    def loss_mask(self, y, is_real, weights):
        """Return a mask with 1 for each loss to include, else 0.

        There is a loss for each row, or for each of its time steps if these have weights or some
        of their classes are ignored.

        Parameters
        ----------
        y : tensor of shape (n_batches, size, ...)
        is_real : tensor of bool, of shape (n_batches, size[, n_timesteps])
        weights : tensor of shape (n_batches, size[, 1 or n_timesteps]) or None
        """
        mask = tf.cast(is_real, self.dtype)
        has_step_weights = weights is not None and weights.shape.rank == 3
        if mask.shape.rank == 2 and (has_step_weights or self._ignored_class is not None):
            mask = tf.repeat(mask[..., None], y.shape[2], axis=2)
        if self._ignored_class is not None:
            mask *= tf.cast(y != self._ignored_class, self.dtype)
        return mask

    def gather(self, tensors, numbers, size, spec):
        """Return a group of batches.

        Parameters
        ----------
        tensors : tuple of tensors
            Tensors of the data.
        numbers : int tensor of shape (n_batches,)
        size : int
        spec : BatchSpec
        """
        series, target, y_offset, weights, order, n_rows = tensors
        index, is_real = batch_indices(order, n_rows, numbers, size)
        y = tf.gather(target, y_offset + index)
        weights = None if spec.weights_shape is None else tf.gather(weights, index)
        weights = loss_weights(self.loss_mask(y, is_real, weights), weights)
        if spec.window_length is not None:
            index = index[..., None] + tf.range(spec.window_length)
        shape = (*numbers.shape, size, *sample_shape(self.model, spec.n_timesteps))
        x = tf.reshape(tf.gather(series, index), shape)
        n_real = tf.maximum(1, tf.reduce_sum(tf.cast(is_real, tf.int32), axis=1))
        return Batch(Rows(x, y, [weights], []), tf.cast(n_real, self.dtype), n_real, [])

    # Graphs

    def _make_epoch(self, size, spec, tensors):
        """Return the graph of an epoch, for batches of a size and data of a spec."""
        self.check_model(spec)
        make_train = self._make_fused_train if self.fused else self._make_train
        train, parameters, n_per_group = make_train(size, spec)

        @tf.function(autograph=False)
        def epoch(tensors, first, n_batches, carry):
            last = first + n_batches

            def is_left(number, *_):
                return number < last

            def body(number, total, states):
                batches = self.gather(tensors, number + tf.range(n_per_group), size, spec)
                n_in_group = tf.minimum(last - number, n_per_group)
                return number + n_per_group, *train(batches, n_in_group, total, states)

            total, *states = carry
            parameters.load()
            _, total, states = tf.while_loop(
                is_left, body, (first, total, states), parallel_iterations=1
            )
            parameters.store()
            return [total, *states]

        integer = tf.TensorSpec((), tf.int32)
        return epoch.get_concrete_function(
            tuple(tf.TensorSpec(_any_length(t.shape), t.dtype) for t in tensors),
            integer,
            integer,
            specs_of(self.initial_carry(size)),
        )

    def _make_train(self, size, spec):
        """Return a function that trains on a batch with Keras' own layers."""
        model = self.model
        variables, optimizer = model.trainable_variables, model.optimizer

        def train(batches, n_batches, total, states):
            batch = _select(batches, 0)
            # Layers and penalties that depend on the whole batch must not see its padding.
            rows = tf.nest.map_structure(lambda part: part[: batch.n_rows], batch.rows)
            with tf.GradientTape() as tape:
                loss, states = self._weighted_loss(rows, batch.gradient_scale, states, spec)
                scaled = optimizer.scale_loss(_scale([loss], batch.gradient_scale)[0])
            gradients = tape.gradient(scaled, variables)
            optimizer.apply(gradients, variables)
            return total + loss * batch.n_losses, states

        return train, ModelParameters(model), 1

    def _make_fused_train(self, size, spec):
        """Return a function that trains on a group of batches with kernels.

        Returns
        -------
        train : callable
            ``train(batches, n_batches, total, states)`` trains on the first batches of a group,
            and returns `total` plus the sum of their losses, and the states after them.
        parameters : ModelParameters or FlattenedParameters
        n_per_group : int
        """
        model, n_steps = self.model, self.n_steps(spec)
        multiplications = n_steps * model.count_params()
        shards = n_shards(size, multiplications, _ROWS_PER_SHARD_WITHOUT_XLA)
        xla = size // shards > max_rows_without_xla(model)
        if xla:
            shards = n_shards(size, multiplications)
        in_groups = shards == 1 and self.groups_batches
        flat = in_groups and supports_flattening(model)
        parameters = FlattenedParameters(model) if flat else ModelParameters(model)
        dropouts = [layer for layer in all_layers(model) if has_active_dropout(layer)]
        n_per_group = 1
        if in_groups and not dropouts:  # whose masks are sampled outside of XLA
            n_values = size * int(np.prod(sample_shape(model, n_steps)))
            n_per_group = max(1, min(_BATCHES_PER_GROUP, _VALUES_PER_GROUP // n_values))

        def gradients(variables, others, scale, masks, rows, states):
            masks = dict(zip(dropouts, masks, strict=True))
            with (
                tf.GradientTape() as tape,
                stateless_scope(model, [*variables, *others]),
                patched_layers(model, masks, xla),
            ):
                tape.watch(variables)
                loss, states = self._weighted_loss(rows, scale, states, spec, shards)
            zero = tf.UnconnectedGradients.ZERO
            return tape.gradient(loss, variables, unconnected_gradients=zero), loss, states

        def update(gradients_of_shards, scale):
            sums = [tf.add_n(parts) for parts in zip(*gradients_of_shards, strict=True)]
            parameters.apply(_scale(sums, scale))

        def train_batches(batches, n_batches, others, masks, total, states):
            def body(i, total, states):
                batch = _select(batches, i)
                shared = parameters.values(), others, batch.gradient_scale
                gradient, loss, states = gradients(*shared, masks, batch.rows, states)
                update([gradient], batch.gradient_scale)
                return i + 1, total + loss * batch.n_losses, states

            return tf.while_loop(lambda i, *_: i < n_batches, body, (0, total, states))[1:]

        gradients_graph, update_graph, group_graph = (
            tf.function(function, jit_compile=xla and self._xla_works, autograph=False)
            for function in (gradients, update, train_batches)
        )

        def train(batches, n_batches, total, states):
            masks = [sample_dropout_mask(layer, size, n_steps) for layer in dropouts]
            others = [tf.convert_to_tensor(v) for v in model.non_trainable_variables]
            if in_groups:
                return group_graph(batches, n_batches, others, masks, total, states)
            batch = _select(batches, 0)
            shared = parameters.values(), others, batch.gradient_scale
            by_row = masks, batch.rows, states
            gradients_of_shards, loss, states = map_shards(
                gradients_graph, size, shards, shared, by_row
            )
            update_graph(gradients_of_shards, batch.gradient_scale)
            return total + loss * batch.n_losses, states

        return train, parameters, n_per_group

    def _weighted_loss(self, rows, gradient_scale, states, spec, shards=1):
        """Return the weighted sum of the losses of some rows, with penalties, and the states."""
        y_pred, states = self.forward(rows, states, spec)
        y = tf.cast(rows.y, y_pred.dtype) if rows.y.dtype.is_floating else rows.y
        losses = self.reduce_losses_to_weights(self.loss(y, y_pred), y, rows.weights[0])
        losses = tf.cast(losses, self.dtype)
        for weights in rows.weights:
            losses *= weights
        loss = tf.reduce_sum(losses)
        if penalties := self.model.losses:
            # Each shard adds a share of the penalties, and the scale of the losses is not theirs.
            divisor = shards
            for scale in gradient_scale:
                divisor = scale * shards
            loss += sum(penalties) / divisor
        return loss, states


def _any_length(shape):
    """Return the shape of a tensor whose first axis has any length."""
    return (None, *shape[1:]) if shape.rank else ()


def _select(batches, i):
    """Return a batch of a group."""
    return tf.nest.map_structure(lambda tensor: tensor[i], batches)


def _scale(tensors, scale):
    """Multiply tensors by a list of at most one scale."""
    for factor in scale:
        tensors = [tensor * factor for tensor in tensors]
    return tensors


def map_shards(gradients, size, shards, shared, by_row):
    """Compute the gradients of a batch in shards that run in parallel.

    Parameters
    ----------
    gradients : callable
        Returns the gradients, the loss, and a list of the states after the batch.
    size, shards : int
        Number of rows of the batch, and of shards.
    shared, by_row : tuples
        The arguments of `gradients`: those that are the same for all shards, and those that are
        split by rows.

    Returns
    -------
    gradients_of_shards : list of lists of tensors
    loss : tensor
        The sum of the losses.
    states : list of tensors
    """
    n_rows = size // shards
    results = []
    for i in range(shards):
        rows = slice(i * n_rows, (i + 1) * n_rows)
        shard = tf.nest.map_structure(lambda values, rows=rows: values[rows], by_row)
        results.append(gradients(*shared, *shard))
    gradients_of_shards, losses, states = zip(*results, strict=True)
    all_states = [tf.concat(parts, axis=0) for parts in zip(*states, strict=True)]
    return list(gradients_of_shards), tf.add_n(losses), all_states


def n_shards(size, multiplications, rows_per_shard=_ROWS_PER_SHARD):
    """Return the number of shards of a batch, from the number of multiplications per row."""
    if size * multiplications < 2 * _MULTIPLICATIONS_PER_SHARD:
        return 1
    shards = max(1, min(MAX_SHARDS, size // rows_per_shard))
    while size % shards:
        shards -= 1
    return shards


def sample_dropout_mask(layer, size, n_timesteps):
    """Sample the dropout masks of a layer: one mask for its outputs, or a list."""
    if isinstance(layer, keras.layers.RNN):
        h = tf.ones((size, layer.state_size[0]), layer.compute_dtype)
        masks = layer.cell.get_recurrent_dropout_mask(h)
        layer.cell.reset_recurrent_dropout_mask()
        return masks if isinstance(masks, list) else [masks]
    shape = [n_timesteps if length is None else length for length in layer.output.shape[1:]]
    ones = tf.ones((size, *shape), layer.compute_dtype)
    return keras.random.dropout(ones, layer.rate, seed=layer.seed_generator)
