"""How uneven the load is: counts in windows against chance, at one scale and at many, and the times between events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from aurigraph_nb.durations import Duration, Moment
from aurigraph_nb.errors import BadOption

from .bins import grid, width
from .extras import scipy
from .inputs import Data, Gaps, OnGap, Rows, rows, share, without_gaps
from .numeric import tamed, times
from .plots import Chart
from .readers import names_of
from .result import Result, number, reading

SCALES = ("1s", "2s", "5s", "10s", "30s", "1min", "2min", "5min")
LEAST_WINDOWS = 2
"""Windows from which a variance can be told; fewer give NaN."""


def dispersion(
    data: Data,
    every: Duration = "1s",
    *,
    column: str | None = None,
    on_gap: OnGap = "nan",
    confidence: float = 0.95,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
) -> Result:
    """Index of dispersion for counts: variance by mean of the counts in windows; 1 by pure chance, more in bursts.

    D = s² / m of the counts in k windows. For a Poisson process (k - 1) D has the chi-square distribution with k - 1
    degrees of freedom, which gives the interval and the two-sided p-value (Cox and Lewis, 1966, The Statistical
    Analysis of Series of Events, chapter 6). Only windows that were seen from end to end count.

    Rows count once each; where the data have a rate (``tps``), it is a rate at that moment and a window's count is the
    mean rate in it times its width. Then D holds the noise of measuring as well, and the Poisson test says little.

    Args:
        data: rows with a time: events (transactions), or a rate (metrics).
        every: width of a window.
        column: the rate per second; None for ``tps`` where there is one, else rows are counted.
        on_gap: "nan" (windows that a gap touches are left out), "raise" (Incomplete) or "ignore".
        confidence: of the interval of D under the Poisson process.
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Returns:
        ``value``: D, None with fewer than 2 windows or a mean of 0.

    Table, one row; index 0, 1, 2, …:

        ``window_s`` (float64, s): width of a window.
        ``windows`` (int64): how many were seen from end to end.
        ``mean`` (float64): of the counts in them; NaN without any.
        ``variance`` (float64): of the counts (k - 1); NaN with fewer than 2 windows.
        ``dispersion`` (float64): variance by mean; NaN likewise, and where the mean is not above 0.
        ``low`` (float64): what chance allows, from here; NaN where there is no D.
        ``high`` (float64): and up to here; NaN likewise.
        ``p_value`` (float64, 0-1): two-sided; NaN likewise.

    Raises:
        BadOption: an option is out of range. Incomplete: ``on_gap="raise"`` and a gap lies in the span.
        BadOptionType: the data are of no kind that can be read.
        MissingExtra: SciPy is not installed.

    >>> import pandas as pd
    >>> times = pd.to_datetime([0.1, 0.2, 0.3, 0.4, 1.5, 2.5, 3.5, 3.6], unit="s", utc=True)
    >>> round(dispersion(pd.DataFrame({"timestamp": times}), start=0, end=4_000_000_000).value, 6)
    1.0
    """
    share("confidence", confidence)
    got, rate = _events(data, column, on_gap, start, end, gaps)
    row = _dispersion(got, rate, every)
    k, value = int(row["windows"]), row["dispersion"]
    low, high, p = _by_chance(value, k, confidence)
    table = pd.DataFrame([{**row, "low": low, "high": high, "p_value": p}])
    name = f"Index of dispersion, windows of {every}"
    told = None if np.isnan(value) else value
    why = "fewer than 2 whole windows" if k < LEAST_WINDOWS else "nothing was counted"
    line = reading(name, told, "", k, got.coverage, of="window", why=why)
    line += "" if told is None else f"; by chance {number(low)} to {number(high)}, p = {p:.3g}"
    chart = Chart("dots", "window_s", ("dispersion",), "window (s)", "variance / mean", level=1.0, allowed=(low, high))
    return Result(name, told, "", table, line, _notes(rate), got.coverage, k, chart)


def fano(
    data: Data,
    scales: Sequence[Duration] = SCALES,
    *,
    column: str | None = None,
    on_gap: OnGap = "nan",
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
) -> Result:
    """Fano factor over scales: variance by mean of counts in windows of growing width.

    F(T) = Var(N(T)) / E(N(T)) (Fano, 1947, Ionization Yield of Radiations II, Physical Review 72, 26). It stays at 1
    for a Poisson process; where it grows with T like a power, events keep together over long times, and the slope of
    log F against log T is the exponent of that power (Lowen and Teich, 2005, Fractal-Based Point Processes, chapter
    3). The value is that slope, by least squares over the scales with 10 windows or more. Windows are as in
    :func:`dispersion`.

    Args:
        data: rows with a time: events (transactions), or a rate (metrics).
        scales: widths of the windows.
        column: the rate per second; None for ``tps`` where there is one, else rows are counted.
        on_gap: "nan" (windows that a gap touches are left out), "raise" (Incomplete) or "ignore".
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Returns:
        ``value``: the slope, None with fewer than 2 such scales.

    Table, a row a scale, in the order asked for; index 0, 1, 2, …:

        ``window_s`` (float64, s): width of a window.
        ``windows`` (int64): how many were seen from end to end.
        ``mean`` (float64): of the counts in them; NaN without any.
        ``variance`` (float64): of the counts (k - 1); NaN with fewer than 2 windows.
        ``dispersion`` (float64): variance by mean; NaN likewise, and where the mean is not above 0.

    Raises:
        BadOption: an option is out of range. Incomplete: ``on_gap="raise"`` and a gap lies in the span.
        BadOptionType: the data are of no kind that can be read.

    >>> import pandas as pd
    >>> times = pd.date_range("2026-01-01", periods=600, freq="100ms", name="timestamp")
    >>> fano(pd.DataFrame(index=times), scales=["1s", "2s"]).table["dispersion"].tolist()
    [0.0, 0.0]
    """
    if isinstance(scales, str) or not len(scales):
        raise BadOption(f"scales={scales!r}: a list of durations was expected, such as ['1s', '10s', '1min']")
    got, rate = _events(data, column, on_gap, start, end, gaps)
    table = pd.DataFrame([_dispersion(got, rate, scale) for scale in scales])
    used = table[(table["windows"] >= 10) & (table["dispersion"] > 0)]
    value = None
    if used["window_s"].nunique() >= 2:
        value = float(np.polyfit(np.log(used["window_s"]), np.log(used["dispersion"]), 1)[0])
    name = "Fano factor, slope over scales"
    line = reading(name, value, "", len(got), got.coverage, why="fewer than 2 scales with 10 windows")
    chart = Chart(
        "line", "window_s", ("dispersion",), "window (s)", "variance / mean", log_x=True, log_y=True, level=1.0
    )
    return Result(name, value, "", table, line, _notes(rate), got.coverage, len(got), chart)


def _events(
    data: Data, column: str | None, on_gap: OnGap, start: Moment | None, end: Moment | None, gaps: Gaps
) -> tuple[Rows, str | None]:
    rate = "tps" if column is None and "tps" in names_of(data) else column
    got = rows(data, *(() if rate is None else (rate,)), start=start, end=end, gaps=gaps)
    return without_gaps(got, on_gap), rate


def _dispersion(got: Rows, rate: str | None, scale: Duration) -> dict[str, float]:
    """Counts in the windows that were seen from end to end: how many, mean, variance, and their ratio."""
    factor = 1.0
    cells, window_s = grid(got, scale, "scales"), width(scale, "scales") / 1e9
    slots = cells.index(got.time_ns)
    if rate is None:
        counts = np.bincount(slots, minlength=cells.count).astype(np.float64)
        whole_ = _inside(got, cells.starts_ns, cells.every_ns)
    else:
        values, factor = tamed(got.numbers(rate))
        good = ~np.isnan(values)
        n = np.bincount(slots[good], minlength=cells.count)
        sums = np.bincount(slots[good], values[good], cells.count)
        counts = np.divide(sums, n, out=np.full(cells.count, np.nan), where=n > 0) * window_s
        whole_ = (cells.coverage(got) > 1 - 1e-9) & (n > 0)
    counts = counts[whole_]
    k = len(counts)
    counts, far = tamed(counts)
    mean = float(counts.mean()) if k else np.nan
    variance = float(counts.var(ddof=1)) if k >= LEAST_WINDOWS else np.nan
    ratio = variance / mean if k >= LEAST_WINDOWS and mean > 0 else np.nan
    once = [float(times(times(v, far), factor)) for v in (mean, ratio)]
    twice = float(times(times(times(times(variance, far), factor), far), factor))
    return {"window_s": window_s, "windows": k, "mean": once[0], "variance": twice, "dispersion": once[1]}


def _inside(got: Rows, starts: Any, every_ns: int) -> Any:
    """Windows inside the span and outside every gap. The one with the last event ends unseen, and does not count."""
    if got.start_ns is None or got.end_ns is None:
        return np.zeros(len(starts), dtype=bool)
    ends = starts + every_ns
    return (starts >= got.start_ns) & (ends <= got.end_ns) & (got.holes.missing(starts, ends) == 0)


def _by_chance(value: float, k: int, confidence: float) -> tuple[float, float, float]:
    if k < LEAST_WINDOWS or np.isnan(value):
        return np.nan, np.nan, np.nan
    chi2 = scipy("stats", "the test of dispersion").chi2(k - 1)
    low, high = chi2.ppf([(1 - confidence) / 2, (1 + confidence) / 2]) / (k - 1)
    x = float(times(k - 1.0, value))
    return float(low), float(high), float(min(1.0, 2 * min(chi2.cdf(x), chi2.sf(x))))


def _notes(rate: str | None) -> tuple[str, ...]:
    if rate is None:
        return ("windows not seen from end to end are left out",)
    return (f"counts are mean {rate} times the window; windows not seen from end to end are left out",)
