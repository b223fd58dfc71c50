"""RNNClassifier. What it shares with the other estimators is tested in test_estimator.py."""

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from skrnn import RNNClassifier, WindowTransformer
from skrnn.networks import MASKED

# Keras converts its variables to arrays in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SMALL = {"cell": "rnn", "units": 4, "learning_rate": 0.05, "batch_size": 16, "epochs": 5}
BATCH_HOOK = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
NAN = np.nan


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


def small(**parameters):
    return RNNClassifier(**SMALL | {"random_state": 0} | parameters)


@pytest.fixture(scope="module")
def sequences():
    """Return sequences of 3 to 9 time steps of two features, and whether the first one rises."""
    rng = np.random.default_rng(0)
    X, y = [], []
    for row in range(60):
        slope = 1 if row % 3 else -1
        times = np.arange(rng.integers(3, 10))
        X.append(np.column_stack([slope * times / 5, rng.normal(size=len(times))]))
        y.append("rises" if slope > 0 else "falls")
    return X, np.array(y)


@pytest.fixture(scope="module")
def padded(sequences):
    """Return the same sequences in one array, padded with NaN."""
    X, y = sequences
    array = np.full((len(X), 9, 2), NAN)
    for row, sequence in enumerate(X):
        array[row, : len(sequence)] = sequence
    return array, y


@pytest.fixture(scope="module")
def fitted(sequences):
    return small(epochs=30).fit(*sequences)


def scatter(X, length, rng):
    """Spread the time steps of sequences over a larger number, with NaN at the others."""
    array = np.full((len(X), length, X[0].shape[1]), NAN)
    for row, sequence in enumerate(X):
        array[row, np.sort(rng.choice(length, len(sequence), replace=False))] = sequence
    return array


# Learning


def test_learns_and_returns_the_labels(sequences, fitted):
    X, y = sequences
    assert fitted.score(X, y) > 0.95 > np.mean(y == "rises")
    assert fitted.classes_.tolist() == ["falls", "rises"]
    probabilities = fitted.predict_proba(X)
    assert probabilities.shape == (60, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(fitted.predict_log_proba(X), np.log(probabilities))
    np.testing.assert_array_equal(fitted.predict(X), fitted.classes_[probabilities.argmax(axis=1)])
    assert (fitted.n_outputs_, fitted.input_shape_, fitted.n_features_in_) == (2, (9, 2), 2)


@pytest.mark.parametrize("labels", [[3, 7], [False, True], [-1.0, 2.0], ["b", "a"]])
def test_labels_of_any_type(labels, sequences):
    X, y = sequences
    y = np.where(y == "rises", *labels)
    model = small(epochs=30).fit(X, y)
    assert model.classes_.tolist() == sorted(labels)
    assert model.predict(X).dtype == y.dtype
    assert model.score(X, y) > 0.9


def make_levels(n_samples=60):
    """Return sequences of 6 time steps of one feature, and three classes, by their mean."""
    rng = np.random.default_rng(1)
    y = np.arange(n_samples) % 3
    return np.array([0.0, 1.0, -1.0])[y][:, None] + rng.normal(size=(n_samples, 6)) / 5, y


def test_three_classes_of_one_feature():
    X, y = make_levels()
    model = small(epochs=20).fit(X, y)
    assert model.score(X, y) > 0.9
    assert (model.input_shape_, model.n_features_in_) == ((6, 1), 6)
    deep = small(epochs=20).fit(X[:, :, None], y)
    np.testing.assert_array_equal(model.predict_proba(X), deep.predict_proba(X))
    np.testing.assert_array_equal(deep.predict_proba(X[:, :, None]), deep.predict_proba(X))


# Masked time steps


# A bidirectional stack has layers that return sequences, states, and either of them reversed.
@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("rnn", {}),
        slow("gru", {"bidirectional": True}),
        slow("lstm", {"units": (5, 4), "bidirectional": True}),
        slow("clockwork", {"units": (5, 4), "bidirectional": True}),
    ],
)
def test_masked_time_steps_are_skipped(cell, options, sequences):
    model = small(cell=cell, **options, epochs=2).fit(*sequences)
    X = [sequence for sequence in sequences[0] if len(sequence) in (3, 9)]
    rng = np.random.default_rng(0)
    alone = np.concatenate([model.predict_proba([sequence]) for sequence in X])
    np.testing.assert_allclose(model.predict_proba(scatter(X, 14, rng)), alone, atol=1e-5)
    # The layers of Keras, on the sequences without and with masked time steps.
    by_keras = np.concatenate([model.model_(x[None].astype("float32")) for x in X])
    np.testing.assert_allclose(by_keras, alone, atol=1e-5)
    scattered = np.nan_to_num(scatter(X, 12, rng), nan=MASKED).astype("float32")
    np.testing.assert_allclose(model.model_(scattered), alone, atol=1e-5)


