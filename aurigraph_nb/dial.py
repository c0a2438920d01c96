"""The door to the websockets library: one attempt to open a connection, and what its end or its failure means.

(The other transport, picows, is behind :mod:`swift`.)

Frames are kept as they came (text or binary, and when). Redirects and retries are the session's business, so the
library does neither; its log lines hold URLs and headers, so it logs nothing.
"""

from __future__ import annotations

import logging
import os
import socket
import ssl as ssl_module
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, Protocol, cast

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
from .arrivals import Arrivals, Arrived
from .protocols.base import TokenBy
from .tokens import TokenFailed, is_this_machine

READ_QUEUE = 256
"""Messages that may wait to be taken before reading from the socket stops."""
GO_ON_AT = 64

CLOSE_TIMEOUT_S = 2.0

quiet = logging.getLogger("aurigraph_nb.websockets")
quiet.setLevel(logging.CRITICAL + 1)
quiet.propagate = False


Transport = Literal["websockets", "picows"]
"""Which library reads and writes the socket."""


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
    transport: Transport = "websockets"

    def __repr__(self) -> str:
        return f"Options(compression={self.compression!r}, max_size={self.max_size!r})"


class Wire(Protocol):
    """An open connection, whatever library holds it. What ends it is told by the websockets library's
    ConnectionClosed.
    """

    arrivals: Arrivals
    """What came and was not taken yet."""

    @property
    def latency(self) -> float:
        """Round trip of the last ping, s; 0 before the first."""

    async def take(self, most: int, patience_s: float = 0.0) -> list[Arrived]:
        """What came: at least one message, for which it waits, and ``most`` at most.

        :param patience_s: how long it may wait until there are that many
        """

    async def send(self, message: str) -> None: ...

    async def ping(self) -> object: ...

    async def close(self, code: int = 1000, reason: str = "") -> None: ...


class Arrival(ClientConnection):
    """A connection that notes for each message whether it is text, and when it arrived.

    Whole messages are kept here, so that a burst of them is taken without a coroutine a message. Those that come in
    parts are put together by the library.
    """

    def __init__(self, *args: Any, now_ns: Callable[[], int], alive: Callable[[], None], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now_ns, self.alive = now_ns, alive
        self.arrivals = Arrivals()
        self._held = self._leaving = False

    def process_event(self, event: Any) -> None:
        if type(event) is not ws_frames.Frame:
            super().process_event(event)
            return
        opcode = event.opcode
        if self._leaving and opcode not in ws_frames.CTRL_OPCODES:
            return  # read on, to the server's close; nobody takes what comes before it
        if opcode is ws_frames.Opcode.TEXT or opcode is ws_frames.Opcode.BINARY:
            whole = bytes(event.data) if event.fin else None
            self.arrivals.put(whole, opcode is ws_frames.Opcode.TEXT, self.now_ns())
            if len(self.arrivals) > READ_QUEUE and not self._held:
                self._held = True
                self.transport.pause_reading()
                self.arrivals.wake()
            if whole is not None:
                return
        elif opcode is not ws_frames.Opcode.CONT:
            self.alive()
        super().process_event(event)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.arrivals.end()

    async def take(self, most: int, patience_s: float = 0.0) -> list[Arrived]:
        """What came, see :meth:`Wire.take`.

        :raises ConnectionClosed: if nothing will come
        """
        await self.arrivals.wait(most, patience_s)
        came = self.arrivals.take(most)
        if not came:
            whole = await self.recv(decode=False)  # raises what ended the connection, if nothing is left
            came = self.arrivals.complete(whole)
        if len(self.arrivals) <= GO_ON_AT:
            self._read_on()
        return came

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close. What still comes is dropped, so that the server's answer is read."""
        self._leaving = True
        self._read_on()
        await super().close(code, reason)

    def _read_on(self) -> None:
        if self._held:
            self._held = False
            self.transport.resume_reading()


class _Attempt(ws_connect):
    """One attempt: redirects are the session's business."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def open_connection(
    url: str,
    options: Options,
    headers: Mapping[str, str],
    *,
    subprotocols: tuple[str, ...],
    now_ns: Callable[[], int],
    alive: Callable[[], None],
) -> Wire:
    """One attempt; raises whatever made it fail, see :func:`outcome`.

    :param alive: called at each ping, pong or close frame
    """
    if options.transport == "picows":
        from . import swift

        return await swift.open_connection(url, options, headers, subprotocols=subprotocols, now_ns=now_ns, alive=alive)
    secure: dict[str, Any] = {"ssl": options.ssl} if options.ssl is not None and url.startswith("wss:") else {}
    ws = await _Attempt(
        url,
        create_connection=cast("type[ClientConnection]", partial(Arrival, now_ns=now_ns, alive=alive)),
        additional_headers=headers,
        compression=options.compression,
        open_timeout=options.open_timeout_s,
        ping_interval=None,  # the library's keepalive counts pongs alone as life; ours counts any frame
        close_timeout=CLOSE_TIMEOUT_S,
        max_size=options.max_size,
        max_queue=READ_QUEUE,
        subprotocols=[Subprotocol(name) for name in subprotocols] or None,
        proxy=None if is_this_machine(url) else True,
        logger=quiet,
        **secure,
    )
    assert isinstance(ws, Arrival)
    return ws


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
