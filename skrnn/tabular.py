"""Any tabular regressor in a network's place, on the complete windows alone."""

from dataclasses import replace

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin, clone
from sklearn.utils import get_tags

from ._checks import unchanged_on_error
from ._inputs.windows import (
    check_outputs,
    n_incomplete,
    n_rows_before,
    score_windows,
    window_regressor_tags,
)
from ._sklearn_compat import (
    HasMethods,
    check_is_fitted,
    check_sample_weight,
    fit_context,
    num_samples,
    safe_indexing,
)
from .windows._array import is_windows

__all__ = ["CompleteWindowsRegressor"]


class CompleteWindowsRegressor(MetaEstimatorMixin, RegressorMixin, BaseEstimator):
    """Train any tabular regressor on the complete windows alone.

    The first windows of a series repeat its first row, and a `Ridge` put straight behind
    ``WindowTransformer(flatten=True)`` would learn from them. This leaves them out of `fit`, as
    `RNNRegressor` does, so that the two can stand in one grid search.

    Parameters
    ----------
    regressor : estimator
        It is cloned and fitted on the flattened windows.

    Attributes
    ----------
    regressor_ : estimator
        The fitted clone.
    n_features_in_ : int
        Columns of the flattened windows.

    Notes
    -----
    Where flattened windows come as a DataFrame (`set_output`), how many are incomplete is read
    from the columns' names: ``close_lag60`` lacks 60 rows. Behind a `ReservoirTransformer`, the
    states of incomplete windows and those of its washout are left out. Plain arrays are taken as
    complete.

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

    _parameter_constraints = {"regressor": [HasMethods(["fit", "predict"])]}

    def __init__(self, regressor):
        self.regressor = regressor

    @fit_context
    def fit(self, X, y=None, sample_weight=None):
        """Fit a clone of the regressor on the complete windows.

        Parameters
        ----------
        X : WindowArray, DataFrame or array-like of shape (n_samples, n_features)
            Windows, flattened or not.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target; None stands for the series that a WindowArray was made from.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : CompleteWindowsRegressor

        Raises
        ------
        ValueError
            If no window is complete.
        """
        with unchanged_on_error(self):
            n_samples = num_samples(X)
            skip = n_incomplete(X) or n_rows_before(X)
            if skip and skip >= n_samples:
                raise ValueError(
                    f"None of the {n_samples} windows is complete, so there is nothing to learn "
                    f"from: {skip} rows come before the first complete one. Fit on more rows."
                )
            self._y_ndim = getattr(y, "ndim", None)
            if y is None or is_windows(X):
                checked, self._y_ndim = check_outputs(self, X, y)
                y = checked[:, 0] if self._y_ndim == 1 else checked
            weights = {} if sample_weight is None else {"sample_weight": sample_weight}
            flat = self._flat(X)
            if skip:
                rows = slice(skip, None)
                flat, y = safe_indexing(flat, rows), safe_indexing(y, rows)
                if weights:
                    weights = {"sample_weight": check_sample_weight(sample_weight, X)[rows]}
            regressor = clone(self.regressor)
            regressor.fit(flat, y, **weights)
            self.regressor_ = regressor
        return self

    def predict(self, X):
        """Predict every window, the incomplete ones too.

        Parameters
        ----------
        X : WindowArray, DataFrame or array-like of shape (n_samples, n_features)
            Windows, flattened or not, like those seen in `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        check_is_fitted(self)
        y = self.regressor_.predict(self._flat(X))
        return y[:, None] if self._y_ndim == 2 and y.ndim == 1 else y

    def score(self, X, y=None, sample_weight=None):
        """Return R² of the prediction; without y, on the complete windows of the series itself.

        Parameters
        ----------
        X : WindowArray, DataFrame or array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
        """
        return score_windows(self, X, y, sample_weight)

    @staticmethod
    def _flat(X):
        return np.asarray(X).reshape(len(X), -1) if is_windows(X) and X.ndim == 3 else X

    @property
    def n_features_in_(self):
        """Columns of the flattened windows."""
        return self.regressor_.n_features_in_

    def __sklearn_tags__(self):
        tags = window_regressor_tags(super().__sklearn_tags__())
        inner = get_tags(self.regressor)
        tags.input_tags = replace(inner.input_tags, three_d_array=True)
        tags.regressor_tags = inner.regressor_tags
        tags.target_tags.multi_output = inner.target_tags.multi_output
        tags.non_deterministic = inner.non_deterministic
        return tags
