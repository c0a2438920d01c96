"""The clocks: real time, and a virtual time that is exact, finite and may run fast.

A feed and the node it watches share one clock. On the real clock that means nothing special. The virtual clock is a
discrete-event clock: it moves from one wake-up time to the next, and only while *everybody* who lives on it sleeps and
nothing that was sent is still on its way. So a frame that the node sends at 12:00:03 is received at 12:00:03, whatever
the machine was doing, and two runs give the same receive times to the nanosecond, over real sockets.

The rule for a task that sleeps on a clock: do it inside ``with clock.awake():``. What is on the wire holds the clock
through a :class:`Lockstep`, one per connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Protocol


class Cancellable(Protocol):
    """What ``call_later`` gives back."""

    def cancel(self) -> object: ...


class Clock(Protocol):
    """What feeds and nodes need of a clock."""

    def now_ns(self) -> int:
        """Now, ns since 1970 UTC."""

    async def sleep(self, seconds: float) -> None:
        """Sleep for ``seconds`` of this clock's time."""

    async def sleep_until(self, ns: int) -> None:
        """Sleep until this clock shows ``ns``; a time in the past only yields."""

    def call_later(self, seconds: float, fn: Callable[[], object]) -> Cancellable:
        """Call ``fn`` on the running loop after ``seconds`` of this clock's time, unless cancelled before."""

    def awake(self) -> contextlib.AbstractContextManager[None]:
        """Mark the current task as one that the clock has to wait for, except while it sleeps on the clock."""

    def channel(self, name: str) -> Lockstep | None:
        """The lockstep of the connection ``name``, made at the first call; None where there is none to keep."""

    def lookup(self, name: str) -> Lockstep | None:
        """The lockstep that a peer in this process opened under ``name``, or None."""

    def drop(self, name: str) -> None:
        """Forget the lockstep ``name``; its connection is gone."""


class Lockstep:
    """Counts what was sent over one connection and not yet received; holds the clock meanwhile."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._in_flight = 0
        self._broken = False

    def sent(self, count: int = 1) -> None:
        """``count`` frames (or the closing of the connection) are about to be sent."""
        if not self._broken:
            self._in_flight += count
            self._clock.hold(count)

    def received(self, count: int = 1) -> None:
        """``count`` frames were received and fully processed."""
        count = min(count, self._in_flight)
        self._in_flight -= count
        self._clock.release(count)

    def broken(self) -> None:
        """The connection is gone, and all that was in flight with it."""
        self._broken = True
        self.received(self._in_flight)


class RealClock:
    """The time of the machine."""

    def now_ns(self) -> int:
        return time.time_ns()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    async def sleep_until(self, ns: int) -> None:
        await asyncio.sleep(max(0, ns - time.time_ns()) / 1e9)

    def call_later(self, seconds: float, fn: Callable[[], object]) -> Cancellable:
        return asyncio.get_running_loop().call_later(max(0.0, seconds), fn)

    def awake(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def channel(self, name: str) -> Lockstep | None:
        return None

    def lookup(self, name: str) -> Lockstep | None:
        return None

    def drop(self, name: str) -> None:
        pass


class VirtualClock:
    """A clock that moves only when everybody on it sleeps.

    All methods but :meth:`now_ns` belong to one event loop.

    :param start_ns: first time it shows, ns since 1970 UTC
    :param speed: seconds of virtual time in a real second at most; None: as fast as it goes
    """

    def __init__(self, start_ns: int, speed: float | None = None) -> None:
        self.start_ns = start_ns
        self.speed = speed
        self._now = start_ns
        self._holds = 0
        self._order = itertools.count()
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._channels: dict[str, Lockstep] = {}
        self._anchor: tuple[float, int] | None = None  # (real monotonic s, virtual ns) that pacing counts from
        self._next_turn: asyncio.Handle | None = None

    def now_ns(self) -> int:
        return self._now

    def hold(self, count: int = 1) -> None:
        """Let the clock stand still until :meth:`release` was called as often."""
        self._holds += count

    def release(self, count: int = 1) -> None:
        self._holds -= count
        self._schedule()

    @contextlib.contextmanager
    def awake(self) -> Iterator[None]:
        self.hold()
        try:
            yield
        finally:
            self.release()

    async def sleep(self, seconds: float) -> None:
        await self.sleep_until(self._now + round(max(0.0, seconds) * 1e9))

    async def sleep_until(self, ns: int) -> None:
        wake = self._push(ns)
        self.release()
        try:
            await wake
        except asyncio.CancelledError:
            if wake.cancelled() or not wake.done():
                wake.cancel()
                self.hold()  # as _turn would have done: the sleeper is awake again, to end
            raise

    def call_later(self, seconds: float, fn: Callable[[], object]) -> Cancellable:
        wake = self._push(self._now + round(max(0.0, seconds) * 1e9))

        def fire(future: asyncio.Future[None]) -> None:
            if not future.cancelled():
                try:
                    fn()
                finally:
                    self.release()

        wake.add_done_callback(fire)
        self._schedule()
        return wake

    def _push(self, ns: int) -> asyncio.Future[None]:
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (max(ns, self._now), next(self._order), wake))
        if self._next_turn is not None and self._sleepers[0][2] is wake:
            self._next_turn.cancel()  # it waits for a later time than this one
            self._next_turn = None
        return wake

    def channel(self, name: str) -> Lockstep:
        return self._channels.setdefault(name, Lockstep(self))

    def lookup(self, name: str) -> Lockstep | None:
        return self._channels.get(name)

    def drop(self, name: str) -> None:
        """Forget a connection's lockstep."""
        lockstep = self._channels.pop(name, None)
        if lockstep is not None:
            lockstep.broken()

    def _schedule(self) -> None:
        if self._holds == 0 and self._sleepers and self._next_turn is None:
            loop = asyncio.get_running_loop()
            self._next_turn = loop.call_later(self._pause_s(), self._turn)

    def _pause_s(self) -> float:
        """Real seconds to wait before the next wake-up is due."""
        if self.speed is None:
            return 0.0
        real = time.monotonic()
        if self._anchor is None:
            self._anchor = (real, self._now)
        anchor_real, anchor_virtual = self._anchor
        due = anchor_real + (self._sleepers[0][0] - anchor_virtual) / 1e9 / self.speed
        return max(0.0, due - real)

    def _turn(self) -> None:
        """Wake the first sleeper, if still everybody sleeps."""
        self._next_turn = None
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)  # cancelled meanwhile
        if self._holds or not self._sleepers:
            self._schedule()
            return
        if self._pause_s() > 0.0:
            self._schedule()  # an earlier sleeper was cancelled: its time is not the next one's
            return
        ns, _, wake = heapq.heappop(self._sleepers)
        self._now = max(self._now, ns)
        self.hold()  # on behalf of the sleeper, who is awake from here on
        wake.set_result(None)
