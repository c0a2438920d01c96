"""The node on a loop: the model's events, paced by a clock, over real sockets.

Everything here belongs to one event loop, but :attr:`NodeServer.truth` and :meth:`NodeServer.stats`, which any thread
may read. :class:`~aurigraph_nb.node.Node` is the same for people.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Sequence
from typing import Any

from ..clock import Clock, RealClock, VirtualClock
from ..errors import FeedClosed, UsageError
from . import faults
from .door import LOG, Door
from .events import TOPICS, Event, ServingEvent, TopicEvent
from .hub import Hub
from .model import Model
from .options import NodeOptions
from .stats import Books, NodeStats
from .truth import Incident, Truth
from .wire import Wire

BATCH_NS = 5_000_000
"""Events within this time go out together."""
SINGLY_PER_S = 500.0
"""Up to so many frames a second, a virtual clock stops at every event: frames are received at the time they carry."""
BATCH_EVENTS = 400
"""A node that is late sends as many before it lets others work."""
TOO_LATE_NS = 60_000_000_000
"""A node on a real clock that is later than that gives up what it missed, and counts it."""
PATIENCE_S = 0.5
PATIENCE_VIRTUAL_S = 30.0
END_OF_RUN = (1000, "end of run")
RESTART = (1012, "service restart")


class NodeServer:
    """A node, on the loop that it is used from.

    On a real clock it begins with :meth:`start`; on a virtual one with :meth:`begin`, and the clock stands still until
    then, so that whoever wants to see everything can connect first.

    :param options: made by :func:`aurigraph_nb.node.options.make`
    """

    def __init__(self, options: NodeOptions) -> None:
        self.options = options
        self.clock: Clock = options.clock or (
            RealClock() if options.start_ns is None else VirtualClock(options.start_ns, options.speed)
        )
        self._virtual = isinstance(self.clock, VirtualClock)
        self._books = Books()
        patience_s = PATIENCE_VIRTUAL_S if self._virtual else PATIENCE_S
        self._hub = Hub(
            Wire(options.shape), self.clock, self._books, broadcast=options.broadcast, patience_s=patience_s
        )
        self._door = Door(options, self.clock, self._hub, self._books)
        self._model: Model | None = None
        self._model_lock = threading.Lock()  # the truth is read from other threads
        self._turn = asyncio.Lock()  # of start and stop
        self._pacer: asyncio.Task[None] | None = None
        self._hold: contextlib.ExitStack | None = None  # keeps a virtual clock still until begin
        self._running = self._dark = self._closed = False
        self._finished = asyncio.Event()

    # What it is

    @property
    def running(self) -> bool:
        """Whether it is started and not stopped. (In an outage it is running, and refuses.)"""
        return self._running

    @property
    def finished(self) -> bool:
        """Whether the run is over; only a node with a ``duration`` ends."""
        return self._finished.is_set()

    async def wait_finished(self) -> None:
        """Wait for the end of the run."""
        await self._finished.wait()

    @property
    def url(self) -> str:
        """``ws://host:port``, or ``wss://``; topics are below it.

        Raises:
            UsageError: the node was never started and has no port yet.
        """
        if self._door.port == 0:
            raise UsageError("this node has no address yet; start() it first, or give it a port=.")
        host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.options.host, self.options.host)
        shown = f"[{host}]" if ":" in host else host
        return f"{'ws' if self.options.ssl is None else 'wss'}://{shown}:{self._door.port}"

    @property
    def truth(self) -> Truth:
        """What happened so far. From any thread."""
        model = self._model
        if model is None:
            options = self.options.model
            return Truth(self.clock.now_ns(), options.scenario, options.seed, (), (), (), 0, 0, {})
        with self._model_lock:
            return model.truth

    def stats(self) -> NodeStats:
        """The books so far. From any thread."""
        return self._books.snapshot(self._hub.connections)

    # Starting and stopping

    async def start(self) -> None:
        """Listen; on a real clock, begin. Does nothing if it is running.

        Raises:
            BadOption: the address cannot be listened on.
            FeedClosed: the node was closed.
        """
        async with self._turn:
            if self._closed:
                raise FeedClosed("this node was closed; make a new one (stop() is for nodes that return).")
            if self._running:
                return
            with contextlib.ExitStack() as hold:
                hold.enter_context(self.clock.awake())
                await self._catch_up()
                if not self._dark:
                    await self._door.open()
                self._running = True
                self._hold = hold.pop_all()
            if self._model is not None or not self._virtual:
                self._begin()

    async def begin(self) -> None:
        """Let the model run, from the clock's time. Does nothing if it does."""
        if self._running:
            self._begin()

    def _begin(self) -> None:
        if self._pacer is None:
            if self._model is None:
                self._model = Model(self.options.model, self.clock.now_ns())
            self._pacer = asyncio.get_running_loop().create_task(self._pace(self._model))

    async def stop(self, code: int = 1001, reason: str = "going away") -> None:
        """Close all connections and refuse new ones; :meth:`start` returns on the same port. Harmless when stopped."""
        async with self._turn:
            if not self._running:
                return
            self._running = False
            if self._pacer is not None:
                self._pacer.cancel()
                await asyncio.wait([self._pacer])
                self._pacer = None
            await self._door.shut(code, reason)
            if self._model is not None:
                self._note(Incident("stopped", self.clock.now_ns(), None, "stopped by its user"))
            self._release_clock()

    async def close(self) -> None:
        """Stop for good and give the port up. Harmless when closed."""
        await self.stop()
        self._closed = True
        self._door.release()

    def _release_clock(self) -> None:
        if self._hold is not None:
            self._hold.close()
            self._hold = None

    async def _catch_up(self) -> None:
        """The network went on while the node was stopped; nobody was told."""
        if self._model is not None:
            now = self.clock.now_ns()
            with self._model_lock:
                self._model.end("stopped", now)
            await self._skip(self._model, now)

    async def _skip(self, model: Model, now: int) -> None:
        """Let the model run to ``now`` without sending what happens."""
        with self._model_lock:
            model.forget_transactions_until(now)
        while (due := model.next_ns) is not None and due <= now:
            with self._model_lock:
                events = model.take(now, BATCH_EVENTS)
            for event in events:
                if isinstance(event, ServingEvent):
                    self._dark = not event.up
            self._hub.withhold(events)
            await asyncio.sleep(0)

    # Running

    async def _pace(self, model: Model) -> None:
        try:
            with self.clock.awake():
                self._release_clock()
                await self._run(model)
        except Exception:  # noqa: BLE001 - whatever it was, the clients must not wait for ever
            LOG.exception("the node's model failed; its connections are closed")
            await self._hub.close(1011, "internal error")

    async def _run(self, model: Model) -> None:
        batch_ns = 0 if self._virtual and model.options.frames_per_s <= SINGLY_PER_S else BATCH_NS
        sent_until = self.clock.now_ns() - batch_ns
        while (due := model.next_ns) is not None:
            wake = max(due, sent_until + batch_ns)
            if model.end_ns is not None:
                wake = min(wake, max(due, model.end_ns - 1))
            await self.clock.sleep_until(wake)
            if not self._virtual and self.clock.now_ns() - due > TOO_LATE_NS:
                await self._give_up_the_past(model, due)
                continue
            # On a virtual clock what goes out must depend on the model alone.
            sent_until = wake if self._virtual else max(due, self.clock.now_ns())
            self._books.late_s = max(0, self.clock.now_ns() - wake) / 1e9
            await self._send_until(model, sent_until)
        if model.end_ns is not None:
            await self.clock.sleep_until(model.end_ns)
        self._finished.set()
        await self._door.see_out(*END_OF_RUN)

    async def _give_up_the_past(self, model: Model, due_ns: int) -> None:
        """The machine slept, or is far too slow for the rate: go on from now instead of flooding the clients."""
        now = self.clock.now_ns()
        self._note(Incident("late", due_ns, now, "the machine slept or was too slow; nothing was sent"))
        was_dark = self._dark
        await self._skip(model, now)
        if self._dark and not was_dark:
            await self._door.shut(*RESTART)
        elif was_dark and not self._dark:
            await self._door.open()

    async def _send_until(self, model: Model, until_ns: int) -> None:
        while (due := model.next_ns) is not None and due <= until_ns:
            with self._model_lock:
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
            self._dark = not event.up
            if self._dark:
                await self._door.shut(*RESTART)
            else:
                await self._door.open()
        self._hub.broadcast(frames)

    # Faults

    async def fault(self, kind: str, topic: str | None = None, **options: Any) -> int:
        """Do what :mod:`.faults` describes. Returns how many connections it met.

        Raises:
            BadOption: there is no such fault, topic or option, or a value is not accepted.
        """
        fault = faults.parse(kind, topic, options)
        now = self.clock.now_ns()
        until = None if fault.duration_ns is None else now + fault.duration_ns
        if kind != "clear":
            self._note(Incident(f"fault:{kind}", now, until if fault.lasts else now, fault.detail))
        match kind:
            case "drop":
                return self._hub.drop(fault.topics)
            case "close":
                return await self._hub.close(fault.code, fault.reason, fault.topics)
            case "garbage":
                return self._hub.garbage(fault)
            case "stall":
                self._hub.stall(fault.topics, until)
            case "refuse":
                self._door.refuse(fault, until)
            case _:
                self._clear(now)
        return sum(count for t, count in self._hub.connections.items() if t in fault.topics)

    def _clear(self, now_ns: int) -> None:
        self._hub.resume()
        self._door.admit()
        if self._model is not None:
            with self._model_lock:
                for kind in ("fault:stall", "fault:refuse"):
                    self._model.end(kind, now_ns)

    def _note(self, incident: Incident) -> None:
        if self._model is not None:
            with self._model_lock:
                self._model.note(incident)

    def topic_urls(self) -> dict[str, str]:
        """Where each topic is."""
        return {topic: f"{self.url}{self.options.path_prefix}/{topic}" for topic in TOPICS}