def test_masked_time_steps_have_no_effect_on_training(sequences, padded):
    X, y = sequences
    expected = small().fit(*padded).predict_proba(X)
    for length in (9, 13):
        scattered = scatter(X, length, np.random.default_rng(0))
        np.testing.assert_array_equal(small().fit(scattered, y).predict_proba(X), expected)
    np.testing.assert_array_equal(small().fit(X, y).predict_proba(X), expected)


def test_one_nan_masks_the_whole_time_step(padded, fitted):
    X, _ = padded
    one_feature, both_features = X.copy(), X.copy()
    one_feature[:, 2, 1] = NAN
    both_features[:, 2] = NAN
    np.testing.assert_array_equal(
        fitted.predict_proba(one_feature), fitted.predict_proba(both_features)
    )


def test_a_training_step_equals_that_of_keras(padded):
    X, y = padded
    settings = {"epochs": 1, "batch_size": 64, "optimizer": "sgd"}
    trained = small(**settings).fit(X, y)
    model = small(**settings, learning_rate=1e-30).fit(X, y).model_
    model.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy")
    inputs = np.nan_to_num(X, nan=MASKED).astype("float32")
    loss = model.train_on_batch(inputs, (y == "rises").astype(int))
    assert trained.loss_curve_[0] == pytest.approx(float(loss), rel=1e-5)
    pairs = zip(trained.model_.get_weights(), model.get_weights(), strict=True)
    for weights, expected in pairs:
        np.testing.assert_allclose(weights, expected, atol=1e-6)


def test_sequences_may_be_longer_than_in_fit(fitted):
    long = np.column_stack([np.arange(40) / 20, np.zeros(40)])
    assert fitted.predict([long, -long, long[:5]]).tolist() == ["rises", "falls", "rises"]
    np.testing.assert_allclose(
        fitted.predict_proba([long]), fitted.model_(long[None].astype("float32")), atol=1e-5
    )


# Kinds of input


def test_all_kinds_of_input_give_the_same_result(sequences, padded):
    X, y = sequences
    expected = small().fit(*padded).predict_proba(X)
    frame = pd.DataFrame({"first": [pd.Series(x[:, 0]) for x in X], "second": [x[:, 1] for x in X]})
    objects = np.empty(len(X), object)
    objects[:] = X
    lists, series = [sequence.tolist() for sequence in X], pd.Series(X)
    for data in (frame, tuple(X), objects, lists, padded[0], series):
        np.testing.assert_array_equal(small().fit(data, y).predict_proba(data), expected)


def test_lists_of_sequences_of_one_feature():
    table, y = make_levels()
    lists = [row.tolist()[: 6 - i % 2] for i, row in enumerate(table)]
    table[1::2, 5] = NAN
    model = small().fit(lists, y)
    np.testing.assert_array_equal(model.predict_proba(lists), model.predict_proba(table))
    assert model.input_shape_ == (6, 1)


