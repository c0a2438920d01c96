"""What a widget reads: a topic or a feed, seen through the few things that widgets need of them.

All of these are cheap to ask many times a second. Whatever has these attributes will do: a live feed, a replayed one, a
double in a test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, cast

import msgspec

from aurigraph_nb.columns import ColumnStore
from aurigraph_nb.errors import BadOptionType
from aurigraph_nb.schema import Record


class TopicLike(Protocol):
    """A topic: rows in a store and, for most record types, a state derived from them."""

    @property
    def name(self) -> str: ...
    @property
    def record_type(self) -> type[Record]: ...
    @property
    def store(self) -> ColumnStore[Any]: ...
    @property
    def state(self) -> Any:
        """The derived state, to be read inside ``with topic.lock``; None if the record type has none."""

    @property
    def lock(self) -> AbstractContextManager[Any]: ...
    def open(self) -> object:
        """Begin to receive, if that has not begun."""


class TopicStatusLike(Protocol):
    """How one topic is doing."""

    @property
    def state(self) -> str: ...
    @property
    def messages(self) -> int: ...
    @property
    def rate_hz(self) -> float: ...
    @property
    def lag_ms(self) -> float | None: ...
    @property
    def undecoded(self) -> int: ...
    @property
    def dropped(self) -> int: ...
    @property
    def reconnects(self) -> int: ...
    @property
    def staleness_s(self) -> float | None: ...
    @property
    def stale(self) -> bool: ...
    @property
    def attempts(self) -> int: ...
    @property
    def next_try_ns(self) -> int | None: ...
    @property
    def error(self) -> str | None: ...


class StatusLike(Protocol):
    """How a feed is doing."""

    @property
    def state(self) -> str: ...
    @property
    def error(self) -> str | None: ...
    @property
    def last_update(self) -> int | None: ...
    @property
    def attempts(self) -> int: ...
    @property
    def next_try_ns(self) -> int | None: ...
    @property
    def url(self) -> str: ...
    @property
    def protocol(self) -> str: ...
    @property
    def callback_errors(self) -> int: ...
    @property
    def last_callback_error(self) -> str | None: ...
    @property
    def ended(self) -> bool: ...
    @property
    def latency_ms(self) -> float | None: ...
    @property
    def fallback(self) -> str | None: ...
    @property
    def connection_id(self) -> str | None: ...
    @property
    def queued_messages(self) -> int: ...
    @property
    def dropped_messages(self) -> int: ...
    @property
    def topics(self) -> Mapping[str, Any]:
        """Of :class:`TopicStatusLike`, by name."""


class ConnectionLike(Protocol):
    """One connection of a feed."""

    @property
    def endpoint(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def attempts(self) -> int: ...
    @property
    def reconnects(self) -> int: ...
    @property
    def last_error(self) -> str | None: ...
    @property
    def latency_ms(self) -> float | None: ...
    @property
    def quality(self) -> str | None: ...
    @property
    def messages(self) -> int: ...


class FeedLike(Protocol):
    """A feed: topics by name, and how they are doing."""

    @property
    def name(self) -> str: ...
    @property
    def closed(self) -> bool: ...
    @property
    def status(self) -> StatusLike: ...
    @property
    def connections(self) -> Sequence[ConnectionLike]: ...
    @property
    def gaps(self) -> Any:
        """Gaps of all topics: ``rows()`` and a ``version`` that changes with them."""

    def __getitem__(self, name: str, /) -> Any: ...
    def now_ns(self) -> int:
        """Now on the feed's clock, ns since 1970 UTC."""

    def connect(self) -> object: ...
    def reconnect(self) -> object: ...


class Source(msgspec.Struct, frozen=True):
    """Where a widget's data come from: a feed, a topic, or both as far as they are known."""

    topic: Any = None
    """A :class:`TopicLike` or None."""
    feed: Any = None
    """A :class:`FeedLike` or None."""
    others: tuple[Any, ...] = ()
    """Further topics that the widget reads."""

    @property
    def topics(self) -> tuple[Any, ...]:
        """All topics that the widget reads."""
        return self.others if self.topic is None else (self.topic, *self.others)

    @property
    def closed(self) -> bool:
        """Whether nothing new can come any more."""
        return any(bool(getattr(part, "closed", False)) for part in (self.topic, self.feed))

    def story(self) -> tuple[int, ...]:
        """Changes when what was received is taken back: a replay that is played from another place on."""
        return tuple(topic.store.generation for topic in self.topics)

    def open(self) -> None:
        """Begin to receive; a closed source shows what it has stored."""
        if not self.closed:
            for topic in self.topics:
                topic.open()


def of_topic(widget: str, given: object) -> Source:
    """The source behind a widget's first argument, which has to be a topic.

    Raises:
        BadOptionType: it is something else.
    """
    if not is_topic(given):
        hint = " This is a feed: choose one of its topics." if is_feed(given) else ""
        raise BadOptionType(f"{widget} needs a topic such as feed.metrics, not {type(given).__name__}.{hint}")
    return Source(topic=given, feed=getattr(given, "feed", None))


def of_feed(widget: str, given: object, topic: str | None = None) -> Source:
    """The source behind a widget's first argument, which has to be a feed; with the named topic of it.

    Raises:
        BadOptionType: it is something else.
        UnknownTopic: the feed has no such topic.
    """
    if not is_feed(given):
        raise BadOptionType(f"{widget} needs a feed such as ag.connect(…) returns, not {type(given).__name__}.")
    feed = cast(FeedLike, given)
    return Source(topic=None if topic is None else feed[topic], feed=feed)


def of_either(widget: str, given: object, topic: str, *records: type[Record]) -> Source:
    """The source behind a widget's first argument: a feed that has ``topic``, or such a topic, of ``records`` rows.

    Raises:
        BadOptionType: it is something else.
        UnknownTopic: the feed has no such topic.
    """
    source = of_feed(widget, given, topic) if is_feed(given) else of_topic(widget, given)
    if not issubclass(source.topic.record_type, records):
        rows, wanted = source.topic.record_type.__name__, " or ".join(record.__name__ for record in records)
        raise BadOptionType(f"{widget} needs a topic of {wanted} rows; {source.topic.name!r} has {rows}.")
    return source


def is_topic(given: object) -> bool:
    """Whether a widget can read it as a topic."""
    return hasattr(given, "record_type") and hasattr(given, "store")


def is_feed(given: object) -> bool:
    """Whether a widget can read it as a feed."""
    return hasattr(type(given), "__getitem__") and hasattr(type(given), "reconnect") and not is_topic(given)
