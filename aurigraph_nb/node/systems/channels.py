"""The channel provider: one socket that carries every channel to everybody, ``{type, data, timestamp}`` both ways.

There is nothing to subscribe. Clients may authenticate by a first message, and must where a token is wanted; what else
they say counts as a control command.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import Any

from ..tokens import Tokens
from .base import IGNORED, NS, Emission, Heard, Talk, encode, iso, member, parse
from .population import SLOTS, Line, Office, Slot
from .series import Irregular, Play, Regular, Score, Series

PATH = "/ws"
SUBPROTOCOL = "isp-protocol-v1"
BANDWIDTH_S = 2.0
"""The documented pace; that of the others is ours."""
PACES_S = {"network_status": 5.0, "subscriber_update": 4.0, "ticket_update": 7.0, "invoice_update": 9.0}
"""One in each such time, on average."""

MOST_COMMANDS = 30
WITHIN_S = 60
"""More control commands than that in that time are refused."""
AUTH_WITHIN_S = 10.0
"""How long a client may take to authenticate where it has to."""

NOT_AUTHENTICATED = (1008, "authentication required")
TOKEN_REFUSED = (1008, "authentication failed")
TOO_LATE = (1008, "authentication timeout")


class Channels:
    """The channel provider of a node."""

    def __init__(self, seed: int, start_ns: int, quirks: frozenset[str], tokens: Tokens) -> None:
        self._quirks = quirks
        self._tokens = tokens
        line, office = Line(seed), Office(seed)
        parts: list[tuple[Series, Play[Emission]]] = [
            (Regular(start_ns, int(BANDWIDTH_S * NS)), partial(self._bandwidth, line))
        ]
        for number in range(SLOTS):
            slot = Slot(seed, number, start_ns)
            parts.append((slot.series, partial(self._session, slot)))
        free = {
            "network_status": office.network_status,
            "subscriber_update": office.subscriber,
            "ticket_update": office.ticket,
            "invoice_update": office.invoice,
        }
        for channel, make in free.items():
            series = Irregular(start_ns, int(PACES_S[channel] * NS), f"{seed}/channels/times/{channel}")
            parts.append((series, partial(self._free, channel, make)))
        self.score: Score[Emission] = Score(parts, start_ns)

    def talk(self, ordinal: int, *, authenticated: bool) -> Talk:
        """The talk with a client."""
        return ChannelsTalk(self._quirks, self._tokens, authenticated=authenticated)

    def _bandwidth(self, line: Line, k: int, t: int) -> Iterator[Emission]:
        yield self._emission(t, "bandwidth_update", line.message(t))

    def _session(self, slot: Slot, k: int, t: int) -> Iterator[Emission]:
        yield self._emission(t, "session_update", slot.message(k, t))

    def _free(self, channel: str, make: Any, k: int, t: int) -> Iterator[Emission]:
        yield self._emission(t, channel, make(k, t))

    def _emission(self, t: int, channel: str, data: dict[str, Any]) -> Emission:
        if "flat-events" in self._quirks:
            frame = {"event_type": channel, "timestamp": iso(t), **{n: v for n, v in data.items() if n != "timestamp"}}
        else:
            key = "event" if "event-key" in self._quirks else "type"
            frame = {key: channel, "data": data, "timestamp": iso(t)}
        return Emission(t, channel, encode(frame))


class ChannelsTalk:
    """The channel provider with one client."""

    def __init__(self, quirks: frozenset[str], tokens: Tokens, *, authenticated: bool) -> None:
        self._quirks = quirks
        self._tokens = tokens
        self._waits = bool(tokens) and not authenticated
        self._commands: deque[int] = deque(maxlen=MOST_COMMANDS)  # when they came

    @property
    def waits_for_token(self) -> bool:
        return self._waits

    def greeting(self, now_ns: int) -> list[bytes]:
        """Nothing."""
        return []

    def hear(self, message: str | bytes, now_ns: int) -> Heard:
        """Authentication, then control commands, of which there may be 30 a minute."""
        try:
            said = parse(message)
        except ValueError:
            return self._no_json(message)
        kind = member(said, "type")
        if kind == "auth" and self._tokens:
            return self._authenticate(said)
        if self._waits:
            return Heard("denied", close=NOT_AUTHENTICATED)
        if kind == "ping":
            return Heard("ping")
        if kind == "auth" or not isinstance(kind, str):
            return IGNORED
        return self._command(now_ns)

    def _no_json(self, message: str | bytes) -> Heard:
        if self._waits:
            return Heard("denied", close=NOT_AUTHENTICATED)
        if "strict-json" not in self._quirks:
            return IGNORED
        return Heard("ignored", close=(1007, "invalid JSON") if isinstance(message, str) else (1003, "text expected"))

    def _authenticate(self, said: Any) -> Heard:
        token = member(said, "token")
        if token is None:
            token = member(member(said, "data"), "token")
        if not self._tokens.accepts(token):
            return Heard("denied", close=TOKEN_REFUSED)
        self._waits = False
        return Heard("command")

    def _command(self, now_ns: int) -> Heard:
        since = now_ns - WITHIN_S * NS
        while self._commands and self._commands[0] <= since:
            self._commands.popleft()
        if len(self._commands) < MOST_COMMANDS:
            self._commands.append(now_ns)
            return Heard("command")
        wait_s = -(-(self._commands[0] - since) // NS)
        return Heard("ignored", (encode({"type": "error", "error": "rate_limit_exceeded", "retry_after": wait_s}),))

    def frames(self, emission: Emission) -> list[bytes]:
        """Everything, once the client has authenticated."""
        return [] if self._waits else [emission.body]
