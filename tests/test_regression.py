"""RNNRegressor: what it learns, keeps, refuses and leaves alone."""

import pickle
import random
import signal
import subprocess
import sys
import warnings

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from skrnn import NaiveRegressor, RNNRegressor, WindowTransformer, build_rnn, sliding_windows
from skrnn._inputs.windows import purged_time_split


@pytest.fixture
def windows(wave):
    return sliding_windows((wave - 50) / 10, window_length=6)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_learns_a_sine_and_beats_the_naive_forecast(cell, wave):
    series = (wave - 50) / 10
    train, test = series[:90], series[90:]
    rnn = RNNRegressor(cell, 16, epochs=60, learning_rate=0.01, random_state=0)
    model = make_pipeline(WindowTransformer(12), rnn).fit(train)
    naive = make_pipeline(WindowTransformer(12), NaiveRegressor()).fit(train)
    assert model.score(test) > 0.99 > naive.score(test)
    assert rnn.loss_curve_[-1] < rnn.loss_curve_[0] / 10


def test_fitted_attributes(windows, small_rnn):
    rnn = small_rnn(epochs=3).fit(windows)
    assert rnn.n_iter_ == len(rnn.loss_curve_) == 3
    assert rnn.input_shape_ == (6, 1)
    assert rnn.n_features_in_ == rnn.n_outputs_ == 1
    assert not hasattr(rnn, "validation_scores_")
    assert type(rnn.model_).__module__.startswith("keras.")


def test_predictions_take_the_shape_of_y(windows, wave, small_rnn):
    column = small_rnn().fit(windows, wave).predict(windows)
    flat = small_rnn().fit(windows, wave.ravel()).predict(windows)
    assert column.shape == (120, 1)
    assert flat.shape == (120,)
    np.testing.assert_array_equal(column.ravel(), flat)
    assert flat.dtype == np.float32


def test_without_y_the_series_is_the_target(windows, small_rnn):
    left_out = small_rnn().fit(windows)
    given = small_rnn().fit(windows, windows.target)
    np.testing.assert_array_equal(left_out.predict(windows), given.predict(windows))
    complete = slice(6, None)
    expected = given.score(windows[complete], windows.target[complete])
    assert left_out.score(windows) == pytest.approx(expected, abs=1e-6)


def test_incomplete_windows_are_not_learnt_from(windows, small_rnn):
    y = windows.target.copy()
    y[:6] = np.nan  # would make every loss NaN
    rnn = small_rnn().fit(windows, y)
    plain = small_rnn().fit(windows[6:], y[6:])
    np.testing.assert_array_equal(rnn.predict(windows[6:]), plain.predict(windows[6:]))


def test_two_dimensions_mean_one_feature(windows, small_rnn):
    X, y = windows[6:], windows.target[6:, 0]
    flat, deep = small_rnn().fit(X[:, :, 0], y), small_rnn().fit(X, y)
    np.testing.assert_array_equal(flat.predict(X[:, :, 0]), deep.predict(X))
    assert flat.n_features_in_ == 6


def test_flattened_windows_are_stacked_again(wave, small_rnn):
    two = np.hstack([wave, wave**2]) / 1000
    flat = sliding_windows(two, 6, flatten=True)
    np.testing.assert_array_equal(
        small_rnn().fit(flat).predict(flat),
        small_rnn().fit(flat.stacked()).predict(flat.stacked()),
    )


def test_fitted_on_three_dimensions_predicts_two(windows, small_rnn):
    X = windows[6:]
    rnn = small_rnn().fit(X, windows.target[6:, 0])
    np.testing.assert_array_equal(rnn.predict(X[:, :, 0]), rnn.predict(X))


def test_many_rows_are_predicted_in_parts_by_keras_too(windows, small_rnn, monkeypatch):
    from skrnn import _network

    rnn = small_rnn(activation="elu").fit(windows)
    whole = rnn.predict(windows)
    monkeypatch.setattr(_network, "_PREDICT_ROWS", 50)
    np.testing.assert_allclose(rnn.predict(windows), whole, rtol=1e-5)


def test_several_features_and_outputs(wave, small_rnn):
    series = np.hstack([np.sin(wave), np.cos(wave), wave / 50])
    windows = sliding_windows(series, 5)
    assert small_rnn().fit(windows).predict(windows).shape == (120, 3)
    assert small_rnn().fit(windows, series[:, :2]).predict(windows).shape == (120, 2)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("options", [{"units": (4, 3)}, {"bidirectional": True}, {"dropout": 0.5}])
