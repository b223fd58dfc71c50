"""Compiled graphs: an epoch and a prediction each as one call, shared by fits of one architecture.

An epoch is a loop over batches inside one graph, which gathers each batch's windows from the
series. XLA compiles what a batch computes, for a number of rows and time steps that never changes:
a short last batch is filled up with rows of weight zero. Large batches are cut into branches, which
run side by side, each on one thread. Their number depends on shapes alone, and `_engine.kernels` keeps
threads out of single products: the number of cores changes no bit.
"""

import threading

import tensorflow as tf

from .batches import gather_source, sample_shape
from .parameters import variables_of
from .patch import patched_layers
from .trainer import MAX_SHARDS


class Predictor:
    """The graph of a model's outputs, as a function of its weights; for any number of threads."""

    def __init__(self, model):
        self._model = model
        self._graphs = {}
        self._lock = threading.Lock()

    def __call__(self, values, X):
        """Return the outputs for all rows of X, a WindowArray or an array."""
        n_rows = len(X)
        source, window_length = gather_source(X)
        spec = tf.TensorSpec((None, *source.shape[1:]), source.dtype)
        key = (1 if n_rows == 1 else _PREDICT_ROWS, X.shape[1], window_length, spec)
        with self._lock:
            if key not in self._graphs:
                self._graphs[key] = self._make(*key)
        return self._graphs[key](values, source, tf.constant(n_rows)).numpy()

    def _make(self, size, n_timesteps, window_length, X_spec):
        model = self._model
        shape = sample_shape(model, n_timesteps)
        n_trainable = len(model.trainable_variables)

        @tf.function(jit_compile=True, autograph=False)
        def outputs(values, x):
            with patched_layers(model):
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
                parallel_iterations=MAX_SHARDS,
            )
            row = tf.shape(parts)[2:]  # a model may not know its number of time steps
            return tf.reshape(parts, tf.concat([[-1], row], axis=0))[:n_rows]

        return predict.get_concrete_function()


# Rows that are predicted at once.
_PREDICT_ROWS = 64
