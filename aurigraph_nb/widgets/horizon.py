"""The end of a chart's time axis: what is known of the present of its topic, and what is missing before it.

The axis shows server time, gaps and the feed's clock are local: they are shifted by the lag of the newest row, so that
a server whose clock is wrong does not tear them apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from aurigraph_nb.gaps import Cause, Gap

from .cells import text
from .freshness import FRESH, Freshness, freshness
from .runs import is_recording
from .sources import Source

MAX_GAPS = 100
"""Newest gaps of a feed that are shaded."""
MAX_RECORDED_GAPS = 200
"""Gaps of a recording that are shaded, the longest: all of it is shown at once."""
SHADED = frozenset({Cause.DISCONNECT, Cause.IDLE, Cause.SEQUENCE_HOLE, Cause.SERVER_OVERFLOW})
"""Causes of the gaps that are shaded: nothing came from the server. A frame that was lost here only breaks the line."""


class Horizon:
    """The topic of a source, its gaps and its freshness, in milliseconds on the time axis."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._topic = source.topic
        self._read: tuple[object, tuple[Gap, ...]] = (None, ())

    @property
    def _book(self) -> Any:
        """The gaps of the feed; a recording that was looked at again has other ones."""
        return getattr(self._source.feed, "gaps", None)

    @property
    def gaps_version(self) -> object:
        """Changes with the gaps."""
        book = self._book
        return None if book is None else book.version

    def now_ms(self) -> float:
        """Now."""
        return float(self._source.feed.now_ns() / 1e6 - self._lag_ms())

    def gap_rows(self) -> list[list[Any]]:
        """The topic's newest gaps as (start, end or None while it is open, cause)."""
        lag = self._lag_ms()
        return [
            [gap.start_ns / 1e6 - lag, None if gap.end_ns is None else gap.end_ns / 1e6 - lag, text(str(gap.cause))]
            for gap in self._gaps()
        ]

    def freshness(self, status: Any) -> Freshness:
        """How the topic stands, if ``status`` is the feed's."""
        newest = self._topic.store.latest
        if newest is None or (self._source.closed and not is_recording(self._source.feed)):
            return FRESH
        stands = freshness(status, self._topic.name, newest.recv_ns / 1e6, self._gaps())
        if stands.since_ms is None:
            return stands
        return msgspec.structs.replace(stands, since_ms=stands.since_ms - self._lag_ms())

    def _lag_ms(self) -> float:
        newest = self._topic.store.latest
        return 0.0 if newest is None or newest.timestamp is None else (newest.recv_ns - newest.timestamp) / 1e6

    def _gaps(self) -> tuple[Gap, ...]:
        book = self._book
        if book is None:
            return ()
        version = book.version
        if version != self._read[0]:
            mine = [gap for gap in book.rows() if gap.topic == self._topic.name and gap.cause in SHADED]
            kept = longest(mine, MAX_RECORDED_GAPS) if is_recording(self._source.feed) else mine[-MAX_GAPS:]
            self._read = (version, tuple(kept))
        return self._read[1]


def longest(gaps: Sequence[Gap], count: int) -> list[Gap]:
    """The ``count`` longest gaps, in their order; one that has no end is the longest."""
    spans = [math.inf if gap.end_ns is None else gap.end_ns - gap.start_ns for gap in gaps]
    kept = sorted(range(len(gaps)), key=lambda i: spans[i], reverse=True)[:count]
    return [gaps[i] for i in sorted(kept)]
