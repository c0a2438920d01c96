"""One connection of a feed: does what the session asks for, on a real socket, and tells it what happened.

All decisions (retry or not, when, what a close code means) are the session's; what it says about heartbeats,
subscriptions and outgoing messages is done here. Everything runs on the I/O loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

from websockets.exceptions import ConnectionClosed

from . import session as fsm
from .arrivals import Arrived
from .clock import Cancellable, Clock, Lockstep, RealClock
from .dial import CLOSE_TIMEOUT_S, Options, Wire, lost_event, open_connection, outcome
from .protocols import Frame
from .protocols.base import Control, WireProtocol
from .tokens import Secrets, carry, token_of

BATCH_FRAMES = 1_000
BATCH_S = 0.05
"""Frames are decoded in batches: at once after a quiet time, then at least this far apart unless a batch is full."""

LOCKSTEP_HEADER = "X-Aurigraph-Lockstep"
ANNOUNCED_HEADER = "X-Aurigraph-Lockstep-Sends"
"""Says that this side counts what it sends, too: a node in this process then counts it as received."""

log = logging.getLogger("aurigraph_nb")

WORDS_KEPT, WORD_BYTES_KEPT = 1_000, 8 * 2**20
"""Messages, and their size, that may wait for a server which does not read."""

OFFLINE_S = 5.0
"""How long a server may take to answer a subscription before it is asked again."""


class Sink(Protocol):
    """Who gets what a link brings. Called on the I/O loop."""

    def on_frames(self, link: Link, frames: list[Frame]) -> None: ...

    def on_request(self, link: Link, request: fsm.GapOpened | fsm.GapClosed) -> None: ...

    def on_change(self, link: Link) -> None: ...


class Link:
    """The connection of one endpoint of a feed, over all its reconnects."""

    def __init__(
        self,
        endpoint: str,
        url: str,
        topics: tuple[str, ...],
        *,
        protocol: WireProtocol,
        policy: fsm.Policy,
        options: Options,
        clock: Clock,
        rng: random.Random,
        sink: Sink,
        secrets: Secrets,
        name: str,
    ) -> None:
        self.endpoint, self.url, self.topics = endpoint, url, topics
        self.session = fsm.Session(policy, rng)
        self._protocol, self._options, self._clock, self._sink, self._name = protocol, options, clock, sink, name
        self._secrets = secrets
        self._ws: Wire | None = None
        self._dialling = self._dialled = 0
        self._last_ns: int | None = None
        self._work: set[asyncio.Task[None]] = set()
        self._dial_task: asyncio.Task[None] | None = None
        self._timer: Cancellable | None = None
        self._health: Cancellable | None = None
        self._beat_timer: Cancellable | None = None
        self._ask_timer: Cancellable | None = None
        self._words: deque[tuple[str, bool]] = deque()  # message, and whether it is the user's
        self._word_bytes = 0
        self._writer: asyncio.Task[None] | None = None
        self.why: str | None = None
        """Why the feed itself asked for a new connection, if it did."""
        self._token: str | None = None
        self.heartbeat = fsm.Heartbeat(
            options.heartbeat_interval_s,
            options.heartbeat_timeout_s,
            # Every server answers a protocol ping. On a virtual clock none is sent: its answer has no time there.
            answered=protocol.heartbeat_answered or isinstance(clock, RealClock),
        )
        self.subscriptions = fsm.Subscriptions(OFFLINE_S)
        self.outbox: fsm.Outbox[str] = fsm.Outbox(options.send_queue)
        self.frames = 0
        """Frames received, whatever they were."""
        self._epoch = 0
        self._last_batch = float("-inf")
        self._awaiting_data = False
        self._lockstep: Lockstep | None = None

    # What the feed says

    def handle(self, event: fsm.Event) -> None:
        """Give ``event`` to the session and do what it asks for."""
        for request in self.session.handle(event, self._clock.now_ns()):
            self._perform(request)
        self._sink.on_change(self)

    async def close(self) -> None:
        """Close the session, and wait until nothing of this link is left."""
        self.handle(fsm.Close())
        work = list(self._work)
        if work:
            _, late = await asyncio.wait(work, timeout=CLOSE_TIMEOUT_S * 2)
            for task in late:
                task.cancel()

    def send(self, message: str) -> fsm.Sent:
        """Send a text message, or queue it: "sent", "queued" or "dropped"."""
        connected = self._ws is not None and self.session.state is fsm.State.CONNECTED
        if connected and (len(self._words) >= WORDS_KEPT or self._word_bytes > WORD_BYTES_KEPT):
            return self.outbox.refuse()  # the server does not read what it was sent before
        result = self.outbox.offer(message, connected)
        if result == "sent":
            self._say(message, of_user=True)
        return result

    def _say(self, *messages: str, of_user: bool = False) -> None:
        """Send messages over the connection that is open now, in the order of the calls."""
        if self._ws is None or not messages:
            return
        self._words.extend((message, of_user) for message in messages)
        self._word_bytes += sum(map(len, messages))
        if self._lockstep is not None:
            self._lockstep.sent(len(messages))
        if self._writer is None or self._writer.done():
            self._writer = self._own(self._write(self._ws, self._words))

    async def _write(self, ws: Wire, words: deque[tuple[str, bool]]) -> None:
        """The one writer of a connection; the words are that connection's own."""
        with contextlib.suppress(ConnectionClosed):
            while words and self._ws is ws:
                await ws.send(words[0][0])
                self._word_bytes -= len(words.popleft()[0])

    @property
    def waiting(self) -> int:
        """Messages of the user's that wait, for a connection or for the server to read them."""
        return self.outbox.queued + sum(of_user for _, of_user in list(self._words))

    # Topics

    def want(self, topic: str) -> None:
        """Subscribe a topic, now or when a connection stands."""
        self.subscriptions.want(topic, self._protocol.acknowledges(topic))
        if self.session.state is fsm.State.CONNECTED:
            self._ask([topic])

    def unwant(self, topic: str) -> None:
        """End a subscription; what still comes is left out by the feed."""
        last_words = self._protocol.unsubscribe(topic, self._clock.now_ns())
        self.subscriptions.unwant(topic, told=bool(last_words))
        if self.session.state is fsm.State.CONNECTED:
            self._say(*last_words)

    def _ask(self, topics: Iterable[str]) -> None:
        now_ns = self._clock.now_ns()
        for topic in topics:
            if self.subscriptions.ask(topic, now_ns):
                self._say(*self._protocol.subscribe(topic, now_ns))
        self._ask_timer = self._timer_at(self.subscriptions.due_ns, self._ask_timer, self._ask_again)

    def _ask_again(self) -> None:
        self._ask_timer = None
        if self.session.state is fsm.State.CONNECTED:
            self._ask(self.subscriptions.overdue(self._clock.now_ns()))

    def _timer_at(self, at_ns: int | None, old: Cancellable | None, fn: Callable[[], object]) -> Cancellable | None:
        if old is not None:
            old.cancel()
        if at_ns is None:
            return None
        return self._clock.call_later(max(0, at_ns - self._clock.now_ns()) / 1e9, fn)

    @property
    def ended(self) -> bool:
        """The server ended the stream for good and in good order."""
        return self.session.ended

    @property
    def latency_ms(self) -> float | None:
        """Round trip, ms: of the application's heartbeat where it is answered, else of the last keepalive ping."""
        if self.heartbeat.latency_ms is not None:
            return self.heartbeat.latency_ms
        return self._ws.latency * 1e3 if self._ws is not None and self._ws.latency else None

    # What the session asks for

    def _perform(self, request: fsm.Request) -> None:
        match request:
            case fsm.Dial():
                self._dialling = request.dial
                self._clock_held(self._dial(request.url or self.url, request.dial))
            case fsm.Hangup():
                self._hang_up(request)
            case fsm.StartTimer():
                self._stop_timer()
                self._timer = self._clock.call_later(
                    request.delay_s, partial(self.handle, fsm.TimerFired(request.timer))
                )
            case fsm.StopTimer():
                self._stop_timer()
            case fsm.GapOpened() | fsm.GapClosed():
                self._sink.on_request(self, request)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _hang_up(self, request: fsm.Hangup) -> None:
        if self._dial_task is not None and self._dialling == request.dial:
            self._dial_task.cancel()
            self._dial_task = None
        if self._ws is not None and self._dialled == request.dial:
            ws, self._ws = self._ws, None
            self._hand_over_rest(ws)
            self._stop_pulse()
            self._own(self._close_socket(ws, request.code, request.reason))

    async def _close_socket(self, ws: Wire, code: int, reason: str) -> None:
        with contextlib.suppress(ConnectionClosed, OSError):
            await ws.close(code, reason)

    def _own(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    def _clock_held(self, work: Any) -> None:
        """Run ``work`` as a task that a virtual clock waits for from this moment on."""
        awake = self._clock.awake()
        awake.__enter__()
        self._dial_task = self._own(work)
        self._dial_task.add_done_callback(lambda _: awake.__exit__(None, None, None))

    # Dialling

    async def _dial(self, url: str, dial: int) -> None:
        me = asyncio.current_task()
        try:
            ws = await self._attempt(url)
        except asyncio.CancelledError:
            return
        except Exception as exc:  # noqa: BLE001 - whatever went wrong, the session decides what it means
            if self._dial_task is me:
                self._dial_task = None
                self.handle(outcome(exc, dial, self._clock.now_ns(), self._secrets.scrub))
            return
        if self._dial_task is not me:  # hung up on while the answer was on its way
            await self._close_socket(ws, 1000, "")
            return
        self._dial_task = None
        self._ws, self._dialled, self._awaiting_data = ws, dial, True
        self.handle(fsm.Opened(dial=dial))
        if self._ws is ws:
            self._epoch = self.session.conn_epoch
            self._greet()
            self._start_pulse()
            self._own(self._receive(ws))

    def _greet(self) -> None:
        """First words: who we are, what we want, and what waited."""
        token = self._token if self._options.token_by == "message" else None
        self._say(*self._protocol.greeting(token, self._clock.now_ns()))
        self._ask(self.subscriptions.opened(self._clock.now_ns()))
        self._say(*self.outbox.drain(), of_user=True)

    def _forget_words(self) -> None:
        """The connection is gone: what the user sent and did not go out waits for the next one, if there is a queue."""
        self.outbox.put_back([message for message, of_user in self._words if of_user])
        self._words, self._word_bytes = deque(), 0
        if self._writer is not None:
            self._writer.cancel()
            self._writer = None

    async def _attempt(self, url: str) -> Wire:
        options = self._options
        headers = dict(options.headers)
        if options.token is not None:
            self._token = await token_of(options.token, options.open_timeout_s)
            self._secrets.add(self._token)
            url = carry(self._token, options.token_by, url, headers)
        name = f"{self._name}/{self.endpoint}/{self.session.conn_epoch + 1}"
        self._lockstep = self._clock.channel(name)
        if self._lockstep is not None:
            headers |= {LOCKSTEP_HEADER: name, ANNOUNCED_HEADER: "1"}
        return await open_connection(
            url,
            options,
            headers,
            subprotocols=self._protocol.subprotocols,
            now_ns=self._clock.now_ns,
            alive=self._alive,
        )

    # Receiving

    async def _receive(self, ws: Wire) -> None:
        lockstep, loop = self._lockstep, asyncio.get_running_loop()
        try:
            while True:
                if lockstep is None:
                    came = await ws.take(BATCH_FRAMES, self._last_batch + BATCH_S - loop.time())
                else:
                    came = await ws.take(1)
                if self._ws is not ws:
                    continue  # we hung up: what still comes lies in the gap that was told then
                self._hand_over(came)
                if lockstep is not None:
                    lockstep.received()
                elif len(came) == BATCH_FRAMES:
                    await asyncio.sleep(0)  # a burst must not keep the other connections waiting
        except ConnectionClosed as exc:
            self._lost(ws, lost_event(exc, self._dialled, self._last_ns, self._secrets.scrub), lockstep)

    def _hand_over(self, came: list[Arrived]) -> None:
        """Let the sink have a batch."""
        self._last_batch = asyncio.get_running_loop().time()
        if not came:
            return
        self._last_ns = came[-1][2]
        self.frames += len(came)
        self.heartbeat.heard(self._clock.now_ns())
        try:
            epoch, endpoint = self._epoch, self.endpoint
            self._sink.on_frames(self, [Frame(data, text, at_ns, epoch, endpoint) for data, text, at_ns in came])
        except Exception as exc:
            # A fault of ours. It must not end in a feed that silently stands still, so it is told as a loss.
            log.exception("a fault while handling frames of %s", self.endpoint)
            reason = f"a fault of this client: {type(exc).__name__}"
            self._end(fsm.Lost(1011, reason, dial=self._dialled, ours=True))

    def _hand_over_rest(self, ws: Wire) -> None:
        """What came before we hung up counts. (On a virtual clock, who sent it waits for what each message does.)"""
        if self._lockstep is None:
            self._hand_over(ws.arrivals.take())

    def _lost(self, ws: Wire, lost: fsm.Lost, lockstep: Lockstep | None) -> None:
        with self._clock.awake():
            if lockstep is not None:
                lockstep.broken()
            if self._ws is not ws:
                return  # we hung up ourselves; the session knows
            self._hand_over_rest(ws)
            self._ws = None
            self._stop_pulse()
            self.handle(lost)

    def on_control(self, control: Control, recv_ns: int) -> None:
        """A frame without data came (the sink says so, it can tell)."""
        if control.reply is not None:
            self._say(control.reply)
        if control.kind == "pong":
            self.heartbeat.heard(recv_ns, pong=True)
            self._arm_heartbeat()
        elif control.kind == "subscribed":
            self.subscriptions.acknowledge(control.topic)
        elif control.kind == "error" and control.topic is not None:
            self.subscriptions.refuse(control.topic)
        elif control.kind == "auth_required" and self._token is not None:
            self._say(*self._protocol.greeting(self._token, self._clock.now_ns()))
        elif control.kind == "auth_refused":
            self._end(fsm.Lost(1008, f"authentication refused: {control.detail}", dial=self._dialled))

    def _end(self, lost: fsm.Lost) -> None:
        """End the connection for a reason that the library does not know."""
        ws = self._ws
        if ws is not None:
            self._own(self._close_socket(ws, 1000, ""))
            self._lost(ws, lost, self._lockstep)

    def data_came(self, topics: Iterable[str] = ()) -> None:
        """Frames of data topics came (the sink says so, it can tell). Data is as good as an acknowledgement."""
        for topic in topics:
            if topic in self.subscriptions.pending:
                self.subscriptions.acknowledge(topic)
        if self._awaiting_data:
            self._awaiting_data = False
            self.handle(fsm.FirstData(dial=self._dialled))

    # Heartbeat and health

    def _start_pulse(self) -> None:
        healthy = partial(self.handle, fsm.Healthy(dial=self._dialled))
        self._health = self._clock.call_later(self.session.policy.health_s, healthy)
        # Where nobody answers, it only keeps a quiet connection open, so the first one has time; and there are servers
        # that close on a frame which comes too soon.
        self.heartbeat.opened(self._clock.now_ns(), at_once=self._protocol.heartbeat_answered)
        self._arm_heartbeat()

    def _stop_pulse(self) -> None:
        for timer in (self._health, self._beat_timer, self._ask_timer):
            if timer is not None:
                timer.cancel()
        self._health = self._beat_timer = self._ask_timer = None
        self.heartbeat.lost()
        self.subscriptions.lost()
        self._forget_words()

    def _arm_heartbeat(self) -> None:
        """Wake up when a heartbeat is due, or when one has gone unanswered for too long."""
        times = [t for t in (self.heartbeat.due_ns, self.heartbeat.deadline_ns) if t is not None]
        self._beat_timer = self._timer_at(min(times, default=None), self._beat_timer, self._beat)

    def _beat(self) -> None:
        self._beat_timer = None
        now_ns = self._clock.now_ns()
        if self._ws is None:
            return
        if self._ws.arrivals:
            self.heartbeat.heard(now_ns)  # something came, and waits to be decoded
        if self.heartbeat.dead(now_ns):
            timeout_s = self._options.heartbeat_timeout_s
            lost = fsm.Lost(
                1006, f"no sign of life for {timeout_s:g} s after a heartbeat", dial=self._dialled, ours=True
            )
            self._end(lost)
            return
        if self.heartbeat.due_ns is not None and self.heartbeat.due_ns <= now_ns:
            message = self._protocol.heartbeat(now_ns)
            self.heartbeat.sent(now_ns)
            if message is not None:
                self._say(message)
            if self._lockstep is None:
                self._own(self._ping(self._ws))
        self._arm_heartbeat()

    async def _ping(self, ws: Wire) -> None:
        """A protocol ping beside the application's heartbeat: its pong is life, too."""
        with contextlib.suppress(ConnectionClosed):
            await ws.ping()

    def _alive(self) -> None:
        """A control frame of the WebSocket protocol came."""
        self.heartbeat.heard(self._clock.now_ns())
        if self._ws is not None and self._beat_timer is not None:
            self._arm_heartbeat()
