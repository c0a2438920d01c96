"""Live: 10,000 messages a second, paced, over five connections; CPU µs a message, and how late the event loop is.

Our feed (typed rows in stores, nothing recorded) against a bare ``recv`` loop of the same library, which throws away
what it gets. The lag is that of a task on the same loop that wants to wake up every 5 ms. Each case in a fresh process;
the server, in another one, writes frame by frame what is due every 2 ms.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from .harness import Clocked, options, run, tell
from .processes import PYTHONS_LOOP, Beside, beside, fresh, installed

RATE = 10_000
EVERY_S = 0.005


class Lags:
    """How late a task wakes up that sleeps for 5 ms, ms."""

    def __init__(self) -> None:
        self.ms: list[float] = []

    async def watch(self) -> None:
        while True:
            due = time.perf_counter() + EVERY_S
            await asyncio.sleep(EVERY_S)
            self.ms.append((time.perf_counter() - due) * 1e3)

    def at(self, share: float) -> float:
        return sorted(self.ms)[int(len(self.ms) * share)]


def _told(clocked: Clocked, lags: Lags, total: int) -> dict[str, float]:
    rate = total / clocked.wall_s
    lag = {"lag_p50_ms": lags.at(0.5), "lag_p99_ms": lags.at(0.99)}
    return {"cpu_us": clocked.cpu_s / total * 1e6, "received_per_s": rate, **lag}


def ours(url: str, topics: Mapping[str, int], transport: str) -> dict[str, float]:
    """The feed: until all rows are stored."""
    import aurigraph_nb as ag
    from aurigraph_nb import iothread

    lags = Lags()
    with ag.connect(url, protocol="portal", transport=transport) as feed:  # type: ignore[arg-type]
        watching = iothread.get().submit(lags.watch())
        with Clocked() as clocked:
            for topic in topics:
                feed[topic].open()
            for topic, count in topics.items():
                while feed[topic].store.count < count:  # wait() would wake up for each batch
                    time.sleep(0.02)
        watching.cancel()
    return _told(clocked, lags, sum(topics.values()))


def bare(url: str, topics: Mapping[str, int], transport: str) -> dict[str, float]:
    """The library alone."""
    receive = _receive if transport == "websockets" else _listen
    lags = Lags()

    async def receive_all() -> Clocked:
        watching = asyncio.ensure_future(lags.watch())
        with Clocked() as clocked:
            await asyncio.gather(*(receive(f"{url}/{topic}", count) for topic, count in topics.items()))
        watching.cancel()
        return clocked

    return _told(_run(receive_all, fast=transport == "picows"), lags, sum(topics.values()))


def _run(work: Callable[[], object], *, fast: bool) -> Clocked:
    """On uvloop where our feed would be, too."""
    factory = None
    if fast and installed("uvloop"):
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(work())  # type: ignore[arg-type, return-value]


async def _receive(url: str, count: int) -> None:
    from websockets.asyncio.client import connect

    async with connect(url, compression=None) as ws:
        for _ in range(count):
            await ws.recv(decode=False)


async def _listen(url: str, count: int) -> None:
    import picows

    done = asyncio.get_running_loop().create_future()

    class Listener(picows.WSListener):  # type: ignore[misc, name-defined]
        left = count

        def on_ws_frame(self, transport: object, frame: object) -> None:
            frame.get_payload_as_bytes()  # type: ignore[attr-defined]
            self.left -= 1
            if self.left == 0:
                done.set_result(None)

    transport, _ = await picows.ws_connect(Listener, url)
    await done
    transport.disconnect()
    await transport.wait_disconnected()


def cases(server: Beside) -> dict[str, Callable[[], Mapping[str, float]]]:
    """The cases that can run here: ours and the library alone, by turns."""
    where = {"url": server.ready["url"], "topics": server.ready["topics"]}
    found: dict[str, Callable[[], Mapping[str, float]]] = {}
    for transport in ("websockets", "picows"):
        if transport == "picows" and not installed("picows"):
            continue
        for case in ("ours", "bare"):
            found[f"{case}, {transport}"] = _case(case, transport, where)
    return found


def _case(case: str, transport: str, where: Mapping[str, object]) -> Callable[[], Mapping[str, float]]:
    env = PYTHONS_LOOP if transport == "websockets" else {}
    return lambda: fresh(f"benchmarks.live:{case}", env, **where, transport=transport)


def main() -> None:
    chosen = options(__doc__ or "")
    seconds = 5 if chosen.full else 2
    with beside("benchmarks.burst:run", messages=RATE * seconds, rate=RATE) as server:
        facts = {"rate": RATE, "seconds": seconds, "by_topic": server.ready["topics"]}
        result = run("live", cases(server), rounds=chosen.rounds, facts=facts)
    tell(result, as_json=chosen.json)


if __name__ == "__main__":
    main()
