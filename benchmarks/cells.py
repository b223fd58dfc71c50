"""How long a training step of each cell takes: beside Keras' GRU of the same size in `Model.fit`.

    python benchmarks/cells.py [--repeat 5] [--cells peephole,coupled]

A step is one batch of 32 windows of 60 time steps through 125 units, forward and back, with Adam;
the mean over the epochs of a second fit, when all is warm, in a fresh process with default threads.
The depth-gated cell has two levels, so it is set beside two of Keras' GRU, one above the other.
"""

from _common import (
    BATCH_SIZE,
    Case,
    Parser,
    fresh,
    interleaved,
    machine,
    median,
    report,
    spread,
    table,
)
from training import fit_keras, fit_skrnn

CASE = Case("125 units, 60 steps", "gru", (125,), 60, "mastercard", "High")
CELLS = ["rnn", "lstm", "gru", "peephole", "coupled", "depthgated", "clockwork"]
TWO_LEVELS = {"depthgated"}


def main():
    options = Parser(__doc__)
    options.add_data()
    options.add_argument("--cells", default=",".join(CELLS), help="the cells to run")
    arguments = options.parse_args()
    steady_epochs = 1 if arguments.quick else 8
    cells = arguments.cells.split(",")
    job = CASE.job(arguments.data, epochs=1, steady_epochs=steady_epochs)
    n_batches = -(-(len(job["series"]) - CASE.window_length) // BATCH_SIZE)

    sides = {"Keras GRU": lambda: fresh(fit_keras, job)}
    if TWO_LEVELS & set(cells):
        stacked = job | {"units": list(CASE.units) * 2}
        sides["Keras GRU, two layers"] = lambda: fresh(fit_keras, stacked)
    for cell in cells:
        sides[cell] = lambda cell=cell: fresh(fit_skrnn, job | {"cell": cell})
    results = interleaved(sides, arguments.repeat, CASE.name)

    rows = []
    for cell in cells:
        opponent = "Keras GRU, two layers" if cell in TWO_LEVELS else "Keras GRU"
        ratio = median(results[opponent], "epoch_s") / median(results[cell], "epoch_s")
        times = [spread(results[side], "epoch_s", 1e3 / n_batches) for side in (opponent, cell)]
        rows.append([cell, opponent, *times, f"{ratio:.2f}×", "yes" if ratio >= 1 else "**no**"])
    report(
        arguments,
        f"**A training step**, {CASE.name}, batches of {BATCH_SIZE}",
        table(["cell", "against", "its ms", "skrnn's ms", "ratio", "not slower"], rows),
        machine(arguments),
    )


if __name__ == "__main__":
    main()
