"""The gaps of a recording as people count them: what was lost together, on whatever topics, is one stretch. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from aurigraph_nb.gaps import Gap


class Stretch(msgspec.Struct):
    """A stretch of the recording in which something is missing for one cause."""

    cause: str
    start_ns: int
    """Begin, ns since 1970 UTC."""
    end_ns: int | None
    """End; None if it lasts to the end of the recording."""
    topics: list[str]
    detail: str

    @property
    def length(self) -> float:
        """ns; infinite while it lasts."""
        return math.inf if self.end_ns is None else self.end_ns - self.start_ns

    def take(self, gap: Gap) -> bool:
        """Make a gap a part of it if they overlap, and it begins no earlier; returns whether it did."""
        if self.end_ns is not None and gap.start_ns > self.end_ns:
            return False
        if self.end_ns is not None:
            self.end_ns = None if gap.end_ns is None else max(self.end_ns, gap.end_ns)
        if gap.topic not in self.topics:
            self.topics.append(gap.topic)
        return True


def stretches(gaps: Iterable[Gap], start_ns: int, end_ns: int) -> list[Stretch]:
    """The gaps between two times; those of one cause that overlap, such as a lost line's for each topic, are one."""
    found: list[Stretch] = []
    newest: dict[str, Stretch] = {}
    for gap in sorted(gaps, key=lambda gap: gap.start_ns):
        if gap.start_ns >= end_ns or (gap.end_ns is not None and gap.end_ns < start_ns):
            continue
        last = newest.get(gap.cause)
        if last is None or not last.take(gap):
            newest[gap.cause] = Stretch(str(gap.cause), gap.start_ns, gap.end_ns, [gap.topic], gap.detail)
            found.append(newest[gap.cause])
    return found
