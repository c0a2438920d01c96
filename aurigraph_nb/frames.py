"""The door to pandas and Polars: how a table of rows becomes a DataFrame.

The same for live, recorded, replayed and simulated rows. Category columns list their values in alphabetical order and
only those that occur, so that equal rows give equal frames wherever they were kept.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as _compute

from .durations import parse_time, seconds
from .errors import BadOption, BadOptionType, MissingExtra, did_you_mean

if TYPE_CHECKING:
    import polars

pc: Any = _compute
Column = Any
"""An Arrow column. The stubs' generics refuse scalars and casts that the library takes."""

Index = Literal["timestamp", "recv"] | None
DtypeBackend = Literal["numpy_nullable", "pyarrow"] | None

INDEXES = ("timestamp", "recv", None)
BACKENDS = (None, "numpy_nullable", "pyarrow")


def select(
    table: pa.Table,
    *,
    columns: Sequence[str] | None = None,
    start: Any = None,
    end: Any = None,
    last: Any = None,
    limit: int | None = None,
    by: str = "timestamp",
    keep: Sequence[str] = (),
) -> pa.Table:
    """The rows and columns that the arguments of ``to_pandas`` ask for, in arrival order.

    :param start: first time, included
    :param end: first time left out
    :param last: only the newest stretch of this length
    :param limit: at most so many rows: the first ones, or with a negative number the newest
    :param by: which time ranges are about: "timestamp" (receive time where it is missing) or "recv"
    :param keep: columns to keep besides ``columns`` (the caller needs them for an index)
    :raises BadOption: for an unknown column, or a range or limit that cannot be read
    """
    names = wanted_columns(table, columns)
    if start is not None or end is not None or last is not None:
        table = table.filter(_in_range(table, start, end, last, by))
    if limit is not None:
        if not isinstance(limit, int) or isinstance(limit, bool):
            raise BadOption(
                f"limit={limit!r}: a whole number of rows was expected, such as 100 (or -100 for the newest)"
            )
        limit = max(-(2**62), min(limit, 2**62))
        table = table.slice(0, limit) if limit >= 0 else table.slice(max(0, table.num_rows + limit))
    return table.select([*names, *(k for k in keep if k not in names)])


def wanted_columns(table: pa.Table, columns: Sequence[str] | None) -> list[str]:
    """The columns asked for, checked."""
    if columns is None:
        return list(table.column_names)
    if isinstance(columns, str):
        columns = [columns]
    if not isinstance(columns, Iterable) or not all(isinstance(c, str) for c in columns):
        raise BadOptionType(f"columns={columns!r}: a list of column names was expected")
    columns = list(dict.fromkeys(columns))
    unknown = [c for c in columns if c not in table.column_names]
    if unknown:
        raise BadOption(
            f"columns={unknown}: no such column.{did_you_mean(unknown[0], table.column_names)} There are "
            f"{', '.join(table.column_names)}"
        )
    return list(columns)


def row_times(table: pa.Table, by: str = "timestamp") -> Column:
    """Time of each row, as ``timestamp[ns, UTC]``: server time (receive time where missing), or receive time."""
    recv = table.column("recv_ns").cast(pa.timestamp("ns", "UTC"))
    return recv if by == "recv" else pc.coalesce(table.column("timestamp"), recv)


def _in_range(table: pa.Table, start: Any, end: Any, last: Any, by: str) -> Any:
    times = row_times(table, by).cast(pa.int64())
    mask: Any = pa.scalar(True)
    if last is not None:
        newest = pc.max(times).as_py() or 0
        mask = pc.greater(times, newest - round(seconds(last, option="last") * 1e9))
    if start is not None:
        mask = pc.and_(mask, pc.greater_equal(times, parse_time(start, option="start")))
    if end is not None:
        mask = pc.and_(mask, pc.less(times, parse_time(end, option="end")))
    return mask


HTML_ROWS = 20
"""Rows of a table that a notebook shows of what is no DataFrame itself."""


