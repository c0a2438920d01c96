"""What the node answers to plain HTTP: health, statistics, Prometheus, CORS; and which path is which topic or system.

Pure: a request's method, path and origin in, an :class:`Answer` (or the stream to upgrade to) out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from ..errors import MissingExtra
from .events import TOPICS
from .options import Cors
from .stats import NodeStats
from .systems import PATHS

EXTRA_PREFIX = "/api/v11/ws"
"""Served next to the configured prefix."""
HEALTH, STATS, METRICS = "/q/health", "/api/v11/websocket/stats", "/q/metrics"
CHAIN = "/api/v11/blockchain/stats"

_HEALTH_NAMES = {
    "metrics": "metrics_ws",
    "transactions": "transaction_ws",
    "validators": "validator_ws",
    "consensus": "consensus_ws",
    "network": "network_ws",
}
_THIS_MACHINE = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")


class Answer(msgspec.Struct, frozen=True):
    """An HTTP response."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


class Site:
    """The paths of a node.

    :param prefix: where the topics are, next to ``/api/v11/ws``
    :param cors: which pages may read; None: those of this machine
    :param down_at: connections from which on the health is DOWN
    :param chain: the statistics of the modelled network; None while there is none
    :param missing: the status for a path that is not there
    """

    def __init__(
        self,
        prefix: str,
        cors: Cors | None,
        down_at: int,
        chain: Callable[[], Any] = lambda: None,
        missing: int = 404,
    ) -> None:
        self._cors = cors
        self._down_at = down_at
        self._chain = chain
        self._missing = missing
        self.streams = {f"{base}/{topic}": topic for base in (EXTRA_PREFIX, prefix) for topic in TOPICS}
        self.streams |= {path: system for system, path in PATHS.items()}
        self._own = [*(f"{prefix}/{topic}" for topic in TOPICS), *PATHS.values()]
        self._rest = {HEALTH: self._health, STATS: self._stats, METRICS: _prometheus, CHAIN: self._blockchain}

    @property
    def own_paths(self) -> dict[str, str]:
        """The streams by their paths, without those that are served a second time elsewhere."""
        return {path: self.streams[path] for path in self._own}

    def keep_only(self, streams: Iterable[str]) -> None:
        """Serve no other streams, and no statistics of a chain."""
        kept = frozenset(streams)
        self.streams = {path: stream for path, stream in self.streams.items() if stream in kept}
        self._own = [path for path in self._own if path in self.streams]
        self._rest.pop(CHAIN, None)

    def route(self, method: str, target: str, origin: str | None, stats: Callable[[], NodeStats]) -> Answer | str:
        """The answer to a request; or, for a path of a stream that this origin may open, the stream's name."""
        path = target.partition("?")[0]
        if path not in self.streams and path not in self._rest:
            paths = ", ".join([*self._own, *self._rest])
            return Answer(self._missing, f"There is nothing at {path[:200]}. This node serves {paths}.\n".encode())
        if method == "OPTIONS":
            return self._preflight(origin)
        if method != "GET":
            return Answer(
                405, f"{method[:20]} is not served here; GET is.\n".encode(), headers=(("Allow", "GET, OPTIONS"),)
            )
        if path in self.streams:
            if origin is not None and not self.allows(origin):
                text = f"Pages of {origin[:200]} may not connect to this node; its CORS origins decide.\n"
                return Answer(403, text.encode())
            return self.streams[path]
        answer = self._rest[path](stats())
        return msgspec.structs.replace(answer, headers=(*answer.headers, *self._cors_headers(origin)))

    def allows(self, origin: str) -> bool:
        """Whether a page of that origin may talk to the node."""
        if self._cors is None:
            return _THIS_MACHINE.fullmatch(origin) is not None
        return "*" in self._cors.origins or origin in self._cors.origins

    def _cors_headers(self, origin: str | None) -> tuple[tuple[str, str], ...]:
        if origin is None or not self.allows(origin):
            return (("Vary", "Origin"),)
        return (("Access-Control-Allow-Origin", origin), ("Vary", "Origin"))

    def _preflight(self, origin: str | None) -> Answer:
        if origin is None or not self.allows(origin):
            return Answer(
                403, b"This origin is not among the CORS origins of this node.\n", headers=(("Vary", "Origin"),)
            )
        cors = self._cors or Cors((origin,))
        headers = (
            *self._cors_headers(origin),
            ("Access-Control-Allow-Methods", ", ".join(cors.methods)),
            ("Access-Control-Allow-Headers", ", ".join(cors.headers)),
            ("Access-Control-Max-Age", str(cors.max_age_s)),
        )
        return Answer(204, b"", headers=headers)

    def _health(self, stats: NodeStats) -> Answer:
        total = sum(stats.connections.values())
        status = "DOWN" if total >= self._down_at else "UP"
        data: dict[str, int] = {"total_connections": total}
        data |= {name: stats.connections.get(topic, 0) for topic, name in _HEALTH_NAMES.items()}
        data["max_warning_threshold"] = self._down_at
        check = {"name": "websocket-service", "status": status, "data": data}
        return _json({"status": status, "checks": [check]}, 200 if status == "UP" else 503)

    def _stats(self, stats: NodeStats) -> Answer:
        connections = {**stats.connections, "total": sum(stats.connections.values())}
        return _json(
            {
                "connections": connections,
                "messages_sent": stats.messages_sent,
                "latency_ms": stats.latency_ms,
                "uptime_s": stats.uptime_s,
            }
        )

    def _blockchain(self, stats: NodeStats) -> Answer:
        known = self._chain()
        if known is None:
            return Answer(503, b"The network of this node has not begun yet.\n", headers=(("Retry-After", "1"),))
        return _json(known)


def _json(value: Any, status: int = 200) -> Answer:
    return Answer(status, msgspec.json.encode(value), "application/json")


def _prometheus(stats: NodeStats) -> Answer:
    try:
        return Answer(200, prometheus_text(stats), "text/plain; version=0.0.4; charset=utf-8")
    except MissingExtra as error:
        return Answer(501, f"{error}\n".encode())


def prometheus_text(stats: NodeStats) -> bytes:
    """The statistics in Prometheus' text format.

    Raises:
        MissingExtra: prometheus-client is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
        from prometheus_client.registry import Collector
    except ImportError as error:
        raise MissingExtra(
            f"{METRICS} needs prometheus-client, which is not installed; pip install 'aurigraph-nb[node]'"
        ) from error

    class Snapshot(Collector):
        def collect(self) -> Iterator[Any]:
            connections = GaugeMetricFamily(
                "aurigraph_websocket_connections_total", "Open WebSocket connections", labels=["endpoint"]
            )
            for topic, count in stats.connections.items():
                connections.add_metric([topic], count)
            yield connections
            yield GaugeMetricFamily(
                "aurigraph_websocket_broadcast_latency_ms",
                "Mean time of handing a batch of frames to all connections",
                value=stats.latency_ms["avg"],
            )
            yield CounterMetricFamily(
                "aurigraph_websocket_messages_sent", "Frames sent over all topics", value=stats.messages_sent
            )

    registry = CollectorRegistry()
    registry.register(Snapshot())
    return generate_latest(registry)
