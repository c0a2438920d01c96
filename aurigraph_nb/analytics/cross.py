"""Streams together: the last known row as of a moment, and several streams on one clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from aurigraph_nb import frames
from aurigraph_nb.durations import Duration, Moment, nanoseconds
from aurigraph_nb.errors import BadOption
from aurigraph_nb.schema import LOCAL_COLUMNS

from .bins import MOST_BINS, width
from .inputs import Data, Gaps, OnGap, Rows, free_name, one_of, rows, stamps, without_gaps
from .numeric import tamed, times
from .panels import Aligned
from .plots import Chart
from .readers import is_topic, names_of
from .result import Result, reading

How: TypeAlias = Literal["mean", "last"]
_LEFT_OUT = frozenset({*LOCAL_COLUMNS, "timestamp", "extra", "timestamp_is_recv"})


def asof(
    left: Data,
    right: Data,
    *,
    tolerance: Duration,
    left_columns: Sequence[str] | None = None,
    right_columns: Sequence[str] | None = None,
    suffix: str = "_right",
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    right_gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """Each row of ``left`` with the newest row of ``right`` that is not newer than it, and no older than ``tolerance``.

    Of rows of ``right`` with equal times the last to arrive is taken. Where a gap of ``right`` lies between its row and
    the moment, that row may no longer be the newest: it is left out (``on_gap="ignore"`` takes it). ``value`` is
    the share (0-1) of the rows of ``left`` that found one.

    Both streams have to be on one clock: server times of the same node are; receive times are where both were received
    by one machine.

    This is the backward as-of join of time series databases; nothing is interpolated.

    Args:
        left: the rows that stay, in order of time.
        right: where their company comes from; the range of times is that of ``left`` and ``tolerance`` before it.
        tolerance: the oldest age of a row of ``right``; 0 takes equal times only.
        left_columns: columns to keep; None: all but those that say how a row was received.
        right_columns: columns to add, likewise.
        suffix: is put behind the name of an added column that ``left`` has, too.
        gaps: gaps of ``left``, where it does not bring them along.
        right_gaps: gaps of ``right``, likewise.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out.

    Table, a row for each row of ``left``, in order of time; index 0, 1, 2, …:

        ``timestamp`` (datetime64[ns, UTC]): of the row of ``left``.
        ``left.column`` (as in the data): each of ``left_columns``, under its own name; null where the data are.
        ``right.column`` (as in the data): each of ``right_columns``, under its own name and, where ``left`` has one of
            that name, ``suffix``; null where there is no row of ``right``.
        ``age_s`` (float64, s): how old the row of ``right`` is; NaN where there is none.

    Raises:
        BadOption: there is no such column, or a duration is out of range.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap in either, and ``on_gap="raise"``.

    >>> trades = pd.DataFrame({"timestamp": pd.to_datetime([1, 5, 9], unit="s", utc=True), "hash": list("abc")})
    >>> load = pd.DataFrame({"timestamp": pd.to_datetime([0, 4, 6], unit="s", utc=True), "tps": [10.0, 20.0, 30.0]})
    >>> asof(trades, load, tolerance="2s").table[["tps", "age_s"]].values.tolist()
    [[10.0, 1.0], [20.0, 1.0], [nan, nan]]
    """
    age_ns = nanoseconds(tolerance, option="tolerance")
    mine, theirs = _columns(left, left_columns), _columns(right, right_columns)
    for column in mine:
        free_name("left_columns", column, ("age_s",))
    a = without_gaps(rows(left, *mine, start=start, end=end, gaps=gaps), on_gap).by_time()
    first = None if a.start_ns is None else a.start_ns - age_ns
    stop = None if a.end_ns is None else a.end_ns + (0 if a.asked[1] else 1)
    b = rows(right, *theirs, start=first, end=stop, gaps=right_gaps).over(a.start_ns, stop, a)
    b = without_gaps(b, on_gap).by_time()
    at, known = _newest(a.time_ns, b, age_ns)
    place: Any = pa.array(np.where(known, at, 0), mask=~known)
    named = [f"{c}{suffix}" if c in mine else c for c in theirs]
    for i, column in enumerate(named):
        free_name("suffix", column, ("timestamp", "age_s", *mine, *named[:i]))
    added: dict[str, Any] = {name: b.table.column(c).take(place) for name, c in zip(named, theirs, strict=True)}
    table = frames.to_pandas(pa.table({c: a.table.column(c) for c in mine} | added), index=None)
    table.insert(0, "timestamp", a.times())
    age = np.full(len(a), np.nan)
    age[known] = (a.time_ns[known] - b.time_ns[at[known]]) / 1e9
    table["age_s"] = age
    found = int(known.sum())
    value = found / len(a) if len(a) else None
    name = "Rows that found company"
    line = reading(name, value, "", len(a), b.coverage, why="no rows")
    chart = Chart("dots", "timestamp", ("age_s",), "time (UTC)", "age, seconds", holes=b.shown_holes())
    return Result(name, value, "", table, line, (), b.coverage, len(a), chart)


def _columns(data: Data, chosen: Sequence[str] | None) -> list[str]:
    if chosen is None:
        return [c for c in dict.fromkeys(names_of(data)) if c not in _LEFT_OUT]
    wanted = [chosen] if isinstance(chosen, str) else list(chosen)
    if "timestamp" in wanted:
        raise BadOption("timestamp is there anyway; name the other columns")
    return list(dict.fromkeys(wanted))


def _newest(moments: npt.NDArray[np.int64], b: Rows, age_ns: int) -> tuple[Any, npt.NDArray[np.bool_]]:
    """The row of ``b`` as of each moment, and whether there is one that counts."""
    at = np.searchsorted(b.time_ns, moments, side="right") - 1
    if not len(b):
        return at, np.zeros(len(moments), np.bool_)
    told = b.time_ns[np.maximum(at, 0)]
    known = (at >= 0) & (moments - told <= age_ns)
    ended = np.searchsorted(b.holes.ends, told, side="right")  # the first gap that is not over by then
    begins = np.append(b.holes.starts, np.iinfo(np.int64).max)[ended]
    return at, known & (begins >= moments)


def align(
    *streams: Data,
    every: Duration = "1s",
    columns: Sequence[Sequence[str]] | None = None,
    names: Sequence[str] | None = None,
    how: How = "mean",
    hold: Duration | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Sequence[Gaps] | None = None,
    on_gap: OnGap = "nan",
) -> Result:
    """Several streams on one clock: bins of ``every``, on whole multiples of it since 1970 UTC.

    With ``how="mean"`` a cell is the mean of a stream's numbers in the bin, NaN where it has none. With ``how="last"``
    it is the last number told by the end of the bin, at most ``hold`` old then (None: of any age), and not from before
    a gap: right for streams that speak on change. With ``on_gap="nan"`` a cell is NaN where a gap of its stream touches
    the bin. The span is the one that all streams share, unless ``start`` and ``end`` are given. ``value`` is the share
    (0-1) of rows in which each stream has a number.

    Plain means, or last values, of what was seen; nothing is interpolated. Assumes one clock for all streams, as server
    times of one node have.

    Args:
        streams: topics or frames.
        columns: for each stream the columns to take; None: all numeric ones.
        names: for each stream what its columns begin with; None: the topic's name, else ``stream1`` and so on.
        hold: the oldest age of a number taken by ``how="last"``.
        gaps: for each stream its gaps (or None), where the streams do not bring them along.

    Table, a row a bin, in order of time; index 0, 1, 2, …:

        ``timestamp`` (datetime64[ns, UTC]): begin of the bin.
        ``name.column`` (float64, in the unit of the column): for each column of each stream; NaN where the stream says
            nothing, or a gap touches the bin.
        ``name.coverage`` (float64, 0-1): for each stream the share of the bin outside its gaps.

    Raises:
        BadOption: no stream, a missing column, names that repeat, or a duration out of range.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap, and ``on_gap="raise"``.

    >>> a = pd.DataFrame({"timestamp": pd.to_datetime([0, 1, 2], unit="s", utc=True), "tps": [1.0, 2.0, 3.0]})
    >>> b = pd.DataFrame({"timestamp": pd.to_datetime([0, 2], unit="s", utc=True), "round": [7, 8]})
    >>> align(a, b, every="1s", names=["m", "c"], how="last").table[["m.tps", "c.round"]].values.tolist()
    [[1.0, 7.0], [2.0, 7.0], [3.0, 8.0]]
    """
    one_of("how", how, ("mean", "last"))
    every_ns = width(every)
    hold_ns = None if hold is None else nanoseconds(hold, option="hold")
    titles = _titles(streams, names)
    chosen = _chosen(streams, columns)
    for column in (c for own in chosen for c in own):
        free_name("columns", column, ("coverage",))
    missing = _gaps_each(streams, gaps)
    got = [
        without_gaps(rows(s, *c, start=start, end=end, gaps=g), on_gap).by_time()
        for s, c, g in zip(streams, chosen, missing, strict=True)
    ]
    starts = _shared_bins(got, every_ns)
    data: dict[str, Any] = {"timestamp": stamps(starts)}
    for title, wanted, part in zip(titles, chosen, got, strict=True):
        hidden = part.holes.missing(starts, starts + every_ns) > 0
        for column in wanted:
            cells = (
                _means(part, column, starts, every_ns)
                if how == "mean"
                else _lasts(part, column, starts, every_ns, hold_ns)
            )
            data[f"{title}.{column}"] = np.where(hidden, np.nan, cells)
    data |= {f"{t}.coverage": p.holes.covered(starts, starts + every_ns) for t, p in zip(titles, got, strict=True)}
    table = pd.DataFrame(data)
    speaks = [table[[f"{t}.{c}" for c in cs]].notna().any(axis=1) for t, cs in zip(titles, chosen, strict=True)]
    value = float(np.logical_and.reduce(speaks).mean()) if len(table) else None
    known = [p.coverage for p in got if p.coverage is not None]
    name = "Bins in which all streams speak"
    coverage = min(known) if known else None
    line = reading(name, value, "", len(table), coverage, of="bin", why="the streams share no time")
    shown = tuple(f"{t}.{c}" for t, cs in zip(titles, chosen, strict=True) for c in cs)
    holes = tuple(h for p in got for h in p.shown_holes())
    chart = Chart("line" if how == "mean" else "step", "timestamp", shown, "time (UTC)", "as sent", holes=holes)
    return Aligned(name, value, "", table, line, (), coverage, len(table), chart)


def _titles(streams: Sequence[Data], names: Sequence[str] | None) -> list[str]:
    if not streams:
        raise BadOption("align needs at least one stream, such as feed.metrics")
    own = [str(s.name) if is_topic(s) else f"stream{i + 1}" for i, s in enumerate(streams)]
    titles = own if names is None else [str(n) for n in names]
    if len(titles) != len(streams) or len(set(titles)) != len(titles):
        raise BadOption(f"names={titles!r}: {len(streams)} different names were expected; give names=")
    return titles


def _gaps_each(streams: Sequence[Data], gaps: Sequence[Gaps] | None) -> Sequence[Gaps]:
    if gaps is None:
        return [None] * len(streams)
    if not isinstance(gaps, list | tuple) or len(gaps) != len(streams):
        raise BadOption(f"gaps= is a {type(gaps).__name__}; expected a list of one for each of {len(streams)} streams")
    return gaps


def _chosen(streams: Sequence[Data], columns: Sequence[Sequence[str]] | None) -> list[list[str]]:
    if columns is not None:
        if len(columns) != len(streams) or isinstance(columns, str):
            raise BadOption(f"columns={columns!r}: a list of columns for each of {len(streams)} streams was expected")
        return [[c] if isinstance(c, str) else list(c) for c in columns]
    return [_numeric(s) for s in streams]


def _numeric(stream: Data) -> list[str]:
    names = [c for c in dict.fromkeys(names_of(stream)) if c not in _LEFT_OUT]
    kinds = rows(stream, *names).table.schema
    found = [f.name for f in kinds if pa.types.is_integer(f.type) or pa.types.is_floating(f.type)]
    if not found:
        raise BadOption(f"no column of numbers among {', '.join(names) or 'none'}; name some with columns=")
    return found


def _shared_bins(got: Sequence[Rows], every_ns: int) -> npt.NDArray[np.int64]:
    if any(p.start_ns is None or p.end_ns is None for p in got):
        return np.empty(0, np.int64)
    first = max(int(p.start_ns or 0) for p in got) // every_ns
    stops = [max(int(p.end_ns or 0) - 1, int(p.time_ns.max(initial=p.start_ns or 0))) for p in got]
    count = max(0, min(stops) // every_ns - first + 1)
    if count > MOST_BINS:
        raise BadOption(f"every= gives {count:,} bins, and {MOST_BINS:,} are the most; take wider ones")
    return (first + np.arange(count, dtype=np.int64)) * every_ns


def _told(part: Rows, column: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    values = part.numbers(column)
    use = np.isfinite(values)
    return part.time_ns[use], values[use]


def _means(part: Rows, column: str, starts: Any, every_ns: int) -> Any:
    moments, values = _told(part, column)
    values, factor = tamed(values)
    place = (moments - (starts[0] if len(starts) else 0)) // every_ns
    use = (place >= 0) & (place < len(starts))
    sums = np.bincount(place[use], weights=values[use], minlength=len(starts))
    count = np.bincount(place[use], minlength=len(starts))
    with np.errstate(invalid="ignore", divide="ignore"):
        return times(np.where(count > 0, sums / count, np.nan), factor)


def _lasts(part: Rows, column: str, starts: Any, every_ns: int, hold_ns: int | None) -> Any:
    heard, values = _told(part, column)
    if not len(heard):
        return np.full(len(starts), np.nan)
    moments = starts + every_ns - 1
    at = np.searchsorted(heard, moments, side="right") - 1
    old = moments - heard[np.maximum(at, 0)]
    ended = np.searchsorted(part.holes.ends, heard[np.maximum(at, 0)], side="right")
    begins = np.append(part.holes.starts, np.iinfo(np.int64).max)[ended]
    known = (at >= 0) & (begins >= moments) & (old <= (np.iinfo(np.int64).max if hold_ns is None else hold_ns))
    return np.where(known, values[np.maximum(at, 0)], np.nan)
