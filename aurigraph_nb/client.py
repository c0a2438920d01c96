"""One connection of a feed: does what the session asks for, on a real socket, and tells it what happened.

All decisions (retry or not, when, what a close code means) are the session's. Here is the door to the websockets
library: one ``connect()`` an attempt, frames kept as they came (text or binary, and when), batches handed on.
Everything here runs on the I/O loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import random
import re
import socket
import ssl as ssl_module
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Protocol, cast
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

import msgspec
from websockets import frames as ws_frames
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as ws_connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidProxy,
    InvalidStatus,
    InvalidURI,
    ProxyError,
)
from websockets.typing import Subprotocol

from . import session as fsm
from .clock import Cancellable, Clock, Lockstep
from .errors import ConnectFailed
from .protocols import Frame
from .protocols.base import Control, TokenBy, WireProtocol

BATCH_FRAMES = 1_000
BATCH_S = 0.05
"""Frames are decoded in batches: at once after a quiet time, then at least this far apart unless a batch is full."""

READ_QUEUE = 256
"""Messages that the library may hold before it stops reading from the socket."""

CLOSE_TIMEOUT_S = 2.0

SECRETS_KEPT = 20
"""Tokens of the past that are still looked for; a callable brings a new one at each attempt."""

LOCKSTEP_HEADER = "X-Aurigraph-Lockstep"
ANNOUNCED_HEADER = "X-Aurigraph-Lockstep-Sends"
"""Says that this side counts what it sends, too: a node in this process then counts it as received."""

log = logging.getLogger("aurigraph_nb")
_quiet = logging.getLogger("aurigraph_nb.websockets")
_quiet.setLevel(logging.CRITICAL + 1)
_quiet.propagate = False  # the library's log lines hold URLs and headers, and those may hold tokens


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to connect. ``repr`` shows no headers: they may hold secrets."""

    headers: Mapping[str, str] = {}
    token: str | Callable[[], str] | None = None
    ssl: ssl_module.SSLContext | None = None
    compression: str | None = "deflate"
    open_timeout_s: float = 10.0
    max_size: int | None = 2**20
    heartbeat_interval_s: float = 30.0
    heartbeat_timeout_s: float = 5.0
    token_by: TokenBy = "header"
    send_queue: int = 0
    """Messages to the server that may wait for a connection."""

    def __repr__(self) -> str:
        return f"Options(compression={self.compression!r}, max_size={self.max_size!r})"


OPEN_HEADERS = frozenset("accept accept-encoding accept-language cache-control origin pragma user-agent".split())
"""Headers whose values are no secrets; those of all others are treated as if they were."""
SECRET_NAME = re.compile(r"token|key|secret|pass|auth|sig|jwt", re.IGNORECASE)


class Secrets:
    """Texts that must be shown nowhere, even if the server sends them back."""

    def __init__(self, headers: Mapping[str, str], url: str = "") -> None:
        self._texts: dict[str, None] = {}
        for name, value in headers.items():
            if name.lower() not in OPEN_HEADERS:
                self.add(value)
                self.add(value.rpartition(" ")[2])
        for name, value in parse_qsl(urlsplit(url).query):
            if len(value) >= 8 or SECRET_NAME.search(name):
                self.add(value)
                self.add(quote(value, safe=""))

    def __repr__(self) -> str:
        return "<Secrets>"

    def add(self, text: str) -> None:
        if text:
            self._texts[text] = None
            while len(self._texts) > SECRETS_KEPT:
                del self._texts[next(iter(self._texts))]

    def scrub(self, text: str) -> str:
        for secret in self._texts:
            text = text.replace(secret, "***")
        return text


class TokenFailed(ConnectFailed):
    """The token callable brought none."""


OFFLINE_S = 5.0
"""How long a server may take to answer a subscription before it is asked again."""


class Sink(Protocol):
    """Who gets what a link brings. Called on the I/O loop."""

    def on_frames(self, link: Link, frames: list[Frame]) -> None: ...

    def on_request(self, link: Link, request: fsm.GapOpened | fsm.GapClosed) -> None: ...

    def on_change(self, link: Link) -> None: ...