def test_same_seed_same_bits(cell, options, windows, small_rnn):
    one, two = (small_rnn(cell, **options).fit(windows) for _ in range(2))
    np.testing.assert_array_equal(one.predict(windows), two.predict(windows))
    assert one.loss_curve_ == two.loss_curve_
    other = small_rnn(cell, **options, random_state=1).fit(windows)
    assert not np.array_equal(one.predict(windows), other.predict(windows))


def test_random_state_instances_and_none(windows, small_rnn):
    one, two = (
        small_rnn(random_state=np.random.RandomState(3)).fit(windows).predict(windows)
        for _ in range(2)
    )
    np.testing.assert_array_equal(one, two)
    one, two = (small_rnn(random_state=None).fit(windows).predict(windows) for _ in range(2))
    assert not np.array_equal(one, two)


@pytest.mark.parametrize("random_state", [0, None])
def test_global_random_states_stay_as_they_were(random_state, windows, small_rnn):
    import keras
    import tensorflow as tf

    def build(input_shape, n_outputs):
        random.random(), np.random.rand()  # noqa: NPY002
        layers = [keras.Input(input_shape), keras.layers.GRU(3), keras.layers.Dense(n_outputs)]
        return keras.Sequential(layers)

    def states():
        tf.random.set_seed(7)
        drawn = random.random(), np.random.rand(), float(tf.random.uniform([]))  # noqa: NPY002
        return *drawn, random.getstate()

    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    expected = states()
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    small_rnn(dropout=0.2, random_state=random_state).fit(windows).predict(windows)
    small_rnn(network=build, random_state=random_state).fit(windows).predict(windows)
    assert states() == expected


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_trains_as_plain_keras_does_on_the_same_batches(optimizer, windows, small_rnn):
    settings = {"cell": "lstm", "units": (5, 4), "dropout": 0.3}
    rnn = small_rnn(**settings, optimizer=optimizer, epochs=3).fit(windows)
    seed = rnn._network.seed
    model = build_rnn((6, 1), 1, **settings, seed=seed)
    model.compile(optimizer, loss="mse")
    model.optimizer.learning_rate = 0.01
    X, y = np.asarray(windows, dtype="float32"), windows.target.astype("float32")
    losses = []
    for epoch in range(3):
        order = np.random.default_rng([seed, epoch]).permutation(np.arange(6, 120))
        fit = model.fit(X[order], y[order], batch_size=16, shuffle=False, verbose=0)
        losses += fit.history["loss"]
    np.testing.assert_allclose(rnn.loss_curve_, losses, rtol=1e-5)
    np.testing.assert_allclose(rnn.predict(windows), model.predict(X, verbose=0), atol=1e-6)


