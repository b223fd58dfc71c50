import io
import os
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skrnn import RNNRegressor, WindowTransformer
from skrnn.datasets import load_stock

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
TOURS = [path for path in EXAMPLES if path.name.startswith("plot_")]
FAST = {"plot_features"}
# Every example prints its scores beside the naive forecast's; what those without a forecast print.
NO_FORECAST = {
    "plot_gradients": ("steps back", "MSE"),
    **{
        f"plot_{text}": ("accuracy", "baseline")
        for text in ("cities", "fable", "hello", "names", "shakespeare")
    },
    "plot_kinds": ("RMSE", "accuracy", "baseline"),
}
DATA = ROOT.parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data in {DATA}")


def lines_of_code(path):
    """Lines that hold anything but comments and the module's docstring."""
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
    layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    layout |= {tokenize.ENDMARKER}
    code = [token for token in tokens if token.type not in layout]
    assert code[0].type == tokenize.STRING, "an example begins with its title"
    return len({row for token in code[1:] for row in range(token.start[0], token.end[0] + 1)})


def run(path, folder, *options):
    """Run an example as a user does, from another folder and without the tutorials' files."""
    hidden = {"SKRNN_DATA", "DISPLAY", "PYTHONWARNINGS"}
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    env |= {"MPLBACKEND": "Agg", "TF_CPP_MIN_LOG_LEVEL": "2"}
    result = subprocess.run(
        [sys.executable, "-W", "error", path, *options],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-5000:]
    return result.stdout


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[] if path.stem in FAST else pytest.mark.slow)
        for path in TOURS
    ],
)
def test_example_runs(path, tmp_path):
    out = run(path, tmp_path, "--epochs", "1")
    for word in NO_FORECAST.get(path.stem, ("RMSE", "skill")):
        assert word in out
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_demo_runs(tmp_path):
    out = run(ROOT / "examples" / "demo.py", tmp_path, "--epochs", "1")
    rows = {line[:54].strip(): line[54:].split() for line in out.splitlines() if len(line) > 60}
    assert rows["naive: tomorrow opens where today did"] == ["15.02", "+0.000"]
    assert [path.name for path in tmp_path.iterdir()] == ["skrnn_demo.png"]


@pytest.mark.parametrize("path", TOURS, ids=lambda path: path.stem)
def test_example_is_short(path):
    assert lines_of_code(path) < 60


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_leaves_windows_to_the_transformer(path):
    code = path.read_text(encoding="utf-8")
    for by_hand in ("reshape(", "inverse_transform", "sliding_window", ".shift("):
        assert by_hand not in code


@pytest.mark.parametrize(
    ("settings", "input_shape", "n_parameters"),
    [
        # MasterCard, as its tutorial prints them
        ({"cell": "lstm", "units": 125}, (60, 1), 63_626),
        ({"cell": "gru", "units": 125}, (60, 1), 48_126),
        # Facebook: 4u(d + u + 1) for each layer of u units on d inputs, and the linear layer
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
    from skrnn import build_rnn

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
    train, test = (part[[column]] for part in load_stock(DATA, name))
    model = make_pipeline(MinMaxScaler(), WindowTransformer(window_length)).fit(train)
    windows = model.transform(train)
    assert windows[windows.n_incomplete :].shape == (n_train, window_length, 1)
    assert model.transform(test).shape == (n_test, window_length, 1)
    assert model.transform(test).n_incomplete == 0


@needs_data
def test_tutorial_pipeline_has_the_tutorial_network():
    train, test = (part[["High"]] for part in load_stock(DATA, "mastercard"))
    rnn = RNNRegressor("gru", units=125, optimizer="rmsprop", epochs=1, random_state=0)
    model = make_pipeline(MinMaxScaler(), WindowTransformer(60), rnn)
    model.fit(train[:100], train[:100])
    assert rnn.model_.count_params() == 48_126
    assert model.predict(test).shape == (195, 1)


@pytest.mark.slow
@needs_data
def test_example_runs_on_the_tutorial_data(tmp_path):
    path = ROOT / "examples" / "plot_facebook.py"
    out = run(path, tmp_path, "--data", str(DATA), "--epochs", "1")
    assert "RMSE of the naive    4.38" in out
