"""How long training takes: beside Keras' `Model.fit` and a plain torch loop.

    python benchmarks/training.py [--data FOLDER] [--repeat 5]

Two figures of each side, both from one fresh process with default threads, imports not counted:

- a first fit of 50 epochs: for skrnn the whole of `fit` on the series; for Keras building,
  compiling and `Model.fit` on windows made before; for torch building and the loop, likewise.
  Tracing is counted.
- an epoch in steady state: of a second round of epochs, when all is warm.

The three networks are the same: Keras' is made by `build_rnn`.
"""

import time

import numpy as np
from _common import (
    CASES,
    JUDGED,
    Parser,
    fresh,
    has_peer,
    interleaved,
    judged,
    load_engine,
    machine,
    median,
    report,
    run_peer,
    spread,
    table,
)

# Epochs of the second round that are not timed yet.
WARM_UP = 3

# What skrnn should be faster by, at least and as an aim, for each of CASES.
TARGETS = {
    "epoch_s": {
        "Keras": [(15, 30), (4, 7), (2, 4), (2.5, 4)],
        "torch": [(4, 10), (1.2, 2), (0.6, 1.2), (2.5, 4)],
    },
    "fit_s": {
        "Keras": [(4, 10), (3, 6), (2, 3), (2, 3)],
        "torch": [(1, 2), (1, 2), (0.6, 1), (2, 3)],
    },
}


def epoch_clock():
    """Return a Keras callback that notes when each epoch ended, in `stamps`."""
    import keras

    class EpochClock(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.stamps = []

        def on_epoch_end(self, epoch, logs=None):
            self.stamps.append(time.perf_counter())

    return EpochClock()


def steady(stamps):
    """Return the seconds of an epoch after the first few.

    The mean over a stretch, as several epochs may be trained, and their ends told, at a time.
    """
    return (stamps[-1] - stamps[WARM_UP - 1]) / (len(stamps) - WARM_UP)


def fit_skrnn(job):
    load_engine()
    from sklearn.pipeline import make_pipeline

    from skrnn import RNNRegressor, WindowTransformer

    series = np.array(job["series"], dtype=np.float32)[:, None]

    def fit(epochs, callbacks=None):
        rnn = RNNRegressor(
            job["cell"],
            tuple(job["units"]),
            epochs=epochs,
            batch_size=job["batch_size"],
            random_state=0,
            callbacks=callbacks,
        )
        make_pipeline(WindowTransformer(job["window_length"]), rnn).fit(series)

    start = time.perf_counter()
    fit(job["epochs"])
    result = {"fit_s": time.perf_counter() - start}
    if job.get("steady_epochs"):
        clock = epoch_clock()
        fit(WARM_UP + job["steady_epochs"], [clock])
        result["epoch_s"] = steady(clock.stamps)
    return result


def fit_keras(job):
    load_engine()
    from skrnn import build_rnn

    length = job["window_length"]
    series = np.array(job["series"], dtype=np.float32)[:, None]
    X = np.array([series[i - length : i] for i in range(length, len(series))])
    y = series[length:]
    settings = {"batch_size": job["batch_size"], "shuffle": True, "verbose": 0}

    start = time.perf_counter()
    model = build_rnn((length, 1), 1, job["cell"], tuple(job["units"]), seed=0)
    model.compile(optimizer="adam", loss="mse")
    model.fit(X, y, epochs=job["epochs"], **settings)
    fit_s = time.perf_counter() - start

    clock = epoch_clock()
    model.fit(X, y, epochs=WARM_UP + job["steady_epochs"], callbacks=[clock], **settings)
    return {"fit_s": fit_s, "epoch_s": steady(clock.stamps)}


def main():
    options = Parser(__doc__)
    options.add_data()
    options.add_argument("--cases", help="numbers of the cases to run: 0,3", default="0,1,2,3")
    arguments = options.parse_args()
    epochs = 2 if arguments.quick else 50
    chosen = [int(i) for i in arguments.cases.split(",")]
    with_torch, versions, rows = has_peer("torch"), {}, {"epoch_s": [], "fit_s": []}
    for i in chosen:
        case = CASES[i]
        # A small network's epochs are soon over, and few would be too short a time to tell.
        steady_epochs = 2 if arguments.quick else 8 if sum(case.units) > 10 else 200
        job = case.job(arguments.data, epochs=epochs, steady_epochs=steady_epochs)
        sides = {
            "skrnn": lambda job=job: fresh(fit_skrnn, job),
            "Keras": lambda job=job: fresh(fit_keras, job),
        }
        if with_torch:
            sides["torch"] = lambda job=job: run_peer("torch", "torch_loop.py", job)
        results = interleaved(sides, arguments.repeat, case.name)
        if with_torch:
            versions |= results["torch"][0]["versions"]
        for figure, opponents in TARGETS.items():
            for opponent, targets in opponents.items():
                if opponent in results:
                    ours, theirs = results["skrnn"], results[opponent]
                    ratio = median(theirs, figure) / median(ours, figure)
                    cells = [case.name, opponent, spread(theirs, figure, 1e3)]
                    cells += [spread(ours, figure, 1e3), *judged(ratio, *targets[i])]
                    rows[figure].append(cells)

    header = ["network", "against", "its ms", "skrnn's ms", *JUDGED]
    report(
        arguments,
        "**An epoch in steady state**",
        table(header, rows["epoch_s"]),
        f"**A first fit of {epochs} epochs**, tracing counted, imports not",
        table(header, rows["fit_s"]),
        machine(arguments, versions),
    )


if __name__ == "__main__":
    main()
