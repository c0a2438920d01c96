"""How each kind of data gives its columns as Arrow: topics, pandas, Polars, Dask, and the Arrow stream interface.

Libraries are known by what they can do, not by import: none of them is loaded here but pandas and Arrow, which the
package needs anyway. Text columns come as strings or as dictionaries of strings, whoever wrote them.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as _compute

from aurigraph_nb.errors import BadOption, BadOptionType

from .sight import Sight, View, joined, sight_of
from .wanted import lacking, topic_with

pc: Any = _compute
Column: TypeAlias = Any
"""An Arrow column. The stubs' generics refuse scalars and casts that the library takes."""

Reduce: TypeAlias = Callable[[pa.Table], pa.Table]
Ints: TypeAlias = npt.NDArray[np.int64]

TIME_COLUMNS = ("timestamp", "recv_ns")
_WORD = pa.dictionary(pa.int32(), pa.string())
_KINDS = "a topic (feed.metrics), a pandas, Polars or Dask DataFrame, or an Arrow table"


def tables_of(
    data: Any,
    needed: Sequence[str],
    optional: Sequence[str],
    *,
    either: Sequence[str] = (),
    time: bool,
    view: View,
    reduce: Reduce | None,
) -> tuple[pa.Table, Ints, int, Sight]:
    """The columns as one Arrow table, the time of each row (ns), how many rows had none, what was seen of the range.

    Without ``time`` and without a range, rows need none, and the times are all 0 where there are none.
    """
    timed = time or view.start is not None or view.end is not None
    have = names_of(data, topic_with([*needed, *either]))
    missing = [c for c in needed if c not in have]
    if either and not any(c in have for c in either):
        missing.append(" or ".join(either))
    if timed and not any(c in have for c in TIME_COLUMNS):
        missing.append("timestamp (or recv_ns)")
    if missing:
        hint = _index_hint(data) if timed else ""
        raise lacking(data, have, missing, needed, either, hint)
    wanted = dict.fromkeys([*(TIME_COLUMNS if timed else ()), *needed, *either, *optional])
    names = [c for c in wanted if c in have]
    if is_dask(data):
        table, sight = _of_dask(data, names, view, timed, reduce)
    else:
        table, sight = _table(data, names, view), None
    if not timed:
        return table, np.zeros(table.num_rows, np.int64), 0, Sight()
    if sight is None:
        sight = _sight(table, view)
    if is_topic(data):
        sight = _with_neighbours(sight, data, [c for c in TIME_COLUMNS if c in have], view)
    return *_timed(table, view), sight


def _sight(table: pa.Table, view: View) -> Sight:
    flags: Any = table.column("gap_before") if "gap_before" in table.column_names else None
    return sight_of(row_times(table), flags, view)


def _with_neighbours(sight: Sight, topic: Any, names: list[str], view: View) -> Sight:
    """A topic gives the rows of a range only: whether there are others on either side is asked of it."""
    before = view.start is not None and topic.to_arrow(names, end=view.start, limit=1).num_rows > 0
    after = view.end is not None and topic.to_arrow(names, start=view.end, limit=1).num_rows > 0
    return replace(sight, before=before, after=after)


def is_topic(data: Any) -> bool:
    """Whether ``data`` is a topic, live or recorded: it gives chosen columns of a range as Arrow."""
    method = None if isinstance(data, pd.DataFrame) else getattr(type(data), "to_arrow", None)
    return method is not None and {"columns", "start", "end"} <= set(inspect.signature(method).parameters)


def names_of(data: Any, topic: str | None = None) -> list[str]:
    """The columns that ``data`` has; a pandas or Dask index of times counts as ``timestamp``.

    ``topic`` is named to somebody who gives a feed for one of its topics.

    Raises:
        BadOptionType: ``data`` is of no type that can be read.
    """
    if isinstance(data, pd.DataFrame) or is_dask(data):
        index = [name] if (name := _index_column(data)) else []
        return [*map(str, data.columns), *index]
    if is_topic(data):
        return list(data.to_arrow(limit=0).column_names)
    if hasattr(data, "collect_schema"):  # Polars, eager and lazy
        return list(data.collect_schema().names())
    if isinstance(data, pa.Table | pa.RecordBatch):
        return list(data.schema.names)
    if hasattr(data, "__arrow_c_stream__"):
        with contextlib.suppress(pa.ArrowException):  # a stream of values that are no rows, such as a single column
            return list(pa.RecordBatchReader.from_stream(data).schema.names)
    hint = f"; a feed has topics, such as feed.{topic or 'metrics'}" if hasattr(data, "gaps") else ""
    raise BadOptionType(f"data is a {type(data).__name__}; expected {_KINDS}{hint}")


def _index_hint(data: Any) -> str:
    """Says where the times may be, if they are in an index under another name."""
    name = getattr(getattr(data, "index", None), "name", None)
    if name in (None, "recv", *TIME_COLUMNS):
        return ""
    return (
        f", and an index called {name!r}; a time index is read if it is called 'timestamp': .rename_axis('timestamp')"
    )


def row_times(table: pa.Table) -> Column:
    """Time of each row as int64 ns, null where it has none: the server's, else the receive time."""
    parts = [_ns(table.column(c), c) for c in TIME_COLUMNS if c in table.column_names]
    return pc.coalesce(*parts)


