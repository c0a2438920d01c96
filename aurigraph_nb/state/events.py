"""What happened, newest first: bounded lists of events that are numbered as they come."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Generic, Literal, TypeVar, overload

import msgspec

from aurigraph_nb.errors import BadOption
from aurigraph_nb.session.text import brief

Severity = Literal["info", "warning", "error"]
Value = str | int | float | None

_SHOWN_CHARS = 80


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that changed between two records."""

    type: str
    """What kind of change, in upper case, e.g. ``LEADER_CHANGE``."""
    severity: Severity
    message: str
    """One plain sentence. It quotes the feed as it is: whoever displays it must treat it as text, never as markup."""
    old: Value
    """The value before; None if there was none."""
    new: Value
    timestamp: int | None
    """Server time of the record that told it, ns since 1970 UTC, or None."""
    recv_ns: int
    """Receive time of that record, ns since 1970 UTC."""


def shown(value: Value) -> str:
    """A value as it reads in a message: numbers without noise, long text cut, None as ``None``.

    >>> shown(1234567.0), shown(0.1 + 0.2), shown(None)
    ('1234567', '0.3', 'None')
    """
    text = f"{value:.15g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"


E = TypeVar("E", bound=Event)


class EventList(Sequence[E], Generic[E]):
    """The newest ``keep`` events, newest first. Event numbers start at 0 and are never reused.

    Raises:
        BadOption: ``keep`` is below 1.
    """

    def __init__(self, keep: int) -> None:
        if keep < 1:
            raise BadOption(f"keep={keep!r}: expected a whole number of at least 1")
        self._kept: deque[E] = deque(maxlen=keep)
        self._total = 0
        self._clears = 0

    @property
    def keep(self) -> int:
        """How many events are kept, at most."""
        return self._kept.maxlen or 0

    @property
    def total(self) -> int:
        """Events ever appended; the next event gets this number. Not reset by :meth:`clear`."""
        return self._total

    @property
    def first(self) -> int:
        """Number of the oldest event kept (``total`` if none is)."""
        return self._total - len(self._kept)

    @property
    def newest(self) -> E | None:
        """The newest event; None if none is kept."""
        try:
            return self._kept[-1]
        except IndexError:
            return None

    @property
    def version(self) -> int:
        """Grows with every change of the list."""
        return self._total + self._clears

    @property
    def items(self) -> tuple[E, ...]:
        """The events kept, newest first."""
        return tuple(reversed(self._kept))

    def append(self, event: E) -> None:
        """Add the newest event; the oldest goes when ``keep`` is exceeded."""
        self._kept.append(event)
        self._total += 1

    def since(self, number: int) -> list[E]:
        """The kept events with numbers from ``number`` on, in order of arrival."""
        wanted = max(0, min(self._total - number, len(self._kept)))
        newest = [event for event, _ in zip(reversed(self._kept), range(wanted), strict=False)]
        return newest[::-1]

    def resize(self, keep: int) -> None:
        """Keep so many from now on; the newest of those there are stay, and numbers and version do not move.

        Raises:
            BadOption: ``keep`` is below 1.
        """
        if keep < 1:
            raise BadOption(f"keep={keep!r}: expected a whole number of at least 1")
        self._kept = deque(self._kept, maxlen=keep)

    def clear(self) -> None:
        """Forget the events kept; the numbers go on."""
        self._kept.clear()
        self._clears += 1

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[E]:
        return reversed(self._kept)

    @overload
    def __getitem__(self, index: int) -> E: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[E, ...]: ...
    def __getitem__(self, index: int | slice) -> E | tuple[E, ...]:
        return self.items[index]

    def __repr__(self) -> str:
        return f"<EventList: {told(self)}>"


def told(events: EventList[Any]) -> str:
    """How many events are kept, and the newest, for a repr."""
    newest = events.newest
    tail = "" if newest is None else f", the newest: {brief(newest.message)}"
    return f"{len(events):,} {'event' if len(events) == 1 else 'events'} kept{tail}"
