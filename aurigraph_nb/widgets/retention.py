"""How many events a widget keeps: as many as asked for, and the topic's state no fewer."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Final

from aurigraph_nb.errors import BadOption, BadOptionType
from aurigraph_nb.state import EventList

MOST_EVENTS: Final = 5_000


def checked_keep(option: str, keep: int, *, least: int = 1) -> int:
    """A number of events to keep.

    >>> checked_keep("keep", 500)
    500

    Raises:
        BadOption: below ``least`` or above 5,000.
        BadOptionType: no whole number.
    """
    words = f"{option}={keep!r}: expected a whole number of events from {least} to {MOST_EVENTS:,}"
    if isinstance(keep, bool) or not isinstance(keep, int):
        raise BadOptionType(words)
    if not least <= keep <= MOST_EVENTS:
        raise BadOption(words)
    return keep


def keep_events(events: EventList[Any], keep: int, lock: AbstractContextManager[Any]) -> None:
    """Let a list keep at least ``keep`` events from now on; one that keeps more stays as it is."""
    with lock:
        if keep > events.keep:
            events.resize(keep)
