"""The machine behind the modelled inference server: load, memory, cache, network; from what the tape has in work."""

from __future__ import annotations

from typing import Any

from .base import NS, Noise
from .tape import Tape

WORKERS = 8
CACHE_ENTRIES = 4_096
ENTRY_BYTES = 131_072
BYTES_PER_TOKEN = 6
"""Of traffic, roughly."""


class Machine:
    """What can be measured around the requests of ``tape``, at any time."""

    def __init__(self, seed: int, tape: Tape) -> None:
        self._tape = tape
        self._cpu = Noise(seed, "fakeai/cpu", 9 * NS)
        self._memory = Noise(seed, "fakeai/memory", 120 * NS)
        self._lookup = Noise(seed, "fakeai/lookup", 20 * NS)
        self._clients = Noise(seed, "fakeai/clients", 60 * NS)

    def connections(self, t: int) -> int:
        """Clients that are connected for anything."""
        return max(1, len(self._tape.active(t)) + round(12 + 3 * self._clients.at(t)))

    def system(self, t: int) -> dict[str, Any]:
        """The data of a system_update."""
        active, sums = len(self._tape.active(t)), self._tape.totals(t)
        busy = min(1.0, active / WORKERS)
        return {
            "cpu_usage": _percent(18.0 + 45.0 * busy + 4.0 * self._cpu.at(t)),
            "memory_usage": _percent(54.0 + 6.0 * self._memory.at(t) + 5.0 * busy),
            "gpu_usage": _percent(12.0 + 70.0 * busy + 3.0 * self._cpu.at(t + 3 * NS)),
            "gpu_memory_usage": _percent(68.0 + 2.0 * self._memory.at(t + 60 * NS)),
            "disk_usage": _percent(41.0 + (t - self._tape.begin_ns) / NS / 86_400.0),
            "network_in_bytes": sums.prompt_tokens * BYTES_PER_TOKEN + sums.requests * 900,
            "network_out_bytes": sums.completion_tokens * BYTES_PER_TOKEN * 4 + sums.requests * 700,
            "active_workers": min(WORKERS, active),
            "queue_size": max(0, active - WORKERS),
        }

    def kv_cache(self, t: int) -> dict[str, Any]:
        """The data of a kv_cache_update."""
        sums = self._tape.totals(t)
        misses = sums.requests - sums.cache_hits
        entries = min(CACHE_ENTRIES, misses)
        return {
            "cache_hits": sums.cache_hits,
            "cache_misses": misses,
            "hit_rate": round(sums.cache_hits / max(1, sums.requests), 6),
            "cache_size_bytes": entries * ENTRY_BYTES,
            "cache_entries": entries,
            "evictions": misses - entries,
            "avg_lookup_time_ms": round(0.4 + 0.1 * self._lookup.at(t), 3),
        }


def _percent(value: float) -> float:
    return round(min(100.0, max(0.0, value)), 2)
