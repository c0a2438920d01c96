"""The Aurigraph live stream: one socket, four channels, ``{type, payload, timestamp}`` both ways.

``tps_updates`` comes unasked; the others are subscribed. The figures are those of the modelled network.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from ..view import TARGET_TPS, View
from .base import IGNORED, MS, NS, SHOWN, Emission, Heard, Talk, connection_id, encode, member, parse
from .series import Play, Regular, Score

PATH = "/api/v11/live/stream"
CHANNELS = {"tps_updates": 1, "block_updates": 2, "network_status": 3, "validator_metrics": 5}
"""The channels, and every how many seconds each has a frame."""
UNASKED = "tps_updates"
SILENT_CHANNEL = "block_updates"
SILENT_AFTER = 5
MOST_SUBSCRIPTIONS = 10
"""A frame does not come more often than this, however often somebody subscribes."""


class Live:
    """The live stream of a node.

    :param look: gives the network as it stands
    """

    def __init__(self, seed: int, start_ns: int, quirks: frozenset[str], look: Callable[[], View]) -> None:
        self._seed = seed
        self._quirks = quirks
        self._look = look
        plays: dict[str, Play[Emission]] = {
            "tps_updates": self._tps,
            "block_updates": self._block,
            "network_status": self._network,
            "validator_metrics": self._validators,
        }
        # What comes unasked begins with the network; the others have had their time first.
        parts = [
            (Regular(start_ns + (0 if channel == UNASKED else period * NS), period * NS), plays[channel])
            for channel, period in CHANNELS.items()
        ]
        self.score: Score[Emission] = Score(parts, start_ns)

    def talk(self, ordinal: int, *, authenticated: bool) -> Talk:
        """The talk with the client that came as number ``ordinal``. (Tokens are looked at before the upgrade.)"""
        return LiveTalk(connection_id(self._seed, "live", ordinal), self._quirks)

    def _tps(self, k: int, t: int) -> Iterator[Emission]:
        view = self._look()
        peak = view.average_tps if "tps-above-peak" in self._quirks else view.peak_tps
        payload = {
            "currentTPS": view.tps,
            "peakTPS": peak,
            "averageTPS": view.average_tps,
            "latency": round(view.latency_ms, 2),
        }
        if "target-tps" in self._quirks:
            payload["targetTPS"] = TARGET_TPS
        yield _emission(t, "tps_updates", "tps_update", payload)

    def _block(self, k: int, t: int) -> Iterator[Emission]:
        view = self._look()
        payload = {
            "blockHeight": view.height,
            "blockTime": view.block_ms,
            "transactions": view.block_transactions,
            "producer": view.producer,
        }
        yield _emission(t, "block_updates", "block_update", payload)

    def _network(self, k: int, t: int) -> Iterator[Emission]:
        view = self._look()
        payload = {
            "activeNodes": view.active_nodes,
            "totalNodes": view.total_nodes,
            "networkHealth": view.network_health.lower(),
            "avgLatency": view.peers_ms,
        }
        yield _emission(t, "network_status", "network_update", payload)

    def _validators(self, k: int, t: int) -> Iterator[Emission]:
        view = self._look()
        payload = {"totalValidators": view.total_validators} | {
            f"{state.lower()}Validators": count for state, count in view.validators.items()
        }
        yield _emission(t, "validator_metrics", "validator_update", payload)


class LiveTalk:
    """The live stream with one client."""

    waits_for_token = False

    def __init__(self, connection_id: str, quirks: frozenset[str]) -> None:
        self._connection_id = connection_id
        self._quirks = quirks
        self._subscribed: Counter[str] = Counter((UNASKED,))
        self._lost: set[str] = set()
        self._blocks = 0

    def greeting(self, now_ns: int) -> list[bytes]:
        """The welcome, with an id of the connection."""
        payload = {"connectionId": self._connection_id, "timestamp": now_ns // MS}
        return [_frame("connection_established", payload, now_ns)]

    def hear(self, message: str | bytes, now_ns: int) -> Heard:
        """Subscribe, unsubscribe, ping; another type is ignored."""
        try:
            said = parse(message)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            return Heard("ignored", (_frame("error", {"error": "Invalid message format"}, now_ns),))
        kind = said.get("type")
        if kind == "ping":
            return Heard("ping", (_frame("pong", {"timestamp": now_ns // MS}, now_ns),))
        if kind not in ("subscribe", "unsubscribe"):
            return IGNORED
        channel = said.get("channel") or member(said.get("payload"), "channel")
        if not isinstance(channel, str) or channel not in CHANNELS:
            error = f"Unknown channel: {str(channel)[:SHOWN]}" if channel else "Channel not specified"
            return Heard("command", (_frame("error", {"error": error}, now_ns),))
        return self._subscribe(channel, now_ns) if kind == "subscribe" else self._unsubscribe(channel)

    def _subscribe(self, channel: str, now_ns: int) -> Heard:
        if "lost-subscriptions" in self._quirks and channel not in self._lost:
            self._lost.add(channel)
            return Heard("command")
        self._subscribed[channel] = min(MOST_SUBSCRIPTIONS, self._subscribed[channel] + 1)
        payload = {"channel": channel, "status": "subscribed"}
        return Heard("command", (_frame("subscription_confirmed", payload, now_ns),))

    def _unsubscribe(self, channel: str) -> Heard:
        if "unsubscribe-ignored" not in self._quirks:
            del self._subscribed[channel]
        return Heard("command")

    def frames(self, emission: Emission) -> list[bytes]:
        """The frame if its channel is subscribed; several times by some quirks."""
        times = self._subscribed.get(emission.channel, 0)
        if not times or self._is_silent(emission.channel):
            return []
        if "doubled-subscriptions" not in self._quirks:
            times = 1
        return [emission.body] * (times * (2 if "doubled-frames" in self._quirks else 1))

    def _is_silent(self, channel: str) -> bool:
        if channel != SILENT_CHANNEL or "silent-channel" not in self._quirks:
            return False
        self._blocks += 1
        return self._blocks > SILENT_AFTER


def _emission(t: int, channel: str, kind: str, payload: dict[str, Any]) -> Emission:
    return Emission(t, channel, _frame(kind, payload, t))


def _frame(kind: str, payload: dict[str, Any], ns: int) -> bytes:
    return encode({"type": kind, "payload": payload, "timestamp": ns // MS})
