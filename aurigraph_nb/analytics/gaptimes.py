"""Gaps as intervals of time: merged, cut, and how much of a bin they hide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurigraph_nb.errors import BadOption, BadOptionType
from aurigraph_nb.gaps import Certainty, Gap

Ints = npt.NDArray[np.int64]

ALWAYS_NS = 2**62
"""End of a gap that lasts: in the year 2116, behind every row."""
EVERY_TOPIC = "*"


@dataclass(frozen=True, eq=False)
class Holes:
    """Intervals [start, end), disjoint and in order, ns since 1970 UTC.

    >>> holes = Holes.merged([(0, 10), (5, 20), (30, 40)])
    >>> holes.clipped(0, 35), holes.missing(np.array([0, 15]), np.array([10, 35])).tolist()
    (((0, 20), (30, 35)), [10, 10])
    """

    starts: Ints
    ends: Ints

    @classmethod
    def none(cls) -> Holes:
        """No gap at all."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int64))

    @classmethod
    def merged(cls, intervals: Iterable[tuple[int, int]]) -> Holes:
        """Intervals in any order; those that touch or overlap become one, those without length stay (they break)."""
        starts: list[int] = []
        ends: list[int] = []
        for start, end in sorted((s, max(s, e)) for s, e in intervals):
            if ends and start <= ends[-1]:
                ends[-1] = max(ends[-1], end)
            else:
                starts.append(start)
                ends.append(end)
        return cls(np.array(starts, np.int64), np.array(ends, np.int64))

    def __len__(self) -> int:
        return len(self.starts)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return ((int(s), int(e)) for s, e in zip(self.starts, self.ends, strict=True))

    def clipped(self, start: int, end: int) -> tuple[tuple[int, int], ...]:
        """The intervals inside [start, end], cut to it; those without length only strictly inside."""
        found = ((max(s, start), min(e, end), s, e) for s, e in zip(self.starts, self.ends, strict=True))
        return tuple((int(a), int(b)) for a, b, s, e in found if a < b or (s == e and start < s < end))

    def missing(self, starts: Ints, ends: Ints) -> Ints:
        """How many nanoseconds of each [start, end) lie in gaps."""
        return self._before(ends) - self._before(starts)

    def covered(self, starts: Ints, ends: Ints) -> npt.NDArray[np.float64]:
        """Share (0-1) of each [start, end) outside gaps; 1 for an interval without length."""
        length = np.maximum(ends - starts, 1)
        return np.asarray(np.clip(1 - self.missing(starts, ends) / length, 0.0, 1.0))

    def inside(self, times: Ints) -> npt.NDArray[np.bool_]:
        """Which of the times lie in a gap [start, end)."""
        if not len(self):
            return np.zeros(len(times), dtype=bool)
        place = np.searchsorted(self.starts, times, side="right") - 1
        return np.asarray((place >= 0) & (times < self.ends[np.maximum(place, 0)]))

    def stretches(self, times: Ints) -> Ints:
        """For times in order: a number that grows from one to the next where anything between them was not seen.

        A gap without length (a frame is missing, nobody knows when) parts the rows on both sides of it.
        """
        if not len(self) or not len(times):
            return np.zeros(len(times), np.int64)
        left, right = times[:-1], times[1:]
        points = self.starts[self.starts == self.ends]
        within = np.searchsorted(points, right, side="right") > np.searchsorted(points, left, side="left")
        broken = (self.missing(left, right) > 0) | (within & (left < right))
        return np.concatenate([[0], np.cumsum(broken)]).astype(np.int64)

    def _before(self, times: Ints) -> Ints:
        """Nanoseconds in gaps before each time."""
        if not len(self):
            return np.zeros(len(times), np.int64)
        lengths = np.concatenate([[0], np.cumsum(self.ends - self.starts)]).astype(np.int64)
        index = np.searchsorted(self.starts, times, side="right")  # gaps that begin at or before it
        last = np.maximum(index - 1, 0)
        over = np.where(index > 0, np.maximum(self.ends[last] - times, 0), 0)
        return np.asarray(lengths[index] - over, dtype=np.int64)


def holes_of(topic: Any, gaps: Any, name: str | None) -> Holes | None:
    """The gaps of a stream: those given, or those that the feed of ``topic`` knows; None where nobody says any."""
    known = gaps if gaps is not None else getattr(getattr(topic, "feed", None), "gaps", None)
    return None if known is None else Holes.merged(_given(known, name))


def _given(gaps: Any, topic: str | None) -> Iterator[tuple[int, int]]:
    if hasattr(gaps, "rows") and callable(gaps.rows):  # the gaps of a feed, or a gap book
        gaps = gaps.rows()
    if hasattr(gaps, "to_pandas") and not isinstance(gaps, pd.DataFrame):
        gaps = gaps.to_pandas()
    if isinstance(gaps, pd.DataFrame):
        yield from _of_frame(gaps, topic)
        return
    if not isinstance(gaps, Iterable):
        raise BadOptionType(f"gaps={gaps!r}: expected feed.gaps.to_pandas(), or an iterable of Gap")
    for gap in gaps:
        if not isinstance(gap, Gap):
            raise BadOptionType(f"gaps: {gap!r} is no Gap; expected feed.gaps.to_pandas(), or an iterable of Gap")
        if gap.certainty != Certainty.NONE and (topic is None or gap.topic in (topic, EVERY_TOPIC)):
            yield gap.start_ns, ALWAYS_NS if gap.end_ns is None else gap.end_ns


def _of_frame(frame: pd.DataFrame, topic: str | None) -> Iterator[tuple[int, int]]:
    missing = [c for c in ("start", "end") if c not in frame.columns]
    if missing:
        raise BadOption(f"gaps: no column {', '.join(missing)}; expected the columns of feed.gaps.to_pandas()")
    if topic is not None and "topic" in frame.columns:
        frame = frame[frame["topic"].isin([topic, EVERY_TOPIC])]
    if "certainty" in frame.columns:
        frame = frame[frame["certainty"] != Certainty.NONE.value]
    starts, ends = (pd.to_datetime(frame[c], utc=True).dt.as_unit("ns") for c in ("start", "end"))
    for start, end in zip(starts, ends, strict=True):
        if not pd.isna(start):
            yield int(start.value), ALWAYS_NS if pd.isna(end) else int(end.value)
