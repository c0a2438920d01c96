"""How long transactions wait until they are final, with those that nobody saw to the end counted for what they tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from aurigraph_nb.durations import Moment

from .inputs import Data, Floats, Gaps, OnGap, Rows, Times, rows, share, without_gaps
from .numeric import counted
from .plots import Chart
from .readers import is_dask
from .reducing import known_times, with_markers
from .result import Result, number, reading

STAGES = ("PENDING", "CONFIRMED", "FAILED")
SAMPLED = (
    "the stream is a sample of the transactions that the TPS metric counts",
    "failed transactions count as no longer watched in survival, and as an end of their own in the shares",
)


@dataclass(frozen=True, eq=False, repr=False)
class Finality(Result):
    """Times from PENDING to CONFIRMED: the Kaplan-Meier curve, and what became of the transactions.

    >>> import aurigraph_nb as ag
    >>> from aurigraph_nb import analytics
    >>> found = analytics.time_to_finality(ag.sample("steady", duration="2min", seed=7).transactions)
    >>> isinstance(found, analytics.Finality), found.n > 0
    (True, True)
    """

    low: float | None = None
    """Lower end of the interval of the median, s; None where it cannot be told."""
    high: float | None = None
    """Upper end of the interval of the median, s; None where the band never falls to a half."""
    confirmed: int = 0
    failed: int = 0
    censored: int = 0
    """Transactions whose end was not seen."""


def time_to_finality(
    transactions: Data,
    *,
    confidence: float = 0.95,
    on_gap: OnGap = "nan",
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
) -> Finality:
    """Time from PENDING to CONFIRMED: the share still waiting after so many seconds, by Kaplan and Meier.

    S(t) = product over event times up to t of (1 - d/n), d confirmed then of n that were still watched (Kaplan and
    Meier, 1958, Nonparametric Estimation from Incomplete Observations, Journal of the American Statistical Association
    53, 457-481). Its standard error is Greenwood's (1926); the band is that of log(-log S), which stays between 0 and 1
    (Kalbfleisch and Prentice, 2002, The Statistical Analysis of Failure Time Data, 2nd ed., section 1.4).

    A transaction counts from the first row that says PENDING; one whose first row says anything else began before it
    was seen, and is left out. One that was not seen to end is censored where watching ended: at the end of the span, or
    at the begin of the first gap after it began, since it may have settled unseen. What is seen of it after that gap
    does not count, although its time is known: those that settled inside the gap were not seen, and to count the slow
    ones alone would make all look slow. So censoring depends on when a transaction began, not on how long it takes.

    FAILED is a competing end. In ``survival`` a failed transaction counts as watched until then: S answers how long
    confirmation takes where failure does not come first, and is right only if those that fail would otherwise have
    waited like the others. The shares ``confirmed_share`` and ``failed_share`` need no such assumption: they are the
    cumulative incidences of Aalen and Johansen (1978, Scandinavian Journal of Statistics 5, 141-150), and with what is
    still waiting they sum to 1.

    A Dask frame is reduced partition by partition to the first row of each transaction and status.

    Args:
        transactions: rows with a time, ``hash`` and ``status``.
        confidence: of the band.
        on_gap: "nan" (gaps censor), "raise" (Incomplete) or "ignore" (only the end of the span censors).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Returns:
        ``value``: the median of S, s, with ``low`` and ``high``; None where S does not fall to a half.

    Table, a row a time at which something ended, and 0 s; index 0, 1, 2, …:

        ``time_s`` (float64, s): since PENDING, rising.
        ``at_risk`` (int64): transactions still watched just before.
        ``confirmed`` (int64): confirmed at that time.
        ``failed`` (int64): failed at that time.
        ``censored`` (int64): last watched at that time.
        ``survival`` (float64, 0-1): S, share not yet confirmed.
        ``std_error`` (float64): Greenwood's, of S.
        ``low`` (float64, 0-1): lower end of the band; S itself where S is 0 or 1.
        ``high`` (float64, 0-1): upper end of the band; likewise.
        ``confirmed_share`` (float64, 0-1): confirmed by then.
        ``failed_share`` (float64, 0-1): failed by then.

    Raises:
        BadOption: an option is out of range, or a column is missing. Incomplete: as ``on_gap`` says.
        BadOptionType: the data are of no kind that can be read.

    >>> import pandas as pd
    >>> when = pd.to_datetime([0, 0, 0, 1, 2, 3], unit="s", utc=True)
    >>> told = {"hash": ["a", "b", "c", "a", "b", "c"], "status": ["PENDING"] * 3 + ["CONFIRMED"] * 3}
    >>> time_to_finality(pd.DataFrame({"timestamp": when, **told})).value
    2.0
    """
    share("confidence", confidence)
    cut = _firsts_of if is_dask(transactions) else None
    got = rows(transactions, "hash", "status", start=start, end=end, gaps=gaps, reduce=cut)
    got = without_gaps(got, on_gap)
    lives, left = _lives(got)
    table = survival_table(lives["seconds"].to_numpy(), lives["end"].to_numpy(), confidence)
    ends = lives["end"].value_counts()
    confirmed, failed, censored = (int(ends.get(code, 0)) for code in (1, 2, 0))
    value, low, high = (_crossing(table, column) for column in ("survival", "low", "high"))
    n = len(lives)
    line = reading("Median time to finality", value, "s", n, got.coverage, of="transaction", why=_why(n, confirmed))
    if value is not None:
        line += f"; interval {number(low)} to {number(high)} s"
    line += f"; {confirmed:,} confirmed, {failed:,} failed, {censored:,} not seen to end"
    notes = SAMPLED + ((f"first seen after PENDING, and left out: {counted(left, 'transaction')}",) if left else ())
    chart = Chart(
        "step", "time_s", ("survival",), "seconds since PENDING", "share not confirmed (0-1)", "", "low", "high"
    )
    name = "Time to finality"
    told = (name, value, "s", table, line, notes, got.coverage, n, chart)
    return Finality(*told, low, high, confirmed, failed, censored)


def survival_table(seconds: Floats, ends: Any, confidence: float) -> pd.DataFrame:
    """The Kaplan-Meier and Aalen-Johansen estimates: ``ends`` is 0 censored, 1 the event, 2 the competing one.

    Those censored at a time are watched until just after the events of that time.
    """
    times = np.unique(np.concatenate([[0.0], seconds])) if len(seconds) else np.empty(0)
    slots = np.searchsorted(times, seconds)
    counts = [np.bincount(slots[ends == code], minlength=len(times)).astype(np.int64) for code in (1, 2, 0)]
    gone = counts[0] + counts[1] + counts[2]
    risk = len(seconds) - np.concatenate([[0], np.cumsum(gone)[:-1]]).astype(np.int64) if len(times) else gone
    at_risk = np.maximum(risk, 1).astype(np.float64)
    survival = np.cumprod(1 - counts[0] / at_risk)
    error, low, high = _band(survival, counts[0].astype(np.float64), at_risk, confidence)
    free = np.cumprod(1 - (counts[0] + counts[1]) / at_risk)  # no end of either kind yet
    before = np.concatenate([[1.0], free[:-1]]) if len(times) else free
    return pd.DataFrame(
        {
            "time_s": times,
            "at_risk": risk,
            "confirmed": counts[0],
            "failed": counts[1],
            "censored": counts[2],
            "survival": survival,
            "std_error": error,
            "low": low,
            "high": high,
            "confirmed_share": np.cumsum(before * counts[0] / at_risk),
            "failed_share": np.cumsum(before * counts[1] / at_risk),
        }
    )


def _band(survival: Floats, events: Floats, at_risk: Floats, confidence: float) -> tuple[Floats, Floats, Floats]:
    """Greenwood's standard error, and the band of log(-log S); at S = 1 and S = 0 the band is S itself."""
    from statistics import NormalDist

    z = NormalDist().inv_cdf((1 + confidence) / 2)
    left = at_risk - events
    terms = np.divide(events, at_risk * left, out=np.full(len(events), np.inf), where=left > 0)
    variance = np.cumsum(terms)
    inner = (survival > 0) & (survival < 1)
    error = np.where(survival > 0, survival * np.sqrt(np.where(np.isfinite(variance), variance, 0.0)), 0.0)
    logs = np.log(np.where(inner, survival, 0.5))
    wide = z * np.sqrt(np.where(inner, variance, 0.0)) / np.abs(logs)
    low, high = (np.where(inner, np.exp(logs * np.exp(sign * wide)), survival) for sign in (1, -1))
    return error, low, high


