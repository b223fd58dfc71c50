"""Estimators in pipelines, target scaling, searches and caches of scikit-learn."""

import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    RandomizedSearchCV,
    TimeSeriesSplit,
    cross_val_score,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skrnn import (
    CompleteWindowsRegressor,
    NaiveRegressor,
    WindowTransformer,
    backtest,
    sliding_windows,
)


def test_pipeline_without_y(wave, small_rnn):
    train, test = wave[:90], wave[90:]
    steps = [("scale", MinMaxScaler()), ("window", WindowTransformer(6)), ("rnn", small_rnn())]
    model = Pipeline(steps).fit(train)
    y_pred = model.predict(test)
    assert y_pred.shape == (30, 1)
    scaled = MinMaxScaler().fit(train).transform(wave)
    windows = sliding_windows(scaled, 6)[90:]
    np.testing.assert_array_equal(y_pred, model[-1].predict(windows))
    assert model.score(test) == pytest.approx(model[-1].score(windows, scaled[90:]))


def test_target_scaling_of_a_pipeline(wave, small_model):
    model = small_model().fit(wave[:90], wave[:90])
    inner = model.regressor_
    scaled = inner.predict(wave[90:])
    expected = MinMaxScaler().fit(wave[:90]).inverse_transform(scaled.reshape(-1, 1))
    np.testing.assert_allclose(model.predict(wave[90:]), expected)


def test_target_scaling_inside_a_pipeline(wave, small_rnn, small_model):
    inside = TransformedTargetRegressor(regressor=small_rnn(), transformer=MinMaxScaler())
    model = make_pipeline(MinMaxScaler(), WindowTransformer(6), inside).fit(wave[:90], wave[:90])
    around = small_model().fit(wave[:90], wave[:90])
    np.testing.assert_array_equal(model.predict(wave[90:]), around.predict(wave[90:]))


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_predictions_have_one_row_per_input_row_and_the_shape_of_y(shape, wave, small_model):
    model = small_model().fit(wave[:90], wave[:90].reshape(shape))
    for n_rows in (30, 2, 1):
        expected = (n_rows,) if len(shape) == 1 else (n_rows, 1)
        assert model.predict(wave[90 : 90 + n_rows]).shape == expected
    assert len(model.predict(wave[:90])) == 90


def test_prediction_of_a_single_row_equals_that_in_a_batch(wave, small_model):
    model = small_model().fit(wave[:90], wave[:90])
    single, batch = model.predict(wave[90:91]), model.predict(wave[90:])[:1]
    np.testing.assert_allclose(single, batch, rtol=1e-5)


def test_prediction_of_unobserved_rows(wave, small_model):
    model = small_model(horizon=5).fit(wave[:90], wave[:90])
    unobserved = model.predict(np.full((5, 1), np.nan))
    np.testing.assert_array_equal(unobserved, model.predict(wave[90:95]))
    with pytest.raises(ValueError, match="X contains nan in row 0"):
        model.predict(np.full((6, 1), np.nan))


def test_data_frame_with_dates(wave, small_rnn):
    dates = pd.date_range("2020-01-01", periods=120, freq="D")
    frame = pd.DataFrame({"level": wave.ravel()}, index=dates)
    model = make_pipeline(WindowTransformer(6), small_rnn()).fit(frame[:90])
    plain = make_pipeline(WindowTransformer(6), small_rnn()).fit(wave[:90])
    np.testing.assert_array_equal(model.predict(frame[90:]), plain.predict(wave[90:]))
    with pytest.raises(ValueError, match="index must be increasing"):
        model.fit(frame[::-1])


