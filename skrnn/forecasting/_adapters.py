"""RNNRegressor and RNNClassifier as sktime estimators of panels of time series."""

from typing import Any

import numpy as np
from sklearn.base import clone
from sktime.classification.base import BaseClassifier
from sktime.regression.base import BaseRegressor

from ..classification import RNNClassifier
from ..regression import RNNRegressor


class _TimeMajorAdapter:
    """Fit a clone of a scikit-learn estimator to panels with time steps before variables.

    Subclasses set `_parameter`, the name of the parameter that contains the estimator, and
    `_default`, the class to use if it is None.
    """

    _parameter: str
    _default: type
    _tags = {
        "authors": ["the skrnn developers"],
        "python_dependencies": ["tensorflow", "keras"],
        "y_inner_mtype": "numpy1D",
        "capability:multivariate": True,
        "capability:categorical_in_X": False,
    }

    def _fit(self, X, y):
        estimator = getattr(self, self._parameter)
        fitted = clone(self._default() if estimator is None else estimator)
        setattr(self, f"{self._parameter}_", fitted.fit(_to_time_major(X), y))
        return self

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Return parameters of small networks for the conformance tests of sktime.

        Parameters
        ----------
        parameter_set : str, default="default"
            Ignored.

        Returns
        -------
        params : list of dict
        """
        small = {"epochs": 1, "random_state": 0}
        networks = cls._default("rnn", 2, **small), cls._default("rnn", (2, 2), **small)
        return [{cls._parameter: network} for network in networks]


def _to_time_major(X):
    """Return arrays or frames of a panel with time steps before variables."""
    if isinstance(X, list):
        return [frame.to_numpy() for frame in X]
    return np.ascontiguousarray(X.transpose(0, 2, 1))


class RNNTimeSeriesRegressor(_TimeMajorAdapter, BaseRegressor):
    """Predict a number from each series of a panel with an `RNNRegressor`.

    sktime's panels have the shape (n_instances, n_variables, n_timesteps). Networks require the
    shape (n_instances, n_timesteps, n_variables). This sktime regressor transposes the panels, so
    that it can be used in `make_reduction`.

    Parameters
    ----------
    regressor : RNNRegressor or other regressor of windows, default=None
        The regressor, which is cloned. If None, ``RNNRegressor()`` is used.

    Attributes
    ----------
    regressor_ : RNNRegressor
        The fitted clone.

    Notes
    -----
    sktime's tabular reduction, ``make_reduction(RNNRegressor(...))``, is suitable only for
    univariate series without X. With X or several columns, each row contains all lags of the first
    variable, then all lags of the second variable, and so on. A network would treat such a row as
    one long window. In this case, use this class with ``scitype="time-series-regressor"``.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import RNNRegressor, RNNTimeSeriesRegressor
    >>> X = np.random.default_rng(0).normal(size=(40, 2, 12))  # 40 series of 2 variables
    >>> rnn = RNNRegressor("gru", units=4, epochs=2, random_state=0)
    >>> model = RNNTimeSeriesRegressor(rnn).fit(X, X[:, 0, -1])
    >>> model.predict(X).shape, model.regressor_.input_shape_
    ((40,), (12, 2))
    """

    regressor_: Any
    _parameter = "regressor"
    _default = RNNRegressor

    def __init__(self, regressor: Any = None) -> None:
        self.regressor = regressor
        super().__init__()

    def _predict(self, X):
        return self.regressor_.predict(_to_time_major(X)).astype(float)


class RNNTimeSeriesClassifier(_TimeMajorAdapter, BaseClassifier):
    """Classify the series of a panel, of equal or unequal lengths, with an `RNNClassifier`.

    sktime's panels have the shape (n_instances, n_variables, n_timesteps). Networks require the
    shape (n_instances, n_timesteps, n_variables). This sktime classifier transposes the panels.
    Panels of unequal lengths are converted to lists of series. A time step with a missing value is
    masked.

    Parameters
    ----------
    classifier : RNNClassifier or other classifier of sequences, default=None
        The classifier, which is cloned. If None, ``RNNClassifier()`` is used.

    Attributes
    ----------
    classifier_ : RNNClassifier
        The fitted clone. Not defined if all labels are the same.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import RNNClassifier, RNNTimeSeriesClassifier
    >>> X = np.random.default_rng(0).normal(size=(40, 2, 12))  # 40 series of 2 variables
    >>> rnn = RNNClassifier("gru", units=4, epochs=2, random_state=0)
    >>> model = RNNTimeSeriesClassifier(rnn).fit(X, np.where(X[:, 0, -1] > 0, "up", "down"))
    >>> model.predict(X).shape, model.classifier_.input_shape_
    ((40,), (12, 2))
    """

    classifier_: Any
    _parameter = "classifier"
    _default = RNNClassifier
    # df-list is first, as sktime converts panels of unequal lengths to the first type.
    _tags = {
        "X_inner_mtype": ["df-list", "numpy3D"],
        "capability:unequal_length": True,
        "capability:missing_values": True,
        "capability:predict_proba": True,
        "capability:class_weight": True,
    }

    def __init__(self, classifier: Any = None) -> None:
        self.classifier = classifier
        super().__init__()

    def _predict(self, X):
        return self.classifier_.predict(_to_time_major(X))

    def _predict_proba(self, X):
        return self.classifier_.predict_proba(_to_time_major(X)).astype(float)
