"""Base forecasts of RNNRegressor: the linear forecast, and the weight of the network."""

import pickle
import signal

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrnn import RNNRegressor, WindowTransformer, build_rnn, sliding_windows
from skrnn._linear import LinearForecast, shrinkage_weights
from skrnn._shrinkage import james_stein_weight

# Keras converts its variables to arrays in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

LENGTH = 6


def autoregression(n_rows=200, coefficient=0.5, seed=0):
    """Return a stationary series of which the change from the last value is predictable."""
    noise, series = np.random.default_rng(seed).normal(size=n_rows), np.zeros(n_rows)
    for i in range(1, n_rows):
        series[i] = coefficient * series[i - 1] + noise[i]
    return series[:, None]


def random_walk(n_rows=200, seed=0):
    return np.random.default_rng(seed).normal(size=(n_rows, 1)).cumsum(axis=0)


def logistic_map(n_rows=500):
    """Return a series whose next value is a nonlinear function of the last one."""
    series = np.full(n_rows, 0.3)
    for i in range(1, n_rows):
        series[i] = 3.9 * series[i - 1] * (1 - series[i - 1])
    return series[:, None]


@pytest.fixture(scope="module")
def windows():
    return sliding_windows(autoregression(), LENGTH)


def centered(windows, rows):
    """Return windows relative to their last row, as rows of features, in a naive way."""
    return np.array([(windows[i] - windows[i][-1]).ravel() for i in rows])


def coefficients_of(rnn):
    return np.vstack(rnn.model_.get_layer("linear_change").get_weights())


def is_linear(rnn):
    return any(layer.name == "linear_change" for layer in rnn.model_.layers)


# The linear forecast


def test_the_linear_forecast_is_ridge_regression_on_windows_relative_to_their_last_row():
    series = np.hstack([autoregression(seed=1), 3 * autoregression(seed=2)])
    windows = sliding_windows(series, LENGTH)
    changes = windows.target[LENGTH:] - series[LENGTH - 1 : -1]
    changes = np.vstack([np.zeros((LENGTH, 2)), changes])
    rows = range(LENGTH, 150)
    X = centered(windows, rows)
    squares = [np.mean(X[:, column::2] ** 2) for column in (0, 1)]
    scale = np.tile(np.sqrt(squares), LENGTH)
    linear = LinearForecast(windows, changes, [0, 1], 0).fit(rows)
    ridge = Ridge(linear._model.alpha).fit(X / scale, changes[rows])
    np.testing.assert_allclose(linear.coefficients[:-1], ridge.coef_.T / scale[:, None], rtol=1e-8)
    np.testing.assert_allclose(linear.coefficients[-1], ridge.intercept_, rtol=1e-8)
    errors = []
    for alpha in np.logspace(-4, 4, 17):
        kernel = (X / scale - (X / scale).mean(axis=0)) @ (X / scale - (X / scale).mean(axis=0)).T
        hat = kernel @ np.linalg.inv(kernel + alpha * np.eye(len(rows))) + 1 / len(rows)
        left_out = (changes[rows] - hat @ changes[rows]) / (1 - np.diag(hat))[:, None]
        errors.append(np.mean(left_out**2))
    assert linear._model.alpha == pytest.approx(np.logspace(-4, 4, 17)[np.argmin(errors)])


def test_rows_of_weight_zero_have_no_effect_on_the_linear_forecast(windows):
    changes = windows.target - np.vstack([[[0.0]], windows.target[:-1]])
    weights = np.ones(len(windows))
    weights[100:] = 0
    rows = range(LENGTH, len(windows))
    weighted = LinearForecast(windows, changes, [0], 0, weights).fit(rows)
    fewer = LinearForecast(windows, changes, [0], 0).fit(range(LENGTH, 100))
    np.testing.assert_allclose(weighted.coefficients, fewer.coefficients, rtol=1e-8)
    weights[7:] = 0  # a single row remains
    alone = LinearForecast(windows, changes, [0], 0, weights).fit(rows)
    np.testing.assert_array_equal(alone.coefficients, np.zeros((LENGTH + 1, 1)))


