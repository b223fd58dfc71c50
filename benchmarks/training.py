"""Training time, compared with Keras' `Model.fit` and a plain PyTorch training loop.

    python benchmarks/training.py [--data FOLDER] [--repeat 5]

Each implementation is measured in a new process with default thread settings. The time of imports
is excluded. Two times are measured:

- The time of the first fit (50 epochs), including tracing. For skrnn, it includes `fit` on the
  series; for Keras, building and compiling the model and `Model.fit` on existing windows; for
  torch, building the network and the training loop on existing windows.
- The time per epoch in steady state, measured in a second fit after warm-up.

The three networks have the same architecture. The Keras model is built by `build_rnn`.
"""

import time

import numpy as np
from _common import (
    CASES,
    TARGET_HEADER,
    Parser,
    describe_environment,
    format_median,
    has_peer,
    import_training_modules,
    markdown_table,
    median,
    report,
    run_in_new_process,
    run_interleaved,
    run_peer,
    target_cells,
)

# Epochs of the second fit that are excluded from the time per epoch.
WARM_UP = 3

# Minimum and target of the speedup for each of CASES.
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
    """Return a Keras callback that stores the end time of each epoch in `end_times`."""
    import keras

    class EpochClock(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.end_times = []

        def on_epoch_end(self, epoch, logs=None):
            self.end_times.append(time.perf_counter())

    return EpochClock()


def time_per_epoch(end_times):
    """Return the mean time per epoch after warm-up, in seconds.

    The mean over many epochs is used because several epochs may be trained in one call, after
    which their callbacks are called together.
    """
    return (end_times[-1] - end_times[WARM_UP - 1]) / (len(end_times) - WARM_UP)


def fit_skrnn(job):
    import_training_modules()
    from sklearn.pipeline import make_pipeline

    from skrnn import RNNRegressor, WindowTransformer

    series = np.array(job["series"], dtype=np.float32)[:, None]

    def fit(epochs, callbacks=None):
        rnn = RNNRegressor(
            job["cell"],
            tuple(job["units"]),
            epochs=epochs,
            batch_size=job["batch_size"],
            residual=False,
            early_stopping=False,
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
        result["epoch_s"] = time_per_epoch(clock.end_times)
    return result


def fit_keras(job):
    import_training_modules()
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
    return {"fit_s": fit_s, "epoch_s": time_per_epoch(clock.end_times)}


def main():
    options = Parser(__doc__)
    options.add_data()
    options.add_argument(
        "--cases", help="indices of the cases, separated by commas", default="0,1,2,3"
    )
    arguments = options.parse_args()
    epochs = 2 if arguments.quick else 50
    indices = [int(i) for i in arguments.cases.split(",")]
    with_torch, versions, rows = has_peer("torch"), {}, {"epoch_s": [], "fit_s": []}
    for i in indices:
        case = CASES[i]
        # Epochs of a small network are short, so more of them are needed for a precise time.
        steady_epochs = 2 if arguments.quick else 8 if sum(case.units) > 10 else 200
        job = case.job(arguments.data, epochs=epochs, steady_epochs=steady_epochs)
        candidates = {
            "skrnn": lambda job=job: run_in_new_process(fit_skrnn, job),
            "Keras": lambda job=job: run_in_new_process(fit_keras, job),
        }
        if with_torch:
            candidates["torch"] = lambda job=job: run_peer("torch", "torch_loop.py", job)
        results = run_interleaved(candidates, arguments.repeat, case.name)
        if with_torch:
            versions |= results["torch"][0]["versions"]
        for quantity, baselines in TARGETS.items():
            for baseline, targets in baselines.items():
                if baseline in results:
                    skrnn_results, baseline_results = results["skrnn"], results[baseline]
                    speedup = median(baseline_results, quantity) / median(skrnn_results, quantity)
                    cells = [case.name, baseline, format_median(baseline_results, quantity, 1e3)]
                    cells += [
                        format_median(skrnn_results, quantity, 1e3),
                        *target_cells(speedup, *targets[i]),
                    ]
                    rows[quantity].append(cells)

    header = ["network", "compared with", "time (ms)", "skrnn (ms)", *TARGET_HEADER]
    report(
        arguments,
        "**Time per epoch in steady state**",
        markdown_table(header, rows["epoch_s"]),
        f"**Time of the first fit ({epochs} epochs)**, including tracing and excluding imports",
        markdown_table(header, rows["fit_s"]),
        describe_environment(arguments, versions),
    )


if __name__ == "__main__":
    main()
