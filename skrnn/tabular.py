"""CompleteWindowsRegressor: fit any regressor on the complete windows only."""

from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin, clone
from sklearn.utils import get_tags

from ._checks import check_numeric, unchanged_on_error
from ._inputs.windows import (
    check_outputs,
    check_row_weights,
    n_incomplete,
    n_unknown,
    score_windows,
    window_regressor_tags,
)
from ._sklearn_compat import (
    HasMethods,
    check_is_fitted,
    fit_context,
    num_samples,
    safe_indexing,
)
from .windows._array import is_windows

__all__ = ["CompleteWindowsRegressor"]


class CompleteWindowsRegressor(MetaEstimatorMixin, RegressorMixin, BaseEstimator):
    """Fit any regressor on the complete windows only.

    The first windows of a series are incomplete: they are padded with copies of its first row. A
    regressor that directly follows ``WindowTransformer(flatten=True)`` is also fitted on incomplete
    windows. This meta-estimator excludes them from `fit`, as `RNNRegressor` does, so that both can
    be compared in the same grid search.

    Parameters
    ----------
    regressor : estimator
        The regressor, which is cloned and fitted on the flattened windows.

    Attributes
    ----------
    regressor_ : estimator
        The fitted regressor.
    n_features_in_ : int
        Number of columns of the flattened windows.

    Notes
    -----
    If the flattened windows are a DataFrame (`set_output`), the number of incomplete windows is
    determined from the column names: with a column ``close_lag60``, the first 60 are incomplete.
    After a `ReservoirTransformer`, the states of incomplete windows and of the washout are
    excluded. All rows of plain arrays are considered complete.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from skrnn import CompleteWindowsRegressor, WindowTransformer
    >>> series = np.sin(np.arange(100.0))[:, None]
    >>> ridge = CompleteWindowsRegressor(Ridge(1e-6))
    >>> model = make_pipeline(WindowTransformer(3, flatten=True), ridge).fit(series[:80])
    >>> round(model.score(series[80:]), 3)
    1.0
    """

    regressor_: Any

    _parameter_constraints = {"regressor": [HasMethods(["fit", "predict"])]}

    def __init__(self, regressor: Any) -> None:
        self.regressor = regressor

    @fit_context
    def fit(self, X: ArrayLike, y: ArrayLike | None = None, sample_weight: Any = None) -> Self:
        """Fit the regressor on the complete windows.

        Parameters
        ----------
        X : WindowArray, DataFrame or array-like of shape (n_samples, n_features)
            Windows, flattened or not.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target values. If None, the series of a WindowArray is used.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        self : CompleteWindowsRegressor
            Fitted regressor.

        Raises
        ------
        ValueError
            If no window is complete.
        """
        with unchanged_on_error(self):
            check_numeric(X, strings=True)
            n_samples = num_samples(X)
            skip = n_incomplete(X)
            if skip and skip >= n_samples:
                raise ValueError(
                    f"None of the {n_samples} windows is complete, so there is nothing to fit: "
                    f"the first {skip} rows are incomplete. Fit on more rows."
                )
            self._y_ndim = getattr(y, "ndim", None)
            if y is not None:
                check_numeric(y, "y")
            if y is None or is_windows(X):
                targets, self._y_ndim = check_outputs(self, X, y)
                y = targets[:, 0] if self._y_ndim == 1 else targets
            is_windowed = is_windows(X) or skip > 0
            rows = slice(skip, n_samples - (n_unknown(np.asarray(y)) if is_windowed else 0))
            weights = {}
            if sample_weight is not None:
                weights = {"sample_weight": check_row_weights(X, sample_weight)[rows]}
            X_complete, y_complete = _flatten(X), y
            if rows != slice(0, n_samples):
                X_complete, y_complete = safe_indexing(X_complete, rows), safe_indexing(y, rows)
            self.regressor_ = clone(self.regressor).fit(X_complete, y_complete, **weights)
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predict all windows, including incomplete windows.

        Parameters
        ----------
        X : WindowArray, DataFrame or array-like of shape (n_samples, n_features)
            Windows, flattened or not, of the same shape as in `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        check_is_fitted(self)
        check_numeric(X, strings=True)
        y = self.regressor_.predict(_flatten(X))
        return y[:, None] if self._y_ndim == 2 and y.ndim == 1 else y

    def score(self, X: ArrayLike, y: ArrayLike | None = None, sample_weight: Any = None) -> float:
        """Return the R² of the predictions.

        Parameters
        ----------
        X : WindowArray, DataFrame or array-like of shape (n_samples, n_features)
            Windows, flattened or not.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target values. If None, the complete windows of a WindowArray are scored on its series.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        score : float
        """
        return score_windows(self, X, y, sample_weight)

    @property
    def n_features_in_(self) -> int:
        """Number of columns of the flattened windows."""
        return self.regressor_.n_features_in_

    def __sklearn_tags__(self):
        tags = window_regressor_tags(super().__sklearn_tags__())
        inner = get_tags(self.regressor)
        tags.input_tags = replace(inner.input_tags, three_d_array=True)
        tags.regressor_tags = inner.regressor_tags
        tags.target_tags.multi_output = inner.target_tags.multi_output
        tags.non_deterministic = inner.non_deterministic
        return tags


def _flatten(X):
    return np.asarray(X).reshape(len(X), -1) if is_windows(X) and X.ndim == 3 else X
