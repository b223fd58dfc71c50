"""Shared utilities of the benchmarks: networks, data, processes, peer libraries and tables."""

import argparse
import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE.parent / ".venv-bench"
BATCH_SIZE = 32


@dataclass(frozen=True)
class Case:
    """Network and series of a tutorial; all libraries support its tanh, Adam and MSE."""

    name: str
    cell: str
    units: tuple[int, ...]
    window_length: int
    stock: str
    column: str

    def job(self, data, **options):
        """Return a JSON-serializable description of the training run."""
        return {
            "series": load_series(data, self.stock, self.column).tolist(),
            "cell": self.cell,
            "units": list(self.units),
            "window_length": self.window_length,
            "batch_size": BATCH_SIZE,
        } | options


CASES = [
    Case("LSTM(4), 1 step", "lstm", (4,), 1, "google", "Open"),
    Case("4×LSTM(45), 40 steps", "lstm", (45,) * 4, 40, "facebook", "Open"),
    Case("LSTM(125), 60 steps", "lstm", (125,), 60, "mastercard", "High"),
    Case("GRU(125), 60 steps", "gru", (125,), 60, "mastercard", "High"),
]


def load_series(data, stock, column):
    """Return the training data of a stock, scaled to [0, 1], as float32 of shape (n_samples,)."""
    from skrnn.datasets import load_stock

    values = load_stock(data, stock)[0][column].to_numpy(dtype=float)
    return ((values - values.min()) / (values.max() - values.min())).astype("float32")


def rmse(errors):
    return float(np.sqrt(np.mean(np.square(errors))))


def best_naive(series, origins, n_steps, season, score):
    """Return the name and the score of the most accurate naive forecast.

    Parameters
    ----------
    series : ndarray of shape (n_rows,)
    origins : ndarray of int
        The first row of each forecast.
    n_steps, season : int
    score : callable
        Score of the errors, of shape (n_origins, n_steps). Lower is better.
    """
    origins = np.asarray(origins)[:, None]
    last, earlier = series[origins - 1], series[np.maximum(origins - 1 - season, 0)]
    seasonal = series[origins - season + np.arange(n_steps) % season]
    forecasts = {"last value": np.repeat(last, n_steps, axis=1)}
    if season > 1:
        forecasts["one season earlier"] = seasonal
        forecasts["one season earlier plus change"] = seasonal + last - earlier
    future = series[origins + np.arange(n_steps)]
    scores = {name: score(forecast - future) for name, forecast in forecasts.items()}
    name = min(scores, key=scores.get)
    return name, scores[name]


def import_training_modules():
    """Import all modules that training uses, so that timings exclude imports."""
    for name in ("keras", "skrnn.regression", "skrnn._engine.fit"):
        importlib.import_module(name)


class Parser(argparse.ArgumentParser):
    """Parser with the options that the benchmarks share."""

    def __init__(self, description):
        formatter = argparse.RawDescriptionHelpFormatter
        super().__init__(description=description, formatter_class=formatter)
        self.add_argument("--repeat", type=int, default=5, help="runs of each implementation")
        self.add_argument("--quick", action="store_true", help="run quickly, to test the script")
        self.add_argument("--output", type=Path, help="file to write the tables to")

    def add_data(self):
        text = "folder with the tutorial data (default: stock prices that ship with matplotlib)"
        self.add_argument("--data", type=Path, help=text)

    def parse_args(self, *arguments):
        parsed = super().parse_args(*arguments)
        if parsed.quick:
            parsed.repeat = 1
        return parsed


def log(text):
    print(text, file=sys.stderr, flush=True)


def silence_native_logging():
    """Discard messages that TensorFlow writes from C++ to stderr, but not those of Python."""
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def run_in_new_process(function, *arguments):
    """Call a module-level function in a new process."""
    spawn = get_context("spawn")
    with ProcessPoolExecutor(1, spawn, initializer=silence_native_logging) as pool:
        return pool.submit(function, *arguments).result()


def has_peer(peer):
    """Return whether the environment of a peer library exists; if not, log how to create it."""
    if (ENVIRONMENTS / peer / ".ready").exists():
        return True
    log(f"Skipping {peer}. To install it: python benchmarks/environments/make.py {peer}")
    return False


def run_peer(peer, script, job):
    """Run a script from `peers` in the environment of the peer library and return its result."""
    python = ENVIRONMENTS / peer / "bin" / "python"
    # Some peers write files to the working directory.
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.run(
            [python, HERE / "peers" / script],
            input=json.dumps(job),
            capture_output=True,
            text=True,
            cwd=folder,
        )
    if process.returncode:
        raise RuntimeError(f"{script} failed:\n{process.stderr[-3000:]}")
    return json.loads(process.stdout.splitlines()[-1])


def run_interleaved(candidates, repeat, label, max_runs=None):
    """Run each candidate `repeat` times and return the lists of results.

    The runs are sequential, so that they do not compete for resources, and interleaved (A, B, C, A,
    B, C, ...), so that changes in the speed of the machine affect all candidates. `max_runs` limits
    the number of runs of some candidates.
    """
    results = {name: [] for name in candidates}
    for i in range(repeat):
        for name, run in candidates.items():
            n_runs = min(repeat, (max_runs or {}).get(name, repeat))
            if i < n_runs:
                result = run()
                results[name].append(result)
                values = [f"{k} {v:.4g}" for k, v in result.items() if isinstance(v, float)]
                log(f"{label}: {name}, {i + 1} of {n_runs}: {', '.join(values)}")
    return results


def median(results, key):
    return statistics.median(result[key] for result in results)


def format_median(results, key, factor=1.0):
    """Format the median, minimum and maximum of ``factor * result[key]`` with three digits."""
    values = [factor * result[key] for result in results]
    low, center, high = (
        f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
        for value in (min(values), statistics.median(values), max(values))
    )
    return f"{center} ({low} to {high})" if len(values) > 1 else center


TARGET_HEADER = ["speedup", "minimum", "target", "result"]


def target_cells(speedup, minimum, target):
    """Return the table cells of a speedup: the value, the minimum, the target and the result."""
    result = "minimum met" if speedup >= minimum else "**not met**"
    if speedup >= target:
        result = "target met"
    return [f"{speedup:.2f}×", f"{minimum:g}×", f"{target:g}×", result]


def markdown_table(header, rows):
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def describe_environment(arguments, versions=None):
    """Return a line with the hardware, the versions and the number of runs."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if "model name" in line), cpu)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    packages = {name: version(name) for name in ("scikit-learn", "tensorflow", "keras", "numpy")}
    names = ", ".join(f"{name} {number}" for name, number in (packages | (versions or {})).items())
    parts = [f"{cores} cores ({cpu})", f"Python {platform.python_version()}", names]
    if "data" in arguments:
        parts.append("tutorial series" if arguments.data else "stock prices from matplotlib")
    if arguments.repeat > 1 and "seconds" not in arguments:
        parts.append(f"medians of {arguments.repeat} runs (minimum to maximum), interleaved")
    return "; ".join(parts) + "."


def report(arguments, *blocks):
    """Print the blocks and write them to the file given by --output."""
    text = "\n\n".join(blocks)
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n")
