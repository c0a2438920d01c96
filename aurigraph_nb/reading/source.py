"""Where a recording's rows, gaps and figures come from.

There are two kinds of :class:`Source`: the lines of a journal in memory (:mod:`.memory`), and a directory
(:mod:`.directory`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec
import pyarrow as pa

from ..errors import RecordingCorrupt
from ..gaps import GapBook
from ..protocols import PROTOCOLS, WireProtocol
from ..recording.lines import Line
from ..recording.verify import Finding
from ..schema import Record
from ..tape import Run
from .rows import Chunk, Rows


class RecorderInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a recorder."""

    id: str
    url: str
    """Of the server, without secrets."""
    topics: tuple[str, ...]
    state: str
    """``recording`` while it writes, ``ended`` in good order, ``failed`` (by a full disk, say), ``recovered`` after a
    sudden end, or ``broken off``: after one that nobody has seen to yet."""
    started_ns: int
    """ns since 1970 UTC."""
    ended_ns: int | None
    """Of the last line, ns since 1970 UTC; None if nothing tells."""
    segments: int
    unsealed: int
    """Segments that are a journal alone, so far."""


class Figures(msgspec.Struct, kw_only=True):
    """What was counted over a recording."""

    frames: int = 0
    undecoded: int = 0
    suppressed: int = 0
    control: int = 0
    filtered: int = 0
    """Frames of topics that were not recorded as rows."""
    journal_bytes: int = 0
    parquet_bytes: int = 0
    topic_bytes: dict[str, int] = msgspec.field(default_factory=dict)
    """Of each topic's Parquet files."""
    first_ns: int | None = None
    """Receive time of the first frame, ns since 1970 UTC."""
    last_ns: int | None = None

    def add(self, other: Figures) -> None:
        """Count these as well."""
        for name in ("frames", "undecoded", "suppressed", "control", "filtered", "journal_bytes", "parquet_bytes"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for topic, size in other.topic_bytes.items():
            self.topic_bytes[topic] = self.topic_bytes.get(topic, 0) + size
        self.widen(other.first_ns, other.last_ns)

    def widen(self, first_ns: int | None, last_ns: int | None) -> None:
        """Let the range of receive times hold these as well."""
        for ns in (first_ns, last_ns):
            if ns is not None:
                self.first_ns = ns if self.first_ns is None else min(self.first_ns, ns)
                self.last_ns = ns if self.last_ns is None else max(self.last_ns, ns)


class Stretch(msgspec.Struct, frozen=True):
    """The rows of one topic and recorder: Parquet files and, for what is in none, tables; in the order of the rows."""

    pieces: tuple[Path | pa.Table, ...]
    recv: tuple[int, int]
    """Bounds of the receive times, ns since 1970 UTC."""


class Source(Protocol):
    """What a recording is read from. Everything is read at the first need, and kept until :meth:`refresh`."""

    protocol: str
    id: str
    created_ns: int
    path: Path | None
    """The directory; None in memory."""

    def url(self) -> str:
        """The server that the first recorder recorded, without secrets; no line but a head is read for it."""

    def topics(self) -> tuple[str, ...]:
        """Topics that were recorded, by name."""

    def rows(self, topic: str) -> Rows:
        """The rows of a topic; none for one that was not recorded."""

    def count(self, topic: str) -> int:
        """How many rows a topic has; no file of rows is read for it."""

    def stretches(self, topic: str) -> tuple[Stretch, ...]:
        """The rows of a topic as files and tables: what other tools read; the run that began first comes first."""

    def gaps(self) -> GapBook:
        """The gaps of all recorders."""

    def recorders(self) -> tuple[RecorderInfo, ...]:
        """The runs of recorders, the first begun first."""

    def figures(self) -> Figures: ...

    def lines(self) -> Iterator[tuple[str, Sequence[Line]]]:
        """The journal: runs of lines with their recorder, those of one recorder in order."""

    def tapes(self) -> tuple[Run, ...]:
        """The same for a player: one for each recorder."""

    def damage(self) -> tuple[Finding, ...]:
        """What was found to be wrong, so far."""

    def refresh(self, *, anew: bool = False) -> bool:
        """Look again; returns whether anything changed (with ``anew``, everything counts as changed)."""


def protocol_of(name: str) -> WireProtocol:
    """The protocol of a recording.

    :raises RecordingCorrupt: if there is none of that name
    """
    if name not in PROTOCOLS:
        known = ", ".join(PROTOCOLS)
        raise RecordingCorrupt(
            f"the recording's protocol {name[:50]!r} is not known here (known are {known}); a newer version may know it"
        )
    return PROTOCOLS[name]


def record_of(protocol: str, topic: str) -> type[Record]:
    """Type of a topic's records.

    :raises RecordingCorrupt: if the protocol has no such topic
    """
    wire = protocol_of(protocol)
    record = wire.topics.get(topic) or wire.other_topics
    if record is None:
        raise RecordingCorrupt(f"the recording names the topic {topic[:100]!r}; {protocol} has none of that name")
    return record


def table_of(batches: Sequence[pa.RecordBatch]) -> pa.Table:
    """One table of several batches; at least one."""
    return pa.Table.from_batches(batches).unify_dictionaries()


def span_of(chunks: Iterable[Chunk]) -> tuple[int, int]:
    """Least and greatest receive time of at least one chunk, ns since 1970 UTC."""
    ends = [chunk.recv for chunk in chunks]
    return min(low for low, _ in ends), max(high for _, high in ends)