def test_a_seeded_network_of_ones_own_gives_the_same_bits(windows, small_rnn):
    import keras

    def build(input_shape, n_outputs):
        layers = [keras.Input(input_shape), keras.layers.GRU(3), keras.layers.Dense(n_outputs)]
        return keras.Sequential(layers)

    one, two = (small_rnn(network=build).fit(windows).predict(windows) for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_network_gets_the_settings_that_it_names(windows, small_rnn):
    import keras

    seen = {}

    def build(input_shape, n_outputs, units, **options):
        seen.update(options, units=units)
        return keras.Sequential(
            [keras.Input(input_shape), keras.layers.LSTM(units), keras.layers.Dense(n_outputs)]
        )

    rnn = small_rnn("gru", 7, network=build).fit(windows)
    assert seen["units"] == 7
    assert seen["cell"] == "gru"
    assert rnn.model_.count_params() == 4 * 7 * (1 + 7 + 1) + 8


def keras_builder(head=True, **compile_settings):
    """Return a builder of a `keras.Sequential`, compiled if there are settings for it."""
    import keras

    def build(input_shape, n_outputs):
        layers = [keras.Input(input_shape), keras.layers.GRU(3)]
        model = keras.Sequential(layers + ([keras.layers.Dense(n_outputs)] if head else []))
        if compile_settings:
            model.compile(**compile_settings)
        return model

    return build


def test_a_sequential_network_learns_residuals(windows, small_rnn):
    build = keras_builder(optimizer="sgd", loss="mae")
    rnn = small_rnn(network=build, residual=True).fit(windows)
    assert rnn.model_.loss == "mae"
    assert type(rnn.model_.optimizer).__name__ == "SGD"
    np.testing.assert_allclose(rnn.predict(windows)[6:], windows.target[5:-1], atol=0.2)


def test_a_network_compiled_by_its_builder_goes_on_after_a_pickle(windows, small_rnn):
    rnn = small_rnn(network=keras_builder(optimizer="rmsprop", loss="mae")).fit(windows)
    copied = pickle.loads(cloudpickle.dumps(rnn)).partial_fit(windows)
    assert copied.model_.loss == "mae"
    np.testing.assert_array_equal(
        copied.predict(windows), rnn.partial_fit(windows).predict(windows)
    )


def test_unbuilt_and_subclassed_networks(windows, small_rnn):
    import keras

    def unbuilt(n_outputs):
        return keras.Sequential([keras.layers.GRU(3), keras.layers.Dense(n_outputs)])

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.cell, self.head = keras.layers.GRU(3), keras.layers.Dense(1)

        def call(self, x):
            return self.head(self.cell(x))

    assert small_rnn(network=unbuilt).fit(windows).predict(windows).shape == (120, 1)
    assert small_rnn(network=lambda: Own()).fit(windows).predict(windows).shape == (120, 1)
    with pytest.raises(ValueError, match=r"network must return a keras\.Model, got int"):
        small_rnn(network=lambda: 3).fit(windows)


def test_a_lambda_layer_survives_a_pickle(windows, small_rnn):
    import keras

    def build(input_shape, n_outputs):
        layers = [keras.layers.Lambda(lambda x: 2 * x), keras.layers.GRU(3)]
        return keras.Sequential([keras.Input(input_shape), *layers, keras.layers.Dense(1)])

    rnn = small_rnn(network=build).fit(windows)
    copied = pickle.loads(cloudpickle.dumps(rnn))
    np.testing.assert_array_equal(copied.predict(windows), rnn.predict(windows))


def test_network_with_outputs_of_another_shape(windows, small_rnn):
    message = r"outputs have shape \(None, 3\), but y needs \(None, 1\)"
    with pytest.raises(ValueError, match=message):
        small_rnn(network=keras_builder(head=False)).fit(windows)


def test_optimizers_and_losses_as_keras_objects(windows, small_rnn):
    import keras

    optimizer = keras.optimizers.RMSprop(0.005)
    one = small_rnn(optimizer=optimizer, learning_rate=None, loss=keras.losses.Huber()).fit(windows)
    two = small_rnn(optimizer="rmsprop", learning_rate=0.005, loss="huber").fit(windows)
    np.testing.assert_allclose(one.predict(windows), two.predict(windows), rtol=1e-6)
    assert not optimizer.built
    assert float(one.model_.optimizer.learning_rate) == pytest.approx(0.005)
    copied = pickle.loads(pickle.dumps(clone(one))).fit(windows)
    np.testing.assert_array_equal(copied.predict(windows), one.predict(windows))


def test_clipnorm_reaches_the_optimizer(windows, small_rnn):
    assert small_rnn(clipnorm=0.5).fit(windows).model_.optimizer.clipnorm == 0.5


def test_sample_weights_count(windows, wave, small_rnn):
    y = windows.target.ravel().copy()
    y[60:] += 100
    weight = np.ones(120)
    weight[60:] = 0
    rnn = RNNRegressor("rnn", 8, epochs=30, learning_rate=0.02, random_state=0)
    ignored = rnn.fit(windows, y, sample_weight=weight).predict(windows)
    assert np.abs(ignored).max() < 5
    assert clone(rnn).fit(windows, y).predict(windows).max() > 5
    one = small_rnn().fit(windows, y, np.ones(120)).predict(windows)
    seven = small_rnn().fit(windows, y, np.full(120, 7.0)).predict(windows)
    np.testing.assert_allclose(one, seven, rtol=1e-5)


def test_weights_of_incomplete_windows_do_not_count(windows, small_rnn):
    weight = np.ones(120)
    weight[:6] = 1e6
    one = small_rnn().fit(windows, sample_weight=weight)
    assert one.loss_curve_ == small_rnn().fit(windows, sample_weight=np.ones(120)).loss_curve_


# Early stopping


def test_held_out_and_purged_rows_are_not_trained_on(windows, small_rnn):
    rnn = small_rnn(early_stopping=True, epochs=1)
    plain = rnn.fit(windows, windows.target).predict(windows)
    other = windows.target.copy()
    other[103:] = 99
    np.testing.assert_array_equal(rnn.fit(windows, other).predict(windows), plain)
    other[102] = 99
    assert not np.array_equal(rnn.fit(windows, other).predict(windows), plain)


def test_weights_count_in_validation(windows, small_rnn):
    weight = np.ones(120)
    weight[112:] = 0
    rnn = small_rnn(early_stopping=True, epochs=1).fit(windows, sample_weight=weight)
    error = (rnn.predict(windows) - windows.target)[109:112]
    assert rnn.validation_loss_curve_[0] == pytest.approx(np.mean(error**2), rel=1e-4)
    for zeros, part in ((slice(0, 103), "trained on"), (slice(109, None), "held out")):
        weight = np.ones(120)
        weight[zeros] = 0
        with pytest.raises(ValueError, match=rf"all be zero in the \d+ samples that are {part}"):
            rnn.fit(windows, sample_weight=weight)


def test_curves_stay_aligned_when_early_stopping_comes_and_goes(windows, small_rnn):
    rnn = small_rnn(warm_start=True, early_stopping=True).fit(windows)
    rnn.set_params(early_stopping=False).fit(windows)
    rnn.set_params(early_stopping=True).fit(windows)
    assert np.isnan(rnn.validation_loss_curve_).tolist() == [False] * 2 + [True] * 2 + [False] * 2
    assert len(rnn.loss_curve_) == len(rnn.validation_scores_) == 6


def test_early_stopping_holds_out_the_last_part_purged_of_overlap(windows, small_rnn):
    rnn = small_rnn(early_stopping=True, validation_fraction=0.1, epochs=2)
    rows, held_out = purged_time_split(windows, np.arange(6, 120), rnn.validation_fraction)
    assert held_out.tolist() == [*range(109, 120)]
    assert rows.tolist() == [*range(6, 103)]  # 103 to 108 share rows with the held out windows
    first_row_held_out = held_out[0] - windows.window_length
    assert rows[-1] < first_row_held_out


def test_early_stopping_stops_and_returns_to_the_best_weights(windows, small_rnn):
    noise = np.random.default_rng(0).normal(size=(120, 1))
    rnn = small_rnn(units=32, epochs=200, learning_rate=0.05, early_stopping=True)
    rnn.set_params(n_iter_no_change=3).fit(windows, noise)
    best = int(np.argmin(rnn.validation_loss_curve_))
    assert rnn.n_iter_ == best + 4 < 200
    assert len(rnn.validation_scores_) == len(rnn.loss_curve_) == rnn.n_iter_
    _, held_out = purged_time_split(windows, np.arange(6, 120), rnn.validation_fraction)
    left = rnn.predict(windows[held_out]) - noise[held_out]
    assert np.mean(left**2) == pytest.approx(rnn.validation_loss_curve_[best], rel=1e-4)
    score = rnn.score(windows[held_out], noise[held_out])
    assert score == pytest.approx(rnn.validation_scores_[best], abs=1e-4)


def test_early_stopping_needs_rows(small_rnn):
    windows = sliding_windows(np.arange(12.0)[:, None], 6)
    with pytest.raises(
        ValueError, match=r"holds out 1 of 6 complete windows, and 6 more share.*0 are left"
    ):
        small_rnn(early_stopping=True).fit(windows)
    windows = sliding_windows(np.arange(20.0)[:, None], 6)
    rnn = small_rnn(early_stopping=True, validation_fraction=0.1).fit(windows)
    rows, _ = purged_time_split(windows, np.arange(6, 20), rnn.validation_fraction)
    assert rows.tolist() == [*range(6, 13)]


# Going on


def test_warm_start_and_partial_fit_go_on(windows, small_rnn):
    whole = small_rnn(epochs=4).fit(windows)
    warm = small_rnn(epochs=2, warm_start=True).fit(windows).fit(windows)
    np.testing.assert_array_equal(warm.predict(windows), whole.predict(windows))
    assert warm.n_iter_ == 4
    assert warm.loss_curve_ == whole.loss_curve_
    partial = small_rnn()
    for _ in range(4):
        partial.partial_fit(windows)
    np.testing.assert_array_equal(partial.predict(windows), whole.predict(windows))


def test_training_goes_on_after_a_pickle_as_if_it_had_never_been(windows, small_rnn):
    rnn = small_rnn("lstm", dropout=0.3).fit(windows)
    copied = pickle.loads(pickle.dumps(rnn))
    rnn.partial_fit(windows)
    twice = pickle.loads(pickle.dumps(copied)).partial_fit(windows)
    np.testing.assert_array_equal(twice.predict(windows), rnn.predict(windows))


def test_warm_start_refuses_another_architecture(windows, small_rnn):
    rnn = small_rnn(warm_start=True).fit(windows)
    with pytest.raises(ValueError, match="fitted with units=4 and cannot go on with units=8"):
        rnn.set_params(units=8).fit(windows)
    with pytest.raises(ValueError, match="has 1 outputs and cannot go on with a y of 2"):
        rnn.set_params(units=4).fit(windows, np.zeros((120, 2)))
    with pytest.raises(ValueError, match="6 time steps and 1 features"):
        rnn.fit(sliding_windows(np.zeros((20, 1)), 5))


@pytest.mark.parametrize("pickled", [False, True])
def test_going_on_with_other_training_settings(pickled, windows, small_rnn):
    rnn = small_rnn(warm_start=True).fit(windows)
    rnn = pickle.loads(pickle.dumps(rnn)) if pickled else rnn
    for name, value in {"optimizer": "sgd", "loss": "mae", "clipnorm": 0.5}.items():
        before = rnn.get_params()[name]
        with pytest.raises(ValueError, match=f"cannot go on with {name}={value!r}"):
            rnn.set_params(**{name: value}).fit(windows)
        rnn.set_params(**{name: before})
    before = rnn.predict(windows)
    rnn.set_params(learning_rate=1e-12).fit(windows)
    np.testing.assert_allclose(rnn.predict(windows), before, atol=1e-6)


def test_partial_fit_with_early_stopping_is_refused(windows, small_rnn):
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping"):
        small_rnn(early_stopping=True).partial_fit(windows)


# Residual


def test_residual_starts_at_the_naive_forecast(wave, small_model, small_rnn):
    untrained = small_rnn(residual=True, epochs=1, learning_rate=1e-12)
    model = small_model(untrained).fit(wave[:90], wave[:90])
    np.testing.assert_allclose(model.predict(wave[90:]), wave[89:-1], rtol=1e-5)


@pytest.mark.parametrize("residual", [True, np.True_, 1, [1]])
def test_residual_finds_the_column_of_the_target(residual, wave, small_rnn):
    two = np.hstack([np.cos(wave), wave / 50])
    windows = sliding_windows(two, 6)
    y = 3 * two[:, 1] - 7
    rnn = small_rnn(residual=residual, epochs=1, learning_rate=1e-12).fit(windows, y)
    np.testing.assert_allclose(rnn.predict(windows), 3 * two[[0, *range(119)], 1] - 7, rtol=1e-5)


def test_residual_with_several_outputs(wave, small_rnn):
    two = np.hstack([np.cos(wave), wave / 50])
    windows = sliding_windows(two, 6, horizon=3)
    rnn = small_rnn(residual=True, epochs=1, learning_rate=1e-12).fit(windows)
    np.testing.assert_allclose(rnn.predict(windows)[8:], two[5:-3], atol=1e-5)
    swapped = small_rnn(residual=[1, 0], epochs=1, learning_rate=1e-12).fit(windows, two[:, ::-1])
    np.testing.assert_allclose(swapped.predict(windows)[8:], two[5:-3, ::-1], atol=1e-5)


def test_numpy_false_is_false(windows, small_rnn):
    model = small_rnn(residual=np.False_).fit(windows).model_
    assert "base" not in [layer.name for layer in model.layers]


def test_residual_learns(wave, small_model, small_rnn):
    rnn = small_rnn(units=16, epochs=60, residual=True)
    model = small_model(rnn).fit(wave[:90], wave[:90])
    naive = np.mean((wave[90:] - wave[89:-1]) ** 2)
    assert np.mean((wave[90:] - model.predict(wave[90:])) ** 2) < naive / 20


def test_the_base_is_in_the_model_and_is_not_trained(windows, small_rnn):
    model = small_rnn(residual=True).fit(windows).model_
    X = windows[6:].astype("float32")
    rnn = small_rnn(residual=True).fit(windows)
    np.testing.assert_allclose(model.predict(X, verbose=0), rnn.predict(windows)[6:], atol=1e-6)
    assert [layer.name for layer in model.layers if not layer.trainable] == ["base"]


def test_residual_without_a_target_among_the_columns(windows, small_rnn):
    y = np.random.default_rng(0).normal(size=120)
    with pytest.raises(ValueError, match="no column of the series in the windows"):
        small_rnn(residual=True).fit(windows, y)
    with pytest.raises(ValueError, match="is not column 0 of the series"):
        small_rnn(residual=0).fit(windows, y)
    with pytest.raises(ValueError, match="needs windows made by WindowTransformer"):
        small_rnn(residual=True).fit(windows[6:], windows.target[6:])
    with pytest.raises(ValueError, match="columns 0 to 0 for each of 1 outputs"):
        small_rnn(residual=1).fit(windows)
    now = sliding_windows(windows.target, 6, horizon=0)
    with pytest.raises(ValueError, match="horizon=0 would start from the row to be predicted"):
        small_rnn(residual=True).fit(now, windows.target)


# Keras' and scikit-learn's callbacks, and Ctrl-C


def test_keras_callbacks_see_epochs_and_batches(windows, small_rnn):
    import keras

    epochs, batches = [], []

    class PerBatch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            batches.append(batch)

    per_epoch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(logs))
    alone = small_rnn(callbacks=[per_epoch]).fit(windows)
    both = small_rnn(callbacks=[per_epoch, PerBatch()]).fit(windows)
    assert len(epochs) == 4
    assert set(epochs[0]) == {"loss"}
    assert batches == [0, 1, 2, 3, 4, 5, 6, 7] * 2
    np.testing.assert_allclose(alone.predict(windows), both.predict(windows), atol=1e-6)
    clone(alone)
    pickle.loads(pickle.dumps(small_rnn(callbacks=[keras.callbacks.EarlyStopping("loss")])))


