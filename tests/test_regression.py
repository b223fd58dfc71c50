"""RNNRegressor. What it shares with the other estimators is tested in test_estimator.py."""

import pickle
import random

import cloudpickle
import keras
import numpy as np
import pandas as pd
import pytest
from conftest import label
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skrnn import NaiveRegressor, RNNRegressor, WindowTransformer, build_rnn, sliding_windows

# Keras converts its variables to arrays in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

# Settings of a plain network: no base forecast, and no holdout.
PLAIN = {"residual": False, "early_stopping": False}
BATCH_HOOK = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.fixture
def windows(wave):
    return sliding_windows((wave - 50) / 10, window_length=6)


@pytest.mark.parametrize("cell", ["gru", slow("rnn"), slow("lstm")])
def test_learns_a_sine_wave_and_beats_the_naive_forecast(cell, wave):
    series = (wave - 50) / 10
    train, test = series[:90], series[90:]
    rnn = RNNRegressor(cell, 8, epochs=80, learning_rate=0.02, random_state=0)
    model = make_pipeline(WindowTransformer(6), rnn).fit(train)
    naive = make_pipeline(WindowTransformer(6), NaiveRegressor()).fit(train)
    assert model.score(test) > 0.99 > naive.score(test)
    assert rnn.loss_curve_[-1] < rnn.loss_curve_[0] / 10


@pytest.mark.slow
def test_learns_a_function_of_single_values():
    X = np.linspace(-1, 1, 200)[:, None]
    model = RNNRegressor("gru", 16, epochs=100, learning_rate=0.02, random_state=0)
    assert model.fit(X, X[:, 0] ** 2).score(X, X[:, 0] ** 2) > 0.99


@pytest.mark.slow
def test_learns_the_sum_of_a_sequence():
    X = np.random.default_rng(0).choice([-1.0, 1.0], (300, 6))
    y = X.sum(axis=1)
    model = RNNRegressor("lstm", 16, epochs=60, learning_rate=0.02, random_state=0)
    assert model.fit(X[:200], y[:200]).score(X[200:], y[200:]) > 0.95


def test_fitted_attributes(windows, small_rnn):
    rnn = small_rnn().fit(windows)
    assert rnn.input_shape_ == (6, 1)
    assert rnn.n_features_in_ == rnn.n_outputs_ == 1


# Shapes of X and y


def test_predictions_have_the_shape_of_y(windows, wave, small_rnn):
    column = small_rnn().fit(windows, wave).predict(windows)
    flat = small_rnn().fit(windows, wave.ravel()).predict(windows)
    assert column.shape == (120, 1)
    assert flat.shape == (120,)
    np.testing.assert_array_equal(column.ravel(), flat)
    assert flat.dtype == np.float64


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16", "float64"])
def test_predictions_at_a_high_level_lose_no_digits(policy, wave):
    """A network without any change predicts the last value, whatever the scaler and the dtype."""
    series = 1e7 + 5 * wave
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        network = RNNRegressor(
            "rnn", units=2, epochs=1, learning_rate=1e-12, residual=True, random_state=0
        )
        model = TransformedTargetRegressor(
            make_pipeline(MinMaxScaler(), WindowTransformer(5), network),
            transformer=MinMaxScaler(),
        ).fit(series[:80], series[:80])
        y_pred = model.predict(series[80:])
    finally:
        keras.config.set_dtype_policy(before)
    assert y_pred.dtype == np.float64
    np.testing.assert_allclose(y_pred, series[79:-1], rtol=1e-14)


def test_without_y_the_series_is_the_target(windows, small_rnn):
    without_y = small_rnn().fit(windows)
    with_y = small_rnn().fit(windows, windows.target)
    np.testing.assert_array_equal(without_y.predict(windows), with_y.predict(windows))
    complete = slice(6, None)
    expected = with_y.score(windows[complete], windows.target[complete])
    assert without_y.score(windows) == pytest.approx(expected, abs=1e-6)


def test_incomplete_windows_are_not_trained_on(windows, small_rnn):
    y = windows.target.copy()
    y[:6] = np.nan  # would make every loss NaN
    rnn = small_rnn(**PLAIN).fit(windows, y)
    plain = small_rnn(**PLAIN).fit(windows[6:], y[6:])
    np.testing.assert_array_equal(rnn.predict(windows[6:]), plain.predict(windows[6:]))


def test_two_dimensions_mean_one_feature(windows, small_rnn):
    X, y = windows[6:], windows.target[6:, 0]
    flat, deep = small_rnn().fit(X[:, :, 0], y), small_rnn().fit(X, y)
    np.testing.assert_array_equal(flat.predict(X[:, :, 0]), deep.predict(X))
    np.testing.assert_array_equal(deep.predict(X[:, :, 0]), deep.predict(X))
    assert (flat.n_features_in_, deep.n_features_in_) == (6, 1)


