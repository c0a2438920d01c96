"""What repeats in a series: its correlation with itself, and the period that stands out, gaps or not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from aurigraph_nb.durations import Duration, Moment, seconds
from aurigraph_nb.errors import BadOption

from .extras import scipy
from .inputs import Data, Floats, Gaps, OnGap, whole
from .numeric import tamed
from .plots import Chart
from .result import Result, number, reading
from .samples import Samples, samples

MOST_CELLS = 5_000_000
"""Places of the grid on which a series is laid for its autocorrelation."""
MOST_LAGS = 10_000
MOST_ROWS = 5_000
"""Rows in which a period is looked for; the time grows with the square of them."""


def autocorrelation(
    data: Data,
    lags: int = 60,
    *,
    column: str = "tps",
    every: Duration | None = None,
    on_gap: OnGap = "nan",
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
) -> Result:
    """Correlation of a series with itself, 1 to ``lags`` steps later.

    r(k) = (n - k)/n × mean over the pairs seen of (x(t) - m)(x(t+k) - m) / mean of (x - m)². Without gaps this is the
    usual estimate that divides by n (Box, Jenkins and Reinsel, 2008, Time Series Analysis, 4th ed., section 2.1.5);
    with gaps only pairs of which both were seen count, as Parzen proposed (1963, On Spectral Analysis with Missing
    Observations and Amplitude Modulation, Sankhyā A 25, 383-392). The series is laid on a grid of the usual (median)
    distance of rows; rows that fall on one place are averaged. Assumes a level that does not drift.

    ``band`` is 1.96 / sqrt(pairs): independent values stay inside it 95 times of 100 at each lag (Bartlett, 1946).
    Among sixty lags three are outside by chance.

    Args:
        data: rows with a time and ``column``.
        lags: how many steps, 1 to 10,000; those that the series is too short for are NaN.
        column: the series.
        every: width of bins whose means are laid on the grid; None for the rows as they are.
        on_gap: "nan" (pairs over what was not seen still count if both ends were seen), "raise" (Incomplete) or
            "ignore".
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Returns:
        ``value``: r(1), None with fewer than 2 places or without any variation.

    Table, a row a lag, 1 to ``lags``; index 0, 1, 2, …:

        ``lag`` (int64): in steps.
        ``lag_s`` (float64, s): the same.
        ``autocorrelation`` (float64, -1 to 1): r; NaN without pairs, or where all values are equal.
        ``band`` (float64): what independent values stay within; NaN without pairs.
        ``pairs`` (int64): of which both were seen.

    Raises:
        BadOption: an option is out of range, or the grid would be too large. Incomplete: as ``on_gap`` says.
        BadOptionType: the data are of no kind that can be read.

    >>> import pandas as pd
    >>> times = pd.date_range("2026-01-01", periods=6, freq="1s", name="timestamp")
    >>> result = autocorrelation(pd.DataFrame({"tps": [1.0, -1, 1, -1, 1, -1]}, index=times), lags=2)
    >>> result.table["autocorrelation"].round(4).tolist()
    [-0.8333, 0.6667]
    """
    if whole("lags", lags) > MOST_LAGS:
        raise BadOption(f"lags={lags:,}, and {MOST_LAGS:,} are the most; take means of bins (every=) for longer times")
    seen = samples(data, column, on_gap=on_gap, every=every, start=start, end=end, gaps=gaps)
    step_ns = seen.typical_ns()
    laid = _laid(replace(seen, values=tamed(seen.values)[0]), step_ns)
    found, pairs = correlated(laid, lags)
    table = pd.DataFrame(
        {"lag": np.arange(1, lags + 1, dtype=np.int64), "lag_s": np.arange(1, lags + 1) * step_ns / 1e9}
    )
    table["autocorrelation"] = found
    table["band"] = np.divide(1.96, np.sqrt(pairs), out=np.full(lags, np.nan), where=pairs > 0)
    table["pairs"] = pairs
    value = None if np.isnan(found[0]) else float(found[0])
    name = f"Autocorrelation of {column}"
    title = f"{name} one step ({step_ns / 1e9:g} s) later"
    line = reading(title, value, "", len(seen), seen.got.coverage, why="fewer than 2 rows, or all the same")
    chart = Chart("bar", "lag_s", ("autocorrelation",), "lag (s)", "correlation (-1 to 1)", level=0.0, noise="band")
    return Result(name, value, "", table, line, seen.notes(), seen.got.coverage, len(seen), chart)


def correlated(laid: Floats, lags: int) -> tuple[Floats, Any]:
    """r(1) … r(lags) of a series with NaN where nothing was seen, and the pairs that each rests on."""
    n = len(laid)
    good = ~np.isnan(laid)
    count = int(good.sum())
    out, pairs = np.full(lags, np.nan), np.zeros(lags, dtype=np.int64)
    if count < 2:
        return out, pairs
    off = np.where(good, laid - laid[good].mean(), 0.0)
    power = float(np.sum(off**2)) / count
    for k in range(1, min(lags, n - 1) + 1):
        pairs[k - 1] = int(np.sum(good[:-k] & good[k:]))
        if pairs[k - 1] and power > 0:
            out[k - 1] = (n - k) / n * float(off[:-k] @ off[k:]) / pairs[k - 1] / power
    return out, pairs


@dataclass(frozen=True, eq=False, repr=False)
class Periodicity(Result):
    """The period that stands out most, and how likely chance would make one like it.

    >>> import aurigraph_nb as ag
    >>> from aurigraph_nb import analytics
    >>> found = analytics.periodicity(ag.sample("steady", duration="2min", seed=7).metrics)
    >>> isinstance(found, analytics.Periodicity), found.n > 0
    (True, True)
    """

    power: float | None = None
    """Share of the variance that a sine of that period explains, 0-1."""
    false_alarm: float | None = None
    """Chance that white noise has as high a peak anywhere in the range; at most, by Baluev's bound."""


