"""Whether a recording is what was written: checksums, counts and order, segment by segment.

Reading a recording checks what it reads as well: blocks of the journal by their seals, pages of Parquet by theirs. This
goes through everything, and compares it with what the manifests say. (Other readers of the Parquet files check
neither, unless they are told to.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import FileError, RecordingCorrupt
from . import disk, footers, journal
from .directory import Contents, Directory, Segment
from .journal import Scan
from .manifest import SegmentEntry, TopicPart

_FIELDS: list[pa.Field[Any]] = [
    pa.field("segment", pa.int64()),
    pa.field("recorder", pa.string()),
    pa.field("file", pa.string(), nullable=False),
    pa.field("kind", pa.string(), nullable=False),
    pa.field("detail", pa.string(), nullable=False),
]
FINDING_SCHEMA = pa.schema(_FIELDS)
"""Columns of :meth:`Verification.table`."""
_SHOWN = 20
_MAX_GROUP = 2**23


def many(count: int, what: str) -> str:
    """A count, for people.

    >>> many(1, "segment"), many(1200, "row")
    ('1 segment', '1,200 rows')
    """
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not as it was written."""

    segment: int | None = None
    recorder: str | None = None
    file: str
    """Relative to the recording."""
    kind: str
    """"missing", "size", "checksum", "damage", "unfinished", "count", "order" or "unreadable"."""
    detail: str

    def __str__(self) -> str:
        return f"{self.file}: {self.kind}: {self.detail}"


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of :func:`verify`. Prints as a report; true if all is well."""

    segments: int
    """Segments that were looked at."""
    lines: int
    """Lines of journals that were read."""
    rows: int
    """Rows of Parquet files that were read."""
    bytes: int
    """Bytes of files that were read."""
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether everything is as it was written."""
        return not self.findings

    def __bool__(self) -> bool:
        return self.ok

    def table(self) -> pa.Table:
        """The findings as an Arrow table with the schema :data:`FINDING_SCHEMA`."""
        return pa.Table.from_pylist([msgspec.structs.asdict(f) for f in self.findings], schema=FINDING_SCHEMA)

    def to_pandas(self) -> Any:
        """The same as a DataFrame."""
        return self.table().to_pandas()

    def __str__(self) -> str:
        counts = ((self.segments, "segment"), (self.lines, "line"), (self.rows, "row"), (self.bytes, "byte"))
        looked = ", ".join(many(count, what) for count, what in counts)
        if self.ok:
            return f"All is as it was written: {looked}."
        told = [f"{many(len(self.findings), 'finding')} in {looked}:", *(f"  {f}" for f in self.findings[:_SHOWN])]
        if len(self.findings) > _SHOWN:
            told.append(f"  and {len(self.findings) - _SHOWN:,} more; table() has them all")
        return "\n".join(told)

    __repr__ = __str__


def verify(
    directory: Directory, *, quick: bool = False, progress: Callable[[int, int], object] | None = None
) -> Verification:
    """Look at everything in a recording, segment by segment. Nothing is written.

    What a recorder is writing at this moment is looked at as far as it is flushed.

    Args:
        directory: of the recording.
        quick: look only whether the files are there, in their sizes; for a start.
        progress: is told the segments done and all segments, after each.

    Raises:
        RecordingError: the directory cannot be read.
    """
    contents = directory.read()
    check = _Check(directory, quick)
    for problem in contents.problems:
        check.note(None, str(directory.path), "unreadable", str(problem))
    check.numbers(contents)
    for done, segment in enumerate(contents.segments, 1):
        check.segment(segment)
        if progress is not None:
            progress(done, len(contents.segments))
    return Verification(
        segments=len(contents.segments),
        lines=check.lines,
        rows=check.rows,
        bytes=check.bytes,
        findings=tuple(check.findings),
    )


