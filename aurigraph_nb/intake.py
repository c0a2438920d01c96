"""From frames to rows: the one path on which anything gets into a feed's topics.

Links hand over what came, in batches; the decoder says what it was; here it is counted, filtered, stored, and what is
missing is written down. Everything here runs on the I/O loop.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

import msgspec

from . import session as fsm
from .clock import Cancellable, Clock
from .gaps import Cause, Certainty, Gap, GapBook
from .links import FeedLink
from .losses import note_order, note_undecoded
from .protocols import Batch, Control, Frame, Ledger, Undecoded, WireProtocol
from .protocols.base import preview
from .recording.lines import (
    Closed,
    Count,
    GapBegins,
    GapEnds,
    Head,
    Line,
    Opened,
    Statistics,
    data_of,
    statistics_line,
)
from .schema import Consensus, Record
from .tokens import Secrets
from .topic import Topic
from .topics import ConsensusTopic, ValidatorsTopic

if TYPE_CHECKING:
    from .feed import Feed

log = logging.getLogger("aurigraph_nb")

LARGE_FRAME = 40 * 2**20
"""Bytes. A frame larger than this is taken in by itself, whatever came with it: recorders leave it out."""
KEPT = 100
"""Undecoded frames, control frames and raw frames that are kept for inspection, each."""


class RawFrame(msgspec.Struct, frozen=True):
    """A frame as it came, kept with ``debug=True``."""

    endpoint: str
    text: bool
    data: str
    """The first 500 characters."""
    size: int
    recv_ns: int


class Tap(Protocol):
    """Who writes down what an intake takes in, in order. Called on the I/O loop; must not wait, and must not raise."""

    def frames(self, frames: Sequence[Frame]) -> None:
        """Frames that came, before anything is made of them."""

    def line(self, line: Line) -> None:
        """Something else that happened: a connection opened or closed, a gap began or ended, statistics came."""


class Counting(msgspec.Struct, frozen=True):
    """Where the counting of an intake stands: what a decoder has to know to go on from here."""

    ledger: dict[str, int]
    """Ordinal of each topic's next frame."""
    marks: tuple[str, ...]
    """Topics whose next row comes after a gap."""
    open: tuple[Gap, ...]
    """Gaps that last."""
    up: dict[str, int]
    """Connections that stand, by endpoint, with their ordinals."""


