"""RNNClassifier: its kinds of input, masked steps, what it keeps and refuses."""

import pickle
import subprocess
import sys
from functools import partial

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from skrnn import RNNClassifier, WindowTransformer
from skrnn.networks import MASKED
from skrnn._engine.eligibility import supports_fused_engine

# Keras makes arrays of its variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SMALL = {"cell": "gru", "units": 8, "learning_rate": 0.02, "epochs": 5, "random_state": 0}
NAN = np.nan


def small(*cell, **parameters):
    settings = SMALL | parameters
    return RNNClassifier(*cell, **({k: v for k, v in settings.items() if not cell or k != "cell"}))


@pytest.fixture(scope="module")
def steps():
    """Sequences of 3 to 9 steps of two features, and whether the first one rises."""
    rng = np.random.default_rng(0)
    X, y = [], []
    for row in range(60):
        slope = 1 if row % 3 else -1
        times = np.arange(rng.integers(3, 10))
        X.append(np.column_stack([slope * times / 5, rng.normal(size=len(times))]))
        y.append("rises" if slope > 0 else "falls")
    return X, np.array(y)


@pytest.fixture(scope="module")
def padded(steps):
    """The same, in one array with NaN behind."""
    X, y = steps
    array = np.full((len(X), 9, 2), NAN)
    for row, one in enumerate(X):
        array[row, : len(one)] = one
    return array, y


@pytest.fixture(scope="module")
def fitted(steps):
    return small(epochs=30).fit(*steps)


def spread(X, length, rng):
    """Put each sequence's steps, in order, at random places of so many; NaN stands elsewhere."""
    array = np.full((len(X), length, X[0].shape[1]), NAN)
    for row, one in enumerate(X):
        array[row, np.sort(rng.choice(length, len(one), replace=False))] = one
    return array


# What it learns


def test_learns_and_names_classes(steps, fitted):
    X, y = steps
    assert fitted.score(X, y) > 0.95 > np.mean(y == "rises")
    assert fitted.classes_.tolist() == ["falls", "rises"]
    probabilities = fitted.predict_proba(X)
    assert probabilities.shape == (60, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(fitted.predict_log_proba(X), np.log(probabilities))
    np.testing.assert_array_equal(fitted.predict(X), fitted.classes_[probabilities.argmax(axis=1)])
    assert fitted.n_iter_ == len(fitted.loss_curve_) == 30
    assert (fitted.n_outputs_, fitted.input_shape_, fitted.n_features_in_) == (2, (9, 2), 2)
    assert not hasattr(fitted, "validation_scores_")


@pytest.mark.parametrize("labels", [[3, 7], [False, True], [-1.0, 2.0], ["b", "a"]])
def test_labels_of_any_type(labels, steps):
    X, y = steps
    y = np.where(y == "rises", *labels)
    model = small(epochs=20).fit(X, y)
    assert model.classes_.tolist() == sorted(labels)
    assert model.predict(X).dtype == y.dtype
    assert model.score(X, y) > 0.9


def test_three_classes_of_one_feature():
    rng = np.random.default_rng(1)
    y = np.repeat([0, 1, 2], 20)
    X = np.array([0.0, 1.0, -1.0])[y][:, None] + rng.normal(size=(60, 6)) / 5
    model = small().fit(X, y)
    assert model.score(X, y) > 0.9
    assert (model.input_shape_, model.n_features_in_) == ((6, 1), 6)
    deep = small().fit(X[:, :, None], y)
    np.testing.assert_array_equal(model.predict_proba(X), deep.predict_proba(X))
    np.testing.assert_array_equal(deep.predict_proba(X[:, :, None]), deep.predict_proba(X))


# Masked steps


# Both ways through a stack has layers that return sequences, states, and either backwards.
@pytest.mark.parametrize(
    ("cell", "options"),
    [
        *[
            (cell, {"units": (5, 4), "bidirectional": True})
            for cell in ("rnn", "lstm", "gru", "clockwork")
        ],
        ("gru", {"units": 5}),
        ("clockwork", {"units": (5, 4)}),
    ],
)
def test_masked_steps_are_as_if_not_there(cell, options, steps):
    model = small(cell, **options, epochs=2).fit(*steps)
    X = [one for one in steps[0] if len(one) in (3, 6, 9)]  # each length is compiled by itself
    rng = np.random.default_rng(0)
    alone = np.concatenate([model.predict_proba([one]) for one in X])
    for length in (9, 14):
        found = model.predict_proba(spread(X, length, rng))
        np.testing.assert_allclose(found, alone, atol=1e-5)
    # Keras' own layers, on the sequences without the masked steps, and with.
    by_keras = np.concatenate([model.model_(one[None].astype("float32")) for one in X])
    np.testing.assert_allclose(by_keras, alone, atol=1e-5)
    scattered = np.nan_to_num(spread(X, 12, rng), nan=MASKED).astype("float32")
    np.testing.assert_allclose(model.model_(scattered), alone, atol=1e-5)


def test_masked_steps_count_for_nothing_in_training(steps, padded):
    X, y = steps
    expected = small().fit(*padded).predict_proba(X)
    for length in (9, 13):
        scattered = spread(X, length, np.random.default_rng(0))
        np.testing.assert_array_equal(small().fit(scattered, y).predict_proba(X), expected)
    np.testing.assert_array_equal(small().fit(X, y).predict_proba(X), expected)


def test_one_nan_masks_its_whole_step(padded):
    X, y = padded
    partly = X.copy()
    partly[:, 2, 1] = NAN
    wholly = X.copy()
    wholly[:, 2] = NAN
    model = small().fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(partly), model.predict_proba(wholly))


