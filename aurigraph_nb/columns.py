"""The room for rows: records go in one by one, Arrow tables come out, and never more is kept than was allowed.

A :class:`ColumnStore` numbers its rows 0, 1, 2, … as they are appended. It holds them as Arrow record batches; the
newest few wait as records until somebody reads or enough of them are there. Neighbouring small batches are merged as
they grow (each row is copied a few times at most, however small the appends and however often somebody reads), so a
table is made of few chunks and costs no copy.

Two bounds hold after every append: rows exactly, and bytes by dropping whole batches from the old end. What was
dropped is counted, and a reader that comes too late is told how many rows it missed.
"""

from __future__ import annotations

import functools
import json
import operator
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
import pyarrow as pa
from msgspec.structs import astuple

from aurigraph_nb.errors import BadOption
from aurigraph_nb.schema import Column, Kind, Record, arrow_schema, columns

R = TypeVar("R", bound=Record)

TAIL_ROWS = 256
"""Appended rows that wait as records for the next conversion, at most."""
PIECES = 16
"""No batch takes more than this part of the byte bound, so that dropping one costs little."""
_REBUILD_ROWS = 1_000
_UNFIT = (ValueError, TypeError, OverflowError)  # pyarrow's errors derive from these


class Since(msgspec.Struct, frozen=True):
    """The answer to "what is new since row ``seq``"."""

    first: int
    """Number of the first row of ``table`` (if it has rows)."""
    next: int
    """What to ask for the next time."""
    missed: int
    """Rows that were evicted before they could be read."""
    table: pa.Table
    """The new rows, in arrival order."""


@functools.cache
def _layout(record_type: type[Record]) -> tuple[Callable[[Sequence[Any]], tuple[Any, ...]], list[pa.DataType]]:
    """How to put the fields of a record (struct order) into the order of the schema, and the types there."""
    fields = record_type.__struct_fields__
    wanted = columns(record_type)
    return operator.itemgetter(*(fields.index(c.name) for c in wanted)), [c.arrow for c in wanted]