def test_weights_of_rows_are_those_of_repeated_rows_in_the_shrinkage():
    rng = np.random.default_rng(0)
    targets = rng.normal(size=(60, 1))
    predictions = 0.5 * targets + rng.normal(scale=0.3, size=(60, 1))
    weights = np.ones(60)
    weights[30:] = 0
    weighted = shrinkage_weights(predictions, targets, [0], 0, weights)
    targets[30:], predictions[30:] = 0, 0
    assert weighted == pytest.approx(shrinkage_weights(predictions, targets, [0], 0))
    doubled = shrinkage_weights(predictions, targets, [0], 0, np.full(60, 2.0))
    assert doubled == pytest.approx(shrinkage_weights(predictions, targets, [0], 0))


def test_overlapping_forecasts_reduce_the_weight():
    """Forecasts several steps ahead have correlated gains, so that fewer count."""
    rng = np.random.default_rng(0)
    noise = np.convolve(rng.normal(size=99), np.ones(10), "valid")[:, None, None]
    targets = np.convolve(rng.normal(size=99), np.ones(10), "valid")[:, None, None]
    predictions, times = 0.5 * targets + noise, np.arange(90)
    weights = [james_stein_weight(predictions, targets, times, lags) for lags in (0, 9)]
    assert weights[1] < weights[0]


def test_the_base_forecast_of_a_fit_is_that_of_all_rows_times_its_weight(windows):
    rnn = RNNRegressor("rnn", 2, epochs=1, learning_rate=1e-12, random_state=0).fit(windows)
    rows = range(LENGTH, len(windows))
    n_holdout = round(0.2 * len(rows))
    holdout = rows[-n_holdout:]
    train = rows[: -n_holdout - LENGTH]
    last = np.vstack([[[0.0]], windows.target[:-1]])
    changes = windows.target - last
    linear = LinearForecast(windows, changes, [0], 0).fit(train)
    predictions = centered(windows, holdout) @ linear.coefficients[:-1] + linear.coefficients[-1]
    weight = james_stein_weight(
        predictions[..., None], changes[holdout][..., None], np.arange(n_holdout)
    )
    assert 0.5 < weight < 1
    expected = weight * linear.refit(rows)
    np.testing.assert_allclose(coefficients_of(rnn), expected, rtol=1e-5, atol=1e-7)
    forecast = last[rows] + centered(windows, rows) @ expected[:-1] + expected[-1]
    np.testing.assert_allclose(rnn.predict(windows)[rows], forecast, rtol=1e-4, atol=1e-5)


# The weight of the network


@pytest.mark.parametrize("seed", range(4))
def test_on_random_walks_the_forecast_is_about_that_of_the_last_value(seed):
    series = random_walk(400, seed)
    rnn = RNNRegressor("gru", 8, epochs=10, learning_rate=0.01, random_state=seed)
    model = make_pipeline(WindowTransformer(LENGTH), rnn).fit(series[:300])
    y_pred, test = model.predict(series[300:]), series[300:]
    naive = np.sqrt(np.mean((test[1:] - test[:-1]) ** 2))
    assert np.sqrt(np.mean((test[1:] - y_pred[1:]) ** 2)) <= 1.005 * naive
    assert 0 <= rnn.network_weight_.min() <= rnn.network_weight_.max() <= 1


def test_the_weight_of_a_network_that_learns_a_nonlinear_series_is_almost_one():
    windows = sliding_windows(logistic_map(), 3)
    rnn = RNNRegressor("gru", 16, epochs=60, learning_rate=0.01, random_state=0).fit(windows)
    assert 0.9 < rnn.network_weight_[0] <= 1
    layer = rnn.model_.get_layer("network_weight")
    np.testing.assert_allclose(layer.get_weights()[0], np.diag(rnn.network_weight_))
    assert rnn.score(windows) > 0.9


def test_a_network_that_learns_nothing_has_weight_zero():
    windows = sliding_windows(random_walk(), LENGTH)
    settings = {"epochs": 3, "learning_rate": 0.3, "random_state": 0}
    rnn = RNNRegressor("rnn", 4, residual=True, early_stopping=True, **settings).fit(windows)
    np.testing.assert_array_equal(rnn.network_weight_, [0.0])
    np.testing.assert_array_equal(rnn.predict(windows)[LENGTH:], windows.target[LENGTH - 1 : -1])


