"""Training and prediction of Keras models in TensorFlow graphs.

An epoch and a prediction are one graph call each. Batches are gathered from the series inside the
graph, XLA compiles what a batch computes, and kernels replace the inner loops of Keras' recurrent
layers while a graph is traced. Models that the engine does not support train with `keras.Model.fit`.
"""
