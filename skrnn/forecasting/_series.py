"""Time series of a panel, and their positions in time."""

import warnings
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd


class TimeIndexer:
    """Convert the labels of a time index to consecutive integers.

    Parameters
    ----------
    index : pandas.Index
        Index of a series. The other series of a panel are converted to the same units.

    Attributes
    ----------
    unit : tuple
        Kind of index, unit of time and number of units per step.
    offset : pandas.DateOffset or None
        Frequency of evenly spaced dates.

    Notes
    -----
    Periods, integers and evenly spaced dates have ordinals, which are comparable across series.
    Other labels, such as dates without a frequency, do not have ordinals: only their order is
    known. The step of integers is the greatest common divisor of their differences.
    """

    def __init__(self, index: pd.Index) -> None:
        self.kind, self.step, self.origin = "order", 1, 0
        self.freq: Any = None
        self.offset: Any = None
        if isinstance(index, pd.PeriodIndex):
            self.kind, self.freq = "period", index.freqstr
        elif isinstance(index, pd.DatetimeIndex):
            self._infer_date_unit(index)
        elif pd.api.types.is_integer_dtype(index.dtype):
            self.kind = "int"
            if len(index) > 1:
                self.step = max(1, int(np.gcd.reduce(np.diff(index.to_numpy(dtype=np.int64)))))
            self.origin = int(index[0]) % self.step

    def _infer_date_unit(self, index: pd.DatetimeIndex) -> None:
        """Set the unit of evenly spaced dates, and the number of units per step."""
        freq = index.freq
        if freq is None and len(index) >= 3:
            freq = pd.tseries.frequencies.to_offset(pd.infer_freq(index))
        if freq is None:
            return
        self.offset = freq
        offsets = pd.tseries.offsets
        if isinstance(freq, offsets.Tick) and not isinstance(freq, offsets.Day):
            self.kind, self.freq, self.step = "tick", freq, freq.nanos
            self.origin = int(index.as_unit("ns").asi8[0] % freq.nanos)
            return
        is_daily = isinstance(freq, offsets.Day | offsets.Week)
        is_business = isinstance(freq, offsets.BusinessDay)
        # Quarters and years are three and twelve months.
        for unit in ("D",) if is_daily else ("B",) if is_business else ("M", "D"):
            ordinals = _period_ordinals(index, unit)
            steps = np.unique(np.diff(ordinals)) if len(index) > 1 else [freq.n]
            if len(steps) == 1 and steps[0] > 0:
                self.kind, self.freq, self.step = "date", unit, int(steps[0])
                self.origin = int(ordinals[0] % self.step)
                return

    @property
    def unit(self) -> tuple:
        return self.kind, self.freq, self.step

    def labels_after(self, label: Any, n_rows: int) -> pd.Index | None:
        """Return the labels of the rows after a label, or None if only their order is known."""
        if self.kind == "int":
            return pd.Index(label + self.step * np.arange(1, n_rows + 1))
        if self.kind == "period":
            return pd.period_range(label, periods=n_rows + 1, freq=self.freq)[1:]
        if self.offset is None or not self.offset.is_on_offset(label):
            return None
        return pd.date_range(label, periods=n_rows + 1, freq=self.offset)[1:]

    def with_freq(self, label: Any) -> pd.Index:
        """Return a label as an index of length 1 that has the frequency of the series."""
        if self.offset is None or not self.offset.is_on_offset(label):
            return pd.Index([label])
        return pd.DatetimeIndex([label], freq=self.offset)

    def ordinals(self, index: pd.Index) -> npt.NDArray[np.int64] | None:
        """Return the ordinals of labels, or None if only their order is known.

        Raises
        ------
        ValueError
            If a date lies between the dates of the series.
        """
        if self.kind == "order":
            return None
        if self.kind == "period":
            return index.asi8 // index.freq.n
        if self.kind == "int":
            ordinals, freq = index.to_numpy(dtype=np.int64), f"step {self.step}"
        else:
            is_tick, freq = self.kind == "tick", f"frequency {self.offset.freqstr}"
            ordinals = index.as_unit("ns").asi8 if is_tick else _period_ordinals(index, self.freq)
        between = np.flatnonzero((ordinals - self.origin) % self.step)
        if len(between):
            raise ValueError(
                f"{index[between[0]]} lies between the labels of a series with {freq}. Convert all "
                "series to the same labels, for instance dates with `resample`."
            )
        return (ordinals - self.origin) // self.step


