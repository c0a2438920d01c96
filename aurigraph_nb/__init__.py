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
from .alerts import register_view as _register_view
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
from .recorder import set_view as _set_view
from .registry import close_all, connect, connections
from .replay import replay
from .sample import sample
from .schema import Consensus, Metrics, Peer, Transaction, Validator
from .session import Backoff
from .simulate import simulate
from .topic import Topic

if TYPE_CHECKING:
    # fmt: off
    # isort: off
    from . import analytics
    from .widgets import (
        AggregateStats, AlertBanner, BandwidthChart, BlockTable, ConnectionBadge, ConnectionStats, ConnectionStatus,
        ConsensusLog, ConsensusState, Crossing, Dashboard, ErrorMonitor, EventLog, LiveChart, LiveResult, LiveTable,
        MetricsCard, ModelTable, NetworkCard, NetworkLog, NetworkMap, PeerTable, RateLimits, ReplayControls,
        RequestHistory, SessionTable, SystemHealth, TimeLink, TPSChart, TransactionList, ValidatorLog,
        ValidatorTable, link_time,
    )
    # isort: on
    # fmt: on

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """The analytics and the widgets are loaded when they are first used: a program without a notebook needs neither."""
    if name in ("analytics", "widgets"):
        return _import_module(f"{__name__}.{name}")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(__getattr__("widgets"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


_register_view("banner", lambda made: __getattr__("AlertBanner")(made))
_set_view(lambda recorder: __getattr__("widgets").RecorderView(recorder))

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
