"""The topics that are more than rows: what is known now, what changed, the latest of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from . import frames
from .schema import (
    Consensus,
    EndpointLatency,
    EndpointThroughput,
    InferenceError,
    InferenceRequest,
    Message,
    Metrics,
    ModelMetrics,
    Peer,
    RateLimit,
    Record,
    SystemMetrics,
    Transaction,
    UserSession,
    Validator,
)
from .state import (
    ConsensusState,
    ErrorsState,
    NetworkState,
    RequestsState,
    SessionsState,
    SystemState,
    TransactionsState,
    ValidatorsState,
)
from .topic import Topic

if TYPE_CHECKING:
    import pandas as pd

    from .state.consensus import ConsensusEvent
    from .state.network import NetworkEvent, NetworkTotals
    from .state.validators import ValidatorUpdate

R = TypeVar("R", bound=Record)


class ValidatorsTopic(Topic[Validator]):
    """Validators: the rows, and who is known to be what."""

    state: ValidatorsState

    @property
    def current(self) -> Mapping[str, Validator]:
        """The last known row of each validator seen, by id; what a row left out is kept from the row before."""
        self._touch()
        with self.lock:
            return dict(self.state.current.items())

    def current_table(self) -> pd.DataFrame:
        """:attr:`current` as a DataFrame, one row a validator, index: id."""
        self._touch()
        with self.lock:
            table = self.state.table()
        return frames.to_pandas(table, index=None).set_index("id")

    @property
    def updates(self) -> tuple[ValidatorUpdate, ...]:
        """The last 50 changes of status, voting power, uptime and last block proposed, newest first."""
        self._touch()
        with self.lock:
            return tuple(self.state.updates)


class ConsensusTopic(Topic[Consensus]):
    """Consensus: the rows, the state now and the events."""

    state: ConsensusState

    @property
    def current(self) -> Consensus | None:
        """The newest state, or None before the first."""
        self._touch()
        with self.lock:
            return self.state.current

    @property
    def events(self) -> tuple[ConsensusEvent, ...]:
        """The last 50 leader, state, epoch and performance changes, newest first."""
        self._touch()
        with self.lock:
            return tuple(self.state.events)


class NetworkTopic(Topic[Peer]):
    """Network: the rows, the peers known, their events and the health of the whole."""

    state: NetworkState

    @property
    def current(self) -> Mapping[str, Peer]:
        """The last known row of each peer seen, by peer id."""
        self._touch()
        with self.lock:
            return dict(self.state.current.items())

    def current_table(self) -> pd.DataFrame:
        """:attr:`current` as a DataFrame, one row a peer, index: peer_id."""
        self._touch()
        with self.lock:
            table = self.state.table()
        return frames.to_pandas(table, index=None).set_index("peer_id")

    @property
    def events(self) -> tuple[NetworkEvent, ...]:
        """The last 100 joins, leaves, latency jumps and version changes, newest first."""
        self._touch()
        with self.lock:
            return tuple(self.state.events)

    @property
    def totals(self) -> NetworkTotals:
        """Peers, connected, disconnected, mean latency of the connected (ms), bytes in and out over all."""
        self._touch()
        with self.lock:
            return self.state.totals

    @property
    def health(self) -> str:
        """HEALTHY, DEGRADED or CRITICAL, by the share of connected peers and their mean latency."""
        self._touch()
        with self.lock:
            return self.state.health


class TransactionsTopic(Topic[Transaction]):
    """Transactions: the rows, and the latest ones by hash."""

    state: TransactionsState

    @property
    def recent(self) -> tuple[Transaction, ...]:
        """The last 100 transactions, newest first; a change of status updates a transaction in its place."""
        self._touch()
        with self.lock:
            return tuple(self.state.recent)

    @property
    def total(self) -> int:
        """All rows that ever came; :meth:`clear` does not reset it."""
        self._touch()
        with self.lock:
            return self.state.total

    def clear(self) -> None:
        """Empty :attr:`recent`. The stored rows stay."""
        with self.lock:
            self.state.clear()


class MetricsTopic(Topic[Metrics]):
    """Metrics: load and resources of the node, every second."""


class MessagesTopic(Topic[Message]):
    """Messages with a free payload."""

    def flat(self, **selection: Any) -> pd.DataFrame:
        """The rows with the fields of their payloads as columns, ``a.b`` for what is nested.

        Takes the arguments of :meth:`to_pandas`. A payload that is no object stands in the column ``payload``.
        """
        return frames.flattened(self.to_pandas(**selection))


class SessionsTopic(Topic[UserSession]):
    """Subscriber sessions: the rows, and who is on now."""

    state: SessionsState

    @property
    def current(self) -> Mapping[str, UserSession]:
        """The sessions that are on, by session id."""
        self._touch()
        with self.lock:
            return dict(self.state.current.items())

    def by_time(self) -> list[UserSession]:
        """The sessions that are on, longest first."""
        self._touch()
        with self.lock:
            return self.state.by_time()


class _ThingsTopic(Topic[R]):
    """Rows about things with a key: what is known of each now."""

    @property
    def current(self) -> Mapping[str, R]:
        """The last known row of each, by its key."""
        self._touch()
        with self.lock:
            return dict(self.state.current.items())

    def current_table(self) -> pd.DataFrame:
        """:attr:`current` as a DataFrame, index: the key."""
        self._touch()
        with self.lock:
            table = self.state.table()
        return frames.to_pandas(table, index=None).set_index(self.key)


class ModelsTopic(_ThingsTopic[ModelMetrics]):
    """Totals per model."""


class RateLimitsTopic(_ThingsTopic[RateLimit]):
    """Rate limits per endpoint."""


class ThroughputTopic(_ThingsTopic[EndpointThroughput]):
    """Rates per endpoint."""


class LatencyTopic(_ThingsTopic[EndpointLatency]):
    """Latencies per endpoint."""


class RequestsTopic(Topic[InferenceRequest]):
    """Requests: the rows, and the latest of them."""

    state: RequestsState

    @property
    def recent(self) -> tuple[InferenceRequest, ...]:
        """The last 50 requests, newest first; a request that goes on is updated in its place."""
        self._touch()
        with self.lock:
            return tuple(self.state.recent)

    def filter(self, where: Callable[[InferenceRequest], object] | None = None, **equal: Any) -> list[InferenceRequest]:
        """Of the last 100 requests those that pass ``where`` and whose fields equal ``equal``, newest first."""
        self._touch()
        with self.lock:
            return self.state.filter(where, **equal)

    def clear(self) -> None:
        """Empty :attr:`recent` and what :meth:`filter` looks at. The stored rows stay."""
        with self.lock:
            self.state.clear()


class ErrorsTopic(Topic[InferenceError]):
    """Errors: the rows, the latest of them, and how many of which severity."""

    state: ErrorsState

    @property
    def recent(self) -> tuple[InferenceError, ...]:
        """The last 20 errors, newest first."""
        self._touch()
        with self.lock:
            return tuple(self.state.recent)

    @property
    def counts(self) -> dict[str, int]:
        """How many errors there were of each severity."""
        self._touch()
        with self.lock:
            return self.state.counts

    def filter(self, where: Callable[[InferenceError], object] | None = None, **equal: Any) -> list[InferenceError]:
        """Of the last 50 errors those that pass ``where`` and whose fields equal ``equal``, newest first."""
        self._touch()
        with self.lock:
            return self.state.filter(where, **equal)

    def clear(self) -> None:
        """Empty the lists and the counts. The stored rows stay."""
        with self.lock:
            self.state.clear()


class SystemTopic(Topic[SystemMetrics]):
    """The machine behind the server."""

    state: SystemState

    @property
    def current(self) -> SystemMetrics | None:
        """The newest values, each as last sent."""
        self._touch()
        with self.lock:
            return self.state.current

    @property
    def healthy(self) -> bool | None:
        """CPU and memory below 90 %, GPU below 95 % where there is one, queue below 1,000; None: not known yet."""
        self._touch()
        with self.lock:
            return self.state.healthy


TOPIC_TYPES: Mapping[type[Record], type[Topic[Any]]] = {
    Metrics: MetricsTopic,
    Transaction: TransactionsTopic,
    Validator: ValidatorsTopic,
    Consensus: ConsensusTopic,
    Peer: NetworkTopic,
    Message: MessagesTopic,
    UserSession: SessionsTopic,
    ModelMetrics: ModelsTopic,
    RateLimit: RateLimitsTopic,
    EndpointThroughput: ThroughputTopic,
    EndpointLatency: LatencyTopic,
    InferenceRequest: RequestsTopic,
    InferenceError: ErrorsTopic,
    SystemMetrics: SystemTopic,
}
"""The record types whose topics can do more than any."""
