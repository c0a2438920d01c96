"""The recorder as people hold it: what it has written, and how to end it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from .. import iothread
from ..client import BATCH_S
from ..durations import seconds
from ..errors import FeedTimeout, RecordingError
from ..recording.directory import Directory
from ..recording.locks import Lock
from ..session import brief
from .inbox import Inbox
from .progress import Progress, size, view
from .sealing import Sealing
from .writer import Writer

if TYPE_CHECKING:
    from ..feed import Feed

FREE_EVERY_S = 1.0
"""How often the disk is asked how much is free."""
HAND_OVER_S = 1.2 * BATCH_S
"""So much later, connections have handed over what they received before."""
_LOOK_S = 0.02

log = logging.getLogger("aurigraph_nb")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a recorder was asked for; two requests that are equal mean the same recorder."""

    topics: tuple[str, ...]
    durability: str
    mirror: str | None
    mirror_options: dict[str, Any]
    name: str | None
    segment_bytes: int
    segment_age_s: float

    def __repr__(self) -> str:
        return "Options()"  # those of the mirror may hold secrets


class Place(msgspec.Struct, frozen=True):
    """Where a recorder writes, and as whom."""

    directory: Directory
    recorder: str
    lock: Lock


class Recorder:
    """Writes a feed down until it is closed, the feed is closed or its run over, or the disk full. Made by
    ``feed.record(path)``.

    A context manager. Everything may be read on any thread, also after the end.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7, metrics_interval=0.1)
    >>> with feed.record("run", topics="metrics") as recorder:
    ...     recorder.wait(2, timeout=30)
    >>> recorder.running, recorder.frames >= 2, recorder.lost
    (False, True, 0)
    """

    def __init__(
        self, feed: Feed, place: Place, options: Options, inbox: Inbox, *, resumed: int, real_time: bool
    ) -> None:
        self.path: Path = place.directory.path
        """The recording."""
        self.name: str = place.recorder
        """As whom it writes: unique in the recording."""
        self.options = options
        self.error: str | None = None
        """Why it ended early; None if it did not."""
        self._feed, self._place, self._inbox = feed, place, inbox
        self._real_time = real_time
        self._pid = os.getpid()
        self._topics = [feed[name] for name in options.topics]
        self._rows_before = self._stored()
        self._gaps_before = feed.intake.book.total - resumed
        self._rows: int | None = None  # when it ended
        self._gaps: int | None = None
        self._writer: Writer
        self._sealing: Sealing
        self._end_ns: int | None = None  # on the feed's clock
        self._begun = time.monotonic()
        self._ended: float | None = None
        self._free: tuple[float, int | None] = (float("-inf"), None)
        self._done = threading.Event()
        self._widget: Any = None

    def start(self, writer: Writer, sealing: Sealing) -> None:
        """Begin."""
        self._writer, self._sealing = writer, sealing
        sealing.start()
        writer.start()
        self._feed.add_recorder(self)
        if self._done.is_set():
            self._feed.drop_recorder(self)

    def follow(self) -> None:
        """End if the feed's run is over: nothing more comes. On any thread."""
        if self._is_over():
            iothread.get().call(self._stop_if_over)

    def _stop_if_over(self) -> None:
        if self._is_over():
            self._stop()

    def _is_over(self) -> bool:
        return self._end_ns is None and self._feed.ended and self._ours

    # What it says about itself

    @property
    def feed(self) -> Feed:
        """What is recorded."""
        return self._feed

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that are recorded."""
        return self.options.topics

    @property
    def running(self) -> bool:
        """Whether frames that come are written down."""
        return self._ended is None and self._ours

    @property
    def _ours(self) -> bool:
        """False in a forked child: the threads, and all that is recorded, are the parent's."""
        return os.getpid() == self._pid

    @property
    def frames(self) -> int:
        """Frames on the disk: what is counted here survives the end of the process."""
        return self._writer.frames

    @property
    def rows(self) -> int:
        """Rows of the recorded topics that came since the start."""
        return self._stored() - self._rows_before if self._rows is None else self._rows

    @property
    def bytes(self) -> int:
        """Bytes of journal written."""
        return self._writer.bytes

    @property
    def rate_hz(self) -> float:
        """Frames written per second, over the last ten."""
        return self._writer.rate_hz if self.running else 0.0

    @property
    def lost(self) -> int:
        """Frames that came and could not be written, because the disk was too slow or full."""
        return self._inbox.lost

    @property
    def segments(self) -> int:
        """Segments of the journal begun."""
        return self._writer.segments

    @property
    def free_bytes(self) -> int | None:
        """Free space on the disk, bytes, as of the last second; None if it does not say."""
        looked, free = self._free
        if time.monotonic() - looked >= FREE_EVERY_S:
            with contextlib.suppress(OSError):
                free = shutil.disk_usage(self.path).free
            self._free = (time.monotonic(), free)
        return free

    def progress(self) -> Progress:
        """All of it at one moment.

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, metrics_interval=0.1)
        >>> with feed.record("run", topics="metrics") as recorder:
        ...     recorder.wait(1, timeout=30)
        >>> recorder.progress().frames >= 1
        True
        """
        book = self._feed.intake.book
        return Progress(
            running=self.running,
            path=str(self.path),
            frames=self.frames,
            rows=self.rows,
            bytes=self.bytes,
            frame_bytes=self._writer.frame_bytes,
            rate_hz=self.rate_hz,
            waiting=self._inbox.waiting,
            lost=self.lost,
            gaps=(book.total - self._gaps_before + self._inbox.gaps) if self._gaps is None else self._gaps,
            segments=self.segments,
            unsealed=self._sealing.backlog,
            free_bytes=self.free_bytes,
            elapsed_s=(self._ended or time.monotonic()) - self._begun,
            error=self.error,
            sealing_error=self._sealing.error,
        )

    def __repr__(self) -> str:
        state = f"failed: {brief(self.error, 120)}" if self.error else "recording" if self.running else "ended"
        lost = f", {self.lost:,} lost" if self.lost else ""
        return (
            f"<Recorder of {brief(self._feed.name)} into {brief(self.path.name, 60)}: {state}, {self.frames:,} frames, "
            f"{self.rows:,} rows, {size(self.bytes)}{lost}>"
        )

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """In a notebook: its progress, as a widget."""
        make = view()
        if make is None:
            return {"text/plain": repr(self)}
        if self._widget is None:
            self._widget = make(self)
        return self._widget._repr_mimebundle_(**options)

    def _stored(self) -> int:
        return sum(topic.store.count for topic in self._topics)

    # Waiting and ending

    def wait(self, frames: int | None = None, *, timeout: Any = None) -> None:
        """Wait until so many frames are on the disk; without a number, until the recording has ended and is sealed.

        It ends by itself when the feed's run is over: a simulation or a replay that has an end.

        :param timeout: seconds or a duration, None for ever
        :raises FeedTimeout: if it is not so in time
        :raises RecordingError: if it ended with fewer frames, or in a forked child
        :raises WrongThread: on the I/O thread

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, metrics_interval=0.1)
        >>> with feed.record("run", topics="metrics") as recorder:
        ...     recorder.wait(2, timeout=30)
        >>> recorder.frames >= 2
        True
        """
        self._check("wait")
        limit_s = None if timeout is None else seconds(timeout, option="timeout")
        deadline = float("inf") if limit_s is None else time.monotonic() + limit_s
        while not (self._done.is_set() if frames is None else self.frames >= frames):
            if self._done.wait(max(0.0, min(_LOOK_S, deadline - time.monotonic()))) and frames is not None:
                self._check_enough(frames)
            elif time.monotonic() > deadline:
                wanted = "the end of the recording" if frames is None else f"{frames:,} frames on the disk"
                raise FeedTimeout(
                    f"wait: after {limit_s:g} s there are {self.frames:,} frames on the disk, not {wanted}"
                )

    def _check(self, what: str) -> None:
        self._feed.check_thread(what)
        if not self._ours:
            raise RecordingError(f"{what}: this process was forked from the one that records, and has nothing of it.")

    def _check_enough(self, frames: int) -> None:
        if self.frames < frames:
            why = f": {self.error}" if self.error else ""
            raise RecordingError(f"wait: the recording ended with {self.frames:,} frames, not {frames:,}{why}")

    def flush(self, timeout: Any = 60) -> None:
        """Wait until everything that the feed has taken in so far is on the disk.

        :param timeout: seconds or a duration, None for ever
        :raises FeedTimeout: if it is not so in time
        :raises RecordingError: if the recording ended early, or in a forked child
        :raises WrongThread: on the I/O thread

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, metrics_interval=0.1)
        >>> with feed.record("run", topics="metrics") as recorder:
        ...     _ = feed.metrics.take(2, timeout=30)
        ...     recorder.flush(timeout=30)
        ...     recorder.frames >= 2
        True
        """
        self._check("flush")
        limit_s = None if timeout is None else seconds(timeout, option="timeout")
        if not self._inbox.ask_flush().wait(limit_s):
            raise FeedTimeout(f"flush: after {limit_s:g} s the disk has not taken what waits to be written")
        if self.error is not None:
            raise RecordingError(self.error)

    def close(self) -> None:
        """End the recording: write what waits, seal, and wait for that. The feed goes on. Harmless twice.

        (A call on the I/O thread does not wait. One that was interrupted can be repeated. In a forked child there is
        nothing to end: the recording is the parent's.)

        >>> import aurigraph_nb as ag
        >>> feed = ag.simulate(seed=7, metrics_interval=0.1)
        >>> recorder = feed.record("run", topics="metrics")
        >>> recorder.close()
        >>> recorder.running, feed.closed
        (False, False)
        """
        if not self._ours:
            return
        io = iothread.get()
        if io.here:
            self._stop()
            return
        if self.running:
            io.call(self._stop)
        try:
            self._done.wait()
        except KeyboardInterrupt:
            self._sealing.hurry()
            raise

    def stop(self) -> None:
        """The same as :meth:`close`."""
        self.close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _stop(self) -> None:
        """End it as of this moment. On the loop."""
        if self._end_ns is not None:
            return
        self._end_ns = self._feed.now_ns()
        if self._feed.closed or not self._real_time:
            self._stop_now()  # connections that are closed, or go in lockstep, have handed over what they had
        else:
            asyncio.get_running_loop().call_later(HAND_OVER_S, self._stop_now)

    def _stop_now(self) -> None:
        if self.running:
            self._leave()
            self._inbox.stop(self._end_ns or 0)

    def _leave(self) -> None:
        """Take nothing more of the feed. On the loop."""
        if self._rows is None:
            self._rows = self._stored() - self._rows_before
            self._gaps = self._feed.intake.book.total - self._gaps_before + self._inbox.gaps
            self._ended = self._ended or time.monotonic()
        self._feed.untap(self._inbox)

    # On the threads that it has

    def written(self, error: Exception | None) -> None:
        """The journal has ended."""
        if error is not None:
            self.error = str(error)
            log.warning("the recording of %s ended: %s", self._feed.name, error)
            self._end_ns = self._end_ns or self._feed.now_ns()
            self._ended = self._ended or time.monotonic()
            iothread.get().call(self._leave)
            self._feed.tell()
        self._sealing.finish()

    def last_words(self) -> dict[str, Any]:
        """What the manifest says about the end."""
        state = "ended" if self.error is None else "failed"
        return {"state": state, "detail": self.error or "", "ended_ns": self._end_ns}

    def sealed(self) -> None:
        """Nothing more is going to be sealed."""
        try:
            self._place.lock.release()
            self._feed.drop_recorder(self)
        finally:
            self._done.set()
        self._feed.tell()
