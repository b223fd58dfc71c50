"""Language models: training on long chunks of text, reading and writing, each as one graph call.

A language model names the symbol that follows, after every symbol of a text. It is trained by
truncated backpropagation through time [1]_: texts are cut into chunks, gradients do not reach
beyond a chunk, but the state of the layers is carried on from one chunk to the next.

References
----------
.. [1] R. J. Williams, J. Peng (1990). An efficient gradient-based algorithm for on-line training of
   recurrent network trajectories. Neural Computation 2(4).
"""

import contextlib
import threading
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from .._engine.eligibility import has_active_dropout
from .._engine.parameters import ModelParameters, variables_of
from .._engine.patch import find_kernel, patched_layers
from .._engine.tbptt import initial_states
from .._engine.trainer import Trainer, dropout_layers, map_shards, n_shards, sample_dropout_mask
from .._keras_compat import recurrent_layers

# The share of the chunks of long texts that begin anew, without what came before.
STATE_RESET_RATE = 1 / 32


# Texts that are read side by side, and symbols of each that one graph call of XLA's reads.
_ROWS_READ = 32


_STEPS_READ = 64


# Symbols that one graph call writes at most.
_STEPS_WRITTEN = 128


class TokenCorpus:
    """Texts as numbers, one after the other, each after the number that stands for its beginning.

    Parameters
    ----------
    texts : list of ndarrays of int
        Symbols are numbered from 1.
    n_symbols : int
        ``n_symbols + 1`` stands for a text's beginning, and for unknown symbols.
    chunk_length : int
        Symbols through which gradients are carried back.
    """

    def __init__(self, texts, n_symbols, chunk_length):
        beginning = np.array([n_symbols + 1])
        parts = [part for text in texts for part in (beginning, text)]
        self.numbers = np.concatenate(parts).astype(np.int32)
        self.lengths = np.array([len(text) for text in texts])
        self.begins = np.cumsum(self.lengths + 1) - (self.lengths + 1)
        self.chunk_length = chunk_length

    def __len__(self):
        return len(self.lengths)