def _table(data: Any, names: list[str], view: View) -> pa.Table:
    if isinstance(data, pd.DataFrame):
        return _of_pandas(data, names)
    if is_topic(data):
        return _tidy(data.to_arrow(names, start=view.start, end=view.end))
    if hasattr(data, "collect_schema"):
        chosen = data.select(names)
        try:
            return _tidy((chosen.collect() if hasattr(chosen, "collect") else chosen).to_arrow())
        except pa.ArrowException as error:
            raise BadOption(
                f"a column of {', '.join(names)} is of a type that Arrow lacks ({error}); cast it"
            ) from None
    if isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    return _tidy((data if isinstance(data, pa.Table) else pa.table(data)).select(names))


def _timed(table: pa.Table, view: View) -> tuple[pa.Table, Ints, int]:
    times = row_times(table)
    keep = pc.is_valid(times)
    untimed = len(times) - (pc.sum(keep).as_py() or 0)
    if view.start is not None:
        keep = pc.and_(keep, pc.greater_equal(times, view.start))
    if view.end is not None:
        keep = pc.and_(keep, pc.less(times, view.end))
    keep = pc.fill_null(keep, False)
    if not pc.all(keep).as_py():
        table, times = table.filter(keep), times.filter(keep)
    return table, np.array(times.to_numpy(), dtype=np.int64), untimed


def _ns(column: Column, name: str) -> Column:
    if pa.types.is_null(column.type):
        return column.cast(pa.int64())
    if pa.types.is_integer(column.type):
        return column.cast(pa.int64())
    if pa.types.is_timestamp(column.type):
        try:
            return column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64())
        except pa.ArrowInvalid as error:
            raise BadOption(f"column {name!r} has a time outside the years 1678 to 2261 ({error})") from None
    raise BadOption(f"column {name!r} holds {column.type}; expected times, or integers of ns since 1970 UTC")


def _of_pandas(frame: pd.DataFrame, names: Sequence[str]) -> pa.Table:
    index = _index_column(frame)
    columns = {}
    for name in names:
        values: Any = frame.index.to_series() if name == index else frame[name]
        if isinstance(values, pd.DataFrame):
            raise BadOption(f"there is more than one column {name!r}; give each column a name of its own")
        try:
            columns[name] = _exact(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            raise BadOption(f"column {name!r} mixes kinds of values ({error}); give it one dtype") from None
    if not columns:
        return _bare(len(frame))
    return _tidy(pa.table(columns))


def _exact(values: pd.Series[Any]) -> Any:
    """A column as Arrow; Python integers beyond 64 bits become decimals, of up to 76 digits."""
    try:
        return pa.Array.from_pandas(values)
    except OverflowError:
        exact = [Decimal(v) if isinstance(v, int) and not isinstance(v, bool) else v for v in values.tolist()]
        return pa.Array.from_pandas(pd.Series(exact, dtype=object))


def _of_dask(data: Any, names: list[str], view: View, timed: bool, reduce: Reduce | None) -> tuple[pa.Table, Sight]:
    """Each partition becomes a small Arrow table where it lies; only those come here."""
    dask: Any = importlib.import_module("dask")
    index = _index_column(data)
    chosen = data[[n for n in names if n != index]]
    work = dask.delayed(_partition, pure=True)
    parts = dask.compute(*(work(part, names, view, timed, reduce) for part in chosen.to_delayed()))
    if not parts:
        return _bare(0), Sight()
    tables, sights = zip(*parts, strict=True)
    return pa.concat_tables(tables, promote_options="permissive"), joined(sights)


def _partition(
    part: pd.DataFrame, names: list[str], view: View, timed: bool, reduce: Reduce | None
) -> tuple[pa.Table, Sight]:
    table = _of_pandas(part, names)
    sight = _sight(table, view) if timed else Sight()
    if timed and (view.start is not None or view.end is not None):
        table, _, _ = _timed(table, view)
    return table if reduce is None else reduce(table), sight


def is_dask(data: Any) -> bool:
    """Whether ``data`` is a Dask frame."""
    return not isinstance(data, pd.DataFrame) and hasattr(data, "to_delayed") and hasattr(data, "columns")


def _index_column(data: Any) -> str | None:
    """The name under which the index is a column of times: its own, if that is one, else ``timestamp``."""
    index = data.index
    dtype = index.dtype
    times = isinstance(dtype, pd.DatetimeTZDtype) or getattr(dtype, "kind", "") == "M"
    if not times or index.name not in (None, "recv", *TIME_COLUMNS):
        return None
    name = "recv_ns" if index.name == "recv" else index.name or "timestamp"
    return None if name in data.columns else str(name)


def _bare(length: int) -> pa.Table:
    """A table of so many rows and no column that anybody reads."""
    return pa.table({"_row": pa.nulls(length)})


def _tidy(table: pa.Table) -> pa.Table:
    """The same rows with text as ``string`` or ``dictionary<int32, string>``, so that all sources look alike."""
    for place, field in enumerate(table.schema):
        kind = field.type
        if pa.types.is_dictionary(kind) and kind != _WORD:
            table = table.set_column(place, field.name, _words(table.column(place)))
        elif pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
            table = table.set_column(place, field.name, table.column(place).cast(pa.string()))
    return table


def _words(column: Column) -> Column:
    if not pa.types.is_string(column.type.value_type) and not pa.types.is_large_string(column.type.value_type):
        return column.cast(column.type.value_type)
    chunks: list[Any] = [
        pa.DictionaryArray.from_arrays(c.indices.cast(pa.int32()), c.dictionary.cast(pa.string()))
        for c in column.chunks
    ]
    return cast("Any", pa).chunked_array(chunks, _WORD)
