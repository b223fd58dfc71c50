"""Multi-step forecasts of networks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from .._shrinkage import james_stein_weight
from ..regression import RNNRegressor

# The default number of epochs has about this many gradient steps, within these limits.
_GRADIENT_STEPS = 500
_EPOCH_LIMITS = 5, 200
# Parameters of the forecaster that are passed to its networks.
_SHARED = "cell", "units", "dropout", "loss", "optimizer", "learning_rate", "batch_size", "verbose"


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
        naive, past = last * self.ar1_coefficient[:, None] ** steps, self.past - last
        n_windows, window_length, n_columns = past.shape
        n_exog = self.past_exog.shape[2]
        if not n_exog:
            return past, naive
        inputs = np.zeros((n_windows, window_length + n_steps, n_columns + n_exog + 1))
        inputs[:, :window_length, :n_columns] = past
        inputs[:, :window_length, n_columns:-1] = self.past_exog
        inputs[:, window_length:, n_columns:-1] = self.future_exog[:, :n_steps]
        inputs[:, window_length:, -1] = 1
        return inputs, naive


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
    networks : list of lists of RNNRegressor
        For each element of `steps`, ``options.n_networks`` networks.
    weights : list of float
        For each element of `steps`, the weight of the networks in the forecast.

    References
    ----------
    .. [1] S. Ben Taieb, G. Bontempi, A. Atiya, A. Sorjamaa (2012). A review and comparison of
       strategies for multi-step ahead time series forecasting based on the NN5 forecasting
       competition. Expert Systems with Applications 39(8).
    """

    steps: list[tuple[int, ...]]
    options: Any
    networks: list[list[RNNRegressor]] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    @classmethod
    def for_horizon(cls, options: Any, steps: Sequence[int]) -> "Strategy":
        """Return an unfitted strategy for some steps ahead."""
        if options.strategy == "direct":
            return cls([(step,) for step in steps], options)
        last = max(steps) if options.strategy == "multioutput" else 1
        return cls([tuple(range(1, last + 1))], options)

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
            inputs, _, targets = self._inputs_and_targets(windows, steps)
            is_known = np.isfinite(targets).all(axis=(1, 2))
            inputs, targets = inputs[is_known], targets[is_known].reshape(is_known.sum(), -1)
            total = self._n_epochs(len(inputs))
            epochs = _count_epochs(epoch_fraction, total)
            epochs -= _count_epochs(epochs_done, total) if epochs_done else 0
            if i == len(self.networks):
                networks = self._make_networks(len(steps), inputs, windows, epochs, seed)
                self.networks.append([network.fit(inputs, targets) for network in networks])
                self.weights.append(1.0)
            elif epochs:
                for network in self.networks[i]:
                    network.set_params(epochs=epochs, warm_start=True).fit(inputs, targets)
        return self

    def _n_epochs(self, n_windows):
        if self.options.epochs is not None:
            return self.options.epochs
        n_batches = -(-n_windows // self.options.batch_size)
        return int(np.clip(_GRADIENT_STEPS // n_batches, *_EPOCH_LIMITS))

    def _make_networks(self, n_steps, inputs, windows, epochs, seed):
        options = self.options
        builder = partial(
            build_forecaster,
            n_steps=n_steps,
            n_ahead=inputs.shape[1] - windows.past.shape[1],
            decoder=options.decoder,
            zero_init_head=bool(options.residual),
        )
        seeds = np.random.RandomState(seed).randint(2**31 - 1, size=options.n_networks)
        parameters = {name: getattr(options, name) for name in _SHARED}
        return [
            RNNRegressor(**parameters, network=builder, epochs=epochs, random_state=int(seed))
            for seed in seeds
        ]

    def _inputs_and_targets(self, windows, steps):
        """Return the inputs, the naive forecast and the deviations of the rows from it."""
        rows = np.subtract(steps, 1)
        inputs, naive = windows.network_inputs(steps[-1], self.options.residual)
        return inputs, naive[:, rows], windows.future[:, rows] - naive[:, rows]

    def _predict_networks(self, i, inputs):
        """Return the mean prediction, of shape (n_windows, n_steps, n_columns)."""
        predictions = np.mean([network.predict(inputs) for network in self.networks[i]], axis=0)
        return predictions.astype(float).reshape(len(inputs), len(self.steps[i]), -1)

    def _forecast_steps(self, i, windows):
        """Return the forecasts of the steps of networks `i`."""
        inputs, naive, _ = self._inputs_and_targets(windows, self.steps[i])
        return naive + self.weights[i] * self._predict_networks(i, inputs)

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
        for i, steps in enumerate(self.steps):
            inputs, _, targets = self._inputs_and_targets(windows, steps)
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

    def forecast(self, windows: Windows, n_steps: int) -> np.ndarray:
        """Forecast the steps 1 to n_steps after each window.

        Parameters
        ----------
        windows : Windows
            With `n_exog_steps` future rows of the exogenous variables.
        n_steps : int

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
                    forecasts[:, step - 1] = self._forecast_steps(i, windows)[:, 0]
            return forecasts
        for start in range(0, n_steps, self.max_step):
            block = self._forecast_steps(0, windows)
            forecasts[:, start : start + self.max_step] = block[:, : n_steps - start]
            windows = windows.advance(block)
        return forecasts


def _count_epochs(fraction, epochs):
    """Return a fraction of the number of epochs, at least 1."""
    return max(1, round(fraction * epochs))
