"""Recordings for tests: the lines of the local node's model, cut into segments and written as a recorder would."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import pyarrow as pa

from aurigraph_nb.columns import records_to_table
from aurigraph_nb.gaps import Cause, Certainty, Gap
from aurigraph_nb.recording import directory as directories
from aurigraph_nb.recording.digest import Digest
from aurigraph_nb.recording.directory import Directory
from aurigraph_nb.recording.journal import JournalWriter
from aurigraph_nb.recording.lines import End, FrameLine, GapBegins, GapEnds, Head, Line
from aurigraph_nb.recording.manifest import Manifest
from aurigraph_nb.recording.parts import read_part, table_digest
from aurigraph_nb.sample import Script
from aurigraph_nb.schema import Record

URL = "ws://localhost/ws"


@functools.cache
def model_lines(
    protocol: str = "portal", duration: str = "40s", seed: int = 1, start: str = "2026-01-01"
) -> list[Line]:
    """What a recorder writes of a run of the model, head and end left out; with a gap in it that a client told of."""
    script = Script(protocol, scenario="partition", duration=duration, seed=seed, start=start)
    lines = [line for line in script.lines() if not isinstance(line, Head | End)]
    topic = next(iter(script.wire.topics))
    first, last = (lines[len(lines) * k // 10].t for k in (3, 6))
    gap = Gap(topic, Cause.DISCONNECT, Certainty.BOUNDED, first, None, None, 1, "the wire was cut")
    lines.insert(len(lines) * 3 // 10, GapBegins(first, gap))
    lines.insert(len(lines) * 6 // 10, GapEnds(last, topic, Cause.DISCONNECT, last, 3))
    lines.insert(len(lines) // 2, FrameLine(first, next(iter(script.wire.endpoints(URL))), 1, "no JSON at all"))
    return lines


def segments_of(
    lines: Sequence[Line], count: int, *, protocol: str, recorder: str = "rec", topics: Iterable[str] | None = None
) -> list[list[Line]]:
    """The lines in so many segments, each with its head and end."""
    digest = Digest(protocol)
    wanted = tuple(digest.protocol.topics if topics is None else topics)
    head = Head(v=1, recorder=recorder, segment=1, t=lines[0].t, protocol=protocol, url=URL, topics=wanted, first=True)
    found: list[list[Line]] = []
    for at in range(count):
        some = lines[len(lines) * at // count : len(lines) * (at + 1) // count]
        digest.take([head, *some])
        frames = sum(isinstance(line, FrameLine) for line in some)
        found.append([head, *some, End(some[-1].t, frames, at == count - 1)])
        ordinals, marks = digest.ledger.snapshot()
        lasting = tuple(gap for gap in digest.book.rows() if gap.end_ns is None)
        head = msgspec.structs.replace(
            head,
            segment=at + 2,
            t=some[-1].t,
            first=False,
            ledger=ordinals,
            marks=marks,
            open=lasting,
            up=dict(digest.up),
        )
    return found


def write_segments(directory: Directory, segments: Iterable[Sequence[Line]], *, flush: int = 7) -> list[int]:
    """Write segments with so many lines a flush; returns their numbers."""
    numbers = []
    for lines in segments:
        head = lines[0]
        assert isinstance(head, Head)
        with JournalWriter(
            directory.journal, msgspec.structs.replace(head, segment=directory.next_segment())
        ) as writer:
            for at in range(1, len(lines), flush):
                writer.write(lines[at : at + flush])
            numbers.append(writer.segment)
    return numbers


def new_manifest(head: Line) -> Manifest:
    """The manifest of a recorder that has just begun."""
    assert isinstance(head, Head)
    return Manifest(recorder=head.recorder, protocol=head.protocol, url=head.url, topics=head.topics, started_ns=head.t)


def unsealed(
    path: Path,
    protocol: str = "portal",
    count: int = 3,
    *,
    topics: Iterable[str] | None = None,
    recorder: str = "rec",
    **options: str,
) -> tuple[Directory, Manifest]:
    """A recording of so many segments, none of them sealed, and the manifest that goes with it."""
    directory = directories.create_or_open(path, protocol)
    segments = segments_of(model_lines(protocol, **options), count, protocol=protocol, topics=topics, recorder=recorder)
    write_segments(directory, segments)
    return directory, new_manifest(segments[0][0])


def files_of(directory: Directory) -> dict[str, bytes]:
    """All files of a recording but the identity, which is different for each."""
    root = directory.path
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and path.name != "recording.json"]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def gaps_of(manifest: Manifest | None) -> dict[int, Gap]:
    """The gaps of a recorder, as its manifest tells them."""
    assert manifest is not None
    return {ordinal: gap for entry in manifest.segments for ordinal, gap in entry.gaps}


def sealed_tables(directory: Directory, recorder: str = "rec") -> dict[str, str]:
    """What the parts of a recorder say: a digest of all rows, by topic."""
    parts: dict[str, list[pa.Table]] = {}
    manifest = directory.manifest(recorder)
    assert manifest is not None
    for entry in manifest.segments:
        for part in entry.parts:
            parts.setdefault(part.topic, []).append(read_part(directory.path / part.path, sha256=part.sha256))
    return {topic: table_digest(pa.concat_tables(tables)) for topic, tables in parts.items()}


def rows_of(protocol: str, lines: Iterable[Line]) -> dict[str, list[Record]]:
    """What the lines of one run say, by topic."""
    digest = Digest(protocol)
    digest.take(lines)
    return digest.drain()


def tables_of(protocol: str, lines: Iterable[Line]) -> dict[str, pa.Table]:
    """The same as tables, by topic."""
    digest = Digest(protocol)
    return {t: records_to_table(digest.record_type(t), rows) for t, rows in rows_of(protocol, lines).items()}
