"""The examples run, are short and agree with the tutorials that they implement."""

import io
import json
import os
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skrnn import RNNRegressor, WindowTransformer, build_rnn
from skrnn.datasets import load_stock

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
GALLERY = [path for path in EXAMPLES if path.name.startswith("plot_")]
FAST = ["plot_fable", "plot_features", "plot_hello", "plot_next_days", "plot_residual"]
SLOW = sorted({path.stem for path in EXAMPLES} - set(FAST))
# Words in the output of an example. Each example prints its scores and those of a baseline.
EXPECTED_WORDS = {path.stem: ("RMSE", "skill") for path in EXAMPLES} | {
    "plot_cities": ("accuracy", "baseline"),
    "plot_fable": ("accuracy", "baseline"),
    "plot_gradients": ("steps back", "MSE"),
    "plot_hello": ("accuracy", "baseline"),
    "plot_names": ("accuracy", "baseline"),
    "plot_sequence_types": ("RMSE", "accuracy", "baseline"),
    "plot_shakespeare": ("accuracy", "baseline"),
}
# Runs examples one after another and prints their output, or the traceback, as JSON.
RUNNER = """
import contextlib, io, json, runpy, sys, traceback, warnings
import matplotlib.pyplot as plt

outputs = {}
for name, path, options in json.loads(sys.argv[1]):
    stdout = io.StringIO()
    sys.argv = [path, *options]
    with contextlib.redirect_stdout(stdout), warnings.catch_warnings():
        try:
            runpy.run_path(path, run_name="__main__")
        except BaseException:
            outputs[name] = {"error": traceback.format_exc()}
        else:
            outputs[name] = {"stdout": stdout.getvalue()}
    plt.close("all")
print(json.dumps(outputs))
"""
DATA = ROOT.parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no tutorial data in {DATA}")


def count_code_lines(path):
    """Count the lines of a file without comments, blank lines and the module docstring."""
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
    layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    layout |= {tokenize.ENDMARKER}
    code = [token for token in tokens if token.type not in layout]
    assert code[0].type == tokenize.STRING, "an example starts with its title"
    return len({row for token in code[1:] for row in range(token.start[0], token.end[0] + 1)})


def run_examples(jobs, folder):
    """Run examples in a new process in `folder`, with warnings as errors; return their output.

    `jobs` maps a name to the file name of an example and its command line options. All examples
    share a process, because importing TensorFlow takes longer than most of them.
    """
    removed = {"SKRNN_DATA", "DISPLAY", "PYTHONWARNINGS"}
    env = {name: value for name, value in os.environ.items() if name not in removed}
    # Several BLAS threads are slower for small data, because they wait for each other.
    env |= {"MPLBACKEND": "Agg", "TF_CPP_MIN_LOG_LEVEL": "2", "OMP_NUM_THREADS": "1"}
    arguments = [
        (name, str(ROOT / "examples" / f"{file}.py"), options)
        for name, (file, options) in jobs.items()
    ]
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUNNER, json.dumps(arguments)],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert process.returncode == 0, process.stderr[-5000:]
    outputs = json.loads(process.stdout.splitlines()[-1])
    errors = {name: output["error"] for name, output in outputs.items() if "error" in output}
    assert not errors, "\n".join(f"{name}:\n{error}" for name, error in errors.items())
    outputs = {name: output["stdout"] for name, output in outputs.items()}
    for name, (file, _) in jobs.items():
        for word in EXPECTED_WORDS[file]:
            assert word in outputs[name], name
    return outputs


def test_fast_examples_run(tmp_path):
    run_examples({name: (name, ["--epochs", "1"]) for name in FAST}, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_slow_examples_run(tmp_path):
    jobs = {name: (name, ["--epochs", "1"]) for name in SLOW}
    if DATA.is_dir():
        jobs["tutorial data"] = ("plot_facebook", ["--epochs", "1", "--data", str(DATA)])
    outputs = run_examples(jobs, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["skrnn_demo.png"]
    lines = [line for line in outputs["demo"].splitlines() if len(line) > 60]
    scores = {line[:54].strip(): line[54:].split() for line in lines}
    assert scores["naive forecast: the last closing price"] == ["9.99", "+0.000"]
    assert scores["naive forecast: the last opening price"][0] == "15.02"
    if "tutorial data" in jobs:
        assert "RMSE of the naive forecast  4.38" in outputs["tutorial data"]


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
def test_example_is_short(path):
    assert count_code_lines(path) < 60


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_does_not_build_windows_manually(path):
    code = path.read_text(encoding="utf-8")
    for manual_step in ("reshape(", "inverse_transform", "sliding_window", ".shift("):
        assert manual_step not in code


@pytest.mark.parametrize(
    ("settings", "input_shape", "n_parameters"),
    [
        # MasterCard: the numbers of the tutorial
        ({"cell": "lstm", "units": 125}, (60, 1), 63_626),
        ({"cell": "gru", "units": 125}, (60, 1), 48_126),
        # Facebook: 4u(d + u + 1) per LSTM layer with u units and d inputs, and the linear layer
        (
            {"units": (45, 45, 45, 45), "dropout": 0.2},
            (40, 1),
            4 * 45 * (1 + 45 + 1) + 3 * 4 * 45 * (45 + 45 + 1) + 46,
        ),
        # Google
        (
            {"units": (50, 50, 50, 50), "dropout": 0.2},
            (60, 1),
            4 * 50 * (1 + 50 + 1) + 3 * 4 * 50 * (50 + 50 + 1) + 51,
        ),
        ({"units": 4, "activation": "sigmoid"}, (1, 1), 4 * 4 * (1 + 4 + 1) + 5),
    ],
)
def test_parameter_counts_of_the_tutorials(settings, input_shape, n_parameters):
    assert build_rnn(input_shape, 1, **settings).count_params() == n_parameters


@pytest.mark.parametrize(
    ("name", "column", "window_length", "n_train", "n_test"),
    [
        ("facebook", "Open", 40, 1218, 21),
        ("google", "Open", 60, 1198, 20),
        ("google", "Open", 1, 1257, 20),
        ("mastercard", "High", 60, 1199, 195),
    ],
)
@needs_data
def test_window_shapes_of_the_tutorials(name, column, window_length, n_train, n_test):
    train, test = (frame[[column]] for frame in load_stock(DATA, name))
    model = make_pipeline(MinMaxScaler(), WindowTransformer(window_length)).fit(train)
    windows = model.transform(train)
    assert windows[windows.n_incomplete :].shape == (n_train, window_length, 1)
    assert model.transform(test).shape == (n_test, window_length, 1)
    assert model.transform(test).n_incomplete == 0


@needs_data
def test_fitted_pipeline_has_the_network_of_the_tutorial():
    train, test = (frame[["Open"]] for frame in load_stock(DATA, "google"))
    settings = {"epochs": 1, "residual": False, "early_stopping": False, "random_state": 0}
    rnn = RNNRegressor("lstm", units=4, activation="sigmoid", **settings)
    model = make_pipeline(MinMaxScaler(), WindowTransformer(1), rnn)
    model.fit(train[:100], train[:100])
    assert rnn.model_.count_params() == 4 * 4 * (1 + 4 + 1) + 5
    assert model.predict(test).shape == (20, 1)
