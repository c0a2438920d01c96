"""What a feed says about itself: its state, and per topic what came, what was lost and how late it was."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from .frames import to_html, to_pandas
from .protocols.portal import quality_of
from .session import Session, State

if TYPE_CHECKING:
    import pandas as pd

    from .feed import Feed
    from .links import FeedLink

RATE_WINDOW_S = 10.0
STALE_PERIODS = 5
"""A periodic topic is stale after so many periods without a frame."""


class TopicStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One topic: its connection and its counters."""

    name: str
    state: State
    """State of the topic's connection; DISCONNECTED for a topic that was never opened."""
    messages: int
    """Frames received, understood or not."""
    rows: int
    """Rows that came out of them and can be read now."""
    bytes: int
    """Bytes received, as sent by the server (before compression)."""
    rate_hz: float
    """Frames per second over the last ten seconds."""
    lag_ms: float | None
    """Receive time minus server time of the newest row, ms; holds the offset of the two clocks."""
    undecoded: int
    """Frames that were not understood."""
    control: int
    """Frames without data: welcomes, acknowledgements, heartbeats."""
    dropped: int
    """Rows evicted from the store, oldest first, because it was full."""
    suppressed: int = 0
    """Frames left out because they repeat another one exactly."""
    filtered: int = 0
    """Frames left out because nobody had opened the topic when they came."""
    latency_ms: float | None = None
    """Round trip of the topic's connection."""
    reconnects: int
    last_recv_ns: int | None
    staleness_s: float | None
    """Seconds since the last frame; None before the first."""
    stale: bool
    """True if the topic is sent at a fixed period and five of them passed in silence."""
    attempts: int
    next_try_ns: int | None
    error: str | None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A feed at one moment."""

    state: State
    """The worst that matters: ERROR, RECONNECTING, CONNECTING, CONNECTED; DISCONNECTED with no topic open; CLOSED."""
    connected: bool
    reconnecting: bool
    error: str | None
    """The last error, in words; None while all is well."""
    last_update: int | None
    """Receive time of the newest frame, ns since 1970 UTC."""
    attempts: int
    """Connection attempts since the last success, the most of any topic."""
    next_try_ns: int | None
    url: str
    """Without secrets."""
    protocol: str
    ended: bool
    """True after a finite run has come to its end."""
    fallback: str | None = None
    """``rest`` while statistics are polled by HTTP because the stream cannot be reached."""
    latency_ms: float | None = None
    """Round trip to the server, ms; the longest of its connections."""
    undecoded: int = 0
    """Frames that were not understood, also those of no known topic."""
    connection_id: str | None = None
    """What the server calls the connection, if it says so."""
    queued_messages: int = 0
    """Messages to the server that wait for a connection."""
    dropped_messages: int = 0
    """Messages to the server that were never sent."""
    callback_errors: int
    last_callback_error: str | None
    recording_lost: int = 0
    """Frames that came and that a recorder could not write down, because the disk could not follow."""
    recording_error: str | None = None
    """Why a recording of this feed ended early, if one did."""
    topics: Mapping[str, TopicStatus]

    def __repr__(self) -> str:
        tail = f", error={self.error!r}" if self.error else ""
        return f"Status({self.state}, {self.url}{tail})"


def overall(states: list[State], closed: bool) -> State:
    """The state of a feed from those of its open connections."""
    if closed:
        return State.CLOSED
    for state in (State.ERROR, State.RECONNECTING, State.CONNECTING, State.CONNECTED):
        if state in states:
            return state
    return State.DISCONNECTED


def state_of(session: Session) -> State:
    """A session's state as it is shown: an attempt after a loss is part of reconnecting."""
    return State.RECONNECTING if session.reconnecting else session.state


class ConnectionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One connection of one feed."""

    feed: str
    endpoint: str
    """Name of the connection in its feed: the topic, or ``stream``."""
    url: str
    """Without secrets."""
    protocol: str
    state: State
    attempts: int
    """Attempts since the last success."""
    reconnects: int
    last_error: str | None
    last_connected_ns: int | None
    last_disconnected_ns: int | None
    next_try_ns: int | None
    latency_ms: float | None
    quality: str | None
    """EXCELLENT, GOOD, FAIR or POOR, by the latency; None while there is none."""
    messages: int
    """Frames received."""

    @classmethod
    def of(cls, feed: Feed, link: FeedLink, url: str) -> ConnectionRecord:
        """The record of a link."""
        session = link.session
        connected = session.state is State.CONNECTED
        latency_ms = link.latency_ms if connected else None
        return cls(
            feed=feed.name,
            endpoint=link.endpoint,
            url=url,
            protocol=feed.protocol,
            state=state_of(session),
            attempts=session.attempts,
            reconnects=session.reconnects,
            last_error=session.last_error,
            last_connected_ns=session.last_connected_ns,
            last_disconnected_ns=session.last_disconnected_ns,
            next_try_ns=session.next_try_ns,
            latency_ms=latency_ms,
            quality=None if latency_ms is None else quality_of(latency_ms),
            messages=link.frames,
        )


def connections_frame(records: Sequence[ConnectionRecord]) -> pd.DataFrame:
    """One row a record; times as ``timestamp[ns, UTC]``."""
    times = ("last_connected", "last_disconnected", "next_try")
    columns: dict[str, Any] = {}
    for name in ConnectionRecord.__struct_fields__:
        values = [getattr(record, name) for record in records]
        if name.removesuffix("_ns") in times:
            columns[name.removesuffix("_ns")] = pa.array(values, pa.timestamp("ns", "UTC"))
        elif name in ("attempts", "reconnects", "messages"):
            columns[name] = pa.array(values, pa.int64())
        elif name == "latency_ms":
            columns[name] = pa.array(values, pa.float64())
        else:
            columns[name] = pa.array([None if v is None else str(v) for v in values], pa.string())
    return to_pandas(pa.table(columns), index=None)


class RateMeter:
    """Events per second over a sliding window."""

    def __init__(self, window_s: float = RATE_WINDOW_S) -> None:
        self._window_ns = round(window_s * 1e9)
        self._parts: deque[tuple[int, int]] = deque()
        self._sum = 0
        self._since: int | None = None

    def add(self, now_ns: int, count: int) -> None:
        if self._since is None:
            self._since = now_ns
        if self._parts and now_ns - self._parts[-1][0] < 50_000_000:
            at, old = self._parts.pop()
            self._parts.append((at, old + count))
        else:
            self._parts.append((now_ns, count))
        self._sum += count
        self._trim(now_ns)

    def rate(self, now_ns: int) -> float:
        """Events per second; over the time since the first event while that is shorter than the window."""
        self._trim(now_ns)
        if self._since is None:
            return 0.0
        span_s = min(self._window_ns, max(now_ns - self._since, 1_000_000_000)) / 1e9
        return self._sum / span_s

    def _trim(self, now_ns: int) -> None:
        while self._parts and self._parts[0][0] <= now_ns - self._window_ns:
            self._sum -= self._parts.popleft()[1]


STATS_COLUMNS = (
    ("messages", pa.int64()),
    ("rows", pa.int64()),
    ("bytes", pa.int64()),
    ("rate_hz", pa.float64()),
    ("lag_ms", pa.float64()),
    ("undecoded", pa.int64()),
    ("control", pa.int64()),
    ("dropped", pa.int64()),
    ("suppressed", pa.int64()),
    ("filtered", pa.int64()),
    ("reconnects", pa.int64()),
    ("staleness_s", pa.float64()),
)


class Stats:
    """Counters of a feed, one row a topic; see :class:`TopicStatus` for what they mean."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def __getitem__(self, topic: str) -> TopicStatus:
        return self._status.topics[topic]

    def to_arrow(self) -> pa.Table:
        """Columns topic, state and the counters."""
        rows = list(self._status.topics.values())
        columns: dict[str, Any] = {
            "topic": pa.array([r.name for r in rows], pa.string()),
            "state": pa.array([str(r.state) for r in rows], pa.string()),
        }
        for name, kind in STATS_COLUMNS:
            columns[name] = pa.array([getattr(r, name) for r in rows], kind)
        return pa.table(columns)

    def to_pandas(self) -> pd.DataFrame:
        """Index: topic. Rates in frames per second, lag in ms, staleness in s."""
        return to_pandas(self.to_arrow(), index=None).set_index("topic")

    def __repr__(self) -> str:
        return f"<Stats: {self._words()}>"

    def _words(self) -> str:
        topics = self._status.topics.values()
        messages, rows = sum(t.messages for t in topics), sum(t.rows for t in topics)
        return f"{len(topics):,} topics, {messages:,} messages, {rows:,} rows; to_pandas() has a row a topic"

    def _repr_html_(self) -> str:
        return to_html(f"Stats: {self._words()}", self.to_pandas())
