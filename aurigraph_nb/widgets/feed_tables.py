"""The tables of a feed's own topics: validators, transactions, peers, each with what belongs above it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from aurigraph_nb.schema import Peer, Transaction, Validator
from aurigraph_nb.state import NetworkState, TransactionsState, ValidatorsState, ValidatorUpdate
from aurigraph_nb.state.transactions import NEW_NS

from .base import Message, refuse_unknown
from .cells import Cell, event_words, full, milliseconds, short, text
from .flow import DEFAULT_RATE_HZ
from .retention import checked_keep, keep_events
from .rows import RowChanges, StateRows, TableColumn
from .sources import of_either
from .table_base import BaseTable, row_key

_OWN_CLOCK_NS = 2_000_000_000
"""A feed whose clock is that far from the machine's has one of its own."""


class ValidatorTable(BaseTable):
    """The validators as far as they were seen ("12 of 20 seen"): status, voting power, uptime, last block.

    Below them totals, and a pane that unfolds: the newest updates, of all validators or of those selected. Takes a
    feed, or its validators topic. ``history``: how many updates are kept (0: no pane; the topic keeps that many too, if
    it kept fewer); ``height`` in pixels; ``rate_hz``: most updates a second.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7)
    >>> ag.ValidatorTable(feed)
    ValidatorTable(validators)

    Raises:
        BadOption: ``history`` is out of its bounds.
        BadOptionType: something else was given, or there is no such option.
    """

    def __init__(
        self,
        feed: object,
        *,
        height: int = 320,
        history: int = 50,
        rate_hz: float = DEFAULT_RATE_HZ,
        **unknown: object,
    ) -> None:
        refuse_unknown(type(self), unknown)
        source = of_either(type(self).__name__, feed, "validators", Validator)
        self._history = checked_keep("history", history, least=0)
        self._updates_sent, self._updates_version = 0, -1
        if self._history:
            keep_events(source.topic.state.updates, self._history, source.topic.lock)
        rows = StateRows(lambda: self._state.current, source.topic.lock)
        more = {"history": self._history} if self._history else None
        self._build(source, rows, _VALIDATOR_COLUMNS, title="Validators", height=height, rate_hz=rate_hz, more=more)

    @property
    def _state(self) -> ValidatorsState:
        state: ValidatorsState = self._source.topic.state
        return state

    def _caption(self) -> dict[str, Any]:
        seen, expected = self._state.seen, self._state.expected
        if not seen:
            return {}
        return {"text": f"{seen} seen" if expected is None or expected < seen else f"{seen} of {expected} seen"}

    def _news(self, now: float) -> bool:
        return super()._news(now) or (self._history > 0 and self._state.updates.version != self._updates_version)

    def _message(self, changes: RowChanges, *, everything: bool = False) -> Message:
        message = super()._message(changes, everything=everything)
        with self._source.topic.lock:
            message.body["totals"] = _totals(self._state.current.values())
            if self._history:
                self._add_updates(message.body, everything)
        return message

    def _add_updates(self, body: dict[str, Any], everything: bool) -> None:
        updates = self._state.updates
        anew = everything or not updates
        fresh = updates.since(0 if anew else self._updates_sent)[-self._history :]
        self._updates_sent, self._updates_version = updates.total, updates.version
        first = updates.total - len(fresh)
        if anew:
            body["history_reset"] = True
        if fresh:
            body["history"] = [_update(first + i, update) for i, update in enumerate(fresh)]


def _update(number: int, update: ValidatorUpdate) -> list[Cell]:
    """An update as the pane gets it: number, key, time in ms, severity, words."""
    at_ns = update.recv_ns if update.timestamp is None else update.timestamp
    return [number, row_key(update.validator), milliseconds(at_ns), update.severity, text(event_words(update))]


def _totals(validators: Iterable[Validator]) -> list[list[str]]:
    """Figures over all validators: word, figure, and what the tooltip says."""
    rows = list(validators)
    states = Counter(row.status for row in rows if row.status is not None)
    told = [[text(status.capitalize(), 24), f"{count:,}", "validators"] for status, count in states.most_common(5)]
    for label, field in (("Voting power", "voting_power"), ("Stake", "total_staked")):
        values = [value for row in rows if (value := getattr(row, field)) is not None]
        if values:
            told.append([label, short(sum(values)), f"{full(sum(values))}, {len(values):,} validators"])
    return told