def test_lists_may_have_another_length_than_the_fitted_table():
    X, y = make_levels()
    model = small().fit(X, y)
    alone = model.predict_proba([[1.0, 2], [1.0, 2, 3]])[0]
    np.testing.assert_allclose(model.predict_proba([[1.0, 2]])[0], alone, atol=1e-6)
    with pytest.raises(ValueError, match="X has 2 features, but RNNClassifier is expecting 6"):
        model.predict(X[:, :2])


def test_feature_names_of_frames_of_series(sequences):
    X, y = sequences
    frame = pd.DataFrame({"a": [x[:, 0] for x in X], "b": [x[:, 1] for x in X]})
    model = small().fit(frame, y)
    assert model.feature_names_in_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="Feature names must be in the same order"):
        model.predict(frame[["b", "a"]])
    model.predict(X)
    assert not hasattr(model.fit(X, y), "feature_names_in_")


def test_tables_of_polars():
    import polars

    X, y = make_levels()
    frame = polars.DataFrame(X, schema=list("abcdef"))
    np.testing.assert_array_equal(
        small().fit(frame, y).predict_proba(frame), small().fit(X, y).predict_proba(X)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "shape"), [("load_basic_motions", (100, 6)), ("load_japanese_vowels", (26, 12))]
)
def test_panels_of_sktime(name, shape):
    import sktime.datasets

    load = getattr(sktime.datasets, name)
    model = small(epochs=1).fit(*load(split="train", return_X_y=True))
    assert model.input_shape_ == shape
    X, _ = load(split="test", return_X_y=True)
    assert model.predict(X).shape == (len(X),)


def make_moves(wave):
    """Return a series, and whether each row is below, near or above the one before."""
    series = (wave - 50) / 10
    return series, np.digitize(np.diff(series.ravel(), prepend=0), [-0.1, 0.1])


def test_windows_are_classified_in_a_pipeline(wave):
    series, moves = make_moves(wave)
    y = np.array(["down", "flat", "up"])[moves]
    model = make_pipeline(WindowTransformer(6), small(epochs=60)).fit(series[:90], y[:90])
    assert model.score(series[90:], y[90:]) > 0.85


def test_labels_of_incomplete_windows_have_no_effect(wave):
    series, moves = make_moves(wave)
    windows = WindowTransformer(6).fit_transform(series)
    labels = np.array(["down", "flat", "up"], object)[moves]
    labels[:6] = None
    model = small().fit(windows, labels)
    plain = small().fit(np.array(windows)[6:], moves[6:])
    np.testing.assert_array_equal(model.predict_proba(windows), plain.predict_proba(windows))


def test_windows_with_masked_rows(wave):
    series, y = make_moves(wave)
    series[[20, 21, 50]] = NAN
    windows = WindowTransformer(6).fit_transform(series)
    model, plain = small().fit(windows, y), small().fit(np.array(windows)[6:], y[6:])
    np.testing.assert_allclose(
        model.predict_proba(windows), plain.predict_proba(np.array(windows)), atol=1e-5
    )


# Class weights, early stopping and partial_fit


def test_class_weights_equal_sample_weights(padded):
    X, y = padded
    class_weight = {label: 1 / np.mean(y == label) for label in np.unique(y)}
    weights = np.array([class_weight[label] for label in y])
    expected = small().fit(X, y, sample_weight=weights).predict_proba(X)
    for value in ("balanced", class_weight):
        probabilities = small(class_weight=value).fit(X, y).predict_proba(X)
        np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    assert abs(expected - small().fit(X, y).predict_proba(X)).max() > 1e-3


@pytest.mark.parametrize(
    ("class_weight", "match"),
    [
        ({"goes": 2}, r"class_weight contains \['goes'\], which are not among the classes"),
        ({"falls": "many"}, "must be finite, non-negative numbers"),
        ({"falls": None}, "must be finite, non-negative numbers"),
        ({"falls": -1}, "must be finite, non-negative numbers"),
        ({"falls": NAN}, "must be finite, non-negative numbers"),
        ({"rises": 0, "falls": 0}, "cannot all be zero in the 60 samples that are used to train"),
    ],
)
def test_invalid_class_weights_raise(class_weight, match, padded):
    with pytest.raises(ValueError, match=match):
        small(class_weight=class_weight).fit(*padded)


