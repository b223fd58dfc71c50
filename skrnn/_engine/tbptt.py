"""Compiled graphs: an epoch and a prediction each as one call, shared by fits of one architecture.

An epoch is a loop over batches inside one graph, which gathers each batch's windows from the
series. XLA compiles what a batch computes, for a number of rows and time steps that never changes:
a short last batch is filled up with rows of weight zero. Large batches are cut into branches, which
run side by side, each on one thread. Their number depends on shapes alone, and `_engine.kernels` keeps
threads out of single products: the number of cores changes no bit.
"""

import contextlib

import keras
import numpy as np
import tensorflow as tf

from .._inputs.sequences import right_align
from .._keras_compat import n_calls, recurrent_layers
from ..windows._array import is_windows
from .batches import Data, batch_indices, loss_weights, sample_shape
from .eligibility import TIMESTEP_WISE, is_keras_builtin, is_mask_operation
from .parameters import ModelParameters
from .trainer import Trainer


def initial_states(model, size):
    """Return the states of all recurrent layers before a sequence, in one list."""
    states = [layer.get_initial_state(size) for layer in recurrent_layers(model)]
    return [tf.convert_to_tensor(state) for state in tf.nest.flatten(states)]


# Layers that compute each step's outputs from that step's inputs alone, and may drop some.
_TIMESTEP_WISE = TIMESTEP_WISE | {
    keras.layers.Dropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
}


def select_tbptt_trainer(X, chunk_length, output):
    """Return what to train on and by which trainer, as `fit_network` takes them.

    Parameters
    ----------
    X : WindowArray or ndarray of shape (n_samples, n_timesteps, n_features)
    chunk_length : int or None
        None, or as many steps as there are: no gradient is cut.
    output : {"last", "sequence"}
    """
    if chunk_length is None or chunk_length >= X.shape[1]:
        return X, Trainer
    if output == "sequence":
        return TBPTTInput(X, chunk_length), ChunkTrainer
    return TBPTTInput(X if is_windows(X) else right_align(X), chunk_length), TruncatedTrainer


class TBPTTInput:
    """Sequences, and through how many of their steps gradients are carried back."""

    def __init__(self, X, chunk_length):
        self.X, self.chunk_length = X, int(chunk_length)


class TruncatedData(Data):
    """Data whose kind names the steps through which gradients are carried back."""

    def __init__(self, cut, y, weights):
        super().__init__(cut.X, y, weights)
        self.chunk_length = cut.chunk_length

    def kind(self):
        return super().kind()._replace(chunk_length=self.chunk_length)


