"""How much memory training takes: what refits leave behind, and the peak on a long series.

    python benchmarks/memory.py [--repeat 5] [--rows 10000000]

Growth: the resident memory after ten refits is compared with that after thirty more, garbage
collected before both readings. Peak: the most resident memory while `fit` runs, less that just
before it, when the series was in memory already and such a network had been trained on a short
series, so that TensorFlow's own start is not counted. Each figure comes from a fresh process.
Needs Linux's /proc.
"""

import gc
import re
import sys
from pathlib import Path

import numpy as np
from _common import (
    BATCH_SIZE,
    Parser,
    fresh,
    interleaved,
    load_engine,
    machine,
    median,
    report,
    spread,
    table,
)

MB = 1e6
CHANGES = {
    "nothing": "the same series and seed",
    "seed": "another seed each time",
    "values": "another series of the same length each time",
    "length": "a series one row longer each time",
}


def resident(name="VmRSS"):
    """Return the resident memory in bytes; of "VmHWM" its peak."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(rf"{name}:\s+(\d+) kB", status)[1])


def forget_peak():
    """Let the peak start anew from what is resident now."""
    Path("/proc/self/clear_refs").write_text("5")


def fit_rnn(series, cell, units, window_length, batch_size, epochs=1, seed=0):
    from sklearn.pipeline import make_pipeline

    from skrnn import RNNRegressor, WindowTransformer

    rnn = RNNRegressor(cell, units, epochs=epochs, batch_size=batch_size, random_state=seed)
    return make_pipeline(WindowTransformer(window_length), rnn).fit(series)


def fit_keras(series, cell, units, window_length, batch_size):
    from skrnn import build_rnn

    windows = [series[i - window_length : i] for i in range(window_length, len(series))]
    model = build_rnn((window_length, 1), 1, cell, units)
    model.compile(optimizer="adam", loss="mse")
    model.fit(np.array(windows), series[window_length:], batch_size=batch_size, verbose=0)


def growth(cell, change, n_warm_up, n_refits):
    """Return by how much a refit makes the process grow; `change` None is plain Keras."""
    load_engine()
    values = np.random.default_rng(0).random((400, 1), dtype=np.float32)
    settings = {"cell": cell, "units": 8, "window_length": 20, "batch_size": BATCH_SIZE}
    for i in range(n_warm_up + n_refits):
        if i == n_warm_up:
            gc.collect()
            before = resident()
        first = i if change == "values" else 0
        last = 300 + (i if change in ("values", "length") else 0)
        series = values[first:last]
        if change is None:
            fit_keras(series, **settings)
        else:
            fit_rnn(series, **settings, seed=i if change == "seed" else 0)
    gc.collect()
    return {"bytes": (resident() - before) / n_refits}


def peak(n_rows):
    """Return the extra memory at its peak, and after, of an epoch of GRU(4) on a long series."""
    load_engine()
    settings = {"cell": "gru", "units": 4, "window_length": 60, "batch_size": 1024}
    series = np.random.default_rng(0).random((n_rows, 1), dtype=np.float32)
    fit_rnn(series[:5000], **settings)
    gc.collect()
    forget_peak()
    before = resident()
    model = fit_rnn(series, **settings)
    peak, after = resident("VmHWM"), resident()
    del model
    return {"peak": (peak - before) / series.nbytes, "after": (after - before) / series.nbytes}


def main():
    options = Parser(__doc__)
    options.add_argument("--rows", type=int, default=10_000_000, help="rows of the long series")
    options.add_argument("--skip", choices=["growth", "peak"], help="leave one part out")
    arguments = options.parse_args()
    if not sys.platform.startswith("linux"):
        sys.exit("This benchmark reads Linux's /proc.")
    n_warm_up, n_refits = 10, 30
    if arguments.quick:
        arguments.rows = min(arguments.rows, 100_000)
        n_warm_up, n_refits = 2, 3

    blocks = []
    if arguments.skip != "growth":
        kinds = {
            f"{cell.upper()}(8), {text}": (cell, change)
            for cell in ("lstm", "gru")
            for change, text in CHANGES.items()
        }
        kinds["plain Keras' LSTM(8), a new model each time"] = "lstm", None
        sides = {
            name: lambda kind=kind: fresh(growth, *kind, n_warm_up, n_refits)
            for name, kind in kinds.items()
        }
        results = interleaved(sides, arguments.repeat, "growth")
        rows = []
        for name, (_, change) in kinds.items():
            figure = median(results[name], "bytes") / MB
            reached = "aim" if figure < 0.2 else "yes" if figure < 1 else "**no**"
            judgement = ["", "", ""] if change is None else ["< 1", "< 0.2", reached]
            rows.append([name, spread(results[name], "bytes", 1 / MB), *judgement])
        blocks += [
            f"**Growth of the process per refit**, after {n_warm_up}, over {n_refits} refits",
            table(["refit", "MB a refit", "at most", "aim", "reached"], rows),
        ]
    if arguments.skip != "peak":
        name = f"{arguments.rows:,} rows"
        results = interleaved({name: lambda: fresh(peak, arguments.rows)}, arguments.repeat, "peak")
        figure = median(results[name], "peak")
        reached = "aim" if figure < 1.5 else "yes" if figure < 2.5 else "**no**"
        row = [name, spread(results[name], "peak"), "< 2.5", "< 1.5", reached]
        blocks += [
            "**Peak extra memory of a fit**, in multiples of the series' bytes (float32, one "
            "feature, y left out; window 60, batch 1024, one epoch of GRU(4))",
            table(
                ["series", "at the peak", "at most", "aim", "reached", "after the fit"],
                [[*row, spread(results[name], "after")]],
            ),
        ]
    report(arguments, *blocks, machine(arguments))


if __name__ == "__main__":
    main()
