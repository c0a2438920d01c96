"""Validators over time: in which status, up or down, jailed, and how often they propose.

The topic is silent about a validator until something about it changes, so a status holds from one row of a validator to
its next. Whoever was not seen yet is unknown, and so is everybody after a gap, until seen again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from aurigraph_nb.durations import Moment
from aurigraph_nb.errors import BadOption, BadOptionType

from .inputs import Data, Gaps, OnGap, Rows, rows, without_gaps
from .numeric import counted, middle
from .plots import Chart
from .result import Result, reading
from .spells import Spells, coded, spells_of

UP = ("ACTIVE",)
"""Statuses in which a validator does its work."""


def _statuses(
    data: Data, start: Moment | None, end: Moment | None, gaps: Gaps, on_gap: OnGap, optional: tuple[str, ...] = ()
) -> tuple[Rows, Spells, list[str], list[str]]:
    got = without_gaps(rows(data, "id", "status", optional=optional, start=start, end=end, gaps=gaps), on_gap)
    found, names, words = spells_of(got, "id", "status")
    return got, found, names, words


def status_words(option: str, words: str | Iterable[str]) -> frozenset[str]:
    """Statuses as they stand in the rows, in upper case.

    Raises:
        BadOption: there are none.
        BadOptionType: they are no texts.
    """
    chosen = frozenset([words] if isinstance(words, str) else words)
    if not chosen:
        raise BadOption(f"{option} is empty; expected statuses such as ACTIVE")
    if not all(isinstance(w, str) for w in chosen):
        raise BadOptionType(f"{option}={words!r}: expected statuses such as ACTIVE")
    return frozenset(w.upper() for w in chosen)


def _in(found: Spells, words: list[str], chosen: frozenset[str]) -> Any:
    return np.array([w in chosen for w in words], dtype=np.bool_)[found.state] if words else found.cut_left


def time_in_status(
    validators: Data,
    *,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """How long each validator was in each status, as far as it was seen.

    ``value`` is the share (0-1) of all seen time of all validators that was spent ACTIVE.

    Plain sums of what was seen, no estimate. Assumes that a status holds until the stream says another, and that the
    stream tells each change.

    Args:
        validators: rows of the validators topic.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row for each validator and status that occurred; index 0, 1, 2, …:

        ``validator`` (str): its id.
        ``status`` (str): the status.
        ``spells`` (int64): how often it was seen in it.
        ``seconds`` (float64, s): in all.
        ``share`` (float64, 0-1): of the time that this validator was seen; NaN for no time.

    A validator's time begins with its first row. ``coverage`` is the share of validators times span that was seen.

    Raises:
        BadOption: a column ``id`` or ``status`` is missing.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap, and ``on_gap="raise"``.

    >>> times = pd.to_datetime([0, 0, 6, 8], unit="s", utc=True)
    >>> frame = pd.DataFrame({"timestamp": times, "id": ["a", "b", "a", "b"]})
    >>> time_in_status(frame.assign(status=["ACTIVE", "ACTIVE", "JAILED", "ACTIVE"])).table.values.tolist()
    [['a', 'ACTIVE', 1, 6.0, 0.75], ['a', 'JAILED', 1, 2.0, 0.25], ['b', 'ACTIVE', 1, 8.0, 1.0]]
    """
    got, found, names, words = _statuses(validators, start, end, gaps, on_gap)
    pair = found.thing * max(1, len(words)) + found.state
    which, place = np.unique(pair, return_inverse=True)
    seconds = np.bincount(place, weights=found.seconds, minlength=len(which)).astype(np.float64)
    thing, state = which // max(1, len(words)), which % max(1, len(words))
    seen = np.bincount(thing, weights=seconds, minlength=len(names))
    with np.errstate(invalid="ignore", divide="ignore"):
        share = seconds / seen[thing]
    table = pd.DataFrame(
        {
            "validator": pd.Series([names[i] for i in thing], dtype="str"),
            "status": pd.Series([words[i] for i in state], dtype="str"),
            "spells": np.bincount(place, minlength=len(which)).astype(np.int64),
            "seconds": seconds,
            "share": share,
        }
    )
    total = float(seconds.sum())
    value = float(seconds[[words[i] == "ACTIVE" for i in state]].sum()) / total if total else None
    coverage = seen_share(got, total, len(names))
    name = "Share of validators' time that is ACTIVE"
    line = reading(name, value, "", len(names), coverage, of="validator", why="no validator was seen for any time")
    chart = Chart("bar", "validator", ("share",), "validator", "share of the time", by="status")
    return Result(name, value, "", table, line, (), coverage, len(names), chart)


def seen_share(got: Rows, seconds: float, members: int) -> float | None:
    """The share of the members' time that was seen; None where there is no time."""
    whole = got.span_s * members
    return min(1.0, seconds / whole) if whole > 0 else None


