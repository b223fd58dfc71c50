"""How the time of a step grows as windows, layers and batches get larger.

    python benchmarks/scaling.py [--repeat 5]

From 30 rows, 32 units, batches of 32 and one layer, each is doubled three times by itself. Beside
the ratio of the times stands that of the multiplications in the cells, which is 2 for windows and
batches, almost 4 for units, and 3 for a second layer, whose inputs are not one column but 32.
Steady state, without tracing; all sizes in one process for each repetition.
"""

import numpy as np
from _common import (
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
from training import WARM_UP, epoch_clock, steady

BASE = {"rows in a window": 30, "units": 32, "batch size": 32, "layers": 1}


def sizes(n_doublings):
    """Return all (cell, what is doubled, sizes), the base first in each row of doublings."""
    return [
        (cell, what, BASE | {what: BASE[what] * 2**i})
        for cell in ("lstm", "gru")
        for what in BASE
        for i in range(n_doublings + 1)
    ]


def label(cell, size):
    return ", ".join([cell, *(f"{what} {n}" for what, n in size.items())])


def work(size):
    """Return the multiplications of a step, up to a factor."""
    units = size["units"]
    inputs = 1 + (size["layers"] - 1) * units
    return size["rows in a window"] * size["batch size"] * units * (inputs + size["layers"] * units)


def step_times(n_doublings, n_steps, n_epochs):
    """Return the seconds of a step at all sizes."""
    load_engine()
    from sklearn.pipeline import make_pipeline

    from skrnn import RNNRegressor, WindowTransformer

    seconds = {}
    for cell, _, size in sizes(n_doublings):
        if label(cell, size) in seconds:
            continue
        length, batch_size = size["rows in a window"], size["batch size"]
        series = np.random.default_rng(0).random((length + n_steps * batch_size, 1), np.float32)
        clock = epoch_clock()
        rnn = RNNRegressor(
            cell,
            (size["units"],) * size["layers"],
            batch_size=batch_size,
            epochs=WARM_UP + n_epochs,
            random_state=0,
            callbacks=[clock],
        )
        make_pipeline(WindowTransformer(length), rnn).fit(series)
        seconds[label(cell, size)] = steady(clock.stamps) / n_steps
    return seconds


def main():
    arguments = Parser(__doc__).parse_args()
    n_doublings, n_steps, n_epochs = (1, 3, 2) if arguments.quick else (3, 20, 10)
    sides = {"all sizes": lambda: fresh(step_times, n_doublings, n_steps, n_epochs)}
    results = interleaved(sides, arguments.repeat, "scaling")["all sizes"]

    rows, before = [], None
    for cell, what, size in sizes(n_doublings):
        cells = [cell.upper(), what, size[what], spread(results, label(cell, size), 1e3)]
        if size != BASE:
            ratio = median(results, label(cell, size)) / median(results, label(cell, before))
            expected = work(size) / work(before)
            reached = "yes" if ratio <= expected else "**no**"
            rows.append([*cells, f"{ratio:.2f}", f"{expected:.2f}", reached])
        else:
            rows.append([*cells, "", "", ""])
        before = size
    header = ["cell", "doubled", "size", "ms a step", "ratio", "of the work", "in proportion"]
    title = "**A step as sizes double**"
    report(arguments, title, table(header, rows), machine(arguments))


if __name__ == "__main__":
    main()
