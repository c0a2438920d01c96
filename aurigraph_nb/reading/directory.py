"""A recording in a directory, as its reader sees it: Parquet files where there are such, the journal for all else.

What is sealed is read from its Parquet files. What is not sealed yet, and what a damaged or missing Parquet file held,
is made anew from the journal, which is the truth. Only what neither has is missing; that is told, and is a gap.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from ..errors import FileError
from ..gaps import Cause, Certainty, Gap, GapBook
from ..recording import journal
from ..recording.blocks import Damage
from ..recording.digest import Digest
from ..recording.directory import Contents, Directory, Segment
from ..recording.footers import check_footer
from ..recording.lines import GapBegins, Head, Line
from ..recording.manifest import Manifest, TopicPart
from ..recording.verify import Finding
from ..schema import arrow_schema
from ..tape import Run
from .memory import Digested, merged_gaps
from .parts import day_rows, row_groups
from .rows import Chunk, Rows, chunk_of
from .source import Figures, RecorderInfo, Stretch, protocol_of, record_of, span_of, table_of

FINDINGS_KEPT = 1_000


class DirectorySource:
    """A recording in a directory, as it was when this was made or last refreshed.

    :raises RecordingCorrupt: if its protocol is not known
    :raises RecordingError: if the directory cannot be read
    """

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self.protocol = directory.protocol
        self.id, self.created_ns = directory.identity.id, directory.identity.created_ns
        self.path: Path | None = directory.path
        protocol_of(self.protocol)
        self._lock = threading.RLock()
        self._set(directory.read())

    def _set(self, contents: Contents) -> None:
        self._contents = contents
        self._sizes = _sizes(contents)
        self._segments: dict[str, list[Segment]] = {}
        for segment in contents.segments:
            if segment.recorder is not None:
                self._segments.setdefault(segment.recorder, []).append(segment)
        self._heads: dict[str, Head | None] = {}
        self._read: dict[int, Digested] = {}
        self._rows: dict[str, Rows] = {}
        self._gaps: GapBook | None = None
        self._figures: Figures | None = None
        self._lost: list[Gap] = []
        self._compared: set[str] = set()
        self._findings: dict[tuple[str, str], Finding] = {}
        for problem in contents.problems:
            self._note(None, str(self.directory.path), "unreadable", str(problem))

    def refresh(self, *, anew: bool = False) -> bool:
        with self._lock:
            contents = self.directory.read()
            same = _sizes(contents) == self._sizes and contents.manifests == self._contents.manifests
            if same and contents.live == self._contents.live and not anew:
                return False
            self._set(contents)
            return True

    def damage(self) -> tuple[Finding, ...]:
        with self._lock:
            return tuple(self._findings.values())

    def _note(self, segment: Segment | None, file: str | Path, kind: str, detail: str) -> None:
        relative = str(file).removeprefix(f"{self.directory.path}/")
        where = (segment.number, segment.recorder) if segment else (None, None)
        if len(self._findings) < FINDINGS_KEPT:
            found = Finding(segment=where[0], recorder=where[1], file=relative, kind=kind, detail=detail)
            self._findings.setdefault((relative, detail), found)

    # What was recorded, by whom

    def _manifest(self, recorder: str) -> Manifest | None:
        return self._contents.manifests.get(recorder)

    def _head(self, recorder: str) -> Head | None:
        """The first line of a recorder that has no manifest yet."""
        if recorder not in self._heads:
            self._heads[recorder] = None
            for segment in self._segments.get(recorder, ()):
                try:
                    self._heads[recorder] = journal.read_head(segment.path)
                    break
                except FileError as exc:
                    self._note(segment, segment.path, "unreadable", str(exc))
        return self._heads[recorder]

    def url(self) -> str:
        with self._lock:
            sources = (self._manifest(recorder) or self._head(recorder) for recorder in self._contents.recorders)
            return next((source.url for source in sources if source is not None), "")

    def topics(self) -> tuple[str, ...]:
        with self._lock:
            sources = [self._manifest(recorder) or self._head(recorder) for recorder in self._contents.recorders]
            named = dict.fromkeys(topic for source in sources if source for topic in source.topics)
            wire = protocol_of(self.protocol)
            return tuple(topic for topic in named if topic in wire.topics or wire.other_topics is not None)

    def recorders(self) -> tuple[RecorderInfo, ...]:
        with self._lock:
            infos = [self._recorder(recorder) for recorder in self._contents.recorders]
            return tuple(info for info in infos if info is not None)

    def _recorder(self, recorder: str) -> RecorderInfo | None:
        manifest, segments = self._manifest(recorder), self._segments.get(recorder, [])
        source = manifest or self._head(recorder)
        if source is None:
            return None
        unsealed = [s for s in segments if s.entry is None]
        last = self._digested(unsealed[-1]) if unsealed else None
        ends = [manifest.ended_ns if manifest else None, last.last_ns if last else None]
        ends += [segment.entry.last_ns for segment in segments if segment.entry]
        return RecorderInfo(
            id=recorder,
            url=source.url,
            topics=source.topics,
            state=self._state(recorder, manifest, last),
            started_ns=source.started_ns if isinstance(source, Manifest) else source.t,
            ended_ns=max((ns for ns in ends if ns is not None), default=None),
            segments=len(segments),
            unsealed=len(unsealed),
        )

    def _state(self, recorder: str, manifest: Manifest | None, last: Digested | None) -> str:
        if recorder in self._contents.live:
            return "recording"
        if last is not None and last.over:
            return "ended"
        said = manifest.state if manifest else "recording"
        return "broken off" if said == "recording" else said

    def figures(self) -> Figures:
        with self._lock:
            if self._figures is None:
                self._figures = Figures()
                for segment in itertools.chain.from_iterable(self._segments.values()):
                    self._figures.add(self._segment_figures(segment))
            return self._figures

    def _segment_figures(self, segment: Segment) -> Figures:
        entry = segment.entry
        if entry is None:
            figures = Figures(journal_bytes=self._sizes.get(segment.number, 0))
            figures.add(self._digested(segment).figures)
            return figures
        sizes: dict[str, int] = {}
        for part in entry.parts:
            sizes[part.topic] = sizes.get(part.topic, 0) + part.bytes
        return Figures(
            frames=entry.frames,
            undecoded=entry.undecoded,
            suppressed=entry.suppressed,
            control=entry.control,
            filtered=entry.filtered,
            journal_bytes=entry.bytes,
            parquet_bytes=sum(sizes.values()),
            topic_bytes=sizes,
            first_ns=entry.first_ns,
            last_ns=entry.last_ns,
        )

    # Rows

    def count(self, topic: str) -> int:
        with self._lock:
            return sum(
                sum(part.rows for part in segment.entry.parts if part.topic == topic)
                if segment.entry
                else self._digested(segment).rows(topic)
                for segment in itertools.chain.from_iterable(self._segments.values())
            )

    def rows(self, topic: str) -> Rows:
        with self._lock:
            if topic not in self._rows:
                chunks = [self._chunks(topic, segments) for segments in self._segments.values()]
                self._rows[topic] = Rows(arrow_schema(record_of(self.protocol, topic)), chunks)
            return self._rows[topic]

    def _chunks(self, topic: str, segments: Sequence[Segment]) -> list[Chunk]:
        found: list[Chunk] = []
        for segment in segments:
            if segment.entry is None:
                found += self._digested(segment).chunks(topic)
                continue
            for part in segment.entry.parts:
                if part.topic == topic:
                    found += self._part_chunks(segment, part)
        return found

    def _part_chunks(self, segment: Segment, part: TopicPart) -> list[Chunk]:
        """The row groups of a part; what cannot be read of it comes from the journal."""

        def instead(first: int, rows: int, error: Exception) -> pa.Table:
            with self._lock:
                self._note(segment, part.path, _kind(error), f"{error}; its rows were made anew from the journal")
                found = self._made_anew(segment, part)
                if found is None:
                    return arrow_schema(record_of(self.protocol, part.topic)).empty_table()
                return found.slice(first, rows)

        schema = arrow_schema(record_of(self.protocol, part.topic))
        try:
            return row_groups(self._sound(part), schema, part, instead)
        except FileError as exc:
            table = instead(0, part.rows, exc)
            return [chunk_of(batch) for batch in table.to_batches() if batch.num_rows]

    def _sound(self, part: TopicPart) -> Path:
        """The file of a part, its footer compared. (A file that has to be read for that as a whole: once.)

        :raises RecordingCorrupt: if it is not the footer that was written
        """
        path = self.directory.inside(part.path)
        if part.footer_crc is not None or part.path not in self._compared:
            check_footer(path, part)
            self._compared.add(part.path)
        return path

    def _made_anew(self, segment: Segment, part: TopicPart) -> pa.Table | None:
        """The rows of a part, out of the journal; None (told, and a gap) if that does not have them either."""
        batches = self._digested(segment).batches(part.topic)
        found = day_rows(table_of(batches), part.path) if batches else None
        missing = part.rows - (found.num_rows if found is not None else 0)
        if missing > 0:
            self._lose(segment, part, missing)
        return found

    def _lose(self, segment: Segment, part: TopicPart, missing: int) -> None:
        detail = f"{missing:,} rows are lost: {part.path} cannot be read, and segment {segment.number} neither"
        entry = segment.entry
        start_ns = (entry.first_ns if entry else None) or part.first_ns or 0
        end_ns = max(start_ns, (entry.last_ns if entry else None) or part.last_ns or 0)
        lost = Gap(part.topic, Cause.RECORDER_DOWN, Certainty.UNKNOWN, start_ns, end_ns, None, 0, detail)
        if lost not in self._lost:
            self._lost.append(lost)
            self._gaps = None
            self._note(segment, part.path, "lost", detail)

    def stretches(self, topic: str) -> tuple[Stretch, ...]:
        with self._lock:
            found = (self._run(topic, segments) for segments in self._segments.values())
            return tuple(run for run in found if run is not None)

    def _run(self, topic: str, segments: Sequence[Segment]) -> Stretch | None:
        pieces: list[Path | pa.Table] = []
        for segment in segments:
            for part in segment.entry.parts if segment.entry else ():
                if part.topic == topic:
                    pieces += self._pieces(segment, part)
            if segment.entry is None and (batches := self._digested(segment).batches(topic)):
                pieces.append(table_of(batches))
        chunks = self._chunks(topic, segments) if pieces else []
        return Stretch(tuple(pieces), span_of(chunks)) if chunks else None

    def _pieces(self, segment: Segment, part: TopicPart) -> list[Path | pa.Table]:
        try:
            path = self._sound(part)
            row_groups(path, arrow_schema(record_of(self.protocol, part.topic)), part, None)
            if (str(part.path), "damage") not in {(f.file, f.kind) for f in self._findings.values()}:
                return [path]
        except FileError as exc:
            self._note(segment, part.path, _kind(exc), f"{exc}; its rows were made anew from the journal")
        found = self._made_anew(segment, part)
        return [] if found is None else [found]

    # The journal

    def _digested(self, segment: Segment) -> Digested:
        """What the lines of a segment say; those of the segments around it that are not sealed either are read along.

        The decoder stands where the recorder's stood: the segment before is decoded too, and its rows thrown away.
        """
        if segment.number not in self._read:
            segments = self._segments[segment.recorder or ""]
            first = last = segments.index(segment)
            while first > 0 and segments[first - 1].entry is None:
                first -= 1
            while last + 1 < len(segments) and segments[last + 1].entry is None:
                last += 1
            self._digest(segments, first, last)
        return self._read[segment.number]

    def _digest(self, segments: Sequence[Segment], first: int, last: int) -> None:
        digest = Digest(self.protocol)
        for number, gap in _gaps_before(segments[: max(0, first - 1)]).items():
            digest.book.put(number, gap)
        if first > 0:
            Digested(digest).take(self._lines(segments[first - 1], digest, warm=True))
        for segment in segments[first : last + 1]:
            digest.take_counts()
            digest.drain()
            found = Digested(digest)
            try:
                found.take(self._lines(segment, digest))
            except FileError as exc:
                self._note(segment, segment.path, "unreadable", f"{exc}; what stands behind it is left out")
            self._read[segment.number] = found.finish()

    def _lines(
        self, segment: Segment, digest: Digest | _Holes | None = None, *, warm: bool = False
    ) -> Iterator[list[Line]]:
        """The lines of a segment, block by block; what cannot be read is told, and a hole to the digest."""

        def damaged(damage: Damage) -> None:
            if digest is not None:
                digest.hole(f"{segment.path.name} is damaged, {damage}")
            if not warm:
                self._note(segment, segment.path, "damage", str(damage))

        try:
            yield from journal.read_segment(segment.path, live=segment.live, on_damage=damaged)
        except FileError as exc:
            if not warm:
                self._note(segment, segment.path, _kind(exc), str(exc))

    def lines(self) -> Iterator[tuple[str, Sequence[Line]]]:
        for recorder, segments in list(self._segments.items()):
            for segment in segments:
                for lines in self.lines_of(segment):
                    yield recorder, lines

    def lines_of(self, segment: Segment, holes: _Holes | None = None) -> Iterator[list[Line]]:
        """The lines of a segment, block by block; what cannot be read is told (``holes``, too), and left out."""
        return self._lines(segment, holes)

    def begin_of(self, segment: Segment) -> int | None:
        """When a segment was begun, ns since 1970 UTC; None if it does not tell."""
        try:
            return journal.read_head(segment.path).t
        except FileError:
            return None

    def tapes(self) -> tuple[Run, ...]:
        infos = {info.id: info for info in self.recorders()}
        return tuple(
            _Tape(self, infos[recorder], segments) for recorder, segments in self._segments.items() if recorder in infos
        )

    def gaps(self) -> GapBook:
        with self._lock:
            if self._gaps is None:
                books = [self._gaps_of(segments) for segments in self._segments.values()]
                found = [tuple(gap for _, gap in sorted(book.items())) for book in books]
                self._gaps = merged_gaps([*found, tuple(self._lost)] if self._lost else found)
            return self._gaps

    def _gaps_of(self, segments: Sequence[Segment]) -> dict[int, Gap]:
        gaps: dict[int, Gap] = {}
        for segment in segments:
            gaps.update(segment.entry.gaps if segment.entry else self._digested(segment).gaps)
        return gaps


class _Tape:
    """The journal of one recorder, for a player."""

    def __init__(self, source: DirectorySource, info: RecorderInfo, segments: Sequence[Segment]) -> None:
        self._source, self._segments = source, tuple(segments)
        self.recorder, self.start_ns = info.id, info.started_ns
        self.end_ns = max(info.started_ns, info.ended_ns or info.started_ns)

    def lines(self, since_ns: int) -> Iterator[list[Line]]:
        """The lines from the segment before the one in which ``since_ns`` lies: that one brings the decoder up."""
        first = 0
        for number, segment in enumerate(self._segments):
            begin_ns = self._source.begin_of(segment)
            if begin_ns is not None and begin_ns > since_ns:
                break
            first = number
        holes = _Holes()
        for segment in self._segments[max(0, first - 1) :]:
            for lines in self._source.lines_of(segment, holes):
                yield holes.filled(lines)


class _Holes:
    """Makes a gap of every topic where lines of a journal cannot be read, as a :class:`Digest` does."""

    def __init__(self) -> None:
        self._why: str | None = None
        self._topics: tuple[str, ...] = ()
        self._last_ns = 0

    def hole(self, why: str) -> None:
        """Lines are missing here."""
        self._why = why

    def filled(self, lines: list[Line]) -> list[Line]:
        """The next lines that can be read; what is missing before them comes first."""
        first, gaps = lines[0], []
        if isinstance(first, Head):
            self._topics = first.topics
        elif self._why is not None:
            start_ns = min(self._last_ns, first.t)
            for topic in sorted(self._topics):
                gap = Gap(topic, Cause.RECORDER_DOWN, Certainty.UNKNOWN, start_ns, first.t, None, 0, self._why)
                gaps.append(GapBegins(first.t, gap))
        self._why, self._last_ns = None, lines[-1].t
        return [*gaps, *lines] if gaps else lines


def _gaps_before(segments: Sequence[Segment]) -> dict[int, Gap]:
    gaps: dict[int, Gap] = {}
    for segment in segments:
        if segment.entry is not None:
            gaps.update(segment.entry.gaps)
    return gaps


def _sizes(contents: Contents) -> Mapping[int, int]:
    """Sizes of the segments that are not sealed."""
    sizes = {}
    for segment in contents.segments:
        if segment.entry is None:
            try:
                sizes[segment.number] = segment.path.stat().st_size
            except OSError:
                sizes[segment.number] = 0
    return sizes


def _kind(error: Exception) -> str:
    return "missing" if "missing" in str(error) else "damage"
