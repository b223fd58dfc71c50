"""GradientFlowDisplay against networks whose gradients are known."""

import keras
import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skrnn import GradientFlowDisplay, RNNRegressor, WindowTransformer, build_rnn


def linear_rnn(weight, n_timesteps=12):
    """Return a network with h = weight h⁻ + 3 x and y = 2 h."""
    model = build_rnn((n_timesteps, 1), 1, "rnn", 1, activation="linear", seed=0)
    values = [[3.0]], [[weight]], [0.0], [[2.0]], [0.0]
    model.set_weights([np.array(value) for value in values])
    return model


@pytest.mark.parametrize("weight", [0.5, 1.2])
def test_norms_are_powers_of_the_recurrent_weight(weight):
    X = np.random.default_rng(0).normal(size=(6, 12, 1))
    display = GradientFlowDisplay.from_network(linear_rnn(weight), X)
    np.testing.assert_allclose(display.norms, 6 * weight ** np.arange(12.0), rtol=1e-4)
    assert display.rate == pytest.approx(weight, rel=1e-5)
    (line,) = display.lines_
    np.testing.assert_allclose(line.get_ydata(), weight ** np.arange(12.0), rtol=1e-4)
    assert display.ax_.get_yscale() == "log"
    assert line.get_label() == f"Gradient (×{weight:.3f} per step)"


def test_norms_equal_finite_differences():
    x = keras.Input((4, 2), dtype="float64")
    y = keras.layers.LSTM(3, dtype="float64")(x)
    model = keras.Model(x, keras.layers.Dense(2, dtype="float64")(y))
    X = np.random.default_rng(0).normal(size=(3, 4, 2))
    gradients = np.zeros((3, 2, 4, 2))
    for t, feature in np.ndindex(4, 2):
        change = np.zeros_like(X)
        change[:, t, feature] = 1e-5
        gradients[:, :, t, feature] = (np.asarray(model(X + change)) - model(X - change)) / 2e-5
    expected = np.sqrt((gradients**2).sum(axis=(1, 3))).mean(axis=0)[::-1]
    display = GradientFlowDisplay.from_network(model, X)
    np.testing.assert_allclose(display.norms, expected, rtol=1e-6)


def test_vanishing_gradients():
    display = GradientFlowDisplay.from_network(linear_rnn(0.5, 100), np.ones((2, 100, 1)))
    assert display.norms[99] == pytest.approx(6 * 0.5**99, rel=1e-3)
    vanished = GradientFlowDisplay.from_network(linear_rnn(0.01, 100), np.ones((2, 100, 1)))
    assert vanished.norms[-1] == 0
    assert vanished.rate == pytest.approx(0.01, rel=0.1)


def test_untrained_network():
    X = np.ones((3, 12, 1))
    display = GradientFlowDisplay.from_network(
        linear_rnn(0.9), X, untrained=linear_rnn(0.5), name="rnn"
    )
    trained, untrained = display.lines_
    assert trained.get_label() == "rnn (×0.900 per step)"
    assert untrained.get_label() == "rnn, untrained (×0.500 per step)"
    assert untrained.get_color() == trained.get_color()
    assert display.untrained_rate == pytest.approx(0.5)


@pytest.fixture(scope="module")
def series():
    return np.sin(np.arange(60) / 4)[:, None]


@pytest.fixture(scope="module")
def model(series):
    rnn = RNNRegressor("gru", 4, epochs=2, residual=False, random_state=0)
    return make_pipeline(MinMaxScaler(), WindowTransformer(6), rnn).fit(series, series)


def test_estimator_with_windows(model, series):
    display = GradientFlowDisplay.from_estimator(model, series)
    assert display.norms.shape == (6,)
    assert [line.get_label().split(" (")[0] for line in display.lines_] == ["gru", "gru, untrained"]
    windows = model[:2].transform(series)
    complete = windows[windows.n_incomplete :]
    expected = GradientFlowDisplay.from_network(model[-1].model_, complete).norms
    np.testing.assert_allclose(display.norms, expected, rtol=1e-5)
    assert not np.allclose(display.untrained_norms, display.norms, rtol=1e-3)


