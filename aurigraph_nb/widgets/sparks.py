"""The course of numbers row by row, for sparklines: the newest values of each key, read straight from a store.

What travels is the points that a row's reader lacks; a snapshot carries them all. Bounded in rows and points.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Any

from aurigraph_nb.columns import ColumnStore

from .cells import Cell, number
from .rows import MAX_ROWS

READ_ROWS = 20_000
"""Rows of a store that are read at once; older ones are not drawn."""
SENT_POINTS = 100_000
"""Points of all rows together in a snapshot; where there are more rows, each brings fewer."""
_DIGITS = 5


class _Course:
    """The newest points of one row and column."""

    __slots__ = ("points", "sent", "total")

    def __init__(self, keep: int) -> None:
        self.points: deque[float] = deque(maxlen=keep)
        self.total = self.sent = 0

    def add(self, value: float) -> None:
        self.points.append(value)
        self.total += 1

    def new(self, most: int, *, everything: bool) -> list[Cell]:
        lacking = len(self.points) if everything else min(self.total - self.sent, len(self.points))
        self.sent = self.total
        count = min(lacking, most)
        return [] if count == 0 else [_short(value) for value in list(self.points)[-count:]]


def _short(value: float) -> Cell:
    told = number(float(value))
    return float(f"{told:.{_DIGITS}g}") if isinstance(told, float) else told


class Sparks:
    """The courses of some columns of a store, by the value of its column ``key``; ``fields``: how many points each."""

    def __init__(self, store: ColumnStore[Any], key: str, fields: Mapping[str, int]) -> None:
        self._store, self._key, self._fields = store, key, dict(fields)
        self._generation = store.generation
        self._next = 0
        self._rows: OrderedDict[Any, tuple[_Course, ...]] = OrderedDict()

    def __len__(self) -> int:
        """Rows that are kept."""
        return len(self._rows)

    def read(self) -> None:
        """Take in what the store has new."""
        if self._generation != self._store.generation:  # it began anew
            self._generation, self._next = self._store.generation, self._store.first
            self._rows.clear()
        if not self._fields or self._store.count == self._next:
            return
        first = max(self._next, self._store.count - READ_ROWS)
        new = self._store.since(first, [self._key, *self._fields])
        self._next = new.next
        columns = [new.table.column(name).to_pylist() for name in (self._key, *self._fields)]
        for key, *values in zip(*columns, strict=True):
            if key is not None:
                self._take(key, values)

    def _take(self, key: Any, values: list[Any]) -> None:
        courses = self._rows.get(key)
        if courses is None:
            courses = self._rows[key] = tuple(_Course(keep) for keep in self._fields.values())
            if len(self._rows) > MAX_ROWS:
                self._rows.popitem(last=False)
        for course, value in zip(courses, values, strict=True):
            if value is not None:
                course.add(value)

    def new(self, key: Any, *, everything: bool = False) -> dict[str, list[Cell]]:
        """The points of a row that were not sent yet, oldest first, by field; or all of them."""
        courses = self._rows.get(key)
        if courses is None:
            return {}
        most = max(2, SENT_POINTS // (len(self._rows) * len(self._fields)))
        points = (course.new(most, everything=everything) for course in courses)
        return dict(zip(self._fields, points, strict=True))
