"""Health, phase or role of the consensus (or of a network) as a process: how long in each, and what follows what."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from aurigraph_nb.durations import Moment

from .inputs import Data, Gaps, OnGap, Rows, free_name, rows, without_gaps
from .inputs import share as checked_share
from .numeric import counted, survival_median, wilson
from .plots import Chart
from .result import Result, reading
from .spells import Spells, coded, spells, spells_of


def _spells(
    data: Data, column: str, start: Moment | None, end: Moment | None, gaps: Gaps, on_gap: OnGap
) -> tuple[Rows, Spells, list[str]]:
    got = without_gaps(rows(data, column, start=start, end=end, gaps=gaps), on_gap)
    found, _, words = spells_of(got, "", column)
    used, codes = np.unique(found.state, return_inverse=True)  # a word that another one replaced at once makes no spell
    return got, found._replace(state=codes.astype(np.int64)), [words[i] for i in used]


def leader_tenure(
    consensus: Data,
    *,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """How long each leader leads before another one does, or nobody.

    Successive rounds under one leader are one tenure. ``value`` is the median by Kaplan and Meier (1958), which takes a
    tenure that was still going on at a gap, or at the end, for at least as long as it was seen. Tenures of which the
    begin was not seen are left out of it. It is None where less than half ended.

    Args:
        consensus: rows of the consensus topic.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row a tenure, in order of time; times without a leader make none; index 0, 1, 2, …:

        ``leader`` (str): who led.
        ``start`` (datetime64[ns, UTC]): when it began, or was first seen.
        ``end`` (datetime64[ns, UTC]): when it ended, or was last known to go on.
        ``duration_s`` (float64, s): from ``start`` to ``end``: a lower bound where a side was cut.
        ``cut_left`` (bool): the begin was not seen (the begin of the data, or a gap).
        ``cut_right`` (bool): the end was not seen (the end of the data, or a gap).

    Raises:
        BadOption: there is no column ``leader``.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap, and ``on_gap="raise"``.

    >>> import pandas as pd
    >>> times = pd.to_datetime([0, 1, 2, 5], unit="s", utc=True)
    >>> leader_tenure(pd.DataFrame({"timestamp": times, "leader": ["a", "b", "b", "c"]}))
    Leader tenure, median: 4 s; n = 2 tenures; coverage 100 %
    """
    got = without_gaps(rows(consensus, "leader", start=start, end=end, gaps=gaps), on_gap)
    texts = got.texts("leader")
    marked = np.array(["" if t is None else f"={t}" for t in texts], dtype=object)  # nobody is a state, too
    found, words = _leaders(got, marked)
    table = found.table("", [], "leader", words).sort_values("start", kind="stable", ignore_index=True)
    known = ~found.cut_left
    value = survival_median(found.seconds[known], ~found.cut_right[known])
    n = int(known.sum())
    name = "Leader tenure, median"
    why = "no tenure was seen from its begin" if not n else "less than half of the tenures ended"
    line = reading(name, value, "s", n, got.coverage, of="tenure", why=why)
    cut = int((found.cut_right & known).sum())
    notes = (f"still going on when last seen: {counted(cut, 'tenure')}",) if cut else ()
    chart = Chart("dots", "start", ("duration_s",), "time (UTC)", "seconds", by="leader", holes=got.shown_holes())
    return Result(name, value, "s", table, line, notes, got.coverage, n, chart)


def _leaders(got: Rows, marked: Any) -> tuple[Spells, list[str]]:
    states, words = coded(marked)
    found = spells(got.time_ns, np.zeros(len(got), np.int64), states, got.holes, got.end_ns)
    nobody = words.index("") if "" in words else -1
    kept = found.where((found.state != nobody) & ((found.end_ns > found.start_ns) | ~found.cut_left))
    return kept, [w[1:] for w in words]


def health_dwell(
    consensus: Data,
    *,
    column: str = "health",
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """How long the health stays what it is, and its share of the time that was seen.

    ``value`` is the share (0-1) of the seen time in the state seen longest; the table has all. ``column`` may be any
    column of words of a stream that speaks for one thing, such as ``state``. The server's shape of the consensus has no
    health: then all rows are null, and ``value`` is None.

    Args:
        consensus: rows of the consensus topic.
        column: the column of words that is the state.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row a state that was seen, longest first; index 0, 1, 2, …:

        ``health`` (str): the state; called as ``column``.
        ``spells`` (int64): how often it was seen.
        ``whole`` (int64): of them, seen from begin to end.
        ``seconds`` (float64, s): in all.
        ``share`` (float64, 0-1): of the time that was seen; NaN for no time.
        ``mean_s`` (float64, s): seconds over the number of ends seen: the maximum-likelihood mean of an exponential
            dwell time with censoring; NaN where no end was seen.
        ``median_s`` (float64, s): by Kaplan and Meier (1958), of the spells whose begin was seen; NaN where fewer than
            half of them ended.
        ``longest_s`` (float64, s): the longest spell, as far as it was seen.

    Raises:
        BadOption: there is no such column.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap, and ``on_gap="raise"``.

    >>> import pandas as pd
    >>> times = pd.to_datetime([0, 6, 8], unit="s", utc=True)
    >>> result = health_dwell(pd.DataFrame({"timestamp": times, "health": ["OPTIMAL", "DEGRADED", "OPTIMAL"]}))
    >>> result.table[["health", "seconds", "share"]].values.tolist()
    [['OPTIMAL', 6.0, 0.75], ['DEGRADED', 2.0, 0.25]]
    """
    names = [column, "spells", "whole", "seconds", "share", "mean_s", "median_s", "longest_s"]
    free_name("column", column, names[1:])
    got, found, words = _spells(consensus, column, start, end, gaps, on_gap)
    lines = [_dwell(word, found.where(found.state == code)) for code, word in enumerate(words)]
    kinds: Any = {"spells": "int64", "whole": "int64", "seconds": float, "share": float, "mean_s": float}
    kinds |= {"median_s": float, "longest_s": float, column: "str"}
    table = pd.DataFrame(lines, columns=names)
    total = table["seconds"].sum()
    table["share"] = table["seconds"] / total if total else np.nan
    table = table.astype(kinds).sort_values("seconds", ascending=False, kind="stable", ignore_index=True)
    value = float(table["share"].iloc[0]) if total else None
    top = str(table[column].iloc[0]) if len(table) else ""
    name = f"Share of the time in {column} {top!r}" if total else f"Share of the time by {column}"
    line = reading(name, value, "", len(found.state), got.coverage, of="spell", why=f"no row tells the {column}")
    chart = Chart("bar", column, ("share",), column, "share of the time")
    return Result(name, value, "", table, line, (), got.coverage, len(found.state), chart)


def _dwell(word: str, mine: Spells) -> tuple[Any, ...]:
    seconds, ends = mine.seconds, int((~mine.cut_right).sum())
    known = ~mine.cut_left
    median = survival_median(seconds[known], ~mine.cut_right[known])
    total = float(seconds.sum())
    mean = total / ends if ends else np.nan
    return word, len(seconds), int(mine.whole.sum()), total, 0.0, mean, median, float(seconds.max())


def health_transitions(
    consensus: Data,
    *,
    column: str = "health",
    confidence: float = 0.95,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """What health follows what: the transition matrix of the chain of states, and the rates of a Markov process.

    ``probability`` is the share of the changes out of ``before`` that lead to ``after``, with Wilson's interval;
    ``per_hour`` is their number over the time spent in ``before``: the maximum-likelihood rate of a continuous-time
    Markov chain (P. Billingsley 1961, Statistical Inference for Markov Processes). A change that lies in a gap was not
    seen and does not count; the time seen does. ``value`` is the number of changes.

    Args:
        consensus: rows of the consensus topic.
        column: the column of words that is the state.
        confidence: of the intervals, between 0 and 1.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row for each pair of different states that occur; index 0, 1, 2, …:

        ``before`` (str): the state that was left.
        ``after`` (str): the state that followed.
        ``count`` (int64): changes seen.
        ``probability`` (float64, 0-1): of those out of ``before``; NaN where there is none.
        ``low`` (float64, 0-1): begin of its interval; NaN likewise.
        ``high`` (float64, 0-1): its end; NaN likewise.
        ``per_hour`` (float64, 1/h): changes over the time spent in ``before``; NaN for no time.

    Raises:
        BadOption: there is no such column.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap, and ``on_gap="raise"``.

    >>> import pandas as pd
    >>> times = pd.to_datetime([0, 6, 8], unit="s", utc=True)
    >>> frame = pd.DataFrame({"timestamp": times, "health": ["OPTIMAL", "DEGRADED", "OPTIMAL"]})
    >>> health_transitions(frame).table[["before", "after", "count", "per_hour"]].values.tolist()
    [['DEGRADED', 'OPTIMAL', 1, 1800.0], ['OPTIMAL', 'DEGRADED', 1, 600.0]]
    """
    checked_share("confidence", confidence)
    got, found, words = _spells(consensus, column, start, end, gaps, on_gap)
    counts = np.zeros((len(words), len(words)), np.int64)
    moves = np.flatnonzero(~found.cut_right)
    np.add.at(counts, (found.state[moves], found.state[moves + 1]), 1)
    spent = np.bincount(found.state, weights=found.seconds, minlength=len(words))
    lines = [
        (words[a], words[b], counts[a, b], *_move(counts, spent, a, b, confidence))
        for a in range(len(words))
        for b in range(len(words))
        if a != b
    ]
    table = pd.DataFrame(lines, columns=["before", "after", "count", "probability", "low", "high", "per_hour"])
    kinds: Any = {"before": "str", "after": "str", "count": "int64", "probability": float, "low": float, "high": float}
    table = table.astype({**kinds, "per_hour": float})
    total = int(counts.sum())
    value = total if len(found.state) else None
    name = f"Changes of {column}"
    line = reading(name, value, "", len(found.state), got.coverage, of="spell", why=f"no row tells the {column}")
    notes = ("fewer than 30 changes: the intervals are wide, and the rates rough",) if 0 < total < 30 else ()
    chart = Chart("heatmap", "after", ("probability",), "after", "probability", by="before")
    return Result(name, value, "", table, line, notes, got.coverage, len(found.state), chart)


def _move(counts: Any, spent: Any, a: int, b: int, confidence: float) -> tuple[float, float, float, float]:
    count, out = int(counts[a, b]), int(counts[a].sum())
    low, high = wilson(count, out, confidence)
    rate = 3600 * count / spent[a] if spent[a] > 0 else np.nan
    return count / out if out else np.nan, low, high, rate
