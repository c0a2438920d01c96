"""How much goes through: a summary of the rate, its peak against its mean, and what was held for how long."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from aurigraph_nb.durations import Duration, Moment, nanoseconds
from aurigraph_nb.errors import BadOption

from .inputs import Data, Floats, Gaps, OnGap, Times, stamps
from .numeric import mean, tamed, times
from .plots import Chart
from .resampling import UNITS
from .result import Result, reading
from .samples import SILENT_PERIODS, Samples, samples

QUANTILES = {"p05": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "p99": 0.99}


def throughput(
    data: Data,
    *,
    column: str = "tps",
    on_gap: OnGap = "nan",
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
) -> Result:
    """The rate in a few numbers: current, mean, spread, percentiles, lowest and peak.

    Each row counts once, whatever time it stands for, as fits rows of a fixed period. Percentiles interpolate between
    rows (Hyndman and Fan, 1996, Sample Quantiles in Statistical Packages, The American Statistician 50, type 7); the
    standard deviation divides by n - 1. Rows without a value are left out; what happened in gaps is not estimated.

    Args:
        data: rows with a time and ``column``, such as ``feed.metrics``.
        column: the rate; transactions per second, by default.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (gaps count as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Returns:
        ``value``: the mean, in the unit of the column; None without rows.

    Table, a row a statistic; index 0, 1, 2, …:

        ``statistic`` (str): current (the newest), mean, std, min, p05, p25, median, p75, p95, p99, peak, peak_to_mean.
        ``value`` (float64, in the unit of the column): NaN where it cannot be told: all without rows, ``std`` of one
            row, and ``peak_to_mean`` (no unit) where the mean is not above 0.

    Raises:
        BadOption: a column is missing or an option is out of range.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: ``on_gap="raise"`` and a gap lies in the span.

    >>> import pandas as pd
    >>> times = pd.date_range("2026-01-01", periods=4, freq="1s", name="timestamp")
    >>> throughput(pd.DataFrame({"tps": [10.0, 20.0, 30.0, 60.0]}, index=times))
    Mean tps: 30 tx/s; n = 4 rows; coverage 100 %
    """
    seen = samples(data, column, on_gap=on_gap, start=start, end=end, gaps=gaps)
    table = pd.DataFrame(_statistics(seen.values), columns=["statistic", "value"])
    value = mean(seen.values) if len(seen) else None
    unit = UNITS.get(column, "")
    line = reading(f"Mean {column}", value, unit, len(seen), seen.got.coverage, why="no rows")
    chart = Chart("bar", "statistic", ("value",), "statistic", _titled(column), leave=("peak_to_mean",))
    name = f"Throughput ({column})"
    return Result(name, value, unit, table, line, seen.notes(), seen.got.coverage, len(seen), chart)


def peak_to_mean(
    data: Data,
    *,
    column: str = "tps",
    every: Duration | None = None,
    on_gap: OnGap = "nan",
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
) -> Result:
    """The largest value divided by the mean: 1 for a steady load, more for a load that comes in bursts.

    What engineers of telephone and power networks call the peak-to-average ratio, or the crest of a load. It falls as
    the values are averaged over longer times, so say over which: ``every`` takes means of bins first. The largest of n
    values grows with n; compare spans of one length only.

    Args:
        data: rows with a time and ``column``.
        column: the rate.
        every: width of bins whose means are compared; None for the rows as they are.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore".
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Returns:
        ``value``: float, no unit; None without rows or where the mean is not above 0.

    Table, one row, or none without rows; index 0, 1, 2, …:

        ``timestamp`` (datetime64[ns, UTC]): when the peak was; the first of equal ones.
        ``peak`` (float64): the largest value, in the unit of the column.
        ``mean`` (float64): in the unit of the column.
        ``peak_to_mean`` (float64): their ratio; NaN where the mean is not above 0.

    Raises:
        BadOption: a column is missing or an option is out of range.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: ``on_gap="raise"`` and a gap lies in the span.

    >>> import pandas as pd
    >>> times = pd.date_range("2026-01-01", periods=4, freq="1s", name="timestamp")
    >>> peak_to_mean(pd.DataFrame({"tps": [10.0, 20.0, 30.0, 60.0]}, index=times)).value
    2.0
    """
    seen = samples(data, column, on_gap=on_gap, every=every, start=start, end=end, gaps=gaps)
    level = mean(seen.values)
    top = int(np.argmax(seen.values)) if len(seen) else 0
    peak = float(seen.values[top]) if len(seen) else np.nan
    value = peak / level if len(seen) and level > 0 else None
    when = seen.time_ns[top : top + 1]
    ratio = np.nan if value is None else value
    table = pd.DataFrame({"timestamp": stamps(when), "peak": peak, "mean": level, "peak_to_mean": ratio})
    why = "no rows" if not len(seen) else "the mean is not above 0"
    name = f"Peak to mean of {column}"
    line = reading(name, value, "", len(seen), seen.got.coverage, of="row" if every is None else "bin", why=why)
    chart = Chart("bar", "timestamp", ("peak", "mean"), x_title="time (UTC)", y_title=_titled(column))
    return Result(name, value, "", table, line, seen.notes(), seen.got.coverage, len(seen), chart)


def sustained_rate(
    data: Data,
    hold: Duration | Sequence[Duration] = "60s",
    *,
    column: str = "tps",
    on_gap: OnGap = "nan",
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
) -> Result:
    """The largest rate that was held for a time: it was never lower during some unbroken stretch of that length.

    R(T) = max over t of min of x over [t, t + T), where each row's value x holds until the next row, and the last one
    of a stretch for the usual (median) distance of rows. A stretch ends at a gap, and where rows are more than five
    usual distances apart; nothing is held over that, since nobody saw it. So R is a lower bound where there are gaps.
    It is at most the peak, and falls as T grows.

    Args:
        data: rows with a time and ``column``.
        hold: how long; one duration or several.
        column: the rate.
        on_gap: "nan" (stretches end at gaps), "raise" (Incomplete) or "ignore" (values hold over gaps of rows, too).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Returns:
        ``value``: the rate for the first ``hold``, None if no stretch is that long.

    Table, a row a hold, in the order asked for; index 0, 1, 2, …:

        ``hold_s`` (float64, s): how long.
        ``rate`` (float64, in the unit of the column): what was held; NaN where no stretch is that long.
        ``start`` (datetime64[ns, UTC]): begin of the first such stretch; NaT where there is none.
        ``end`` (datetime64[ns, UTC]): its end, ``hold_s`` later; NaT likewise.

    Raises:
        BadOption: a column is missing, or a hold is no duration above 0.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: ``on_gap="raise"`` and a gap lies in the span.

    >>> import pandas as pd
    >>> times = pd.date_range("2026-01-01", periods=6, freq="1s", name="timestamp")
    >>> sustained_rate(pd.DataFrame({"tps": [5.0, 9.0, 7.0, 8.0, 1.0, 9.0]}, index=times), hold="3s").value
    7.0
    """
    several = isinstance(hold, list | tuple)
    holds: list[Any] = list(hold) if isinstance(hold, list | tuple) else [hold]
    lengths = [nanoseconds(h, option="hold") for h in holds]
    if not lengths or min(lengths) < 1:
        raise BadOption(f"hold={hold!r}: one or more durations above 0 were expected")
    seen = samples(data, column, on_gap=on_gap, start=start, end=end, gaps=gaps)
    ends = _held_until(seen, on_gap)
    seen, ends = _lasting(seen, ends)
    parts = np.zeros(len(seen), np.int64) if on_gap == "ignore" else seen.stretches()
    found = [_sustained(seen, ends, parts, length) for length in lengths]
    table = pd.DataFrame(
        {
            "hold_s": np.array(lengths) / 1e9,
            "rate": [np.nan if f is None else f[0] for f in found],
            "start": stamps([_NAT if f is None else f[1] for f in found]),
            "end": stamps([_NAT if f is None else f[1] + t for f, t in zip(found, lengths, strict=True)]),
        }
    )
    value = None if found[0] is None else found[0][0]
    name = f"Rate held for {holds[0]}"
    why = f"no unbroken stretch of {lengths[0] / 1e9:g} s"
    line = reading(name, value, UNITS.get(column, ""), len(seen), seen.got.coverage, why=why)
    kind: Any = "line" if several else "bar"
    chart = Chart(kind, "hold_s", ("rate",), x_title="held for (s)", y_title=_titled(column))
    return Result(name, value, UNITS.get(column, ""), table, line, seen.notes(), seen.got.coverage, len(seen), chart)


_NAT = int(np.iinfo(np.int64).min)


def _statistics(values: Floats) -> list[tuple[str, float]]:
    n = len(values)
    if not n:
        names = ["current", "mean", "std", "min", *QUANTILES, "peak", "peak_to_mean"]
        return [(name, np.nan) for name in names]
    small, factor = tamed(values)
    level, peak = float(np.mean(small)), float(np.max(small))
    told = {"current": small[-1], "mean": level, "std": np.std(small, ddof=1) if n > 1 else np.nan, "min": small.min()}
    told |= dict(zip(QUANTILES, np.quantile(small, list(QUANTILES.values())), strict=True))
    told["peak"] = peak
    ratio = peak / level if level > 0 else np.nan
    return [*((name, float(times(v, factor))) for name, v in told.items()), ("peak_to_mean", ratio)]


def _titled(column: str) -> str:
    unit = UNITS.get(column)
    return f"{column.replace('_', ' ')} ({unit})" if unit else column.replace("_", " ")


def _held_until(seen: Samples, on_gap: OnGap) -> Times:
    """Until when each value holds: the next row, or, before a break, the usual distance of rows."""
    if not len(seen):
        return seen.time_ns
    usual = seen.typical_ns()
    ends = np.append(seen.time_ns[1:], seen.time_ns[-1] + usual)
    if on_gap == "ignore":
        return ends
    broken = np.flatnonzero(np.diff(seen.stretches()) > 0)
    begun = seen.got.holes.starts
    for i in broken:
        t = int(seen.time_ns[i])
        after = np.searchsorted(begun, t, side="left")
        limit = int(begun[after]) if after < len(begun) else t + SILENT_PERIODS * usual
        ends[i] = max(t, min(t + usual, limit, int(ends[i])))
    return ends


def _lasting(seen: Samples, ends: Times) -> tuple[Samples, Times]:
    """Without the values that another one of the same time replaced at once: they held for no time at all."""
    kept = ends > seen.time_ns
    return replace(seen, values=seen.values[kept], time_ns=seen.time_ns[kept]), ends[kept]


def _sustained(seen: Samples, ends: Times, parts: Times, length: int) -> tuple[float, int] | None:
    """The largest minimum over a window of that length in which each value holds until the next; and where it begins.

    A window that begins between two rows does no better than one that begins at the later of the rows it may begin at,
    or at the first, so only rows are tried; the minimum of the window slides along in a queue of falling promise.
    """
    values, begins = seen.values, seen.time_ns
    best: tuple[float, int] | None = None
    queue: deque[int] = deque()
    first = 0
    for last in range(len(values)):
        if last and parts[last - 1] != parts[last]:  # no window reaches over a break
            queue.clear()
            first = last
        while queue and values[queue[-1]] >= values[last]:
            queue.pop()
        queue.append(last)
        while first <= last and ends[last] - begins[first] >= length:
            while queue[0] < first:
                queue.popleft()
            if best is None or values[queue[0]] > best[0]:
                best = (float(values[queue[0]]), int(begins[first]))
            first += 1
    return best
