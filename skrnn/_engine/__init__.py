"""Training and prediction of Keras models in TensorFlow graphs.

An epoch is one graph call, and so is a prediction. Batches are gathered from the series inside the
graph, XLA compiles the computation of a batch, and kernels replace the inner loops of Keras'
recurrent layers while a graph is traced. Fits of the same architecture share their graphs. Models
that the engine does not support are trained with `keras.Model.fit`.
"""

from .._process import check_backend

check_backend()
