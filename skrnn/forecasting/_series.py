"""Series as rows at places in time: what a forecaster keeps of each series of a panel."""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd


class TimeIndexer:
    """Tells how many steps of time lie between the labels of an index.

    Parameters
    ----------
    index : pandas Index
        Of a series; what is learnt from it holds for the others of a panel.

    Notes
    -----
    Periods, integers in steps of one and dates with a frequency have places in time. Other labels,
    such as dates without a frequency, are only counted: rows follow each other.

    Attributes
    ----------
    unit : tuple
        What places are counted in, and by how many of it.
    offset : pandas DateOffset or None
        From one date to the next, where they are evenly apart.
    """

    def __init__(self, index):
        self.kind = "count"
        self.freq: Any = None
        self.step, self.origin = 1, 0
        self.offset: Any = None
        if isinstance(index, pd.PeriodIndex):
            self.kind, self.freq = "period", index.freqstr
        elif isinstance(index, pd.DatetimeIndex):
            self._count_dates(index)
        elif pd.api.types.is_integer_dtype(index.dtype) and (np.diff(index) == 1).all():
            self.kind = "int"

    def _count_dates(self, index):
        """Find out by what unit dates are evenly apart, and by how many of it."""
        freq = index.freq
        if freq is None and len(index) >= 3:
            freq = pd.tseries.frequencies.to_offset(pd.infer_freq(index))
        if freq is None:
            return
        self.offset = freq
        offsets = pd.tseries.offsets
        if isinstance(freq, offsets.Tick) and not isinstance(freq, offsets.Day):
            self.kind, self.freq = "tick", freq  # so many nanoseconds long
            self.origin = int(index.as_unit("ns").asi8[0] % freq.nanos)
            return
        days = isinstance(freq, offsets.Day | offsets.Week)
        working = isinstance(freq, offsets.BusinessDay)
        # Quarters and years are three and twelve months.
        for unit in ("D",) if days else ("B",) if working else ("M", "D"):
            places = _periods(index, unit)
            steps = np.unique(np.diff(places)) if len(index) > 1 else [freq.n]
            if len(steps) == 1 and steps[0] > 0:
                self.kind, self.freq = "date", unit
                self.step = int(steps[0])
                self.origin = int(places[0] % self.step)
                return

    @property
    def unit(self):
        return self.kind, self.freq, self.step

    def last(self, label):
        """Return a label as an index of its own, with the frequency that its index has."""
        if self.offset is None or not self.offset.is_on_offset(label):
            return pd.Index([label])
        return pd.DatetimeIndex([label], freq=self.offset)

    def __call__(self, index):
        """Return the places of labels as an int64 array, or None where rows are only counted."""
        if self.kind == "count":
            return None
        if self.kind == "period":
            return index.asi8 // index.freq.n
        if self.kind == "int":
            return index.to_numpy(dtype=np.int64)
        if self.kind == "tick":
            places, step = index.as_unit("ns").asi8, self.freq.nanos
        else:
            places, step = _periods(index, self.freq), self.step
        between = np.flatnonzero((places - self.origin) % step)
        if len(between):
            raise ValueError(
                f"{index[between[0]]} lies between the dates of a series that come every "
                f"{self.offset.freqstr}. Bring all series to the same dates, for instance by "
                "`resample`."
            )
        return (places - self.origin) // step


