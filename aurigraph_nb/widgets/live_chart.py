"""Live charts: plotly.js in the browser, fed with binary appends.

The browser asks the kernel once a page for plotly.js (from the installed ``plotly`` package), every chart shares it.
A message carries the new points only, as float64; a new view gets one snapshot of what the window shows. A window may
hold a million rows: its outline is worked out here, so that the browser never has more than 4,000 points of a line. A
zoom asks for the outline of its range, which is as fine again.

Lines break where rows are missing, gaps that the feed knows are shaded, and while nothing comes that is due the time
axis goes on and the silence is shaded. Lines with different units get panels of their own, or a second axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import traitlets

from aurigraph_nb import durations, frames
from aurigraph_nb.errors import BadOption

from .annotations import Marks, checked_types
from .assets import script, style
from .base import LiveWidget, Message, refuse_unknown
from .chart_links import TimeLink, link_time
from .chart_plan import FINE_POINTS, Plan, checked_hysteresis, plan, title_of
from .flow import DEFAULT_RATE_HZ
from .freshness import FRESH, Freshness
from .horizon import Horizon
from .rolling import Rolling
from .runs import is_recording
from .series import Series, from_table, thin
from .sources import Source, of_topic
from .thresholds import Crossing, Threshold, watcher
from .windows import Window, rows_between

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

DELTA_POINTS = 400
"""Most points of one message; more are thinned to their outline."""
FIGURE_POINTS = 20_000
"""Most points of a line of an exported figure."""
DELTA_BYTES_PER_S, RESET_BYTES_PER_S = 12_000, 5_000
"""What points may cost over time, however fast the feed is: those that are new, and those of the whole window anew."""
MAX_RANGES = 8
"""Views whose zooms can wait for an answer at the same time."""
BEAT_S = 1.0
"""How often the time axis goes on while nothing comes, in seconds."""
BEATS_PER_WINDOW = 600


class LiveChart(LiveWidget):
    """Columns of a topic over time, drawn as they come.

    ``y``: one column or several (default: the first numeric one); ``y2``: columns of a second axis, at the right;
    ``last``: how much time the chart shows, e.g. ``"10min"``, or instead ``points``: how many of the newest rows
    (default 3,000; either way up to a million rows). Of a recording it shows the whole span unless one of them says
    otherwise, and then the last of it. ``log=True``: a logarithmic axis, on which values of 0 and below
    are not drawn; ``y_range=(low, high)``: fixed ends of the first axis, which otherwise fits itself to the data.

    ``threshold``: a line over the first column; ``on_cross``: called with a :class:`~.thresholds.Crossing` whenever
    that column's value crosses it, for every row, whatever is shown, on the callback thread, as
    ``topic.on_record`` does. With ``hysteresis`` (in the unit of the column, default 0) the value has to exceed
    ``threshold + hysteresis``, or to fall short of ``threshold - hysteresis``; between the two nothing is told.

    ``annotations``: a topic with events (``feed.consensus``), which are marked; ``events``: their types, e.g.
    ``"LEADER_CHANGE"`` (default: all). ``height`` in pixels; ``rate_hz``: most updates a second.

    The time axis is server time (receive time where it is missing), UTC. A zoom in the browser holds the range until
    the button "Follow" or a double click. More rows than the screen can show are thinned to their outline, in which the
    highest and the lowest values are exact; :attr:`flow` counts them as merged.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7)
    >>> ag.LiveChart(feed.metrics, y=["tps", "cpu_percent"], last="10min")
    LiveChart(metrics)

    Raises:
        BadOption: an unknown or non-numeric column, both ``last`` and ``points``, or a bound exceeded.
        BadOptionType: ``topic`` is no topic, or there is no such option.
        FeedClosed: ``on_cross`` was given for a closed feed.
    """

    _esm = script("chart")
    _css = style("chart")
    _group = traitlets.Unicode("").tag(sync=True)  # of charts with one time axis

    def __init__(
        self,
        topic: object,
        *,
        y: str | Sequence[str] | None = None,
        y2: str | Sequence[str] | None = None,
        last: durations.Duration | None = None,
        points: int | None = None,
        log: bool = False,
        y_range: tuple[float, float] | None = None,
        threshold: float | None = None,
        hysteresis: float = 0.0,
        on_cross: Callable[[Crossing], object] | None = None,
        annotations: object = None,
        events: str | Sequence[str] | None = None,
        height: int = 280,
        title: str | None = None,
        rate_hz: float = DEFAULT_RATE_HZ,
        **unknown: object,
    ) -> None:
        refuse_unknown(type(self), unknown)
        source = of_topic(type(self).__name__, topic)
        made = plan(
            source.topic.record_type,
            y=y,
            y2=y2,
            last=last,
            points=points,
            log=log,
            y_range=y_range,
            threshold=threshold,
            height=height,
            title=title_of(source.topic, y, y2) if title is None else title,
            whole=is_recording(source.feed),
        )
        band = checked_hysteresis(hysteresis, threshold=threshold, on_cross=on_cross)
        marks = None
        if annotations is not None:
            marks = Marks(annotations, checked_types(events))
        elif events is not None:
            raise BadOption(f"events={events!r} without annotations: say whose events, such as feed.consensus")
        self._build(source, made, marks=marks, rate_hz=rate_hz)
        self._watch(threshold, band, on_cross)

    def _build(
        self,
        source: Source,
        made: Plan,
        *,
        rate_hz: float,
        marks: Marks | None = None,
        when_offline: str | None = None,
        stats: bool = False,
    ) -> None:
        self._plan = made
        self._horizon = Horizon(source)
        end_ms = (
            self._horizon.now_ms if is_recording(source.feed) else None
        )  # the last of a recording ends where it ends
        self._window = Window(made.columns, last_s=made.last_s, points=made.points, end_ms=end_ms)
        self._marks = marks
        self._rolling: Rolling | None = None
        if stats:
            self._rolling = Rolling(last_s=made.last_s, points=None if made.last_s is not None else made.points)
        self._time_link: TimeLink | None = None
        self._subscription: Any = None
        self._next_row = 0
        self._in_browser = 0
        self._reset_at = -math.inf  # earliest time at which the window is sent anew, unasked
        self._newest_ms: float | None = None  # of what was sent
        self._gaps_version: object = None
        self._fresh_sent: Freshness = FRESH
        self._edge_sent, self._beat_at = -math.inf, -math.inf
        self._wanted: dict[str, tuple[float, float]] = {}  # ranges that views wait for
        self._range: tuple[float, float] | None = None  # that was looked at last
        if marks is not None:
            source = msgspec.structs.replace(source, others=(*source.others, marks.topic))
        setup = made.describe() | {"stats": stats}
        super().__init__(source, setup=setup, rate_hz=rate_hz, when_offline=when_offline)

    def _watch(self, threshold: float | None, hysteresis: float, on_cross: Callable[[Crossing], object] | None) -> None:
        if threshold is None or on_cross is None:
            return
        line = Threshold(threshold, hysteresis=hysteresis)
        try:
            self._subscription = self._source.topic.on_record(watcher(self.y[0], line, on_cross))
        except BaseException:
            self.close()
            raise

    # ---- for users

    @property
    def y(self) -> tuple[str, ...]:
        """The columns that are drawn; those of the second axis are the last."""
        return self._plan.columns

    @property
    def time_link(self) -> TimeLink | None:
        """What links this chart's time axis to others, or None."""
        return self._time_link

    def link(self, *others: LiveChart) -> TimeLink:
        """Share this chart's time axis with other charts: see :func:`.chart_links.link_time`."""
        return link_time(self, *others)

    def figure(self) -> go.Figure:
        """What the chart shows of the feed's own data, as a static plotly figure (it does not follow the feed).

        The range is the one that a reader zoomed to, if there is any; up to 20,000 points a line.
        """
        from .figures import figure  # plotly.graph_objects is slow to import

        topic = self._source.topic
        if self._range is None:
            series, _ = self._window.read(topic.store)
        else:
            rows = rows_between(topic.store, self._window.columns, *self._range, neighbours=True)
            series = from_table(rows, self.y)
        marks = [] if self._marks is None else self._marks.kept
        described = self._plan.describe()
        return figure(thin(series, FIGURE_POINTS), described, self._horizon.gap_rows(), marks=marks, shown=self._range)

    def to_pandas(self) -> pd.DataFrame:
        """The rows that the chart shows, all of them and as they came, in arrival order.

        The range is the one that a reader zoomed to, if there is any. Index ``timestamp``: server time, UTC (receive
        time where it is missing, then ``timestamp_is_recv``). Columns: those that are drawn, and ``gap_before``, True
        for a row before which the line breaks. Made-up data are not part of it.
        """
        store = self._source.topic.store
        if self._range is None:
            table = self._window.table(store)
        else:
            table = rows_between(store, self._window.columns, *self._range)
        frame = frames.to_pandas(table.select(list(dict.fromkeys(["timestamp", "recv_ns", *self.y, "gap_before"]))))
        return frame[[*self.y, "gap_before", "timestamp_is_recv"]]

    def close(self) -> None:
        """Remove the widget from the page and end its callback; the feed goes on. Closing twice is harmless."""
        subscription = getattr(self, "_subscription", None)
        if subscription is not None:
            subscription.close()
        super().close()

    def join_time(self, link: TimeLink | None, group: str) -> None:
        """Belong to ``link`` from now on; called by links."""
        self._time_link = link
        self._group = group

    # ---- messages

    def _news(self, now: float) -> bool:
        if self._topic.store.count != self._next_row or self._gaps_changed() or self._wanted:
            return True
        return (self._marks is not None and self._marks.news) or self._clock_due(now)

    def _snapshot(self, now: float) -> Message:
        whole, self._next_row = self._window.read(self._topic.store)
        self._took(whole, whole=True)
        series = thin(whole, self._plan.snapshot_points)
        self._in_browser = len(series)
        self._reset_at = now + len(series) * self._point_bytes / RESET_BYTES_PER_S
        body: dict[str, Any] = {"count": len(series), "gaps": self._take_gaps()}
        if self._marks is not None:
            body["marks"] = self._marks.all()
        return self._message(body, series, now, whole=True)

    def _delta(self, now: float) -> Message:
        fresh = self._topic.store.since(self._next_row, self._window.columns)
        rows = from_table(fresh.table, self.y)
        budget = self._budget(rows)
        full = self._in_browser + min(len(rows), budget) > self._plan.held_points and now >= self._reset_at
        if fresh.missed or full:  # a browser that has too many meanwhile lets the oldest go
            whole = self._snapshot(now)
            whole.body["reset"] = True
            return whole._replace(dropped=fresh.missed)
        self._took(rows, whole=False)
        series = thin(rows, budget)
        self._next_row = fresh.next
        self._in_browser += len(series)
        body: dict[str, Any] = {"count": len(series)}
        if self._gaps_changed():
            body["gaps"] = self._take_gaps()
        if self._marks is not None and (marks := self._marks.fresh()):
            body["marks"] = marks
        return self._message(body, series, now, whole=False)

    def _message(self, body: dict[str, Any], series: Series, now: float, *, whole: bool) -> Message:
        """``body`` and what else there is to tell: how the source stands, figures, answers to zooms."""
        fresh = self._freshness()
        if whole or fresh.stale or fresh != self._fresh_sent:
            body["clock"] = self._take_clock(fresh, now)
        if self._rolling is not None and (whole or len(series)):
            body["stats"] = [self._rolling.mean, self._rolling.peak, self._rolling.peak_ms]
        buffers = [series.pack()]
        if self._wanted:
            body["fine"], answers = self._answers()
            buffers += answers
        return Message(body, buffers, merged=series.thinned, paced=False)

    def _budget(self, rows: Series) -> int:
        """How many points of a message are worth sending: as many as the window and the line have room for, any few."""
        share = self._window.share(rows, self._newest_ms, self._plan.snapshot_points)
        paid = int(DELTA_BYTES_PER_S / self._rate_hz / self._point_bytes)
        return min(DELTA_POINTS, max(min(share, paid), 2 * len(self.y) + 2))

    @property
    def _point_bytes(self) -> int:
        """Bytes of a time and a value of each line."""
        return 8 * (1 + len(self.y))

    def _took(self, rows: Series, *, whole: bool) -> None:
        """These rows go to the browser, on their own or as all there is."""
        if whole:
            self._newest_ms = None
        if len(rows):
            self._newest_ms = float(rows.times_ms[-1])
        if self._rolling is not None:
            if whole:
                self._rolling.restart()
            self._rolling.add(rows.times_ms, rows.values[0])

    # ---- zooms (notes are taken on any thread)

    def _receive(self, widget: object, content: object, buffers: object) -> None:
        if isinstance(content, dict) and content.get("kind") == "range":
            self._note_range(content.get("view"), content.get("start"), content.get("end"))
            self._painter.wake(self)
            return
        super()._receive(widget, content, buffers)

    def _note_range(self, view: object, start: object, end: object) -> None:
        """A view looks at a range, or with None for its ends follows the feed again."""
        if not isinstance(view, str) or len(view) > 64:
            return
        with self._guard:
            self._wanted.pop(view, None)
            if start is None and end is None:
                self._range = None
            elif _is_time(start) and _is_time(end) and start < end:  # type: ignore[operator]
                self._range = self._wanted[view] = (float(start), float(end))  # type: ignore[arg-type]
                while len(self._wanted) > MAX_RANGES:
                    del self._wanted[next(iter(self._wanted))]

    def _answers(self) -> tuple[list[dict[str, Any]], list[bytes]]:
        """The outlines of the ranges that views wait for."""
        with self._guard:
            wanted, self._wanted = self._wanted, {}
        told: list[dict[str, Any]] = []
        buffers: list[bytes] = []
        for view, (start_ms, end_ms) in wanted.items():
            rows = rows_between(self._topic.store, self._window.columns, start_ms, end_ms, neighbours=True)
            series = thin(from_table(rows, self.y), FINE_POINTS)
            told.append({"view": view, "start": start_ms, "end": end_ms, "count": len(series)})
            buffers.append(series.pack())
        return told, buffers

    # ---- whether it is the present

    def _freshness(self) -> Freshness:
        return FRESH if self._understudy.acting else self._horizon.freshness(self._status)

    def _clock_due(self, now: float) -> bool:
        fresh = self._freshness()
        if fresh != self._fresh_sent:
            return True
        if not fresh.stale or now - self._beat_at < BEAT_S:
            return False
        step_ms = 0.0 if self._plan.last_s is None else self._plan.last_s * 1e3 / BEATS_PER_WINDOW
        return self._horizon.now_ms() > self._edge_sent + step_ms

    def _take_clock(self, fresh: Freshness, now: float) -> list[Any] | None:
        """How the source stands, for the front end: now, since when and why nothing comes, whether it is over."""
        self._fresh_sent, self._beat_at = fresh, now
        if fresh == FRESH:
            return None
        self._edge_sent = self._horizon.now_ms()
        return [round(self._edge_sent, 3), fresh.since_ms, fresh.why, fresh.ended]

    def _gaps_changed(self) -> bool:
        return not self._understudy.acting and self._horizon.gaps_version != self._gaps_version

    def _take_gaps(self) -> list[list[Any]]:
        if self._understudy.acting:
            return []
        self._gaps_version = self._horizon.gaps_version
        return self._horizon.gap_rows()


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
