"""What all tables share: rows from a source as cells of columns, a selection, details on demand, and what is shown.

The front end sorts, filters, chooses columns and marks what changed; what travels is the rows that changed. Its choices
live in the small trait ``_ui``, so that a reload keeps them and Python can tell what is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import traitlets

from aurigraph_nb import frames
from aurigraph_nb.columns import records_to_table
from aurigraph_nb.errors import BadOptionType
from aurigraph_nb.schema import Kind, Record, columns

from .assets import script, style
from .base import LiveWidget, Message, checked_height
from .cells import SAFE_INTEGER, Cell, milliseconds, text
from .labels import label_of, unit_of
from .rows import MAX_ROWS, RowChanges, Rows, StateRows, TableColumn, cell
from .shown import columns_of, iso_time, order_of, read_ui
from .sources import Source
from .sparks import Sparks

if TYPE_CHECKING:
    import pandas as pd

KEY_CHARS = 1024
"""Longest key of a row in the browser, in characters."""
DETAIL_CHARS = 2048
"""Longest text of one field among a row's details."""
_OUR_OWN = frozenset({"conn_epoch", "n", "gap_before"})
"""Columns that say how a row came, not what it says; they are in no details."""


class BaseTable(LiveWidget):
    """What all tables share: rows from a source, as cells of columns."""

    _esm = script("table")
    _css = style("table")

    selected: traitlets.List[Any] = traitlets.List().tag(sync=True)
    """Keys of the selected rows, in the order of their selection; can be set, and observed with ``observe``."""

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
        sparks: Sparks | None = None,
        when_offline: str | None = None,
    ) -> None:
        self._clear_wanted = False
        self._detail_wanted: str | int | None = None
        self._rows = rows
        self._sparks = sparks
        self._columns = tuple(columns)
        self._keep = keep
        self._newest_first = newest_first
        self._mark: int | None = None
        self._caption_sent: dict[str, Any] | None = None
        setup = {
            "title": text(title),
            "height": checked_height(height),
            "newest_first": newest_first,
            "pause": newest_first,
            "keep": keep,
            "columns": [_told(column) for column in self._columns],
        }
        setup |= more or {}
        self._home = _home(setup.get("sort"))
        super().__init__(source, setup=setup, rate_hz=rate_hz, when_offline=when_offline)

    def _recast(self) -> None:
        self._rows = StateRows(lambda: self._topic.state.current, self._topic.lock)

    # ---- for users

    def to_pandas(self, *, selected: bool = False) -> pd.DataFrame:
        """The rows and columns that the table shows: filtered, in its order, without the columns that are off.

        ``selected``: only the rows that are selected. Values are those of the topic, exact and in its own units; the
        index is a plain range. A table that is paused, or too narrow for all its columns, gives what it would show.

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, start="2026-01-01", duration="30s")
        >>> feed.join(timeout=30)
        >>> ag.PeerTable(feed).to_pandas()["status"].isin(["CONNECTED", "CONNECTING", "DISCONNECTED"]).all()
        np.True_
        """
        rows = self._rows.all()[-self._keep :]
        if self._newest_first:
            rows.reverse()
        cells = [[cell(record, column) for column in self._columns] for _, record in rows]
        shown = read_ui(self._ui, self._columns, self._home)
        wanted = set(self.selected)
        order = [i for i in order_of(cells, self._columns, shown) if not selected or row_key(rows[i][0]) in wanted]
        filled = frozenset(i for line in cells for i, value in enumerate(line) if value is not None)
        fields = [self._columns[i].field for i in columns_of(self._columns, shown, filled)]
        table = records_to_table(self._topic.record_type, [rows[i][1] for i in order])
        return frames.to_pandas(table.select(list(dict.fromkeys(fields))), index=None)

    @traitlets.validate("selected")
    def _check_selected(self, proposal: Mapping[str, Any]) -> list[str | int]:
        keys = proposal["value"]
        if len(keys) > MAX_ROWS or not all(isinstance(k, (str, int)) and not isinstance(k, bool) for k in keys):
            raise BadOptionType(f"selected: expected at most {MAX_ROWS:,} keys of rows, each a text or a whole number")
        return list(dict.fromkeys(row_key(key) for key in keys))

    # ---- messages from the front end (any thread)

    def _receive(self, widget: object, content: object, buffers: object) -> None:
        key = content.get("key") if isinstance(content, dict) and content.get("kind") == "detail" else None
        if isinstance(key, int) or (isinstance(key, str) and len(key) <= KEY_CHARS):
            with self._guard:
                self._detail_wanted = key
        super()._receive(widget, content, buffers)

    def _request(self, kind: str) -> None:
        if kind == "clear":
            self._clear_wanted = True

    def _serve(self) -> None:
        with self._guard:
            clear, self._clear_wanted = self._clear_wanted, False
            detail, self._detail_wanted = self._detail_wanted, None
        if clear and "clear" in self._setup:
            with self._topic.lock:
                self._topic.state.clear()
        if detail is not None:
            record = next((record for key, record in self._rows.all() if row_key(key) == detail), None)
            fields = [] if record is None else _details(record)
            self.send({"kind": "detail", "key": detail, "fields": fields})

    # ---- messages to the front end

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
        if self._sparks is not None:
            self._sparks.read()
        whole = everything or changes.reset
        body: dict[str, Any] = {"rows": [self._row(key, record, whole) for key, record in changes.changed]}
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

    def _row(self, key: Any, record: Record, whole: bool = False) -> list[Any]:
        """A row as the front end gets it; of a sparkline ``whole`` or the points that are new."""
        row: list[Any] = [row_key(key), *(cell(record, column) for column in self._columns)]
        if self._sparks is not None:
            points = self._sparks.new(key, everything=whole)
            for i, column in enumerate(self._columns, 1):
                if column.kind == "spark":
                    row[i] = [_scaled(point, column.scale) for point in points.get(column.field, ())]
        return row

    def _fresh(self, changes: RowChanges) -> list[list[Cell]]:
        """Rows to be marked as new: key, and for how many milliseconds yet."""
        return []


