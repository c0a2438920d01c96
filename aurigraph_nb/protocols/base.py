"""What every wire protocol here takes and gives: frames in, rows (and what was no row) out.

Nothing in this package does I/O or knows the time. A frame that is not understood becomes an :class:`Undecoded`
record and is counted; nothing raises out of a decoder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import msgspec

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
    endpoint: str
    detail: str = ""
    reply: str | None = None
    """What the protocol wants to be sent back, if anything."""


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

    __slots__ = ("control", "rows", "undecoded")

    def __init__(self) -> None:
        self.rows: dict[str, list[Record]] = {}
        self.undecoded: list[Undecoded] = []
        self.control: list[Control] = []


class Decoder(Protocol):
    """The stateful end of a protocol: one a feed."""

    unnamed: FieldCounts
    """Fields of known frames that nobody named (they stand in ``extra``)."""
    wrong_type: FieldCounts
    """Fields whose value had a type that their column does not take (the raw value stands in ``extra``)."""
    doubtful: FieldCounts
    """Fields whose scale the frame's shape does not tell (the raw value stands in ``extra``)."""

    def decode(self, frames: Iterable[Frame]) -> Batch:
        """Rows and the rest out of ``frames``, in order. Never raises."""


class WireProtocol(Protocol):
    """One of the systems: what it is called, what it offers, how to ask for it."""

    name: str
    topics: Mapping[str, type[Record]]
    """The fixed topics and their record types."""
    keys: Mapping[str, str]
    """The column that identifies a thing in the topics that are about things."""
    periods_s: Mapping[str, float]
    """The topics that are sent at a fixed period, and that period; the others come on change."""

    def endpoints(self, url: str) -> dict[str, tuple[str, tuple[str, ...]]]:
        """The connections that the feed may open: name -> (URL, topics that it carries)."""

    def decoder(self, ledger: Ledger) -> Decoder: ...

    def heartbeat(self, now_ns: int) -> str | None:
        """The application's own heartbeat message, if the system has one."""


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
