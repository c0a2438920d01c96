"""The door to picows, the transport of the extra [fast]: connections that to a link look like those of :mod:`dial`.

It reads a burst of frames in one callback, without a coroutine a frame. What goes wrong is told by the exceptions of
the other library, which every installation has, so that one table says what they mean.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from websockets.datastructures import Headers
from websockets.exceptions import (
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    InvalidURI,
)
from websockets.frames import Close
from websockets.http11 import Response
from websockets.proxy import get_proxy
from websockets.uri import parse_uri

from .arrivals import Arrivals, Arrived
from .dial import CLOSE_TIMEOUT_S, Options, quiet
from .tokens import is_this_machine

try:
    import picows
except ImportError:  # connect() says so before anything gets here
    picows = None
Listener: Any = object if picows is None else picows.WSListener

MAX_WAITING = 1_000
"""Messages that may wait to be taken before reading from the socket stops."""
GO_ON_AT = 250
MAX_CONTROL = 123
"""Bytes of a close reason."""
FLUSH = b"\x00\x00\xff\xff"

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
"""Kinds of frames (RFC 6455, 5.2)."""


class _Broken(Exception):
    """The server breaks a rule of the protocol, or of ours."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Inflate:
    """Undoes permessage-deflate (RFC 7692), one message after the other.

    :param header: what the server answered, or None where it takes no extension
    :raises InvalidHandshake: if that is nothing we asked for
    """

    def __init__(self, header: str) -> None:
        name, *parameters = [part.strip() for part in header.split(";")]
        said = dict(parameter.partition("=")[::2] for parameter in parameters)
        bits = said.pop("server_max_window_bits", "15").strip('"')
        self._anew = said.pop("server_no_context_takeover", None) is not None
        said.pop("client_no_context_takeover", None)
        if name != "permessage-deflate" or said or bits not in {str(n) for n in range(8, 16)}:
            raise InvalidHandshake("the server answered with an extension that was not asked for")
        self._bits = -max(9, int(bits))  # zlib reads what was written with 8 bits by 9, and has no 8
        self._stream = zlib.decompressobj(self._bits)

    def message(self, packed: bytes, limit: int) -> bytes:
        """One whole message, of at most ``limit`` bytes."""
        try:
            data = self._stream.decompress(packed + FLUSH, limit + 1)
        except zlib.error:
            raise _Broken(1007, "a message cannot be decompressed") from None
        if len(data) > limit or self._stream.unconsumed_tail:
            raise _Broken(1009, f"over size limit ({limit} bytes)")
        if self._anew or self._stream.eof:
            self._stream = zlib.decompressobj(self._bits)
        return data


