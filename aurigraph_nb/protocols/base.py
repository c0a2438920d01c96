"""What every wire protocol here takes and gives: frames in, rows (and what was no row) out.

Nothing in this package does I/O or knows the time. A frame that is not understood becomes an :class:`Undecoded`
record and is counted; nothing raises out of a decoder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Literal, Protocol

import msgspec

from ..errors import BadOption
from ..schema import Record

PREVIEW_CHARS = 500
"""How much of an undecoded frame is kept for inspection."""

NAMES_KEPT = 1_000
"""How many different field names are counted apart; a hostile feed could make up any number."""


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One message as it came off a socket."""

    data: bytes
    text: bool
    """Whether it came as a text message (else binary)."""
    recv_ns: int
    conn_epoch: int
    endpoint: str
    """Which connection of the feed brought it."""


class Undecoded(msgspec.Struct, frozen=True):
    """A frame that could not be understood."""

    topic: str | None
    """Topic of the connection that brought it, where that has one."""
    reason: str
    preview: str
    """Its first characters; text from the network, to be shown as text only."""
    size: int
    """Bytes of the whole frame."""
    text: bool
    recv_ns: int
    conn_epoch: int
    n: int
    """Ordinal of the frame in its topic; so a hole in the rows' ``n`` is explained here."""


class Control(msgspec.Struct, frozen=True):
    """A frame that carries no data: a welcome, an acknowledgement, a heartbeat, an error notice."""

    kind: str
    """One of: ping, pong, heartbeat, welcome, snapshot, subscribed, unsubscribed, ack, auth_required, auth_ok,
    auth_refused, error, info."""
    endpoint: str
    detail: str = ""
    """What it says, cut; text from the network. Of a welcome: the server's id of the connection, if it tells one."""
    reply: str | None = None
    """What the protocol wants to be sent back, if anything."""
    topic: str | None = None
    """Which topic an acknowledgement is about, if it says so."""


class Fault(StrEnum):
    """What is wrong with the order of frames that carry a number."""

    HOLE = "hole"
    """Numbers are missing."""
    REPEAT = "repeat"
    """A number came again; the frame was suppressed."""
    REORDER = "reorder"
    """A number came late; the frame was taken, and it fills (a part of) an earlier hole."""


class OrderFault(msgspec.Struct, frozen=True):
    """One fault in the numbering of a connection's frames."""

    kind: Fault
    expected: int
    got: int
    frames: int
    """How many frames a hole misses; 1 for the other kinds."""
    recv_ns: int
    conn_epoch: int


class Ledger:
    """The ordinals of the frames of each topic, and the topics whose next row comes after a gap.

    One for a feed's whole life: ordinals go on over reconnects.
    """

    def __init__(self) -> None:
        self._next: dict[str, int] = {}
        self._gap: set[str] = set()

    def take(self, topic: str) -> int:
        """Ordinal of the topic's next frame."""
        n = self._next.get(topic, 0)
        self._next[topic] = n + 1
        return n

    def mark_gap(self, topics: Iterable[str]) -> None:
        """Something may be missing before the next row of each of ``topics``."""
        self._gap.update(topics)

    def gap_before(self, topic: str) -> bool:
        """Whether the next row of ``topic`` comes after a gap; asked once a frame that gives rows."""
        if topic in self._gap:
            self._gap.discard(topic)
            return True
        return False

    def frames(self, topic: str) -> int:
        """How many frames of ``topic`` came so far."""
        return self._next.get(topic, 0)

    def snapshot(self) -> tuple[dict[str, int], tuple[str, ...]]:
        """The ordinal of each topic's next frame, and the topics that are marked."""
        return dict(self._next), tuple(sorted(self._gap))

    def restore(self, ordinals: Mapping[str, int], marked: Iterable[str]) -> None:
        """Go on from a snapshot."""
        self._next, self._gap = dict(ordinals), set(marked)


class FieldCounts:
    """Counts per (topic, field), with a bound on how many different ones."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, topic: str, field: str) -> None:
        key = (topic, field[:100])
        if key not in self._counts and len(self._counts) >= NAMES_KEPT:
            key = (topic, "…")
        self._counts[key] += 1

    def of(self, topic: str) -> dict[str, int]:
        return {field: count for (t, field), count in list(self._counts.items()) if t == topic}


class Batch:
    """What a run of frames held."""

    __slots__ = ("control", "order", "rows", "suppressed", "undecoded")

    def __init__(self) -> None:
        self.rows: dict[str, list[Record]] = {}
        """By topic. A topic that nobody opened is the feed's to leave out."""
        self.undecoded: list[Undecoded] = []
        self.control: list[Control] = []
        self.suppressed: Counter[str] = Counter()
        """Frames left out because they repeat another one exactly, by topic."""
        self.order: list[OrderFault] = []