def test_keras_callbacks_see_the_validation_loss_and_may_stop(windows, small_rnn):
    import keras

    stop = keras.callbacks.EarlyStopping("val_loss", patience=0, baseline=-1.0)
    rnn = small_rnn(callbacks=[stop], early_stopping=True, epochs=9).fit(windows)
    assert rnn.n_iter_ < 9


class Recorder:
    """Follows scikit-learn's FitCallback protocol."""

    def __init__(self):
        self.begun, self.ended, self.losses, self.torn_down = [], [], [], 0

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        self.torn_down += 1

    def on_fit_task_begin(self, estimator, context):
        self.begun.append((context.task_name, context.task_id, context.max_subtasks))

    def on_fit_task_end(self, estimator, context, *, X=None, fitted_estimator=None):
        self.ended.append((context.task_name, context.task_id))
        self.losses.append(fitted_estimator.loss_curve_[-1])
        assert fitted_estimator.predict(X).shape == (len(X), 1)


def test_scikit_learn_callbacks_see_epochs(windows, small_rnn):
    pytest.importorskip("sklearn.callback", reason="scikit-learn has no callback API")
    recorder = Recorder()
    rnn = small_rnn(epochs=3).set_callbacks(recorder).fit(windows)
    assert recorder.begun == [("fit", 0, 3), ("epoch", 0, 0), ("epoch", 1, 0), ("epoch", 2, 0)]
    assert recorder.ended == [("epoch", 0), ("epoch", 1), ("epoch", 2), ("fit", 0)]
    assert recorder.losses[:3] == rnn.loss_curve_
    with pytest.raises(ValueError, match="horizon=1 need at least 7"):
        rnn.fit(sliding_windows(np.zeros((5, 1)), 6))
    assert recorder.torn_down == 2


