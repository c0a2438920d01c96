"""What peers send and receive, from counters that start again when a peer does."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd

from aurigraph_nb.durations import Moment

from .inputs import Data, Gaps, OnGap, Rows, rows, without_gaps
from .numeric import counted
from .plots import Chart
from .result import Result, reading
from .spells import coded

COUNTERS = ("inbound_bytes", "outbound_bytes")
_BEYOND = 2**63
"""No counter of bytes gets here, and a column of whole numbers cannot hold it."""


def peer_bandwidth(
    network: Data,
    *,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """Bytes per second of each peer, from its byte counters.

    Between two rows of a peer a counter grew by the difference; where it fell it started again from 0, and grew by what
    it shows (the rule of Prometheus' ``increase``, without its extrapolation). What was counted between the last row
    before a restart and the restart is lost, so with restarts the figure is a lower bound; they are told. A counter
    goes on counting through a gap of the stream: the bytes are not missing, though a restart inside it may go unseen.
    So gaps cost nothing here but that, and ``coverage`` is the share of peers' time between first and last row.

    ``value`` is the sum over all peers, both directions, in bytes a second: each peer's bytes over its own time.

    Assumes that a counter only falls when it starts again.

    Args:
        network: rows of the network topic.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row a peer, by name; index 0, 1, 2, …:

        ``peer_id`` (str): who.
        ``seconds`` (float64, s): from its first to its last row with counters.
        ``inbound_bytes`` (Int64, B): grown in that time; <NA> where fewer than two rows tell.
        ``outbound_bytes`` (Int64, B): likewise.
        ``inbound_per_s`` (float64, B/s): their ratio; NaN where fewer than two rows tell, or at one time.
        ``outbound_per_s`` (float64, B/s): likewise.
        ``restarts`` (int64): of its counters.

    Raises:
        BadOption: a column ``peer_id``, ``inbound_bytes`` or ``outbound_bytes`` is missing.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap, and ``on_gap="raise"``.

    >>> frame = pd.DataFrame({"timestamp": pd.to_datetime([0, 1, 4], unit="s", utc=True), "peer_id": "a"})
    >>> peer_bandwidth(frame.assign(inbound_bytes=[100, 140, 20], outbound_bytes=[0, 0, 20]))
    Bandwidth of all peers: 20 B/s; n = 1 peer; coverage 100 %
    """
    got = rows(network, "peer_id", *COUNTERS, start=start, end=end, gaps=gaps)
    got = without_gaps(got, on_gap).by_time()
    things, names = coded(got.texts("peer_id"))
    counters = [_whole_numbers(got, c) for c in COUNTERS]
    order = np.argsort(things, kind="stable")
    edges = np.searchsorted(things[order], np.arange(len(names) + 1))
    lines = [(name, *_grown(got, counters, order[edges[i] : edges[i + 1]])) for i, name in enumerate(names)]
    columns = ["peer_id", "seconds", *COUNTERS, "inbound_per_s", "outbound_per_s", "restarts"]
    kinds: Any = {"peer_id": "str", "seconds": float, "restarts": "int64"}
    kinds |= {"inbound_per_s": float, "outbound_per_s": float}
    table = pd.DataFrame(lines, columns=columns, dtype=object).astype({**kinds, **dict.fromkeys(COUNTERS, "Int64")})
    rates = table[["inbound_per_s", "outbound_per_s"]].to_numpy(float)
    known = np.isfinite(rates).any(axis=1)
    value = float(np.nansum(rates)) if known.any() else None
    n = int(known.sum())
    coverage = float(table["seconds"].sum() / (got.span_s * len(table))) if got.span_s > 0 and len(table) else None
    name = "Bandwidth of all peers"
    line = reading(name, value, "B/s", n, coverage, of="peer", why="no peer told a counter twice")
    restarts = int(table["restarts"].sum())
    notes = (
        (f"a lower bound: {counted(restarts, 'restart')} of counters lost what was counted last",) if restarts else ()
    )
    chart = Chart("bar", "peer_id", ("inbound_per_s", "outbound_per_s"), "peer", "bytes a second")
    return Result(name, value, "B/s", table, line, notes, coverage, n, chart)


def _whole_numbers(got: Rows, column: str) -> list[int | None]:
    """The counter exactly; what is no number of bytes is None."""
    found = got.objects(column)
    return [int(v) if v is not None and v == v and 0 <= v < _BEYOND else None for v in found]


def _grown(got: Rows, counters: list[list[int | None]], mine: Any) -> tuple[Any, ...]:
    sums: list[int | None] = []
    told: list[int] = []
    restarts: set[int] = set()
    for counter in counters:
        at = [i for i in mine.tolist() if counter[i] is not None]
        values = [v for i in at if (v := counter[i]) is not None]
        fell = {at[k] for k in range(1, len(at)) if values[k] < values[k - 1]}
        restarts |= fell
        grown = sum(b - a if b >= a else b for a, b in itertools.pairwise(values))
        sums.append(grown if len(at) > 1 else None)
        told += at
    seconds = (int(got.time_ns[max(told)]) - int(got.time_ns[min(told)])) / 1e9 if told else 0.0
    rates = [np.nan if s is None or not seconds else s / seconds for s in sums]
    return seconds, *(pd.NA if s is None or s >= _BEYOND else s for s in sums), *rates, len(restarts)