def test_the_weight_is_the_james_stein_weight_of_the_holdout():
    windows = sliding_windows(logistic_map(200), 3)
    settings = {"epochs": 8, "learning_rate": 0.01, "random_state": 0}
    rnn = RNNRegressor("gru", 8, residual=True, **settings).fit(windows)
    holdout = slice(len(windows) - round(0.2 * (len(windows) - 3)), None)
    last = windows.target[holdout.start - 1 : -1]
    change = (rnn.predict(windows)[holdout] - last) / rnn.network_weight_
    target = windows.target[holdout] - last
    expected = james_stein_weight(change[..., None], target[..., None], np.arange(len(target)))
    assert 0 < expected < 1
    assert rnn.network_weight_[0] == pytest.approx(expected, rel=1e-4)


def test_network_weight_needs_a_base_forecast(windows, small_rnn):
    with pytest.raises(AttributeError, match="is not fitted yet, so it has no network_weight_"):
        _ = small_rnn().network_weight_
    rnn = small_rnn(residual=False).fit(windows)
    with pytest.raises(AttributeError, match="was fitted without a base forecast"):
        _ = rnn.network_weight_
    kept = small_rnn(early_stopping=False).fit(windows)
    np.testing.assert_array_equal(kept.network_weight_, [1.0])


def test_outputs_of_one_column_have_the_same_weight(small_rnn):
    series = np.hstack([logistic_map(150), random_walk(150)])
    windows = sliding_windows(series, LENGTH)
    rnn = small_rnn(epochs=5).fit(windows, series[:, [0, 1, 0]])
    assert rnn.network_weight_.shape == (3,)
    assert rnn.network_weight_[0] == rnn.network_weight_[2]


# What "auto" means


def test_auto_is_a_linear_base_forecast_for_windows_of_a_column_of_the_series(windows, small_rnn):
    rnn, explicit = (
        small_rnn(**parameters).fit(windows)
        for parameters in (
            {},
            {"residual": "linear", "center_windows": True, "early_stopping": True},
        )
    )
    assert is_linear(rnn)
    assert hasattr(rnn, "validation_scores_")
    np.testing.assert_array_equal(rnn.predict(windows), explicit.predict(windows))
    shifted = small_rnn().fit(windows, 3 * windows.target[:, 0] - 7)
    assert is_linear(shifted)


def plain_array(windows):
    return windows[LENGTH:], windows.target[LENGTH:]


def other_target(windows):
    return windows, np.random.default_rng(5).normal(size=len(windows))


def nowcast(windows):
    return sliding_windows(windows.target, LENGTH, horizon=0), windows.target


def each_step(windows):
    return windows[LENGTH:], windows[LENGTH:]


@pytest.mark.parametrize(
    ("data", "parameters"),
    [
        (plain_array, {}),
        (other_target, {}),
        (nowcast, {}),
        (each_step, {"output": "sequence"}),
        (lambda windows: (windows, None), {"network": lambda **options: build_rnn(**options)}),
    ],
    ids=["array", "no column", "horizon 0", "sequence", "network"],
)
def test_otherwise_auto_is_no_base_forecast_and_no_early_stopping(
    data, parameters, windows, small_rnn
):
    X, y = data(windows)
    rnn = small_rnn(**parameters).fit(X, y)
    plain = small_rnn(**parameters, residual=False, early_stopping=False, center_windows=False)
    np.testing.assert_array_equal(rnn.predict(X), plain.fit(X, y).predict(X))
    assert not hasattr(rnn, "validation_scores_")
    assert not hasattr(rnn, "network_weight_")
    if not parameters.get("network"):
        with pytest.raises(ValueError, match=r"residual='linear'|no column of the series"):
            small_rnn(**parameters, residual="linear").fit(X, y)


@pytest.mark.parametrize(("n_complete", "has_holdout"), [(47, False), (48, True)])
def test_auto_needs_ten_windows_in_the_holdout(n_complete, has_holdout, small_rnn):
    series = autoregression(n_complete + LENGTH)
    rnn = small_rnn().fit(sliding_windows(series, LENGTH))
    assert round(0.2 * n_complete) == (10 if has_holdout else 9)
    assert hasattr(rnn, "validation_scores_") == has_holdout
    assert is_linear(rnn)


