"""All connections of a node, by topic or system: what is sent to them, and how they are closed.

The rule for slow readers: after each batch the node waits for those whose buffers fill up, so that a client which is
about as fast as the node loses nothing; but in vain only once for each, and not for long. Then it sends on, and what
the slow one cannot take is dropped for it alone, and counted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence

from ..clock import Clock
from . import faults
from .events import STREAMS, Event, TopicEvent
from .outlet import Outlet, Parcel
from .stats import Books
from .systems import Emission
from .wire import Wire

POLL_S = 0.001


class Hub:
    """The connections of a node.

    :param patience_s: real seconds that all may wait for one that is slow
    """

    def __init__(self, wire: Wire, clock: Clock, books: Books, *, broadcast: bool, patience_s: float) -> None:
        self._wire = wire
        self._clock = clock
        self._books = books
        self._broadcast = broadcast
        self._patience_s = patience_s
        self._outlets: dict[str, dict[Outlet, None]] = {stream: {} for stream in STREAMS}
        self._stalled: dict[str, int | None] = {}  # until when; None: until cleared

    @property
    def connections(self) -> dict[str, int]:
        """Open connections per topic, and per system that ever had one."""
        return {stream: len(self._outlets[stream]) for stream in list(self._books.sent)}

    def add(self, outlet: Outlet) -> None:
        self._books.open_page(outlet.topic)
        self._outlets[outlet.topic][outlet] = None
        self._books.opened += 1

    def remove(self, outlet: Outlet) -> None:
        if outlet.mischief is not None:
            self._books.withheld[outlet.topic] += len(outlet.mischief.release())
        self._outlets[outlet.topic].pop(outlet, None)

    def _of(self, topics: Iterable[str]) -> Iterator[Outlet]:
        return (outlet for topic in topics for outlet in list(self._outlets[topic]) if outlet.open)

    def outlets(self, stream: str) -> list[Outlet]:
        """The open connections of a stream."""
        return list(self._of((stream,)))

    # Sending

    def broadcast(self, events: Sequence[TopicEvent]) -> None:
        """Send each event to all connections of its topic. Never waits."""
        begin = time.perf_counter()
        encode, outlets = self._wire.encode, self._outlets
        payloads: dict[str, list[bytes]] = {}
        for event in events:
            if outlets[event.topic]:
                payloads.setdefault(event.topic, []).append(encode(event))
        for topic, batch in payloads.items():
            parcel, silent = Parcel(batch), self._is_silent(topic)
            for outlet in self._of((topic,)):
                self._send(outlet, parcel, silent=silent)
        if payloads:
            self._books.latencies_ms.append((time.perf_counter() - begin) * 1000.0)

    def publish(self, system: str, emissions: Sequence[Emission]) -> None:
        """Send what a system tells to each of its connections, as that one is to have it. Never waits."""
        silent = self._is_silent(system)
        for outlet in self._of((system,)):
            payloads: list[bytes] = []
            repeats = 0
            for emission in emissions:
                frames = outlet.frames(emission)
                payloads += frames
                repeats += max(0, len(frames) - 1)
            if payloads:
                self._send(outlet, Parcel(payloads, repeats), silent=silent)

    def _send(self, outlet: Outlet, parcel: Parcel, *, silent: bool) -> None:
        if outlet.mischief is not None and not (silent or outlet.mute):
            parcel = outlet.confuse(parcel)
        books, topic, count = self._books, outlet.topic, len(parcel.payloads) - parcel.repeats
        if silent or outlet.mute:
            books.withheld[topic] += count
        elif outlet.send(parcel):
            books.sent[topic] += count
            books.repeated[topic] += parcel.repeats
        else:
            books.dropped[topic] += count

    def answer(self, outlet: Outlet, payloads: Sequence[bytes]) -> None:
        """Send frames without data to one connection; nothing while it is stalled or half open."""
        if not payloads or not outlet.open:
            return
        if outlet.mute or self._is_stalled(outlet.topic) or not outlet.send(Parcel(payloads)):
            self._books.unanswered += len(payloads)
        else:
            self._books.answered[outlet.topic] += len(payloads)

    def withhold(self, events: Sequence[Event]) -> None:
        """Book events as not sent to those who listen."""
        for event in events:
            if event.topic:
                self._books.withheld[event.topic] += len(self._outlets[event.topic])

    async def relieve(self) -> None:
        """Give the connections the time to take what was sent, within reason."""
        await asyncio.sleep(0)
        deadline = time.monotonic() + self._patience_s
        while late := [outlet for outlet in self._of(STREAMS) if outlet.congested and not outlet.slow]:
            if time.monotonic() >= deadline:
                for outlet in late:
                    outlet.slow = True
                return
            await asyncio.sleep(POLL_S)

    # Closing

    async def close(self, code: int, reason: str, topics: Iterable[str] = STREAMS) -> int:
        """Close the connections of ``topics`` with a handshake. Returns how many there were."""
        outlets = list(self._of(topics))
        await asyncio.gather(*(self._close(outlet, code, reason) for outlet in outlets))
        return len(outlets)

    async def _close(self, outlet: Outlet, code: int, reason: str) -> None:
        if outlet.mischief is not None and outlet.mischief.holds and not outlet.mute:
            self._send(outlet, Parcel(outlet.mischief.release()), silent=False)
        await outlet.close(code, reason)

    def drop(self, topics: Iterable[str]) -> int:
        """Cut the TCP connections of ``topics``. Returns how many there were."""
        outlets = list(self._of(topics))
        for outlet in outlets:
            outlet.abort()
        return len(outlets)

    # Faults

    def stall(self, topics: Iterable[str], until_ns: int | None) -> None:
        """Send nothing to ``topics`` until that time (None: until :meth:`resume`)."""
        self._stalled.update(dict.fromkeys(topics, until_ns))

    def resume(self) -> None:
        """End all stalls, and send no more frames twice or late."""
        self._stalled.clear()
        for outlet in self._of(STREAMS):
            if outlet.mischief is not None:
                outlet.mischief.forget()

    def _is_silent(self, topic: str) -> bool:
        return not self._broadcast or self._is_stalled(topic)

    def _is_stalled(self, topic: str) -> bool:
        if topic not in self._stalled:
            return False
        until = self._stalled[topic]
        if until is None or self._clock.now_ns() < until:
            return True
        del self._stalled[topic]
        return False

    def spoil(self, fault: faults.Fault) -> int:
        """Send garbage, or confuse or silence what comes, on all connections of the fault's topics.

        Returns how many there were.
        """
        outlets = list(self._of(fault.topics))
        for outlet in outlets:
            match fault.kind:
                case "garbage":
                    for i in range(fault.n):
                        self._garbage(outlet, *faults.garbage(outlet.topic, fault.kinds[i % len(fault.kinds)]))
                case "oversize":
                    self._garbage(outlet, True, faults.oversize(fault.size))
                case "half-open":
                    outlet.fall_silent()
                case kind:
                    outlet.plan(kind, fault.n)
        return len(outlets)

    def _garbage(self, outlet: Outlet, text: bool, data: bytes) -> None:
        if not outlet.mute:
            outlet.send_garbage(text, data)
            self._books.garbage[outlet.topic] += 1
