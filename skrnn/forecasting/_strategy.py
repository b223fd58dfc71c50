"""Forecasts of several steps from networks that see windows: how strategies train and predict."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ..regression import RNNRegressor


def build_forecaster(
    input_shape, n_outputs, cell, units, dropout, seed, *, n_steps, n_ahead, decoder, at_base
):
    """Build a network from a window, and rows known ahead, to the steps after it.

    Parameters
    ----------
    input_shape : tuple (n_timesteps, n_features)
    n_outputs : int
        Steps times columns.
    cell, units, dropout, seed
        As in `build_rnn`.
    n_steps : int
        Steps that are predicted.
    n_ahead : int
        How many of the last time steps are rows known ahead.
    decoder : {"dense", "recurrent"}
        Whether a dense layer turns the last state into all steps, or a second recurrent layer
        takes the state, with what is known ahead, at every step [1]_.
    at_base : bool
        Whether the last layer starts at zero.

    Returns
    -------
    model : keras.Model
        Not compiled, made of `keras.layers` alone.

    References
    ----------
    .. [1] I. Sutskever, O. Vinyals, Q. V. Le (2014). Sequence to sequence learning with neural
       networks. Advances in neural information processing systems 27.
    """
    import keras

    from ..networks.builders import build_rnn
    from ..networks.custom_cells import make_recurrent_layer
    from ..networks.stack import CELLS, check_units

    if decoder == "dense":
        model = build_rnn(input_shape, n_outputs, cell, units, dropout=dropout, seed=seed)
    else:
        sizes = check_units(units)
        n_ahead = min(n_ahead, n_steps)  # the encoder reads what lies before the steps
        past = input_shape[0] - n_ahead
        encoder = build_rnn((past, input_shape[1]), 1, cell, units, dropout=dropout, seed=seed)
        inputs = keras.Input(input_shape)
        x = keras.layers.Cropping1D((0, n_ahead))(inputs) if n_ahead else inputs
        for layer in encoder.layers[1:-1]:  # without its head
            x = layer(x)
        x = keras.layers.RepeatVector(n_steps)(x)
        if n_ahead:
            ahead = keras.layers.Cropping1D((past, 0))(inputs)
            x = keras.layers.Concatenate()([x, ahead])
        x = make_recurrent_layer(
            cell,
            CELLS,
            sizes[-1],
            return_sequences=True,
            kernel_initializer=keras.initializers.GlorotUniform(seed + 1),
            recurrent_initializer=keras.initializers.Orthogonal(seed=seed + 2),
            seed=seed + 3,
        )(x)
        initializer = keras.initializers.GlorotUniform(seed + 4)
        x = keras.layers.Dense(n_outputs // n_steps, kernel_initializer=initializer)(x)
        model = keras.Model(inputs, keras.layers.Flatten()(x))
    if at_base:
        head = next(
            layer for layer in reversed(model.layers) if isinstance(layer, keras.layers.Dense)
        )
        head.kernel.assign(keras.ops.zeros_like(head.kernel))
    return model


def make_inputs(past, past_exog, ahead_exog, residual, memory):
    """Return what a network sees, and the base that its outputs are added to.

    Parameters
    ----------
    past : ndarray of shape (n_windows, window_length, n_columns)
    past_exog : ndarray of shape (n_windows, window_length, n_exog)
    ahead_exog : ndarray of shape (n_windows, n_steps, n_exog)
    residual : bool
        Whether windows are taken around their last row.
    memory : ndarray of shape (n_windows, n_columns)
        What is left of the last row in the base of the first step, and of that in the next.

    Returns
    -------
    inputs : ndarray of shape (n_windows, window_length [+ n_steps], n_features)
        With exogenous columns the rows known ahead follow the window, with zeros in the place
        of the series and a one in a column of their own.
    base : ndarray of shape (n_windows, n_steps, n_columns)
    """
    last = past[:, -1:] if residual else np.zeros_like(past[:, -1:])
    steps = np.arange(1, ahead_exog.shape[1] + 1)[:, None]
    base, past = last * memory[:, None] ** steps, past - last
    if not past_exog.shape[2]:
        return past, base
    n_windows, n_steps, n_exog = ahead_exog.shape
    inputs = np.zeros((n_windows, past.shape[1] + n_steps, past.shape[2] + n_exog + 1))
    inputs[:, :, :-1] = np.concatenate(
        [
            np.concatenate([past, past_exog], axis=2),
            np.concatenate([np.zeros((n_windows, n_steps, past.shape[2])), ahead_exog], axis=2),
        ],
        axis=1,
    )
    inputs[:, past.shape[1] :, -1] = 1
    return inputs, base


@dataclass
class Windows:
    """Windows of several series in one network's units, and what came after them.

    Parameters
    ----------
    past : ndarray of shape (n_windows, window_length, n_columns)
    past_exog : ndarray of shape (n_windows, window_length, n_exog)
    after : ndarray of shape (n_windows, n_steps, n_columns)
        NaN after the end of a series.
    after_exog : ndarray of shape (n_windows, n_steps, n_exog)
    memory : ndarray of shape (n_windows, n_columns)
        What is left, a step later, of a row's distance from zero.
    """

    past: np.ndarray
    past_exog: np.ndarray
    after: np.ndarray
    after_exog: np.ndarray
    memory: np.ndarray

    @classmethod
    def cut(cls, values, exog, origins, window_length, n_steps, memory=1.0):
        """Cut windows from one series.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_columns)
        exog : ndarray of shape (n_exog_rows, n_exog)
            As many rows as the series, or more.
        origins : ndarray of int
            The last row of each window. What reaches before the first row repeats it.
        window_length, n_steps : int
        memory : float or ndarray of shape (n_columns,), default=1.0
        """
        rows = np.maximum(origins[:, None] + np.arange(1 - window_length, 1), 0)
        later = origins[:, None] + np.arange(1, n_steps + 1)
        after = values[np.minimum(later, len(values) - 1)].copy()
        after[later >= len(values)] = np.nan
        later = np.minimum(later, len(exog) - 1)
        kept = np.broadcast_to(memory, (len(origins), values.shape[1]))
        return cls(values[rows], exog[rows], after, exog[later], kept)

    @classmethod
    def joined(cls, parts):
        """Return the windows of all parts, one after the other."""
        names = ("past", "past_exog", "after", "after_exog", "memory")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def at(self, rows):
        """Return some of the windows."""
        return Windows(*(part[rows] for part in vars(self).values()))


@dataclass
class Strategy:
    """Networks that share the steps to forecast among them.

    "recursive" has one network for the next step, which then sees its own forecasts; "multioutput"
    one for all steps at once, which sees its own forecasts where more are wanted; "direct" one for
    each step [1]_.

    Parameters
    ----------
    steps : list of tuples of int
        The steps that each network predicts.
    options : object
        Has the parameters of `RNNForecaster` as attributes.
    window_length : int
    networks : list of lists of RNNRegressor
    weights : list of float
        How much of what the networks of some steps say is added to the base.

    References
    ----------
    .. [1] S. Ben Taieb, G. Bontempi, A. Atiya, A. Sorjamaa (2012). A review and comparison of
       strategies for multi-step ahead time series forecasting based on the NN5 forecasting
       competition. Expert Systems with Applications 39(8).
    """

    steps: list
    options: Any
    window_length: int
    networks: list = field(default_factory=list)
    weights: list = field(default_factory=list)

    @classmethod
    def for_horizon(cls, options, window_length, steps):
        """Return the strategy that the options ask for, untrained."""
        if options.strategy == "direct":
            return cls([(step,) for step in steps], options, window_length)
        last = max(steps) if options.strategy == "multioutput" else 1
        return cls([tuple(range(1, last + 1))], options, window_length)

    @property
    def reach(self):
        """The last step that a network predicts."""
        return self.steps[-1][-1]

    def fit(self, windows, seed, share=1.0, done=0.0):
        """Train the networks on all windows whose steps are known, or go on training them.

        Parameters
        ----------
        windows : Windows
        seed : int
        share : float, default=1.0
            Of the epochs that the options ask for, with those that are done.
        done : float, default=0.0
            The share of them that was trained for before.
        """
        go_on = bool(self.networks)
        for i, steps in enumerate(self.steps):
            inputs, base, known = self._inputs(windows, steps)
            targets = windows.after[:, np.subtract(steps, 1)] - base
            known &= np.isfinite(targets).all(axis=(1, 2))
            inputs, targets = inputs[known], targets[known]
            flat = targets.reshape(len(targets), -1)
            wanted = self._epochs(len(inputs))
            epochs = _count(share, wanted) - (_count(done, wanted) if done else 0)
            if go_on:
                for network in self.networks[i] if epochs else []:
                    network.set_params(epochs=epochs, warm_start=True).fit(inputs, flat)
            else:
                self.networks.append(self._fit_new(inputs, flat, epochs, steps, seed))
                self.weights.append(1.0)
        return self

    def _epochs(self, n_windows):
        if self.options.epochs is not None:
            return self.options.epochs
        # So that short series are seen often and long ones not for ever.
        n_batches = -(-n_windows // self.options.batch_size)
        return int(np.clip(_GRADIENT_STEPS // n_batches, *_EPOCHS))

    def _fit_new(self, inputs, targets, epochs, steps, seed):
        options = self.options
        builder = partial(
            build_forecaster,
            n_steps=len(steps),
            n_ahead=inputs.shape[1] - self.window_length,
            decoder=options.decoder,
            at_base=bool(options.residual),
        )
        seeds = np.random.RandomState(seed).randint(2**31 - 1, size=options.n_networks)
        return [
            RNNRegressor(
                options.cell,
                options.units,
                dropout=options.dropout,
                network=builder,
                loss=options.loss,
                optimizer=options.optimizer,
                learning_rate=options.learning_rate,
                epochs=epochs,
                batch_size=options.batch_size,
                random_state=int(one),
                verbose=options.verbose,
            ).fit(inputs, targets)
            for one in seeds
        ]

    def _inputs(self, windows, steps):
        """Return inputs, the base and which windows have all rows known ahead."""
        ahead = windows.after_exog[:, : steps[-1]]
        residual = self.options.residual
        inputs, base = make_inputs(windows.past, windows.past_exog, ahead, residual, windows.memory)
        return inputs, base[:, np.subtract(steps, 1)], np.isfinite(ahead).all(axis=(1, 2))

    def _changes(self, i, inputs):
        """Return what networks add to the base, of shape (n_windows, n_steps, n_columns)."""
        found = np.mean([network.predict(inputs) for network in self.networks[i]], axis=0)
        return found.astype(float).reshape(len(inputs), len(self.steps[i]), -1)

    def weigh(self, windows, times):
        """Set each network's weight by what it is worth after windows not trained on.

        A forecast is the base and, times a weight from 0 to 1, what the network adds. The weight
        that fits best is shrunk by how sure it is that the network is worth anything, by the
        positive part of James and Stein's factor: to 0 where the gain over the base is not larger
        than its standard error.

        Parameters
        ----------
        windows : Windows
        times : ndarray of int, of shape (n_windows,)
            Windows of one time are judged together, as series may move together.

        Returns
        -------
        loss : float
            The mean of the squared errors that are left.
        """
        losses = []
        for i, steps in enumerate(self.steps):
            inputs, base, _ = self._inputs(windows, steps)
            wanted = windows.after[:, np.subtract(steps, 1)] - base
            found = self._changes(i, inputs)
            self.weights[i] = james_stein_weight(found, wanted, times)
            left = wanted - self.weights[i] * found
            losses.append(left[np.isfinite(left)])
        return float(np.mean(np.concatenate(losses) ** 2))

    def steps_seen(self, n_steps):
        """Return how many rows known ahead the networks see, to forecast some steps."""
        if self.options.strategy == "direct":
            return max(n_steps, self.reach)
        return -(-n_steps // self.reach) * self.reach

    def forecast(self, windows, n_steps):
        """Return forecasts of some steps, NaN for those without a network.

        Parameters
        ----------
        windows : Windows
            With the rows known ahead of `steps_seen`.
        n_steps : int

        Returns
        -------
        forecasts : ndarray of shape (n_windows, n_steps, n_columns)
        """
        n_windows, _, n_columns = windows.after.shape
        forecasts = np.full((n_windows, n_steps, n_columns), np.nan)
        if not n_windows:
            return forecasts
        if self.options.strategy == "direct":
            for i, steps in enumerate(self.steps):
                if steps[0] <= n_steps:
                    inputs, base, _ = self._inputs(windows, steps)
                    changes = self.weights[i] * self._changes(i, inputs)
                    forecasts[:, steps[0] - 1] = (base + changes)[:, 0]
            return forecasts
        past, exog = windows.past, windows.past_exog
        for done in range(0, n_steps, self.reach):
            ahead = windows.after_exog[:, done : done + self.reach]
            inputs, base = make_inputs(past, exog, ahead, self.options.residual, windows.memory)
            found = base + self.weights[0] * self._changes(0, inputs)
            forecasts[:, done : done + self.reach] = found[:, : n_steps - done]
            past = np.concatenate([past, found], axis=1)[:, -self.window_length :]
            exog = np.concatenate([exog, ahead], axis=1)[:, -self.window_length :]
        return forecasts


def _count(share, epochs):
    """Return how many whole epochs a share of them is, at least one."""
    return max(1, round(share * epochs))


def james_stein_weight(found, wanted, times):
    """Return from 0 to 1 how much of what was found is worth adding, given what was wanted.

    That is the weight that fits best, times the positive part of 1 - variance / square of the mean
    gain of all times. The variance is that of Newey and West (1987, Econometrica 55(3)), as the
    steps after one time overlap with those after the next.
    """
    known = np.isfinite(wanted)
    found, wanted = np.where(known, found, 0.0), np.where(known, wanted, 0.0)
    total = np.sum(found**2)
    if total == 0:
        return 0.0
    weight = np.clip(np.sum(found * wanted) / total, 0, 1)
    gains = wanted**2 - (wanted - weight * found) ** 2
    # Relative to what there was to gain: the last times know the first steps alone.
    counts = np.maximum(known.sum(axis=0), 1)
    possible = np.sum(wanted**2, axis=0) / counts
    gains /= np.where(possible > 0, possible, 1.0)
    counts = np.bincount(times, known.sum(axis=(1, 2)))
    gains = np.bincount(times, gains.sum(axis=(1, 2)))[counts > 0] / counts[counts > 0]
    mean, around = gains.mean(), gains - gains.mean()
    if mean <= 0:
        return 0.0
    n_lags = min(found.shape[1], len(gains)) - 1
    variance = np.mean(around**2)
    for lag in range(1, n_lags + 1):
        product = np.sum(around[lag:] * around[:-lag]) / len(gains)
        variance += 2 * (1 - lag / (n_lags + 1)) * product
    return float(weight * max(0.0, 1 - variance / len(gains) / mean**2))


_GRADIENT_STEPS = 500


_EPOCHS = 5, 200