def test_auto_needs_ten_windows_to_train_on(small_rnn):
    for n_complete, has_holdout in ((25, False), (26, True)):
        windows = sliding_windows(autoregression(n_complete + LENGTH), LENGTH)
        rnn = small_rnn(validation_fraction=0.4).fit(windows)
        assert n_complete - round(0.4 * n_complete) - LENGTH == (10 if has_holdout else 9)
        assert hasattr(rnn, "validation_scores_") == has_holdout


def test_partial_fit_has_no_holdout(windows, small_rnn):
    rnn = small_rnn(residual="linear").partial_fit(windows)
    assert is_linear(rnn)
    assert not hasattr(rnn, "validation_scores_")
    np.testing.assert_array_equal(rnn.network_weight_, [1.0])
    for early_stopping in (True, np.True_):
        with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
            small_rnn(early_stopping=early_stopping).partial_fit(windows)


def test_auto_in_a_first_partial_fit_is_no_base_forecast(windows, small_rnn):
    rnn = small_rnn().partial_fit(windows)
    plain = small_rnn(residual=False).partial_fit(windows)
    assert not hasattr(rnn, "network_weight_")
    np.testing.assert_array_equal(rnn.predict(windows), plain.predict(windows))


# Resumed training, errors and interrupts


def test_partial_fit_keeps_the_base_forecast_and_the_weight(small_rnn):
    windows = sliding_windows(logistic_map(200), 3)
    rnn = small_rnn(epochs=5).fit(windows)
    weight, coefficients = rnn.network_weight_, coefficients_of(rnn)
    before = rnn.predict(windows)
    rnn.partial_fit(windows)
    np.testing.assert_array_equal(rnn.network_weight_, weight)
    np.testing.assert_array_equal(coefficients_of(rnn), coefficients)
    assert not np.array_equal(rnn.predict(windows), before)


def test_warm_start_continues_as_one_fit():
    """The base forecast of the training rows is set again, and the weight is that of the end."""
    windows = sliding_windows(logistic_map(), 3)
    rnn = RNNRegressor("gru", 16, learning_rate=0.01, random_state=0)
    whole = clone(rnn).set_params(epochs=12).fit(windows)
    assert max(np.diff(whole.validation_loss_curve_)) < 0  # no earlier weights are restored
    assert whole.network_weight_[0] > 0
    half = rnn.set_params(epochs=6, warm_start=True).fit(windows).fit(windows)
    np.testing.assert_array_equal(half.predict(windows), whole.predict(windows))
    assert half.validation_loss_curve_ == whole.validation_loss_curve_
    np.testing.assert_array_equal(half.network_weight_, whole.network_weight_)


@pytest.mark.parametrize("warm_start", [False, True])
def test_errors_leave_the_previous_fit(warm_start, windows, small_rnn):
    rnn = small_rnn(warm_start=warm_start).fit(windows)
    before, attributes = rnn.predict(windows), vars(rnn).copy()

    def fail(epoch, logs):
        raise RuntimeError("in an epoch")

    callback = keras.callbacks.LambdaCallback(on_epoch_end=fail)
    with pytest.raises(RuntimeError, match="in an epoch"):
        rnn.set_params(callbacks=[callback]).fit(windows)
    assert vars(rnn) == attributes | {"callbacks": [callback]}
    np.testing.assert_array_equal(rnn.predict(windows), before)


def test_after_an_interrupt_the_fit_is_that_of_the_epochs_so_far(windows, small_rnn):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        callback = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: epoch == 1 and signal.raise_signal(signal.SIGINT)
        )
        rnn = small_rnn(epochs=9, callbacks=[callback])
        with pytest.raises(KeyboardInterrupt):
            rnn.fit(windows)
    finally:
        signal.signal(signal.SIGINT, before)
    whole = small_rnn(epochs=2).fit(windows)
    np.testing.assert_array_equal(rnn.predict(windows), whole.predict(windows))
    np.testing.assert_array_equal(rnn.network_weight_, whole.network_weight_)


