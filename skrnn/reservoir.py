"""ReservoirTransformer: an echo state network's reservoir, which only its readout learns from."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from threadpoolctl import threadpool_limits

from ._checks import unchanged_on_error
from ._sklearn_compat import Interval, check_array, check_is_fitted, fit_context, validate_data
from .windows._array import is_windows
from .windows._transformer import WindowTransformer

__all__ = ["ReservoirTransformer", "StateArray"]


class StateArray(np.ndarray):
    """States of a reservoir: an ndarray that knows how many of its leading rows are no good.

    Slices, copies and results of arithmetic are plain in this: their `n_incomplete` is 0.

    Attributes
    ----------
    n_incomplete : int
        Leading rows that `CompleteWindowsRegressor` does not learn from.
    """

    n_incomplete: int

    def __new__(cls, states, n_incomplete=0):
        """Lay a view over the states."""
        self = np.asarray(states).view(cls)
        self.n_incomplete = int(n_incomplete)
        return self

    def __array_finalize__(self, obj):
        self.n_incomplete = 0

    def __reduce__(self):
        return StateArray, (np.asarray(self), self.n_incomplete)

    def __reduce_ex__(self, protocol):
        return self.__reduce__()


class ReservoirTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Turn windows, or a series, into the states of a random recurrent network [1]_.

    The reservoir of an echo state network: recurrent units whose weights are drawn once and never
    learnt. With the input x and the state h, which is h⁻ before the step and starts at zero::

        h = (1 − leak) h⁻ + leak tanh(x W + h⁻ U + b)

    A linear model on the states, its readout, is all that learns: scikit-learn's `Ridge` behind it
    makes an echo state network.

    `transform` takes X for one of two things:

    - Windows, (n_samples, n_timesteps, n_features) as a `WindowTransformer` makes them: row i is
      the state after window i was read from its first step to its last.
    - A series, (n_samples, n_features): row i is the state after all rows up to row
      ``i - horizon`` were read. As in `WindowTransformer`, X that begins with the rows seen in
      `fit` is these rows, and what follows them; the states start at zero. Any other X continues
      from the last rows seen in `fit`.

    Parameters
    ----------
    units : int, default=100
        Columns of a state.
    spectral_radius : float, default=0.9
        Size of the largest eigenvalue of U. Near 1 the reservoir remembers for long; well above 1
        it may never forget how it started.
    leak : float in (0, 1], default=1.0
        How fast states change; less than 1 for what is slow against the time step.
    input_scaling : float, default=1.0
        The numbers in W are uniform between minus and plus this.
    bias_scaling : float, default=0.2
        The numbers in b are uniform between minus and plus this.
    density : float in (0, 1], default=0.1
        Share of the units that each unit hears from; at least one.
    horizon : int, default=1
        How many rows before its own a state of a series has read up to. With 1,
        ``fit(series, series)`` does not leak; 0 includes the row itself, which is for predicting
        *another* variable of the same moment. Windows have a horizon of their own.
    washout : int, default=0
        How many leading states of a series that starts at zero count as incomplete, beside those
        that have read nothing: `CompleteWindowsRegressor` leaves them out of `fit`. Of windows,
        those count that reach before the first known row.
    random_state : int, RandomState instance or None, default=None
        Draws the weights.

    Attributes
    ----------
    input_weights_ : ndarray of shape (n_features, units)
        W.
    recurrent_weights_ : ndarray of shape (units, units)
        U; row j holds what the others hear of unit j.
    bias_ : ndarray of shape (units,)
        b.
    n_features_in_ : int
        Features of a time step.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of a series' columns, where X had any.

    See Also
    --------
    WindowTransformer : Makes the windows.
    CompleteWindowsRegressor : Leaves incomplete rows out of what a readout learns from.

    Notes
    -----
    Features should be scaled, to 0 to 1 or to variance 1. States have X's dtype. A `Ridge` right
    behind learns from all rows; to leave out the incomplete ones, which know little of what was
    before, take ``CompleteWindowsRegressor(Ridge())`` (without `set_output`, whose frames do not
    say which they are).

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

    Or on the series as it is, without windows:

    >>> model = make_pipeline(reservoir, Ridge(1e-6)).fit(train, train)
    >>> model.score(test, test) > 0.999
    True
    """

    _parameter_constraints = {
        "units": [Interval(Integral, 1, None, closed="left")],
        "spectral_radius": [Interval(Real, 0, None, closed="left")],
        "leak": [Interval(Real, 0, 1, closed="right")],
        "input_scaling": [Interval(Real, 0, None, closed="left")],
        "bias_scaling": [Interval(Real, 0, None, closed="left")],
        "density": [Interval(Real, 0, 1, closed="right")],
        "horizon": [Interval(Integral, 0, None, closed="left")],
        "washout": [Interval(Integral, 0, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        units=100,
        *,
        spectral_radius=0.9,
        leak=1.0,
        input_scaling=1.0,
        bias_scaling=0.2,
        density=0.1,
        horizon=1,
        washout=0,
        random_state=None,
    ):
        self.units = units
        self.spectral_radius = spectral_radius
        self.leak = leak
        self.input_scaling = input_scaling
        self.bias_scaling = bias_scaling
        self.density = density
        self.horizon = horizon
        self.washout = washout
        self.random_state = random_state

    def fit(self, X, y=None):
        """Draw the weights; of a series, remember how it ends.

        Parameters
        ----------
        X : WindowArray or array-like of shape (n_samples, n_timesteps, n_features), or \
array-like of shape (n_samples, n_features)
            Windows, or a series.
        y : ignored

        Returns
        -------
        self : ReservoirTransformer

        Raises
        ------
        ValueError
            If X is neither, or holds a value that is not finite.
        """
        self._fit(X)
        return self

    def fit_transform(self, X, y=None):
        """Fit to X and return its states.

        Parameters
        ----------
        X : WindowArray or array-like of shape (n_samples, n_timesteps, n_features), or \
array-like of shape (n_samples, n_features)
            Windows, or a series.
        y : ignored

        Returns
        -------
        states : StateArray of shape (n_samples, units)
        """
        return self._fit(X)

    @fit_context
    def _fit(self, X):
        with unchanged_on_error(self):
            is_series = not _holds_windows(X)
            values = self._validate(X, reset=True)
            self._draw()
            self._memory = None
            if not is_series:
                return self._read_windows(X, values)
            # Where no row is before the first of two, it is not the fitted rows that go on.
            self._memory = WindowTransformer(2, horizon=0).fit(X)
            states = self._read(values, np.zeros((1, self.units), values.dtype))
            self._last_states = states[-max(1, self.horizon) :].copy()
            return self._aligned(states, np.zeros((self.horizon, self.units), values.dtype), True)

    def transform(self, X):
        """Return the states after each window, or before each row of a series.

        Parameters
        ----------
        X : WindowArray or array-like of shape (n_samples, n_timesteps, n_features), or \
array-like of shape (n_samples, n_features)
            Windows, or a series: the fitted one, it and what follows, or the rows that follow it.

        Returns
        -------
        states : StateArray of shape (n_samples, units)

        Warns
        -----
        UserWarning
            If the index of a series lies before or among the fitted rows, or leaves a gap.

        Raises
        ------
        ValueError
            If X has other features than the fitted data, or a value that is not finite, or is a
            series where windows were fitted.
        NotFittedError
            Before `fit`.
        """
        check_is_fitted(self)
        if _holds_windows(X):
            return self._read_windows(X, self._validate(X, reset=False))
        if self._memory is None:
            raise ValueError(
                f"X has shape {np.shape(X)}, but {type(self).__name__} was fitted on windows of "
                "shape (n_samples, n_timesteps, n_features). Transform windows, or fit on a series."
            )
        values = self._validate(X, reset=False)
        follows = self._memory.transform(X).n_incomplete == 0
        known = np.zeros((max(1, self.horizon), self.units), values.dtype)
        if follows:
            n_known = len(self._last_states)
            known[len(known) - n_known :] = self._last_states
        states = self._read(values, known[-1:])
        return self._aligned(states, known[len(known) - self.horizon :], not follows)

    def _validate(self, X, reset):
        """Return X as an array of floats; windows and series alike."""
        dtype = [np.float64, np.float32]
        if not _holds_windows(X):
            return validate_data(self, X, reset=reset, dtype=dtype)
        if is_windows(X):
            X = X.stacked()
            check_array(X.series, dtype=None, input_name="X", estimator=self)
            X = X if X.dtype in dtype else X.astype(np.float64)
        else:
            X = check_array(X, dtype=dtype, allow_nd=True, input_name="X", estimator=self)
        n_features = X.shape[2]
        if reset:
            self.n_features_in_ = n_features
            self.__dict__.pop("feature_names_in_", None)
        elif n_features != self.n_features_in_:
            raise ValueError(
                f"X has windows of {n_features} features, but {type(self).__name__} was fitted on "
                f"{self.n_features_in_}. Transform windows of the same columns, or fit again."
            )
        return X

    def _draw(self):
        rng = check_random_state(self.random_state)
        n = self.units
        self.input_weights_ = self.input_scaling * rng.uniform(-1, 1, (self.n_features_in_, n))
        self.bias_ = self.bias_scaling * rng.uniform(-1, 1, n)
        # Each hears from as many: so there is a loop, and an eigenvalue to scale by.
        n_heard = max(1, round(self.density * n))
        weights = np.zeros((n, n))
        for unit in range(n):
            heard = rng.choice(n, n_heard, replace=False)
            weights[heard, unit] = rng.uniform(-1, 1, n_heard)
        radius = np.max(np.abs(np.linalg.eigvals(weights)))
        self.recurrent_weights_ = weights * (self.spectral_radius / radius)

    def _step(self, x, states, W, U, b):
        return (1 - self.leak) * states + self.leak * np.tanh(x @ W + states @ U + b)

    def _weights(self, dtype):
        return [
            weights.astype(dtype, copy=False)
            for weights in (self.input_weights_, self.recurrent_weights_, self.bias_)
        ]

    def _read_windows(self, X, windows):
        states = np.zeros((len(windows), self.units), windows.dtype)
        weights = self._weights(windows.dtype)
        for t in range(windows.shape[1]):
            states = self._step(windows[:, t], states, *weights)
        return StateArray(states, X.n_incomplete if is_windows(X) else 0)

    def _read(self, series, state):
        """Return the state after each row of a series."""
        states = np.empty((len(series), self.units), series.dtype)
        weights = self._weights(series.dtype)
        # Products as small as these take longer on several threads.
        with threadpool_limits(1, "blas"):
            for t in range(len(series)):
                state = self._step(series[t : t + 1], state, *weights)
                states[t] = state
        return states

    def _aligned(self, states, known, starts):
        """Return the states `horizon` rows later, behind those known before."""
        n_samples = len(states)
        if self.horizon:
            states = np.concatenate([known, states])[:n_samples]
        skip = min(n_samples, self.washout + self.horizon) if starts else 0
        return StateArray(states, skip)

    @property
    def _n_features_out(self):
        return self.units

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _holds_windows(X):
    n_dimensions = np.ndim(X) if isinstance(X, (list, tuple)) else getattr(X, "ndim", None)
    return is_windows(X) or n_dimensions == 3
