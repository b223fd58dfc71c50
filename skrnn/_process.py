"""TensorFlow in a process: the backend of Keras, forks, and the number of threads in workers."""

import contextlib
import gc
import json
import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

_started_in_parent = False

# TensorFlow reads these when it is initialized.
_THREAD_VARIABLES = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def _detect_fork():
    """Record in a forked process whether TensorFlow had been initialized before the fork."""
    global _started_in_parent
    eager = sys.modules.get("tensorflow.python.eager.context")
    context = getattr(eager, "context_safe", lambda: None)()
    if context is not None and getattr(context, "_initialized", True):
        _started_in_parent = True


def check_backend() -> None:
    """Raise an ImportError if the backend of Keras is not TensorFlow; does not import Keras."""
    backend = _configured_backend()
    if backend != "tensorflow":
        raise ImportError(
            f"skrnn needs Keras with the backend 'tensorflow', but the backend is {backend!r}. Set "
            "the environment variable KERAS_BACKEND=tensorflow before keras is first imported, and "
            "restart Python."
        )


def _configured_backend():
    """Return the backend of Keras, or the one that an import of Keras would choose."""
    keras_config: Any = getattr(sys.modules.get("keras"), "config", None)
    if hasattr(keras_config, "backend"):
        return keras_config.backend()
    if "KERAS_BACKEND" in os.environ:
        return os.environ["KERAS_BACKEND"] or "tensorflow"
    directory = Path(os.environ.get("KERAS_HOME") or Path("~/.keras").expanduser())
    with contextlib.suppress(OSError, ValueError):  # no file, or not JSON
        config = json.loads((directory / "keras.json").read_text(encoding="utf-8"))
        if isinstance(config, dict):
            return config.get("backend", "tensorflow")
    return "tensorflow"


def check_not_forked() -> None:
    """Raise an error in a process in which TensorFlow cannot be used.

    Raises
    ------
    ImportError
        If the backend of Keras is not TensorFlow.
    RuntimeError
        If the process was forked after TensorFlow was initialized.
    """
    check_backend()
    if _started_in_parent:
        raise RuntimeError(
            "This process was forked from one in which TensorFlow had already started, and "
            "TensorFlow would hang in it. Use joblib's default backend, loky "
            "(joblib.parallel_config('loky')), or multiprocessing's 'spawn' start method, "
            "instead of 'multiprocessing' or 'fork'."
        )


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_detect_fork)


def _import_keras_in_worker():
    """Import Keras with garbage collection disabled, and exclude its objects from later runs.

    The import creates half a million permanent objects. Traversing them would take a quarter of
    the time of the import and a tenth of the time of each compilation. In the main process, garbage
    collection is left to the user.
    """
    if "tensorflow" in sys.modules or not gc.isenabled():
        return
    gc.disable()
    try:
        import keras  # noqa: F401
    finally:
        gc.freeze()
        gc.enable()


def limit_threads_in_worker() -> None:
    """In a joblib worker, limit the threads of TensorFlow to the worker's share of the cores.

    The share is read from OMP_NUM_THREADS, which joblib sets. Environment variables that already
    configure the threads of TensorFlow are not changed, and `tf.config.threading` has precedence.
    """
    if type(multiprocessing.current_process()).__name__ != "LokyProcess":
        return
    n_threads = os.environ.get("OMP_NUM_THREADS", "")
    if n_threads.isdigit() and not any(name in os.environ for name in _THREAD_VARIABLES):
        os.environ.update(dict.fromkeys(_THREAD_VARIABLES, n_threads))
    _import_keras_in_worker()
