"""CompleteWindowsRegressor against regressors fitted on the complete windows."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from skrnn import CompleteWindowsRegressor, WindowTransformer, sliding_windows


@pytest.mark.parametrize("flatten", [True, False])
@pytest.mark.parametrize("output", ["default", "pandas"])
def test_incomplete_rows_are_excluded_from_fit(flatten, output, wave):
    window = WindowTransformer(6, horizon=2, flatten=flatten).set_output(transform=output)
    model = make_pipeline(window, CompleteWindowsRegressor(Ridge())).fit(wave, wave)
    plain = sliding_windows(wave, 6, 2, flatten=True)[7:]
    np.testing.assert_allclose(model[-1].regressor_.coef_, Ridge().fit(plain, wave[7:]).coef_)
    assert model.predict(wave).shape == (120, 1)
    assert model.n_features_in_ == 1
    assert model[-1].n_features_in_ == 6


def test_fit_without_y_and_with_weights(wave):
    windows = sliding_windows(wave, 6, flatten=True)
    weight = np.linspace(1, 2, 120)
    model = CompleteWindowsRegressor(Ridge()).fit(windows, sample_weight=weight)
    expected = Ridge().fit(windows[6:], windows.target[6:], weight[6:])
    np.testing.assert_allclose(model.regressor_.coef_, expected.coef_)
    assert model.score(windows) == pytest.approx(expected.score(windows[6:], wave[6:]))


def test_gradient_boosting_regressor(wave):
    boosting = CompleteWindowsRegressor(HistGradientBoostingRegressor(max_iter=20))
    model = make_pipeline(WindowTransformer(6, flatten=True), boosting)
    assert model.fit(wave[:90], wave[:90].ravel()).score(wave[90:], wave[90:]) > 0.8


def test_failed_refit_does_not_change_the_regressor(wave):
    windows = sliding_windows(wave, 6)
    model = CompleteWindowsRegressor(Ridge()).fit(windows, wave.ravel())
    with pytest.raises(ValueError, match=r"sample_weight.shape == \(3,\), expected \(120,\)"):
        model.fit(windows, wave, sample_weight=np.ones(3))
    assert model.predict(windows).shape == (120,)


def test_fit_without_complete_windows_raises():
    windows = sliding_windows(np.zeros((4, 1)), 6, flatten=True)
    with pytest.raises(ValueError, match="None of the 4 windows is complete"):
        CompleteWindowsRegressor(Ridge()).fit(windows, np.zeros(4))