class _Arrival(ClientConnection):
    """A connection that notes for each message whether it is text, and when it arrived."""

    def __init__(self, *args: Any, now_ns: Callable[[], int], alive: Callable[[], None], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now_ns, self.alive = now_ns, alive
        self.arrivals: deque[tuple[bool, int]] = deque()

    def process_event(self, event: Any) -> None:
        if type(event) is ws_frames.Frame and event.opcode is not ws_frames.Opcode.CONT:
            if event.opcode is ws_frames.Opcode.TEXT:
                self.arrivals.append((True, self.now_ns()))
            elif event.opcode is ws_frames.Opcode.BINARY:
                self.arrivals.append((False, self.now_ns()))
            else:
                self.alive()
        super().process_event(event)


class _Attempt(ws_connect):
    """One attempt: redirects are the session's business."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


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
        self._ws: _Arrival | None = None
        self._dialling = self._dialled = 0
        self._last_ns: int | None = None
        self._work: set[asyncio.Task[None]] = set()
        self._dial_task: asyncio.Task[None] | None = None
        self._timer: Cancellable | None = None
        self._health: Cancellable | None = None
        self._beat_timer: Cancellable | None = None
        self._ask_timer: Cancellable | None = None
        self._words: deque[tuple[str, bool]] = deque()  # message, and whether it is the user's
        self._writer: asyncio.Task[None] | None = None
        self._token: str | None = None
        self.heartbeat = fsm.Heartbeat(
            options.heartbeat_interval_s, options.heartbeat_timeout_s, protocol.heartbeat_answered
        )
        self.subscriptions = fsm.Subscriptions(OFFLINE_S)
        self.outbox: fsm.Outbox[str] = fsm.Outbox(options.send_queue)
        self.frames = 0
        """Frames received, whatever they were."""
        self._pending: list[Frame] = []
        self._flush_timer: asyncio.TimerHandle | asyncio.Handle | None = None
        self._last_flush = float("-inf")
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
        result = self.outbox.offer(message, connected)
        if result == "sent":
            self._say(message, of_user=True)
        return result

    def _say(self, *messages: str, of_user: bool = False) -> None:
        """Send messages over the connection that is open now, in the order of the calls."""
        if self._ws is None or not messages:
            return
        self._words.extend((message, of_user) for message in messages)
        if self._lockstep is not None:
            self._lockstep.sent(len(messages))
        if self._writer is None or self._writer.done():
            self._writer = self._own(self._write(self._ws))

    async def _write(self, ws: _Arrival) -> None:
        """The one writer of a connection. What it cannot send any more was lost with the connection."""
        with contextlib.suppress(ConnectionClosed):
            while self._words and self._ws is ws:
                await ws.send(self._words[0][0])
                if self._words:
                    self._words.popleft()

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
            self._flush()
            self._stop_pulse()
            self._own(self._close_socket(ws, request.code, request.reason))

    async def _close_socket(self, ws: _Arrival, code: int, reason: str) -> None:
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
        self._words.clear()

    async def _attempt(self, url: str) -> _Arrival:
        options = self._options
        headers = dict(options.headers)
        if options.token is not None:
            self._token = await token_of(options.token)
            self._secrets.add(self._token)
            url = _carry(self._token, options.token_by, url, headers)
        name = f"{self._name}/{self.endpoint}/{self.session.conn_epoch + 1}"
        self._lockstep = self._clock.channel(name)
        if self._lockstep is not None:
            headers[LOCKSTEP_HEADER] = name
            headers[ANNOUNCED_HEADER] = "1"
        secure: dict[str, Any] = {"ssl": options.ssl} if options.ssl is not None and url.startswith("wss:") else {}
        ws = await _Attempt(
            url,
            create_connection=cast(
                "type[ClientConnection]", partial(_Arrival, now_ns=self._clock.now_ns, alive=self._alive)
            ),
            additional_headers=headers,
            compression=options.compression,
            open_timeout=options.open_timeout_s,
            ping_interval=options.heartbeat_interval_s,
            ping_timeout=options.heartbeat_timeout_s,
            close_timeout=CLOSE_TIMEOUT_S,
            max_size=options.max_size,
            max_queue=READ_QUEUE,
            subprotocols=[Subprotocol(name) for name in self._protocol.subprotocols] or None,
            proxy=None if is_this_machine(url) else True,
            logger=_quiet,
            **secure,
        )
        assert isinstance(ws, _Arrival)
        return ws

    # Receiving

    async def _receive(self, ws: _Arrival) -> None:
        lockstep, epoch, endpoint = self._lockstep, self.session.conn_epoch, self.endpoint
        try:
            while True:
                data = await ws.recv(decode=False)
                text, recv_ns = ws.arrivals.popleft()
                if self._ws is not ws:
                    continue  # we hung up: what still comes lies in the gap that was told then
                self._last_ns = recv_ns
                self.frames += 1
                self._pending.append(Frame(data, text, recv_ns, epoch, endpoint))
                if lockstep is not None:
                    self._flush()
                    lockstep.received()
                elif len(self._pending) >= BATCH_FRAMES:
                    self._flush()
                    await asyncio.sleep(0)  # a burst must not keep the other connections waiting
                elif self._flush_timer is None:
                    self._schedule_flush()
        except ConnectionClosed as exc:
            self._lost(ws, lost_event(exc, self._dialled, self._last_ns, self._secrets.scrub), lockstep)

    def _lost(self, ws: _Arrival, lost: fsm.Lost, lockstep: Lockstep | None) -> None:
        with self._clock.awake():
            if lockstep is not None:
                lockstep.broken()
            if self._ws is not ws:
                return  # we hung up ourselves; the session knows
            self._flush()
            self._ws = None
            self._stop_pulse()
            self.handle(lost)

    def _schedule_flush(self) -> None:
        loop = asyncio.get_running_loop()
        wait = self._last_flush + BATCH_S - loop.time()
        self._flush_timer = loop.call_soon(self._flush) if wait <= 0 else loop.call_later(wait, self._flush)

    def _flush(self) -> None:
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        self._last_flush = asyncio.get_running_loop().time()
        if self._pending:
            self.heartbeat.heard(self._clock.now_ns())
            frames, self._pending = self._pending, []
            try:
                self._sink.on_frames(self, frames)
            except Exception as exc:
                # A fault of ours. It must not end in a feed that silently stands still, so it is told as a loss.
                log.exception("a fault while handling frames of %s", self.endpoint)
                reason = f"a fault of this client: {type(exc).__name__}"
                self._end(fsm.Lost(1011, reason, dial=self._dialled, ours=True))

    def on_control(self, control: Control, recv_ns: int) -> None:
        """A frame without data came (the sink says so, it can tell)."""
        if control.reply is not None:
            self._say(control.reply)
        if control.kind == "pong":
            self.heartbeat.heard(recv_ns, pong=True)
            self._arm_heartbeat()
        elif control.kind == "subscribed":
            self.subscriptions.acknowledge(control.topic)
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
        if self._pending:
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
            if self._protocol.heartbeat_answered:
                self._own(self._ping(self._ws))
        self._arm_heartbeat()

    async def _ping(self, ws: _Arrival) -> None:
        """A protocol ping beside the application's heartbeat: its pong is life, too."""
        with contextlib.suppress(ConnectionClosed):
            await ws.ping()

    def _alive(self) -> None:
        """A control frame of the WebSocket protocol came."""
        self.heartbeat.heard(self._clock.now_ns())
        if self._ws is not None and self._beat_timer is not None:
            self._arm_heartbeat()


def is_this_machine(url: str) -> bool:
    """Whether a URL stays on this machine for certain. (A name such as 127.example is a name, and may be anywhere.)"""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _carry(token: str, by: TokenBy, url: str, headers: dict[str, str]) -> str:
    """Put the token where the system wants it; returns the URL to dial. (A message carries it later.)"""
    if by == "header":
        headers["Authorization"] = f"Bearer {token}"
    elif by == "cookie":
        headers["Cookie"] = "; ".join(filter(None, [headers.get("Cookie"), f"token={token}"]))
    elif by == "query":
        parts = urlsplit(url)
        query = "&".join(filter(None, [parts.query, f"token={quote(token, safe='')}"]))
        return urlunsplit(parts._replace(query=query))
    return url


async def token_of(token: str | Callable[[], str]) -> str:
    """The token itself; a callable is asked on another thread, since it may well go and fetch one.

    :raises TokenFailed: if the callable fails
    """
    if isinstance(token, str):
        return token
    try:
        value = await asyncio.to_thread(token)
    except Exception as exc:  # noqa: BLE001 - whatever it raises, its words may hold the token
        # The message of a token provider may hold the token: its type is all that is told.
        raise TokenFailed(
            f"the token callable raised {type(exc).__name__}; it should return the token as text"
        ) from None
    if not isinstance(value, str):
        raise TokenFailed(f"the token callable returned {type(value).__name__}; expected the token as text")
    if not fits_header(value):
        raise TokenFailed("the token callable returned an empty text, or one with blanks or line ends; strip() it")
    return value


def fits_header(token: str) -> bool:
    """Whether a token can travel in a header."""
    return bool(token) and all(" " < c < "\x7f" for c in token)


def lost_event(exc: ConnectionClosed, dial: int, last_ns: int | None, scrub: Callable[[str], str] = str) -> fsm.Lost:
    """What the end of a connection means: the peer's close code, or ours where we ended it for a fault."""
    ours = exc.sent is not None and exc.sent.code != 1000 and (exc.rcvd is None or exc.rcvd_then_sent is False)
    frame = exc.sent if ours else exc.rcvd
    if frame is None:
        return fsm.Lost(1006, "", dial=dial, last_ns=last_ns)
    return fsm.Lost(int(frame.code), scrub(frame.reason), dial=dial, ours=ours, last_ns=last_ns)


def outcome(exc: Exception, dial: int, now_ns: int, scrub: Callable[[str], str] = str) -> fsm.Event:
    """What a failed attempt means, as an event for the session."""
    if isinstance(exc, InvalidStatus):
        headers = exc.response.headers
        wait_s = fsm.parse_retry_after(headers.get("Retry-After"), now_ns)
        return fsm.Refused(exc.response.status_code, wait_s, headers.get("Location"), dial=dial)
    kind, detail = _failure(exc)
    return fsm.Failed(kind, scrub(detail), dial=dial)


def _failure(exc: Exception) -> tuple[fsm.FailedKind, str]:
    match exc:
        case InvalidURI():
            return "url", "not a WebSocket URL"
        case ssl_module.SSLError():
            return "tls", getattr(exc, "verify_message", "") or getattr(exc, "reason", None) or str(exc)
        case socket.gaierror():
            return "dns", exc.strerror or "unknown host"
        case TimeoutError():
            return "timeout", "no answer to the opening handshake"
        case InvalidMessage() | EOFError():
            # A server that restarts cuts handshakes short, so this is no word about what it speaks.
            return "handshake", "the server closed the connection during the opening handshake"
        case TokenFailed():
            return "token", str(exc)
        case InvalidProxy() | ProxyError() | ImportError():
            words = "by the proxy that this environment names (HTTPS_PROXY and the like); NO_PROXY leaves a host out"
            return "handshake", f"{type(exc).__name__} {words}"
        case InvalidHandshake():
            return "protocol", str(exc)
        case ConnectionResetError() if exc.errno is None:
            # What asyncio says when the connection goes before TLS stands.
            return (
                "handshake",
                "the connection was cut during the TLS handshake (a server without TLS is reached by ws://)",
            )
        case OSError():
            return "tcp", os.strerror(exc.errno) if exc.errno else str(exc) or type(exc).__name__
    return "protocol", f"{type(exc).__name__} in the opening handshake"