def test_flattened_windows_are_stacked(wave, small_rnn):
    series = np.hstack([wave, wave**2]) / 1000
    flat = sliding_windows(series, 6, flatten=True)
    stacked = small_rnn().fit(flat.stacked())
    np.testing.assert_array_equal(
        small_rnn().fit(flat).predict(flat), stacked.predict(flat.stacked())
    )


@pytest.mark.parametrize("activation", ["tanh", "elu"])  # Keras predicts with elu
def test_predictions_do_not_depend_on_the_number_of_rows(activation, windows, small_rnn):
    rnn = small_rnn(activation=activation).fit(windows)
    series = np.sin(np.arange(9000) / 4).reshape(-1, 1)
    many = sliding_windows(series, 6)
    half = np.concatenate([rnn.predict(many[:4500]), rnn.predict(many[4500:])])
    np.testing.assert_allclose(rnn.predict(many), half, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(rnn.predict(many[:1]), half[:1], rtol=1e-5, atol=1e-6)


def test_several_features_and_outputs(wave, small_rnn):
    series = np.hstack([np.sin(wave), np.cos(wave), wave / 50])
    windows = sliding_windows(series, 5)
    assert small_rnn().fit(windows).predict(windows).shape == (120, 3)
    assert small_rnn().fit(windows, series[:, :2]).predict(windows).shape == (120, 2)


# Training


@pytest.mark.parametrize(("optimizer", "units"), [("adam", 4), slow("rmsprop", (4, 3))], ids=str)
def test_training_equals_that_of_keras_on_the_same_batches(optimizer, units, windows, small_rnn):
    settings = {"cell": "lstm", "units": units, "dropout": 0.3}
    rnn = small_rnn(**settings, **PLAIN, optimizer=optimizer, epochs=3).fit(windows)
    seed = np.random.RandomState(0).randint(2**31 - 1)  # as random_state=0 is used
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


def test_optimizers_and_losses_as_keras_objects(windows, small_rnn):
    optimizer = keras.optimizers.RMSprop(0.005)
    rnn = small_rnn(optimizer=optimizer, learning_rate=None, loss=keras.losses.Huber()).fit(windows)
    named = small_rnn(optimizer="rmsprop", learning_rate=0.005, loss="huber").fit(windows)
    np.testing.assert_allclose(rnn.predict(windows), named.predict(windows), rtol=1e-6)
    assert not optimizer.built
    assert float(rnn.model_.optimizer.learning_rate) == pytest.approx(0.005)
    copied = pickle.loads(pickle.dumps(clone(rnn))).fit(windows)
    np.testing.assert_array_equal(copied.predict(windows), rnn.predict(windows))


# Weights are updated as one vector, or one by one if there are many.
@pytest.mark.parametrize("units", [3, slow(40)])
def test_clipvalue_clips_gradients_as_keras_does(units):
    rng = np.random.default_rng(0)
    X, y = rng.choice([-1.0, 1.0], (32, 5)), rng.choice([-1.0, 1.0], (32, 1))
    settings = {"epochs": 1, "optimizer": "sgd", "clipvalue": 0.01, "random_state": 0}
    trained = RNNRegressor("gru", units, learning_rate=1.0, **settings).fit(X, y).model_
    initial = RNNRegressor("gru", units, learning_rate=1e-30, **settings).fit(X, y).model_
    assert trained.optimizer.clipvalue == 0.01
    pairs = zip(trained.get_weights(), initial.get_weights(), strict=True)
    changes = [abs(weights - before).max() for weights, before in pairs]
    assert max(changes) == pytest.approx(0.01, rel=1e-3)
    initial.compile(keras.optimizers.SGD(1.0, clipvalue=0.01), "mse")
    initial.train_on_batch(X[:, :, None].astype("float32"), y.astype("float32"))
    for weights, expected in zip(trained.get_weights(), initial.get_weights(), strict=True):
        np.testing.assert_allclose(weights, expected, atol=1e-5)


def test_resumed_training_requires_the_fitted_data_and_loss(windows, small_rnn):
    rnn = small_rnn(warm_start=True).fit(windows)
    with pytest.raises(ValueError, match="cannot be resumed with loss='mae'"):
        rnn.set_params(loss="mae").fit(windows)
    rnn.set_params(loss="mse")
    with pytest.raises(ValueError, match=r"has 1 outputs, and training cannot be resumed .* of 2"):
        rnn.fit(windows, np.zeros((120, 2)))
    with pytest.raises(ValueError, match="6 time steps and 1 features"):
        rnn.fit(sliding_windows(np.zeros((20, 1)), 5))


# Sample weights


def test_samples_of_weight_zero_are_not_trained_on(windows):
    y = windows.target.ravel().copy()
    y[60:] += 100
    weight = np.where(np.arange(120) < 60, 1.0, 0.0)
    rnn = RNNRegressor("rnn", 4, epochs=30, batch_size=16, learning_rate=0.03, random_state=0)
    weighted = rnn.fit(windows, y, sample_weight=weight).predict(windows)
    assert np.abs(weighted).max() < 3
    assert clone(rnn).fit(windows, y).predict(windows).max() > 3


def test_weights_of_incomplete_windows_have_no_effect(windows, small_rnn):
    weight = np.ones(120)
    weight[:6] = 1e6
    weighted = small_rnn().fit(windows, sample_weight=weight)
    equal = small_rnn().fit(windows, sample_weight=np.ones(120))
    assert weighted.loss_curve_ == equal.loss_curve_


def test_the_validation_loss_is_weighted(windows, small_rnn):
    weight = np.ones(120)
    weight[112:] = 0
    holdout = {"early_stopping": True, "validation_fraction": 0.1}
    rnn = small_rnn(residual=False, **holdout, epochs=1).fit(windows, sample_weight=weight)
    error = (rnn.predict(windows) - windows.target)[109:112]
    assert rnn.validation_loss_curve_[0] == pytest.approx(np.mean(error**2), rel=1e-4)


@pytest.mark.parametrize(
    ("rows", "use"),
    [(slice(0, 103), "used to train"), (slice(109, None), "held out for early stopping")],
)
def test_weights_must_not_all_be_zero_on_either_side_of_the_split(rows, use, windows, small_rnn):
    weight = np.ones(120)
    weight[rows] = 0
    with pytest.raises(ValueError, match=rf"all be zero in the \d+ samples that are {use}"):
        small_rnn(early_stopping=True, validation_fraction=0.1).fit(windows, sample_weight=weight)


# Early stopping


def test_the_holdout_is_the_last_part_and_windows_that_share_rows_with_it_are_purged(
    windows, small_rnn
):
    rnn = small_rnn(residual=False, early_stopping=True, validation_fraction=0.1, epochs=1)

    def fit_with_outlier(row):
        y = windows.target.copy()
        y[row] = 99
        rnn.fit(windows, y)
        return rnn.predict(windows), rnn.validation_loss_curve_

    weights, loss = fit_with_outlier(103)
    for row in (104, 108):  # in neither part: these windows share rows with the holdout
        np.testing.assert_array_equal(fit_with_outlier(row)[0], weights)
        assert fit_with_outlier(row)[1] == loss
    for row in (109, 119):
        np.testing.assert_array_equal(fit_with_outlier(row)[0], weights)
        assert fit_with_outlier(row)[1][0] > loss[0] + 100
    assert not np.array_equal(fit_with_outlier(102)[0], weights)


def test_validation_loss_and_score_are_those_of_the_holdout(windows, small_rnn):
    noise = np.random.default_rng(0).normal(size=(120, 1))
    rnn = small_rnn(
        epochs=50,
        learning_rate=0.1,
        early_stopping=True,
        validation_fraction=0.1,
        n_iter_no_change=3,
    )
    rnn.fit(windows, noise)
    best = int(np.argmin(rnn.validation_loss_curve_))
    error = (rnn.predict(windows) - noise)[109:]
    assert rnn.validation_loss_curve_[best] == pytest.approx(np.mean(error**2), rel=1e-4)
    score = rnn.score(windows[109:], noise[109:])
    assert rnn.validation_scores_[best] == pytest.approx(score, abs=1e-4)


def test_early_stopping_needs_rows_to_train_on(small_rnn):
    windows = sliding_windows(np.arange(12.0)[:, None], 6)
    with pytest.raises(
        ValueError, match=r"holds out 1 of 6 complete windows, and 6 more share.*0 are left"
    ):
        small_rnn(early_stopping=True, validation_fraction=0.1).fit(windows)
    windows = sliding_windows(np.arange(14.0)[:, None] / 14, 6)
    # Trained on one window.
    assert small_rnn(early_stopping=True, validation_fraction=0.1).fit(windows).n_iter_ == 2


# Residual


def test_residual_starts_at_the_naive_forecast(wave, small_model, small_rnn):
    untrained = small_rnn(residual=True, epochs=1, learning_rate=1e-12)
    model = small_model(untrained).fit(wave[:90], wave[:90])
    np.testing.assert_allclose(model.predict(wave[90:]), wave[89:-1], rtol=1e-5)


@pytest.mark.parametrize("residual", [True, np.True_, 1, [1]])
def test_residual_finds_the_column_of_the_target(residual, wave, small_rnn):
    series = np.hstack([np.cos(wave), wave / 50])
    windows = sliding_windows(series, 6)
    y = 3 * series[:, 1] - 7
    rnn = small_rnn(residual=residual, epochs=1, learning_rate=1e-12).fit(windows, y)
    last = series[[0, *range(119)], 1]
    np.testing.assert_allclose(rnn.predict(windows), 3 * last - 7, rtol=1e-5)


def test_residual_with_several_outputs(wave, small_rnn):
    series = np.hstack([np.cos(wave), wave / 50])
    windows = sliding_windows(series, 6, horizon=3)
    rnn = small_rnn(residual=True, epochs=1, learning_rate=1e-12).fit(windows)
    np.testing.assert_allclose(rnn.predict(windows)[8:], series[5:-3], atol=1e-5)
    swapped = small_rnn(residual=[1, 0], epochs=1, learning_rate=1e-12)
    swapped.fit(windows, series[:, ::-1])
    np.testing.assert_allclose(swapped.predict(windows)[8:], series[5:-3, ::-1], atol=1e-5)


def test_residual_accepts_the_false_of_numpy(windows, small_rnn):
    np.testing.assert_array_equal(
        small_rnn(residual=np.False_).fit(windows).predict(windows),
        small_rnn(residual=False).fit(windows).predict(windows),
    )


def test_residual_learns(wave, small_model, small_rnn):
    rnn = small_rnn(epochs=150, learning_rate=0.03, residual=True)
    model = small_model(rnn).fit(wave[:90], wave[:90])
    naive = np.mean((wave[90:] - wave[89:-1]) ** 2)
    assert np.mean((wave[90:] - model.predict(wave[90:])) ** 2) < naive / 20


def test_the_model_contains_the_baseline_which_is_not_trained(windows, small_rnn):
    rnn = small_rnn(residual=True).fit(windows)
    X = windows[6:].astype("float32")
    y_pred = rnn.predict(windows)[6:]
    np.testing.assert_allclose(rnn.model_.predict(X, verbose=0), y_pred, atol=1e-6)
    frozen = {layer.name for layer in rnn.model_.layers if not layer.trainable}
    assert frozen == {"base", "network_weight"}


def test_residual_raises_without_a_column_of_the_target(windows, small_rnn):
    y = np.random.default_rng(0).normal(size=120)
    with pytest.raises(ValueError, match="no column of the series in the windows"):
        small_rnn(residual=True).fit(windows, y)
    with pytest.raises(ValueError, match="is not column 0 of the series"):
        small_rnn(residual=0).fit(windows, y)
    with pytest.raises(ValueError, match="needs windows made by WindowTransformer"):
        small_rnn(residual=True).fit(windows[6:], windows.target[6:])
    with pytest.raises(ValueError, match="columns 0 to 0 for each of the 1 outputs"):
        small_rnn(residual=1).fit(windows)
    nowcast = sliding_windows(windows.target, 6, horizon=0)
    with pytest.raises(ValueError, match="horizon=0 would start from the row to predict"):
        small_rnn(residual=True).fit(nowcast, windows.target)


# Custom networks


def keras_builder(head=True, **compile_settings):
    """Return a builder of a `keras.Sequential`, compiled if there are settings for it."""

    def build(input_shape, n_outputs):
        layers = [keras.Input(input_shape), keras.layers.GRU(3)]
        model = keras.Sequential(layers + ([keras.layers.Dense(n_outputs)] if head else []))
        if compile_settings:
            model.compile(**compile_settings)
        return model

    return build


def test_unseeded_custom_networks_give_the_same_bits(windows, small_rnn):
    def build(input_shape, n_outputs):
        return keras_builder()(input_shape, n_outputs)

    random.seed(5)
    state = random.getstate()
    first, second = (small_rnn(network=build).fit(windows).predict(windows) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert random.getstate() == state


def test_builders_get_the_parameters_in_their_signature(windows, small_rnn):
    arguments = {}

    def build(input_shape, n_outputs, units, **options):
        arguments.update(options, units=units)
        return keras.Sequential(
            [keras.Input(input_shape), keras.layers.LSTM(units), keras.layers.Dense(n_outputs)]
        )

    rnn = small_rnn("gru", 7, network=build).fit(windows)
    assert (arguments["cell"], arguments["units"]) == ("gru", 7)
    assert rnn.model_.count_params() == 4 * 7 * (1 + 7 + 1) + 8


def test_custom_networks_predict_residuals_with_their_optimizer_and_loss(windows, small_rnn):
    build = keras_builder(optimizer="sgd", loss="mae")
    rnn = small_rnn(network=build, residual=True).fit(windows)
    assert rnn.model_.loss == "mae"
    assert type(rnn.model_.optimizer).__name__ == "SGD"
    np.testing.assert_allclose(rnn.predict(windows)[6:], windows.target[5:-1], atol=0.2)


@pytest.mark.slow
def test_training_of_a_compiled_network_resumes_after_a_pickle(windows, small_rnn):
    rnn = small_rnn(network=keras_builder(optimizer="rmsprop", loss="mae")).fit(windows)
    copied = pickle.loads(cloudpickle.dumps(rnn)).partial_fit(windows)
    assert copied.model_.loss == "mae"
    np.testing.assert_array_equal(
        copied.predict(windows), rnn.partial_fit(windows).predict(windows)
    )


class SubclassedModel(keras.Model):
    def __init__(self):
        super().__init__()
        self.recurrent, self.head = keras.layers.GRU(3), keras.layers.Dense(1)

    def call(self, x):
        return self.head(self.recurrent(x))


@pytest.mark.slow
def test_unbuilt_and_subclassed_networks(windows, small_rnn):
    def unbuilt(n_outputs):
        return keras.Sequential([keras.layers.GRU(3), keras.layers.Dense(n_outputs)])

    for build in (unbuilt, lambda: SubclassedModel()):
        assert small_rnn(network=build).fit(windows).predict(windows).shape == (120, 1)


@pytest.mark.slow
def test_networks_with_a_lambda_layer_can_be_pickled(windows, small_rnn):
    def build(input_shape, n_outputs):
        layers = [keras.layers.Lambda(lambda x: 2 * x), keras.layers.GRU(3)]
        return keras.Sequential([keras.Input(input_shape), *layers, keras.layers.Dense(1)])

    rnn = small_rnn(network=build).fit(windows)
    copied = pickle.loads(cloudpickle.dumps(rnn))
    np.testing.assert_array_equal(copied.predict(windows), rnn.predict(windows))


@pytest.mark.parametrize(
    ("network", "match"),
    [
        (lambda: 3, r"network must return a keras\.Model, got int"),
        (keras_builder(head=False), r"outputs have shape \(None, 3\), but y needs \(None, 1\)"),
    ],
    ids=["int", "outputs"],
)
def test_invalid_networks_raise(network, match, windows, small_rnn):
    with pytest.raises(ValueError, match=match):
        small_rnn(network=network).fit(windows)


# Targets at each time step


def make_running_sums(n_samples):
    """Return sequences of -1 and 1, and their cumulative sums."""
    X = np.random.default_rng(0).choice([-1.0, 1.0], (n_samples, 6))
    return X, np.cumsum(X, axis=1)


@pytest.mark.parametrize("bidirectional", [False, slow(True)])
def test_learns_a_target_at_each_time_step(bidirectional, small_rnn):
    X, y = make_running_sums(300)
    settings = {"epochs": 80, "learning_rate": 0.03, "bidirectional": bidirectional}
    model = small_rnn(output="sequence", **settings).fit(X[:200], y[:200])
    assert model.predict(X).shape == y.shape
    assert model.score(X[200:], y[200:]) > 0.95
    flat = r2_score(y[200:].ravel(), model.predict(X[200:]).ravel())
    assert model.score(X[200:], y[200:]) == pytest.approx(flat)


def test_several_outputs_at_each_time_step():
    X, _ = make_running_sums(100)
    y = np.stack([X, -2 * X], axis=2)
    settings = {"epochs": 40, "learning_rate": 0.03, "early_stopping": True, "random_state": 0}
    model = RNNRegressor("rnn", 4, output="sequence", **settings)
    model.fit(X, y, sample_weight=np.arange(1, 101))
    assert model.predict(X).shape == (100, 6, 2)
    assert model.score(X, y, sample_weight=np.ones(100)) > 0.95
    assert len(model.validation_scores_) == model.n_iter_


# In a batch of 6 rows, weights have as many rows as time steps.
@pytest.mark.parametrize(
    ("shape", "batch_size"), [((40, 6), 16), slow((40, 1), 16), slow((40, 6), 6)], ids=str
)
def test_weights_of_time_steps_have_the_effect_that_they_have_in_keras(
    shape, batch_size, small_rnn
):
    X, y = make_running_sums(40)
    weights = np.random.default_rng(0).random(shape).squeeze()
    settings = {"output": "sequence", "batch_size": batch_size}
    rnn = small_rnn(**settings).fit(X, y, sample_weight=weights)
    by_keras = small_rnn(**settings, callbacks=[BATCH_HOOK]).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(rnn.loss_curve_, by_keras.loss_curve_, rtol=1e-5)
    np.testing.assert_allclose(rnn.predict(X), by_keras.predict(X), atol=1e-6)
    flat = np.broadcast_to(weights.reshape(shape), (40, 6)).ravel()
    expected = r2_score(y.ravel(), rnn.predict(X).ravel(), sample_weight=flat)
    assert rnn.score(X, y, sample_weight=weights) == pytest.approx(expected)


@pytest.mark.parametrize(
    "loss", ["mse", slow(keras.losses.MeanSquaredError())], ids=["name", "object"]
)
def test_weights_of_time_steps_apply_to_the_holdout(loss, small_rnn):
    X, _ = make_running_sums(40)
    weights = np.where(np.arange(6) < 3, 1.0, 0.0) * np.ones((40, 1))
    first = small_rnn(output="sequence", early_stopping=True, loss=loss)
    first.fit(X, X, sample_weight=weights)
    y = np.where(weights > 0, X, 100.0)
    second = clone(first).fit(X, y, sample_weight=weights)
    assert second.validation_loss_curve_ == pytest.approx(first.validation_loss_curve_)
    assert second.validation_scores_ == pytest.approx(first.validation_scores_)


def test_targets_at_each_time_step_of_windows(windows, small_rnn):
    y = np.array(windows[:, :, 0]) ** 2
    y[:6] = np.nan  # incomplete windows are not trained on
    model = small_rnn(output="sequence").fit(windows, y)
    plain = small_rnn(output="sequence").fit(np.array(windows)[6:], y[6:])
    np.testing.assert_array_equal(model.predict(windows), plain.predict(windows))


def test_invalid_targets_at_each_time_step_raise(wave, small_rnn):
    model = small_rnn(output="sequence")
    X, _ = make_running_sums(20)
    windows = sliding_windows(wave, 6)
    with pytest.raises(ValueError, match=r"needs a y of shape \(20, 6\), or of .* got \(20, 5\)"):
        model.fit(X, X[:, 1:])
    with pytest.raises(ValueError, match="with output='sequence' it contains a value for"):
        model.fit(windows)
    with pytest.raises(ValueError, match="contains NaN"):
        model.fit(X, np.full((20, 6), np.nan))
    with pytest.raises(ValueError, match=r"or of each time step \(20, 6\), got \(20, 5\)"):
        model.fit(X, X, sample_weight=np.ones((20, 5)))
    with pytest.raises(ValueError, match="y has 2 outputs at each time step, but RNNRegressor was"):
        model.fit(X, X).score(X, np.stack([X, X], axis=2))
    with pytest.raises(ValueError, match="residual=True starts from the last value of a window"):
        model.set_params(residual=True).fit(windows, np.array(windows[:, :, 0]))
    model.set_params(residual=False, network=lambda input_shape: build_rnn(input_shape, 1))
    with pytest.raises(ValueError, match=r"outputs have shape \(None, 1\), but y needs \(None, 6,"):
        model.fit(X, X)


# Errors


@pytest.mark.parametrize(
    ("loss", "match"),
    [
        ("mss", "loss='mss' is not known. Did you mean 'mse'"),
        (dict, r"loss=<class 'dict'> is a class\. Pass an instance"),
    ],
)
def test_invalid_losses_raise(loss, match, windows, small_rnn):
    with pytest.raises(ValueError, match=match):
        small_rnn(loss=loss).fit(windows)


def windows_with(value, row):
    """Return windows of a series with an invalid value in a row."""
    series = np.linspace(0.0, 1.0, 40)[:, None].copy()
    series[row] = value
    return sliding_windows(series, 5)


@pytest.mark.parametrize(
    ("X", "y", "match"),
    [
        (
            sliding_windows(np.zeros((20, 1)), 24, 6),
            None,
            "window_length=24 and horizon=6 need at least 30 rows to fit, got 20",
        ),
        (sliding_windows(np.zeros((20, 1)), 5), np.zeros(19), "X has 20 rows and y has 19"),
        (windows_with(np.nan, 17), None, r"X contains nan in row 17 of the series \(column 0\)"),
        (windows_with(np.inf, 17), None, r"X contains inf in row 17 of the series \(column 0\)"),
        (np.full((9, 3), np.nan), np.zeros(9), "Row 0 of X has no time step without NaN"),
        (np.full((9, 3, 2), np.nan), np.zeros(9), "Row 0 of X has no time step without NaN"),
        (np.full((9, 3), np.inf), np.zeros(9), "Input X contains infinity"),
        (np.zeros(9), np.zeros(9), "Reshape your data"),
        (np.zeros((9, 3, 2, 1)), np.zeros(9), r"expects X of shape .* got shape \(9, 3, 2, 1\)"),
        (np.array([["a", "b"]] * 9), np.zeros(9), "X holds strings"),
        (pd.DataFrame({"day": pd.date_range("2020", periods=9)}), np.zeros(9), "Column 'day' of X"),
        (np.zeros((9, 3)), pd.date_range("2020", periods=9), "y holds times"),
        (np.zeros((9, 3)), pd.Series(list("abcabcabc")), "y holds strings"),
        (
            pd.DataFrame(np.zeros((9, 3)), pd.MultiIndex.from_product([range(3)] * 2)),
            np.zeros(9),
            "X has a MultiIndex",
        ),
        (np.zeros((9, 3)), np.r_[np.zeros(4), np.nan, np.zeros(4)], "NaN in row 4.*Do not shift y"),
        (
            sliding_windows(np.array(list("hello hello"))[:, None], 3),
            None,
            "requires numbers, but the windows contain strings such as 'o'",
        ),
        (np.zeros((9, 0, 1)), np.zeros(9), r"needs time steps and features, got .*\(9, 0, 1\)"),
        (
            pd.DataFrame(np.zeros((9, 2)), columns=["x_lag1", "x_lag2"]),
            np.zeros(9),
            "are lags, but not those of whole windows in time order",
        ),
        (np.zeros((0, 3)), np.zeros(0), r"Found array with 0 sample\(s\)"),
        (np.zeros((9, 3)), None, "requires y to be passed, but the target y is None"),
        (np.zeros((9, 3)), np.full(9, np.nan), "Input y contains NaN"),
        (np.zeros((9, 3)), np.zeros((9, 2, 2)), r"y must be of shape .* got \(9, 2, 2\)"),
        (
            sliding_windows(np.zeros((20, 1)), 5, horizon=0),
            None,
            "With horizon=0 each window contains the row that y=None would predict",
        ),
    ],
    ids=label,
)
def test_invalid_data_raise_and_leave_the_estimator_unfitted(X, y, match, small_rnn):
    rnn = small_rnn()
    before = vars(rnn).copy()
    with pytest.raises(ValueError, match=match):
        rnn.fit(X, y)
    assert vars(rnn) == before
    with pytest.raises(NotFittedError):
        rnn.predict(X)


@pytest.mark.parametrize("warm_start", [False, True])
def test_training_that_diverges_raises_and_leaves_the_previous_fit(warm_start, windows, small_rnn):
    rnn = small_rnn(**PLAIN, warm_start=warm_start).fit(windows)
    before = rnn.predict(windows)
    with pytest.raises(ValueError, match="Training diverged: the loss of epoch 1 is"):
        rnn.fit(windows, windows.target * 1e30)
    np.testing.assert_array_equal(rnn.predict(windows), before)
    assert rnn.n_iter_ == 2
    whole = small_rnn(**PLAIN, epochs=4 if warm_start else 2).fit(windows)
    np.testing.assert_array_equal(rnn.fit(windows).predict(windows), whole.predict(windows))


def test_predict_requires_windows_of_the_fitted_shape(windows, wave, small_rnn):
    rnn = small_rnn().fit(windows)
    with pytest.raises(ValueError, match=r"windows of 5 time steps and 1 features.*fitted on 6"):
        rnn.predict(sliding_windows(wave, 5))
    with pytest.raises(ValueError, match="windows of 6 time steps and 2 features"):
        rnn.predict(np.zeros((3, 6, 2)))
    context = np.zeros((6, 1))
    context[4] = np.nan
    with pytest.raises(ValueError, match="contains nan in the row 2 before X"):
        rnn.predict(sliding_windows(wave, 6, context=context))


def test_score_requires_a_complete_window(windows, small_rnn):
    rnn = small_rnn().fit(windows)
    with pytest.raises(ValueError, match="None of the 4 windows is complete"):
        rnn.score(sliding_windows(np.zeros((4, 1)), 6))


def test_warm_start_rejects_another_delta_of_the_same_loss(windows, small_rnn):
    """The configuration of `keras.losses.Huber` does not contain its delta."""
    rnn = small_rnn(loss=keras.losses.Huber(0.5), warm_start=True).fit(windows)
    with pytest.raises(ValueError, match="cannot be resumed with loss="):
        rnn.set_params(loss=keras.losses.Huber(0.1)).fit(windows)
    assert rnn.set_params(loss=keras.losses.Huber(0.5)).fit(windows).n_iter_ == 4


# Flattened windows


@pytest.fixture
def two_columns(wave):
    return np.column_stack([wave[:, 0], np.cos(np.arange(len(wave)) / 3)])


@pytest.fixture
def stacked_fit(two_columns, small_rnn):
    windows = sliding_windows(two_columns, 4)
    return windows[4:], small_rnn().fit(windows[4:], two_columns[4:, 0])


def lag_frame(series):
    frame = pd.DataFrame(series, columns=["open", "close"])
    transformer = WindowTransformer(4, flatten=True).set_output(transform="pandas")
    return transformer.fit_transform(frame)


def test_sliced_flat_windows_keep_their_features(two_columns, stacked_fit, small_rnn):
    stacked, expected = stacked_fit
    flat = sliding_windows(two_columns, 4, flatten=True)
    rows = np.arange(4, len(flat))
    y = two_columns[4:, 0]
    masked = flat[np.arange(len(flat)) >= 4]
    for X in (flat[4:], flat[rows], masked, pickle.loads(pickle.dumps(flat[4:]))):
        rnn = small_rnn().fit(X, y)
        assert rnn.input_shape_ == (4, 2)
        assert rnn.n_features_in_ == 8
        for other in (flat[4:], np.array(flat[4:]), stacked):
            np.testing.assert_array_equal(rnn.predict(other), expected.predict(stacked))


def test_cross_validation_of_flat_windows_fits_the_same_networks(two_columns, small_rnn):
    y = two_columns[:, 0]
    flat, stacked = (sliding_windows(two_columns, 4, flatten=flag) for flag in (True, False))
    scores = [
        cross_validate(small_rnn(), X, y, cv=TimeSeriesSplit(2))["test_score"]
        for X in (flat, stacked)
    ]
    np.testing.assert_array_equal(*scores)
    search = GridSearchCV(small_rnn(), {"epochs": [1, 2]}, cv=TimeSeriesSplit(2)).fit(flat, y)
    assert search.best_estimator_.input_shape_ == (4, 2)


def test_frame_of_lags_has_the_shape_of_its_names(two_columns, stacked_fit, small_rnn):
    stacked, expected = stacked_fit
    frame = lag_frame(two_columns)
    y = two_columns[:, 0].copy()
    y[:4] = np.nan  # targets of incomplete windows are not read
    rnn = small_rnn().fit(frame, y)
    assert rnn.input_shape_ == (4, 2)
    np.testing.assert_array_equal(rnn.predict(frame)[4:], expected.predict(stacked))
    with pytest.raises(ValueError, match="not those of whole windows in time order"):
        rnn.predict(frame[frame.columns[::-1]])
    for columns in (frame.columns[::-1], frame.columns[1:], frame.columns[[0, 2, 1, 3]]):
        with pytest.raises(ValueError, match="not those of whole windows in time order"):
            small_rnn().fit(frame[columns], two_columns[:, 0])
    with pytest.raises(ValueError, match="None of the 4 windows is complete"):
        small_rnn().fit(frame[:4], two_columns[:4, 0])


def test_n_features_is_the_shape_of_plain_columns(two_columns, stacked_fit, small_rnn):
    stacked, expected = stacked_fit
    X, y = stacked.reshape(len(stacked), -1), two_columns[4:, 0]
    rnn = small_rnn(n_features=2).fit(X, y)
    np.testing.assert_array_equal(rnn.predict(X), expected.predict(stacked))
    assert small_rnn().fit(X, y).input_shape_ == (8, 1)
    with pytest.raises(ValueError, match="8 columns, which is no multiple of the 3 features"):
        small_rnn(n_features=3).fit(X, y)
    flat = sliding_windows(two_columns, 4, flatten=True)
    with pytest.raises(ValueError, match="n_features=4, but X consists of windows of 2 features"):
        small_rnn(n_features=4).fit(flat[4:], y)
    with pytest.raises(ValueError, match="X has 9 features"):
        rnn.predict(np.ones((3, 9)))


# Sequences of unequal lengths


@pytest.fixture(scope="module")
def sequences():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(length, 2)).cumsum(axis=0) for length in (5, 8, 7, 3, 8, 6) * 4]


