"""Accuracy of CharLSTMClassifier with default settings and of character n-grams on short strings.

    python benchmarks/strings.py [--seeds 3] [--output strings.md]

The first data set are the cities of `skrnn.datasets.load_cities` and their regions, in 5-fold
cross-validation. The others require babel (`pip install babel`) and are skipped if it is missing.
They consist of the names of languages, territories and currencies in the Unicode locale data: the
class of a name, or of a word of a name, is its language or group of languages. Each string occurs
once. The classes of a string that is found in several are drawn at random from them, and the sizes
of the classes decrease geometrically. Each seed has another split, which is the same for all
classifiers.

The n-grams are those of a TfidfVectorizer within words, of 1 to 4 characters, for a logistic
regression whose C is chosen by cross-validation. The dummy predicts the most frequent class.
"""

import importlib.metadata
import importlib.util
import re
import statistics
import time

import numpy as np
from _common import (
    Parser,
    describe_environment,
    log,
    markdown_table,
    report,
    silence_native_logging,
)
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

MAX_TEST = 3000
# The classes of each data set and their locales, its number of training strings, and the ratio of
# the sizes of consecutive classes.
LOCALES = {
    "names": ("da ro et sl id cy gl eu lv", 400, 0.8),
    "words": ("it pt sv nb fi hu pl hr lt ms gd is sq sw zu fo br so", 3000, 0.85),
    "words of groups": (
        "de,lb nl,fy,af sv,nb,da,nn it,pt es,ca,gl fr ro fi,et hu tr,az,uz pl,cs,sk hr,bs,sl lt,lv "
        "id,ms,jv ga,gd,cy is,fo sq,eu sw,zu,so",
        15000,
        0.9,
    ),
}


def names_of(locale):
    """Return the names of languages, territories and currencies in a locale."""
    from babel import Locale

    data = Locale.parse(locale)
    names = {*data.languages.values(), *data.territories.values(), *data.currencies.values()}
    return {name for name in names if 2 <= len(name) <= 40}


def words_of(locale):
    """Return the words of at least three letters of these names."""
    words = {word for name in names_of(locale) for word in re.findall(r"[^\W\d_]+", name)}
    return {word for word in words if 3 <= len(word) <= 24}


def load_locales(name):
    """Return strings, their classes, and the number of strings to train on."""
    classes, n_train, ratio = LOCALES[name]
    strings_of = names_of if name == "names" else words_of
    found = {}
    for label in classes.split():
        for locale in label.split(","):
            for string in strings_of(locale):
                found.setdefault(string, set()).add(label)
    rng = np.random.default_rng(0)
    X = np.array(sorted(found), object)
    y = np.array([rng.choice(sorted(found[string])) for string in X])
    labels, counts = np.unique(y, return_counts=True)
    rows = []
    for rank, label in enumerate(labels[np.argsort(-counts, kind="stable")]):
        size = max(40, int(counts.max() * ratio**rank))
        rows.append(rng.permutation(np.flatnonzero(y == label))[:size])
    rows = np.concatenate(rows)
    return X[rows], y[rows], min(n_train, len(rows) * 9 // 10)


def make_classifiers(seed, epochs):
    from skrnn import CharLSTMClassifier

    n_grams = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True)
    return {
        "CharLSTMClassifier": CharLSTMClassifier(epochs=epochs, random_state=seed),
        "logistic regression on n-grams": GridSearchCV(
            make_pipeline(n_grams, LogisticRegression(tol=1e-3, max_iter=500)),
            {"logisticregression__C": [0.3, 1, 3, 10, 30, 100]},
            cv=StratifiedKFold(3, shuffle=True, random_state=0),
        ),
        "most frequent class": DummyClassifier(),
    }


def predict_cities(model, seed):
    """Return y and predictions of a model that is not trained on them."""
    from skrnn.datasets import load_cities

    X, y = load_cities()
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    return y, cross_val_predict(model, X, y, cv=folds)


def predict_locales(model, seed, data):
    """Return y and predictions of a test set."""
    X, y, n_train = data
    rows = np.random.default_rng(seed).permutation(len(X))
    train, test = rows[:n_train], rows[n_train:][:MAX_TEST]
    return y[test], model.fit(X[train], y[train]).predict(X[test])


def describe(scores):
    """Return the median and the range of scores."""
    return f"{statistics.median(scores):.3f} ({min(scores):.3f} to {max(scores):.3f})"


def main():
    options = Parser(__doc__)
    options.add_argument("--seeds", type=int, default=3, help="number of seeds")
    arguments = options.parse_args()
    silence_native_logging()
    seeds = range(1 if arguments.quick else arguments.seeds)
    epochs = 1 if arguments.quick else "auto"
    arguments.repeat = 1
    tasks = {"cities (383)": (predict_cities, ())}
    versions = {}
    if importlib.util.find_spec("babel") is None:
        log("Skipping the names of locales. To run them: pip install babel")
    else:
        versions["babel"] = importlib.metadata.version("babel")
        for name in ["names"] if arguments.quick else LOCALES:
            data = load_locales(name)
            tasks[f"{name} ({data[2]})"] = (predict_locales, (data,))

    rows = []
    for task, (predict, data) in tasks.items():
        results = {}
        for seed in seeds:
            for name, model in make_classifiers(seed, epochs).items():
                start = time.perf_counter()
                y, y_pred = predict(model, seed, *data)
                seconds = time.perf_counter() - start
                result = accuracy_score(y, y_pred), f1_score(y, y_pred, average="macro"), seconds
                results.setdefault(name, []).append(result)
                log(f"{task}: {name}, accuracy {result[0]:.3f}, macro-F1 {result[1]:.3f}")
        for name, runs in results.items():
            accuracies, f1_scores, times = zip(*runs, strict=True)
            seconds = f"{statistics.median(times):.1f}"
            rows.append([task, name, describe(accuracies), describe(f1_scores), seconds])
    header = ["data set (training strings)", "classifier", "accuracy", "macro-F1"]
    report(
        arguments,
        f"**Short strings**, median of {len(seeds)} seeds (minimum to maximum), "
        "CharLSTMClassifier() with default settings",
        markdown_table([*header, "time to fit and predict (s)"], rows),
        describe_environment(arguments, versions),
    )


if __name__ == "__main__":
    main()
