"""What the records mean together: the validators now, the consensus and its events, the network and its health.

Everything here is pure: no clock, no lock, no I/O. The same classes serve live feeds, replays and recordings.
"""

from __future__ import annotations

from typing import Any

from aurigraph_nb.schema import Consensus, Peer, Record, Transaction, Validator
from aurigraph_nb.state.consensus import ConsensusEvent, ConsensusState
from aurigraph_nb.state.events import Event, EventList
from aurigraph_nb.state.keyed import Changes, Keyed
from aurigraph_nb.state.network import NetworkEvent, NetworkState, NetworkTotals, connections_health, network_health
from aurigraph_nb.state.transactions import TransactionsState
from aurigraph_nb.state.validators import ValidatorsState, ValidatorUpdate
from aurigraph_nb.state.view import View, merge

VIEWS: dict[type[Record], type[View[Any]]] = {
    Transaction: TransactionsState,
    Validator: ValidatorsState,
    Consensus: ConsensusState,
    Peer: NetworkState,
}
"""The state that belongs to a topic, by its record type; a topic that is not here has none."""

__all__ = [
    "VIEWS",
    "Changes",
    "ConsensusEvent",
    "ConsensusState",
    "Event",
    "EventList",
    "Keyed",
    "NetworkEvent",
    "NetworkState",
    "NetworkTotals",
    "TransactionsState",
    "ValidatorUpdate",
    "ValidatorsState",
    "View",
    "connections_health",
    "merge",
    "network_health",
]