def periodicity(
    data: Data,
    *,
    column: str = "tps",
    shortest: Duration | None = None,
    longest: Duration | None = None,
    every: Duration | None = None,
    on_gap: OnGap = "nan",
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
) -> Periodicity:
    """The period that stands out most: the highest peak of the Lomb-Scargle periodogram, with its significance.

    P(f) is the share of the variance (around the mean) that the best sine of frequency f explains, by least squares
    (Lomb, 1976, Astrophysics and Space Science 39, 447-462; Scargle, 1982, The Astrophysical Journal 263, 835-853). It
    needs no even spacing, so gaps need no filling. Five frequencies are tried for each that the span tells apart, and
    more around the highest peak. The false alarm probability is the bound of Baluev (2008, Monthly Notices of the Royal
    Astronomical Society 385, 1279-1285, eqs. 5 and 6, the mean subtracted): how often white noise would peak as high
    anywhere in the range.

    Assumes that without a period the values would be independent and normal. Load that drifts has its power at long
    periods, and looks significant there; ``longest`` keeps those out. A period longer than half the span was hardly
    seen twice. Gaps at even distances make false peaks at their own period.

    Args:
        data: rows with a time and ``column``, at most 5,000 with a value.
        column: the series.
        shortest: shortest period; twice the usual distance of rows unless said otherwise.
        longest: longest period; the span unless said otherwise.
        every: width of bins whose means are looked at; None for the rows as they are.
        on_gap: "nan" (what was seen), "raise" (Incomplete) or "ignore".
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Returns:
        ``value``: the period, s; None with fewer than 5 rows or without any variation. ``power`` and ``false_alarm`` of
        that peak.

    Table, a row a frequency, rising (none where there is no ``value``); index 0, 1, 2, …:

        ``frequency_hz`` (float64, Hz): what was tried.
        ``period_s`` (float64, s): one over it.
        ``power`` (float64, 0-1): share of the variance that a sine of it explains.

    Raises:
        BadOption: an option is out of range, or there are too many rows. Incomplete: as ``on_gap`` says.
        BadOptionType: the data are of no kind that can be read.
        MissingExtra: SciPy is not installed.

    >>> import numpy as np
    >>> import pandas as pd
    >>> times = pd.date_range("2026-01-01", periods=100, freq="1s", name="timestamp")
    >>> waves = pd.DataFrame({"tps": np.sin(np.arange(100) * 2 * np.pi / 10)}, index=times)
    >>> round(periodicity(waves).value, 1)
    10.0
    """
    seen = samples(data, column, on_gap=on_gap, every=every, start=start, end=end, gaps=gaps)
    if len(seen) > MOST_ROWS:
        raise BadOption(
            f"{len(seen):,} rows with a value, and {MOST_ROWS:,} are the most; take means of bins (every=), or a range"
        )
    seen = replace(seen, values=tamed(seen.values)[0])
    name = f"Period of {column}"
    tried = _frequencies(seen, _seconds(shortest, "shortest"), _seconds(longest, "longest"))
    powers = _powers(seen, tried)
    table = pd.DataFrame({"frequency_hz": tried, "period_s": 1 / tried, "power": powers})
    value, power = _peak(seen, tried, powers)
    alarm = None if power is None else false_alarm(power, len(seen), float(tried[-1]), float(np.var(seen.seconds)))
    line = reading(
        name, value, "s", len(seen), seen.got.coverage, why="fewer than 5 rows, all the same, or too close together"
    )
    if power is not None and alarm is not None:
        line += f"; power {number(power)}, false alarm {'< 1e-300' if alarm < 1e-300 else f'{alarm:.3g}'}"
    notes = ("the significance is against white noise; a load that drifts peaks at long periods without any period",)
    chart = Chart("line", "period_s", ("power",), "period (s)", "share of variance (0-1)", log_x=True)
    cover = seen.got.coverage
    return Periodicity(name, value, "s", table, line, notes + seen.notes(), cover, len(seen), chart, power, alarm)


