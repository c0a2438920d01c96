"""What the subjects of the model share: one calendar, one output, the incident of the moment.

The calendar is a heap of (time, rank, order): two things at the same nanosecond happen in the order of their ranks, so
that the number of events of one subject cannot change the order of another's.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from typing import Any

import msgspec

from .events import Event
from .truth import Ledger

NS = 1_000_000_000
MS = 1_000_000

Handler = Callable[[int, Any], None]

SCENARIO, LOAD, CHAIN, VALIDATORS, PEERS, TRANSACTIONS = range(6)
"""Ranks."""


class Active(msgspec.Struct, frozen=True):
    """The incident that is going on."""

    kind: str
    start_ns: int
    end_ns: int
    amount: float

    def ramp(self, t: int, rise_s: float = 3.0) -> float:
        """0 at its ends, 1 from ``rise_s`` after the start to ``rise_s`` before the end."""
        inside = min(t - self.start_ns, self.end_ns - t)
        return min(1.0, max(0.0, inside / (rise_s * NS)))


class World:
    """Calendar, output and record of the model."""

    def __init__(self, seed: int, start_ns: int) -> None:
        self.seed = seed
        self.start_ns = start_ns
        self.heap: list[tuple[int, int, int, Handler, Any]] = []
        self.order = itertools.count()
        self.out: list[Event] = []
        self.truth = Ledger()
        self.incident: Active | None = None

    def rng(self, subject: str) -> random.Random:
        """The random stream of one subject."""
        return random.Random(f"{self.seed}/{subject}")

    def at(self, t: int, rank: int, fn: Handler, arg: Any = None) -> None:
        """Call ``fn(t, arg)`` when time ``t`` comes (cut to whole microseconds)."""
        heapq.heappush(self.heap, (t - t % 1000, rank, next(self.order), fn, arg))

    def during(self, kind: str) -> Active | None:
        """The incident going on, if it is of that kind."""
        incident = self.incident
        return incident if incident is not None and incident.kind == kind else None

    def load_factor(self, t: int) -> float:
        """How many times the usual load there is because of a spike."""
        spike = self.during("spike")
        return 1.0 if spike is None else 1.0 + (spike.amount - 1.0) * spike.ramp(t)