def test_the_holdout_is_stratified(padded):
    def build_constant(input_shape, n_outputs):
        """Return a network that predicts the first class."""
        dense = keras.layers.Dense(n_outputs, activation="softmax", kernel_initializer="zeros")
        return keras.Sequential([keras.Input(input_shape), keras.layers.Flatten(), dense])

    X, _ = make_levels()
    y = np.where(np.arange(60) < 6, "b", "a")
    settings = {"early_stopping": True, "validation_fraction": 0.5, "learning_rate": 1e-30}
    for random_state in range(3):
        model = small(network=build_constant, random_state=random_state, epochs=1, **settings)
        assert model.fit(X, y).validation_scores_ == [27 / 30]
    model = small(epochs=300, early_stopping=True, n_iter_no_change=3, validation_fraction=0.2)
    assert model.fit(*padded).score(*padded) > 0.9


def test_the_holdout_of_windows_is_the_last_part(wave):
    series, y = make_moves(wave)
    windows = WindowTransformer(6).fit_transform(series)
    model = small(early_stopping=True).fit(windows, y)
    # Labels of the holdout, and of windows that share rows with it, have no effect on training.
    changed = y.copy()
    changed[-11 - 6 :] = (changed[-11 - 6 :] + 1) % 3
    other = small(early_stopping=True).fit(windows, changed)
    assert other.loss_curve_ == model.loss_curve_
    assert other.validation_loss_curve_ != model.validation_loss_curve_
    changed[-11 - 7] = (changed[-11 - 7] + 1) % 3
    assert small(early_stopping=True).fit(windows, changed).loss_curve_ != model.loss_curve_


def test_partial_fit_takes_all_classes_in_the_first_call():
    X, y = make_levels()
    y = np.array(["middle", "high", "low"])[y]
    is_first = y != "low"
    model = small().partial_fit(X[is_first], y[is_first], classes=["low", "middle", "high"])
    model.partial_fit(X, y)
    assert model.classes_.tolist() == ["high", "low", "middle"]
    assert model.predict_proba(X).shape == (60, 3)
    model.partial_fit(X, y, classes=["middle", "high", "low"])
    match = r"classes=\['high', 'low'\] are not those of the first fit"
    with pytest.raises(ValueError, match=match):
        model.partial_fit(X, y, classes=["low", "high"])
    with pytest.raises(ValueError, match=r"not in the first fit: \['top'\]"):
        model.partial_fit(X[:2], ["top", "low"])
    with pytest.raises(ValueError, match="but classes contains one class, 'high'"):
        small().partial_fit(X[y == "high"], y[y == "high"], classes=["high"])


def test_searches_are_stratified(padded):
    X, y = padded
    order = np.argsort(y)  # folds without stratification would contain one class
    search = GridSearchCV(small(), {"epochs": [1, 20]}, cv=2).fit(X[order], y[order])
    assert search.best_score_ > 0.8
    y_pred = cross_val_predict(small(epochs=20), X[order], y[order], cv=StratifiedKFold(3))
    assert accuracy_score(y[order], y_pred) > 0.8


# Custom networks


def build_dense(input_shape, n_outputs):
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Flatten(),
            keras.layers.Dense(n_outputs, activation="softmax"),
        ]
    )


def test_networks_without_masking(padded):
    X, y = padded
    X = X[:, :3]
    model = small(network=build_dense).fit(X, y)
    assert model.predict_proba(X).shape == (60, 2)
    with pytest.raises(ValueError, match="sequences of 5 time steps, but the network takes 3"):
        model.predict(np.zeros((2, 5, 2)))
    with pytest.raises(ValueError, match="sequences of 2 time steps, but the network takes 3"):
        model.predict(np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match=r"no layer that masks them. Begin it with keras.layers"):
        model.predict([X[0, :3], np.full((3, 2), [[0], [NAN], [0]])])
    with pytest.raises(ValueError, match="no layer that masks them"):
        small(network=build_dense).fit(*padded)