def false_alarm(power: float, n: int, highest_hz: float, time_variance: float) -> float:
    """Baluev's bound of the chance that ``n`` independent normal values have so high a peak below ``highest_hz``."""
    special = scipy("special", "periodicity()")
    left = max(0.0, 1 - power)
    freedom = n - 3
    single = left ** (freedom / 2)
    gamma = np.sqrt(2 / (n - 1)) * np.exp(special.gammaln((n - 1) / 2) - special.gammaln((n - 2) / 2))
    width = highest_hz * np.sqrt(4 * np.pi * time_variance)
    expected = gamma * width * left ** ((freedom - 1) / 2) * np.sqrt((n - 1) * power / 2)
    return float(min(1.0, -np.expm1(np.log1p(-min(single, 1 - 1e-16)) - expected)))


def _laid(seen: Samples, step_ns: int) -> Floats:
    if not step_ns:
        return seen.values[:1]
    places = np.rint((seen.time_ns - seen.time_ns[0]) / step_ns).astype(np.int64)
    cells = int(places[-1]) + 1
    if cells > MOST_CELLS:
        raise BadOption(
            f"{cells:,} steps of {step_ns / 1e9:g} s from the first row to the last, and {MOST_CELLS:,} are the most; "
            "take means of bins (every=), or a range (start=, end=)"
        )
    n = np.bincount(places, minlength=cells)
    sums = np.bincount(places, seen.values, cells)
    return np.asarray(np.divide(sums, n, out=np.full(cells, np.nan), where=n > 0))


def _seconds(value: Duration | None, option: str) -> float | None:
    if value is None:
        return None
    found = seconds(value, option=option)
    if found <= 0:
        raise BadOption(f"{option}={value!r}: a period is longer than 0")
    return found


def _frequencies(seen: Samples, shortest: float | None, longest: float | None) -> Floats:
    if len(seen) < 5 or np.ptp(seen.values) == 0 or not seen.typical_ns():
        return np.empty(0)
    span = float(seen.seconds[-1])
    highest = 1 / (2 * seen.typical_ns() / 1e9 if shortest is None else shortest)
    lowest = 1 / (span if longest is None else longest)
    if lowest > highest and shortest is None and longest is None:
        return np.empty(0)
    if lowest > highest:
        raise BadOption(f"longest={1 / lowest:g} s is shorter than shortest={1 / highest:g} s")
    count = int(min(10 * MOST_ROWS, np.floor((highest - lowest) * 5 * span + 1e-9) + 1))
    return lowest + np.arange(count) / (5 * span) if count > 1 else np.array([lowest])


def _peak(seen: Samples, tried: Floats, powers: Floats) -> tuple[float | None, float | None]:
    """Period and power of the highest peak, looked for more finely between its neighbours."""
    if not len(powers):
        return None, None
    top = int(np.argmax(powers))
    finer = np.linspace(tried[max(0, top - 1)], tried[min(len(tried) - 1, top + 1)], 201)
    finer_powers = _powers(seen, finer)
    best = int(np.argmax(finer_powers))
    return float(1 / finer[best]), float(finer_powers[best])


def _powers(seen: Samples, tried: Floats) -> Floats:
    if not len(tried):
        return np.empty(0)
    off = seen.values - seen.values.mean()
    signal = scipy("signal", "periodicity()")
    raw = signal.lombscargle(seen.seconds, off, 2 * np.pi * tried, normalize=True, floating_mean=True)
    return np.clip(np.asarray(raw, dtype=np.float64), 0.0, 1.0)
