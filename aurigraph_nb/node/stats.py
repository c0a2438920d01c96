"""The node's books: what it sent, what it did not, and why not."""

from __future__ import annotations

import time
from collections import deque

import msgspec

from .events import TOPICS

LATENCIES_KEPT = 1_000


class NodeStats(msgspec.Struct, frozen=True):
    """A snapshot of the books. Counts are of (frame, connection) pairs: a frame sent to two connections counts twice.

    For each topic, ``sent`` + ``dropped`` + ``withheld`` is what its connections would have had from a perfect node.
    """

    connections: dict[str, int]
    """Open now, per topic."""
    sent: dict[str, int]
    """Frames sent, per topic, without garbage."""
    dropped: dict[str, int]
    """Frames that a connection lost because its buffer was full."""
    withheld: dict[str, int]
    """Frames not sent because of a stall, of broadcasting being off, or of the machine having slept."""
    garbage: dict[str, int]
    """Frames of garbage sent."""
    pings: int
    """Heartbeat messages of clients; nothing is answered."""
    ignored: int
    """Other messages of clients."""
    opened: int
    """Connections accepted, ever."""
    refused: int
    """Handshakes refused, ever."""
    late_s: float
    """How far the node is behind its clock."""
    latency_ms: dict[str, float]
    """avg, p50 and p99 of handing a batch to all connections."""
    uptime_s: float

    @property
    def messages_sent(self) -> int:
        """Frames sent over all topics, without garbage."""
        return sum(self.sent.values())


class Books:
    """Counts while the node runs."""

    def __init__(self) -> None:
        self.sent = dict.fromkeys(TOPICS, 0)
        self.dropped = dict.fromkeys(TOPICS, 0)
        self.withheld = dict.fromkeys(TOPICS, 0)
        self.garbage = dict.fromkeys(TOPICS, 0)
        self.pings = 0
        self.ignored = 0
        self.opened = 0
        self.refused = 0
        self.late_s = 0.0
        self.latencies_ms: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self._started_s = time.monotonic()

    def snapshot(self, connections: dict[str, int]) -> NodeStats:
        return NodeStats(
            connections=connections,
            sent=dict(self.sent),
            dropped=dict(self.dropped),
            withheld=dict(self.withheld),
            garbage=dict(self.garbage),
            pings=self.pings,
            ignored=self.ignored,
            opened=self.opened,
            refused=self.refused,
            late_s=self.late_s,
            latency_ms=_summary(list(self.latencies_ms)),
            uptime_s=round(time.monotonic() - self._started_s, 3),
        )


def _summary(values: list[float]) -> dict[str, float]:
    if not values:
        return {"avg": 0.0, "p50": 0.0, "p99": 0.0}
    values.sort()
    last = len(values) - 1
    return {
        "avg": round(sum(values) / len(values), 3),
        "p50": round(values[round(0.5 * last)], 3),
        "p99": round(values[round(0.99 * last)], 3),
    }