class Swift(Listener):  # type: ignore[misc]
    """One connection. Messages lie in wait until they are taken; of each is noted if it is text, and when it came."""

    def __init__(
        self, *, now_ns: Callable[[], int], alive: Callable[[], None], max_size: int | None, inflate: Inflate | None
    ) -> None:
        self.now_ns, self.alive = now_ns, alive
        self.latency = 0.0
        """Round trip of the last ping, s; 0 before the first."""
        self._limit = sys.maxsize - 1 if max_size is None else max_size
        self._inflate = inflate
        self._transport: Any = None
        self.arrivals = Arrivals()
        self._parts: list[bytes] = []
        self._size = 0
        self._first: tuple[bool, bool] | None = None  # text, packed: of a message that comes in parts
        self._paused = self._broken = self._leaving = False
        self._pinged = 0.0
        self._writable = asyncio.Event()
        self._writable.set()
        self._gone: asyncio.Task[None] | None = None

    # What the library says, on the loop

    def on_ws_connected(self, transport: Any) -> None:
        self._transport = transport

    def on_ws_frame(self, transport: Any, frame: Any) -> None:
        kind = frame.msg_type
        if self._broken or (self._leaving and kind in (TEXT, BINARY, CONTINUATION)):
            return
        if frame.fin and self._first is None and not frame.rsv1 and (kind in (TEXT, BINARY)):
            self._put(kind == TEXT, frame.get_payload_as_bytes())
            return
        try:
            if kind in (TEXT, BINARY, CONTINUATION):
                self._assemble(kind, frame)
            else:
                self._control(kind, frame)
        except _Broken as exc:
            self._broken = True  # nothing that still lies in the buffer counts
            self._say_close(exc.code, exc.reason)
            transport.disconnect()

    def on_ws_disconnected(self, transport: Any) -> None:
        self._writable.set()
        self.arrivals.end()
        self._gone = asyncio.get_running_loop().create_task(self._hear(transport))

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def _hear(self, transport: Any) -> None:
        """Take the library's own words about the end; the close frames say it all."""
        with contextlib.suppress(Exception):
            await transport.wait_disconnected()

    # Frames

    def _put(self, text: bool, data: bytes) -> None:
        self.arrivals.put(data, text, self.now_ns())
        if len(self.arrivals) > MAX_WAITING and not self._paused:
            self._paused = True
            self._transport.underlying_transport.pause_reading()

    def _assemble(self, kind: int, frame: Any) -> None:
        if (kind == CONTINUATION) is (self._first is None):
            raise _Broken(1002, "a message in parts was begun or continued out of turn")
        if frame.rsv2 or frame.rsv3 or (frame.rsv1 and (self._inflate is None or kind == CONTINUATION)):
            raise _Broken(1002, "reserved bits are set")
        first = self._first or (kind == TEXT, bool(frame.rsv1))
        self._size += frame.payload_size
        if self._size > self._limit:
            raise _Broken(1009, f"over size limit ({self._limit} bytes)")
        self._parts.append(frame.get_payload_as_bytes())
        if not frame.fin:
            self._first = first
            return
        whole = b"".join(self._parts)
        self._parts, self._size, self._first = [], 0, None
        if first[1]:
            assert self._inflate is not None
            whole = self._inflate.message(whole, self._limit)
        self._put(first[0], whole)

    def _control(self, kind: int, frame: Any) -> None:
        self.alive()
        if kind == PING:
            self._transport.send_pong(frame.get_payload_as_bytes())
        elif kind == PONG and self._pinged:
            self.latency, self._pinged = time.perf_counter() - self._pinged, 0.0
        elif kind == CLOSE:
            code = int(frame.get_close_code())
            self._say_close(code if code not in (0, 1005) else 1000, "")
            self._transport.disconnect()

    def _say_close(self, code: int, reason: str) -> None:
        if not (self._transport.is_close_frame_sent or self._transport.is_disconnected):
            words = reason.encode()[:MAX_CONTROL].decode(errors="ignore")
            self._transport.send_close(code, words)

    # What a link asks for

    async def take(self, most: int, patience_s: float = 0.0) -> list[Arrived]:
        """What came: at least one message, for which it waits, and ``most`` at most.

        :param patience_s: how long it may wait until there are that many
        :raises ConnectionClosed: if nothing will come
        """
        await self.arrivals.wait(most, patience_s)
        came = self.arrivals.take(most)
        if not came:
            raise self._end()
        if self._paused and len(self.arrivals) <= GO_ON_AT:
            self._resume()
        return came

    async def send(self, message: str) -> None:
        """Send a text message; waits while the server does not read.

        :raises ConnectionClosed: if the connection is closed
        """
        await self._open()
        self._transport.send(TEXT, message)
        await self._writable.wait()

    async def ping(self) -> None:
        """Send a ping; its answer is a sign of life, and tells the latency.

        :raises ConnectionClosed: if the connection is closed
        """
        await self._open()
        self._pinged = time.perf_counter()
        self._transport.send_ping(b"ag")

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close, in good order if the server answers in time. What still comes is dropped, so that this is read."""
        self._leaving = True
        self._resume()
        self._say_close(code, reason)
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._hear(self._transport)
        except TimeoutError:
            self._transport.disconnect(False)
            await self._hear(self._transport)

    def _resume(self) -> None:
        """Read on, so that the server's close is seen."""
        if self._paused and not self.arrivals.over:
            self._paused = False
            self._transport.underlying_transport.resume_reading()

    async def _open(self) -> None:
        if self.arrivals.over or self._transport.is_close_frame_sent or self._transport.is_disconnected:
            raise self._end()

    def _end(self) -> ConnectionClosed:
        """How it ended."""
        shaken = self._transport.close_handshake
        if shaken is None:
            return ConnectionClosedError(None, None)
        received, sent = _frame(shaken.recv), _frame(shaken.sent)
        both = received is not None and sent is not None
        good = both and received.code in (1000, 1001, 1005)  # type: ignore[union-attr]
        kind = ConnectionClosedOK if good else ConnectionClosedError
        return kind(received, sent, shaken.recv_then_sent if both else None)


