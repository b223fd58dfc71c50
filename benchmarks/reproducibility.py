"""Hashes of predictions and loss curves, to check that a code change does not change results.

    python benchmarks/reproducibility.py --output before.json
    python benchmarks/reproducibility.py --compare before.json

Run the script before and after a change that must not affect results, such as a refactoring. For
each setting, an estimator is fitted on a small seeded dataset, and the script prints the first 16
hexadecimal digits of the SHA-256 hashes of its predictions and of its loss curves, including their
dtypes and shapes. Models without a network have no loss curve. If a setting raises an exception,
the exception is printed instead. With --compare, the exit status is 1 if a setting differs.

Floating-point results depend on the processor and on the versions of the dependencies, so only runs
on the same machine and in the same environment can be compared. The script uses only public names
of skrnn. To run a different copy of the package, such as a git worktree, add its folder to
PYTHONPATH.
"""

import argparse
import hashlib
import importlib
import json
import os
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("MPLBACKEND", "Agg")

import keras
import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler

import skrnn

try:
    from skrnn.networks import build_cnn_rnn, build_encoder_decoder
except ImportError:  # earlier versions
    from skrnn.encoders import build_cnn_rnn, build_encoder_decoder

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 8, 2))
y = X[:, -3:, 0].sum(axis=1)
y_steps = X[:, :, 0].cumsum(axis=1)
LEVELS = ["down", "level", "up"]
labels = np.array(LEVELS)[np.digitize(y, [-1.5, 1])]
step_labels = np.where(X[:, :, 1] > 0, "high", "low")
weights, step_weights = rng.uniform(0.5, 2, size=60), rng.uniform(0.5, 2, size=(60, 8))
X_masked = np.where(
    (np.arange(60) % 3 == 0)[:, None, None] & (np.arange(8) > 4)[:, None], np.nan, X
)
ragged = [sequence[: 3 + i % 6] for i, sequence in enumerate(np.where(X > 2, np.nan, X))]
X_large = rng.normal(size=(160, 20, 1))
series = rng.normal(size=(120, 2)).cumsum(axis=0)
text = "the quick brown fox jumps over the lazy dog, and the dog sleeps on. " * 6
strings = [text[i : i + 4 + i % 5] for i in range(60)]
next_letters = np.array([text[i + 4 + i % 5] for i in range(60)])
tokens = np.array(list(text[:200]))[:, None]
months = pd.period_range("2020-01", periods=60, freq="M")
wave = 20 + 3 * np.sin(np.arange(60) * 2 * np.pi / 7) + rng.normal(scale=0.2, size=60)
monthly, exogenous = pd.DataFrame({"y": wave}, months), pd.DataFrame({"x": wave[::-1]}, months)
panel = pd.concat({"a": monthly, "b": monthly**2}, names=["series", "month"])


class OwnCell(keras.layers.Layer):
    """A custom cell that is trained in compiled graphs."""

    def __init__(self, units, **settings):
        super().__init__(**settings)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        self.recurrent = self.add_weight(shape=(self.units, self.units), name="recurrent")

    def call(self, inputs, states):
        h = keras.ops.tanh(inputs @ self.kernel + states[0] @ self.recurrent)
        return h, [h]

    def get_config(self):
        return super().get_config() | {"units": self.units}


class NoisyCell(OwnCell):
    """A custom cell that is trained by `Model.fit`, because its step uses random numbers."""

    def __init__(self, units, **settings):
        super().__init__(units, **settings)
        self.seed_generator = keras.random.SeedGenerator(0)

    def call(self, inputs, states, training=False):
        h, _ = super().call(inputs, states)
        noise = keras.random.normal(keras.ops.shape(h), stddev=0.1, seed=self.seed_generator)
        return (h + noise if training else h), [h]


class OfBatches(keras.callbacks.Callback):
    """A callback with a batch-level hook, so that networks are trained by `Model.fit`."""

    def on_train_batch_end(self, batch, logs=None):
        pass


def build_normalized(input_shape, n_outputs, units):
    """Build a network with a layer that the kernels do not support."""
    inputs = keras.Input(input_shape)
    x = keras.layers.GRU(units)(keras.layers.BatchNormalization()(inputs))
    return keras.Model(inputs, keras.layers.Dense(n_outputs)(x))


