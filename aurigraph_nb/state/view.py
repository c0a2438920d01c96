"""What all derived states have in common: records go in one by one, in the order in which they were received.

A state has no lock and no clock: its owner serialises the calls, and time is what the records say. So the same code
gives the same answer for a live feed, a replay and a recording.
"""

from __future__ import annotations

import functools
from typing import Protocol, TypeVar

import msgspec

from aurigraph_nb.schema import Record

R = TypeVar("R", bound=Record)
_R_in = TypeVar("_R_in", bound=Record, contravariant=True)


class View(Protocol[_R_in]):
    """A state derived from the records of one topic."""

    @property
    def version(self) -> int:
        """Grows with every change of anything that the state shows."""
        ...

    def apply(self, record: _R_in) -> None:
        """Take the next record."""
        ...


@functools.cache
def _own_fields(record_type: type[Record]) -> tuple[str, ...]:
    return tuple(name for name in record_type.__struct_fields__ if name not in Record.__struct_fields__)


def merge(old: R | None, new: R, nullable: frozenset[str] = frozenset()) -> R:
    """The new record, where it says nothing completed by the old one.

    A frame may be partial: None in a field of the topic means "not told" and keeps the old value, except in the
    ``nullable`` fields, where None is a value. Times, ordinals and ``extra`` are always those of the new record.
    """
    if old is None:
        return new
    silent = (f for f in _own_fields(type(new)) if getattr(new, f) is None and f not in nullable)
    kept = {f: value for f in silent if (value := getattr(old, f)) is not None}
    return msgspec.structs.replace(new, **kept) if kept else new


def moved(old: float, new: float, threshold: float) -> bool:
    """Whether a value moved by more than the threshold; a scaled score's rounding noise does not count.

    >>> moved(0.57 * 100, 0.62 * 100, 5), moved(57.0, 62.001, 5)
    (False, True)
    """
    return round(abs(new - old), 9) > threshold
