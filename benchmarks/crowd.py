"""A crowd of clients in one process: as many bare sockets as wanted, which shake hands and count what comes.

It answers a command a line: ``open PATH COUNT`` connects so many more; ``lags`` listens to a sample of them until the
next command, and notes how old each frame is by the time that stands in it; ``count`` reads and counts on all of them;
``tell`` says what came since the last command, ``close`` closes all. While nothing is asked for, nothing is read.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import resource
import sys
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from aurigraph_nb.protocols.values import iso_time

from .processes import say

SAMPLE = 100
"""Clients whose lags are noted; so that reading takes no time, the others' frames wait in the kernel."""
KEY = base64.b64encode(b"0123456789abcdef").decode()
AT_ONCE = 50


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, host: str, path: str, came: Callable[[bytes], object]) -> None:
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        self._came = came
        self._buffer = b""
        self.transport: asyncio.Transport
        self.shaken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._request.encode())

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.shaken.done():
            self.shaken.set_exception(exc or ConnectionError("refused"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self.shaken.done():
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 101 " not in head.partition(b"\r\n")[0]:
                self.transport.abort()
                return
            self.transport.pause_reading()
            self.shaken.set_result(None)
            self._buffer = rest
        self._take()

    def _take(self) -> None:
        buffer, at = self._buffer, 0
        while len(buffer) - at >= 4:
            size, begin = buffer[at + 1], at + 2
            if size == 126:
                size, begin = int.from_bytes(buffer[at + 2 : at + 4], "big"), at + 4
            if len(buffer) < begin + size:
                break
            self._came(buffer[begin : begin + size])
            at = begin + size
        self._buffer = buffer[at:]


class Crowd:
    """All of them."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname, parts.port
        self._clients: list[Client] = []
        self._lags_ms: list[float] = []
        self._frames = 0
        self._since = time.perf_counter()
        self._came: Callable[[bytes], None] = self._count

    def _count(self, frame: bytes) -> None:
        self._frames += 1

    def _lag(self, frame: bytes) -> None:
        now_ns = time.time_ns()
        self._frames += 1
        text = frame.partition(b'"timestamp":"')[2].partition(b'"')[0].decode()
        self._lags_ms.append((now_ns - iso_time(text)) / 1e6)

    async def do(self, line: str) -> dict[str, float]:
        """Do what a line asks for."""
        command, *words = line.split()
        told: dict[str, float] = {}
        match command:
            case "open":
                await self._open(words[0], int(words[1]))
            case "lags":
                step = max(1, len(self._clients) // SAMPLE)
                await self._drop_what_waits(self._clients[::step])
                self._came = self._lag
            case "count":
                self._came = self._count
                self._read(self._clients)
            case "tell":
                told = self._tell()
            case "close":
                for client in self._clients:
                    client.transport.abort()
                self._clients.clear()
        self._frames, self._since = 0, time.perf_counter()
        self._lags_ms.clear()
        return {"connections": len(self._clients), **told}

    def _tell(self) -> dict[str, float]:
        seconds = time.perf_counter() - self._since
        told = {"frames_per_s": self._frames / seconds, "frames": self._frames}
        if self._lags_ms:
            lags = sorted(self._lags_ms)
            told |= {"p50_ms": lags[len(lags) // 2], "p99_ms": lags[int(len(lags) * 0.99)]}
        return told

    async def _open(self, path: str, count: int) -> None:
        for first in range(0, count, AT_ONCE):
            await asyncio.gather(*(self._connect(path) for _ in range(first, min(count, first + AT_ONCE))))

    async def _connect(self, path: str) -> None:
        loop = asyncio.get_running_loop()
        make = lambda: Client(f"{self._host}:{self._port}", path, lambda frame: self._came(frame))  # noqa: E731
        _, client = await loop.create_connection(make, self._host, self._port)
        await client.shaken
        self._clients.append(client)

    async def _drop_what_waits(self, clients: list[Client]) -> None:
        self._came = self._count
        self._read(clients)
        await asyncio.sleep(0.2)

    @staticmethod
    def _read(clients: list[Client]) -> None:
        for client in clients:
            client.transport.resume_reading()


def allow_files() -> None:
    """Let this process have as many sockets as it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def run(url: str) -> None:
    """Do what the lines of the standard input ask for."""
    asyncio.run(_run(url))


async def _run(url: str) -> None:
    allow_files()
    crowd = Crowd(url)
    say({"ready": True})
    while line := await asyncio.to_thread(sys.stdin.readline):
        say(await crowd.do(line))
