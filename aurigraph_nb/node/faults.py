"""Faults on demand: what can be ordered, checked; and what garbage looks like.

``drop``     close the TCP connections of a topic (or of all) abruptly
``close``    close them properly: ``code=1011``, ``reason=""``
``stall``    send nothing for ``duration`` (for ever without it); the connections stay open
``garbage``  send ``n`` frames that no client can understand; ``kinds=`` some of json, utf8, binary, types, unknown
``duplicate``  send each of the next ``n`` frames of a connection twice
``reorder``  send each of ``n`` frames of a connection after the one that follows it
``oversize`` send a frame of ``size`` bytes; by default twice what clients usually take
``half-open``  say nothing any more, not even pongs, while the TCP connection stays; new connections are well
``refuse``   answer new handshakes with ``status=503``, optionally ``retry_after`` seconds, for ``duration``
``clear``    end stalls and refusals; no more frames come twice or late

As a topic, the other systems are called live, channels and fakeai.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from .. import durations
from ..errors import BadOption, BadOptionType
from .events import STREAMS, SYSTEMS

NS = 1_000_000_000

OPTIONS: dict[str, dict[str, Any]] = {
    "drop": {},
    "close": {"code": 1011, "reason": ""},
    "stall": {"duration": None},
    "garbage": {"n": 1, "kinds": None},
    "duplicate": {"n": 1},
    "reorder": {"n": 1},
    "oversize": {"size": 2 * 2**20},
    "half-open": {},
    "refuse": {"status": 503, "retry_after": None, "duration": None},
    "clear": {},
}
"""The faults, and the options of each with their defaults."""

REFUSALS = (401, 403, 404, 408, 425, 429, 500, 502, 503, 504)
MOST_FRAMES = 100_000
LARGEST = 2**26

GARBAGE: dict[str, tuple[bool, bytes]] = {
    "json": (True, b'{"tps": 12'),
    "utf8": (True, b'{"tps": "\xff\xfe"}'),
    "binary": (False, b"\x00\x01\x02\x03"),
    "types": (True, b'{"timestamp": {}, "tps": "fast", "txHash": 7, "validator": [], "leader": {}, "peerId": false}'),
    "unknown": (True, b'{"type": "horoscope", "payload": {"mood": "good"}}'),
}
"""Whether it is a text frame, and its bytes."""

_WRONG_TYPES = {
    "live": b'{"type": "tps_update", "payload": [{"currentTPS": "fast"}, 7], "timestamp": {}}',
    "channels": b'{"type": "session_update", "data": {"action": 7, "session": "mine"}, "timestamp": []}',
    "fakeai": b'{"type": "metrics_update", "timestamp": {}, "data": [{"total_requests": "many"}], "sequence": "first"}',
}
"""What garbage of wrong types is in the words of each system."""


def garbage(stream: str, kind: str) -> tuple[bool, bytes]:
    """A frame of garbage for a stream: whether it is text, and its bytes."""
    if kind == "types" and stream in SYSTEMS:
        return True, _WRONG_TYPES[stream]
    return GARBAGE[kind]


def oversize(size: int) -> bytes:
    """A frame of JSON of that size."""
    head, tail = b'{"type":"oversize","padding":"', b'"}'
    return head + b"x" * (size - len(head) - len(tail)) + tail


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A fault as ordered, checked."""

    kind: str
    topics: tuple[str, ...]
    code: int = 1011
    reason: str = ""
    n: int = 1
    size: int = 0
    kinds: tuple[str, ...] = tuple(GARBAGE)
    status: int = 503
    retry_after_s: int | None = None
    duration_ns: int | None = None

    @property
    def lasts(self) -> bool:
        """Whether it goes on until its time is over or it is cleared."""
        return self.kind in ("stall", "refuse")

    @property
    def detail(self) -> str:
        """What was ordered, for people."""
        where = "all topics" if self.topics == STREAMS else ", ".join(self.topics)
        what = {
            "close": f"code {self.code}",
            "garbage": f"{self.n} frames",
            "duplicate": f"{self.n} frames",
            "reorder": f"{self.n} frames",
            "oversize": f"{self.size} bytes",
            "refuse": f"HTTP {self.status}",
        }.get(self.kind, "")
        return f"{where}: {what}" if what else where


def parse(kind: str, topic: str | None, options: dict[str, Any]) -> Fault:
    """Check an order.

    Raises:
        BadOption: there is no such fault or topic, or an option has a value that is not accepted.
        BadOptionType: the fault has no such option.
    """
    if kind not in OPTIONS:
        raise BadOption(f"fault {kind!r} is not known; it can be {', '.join(OPTIONS)}.")
    if topic is not None and topic not in STREAMS:
        raise BadOption(f"topic={topic!r} is not known; it can be {', '.join(STREAMS)}, or None for all.")
    unknown = sorted(set(options) - set(OPTIONS[kind]))
    if unknown:
        accepted = ", ".join(["topic", *OPTIONS[kind]])
        raise BadOptionType(f"fault {kind!r} has no option {', '.join(unknown)}; it has {accepted}.")
    given = {**OPTIONS[kind], **options}
    return Fault(
        kind=kind,
        topics=STREAMS if topic is None else (topic,),
        code=_code(given.get("code", 1011)),
        reason=_reason(given.get("reason", "")),
        n=_whole("n", given.get("n", 1), 1, MOST_FRAMES),
        size=_whole("size", given.get("size", 1_000), 100, LARGEST),
        kinds=_kinds(given.get("kinds")),
        status=_status(given.get("status", 503)),
        retry_after_s=_optional_whole("retry_after", given.get("retry_after")),
        duration_ns=_duration(given.get("duration")),
    )


def _code(code: Any) -> int:
    sendable = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014}
    if isinstance(code, int) and not isinstance(code, bool) and (code in sendable or 3000 <= code <= 4999):
        return int(code)
    raise BadOption(f"code={code!r} cannot be sent in a close frame; expected 1000-1003, 1007-1014 or 3000-4999.")


def _reason(reason: Any) -> str:
    if not isinstance(reason, str) or len(reason.encode()) > 123:
        raise BadOption(f"reason={reason!r} does not fit a close frame; expected a text of at most 123 bytes.")
    return reason


def _status(status: Any) -> int:
    if status in REFUSALS and not isinstance(status, bool):
        return int(status)
    raise BadOption(f"status={status!r} is not offered; it can be {', '.join(map(str, REFUSALS))}.")


def _kinds(kinds: str | Iterable[str] | None) -> tuple[str, ...]:
    if kinds is None:
        return tuple(GARBAGE)
    chosen = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    unknown = [kind for kind in chosen if kind not in GARBAGE]
    if unknown or not chosen:
        raise BadOption(f"kinds={kinds!r} is not known; it can be some of {', '.join(GARBAGE)}.")
    return chosen


def _whole(name: str, value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadOption(f"{name}={value!r} is not accepted; expected a whole number from {least} to {most}.")
    return value


def _optional_whole(name: str, value: Any) -> int | None:
    return None if value is None else _whole(name, value, 0, 86_400)


def _duration(value: Any) -> int | None:
    return None if value is None else durations.nanoseconds(value)