def test_progress_bar_shows_epochs(windows, small_rnn, capsys):
    callback = pytest.importorskip("sklearn.callback", reason="no callback API")
    pytest.importorskip("rich")
    ended = []

    class Counting(callback.ProgressBar):
        def on_fit_task_end(self, estimator, context):
            ended.append(context.task_name)
            super().on_fit_task_end(estimator, context)

    small_rnn().set_callbacks(Counting()).fit(windows)
    shown = capsys.readouterr().out
    assert "RNNRegressor - fit" in shown
    assert "100%" in shown
    assert ended == ["epoch", "epoch", "fit"]


def test_ctrl_c_leaves_what_was_learnt_and_goes_on_up(windows, small_rnn):
    import keras

    def interrupt(epoch, logs):
        if epoch == 2:
            signal.raise_signal(signal.SIGINT)

    ctrl_c = keras.callbacks.LambdaCallback(on_epoch_end=interrupt)
    rnn = small_rnn(epochs=50, callbacks=[ctrl_c])
    with pytest.raises(KeyboardInterrupt):
        rnn.fit(windows, windows.target.ravel())
    assert rnn.n_iter_ == len(rnn.loss_curve_) == 3
    whole = small_rnn(epochs=3).fit(windows, windows.target.ravel())
    np.testing.assert_array_equal(rnn.predict(windows), whole.predict(windows))
    rnn.set_params(callbacks=None, warm_start=True, epochs=1).fit(windows, windows.target.ravel())
    assert rnn.n_iter_ == 4


