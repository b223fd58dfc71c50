"""Memory usage of training: growth over repeated fits, and peak on a long series.

    python benchmarks/memory.py [--repeat 5] [--rows 10000000]

The growth is the increase in resident memory from the end of 10 warm-up refits to the end of 30
further refits, with garbage collection before both measurements. The peak is the maximum resident
memory during `fit` minus the resident memory before `fit`. To exclude the startup of TensorFlow and
the series itself, the series is loaded, and the same network is fitted on a short series, before
the measurement. Each measurement runs in a new process. The script requires /proc (Linux).
"""

import gc
import re
import sys
from pathlib import Path

import numpy as np
from _common import (
    BATCH_SIZE,
    Parser,
    describe_environment,
    format_median,
    import_training_modules,
    markdown_table,
    median,
    report,
    run_in_new_process,
    run_interleaved,
)

MB = 1e6
CHANGES = {
    "nothing": "the same series and seed",
    "seed": "a different seed each time",
    "values": "a different series of the same length each time",
    "length": "a series one row longer each time",
}


def resident(name="VmRSS"):
    """Return the resident memory in bytes ("VmRSS") or its peak ("VmHWM")."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(rf"{name}:\s+(\d+) kB", status)[1])


def reset_peak():
    """Reset the peak to the current resident memory."""
    Path("/proc/self/clear_refs").write_text("5")


def fit_rnn(series, cell, units, window_length, batch_size, epochs=1, seed=0):
    from sklearn.pipeline import make_pipeline

    from skrnn import RNNRegressor, WindowTransformer

    plain = {"residual": False, "early_stopping": False, "random_state": seed}
    rnn = RNNRegressor(cell, units, epochs=epochs, batch_size=batch_size, **plain)
    return make_pipeline(WindowTransformer(window_length), rnn).fit(series)


def fit_keras(series, cell, units, window_length, batch_size):
    from skrnn import build_rnn

    windows = [series[i - window_length : i] for i in range(window_length, len(series))]
    model = build_rnn((window_length, 1), 1, cell, units)
    model.compile(optimizer="adam", loss="mse")
    model.fit(np.array(windows), series[window_length:], batch_size=batch_size, verbose=0)


def growth(cell, change, n_warm_up, n_refits):
    """Return the memory growth per refit; `change=None` measures plain Keras."""
    import_training_modules()
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
    """Return the additional memory during and after an epoch of GRU(4) on a long series."""
    import_training_modules()
    settings = {"cell": "gru", "units": 4, "window_length": 60, "batch_size": 1024}
    series = np.random.default_rng(0).random((n_rows, 1), dtype=np.float32)
    fit_rnn(series[:5000], **settings)
    gc.collect()
    reset_peak()
    before = resident()
    model = fit_rnn(series, **settings)
    peak, after = resident("VmHWM"), resident()
    del model
    return {"peak": (peak - before) / series.nbytes, "after": (after - before) / series.nbytes}


def compare_with_limits(value, limit, target):
    """Return whether a value meets the target, the limit or neither."""
    if value < target:
        return "target met"
    return "limit met" if value < limit else "**not met**"


def main():
    options = Parser(__doc__)
    options.add_argument(
        "--rows", type=int, default=10_000_000, help="number of rows of the long series"
    )
    options.add_argument("--skip", choices=["growth", "peak"], help="measurement to skip")
    arguments = options.parse_args()
    if not sys.platform.startswith("linux"):
        sys.exit("This benchmark requires Linux.")
    n_warm_up, n_refits = 10, 30
    if arguments.quick:
        arguments.rows = min(arguments.rows, 100_000)
        n_warm_up, n_refits = 2, 3

    blocks = []
    if arguments.skip != "growth":
        cases = {
            f"{cell.upper()}(8), {text}": (cell, change)
            for cell in ("lstm", "gru")
            for change, text in CHANGES.items()
        }
        cases["plain Keras LSTM(8), a new model each time"] = "lstm", None
        candidates = {
            name: lambda case=case: run_in_new_process(growth, *case, n_warm_up, n_refits)
            for name, case in cases.items()
        }
        results = run_interleaved(candidates, arguments.repeat, "growth")
        rows = []
        for name, (_, change) in cases.items():
            value = median(results[name], "bytes") / MB
            outcome = compare_with_limits(value, limit=1, target=0.2)
            cells = ["", "", ""] if change is None else ["< 1", "< 0.2", outcome]
            rows.append([name, format_median(results[name], "bytes", 1 / MB), *cells])
        blocks += [
            f"**Memory growth per refit**, over {n_refits} refits after {n_warm_up} warm-up refits",
            markdown_table(["refit", "growth (MB)", "limit", "target", "result"], rows),
        ]
    if arguments.skip != "peak":
        name = f"{arguments.rows:,} rows"
        results = run_interleaved(
            {name: lambda: run_in_new_process(peak, arguments.rows)}, arguments.repeat, "peak"
        )
        value = median(results[name], "peak")
        outcome = compare_with_limits(value, limit=2.5, target=1.5)
        row = [name, format_median(results[name], "peak"), "< 2.5", "< 1.5", outcome]
        blocks += [
            "**Peak additional memory of a fit**, as a multiple of the size of the series "
            "(float32, one feature, no y; window length 60, batch size 1024, one epoch of GRU(4))",
            markdown_table(
                ["series", "peak", "limit", "target", "result", "retained after the fit"],
                [[*row, format_median(results[name], "after")]],
            ),
        ]
    report(arguments, *blocks, describe_environment(arguments))


if __name__ == "__main__":
    main()
