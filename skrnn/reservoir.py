"""ReservoirTransformer: the reservoir of an echo state network."""

from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from threadpoolctl import threadpool_limits

from ._checks import check_no_panel, check_numeric, unchanged_on_error
from ._inputs.windows import is_three_dimensional
from ._parameters import RANDOM_STATE
from ._sklearn_compat import Interval, check_array, check_is_fitted, fit_context, validate_data
from .windows._array import IncompleteArray, as_column, is_windows
from .windows._transformer import WindowTransformer

__all__ = ["ReservoirTransformer", "StateArray"]


class StateArray(IncompleteArray):
    """States of a reservoir, with the number of leading states that are incomplete.

    Slices, copies and the results of arithmetic have ``n_incomplete=0``.

    Parameters
    ----------
    array : array-like
        The states.
    n_incomplete : int, default=0
        Number of leading rows that `CompleteWindowsRegressor` excludes from `fit`.

    Attributes
    ----------
    n_incomplete : int
        Number of leading rows that `CompleteWindowsRegressor` excludes from `fit`.
    """


@dataclass(eq=False, repr=False)
class ReservoirTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Transform windows, or a series, into the states of a random recurrent network [1]_.

    This is the reservoir of an echo state network: recurrent units whose weights are random and
    are not trained. From the input x and the previous state h⁻, which is initially zero, the state
    is::

        h = (1 − leak) h⁻ + leak tanh(x W + h⁻ U + b)

    An echo state network consists of the reservoir and a readout, a linear model of the states,
    such as `Ridge`. Only the readout is trained.

    `transform` takes two types of X:

    - Windows of shape (n_samples, n_timesteps, n_features), such as those of `WindowTransformer`.
      Row i of the output is the state after the last step of window i.
    - A series of shape (n_samples, n_features). Row i of the output is the state after row
      ``i - horizon``. As in `WindowTransformer`, X that begins with the rows seen in `fit` is the
      fitted data, possibly followed by new rows, and its initial state is zero. Any other X
      continues from the last state in `fit`.

    Parameters
    ----------
    units : int, default=100
        Number of units, which is the dimension of the states.
    spectral_radius : float, default=0.9
        Largest absolute eigenvalue of U. The closer to 1, the longer the memory of the reservoir.
        With values well above 1, the states may depend on the initial state indefinitely.
    leak : float in (0, 1], default=1.0
        Leaking rate. With smaller values, the states change more slowly.
    input_scaling : float, default=1.0
        The elements of W are sampled uniformly between minus and plus this value.
    bias_scaling : float, default=0.2
        The elements of b are sampled uniformly between minus and plus this value.
    density : float in (0, 1], default=0.1
        Fraction of nonzero elements in each column of U. Each column has at least one.
    horizon : int, default=1
        Number of rows from the last row that a state of a series depends on to the row with the
        same index as the state. With 1, ``fit(series, series)`` does not leak the target. With 0,
        the state depends on the row itself, which is only suitable for predicting *another*
        variable at the same time step. It has no effect on windows.
    washout : int, default=0
        Number of states after the initial state of a series that count as incomplete, in addition
        to the first `horizon` states, which depend on no row. `CompleteWindowsRegressor` excludes
        incomplete states from `fit`. The states of incomplete windows are always incomplete.
    random_state : int, RandomState instance or None, default=None
        Determines the random weights. Pass an int for reproducible results across calls.

    Attributes
    ----------
    input_weights_ : ndarray of shape (n_features, units)
        W, the input weights.
    recurrent_weights_ : ndarray of shape (units, units)
        U, the recurrent weights. Element (j, k) is the weight of the connection from unit j to
        unit k.
    bias_ : ndarray of shape (units,)
        b, the bias.
    n_features_in_ : int
        Number of features per time step seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns of a series seen in `fit`. Defined only if X has column names that are
        all strings.

    See Also
    --------
    WindowTransformer : Transforms a series into windows.
    CompleteWindowsRegressor : Excludes incomplete rows from the training data of a readout.

    Notes
    -----
    Features should be scaled, for example to the range 0 to 1 or to unit variance. The states have
    the dtype of X. A `Ridge` directly after the reservoir is fitted on all rows. To exclude
    incomplete states, use ``CompleteWindowsRegressor(Ridge())`` and no `set_output`, as DataFrames
    do not contain the number of incomplete states.

    References
    ----------
    .. [1] H. Jaeger (2001). The "echo state" approach to analysing and training recurrent neural
       networks. GMD Report 148; leaky units: H. Jaeger, M. Lukoševičius, D. Popovici, U. Siewert
       (2007). Optimization and applications of echo state networks with leaky-integrator neurons.
       Neural Networks 20(3).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from skrnn import ReservoirTransformer, WindowTransformer
    >>> series = np.sin(np.arange(300) / 4)[:, None]
    >>> train, test = series[:200], series[200:]
    >>> reservoir = ReservoirTransformer(50, random_state=0)
    >>> model = make_pipeline(WindowTransformer(30), reservoir, Ridge(1e-6)).fit(train, train)
    >>> model.score(test, test) > 0.999
    True

    Or directly on the series, without windows:

    >>> model = make_pipeline(reservoir, Ridge(1e-6)).fit(train, train)
    >>> model.score(test, test) > 0.999
    True
    """

    units: int = 100
    _: KW_ONLY
    spectral_radius: float = 0.9
    leak: float = 1.0
    input_scaling: float = 1.0
    bias_scaling: float = 0.2
    density: float = 0.1
    horizon: int = 1
    washout: int = 0
    random_state: int | np.random.RandomState | None = None

    _parameter_constraints = {
        "units": [Interval(Integral, 1, None, closed="left")],
        "spectral_radius": [Interval(Real, 0, None, closed="left")],
        "leak": [Interval(Real, 0, 1, closed="right")],
        "input_scaling": [Interval(Real, 0, None, closed="left")],
        "bias_scaling": [Interval(Real, 0, None, closed="left")],
        "density": [Interval(Real, 0, 1, closed="right")],
        "horizon": [Interval(Integral, 0, None, closed="left")],
        "washout": [Interval(Integral, 0, None, closed="left")],
        "random_state": RANDOM_STATE,
    }

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Initialize the weights and, for a series, store the last states.

        Parameters
        ----------
        X : WindowArray or array-like of shape (n_samples, n_timesteps, n_features), or \
array-like of shape (n_samples, n_features)
            Windows, or a series.
        y : Ignored
            Not used, present for API consistency.

        Returns
        -------
        self : ReservoirTransformer
            Fitted transformer.

        Raises
        ------
        ValueError
            If X is neither windows nor a series, or contains NaN or infinity.
        """
        self._fit(X)
        return self

    def fit_transform(self, X: ArrayLike, y: Any = None) -> StateArray:
        """Fit to X and return its states.

        Parameters
        ----------
        X : WindowArray or array-like of shape (n_samples, n_timesteps, n_features), or \
array-like of shape (n_samples, n_features)
            Windows, or a series.
        y : Ignored
            Not used, present for API consistency.

        Returns
        -------
        states : StateArray of shape (n_samples, units)
        """
        return self._fit(X)

    @fit_context
    def _fit(self, X):
        with unchanged_on_error(self):
            values = self._validate(X, reset=True)
            self._initialize_weights()
            self._memory = None
            if _has_windows(X):
                return self._window_states(X, values)
            # Recognizes the fitted rows in `transform`. If it returns complete windows of two
            # rows, X continues the fitted rows.
            self._memory = WindowTransformer(2, horizon=0).fit(X)
            states = self._series_states(values, np.zeros((0, self.units)))
            n_before = max(1, self.horizon)
            self._last_states = states[n_before:][-n_before:].copy()
            return self._shift(states, n_rows_before=0, n_states_before=0)

    def transform(self, X: ArrayLike) -> StateArray:
        """Return the state of each window, or of each row of a series.

        Parameters
        ----------
        X : WindowArray or array-like of shape (n_samples, n_timesteps, n_features), or \
array-like of shape (n_samples, n_features)
            Windows, or a series: the fitted data, the fitted data followed by new rows, or rows
            that follow the fitted data.

        Returns
        -------
        states : StateArray of shape (n_samples, units)

        Warns
        -----
        UserWarning
            If the index of a series begins before or among the fitted rows, or has a gap.

        Raises
        ------
        ValueError
            If the features of X differ from those of the fitted data, if X contains NaN or
            infinity, or if it is a series but windows were fitted.
        NotFittedError
            If the transformer is not fitted.
        """
        check_is_fitted(self)
        if _has_windows(X):
            return self._window_states(X, self._validate(X, reset=False))
        if self._memory is None:
            raise ValueError(
                f"X has shape {np.shape(X)}, but {type(self).__name__} was fitted on windows of "
                "shape (n_samples, n_timesteps, n_features). Transform windows, or fit on a series."
            )
        values = self._validate(X, reset=False)
        follows = self._memory.transform(X).n_incomplete == 0
        n_states = min(len(self._last_states), max(1, self.horizon)) if follows else 0
        last_states = self._last_states[len(self._last_states) - n_states :]
        return self._shift(
            self._series_states(values, last_states),
            n_rows_before=self._memory.n_samples_fit_ if follows else 0,
            n_states_before=n_states,
        )

    def _validate(self, X, reset):
        """Return windows or a series as an array of floats."""
        dtype = [np.float64, np.float32]
        if not _has_windows(X):
            check_no_panel(type(self).__name__, X, "Transform each series.")
            check_numeric(X)
            X = as_column(X) if reset or self.n_features_in_ == 1 else X
            return validate_data(self, X, reset=reset, dtype=dtype)
        if is_windows(X):
            X = X.stacked()
            check_array(X.series, dtype=None, input_name="X", estimator=self)
            X = X if X.dtype in dtype else X.astype(np.float64)
        else:
            X = check_array(X, dtype=dtype, allow_nd=True, input_name="X", estimator=self)
        n_features = X.shape[2]
        if reset:
            self.n_features_in_: int = n_features
            self.__dict__.pop("feature_names_in_", None)
        elif n_features != self.n_features_in_:
            raise ValueError(
                f"X has windows of {n_features} features, but {type(self).__name__} was fitted on "
                f"{self.n_features_in_}. Transform windows of the same columns, or fit again."
            )
        return X

    def _initialize_weights(self):
        rng = check_random_state(self.random_state)
        n = self.units
        input_weights = rng.uniform(-1, 1, (self.n_features_in_, n))
        self.input_weights_: np.ndarray = self.input_scaling * input_weights
        self.bias_: np.ndarray = self.bias_scaling * rng.uniform(-1, 1, n)
        # As every column has a nonzero element, the largest eigenvalue is not zero.
        n_nonzero = max(1, round(self.density * n))
        weights = np.zeros((n, n))
        for unit in range(n):
            sources = rng.choice(n, n_nonzero, replace=False)
            weights[sources, unit] = rng.uniform(-1, 1, n_nonzero)
        radius = np.max(np.abs(np.linalg.eigvals(weights)))
        self.recurrent_weights_: np.ndarray = weights * (self.spectral_radius / radius)

    def _window_states(self, X, windows):
        """Return the state after the last step of each window."""
        state = np.zeros((len(windows), self.units), windows.dtype)
        weights = self._weights(windows.dtype)
        for t in range(windows.shape[1]):
            state = self._step(windows[:, t], state, *weights)
        return StateArray(state, X.n_incomplete if is_windows(X) else 0)

    def _series_states(self, series, last_states):
        """Return the state after each row of a series, preceded by the last states before it."""
        n_before = max(1, self.horizon)
        states = np.zeros((n_before + len(series), self.units), series.dtype)
        states[n_before - len(last_states) : n_before] = last_states
        state, weights = states[n_before - 1 : n_before], self._weights(series.dtype)
        # Multiple threads would slow down such small products.
        with threadpool_limits(1, "blas"):
            for t in range(len(series)):
                state = self._step(series[t : t + 1], state, *weights)
                states[n_before + t] = state
        return states

    def _weights(self, dtype):
        weights = (self.input_weights_, self.recurrent_weights_, self.bias_)
        return [array.astype(dtype, copy=False) for array in weights]

    def _step(self, x, states, W, U, b):
        return (1 - self.leak) * states + self.leak * np.tanh(x @ W + states @ U + b)

    def _shift(self, states, n_rows_before, n_states_before):
        """Return the state `horizon` rows before each row of a series.

        States are incomplete in the washout, and where they precede the known ones.
        """
        n_before = max(1, self.horizon)
        n_samples = len(states) - n_before
        in_washout = self.washout + self.horizon - n_rows_before
        n_incomplete = min(n_samples, max(0, in_washout, self.horizon - n_states_before))
        return StateArray(states[n_before - self.horizon :][:n_samples], n_incomplete)

    @property
    def _n_features_out(self):
        return self.units

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _has_windows(X):
    """Return whether X consists of windows, not of the rows of a series."""
    return is_windows(X) or is_three_dimensional(X)
