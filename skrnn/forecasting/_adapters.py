"""RNNForecaster: recurrent networks as an sktime forecaster, and as an sktime regressor."""

import numpy as np
from sklearn.base import clone
from sktime.classification.base import BaseClassifier
from sktime.regression.base import BaseRegressor

from ..classification import RNNClassifier
from ..regression import RNNRegressor


class RNNTimeSeriesRegressor(BaseRegressor):
    """An `RNNRegressor` as an sktime regressor of panels, for `make_reduction` among others.

    sktime keeps panels as (instances, variables, time), and a network reads (instances, time,
    variables): this transposes one to the other.

    Parameters
    ----------
    regressor : RNNRegressor or other regressor of windows, default=None
        It is cloned. None is ``RNNRegressor()``.

    Attributes
    ----------
    regressor_ : RNNRegressor
        The fitted clone.

    Notes
    -----
    ``make_reduction(RNNRegressor(...))``, sktime's tabular form, works for single series without
    X. With X or several columns its rows hold all lags of one variable, then all of the next, which
    a network would take for one long window: use this class there, with
    ``scitype="time-series-regressor"``.

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

    _tags = {
        "authors": ["the skrnn developers"],
        "python_dependencies": ["tensorflow", "keras"],
        "X_inner_mtype": "numpy3D",
        "y_inner_mtype": "numpy1D",
        "capability:multivariate": True,
        "capability:categorical_in_X": False,
    }

    def __init__(self, regressor=None):
        self.regressor = regressor
        super().__init__()

    def _fit(self, X, y):
        regressor = RNNRegressor() if self.regressor is None else self.regressor
        self.regressor_ = clone(regressor).fit(_time_major(X), y)
        return self

    def _predict(self, X):
        return self.regressor_.predict(_time_major(X)).astype(float)

    @classmethod
    def get_test_params(cls, parameter_set="default"):
        """Return settings for sktime's own tests: small networks that train in an instant.

        Parameters
        ----------
        parameter_set : str, default="default"

        Returns
        -------
        params : list of dict
        """
        return [
            {"regressor": RNNRegressor("rnn", units=2, epochs=1, random_state=0)},
            {"regressor": RNNRegressor("gru", units=(2, 2), epochs=1, random_state=0)},
        ]


def _time_major(X):
    """Return sktime's (n_instances, n_variables, n_timesteps) as (n_samples, n_timesteps, ...)."""
    return np.ascontiguousarray(X.transpose(0, 2, 1))


class RNNTimeSeriesClassifier(BaseClassifier):
    """An `RNNClassifier` as an sktime classifier of panels, also of unequal lengths.

    sktime keeps panels as (instances, variables, time), and a network reads (instances, time,
    variables): this transposes one to the other. Panels of unequal lengths become lists of series,
    and values that are missing mask their time step.

    Parameters
    ----------
    classifier : RNNClassifier or other classifier of sequences, default=None
        It is cloned. None is ``RNNClassifier()``.

    Attributes
    ----------
    classifier_ : RNNClassifier
        The fitted clone; there is none where all labels were the same.

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

    # df-list first: sktime converts panels of unequal lengths to the first, which must hold them.
    _tags = {
        "authors": ["the skrnn developers"],
        "python_dependencies": ["tensorflow", "keras"],
        "X_inner_mtype": ["df-list", "numpy3D"],
        "y_inner_mtype": "numpy1D",
        "capability:multivariate": True,
        "capability:unequal_length": True,
        "capability:missing_values": True,
        "capability:categorical_in_X": False,
        "capability:predict_proba": True,
        "capability:class_weight": True,
    }

    def __init__(self, classifier=None):
        self.classifier = classifier
        super().__init__()

    def _fit(self, X, y):
        classifier = RNNClassifier() if self.classifier is None else self.classifier
        self.classifier_ = clone(classifier).fit(_sequences(X), y)
        return self

    def _predict(self, X):
        return self.classifier_.predict(_sequences(X))

    def _predict_proba(self, X):
        return self.classifier_.predict_proba(_sequences(X)).astype(float)

    @classmethod
    def get_test_params(cls, parameter_set="default"):
        """Return settings for sktime's own tests: small networks that train in an instant.

        Parameters
        ----------
        parameter_set : str, default="default"

        Returns
        -------
        params : list of dict
        """
        return [
            {"classifier": RNNClassifier("rnn", units=2, epochs=1, random_state=0)},
            {"classifier": RNNClassifier("gru", units=(2, 2), epochs=1, random_state=0)},
        ]


def _sequences(X):
    """Return a panel of sktime's as `RNNClassifier` takes it: time steps before variables."""
    if isinstance(X, list):
        return [frame.to_numpy() for frame in X]
    return np.ascontiguousarray(X.transpose(0, 2, 1))
