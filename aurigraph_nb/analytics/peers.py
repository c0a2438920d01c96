"""Peers of the network: where they are, how far, who is there, and for how long.

A peer is silent until something about it changes: what a row says of it holds until its next row, or a gap. The
server's shape of the stream tells no places; then all peers stand under "not told".
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurigraph_nb.durations import Moment
from aurigraph_nb.errors import BadOption

from .inputs import Data, Gaps, OnGap, Rows, free_name, rows, without_gaps
from .inputs import share as checked_share
from .numeric import counted, middle, survival_median, tamed, times
from .plots import Chart
from .result import Result, reading
from .spells import Spells, coded, spells

Ints = npt.NDArray[np.int64]

NOT_TOLD = "not told"
THERE = "CONNECTED"


def _place_of(got: Rows, things: Ints, names: list[str], by: str) -> npt.NDArray[np.object_]:
    """The last word of each peer about a column that seldom changes, such as its country."""
    places = np.full(len(names), NOT_TOLD, dtype=object)
    texts = got.texts(by)
    for i in np.flatnonzero((things >= 0) & np.array([t is not None for t in texts], dtype=np.bool_)):
        places[things[i]] = texts[i]
    return places


def check_group(by: str, taken: tuple[str, ...] = ()) -> None:
    """Check the column that is to group peers.

    Raises:
        BadOption: it names peers, or times, or is needed otherwise.
    """
    if by in ("peer_id", "timestamp", "recv_ns", *taken):
        raise BadOption(f"by={by!r}: expected a column that groups peers, such as country, city or version")


def peer_latency(
    network: Data,
    *,
    by: str = "country",
    confidence: float = 0.95,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """Latency of the peers by place: the median peer of each country, or city, with an interval.

    Each peer counts once, by the median of its own measurements while connected, so that a peer that speaks often does
    not count more than a silent one. The interval of a group's median is the one between order statistics that holds
    whatever the distribution (binomial; W. R. Thompson 1936, Ann. Math. Stat. 7, 122-128), from 6 peers on at 95 %;
    below it is NaN. Gaps hide measurements of all alike and need no treatment.

    ``value`` is the median over all peers, in ms.

    Args:
        network: rows of the network topic.
        by: the column that groups peers: country, city, version, connection_quality.
        confidence: of the intervals.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row a group, nearest first; index 0, 1, 2, …:

        ``country`` (str): the group, called as ``by``; "not told" where it is missing.
        ``peers`` (int64): that told a latency.
        ``measurements`` (int64): of all of them.
        ``median_ms`` (float64, ms): of the peers' medians.
        ``low_ms`` (float64, ms): begin of its interval; NaN with too few peers.
        ``high_ms`` (float64, ms): its end; NaN likewise.
        ``fastest_ms`` (float64, ms): smallest of the peers' medians.
        ``slowest_ms`` (float64, ms): largest of them.

    Raises:
        BadOption: a column ``peer_id``, ``latency_ms`` or ``by`` is missing.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap, and ``on_gap="raise"``.

    >>> frame = pd.DataFrame({"timestamp": pd.to_datetime(range(3), unit="s", utc=True), "peer_id": list("aab")})
    >>> peer_latency(frame.assign(latency_ms=[10.0, 20.0, 85.0], country=["Japan", "Japan", "Chile"]))
    Median peer latency: 50 ms; n = 2 peers; coverage 100 %
    """
    checked_share("confidence", confidence)
    columns = [by, "peers", "measurements", "median_ms", "low_ms", "high_ms", "fastest_ms", "slowest_ms"]
    check_group(by, ("latency_ms",))
    free_name("by", by, columns[1:])
    got = rows(network, "peer_id", "latency_ms", by, optional=("status",), start=start, end=end, gaps=gaps)
    got = without_gaps(got, on_gap).by_time()
    things, names = coded(got.texts("peer_id"))
    latency, factor = tamed(got.numbers("latency_ms"))
    use = (things >= 0) & np.isfinite(latency) & (latency >= 0)
    if got.has("status"):
        use &= np.array([s in (None, THERE) for s in got.texts("status")], dtype=np.bool_)
    frame = pd.DataFrame({"peer": things[use], "ms": latency[use]})
    each = frame.groupby("peer")["ms"].agg(["median", "count"])
    each["place"] = _place_of(got, things, names, by)[each.index.to_numpy(np.int64)]
    lines = [_group(str(place), part, confidence) for place, part in each.groupby("place", sort=True)]
    kinds = {by: "str", "peers": "int64", "measurements": "int64"} | dict.fromkeys(columns[3:], "float64")
    table = pd.DataFrame(lines, columns=columns).astype(kinds)
    table = table.sort_values("median_ms", kind="stable", ignore_index=True)
    table[columns[3:]] = times(table[columns[3:]].to_numpy(), factor)
    value = None if (level := middle(each["median"].to_numpy(float))) is None else float(times(level, factor))
    name = "Median peer latency"
    line = reading(name, value, "ms", len(each), got.coverage, of="peer", why="no latency was told")
    few = int((table["peers"] < 6).sum())
    notes = (f"fewer than 6 peers, hence no 95 % interval: {counted(few, 'group')}",) if few else ()
    chart = Chart("dots", by, ("median_ms",), by, "ms", low="low_ms", high="high_ms")
    return Result(name, value, "ms", table, line, notes, got.coverage, len(each), chart)


def _group(place: str, part: pd.DataFrame, confidence: float) -> tuple[Any, ...]:
    medians = np.sort(part["median"].to_numpy(float))
    low, high = median_interval(medians, confidence)
    total = int(part["count"].sum())
    return place, len(medians), total, float(np.median(medians)), low, high, float(medians[0]), float(medians[-1])


def median_interval(ordered: npt.NDArray[np.float64], confidence: float) -> tuple[float, float]:
    """The interval of the median between order statistics of sorted values; (nan, nan) where there are too few.

    >>> median_interval(np.arange(1.0, 11.0), 0.95)
    (2.0, 9.0)
    """

    n, below, rank = len(ordered), 0.0, 0
    while rank < n // 2:
        below += math.comb(n, rank) / 2**n
        if below > (1 - confidence) / 2:
            break
        rank += 1
    return (float(ordered[rank - 1]), float(ordered[n - rank])) if rank else (float("nan"), float("nan"))


def _sessions(got: Rows) -> tuple[Spells, list[str]]:
    """The spells of all peers by whether they are connected (1) or not (0)."""
    things, names = coded(got.texts("peer_id"))
    states = np.array([-1 if s is None else int(s == THERE) for s in got.texts("status")], dtype=np.int64)
    return spells(got.time_ns, things, states, got.holes, got.end_ns), names


def peer_sessions(
    network: Data,
    *,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """How long peers stay connected, and how often they come and go (churn).

    ``value`` is the median session length in seconds by Kaplan and Meier (1958), from the sessions whose begin was
    seen; those still open at a gap, or at the end, count as at least so long. It is None where fewer than half ended:
    short data of a stable network cannot tell. The notes tell the churn: departures seen, over the connected time of
    all peers, by the hour; that rate needs no session to be seen whole.

    Args:
        network: rows of the network topic.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row a session, in order of time; index 0, 1, 2, …:

        ``peer_id`` (str): who.
        ``start`` (datetime64[ns, UTC]): when it began, or was first seen.
        ``end`` (datetime64[ns, UTC]): when it ended, or was last known to go on.
        ``duration_s`` (float64, s): from ``start`` to ``end``: a lower bound where a side was cut.
        ``cut_left`` (bool): the begin was not seen (the begin of the data, or a gap).
        ``cut_right`` (bool): the end was not seen (the end of the data, or a gap).

    Raises:
        BadOption: a column ``peer_id`` or ``status`` is missing.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap, and ``on_gap="raise"``.

    >>> times = pd.to_datetime([0, 1, 5, 9], unit="s", utc=True)
    >>> frame = pd.DataFrame({"timestamp": times, "peer_id": "a"})
    >>> peer_sessions(frame.assign(status=["DISCONNECTED", "CONNECTED", "DISCONNECTED", "DISCONNECTED"]))
    Session length, median: 4 s; n = 1 session; coverage 100 %
    """
    got = without_gaps(rows(network, "peer_id", "status", start=start, end=end, gaps=gaps), on_gap)
    found, names = _sessions(got)
    there = found.where(found.state == 1)
    table = there.table("peer_id", names, "state", ["", THERE]).drop(columns="state")
    table = table.sort_values(["start", "peer_id"], kind="stable", ignore_index=True)
    known = ~there.cut_left
    value = survival_median(there.seconds[known], ~there.cut_right[known])
    n = int(known.sum())
    name = "Session length, median"
    why = "no session was seen from its begin" if not n else "fewer than half of the sessions ended"
    line = reading(name, value, "s", n, got.coverage, of="session", why=why)
    hours, left = float(there.seconds.sum()) / 3600, int((~there.cut_right).sum())
    rate = f"{left / hours:.4g} departures an hour of a peer's connection" if hours else "no connected time"
    notes = (f"churn: {rate} ({counted(left, 'departure')}, {counted(n, 'arrival')})",)
    chart = Chart("dots", "start", ("duration_s",), "time (UTC)", "seconds connected", holes=got.shown_holes())
    return Result(name, value, "s", table, line, notes, got.coverage, n, chart)
