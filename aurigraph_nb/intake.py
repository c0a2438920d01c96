"""From frames to rows: the one path on which anything gets into a feed's topics.

Links hand over what came, in batches; the decoder says what it was; here it is counted, filtered, stored, and what is
missing is written down. Everything here runs on the I/O loop.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

import msgspec

from . import session as fsm
from .client import Link
from .clock import Cancellable, Clock
from .gaps import Cause, Certainty, Gap, GapBook
from .protocols import Batch, Control, Frame, Ledger, Undecoded, WireProtocol
from .protocols.base import Fault, OrderFault, preview
from .schema import Consensus, Record
from .tokens import Secrets
from .topic import Topic
from .topics import ConsensusTopic, ValidatorsTopic

if TYPE_CHECKING:
    from .feed import Feed

log = logging.getLogger("aurigraph_nb")

KEPT = 100
"""Undecoded frames, control frames and raw frames that are kept for inspection, each."""

WHOLE = "*"
"""Stands in the gap book for all topics of a connection, where a frame is missing and nobody knows of which."""


class RawFrame(msgspec.Struct, frozen=True):
    """A frame as it came, kept with ``debug=True``."""

    endpoint: str
    text: bool
    data: str
    """The first 500 characters."""
    size: int
    recv_ns: int


class Intake:
    """Takes in what the links of one feed bring."""

    def __init__(self, feed: Feed, protocol: WireProtocol, *, clock: Clock, secrets: Secrets, debug: bool) -> None:
        self.ledger = Ledger()
        self.decoder = protocol.decoder(self.ledger)
        self.book = GapBook()
        self.undecoded: deque[Undecoded] = deque(maxlen=KEPT)
        self.raw: deque[RawFrame] = deque(maxlen=KEPT)
        self.control: deque[Control] = deque(maxlen=KEPT)
        self.filtered: Counter[str] = Counter()
        """Frames of topics that nobody opened, by topic."""
        self.not_understood = 0
        """Frames that were not understood, whatever topic they were of."""
        self.connection_id: str | None = None
        """What the server calls the connection, if it says so."""
        self.secrets = secrets
        self._feed, self._protocol, self._clock, self._debug = feed, protocol, clock, debug
        self._idle_timers: dict[str, Cancellable] = {}
        self._first_ns: dict[str, int] = {}

    def close(self) -> None:
        """Stop watching."""
        for timer in self._idle_timers.values():
            timer.cancel()
        self._idle_timers.clear()

    # Frames

    def on_frames(self, link: Link, frames: list[Frame]) -> None:
        """Decode a batch of frames and hand its rows to the topics."""
        if self._debug:
            self._keep_raw(frames[-KEPT:])
        try:
            topics = self._take_frames(link, frames)
        finally:
            self._feed.tell()
        if topics:
            link.data_came(topics)

    def _take_frames(self, link: Link, frames: list[Frame]) -> tuple[str, ...]:
        if len(link.topics) == 1:
            batch = self.decoder.decode(frames)
            self._feed.topic(link.topics[0]).count(frames[-1].recv_ns, len(frames), sum(len(f.data) for f in frames))
            return self.take(link, batch)
        return self._take_apart(link, frames)

    def _take_apart(self, link: Link, frames: list[Frame]) -> tuple[str, ...]:
        """A connection of many topics: each frame is booked under the topics that it has rows for."""
        together = Batch()
        for frame in frames:
            batch = self.decoder.decode((frame,))
            for name, rows in batch.rows.items():
                together.rows.setdefault(name, []).extend(rows)
                if (topic := self._feed.known_topic(name)) is not None and topic.opened:
                    topic.count(frame.recv_ns, 1, len(frame.data))
                else:
                    self.filtered[name] += 1
            together.undecoded += batch.undecoded
            for control in batch.control:
                self._note_control(link, control, frame.recv_ns)
            together.order += batch.order
            together.suppressed += batch.suppressed
        return self.take(link, together)

    def take(self, link: Link | None, batch: Batch) -> tuple[str, ...]:
        """Book a batch; returns the data topics that it held rows of. ``link`` is None for what came by HTTP."""
        for failed in batch.undecoded:
            self._note_undecoded(failed)
        for fault in batch.order:
            self._note_order(fault)
        for name, count in batch.suppressed.items():
            if (topic := self._feed.known_topic(name)) is not None:
                topic.suppressed += count
        if link is not None:
            for control in batch.control:
                self._note_control(link, control, self._clock.now_ns())
        for name, rows in batch.rows.items():
            topic = self._feed.known_topic(name)
            if topic is not None and topic.opened:
                self._deliver(topic, rows)
        return tuple(batch.rows)

    def _keep_raw(self, frames: list[Frame]) -> None:
        scrub = self.secrets.scrub
        for frame in frames:
            kept = RawFrame(frame.endpoint, frame.text, scrub(preview(frame.data)), len(frame.data), frame.recv_ns)
            self.raw.append(kept)
            log.debug("%s: %s", kept.endpoint, kept.data)

    def _note_undecoded(self, failed: Undecoded) -> None:
        scrub = self.secrets.scrub
        failed = msgspec.structs.replace(failed, preview=scrub(failed.preview), reason=scrub(failed.reason))
        self.undecoded.append(failed)
        self.not_understood += 1
        topic = None if failed.topic is None else self._feed.known_topic(failed.topic)
        if topic is not None:
            topic.undecoded += 1
        at, name = failed.recv_ns, failed.topic or WHOLE
        self.book.grow(Gap(name, Cause.DECODE_ERROR, Certainty.KNOWN, at, at, None, failed.conn_epoch, failed.reason))

    def _note_order(self, fault: OrderFault) -> None:
        if fault.kind is Fault.REORDER:
            self.book.fill(WHOLE, Cause.SEQUENCE_HOLE)
        if fault.kind is not Fault.HOLE:
            return
        detail = f"number {fault.expected} was expected and {fault.got} came"
        at = fault.recv_ns
        self.book.add(Gap(WHOLE, Cause.SEQUENCE_HOLE, Certainty.KNOWN, at, at, fault.frames, fault.conn_epoch, detail))

    def _note_control(self, link: Link, control: Control, recv_ns: int) -> None:
        control = msgspec.structs.replace(control, detail=self.secrets.scrub(control.detail))
        self.control.append(control)
        topic = self._feed.known_topic(control.topic or control.endpoint)
        if topic is not None:
            topic.control += 1
        if control.kind == "welcome" and control.detail:
            self.connection_id = control.detail
        link.on_control(control, recv_ns)

    # Rows

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
        for topic in self._feed:
            if isinstance(topic, ValidatorsTopic):
                with topic.lock:
                    for row in rows:
                        topic.state.expect(row.total_validators, row.active_validators)

    def _note_eviction(self, topic: Topic[Any], count: int) -> None:
        """The store was full and let its oldest rows go: one gap that grows, from the first row to the oldest kept."""
        latest = topic.store.latest
        end_ns = topic.store.oldest_recv_ns or (latest.recv_ns if latest is not None else self._clock.now_ns())
        start_ns = min(end_ns, self._first_ns.get(topic.name, end_ns))
        size = f"{topic.store.max_rows} rows, {topic.store.max_bytes >> 20} MB"
        detail = f"the store was full ({size}); its oldest rows went"
        self.book.grow(Gap(topic.name, Cause.CLIENT_OVERFLOW, Certainty.KNOWN, start_ns, end_ns, count, 0, detail))

    # What is missing

    def on_request(self, link: Link, request: fsm.GapOpened | fsm.GapClosed) -> None:
        """A loss of a connection began or ended."""
        for topic in self._opened(link):
            if isinstance(request, fsm.GapOpened):
                self._close_gap(topic, Cause.IDLE, request.start_ns)
                certainty = Certainty.BOUNDED if topic.period_s else request.certainty
                epoch = link.session.conn_epoch
                self.book.open(topic.name, request.cause, certainty, request.start_ns, epoch, request.detail)
                self.ledger.mark_gap([topic.name])
            else:
                self._close_gap(topic, Cause.DISCONNECT, request.end_ns)

    def _opened(self, link: Link) -> Iterable[Topic[Any]]:
        return [topic for topic in self._feed if topic.opened and self._feed.endpoint_of(topic.name) == link.endpoint]

    def _close_gap(self, topic: Topic[Any], cause: Cause, end_ns: int) -> None:
        gap = self.book.current(topic.name, cause)
        if gap is not None:
            frames = topic.idle.missed(gap.start_ns, end_ns) if topic.idle is not None else None
            self.book.close(topic.name, cause, end_ns, frames)

    def on_change(self, link: Link) -> None:
        """A link changed its state."""
        for topic in self._opened(link):
            self.watch(topic, link)
        self._feed.link_changed(link)
        self._feed.tell()

    # Silence of periodic topics

    def watch(self, topic: Topic[Any], link: Link) -> None:
        """Begin or end watching for silence, as the connection stands."""
        if topic.idle is None:
            return
        if link.session.state is not fsm.State.CONNECTED or topic.name in link.subscriptions.refused:
            topic.idle.stop()
            self._close_gap(topic, Cause.IDLE, self._clock.now_ns())
        elif topic.idle.due_ns is None and not topic.idle.idle:
            topic.idle.start(self._clock.now_ns())
            self._schedule_check(topic)

    def forget(self, topic: Topic[Any]) -> None:
        """Nobody wants the topic any more."""
        if topic.idle is not None:
            topic.idle.stop()
        for cause in (Cause.IDLE, Cause.DISCONNECT):
            self._close_gap(topic, cause, self._clock.now_ns())

    def _schedule_check(self, topic: Topic[Any]) -> None:
        assert topic.idle is not None
        due_ns = topic.idle.due_ns
        old = self._idle_timers.pop(topic.name, None)
        if old is not None:
            old.cancel()
        if due_ns is not None and not self._feed.closed:
            wait_s = max(0, due_ns - self._clock.now_ns()) / 1e9
            self._idle_timers[topic.name] = self._clock.call_later(wait_s, self._checker(topic))

    def _checker(self, topic: Topic[Any]) -> Callable[[], None]:
        return lambda: self._check_idle(topic)

    def _check_idle(self, topic: Topic[Any]) -> None:
        assert topic.idle is not None
        self._idle_timers.pop(topic.name, None)
        start_ns = topic.idle.check(self._clock.now_ns())
        if start_ns is None:
            self._schedule_check(topic)
            return
        detail = f"no frame for {topic.idle.periods} periods of {topic.idle.period_s:g} s while the connection stood"
        link = self._feed.link_of(topic.name)
        epoch = link.session.conn_epoch if link is not None else 0
        if not self.book.is_open(topic.name, Cause.DISCONNECT):  # that one tells of the same silence
            self.book.open(topic.name, Cause.IDLE, Certainty.BOUNDED, start_ns, epoch, detail)
            self.ledger.mark_gap([topic.name])
        latest = topic.store.latest
        if (
            link is not None
            and self._protocol.reconnects_when_idle
            and latest is not None
            and latest.conn_epoch == epoch
        ):
            # It brought something on this connection and fell silent. (If it never did, a new one would not either.)
            link.why = f"{topic.name}: {detail}"
            link.handle(fsm.Reconnect())
        self._feed.tell()

    def _not_idle(self, topic: Topic[Any], last_ns: int, first_ns: int) -> None:
        assert topic.idle is not None
        if topic.idle.frame(last_ns) is not None:
            self._close_gap(topic, Cause.IDLE, first_ns)
            self._schedule_check(topic)