def _period_ordinals(index: pd.DatetimeIndex, unit: str) -> npt.NDArray[np.int64]:
    """Return the ordinals of the days, business days or months of dates."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas warns that periods drop the time zone
        return index.to_period(unit).asi8


@dataclass(frozen=True)
class PanelSeries:
    """The observed rows of one series of a panel, and its exogenous variables.

    Parameters
    ----------
    key : tuple
        Index of the series in its panel. () for a single series.
    index : pandas.Index of length n_rows
    values : ndarray of shape (n_rows, n_columns)
    exog : DataFrame or None
        Exogenous variables. The rows may extend beyond the last row of the series.
    indexer : TimeIndexer

    Raises
    ------
    ValueError
        If a row is missing between two rows.
    """

    key: tuple
    index: pd.Index
    values: np.ndarray
    exog: pd.DataFrame | None
    indexer: TimeIndexer

    def __len__(self) -> int:
        return len(self.values)

    def __post_init__(self) -> None:
        check_no_duplicates(self.name, self.index)
        ordinals = self.indexer.ordinals(self.index)
        if ordinals is not None and len(gaps := np.flatnonzero(np.diff(ordinals) != 1)):
            before, after = self.index[gaps[0]], self.index[gaps[0] + 1]
            raise ValueError(
                f"{self.name} has no row between {before} and {after}, but windows need every row. "
                f"{ADVICE_ON_GAPS}"
            )

    @property
    def name(self) -> str:
        """The subject of an error message about this series."""
        return f"The series {', '.join(map(repr, self.key))}" if self.key else "The series"

    @property
    def first_ordinal(self) -> int:
        """The ordinal of the first row, or 0 if only the order of rows is known."""
        ordinals = self.indexer.ordinals(self.index[:1])
        return 0 if ordinals is None else int(ordinals[0])

    def head(self, n_rows: int) -> "PanelSeries":
        """Return the first rows of the series, with all rows of exog."""
        return replace(self, index=self.index[:n_rows], values=self.values[:n_rows])

    def append(self, newer: "PanelSeries") -> "PanelSeries":
        """Return the rows of both series. Newer rows replace older rows with the same label."""
        frame = _combine(*(pd.DataFrame(s.values, s.index) for s in (self, newer)))
        exog = self.exog if newer.exog is None else _combine(self.exog, newer.exog)
        return replace(self, index=frame.index, values=frame.to_numpy(), exog=exog)

    def count_until(self, label: Any) -> tuple[int, int]:
        """Return the number of rows up to a label, and of steps from the last of them to it."""
        n_rows = int((self.index <= label).sum())
        ordinals = self.indexer.ordinals(self.index[n_rows - 1 : n_rows].append(pd.Index([label])))
        return n_rows, 0 if ordinals is None or not n_rows else int(ordinals[1] - ordinals[0])

    def exog_values(self, n_rows, future=None, n_optional=0):
        """Return the rows of the exogenous variables, beginning at the first row of the series.

        Parameters
        ----------
        n_rows : int
            Number of required rows, which may extend beyond the last row of the series.
        future : DataFrame, default=None
            Future rows, such as those passed to `predict`.
        n_optional : int, default=0
            Number of rows after the required rows to return if they are known.

        Returns
        -------
        values : ndarray of shape (n_rows to n_rows + n_optional, n_exog)

        Raises
        ------
        ValueError
            If a required row is missing.
        """
        frame: Any = self.exog if future is None else _combine(self.exog, future)
        if frame is None:
            raise ValueError(
                f"{self.name} has no X, but the forecaster was fitted with X. Pass X as in fit."
            )
        positions, n_total = self.indexer.ordinals(frame.index), n_rows + n_optional
        if positions is None:
            positions = self.index.get_indexer(frame.index)
            later = np.flatnonzero(np.asarray(frame.index > self.index[-1]))
            positions[later] = len(self) + np.arange(len(later))
        else:
            positions = positions - self.first_ordinal
        rows = np.full((n_total, frame.shape[1]), np.nan)
        inside = (positions >= 0) & (positions < n_total)
        rows[positions[inside]] = frame.to_numpy(dtype=float)[inside]
        missing = np.flatnonzero(np.isnan(rows).any(axis=1))
        if len(missing) and missing[0] < n_rows:
            step = missing[0] - len(self) + 1
            where = f"{step} steps after its last row" if step > 0 else self.index[missing[0]]
            raise ValueError(
                f"{self.name} has no row of X {where}, but the forecaster was fitted with X. Pass "
                "X for every step up to the last step of the horizon, without gaps."
            )
        return rows[: missing[0]] if len(missing) else rows


# What to do about missing rows.
ADVICE_ON_GAPS = (
    "If the rows are consecutive, as those of trading days, number them: "
    "y.reset_index(drop=True). Otherwise insert and fill the missing rows, for instance "
    "y.asfreq('B').ffill() for business days, or y.reindex(labels).ffill() for labels such as "
    "range(start, stop) or pd.period_range(start, stop)."
)


def check_no_duplicates(name: str, index: pd.Index) -> None:
    """Raise a ValueError if a label occurs more than once in an index."""
    if not index.is_unique:
        label = index[index.duplicated()][0]
        raise ValueError(
            f"{name} has duplicate labels: {label} occurs more than once. Keep one row of each, "
            "for instance y[~y.index.duplicated()]."
        )


def check_rows(name: str, data: pd.Series | pd.DataFrame) -> None:
    """Raise a ValueError if data has no rows, an index of strings, or NaN."""
    if not len(data):
        raise ValueError(f"{name} has no rows. Pass at least one row.")
    label = data.index.get_level_values(-1)[0]
    if isinstance(label, str):
        raise ValueError(
            f"{name} has an index of strings such as {label!r}. Convert it to dates or periods, "
            f"for instance {name}.index = pd.to_datetime({name}.index)."
        )
    missing = np.flatnonzero(pd.isna(data).to_numpy().reshape(len(data), -1).any(axis=1))
    if len(missing):
        raise ValueError(
            f"{name} contains NaN at {data.index[missing[0]]}. Fill it, for instance with "
            f"{name}.ffill().bfill(), or drop rows at the beginning or the end."
        )


def _combine(old: pd.DataFrame | None, new: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of both frames in time order. New rows replace old rows."""
    if old is None or new.index[0] > old.index[-1]:
        return new if old is None else pd.concat([old, new])
    return pd.concat([old[~old.index.isin(new.index)], new]).sort_index()


