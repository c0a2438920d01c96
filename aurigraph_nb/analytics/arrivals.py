"""The times between events, and whether pure chance would have made them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from aurigraph_nb.durations import Moment

from .inputs import Data, Floats, Gaps, OnGap, rows, whole, without_gaps
from .numeric import counted
from .plots import Chart
from .result import Result, number, reading


@dataclass(frozen=True, eq=False, repr=False)
class Interarrival(Result):
    """Times between events, with the test against an exponential distribution.

    >>> import aurigraph_nb as ag
    >>> from aurigraph_nb import analytics
    >>> found = analytics.interarrival(ag.sample("steady", duration="2min", seed=7).transactions)
    >>> isinstance(found, analytics.Interarrival), found.n > 0
    (True, True)
    """

    statistic: float | None = None
    """Largest distance of the two distribution functions (D of Lilliefors), 0-1."""
    p_value: float | None = None
    """Chance of a distance at least as large if the times were exponential."""
    variation: float | None = None
    """Coefficient of variation: standard deviation by mean; 1 for an exponential distribution."""


def interarrival(
    data: Data,
    *,
    on_gap: OnGap = "nan",
    simulations: int = 5_000,
    seed: int = 0,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
) -> Interarrival:
    """The times between events, and whether they could be exponential, as those of a Poisson process are.

    Times between neighbouring rows, in order of time; those with a gap between them are left out. The test is that of
    Lilliefors (1969, On the Kolmogorov-Smirnov Test for the Exponential Distribution with Mean Unknown, Journal of the
    American Statistical Association 64, 387-389): D is the largest distance between the empirical distribution function
    and the exponential one with the same mean. Its p-value is simulated: that of D from ``simulations`` samples of at
    most 200 exponential times, made comparable over sizes by (D - 0.2/n)(sqrt(n) + 0.26 + 0.5/sqrt(n)) (Stephens, 1974,
    EDF Statistics for Goodness of Fit, same journal 69, 730-737, table 1). Times are assumed independent; events in
    bursts are not, and then the test rejects, as it should. Rows of one frame, and times rounded to the second, give
    ties that no exponential distribution has.

    Args:
        data: rows with a time, one an event.
        on_gap: "nan" (times over a gap are left out), "raise" (Incomplete) or "ignore" (they count).
        simulations: samples drawn for the p-value; it is never below 1 / (simulations + 1).
        seed: of the simulation.
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Returns:
        ``value``: the mean, s; None with fewer than 2 rows. ``statistic``, ``p_value`` (both None with fewer than 4
        times, or where all are 0) and ``variation``.

    Table, a row a quantile, 99 of them (none without times); index 0, 1, 2, …:

        ``quantile`` (float64, 0-1): 0.01 to 0.99.
        ``seconds`` (float64, s): quantile of the times.
        ``exponential_s`` (float64, s): that of the exponential distribution with the same mean.

    Raises:
        BadOption: an option is out of range. Incomplete: ``on_gap="raise"`` and a gap lies in the span.
        BadOptionType: the data are of no kind that can be read.

    >>> import pandas as pd
    >>> times = pd.to_datetime([0.0, 1.0, 3.0, 4.0, 9.0], unit="s", utc=True)
    >>> interarrival(pd.DataFrame({"timestamp": times})).value
    2.25
    """
    whole("simulations", simulations, 100)
    got = without_gaps(rows(data, start=start, end=end, gaps=gaps), on_gap).by_time()
    kept = np.diff(got.stretches()) == 0 if len(got) else np.empty(0, bool)
    steps = np.sort(np.diff(got.time_ns)[kept] / 1e9) if len(got) else np.empty(0)
    n = len(steps)
    mean = float(steps.mean()) if n else None
    spread = float(steps.std(ddof=1)) / mean if n > 1 and mean else None
    tested = n >= 4 and bool(mean)
    distance = lilliefors_distance(steps) if tested else None
    p = None if distance is None else lilliefors_p(distance, n, simulations, seed)
    table = _quantiles(steps, mean)
    why = "fewer than 2 rows in a stretch"
    line = reading("Mean time between events", mean, "s", n, got.coverage, of="time", why=why)
    line += "" if p is None else f"; variation {number(spread)}, exponential: p = {p:.3g}"
    notes = (f"over a gap, and left out: {counted(len(kept) - n, 'time')}",) if len(kept) > n else ()
    chart = Chart("line", "quantile", ("seconds", "exponential_s"), "quantile", "time between events (s)")
    name = "Times between events"
    return Interarrival(name, mean, "s", table, line, notes, got.coverage, n, chart, distance, p, spread)


def lilliefors_distance(ordered: Floats) -> float:
    """Largest distance between the distribution of these ordered times and the exponential one of the same mean."""
    n = len(ordered)
    fitted = -np.expm1(-ordered / ordered.mean())
    steps = np.arange(n + 1) / n
    return float(max(np.max(steps[1:] - fitted), np.max(fitted - steps[:-1])))


def lilliefors_p(distance: float, n: int, simulations: int, seed: int) -> float:
    """Chance of such a distance, or a larger one, among n exponential times whose mean is estimated from them."""
    size = min(n, 200)
    drawn = np.sort(np.random.default_rng(seed).standard_exponential((simulations, size)), axis=1)
    fitted = -np.expm1(-drawn / drawn.mean(axis=1, keepdims=True))
    steps = np.arange(size + 1) / size
    distances = np.maximum((steps[1:] - fitted).max(axis=1), (fitted - steps[:-1]).max(axis=1))
    reached = int(np.sum(_scaled(distances, size) >= _scaled(distance, n) - 1e-12))
    return (reached + 1) / (simulations + 1)


def _scaled(distance: Any, n: int) -> Any:
    return (distance - 0.2 / n) * (np.sqrt(n) + 0.26 + 0.5 / np.sqrt(n))


def _quantiles(steps: Floats, mean: float | None) -> pd.DataFrame:
    levels = np.arange(1, 100) / 100 if len(steps) else np.empty(0)
    seconds = np.quantile(steps, levels) if len(steps) else np.empty(0)
    return pd.DataFrame({"quantile": levels, "seconds": seconds, "exponential_s": -(mean or 0.0) * np.log1p(-levels)})
