"""Training loss, test RMSE and skill of the models of three well-known tutorials.

    python benchmarks/tutorials.py --data FOLDER [--jobs 4] [--seeds 5] [--resume FILE]

The script prints Markdown tables, and writes them to a file with --output. The two models in each
ratio are trained in the same run, on the same rows and with one thread each. Without --data, only
series that ship with the dependencies of skrnn are used. A full run takes about one and a half
hours on one core.
"""

import argparse
import os
import pickle
import platform
import statistics
import sys
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from _common import best_naive, markdown_table, rmse
from joblib import Parallel, delayed
from sklearn.compose import TransformedTargetRegressor
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skrnn import RNNRegressor, WindowTransformer, datasets, skill_score


@dataclass
class Tutorial:
    """Model and data of a tutorial, and the results that it reports."""

    name: str
    stock: str
    column: str
    window_length: int
    rnn: dict = field(repr=False)
    reported_loss: float
    reported_rmse: float | None = None


TUTORIALS = [
    Tutorial(
        "Facebook 4×LSTM(45)",
        "facebook",
        "Open",
        40,
        {"units": (45,) * 4, "dropout": 0.2, "epochs": 100},
        0.0017,
    ),
    Tutorial(
        "Google 4×LSTM(50)",
        "google",
        "Open",
        60,
        {"units": (50,) * 4, "dropout": 0.2, "epochs": 100},
        0.0014,
    ),
    Tutorial(
        "Google LSTM(4), one step",
        "google",
        "Open",
        1,
        {"units": 4, "activation": "sigmoid", "epochs": 200},
        2.5e-4,
    ),
    Tutorial(
        "MasterCard LSTM(125)",
        "mastercard",
        "High",
        60,
        {"units": 125, "optimizer": "rmsprop", "epochs": 50},
        3.2e-4,
        6.70,
    ),
    Tutorial(
        "MasterCard GRU(125)",
        "mastercard",
        "High",
        60,
        {"cell": "gru", "units": 125, "optimizer": "rmsprop", "epochs": 50},
        2.7e-4,
        5.50,
    ),
]


def limit_to_one_thread():
    """Limit TensorFlow to one thread, so that parallel runs do not compete for the cores."""
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        pass  # TensorFlow was already started with these settings


def run_skrnn(tutorial, train, test, seed, residual):
    """Train the model of a tutorial with skrnn; return losses, test RMSE and seconds."""
    limit_to_one_thread()
    model = TransformedTargetRegressor(
        regressor=make_pipeline(
            MinMaxScaler(),
            WindowTransformer(tutorial.window_length),
            RNNRegressor(
                **tutorial.rnn, residual=residual, early_stopping=False, random_state=seed
            ),
        ),
        transformer=MinMaxScaler(),
    )
    start = time.perf_counter()
    model.fit(train, train)
    seconds = time.perf_counter() - start
    losses = model.regressor_[-1].loss_curve_
    return losses, root_mean_squared_error(test, model.predict(test)), seconds


def run_keras(tutorial, train, test, seed):
    """Train the model of a tutorial with plain Keras; return losses, test RMSE and seconds."""
    limit_to_one_thread()
    import keras

    keras.utils.set_random_seed(seed)
    settings = {"cell": "lstm", "activation": "tanh", "dropout": 0.0, "optimizer": "adam"}
    settings |= tutorial.rnn
    length, scaler = tutorial.window_length, MinMaxScaler().fit(train)
    scaled = scaler.transform(train)
    X = np.array([scaled[i - length : i] for i in range(length, len(scaled))])
    layer_class = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[settings["cell"]]
    sizes = np.atleast_1d(settings["units"])
    model = keras.Sequential([keras.Input((length, 1))])
    for i, size in enumerate(sizes):
        last = i == len(sizes) - 1
        model.add(
            layer_class(int(size), activation=settings["activation"], return_sequences=not last)
        )
        if settings["dropout"]:
            model.add(keras.layers.Dropout(settings["dropout"]))
    model.add(keras.layers.Dense(1))
    model.compile(optimizer=settings["optimizer"], loss="mean_squared_error")
    start = time.perf_counter()
    history = model.fit(X, scaled[length:], epochs=settings["epochs"], batch_size=32, verbose=0)
    seconds = time.perf_counter() - start
    extended = scaler.transform(np.concatenate([train[-length:], test]))
    X_test = np.array([extended[i - length : i] for i in range(length, len(extended))])
    y_pred = scaler.inverse_transform(model.predict(X_test, verbose=0))
    return history.history["loss"], root_mean_squared_error(test, y_pred), seconds


