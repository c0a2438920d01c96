"""Live widgets: thin views of a feed that read its stores at a frame rate.

Nothing runs before the first widget. Text from the feed is shown as text, never as markup.
"""

from __future__ import annotations

from .banner import AlertBanner
from .base import LiveWidget
from .cards import ConsensusState, NetworkCard
from .chart_links import TimeLink, link_time
from .charts import BandwidthChart, LiveChart, TPSChart
from .dashboard import Dashboard
from .error_monitor import ErrorMonitor
from .feed_tables import PeerTable, TransactionList, ValidatorTable
from .flow import FlowCounters
from .inference import AggregateStats, ModelTable, RateLimits, RequestHistory, SystemHealth
from .live_result import LiveResult
from .live_tables import BlockTable
from .logs import ConsensusLog, EventLog, NetworkLog, ValidatorLog
from .metrics_card import MetricsCard
from .network_map import NetworkMap
from .recorder_view import RecorderView
from .replay_controls import ReplayControls
from .session_table import SessionTable
from .status import ConnectionBadge, ConnectionStats, ConnectionStatus
from .tables import LiveTable
from .thresholds import Crossing

__all__ = [
    "AggregateStats",
    "AlertBanner",
    "BandwidthChart",
    "BlockTable",
    "ConnectionBadge",
    "ConnectionStats",
    "ConnectionStatus",
    "ConsensusLog",
    "ConsensusState",
    "Crossing",
    "Dashboard",
    "ErrorMonitor",
    "EventLog",
    "FlowCounters",
    "LiveChart",
    "LiveResult",
    "LiveTable",
    "LiveWidget",
    "MetricsCard",
    "ModelTable",
    "NetworkCard",
    "NetworkLog",
    "NetworkMap",
    "PeerTable",
    "RateLimits",
    "RecorderView",
    "ReplayControls",
    "RequestHistory",
    "SessionTable",
    "SystemHealth",
    "TPSChart",
    "TimeLink",
    "TransactionList",
    "ValidatorLog",
    "ValidatorTable",
    "link_time",
]
