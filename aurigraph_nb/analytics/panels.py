"""Lines of several units in one figure: a panel for each unit, one above the other, over one axis of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .plots import Chart, draw, plain
from .resampling import UNITS
from .result import Result

if TYPE_CHECKING:
    import plotly.graph_objects as go

SUFFIXES = {"percent": "%", "ms": "ms", "s": "s", "bytes": "B", "mb": "MB", "gb": "GB", "hz": "Hz"}
"""Units as the names of columns end with them, and as people write them."""
_PANEL_PX = 170
_SPACE = 0.12
"""Free height between two panels, of that of one."""


def unit_of(column: str) -> str:
    """The unit of a column, as far as its name tells; empty where it does not.

    >>> unit_of("tps"), unit_of("latency_ms"), unit_of("round"), unit_of("bytes_per_s")
    ('tx/s', 'ms', '', '')
    """
    if "_per_" in column:
        return ""
    return UNITS.get(column) or SUFFIXES.get(column.rpartition("_")[2] if "_" in column else "", "")


def by_unit(columns: Sequence[str]) -> dict[str, list[str]]:
    """The columns ``stream.column`` that may share an axis, under its title: those of one unit, or of one name.

    >>> by_unit(["a.tps", "b.cpu_percent", "b.memory_percent", "c.round"])
    {'tps (tx/s)': ['a.tps'], '%': ['b.cpu_percent', 'b.memory_percent'], 'round': ['c.round']}
    """
    groups: dict[str, list[str]] = {}
    for column in columns:
        own = column.rpartition(".")[2]
        groups.setdefault(unit_of(own) or f"\0{own}", []).append(column)
    made = {}
    for key, members in groups.items():
        names = {m.rpartition(".")[2] for m in members}
        words = _bare(names.pop()).replace("_", " ") if len(names) == 1 else ""
        title = words if key[0] == "\0" else f"{words} ({key})" if words else key
        made[title] = members
    return made


def _bare(name: str) -> str:
    """The name of a column without the unit at its end."""
    head, _, last = name.rpartition("_")
    return head if head and last in SUFFIXES else name


class Aligned(Result):
    """The table has the streams side by side; the figure one panel for each unit."""

    def plot(self) -> go.Figure:
        """The streams over time, a panel for each unit; what gaps hide is shaded."""
        return draw_panels(self.table, self.chart, title=self.name, empty=self.reading)


def draw_panels(table: pd.DataFrame, chart: Chart, *, title: str, empty: str) -> go.Figure:
    """The figure of a chart whose lines are of several units: each unit has an axis of its own."""
    groups = by_unit(chart.y)
    known = [y for y in chart.y if np.isfinite(table[y].to_numpy(float)).any()]
    if len(groups) < 2 or not known:
        return draw(table, replace(chart, y_title=next(iter(groups), "")), title=title, empty=empty)
    figure = draw(table, chart, title=title, empty=empty)
    panels = _panels(list(groups))
    axis_of = {y: f"y{place or ''}" for place, ys in _numbered(groups) for y in ys}
    for line, y in zip(figure.data, chart.y, strict=True):  # one line a column, in their order
        line.yaxis = axis_of[y]
    for shape in figure.layout.shapes:  # gaps are shaded over all panels
        shape.yref = "paper"
    base = figure.layout.yaxis.to_plotly_json()
    for name, own in panels.items():
        figure.layout[name] = {**base, **own}
    figure.update_layout(
        height=130 + _PANEL_PX * len(groups), xaxis={"anchor": axis_of[next(reversed(groups.values()))[0]]}
    )
    return figure


def _numbered(groups: dict[str, list[str]]) -> list[tuple[int, list[str]]]:
    """The number that plotly gives the axis of each panel: none for the first, 2 for the second, and so on."""
    return [(0 if i == 0 else i + 1, ys) for i, ys in enumerate(groups.values())]


def _panels(titles: list[str]) -> dict[str, dict[str, Any]]:
    """The axis of each panel, from the top down."""
    height = 1 / (len(titles) + _SPACE * (len(titles) - 1))
    found = {}
    for i, title in enumerate(titles):
        top = 1 - i * height * (1 + _SPACE)
        domain = [max(0.0, top - height), min(1.0, top)]
        found["yaxis" if i == 0 else f"yaxis{i + 1}"] = {"domain": domain, "title": {"text": plain(title)}}
    return found
