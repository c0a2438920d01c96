"""Where the level of a series changes: the cut into segments that fits best for what it costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from aurigraph_nb.durations import Duration, Moment
from aurigraph_nb.errors import BadOption, BadOptionType

from .gaptimes import Ints
from .inputs import Data, Floats, Gaps, OnGap, stamps, whole
from .numeric import tamed, times
from .plots import Chart
from .resampling import UNITS
from .result import Result, number
from .samples import Samples, samples

MOST_ROWS = 20_000
"""Rows in which changes are looked for; in a quiet series the time grows with the square of them."""
MAD_TO_SIGMA = 1.4826022185056018
"""Standard deviation of a normal distribution by its median absolute deviation."""


def change_points(
    data: Data,
    *,
    column: str = "tps",
    penalty: float | None = None,
    least: int = 2,
    every: Duration | None = None,
    on_gap: OnGap = "nan",
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
) -> Result:
    """Times at which the mean of a series changes: the exact best cut under a price for each change.

    Minimises sum over segments of sum (x - mean)² + penalty × (number of changes), by PELT, which gives the same
    optimum as trying every cut (Killick, Fearnhead and Eckley, 2012, Optimal Detection of Changepoints With a Linear
    Computational Cost, Journal of the American Statistical Association 107, 1590-1598). The default penalty is 3 σ²
    ln(n), the leading term of the modified Bayes criterion (Zhang and Siegmund, 2007, Biometrics 63, 22-32); σ is
    estimated from the differences of neighbours, by their median absolute value over sqrt(2), so that the changes
    do not enlarge it.

    Assumes independent noise of one size around levels that hold for a while. Noise that drifts (a positive
    autocorrelation) is cut more often than it should be: take wider bins (``every``) or a higher penalty. Across a gap
    the rows on both sides are neighbours; a change there is marked ``over_gap``, since nobody knows when it happened.

    Args:
        data: rows with a time and ``column``, at most 20,000 with a value.
        column: the series.
        penalty: the price of a change, in squared units of the column; at least 0.
        least: rows that a segment has at least, from 1.
        every: width of bins whose means are looked at; None for the rows as they are.
        on_gap: "nan" (changes over gaps are marked), "raise" (Incomplete) or "ignore".
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Returns:
        ``value``: int, how many changes; None without rows.

    Table, a row a segment, in order of time; index 0, 1, 2, …:

        ``segment`` (int64): its number, from 0.
        ``start`` (datetime64[ns, UTC]): its first row.
        ``end`` (datetime64[ns, UTC]): its last row.
        ``n`` (int64): its rows.
        ``mean`` (float64, in the unit of the column): its level.
        ``std`` (float64): with n - 1, in that unit; NaN for one row.
        ``change`` (float64): mean minus that of the segment before, in that unit; NaN for the first.
        ``over_gap`` (bool): a gap lies between it and the segment before.

    Raises:
        BadOption: an option is out of range, or there are too many rows. Incomplete: as ``on_gap`` says.
        BadOptionType: the data are of no kind that can be read.

    >>> import pandas as pd
    >>> times = pd.date_range("2026-01-01", periods=12, freq="1s", name="timestamp")
    >>> steps = pd.DataFrame({"tps": [1.0, 2, 1, 2, 1, 2, 9, 8, 9, 8, 9, 8]}, index=times)
    >>> change_points(steps).table["start"].dt.second.tolist()
    [0, 6]
    """
    whole("least", least)
    seen = samples(data, column, on_gap=on_gap, every=every, start=start, end=end, gaps=gaps)
    if len(seen) > MOST_ROWS:
        raise BadOption(
            f"{len(seen):,} rows with a value, and {MOST_ROWS:,} are the most; take means of bins (every=), or a range"
        )
    values, factor = tamed(seen.values)
    price = _penalty(penalty, values, factor)
    begins = np.array(pelt(values, price, least), dtype=np.int64)
    table = _segments(replace(seen, values=values), begins, factor)
    price = float(times(times(price, factor), factor))
    value = max(0, len(begins) - 1) if len(seen) else None
    name = f"Changes of {column}"
    of = "rows" if every is None else "bins"
    shown = "unknown (no rows)" if value is None else f"{value} change{'' if value == 1 else 's'}"
    cover = "" if seen.got.coverage is None else f"; coverage {100 * seen.got.coverage:.4g} %"
    unit = UNITS.get(column, "")
    line = (
        f"{name}: {shown}, penalty {number(price)} {unit and f'({unit})²'}".rstrip()
        + f"; n = {len(seen):,} {of}{cover}"
    )
    label = f"mean of {column}" + (f" ({unit})" if unit else "")
    chart = Chart("step", "start", ("mean",), "time (UTC)", label, holes=seen.got.shown_holes())
    return _Levels(name, value, "changes", table, line, seen.notes(), seen.got.coverage, len(seen), chart)


class _Levels(Result):
    """The table has a row a segment; the figure draws the last one to its end, too."""

    def plot(self) -> Any:
        """The level of each segment, from its begin to that of the next."""
        from .plots import draw

        last = self.table.tail(1)
        table = pd.concat([self.table, last.assign(start=last["end"])], ignore_index=True)
        return draw(table, self.chart, title=self.name, empty=self.reading)


def pelt(values: Floats, penalty: float, least: int = 1) -> list[int]:
    """First index of each segment of the best cut; [] for no values. ``least``: values a segment has at least.

    A beginning that is worse than a cut at ``stop`` will never be the last one again, once a segment from ``stop`` on
    is long enough; then it is dropped (the pruning of PELT, put off by ``least``). Where no two segments fit, all is
    one.
    """
    n = len(values)
    if not n:
        return []
    shifted = values - values.mean()
    sums = np.concatenate([[0.0], np.cumsum(shifted)])
    squares = np.concatenate([[0.0], np.cumsum(shifted**2)])
    best = np.full(n + 1, np.inf)
    best[0] = -penalty
    last = np.zeros(n + 1, dtype=np.int64)
    starts, until = np.array([0], dtype=np.int64), np.array([n + 1], dtype=np.int64)
    for stop in range(least, n + 1):
        alive = until > stop
        starts, until = starts[alive], until[alive]
        fit = squares[stop] - squares[starts] - (sums[stop] - sums[starts]) ** 2 / (stop - starts)
        costs = best[starts] + fit
        place = int(np.argmin(costs))
        best[stop], last[stop] = costs[place] + penalty, starts[place]
        until = np.where(costs > best[stop], np.minimum(until, stop + least), until)
        if stop + 1 - least >= least:
            starts, until = np.append(starts, stop + 1 - least), np.append(until, n + 1)
    found, stop = [], n
    while stop > 0:
        stop = int(last[stop])
        found.append(stop)
    return found[::-1]


def _penalty(penalty: float | None, values: Floats, factor: float) -> float:
    """The price of a change, for values that are ``factor`` times smaller than those it was told for."""
    if penalty is None:
        if len(values) < 3:
            return 0.0
        steps = np.diff(values)
        sigma = MAD_TO_SIGMA * float(np.median(np.abs(steps))) / np.sqrt(2)
        if sigma == 0:  # at least half of the neighbours are equal: the spread of all differences is what is left
            sigma = float(np.std(steps)) / np.sqrt(2)
        return float(3 * sigma**2 * np.log(len(values)))
    if isinstance(penalty, bool) or not isinstance(penalty, int | float | np.floating):
        raise BadOptionType(f"penalty={penalty!r}: a number of at least 0 was expected")
    if not 0 <= penalty < float("inf"):
        raise BadOption(f"penalty={penalty!r}: a number of at least 0 was expected")
    return float(times(times(penalty, 1 / factor), 1 / factor))


def _segments(seen: Samples, begins: Ints, factor: float) -> pd.DataFrame:
    ends = np.append(begins[1:], len(seen)).astype(np.int64) if len(begins) else begins
    parts = [seen.values[a:b] for a, b in zip(begins, ends, strict=True)]
    means = np.array([p.mean() for p in parts], dtype=np.float64)
    stretches = seen.got.holes.stretches(seen.time_ns)
    over = np.zeros(len(begins), dtype=bool)
    over[1:] = stretches[begins[1:]] > stretches[begins[1:] - 1]
    return pd.DataFrame(
        {
            "segment": np.arange(len(begins), dtype=np.int64),
            "start": stamps(seen.time_ns[begins]),
            "end": stamps(seen.time_ns[ends - 1]),
            "n": (ends - begins).astype(np.int64),
            "mean": times(means, factor),
            "std": times(np.array([p.std(ddof=1) if len(p) > 1 else np.nan for p in parts], dtype=np.float64), factor),
            "change": times(np.diff(means, prepend=np.nan), factor),
            "over_gap": over,
        }
    )
