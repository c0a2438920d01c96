"""What a row is: one frozen record type a topic, and the Arrow schema that follows from it.

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


class Metrics(Record, frozen=True, kw_only=True):
    """Load and resources of a node; every second."""

    tps: float | None = None
    """Transactions per second."""
    cpu_percent: float | None = None
    """CPU, percent as sent (servers send values below 0 and above 100)."""
    memory_mb: float | None = None
    """Memory in megabytes (server shape)."""
    memory_percent: float | None = None
    """Memory in percent (portal shape)."""
    connections: int | None = None
    """Open client connections of the node."""
    error_rate: float | None = None
    """Failed share of requests, as a fraction (0-1)."""


class Transaction(Record, frozen=True, kw_only=True):
    """One transaction, sent at each change of its status."""

    hash: str | None = None
    sender: str | None = None
    recipient: str | None = None
    value: Decimal38 | None = None
    """Amount as an exact integer in ``value_unit``; None where it is no integer of at most 38 digits."""
    value_text: str | None = None
    """Amount exactly as sent."""
    value_unit: Category | None = None
    """``base`` (server shape: base units), ``as-sent`` (portal shape: scale unproven), None if the shape is unclear."""
    status: Category | None = None
    """PENDING, CONFIRMED or FAILED; the portal's SUCCESS reads CONFIRMED. Other words are kept, in upper case."""
    gas_used: int | None = None
    gas_price: str | None = None
    """Price of a unit of gas, exactly as sent."""
    fee: str | None = None
    """Fee, exactly as sent."""
    block_number: int | None = None


class Validator(Record, frozen=True, kw_only=True):
    """One validator as announced; sent when something about it changes."""

    id: Category | None = None
    address: str | None = None
    name: str | None = None
    status: Category | None = None
    """ACTIVE, INACTIVE, JAILED, UNBONDING, STANDBY, SYNCING, OFFLINE or another word, in upper case."""
    voting_power: float | None = None
    uptime_percent: float | None = None
    commission_percent: float | None = None
    last_block_proposed: int | None = None
    """Height of the last block that it proposed."""
    delegators: int | None = None
    total_staked: Decimal38 | None = None
    """Stake as an exact integer, as sent; what does not fit stands in ``extra``."""
    last_update: Time | None = None


class Consensus(Record, frozen=True, kw_only=True):
    """State of the consensus; sent when it changes."""

    leader: Category | None = None
    state: Category | None = None
    """Phase (COMMITTED, PROPOSING, …) or role (LEADER, FOLLOWER, …), in upper case."""
    epoch: int | None = None
    """The chain's epoch. (The ordinal of the connection is ``conn_epoch``.)"""
    round: int | None = None
    term: int | None = None
    performance_percent: float | None = None
    """Performance score on the 0-100 scale."""
    active_validators: int | None = None
    total_validators: int | None = None
    last_block_time: float | None = None
    """As sent; no source states whether it is a time or a duration."""
    average_block_time: float | None = None
    """As sent; no source states its unit."""
    health: Category | None = None
    """OPTIMAL, DEGRADED, CRITICAL, HEALTHY, ELECTING, UNHEALTHY, as sent, in upper case."""


class Peer(Record, frozen=True, kw_only=True):
    """One peer of the network; sent when something about it changes."""

    peer_id: Category | None = None
    address: str | None = None
    status: Category | None = None
    """CONNECTED, DISCONNECTED, CONNECTING."""
    latency_ms: float | None = None
    version: Category | None = None
    country: Category | None = None
    city: Category | None = None
    latitude: float | None = None
    """Degrees north."""
    longitude: float | None = None
    """Degrees east."""
    uptime_s: float | None = None
    last_seen: Time | None = None
    inbound_bytes: int | None = None
    outbound_bytes: int | None = None
    connection_quality: Category | None = None
    """EXCELLENT, GOOD, FAIR or POOR: as sent, else from the latency (<50, <100, <150 ms, above)."""


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
