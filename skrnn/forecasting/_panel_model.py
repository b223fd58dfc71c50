"""One network over all series of a panel, and how far its forecasts may be off."""

import copy
from typing import Any

import numpy as np
from scipy import stats
from sklearn.isotonic import IsotonicRegression
from sklearn.utils import check_random_state

from ._scaling import fit_scales
from ._strategy import Strategy, Windows

# Windows that training should have before the default window is made shorter.
_ENOUGH_WINDOWS = 12


# Of the size of an error that few overlapping ones were seen of.
_LEAST_FREEDOM = 3


# Of the epochs, those after which a network in training is judged.
_SHARES = 0.1, 0.2, 0.4, 0.7, 1.0


class PanelModel:
    """Scales, networks and errors that were learnt from some series, to forecast these or others.

    Parameters
    ----------
    options : object
        Has the parameters of `RNNForecaster` as attributes.
    steps : list of int
        The steps ahead that forecasts are wanted of, ascending.

    Attributes
    ----------
    window_length, n_columns : int
    columns, exog_columns : list
        The names of the columns of y, and of X; empty without X.
    unit : tuple
        What time was counted in.
    strategy : Strategy
    errors : ndarray of shape (n_steps, n_columns)
        The size of the error of each step ahead, in a network's units.
    scores : ndarray of shape (n_scores,)
        Sizes of errors over those of their step, ascending.
    n_origins : int
        Rows that errors were measured after.
    """

    def __init__(self, options, steps):
        self.options: Any = options
        self.steps: list[int] = steps
        self.share = 1.0  # of the epochs

    def fit(self, histories):
        """Train on all rows, after another network, trained on the earlier rows, was judged."""
        self._check_lengths(histories)
        self.n_columns = histories[0].values.shape[1]
        self.unit = histories[0].clock.unit
        self._fit_exog(histories)
        seeds = check_random_state(self.options.random_state).randint(2**31 - 1, size=2)
        self.scales, self.known = fit_scales(histories, self.options, self.window_length)
        judged = self._judge(histories, seeds[0])
        self.strategy = self._new_strategy()
        if judged is not None:
            self.share = judged.share
        self._train(histories, seeds[1], self.share)
        if judged is None:
            # Too short to hold rows out: the errors of training are all there is.
            first = [len(history) for history in histories]
            errors = self._errors(histories, self.scales, first, self.scales)
            self._measure(errors)
        else:
            self.strategy.weights = judged.strategy.weights
            self.errors, self.scores = judged.errors, judged.scores
            self.n_origins = judged.n_origins
        return self

    def go_on(self, histories, share):
        """Go on training with more rows; the errors stay as they were measured."""
        self.scales, _ = fit_scales(histories, self.options, self.window_length, self.known)
        self._train(histories, 0, share)

    def check_alike(self, histories):
        """Raise a ValueError if the networks were trained on series unlike these."""
        n_columns, unit = histories[0].values.shape[1], histories[0].clock.unit
        if n_columns != self.n_columns:
            has, trained = f"y has {n_columns} columns", f"{self.n_columns}"
        elif self.options.sp > 1 and unit != self.unit:
            has, trained = f"time is counted by {unit}", f"{self.unit}: seasons have no places"
        else:
            return
        raise ValueError(
            f"{has}, but the networks were trained on {trained}. Pass series like those, or train "
            "a new forecaster."
        )

    def check_known(self, history, scale):
        """Raise a ValueError if a series could not be forecast from."""
        scale.levels(history)
        self.exog(history, len(history))

    def scale_of(self, history):
        """Return the scale of a series that was not in the fit."""
        return fit_scales([history], self.options, self.window_length, self.known)[0][0]

    def _new_strategy(self):
        steps = self.steps
        if self.options.strategy == "multioutput":
            steps = [min(steps[-1], self._longest_reach)]
        return Strategy.for_horizon(self.options, self.window_length, steps)

    @property
    def _lag(self):
        options = self.options
        return options.sp if options.sp > 1 and options.seasonal == "difference" else 0

    def _check_lengths(self, histories):
        """Set the length of windows, or raise an error if no series holds one with its steps."""
        options = self.options
        n_rows = max(map(len, histories))
        usual = int(np.median([len(history) for history in histories])) - self._lag
        self._longest_reach = max(1, usual // 3)
        last = {"recursive": 1, "direct": self.steps[-1]}.get(options.strategy)
        last = min(self.steps[-1], self._longest_reach) if last is None else last
        length = options.window_length
        if length is None:
            length = 12 if options.sp == 1 else min(max(options.sp, 8), 48)
            while length > 1 and usual - last - length + 1 < _ENOUGH_WINDOWS:
                length //= 2
        needed = length + last + self._lag
        if n_rows < needed:
            mend = ", or take a shorter window_length" if length > 1 else ""
            season = f", a seasonal difference of {self._lag} rows" if self._lag else ""
            raise ValueError(
                f"window_length={length} and {last} steps ahead{season} need at least {needed} "
                f"rows to fit, got {n_rows}. Fit on more rows{mend}."
            )
        self.window_length = length

    def _fit_exog(self, histories):
        self.exog_columns = [] if histories[0].exog is None else [*histories[0].exog.columns]
        if not self.exog_columns:
            self.exog_mean, self.exog_size = np.zeros(0), np.ones(0)
            return
        rows = np.concatenate([history.exog_rows(len(history)) for history in histories])
        size = rows.std(axis=0)
        self.exog_mean, self.exog_size = rows.mean(axis=0), np.where(size > 0, size, 1.0)

    def exog(self, history, n_rows, more=None, n_extra=0):
        """Return the exogenous rows as a network sees them, (n_rows or up to n_extra more, n_exog).

        Rows that are not known a window of `Windows` repeats the last one for.
        """
        if not len(self.exog_mean):
            return np.zeros((n_rows, 0))
        return (history.exog_rows(n_rows, more, n_extra) - self.exog_mean) / self.exog_size

    def _train(self, histories, seed, share, done=0.0):
        parts, times = [], []
        for history, scale in zip(histories, self.scales, strict=True):
            values = scale.inputs(scale.levels(history))
            # Windows that hold known rows only, and have a row after them.
            origins = np.arange(self._lag + self.window_length - 1, len(history) - 1)
            exog = self.exog(history, len(history))
            parts.append(self._cut(values, exog, origins, self.strategy.reach, scale.memory))
            times.append(origins - len(history))
        windows = Windows.joined(parts)
        order = np.argsort(np.concatenate(times), kind="stable")  # the last part is last in time
        self.strategy.fit(windows.at(order), seed, share, done)

    def _cut(self, values, exog, origins, n_steps, memory=1.0):
        return Windows.cut(values, exog, origins, self.window_length, n_steps, memory)

    def _judge(self, histories, seed):
        """Return a model of the earlier rows with its errors in the later; None if too short."""
        n_rows = int(np.median([len(history) for history in histories]))
        n_held = round(self.options.validation_fraction * n_rows)
        n_held = min(max(n_held, self.steps[-1]), n_rows // 3)
        if self.options.sp > 1:  # what is judged should have a season, too
            n_held = max(min(n_held, n_rows - 2 * self.options.sp), n_rows // 5)
        strategy = self._new_strategy()
        needed = self._lag + self.window_length + strategy.reach + _ENOUGH_WINDOWS // 2
        long = [len(history) - n_held >= needed for history in histories]
        held = [history for history, one in zip(histories, long, strict=True) if one]
        if n_held < 2 or not held:
            return None
        early = PanelModel(self.options, self.steps)
        vars(early).update(vars(self))
        early.strategy = strategy
        cut = [history.cut(len(history) - n_held) for history in held]
        log, *_ = self.known  # not decided anew, as errors are compared with those of all rows
        later = [scale for scale, one in zip(self.scales, long, strict=True) if one]
        early.scales, early.known = fit_scales(
            cut, self.options, self.window_length, (log, None, None, None), later
        )
        levels = [s.levels(h) for s, h in zip(early.scales, held, strict=True)]
        times = np.tile(np.arange(n_held), len(held))
        windows, lowest, done = early._held_windows(held, levels, n_held), np.inf, 0.0
        for share in _SHARES if self.options.early_stopping else _SHARES[-1:]:
            early._train(cut, seed, share, done)
            loss, done = strategy.weigh(windows, times), share
            if loss < lowest:
                lowest, early.share, best = loss, share, copy.deepcopy(strategy)
        early.strategy = best
        first = [len(history) - n_held for history in held]
        early._measure(early._errors(held, early.scales, first, later))
        return early

    def _held_windows(self, histories, levels, n_held):
        """Return the windows that end in the row before those held out, and in all but the last."""
        parts = []
        for history, scale, known in zip(histories, self.scales, levels, strict=True):
            origins = np.arange(len(history) - n_held - 1, len(history) - 1)
            exog = self.exog(history, len(history))
            values = scale.inputs(known)
            parts.append(self._cut(values, exog, origins, self.strategy.reach, scale.memory))
        return Windows.joined(parts)

    def _errors(self, histories, scales, first, units):
        """Return errors of forecasts from the rows before each of `first` on.

        They are divided by the sizes of `units`, which need not be those of the scales.

        Returns
        -------
        errors : ndarray of shape (n_origins, n_steps, n_columns)
            NaN after the end of a series.
        """
        errors = []
        for history, scale, start, unit in zip(histories, scales, first, units, strict=True):
            levels = scale.levels(history)
            if start == len(history):  # in training
                start = self._lag + self.window_length
            origins = np.arange(start - 1, len(history) - 1)
            wanted = self._cut(levels, levels[:, :0], origins, self.steps[-1]).after
            found = self.forecast([history], [scale], [origins], self.steps[-1])[0]
            errors.append((wanted - found) / np.where(unit.size > 0, unit.size, np.nan))
        return np.concatenate(errors)

    def _measure(self, errors):
        """Take the size of the errors of each step, which does not fall with the steps."""
        known = np.isfinite(errors)
        squares = np.where(known, errors, 0.0) ** 2
        counts = known.sum(axis=0)
        sizes = np.zeros(errors.shape[1:])
        for column in range(errors.shape[2]):
            some = counts[:, column] > 0
            if some.any():
                mean = squares[:, some, column].sum(axis=0) / counts[some, column]
                steps = np.flatnonzero(some)
                rising = IsotonicRegression(out_of_bounds="clip").fit(
                    steps, np.sqrt(mean), sample_weight=counts[some, column]
                )
                sizes[:, column] = rising.predict(np.arange(len(sizes)))
        self.errors, self.n_origins = sizes, int(known.any(axis=(1, 2)).sum())
        relative = np.abs(errors) / np.where(sizes > 0, sizes, 1.0)
        self.scores = np.sort(relative[known])

    def width(self, coverage, steps):
        """Return how far from the forecast an interval reaches, in a network's units.

        Parameters
        ----------
        coverage : float
        steps : ndarray of int, of shape (n_steps,)

        Returns
        -------
        width : ndarray of shape (n_steps, n_columns)
        """
        if not len(self.scores):
            return np.zeros((len(steps), self.n_columns))
        share = min(1.0, coverage * (1 + 1 / self.n_origins))
        quantile = np.quantile(self.scores, share, method="higher")
        last = len(self.errors)
        # Steps further than any that was measured are as those of a random walk.
        growth = np.sqrt(np.maximum(steps, last) / last)
        # Sums of the same shocks: n overlapping errors of h steps say as much of their size as
        # n / sum(rho²) others, where rho falls from 1 to 0 in h steps.
        near = np.minimum(steps, last)
        freedom = np.maximum(self.n_origins * 3 * near / (2 * near**2 + 1), _LEAST_FREEDOM)
        tail = 0.5 + min(coverage, 0.999) / 2
        growth = growth * stats.t.ppf(tail, freedom) / stats.norm.ppf(tail) if coverage else growth
        return quantile * self.errors[near - 1] * growth[:, None]

    def forecast(self, histories, scales, origins, n_steps, exog=None, n_wanted=None):
        """Return the levels that are forecast after some rows of each series.

        Parameters
        ----------
        histories : list of History
        scales : list of Scale
        origins : list of ndarray of int
            Of each series, the last rows known.
        n_steps : int
        exog : list of DataFrame or None, default=None
            Of each series, exogenous rows given with the horizon.
        n_wanted : list of int, default=None
            Of each series, the steps that exogenous rows must be known for; None is n_steps.

        Returns
        -------
        levels : list of ndarrays of shape (n_origins, n_steps, n_columns)
        """
        parts, levels = [], [s.levels(h) for s, h in zip(scales, histories, strict=True)]
        n_seen = self.strategy.steps_seen(n_steps)
        for i, (history, scale, rows) in enumerate(zip(histories, scales, origins, strict=True)):
            n_exog = len(history)
            if exog is not None and len(rows):
                wanted = n_steps if n_wanted is None else n_wanted[i]
                n_exog = max(n_exog, rows[-1] + 1 + wanted)
            more = None if exog is None else exog[i]
            known = self.exog(history, n_exog, more, n_seen)
            values = scale.inputs(levels[i])
            parts.append(self._cut(values, known, rows, n_seen, scale.memory))
        found = self.strategy.forecast(Windows.joined(parts), n_steps)
        ends = np.cumsum([len(rows) for rows in origins])[:-1]
        return [
            scale.outputs(one, level, rows)
            for scale, one, level, rows in zip(
                scales, np.split(found, ends), levels, origins, strict=True
            )
        ]