@pytest.mark.parametrize("moment", ["building", "preparing"])
def test_ctrl_c_before_training_leaves_the_earlier_fit(moment, windows, small_rnn, monkeypatch):
    from skrnn import _compiled, _network

    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    rnn = small_rnn().fit(windows)
    before = rnn.predict(windows)
    with monkeypatch.context() as patch:
        room, name = (
            (_network, "new_network") if moment == "building" else (_compiled.Trainer, "data")
        )
        patch.setattr(room, name, interrupt)
        with pytest.raises(KeyboardInterrupt):
            rnn.fit(sliding_windows(np.zeros((50, 1)), 7))
    np.testing.assert_array_equal(rnn.predict(windows), before)


def test_verbose_is_that_of_keras(windows, small_rnn, capsys):
    quiet = small_rnn().fit(windows)
    assert capsys.readouterr().out == ""
    loud = small_rnn(verbose=2).fit(windows)
    assert "Epoch 2/2" in capsys.readouterr().out
    np.testing.assert_allclose(loud.predict(windows), quiet.predict(windows), rtol=1e-5)


def test_callbacks_that_do_more_when_they_get_a_model(windows, small_rnn):
    import keras

    class Counting(keras.callbacks.Callback):
        def set_model(self, model):
            super().set_model(model)
            self.n_layers = len(model.layers)

    callback = Counting()
    small_rnn(callbacks=[callback]).fit(windows)
    assert callback.n_layers == 3
    assert callback.model is None


