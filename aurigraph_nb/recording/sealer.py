"""Sealing: a segment that takes no more lines is packed tightly, and its rows get Parquet files.

First the parts, each whole under its own name; then the journal, packed again with the very same lines; then the
manifest, which makes it count. Whoever is killed in between leaves a segment that is not sealed: it reads the same out
of its journal, and is sealed again, to the same bytes.

Memory is bounded by the segment's size: lines come block by block, rows go to the disk a row group at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import msgspec

from ..errors import FileError, RecordingCorrupt
from ..gaps import Gap
from ..schema import Record
from . import blocks, disk, journal
from .blocks import Damage
from .digest import Digest
from .directory import Directory
from .lines import Line, decode
from .manifest import Manifest, SegmentEntry, TopicPart
from .parts import DAY_NS, PartWriter, day_of, part_path, stamp
from .whole import HashedFile, size_and_sha256

BLOCK_LINES = 1_000
"""Lines of a block in a segment that was packed again."""
BLOCK_BYTES = 8 * 2**20
"""Bytes of lines after which such a block ends all the same."""


class Sealer:
    """Seals the segments of one run of a recorder, and is the only one who writes its manifest. Safe on any thread.

    Segments are best sealed in the order of their numbers: then what was decoded goes on from one to the next. For any
    other, the segment before it is decoded too.

    :param directory: the recording
    :param manifest: of the recorder, as it stands
    """

    def __init__(self, directory: Directory, manifest: Manifest) -> None:
        self._directory = directory
        self._manifest = manifest
        self._path = directory.manifest_path(manifest.recorder)
        self._lock = threading.RLock()
        self._digest: Digest | None = None
        self._done = 0

    @property
    def manifest(self) -> Manifest:
        """The manifest as it stands."""
        return self._manifest

    def note(self, **changes: object) -> Manifest:
        """Write the manifest with other values for some fields (``state``, ``ended_ns``, ``detail``, …).

        :raises RecordingError: if it cannot be written; then it is as it was
        """
        with self._lock:
            self._save(msgspec.structs.replace(self._manifest, **changes))
            return self._manifest

    def seal(self, segment: int, *, repack: bool = True) -> SegmentEntry:
        """Seal a segment that takes no more lines; one that is sealed already is sealed again.

        :param repack: whether to pack its journal again
        :raises RecordingCorrupt: if its lines cannot be digested. (A stretch of its file that cannot be read is a gap
            in every topic, and then the file stays as it is.)
        :raises RecordingError: if something cannot be written; then the segment is as it was
        """
        with self._lock, disk.told(f"Cannot seal segment {segment} of {self._directory.path}"):
            digest = self._ready_for(segment)
            self._digest = None  # until it is through
            entry = self._seal(digest, segment, repack=repack)
            self._save(self._manifest.with_segment(entry))
            self._digest, self._done = digest, segment
            return entry

    def _save(self, manifest: Manifest) -> None:
        manifest.save(self._path)
        self._manifest = manifest

    def _seal(self, digest: Digest, segment: int, *, repack: bool) -> SegmentEntry:
        path = self._journal(segment)
        before = digest.book.entries()
        digest.take_counts()
        rows, packer = _Rows(self._directory, digest, segment), _Packer(path)
        damages: list[Damage] = []
        raw_bytes = 0
        try:
            for data, lines in _read(path, digest, damages):
                digest.take(lines)
                rows.take(digest.drain())
                raw_bytes += len(data)
                if repack:
                    packer.take(data)
            parts = rows.finish()
            if repack and not damages:
                packer.finish()
        finally:
            rows.drop()
            packer.drop()
        return self._entry(segment, digest, before, raw_bytes, parts)

    def _entry(
        self, segment: int, digest: Digest, before: dict[int, Gap], raw_bytes: int, parts: tuple[TopicPart, ...]
    ) -> SegmentEntry:
        counts, path = digest.take_counts(), self._journal(segment)
        changed = [(ordinal, gap) for ordinal, gap in digest.book.entries().items() if before.get(ordinal) != gap]
        cut = self._manifest.cut(segment)
        size, sha256 = size_and_sha256(path)
        return SegmentEntry(
            number=segment,
            journal=path.name,
            bytes=size,
            sha256=sha256,
            lines=counts.lines,
            frames=counts.frames,
            raw_bytes=raw_bytes,
            first_ns=counts.first_ns,
            last_ns=counts.last_ns,
            parts=parts,
            undecoded=counts.undecoded.total(),
            suppressed=counts.suppressed.total(),
            control=counts.control.total(),
            filtered=counts.filtered.total(),
            misordered=counts.order.total(),
            gaps=tuple(changed),
            cut=0 if cut is None else cut.bytes,
        )

    def _journal(self, segment: int) -> Path:
        return self._directory.journal / journal.file_name(segment)

    # What was before

    def _ready_for(self, segment: int) -> Digest:
        """A digest that has taken what comes before the segment."""
        if self._digest is not None and self._previous(segment) == self._done:
            return self._digest
        digest = Digest(self._directory.protocol)
        if journal.read_head(self._journal(segment)).first:
            return digest
        warm = self._to_warm(segment, digest)
        for earlier in warm:
            if not self._journal(earlier).exists():
                digest.hole(f"{self._journal(earlier).name} is missing")
                continue
            for _ in digest_segment(self._journal(earlier), digest):
                digest.drain()
        if warm and self._manifest.entry(warm[-1]) is not None:
            self._correct(digest, self._gaps_before(segment))
        return digest

    @staticmethod
    def _correct(digest: Digest, gaps: dict[int, Gap]) -> None:
        """What was sealed knew more of what came before."""
        known = digest.book.entries()
        for ordinal, gap in gaps.items():
            if known.get(ordinal) != gap:
                digest.book.put(ordinal, gap)

    def _to_warm(self, segment: int, digest: Digest) -> list[int]:
        """The segments to be decoded before this one: from the last sealed one on. ``digest`` gets the gaps before."""
        found: list[int] = []
        at: int | None = self._previous(segment)
        while at is not None:
            found.insert(0, at)
            if self._manifest.entry(at) is not None:
                break
            at = self._previous(at)
        if found:
            for number, gap in self._gaps_before(found[0]).items():
                digest.book.put(number, gap)
        return found

    def _previous(self, segment: int) -> int | None:
        """The segment of this run before ``segment``; None if there is none that can be read."""
        for number in range(segment - 1, 0, -1):
            if self._manifest.entry(number) is not None:
                return number
            path = self._journal(number)
            try:
                if path.exists() and journal.read_head(path).recorder == self._manifest.recorder:
                    return number
            except FileError:
                continue
        return None

    def _gaps_before(self, segment: int) -> dict[int, Gap]:
        gaps: dict[int, Gap] = {}
        for entry in self._manifest.segments:
            if entry.number < segment:
                gaps.update(entry.gaps)
        return gaps


def digest_segment(path: Path, digest: Digest) -> Iterator[list[Line]]:
    """Let ``digest`` take a segment block by block; gives the lines of each, after they were taken.

    A stretch that cannot be read is a hole to the digest.

    :raises RecordingError: if the file cannot be read
    :raises RecordingCorrupt: if the lines cannot be digested
    """
    for _, lines in _read(path, digest, []):
        digest.take(lines)
        yield lines


def _read(path: Path, digest: Digest, damages: list[Damage]) -> Iterator[tuple[bytes, list[Line]]]:
    """The blocks of a segment, as bytes and as lines; damage is a hole, noted before what comes after it."""

    def damaged(damage: Damage) -> None:
        damages.append(damage)
        digest.hole(f"{path.name} is damaged, {damage}")

    for block in journal.read_raw(path, on_damage=damaged):
        try:
            lines = decode(block.data)
        except (ValueError, RecursionError) as exc:
            raise RecordingCorrupt(f"{path}: lines from byte {block.start:,} on make no sense: {exc}") from None
        yield block.data, lines


class _Rows:
    """The rows of a segment on their way to their parts."""

    def __init__(self, directory: Directory, digest: Digest, segment: int) -> None:
        self._directory, self._digest, self._segment = directory, digest, segment
        self._writers: dict[tuple[str, int], PartWriter] = {}

    def take(self, rows: dict[str, list[Record]]) -> None:
        for topic, records in rows.items():
            for day, some in groupby(records, lambda record: record.recv_ns // DAY_NS):
                writer = self._writers.get((topic, day))
                if writer is None:
                    writer = self._writers[topic, day] = self._begin(topic, day)
                writer.append(some)

    def _begin(self, topic: str, day: int) -> PartWriter:
        assert self._digest.head is not None
        recorder = self._digest.head.recorder
        path = part_path(topic, day_of(day * DAY_NS), recorder, self._segment)
        self._directory.inside(path)
        record = self._digest.record_type(topic)
        return PartWriter(self._directory.path, path, record, topic, stamp(recorder, self._segment, topic))

    def finish(self) -> tuple[TopicPart, ...]:
        """Write all parts, by topic and day."""
        return tuple(writer.finish() for _, writer in sorted(self._writers.items(), key=lambda item: item[0]))

    def drop(self) -> None:
        for writer in self._writers.values():
            writer.drop()


class _Packer:
    """Packs the lines of a segment again, in blocks of 1,000."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: HashedFile | None = None
        self._lines: list[bytes] = []
        self._bytes = 0

    def take(self, data: bytes) -> None:
        if self._file is None:
            self._file = HashedFile(self._path)
        for line in data.splitlines(keepends=True):
            self._lines.append(line)
            self._bytes += len(line)
            if len(self._lines) >= BLOCK_LINES or self._bytes >= BLOCK_BYTES:
                self._write()

    def _write(self) -> None:
        assert self._file is not None
        self._file.write(blocks.pack(b"".join(self._lines), blocks.SEALED_LEVEL))
        self._lines, self._bytes = [], 0

    def finish(self) -> None:
        """Put the packed file in the place of the other."""
        assert self._file is not None
        if self._lines:
            self._write()
        self._file.settle()

    def drop(self) -> None:
        if self._file is not None:
            self._file.drop()
