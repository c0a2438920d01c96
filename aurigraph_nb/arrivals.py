"""What came over a connection and was not taken yet: a queue that its reader looks into when it likes.

A reader that wants batches says how many it would like and how long it can wait for them, and is woken once for all.
"""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import takewhile

Arrived = tuple[bytes, bool, int]
"""A message as it came, whether it is text, and when it arrived, ns since 1970 UTC."""


class Arrivals:
    """The messages that wait, in their order. Of one event loop, and with one reader."""

    def __init__(self) -> None:
        self._waiting: deque[Arrived | tuple[None, bool, int]] = deque()
        self._in_parts = 0
        self._reader: asyncio.Future[None] | None = None
        self._enough = 1
        self.over = False
        """Whether nothing more will come."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, data: bytes | None, text: bool, recv_ns: int) -> None:
        """A message came; ``data`` is None if others put its parts together, see :meth:`complete`."""
        self._waiting.append((data, text, recv_ns))  # type: ignore[arg-type]  # a tuple of either kind
        if data is None:
            self._in_parts += 1
        if self._reader is not None and len(self._waiting) >= self._enough:
            self.wake()

    def end(self) -> None:
        """Nothing more will come."""
        self.over = True
        self.wake()

    def wake(self) -> None:
        """Let the reader have what there is."""
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(None)

    async def wait(self, many: int, patience_s: float = 0.0) -> None:
        """Wait for a message, or the end. For ``patience_s`` seconds one is not enough: then wait for ``many``."""
        if patience_s > 0 and len(self._waiting) < many and not self.over:
            timer = asyncio.get_running_loop().call_later(patience_s, self.wake)
            try:
                await self._wait_for(many)
            finally:
                timer.cancel()
        while not self._waiting and not self.over:
            await self._wait_for(1)

    async def _wait_for(self, enough: int) -> None:
        self._enough = enough
        self._reader = asyncio.get_running_loop().create_future()
        await self._reader

    def take(self, most: int | None = None) -> list[Arrived]:
        """What waits now, up to ``most`` messages; and up to the first one that comes in parts."""
        if self._in_parts:
            whole = sum(1 for _ in takewhile(lambda arrived: arrived[0] is not None, self._waiting))
            most = whole if most is None else min(most, whole)
        if most is None or most >= len(self._waiting):
            came = list(self._waiting)
            self._waiting.clear()
        else:
            came = [self._waiting.popleft() for _ in range(most)]
        return came  # type: ignore[return-value]  # none of them is in parts

    def complete(self, data: bytes) -> list[Arrived]:
        """Take the first one, which came in parts: this is all of it."""
        _, text, recv_ns = self._waiting.popleft()
        self._in_parts -= 1
        return [(data, text, recv_ns)]
