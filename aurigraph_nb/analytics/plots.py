"""How tables become figures: one small description of a chart, one function that draws it.

The figures carry no ground colour of their own, so they stand in light and dark pages alike, and tell lines apart by
colours that colour-blind readers can tell apart too (Okabe and Ito, 2008, Color Universal Design) and by their dashes.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    import plotly.graph_objects as go

Kind = Literal["line", "step", "bar", "dots", "heatmap"]

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
INK = "#777777"
"""Text and grid: a grey with 4:1 contrast or nearly that against white and against black."""
SHADE = "rgba(128, 128, 128, 0.18)"
FEW = 120
"""Points up to which each is marked on its line."""
MOST_GROUPS = 12
"""Lines drawn of one table; a figure with more tells nothing."""


@dataclass(frozen=True)
class Chart:
    """What :func:`draw` has to know of a table.

    ``y`` names the columns drawn; with ``by`` each value of that column is a line of its own. ``low`` and ``high`` are
    a band around the only ``y``. A heatmap takes ``x``, ``by`` (its rows) and the first ``y``. ``holes`` are the gaps
    (start, end), ns since 1970 UTC; ``marks`` are places on x that matter, ``level`` one on y.
    """

    kind: Kind = "bar"
    x: str = ""
    y: tuple[str, ...] = ()
    x_title: str = ""
    y_title: str = ""
    by: str = ""
    low: str = ""
    high: str = ""
    log_x: bool = False
    log_y: bool = False
    holes: tuple[tuple[int, int], ...] = ()
    marks: tuple[Any, ...] = ()
    level: float | None = None


def draw(table: pd.DataFrame, chart: Chart, *, title: str, empty: str = "") -> go.Figure:
    """The figure of a table; an empty table gives an empty figure that says ``empty``."""
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.update_layout(_layout(chart, title))
    if table.empty or not chart.y:
        figure.add_annotation(text=_plain(empty), showarrow=False, xref="paper", yref="paper", x=0.5, y=0.5)
        return figure
    if chart.kind == "heatmap":
        _add_heatmap(figure, table, chart)
        return figure
    for place, (name, part, y) in enumerate(_lines(table, chart)):
        _add_line(figure, part, chart, y, name, place)
    figure.update_layout(showlegend=len(figure.data) > 1)
    for start, end in chart.holes:
        figure.add_vrect(x0=moment(start), x1=moment(end), fillcolor=SHADE, line_width=0, layer="below")
    for mark in chart.marks:
        figure.add_vline(
            x=moment(mark.value) if isinstance(mark, pd.Timestamp) else mark,
            line={"color": INK, "dash": "dash", "width": 1},
        )
    if chart.level is not None:
        figure.add_hline(y=chart.level, line={"color": INK, "dash": "dash", "width": 1})
    return figure


def moment(ns: int) -> str:
    """A time as text: as a number of nanoseconds, plotly would take it for milliseconds."""
    return str(np.datetime64(ns, "ns").astype("datetime64[us]"))


def _lines(table: pd.DataFrame, chart: Chart) -> Iterator[tuple[str, pd.DataFrame, str]]:
    if not chart.by:
        yield from ((y, table, y) for y in chart.y)
        return
    groups = table.groupby(chart.by, sort=False, observed=True, dropna=False)
    for place, (name, part) in enumerate(groups):
        if place == MOST_GROUPS:
            return
        yield str(name), part, chart.y[0]


def _add_line(figure: go.Figure, part: pd.DataFrame, chart: Chart, y: str, name: str, place: int) -> None:
    colour = PALETTE[place % len(PALETTE)]
    x, values, shown = _axis(part, chart.x), _floats(part[y]), _plain(name)
    if chart.kind == "bar":
        figure.add_bar(x=x, y=values, name=shown, marker_color=colour, error_y=_whiskers(part, chart, values))
        return
    if chart.kind == "dots":
        bars = _whiskers(part, chart, values)
        figure.add_scatter(x=x, y=values, name=shown, mode="markers", marker={"color": colour}, error_y=bars)
        return
    shape = "hv" if chart.kind == "step" else "linear"
    line = {"color": colour, "shape": shape, "dash": DASHES[place % len(DASHES)]}
    mode = "lines+markers" if len(part) <= FEW else "lines"  # a value between two that are missing has no line
    if chart.low and chart.high:
        _add_band(figure, part, chart, x, colour, shape)
    figure.add_scatter(x=x, y=values, name=shown, mode=mode, line=line, connectgaps=False)


def _add_band(figure: go.Figure, part: pd.DataFrame, chart: Chart, x: Any, colour: str, shape: str) -> None:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    edge = {"mode": "lines", "showlegend": False, "hoverinfo": "skip", "line": {"width": 0, "shape": shape}}
    figure.add_scatter(x=x, y=_floats(part[chart.low]), **edge)
    fill = {"fill": "tonexty", "fillcolor": f"rgba({red}, {green}, {blue}, 0.18)"}
    figure.add_scatter(x=x, y=_floats(part[chart.high]), **edge, **fill)


def _add_heatmap(figure: go.Figure, table: pd.DataFrame, chart: Chart) -> None:
    wide = table.pivot_table(index=chart.by, columns=chart.x, values=chart.y[0], sort=False, observed=True)
    x, y = [_plain(str(v)) for v in wide.columns], [_plain(str(v)) for v in wide.index]
    bar = {"title": {"text": chart.y_title}}
    figure.add_heatmap(x=x, y=y, z=wide.to_numpy(float), colorscale="Cividis", colorbar=bar)
    figure.update_layout(yaxis={"title": {"text": chart.by.replace("_", " ")}})


def _whiskers(part: pd.DataFrame, chart: Chart, values: npt.NDArray[np.float64]) -> dict[str, Any] | None:
    if not (chart.low and chart.high):
        return None
    up, down = _floats(part[chart.high]) - values, values - _floats(part[chart.low])
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "color": INK}


def _axis(part: pd.DataFrame, column: str) -> Any:
    values: pd.Series[Any] = part[column] if column else pd.Series(range(len(part)))
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return values.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    if pd.api.types.is_numeric_dtype(values.dtype) and not isinstance(values.dtype, pd.CategoricalDtype):
        return _floats(values)
    return [_plain(str(v)) for v in values]


def _floats(values: pd.Series[Any]) -> npt.NDArray[np.float64]:
    return np.asarray(pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan))


def _plain(text: Hashable) -> str:
    """Text as plotly shall show it: its labels read a little HTML, so ``<`` and ``&`` stand for themselves."""
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _layout(chart: Chart, title: str) -> dict[str, Any]:
    axis = {"gridcolor": SHADE, "zerolinecolor": SHADE, "linecolor": INK}
    kinds = [{"type": "log"} if log else {} for log in (chart.log_x, chart.log_y)]
    return {
        "template": "none",
        "title": {"text": _plain(title)},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": INK},
        "height": 380,
        "xaxis": {**axis, **kinds[0], "title": {"text": _plain(chart.x_title)}},
        "yaxis": {**axis, **kinds[1], "title": {"text": _plain(chart.y_title)}},
    }
