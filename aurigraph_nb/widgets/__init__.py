"""Live widgets: thin views of a feed that read its stores at a frame rate.

Nothing runs before the first widget. Text from the feed is shown as text, never as markup.
"""

from __future__ import annotations

from .base import LiveWidget
from .cards import ConsensusState, MetricsCard
from .charts import LiveChart, TPSChart
from .dashboard import Dashboard
from .feed_tables import PeerTable, TransactionList, ValidatorTable
from .flow import FlowCounters
from .logs import ConsensusLog, EventLog, NetworkLog, ValidatorLog
from .status import ConnectionStatus
from .tables import LiveTable

__all__ = [
    "ConnectionStatus",
    "ConsensusLog",
    "ConsensusState",
    "Dashboard",
    "EventLog",
    "FlowCounters",
    "LiveChart",
    "LiveTable",
    "LiveWidget",
    "MetricsCard",
    "NetworkLog",
    "PeerTable",
    "TPSChart",
    "TransactionList",
    "ValidatorLog",
    "ValidatorTable",
]
