"""When things happen: series whose members can be had by their number, and a score that plays several in time order."""

from __future__ import annotations

import bisect
import heapq
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")


class Series(Protocol):
    """Happenings in time order, without end."""

    def time_of(self, k: int) -> int:
        """When number ``k`` happens, ns since 1970."""

    def first_after(self, t: int) -> int:
        """The least number whose time is later than ``t``."""


class Regular:
    """One every ``period_ns``, number 0 at ``first_ns``."""

    def __init__(self, first_ns: int, period_ns: int) -> None:
        self._first_ns = first_ns
        self._period_ns = period_ns

    def time_of(self, k: int) -> int:
        return self._first_ns + k * self._period_ns

    def first_after(self, t: int) -> int:
        return max(0, (t - self._first_ns) // self._period_ns + 1)


class Irregular:
    """One in every period, at a moment of its own; in whole ms."""

    def __init__(self, first_ns: int, period_ns: int, name: str) -> None:
        self._first_ns = first_ns
        self._period_ns = period_ns
        self._name = name

    def time_of(self, k: int) -> int:
        at = int(random.Random(f"{self._name}/{k}").random() * self._period_ns)
        return self._first_ns + k * self._period_ns + at - at % 1_000_000

    def first_after(self, t: int) -> int:
        k = max(0, (t - self._first_ns) // self._period_ns)
        return k if self.time_of(k) > t else k + 1


class Loop:
    """The same moments of a lap over and over; number 0 is the first of the lap that begins at ``first_ns``."""

    def __init__(self, first_ns: int, lap_ns: int, offsets: Sequence[int]) -> None:
        self._first_ns = first_ns
        self._lap_ns = lap_ns
        self._offsets = offsets  # ascending, from 0 to below lap_ns

    def time_of(self, k: int) -> int:
        lap, i = divmod(k, len(self._offsets))
        return self._first_ns + lap * self._lap_ns + self._offsets[i]

    def first_after(self, t: int) -> int:
        lap, rest = divmod(t - self._first_ns, self._lap_ns)
        return max(0, lap * len(self._offsets) + bisect.bisect_right(self._offsets, rest))


Play = Callable[[int, int], Iterable[T]]
"""What number ``k`` of a series, at its time, gives."""


class Score(Generic[T]):
    """Several series, played in time order; at the same time, in the order in which they are given.

    :param parts: series, and what each of their members gives
    :param start_ns: nothing before it is played
    """

    def __init__(self, parts: Sequence[tuple[Series, Play[T]]], start_ns: int) -> None:
        self._parts = parts
        self._start_ns = start_ns
        self._heap: list[tuple[int, int, int]] = []  # time, rank of the part, number
        self.skip_to(start_ns - 1)

    @property
    def next_ns(self) -> int:
        """When the next one happens."""
        return self._heap[0][0]

    def take(self, until_ns: int) -> list[T]:
        """What happens up to and including ``until_ns``."""
        out: list[T] = []
        heap = self._heap
        while heap[0][0] <= until_ns:
            t, rank, k = heap[0]
            series, play = self._parts[rank]
            heapq.heapreplace(heap, (series.time_of(k + 1), rank, k + 1))
            out.extend(play(k, t))
        return out

    def skip_to(self, t: int) -> None:
        """Go on with what is later than ``t``, in either direction; what is before is not played."""
        self._heap = []
        for rank, (series, _) in enumerate(self._parts):
            k = series.first_after(max(t, self._start_ns - 1))
            self._heap.append((series.time_of(k), rank, k))
        heapq.heapify(self._heap)
