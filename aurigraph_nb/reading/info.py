"""What is in a recording, by whom, how much, and how complete: for people, and as plain values for programs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..recording.recover import Recovered
from ..recording.verify import Finding, many
from .source import RecorderInfo, Source

SHOWN = 50
"""Topics, recorders and findings that a report lists of each."""
LINE_CHARS = 500


class TopicInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One topic of a recording."""

    name: str
    rows: int
    bytes: int
    """Of its Parquet files."""
    gaps: int
    """Gaps of this topic alone."""


class RecordingInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a recording. Prints as a report."""

    path: Path | None
    """None in memory."""
    id: str
    created_ns: int
    """ns since 1970 UTC."""
    protocol: str
    recorders: tuple[RecorderInfo, ...]
    topics: tuple[TopicInfo, ...]
    frames: int
    """Messages that came, whatever they were."""
    rows: int
    undecoded: int
    suppressed: int
    control: int
    filtered: int
    """Messages of topics that were not recorded as rows."""
    journal_bytes: int
    parquet_bytes: int
    first_ns: int | None
    """Receive time of the first message, ns since 1970 UTC; None if there is none."""
    last_ns: int | None
    gaps: int
    damage: tuple[Finding, ...]
    recovered: tuple[Recovered, ...]

    @property
    def bytes(self) -> int:
        """On the disk."""
        return self.journal_bytes + self.parquet_bytes

    @property
    def bytes_per_message(self) -> float | None:
        """On the disk, journal and Parquet together; None without messages."""
        return self.bytes / self.frames if self.frames else None

    @property
    def duration_s(self) -> float | None:
        """From the first message to the last, in seconds."""
        return None if self.first_ns is None or self.last_ns is None else (self.last_ns - self.first_ns) / 1e9

    @property
    def segments(self) -> int:
        """Segments of the journal."""
        return sum(recorder.segments for recorder in self.recorders)

    @property
    def unsealed(self) -> int:
        """Segments that have no Parquet files yet; they are read from the journal."""
        return sum(recorder.unsealed for recorder in self.recorders)

    def to_dict(self) -> dict[str, Any]:
        """Everything as dicts, lists, texts and numbers; times are nanoseconds since 1970 UTC."""
        derived = ("bytes", "bytes_per_message", "duration_s", "segments", "unsealed")
        plain: dict[str, Any] = msgspec.to_builtins(self, enc_hook=str)
        return {**plain, **{name: getattr(self, name) for name in derived}}

    def __str__(self) -> str:
        return "\n".join(map(_printable, self._lines()))

    __repr__ = __str__

    def _lines(self) -> Iterator[str]:
        yield f"Recording {self.path or 'in memory'} ({self.protocol}, {self.id})"
        if self.first_ns is not None and self.last_ns is not None:
            yield f"  {shown_time(self.first_ns)} to {shown_time(self.last_ns)} UTC ({self.duration_s or 0:,.1f} s)"
        each = "" if self.bytes_per_message is None else f" ({self.bytes_per_message:,.1f} a message)"
        disk = f", {many(self.bytes, 'byte')}{each}" if self.bytes else ""
        yield f"  {many(self.frames, 'message')}, {many(self.rows, 'row')}{disk}"
        left_out = ("undecoded", "suppressed", "control", "filtered")
        if counts := [f"{getattr(self, name):,} {name}" for name in left_out if getattr(self, name)]:
            yield f"  no rows: {', '.join(counts)}"
        left = f"{self.unsealed:,} of them not sealed"
        if self.segments == 1:
            left = "not sealed" if self.unsealed else "sealed"
        yield f"  {many(self.segments, 'segment')}, {left}; {many(self.gaps, 'gap')}"
        width = max((len(topic.name) for topic in self.topics), default=0)
        for topic in self.topics[:SHOWN]:
            gaps = f"{topic.gaps:>5,} {'gap' if topic.gaps == 1 else 'gaps'}"
            yield f"  {topic.name:<{width}}  {topic.rows:>12,} rows  {topic.bytes:>14,} bytes  {gaps}"
        yield from _more(self.topics, "topics")
        for recorder in self.recorders[:SHOWN]:
            yield f"  by {recorder.id}, {recorder.state}, from {recorder.url}"
        yield from _more(self.recorders, "recorders")
        yield from (f"  recovered: {told}" for told in self.recovered[:SHOWN])
        yield from _more(self.recovered, "recovered")
        yield from (f"  damage: {finding}" for finding in self.damage[:SHOWN])
        yield from _more(self.damage, "findings of damage")


def _more(listed: Sequence[object], what: str) -> Iterator[str]:
    if len(listed) > SHOWN:
        yield f"  … and {len(listed) - SHOWN:,} more {what}; to_dict() has all"


def _printable(line: str) -> str:
    line = line if len(line) <= LINE_CHARS else line[: LINE_CHARS - 1] + "…"
    return "".join(c if c.isprintable() else "�" for c in line)


def shown_time(ns: int) -> str:
    """A time in UTC, to the second.

    >>> shown_time(1_767_225_600_000_000_000)
    '2026-01-01 00:00:00'
    """
    return str((dt.datetime(1970, 1, 1) + dt.timedelta(seconds=ns // 1_000_000_000)).replace(microsecond=0))


def info_of(source: Source, recovered: Sequence[Recovered] = ()) -> RecordingInfo:
    """What is in a recording."""
    figures, gaps = source.figures(), source.gaps().rows()
    topics = tuple(
        TopicInfo(
            name=name,
            rows=source.count(name),
            bytes=figures.topic_bytes.get(name, 0),
            gaps=sum(gap.topic == name for gap in gaps),
        )
        for name in source.topics()
    )
    return RecordingInfo(
        path=source.path,
        id=source.id,
        created_ns=source.created_ns,
        protocol=source.protocol,
        recorders=source.recorders(),
        topics=topics,
        frames=figures.frames,
        rows=sum(topic.rows for topic in topics),
        undecoded=figures.undecoded,
        suppressed=figures.suppressed,
        control=figures.control,
        filtered=figures.filtered,
        journal_bytes=figures.journal_bytes,
        parquet_bytes=figures.parquet_bytes,
        first_ns=figures.first_ns,
        last_ns=figures.last_ns,
        gaps=len(gaps),
        damage=source.damage(),
        recovered=tuple(recovered),
    )