def test_index_reaches_the_windows_of_a_scaled_pipeline(wave, small_rnn):
    """`set_output` keeps it, also in clones: gaps, overlaps and shuffled rows are detected."""
    dates = pd.date_range("2020-01-01", periods=120, freq="D")
    frame = pd.DataFrame({"level": wave.ravel()}, index=dates)
    steps = make_pipeline(MinMaxScaler(), WindowTransformer(6), small_rnn())
    model = TransformedTargetRegressor(
        regressor=steps.set_output(transform="pandas"), transformer=MinMaxScaler()
    )
    plain = clone(model)
    plain.regressor.set_output(transform="default")
    fitted = clone(model).fit(frame[:90], frame[:90])
    expected = plain.fit(wave[:90], wave[:90]).predict(wave[90:])
    np.testing.assert_array_equal(fitted.predict(frame[90:]), expected)
    with pytest.raises(ValueError, match="fitted rows are missing"):
        fitted.predict(frame[80:])
    with pytest.warns(UserWarning, match="Rows may be missing"):
        fitted.predict(frame[95:])
    grid = {"regressor__windowtransformer__window_length": [4, 6]}
    GridSearchCV(model, grid, cv=TimeSeriesSplit(2), error_score="raise").fit(frame, frame)
    shuffled = GridSearchCV(
        model, grid, cv=KFold(3, shuffle=True, random_state=0), error_score="raise"
    )
    with pytest.raises(ValueError, match="shuffled split"):
        shuffled.fit(frame, frame)


GRID = [
    {"regressor__window__window_length": [4, 6]},
    {"regressor__rnn__cell": ["gru"]},
]


def test_grid_search(wave, small_model):
    search = GridSearchCV(
        small_model(),
        GRID,
        cv=TimeSeriesSplit(2),
        scoring="neg_root_mean_squared_error",
        return_train_score=True,
    ).fit(wave, wave)
    results = search.cv_results_
    assert len(results["params"]) == 3
    assert np.isfinite(results["mean_train_score"]).all()
    train, test = next(TimeSeriesSplit(2).split(wave))
    model = small_model().set_params(**results["params"][0]).fit(wave[train], wave[train])
    rmse = np.sqrt(np.mean((model.predict(wave[test]) - wave[test]) ** 2))
    assert results["split0_test_score"][0] == pytest.approx(-rmse)
    assert search.predict(wave[-1:]).shape == (1, 1)
    best = search.best_estimator_.get_params()
    assert search.best_params_.items() <= best.items()


@pytest.mark.slow
def test_grid_search_with_two_jobs_returns_identical_scores(wave, small_model):
    scores = [
        GridSearchCV(small_model(), GRID, cv=TimeSeriesSplit(2), n_jobs=n_jobs, refit=False)
        .fit(wave, wave)
        .cv_results_
        for n_jobs in (1, 2)
    ]
    for key in ("split0_test_score", "split1_test_score"):
        np.testing.assert_array_equal(scores[0][key], scores[1][key])


def test_randomized_search(wave, small_model):
    distributions = {
        "regressor__rnn__learning_rate": loguniform(0.001, 0.1),
        "regressor__rnn__epochs": [1, 2],
    }
    search = RandomizedSearchCV(
        small_model(), distributions, n_iter=2, cv=TimeSeriesSplit(2), random_state=0, scoring="r2"
    ).fit(wave, wave)
    best = search.best_estimator_.regressor_[-1]
    assert best.learning_rate == search.best_params_["regressor__rnn__learning_rate"]
    assert best.n_iter_ == search.best_params_["regressor__rnn__epochs"]


def test_halving_search_over_epochs(wave, small_model):
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401
    from sklearn.model_selection import HalvingGridSearchCV

    search = HalvingGridSearchCV(
        small_model(),
        {"regressor__rnn__learning_rate": [0.001, 0.01]},
        resource="regressor__rnn__epochs",
        min_resources=1,
        max_resources=2,
        factor=2,
        cv=TimeSeriesSplit(2),
    ).fit(wave, wave)
    assert search.n_resources_ == [1, 2]
    assert search.best_estimator_.regressor_[-1].n_iter_ == 2


