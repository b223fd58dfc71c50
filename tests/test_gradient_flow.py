"""How far gradients reach, against networks where it is known."""

import keras
import matplotlib as mpl
import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skrnn import GradientFlowDisplay, WindowTransformer, build_rnn

mpl.use("Agg")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    from matplotlib import pyplot as plt

    plt.close("all")


def one_unit(weight, n_timesteps=30):
    """h = weight h⁻ + 3 x and y = 2 h."""
    model = build_rnn((n_timesteps, 1), 1, "rnn", 1, activation="linear", seed=0)
    values = [[3.0]], [[weight]], [0.0], [[2.0]], [0.0]
    model.set_weights([np.array(value) for value in values])
    return model


@pytest.mark.parametrize("weight", [0.5, 0.9, 1.0, 1.2])
def test_norms_are_powers_of_the_recurrent_weight(weight):
    X = np.random.default_rng(0).normal(size=(6, 30, 1))
    display = GradientFlowDisplay.from_network(one_unit(weight), X)
    np.testing.assert_allclose(display.norms, 6 * weight ** np.arange(30.0), rtol=1e-4)
    assert display.rate == pytest.approx(weight, rel=1e-5)
    (line,) = display.lines_
    np.testing.assert_allclose(line.get_ydata(), weight ** np.arange(30.0), rtol=1e-4)
    assert display.ax_.get_yscale() == "log"
    assert line.get_label() == f"Gradient (×{weight:.3f} a step)"


def test_norms_of_a_cell_are_those_of_finite_differences():
    x = keras.Input((4, 2), dtype="float64")
    y = keras.layers.LSTM(3, dtype="float64")(x)
    model = keras.Model(x, keras.layers.Dense(2, dtype="float64")(y))
    X = np.random.default_rng(0).normal(size=(3, 4, 2))
    slopes = np.zeros((3, 2, 4, 2))
    for t, feature in np.ndindex(4, 2):
        change = np.zeros_like(X)
        change[:, t, feature] = 1e-5
        slopes[:, :, t, feature] = (np.asarray(model(X + change)) - model(X - change)) / 2e-5
    expected = np.sqrt((slopes**2).sum(axis=(1, 3))).mean(axis=0)[::-1]
    display = GradientFlowDisplay.from_network(model, X)
    np.testing.assert_allclose(display.norms, expected, rtol=1e-6)


def test_what_has_all_but_vanished_is_still_told():
    display = GradientFlowDisplay.from_network(one_unit(0.5, 100), np.ones((2, 100, 1)))
    assert display.norms[99] == pytest.approx(6 * 0.5**99, rel=1e-3)
    gone = GradientFlowDisplay.from_network(one_unit(0.01, 100), np.ones((2, 100, 1)))
    assert gone.norms[-1] == 0
    assert gone.rate == pytest.approx(0.01, rel=0.1)


def test_before_and_after_training():
    X = np.ones((3, 30, 1))
    display = GradientFlowDisplay.from_network(
        one_unit(0.9), X, untrained=one_unit(0.5), name="rnn"
    )
    after, before = display.lines_
    assert after.get_label() == "rnn (×0.900 a step)"
    assert before.get_label() == "rnn, untrained (×0.500 a step)"
    assert before.get_color() == after.get_color()
    assert display.untrained_rate == pytest.approx(0.5)


def test_estimator_behind_windows(small_rnn, wave):
    model = make_pipeline(MinMaxScaler(), WindowTransformer(6), small_rnn("gru")).fit(wave, wave)
    display = GradientFlowDisplay.from_estimator(model, wave)
    assert display.norms.shape == (6,)
    assert [line.get_label().split(" (")[0] for line in display.lines_] == ["gru", "gru, untrained"]
    windows = model[:2].transform(wave)
    expected = GradientFlowDisplay.from_network(
        model[-1].model_, windows[windows.n_incomplete :]
    ).norms
    np.testing.assert_allclose(display.norms, expected, rtol=1e-5)
    assert not np.allclose(display.untrained_norms, display.norms, rtol=1e-3)


def test_estimator_on_plain_windows_and_in_the_same_axes(small_rnn, wave):
    X = np.lib.stride_tricks.sliding_window_view(wave[:, 0] / 60, 5)[:-1]
    y = wave[5:, 0] / 60
    first = GradientFlowDisplay.from_estimator(small_rnn("rnn").fit(X, y), X, untrained=False)
    second = GradientFlowDisplay.from_estimator(
        small_rnn("lstm").fit(X, y), X, name="other", ax=first.ax_
    )
    assert second.ax_ is first.ax_
    labels = [text.get_text().split(" (")[0] for text in first.ax_.get_legend().get_texts()]
    assert labels == ["rnn", "other", "other, untrained"]


def test_base_stays_as_it_is_before_training(small_model, small_rnn, wave):
    """At first a network with a base is its base, which looks at the last step alone."""
    model = small_model(small_rnn(residual=True)).fit(wave, wave)
    display = GradientFlowDisplay.from_estimator(model, wave)
    assert display.untrained_norms[0] > 0.5
    assert display.norms.shape == (6,)


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("log", [True, False])
def test_scales(relative, log):
    display = GradientFlowDisplay([2.0, 1.0, 0.0])
    display.plot(relative=relative, log=log, line_kwargs={"color": "k"})
    first = 1 if relative else 2
    expected = [first, first / 2, np.nan if log else 0]
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), expected)
    assert display.ax_.get_yscale() == ("log" if log else "linear")
    assert display.lines_[0].get_color() == "k"
    assert display.rate == 0.5


def test_rate_of_one_step_is_unknown():
    display = GradientFlowDisplay([1.0]).plot()
    assert np.isnan(display.rate)
    assert display.lines_[0].get_label() == "Gradient"


def test_errors(wave):
    with pytest.raises(ValueError, match=r"norms must be of shape \(n_timesteps,\), got \(1, 2\)"):
        GradientFlowDisplay([[1.0, 2.0]])
    with pytest.raises(ValueError, match="norms has 2 steps and untrained_norms 1"):
        GradientFlowDisplay([1.0, 2.0], untrained_norms=[1.0])
    with pytest.raises(ValueError, match=r"X must hold windows, .* got shape \(0, 30, 1\)"):
        GradientFlowDisplay.from_network(one_unit(1.0), np.ones((0, 30, 1)))
    with pytest.raises(ValueError, match="Ridge has no model_"):
        GradientFlowDisplay.from_estimator(Ridge().fit(wave, wave), wave)
