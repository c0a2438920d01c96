"""A result as a page gets it: texts, a few rows, a small figure. Made by the thread that computed the result.

A result is whatever has ``reading``, ``value``, ``unit``, ``table`` and ``plot()``, as those of the analytics have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from aurigraph_nb.errors import BadOptionType

from .cells import text
from .series import LARGEST, Series, thin

SHOWN_ROWS = 50
SHOWN_COLUMNS = 10
SHOWN_NOTES = 6
CELL_CHARACTERS = 64
LINE_CHARACTERS = 400
HISTORY_POINTS = 400
"""Points of the value's history that a page gets; more are thinned to their outline."""
FIGURE_BYTES_PER_S = 12_000
MOST_FIGURE_BYTES = 60_000
_PARTS = ("reading", "value", "unit", "table", "plot")
_MISSING = "–"


class Answer(NamedTuple):
    """One result, ready to be sent."""

    body: dict[str, Any]
    figure: bytes
    """The figure as JSON; empty where there is none."""


def answer_of(result: Any, *, every_s: float) -> Answer:
    """What a page shows of ``result``.

    Raises:
        BadOptionType: it is no result.
    """
    missing = [part for part in _PARTS if not hasattr(result, part)]
    if missing:
        raise BadOptionType(
            f"the function gave {type(result).__name__}, which has no {', '.join(missing)}; a result such as those of "
            "aurigraph_nb.analytics was expected"
        )
    figure, too_large = _figure(result, min(MOST_FIGURE_BYTES, int(FIGURE_BYTES_PER_S * every_s)))
    notes = [text(note, LINE_CHARACTERS) for note in getattr(result, "notes", ())[:SHOWN_NOTES]]
    body = {
        "reading": text(result.reading, LINE_CHARACTERS),
        "value": shown(result.value),
        "unit": text(result.unit, CELL_CHARACTERS),
        "notes": notes + ([too_large] if too_large else []),
        **_table(result.table),
    }
    return Answer(body, figure)


def as_float(value: Any) -> float:
    """A result's value as a point of a line; NaN where it is unknown, or beyond what a float holds."""
    try:
        number = math.nan if value is None else float(value)
    except (OverflowError, TypeError, ValueError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def shown(value: Any) -> str:
    """A value as people read it: whole numbers in full, others to six significant digits or to the point.

    >>> shown(1234567), shown(1345678.9), shown(0.123456789), shown(None), shown(float("nan")), shown("<b>")
    ('1,234,567', '1,345,679', '0.123457', '–', '–', '<b>')
    """
    if value is None or value is pd.NaT or value is pd.NA:
        return _MISSING
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return text(f"{value:,}", CELL_CHARACTERS)
    if isinstance(value, Decimal):
        return text(f"{value:,}" if value.is_finite() else _MISSING, CELL_CHARACTERS)
    if isinstance(value, (float, np.floating)):
        return _decimal(float(value))
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return text(value, CELL_CHARACTERS)


def _decimal(value: float) -> str:
    if not math.isfinite(value):
        return _MISSING if math.isnan(value) else ("∞" if value > 0 else "-∞")
    return f"{value:,.0f}" if 1e6 <= abs(value) < 1e15 else f"{value:,.6g}"


def history_bytes(points: Sequence[tuple[int, float]]) -> tuple[int, bytes]:
    """Number of points and the points themselves, float64: all times (ms since 1970), then all values."""
    pairs = np.array(points, dtype=np.float64).reshape(-1, 2)
    series = thin(Series(pairs[:, 0] / 1e6, pairs[:, 1].reshape(1, -1)), HISTORY_POINTS)
    return len(series), series.pack()


def _table(table: pd.DataFrame) -> dict[str, Any]:
    head = table.iloc[:SHOWN_ROWS, :SHOWN_COLUMNS]
    numeric = [pd.api.types.is_numeric_dtype(dtype) for dtype in head.dtypes]
    return {
        "columns": [[text(name, CELL_CHARACTERS), kind] for name, kind in zip(head.columns, numeric, strict=True)],
        "rows": [[shown(cell) for cell in row] for row in head.itertuples(index=False, name=None)],
        "more_rows": max(0, len(table) - SHOWN_ROWS),
        "more_columns": max(0, table.shape[1] - SHOWN_COLUMNS),
    }


def _figure(result: Any, most_bytes: int) -> tuple[bytes, str]:
    """The figure as JSON, and why there is none if it is too large to be sent that often."""
    if not len(result.table):
        return b"", ""
    figure = result.plot()
    if figure is None or not len(figure.data):
        return b"", ""
    _leave_out_the_boundless(figure)
    made = str(figure.to_json()).encode()
    if len(made) <= most_bytes:
        return made, ""
    size_kb, most_kb = len(made) / 1e3, most_bytes / 1e3
    return b"", f"The figure ({size_kb:,.0f} kB) is too large to be sent live ({most_kb:,.0f} kB): see .latest.plot()"


def _leave_out_the_boundless(figure: Any) -> None:
    """Take out of a figure what is so large that plotly could not draw it, and would say so in the console."""
    for trace in figure.data:
        for name in ("x", "y", "base"):
            values = getattr(trace, name, None)
            if isinstance(values, np.ndarray | tuple | list):
                drawn = np.asarray(values)
                if drawn.dtype.kind == "f":
                    trace[name] = np.where(np.abs(drawn) <= LARGEST, drawn, np.nan)
    ends = ("x0", "x1", "y0", "y1")
    figure.layout.shapes = [s for s in figure.layout.shapes if not any(_is_boundless(s[end]) for end in ends)]


def _is_boundless(value: Any) -> bool:
    return isinstance(value, float | np.floating) and not abs(float(value)) <= LARGEST
