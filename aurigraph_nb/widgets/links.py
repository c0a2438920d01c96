"""How connections are doing, of one feed or of all open ones: what the status widgets show.

Times are told as so many milliseconds ago, or from now: feeds may live on clocks of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import msgspec

from aurigraph_nb import registry
from aurigraph_nb.session import State
from aurigraph_nb.state import connections_health
from aurigraph_nb.status import overall

from .cells import Cell, milliseconds, number, text
from .runs import Run, fact_rows, run_of
from .sources import ConnectionLike, FeedLike, StatusLike, TopicStatusLike, of_feed
from .still import time_of

Row = list[Any]
NOT_OPEN = "NOT OPEN"
"""Shown in place of the state of a topic that nobody has asked for."""
RECORDED, NOT_RECORDED = "RECORDED", "NOT RECORDED"
"""Shown in place of the state of a recording's topics."""


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
    kind: str = "live"
    """``live``, ``simulation``, ``replay`` or ``recording``."""
    word: str = ""
    """What stands in place of the state where the source is over, or is played; else ""."""
    over: bool = False
    """Whether nothing more is due, and that is as it should be."""
    facts: list[Row] = msgspec.field(default_factory=list)
    """What there is to say of it besides: label, figure, and both in words."""

    @property
    def told(self) -> str:
        """The state, or what stands in its place."""
        return self.word or ("ENDED" if self.ended and self.state == "DISCONNECTED" else self.state)

    @property
    def messages(self) -> int:
        """Messages of the connections; where none is left, of the topics."""
        return self.column(self.connections, 6) if self.connections else self.column(self.topics, 3)

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
        """HEALTHY, DEGRADED or CRITICAL by the share that stands; None without any, or where none is wanted."""
        wanted = self.connections and not self.over and self.state != "CLOSED"
        return connections_health(self.active, self.total) if wanted else None

    def column(self, rows: Sequence[Row], place: int) -> int:
        """Sum of a column of ``connections`` or ``topics``."""
        return sum(row[place] for row in rows)

    def words(self) -> tuple[Any, ...]:
        """What is worth a message at once: everything but counters and ages."""
        links = tuple((row[0], row[1], row[2], row[4], row[7]) for row in self.connections)
        topics = tuple((row[0], row[1], row[2], row[9]) for row in self.topics)
        waits = self.next_try_ms is not None
        told = (self.state, self.url, self.ended, self.error, self.attempts, waits, self.fallback, self.callback_errors)
        return (*told, self.word, tuple(map(tuple, self.facts)), links, topics)


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
    run, recorded = run_of(feed, status), getattr(feed, "recorded_topics", None)
    return Overview(
        kind=run.kind,
        word=run.word,
        over=run.over,
        facts=_facts(feed, status, run),
        state=text(status.state, 32),
        url=text(f"recorded from {status.url}" if recorded is not None else status.url),
        protocol=text(status.protocol, 32),
        ended=status.ended,
        error=_words(status.error) if run.kind != "replay" or status.state == "ERROR" else None,  # one of then
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
        topics=[_topic_row(name, topic, _open_word(feed, name, recorded)) for name, topic in status.topics.items()],
    )


def _facts(feed: FeedLike, status: StatusLike, run: Run) -> list[Row]:
    """What there is to say of a source that is recorded, played or over."""
    told: list[Row] = []
    if run.over and run.at_ns is not None and run.kind != "recording":
        ended = f"{time_of(milliseconds(run.at_ns), date=True)} UTC"
        told.append(["Ended", ended, f"ended at {ended}"])
    if run.kind in ("recording", "replay"):
        told += fact_rows(feed, sum(topic.messages for topic in status.topics.values()))
    if run.kind == "replay" and not run.over and status.state != "CONNECTED":
        told.append(["Recorded state", str(status.state), f"{str(status.state).lower()} in the recording"])
    return told


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


def _open_word(feed: FeedLike, topic: str, recorded: Collection[str] | None) -> str:
    """What stands for the state of a topic: whether it was recorded, or that nobody asked for it; else ""."""
    if recorded is not None:
        return RECORDED if topic in recorded else NOT_RECORDED
    # Looking does not open it.
    return "" if getattr(feed[topic], "opened", True) else NOT_OPEN


def _topic_row(name: str, topic: TopicStatusLike, word: str) -> Row:
    state = text(topic.state, 32)
    return [
        text(name, 128),
        state if not word or (word == NOT_OPEN and state != "DISCONNECTED") else word,
        topic.stale,
        topic.messages,
        number(topic.rate_hz, digits=2),
        _ms(topic.lag_ms),
        None if topic.staleness_s is None else round(topic.staleness_s * 1000),
        topic.undecoded,
        topic.dropped,
        None if topic.error is None else text(topic.error),
    ]