def test_one_step_of_training_is_that_of_keras(steps, padded):
    X, y = padded
    settings = {"units": 4, "epochs": 1, "batch_size": 64, "optimizer": "sgd"}
    model = small(**settings).fit(X, y)
    twin = small(**settings | {"learning_rate": 1e-30}).fit(X, y).model_
    assert supports_fused_engine(twin)
    twin.compile(keras.optimizers.SGD(0.02), "sparse_categorical_crossentropy")
    inputs = np.nan_to_num(X, nan=MASKED).astype("float32")
    loss = twin.train_on_batch(inputs, (y == "rises").astype(int))
    assert model.loss_curve_[0] == pytest.approx(float(loss), rel=1e-5)
    for found, expected in zip(model.model_.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_sequences_may_be_longer_than_in_fit(steps, fitted):
    long = np.column_stack([np.arange(40) / 20, np.zeros(40)])
    assert fitted.predict([long, -long, long[:5]]).tolist() == ["rises", "falls", "rises"]
    np.testing.assert_allclose(
        fitted.predict_proba([long]), fitted.model_(long[None].astype("float32")), atol=1e-5
    )


def test_model_is_plain_keras_and_saved_as_such(steps, fitted, tmp_path):
    fitted.model_.save(tmp_path / "model.keras")
    code = (
        "import sys, keras, numpy as np\n"
        f"model = keras.saving.load_model({str(tmp_path / 'model.keras')!r})\n"
        "print(model(np.array([[[0.1, 0], [0.3, 0]]], 'float32')).numpy().tolist())\n"
        "assert 'skrnn' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]
    expected = fitted.predict_proba([[[0.1, 0], [0.3, 0]]])
    np.testing.assert_allclose(eval(result.stdout), expected, atol=1e-5)


# Kinds of input


def test_kinds_of_input_are_one(steps, padded):
    X, y = steps
    expected = small().fit(*padded).predict_proba(X)
    frame = pd.DataFrame(
        {"first": [pd.Series(one[:, 0]) for one in X], "other": [one[:, 1] for one in X]}
    )
    objects = np.empty(len(X), object)
    objects[:] = X
    lists, series = [one.tolist() for one in X], pd.Series(X)
    for kind in (frame, tuple(X), objects, lists, padded[0], series):
        np.testing.assert_array_equal(small().fit(kind, y).predict_proba(kind), expected)


def test_lists_of_one_feature():
    up, down = [1.0, 2, 3, 4], [4.0, 3, 2]
    model = small(epochs=2).fit([up, down], [0, 1])
    table = np.array([[1, 2, 3, 4], [4, 3, 2, NAN]])
    np.testing.assert_array_equal(model.predict_proba([up, down]), model.predict_proba(table))
    assert model.input_shape_ == (4, 1)
    # Lists are of any lengths, also where all are of one that no list in fit was of.
    equal = small(epochs=2).fit(table[:, :3], [0, 1])
    alone = equal.predict_proba([[1.0, 2], [1.0, 2, 3]])[0]
    np.testing.assert_allclose(equal.predict_proba([[1.0, 2]])[0], alone, atol=1e-6)
    with pytest.raises(ValueError, match="X has 2 features, but RNNClassifier is expecting 3"):
        equal.predict(table[:, :2])


def test_features_of_panels_have_names(steps):
    X, y = steps
    frame = pd.DataFrame({"a": [one[:, 0] for one in X], "b": [one[:, 1] for one in X]})
    model = small(epochs=1).fit(frame, y)
    assert model.feature_names_in_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="Feature names must be in the same order"):
        model.predict(frame[["b", "a"]])
    model.predict(X)
    assert not hasattr(model.fit(X, y), "feature_names_in_")


def test_panels_of_sktime():
    from sktime.datasets import load_basic_motions, load_japanese_vowels

    for load, shape in ((load_basic_motions, (100, 6)), (load_japanese_vowels, (26, 12))):
        X, y = load(split="train", return_X_y=True)
        model = small(epochs=1).fit(X, y)
        assert model.input_shape_ == shape
        other = load(split="test", return_X_y=True)[0]
        assert model.predict(other).shape == (len(other),)


def test_windows_and_the_symbols_of_their_rows(wave):
    series = (wave - 50) / 10
    rises = np.where(np.diff(series.ravel(), prepend=0) > 0, "up", "down")
    model = make_pipeline(WindowTransformer(8), small(epochs=30)).fit(series[:90], rises[:90])
    assert model.score(series[90:], rises[90:]) > 0.85
    windows = WindowTransformer(8).fit_transform(series)
    labels = rises.astype(object)
    labels[:8] = None  # of incomplete windows nothing counts
    ours = small().fit(windows, labels)
    plain = small().fit(np.array(windows)[8:], rises[8:])
    np.testing.assert_array_equal(ours.predict_proba(windows), plain.predict_proba(windows))


def test_windows_with_masked_rows(wave):
    series = (wave - 50) / 10
    y = (np.diff(series.ravel(), prepend=0) > 0).astype(int)
    series[[20, 21, 50]] = NAN
    windows = WindowTransformer(8).fit_transform(series)
    ours, plain = small().fit(windows, y), small().fit(np.array(windows)[8:], y[8:])
    np.testing.assert_allclose(
        ours.predict_proba(windows), plain.predict_proba(np.array(windows)), atol=1e-5
    )


# Weights, held-out parts, going on


def test_weights_and_class_weights(padded):
    X, y = padded
    counts = {label: np.mean(y == label) for label in np.unique(y)}
    by_class = {label: 1 / share for label, share in counts.items()}
    weights = np.array([by_class[label] for label in y])
    weighted = small().fit(X, y, sample_weight=weights).predict_proba(X)
    for class_weight in ("balanced", by_class):
        found = small(class_weight=class_weight).fit(X, y).predict_proba(X)
        np.testing.assert_allclose(found, weighted, atol=1e-5)
    assert abs(weighted - small().fit(X, y).predict_proba(X)).max() > 1e-3
    with pytest.raises(ValueError, match=r"class_weight names \['goes'\]"):
        small(class_weight={"goes": 2}).fit(X, y)
    for wrong in ("many", None, -1, NAN):
        with pytest.raises(ValueError, match="must be finite numbers that are not negative"):
            small(class_weight={"falls": wrong}).fit(X, y)
    with pytest.raises(ValueError, match=r"at least one non-zero number|cannot all be zero"):
        small().fit(X, y, sample_weight=np.zeros(60))
    with pytest.raises(ValueError, match="cannot all be zero in the 60 samples that are trained"):
        small(class_weight={"rises": 0, "falls": 0}).fit(X, y)


def test_early_stopping_holds_out_some_of_each_class(padded):
    X, y = padded
    model = small(epochs=300, early_stopping=True, n_iter_no_change=3, validation_fraction=0.2)
    model.fit(X, y)
    assert 3 < model.n_iter_ < 300
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == model.n_iter_
    assert model.score(X, y) > 0.9
    rare = np.where(np.arange(60) < 30, "rare", y)
    assert small(early_stopping=True, class_weight="balanced").fit(X, rare).classes_.size == 3


def test_early_stopping_of_windows_is_in_time(wave):
    series = (wave - 50) / 10
    y = (np.diff(series.ravel(), prepend=0) > 0).astype(int)
    windows = WindowTransformer(8).fit_transform(series)
    model = small(early_stopping=True, epochs=8, n_iter_no_change=8).fit(windows, y)
    assert len(model.validation_scores_) == model.n_iter_
    # What is held out counts for nothing, and neither do the windows that share rows with it.
    changed = y.copy()
    changed[-11:] = 0
    other = small(early_stopping=True, epochs=8, n_iter_no_change=8).fit(windows, changed)
    assert other.loss_curve_[0] == model.loss_curve_[0]


def test_partial_fit_is_fit_epoch_by_epoch(padded):
    X, y = padded
    whole = small(epochs=3).fit(X, y)
    parts = small()
    for _ in range(3):
        parts.partial_fit(X, y)
    np.testing.assert_array_equal(parts.predict_proba(X), whole.predict_proba(X))
    assert parts.n_iter_ == 3


def test_partial_fit_names_classes_first(padded):
    X, y = padded
    only = y == "rises"
    model = small().partial_fit(X[only], y[only], classes=["falls", "rises", "stays"])
    model.partial_fit(X, y)
    assert model.classes_.tolist() == ["falls", "rises", "stays"]
    assert model.predict_proba(X).shape == (60, 3)
    with pytest.raises(
        ValueError, match=r"classes=\['falls', 'rises'\] are not those of the first"
    ):
        model.partial_fit(X, y, classes=["rises", "falls"])
    model.partial_fit(X, y, classes=["stays", "rises", "falls"])
    with pytest.raises(ValueError, match="but classes names one class, 'rises'"):
        small().partial_fit(X[only], y[only], classes=["rises"])
    with pytest.raises(ValueError, match=r"not in the first fit: \['jumps'\]"):
        model.partial_fit(X[:2], ["jumps", "rises"])
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        small(early_stopping=True).partial_fit(X, y)


def test_warm_start_goes_on(padded):
    X, y = padded
    model = small(epochs=2, warm_start=True).fit(X, y).fit(X, y)
    np.testing.assert_array_equal(
        model.predict_proba(X), small(epochs=4).fit(X, y).predict_proba(X)
    )
    with pytest.raises(ValueError, match=r"fitted with units=8 and cannot go on with units=9"):
        model.set_params(units=9).fit(X, y)


def test_pickle_and_clone(padded, fitted):
    X, y = padded
    loaded = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    again = clone(fitted).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))


