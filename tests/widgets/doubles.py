"""A feed without a network, and pages without a browser: the stores, derived states and gap book are real."""

import threading
from types import SimpleNamespace

from aurigraph_nb.columns import ColumnStore
from aurigraph_nb.dispatch import CallbackErrors, Subscription
from aurigraph_nb.errors import UnknownTopic
from aurigraph_nb.gaps import GapBook
from aurigraph_nb.schema import (
    Bandwidth,
    Block,
    Consensus,
    EndpointLatency,
    EndpointThroughput,
    InferenceError,
    InferenceMetrics,
    InferenceRequest,
    LiveMetrics,
    Message,
    Metrics,
    ModelMetrics,
    NetworkSummary,
    Peer,
    RateLimit,
    SystemMetrics,
    Transaction,
    UserSession,
    Validator,
    ValidatorSummary,
)
from aurigraph_nb.state import VIEWS

RECORDS = {
    "metrics": Metrics,
    "transactions": Transaction,
    "validators": Validator,
    "consensus": Consensus,
    "network": Peer,
}
SYSTEMS = {
    "portal": RECORDS,
    "live": {
        "metrics": LiveMetrics,
        "blocks": Block,
        "network_status": NetworkSummary,
        "validator_summary": ValidatorSummary,
    },
    "channels": {"bandwidth": Bandwidth, "sessions": UserSession, "*": Message},
    "fakeai": {
        "metrics": InferenceMetrics,
        "models": ModelMetrics,
        "requests": InferenceRequest,
        "errors": InferenceError,
        "system": SystemMetrics,
        "rate_limits": RateLimit,
        "throughput": EndpointThroughput,
        "latency": EndpointLatency,
    },
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
        self.subscriptions = []

    def on_record(self, fn):
        subscription = Subscription(
            fn, where=None, batch=False, errors=self.feed.callback_errors, on_close=self.subscriptions.remove
        )
        self.subscriptions.append(subscription)
        return subscription

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
        for subscription in self.subscriptions:
            subscription.offer([record])
        return record


class FakeFeed:
    """A feed with the topics of a system."""

    def __init__(self, protocol="portal", **bounds):
        self.name = "fake"
        self.protocol = protocol
        self.callback_errors = CallbackErrors()
        self.connections = (a_connection(),)
        self.connects = 0
        self.closed = False
        self.gaps = GapBook()
        self.clock_ns = START_NS
        self.reconnected = threading.Event()
        self.reconnects = 0
        self.reconnect_error = None
        self.topics = {name: FakeTopic(name, record, self, **bounds) for name, record in SYSTEMS[protocol].items()}
        self.status = a_status(protocol=protocol, topics={next(iter(self.topics)): a_topic_status()})

    def __getitem__(self, name):
        try:
            return self.topics[name]
        except KeyError:
            raise UnknownTopic(f"no topic {name!r}") from None

    def now_ns(self):
        return self.clock_ns

    def connect(self):
        self.connects += 1
        self.reconnected.set()

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
        "latency_ms": None,
        "fallback": None,
        "connection_id": None,
        "queued_messages": 0,
        "dropped_messages": 0,
        "callback_errors": 0,
        "last_callback_error": None,
        "topics": {},
    }
    return SimpleNamespace(**(fields | changes))


def a_connection(**changes):
    fields = {
        "endpoint": "stream",
        "state": "CONNECTED",
        "quality": "EXCELLENT",
        "latency_ms": 3.25,
        "attempts": 0,
        "reconnects": 1,
        "messages": 42,
        "last_error": None,
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


# ---- the other side: comms without a kernel, a painter without a thread, a page without a browser


class CountingComm:
    """Stands for a Jupyter comm: keeps what was sent through it."""

    made = 0

    def __init__(self, data=None, buffers=None, comm_id=None, **_):
        CountingComm.made += 1
        self.comm_id = comm_id or f"comm-{CountingComm.made}"
        self.state = data["state"]
        self.messages = []  # (content, buffers) of custom messages
        self.updates = []  # states of traits
        self.closed = False
        self.broken = None
        self._on_msg = None

    def on_msg(self, callback):
        self._on_msg = callback

    def on_close(self, callback):
        pass

    def send(self, data=None, metadata=None, buffers=None):
        if self.broken is not None:
            raise self.broken
        assert not self.closed, "sent through a closed comm"
        if data["method"] == "custom":
            self.messages.append((data["content"], list(buffers or [])))
        else:
            self.updates.append(data)

    def close(self, *_, **__):
        self.closed = True

    def say(self, **content):
        """A message from the front end."""
        message = {"content": {"data": {"method": "custom", "content": content}}, "buffers": []}
        self._on_msg(message)


class Desk:
    """Time in the hands of the test, and a painter that runs when told to."""

    def __init__(self, painter):
        self.now = 1000.0
        self.painter = painter(lambda: self.now, threaded=False)

    def run(self, seconds, step=0.025):
        """Let time pass, frame by frame."""
        for _ in range(max(1, round(seconds / step))):
            self.now += step
            self.painter.tick(self.now)

    def open(self, widget, page="page-1"):
        """Show a widget on a page that says hello."""
        shown = Page(self, widget, page)
        shown.hello()
        return shown


class Page:
    """A browser page that shows one widget: follows the numbers, acknowledges, and asks when something is missing."""

    def __init__(self, desk, widget, page="page-1"):
        self.desk = desk
        self.comm = widget.comm
        self.page = page
        self.read = 0

    def hello(self):
        self.comm.say(kind="hello", page=self.page)
        self.desk.run(0)

    def ack(self, number=None):
        newest = max((m["number"] for m, _ in self.comm.messages if "number" in m), default=0)
        self.comm.say(kind="ack", page=self.page, number=newest if number is None else number)

    def rest(self):
        self.comm.say(kind="rest", page=self.page)

    def take(self, seconds=0.3, ack=True):
        """What comes in the next ``seconds``: a list of (content, buffers)."""
        self.desk.run(seconds)
        new, self.read = self.comm.messages[self.read :], len(self.comm.messages)
        if ack and new:
            self.ack()
        return new

    def one(self, seconds=0.3):
        """The content of the only message that comes."""
        messages = self.take(seconds)
        assert len(messages) == 1, messages
        return messages[0][0]
