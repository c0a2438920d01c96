"""Live tables: a virtualised grid in the browser that is kept up to date row by row.

``LiveTable`` shows any topic; the tables in :mod:`.feed_tables` know their topic's columns and what belongs above them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

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

from .base import refuse_unknown
from .flow import DEFAULT_RATE_HZ
from .formats import formatted, home_order, with_sparklines
from .labels import sentence
from .rows import MAX_ROWS, NewestRows, Rows, StateRows, StoreRows, TableColumn, column_for
from .sources import Source, of_topic
from .sparks import Sparks
from .table_base import BaseTable, row_key

__all__ = ["NEWEST_ROWS", "BaseTable", "LiveTable", "row_key"]

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


class LiveTable(BaseTable):
    """The rows of a topic as a table: one row a ``key``, or without a key the newest 200 rows.

    ``key``: a column whose newest row is shown, e.g. ``"id"``; by default that of the topic's state (validators by
    ``id``, models by ``model``, transactions by ``hash``, …), where there is one. ``columns``: the columns to show
    (default: the topic's own, as far as they have a value). ``sort``: the order at first, e.g. ``"-latency_ms"``
    (``-``: downwards) or a list. ``units``: other units by column, e.g. ``{"uptime_s": "h"}``; ``formats``: decimals by
    column, ``"short"`` (8.51M) or ``"percent"`` (of a fraction). ``sparklines``: columns of numbers whose newest 30
    values are drawn, or a mapping to how many, up to 60. ``height`` in pixels; ``rate_hz``: most updates a second. At
    most 10,000 rows are shown.

    What the reader sorts, filters, hides and selects survives a reload of the page; :attr:`selected` and
    :meth:`to_pandas` tell of it.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7, start="2026-01-01", duration="20s")
    >>> feed.join(timeout=30)
    >>> table = ag.LiveTable(feed.network, columns=["peer_id", "latency_ms"], sort="latency_ms")
    >>> bool(table.to_pandas()["latency_ms"].is_monotonic_increasing)
    True

    Raises:
        BadOption: an unknown column, unit or format.
        BadOptionType: ``topic`` is no topic, an option is of a wrong type, or there is no such option.
    """

    def __init__(
        self,
        topic: object,
        *,
        key: str | None = None,
        columns: Sequence[str] | None = None,
        sort: str | Sequence[str] | None = None,
        formats: Mapping[str, int | str] | None = None,
        units: Mapping[str, str] | None = None,
        sparklines: Sequence[str] | Mapping[str, int] = (),
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
        shown = [column_for(record, name) for name in _checked_columns(record, columns)]
        if columns is None:  # of those that nobody asked for by name, the ones without any value would be empty areas
            shown = [shown[0], *(msgspec.structs.replace(column, optional=True) for column in shown[1:])]
        shown = with_sparklines(formatted(shown, formats, units), sparklines)
        order = [{"column": place, "down": down} for place, down in home_order(shown, sort)]
        self._build(
            source,
            rows,
            shown,
            title=sentence(source.topic.name) if title is None else title,
            height=height,
            rate_hz=rate_hz,
            newest_first=newest_first,
            keep=NEWEST_ROWS if isinstance(rows, NewestRows) else MAX_ROWS,
            sparks=_sparks_of(source, rows, key, shown),
            more={"sort": order} if order else None,
        )


def _sparks_of(source: Source, rows: Rows, key: str | None, shown: Sequence[TableColumn]) -> Sparks | None:
    fields = {column.field: column.points for column in shown if column.kind == "spark"}
    if not fields:
        return None
    name = key if key is not None else _STATE_KEYS.get(source.topic.record_type)
    if isinstance(rows, NewestRows) or name is None:
        raise BadOption("sparklines: this table shows each row once; give it a key whose values have a course")
    return Sparks(source.topic.store, name, fields)


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
