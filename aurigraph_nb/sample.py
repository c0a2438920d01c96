"""A recording of the local node's model at once: in memory, of any length, with no socket and no waiting.

A client is modelled beside the node, with real sessions: when the node goes, its connections are lost, it tries again
by its series of delays, and what it missed is a gap, as it would be in a recording of a feed.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from . import session as fsm
from .durations import parse_time
from .errors import BadOption
from .gaps import Cause, Certainty, Gap, IdleWatch
from .node import SCENARIOS
from .node import options as node_options
from .node.unplugged import Sent, Serving, Unplugged
from .protocols import PROTOCOLS, Frame, Ledger, WireProtocol
from .recording.lines import VERSION, Closed, End, FrameLine, GapBegins, GapEnds, Head, Line, Opened, frame_line

if TYPE_CHECKING:
    from .node.truth import Truth
    from .reading.recording import Recording

START = "2026-01-01"
QUIET_RATE = 6.0
"""Frames a second of the scenario "quiet"."""
URLS = {
    "portal": "ws://127.0.0.1/ws",
    "live": "ws://127.0.0.1/api/v11/live/stream",
    "channels": "ws://127.0.0.1/ws",
    "fakeai": "ws://127.0.0.1/metrics/stream",
}


def sample(
    scenario: str = "steady",
    duration: Any = "20min",
    seed: int = 0,
    *,
    protocol: str = "portal",
    start: Any = START,
    **options: Any,
) -> Recording:
    """A recording of the local node's model, in memory, all topics, at once.

    What :func:`simulate` with the same arguments would bring, but for the moments of reconnecting after an outage. The
    same arguments give the same recording, byte for byte; ``save(path)`` makes a directory of it.

    :param scenario: steady (or "quiet": with a tenth of the transactions), spike, leader-churn, jailing, outage or
        partition
    :param duration: length, seconds or a duration
    :param seed: what all randomness comes from
    :param protocol: "portal", "live", "channels" or "fakeai"
    :param start: first time, anything pandas reads as a time
    :param options: of :class:`aurigraph_nb.Node`: rate, validators, peers, shape, metrics_interval, …
    :returns: a recording; ``recording.truth`` is what really happened
    :raises BadOption: for an option or a value that is not accepted

    >>> recording = sample("partition", duration="1min", seed=7)
    >>> len(recording.metrics.to_pandas())
    60
    """
    from .reading.recording import from_lines

    script = Script(protocol, scenario=scenario, duration=duration, seed=seed, start=start, **options)
    lines = list(script.lines())
    name = f"sample {scenario}, duration={duration!r}, seed={seed}"
    return from_lines(lines, id=f"sample-{scenario}-{seed}", created_ns=script.start_ns, name=name, truth=script.truth)


class Script:
    """The lines that a recorder would write of a run of the model."""

    def __init__(self, protocol: str, *, scenario: str, duration: Any, seed: int, start: Any, **options: Any) -> None:
        if protocol not in PROTOCOLS:
            raise BadOption(f"protocol={protocol!r} is not known; it can be {', '.join(PROTOCOLS)}")
        if duration is None:
            raise BadOption('duration=None: a sample has an end; expected seconds or a duration such as "1h"')
        if scenario != "quiet" and scenario not in SCENARIOS:
            raise BadOption(f"scenario={scenario!r} is not known; it can be quiet, {', '.join(SCENARIOS)}")
        if scenario == "quiet":
            scenario, options = "steady", {"rate": QUIET_RATE, **options}
        self.start_ns = parse_time(start, option="start")
        made = node_options.make(
            seed=seed, scenario=scenario, duration=duration, start=self.start_ns, speed=None, **options
        )
        self.wire: WireProtocol = PROTOCOLS[protocol]
        self.node = Unplugged(made, protocol)
        self.serving = True
        """Whether the node accepts connections."""
        self._order = itertools.count()
        self._timers: list[tuple[int, int, _Client, int]] = []
        rng = random.Random(f"{seed}/client")
        self.clients = [_Client(name, end.topics, self, rng) for name, end in self.wire.endpoints(self.url).items()]

    @property
    def url(self) -> str:
        """Where the node would be."""
        return URLS[self.wire.name]

    @property
    def truth(self) -> Truth:
        """What really happened."""
        return self.node.truth

    def lines(self) -> Iterator[Line]:
        """All lines, in order."""
        frames = 0
        yield Head(
            v=VERSION,
            recorder="sample",
            segment=0,
            t=self.start_ns,
            protocol=self.wire.name,
            url=self.url,
            topics=tuple(self.wire.topics),
            first=True,
        )
        for line in self._events():
            frames += isinstance(line, FrameLine)
            yield line
        yield End(self.end_ns, frames, True)

    @property
    def end_ns(self) -> int:
        """When the run is over, ns since 1970 UTC."""
        end_ns = self.node.model.end_ns
        assert end_ns is not None
        return end_ns

    def _events(self) -> Iterator[Line]:
        for client in self.clients:
            yield from client.handle(fsm.Connect(), self.start_ns)
        for happening in self.node.play():
            yield from self._wake_until(happening.time_ns)
            if isinstance(happening, Serving):
                yield from self._serve(happening)
            elif isinstance(happening, Sent):
                yield from self._client_of(happening.stream).receive(happening.data, happening.time_ns)
        self.serving = True  # whoever waits for the node's return is to learn that the run is over
        yield from self._wake_until(self.end_ns)
        for client in self.clients:
            yield from client.end(self.end_ns)

    def _client_of(self, stream: str) -> _Client:
        return next((client for client in self.clients if client.endpoint == stream), self.clients[0])

    def _serve(self, happening: Serving) -> Iterator[Line]:
        self.serving = happening.up
        if not happening.up:
            self.node.leave()
            for client in self.clients:
                lost = fsm.Lost(code=1012, reason="service restart", last_ns=client.last_ns)
                yield from client.handle(lost, happening.time_ns)

    def wake(self, client: _Client, timer: fsm.StartTimer, now_ns: int) -> None:
        """Wake a client later."""
        at_ns = now_ns + round(timer.delay_s * 1e9)
        heapq.heappush(self._timers, (at_ns, next(self._order), client, timer.timer))

    def _wake_until(self, now_ns: int) -> Iterator[Line]:
        while self._timers and self._timers[0][0] <= now_ns:
            at_ns, _, client, timer = heapq.heappop(self._timers)
            yield from client.handle(fsm.TimerFired(timer), at_ns)


class _Client:
    """One connection of the modelled client: a session, and the lines that come of what it does."""

    def __init__(self, endpoint: str, topics: tuple[str, ...], script: Script, rng: random.Random) -> None:
        self.endpoint, self.topics = endpoint, topics
        self.last_ns: int | None = None
        """When its last frame came."""
        self._script = script
        name = script.wire.name
        self._session = fsm.Session(fsm.Policy(name=name, backoff=fsm.PRESETS[name], url=script.url), rng)
        self._decoder = script.wire.decoder(Ledger())
        self._awaiting_data = False
        self._gaps: dict[str, Gap] = {}

    def handle(self, event: fsm.Event, now_ns: int) -> Iterator[Line]:
        """Take in an event, and do what the session asks for."""
        up = self._session.state is fsm.State.CONNECTED
        requests = self._session.handle(event, now_ns)
        if up and self._session.state is not fsm.State.CONNECTED:
            over = self._session.ended
            why = "" if over else self._session.last_error or ""
            yield from self._gap_lines(requests, now_ns)
            yield Closed(now_ns, self.endpoint, self._session.conn_epoch, why, over)
        else:
            yield from self._gap_lines(requests, now_ns)
        for request in requests:
            if isinstance(request, fsm.StartTimer):
                self._script.wake(self, request, now_ns)
            elif isinstance(request, fsm.Dial):
                yield from self._dial(now_ns)

    def _gap_lines(self, requests: Iterable[fsm.Request], now_ns: int) -> Iterator[Line]:
        for request in requests:
            if isinstance(request, fsm.GapOpened):
                yield from (self._open_gap(topic, request, now_ns) for topic in self.topics)
            elif isinstance(request, fsm.GapClosed):
                yield from (self._close_gap(topic, request.end_ns, now_ns) for topic in self.topics)

    def _open_gap(self, topic: str, request: fsm.GapOpened, now_ns: int) -> Line:
        certainty = Certainty.BOUNDED if self._script.wire.periods_s.get(topic) else request.certainty
        epoch, words = self._session.conn_epoch, request.detail
        gap = self._gaps[topic] = Gap(topic, request.cause, certainty, request.start_ns, None, None, epoch, words)
        return GapBegins(now_ns, gap)

    def _close_gap(self, topic: str, end_ns: int, now_ns: int) -> Line:
        period_s = self._script.wire.periods_s.get(topic)
        start_ns = self._gaps.pop(topic).start_ns
        frames = IdleWatch(period_s).missed(start_ns, end_ns) if period_s else None
        return GapEnds(now_ns, topic, Cause.DISCONNECT, end_ns, frames)

    def _dial(self, now_ns: int) -> Iterator[Line]:
        if not self._script.serving:
            yield from self.handle(fsm.Failed(kind="tcp", detail="connection refused"), now_ns)
            return
        self._session.handle(fsm.Opened(), now_ns)
        self._awaiting_data = True
        yield Opened(now_ns, self.endpoint, self._session.conn_epoch)
        wire, node = self._script.wire, self._script.node
        answers = node.connect(now_ns)
        for message in wire.greeting(None, now_ns):
            answers += node.say(message, now_ns)
        for topic in self.topics:
            for message in wire.subscribe(topic, now_ns):
                answers += node.say(message, now_ns)
        for data in answers:
            yield from self.receive(data, now_ns)

    def receive(self, data: bytes, now_ns: int) -> Iterator[Line]:
        """A frame came, if the connection stands."""
        if self._session.state is not fsm.State.CONNECTED:
            return
        self.last_ns = now_ns
        frame = Frame(data, True, now_ns, self._session.conn_epoch, self.endpoint)
        yield frame_line(frame)
        if self._awaiting_data and self._decoder.decode((frame,)).rows:
            self._awaiting_data = False
            yield from self.handle(fsm.FirstData(), now_ns)

    def end(self, now_ns: int) -> Iterator[Line]:
        """The run is over: the node closes the connection in good order."""
        if self._session.state is fsm.State.CONNECTED:
            yield Closed(now_ns, self.endpoint, self._session.conn_epoch, "", True)
