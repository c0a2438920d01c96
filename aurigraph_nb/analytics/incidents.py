"""Incidents of leader churn, found in the consensus rows alone: when leaders change again and again within rounds.

The data are one count a round: how often a leader was lost or replaced before the round was over. In quiet times that
is rare, and Poisson; in an incident it happens at a rate of its own. Each round adds to the evidence of an incident the
logarithm of the likelihood ratio of its count; a stretch of rounds is an incident if its evidence exceeds a penalty.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurigraph_nb.durations import Moment
from aurigraph_nb.errors import BadOption

from .inputs import Data, Gaps, OnGap, Rows, stamps
from .inputs import share as checked_share
from .numeric import counted
from .plots import Chart, draw, moment
from .result import Result, reading
from .rounds import consensus_rows, rounds_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

Floats = npt.NDArray[np.float64]

ITERATIONS = 25
LEAST_BASELINE = 1e-4
"""Losses a round in quiet times, at least: without a floor one loss in a quiet span would be infinite evidence."""


class Segments(NamedTuple):
    """Stretches of counts [first, stop) that stand out, their evidence in nats, and the two rates."""

    first: npt.NDArray[np.int64]
    stop: npt.NDArray[np.int64]
    evidence: Floats
    quiet: float
    raised: float


def best_stretches(score: Floats, penalty: float) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The disjoint stretches [first, stop) with the largest sum of scores, each having to earn ``penalty``.

    Dynamic programming over two states (outside and inside), in one pass: exact, and linear in the number of scores.

    >>> [ends.tolist() for ends in best_stretches(np.array([-1.0, 5.0, 4.0, -1.0, -1.0]), 3.0)]
    [[1], [3]]
    """
    outside, inside = 0.0, -math.inf
    enters = np.zeros(len(score), np.bool_)
    leaves = np.zeros(len(score), np.bool_)
    for i, s in enumerate(score.tolist()):
        enters[i], leaves[i] = outside - penalty >= inside, inside > outside
        outside, inside = max(outside, inside), s + max(inside, outside - penalty)
    first: list[int] = []
    stop: list[int] = [len(score)] if inside > outside else []
    within = inside > outside
    for i in range(len(score) - 1, -1, -1):
        if within and enters[i]:
            first.append(i)
            within = False
        elif not within and leaves[i]:
            stop.append(i)
            within = True
    return np.array(first[::-1], np.int64), np.array(stop[::-1], np.int64)


def raised_stretches(
    counts: Floats, *, alpha: float, least: float, quiet: float | None, breaks: npt.NDArray[np.int64]
) -> Segments:
    """The stretches of counts that come at a raised rate; NaN counts say nothing, and no stretch reaches over a break.

    Args:
        counts: one a round, or a bin.
        alpha: chance of any false stretch at all.
        least: the raised rate is never taken for less than this.
        quiet: the rate in quiet times; None: estimated from the counts that lie in no stretch.
        breaks: places that nothing reaches over; a break at ``i`` lies before count ``i``.
    """
    seen = np.isfinite(counts)
    n = int(seen.sum())
    low = quiet if quiet is not None else min(0.1 * least, _rate(counts[seen]))
    high = least
    penalty = math.log(max(n, 1) / alpha)
    first = stop = np.empty(0, np.int64)
    for _ in range(ITERATIONS):
        before = (first, stop)
        first, stop = _cut(_evidence(counts, low, high), penalty, breaks)
        inside = _inside(first, stop, len(counts))
        if quiet is None and np.any(seen & ~inside):
            low = min(_rate(counts[seen & ~inside]), 0.5 * least)
        high = max(least, float(counts[seen & inside].mean())) if np.any(seen & inside) else least
        if np.array_equal(before[0], first) and np.array_equal(before[1], stop):
            break
    score = _evidence(counts, low, high)
    return Segments(first, stop, np.array([score[a:b].sum() for a, b in zip(first, stop, strict=True)]), low, high)


def _rate(counts: Floats) -> float:
    """Mean count with half a loss added (the posterior mean under Jeffreys' prior), so that it is never 0."""
    return max(LEAST_BASELINE, (float(counts.sum()) + 0.5) / max(1, len(counts)))


def _evidence(counts: Floats, low: float, high: float) -> Floats:
    return np.nan_to_num(counts * math.log(high / low) - (high - low), nan=0.0)


def _cut(score: Floats, penalty: float, breaks: npt.NDArray[np.int64]) -> tuple[Any, Any]:
    """:func:`best_stretches` of each part between two breaks."""
    first, stop = best_stretches(np.insert(score, breaks, -math.inf), penalty)
    at = breaks + np.arange(len(breaks))
    return first - np.searchsorted(at, first), stop - np.searchsorted(at, stop)


