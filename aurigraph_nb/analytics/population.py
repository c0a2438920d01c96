"""How many peers are there, by place and by version, over time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurigraph_nb.durations import Duration, Moment
from aurigraph_nb.errors import BadOption

from .bins import grid
from .inputs import Data, Gaps, OnGap, Rows, free_name, rows, without_gaps
from .peers import NOT_TOLD, THERE, check_group
from .plots import Chart
from .result import Result, reading
from .spells import Spells, coded, in_state_at, spells

Ints = npt.NDArray[np.int64]

MOST_CELLS = 5_000_000
"""Rows that one call may make; how many groups there are is up to the feed."""


def peers_over_time(
    network: Data,
    *,
    by: str = "country",
    every: Duration = "10s",
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """How many peers are connected, by country, city or version, over time.

    The count is taken at the begin of each bin, of the peers seen by then: at the begin of the data and after a gap it
    grows as peers show themselves, which is no growth of the network. Inside a gap it is NaN. A peer whose ``by``
    changes counts under what it said last before. ``value`` is the number connected at the last moment that was seen.

    A plain count of what was seen. Assumes that a peer is connected until the stream says that it is not.

    Args:
        network: rows of the network topic.
        by: the column that groups peers: country, city or version.
        every: width of a bin.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row for each bin and group; index 0, 1, 2, …:

        ``timestamp`` (datetime64[ns, UTC]): begin of the bin.
        ``country`` (str): the group, called as ``by``; "not told" where it is missing.
        ``peers`` (float64, peers): connected at that moment; NaN inside a gap.
        ``share`` (float64, 0-1): of all connected; NaN where nobody is, and inside a gap.
        ``coverage`` (float64, 0-1): share of the bin that was seen.

    Raises:
        BadOption: a column ``peer_id``, ``status`` or ``by`` is missing, or ``every`` is out of range.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap, and ``on_gap="raise"``.

    >>> frame = pd.DataFrame({"timestamp": pd.to_datetime([0, 1, 2], unit="s", utc=True), "peer_id": list("aba")})
    >>> frame = frame.assign(status=["CONNECTED", "CONNECTED", "DISCONNECTED"], country="Japan")
    >>> peers_over_time(frame, every="1s").table["peers"].tolist()
    [1.0, 2.0, 1.0]
    """
    check_group(by, ("status",))
    free_name("by", by, ("peers", "share", "coverage"))
    got = rows(network, "peer_id", "status", by, start=start, end=end, gaps=gaps)
    got = without_gaps(got, on_gap).by_time()
    there, words = _grouped(got, by)
    bins = grid(got, every)
    moments = np.maximum(bins.starts_ns, got.start_ns or 0)
    inside = _hidden(got, moments)
    if bins.count * len(words) > MOST_CELLS:
        raise BadOption(
            f"every={every!r}: {bins.count:,} bins of {len(words):,} groups, and {MOST_CELLS:,} rows are the most; "
            "take wider bins, or a range (start=, end=)"
        )
    coverage = bins.coverage(got)
    parts = []
    for code, word in enumerate(words):
        count = np.where(inside, np.nan, in_state_at(there.where(there.state == code), moments))
        parts.append(pd.DataFrame({"timestamp": bins.starts(), by: word, "peers": count, "coverage": coverage}))
    none = {"timestamp": bins.starts()[:0], by: pd.Series([], dtype="str"), "peers": [], "coverage": []}
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(none)
    total = table.groupby("timestamp")["peers"].transform("sum", min_count=1)
    table.insert(3, "share", table["peers"] / total.where(total > 0))
    table = table.astype({by: "str", "peers": float, "share": float, "coverage": float})
    n = len({t for t in got.texts("peer_id") if t is not None})
    last = got.until_ns - (got.until_ns != got.end_ns)  # the end, or the last moment before the gap that lasts to it
    value = int(np.sum((there.start_ns <= last) & (there.end_ns > last))) if n else None
    name = "Peers connected at the end"
    line = reading(name, value, "", n, got.coverage, of="peer", why="no peers were seen")
    chart = Chart("step", "timestamp", ("peers",), "time (UTC)", "peers connected", by=by, holes=got.shown_holes())
    return Result(name, value, "", table, line, (), got.coverage, n, chart)


def _grouped(got: Rows, by: str) -> tuple[Spells, list[str]]:
    """The spells of being connected, the state of each being its group."""
    things, _ = coded(got.texts("peer_id"))
    place: dict[int, str] = {}
    status: dict[int, str] = {}
    marks = np.full(len(got), None, dtype=object)
    for i, (thing, text, state) in enumerate(zip(things.tolist(), got.texts(by), got.texts("status"), strict=True)):
        if text is not None:
            place[thing] = text
        if state is not None:
            status[thing] = state
        if thing in status:
            there = status[thing] == THERE
            marks[i] = f"+{place.get(thing, NOT_TOLD)}" if there else "-"
    states, words = coded(marks)
    end = None if got.end_ns is None else got.end_ns + 1  # the last moment counts
    found = spells(got.time_ns, things, states, got.holes, end)
    away = words.index("-") if "-" in words else -1
    kept = found.where(found.state != away)
    used = [w for i, w in enumerate(words) if i != away]
    place_of = np.array([used.index(w) if w in used else -1 for w in words] or [0], dtype=np.int64)
    return kept._replace(state=place_of[kept.state]), [w[1:] for w in used]


def _hidden(got: Rows, moments: Ints) -> npt.NDArray[np.bool_]:
    """Which of the moments lie in a gap."""
    place = np.searchsorted(got.holes.ends, moments, side="right")
    return np.asarray(np.append(got.holes.starts, np.iinfo(np.int64).max)[place] <= moments)


def version_adoption(
    network: Data,
    *,
    every: Duration = "10s",
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """The share of each software version among the connected peers, over time.

    As :func:`peers_over_time` by version. ``value`` is the share (0-1) of the most common version at the last moment
    that was seen.

    A plain count of what was seen; a peer's version is the last that it told.

    Args:
        network: rows of the network topic.
        every: width of a bin.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row for each bin and version; index 0, 1, 2, …:

        ``timestamp`` (datetime64[ns, UTC]): begin of the bin.
        ``version`` (str): the version; "not told" where it is missing.
        ``peers`` (float64, peers): connected at that moment; NaN inside a gap.
        ``share`` (float64, 0-1): of all connected; NaN where nobody is, and inside a gap.
        ``coverage`` (float64, 0-1): share of the bin that was seen.

    Raises:
        BadOption: a column ``peer_id``, ``status`` or ``version`` is missing, or ``every`` is out of range.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap, and ``on_gap="raise"``.

    >>> frame = pd.DataFrame({"timestamp": pd.to_datetime([0, 1, 2], unit="s", utc=True), "peer_id": list("aba")})
    >>> version_adoption(frame.assign(status="CONNECTED", version=["1", "2", "2"]), every="1s").value
    1.0
    """
    whole = peers_over_time(network, by="version", every=every, start=start, end=end, gaps=gaps, on_gap=on_gap)
    known = whole.table[whole.table["share"].notna()]
    last = known[known["timestamp"] == known["timestamp"].max()]
    best = last.sort_values(["share", "version"], ascending=[False, True]).head(1)
    value = float(best["share"].iloc[0]) if len(best) else None
    name = f"Share of version {best['version'].iloc[0]!r}" if len(best) else "Share of the most common version"
    line = reading(name, value, "", whole.n, whole.coverage, of="peer", why="no connected peer told its version")
    chart = Chart(
        "step", "timestamp", ("share",), "time (UTC)", "share of the peers", by="version", holes=whole.chart.holes
    )
    return Result(name, value, "", whole.table, line, (), whole.coverage, whole.n, chart)
