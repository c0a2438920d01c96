"""What a dashboard is made of: the parts of each system by name, and which of them stand in which row. Pure but for the
widgets that the parts make when they are called.

A row is shared by weight: a card takes half of what a chart or a table takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from .cards import ConsensusState, NetworkCard
from .charts import BandwidthChart, LiveChart, TPSChart
from .error_monitor import ErrorMonitor
from .feed_tables import PeerTable, TransactionList, ValidatorTable
from .inference import AggregateStats, ModelTable, RateLimits, RequestHistory, SystemHealth
from .live_tables import BlockTable
from .logs import ConsensusLog, NetworkLog, ValidatorLog
from .metrics_card import MetricsCard
from .network_map import NetworkMap
from .runs import is_recording
from .session_table import SessionTable
from .status import ConnectionStats, ConnectionStatus
from .tables import LiveTable

COLUMNS = 12
"""Columns of the grid."""
MOST_IN_A_ROW = 4
_PLACE = {12: "full", 8: "rest", 6: "half", 5: "span-5", 4: "third", 3: "quarter", 2: "span-2"}
_WIDE_THIRD = "span-4"
PLACES = (*_PLACE.values(), _WIDE_THIRD)
"""Shares of the width, as the style sheet names them."""


class Part(msgspec.Struct, frozen=True):
    """One widget of a system."""

    make: Callable[..., Any]
    """Takes the feed and options."""
    options: Mapping[str, Any] = {}
    narrow: bool = False
    """Whether half of the room of a chart will do."""
    offline: bool = False
    """Whether it can show made-up data."""


def _of_topic(kind: Any, topic: str, options: Mapping[str, Any]) -> Part:
    """A general widget, on a topic of the feed."""

    def make(feed: Any, **given: Any) -> Any:
        return kind(feed[topic], **given)

    return Part(make, options)


_STATUS = {"status": Part(ConnectionStatus), "figures": Part(ConnectionStats, narrow=True)}
_PORTAL = _STATUS | {
    "metrics": Part(MetricsCard, narrow=True),
    "tps": Part(TPSChart, {"height": 240}),
    "consensus": Part(ConsensusState, narrow=True),
    "validators": Part(ValidatorTable, {"height": 300}),
    "transactions": Part(TransactionList, {"height": 280}),
    "peers": Part(PeerTable, {"height": 280}),
    "map": Part(NetworkMap, {"height": 340}),
    "consensus_log": Part(ConsensusLog, {"height": 220}),
    "network_log": Part(NetworkLog, {"height": 220}),
    "validator_log": Part(ValidatorLog, {"height": 220}),
}
_LIVE = _STATUS | {
    "metrics": Part(MetricsCard, narrow=True),
    "tps": Part(TPSChart, {"height": 240}),
    "network": Part(NetworkCard, narrow=True),
    "blocks": Part(BlockTable, {"height": 300}),
}
_MESSAGES = {"title": "Messages", "columns": ["timestamp", "channel", "payload"], "height": 240}
_CHANNELS = _STATUS | {
    "bandwidth": Part(BandwidthChart, {"height": 280}, offline=True),
    "sessions": Part(SessionTable, {"height": 300}, offline=True),
    "messages": _of_topic(LiveTable, "*", _MESSAGES),
}


def _load(feed: Any, **options: Any) -> LiveChart:
    last = None if is_recording(feed) else "10min"
    y = ["requests_per_s", "tokens_per_s"]
    return LiveChart(feed["metrics"], y=y, last=last, title="Load", height=240, **options)


_INFERENCE = _STATUS | {
    "metrics": Part(MetricsCard, narrow=True, offline=True),
    "load": Part(_load),
    "totals": Part(AggregateStats, narrow=True, offline=True),
    "models": Part(ModelTable, {"height": 280}, offline=True),
    "system": Part(SystemHealth, narrow=True, offline=True),
    "requests": Part(RequestHistory, {"height": 280}, offline=True),
    "rate_limits": Part(RateLimits, {"height": 220}, offline=True),
    "errors": Part(ErrorMonitor, {"height": 220}, offline=True),
    "throughput": _of_topic(LiveTable, "throughput", {"title": "Endpoints, rates", "height": 200}),
    "latency": _of_topic(LiveTable, "latency", {"title": "Endpoints, latencies", "height": 200}),
}
PARTS: Mapping[str, Mapping[str, Part]] = {
    "portal": _PORTAL,
    "live": _LIVE,
    "channels": _CHANNELS,
    "fakeai": _INFERENCE,
}
"""The widgets of each system, by protocol and name."""

Rows = Sequence[Sequence[str]]


def _rows(*lines: str) -> Rows:
    return tuple(tuple(line.split()) for line in lines)


LAYOUTS: Mapping[str, Mapping[str, Rows]] = {
    "portal": {
        "default": _rows(
            "status",
            "metrics tps",
            "consensus validators",
            "transactions peers",
            "consensus_log network_log",
        ),
        "wide": _rows(
            "status",
            "metrics tps consensus",
            "validators transactions peers",
            "map consensus_log network_log",
        ),
        "compact": _rows("status", "metrics tps", "consensus transactions"),
        "network": _rows("status", "map", "peers network_log"),
    },
    "live": {
        "default": _rows("status", "metrics tps", "network blocks"),
        "wide": _rows("status", "metrics tps network", "blocks"),
        "compact": _rows("status", "metrics tps"),
    },
    "channels": {
        "default": _rows("status", "bandwidth figures", "sessions", "messages"),
        "wide": _rows("status", "figures bandwidth sessions", "messages"),
        "compact": _rows("status", "figures bandwidth"),
    },
    "fakeai": {
        "default": _rows(
            "status",
            "metrics load",
            "totals models",
            "system requests",
            "rate_limits errors",
            "throughput latency",
        ),
        "wide": _rows(
            "status",
            "metrics load totals",
            "system models requests",
            "rate_limits errors",
            "throughput latency",
        ),
        "compact": _rows("status", "metrics load", "system errors"),
    },
}
"""The layouts of each system that have a name."""


def places(narrow: Sequence[bool]) -> list[str]:
    """The share of the width that each widget of a row gets, as the style sheet names it.

    A third that is meant for more than a card folds earlier, and so has a name of its own.

    >>> places([True, False]), places([True, False, True]), places([False, False, False])
    (['third', 'rest'], ['quarter', 'half', 'quarter'], ['span-4', 'span-4', 'span-4'])
    """
    weights = [1 if one else 2 for one in narrow]
    exact = [COLUMNS * weight / sum(weights) for weight in weights]
    spans = [int(width) for width in exact]
    short = sorted(range(len(exact)), key=lambda i: spans[i] - exact[i])[: COLUMNS - sum(spans)]
    for i in short:
        spans[i] += 1
    return [_PLACE[span] if span != 4 or one else _WIDE_THIRD for span, one in zip(spans, narrow, strict=True)]