def test_searches_are_stratified(padded):
    X, y = padded
    search = GridSearchCV(small(), {"cell": ["rnn", "gru"], "l2": [0.0, 0.1]}, cv=2)
    search.fit(X, y)
    assert search.best_score_ > 0.5
    assert isinstance(search.cv, int)
    folds = StratifiedKFold(3)
    assert accuracy_score(y, cross_val_predict(small(epochs=20), X, y, cv=folds)) > 0.8


# Networks of the user's own


def flat(input_shape, n_outputs):
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Flatten(),
            keras.layers.Dense(n_outputs, activation="softmax"),
        ]
    )


def test_network_of_ones_own(padded):
    X, y = padded
    X = X[:, :3]
    model = small(network=flat).fit(X, y)
    assert model.predict_proba(X).shape == (60, 2)
    with pytest.raises(ValueError, match="sequences of 5 time steps, but the network takes 3"):
        model.predict(np.zeros((2, 5, 2)))
    with pytest.raises(ValueError, match="sequences of 2 time steps, but the network takes 3"):
        model.predict(np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match=r"no layer that masks them. Begin it with keras.layers"):
        model.predict([X[0, :3], np.full((3, 2), [[0], [NAN], [0]])])
    with pytest.raises(ValueError, match="no layer that masks them"):
        small(network=flat).fit(*padded)


