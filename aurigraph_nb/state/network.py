"""The peers of the network as far as they were seen, their sums, their health, and what happened to them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Final, Literal

import msgspec
import pyarrow as pa

from aurigraph_nb.columns import records_to_table
from aurigraph_nb.schema import Peer
from aurigraph_nb.state.events import Event, EventList, Severity, Value, shown, told
from aurigraph_nb.state.keyed import LIMIT, Keyed
from aurigraph_nb.state.view import merge, moved

Health = Literal["HEALTHY", "DEGRADED", "CRITICAL"]

LATENCY_MS: Final = 50
"""A change of a peer's latency by more than this is an event."""
_SLOW_MS: Final = 500


class NetworkEvent(Event, frozen=True, kw_only=True):
    """A peer came or went, or its latency or version changed.

    ``type`` is PEER_CONNECTED, PEER_DISCONNECTED, LATENCY_UPDATE or VERSION_MISMATCH.
    """

    peer_id: str


class NetworkTotals(msgspec.Struct, frozen=True):
    """Counts and sums over the peers that were seen."""

    total: int
    connected: int
    disconnected: int
    """Peers whose status is DISCONNECTED (one that is CONNECTING is neither)."""
    mean_latency_ms: float | None
    """Mean over the connected peers with a known latency; None if there are none."""
    inbound_bytes: int
    """Sum over all peers; unknown counts as 0."""
    outbound_bytes: int


def connections_health(active: int, total: int) -> Health:
    """Health by the share of active connections: below half CRITICAL, below four fifths DEGRADED.

    >>> connections_health(4, 5), connections_health(3, 5), connections_health(2, 5), connections_health(0, 0)
    ('HEALTHY', 'DEGRADED', 'CRITICAL', 'HEALTHY')
    """
    ratio = active / total if total else 1.0
    if ratio < 0.5:
        return "CRITICAL"
    return "DEGRADED" if ratio < 0.8 else "HEALTHY"


def network_health(totals: NetworkTotals) -> Health:
    """Health of the network: as :func:`connections_health`, and DEGRADED when the mean latency is above 500 ms."""
    health = connections_health(totals.connected, totals.total)
    slow = totals.mean_latency_ms is not None and totals.mean_latency_ms > _SLOW_MS
    return "DEGRADED" if slow and health == "HEALTHY" else health


class NetworkState:
    """Every peer that was seen, by id, the newest events, and sums over the peers.

    >>> state = NetworkState()
    >>> state.apply(Peer(recv_ns=1, conn_epoch=1, n=0, peer_id="p1", status="CONNECTED", latency_ms=20.0))
    >>> state.apply(Peer(recv_ns=2, conn_epoch=1, n=1, peer_id="p1", status="DISCONNECTED"))
    >>> [event.message for event in state.events], state.health
    (['p1 disconnected', 'p1 connected'], 'CRITICAL')
    """

    def __init__(self, *, keep: int = 100, limit: int = LIMIT) -> None:
        self._current: Keyed[str, Peer] = Keyed(limit)
        self._events: EventList[NetworkEvent] = EventList(keep)
        self._unkeyed = 0
        self._totals: tuple[int, NetworkTotals] | None = None

    @property
    def current(self) -> Keyed[str, Peer]:
        """The last known row of each peer, by id, in order of first sight."""
        return self._current

    @property
    def events(self) -> EventList[NetworkEvent]:
        """The newest events, newest first (100 unless told otherwise)."""
        return self._events

    def __repr__(self) -> str:
        return f"<NetworkState: {len(self._current):,} peers seen, {told(self._events)}>"

    @property
    def version(self) -> int:
        """Grows with every record and with every change of the events."""
        return self._current.version + self._events.version + self._unkeyed

    @property
    def unkeyed(self) -> int:
        """Records without a peer id; they are in no row."""
        return self._unkeyed

    @property
    def totals(self) -> NetworkTotals:
        """Counts and sums over the peers, of now."""
        if self._totals is None or self._totals[0] != self._current.version:
            self._totals = (self._current.version, _totals(self._current.values()))
        return self._totals[1]

    @property
    def health(self) -> Health:
        """HEALTHY, DEGRADED or CRITICAL; HEALTHY while no peer was seen."""
        return network_health(self.totals)

    def apply(self, record: Peer) -> None:
        """Take the next record."""
        if record.peer_id is None:
            self._unkeyed += 1
            return
        old = self._current.get(record.peer_id)
        new = merge(old, record)
        self._current.upsert(record.peer_id, new)
        for event in _events(record.peer_id, old, new):
            self._events.append(event)

    def table(self) -> pa.Table:
        """The current rows in order of first sight, with the schema of the topic."""
        return records_to_table(Peer, list(self._current.values()))


def _totals(peers: Iterable[Peer]) -> NetworkTotals:
    peers = list(peers)
    connected = [p for p in peers if p.status == "CONNECTED"]
    latencies = [p.latency_ms for p in connected if p.latency_ms is not None and math.isfinite(p.latency_ms)]
    return NetworkTotals(
        total=len(peers),
        connected=len(connected),
        disconnected=sum(p.status == "DISCONNECTED" for p in peers),
        mean_latency_ms=sum(latencies) / len(latencies) if latencies else None,
        inbound_bytes=sum(p.inbound_bytes or 0 for p in peers),
        outbound_bytes=sum(p.outbound_bytes or 0 for p in peers),
    )


def _events(key: str, old: Peer | None, new: Peer) -> Iterator[NetworkEvent]:
    name = shown(key)
    if old is None:
        # The first sight of a peer is told as its arrival; the message says so if it is not connected.
        what = "connected" if new.status == "CONNECTED" else f"first seen, {shown(new.status)}"
        yield _event("PEER_CONNECTED", "info", f"{name} {what}", None, new.status, new, key)
        return
    if old.status != new.status and new.status == "DISCONNECTED":
        yield _event("PEER_DISCONNECTED", "warning", f"{name} disconnected", old.status, new.status, new, key)
    if old.status != new.status and new.status == "CONNECTED":
        yield _event("PEER_CONNECTED", "info", f"{name} connected", old.status, new.status, new, key)
    before, after = old.latency_ms, new.latency_ms
    if before is not None and after is not None and moved(before, after, LATENCY_MS):
        text = f"{name}: latency {shown(before)} → {shown(after)} ms"
        yield _event("LATENCY_UPDATE", "info", text, before, after, new, key)
    if old.version is not None and old.version != new.version:
        text = f"{name}: version {shown(old.version)} → {shown(new.version)}"
        yield _event("VERSION_MISMATCH", "warning", text, old.version, new.version, new, key)


def _event(kind: str, severity: Severity, message: str, old: Value, new: Value, record: Peer, key: str) -> NetworkEvent:
    return NetworkEvent(
        type=kind,
        severity=severity,
        message=message,
        old=old,
        new=new,
        timestamp=record.timestamp,
        recv_ns=record.recv_ns,
        peer_id=key,
    )