def _periods(index, unit):
    """Return the numbers of the days, working days or months of dates."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # time zones do not matter to the number of the month
        return index.to_period(unit).asi8


@dataclass(frozen=True)
class PanelSeries:
    """The rows of one series seen so far, and the rows known beside them.

    Parameters
    ----------
    key : tuple
        What the series is called in its panel; () outside of one.
    index : pandas Index of length n_rows
    values : ndarray of shape (n_rows, n_columns)
    exog : DataFrame, default=None
        Rows of the exogenous variables, by an index like that of the series; some may lie after
        its last row.
    clock : Clock
    """

    key: tuple
    index: pd.Index
    values: np.ndarray
    exog: pd.DataFrame | None
    clock: TimeIndexer

    def __len__(self):
        return len(self.values)

    def __post_init__(self):
        places = self.clock(self.index)
        if places is not None and len(gaps := np.flatnonzero(np.diff(places) != 1)):
            before, after = self.index[gaps[0]], self.index[gaps[0] + 1]
            raise ValueError(
                f"{self.name} has no row between {before} and {after}: a window needs every row. "
                "Fill the gap, for instance with sktime's Imputer after `asfreq`."
            )

    @property
    def name(self):
        """What to call the series in an error."""
        return f"The series {', '.join(map(repr, self.key))}" if self.key else "The series"

    @property
    def first_place(self):
        """The place of the first row, from which places in a season are counted."""
        places = self.clock(self.index[:1])
        return 0 if places is None else int(places[0])

    def cut(self, n_rows):
        """Return the first rows alone."""
        return replace(self, index=self.index[:n_rows], values=self.values[:n_rows])

    def extended(self, other):
        """Return the rows of both; where both have a row, that of the other, newer one."""
        frame = _newest(
            pd.DataFrame(self.values, self.index), pd.DataFrame(other.values, other.index)
        )
        exog = self.exog if other.exog is None else _newest(self.exog, other.exog)
        return replace(self, index=frame.index, values=frame.to_numpy(), exog=exog)

    def rows_until(self, label):
        """Return how many rows lie at or before a label, and how many steps the label is later."""
        n_rows = int((self.index <= label).sum())
        places = self.clock(self.index[n_rows - 1 : n_rows].append(pd.Index([label])))
        return n_rows, 0 if places is None or not n_rows else int(places[1] - places[0])

    def exog_rows(self, n_rows, more=None, n_extra=0):
        """Return the exogenous rows 0 to n_rows - 1, counted from the first row of the series.

        Parameters
        ----------
        n_rows : int
            May reach beyond the last row of the series.
        more : DataFrame, default=None
            Rows given later, such as those of the horizon.
        n_extra : int, default=0
            Rows after them that are returned, too, as far as they are known.

        Returns
        -------
        rows : ndarray of shape (n_rows or up to n_extra more, n_exog)

        Raises
        ------
        ValueError
            If a row is missing.
        """
        frame: Any = self.exog if more is None else _newest(self.exog, more)
        if frame is None:
            raise ValueError(f"{self.name} has no X, but was fitted with X: pass X as in fit.")
        places, total = self.clock(frame.index), n_rows + n_extra
        if places is None:
            inside = self.index.get_indexer(frame.index)
            later = np.flatnonzero(np.asarray(frame.index > self.index[-1]))
            inside[later] = len(self) + np.arange(len(later))
            places = np.where(inside < 0, total, inside)
        else:
            places = places - self.first_place
        rows = np.full((total, frame.shape[1]), np.nan)
        known = (places >= 0) & (places < total)
        rows[places[known]] = frame.to_numpy(dtype=float)[known]
        missing = np.flatnonzero(np.isnan(rows).any(axis=1))
        if len(missing) and missing[0] < n_rows:
            step = missing[0] - len(self) + 1
            where = f"{step} steps after its last row" if step > 0 else str(self.index[missing[0]])
            raise ValueError(
                f"{self.name} has no row of X {where}, but was fitted with X: pass X for every "
                "step up to the last one of the horizon, gaps included."
            )
        return rows[: missing[0]] if len(missing) else rows


def _newest(old, new):
    """Return the rows of both frames by time, the new one's where both have one."""
    if old is None or new.index[0] > old.index[-1]:
        return new if old is None else pd.concat([old, new])
    return pd.concat([old[~old.index.isin(new.index)], new]).sort_index()


def indexer_of(frame):
    """Return the clock of an sktime frame, by the longest of its series."""
    return TimeIndexer(max((rows.index for _, rows in split_panel(frame)), key=len))


def check_labels(name, frame, index):
    """Raise a ValueError if a frame's rows are not labelled as those of another index are."""
    if frame.index.nlevels != index.nlevels:
        raise ValueError(
            f"{name} has {frame.index.nlevels} levels of its index, but there are {index.nlevels} "
            "in what it goes with: a single series has one, a panel has two. Pass the same."
        )
    one, other = (part.get_level_values(-1) for part in (frame.index, index))
    kinds = pd.PeriodIndex, pd.DatetimeIndex
    if any(isinstance(one, kind) != isinstance(other, kind) for kind in kinds):
        raise ValueError(
            f"{name} is labelled by {type(one).__name__}, and what it goes with by "
            f"{type(other).__name__}. Bring both to the same index."
        )


def split_panel(frame):
    """Yield the key and the rows of each series of an sktime frame, by key."""
    if not isinstance(frame.index, pd.MultiIndex):
        yield (), frame
        return
    levels = [*range(frame.index.nlevels - 1)]
    for key, rows in frame.groupby(level=levels, sort=True):
        yield key if isinstance(key, tuple) else (key,), rows.droplevel(levels)
