"""How long validators work before they fail, and how long until they work again."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from aurigraph_nb.durations import Moment

from .extras import scipy
from .inputs import Data, Gaps, OnGap, Rows, rows, without_gaps
from .inputs import share as checked_share
from .plots import Chart
from .result import Result, reading
from .spells import Spells, coded, spells
from .validators import seen_share, status_words

FAILED = ("JAILED", "OFFLINE")
"""Statuses that count as a failure. INACTIVE is none: a validator may wait, or be replaced, in good order."""


def mean_time_between_failures(
    validators: Data,
    *,
    failed: str | Iterable[str] = FAILED,
    confidence: float = 0.95,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """How long validators work before they fail, on average, and how long until they work again.

    A failure is a change into a status of ``failed`` that was seen to happen. The estimate is the seen time outside
    these statuses over the number of failures: the maximum-likelihood mean of exponential times between failures that
    are censored by the end of the data. The interval is exact for a Poisson process watched for a fixed time:
    2T / chi2(1 - a/2; 2r + 2) to 2T / chi2(a/2; 2r) (B. Epstein and M. Sobel 1953, Life testing, JASA 48, 486-502;
    F. Garwood 1936, Biometrika 28, 437-442, for the counts); without a failure it has no upper end.

    ``value`` is the pooled mean in seconds, over all validators; None without a failure. Pooling takes all validators
    for equally prone to fail. A failure hidden in a gap is not counted, nor is the time of the gap.

    Args:
        validators: rows of the validators topic.
        failed: the statuses that count as a failure.
        confidence: of the intervals, between 0 and 1.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row a validator, by name, and a last one for all of them; index 0, 1, 2, …:

        ``validator`` (str): its id; missing: all.
        ``up_s`` (float64, s): seen outside the failed statuses.
        ``failures`` (int64): seen to happen.
        ``mtbf_s`` (float64, s): their ratio; NaN without a failure.
        ``low_s`` (float64, s): begin of its interval.
        ``high_s`` (float64, s): its end; infinite without a failure.
        ``mttr_s`` (float64, s): seconds in a failed status over the number of returns seen; NaN without any.
        ``availability`` (float64, 0-1): share of the seen time outside the failed statuses; NaN for no time.

    Raises:
        BadOption: a column ``id`` or ``status`` is missing, or an option is out of range.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap, and ``on_gap="raise"``.
        MissingExtra: scipy is not installed.

    >>> times = pd.to_datetime([0, 6, 8, 12], unit="s", utc=True)
    >>> frame = pd.DataFrame({"timestamp": times, "id": "a", "status": ["ACTIVE", "JAILED", "ACTIVE", "ACTIVE"]})
    >>> mean_time_between_failures(frame)
    Mean time between failures: 10 s (95 % interval 1.7948 to 394.98); n = 1 failure; coverage 100 %
    """
    checked_share("confidence", confidence)
    chosen = status_words("failed", failed)
    got = without_gaps(rows(validators, "id", "status", start=start, end=end, gaps=gaps), on_gap)
    one, names = _up_and_down(got, chosen)
    edges = np.searchsorted(one.thing, np.arange(len(names) + 1))
    lines = [_life(name, one.where(slice(*edges[i : i + 2])), confidence) for i, name in enumerate(names)]
    total = _life(None, one, confidence)
    columns = ["validator", "up_s", "failures", "mtbf_s", "low_s", "high_s", "mttr_s", "availability"]
    table = pd.DataFrame([*lines, total] if names else [], columns=columns)
    kinds = {"failures": "int64"} | dict.fromkeys([*columns[3:], "up_s"], "float64")
    table = table.astype(kinds)
    table["validator"] = pd.Series([*names, None] if names else [], dtype="str")
    failures, mtbf, low, high = total[2:6]
    value = None if math.isnan(mtbf) or not failures else mtbf
    coverage = seen_share(got, float(one.seconds.sum()), len(names))
    name = "Mean time between failures"
    unit = f"s ({100 * confidence:g} % interval {low:.5g} to {high:.5g})"
    why = f"no failure in {total[1]:,.5g} s" if names else "no validator was seen"
    line = reading(name, value, unit, failures, coverage, of="failure", why=why)
    notes: tuple[str, ...] = (f"a failure is a change into {', '.join(sorted(chosen))}",)
    if 0 < failures < 10:
        notes = (*notes, "fewer than 10 failures: the interval is wide")
    chart = Chart(
        "dots",
        "validator",
        ("mtbf_s",),
        "validator",
        "mean time between failures (s)",
        low="low_s",
        high="high_s",
        log_y=True,
        missing="all",
    )
    return Result(name, value, "s", table, line, notes, coverage, failures, chart)


def _up_and_down(got: Rows, chosen: frozenset[str]) -> tuple[Spells, list[str]]:
    """The spells of working (0) and having failed (1), and the names of the validators."""
    things, names = coded(got.texts("id"))
    states = np.array([-1 if s is None else int(s in chosen) for s in got.texts("status")], dtype=np.int64)
    return spells(got.time_ns, things, states, got.holes, got.end_ns), names


def _life(name: str | None, mine: Spells, confidence: float) -> tuple[Any, ...]:
    up, down = mine.state == 0, mine.state == 1
    up_s, down_s = float(mine.seconds[up].sum()), float(mine.seconds[down].sum())
    failures, returns = int((down & ~mine.cut_left).sum()), int((down & ~mine.cut_right).sum())
    chi2 = scipy("stats", "the interval of a mean time between failures").chi2
    tail = (1 - confidence) / 2
    low = 2 * up_s / float(chi2.ppf(1 - tail, 2 * failures + 2))
    high = 2 * up_s / float(chi2.ppf(tail, 2 * failures)) if failures else math.inf
    seen = up_s + down_s
    mtbf, mttr = (up_s / failures if failures else math.nan), (down_s / returns if returns else math.nan)
    return name, up_s, failures, mtbf, low, high, mttr, up_s / seen if seen else math.nan
