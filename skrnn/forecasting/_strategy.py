"""Multi-step forecasts of networks."""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from .._linear import LinearForecast, linear_change
from .._shrinkage import james_stein_weight
from ..regression import RNNRegressor

# The default number of epochs has about this many gradient steps, within these limits.
_GRADIENT_STEPS = 500
_EPOCH_LIMITS = 5, 200
# The same for windows that are normalized one by one, and the default units and batch size up to a
# number of windows.
_SEGMENT_EPOCH_LIMITS = 10, 200
_SEGMENT_SIZES = (2_000, 32, 32), (10_000, 32, 128), (40_000, 64, 256), (np.inf, 128, 256)
_LEARNING_RATE = 0.005
# The learning rate of networks with segments rises for this fraction of the epochs. It changes this
# often. Resumed training has this fraction of the maximum.
_WARMUP_FRACTION, _N_STAGES, _RESUMED_RATE = 0.3, 20, 0.2
# Parameters of the forecaster that are passed to its networks.
_SHARED = "cell", "dropout", "optimizer", "verbose"


def build_forecaster(
    input_shape, n_outputs, cell, units, dropout, seed, *, n_steps, n_ahead, decoder, zero_init_head
):
    """Build a network that forecasts several steps from a window and future exogenous variables.

    Parameters
    ----------
    input_shape : tuple (n_timesteps, n_features)
    n_outputs : int
        Number of steps times number of columns.
    cell, units, dropout, seed
        As in `build_rnn`.
    n_steps : int
        Number of steps to forecast.
    n_ahead : int
        Number of time steps at the end of the input that contain future exogenous variables.
    decoder : {"dense", "recurrent"}
        "dense" maps the last state to all steps with a dense layer. "recurrent" passes it, with the
        future exogenous variables, to a second recurrent layer at every step [1]_.
    zero_init_head : bool
        Whether to initialize the kernel of the last layer with zeros.

    Returns
    -------
    model : keras.Model
        The model is not compiled and consists of `keras.layers` only.

    References
    ----------
    .. [1] I. Sutskever, O. Vinyals, Q. V. Le (2014). Sequence to sequence learning with neural
       networks. Advances in neural information processing systems 27.
    """
    import keras

    from ..networks.builders import build_rnn
    from ..networks.custom_cells import make_recurrent_layer
    from ..networks.stack import check_units

    if decoder == "dense":
        model = build_rnn(input_shape, n_outputs, cell, units, dropout=dropout, seed=seed)
    else:
        n_ahead = min(n_ahead, n_steps)  # the encoder reads the time steps before the forecasts
        n_past = input_shape[0] - n_ahead
        encoder = build_rnn((n_past, input_shape[1]), 1, cell, units, dropout=dropout, seed=seed)
        inputs = keras.Input(input_shape)
        x = keras.layers.Cropping1D((0, n_ahead))(inputs) if n_ahead else inputs
        for layer in encoder.layers[1:-1]:  # all but the input and the head
            x = layer(x)
        x = keras.layers.RepeatVector(n_steps)(x)
        if n_ahead:
            x = keras.layers.Concatenate()([x, keras.layers.Cropping1D((n_past, 0))(inputs)])
        x = make_recurrent_layer(
            cell,
            check_units(units)[-1],
            return_sequences=True,
            kernel_initializer=keras.initializers.GlorotUniform(seed + 1),
            recurrent_initializer=keras.initializers.Orthogonal(seed=seed + 2),
            seed=seed + 3,
        )(x)
        initializer = keras.initializers.GlorotUniform(seed + 4)
        x = keras.layers.Dense(n_outputs // n_steps, kernel_initializer=initializer)(x)
        model = keras.Model(inputs, keras.layers.Flatten()(x))
    if zero_init_head:
        head = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)][-1]
        head.kernel.assign(keras.ops.zeros_like(head.kernel))
    return model


