"""Rows of the Aurigraph topic streams."""

from __future__ import annotations

from .base import Category, Decimal38, Record, Time


class Metrics(Record, frozen=True, kw_only=True):
    """Load and resources of a node; every second.

    >>> import aurigraph_nb as ag
    >>> row = ag.sample(duration="1min", seed=7).metrics.latest
    >>> isinstance(row, ag.Metrics), row.tps > 0
    (True, True)
    """

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
    """One transaction, sent at each change of its status.

    >>> import aurigraph_nb as ag
    >>> row = ag.sample(duration="1min", seed=7).transactions.latest
    >>> isinstance(row, ag.Transaction), row.status in ("PENDING", "CONFIRMED", "FAILED")
    (True, True)
    """

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
    """One validator as announced; sent when something about it changes.

    >>> import aurigraph_nb as ag
    >>> row = ag.sample(duration="1min", seed=7).validators.latest
    >>> isinstance(row, ag.Validator), row.voting_power > 0
    (True, True)
    """

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
    """State of the consensus; sent when it changes.

    >>> import aurigraph_nb as ag
    >>> row = ag.sample(duration="1min", seed=7).consensus.latest
    >>> isinstance(row, ag.Consensus), row.round > 0
    (True, True)
    """

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
    """One peer of the network; sent when something about it changes.

    >>> import aurigraph_nb as ag
    >>> row = ag.sample(duration="1min", seed=7).network.latest
    >>> isinstance(row, ag.Peer), row.latency_ms > 0
    (True, True)
    """

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
