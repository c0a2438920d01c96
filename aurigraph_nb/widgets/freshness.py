"""Whether what a chart shows is the present: a source that is down or silent must not look alive.

Pure: the feed's status, its open gaps and the time are arguments.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from aurigraph_nb.gaps import Cause, Gap

_CAUSES = {Cause.DISCONNECT: "no connection", Cause.IDLE: "silent"}
"""Causes whose open gaps mean that nothing comes, in words."""
_STATES = {
    "CONNECTING": "connecting",
    "RECONNECTING": "no connection",
    "DISCONNECTED": "no connection",
    "ERROR": "no connection",
}


class Freshness(msgspec.Struct, frozen=True):
    """How a source stands."""

    why: str | None = None
    """Why nothing comes, in words; None while all is well."""
    since_ms: float | None = None
    """Since when, ms since 1970 UTC."""
    ended: bool = False
    """A finite run is over; nothing more is due."""

    @property
    def stale(self) -> bool:
        """Whether rows are due and do not come."""
        return self.why is not None


FRESH = Freshness()


def freshness(status: Any, name: str, newest_ms: float, gaps: Iterable[Gap]) -> Freshness:
    """How the topic ``name`` stands.

    ``status``: the feed's; ``newest_ms``: receive time of the topic's newest row; ``gaps``: the topic's gaps.
    """
    if status is None:
        return FRESH
    if status.ended:
        return Freshness(ended=True)
    if str(status.state) == "CLOSED":
        return FRESH
    still_open = [gap for gap in gaps if gap.end_ns is None and gap.cause in _CAUSES]
    if still_open:
        first = min(still_open, key=lambda gap: gap.start_ns)
        return Freshness(_CAUSES[first.cause], max(newest_ms, first.start_ns / 1e6))
    topic = status.topics.get(name)
    state = str(status.state if topic is None else topic.state)
    why = _STATES.get(state) or ("silent" if topic is not None and topic.stale else None)
    return FRESH if why is None else Freshness(why, newest_ms)