def small(name, *args, **settings):
    """Return an estimator of skrnn with a small seeded network."""
    defaults = {"units": 4, "epochs": 3, "batch_size": 16, "random_state": 0}
    return getattr(skrnn, name)(*args, **defaults | settings)


rnn, classifier = partial(small, "RNNRegressor"), partial(small, "RNNClassifier")
reader = partial(small, "CharLSTMClassifier")


def windowed(model, **settings):
    return make_pipeline(skrnn.WindowTransformer(6, **settings), model)


def scaled(model):
    steps = make_pipeline(MinMaxScaler(), *windowed(model))
    return TransformedTargetRegressor(steps, transformer=MinMaxScaler())


def scikeras(name):
    module = importlib.import_module("skrnn.scikeras")  # late: it modifies Keras
    return getattr(module, name)(model__cell="gru", model__units=4, epochs=2, random_state=0)


def curves(model):
    """Return the loss curves of a model or of its inner estimator."""
    for name in ("regressor_", "classifier_"):
        if hasattr(model, name):
            return curves(getattr(model, name))
    if isinstance(model, Pipeline):
        return curves(model[-1])
    if hasattr(model, "history_"):
        return [model.history_["loss"]]
    names = ("loss_curve_", "validation_loss_curve_", "validation_scores_")
    return [getattr(model, name) for name in names if hasattr(model, name)]


def fit(model, X=X, y=y, *, X_new=None, n_calls=1, method="fit", **settings):
    """Fit a model and return its predictions or probabilities, and its loss curves."""
    for _ in range(n_calls):
        getattr(model, method)(X, y, **settings)
    predict = getattr(model, "predict_proba", None) or model.predict
    return predict(X if X_new is None else X_new), curves(model)


def in_float64(model):
    keras.config.set_floatx("float64")
    try:
        return fit(model)
    finally:
        keras.config.set_floatx("float32")


def language(method="fit", n_calls=1, **settings):
    """Fit a language model; return probabilities, cross-entropy and generated text, and losses."""
    model = reader(chunk_length=16, **settings)
    proba, losses = fit(model, text, None, X_new=["the ", "dog"], method=method, n_calls=n_calls)
    written = model.generate("the ", 30, temperature=0.8, top_k=8, top_p=0.95, random_state=0)
    return [proba, model.cross_entropy(text), written], losses


def forecast(y=monthly, fh=(1, 2, 3), X=None, update=False, **settings):
    """Fit a forecaster on all but the last year, update it if requested, and forecast."""
    is_past = y.index.get_level_values(-1) < months[-12]
    past, later = (None, None) if X is None else (X[is_past], X[~is_past])
    settings = {"sp": 4, "learning_rate": 0.03} | settings
    model = small("RNNForecaster", **settings).fit(y[is_past], X=past, fh=[*fh])
    if update:
        model.update(y[~is_past], X=later, update_params=True)
    found = [model.predict(X=later), model.predict_interval(X=later, coverage=0.9)]
    strategy = model.model_.models[0].strategy
    losses = [curve for some in strategy.networks for one in some for curve in curves(one)]
    return found, [*losses, strategy.weights]


def grid_search():
    grid = {"rnnregressor__learning_rate": [0.001, 0.01]}
    search = GridSearchCV(windowed(rnn("rnn")), grid, cv=TimeSeriesSplit(2), n_jobs=1)
    search.fit(series, series)
    return search.cv_results_["mean_test_score"], curves(search.best_estimator_)


def gradient_flow():
    model = rnn("lstm").fit(X, y)
    display = skrnn.GradientFlowDisplay.from_estimator(model, X)
    return [display.norms, display.untrained_norms], curves(model)


def backtest():
    result = skrnn.backtest(windowed(rnn("gru", residual=True)), series, series, cv=2)
    return [result.y_pred, result.y_naive], [result.rmse, result.skill]


def schedule():
    return keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.01, 2, 0.9))


