"""The doctor's hands: every look at the network, each within a limit, and what came of it as plain data."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    InvalidURI,
    SecurityError,
)
from websockets.proxy import get_proxy
from websockets.uri import parse_uri

from ..errors import BadOption
from ..protocols import PROTOCOLS, Frame, redact
from ..protocols.base import Ledger
from .findings import Failure, HttpAnswer, Listened, Opened, Refusal, Tls

HEALTH = "/q/health"
MORE_FRAMES_S = 2.5
"""How long to go on listening after the first frame, for the lag."""
MAX_FRAMES = 50
MAX_ANSWER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Target:
    """What is examined. ``url`` may hold secrets; ``shown`` does not."""

    url: str
    shown: str
    secure: bool
    host: str
    port: int
    path: str
    topic: str
    protocol: str
    secrets: frozenset[str]
    token: str | None = None

    @property
    def local(self) -> bool:
        """Whether the host is this machine; a name that merely looks like an address of it is not."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


class Probes:
    """The looks at one target."""

    def __init__(self, target: Target, timeout_s: float, ca: Path | None = None) -> None:
        self._target = target
        self._timeout_s = timeout_s
        self._context = _tls_context(ca) if target.secure else None
        proxy = get_proxy(parse_uri(target.url))
        parts = urlsplit(proxy or "")
        self.proxied = proxy is not None
        self.dial = (parts.hostname or target.host, parts.port or 80) if proxy else (target.host, target.port)

    async def name(self) -> tuple[str, ...] | Failure:
        """Addresses of the host (of the proxy, if there is one)."""
        loop = asyncio.get_running_loop()
        host, port = self.dial
        try:
            async with asyncio.timeout(self._timeout_s):
                infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except TimeoutError:
            return Failure("timeout", f"no answer in {self._timeout_s:g} s")
        except (OSError, UnicodeError) as error:
            return Failure("name", str(error))
        return tuple(dict.fromkeys(str(info[4][0]) for info in infos))

    async def tcp(self) -> float | Failure:
        """Milliseconds until a connection stood."""
        start = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeout_s):
                _, writer = await asyncio.open_connection(*self.dial)
        except (OSError, TimeoutError) as error:
            return self._failure(error)
        elapsed_ms = (time.perf_counter() - start) * 1e3
        await _hang_up(writer)
        return elapsed_ms

    async def tls(self) -> Tls | Failure:
        """The encrypted connection that would carry the WebSocket."""
        try:
            async with asyncio.timeout(self._timeout_s):
                _, writer = await asyncio.open_connection(*self.dial, ssl=self._context)
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            return self._failure(error)
        tunnel = writer.get_extra_info("ssl_object")
        certificate: dict[str, Any] = writer.get_extra_info("peercert") or {}
        end = certificate.get("notAfter")
        days_left = None if end is None else (ssl.cert_time_to_seconds(end) - time.time()) / 86_400
        await _hang_up(writer)
        return Tls(tunnel.version(), days_left)

    @asynccontextmanager
    async def websocket(self) -> AsyncIterator[tuple[Opened | Refusal | Failure, Awaitable[Listened] | None]]:
        """Open the WebSocket, and listen to it from then on."""
        start = time.perf_counter()
        connection = await self._connect()
        if not isinstance(connection, ClientConnection):
            yield connection, None
            return
        opened = Opened((time.perf_counter() - start) * 1e3, _deflates(connection))
        listening = asyncio.create_task(self._listen(connection))
        try:
            yield opened, listening
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await connection.close()

    async def _connect(self) -> ClientConnection | Refusal | Failure:
        token = self._target.token
        try:
            return await connect(
                self._target.url,
                additional_headers={"Authorization": f"Bearer {token}"} if token else None,
                open_timeout=self._timeout_s,
                close_timeout=1,
                ssl=self._context,
            )
        except Exception as error:  # noqa: BLE001 - whatever the peer did to the handshake is a finding
            return self._refused(error)

    async def _listen(self, connection: ClientConnection) -> Listened:
        frames: list[Frame] = []
        code: int | None = None
        reason = ""
        start = time.perf_counter()
        first_s: float | None = None
        try:
            async with asyncio.timeout(self._timeout_s) as limit:
                while len(frames) < MAX_FRAMES:
                    message = await connection.recv()
                    frames.append(_frame(message, self._target.topic))
                    if first_s is None:
                        first_s = time.perf_counter() - start
                        limit.reschedule(asyncio.get_running_loop().time() + MORE_FRAMES_S)
        except TimeoutError:
            pass  # the usual end
        except ConnectionClosed:
            code, reason = connection.close_code, connection.close_reason or ""
        batch = PROTOCOLS[self._target.protocol].decoder(Ledger()).decode(frames)
        return Listened(batch, time.perf_counter() - start, first_s, code, reason)

    async def health(self) -> HttpAnswer | Failure:
        """What the node says of itself. No token is sent."""
        host, port = self.dial
        literal = f"[{host}]" if ":" in host else host
        request = (
            f"GET {HEALTH} HTTP/1.1\r\nHost: {literal}:{port}\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                reader, writer = await asyncio.open_connection(host, port, ssl=self._context)
                try:
                    writer.write(request.encode("ascii"))
                    answer = await _read_answer(reader)
                finally:
                    await _hang_up(writer)
        except (OSError, TimeoutError, UnicodeError) as error:
            return self._failure(error)
        return _parse_answer(answer)

    def _failure(self, error: Exception) -> Failure:
        if isinstance(error, TimeoutError):
            return Failure("timeout", f"no answer in {self._timeout_s:g} s")
        if isinstance(error, ssl.SSLCertVerificationError):
            return Failure("certificate", error.verify_message or str(error))
        if isinstance(error, ssl.SSLError):
            return Failure("not-tls" if "WRONG_VERSION" in (error.reason or "") else "other", str(error))
        if isinstance(error, ConnectionRefusedError):
            return Failure("refused", "the port is closed")
        if isinstance(error, ConnectionResetError | BrokenPipeError | EOFError):
            return Failure("closed", "the connection was closed by the server")
        return Failure("unreachable" if isinstance(error, OSError) else "other", f"{type(error).__name__}: {error}")

    def _refused(self, error: Exception) -> Refusal | Failure:
        if isinstance(error, InvalidStatus):
            headers = error.response.headers
            location = headers.get("Location")
            return Refusal(
                error.response.status_code, headers.get("Retry-After"), redact(location) if location else None
            )
        if isinstance(error, SecurityError | InvalidURI):
            return Failure("redirect", "a redirect that is not followed")
        if isinstance(error, InvalidMessage):
            return Failure("not-websocket", "the answer is no HTTP")
        if isinstance(error, InvalidHandshake):
            return Failure("not-websocket", f"{type(error).__name__}: {error}")
        return self._failure(error)


def _tls_context(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise BadOption(f"--ca {ca} cannot be read: {error}. Expected a file of certificates in PEM.") from error


def _deflates(connection: ClientConnection) -> bool:
    return any(extension.name == "permessage-deflate" for extension in connection.protocol.extensions)


def _frame(message: str | bytes, topic: str) -> Frame:
    text = isinstance(message, str)
    data = message.encode() if isinstance(message, str) else message
    return Frame(data=data, text=text, recv_ns=time.time_ns(), conn_epoch=1, endpoint=topic)


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        async with asyncio.timeout(1):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        pass  # it was to be closed, and is


async def _read_answer(reader: asyncio.StreamReader) -> bytes:
    answer = b""
    while len(answer) < MAX_ANSWER_BYTES and (part := await reader.read(MAX_ANSWER_BYTES)):
        answer += part
    return answer


def _parse_answer(answer: bytes) -> HttpAnswer | Failure:
    class Received:
        def makefile(self, *_: object) -> io.BytesIO:
            return io.BytesIO(answer)

    try:
        response = HTTPResponse(cast(socket.socket, Received()))
        response.begin()
        body = response.read()
    except (HTTPException, ValueError) as error:
        return Failure("other", f"no HTTP answer ({type(error).__name__})")
    try:
        return HttpAnswer(response.status, json.loads(body))
    except (ValueError, RecursionError):
        return HttpAnswer(response.status, None)