@pytest.mark.parametrize("output", ["last", "sequence"])
def test_networks_must_output_probabilities(output):
    X, y = make_running_signs()
    y = y[:, 0] if output == "last" else y

    def build(input_shape, n_outputs):
        gru = keras.layers.GRU(3, return_sequences=output == "sequence")
        return keras.Sequential([keras.Input(input_shape), gru, keras.layers.Dense(n_outputs)])

    match = r"not probabilities: for a sequence of zeros they are \[0\.0, 0\.0\]\. Add an output"
    with pytest.raises(ValueError, match=match):
        small(network=build, output=output).fit(X, y)


@pytest.mark.slow
def test_networks_for_any_number_of_time_steps(padded):
    def build(input_shape, n_outputs):
        layers = [keras.Input((None, input_shape[1])), keras.layers.GRU(4)]
        return keras.Sequential([*layers, keras.layers.Dense(n_outputs, activation="softmax")])

    X, y = padded
    model = small(network=build, epochs=1).fit(X[:, :3], y)
    for length in (2, 7):
        sequences = np.random.default_rng(0).normal(size=(5, length, 2)).astype("float32")
        np.testing.assert_allclose(
            model.predict_proba(sequences), model.model_(sequences), atol=1e-6
        )


@pytest.mark.slow
def test_networks_with_a_masking_layer(padded):
    def build(input_shape, n_outputs, output_activation):
        layers = [keras.Input(input_shape), keras.layers.Masking(MASKED), keras.layers.GRU(4)]
        return keras.Sequential(
            [*layers, keras.layers.Dense(n_outputs, activation=output_activation)]
        )

    X, y = padded
    model = small(network=build).fit(X, y)
    alone = model.predict_proba(X[:1, ~np.isnan(X[0]).any(axis=1)])
    np.testing.assert_allclose(model.predict_proba(X)[:1], alone, atol=1e-6)


@pytest.mark.slow
def test_half_precision(sequences):
    X, y = sequences
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = small(epochs=2).fit(X, y)
        alone = np.concatenate([model.predict_proba([sequence]) for sequence in X])
        np.testing.assert_allclose(model.predict_proba(X), alone, atol=2e-3)
    finally:
        keras.config.set_dtype_policy(before)


def test_masked_time_steps_raise_in_float16(sequences):
    keras.config.set_floatx("float16")
    try:
        with pytest.raises(ValueError, match="float16 cannot represent the value of masked time"):
            small(epochs=1).fit(*sequences)
    finally:
        keras.config.set_floatx("float32")


# Errors


@pytest.mark.parametrize(
    ("X", "match"),
    [
        ([[[1.0, 2], [NAN, 1]], [[NAN, 1], [2, NAN]]], "Row 1 of X has no time step without NaN"),
        ([np.zeros((3, 2)), np.zeros((4, 3))], r"same features, got shapes \[\(3, 2\), \(4, 3\)\]"),
        (np.full((2, 3, 2), np.inf), "infinity"),
        ([np.full((2, 2), 1e300), np.zeros((3, 2))], "infinity or a value too large for dtype"),
        (np.full((2, 3, 2), 1e300), "infinity or a value too large for dtype"),
        ([np.zeros((0, 2)), np.zeros((3, 2))], "Row 0 of X has no time step without NaN"),
        ([np.zeros((3, 2)), []], "Row 1 of X has no time step without NaN"),
        ([np.zeros((3, 2, 1)), np.zeros((2, 2, 1))], r"got shapes \[\(2, 2, 1\), \(3, 2, 1\)\]"),
        ([[[1.0, 2], [3]], [[1.0, 2]]], "Row 0 of X is not an array of shape"),
        (pd.DataFrame({"a": [NAN, np.zeros(3)]}), "Row 0 of X contains nan in column 'a'"),
        (pd.DataFrame({"a": [np.zeros(3), None]}), "Row 1 of X contains None in column 'a'"),
        (
            pd.DataFrame({"a": [np.zeros(3), np.zeros(4)], "b": [np.zeros(3), np.zeros(3)]}),
            r"series in row 1 of X have lengths \[3, 4\]",
        ),
        (np.zeros((2, 3, 2, 1)), "expects X of shape"),
        (np.zeros((2, 0, 2)), "needs time steps and features"),
    ],
)
def test_invalid_sequences_raise_and_leave_the_estimator_unfitted(X, match):
    model = small()
    before = vars(model).copy()
    with pytest.raises(ValueError, match=match):
        model.fit(X, [0, 1])
    assert vars(model) == before


