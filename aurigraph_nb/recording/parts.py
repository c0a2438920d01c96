"""Parts: the rows of one topic and one day out of one segment, as a Parquet file that everybody can read.

A part is written under a name that begins with a dot and gets its own when it is whole and on the disk. Equal rows give
equal bytes: nothing in a part tells when or where it was made, and how the rows arrived (one by one, or by thousands)
leaves no trace. Every page carries a checksum, which is verified here; other readers mostly don't.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..columns import fitted_batch
from ..errors import RecordingCorrupt, RecordingTooNew
from ..schema import Record, arrow_schema
from .footers import footer_crc
from .lines import VERSION
from .manifest import TopicPart
from .whole import HashedFile

ROW_GROUP = 128 * 1024
"""Rows of a row group."""
ROW_GROUP_BYTES = 32 * 2**20
"""A row group ends before its rows are complete when they take as much memory."""
PIECE = 1024
"""Records that are converted at once; a row group is made of whole pieces."""
DAY_NS = 86_400 * 10**9
NAME_BYTES = 200
"""A topic's folder has a name of at most about as many bytes; a longer one is cut, and ends with a digest."""

FORMAT_KEY = b"aurigraph.format"
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_.-")
_UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError, OverflowError, MemoryError)


def day_of(recv_ns: int) -> str:
    """The UTC day of a time.

    >>> day_of(1_767_268_800_000_000_000)
    '2026-01-01'
    """
    return (dt.datetime(1970, 1, 1) + dt.timedelta(seconds=recv_ns // 1_000_000_000)).strftime("%Y-%m-%d")


def topic_folder(topic: str) -> str:
    """Name of a topic's folder, which readers of partitioned data take for the column ``topic``.

    Capital letters are escaped too: there are file systems on which they are the same as small ones.

    >>> topic_folder("kv_cache"), topic_folder("*"), topic_folder("../Up")
    ('topic=kv_cache', 'topic=%2A', 'topic=..%2F%55p')
    """
    raw = topic.encode("utf-8", "surrogatepass")
    name = "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in raw)
    if len(name) > NAME_BYTES:
        cut = re.sub("%.?$", "", name[:NAME_BYTES])
        name = f"{cut}~{hashlib.sha256(raw).hexdigest()[:16]}"
    return f"topic={name}"


def part_path(topic: str, day: str, recorder: str, segment: int) -> str:
    """Where a part stands, relative to its recording.

    >>> part_path("metrics", "2026-01-01", "r1", 7)
    'topic=metrics/date=2026-01-01/r1-000007.parquet'
    """
    return f"{topic_folder(topic)}/date={day}/{recorder}-{segment:06d}.parquet"


class PartWriter:
    """Writes one part. Records come in any portions; :meth:`finish` makes the file.

    :param root: the recording
    :param path: of the part, relative to the recording
    :param stamp: what the file says about itself, see :func:`stamp`
    """

    def __init__(self, root: Path, path: str, record: type[Record], topic: str, stamp: Mapping[bytes, bytes]) -> None:
        self.topic, self.path, self.rows = topic, path, 0
        self._root, self._record = root, record
        self._schema = arrow_schema(record).with_metadata({**stamp})
        self._pending: list[Record] = []
        self._batches: list[pa.RecordBatch] = []
        self._group_rows = self._group_bytes = 0
        self._file: HashedFile | None = None
        self._writer: Any = None
        self._times: list[int] = []

    def append(self, records: Iterable[Record]) -> None:
        """Add rows."""
        self._pending.extend(records)
        while len(self._pending) >= PIECE:
            piece, self._pending = self._pending[:PIECE], self._pending[PIECE:]
            self._convert(piece)

    def _convert(self, records: Sequence[Record]) -> None:
        batch, _ = fitted_batch(self._record, records)
        self._widen(batch)
        self._batches.append(batch)
        self.rows += batch.num_rows
        self._group_rows += batch.num_rows
        self._group_bytes += batch.nbytes
        if self._group_rows >= ROW_GROUP or self._group_bytes >= ROW_GROUP_BYTES:
            self._write_group()

    def _widen(self, batch: pa.RecordBatch) -> None:
        """Keep the least and the greatest time."""
        times = pc.coalesce(batch.column("timestamp").view(pa.int64()), batch.column("recv_ns"))
        ends = pc.min_max(times)
        found = [*self._times, ends["min"].as_py(), ends["max"].as_py()]
        self._times = [min(found), max(found)]

    def _write_group(self) -> None:
        if self._writer is None:
            self._file = HashedFile(self._root / self.path)
            sink = cast("IO[Any]", self._file)  # as much of one as a writer needs
            how = encodings(self._schema)
            self._writer = pq.ParquetWriter(sink, self._schema, compression="zstd", write_page_checksum=True, **how)
        table = pa.Table.from_batches(self._batches).combine_chunks()  # one dictionary a column
        self._writer.write_table(table.replace_schema_metadata(self._schema.metadata), row_group_size=ROW_GROUP)
        self._batches, self._group_rows, self._group_bytes = [], 0, 0

    def finish(self) -> TopicPart:
        """Write the rest and give the file its name.

        :raises OSError: if it cannot be written; then there is none
        """
        if self._pending:
            self._convert(self._pending)
            self._pending = []
        if self._batches:
            self._write_group()
        assert self._file is not None, "a part has rows"
        self._writer.close()
        self._file.settle()
        first_ns, last_ns = self._times
        return TopicPart(
            topic=self.topic,
            path=self.path,
            rows=self.rows,
            bytes=self._file.bytes,
            sha256=self._file.sha256,
            footer_crc=footer_crc(self._file.path),
            first_ns=first_ns,
            last_ns=last_ns,
        )

    def drop(self) -> None:
        """Leave nothing behind of a part that is not finished."""
        if self._file is not None:
            self._file.drop()


def encodings(schema: pa.Schema) -> dict[str, Any]:
    """How the columns are written: whole numbers and times as differences, which are small, all others by dictionary.

    >>> encodings(pa.schema([("n", pa.int64()), ("tps", pa.float64())]))
    {'use_dictionary': ['tps'], 'column_encoding': {'n': 'DELTA_BINARY_PACKED'}}
    """
    whole = [field.name for field in schema if pa.types.is_integer(field.type) or pa.types.is_timestamp(field.type)]
    others = [name for name in schema.names if name not in whole]
    return {"use_dictionary": others, "column_encoding": dict.fromkeys(whole, "DELTA_BINARY_PACKED")}


def stamp(recorder: str, segment: int, topic: str) -> dict[bytes, bytes]:
    """What a part says about itself, in its key-value metadata."""
    texts = {"recorder": recorder, "segment": str(segment), "topic": topic}
    found = {f"aurigraph.{name}".encode(): text.encode("utf-8", "replace") for name, text in texts.items()}
    return {FORMAT_KEY: str(VERSION).encode(), **found}


def write_part(
    root: Path, topic: str, day: str, recorder: str, segment: int, record: type[Record], records: Iterable[Record]
) -> TopicPart:
    """Write the rows of one topic and day.

    :raises OSError: if it cannot be written; then there is none
    """
    path = part_path(topic, day, recorder, segment)
    writer = PartWriter(root, path, record, topic, stamp(recorder, segment, topic))
    try:
        writer.append(records)
        return writer.finish()
    except BaseException:
        writer.drop()
        raise


def read_part(path: str | Path, columns: Sequence[str] | None = None, *, sha256: str | None = None) -> pa.Table:
    """The rows of a part, with the schema of its topic's records (dictionaries as they are).

    :param columns: names of the columns to read; None: all
    :param sha256: what the manifest says of the file. Page checksums find any damage of rows, but not one of the file's
        own description of itself; this finds both.
    :raises RecordingCorrupt: naming the file, if it is damaged or not there
    """
    with _told(path):
        _check_sha256(path, sha256)
        with _opened(path) as file:
            table = file.read(None if columns is None else list(columns)).replace_schema_metadata(None)
        if sha256 is None:
            table.validate(full=True)  # a damaged description may have led to values that there cannot be
        return table


def read_batches(
    path: str | Path, columns: Sequence[str] | None = None, *, rows: int = 65_536, sha256: str | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows of a part, a few at a time: at most ``rows`` a batch.

    :raises RecordingCorrupt: naming the file, if it is damaged or not there (also after some batches)
    """
    with _told(path):
        _check_sha256(path, sha256)
        with _opened(path) as file:
            for batch in file.iter_batches(rows, columns=None if columns is None else list(columns)):
                yield batch.replace_schema_metadata(None)


@contextlib.contextmanager
def _opened(path: str | Path) -> Iterator[pq.ParquetFile]:
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        version = (file.metadata.metadata or {}).get(FORMAT_KEY)
        if version is None or not version.isdigit():
            raise RecordingCorrupt(f"{path} is not a part of a recording: it does not tell the version of its format")
        if int(version) > VERSION:
            raise RecordingTooNew(
                f"{path} has format version {int(version)}, and this aurigraph_nb reads up to {VERSION}; upgrade it, "
                f"or rebuild the recording from its journal"
            )
        yield file


@contextlib.contextmanager
def _told(path: str | Path) -> Iterator[None]:
    """Name the file in whatever went wrong with it."""
    try:
        yield
    except RecordingCorrupt:
        raise
    except FileNotFoundError:
        raise RecordingCorrupt(f"{path} is missing; rebuild() makes it again from the journal") from None
    except _UNREADABLE as exc:
        why = str(exc).partition("\n")[0][:200]
        raise RecordingCorrupt(f"{path} cannot be read: {why}; rebuild() makes it again from the journal") from exc


def _check_sha256(path: str | Path, expected: str | None) -> None:
    if expected is None:
        return
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise RecordingCorrupt(
            f"{path} is damaged: its sha256 is {found[:16]}…, and {expected[:16]}… was written; rebuild() makes it "
            f"again from the journal"
        )


def table_digest(table: pa.Table) -> str:
    """A sha256 of what a table says: equal for equal values, names and types, whatever its chunks and dictionaries.

    Dictionary columns count as their values, and all kinds of text as text, so a table that was live, sealed, rebuilt
    or read by another tool can be compared.

    >>> a = pa.chunked_array([["x", "y"], ["x", None]])
    >>> table_digest(pa.table({"a": a})) == table_digest(pa.table({"a": a.combine_chunks().dictionary_encode()}))
    True
    """
    whole = hashlib.sha256(str(table.num_rows).encode())
    for field, column in zip(table.schema, table.columns, strict=True):
        whole.update(f"\0{field.name}\0{_kind(field.type)}\0".encode("utf-8", "surrogatepass"))
        streams = [hashlib.sha256() for _ in range(3)]
        for chunk in column.chunks:
            for stream, data in zip(streams, _canonical(chunk), strict=True):
                stream.update(data)
        for stream in streams:
            whole.update(stream.digest())
    return whole.hexdigest()


def _kind(kind: pa.DataType) -> str:
    if isinstance(kind, pa.DictionaryType):
        kind = kind.value_type
    return "string" if _is_text(kind) else str(kind)


def _is_text(kind: pa.DataType) -> bool:
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _canonical(array: Any) -> tuple[bytes, bytes, bytes]:
    """An array as bytes: which values are there, how long they are, and what they are."""
    if isinstance(array, pa.DictionaryArray):
        array = array.dictionary_decode()
    there = array.is_valid().cast(pa.uint8()).to_numpy().tobytes()
    if _is_text(array.type):
        filled = array.cast(pa.large_string()).fill_null("")
        return there, pc.binary_length(filled).cast(pa.int64()).to_numpy().tobytes(), _text_bytes(filled)
    if pa.types.is_boolean(array.type):
        return there, b"", array.fill_null(False).cast(pa.uint8()).to_numpy().tobytes()
    if pa.types.is_decimal(array.type):
        filled = array.fill_null(0)
        width = array.type.byte_width
        return there, b"", filled.buffers()[1].to_pybytes()[filled.offset * width :][: len(filled) * width]
    if pa.types.is_floating(array.type):
        filled = array.fill_null(0.0)
        plain = pc.if_else(pc.is_nan(filled), pa.scalar(float("nan"), array.type), filled)
        return there, b"", plain.to_numpy(zero_copy_only=False).tobytes()
    wide = array.cast(pa.int64()) if pa.types.is_integer(array.type) else array.view(pa.int64())
    return there, b"", wide.fill_null(0).to_numpy().tobytes()


def _text_bytes(array: Any) -> bytes:
    offsets = array.buffers()[1].to_pybytes()
    at = [int.from_bytes(offsets[8 * i : 8 * i + 8], "little") for i in (array.offset, array.offset + len(array))]
    data = array.buffers()[2]
    return b"" if data is None else data.to_pybytes()[at[0] : at[1]]