class ChunkedBatches(TruncatedData):
    """A batch for each chunk of each batch of sequences."""

    def __init__(self, cut, y, weights):
        super().__init__(cut, y, weights)
        # Masked steps have no class, and a loss that does not count.
        self._has_class = y >= 0 if np.issubdtype(y.dtype, np.integer) else None
        self._share = 1.0

    def put_in_order(self, order, rng):
        super().put_in_order(order, rng)
        if self._has_class is not None:
            self._share = float(np.mean(self._has_class[order]))

    @property
    def _n_chunks(self):
        return -(-self.n_timesteps // self.chunk_length)

    def steps_an_epoch(self, n_rows, batch_size):
        return super().steps_an_epoch(n_rows, batch_size) * self._n_chunks

    def n_batches(self, size):
        return super().n_batches(size) * self._n_chunks

    def n_counted(self, n_batches, size):
        """Return of how many steps there are losses in the first batches, about or all of them."""
        done, n_chunks = divmod(n_batches, self._n_chunks)
        rows, more = (min(self.n_rows, n * size) for n in (done, done + 1))
        begun = min(self.n_timesteps, n_chunks * self.chunk_length)
        return self._share * (rows * self.n_timesteps + (more - rows) * begun)


class _KerasTrainer(Trainer):
    """Trains by Keras' own layers, in a graph without XLA."""

    def __init__(self, model):
        super().__init__(model)
        self.dtype = model.variable_dtype  # that of the outputs may be a smaller one
        self._loss = _summed_loss(model.loss)

    def _n_rows(self, count, extra):
        """Return how many rows of a batch are not there to fill it up."""
        return count  # of losses, which is one a row

    def _make_train(self, size, kind):
        model = self.model
        optimizer, variables = model.optimizer, model.trainable_variables

        def train(n_batches, x, y, weights, counts, extra, total, states):
            of_batch = [part[0] for part in extra]
            # Layers that look at a batch, or are penalized for it, are not to see it filled up.
            n_rows = tf.cast(self._n_rows(counts[0], of_batch), tf.int32)
            x, y, weights = (part[0][:n_rows] for part in (x, y, weights))
            with tf.GradientTape() as tape, self._around(kind, of_batch, states) as after:
                y_pred = model(x, training=True)
                y = tf.cast(y, y_pred.dtype) if y.dtype.is_floating else y
                losses = self._weighable(self._loss(y, y_pred), y, weights)
                loss = tf.reduce_sum(tf.cast(losses, weights.dtype) * weights)
                loss += tf.add_n([tf.zeros_like(loss), *model.losses])
                scaled = optimizer.scale_loss(loss)
            optimizer.apply(tape.gradient(scaled, variables), variables)
            return total + loss * counts[0], after

        return train, ModelParameters(model), 1


class TruncatedTrainer(Trainer):
    """Trains on whole sequences with gradients of their last steps."""

    data = TruncatedData

    def _around(self, kind, extra, states):
        return truncate_gradient(self.model, kind.chunk_length)

    def _make_epoch(self, size, kind):
        _check_forward_only(self.model, kind.chunk_length)
        return super()._make_epoch(size, kind)


class ChunkTrainer(Trainer):
    """Trains on one chunk of a batch of sequences after the other, with the states carried on."""

    data = ChunkedBatches

    def _carried(self, size):
        return [*super()._carried(size), *initial_states(self.model, size)]

    def _n_steps(self, kind):
        return kind.chunk_length

    def _around(self, kind, extra, states):
        goes_on, *_ = extra
        return carried_states(self.model, goes_on, states)

    def _counted(self, y, is_real, weights):
        """Return 1 for each step with a loss that counts, else 0: those of no class have none."""
        counted = super()._counted(y, is_real, weights)
        return counted * tf.cast(y >= 0, self.dtype) if y.dtype.is_integer else counted

    def _weighable(self, losses, y, weights):
        """Return the losses with one number for each step."""
        if losses.shape.rank != 2:
            raise ValueError(
                f"The loss {self.model.loss!r} gives values of shape {losses.shape}, but with "
                "output='sequence' chunk_length needs one for each step, of shape (n_samples, "
                "n_timesteps). Take such a loss, or set chunk_length=None."
            )
        return losses

    def _make_epoch(self, size, kind):
        _check_timestep_wise(self.model, kind.chunk_length)
        return super()._make_epoch(size, kind)

    def _make_gather(self, size, group, kind):
        dtype, (chunk, n_features) = self.dtype, sample_shape(self.model, kind.chunk_length)
        n_timesteps = kind.n_timesteps
        n_chunks = -(-n_timesteps // chunk)
        # From the first step of one row of X to that of the next.
        stride = n_timesteps if kind.window_length is None else 1

        def steps_of(array, first, step):
            return tf.gather(tf.reshape(array, (-1, *array.shape[2:])), first[..., None] + step)

        def gather(series, target, first_target, weights, order, n_rows, batch):
            numbers = batch + tf.range(group)
            rows, chunks = numbers // n_chunks, numbers % n_chunks
            index, is_real, _ = batch_indices(order, n_rows, rows, size, dtype)
            # A last chunk that is short is filled up with its last step, which does not count.
            step = chunks[:, None] * chunk + tf.range(chunk)
            n_real_rows = tf.reduce_sum(tf.cast(is_real, tf.int32), axis=1)
            is_real = is_real[:, :, None] & (step < n_timesteps)[:, None]
            step = tf.cast(tf.minimum(step, n_timesteps - 1), tf.int64)[:, None]
            index = tf.cast(index, tf.int64)
            array = series if kind.window_length is None else series[:, None]
            x = steps_of(array, index * stride, step)
            y = steps_of(target, index * n_timesteps, step)
            if kind.weights_shape is None:
                given = None
            elif kind.weights_shape == (n_timesteps,):
                given = steps_of(weights, index * n_timesteps, step)
            else:
                given = tf.gather(weights, index)
            x = tf.reshape(x, (group, size, chunk, n_features))
            y = tf.reshape(y, (group, size, chunk, *target.shape[2:]))
            counted = self._counted(y, is_real, given)
            counts = tf.reduce_sum(counted, axis=(1, 2))
            return x, y, loss_weights(counted, given), counts, [chunks > 0, n_real_rows]

        return gather


class _TruncatedKerasTrainer(_KerasTrainer, TruncatedTrainer):
    pass


class _ChunkKerasTrainer(_KerasTrainer, ChunkTrainer):
    def _n_rows(self, count, extra):
        _, n_rows = extra
        return n_rows

    def _make_epoch(self, size, kind):
        _check_chunks_divide(self.model, kind)
        return super()._make_epoch(size, kind)


TruncatedTrainer.by_keras = _TruncatedKerasTrainer


ChunkTrainer.by_keras = _ChunkKerasTrainer


@contextlib.contextmanager
def wrap_inner_loops(model, make):
    """Within the context, ``make(layer, inner_loop)`` is the inner loop of recurrent layers."""
    layers = recurrent_layers(model)
    before = [vars(layer).get("inner_loop") for layer in layers]
    try:
        for layer in layers:
            vars(layer)["inner_loop"] = make(layer, layer.inner_loop)
        yield
    finally:
        for layer, loop in zip(layers, before, strict=True):
            del vars(layer)["inner_loop"]
            if loop is not None:
                vars(layer)["inner_loop"] = loop


@contextlib.contextmanager
def carried_states(model, goes_on, states):
    """Within the context, recurrent layers go on from `states` where `goes_on`, a bool, is True.

    Yields the list in which they leave the states that they end with.
    """
    after = [*states]
    sizes = [len(tf.nest.flatten(layer.state_size)) for layer in recurrent_layers(model)]
    starts = dict(zip(map(id, recurrent_layers(model)), exclusive_cumsum(sizes), strict=True))

    def make(layer, inner_loop):
        start = starts[id(layer)]

        def loop(sequences, initial_state, mask, training=False):
            first = tf.nest.flatten(initial_state)
            own = slice(start, start + len(first))
            n_rows = tf.shape(sequences)[0]  # of a batch that is not filled up, fewer than states
            pairs = zip(states[own], first, strict=True)
            first = [tf.where(goes_on, carried[:n_rows], begin) for carried, begin in pairs]
            with _without_cudnn(layer, mask):
                *outputs, last = inner_loop(
                    sequences, tf.nest.pack_sequence_as(initial_state, first), mask, training
                )
            after[own] = [
                tf.ensure_shape(tf.concat([one, carried[n_rows:]], 0), carried.shape)
                for one, carried in zip(tf.nest.flatten(last), states[own], strict=True)
            ]
            return *outputs, last

        return loop

    with wrap_inner_loops(model, make):
        yield after


def exclusive_cumsum(sizes):
    return [sum(sizes[:place]) for place in range(len(sizes))]


@contextlib.contextmanager
def truncate_gradient(model, length):
    """Within the context, recurrent layers have gradients of the last `length` steps alone."""

    def make(layer, inner_loop):
        def loop(sequences, initial_state, mask, training=False):
            n_early = sequences.shape[1] - length
            if n_early <= 0:
                return inner_loop(sequences, initial_state, mask, training)
            mask = tf.nest.flatten(mask)[0]
            early, late = (None, None) if mask is None else (mask[:, :n_early], mask[:, n_early:])
            with _without_cudnn(layer, mask):
                read = inner_loop(sequences[:, :n_early], initial_state, early, training)
                last, outputs, states = tf.nest.map_structure(tf.stop_gradient, read)
                new_last, new_outputs, states = inner_loop(
                    sequences[:, n_early:], states, late, training
                )
            if late is not None and not layer.zero_output_for_mask:
                # Before the first step that counts, the output is still that of the early ones.
                begun = tf.cumsum(tf.cast(late, tf.int32), axis=1)[:, :, None] > 0
                new_last = tf.where(begun[:, -1], new_last, last)
                if layer.return_sequences:
                    new_outputs = tf.where(begun, new_outputs, last[:, None])
            if layer.return_sequences:
                new_outputs = tf.concat([outputs, new_outputs], axis=1)
            return new_last, new_outputs, states

        return loop

    with wrap_inner_loops(model, make):
        yield []


@contextlib.contextmanager
def _without_cudnn(layer, mask):
    """Within the context, a layer takes any mask: those of GPUs' kernels have to end in it."""
    before = getattr(layer, "use_cudnn", None)
    if mask is None or before is None:
        yield
        return
    layer.use_cudnn = False
    try:
        yield
    finally:
        layer.use_cudnn = before


def _summed_loss(loss):
    """Return any loss that is a sum over rows as a function from y and y_pred to its parts."""
    known = isinstance(loss, str) or callable(loss)
    loss = keras.losses.get(loss) if known else loss
    reduction = getattr(loss, "reduction", "sum_over_batch_size")
    if not known or reduction != "sum_over_batch_size":
        raise ValueError(
            f"The network was compiled with loss={loss!r}, which chunk_length cannot cut: it needs "
            "one loss with reduction='sum_over_batch_size'. Take such a loss, or set "
            "chunk_length=None."
        )
    return loss.call if isinstance(loss, keras.losses.Loss) else loss


def _raise_unsupported(chunk_length, fault, mend):
    raise ValueError(
        f"chunk_length={chunk_length} carries the state forwards from step to step, but {fault}. "
        f"{mend}, or set chunk_length=None."
    )


def _check_forward_only(model, chunk_length):
    """Raise a ValueError if gradients of a model's recurrent layers cannot be cut."""
    known = recurrent_layers(model)
    if not is_keras_builtin(model):
        _raise_unsupported(
            chunk_length,
            f"a model of class {type(model).__name__} may train in a way of its own",
            "Make a keras.Model or keras.Sequential of layers",
        )
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Bidirectional) or getattr(layer, "go_backwards", False):
            _raise_unsupported(
                chunk_length,
                f"the layer {layer.name!r} reads sequences backwards",
                "Build a network that reads forwards alone",
            )
        if isinstance(layer, keras.layers.RNN) and (
            layer not in known
            or not is_keras_builtin(layer)
            or layer.stateful
            or n_calls(model, layer) != 1
        ):
            _raise_unsupported(
                chunk_length,
                f"the recurrent layer {layer.name!r} is stateful, of a class of its own, inside of "
                "another layer, or called more than once",
                "Make each a layer of Keras' that the model itself calls once",
            )


def _check_timestep_wise(model, chunk_length):
    """Raise a ValueError if a model's outputs at a step need more than its inputs and states."""
    _check_forward_only(model, chunk_length)
    n_timesteps = model.inputs[0].shape[1]
    if n_timesteps is not None:
        _raise_unsupported(
            chunk_length,
            f"the network takes sequences of {n_timesteps} time steps and no chunks of them",
            "Build it on the input_shape that it is given, (None, n_features), or fit anew if it "
            "was fitted with chunk_length=None",
        )
    for one in getattr(model, "operations", model.layers):
        if not (_is_timestep_wise(one) or is_mask_operation(one)):
            _raise_unsupported(
                chunk_length,
                f"{one.name!r} ({type(one).__name__}) may need other steps than those of a chunk",
                "Make the network of recurrent layers that return sequences, and of layers that "
                "treat each step by itself",
            )


def _check_chunks_divide(model, kind):
    """Raise a ValueError if penalties on outputs would be of steps that fill up the last chunk."""
    for layer in model._flatten_layers():
        if kind.n_timesteps % kind.chunk_length and getattr(layer, "activity_regularizer", None):
            _raise_unsupported(
                kind.chunk_length,
                f"the layer {layer.name!r} has an activity_regularizer, which needs chunks of one "
                f"length, and {kind.n_timesteps} time steps are no multiple of it",
                "Take a chunk_length that divides them",
            )


def _is_timestep_wise(layer):
    if isinstance(layer, keras.layers.RNN):
        return layer.return_sequences and not layer.return_state
    if type(layer) is keras.layers.TimeDistributed:
        return type(layer.layer) in _TIMESTEP_WISE
    return type(layer) in _TIMESTEP_WISE and getattr(layer, "axis", -1) in (-1, [-1], 2, [2])