def _frame(info: Any) -> Close | None:
    return None if info is None else Close(int(info.code) or 1005, info.reason or "")


async def open_connection(
    url: str,
    options: Options,
    headers: Mapping[str, str],
    *,
    subprotocols: tuple[str, ...],
    now_ns: Callable[[], int],
    alive: Callable[[], None],
) -> Swift:
    """One attempt, as :func:`aurigraph_nb.dial.open_connection`; raises the exceptions of that library."""
    if options.open_timeout_s <= 0:
        raise TimeoutError

    def listener(_: Any, response: Any) -> Swift:
        _check_subprotocol(response, subprotocols)
        inflate = _negotiated(response, options.compression)
        return Swift(now_ns=now_ns, alive=alive, max_size=options.max_size, inflate=inflate)

    wanted = dict(headers)
    if subprotocols:
        wanted["Sec-WebSocket-Protocol"] = ", ".join(subprotocols)
    if options.compression == "deflate":
        wanted["Sec-WebSocket-Extensions"] = "permessage-deflate"
    proxy = None if is_this_machine(url) else get_proxy(parse_uri(url))
    try:
        async with asyncio.timeout(options.open_timeout_s):
            _, swift = await _dial(listener, url, options, wanted, proxy)
    except picows.WSInvalidURL as exc:
        raise InvalidURI(url, "not a WebSocket URL") from exc
    except picows.WSInvalidStatusError as exc:
        raise InvalidStatus(_response(exc.response)) from exc
    except picows.WSInvalidMessageError as exc:
        raise InvalidHandshake("did not receive a valid HTTP response") from exc
    except picows.WSHandshakeError as exc:
        raise InvalidHandshake(str(exc)) from exc
    if swift is None:
        raise InvalidMessage("the connection was closed")
    assert isinstance(swift, Swift)
    return swift


async def _dial(
    listener: Callable[[Any, Any], Swift], url: str, options: Options, headers: Mapping[str, str], proxy: str | None
) -> tuple[Any, Any]:
    connected: tuple[Any, Any] = await picows.ws_connect(
        listener,
        url,
        ssl_context=options.ssl,
        websocket_handshake_timeout=None,  # the whole attempt has one
        logger_name=quiet,
        enable_auto_pong=False,  # a ping is a sign of life, so it has to be seen
        max_frame_size=sys.maxsize if options.max_size is None else options.max_size,
        extra_headers=headers,
        max_redirects=0,
        proxy=proxy,
    )
    return connected


def _check_subprotocol(response: Any, offered: tuple[str, ...]) -> None:
    chosen = response.headers.get("Sec-WebSocket-Protocol")
    if chosen is not None and chosen not in offered:
        raise InvalidHandshake("the server chose a subprotocol that was not offered")


def _negotiated(response: Any, compression: str | None) -> Inflate | None:
    answer = response.headers.get("Sec-WebSocket-Extensions")
    if answer is None:
        return None
    if compression is None:
        raise InvalidHandshake("the server answered with an extension that was not asked for")
    return Inflate(answer)


def _response(response: Any) -> Response:
    headers = Headers(list(response.headers.items()))
    return Response(int(response.status), response.status.phrase, headers, response.body or b"")
