"""A type for the recordings of each system: its topics as attributes, for people, editors and type checkers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from ..feeds import ChannelsFeed, FakeaiFeed, LiveFeed, PortalFeed
from ..schema import (
    Bandwidth,
    Block,
    Cost,
    InferenceMetrics,
    KvCache,
    LiveMetrics,
    NetworkSummary,
    Queue,
    Streaming,
    ValidatorSummary,
)
from .recording import Recording
from .topics import (
    Recorded,
    RecordedConsensus,
    RecordedErrors,
    RecordedLatency,
    RecordedMessages,
    RecordedMetrics,
    RecordedModels,
    RecordedNetwork,
    RecordedRateLimits,
    RecordedRequests,
    RecordedSessions,
    RecordedSystem,
    RecordedThroughput,
    RecordedTransactions,
    RecordedValidators,
)


class PortalRecording(Recording, PortalFeed):
    """A recording of this system; its topics can do what :class:`~aurigraph_nb.reading.topics.Recorded` can."""

    @property
    def metrics(self) -> RecordedMetrics:
        """TPS, CPU, memory, connections, error rate; every second."""
        return cast("RecordedMetrics", self._topics["metrics"])

    @property
    def transactions(self) -> RecordedTransactions:
        """Transactions, at each change of status."""
        return cast("RecordedTransactions", self._topics["transactions"])

    @property
    def validators(self) -> RecordedValidators:
        """Validators, at each change."""
        return cast("RecordedValidators", self._topics["validators"])

    @property
    def consensus(self) -> RecordedConsensus:
        """Leader, phase, epoch, round, term and performance, at each change."""
        return cast("RecordedConsensus", self._topics["consensus"])

    @property
    def network(self) -> RecordedNetwork:
        """Peers, at each change."""
        return cast("RecordedNetwork", self._topics["network"])


class LiveRecording(Recording, LiveFeed):
    """A recording of this system; its topics can do what :class:`~aurigraph_nb.reading.topics.Recorded` can."""

    @property
    def metrics(self) -> Recorded[LiveMetrics]:
        """TPS now, peak, average, target, and latency; every second."""
        return cast("Recorded[LiveMetrics]", self._topics["metrics"])

    @property
    def blocks(self) -> Recorded[Block]:
        """The newest block; every two seconds."""
        return cast("Recorded[Block]", self._topics["blocks"])

    @property
    def network_status(self) -> Recorded[NetworkSummary]:
        """Nodes, health, latency; every three seconds."""
        return cast("Recorded[NetworkSummary]", self._topics["network_status"])

    @property
    def validator_summary(self) -> Recorded[ValidatorSummary]:
        """How many validators are in which state; every five seconds."""
        return cast("Recorded[ValidatorSummary]", self._topics["validator_summary"])


class ChannelsRecording(Recording, ChannelsFeed):
    """A recording of this system; its topics can do what :class:`~aurigraph_nb.reading.topics.Recorded` can."""

    @property
    def bandwidth(self) -> Recorded[Bandwidth]:
        """Upload, download, latency; every two seconds."""
        return cast("Recorded[Bandwidth]", self._topics["bandwidth"])

    @property
    def sessions(self) -> RecordedSessions:
        """Subscriber sessions, at each change."""
        return cast("RecordedSessions", self._topics["sessions"])

    @property
    def subscribers(self) -> RecordedMessages:
        """Subscriber updates; free payloads."""
        return cast("RecordedMessages", self._topics["subscribers"])

    @property
    def tickets(self) -> RecordedMessages:
        """Ticket updates; free payloads."""
        return cast("RecordedMessages", self._topics["tickets"])

    @property
    def invoices(self) -> RecordedMessages:
        """Invoice updates; free payloads."""
        return cast("RecordedMessages", self._topics["invoices"])

    @property
    def network_status(self) -> RecordedMessages:
        """Network status; free payloads."""
        return cast("RecordedMessages", self._topics["network_status"])


class FakeaiRecording(Recording, FakeaiFeed):
    """A recording of this system; its topics can do what :class:`~aurigraph_nb.reading.topics.Recorded` can."""

    @property
    def metrics(self) -> Recorded[InferenceMetrics]:
        """Totals and rates over all endpoints and models; every second."""
        return cast("Recorded[InferenceMetrics]", self._topics["metrics"])

    @property
    def models(self) -> RecordedModels:
        """Totals per model."""
        return cast("RecordedModels", self._topics["models"])

    @property
    def requests(self) -> RecordedRequests:
        """Requests, one by one."""
        return cast("RecordedRequests", self._topics["requests"])

    @property
    def errors(self) -> RecordedErrors:
        """Errors, one by one."""
        return cast("RecordedErrors", self._topics["errors"])

    @property
    def system(self) -> RecordedSystem:
        """The machine behind the server."""
        return cast("RecordedSystem", self._topics["system"])

    @property
    def rate_limits(self) -> RecordedRateLimits:
        """Rate limits per endpoint."""
        return cast("RecordedRateLimits", self._topics["rate_limits"])

    @property
    def costs(self) -> Recorded[Cost]:
        """Costs over periods."""
        return cast("Recorded[Cost]", self._topics["costs"])

    @property
    def kv_cache(self) -> Recorded[KvCache]:
        """The key-value cache."""
        return cast("Recorded[KvCache]", self._topics["kv_cache"])

    @property
    def throughput(self) -> RecordedThroughput:
        """Rates per endpoint (real servers)."""
        return cast("RecordedThroughput", self._topics["throughput"])

    @property
    def latency(self) -> RecordedLatency:
        """Latencies per endpoint (real servers)."""
        return cast("RecordedLatency", self._topics["latency"])

    @property
    def queue(self) -> Recorded[Queue]:
        """What waits (real servers)."""
        return cast("Recorded[Queue]", self._topics["queue"])

    @property
    def streaming(self) -> Recorded[Streaming]:
        """Streams so far (real servers)."""
        return cast("Recorded[Streaming]", self._topics["streaming"])


RECORDING_TYPES: Mapping[str, type[Recording]] = {
    "portal": PortalRecording,
    "live": LiveRecording,
    "channels": ChannelsRecording,
    "fakeai": FakeaiRecording,
}
