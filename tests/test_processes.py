import os
import subprocess
import sys

import pytest
from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky import get_reusable_executor
from sklearn.base import clone

from skrnn import sliding_windows


@pytest.fixture(autouse=True)
def new_workers():
    get_reusable_executor().shutdown(wait=True)
    yield
    get_reusable_executor().shutdown(wait=True)


def threads_after_a_fit(rnn, windows):
    import tensorflow as tf

    rnn.fit(windows)
    threads = tf.config.threading
    return threads.get_intra_op_parallelism_threads(), threads.get_inter_op_parallelism_threads()


@pytest.mark.parametrize("share", [1, 2])
def test_a_worker_starts_tensorflow_with_its_share_of_the_cores(
    share, wave, small_rnn, monkeypatch
):
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        monkeypatch.delenv(name)
    windows = sliding_windows(wave, 3)
    with parallel_config("loky", inner_max_num_threads=share):
        found = Parallel(n_jobs=2)(
            delayed(threads_after_a_fit)(clone(rnn), windows) for rnn in 2 * [small_rnn()]
        )
    assert found == 2 * [(share, share)]


def test_a_worker_leaves_threads_that_were_asked_for(wave, small_rnn, monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "3")
    windows = sliding_windows(wave, 3)
    with parallel_config("loky", inner_max_num_threads=2):
        (found,) = Parallel(n_jobs=2)([delayed(threads_after_a_fit)(small_rnn(), windows)])
    assert found == (0, 0)


def garbage_after_a_fit(rnn, windows):
    import gc

    rnn.fit(windows)
    return gc.isenabled(), gc.get_freeze_count() > 100_000


def test_a_worker_looks_for_garbage_but_not_in_tensorflow(wave, small_rnn):
    windows = sliding_windows(wave, 3)
    (found,) = Parallel(n_jobs=2)([delayed(garbage_after_a_fit)(small_rnn(), windows)])
    assert found == (True, True)
    assert garbage_after_a_fit(small_rnn(), windows) == (True, False)  # in the user's own process


def test_the_threads_of_the_users_own_process_stay_as_they_are():
    code = (
        "import numpy as np, tensorflow as tf\n"
        "from skrnn import RNNRegressor\n"
        "RNNRegressor('rnn', 2, epochs=1).fit(np.zeros((4, 3, 1)), np.zeros(4))\n"
        "threads = tf.config.threading\n"
        "print('threads', threads.get_intra_op_parallelism_threads(),\n"
        "      threads.get_inter_op_parallelism_threads())\n"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        environment.pop(name, None)
    finished = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )
    assert "threads 0 0" in finished.stdout, finished.stderr
