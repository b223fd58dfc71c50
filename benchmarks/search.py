"""Time of a grid search with skrnn, compared with the same search with scikeras.

    python benchmarks/search.py [--data FOLDER] [--repeat 5] [--repeat-scikeras 1]

`GridSearchCV` is run on MasterCard's stock price with window lengths 20, 40 and 60, LSTM and GRU,
32 and 64 units, five folds of `TimeSeriesSplit`, 20 epochs, and a refit of the best model. The
search with skrnn is run with n_jobs=1 and with n_jobs=4 (including the startup of the workers). The
search with KerasRegressor of scikeras uses `build_rnn`, the same transformers and n_jobs=1. Each
search runs in a new process. The time of imports is excluded.

By default, KerasRegressor is also trained on the incomplete windows. In this benchmark, it is
trained only on the complete windows, so that the number of gradient steps is the same in both
searches. Its `random_state` is not set, because a seed would enable TensorFlow's slower
deterministic kernels.
"""

import time
from importlib.metadata import version

import numpy as np
from _common import (
    CASES,
    TARGET_HEADER,
    Parser,
    describe_environment,
    format_median,
    import_training_modules,
    markdown_table,
    median,
    report,
    run_in_new_process,
    run_interleaved,
    target_cells,
)
from joblib.externals.loky import get_reusable_executor

TARGETS = {"skrnn, n_jobs=1": (3, 5), "skrnn, n_jobs=4": (6, 12)}


def search(rnn, names, job, n_jobs):
    """Run the search with `rnn`; `names` maps cell and units to the names of its parameters."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import MinMaxScaler

    from skrnn import WindowTransformer

    steps = [("scale", MinMaxScaler()), ("window", WindowTransformer()), ("rnn", rnn)]
    grid = {"window__window_length": job["windows"]}
    grid |= {f"rnn__{names['cell']}": job["cells"], f"rnn__{names['units']}": job["units"]}
    grid_search = GridSearchCV(
        TransformedTargetRegressor(Pipeline(steps), transformer=MinMaxScaler()),
        {f"regressor__{name}": values for name, values in grid.items()},
        cv=TimeSeriesSplit(job["folds"]),
        scoring="neg_root_mean_squared_error",
        n_jobs=n_jobs,
        error_score="raise",
    )
    series = np.array(job["series"])[:, None]
    start = time.perf_counter()
    grid_search.fit(series, series)
    seconds = time.perf_counter() - start
    # Idle workers would keep this process alive for five minutes.
    if n_jobs > 1:
        get_reusable_executor().shutdown()
    scores = [grid_search.cv_results_[f"split{i}_test_score"] for i in range(job["folds"])]
    return {"search_s": seconds, "scores": np.array(scores)}


def search_skrnn(job, n_jobs):
    import_training_modules()
    from skrnn import RNNRegressor

    plain = {"residual": False, "early_stopping": False, "random_state": 0}
    rnn = RNNRegressor(epochs=job["epochs"], batch_size=job["batch_size"], **plain)
    return search(rnn, {"cell": "cell", "units": "units"}, job, n_jobs)


def search_scikeras(job):
    import_training_modules()
    from scikeras.wrappers import KerasRegressor

    from skrnn import build_rnn

    class CompleteWindowsKerasRegressor(KerasRegressor):
        def fit(self, X, y, **kwargs):
            complete = slice(X.n_incomplete, None)
            return super().fit(X[complete], y[complete], **kwargs)

    rnn = CompleteWindowsKerasRegressor(
        model=build_rnn,
        model__cell="lstm",
        model__units=32,
        loss="mse",
        optimizer="adam",
        epochs=job["epochs"],
        batch_size=job["batch_size"],
        verbose=0,
    )
    return search(rnn, {"cell": "model__cell", "units": "model__units"}, job, n_jobs=1)


def main():
    options = Parser(__doc__)
    options.add_data()
    options.add_argument(
        "--repeat-scikeras",
        type=int,
        default=1,
        help="number of searches with scikeras, which take several minutes each",
    )
    arguments = options.parse_args()
    job = CASES[2].job(arguments.data, epochs=20, folds=5)
    job |= {"windows": [20, 40, 60], "cells": ["lstm", "gru"], "units": [32, 64]}
    if arguments.quick:
        job |= {"epochs": 1, "folds": 2, "windows": [20], "units": [32]}

    candidates = {
        "skrnn, n_jobs=1": lambda: run_in_new_process(search_skrnn, job, 1),
        "skrnn, n_jobs=4": lambda: run_in_new_process(search_skrnn, job, 4),
        "scikeras, n_jobs=1": lambda: run_in_new_process(search_scikeras, job),
    }
    max_runs = {"scikeras, n_jobs=1": arguments.repeat_scikeras}
    results = run_interleaved(candidates, arguments.repeat, "search", max_runs)

    scikeras_results = results.pop("scikeras, n_jobs=1")
    rows = [["scikeras, n_jobs=1", format_median(scikeras_results, "search_s"), "", "", "", ""]]
    for name, skrnn_results in results.items():
        speedup = median(scikeras_results, "search_s") / median(skrnn_results, "search_s")
        rows.append(
            [name, format_median(skrnn_results, "search_s"), *target_cells(speedup, *TARGETS[name])]
        )
    scores = [result["scores"] for skrnn_results in results.values() for result in skrnn_results]
    equal = all(np.array_equal(scores[0], other) for other in scores[1:])
    n_fits = scores[0].size + 1
    best = -scores[0].mean(axis=0).max()
    best_scikeras = -scikeras_results[0]["scores"].mean(axis=0).max()
    agreement = "bit-identical" if equal else "**not** identical"
    report(
        arguments,
        f"**Grid search with {n_fits} fits of {job['epochs']} epochs** (runs with scikeras: "
        f"{len(scikeras_results)})",
        markdown_table(["search", "time (s)", *TARGET_HEADER], rows),
        f"The scores of skrnn are {agreement} in all searches. The best mean RMSE on the scaled "
        f"series is {best:.4f} with skrnn and {best_scikeras:.4f} with scikeras.",
        describe_environment(arguments, {"scikeras": version("scikeras")}),
    )
    if not equal:
        raise SystemExit("The scores of n_jobs=1 and n_jobs=4 differ.")


if __name__ == "__main__":
    main()
