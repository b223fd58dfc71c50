"""Linear forecast of the change from the last value of a window."""

from typing import Any

import numpy as np
from sklearn.linear_model import Ridge, RidgeCV

from ._shrinkage import james_stein_weight

# Regularization strengths, for windows of unit variance.
_ALPHAS = np.logspace(-4, 4, 17)
# Maximum number of values in the windows of a regression (128 MiB), and of windows to predict.
_MAX_VALUES = 2**24
_MAX_ROWS = 2**12


def relative_windows(X: Any, rows: Any = slice(None)) -> np.ndarray:
    """Return some windows minus their last row, of shape (n_rows, n_timesteps * n_features)."""
    windows = np.asarray(X[rows], dtype=np.float64)
    return (windows - windows[:, -1:]).reshape(len(windows), -1)


def linear_change(X: Any, rows: range, coefficients: np.ndarray) -> np.ndarray:
    """Return linear forecasts of the change, of shape (n_rows, n_outputs), for some rows of X."""
    starts = range(rows.start, rows.stop, _MAX_ROWS)
    parts = [slice(start, min(start + _MAX_ROWS, rows.stop)) for start in starts]
    weights, intercepts = coefficients[:-1], coefficients[-1]
    return np.concatenate([relative_windows(X, part) @ weights + intercepts for part in parts])


class LinearForecast:
    """Ridge regression of changes on windows relative to their last row, a linear model [1]_.

    Parameters
    ----------
    X : WindowArray or ndarray of shape (n_samples, n_timesteps, n_features)
        Windows.
    changes : ndarray of shape (n_samples, n_outputs)
        The change from the last value of each window.
    groups : sequence of int, of length n_outputs, default=None
        Outputs of the same group, such as steps ahead, are shrunk by the same factor. If None, all
        outputs are.
    n_lags : int, default=0
        Number of later windows whose forecasts overlap.
    sample_weight : ndarray of shape (n_samples,), default=None

    Attributes
    ----------
    coefficients : ndarray of shape (n_timesteps * n_features + 1, n_outputs)
        Coefficients. The last row contains the intercepts.

    References
    ----------
    .. [1] A. Zeng, M. Chen, L. Zhang, Q. Xu (2023). Are transformers effective for time series
       forecasting? AAAI Conference on Artificial Intelligence.
    """

    def __init__(self, X, changes, groups=None, n_lags=0, sample_weight=None):
        self._X, self._changes, self._n_lags = X, changes, n_lags
        self._groups = [0] * changes.shape[1] if groups is None else groups
        self._sample_weight = sample_weight

    def fit(self, train, holdout=None):
        """Fit to training rows, and shrink the forecast by its errors on a holdout.

        The regularization strength minimizes the leave-one-out error on the training rows.

        Parameters
        ----------
        train : range
            With fewer than two rows of positive weight, all coefficients are zero.
        holdout : range, default=None
            If None, the forecast is not shrunk.
        """
        rows = self._subset(train)
        if len(rows) < 2:
            self._model = None
            self.coefficients = self.refit(train)
            return self
        windows = relative_windows(self._X, rows)
        squares = np.mean(windows.reshape(-1, self._X.shape[2]) ** 2, axis=0)
        scale = np.tile(np.sqrt(squares), self._X.shape[1])
        self._scale = np.where(scale > 0, scale, 1.0)
        model = self._fit(RidgeCV(_ALPHAS), windows, rows)
        self._model, self._weights = Ridge(model.alpha_), 1.0
        self.coefficients = self._coefficients_of(model)
        if holdout is not None:
            predictions = linear_change(self._X, holdout, self.coefficients)
            part = slice(holdout.start, holdout.stop)
            weights = None if self._sample_weight is None else self._sample_weight[part]
            self._weights = shrinkage_weights(
                predictions, self._changes[part], self._groups, self._n_lags, weights
            )
            self.coefficients = self._coefficients_of(model)
        return self

    def refit(self, rows):
        """Return the coefficients for other rows, with the same regularization and shrinkage."""
        if self._model is None:
            n_values = self._X.shape[1] * self._X.shape[2]
            return np.zeros((n_values + 1, self._changes.shape[1]))
        rows = self._subset(rows)
        windows = relative_windows(self._X, rows)
        return self._coefficients_of(self._fit(self._model, windows, rows))

    def _subset(self, rows):
        """Return rows of positive weight, evenly spaced if the windows of all exceed the memory."""
        rows = np.arange(rows.start, rows.stop)
        if self._sample_weight is not None:
            rows = rows[self._sample_weight[rows] > 0]
        n_values = self._X.shape[1] * self._X.shape[2]
        n_rows = max(1, _MAX_VALUES // n_values)
        if len(rows) <= n_rows:
            return rows
        return rows[np.linspace(0, len(rows) - 1, n_rows).round().astype(int)]

    def _fit(self, model, windows, rows):
        weights = None if self._sample_weight is None else self._sample_weight[rows]
        windows /= self._scale
        return model.fit(windows, self._changes[rows], sample_weight=weights)

    def _coefficients_of(self, model):
        n_outputs = self._changes.shape[1]
        coefficients = model.coef_.reshape(n_outputs, -1).T / self._scale[:, None]
        intercepts = np.broadcast_to(model.intercept_, (1, n_outputs))
        return np.vstack([coefficients, intercepts]) * self._weights


def shrinkage_weights(predictions, targets, groups, n_lags, sample_weight=None):
    """Return the weight of the predictions of each output, by their errors on a holdout.

    Parameters
    ----------
    predictions, targets : ndarrays of shape (n_samples, n_outputs)
    groups : sequence of int, of length n_outputs
        Outputs of the same group have the same weight.
    n_lags : int
        Number of later windows whose forecasts overlap.
    sample_weight : ndarray of shape (n_samples,), default=None
        Weights of the squared errors.

    Returns
    -------
    weights : ndarray of shape (n_outputs,)
    """
    weights, groups = np.ones(len(groups)), np.asarray(groups)
    times = np.arange(len(targets))
    if sample_weight is not None:
        roots = np.sqrt(sample_weight)[:, None]
        predictions, targets = predictions * roots, targets * roots
    for group in np.unique(groups):
        outputs = groups == group
        pair = predictions[:, outputs, None], targets[:, outputs, None]
        weights[outputs] = james_stein_weight(*pair, times, n_lags)
    return weights
