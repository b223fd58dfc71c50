"""Time per training step for increasing window length, units, batch size and number of layers.

    python benchmarks/scaling.py [--repeat 5]

The base case has a window length of 30, 32 units, a batch size of 32 and one layer. Each of these
parameters is doubled three times while the others are fixed. The ratio of the times is compared
with the ratio of the number of multiplications in the cells: 2 for the window length and the batch
size, almost 4 for the units, and 3 for the second layer, which has 32 inputs instead of one. The
times are measured after warm-up and exclude tracing. In each repetition, all sizes are measured in
one process.
"""

import numpy as np
from _common import (
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
from training import WARM_UP, epoch_clock, time_per_epoch

BASE = {"window length": 30, "units": 32, "batch size": 32, "layers": 1}


def sizes(n_doublings):
    """Return tuples (cell, doubled parameter, size), starting each series with the base case."""
    return [
        (cell, parameter, BASE | {parameter: BASE[parameter] * 2**i})
        for cell in ("lstm", "gru")
        for parameter in BASE
        for i in range(n_doublings + 1)
    ]


def label(cell, size):
    return ", ".join([cell, *(f"{parameter} {n}" for parameter, n in size.items())])


def count_multiplications(size):
    """Return the number of multiplications per step, up to a constant factor."""
    units = size["units"]
    inputs = 1 + (size["layers"] - 1) * units
    return size["window length"] * size["batch size"] * units * (inputs + size["layers"] * units)


def step_times(n_doublings, n_steps, n_epochs):
    """Return the time per step for all sizes, in seconds."""
    import_training_modules()
    from sklearn.pipeline import make_pipeline

    from skrnn import RNNRegressor, WindowTransformer

    seconds = {}
    for cell, _, size in sizes(n_doublings):
        if label(cell, size) in seconds:
            continue
        length, batch_size = size["window length"], size["batch size"]
        series = np.random.default_rng(0).random((length + n_steps * batch_size, 1), np.float32)
        clock = epoch_clock()
        rnn = RNNRegressor(
            cell,
            (size["units"],) * size["layers"],
            batch_size=batch_size,
            epochs=WARM_UP + n_epochs,
            residual=False,
            early_stopping=False,
            random_state=0,
            callbacks=[clock],
        )
        make_pipeline(WindowTransformer(length), rnn).fit(series)
        seconds[label(cell, size)] = time_per_epoch(clock.end_times) / n_steps
    return seconds


def main():
    arguments = Parser(__doc__).parse_args()
    n_doublings, n_steps, n_epochs = (1, 3, 2) if arguments.quick else (3, 20, 10)
    candidates = {
        "all sizes": lambda: run_in_new_process(step_times, n_doublings, n_steps, n_epochs)
    }
    results = run_interleaved(candidates, arguments.repeat, "scaling")["all sizes"]

    rows, previous = [], None
    for cell, parameter, size in sizes(n_doublings):
        cells = [
            cell.upper(),
            parameter,
            size[parameter],
            format_median(results, label(cell, size), 1e3),
        ]
        if size != BASE:
            ratio = median(results, label(cell, size)) / median(results, label(cell, previous))
            expected = count_multiplications(size) / count_multiplications(previous)
            proportional = "yes" if ratio <= expected else "**no**"
            rows.append([*cells, f"{ratio:.2f}", f"{expected:.2f}", proportional])
        else:
            rows.append([*cells, "", "", ""])
        previous = size
    header = ["cell", "parameter", "value", "time (ms)", "ratio of times", "ratio of operations"]
    header += ["at most proportional"]
    title = "**Time per training step as sizes double**"
    report(arguments, title, markdown_table(header, rows), describe_environment(arguments))


if __name__ == "__main__":
    main()
