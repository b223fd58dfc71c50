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


USES_OF_KERAS = {
    "fit": "from skrnn import RNNRegressor; RNNRegressor().fit([[[1.0]]] * 4, [1.0] * 4)",
    "build": "from skrnn import build_rnn",
    "layers": "import skrnn.layers",
    "scikeras": "import skrnn.scikeras",
    "unpickle": "import pickle; pickle.loads(b'cskrnn._engine.network\\nNetwork\\n.')",
}


# Keras itself cannot be imported with another backend: the numpy backend needs jax as well.
FAKE_KERAS = "import sys, types; sys.modules['keras'] = keras = types.ModuleType('keras'); " + (
    "keras.config = types.SimpleNamespace(backend=lambda: 'numpy')"
)


@pytest.mark.parametrize("use", USES_OF_KERAS)
@pytest.mark.parametrize(
    ("backend", "before"),
    [("numpy", FAKE_KERAS), ("jax", "import sys; sys.modules['jax'] = None")],
    ids=["imported", "missing"],
)
def test_other_backends_of_keras_raise_an_error(use, backend, before, tmp_path):
    code = textwrap.dedent(f"""
        import skrnn
        {before}
        try:
            {USES_OF_KERAS[use]}
        except ImportError as error:
            print(error)
    """)
    # The directory has no keras.json, so that the environment variable is the only setting.
    environment = os.environ | {"KERAS_BACKEND": backend, "KERAS_HOME": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert f"the backend is {backend!r}" in run.stdout, run.stderr
    assert "KERAS_BACKEND=tensorflow" in run.stdout


@pytest.mark.parametrize("text", ['{"backend": "torch"}', "no JSON", "[]", None])
def test_backend_is_read_from_the_configuration_of_keras(text, tmp_path, monkeypatch):
    from skrnn._process import check_backend

    monkeypatch.setitem(sys.modules, "keras", None)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    if text is not None:
        (tmp_path / "keras.json").write_text(text)
    if text is not None and "torch" in text:
        with pytest.raises(ImportError, match="the backend is 'torch'"):
            check_backend()
    else:
        check_backend()
