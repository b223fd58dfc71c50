import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sktime.datatypes import convert
from sktime.forecasting.compose import make_reduction
from sktime.utils.estimator_checks import check_estimator

from skrnn import RNNClassifier, RNNRegressor, RNNTimeSeriesClassifier, RNNTimeSeriesRegressor

from .helpers import sktime_warns

X = np.random.default_rng(0).normal(size=(30, 2, 5))  # 30 series of 2 variables
labels = np.where(X[:, 0, -1] > 0, "up", "down")
regressor = RNNRegressor("rnn", units=4, epochs=3, random_state=0)
classifier = RNNClassifier("rnn", units=4, epochs=3, random_state=0)


def test_regressor_reads_time_steps_before_variables():
    y = X[:, 0, -1]
    model = RNNTimeSeriesRegressor(regressor).fit(X, y)
    assert model.regressor_.input_shape_ == (5, 2)
    alone = regressor.fit(X.transpose(0, 2, 1), y)
    assert_allclose(model.predict(X), alone.predict(X.transpose(0, 2, 1)))


def test_default_parameters():
    assert RNNTimeSeriesRegressor().get_params() == {"regressor": None}
    assert RNNTimeSeriesClassifier().get_params() == {"classifier": None}


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_classifier_reads_time_steps_before_variables():
    model = RNNTimeSeriesClassifier(classifier).fit(X, labels)
    assert model.classifier_.input_shape_ == (5, 2)
    alone = RNNClassifier("rnn", units=4, epochs=3, random_state=0)
    alone.fit(X.transpose(0, 2, 1), labels)
    expected = alone.predict_proba(X.transpose(0, 2, 1))
    assert_allclose(model.predict_proba(X), expected, atol=1e-6)
    assert_array_equal(model.predict(X), alone.predict(X.transpose(0, 2, 1)))
    nested = convert(X, "numpy3D", "nested_univ", "Panel")
    assert_array_equal(model.predict(nested), model.predict(X))


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_classifier_reads_series_of_unequal_lengths():
    sequences = [series[:, : 2 + i % 4].T for i, series in enumerate(X)]
    frame = pd.DataFrame(
        {name: [pd.Series(s[:, i]) for s in sequences] for i, name in enumerate("ab")}
    )
    model = RNNTimeSeriesClassifier(classifier).fit(frame, labels)
    alone = RNNClassifier("rnn", units=4, epochs=3, random_state=0).fit(sequences, labels)
    assert_allclose(model.predict_proba(frame), alone.predict_proba(sequences), atol=1e-6)


@sktime_warns
@pytest.mark.parametrize("strategy", ["recursive", "direct", "multioutput"])
def test_tabular_reduction(strategy):
    y = pd.Series(np.sin(np.arange(120) / 4))
    rnn = RNNRegressor("rnn", units=4, epochs=60, learning_rate=0.02, random_state=0)
    model = make_reduction(rnn, window_length=6, strategy=strategy)
    forecast = model.fit(y[:100], fh=[1, 2, 3]).predict()
    assert_allclose(forecast, y[100:103], atol=0.15)


@sktime_warns
def test_reduction_with_exogenous_variables_needs_time_steps_before_variables():
    rng = np.random.default_rng(0)
    exog = pd.DataFrame({"cause": rng.normal(size=260), "noise": rng.normal(size=260)})
    y = pd.Series(np.r_[np.zeros(2), exog["cause"][:-2]])
    rnn = RNNRegressor("rnn", units=8, epochs=40, learning_rate=0.02, random_state=0)

    class VariableMajor(RNNTimeSeriesRegressor):
        """Read the transposed array as sktime lays it out, all lags of one variable first."""

        def _fit(self, X, y):
            return super()._fit(X.reshape(len(X), X.shape[2], X.shape[1]).transpose(0, 2, 1), y)

        def _predict(self, X):
            return super()._predict(X.reshape(len(X), X.shape[2], X.shape[1]).transpose(0, 2, 1))

    def error(regressor):
        model = make_reduction(
            regressor, window_length=4, strategy="direct", scitype="time-series-regressor"
        )
        errors = []
        model.fit(y[:220], exog[:220], fh=[1])
        for n in range(220, 259):
            model.update(y[n : n + 1], exog[n : n + 1], update_params=False)
            errors.append(float(model.predict(X=exog[n + 1 : n + 2]).iloc[0]) - y[n + 1])
        return np.sqrt(np.mean(np.square(errors)))

    time_major = error(RNNTimeSeriesRegressor(rnn))
    assert time_major < 0.3
    assert time_major < 0.85 * error(VariableMajor(rnn))


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [RNNTimeSeriesRegressor, RNNTimeSeriesClassifier])
@pytest.mark.filterwarnings("ignore")  # of sktime itself
def test_sktime_conformance(estimator):
    instance = estimator.create_test_instance()
    results = check_estimator(instance, raise_exceptions=True, verbose=False)
    assert set(results.values()) == {"PASSED"}
