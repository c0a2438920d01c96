"""Transactions: how many fail, what they are worth, and how many wait.

The transactions topic is a sample of what the metrics topic counts as TPS: shares and distributions can be told from it
as far as it is a fair sample, which nobody states; totals cannot.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurigraph_nb.durations import Duration, Moment
from aurigraph_nb.errors import BadOption

from .bins import Grid, grid
from .inputs import Data, Gaps, OnGap, Rows, rows, without_gaps
from .inputs import share as checked_share
from .ledger import FINAL, SAMPLE, amounts, transactions_of
from .numeric import as_float, counted, wilson
from .plots import Chart
from .result import Result, reading
from .spells import coded, known_until

Ints = npt.NDArray[np.int64]

QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
_MOST_DIGITS = 2_000


def failure_rate(
    transactions: Data,
    *,
    every: Duration | None = None,
    confidence: float = 0.95,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """The share of settled transactions that failed, with Wilson's interval, over all and by time.

    Each transaction counts once, by its last status, at the time that was told; those not settled yet do not count.
    The interval (E. B. Wilson 1927, JASA 22, 209-212) takes transactions as independent and the stream as a random
    sample; failures that come in bursts make it too narrow. Gaps hide both kinds alike, so the share stays a fair one;
    a bin that a gap touches is told with its ``coverage``, and without a share where nothing settled in it.

    Args:
        transactions: rows of the transactions topic.
        every: width of the bins of the table; None: one row for all.
        confidence: of the intervals.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row a bin, in order of time; index 0, 1, 2, …:

        ``timestamp`` (datetime64[ns, UTC]): begin of the bin.
        ``settled`` (int64): transactions that were told CONFIRMED or FAILED in it.
        ``failed`` (int64): of them.
        ``share`` (float64, 0-1): their ratio; NaN where none settled.
        ``low`` (float64, 0-1): begin of its interval; NaN likewise.
        ``high`` (float64, 0-1): its end; NaN likewise.
        ``coverage`` (float64, 0-1): share of the bin that was seen; NaN without ``every`` where there is no span.

    ``value`` is the share over all, None where none settled.

    Raises:
        BadOption: there is no column ``status``, or an option is out of range.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap, and ``on_gap="raise"``.

    >>> times = pd.to_datetime(range(4), unit="s", utc=True)
    >>> frame = pd.DataFrame({"timestamp": times, "hash": list("abca")})
    >>> failure_rate(frame.assign(status=["PENDING", "CONFIRMED", "FAILED", "CONFIRMED"]))
    Failed transactions: 0.33333 (95 % interval 0.061492 to 0.79234); n = 3 settled transactions; coverage 100 %
    """
    checked_share("confidence", confidence)
    whole = transactions_of(transactions, "status", start=start, end=end, gaps=gaps)
    got = without_gaps(whole, on_gap)
    status = got.texts("status")
    settled, failed = np.isin(status.astype(str), FINAL), status == "FAILED"
    total, bad = int(settled.sum()), int(failed.sum())
    low, high = wilson(bad, total, confidence)
    value = bad / total if total else None
    name = "Failed transactions"
    unit = f"({100 * confidence:g} % interval {low:.5g} to {high:.5g})"
    line = reading(name, value, unit, total, got.coverage, of="settled transaction", why="none settled")
    table = _rates(got, settled, failed, every, confidence)
    chart = Chart(
        "line",
        "timestamp",
        ("share",),
        "time (UTC)",
        "share that failed",
        low="low",
        high="high",
        holes=got.shown_holes(),
    )
    return Result(name, value, "", table, line, (SAMPLE,), got.coverage, total, chart)


def _rates(got: Rows, settled: Any, failed: Any, every: Duration | None, confidence: float) -> pd.DataFrame:
    if every is None:
        bins = Grid(got.start_ns or 0, max(1, round(got.span_s * 1e9)), 1 if got.start_ns is not None else 0)
        index, coverage = (
            np.zeros(len(got), np.int64),
            np.full(bins.count, np.nan if got.coverage is None else got.coverage),
        )
    else:
        bins = grid(got, every)
        index, coverage = bins.index(got.time_ns), bins.coverage(got)
    all_n = np.bincount(index[settled], minlength=bins.count)
    bad_n = np.bincount(index[failed], minlength=bins.count)
    bounds = [wilson(int(b), int(a), confidence) for a, b in zip(all_n, bad_n, strict=True)]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(all_n > 0, bad_n / all_n, np.nan)
    return pd.DataFrame(
        {
            "timestamp": bins.starts(),
            "settled": all_n.astype(np.int64),
            "failed": bad_n.astype(np.int64),
            "share": share,
            "low": np.array([low for low, _ in bounds], float),
            "high": np.array([high for _, high in bounds], float),
            "coverage": coverage,
        }
    )


def value_distribution(
    transactions: Data,
    *,
    quantiles: Sequence[float] = QUANTILES,
    status: str | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """What transactions are worth: exact sums and quantiles, one row for each unit, never across units.

    Amounts are integers or decimals of any length here, so nothing is rounded and no sum overflows. Quantiles are
    order statistics, amounts that occurred: the smallest one with at least that share at or below it (type 1 of
    R. J. Hyndman and Y. Fan 1996, Sample quantiles in statistical packages, Am. Stat. 50, 361-365). Each transaction
    counts once. Sums are of the transactions seen, not of the network.

    ``value`` is the exact sum where there is one unit, else None. Its unit is that of the amounts: ``base`` units, or
    ``as-sent`` where the scale is unproven.

    Args:
        transactions: rows of the transactions topic.
        quantiles: which to tell, each from 0 to 1.
        status: only transactions whose last status this is, such as CONFIRMED; None: all.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row a unit; index 0, 1, 2, …:

        ``value_unit`` (str): base or as-sent; missing: not told.
        ``count`` (int64): transactions with an amount.
        ``missing`` (int64): transactions without one.
        ``sum`` (object): exact; a Python integer, or a Decimal where an amount has a fraction; None without amounts.
        ``mean`` (float64): in the unit; NaN without amounts, infinite beyond what a float holds.
        ``q0.5`` (object): and the like, one column for each of ``quantiles``: an amount that occurred, as ``sum``.

    Raises:
        BadOption: there is neither ``value`` nor ``value_text``, or a quantile is out of range.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap, and ``on_gap="raise"``.

    >>> frame = pd.DataFrame({"timestamp": pd.to_datetime(range(2), unit="s", utc=True), "value_unit": "base"})
    >>> value_distribution(frame.assign(value_text=["1", "1" + 30 * "0"]), quantiles=[0.5]).table["sum"][0]
    1000000000000000000000000000001
    """
    if not all(isinstance(q, int | float) and 0 <= q <= 1 for q in quantiles):
        raise BadOption(f"quantiles={quantiles!r}: numbers from 0 to 1 were expected")
    amounts_, needed = ("value", "value_text"), () if status is None else ("status",)
    extras = ("value_unit",)
    got = transactions_of(transactions, *needed, either=amounts_, optional=extras, start=start, end=end, gaps=gaps)
    got = without_gaps(got, on_gap)
    if status is not None:
        got = got.where(got.texts("status") == status.upper())
    found, units, unread = amounts(got)
    groups: dict[str | None, list[int | Decimal | None]] = {}
    for amount, unit in zip(found, units, strict=True):
        groups.setdefault(unit, []).append(amount)
    names = sorted(groups, key=lambda u: (u is None, u or ""))
    lines = [_worth(unit, groups[unit], quantiles) for unit in names]
    columns = ["value_unit", "count", "missing", "sum", "mean", *(f"q{q:g}" for q in quantiles)]
    table = pd.DataFrame(lines, columns=columns, dtype=object)
    table = table.astype({"count": "int64", "missing": "int64", "mean": float})
    table["value_unit"] = pd.Series(names, dtype="str")
    told = [line for line in lines if line[1]]
    value = told[0][3] if len(told) == 1 else None
    unit = (told[0][0] or "of a unit not told") if len(told) == 1 else ""
    why = "no amounts" if not told else f"{len(told)} units, which do not add up"
    name = "Sum of the values seen"
    n = int(table["count"].sum())
    line = reading(name, value, unit, n, got.coverage, of="transaction", why=why)
    notes = (SAMPLE, *((f"no number, and left out: {counted(unread, 'amount')}",) if unread else ()))
    chart = Chart("line", "quantile", ("amount",), "quantile", "value (in its unit)", by="value_unit", log_y=True)
    return _Worths(name, value, unit, table, line, notes, got.coverage, n, chart)


class _Worths(Result):
    """The table has a row a unit; the figure shows the quantiles of each."""

    def plot(self) -> Any:
        """The quantiles of each unit."""
        from .plots import draw

        told = [c for c in self.table.columns if c.startswith("q")]
        long = self.table.melt(id_vars="value_unit", value_vars=told, var_name="quantile", value_name="amount")
        long["quantile"] = pd.to_numeric(long["quantile"].str[1:])
        long["amount"] = [as_float(v) for v in long["amount"]]
        return draw(long, self.chart, title=self.name, empty=self.reading)


def _worth(unit: str | None, values: list[int | Decimal | None], quantiles: Sequence[float]) -> tuple[Any, ...]:
    known = sorted(v for v in values if v is not None)
    if not known:
        return unit, 0, len(values), None, math.nan, *(None for _ in quantiles)
    with localcontext() as context:
        context.prec = _MOST_DIGITS
        total = sum(known)
    places = [max(0, math.ceil(q * len(known) - 1e-9) - 1) for q in quantiles]
    mean = as_float(Decimal(total) / len(known))
    return unit, len(known), len(values) - len(known), total, mean, *(known[p] for p in places)


def backlog(
    transactions: Data,
    *,
    every: Duration = "1s",
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """How many transactions wait: seen PENDING and not yet seen to settle, over time.

    A transaction waits from the first row that says PENDING to the first that says CONFIRMED or FAILED. What waits when
    a gap begins may settle inside it unseen, so it is counted up to the gap and no longer; after a gap, as at the begin
    of the data, the count starts from 0 and is too low until what waited before has settled. A transaction of which
    only the end was seen does not count. ``value`` is the mean over the time seen.

    The notes tell Little's law (J. D. C. Little 1961, A proof for the queuing formula L = lambda W, Operations Research
    9, 383-387) on the same data: arrivals a second times the mean wait. In a steady state both agree.

    A plain integral of what was seen. Assumes that the stream tells the first and the last status of each transaction
    that it samples.

    Args:
        transactions: rows of the transactions topic.
        every: width of a bin.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row a bin, in order of time; index 0, 1, 2, …:

        ``timestamp`` (datetime64[ns, UTC]): begin of the bin.
        ``pending`` (float64, transactions): mean over that part of the bin that lies inside the data; NaN where a gap
            touches it.
        ``coverage`` (float64, 0-1): share of the bin that was seen.

    Raises:
        BadOption: a column ``hash`` or ``status`` is missing, or ``every`` is out of range.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap, and ``on_gap="raise"``.

    >>> times = pd.to_datetime([0, 1, 3, 4], unit="s", utc=True)
    >>> frame = pd.DataFrame({"timestamp": times, "hash": ["a", "b", "a", "b"]})
    >>> backlog(frame.assign(status=["PENDING", "PENDING", "CONFIRMED", "FAILED"]))
    Pending transactions, mean: 1.5; n = 2 transactions; coverage 100 %
    """
    got = rows(transactions, "hash", "status", start=start, end=end, gaps=gaps)
    got = without_gaps(got, on_gap).by_time()
    begins, ends, settled = _waits(got)
    bins = grid(got, every)
    stops = np.minimum(bins.starts_ns + bins.every_ns, got.end_ns or 0)
    inside_s = np.maximum(stops - np.maximum(bins.starts_ns, got.start_ns or 0), 0) / 1e9
    waiting_s = _waiting_seconds(begins, ends, bins.starts_ns, bins.every_ns)
    pending = np.divide(waiting_s, inside_s, out=np.full(bins.count, np.nan), where=inside_s > 0)
    hidden = got.holes.missing(bins.starts_ns, np.maximum(bins.starts_ns, stops)) > 0
    table = pd.DataFrame(
        {"timestamp": bins.starts(), "pending": np.where(hidden, np.nan, pending), "coverage": bins.coverage(got)}
    )
    seen_s = got.span_s - got.missing_s
    value = float(np.sum(ends - begins)) / 1e9 / seen_s if seen_s > 0 and len(begins) else None
    name = "Pending transactions, mean"
    line = reading(name, value, "", len(begins), got.coverage, of="transaction", why="none was seen pending")
    waits = (ends - begins)[settled] / 1e9
    notes = [SAMPLE]
    if len(waits) and seen_s > 0:
        little = len(begins) / seen_s * float(waits.mean())
        notes.append(f"Little's law: {len(begins) / seen_s:.4g} a second times {waits.mean():.4g} s is {little:.4g}")
    if len(begins) > len(waits):
        notes.append(f"not seen to settle: {counted(len(begins) - len(waits), 'transaction')}")
    chart = Chart("step", "timestamp", ("pending",), "time (UTC)", "transactions pending", holes=got.shown_holes())
    return Result(name, value, "", table, line, tuple(notes), got.coverage, len(begins), chart)


def _waits(got: Rows) -> tuple[Ints, Ints, Any]:
    """Begin and end of each wait, ns, and whether it was seen to end."""
    things, names = coded(got.texts("hash"))
    status = got.texts("status").astype(str)
    begin = np.full(len(names), -1, np.int64)
    end = np.full(len(names), -1, np.int64)
    opens, closes = (things >= 0) & (status == "PENDING"), (things >= 0) & np.isin(status, FINAL)
    begin[things[opens][::-1]] = got.time_ns[opens][::-1]  # the first row of each stands
    end[things[closes][::-1]] = got.time_ns[closes][::-1]
    waited = (begin >= 0) & ((end < 0) | (end >= begin))
    begin, end = begin[waited], end[waited]
    last = np.minimum(known_until(begin, got.holes), got.end_ns or 0)
    settled = (end >= 0) & (end <= last)
    return begin, np.where(settled, end, np.maximum(last, begin)), settled


def _waiting_seconds(begins: Ints, ends: Ints, starts: Ints, every_ns: int) -> npt.NDArray[np.float64]:
    """The time, in seconds, that all the intervals together have in each bin."""
    edges = np.append(starts, starts[-1] + every_ns) if len(starts) else starts
    if not len(edges):
        return np.empty(0)
    base = int(edges[0])

    def elapsed(moments: Ints) -> npt.NDArray[np.float64]:
        """Seconds between each of the moments before an edge, and the edge, in sum."""
        ordered = np.sort(moments) - base
        sums = np.append(0.0, np.cumsum(ordered / 1e9))
        count = np.searchsorted(ordered, edges - base, side="right")
        return np.asarray(count * ((edges - base) / 1e9) - sums[count])

    inside = np.diff(elapsed(begins) - elapsed(ends))
    return np.asarray(np.maximum(inside, 0.0))