sequence = {"output": "sequence"}
label_steps = {"X": X_masked, "y": step_labels}
past, later = series[:90], series[90:]
in_time = {"X": past, "y": past, "X_new": later}
panel_X = X.transpose(0, 2, 1)
SETTINGS = {
    "rnn": lambda: fit(rnn("rnn")),
    "lstm": lambda: fit(rnn("lstm")),
    "lstm, seed 1": lambda: fit(rnn("lstm", random_state=1)),
    "lstm, learning rate": lambda: fit(rnn("lstm", learning_rate=0.02)),
    "gru": lambda: fit(rnn("gru")),
    "peephole": lambda: fit(rnn("peephole")),
    "coupled": lambda: fit(rnn("coupled")),
    "depthgated, 2 levels": lambda: fit(rnn("depthgated")),
    "depthgated, 3 levels": lambda: fit(rnn("depthgated", units=(4, 4, 4))),
    "clockwork": lambda: fit(rnn("clockwork", units=8)),
    "own cell": lambda: fit(rnn(OwnCell)),
    "own cell, random": lambda: fit(rnn(NoisyCell)),
    "bidirectional": lambda: fit(rnn("gru", bidirectional=True)),
    "stacked with dropout": lambda: fit(rnn("lstm", units=(5, 4), dropout=0.2)),
    "recurrent_dropout": lambda: fit(rnn("gru", recurrent_dropout=0.2)),
    "l1, l2, recurrent_l2": lambda: fit(rnn("lstm", l1=0.01, l2=0.01, recurrent_l2=0.01)),
    "identity": lambda: fit(rnn("rnn", activation="relu", recurrent_initializer="identity")),
    "clipnorm": lambda: fit(rnn("gru", clipnorm=0.1)),
    "clipvalue": lambda: fit(rnn("gru", clipvalue=0.01)),
    "AdamW": lambda: fit(rnn("gru", optimizer=keras.optimizers.AdamW(0.01, weight_decay=0.1))),
    "SGD": lambda: fit(rnn("gru", optimizer=keras.optimizers.SGD(0.01, momentum=0.9))),
    "learning-rate schedule": lambda: fit(rnn("gru", optimizer=schedule())),
    "mae": lambda: fit(rnn("gru", loss="mae")),
    "Huber": lambda: fit(rnn("gru", loss=keras.losses.Huber(0.5))),
    "sample_weight": lambda: fit(rnn("gru"), sample_weight=weights),
    "partial_fit": lambda: fit(rnn("gru"), method="partial_fit", n_calls=3),
    "warm_start": lambda: fit(rnn("gru", warm_start=True), n_calls=2),
    "early_stopping on windows": lambda: fit(windowed(rnn("gru", early_stopping=True)), **in_time),
    "residual=True": lambda: fit(scaled(rnn("gru", residual=True)), **in_time),
    "residual=[1, 0]": lambda: fit(scaled(rnn("gru", residual=[1, 0])), past, past[:, ::-1]),
    "sequence": lambda: fit(rnn(**sequence), y=y_steps),
    "sequence, weights": lambda: fit(rnn(**sequence), y=y_steps, sample_weight=step_weights),
    "sequence, chunks": lambda: fit(rnn("gru", **sequence, chunk_length=3), y=y_steps),
    "last, chunks": lambda: fit(rnn("lstm", chunk_length=3)),
    "network=, own": lambda: fit(rnn(network=build_normalized)),
    "network=, encoder and decoder": lambda: fit(rnn("gru", network=build_encoder_decoder)),
    "network=, convolution": lambda: fit(rnn("gru", network=build_cnn_rnn)),
    "callback of batches": lambda: fit(rnn("gru", callbacks=[OfBatches()])),
    "shards": lambda: fit(rnn(units=64, batch_size=64, epochs=2), X_large, X_large[:, -2, 0]),
    "float64": lambda: in_float64(rnn(units=(5, 4), dropout=0.2)),
    "classes": lambda: fit(classifier(), y=labels),
    "classes, ragged": lambda: fit(classifier("gru"), ragged, labels),
    "balanced": lambda: fit(classifier(class_weight="balanced", early_stopping=True), y=labels),
    "classes, sequence": lambda: fit(classifier("gru", **sequence), **label_steps),
    "classes, sequence, chunks": lambda: fit(
        classifier("gru", **sequence, chunk_length=3), **label_steps
    ),
    "classes, last, chunks": lambda: fit(classifier(chunk_length=3), X_masked, labels),
    "classes, partial_fit": lambda: fit(
        classifier(), y=labels, method="partial_fit", n_calls=2, classes=[*LEVELS, "other"]
    ),
    "strings": lambda: fit(reader(), strings, next_letters),
    "strings, embedding": lambda: fit(reader(embedding=3), strings, next_letters),
    "language, dropout": lambda: language(dropout=0.2),
    "language, early_stopping": lambda: language(early_stopping=True),
    "language, words": lambda: language(analyzer="word", cell="gru"),
    "language, partial_fit": lambda: language("partial_fit", n_calls=2),
    "windows of tokens": lambda: fit(windowed(reader()), tokens, None),
    "forecast, multioutput": forecast,
    "forecast, recursive": lambda: forecast(strategy="recursive"),
    "forecast, direct": lambda: forecast(strategy="direct", fh=(1, 3)),
    "forecast, recurrent decoder": lambda: forecast(decoder="recurrent"),
    "forecast, in sample": lambda: forecast(fh=(-2, 0, 2)),
    "forecast, seasonal difference": lambda: forecast(seasonal="difference"),
    "forecast, log": lambda: forecast(log=True),
    "forecast, X": lambda: forecast(X=exogenous),
    "forecast, panel": lambda: forecast(panel),
    "forecast, update": lambda: forecast(update=True),
    "forecast, two networks": lambda: forecast(n_networks=2),
    "sktime regressor": lambda: fit(skrnn.RNNTimeSeriesRegressor(rnn("gru")), panel_X),
    "sktime classifier": lambda: fit(skrnn.RNNTimeSeriesClassifier(classifier()), panel_X, labels),
    "reservoir": lambda: fit(
        make_pipeline(skrnn.ReservoirTransformer(20, random_state=0), Ridge()), **in_time
    ),
    "naive": lambda: fit(windowed(skrnn.NaiveRegressor()), **in_time),
    "complete windows": lambda: fit(
        windowed(skrnn.CompleteWindowsRegressor(Ridge()), flatten=True), **in_time
    ),
    "backtest": backtest,
    "gradient flow": gradient_flow,
    "grid search": grid_search,
    # These settings must be last, because importing scikeras modifies Keras in the whole process.
    "scikeras regressor": lambda: fit(scikeras("SciKerasRNNRegressor")),
    "scikeras classifier": lambda: fit(scikeras("SciKerasRNNClassifier"), y=labels),
}


