"""Doors to tools for more rows than memory holds: Polars, DuckDB and, on a cluster, Dask.

All of them read a recording's Parquet files as they lie there; what is in no file yet is handed over beside them. Each
is imported at its first use. (Page checksums are verified by what reads here; Polars and DuckDB read the files by
themselves, and do not verify them: ``rec.verify()`` does, once and for all.)
"""

from __future__ import annotations

import importlib
import itertools
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from .. import frames
from ..errors import BadOption, BadOptionType, MissingExtra, RecordingError
from ..frames import INDEXES, Index
from ..gaps import GapBook
from .rows import ORDER, TIMES
from .source import Stretch
from .sqlerrors import query_error

if TYPE_CHECKING:
    import dask.dataframe as dd
    import duckdb
    import polars

PARTITION_ROWS = 65_536
"""Rows of a partition for Dask. In pandas, rows of texts take several times what they take in Arrow, and a worker of
512 MiB has 300 MiB to work with: a row group of 128k rows is too much for it."""

Place = tuple[str, int, int]
"""A file, the number of a row group, and the first row in that."""

GAPS = "gaps"
"""The view of the gaps."""


def _need(module: str, what: str, name: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise MissingExtra(
            f"{what} needs {name}, which is not installed: pip install 'aurigraph-nb[scale]' (or: {name.lower()})"
        ) from None


def overlap(stretches: Sequence[Stretch]) -> bool:
    """Whether recorders wrote at the same time, so that their rows have to be merged."""
    return any(before.recv[1] > after.recv[0] for before, after in itertools.pairwise(stretches))


# Polars


def scan(stretches: Sequence[Stretch], schema: pa.Schema) -> polars.LazyFrame:
    """The rows of ``stretches`` in the order of receive times, as a LazyFrame.

    :raises MissingExtra: if Polars is not installed
    """
    pl = _need("polars", "scan()", "Polars")
    parts = [pl.concat(list(_lazy(pl, stretch))) for stretch in stretches]
    if not parts:
        return frames.to_polars(schema.empty_table()).lazy()
    if overlap(stretches):
        parts = [part.with_columns(pl.col("recv_ns").cum_max().alias(ORDER)) for part in parts]
        parts = [pl.concat(parts).sort(ORDER, maintain_order=True).drop(ORDER)]
    found: polars.LazyFrame = pl.concat(parts)
    return found


def _lazy(pl: Any, stretch: Stretch) -> Iterator[polars.LazyFrame]:
    for is_file, pieces in itertools.groupby(stretch.pieces, lambda piece: isinstance(piece, Path)):
        if is_file:
            yield pl.scan_parquet(list(pieces), glob=False, hive_partitioning=False)
        else:
            yield from (frames.to_polars(table).lazy() for table in pieces if isinstance(table, pa.Table))


# Dask


def to_dask(
    stretches: Sequence[Stretch], schema: pa.Schema, columns: Sequence[str] | None, index: Index
) -> dd.DataFrame:
    """The rows of ``stretches`` as a Dask DataFrame; a partition is at most 65,536 rows of one row group, or table.

    :raises MissingExtra: if Dask is not installed
    :raises BadOption: for an unknown column or index
    """
    if index not in INDEXES:
        raise BadOption(f'index={index!r}: expected "timestamp", "recv" or None')
    dask, utils = (_need(name, "to_dask()", "Dask") for name in ("dask.dataframe", "dask.dataframe.utils"))
    asked = frames.wanted_columns(schema.empty_table(), columns)
    meta = utils.clear_known_categories(_frame(schema.empty_table(), asked, index))
    places = [place for stretch in stretches for piece in stretch.pieces for place in _places(piece)]
    # Dask would make texts columns of another type than to_pandas() does.
    with importlib.import_module("dask").config.set({"dataframe.convert-string": False}):
        found: dd.DataFrame = dask.from_map(
            partition, places or [schema.empty_table()], columns=list(meta.columns), index=index, meta=meta
        )
    return found


def _places(piece: Path | pa.Table) -> Iterator[Place | pa.Table]:
    """What a partition is made of: a stretch of a row group of a file, or of a table."""
    if isinstance(piece, pa.Table):
        yield from (piece.slice(first, PARTITION_ROWS) for first in range(0, piece.num_rows, PARTITION_ROWS))
        return
    metadata = pq.read_metadata(piece)
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        yield from ((str(piece), group, first) for first in range(0, rows, PARTITION_ROWS))


def partition(place: Place | pa.Table, columns: Sequence[str], *, index: Index) -> Any:
    """One partition as a pandas DataFrame; runs on a worker, which reads the columns that are needed in the end."""
    needed = list(dict.fromkeys((*columns, *(TIMES if index is not None else ()))))
    table = place if isinstance(place, pa.Table) else _stretch(place, needed)
    table = table.select([name for name in needed if name in table.column_names])
    return frames.to_pandas(table, index=index)[list(columns)]


def _stretch(place: Place, needed: Sequence[str]) -> pa.Table:
    """The rows of a partition; no more than they are kept of the row group that is read for them."""
    path, group, first = place
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        names = [name for name in needed if name in file.schema_arrow.names]
        batches, at, stop = [], 0, first + PARTITION_ROWS
        for batch in file.iter_batches(PARTITION_ROWS, row_groups=[group], columns=names):
            cut = batch.slice(max(0, first - at), max(0, stop - max(at, first)))
            batches.append(cut)
            at += batch.num_rows
            if at >= stop:
                break
        schema = pa.schema([file.schema_arrow.field(name) for name in names])
    found = pa.Table.from_batches(batches, batches[0].schema if batches else schema)
    return found.slice(0, PARTITION_ROWS)


def _frame(table: pa.Table, asked: Sequence[str], index: Index) -> Any:
    needed = list(dict.fromkeys((*asked, *(TIMES if index is not None else ()))))
    frame = frames.to_pandas(table.select(needed), index=index)
    return frame.drop(columns=[c for c in TIMES if c not in asked and c in frame.columns])


# DuckDB


class Database:
    """A DuckDB database in memory with a view for each topic and one for the gaps; nothing is copied into it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[duckdb.DuckDBPyConnection] = []  # one at most
        self._closing: Callable[[], object] = bool

    def sql(self, query: str, topics: Mapping[str, tuple[pa.Schema, Sequence[Stretch]]], gaps: GapBook) -> Any:
        """The answer to a query, as a DuckDB relation.

        :raises MissingExtra: if DuckDB is not installed
        :raises BadOption: if DuckDB does not understand the query; names the tables, or the columns, that there are
        :raises RecordingError: if a file cannot be read
        """
        if not isinstance(query, str):
            raise BadOptionType(f"query={query!r}: a text in SQL was expected")
        with self._lock:
            if not self._open:
                self._open.append(self._made(topics, gaps))
                # Widgets keep what they show for ever, and DuckDB complains of what is there at the end of the process.
                self._closing = weakref.finalize(self, _let_go, self._open)
            duckdb = _need("duckdb", "sql()", "DuckDB")
            (connection,) = self._open
            try:
                return connection.sql(query)
            except duckdb.IOException as error:
                raise RecordingError(f"sql: {error}") from error
            except duckdb.Error as error:
                raise query_error(str(error), query, _columns(connection)) from error

    def close(self) -> None:
        """Forget the views; they are made anew at the next query."""
        with self._lock:
            self._closing()

    def _made(self, topics: Mapping[str, tuple[pa.Schema, Sequence[Stretch]]], gaps: GapBook) -> Any:
        duckdb = _need("duckdb", "sql()", "DuckDB")
        offline = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
        connection = duckdb.connect(":memory:", config=offline)
        connection.sql("SET TimeZone = 'UTC'")
        _view(connection, GAPS, gaps.table().schema, [Stretch((gaps.table(),), (0, 0))])
        for (name, (schema, stretches)), view in zip(topics.items(), view_names(topics), strict=True):
            del name
            _view(connection, view, schema, stretches)
        return connection


def _let_go(held: list[Any]) -> None:
    """Close what is held, and keep no reference to it."""
    while held:
        held.pop().close()


def _columns(connection: Any) -> dict[str, list[str]]:
    """The columns of each view."""
    found: dict[str, list[str]] = {}
    views = "(SELECT view_name FROM duckdb_views() WHERE NOT internal)"
    asked = f"SELECT table_name, column_name FROM duckdb_columns() WHERE table_name IN {views} AND NOT internal"
    for table, column in connection.execute(asked).fetchall():
        if not table.startswith(HIDDEN):
            found.setdefault(table, []).append(column)
    return found


def view_names(topics: Sequence[str] | Mapping[str, Any]) -> list[str]:
    """The view of each topic: its name, with underscores added where DuckDB would take it for another's.

    >>> view_names(["metrics", "Metrics", "gaps"])
    ['metrics', 'Metrics_', 'gaps_']
    """
    taken, names = {GAPS}, []
    for topic in topics:
        name = topic.replace("\0", "\N{REPLACEMENT CHARACTER}")
        while name.lower() in taken:
            name += "_"
        taken.add(name.lower())
        names.append(name)
    return names


def quoted(name: str, mark: str = '"') -> str:
    """A name (or with ``mark="'"`` a text) as SQL writes it, whatever is in it.

    >>> quoted('x"; DROP TABLE y')
    '"x""; DROP TABLE y"'
    """
    return mark + name.replace(mark, mark * 2) + mark


HIDDEN = "\N{ZERO WIDTH SPACE}"
"""What the names of tables begin with that only views look at."""


def _view(connection: Any, name: str, schema: pa.Schema, stretches: Sequence[Stretch]) -> None:
    sources = []
    for number, (is_file, pieces) in enumerate(_grouped(stretches)):
        if is_file:
            paths = ", ".join(quoted(_literal(str(path)), "'") for path in pieces)
            sources.append(f"read_parquet([{paths}], hive_partitioning = false)")
        else:
            for place, table in enumerate(pieces):
                sources.append(hidden := f"{HIDDEN}{name} {number} {place}")
                connection.register(hidden, table)
                sources[-1] = quoted(hidden)
    if not sources:
        connection.register(hidden := f"{HIDDEN}{name}", schema.empty_table())
        sources = [quoted(hidden)]
    chosen = ", ".join(expressions(schema))
    selects = " UNION ALL ".join(f"SELECT {chosen} FROM {source}" for source in sources)
    connection.execute(f"CREATE VIEW {quoted(name)} AS {selects}")


def _grouped(stretches: Sequence[Stretch]) -> Iterator[tuple[bool, list[Any]]]:
    pieces = [piece for stretch in stretches for piece in stretch.pieces]
    for is_file, group in itertools.groupby(pieces, lambda piece: isinstance(piece, Path)):
        yield is_file, list(group)


def _literal(path: str) -> str:
    """A path in which no character is taken for a pattern."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in path)


def expressions(schema: pa.Schema) -> Iterator[str]:
    """The columns of a view: times as TIMESTAMPTZ (microseconds), and beside them whole nanoseconds."""
    if "recv_ns" in schema.names:
        yield 'make_timestamptz("recv_ns" // 1000) AS "recv"'
    for field in schema:
        name = quoted(field.name)
        if pa.types.is_timestamp(field.type):
            yield f"{name}::TIMESTAMPTZ AS {name}"
            if f"{field.name}_ns" not in schema.names:
                yield f"epoch_ns({name}) AS {quoted(field.name + '_ns')}"
        elif pa.types.is_dictionary(field.type):
            yield f"{name}::VARCHAR AS {name}"
        else:
            yield name
