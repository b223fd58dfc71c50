"""Prediction in a TensorFlow graph: one call for any number of rows, in batches."""

import tensorflow as tf

from .._keras_compat import model_lock
from .batches import gather_source, sample_shape
from .eligibility import max_rows_without_xla
from .parameters import specs_of, stateless_scope, variables_of
from .patch import patched_layers
from .trainer import MAX_SHARDS

# Maximum rows of a batch, and minimum without XLA.
_ROWS_PER_BATCH, _MIN_ROWS_PER_BATCH = 64, 8


class CompiledProgram:
    """Graphs of a model, which are traced when they are first needed; thread-safe.

    Parameters
    ----------
    model : keras.Model
        A model for which `supports_fused_engine` is True.
    """

    def __init__(self, model):
        self.model = model
        self.dtype = model.outputs[0].dtype
        self._graphs = {}

    def _graph(self, make, *key):
        if (make, *key) not in self._graphs:
            with model_lock:  # other programs may belong to the same model
                if (make, *key) not in self._graphs:
                    self._graphs[make, *key] = make(*key)
        return self._graphs[make, *key]


class Predictor(CompiledProgram):
    """The outputs of a model as graphs of its variables and X."""

    def __call__(self, values, X):
        """Return the outputs for all rows of X.

        Parameters
        ----------
        values : list of tensors
            Values of the model's variables.
        X : WindowArray or ndarray of shape (n_samples, n_timesteps, n_features)

        Returns
        -------
        outputs : ndarray of shape (n_samples, ...)
        """
        n_rows = len(X)
        source, window_length = gather_source(X)
        spec = tf.TensorSpec((None, *source.shape[1:]), source.dtype)
        graph = self._graph(self._make_graph, n_rows == 1, X.shape[1], window_length, spec)
        return graph(values, source, tf.constant(n_rows)).numpy()

    def _make_graph(self, is_single, n_timesteps, window_length, source_spec):
        model = self.model
        shape = sample_shape(model, n_timesteps)
        max_rows = max_rows_without_xla(model)
        size = 1 if is_single else _ROWS_PER_BATCH
        if max_rows >= min(size, _MIN_ROWS_PER_BATCH):
            size = min(size, max_rows)
        xla = size > max_rows

        @tf.function(jit_compile=xla, autograph=False)
        def outputs(values, x):
            with stateless_scope(model, values), patched_layers(model, xla=xla):
                return model(x, training=False)

        def predict_batch(values, source, first, n_rows):
            index = tf.minimum(first + tf.range(size), n_rows - 1)
            if window_length is not None:
                index = index[:, None] + tf.range(window_length)
            return outputs(values, tf.reshape(tf.gather(source, index), (size, *shape)))

        @tf.function(autograph=False)
        def predict(values, source, n_rows):
            if is_single:
                return predict_batch(values, source, 0, n_rows)
            batches = tf.map_fn(
                lambda first: predict_batch(values, source, first, n_rows),
                tf.range(0, n_rows, size),
                fn_output_signature=self.dtype,
                parallel_iterations=MAX_SHARDS,
            )
            row = tf.shape(batches)[2:]  # a model may not know its number of time steps
            return tf.reshape(batches, tf.concat([[-1], row], axis=0))[:n_rows]

        return predict.get_concrete_function(
            specs_of(variables_of(self.model)), source_spec, tf.TensorSpec((), tf.int32)
        )
