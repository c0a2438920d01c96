"""The rows of a recorded topic, piece by piece: what to read, in which order, and no more than was asked for.

A topic's rows are :class:`Chunk` s: row groups of Parquet files and, for what is not in such a file yet, batches in
memory. Each recorder's chunks come in the order in which it wrote them. The rows of several recorders are merged by
receive time; rows of one recorder never change their order, whatever its clock did.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as _compute

from .. import frames
from ..durations import parse_time, seconds
from ..errors import BadOption

pc: Any = _compute
TIMES = ("timestamp", "recv_ns")
"""The columns that a range of times is about."""
ORDER = "\0order"
"""A column that merging adds and takes away again; no topic has one of that name."""

Read = Callable[[Sequence[str]], pa.Table]


class Chunk(msgspec.Struct, frozen=True):
    """A run of one recorder's rows that is read at once."""

    rows: int
    recv: tuple[int, int]
    """Least and greatest receive time, ns since 1970 UTC."""
    times: tuple[int, int]
    """Bounds of the rows' times (server time, receive time where it is missing), ns since 1970 UTC."""
    read: Read
    """Reads columns by name. Never fails: what cannot be read is told, and comes as no rows."""

    def bounds(self, by: str) -> tuple[int, int]:
        """Bounds of the times that ranges are about, "timestamp" or "recv"."""
        return self.recv if by == "recv" else self.times


def chunk_of(batch: pa.RecordBatch) -> Chunk:
    """Rows in memory as a chunk; ``batch`` has at least one."""
    table = pa.Table.from_batches([batch])
    recv, times = (_ends(frames.row_times(table, by)) for by in ("recv", "timestamp"))
    return Chunk(batch.num_rows, recv, times, lambda columns: table.select(list(columns)))


def _ends(times: Any) -> tuple[int, int]:
    found = pc.min_max(times.cast(pa.int64()))
    return found["min"].as_py(), found["max"].as_py()


class Rows:
    """All rows of one topic.

    :param schema: of the topic's tables
    :param recorders: the chunks of each recorder, the recorder that began first comes first
    """

    def __init__(self, schema: pa.Schema, recorders: Sequence[Sequence[Chunk]]) -> None:
        self.schema = schema
        self._recorders = _one_after_another(tuple(tuple(chunks) for chunks in recorders if chunks))

    def __len__(self) -> int:
        return sum(chunk.rows for chunk in self.chunks())

    def chunks(self) -> Iterator[Chunk]:
        """Those of one recorder after those of the other."""
        return itertools.chain.from_iterable(self._recorders)

    def select(
        self,
        *,
        columns: Sequence[str] | None = None,
        start: Any = None,
        end: Any = None,
        last: Any = None,
        limit: int | None = None,
        by: str = "timestamp",
        keep: Sequence[str] = (),
    ) -> pa.Table:
        """The same table that :func:`aurigraph_nb.frames.select` makes of all rows; only what it needs is read."""
        empty = self.schema.empty_table()
        asked = frames.select(empty, columns=columns, start=start, end=end, last=last, limit=limit, keep=keep)
        names = list(asked.column_names)
        after = None if last is None else self._newest(by) - round(seconds(last, option="last") * 1e9)
        found = self.batches(names, start=start, end=end, by=by, after=after)
        if limit is not None and limit >= 0:
            found = _first(found, limit)
        elif limit is not None and len(self._recorders) <= 1:
            backwards = self.batches(names, start=start, end=end, by=by, after=after, backwards=True)
            found = iter(list(_first(backwards, -limit, from_end=True))[::-1])
        table = pa.Table.from_batches(list(found), asked.schema).unify_dictionaries()
        return table if limit is None else frames.select(table, limit=limit)

    def batches(
        self,
        columns: Sequence[str] | None = None,
        *,
        start: Any = None,
        end: Any = None,
        by: str = "timestamp",
        after: int | None = None,
        backwards: bool = False,
    ) -> Iterator[pa.RecordBatch]:
        """The rows in order, chunk by chunk.

        :param columns: names, None for all
        :param start: first time, included
        :param end: first time left out
        :param by: which times these are, "timestamp" or "recv"
        :param after: rows later than this alone, ns since 1970 UTC
        :param backwards: the last chunk first (the rows of a chunk stay in order); of one recorder only
        :raises BadOption: for an unknown column or an unreadable time
        """
        names = frames.wanted_columns(self.schema.empty_table(), columns)
        span = _Span.of(start, end, after, by)
        if len(self._recorders) > 1:
            if backwards:
                raise BadOption("the rows of several recorders are merged forwards only")
            return _cut(_merged([_keyed(chunks, names, span) for chunks in self._recorders]), names)
        ordered = reversed(tuple(self.chunks())) if backwards else self.chunks()
        return _read(ordered, names, span, backwards)

    def _newest(self, by: str) -> int:
        """The latest time of any row; as few chunks as possible are read for it."""
        newest = None
        for chunk in sorted(self.chunks(), key=lambda chunk: chunk.bounds(by)[1], reverse=True):
            if newest is not None and chunk.bounds(by)[1] <= newest:
                break
            table = chunk.read(TIMES)
            if table.num_rows:
                latest = _ends(frames.row_times(table, by))[1]
                newest = latest if newest is None else max(newest, latest)
        return newest or 0


