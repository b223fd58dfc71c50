"""TensorFlow in several processes: an error after a fork, the number of threads in a worker."""

import contextlib
import gc
import multiprocessing
import os
import sys

_started_in_parent = False


def _note_fork():
    global _started_in_parent
    eager = sys.modules.get("tensorflow.python.eager.context")
    started = getattr(eager, "context_safe", lambda: None)()
    if started is not None and getattr(started, "_initialized", True):
        _started_in_parent = True


def check_not_forked():
    """Raise a RuntimeError in a process that was forked after TensorFlow had started."""
    if _started_in_parent:
        raise RuntimeError(
            "This process was forked from one in which TensorFlow had already started, and "
            "TensorFlow would hang in it. Use joblib's default backend, loky "
            "(joblib.parallel_config('loky')), or multiprocessing's 'spawn' start method, "
            "instead of 'multiprocessing' or 'fork'."
        )


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


def _import_keras_in_worker():
    """Import TensorFlow where the whole process is there for it.

    Half a million objects come with it and stay: looking for garbage among them, while they come
    and ever after, would take a quarter of the import's time and a tenth of each compilation's.
    """
    if "tensorflow" in sys.modules or not gc.isenabled():
        return
    gc.disable()
    try:
        import keras  # noqa: F401  and TensorFlow with it
    finally:
        gc.freeze()
        gc.enable()


def limit_threads_in_worker():
    """In a worker of joblib's, let TensorFlow start with no more threads than its share of cores.

    joblib says what that is by OMP_NUM_THREADS. A TensorFlow that has started, or was told its
    number of threads, keeps it.
    """
    share = os.environ.get("OMP_NUM_THREADS", "")
    if type(multiprocessing.current_process()).__name__ != "LokyProcess":
        return
    _import_keras_in_worker()
    told = {"TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"} & set(os.environ)
    if not share.isdigit() or told:
        return
    import tensorflow as tf

    threads = tf.config.threading
    if threads.get_intra_op_parallelism_threads() or threads.get_inter_op_parallelism_threads():
        return
    with contextlib.suppress(RuntimeError):  # it has started
        threads.set_intra_op_parallelism_threads(int(share))
        threads.set_inter_op_parallelism_threads(int(share))
