"""The tables of a feed's own topics: validators, transactions, peers, each with what belongs above it."""

from __future__ import annotations

import time
from typing import Any

from aurigraph_nb.schema import Peer, Transaction, Validator
from aurigraph_nb.state import NetworkState, TransactionsState, ValidatorsState
from aurigraph_nb.state.transactions import NEW_NS

from .base import refuse_unknown
from .cells import Cell
from .flow import DEFAULT_RATE_HZ
from .rows import RowChanges, StateRows, TableColumn
from .sources import of_either
from .tables import BaseTable, row_key


class ValidatorTable(BaseTable):
    """The validators as far as they were seen ("12 of 20 seen"): status, voting power, uptime, last block.

    Takes a feed, or its validators topic. ``height`` in pixels; ``rate_hz``: most updates a second.

    Raises:
        BadOptionType: something else was given, or there is no such option.
    """

    def __init__(self, feed: object, *, height: int = 320, rate_hz: float = DEFAULT_RATE_HZ, **unknown: object) -> None:
        refuse_unknown(type(self), unknown)
        source = of_either(type(self).__name__, feed, "validators", Validator)
        rows = StateRows(lambda: self._state.current, source.topic.lock)
        self._build(source, rows, _VALIDATOR_COLUMNS, title="Validators", height=height, rate_hz=rate_hz)

    @property
    def _state(self) -> ValidatorsState:
        state: ValidatorsState = self._source.topic.state
        return state

    def _caption(self) -> dict[str, Any]:
        seen, expected = self._state.seen, self._state.expected
        if not seen:
            return {}
        return {"text": f"{seen} seen" if expected is None or expected < seen else f"{seen} of {expected} seen"}


class TransactionList(BaseTable):
    """The newest transactions, newest first; new ones are marked for five seconds. Takes a feed, or its topic.

    ``height`` in pixels; ``rate_hz``: most updates a second. The total counts every frame.

    Raises:
        BadOptionType: something else was given, or there is no such option.
    """

    def __init__(self, feed: object, *, height: int = 320, rate_hz: float = DEFAULT_RATE_HZ, **unknown: object) -> None:
        refuse_unknown(type(self), unknown)
        source = of_either(type(self).__name__, feed, "transactions", Transaction)
        rows = StateRows(lambda: self._state.current, source.topic.lock)
        self._build(
            source,
            rows,
            _TRANSACTION_COLUMNS,
            title="Transactions",
            height=height,
            rate_hz=rate_hz,
            newest_first=True,
            keep=source.topic.state.current.limit,
        )

    @property
    def _state(self) -> TransactionsState:
        state: TransactionsState = self._source.topic.state
        return state

    def _caption(self) -> dict[str, Any]:
        total = self._state.total
        return {"text": f"{total:,} in total"} if total else {}

    def _fresh(self, changes: RowChanges) -> list[list[Cell]]:
        feed = self._source.feed
        now_ns = time.time_ns() if feed is None else feed.now_ns()
        with self._source.topic.lock:
            rows = [row for row in changes.changed if self._state.is_new(row[1], now_ns)]
            new = [(key, self._state.arrived_ns(row)) for key, row in rows]
        return [[row_key(key), round((arrived_ns + NEW_NS - now_ns) / 1e6)] for key, arrived_ns in new]


class PeerTable(BaseTable):
    """The peers with latency, quality, version and place, and how many of them are connected.

    Takes a feed, or its network topic. ``height`` in pixels; ``rate_hz``: most updates a second.

    Raises:
        BadOptionType: something else was given, or there is no such option.
    """

    def __init__(self, feed: object, *, height: int = 320, rate_hz: float = DEFAULT_RATE_HZ, **unknown: object) -> None:
        refuse_unknown(type(self), unknown)
        source = of_either(type(self).__name__, feed, "network", Peer)
        rows = StateRows(lambda: self._state.current, source.topic.lock)
        self._build(source, rows, _PEER_COLUMNS, title="Peers", height=height, rate_hz=rate_hz)

    @property
    def _state(self) -> NetworkState:
        state: NetworkState = self._source.topic.state
        return state

    def _caption(self) -> dict[str, Any]:
        with self._source.topic.lock:
            totals, health = self._state.totals, self._state.health
        if not totals.total:
            return {}
        latency = totals.mean_latency_ms
        return {
            "text": f"{totals.connected} of {totals.total} connected",
            "hint": "" if latency is None else f"{latency:.1f} ms latency on average",
            "badge": health,
            "bar": totals.connected / totals.total,
        }


def _col(field: str, label: str, kind: Any = "text", **more: Any) -> TableColumn:
    return TableColumn(field=field, label=label, kind=kind, **more)


_VALIDATOR_COLUMNS = (
    _col("id", "Validator", "mono", width=16),
    _col("name", "Name", width=14, optional=True),
    _col("status", "Status", "badge", width=16),
    _col("voting_power", "Voting power", "number", width=14),
    _col("uptime_percent", "Uptime", "number", unit="%", digits=2, width=14),
    _col("last_block_proposed", "Last block", "number", width=13),
    _col("commission_percent", "Commission", "number", unit="%", digits=2, width=19, optional=True),
    _col("delegators", "Delegators", "number", width=12, optional=True),
    _col("total_staked", "Stake", "number", width=22, optional=True),
    _col("address", "Address", "mono", width=18, optional=True),
)
_TRANSACTION_COLUMNS = (
    _col("timestamp", "Time", "time", unit="UTC", digits=0, width=17),
    _col("hash", "Hash", "mono", width=15),
    _col("status", "Status", "badge", width=17),
    _col("value_text", "Value", "number", width=20),
    _col("sender", "From", "mono", width=15),
    _col("recipient", "To", "mono", width=15),
    _col("gas_used", "Gas", "number", width=10, optional=True),
    _col("gas_price", "Gas price", "number", width=13, optional=True),
    _col("block_number", "Block", "number", width=11, optional=True),
)
_PEER_COLUMNS = (
    _col("peer_id", "Peer", "mono", width=20),
    _col("status", "Status", "badge", width=18),
    _col("latency_ms", "Latency", "number", unit="ms", digits=1, width=13),
    _col("connection_quality", "Quality", "badge", width=16),
    _col("address", "Address", "mono", width=16),
    _col("city", "City", width=12, optional=True),
    _col("country", "Country", width=11, optional=True),
    _col("version", "Version", "mono", width=10),
    _col("uptime_s", "Uptime", "number", unit="h", scale=1 / 3600, digits=1, width=11, optional=True),
    _col("inbound_bytes", "In", "number", unit="MB", scale=1e-6, digits=2, width=11, optional=True),
    _col("outbound_bytes", "Out", "number", unit="MB", scale=1e-6, digits=2, width=11, optional=True),
    _col("last_seen", "Last seen", "time", unit="UTC", width=16, optional=True),
)
