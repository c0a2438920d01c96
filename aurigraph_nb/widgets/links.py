"""How connections are doing, of one feed or of all open ones: what the status widgets show.

Times are told as so many milliseconds ago, or from now: feeds may live on clocks of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from aurigraph_nb import registry
from aurigraph_nb.session import State
from aurigraph_nb.state import connections_health
from aurigraph_nb.status import overall

from .cells import Cell, number, text
from .sources import ConnectionLike, FeedLike, TopicStatusLike, of_feed

Row = list[Any]
NOT_OPEN = "NOT OPEN"
"""Shown in place of the state of a topic that nobody has asked for."""


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one feed or of several."""

    state: str
    url: str
    """Where it goes, or how many feeds these are."""
    protocol: str
    ended: bool
    error: str | None
    attempts: int
    next_try_ms: int | None
    age_ms: int | None
    """Since the newest frame."""
    latency_ms: Cell
    fallback: str | None
    connection_id: str | None
    queued: int
    dropped_messages: int
    callback_errors: int
    callback_error: str | None
    connections: list[Row]
    """Name, state, quality, latency in ms, attempts, reconnects, messages, last error."""
    topics: list[Row]
    """Name, state (or NOT OPEN), stale, messages, rate, lag, age, undecoded, dropped, error."""

    @property
    def total(self) -> int:
        """Connections that are wanted."""
        return len(self.connections)

    @property
    def active(self) -> int:
        """Connections that stand."""
        return sum(row[1] == "CONNECTED" for row in self.connections)

    @property
    def health(self) -> str | None:
        """HEALTHY, DEGRADED or CRITICAL by the share that stands; None without any connection."""
        return connections_health(self.active, self.total) if self.connections else None

    def column(self, rows: Sequence[Row], place: int) -> int:
        """Sum of a column of ``connections`` or ``topics``."""
        return sum(row[place] for row in rows)

    def words(self) -> tuple[Any, ...]:
        """What is worth a message at once: everything but counters and ages."""
        links = tuple((row[0], row[1], row[2], row[4], row[7]) for row in self.connections)
        topics = tuple((row[0], row[1], row[2], row[9]) for row in self.topics)
        waits = self.next_try_ms is not None
        told = (self.state, self.url, self.ended, self.error, self.attempts, waits, self.fallback, self.callback_errors)
        return (*told, links, topics)


Look = Callable[[], Overview]


def looker(widget: str, given: object) -> tuple[FeedLike | None, Look]:
    """The feed behind a widget's first argument (None for all of them), and what looks at it.

    Raises:
        BadOptionType: it is neither a feed nor None.
    """
    if given is None:
        return None, lambda: of_all(registry.feeds())
    feed: FeedLike = of_feed(widget, given).feed
    return feed, lambda: overview(feed)


def overview(feed: FeedLike) -> Overview:
    """One feed now."""
    status, now_ns = feed.status, feed.now_ns()
    return Overview(
        state=text(status.state, 32),
        url=text(status.url),
        protocol=text(status.protocol, 32),
        ended=status.ended,
        error=_words(status.error),
        attempts=status.attempts,
        next_try_ms=None if status.next_try_ns is None else max(0, round((status.next_try_ns - now_ns) / 1e6)),
        age_ms=None if status.last_update is None else round((now_ns - status.last_update) / 1e6),
        latency_ms=_ms(status.latency_ms),
        fallback=_words(status.fallback),
        connection_id=_words(status.connection_id),
        queued=status.queued_messages,
        dropped_messages=status.dropped_messages,
        callback_errors=status.callback_errors,
        callback_error=_words(status.last_callback_error),
        connections=[_connection_row(one.endpoint, one) for one in feed.connections],
        topics=[_topic_row(name, topic, _opened(feed, name)) for name, topic in status.topics.items()],
    )


def of_all(feeds: Sequence[FeedLike]) -> Overview:
    """Several feeds as one: the state that matters most, and a row a connection."""
    all_of = [overview(feed) for feed in feeds]
    rows = [_connection_row(f"{feed.name} · {one.endpoint}", one) for feed in feeds for one in feed.connections]
    return Overview(
        state=overall([State(one.state) for one in all_of if one.state in State.__members__], closed=False),
        url=f"{len(feeds)} open {'feed' if len(feeds) == 1 else 'feeds'}",
        protocol=", ".join(dict.fromkeys(one.protocol for one in all_of)),
        ended=bool(all_of) and all(one.ended for one in all_of),
        error=next((one.error for one in all_of if one.error), None),
        attempts=max((one.attempts for one in all_of), default=0),
        next_try_ms=_least(one.next_try_ms for one in all_of),
        age_ms=_least(one.age_ms for one in all_of),
        latency_ms=max((one.latency_ms for one in all_of if isinstance(one.latency_ms, (int, float))), default=None),
        fallback=next((one.fallback for one in all_of if one.fallback), None),
        connection_id=None,
        queued=sum(one.queued for one in all_of),
        dropped_messages=sum(one.dropped_messages for one in all_of),
        callback_errors=sum(one.callback_errors for one in all_of),
        callback_error=next((one.callback_error for one in all_of if one.callback_error), None),
        connections=rows,
        topics=[
            [f"{feed.name} · {row[0]}", *row[1:]]
            for feed, one in zip(feeds, all_of, strict=True)
            for row in one.topics
            if row[1] != NOT_OPEN
        ],
    )


def _least(values: Iterable[int | None]) -> int | None:
    return min((value for value in values if value is not None), default=None)


def _words(value: object) -> str | None:
    return None if value is None else text(value, 512)


def _ms(value: float | None) -> Cell:
    return None if value is None else number(value, digits=1)


def _connection_row(name: str, one: ConnectionLike) -> Row:
    error = _words(one.last_error)
    if error is not None and one.state == "CONNECTED":
        error = f"before: {error}"[: len(error)]
    return [
        text(name, 128),
        text(one.state, 32),
        None if one.quality is None else text(one.quality, 32),
        _ms(one.latency_ms),
        one.attempts,
        one.reconnects,
        one.messages,
        error,
    ]


def _opened(feed: FeedLike, topic: str) -> bool:
    """Whether a topic was ever asked for; looking does not open it."""
    return bool(getattr(feed[topic], "opened", True))


def _topic_row(name: str, topic: TopicStatusLike, opened: bool) -> Row:
    return [
        text(name, 128),
        text(topic.state, 32) if opened or topic.state != "DISCONNECTED" else NOT_OPEN,
        topic.stale,
        topic.messages,
        number(topic.rate_hz, digits=2),
        _ms(topic.lag_ms),
        None if topic.staleness_s is None else round(topic.staleness_s * 1000),
        topic.undecoded,
        topic.dropped,
        None if topic.error is None else text(topic.error),
    ]
