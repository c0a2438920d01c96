"""Which still picture each widget leaves behind: of what its reader would see now, read without moving its marks.

The pieces are in :mod:`.still`. Nothing here sends, opens or changes anything, so it may run on any thread.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from .banner import AlertBanner
from .base import LiveWidget
from .cards import Card
from .cells import event_words, milliseconds
from .error_monitor import ErrorMonitor
from .labels import label_of, unit_of
from .live_chart import LiveChart
from .live_result import LiveResult
from .logs import EventLog
from .network_map import NetworkMap
from .replay_controls import ReplayControls
from .rows import TableColumn, cell
from .runs import run_of
from .shown import NUMERIC, cell_text, columns_of, order_of, read_ui
from .status import StatusWidget
from .still import MAX_BYTES, Column, drawing, facts, paragraph, table, time_of, whole
from .table_base import BaseTable

_NOTHING = paragraph("No data yet")


def still(widget: LiveWidget, limit: int = MAX_BYTES) -> str:
    """HTML of what ``widget`` shows now, at most ``limit`` bytes; of hostile text, only the text.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7, start="2026-01-01", duration="30s")
    >>> feed.join(timeout=30)
    >>> "<td" in still(ag.ValidatorTable(feed))
    True
    """
    title = str(widget._setup.get("title") or type(widget).__name__)
    notes = ["simulated" if widget._understudy.acting else "", f"as of {as_of(widget)}", _run(widget)]
    return whole(title, notes, functools.partial(body, widget), limit)


def _run(widget: LiveWidget) -> str:
    """That the run is over, in words; "" while it is not."""
    feed = widget._source.feed
    told = None if feed is None else run_of(feed, feed.status).notice()
    return f"{told['what']}{told['words']}" if told is not None and "words" in told else ""


def as_of(widget: LiveWidget) -> str:
    """The time that the picture is of: that of the newest row which the widget reads, or of the feed's clock."""
    source = widget._source
    rows = [topic.store.latest for topic in source.topics]
    times = [row.recv_ns if row.timestamp is None else row.timestamp for row in rows if row is not None]
    if not times and source.feed is not None and not source.topics:
        times = [source.feed.now_ns()]
    return f"{time_of(milliseconds(max(times)), date=True)} UTC" if times else "–"


@functools.singledispatch
def body(widget: LiveWidget, rows: int) -> str:
    """The picture itself, with at most ``rows`` rows in each of its tables."""
    return paragraph("Run the notebook to see this live")


@body.register
def _(card: Card, rows: int) -> str:
    items = card.items()
    return facts([(item.label, f"{item.text} {item.unit}".rstrip()) for item in items]) if items else _NOTHING


@body.register
def _(widget: BaseTable, rows: int) -> str:
    found = widget._rows.all()[-widget._keep :]
    if widget._newest_first:
        found.reverse()
    cells = [[cell(record, column) for column in widget._columns] for _, record in found]
    shown = read_ui(widget._ui, widget._columns, widget._home)
    filled = frozenset(i for line in cells for i, value in enumerate(line) if value is not None)
    places = [i for i in columns_of(widget._columns, shown, filled) if widget._columns[i].kind != "spark"]
    order = order_of(cells, widget._columns, shown)
    columns = [widget._columns[i] for i in places]
    texts = [[cell_text(cells[row][i], widget._columns[i]) for i in places] for row in order[:rows]]
    return table([_column(column) for column in columns], texts, len(order)) if order else _NOTHING


@body.register
def _(chart: LiveChart, rows: int) -> str:
    series, _ = chart._window.read(chart._topic.store)
    return drawing(series, [Column(label_of(name), unit_of(name)) for name in chart.y]) if rows else _NOTHING