@pytest.mark.parametrize("output", ["last", "sequence"])
def test_networks_must_end_in_probabilities(output):
    X, y = running_sign()
    if output == "last":
        y = y[:, 0]

    def build(input_shape, n_outputs):
        gru = keras.layers.GRU(3, return_sequences=output == "sequence")
        return keras.Sequential([keras.Input(input_shape), gru, keras.layers.Dense(n_outputs)])

    message = r"no probabilities: of a sequence of zeros they are \[0\.0, 0\.0\]. End it with"
    with pytest.raises(ValueError, match=message):
        small(network=build, output=output).fit(X, y)


def test_network_of_ones_own_for_any_length(padded):
    def build(input_shape, n_outputs):
        return keras.Sequential(
            [
                keras.Input((None, input_shape[1])),
                keras.layers.GRU(4),
                keras.layers.Dense(n_outputs, activation="softmax"),
            ]
        )

    X, y = padded
    model = small(network=build, epochs=1).fit(X[:, :3], y)
    for length in (2, 7):
        sequences = np.random.default_rng(0).normal(size=(5, length, 2)).astype("float32")
        np.testing.assert_allclose(
            model.predict_proba(sequences), model.model_(sequences), atol=1e-6
        )


def test_half_precision(steps):
    X, y = steps
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = small(epochs=2).fit(X, y)
        alone = np.concatenate([model.predict_proba([one]) for one in X])
        np.testing.assert_allclose(model.predict_proba(X), alone, atol=2e-3)
    finally:
        keras.config.set_dtype_policy(before)
    keras.config.set_floatx("float16")
    try:
        with pytest.raises(ValueError, match="float16 cannot hold the number that stands for mas"):
            small(epochs=1).fit(X, y)
    finally:
        keras.config.set_floatx("float32")