def _one_after_another(recorders: tuple[tuple[Chunk, ...], ...]) -> tuple[tuple[Chunk, ...], ...]:
    """Recorders of which each began when the one before had ended are as good as one."""
    ends = [(min(c.recv[0] for c in chunks), max(c.recv[1] for c in chunks)) for chunks in recorders]
    if len(recorders) > 1 and all(before[1] <= after[0] for before, after in itertools.pairwise(ends)):
        return (tuple(itertools.chain.from_iterable(recorders)),)
    return recorders


class _Span(msgspec.Struct, frozen=True):
    """A range of times, checked."""

    start: int | None
    end: int | None
    by: str

    @classmethod
    def of(cls, start: Any, end: Any, after: int | None, by: str) -> _Span:
        first = None if start is None else parse_time(start, option="start")
        if after is not None:
            first = after + 1 if first is None else max(first, after + 1)
        return cls(first, None if end is None else parse_time(end, option="end"), by)

    @property
    def all(self) -> bool:
        return self.start is None and self.end is None

    def misses(self, chunk: Chunk) -> bool:
        """Whether no row of the chunk can be in the range."""
        least, greatest = chunk.bounds(self.by)
        return (self.start is not None and greatest < self.start) or (self.end is not None and least >= self.end)

    def holds(self, chunk: Chunk) -> bool:
        """Whether every row of the chunk is in the range."""
        least, greatest = chunk.bounds(self.by)
        return (self.start is None or least >= self.start) and (self.end is None or greatest < self.end)


def _read(chunks: Iterable[Chunk], names: Sequence[str], span: _Span, backwards: bool) -> Iterator[pa.RecordBatch]:
    for chunk in chunks:
        if span.misses(chunk):
            continue
        table = chunk.read(names) if span.holds(chunk) else _within(chunk.read(_with(names, *TIMES)), span)
        batches = table.select(list(names)).to_batches()
        yield from reversed(batches) if backwards else batches


def _with(names: Sequence[str], *more: str) -> list[str]:
    return list(dict.fromkeys((*names, *more)))


def _within(table: pa.Table, span: _Span) -> pa.Table:
    return frames.select(table, start=span.start, end=span.end, by=span.by)


def _keyed(chunks: Iterable[Chunk], names: Sequence[str], span: _Span) -> Iterator[pa.Table]:
    """One recorder's rows with the column by which they are merged: receive time, never less than the row's before."""
    floor = np.iinfo(np.int64).min
    for chunk in chunks:
        if span.misses(chunk):
            floor = max(floor, chunk.recv[1])
            continue
        table = chunk.read(_with(names, *TIMES))
        if table.num_rows == 0:
            continue
        keys = np.maximum.accumulate(np.maximum(np.asarray(table.column("recv_ns")), floor))
        floor = keys[-1]
        table = table.append_column(ORDER, pa.array(keys))
        table = table if span.holds(chunk) else _within(table, span)
        if table.num_rows:
            yield table


def _merged(streams: Sequence[Iterator[pa.Table]]) -> Iterator[pa.Table]:
    """Merge tables by their keys; among equal keys the earlier stream comes first."""
    heads = [(next(stream, None), stream) for stream in streams]
    while waiting := [(table, stream) for table, stream in heads if table is not None]:
        # Up to the least of the last keys (of equal ones: the first stream's) every stream has shown all it has.
        bound, least = min((table.column(ORDER)[-1].as_py(), i) for i, (table, _) in enumerate(waiting))
        ready, heads = [], []
        for i, (table, stream) in enumerate(waiting):
            keys = np.asarray(table.column(ORDER))
            cut = int(np.searchsorted(keys, bound, side="right" if i <= least else "left"))
            ready.append(table.slice(0, cut))
            heads.append((table.slice(cut) if cut < table.num_rows else next(stream, None), stream))
        yield _in_order([table for table in ready if table.num_rows])


def _in_order(tables: Sequence[pa.Table]) -> pa.Table:
    if len(tables) == 1:
        return tables[0]
    joined = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    return joined.take(np.argsort(np.asarray(joined.column(ORDER)), kind="stable"))


def _cut(tables: Iterable[pa.Table], names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    for table in tables:
        yield from table.select(list(names)).to_batches()


def _first(batches: Iterable[pa.RecordBatch], rows: int, *, from_end: bool = False) -> Iterator[pa.RecordBatch]:
    """The first ``rows`` of the batches (of each batch its end first, if ``from_end``)."""
    left, found = rows, iter(batches)
    while left > 0 and (batch := next(found, None)) is not None:
        cut = batch.slice(max(0, batch.num_rows - left)) if from_end else batch.slice(0, left)
        left -= cut.num_rows
        yield cut
