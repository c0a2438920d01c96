"""Live and recorded Aurigraph feeds in notebooks: connect, watch, keep, study.

>>> import aurigraph_nb as ag
>>> feed = ag.simulate(seed=7, start="2026-01-01", duration="10s")
>>> feed.join(timeout=30)
>>> len(feed.metrics.to_pandas())
10

``connect`` makes a feed on a running server, ``simulate`` one on an embedded local node. A feed has topics
(``feed.metrics``), a topic has rows (``to_pandas``), waiting (``wait``), callbacks (``on_record``) and state
(``feed.validators.current``). The widgets take a feed or a topic.
"""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

from .alerts import Alarm, Alert, alert
from .errors import (
    AurigraphError,
    AuthRefused,
    BadOption,
    BadOptionType,
    BadUrl,
    ConnectFailed,
    FeedClosed,
    FeedTimeout,
    Incomplete,
    MissingExtra,
    RecordingCorrupt,
    RecordingError,
    RecordingInUse,
    RecordingTooNew,
    UnknownTopic,
    WrongThread,
)
from .feed import Feed
from .feeds import ChannelsFeed, FakeaiFeed, LiveFeed, PortalFeed
from .node import Node
from .reading.recording import Recording, RecordingDamaged, RecordingRecovered, open_recording
from .recorder import Recorder
from .registry import close_all, connect, connections
from .replay import replay
from .sample import sample
from .schema import Consensus, Metrics, Peer, Transaction, Validator
from .session import Backoff
from .simulate import simulate
from .topic import Topic
from .widgets import (
    AggregateStats,
    AlertBanner,
    BandwidthChart,
    BlockTable,
    ConnectionBadge,
    ConnectionStats,
    ConnectionStatus,
    ConsensusLog,
    ConsensusState,
    Crossing,
    Dashboard,
    ErrorMonitor,
    EventLog,
    LiveChart,
    LiveResult,
    LiveTable,
    MetricsCard,
    ModelTable,
    NetworkCard,
    NetworkLog,
    NetworkMap,
    PeerTable,
    RateLimits,
    ReplayControls,
    RequestHistory,
    SessionTable,
    SystemHealth,
    TimeLink,
    TPSChart,
    TransactionList,
    ValidatorLog,
    ValidatorTable,
    link_time,
)

if TYPE_CHECKING:
    from . import analytics

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """The analytics are loaded when they are first used."""
    if name == "analytics":
        return _import_module(f"{__name__}.analytics")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# A front page is read as a whole, so the list stands in few lines.
# fmt: off
__all__ = [
    "AggregateStats", "Alarm", "Alert", "AlertBanner", "AurigraphError", "AuthRefused", "Backoff", "BadOption",
    "BadOptionType", "BadUrl", "BandwidthChart", "BlockTable", "ChannelsFeed", "ConnectFailed", "ConnectionBadge",
    "ConnectionStats", "ConnectionStatus", "Consensus", "ConsensusLog", "ConsensusState", "Crossing", "Dashboard",
    "ErrorMonitor", "EventLog", "FakeaiFeed", "Feed", "FeedClosed", "FeedTimeout", "Incomplete", "LiveChart",
    "LiveFeed", "LiveResult", "LiveTable", "Metrics", "MetricsCard", "MissingExtra", "ModelTable", "NetworkCard",
    "NetworkLog", "NetworkMap", "Node", "Peer", "PeerTable", "PortalFeed", "RateLimits", "Recorder", "Recording",
    "RecordingCorrupt", "RecordingDamaged", "RecordingError", "RecordingInUse", "RecordingRecovered",
    "RecordingTooNew", "ReplayControls", "RequestHistory", "SessionTable", "SystemHealth", "TPSChart", "TimeLink",
    "Topic", "Transaction", "TransactionList", "UnknownTopic", "Validator", "ValidatorLog", "ValidatorTable",
    "WrongThread", "alert", "analytics", "close_all", "connect", "connections", "link_time", "open_recording",
    "replay", "sample", "simulate",
]
# fmt: on