def test_network_of_ones_own_that_masks(padded):
    X, y = padded

    def build(input_shape, n_outputs, output_activation):
        return keras.Sequential(
            [
                keras.Input(input_shape),
                keras.layers.Masking(MASKED),
                keras.layers.GRU(4),
                keras.layers.Dense(n_outputs, activation=output_activation),
            ]
        )

    model = small(network=build).fit(X, y)
    alone = model.predict_proba(X[:1, ~np.isnan(X[0]).any(axis=1)])
    np.testing.assert_allclose(model.predict_proba(X)[:1], alone, atol=1e-6)


def test_tables_of_polars_are_tables():
    import polars

    X = np.random.default_rng(0).normal(size=(20, 4))
    y = np.arange(20) % 2
    frame = polars.DataFrame(X, schema=list("abcd"))
    np.testing.assert_array_equal(
        small().fit(frame, y).predict_proba(frame), small().fit(X, y).predict_proba(X)
    )


# Errors


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[[1.0, 2], [NAN, 1]], [[NAN, 1], [2, NAN]]], "Row 1 of X has no time step without NaN"),
        ([np.zeros((3, 2)), np.zeros((4, 3))], r"same features, got shapes \[\(3, 2\), \(4, 3\)\]"),
        (np.full((2, 3, 2), np.inf), "infinity"),
        ([np.full((2, 2), 1e300), np.zeros((3, 2))], "infinity or a value too large for dtype"),
        (np.full((2, 3, 2), 1e300), "infinity or a value too large for dtype"),
        ([np.zeros((0, 2)), np.zeros((3, 2))], "Row 0 of X has no time step without NaN"),
        ([np.zeros((3, 2)), []], "Row 1 of X has no time step without NaN"),
        ([np.zeros((3, 2, 1)), np.zeros((2, 2, 1))], r"got shapes \[\(2, 2, 1\), \(3, 2, 1\)\]"),
        ([[[1.0, 2], [3]], [[1.0, 2]]], "Row 0 of X is no array of shape"),
        (pd.DataFrame({"a": [NAN, np.zeros(3)]}), "Row 0 of X holds nan in column 'a'"),
        (pd.DataFrame({"a": [np.zeros(3), None]}), "Row 1 of X holds None in column 'a'"),
        (np.zeros((2, 3, 2, 1)), "expects X of shape"),
        (np.zeros((2, 0, 2)), "needs time steps and features"),
    ],
)
def test_sequences_that_are_none(X, message):
    model = small()
    with pytest.raises(ValueError, match=message):
        model.fit(X, [0, 1])
    assert not hasattr(model, "input_shape_")


def test_errors_of_y(padded, fitted):
    X, y = padded
    with pytest.raises(ValueError, match=r"to tell apart, but y holds one class, 1\.0"):
        small().fit(X, np.ones(60))
    with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
        small().fit(X, None)
    with pytest.raises(ValueError, match="X has 60 rows and y has 59"):
        small().fit(X, y[:-1])
    with pytest.raises(ValueError, match="Unknown label type"):
        small().fit(X, np.linspace(0, 1, 60))
    with pytest.raises(ValueError, match="X has 3 features, but RNNClassifier was fitted on 2"):
        fitted.predict(np.zeros((1, 4, 3)))
    with pytest.raises(NotFittedError, match="not fitted yet"):
        small().predict(X)
    with pytest.raises(NotFittedError, match="no model_"):
        small().model_  # noqa: B018