def to_html(title: str, frame: pd.DataFrame) -> str:
    """A title and the first rows of a table as HTML; whatever is in it is text, and no formula."""
    head = frame.head(HTML_ROWS).to_html(escape=True, border=0, na_rep="–")
    more = len(frame) - HTML_ROWS
    left = f"<p>… and {more:,} more rows in <code>.to_pandas()</code></p>" if more > 0 else ""
    shown = f"{head}{left}" if len(frame) else ""
    return f'<div class="tex2jax_ignore mathjax_ignore"><p><strong>{html.escape(title)}</strong></p>{shown}</div>'


def to_pandas(table: pa.Table, *, index: Index = "timestamp", dtype_backend: DtypeBackend = None) -> pd.DataFrame:
    """A DataFrame of ``table``.

    :param index: "timestamp": server time, receive time where it is missing (then ``timestamp_is_recv`` is True);
        "recv": receive time; None: a plain range, and ``timestamp`` stays a column
    :param dtype_backend: as in pandas: None (str, float64, Int64, category), "numpy_nullable" or "pyarrow"
    """
    if index not in INDEXES:
        raise BadOption(f'index={index!r}: expected "timestamp", "recv" or None')
    if dtype_backend not in BACKENDS:
        raise BadOption(f'dtype_backend={dtype_backend!r}: expected None, "numpy_nullable" or "pyarrow"')
    times = pd.DatetimeIndex([])
    missing = None
    if index is not None:
        times = pd.DatetimeIndex(_datetimes(row_times(table, index)), name=index)
        if index == "timestamp":
            missing = np.asarray(table.column("timestamp").is_null())
            table = table.drop_columns(["timestamp"])
    data = {f.name: _series(table.column(f.name), f.nullable, dtype_backend) for f in table.schema}
    frame = pd.DataFrame(data, index=pd.RangeIndex(table.num_rows), copy=False)
    if missing is not None:
        flag = pd.Series(missing)
        frame["timestamp_is_recv"] = flag if dtype_backend is None else _backed(flag, dtype_backend)
    if index is not None:
        frame.index = times
    return frame


def _datetimes(column: Column) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(np.asarray(column.cast(pa.int64()))).tz_localize("UTC")


def _backed(flag: pd.Series[bool], backend: str) -> pd.Series[Any]:
    return flag.astype("boolean" if backend == "numpy_nullable" else pd.ArrowDtype(pa.bool_()))