def _inside(first: Any, stop: Any, n: int) -> npt.NDArray[np.bool_]:
    inside = np.zeros(n, np.bool_)
    for a, b in zip(first, stop, strict=True):
        inside[a:b] = True
    return inside


@dataclass(frozen=True, eq=False, repr=False)
class Incidents(Result):
    """Incidents, and the counts that they were found in.

    >>> import aurigraph_nb as ag
    >>> from aurigraph_nb import analytics
    >>> found = analytics.incidents(ag.sample("leader-churn", duration="10min", seed=7).consensus)
    >>> isinstance(found, analytics.Incidents), found.n > 0
    (True, True)
    """

    rounds: pd.DataFrame = field(default_factory=pd.DataFrame)
    """One row a round: ``round``, ``start`` (UTC), ``losses`` (NaN where a gap hides some), ``incident`` (its number,
    or <NA>)."""

    def plot(self) -> go.Figure:
        """The losses of each round over time, the incidents shaded in orange and the gaps in grey."""
        figure = draw(self.rounds, self.chart, title=self.name, empty=self.reading)
        for start, end in zip(self.table["start"], self.table["end"], strict=True):
            span = {"x0": moment(start.value), "x1": moment(end.value)}
            figure.add_vrect(**span, fillcolor="rgba(213, 94, 0, 0.25)", line_width=0, layer="below")
        return figure