@pytest.mark.parametrize(
    ("y", "match"),
    [
        (np.ones(60), r"needs at least 2 classes, but y contains one class, 1\.0"),
        (None, "requires y to be passed, but the target y is None"),
        (np.ones(59), "X has 60 rows and y has 59"),
        (np.linspace(0, 1, 60), "Unknown label type"),
    ],
    ids=["one class", "None", "length", "continuous"],
)
def test_invalid_labels_raise(y, match, padded):
    with pytest.raises(ValueError, match=match):
        small().fit(padded[0], y)


def test_predict_requires_the_fitted_number_of_features(fitted):
    with pytest.raises(ValueError, match="X has 3 features, but RNNClassifier was fitted on 2"):
        fitted.predict(np.zeros((1, 4, 3)))


def test_invalid_windows_raise(wave):
    y = np.arange(120) % 2
    with pytest.raises(ValueError, match="window_length=119 and horizon=9 need at least 128 rows"):
        make_pipeline(WindowTransformer(119, 9), small()).fit(wave, y)
    symbols = np.array(list("ab" * 60))[:, None]
    with pytest.raises(ValueError, match="Use CharLSTMClassifier for strings"):
        make_pipeline(WindowTransformer(3), small()).fit(symbols, y)
    wave[50:60] = NAN
    with pytest.raises(ValueError, match="Row 55 of X has no time step without NaN"):
        make_pipeline(WindowTransformer(5), small()).fit(wave, y)


@pytest.mark.parametrize("value", [np.inf, 1e300])
def test_windows_with_values_that_are_too_large_raise(value, wave):
    wave[50] = value
    with pytest.raises(ValueError, match="infinity or a value too large for dtype"):
        make_pipeline(WindowTransformer(5), small()).fit(wave, np.arange(120) % 2)


# A label at each time step


def make_running_signs(n_samples=40, seed=0):
    """Return sequences of -1 and 1, and whether their cumulative sums are positive."""
    X = np.random.default_rng(seed).choice([-1.0, 1.0], (n_samples, 8))
    return X[:, :, None], np.where(np.cumsum(X, axis=1) > 0, "plus", "minus")


@pytest.fixture(scope="module")
def masked_signs():
    """Return sequences with masked time steps, the labels of all time steps, and the mask."""
    X, y = make_running_signs()
    rng = np.random.default_rng(0)
    mask = rng.random((40, 8)) < rng.random((40, 1))
    mask[:, 3] = False
    X[mask] = NAN
    return X, y, mask


def labeler(**parameters):
    return small(output="sequence", **parameters)


def labeler_of_keras(**parameters):
    """Return an estimator that trains with `keras.Model.fit`."""
    return labeler(callbacks=[BATCH_HOOK], **parameters)


def test_learns_a_label_at_each_time_step():
    model = labeler(epochs=60).fit(*make_running_signs(200))
    X, y = make_running_signs(seed=1)
    assert model.predict_proba(X).shape == (40, 8, 2)
    assert model.predict(X).shape == (40, 8)
    assert model.score(X, y) > 0.95
    assert model.score(X, y) == np.mean(model.predict(X) == y)


