"""The inference metrics stream as the real server speaks it: seconds, nested data, no numbers, a snapshot on open.

It knows ping, subscribe (which adds to the filters) and unsubscribe (which resets them), and refuses the documented
heartbeat. Errors close nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .base import NS, SHOWN, Emission, Heard, Talk, encode, member, parse
from .series import Regular, Score
from .tape import ENDPOINTS, Request, Tape

BASE_S = 0.5
"""The server looks every so often who is to be sent an update; each client has it every ``interval`` of its own."""
RATE_S = 10.0
RECENT_S = 60.0
TYPES = ("throughput", "latency", "cache", "queue", "streaming", "error")
ALL = "all"
BY_ENDPOINT = ("throughput", "latency", "error")
MOST_FILTERS = 100
"""Of each sort, on one connection."""

Snapshot = dict[str, dict[str, Any]]


class Real:
    """The inference server of a node, as it really speaks."""

    def __init__(self, seed: int, start_ns: int, quirks: frozenset[str]) -> None:
        self._tape = Tape(seed, start_ns)
        step_ns = int(BASE_S * NS)
        self._step_ns = step_ns
        self.score: Score[Emission] = Score([(Regular(start_ns, step_ns), self._update)], start_ns)

    def talk(self, ordinal: int, *, authenticated: bool) -> Talk:
        """The talk with a client. (Tokens are looked at before the upgrade.)"""
        return RealTalk(self)

    def _update(self, k: int, t: int) -> Iterator[Emission]:
        now, before = self.snapshot(t), self.snapshot(t - self._step_ns)
        yield Emission(t, "metrics_update", data=(now, deltas(now, before)))

    def snapshot(self, t: int) -> Snapshot:
        """Everything, as it is at ``t``."""
        recent = self._tape.between(max(self._tape.begin_ns, t - round(RECENT_S * NS)), t)
        rated = [request for request in recent if request.done_ns > t - round(RATE_S * NS)]
        by_endpoint = {e: [r for r in recent if r.entry.endpoint == e] for e in ENDPOINTS}
        latency = {e: spread(r.entry.latency_ns / 1e6 for r in of) for e, of in by_endpoint.items() if of}
        active, sums = [r for r in self._tape.active(t) if r.entry.streaming], self._tape.totals(t)
        streams = [r for r in recent if r.entry.streaming]
        streaming: dict[str, Any] = {
            "active_streams": len(active),
            "completed_streams": sums.streams - sums.failed_streams,
            "failed_streams": sums.failed_streams,
        }
        if streams:
            streaming["ttft"] = spread(r.entry.ttft_ns / 1e6 for r in streams)
            streaming["tokens_per_second"] = spread(
                r.entry.completion_tokens / (r.entry.latency_ns / NS) for r in streams
            )
        errors = _rates([r for r in rated if r.entry.trouble is not None])
        return {
            "throughput": _throughput(rated),
            "latency": latency,
            "cache": {},
            "queue": {"active_streams": len(active), "queue_depth": len(active)},
            "streaming": streaming,
            "error": {"errors_per_sec": errors, "total_errors_per_sec": round(sum(errors.values()), 6)},
        }


class RealTalk:
    """The real stream with one client."""

    waits_for_token = False

    def __init__(self, server: Real) -> None:
        self._server = server
        self._last_ns = 0
        self._reset()

    def _reset(self) -> None:
        self._endpoints: dict[str, None] = {}  # in the order in which they came
        self._models: dict[str, None] = {}
        self._types: dict[str, None] = {ALL: None}
        self._interval_s = 1.0

    def greeting(self, now_ns: int) -> list[bytes]:
        """What happened until now."""
        self._last_ns = now_ns
        return [_frame("historical_data", now_ns, data=self._server.snapshot(now_ns))]

    def hear(self, message: str | bytes, now_ns: int) -> Heard:
        """Ping, subscribe, unsubscribe; anything else is an error that is told."""
        try:
            said = parse(message)
        except ValueError as error:
            return _refusal(f"Invalid JSON: {error}", now_ns)
        if not isinstance(said, dict):
            return _refusal("Internal error: an object was expected", now_ns)
        kind = said.get("type")
        if kind == "ping":
            return Heard("ping", (_frame("pong", now_ns),))
        if kind == "subscribe":
            return self._subscribe(said.get("filters"), now_ns)
        if kind == "unsubscribe":
            self._reset()
            return Heard("command", (_frame("unsubscribed", now_ns),))
        return _refusal(f"Unknown message type: {str(kind)[:SHOWN]}", now_ns)

    def _subscribe(self, filters: Any, now_ns: int) -> Heard:
        for name, chosen in (("endpoint", self._endpoints), ("model", self._models)):
            value = member(filters, name)
            if isinstance(value, str) and value and len(chosen) < MOST_FILTERS:
                chosen[value[:SHOWN]] = None
        kind = member(filters, "metric_type")
        if kind is not None and kind not in (*TYPES, ALL):
            return _refusal(f"Invalid metric type: {str(kind)[:SHOWN]}", now_ns)
        if kind is not None:
            self._types[kind] = None
        interval = member(filters, "interval")
        if isinstance(interval, int | float) and not isinstance(interval, bool) and interval > 0:
            self._interval_s = float(min(interval, 1e9))
        answer = {
            "endpoints": list(self._endpoints),
            "models": list(self._models),
            "metric_types": list(self._types),
            "interval": self._interval_s,
        }
        return Heard("command", (encode({"type": "subscribed", "filters": answer}),))

    def frames(self, emission: Emission) -> list[bytes]:
        """An update, if the client's interval has passed; of what its filters let through."""
        if emission.time_ns - self._last_ns < round(self._interval_s * NS):
            return []
        self._last_ns = emission.time_ns
        snapshot, changes = emission.data
        chosen = {t: self._of_endpoints(t, snapshot[t]) for t in TYPES if ALL in self._types or t in self._types}
        return [_frame("metrics_update", emission.time_ns, data=chosen, deltas=changes)]

    def _of_endpoints(self, kind: str, values: dict[str, Any]) -> dict[str, Any]:
        """As the server does it: inside each value that has parts, the parts are filtered."""
        if not self._endpoints or kind not in BY_ENDPOINT:
            return values
        return {name: self._filtered(value) if isinstance(value, dict) else value for name, value in values.items()}

    def _filtered(self, parts: dict[str, Any]) -> dict[str, Any]:
        return {part: value for part, value in parts.items() if part in self._endpoints}