def _crossing(table: pd.DataFrame, column: str) -> float | None:
    """The first time at which a curve is at a half or below."""
    under = np.flatnonzero(table[column].to_numpy() <= 0.5 + 1e-12)
    return float(table["time_s"].iloc[under[0]]) if len(under) else None


def _why(n: int, confirmed: int) -> str:
    if not n:
        return "no transaction was seen from PENDING on"
    return "less than half were seen to be confirmed" if confirmed else "none was seen to be confirmed"


def _lives(got: Rows) -> tuple[pd.DataFrame, int]:
    """How long each transaction was watched (``seconds``), how that ended (``end``), and how many began unseen."""
    firsts = _firsts(got.table, got.time_ns)
    firsts["at"] = firsts["at"].astype("Int64")  # a missing time must not turn the others into floats of 256 ns steps
    wide = {s: firsts[firsts["status"] == s].set_index("hash")["at"] for s in STAGES}
    whole = firsts.groupby("hash", sort=False)["at"].min()
    begun = wide["PENDING"].reindex(whole.index)
    seen = begun.notna() & (begun <= whole).fillna(False)
    left = int((~seen).sum())
    begin = begun[seen].astype("int64")
    ends = [wide[s].reindex(begin.index) for s in STAGES[1:]]
    last = np.iinfo(np.int64).max
    done, failed = (e.fillna(last).to_numpy(dtype=np.int64) for e in ends)
    starts: Times = np.asarray(begin, dtype=np.int64)
    stop = np.minimum(_watched_until(got, starts), last - 1)
    settled = np.minimum(done, failed)
    code = np.where(settled > stop, 0, np.where(done <= failed, 1, 2))
    until = np.where(code == 0, stop, settled)
    return pd.DataFrame({"seconds": np.maximum(until - starts, 0) / 1e9, "end": code}), left


