"""The thread that writes a feed down: from the inbox into the segments of the journal."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

import msgspec

from .. import iothread
from ..errors import RecordingError
from ..intake import Counting
from ..protocols import Frame
from ..recording.journal import JournalWriter
from ..recording.lines import End, Head, Line, Statistics, data_of, frame_line, statistics_line
from ..status import RateMeter
from ..tokens import Secrets
from .inbox import Flush, Inbox, Item, Mark, Stop

FLUSH_LINES = 1_000
FLUSH_S = 0.25
FLUSH_BYTES = 4 * 2**20
"""What was taken from the inbox is written at the latest when it is so many lines, so old, or so large."""
TICK_S = 10.0
"""How often a recorder says that it is alive while nothing comes."""
BEAT_S = 1.0
"""How often other processes are told so."""

log = logging.getLogger("aurigraph_nb")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a writer has to know."""

    begin: Callable[[Head], JournalWriter]
    """Makes a segment that begins with this line (and a number that is free)."""
    segment_bytes: int
    segment_age_s: float
    ticks: bool
    """Whether the feed lives on the machine's clock: then silence is noted."""
    beat: Callable[[], object]
    """Tells other processes that this recorder lives; called every second or so."""


class Writer(threading.Thread):
    """Writes until it is told to stop, or cannot.

    :param journal: the first segment, with its head
    :param on_segment: called with the number of each segment that was ended
    :param on_end: called last, with the error that ended it, if one did
    """

    def __init__(
        self,
        plan: Plan,
        inbox: Inbox,
        journal: JournalWriter,
        secrets: Secrets,
        *,
        on_segment: Callable[[int], None],
        on_end: Callable[[Exception | None], None],
    ) -> None:
        super().__init__(name=f"aurigraph-nb-recorder-{journal.head.recorder}", daemon=True)
        self._plan, self._inbox, self._journal, self._secrets = plan, inbox, journal, secrets
        self._on_segment, self._on_end = on_segment, on_end
        self._buffer: list[Line] = []
        self._buffer_frames = 0
        self._buffer_bytes = 0
        self._since = 0.0  # monotonic s: of the oldest line in the buffer
        self._begun = self._last = self._beaten = time.monotonic()
        self._marked = False
        self._meter = RateMeter()
        self._earlier_bytes = 0
        self.frames = 0
        """Frames that are on the disk."""
        self.frame_bytes = 0
        """Their size, as they came."""
        self.segments = 1
        """Segments begun."""

    @property
    def bytes(self) -> int:
        """Bytes of journal that were written."""
        return self._earlier_bytes + self._journal.bytes

    @property
    def rate_hz(self) -> float:
        """Frames written per second, over the last ten."""
        return self._meter.rate(time.monotonic_ns())

    def run(self) -> None:
        """Write until the end."""
        error: Exception | None = None
        try:
            while not self._take(self._inbox.take(self._patience())):
                self._look_at_time()
        except RecordingError as exc:
            error = exc
        except Exception as exc:
            log.exception("a fault of the recorder")
            error = RecordingError(f"a fault of the recorder: {type(exc).__name__}: {exc}")
        finally:
            self._inbox.lost += self._buffer_frames
            self._buffer.clear()
            self._inbox.abandon()
            self._journal.close()
            self._on_end(error)

    def _patience(self) -> float:
        """How long there is nothing to do but wait for the inbox, s."""
        now = time.monotonic()
        if self._buffer:
            return max(0.0, self._since + FLUSH_S - now)
        return BEAT_S

    def _look_at_time(self) -> None:
        now = time.monotonic()
        if self._buffer and now - self._since >= FLUSH_S:
            self._flush()
        if now - self._beaten >= BEAT_S:
            self._beaten = now
            self._plan.beat()
        if now - self._last >= TICK_S:
            self._last = now
            if self._plan.ticks:
                iothread.get().call(self._inbox.tick)
        if not self._marked and self._journal.frames and self._is_due(now):
            self._marked = True
            iothread.get().call(self._inbox.mark)

    def _is_due(self, now: float) -> bool:
        """Whether the segment is large or old enough."""
        old = now - self._begun >= self._plan.segment_age_s
        return old or self._journal.raw_bytes >= self._plan.segment_bytes

    def _take(self, item: Item | None) -> bool:
        """Do what an item of the inbox asks for; returns whether it was the last."""
        match item:
            case None:
                return False
            case tuple():
                self._take_frames(item)
            case Mark():
                self._flush()
                self._roll(item.t, item.counting)
            case Flush():
                self._flush()
                item.done.set()
            case Stop():
                self._flush()
                self._end(item.t, last=True)
                return True
            case Statistics():
                line = statistics_line(item.t, self._secrets.scrub_data(data_of(item)))
                self._add(line, len(line.d))
            case _:
                self._add(item, 0)
        return False

    def _take_frames(self, frames: Sequence[Frame]) -> None:
        scrub = self._secrets.scrub_data
        for frame in frames:
            data = scrub(frame.data)
            if data is not frame.data:
                frame = msgspec.structs.replace(frame, data=data)
            self._buffer_frames += 1
            self._add(frame_line(frame), len(data))

    def _add(self, line: Line, size: int) -> None:
        if not self._buffer:
            self._since = time.monotonic()
        self._buffer.append(line)
        self._buffer_bytes += size
        if len(self._buffer) >= FLUSH_LINES or self._buffer_bytes >= FLUSH_BYTES:
            self._flush()

    def _flush(self) -> None:
        if not self._buffer:
            return
        self._journal.write(self._buffer)
        self._last = time.monotonic()
        self.frames += self._buffer_frames
        self.frame_bytes += self._buffer_bytes
        self._meter.add(time.monotonic_ns(), self._buffer_frames)
        self._buffer.clear()
        self._buffer_frames = self._buffer_bytes = 0

    # Segments

    def _end(self, t: int, *, last: bool) -> None:
        self._journal.end(End(t, self._journal.frames, last))
        self._on_segment(self._journal.segment)

    def _roll(self, t: int, counting: Counting) -> None:
        self._end(t, last=False)
        old = self._journal
        head = head_at(old.head, t, counting, segment=old.segment + 1, first=False)
        self._journal = self._plan.begin(head)
        self._earlier_bytes += old.bytes
        self._begun = time.monotonic()
        self._marked = False
        self.segments += 1


def head_at(like: Head, t: int, counting: Counting, *, segment: int, first: bool) -> Head:
    """The first line of a segment that begins where the counting stands so."""
    return msgspec.structs.replace(
        like,
        t=t,
        segment=segment,
        first=first,
        ledger=counting.ledger,
        marks=counting.marks,
        open=counting.open,
        up=counting.up,
    )