class TransactionList(BaseTable):
    """The newest transactions, newest first; new ones are marked for five seconds on the clock of the feed.

    With a total, a button that clears the list (as ``feed.transactions.clear()`` does: the stored rows and the total
    stay), one that pauses it, and the whole row on demand. Takes a feed, or its topic. ``height`` in pixels;
    ``rate_hz``: most updates a second. The total counts every frame.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7)
    >>> ag.TransactionList(feed)
    TransactionList(transactions)

    Raises:
        BadOptionType: something else was given, or there is no such option.
    """

    def __init__(self, feed: object, *, height: int = 320, rate_hz: float = DEFAULT_RATE_HZ, **unknown: object) -> None:
        refuse_unknown(type(self), unknown)
        source = of_either(type(self).__name__, feed, "transactions", Transaction)
        self._new_until: dict[str | int, int] = {}  # on the clock of the feed, in ns
        self._build(
            source,
            StateRows(lambda: self._state.current, source.topic.lock),
            _TRANSACTION_COLUMNS,
            title="Transactions",
            height=height,
            rate_hz=rate_hz,
            newest_first=True,
            keep=source.topic.state.current.limit,
            more={"clear": "Clear the list of transactions"},
        )

    @property
    def _state(self) -> TransactionsState:
        state: TransactionsState = self._source.topic.state
        return state

    def _caption(self) -> dict[str, Any]:
        total = self._state.total
        return {"text": f"{total:,} in total"} if total else {}

    def _now_ns(self) -> int:
        feed = self._source.feed
        return time.time_ns() if feed is None else feed.now_ns()

    def _news(self, now: float) -> bool:
        return super()._news(now) or self._oldest_is_over()

    def _oldest_is_over(self) -> bool:
        return bool(self._new_until) and next(iter(self._new_until.values())) <= self._now_ns()

    def _message(self, changes: RowChanges, *, everything: bool = False) -> Message:
        message = super()._message(changes, everything=everything)
        if abs(self._now_ns() - time.time_ns()) > _OWN_CLOCK_NS:
            # The browser cannot tell when the feed's five seconds are over, so it is told.
            message.body["hold"] = True
        return message

    def _fresh(self, changes: RowChanges) -> list[list[Cell]]:
        now_ns = self._now_ns()
        if changes.reset:
            self._new_until.clear()
        over = [key for key, until in self._new_until.items() if until <= now_ns]
        for key in over:
            del self._new_until[key]
        if self._run.over:
            return [[key, 0] for key in over]  # the clock stands, and nothing was new for ever
        with self._source.topic.lock:
            rows = [row for row in changes.changed if self._state.is_new(row[1], now_ns)]
            new = {row_key(key): self._state.arrived_ns(row) + NEW_NS for key, row in rows}
        self._new_until |= new
        while len(self._new_until) > self._keep:
            del self._new_until[next(iter(self._new_until))]
        fresh: list[list[Cell]] = [[key, 0] for key in over]
        return fresh + [[key, round((until - now_ns) / 1e6)] for key, until in new.items()]


class PeerTable(BaseTable):
    """The peers with latency, quality, version and place, and how many of them are connected.

    Takes a feed, or its network topic. ``height`` in pixels; ``rate_hz``: most updates a second.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7)
    >>> ag.PeerTable(feed)
    PeerTable(network)

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
    _col("status", "Status", "badge", width=19),
    _col("voting_power", "Voting power", "number", width=14),
    _col("uptime_percent", "Uptime", "number", unit="%", digits=2, width=14),
    _col("last_block_proposed", "Last block", "number", width=13),
    _col("commission_percent", "Commission", "number", unit="%", digits=2, width=19, optional=True),
    _col("delegators", "Delegators", "number", width=12, optional=True),
    _col("total_staked", "Stake", "number", width=22, optional=True),
    _col("address", "Address", "mono", width=18, optional=True),
)
_TRANSACTION_COLUMNS = (
    _col("timestamp", "Time", "time", unit="UTC", digits=0, width=16),
    _col("hash", "Hash", "mono", width=15),
    _col("status", "Status", "badge", width=19),
    _col("value_text", "Value", "number", width=36),
    _col("sender", "From", "mono", width=15),
    _col("recipient", "To", "mono", width=15),
    _col("gas_used", "Gas", "number", width=15, optional=True),
    _col("gas_price", "Gas price", "number", width=13, optional=True),
    _col("block_number", "Block", "number", width=11, optional=True),
)
_PEER_COLUMNS = (
    _col("peer_id", "Peer", "mono", width=20),
    _col("status", "Status", "badge", width=22),
    _col("latency_ms", "Latency", "number", unit="ms", digits=1, width=13),
    _col("connection_quality", "Quality", "badge", width=18),
    _col("address", "Address", "mono", width=16),
    _col("city", "City", width=12, optional=True),
    _col("country", "Country", width=11, optional=True),
    _col("version", "Version", "mono", width=10),
    _col("uptime_s", "Uptime", "number", unit="h", scale=1 / 3600, digits=1, width=11, optional=True),
    _col("inbound_bytes", "In", "number", unit="MB", scale=1e-6, digits=2, width=11, optional=True),
    _col("outbound_bytes", "Out", "number", unit="MB", scale=1e-6, digits=2, width=11, optional=True),
    _col("last_seen", "Last seen", "time", unit="UTC", width=16, optional=True),
)
