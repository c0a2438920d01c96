"""Habits of real servers that no document mentions; a node has them on request, to try clients on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import BadOption, BadOptionType

QUIRKS: dict[str, str] = {
    "unsubscribe-ignored": "live: what was subscribed goes on after an unsubscribe",
    "doubled-frames": "live: every frame comes twice, as if the server had subscribed its clients twice",
    "doubled-subscriptions": "live: who subscribes twice gets every frame of the channel twice",
    "lost-subscriptions": "live: the first subscribe of a channel is neither answered nor heeded",
    "silent-channel": "live: the blocks of a connection fall silent after five of them, the other channels go on",
    "tps-above-peak": "live: the peak is not raised, so that currentTPS is above it at times",
    "target-tps": "live: tps_update carries the documented targetTPS, which servers were not seen to send",
    "flat-stats": "live: the statistics by HTTP are flat instead of nested",
    "strict-json": "channels: what is no JSON closes the connection, with 1007 or (binary) 1003",
    "event-key": "channels: the channel's name stands in `event` instead of `type`",
    "flat-events": "channels: the channel's name stands in `event_type`, beside the payload's own fields",
    "sequence-restart": "fakeai, documented shape: the sequence begins at 0 again after every 50 frames",
    "heartbeat-refused": "fakeai, documented shape: a heartbeat is answered with an error instead of a pong",
    "auth-after-upgrade": "all: a missing or wrong token is told by a close with 1008 instead of HTTP 401 or 403",
    "forbidden-paths": "all: a path that is not there is answered with HTTP 403 instead of 404",
}
"""The quirks, and what each does to which system."""


def check(quirks: Any) -> frozenset[str]:
    """The quirks of those names.

    Raises:
        BadOption: there is none of that name.
        BadOptionType: they are no names.
    """
    named: tuple[Any, ...] = ()
    if isinstance(quirks, str):
        named = (quirks,)
    elif isinstance(quirks, Iterable):
        named = tuple(quirks)
    else:
        raise BadOptionType(f"quirks={quirks!r} are no names; they can be some of {', '.join(QUIRKS)}.")
    for name in named:
        if not isinstance(name, str) or name not in QUIRKS:
            raise BadOption(f"quirks={name!r} is not known; they can be some of {', '.join(QUIRKS)}.")
    return frozenset(named)