def run_with_reference(name, seed):
    """Train a network on a series with a known reference forecast; return the errors of both.

    For AR(2), test RMSE of the network and of the optimal forecast. For the other series, MSE of
    the network and of the best naive forecast on the *training* windows, then test RMSE of both.
    """
    limit_to_one_thread()
    if name == "AR(2)":
        coefficients = (1.2, -0.5)
        series = datasets.make_ar(3000, coefficients, random_state=0)
        train, test = series[:2000], series[2000:]
        length, rnn = 10, {"units": 16, "epochs": 30}
    elif name == "airline":
        series = datasets.load_airline().to_numpy(dtype=float)
        train, test = series[:-36], series[-36:]
        length, rnn = 24, {"units": 32, "epochs": 200}
    else:
        series = datasets.load_google()[["Close"]].to_numpy(dtype=float)
        train, test = series[:-200], series[-200:]
        length, rnn = 30, {"units": 32, "epochs": 50}
    rnn |= {"residual": name != "AR(2)", "early_stopping": False}
    if name != "AR(2)":
        rnn |= {"learning_rate": 0.01}
    model = TransformedTargetRegressor(
        regressor=make_pipeline(
            MinMaxScaler(), WindowTransformer(length), RNNRegressor(random_state=seed, **rnn)
        ),
        transformer=MinMaxScaler(),
    ).fit(train, train)
    test_rmse = rmse(model.predict(test) - test)
    if name == "AR(2)":
        previous = np.concatenate([train[-2:], test])
        a, b = coefficients
        return test_rmse, rmse(a * previous[1:-1] + b * previous[:-2] - test)
    train_rmse = rmse(model.predict(train)[length:] - train[length:])
    season = 12 if name == "airline" else 1
    parts = np.arange(length, len(train)), np.arange(len(train), len(series))
    naives = [best_naive(series[:, 0], part, 1, season, rmse)[1] for part in parts]
    return train_rmse**2, naives[0] ** 2, test_rmse, naives[1]


def measure(jobs, n_jobs, path):
    """Run the jobs (key, function, arguments) whose results are not stored in `path` yet."""

    def run(key, function, *arguments):
        return key, function(*arguments)

    start = time.perf_counter()
    results = pickle.loads(path.read_bytes()) if path is not None and path.exists() else {}
    jobs = [job for job in jobs if job[0] not in results]
    parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered", batch_size=1)
    for done, (key, value) in enumerate(parallel(delayed(run)(*job) for job in jobs), start=1):
        results[key] = value
        if path is not None:
            path.write_bytes(pickle.dumps(results))
        minutes = (time.perf_counter() - start) / 60
        print(f"{done:3d} of {len(jobs)}, {minutes:5.1f} min: {key}", file=sys.stderr, flush=True)
    return results


def tutorial_tables(stocks, results, seeds):
    """Return the tables of the training loss and of the test RMSE."""
    median_of = f"median of {len(seeds)} seeds"

    def median(tutorial, variant, metric, n_seeds=None):
        selected = [results[tutorial.name, variant, seed] for seed in seeds[:n_seeds]]
        return statistics.median(metric(result) for result in selected)

    def final_loss(result):
        return result[0][-1]

    def mean_late_loss(result):
        return np.mean(result[0][-10:])

    def rmse(result):
        return result[1]

    losses, scores = [], []
    for tutorial in TUTORIALS:
        train, test = stocks[tutorial.stock, tutorial.column]
        naive = np.concatenate([train[-1:], test[:-1]])
        rmse_naive = root_mean_squared_error(test, naive)
        cells = [tutorial.name]
        for metric, n_seeds in ((final_loss, 3), (mean_late_loss, None)):
            skrnn_loss, keras_loss = (
                median(tutorial, variant, metric, n_seeds) for variant in ("skrnn", "keras")
            )
            cells += [f"{skrnn_loss:.3g}", f"{keras_loss:.3g}", f"{skrnn_loss / keras_loss:.2f}"]
        final_losses = [final_loss(results[tutorial.name, "keras", seed]) for seed in seeds]
        cells += [
            f"{min(final_losses):.3g} to {max(final_losses):.3g}",
            f"{tutorial.reported_loss:.2g}",
        ]
        losses.append(cells)
        rmse_skrnn = median(tutorial, "skrnn", rmse)
        residual = median(tutorial, "residual", rmse)
        scores.append(
            [
                tutorial.name,
                f"{rmse_naive:.2f}",
                f"{rmse_skrnn:.2f}",
                f"{1 - rmse_skrnn / rmse_naive:+.2f}",
                f"{residual:.2f}",
                f"{1 - residual / rmse_naive:+.3f}",
                f"{residual / rmse_naive:.3f}",
                f"{median(tutorial, 'keras', rmse):.2f}",
                tutorial.reported_rmse or "–",
            ]
        )
    loss_header = ["model", "skrnn, last epoch", "Keras, last epoch", "ratio"]
    loss_header += ["skrnn, last 10 epochs", "Keras, last 10 epochs", "ratio"]
    loss_header += ["Keras, last epoch, range over seeds", "reported by the tutorial"]
    header = ["model", "naive forecast", "skrnn", "skill", "skrnn, `residual=True`", "skill"]
    header += ["ratio to naive forecast", "Keras", "reported by the tutorial"]
    return [
        "**Training loss** (MSE on the scaled series; median of 3 seeds for the last epoch; "
        f"{median_of} for the mean of the last 10 epochs, which is less noisy)",
        markdown_table(loss_header, losses),
        f"**Test RMSE** (in units of the series, {median_of}; skill is 1 − RMSE / RMSE of the "
        "naive forecast, which predicts the last value)",
        markdown_table(header, scores),
    ]


