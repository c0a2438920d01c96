"""A feed and its topics without a network: real stores, real derived states, a real gap book, a status that tests set."""

import threading
from types import SimpleNamespace

from aurigraph_nb.columns import ColumnStore
from aurigraph_nb.errors import UnknownTopic
from aurigraph_nb.gaps import GapBook
from aurigraph_nb.schema import Consensus, Metrics, Peer, Transaction, Validator
from aurigraph_nb.state import VIEWS

RECORDS = {
    "metrics": Metrics,
    "transactions": Transaction,
    "validators": Validator,
    "consensus": Consensus,
    "network": Peer,
}
START_NS = 1_767_225_600_000_000_000  # 2026-01-01


class FakeTopic:
    """A topic that is fed by :meth:`feed_in`."""

    def __init__(self, name, record_type, feed=None, **bounds):
        self.name = name
        self.record_type = record_type
        self.store = ColumnStore(record_type, **bounds)
        self.state = VIEWS[record_type]() if record_type in VIEWS else None
        self.lock = threading.RLock()
        self.feed = feed
        self.opened = 0

    def open(self):
        self.opened += 1

    def put(self, **fields):
        """Append one row; its receive time is one second after that of the row before, unless given."""
        n = self.store.count
        recv_ns = fields.pop("recv_ns", START_NS + n * 1_000_000_000)
        row = {"timestamp": recv_ns, "recv_ns": recv_ns, "conn_epoch": 1, "n": n} | fields
        record = self.record_type(**row)
        with self.lock:
            self.store.append([record])
            if self.state is not None:
                self.state.apply(record)
        return record


class FakeFeed:
    """A feed with the five topics."""

    def __init__(self, **bounds):
        self.name = "fake"
        self.closed = False
        self.gaps = GapBook()
        self.clock_ns = START_NS
        self.reconnected = threading.Event()
        self.reconnects = 0
        self.reconnect_error = None
        self.status = a_status()
        self.topics = {name: FakeTopic(name, record, self, **bounds) for name, record in RECORDS.items()}

    def __getitem__(self, name):
        try:
            return self.topics[name]
        except KeyError:
            raise UnknownTopic(f"no topic {name!r}") from None

    def now_ns(self):
        return self.clock_ns

    def reconnect(self):
        self.reconnects += 1
        self.reconnected.set()
        if self.reconnect_error is not None:
            raise self.reconnect_error


def a_status(**changes):
    """The status of a feed for which all is well, but for ``changes``."""
    fields = {
        "state": "CONNECTED",
        "error": None,
        "last_update": START_NS,
        "attempts": 0,
        "next_try_ns": None,
        "url": "ws://127.0.0.1:1",
        "protocol": "portal",
        "ended": False,
        "callback_errors": 0,
        "last_callback_error": None,
        "topics": {"metrics": a_topic_status()},
    }
    return SimpleNamespace(**(fields | changes))


def a_topic_status(**changes):
    fields = {
        "state": "CONNECTED",
        "messages": 10,
        "rate_hz": 1.0,
        "lag_ms": 2.5,
        "undecoded": 0,
        "dropped": 0,
        "reconnects": 0,
        "staleness_s": 0.5,
        "stale": False,
        "attempts": 0,
        "next_try_ns": None,
        "error": None,
    }
    return SimpleNamespace(**(fields | changes))