def records_to_batch(record_type: type[R], records: Sequence[R]) -> pa.RecordBatch:
    """Convert records to one batch with the schema ``arrow_schema(record_type)``; exact, and about 1 µs a row.

    Raises:
        ValueError, TypeError, OverflowError: a value does not fit its column, e.g. an integer of more than 64 bits.
    """
    schema = arrow_schema(record_type)
    if not records:
        return pa.RecordBatch.from_pylist([], schema=schema)
    pick, types = _layout(record_type)
    values = pick(list(zip(*map(astuple, records), strict=True)))
    arrays = [pa.array(column, kind) for column, kind in zip(values, types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _plain(column: Column, array: pa.Array[Any]) -> list[Any]:
    """The values of a column as they stand in a record."""
    if column.kind is Kind.TIME:
        return array.view(pa.int64()).to_pylist()
    if column.kind is Kind.DECIMAL:
        return [None if text is None else int(text) for text in array.cast(pa.string()).to_pylist()]
    if isinstance(array, pa.DictionaryArray):
        return array.dictionary_decode().to_pylist()
    return array.to_pylist()


def batch_to_records(record_type: type[R], batch: pa.RecordBatch) -> list[R]:
    """Rebuild the records of a batch, exactly: decimals become ``int``, times ``int`` nanoseconds."""
    wanted = columns(record_type)
    names = [c.name for c in wanted]
    values = [_plain(column, batch.column(column.name)) for column in wanted]
    return [record_type(**dict(zip(names, row, strict=True))) for row in zip(*values, strict=True)]


def _fits(value: Any, column: Column) -> bool:
    try:
        pa.array([value], column.arrow)
    except _UNFIT:
        return False
    return True


def fit(record: R) -> R:
    """Move what does not fit its column (too large, of another type, no valid Unicode) to ``extra``, exactly.

    The column becomes None. A record that fits is returned as it is.
    """
    values = ((c, getattr(record, c.name)) for c in columns(type(record)))
    unfit = {c.name: value for c, value in values if not _fits(value, c)}
    if not unfit:
        return record
    changes = dict.fromkeys(unfit)
    text = unfit.pop("extra", record.extra)
    if not unfit:  # In JSON text a lone surrogate may stand as its escape, and then it is plain ASCII.
        return msgspec.structs.replace(record, extra=str(text).encode("ascii", "backslashreplace").decode())
    known = {} if text is None else _object(text)
    return msgspec.structs.replace(record, **{**changes, "extra": json.dumps({**known, **unfit}, default=repr)})


def _object(text: str) -> dict[str, Any]:
    """The object in ``extra``; what is none is kept whole."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"extra": text}


def fitted_batch(record_type: type[R], records: Sequence[R]) -> tuple[pa.RecordBatch, int]:
    """Convert records to one batch whatever their values; returns it and how many records needed :func:`fit`."""
    try:
        return records_to_batch(record_type, records), 0
    except _UNFIT:
        fitted = [fit(record) for record in records]
        return records_to_batch(record_type, fitted), sum(map(operator.is_not, fitted, records))


def records_to_table(record_type: type[R], records: Sequence[R]) -> pa.Table:
    """Convert records to a table whatever their values; see :func:`fit`."""
    return pa.Table.from_batches([fitted_batch(record_type, records)[0]])


def _weight(record: Record) -> int:
    """Memory of a record that waits for conversion, in bytes."""
    return sum(map(sys.getsizeof, astuple(record)))


class _Chunk(NamedTuple):
    first: int
    batch: pa.RecordBatch
    nbytes: int

    @property
    def stop(self) -> int:
        return self.first + self.batch.num_rows


class ColumnStore(Generic[R]):
    """A bounded columnar store of one topic's records: one writer, readers on any thread.

    ``max_rows`` and ``max_bytes`` (bytes of memory held by rows) bound what is kept; ``chunk_rows`` bounds one batch.

    >>> from aurigraph_nb.schema import Metrics
    >>> store = ColumnStore(Metrics, max_rows=2)
    >>> store.append([Metrics(recv_ns=t, conn_epoch=1, n=t, tps=1.5 * t) for t in range(3)])
    >>> store.count, store.first, len(store)
    (3, 1, 2)
    >>> store.table().column("tps").to_pylist()
    [1.5, 3.0]
    >>> new = store.since(0, ["tps"])
    >>> new.next, new.missed
    (3, 1)

    Raises:
        BadOption: a bound is below 1.
    """

    def __init__(
        self,
        record_type: type[R],
        *,
        max_rows: int = 1_000_000,
        max_bytes: int = 256 * 2**20,
        chunk_rows: int = 10_000,
    ) -> None:
        for name, bound in (("max_rows", max_rows), ("max_bytes", max_bytes), ("chunk_rows", chunk_rows)):
            if bound < 1:
                raise BadOption(f"{name}={bound!r}: expected a whole number of at least 1")
        self.record_type = record_type
        self.schema = arrow_schema(record_type)
        self.max_rows = max_rows
        self.max_bytes = max_bytes
        self._chunk_rows = min(chunk_rows, max_rows)
        self._piece_bytes = max(1, max_bytes // PIECES)
        self._lock = threading.Lock()
        self._chunks: deque[_Chunk] = deque()
        self._chunk_bytes = 0
        self._tail: list[R] = []
        self._tail_bytes = 0
        self._count = 0
        self._first = 0
        self._evicted_bytes = 0
        self._unfit = 0
        self._latest: R | None = None
        self._forgotten = 0
        self.generation = 0
        """How often the store was emptied by :meth:`reset`: rows of different generations are different stories."""

    # ---- what is there

    def __len__(self) -> int:
        """Rows stored now."""
        with self._lock:
            return self._count - self._first

    def __bool__(self) -> bool:
        """True, also while it is empty."""
        return True

    def __repr__(self) -> str:
        return f"ColumnStore({self.record_type.__name__}, max_rows={self.max_rows}, max_bytes={self.max_bytes})"

    @property
    def count(self) -> int:
        """Rows ever appended; the next row gets this number."""
        return self._count

    @property
    def first(self) -> int:
        """Number of the oldest row that is still stored (``count`` if none is)."""
        return self._first

    @property
    def dropped(self) -> int:
        """Rows evicted so far."""
        return self._first - self._forgotten

    @property
    def evicted_bytes(self) -> int:
        """Memory that eviction has freed so far, in bytes (a batch counts when its last row goes)."""
        return self._evicted_bytes

    @property
    def unfit(self) -> int:
        """Rows with a value that did not fit its column and was moved to ``extra``."""
        return self._unfit

    @property
    def nbytes(self) -> int:
        """Memory held by rows, in bytes."""
        return self._chunk_bytes + self._tail_bytes

    @property
    def latest(self) -> R | None:
        """The newest record as it was appended, or None."""
        return self._latest

    @property
    def oldest_recv_ns(self) -> int | None:
        """Receive time of the oldest row that is still stored, ns since 1970 UTC; None if none is."""
        with self._lock:
            if self._chunks:
                chunk = self._chunks[0]
                at: int = chunk.batch.column("recv_ns")[max(0, self._first - chunk.first)].as_py()
                return at
            skip = self._first - (self._count - len(self._tail))
            return self._tail[max(0, skip)].recv_ns if self._count > self._first else None

    # ---- writing

    def append(self, records: Sequence[R]) -> None:
        """Add rows in arrival order.

        Raises:
            TypeError: a record is not of this store's type; nothing is added.
        """
        if not records:
            return
        if set(map(type, records)) != {self.record_type}:
            kinds = ", ".join(sorted({type(r).__name__ for r in records}))
            raise TypeError(f"a store of {self.record_type.__name__} records was given {kinds}")
        with self._lock:
            self._tail.extend(records)
            self._count += len(records)
            self._latest = records[-1]
            self._settle(records)

    def adopt(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Add rows that are columnar already, in arrival order; they are not copied, and make no ``latest``'s of their
        own but the last.

        Raises:
            TypeError: a batch has another schema; those before it were added.
        """
        for batch in batches:
            if not batch.schema.equals(self.schema):
                raise TypeError(f"a store of {self.record_type.__name__} records was given a batch of other columns")
            if batch.num_rows == 0:
                continue
            with self._lock:
                if self._tail:
                    self._convert_tail()
                self._push(_Chunk(self._count, batch, batch.nbytes))
                self._count += batch.num_rows
                self._latest = batch_to_records(self.record_type, batch.slice(batch.num_rows - 1))[0]
                self._evict()

    def reset(self) -> None:
        """Empty the store. The numbers of rows go on, nothing counts as dropped, and ``generation`` grows."""
        with self._lock:
            self._chunks.clear()
            self._tail, self._chunk_bytes, self._tail_bytes = [], 0, 0
            self._forgotten += self._count - self._first
            self._first = self._count
            self._latest = None
            self.generation += 1

    def _settle(self, records: Sequence[R]) -> None:
        """Convert the tail if it is long or heavy, then keep the bounds."""
        if len(self._tail) < TAIL_ROWS:
            self._tail_bytes += sum(map(_weight, records))
        if len(self._tail) >= TAIL_ROWS or self._tail_bytes > self._piece_bytes:
            self._convert_tail()
        self._evict()

    def _convert_tail(self) -> None:
        step = self._chunk_rows
        batches = [b for i in range(0, len(self._tail), step) for b in self._batches(self._tail[i : i + step])]
        first = self._count - len(self._tail)
        self._tail, self._tail_bytes = [], 0
        for batch in batches:
            self._push(_Chunk(first, batch, batch.nbytes))
            first += batch.num_rows

    def _batches(self, records: Sequence[R]) -> Iterator[pa.RecordBatch]:
        """Convert records to batches, none of them heavier than a piece unless it is a single row."""
        batch, unfit = fitted_batch(self.record_type, records)
        if batch.nbytes <= self._piece_bytes or len(records) == 1:
            self._unfit += unfit
            yield batch
            return
        half = len(records) // 2
        yield from self._batches(records[:half])
        yield from self._batches(records[half:])

    def _push(self, chunk: _Chunk) -> None:
        """Add a chunk at the new end, merged with its neighbours while they are of like size and the sum is allowed."""
        self._chunk_bytes += chunk.nbytes
        while self._chunks and self._mergeable(self._chunks[-1], chunk):
            old = self._chunks.pop()
            batch = pa.concat_batches([old.batch, chunk.batch])  # type: ignore[attr-defined]  # stubs lack it
            self._chunk_bytes += batch.nbytes - old.nbytes - chunk.nbytes
            chunk = _Chunk(old.first, batch, batch.nbytes)
        self._chunks.append(chunk)

    def _mergeable(self, old: _Chunk, new: _Chunk) -> bool:
        rows, added = old.batch.num_rows, new.batch.num_rows
        fits = rows + added <= self._chunk_rows and old.nbytes + new.nbytes <= self._piece_bytes
        return fits and rows <= 2 * added

    def _evict(self) -> None:
        self._first = max(self._first, self._count - self.max_rows)
        while self._chunks and (self._chunks[0].stop <= self._first or self.nbytes > self.max_bytes):
            gone = self._chunks.popleft()
            self._first = max(self._first, gone.stop)
            self._chunk_bytes -= gone.nbytes
            self._evicted_bytes += gone.nbytes

    # ---- reading

    def table(
        self, first: int | None = None, stop: int | None = None, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Stored rows with numbers in [first, stop), all columns or the named ones; batches are not copied.

        Raises:
            BadOption: there is no column of that name.
        """
        names = self._names(columns)
        _, _, batches = self._snapshot(first, stop)
        return self._table(batches, names)

    def since(self, seq: int, columns: Sequence[str] | None = None) -> Since:
        """Rows with numbers from ``seq`` on; costs next to nothing when there are none.

        Raises:
            BadOption: there is no column of that name.
        """
        names = self._names(columns)
        if seq >= self._count:
            return Since(seq, seq, 0, self._table([], names))
        first, stop, batches = self._snapshot(seq, None)
        return Since(first, stop, first - max(seq, 0), self._table(batches, names))

    def records(self, first: int | None = None, stop: int | None = None) -> Iterator[R]:
        """Rebuilt records with numbers in [first, stop), as they were stored at the time of the call."""
        _, _, batches = self._snapshot(first, stop)
        return self._rebuild(batches)

    def _rebuild(self, batches: Iterable[pa.RecordBatch]) -> Iterator[R]:
        for batch in batches:
            for start in range(0, batch.num_rows, _REBUILD_ROWS):
                yield from batch_to_records(self.record_type, batch.slice(start, _REBUILD_ROWS))

    def _names(self, names: Sequence[str] | None) -> list[str] | None:
        if names is None:
            return None
        unknown = [name for name in names if name not in self.schema.names]
        if unknown:
            raise BadOption(f"no column {unknown[0]!r}; the columns are {', '.join(self.schema.names)}")
        return list(names)

    def _table(self, batches: list[pa.RecordBatch], names: list[str] | None) -> pa.Table:
        table = pa.Table.from_batches(batches, schema=self.schema)
        if names is not None:
            table = table.select(names)
        return table.unify_dictionaries() if len(batches) > 1 else table

    def _snapshot(self, first: int | None, stop: int | None) -> tuple[int, int, list[pa.RecordBatch]]:
        """The stored part of [first, stop), cut out of the chunks."""
        with self._lock:
            if self._tail:
                self._convert_tail()
                self._evict()
            stop = self._count if stop is None else min(max(stop, self._first), self._count)
            first = self._first if first is None else min(max(first, self._first), stop)
            found: list[pa.RecordBatch] = []
            for chunk in reversed(self._chunks):
                if chunk.stop <= first:
                    break
                if chunk.first < stop:
                    skip = max(0, first - chunk.first)
                    found.append(chunk.batch.slice(skip, min(stop, chunk.stop) - chunk.first - skip))
        found.reverse()
        return first, stop, found
