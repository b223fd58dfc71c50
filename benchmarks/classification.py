"""Accuracy of RNNClassifier and of sktime's classifiers on datasets that ship with sktime.

    python benchmarks/classification.py [--seeds 5] [--output classification.md]

The datasets are BasicMotions (6 variables, 100 time steps, 4 classes) and JapaneseVowels (12
variables, 7 to 29 time steps, 9 classes), without preprocessing and with the train/test split of
the archive. RNNClassifier has the same parameters for both datasets. 1-NN DTW and ROCKET are
implemented in sktime. They require numba (`pip install numba`) and are skipped if numba is missing.
ROCKET is run once per seed, and 1-NN DTW, which is deterministic, is run once. Both require series
of equal length, so the series of JapaneseVowels are padded with zeros at the end.
"""

import importlib.metadata
import importlib.util
import statistics
import time
import warnings
from functools import partial

from _common import (
    Parser,
    describe_environment,
    log,
    markdown_table,
    report,
    silence_native_logging,
)

PARAMETERS = {
    "cell": "gru",
    "units": (64, 64),
    "bidirectional": True,
    "dropout": 0.5,
    "learning_rate": 0.01,
    "epochs": 100,
}
TARGETS = {"BasicMotions": 0.95, "JapaneseVowels": 0.97}


def load(name):
    """Return X and y of the training set and of the test set."""
    from sktime import datasets

    loader = {
        "BasicMotions": datasets.load_basic_motions,
        "JapaneseVowels": datasets.load_japanese_vowels,
    }[name]
    return (*loader(split="train", return_X_y=True), *loader(split="test", return_X_y=True))


def fit_rnn(data, seed, epochs):
    from skrnn import RNNClassifier

    X, y, X_test, y_test = data
    model = RNNClassifier(**PARAMETERS | {"epochs": epochs}, random_state=seed).fit(X, y)
    return model.score(X_test, y_test)


def pad_to_equal_length(*panels):
    """Convert panels to sktime's numpy3D format, padding the series with zeros at the end."""
    import numpy as np

    length = max(len(cell) for panel in panels for cell in panel.iloc[:, 0])
    for panel in panels:
        padded = np.zeros((len(panel), panel.shape[1], length))
        for row, cells in enumerate(panel.itertuples(index=False)):
            for column, cell in enumerate(cells):
                padded[row, column, : len(cell)] = cell
        yield padded


def fit_peer(make, data):
    X, y, X_test, y_test = data
    X, X_test = pad_to_equal_length(X, X_test)
    return make().fit(X, y).score(X_test, y_test)


def dtw():
    from sktime.classification.distance_based import KNeighborsTimeSeriesClassifier

    return KNeighborsTimeSeriesClassifier(n_neighbors=1, distance="dtw")


def rocket(seed):
    from sktime.classification.kernel_based import RocketClassifier

    return RocketClassifier(random_state=seed)


def make_runs(data, seeds, epochs, has_numba):
    """Return the runs of each classifier."""
    classifiers = {"RNNClassifier": [partial(fit_rnn, data, seed, epochs) for seed in seeds]}
    if has_numba:
        classifiers["1-NN DTW"] = [partial(fit_peer, dtw, data)]
        classifiers["ROCKET"] = [partial(fit_peer, partial(rocket, seed), data) for seed in seeds]
    return classifiers


def main():
    options = Parser(__doc__)
    options.add_argument("--seeds", type=int, default=5, help="number of seeds")
    arguments = options.parse_args()
    silence_native_logging()
    warnings.filterwarnings("ignore")  # raised by sktime
    seeds = range(1 if arguments.quick else arguments.seeds)
    epochs = 2 if arguments.quick else PARAMETERS["epochs"]
    arguments.repeat = 1
    has_numba = importlib.util.find_spec("numba") is not None
    if not has_numba:
        log("Skipping 1-NN DTW and ROCKET. To run them: pip install numba")

    rows = []
    for name, target in TARGETS.items():
        classifiers = make_runs(load(name), seeds, epochs, has_numba)
        for classifier, runs in classifiers.items():
            scores, start = [], time.perf_counter()
            for run in runs:
                scores.append(run())
                log(f"{name}: {classifier}, accuracy {scores[-1]:.3f}")
            seconds = (time.perf_counter() - start) / len(runs)
            median = statistics.median(scores)
            target_cells = ["", ""]
            if classifier == "RNNClassifier":
                target_cells = [f"{target:g}", "yes" if median >= target else "**no**"]
            accuracy = f"{median:.3f}"
            if len(scores) > 1:
                accuracy += f" ({min(scores):.3f} to {max(scores):.3f})"
            rows.append([name, classifier, accuracy, f"{seconds:.1f}", *target_cells])
    parameters = ", ".join(f"{key}={value!r}" for key, value in PARAMETERS.items())
    header = ["dataset", "classifier", "accuracy", "time to fit and score (s)"]
    header += ["target", "target met"]
    report(
        arguments,
        f"**Classification**, median of {len(seeds)} seeds (minimum to maximum), "
        f"RNNClassifier({parameters})",
        markdown_table(header, rows),
        describe_environment(arguments, {"sktime": importlib.metadata.version("sktime")}),
    )


if __name__ == "__main__":
    main()