def _series(column: Column, nullable: bool, backend: DtypeBackend) -> pd.Series[Any]:
    """One column. Decimals are always Arrow-backed (nothing else is exact), categories always categories.

    Whether an integer or truth column can hold nulls is the schema's word, so that a dtype never depends on the data.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return pd.Series(_categorical(column))
    if pa.types.is_decimal(kind) or backend == "pyarrow":
        return pd.Series(pd.arrays.ArrowExtensionArray(column))
    if pa.types.is_timestamp(kind):
        return pd.Series(_nullable_datetimes(column))
    if pa.types.is_integer(kind) and (nullable or backend == "numpy_nullable"):
        return pd.Series(_masked(column, pd.arrays.IntegerArray, 0))
    if pa.types.is_boolean(kind) and (nullable or backend == "numpy_nullable"):
        return pd.Series(_masked(column, pd.arrays.BooleanArray, False))
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return pd.Series(np.asarray(column))
    if pa.types.is_floating(kind):
        if backend == "numpy_nullable":
            return pd.Series(_masked(column, pd.arrays.FloatingArray, 0.0))
        return pd.Series(np.asarray(column.fill_null(float("nan"))))
    if backend == "numpy_nullable":
        return pd.Series(pd.arrays.ArrowStringArray(column.cast(pa.large_string())))
    return pd.Series(column.cast(pa.large_string()).to_pandas())


def _masked(column: Column, make: Any, filler: Any) -> Any:
    mask = np.asarray(column.is_null())
    return make(np.array(column.fill_null(filler)), mask)


def _nullable_datetimes(column: Column) -> pd.DatetimeIndex:
    raw = np.array(column.cast(pa.int64()).fill_null(np.iinfo(np.int64).min))
    return pd.DatetimeIndex(raw.view("datetime64[ns]")).tz_localize("UTC")


def _categorical(column: Column) -> pd.Categorical:
    """A categorical whose categories are those that occur, sorted."""
    whole = _one_array(column)
    codes = np.array(whole.indices.fill_null(-1)).astype(np.int64)
    values = np.asarray(whole.dictionary.to_pylist(), dtype=object)
    used = np.flatnonzero(np.bincount(codes[codes >= 0], minlength=len(values))) if len(values) else np.array([], int)
    order = used[np.argsort(values[used].astype(str), kind="stable")] if len(used) else used
    place = np.full(len(values) + 1, -1, dtype=np.int64)  # the last entry serves code -1
    place[order] = np.arange(len(order))
    names = pd.Index(values[order].tolist(), dtype="str")
    return pd.Categorical.from_codes(cast("Any", place[codes]), categories=names)


def _one_array(column: Column) -> Any:
    if column.num_chunks == 0:
        return pa.array([], column.type)
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.unify_dictionaries().chunks)


FLAT_COLUMNS = 1_000
"""Fields that become columns; those that come after stay JSON, so that a hostile feed cannot make any number."""


def flattened(frame: pd.DataFrame, column: str = "payload") -> pd.DataFrame:
    """``frame`` with the fields of the JSON objects in ``column`` as columns of their own, ``a.b`` for what is nested.

    A field that is called like another column gets the prefix ``payload.``. What is no object, and the fields beyond
    the first 1,000 names, stay as JSON text in ``column``. Whole numbers are Int64 where they fit.
    """
    rest = frame.drop(columns=column)
    fields: dict[str, dict[int, Any]] = {}
    left: dict[int, str] = {}
    for i, text in enumerate(frame[column]):
        payload = json.loads(text) if isinstance(text, str) else None
        over = {}
        for name, value in _fields(payload) if isinstance(payload, dict) else ():
            if name in fields or len(fields) < FLAT_COLUMNS:
                fields.setdefault(name, {})[i] = value
            else:
                over[name] = value
        if over or not isinstance(payload, dict):
            left[i] = json.dumps(over) if over else text
    if left:
        fields[column] = left
    taken = set(rest.columns)
    parts = {}
    for name, values in fields.items():
        shown = name if name not in taken else f"{column}.{name}"
        while shown in taken:
            shown += "_"
        taken.add(shown)
        parts[shown] = _flat_series([values.get(i) for i in range(len(frame))], frame.index)
    return pd.concat([rest, pd.DataFrame(parts, index=frame.index)], axis=1)


def _fields(payload: dict[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    for name, value in payload.items():
        if isinstance(value, dict) and value and depth < 10:
            yield from _fields(value, f"{prefix}{name}.", depth + 1)
        else:
            # A dot in a name is told from nesting, so that neither takes the other's place.
            yield prefix + (name if depth or "." not in name else f"[{name}]"), value


def _flat_series(values: list[Any], index: pd.Index) -> pd.Series[Any]:
    kinds = {type(v) for v in values if v is not None}
    if kinds == {int} and all(abs(v) < 2**63 for v in values if v is not None):
        return pd.Series(values, index=index, dtype="Int64")
    if kinds == {bool}:
        return pd.Series(values, index=index, dtype="boolean")
    if kinds <= {int, float}:
        return pd.Series(values, index=index, dtype="float64" if float in kinds else "object")
    if kinds == {str}:
        return pd.Series(values, index=index, dtype="str")
    return pd.Series([json.dumps(v) if isinstance(v, dict | list) else v for v in values], index=index, dtype="object")


def to_polars(table: pa.Table) -> polars.DataFrame:
    """A Polars DataFrame of ``table``: times are Datetime[ns, UTC], categories Categorical, decimals Decimal(38, 0).

    :raises MissingExtra: if Polars is not installed
    """
    try:
        import polars as pl
    except ImportError:
        raise MissingExtra(
            "to_polars() needs Polars, which is not installed: pip install 'aurigraph-nb[scale]' (or: polars)"
        ) from None
    return cast("pl.DataFrame", pl.from_arrow(table))
