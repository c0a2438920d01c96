"""The inference metrics stream as its documents have it: flat data, ms, numbered frames, a type for every subject.

The frames with data are numbered from 0 on each connection; greetings, heartbeats and answers have no number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .base import IGNORED, MS, NS, SHOWN, Emission, Heard, Talk, connection_id, encode, member, parse
from .machine import Machine
from .series import Loop, Play, Regular, Score, Series
from .tape import ENDPOINTS, MODELS, Request, Tape, Totals

PACES_S = {
    "metrics_update": 1.0,
    "model_update": 1.0,
    "system_update": 2.0,
    "rate_limit_update": 2.0,
    "kv_cache_update": 3.0,
    "cost_update": 5.0,
    "heartbeat": 15.0,
}
"""One every so many seconds; of models and rate limits, one by turns. Requests and errors come as they happen."""
RESTART_AFTER = 50
RECENT_S = 60.0
RATE_S = 10.0
RATE_LIMIT = 240
"""Requests a minute and endpoint."""


class Documented:
    """The inference server of a node, in its documents' words."""

    def __init__(self, seed: int, start_ns: int, quirks: frozenset[str]) -> None:
        self._seed = seed
        self._quirks = quirks
        tape = self._tape = Tape(seed, start_ns)
        self._machine = Machine(seed, tape)
        plays: dict[str, Play[Emission]] = {
            "metrics_update": self._metrics,
            "model_update": self._model,
            "system_update": self._system,
            "rate_limit_update": self._rate_limit,
            "kv_cache_update": self._kv_cache,
            "cost_update": self._cost,
            "heartbeat": self._heartbeat,
        }
        parts: list[tuple[Series, Play[Emission]]] = [
            (Loop(tape.begin_ns, tape.lap_ns, tape.starts), self._begun),
            (Loop(tape.begin_ns, tape.lap_ns, tape.done), self._completed),
        ]
        for kind, pace_s in PACES_S.items():
            first_ns = start_ns + (int(pace_s * NS) if kind == "heartbeat" else 0)
            parts.append((Regular(first_ns, int(pace_s * NS)), plays[kind]))
        self.score: Score[Emission] = Score(parts, start_ns)

    def talk(self, ordinal: int, *, authenticated: bool) -> Talk:
        """The talk with a client. (Tokens are looked at before the upgrade.)"""
        return DocumentedTalk(connection_id(self._seed, "fakeai", ordinal), self._quirks, self.clock)

    def clock(self, now_ns: int) -> dict[str, Any]:
        """The server's time, and how long it is up."""
        return {"server_time": now_ns // MS, "uptime_seconds": round((now_ns - self._tape.begin_ns) / NS, 3)}

    # What is told

    def _begun(self, j: int, t: int) -> Iterator[Emission]:
        request = self._tape.started(j)
        yield _emission(t, "request_update", self._request(request, "in_progress"), request.entry.model)

    def _completed(self, k: int, t: int) -> Iterator[Emission]:
        request = self._tape.request(k)
        trouble, model = request.entry.trouble, request.entry.model
        yield _emission(t, "request_update", self._request(request, "error" if trouble else "success"), model)
        if trouble is None:
            return
        data: dict[str, Any] = {
            "error_type": trouble.type,
            "error_message": trouble.message,
            "model": model,
            "timestamp": t // MS,
            "request_id": request.id,
            "severity": trouble.severity,
        }
        if trouble.severity == "critical":
            data["stack_trace"] = f"worker.py, in run\n  {trouble.type}: {trouble.message}"
        yield _emission(t, "error_update", data, model)

    def _request(self, request: Request, status: str) -> dict[str, Any]:
        entry, over = request.entry, status != "in_progress"
        completion = entry.completion_tokens if over else 0
        data: dict[str, Any] = {
            "id": request.id,
            "model": entry.model,
            "created": request.created_ns // MS,
            "prompt_tokens": entry.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": entry.prompt_tokens + completion,
            "latency_ms": entry.latency_ns / MS if over else 0.0,
            "streaming": entry.streaming,
            "status": status,
            "cost": entry.cost_micro / 1e6 if over else 0.0,
        }
        if status == "error" and entry.trouble is not None:
            data["error_message"] = entry.trouble.message
        if entry.user is not None:
            data["user_id"] = f"user-{entry.user}"
        if entry.organization is not None:
            data["organization_id"] = f"org-{entry.organization}"
        return data

    def _metrics(self, k: int, t: int) -> Iterator[Emission]:
        totals, recent = self._tape.totals(t), self._tape.window(t, RECENT_S)
        rate = self._tape.window(t, RATE_S)
        data = {
            "total_requests": totals.requests,
            "total_tokens": totals.tokens,
            "total_cost": totals.cost_micro / 1e6,
            "avg_latency_ms": round(recent.latency_ms, 3),
            "error_rate": round(recent.error_rate, 6),
            "streaming_percentage": round(100.0 * recent.streams / max(1, recent.requests), 2),
            "requests_per_second": rate.requests / RATE_S,
            "tokens_per_second": rate.tokens / RATE_S,
            "active_connections": self._machine.connections(t),
        }
        yield _emission(t, "metrics_update", data, metadata={"window_seconds": RECENT_S})

    def _model(self, k: int, t: int) -> Iterator[Emission]:
        model = MODELS[k % len(MODELS)]
        sums, rate = self._tape.totals(t, model=model), self._tape.window(t, RATE_S, model=model)
        data = {
            "model": model,
            "request_count": sums.requests,
            "total_prompt_tokens": sums.prompt_tokens,
            "total_completion_tokens": sums.completion_tokens,
            "total_tokens": sums.tokens,
            "total_latency_ms": sums.latency_us / 1000.0,
            "error_count": sums.errors,
            "avg_latency_ms": round(sums.latency_ms, 3),
            "error_rate": round(sums.error_rate, 6),
            "total_cost": sums.cost_micro / 1e6,
            "tokens_per_second": rate.tokens / RATE_S,
        }
        yield _emission(t, "model_update", data, model)

    def _system(self, k: int, t: int) -> Iterator[Emission]:
        yield _emission(t, "system_update", self._machine.system(t))

    def _rate_limit(self, k: int, t: int) -> Iterator[Emission]:
        endpoint = ENDPOINTS[k % len(ENDPOINTS)]
        minute = 60 * NS
        used = min(RATE_LIMIT, self._tape.window(t, t % minute / NS, endpoint=endpoint).requests)
        data = {
            "endpoint": endpoint,
            "limit": RATE_LIMIT,
            "remaining": RATE_LIMIT - used,
            "reset_time": (t - t % minute + minute) // MS,
            "percentage_used": round(100.0 * used / RATE_LIMIT, 2),
        }
        yield _emission(t, "rate_limit_update", data)

    def _kv_cache(self, k: int, t: int) -> Iterator[Emission]:
        yield _emission(t, "kv_cache_update", self._machine.kv_cache(t))

    def _cost(self, k: int, t: int) -> Iterator[Emission]:
        hour_s = 3_600.0
        whole = self._tape.window(t, hour_s)
        passed_s = min(hour_s, (t - self._tape.begin_ns) / NS)
        data = {
            "period": "hour",
            "total_cost": whole.cost_micro / 1e6,
            "breakdown_by_model": {m: self._dollars(self._tape.window(t, hour_s, model=m)) for m in MODELS},
            "breakdown_by_service": {e: self._dollars(self._tape.window(t, hour_s, endpoint=e)) for e in ENDPOINTS},
            "projected_monthly_cost": round(whole.cost_micro / 1e6 / max(1.0, passed_s) * 30 * 86_400, 2),
        }
        yield _emission(t, "cost_update", data)

    @staticmethod
    def _dollars(sums: Totals) -> float:
        return sums.cost_micro / 1e6

    def _heartbeat(self, k: int, t: int) -> Iterator[Emission]:
        yield _emission(t, "heartbeat", self.clock(t))


class DocumentedTalk:
    """The documented stream with one client.

    :param clock: the server's time and uptime, for a time
    """

    waits_for_token = False

    def __init__(self, connection_id: str, quirks: frozenset[str], clock: Callable[[int], dict[str, Any]]) -> None:
        self._connection_id = connection_id
        self._quirks = quirks
        self._clock = clock
        self._sequence = 0
        self._model: str | None = None

    def greeting(self, now_ns: int) -> list[bytes]:
        """An ``init`` with an id of the connection."""
        return [_frame("init", now_ns, {"connection_id": self._connection_id, **self._clock(now_ns)})]

    def hear(self, message: str | bytes, now_ns: int) -> Heard:
        """Heartbeats, and filters by model."""
        try:
            said = parse(message)
        except ValueError as error:
            return Heard("ignored", (self._error(f"Invalid JSON: {error}", now_ns),))
        kind = member(said, "type")
        refused = "heartbeat-refused" in self._quirks
        if kind == "ping" or (kind == "heartbeat" and not refused):
            return Heard("ping", (_frame("pong", now_ns, self._clock(now_ns)),))
        if kind == "subscribe":
            model = member(said.get("filters"), "model")
            self._model = model if isinstance(model, str) and model else None
            filters = {} if self._model is None else {"model": self._model[:SHOWN]}
            return Heard("command", (_said("subscribed", now_ns, {"filters": filters}),))
        if kind == "unsubscribe":
            self._model = None
            return Heard("command", (_said("unsubscribed", now_ns, {}),))
        if kind is None:
            return IGNORED
        return Heard("ignored", (self._error(f"Unknown message type: {str(kind)[:SHOWN]}", now_ns),))

    def _error(self, message: str, now_ns: int) -> bytes:
        return _said("error", now_ns, {"message": message})

    def frames(self, emission: Emission) -> list[bytes]:
        """The frame with the connection's next number, unless a filter keeps it out."""
        if emission.channel == "heartbeat":
            return [emission.body]
        if self._model is not None and emission.subject and emission.subject != self._model:
            return []
        number = self._sequence
        self._sequence += 1
        if "sequence-restart" in self._quirks:
            number %= RESTART_AFTER
        return [b'%b,"sequence":%d}' % (emission.body[:-1], number)]


def _emission(
    t: int, kind: str, data: dict[str, Any], subject: str = "", metadata: dict[str, Any] | None = None
) -> Emission:
    extra = {} if metadata is None else {"metadata": metadata}
    return Emission(t, kind, encode({"type": kind, "timestamp": t // MS, "data": data, **extra}), None, subject)


def _frame(kind: str, ns: int, data: dict[str, Any]) -> bytes:
    return encode({"type": kind, "timestamp": ns // MS, "data": data})


def _said(kind: str, ns: int, rest: dict[str, Any]) -> bytes:
    return encode({"type": kind, "timestamp": ns // MS, **rest})
