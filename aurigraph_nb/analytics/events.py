"""What a series does around events: the average course, with its uncertainty."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurigraph_nb.durations import Duration, Moment, nanoseconds, parse_time
from aurigraph_nb.errors import BadOption, BadOptionType

from .bins import width
from .extras import scipy
from .inputs import Data, Gaps, OnGap, Rows, rows, stamps, without_gaps
from .inputs import share as checked_share
from .numeric import counted, tamed, times
from .plots import Chart
from .resampling import UNITS
from .result import Result, number, reading
from .spells import coded

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MOST_CELLS = 20_000_000
"""Events times bins of one study."""


def leader_changes(
    consensus: Data,
    *,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """When the leader changed: to another one, or to nobody. Give it to :func:`event_study` as ``events``.

    ``value`` is the number of changes. A change that lies in a gap was not seen: the first leader after it is not one.

    A plain count of what rows say. Assumes that the stream tells each change of leader.

    Args:
        consensus: rows of the consensus topic.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row a change, in order of time; index 0, 1, 2, …:

        ``timestamp`` (datetime64[ns, UTC]): of the first row under the new leader.
        ``before`` (str): who led; missing: nobody.
        ``after`` (str): who leads now; missing: nobody.

    Raises:
        BadOption: there is no column ``leader``.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap, and ``on_gap="raise"``.

    >>> frame = pd.DataFrame({"timestamp": pd.to_datetime([0, 1, 2], unit="s", utc=True), "leader": ["a", None, "b"]})
    >>> leader_changes(frame)
    Leader changes: 2; n = 3 rows; coverage 100 %
    """
    got = without_gaps(rows(consensus, "leader", start=start, end=end, gaps=gaps), on_gap).by_time()
    leader, names = coded(got.texts("leader"))
    stretch = got.stretches()
    steps = (leader[1:] != leader[:-1]) & (stretch[1:] == stretch[:-1])
    at = np.flatnonzero(steps) + 1
    who = np.array([*names, None], dtype=object)  # code -1 is nobody
    table = pd.DataFrame(
        {
            "timestamp": stamps(got.time_ns[at]),
            "before": pd.Series(who[leader[at - 1]], dtype="str"),
            "after": pd.Series(who[leader[at]], dtype="str"),
        }
    )
    name = "Leader changes"
    value = len(at) if len(got) else None
    line = reading(name, value, "", len(got), got.coverage, why="no rows")
    chart = Chart("step", "timestamp", ("changes",), "time (UTC)", "leader changes so far", holes=got.shown_holes())
    return _Changes(name, value, "", table, line, (), got.coverage, len(got), chart)


class _Changes(Result):
    """The table has the changes; the figure counts them."""

    def plot(self) -> Any:
        """How many changes there were by each moment."""
        from .plots import draw

        counted_ = self.table.assign(changes=np.arange(1, len(self.table) + 1, dtype=np.int64))
        return draw(counted_, self.chart, title=self.name, empty=self.reading)


def event_times(events: Any) -> Ints:
    """The times of events, ns since 1970 UTC, in order: of times, an index, a frame, a result, or a topic.

    A frame, or the table of a result, gives its column ``start``, or else ``timestamp`` (also as the index).

    Raises:
        BadOption: a frame has neither column, or a time cannot be read.
        BadOptionType: it is none of these.
    """
    if isinstance(events, Result):
        events = events.table
    if isinstance(events, pd.DataFrame) and "start" in events.columns:
        events = events["start"]
    if isinstance(events, pd.Series | pd.Index):
        moments = pd.to_datetime(pd.Index(events), utc=True).as_unit("ns")
        return np.sort(np.asarray(moments.dropna().asi8, dtype=np.int64))
    if isinstance(events, list | tuple | set | np.ndarray):
        return np.array(sorted(parse_time(e, option="events") for e in events), dtype=np.int64)
    if isinstance(events, str | bytes) or not (hasattr(events, "__arrow_c_stream__") or hasattr(events, "columns")):
        kinds = "times, a frame with a column start or timestamp, or a result such as leader_changes(feed.consensus)"
        raise BadOptionType(f"events is a {type(events).__name__}; expected {kinds}")
    return np.sort(rows(events).time_ns)


def windows(
    got: Rows, y: str, moments: Ints, before_ns: int, after_ns: int, every_ns: int
) -> tuple[Floats, Ints, float]:
    """Mean of ``y`` in each bin around each event, the offsets of the bins (ns), and a factor.

    A mean is NaN where no row or a gap lies; the means are to be multiplied by the factor (:func:`~.numeric.tamed`).

    Raises:
        BadOption: a window is no whole number of bins, or there are too many.
    """
    if before_ns % every_ns or after_ns % every_ns or not before_ns or not after_ns:
        raise BadOption("before= and after= have to be whole multiples of every=, and above 0")
    offsets = np.arange(-before_ns, after_ns, every_ns, dtype=np.int64)
    if len(moments) * len(offsets) > MOST_CELLS:
        raise BadOption(f"{len(moments):,} events with {len(offsets):,} bins each are too many; take a longer every=")
    values = got.numbers(y)
    when, (values, factor) = got.time_ns[np.isfinite(values)], tamed(values[np.isfinite(values)])
    begins = moments[:, None] + offsets[None, :]
    first = np.searchsorted(when, begins, side="left")
    stop = np.searchsorted(when, begins + every_ns, side="left")
    count = stop - first
    ends = np.stack(
        [first, stop], axis=-1
    ).ravel()  # each bin is summed by itself: an outlier costs no digits elsewhere
    sums = np.add.reduceat(np.append(values, 0.0), ends)[::2].reshape(first.shape) if first.size else first
    means = np.divide(sums, count, out=np.full(first.shape, np.nan), where=count > 0)
    hidden = got.holes.missing(begins.ravel(), begins.ravel() + every_ns).reshape(begins.shape) > 0
    return np.where((count > 0) & ~hidden, means, np.nan), offsets, factor


def event_study(
    metrics: Data,
    events: Any,
    *,
    y: str = "tps",
    before: Duration = "30s",
    after: Duration = "60s",
    every: Duration = "1s",
    relative: bool = False,
    confidence: float = 0.95,
    simultaneous: bool = False,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """The average course of ``y`` around events, as the deviation from what it was before them, with a band.

    For each event the mean of ``y`` in bins of ``every`` is taken, from ``before`` it to ``after`` it; its mean over
    the time before is that event's baseline, and is taken off. The course is the mean over events at each offset; the
    band is t times s / sqrt(k) on both sides, s being the standard deviation over the k events that have that bin
    (A. C. MacKinlay 1997, Event studies in economics and finance, J. Econ. Lit. 35, 13-39, section 5). ``value`` is the
    mean over the time after the event (of the events' own means).

    Assumptions: events are independent, which those are not whose windows overlap (they are counted in the notes; the
    band is then too narrow); the deviations are roughly normal, or the events many. The band holds for each offset by
    itself: of 100 offsets without any effect 5 lie outside on average. With ``simultaneous=True`` it is widened by
    Bonferroni's inequality, so that all offsets lie inside together with that confidence. With one event there is a
    course but no band.

    Args:
        metrics: rows with a column ``y``.
        events: times; or a frame or result with a column ``start`` or ``timestamp``, such as
            ``leader_changes(feed.consensus)`` or ``incidents(feed.consensus)``; or a topic.
        y: the column that is studied.
        before, after: the window, whole multiples of ``every``.
        every: width of a bin. A bin [begin, end) without a row, or touched by a gap, is NaN.
        relative: deviations in percent of the event's baseline (events with a baseline of 0 or less are left out).
        confidence: of the band.
        simultaneous: whether it holds for all offsets together.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row an offset; index 0, 1, 2, …:

        ``offset_s`` (float64, s): begin of the bin, from the event; negative before it.
        ``mean`` (float64): deviation in the unit of ``y`` (in % with ``relative``); NaN where no event has this bin.
        ``low`` (float64): begin of the band; NaN with fewer than 2 events.
        ``high`` (float64): its end; NaN likewise.
        ``events`` (int64): that have this bin.

    ``coverage`` is the share of the bins of all windows that were seen.

    Raises:
        BadOption: a column is missing, or an option is out of range.
        BadOptionType: ``events`` is nothing that has times.
        Incomplete: there is a gap, and ``on_gap="raise"``.
        MissingExtra: scipy is not installed.

    >>> frame = pd.DataFrame({"timestamp": pd.to_datetime(range(8), unit="s", utc=True), "tps": [9, 9, 5, 9] * 2})
    >>> study = event_study(frame, [2 * 10**9, 6 * 10**9], before=2, after=2)
    >>> study.table["mean"].tolist()
    [0.0, 0.0, -4.0, 0.0]
    >>> study
    tps after events, mean deviation: -2 tx/s (95 % band -2 to -2); n = 2 events; coverage 100 %
    """
    checked_share("confidence", confidence)
    every_ns = width(every)
    spans = nanoseconds(before, option="before"), nanoseconds(after, option="after")
    got = without_gaps(rows(metrics, y, start=start, end=end, gaps=gaps), on_gap).by_time()
    moments = event_times(events)
    means, offsets, factor = windows(got, y, moments, *spans, every_ns)
    deviations, used = _deviations(means, offsets, relative)
    factor = 1.0 if relative else factor
    level = 1 - (1 - confidence) / (len(offsets) if simultaneous else 1)
    table = pd.DataFrame({"offset_s": offsets / 1e9, **_band(deviations, level, factor)})
    late = deviations[:, offsets >= 0]
    own = np.array([np.mean(line[np.isfinite(line)]) for line in late[np.isfinite(late).any(axis=1)]])
    effect = _band(own[:, None], confidence, factor)
    value = float(effect["mean"][0]) if len(own) else None
    unit = "%" if relative else UNITS.get(y, "")
    ends = " to ".join(number(float(effect[side][0])) for side in ("low", "high"))
    band = f"{unit} ({100 * confidence:g} % band {ends})".strip()
    name = f"{y} after events, mean deviation"
    coverage = float(np.isfinite(means).mean()) if means.size else None
    line = reading(name, value, band, used, coverage, of="event", why="no event has rows before and after it")
    notes = _study_notes(moments, used, spans, simultaneous)
    title = f"deviation of {y}" + (f" ({unit})" if unit else "")
    chart = Chart("line", "offset_s", ("mean",), "seconds from the event", title, low="low", high="high", marks=(0,))
    return Result(name, value, unit, table, line, notes, coverage, used, chart)


def _deviations(means: Floats, offsets: Ints, relative: bool) -> tuple[Floats, int]:
    """The windows less their baselines, and how many have both a baseline and something after the event."""
    early, late = means[:, offsets < 0], means[:, offsets >= 0]
    usable = np.isfinite(early).any(axis=1) & np.isfinite(late).any(axis=1)
    kept = means[usable]
    base = np.array([np.mean(line[np.isfinite(line)]) for line in early[usable]]).reshape(-1, 1)
    if not relative:
        return kept - base, len(kept)
    able = base[:, 0] > 0
    return 100 * (kept[able] / base[able] - 1), int(able.sum())


def _band(values: Floats, level: float, factor: float) -> dict[str, Any]:
    """Mean over the first axis with its t interval, and how many values there are; NaN where there are none, or one."""
    count = np.isfinite(values).sum(axis=0)
    filled = np.where(np.isfinite(values), values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count > 0, filled.sum(axis=0) / count, np.nan)
        off = np.where(np.isfinite(values), values - mean, 0.0)
        spread = np.sqrt((off**2).sum(axis=0) / (count - 1)) / np.sqrt(count)
    half = np.full(len(count), np.nan)
    many = count > 1
    if many.any():
        t = scipy("stats", "a confidence band").t.ppf(0.5 + level / 2, count[many] - 1)
        half[many] = t * spread[many]
    ends = {"mean": mean, "low": mean - half, "high": mean + half}
    return {**{name: times(end, factor) for name, end in ends.items()}, "events": count.astype(np.int64)}


def _study_notes(moments: Ints, used: int, spans: tuple[int, int], simultaneous: bool) -> tuple[str, ...]:
    notes = []
    if len(moments) > used:
        notes.append(f"left out, for want of rows before or after: {counted(len(moments) - used, 'event')}")
    overlaps = int(np.sum(np.diff(moments) < sum(spans)))
    if overlaps:
        notes.append(
            f"overlapping the one before, so that those events are not independent: {counted(overlaps, 'window')}"
        )
    if used == 1:
        notes.append("one event: a course, but no band")
    notes.append("the band holds for all offsets together" if simultaneous else "the band holds for each offset alone")
    return tuple(notes)
