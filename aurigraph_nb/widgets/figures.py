"""A chart's content as a static plotly figure: for export, slides and papers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from .series import Series

_GAP_PX = 24
_SHADE = "rgba(128, 128, 128, 0.18)"


def figure(series: Series, setup: Mapping[str, Any], gaps: Sequence[Sequence[Any]]) -> go.Figure:
    """The lines of ``series`` in panels by unit, UTC time axis, gaps shaded; ``setup`` is the chart's description."""
    made = go.Figure()
    times = (series.times_ms * 1e6).astype("int64").astype("datetime64[ns]")
    for line, values in zip(setup["lines"], series.values, strict=True):
        suffix = "" if line["panel"] == 0 else str(line["panel"] + 1)
        made.add_scatter(x=times, y=values, name=line["name"], mode="lines", xaxis="x", yaxis=f"y{suffix}")
    made.update_layout(_layout(setup))
    for start_ms, end_ms, _ in gaps:
        last = series.times_ms[-1] if len(series) else start_ms
        made.add_vrect(**_span(start_ms, last if end_ms is None else end_ms), fillcolor=_SHADE, line_width=0)
    return made


def _layout(setup: Mapping[str, Any]) -> dict[str, Any]:
    panels = setup["panels"]
    layout: dict[str, Any] = {
        "title": {"text": setup["title"]},
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
        title = line["unit"] or line["name"]
        layout[f"yaxis{'' if panel == 0 else panel + 1}"] = {
            "domain": [max(0.0, bottom), min(1.0, bottom + share)],
            "title": {"text": title},
        }
    return layout


def _span(start_ms: float, end_ms: float) -> dict[str, Any]:
    ends = np.array([start_ms, end_ms]) * 1e6
    start, end = ends.astype("int64").astype("datetime64[ns]")
    return {"x0": start, "x1": end}
