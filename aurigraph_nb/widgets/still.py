"""Still pictures: plain HTML that shows where no kernel is, made of escaped text, tables and drawn lines. Pure.

A notebook that is saved and closed, or rendered by a site, has no widgets any more; what is left is the output's other
forms. These are such a form: no script, no style sheet, no address, no event; a size that is bounded. A place that
takes the drawings away (a notebook that is not trusted, say) still has the figures beside them.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from .cells import short, text
from .downsample import Floats
from .series import Series, thin
from .shown import iso_time

MAX_BYTES = 50_000
"""No still picture is larger."""
MOST_ROWS = 20
"""Rows of a table, or entries of a log."""
MOST_COLUMNS = 12
CELL_CHARS = 80
POINTS = 240
"""Points of a line."""
COURSE_CHARS = 40
_BLOCKS = "▁▂▃▄▅▆▇█"
_WIDTH, _HEIGHT, _EDGE = 640, 160, 4
_FEWER = (MOST_ROWS, 10, 5, 2, 1, 0)
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters that show nothing and may turn the words after them around."""
_RIGHT = ' style="text-align:right"'
_DASHES = ("", "6 3", "2 3", "8 3 2 3")
"""How lines are told apart: by dashes, as there may be no colours."""


class Column(msgspec.Struct, frozen=True):
    """A column of a still table."""

    label: str
    unit: str = ""
    right: bool = False
    """Whether it holds numbers, which stand to the right."""


class Still(msgspec.Struct, frozen=True):
    """A still picture of a widget. It is shown as the last value of a cell; ``html`` may be written to a file."""

    of: str
    """What it is a picture of."""
    html: str

    def __repr__(self) -> str:
        return f"Still({self.of})"

    def _repr_html_(self) -> str:
        return self.html


Bundle = tuple[dict[str, Any], dict[str, Any]] | None


def with_still(bundle: Bundle, make: Callable[[], Still]) -> Bundle:
    """The forms of a live output, and a still picture among them for places that cannot show the live one."""
    if bundle is None:
        return None
    data, metadata = bundle
    try:
        told = make().html
    except Exception as error:  # noqa: BLE001 - the live form shows all the same
        words = f"No still picture: {type(error).__name__}: {error}"
        told = whole(str(data.get("text/plain", "")), [], lambda _: paragraph(words))
    return {**data, "text/html": told}, metadata