# Pickles


@pytest.mark.parametrize("through", ["pickle", "joblib"])
@pytest.mark.parametrize("options", [{}, {"residual": True, "units": (4, 3), "dropout": 0.2}])
def test_round_trips_predict_the_same_bits(through, options, windows, small_rnn, tmp_path):
    rnn = small_rnn("gru", **options).fit(windows)
    if through == "pickle":
        copied = pickle.loads(pickle.dumps(rnn))
    else:
        joblib.dump(rnn, tmp_path / "rnn.joblib")
        copied = joblib.load(tmp_path / "rnn.joblib")
    np.testing.assert_array_equal(copied.predict(windows), rnn.predict(windows))
    assert copied.loss_curve_ == rnn.loss_curve_
    again = pickle.loads(pickle.dumps(copied))
    np.testing.assert_array_equal(again.predict(windows), rnn.predict(windows))


def test_a_new_process_predicts_the_same_bits(wave, small_model, tmp_path):
    model = small_model().fit(wave[:90], wave[:90])
    joblib.dump((model, wave[90:]), tmp_path / "model.joblib")
    code = (
        "import sys, joblib, numpy as np\n"
        f"model, X = joblib.load({str(tmp_path / 'model.joblib')!r})\n"
        f"np.save({str(tmp_path / 'y.npy')!r}, model.predict(X))\n"
        "assert 'scikeras' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), model.predict(wave[90:]))


def test_a_keras_file_opens_without_skrnn(windows, small_rnn, tmp_path):
    rnn = small_rnn("lstm", residual=True).fit(windows)
    path = tmp_path / "model.keras"
    with warnings.catch_warnings():
        # Keras makes arrays of its variables in a way that NumPy 2 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        rnn.model_.save(path)
    np.save(tmp_path / "X.npy", windows[6:].astype("float32"))
    code = (
        "import sys, keras, numpy as np\n"
        "sys.modules['skrnn'] = None\n"
        "model = keras.saving.load_model('model.keras')\n"
        "np.save('y.npy', model.predict(np.load('X.npy')))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, cwd=tmp_path)
    np.testing.assert_allclose(
        np.load(tmp_path / "y.npy"), rnn.predict(windows)[6:], rtol=1e-5, atol=1e-7
    )


# Bad input


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"cell": "lstn"}, "cell='lstn' is not known. Did you mean 'lstm'"),
        ({"units": -3}, "The 'units' parameter of RNNRegressor must be an int in the range"),
        ({"units": (4, 0)}, r"units=\(4, 0\) must be a positive int"),
        ({"units": ()}, r"units=\(\) must be a positive int"),
        ({"epochs": 0}, "The 'epochs' parameter of RNNRegressor must be an int in the range"),
        ({"dropout": 1.0}, "The 'dropout' parameter of RNNRegressor"),
        ({"learning_rate": 0.0}, "The 'learning_rate' parameter of RNNRegressor"),
        ({"optimizer": "adan"}, "optimizer='adan' is not known. Did you mean 'adam'"),
        ({"loss": "mss"}, "loss='mss' is not known. Did you mean 'mse'"),
        ({"activation": "tahn"}, "activation='tahn' is not known. Did you mean 'tanh'"),
        ({"loss": dict}, "loss=<class 'dict'> is a class; pass an instance"),
        ({"callbacks": [print]}, r"callbacks takes Keras callbacks, got .*set_callbacks"),
    ],
)
def test_parameters_out_of_range(parameters, message, windows, small_rnn):
    rnn = small_rnn().set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        rnn.fit(windows)
    with pytest.raises(NotFittedError):
        rnn.predict(windows)


