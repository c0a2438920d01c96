"""Who leads, against who holds how much: is leadership drawn by stake?"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurigraph_nb.durations import Moment
from aurigraph_nb.errors import BadOption, BadOptionType, Incomplete

from .extras import scipy
from .inputs import Data, Gaps, OnGap, Rows, one_of, rows, whole
from .inputs import share as checked_share
from .numeric import counted, tamed, wilson
from .plots import Chart
from .result import AnalyticsWarning, Result, number, reading
from .rounds import consensus_rows, rounds_of
from .spells import coded

Floats = npt.NDArray[np.float64]
Method: TypeAlias = Literal["auto", "chi-square", "exact", "monte-carlo"]

METHODS = ("auto", "chi-square", "exact", "monte-carlo")
MOST_OUTCOMES = 200_000
"""Outcomes that the exact test enumerates; where there are more, ``auto`` draws."""
MOST_CELLS = 4_000_000
"""Outcomes times validators: what the exact test holds in memory."""
_TIE = 1 + 1e-9
"""Statistics this close count as equal: they differ by rounding alone."""


def leadership_share(
    consensus: Data,
    stake: Data | Mapping[str, float],
    *,
    weight: str = "voting_power",
    method: Method = "auto",
    draws: int = 9_999,
    seed: int = 0,
    confidence: float = 0.95,
    require_complete: bool = False,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """How often each validator leads a round, against its share of the stake.

    A round is led by the first leader that it names. Under the null hypothesis each round's leader is drawn by stake
    among those that may lead: expected counts are the sums, over the rounds, of each one's share at the begin of the
    round (its last known weight; before it was first seen, the first one known; nothing while its status is known and
    not ACTIVE). With a mapping the shares are constant.

    ``value`` is the p-value of Pearson's statistic, sum((observed - expected)^2 / expected) (K. Pearson 1900, Phil.
    Mag. 50, 157-175): from the chi-square distribution with k - 1 degrees of freedom where all expected counts are 5
    or more (W. G. Cochran 1954, Biometrics 10, 417-451); else exactly, over all outcomes of the multinomial, where
    those are at most 200,000 (fewer with more than 20 validators); else from ``draws`` seeded random outcomes as (1 +
    as extreme ones) / (1 + draws) (B. Phipson and G. Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9, 39). ``method``
    forces one of these. A leader without any stake makes the null hypothesis impossible: the p-value is 0.

    Assumptions: rounds are independent; all who may lead are known. If the shares move much within the data, the real
    spread of the counts is a little smaller than the multinomial's, and the test errs on the side of the null.

    Args:
        consensus: rows of the consensus topic.
        stake: rows of the validators topic, or a mapping from validator to stake.
        weight: column of the stake; ``voting_power`` falls back to ``total_staked`` for a validator that has none.
        method: auto, chi-square, exact or monte-carlo.
        draws: random outcomes of ``monte-carlo``.
        seed: what they are drawn from.
        confidence: of the intervals of the shares (Wilson 1927).
        require_complete: raise where fewer validators are known than the consensus says are active.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row a validator, most rounds first; index 0, 1, 2, …:

        ``validator`` (str): its id.
        ``rounds`` (int64): that it led.
        ``share`` (float64, 0-1): of all rounds with a leader.
        ``low`` (float64, 0-1): begin of Wilson's interval; NaN without rounds.
        ``high`` (float64, 0-1): its end; NaN likewise.
        ``stake_share`` (float64, 0-1): what it held, on average over the rounds; NaN where no stake is known.
        ``expected`` (float64, rounds): that it would lead by stake; NaN likewise.
        ``residual`` (float64): (observed - expected) / sqrt(expected); infinite for a leader without stake, NaN for
            others without.

    ``coverage`` is the share of the active validators whose stake is known.

    Raises:
        BadOption: a column is missing, an option is out of range, or the exact test has too many outcomes.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap and ``on_gap="raise"``, or validators are missing and ``require_complete=True``.
        MissingExtra: scipy is needed (for the chi-square distribution) and not installed.

    Warns:
        AnalyticsWarning: fewer validators are known than are active.

    >>> times = pd.to_datetime(range(6), unit="s", utc=True)
    >>> frame = pd.DataFrame({"timestamp": times, "round": range(6), "leader": list("aaabab")})
    >>> leadership_share(frame, {"a": 2.0, "b": 1.0})
    Leadership by stake, p-value: 1; n = 6 rounds
    """
    one_of("method", method, METHODS)
    checked_share("confidence", confidence)
    whole("draws", draws)
    got = consensus_rows(consensus, start=start, end=end, gaps=gaps, on_gap=on_gap, extras=("active_validators",))
    found = rounds_of(got)
    found = found[found["first_leader"].notna()]
    moments = found["start_ns"].to_numpy(np.int64)
    if isinstance(stake, Mapping):
        shares, members = _constant(stake, len(moments)), len(stake)
    else:
        shares, members = _moving(stake, weight, moments)
    coverage = _completeness(got, members, require_complete)
    led = found["first_leader"].value_counts()
    table = _table(led, shares, confidence)
    n = int(led.sum())
    value, how = _p_value(table, n, method, draws, seed)
    name = "Leadership by stake, p-value"
    line = reading(name, value, "", n, coverage, of="round", why="no leader, or no stake, is known")
    chart = Chart("dots", "validator", ("share", "stake_share"), "validator", "share of the rounds")
    return Result(name, value, "", table, line, how, coverage, n, chart)


def _constant(stake: Mapping[str, float], n: int) -> dict[str, float]:
    try:
        weights = {str(k): float(v) for k, v in stake.items()}
    except (TypeError, ValueError) as error:
        raise BadOptionType(f"stake: a number for each validator was expected ({error})") from None
    if any(not math.isfinite(w) or w < 0 for w in weights.values()):
        raise BadOption("stake: every weight has to be finite and at least 0")
    small = dict(zip(weights, tamed(list(weights.values()))[0].tolist(), strict=True))
    total = sum(small.values())
    return {k: n * w / total for k, w in small.items()} if total else {}


def _moving(data: Data, weight: str, moments: npt.NDArray[np.int64]) -> tuple[dict[str, float], int]:
    """The expected count of each validator, and of how many the stake is known."""
    fallback = ("total_staked",) if weight == "voting_power" else ()
    got = rows(data, "id", weight, optional=("status", *fallback)).by_time()
    things, names = coded(got.texts("id"))
    stakes = got.numbers(weight)
    if fallback and got.has("total_staked"):
        stakes = _filled(stakes, got.numbers("total_staked"), things, len(names))
    stakes = tamed(stakes)[0]
    states = got.texts("status") if got.has("status") else np.full(len(got), None, dtype=object)
    active = np.array([np.nan if s is None else float(s == "ACTIVE") for s in states], dtype=np.float64)
    frame = pd.DataFrame({"thing": things, "time": got.time_ns, "stake": stakes, "active": active})
    frame = frame[frame["thing"] >= 0].sort_values("thing", kind="stable")
    frame[["stake", "active"]] = frame.groupby("thing")[["stake", "active"]].ffill()
    frame[["stake", "active"]] = frame.groupby("thing")[["stake", "active"]].bfill()  # before the first one told
    frame = frame[frame["stake"].notna()]
    counts = _expected(frame.fillna({"active": 1.0}), moments, len(names))
    return dict(zip(names, counts.tolist(), strict=True)), int(frame["thing"].nunique())


def _expected(told: pd.DataFrame, moments: npt.NDArray[np.int64], count: int) -> Floats:
    """The sum of each validator's share over the moments; its weight holds from one row to its next.

    The whole at each moment is summed up from the changes, so nothing is as large as validators times moments.
    """
    thing, weight = told["thing"].to_numpy(np.int64), (told["stake"] * told["active"]).clip(lower=0.0).to_numpy(float)
    new = np.append(True, thing[1:] != thing[:-1])[: len(thing)]
    kept = new | np.append(True, weight[1:] != weight[:-1])[: len(thing)]
    thing, weight, new = thing[kept], weight[kept], new[kept]
    first = np.where(new, 0, np.searchsorted(moments, told["time"].to_numpy(np.int64)[kept], side="left"))
    stop = np.append(first[1:], len(moments))[: len(first)]
    stop[np.append(new[1:], True)[: len(new)]] = len(moments)
    size = len(moments) + 1
    whole_ = _running(first, stop, weight, size)
    each = np.divide(1.0, whole_, out=np.zeros(len(whole_)), where=whole_ > 0)
    until = np.append(0.0, np.cumsum(each))
    led: Floats = np.bincount(thing, weight * (until[stop] - until[first]), minlength=count).astype(np.float64)
    return led


def _running(first: Any, stop: Any, weight: Floats, size: int) -> Floats:
    """The sum of the weights that hold at each moment, exactly: what a large one leaves behind has all its digits."""
    ratios = [w.as_integer_ratio() for w in weight.tolist()]
    scale = max((below for _, below in ratios), default=1)  # all are powers of two
    steps = [0] * size
    for a, b, (above, below) in zip(first.tolist(), stop.tolist(), ratios, strict=True):
        steps[a] += above * (scale // below)
        steps[b] -= above * (scale // below)
    return np.array([total / scale for total in itertools.accumulate(steps[:-1])], dtype=np.float64)


def _filled(stakes: Floats, staked: Floats, things: Any, count: int) -> Floats:
    """The stakes, where a validator has none at all its total stake (only if nobody has one: the units may differ)."""
    known = np.bincount(things[(things >= 0) & np.isfinite(stakes)], minlength=count) > 0
    return stakes if known.any() else staked


def _completeness(got: Rows, members: int, require: bool) -> float | None:
    active = got.numbers("active_validators") if got.has("active_validators") else np.empty(0)
    active = active[np.isfinite(active)]
    if not len(active) or active.max() <= 0:
        return None
    seen = min(1.0, members / float(active.max()))
    if seen < 1:
        told = f"the stake of {counted(members, 'validator')} is known, and {int(active.max())} are active"
        if require:
            raise Incomplete(f"{told}; wait until all were seen, or take require_complete=False")
        warnings.warn(AnalyticsWarning(f"{told}: the shares are too large"), stacklevel=3)
    return seen


def _table(led: pd.Series[Any], expected: Mapping[str, float], confidence: float) -> pd.DataFrame:
    n = int(led.sum())
    total = sum(expected.values())
    names = sorted({*map(str, led.index), *expected}, key=lambda v: (-int(led.get(v, 0)), v))
    counts = np.array([int(led.get(v, 0)) for v in names], np.int64)
    wanted = np.array([expected.get(v, 0.0) for v in names], float) * (n / total if total else np.nan)
    bounds = [wilson(int(c), n, confidence) for c in counts]
    with np.errstate(invalid="ignore", divide="ignore"):
        residual = np.where(wanted > 0, (counts - wanted) / np.sqrt(wanted), np.where(counts > 0, np.inf, np.nan))
    table = {
        "validator": pd.Series(names, dtype="str"),
        "rounds": counts,
        "share": counts / max(n, 1),
        "low": np.array([low for low, _ in bounds], float),
        "high": np.array([high for _, high in bounds], float),
        "stake_share": wanted / max(n, 1),
        "expected": wanted,
        "residual": residual,
    }
    return pd.DataFrame(table)


def _p_value(table: pd.DataFrame, n: int, method: str, draws: int, seed: int) -> tuple[float | None, tuple[str, ...]]:
    wanted = table["expected"].to_numpy(float)
    if not n or not np.isfinite(wanted).all() or not np.any(wanted > 0):
        return None, ()
    able = wanted > 0
    stray = int(table["rounds"].to_numpy()[~able].sum())
    if stray:
        return 0.0, (f"led by validators without stake, which the null hypothesis excludes: {counted(stray, 'round')}",)
    p, how = goodness_of_fit(table["rounds"].to_numpy(np.int64)[able], wanted[able], method, draws, seed)
    return p, (f"{how}; {counted(int(able.sum()), 'validator')}, smallest expected count {number(wanted[able].min())}",)


def goodness_of_fit(
    counts: npt.NDArray[np.int64], expected: Floats, method: str = "auto", draws: int = 9_999, seed: int = 0
) -> tuple[float, str]:
    """The p-value of Pearson's statistic of counts against expected counts (of the same sum), and how it was made.

    >>> goodness_of_fit(np.array([5, 0]), np.array([2.5, 2.5]))[0]
    0.0625
    """
    n, k = int(counts.sum()), len(counts)
    shares = expected / expected.sum()
    if k < 2:
        return 1.0, "one validator: nothing to compare"
    if method == "chi-square" or (method == "auto" and expected.min() >= 5):
        statistic = float(np.sum((counts - expected) ** 2 / expected))
        return float(scipy("stats", "the chi-square test").chi2.sf(statistic, k - 1)), "chi-square test"
    outcomes = math.comb(n + k - 1, k - 1)
    able = outcomes <= MOST_OUTCOMES and outcomes * k <= MOST_CELLS
    if method == "exact" and not able:
        most = min(MOST_OUTCOMES, MOST_CELLS // k)
        raise BadOption(f'method="exact" has {outcomes:,} outcomes; {most:,} are the most. Take "monte-carlo"')
    if able and method != "monte-carlo":
        return _exact(counts, shares), "exact multinomial test"
    return _drawn(counts, shares, draws, seed), f"Monte Carlo test, {draws:,} draws, seed {seed}"


def _pearson(counts: Any, shares: Floats) -> Any:
    wanted = counts.sum(axis=-1, keepdims=True) * shares
    with np.errstate(over="ignore"):  # against next to no stake at all: infinite, as it should be
        return ((counts - wanted) ** 2 / wanted).sum(axis=-1)


def _exact(counts: npt.NDArray[np.int64], shares: Floats) -> float:
    n, k = int(counts.sum()), len(counts)
    cuts = np.array(list(itertools.combinations(range(n + k - 1), k - 1)), dtype=np.int64).reshape(-1, k - 1)
    edges = np.column_stack([np.full(len(cuts), -1), cuts, np.full(len(cuts), n + k - 1)])
    outcomes = np.diff(edges, axis=1) - 1
    logs = np.array([math.lgamma(i + 1) for i in range(n + 1)])
    chance = np.exp(logs[n] - logs[outcomes].sum(axis=1) + (outcomes * np.log(shares)).sum(axis=1))
    extreme = _pearson(outcomes, shares) * _TIE >= _pearson(counts, shares)
    return float(min(1.0, chance[extreme].sum()))


def _drawn(counts: npt.NDArray[np.int64], shares: Floats, draws: int, seed: int) -> float:
    rng = np.random.default_rng(seed)
    limit = _pearson(counts, shares)
    extreme, left = 0, draws
    while left:
        some = min(left, max(1, 2_000_000 // len(counts)))
        extreme += int(np.sum(_pearson(rng.multinomial(int(counts.sum()), shares, size=some), shares) * _TIE >= limit))
        left -= some
    return (1 + extreme) / (1 + draws)
