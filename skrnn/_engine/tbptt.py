"""Truncated backpropagation through time [1]_: chunks with carried states, and shorter gradients.

With an output at each time step, sequences are processed in chunks. Gradients stop at the beginning
of a chunk, but the states of the recurrent layers are carried from one chunk to the next. With one
output at the end, gradients are truncated to the last time steps.

References
----------
.. [1] R. J. Williams, J. Peng (1990). An efficient gradient-based algorithm for on-line training of
   recurrent network trajectories. Neural Computation 2(4).
"""

import contextlib

import keras
import numpy as np
import tensorflow as tf

from .._keras_compat import flatten_layers, n_calls, recurrent_layers
from .batches import Batch, Rows, TrainingData, batch_indices, loss_weights, sample_shape
from .eligibility import TIMESTEP_WISE, is_keras_builtin, is_mask_operation
from .patch import patched
from .trainer import Trainer

# Layers whose output at a time step depends on their input at that step, and on noise.
_TIMESTEP_WISE = TIMESTEP_WISE | {
    keras.layers.Dropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
}


def select_tbptt_trainer(X, chunk_length, output):
    """Return the X and the trainer class for `fit_network`.

    Parameters
    ----------
    X : WindowArray or ndarray of shape (n_samples, n_timesteps, n_features)
        With ``output="last"``, sequences end at the last time step (see `right_align`).
    chunk_length : int or None
        Number of time steps that gradients are propagated through. If None, all of them.
    output : {"last", "sequence"}
    """
    if chunk_length is None or chunk_length >= X.shape[1]:
        return X, Trainer
    return (X, int(chunk_length)), ChunkTrainer if output == "sequence" else TruncatedTrainer


class TruncatedData(TrainingData):
    """Training data with a chunk length, which is passed in a tuple with X."""

    def __init__(self, X_and_chunk_length, y, weights):
        X, self.chunk_length = X_and_chunk_length
        super().__init__(X, y, weights)

    def batch_spec(self):
        return super().batch_spec()._replace(chunk_length=self.chunk_length)


