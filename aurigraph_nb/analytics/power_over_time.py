"""How the distribution of power changes: the measures of decentralisation at the end of each bin of time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from aurigraph_nb.durations import Duration, Moment
from aurigraph_nb.errors import BadOption

from .bins import Grid, grid
from .decentralisation import fraction
from .inequality import MEASURES, coalition
from .inputs import Data, Floats, Gaps, OnGap, Rows, rows, whole, without_gaps
from .numeric import counted
from .plots import Chart
from .powers import WEIGHTS, Holders, consensus_of, ranked
from .result import Result, number

OVER_TIME = ("nakamoto", "gini", "herfindahl", "entropy", "theil", "largest_share")


def decentralisation_over_time(
    data: Data,
    every: Duration = "10min",
    *,
    threshold: float = 1 / 3,
    weight: str | None = None,
    status: str | None = "ACTIVE",
    active: Any = None,
    on_gap: OnGap = "nan",
    min_coverage: float = 0.5,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
) -> Result:
    """The measures of who holds how much at the end of each bin, from all that was known by then.

    Each bin [start, end) gives one row: every member by its last known weight and status before the bin's end (or the
    last row), as :func:`decentralisation` computes them. Members are heard of when something about them changes, so the
    first bins see few of them; ``members_coverage`` says how many of the active ones, where that is known. What changed
    during a gap is unknown until the member is heard of again: with ``on_gap="nan"`` a bin of which less than
    ``min_coverage`` was seen is NaN; later bins hold the last known weights of members not heard of since.

    Args:
        data: rows with a time, ``id`` and a weight.
        every: width of a bin; bins begin at whole multiples of it since 1970 UTC.
        threshold: of the Nakamoto coefficient.
        weight: column of the weights; None for voting_power, or total_staked where nobody has a voting power.
        status: last known status of the members that count (those without one count too); None for all.
        active: how many members there are: a number, or consensus rows (the last known before each bin's end), or None
            for the consensus topic of the same feed.
        on_gap: "nan", "raise" (Incomplete where a gap lies in the span) or "ignore".
        min_coverage: least share of a bin that must have been seen, with ``on_gap="nan"``.
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Returns:
        ``value``: the newest Nakamoto coefficient that is known (int); None where none is.

    Table, a row a bin, in order of time; a bin seen too little has NaN for all measures; index 0, 1, 2, …:

        ``timestamp`` (datetime64[ns, UTC]): begin of the bin.
        ``members`` (int64): who count at its end.
        ``active`` (float64): how many there are; NaN where nobody had said.
        ``members_coverage`` (float64, 0-1): members by active; NaN likewise.
        ``nakamoto`` (float64, members): NaN without members, as are all that follow.
        ``gini`` (float64, 0-1): the Gini coefficient.
        ``herfindahl`` (float64, 0-1): the Herfindahl index.
        ``entropy`` (float64, bits): of the shares.
        ``theil`` (float64, nats): the Theil index.
        ``largest_share`` (float64, 0-1): of the heaviest member.
        ``coverage`` (float64, 0-1): share of the bin that was seen.

    Raises:
        BadOption: an option is out of range, a column is missing, or there would be too many bins.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: ``on_gap="raise"`` and a gap lies in the span.

    >>> import pandas as pd
    >>> times = pd.to_datetime(["2026-01-01 00:01", "2026-01-01 00:02", "2026-01-01 00:12"], utc=True)
    >>> moves = pd.DataFrame({"timestamp": times, "id": ["a", "b", "a"], "voting_power": [1.0, 1.0, 3.0]})
    >>> decentralisation_over_time(moves).table["largest_share"].tolist()
    [0.5, 0.75]
    """
    limit = fraction(threshold)
    if not 0 <= min_coverage <= 1:
        raise BadOption(f"min_coverage={min_coverage!r}: a number from 0 to 1 was expected")
    choices = WEIGHTS if weight is None else (weight,)
    got = rows(data, "id", either=choices, optional=("status",), start=start, end=end, gaps=gaps)
    got = without_gaps(got, on_gap).by_time()
    cells = grid(got, every)
    table = pd.DataFrame({"timestamp": cells.starts(), **_measured(got, cells, choices, status, limit)})
    table.insert(2, "active", _active(data, active, cells, got))
    table.insert(3, "members_coverage", np.minimum(1.0, table["members"] / table["active"]))
    table["coverage"] = cells.coverage(got)
    if on_gap == "nan":
        table.loc[table["coverage"] < min_coverage, list(OVER_TIME)] = np.nan
    return _result(table, got, every)


def _result(table: pd.DataFrame, got: Rows, every: Duration) -> Result:
    known = table["nakamoto"].dropna()
    value = int(known.iloc[-1]) if len(known) else None
    name = f"Decentralisation every {every}"
    coverage = float(table["coverage"].mean()) if len(table) else None
    seen = "" if coverage is None else f"; coverage {100 * coverage:.4g} %"
    last = f"Nakamoto coefficient {number(value)} at the end" if value is not None else "unknown (no bin has a value)"
    line = f"{name}: {last}, {counted(len(table), 'bin')}; n = {counted(len(got), 'row')}{seen}"
    notes: tuple[str, ...] = (
        "each bin holds the last known weights; what changed in a gap is not known before it is told",
    )
    short = table["members_coverage"].dropna()
    if len(short) and short.min() < 1:
        notes += (
            f"members seen of the active ones: {100 * short.min():.4g} % at least, {100 * short.iloc[-1]:.4g} % last",
        )
    columns = ("gini", "herfindahl", "theil", "largest_share")
    chart = Chart("step", "timestamp", columns, x_title="time (UTC)", y_title="measure (0-1)", holes=got.shown_holes())
    return Result(name, value, "members", table, line, notes, coverage, len(got), chart)


def _measured(
    got: Rows, cells: Grid, choices: tuple[str, ...], status: str | None, limit: Any
) -> dict[str, np.ndarray[Any, Any]]:
    """The measures at the end of each bin; those of a bin in which nothing was heard are those of the one before."""
    book = _Book(got, choices, status)
    ends = np.searchsorted(cells.index(got.time_ns), np.arange(cells.count), side="right")
    out: dict[str, list[float]] = {name: [] for name in ("members", *OVER_TIME)}
    row, done = [0.0] + [np.nan] * len(OVER_TIME), 0
    for end in ends:
        if end > done:
            book.take(done, int(end))
            row, done = _row(book.holders(), limit), int(end)
        for name, value in zip(out, row, strict=True):
            out[name].append(value)
    columns: dict[str, np.ndarray[Any, Any]] = {name: np.array(v, dtype=np.float64) for name, v in out.items()}
    columns["members"] = columns["members"].astype(np.int64)
    return columns


def _row(found: Holders, limit: Any) -> list[float]:
    shares, least = found.shares(), coalition(found, limit)
    told = [np.nan if least is None else float(least)]
    told += [MEASURES[name][1](shares) if len(shares) else np.nan for name in OVER_TIME[1:]]
    return [float(len(found)), *told]


class _Book:
    """What is known of each member, brought forward row by row."""

    def __init__(self, got: Rows, choices: tuple[str, ...], status: str | None) -> None:
        there = [c for c in choices if got.has(c)]
        self._weight = next((c for c in there if np.isfinite(got.numbers(c)).any()), there[0])
        self._ids = got.texts("id")
        self._values = got.objects(self._weight)
        self._words = got.texts("status") if got.has("status") else np.full(len(got), None, dtype=object)
        self._wanted = status
        self._known: dict[str, tuple[Any, str | None]] = {}

    def take(self, start: int, stop: int) -> None:
        for i in range(start, stop):
            name = self._ids[i]
            if name is None:
                continue
            value, word = self._known.get(name, (None, None))
            value = value if self._values[i] is None else self._values[i]
            self._known[name] = (value, self._words[i] or word)

    def holders(self) -> Holders:
        chosen = {k: v for k, (v, word) in self._known.items() if self._wanted is None or word in (None, self._wanted)}
        return ranked(list(chosen), list(chosen.values()), self._weight, None)


def _active(data: Data, active: Any, cells: Grid, got: Rows) -> Floats:
    """How many members there are at the end of each bin, NaN where nobody had said it by then."""
    if isinstance(active, int | np.integer):
        return np.full(cells.count, float(whole("active", active)))
    source = consensus_of(data) if active is None else active
    if source is None or not cells.count:
        return np.full(cells.count, np.nan)
    told = rows(source, "active_validators", gaps=()).by_time()
    counts = told.numbers("active_validators")
    good = counts > 0
    ends = cells.starts_ns + cells.every_ns
    place = np.searchsorted(told.time_ns[good], ends, side="left") - 1
    return (
        np.where(place >= 0, counts[good][np.maximum(place, 0)], np.nan) if good.any() else np.full(len(ends), np.nan)
    )