class _Check:
    """Walks along the segments of a recording."""

    def __init__(self, directory: Directory, quick: bool) -> None:
        self.findings: list[Finding] = []
        self.lines = self.rows = self.bytes = 0
        self._directory = directory
        self._quick = quick
        self._ordinals: dict[tuple[str | None, str], int] = {}
        self._current: Segment | None = None

    def note(self, segment: Segment | None, file: str | Path, kind: str, detail: str) -> None:
        relative = str(file).removeprefix(f"{self._directory.path}/")
        where = (segment.number, segment.recorder) if segment else (None, None)
        self.findings.append(Finding(segment=where[0], recorder=where[1], file=relative, kind=kind, detail=detail))

    def numbers(self, contents: Contents) -> None:
        """Segments are numbered without holes, so a hole is a lost file."""
        taken = [segment.number for segment in contents.segments]
        for before, number in zip([0, *taken], taken, strict=False):
            if number > before + 1:
                missing = f"segment {before + 1}" if number == before + 2 else f"segments {before + 1} to {number - 1}"
                self.note(None, "journal", "missing", f"{missing} is not there, and no manifest tells of it")

    def segment(self, segment: Segment) -> None:
        try:
            if segment.entry is not None:
                self._sealed(segment, segment.entry)
            elif not self._quick:
                self._unsealed(segment)
        except (FileError, OSError) as exc:
            self.note(segment, segment.path, "unreadable", str(exc))

    def _sealed(self, segment: Segment, entry: SegmentEntry) -> None:
        if entry.journal != segment.path.name:
            self.note(segment, segment.path, "count", f"the manifest calls it {entry.journal!r}")
        if self._file(segment, segment.path, entry.bytes, entry.sha256) and not self._quick:
            scan = self._scan(segment)
            for what, said, counted in (("lines", entry.lines, scan.lines), ("frames", entry.frames, scan.frames)):
                if said != counted:
                    self.note(segment, segment.path, "count", f"{counted:,} {what}; the manifest says {said:,}")
        for part in entry.parts:
            try:
                self._part(segment, part)
            except (FileError, OSError) as exc:
                self.note(segment, part.path, "unreadable", str(exc))

    def _unsealed(self, segment: Segment) -> None:
        scan = self._scan(segment)
        if segment.live:
            return
        if scan.end is None and segment.cut is None and scan.head is not None:
            self.note(segment, segment.path, "unfinished", "its recorder ended suddenly; rebuild() makes it whole")
        if segment.cut is not None and scan.lines != segment.cut.lines:
            said = f"{scan.lines:,} lines; there were {segment.cut.lines:,} when it was recovered"
            self.note(segment, segment.path, "count", said)

    def _scan(self, segment: Segment) -> Scan:
        scan = journal.scan(segment.path, live=segment.live)
        self.lines += scan.lines
        self.bytes += scan.size if segment.entry is None else 0
        for damage in scan.damages:
            self.note(segment, segment.path, "damage", str(damage))
        for detail in _oddities(segment, scan):
            self.note(segment, segment.path, "order", detail)
        return scan

    def _file(self, segment: Segment, path: Path, size: int, sha256: str) -> bool:
        """Whether a file is there to be looked at."""
        if not path.exists():
            self.note(segment, path, "missing", f"{size:,} bytes are not there")
            return False
        found = path.stat().st_size
        if found != size:
            self.note(segment, path, "size", f"{found:,} bytes; {size:,} were written")
        elif not self._quick and _sha256(path) != sha256:
            self.note(segment, path, "checksum", "the file is not what was written (sha256)")
        self.bytes += 0 if self._quick else found
        return True

    def _part(self, segment: Segment, part: TopicPart) -> None:
        path = self._directory.inside(part.path)
        if not self._file(segment, path, part.bytes, part.sha256) or self._quick:
            return
        if not footers.matches(path, part):
            return  # which was told, as the sha256 of the file: such a footer is not parsed
        rows = 0
        for ordinals in _ordinals(path):
            rows += len(ordinals)
            self._order(segment, part, ordinals)
        self.rows += rows
        if rows != part.rows:
            self.note(segment, path, "count", f"{rows:,} rows; the manifest says {part.rows:,}")

    def _order(self, segment: Segment, part: TopicPart, ordinals: npt.NDArray[np.int64]) -> None:
        """Ordinals of a topic never fall in a recorder's run; the rows of a frame share one."""
        if not len(ordinals):
            return
        key = (segment.recorder, part.topic)
        before = self._ordinals.get(key, -1)
        if ordinals[0] < before or np.any(np.diff(ordinals) < 0):
            self.note(segment, part.path, "order", f"the ordinals of {part.topic} fall")
        self._ordinals[key] = max(before, int(ordinals.max()))


def _oddities(segment: Segment, scan: Scan) -> Iterator[str]:
    """What is whole, and yet cannot have been written like that."""
    if scan.head is None and not (scan.damages and scan.damages[0].start == 0):
        yield "it does not begin with the first line of a segment"
    if scan.head is not None and scan.head.segment != segment.number:
        yield f"it calls itself segment {scan.head.segment}"
    if scan.head is not None and segment.recorder not in (None, scan.head.recorder):
        yield f"it is of {scan.head.recorder!r}, and the manifest of {segment.recorder!r} names it"
    if scan.backwards:
        yield f"{scan.backwards:,} frames of earlier connections come after later ones"
    if scan.end is not None and not scan.damages and scan.end.frames != scan.frames:
        yield f"{scan.frames:,} frames; its last line says {scan.end.frames:,}"


def _sha256(path: Path) -> str:
    with disk.told(f"Cannot read {path}"), disk.open_inside(path) as file:
        digest = hashlib.sha256()
        while piece := file.read(2**20):
            digest.update(piece)
        return digest.hexdigest()


def _ordinals(path: Path) -> Iterator[npt.NDArray[np.int64]]:
    """The column ``n`` of a Parquet file, row group by row group; every page of every column is verified."""
    try:
        with disk.open_inside(path) as source, pq.ParquetFile(source, page_checksum_verification=True) as file:
            for group in range(file.num_row_groups):
                if file.metadata.row_group(group).num_rows > _MAX_GROUP:
                    raise RecordingCorrupt(f"{path} has a row group of more than {_MAX_GROUP:,} rows, which none has.")
                yield file.read_row_group(group).column("n").to_numpy()
    except RecordingCorrupt:
        raise
    except (pa.ArrowException, OSError, KeyError, ValueError) as exc:
        raise RecordingCorrupt(f"{path} cannot be read as Parquet: {exc}") from exc
