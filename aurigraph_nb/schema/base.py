"""The base of all records, and the Arrow schema that follows from a record type.

A record type is the single definition of its topic's columns: name (with the unit in it), type, nullability, meaning.
``arrow_schema(Metrics)`` derives the Arrow schema; stores, frames and recordings all use that.

Times are int64 nanoseconds since 1970 UTC; in frames they become ``datetime64[ns, UTC]`` (``recv_ns`` stays an integer,
as its name says).
"""

from __future__ import annotations

import datetime as dt
import functools
import typing
from enum import Enum
from typing import Annotated, Any

import msgspec
import pyarrow as pa


class Kind(Enum):
    """How a column is stored where the Python type alone does not say it."""

    TIME = "time"
    """int nanoseconds since 1970 UTC; Arrow ``timestamp[ns, UTC]``."""
    CATEGORY = "category"
    """text out of a small set; Arrow ``dictionary<int32, string>``, pandas ``category``."""
    DECIMAL = "decimal"
    """an integer of up to 38 digits; Arrow ``decimal128(38, 0)``."""
    JSON = "json"
    """JSON text; Arrow ``string``."""


Time = Annotated[int, Kind.TIME]
Category = Annotated[str, Kind.CATEGORY]
Decimal38 = Annotated[int, Kind.DECIMAL]
Json = Annotated[str, Kind.JSON]

DECIMAL_LIMIT = 10**38
"""First magnitude that no longer fits decimal128(38, 0)."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a topic. Every topic has these columns next to its own."""

    timestamp: Time | None = None
    """Server time, ns since 1970 UTC; None if the frame had none (frames are then indexed by receive time)."""
    recv_ns: int
    """Receive time on the local clock, ns since 1970 UTC."""
    conn_epoch: int
    """Ordinal of the connection that brought the row, from 1, per endpoint."""
    n: int
    """Ordinal of the frame in its topic, from 0, never reset; the rows of one frame share it."""
    gap_before: bool = False
    """True if something is missing, or may be, between this row and the one before; see ``feed.gaps``."""
    extra: Json | None = None
    """Fields of the frame that have no column, as JSON text; None if there were none."""

    @property
    def time(self) -> dt.datetime:
        """Server time (receive time where it is missing) as an aware ``datetime``, cut to microseconds."""
        ns = self.recv_ns if self.timestamp is None else self.timestamp
        return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=ns // 1000)


LOCAL_COLUMNS = ("recv_ns", "conn_epoch", "n", "gap_before")
"""Columns that are stamped here; everything else comes from the server."""


class Column(msgspec.Struct, frozen=True):
    """One column of a topic."""

    name: str
    kind: Kind | None
    arrow: pa.DataType
    nullable: bool


_PLAIN: dict[type, pa.DataType] = {int: pa.int64(), float: pa.float64(), str: pa.string(), bool: pa.bool_()}
_SPECIAL: dict[Kind, pa.DataType] = {
    Kind.TIME: pa.timestamp("ns", "UTC"),
    Kind.CATEGORY: pa.dictionary(pa.int32(), pa.string()),
    Kind.DECIMAL: pa.decimal128(38, 0),
    Kind.JSON: pa.string(),
}


def _column(name: str, hint: Any) -> Column:
    nullable = type(None) in typing.get_args(hint)
    base = next((a for a in typing.get_args(hint) if a is not type(None)), hint) if nullable else hint
    marks = getattr(base, "__metadata__", ())
    kind = next((m for m in marks if isinstance(m, Kind)), None)
    plain = typing.get_args(base)[0] if marks else base
    return Column(name, kind, _SPECIAL[kind] if kind else _PLAIN[plain], nullable)


@functools.cache
def columns(record: type[Record]) -> tuple[Column, ...]:
    """Columns of a record type: timestamp, its own fields, ``extra``, then the local columns."""
    hints = typing.get_type_hints(record, include_extras=True)
    own = [f for f in record.__struct_fields__ if f not in Record.__struct_fields__]
    return tuple(_column(name, hints[name]) for name in ("timestamp", *own, "extra", *LOCAL_COLUMNS))


@functools.cache
def arrow_schema(record: type[Record]) -> pa.Schema:
    """Arrow schema of a record type, in the order of :func:`columns`."""
    return pa.schema([pa.field(c.name, c.arrow, c.nullable) for c in columns(record)])
