"""Live logs: what happened, newest first, with filters by type, severity and words, and a pause while one reads."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from aurigraph_nb.errors import BadOptionType
from aurigraph_nb.schema import Consensus, Peer, Record, Validator
from aurigraph_nb.state import Event, EventList

from .assets import script, style
from .base import LiveWidget, Message, checked_height, refuse_unknown
from .cells import Cell, event_words, milliseconds, text
from .flow import DEFAULT_RATE_HZ
from .retention import checked_keep, keep_events
from .sources import Source, of_either

MOST_AT_ONCE = 500
"""Most events of one update: of more that came since the last one the oldest are left out, and counted as dropped."""
_LISTS = ("events", "updates")


class EventLog(LiveWidget):
    """The events of a topic (``feed.consensus``, ``feed.network``, ``feed.validators``), a derived state or an alert.

    ``keep``: how many, up to 5,000 (the state keeps that many too, if it kept fewer); by default as many as the state
    keeps, 50 or 100. ``height`` in pixels; ``rate_hz``: most updates a second. The list stands still while its reader
    looks at older entries or has paused it, and says how many came meanwhile.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7)
    >>> ag.EventLog(feed.consensus, keep=500)
    EventLog(consensus)

    Raises:
        BadOption: ``keep`` is out of its bounds.
        BadOptionType: something without events was given, or there is no such option.
    """

    _esm = script("log")
    _css = style("log")

    def __init__(
        self,
        topic: object,
        *,
        keep: int | None = None,
        height: int = 240,
        title: str | None = None,
        rate_hz: float = DEFAULT_RATE_HZ,
        **unknown: object,
    ) -> None:
        refuse_unknown(type(self), unknown)
        source, events, name = _events_of(type(self).__name__, topic)
        self._lock = _lock_of(topic)
        title = f"{name} events" if title is None else title
        self._build(source, events, title=title, keep=keep, height=height, rate_hz=rate_hz)

    def _of(
        self,
        feed: object,
        topic: str,
        record: type[Record],
        *,
        title: str,
        keep: int | None,
        height: int,
        rate_hz: float,
    ) -> None:
        source = of_either(type(self).__name__, feed, topic, record)
        self._lock = _lock_of(source.topic)
        self._build(source, _list_of(source.topic), title=title, keep=keep, height=height, rate_hz=rate_hz)

    def _build(
        self,
        source: Source,
        events: Callable[[], EventList[Any]],
        *,
        title: str,
        keep: int | None,
        height: int,
        rate_hz: float,
    ) -> None:
        self._events = events
        self._version: int | None = None
        self._next = 0
        self._clears = 0
        if keep is not None:
            keep_events(events(), checked_keep("keep", keep), self._lock)
        kept = events().keep if keep is None else keep
        setup = {"title": text(title), "height": checked_height(height), "keep": kept}
        super().__init__(source, setup=setup, rate_hz=rate_hz)

    def _repr_source(self) -> str:
        return "state" if self._source.topic is None else super()._repr_source()

    def _news(self, now: float) -> bool:
        return self._events().version != self._version

    def _snapshot(self, now: float) -> Message:
        return self._message(everything=True)

    def _delta(self, now: float) -> Message:
        return self._message(everything=False)

    def _message(self, *, everything: bool) -> Message:
        with self._lock:
            events = self._events()
            clears = events.version - events.total
            everything = everything or clears != self._clears  # the page still has what was cleared
            most = self._setup["keep"] if everything else min(self._setup["keep"], MOST_AT_ONCE)
            fresh = events.since(0 if everything else self._next)[-most:]
            total, self._version = events.total, events.version
        missed = 0 if everything else max(0, total - self._next - len(fresh))
        self._next, self._clears = total, clears
        first = total - len(fresh)
        body: dict[str, Any] = {"events": [_entry(first + i, event) for i, event in enumerate(fresh)], "total": total}
        if everything:
            body["reset"] = True
        return Message(body, dropped=missed)


class ConsensusLog(EventLog):
    """Changes of leader, state, epoch and performance of the consensus. Takes a feed, or its consensus topic.

    The options are those of :class:`EventLog`.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7)
    >>> ag.ConsensusLog(feed)
    ConsensusLog(consensus)

    Raises:
        BadOption: ``keep`` is out of its bounds.
        BadOptionType: something else was given, or there is no such option.
    """

    def __init__(
        self,
        feed: object,
        *,
        keep: int | None = None,
        height: int = 240,
        rate_hz: float = DEFAULT_RATE_HZ,
        **unknown: object,
    ) -> None:
        refuse_unknown(type(self), unknown)
        self._of(feed, "consensus", Consensus, title="Consensus events", keep=keep, height=height, rate_hz=rate_hz)


class NetworkLog(EventLog):
    """Peers that came, went, or changed latency or version. Takes a feed, or its network topic.

    The options are those of :class:`EventLog`.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7)
    >>> ag.NetworkLog(feed)
    NetworkLog(network)

    Raises:
        BadOption: ``keep`` is out of its bounds.
        BadOptionType: something else was given, or there is no such option.
    """

    def __init__(
        self,
        feed: object,
        *,
        keep: int | None = None,
        height: int = 240,
        rate_hz: float = DEFAULT_RATE_HZ,
        **unknown: object,
    ) -> None:
        refuse_unknown(type(self), unknown)
        self._of(feed, "network", Peer, title="Network events", keep=keep, height=height, rate_hz=rate_hz)


class ValidatorLog(EventLog):
    """Changes of status, voting power, uptime and last block of validators. Takes a feed, or its validators topic.

    The options are those of :class:`EventLog`.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7)
    >>> ag.ValidatorLog(feed)
    ValidatorLog(validators)

    Raises:
        BadOption: ``keep`` is out of its bounds.
        BadOptionType: something else was given, or there is no such option.
    """

    def __init__(
        self,
        feed: object,
        *,
        keep: int | None = None,
        height: int = 240,
        rate_hz: float = DEFAULT_RATE_HZ,
        **unknown: object,
    ) -> None:
        refuse_unknown(type(self), unknown)
        self._of(feed, "validators", Validator, title="Validator events", keep=keep, height=height, rate_hz=rate_hz)


def _entry(ordinal: int, event: Event) -> list[Cell]:
    """An event as the front end gets it: number, time in ms, type, severity, message."""
    at_ns = event.recv_ns if event.timestamp is None else event.timestamp
    return [ordinal, milliseconds(at_ns), text(event.type, 64), text(event.severity, 16), text(event_words(event), 512)]


def _lock_of(given: Any) -> AbstractContextManager[Any]:
    lock: AbstractContextManager[Any] | None = getattr(given, "lock", None)
    return nullcontext() if lock is None else lock


def _list_of(topic: Any) -> Callable[[], EventList[Any]]:
    name = _list_name(topic.state)
    return lambda: getattr(topic.state, name)


def _list_name(state: object) -> str:
    return next((name for name in _LISTS if isinstance(getattr(state, name, None), EventList)), "")


def _events_of(widget: str, given: Any) -> tuple[Source, Callable[[], EventList[Any]], str]:
    """The source, the events and the name behind a widget's first argument: a topic, or a state itself."""
    if hasattr(given, "record_type") and hasattr(given, "store"):
        if not _list_name(given.state):
            raise BadOptionType(f"{widget}: topic {given.name!r} has no events; consensus, network and validators have")
        source = Source(topic=given, feed=getattr(given, "feed", None))
        return source, _list_of(given), str(given.name).capitalize()
    name = _list_name(given)
    if not name:
        raise BadOptionType(f"{widget} needs a topic with events such as feed.consensus, not {type(given).__name__}.")
    return Source(), lambda: getattr(given, name), type(given).__name__.removesuffix("State")
