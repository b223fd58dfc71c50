"""Time per training step of each cell, compared with Keras' GRU of the same size in `Model.fit`.

    python benchmarks/cells.py [--repeat 5] [--cells peephole,coupled]

A step consists of the forward and the backward pass and the Adam update for one batch of 32
windows of 60 time steps, with 125 units. The time is the mean over the epochs of a second fit,
after warm-up, in a new process with default thread settings. The depth-gated cell has two levels
and is compared with two stacked GRU layers of Keras.
"""

from _common import (
    BATCH_SIZE,
    Case,
    Parser,
    describe_environment,
    format_median,
    markdown_table,
    median,
    report,
    run_in_new_process,
    run_interleaved,
)
from training import fit_keras, fit_skrnn

CASE = Case("125 units, 60 time steps", "gru", (125,), 60, "mastercard", "High")
CELLS = ["rnn", "lstm", "gru", "peephole", "coupled", "depthgated", "clockwork"]
TWO_LEVELS = {"depthgated"}


def main():
    options = Parser(__doc__)
    options.add_data()
    options.add_argument("--cells", default=",".join(CELLS), help="cells, separated by commas")
    arguments = options.parse_args()
    steady_epochs = 1 if arguments.quick else 8
    cells = arguments.cells.split(",")
    job = CASE.job(arguments.data, epochs=1, steady_epochs=steady_epochs)
    n_batches = -(-(len(job["series"]) - CASE.window_length) // BATCH_SIZE)

    candidates = {"Keras GRU": lambda: run_in_new_process(fit_keras, job)}
    if TWO_LEVELS & set(cells):
        stacked = job | {"units": list(CASE.units) * 2}
        candidates["Keras GRU, two layers"] = lambda: run_in_new_process(fit_keras, stacked)
    for cell in cells:
        candidates[cell] = lambda cell=cell: run_in_new_process(fit_skrnn, job | {"cell": cell})
    results = run_interleaved(candidates, arguments.repeat, CASE.name)

    rows = []
    for cell in cells:
        baseline = "Keras GRU, two layers" if cell in TWO_LEVELS else "Keras GRU"
        speedup = median(results[baseline], "epoch_s") / median(results[cell], "epoch_s")
        times = [
            format_median(results[name], "epoch_s", 1e3 / n_batches) for name in (baseline, cell)
        ]
        rows.append(
            [cell, baseline, *times, f"{speedup:.2f}×", "yes" if speedup >= 1 else "**no**"]
        )
    report(
        arguments,
        f"**Time per training step**, {CASE.name}, batch size {BATCH_SIZE}",
        markdown_table(
            ["cell", "compared with", "time (ms)", "skrnn (ms)", "speedup", "at least as fast"],
            rows,
        ),
        describe_environment(arguments),
    )


if __name__ == "__main__":
    main()