@dataclass
class Windows:
    """Windows of one or several series in the units of a network, and the rows after them.

    Parameters
    ----------
    past : ndarray of shape (n_windows, window_length, n_columns)
    past_exog : ndarray of shape (n_windows, window_length, n_exog)
    future : ndarray of shape (n_windows, n_steps, n_columns)
        NaN after the end of a series.
    future_exog : ndarray of shape (n_windows, n_steps, n_exog)
    ar1_coefficient : ndarray of shape (n_windows, n_columns)
        AR(1) coefficient of the naive forecast.
    """

    past: np.ndarray
    past_exog: np.ndarray
    future: np.ndarray
    future_exog: np.ndarray
    ar1_coefficient: np.ndarray

    def __len__(self) -> int:
        return len(self.past)

    @classmethod
    def from_series(cls, values, exog, origins, window_length, n_steps, ar1_coefficient=1.0):
        """Extract windows from one series.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_columns)
        exog : ndarray of shape (n_exog_rows, n_exog)
            At least n_rows rows. Steps beyond the last row repeat it.
        origins : ndarray of int
            The last row of each window. Rows before the first row of the series repeat it.
        window_length, n_steps : int
        ar1_coefficient : float or ndarray of shape (n_columns,), default=1.0
        """
        rows = np.maximum(origins[:, None] + np.arange(1 - window_length, 1), 0)
        later = origins[:, None] + np.arange(1, n_steps + 1)
        future = values[np.minimum(later, len(values) - 1)].copy()
        future[later >= len(values)] = np.nan
        future_exog = exog[np.minimum(later, len(exog) - 1)]
        coefficients = np.broadcast_to(ar1_coefficient, (len(origins), values.shape[1]))
        return cls(values[rows], exog[rows], future, future_exog, coefficients)

    @classmethod
    def concatenate(cls, parts: Iterable["Windows"]) -> "Windows":
        """Return the windows of several series."""
        return cls(*map(np.concatenate, zip(*(vars(part).values() for part in parts), strict=True)))

    def take(self, rows: np.ndarray) -> "Windows":
        """Return a selection of the windows."""
        return Windows(*(values[rows] for values in vars(self).values()))

    def advance(self, forecasts: np.ndarray) -> "Windows":
        """Return the windows that end after some forecast steps."""
        window_length, n_steps = self.past.shape[1], forecasts.shape[1]
        past = np.concatenate([self.past, forecasts], axis=1)[:, -window_length:]
        past_exog = np.concatenate([self.past_exog, self.future_exog[:, :n_steps]], axis=1)
        future, future_exog = self.future[:, n_steps:], self.future_exog[:, n_steps:]
        past_exog = past_exog[:, -window_length:]
        return Windows(past, past_exog, future, future_exog, self.ar1_coefficient)

    def network_inputs(self, n_steps: int, residual: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return the inputs of a network that forecasts some steps, and the naive forecast.

        Parameters
        ----------
        n_steps : int
        residual : bool
            Whether to subtract the last row from each window. If True, the naive forecast decays
            from the last row to zero, like that of an AR(1) process. Otherwise it is zero.

        Returns
        -------
        inputs : ndarray of shape (n_windows, window_length [+ n_steps], n_features)
            With exogenous variables, their future rows follow the window. The columns of the series
            are zero there, and an indicator column is one.
        naive : ndarray of shape (n_windows, n_steps, n_columns)
        """
        last = self.past[:, -1:] if residual else np.zeros_like(self.past[:, -1:])
        steps = np.arange(1, n_steps + 1)[:, None]
        naive = last * self.ar1_coefficient[:, None] ** steps
        return self._with_exog(self.past - last, n_steps), naive

    def _with_exog(self, past, n_steps):
        """Return windows and, if there are any, the exogenous variables in them and after them."""
        n_windows, window_length, n_columns = past.shape
        n_exog = self.past_exog.shape[2]
        if not n_exog:
            return past
        inputs = np.zeros((n_windows, window_length + n_steps, n_columns + n_exog + 1))
        inputs[:, :window_length, :n_columns] = past
        inputs[:, :window_length, n_columns:-1] = self.past_exog
        inputs[:, window_length:, n_columns:-1] = self.future_exog[:, :n_steps]
        inputs[:, window_length:, -1] = 1
        return inputs

    def normalize(self, season_length: int) -> tuple["Windows", np.ndarray, np.ndarray]:
        """Divide each window, relative to the mean of its last season, by its spread [1]_.

        Parameters
        ----------
        season_length : int

        Returns
        -------
        windows : Windows
            The windows and the rows after them in these units.
        mean, spread : ndarrays of shape (n_windows, 1, n_columns)
            The mean of the last season, and the root mean square of the deviations from it. The
            spread of a constant window is 1.

        References
        ----------
        .. [1] T. Kim et al. (2022). Reversible instance normalization for accurate time-series
           forecasting against distribution shift. International Conference on Learning
           Representations.
        """
        mean = self.past[:, -season_length:].mean(axis=1, keepdims=True)
        deviations = self.past - mean
        spread = np.sqrt(np.mean(deviations**2, axis=1, keepdims=True))
        spread = np.where(spread > 1e-9 * (1 + np.abs(mean)), spread, 1.0)
        parts = deviations / spread, self.past_exog, (self.future - mean) / spread
        return Windows(*parts, self.future_exog, self.ar1_coefficient), mean, spread

    def naive_forecasts(self, n_steps: int, season_length: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the last row, and the rows one season before each of the next steps.

        Returns
        -------
        last : ndarray of shape (n_windows, 1, n_columns)
        seasonal : ndarray of shape (n_windows, n_steps, n_columns)
        """
        rows = np.arange(n_steps) % season_length - season_length
        return self.past[:, -1:], self.past[:, rows]

    def segments(self, n_steps: int, season_length: int) -> np.ndarray:
        """Return the inputs of a network with a time step for each season [1]_.

        Returns
        -------
        inputs : ndarray of shape (n_windows, n_segments, season_length * n_features)
            Future rows of the exogenous variables are padded with zeros to whole segments.

        References
        ----------
        .. [1] S. Lin et al. (2023). SegRNN: Segment recurrent neural network for long-term time
           series forecasting. arXiv:2308.11200.
        """
        inputs = self._with_exog(self.past, n_steps)
        padding = -inputs.shape[1] % season_length
        inputs = np.pad(inputs, ((0, 0), (0, padding), (0, 0)))
        return inputs.reshape(len(inputs), -1, season_length * inputs.shape[2])


@dataclass
class Strategy:
    """Networks that forecast several steps ahead.

    "recursive" trains one network for the next step and applies it recursively. "multioutput"
    trains one network for all steps and applies it recursively beyond the last step. "direct"
    trains one network for each step [1]_.

    Parameters
    ----------
    steps : list of tuples of int
        The steps ahead that each network forecasts.
    options : RNNForecaster
        Unfitted forecaster with the parameters.
    segment_length : int, default=None
        Rows in a time step of the networks, a season. Each window is then divided by its spread. If
        None, the networks read row by row, and windows are not scaled.
    networks : list of lists of RNNRegressor
        For each element of `steps`, ``options.n_networks`` networks.
    weights : list of float
        For each element of `steps`, the weight of the networks in the forecast.
    last_weights : list of ndarray of shape (n_steps, 1)
        With a `segment_length`, for each element of `steps`, the weight of the last row in the
        naive forecast, which is averaged with the row one season earlier.
    coefficients : list of ndarray
        With a `segment_length`, for each element of `steps`, the coefficients of a ridge regression
        of the deviations from the naive forecast on the windows, which is added to it.
    has_networks : bool, default=True
        Whether networks are trained. Otherwise the forecast is the naive forecast.

    References
    ----------
    .. [1] S. Ben Taieb, G. Bontempi, A. Atiya, A. Sorjamaa (2012). A review and comparison of
       strategies for multi-step ahead time series forecasting based on the NN5 forecasting
       competition. Expert Systems with Applications 39(8).
    """

    steps: list[tuple[int, ...]]
    options: Any
    segment_length: int | None = None
    networks: list[list[RNNRegressor]] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    last_weights: list[np.ndarray] = field(default_factory=list)
    coefficients: list[np.ndarray] = field(default_factory=list)
    has_networks: bool = True

    @classmethod
    def for_horizon(
        cls, options: Any, steps: Sequence[int], segment_length: int | None = None
    ) -> "Strategy":
        """Return an unfitted strategy for some steps ahead."""
        if options.strategy == "direct":
            return cls([(step,) for step in steps], options, segment_length)
        last = max(steps) if options.strategy == "multioutput" else 1
        return cls([tuple(range(1, last + 1))], options, segment_length)

    @property
    def max_step(self) -> int:
        """The last step that a network forecasts."""
        return self.steps[-1][-1]

    def fit(self, windows, seed, epoch_fraction=1.0, epochs_done=0.0):
        """Train the networks on all windows with known steps, or resume training.

        Parameters
        ----------
        windows : Windows
        seed : int
        epoch_fraction : float, default=1.0
            Fraction of the epochs after which to stop.
        epochs_done : float, default=0.0
            Fraction of the epochs of earlier calls.
        """
        for i, steps in enumerate(self.steps):
            is_new = i == len(self.networks)
            if is_new and self.segment_length is not None:
                self.last_weights.append(self._fit_last_weights(windows, steps))
                if self.options.residual:
                    self.coefficients.append(self._fit_linear_forecast(i, windows))
            inputs, _, _, targets = self._inputs_and_targets(i, windows)
            is_known = np.isfinite(targets).all(axis=(1, 2))
            inputs, targets = inputs[is_known], targets[is_known].reshape(is_known.sum(), -1)
            total = self._n_epochs(len(inputs))
            epochs = _count_epochs(epoch_fraction, total)
            epochs -= _count_epochs(epochs_done, total) if epochs_done else 0
            if is_new and not self.has_networks:
                self.networks.append([])
                self.weights.append(0.0)
            elif is_new:
                networks = self._make_networks(len(steps), inputs, windows, epochs, seed)
                for network in networks:
                    if self._has_schedule():
                        _fit_with_schedule(network, inputs, targets)
                    else:
                        network.fit(inputs, targets)
                self.networks.append(networks)
                self.weights.append(1.0)
            elif epochs:
                for network in self.networks[i]:
                    network.set_params(epochs=epochs, warm_start=True).fit(inputs, targets)
        return self

    def _fit_last_weights(self, windows, steps):
        """Return the least squares weights of the last row, from 0 to 1, for each step."""
        windows, _, _ = windows.normalize(self.segment_length)
        last, seasonal = windows.naive_forecasts(steps[-1], self.segment_length)
        rows = np.subtract(steps, 1)
        seasonal, future = seasonal[:, rows], windows.future[:, rows]
        errors = np.where(np.isfinite(future), future - seasonal, 0.0)
        differences = np.where(np.isfinite(future), last - seasonal, 0.0)
        products = np.sum(errors * differences, axis=(0, 2))
        squares = np.sum(differences**2, axis=(0, 2))
        weights = np.divide(products, squares, out=np.zeros(len(steps)), where=squares > 0)
        return np.clip(weights, 0, 1)[:, None]

    def _fit_linear_forecast(self, i, windows):
        """Return the coefficients of networks `i`; see `LinearForecast`."""
        windows, _, _ = windows.normalize(self.segment_length)
        rows = np.subtract(self.steps[i], 1)
        targets = windows.future[:, rows] - self._naive_forecast(i, windows)
        is_known = np.isfinite(targets).all(axis=(1, 2))
        targets = targets[is_known].reshape(is_known.sum(), -1)
        linear = LinearForecast(windows.past[is_known], targets)
        return linear.fit(range(len(targets))).coefficients

    def _n_epochs(self, n_windows):
        options = self.options
        if options.epochs is not None:
            return options.epochs
        limits = _EPOCH_LIMITS if self.segment_length is None else _SEGMENT_EPOCH_LIMITS
        n_batches = -(-n_windows // self._size(n_windows)[1])
        return int(np.clip(_GRADIENT_STEPS // n_batches, *limits))

    def _size(self, n_windows):
        """Return the units and the batch size."""
        units, batch_size = 16, 32
        if self.segment_length is not None:
            _, units, batch_size = next(size for size in _SEGMENT_SIZES if n_windows <= size[0])
        return self.options.units or units, self.options.batch_size or batch_size

    def _has_schedule(self):
        return self.segment_length is not None and isinstance(self.options.learning_rate, str)

    def _make_networks(self, n_steps, inputs, windows, epochs, seed):
        options, is_segmented = self.options, self.segment_length is not None
        n_past = windows.past.shape[1] // (self.segment_length or 1)
        builder = partial(
            build_forecaster,
            n_steps=n_steps,
            n_ahead=inputs.shape[1] - n_past,
            decoder=options.decoder,
            zero_init_head=bool(options.residual),
        )
        units, batch_size = self._size(len(inputs))
        parameters = {name: getattr(options, name) for name in _SHARED}
        parameters |= {"units": units, "batch_size": batch_size, "epochs": epochs}
        parameters["loss"] = options.loss or ("mae" if is_segmented else "mse")
        is_auto = isinstance(options.learning_rate, str)
        parameters["learning_rate"] = _LEARNING_RATE if is_auto else options.learning_rate
        seeds = np.random.RandomState(seed).randint(2**31 - 1, size=options.n_networks)
        return [
            RNNRegressor(
                **parameters,
                network=builder,
                residual=False,
                early_stopping=False,
                random_state=int(seed),
            )
            for seed in seeds
        ]

    def _inputs_and_targets(self, i, windows):
        """Return what networks `i` are trained on.

        Returns
        -------
        inputs : ndarray of shape (n_windows, n_timesteps, n_features)
        naive : ndarray of shape (n_windows, n_steps, n_columns)
            The naive forecast.
        spread : ndarray of shape (n_windows, 1, n_columns)
            The unit of the outputs of the networks.
        targets : ndarray of shape (n_windows, n_steps, n_columns)
            Deviations of the rows from the naive forecast, in these units.
        """
        steps, residual = self.steps[i], self.options.residual
        rows = np.subtract(steps, 1)
        if self.segment_length is None:
            inputs, naive = windows.network_inputs(steps[-1], residual)
            spread = np.ones((len(windows), 1, windows.past.shape[2]))
            return inputs, naive[:, rows], spread, windows.future[:, rows] - naive[:, rows]
        normalized, mean, spread = windows.normalize(self.segment_length)
        naive = self._naive_forecast(i, normalized)
        inputs = normalized.segments(steps[-1], self.segment_length)
        targets = normalized.future[:, rows] - naive
        return inputs, mean + spread * naive, spread, targets

    def _naive_forecast(self, i, windows):
        """Return the naive forecast of normalized windows, and a linear forecast of the rest."""
        rows = np.subtract(self.steps[i], 1)
        last, seasonal = windows.naive_forecasts(self.steps[i][-1], self.segment_length)
        naive = seasonal[:, rows] + self.last_weights[i] * (last - seasonal[:, rows])
        if not self.options.residual:
            return np.zeros_like(naive)
        if i < len(self.coefficients):
            linear = linear_change(windows.past, range(len(windows)), self.coefficients[i])
            naive = naive + linear.reshape(naive.shape)
        return naive

    def _predict_networks(self, i, inputs):
        """Return the mean prediction, of shape (n_windows, n_steps, n_columns)."""
        predictions = np.mean([network.predict(inputs) for network in self.networks[i]], axis=0)
        return predictions.astype(float).reshape(len(inputs), len(self.steps[i]), -1)

    def _forecast_steps(self, i, windows, weight=None):
        """Return the forecasts of the steps of networks `i`."""
        inputs, naive, spread, _ = self._inputs_and_targets(i, windows)
        weight = self.weights[i] if weight is None else weight
        return naive + (weight * spread * self._predict_networks(i, inputs) if weight else 0)

    def fit_shrinkage(self, windows: Windows, times: np.ndarray) -> float:
        """Set the weights of the networks by their errors on windows of a holdout.

        Parameters
        ----------
        windows : Windows
        times : ndarray of int, of shape (n_windows,)
            Forecast origins. The windows of one origin are averaged, as the errors of the series of
            a panel are correlated.

        Returns
        -------
        loss : float
            Mean squared error of the weighted forecasts.
        """
        errors = []
        for i in range(len(self.steps)):
            inputs, _, _, targets = self._inputs_and_targets(i, windows)
            predictions = self._predict_networks(i, inputs)
            self.weights[i] = james_stein_weight(predictions, targets, times)
            residuals = targets - self.weights[i] * predictions
            errors.append(residuals[np.isfinite(residuals)])
        return float(np.mean(np.concatenate(errors) ** 2))

    def n_exog_steps(self, n_steps: int) -> int:
        """Return the number of steps of future exogenous variables in the input of the networks."""
        if self.options.strategy == "direct":
            return max(n_steps, self.max_step)
        return -(-n_steps // self.max_step) * self.max_step

    def forecast(self, windows: Windows, n_steps: int, weight: float | None = None) -> np.ndarray:
        """Forecast the steps 1 to n_steps after each window.

        Parameters
        ----------
        windows : Windows
            With `n_exog_steps` future rows of the exogenous variables.
        n_steps : int
        weight : float, default=None
            Weight of the networks. If None, the fitted weights are used.

        Returns
        -------
        forecasts : ndarray of shape (n_windows, n_steps, n_columns)
            NaN for steps without a network.
        """
        n_windows, _, n_columns = windows.past.shape
        forecasts = np.full((n_windows, n_steps, n_columns), np.nan)
        if not n_windows:
            return forecasts
        if self.options.strategy == "direct":
            for i, (step,) in enumerate(self.steps):
                if step <= n_steps:
                    forecasts[:, step - 1] = self._forecast_steps(i, windows, weight)[:, 0]
            return forecasts
        for start in range(0, n_steps, self.max_step):
            block = self._forecast_steps(0, windows, weight)
            forecasts[:, start : start + self.max_step] = block[:, : n_steps - start]
            windows = windows.advance(block)
        return forecasts


def _fit_with_schedule(network, inputs, targets):
    """Train a network with a learning rate that rises linearly and falls like a cosine [1]_.

    The learning rate is constant for stages of about a twentieth of the epochs. If training is
    resumed afterwards, it is low.

    References
    ----------
    .. [1] L. N. Smith, N. Topin (2019). Super-convergence: very fast training of neural networks
       using large learning rates. Artificial Intelligence and Machine Learning for Multi-Domain
       Operations Applications.
    """
    maximum, epochs = network.learning_rate, network.epochs
    bounds = np.linspace(0, epochs, min(epochs, _N_STAGES) + 1).round().astype(int)
    for start, stop in itertools.pairwise(bounds.tolist()):
        rise = (start + stop) / 2 / (_WARMUP_FRACTION * epochs)
        fall = ((start + stop) / 2 / epochs - _WARMUP_FRACTION) / (1 - _WARMUP_FRACTION)
        rate = min(rise, 0.5 * (1 + math.cos(math.pi * max(fall, 0))))
        network.set_params(epochs=stop - start, warm_start=start > 0, learning_rate=maximum * rate)
        network.fit(inputs, targets)
    network.set_params(epochs=epochs, learning_rate=_RESUMED_RATE * maximum)


def _count_epochs(fraction, epochs):
    """Return a fraction of the number of epochs, at least 1."""
    return max(1, round(fraction * epochs))
