"""The node's books: what it sent, what it did not, and why not."""

from __future__ import annotations

import time
from collections import deque

import msgspec

from .events import TOPICS

LATENCIES_KEPT = 1_000


class NodeStats(msgspec.Struct, frozen=True):
    """A snapshot of the books. Counts are of (frame, connection) pairs: a frame sent to two connections counts twice.

    Each is per topic; the other systems (live, channels, fakeai) stand beside the topics once somebody connected to
    them. For each of these, ``sent`` + ``dropped`` + ``withheld`` is what its connections would have had from a perfect
    node.
    """

    connections: dict[str, int]
    """Open now."""
    sent: dict[str, int]
    """Frames of data sent, without garbage; one that was sent twice counts once."""
    dropped: dict[str, int]
    """Frames that a connection lost because its buffer was full."""
    withheld: dict[str, int]
    """Frames not sent because of a stall, of broadcasting being off, of a connection being half open, or of the machine
    having slept."""
    garbage: dict[str, int]
    """Frames of garbage sent, and of more than a client takes."""
    repeated: dict[str, int]
    """Frames sent once more, by a fault or a quirk."""
    answered: dict[str, int]
    """Frames without data: greetings, acknowledgements, pongs, errors."""
    unanswered: int
    """Such frames that were not sent: to a connection that is stalled, half open or full."""
    pings: int
    """Heartbeat messages of clients; the topics answer none."""
    commands: int
    """Messages of clients that were heeded: subscriptions, authentications, control commands."""
    ignored: int
    """Other messages of clients."""
    opened: int
    """Connections accepted, ever."""
    refused: int
    """Handshakes refused, ever."""
    denied: int
    """Handshakes refused and connections closed for want of a right token."""
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
        self.repeated = dict.fromkeys(TOPICS, 0)
        self.answered = dict.fromkeys(TOPICS, 0)
        self.unanswered = 0
        self.pings = 0
        self.commands = 0
        self.ignored = 0
        self.opened = 0
        self.refused = 0
        self.denied = 0
        self.late_s = 0.0
        self.latencies_ms: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self._started_s = time.monotonic()

    def open_page(self, stream: str) -> None:
        """Count a stream from now on; harmless when it is counted."""
        for counts in (self.sent, self.dropped, self.withheld, self.garbage, self.repeated, self.answered):
            counts.setdefault(stream, 0)

    def snapshot(self, connections: dict[str, int]) -> NodeStats:
        return NodeStats(
            connections=connections,
            sent=dict(self.sent),
            dropped=dict(self.dropped),
            withheld=dict(self.withheld),
            garbage=dict(self.garbage),
            repeated=dict(self.repeated),
            answered=dict(self.answered),
            unanswered=self.unanswered,
            pings=self.pings,
            commands=self.commands,
            ignored=self.ignored,
            opened=self.opened,
            refused=self.refused,
            denied=self.denied,
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
