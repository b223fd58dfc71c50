"""How long a grid search takes: beside the same search with scikeras.

    python benchmarks/search.py [--data FOLDER] [--repeat 5] [--repeat-scikeras 1]

`GridSearchCV` on MasterCard: window 20, 40, 60, LSTM and GRU, 32 and 64 units, five folds of
`TimeSeriesSplit`, 20 epochs, and the refit of the best. skrnn with n_jobs=1 and n_jobs=4 (the
start of the workers counted) against scikeras' own KerasRegressor around `build_rnn`, behind the
same transformers, with n_jobs=1. Each search in a fresh process, imports not counted.

scikeras' regressor would train on the incomplete windows too; here it is handed the complete ones
alone, so that both sides take the same steps. It gets no `random_state`, which would turn on
TensorFlow's slower deterministic kernels.
"""

import time
from importlib.metadata import version

import numpy as np
from _common import (
    CASES,
    JUDGED,
    Parser,
    fresh,
    interleaved,
    judged,
    load_engine,
    machine,
    median,
    report,
    spread,
    table,
)
from joblib.externals.loky import get_reusable_executor

TARGETS = {"skrnn, n_jobs=1": (3, 5), "skrnn, n_jobs=4": (6, 12)}


def search(rnn, names, job, n_jobs):
    """Run the search around `rnn`, whose parameters for cell and units have these names."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import MinMaxScaler

    from skrnn import WindowTransformer

    steps = [("scale", MinMaxScaler()), ("window", WindowTransformer()), ("rnn", rnn)]
    grid = {"window__window_length": job["windows"]}
    grid |= {f"rnn__{names['cell']}": job["cells"], f"rnn__{names['units']}": job["units"]}
    searching = GridSearchCV(
        TransformedTargetRegressor(Pipeline(steps), transformer=MinMaxScaler()),
        {f"regressor__{name}": values for name, values in grid.items()},
        cv=TimeSeriesSplit(job["folds"]),
        scoring="neg_root_mean_squared_error",
        n_jobs=n_jobs,
        error_score="raise",
    )
    series = np.array(job["series"])[:, None]
    start = time.perf_counter()
    searching.fit(series, series)
    seconds = time.perf_counter() - start
    # Idle workers would hold up the end of this process for five minutes.
    if n_jobs > 1:
        get_reusable_executor().shutdown()
    scores = [searching.cv_results_[f"split{i}_test_score"] for i in range(job["folds"])]
    return {"search_s": seconds, "scores": np.array(scores)}


def search_skrnn(job, n_jobs):
    load_engine()
    from skrnn import RNNRegressor

    rnn = RNNRegressor(epochs=job["epochs"], batch_size=job["batch_size"], random_state=0)
    return search(rnn, {"cell": "cell", "units": "units"}, job, n_jobs)


def search_scikeras(job):
    load_engine()
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
        help="searches with scikeras; one takes several minutes",
    )
    arguments = options.parse_args()
    job = CASES[2].job(arguments.data, epochs=20, folds=5)
    job |= {"windows": [20, 40, 60], "cells": ["lstm", "gru"], "units": [32, 64]}
    if arguments.quick:
        job |= {"epochs": 1, "folds": 2, "windows": [20], "units": [32]}

    sides = {
        "skrnn, n_jobs=1": lambda: fresh(search_skrnn, job, 1),
        "skrnn, n_jobs=4": lambda: fresh(search_skrnn, job, 4),
        "scikeras, n_jobs=1": lambda: fresh(search_scikeras, job),
    }
    fewer = {"scikeras, n_jobs=1": arguments.repeat_scikeras}
    results = interleaved(sides, arguments.repeat, "search", fewer)

    theirs = results.pop("scikeras, n_jobs=1")
    rows = [["scikeras, n_jobs=1", spread(theirs, "search_s"), "", "", "", ""]]
    for name, ours in results.items():
        ratio = median(theirs, "search_s") / median(ours, "search_s")
        rows.append([name, spread(ours, "search_s"), *judged(ratio, *TARGETS[name])])
    scores = [result["scores"] for ours in results.values() for result in ours]
    equal = all(np.array_equal(scores[0], other) for other in scores[1:])
    n_fits = scores[0].size + 1
    report(
        arguments,
        f"**A grid search of {n_fits} fits of {job['epochs']} epochs** (searches with scikeras: "
        f"{len(theirs)})",
        table(["search", "seconds", *JUDGED], rows),
        "skrnn's scores are "
        + ("the same bits in all its searches" if equal else "**not** the same in all its searches")
        + f". The best mean RMSE is {-scores[0].mean(axis=0).max():.4f} of the scaled series; "
        f"scikeras' is {-theirs[0]['scores'].mean(axis=0).max():.4f}.",
        machine(arguments, {"scikeras": version("scikeras")}),
    )
    if not equal:
        raise SystemExit("The scores of n_jobs=1 and n_jobs=4 differ.")


if __name__ == "__main__":
    main()
