"""How long a series takes, after an event, to come back to what it was before it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurigraph_nb.durations import Duration, Moment, nanoseconds
from aurigraph_nb.errors import BadOption

from .bins import width
from .events import event_times, windows
from .inputs import Data, Gaps, OnGap, rows, stamps, whole, without_gaps
from .numeric import counted, survival_median, times
from .plots import Chart
from .result import Result, reading

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def time_to_recover(
    metrics: Data,
    events: Any,
    *,
    y: str = "tps",
    before: Duration = "30s",
    after: Duration = "60s",
    every: Duration = "1s",
    within: float = 0.1,
    hold: int = 3,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """How long ``y`` takes, after each event, to be back at what it was before.

    The baseline of an event is the median of ``y`` over the bins before it. The series left it where a bin lies more
    than ``within`` (a share of the baseline) off; it has recovered at the begin of the first ``hold`` bins in a row
    that lie within, after the first bin that left. An event after which it never left took 0 s. Where it had not
    recovered by the next event, by a bin that was not seen, or by the end of the window, the time is censored there.
    ``value`` is the median by Kaplan and Meier (1958), None where fewer than half recovered.

    ``within`` should be larger than what ``y`` varies by itself: else noise counts as trouble. The notes tell how much
    of the time before the events already lies outside.

    Args:
        metrics: rows with a time and the column ``y``.
        events: times; or a frame or result with a column ``start`` or ``timestamp``; or a topic.
        y: the column that is to recover.
        before: the time before an event that makes its baseline, a whole multiple of ``every``.
        after: the time after an event in which it is watched, likewise.
        every: width of a bin.
        within: how far off, as a share of the baseline, still counts as back.
        hold: bins in a row that have to lie within.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row an event that has rows before and after it, in order of time; index 0, 1, 2, …:

        ``timestamp`` (datetime64[ns, UTC]): of the event.
        ``baseline`` (float64, in the unit of ``y``): median before it.
        ``worst`` (float64, in the unit of ``y``): the bin farthest off until ``y`` was back.
        ``left`` (bool): whether ``y`` left the baseline.
        ``recovered`` (bool): whether it was seen to come back (true where it never left).
        ``seconds`` (float64, s): to the recovery, or as long as it was watched: censored where not ``recovered``.

    Raises:
        BadOption: a column is missing, or an option is out of range.
        BadOptionType: ``events`` is nothing that has times.
        Incomplete: there is a gap, and ``on_gap="raise"``.

    >>> tps = [10, 10, 4, 5, 10, 10, 10, 10]
    >>> frame = pd.DataFrame({"timestamp": pd.to_datetime(range(8), unit="s", utc=True), "tps": tps})
    >>> time_to_recover(frame, [2 * 10**9], before=2, after=6)
    tps back after events, median: 2 s; n = 1 event; coverage 100 %
    """
    if not within > 0 or not math.isfinite(within):
        raise BadOption(f"within={within!r}: a share above 0 was expected, such as 0.1")
    whole("hold", hold)
    every_ns = width(every)
    spans = nanoseconds(before, option="before"), nanoseconds(after, option="after")
    got = without_gaps(rows(metrics, y, start=start, end=end, gaps=gaps), on_gap).by_time()
    moments = event_times(events)
    means, offsets, factor = windows(got, y, moments, *spans, every_ns)
    lines, outside = _recoveries(means, offsets, moments, every_ns, within, hold)
    columns = ["timestamp", "baseline", "worst", "left", "recovered", "seconds"]
    table = pd.DataFrame(lines, columns=columns).astype({"left": bool, "recovered": bool, "seconds": float})
    table["timestamp"] = stamps(table["timestamp"].to_numpy(np.int64))
    table = table.astype({"baseline": float, "worst": float})
    for column in ("baseline", "worst"):
        table[column] = times(table[column].to_numpy(), factor)
    value = survival_median(table["seconds"].to_numpy(float), table["recovered"].to_numpy(bool))
    name = f"{y} back after events, median"
    coverage = float(np.isfinite(means).mean()) if means.size else None
    why = "no event has rows before and after it" if not lines else "fewer than half recovered"
    line = reading(name, value, "s", len(table), coverage, of="event", why=why)
    notes = _recovery_notes(len(moments), table, outside, within)
    chart = Chart(
        "dots",
        "timestamp",
        ("seconds",),
        "time (UTC)",
        "watched until back (s)",
        by="recovered",
        holes=got.shown_holes(),
    )
    return Result(name, value, "s", table, line, notes, coverage, len(table), chart)


def _recoveries(
    means: Floats, offsets: Ints, moments: Ints, every_ns: int, within: float, hold: int
) -> tuple[list[tuple[Any, ...]], float]:
    lines: list[tuple[Any, ...]] = []
    calm: list[float] = []
    limits = np.append(np.diff(moments), np.iinfo(np.int64).max)[: len(moments)]
    for moment, course, limit in zip(moments, means, limits, strict=True):
        early = course[offsets < 0]
        early = early[np.isfinite(early)]
        late = course[(offsets >= 0) & (offsets + every_ns <= limit)]
        unseen = np.flatnonzero(~np.isfinite(late))
        late = late[: unseen[0]] if len(unseen) else late
        if not len(early) or not len(late):
            continue
        base = float(np.median(early))
        calm.append(float(np.mean(np.abs(early - base) > within * abs(base))))
        lines.append((int(moment), base, *_recovery(late, base, within, hold, every_ns)))
    return lines, float(np.mean(calm)) if calm else 0.0


def _recovery(late: Floats, base: float, within: float, hold: int, every_ns: int) -> tuple[float, bool, bool, float]:
    """The worst bin, whether the series left, whether it came back, and after how many seconds."""
    off = np.abs(late - base)
    out = off > within * abs(base)
    if not out.any():
        return float(late[np.argmax(off)]), False, True, 0.0
    first = int(np.argmax(out))
    runs = np.convolve(~out[first:], np.ones(hold), mode="valid") if len(out) - first >= hold else np.empty(0)
    back = np.flatnonzero(runs > hold - 0.5)
    stop = first + int(back[0]) if len(back) else len(late)
    worst = late[first:stop][np.argmax(off[first:stop])]
    return float(worst), True, bool(len(back)), stop * every_ns / 1e9


def _recovery_notes(events: int, table: pd.DataFrame, outside: float, within: float) -> tuple[str, ...]:
    notes = []
    if events > len(table):
        notes.append(f"left out, for want of rows before or after: {counted(events - len(table), 'event')}")
    censored = int((~table["recovered"]).sum())
    if censored:
        notes.append(f"not back when last watched: {counted(censored, 'event')}")
    if outside > 0.1:
        notes.append(f"{100 * outside:.0f} % of the bins before the events lie more than {within:g} off, too: noise")
    return tuple(notes)