def escaped(value: object, limit: int = CELL_CHARS) -> str:
    """``value`` as text inside HTML, in an element or in a quoted attribute.

    >>> escaped('<img src=x onerror="1">')
    '&lt;img src=x onerror=&quot;1&quot;&gt;'
    """
    return html.escape(_UNSEEN.sub("\ufffd", text(value, limit)))


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], total: int | None = None) -> str:
    """A table of texts; ``total``: of how many rows these are, if there are more.

    >>> table([Column("Latency", "ms")], [["1.5"]])
    '<table><thead><tr><th>Latency (ms)</th></tr></thead><tbody><tr><td>1.5</td></tr></tbody></table>'
    """
    columns = columns[:MOST_COLUMNS]
    head = "".join(f"<th>{_heading(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(map(_cell, columns, row))}</tr>" for row in rows)
    told = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    more = 0 if total is None else total - len(rows)
    return told + (paragraph(f"and {more:,} more {'row' if more == 1 else 'rows'}") if more > 0 else "")


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Labels and values, two to a row of the table."""
    rows = "".join(
        f'<tr><th style="text-align:left">{escaped(label)}</th><td style="text-align:right">{escaped(value)}</td></tr>'
        for label, value in pairs
    )
    return f"<table><tbody>{rows}</tbody></table>"


def paragraph(words: str) -> str:
    """A line of words."""
    return f"<p>{escaped(words, 512)}</p>"


def drawing(series: Series, columns: Sequence[Column]) -> str:
    """Lines over time as SVG, each on a scale of its own, and below it a table of what each begins, ends and spans.

    ``series``: times in ms since 1970 UTC, one line a column; a NaN breaks the line.
    """
    if not len(series):
        return paragraph("No data yet")
    begin, end = float(series.times_ms[0]), float(series.times_ms[-1])
    outline = thin(series, POINTS)
    lines = "".join(
        _line(outline.times_ms, values, dash=_DASHES[i % len(_DASHES)]) for i, values in enumerate(outline.values)
    )
    names = ", ".join(column.label for column in columns)
    told = f"{names}, from {_clock(begin)} to {_clock(end)} UTC"
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="100%" height="{_HEIGHT}" '
        f'preserveAspectRatio="none" role="img" aria-label="{escaped(told, 256)}" '
        'fill="none" stroke="currentColor" stroke-width="1.5">'
        f'<path d="M0 {_HEIGHT - 1}H{_WIDTH}" stroke-opacity=".3"/>{lines}</svg>'
    )
    heads = [Column("Line"), Column("Course"), *(Column(word, right=True) for word in ("Newest", "Least", "Most"))]
    heads.append(Column("Unit"))
    rows = [_figures(column, values) for column, values in zip(columns, series.values, strict=True)]
    return picture + table(heads, rows) + paragraph(f"{_clock(begin)} to {_clock(end)} UTC")


def course(values: Floats, width: int = COURSE_CHARS) -> str:
    """Values as a line of blocks: what is left of a drawing where none is shown; a blank where nothing is known.

    >>> course(np.array([0.0, 1.0, 2.0, np.nan, 4.0, 8.0]))
    '▁▂▃ ▅█'
    """
    parts = np.array_split(values, min(width, max(1, len(values))))
    known = values[np.isfinite(values)]
    if not len(known):
        return ""
    with np.errstate(all="ignore"):
        low, span = known.min(), known.max() - known.min()
        steps = [(part[np.isfinite(part)].mean() - low) / span if np.isfinite(part).any() else None for part in parts]
    top = len(_BLOCKS) - 1
    return "".join(
        " " if step is None else _BLOCKS[min(top, int(step * (top + 1)))] if math.isfinite(step) else _BLOCKS[0]
        for step in steps
    )


def whole(title: str, notes: Sequence[str], make: Callable[[int], str], limit: int = MAX_BYTES) -> str:
    """A still picture: its title, notes, and what ``make`` gives for a number of rows, as many as ``limit`` bytes hold.

    >>> whole("Peers", [], lambda rows: "x" * rows, limit=90)
    '<div><p><strong>Peers</strong></p>xxxxxxxxxxxxxxxxxxxx</div>'
    """
    said = " · ".join(escaped(note, 256) for note in notes if note)
    head = f"<div><p><strong>{escaped(title, 256)}</strong>{f' · {said}' if said else ''}</p>"
    for rows in _FEWER:
        told = f"{head}{make(rows)}</div>"
        if len(told.encode()) <= limit:
            return told
    return f"{head}{paragraph('Too much to be kept here')}</div>"


def time_of(ms: float | None, *, date: bool = False) -> str:
    """A time of day in UTC, with its date if asked for.

    >>> time_of(1767225600123.4), time_of(1767225600123.4, date=True)
    ('00:00:00', '2026-01-01 00:00:00')
    """
    told = iso_time(ms)
    if len(told) < 19:
        return "–"
    return f"{told[:10]} {told[11:19]}" if date else told[11:19]


def _clock(ms: float) -> str:
    return time_of(ms, date=True)


def _heading(column: Column) -> str:
    return escaped(f"{column.label} ({column.unit})" if column.unit else column.label)


def _cell(column: Column, value: str) -> str:
    return f"<td{_RIGHT if column.right else ''}>{escaped(value)}</td>"


def _figures(column: Column, values: Floats) -> list[str]:
    known = values[np.isfinite(values)]
    if not len(known):
        return [column.label, "–", "–", "–", "–", column.unit]
    return [
        column.label,
        course(values),
        *(short(float(v)) for v in (known[-1], known.min(), known.max())),
        column.unit,
    ]


def _line(times: Floats, values: Floats, dash: str) -> str:
    """A line from the left edge to the right one, between its least and its most value."""
    known = values[np.isfinite(values)]
    if not len(known):
        return ""
    with np.errstate(all="ignore"):  # values may be as large as a float can be
        low, span = float(known.min()), float(known.max() / 2 - known.min() / 2) * 2
        width = max(float(times[-1] - times[0]), 1e-9)
        x = (times - times[0]) * (_WIDTH / width)
        y = (_HEIGHT - _EDGE) - (values - low) * ((_HEIGHT - 2 * _EDGE) / span if span > 0 else 0.0)
    parts, pen = [], "M"
    for across, down in zip(x, y, strict=True):
        if not (math.isfinite(across) and math.isfinite(down)):
            pen = "M"
            continue
        parts.append(f"{pen}{across:.0f} {down:.0f}")
        pen = "L"
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="{"".join(parts)}" vector-effect="non-scaling-stroke"{dashed}/>' if parts else ""
