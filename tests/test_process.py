"""Threads and garbage collection in joblib workers, and the error in forked processes."""

import gc
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky import get_reusable_executor

from skrnn import sliding_windows

VARIABLES = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


@pytest.fixture
def new_workers():
    get_reusable_executor().shutdown(wait=True)
    yield
    get_reusable_executor().shutdown(wait=True)


def state_after_fit(rnn, windows):
    """Return the thread settings, the number of threads of XLA, and the state of gc."""
    rnn.fit(windows)
    tasks = Path("/proc/self/task")
    names = [(task / "comm").read_text().strip() for task in tasks.iterdir()]
    settings = [os.environ.get(name) for name in VARIABLES]
    return settings, names.count("tf_XLAEigen"), gc.isenabled(), gc.get_freeze_count() > 100_000


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="no list of threads")
@pytest.mark.usefixtures("new_workers")
def test_worker_limits_its_threads_and_freezes_imported_objects(wave, small_rnn, monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name)
    windows = sliding_windows(wave, 6)
    with parallel_config("loky", inner_max_num_threads=3):
        (state,) = Parallel(n_jobs=2)([delayed(state_after_fit)(small_rnn(), windows)])
    assert state == (["3", "3"], 3, True, True)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="no list of threads")
@pytest.mark.usefixtures("new_workers")
def test_worker_does_not_change_configured_threads(wave, small_rnn, monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "5")
    monkeypatch.delenv("TF_NUM_INTEROP_THREADS")
    windows = sliding_windows(wave, 6)
    with parallel_config("loky", inner_max_num_threads=3):
        (state,) = Parallel(n_jobs=2)([delayed(state_after_fit)(small_rnn(), windows)])
    assert state[:2] == (["5", None], 5)


def test_fit_in_the_main_process_does_not_change_threads_or_garbage_collection(
    wave, small_rnn, monkeypatch
):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    for name in VARIABLES:
        monkeypatch.delenv(name)
    n_frozen = gc.get_freeze_count()
    small_rnn().fit(sliding_windows(wave, 6))
    assert not any(name in os.environ for name in VARIABLES)
    assert (gc.isenabled(), gc.get_freeze_count()) == (True, n_frozen)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_process_forked_after_tensorflow_has_started_raises():
    code = """
        import multiprocessing, warnings
        warnings.simplefilter("ignore")
        import joblib, numpy as np
        from sklearn.model_selection import cross_val_score, TimeSeriesSplit
        from sklearn.pipeline import make_pipeline
        from skrnn import RNNRegressor, WindowTransformer

        series = np.sin(np.arange(60.0))[:, None]
        model = make_pipeline(WindowTransformer(6), RNNRegressor("rnn", 4, epochs=1)).fit(series)

        def search():
            with joblib.parallel_config("multiprocessing"):
                cross_val_score(model, series, series, cv=TimeSeriesSplit(2), n_jobs=2,
                                error_score="raise")

        def predict():
            multiprocessing.get_context("fork").Pool(1).map(model.predict, [series])

        for run in (search, predict):
            try:
                run()
            except RuntimeError as error:
                print(run.__name__, error)
    """
    completed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120
    )
    for name in ("search", "predict"):
        message = f"{name} This process was forked from one in which TensorFlow had already started"
        assert message in completed.stdout, completed.stderr
