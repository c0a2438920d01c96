"""Which rows of a table its reader sees, and in which order: the browser's rules for sorting and filtering, once more.

The browser sorts and filters by itself; Python needs the same answer for ``to_pandas``. Both work on the cells that
were sent, and a test holds them to each other. Pure: what the reader chose comes as the small trait ``_ui``.
"""

from __future__ import annotations

import datetime as dt
import functools
import math
import re
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import msgspec

from .cells import short
from .rows import TableColumn

NUMERIC = frozenset({"number", "gauge"})
_SORT_AS_NUMBER = frozenset({"number", "gauge", "time"})
_WHOLE = re.compile(r"-?\d{1,60}", re.ASCII)
_PLAIN = re.compile(r"-?(\d{1,300}\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_COMPARISON = re.compile(r"(<=|>=|!=|<|>|=)\s*(-?[\d.,]+(?:e[+-]?\d+)?)", re.ASCII)
_RANGE = re.compile(r"(-?[\d,]*\.?\d+)\s*\.\.\s*(-?[\d,]*\.?\d+)", re.ASCII)
_SIX = Context(prec=6, rounding=ROUND_HALF_UP)
_EXACT = Context(prec=400, rounding=ROUND_HALF_UP)


class Shown(msgspec.Struct, frozen=True):
    """What the reader of a table chose."""

    sorts: tuple[tuple[int, bool], ...] = ()
    """Columns to sort by, the first one first, and whether downwards."""
    search: str = ""
    """What any cell of a row has to hold."""
    filters: Mapping[int, str] = msgspec.field(default_factory=dict)
    """What the cell of a column has to hold, by column."""
    chosen: Mapping[int, bool] = msgspec.field(default_factory=dict)
    """Columns that were switched on or off by hand."""


def read_ui(ui: Mapping[str, Any], columns: Sequence[TableColumn], home: Sequence[tuple[int, bool]] = ()) -> Shown:
    """The choices in ``ui``, as far as they make sense; ``home``: the order where none was chosen."""
    sorts = [_sort(item, columns) for item in [[ui.get("sort"), ui.get("down")], *_list(ui.get("then"))]]
    filters, chosen = _by_column(ui.get("filters"), columns), _by_column(ui.get("columns"), columns)
    return Shown(
        sorts=tuple(one for one in sorts if one is not None) or tuple(home),
        search=ui["filter"] if isinstance(ui.get("filter"), str) else "",
        filters={i: words for i, words in filters.items() if isinstance(words, str) and words.strip()},
        chosen={i: on for i, on in chosen.items() if isinstance(on, bool)},
    )


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _sort(item: object, columns: Sequence[TableColumn]) -> tuple[int, bool] | None:
    if not isinstance(item, (list, tuple)) or len(item) != 2:
        return None
    place, down = item
    if not isinstance(place, int) or isinstance(place, bool) or not 0 <= place < len(columns):
        return None
    return None if columns[place].kind == "spark" else (place, bool(down))


def _by_column(given: object, columns: Sequence[TableColumn]) -> dict[int, Any]:
    pairs = given.items() if isinstance(given, Mapping) else ()
    return {int(i): value for i, value in pairs if str(i).isascii() and str(i).isdigit() and int(i) < len(columns)}


def order_of(rows: Sequence[Sequence[Any]], columns: Sequence[TableColumn], shown: Shown) -> list[int]:
    """Places in ``rows`` (cells by column) of those that are shown, in the order shown.

    >>> columns = [TableColumn(field="id", label="ID"), TableColumn(field="n", label="N", kind="number")]
    >>> order_of([["a", 1], ["b", 3], ["c", 2]], columns, Shown(sorts=((1, True),), filters={1: ">1"}))
    [1, 2]
    """
    wanted = shown.search.strip().lower()
    places = [i for i, cells in enumerate(rows) if _matches(cells, columns, wanted, shown.filters)]
    if not shown.sorts:
        return places

    def compared(p: int, q: int) -> int:
        for column, down in shown.sorts:
            a, b = rows[p][column], rows[q][column]
            if a is None or b is None:
                if (a is None) != (b is None):
                    return 1 if a is None else -1
                continue
            difference = compare(a, b, columns[column].kind)
            if difference:
                return -difference if down else difference
        return 0

    return sorted(places, key=functools.cmp_to_key(compared))


def columns_of(columns: Sequence[TableColumn], shown: Shown, filled: frozenset[int]) -> list[int]:
    """Places of the columns that are on: those chosen, else all but empty optional ones.

    Where no row has any value, and that would leave a single column, all of them are on.
    """
    on = [i for i, c in enumerate(columns) if shown.chosen.get(i, not c.optional or i in filled)]
    if filled or len(on) > 1:
        return on
    return [i for i in range(len(columns)) if shown.chosen.get(i, True)]


def _matches(cells: Sequence[Any], columns: Sequence[TableColumn], wanted: str, filters: Mapping[int, str]) -> bool:
    if not all(fits(cells[i], columns[i], words) for i, words in filters.items()):
        return False
    if not wanted:
        return True
    texts = (cell_text(value, columns[i]) for i, value in enumerate(cells) if value is not None)
    return any(wanted in told.lower() for told in texts)


def fits(value: Any, column: TableColumn, words: str) -> bool:
    """Whether a cell passes its column's filter.

    Numbers take ``>5``, ``<=5``, ``=5``, ``!=5`` and ``1..5`` (ends included). Everything else looks for text as it is
    shown, whatever the case; ``=word``: nothing but the word; ``!word``: not the word.

    >>> number = TableColumn(field="n", label="N", kind="number")
    >>> [fits(1234, number, words) for words in (">1,000", "1..2", "1,2", "!1,2")]
    [True, False, True, False]
    """
    wanted = words.strip().lower()
    if wanted == "":
        return True
    if column.kind in NUMERIC:
        told = _number_fits(value, column, wanted)
        if told is not None:
            return told
    shown = "" if value is None else cell_text(value, column).lower()
    if wanted.startswith("!"):
        return wanted[1:].strip() not in shown if wanted[1:].strip() else shown != ""
    return shown == wanted[1:].strip() if wanted.startswith("=") else wanted in shown


def _number_fits(value: Any, column: TableColumn, wanted: str) -> bool | None:
    """Whether a number fits a comparison or a range; None if ``wanted`` is neither."""
    compared, between = _COMPARISON.fullmatch(wanted), _RANGE.fullmatch(wanted)
    if compared:
        sign, limit = compared[1], compared[2].replace(",", "")
        if _float(limit) is None:
            return None
        if value is None:
            return False
        way = compare(value, limit, column.kind)
        return {"<": way < 0, ">": way > 0, "<=": way <= 0, ">=": way >= 0, "=": way == 0, "!=": way != 0}[sign]
    if between:
        low, high = (part.replace(",", "") for part in between.groups())
        return value is not None and compare(value, low, column.kind) >= 0 and compare(value, high, column.kind) <= 0
    return None


def compare(a: Any, b: Any, kind: str) -> int:
    """Negative, 0 or positive, as ``a`` comes before, with or after ``b``. Whole numbers of any size stay exact."""
    if kind in _SORT_AS_NUMBER:
        if isinstance(a, (int, float)) and isinstance(b, (int, float)):
            return (a > b) - (a < b)
        p, q = _whole(a), _whole(b)
        if p is not None and q is not None:
            return (p > q) - (p < q)
        x, y = _float(a), _float(b)
        if x is not None and y is not None:
            return (x > y) - (x < y)
    s, t = _units(str(a)), _units(str(b))
    return (s > t) - (s < t)


def _units(text: str) -> bytes:
    """Bytes that compare as a browser compares texts: by UTF-16 units."""
    return text.encode("utf-16-be", "surrogatepass")


def _whole(value: Any) -> int | None:
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return int(value) if _WHOLE.fullmatch(value) else None


def _float(value: Any) -> float | None:
    if isinstance(value, (int, float)):
        return float(value)
    return float(value) if _PLAIN.fullmatch(value) else None


# ---- cells as they are shown


def cell_text(value: Any, column: TableColumn) -> str:
    """A cell as the front end shows it.

    >>> cell_text(1234.56789, TableColumn(field="n", label="N", kind="number"))
    '1,234.57'
    """
    if value is None:
        return "–"
    if column.kind in NUMERIC:
        return _number_text(value, column)
    if column.kind == "time":
        return _time_text(value, whole=column.digits == 0)
    return str(value)


def _number_text(value: Any, column: TableColumn) -> str:
    if isinstance(value, str):
        if column.short and _WHOLE.fullmatch(value):
            return short(float(value))
        return f"{int(value):,}" if _WHOLE.fullmatch(value) else value
    if column.short:
        return short(value)
    exact = Decimal(repr(value))  # as many digits as tell the number apart, which is what a browser rounds, too
    if exact == exact.to_integral_value() and not column.digits:
        return _minus_zero(value) + f"{int(exact):,}"
    if column.digits is None:
        rounded = f"{_SIX.create_decimal(exact):,f}"
        return rounded.rstrip("0").rstrip(".") if "." in rounded else rounded
    return f"{exact.quantize(Decimal(1).scaleb(-column.digits), context=_EXACT):,f}"


def _minus_zero(value: float) -> str:
    return "-" if value == 0 and math.copysign(1, value) < 0 else ""


def iso_time(ms: float | None) -> str:
    """Milliseconds since 1970 as the front end writes a time in full.

    >>> iso_time(1767225600123.4), iso_time(1e300)
    ('2026-01-01T00:00:00.123Z', '–')
    """
    try:
        at = dt.datetime(1970, 1, 1) + dt.timedelta(milliseconds=math.trunc(ms or 0.0))
    except OverflowError:
        return "–"
    return "–" if ms is None else f"{at.isoformat(timespec='milliseconds')}Z"


def _time_text(ms: float, *, whole: bool) -> str:
    told = iso_time(ms)
    return told if told == "–" else told[11:19] if whole else told[11:23]
