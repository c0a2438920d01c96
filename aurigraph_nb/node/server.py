"""The node on a loop: what it is made of, how it is started and stopped, and what can be done to it.

Everything here belongs to one event loop, but :attr:`NodeServer.truth` and :meth:`NodeServer.stats`, which any thread
may read. :class:`~aurigraph_nb.node.Node` is the same for people.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Any

from ..clock import Clock, RealClock, VirtualClock
from ..errors import FeedClosed, UsageError
from . import faults, known
from .door import Door
from .events import TOPICS
from .hub import Hub
from .model import Model
from .options import NodeOptions
from .pacer import Pacer
from .parlour import Parlour
from .stats import Books, NodeStats
from .systems import PATHS, Stage
from .truth import Incident, Truth
from .view import View, look, statistics
from .wire import Wire

PATIENCE_S = 0.5
PATIENCE_VIRTUAL_S = 30.0


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
        self._model: Model | None = None
        self._model_lock = threading.Lock()  # the truth is read from other threads
        self._stage = Stage(
            options.model.seed,
            self._start_ns,
            quirks=options.quirks,
            tokens=options.tokens,
            inference_shape=options.inference_shape,
            look=self._look,
        )
        self._parlour = Parlour(self.clock, self._hub, self._books, self._stage, self._poke)
        self._door = Door(options, self.clock, self._hub, self._books, self._parlour, self._statistics)
        self._pacer = Pacer(self.clock, self._hub, self._door, self._books, self._stage, self._model_lock)
        self._turn = asyncio.Lock()  # of start and stop
        self._pacing: asyncio.Task[None] | None = None
        self._hold: contextlib.ExitStack | None = None  # keeps a virtual clock still until begin
        self._running = self._closed = False

    # What it is

    @property
    def running(self) -> bool:
        """Whether it is started and not stopped. (In an outage it is running, and refuses.)"""
        return self._running

    @property
    def finished(self) -> bool:
        """Whether the run is over; only a node with a ``duration`` ends."""
        return self._pacer.finished.is_set()

    async def wait_finished(self) -> None:
        """Wait for the end of the run."""
        await self._pacer.finished.wait()

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
                if not self._pacer.dark:
                    await self._door.open()
                    known.add(self.url)
                self._running = True
                self._hold = hold.pop_all()
            if self._model is not None or not self._virtual:
                self._begin()

    async def begin(self) -> None:
        """Let the model run, from the clock's time. Does nothing if it does."""
        if self._running:
            self._begin()

    def _begin(self) -> None:
        if self._pacing is None:
            if self._model is None:
                self._model = Model(self.options.model, self.clock.now_ns())
            pace = self._pacer.pace(self._model, self._release_clock)
            self._pacing = asyncio.get_running_loop().create_task(pace)

    async def stop(self, code: int = 1001, reason: str = "going away") -> None:
        """Close all connections and refuse new ones; :meth:`start` returns on the same port. Harmless when stopped."""
        async with self._turn:
            if not self._running:
                return
            self._running = False
            if self._pacing is not None:
                self._pacing.cancel()
                await asyncio.wait([self._pacing])
                self._pacing = None
            await self._door.shut(code, reason)
            if self._model is not None:
                self._note(Incident("stopped", self.clock.now_ns(), None, "stopped by its user"))
            self._release_clock()

    async def close(self) -> None:
        """Stop for good and give the port up. Harmless when closed."""
        await self.stop()
        self._closed = True
        if self._door.port:
            known.discard(self.url)
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
            await self._pacer.skip(self._model, now)

    # What the other systems tell of

    def _start_ns(self) -> int:
        """When the network begins. (Whoever comes before it finds a virtual clock that stands still until then.)"""
        return self.clock.now_ns() if self._model is None else self._model.start_ns

    def _look(self) -> View:
        assert self._model is not None  # nothing plays before it
        return look(self._model)

    def _statistics(self) -> dict[str, Any] | None:
        """What ``GET /api/v11/blockchain/stats`` tells; None before the network began."""
        if self._model is None:
            return None
        return statistics(look(self._model), self.clock.now_ns(), flat="flat-stats" in self.options.quirks)

    def _poke(self) -> None:
        if self._pacing is not None:
            self._pacer.poke(self._pacing)

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
            case "garbage" | "oversize" | "duplicate" | "reorder" | "half-open":
                return self._hub.spoil(fault)
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

    def system_urls(self) -> dict[str, str]:
        """Where each of the other systems is."""
        return {system: f"{self.url}{path}" for system, path in PATHS.items()}
