"""Accuracy on series that ship with sktime: RNNClassifier beside sktime's own classifiers.

    python benchmarks/classification.py [--seeds 5] [--output classification.md]

BasicMotions (6 variables, 100 steps, 4 classes) and JapaneseVowels (12 variables, 7 to 29 steps, 9
classes), on the archive's own split, as they are. RNNClassifier has one setting for both, which is
below. 1-NN DTW and ROCKET are sktime's, which need numba (`pip install numba`) and are left out
without; they are random or not, so ROCKET runs with each seed and 1-NN DTW once. They take series
of one length: JapaneseVowels' are filled up with zeros behind for them.
"""

import importlib.metadata
import importlib.util
import statistics
import time
import warnings
from functools import partial

from _common import Parser, hush, machine, progress, report, table

SETTING = {
    "cell": "gru",
    "units": (64, 64),
    "bidirectional": True,
    "dropout": 0.5,
    "learning_rate": 0.01,
    "epochs": 100,
}
AIMS = {"BasicMotions": 0.95, "JapaneseVowels": 0.97}


def load(name):
    """Return X, y of the training part and of the test part."""
    from sktime import datasets

    loader = {
        "BasicMotions": datasets.load_basic_motions,
        "JapaneseVowels": datasets.load_japanese_vowels,
    }[name]
    return (*loader(split="train", return_X_y=True), *loader(split="test", return_X_y=True))


def fit_rnn(data, seed, epochs):
    from skrnn import RNNClassifier

    X, y, X_test, y_test = data
    model = RNNClassifier(**SETTING | {"epochs": epochs}, random_state=seed).fit(X, y)
    return model.score(X_test, y_test)


def of_one_length(*panels):
    """Return panels as sktime's numpy3D, with zeros behind the shorter series."""
    import numpy as np

    length = max(len(cell) for panel in panels for cell in panel.iloc[:, 0])
    for panel in panels:
        filled = np.zeros((len(panel), panel.shape[1], length))
        for row, cells in enumerate(panel.itertuples(index=False)):
            for column, cell in enumerate(cells):
                filled[row, column, : len(cell)] = cell
        yield filled


def fit_peer(make, data):
    X, y, X_test, y_test = data
    X, X_test = of_one_length(X, X_test)
    return make().fit(X, y).score(X_test, y_test)


def dtw():
    from sktime.classification.distance_based import KNeighborsTimeSeriesClassifier

    return KNeighborsTimeSeriesClassifier(n_neighbors=1, distance="dtw")


def rocket(seed):
    from sktime.classification.kernel_based import RocketClassifier

    return RocketClassifier(random_state=seed)


def runs_of(data, seeds, epochs, has_numba):
    """Return what each side runs, by its name."""
    sides = {"RNNClassifier": [partial(fit_rnn, data, seed, epochs) for seed in seeds]}
    if has_numba:
        sides["1-NN DTW"] = [partial(fit_peer, dtw, data)]
        sides["ROCKET"] = [partial(fit_peer, partial(rocket, seed), data) for seed in seeds]
    return sides


def main():
    options = Parser(__doc__)
    options.add_argument("--seeds", type=int, default=5, help="seeds of what is random")
    arguments = options.parse_args()
    hush()
    warnings.filterwarnings("ignore")  # of sktime's own making
    seeds = range(1 if arguments.quick else arguments.seeds)
    epochs = 2 if arguments.quick else SETTING["epochs"]
    arguments.repeat = 1
    has_numba = importlib.util.find_spec("numba") is not None
    if not has_numba:
        progress("1-NN DTW and ROCKET are left out: pip install numba lets sktime run them.")

    rows = []
    for name, aim in AIMS.items():
        sides = runs_of(load(name), seeds, epochs, has_numba)
        for side, runs in sides.items():
            scores, start = [], time.perf_counter()
            for run in runs:
                scores.append(run())
                progress(f"{name}: {side}, accuracy {scores[-1]:.3f}")
            seconds = (time.perf_counter() - start) / len(runs)
            middle = statistics.median(scores)
            judged = ["", ""]
            if side == "RNNClassifier":
                judged = [f"{aim:g}", "yes" if middle >= aim else "**no**"]
            spread = f"{middle:.3f}"
            if len(scores) > 1:
                spread += f" ({min(scores):.3f} to {max(scores):.3f})"
            rows.append([name, side, spread, f"{seconds:.1f}", *judged])
    setting = ", ".join(f"{key}={value!r}" for key, value in SETTING.items())
    header = ["series", "classifier", "accuracy", "s to fit and score", "at least", "reached"]
    report(
        arguments,
        f"**Classification**, median of {len(seeds)} seeds (least to most), "
        f"RNNClassifier({setting})",
        table(header, rows),
        machine(arguments, {"sktime": importlib.metadata.version("sktime")}),
    )


if __name__ == "__main__":
    main()
