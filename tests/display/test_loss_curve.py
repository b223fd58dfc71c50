"""LossCurveDisplay: lines, composite estimators and errors."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skrnn import LossCurveDisplay, RNNRegressor

from .helpers import labels, walk


def test_lines_contain_the_inputs():
    loss, validation = [0.5, 0.3, 0.2, 0.1], [0.6, 0.4, 0.3, 0.35]
    display = LossCurveDisplay(loss, validation, naive_loss=0.25).plot()
    training, held_out, lowest, naive = display.lines_
    assert_array_equal(training.get_xdata(), [1, 2, 3, 4])
    assert_array_equal(training.get_ydata(), loss)
    assert_array_equal(held_out.get_ydata(), validation)
    assert all(tick == round(tick) for tick in display.ax_.get_xticks())
    assert display.best_epoch == 3
    assert (lowest.get_xdata(), lowest.get_ydata()) == ([3], [0.3])
    assert_array_equal(naive.get_ydata(), [0.25, 0.25])
    assert labels(display) == [
        "Training loss",
        "Validation loss",
        "Lowest 0.3, in epoch 3",
        "Naive 0.25",
    ]
    assert display.ax_.get_yscale() == "log"
    assert display.plot(log=False).ax_.get_yscale() == "linear"
    assert labels(display.plot(name="GRU"))[0] == "GRU: training loss"


@pytest.mark.parametrize("loss", [[0.5, 0.0], [0.5, -0.1]])
def test_nonpositive_losses_have_a_linear_scale(loss):
    assert LossCurveDisplay(loss).plot().ax_.get_yscale() == "linear"
    assert LossCurveDisplay([0.5, 0.4], loss).plot().ax_.get_yscale() == "linear"
    assert LossCurveDisplay([0.5, 0.4], naive_loss=0.0).plot().ax_.get_yscale() == "linear"


def test_nan_losses():
    display = LossCurveDisplay([0.5, np.nan, np.nan], [0.6, 0.4, np.nan]).plot()
    assert display.best_epoch == 2
    assert display.ax_.get_yscale() == "log"
    assert LossCurveDisplay([0.5], [np.nan]).plot().best_epoch is None


def test_network_inside_composite_estimators(wave, small_model, small_rnn):
    model = small_model(small_rnn(early_stopping=True)).fit(wave, wave)
    network = model.regressor_[-1]
    _, ax = plt.subplots()
    display = LossCurveDisplay.from_estimator(model, ax=ax, naive_loss=0.01, name="rnn")
    assert display.ax_ is ax
    assert_array_equal(display.lines_[0].get_ydata(), network.loss_curve_)
    assert_array_equal(display.lines_[1].get_ydata(), network.validation_loss_curve_)
    assert display.best_epoch == np.argmin(network.validation_loss_curve_) + 1
    assert (display.naive_loss, display.name) == (0.01, "rnn")


def test_mlp_regressor_in_a_search():
    X = walk(40, 2)
    mlp = make_pipeline(MinMaxScaler(), MLPRegressor(solver="sgd", max_iter=500))
    search = GridSearchCV(mlp, {"mlpregressor__alpha": [1e-4]}, cv=2).fit(X, X[:, 0] / 50)
    display = LossCurveDisplay.from_estimator(search)
    assert_array_equal(display.loss_curve, search.best_estimator_[-1].loss_curve_)
    assert display.validation_loss_curve is None
    assert len(display.lines_) == 1


def test_invalid_input_raises():
    with pytest.raises(ValueError, match="loss_curve has 3, validation_loss_curve has 2"):
        LossCurveDisplay([3, 2, 1], [2, 1])
    with pytest.raises(NotFittedError):
        LossCurveDisplay.from_estimator(RNNRegressor())
    X = walk(40)
    with pytest.raises(ValueError, match="Pipeline has no loss_curve_"):
        LossCurveDisplay.from_estimator(make_pipeline(MinMaxScaler(), Ridge()).fit(X, X))