class CorpusChunks:
    """The chunks of texts that an epoch takes, in rows that run through texts side by side.

    All chunks of all texts stand in a line, which is cut into as many parts as a batch has rows:
    a row goes through its part, and begins anew where a text begins. Texts are taken in a new
    order in each epoch. Long texts also begin anew at some chunks, drawn in each epoch: else a
    network would hardly ever see a beginning, and would know what to do only far behind one.

    Parameters
    ----------
    texts : Texts
    symbol_weights : ndarray of shape (n_symbols,)
        Weights of the symbols to name.
    weights : ndarray of shape (n_texts,) or None
    """

    def __init__(self, texts, symbol_weights, weights):
        self.texts = texts
        self.symbol_weights = tf.constant(symbol_weights)
        self.weights = np.ones(len(texts), symbol_weights.dtype) if weights is None else weights
        self._n_chunks = int((-(-texts.lengths // texts.chunk_length)).sum())
        self._numbers = tf.constant(texts.numbers)
        self._chunks: list = []  # places, lengths, whether they go on, weights, known symbols
        self._n_known: Any = None  # by batch
        known = texts.numbers <= len(symbol_weights)
        self._known_before = np.append(0, np.cumsum(known))

    def put_in_order(self, order, rng):
        """Cut the texts, in the order of the epoch, into chunks: places, lengths, weights."""
        chunk, plan = self.texts.chunk_length, []
        for text in order:
            n_symbols, begin = self.texts.lengths[text], self.texts.begins[text]
            starts = np.arange(0, n_symbols, chunk)
            lengths = np.minimum(chunk, n_symbols - starts)
            weight = np.full(len(starts), self.weights[text])
            n_known = self._known_before[begin + starts + lengths + 1]
            n_known = n_known - self._known_before[begin + starts + 1]
            goes_on = (starts > 0) & (rng.random(len(starts)) >= STATE_RESET_RATE)
            plan.append([begin + starts, lengths, goes_on, weight, n_known])
        self._chunks = [np.concatenate(parts) for parts in zip(*plan, strict=True)]

    def kind(self):
        return self.texts.chunk_length

    def steps_an_epoch(self, n_rows, batch_size):
        return self.n_batches(self.rows_at_once(batch_size))

    def rows_at_once(self, batch_size):
        return min(batch_size, self._n_chunks)

    def n_batches(self, size):
        return -(-self._n_chunks // size)

    def n_counted(self, n_batches, size):
        return max(1, int(self._n_known[:n_batches].sum()))

    def arguments(self, size, dtype):
        n_batches = self.n_batches(size)
        missing = size * n_batches - len(self._chunks[0])

        def by_batch(part):
            """Row r of batch b is chunk ``r * n_batches + b``."""
            padded = np.append(part, np.zeros(missing, part.dtype))
            return np.ascontiguousarray(padded.reshape(size, n_batches).T)

        starts, lengths, goes_on, weights, self._n_known = map(by_batch, self._chunks)
        goes_on[0] = False
        return (
            self._numbers,
            tf.constant(starts, tf.int32),
            tf.constant(lengths, tf.int32),
            tf.constant(goes_on, dtype),
            tf.constant(weights, dtype),
            self.symbol_weights,
        )


@contextlib.contextmanager
def _running(model, values, masks=None):
    """Within the context, a model runs in kernels, and its variables are these."""
    pairs = list(zip(variables_of(model), values, strict=True))
    with patched_layers(model, masks), keras.StatelessScope(pairs) as scope:
        yield scope


def _run(model, symbols, states, *, training=False):
    """Run a text model over some symbols, from given states on.

    Parameters
    ----------
    model : keras.Model
        Of `build_text_rnn`, with ``sequences=True``; in a context of `_running`.
    symbols : int tensor of shape (n_samples, n_timesteps)
    states : list of tensors

    Returns
    -------
    logits : tensor of shape (n_samples, n_timesteps, n_symbols)
    states : list of tensors
        After the last symbol.
    """
    x, states, after = symbols, list(states), []
    for layer in model.layers[1:-1]:
        if isinstance(layer, keras.layers.RNN):
            first = layer.get_initial_state(symbols.shape[0])
            n_states = len(keras.tree.flatten(first))
            before, states = states[:n_states], states[n_states:]
            before = keras.tree.pack_sequence_as(first, before)
            layer.return_state = True
            try:
                x, *new = layer(x, initial_state=before, training=training)
            finally:
                layer.return_state = False
            after += keras.tree.flatten(new)
        else:
            x = layer(x, training=training) if has_active_dropout(layer) else layer(x)
    return x, after


def _check_steps(layers, scope):
    """Raise a ValueError if a layer's variables got values inside of its loop over the steps."""
    here = tf.compat.v1.get_default_graph()
    for layer in layers:
        for variable in layer.non_trainable_variables:
            if scope.get_current_value(variable).graph is not here:
                raise ValueError(
                    f"The step of {type(layer.cell).__name__} draws random numbers or changes "
                    "variables, which a language model's training, compiled as a whole, cannot "
                    "hand on from step to step. Draw a mask once for all steps, as Keras' cells do "
                    "for their dropout, or fit on strings with labels, or on windows."
                )


class LanguageTrainer(Trainer):
    """Trains a model of `build_text_rnn` on `CorpusChunks`; else as `Trainer`."""

    data = CorpusChunks

    def _carried(self, size):
        return [tf.zeros((), self.dtype), *initial_states(self.model, size)]

    def _make_epoch(self, size, chunk):
        model, dtype = self.model, self.dtype
        n_symbols = model.outputs[0].shape[-1]
        # What has no kernel may draw numbers of its own: its variables are carried on.
        by_keras = [layer for layer in recurrent_layers(model) if find_kernel(layer) is None]
        changing = [variable for layer in by_keras for variable in layer.non_trainable_variables]
        parts = 1 if changing else n_shards(size, chunk * model.count_params())
        state, dropouts = ModelParameters(model), dropout_layers(model)

        def gradients(trainable, others, symbol_weights, scale, masks, symbols, weights, states):
            masks = dict(zip(dropouts, masks, strict=True))
            named = tf.clip_by_value(symbols[:, 1:] - 1, 0, n_symbols - 1)
            values = [*trainable, *others]
            with tf.GradientTape() as tape, _running(model, values, masks) as scope:
                tape.watch(trainable)
                logits, states = _run(model, symbols[:, :-1], states, training=True)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(named, logits)
                loss = tf.reduce_sum(losses * weights * tf.gather(symbol_weights, named))
                # That sum is divided by the number of symbols later; the penalties are not.
                loss += sum(model.losses) / (scale * parts)
                changed = [scope.get_current_value(variable) for variable in changing]
                _check_steps(by_keras, scope)
            zero = tf.UnconnectedGradients.ZERO
            gradient = tape.gradient(loss, trainable, unconnected_gradients=zero)
            return gradient, loss, [*states, *changed]

        def update(branches, scale):
            state.apply([tf.add_n(branch) * scale for branch in zip(*branches, strict=True)])

        gradients_graph, update_graph = (
            tf.function(f, jit_compile=self._jit, autograph=False) for f in (gradients, update)
        )

        def train(symbols, weights, symbol_weights, scale, states):
            """Train on one batch; return the sum of its losses, and the states after it."""
            masks = [sample_dropout_mask(layer, size, chunk) for layer in dropouts]
            others = [tf.convert_to_tensor(v) for v in model.non_trainable_variables]
            shared = state.values(), others, symbol_weights, scale
            by_row = masks, symbols, weights, states
            branches, loss, after = map_shards(gradients_graph, size, parts, shared, by_row)
            update_graph(branches, scale)
            states, changed = after[: len(states)], after[len(states) :]
            for variable, value in zip(changing, changed, strict=True):
                variable.assign(value)
            return loss, states

        @tf.function(autograph=False)
        def epoch(
            numbers, starts, lengths, goes_on, weights, symbol_weights, first, steps, total, *states
        ):
            place, at_first = tf.range(chunk), initial_states(model, size)
            last_place = tf.shape(numbers)[0] - 1

            def body(batch, total, states):
                index = starts[batch][:, None] + tf.range(chunk + 1)
                symbols = tf.gather(numbers, tf.minimum(index, last_place))
                counts = place < lengths[batch][:, None]
                symbols = tf.ensure_shape(symbols, (size, chunk + 1))
                begins = (goes_on[batch] == 0)[:, None]
                first_places = begins & (tf.range(chunk + 1) == 0)
                symbols = tf.where(first_places, n_symbols + 1, symbols)
                # Symbols behind a chunk's end, and unknown ones, are not to be named.
                counts &= symbols[:, 1:] <= n_symbols
                row_weights = tf.cast(counts, dtype) * weights[batch][:, None]
                n_counted = tf.maximum(1, tf.reduce_sum(tf.cast(counts, tf.int32)))
                states = [tf.where(begins, *both) for both in zip(at_first, states, strict=True)]
                loss, states = train(
                    symbols, row_weights, symbol_weights, 1 / tf.cast(n_counted, dtype), states
                )
                return batch + 1, total + loss, states

            _, total, states = tf.while_loop(
                lambda batch, *_: batch < first + steps,
                body,
                (first, total, list(states)),
                parallel_iterations=1,
            )
            return total, *states

        integer, places = tf.TensorSpec((), tf.int32), tf.TensorSpec((None, size), tf.int32)
        by_row = tf.TensorSpec((None, size), dtype)
        return epoch.get_concrete_function(
            tf.TensorSpec((None,), tf.int32),
            places,
            places,
            by_row,
            by_row,
            tf.TensorSpec((None,), dtype),
            integer,
            integer,
            tf.TensorSpec((), dtype),
            *(tf.TensorSpec(part.shape, dtype) for part in initial_states(model, size)),
        )


LanguageTrainer.by_keras = LanguageTrainer


class _Graphs:
    """Graphs of a text model, made when they are first needed; for any number of threads."""

    def __init__(self, model):
        self._model = model
        self._made = {}
        self._lock = threading.Lock()

    def _graph(self, make, *key):
        with self._lock:
            if (make, *key) not in self._made:
                self._made[make, *key] = make(*key)
            return self._made[make, *key]

    def _specs(self):
        return [tf.TensorSpec(v.shape, v.dtype) for v in variables_of(self._model)]


class SequenceScorer(_Graphs):
    """Reads texts to their end: what was named rightly, and what comes next."""

    def __call__(self, values, texts, n_symbols):
        """Read texts of any lengths.

        Parameters
        ----------
        values : list of tensors
            Of the model's variables.
        texts : list of ndarrays of int
        n_symbols : int

        Returns
        -------
        losses : ndarray of shape (n_texts,)
            The sum of the cross entropies of each text's known symbols, in nats.
        hits : ndarray of shape (n_texts,)
            How many symbols of each were the most probable ones.
        logits : ndarray of shape (n_texts, n_symbols)
            Of what comes after each text.
        """
        lengths = np.array([len(text) for text in texts])
        order = np.argsort(lengths, kind="stable")
        results: list = [np.zeros(len(texts)), np.zeros(len(texts)), None]
        for first in range(0, len(texts), _ROWS_READ):
            rows = order[first : first + _ROWS_READ]
            size = 1 if len(texts) == 1 else _ROWS_READ
            n_steps = -(-(lengths[rows].max() + 1) // _STEPS_READ) * _STEPS_READ
            symbols = np.zeros((size, n_steps + 1), np.int32)
            symbols[:, 0] = n_symbols + 1
            for place, row in enumerate(rows):
                symbols[place, 1 : lengths[row] + 1] = texts[row]
            ends = np.zeros(size, np.int32)
            ends[: len(rows)] = lengths[rows]
            parts = self._graph(self._make, size)(values, tf.constant(symbols), tf.constant(ends))
            for i, part in enumerate(parts):
                part = part.numpy()[: len(rows)]
                if results[i] is None:
                    results[i] = np.empty((len(texts), part.shape[1]), part.dtype)
                results[i][rows] = part
        return results

    def _make(self, size):
        model = self._model
        dtype, n_symbols = model.outputs[0].dtype, model.outputs[0].shape[-1]

        @tf.function(jit_compile=True, autograph=False)
        def chunk(values, symbols, first, ends, states, losses, hits, last):
            with _running(model, values):
                logits, states = _run(model, symbols[:, :-1], states)
            named, place = symbols[:, 1:] - 1, first + tf.range(_STEPS_READ)
            known = (place < ends[:, None]) & (named >= 0) & (named < n_symbols)
            known, named = tf.cast(known, dtype), tf.clip_by_value(named, 0, n_symbols - 1)
            entropies = tf.nn.sparse_softmax_cross_entropy_with_logits(named, logits)
            right = tf.argmax(logits, axis=-1, output_type=tf.int32) == named
            at_end = tf.cast(place == ends[:, None], dtype)
            return (
                states,
                losses + tf.reduce_sum(entropies * known, axis=1),
                hits + tf.reduce_sum(tf.cast(right, dtype) * known, axis=1),
                last + tf.einsum("bt,btk->bk", at_end, logits),
            )

        @tf.function(
            autograph=False,
            input_signature=[
                self._specs(),
                tf.TensorSpec((size, None), tf.int32),
                tf.TensorSpec((size,), tf.int32),
            ],
        )
        def read(values, symbols, ends):
            def body(first, states, losses, hits, last):
                part = tf.slice(symbols, (0, first), (size, _STEPS_READ + 1))
                states, *sums = chunk(values, part, first, ends, states, losses, hits, last)
                return first + _STEPS_READ, states, *sums

            zeros = tf.zeros((size,), dtype)
            _, _, *results = tf.while_loop(
                lambda first, *_: first < tf.shape(symbols)[1] - 1,
                body,
                (0, initial_states(model, size), zeros, zeros, tf.zeros((size, n_symbols), dtype)),
                parallel_iterations=1,
            )
            return results

        return read.get_concrete_function()


class Generator(_Graphs):
    """Writes on after a prompt, symbol by symbol, with the state carried on."""

    def __call__(self, values, prompt, noise, temperature, top_k, top_p):
        """Yield blocks of the numbers of symbols, one after the other.

        Parameters
        ----------
        values : list of tensors
            Of the model's variables.
        prompt : ndarray of int
            What was written before, its beginning included.
        noise : iterator
            Of arrays of shape (n, n_symbols) of Gumbel noise, for the next n symbols each.
        temperature, top_p : float
        top_k : int
        """
        model = self._model
        dtype = model.outputs[0].dtype
        *before, symbol = (int(number) for number in prompt)
        states = initial_states(model, 1)
        settings = [tf.constant(temperature, dtype), tf.constant(top_p, dtype)]
        for first in range(0, len(before), _STEPS_READ):
            part = np.zeros((1, _STEPS_READ), np.int32)
            length = min(_STEPS_READ, len(before) - first)
            part[0, :length] = before[first : first + length]
            states = self._graph(self._make_read)(values, tf.constant(part), length, states)
        write = self._graph(self._make_write, top_k, top_p < 1)
        for block in noise:
            padded = np.zeros((_STEPS_WRITTEN, block.shape[1]), dtype)
            padded[: len(block)] = block
            written, states = write(
                values, symbol, states, tf.constant(padded), len(block), *settings
            )
            written = written.numpy()[: len(block)]
            symbol = int(written[-1])
            yield written

    def _make_read(self):
        model = self._model

        @tf.function(jit_compile=True, autograph=False)
        def read(values, symbols, length, states):
            def body(i, states):
                with _running(model, values):
                    return i + 1, _run(model, symbols[:, i][:, None], states)[1]

            return tf.while_loop(lambda i, _: i < length, body, (0, list(states)))[1]

        return read.get_concrete_function(
            self._specs(),
            tf.TensorSpec((1, _STEPS_READ), tf.int32),
            tf.TensorSpec((), tf.int32),
            self._state_specs(),
        )

    def _state_specs(self):
        return [tf.TensorSpec(part.shape, part.dtype) for part in initial_states(self._model, 1)]

    def _make_write(self, top_k, cut):
        model = self._model
        dtype, n_symbols = model.outputs[0].dtype, model.outputs[0].shape[-1]

        @tf.function(jit_compile=True, autograph=False)
        def write(values, symbol, states, noise, length, temperature, top_p):
            def body(i, symbol, states, written):
                with _running(model, values):
                    logits, states = _run(model, tf.reshape(symbol, (1, 1)), states)
                logits = logits[0, 0] - tf.reduce_max(logits)
                logits = filter_top_k_top_p(logits / temperature, top_k, top_p if cut else None)
                symbol = tf.argmax(logits + noise[i], output_type=tf.int32) + 1
                return i + 1, symbol, states, tf.tensor_scatter_nd_update(written, [[i]], [symbol])

            written = tf.zeros((_STEPS_WRITTEN,), tf.int32)
            _, _, states, written = tf.while_loop(
                lambda i, *_: i < length, body, (0, symbol, list(states), written)
            )
            return written, states

        return write.get_concrete_function(
            self._specs(),
            tf.TensorSpec((), tf.int32),
            self._state_specs(),
            tf.TensorSpec((_STEPS_WRITTEN, n_symbols), dtype),
            tf.TensorSpec((), tf.int32),
            tf.TensorSpec((), dtype),
            tf.TensorSpec((), dtype),
        )


def filter_top_k_top_p(logits, top_k, top_p):
    """Leave the `top_k` most probable symbols, then the fewest of these that make up `top_p`."""
    if top_k is None and top_p is None:
        return logits
    never = tf.constant(-np.inf, logits.dtype)
    ordered = tf.sort(logits, direction="DESCENDING")
    if top_k is not None and top_k < logits.shape[0]:
        ordered = tf.where(tf.range(logits.shape[0]) < top_k, ordered, never)
    if top_p is not None:
        probabilities = tf.nn.softmax(ordered)
        above = tf.cumsum(probabilities, exclusive=True)
        is_first = tf.range(logits.shape[0]) == 0  # which stays, however small top_p is
        ordered = tf.where((above < top_p) | is_first, ordered, never)
    least = tf.reduce_min(tf.where(ordered > never, ordered, ordered[0]))
    return tf.where(logits >= least, logits, never)