def row_key(key: Any) -> str | int:
    """A row's key as JSON has it; an integer and the text of the same digits stay apart."""
    if isinstance(key, int) and -SAFE_INTEGER < key < SAFE_INTEGER:
        return key
    return text(key, limit=KEY_CHARS)


def _told(column: TableColumn) -> dict[str, Any]:
    told: dict[str, Any] = {
        "label": column.label,
        "kind": column.kind,
        "unit": column.unit,
        "digits": column.digits,
        "width": column.width,
    }
    return told | {name: value for name in ("optional", "short", "firm", "points") if (value := getattr(column, name))}


def _home(sort: Any) -> list[tuple[int, bool]]:
    """The order that a table comes back to, out of its setup."""
    items = sort if isinstance(sort, list) else [] if sort is None else [sort]
    return [(item["column"], bool(item["down"])) for item in items]


def _scaled(point: Cell, scale: float) -> Cell:
    return point * scale if isinstance(point, (int, float)) and scale != 1.0 else point


def plain_number(value: Any) -> str:
    """A value in full; of a number, the thousands apart as in the table, and no noise behind it.

    >>> plain_number(1148074.0), plain_number(0.1 + 0.2), plain_number(12345), plain_number("7")
    ('1,148,074', '0.3', '12,345', '7')
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < SAFE_INTEGER:
        return str(value)
    exact = float(f"{value:.12g}") if isinstance(value, float) else value
    return f"{int(exact):,}" if exact == int(exact) else f"{exact:,}"


def _details(record: Record) -> list[list[str]]:
    """Every field of a row that has a value: name with unit, and the value in full."""
    fields: list[list[str]] = []
    for column in columns(type(record)):
        value = getattr(record, column.name)
        if value is None or column.name in _OUR_OWN:
            continue
        is_time = column.kind is Kind.TIME or column.name == "recv_ns"
        unit = "UTC" if is_time else unit_of(column.name)
        told = iso_time(milliseconds(value)) if is_time else plain_number(value)
        label = label_of(column.name)
        fields.append([f"{label} ({unit})" if unit else label, text(told, DETAIL_CHARS)])
    return fields
