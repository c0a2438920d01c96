"""Rows as tables of a DuckDB file."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..errors import MissingExtra
from ..reading.scale import expressions, quoted
from .tables import Batches

_HANDED = "\N{ZERO WIDTH SPACE}rows"


def write_duckdb(path: Path, tables: Mapping[str, tuple[pa.Schema, Batches]]) -> None:
    """One file with a table each, by name. Times are TIMESTAMPTZ, beside whole nanoseconds (``timestamp_ns``).

    :raises MissingExtra: if DuckDB is not installed
    """
    try:
        duckdb: Any = importlib.import_module("duckdb")
    except ImportError:
        raise MissingExtra(
            "the format duckdb needs DuckDB, which is not installed: pip install 'aurigraph-nb[scale]' (or: duckdb)"
        ) from None
    with duckdb.connect(str(path)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, (schema, batches) in tables.items():
            plain = pa.schema([pa.field(f.name, _plain_type(f.type)) for f in schema])
            with _rows(batches) as own:
                reader = pa.RecordBatchReader.from_batches(plain, (_plain(batch, plain) for batch in own))
                connection.register(_HANDED, reader)
                chosen = ", ".join(expressions(plain))
                connection.execute(f"CREATE TABLE {quoted(name)} AS SELECT {chosen} FROM {quoted(_HANDED)}")
                connection.unregister(_HANDED)
        connection.execute("CHECKPOINT")


@contextlib.contextmanager
def _rows(batches: Batches) -> Iterator[Iterator[pa.RecordBatch]]:
    """The rows, for the block. What ends them (Ctrl-C, a full disk) ends the block, and not as DuckDB would tell it."""
    failed: list[BaseException] = []

    def own() -> Iterator[pa.RecordBatch]:
        try:
            yield from batches()
        except BaseException as exc:
            failed.append(exc)
            raise

    try:
        yield own()
    except Exception:
        if failed and not isinstance(failed[0], GeneratorExit):
            raise failed[0] from None
        raise


def _plain_type(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_dictionary(kind) else kind


def _plain(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([batch.column(f.name).cast(f.type) for f in schema], schema=schema)
