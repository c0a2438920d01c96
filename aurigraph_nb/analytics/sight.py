"""What was seen of a range of time: from the first receipt to the last, and where rows say that some are missing.

A range that was asked for may begin before the data do, or end after them. Nobody watched then, as far as the data
tell: that time is unknown, like a gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .gaptimes import Holes

Ints = npt.NDArray[np.int64]
Span = tuple[int, int]


@dataclass(frozen=True)
class View:
    """What an analysis looks at: a range of time, ns (None: to the first row, or the last), and the gaps told of it."""

    start: int | None = None
    end: int | None = None
    holes: Holes = field(default_factory=Holes.none)


@dataclass(frozen=True)
class Sight:
    """What the rows of a stream, in arrival order, tell of the time in which it was watched; times in ns."""

    count: int = 0
    """Rows with a time inside the range, and in no gap that the view knows of."""
    first_ns: int | None = None
    """The earliest row inside the range, and the latest."""
    last_ns: int | None = None
    before: bool = False
    """Whether rows came before the range, so that it was watched from its begin."""
    after: bool = False
    """Whether rows came after the range, so that it was watched to its end."""
    breaks: tuple[Span, ...] = ()
    """For each ``gap_before`` the time of the row before, and of its own; those outside the range, too."""
    arrived_first: int | None = None
    """Time of the row that arrived first, and of the one that arrived last, in the range or not."""
    arrived_last: int | None = None
    torn_first: bool = False
    """Whether a gap lies before the row that arrived first."""
    torn_last: bool = False
    """Whether a row without a time, after the one that arrived last, tells of a gap."""


def sight_of(times: Any, flags: Any, view: View) -> Sight:
    """What rows tell.

    Args:
        times: of all rows in arrival order, an Arrow column of int64 ns, null where a row has none.
        flags: their ``gap_before``, or None where there is none. That of a row without a time counts for the next one.
        view: what is looked at.
    """
    good = np.flatnonzero(np.asarray(times.is_valid()))
    torn = _flags(flags, len(times))
    if not len(good):
        return Sight(torn_last=bool(torn.any()))
    known: Ints = np.asarray(times.drop_null().to_numpy(), dtype=np.int64)
    sums = np.cumsum(torn)
    told = np.diff(sums[good], prepend=0) > 0
    at = np.flatnonzero(told[1:]) + 1
    inside = np.ones(len(known), dtype=bool) if view.start is None else known >= view.start
    inside &= np.ones(len(known), dtype=bool) if view.end is None else known < view.end
    mine = known[inside]
    return Sight(
        len(mine) - int(view.holes.inside(mine).sum()),
        int(mine.min()) if len(mine) else None,
        int(mine.max()) if len(mine) else None,
        view.start is not None and bool(known.min() < view.start),
        view.end is not None and bool(known.max() >= view.end),
        tuple(_between(int(known[i - 1]), int(known[i])) for i in at),
        int(known[0]),
        int(known[-1]),
        bool(told[0]),
        bool(sums[-1] > sums[good[-1]]),
    )


def joined(parts: Sequence[Sight]) -> Sight:
    """What the parts of a stream, one after the other, tell together."""
    breaks: list[Span] = []
    first: int | None = None
    last: int | None = None
    torn_first = torn = False
    for part in parts:
        torn |= part.torn_first
        if part.arrived_first is not None:
            if last is None:
                first, torn_first = part.arrived_first, torn
            elif torn:
                breaks.append(_between(last, part.arrived_first))
            last, torn = part.arrived_last, False
        breaks += part.breaks
        torn |= part.torn_last
    lows = [p.first_ns for p in parts if p.first_ns is not None]
    highs = [p.last_ns for p in parts if p.last_ns is not None]
    return Sight(
        sum(p.count for p in parts),
        min(lows, default=None),
        max(highs, default=None),
        any(p.before for p in parts),
        any(p.after for p in parts),
        tuple(breaks),
        first,
        last,
        torn_first,
        torn,
    )


def edges(sight: Sight, start: int | None, end: int | None, reach_ns: int) -> list[Span]:
    """The parts of the range [start, end) before the first row of the data, and after the last one.

    A row stands for some time around it: up to ``reach_ns`` on either side was seen, but none before a first row that
    says that some are missing before it.
    """
    if start is None or end is None:
        return []
    first, last = sight.first_ns, sight.last_ns
    if first is None or last is None:
        return [] if sight.before and sight.after else [(start, end)]
    reach_before = 0 if sight.torn_first and sight.arrived_first == first else reach_ns
    found = [] if sight.before else [(start, first - reach_before)]
    found += [] if sight.after else [(last + reach_ns, end)]
    return [(a, b) for a, b in found if a < b]


def _between(before: int, after: int) -> Span:
    """The time between two rows that a gap parts; one that came late tells of the moment after the row before it."""
    return before, after if after >= before else before + 1


def _flags(flags: Any, length: int) -> npt.NDArray[np.bool_]:
    if flags is None or not pa.types.is_boolean(flags.type):
        return np.zeros(length, dtype=bool)
    return np.asarray(flags.fill_null(False), dtype=bool)
