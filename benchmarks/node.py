"""Node: connections that one process holds, their memory, fan-out, and how old a broadcast is when it is there.

Ours is the local node with its model; the peer is ``broadcast()`` of the websockets library with ready-made messages.
First all clients listen to metrics at 1 Hz (lags of a sample of 100 of them, from the time in the frame to its being
read); then as many listen to transactions, and all that comes in a while is counted. ``cpu_us`` is the server's own CPU
time a frame sent, so 1e6 / cpu_us is what one core does alone. The clients live in another process, which needs about
as much time as the server: ``frames_per_s`` is what both do together on this machine. Nothing is compressed.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
import time
from collections.abc import Callable
from typing import Any

from .crowd import allow_files
from .harness import options, run, tell
from .processes import beside, memory_mb, say

RATE = 400
"""Frames a second that each client of the transactions is sent, if the server can."""
SETTLE_S = 0.5
TEXT = '{"hash":"0x%064d","from":"0x%040d","to":"0x%040d","value":"1000000000000000000","timestamp":"%s"}'


def told(sent: float) -> dict[str, float]:
    """What a server says of itself."""
    return {"memory_mb": memory_mb(), "cpu_s": time.process_time(), "sent": sent}


def serve_ours(connections: int) -> None:
    """The node; says how it is doing whenever it is asked."""
    from aurigraph_nb import Node

    allow_files()
    node = Node(seed=7, rate=RATE, max_connections=2 * connections + 100)
    with node:
        say({"url": node.url})
        for _ in sys.stdin:
            say(told(sum(node.stats().sent.values())))


def serve_peer(connections: int) -> None:
    """The library's own broadcast."""
    del connections
    allow_files()
    asyncio.run(_serve_peer())


async def _serve_peer() -> None:
    from websockets.asyncio.server import ServerConnection, broadcast, serve

    guests: dict[str, set[ServerConnection]] = {"metrics": set(), "transactions": set()}
    sent = 0

    async def handle(ws: ServerConnection) -> None:
        assert ws.request is not None
        mine = guests[ws.request.path.rsplit("/", 1)[-1]]
        mine.add(ws)
        try:
            await ws.wait_closed()
        finally:
            mine.discard(ws)

    async def pace(topic: str, rate: float) -> None:
        nonlocal sent
        begin, done = time.perf_counter(), 0
        while True:
            await asyncio.sleep(max(0.0, begin + done / rate - time.perf_counter()))
            now = dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
            broadcast(guests[topic], TEXT % (done, done, done, now))
            sent += len(guests[topic])
            done += 1

    async with serve(handle, "127.0.0.1", 0, compression=None) as listening:
        port = listening.sockets[0].getsockname()[1]
        say({"url": f"ws://127.0.0.1:{port}"})
        tasks = [asyncio.create_task(pace("metrics", 1.0)), asyncio.create_task(pace("transactions", RATE))]
        while await asyncio.to_thread(sys.stdin.readline):
            say(told(sent))
        for task in tasks:
            task.cancel()


def measure(kind: str, connections: int, listen_s: float, fan_s: float) -> dict[str, float]:
    """One server, one crowd."""
    with (
        beside(f"benchmarks.node:serve_{kind}", connections=connections) as server,
        beside("benchmarks.crowd:run", url=server.ready["url"]) as crowd,
    ):
        empty = server.ask("how")
        held = crowd.ask(f"open /ws/metrics {connections}")["connections"]
        full = server.ask("how")
        crowd.ask("lags")
        time.sleep(listen_s)
        lags = crowd.ask("tell")
        crowd.ask("close")
        crowd.ask(f"open /ws/transactions {connections}")
        crowd.ask("count")
        time.sleep(SETTLE_S)  # what waits in the sockets is read before counting begins
        crowd.ask("tell")
        before = server.ask("how")
        time.sleep(fan_s)
        fan, after = crowd.ask("tell"), server.ask("how")
    return {
        "connections": held,
        "kb_per_connection": (full["memory_mb"] - empty["memory_mb"]) * 1e3 / connections,
        "p50_ms": lags["p50_ms"],
        "p99_ms": lags["p99_ms"],
        "frames_per_s": fan["frames_per_s"],
        "cpu_us": (after["cpu_s"] - before["cpu_s"]) / max(1, after["sent"] - before["sent"]) * 1e6,
    }


def main() -> None:
    chosen = options(__doc__ or "")
    connections, listen_s, fan_s = (10_000, 10.0, 5.0) if chosen.full else (1_000, 3.0, 1.5)

    def case(kind: str) -> Callable[[], dict[str, float]]:
        return lambda: measure(kind, connections, listen_s, fan_s)

    cases: dict[str, Any] = {"ours": case("ours"), "peer, broadcast()": case("peer")}
    facts = {"connections": connections, "offered_per_s": connections * RATE}
    tell(run("node", cases, rounds=chosen.rounds, facts=facts), as_json=chosen.json)


if __name__ == "__main__":
    main()
