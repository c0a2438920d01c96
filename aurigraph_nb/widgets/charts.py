"""Live charts: plotly.js in the browser, fed with binary appends.

The browser asks the kernel once a page for plotly.js (from the installed ``plotly`` package), every chart shares it.
A message carries the new points only, as float64; a new view gets one snapshot of what the window shows. Lines break
where rows are missing, and gaps that the feed knows are shaded. Lines with different units get panels of their own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from aurigraph_nb import durations
from aurigraph_nb.errors import BadOption, BadOptionType
from aurigraph_nb.gaps import Cause
from aurigraph_nb.schema import LOCAL_COLUMNS, Bandwidth, LiveMetrics, Metrics, Record, columns

from .assets import script, style
from .base import LiveWidget, Message, checked_height, refuse_unknown
from .cells import text
from .flow import DEFAULT_RATE_HZ
from .labels import label_of, unit_of
from .series import Series, from_table, needed_columns, newest, thin
from .sources import Source, of_either, of_topic

if TYPE_CHECKING:
    import plotly.graph_objects as go

MAX_POINTS = 20_000
"""Most points that a chart may be asked to keep in the browser."""
DEFAULT_POINTS = 3_000
DELTA_POINTS = 400
"""Points of one message; more are thinned to their outline."""
MAX_LINES = 8
MAX_GAPS = 100
"""Newest gaps that are shaded."""
SHADED = frozenset({Cause.DISCONNECT, Cause.IDLE, Cause.SEQUENCE_HOLE, Cause.SERVER_OVERFLOW})
"""Causes of the gaps that are shaded: nothing came from the server. A frame that was lost here only breaks the line."""
BANDWIDTH_POINTS = 50


def numeric_columns(record: type[Record]) -> list[str]:
    """Columns of a record type that a chart can draw."""
    own = (c for c in columns(record) if c.name not in LOCAL_COLUMNS)
    return [c.name for c in own if pa.types.is_integer(c.arrow) or pa.types.is_floating(c.arrow)]


class LiveChart(LiveWidget):
    """Columns of a topic over time, drawn as they come.

    ``y``: one column or several (default: the first numeric one); ``last``: how much time the chart shows, e.g.
    ``"10min"``, or instead ``points``: how many of the newest rows (default 3,000); ``height`` in pixels; ``rate_hz``:
    most updates a second. The time axis is server time (receive time where it is missing), UTC. More rows than the
    screen can show are thinned to their outline; :attr:`flow` counts them as merged.

    Raises:
        BadOption: an unknown or non-numeric column, both ``last`` and ``points``, or a bound exceeded.
        BadOptionType: ``topic`` is no topic, or there is no such option.
    """

    _esm = script("chart")
    _css = style("chart")

    def __init__(
        self,
        topic: object,
        *,
        y: str | Sequence[str] | None = None,
        last: durations.Duration | None = None,
        points: int | None = None,
        height: int = 280,
        title: str | None = None,
        rate_hz: float = DEFAULT_RATE_HZ,
        **unknown: object,
    ) -> None:
        refuse_unknown(type(self), unknown)
        source = of_topic(type(self).__name__, topic)
        self._build(source, y=y, last=last, points=points, height=height, title=title, rate_hz=rate_hz)

    def _build(
        self,
        source: Source,
        *,
        y: str | Sequence[str] | None,
        last: durations.Duration | None,
        points: int | None,
        height: int,
        title: str | None,
        rate_hz: float,
        when_offline: str | None = None,
    ) -> None:
        self._y = _checked_lines(source.topic.record_type, y)
        self._last_s = _checked_window(last, points)
        self._points = _checked_points(points)
        self._height = checked_height(height)
        self._title = text(source.topic.name if title is None else title)
        self._columns = needed_columns(self._y)
        self._next_row = 0
        self._in_browser = 0
        self._gaps_version: object = None
        super().__init__(source, setup=self._describe(), rate_hz=rate_hz, when_offline=when_offline)

    @property
    def y(self) -> tuple[str, ...]:
        """The columns that are drawn."""
        return self._y

    def figure(self) -> go.Figure:
        """What the chart shows of the feed's own data, as a static plotly figure (it does not follow the feed)."""
        from .figures import figure  # plotly.graph_objects is slow to import

        series, _ = self._window(self._source.topic)
        return figure(series, self._setup, self._gap_rows())

    def _describe(self) -> dict[str, Any]:
        units = list(dict.fromkeys(_unit(name) or name for name in self._y))
        lines = [
            {"name": label_of(name), "unit": _unit(name), "panel": units.index(_unit(name) or name)} for name in self._y
        ]
        return {
            "title": self._title,
            "lines": lines,
            "panels": len(units),
            "height": self._height,
            "show": self._points,
            "points": 2 * self._points,  # a delta may add as many again before a snapshot thins them
            "window_ms": None if self._last_s is None else self._last_s * 1e3,
        }

    # ---- messages

    def _news(self, now: float) -> bool:
        return self._topic.store.count != self._next_row or self._gaps_changed()

    def _snapshot(self, now: float) -> Message:
        series, self._next_row = self._window(self._topic)
        self._in_browser = len(series)
        body = {"count": len(series), "gaps": self._take_gaps()}
        return Message(body, [series.pack()], merged=series.thinned)

    def _delta(self, now: float) -> Message:
        fresh = self._topic.store.since(self._next_row, self._columns)
        if self._in_browser + min(len(fresh.table), DELTA_POINTS) > 2 * self._points or fresh.missed:
            whole = self._snapshot(now)
            whole.body["reset"] = True
            return whole._replace(dropped=fresh.missed)
        series = thin(from_table(fresh.table, self._y), DELTA_POINTS)
        self._next_row = fresh.next
        self._in_browser += len(series)
        body: dict[str, Any] = {"count": len(series)}
        if self._gaps_changed():
            body["gaps"] = self._take_gaps()
        return Message(body, [series.pack()], merged=series.thinned)

    def _window(self, topic: Any) -> tuple[Series, int]:
        """The points of ``topic`` that the chart shows, and the number of the row after them."""
        store = topic.store
        first = 0 if self._last_s is not None else store.count - self._points
        fresh = store.since(max(first, store.first), self._columns)
        series = from_table(fresh.table, self._y)
        if self._last_s is not None and len(series):
            series = newest(series, since_ms=float(series.times_ms[-1]) - self._last_s * 1e3)
        return thin(series, self._points), fresh.next

    # ---- gaps

    def _gaps_changed(self) -> bool:
        gaps = getattr(self._source.feed, "gaps", None)
        acting = self._understudy.acting
        return gaps is not None and not acting and gaps.version != self._gaps_version

    def _take_gaps(self) -> list[list[Any]]:
        if self._understudy.acting:
            return []
        self._gaps_version = getattr(getattr(self._source.feed, "gaps", None), "version", None)
        return self._gap_rows()

    def _gap_rows(self) -> list[list[Any]]:
        """The topic's newest gaps as (start ms, end ms or None while it is open, cause)."""
        gaps = getattr(self._source.feed, "gaps", None)
        rows = () if gaps is None else gaps.rows()
        mine = [g for g in rows if g.topic == self._source.topic.name and g.cause in SHADED][-MAX_GAPS:]
        return [[g.start_ns / 1e6, None if g.end_ns is None else g.end_ns / 1e6, text(str(g.cause))] for g in mine]


