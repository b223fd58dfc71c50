"""A fork after TensorFlow has started leaves its thread pools behind: say so, do not hang."""

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