class Decoder(Protocol):
    """The stateful end of a protocol: one a feed. Told by ``Frame.conn_epoch`` when a connection is a new one."""

    unnamed: FieldCounts
    """Fields of known frames that nobody named (they stand in ``extra``)."""
    wrong_type: FieldCounts
    """Fields whose value had a type that their column does not take (the raw value stands in ``extra``)."""
    doubtful: FieldCounts
    """Fields whose scale the frame's shape does not tell (the raw value stands in ``extra``)."""

    def decode(self, frames: Iterable[Frame]) -> Batch:
        """Rows and the rest out of ``frames``, in order. Never raises."""

    def statistics(self, data: bytes, recv_ns: int) -> Batch:
        """Rows (marked ``source="rest"``) out of the answer of :meth:`WireProtocol.statistics_url`. Never raises."""


class Endpoint(msgspec.Struct, frozen=True):
    """One connection that a feed may open."""

    url: str
    topics: tuple[str, ...]
    """The fixed topics that it carries."""

    def __repr__(self) -> str:
        return f"Endpoint({', '.join(self.topics)})"  # the URL may hold a token


TokenBy = Literal["header", "query", "cookie", "message"]
"""How a token travels: ``Authorization: Bearer``, ``?token=``, a cookie ``token``, or in the first message."""


class WireProtocol(Protocol):
    """One of the systems: what it is called, what it offers, how to ask for it. Stateless."""

    name: str
    topics: Mapping[str, type[Record]]
    """The fixed topics and their record types."""
    other_topics: type[Record] | None
    """Record type of topics by any other name; None if there are none."""
    keys: Mapping[str, str]
    """The column that identifies a thing in the topics that are about things."""
    periods_s: Mapping[str, float]
    """The topics that are sent at a fixed period, and that period; the others come on change."""
    token_by: TokenBy
    subprotocols: tuple[str, ...]
    """WebSocket sub-protocols that are offered; a server that knows none of them connects all the same."""
    reconnects_when_idle: bool
    """Whether a periodic topic that is silent for five periods calls for a new connection."""
    heartbeat_answered: bool
    """Whether silence after a heartbeat means that the connection is dead."""

    def endpoints(self, url: str) -> dict[str, Endpoint]:
        """The connections that the feed may open, by name."""

    def decoder(self, ledger: Ledger) -> Decoder: ...

    def greeting(self, token: str | None, now_ns: int) -> list[str]:
        """What is sent first on a new connection; ``token`` is given if it travels in a message."""

    def subscribe(self, topic: str, now_ns: int) -> list[str]:
        """What asks for a topic; empty if it comes without being asked for."""

    def unsubscribe(self, topic: str, now_ns: int) -> list[str]:
        """What ends a topic; empty if there is nothing to be said."""

    def acknowledges(self, topic: str) -> bool:
        """Whether the server answers :meth:`subscribe` of this topic."""

    def heartbeat(self, now_ns: int) -> str | None:
        """The application's own heartbeat message, if the system has one."""

    def message(self, kind: str, data: Any, now_ns: int) -> str:
        """A message of the user's to the server, as this system frames it.

        :raises BadOption: if ``data`` cannot be written as JSON
        """

    def statistics_url(self, url: str) -> str | None:
        """Where statistics can be had by HTTP while the stream cannot be reached; None if nowhere."""


def preview(data: bytes) -> str:
    """The start of a frame as text, for people."""
    return data[: PREVIEW_CHARS * 4].decode("utf-8", "backslashreplace")[:PREVIEW_CHARS]


def undecoded(frame: Frame, topic: str | None, n: int, reason: str) -> Undecoded:
    return Undecoded(
        topic, reason, preview(frame.data), len(frame.data), frame.text, frame.recv_ns, frame.conn_epoch, n
    )


def parse_object(frame: Frame) -> tuple[Any, str]:
    """The JSON of a text frame, or None and the reason why there is none."""
    if not frame.text:
        return None, "a binary frame; this system sends JSON text"
    try:
        value = msgspec.json.decode(frame.data)
    except RecursionError:
        return None, "JSON nested too deeply"
    except UnicodeDecodeError:
        return None, "invalid UTF-8"
    except (msgspec.MsgspecError, ValueError) as exc:
        return None, f"not JSON: {str(exc)[:100]}"
    if value is None:
        return None, "JSON null; an object was expected"
    return value, ""


def encode_message(value: Any) -> str:
    """JSON text of a message to a server.

    :raises BadOption: if it cannot be written as JSON
    """
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError, RecursionError) as exc:
        raise BadOption(f"the message cannot be written as JSON: {exc}; numbers, texts, lists and dicts can") from None
