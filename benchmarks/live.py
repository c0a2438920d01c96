"""Live: 10,000 messages a second, paced, over five connections; CPU µs a message, and how late the event loop is.

Our feed (typed rows in stores, nothing recorded) against a bare ``recv`` loop of the same library, which throws away
what it gets. The lag is that of a task on the same loop that wants to wake up every 5 ms. Each case in a fresh process,
of which the first tenth (connecting, first calls) is left out; the server, in another one, writes frame by frame what
is due every 2 ms.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

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


class Meter:
    """CPU time and lags of a run but for its first tenth.

    :param came: says how many messages came
    """

    def __init__(self, came: Callable[[], int], total: int) -> None:
        self._came, self._total = came, total
        self._clocked = Clocked()
        self._from: int | None = None
        self.lags = Lags()

    def is_over(self) -> bool:
        """Look how far it is; to be asked every 20 ms or so."""
        came = self._came()
        if self._from is None and came >= self._total // 10:
            self._from = came
            self.lags.ms.clear()
            self._clocked.__enter__()
        if came < self._total:
            return False
        self._clocked.__exit__()
        return True

    def told(self) -> dict[str, float]:
        measured = self._total - (self._from or 0)
        return {
            "cpu_us": self._clocked.cpu_s / measured * 1e6,
            "received_per_s": measured / self._clocked.wall_s,
            "lag_p50_ms": self.lags.at(0.5),
            "lag_p99_ms": self.lags.at(0.99),
        }


def ours(url: str, topics: Mapping[str, int], transport: str) -> dict[str, float]:
    """The feed: until all rows are stored."""
    import aurigraph_nb as ag
    from aurigraph_nb import iothread

    with ag.connect(url, protocol="portal", transport=transport) as feed:  # type: ignore[arg-type]
        meter = Meter(lambda: sum(feed[topic].store.count for topic in topics), sum(topics.values()))
        watching = iothread.get().submit(meter.lags.watch())
        for topic in topics:
            feed[topic].open()
        while not meter.is_over():  # wait() would wake up for each batch
            time.sleep(EVERY_S * 4)
        watching.cancel()
    return meter.told()


def bare(url: str, topics: Mapping[str, int], transport: str) -> dict[str, float]:
    """The library alone."""
    receive = _receive if transport == "websockets" else _listen
    came = [0]

    async def receive_all() -> dict[str, float]:
        meter = Meter(lambda: came[0], sum(topics.values()))
        watching = asyncio.ensure_future(meter.lags.watch())
        receiving = [asyncio.ensure_future(receive(f"{url}/{topic}", count, came)) for topic, count in topics.items()]
        while not meter.is_over():  # noqa: ASYNC110 - as our case does, on the same terms
            await asyncio.sleep(EVERY_S * 4)
        await asyncio.gather(*receiving)
        watching.cancel()
        return meter.told()

    return _run(receive_all, fast=transport == "picows")


def _run(work: Callable[[], Coroutine[Any, Any, dict[str, float]]], *, fast: bool) -> dict[str, float]:
    """On uvloop where our feed would be, too."""
    factory = None
    if fast and installed("uvloop"):
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(work())


async def _receive(url: str, count: int, came: list[int]) -> None:
    from websockets.asyncio.client import connect

    async with connect(url, compression=None) as ws:
        for _ in range(count):
            await ws.recv(decode=False)
            came[0] += 1


async def _listen(url: str, count: int, came: list[int]) -> None:
    import picows

    done = asyncio.get_running_loop().create_future()

    class Listener(picows.WSListener):  # type: ignore[misc, name-defined]
        left = count

        def on_ws_frame(self, transport: object, frame: object) -> None:
            frame.get_payload_as_bytes()  # type: ignore[attr-defined]
            came[0] += 1
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