def fingerprint(values):
    """Return the hash of an array or of a list of arrays."""
    digest = hashlib.sha256()
    for value in values if isinstance(values, list) else [values]:
        array = np.ascontiguousarray(value)
        array = array.astype(str) if array.dtype == object else array
        digest.update(f"{array.dtype.str} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()[:16]


def run(setting):
    """Run a setting; return its hashes, or the message of the exception that it raises."""
    try:
        predictions, losses = SETTINGS[setting]()
        return {"predictions": fingerprint(predictions), "loss": fingerprint(losses)}
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
        return {"predictions": message, "loss": message}


def compare(before, after):
    """Print a table of two results and return whether they are identical."""
    print("\n| setting | before | after | same |\n| --- | --- | --- | --- |")
    for name in before | after:
        old, new = (" ".join(one.get(name, {"": "–"}).values()) for one in (before, after))
        print(f"| {name} | {old} | {new} | {'yes' if old == new else '**no**'} |")
    return before == after


def main():
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--output", type=Path, help="JSON file to write the hashes to")
    options.add_argument("--compare", type=Path, help="JSON file to compare the hashes with")
    options.add_argument("--only", default="", help="string in the names of the settings to run")
    arguments = options.parse_args()
    results = {}
    for name in SETTINGS:
        if arguments.only in name:
            results[name] = run(name)
            print(f"{name:30} {results[name]['predictions']} {results[name]['loss']}", flush=True)
    if arguments.output:
        arguments.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if arguments.compare:
        saved = json.loads(arguments.compare.read_text(encoding="utf-8"))
        before = {name: hashes for name, hashes in saved.items() if arguments.only in name}
        raise SystemExit(not compare(before, results))


if __name__ == "__main__":
    main()
