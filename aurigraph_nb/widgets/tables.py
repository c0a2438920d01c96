"""Live tables: a virtualised grid in the browser that is kept up to date row by row.

The front end sorts, filters and marks changed cells; what travels is the rows that changed. ``LiveTable`` shows any
topic; the tables in :mod:`.feed_tables` know their topic's columns and what belongs above them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aurigraph_nb.errors import BadOption, BadOptionType
from aurigraph_nb.schema import (
    LOCAL_COLUMNS,
    EndpointLatency,
    EndpointThroughput,
    InferenceRequest,
    ModelMetrics,
    Peer,
    RateLimit,
    Record,
    Transaction,
    UserSession,
    Validator,
    columns,
)

from .assets import script, style
from .base import LiveWidget, Message, checked_height, refuse_unknown
from .cells import SAFE_INTEGER, Cell, text
from .flow import DEFAULT_RATE_HZ
from .rows import MAX_ROWS, NewestRows, RowChanges, Rows, StateRows, StoreRows, TableColumn, cell, column_for
from .sources import Source, of_topic

NEWEST_ROWS = 200
"""Rows that a table without a key shows."""
_STATE_KEYS: Mapping[type[Record], str] = {
    Validator: "id",
    Peer: "peer_id",
    Transaction: "hash",
    UserSession: "session_id",
    ModelMetrics: "model",
    RateLimit: "endpoint",
    EndpointThroughput: "endpoint",
    EndpointLatency: "endpoint",
    InferenceRequest: "id",
}
_NEWEST_FIRST = (Transaction, InferenceRequest)
_ASIDE = (*LOCAL_COLUMNS, "extra", "timestamp", "sequence", "metadata", "source")
"""Columns that a table shows only when asked."""
_TOP_COLUMNS = 12


class BaseTable(LiveWidget):
    """What all tables share: rows from a source, as cells of columns."""

    _esm = script("table")
    _css = style("table")

    def _build(
        self,
        source: Source,
        rows: Rows,
        columns: Sequence[TableColumn],
        *,
        title: str,
        height: int,
        rate_hz: float,
        newest_first: bool = False,
        keep: int = MAX_ROWS,
        more: Mapping[str, Any] | None = None,
        when_offline: str | None = None,
    ) -> None:
        self._clear_wanted = False
        self._rows = rows
        self._columns = tuple(columns)
        self._mark: int | None = None
        self._caption_sent: dict[str, Any] | None = None
        setup = {
            "title": text(title),
            "height": checked_height(height),
            "newest_first": newest_first,
            "keep": keep,
            "columns": [
                {"label": c.label, "kind": c.kind, "unit": c.unit, "digits": c.digits, "width": c.width}
                | ({"optional": True} if c.optional else {})
                for c in self._columns
            ],
        }
        setup |= more or {}
        super().__init__(source, setup=setup, rate_hz=rate_hz, when_offline=when_offline)

    def _recast(self) -> None:
        self._rows = StateRows(lambda: self._topic.state.current, self._topic.lock)

    # ---- the button that clears, where a table has one

    def _request(self, kind: str) -> None:
        if kind == "clear":
            self._clear_wanted = True

    def _serve(self) -> None:
        with self._guard:
            wanted, self._clear_wanted = self._clear_wanted, False
        if wanted and "clear" in self._setup:
            with self._topic.lock:
                self._topic.state.clear()

    # ---- messages

    def _caption(self) -> dict[str, Any]:
        """What stands above the table, besides its title."""
        return {}

    def _news(self, now: float) -> bool:
        return self._rows.mark() != self._mark or self._caption() != self._caption_sent

    def _snapshot(self, now: float) -> Message:
        return self._message(self._rows.since(None), everything=True)

    def _delta(self, now: float) -> Message:
        return self._message(self._rows.since(self._mark))

    def _message(self, changes: RowChanges, *, everything: bool = False) -> Message:
        self._mark = changes.mark
        body: dict[str, Any] = {"rows": [self._row(key, record) for key, record in changes.changed]}
        if changes.removed:
            body["removed"] = [row_key(key) for key in changes.removed]
        if changes.reset:
            body["reset"] = True
        fresh = self._fresh(changes)
        if fresh:
            body["fresh"] = fresh
        caption = self._caption()
        if everything or caption != self._caption_sent:
            body["caption"] = caption
            self._caption_sent = caption
        merged = 0 if everything else max(0, changes.arrived - changes.dropped - len(changes.changed))
        return Message(body, merged=merged, dropped=changes.dropped)

    def _row(self, key: Any, record: Record) -> list[Cell]:
        return [row_key(key), *(cell(record, column) for column in self._columns)]

    def _fresh(self, changes: RowChanges) -> list[list[Cell]]:
        """Rows to be marked as new: key, and for how many milliseconds yet."""
        return []


def row_key(key: Any) -> Cell:
    """A row's key as JSON has it; an integer and the text of the same digits stay apart."""
    if isinstance(key, int) and -SAFE_INTEGER < key < SAFE_INTEGER:
        return key
    return text(key, limit=1024)


