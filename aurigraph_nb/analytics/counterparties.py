"""Who deals with whom: the busiest addresses, how concentrated that is, and the graph of addresses."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, localcontext
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from aurigraph_nb.durations import Moment
from aurigraph_nb.errors import BadOption

from .inputs import Data, Gaps, OnGap, Rows, one_of, whole, without_gaps
from .ledger import SAMPLE, amounts, transactions_of
from .plots import Chart
from .result import Result, reading
from .spells import coded

Side: TypeAlias = Literal["sender", "recipient", "either"]
By: TypeAlias = Literal["count", "value"]

SIDES = ("sender", "recipient", "either")
_MOST_DIGITS = 2_000


def top_counterparties(
    transactions: Data,
    *,
    top: int = 10,
    side: Side = "either",
    by: By = "count",
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """The addresses that take part most, and how concentrated the traffic is.

    ``value`` is the share (0-1) of the ``top`` addresses in all participations (or in all value): the concentration
    ratio CR_k. The notes tell the Herfindahl-Hirschman index, the sum of squared shares (A. O. Hirschman 1964, The
    paternity of an index, Am. Econ. Rev. 54, 761-762), over all addresses: 1/number of addresses if all are equal, 1
    if there is but one. Each transaction counts once; with ``side="either"`` it is a participation of both sides. Equal
    addresses on both sides are one participation. Values add up only in one unit.

    The stream is a sample: rare addresses are missing from it, so shares of the busy ones are told too large, and the
    number of addresses too small. A gap hides transactions of all alike.

    Args:
        transactions: rows of the transactions topic.
        top: how many addresses the value is about.
        side: sender, recipient or either.
        by: count (transactions) or value (exact amounts; transactions without one do not count).
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row an address, all of them, most first; index 0, 1, 2, …:

        ``address`` (str): who.
        ``count`` (int64): transactions that it takes part in.
        ``value`` (object): exact sum of their amounts; None where unknown or of several units.
        ``share`` (float64, 0-1): of all, by ``by``; NaN where all amounts are 0.

    Raises:
        BadOption: a column is missing, an option is unknown, or amounts of several units were to be added.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap, and ``on_gap="raise"``.

    >>> frame = pd.DataFrame({"timestamp": pd.to_datetime(range(3), unit="s", utc=True)})
    >>> frame = frame.assign(sender=["a", "a", "b"], recipient=["b", "c", "d"])
    >>> top_counterparties(frame, top=1, side="sender")
    Share of the busiest address: 0.66667; n = 3 transactions; coverage 100 %
    """
    whole("top", top)
    one_of("side", side, SIDES)
    one_of("by", by, ("count", "value"))
    ends = ("sender", "recipient") if side == "either" else (side,)
    optional = ("value", "value_text", "value_unit")
    got = transactions_of(transactions, *ends, optional=optional, start=start, end=end, gaps=gaps)
    got = without_gaps(got, on_gap)
    table, n = _participations(got, ends, by)
    shares = table["share"].to_numpy(float)
    value = float(shares[:top].sum()) if len(table) and np.isfinite(shares).all() else None
    name = f"Share of the busiest {'address' if top == 1 else f'{top} addresses'}"
    line = reading(name, value, "", n, got.coverage, of="transaction", why="no transaction names an address")
    notes = [SAMPLE]
    if value is not None:
        hhi = float(np.sum(shares**2))
        notes.append(
            f"Herfindahl-Hirschman index {hhi:.5g} over {len(table):,} addresses; equal shares: {1 / len(table):.5g}"
        )
    chart = Chart("bar", "address", ("share",), "address", f"share by {by}")
    return _Top(name, value, "", table, line, tuple(notes), got.coverage, n, chart)


class _Top(Result):
    """The table has all addresses; the figure shows the first ones."""

    def plot(self) -> Any:
        """The thirty busiest addresses."""
        from .plots import draw

        return draw(self.table.head(30), self.chart, title=self.name, empty=self.reading)


def _participations(got: Rows, ends: Iterable[str], by: str) -> tuple[pd.DataFrame, int]:
    found, units, _ = amounts(got)
    told = {u for a, u in zip(found, units, strict=True) if a is not None}
    if by == "value" and len(told) > 1:
        mixed = ", ".join(sorted(str(u) for u in told))
        raise BadOption(
            f'by="value" cannot add amounts of several units ({mixed}); filter the rows by value_unit first'
        )
    columns = [got.texts(c) for c in ends]
    counts: dict[str, int] = {}
    sums: dict[str, int | Decimal] = {}
    n = 0
    with localcontext() as context:
        context.prec = _MOST_DIGITS
        for amount, *who in zip(found, *columns, strict=True):
            members = {w for w in who if w is not None}
            if not members or (by == "value" and amount is None):
                continue
            n += 1
            for member in members:
                counts[member] = counts.get(member, 0) + 1
                if amount is not None:
                    sums[member] = sums.get(member, 0) + amount
        weights = counts if by == "count" else sums
        total = sum(weights.values())
        names = sorted(counts, key=lambda a: (-weights.get(a, 0), a))
        shares = [float(Decimal(weights.get(a, 0)) / Decimal(total)) if total else np.nan for a in names]
    values = [sums.get(a) if len(told) <= 1 else None for a in names]
    table = {
        "address": pd.Series(names, dtype="str"),
        "count": pd.Series([counts[a] for a in names], dtype="int64"),
        "value": pd.Series(values, dtype=object),
        "share": pd.Series(shares, dtype=float),
    }
    return pd.DataFrame(table), n


def address_degrees(
    transactions: Data,
    *,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    on_gap: OnGap = "nan",
) -> Result:
    """With how many others each address deals: degrees in the directed graph of addresses.

    An edge leads from a sender to a recipient that it sent to at least once; edges of an address to itself do not
    count. ``out_degree`` and ``in_degree`` are numbers of different partners, ``degree`` that of both kinds together
    (M. E. J. Newman 2010, Networks: An Introduction, 1st ed., section 6.9). ``value`` is the mean degree.
    Reciprocity, in the notes, is the share of edges whose reverse is there too (section 7.10).

    The stream is a sample of the transactions, and a sample of edges has smaller degrees than the whole graph; compare
    only samples of equal size. Gaps make it smaller still; ``coverage`` says by how much of the time.

    Args:
        transactions: rows of the transactions topic.
        on_gap: "nan" (what was seen, with its coverage), "raise" (Incomplete) or "ignore" (all counts as seen).
        start: first time, included. end: end of the range, left out. gaps: gaps that the data do not bring along.

    Table, a row an address, highest degree first; index 0, 1, 2, …:

        ``address`` (str): who.
        ``out_degree`` (int64): different partners that it sent to.
        ``in_degree`` (int64): different partners that sent to it.
        ``degree`` (int64): different partners of either kind.
        ``sent`` (int64): transactions.
        ``received`` (int64): transactions.

    Raises:
        BadOption: a column ``sender`` or ``recipient`` is missing.
        BadOptionType: the data are of no kind that can be read.
        Incomplete: there is a gap, and ``on_gap="raise"``.

    >>> frame = pd.DataFrame({"timestamp": pd.to_datetime(range(3), unit="s", utc=True)})
    >>> address_degrees(frame.assign(sender=["a", "a", "b"], recipient=["b", "b", "c"]))
    Mean degree: 1.3333; n = 3 addresses; coverage 100 %
    """
    got = transactions_of(transactions, "sender", "recipient", start=start, end=end, gaps=gaps)
    got = without_gaps(got, on_gap)
    both = np.concatenate([got.texts("sender"), got.texts("recipient")])
    codes, names = coded(both)
    tail, head = codes[: len(got)], codes[len(got) :]
    known = (tail >= 0) & (head >= 0)
    tail, head, k = tail[known], head[known], len(names)
    edges = np.unique(tail[tail != head] * k + head[tail != head])
    out, into = edges // max(k, 1), edges % max(k, 1)
    pairs = np.unique(np.minimum(out, into) * k + np.maximum(out, into))
    low, high = pairs // max(k, 1), pairs % max(k, 1)
    table = pd.DataFrame(
        {
            "address": pd.Series(names, dtype="str"),
            "out_degree": np.bincount(out, minlength=k),
            "in_degree": np.bincount(into, minlength=k),
            "degree": np.bincount(low, minlength=k) + np.bincount(high, minlength=k),
            "sent": np.bincount(tail, minlength=k),
            "received": np.bincount(head, minlength=k),
        }
    ).sort_values(["degree", "address"], ascending=[False, True], kind="stable", ignore_index=True)
    value = float(table["degree"].mean()) if k else None
    name = "Mean degree"
    line = reading(name, value, "", k, got.coverage, of="address" if k == 1 else "addresse", why="no addresses")
    notes = [SAMPLE]
    if len(edges):
        mutual = 2 * (len(edges) - len(pairs)) / len(edges)
        notes.append(f"{len(edges):,} edges; reciprocity {mutual:.4g}; largest degree {int(table['degree'].max())}")
    chart = Chart("dots", "out_degree", ("in_degree",), "partners sent to", "partners received from")
    return Result(name, value, "", table, line, tuple(notes), got.coverage, k, chart)