@pytest.mark.parametrize("bidirectional", [False, slow(True)])
def test_labels_of_masked_time_steps_have_no_effect(bidirectional, masked_signs):
    X, y, mask = masked_signs
    settings = {"bidirectional": bidirectional}
    model = labeler(**settings).fit(X, y)
    expected = model.predict_proba(X)
    changed = np.where(mask, "junk", y)
    other = labeler(**settings).fit(X, changed)
    np.testing.assert_array_equal(other.predict_proba(X), expected)
    assert other.classes_.tolist() == ["minus", "plus"]
    assert model.score(X, y) == model.score(X, changed)
    for junk in (None, NAN):
        numbers = np.where(mask, junk, np.where(y == "plus", 1, 0))
        other = labeler(**settings).fit(X, numbers)
        np.testing.assert_array_equal(other.predict_proba(X), expected)
        assert other.classes_.tolist() == [0, 1]
        assert other.classes_.dtype.kind in "if"
    for row in range(40):
        alone = model.predict_proba(X[row : row + 1, ~mask[row]])[0]
        np.testing.assert_allclose(expected[row, ~mask[row]], alone, atol=1e-5)


def test_invalid_labels_of_time_steps_raise():
    X, y = make_running_signs()
    model = labeler(early_stopping=True).fit(X, y)
    assert len(model.validation_scores_) == model.n_iter_
    with pytest.raises(ValueError, match=r"a label for each of the 8 time steps of X, got y of"):
        labeler().fit(X, y[:, 1:])
    with pytest.raises(ValueError, match="y must have 2 dimensions"):
        labeler().fit(X, y[:, 0])
    for wrong in (y[:, 1:], y[:, 0], y[1:], None):
        with pytest.raises(ValueError, match=r"time steps of X|2 dimensions|40 rows|requires y"):
            model.score(X, wrong)
    gap = np.where(y == "plus", 1.0, NAN)
    with pytest.raises(ValueError, match=r"y contains nan at time step \d of row 0, which is not"):
        labeler().fit(X, gap)


@pytest.mark.parametrize(
    ("weights", "settings"),
    [
        ((40, 8), {"class_weight": "balanced"}),
        slow(None, {}),
        slow((40, 1), {"class_weight": "balanced", "batch_size": 8}),
        slow((40, 8), {"batch_size": 8}),
    ],
    ids=str,
)
def test_training_on_time_steps_equals_that_of_keras(settings, weights, masked_signs):
    X, y, _ = masked_signs
    if weights is not None:
        weights = np.random.default_rng(0).random(weights).squeeze()
    settings = settings | {"optimizer": "sgd", "learning_rate": 0.1, "epochs": 2}
    model = labeler(**settings).fit(X, y, sample_weight=weights)
    expected = labeler_of_keras(**settings).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-5)
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-6)


@pytest.mark.slow
def test_the_loss_is_the_mean_over_the_time_steps_that_are_not_masked(masked_signs):
    X, y, mask = masked_signs
    settings = {"epochs": 1, "batch_size": 40, "optimizer": "sgd", "learning_rate": 1e-30}
    model = labeler(**settings).fit(X, y)
    probabilities = model.predict_proba(X)
    of_label = np.where(y == "plus", probabilities[..., 1], probabilities[..., 0])
    losses = -np.log(of_label[~mask])
    assert model.loss_curve_[0] == pytest.approx(losses.mean(), rel=1e-5)
    weights = np.random.default_rng(0).random((40, 8))
    weighted = labeler(**settings, class_weight={"minus": 1.0, "plus": 4.0})
    weighted.fit(X, y, sample_weight=weights)
    products = weights[~mask] * np.where(y == "plus", 4, 1)[~mask]
    expected = np.average(losses, weights=products)
    assert weighted.loss_curve_[0] == pytest.approx(expected, rel=1e-5)


