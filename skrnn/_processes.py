"""TensorFlow among other processes: an error after a fork, a share of the cores in a worker."""

import contextlib
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


def take_share_of_cores():
    """In a worker of joblib's, let TensorFlow start with no more threads than its share of cores.

    joblib says what that is by OMP_NUM_THREADS. A TensorFlow that has started, or was told its
    number of threads, keeps it.
    """
    share = os.environ.get("OMP_NUM_THREADS", "")
    is_worker = type(multiprocessing.current_process()).__name__ == "LokyProcess"
    told = {"TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"} & set(os.environ)
    if not is_worker or not share.isdigit() or told:
        return
    import tensorflow as tf

    threads = tf.config.threading
    if threads.get_intra_op_parallelism_threads() or threads.get_inter_op_parallelism_threads():
        return
    with contextlib.suppress(RuntimeError):  # it has started
        threads.set_intra_op_parallelism_threads(int(share))
        threads.set_inter_op_parallelism_threads(int(share))
