"""A feed type for each system: its fixed topics as attributes, for people, editors and type checkers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from .feed import Feed
from .schema import (
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
from .topic import Topic
from .topics import (
    ConsensusTopic,
    ErrorsTopic,
    LatencyTopic,
    MessagesTopic,
    MetricsTopic,
    ModelsTopic,
    NetworkTopic,
    RateLimitsTopic,
    RequestsTopic,
    SessionsTopic,
    SystemTopic,
    ThroughputTopic,
    TransactionsTopic,
    ValidatorsTopic,
)


class PortalFeed(Feed):
    """The Aurigraph topic streams: metrics, transactions, validators, consensus, network.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7, start="2026-01-01", duration="10s")
    >>> feed.join(timeout=30)
    >>> feed.topics
    ('metrics', 'transactions', 'validators', 'consensus', 'network')
    """

    @property
    def metrics(self) -> MetricsTopic:
        """TPS, CPU, memory, connections, error rate; every second."""
        return cast("MetricsTopic", self._topics["metrics"])

    @property
    def transactions(self) -> TransactionsTopic:
        """Transactions, at each change of status."""
        return cast("TransactionsTopic", self._topics["transactions"])

    @property
    def validators(self) -> ValidatorsTopic:
        """Validators, at each change."""
        return cast("ValidatorsTopic", self._topics["validators"])

    @property
    def consensus(self) -> ConsensusTopic:
        """Leader, phase, epoch, round, term and performance, at each change."""
        return cast("ConsensusTopic", self._topics["consensus"])

    @property
    def network(self) -> NetworkTopic:
        """Peers, at each change."""
        return cast("NetworkTopic", self._topics["network"])


class LiveFeed(Feed):
    """The Aurigraph live stream: metrics, blocks, network_status, validator_summary.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(protocol="live", seed=7, start="2026-01-01", duration="10s")
    >>> feed.join(timeout=30)
    >>> feed.blocks.latest.height > 0
    True
    """

    @property
    def metrics(self) -> Topic[LiveMetrics]:
        """TPS now, peak, average, target, and latency; every second."""
        return self._topics["metrics"]

    @property
    def blocks(self) -> Topic[Block]:
        """The newest block; every two seconds."""
        return self._topics["blocks"]

    @property
    def network_status(self) -> Topic[NetworkSummary]:
        """Nodes, health, latency; every three seconds."""
        return self._topics["network_status"]

    @property
    def validator_summary(self) -> Topic[ValidatorSummary]:
        """How many validators are in which state; every five seconds."""
        return self._topics["validator_summary"]


class ChannelsFeed(Feed):
    """The channel provider. Any other channel is ``feed["its name"]``, and ``feed["*"]`` is every message, whole.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(protocol="channels", seed=7, start="2026-01-01", duration="10s")
    >>> feed.join(timeout=30)
    >>> feed.bandwidth.latest.latency_ms > 0, len(feed["*"]) > len(feed.bandwidth)
    (True, True)
    """

    @property
    def bandwidth(self) -> Topic[Bandwidth]:
        """Upload, download, latency; every two seconds."""
        return self._topics["bandwidth"]

    @property
    def sessions(self) -> SessionsTopic:
        """Subscriber sessions, at each change."""
        return cast("SessionsTopic", self._topics["sessions"])

    @property
    def subscribers(self) -> MessagesTopic:
        """Subscriber updates; free payloads."""
        return cast("MessagesTopic", self._topics["subscribers"])

    @property
    def tickets(self) -> MessagesTopic:
        """Ticket updates; free payloads."""
        return cast("MessagesTopic", self._topics["tickets"])

    @property
    def invoices(self) -> MessagesTopic:
        """Invoice updates; free payloads."""
        return cast("MessagesTopic", self._topics["invoices"])

    @property
    def network_status(self) -> MessagesTopic:
        """Network status; free payloads."""
        return cast("MessagesTopic", self._topics["network_status"])


class FakeaiFeed(Feed):
    """The inference metrics stream, documented and real.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(protocol="fakeai", seed=7, start="2026-01-01", duration="10s")
    >>> feed.join(timeout=30)
    >>> feed.metrics.latest.requests_per_s > 0
    True
    """

    @property
    def metrics(self) -> Topic[InferenceMetrics]:
        """Totals and rates over all endpoints and models; every second."""
        return self._topics["metrics"]

    @property
    def models(self) -> ModelsTopic:
        """Totals per model."""
        return cast("ModelsTopic", self._topics["models"])

    @property
    def requests(self) -> RequestsTopic:
        """Requests, one by one."""
        return cast("RequestsTopic", self._topics["requests"])

    @property
    def errors(self) -> ErrorsTopic:
        """Errors, one by one."""
        return cast("ErrorsTopic", self._topics["errors"])

    @property
    def system(self) -> SystemTopic:
        """The machine behind the server."""
        return cast("SystemTopic", self._topics["system"])

    @property
    def rate_limits(self) -> RateLimitsTopic:
        """Rate limits per endpoint."""
        return cast("RateLimitsTopic", self._topics["rate_limits"])

    @property
    def costs(self) -> Topic[Cost]:
        """Costs over periods."""
        return self._topics["costs"]

    @property
    def kv_cache(self) -> Topic[KvCache]:
        """The key-value cache."""
        return self._topics["kv_cache"]

    @property
    def throughput(self) -> ThroughputTopic:
        """Rates per endpoint (real servers)."""
        return cast("ThroughputTopic", self._topics["throughput"])

    @property
    def latency(self) -> LatencyTopic:
        """Latencies per endpoint (real servers)."""
        return cast("LatencyTopic", self._topics["latency"])

    @property
    def queue(self) -> Topic[Queue]:
        """What waits (real servers)."""
        return self._topics["queue"]

    @property
    def streaming(self) -> Topic[Streaming]:
        """Streams so far (real servers)."""
        return self._topics["streaming"]


FEED_TYPES: Mapping[str, type[Feed]] = {
    "portal": PortalFeed,
    "live": LiveFeed,
    "channels": ChannelsFeed,
    "fakeai": FakeaiFeed,
}
