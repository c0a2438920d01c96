"""Steps of the wall clock: found by comparing it with one that only goes on."""

from __future__ import annotations

import time
from collections.abc import Callable

LIMIT_NS = 1_000_000_000
"""Two clocks may differ by so much from one look to the next; corrections of the usual kind are far smaller."""


class StepWatch:
    """Tells when the wall clock has jumped since the last look.

    :param wall: what is watched, ns since 1970 UTC
    :param steady: what it is compared with, ns since anything

    >>> times = iter([100, 100 + 60 * 10**9])
    >>> watch = StepWatch(lambda: next(times), lambda: 5)
    >>> watch.look()
    (100, 60000000100)
    """

    def __init__(self, wall: Callable[[], int] = time.time_ns, steady: Callable[[], int] = time.monotonic_ns) -> None:
        self._wall, self._steady = wall, steady
        self._ahead = wall() - steady()

    def look(self) -> tuple[int, int] | None:
        """What the clock should show and what it shows, if these differ by more than a second; None otherwise."""
        now, steady = self._wall(), self._steady()
        before, self._ahead = self._ahead, now - steady
        return (steady + before, now) if abs(self._ahead - before) > LIMIT_NS else None
