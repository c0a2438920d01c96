"""A recording, served again: the raw frames as they came, over the recorded system's own paths, to any client of it.

What is served is the data: text and binary, and what made no sense, byte for byte and in order. What belongs to one
conversation (welcomes, acknowledgements, answers to pings) is each client's own and is made anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlsplit

import msgspec

from . import session as fsm
from .clock import Clock, RealClock
from .links import FeedLink
from .node import options as node_options
from .node.door import Door
from .node.events import TOPICS
from .node.faults import Fault
from .node.hub import Hub
from .node.outlet import Outlet
from .node.parlour import Parlour
from .node.rerun import RerunStage
from .node.stats import Books, NodeStats
from .node.systems import Emission
from .node.wire import Wire
from .player import Player
from .protocols import PROTOCOLS, Frame, Ledger
from .protocols.live import CHANNELS
from .recording.lines import Head, Line
from .tape import Run

PATIENCE_S = 0.5
GRACE_S = 1.0
"""So long after the first connection of a client its other connections, and its subscriptions, are waited for."""
AS_RECORDED = (1012, "the recorded connection was lost here")
END = (1000, "end of the recording")


class Rerun:
    """Serves runs of a recording. Belongs to one event loop.

    :param runs: what is played, one after the other
    :param protocol: of the recording
    :param url: where the recorded server was; its path prefix is served
    :param speed: seconds of the recording in a second; infinite for as fast as the clients take it
    :param wait: begin when the first client is there
    :param reenact: lose connections where the recording lost them, and refuse them until it had them again
    :param options: of a node: host, port, token, cors, max_connections, buffer_bytes, TLS
    :raises BadOption: for an option that is not accepted
    """

    def __init__(
        self,
        runs: Sequence[Run],
        protocol: str,
        url: str,
        *,
        speed: float = 1.0,
        start_ns: int | None = None,
        end_ns: int | None = None,
        loop: bool = False,
        wait: bool = True,
        reenact: bool = True,
        clock: Clock | None = None,
        **options: object,
    ) -> None:
        self._wire = PROTOCOLS[protocol]
        self._ends = self._wire.endpoints(url)
        self.options = node_options.make(path_prefix=_prefix(protocol, url), **options)  # type: ignore[arg-type]
        self._clock = RealClock()
        self._books = Books()
        self._hub = _Hub(Wire("server"), self._clock, self._books, broadcast=True, patience_s=PATIENCE_S)
        self._hub.came = self._came
        self._stage = RerunStage(protocol, self.options.tokens)
        self._parlour = Parlour(self._clock, self._hub, self._books, self._stage, lambda: None)
        self._door = Door(self.options, self._clock, self._hub, self._books, self._parlour, lambda: None)
        self._door.serve_only(self.streams)
        self.player = Player(runs, clock=clock, speed=speed, start_ns=start_ns, end_ns=end_ns, loop=loop, paused=wait)
        self._ear = _Ear(self, protocol)
        self._reenact = reenact
        self._waiting = wait
        self._grace: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[object]] = set()
        self._relieving = False
        self.finished = asyncio.Event()
        policy = fsm.Policy(name=protocol, stop_codes=frozenset({1000}), url=url)
        for name, end in self._ends.items():
            self.player.make_link(name, end, policy, self._ear)

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams of the node that are served."""
        return TOPICS if self._wire.name == "portal" else (self._wire.name,)

    @property
    def url(self) -> str:
        """``ws://host:port``, or ``wss://``; known once it is started."""
        scheme = "ws" if self.options.ssl is None else "wss"
        return f"{scheme}://{self.options.host}:{self._door.port}"

    @property
    def urls(self) -> dict[str, str]:
        """Where each connection is, by its name."""
        return {name: f"{self.url}{path}" for path, name in self._door.paths.items()}

    def stats(self) -> NodeStats:
        """What was sent so far."""
        return self._books.snapshot(self._hub.connections)

    async def start(self) -> None:
        """Listen, and begin unless a client is waited for.

        :raises BadOption: if the address cannot be listened on
        """
        await self._door.open()
        self.player.begin(self._ear, lambda: None)

    async def close(self) -> None:
        """End everything. Harmless when it was ended."""
        self.player.close()
        if self._grace is not None:
            self._grace.cancel()
        for task in tuple(self._tasks):
            task.cancel()
        await self._door.shut(1001, "going away")
        self._door.release()

    # Clients

    def _came(self, outlet: Outlet) -> None:
        """A connection was let in. The first client's connections are waited for, a moment."""
        if not self._waiting:
            return
        there = self._hub.connections
        if self._wire.name == "portal" and all(there.get(stream, 0) for stream in self.streams):
            self._begin()  # the others have yet to say what they subscribe
        elif self._grace is None:
            self._grace = asyncio.get_running_loop().call_later(GRACE_S, self._begin)

    def _begin(self) -> None:
        if self._waiting:
            self._waiting = False
            self.player.resume()

    # What the tape brings

    def send(self, stream: str, frames: Iterable[tuple[Frame, Emission]]) -> None:
        """Send frames to whoever is to have them."""
        outlets = self._hub.outlets(stream)
        for frame, emission in frames:
            for outlet in outlets:
                if self._is_kept_from(outlet, emission):
                    continue
                if outlet.send_frame(frame.text, frame.data):
                    self._books.sent[stream] += 1
                else:
                    self._books.dropped[stream] += 1
        if any(outlet.congested and not outlet.slow for outlet in outlets):
            self._relieve()

    def _is_kept_from(self, outlet: Outlet, emission: Emission) -> bool:
        """Whether a client did not ask for it. (What makes no sense is of no channel that one could ask for.)"""
        if outlet.talk is None or (self._wire.name == "live" and not emission.channel):
            return False
        return not outlet.frames(emission)

    def _relieve(self) -> None:
        """Let the tape stand until the clients have taken what was sent, within reason."""
        if not self._relieving and not self.player.paused:
            self._relieving = True
            self.player.pause()
            self._own(self._relief())

    async def _relief(self) -> None:
        try:
            await self._hub.relieve()
        finally:
            self._relieving = False
        if not self.player.finished:
            self.player.resume()

    def _own(self, work: object) -> None:
        task: asyncio.Task[object] = asyncio.get_running_loop().create_task(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def changed(self, link: FeedLink, *, lost: bool) -> None:
        """A recorded connection was lost, or stands again."""
        if self.player.finished:
            if not self.finished.is_set():
                self.finished.set()
                self._own(self._door.see_out(*END))
            return
        if self._reenact:
            self._refuse()
            if lost:
                self._own(self._hub.close(*AS_RECORDED, (self._stream(link.endpoint),)))

    def _refuse(self) -> None:
        down = tuple(self._stream(link.endpoint) for link in self._ear.down)
        if down:
            self._door.refuse(Fault(kind="refuse", topics=down, status=503), None)
        else:
            self._door.admit()

    def _stream(self, endpoint: str) -> str:
        return endpoint if self._wire.name == "portal" else self._wire.name


class _Hub(Hub):
    """A hub that tells who came."""

    came: Callable[[Outlet], None]

    def add(self, outlet: Outlet) -> None:
        super().add(outlet)
        self.came(outlet)


class _Decode:
    """A decoder's place, where nothing is to be decoded."""

    def decode(self, frames: Iterable[Frame]) -> None:
        """What is left out is not looked at."""


class _Ear:
    """What the player plays into: instead of an intake."""

    def __init__(self, rerun: Rerun, protocol: str) -> None:
        self._rerun, self._protocol = rerun, PROTOCOLS[protocol]
        self._look = self._protocol.decoder(Ledger())
        self._up: dict[str, bool] = {}
        self._links: dict[str, FeedLink] = {}
        self.decoder = _Decode()

    @property
    def down(self) -> list[FeedLink]:
        """Connections that were recorded, stood, and do not stand now."""
        return [self._links[name] for name, up in self._up.items() if not up]

    def on_frames(self, link: FeedLink, frames: list[Frame]) -> None:
        stream = link.endpoint if self._protocol.name == "portal" else self._protocol.name
        wanted = [(frame, emission) for frame in frames if (emission := self._emission(frame)) is not None]
        self._rerun.send(stream, wanted)

    def _emission(self, frame: Frame) -> Emission | None:
        """What a frame is about, for subscriptions; None for a part of the recorded client's own conversation."""
        batch = self._look.decode((frame,))
        topics = (*batch.rows, *batch.suppressed)
        if batch.control and not topics:
            return None
        channel = CHANNELS.get(topics[0], "") if topics and self._protocol.name == "live" else ""
        return Emission(
            frame.recv_ns, channel, frame.data, None, _model(frame) if self._protocol.name == "fakeai" else ""
        )

    def on_change(self, link: FeedLink) -> None:
        up = link.session.state is fsm.State.CONNECTED or link.session.ended  # an end in good order is no loss
        before = self._up.get(link.endpoint)
        self._links[link.endpoint] = link
        if up or before is not None:
            self._up[link.endpoint] = up
        if self._rerun.player.finished or (before is not None and before != up):
            self._rerun.changed(link, lost=not up)

    def on_request(self, link: FeedLink, request: object) -> None:
        """Gaps are the clients' own."""

    def apply(self, line: Line, *, silent: bool = False) -> None:
        """Nothing of this is sent."""

    def go_on_from(self, head: Head) -> None:
        if head.first:
            self._look = self._protocol.decoder(Ledger())

    def forget_past_gaps(self) -> None:
        """There are none."""

    def restart(self) -> None:
        self._look = self._protocol.decoder(Ledger())

    def tell(self) -> None:
        """Nobody waits."""


class _Subject(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw(b"{}")


class _Model(msgspec.Struct):
    model: str | None = None


def _model(frame: Frame) -> str:
    """The model that a frame of the inference metrics stream is about, if it says so."""
    try:
        return msgspec.json.decode(msgspec.json.decode(frame.data, type=_Subject).data, type=_Model).model or ""
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""


def _prefix(protocol: str, url: str) -> str:
    """Where the topic streams were below."""
    path = urlsplit(url).path.rstrip("/")
    head, _, last = path.rpartition("/")
    prefix = (head if last in TOPICS else path) if protocol == "portal" else "/ws"
    return prefix if prefix.startswith("/") else "/ws"
