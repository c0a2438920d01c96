"""Events over a chart: what else happened, and when, such as changes of the leader over the load.

A derived state keeps 50 or 100 events; a chart keeps :data:`MAX_MARKS` of those that it marks, so that frequent events
of another type do not push them out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from aurigraph_nb.errors import BadOption, BadOptionType
from aurigraph_nb.state import Event, EventList

from .cells import event_words, milliseconds, text

MAX_MARKS = 100
MAX_WORDS = 160
LEADER_CHANGE = "LEADER_CHANGE"
_LISTS = ("events", "updates")

Mark = list[Any]
"""Time in ms since 1970 UTC, type, message."""


class Marks:
    """The events of a topic that a chart marks, newest last.

    Args:
        topic: a topic whose derived state has events.
        types: the types that are marked; None: all of them.

    Raises:
        BadOptionType: the topic has no events.
    """

    def __init__(self, topic: Any, types: Sequence[str] | None) -> None:
        self.topic = topic
        self._types = None if types is None else frozenset(types)
        self._name = _list_name(topic)
        self._seen: object = None
        self._next = 0
        self._kept: deque[Mark] = deque(maxlen=MAX_MARKS)

    @property
    def news(self) -> bool:
        """Whether there are events that :meth:`fresh` has not returned."""
        events = self._events
        return events is not self._seen or bool(events.total != self._next)

    def fresh(self) -> list[Mark]:
        """The marks that came since the last call."""
        with self.topic.lock:
            events = self._events
            if events is not self._seen:  # a replay that was wound to another place tells of them anew
                self._seen, self._next = events, 0
                self._kept.clear()
            new, self._next = events.since(self._next), events.total
        made = [_mark(event) for event in new if self._types is None or event.type in self._types]
        self._kept.extend(made)
        return made[-MAX_MARKS:]

    @property
    def kept(self) -> list[Mark]:
        """Those that were read so far."""
        return list(self._kept)

    def all(self) -> list[Mark]:
        """All marks that are kept, the fresh ones too."""
        self.fresh()
        return list(self._kept)

    @property
    def _events(self) -> EventList[Any]:
        events: EventList[Any] = getattr(self.topic.state, self._name)
        return events


def checked_types(events: object) -> tuple[str, ...] | None:
    """The types of events that are marked: None for all of them.

    Raises:
        BadOption: an empty list.
        BadOptionType: neither a type nor a list of types.
    """
    if events is None:
        return None
    names = (events,) if isinstance(events, str) else events
    if not isinstance(names, (list, tuple, set, frozenset)) or not all(isinstance(name, str) for name in names):
        raise BadOptionType(f'events={events!r}: expected a type of event such as "{LEADER_CHANGE}", or a list of them')
    if not names:
        raise BadOption(f'events={events!r}: expected at least one type of event, such as "{LEADER_CHANGE}"')
    return tuple(names)


def _mark(event: Event) -> Mark:
    at_ns = event.recv_ns if event.timestamp is None else event.timestamp
    return [milliseconds(at_ns), text(event.type, 32), text(event_words(event), MAX_WORDS)]


def _list_name(topic: Any) -> str:
    state = getattr(topic, "state", None)
    for name in _LISTS:
        if isinstance(getattr(state, name, None), EventList):
            return name
    given = getattr(topic, "name", type(topic).__name__)
    raise BadOptionType(f"annotations: {given!r} has no events; feed.consensus, feed.network and feed.validators have")