def test_grid_search_over_types_of_regressors(wave, small_rnn):
    model = Pipeline([("window", WindowTransformer(6)), ("regressor", NaiveRegressor())])
    tabular = {"window__flatten": [True]}
    grid = [
        {"regressor": [NaiveRegressor(), small_rnn()]},
        {"regressor": [CompleteWindowsRegressor(Ridge())], **tabular},
        {
            "regressor": [CompleteWindowsRegressor(HistGradientBoostingRegressor(max_iter=5))],
            **tabular,
        },
    ]
    search = GridSearchCV(model, grid, cv=TimeSeriesSplit(2), scoring="r2").fit(wave, wave.ravel())
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert isinstance(search.best_estimator_[-1], CompleteWindowsRegressor)


def test_keyboard_interrupt_stops_a_search(wave, small_model, small_rnn):
    calls = []

    def builder(input_shape, n_outputs):
        calls.append(1)
        raise KeyboardInterrupt

    search = GridSearchCV(small_model(small_rnn(network=builder)), GRID, cv=TimeSeriesSplit(2))
    with pytest.raises(KeyboardInterrupt):
        search.fit(wave, wave)
    assert len(calls) == 1


def test_cross_val_score(wave, small_model):
    scores = cross_val_score(small_model(), wave, wave, cv=TimeSeriesSplit(2), scoring="r2")
    assert scores.shape == (2,)


def test_backtest_of_a_network(wave, small_model):
    result = backtest(small_model(), wave, wave, cv=2)
    train, test = next(TimeSeriesSplit(2).split(wave))
    model = small_model().fit(wave[train], wave[train])
    np.testing.assert_array_equal(result.y_pred[: len(test)], model.predict(wave[test]))


def test_pipeline_memory(wave, small_rnn, tmp_path):
    steps = [("scale", MinMaxScaler()), ("window", WindowTransformer(6)), ("rnn", small_rnn())]
    plain = Pipeline(steps).fit(wave[:90]).predict(wave[90:])
    for _ in range(2):  # the second fit takes the windows from the cache
        cached = Pipeline(steps, memory=str(tmp_path)).fit(wave[:90])
        np.testing.assert_array_equal(cached.predict(wave[90:]), plain)


def test_nested_set_params_and_clone(small_model):
    import keras

    model = small_model()
    settings = {
        "regressor__window__window_length": 9,
        "regressor__rnn__units": (3, 2),
        "regressor__rnn__optimizer": keras.optimizers.SGD(0.5),
        "regressor__rnn__callbacks": [keras.callbacks.EarlyStopping(patience=3)],
        "transformer": MinMaxScaler((-1, 1)),
    }
    copied = clone(model.set_params(**settings)).get_params()
    assert copied["regressor__window__window_length"] == 9
    assert copied["regressor__rnn__units"] == (3, 2)
    assert float(copied["regressor__rnn__optimizer"].learning_rate) == 0.5
    assert copied["regressor__rnn__callbacks"][0].patience == 3
    assert set(copied) == set(model.get_params())


def test_imports_are_lazy():
    """TensorFlow takes seconds to import, and scikeras modifies Keras globally."""
    code = """
        import sys

        def check(*names):
            loaded = set(names) & set(sys.modules)
            assert not loaded, loaded

        import skrnn
        check("tensorflow", "keras", "sklearn", "pandas", "matplotlib")
        import skrnn.datasets
        from skrnn import RNNRegressor, WindowTransformer, NaiveRegressor, ForecastDisplay
        RNNRegressor()
        WindowTransformer(2).fit_transform([[1.0], [2.0]])
        skrnn.ReservoirTransformer(3).fit_transform([[1.0], [2.0]])
        ForecastDisplay([1.0], [2.0])
        skrnn.LossCurveDisplay([1.0])
        check("tensorflow", "keras", "scikeras", "sktime", "matplotlib")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
