"""A feed: one server, its topics, its connections, its gaps; live, simulated or (by the same decoder) replayed.

The feed owns what its topics share: the links (one connection each) on the I/O thread, the decoder, the gap book, the
status. Frames come in at :meth:`Feed.on_frames` and leave as rows of topics; nothing else writes to a store.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import msgspec

from . import iothread
from . import session as fsm
from .client import Link, Options, Secrets
from .clock import Cancellable, Clock, RealClock
from .dispatch import CallbackErrors
from .durations import seconds
from .errors import BadOption, FeedClosed, FeedTimeout, UnknownTopic, WrongThread
from .frames import to_pandas
from .gaps import Cause, Certainty, Gap, GapBook
from .protocols import Control, Frame, Ledger, Undecoded, WireProtocol
from .protocols.base import preview
from .schema import Consensus, Record
from .status import Stats, Status, overall
from .topic import (
    TOPIC_TYPES,
    UNDECODED_KEPT,
    ConsensusTopic,
    MetricsTopic,
    NetworkTopic,
    Topic,
    TransactionsTopic,
    ValidatorsTopic,
)

if TYPE_CHECKING:
    import pandas as pd

    from .node import Node

log = logging.getLogger("aurigraph_nb")

RAW_KEPT = 100
CLOSE_TIMEOUT_S = 10.0


class RawFrame(msgspec.Struct, frozen=True):
    """A frame as it came, kept with ``debug=True``."""

    endpoint: str
    text: bool
    data: str
    """The first 500 characters."""
    size: int
    recv_ns: int


class Gaps:
    """The gaps of a feed: what is missing, why, and how sure that is."""

    def __init__(self, book: GapBook) -> None:
        self._book = book

    def rows(self) -> tuple[Gap, ...]:
        """Oldest first; a gap that lasts has ``end_ns`` None."""
        return self._book.rows()

    def __iter__(self) -> Iterator[Gap]:
        return iter(self.rows())

    def __len__(self) -> int:
        return len(self._book)

    def __bool__(self) -> bool:
        return True

    @property
    def version(self) -> int:
        """Changes with every change."""
        return self._book.version

    def to_pandas(self) -> pd.DataFrame:
        """One row a gap: topic, cause, certainty, start, end (NaT while it lasts), duration_s, frames, conn_epoch,
        detail.
        """
        return to_pandas(self._book.table(), index=None)

    def __repr__(self) -> str:
        return "<Gaps>"


class Feed:
    """One server's streams. Made by :func:`aurigraph_nb.connect` and :func:`aurigraph_nb.simulate`.

    ``feed["metrics"]`` is a topic; the fixed topics are attributes too. Everything stored can be read after
    :meth:`close`. All methods may be called from any thread but the I/O thread.
    """

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
        debug: bool = False,
        seed: int | None = None,
    ) -> None:
        self.name = title or policy.url
        self.protocol = protocol.name
        self.url = policy.url
        """Without secrets."""
        self.closed = False
        self.ledger = Ledger()
        self.news = threading.Condition()
        """Notified at every change; what waits, waits on it."""
        self.callback_errors = CallbackErrors()
        self.undecoded: deque[Undecoded] = deque(maxlen=UNDECODED_KEPT)
        """The last 100 frames that were not understood."""
        self.raw: deque[RawFrame] = deque(maxlen=RAW_KEPT)
        """The last 100 frames as they came; only with ``debug=True``."""
        self.control: deque[Control] = deque(maxlen=RAW_KEPT)
        """The last 100 frames without data."""
        self._url, self._wire, self._policy, self._options = url, protocol, policy, options
        self._secrets = Secrets(options.headers)
        self._clock = clock or RealClock()
        self._debug = debug
        self._wish = auto_connect
        self._rng = random.Random(seed)
        self._book = GapBook()
        self._decoder = protocol.decoder(self.ledger)
        self._endpoints = protocol.endpoints(url)
        self._endpoint_of = {topic: name for name, (_, topics) in self._endpoints.items() for topic in topics}
        self._topics: dict[str, Topic[Any]] = {
            name: self._make_topic(name, record) for name, record in protocol.topics.items()
        }
        self._links: dict[str, Link] = {}
        self._idle_timers: dict[str, Cancellable] = {}
        self._first_ns: dict[str, int] = {}
        self._listeners: set[Callable[[], None]] = set()
        self._on_close: list[Callable[[], object]] = []
        self._io = iothread.get()
        self.node: Node | None = None
        """The local node of a simulated feed; None for others."""

    def _make_topic(self, name: str, record: type[Record]) -> Topic[Any]:
        make = TOPIC_TYPES.get(record, Topic)
        return make(self, name, record, period_s=self._wire.periods_s.get(name), key=self._wire.keys.get(name))

    # Topics

    @property
    def topics(self) -> tuple[str, ...]:
        """Names of the topics."""
        return tuple(self._topics)

    def __getitem__(self, name: str) -> Topic[Any]:
        """A topic by name.

        :raises UnknownTopic: if the feed has none of that name
        """
        topic = self._topics.get(name) if isinstance(name, str) else None
        if topic is None:
            raise UnknownTopic(f"there is no topic {name!r}; this feed has {', '.join(self._topics)}")
        return topic

    def __contains__(self, name: object) -> bool:
        return name in self._topics

    def __iter__(self) -> Iterator[Topic[Any]]:
        return iter(self._topics.values())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    # What it says about itself

    def now_ns(self) -> int:
        """Now on this feed's clock, ns since 1970 UTC."""
        return self._clock.now_ns()

    @property
    def status(self) -> Status:
        """The feed at this moment. Looking does not open anything."""
        links = list(self._links.values())
        sessions = [link.session for link in links]
        state = overall([_state(s) for s in sessions], self.closed)
        tries = [s.next_try_ns for s in sessions if s.next_try_ns is not None]
        faults = [s.last_error for s in sessions if s.last_error and s.state is not fsm.State.CONNECTED]
        now_ns = self.now_ns()
        seen = [t.last_recv_ns for t in self._topics.values() if t.last_recv_ns is not None]
        return Status(
            state=state,
            connected=state is fsm.State.CONNECTED,
            reconnecting=state is fsm.State.RECONNECTING,
            error=faults[0] if faults else None,
            last_update=max(seen, default=None),
            attempts=max((s.attempts for s in sessions), default=0),
            next_try_ns=min(tries, default=None),
            url=self.url,
            protocol=self.protocol,
            ended=self.ended,
            callback_errors=self.callback_errors.count,
            last_callback_error=self.callback_errors.last,
            topics={name: topic.status(now_ns, **self._link_status(name)) for name, topic in self._topics.items()},
        )

    def _link_status(self, topic: str) -> dict[str, Any]:
        link = self._links.get(self._endpoint_of[topic])
        if link is None or not self._topics[topic].opened:
            return {
                "state": overall([], self.closed),
                "attempts": 0,
                "next_try_ns": None,
                "error": None,
                "reconnects": 0,
            }
        session = link.session
        return {
            "state": _state(session),
            "attempts": session.attempts,
            "next_try_ns": session.next_try_ns,
            "error": session.last_error if session.state is not fsm.State.CONNECTED else None,
            "reconnects": session.reconnects,
        }

    def stats(self) -> Stats:
        """Counters, one row a topic."""
        return Stats(self.status)

    def fields(self, topic: str) -> dict[str, dict[str, int]]:
        """Fields of a topic's frames that did not fit, with how often: ``unnamed``, ``wrong_type``, ``doubtful``.

        Their raw values stand in the column ``extra``.
        """
        decoder = self._decoder
        counts = {"unnamed": decoder.unnamed, "wrong_type": decoder.wrong_type, "doubtful": decoder.doubtful}
        return {name: count.of(self[topic].name) for name, count in counts.items()}

    @property
    def gaps(self) -> Gaps:
        """What is missing, why, and how sure that is."""
        return Gaps(self._book)

    @property
    def ended(self) -> bool:
        """True after a finite run has come to its end on all open topics."""
        links = list(self._links.values())
        return bool(links) and all(link.ended for link in links)

    # Connecting

    def open_topic(self, topic: Topic[Any]) -> None:
        """Let a topic connect (it does so by itself at the first access to data); returns at once."""
        if self.closed or topic.opened:
            return
        topic.opened = True
        if self._io.here:
            self._open_now(topic)
        else:
            self._io.call(lambda: self._open_now(topic))

    def _open_now(self, topic: Topic[Any]) -> None:
        name = self._endpoint_of[topic.name]
        link = self._links.get(name)
        if link is None and not self.closed:
            url, topics = self._endpoints[name]
            link = self._links[name] = Link(
                name,
                url,
                topics,
                protocol=self._wire,
                policy=self._policy,
                options=self._options,
                clock=self._clock,
                rng=self._rng,
                sink=self,
                secrets=self._secrets,
                name=f"{id(self):x}",
            )
            if self._wish:
                link.handle(fsm.Connect())

    def connect(self) -> None:
        """Connect the open topics (all topics if none is open) after ``auto_connect=False``, a disconnect or an error.

        :raises FeedClosed: after close()
        """
        self.check_usable("connect")
        self._wish = True
        if not any(topic.opened for topic in self._topics.values()):
            for topic in self._topics.values():
                self.open_topic(topic)
        self._tell_links(fsm.Connect)

    def disconnect(self) -> None:
        """Close the connections and stay away until :meth:`connect`. What is stored and subscribed stays."""
        self.check_usable("disconnect")
        self._wish = False
        self._tell_links(fsm.Disconnect)

    def reconnect(self) -> None:
        """Make every open connection anew, at once.

        :raises FeedClosed: after close()
        """
        self.check_usable("reconnect")
        self._wish = True
        self._tell_links(fsm.Reconnect)

    def _tell_links(self, event: Callable[[], fsm.Event]) -> None:
        async def tell() -> None:
            for link in list(self._links.values()):
                link.handle(event())

        if self._io.here:
            for link in list(self._links.values()):
                link.handle(event())
        else:
            self._io.run(tell(), CLOSE_TIMEOUT_S)

    def join(self, timeout: Any = None) -> None:
        """Wait until the feed's run is over (a finite simulation, or close()) and all callbacks have had its rows.

        :param timeout: seconds or a duration, None for ever
        :raises FeedTimeout: if it is not over in time
        :raises ConnectFailed: if the server cannot be reached and trying again would not help
        """
        self.check_thread("join")
        limit_s = None if timeout is None else seconds(timeout, option="timeout")
        deadline = None if limit_s is None else time.monotonic() + limit_s
        with self.news:
            while not self._settled():
                self._raise_fatal()
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise FeedTimeout(
                        f"join: the run was not over after {limit_s:g} s; the feed is {self.status.state}. Only a run "
                        f'with a duration ends by itself: ag.simulate(…, duration="5min"); close() ends any feed.'
                    )
                # Callbacks end without news: look again soon while only they are waited for.
                news_in = 0.05 if self.ended or self.closed else left
                self.news.wait(news_in if left is None else min(left, news_in or left))

    def _settled(self) -> bool:
        if not (self.ended or self.closed):
            return False
        return all(s.idle for topic in self._topics.values() for s in topic.subscriptions)

    def _raise_fatal(self) -> None:
        for link in list(self._links.values()):
            if link.session.state is fsm.State.ERROR and link.session.error is not None:
                raise _fresh(link.session.error)

    def close(self) -> None:
        """Close all connections, and a simulated feed's node. What is stored can still be read. Harmless twice."""
        if self.closed:
            return
        self.closed = True
        for topic in self._topics.values():
            for subscription in topic.subscriptions:
                if subscription.idle:
                    subscription.close()
        if self._io.here:
            self._io.loop.create_task(self._close_links())
        else:
            with contextlib.suppress(TimeoutError):
                self._io.run(self._close_links(), CLOSE_TIMEOUT_S)
        for hook in self._on_close:
            hook()
        self.tell()

    async def _close_links(self) -> None:
        for timer in self._idle_timers.values():
            timer.cancel()
        await asyncio.gather(*(link.close() for link in self._links.values()))

    def on_close(self, hook: Callable[[], object]) -> None:
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
        link = self._links.get(self._endpoint_of[topic.name])
        if link is None:
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

    # What the links say, on the I/O thread

    def on_frames(self, link: Link, frames: list[Frame]) -> None:
        """Decode a batch of frames and hand its rows to the topics."""
        batch = self._decoder.decode(frames)
        if self._debug:
            self._keep_raw(frames[-RAW_KEPT:])
        self._count(link, frames)
        for failed in batch.undecoded:
            self._note_undecoded(failed)
        for control in batch.control:
            self._note_control(link, control)
        for name, rows in batch.rows.items():
            self._deliver(self._topics[name], rows)
        if batch.rows:
            link.data_came()
        self.tell()

    def _keep_raw(self, frames: list[Frame]) -> None:
        scrub = self._secrets.scrub
        for frame in frames:
            kept = RawFrame(frame.endpoint, frame.text, scrub(preview(frame.data)), len(frame.data), frame.recv_ns)
            self.raw.append(kept)
            log.debug("%s: %s", kept.endpoint, kept.data)

    def _count(self, link: Link, frames: list[Frame]) -> None:
        name = link.topics[0] if len(link.topics) == 1 else None
        if name is not None:
            self._topics[name].count(frames[-1].recv_ns, len(frames), sum(len(f.data) for f in frames))

    def _note_undecoded(self, failed: Undecoded) -> None:
        self.undecoded.append(msgspec.structs.replace(failed, preview=self._secrets.scrub(failed.preview)))
        if failed.topic is None:
            return
        self._topics[failed.topic].undecoded += 1
        at = failed.recv_ns
        self._book.add(
            Gap(failed.topic, Cause.DECODE_ERROR, Certainty.KNOWN, at, at, None, failed.conn_epoch, failed.reason)
        )

    def _note_control(self, link: Link, control: Control) -> None:
        self.control.append(msgspec.structs.replace(control, detail=self._secrets.scrub(control.detail)))
        if control.endpoint in self._topics:
            self._topics[control.endpoint].control += 1
        if control.reply is not None:
            asyncio.get_running_loop().create_task(link.send(control.reply))

    def _deliver(self, topic: Topic[Any], rows: list[Record]) -> None:
        if topic.idle is not None:
            self._not_idle(topic, rows[-1].recv_ns, rows[0].recv_ns)
        evicted = topic.store.dropped
        self._first_ns.setdefault(topic.name, rows[0].recv_ns)
        topic.deliver(rows)
        if topic.store.dropped > evicted:
            self._note_eviction(topic, topic.store.dropped - evicted)
        if isinstance(topic, ConsensusTopic):
            self._expect_validators(cast("list[Consensus]", rows))

    def _expect_validators(self, rows: list[Consensus]) -> None:
        for topic in self._topics.values():
            if isinstance(topic, ValidatorsTopic):
                with topic.lock:
                    for row in rows:
                        topic.state.expect(row.total_validators, row.active_validators)

    def _note_eviction(self, topic: Topic[Any], count: int) -> None:
        """The store was full and let its oldest rows go: one gap that grows, from the first row to the oldest kept."""
        latest = topic.store.latest
        end_ns = topic.store.oldest_recv_ns or (latest.recv_ns if latest is not None else self.now_ns())
        start_ns = min(end_ns, self._first_ns.get(topic.name, end_ns))
        detail = (
            f"the store was full ({topic.store.max_rows} rows, {topic.store.max_bytes >> 20} MB); its oldest rows went"
        )
        self._book.grow(Gap(topic.name, Cause.CLIENT_OVERFLOW, Certainty.KNOWN, start_ns, end_ns, count, 0, detail))

    def on_request(self, link: Link, request: fsm.GapOpened | fsm.GapClosed) -> None:
        """A loss began or ended."""
        topics = [name for name in link.topics if self._topics[name].opened]
        for name in topics:
            topic = self._topics[name]
            if isinstance(request, fsm.GapOpened):
                self._end_idle(topic, request.start_ns)
                certainty = Certainty.BOUNDED if topic.period_s else request.certainty
                epoch = link.session.conn_epoch
                self._book.open(name, request.cause, certainty, request.start_ns, epoch, request.detail)
                self.ledger.mark_gap([name])
            else:
                self._close_gap(topic, Cause.DISCONNECT, request.end_ns)

    def _close_gap(self, topic: Topic[Any], cause: Cause, end_ns: int) -> None:
        gap = self._book.current(topic.name, cause)
        if gap is not None:
            self._book.close(topic.name, cause, end_ns, topic.idle.missed(gap.start_ns, end_ns) if topic.idle else None)

    def on_change(self, link: Link) -> None:
        """A link changed its state."""
        for name in link.topics:
            topic = self._topics[name]
            if topic.idle is None:
                continue
            if link.session.state is not fsm.State.CONNECTED:
                topic.idle.stop()
            elif topic.idle.due_ns is None and not topic.idle.idle:
                topic.idle.start(self.now_ns())
                self._watch_idle(topic)
        self.tell()

    # Silence of periodic topics

    def _watch_idle(self, topic: Topic[Any]) -> None:
        assert topic.idle is not None
        due_ns = topic.idle.due_ns
        old = self._idle_timers.pop(topic.name, None)
        if old is not None:
            old.cancel()
        if due_ns is not None and not self.closed:
            wait_s = max(0, due_ns - self.now_ns()) / 1e9
            self._idle_timers[topic.name] = self._clock.call_later(wait_s, lambda: self._check_idle(topic))

    def _check_idle(self, topic: Topic[Any]) -> None:
        assert topic.idle is not None
        self._idle_timers.pop(topic.name, None)
        start_ns = topic.idle.check(self.now_ns())
        if start_ns is None:
            self._watch_idle(topic)
            return
        detail = f"no frame for {topic.idle.periods} periods of {topic.idle.period_s:g} s while the connection stood"
        epoch = self._links[self._endpoint_of[topic.name]].session.conn_epoch
        self._book.open(topic.name, Cause.IDLE, Certainty.BOUNDED, start_ns, epoch, detail)
        self.ledger.mark_gap([topic.name])
        self.tell()

    def _not_idle(self, topic: Topic[Any], last_ns: int, first_ns: int) -> None:
        assert topic.idle is not None
        if topic.idle.frame(last_ns) is not None:
            self._end_idle(topic, first_ns)
            self._watch_idle(topic)

    def _end_idle(self, topic: Topic[Any], end_ns: int) -> None:
        self._close_gap(topic, Cause.IDLE, end_ns)