def uptime(
    validators: Data,
    *,
    up: str | Iterable[str] = UP,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """The share of the time that each validator was up, by its status, beside the uptime that it reports.

    Observed uptime is seconds in a status of ``up`` over seconds seen. What a validator reports (``uptime_percent``)
    is over a time, and by a rule, of its own; the two need not agree. ``value`` is the mean over the validators seen.

    Plain sums of what was seen, no estimate: what reliability engineering calls the observed availability. Assumes that
    a status holds until the stream says another, and that the stream tells each change.

    Args:
        validators: rows of the validators topic.
        up: the statuses that count as up.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row a validator, by name; index 0, 1, 2, …:

        ``validator`` (str): its id.
        ``up_s`` (float64, s): in a status of ``up``.
        ``seen_s`` (float64, s): in any.
        ``uptime`` (float64, 0-1): their ratio; NaN for no time.
        ``coverage`` (float64, 0-1): seen over the span; NaN without a span.
        ``reported`` (float64, 0-1): its last ``uptime_percent``, over 100; NaN where not told.

    Raises:
        BadOption: a column ``id`` or ``status`` is missing, or ``up`` is empty.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap, and ``on_gap="raise"``.

    >>> times = pd.to_datetime([0, 6, 8], unit="s", utc=True)
    >>> frame = pd.DataFrame({"timestamp": times, "id": "a", "status": ["ACTIVE", "JAILED", "ACTIVE"]})
    >>> uptime(frame)
    Mean uptime: 0.75; n = 1 validator; coverage 100 %
    """
    chosen = status_words("up", up)
    got, found, names, words = _statuses(validators, start, end, gaps, on_gap, ("uptime_percent",))
    good = _in(found, words, chosen)
    up_s = np.bincount(found.thing[good], weights=found.seconds[good], minlength=len(names))
    seen_s = np.bincount(found.thing, weights=found.seconds, minlength=len(names))
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = up_s / seen_s
    table = pd.DataFrame(
        {
            "validator": pd.Series(names, dtype="str"),
            "up_s": up_s.astype(float),
            "seen_s": seen_s.astype(float),
            "uptime": observed,
            "coverage": seen_s / got.span_s if got.span_s > 0 else np.full(len(names), np.nan),
            "reported": _reported(got, names),
        }
    )
    known = observed[np.isfinite(observed)]
    value = float(known.mean()) if len(known) else None
    coverage = seen_share(got, float(seen_s.sum()), len(names))
    name = "Mean uptime"
    line = reading(name, value, "", len(known), coverage, of="validator", why="no validator was seen for any time")
    notes = (f"up means a status of {', '.join(sorted(chosen))}",) if chosen != frozenset(UP) else ()
    chart = Chart("bar", "validator", ("uptime", "reported"), "validator", "share of the time")
    return Result(name, value, "", table, line, notes, coverage, len(known), chart)


def _reported(got: Rows, names: list[str]) -> Any:
    last = np.full(len(names), np.nan)
    if got.has("uptime_percent"):
        ordered = got.by_time()
        told, things = ordered.numbers("uptime_percent"), coded(ordered.texts("id"))[0]
        use = np.isfinite(told) & (things >= 0)
        last[things[use]] = told[use] / 100  # later rows overwrite earlier ones
    return last


def jail_episodes(
    validators: Data,
    *,
    statuses: str | Iterable[str] = "JAILED",
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """Each time that a validator was in jail: who, when and how long.

    ``value`` is the number of episodes seen, those included that began before the data, or before the end of a gap. An
    episode that a gap interrupts is told as two, each cut there.

    A plain list of what was seen. Assumes that a status holds until the stream says another, and that the stream tells
    each change.

    Args:
        validators: rows of the validators topic.
        statuses: the statuses that count as jail.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row an episode, in order of time; index 0, 1, 2, …:

        ``validator`` (str): its id.
        ``status`` (str): which of ``statuses`` it was in.
        ``start`` (datetime64[ns, UTC]): when it began, or was first seen.
        ``end`` (datetime64[ns, UTC]): when it ended, or was last known to go on.
        ``duration_s`` (float64, s): from ``start`` to ``end``: a lower bound where a side was cut.
        ``cut_left`` (bool): the begin was not seen (the begin of the data, or a gap).
        ``cut_right`` (bool): the end was not seen (the end of the data, or a gap).

    Raises:
        BadOption: a column ``id`` or ``status`` is missing, or ``statuses`` is empty.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap, and ``on_gap="raise"``.

    >>> times = pd.to_datetime([0, 6, 8], unit="s", utc=True)
    >>> frame = pd.DataFrame({"timestamp": times, "id": "a", "status": ["ACTIVE", "JAILED", "ACTIVE"]})
    >>> jail_episodes(frame).table[["validator", "duration_s"]].values.tolist()
    [['a', 2.0]]
    """
    chosen = status_words("statuses", statuses)
    got, found, names, words = _statuses(validators, start, end, gaps, on_gap)
    inside = found.where(_in(found, words, chosen))
    table = inside.table("validator", names, "status", words)
    table = table.sort_values(["start", "validator"], kind="stable", ignore_index=True)
    value = len(table) if names else None
    name = f"Episodes of {' or '.join(sorted(chosen))}"
    seen = float(found.seconds.sum())
    coverage = seen_share(got, seen, len(names))
    line = reading(name, value, "", len(names), coverage, of="validator", why="no validator was seen")
    notes = []
    cut = int((~inside.whole).sum())
    if cut:
        notes.append(f"not seen from begin to end: {counted(cut, 'episode')}")
    mean = middle(inside.seconds[inside.whole])
    if mean is not None:
        notes.append(f"median of the whole episodes: {mean:.5g} s")
    chart = Chart("dots", "start", ("duration_s",), "time (UTC)", "seconds", by="validator", holes=got.shown_holes())
    return Result(name, value, "", table, line, tuple(notes), coverage, len(names), chart)


def proposal_gaps(
    validators: Data,
    *,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """The time between a validator's proposals, and how long it has been since its last.

    A proposal is a row in which ``last_block_proposed`` is higher than in the validator's row before. A distance over a
    gap does not count, since proposals may be hidden in it. ``value`` is the median over all distances, in seconds.

    Plain differences of what rows tell; the median needs no distribution. Assumes that rows tell of every proposal: of
    two between two rows one is counted.

    Args:
        validators: rows of the validators topic.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row a validator, by name; index 0, 1, 2, …:

        ``validator`` (str): its id.
        ``proposals`` (int64): seen.
        ``mean_s`` (float64, s): of the distances; NaN without any, as are the two that follow.
        ``median_s`` (float64, s): of the distances.
        ``longest_s`` (float64, s): of the distances.
        ``longest_blocks`` (Int64, blocks): the largest distance in block heights; <NA> without any.
        ``since_s`` (float64, s): from its last proposal, or its first row where it had none, to the end of what was
            seen; NaN where it told no height.

    Raises:
        BadOption: a column ``id`` or ``last_block_proposed`` is missing.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap, and ``on_gap="raise"``.

    >>> times = pd.to_datetime([0, 1, 4, 9], unit="s", utc=True)
    >>> frame = pd.DataFrame({"timestamp": times, "id": "a", "last_block_proposed": [10, 11, 14, 19]})
    >>> proposal_gaps(frame)
    Time between proposals, median: 4 s; n = 2 distances; coverage 100 %
    """
    got = rows(validators, "id", "last_block_proposed", start=start, end=end, gaps=gaps)
    got = without_gaps(got, on_gap).by_time()
    things, names = coded(got.texts("id"))
    height, stretch = got.numbers("last_block_proposed"), got.stretches()
    use = np.flatnonzero((things >= 0) & (np.abs(height) < 2.0**62))
    height = _heights(got, height)
    use = use[np.argsort(things[use], kind="stable")]
    edges = np.searchsorted(things[use], np.arange(len(names) + 1))
    lines, all_s = [], [np.empty(0)]
    for code, name in enumerate(names):
        mine = use[edges[code] : edges[code + 1]]
        rises = mine[1:][height[mine][1:] > height[mine][:-1]] if len(mine) else mine
        near = stretch[rises][1:] == stretch[rises][:-1]
        seconds = (np.diff(got.time_ns[rises]) / 1e9)[near]
        blocks = np.diff(height[rises])[near]
        all_s.append(seconds)
        lines.append((name, len(rises), *_distances(seconds, blocks), _since(got, mine, rises)))
    columns = ["validator", "proposals", "mean_s", "median_s", "longest_s", "longest_blocks", "since_s"]
    kinds = {"validator": "str", "proposals": "int64", "longest_blocks": "Int64"}
    kinds |= dict.fromkeys(["mean_s", "median_s", "longest_s", "since_s"], "float64")
    table = pd.DataFrame(lines, columns=columns).astype(kinds)
    pooled = np.concatenate(all_s)
    name = "Time between proposals, median"
    value = middle(pooled)
    line = reading(name, value, "s", len(pooled), got.coverage, of="distance", why="no two proposals were seen")
    chart = Chart("bar", "validator", ("median_s", "longest_s"), "validator", "seconds between proposals")
    return Result(name, value, "s", table, line, (), got.coverage, len(pooled), chart)


def _heights(got: Rows, height: Any) -> Any:
    """Block heights as whole numbers, where they are such: beyond 2**53 a float would lose some."""
    exact = pa.types.is_integer(got.table.schema.field("last_block_proposed").type)
    return got.integers("last_block_proposed") if exact else height


def _distances(seconds: Any, blocks: Any) -> tuple[Any, ...]:
    if not len(seconds):
        return math.nan, math.nan, math.nan, pd.NA
    return float(seconds.mean()), float(np.median(seconds)), float(seconds.max()), int(blocks.max())


def _since(got: Rows, mine: Any, rises: Any) -> float:
    if not len(mine) or got.end_ns is None:
        return math.nan
    last = int(got.time_ns[rises[-1] if len(rises) else mine[0]])
    return max(0, got.until_ns - last) / 1e9
