"""A server that is no bottleneck: frames of the local node's model, framed beforehand, written as fast as read.

It serves one path a topic, like a node. As soon as one client is connected to every topic, the burst begins: each
topic's frames, over and over, until there are enough; then it falls silent and keeps the connections open.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator, Mapping

from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode

from aurigraph_nb.recording.lines import FrameLine, data_of
from aurigraph_nb.sample import Script

from .processes import say

CHUNK = 2**17
"""Bytes that are written at once, about."""
TICK_S = 0.002
"""How often a paced server wakes up; what is due by then is written frame by frame."""


def topic_frames(messages: int) -> dict[str, list[bytes]]:
    """The first so many frames of the model in its usual mix, by topic; as a server writes them, unmasked."""
    script = Script("portal", scenario="steady", duration="240h", seed=7, start="2026-01-01")
    frames = (line for line in script.lines() if isinstance(line, FrameLine))
    found: dict[str, list[bytes]] = {}
    for line in itertools.islice(frames, messages):
        found.setdefault(line.e, []).append(Frame(Opcode.TEXT, data_of(line)).serialize(mask=False))
    return found


def chunks(frames: list[bytes], repeats: int) -> Iterator[bytes]:
    """All frames, so many times over, in pieces of about CHUNK bytes."""
    size = max(1, CHUNK * len(frames) // max(1, sum(map(len, frames))))
    pieces = [b"".join(frames[i : i + size]) for i in range(0, len(frames), size)]
    for _ in range(repeats):
        yield from pieces


class Turn:
    """The connections of one client, one a topic: all of them begin together."""

    def __init__(self, topics: int) -> None:
        self.missing = topics
        self.begin = asyncio.Event()

    async def meet(self) -> None:
        self.missing -= 1
        if self.missing == 0:
            self.begin.set()
        await self.begin.wait()


class Server:
    """Serves bursts, or (with ``rate``) a steady stream of so many frames a second over all topics."""

    def __init__(self, frames: Mapping[str, list[bytes]], repeats: int, rate: float | None) -> None:
        self._frames, self._repeats, self._rate = frames, repeats, rate
        self._total = sum(map(len, frames.values()))
        self._turn = Turn(len(frames))

    async def handle(self, ws: ServerConnection) -> None:
        assert ws.request is not None
        topic = ws.request.path.rsplit("/", 1)[-1]
        if self._turn.missing == 0:
            self._turn = Turn(len(self._frames))
        await self._turn.meet()
        if self._rate is None:
            await self._burst(ws, self._frames[topic])
        else:
            await self._stream(ws, self._frames[topic], self._rate * len(self._frames[topic]) / self._total)
        await ws.wait_closed()

    async def _burst(self, ws: ServerConnection, frames: list[bytes]) -> None:
        for chunk in chunks(frames, self._repeats):
            ws.transport.write(chunk)
            await ws.drain()

    async def _stream(self, ws: ServerConnection, frames: list[bytes], rate: float) -> None:
        begin, sent = time.perf_counter(), 0
        coming = itertools.cycle(frames)
        while sent < len(frames) * self._repeats:
            await asyncio.sleep(TICK_S)
            due = min(int((time.perf_counter() - begin) * rate), len(frames) * self._repeats)
            for frame in itertools.islice(coming, due - sent):
                ws.transport.write(frame)
            sent = due


def run(messages: int, repeats: int = 1, rate: float | None = None) -> None:
    """Serve until ended; says where, and how many frames of each topic a client gets."""
    asyncio.run(_serve(messages, repeats, rate))


async def _serve(messages: int, repeats: int, rate: float | None) -> None:
    frames = topic_frames(messages)
    server = Server(frames, repeats, rate)
    async with serve(server.handle, "127.0.0.1", 0, compression=None, ping_interval=None) as listening:
        port = listening.sockets[0].getsockname()[1]
        size = sum(len(frame) for of in frames.values() for frame in of) * repeats
        counts = {topic: len(of) * repeats for topic, of in frames.items()}
        say({"url": f"ws://127.0.0.1:{port}/ws", "topics": counts, "bytes": size})
        await asyncio.get_running_loop().create_future()
