"""Partitions of a Dask frame made small where they lie, without losing what the whole needs to know of time and gaps.

A reduced partition has the rows that an analysis wants, and markers: rows that count for nothing (``_n`` is 0) and keep
the first and the last time, and both sides of each ``gap_before``, in arrival order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as _compute

from .readers import row_times

pc: Any = _compute
Column = Any
Ints = npt.NDArray[np.int64]


def known_times(table: pa.Table) -> tuple[pa.Table, Ints]:
    """The rows that have a time, and the time of each, ns."""
    times: Column = row_times(table)
    if times.null_count:
        keep = pc.is_valid(times)
        table, times = table.filter(keep), times.filter(keep)
    return table, np.array(times.to_numpy(), dtype=np.int64)


def with_markers(times: Ints, table: pa.Table, columns: dict[str, Any], at: Ints) -> pa.Table:
    """A reduced partition: ``columns`` at the times ``at``, between the markers of the partition ``table``.

    The markers of the first row and of the gaps come before, those of the latest and of the last row after the rows,
    so that the row before a ``gap_before`` is always the one that really was before it.
    """
    if not len(times):
        return pa.table({"timestamp": pa.array([], pa.timestamp("ns", "UTC")), **_cut(columns)})
    flags = np.zeros(len(times), dtype=bool)
    if "gap_before" in table.column_names and pa.types.is_boolean(table.column("gap_before").type):
        column: Any = table.column("gap_before")
        flags = np.asarray(column.fill_null(False))
    after = np.flatnonzero(flags)
    before = after[after > 0]
    order = np.unique(np.concatenate([[0], before - 1, after])).astype(np.int64)
    late = np.array([int(np.argmax(times)), len(times) - 1])
    head = _marks(columns, times[order], flags[order])
    tail = _marks(columns, times[late], np.zeros(2, dtype=bool))
    body = _stamped(columns, at, np.zeros(len(at), dtype=bool))
    return pa.concat_tables([head, body, tail], promote_options="permissive")


def _marks(columns: dict[str, Any], times: Ints, flags: npt.NDArray[np.bool_]) -> pa.Table:
    empty = {name: pa.nulls(len(times), pa.array(values).type) for name, values in columns.items()}
    empty["_n"] = pa.array(np.zeros(len(times), np.int64))
    return _stamped(empty, times, flags)


def _stamped(columns: dict[str, Any], times: Ints, flags: npt.NDArray[np.bool_]) -> pa.Table:
    stamps = pa.array(times).cast(pa.timestamp("ns", "UTC"))
    return pa.table({"timestamp": stamps, "gap_before": pa.array(flags), **columns})


def _cut(columns: dict[str, Any]) -> dict[str, Any]:
    return {name: pa.array([], pa.array(values).type) for name, values in columns.items()}
