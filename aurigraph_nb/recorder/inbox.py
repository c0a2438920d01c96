"""What a feed brings, on its way to the thread that writes it down: a queue of its own, bounded; it counts its losses.

It is filled on the I/O loop and never waits. Where it is full, the newest frames are left out. Once there is room
again it says how many were lost and where the counting stands, so that what is written later has its right ordinals.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from ..gaps import Cause, Certainty, Gap
from ..intake import LARGE_FRAME, Counting
from ..losses import WHOLE
from ..protocols import Frame
from ..recording.lines import Closed, Count, GapBegins, GapEnds, Line, Opened, Statistics, Tick
from .steps import StepWatch

MAX_BYTES = 64 * 2**20
"""Bytes that may wait to be written."""
MAX_LINES = 250_000
"""Frames and other lines that may wait to be written."""
MAX_FRAME_BYTES = LARGE_FRAME
"""A larger frame is not written down: escaped as JSON it might be more than a journal's reader takes. It comes by
itself, so nothing else is left out with it."""

_COST = 200
"""What a frame takes in memory besides its data, about."""


class Mark(msgspec.Struct, frozen=True):
    """A place in the stream, and where the counting stands exactly there."""

    t: int
    counting: Counting


class Flush(msgspec.Struct, frozen=True):
    """Whoever set this wants to know when everything before it is on the disk."""

    done: threading.Event


class Stop(msgspec.Struct, frozen=True):
    """Nothing comes after this."""

    t: int


Item: TypeAlias = "tuple[Frame, ...] | Line | Mark | Flush | Stop"


class Loss(msgspec.Struct):
    """Frames that found no room, since there last was some."""

    start_ns: int
    end_ns: int
    frames: int = 0
    conn_epoch: int = 0
    endpoints: set[str] = set()
    too_large: bool = False
    """Whether one of them was larger than any that is written down."""


class Inbox:
    """The tap of a recorder, and the queue behind it.

    :param topics: the recorded topics by the connection that brings them; what other connections bring is left out
    :param endpoint_of: the connection that brings a topic
    :param counting: where the counting of the feed stands; asked on the loop
    :param now_ns: the feed's clock
    :param steps: watches the machine's clock, if that is the feed's
    """

    def __init__(
        self,
        topics: Mapping[str, Sequence[str]],
        *,
        endpoint_of: Callable[[str], str],
        counting: Callable[[], Counting],
        now_ns: Callable[[], int],
        steps: StepWatch | None = None,
        max_bytes: int = MAX_BYTES,
        max_lines: int = MAX_LINES,
    ) -> None:
        self._topics, self._endpoint_of, self._counting, self._now_ns = topics, endpoint_of, counting, now_ns
        self._steps = steps
        self._max_bytes, self._max_lines = max_bytes, max_lines
        self._ready = threading.Condition()
        self._items: deque[Item] = deque()
        self._bytes = 0
        self._lines = 0
        self._shut = False
        self._loss: Loss | None = None
        self.lost = 0
        """Frames that came and were not written down."""
        self.gaps = 0
        """Gaps that only this recorder knows of."""

    @property
    def waiting(self) -> int:
        """Frames and other lines that wait to be written."""
        return self._lines

    # On the loop

    def frames(self, frames: Sequence[Frame]) -> None:
        """Frames that came, before anything is made of them."""
        ours = tuple(frame for frame in frames if frame.endpoint in self._topics)
        if not ours:
            return
        self._look_at_clock()
        if self._loss is not None and self._has_room():
            self._tell_loss()
        taken = 0 if self._loss is not None else self._fitting(ours)
        if taken:
            self._put(ours[:taken], taken, _cost(ours[:taken]))
        for frame in ours[taken:]:
            self._lose(frame.recv_ns, frame.conn_epoch, frame.endpoint, len(frame.data))

    def line(self, line: Line) -> None:
        """Something else that happened."""
        if not self._is_ours(line):
            return
        self._look_at_clock()
        size = _size(line)
        if isinstance(line, Statistics):
            fits = self._loss is None and self._fits(1, size)
        else:  # small, few, and what follows cannot be understood without
            fits = self._lines < 2 * self._max_lines
        if fits:
            self._put(line, 1, size)
        else:
            self._lose(line.t, 0, None)

    def tick(self) -> None:
        """Put down that the recorder is alive."""
        self._look_at_clock()
        self._put(Tick(self._now_ns()), 1, _COST)

    def mark(self) -> None:
        """Put a mark where the stream stands now."""
        if self._loss is not None:
            self._tell_loss()
        self._put(Mark(self._now_ns(), self._counting()), 0, 0)

    def stop(self, t: int) -> None:
        """Nothing more is taken. What waits is still written. Up to ``t`` everything has come."""
        if self._loss is not None:
            self._tell_loss()
        with self._ready:
            if not self._shut:
                self._shut = True
                self._items.append(Stop(t))
                self._ready.notify_all()

    def _is_ours(self, line: Line) -> bool:
        match line:
            case Opened() | Closed():
                return line.e in self._topics
            case GapBegins():
                return line.gap.topic == WHOLE or self._endpoint_of(line.gap.topic) in self._topics
            case GapEnds():
                return line.topic == WHOLE or self._endpoint_of(line.topic) in self._topics
            case _:
                return True

    def _look_at_clock(self) -> None:
        step = None if self._steps is None else self._steps.look()
        if step is None:
            return
        expected, shown = step
        detail = f"the clock went from {expected} to {shown} ns, {(shown - expected) / 1e9:+.3f} s"
        gap = Gap(WHOLE, Cause.CLOCK_STEP, Certainty.NONE, min(step), max(step), None, 0, detail)
        self._tell_gap(GapBegins(shown, gap, marks=False))

    # What does not fit

    def _fits(self, lines: int, size: int) -> bool:
        return self._lines + lines <= self._max_lines and self._bytes + size <= self._max_bytes

    def _has_room(self) -> bool:
        """Whether it is worth while to go on: half of it is free."""
        return self._lines * 2 <= self._max_lines and self._bytes * 2 <= self._max_bytes

    def _fitting(self, frames: Sequence[Frame]) -> int:
        """How many of the frames fit, from the first one on."""
        size = 0
        for place, frame in enumerate(frames):
            size += len(frame.data) + _COST
            if len(frame.data) > MAX_FRAME_BYTES or not self._fits(place + 1, size):
                return place
        return len(frames)

    def _lose(self, recv_ns: int, conn_epoch: int, endpoint: str | None, size: int = 0) -> None:
        if self._shut:
            return
        loss = self._loss
        if loss is None:
            loss = self._loss = Loss(recv_ns, recv_ns, endpoints=set())
        loss.end_ns = max(loss.end_ns, recv_ns)
        loss.frames += 1
        loss.too_large = loss.too_large or size > MAX_FRAME_BYTES
        loss.conn_epoch = max(loss.conn_epoch, conn_epoch)
        loss.endpoints |= set(self._topics) if endpoint is None else {endpoint}
        self.lost += 1

    def _tell_loss(self) -> None:
        """Say what was lost, and where the counting stands behind it."""
        loss, self._loss = self._loss, None
        assert loss is not None
        counting = self._counting()
        missed = {topic for endpoint in loss.endpoints for topic in self._topics[endpoint]}
        detail = "what waited to be written was at its limit: the disk could not follow"
        if loss.too_large:
            detail = f"a frame of more than {MAX_FRAME_BYTES >> 20} MiB, which is not written down"
        gap = Gap(
            WHOLE,
            Cause.CLIENT_OVERFLOW,
            Certainty.KNOWN,
            loss.start_ns,
            loss.end_ns,
            loss.frames,
            loss.conn_epoch,
            detail,
        )
        now_ns = self._now_ns()
        self._tell_gap(GapBegins(now_ns, gap, marks=False))  # the next line says which topics are marked
        self._put(Count(now_ns, counting.ledger, tuple(sorted(missed.union(counting.marks)))), 1, _COST)

    def _tell_gap(self, line: GapBegins) -> None:
        self.gaps += 1
        self._put(line, 1, _COST)

    def _put(self, item: Item, lines: int, size: int) -> None:
        with self._ready:
            if not self._shut:
                self._items.append(item)
                self._lines += lines
                self._bytes += size
                self._ready.notify_all()

    # On other threads

    def ask_flush(self) -> threading.Event:
        """An event that is set when everything that has come so far is on the disk (or nothing more will be)."""
        done = threading.Event()
        with self._ready:
            if self._shut and not self._items:
                done.set()
            else:
                self._items.append(Flush(done))
                self._ready.notify_all()
        return done

    def take(self, timeout_s: float | None) -> Item | None:
        """The next of what waits; None if there is nothing within ``timeout_s`` seconds."""
        with self._ready:
            if not self._items and timeout_s != 0:
                self._ready.wait(timeout_s)
            if not self._items:
                return None
            item = self._items.popleft()
            if isinstance(item, tuple):
                self._lines -= len(item)
                self._bytes -= _cost(item)
            elif not isinstance(item, Mark | Flush | Stop):
                self._lines -= 1
                self._bytes -= _size(item)
            return item

    def abandon(self) -> int:
        """Take nothing more and forget what waits; returns how many frames that were, which are counted as lost."""
        with self._ready:
            self._shut = True
            items = list(self._items)
            self._items.clear()
            self._lines = self._bytes = 0
            self._ready.notify_all()
        frames = 0
        for item in items:
            if isinstance(item, tuple):
                frames += len(item)
            elif isinstance(item, Flush):
                item.done.set()
        self.lost += frames
        return frames


def _cost(frames: Sequence[Frame]) -> int:
    return sum(len(frame.data) for frame in frames) + _COST * len(frames)


def _size(line: Line) -> int:
    return _COST + (len(line.d) if isinstance(line, Statistics) else 0)
