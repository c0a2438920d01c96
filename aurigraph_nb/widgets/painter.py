"""The one thread that draws: gives every live widget its turn, frame after frame.

It lives while there are widgets and sleeps on a condition while none of them has anything to expect. A widget that
raises is told so (it counts and shows the error) and waits :data:`RETRY_S`; the others go on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

POLL_S = 0.025
"""How often a widget that has something to expect is asked for news, in seconds."""
RETRY_S = 1.0
"""How long a widget that raised waits for its next turn, in seconds."""


class Paintable(Protocol):
    """What the painter needs of a widget."""

    def paint(self, now: float) -> float | None:
        """Send what is due at ``now``; returns when to come again (None: after a :meth:`Painter.wake`)."""

    def failed(self, error: Exception) -> None:
        """:meth:`paint` raised."""


class Painter:
    """Gives widgets their turns, on its own thread or, with ``threaded=False``, by :meth:`tick` alone.

    ``clock`` gives monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, threaded: bool = True) -> None:
        self.clock = clock
        self._threaded = threaded
        self._due: dict[Paintable, float | None] = {}
        self._woken: set[Paintable] = set()
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """Whether the thread lives; only while there are widgets."""
        return self._thread is not None

    def __len__(self) -> int:
        return len(self._due)

    def add(self, member: Paintable) -> None:
        """Give ``member`` turns from now on; the first at once."""
        with self._news:
            self._due[member] = None
            self._woken.add(member)
            if self._threaded and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="aurigraph-painter", daemon=True)
                self._thread.start()
            self._news.notify_all()

    def remove(self, member: Paintable) -> None:
        """No more turns for ``member``; harmless if it has none."""
        with self._news:
            self._due.pop(member, None)
            self._woken.discard(member)
            self._news.notify_all()

    def wake(self, member: Paintable) -> None:
        """Something happened that ``member`` should look at now."""
        with self._news:
            if member in self._due:
                self._woken.add(member)
                self._news.notify_all()

    def tick(self, now: float) -> float | None:
        """Give a turn to everybody who is due at ``now``; returns the next time at which somebody will be."""
        with self._news:
            turns = [m for m, due in self._due.items() if m in self._woken or (due is not None and due <= now)]
            self._woken.clear()
        for member in turns:
            due = self._turn(member, now)
            with self._news:
                if member in self._due:
                    self._due[member] = due
        with self._news:
            return min((due for due in self._due.values() if due is not None), default=None)

    @staticmethod
    def _turn(member: Paintable, now: float) -> float | None:
        try:
            return member.paint(now)
        except Exception as error:  # noqa: BLE001 - one widget must not stop the others
            member.failed(error)
            return now + RETRY_S

    def _run(self) -> None:
        while True:
            due = self.tick(self.clock())
            with self._news:
                if not self._due:
                    self._thread = None
                    return
                if not self._woken:
                    self._news.wait(None if due is None else max(0.0, due - self.clock()))


shared = Painter()
"""The painter of this process. It has no thread before the first widget."""