def test_two_estimators_on_the_same_axes(model, series):
    rnn, X = model[-1], np.array(model[:2].transform(series))
    first = GradientFlowDisplay.from_estimator(rnn, X, untrained=False)
    second = GradientFlowDisplay.from_estimator(rnn, X, name="other", ax=first.ax_)
    assert second.ax_ is first.ax_
    labels = [text.get_text().split(" (")[0] for text in first.ax_.get_legend().get_texts()]
    assert labels == ["gru", "other", "other, untrained"]


@pytest.mark.parametrize("residual", [True, "linear"])
def test_base_forecasts_are_not_part_of_the_gradient(residual, series):
    """The gradient is that of the network alone, with respect to windows relative to their end."""
    rnn = RNNRegressor("rnn", 4, epochs=2, random_state=0, residual=residual)
    model = make_pipeline(MinMaxScaler(), WindowTransformer(6), rnn).fit(series, series)
    display = GradientFlowDisplay.from_estimator(model, series)
    windows = model[:2].transform(series)
    windows = np.array(windows[windows.n_incomplete :])
    network = build_rnn((6, 1), 1, "rnn", 4)
    network.set_weights([weights.numpy() for weights in rnn.model_.trainable_variables])
    expected = GradientFlowDisplay.from_network(network, windows - windows[:, -1:]).norms
    np.testing.assert_allclose(display.norms, expected, rtol=1e-4)
    assert display.untrained_norms.min() > 0


def test_base_forecasts_of_custom_networks_are_not_part_of_the_gradient(series):
    def build(input_shape, n_outputs):
        return build_rnn(input_shape, n_outputs, "rnn", 4, seed=0)

    rnn = RNNRegressor(network=build, epochs=2, random_state=0, residual=True)
    model = make_pipeline(MinMaxScaler(), WindowTransformer(6), rnn).fit(series, series)
    display = GradientFlowDisplay.from_estimator(model, series)
    windows = model[:2].transform(series)
    network = build_rnn((6, 1), 1, "rnn", 4)
    network.set_weights([weights.numpy() for weights in rnn.model_.trainable_variables])
    expected = GradientFlowDisplay.from_network(network, windows[windows.n_incomplete :]).norms
    np.testing.assert_allclose(display.norms, expected, rtol=1e-4)


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("log", [True, False])
def test_relative_and_logarithmic_scales(relative, log):
    display = GradientFlowDisplay([2.0, 1.0, 0.0])
    display.plot(relative=relative, log=log, line_kwargs={"color": "k"})
    first = 1 if relative else 2
    expected = [first, first / 2, np.nan if log else 0]
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), expected)
    assert display.ax_.get_yscale() == ("log" if log else "linear")
    assert display.lines_[0].get_color() == "k"
    assert display.rate == 0.5


def test_rate_of_a_single_step_is_nan():
    display = GradientFlowDisplay([1.0]).plot()
    assert np.isnan(display.rate)
    assert display.lines_[0].get_label() == "Gradient"


def test_invalid_input_raises(series):
    with pytest.raises(ValueError, match=r"norms must be of shape \(n_timesteps,\), got \(1, 2\)"):
        GradientFlowDisplay([[1.0, 2.0]])
    with pytest.raises(ValueError, match="norms has 2 steps and untrained_norms 1"):
        GradientFlowDisplay([1.0, 2.0], untrained_norms=[1.0])
    with pytest.raises(ValueError, match=r"X must contain windows, .* got shape \(0, 12, 1\)"):
        GradientFlowDisplay.from_network(linear_rnn(1.0), np.ones((0, 12, 1)))
    with pytest.raises(ValueError, match="Ridge has no model_"):
        GradientFlowDisplay.from_estimator(Ridge().fit(series, series), series)