def test_panel_cells_of_unequal_lengths():
    frame = pd.DataFrame({"a": [np.zeros(3), np.zeros(4)], "b": [np.zeros(3), np.zeros(3)]})
    with pytest.raises(ValueError, match=r"series in row 1 of X have lengths \[3, 4\]"):
        small().fit(frame, [0, 1])


def test_windows_that_cannot_be_learnt_from(wave):
    y = np.arange(120) % 2
    with pytest.raises(ValueError, match="window_length=119 and horizon=9 need at least 128 rows"):
        make_pipeline(WindowTransformer(119, 9), small()).fit(wave, y)
    symbols = np.array(list("ab" * 60))[:, None]
    with pytest.raises(ValueError, match="Use CharLSTMClassifier for symbols"):
        make_pipeline(WindowTransformer(3), small()).fit(symbols, y)
    wave[50:60] = NAN
    with pytest.raises(ValueError, match="Row 55 of X has no time step without NaN"):
        make_pipeline(WindowTransformer(5), small()).fit(wave, y)


# Each step


def running_sign(n_samples=40, n_timesteps=8, seed=0):
    """Steps of ±1, and at each whether their sum so far is positive: exactly solvable."""
    X = np.random.default_rng(seed).choice([-1.0, 1.0], (n_samples, n_timesteps))
    return X[:, :, None], np.where(np.cumsum(X, axis=1) > 0, "plus", "minus")


def test_a_label_at_each_step():
    X, y = running_sign(200)
    model = small(output="sequence", units=16, epochs=40, learning_rate=0.03).fit(X, y)
    other, labels = running_sign(seed=1)
    assert model.predict_proba(other).shape == (40, 8, 2)
    assert model.predict(other).shape == (40, 8)
    assert model.score(other, labels) > 0.95
    assert model.score(other, labels) == np.mean(model.predict(other) == labels)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_labels_of_masked_steps_count_for_nothing(bidirectional):
    X, y = running_sign()
    hole = np.random.default_rng(0).random((40, 8)) < 0.3
    hole[:, 3] = False
    X[hole] = NAN
    settings = {"output": "sequence", "bidirectional": bidirectional}
    model = small(**settings).fit(X, y)
    other = small(**settings).fit(X, np.where(hole, "junk", y))
    np.testing.assert_array_equal(model.predict_proba(X), other.predict_proba(X))
    assert other.classes_.tolist() == ["minus", "plus"]
    assert model.score(X, y) == model.score(X, np.where(hole, "junk", y))
    for junk in (None, NAN):
        numbers = np.where(hole, junk, np.where(y == "plus", 1, 0))
        third = small(**settings).fit(X, numbers)
        np.testing.assert_array_equal(third.predict_proba(X), model.predict_proba(X))
        assert third.classes_.tolist() == [0, 1]
        assert third.classes_.dtype.kind in "if"
    for row in range(40):
        alone = model.predict_proba(X[row : row + 1, ~hole[row]])[0]
        np.testing.assert_allclose(model.predict_proba(X)[row, ~hole[row]], alone, atol=1e-5)


def test_sequences_with_early_stopping_and_errors():
    X, y = running_sign()
    model = small(output="sequence", early_stopping=True).fit(X, y)
    assert len(model.validation_scores_) == model.n_iter_
    with pytest.raises(ValueError, match=r"a label for each of the 8 time steps of X, got y of"):
        small(output="sequence").fit(X, y[:, 1:])
    with pytest.raises(ValueError, match="y must have 2 dimensions"):
        small(output="sequence").fit(X, y[:, 0])
    for wrong in (y[:, 1:], y[:, 0], y[1:], None):
        with pytest.raises(ValueError, match=r"time steps of X|2 dimensions|40 rows|requires y"):
            model.score(X, wrong)
    gap = np.where(y == "plus", 1.0, NAN)
    with pytest.raises(ValueError, match=r"y holds nan at step \d of row 0, which is not masked"):
        small(output="sequence").fit(X, gap)


def by_keras(**settings):
    """An `RNNClassifier` of each step that trains through `Model.fit`."""
    each_batch = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    return small(output="sequence", callbacks=[each_batch], **settings)


