"""How long things take: percentiles with intervals, by group where wanted, and how late rows come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from aurigraph_nb.durations import Duration, Moment
from aurigraph_nb.errors import BadOption

from .bins import width
from .inputs import Data, Floats, Gaps, OnGap, Rows, Times, free_name, rows, share, whole, without_gaps
from .intervals import quantile_interval
from .numeric import counted, tamed, times
from .plots import Chart
from .result import Result, number, reading

QUANTILES = (0.5, 0.9, 0.95, 0.99)
MOST_GROUPS = 10_000
"""Groups that one call may make; their names come from the feed."""


def latency(
    data: Data,
    *,
    column: str = "latency_ms",
    quantiles: Sequence[float] = QUANTILES,
    by: str | None = None,
    confidence: float = 0.95,
    resamples: int = 2_000,
    seed: int = 0,
    on_gap: OnGap = "nan",
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
) -> Result:
    """Percentiles of a latency with bootstrap intervals, of all rows or by country, city, peer or another column.

    Quantiles interpolate between values (Hyndman and Fan, 1996, type 7). Intervals are percentile bootstrap intervals
    (Efron, 1979; Efron and Tibshirani, 1993, section 13.3), drawn with ``seed``: the same data give the same interval.
    They assume independent rows; rows of one peer resemble each other, and then the intervals are too narrow. An
    interval of a quantile beyond the second-largest value cannot reach past the largest: with n below 1 / (1 - q) it
    says little. Rows without a latency are left out. Gaps only matter for the coverage: what was not measured in them
    is not estimated.

    Args:
        data: rows with a time and ``column``, such as ``feed.network``.
        column: the latency, in ms where its name says so.
        quantiles: which, each above 0 and below 1.
        by: a column; rows without a value in it are a group of their own (an empty name).
        confidence: of the intervals.
        resamples: of the bootstrap, at least 100.
        seed: of the bootstrap.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore".
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Returns:
        ``value``: the first of the quantiles, over all rows; None without rows.

    Table, a row a group and quantile, in the order of the names; index 0, 1, 2, …:

        ``country`` (str): the group, called as ``by``; empty where it is missing. Only there if ``by`` is given.
        ``quantile`` (float64, 0-1): which.
        ``latency_ms`` (float64, ms): its value; called as ``column``, in its unit.
        ``low`` (float64, ms): begin of its interval; NaN with fewer than 2 rows.
        ``high`` (float64, ms): end of its interval; NaN likewise.
        ``n`` (int64): rows with a value in the group.

    Raises:
        BadOption: an option is out of range, a column is missing, or there are more than 10,000 groups.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: ``on_gap="raise"`` and a gap lies in the span.

    >>> import pandas as pd
    >>> times = pd.date_range("2026-01-01", periods=4, freq="1s", name="timestamp")
    >>> peers = pd.DataFrame({"latency_ms": [10.0, 20, 30, 40], "country": ["CH", "CH", "JP", "JP"]}, index=times)
    >>> latency(peers, by="country", quantiles=[0.5]).table[["country", "latency_ms"]].values.tolist()
    [['CH', 15.0], ['JP', 35.0]]
    """
    levels = _levels(quantiles)
    share("confidence", confidence)
    whole("resamples", resamples, 100)
    own = ("quantile", "low", "high", "n")
    free_name("column", column, (*own, by or ""))
    free_name("by", by or "", own)
    got = rows(data, column, *(() if by is None else (by,)), start=start, end=end, gaps=gaps)
    got = without_gaps(got, on_gap)
    values = got.numbers(column)
    good = ~np.isnan(values)
    values, factor = tamed(values)
    records: list[dict[str, Any]] = []
    for name, part in _groups(got.where(good), values[good], by):
        rng = np.random.default_rng(seed)
        ordered = np.sort(part)
        for q in levels:
            low, high = quantile_interval(ordered, q, confidence=confidence, resamples=resamples, rng=rng)
            found = (float(times(v, factor)) for v in (np.quantile(ordered, q), low, high))
            told = {"quantile": q, **dict(zip((column, "low", "high"), found, strict=True)), "n": len(part)}
            records.append(told if by is None else {by: name, **told})
    table = _typed(records, column, by)
    value = float(times(np.quantile(values[good], levels[0]), factor)) if good.any() else None
    return _result(table, value, levels[0], column, by, got, int(good.sum()), int((~good).sum()))


def _result(
    table: pd.DataFrame, value: float | None, q: float, column: str, by: str | None, got: Rows, n: int, missing: int
) -> Result:
    unit = "ms" if column.endswith("_ms") else "s" if column.endswith("_s") else ""
    name = f"{column} quantiles" + (f" by {by}" if by else "")
    line = reading(f"{column}, {100 * q:g} % quantile", value, unit, n, got.coverage, why="no rows with a value")
    if value is not None and by is None:
        line += f"; interval {number(table['low'].iloc[0])} to {number(table['high'].iloc[0])}"
    notes: tuple[str, ...] = ("rows are taken as independent; rows of one peer are not, so true intervals are wider",)
    notes += (f"without a {column}, and left out: {counted(missing, 'row')}",) if missing else ()
    label = f"{column.removesuffix('_ms').removesuffix('_s')} ({unit})" if unit else column
    shown = "quantile" if by is None else by
    chart = Chart("dots", shown, (column,), x_title=shown, y_title=label, low="low", high="high")
    if by is not None:
        chart = Chart("dots", by, (column,), x_title=by, y_title=label, by="quantile", low="low", high="high")
    return Result(name, value, unit, table, line, notes, got.coverage, n, chart)


@dataclass(frozen=True, eq=False, repr=False)
class FeedLag(Result):
    """How late rows come, freed from the offset of the two clocks as far as that can be told.

    >>> import aurigraph_nb as ag
    >>> from aurigraph_nb import analytics
    >>> found = analytics.feed_lag(ag.sample("steady", duration="2min", seed=7).metrics)
    >>> isinstance(found, analytics.FeedLag), found.n > 0
    (True, True)
    """

    offset_ms: float | None = None
    """Estimated offset: receive clock minus server clock, plus the shortest way; ms."""
    drift_ppm: float | None = None
    """How fast the offset grows, parts per million; None without ``window`` or with fewer than 3 of them."""


def feed_lag(
    data: Data,
    *,
    window: Duration | None = None,
    quantiles: Sequence[float] = QUANTILES,
    confidence: float = 0.95,
    resamples: int = 2_000,
    seed: int = 0,
    on_gap: OnGap = "nan",
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
) -> FeedLag:
    """How late rows come: receive time minus server time, split into the clocks' offset and the delay above the least.

    Two clocks that nobody compared differ by an unknown offset, and the lag is that plus the delay. The minimum filter
    takes the smallest lag for the offset (as NTP takes the sample of least delay: Mills, 1991, Internet Time
    Synchronization: The Network Time Protocol, IEEE Transactions on Communications 39, 1482-1493, section on the clock
    filter). This assumes that the quickest row was not delayed at all, so the true delay is larger by the shortest way
    there is, which nobody can tell from one side; and that the offset stays (within a window, if there are some). With
    ``window`` the smallest lag of each window of receive time is taken, so that the offset may drift; its slope (Theil,
    1950, and Sen, 1968, the median of the slopes between windows) is ``drift_ppm``. The offset estimated is never below
    the true one.

    Args:
        data: rows with ``timestamp`` and ``recv_ns``; those without a server time are left out.
        window: width of the windows of the minimum filter; None for one over all.
        quantiles: which, each above 0 and below 1.
        confidence: of the bootstrap intervals of the delay, as in :func:`latency`.
        resamples: of the bootstrap. seed: of the bootstrap.
        on_gap: "nan" (what was seen), "raise" (Incomplete) or "ignore".
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Returns:
        ``value``: the first of the quantiles of the delay above the least, ms; None without rows. ``offset_ms``: the
        smallest lag.

    Table, a row a quantile, in the order asked for; all but ``quantile`` and ``n`` are NaN without rows; index 0, 1, 2,
    …:

        ``quantile`` (float64, 0-1): which.
        ``lag_ms`` (float64, ms): of the lag as it came, offset and all.
        ``delay_ms`` (float64, ms): of the delay above the least.
        ``low`` (float64, ms): begin of the interval of that; NaN with fewer than 2 rows.
        ``high`` (float64, ms): its end; NaN likewise.
        ``n`` (int64): rows with both times.

    Raises:
        BadOption: an option is out of range, or a column is missing. Incomplete: as ``on_gap`` says.
        BadOptionType: the data are of no kind that can be read.

    >>> import pandas as pd
    >>> sent = pd.to_datetime([0, 1, 2], unit="s", utc=True)
    >>> rows = pd.DataFrame({"timestamp": sent, "recv_ns": [5_000_000_000, 6_010_000_000, 7_030_000_000]})
    >>> lag = feed_lag(rows)
    >>> lag.offset_ms, lag.value
    (5000.0, 10.0)
    """
    levels = _levels(quantiles)
    share("confidence", confidence)
    whole("resamples", resamples, 100)
    window_ns = None if window is None else width(window, "window")
    wanted = ("timestamp", "recv_ns")
    got = rows(data, *wanted, optional=("timestamp_is_recv",), start=start, end=end, gaps=gaps)
    got = without_gaps(got, on_gap)
    recv, lag, missing = _lags(got)
    least, drift = _offsets(recv, lag, window_ns)
    ordered, delays = np.sort(lag), np.sort(lag - least)
    rng = np.random.default_rng(seed)
    bands = [quantile_interval(delays, q, confidence=confidence, resamples=resamples, rng=rng) for q in levels]
    n = len(lag)
    table = pd.DataFrame(
        {
            "quantile": levels,
            "lag_ms": np.quantile(ordered, levels) if n else np.full(len(levels), np.nan),
            "delay_ms": np.quantile(delays, levels) if n else np.full(len(levels), np.nan),
            "low": [band[0] for band in bands],
            "high": [band[1] for band in bands],
            "n": np.full(len(levels), n, dtype=np.int64),
        }
    )
    value, offset = (float(table["delay_ms"].iloc[0]), float(ordered[0])) if n else (None, None)
    line = reading(
        f"Delay above the least, {100 * levels[0]:g} % quantile", value, "ms", n, got.coverage, why="no rows"
    )
    line += "" if offset is None else f"; clock offset at most {number(offset)} ms"
    notes: tuple[str, ...] = (
        "the quickest row is taken for undelayed; true delays are longer by the shortest way there is",
    )
    notes += (f"without a server time, and left out: {counted(missing, 'row')}",) if missing else ()
    chart = Chart("dots", "quantile", ("delay_ms",), "quantile", "delay above the least (ms)", low="low", high="high")
    cover = got.coverage
    return FeedLag("Feed lag", value, "ms", table, line, notes, cover, n, chart, offset, drift)


def _lags(got: Rows) -> tuple[Times, Floats, int]:
    """Receive times (ns), lags (ms) of the rows that have both times, and how many have not."""
    sent, came = (np.array(_int_times(got, c), dtype=np.float64) for c in ("timestamp", "recv_ns"))
    good = ~np.isnan(sent) & ~np.isnan(came)
    if got.has("timestamp_is_recv"):
        good &= ~(got.numbers("timestamp_is_recv") > 0)
    exact = [np.array(_int_times(got, c, fill=0), dtype=np.int64) for c in ("timestamp", "recv_ns")]
    return exact[1][good], (exact[1] - exact[0])[good] / 1e6, int((~good).sum())


def _int_times(got: Rows, column: str, fill: int | None = None) -> list[Any]:
    import pyarrow as pa

    kept: Any = got.table.column(column)
    if pa.types.is_timestamp(kept.type):
        kept = kept.cast(pa.timestamp("ns", kept.type.tz))
    found = kept.cast(pa.int64())
    return list((found if fill is None else found.fill_null(fill)).to_pylist())


def _offsets(recv: Times, lag: Floats, window_ns: int | None) -> tuple[Floats, float | None]:
    """The smallest lag for each row, overall or in its window, and the slope of those of the windows in ppm."""
    if not len(lag):
        return lag, None
    if window_ns is None:
        return np.full(len(lag), lag.min()), None
    _, slots = np.unique(recv // window_ns, return_inverse=True)
    count = int(slots.max()) + 1
    least = np.full(count, np.inf)
    np.minimum.at(least, slots, lag)
    quickest = np.full(count, np.iinfo(np.int64).max)
    at_least = lag == least[slots]
    np.minimum.at(quickest, slots[at_least], recv[at_least])
    return least[slots], _slope(quickest / 1e6, least)


def _slope(times_ms: Floats, values_ms: Floats, most: int = 1_000) -> float | None:
    """Median of the slopes between all pairs, ppm; of at most 1,000 windows, evenly chosen."""
    n = len(times_ms)
    if n < 3:
        return None
    chosen = np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))
    when, values = times_ms[chosen], values_ms[chosen]
    i, j = np.triu_indices(len(when), 1)
    return float(np.median((values[j] - values[i]) / (when[j] - when[i])) * 1e6)


def _levels(quantiles: Any) -> list[float]:
    if isinstance(quantiles, str) or not len(quantiles):
        raise BadOption(f"quantiles={quantiles!r}: a list of shares was expected, such as [0.5, 0.95]")
    return [share("quantiles", q) for q in quantiles]


def _groups(got: Rows, values: Floats, by: str | None) -> list[tuple[str, Floats]]:
    if by is None:
        return [("", values)] if len(values) else []
    names = np.array(["" if t is None else t for t in got.texts(by)], dtype=object)
    groups = pd.Series(values).groupby(names, sort=True)
    if groups.ngroups > MOST_GROUPS:
        raise BadOption(
            f"by={by!r}: {groups.ngroups:,} groups, and {MOST_GROUPS:,} are the most; choose another column"
        )
    return [(str(name), np.asarray(part, dtype=np.float64)) for name, part in groups]


def _typed(records: list[dict[str, Any]], column: str, by: str | None) -> pd.DataFrame:
    names = [*(() if by is None else (by,)), "quantile", column, "low", "high", "n"]
    table = pd.DataFrame(records, columns=names)
    kinds: dict[Any, Any] = {name: "float64" for name in names if name not in (by, "n")}
    return table.astype({**kinds, "n": "int64", **({} if by is None else {by: "str"})})
