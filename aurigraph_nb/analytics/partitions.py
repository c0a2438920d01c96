"""Partitions of the network, found from its peers: when many go at once, which ones, and when they are back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurigraph_nb.durations import Duration, Moment, nanoseconds
from aurigraph_nb.errors import BadOption

from .extras import scipy
from .inputs import Data, Gaps, OnGap, Rows, rows, stamps, whole, without_gaps
from .inputs import share as checked_share
from .peers import NOT_TOLD, THERE
from .plots import Chart
from .result import Result, reading
from .spells import Spells, coded, spells

Ints = npt.NDArray[np.int64]
ITERATIONS = 20


class Wave(NamedTuple):
    """Departures [first, stop) that come too close together for chance."""

    first: int
    stop: int
    p_value: float


def partitions(
    network: Data,
    *,
    by: str = "country",
    within: Duration = "2s",
    least: int = 3,
    alpha: float = 0.01,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """Times in which many peers were lost at once, and until most of them were back.

    A peer departs when a row says that it is no longer connected. In quiet times departures come one by one, as a
    Poisson process of rate q; a window of length ``within`` that begins with a departure and holds k of them is part of
    a partition if k is at least ``least`` and the chance of k - 1 more within it, P(Poisson(q within) >= k - 1), is at
    most ``alpha`` over the number of departures (Bonferroni: so the chance of a false one anywhere is at most
    ``alpha``). Windows that overlap are one wave. q is estimated from the departures outside of waves and the time, in
    turn with them. (Scan statistic: J. Naus 1965, The distribution of the size of the maximum cluster of points on a
    line, JASA 60, 532-538, with a Bonferroni bound for its distribution.)

    A partition begins with the wave's first departure and ends when half of the peers lost were seen again. Where that
    did not happen by a gap, or by the end of the data, the end is cut there. What departs inside a gap is not seen.

    ``value`` is the number of partitions, None where there are no peers. A node that stops looks alike from here: what
    this tells is that peers were lost to the observer, not why.

    Args:
        network: rows of the network topic.
        by: column that says where peers are, where it came.
        within: in which time the peers of one partition go.
        least: peers lost, at least.
        alpha: chance of a false partition in the whole of the data.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row a partition, in order of time; index 0, 1, 2, …:

        ``start`` (datetime64[ns, UTC]): the first departure.
        ``end`` (datetime64[ns, UTC]): when half of the peers lost were back, or nobody could see any more.
        ``duration_s`` (float64, s): between them.
        ``lost`` (int64): peers.
        ``share`` (float64, 0-1): of those connected just before; NaN where none was.
        ``back`` (int64): of those lost, by the end of the data or the gap.
        ``where`` (str): the places of those lost, most first, with numbers.
        ``p_value`` (float64, 0-1): chance of such a wave anywhere in the data.
        ``cut_right`` (bool): the end was not seen.

    Raises:
        BadOption: a column ``peer_id`` or ``status`` is missing, or an option is out of range.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap, and ``on_gap="raise"``.
        MissingExtra: scipy is not installed.

    >>> peers = [(0, p, "CONNECTED") for p in "abcdef"] + [(30 + i / 2, p, "DISCONNECTED") for i, p in enumerate("abc")]
    >>> peers += [(50 + i, p, "CONNECTED") for i, p in enumerate("abc")] + [(400, "f", "CONNECTED")]
    >>> frame = pd.DataFrame(peers, columns=["timestamp", "peer_id", "status"])
    >>> found = partitions(frame.assign(timestamp=pd.to_datetime(frame.timestamp, unit="s", utc=True)))
    >>> found, found.table[["duration_s", "share"]].values.tolist()
    (Partitions: 1; n = 6 peers; coverage 100 %, [[21.0, 0.5]])
    """
    checked_share("alpha", alpha)
    whole("least", least, 2)
    within_ns = nanoseconds(within, option="within")
    if not within_ns:
        raise BadOption(f"within={within!r}: a duration above 0 was expected")
    got = rows(network, "peer_id", "status", optional=(by,), start=start, end=end, gaps=gaps)
    got = without_gaps(got, on_gap).by_time()
    things, names = coded(got.texts("peer_id"))
    states = np.array([-1 if s is None else int(s == THERE) for s in got.texts("status")], dtype=np.int64)
    there = spells(got.time_ns, things, states, got.holes, got.end_ns)
    there = there.where(there.state == 1)
    left = there.where(~there.cut_right)
    left = _by_end(left)
    seen_s = got.span_s - got.missing_s
    found = waves(left.end_ns, within_ns, seen_s, least, alpha)
    places = _places(got, things, names, by)
    lines = [_partition(wave, left, there, got, places) for wave in found]
    columns = ["start", "end", "duration_s", "lost", "share", "back", "where", "p_value", "cut_right"]
    table = pd.DataFrame(lines, columns=columns)
    for column in ("start", "end"):
        table[column] = stamps(table[column].to_numpy(np.int64))
    kinds: Any = {"duration_s": float, "share": float, "p_value": float, "where": "str", "cut_right": bool}
    table = table.astype({**kinds, "lost": "int64", "back": "int64"})
    value = len(table) if names else None
    name = "Partitions"
    line = reading(name, value, "", len(names), got.coverage, of="peer", why="no peers were seen")
    notes = (f"departures seen: {len(left.end_ns):,}",) if names else ()
    chart = Chart("dots", "start", ("share",), "time (UTC)", "share of the peers lost", holes=got.shown_holes())
    return Result(name, value, "", table, line, notes, got.coverage, len(names), chart)


def _by_end(left: Spells) -> Spells:
    order = np.argsort(left.end_ns, kind="stable")
    return Spells._make(column[order] for column in left)


def waves(departures: Ints, within_ns: int, seen_s: float, least: int, alpha: float) -> list[Wave]:
    """The waves among departures in order of time."""
    n = len(departures)
    if n < least or seen_s <= 0:
        return []
    poisson = scipy("stats", "finding partitions").poisson
    stop = np.searchsorted(departures, departures + within_ns, side="right")
    held = stop - np.arange(n)
    inside = _covered(np.flatnonzero(held >= least), stop)  # to begin with, every full window may be one
    chance = np.ones(n)
    for _ in range(ITERATIONS):
        quiet_s = max(seen_s - within_ns / 1e9 * int(np.sum(np.diff(inside.astype(int), prepend=0) == 1)), 1e-9)
        rate = (int(np.sum(~inside)) + 0.5) / quiet_s
        chance = poisson.sf(held - 2, rate * within_ns / 1e9)  # P(X >= k - 1)
        before, inside = inside, _covered(np.flatnonzero((held >= least) & (chance <= alpha / n)), stop)
        if np.array_equal(before, inside):
            break
    return _joined(np.flatnonzero((held >= least) & (chance <= alpha / n)), stop, chance, n)


def _covered(hits: Ints, stop: Ints) -> npt.NDArray[np.bool_]:
    """Which departures lie in one of the windows."""
    size = len(stop) + 1
    open_ = np.cumsum(np.bincount(hits, minlength=size) - np.bincount(stop[hits], minlength=size))
    return np.asarray(open_[:-1] > 0)


def _joined(hits: Ints, stop: Ints, chance: Any, n: int) -> list[Wave]:
    found: list[Wave] = []
    for i in hits.tolist():
        p = min(1.0, float(chance[i]) * n)
        if found and i < found[-1].stop:
            last = found.pop()
            found.append(Wave(last.first, max(last.stop, int(stop[i])), min(last.p_value, p)))
        else:
            found.append(Wave(i, int(stop[i]), p))
    return found


def _places(got: Rows, things: Ints, names: list[str], by: str) -> list[str]:
    places = [NOT_TOLD] * len(names)
    if got.has(by):
        for thing, text in zip(things.tolist(), got.texts(by), strict=True):
            if thing >= 0 and text is not None:
                places[thing] = text
    return places


def _partition(wave: Wave, left: Spells, there: Spells, got: Rows, places: list[str]) -> tuple[Any, ...]:
    gone = slice(wave.first, wave.stop)
    begin = int(left.end_ns[wave.first])
    lost = dict(zip(left.thing[gone].tolist(), left.end_ns[gone].tolist(), strict=True))
    before = int(np.sum((there.start_ns < begin) & (there.end_ns >= begin)))
    later = got.holes.starts[got.holes.starts >= begin]
    limit = min(int(later[0]) if len(later) else got.end_ns or begin, got.end_ns or begin)
    returns = []
    for thing, went in lost.items():
        again = there.start_ns[(there.thing == thing) & (there.start_ns > went) & (there.start_ns <= limit)]
        if len(again):
            returns.append(int(again.min()))
    returns.sort()
    half = -(-len(lost) // 2)
    over = len(returns) >= half
    end = returns[half - 1] if over else limit
    counts = pd.Series([places[t] for t in lost]).value_counts()
    where = ", ".join(f"{place} {count}" for place, count in sorted(counts.items(), key=lambda c: (-c[1], str(c[0]))))
    share = len(lost) / before if before else np.nan
    return begin, end, (end - begin) / 1e9, len(lost), share, len(returns), where, wave.p_value, not over