def check_index_type(name: str, frame: pd.DataFrame, index: pd.Index) -> None:
    """Raise a ValueError if the levels or time labels of a frame and of `index` differ in type."""
    if frame.index.nlevels != index.nlevels:
        raise ValueError(
            f"{name} has {frame.index.nlevels} index levels, but {index.nlevels} are needed: a "
            "single series has one level, and a panel has two or more. Pass data of the same type."
        )
    times, expected = (labels.get_level_values(-1) for labels in (frame.index, index))
    kinds = pd.PeriodIndex, pd.DatetimeIndex
    if any(isinstance(times, kind) != isinstance(expected, kind) for kind in kinds):
        raise ValueError(
            f"{name} has a {type(times).__name__}, but a {type(expected).__name__} is needed. "
            "Convert both to the same type of index."
        )


def split_panel(frame: pd.DataFrame) -> Iterator[tuple[tuple[Hashable, ...], pd.DataFrame]]:
    """Yield the key and the rows of each series of an sktime frame, sorted by key."""
    if not isinstance(frame.index, pd.MultiIndex):
        yield (), frame
        return
    levels = [*range(frame.index.nlevels - 1)]
    for key, rows in frame.groupby(level=levels, sort=True):
        yield key if isinstance(key, tuple) else (key,), rows.droplevel(levels)