def reference_tables(results, seeds):
    """Return the tables of the series with a known reference forecast."""
    rows, median_of = [], f"median of {len(seeds)} seeds"
    ratio, rmse, optimal = np.median(
        [[r / b, r, b] for r, b in (results["AR(2)", seed] for seed in seeds)], axis=0
    )
    tables = [
        f"**AR(2) process with a known optimal forecast** ({median_of})",
        markdown_table(
            ["test RMSE", "test RMSE of the optimal forecast", "ratio"],
            [[f"{rmse:.3f}", f"{optimal:.3f}", f"{ratio:.3f}"]],
        ),
    ]
    for name in ("airline", "Google (matplotlib)"):
        values = np.median(
            [
                [mse / naive, test, test_naive, skill_score([0], [test], [test_naive])]
                for mse, naive, test, test_naive in (results[name, seed] for seed in seeds)
            ],
            axis=0,
        )
        rows.append([name, *(f"{value:.3f}" for value in values)])
    error_columns = ["training MSE / training MSE of the naive forecast", "test RMSE"]
    error_columns += ["test RMSE of the naive forecast"]
    tables += [
        "**Improvement over the naive forecast with `residual=True`** (LSTM(32), learning rate "
        f"0.01, {median_of}; a ratio of the training MSEs of 1.00 means no improvement; the naive "
        "forecast is the last value or, for the airline passengers, the value 12 months earlier or "
        "this value plus the change of the last 12 months, whichever is most accurate)",
        markdown_table(["series", *error_columns, "skill"], rows),
    ]
    return tables


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, help="folder with the tutorial data")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="number of parallel runs")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs-factor", type=float, default=1.0, help="< 1 for a test run")
    parser.add_argument("--resume", type=Path, help="file to store results in and to resume from")
    parser.add_argument("--output", type=Path, help="file to write the tables to")
    arguments = parser.parse_args()
    seeds = list(range(arguments.seeds))

    jobs, stocks = [], {}
    for tutorial in TUTORIALS if arguments.data else []:
        tutorial.rnn["epochs"] = max(1, round(tutorial.rnn["epochs"] * arguments.epochs_factor))
        train, test = datasets.load_stock(arguments.data, tutorial.stock)
        train, test = (frame[[tutorial.column]].to_numpy(dtype=float) for frame in (train, test))
        stocks[tutorial.stock, tutorial.column] = train, test
        for seed in seeds:
            for variant, residual in (("skrnn", False), ("residual", True)):
                key = tutorial.name, variant, seed
                jobs.append((key, run_skrnn, tutorial, train, test, seed, residual))
            key = tutorial.name, "keras", seed
            jobs.append((key, run_keras, tutorial, train, test, seed))
    for name in ("AR(2)", "airline", "Google (matplotlib)"):
        jobs += [((name, seed), run_with_reference, name, seed) for seed in seeds]

    results = measure(jobs, arguments.jobs, arguments.resume)
    versions = ", ".join(
        f"{name} {version(name)}" for name in ("scikit-learn", "tensorflow", "keras")
    )
    tables = tutorial_tables(stocks, results, seeds) if arguments.data else []
    tables += reference_tables(results, seeds)
    text = "\n\n".join([*tables, f"Python {platform.python_version()}, {versions}."])
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
