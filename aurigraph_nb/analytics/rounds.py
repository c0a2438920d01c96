"""Rounds and epochs of the consensus: how long they take, and which of them fail.

The consensus topic speaks when something changes; the rows that name one round, one after the other, are that round.
A round failed if its last row says FAILED or names no leader. It was committed if its last row says COMMITTED; where a
stream tells roles instead of phases (so COMMITTED never occurs), a round that kept its leader until the next one began
counts as committed. What a gap touches, and the last round of the data, stays ``open``: nobody saw how it ended.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from aurigraph_nb.durations import Moment

from .inputs import Data, Gaps, OnGap, Rows, rows, stamps, without_gaps
from .inputs import share as checked_share
from .numeric import counted, middle, wilson
from .plots import Chart
from .result import Result, reading
from .spells import coded

OUTCOMES = ("committed", "failed", "open")
_COLUMNS = ("round", "leader")
_EXTRAS = ("state", "epoch")


def consensus_rows(
    data: Data, *, start: Moment | None, end: Moment | None, gaps: Gaps, on_gap: OnGap, extras: tuple[str, ...] = ()
) -> Rows:
    """The consensus rows that name a round, in order of time."""
    got = rows(data, *_COLUMNS, optional=(*_EXTRAS, *extras), start=start, end=end, gaps=gaps)
    got = without_gaps(got, on_gap).by_time()
    return got.where(np.isfinite(got.numbers("round")))


def rounds_of(got: Rows) -> pd.DataFrame:
    """One row a round, as rows of :func:`consensus_rows` tell it, times as integers.

    Columns: ``round``, ``epoch`` (NaN where not told), ``start_ns`` and ``last_ns`` of its rows, ``first_leader``,
    ``losses`` (how often its leader was replaced or lost), ``outcome``, ``whole`` (no gap between its first row and
    the first of the next round, and that one is the next number).
    """
    number = got.integers("round")
    if not len(number):
        return _no_rounds()
    leader, names = coded(got.texts("leader"))
    begins = np.flatnonzero(np.append(True, number[1:] != number[:-1]))
    lasts = np.append(begins[1:], len(number)) - 1
    epoch = got.numbers("epoch") if got.has("epoch") else np.full(len(number), np.nan)
    whole = _whole(got, number, begins)
    return pd.DataFrame(
        {
            "round": number[begins],
            "epoch": epoch[begins],
            "start_ns": got.time_ns[begins],
            "last_ns": got.time_ns[lasts],
            "first_leader": _first_leaders(leader, names, begins),
            "losses": np.add.reduceat(_losses(leader, begins), begins),
            "outcome": _outcomes(got, leader, lasts, whole),
            "whole": whole,
        }
    )


def _no_rounds() -> pd.DataFrame:
    kinds = {"round": "int64", "epoch": "float64", "start_ns": "int64", "last_ns": "int64", "first_leader": "str"}
    kinds |= {"losses": "int64", "outcome": "str", "whole": "bool"}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})


def _first_leaders(leader: Any, names: list[str], begins: Any) -> pd.Series[Any]:
    """The first leader that each round names; missing where it names none."""
    there = np.flatnonzero(leader >= 0)
    place = np.searchsorted(there, begins)
    stops = np.append(begins[1:], len(leader))
    found = [int(there[p]) if p < len(there) else len(leader) for p in place]
    texts = [names[leader[f]] if f < stop else None for f, stop in zip(found, stops, strict=True)]
    return pd.Series(texts, dtype="str")


def _losses(leader: Any, begins: Any) -> Any:
    """1 at each row where the leader of the row before, in the same round, no longer leads."""
    lost = np.append(0, (leader[1:] != leader[:-1]) & (leader[:-1] >= 0)).astype(np.int64)
    lost[begins] = 0
    return lost


def _whole(got: Rows, number: Any, begins: Any) -> Any:
    stretch = got.stretches()
    following = np.append(begins[1:], -1)
    same = (stretch[begins] == stretch[following]) & (number[following] == number[begins] + 1)
    same[-1] = False
    return same


def _outcomes(got: Rows, leader: Any, lasts: Any, whole: Any) -> pd.Series[Any]:
    states = got.texts("state") if got.has("state") else np.full(len(got), None, dtype=object)
    last = states[lasts]
    failed = (last == "FAILED") | (leader[lasts] < 0)
    committed = last == "COMMITTED"
    if not np.any(states == "COMMITTED"):
        committed = ~failed & whole
    failed &= whole | (last == "FAILED")
    return pd.Series(np.where(committed, "committed", np.where(failed, "failed", "open")), dtype="str")


def round_durations(
    consensus: Data,
    *,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """How long rounds take: from one begin to the next, and from the begin to the last word about it.

    ``value`` is the median of ``period_s``. A round that a gap touches, or after which numbers are missing, has no
    period (NaN); with ``on_gap="ignore"`` only missing numbers count.

    Differences of times as rows tell them; the median needs no distribution. Assumes that a round begins with the first
    row that names it, and one clock for all rows.

    Args:
        consensus: rows of the consensus topic.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row a round, in order of time; index 0, 1, 2, …:

        ``round`` (int64): its number.
        ``epoch`` (Int64): of its first row; <NA> where not told.
        ``start`` (datetime64[ns, UTC]): its first row.
        ``period_s`` (float64, s): to the begin of the next round; NaN as said above.
        ``decision_s`` (float64, s): to the last row of the round; NaN where nobody saw how it ended.
        ``outcome`` (category): committed, failed or open.

    Raises:
        BadOption: a column ``round`` or ``leader`` is missing.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap, and ``on_gap="raise"``.

    >>> import pandas as pd
    >>> times = pd.to_datetime([0.0, 0.4, 1.0, 1.6, 2.0], unit="s", utc=True)
    >>> frame = pd.DataFrame({"timestamp": times, "round": [7, 7, 8, 8, 9], "leader": ["a", "a", "b", "b", "a"]})
    >>> round_durations(frame.assign(state=["PROPOSING", "COMMITTED", "PROPOSING", "COMMITTED", "PROPOSING"]))
    Round period, median: 1 s; n = 2 rounds; coverage 100 %
    """
    got = consensus_rows(consensus, start=start, end=end, gaps=gaps, on_gap=on_gap)
    found = rounds_of(got)
    begins = found["start_ns"].to_numpy()
    period = np.where(found["whole"], np.append(begins[1:], 0) - begins if len(begins) else begins, np.nan) / 1e9
    decided = (found["outcome"] != "open").to_numpy()
    table = pd.DataFrame(
        {
            "round": found["round"],
            "epoch": found["epoch"].astype("Int64"),
            "start": stamps(begins),
            "period_s": period,
            "decision_s": np.where(decided, (found["last_ns"] - found["start_ns"]) / 1e9, np.nan),
            "outcome": found["outcome"].astype(pd.CategoricalDtype(list(OUTCOMES))),
        }
    )
    value, n = middle(period), int(np.isfinite(period).sum())
    name = "Round period, median"
    line = reading(name, value, "s", n, got.coverage, of="round", why="no round was seen from its begin to the next")
    chart = Chart("line", "start", ("period_s", "decision_s"), "time (UTC)", "seconds", holes=got.shown_holes())
    notes = (f"without a period (a gap, a missing number, the end of the data): {counted(len(found) - n, 'round')}",)
    return Result(name, value, "s", table, line, notes if n < len(found) else (), got.coverage, n, chart)


def epoch_durations(
    consensus: Data,
    *,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """How long epochs take, from the first row of one to the first row of the next.

    ``value`` is the mean over whole epochs. The first epoch of the data began before it, and the last goes on after it:
    neither has a duration. So with epochs of 100 s at least 200 s of data are needed, in general.

    Differences of times as rows tell them. Assumes that an epoch begins with the first row that names it, and one clock
    for all rows.

    Args:
        consensus: rows of the consensus topic.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row an epoch, in order of time; index 0, 1, 2, …:

        ``epoch`` (int64): its number.
        ``start`` (datetime64[ns, UTC]): its first row.
        ``duration_s`` (float64, s): to the first row of the next one; NaN where a side was not seen, or its begin lies
            in a gap.
        ``rounds`` (int64): that were seen.
        ``coverage`` (float64, 0-1): share of its time outside gaps.

    Raises:
        BadOption: a column ``round``, ``leader`` or ``epoch`` is missing.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap, and ``on_gap="raise"``.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"timestamp": pd.to_datetime(range(7), unit="s", utc=True), "round": range(198, 205)})
    >>> epoch_durations(frame.assign(leader="a", epoch=[1, 1, 2, 2, 2, 3, 3])).value
    3.0
    """
    got = rows(consensus, *_COLUMNS, "epoch", optional=("state",), start=start, end=end, gaps=gaps)
    got = without_gaps(got, on_gap).by_time()
    got = got.where(np.isfinite(got.numbers("round")) & np.isfinite(got.numbers("epoch")))
    found = rounds_of(got)
    table = _epochs(found, got)
    known = table["duration_s"].dropna()
    value = float(known.mean()) if len(known) else None
    name = "Epoch duration, mean"
    line = reading(name, value, "s", len(known), got.coverage, of="epoch", why="no epoch was seen whole")
    chart = Chart("bar", "epoch", ("duration_s",), "epoch", "seconds")
    notes = (f"not seen whole: {counted(len(table) - len(known), 'epoch')}",) if len(table) > len(known) else ()
    return Result(name, value, "s", table, line, notes, got.coverage, len(known), chart)


def _epochs(found: pd.DataFrame, got: Rows) -> pd.DataFrame:
    epoch, begins, whole = (found[c].to_numpy() for c in ("epoch", "start_ns", "whole"))
    first = np.flatnonzero(np.append(True, epoch[1:] != epoch[:-1])) if len(epoch) else np.empty(0, np.int64)
    seen_begin = np.array([f > 0 and bool(whole[f - 1]) for f in first], dtype=bool)
    stops = np.append(begins[first][1:], got.end_ns or 0)[: len(first)]
    counted = seen_begin & np.append(seen_begin[1:], False)[: len(first)] & (np.diff(epoch[first], append=np.nan) == 1)
    return pd.DataFrame(
        {
            "epoch": epoch[first].astype(np.int64),
            "start": stamps(begins[first]),
            "duration_s": np.where(counted, (stops - begins[first]) / 1e9, np.nan),
            "rounds": np.diff(np.append(first, len(epoch))),
            "coverage": got.holes.covered(begins[first], stops),
        }
    )


def failed_rounds(
    consensus: Data,
    *,
    confidence: float = 0.95,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """The share of rounds that end without a block, over all and by epoch, with Wilson's interval.

    Rounds nobody saw the end of (``open``) count neither way. The interval takes rounds as independent draws, which
    they are not during an incident: there it is too narrow. E. B. Wilson (1927), Probable inference, the law of
    succession, and statistical inference, JASA 22, 209-212.

    Args:
        consensus: rows of the consensus topic.
        confidence: of the intervals, between 0 and 1.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row an epoch, rising; index 0, 1, 2, …:

        ``epoch`` (Int64): its number; <NA> where not told.
        ``rounds`` (int64): seen.
        ``committed`` (int64): of them.
        ``failed`` (int64): of them.
        ``open`` (int64): of them: nobody saw the end.
        ``share`` (float64, 0-1): failed of those decided; NaN where none was.
        ``low`` (float64, 0-1): begin of its interval; NaN likewise.
        ``high`` (float64, 0-1): its end; NaN likewise.

    ``value`` is the share over all, None where no round was decided.

    Raises:
        BadOption: a column ``round`` or ``leader`` is missing.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap, and ``on_gap="raise"``.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"timestamp": pd.to_datetime(range(4), unit="s", utc=True), "round": [1, 2, 3, 4]})
    >>> frame = frame.assign(state=["COMMITTED", "FAILED", "COMMITTED", "PROPOSING"])
    >>> failed_rounds(frame.assign(leader=["a", None, "a", "b"]))
    Failed rounds: 0.33333 (95 % interval 0.061492 to 0.79234); n = 3 rounds; coverage 100 %
    """
    checked_share("confidence", confidence)
    got = consensus_rows(consensus, start=start, end=end, gaps=gaps, on_gap=on_gap)
    found = rounds_of(got)
    table = _outcome_table(found, confidence)
    failed, committed = int(table["failed"].sum()), int(table["committed"].sum())
    n = failed + committed
    low, high = wilson(failed, n, confidence)
    value = failed / n if n else None
    name = "Failed rounds"
    unit = f"({100 * confidence:g} % interval {low:.5g} to {high:.5g})"
    line = reading(name, value, unit, n, got.coverage, of="round", why="no round was seen to end")
    chart = Chart("dots", "epoch", ("share",), "epoch", "share of rounds that failed", low="low", high="high")
    return Result(name, value, "", table, line, _outcome_notes(got, len(found) - n), got.coverage, n, chart)


def _outcome_table(found: pd.DataFrame, confidence: float) -> pd.DataFrame:
    epochs = found["epoch"].astype("Int64")
    counts = pd.crosstab(epochs.fillna(-1), found["outcome"]).reindex(columns=list(OUTCOMES), fill_value=0)
    decided = counts["committed"] + counts["failed"]
    bounds = [wilson(int(f), int(d), confidence) for f, d in zip(counts["failed"], decided, strict=True)]
    table = pd.DataFrame({"epoch": pd.Series(counts.index, dtype="Int64").replace(-1, pd.NA)})
    table["rounds"] = counts.sum(axis=1).to_numpy(np.int64)
    for outcome in OUTCOMES:
        table[outcome] = counts[outcome].to_numpy(np.int64)
    table["share"] = (counts["failed"] / decided.replace(0, np.nan)).to_numpy(float)
    table["low"], table["high"] = [low for low, _ in bounds], [high for _, high in bounds]
    return table.astype({"low": float, "high": float})


def _outcome_notes(got: Rows, still_open: int) -> tuple[str, ...]:
    notes = [f"left out, since nobody saw the end: {counted(still_open, 'round')}"] if still_open else []
    if len(got) and not (got.has("state") and np.any(got.texts("state") == "COMMITTED")):
        notes.append("no row says COMMITTED: a round that kept its leader until the next began counts as committed")
    return tuple(notes)
