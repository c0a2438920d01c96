"""Plays: seeded made-up rows of the channel and inference systems, for widgets that may show such while offline.

A play is told the time and says what the next row holds. Nothing here is meant to be true, only to look alive.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from aurigraph_nb.schema import (
    Bandwidth,
    InferenceError,
    InferenceMetrics,
    InferenceRequest,
    ModelMetrics,
    RateLimit,
    Record,
    SystemMetrics,
    UserSession,
)

Fields = dict[str, Any]
MODELS = ("model-large", "model-small", "model-embed", "model-vision")
ENDPOINTS = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings")
SESSIONS = 8


class Play(Protocol):
    """Rows of one record type, one after the other."""

    period_s: float
    """Seconds between two rows."""

    def step(self, now_ns: int) -> Fields:
        """Columns of the next row."""


class _Play:
    """A play that counts its steps and has its own randomness."""

    period_s = 1.0

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.count = 0

    def step(self, now_ns: int) -> Fields:
        self.count += 1
        return self.row(now_ns)

    def row(self, now_ns: int) -> Fields:
        raise NotImplementedError

    def wave(self, middle: float, swing: float, period: float) -> float:
        """A value that goes up and down around ``middle``, with some noise."""
        turn = math.sin(self.count * 2 * math.pi / period)
        return max(0.0, middle + swing * turn + self.rng.gauss(0, swing / 6))


class _Bandwidth(_Play):
    period_s = 2.0

    def row(self, now_ns: int) -> Fields:
        return {
            "upload_mbps": self.wave(40, 15, 40),
            "download_mbps": self.wave(180, 50, 60),
            "latency_ms": self.wave(22, 6, 25),
        }


class _Sessions(_Play):
    """Sessions that come, transfer and go; the ordinal is part of the id, so that none comes back."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._open: dict[str, Fields] = {}

    def row(self, now_ns: int) -> Fields:
        if len(self._open) < SESSIONS:
            return {"action": "new", "last_update": now_ns} | self._begin()
        if self.rng.random() < 0.08:
            key = next(iter(self._open))
            return {"action": "terminate", "last_update": now_ns} | self._open.pop(key)
        session = self.rng.choice(list(self._open.values()))
        session["upload_bytes"] += self.rng.randrange(50_000, 2_000_000)
        session["download_bytes"] += self.rng.randrange(500_000, 20_000_000)
        session["session_time_s"] += self.rng.uniform(4, 30)
        return {"action": "update", "last_update": now_ns} | session

    def _begin(self) -> Fields:
        key = f"simulated-{self.count:04d}"
        self._open[key] = {
            "session_id": key,
            "username": f"user-{self.count:03d}",
            "ip_address": f"192.0.2.{self.count % 250 + 1}",
            "nas_ip_address": "198.51.100.1",
            "upload_bytes": 0,
            "download_bytes": 0,
            "session_time_s": self.rng.uniform(1, 900),
        }
        return dict(self._open[key])


class _Metrics(_Play):
    def row(self, now_ns: int) -> Fields:
        return {
            "total_requests": 40 * self.count,
            "total_tokens": 18_000 * self.count,
            "total_cost": 0.03 * self.count,
            "avg_latency_ms": self.wave(420, 90, 50),
            "error_rate": self.wave(0.012, 0.006, 45),
            "requests_per_s": self.wave(40, 12, 60),
            "tokens_per_s": self.wave(18_000, 4_000, 60),
            "active_connections": round(self.wave(12, 4, 30)),
        }


class _Models(_Play):
    def row(self, now_ns: int) -> Fields:
        place = self.count % len(MODELS)
        requests = 10 * self.count // (place + 1)
        return {
            "model": MODELS[place],
            "request_count": requests,
            "total_prompt_tokens": 300 * requests,
            "total_completion_tokens": 150 * requests,
            "total_tokens": 450 * requests,
            "error_count": requests // 90,
            "avg_latency_ms": self.wave(200 + 150 * place, 40, 40),
            "error_rate": 1 / 90,
            "total_cost": 0.0007 * requests,
            "tokens_per_s": self.wave(4_500 / (place + 1), 600, 40),
        }


class _Requests(_Play):
    def row(self, now_ns: int) -> Fields:
        prompt, completion = self.rng.randrange(20, 900), self.rng.randrange(5, 500)
        failed = self.rng.random() < 0.05
        return {
            "id": f"simulated-{self.count:05d}",
            "model": self.rng.choice(MODELS),
            "created": now_ns,
            "prompt_tokens": prompt,
            "completion_tokens": 0 if failed else completion,
            "total_tokens": prompt if failed else prompt + completion,
            "latency_ms": self.rng.lognormvariate(5.8, 0.5),
            "streaming": self.rng.random() < 0.4,
            "status": "error" if failed else "success",
            "cost": 1.5e-6 * (prompt + completion),
        }


class _Errors(_Play):
    period_s = 5.0

    def row(self, now_ns: int) -> Fields:
        return {
            "error_type": self.rng.choice(("timeout", "rate_limit", "invalid_request")),
            "error_message": "Simulated error",
            "model": self.rng.choice(MODELS),
            "severity": self.rng.choices(("low", "medium", "high", "critical"), (6, 4, 2, 1))[0],
        }


class _System(_Play):
    period_s = 2.0

    def row(self, now_ns: int) -> Fields:
        return {
            "cpu_percent": min(100.0, self.wave(48, 18, 40)),
            "memory_percent": min(100.0, self.wave(61, 5, 90)),
            "gpu_percent": min(100.0, self.wave(70, 15, 35)),
            "gpu_memory_percent": min(100.0, self.wave(64, 4, 80)),
            "disk_percent": 37.0,
            "network_in_bytes": 2_000_000 * self.count,
            "network_out_bytes": 5_000_000 * self.count,
            "active_workers": 8,
            "queue_size": round(self.wave(12, 10, 30)),
        }


class _Limits(_Play):
    def row(self, now_ns: int) -> Fields:
        place = self.count % len(ENDPOINTS)
        used = min(100.0, self.wave(30 + 25 * place, 15, 60))
        limit = 10_000
        minute_ns = 60_000_000_000
        return {
            "endpoint": ENDPOINTS[place],
            "limit": limit,
            "remaining": round(limit * (1 - used / 100)),
            "reset_time": (now_ns // minute_ns + 1) * minute_ns,
            "used_percent": used,
        }


PLAYS: Mapping[type[Record], Callable[[random.Random], Play]] = {
    Bandwidth: _Bandwidth,
    UserSession: _Sessions,
    InferenceMetrics: _Metrics,
    ModelMetrics: _Models,
    InferenceRequest: _Requests,
    InferenceError: _Errors,
    SystemMetrics: _System,
    RateLimit: _Limits,
}
"""The play of each record type that has one."""
