"""Determination of the column, scale and shift of a target, through NaiveRegressor."""

import numpy as np
import pytest

from skrnn import NaiveRegressor, sliding_windows
from skrnn._target import fit_affine_target


@pytest.fixture
def walk():
    return np.cumsum(np.random.default_rng(0).normal(size=(80, 2)), axis=0) + 20


def test_columns_scales_and_shifts_are_determined(walk):
    y = np.column_stack([5 - 2 * walk[:, 1], walk[:, 0] / 10])
    windows = sliding_windows(walk, 5)
    naive = NaiveRegressor().fit(windows, y)
    assert naive.columns_ == [1, 0]
    np.testing.assert_allclose(naive.predict(windows)[1:], y[:-1])


def test_similar_column_raises(walk):
    similar = walk[:, 0] + 1e-2 * np.random.default_rng(1).normal(size=80)
    windows = sliding_windows(walk, 5)
    with pytest.raises(ValueError, match=r"Output 0 of y is no column of the series.* error of"):
        NaiveRegressor().fit(windows, similar)
    with pytest.raises(ValueError, match="is not column 1 of the series"):
        NaiveRegressor(columns=1).fit(windows, walk[:, 0])


def test_two_rows_identify_only_an_equal_column(walk):
    windows, y = sliding_windows(walk[:3], 1), walk[:3, 1]
    assert windows.n_incomplete == 1
    assert NaiveRegressor().fit(windows, y).columns_ == [1]
    with pytest.raises(ValueError, match="no column of the series"):
        NaiveRegressor().fit(windows, 3 * y)


def test_constant_column_has_a_shift():
    constant = np.column_stack([np.full(20, 2.0), np.arange(20.0)])
    windows = sliding_windows(constant, 3)
    naive = NaiveRegressor().fit(windows, np.full(20, 7.0))
    assert naive.columns_ == [0]
    np.testing.assert_array_equal(naive.predict(windows), 7.0)


def test_outputs_several_steps_ahead_are_later_rows_of_a_column():
    series = np.cumsum(np.random.default_rng(0).normal(size=(60, 2)), axis=0)
    n_rows = 57
    y = np.column_stack([3 * series[lead : lead + n_rows, 1] + 1 for lead in range(4)])
    for columns in (None, [1, 1, 1, 1]):
        found, scales, shifts, steps = fit_affine_target(series[:n_rows], y, columns)
        assert found == [1, 1, 1, 1]
        assert steps == [0, 1, 2, 3]
        np.testing.assert_allclose(scales, 3)
        np.testing.assert_allclose(shifts, 1)
    with pytest.raises(ValueError, match="Outputs of several steps ahead are"):
        fit_affine_target(series[:n_rows], y[:, ::-1])
