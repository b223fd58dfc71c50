"""What the benchmarks share: their cases, series, fresh processes, peers and tables."""

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

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE.parent / ".venv-bench"
BATCH_SIZE = 32


@dataclass(frozen=True)
class Case:
    """A tutorial's network and series; with tanh, Adam and MSE, which all sides can train."""

    name: str
    cell: str
    units: tuple[int, ...]
    window_length: int
    stock: str
    column: str

    def job(self, data, **more):
        """Return what a side needs to know to train it, as JSON can hold it."""
        return {
            "series": load_series(data, self.stock, self.column).tolist(),
            "cell": self.cell,
            "units": list(self.units),
            "window_length": self.window_length,
            "batch_size": BATCH_SIZE,
        } | more


CASES = [
    Case("LSTM(4), 1 step", "lstm", (4,), 1, "google", "Open"),
    Case("4×LSTM(45), 40 steps", "lstm", (45,) * 4, 40, "facebook", "Open"),
    Case("LSTM(125), 60 steps", "lstm", (125,), 60, "mastercard", "High"),
    Case("GRU(125), 60 steps", "gru", (125,), 60, "mastercard", "High"),
]


def load_series(data, stock, column):
    """Return a stock's training part, scaled to 0 to 1, as float32 of shape (n_samples,)."""
    from skrnn.datasets import load_stock

    values = load_stock(data, stock)[0][column].to_numpy(dtype=float)
    return ((values - values.min()) / (values.max() - values.min())).astype("float32")


def load_engine():
    """Import all that training reaches for, so that no time holds an import."""
    for name in ("keras", "skrnn.regression", "skrnn._training"):
        importlib.import_module(name)


class Parser(argparse.ArgumentParser):
    """A parser of the options that the benchmarks have in common."""

    def __init__(self, description):
        form = argparse.RawDescriptionHelpFormatter
        super().__init__(description=description, formatter_class=form)
        self.add_argument("--repeat", type=int, default=5, help="measurements of each side")
        self.add_argument("--quick", action="store_true", help="a rehearsal: few, small runs")
        self.add_argument("--output", type=Path, help="where to write the tables")

    def add_data(self):
        text = "folder with the tutorials' CSVs; else Google's embedded prices"
        self.add_argument("--data", type=Path, help=text)

    def parse_args(self, *arguments):
        parsed = super().parse_args(*arguments)
        if parsed.quick:
            parsed.repeat = 1
        return parsed


def progress(text):
    print(text, file=sys.stderr, flush=True)


def hush():
    """Send what TensorFlow's C++ prints of the machine to nowhere, but not what Python prints."""
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def fresh(function, *arguments):
    """Call a module's function in a process of its own, which starts from nothing."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=hush) as pool:
        return pool.submit(function, *arguments).result()


def has_peer(peer):
    """Whether the peer's environment is there; if not, say how to make it."""
    if (ENVIRONMENTS / peer / ".ready").exists():
        return True
    progress(f"{peer} is left out: python benchmarks/environments/make.py {peer} sets it up.")
    return False


def run_peer(peer, script, job):
    """Run one of the scripts in `peers` in the peer's environment, and return its answer."""
    python = ENVIRONMENTS / peer / "bin" / "python"
    with tempfile.TemporaryDirectory() as folder:  # for what a peer leaves lying about
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


def interleaved(sides, repeat, label, fewer=None):
    """Run each side `repeat` times, A, B, C, A, B, C, ..., and return its results as lists.

    One after the other, so that they do not compete, and in turns, so that a machine that slows
    down or speeds up does so for all of them. `fewer` names sides that run less often.
    """
    results = {name: [] for name in sides}
    for i in range(repeat):
        for name, run in sides.items():
            n_runs = min(repeat, (fewer or {}).get(name, repeat))
            if i < n_runs:
                result = run()
                results[name].append(result)
                figures = [f"{k} {v:.4g}" for k, v in result.items() if isinstance(v, float)]
                progress(f"{label}: {name}, {i + 1} of {n_runs}: {', '.join(figures)}")
    return results


def median(results, key):
    return statistics.median(result[key] for result in results)


def spread(results, key, factor=1.0):
    """Return the median with the least and the most, times `factor`, to three digits."""
    values = [factor * result[key] for result in results]
    low, middle, high = (
        f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
        for value in (min(values), statistics.median(values), max(values))
    )
    return f"{middle} ({low} to {high})" if len(values) > 1 else middle


JUDGED = ["ratio", "at least", "aim", "reached"]


def judged(ratio, least, aim):
    """Return the cells of a ratio that should be high: itself, what it should be, and whether."""
    reached = "aim" if ratio >= aim else "yes" if ratio >= least else "**no**"
    return [f"{ratio:.2f}×", f"{least:g}×", f"{aim:g}×", reached]


def table(header, rows):
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def machine(arguments, versions=None):
    """Return a line that says what was measured with, and on what."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if "model name" in line), cpu)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    own = {name: version(name) for name in ("scikit-learn", "tensorflow", "keras", "numpy")}
    names = ", ".join(f"{name} {number}" for name, number in (own | (versions or {})).items())
    parts = [f"{cores} cores ({cpu})", f"Python {platform.python_version()}", names]
    if "data" in arguments:
        parts.append("the tutorials' series" if arguments.data else "Google's embedded prices")
    if arguments.repeat > 1 and "seconds" not in arguments:
        parts.append(f"medians of {arguments.repeat} (least to most), sides in turns")
    return "; ".join(parts) + "."


def report(arguments, *blocks):
    """Print the blocks, and write them where --output says."""
    text = "\n\n".join(blocks)
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n")
