"""Live and recorded Aurigraph feeds in notebooks: connect, watch, keep, study.

>>> import aurigraph_nb as ag
>>> feed = ag.simulate(seed=7, start="2026-01-01", duration="10s", speed="max")
>>> feed.join(timeout=30)
>>> len(feed.metrics.to_pandas())
10
"""

from __future__ import annotations

from .errors import (
    AuthRefused,
    BadOption,
    BadOptionType,
    BadUrl,
    ConnectFailed,
    FeedClosed,
    FeedTimeout,
    MissingExtra,
    UnknownTopic,
    WrongThread,
)
from .feed import Feed, PortalFeed
from .node import Node
from .registry import close_all, connect
from .schema import Consensus, Metrics, Peer, Transaction, Validator
from .session import Backoff
from .simulate import simulate

__version__ = "0.1.0"