def _watched_until(got: Rows, starts: Times) -> Times:
    """Until when a transaction that began then was watched without a gap."""
    end = got.end_ns or 0
    if not len(got.holes):
        return np.full(len(starts), end, dtype=np.int64)
    place = np.searchsorted(got.holes.ends, starts, side="right")  # the first gap that ends after the begin
    begins = np.append(got.holes.starts, np.iinfo(np.int64).max)[place]
    return np.asarray(np.clip(begins, starts, np.maximum(end, starts)), dtype=np.int64)


def _firsts(table: pa.Table, times: Times) -> pd.DataFrame:
    """The first time of each hash and status; rows without either are left out."""
    plain: Any = table.select(["hash", "status"])
    frame = pd.DataFrame(
        {c: pd.Series(plain.column(c).cast(pa.string()).to_pylist(), dtype=object) for c in plain.column_names}
    )
    frame["at"] = times
    found: Any = frame.dropna().groupby(["hash", "status"], sort=False)["at"].min()
    return pd.DataFrame(found.reset_index())


def _firsts_of(table: pa.Table) -> pa.Table:
    """A partition as the first row of each transaction and status."""
    table, times = known_times(table)
    firsts = _firsts(table, times)
    columns = {c: pa.array(firsts[c].tolist(), pa.string()) for c in ("hash", "status")}
    return with_markers(times, table, columns, firsts["at"].to_numpy(dtype=np.int64))