class TPSChart(LiveChart):
    """Transactions per second over time, from a feed or its metrics topic.

    ``last``: how much time the chart shows (default 10 minutes); the other options are those of :class:`LiveChart`.

    Raises:
        BadOption, BadOptionType: as :class:`LiveChart`.
    """

    def __init__(
        self,
        feed: object,
        *,
        last: durations.Duration | None = None,
        points: int | None = None,
        height: int = 280,
        title: str | None = "Transactions per second",
        rate_hz: float = DEFAULT_RATE_HZ,
        **unknown: object,
    ) -> None:
        refuse_unknown(type(self), unknown)
        source = of_either(type(self).__name__, feed, "metrics", Metrics, LiveMetrics)
        window = "10min" if last is None and points is None else last
        self._build(source, y="tps", last=window, points=points, height=height, title=title, rate_hz=rate_hz)


class BandwidthChart(LiveChart):
    """Upload and download of the line, and its latency in a panel below, from a feed or its bandwidth topic.

    Shows the newest 50 rows unless ``last`` or ``points`` say otherwise. ``when_offline="simulate"``: made-up data,
    labelled as such, while the feed is disconnected; the other options are those of :class:`LiveChart`.

    Raises:
        BadOption, BadOptionType: as :class:`LiveChart`.
    """

    def __init__(
        self,
        feed: object,
        *,
        last: durations.Duration | None = None,
        points: int | None = None,
        height: int = 300,
        title: str | None = "Bandwidth",
        rate_hz: float = DEFAULT_RATE_HZ,
        when_offline: str | None = None,
        **unknown: object,
    ) -> None:
        refuse_unknown(type(self), unknown)
        source = of_either(type(self).__name__, feed, "bandwidth", Bandwidth)
        rows = BANDWIDTH_POINTS if last is None and points is None else points
        self._build(
            source,
            y=("upload_mbps", "download_mbps", "latency_ms"),
            last=last,
            points=rows,
            height=height,
            title=title,
            rate_hz=rate_hz,
            when_offline=when_offline,
        )


def _unit(column: str) -> str:
    """The unit of a line; requests and tokens a second are not of one scale, though both are "/s"."""
    unit = unit_of(column)
    return f"{label_of(column).lower()}/s" if unit == "/s" else unit


def _checked_lines(record: type[Record], y: str | Sequence[str] | None) -> tuple[str, ...]:
    known = numeric_columns(record)
    if y is None:
        y = known[:1]
    names = (y,) if isinstance(y, str) else tuple(y)
    if not names or len(names) > MAX_LINES:
        raise BadOption(f"y={y!r}: expected one to {MAX_LINES} numeric columns out of {', '.join(known) or 'none'}")
    for name in names:
        if name not in known:
            raise BadOption(f"y={name!r}: {record.__name__} has no such numeric column; it has {', '.join(known)}")
    return tuple(dict.fromkeys(names))


def _checked_window(last: durations.Duration | None, points: int | None) -> float | None:
    if last is None:
        return None
    if points is not None:
        raise BadOption(f"last={last!r} and points={points!r}: give one of them, a span of time or a number of rows")
    window = durations.seconds(last, option="last")
    if not window > 0 or math.isinf(window):
        raise BadOption(f"last={last!r}: expected a span of time above 0")
    return window


def _checked_points(points: int | None) -> int:
    if points is None:
        return DEFAULT_POINTS
    if isinstance(points, bool) or not isinstance(points, int):
        raise BadOptionType(f"points={points!r}: expected a whole number from 10 to {MAX_POINTS}")
    if not 10 <= points <= MAX_POINTS:
        raise BadOption(f"points={points!r}: expected a whole number from 10 to {MAX_POINTS}")
    return points
