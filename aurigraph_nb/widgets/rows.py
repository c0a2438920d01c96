"""The rows behind a table: by key out of a derived state or a store, or simply the newest.

A source of rows has a ``mark`` that moves with every change, and gives the changes since a mark: a front end's rows are
then a copy that is kept up to date. Rows come oldest first.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, Protocol

import msgspec
import pyarrow as pa

from aurigraph_nb.columns import ColumnStore
from aurigraph_nb.schema import Kind, Record, columns
from aurigraph_nb.state import Keyed

from .cells import Cell, milliseconds, number, text
from .labels import label_of, unit_of

MAX_ROWS = 10_000
"""Most rows of a table in the browser; the oldest go."""
BATCH_ROWS = 2_000
"""Rows of a store that are read at once; what is older is skipped and counted."""

_FIRM = frozenset({"channel"})
"""Columns of names that differ at their ends."""

CellKind = Literal["text", "mono", "number", "badge", "time", "gauge", "spark"]


class TableColumn(msgspec.Struct, frozen=True, kw_only=True):
    """One column of a table: which field, under which header, shown how."""

    field: str
    label: str
    kind: CellKind = "text"
    unit: str = ""
    scale: float = 1.0
    """Factor from the field to the unit shown."""
    digits: int | None = None
    """Decimals; None: whole numbers as they are, others to six significant digits."""
    width: int = 12
    """Width in characters, about."""
    optional: bool = False
    """Not shown while no row has a value."""
    short: bool = False
    """Numbers in at most five characters (8.51M); the tooltip has all digits."""
    firm: bool = False
    """Not made narrower where there is little room: what is cut off of it would be missed."""
    points: int = 0
    """Of a ``spark`` column: how many of the field's newest values it draws."""


def column_for(record: type[Record], name: str) -> TableColumn:
    """How a record's column is shown unless a widget says otherwise."""
    found = next(c for c in columns(record) if c.name == name)
    label, unit = label_of(name), unit_of(name)
    if found.kind is Kind.TIME:
        return TableColumn(field=name, label=label, kind="time", unit="UTC", width=max(16, len(label) + 9))
    if name in ("status", "state", "health", "connection_quality"):
        return TableColumn(field=name, label=label, kind="badge", width=18)
    numeric = pa.types.is_integer(found.arrow) or pa.types.is_floating(found.arrow) or found.kind is Kind.DECIMAL
    if numeric:
        room = len(label) + len(unit) + (7 if unit else 4)
        return TableColumn(field=name, label=label, kind="number", unit=unit, width=max(11, room))
    width = 60 if found.kind is Kind.JSON else 16
    return TableColumn(field=name, label=label, kind="text", width=width, firm=name in _FIRM)


def cell(record: Record, column: TableColumn) -> Cell:
    """A record's value as the front end gets it; the points of a ``spark`` column come from elsewhere."""
    if column.kind == "spark":
        return None
    value = getattr(record, column.field)
    if value is None:
        return None
    if column.kind == "time":
        return milliseconds(value)
    if column.kind in ("number", "gauge") and isinstance(value, (int, float)):
        return number(value, column.scale, column.digits)
    return ("yes" if value else "no") if isinstance(value, bool) else text(value)


class RowChanges(msgspec.Struct, frozen=True):
    """What a reader of rows lacks."""

    mark: int
    """What to ask with the next time."""
    changed: Sequence[tuple[Any, Any]]
    """Key and record, oldest first."""
    removed: Sequence[Any] = ()
    reset: bool = False
    """True if ``changed`` is everything."""
    arrived: int = 0
    """Rows of the topic that these changes stem from."""
    dropped: int = 0
    """Rows that could not be read any more."""


class Rows(Protocol):
    """A source of rows."""

    def mark(self) -> int:
        """Moves with every change; cheap."""

    def since(self, mark: int | None) -> RowChanges:
        """The changes since ``mark``; None: everything."""

    def all(self) -> list[tuple[Any, Any]]:
        """Key and record of every row now, oldest first; from any thread, and no change is lost by asking."""


class StateRows:
    """Rows by key out of a topic's derived state."""

    def __init__(self, current: Callable[[], Keyed[Any, Any]], lock: AbstractContextManager[Any] | None = None) -> None:
        self._current = current
        self._upserts = 0
        self._lock = nullcontext() if lock is None else lock

    def mark(self) -> int:
        return self._current().version

    def since(self, mark: int | None) -> RowChanges:
        with self._lock:
            rows = self._current()
            arrived, self._upserts = rows.upserts - self._upserts, rows.upserts
            if mark is None:
                return RowChanges(rows.version, self.all(), reset=True)
            changes = rows.changed_since(mark)
        changed = changes.changed[-MAX_ROWS:]
        return RowChanges(changes.version, changed, changes.removed, changes.reset, arrived)

    def all(self) -> list[tuple[Any, Any]]:
        with self._lock:
            rows = self._current()
            newest = list(itertools.islice(reversed(rows), MAX_ROWS))
            return [(key, rows[key]) for key in reversed(newest)]


class StoreRows:
    """The newest row of each value of a column, straight from a store."""

    def __init__(self, store: ColumnStore[Any], key: str) -> None:
        self._store = store
        self._key = key
        self._next = max(store.first, store.count - MAX_ROWS)
        self._rows: Keyed[Any, Any] = Keyed(MAX_ROWS)
        self._generation = store.generation
        self._lock = threading.RLock()

    def mark(self) -> int:
        # What was read, and what waits: it moves as soon as there is something to read.
        return self._rows.version + (self._store.count - self._next)

    def since(self, mark: int | None) -> RowChanges:
        with self._lock:
            read, skipped = self._read(BATCH_ROWS if mark is not None else None)
            if mark is None:
                return RowChanges(self._rows.version, list(self._rows.items()), reset=True, dropped=skipped)
            changes = self._rows.changed_since(mark)
        return RowChanges(changes.version, changes.changed, changes.removed, changes.reset, read, skipped)

    def all(self) -> list[tuple[Any, Any]]:
        with self._lock:
            self._read(None)
            return list(self._rows.items())

    def _read(self, most: int | None) -> tuple[int, int]:
        """Take in what the store has new, ``most`` rows of it; returns how many were read, how many skipped."""
        if self._generation != self._store.generation:  # it began anew
            self._generation, self._next = self._store.generation, self._store.first
            self._rows.clear()
        stop = self._store.count
        first = max(self._next, self._store.first, 0 if most is None else stop - most)
        skipped, self._next = first - self._next, stop
        for record in self._store.records(first, stop):
            key = getattr(record, self._key)
            if key is not None:
                self._rows.upsert(key, record)
        return stop - first, skipped


class NewestRows:
    """The newest rows of a store; their key is their number."""

    def __init__(self, store: ColumnStore[Any], keep: int) -> None:
        self._store = store
        self._keep = keep

    def mark(self) -> int:
        return self._store.count

    def since(self, mark: int | None) -> RowChanges:
        stop = self._store.count
        oldest = max(self._store.first, stop - self._keep)
        first = oldest if mark is None else max(mark, oldest)
        changed = list(zip(range(first, stop), self._store.records(first, stop), strict=False))
        if mark is None:
            return RowChanges(stop, changed, reset=True)
        gone = range(max(0, mark - self._keep), min(oldest, mark))
        return RowChanges(stop, changed, gone, False, stop - mark, first - mark)

    def all(self) -> list[tuple[Any, Any]]:
        return list(self.since(None).changed)
