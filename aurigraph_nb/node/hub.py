"""All connections of a node, by topic: what is sent to them, and how they are closed.

The rule for slow readers: after each batch the node waits for those whose buffers fill up, so that a client which is
about as fast as the node loses nothing; but in vain only once for each, and not for long. Then it sends on, and what
the slow one cannot take is dropped for it alone, and counted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence

from ..clock import Clock
from .events import TOPICS, Event, TopicEvent
from .faults import GARBAGE, Fault
from .outlet import Outlet, Parcel
from .stats import Books
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
        self._outlets: dict[str, dict[Outlet, None]] = {topic: {} for topic in TOPICS}
        self._stalled: dict[str, int | None] = {}  # until when; None: until cleared

    @property
    def connections(self) -> dict[str, int]:
        """Open connections per topic."""
        return {topic: len(outlets) for topic, outlets in self._outlets.items()}

    def add(self, outlet: Outlet) -> None:
        self._outlets[outlet.topic][outlet] = None
        self._books.opened += 1

    def remove(self, outlet: Outlet) -> None:
        self._outlets[outlet.topic].pop(outlet, None)

    def _of(self, topics: Iterable[str]) -> Iterator[Outlet]:
        return (outlet for topic in topics for outlet in list(self._outlets[topic]) if outlet.open)

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
            self._send(topic, Parcel(batch))
        if payloads:
            self._books.latencies_ms.append((time.perf_counter() - begin) * 1000.0)

    def _send(self, topic: str, parcel: Parcel) -> None:
        books, count = self._books, len(parcel.payloads)
        silent = not self._broadcast or self._is_stalled(topic)
        for outlet in self._of((topic,)):
            if silent:
                books.withheld[topic] += count
            elif outlet.send(parcel):
                books.sent[topic] += count
            else:
                books.dropped[topic] += count

    def withhold(self, events: Sequence[Event]) -> None:
        """Book events as not sent to those who listen."""
        for event in events:
            if event.topic:
                self._books.withheld[event.topic] += len(self._outlets[event.topic])

    async def relieve(self) -> None:
        """Give the connections the time to take what was sent, within reason."""
        await asyncio.sleep(0)
        deadline = time.monotonic() + self._patience_s
        while late := [outlet for outlet in self._of(TOPICS) if outlet.congested and not outlet.slow]:
            if time.monotonic() >= deadline:
                for outlet in late:
                    outlet.slow = True
                return
            await asyncio.sleep(POLL_S)

    # Closing

    async def close(self, code: int, reason: str, topics: Iterable[str] = TOPICS) -> int:
        """Close the connections of ``topics`` with a handshake. Returns how many there were."""
        outlets = list(self._of(topics))
        await asyncio.gather(*(outlet.close(code, reason) for outlet in outlets))
        return len(outlets)

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
        """End all stalls."""
        self._stalled.clear()

    def _is_stalled(self, topic: str) -> bool:
        if topic not in self._stalled:
            return False
        until = self._stalled[topic]
        if until is None or self._clock.now_ns() < until:
            return True
        del self._stalled[topic]
        return False

    def garbage(self, fault: Fault) -> int:
        """Send garbage to all connections of the fault's topics. Returns how many there were."""
        outlets = list(self._of(fault.topics))
        for outlet in outlets:
            for i in range(fault.n):
                outlet.send_garbage(*GARBAGE[fault.kinds[i % len(fault.kinds)]])
            self._books.garbage[outlet.topic] += fault.n
        return len(outlets)
