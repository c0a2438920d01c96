"""A WebSocket server that does what a test tells it, on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

Script = Callable[[ServerConnection], Awaitable[None]]


async def hold(ws: ServerConnection) -> None:
    """Keep the connection until the client goes."""
    await ws.wait_closed()


def sends(*messages: str | bytes) -> Script:
    """Send the messages and keep the connection."""

    async def script(ws: ServerConnection) -> None:
        for message in messages:
            await ws.send(message)
        await ws.wait_closed()

    return script


def closes(code: int, reason: str = "", *messages: str) -> Script:
    """Send the messages, then close."""

    async def script(ws: ServerConnection) -> None:
        for message in messages:
            await ws.send(message)
        await ws.close(code, reason)

    return script


class ScriptedServer:
    """``scripts`` are for the first, second, … connection; the last one serves all that follow."""

    def __init__(self, *scripts: Script, process_request: Any = None, **options: Any) -> None:
        self.scripts = list(scripts) or [hold]
        self.accepted = 0
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self._process_request, self._options = process_request, options
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop: asyncio.Event
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        # The runner ends what is left, such as the handshake of a client that came while the server was closing.
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._main())

    def url(self, path: str = "/ws/metrics") -> str:
        return f"{'wss' if self._options.get('ssl') else 'ws'}://127.0.0.1:{self.port}{path}"

    async def _main(self) -> None:
        self._stop = asyncio.Event()

        async def handler(ws: ServerConnection) -> None:
            script = self.scripts[min(self.accepted, len(self.scripts) - 1)]
            self.accepted += 1
            await script(ws)

        def process_request(ws: ServerConnection, request: Any) -> Any:
            self.headers.append(dict(request.headers.raw_items()))
            self.paths.append(request.path)
            return self._process_request(ws, request) if self._process_request else None

        async with serve(handler, "127.0.0.1", 0, process_request=process_request, **self._options) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            self._ready.set()
            await self._stop.wait()