def deltas(now: Snapshot, before: Snapshot) -> dict[str, Any]:
    """What changed in the totals."""
    names = ("total_requests_per_sec", "total_tokens_per_sec")
    rates = {name: round(now["throughput"][name] - before["throughput"][name], 6) for name in names}
    streams = now["streaming"]["active_streams"] - before["streaming"]["active_streams"]
    return {"throughput": rates, "streaming": {"active_streams_delta": streams}}


def spread(values: Any) -> dict[str, float]:
    """avg, min, max and percentiles of at least one value."""
    known = sorted(values)
    last = len(known) - 1
    points = {"avg": sum(known) / len(known), "min": known[0], "max": known[-1]}
    points |= {f"p{p}": known[round(p / 100 * last)] for p in (50, 90, 99)}
    return {name: round(value, 3) for name, value in points.items()}


def _throughput(rated: Sequence[Request]) -> dict[str, Any]:
    requests, tokens = _rates(rated), _rates(rated, tokens=True)
    return {
        "requests_per_sec": requests,
        "responses_per_sec": requests,
        "tokens_per_sec": tokens,
        "total_requests_per_sec": round(sum(requests.values()), 6),
        "total_tokens_per_sec": round(sum(tokens.values()), 6),
    }


def _rates(requests: Sequence[Request], *, tokens: bool = False) -> dict[str, float]:
    sums = dict.fromkeys(ENDPOINTS, 0)
    for request in requests:
        entry = request.entry
        sums[entry.endpoint] += entry.prompt_tokens + entry.completion_tokens if tokens else 1
    return {endpoint: count / RATE_S for endpoint, count in sums.items()}


def _frame(kind: str, ns: int, **rest: Any) -> bytes:
    return encode({"type": kind, "timestamp": ns / 1e9, **rest})


def _refusal(message: str, now_ns: int) -> Heard:
    return Heard("ignored", (_frame("error", now_ns, message=message),))
