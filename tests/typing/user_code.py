"""Code of a user, which type checkers accept in their strict modes."""

from typing import assert_type

import numpy as np
import numpy.typing as npt

import skrnn
from skrnn import (
    Backtest,
    CharLSTMClassifier,
    RNNClassifier,
    RNNRegressor,
    WindowArray,
    WindowTransformer,
    backtest,
    skill_score,
    sliding_windows,
    steps_ahead,
)
from skrnn.text import CrossEntropy


def fit_regressor(series: npt.NDArray[np.float64]) -> float:
    rnn = RNNRegressor("gru", units=(16, 8), residual=True, epochs=2, random_state=0)
    windows = sliding_windows(series, window_length=10)
    assert_type(windows, WindowArray)
    rnn = rnn.fit(windows).partial_fit(windows)
    losses: list[float] = rnn.loss_curve_
    scores: list[float] = rnn.validation_scores_
    n_epochs: int = rnn.n_iter_
    n_parameters: int = rnn.model_.count_params()
    y_pred = rnn.predict(windows)
    y_naive = windows.series[: len(y_pred)]
    skill = skill_score(windows.target, y_pred, y_naive=y_naive)
    assert_type(skill, float)
    return skill + losses[0] + sum(scores) + n_epochs + n_parameters + rnn.score(windows)


def fit_several_steps(series: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    windows, y = sliding_windows(series, window_length=10), steps_ahead(series, 3)
    rnn = RNNRegressor(
        residual="linear",
        early_stopping="auto",
        center_windows=[0],
        scale_windows=True,
        segment_length=5,
    )
    rnn.fit(windows, y)
    weights: npt.NDArray[np.float64] = rnn.network_weight_
    return weights


def run_backtest(rnn: RNNRegressor, series: npt.NDArray[np.float64]) -> float:
    result = backtest(rnn, series, series, cv=3)
    assert_type(result, Backtest)
    rmse: float = result.rmse
    seconds: float = float(result.fit_time.sum())
    return result.skill + rmse + seconds + float(result.y_pred[0] - result.y_true[0])


def transform(series: npt.NDArray[np.float64]) -> int:
    window = WindowTransformer(window_length=10, horizon=2).fit(series)
    return window.transform(series).n_incomplete + window.n_samples_fit_


def classify(X: npt.NDArray[np.float64], y: list[str]) -> npt.NDArray[np.str_]:
    rnn = RNNClassifier(cell="lstm", class_weight="balanced", clipnorm=1.0).fit(X, y)
    probabilities: npt.NDArray[np.float32] = rnn.predict_proba(X)
    labels: npt.NDArray[np.str_] = rnn.classes_[probabilities.argmax(axis=1)]
    return labels


def write(text: str) -> str:
    model = CharLSTMClassifier("char", units=32, epochs=5, early_stopping=True).fit(text)
    entropy = model.cross_entropy(text)
    assert_type(entropy, CrossEntropy)
    nats: float = entropy.nats
    tokens = list(model.stream("a", length=3))
    return model.generate("The ", length=20, temperature=0.5) + tokens[0] + str(nats)


def misspell() -> None:
    """The errors that type checkers report: an ignore comment without an error is an error."""
    RNNRegressor(units="3")  # type: ignore[arg-type]
    RNNRegressor(unit=3)  # pyright: ignore[reportCallIssue]


version: str = skrnn.__version__
skrnn.clear_compiled()
