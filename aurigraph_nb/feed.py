"""A feed: one server, its topics, its connections, its gaps; live, simulated or (by the same decoder) replayed.

The feed is what people hold: topics by name, status, waiting, closing. What comes in goes through its
:class:`~aurigraph_nb.intake.Intake`; each connection is a :class:`~aurigraph_nb.client.Link`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from . import dispatch, iothread
from . import session as fsm
from .client import Link
from .clock import Clock, RealClock
from .dial import Options
from .dispatch import CallbackErrors
from .durations import parse_time, seconds
from .errors import FeedClosed, FeedTimeout, UnknownTopic, WrongThread, did_you_mean
from .fallback import Fallback
from .gaps import Cause
from .hooks import Announcer, Hooks
from .intake import Intake, Tap
from .links import FeedLink
from .missing import Gaps
from .protocols import Control, Undecoded, WireProtocol
from .protocols.base import Endpoint
from .schema import Record
from .status import ConnectionRecord, Stats, Status, overall, state_of
from .tokens import Secrets
from .topic import Tidy, Topic, shown_names
from .topics import TOPIC_TYPES

if TYPE_CHECKING:
    from .intake import Counting, RawFrame
    from .node import Node
    from .recorder import Recorder

T = TypeVar("T")

MakeLink = Callable[["Feed", str, Endpoint, Intake], FeedLink]
"""Makes the connection to an endpoint, by its name."""

CLOSE_TIMEOUT_S = 10.0
TOPICS_KEPT = 1_000
"""Topics by free names that a feed may have."""
SHOWN_CHARS = 120
"""Of a name that does not exist, in an error."""
RECORDERS_KEPT = 8
"""Of those that have ended."""


class Feed(Announcer, metaclass=Tidy):
    """One server's streams. Made by :func:`aurigraph_nb.connect` and :func:`aurigraph_nb.simulate`.

    ``feed["metrics"]`` is a topic; the fixed topics are attributes too. Everything stored can be read after
    :meth:`close`. All methods may be called from any thread but the I/O thread.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7, start="2026-01-01", duration="10s")
    >>> feed.join(timeout=30)
    >>> feed["metrics"] is feed.metrics, len(feed.metrics)
    (True, 10)
    """

    _PLUMBING = frozenset(
        """
        add_recorder at_close bring_up check_thread check_usable close_topic connection_url dial
        drop_recorder endpoint_of forget hold_task intake is_silent known_topic ledger link_changed link_of
        listening news on_view open_topic rest resting tap tell time_of topic topic_status untap viewed wake
        why_over
        """.split()
    )
    """Public to the rest of this package, and of no use to anybody else."""

    def __init__(
        self,
        url: str,
        protocol: WireProtocol,
        *,
        policy: fsm.Policy,
        options: Options,
        clock: Clock | None = None,
        title: str = "",
        auto_connect: bool = True,
        bootstrap: bool = False,
        debug: bool = False,
        seed: int | None = None,
        make_link: MakeLink | None = None,
        recorded: bool = False,
    ) -> None:
        self.name = title or policy.url
        self.protocol = protocol.name
        self.url = policy.url
        """Without secrets."""
        self.closed = False
        self.news = threading.Condition()
        """Notified at every change; what waits, waits on it."""
        self.callback_errors = CallbackErrors()
        self.node: Node | None = None
        """The local node of a simulated feed; None for others."""
        self.resting: str | None = None
        """Why it stands still until somebody looks (a demo's feed); None while it does not."""
        self.on_view: Callable[[], None] | None = None
        """Told of every view, see :meth:`viewed`."""
        self._wire, self._policy, self._options = protocol, policy, options
        self._clock = clock or RealClock()
        self._wish = auto_connect
        self._rng = random.Random(seed)
        self._secrets = Secrets(options.headers, url)
        self._hooks = Hooks(self.callback_errors)
        self._endpoints = protocol.endpoints(url)
        self._endpoint_of = {topic: name for name, end in self._endpoints.items() for topic in end.topics}
        self._topics: dict[str, Topic[Any]] = {
            name: self._make_topic(name, record) for name, record in protocol.topics.items()
        }
        self._intake = Intake(self, protocol, clock=self._clock, secrets=self._secrets, debug=debug, recorded=recorded)
        self._fallback = Fallback(
            self,
            None if recorded else protocol.statistics_url(url),
            options,
            self._intake,
            self._clock,
            bootstrap=bootstrap,
        )
        self._links: dict[str, FeedLink] = {}
        self._make_link: MakeLink = make_link or _real_link
        self._recorders: tuple[Recorder, ...] = ()
        self._recorders_ended: deque[Recorder] = deque(maxlen=RECORDERS_KEPT)
        self._recording = threading.Lock()
        self._recording_lost = 0  # by recorders that have ended
        self._recording_error: str | None = None  # of the last of them that failed
        self._links_closed = False
        self._told: dict[str, tuple[fsm.State, int]] = {}  # what the hooks know of each link
        self._tasks: set[asyncio.Task[Any]] = set()
        self._listeners: set[Callable[[], None]] = set()
        self._on_close: list[Callable[[], object]] = []

    @property
    def _io(self) -> iothread.IoThread:
        """Started at the first need: what only reads a recording needs none."""
        return iothread.get()

    def _make_topic(self, name: str, record: type[Record]) -> Topic[Any]:
        make = TOPIC_TYPES.get(record, Topic)
        return make(self, name, record, period_s=self._wire.periods_s.get(name), key=self._wire.keys.get(name))

    # Topics

    @property
    def topics(self) -> tuple[str, ...]:
        """Names of the topics.

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, start="2026-01-01", duration="10s")
        >>> feed.join(timeout=30)
        >>> feed.topics
        ('metrics', 'transactions', 'validators', 'consensus', 'network')
        """
        return tuple(self._topics)

    def __getitem__(self, name: str) -> Topic[Any]:
        """A topic by name.

        :raises UnknownTopic: if the feed has none of that name
        """
        topic = self._topics.get(name) if isinstance(name, str) else None
        if topic is None:
            topic = self._other_topic(name)
        return topic

    def _other_topic(self, name: object) -> Topic[Any]:
        """A topic by a free name, where the system has such."""
        record = self._wire.other_topics
        if record is None or not isinstance(name, str) or not 0 < len(name) <= 100 or len(self._topics) >= TOPICS_KEPT:
            raise self._no_topic(name, "this feed")
        return self._topics.setdefault(name, self._make_topic(name, record))

    def _no_topic(self, name: object, here: str) -> UnknownTopic:
        guess = did_you_mean(name, self._topics) if isinstance(name, str) else ""
        return UnknownTopic(f"there is no topic {_shown(name)} in {here}; it has {', '.join(self._topics)}.{guess}")

    def topic(self, name: str) -> Topic[Any]:
        """A topic that exists, by name."""
        return self._topics[name]

    def known_topic(self, name: str) -> Topic[Any] | None:
        """A topic that exists, by name; None if there is none (yet)."""
        return self._topics.get(name)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._topics)

    def __dir__(self) -> list[str]:
        return shown_names(type(self), super().__dir__())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        topics = self.__dict__.get("_topics", {})
        guess = did_you_mean(name, [n for n in dir(self) if not n.startswith("_")])
        raise UnknownTopic(
            f"a {type(self).__name__} has no topic or attribute {_shown(name)}; topics are {', '.join(topics)}.{guess}"
        )

    def __contains__(self, name: object) -> bool:
        return name in self._topics

    def __iter__(self) -> Iterator[Topic[Any]]:
        return iter(list(self._topics.values()))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    # What it says about itself

    def now_ns(self) -> int:
        """Now on this feed's clock, ns since 1970 UTC.

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, start="2026-01-01", duration="10s")
        >>> feed.join(timeout=30)
        >>> import pandas as pd
        >>> pd.Timestamp(feed.now_ns(), tz="UTC") >= pd.Timestamp("2026-01-01T00:00:10Z")
        True
        """
        return self._clock.now_ns()

    def time_of(self, value: Any, *, option: str) -> int:
        """A time that an option of this feed's topics tells, ns since 1970 UTC.

        :raises BadOption: if it is no time
        """
        return parse_time(value, option=option)

    @property
    def status(self) -> Status:
        """The feed at this moment. Looking does not open anything.

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, metrics_interval=0.1)
        >>> _ = feed.metrics.wait(1, timeout=30)
        >>> feed.status.connected, feed.status.error
        (True, None)
        """
        links = list(self._links.values())
        sessions = [link.session for link in links]
        state = self._state()
        tries = [s.next_try_ns for s in sessions if s.next_try_ns is not None]
        quiet = (fsm.State.CONNECTED, fsm.State.DISCONNECTED)
        faults = [s.last_error for s in sessions if s.last_error and s.state not in quiet]
        seen = [t.last_recv_ns for t in self if t.last_recv_ns is not None]
        latencies = [link.latency_ms for link in links if link.latency_ms is not None]
        with self._recording:
            lost = self._recording_lost + sum(recorder.lost for recorder in self._recorders)
            error = next((r.error for r in self._recorders if r.error), self._recording_error)
        return Status(
            state=state,
            connected=state is fsm.State.CONNECTED,
            reconnecting=state is fsm.State.RECONNECTING,
            error=faults[0] if faults else self.resting,
            last_update=max(seen, default=None),
            attempts=max((s.attempts for s in sessions), default=0),
            next_try_ns=min(tries, default=None),
            url=self.url,
            protocol=self.protocol,
            ended=self.ended,
            fallback="rest" if self._fallback.polling else None,
            latency_ms=max(latencies, default=None),
            undecoded=self._intake.not_understood,
            connection_id=self._intake.connection_id,
            queued_messages=sum(link.waiting for link in links),
            dropped_messages=sum(link.outbox.dropped for link in links),
            callback_errors=self.callback_errors.count,
            last_callback_error=self.callback_errors.last,
            recording_lost=lost,
            recording_error=error,
            topics={topic.name: self.topic_status(topic) for topic in self},
        )

    def _state(self) -> fsm.State:
        states = [state_of(link.session) for link in list(self._links.values())]
        state = overall(states, self.closed)
        return fsm.State.RECONNECTING if state is fsm.State.ERROR and self._fallback.polling else state

    def topic_status(self, topic: Topic[Any]) -> Any:
        """Status of one topic, see :class:`~aurigraph_nb.status.TopicStatus`."""
        link = self._links.get(self.endpoint_of(topic.name)) if topic.opened else None
        session = link.session if link is not None else None
        connected = session is None or session.state is fsm.State.CONNECTED
        return topic.status(
            self.now_ns(),
            frames=self.ledger.frames(topic.name),
            filtered=self._intake.filtered[topic.name],
            state=overall([], self.closed) if session is None else state_of(session),
            attempts=session.attempts if session is not None else 0,
            next_try_ns=session.next_try_ns if session is not None else None,
            error=None if connected or session is None else session.last_error,
            reconnects=session.reconnects if session is not None else 0,
            latency_ms=link.latency_ms if link is not None else None,
        )

    @property
    def connections(self) -> tuple[ConnectionRecord, ...]:
        """One record a connection; none for those that came to a regular end, or were never wanted.

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, metrics_interval=0.1)
        >>> _ = feed.metrics.wait(1, timeout=30)
        >>> [str(connection.state) for connection in feed.connections]
        ['CONNECTED']
        """
        return tuple(
            ConnectionRecord.of(self, link, self.connection_url(link))
            for link in list(self._links.values())
            if not link.ended and self._is_wanted(link)
        )

    def connection_url(self, link: FeedLink) -> str:
        """Where a link goes, without secrets."""
        return fsm.shown(link.url)

    def stats(self) -> Stats:
        """Counters, one row a topic.

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, start="2026-01-01", duration="10s")
        >>> feed.join(timeout=30)
        >>> int(feed.stats().to_pandas().loc["metrics", "rows"])
        10
        """
        return Stats(self.status)

    def fields(self, topic: str) -> dict[str, dict[str, int]]:
        """Fields of a topic's frames that did not fit, with how often: ``unnamed``, ``wrong_type``, ``doubtful``.

        Their raw values stand in the column ``extra``.

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, start="2026-01-01", duration="10s")
        >>> feed.join(timeout=30)
        >>> feed.fields("metrics")["wrong_type"]
        {}
        """
        decoder = self._intake.decoder
        counts = {"unnamed": decoder.unnamed, "wrong_type": decoder.wrong_type, "doubtful": decoder.doubtful}
        return {name: count.of(self[topic].name) for name, count in counts.items()}

    def is_silent(self, topic: Topic[Any]) -> bool:
        """Whether a periodic topic is silent although its connection stands."""
        return self._intake.book.is_open(topic.name, Cause.IDLE)

    @property
    def ledger(self) -> Any:
        """Ordinals of the frames of each topic."""
        return self._intake.ledger

    @property
    def gaps(self) -> Gaps:
        """What is missing, why, and how sure that is.

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, scenario="outage", start="2026-01-01", duration="10min", topics=["metrics"])
        >>> feed.join(timeout=30)
        >>> feed.gaps.to_pandas()["cause"].unique().tolist()
        ['disconnect']
        """
        return Gaps(self._intake.book)

    @property
    def undecoded(self) -> tuple[Undecoded, ...]:
        """The last 100 frames that were not understood.

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, start="2026-01-01", duration="10s")
        >>> feed.join(timeout=30)
        >>> feed.undecoded
        ()
        """
        return tuple(self._intake.undecoded)

    @property
    def raw(self) -> tuple[RawFrame, ...]:
        """The last 100 frames as they came, without tokens; only with ``debug=True``.

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, start="2026-01-01", duration="10s")
        >>> feed.join(timeout=30)
        >>> feed.raw  # connect(…, debug=True) keeps them
        ()
        """
        return tuple(self._intake.raw)

    @property
    def control(self) -> tuple[Control, ...]:
        """The last 100 frames without data: welcomes, acknowledgements, heartbeats, error notices.

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(protocol="live", seed=7, start="2026-01-01", duration="10s")
        >>> feed.join(timeout=30)
        >>> "subscribed" in {frame.kind for frame in feed.control}
        True
        """
        return tuple(self._intake.control)

    @property
    def ended(self) -> bool:
        """True after a finite run has come to its end on all open topics.

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, start="2026-01-01", duration="10s")
        >>> feed.join(timeout=30)
        >>> feed.ended
        True
        """
        links = list(self._links.values())
        return bool(links) and all(link.ended for link in links)

    # Connecting

    def endpoint_of(self, topic: str) -> str:
        """Name of the connection that brings a topic."""
        return self._endpoint_of.get(topic) or next(iter(self._endpoints))

    def link_of(self, topic: str) -> FeedLink | None:
        """The connection that brings a topic, once it is wanted."""
        return self._links.get(self.endpoint_of(topic))

    def open_topic(self, topic: Topic[Any]) -> None:
        """Let a topic connect (it does so by itself at the first access to data); returns at once."""
        if self.closed or topic.opened:
            return
        topic.opened = True
        self._on_loop(lambda: self._open_now(topic))

    def close_topic(self, topic: Topic[Any]) -> None:
        """Unsubscribe a topic; returns at once."""
        if self.closed or not topic.opened:
            return
        topic.opened = False
        self._on_loop(lambda: self._close_now(topic))

    def hold_task(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run ``work`` on the loop, and hold it until it has ended. On the loop."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _on_loop(self, work: Callable[[], object]) -> None:
        if self._io.here:
            work()
        else:
            self._io.call(work)

    def _open_now(self, topic: Topic[Any]) -> None:
        if self.closed or not topic.opened:
            return
        name = self.endpoint_of(topic.name)
        link = self._links.get(name)
        if link is None:
            link = self._links[name] = self._make_link(self, name, self._endpoints[name], self._intake)
        link.want(topic.name)
        if self._wish:
            self._fallback.boot()
            link.handle(fsm.Connect())
        self._intake.watch(topic, link)
        self.tell()

    def dial(self, name: str, end: Endpoint) -> Link:
        """A real connection to one of the feed's endpoints."""
        return Link(
            name,
            end.url,
            end.topics,
            protocol=self._wire,
            policy=self._policy,
            options=self._options,
            clock=self._clock,
            rng=self._rng,
            sink=self._intake,
            secrets=self._secrets,
            name=f"{id(self):x}",
        )

    def _close_now(self, topic: Topic[Any]) -> None:
        link = self._links.get(self.endpoint_of(topic.name))
        if link is None or topic.opened:
            return
        link.unwant(topic.name)
        self._intake.forget(topic)
        if len(link.topics) == 1:
            link.handle(fsm.Disconnect())
            self._intake.forget(topic)

    def connect(self) -> None:
        """Connect the open topics (all topics if none is open) after ``auto_connect=False``, a disconnect or an error.

        :raises FeedClosed: after close()

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, metrics_interval=0.1)
        >>> feed.disconnect()
        >>> feed.connect()
        >>> feed.metrics.wait(1, timeout=30) >= 1
        True
        """
        self.check_usable("connect")
        self.viewed()
        self._wish = True
        if not any(topic.opened for topic in self):
            for topic in self:
                self.open_topic(topic)
        self._tell_links(fsm.Connect)

    def disconnect(self) -> None:
        """Close the connections and stay away until :meth:`connect`. What is stored and subscribed stays.

        :raises FeedClosed: after close()

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, metrics_interval=0.1)
        >>> _ = feed.metrics.wait(1, timeout=30)
        >>> feed.disconnect()
        >>> str(feed.status.state)
        'DISCONNECTED'
        """
        self.check_usable("disconnect")
        self._wish = False
        self._tell_links(fsm.Disconnect)

    def reconnect(self) -> None:
        """Make every open connection anew, at once.

        :raises FeedClosed: after close()

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, metrics_interval=0.1)
        >>> _ = feed.metrics.wait(1, timeout=30)
        >>> feed.reconnect()
        >>> len(feed.metrics.take(1, timeout=30))
        1
        """
        self.check_usable("reconnect")
        self.viewed()
        self._wish = True
        self._tell_links(fsm.Reconnect)

    def viewed(self) -> None:
        """Somebody looks at the feed: a page that shows it, or a reader of its data. Cheap; from any thread.

        A demo's feed (see :mod:`aurigraph_nb.demo`) that rests goes on.

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7)
        >>> feed.viewed()
        """
        if self.on_view is not None:
            self.on_view()

    def rest(self, why: str) -> None:
        """Close the connections until :meth:`wake`; what the user wishes stays. On the loop."""
        self.resting = why
        self._tell_links(fsm.Disconnect)
        self.tell()

    def wake(self) -> None:
        """End a :meth:`rest`: connect again what is wanted. On the loop."""
        self.resting = None
        if self._wish:
            self._tell_links(fsm.Connect)
        self.tell()

    def _tell_links(self, event: Callable[[], fsm.Event]) -> None:
        def tell() -> None:
            for link in list(self._links.values()):
                if event is fsm.Disconnect or self._is_wanted(link):
                    link.handle(event())

        self._run(tell)

    def _is_wanted(self, link: FeedLink) -> bool:
        """Whether any topic of a connection is open."""
        return any(topic.opened and self.endpoint_of(topic.name) == link.endpoint for topic in self)

    def _run(self, work: Callable[[], T]) -> T:
        """Do ``work`` on the loop and wait for it."""

        async def run() -> T:
            return work()

        return work() if self._io.here else self._io.run(run(), CLOSE_TIMEOUT_S)

    def link_changed(self, link: FeedLink) -> None:
        """A link changed its state: tell the hooks. On the loop."""
        self._fallback.look(link)
        session = link.session
        state = state_of(session)
        before, attempts = self._told.get(link.endpoint, (fsm.State.DISCONNECTED, 0))
        self._told[link.endpoint] = (state, session.attempts)
        if state is not before:
            if before is fsm.State.CONNECTED:
                self._hooks.fire("disconnect", _reason(link))
            if state is fsm.State.CONNECTED:
                self._hooks.fire("reconnected" if session.reconnects else "connect")
            if state is fsm.State.ERROR:
                self._hooks.fire("error", session.last_error or "")
                if session.exhausted:
                    self._hooks.fire("exhausted", session.last_error or "")
            self._hooks.fire("change")
        if state is fsm.State.RECONNECTING and session.attempts > attempts:
            self._hooks.fire("reconnecting", session.attempts)

    # Recording

    def record(
        self,
        path: str | os.PathLike[str],
        topics: Sequence[str] | str | None = None,
        **options: Any,
    ) -> Recorder:
        """Write everything down that comes from now on, frame by frame, into the directory ``path``.

        Starts at once, and opens the topics. Several recorders may write to one directory; a recording that exists
        goes on, with a gap for the time between. See :class:`~aurigraph_nb.recorder.Recorder`.

        :param path: a directory that does not exist, is empty, or holds a recording of the same protocol
        :param topics: the topics to open and to list; default: all. (What a shared connection brings is kept whole.)
        :param options: ``durability``, ``mirror``, ``name``, ``segment_bytes``, ``segment_age``; see
            :func:`aurigraph_nb.recorder.record`
        :raises FeedClosed: after close()
        :raises UnknownTopic: if there is no such topic
        :raises RecordingError: if the directory cannot be used; nothing in it was changed

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, metrics_interval=0.1)
        >>> with feed.record("run", topics="metrics"):
        ...     _ = feed.metrics.take(2, timeout=30)
        >>> len(ag.open_recording("run").metrics.to_pandas()) >= 2
        True
        """
        from . import recorder

        return recorder.record(self, path, topics, **options)

    @property
    def recorders(self) -> tuple[Recorder, ...]:
        """Those who write this feed down, or did: the ones that have ended come first (the last 8 of them)."""
        with self._recording:
            return (*self._recorders_ended, *self._recorders)

    def add_recorder(self, recorder: Recorder) -> None:
        """A recorder begins: it is ended when the feed is closed, or its run is over."""
        with self._recording:
            self._recorders = (*self._recorders, recorder)
            self._listeners.add(recorder.follow)
        self.at_close(recorder.close)

    def drop_recorder(self, recorder: Recorder) -> None:
        """A recorder has ended. What it could not write, and why, stays in the status, however many there are."""
        with self._recording:
            if recorder not in self._recorders:
                return
            self._recorders = tuple(r for r in self._recorders if r is not recorder)
            self._recorders_ended.append(recorder)
            self._listeners.discard(recorder.follow)
            self._recording_lost += recorder.lost
            self._recording_error = recorder.error or self._recording_error
        with contextlib.suppress(ValueError):  # close() has taken it
            self._on_close.remove(recorder.close)

    def tap(self, tap: Tap) -> Counting:
        """Let ``tap`` have everything that comes from now on, in order; returns where the counting stands.

        :raises FeedClosed: after close()
        """
        self.check_usable("tap")
        return self._run(lambda: self._intake.add_tap(tap))

    def untap(self, tap: Tap) -> None:
        """Nothing more for ``tap``. Harmless if it had nothing."""
        self._run(lambda: self._intake.remove_tap(tap))

    @property
    def clock(self) -> Clock:
        """The clock that the feed lives on."""
        return self._clock

    @property
    def intake(self) -> Intake:
        """What takes in what comes; for recorders and players."""
        return self._intake

    def bring_up(self, topic: Topic[Any]) -> None:
        """The state of a topic is about to be read. (It is up to date, unless the feed is a recording.)"""

    # Speaking

    def send(self, type: str, data: Any = None, *, topic: str | None = None) -> fsm.Sent:  # noqa: A002 - the field's word
        """Send a message to the server, framed as its system frames them.

        :param type: the message's type (or action)
        :param data: what JSON can hold
        :param topic: over which topic's connection, where each topic has one; default: the first that is open
        :returns: "sent"; "queued" for a system with a queue that is offline; "dropped" otherwise
        :raises FeedClosed: after close()
        :raises BadOption: if ``data`` cannot be written as JSON
        :raises UnknownTopic: if there is no such topic

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, metrics_interval=0.1)
        >>> _ = feed.metrics.wait(1, timeout=30)
        >>> feed.send("ping", topic="metrics")
        'sent'
        """
        self.check_usable("send")
        message = self._wire.message(type, data, self.now_ns())
        return self._run(lambda: self._send_now(message, None if topic is None else self[topic].name))

    def _send_now(self, message: str, topic: str | None) -> fsm.Sent:
        links = list(self._links.values()) if topic is None else [self._links.get(self.endpoint_of(topic))]
        wanted = [link for link in links if link is not None]
        for link in wanted:
            if link.session.state is fsm.State.CONNECTED:
                return link.send(message)
        return wanted[0].send(message) if wanted else "dropped"

    def join(self, timeout: Any = None) -> None:
        """Wait until the feed's run is over (a finite simulation, or close()) and all callbacks have had its rows.

        :param timeout: seconds or a duration, None for ever
        :raises FeedTimeout: if it is not over in time
        :raises ConnectFailed: if the server cannot be reached and trying again would not help

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, start="2026-01-01", duration="10s")
        >>> feed.join(timeout=30)
        >>> feed.ended
        True
        """
        self.check_thread("join")
        if dispatch.here():
            raise WrongThread("join was called in a callback, for which it would wait itself; call it outside")
        limit_s = None if timeout is None else seconds(timeout, option="timeout")
        deadline = None if limit_s is None else time.monotonic() + limit_s
        with self.news:
            while not self._settled():
                self._raise_fatal()
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise FeedTimeout(self._join_words(limit_s or 0.0))
                # Callbacks end without news: look again soon while only they are waited for.
                news_in = 0.05 if self.ended or self.closed else left
                self.news.wait(news_in if left is None else min(left, news_in or left))

    def _join_words(self, limit_s: float) -> str:
        if self.ended or self.closed:
            return (
                f"join: the run is over, but after {limit_s:g} s callbacks still had rows of it to come; give them time"
            )
        return (
            f"join: the run was not over after {limit_s:g} s; the feed is {self.status.state}. Only a run with a "
            f'duration ends by itself: ag.simulate(…, duration="5min"); close() ends any feed.'
        )

    def _settled(self) -> bool:
        if not (self.ended or self.closed):
            return False
        return all(s.idle for topic in self for s in topic.subscriptions)

    def _raise_fatal(self) -> None:
        if self._fallback.polling:
            return
        for link in list(self._links.values()):
            if link.session.state is fsm.State.ERROR and link.session.error is not None:
                raise _fresh(link.session.error)

    def close(self) -> None:
        """Close all connections, and a simulated feed's node. What is stored can still be read. Harmless twice.

        A call that was interrupted can be repeated; it goes on where it was.

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, metrics_interval=0.1)
        >>> _ = feed.metrics.wait(1, timeout=30)
        >>> feed.close()
        >>> len(feed.metrics.to_pandas()) >= 1
        True
        """
        self.closed = True
        for topic in self:
            for subscription in topic.subscriptions:
                if subscription.idle:
                    subscription.close()
        try:
            if self._links and not self._links_closed:
                self._end_links()
                self._links_closed = True
        finally:
            self._run_close_hooks()
            self.tell()

    def _end_links(self) -> None:
        if self._io.here:
            self.hold_task(self._close_links())
            return
        with contextlib.suppress(TimeoutError):
            self._io.run(self._close_links(), CLOSE_TIMEOUT_S)

    def _run_close_hooks(self) -> None:
        """Each once, whatever the others raise."""
        if not self._on_close:
            return
        hook = self._on_close.pop()
        try:
            hook()
        finally:
            self._run_close_hooks()

    def forget(self) -> None:
        """In a forked child: the connections are the parent's. What is stored can be read."""
        self.closed = True
        self._links.clear()
        self._on_close.clear()
        self._recording = threading.Lock()
        self.news = threading.Condition()

    async def _close_links(self) -> None:
        self._intake.close()
        self._fallback.stop()
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()
        await asyncio.gather(*(link.close() for link in self._links.values()))

    def at_close(self, hook: Callable[[], object]) -> None:
        """Call ``hook`` when the feed is closed (at once if it is)."""
        if self.closed:
            hook()
        else:
            self._on_close.append(hook)

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Checks that the topics share

    def check_usable(self, what: str) -> None:
        """:raises FeedClosed: after close()"""
        if self.closed:
            raise FeedClosed(
                f"{what}: this feed was closed. What it stored can still be read (to_pandas, latest, …); for new data "
                "make a new feed with ag.connect(…) or ag.simulate(…)."
            )

    def check_thread(self, what: str) -> None:
        """:raises WrongThread: on the I/O thread, which must not wait"""
        if self._io.here:
            raise WrongThread(
                f"{what} was called on the I/O thread, which has to bring what it waits for; call it from a cell, a "
                "script or a callback, or use its _async twin on a loop of your own"
            )

    def why_over(self, topic: Topic[Any]) -> Exception | None:
        """Why nothing more will come on ``topic``; None if something may."""
        if self.closed:
            return FeedClosed("This feed was closed.")
        link = self.link_of(topic.name)
        if link is None or self._fallback.polling:
            return None
        if link.ended:
            return FeedClosed("The run has ended.")
        if link.session.state is fsm.State.ERROR and link.session.error is not None:
            return _fresh(link.session.error)
        return None

    @contextlib.contextmanager
    def listening(self, fn: Callable[[], None]) -> Iterator[None]:
        """Call ``fn`` at every change, on whatever thread it happens."""
        self._listeners.add(fn)
        try:
            yield
        finally:
            self._listeners.discard(fn)

    def tell(self) -> None:
        """Something changed: wake whoever waits."""
        with self.news:
            self.news.notify_all()
        for fn in tuple(self._listeners):
            fn()


def _shown(name: object) -> str:
    """A name as it was asked for, in bounds."""
    text = repr(name)
    return text if len(text) <= SHOWN_CHARS else f"{text[: SHOWN_CHARS - 1]}…"


def _real_link(feed: Feed, name: str, end: Endpoint, _: Intake) -> FeedLink:
    return feed.dial(name, end)


def _reason(link: FeedLink) -> str:
    """Why an open connection is open no more."""
    session, why = link.session, link.why
    link.why = None
    if why is not None:
        return why
    if session.ended:
        return "the server ended the stream"
    if session.state in (fsm.State.RECONNECTING, fsm.State.ERROR):
        return session.last_error or "the connection was lost"
    return "by request"


def _fresh(error: Exception) -> Exception:
    """A copy to raise: one instance raised in many places would gather all their tracebacks."""
    return type(error)(*error.args)
