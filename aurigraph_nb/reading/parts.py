"""The row groups of a Parquet file of a recording: when they are from, and their rows, verified page by page."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as _compute
import pyarrow.parquet as pq

from ..errors import RecordingCorrupt, RecordingTooNew
from ..recording.footers import check_footer
from ..recording.lines import VERSION
from ..recording.manifest import TopicPart
from ..recording.parts import DAY_NS, FORMAT_KEY
from .rows import Chunk

pc: Any = _compute

Instead = Callable[[int, int, Exception], pa.Table]
"""Gives the rows ``[first, first + rows)`` of a part where the file does not, and is told why."""

EVER = (-(2**63), 2**63 - 1)
_UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError, OverflowError)
_DAY = re.compile(r"date=(\d{4}-\d{2}-\d{2})/")


def row_groups(path: Path, schema: pa.Schema, part: TopicPart, instead: Instead | None) -> list[Chunk]:
    """The row groups of a part; nothing but the file's end is read for it.

    :param schema: of the topic's tables
    :param part: what the manifest says of it; :func:`~aurigraph_nb.recording.footers.check_footer` has to come first
    :param instead: asked for the rows that turn out to be unreadable
    :raises RecordingCorrupt: naming the file, if it is missing or damaged, or of a newer format
    """
    metadata = _metadata(path)
    if metadata.num_rows != part.rows:
        raise RecordingCorrupt(f"{path} has {metadata.num_rows:,} rows; the manifest says {part.rows:,}")
    there = set(metadata.schema.to_arrow_schema().names)
    missing = [f.name for f in schema if f.name not in there and not f.nullable]
    if missing:
        raise RecordingCorrupt(f"{path} lacks the columns {', '.join(missing)}")
    chunks, first = [], 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        recv, times = _bounds(group)
        chunks.append(
            Chunk(group.num_rows, recv, times, _reader(path, part, number, group.num_rows, first, schema, instead))
        )
        first += group.num_rows
    return chunks


def _metadata(path: Path) -> pq.FileMetaData:
    try:
        metadata = pq.read_metadata(path)
    except FileNotFoundError:
        raise RecordingCorrupt(f"{path} is missing") from None
    except _UNREADABLE as exc:
        raise RecordingCorrupt(f"{path} cannot be read: {str(exc).partition(chr(10))[0][:200]}") from exc
    version = (metadata.metadata or {}).get(FORMAT_KEY, b"")
    if version.isdigit() and int(version) > VERSION:
        raise RecordingTooNew(
            f"{path} has format version {int(version)}, and this aurigraph_nb reads up to {VERSION}; upgrade it"
        )
    return metadata


def _bounds(group: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """Bounds of the receive times, and of the rows' times."""
    columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    recv, _ = _ends(columns["recv_ns"])
    if recv is None:
        return EVER, EVER
    times, nulls = _ends(columns["timestamp"])
    if times is None:
        return recv, recv if nulls == group.num_rows else EVER
    if nulls:
        times = min(times[0], recv[0]), max(times[1], recv[1])
    return recv, times


def _ends(column: Any) -> tuple[tuple[int, int] | None, int | None]:
    """Least and greatest value of a column of integers or times, and how many are missing; None: not told."""
    statistics = column.statistics if column.is_stats_set else None
    if statistics is None or not statistics.has_null_count:
        return None, None
    if not statistics.has_min_max:
        return None, statistics.null_count
    return (int(statistics.min_raw), int(statistics.max_raw)), statistics.null_count


def _reader(
    path: Path, part: TopicPart, number: int, rows: int, first: int, schema: pa.Schema, instead: Instead | None
) -> Any:
    def read(columns: Sequence[str]) -> pa.Table:
        try:
            if part.footer_crc is not None:  # without: the file was compared as a whole, once
                check_footer(path, part)
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                there = [name for name in columns if name in file.schema_arrow.names]
                table = file.read_row_group(number, columns=there)
            if table.num_rows != rows:
                raise RecordingCorrupt(f"{path}: a row group has {table.num_rows:,} rows in place of {rows:,}")
            return _fitted(table, columns, schema)
        except (*_UNREADABLE, RecordingCorrupt) as exc:
            if instead is None:
                raise
            return instead(first, rows, exc).select(list(columns))

    return read


def _fitted(table: pa.Table, columns: Sequence[str], schema: pa.Schema) -> pa.Table:
    """``table`` with exactly these columns as the topic has them; what an older version did not write is null."""
    arrays = []
    for name in columns:
        field = schema.field(name)
        if name not in table.column_names:
            arrays.append(pa.chunked_array([pa.nulls(table.num_rows, field.type)], field.type))
        else:
            column = table.column(name)
            arrays.append(column if column.type.equals(field.type) else column.cast(field.type))
    return pa.table(arrays, schema=pa.schema([schema.field(name) for name in columns]))


def day_rows(table: pa.Table, path: str) -> pa.Table:
    """The rows of the day that the path of a part names."""
    found = _DAY.search(path)
    if found is None:
        return table
    day = pc.divide(table.column("recv_ns"), DAY_NS)
    asked = pa.scalar(found[1]).cast(pa.date32()).cast(pa.int32()).as_py()
    return table.filter(pc.equal(day, asked))
