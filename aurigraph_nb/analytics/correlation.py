"""Whether one stream follows another, and by how much: correlation over lags."""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurigraph_nb.durations import Duration, Moment, nanoseconds
from aurigraph_nb.errors import BadOption

from .bins import width
from .cross import How, align
from .extras import scipy
from .inputs import Data, Gaps, OnGap, one_of
from .inputs import share as checked_share
from .numeric import tamed
from .plots import Chart
from .result import Result, number, reading

Floats = npt.NDArray[np.float64]
Method: TypeAlias = Literal["pearson", "spearman"]

LEAST_PAIRS = 4
"""Pairs of bins below which a lag has no correlation."""
MOST_LAGS = 10_000


def lagged_correlation(
    left: Data,
    right: Data,
    *,
    x: str,
    y: str,
    every: Duration = "1s",
    max_lag: Duration = "30s",
    method: Method = "pearson",
    how: How = "mean",
    confidence: float = 0.95,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    right_gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """The correlation of ``x`` with ``y`` so much later, for each lag up to ``max_lag`` either way.

    Both are put on one clock (:func:`align`). At a lag L the pairs are (x at t, y at t + L): a peak at L > 0 says that
    ``y`` follows ``x`` by L. Bins without a number, or touched by a gap, make no pair. Spearman's is Pearson's of the
    ranks, taken over all bins at once.

    Significance allows for series that depend on their own past, as loads do: the n pairs are worth
    n / (1 + 2 sum (1 - k/n) r_x(k) r_y(k)) independent ones, k up to n/5 and r the autocorrelations
    (M. S. Bartlett 1935, J. R. Stat. Soc. 98, 536-543, with both signs of k; B. J. Pyper and R. M. Peterman 1998, Can.
    J. Fish. Aquat. Sci. 55, 2127-2140), and never more than n; the p-value is of Student's t with that number less 2
    degrees of freedom. ``p_adjusted`` multiplies it by the number of lags (Bonferroni), as is needed where the largest
    of many is told. Intervals are by Fisher's transformation with the same effective number.

    Assumptions: both series are stationary over the data (a common trend correlates anything with anything); the
    relation is linear, or monotone for Spearman's; correlation says nothing of causes.

    ``value`` is the correlation of the largest size, and the reading says at which lag; None where there are too few
    pairs, or a series is constant.

    ``gaps`` and ``right_gaps`` are those of ``left`` and ``right``, where they do not bring them along.

    Args:
        left: rows with a time and ``x``.
        right: rows with a time and ``y``.
        x: the column of ``left``.
        y: the column of ``right``.
        every: width of a bin.
        max_lag: the largest lag either way.
        method: pearson or spearman.
        how: mean or last, as in :func:`align`.
        confidence: of the intervals, between 0 and 1.
        right_gaps: those of ``right``.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row a lag, from the most negative one; index 0, 1, 2, …:

        ``lag_s`` (float64, s): by how much ``y`` is later.
        ``correlation`` (float64, -1 to 1): NaN with fewer than 4 pairs, or where a series is constant; then so are all
            but ``pairs``.
        ``low`` (float64): begin of its interval; -1 where there are too few independent pairs.
        ``high`` (float64): its end; 1 likewise.
        ``pairs`` (int64): bins that have both.
        ``effective`` (float64): how many independent pairs these are worth.
        ``p_value`` (float64, 0-1): two-sided, of this lag alone; NaN for 2 independent pairs or fewer.
        ``p_adjusted`` (float64, 0-1): of the largest of all these lags.

    Raises:
        BadOption: there is no such column, or an option is out of range.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap, and ``on_gap="raise"``.
        MissingExtra: scipy is not installed.

    >>> rng = np.random.default_rng(1)
    >>> noise = rng.normal(size=200)
    >>> times = pd.to_datetime(range(200), unit="s", utc=True)
    >>> left, right = (pd.DataFrame({"timestamp": times, "v": v}) for v in (noise, np.roll(noise, 3)))
    >>> lagged_correlation(left, right, x="v", y="v", max_lag="5s").reading.split(";")[0]
    'Largest correlation: 1 (v with v 3 s later'
    """
    one_of("method", method, ("pearson", "spearman"))
    checked_share("confidence", confidence)
    every_ns, lag_ns = width(every), nanoseconds(max_lag, option="max_lag")
    most = lag_ns // every_ns
    if most > MOST_LAGS:
        raise BadOption(f"max_lag={max_lag!r} is {most:,} bins; {MOST_LAGS:,} are the most. Take a longer every=")
    names = ("left", "right")
    put = align(
        left,
        right,
        every=every,
        columns=[[x], [y]],
        names=names,
        how=how,
        start=start,
        end=end,
        gaps=(gaps, right_gaps),
        on_gap=on_gap,
    )
    a, b = (tamed(put.table[c].to_numpy(float))[0] for c in (f"left.{x}", f"right.{y}"))
    if method == "spearman":
        a, b = _ranks(a), _ranks(b)
    lags = np.arange(-most, most + 1)
    table = pd.DataFrame([_lag(a, b, int(lag), confidence) for lag in lags], columns=_COLUMNS)
    table.insert(0, "lag_s", lags * every_ns / 1e9)
    table["p_adjusted"] = np.minimum(1.0, table["p_value"] * len(lags))
    table = table.astype({**dict.fromkeys(table.columns, float), "pairs": "int64"})
    return _result(table, put, x, y)


_COLUMNS = ["correlation", "low", "high", "pairs", "effective", "p_value"]


def _result(table: pd.DataFrame, put: Result, x: str, y: str) -> Result:
    size = table["correlation"].abs()
    name = "Largest correlation"
    chart = Chart(
        "line", "lag_s", ("correlation",), f"lag of {y}, seconds", "correlation", low="low", high="high", level=0
    )
    if not size.notna().any():
        line = reading(name, None, "", 0, put.coverage, of="pair", why="too few pairs, or a constant series")
        return Result(name, None, "", table, line, (), put.coverage, 0, chart)
    best = table.iloc[int(np.nanargmax(size.to_numpy(float)))]
    value, lag, n = float(best["correlation"]), float(best["lag_s"]), int(best["pairs"])
    when = "at the same time" if not lag else f"{number(abs(lag))} s {'later' if lag > 0 else 'earlier'}"
    p = f"p = {best['p_adjusted']:.2g} over {len(table)} lags"
    line = reading(name, value, f"({x} with {y} {when}; {p})", n, put.coverage, of="pair")
    notes = ["a common trend, or a common cause, gives a correlation, too"]
    if best["effective"] < 30:
        notes.append(f"worth {best['effective']:.3g} independent pairs: the p-value is rough")
    return Result(name, value, "", table, line, tuple(notes), put.coverage, n, chart)


def _lag(a: Floats, b: Floats, lag: int, confidence: float) -> tuple[Any, ...]:
    x, y = (a[: len(a) - lag], b[lag:]) if lag >= 0 else (a[-lag:], b[: len(b) + lag])
    use = np.isfinite(x) & np.isfinite(y)
    n = int(use.sum())
    nothing = (math.nan, math.nan, math.nan, n, math.nan, math.nan)
    if n < LEAST_PAIRS:
        return nothing
    mx, my = x[use] - x[use].mean(), y[use] - y[use].mean()
    size = math.sqrt(float(mx @ mx) * float(my @ my))
    if not size or np.ptp(x[use]) == 0 or np.ptp(y[use]) == 0:
        return nothing
    r = max(-1.0, min(1.0, float(mx @ my) / size))
    effective = effective_pairs(np.where(use, x, np.nan), np.where(use, y, np.nan))
    freedom = max(effective - 2, 1e-9)
    t = abs(r) * math.sqrt(freedom / max(1 - r * r, 1e-300))
    stats = scipy("stats", "the significance of a correlation")
    p = float(2 * stats.t.sf(t, freedom)) if effective > 2 else math.nan
    half = float(stats.norm.ppf(0.5 + confidence / 2)) / math.sqrt(effective - 3) if effective > 3 else math.inf
    middle = math.atanh(max(-1 + 1e-15, min(1 - 1e-15, r)))
    return r, math.tanh(middle - half), math.tanh(middle + half), n, effective, p


def effective_pairs(x: Floats, y: Floats) -> float:
    """How many independent pairs the pairs of two series that depend on their own past are worth.

    >>> round(effective_pairs(np.array([1.0, -1.0] * 50), np.array([1.0, 1.0, -1.0, -1.0] * 25)))
    100
    """
    n = int(np.isfinite(x).sum())
    most = max(1, n // 5)
    both = _autocorrelation(x, most) * _autocorrelation(y, most)
    weights = 1 - np.arange(1, most + 1) / n
    return float(min(n, n / max(1.0, 1 + 2 * float(np.sum(weights * both)))))


def _autocorrelation(x: Floats, most: int) -> Floats:
    """At lags 1 to ``most``, over the pairs that are there; by FFT."""
    known = np.isfinite(x)
    centred = np.where(known, x - x[known].mean(), 0.0)
    size = 1 << (2 * len(x) - 1).bit_length()
    spectrum = np.fft.rfft(centred, size)
    sums = np.fft.irfft(spectrum * np.conj(spectrum), size)[: most + 1]
    found = sums[1:] / sums[0] if sums[0] > 0 else np.zeros(most)
    return np.append(found, np.zeros(most - len(found))).astype(np.float64)


def _ranks(values: Floats) -> Floats:
    return np.asarray(pd.Series(values).rank().to_numpy(float), dtype=np.float64)
