"""When to compute: at an interval, while somebody looks. Pure: times are arguments, and nothing is waited for."""

from __future__ import annotations

from aurigraph_nb.durations import Duration, seconds
from aurigraph_nb.errors import BadOption

LEAST_S = 1.0
"""Shortest interval, in seconds."""


def checked_interval(every: Duration) -> float:
    """An interval in seconds.

    >>> checked_interval("10s"), checked_interval(2)
    (10.0, 2.0)

    Raises:
        BadOption: shorter than a second, or no duration.
        BadOptionType: of a type that is no duration.
    """
    every_s = seconds(every, option="every")
    if every_s < LEAST_S:
        raise BadOption(f"every={every!r}: expected a duration of at least {LEAST_S:g} s, such as 10 or '10s'")
    return every_s


class Ticks:
    """Moments at an interval. One that comes while the work of an earlier one still lasts is skipped, and counted.

    Whoever asks again after a pause (nobody looked) gets one moment at once, and not those of the pause.

    >>> ticks = Ticks(10.0)
    >>> [ticks.due(now, busy=False) for now in (0.0, 5.0, 10.0, 300.0, 305.0)]
    [True, False, True, True, False]
    """

    def __init__(self, every_s: float) -> None:
        self.every_s = every_s
        self.skipped = 0
        self._next: float | None = None

    def due(self, now: float, *, busy: bool) -> bool:
        """Whether to begin at ``now`` (monotonic seconds); ``busy``: the work of an earlier moment still lasts."""
        if self._next is not None and now < self._next:
            return False
        on_time = None if self._next is None else self._next + self.every_s
        self._next = on_time if on_time is not None and on_time > now else now + self.every_s
        self.skipped += busy
        return not busy
