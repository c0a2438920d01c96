"""The words in which a session speaks with its client: states, events (in), requests (out).

Events that come from a connection carry ``dial``, the ordinal of the :class:`Dial` that made it, so that a late word
from a connection that was given up is not taken for one from its successor. None means "the one that is under way".
The same holds for ``timer``.

Texts from the server (``reason``, ``detail``, ``location``) come as received, but for the token: a client takes its own
token out of them first.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, TypeAlias

import msgspec

from aurigraph_nb.gaps import Cause, Certainty
from aurigraph_nb.session.text import shown


class State(StrEnum):
    """Where a session stands."""

    CONNECTING = "CONNECTING"
    """A connection attempt is under way."""
    CONNECTED = "CONNECTED"
    """The connection is open."""
    RECONNECTING = "RECONNECTING"
    """Waiting before the next attempt."""
    DISCONNECTED = "DISCONNECTED"
    """Nothing is under way, by request or because the server ended the stream."""
    ERROR = "ERROR"
    """Given up; trying again would not help until somebody acts."""
    CLOSED = "CLOSED"
    """Over, for good."""


FailedKind: TypeAlias = Literal["dns", "tcp", "tls", "url", "timeout", "handshake", "protocol", "token"]
"""Where an attempt failed: unknown host, no TCP connection, TLS, malformed URL, no answer in time, a connection that
was closed during the handshake, an answer that is no WebSocket handshake, no token to be had for it."""


class Connect(msgspec.Struct, frozen=True):
    """The user wants the connection. Repeating the wish changes nothing."""


class Disconnect(msgspec.Struct, frozen=True):
    """The user does not want the connection for now."""


class Close(msgspec.Struct, frozen=True):
    """The user is done with this session for good."""


class Reconnect(msgspec.Struct, frozen=True):
    """The user wants a fresh connection now."""


class TimerFired(msgspec.Struct, frozen=True):
    """The time of a :class:`StartTimer` is up."""

    timer: int | None = None


class _FromConnection(msgspec.Struct, frozen=True, kw_only=True):
    dial: int | None = None
    """Ordinal of the :class:`Dial` that this is about; None for the one under way."""


class Opened(_FromConnection, frozen=True):
    """The handshake succeeded."""


class FirstData(_FromConnection, frozen=True):
    """The first frame of a data topic came: no welcome, no acknowledgement, no snapshot."""


class Healthy(_FromConnection, frozen=True):
    """The connection has stood for ``Policy.health_s``. (A session also sees that by itself when it is lost.)"""


class Lost(_FromConnection, frozen=True):
    """An open connection ended."""

    code: int
    """WebSocket close code; 1006 if there was none."""
    reason: str = ""
    """Text of the close frame."""
    ours: bool = False
    """True if this side ended it (a limit passed, no answer to a ping)."""
    last_ns: int | None = None
    """When the last frame came, ns: what broke without a close frame may have been dead since then."""


class Refused(_FromConnection, frozen=True):
    """The server answered the handshake with an HTTP status other than 101."""

    status: int
    retry_after_s: float | None = None
    """``Retry-After`` in seconds, see :func:`parse_retry_after`."""
    location: str | None = None
    """The header ``Location``."""

    def __repr__(self) -> str:
        location = None if self.location is None else shown(self.location)
        return f"Refused({self.status}, retry_after_s={self.retry_after_s}, location={location!r}, dial={self.dial})"


class Failed(_FromConnection, frozen=True):
    """An attempt ended before any HTTP status came."""

    kind: FailedKind
    detail: str = ""
    """What the system said."""


Outcome: TypeAlias = Lost | Refused | Failed
"""How an attempt or a connection ended."""

Event: TypeAlias = (
    Connect | Disconnect | Close | Reconnect | TimerFired | Opened | FirstData | Healthy | Lost | Refused | Failed
)
EVENTS: tuple[type[Event], ...] = (
    Connect,
    Reconnect,
    Disconnect,
    Close,
    Opened,
    FirstData,
    Healthy,
    TimerFired,
    Lost,
    Refused,
    Failed,
)
"""Every event type; :data:`~aurigraph_nb.session.machine.TABLE` has an entry for each in each state."""


class Dial(msgspec.Struct, frozen=True):
    """Make one connection attempt and answer with Opened, Refused or Failed."""

    url: str | None = None
    """Where a redirect led; None for the session's own URL. The client adds its credentials as it does to its own."""
    dial: int = 0
    """Ordinal of the attempt, to be given back in the events about it."""

    def __repr__(self) -> str:
        return f"Dial({None if self.url is None else shown(self.url)!r}, dial={self.dial})"


class Hangup(msgspec.Struct, frozen=True):
    """Give up the attempt or close the connection ``dial``; harmless if it is over already."""

    code: int = 1000
    reason: str = ""
    dial: int = 0


class StartTimer(msgspec.Struct, frozen=True):
    """Answer with TimerFired after ``delay_s`` seconds."""

    delay_s: float
    timer: int = 0


class StopTimer(msgspec.Struct, frozen=True):
    """Forget the timer that was started last."""


class GapOpened(msgspec.Struct, frozen=True):
    """From ``start_ns`` on, frames are missing or may be."""

    cause: Cause
    start_ns: int
    detail: str = ""
    certainty: Certainty = Certainty.UNKNOWN


class GapClosed(msgspec.Struct, frozen=True):
    """The gap opened last ended at ``end_ns``."""

    end_ns: int


Request: TypeAlias = Dial | Hangup | StartTimer | StopTimer | GapOpened | GapClosed
