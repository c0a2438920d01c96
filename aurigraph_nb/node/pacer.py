"""The pace of a node: the model's events and the other systems' emissions, each sent at its time of the clock.

One task does both, so that what the systems tell of the model is the same in every run: at the same time, the model's
events come first.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence

from ..clock import Clock, VirtualClock
from .door import LOG, Door
from .events import Event, ServingEvent, TopicEvent
from .hub import Hub
from .model import Model
from .stats import Books
from .systems import Stage
from .truth import Incident

BATCH_NS = 5_000_000
"""Events within this time go out together."""
SINGLY_PER_S = 500.0
"""Up to so many frames a second, a virtual clock stops at every event: frames are received at the time they carry."""
BATCH_EVENTS = 400
"""A node that is late sends as many before it lets others work."""
TOO_LATE_NS = 60_000_000_000
"""A node on a real clock that is later than that gives up what it missed, and counts it."""
END_OF_RUN = (1000, "end of run")
RESTART = (1012, "service restart")


class Pacer:
    """Runs a model and the systems beside it.

    :param lock: held while the model changes
    """

    def __init__(self, clock: Clock, hub: Hub, door: Door, books: Books, stage: Stage, lock: threading.Lock) -> None:
        self._clock = clock
        self._virtual = isinstance(clock, VirtualClock)
        self._hub = hub
        self._door = door
        self._books = books
        self._stage = stage
        self._lock = lock
        self._napping = self._poked = False
        self.dark = False
        """Whether the scenario has the node refuse everybody."""
        self.finished = asyncio.Event()

    async def pace(self, model: Model, started: Callable[[], None]) -> None:
        """Run ``model`` to its end; ``started`` is called once the clock waits for this task."""
        try:
            with self._clock.awake():
                started()
                await self._run(model)
        except Exception:  # noqa: BLE001 - whatever it was, the clients must not wait for ever
            LOG.exception("the node's model failed; its connections are closed")
            await self._hub.close(1011, "internal error")

    async def _run(self, model: Model) -> None:
        batch_ns = 0 if self._virtual and model.options.frames_per_s <= SINGLY_PER_S else BATCH_NS
        sent_until = self._clock.now_ns() - batch_ns
        while (wake := self._wake(model, sent_until + batch_ns)) is not None:
            cue = self._cue(model)
            if cue is not None and cue < wake:
                if await self._nap(cue):
                    await self._play(cue)
                continue
            if not await self._nap(wake):
                continue
            due = model.next_ns
            assert due is not None  # or it would have had no time to wake
            if self._is_too_late(due):
                await self._give_up_the_past(model, due)
                continue
            # On a virtual clock what goes out must depend on the model alone.
            sent_until = wake if self._virtual else max(due, self._clock.now_ns())
            self._books.late_s = max(0, self._clock.now_ns() - wake) / 1e9
            await self._send_until(model, sent_until)
        await self._finish(model)

    @staticmethod
    def _wake(model: Model, earliest_ns: int) -> int | None:
        """When to send the model's next events; None after its end."""
        due = model.next_ns
        if due is None:
            return None
        wake = max(due, earliest_ns)
        return wake if model.end_ns is None else min(wake, max(due, model.end_ns - 1))

    async def _finish(self, model: Model) -> None:
        """After the model's last event: what the systems have to tell until the end, and the end."""
        while (cue := self._cue(model)) is not None:
            if await self._nap(cue):
                await self._play(cue)
        if model.end_ns is not None:
            await self._clock.sleep_until(model.end_ns)
        self.finished.set()
        if self.dark:  # whoever waits for the node's return is to learn that the run is over
            self.dark = False
            await self._door.open()
        await self._door.see_out(*END_OF_RUN)

    # The model

    def _is_too_late(self, due_ns: int) -> bool:
        return not self._virtual and self._clock.now_ns() - due_ns > TOO_LATE_NS

    async def skip(self, model: Model, now: int) -> None:
        """Let the model run to ``now`` without sending what happens."""
        with self._lock:
            model.forget_transactions_until(now)
        while (due := model.next_ns) is not None and due <= now:
            with self._lock:
                events = model.take(now, BATCH_EVENTS)
            for event in events:
                if isinstance(event, ServingEvent):
                    self.dark = not event.up
            self._hub.withhold(events)
            await asyncio.sleep(0)
        self._stage.skip_to(now)

    async def _give_up_the_past(self, model: Model, due_ns: int) -> None:
        """The machine slept, or is far too slow for the rate: go on from now instead of flooding the clients."""
        now = self._clock.now_ns()
        with self._lock:
            model.note(Incident("late", due_ns, now, "the machine slept or was too slow; nothing was sent"))
        was_dark = self.dark
        await self.skip(model, now)
        if self.dark and not was_dark:
            await self._door.shut(*RESTART)
        elif was_dark and not self.dark:
            await self._door.open()

    async def _send_until(self, model: Model, until_ns: int) -> None:
        while (due := model.next_ns) is not None and due <= until_ns:
            with self._lock:
                events = model.take(until_ns, BATCH_EVENTS)
            await self._deliver(events)
            await self._hub.relieve()

    async def _deliver(self, events: Sequence[Event]) -> None:
        frames: list[TopicEvent] = []
        for event in events:
            if not isinstance(event, ServingEvent):
                frames.append(event)
                continue
            self._hub.broadcast(frames)
            frames = []
            self.dark = not event.up
            if self.dark:
                await self._door.shut(*RESTART)
            else:
                await self._door.open()
        self._hub.broadcast(frames)

    # The other systems

    def _cue(self, model: Model) -> int | None:
        """When the next of the other systems tells something; None if none does before the end."""
        cue = self._stage.next_ns
        return None if cue is None or (model.end_ns is not None and cue >= model.end_ns) else cue

    async def _play(self, cue_ns: int) -> None:
        """Send what the other systems tell at that time."""
        now = cue_ns if self._virtual else max(cue_ns, self._clock.now_ns())
        if self._is_too_late(cue_ns):
            self._stage.skip_to(now)
            return
        for system, emissions in self._stage.take(now):
            self._hub.publish(system, emissions)
        await self._hub.relieve()

    # Sleeping

    async def _nap(self, until_ns: int) -> bool:
        """Sleep until then; or, poked, not as long, which is told by False."""
        self._napping = True
        try:
            await self._clock.sleep_until(until_ns)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._poked or task is None or task.uncancel() > 0:
                raise
            return False
        finally:
            self._napping = self._poked = False
        return True

    def poke(self, task: asyncio.Task[None]) -> None:
        """Somebody listens to a system that nobody listened to: the next thing to do may come earlier.

        :param task: the one that paces
        """
        if self._napping and not self._poked:
            self._poked = True
            task.cancel()
