"""Rows of the transactions topic as transactions: one each, as it was last told."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from aurigraph_nb.durations import Moment
from aurigraph_nb.schema import LOCAL_COLUMNS

from .inputs import Data, Gaps, Rows, rows
from .readers import TIME_COLUMNS, names_of, row_times
from .wanted import check_topic

SAMPLE = "the stream is a sample: the node counts far more transactions (tps) than it streams"
"""The note that every result about transactions carries."""

FINAL = ("CONFIRMED", "FAILED")
_AMOUNT = re.compile(r"[+-]?\d{1,60}(\.\d{1,60})?")


def transactions_of(
    data: Data,
    *columns: str,
    either: Sequence[str] = (),
    optional: Sequence[str] = (),
    start: Moment | None,
    end: Moment | None,
    gaps: Gaps,
) -> Rows:
    """One row a transaction: its last one, and where that says nothing, what the ones before it said.

    Rows without a hash are taken for one transaction each.
    """
    check_topic(data, names_of(data, "transactions"), "transactions")
    extras = ("hash", *optional)
    got = rows(
        data, *columns, either=either, optional=extras, start=start, end=end, gaps=gaps, reduce=_reduced
    ).by_time()
    if not got.has("hash") or not len(got):
        return got
    hashes = pd.Series(got.texts("hash"))
    last = _last_rows(hashes)
    kept = got.where(last)
    return dataclasses.replace(kept, table=_completed(got.table, hashes, np.flatnonzero(last)))


def _last_rows(hashes: pd.Series[Any]) -> npt.NDArray[np.bool_]:
    return ~(hashes.duplicated(keep="last") & hashes.notna()).to_numpy(dtype=np.bool_)


def _completed(table: pa.Table, hashes: pd.Series[Any], kept: npt.NDArray[np.int64]) -> pa.Table:
    """The rows ``kept`` of a table in order of time, nulls replaced by the last value told under the same hash."""
    made = {}
    for name in table.column_names:
        column: Any = table.column(name)
        place = kept.copy()
        if column.null_count and name not in (*TIME_COLUMNS, *LOCAL_COLUMNS):
            told = np.asarray(column.is_valid()) & hashes.notna().to_numpy()
            at = pd.Series(np.flatnonzero(told), index=hashes[told]).groupby(level=0).last()
            found = hashes.iloc[kept].map(at).to_numpy(dtype=float, na_value=np.nan)
            silent = ~np.asarray(column.is_valid())[kept] & np.isfinite(found)
            place[silent] = found[silent].astype(np.int64)
        made[name] = column.take(pa.array(place))
    return pa.table(made)


def _reduced(table: pa.Table) -> pa.Table:
    """A partition cut down to what :func:`transactions_of` needs of it, in arrival order.

    Its first and last rows stay, and its earliest one, since they bound the span and the gaps between partitions. One
    with gap marks in it is left whole: those stand beside rows that would go.
    """
    flags: Any = table.column("gap_before") if "gap_before" in table.column_names else None
    marked = flags is not None and pa.types.is_boolean(flags.type) and np.asarray(flags.fill_null(False)).any()
    if marked or table.num_rows < 2 or "hash" not in table.column_names:
        return table
    times = np.asarray(row_times(table).fill_null(0).to_numpy(), dtype=np.int64)
    order = np.argsort(times, kind="stable")
    ordered = table.take(order)
    hashes = pd.Series(np.array(ordered.column("hash").cast(pa.string()).to_pylist(), dtype=object))
    keep = _last_rows(hashes) | np.isin(order, (0, len(order) - 1))
    keep[0] = True
    kept = np.flatnonzero(keep)
    return _completed(ordered, hashes, kept).take(np.argsort(order[kept]))


def amounts(got: Rows) -> tuple[list[int | Decimal | None], npt.NDArray[np.object_], int]:
    """The exact amount of each row (None: not told, or no number), its unit, and how many texts were no number.

    An amount is ``value`` where that is there, else what ``value_text`` spells. A text of over 60 digits on a side,
    or with an exponent, is no number here.
    """
    whole = got.objects("value") if got.has("value") else [None] * len(got)
    texts = got.texts("value_text") if got.has("value_text") else np.full(len(got), None, dtype=object)
    found: list[int | Decimal | None] = []
    unread = 0
    for value, text in zip(whole, texts, strict=True):
        exact = _exact(value)
        if exact is None and text is not None:
            exact = _exact(Decimal(text)) if _AMOUNT.fullmatch(text) else None
            unread += exact is None
        found.append(exact)
    units = got.texts("value_unit") if got.has("value_unit") else np.full(len(got), None, dtype=object)
    return found, units, unread


def _exact(value: Any) -> int | Decimal | None:
    """A number without loss: an int where it is whole. A float has lost digits already: it is taken as it stands."""
    if value is None or value != value:
        return None
    exact = Decimal(value)
    if not exact.is_finite():
        return None
    return int(exact) if exact == exact.to_integral_value() else exact