def test_pickles_predict_the_same_and_those_of_earlier_versions_raise(windows, small_rnn):
    rnn = small_rnn().fit(windows)
    copied = pickle.loads(pickle.dumps(rnn))
    np.testing.assert_array_equal(copied.predict(windows), rnn.predict(windows))
    network = rnn._network
    state = network.__getstate__()
    del state["_frozen_indices"]
    with pytest.raises(ValueError, match="of an earlier version of skrnn"):
        object.__new__(type(network)).__setstate__(state)


# The model


@pytest.mark.parametrize(
    "policy",
    [
        "float32",
        *(
            pytest.param(policy, marks=pytest.mark.slow)
            for policy in ("mixed_float16", "mixed_bfloat16", "float64")
        ),
    ],
)
@pytest.mark.parametrize("scale_windows", [False, True])
def test_the_saved_model_predicts_the_same(policy, scale_windows, dtype_policy, tmp_path):
    dtype_policy(policy)
    windows = sliding_windows(np.hstack([logistic_map(150), autoregression(150)]), LENGTH)
    rnn = RNNRegressor("gru", 4, epochs=3, scale_windows=scale_windows, random_state=0)
    rnn.fit(windows)
    rnn.model_.save(tmp_path / "model.keras")
    model = keras.models.load_model(tmp_path / "model.keras")
    X = np.asarray(windows[LENGTH:], dtype=rnn._network.input_dtype)
    expected = rnn.predict(windows)[LENGTH:]
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "parameters",
    [
        {"scale_windows": True, "segment_length": 3},
        *(
            pytest.param(parameters, marks=pytest.mark.slow)
            for parameters in (
                {},
                {"residual": True, "center_windows": [1]},
                {"residual": False, "center_windows": True, "dropout": 0.2},
            )
        ),
    ],
    ids=str,
)
def test_training_is_that_of_keras(parameters):
    series = np.hstack([logistic_map(120), autoregression(120)])
    windows = sliding_windows(series, LENGTH)
    rnn = RNNRegressor("gru", 3, epochs=2, random_state=0, **parameters)
    fused = clone(rnn).fit(windows)
    assert fused._network._supports_fused_engine
    hook = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    by_keras = rnn.set_params(callbacks=[hook]).fit(windows)
    np.testing.assert_allclose(fused.loss_curve_, by_keras.loss_curve_, rtol=1e-4)
    np.testing.assert_allclose(
        fused.predict(windows), by_keras.predict(windows), rtol=1e-4, atol=1e-4
    )


def test_centering_of_some_features_is_that_of_centered_inputs():
    windows = np.random.default_rng(0).normal(size=(5, LENGTH, 3)).astype("float32")
    arguments = (LENGTH, 3), 2, "gru", 4
    by_hand = windows.copy()
    by_hand[:, :, [0, 2]] -= windows[:, -1:, [0, 2]]
    model, plain = (
        build_rnn(*arguments, seed=0, center_windows=center) for center in ([0, 2], False)
    )
    np.testing.assert_allclose(model(windows), plain(by_hand), rtol=1e-5, atol=1e-6)
    everything = build_rnn(*arguments, seed=0, center_windows=True)
    np.testing.assert_allclose(
        everything(windows), plain(windows - windows[:, -1:]), rtol=1e-5, atol=1e-6
    )


def test_windows_of_one_row_are_not_centered(small_rnn):
    """They would be zeros."""
    windows = sliding_windows(autoregression(), 1)
    rnn, plain = (small_rnn(center_windows=center).fit(windows) for center in ("auto", False))
    np.testing.assert_array_equal(rnn.predict(windows), plain.predict(windows))


@pytest.mark.parametrize("center", [[3], [-1], [0.5], [], [[0]]])
def test_center_windows_needs_indices_of_features(center, windows, small_rnn):
    with pytest.raises(ValueError, match=r"center_windows=.* must contain indices of features"):
        small_rnn(center_windows=center).fit(windows)