def incidents(
    consensus: Data,
    *,
    alpha: float = 0.001,
    least: float = 0.5,
    quiet: float | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Incidents:
    """Begin and end of each incident of leader churn, from the rows of the consensus topic alone.

    Each round counts how often its leader was replaced, or lost, before it was over: x. Under a Poisson rate q in quiet
    times and r in an incident a round's evidence is x log(r/q) - (r - q), in nats. Those disjoint stretches of rounds
    are reported whose evidence, less a penalty for each stretch, is largest in sum; they are found exactly, by dynamic
    programming. q and r are estimated in turn with the stretches (q from the rounds outside, r from those inside, but
    r is at least ``least``) until nothing changes.

    The penalty is log(n/alpha) for n rounds. For given rates the likelihood ratio of the rounds from any one on is a
    martingale with mean 1, so by Ville's inequality (J. Ville 1939, Étude critique de la notion de collectif) it ever
    reaches n/alpha with a chance of at most alpha/n; over all n begins, a quiet stream gives any incident at all with a
    chance of at most ``alpha``. The rates are estimated, so that holds approximately. The method is the scan statistic
    of M. Kulldorff (1997, A spatial scan statistic, Communications in Statistics 26, 1481-1496) with many clusters.

    Assumptions: losses of different rounds are independent in quiet times; most rounds are quiet, or ``quiet`` says
    what is usual. An incident that a gap interrupts is told as two, each cut there. A round that a gap touches counts
    nothing.

    Args:
        consensus: rows of the consensus topic; ``round`` and ``leader`` are needed.
        alpha: chance of a false incident in the whole of the data.
        least: losses a round that make an incident, at least.
        quiet: losses a round in quiet times, where they are known; needed where the whole of the data is one incident.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row an incident, in order of time; index 0, 1, 2, …:

        ``first_round`` (int64): where it begins.
        ``last_round`` (int64): where it ends; included.
        ``start`` (datetime64[ns, UTC]): begin of the first round.
        ``end`` (datetime64[ns, UTC]): begin of the first quiet round after it.
        ``duration_s`` (float64, s): between them.
        ``rounds`` (int64): seen whole inside it.
        ``losses`` (int64): of leaders in them.
        ``losses_per_round`` (float64): their ratio.
        ``evidence`` (float64, nats): sum of the log-likelihood ratios.
        ``p_value`` (float64, 0-1): the bound n exp(-evidence), at most 1.
        ``cut_left`` (bool): it touches the begin of the data, or a gap.
        ``cut_right`` (bool): it touches the end of the data, or a gap.

    ``value`` is the number of incidents, None without rounds; ``.rounds`` has the counts.

    Raises:
        BadOption: a column is missing, or an option is out of range.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap, and ``on_gap="raise"``.

    >>> leaders = [["a"], ["b"]] * 20 + [["a", None, "b", None, "c"]] * 5 + [["a"], ["b"]] * 20
    >>> told = [(i + j / 10, i, name) for i, names in enumerate(leaders) for j, name in enumerate(names)]
    >>> frame = pd.DataFrame(told, columns=["timestamp", "round", "leader"])
    >>> found = incidents(frame.assign(timestamp=pd.to_datetime(frame.timestamp, unit="s", utc=True)))
    >>> found, found.table[["first_round", "last_round"]].values.tolist()
    (Leader-churn incidents: 1; n = 85 rounds; coverage 100 %, [[40, 44]])
    """
    checked_share("alpha", alpha)
    if not least > 0 or (quiet is not None and not 0 < quiet < least):
        raise BadOption(f"least={least!r}, quiet={quiet!r}: expected 0 < quiet < least, in losses a round")
    got = consensus_rows(consensus, start=start, end=end, gaps=gaps, on_gap=on_gap)
    found = rounds_of(got)
    losses, breaks = _losses(got, found)
    parts = raised_stretches(losses, alpha=alpha, least=least, quiet=quiet, breaks=breaks)
    table = _table(found, losses, breaks, parts)
    counts = pd.DataFrame({"round": found["round"], "start": stamps(found["start_ns"].to_numpy()), "losses": losses})
    counts["incident"] = _numbers(parts, len(found))
    n = int(np.isfinite(losses).sum())
    name = "Leader-churn incidents"
    line = reading(name, len(table) if n else None, "", n, got.coverage, of="round", why="no rounds were seen")
    chart = Chart("step", "start", ("losses",), "time (UTC)", "leaders lost in a round", holes=got.shown_holes())
    notes = _notes(parts, n, len(found))
    return Incidents(name, len(table) if n else None, "", table, line, notes, got.coverage, n, chart, counts)


def _losses(got: Rows, found: pd.DataFrame) -> tuple[Floats, npt.NDArray[np.int64]]:
    """The count of each round, NaN where a gap touches it, and where the stretches between the gaps begin."""
    begins, losses = found["start_ns"].to_numpy(np.int64), found["losses"].to_numpy(float)
    if not len(begins):
        return losses, np.empty(0, np.int64)
    stops = np.append(begins[1:], found["last_ns"].iloc[-1])
    torn = got.holes.stretches(np.column_stack([begins, stops]).ravel()).reshape(-1, 2)
    hidden = torn[:, 0] != torn[:, 1]
    return np.where(hidden, np.nan, losses), np.flatnonzero(np.append(False, hidden[:-1])).astype(np.int64)


def _table(found: pd.DataFrame, losses: Floats, breaks: Any, parts: Segments) -> pd.DataFrame:
    begins, last = found["start_ns"].to_numpy(np.int64), found["last_ns"].to_numpy(np.int64)
    rounds = [int(np.isfinite(losses[a:b]).sum()) for a, b in zip(parts.first, parts.stop, strict=True)]
    lost = [int(np.nansum(losses[a:b])) for a, b in zip(parts.first, parts.stop, strict=True)]
    edges = {0, len(found), *map(int, breaks)}
    after = [_over_unseen(losses, int(b), edges) for b in parts.stop]
    n = int(np.isfinite(losses).sum())
    number = found["round"].to_numpy(np.int64)
    stop = [int(last[b - 1] if a in edges else begins[b]) for a, b in zip(after, parts.stop, strict=True)]
    start = begins[parts.first]
    return pd.DataFrame(
        {
            "first_round": number[parts.first],
            "last_round": number[parts.stop - 1],
            "start": stamps(start),
            "end": stamps(np.array(stop, np.int64)),
            "duration_s": (np.array(stop, np.int64) - start) / 1e9,
            "rounds": np.array(rounds, np.int64),
            "losses": np.array(lost, np.int64),
            "losses_per_round": np.array(lost, float) / np.array(rounds, float),
            "evidence": parts.evidence.astype(float),
            "p_value": np.minimum(1.0, n * np.exp(-parts.evidence.astype(float))),
            "cut_left": np.array([int(a) in edges for a in parts.first], bool),
            "cut_right": np.array([b in edges for b in after], bool),
        }
    )


def _over_unseen(losses: Floats, place: int, edges: set[int]) -> int:
    """The next place from ``place`` on that is an edge, or a round that was seen whole."""
    while place not in edges and not np.isfinite(losses[place]):
        place += 1
    return place


def _numbers(parts: Segments, n: int) -> pd.Series[Any]:
    numbers = pd.Series([pd.NA] * n, dtype="Int64")
    for i, (a, b) in enumerate(zip(parts.first, parts.stop, strict=True)):
        numbers.iloc[a:b] = i
    return numbers


def _notes(parts: Segments, n: int, rounds: int) -> tuple[str, ...]:
    if not n:
        return ()
    notes = [f"losses a round: {parts.quiet:.3g} in quiet times, {parts.raised:.3g} taken for an incident"]
    if n < rounds:
        notes.append(f"touched by a gap, and not counted: {counted(rounds - n, 'round')}")
    return tuple(notes)
