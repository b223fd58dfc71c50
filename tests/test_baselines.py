"""NaiveRegressor, skill_score and backtest against manual computations."""

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import KFold, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skrnn import NaiveRegressor, WindowTransformer, backtest, skill_score, sliding_windows


@pytest.fixture
def walk():
    return np.cumsum(np.random.default_rng(0).normal(size=(80, 2)), axis=0) + 20


@pytest.mark.parametrize("horizon", [1, 3])
def test_last_value_is_repeated(horizon, walk):
    model = make_pipeline(WindowTransformer(5, horizon), NaiveRegressor()).fit(walk[:60])
    expected = walk[60 - horizon : 80 - horizon]
    np.testing.assert_array_equal(model.predict(walk[60:]), expected)


@pytest.mark.parametrize(
    ("horizon", "season_length", "lag"), [(1, 4, 4), (4, 4, 4), (5, 4, 8), (3, 1, 3), (1, 12, 12)]
)
def test_value_of_the_last_season_is_repeated(horizon, season_length, lag, walk):
    naive = NaiveRegressor("seasonal", season_length=season_length)
    model = make_pipeline(WindowTransformer(12, horizon), naive).fit(walk[:60])
    np.testing.assert_array_equal(model.predict(walk[60:]), walk[60 - lag : 80 - lag])


def test_target_scaled_separately_from_the_windows(walk):
    model = TransformedTargetRegressor(
        regressor=make_pipeline(StandardScaler(), WindowTransformer(5), NaiveRegressor()),
        transformer=MinMaxScaler(),
    ).fit(walk[:60], walk[:60, 1])
    np.testing.assert_allclose(model.predict(walk[60:]), walk[59:-1, 1])
    assert model.regressor_[-1].columns_ == [1]


def test_columns_parameter(walk):
    windows = sliding_windows(walk, 5)
    swapped = NaiveRegressor(columns=[1, 0]).fit(windows, walk[:, ::-1])
    np.testing.assert_allclose(swapped.predict(windows)[1:], walk[:-1, ::-1])
    one = NaiveRegressor(columns=1).fit(
        windows[5:], walk[5:, 0]
    )  # of a plain array, y is not compared
    np.testing.assert_array_equal(one.predict(windows[5:]), walk[4:-1, 1])


def test_score_excludes_incomplete_windows(walk):
    windows = sliding_windows(walk, 5)
    naive = NaiveRegressor().fit(windows)
    assert naive.score(windows) == pytest.approx(naive.score(windows[5:], walk[5:]))
    assert naive.score(windows) != pytest.approx(naive.score(windows, walk))


@pytest.mark.parametrize(
    ("naive", "message"),
    [
        (NaiveRegressor("seasonal"), "strategy='seasonal' with season_length=None"),
        (NaiveRegressor(season_length=4), "strategy='last' with season_length=4"),
        (NaiveRegressor("seasonal", season_length=6), "needs window_length >= 6, got 5"),
        (NaiveRegressor("lst"), "The 'strategy' parameter of NaiveRegressor"),
        (NaiveRegressor(columns=[2, 0]), "columns=.*must contain one of the columns 0 to 1"),
        (NaiveRegressor(columns=[0]), "columns=.*for each of the 2 outputs"),
    ],
)
def test_invalid_parameters_raise(naive, message, walk):
    with pytest.raises(ValueError, match=message):
        naive.fit(sliding_windows(walk, 5))
    with pytest.raises(NotFittedError):
        naive.predict(sliding_windows(walk, 5))


def test_plain_arrays_of_several_features_require_columns(walk):
    windows = sliding_windows(walk, 5)[5:]
    with pytest.raises(ValueError, match=r"y has 1 outputs and X has 2 features\. Set the column"):
        NaiveRegressor().fit(windows, walk[5:, 0])


def test_skill_score():
    y, p, n = [1.0, 2.0, 4.0], [1.0, 2.0, 3.0], [0.0, 1.0, 2.0]
    assert skill_score(y, p, n) == pytest.approx(1 - np.sqrt(1 / 3) / np.sqrt(6 / 3))
    assert skill_score(y, n, n) == 0
    assert skill_score(y, y, n) == 1
    assert skill_score(y, y, y) == 0
    assert skill_score(y, p, y) == -np.inf
    weighted = skill_score(y, p, n, sample_weight=[0, 0, 1])
    assert weighted == pytest.approx(0.5)


def test_backtest_aligns_predictions_with_rows(walk):
    model = make_pipeline(WindowTransformer(3, flatten=True), Ridge())
    result = backtest(model, walk, walk[:, 0], cv=TimeSeriesSplit(4))
    rows = np.concatenate([test for _, test in TimeSeriesSplit(4).split(walk)])
    np.testing.assert_array_equal(result.rows, rows)
    np.testing.assert_array_equal(result.y_true, walk[rows, 0])
    np.testing.assert_array_equal(result.y_naive, walk[rows - 1, 0])
    assert result.fold.tolist() == np.repeat(range(4), 16).tolist()
    assert result.fit_time.shape == (4,)
    train, test = list(TimeSeriesSplit(4).split(walk))[2]
    model.fit(walk[train], walk[train, 0])
    np.testing.assert_allclose(result.y_pred[result.fold == 2], model.predict(walk[test]))
    assert result.rmse == pytest.approx(root_mean_squared_error(walk[rows, 0], result.y_pred))
    assert result.skill == pytest.approx(1 - result.rmse / result.rmse_naive)


def test_backtest_of_naive_forecasts_has_zero_skill(walk):
    model = make_pipeline(WindowTransformer(3, horizon=2), NaiveRegressor())
    assert backtest(model, walk, cv=3).skill == pytest.approx(0)
    seasonal = make_pipeline(
        WindowTransformer(8, horizon=5), NaiveRegressor("seasonal", season_length=4)
    )
    assert backtest(seasonal, walk, walk, cv=3, season_length=4).skill == pytest.approx(0)


def test_backtest_with_two_jobs_returns_the_same_predictions(walk):
    model = make_pipeline(WindowTransformer(3, flatten=True), Ridge())
    one, two = (backtest(model, walk, walk, n_jobs=n_jobs).y_pred for n_jobs in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_backtest_of_rows_without_naive_forecast_raises(walk):
    with pytest.raises(ValueError, match="cv predicts rows before row 1"):
        backtest(make_pipeline(WindowTransformer(3), NaiveRegressor()), walk, cv=KFold(3))
