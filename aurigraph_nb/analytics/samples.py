"""A column read as a series: values in order of time, cut into unbroken stretches where something was not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aurigraph_nb.durations import Duration, Moment

from .bins import grid
from .gaptimes import Ints
from .inputs import Data, Floats, Gaps, OnGap, Rows, Times, rows, without_gaps
from .numeric import counted, tamed, times

SILENT_PERIODS = 5
"""A series is broken, too, where rows are farther apart than so many usual distances; feeds call that idle."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Values (none missing) and their times, in order; rows of one stretch have nothing unseen between them."""

    got: Rows
    values: Floats
    time_ns: Times
    missing: int
    """Rows without a value."""

    def __len__(self) -> int:
        return len(self.values)

    @property
    def seconds(self) -> Floats:
        """Seconds since the first sample."""
        return (self.time_ns - self.time_ns[0]) / 1e9 if len(self) else np.empty(0)

    def typical_ns(self) -> int:
        """The usual distance of two samples: the median of those above 0 within stretches; 0 if there are none."""
        steps = np.diff(self.time_ns)[np.diff(self.got.holes.stretches(self.time_ns)) == 0]
        steps = steps[steps > 0]
        return int(np.median(steps)) if len(steps) else 0

    def stretches(self) -> Ints:
        """Number of the unbroken stretch of each sample; broken by gaps and by long silence."""
        parts = self.got.holes.stretches(self.time_ns)
        usual = self.typical_ns()
        if not usual:
            return parts
        broken = (np.diff(parts) > 0) | (np.diff(self.time_ns) > SILENT_PERIODS * usual)
        return np.concatenate([[0], np.cumsum(broken)]).astype(np.int64)

    def notes(self) -> tuple[str, ...]:
        """What a reader has to know of these data: gaps, rows without a value or a time."""
        found = self.got.shown_holes()
        told: tuple[str, ...] = ()
        if found:
            gaps = "1 gap hides" if len(found) == 1 else f"{len(found):,} gaps hide"
            told += (f"{gaps} {self.got.missing_s:,.3f} of {self.got.span_s:,.3f} s; nothing is filled in",)
        if self.missing:
            told += (f"without a value, and left out: {counted(self.missing, 'row')}",)
        if self.got.untimed:
            told += (f"without a time, and left out: {counted(self.got.untimed, 'row')}",)
        return told


def samples(
    data: Data,
    column: str,
    *,
    on_gap: OnGap = "nan",
    every: Duration | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
) -> Samples:
    """The values of a column in order of time; with ``every``, means of bins, timed by the bin's begin.

    A bin less than half of which was seen has no mean. Raises as :func:`~.inputs.rows` and ``on_gap`` do.
    """
    got = without_gaps(rows(data, column, start=start, end=end, gaps=gaps), on_gap).by_time()
    values, when = got.numbers(column), got.time_ns
    missing = int(np.isnan(values).sum())
    if every is not None:
        values, when = _means(got, values, every)
    good = ~np.isnan(values)
    return Samples(got, values[good], when[good], missing)


def _means(got: Rows, values: Floats, every: Duration) -> tuple[Floats, Times]:
    cells = grid(got, every)
    good = ~np.isnan(values)
    values, factor = tamed(values)
    slots = cells.index(got.time_ns[good])
    n = np.bincount(slots, minlength=cells.count)
    sums = np.bincount(slots, values[good], cells.count)
    means = np.divide(sums, n, out=np.full(cells.count, np.nan), where=n > 0)
    return np.where(cells.coverage(got) < 0.5, np.nan, times(means, factor)), cells.starts_ns