@body.register
def _(log: EventLog, rows: int) -> str:
    with log._lock:
        events = log._events()
        newest_first = list(reversed(events.since(0)))[:rows]
        total = len(events)
    told = [
        [
            _at(event.recv_ns if event.timestamp is None else event.timestamp),
            event.severity,
            event.type,
            event_words(event),
        ]
        for event in newest_first
    ]
    return _log(told, total)


@body.register
def _(monitor: ErrorMonitor, rows: int) -> str:
    topic = monitor._topic
    with topic.lock:
        errors = list(topic.state.current.values())
    told = [
        [
            _at_of(error),
            *(part or "–" for part in (error.severity, error.error_type, error.error_message)),
        ]
        for error in reversed(errors[-rows:] if rows else [])
    ]
    return _log(told, len(errors))


@body.register
def _(banner: AlertBanner, rows: int) -> str:
    told = [[_at_of(alarm), alarm.severity, alarm.type, alarm.message] for alarm in banner.shown[:rows]]
    return _log(told, len(banner.shown)) if banner.shown else paragraph("No alarms")


@body.register
def _(network: NetworkMap, rows: int) -> str:
    peers = [peer for _, peer in network._rows.all()]
    columns = [Column("Peer"), Column("Status"), Column("Quality"), Column("Latency", "ms", right=True), Column("City")]
    told = [
        [
            peer.peer_id or "–",
            peer.status or "–",
            peer.connection_quality or "–",
            "–" if peer.latency_ms is None else f"{peer.latency_ms:,.1f}",
            peer.city or "–",
        ]
        for peer in peers[:rows]
    ]
    figures = network._figures()
    totals = [("Health", figures["health"] or "–"), ("Connected", f"{figures['connected']} of {figures['total']}")]
    totals += [(label, value) for label, value, _ in figures["figures"]]
    return facts(totals) + table(columns, told, len(peers)) if peers else _NOTHING


@body.register
def _(live: LiveResult, rows: int) -> str:
    answer = live.answer
    if answer is None:
        return paragraph("No result yet")
    told = answer.body
    columns = [Column(name, right=numeric) for name, numeric in told["columns"]]
    value = facts([("Value", f"{told['value']} {told['unit']}".rstrip())])
    result = table(columns, told["rows"][:rows], len(told["rows"]) + told["more_rows"]) if told["rows"] else ""
    return value + paragraph(told["reading"]) + result


@body.register
def _(controls: ReplayControls, rows: int) -> str:
    start_ns, position_ns, end_ns, word = controls.place()
    times = [("Start", start_ns), ("Position", position_ns), ("End", end_ns)]
    places = [(label, f"{time_of(milliseconds(ns), date=True)} UTC") for label, ns in times]
    return facts([("State", word), *places])


@body.register
def _(status: StatusWidget, rows: int) -> str:
    seen = status.overview()
    pairs = [("State", seen.told), ("Feed", seen.url)]
    if seen.total or not seen.over:
        pairs.append(("Connections", f"{seen.active} of {seen.total}"))
    pairs += [(label, words if label == "Span" else figure) for label, figure, words in seen.facts]
    if seen.error:
        pairs.append(("Error", seen.error))
    counted = "Rows" if seen.kind == "recording" else "Messages"
    heads = [Column("Topic"), Column("State"), Column(counted, right=True)]
    topics = [[row[0], row[1], f"{row[3]:,}"] for row in seen.topics[:rows]]
    return facts(pairs) + (table(heads, topics, len(seen.topics)) if status.details else "")


def _log(rows: Sequence[Sequence[str]], total: int) -> str:
    heads = [Column("Time", "UTC"), Column("Severity"), Column("Event"), Column("Message")]
    return table(heads, rows, total) if total else paragraph("No events yet")


def _column(column: TableColumn) -> Column:
    return Column(column.label, column.unit, right=column.kind in NUMERIC)


def _at_of(row: Any) -> str:
    return _at(row.recv_ns if row.timestamp is None else row.timestamp)


def _at(ns: Any) -> str:
    return time_of(milliseconds(ns))
