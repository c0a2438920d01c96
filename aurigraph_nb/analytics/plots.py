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
SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "x")
MOST_NUMBERS = 100
"""Cells of a heatmap up to which each says its number."""
LONGEST = 18
"""Letters of a name on an axis; of longer ones, such as addresses, the two ends are shown."""
MOST_GROUPS = 12
"""Lines told apart in one figure: of more the largest ones are drawn, and dots are drawn in one colour."""


@dataclass(frozen=True)
class Chart:
    """What :func:`draw` has to know of a table.

    ``y`` names the columns drawn; with ``by`` each value of that column is a line of its own. ``low`` and ``high`` are
    a band around the only ``y``. A heatmap takes ``x``, ``by`` (its rows) and the first ``y``. ``holes`` are the gaps
    (start, end), ns since 1970 UTC; ``marks`` are places on x that matter, ``level`` one on y. ``allowed`` is the range
    on y that chance allows, ``noise`` a column that says so on both sides of 0. ``leave`` are values of x that are not
    drawn, being of another unit; ``missing`` is what x is called where it is missing.
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
    allowed: tuple[float, float] | None = None
    noise: str = ""
    leave: tuple[str, ...] = ()
    missing: str = "not told"


def draw(table: pd.DataFrame, chart: Chart, *, title: str, empty: str = "") -> go.Figure:
    """The figure of a table; one in which nothing is known says ``empty``."""
    with np.errstate(over="ignore", invalid="ignore"):  # distances of huge numbers are infinite, and not drawn
        return _drawn(table, chart, title, empty)


def _drawn(table: pd.DataFrame, chart: Chart, title: str, empty: str) -> go.Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    table = table[~table[chart.x].isin(chart.leave)] if chart.leave else table
    figure.update_layout(_layout(table, chart, title))
    if not chart.y or not any(np.isfinite(_floats(table[y])).any() for y in chart.y):
        figure.add_annotation(
            text=plain(empty).replace("; ", "<br>"), showarrow=False, xref="paper", yref="paper", x=0.5, y=0.5
        )
        figure.update_layout(xaxis={"showticklabels": False}, yaxis={"showticklabels": False})
        return figure
    if chart.kind == "heatmap":
        _add_heatmap(figure, table, chart)
        return figure
    lines = list(_lines(table, chart))
    for place, (name, part, y) in enumerate(lines):
        _add_line(figure, part, chart, y, name, place)
    figure.update_layout(showlegend=len(lines) > 1)
    _add_references(figure, table, chart)
    return figure


def _add_references(figure: go.Figure, table: pd.DataFrame, chart: Chart) -> None:
    for start, end in chart.holes:
        figure.add_vrect(x0=moment(start), x1=moment(end), fillcolor=SHADE, line_width=0, layer="below")
    for mark in chart.marks:
        figure.add_vline(
            x=moment(mark.value) if isinstance(mark, pd.Timestamp) else mark,
            line={"color": INK, "dash": "dash", "width": 1},
        )
    if chart.level is not None:
        figure.add_hline(y=chart.level, line={"color": INK, "dash": "dash", "width": 1})
    if chart.allowed is not None and np.isfinite(chart.allowed).all():
        low, high = chart.allowed
        figure.add_hrect(y0=low, y1=high, fillcolor=SHADE, line_width=0, layer="below")
        ends = np.append(_floats(table[chart.y[0]]), [low, high])
        least, most = np.nanmin(ends), np.nanmax(ends)
        figure.update_yaxes(range=[least - 0.2 * (most - least), most + 0.2 * (most - least)])
    for sign in (1, -1) if chart.noise else ():
        line = {"color": INK, "dash": "dot", "width": 1}
        x, y = _axis(table, chart), sign * _floats(table[chart.noise])
        figure.add_scatter(x=x, y=y, mode="lines", line=line, showlegend=False, hoverinfo="skip")


def moment(ns: int) -> str:
    """A time as text: as a number of nanoseconds, plotly would take it for milliseconds."""
    return str(np.datetime64(ns, "ns").astype("datetime64[us]"))


def _lines(table: pd.DataFrame, chart: Chart) -> Iterator[tuple[str, pd.DataFrame, str]]:
    if not chart.by:
        yield from ((_words(y), table, y) for y in chart.y)
        return
    y = chart.y[0]
    groups = dict(list(table.groupby(chart.by, sort=False, observed=True, dropna=False)))
    if len(groups) > MOST_GROUPS and chart.kind == "dots":
        yield _words(y), table, y
        return
    sizes = {name: float(np.nansum(np.abs(_floats(part[y])))) for name, part in groups.items()}
    largest = set(sorted(groups, key=lambda name: -sizes[name])[:MOST_GROUPS])
    for name, part in groups.items():
        if name in largest:
            told = f"{_words(chart.by)}: {'yes' if name else 'no'}" if isinstance(name, bool | np.bool_) else str(name)
            yield chart.missing if name != name else told, part, y


def _words(column: str) -> str:
    """The name of a column as people write it, its unit in brackets."""
    for unit in ("ms", "s"):
        if column.endswith(f"_{unit}") and not column.endswith(f"_per_{unit}"):
            return f"{column.removesuffix(f'_{unit}').replace('_', ' ')} ({unit})"
    return column.replace("_", " ")


def _add_line(figure: go.Figure, part: pd.DataFrame, chart: Chart, y: str, name: str, place: int) -> None:
    colour = PALETTE[place % len(PALETTE)]
    x, values, shown = _axis(part, chart), _floats(part[y]), plain(name)
    if chart.kind == "bar":
        width = 0.3 if len(part) == 1 and isinstance(x, list) and not chart.by and len(chart.y) == 1 else None
        bars = _whiskers(part, chart, values)
        figure.add_bar(x=x, y=values, name=shown, marker_color=colour, width=width, error_y=bars)
        return
    turn = place + place // len(PALETTE)  # the seventh has the first one's colour, and another look
    if chart.kind == "dots":
        marker = {"color": colour, "symbol": SYMBOLS[turn % len(SYMBOLS)]}
        what = [plain(str(v)) for v in part[chart.by]] if chart.by else None
        bars = _whiskers(part, chart, values)
        figure.add_scatter(x=x, y=values, name=shown, mode="markers", marker=marker, error_y=bars, hovertext=what)
        return
    shape = "hv" if chart.kind == "step" else "linear"
    line = {"color": colour, "shape": shape, "dash": DASHES[turn % len(DASHES)]}
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
    wide = table.pivot_table(index=chart.by, columns=chart.x, values=chart.y[0], observed=True)
    x, y = [plain(str(v)) for v in wide.columns], [plain(str(v)) for v in wide.index]
    z = wide.to_numpy(float)
    figure.add_heatmap(x=x, y=y, z=z, colorscale="Cividis", colorbar={"title": {"text": plain(chart.y_title)}})
    low, high = np.nanmin(z), np.nanmax(z)
    for i, j in zip(*np.nonzero(np.isfinite(z)), strict=True) if z.size <= MOST_NUMBERS else ():
        ink = "white" if z[i, j] < (low + high) / 2 else "black"
        figure.add_annotation(x=x[j], y=y[i], text=f"{z[i, j]:.3g}", showarrow=False, font={"color": ink})
    axis = {"type": "category", "automargin": True, "title": {"text": _words(chart.by), "standoff": 12}}
    figure.update_layout(xaxis={"type": "category"}, yaxis=axis)


def _whiskers(part: pd.DataFrame, chart: Chart, values: npt.NDArray[np.float64]) -> dict[str, Any] | None:
    if not (chart.low and chart.high):
        return None
    up, down = _floats(part[chart.high]) - values, values - _floats(part[chart.low])
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "color": INK}


def _axis(part: pd.DataFrame, chart: Chart) -> Any:
    values: pd.Series[Any] = part[chart.x] if chart.x else pd.Series(range(len(part)))
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return values.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    if _is_number(values):
        return _floats(values)
    return [plain(chart.missing if v is None or v != v else str(v)) for v in values]


def _short(name: str) -> str:
    return name if len(name) <= LONGEST or "&" in name else f"{name[: LONGEST - 6]}…{name[-5:]}"


def _is_number(values: pd.Series[Any]) -> bool:
    return pd.api.types.is_numeric_dtype(values.dtype) and not isinstance(values.dtype, pd.CategoricalDtype)


def _scale(table: pd.DataFrame, chart: Chart) -> dict[str, Any]:
    """What kind of axis x is: texts are never numbers or times, though they may look like them."""
    if not chart.x or chart.x not in table.columns or isinstance(table[chart.x].dtype, pd.DatetimeTZDtype):
        return {}
    values = table[chart.x]
    if not _is_number(values):
        names = list(dict.fromkeys(_axis(table, chart)))
        found: dict[str, Any] = {"type": "category", "categoryorder": "array", "categoryarray": names}
        if any(len(name) > LONGEST for name in names):
            found |= {"tickvals": names, "ticktext": [_short(name) for name in names]}
        return found
    if chart.log_x:
        return {"type": "log"}
    known = _floats(values)[np.isfinite(_floats(values))]
    if pd.api.types.is_integer_dtype(values.dtype) and len(known) and np.ptp(known) <= 10:
        return {"dtick": 1, "tickformat": "d"}
    return {}


def _floats(values: pd.Series[Any]) -> npt.NDArray[np.float64]:
    return np.asarray(pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan))


def plain(text: Hashable) -> str:
    """Text as plotly shall show it: its labels read a little HTML, so ``<`` and ``&`` stand for themselves."""
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _layout(table: pd.DataFrame, chart: Chart, title: str) -> dict[str, Any]:
    axis = {"gridcolor": SHADE, "zerolinecolor": SHADE, "linecolor": INK, "automargin": True}
    return {
        "template": "none",
        "title": {"text": plain(title)},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": INK},
        "height": 380,
        "margin": {"t": 64},
        "barmode": "stack" if chart.by else "group",
        "scattermode": "group" if chart.by and chart.kind == "dots" and "type" in _scale(table, chart) else "overlay",
        "xaxis": {**axis, **_scale(table, chart), "title": {"text": plain(chart.x_title), "standoff": 12}},
        "yaxis": {**axis, **({"type": "log"} if chart.log_y else {}), "title": {"text": plain(chart.y_title)}},
    }
