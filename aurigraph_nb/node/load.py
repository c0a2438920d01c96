"""Load and resources of the node: transactions per second around a drifting mean, with bursts; the rest follows.

``tps`` is what the network as a whole does (hundreds of thousands); the transaction topic shows a sample of it.
"""

from __future__ import annotations

import math

from .events import MetricsEvent
from .world import LOAD, NS, World

MEAN_TPS = 850_000.0
CAPACITY_TPS = 4_000_000.0
MEMORY_MB = 16_384.0


class Load:
    """The metrics topic: one event each interval."""

    def __init__(self, world: World, interval_s: float) -> None:
        self._world = world
        self._rng = world.rng("load")
        self._interval_s = interval_s
        self._drift = 0.0  # log of the mean's deviation, minutes slow
        self._noise = 0.0  # log of the value's deviation from the mean, seconds slow
        self._burst = 0.0
        self._memory = 0.45  # share of the memory
        self._connections = 42.0
        self._ticks = 0
        self._sum = 0.0
        self.tps = 0.0
        """The last tick's."""
        self.peak_tps = 0.0
        world.at(world.start_ns, LOAD, self._tick)

    @property
    def average_tps(self) -> float:
        """Mean of all ticks."""
        return self._sum / self._ticks if self._ticks else 0.0

    def _tick(self, t: int, _: object) -> None:
        tps = self._next_tps(t)
        self.tps = round(tps, 1)
        self.peak_tps = max(self.peak_tps, self.tps)
        self._sum += self.tps
        busy = min(1.0, tps / CAPACITY_TPS)
        rng = self._rng
        self._memory += (0.38 + 0.45 * busy - self._memory) * self._pull(30.0) + 0.002 * rng.gauss(0.0, 1.0)
        self._memory = min(0.97, max(0.05, self._memory))
        self._connections += (40.0 - self._connections) * self._pull(60.0) + 0.5 * rng.gauss(0.0, 1.0)
        cpu = min(100.0, max(0.5, 9.0 + 88.0 * math.sqrt(busy) * 0.8 + rng.gauss(0.0, 1.2)))
        error_rate = (0.0008 + 0.03 * max(0.0, busy - 0.6)) * math.exp(0.25 * rng.gauss(0.0, 1.0))
        self._world.out.append(
            MetricsEvent(
                t,
                self.tps,
                round(cpu, 2),
                round(self._memory * MEMORY_MB, 1),
                round(self._memory * 100.0, 2),
                max(1, round(self._connections)),
                round(error_rate, 6),
            )
        )
        self._ticks += 1
        self._world.at(self._world.start_ns + round(self._ticks * self._interval_s * NS), LOAD, self._tick)

    def _next_tps(self, t: int) -> float:
        rng = self._rng
        slow, quick = self._pull(180.0), self._pull(4.0)
        self._drift += -self._drift * slow + 0.25 * math.sqrt(2 * slow) * rng.gauss(0.0, 1.0)
        self._noise += -self._noise * quick + 0.05 * math.sqrt(2 * quick) * rng.gauss(0.0, 1.0)
        size = rng.uniform(0.4, 0.9)  # drawn whether there is a burst or not: the stream stays in step
        self._burst *= 1.0 - self._pull(3.0)
        if rng.random() < 0.02 * self._interval_s:
            self._burst += size
        factor = self._world.load_factor(t) * (0.6 if self._world.during("partition") else 1.0)
        return MEAN_TPS * math.exp(self._drift + self._noise) * (1.0 + self._burst) * factor

    def _pull(self, memory_s: float) -> float:
        """Share of a deviation that goes away in one interval, if it is remembered for ``memory_s``."""
        return 1.0 - math.exp(-self._interval_s / memory_s)