def padded(sequences):
    X = np.full((len(sequences), max(map(len, sequences)), *sequences[0].shape[1:]), np.nan)
    for row, sequence in zip(X, sequences, strict=True):
        row[: len(sequence)] = sequence
    return X


def test_sequences_of_unequal_lengths(sequences, small_rnn):
    y = np.array([sequence[:, 0].mean() for sequence in sequences])
    X = padded(sequences)
    frame = pd.DataFrame(
        {name: [pd.Series(s[:, i]) for s in sequences] for i, name in enumerate("ab")}
    )
    fits = [small_rnn(epochs=60, learning_rate=0.02).fit(X_, y) for X_ in (sequences, X, frame)]
    assert fits[0].score(sequences, y) > 0.9
    for rnn, X_ in zip(fits, (sequences, X, frame), strict=True):
        np.testing.assert_array_equal(rnn.predict(X_), fits[0].predict(sequences))
    alone = np.concatenate([fits[0].predict(sequence[None]) for sequence in sequences])
    np.testing.assert_allclose(alone, fits[0].predict(sequences), atol=1e-5)


def test_targets_of_the_steps_of_unequal_sequences(sequences, small_rnn):
    """The loss is the mean over the time steps that are not masked."""
    y = [sequence[:, :1] / 2 for sequence in sequences]
    X, targets = padded(sequences), padded(y)
    options = {"output": "sequence", "epochs": 2, "batch_size": len(X)}
    first = small_rnn(**options).fit(sequences, y)
    second = small_rnn(**options).fit(X, targets)
    np.testing.assert_array_equal(first.predict(X), second.predict(X))
    before = small_rnn(**options, learning_rate=1e-12).fit(X, targets)
    valid = ~np.isnan(targets)
    expected = np.mean((before.predict(X) - targets)[valid] ** 2)
    assert before.loss_curve_[-1] == pytest.approx(expected, rel=1e-5)
    assert before.score(X, targets) == pytest.approx(
        r2_score(targets[valid], before.predict(X)[valid])
    )
    options |= {"validation_fraction": 0.1}
    stopped = small_rnn(**options, learning_rate=1e-12, early_stopping=True).fit(X, targets)
    holdout = slice(len(X) - 2, None)
    error = (stopped.predict(X) - targets)[holdout][valid[holdout]]
    assert stopped.validation_loss_curve_[0] == pytest.approx(np.mean(error**2), rel=1e-5)
    targets[1, 2] = np.nan
    with pytest.raises(ValueError, match="Input y contains NaN in row 1"):
        small_rnn(**options).fit(X, targets)


def test_sequences_that_the_network_cannot_mask_raise(sequences, windows, small_rnn):
    y = np.zeros(len(sequences))
    rnn = small_rnn().fit(np.nan_to_num(padded(sequences)), y)
    for X in (padded(sequences), sequences):
        with pytest.raises(ValueError, match="its network does not mask time steps"):
            rnn.predict(X)
    with pytest.raises(ValueError, match="has no layer that masks them"):
        small_rnn(network=keras_builder()).fit(sequences, y)
    with pytest.raises(ValueError, match="fitted on 2"):
        small_rnn().fit(sequences, y).predict([np.ones((3, 1)), np.ones((4, 1))])
    with pytest.raises(ValueError, match="does not accept empty sequences"):
        small_rnn().fit([np.ones((3, 1)), np.ones((0, 1))], [1.0, 2.0])