class ChunkedBatches(TruncatedData):
    """Batches of the chunks of sequences: all chunks of some sequences, then those of the next."""

    def __init__(self, X_and_chunk_length, y, weights):
        super().__init__(X_and_chunk_length, y, weights)
        # Masked time steps have the class -1, and no loss.
        self._has_class = y >= 0 if np.issubdtype(y.dtype, np.integer) else None
        self._share_with_class = 1.0

    def set_epoch_order(self, order, rng):
        super().set_epoch_order(order, rng)
        if self._has_class is not None:
            self._share_with_class = float(np.mean(self._has_class[order]))

    @property
    def _n_chunks(self):
        return -(-self.n_timesteps // self.chunk_length)

    def steps_per_epoch(self, n_rows, batch_size):
        return super().steps_per_epoch(n_rows, batch_size) * self._n_chunks

    def loss_denominator(self, n_batches, size):
        """Return the number of time steps with a loss in the first batches.

        It is an estimate before the end of the epoch.
        """
        n_complete, n_chunks = divmod(n_batches, self._n_chunks)
        n_rows = min(self.n_rows, n_complete * size)
        n_rows_begun = min(self.n_rows, (n_complete + 1) * size) - n_rows
        n_steps_begun = min(self.n_timesteps, n_chunks * self.chunk_length)
        n_steps = n_rows * self.n_timesteps + n_rows_begun * n_steps_begun
        return self._share_with_class * n_steps


class TruncatedTrainer(Trainer):
    """Trainer on whole sequences with the gradients of their last time steps."""

    data_class = TruncatedData
    replaces_model_fit = True

    def check_model(self, spec):
        _check_forward_only(self.model, spec.chunk_length)

    def forward(self, rows, states, spec):
        with truncate_gradient(self.model, spec.chunk_length):
            return super().forward(rows, states, spec)


class ChunkTrainer(Trainer):
    """Trainer on the chunks of sequences in order, with states carried from chunk to chunk."""

    data_class: type = ChunkedBatches
    replaces_model_fit = True

    def initial_carry(self, size):
        return [*super().initial_carry(size), *initial_states(self.model, size)]

    def n_steps(self, spec):
        return spec.chunk_length

    def check_model(self, spec):
        _check_timestep_wise(self.model, spec.chunk_length)
        if not self.fused:
            _check_chunks_divide(self.model, spec)

    def forward(self, rows, states, spec):
        with carried_states(self.model, states, *rows.continues) as last_states:
            return self.model(rows.x, training=True), last_states

    def loss_mask(self, y, is_real, weights):
        """Return 1 for each time step with a loss, else 0: time steps of class -1 have none."""
        mask = super().loss_mask(y, is_real, weights)
        return mask * tf.cast(y >= 0, self.dtype) if y.dtype.is_integer else mask

    def reduce_losses_to_weights(self, losses, y, weights):
        """Return the losses, of which there must be one for each time step."""
        if losses.shape.rank != 2:
            raise ValueError(
                f"The loss {self.model.loss!r} returns values of shape {losses.shape}, but with "
                "output='sequence' chunk_length needs a loss of each time step, of shape "
                "(n_samples, n_timesteps). Use such a loss, or set chunk_length=None."
            )
        return losses

    def gather(self, tensors, numbers, size, spec):
        series, target, _, weights, order, n_rows = tensors
        n_timesteps, chunk = spec.n_timesteps, spec.chunk_length
        n_chunks = -(-n_timesteps // chunk)
        chunks = numbers % n_chunks
        index, is_real = batch_indices(order, n_rows, numbers // n_chunks, size)
        n_real = tf.reduce_sum(tf.cast(is_real, tf.int32), axis=1)
        # A short last chunk is padded with its last time step, whose loss is masked.
        step = chunks[:, None] * chunk + tf.range(chunk)
        is_real = is_real[:, :, None] & (step < n_timesteps)[:, None]
        step = tf.cast(tf.minimum(step, n_timesteps - 1), tf.int64)[:, None]
        index = tf.cast(index, tf.int64)

        def gather_steps(array, first):
            return tf.gather(tf.reshape(array, (-1, *array.shape[2:])), first[..., None] + step)

        if spec.window_length is None:
            x = gather_steps(series, index * n_timesteps)
        else:
            x = tf.gather(series, index[..., None] + step)
        y = gather_steps(target, index * n_timesteps)
        if spec.weights_shape is None:
            weights = None
        elif spec.weights_shape == (n_timesteps,):
            weights = gather_steps(weights, index * n_timesteps)
        else:
            weights = tf.gather(weights, index)
        group = (*numbers.shape, size)
        x = tf.reshape(x, (*group, *sample_shape(self.model, chunk)))
        y = tf.reshape(y, (*group, chunk, *target.shape[2:]))
        mask = self.loss_mask(y, is_real, weights)
        continues = tf.broadcast_to(chunks[:, None] > 0, group)
        rows = Rows(x, y, [loss_weights(mask, weights)], [continues])
        return Batch(rows, tf.reduce_sum(mask, axis=(1, 2)), n_real, [])


def initial_states(model, size):
    """Return the initial states of all recurrent layers, as one list."""
    states = [layer.get_initial_state(size) for layer in recurrent_layers(model)]
    return [tf.convert_to_tensor(state) for state in tf.nest.flatten(states)]


@contextlib.contextmanager
def wrap_inner_loops(model, make):
    """Replace the inner loop of each recurrent layer by ``make(layer, inner_loop)``."""
    with contextlib.ExitStack() as patches:
        for layer in recurrent_layers(model):
            inner_loop = make(layer, layer.inner_loop)
            patches.enter_context(patched(layer, "inner_loop", inner_loop))
        yield


@contextlib.contextmanager
def carried_states(model, states, continues):
    """Set the initial states of recurrent layers.

    Parameters
    ----------
    model : keras.Model
    states : list of tensors
        States of all recurrent layers. They are not changed.
    continues : tensor of bool, of shape (n_samples,)
        Whether the initial state of a row is its state in `states`.

    Yields
    ------
    last_states : list of tensors
        The last states, after the model has been called.
    """
    layers = recurrent_layers(model)
    sizes = [len(tf.nest.flatten(layer.state_size)) for layer in layers]
    starts = {id(layer): sum(sizes[:i]) for i, layer in enumerate(layers)}
    last_states = list(states)

    def make(layer, inner_loop):
        start = starts[id(layer)]

        def loop(sequences, initial_state, mask, training=False):
            initial = tf.nest.flatten(initial_state)
            places = slice(start, start + len(initial))
            n_rows = tf.shape(sequences)[0]  # without padding, fewer than in the states
            carried = [state[:n_rows] for state in states[places]]
            first = where_rows(continues, carried, initial)
            with _without_cudnn(layer, mask):
                first = tf.nest.pack_sequence_as(initial_state, first)
                *outputs, last = inner_loop(sequences, first, mask, training)
            last_states[places] = [
                tf.ensure_shape(tf.concat([new, old[n_rows:]], 0), old.shape)
                for new, old in zip(tf.nest.flatten(last), states[places], strict=True)
            ]
            return *outputs, last

        return loop

    with wrap_inner_loops(model, make):
        yield last_states


def where_rows(condition, x, y):
    """Return the rows of tensors where a condition is true, and of other tensors elsewhere."""
    return [
        tf.where(tf.reshape(condition, (-1, *[1] * (a.shape.rank - 1))), a, b)
        for a, b in zip(x, y, strict=True)
    ]


def truncate_gradient(model, length):
    """Propagate gradients of recurrent layers through the last `length` time steps only."""

    def make(layer, inner_loop):
        def loop(sequences, initial_state, mask, training=False):
            n_early = sequences.shape[1] - length
            if n_early <= 0:
                return inner_loop(sequences, initial_state, mask, training)
            mask = tf.nest.flatten(mask)[0]
            early, late = (None, None) if mask is None else (mask[:, :n_early], mask[:, n_early:])
            with _without_cudnn(layer, mask):
                results = inner_loop(sequences[:, :n_early], initial_state, early, training)
                last, outputs, states = tf.nest.map_structure(tf.stop_gradient, results)
                new_last, new_outputs, states = inner_loop(
                    sequences[:, n_early:], states, late, training
                )
            if late is not None and not layer.zero_output_for_mask:
                # Until the first unmasked time step, the output is the last one before.
                has_begun = tf.cumsum(tf.cast(late, tf.int32), axis=1)[:, :, None] > 0
                new_last = tf.where(has_begun[:, -1], new_last, last)
                if layer.return_sequences:
                    new_outputs = tf.where(has_begun, new_outputs, last[:, None])
            if layer.return_sequences:
                new_outputs = tf.concat([outputs, new_outputs], axis=1)
            return new_last, new_outputs, states

        return loop

    return wrap_inner_loops(model, make)


def _without_cudnn(layer, mask):
    """Let a layer take any mask: the kernels of GPUs need masked time steps to be the last ones."""
    if mask is None or getattr(layer, "use_cudnn", None) is None:
        return contextlib.nullcontext()
    return patched(layer, "use_cudnn", False)


def _raise_unsupported(chunk_length, problem, solution):
    raise ValueError(
        f"chunk_length={chunk_length} carries states forward in time, but {problem}. {solution}, "
        "or set chunk_length=None."
    )


def _check_forward_only(model, chunk_length):
    """Raise a ValueError if recurrent layers of a model process sequences backward in time."""
    if not is_keras_builtin(model):
        _raise_unsupported(
            chunk_length,
            f"a model of class {type(model).__name__} may define its own training step",
            "Build the network as a keras.Model or keras.Sequential",
        )
    for layer in flatten_layers(model):
        if isinstance(layer, keras.layers.Bidirectional) or getattr(layer, "go_backwards", False):
            _raise_unsupported(
                chunk_length,
                f"the layer {layer.name!r} processes sequences backward",
                "Use layers that process them forward",
            )
        if isinstance(layer, keras.layers.RNN) and (
            layer not in recurrent_layers(model)
            or not is_keras_builtin(layer)
            or layer.stateful
            or n_calls(model, layer) != 1
        ):
            _raise_unsupported(
                chunk_length,
                f"the recurrent layer {layer.name!r} is stateful, of a custom class, inside "
                "another layer, or called more than once",
                "Use recurrent layers of Keras that the model itself calls once",
            )


def _check_timestep_wise(model, chunk_length):
    """Raise a ValueError if an output depends on more than the input and states at its step."""
    _check_forward_only(model, chunk_length)
    n_timesteps = model.inputs[0].shape[1]
    if n_timesteps is not None:
        _raise_unsupported(
            chunk_length,
            f"the network takes sequences of {n_timesteps} time steps, not chunks of them",
            "Build it with the input_shape that it is passed, (None, n_features), or fit a new "
            "estimator if it was fitted with chunk_length=None",
        )
    for operation in getattr(model, "operations", model.layers):
        if not (_is_timestep_wise(operation) or is_mask_operation(operation)):
            _raise_unsupported(
                chunk_length,
                f"{operation.name!r} ({type(operation).__name__}) may need time steps outside of "
                "the chunk",
                "Use recurrent layers that return sequences, and layers that process each time "
                "step independently",
            )


def _check_chunks_divide(model, spec):
    """Raise a ValueError if penalties on outputs would include padded time steps."""
    for layer in flatten_layers(model):
        if spec.n_timesteps % spec.chunk_length and getattr(layer, "activity_regularizer", None):
            _raise_unsupported(
                spec.chunk_length,
                f"the layer {layer.name!r} has an activity_regularizer, which needs chunks of "
                f"equal length, and {spec.n_timesteps} time steps are not a multiple of it",
                "Choose a chunk_length that divides them",
            )


def _is_timestep_wise(layer):
    if isinstance(layer, keras.layers.RNN):
        return layer.return_sequences and not layer.return_state
    if type(layer) is keras.layers.TimeDistributed:
        return type(layer.layer) in _TIMESTEP_WISE
    return type(layer) in _TIMESTEP_WISE and getattr(layer, "axis", -1) in (-1, [-1], 2, [2])
