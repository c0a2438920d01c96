"""What happens on the modelled network, before anybody decides how to write it down.

One type a topic; :mod:`.wire` gives them the field names of a shape. Units are in the names; ``time_ns`` is the
network's time, ns since 1970 UTC, in whole microseconds.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias

import msgspec


class MetricsEvent(msgspec.Struct, gc=False):
    """Load and resources of the node."""

    topic: ClassVar[str] = "metrics"
    time_ns: int
    tps: float
    cpu_percent: float
    memory_mb: float
    memory_percent: float
    connections: int
    error_rate: float
    """Failed share of requests, 0-1."""


class TransactionEvent(msgspec.Struct, gc=False):
    """A transaction was submitted (PENDING) or settled (CONFIRMED, FAILED)."""

    topic: ClassVar[str] = "transactions"
    time_ns: int
    hash: str
    sender: str
    recipient: str
    value: str
    """Decimal digits, base units (10^18 of them make a token)."""
    status: str
    gas_used: int
    gas_price: str
    block_number: int | None


class ValidatorEvent(msgspec.Struct, gc=False):
    """Something about a validator changed."""

    topic: ClassVar[str] = "validators"
    time_ns: int
    id: str
    address: str
    name: str
    status: str
    """ACTIVE, INACTIVE or JAILED."""
    voting_power: int
    """Tokens at stake; 0 while jailed."""
    uptime_percent: float
    commission_percent: float
    last_block_proposed: int
    delegators: int
    total_staked: int
    """Base units."""


class ConsensusEvent(msgspec.Struct, gc=False):
    """The consensus entered another phase."""

    topic: ClassVar[str] = "consensus"
    time_ns: int
    leader: str | None
    """None while a round has lost its leader."""
    phase: str
    """PROPOSING, VOTING, COMMITTED or FAILED."""
    role: str
    """What this node is at that moment: LEADER, FOLLOWER, CANDIDATE or OBSERVER."""
    epoch: int
    round: int
    term: int
    performance: float
    """0-1."""
    active_validators: int
    total_validators: int
    last_block_ns: int
    average_block_ms: float
    health: str
    """OPTIMAL, DEGRADED or CRITICAL."""


class PeerEvent(msgspec.Struct, gc=False):
    """Something about a peer changed."""

    topic: ClassVar[str] = "network"
    time_ns: int
    peer_id: str
    address: str
    connected: bool
    latency_ms: float
    version: str
    country: str
    city: str
    latitude: float
    longitude: float
    uptime_s: int
    last_seen_ns: int
    inbound_bytes: int
    outbound_bytes: int


class ServingEvent(msgspec.Struct, gc=False):
    """Not a frame: the node itself stops (``up`` False) or resumes serving."""

    topic: ClassVar[str] = ""
    time_ns: int
    up: bool


TopicEvent: TypeAlias = MetricsEvent | TransactionEvent | ValidatorEvent | ConsensusEvent | PeerEvent
Event: TypeAlias = TopicEvent | ServingEvent

TOPICS = ("metrics", "transactions", "validators", "consensus", "network")
"""The five topics, in the order in which they are always listed."""

SYSTEMS = ("live", "channels", "fakeai")
"""The other systems that a node speaks, each over one connection."""
STREAMS = TOPICS + SYSTEMS
"""Everything that a client can open a connection to."""
