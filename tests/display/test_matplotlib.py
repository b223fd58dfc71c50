"""Axes, ticks, legends and settings of all displays."""

import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import dates
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from numpy.testing import assert_array_equal

from skrnn import ForecastDisplay, LossCurveDisplay

from .helpers import N_TRAIN, labels, ridge, scaled_target, split, walk


def test_pandas_index_is_the_x_axis():
    days = pd.date_range("2024-01-01", periods=120, name="day")
    frame = pd.DataFrame(walk(), columns=["close"], index=days)
    train, test = split(frame)
    model = scaled_target().fit(train, train["close"])
    for y in (test["close"], test["close"].to_numpy()):
        display = ForecastDisplay.from_estimator(model, test, y)
        assert_array_equal(display.lines_[0].get_xdata(), days[N_TRAIN:])
        assert display.ax_.get_xlabel() == "day"
        assert isinstance(display.ax_.xaxis.get_major_formatter(), dates.ConciseDateFormatter)
    display = ForecastDisplay.from_estimator(model, test, test["close"], index=[*range(7, 47)])
    assert_array_equal(display.lines_[0].get_xdata(), np.arange(7, 47))
    display = ForecastDisplay.from_estimator(model, train, train["close"])  # incomplete rows
    assert_array_equal(display.lines_[1].get_xdata(), days[5:N_TRAIN])
    display = ForecastDisplay.from_predictions(test["close"], model.predict(test))
    assert_array_equal(display.lines_[0].get_xdata(), days[N_TRAIN:])
    assert display.ax_.get_ylabel() == "close"


def test_float_index_has_float_ticks():
    index = np.linspace(0, 1, 5)
    display = ForecastDisplay.from_predictions(np.arange(5.0), np.arange(5.0), index=index)
    assert_array_equal(display.lines_[0].get_xdata(), index)
    assert display.ax_.get_xlabel() == ""
    assert 0.4 in display.ax_.get_xticks().round(3)


def test_ticks_set_by_the_user_are_preserved():
    _, ax = plt.subplots()
    ax.set_xticks([1, 2])
    LossCurveDisplay([3.0, 2.0]).plot(ax)
    assert_array_equal(ax.get_xticks(), [1, 2])


@pytest.mark.parametrize("tz", [None, "Europe/Vienna"])
def test_periods_and_time_zones_on_the_x_axis(tz):
    days = pd.date_range("2024-01-01", periods=5, tz=tz)
    index = days if tz else days.to_period("D")
    display = ForecastDisplay.from_predictions(np.arange(5.0), np.arange(5.0), index=index)
    first = dates.num2date(display.lines_[0].get_xdata(orig=False)[0])
    assert first == pd.Timestamp("2024-01-01", tz=tz or "UTC")


def test_string_labels_are_thinned_and_placed_at_their_rows():
    index = [f"row {i}" for i in range(200)]
    display = ForecastDisplay.from_predictions(walk(200), walk(200), index=index)
    display.figure_.draw_without_rendering()
    ticks = {
        round(position): text.get_text()
        for position, text in zip(
            display.ax_.get_xticks(), display.ax_.get_xticklabels(), strict=True
        )
    }
    assert len(ticks) <= 6
    inside = {row: text for row, text in ticks.items() if 0 <= row < 200}
    assert len(inside) >= 3
    assert inside == {row: f"row {row}" for row in inside}


def test_plot_on_given_axes():
    figure, (left, right) = plt.subplots(1, 2)
    y = walk(20).ravel()
    display = ForecastDisplay.from_predictions(
        y, y, ax=right, pred_kwargs={"c": "k", "lw": 4}, true_kwargs={"label": "Close"}
    )
    assert display.ax_ is right
    assert display.figure_ is figure
    assert not left.lines
    assert display.lines_[1].get_color() == "k"
    assert display.lines_[1].get_linewidth() == 4
    assert labels(display)[0] == "Close"
    assert plt.get_fignums() == [figure.number]
    unmanaged = Figure().subplots()
    assert ForecastDisplay.from_predictions(y, y, ax=unmanaged).ax_ is unmanaged


def test_two_models_on_the_same_axes_have_different_colors():
    y = walk(20).ravel()
    first = ForecastDisplay.from_predictions(y, y + 1, name="a")
    second = ForecastDisplay.from_predictions(y, y + 2, name="b", ax=first.ax_)
    assert first.lines_[1].get_color() != second.lines_[1].get_color()
    assert [label[:2] for label in labels(second)] == ["Re", "a ", "Na", "b "]


def test_limits_set_by_the_user_are_preserved():
    _, ax = plt.subplots()
    ax.set_ylim(-3, 3)
    y = np.sin(np.arange(200.0))
    ForecastDisplay.from_predictions(y, y, ax=ax)
    assert ax.get_ylim() == (-3, 3)


def test_missing_matplotlib_raises(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"ForecastDisplay.plot needs matplotlib. .*pip install"):
        ForecastDisplay([1.0], [1.0]).plot()
    with pytest.raises(ImportError, match=r"LossCurveDisplay.plot needs matplotlib"):
        LossCurveDisplay([1.0]).plot()


def test_matplotlib_settings_are_not_changed():
    before = dict(mpl.rcParams)
    train, test = split(walk())
    ForecastDisplay.from_estimator(ridge().fit(train, train.ravel()), test, test.ravel())
    LossCurveDisplay([2.0, 1.0], [2.0, 1.0]).plot()
    assert dict(mpl.rcParams) == before
