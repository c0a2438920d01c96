"""What the records mean together: who is there now, what happened to them, and how healthy the whole is.

Everything here is pure: no clock, no lock, no I/O. The same classes serve live feeds, replays and recordings.
"""

from __future__ import annotations

from typing import Any

from aurigraph_nb.schema import (
    Consensus,
    EndpointLatency,
    EndpointThroughput,
    InferenceError,
    InferenceRequest,
    ModelMetrics,
    Peer,
    RateLimit,
    Record,
    SystemMetrics,
    Transaction,
    UserSession,
    Validator,
)
from aurigraph_nb.state.consensus import ConsensusEvent, ConsensusState
from aurigraph_nb.state.events import Event, EventList
from aurigraph_nb.state.inference import (
    SEVERITIES,
    EndpointsState,
    ErrorsState,
    LatencyState,
    ModelsState,
    RateLimitsState,
    RequestsState,
    SystemLimits,
    SystemState,
    ThroughputState,
)
from aurigraph_nb.state.keyed import Changes, Keyed
from aurigraph_nb.state.network import NetworkEvent, NetworkState, NetworkTotals, connections_health, network_health
from aurigraph_nb.state.rows import Latest, Things
from aurigraph_nb.state.sessions import SessionsState
from aurigraph_nb.state.sums import Aggregates, aggregates
from aurigraph_nb.state.transactions import TransactionsState
from aurigraph_nb.state.validators import ValidatorsState, ValidatorUpdate
from aurigraph_nb.state.view import View, merge

VIEWS: dict[type[Record], type[View[Any]]] = {
    Transaction: TransactionsState,
    Validator: ValidatorsState,
    Consensus: ConsensusState,
    Peer: NetworkState,
    UserSession: SessionsState,
    ModelMetrics: ModelsState,
    RateLimit: RateLimitsState,
    EndpointThroughput: ThroughputState,
    EndpointLatency: LatencyState,
    InferenceRequest: RequestsState,
    InferenceError: ErrorsState,
    SystemMetrics: SystemState,
}
"""The state that belongs to a topic, by its record type; a topic that is not here has none."""

__all__ = [
    "SEVERITIES",
    "VIEWS",
    "Aggregates",
    "Changes",
    "ConsensusEvent",
    "ConsensusState",
    "EndpointsState",
    "ErrorsState",
    "Event",
    "EventList",
    "Keyed",
    "LatencyState",
    "Latest",
    "ModelsState",
    "NetworkEvent",
    "NetworkState",
    "NetworkTotals",
    "RateLimitsState",
    "RequestsState",
    "SessionsState",
    "SystemLimits",
    "SystemState",
    "Things",
    "ThroughputState",
    "TransactionsState",
    "ValidatorUpdate",
    "ValidatorsState",
    "View",
    "aggregates",
    "connections_health",
    "merge",
    "network_health",
]
