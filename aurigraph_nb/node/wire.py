"""From an event to the bytes of its frame, in either of the two shapes that the topic streams are documented in.

``server``: what the node's own documents show (times as ISO text, shares as fractions, memory in MB). ``portal``: what
the portal's documents show (times in ms, percent). Both are canonical: the same event gives the same bytes.
``lastBlockTime`` is sent in ms since 1970, ``averageBlockTime`` in ms.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import msgspec

from .events import ConsensusEvent, MetricsEvent, PeerEvent, TopicEvent, TransactionEvent, ValidatorEvent

SHAPES = ("server", "portal")

_MS = 1_000_000


class _Frame(msgspec.Struct, rename="camel", gc=False):
    timestamp: str | int


class ServerMetrics(_Frame, gc=False):
    tps: float
    cpu: float
    memory: float
    connections: int
    error_rate: float


class ServerTransaction(_Frame, gc=False):
    tx_hash: str
    sender: str = msgspec.field(name="from")
    recipient: str = msgspec.field(name="to")
    value: str
    status: str
    gas_used: int


class ServerValidator(_Frame, gc=False):
    validator: str
    status: str
    voting_power: int
    uptime: float
    last_block_proposed: int


class ServerConsensus(_Frame, gc=False):
    leader: str | None
    epoch: int
    round: int
    term: int
    state: str
    performance_score: float
    active_validators: int


class ServerPeer(_Frame, gc=False):
    peer_id: str
    ip: str
    connected: bool
    latency: float
    version: str


class PortalMetrics(_Frame, gc=False):
    current_tps: float = msgspec.field(name="currentTPS")
    cpu_usage: float
    memory_usage: float
    active_connections: int
    error_rate: float


class PortalTransaction(_Frame, gc=False, omit_defaults=True):
    hash: str
    sender: str = msgspec.field(name="from")
    recipient: str = msgspec.field(name="to")
    value: str
    status: str
    gas_price: str
    block_number: int | None = None


class PortalValidator(_Frame, gc=False):
    id: str
    address: str
    name: str
    status: str
    voting_power: int
    uptime: float
    commission_rate: float
    delegators: int
    total_staked: str
    last_block_proposed: int
    last_update: int


class PortalConsensus(_Frame, gc=False):
    current_leader: str | None
    state: str
    epoch: int
    round: int
    term: int
    performance_score: float
    active_validators: int
    total_validators: int
    last_block_time: int
    average_block_time: float
    consensus_health: str


class Location(msgspec.Struct, gc=False):
    country: str
    city: str
    latitude: float
    longitude: float


class PortalPeer(_Frame, gc=False):
    id: str
    address: str
    status: str
    latency: float
    version: str
    location: Location
    uptime: int
    last_seen: int
    inbound_bytes: int
    outbound_bytes: int
    connection_quality: str


class Wire:
    """Writes events in one shape. Not to be shared between threads."""

    def __init__(self, shape: str) -> None:
        self._encode = msgspec.json.Encoder().encode
        self._second = -1
        self._second_text = ""
        self._writers: dict[type, Callable[[Any], Any]] = (
            {
                MetricsEvent: self._server_metrics,
                TransactionEvent: self._server_transaction,
                ValidatorEvent: self._server_validator,
                ConsensusEvent: self._server_consensus,
                PeerEvent: self._server_peer,
            }
            if shape == "server"
            else {
                MetricsEvent: _portal_metrics,
                TransactionEvent: _portal_transaction,
                ValidatorEvent: _portal_validator,
                ConsensusEvent: _portal_consensus,
                PeerEvent: _portal_peer,
            }
        )

    def encode(self, event: TopicEvent) -> bytes:
        """The frame's text, UTF-8."""
        return self._encode(self._writers[type(event)](event))

    def _iso(self, ns: int) -> str:
        """``2026-01-01T00:00:00.123456Z``. The part up to the second is kept from one event to the next."""
        second, rest = divmod(ns, 1_000_000_000)
        if second != self._second:
            self._second = second
            self._second_text = dt.datetime.fromtimestamp(second, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.")
        return f"{self._second_text}{rest // 1000:06d}Z"

    def _server_metrics(self, e: MetricsEvent) -> ServerMetrics:
        return ServerMetrics(self._iso(e.time_ns), e.tps, e.cpu_percent, e.memory_mb, e.connections, e.error_rate)

    def _server_transaction(self, e: TransactionEvent) -> ServerTransaction:
        return ServerTransaction(self._iso(e.time_ns), e.hash, e.sender, e.recipient, e.value, e.status, e.gas_used)

    def _server_validator(self, e: ValidatorEvent) -> ServerValidator:
        return ServerValidator(
            self._iso(e.time_ns), e.id, e.status, e.voting_power, e.uptime_percent, e.last_block_proposed
        )

    def _server_consensus(self, e: ConsensusEvent) -> ServerConsensus:
        return ServerConsensus(
            self._iso(e.time_ns), e.leader, e.epoch, e.round, e.term, e.phase, e.performance, e.active_validators
        )

    def _server_peer(self, e: PeerEvent) -> ServerPeer:
        return ServerPeer(self._iso(e.time_ns), e.peer_id, e.address, e.connected, e.latency_ms, e.version)


def _portal_metrics(e: MetricsEvent) -> PortalMetrics:
    return PortalMetrics(
        e.time_ns // _MS, e.tps, e.cpu_percent, e.memory_percent, e.connections, round(e.error_rate * 100, 4)
    )


def _portal_transaction(e: TransactionEvent) -> PortalTransaction:
    status = "SUCCESS" if e.status == "CONFIRMED" else e.status
    return PortalTransaction(
        e.time_ns // _MS, e.hash, e.sender, e.recipient, e.value, status, e.gas_price, e.block_number
    )


def _portal_validator(e: ValidatorEvent) -> PortalValidator:
    return PortalValidator(
        e.time_ns // _MS,
        e.id,
        e.address,
        e.name,
        e.status,
        e.voting_power,
        e.uptime_percent,
        e.commission_percent,
        e.delegators,
        str(e.total_staked),
        e.last_block_proposed,
        e.time_ns // _MS,
    )


def _portal_consensus(e: ConsensusEvent) -> PortalConsensus:
    return PortalConsensus(
        e.time_ns // _MS,
        e.leader,
        e.role,
        e.epoch,
        e.round,
        e.term,
        round(e.performance * 100, 2),
        e.active_validators,
        e.total_validators,
        e.last_block_ns // _MS,
        e.average_block_ms,
        e.health,
    )


def _portal_peer(e: PeerEvent) -> PortalPeer:
    return PortalPeer(
        e.time_ns // _MS,
        e.peer_id,
        e.address,
        "CONNECTED" if e.connected else "DISCONNECTED",
        e.latency_ms,
        e.version,
        Location(e.country, e.city, e.latitude, e.longitude),
        e.uptime_s,
        e.last_seen_ns // _MS,
        e.inbound_bytes,
        e.outbound_bytes,
        _quality(e.latency_ms),
    )


def _quality(latency_ms: float) -> str:
    if latency_ms < 50:
        return "EXCELLENT"
    if latency_ms < 100:
        return "GOOD"
    return "FAIR" if latency_ms < 150 else "POOR"