class Intake:
    """Takes in what the links of one feed bring.

    :param recorded: what comes is a recording, played: silence means nothing, the gaps are those that were written down
    """

    def __init__(
        self,
        feed: Feed,
        protocol: WireProtocol,
        *,
        clock: Clock,
        secrets: Secrets,
        debug: bool,
        recorded: bool = False,
    ) -> None:
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
        self._recorded = recorded
        self._taps: tuple[Tap, ...] = ()
        self._up: dict[str, int] = {}
        self._idle_timers: dict[str, Cancellable] = {}
        self._first_ns: dict[str, int] = {}

    def close(self) -> None:
        """Stop watching."""
        for timer in self._idle_timers.values():
            timer.cancel()
        self._idle_timers.clear()

    # Those who write it down

    def add_tap(self, tap: Tap) -> Counting:
        """Let ``tap`` have everything from now on; returns where the counting stands. On the loop."""
        self._taps = (*self._taps, tap)
        return self.counting()

    def remove_tap(self, tap: Tap) -> None:
        """Nothing more for ``tap``; harmless if it had nothing. On the loop."""
        self._taps = tuple(t for t in self._taps if t is not tap)

    def counting(self) -> Counting:
        """Where the counting stands at this moment. On the loop."""
        ledger, marks = self.ledger.snapshot()
        lasting = tuple(gap for gap in self.book.rows() if gap.end_ns is None)
        return Counting(ledger, marks, lasting, dict(self._up))

    def _write(self, line: Line) -> None:
        for tap in self._taps:
            tap.line(line)

    # Frames

    def on_frames(self, link: FeedLink, frames: list[Frame]) -> None:
        """Decode a batch of frames and hand its rows to the topics."""
        if self._taps and len(frames) > 1 and any(len(frame.data) > LARGE_FRAME for frame in frames):
            for frame in frames:  # so that taps know of each where the counting stands
                self.on_frames(link, [frame])
            return
        for tap in self._taps:
            tap.frames(frames)
        if self._debug:
            self._keep_raw(frames[-KEPT:])
        try:
            topics = self._take_frames(link, frames)
        finally:
            self._feed.tell()
        if topics:
            link.data_came(topics)

    def _take_frames(self, link: FeedLink, frames: list[Frame]) -> tuple[str, ...]:
        if len(link.topics) == 1:
            batch = self.decoder.decode(frames)
            self._feed.topic(link.topics[0]).count(frames[-1].recv_ns, len(frames), sum(len(f.data) for f in frames))
            return self.take(link, batch)
        return self._take_apart(link, frames)

    def _take_apart(self, link: FeedLink, frames: list[Frame]) -> tuple[str, ...]:
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

    def on_statistics(self, body: bytes, recv_ns: int) -> None:
        """Statistics came by HTTP."""
        self._write(statistics_line(recv_ns, body))
        self.take(None, self.decoder.statistics(body, recv_ns))
        self._feed.tell()

    def take(self, link: FeedLink | None, batch: Batch) -> tuple[str, ...]:
        """Book a batch; returns the data topics that it held rows of. ``link`` is None for what came by HTTP."""
        for failed in batch.undecoded:
            self._note_undecoded(failed)
        for fault in batch.order:
            note_order(self.book, fault)
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
        note_undecoded(self.book, failed)

    def _note_control(self, link: FeedLink, control: Control, recv_ns: int) -> None:
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

    def on_request(self, link: FeedLink, request: fsm.GapOpened | fsm.GapClosed) -> None:
        """A loss of a connection began or ended."""
        for topic in self._opened(link):
            if isinstance(request, fsm.GapOpened):
                self._close_gap(topic, Cause.IDLE, request.start_ns)
                certainty = Certainty.BOUNDED if topic.period_s else request.certainty
                epoch = link.session.conn_epoch
                self._open_gap(
                    Gap(topic.name, request.cause, certainty, request.start_ns, None, None, epoch, request.detail)
                )
            else:
                self._close_gap(topic, Cause.DISCONNECT, request.end_ns)

    def _opened(self, link: FeedLink) -> Iterable[Topic[Any]]:
        return [topic for topic in self._feed if topic.opened and self._feed.endpoint_of(topic.name) == link.endpoint]

    def _open_gap(self, gap: Gap) -> None:
        self.book.add(gap)
        self.ledger.mark_gap([gap.topic])
        self._write(GapBegins(self._clock.now_ns(), gap))

    def _close_gap(self, topic: Topic[Any], cause: Cause, end_ns: int) -> None:
        gap = self.book.current(topic.name, cause)
        if gap is not None:
            frames = topic.idle.missed(gap.start_ns, end_ns) if topic.idle is not None else None
            self.book.close(topic.name, cause, end_ns, frames)
            self._write(GapEnds(self._clock.now_ns(), topic.name, cause, end_ns, frames))

    # A recording that is played

    def apply(self, line: Line, *, silent: bool = False) -> None:
        """Take in a line of a journal that tells of something else than a frame.

        :param silent: it lies before the part that is shown; only what has to be known later is taken in
        """
        match line:
            case GapBegins():
                self.book.add(line.gap)
                if line.marks:
                    self.ledger.mark_gap([line.gap.topic])
            case GapEnds():
                self.book.close(line.topic, Cause(line.cause), line.end_ns, line.frames)
            case Statistics():
                batch = self.decoder.statistics(data_of(line), line.t)
                if not silent:
                    self.take(None, batch)
            case Count():
                self.ledger.restore(line.ledger, line.marks)
            case _:
                return
        self._feed.tell()

    def go_on_from(self, head: Head) -> None:
        """A segment of a journal begins: let the counting, and the gaps that last, be as they were then."""
        if head.first:
            self.ledger.restore({}, ())
            self.decoder = self._protocol.decoder(self.ledger)
        # What was lost on the way to the disk is marked in the recording alone: the feed itself missed nothing.
        self.ledger.restore(head.ledger, {*head.marks, *self.ledger.snapshot()[1]})
        lasting = {(gap.topic, gap.cause): gap for gap in head.open}
        for gap in self.book.rows():
            if gap.end_ns is None and (gap.topic, gap.cause) not in lasting:
                self.book.close(gap.topic, gap.cause, head.t)
        for key, gap in lasting.items():
            if not self.book.is_open(*key):
                self.book.add(gap)

    def forget_past_gaps(self) -> None:
        """Keep only the gaps that last."""
        lasting = [gap for gap in self.book.rows() if gap.end_ns is None]
        self.book.reset()
        for gap in lasting:
            self.book.add(gap)

    def restart(self) -> None:
        """Forget everything; what was recorded is played from its beginning."""
        self.decoder = self._protocol.decoder(self.ledger)
        self.ledger.restore({}, ())
        self.book.reset()
        self._first_ns.clear()
        self.filtered.clear()
        self.not_understood = 0
        for kept in (self.undecoded, self.raw, self.control):
            kept.clear()

    def tell(self) -> None:
        """Something changed: wake whoever waits for the feed."""
        self._feed.tell()

    def on_change(self, link: FeedLink) -> None:
        """A link changed its state."""
        self._note_up(link)
        for topic in self._opened(link):
            self.watch(topic, link)
        self._feed.link_changed(link)
        self._feed.tell()

    def _note_up(self, link: FeedLink) -> None:
        """Write down that a connection stands, or stands no more."""
        session, before = link.session, self._up.get(link.endpoint)
        now = session.conn_epoch if session.state is fsm.State.CONNECTED else None
        if now == before:
            return
        at = self._clock.now_ns()
        if before is not None:
            del self._up[link.endpoint]
            by_request = session.state in (fsm.State.DISCONNECTED, fsm.State.CLOSED)
            why = "" if by_request else link.why or session.last_error or "the connection was lost"
            self._write(Closed(at, link.endpoint, before, why, session.ended))
        if now is not None:
            self._up[link.endpoint] = now
            self._write(Opened(at, link.endpoint, now))

    # Silence of periodic topics

    def watch(self, topic: Topic[Any], link: FeedLink) -> None:
        """Begin or end watching for silence, as the connection stands."""
        if topic.idle is None or self._recorded:
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
            self._open_gap(Gap(topic.name, Cause.IDLE, Certainty.BOUNDED, start_ns, None, None, epoch, detail))
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
