"""The dashboard: all widgets of a feed, laid out for the width of a notebook."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets

from .base import LiveWidget, refuse_unknown
from .cards import ConsensusState, NetworkCard
from .charts import BandwidthChart, LiveChart, TPSChart
from .error_monitor import ErrorMonitor
from .feed_tables import PeerTable, TransactionList, ValidatorTable
from .flow import DEFAULT_RATE_HZ, checked_rate
from .inference import AggregateStats, ModelTable, RateLimits, RequestHistory, SystemHealth
from .live_tables import BlockTable
from .logs import ConsensusLog, NetworkLog
from .metrics_card import MetricsCard
from .offline import checked_offline
from .session_table import SessionTable
from .sources import of_feed
from .status import ConnectionStats, ConnectionStatus
from .tables import LiveTable


class Dashboard(ipywidgets.Box):  # type: ignore[misc]  # ipywidgets is untyped
    """All widgets of a feed in one grid, chosen by its system.

    Topic streams: load, consensus, validators, transactions, peers, events. Live stream: throughput, network, blocks.
    Channels: bandwidth, sessions, messages. Inference: rates, models, requests, errors, limits, the machine. The grid
    folds to one column where there is no room. ``rate_hz``: most updates a second of each widget;
    ``when_offline="simulate"`` (channels and inference): made-up data, labelled as such in each widget, while the feed
    is disconnected. Closing the dashboard closes its widgets; the feed goes on.

    Raises:
        BadOption: an option out of its bounds.
        BadOptionType: no feed was given, or there is no such option.
        UnknownTopic: the feed lacks a topic of its system.
    """

    def __init__(
        self, feed: object, *, rate_hz: float = DEFAULT_RATE_HZ, when_offline: str | None = None, **unknown: object
    ) -> None:
        refuse_unknown(type(self), unknown)
        checked_rate(rate_hz)
        checked_offline(when_offline)
        status = of_feed(type(self).__name__, feed).feed.status
        widgets = _widgets(feed, _PLACES.get(status.protocol, _PORTAL), rate_hz, when_offline)
        super().__init__(children=widgets, _dom_classes=("ag-dashboard",))
        self._live = widgets

    @property
    def widgets(self) -> tuple[LiveWidget, ...]:
        """The widgets, in the order of the grid."""
        return self._live

    def __repr__(self) -> str:
        return f"{type(self).__name__}(feed)"

    def close(self) -> None:
        """Close the dashboard and its widgets; the feed goes on. Closing twice is harmless."""
        for widget in getattr(self, "_live", ()):
            widget.close()
        super().close()


def _of_topic(kind: Any, topic: str) -> Callable[..., LiveWidget]:
    """A general widget, on a topic of the feed."""

    def make(feed: Any, **options: Any) -> LiveWidget:
        made: LiveWidget = kind(feed[topic], **options)
        return made

    return make


Place = tuple[Callable[..., Any], str, Mapping[str, Any]]
"""What makes a widget, its share of the width, its own options."""

_PORTAL: Sequence[Place] = (
    (ConnectionStatus, "full", {}),
    (MetricsCard, "third", {}),
    (TPSChart, "rest", {"height": 240}),
    (ConsensusState, "third", {}),
    (ValidatorTable, "rest", {"height": 300}),
    (TransactionList, "half", {"height": 280}),
    (PeerTable, "half", {"height": 280}),
    (ConsensusLog, "half", {"height": 220}),
    (NetworkLog, "half", {"height": 220}),
)
_LIVE: Sequence[Place] = (
    (ConnectionStatus, "full", {}),
    (MetricsCard, "third", {}),
    (TPSChart, "rest", {"height": 240}),
    (NetworkCard, "third", {}),
    (BlockTable, "rest", {"height": 300}),
)
_CHANNELS: Sequence[Place] = (
    (ConnectionStatus, "full", {}),
    (BandwidthChart, "rest", {"height": 280}),
    (ConnectionStats, "third", {}),
    (SessionTable, "full", {"height": 300}),
    (
        _of_topic(LiveTable, "*"),
        "full",
        {"title": "Messages", "columns": ["timestamp", "channel", "payload"], "height": 240},
    ),
)
_INFERENCE: Sequence[Place] = (
    (ConnectionStatus, "full", {}),
    (MetricsCard, "third", {}),
    (
        _of_topic(LiveChart, "metrics"),
        "rest",
        {"y": ["requests_per_s", "tokens_per_s"], "last": "10min", "title": "Load", "height": 240},
    ),
    (AggregateStats, "third", {}),
    (ModelTable, "rest", {"height": 280}),
    (SystemHealth, "third", {}),
    (RequestHistory, "rest", {"height": 280}),
    (RateLimits, "half", {"height": 220}),
    (ErrorMonitor, "half", {"height": 220}),
    (_of_topic(LiveTable, "throughput"), "half", {"title": "Endpoints, rates", "height": 200}),
    (_of_topic(LiveTable, "latency"), "half", {"title": "Endpoints, latencies", "height": 200}),
)
_PLACES = {"portal": _PORTAL, "live": _LIVE, "channels": _CHANNELS, "fakeai": _INFERENCE}
"""What stands where, by protocol."""
_CAN_SIMULATE = (
    BandwidthChart,
    SessionTable,
    AggregateStats,
    ModelTable,
    SystemHealth,
    RequestHistory,
    RateLimits,
    ErrorMonitor,
)


def _widgets(feed: Any, places: Sequence[Place], rate_hz: float, when_offline: str | None) -> tuple[LiveWidget, ...]:
    made: list[LiveWidget] = []
    try:
        for make, place, options in places:
            offline = make in _CAN_SIMULATE or (make is MetricsCard and places is _INFERENCE)
            more = {"when_offline": when_offline} if offline else {}
            made.append(make(feed, rate_hz=rate_hz, **options, **more))
            made[-1].add_class(f"ag-{place}")
    except BaseException:
        for widget in made:
            widget.close()
        raise
    return tuple(made)
