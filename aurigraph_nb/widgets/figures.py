"""A chart's content as a static plotly figure: for export, slides and papers."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from .series import Series

_GAP_PX = 24
_SHADE = "rgba(128, 128, 128, 0.18)"
_INK = "rgba(96, 96, 96, 0.9)"


def figure(
    series: Series,
    setup: Mapping[str, Any],
    gaps: Sequence[Sequence[Any]],
    *,
    marks: Sequence[Sequence[Any]] = (),
    shown: tuple[float, float] | None = None,
) -> go.Figure:
    """The lines of ``series`` in panels by unit, or on two axes, over a UTC time axis.

    ``setup`` is the chart's description; ``gaps`` are shaded, ``marks`` (time in ms, type, message) are dotted lines,
    ``shown`` is the range of the time axis in ms (default: that of the points).
    """
    made = go.Figure()
    times = _times(series.times_ms)
    mode = "lines" if len(series) > 1 and not _has_lone_points(series) else "lines+markers"
    for line, values in zip(setup["lines"], series.values, strict=True):
        axis = _axis(setup["panels"] + 1 if line["right"] else line["panel"] + 1)
        made.add_scatter(x=times, y=values, name=line["name"], mode=mode, xaxis="x", yaxis=f"y{axis}")
    made.update_layout(_layout(setup))
    for start_ms, end_ms, _ in gaps:
        last = series.times_ms[-1] if len(series) else start_ms
        made.add_vrect(**_span(start_ms, last if end_ms is None else end_ms), fillcolor=_SHADE, line_width=0)
    for rule in setup["rules"]:
        _add_rule(made, rule)
    for at_ms, kind, message in marks:
        _add_mark(made, at_ms, kind, message)
    if shown is not None:
        made.update_xaxes(range=[_moment(ms) for ms in shown])
    return made


def _layout(setup: Mapping[str, Any]) -> dict[str, Any]:
    panels = setup["panels"]
    layout: dict[str, Any] = {
        "title": {"text": html.escape(setup["title"], quote=False)},
        "height": setup["height"],
        "hovermode": "x unified",
        "showlegend": len(setup["lines"]) > 1,
        "xaxis": {"type": "date", "anchor": "y" if panels == 1 else f"y{panels}", "title": {"text": "UTC"}},
    }
    room = _GAP_PX / setup["height"] if panels > 1 else 0.0
    share = (1 - room * (panels - 1)) / panels
    for panel in range(panels):
        line = next(line for line in setup["lines"] if line["panel"] == panel)
        bottom = 1 - (panel + 1) * share - panel * room
        layout[f"yaxis{_axis(panel + 1)}"] = {
            "domain": [max(0.0, bottom), min(1.0, bottom + share)],
            "title": {"text": line["unit"] or line["name"]},
            "type": "log" if setup["log"] else "linear",
        }
    if setup["y_range"] is not None:
        ends = setup["y_range"]
        layout["yaxis"]["range"] = [math.log10(end) for end in ends] if setup["log"] else list(ends)
    right = next((line for line in setup["lines"] if line["right"]), None)
    if right is not None:
        layout[f"yaxis{panels + 1}"] = {
            "overlaying": "y",
            "side": "right",
            "showgrid": False,
            "title": {"text": right["unit"] or right["name"]},
            "type": "log" if setup["log"] else "linear",
        }
    return layout


def _add_rule(made: go.Figure, rule: Mapping[str, Any]) -> None:
    made.add_shape(
        type="line",
        xref="paper",
        x0=0,
        x1=1,
        yref="y",
        y0=rule["value"],
        y1=rule["value"],
        line={"dash": "dash" if rule["kind"] == "threshold" else "dot", "width": 1, "color": _INK},
        label={"text": rule["label"], "textposition": "end"},
    )


def _add_mark(made: go.Figure, at_ms: float, kind: str, message: str) -> None:
    at = _moment(at_ms)
    line = {"dash": "dot", "width": 1, "color": _INK}
    made.add_shape(type="line", yref="paper", y0=0, y1=1, xref="x", x0=at, x1=at, line=line)
    words = f"{html.escape(kind, quote=False)}<br>{html.escape(message, quote=False)}"
    made.add_annotation(x=at, y=1, yref="paper", text="▾", showarrow=False, hovertext=words)


def _has_lone_points(series: Series) -> bool:
    """Whether some value has no neighbour to draw a line to."""
    missing = np.isnan(series.values)
    edge = np.ones((len(series.values), 1), dtype=bool)
    before, after = np.hstack([edge, missing[:, :-1]]), np.hstack([missing[:, 1:], edge])
    return bool((~missing & before & after).any())


def _axis(number: int) -> str:
    """What stands behind "yaxis"."""
    return "" if number == 1 else str(number)


def _times(ms: Any) -> Any:
    return (np.asarray(ms) * 1e6).astype("int64").astype("datetime64[ns]")


def _span(start_ms: float, end_ms: float) -> dict[str, Any]:
    return {"x0": _moment(start_ms), "x1": _moment(end_ms)}


def _moment(ms: float) -> str:
    """As text: plotly takes a single time in nanoseconds for a number, and draws it nowhere."""
    return str(_times(ms).astype("datetime64[us]"))