def bad_cells(value, row):
    series = np.linspace(0.0, 1.0, 40)[:, None].copy()
    series[row] = value
    return sliding_windows(series, 5)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (
            sliding_windows(np.zeros((20, 1)), 24, 6),
            None,
            "window_length=24 and horizon=6 need at least 30 rows to fit, got 20",
        ),
        (sliding_windows(np.zeros((20, 1)), 5), np.zeros(19), "X has 20 rows and y has 19"),
        (bad_cells(np.nan, 17), None, r"X contains nan in row 17 of the series \(column 0\)"),
        (bad_cells(np.inf, 17), None, r"X contains inf in row 17 of the series \(column 0\)"),
        (np.full((9, 3), np.nan), np.zeros(9), "Input X contains NaN"),
        (np.full((9, 3, 2), np.nan), np.zeros(9), "Input X contains NaN"),
        (np.zeros(9), np.zeros(9), "Reshape your data"),
        (np.zeros((9, 3, 2, 1)), np.zeros(9), r"expects X of shape .* got shape \(9, 3, 2, 1\)"),
        (np.array([["a", "b"]] * 9), np.zeros(9), "could not convert string to float"),
        (
            sliding_windows(np.array(list("hello hello"))[:, None], 3),
            None,
            "learns from numbers, but the windows hold symbols such as 'o'",
        ),
        (np.zeros((9, 0, 1)), np.zeros(9), r"needs time steps and features, got .*\(9, 0, 1\)"),
        (
            pd.DataFrame(np.zeros((9, 2)), columns=["x_lag2", "x_lag1"]),
            np.zeros(9),
            r"X is a DataFrame of lags \(x_lag2, \.\.\.\)",
        ),
        (np.zeros((0, 3)), np.zeros(0), r"Found array with 0 sample\(s\)"),
        (np.zeros((9, 3)), None, "requires y to be passed, but the target y is None"),
        (np.zeros((9, 3)), np.full(9, np.nan), "Input y contains NaN"),
        (np.zeros((9, 3)), np.zeros((9, 2, 2)), r"y must be of shape .* got \(9, 2, 2\)"),
        (
            sliding_windows(np.zeros((20, 1)), 5, horizon=0),
            None,
            "With horizon=0 each window holds the row that y=None would have it predict",
        ),
    ],
)
def test_data_that_cannot_be_learnt_from(X, y, message, small_rnn):
    rnn = small_rnn()
    with pytest.raises(ValueError, match=message):
        rnn.fit(X, y)
    assert not [name for name in vars(rnn) if name.endswith("_")]
    with pytest.raises(NotFittedError):
        rnn.predict(X)


def test_a_failed_fit_leaves_the_earlier_one(windows, small_rnn):
    rnn = small_rnn().fit(windows)
    before = rnn.predict(windows)
    with pytest.raises(ValueError, match="need at least"):
        rnn.fit(sliding_windows(np.zeros((3, 2)), 7))
    with pytest.raises(ValueError, match="Training diverged: the loss of epoch 1 is"):
        rnn.set_params(learning_rate=1e38).fit(windows * 1e30, windows.target.ravel() * 1e18)
    np.testing.assert_array_equal(rnn.predict(windows), before)
    rnn.set_params(learning_rate=0.01, warm_start=True)
    with pytest.raises(ValueError, match="Training diverged"):
        rnn.fit(windows, windows.target * 1e30)
    np.testing.assert_array_equal(rnn.predict(windows), before)
    assert rnn.n_iter_ == 2
    whole = small_rnn(epochs=4).fit(windows)
    np.testing.assert_array_equal(rnn.fit(windows).predict(windows), whole.predict(windows))


def test_predict_wants_what_fit_saw(windows, wave, small_rnn):
    rnn = small_rnn().fit(windows)
    with pytest.raises(ValueError, match=r"windows of 5 time steps and 1 features.*fitted on 6"):
        rnn.predict(sliding_windows(wave, 5))
    with pytest.raises(ValueError, match="windows of 6 time steps and 2 features"):
        rnn.predict(np.zeros((3, 6, 2)))
    context = np.zeros((6, 1))
    context[4] = np.nan
    reaching_back = sliding_windows(wave, 6, context=context)
    with pytest.raises(ValueError, match="contains nan in the row 2 before X"):
        rnn.predict(reaching_back)


def test_before_fit(windows, small_rnn):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        small_rnn().predict(windows)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        _ = small_rnn().model_
    with pytest.raises(NotFittedError):
        small_rnn().score(windows)


def test_nothing_to_score(windows, small_rnn):
    rnn = small_rnn().fit(windows)
    with pytest.raises(ValueError, match="None of the 4 windows is complete"):
        rnn.score(sliding_windows(np.zeros((4, 1)), 6))