def test_scaled_windows_are_divided_by_their_root_mean_square():
    windows = np.random.default_rng(0).normal(size=(5, LENGTH, 2)).astype("float32")
    relative = windows - windows[:, -1:]
    by_hand = relative / np.sqrt(np.mean(relative**2, axis=1, keepdims=True))
    scaled, plain = (
        build_rnn((LENGTH, 2), 2, "gru", 4, seed=0, scale_windows=scale) for scale in (True, False)
    )
    np.testing.assert_allclose(scaled(windows), plain(by_hand), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("residual", [True, "linear"])
def test_with_scale_windows_the_change_is_proportional_to_the_spread_of_a_window(residual):
    windows = sliding_windows(logistic_map(300), LENGTH)
    settings = {"epochs": 5, "learning_rate": 0.01, "random_state": 0}
    rnn = RNNRegressor("gru", 8, residual=residual, scale_windows=True, **settings).fit(windows)
    assert rnn.network_weight_[0] > 0
    X = np.array(windows[LENGTH : LENGTH + 20])
    last = X[:, -1:]
    change = rnn.predict(X) - last[:, 0]
    intercept = coefficients_of(rnn)[-1] if residual == "linear" else 0.0
    multiplied = rnn.predict(last + 10 * (X - last)) - last[:, 0]
    np.testing.assert_allclose(multiplied - intercept, 10 * (change - intercept), rtol=1e-3)


def test_scale_windows_needs_a_base_forecast(windows, small_rnn):
    for X, y, residual in ((windows, None, False), (*plain_array(windows), "auto")):
        with pytest.raises(ValueError, match=r"scale_windows=True with residual=.* needs a base"):
            small_rnn(scale_windows=True, residual=residual).fit(X, y)


def test_segments_are_the_time_steps_of_the_recurrent_layer():
    windows = np.random.default_rng(0).normal(size=(5, 6, 2)).astype("float32")
    model = build_rnn((6, 2), 1, "gru", 4, seed=0, segment_length=3)
    recurrent = next(layer for layer in model.layers if isinstance(layer, keras.layers.GRU))
    assert recurrent.input.shape == (None, 2, 6)
    by_hand = np.array([[window[:3].ravel(), window[3:].ravel()] for window in windows])
    plain = build_rnn((2, 6), 1, "gru", 4, seed=0)
    np.testing.assert_allclose(model(windows), plain(by_hand), rtol=1e-5, atol=1e-6)


def test_invalid_segments_raise(windows, small_rnn):
    with pytest.raises(ValueError, match="segment_length=4 does not divide the 6 rows"):
        small_rnn(segment_length=4).fit(windows)
    with pytest.raises(ValueError, match="with output='sequence' would return an output for each"):
        small_rnn(segment_length=3, output="sequence").fit(*each_step(windows))
    with pytest.raises(ValueError, match="segment_length=3 and chunk_length=2 cannot be combined"):
        small_rnn(segment_length=3, chunk_length=2).fit(windows)
    sequences = [np.ones((length, 1)) for length in (3, 4, 5)]
    for parameters in ({"segment_length": 1}, {"center_windows": True}):
        with pytest.raises(ValueError, match="need windows of a fixed length without masked"):
            small_rnn(**parameters).fit(sequences, np.arange(3.0))


def test_custom_networks_get_the_settings_of_windows_that_are_set(windows, small_rnn):
    names = []

    def build(input_shape, n_outputs, **options):
        names.append({*options} & {"center_windows", "scale_windows", "segment_length"})
        return build_rnn(input_shape, n_outputs, **options)

    small_rnn(network=build, residual="linear").fit(windows)
    small_rnn(network=build, center_windows=True, segment_length=2).fit(windows)
    assert names == [set(), {"center_windows", "segment_length"}]


# With other estimators


def test_a_target_that_is_scaled_separately_from_the_windows():
    series = 50 + 10 * autoregression()
    rnn = RNNRegressor("rnn", 2, epochs=1, learning_rate=1e-12, random_state=0)
    plain = make_pipeline(WindowTransformer(LENGTH), clone(rnn)).fit(series[:150])
    scaled = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), WindowTransformer(LENGTH), rnn),
        transformer=StandardScaler(),
    ).fit(series[:150], series[:150])
    np.testing.assert_allclose(scaled.predict(series[150:]), plain.predict(series[150:]), rtol=1e-4)


def test_set_output_of_the_windows(small_rnn):
    pytest.importorskip("pandas")
    series = autoregression()
    model = make_pipeline(WindowTransformer(LENGTH), small_rnn())
    frames = clone(model).set_output(transform="pandas").fit(series[:150], series[:150])
    assert frames.predict(series[150:]).shape == (50, 1)