class PortalFeed(Feed):
    """The Aurigraph topic streams: metrics, transactions, validators, consensus, network."""

    @property
    def metrics(self) -> MetricsTopic:
        """TPS, CPU, memory, connections, error rate; every second."""
        return cast("MetricsTopic", self._topics["metrics"])

    @property
    def transactions(self) -> TransactionsTopic:
        """Transactions, at each change of status."""
        return cast("TransactionsTopic", self._topics["transactions"])

    @property
    def validators(self) -> ValidatorsTopic:
        """Validators, at each change."""
        return cast("ValidatorsTopic", self._topics["validators"])

    @property
    def consensus(self) -> ConsensusTopic:
        """Leader, phase, epoch, round, term and performance, at each change."""
        return cast("ConsensusTopic", self._topics["consensus"])

    @property
    def network(self) -> NetworkTopic:
        """Peers, at each change."""
        return cast("NetworkTopic", self._topics["network"])


FEED_TYPES: Mapping[str, type[Feed]] = {"portal": PortalFeed}


def _state(session: fsm.Session) -> fsm.State:
    """A session's state as it is shown: an attempt after a loss is part of reconnecting."""
    return fsm.State.RECONNECTING if session.reconnecting else session.state


def _fresh(error: Exception) -> Exception:
    """A copy to raise: one instance raised in many places would gather all their tracebacks."""
    return type(error)(*error.args)


__all__ = ["FEED_TYPES", "BadOption", "Feed", "Gaps", "PortalFeed", "RawFrame"]
