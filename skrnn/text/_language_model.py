"""Language models: training on chunks of text, scoring and generation, each in one graph call.

A language model predicts the next token after every token of a text. Its `Trainer` carries the
states of the layers from one chunk of a text to the next (see `_engine.tbptt`).
"""

import keras
import numpy as np
import tensorflow as tf

from .._engine.batches import Batch, BatchSpec, Rows
from .._engine.parameters import specs_of, stateless_scope, variables_of
from .._engine.patch import patched, patched_layers
from .._engine.predictor import CompiledProgram
from .._engine.tbptt import ChunkTrainer, initial_states, where_rows

# Probability that a chunk of a long text begins with the initial states. A network would otherwise
# hardly ever be trained at the beginning of a text.
STATE_RESET_RATE = 1 / 32


# Texts in a batch that is scored, and tokens of each in one call of an XLA program.
_ROWS_PER_BATCH = 32


_STEPS_PER_CALL = 64


# Maximum number of tokens that one graph call generates.
_MAX_GENERATED = 128


class CorpusChunks:
    """Batches of the chunks of a corpus.

    All chunks of all texts, in the order of the epoch, form a sequence, which is split into as many
    segments as a batch has rows. Each row contains the chunks of its segment in order. States are
    carried within a text, except for chunks that are randomly chosen in each epoch.

    Parameters
    ----------
    corpus : tuple of list of ndarrays of int, and int
        Texts as codes of tokens, from 1; and the number of tokens that gradients are propagated
        through. The code of the beginning, which precedes each text, and of unknown tokens is
        ``n_tokens + 1``.
    token_weights : ndarray of shape (n_tokens,)
        Weights of the tokens to predict.
    text_weights : ndarray of shape (n_texts,) or None
    """

    def __init__(self, corpus, token_weights, text_weights):
        texts, self._chunk_length = corpus
        n_tokens = len(token_weights)
        codes = np.concatenate([part for text in texts for part in ([n_tokens + 1], text)])
        self._codes = tf.constant(codes.astype(np.int32))
        self._lengths = np.array([len(text) for text in texts])
        self._starts = np.cumsum(self._lengths + 1) - (self._lengths + 1)
        self._token_weights = tf.constant(token_weights)
        if text_weights is None:
            text_weights = np.ones(len(texts), token_weights.dtype)
        self._text_weights = text_weights
        self._n_chunks = int((-(-self._lengths // self._chunk_length)).sum())
        self._n_known_before = np.append(0, np.cumsum(codes <= n_tokens))
        # Of each chunk: start, length, whether it continues, weight, and number of known tokens.
        self._chunks: list[np.ndarray] = []
        self._n_known = np.zeros(0, int)  # of each batch

    def set_epoch_order(self, order, rng):
        """Split the texts, in the order of the epoch, into chunks."""
        chunk, chunks = self._chunk_length, []
        for text in order:
            starts = np.arange(0, self._lengths[text], chunk)
            lengths = np.minimum(chunk, self._lengths[text] - starts)
            continues = (starts > 0) & (rng.random(len(starts)) >= STATE_RESET_RATE)
            weights = np.full(len(starts), self._text_weights[text])
            starts += self._starts[text]
            n_known = self._n_known_before[starts + lengths + 1] - self._n_known_before[starts + 1]
            chunks.append([starts, lengths, continues, weights, n_known])
        self._chunks = [np.concatenate(parts) for parts in zip(*chunks, strict=True)]

    def batch_spec(self):
        return BatchSpec(chunk_length=self._chunk_length)

    def steps_per_epoch(self, n_rows, batch_size):
        return self.n_batches(self.effective_batch_size(batch_size))

    def effective_batch_size(self, batch_size):
        return min(batch_size, self._n_chunks)

    def n_batches(self, size):
        return -(-self._n_chunks // size)

    def loss_denominator(self, n_batches, size):
        return max(1, int(self._n_known[:n_batches].sum()))

    def tensors(self, size, dtype):
        n_batches = self.n_batches(size)
        n_missing = size * n_batches - self._n_chunks

        def split_into_rows(values):
            """Row r of batch b is chunk ``r * n_batches + b``."""
            padded = np.append(values, np.zeros(n_missing, values.dtype))
            return np.ascontiguousarray(padded.reshape(size, n_batches).T)

        starts, lengths, continues, weights, n_known = map(split_into_rows, self._chunks)
        continues[0] = False
        self._n_known = n_known
        return (
            self._codes,
            tf.constant(starts, tf.int32),
            tf.constant(lengths, tf.int32),
            tf.constant(continues),
            tf.constant(weights, dtype),
            tf.cast(self._token_weights, dtype),
        )


class LanguageTrainer(ChunkTrainer):
    """Trains a model of `build_text_rnn` on the chunks of a corpus."""

    data_class = CorpusChunks
    groups_batches = False

    def __init__(self, model, fused=True):
        super().__init__(model, fused)
        self.loss = tf.nn.sparse_softmax_cross_entropy_with_logits

    def check_model(self, spec):
        pass  # `build_text_rnn` builds layers that process each time step independently

    def forward(self, rows, states, spec):
        """Return the logits of the next tokens, and the last states."""
        initial = initial_states(self.model, keras.ops.shape(rows.x)[0])
        states = where_rows(rows.continues[0], states, initial)
        return run_layers(self.model, rows.x, states, training=True)

    def gather(self, tensors, numbers, size, spec):
        codes, starts, lengths, continues, weights, token_weights = tensors
        n_tokens, chunk = self.model.outputs[0].shape[-1], spec.chunk_length
        starts, lengths, continues, weights = (
            tf.ensure_shape(tf.gather(values, numbers), (*numbers.shape, size))
            for values in (starts, lengths, continues, weights)
        )
        index = starts[..., None] + tf.range(chunk + 1)
        tokens = tf.gather(codes, tf.minimum(index, tf.shape(codes)[0] - 1))
        is_beginning = ~continues[..., None] & (tf.range(chunk + 1) == 0)
        tokens = tf.where(is_beginning, n_tokens + 1, tokens)
        # There is no loss after the end of a chunk, and for unknown tokens.
        has_loss = (tf.range(chunk) < lengths[..., None]) & (tokens[..., 1:] <= n_tokens)
        n_losses = tf.maximum(1, tf.reduce_sum(tf.cast(has_loss, tf.int32), axis=(1, 2)))
        weights = tf.cast(has_loss, self.dtype) * weights[..., None]
        y = tf.clip_by_value(tokens[..., 1:] - 1, 0, n_tokens - 1)
        rows = Rows(tokens[..., :-1], y, [weights, tf.gather(token_weights, y)], [continues])
        # The sum of the losses is added to that of the epoch. Gradients are those of the mean.
        ones, n_rows = tf.ones(numbers.shape, self.dtype), tf.fill(numbers.shape, size)
        return Batch(rows, ones, n_rows, [1 / tf.cast(n_losses, self.dtype)])


def run_layers(model, tokens, states, *, training=False):
    """Run a text model on some tokens, from given states.

    Parameters
    ----------
    model : keras.Model
        Built by `build_text_rnn` with ``sequences=True``.
    tokens : int tensor of shape (n_samples, n_timesteps)
    states : list of tensors

    Returns
    -------
    logits : tensor of shape (n_samples, n_timesteps, n_tokens)
    states : list of tensors
        After the last token.
    """
    x, states, last_states = tokens, list(states), []
    for layer in model.layers[1:-1]:
        if isinstance(layer, keras.layers.RNN):
            structure = layer.get_initial_state(keras.ops.shape(tokens)[0])
            n_states = len(keras.tree.flatten(structure))
            initial = keras.tree.pack_sequence_as(structure, states[:n_states])
            with patched(layer, "return_state", True):
                x, *last = layer(x, initial_state=initial, training=training)
            states = states[n_states:]
            last_states += keras.tree.flatten(last)
        else:
            x = layer(x, training=training) if isinstance(layer, keras.layers.Dropout) else layer(x)
    return x, last_states


class SequenceScorer(CompiledProgram):
    """Computes the losses of texts, and the logits of the tokens that follow them."""

    def __call__(self, values, texts):
        """Score texts of any lengths.

        Parameters
        ----------
        values : list of tensors
            Values of the model's variables.
        texts : list of ndarrays of int

        Returns
        -------
        losses : ndarray of shape (n_texts,)
            The sum of the cross-entropies of the known tokens of each text, in nats.
        n_correct : ndarray of shape (n_texts,)
            Number of tokens of each text that were predicted correctly.
        logits : ndarray of shape (n_texts, n_tokens)
            Logits of the token that follows each text.
        """
        n_tokens = self.model.output_shape[-1]
        lengths = np.array([len(text) for text in texts])
        order = np.argsort(lengths, kind="stable")
        size = 1 if len(texts) == 1 else _ROWS_PER_BATCH
        results = [np.zeros(len(texts)), np.zeros(len(texts))]
        results.append(np.empty((len(texts), n_tokens), self.dtype))
        for first in range(0, len(texts), size):
            rows = order[first : first + size]
            n_steps = -(-(lengths[rows].max() + 1) // _STEPS_PER_CALL) * _STEPS_PER_CALL
            tokens = np.zeros((size, n_steps + 1), np.int32)
            tokens[:, 0] = n_tokens + 1
            for i, row in enumerate(rows):
                tokens[i, 1 : lengths[row] + 1] = texts[row]
            ends = np.zeros(size, np.int32)
            ends[: len(rows)] = lengths[rows]
            graph = self._graph(self._make_graph, size)
            batch = graph(values, tf.constant(tokens), tf.constant(ends))
            for result, value in zip(results, batch, strict=True):
                result[rows] = value.numpy()[: len(rows)]
        return results

    def _make_graph(self, size):
        model, dtype, n_tokens = self.model, self.dtype, self.model.output_shape[-1]

        @tf.function(jit_compile=True, autograph=False)
        def score_chunk(values, tokens, first, ends, states, losses, n_correct, last):
            with patched_layers(model), stateless_scope(model, values):
                logits, states = run_layers(model, tokens[:, :-1], states)
            y, position = tokens[:, 1:] - 1, first + tf.range(_STEPS_PER_CALL)
            is_known = (position < ends[:, None]) & (y >= 0) & (y < n_tokens)
            is_known, y = tf.cast(is_known, dtype), tf.clip_by_value(y, 0, n_tokens - 1)
            entropies = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
            is_correct = tf.argmax(logits, axis=-1, output_type=tf.int32) == y
            is_last = tf.cast(position == ends[:, None], dtype)
            return (
                states,
                losses + tf.reduce_sum(entropies * is_known, axis=1),
                n_correct + tf.reduce_sum(tf.cast(is_correct, dtype) * is_known, axis=1),
                last + tf.einsum("bt,btk->bk", is_last, logits),
            )

        @tf.function(autograph=False)
        def score(values, tokens, ends):
            def body(first, states, *sums):
                chunk = tf.slice(tokens, (0, first), (size, _STEPS_PER_CALL + 1))
                return first + _STEPS_PER_CALL, *score_chunk(
                    values, chunk, first, ends, states, *sums
                )

            zeros = tf.zeros((size,), dtype)
            _, _, *sums = tf.while_loop(
                lambda first, *_: first < tf.shape(tokens)[1] - 1,
                body,
                (0, initial_states(model, size), zeros, zeros, tf.zeros((size, n_tokens), dtype)),
                parallel_iterations=1,
            )
            return sums

        return score.get_concrete_function(
            specs_of(variables_of(self.model)),
            tf.TensorSpec((size, None), tf.int32),
            tf.TensorSpec((size,), tf.int32),
        )


class Generator(CompiledProgram):
    """Generates tokens after a prompt."""

    def __call__(self, values, prompt, noise, temperature, top_k, top_p):
        """Yield blocks of the codes of tokens.

        Parameters
        ----------
        values : list of tensors
            Values of the model's variables.
        prompt : ndarray of int
            The code of the beginning, and the codes of the tokens after it.
        noise : iterator
            Yields arrays of Gumbel noise of shape (n, n_tokens), each for the next n tokens.
        temperature : float
        top_k : int or None
        top_p : float
        """
        *before, token = (int(code) for code in prompt)
        states = initial_states(self.model, 1)
        settings = [tf.constant(setting, self.dtype) for setting in (temperature, top_p)]
        for first in range(0, len(before), _STEPS_PER_CALL):
            chunk = np.zeros((1, _STEPS_PER_CALL), np.int32)
            length = min(_STEPS_PER_CALL, len(before) - first)
            chunk[0, :length] = before[first : first + length]
            read = self._graph(self._make_read)
            states = read(values, tf.constant(chunk), length, states)
        generate = self._graph(self._make_generate, top_k, top_p < 1)
        for block in noise:
            padded = np.zeros((_MAX_GENERATED, block.shape[1]), self.dtype)
            padded[: len(block)] = block
            tokens, states = generate(
                values, token, states, tf.constant(padded), len(block), *settings
            )
            tokens = tokens.numpy()[: len(block)]
            token = int(tokens[-1])
            yield tokens

    def _make_read(self):
        model = self.model

        @tf.function(jit_compile=True, autograph=False)
        def read(values, tokens, length, states):
            def body(i, states):
                with patched_layers(model), stateless_scope(model, values):
                    return i + 1, run_layers(model, tokens[:, i][:, None], states)[1]

            return tf.while_loop(lambda i, _: i < length, body, (0, list(states)))[1]

        return read.get_concrete_function(
            specs_of(variables_of(self.model)),
            tf.TensorSpec((1, _STEPS_PER_CALL), tf.int32),
            tf.TensorSpec((), tf.int32),
            specs_of(initial_states(self.model, 1)),
        )

    def _make_generate(self, top_k, filters_by_p):
        model = self.model

        @tf.function(jit_compile=True, autograph=False)
        def generate(values, token, states, noise, length, temperature, top_p):
            def body(i, token, states, tokens):
                with patched_layers(model), stateless_scope(model, values):
                    logits, states = run_layers(model, tf.reshape(token, (1, 1)), states)
                logits = (logits[0, 0] - tf.reduce_max(logits)) / temperature
                logits = filter_top_k_top_p(logits, top_k, top_p if filters_by_p else None)
                token = tf.argmax(logits + noise[i], output_type=tf.int32) + 1
                return i + 1, token, states, tf.tensor_scatter_nd_update(tokens, [[i]], [token])

            tokens = tf.zeros((_MAX_GENERATED,), tf.int32)
            _, _, states, tokens = tf.while_loop(
                lambda i, *_: i < length, body, (0, token, list(states), tokens)
            )
            return tokens, states

        return generate.get_concrete_function(
            specs_of(variables_of(self.model)),
            tf.TensorSpec((), tf.int32),
            specs_of(initial_states(self.model, 1)),
            tf.TensorSpec((_MAX_GENERATED, self.model.output_shape[-1]), self.dtype),
            tf.TensorSpec((), tf.int32),
            tf.TensorSpec((), self.dtype),
            tf.TensorSpec((), self.dtype),
        )


def filter_top_k_top_p(logits, top_k, top_p):
    """Set the logits of all but the most probable tokens to minus infinity.

    At most `top_k` tokens remain, and no more than are needed for a total probability of `top_p`.
    """
    if top_k is None and top_p is None:
        return logits
    never = tf.constant(-np.inf, logits.dtype)
    ordered = tf.sort(logits, direction="DESCENDING")
    if top_k is not None and top_k < logits.shape[0]:
        ordered = tf.where(tf.range(logits.shape[0]) < top_k, ordered, never)
    if top_p is not None:
        probabilities = tf.nn.softmax(ordered)
        above = tf.cumsum(probabilities, exclusive=True)
        is_first = tf.range(logits.shape[0]) == 0  # remains, however small top_p is
        ordered = tf.where((above < top_p) | is_first, ordered, never)
    least = tf.reduce_min(tf.where(ordered > never, ordered, ordered[0]))
    return tf.where(logits >= least, logits, never)
