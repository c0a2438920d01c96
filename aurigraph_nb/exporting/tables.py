"""Rows as files of tables: Parquet, Arrow, CSV and JSON lines; batch by batch, so that memory stays small."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as _compute
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from .cells import safe

pc: Any = _compute

Batches = Callable[[], Iterable[pa.RecordBatch]]
"""Gives the rows anew at each call."""
Write = Callable[[Path, pa.Schema, Batches], None]


def write_parquet(path: Path, schema: pa.Schema, batches: Batches) -> None:
    """One Parquet file, zstd, with page checksums; the topic's own types."""
    with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as writer:
        for batch in batches():
            writer.write_batch(batch)


def write_arrow(path: Path, schema: pa.Schema, batches: Batches) -> None:
    """One Arrow IPC file. It can hold one dictionary a column, so that these are gathered in a first pass."""
    words = _words(schema, batches())
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        for batch in batches():
            arrays = [_indexed(batch.column(f.name), words.get(f.name)) for f in schema]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))


def _words(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> dict[str, pa.Array[Any]]:
    names = [f.name for f in schema if pa.types.is_dictionary(f.type)]
    found: dict[str, dict[str, None]] = {name: {} for name in names}
    for batch in batches:
        for name in names:
            found[name].update(dict.fromkeys(_plain(batch.column(name)).unique().drop_null().to_pylist()))
    return {name: pa.array(list(words), pa.string()) for name, words in found.items()}


def _indexed(array: Any, words: Any) -> Any:
    if words is None:
        return array
    return pa.DictionaryArray.from_arrays(pc.index_in(_plain(array), words), words)


def _plain(array: Any) -> Any:
    return array.dictionary_decode() if isinstance(array, pa.DictionaryArray) else array


def write_csv(path: Path, schema: pa.Schema, batches: Batches) -> None:
    """One CSV file with a header, safe for spreadsheets (see :mod:`.cells`).

    Numbers are numbers, decimals with all their digits; times are UTC, like ``2026-01-01 12:00:00.000000001Z``;
    nothing stands for what is missing, ``""`` for an empty text.
    """
    shown = pa.schema([pa.field(f.name, _cell_type(f.type)) for f in schema])
    with pacsv.CSVWriter(path, shown) as writer:
        for batch in batches():
            arrays = [_cells(batch.column(f.name)).cast(shown.field(f.name).type) for f in schema]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=shown))


def _cell_type(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_dictionary(kind) else kind


def _cells(array: Any) -> Any:
    array = _plain(array)
    return safe(array) if pa.types.is_string(array.type) else array


def write_jsonl(path: Path, schema: pa.Schema, batches: Batches) -> None:
    """One JSON object a row and line. Times are ISO 8601 texts, UTC, in nanoseconds; decimals are texts, so that no
    reader rounds them; what is missing is null.
    """
    encoder = msgspec.json.Encoder()
    with open(path, "xb") as file:
        for batch in batches():
            columns = [_json(batch.column(f.name)).to_pylist() for f in schema]
            rows = (dict(zip(schema.names, row, strict=True)) for row in zip(*columns, strict=True))
            file.write(encoder.encode_lines(rows))


def _json(array: Any) -> Any:
    array = _plain(array)
    if pa.types.is_timestamp(array.type):
        return pc.strftime(array, format="%Y-%m-%dT%H:%M:%SZ")
    return array.cast(pa.string()) if pa.types.is_decimal(array.type) else array


WRITERS: Mapping[str, tuple[str, Write]] = {
    "parquet": (".parquet", write_parquet),
    "csv": (".csv", write_csv),
    "arrow": (".arrow", write_arrow),
    "jsonl": (".jsonl", write_jsonl),
}
"""By the name of the format: its files' suffix, and what writes one."""
