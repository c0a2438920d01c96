"""A line that a value crosses, and who is told of it.

The rule, with hysteresis: the value is *above* once it exceeds ``threshold + hysteresis``, and *below* once it falls
short of ``threshold - hysteresis``; between the two it stays what it was. A change is one crossing. The first value
that is on either side only says where it begins, a missing value says nothing, and after a gap the comparison is with
the last value before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import msgspec


class Crossing(msgspec.Struct, frozen=True, kw_only=True):
    """A value went over a threshold, or under it: what the function gets that is given as ``on_cross``.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7)
    >>> chart = ag.TPSChart(feed, threshold=1e6, on_cross=lambda crossing: crossing.direction)
    """

    column: str
    direction: Literal["up", "down"]
    value: float
    """The first value on the new side."""
    threshold: float
    timestamp: int | None
    """Server time of its row, ns since 1970 UTC, or None."""
    recv_ns: int
    """Receive time of its row, ns since 1970 UTC."""


class Threshold:
    """Remembers on which side of a threshold the last value was. Pure.

    >>> line = Threshold(100.0, hysteresis=5.0)
    >>> [line.take(value) for value in (90.0, 104.0, 106.0, 96.0, 94.0)]
    [None, None, 'up', None, 'down']
    """

    def __init__(self, value: float, *, hysteresis: float = 0.0) -> None:
        self.value = value
        self.hysteresis = hysteresis
        self._above: bool | None = None

    def take(self, value: float | None) -> Literal["up", "down"] | None:
        """The next value; says whether and how it crosses."""
        above = self._side(value)
        if above is None or above == self._above:
            return None
        before, self._above = self._above, above
        if before is None:
            return None
        return "up" if above else "down"

    def _side(self, value: float | None) -> bool | None:
        if value is None or math.isnan(value):
            return None
        if value > self.value + self.hysteresis:
            return True
        return False if value < self.value - self.hysteresis else None


def watcher(column: str, threshold: Threshold, on_cross: Callable[[Crossing], object]) -> Callable[[Any], None]:
    """A callback for ``topic.on_record`` that calls ``on_cross`` at each crossing.

    It goes by the name of ``on_cross``, so that an error in it is reported under that name.
    """

    def look(record: Any) -> None:
        value = getattr(record, column)
        direction = threshold.take(value)
        if direction is not None:
            told = {"timestamp": record.timestamp, "recv_ns": record.recv_ns}
            crossing = Crossing(column=column, direction=direction, value=value, threshold=threshold.value, **told)
            on_cross(crossing)

    look.__qualname__ = str(getattr(on_cross, "__qualname__", type(on_cross).__name__))
    return look