def test_weights_of_time_steps(masked_signs):
    X, y, mask = masked_signs
    rows = np.arange(1.0, 41)
    time_steps = np.repeat(rows[:, None], 8, axis=1)
    model = labeler(early_stopping=True).fit(X, y, sample_weight=rows)
    other = labeler(early_stopping=True).fit(X, y, sample_weight=time_steps)
    np.testing.assert_allclose(other.predict_proba(X), model.predict_proba(X), atol=1e-6)
    assert other.validation_scores_ == pytest.approx(model.validation_scores_)
    assert model.score(X, y, time_steps) == pytest.approx(model.score(X, y, rows))
    # Time steps of weight zero are not trained on, and neither are masked ones of any weight.
    weights = np.where(np.arange(8) > 4, 0.0, 1.0) * np.ones((40, 1))
    junk = np.where(weights == 0, "plus", y)
    weighted = labeler().fit(X, y, sample_weight=weights).predict_proba(X)
    changed = labeler().fit(X, junk, sample_weight=weights).predict_proba(X)
    np.testing.assert_allclose(changed, weighted, atol=1e-7)
    huge = np.where(mask, 1e6, 1.0)
    np.testing.assert_allclose(
        labeler().fit(X, y, sample_weight=huge).predict_proba(X),
        labeler().fit(X, y).predict_proba(X),
        atol=1e-6,
    )
    is_correct = model.predict(X) == y
    assert model.score(X, y, huge) == pytest.approx(is_correct[~mask].mean())


@pytest.mark.parametrize(
    ("weights", "match"),
    [
        (np.ones((40, 7)), r"shape \(40,\), or of each time step \(40, 8\), got \(40, 7\)"),
        (-np.ones((40, 8)), "Negative values in data passed to `sample_weight`"),
        (np.ones(39), r"expected \(40,\)"),
    ],
    ids=["shape", "negative", "length"],
)
def test_invalid_weights_of_time_steps_raise(weights, match, masked_signs):
    X, y, _ = masked_signs
    with pytest.raises(ValueError, match=match):
        labeler().fit(X, y, sample_weight=weights)
    with pytest.raises(ValueError, match=match):
        labeler().fit(X, y).score(X, y, sample_weight=weights)


@pytest.mark.slow
def test_lists_of_sequences_and_of_their_labels(sequences):
    X, _ = sequences
    y = [np.where(sequence[:, 1] > 0, "up", "down") for sequence in X]
    padded = np.full((60, 9), "down")
    for row, labels in enumerate(y):
        padded[row, : len(labels)] = labels
    model = labeler().fit(X, y)
    expected = labeler().fit(X, padded)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert model.score(X, [labels.tolist() for labels in y]) == expected.score(X, padded)
    n_labels = len(X[1]) - 1
    match = f"Row 1 of y has {n_labels} labels, but its sequence in X has {n_labels + 1} time"
    with pytest.raises(ValueError, match=match):
        labeler().fit(X, [y[0], y[1][1:], *y[2:]])


@pytest.mark.slow
def test_networks_that_mask_another_value_train_as_in_keras():
    # Keras reads the mask from the outputs of the network.
    def build(input_shape, n_outputs):
        return keras.Sequential(
            [
                keras.Input(input_shape),
                keras.layers.Masking(1.0),
                keras.layers.GRU(4, return_sequences=True),
                keras.layers.Dense(n_outputs, activation="softmax"),
            ]
        )

    X, y = make_running_signs()
    settings = {"network": build, "epochs": 2}
    model, expected = labeler(**settings).fit(X, y), labeler_of_keras(**settings).fit(X, y)
    np.testing.assert_allclose(model.loss_curve_, expected.loss_curve_)


def test_class_weights_of_labels_in_a_column_of_objects(padded):
    X, y = padded
    labels = pd.Series(y, dtype=object)
    class_weight = dict.fromkeys(np.unique(y), 2.0)
    probabilities = small(class_weight=class_weight).fit(X, labels).predict_proba(X)
    np.testing.assert_array_equal(probabilities, small().fit(X, y).predict_proba(X))


def test_predict_rejects_four_dimensions():
    X = np.random.default_rng(0).normal(size=(12, 5))
    model = small().fit(X, np.arange(12) % 2)
    with pytest.raises(ValueError, match=r"got shape \(12, 5, 1, 1\)"):
        model.predict(X[:, :, None, None])
