"""The end of a chart's time axis: what is known of the present of its topic, and what is missing before it.

The axis shows server time, gaps and the feed's clock are local: they are shifted by the lag of the newest row, so that
a server whose clock is wrong does not tear them apart.
"""

from __future__ import annotations

from typing import Any

import msgspec

from aurigraph_nb.gaps import Cause, Gap

from .cells import text
from .freshness import FRESH, Freshness, freshness
from .sources import Source

MAX_GAPS = 100
"""Newest gaps that are shaded."""
SHADED = frozenset({Cause.DISCONNECT, Cause.IDLE, Cause.SEQUENCE_HOLE, Cause.SERVER_OVERFLOW})
"""Causes of the gaps that are shaded: nothing came from the server. A frame that was lost here only breaks the line."""


class Horizon:
    """The topic of a source, its gaps and its freshness, in milliseconds on the time axis."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._topic = source.topic
        self._book = getattr(source.feed, "gaps", None)
        self._read: tuple[object, tuple[Gap, ...]] = (None, ())

    @property
    def gaps_version(self) -> object:
        """Changes with the gaps."""
        return None if self._book is None else self._book.version

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
        if newest is None or self._source.closed:
            return FRESH
        stands = freshness(status, self._topic.name, newest.recv_ns / 1e6, self._gaps())
        if stands.since_ms is None:
            return stands
        return msgspec.structs.replace(stands, since_ms=stands.since_ms - self._lag_ms())

    def _lag_ms(self) -> float:
        newest = self._topic.store.latest
        return 0.0 if newest is None or newest.timestamp is None else (newest.recv_ns - newest.timestamp) / 1e6

    def _gaps(self) -> tuple[Gap, ...]:
        if self._book is None:
            return ()
        version = self._book.version
        if version != self._read[0]:
            mine = [gap for gap in self._book.rows() if gap.topic == self._topic.name and gap.cause in SHADED]
            self._read = (version, tuple(mine[-MAX_GAPS:]))
        return self._read[1]