@pytest.fixture(scope="module")
def holes():
    """Sequences with masked steps, some with more than others, and a class at each step."""
    X, y = running_sign()
    rng = np.random.default_rng(0)
    hole = rng.random((40, 8)) < rng.random((40, 1))
    hole[:, 3] = False
    X[hole] = NAN
    return X, y, hole


@pytest.mark.parametrize(
    ("weights", "settings"),
    [
        (None, {}),
        (None, {"class_weight": "balanced"}),
        (None, {"batch_size": 8}),
        ((40, 1), {}),
        ((40, 1), {"class_weight": "balanced", "batch_size": 8}),
        ((40, 8), {"batch_size": 8}),
        ((40, 8), {"class_weight": "balanced"}),
    ],
    ids=str,
)
def test_steps_train_as_in_keras(settings, weights, holes):
    X, y, _ = holes
    if weights is not None:
        weights = np.random.default_rng(0).random(weights).squeeze()
    settings = {"epochs": 2, **settings}
    ours = small(output="sequence", **settings).fit(X, y, sample_weight=weights)
    keras_fit = by_keras(**settings).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(ours.loss_curve_, keras_fit.loss_curve_, rtol=1e-5)
    np.testing.assert_allclose(ours.predict_proba(X), keras_fit.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("make", [partial(small, output="sequence"), by_keras])
def test_the_loss_is_the_mean_over_steps_that_are_not_masked(make, holes):
    X, y, hole = holes
    settings = {"epochs": 1, "batch_size": 40, "optimizer": "sgd", "learning_rate": 1e-30}
    weights = np.random.default_rng(0).random((40, 8))
    by_class = {"minus": 1.0, "plus": 4.0}
    plain = make(**settings).fit(X, y)
    probabilities = plain.predict_proba(X)
    of_label = np.where(y == "plus", probabilities[..., 1], probabilities[..., 0])
    losses = -np.log(of_label[~hole])
    assert plain.loss_curve_[0] == pytest.approx(losses.mean(), rel=1e-5)
    both = weights[~hole] * np.where(y == "plus", 4, 1)[~hole]
    model = make(**settings, class_weight=by_class).fit(X, y, sample_weight=weights)
    assert model.loss_curve_[0] == pytest.approx(np.average(losses, weights=both), rel=1e-5)


def test_weights_of_steps(holes):
    X, y, hole = holes
    rows = np.arange(1.0, 41)
    steps = np.repeat(rows[:, None], 8, axis=1)
    model = small(output="sequence", early_stopping=True).fit(X, y, sample_weight=rows)
    other = small(output="sequence", early_stopping=True).fit(X, y, sample_weight=steps)
    np.testing.assert_allclose(other.predict_proba(X), model.predict_proba(X), atol=1e-6)
    assert other.validation_scores_ == pytest.approx(model.validation_scores_)
    assert model.score(X, y, steps) == pytest.approx(model.score(X, y, rows))
    # What weighs nothing is not learnt from, and what is masked weighs nothing.
    last = np.arange(8) > 4
    weights = np.where(last, 0.0, 1.0) * np.ones((40, 1))
    junk = np.where(last, "plus", y)
    found = [
        small(output="sequence").fit(X, labels, sample_weight=weights).predict_proba(X)
        for labels in (y, junk)
    ]
    np.testing.assert_allclose(*found, atol=1e-7)
    huge = np.where(hole, 1e6, 1.0)
    np.testing.assert_allclose(
        small(output="sequence").fit(X, y, sample_weight=huge).predict_proba(X),
        small(output="sequence").fit(X, y).predict_proba(X),
        atol=1e-6,
    )
    right = model.predict(X) == y
    assert model.score(X, y, huge) == pytest.approx(right[~hole].mean())


@pytest.mark.parametrize(
    ("weights", "match"),
    [
        (np.ones((40, 7)), r"shape \(40,\), or of each step \(40, 8\), got \(40, 7\)"),
        (-np.ones((40, 8)), "Negative values in data passed to `sample_weight`"),
        (np.ones(39), r"expected \(40,\)"),
    ],
)
def test_weights_of_steps_that_are_none(weights, match, holes):
    X, y, _ = holes
    with pytest.raises(ValueError, match=match):
        small(output="sequence").fit(X, y, sample_weight=weights)
    with pytest.raises(ValueError, match=match):
        small(output="sequence", epochs=1).fit(X, y).score(X, y, sample_weight=weights)


def test_lists_of_sequences_and_of_their_labels(steps):
    X, _ = steps
    y = [np.where(one[:, 1] > 0, "up", "down") for one in X]
    padded = np.full((60, 9), "down")
    for row, labels in enumerate(y):
        padded[row, : len(labels)] = labels
    model = small(output="sequence").fit(X, y)
    expected = small(output="sequence").fit(X, padded)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert model.score(X, [labels.tolist() for labels in y]) == expected.score(X, padded)
    n_steps = len(X[1])
    message = f"Row 1 of y has {n_steps - 1} labels, but its sequence in X has {n_steps} time"
    with pytest.raises(ValueError, match=message):
        small(output="sequence").fit(X, [y[0], y[1][1:], *y[2:]])


def test_networks_that_mask_other_steps_train_as_keras_does():
    """Whose masks Keras reads from the outputs, but nobody else."""

    def build(input_shape, n_outputs):
        return keras.Sequential(
            [
                keras.Input(input_shape),
                keras.layers.Masking(1.0),
                keras.layers.GRU(4, return_sequences=True),
                keras.layers.Dense(n_outputs, activation="softmax"),
            ]
        )

    X, y = running_sign()
    settings = {"network": build, "epochs": 2}
    model = small(output="sequence", **settings).fit(X, y)
    np.testing.assert_allclose(model.loss_curve_, by_keras(**settings).fit(X, y).loss_curve_)


# Remedies


@pytest.mark.parametrize(
    "options",
    [
        {"l1": 0.01},
        {"l2": 0.1},
        {"recurrent_l2": 0.1},
        {"recurrent_dropout": 0.3},
        {"recurrent_initializer": "identity"},
        {"clipvalue": 1e-4},
        {"clipnorm": 1e-4},
        {"dropout": 0.3},
    ],
    ids=lambda options: next(iter(options)),
)
def test_remedies_train_and_repeat(options, padded):
    X, y = padded
    plain = small(epochs=2).fit(X, y).predict_proba(X)
    models = [small(epochs=2, **options).fit(X, y) for _ in range(2)]
    first, second = (model.predict_proba(X) for model in models)
    np.testing.assert_array_equal(first, second)
    assert abs(first - plain).max() > 1e-7


# sktime's door


def test_importing_stays_light():
    code = (
        "import sys, skrnn\n"
        "skrnn.RNNClassifier\n"
        "assert not {'tensorflow', 'keras', 'sktime'} & set(sys.modules), sys.modules.keys()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of sktime's own making
def test_sktime_check():
    from sktime.utils.estimator_checks import check_estimator

    from skrnn import RNNTimeSeriesClassifier

    results = check_estimator(RNNTimeSeriesClassifier, raise_exceptions=True, verbose=False)
    assert set(results.values()) == {"PASSED"}


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_sktime_panels_have_variables_before_time(steps, padded):
    from sktime.datatypes import convert

    from skrnn import RNNTimeSeriesClassifier

    X, y = steps
    expected = small().fit(X, y).predict_proba(X)
    frame = pd.DataFrame(
        {"first": [pd.Series(one[:, 0]) for one in X], "other": [pd.Series(one[:, 1]) for one in X]}
    )
    model = RNNTimeSeriesClassifier(small()).fit(frame, y)
    np.testing.assert_allclose(model.predict_proba(frame), expected, atol=1e-6)
    full = np.stack([one[:3] for one in X])
    numpy3D = full.transpose(0, 2, 1)
    model = RNNTimeSeriesClassifier(small()).fit(numpy3D, y)
    np.testing.assert_allclose(
        model.predict_proba(numpy3D), small().fit(full, y).predict_proba(full), atol=1e-6
    )
    nested = convert(numpy3D, "numpy3D", "nested_univ", "Panel")
    np.testing.assert_array_equal(model.predict(nested), model.predict(numpy3D))
    assert model.classifier_.input_shape_ == (3, 2)


@pytest.mark.parametrize("value", [np.inf, 1e300])
def test_windows_with_values_that_are_too_large(value, wave):
    wave[50] = value
    with pytest.raises(ValueError, match="infinity or a value too large for dtype"):
        make_pipeline(WindowTransformer(5), small()).fit(wave, np.arange(120) % 2)