class LiveTable(BaseTable):
    """The rows of a topic as a table: one row a ``key``, or without a key the newest 200 rows.

    ``key``: a column whose newest row is shown, e.g. ``"id"``; by default that of the topic's state (validators by
    ``id``, models by ``model``, transactions by ``hash``, …), where there is one. ``columns``: the columns to show
    (default: the topic's own). ``height`` in pixels; ``rate_hz``: most updates a second. At most 10,000 rows are shown.

    Raises:
        BadOption: an unknown column.
        BadOptionType: ``topic`` is no topic, or there is no such option.
    """

    def __init__(
        self,
        topic: object,
        *,
        key: str | None = None,
        columns: Sequence[str] | None = None,
        height: int = 320,
        title: str | None = None,
        rate_hz: float = DEFAULT_RATE_HZ,
        **unknown: object,
    ) -> None:
        refuse_unknown(type(self), unknown)
        source = of_topic(type(self).__name__, topic)
        record = source.topic.record_type
        rows = _rows_by(source, _checked_key(record, key))
        newest_first = (key is None and not isinstance(rows, StateRows)) or issubclass(record, _NEWEST_FIRST)
        self._build(
            source,
            rows,
            [column_for(record, name) for name in _checked_columns(record, columns)],
            title=source.topic.name if title is None else title,
            height=height,
            rate_hz=rate_hz,
            newest_first=newest_first,
            keep=NEWEST_ROWS if isinstance(rows, NewestRows) else MAX_ROWS,
        )


def _rows_by(source: Source, key: str | None) -> Rows:
    topic = source.topic
    own = _STATE_KEYS.get(topic.record_type)
    if own is not None and key in (None, own) and topic.state is not None:
        return StateRows(_current_of(topic), topic.lock)
    if key is not None:
        return StoreRows(topic.store, key)
    return NewestRows(topic.store, NEWEST_ROWS)


def _current_of(topic: Any) -> Callable[[], Any]:
    return lambda: topic.state.current


def _names(record: type[Record]) -> list[str]:
    return [c.name for c in columns(record)]


def _checked_key(record: type[Record], key: str | None) -> str | None:
    known = _names(record)
    if key is not None and key not in known:
        raise BadOption(f"key={key!r}: {record.__name__} has no such column; it has {', '.join(known)}")
    return key


def _checked_columns(record: type[Record], wanted: Sequence[str] | None) -> list[str]:
    known = _names(record)
    if wanted is None:
        own = [name for name in known if name not in _ASIDE]
        return ["timestamp", *own][:_TOP_COLUMNS]
    if isinstance(wanted, str) or not isinstance(wanted, Sequence):
        raise BadOptionType(f"columns={wanted!r}: expected a list of column names out of {', '.join(known)}")
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        raise BadOption(f"columns={list(wanted)!r}: expected some of {', '.join(known)}")
    return list(dict.fromkeys(wanted))
