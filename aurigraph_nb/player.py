"""Plays a tape into a feed: at its pace, faster, or at once; paused, from elsewhere, or round and round.

The player is driven by timers of a clock and lives on the I/O loop; no thread and no task of its own. Its position is
the feed's time.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice

from . import session as fsm
from .clock import Cancellable, Clock, Lockstep, RealClock
from .errors import RecordingCorrupt
from .links import FeedLink
from .protocols import Frame
from .protocols.base import Endpoint
from .recording.lines import Closed, FrameLine, Head, Line, Opened, frame_of
from .tape import Ear, Run, TapeLink

SLICE_LINES = 2_000
"""So many lines are played before others on the loop have their turn."""
BATCH_FRAMES = 1_000


class Player:
    """Plays runs of lines, one after the other, into the intake of a feed.

    All methods but the readings belong to the I/O loop, as does ``clock``.

    :param runs: at least one
    :param clock: paces; its time has nothing to do with that of the tape
    :param speed: seconds of the recording in a second; ``math.inf`` for as fast as it goes
    :param start_ns: first time that is played, ns since 1970 UTC
    :param end_ns: time from which on nothing is played
    """

    def __init__(
        self,
        runs: Sequence[Run],
        *,
        clock: Clock | None = None,
        speed: float = 1.0,
        start_ns: int | None = None,
        end_ns: int | None = None,
        loop: bool = False,
        paused: bool = False,
    ) -> None:
        self.runs = tuple(runs)
        self.start_ns = self.runs[0].start_ns if start_ns is None else start_ns
        self.end_ns = self.runs[-1].end_ns + 1 if end_ns is None else end_ns
        self.loop = loop
        self.clock = TapeClock(self, clock or RealClock())
        self.paused = paused
        self.finished = False
        self.error: RecordingCorrupt | None = None
        """Why it ended before the end of the tape; None otherwise."""
        self.laps = 0
        """How often the end was reached."""
        self._speed = speed
        self._at = self._target = self.start_ns  # played up to; being sought
        self._anchor: tuple[int, int] | None = None  # (time of the pacing clock, of the tape) that pacing counts from
        self._links: dict[str, TapeLink] = {}
        self._intake: Ear | None = None
        self._begin: Callable[[], None] = lambda: None
        self._tape: Iterator[Line] = iter(())
        self._next: Line | None = None
        self._silent = True
        self._timer: Cancellable | None = None
        self._closed = False
        self._began = False  # a head was met since the tape was wound

    # Readings, from any thread

    @property
    def position_ns(self) -> int:
        """The time of the tape, ns since 1970 UTC: goes on between two lines, and stands while paused."""
        if self._anchor is None or math.isinf(self._speed) or self.seeking:
            return self._at
        following = self._next
        limit = self.end_ns if following is None else min(following.t, self.end_ns)
        return max(self._at, min(self._paced(), limit))

    @property
    def speed(self) -> float:
        """Seconds of the recording in a second; infinite for as fast as it goes."""
        return self._speed

    @property
    def seeking(self) -> bool:
        """True while the tape is wound to another place."""
        return self._at < self._target

    @property
    def target_ns(self) -> int:
        """Where it is going while :attr:`seeking`, else the place that it was brought to last."""
        return self._target

    # Setting up

    def make_link(self, name: str, end: Endpoint, policy: fsm.Policy, intake: Ear) -> FeedLink:
        """The link of an endpoint; the first one decides whose intake is played into."""
        self._intake = intake
        link = TapeLink(name, end.url, end.topics, policy=policy, intake=intake, clock=self.clock)
        self._links[name] = link
        return link

    def begin(self, intake: Ear, restart: Callable[[], None]) -> None:
        """Play. ``restart`` empties the feed's topics."""
        self._intake, self._begin = intake, restart
        self._rewind()

    def close(self) -> None:
        """Stop for good."""
        self._closed = True
        self._stop_timer()
        self._tape = iter(())

    # Wishes

    def pause(self) -> None:
        """Let the tape stand. Harmless when it stands."""
        if not (self.paused or self.seeking):
            self._at = self.position_ns
            self._halt()
        self.paused = True
        self._tell()

    def resume(self) -> None:
        """Let the tape go on; from the end, go on from the start. Harmless when it runs."""
        self.paused = False
        if self.finished:
            self.seek(self.start_ns)
        else:
            self._go()
        self._tell()

    def set_speed(self, speed: float) -> None:
        """Go on at another speed."""
        if not self.seeking:
            self._at = self.position_ns
            self._halt()
        self._speed = speed
        self._go()
        self._tell()

    def seek(self, to_ns: int) -> None:
        """Wind to a time; the topics are then as if the tape had been played up to there.

        Ahead it goes on from where it is; elsewhere all topics begin anew.
        """
        to_ns = min(max(to_ns, self.start_ns), self.end_ns)
        if not self.seeking:
            self._at = self.position_ns
        self._target = to_ns
        self._halt()
        if to_ns > self._at and not self.finished:
            self._go()
            self._tell()
            return
        assert self._intake is not None
        self._intake.restart()
        self._begin()
        for link in self._links.values():
            link.restart()
        self._rewind()
        self._tell()

    # Inside

    def _rewind(self) -> None:
        self._at, self.finished, self._silent, self._began = self.start_ns, False, True, False
        self.error, self._tape = None, self._lines()
        try:
            self._next = next(self._tape, None)
        except Exception as error:  # noqa: BLE001 - whatever a file holds, whoever waits is told
            self._fail(error)
            return
        self._go()

    def _lines(self) -> Iterator[Line]:
        for run in self.runs:
            if run.end_ns >= self.start_ns:
                for lines in run.lines(self.start_ns):
                    yield from lines

    def _go(self) -> None:
        if self._timer is None and not self._closed and (self.seeking or not (self.paused or self.finished)):
            self._anchor = (self.clock.pacing.now_ns(), self._at)
            self._schedule()

    def _halt(self) -> None:
        self._stop_timer()
        self._anchor = None

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _paced(self) -> int:
        """The time at which the tape should be by its pace."""
        if self._anchor is None:
            return self._at
        real, tape = self._anchor
        return tape + round((self.clock.pacing.now_ns() - real) * self._speed)

    def _schedule(self) -> None:
        self._timer = self.clock.pacing.call_later(self._wait_s(), self._fire)

    def _wait_s(self) -> float:
        if self._silent or self.seeking or math.isinf(self._speed):
            return 0.0
        due_ns = self.end_ns if self._next is None else min(self._next.t, self.end_ns)
        return max(0, due_ns - self._paced()) / 1e9 / self._speed

    def _fire(self) -> None:
        """Play what is due, and come again."""
        self._timer = None
        if self._closed:
            return
        sought = self.seeking
        until = self._due_until()
        try:
            self._play(islice(self._take(until), SLICE_LINES))
        except Exception as error:  # noqa: BLE001 - whatever a file holds, whoever waits is told
            self._fail(error)
            return
        if sought and (self._next is None or self._next.t >= self._target):
            self._arrive()
        if self._is_over(until):
            self._finish()
        elif sought and not self.seeking:
            self._go()  # a pause, or the pace, counts from here
        elif self.seeking or not self.paused:
            self._schedule()

    def _due_until(self) -> float:
        """Lines before this time are due."""
        if self.seeking:
            return self._target
        if self._silent and self.paused:
            return self.start_ns
        return self.end_ns if math.isinf(self._speed) else min(self._paced() + 1, self.end_ns)

    def _is_over(self, until: float) -> bool:
        gone = self._next is None or self._next.t >= self.end_ns
        return gone and until >= self.end_ns

    def _arrive(self) -> None:
        """The sought place is reached."""
        self._at = self._target
        if self._silent:
            self._speak()
        self._anchor = None
        self._tell()

    def _take(self, until: float) -> Iterator[Line]:
        while self._next is not None and self._next.t < until:
            line, self._next = self._next, next(self._tape, None)
            yield line

    def _play(self, lines: Iterator[Line]) -> None:
        frames: list[Frame] = []
        for line in lines:
            if self._silent and line.t >= self.start_ns:
                self._flush(frames)
                self._speak()
            if not isinstance(line, FrameLine):
                self._flush(frames)
                self._at = max(self._at, line.t)
                self._happen(line)
                continue
            if frames and (frames[0].endpoint != line.e or len(frames) >= BATCH_FRAMES):
                self._flush(frames)
            frames.append(frame_of(line))
        self._flush(frames)

    def _flush(self, frames: list[Frame]) -> None:
        if not frames:
            return
        assert self._intake is not None
        self._at = max(self._at, frames[-1].recv_ns)
        link = self._links.get(frames[0].endpoint)
        if link is None or link.away or self._silent:
            self._intake.decoder.decode(frames)  # it has to know them, for what comes after
        else:
            link.frames += len(frames)
            self._intake.on_frames(link, list(frames))
        frames.clear()

    def _happen(self, line: Line) -> None:
        assert self._intake is not None
        if isinstance(line, Head):
            self._head(line)
        elif isinstance(line, Opened | Closed):
            if (link := self._links.get(line.e)) is not None:
                link.play(line)
        else:
            self._intake.apply(line, silent=self._silent)

    def _head(self, head: Head) -> None:
        assert self._intake is not None
        self._intake.go_on_from(head)
        if self._began and not head.first:
            return
        self._began = True
        for name, link in self._links.items():
            if name in head.up:
                link.play(Opened(head.t, name, head.up[name]))

    def _speak(self) -> None:
        """What was left out is over: from here on rows come."""
        assert self._intake is not None
        self._silent = False
        self._intake.forget_past_gaps()

    def _finish(self) -> None:
        self._at, self._anchor = self.end_ns, None
        self.laps += 1
        if self.loop:
            self.seek(self.start_ns)
            return
        self.finished = True
        for link in self._links.values():
            link.finish()
        self._tell()

    def _fail(self, error: Exception) -> None:
        """A line makes no sense: it ends here, and says why."""
        self._halt()
        self._next, self._tape, self.finished, self._target = None, iter(()), True, self._at
        reached = datetime.fromtimestamp(self._at // 10**9, UTC).isoformat(sep=" ")
        self.error = RecordingCorrupt(f"the recording cannot be played on from {reached}: {error}")
        for link in self._links.values():
            link.fail(str(self.error))
        self._tell()

    def _tell(self) -> None:
        if self._intake is not None:
            self._intake.tell()


class TapeClock:
    """The clock of a feed that is played: its time is the tape's, its timers are those of the clock that paces."""

    def __init__(self, player: Player, pacing: Clock) -> None:
        self._player = player
        self.pacing = pacing

    def now_ns(self) -> int:
        return self._player.position_ns

    async def sleep(self, seconds: float) -> None:
        await self.pacing.sleep(seconds / self._rate)

    async def sleep_until(self, ns: int) -> None:
        await self.sleep(max(0, ns - self.now_ns()) / 1e9)

    def call_later(self, seconds: float, fn: Callable[[], object]) -> Cancellable:
        return self.pacing.call_later(seconds / self._rate, fn)

    @property
    def _rate(self) -> float:
        return self._player.speed if math.isfinite(self._player.speed) else 1.0

    def awake(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def channel(self, name: str) -> Lockstep | None:
        return None

    def lookup(self, name: str) -> Lockstep | None:
        return None

    def drop(self, name: str) -> None:
        """There is none."""
