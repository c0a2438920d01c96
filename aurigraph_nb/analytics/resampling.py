"""A stream cut into equal bins: one value a bin, and how much of the bin was seen."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from aurigraph_nb.durations import Duration, Moment
from aurigraph_nb.errors import BadOption, BadOptionType

from .bins import Grid, grid, width
from .gaptimes import Holes
from .inputs import Data, Floats, Gaps, OnGap, Rows, Times, free_name, one_of, rows, without_gaps
from .numeric import counted, tamed
from .numeric import times as times_
from .plots import Chart
from .readers import is_dask
from .reducing import known_times, with_markers
from .result import Result, reading

How = Literal["mean", "sum", "min", "max", "std", "count", "rate", "median", "first", "last"]

SUMMED = ("mean", "sum", "min", "max", "std", "count", "rate")
"""What can be told from sums of parts; the others need all rows of a bin."""
HOW = (*SUMMED, "median", "first", "last")
PARTS = ("_n", "_rows", "_mean", "_spread", "_min", "_max")
UNITS = {"tps": "tx/s"}
_OF_ROWS = {"count": "rows", "rate": "rate_hz"}


def resample(
    data: Data,
    every: Duration = "1min",
    *,
    how: How = "mean",
    column: str = "tps",
    on_gap: OnGap = "nan",
    min_coverage: float = 0.5,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
) -> Result:
    """One value for each bin [start, end) of time, with the share of the bin that was seen.

    Bins begin at whole multiples of ``every`` since 1970 UTC. ``mean``, ``sum``, ``min``, ``max``, ``std`` (with n -
    1), ``median``, ``first`` and ``last`` are of the column's values; ``count`` is the number of rows, and ``rate``
    that number divided by the seconds of the bin that were seen. Counts and sums of a bin that was seen in part are of
    what was seen.

    A bin without a value is NaN, never 0; but ``count``, ``rate`` and ``sum`` are 0 where a bin was seen and nothing
    was in it. With ``on_gap="nan"`` a bin of which less than ``min_coverage`` was seen is NaN too. What lies more than
    one mean distance of rows before the first or behind the last row of the data was not seen, whatever ``start`` and
    ``end`` ask for.

    A Dask frame is summed partition by partition, but for ``median``, ``first`` and ``last``, which need the column.

    Nothing is estimated: these are the plain statistics of the rows of each bin. Assumes that rows of a period stand
    for equal times.

    Args:
        data: rows with a time and, but for count and rate, with ``column``.
        every: width of a bin.
        how: what becomes of the rows of a bin.
        column: the column; not looked at for count and rate.
        on_gap: "nan", "raise" (Incomplete where a gap lies in the span) or "ignore" (gaps count as seen).
        min_coverage: least share of a bin that must have been seen, 0 to 1, with ``on_gap="nan"``.
        start: first time, included.
        end: end of the range, left out.
        gaps: gaps that the data do not bring along.

    Returns:
        ``value`` is None.

    Table, a row a bin, in order of time; index 0, 1, 2, …:

        ``timestamp`` (datetime64[ns, UTC]): begin of the bin.
        ``tps`` (float64, in the unit of the column): what ``how`` tells; called as ``column``, or ``rows`` (count), or
            ``rate_hz`` (rate, 1/s). NaN as said above, ``std`` also with fewer than 2 values; a sum beyond what a float
            holds is infinite.
        ``n`` (int64): rows with a value.
        ``coverage`` (float64, 0-1): share of the bin that was seen.

    Raises:
        BadOption: an option is out of range, a column is missing, or there would be more than 5,000,000 bins.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: ``on_gap="raise"`` and a gap lies in the span.

    >>> import pandas as pd
    >>> times = pd.date_range("2026-01-01", periods=4, freq="30s", name="timestamp")
    >>> resample(pd.DataFrame({"tps": [1.0, 3.0, 5.0, 9.0]}, index=times), "1min").table["tps"].tolist()
    [2.0, 7.0]
    """
    one_of("how", how, HOW)
    free_name("column", column if how not in _OF_ROWS else "", ("timestamp", "n", "coverage"))
    _check_share(min_coverage)
    every_ns = width(every)
    needed = () if how in _OF_ROWS else (column,)
    summed = how in SUMMED and is_dask(data)
    cut = partial(_partition, column=None if how in _OF_ROWS else column, every_ns=every_ns) if summed else None
    got = rows(data, *needed, optional=PARTS if summed else (), start=start, end=end, gaps=gaps, reduce=cut)
    got = without_gaps(got, on_gap)
    cells = grid(got, every)
    if how in SUMMED:
        parts = _summed(got) if summed else _sums(got.time_ns, _values(got, needed), every_ns)
        values, n, total = _combine(parts, cells, how)
    else:
        values, n, total = _whole(got, column, cells, how), _sizes(got, column, cells), len(got)
    seen = cells.coverage(got)
    if how == "rate":
        values = np.divide(values, seen * every_ns / 1e9, out=np.full(cells.count, np.nan), where=seen > 0)
    values = np.where(seen < min_coverage, np.nan, values) if on_gap == "nan" else values
    name = _OF_ROWS.get(how, column)
    table = pd.DataFrame({"timestamp": cells.starts(), name: values, "n": n, "coverage": seen})
    return _result(table, name, how, every, got, total)


def _result(table: pd.DataFrame, name: str, how: str, every: Any, got: Rows, total: int) -> Result:
    coverage = float(table["coverage"].mean()) if len(table) else None
    empty = int(table[name].isna().sum())
    unit = {"rows": "rows", "rate_hz": "rows/s"}.get(name, UNITS.get(name, ""))
    title = f"{how} of {name} every {every}" if name not in ("rows", "rate_hz") else f"{name} every {every}"
    line = reading(title, len(table), f"{'bin' if len(table) == 1 else 'bins'}, {empty:,} of them NaN", total, coverage)
    label = f"{name.replace('_', ' ')} ({unit})" if unit else name.replace("_", " ")
    chart = Chart("line", "timestamp", (name,), x_title="time (UTC)", y_title=label, holes=got.shown_holes())
    return Result(title, None, unit, table, line, _notes(got), coverage, total, chart)


def _notes(got: Rows) -> tuple[str, ...]:
    found = got.shown_holes()
    told = (
        (f"hidden by {counted(len(found), 'gap')}: {got.missing_s:,.3f} s; nothing is filled in for them",)
        if found
        else ()
    )
    return told + ((f"without a time, and left out: {counted(got.untimed, 'row')}",) if got.untimed else ())


def _check_share(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadOptionType(f"min_coverage={value!r}: a number from 0 to 1 was expected")
    if not 0 <= value <= 1:
        raise BadOption(f"min_coverage={value!r}: a number from 0 to 1 was expected")


# Sums of parts


def _partition(table: pa.Table, *, column: str | None, every_ns: int) -> pa.Table:
    table, times = known_times(table)
    got = Rows(table, times, Holes.none(), None, None)
    parts, at = _sums(times, _values(got, (column,) if column else ()), every_ns)
    if column:
        parts = {column: parts["_mean"], **parts}
    return with_markers(times, table, parts, at)


def _sums(times: Times, values: Floats, every_ns: int) -> tuple[dict[str, Any], Times]:
    """What is to be kept of each bin: rows, values, mean, root of the squares off it, extremes; and its first time."""
    values, factor = tamed(values)
    order = np.argsort(times // every_ns, kind="stable")
    bins, firsts = np.unique((times // every_ns)[order], return_index=True)
    ordered, when = values[order], times[order]
    good = np.isfinite(ordered)
    slots = np.repeat(np.arange(len(bins)), np.diff(np.append(firsts, len(times))))
    n = np.bincount(slots, good, len(bins)).astype(np.int64)
    sums = np.bincount(slots, np.where(good, ordered, 0.0), len(bins))
    means = np.divide(sums, n, out=np.full(len(bins), np.nan), where=n > 0)
    off = np.where(good, ordered - means[slots], 0.0)
    low, high = (np.where(good, ordered, end) for end in (np.inf, -np.inf))
    parts = {
        "_n": n,
        "_rows": np.bincount(slots, minlength=len(bins)).astype(np.int64),
        "_mean": times_(means, factor),
        "_spread": times_(np.sqrt(np.bincount(slots, off * off, len(bins))), factor),
        "_min": times_(np.minimum.reduceat(low, firsts) if len(bins) else low, factor),
        "_max": times_(np.maximum.reduceat(high, firsts) if len(bins) else high, factor),
    }
    return parts, np.minimum.reduceat(when, firsts) if len(bins) else when


def _summed(got: Rows) -> tuple[dict[str, Any], Times]:
    """The sums that came from partitions, without the markers between them."""
    real = got.where(np.nan_to_num(got.numbers("_rows")) > 0)
    return {name: real.numbers(name) for name in PARTS}, real.time_ns


def _values(got: Rows, needed: tuple[str, ...]) -> Floats:
    return got.numbers(needed[0]) if needed else np.ones(len(got))


def _combine(parts: tuple[dict[str, Any], Times], cells: Grid, how: str) -> tuple[Floats, Any, int]:
    """The value of each bin from its parts, the values in it, and the rows in all.

    Means and squares of parts are put together as Chan, Golub and LeVeque (1983, The American Statistician 37, 242-247)
    do, which loses no digits where values are large beside their differences.
    """
    told, times = parts
    slots, count = cells.index(times), cells.count
    n = np.bincount(slots, told["_n"], count)
    rows_in = np.bincount(slots, told["_rows"], count)
    _, factor = tamed(np.concatenate([told["_mean"], told["_spread"]]))
    means, spread = (np.where(told["_n"] > 0, told[c], 0.0) / factor for c in ("_mean", "_spread"))
    sums = np.bincount(slots, told["_n"] * means, count)
    mean = np.divide(sums, n, out=np.full(count, np.nan), where=n > 0)
    off = np.where(told["_n"] > 0, means - mean[slots], 0.0)
    squares = np.bincount(slots, spread * spread + told["_n"] * off * off, count)
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(low, slots, np.where(told["_n"] > 0, told["_min"], np.inf))
    np.maximum.at(high, slots, np.where(told["_n"] > 0, told["_max"], -np.inf))
    values = {
        "mean": times_(mean, factor),
        "sum": np.where((n > 0) | (rows_in == 0), times_(sums, factor), np.nan),
        "min": np.where(n > 0, low, np.nan),
        "max": np.where(n > 0, high, np.nan),
        "std": times_(np.sqrt(np.divide(squares, n - 1, out=np.full(count, np.nan), where=n > 1)), factor),
        "count": rows_in,
        "rate": rows_in,
    }[how]
    return np.asarray(values, dtype=np.float64), n.astype(np.int64), int(rows_in.sum())


# What needs all rows of a bin


def _whole(got: Rows, column: str, cells: Grid, how: str) -> Floats:
    ordered = got.by_time()
    values, factor = tamed(ordered.numbers(column))
    series = pd.Series(values)
    groups = series.groupby(cells.index(ordered.time_ns))
    found: Any = getattr(groups, how)()
    return np.asarray(times_(found.reindex(range(cells.count)).to_numpy(dtype=np.float64), factor))


def _sizes(got: Rows, column: str, cells: Grid) -> Any:
    good = np.isfinite(got.numbers(column))
    return np.bincount(cells.index(got.time_ns[good]), minlength=cells.count).astype(np.int64)
