"""A recording in memory: lines of a journal, and what they say."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from ..columns import fitted_batch
from ..errors import RecordingCorrupt
from ..gaps import Gap, GapBook
from ..recording.digest import Digest
from ..recording.lines import End, Head, Line
from ..recording.verify import Finding
from ..schema import Record, arrow_schema
from ..tape import LinesRun, Run
from .rows import Chunk, Rows, chunk_of
from .source import Figures, RecorderInfo, Stretch, protocol_of, record_of, span_of, table_of

BATCH_ROWS = 8_192
"""Rows of a batch that is made of lines."""
LINES_AT_ONCE = 1_000
GAPS_KEPT = 100_000


class Digested:
    """What a stretch of the lines of one recorder says: rows in batches, by topic; gaps; figures.

    :param digest: goes on where it stands, and may go on elsewhere afterwards
    :raises RecordingCorrupt: at a line that cannot be; what stands before it counts
    """

    def __init__(self, digest: Digest) -> None:
        self.figures = Figures()
        self.gaps: dict[int, Gap] = {}
        """All gaps of the run so far, by ordinal."""
        self.last_ns: int | None = None
        """Of the last line, ns since 1970 UTC."""
        self.over = False
        """Whether the recorder ended in good order."""
        self._digest = digest
        self._rows: Counter[str] = Counter()
        self._pending: dict[str, list[Record]] = {}
        self._batches: dict[str, list[pa.RecordBatch]] = {}

    def take(self, lines: Iterable[Sequence[Line]]) -> None:
        """Take in lines, in order, some at a time."""
        for some in lines:
            if not some:
                continue
            try:
                self._digest.take(some)
            finally:
                self._note(some)
                for topic, records in self._digest.drain().items():
                    self._keep(topic, records)

    def finish(self) -> Digested:
        """The stretch is over: the digest may go on."""
        self.gaps = self._digest.book.entries()
        counts = self._digest.take_counts()
        self.figures.frames = counts.frames
        self.figures.widen(counts.first_ns, counts.last_ns)
        for name in ("undecoded", "suppressed", "control", "filtered"):
            total: Counter[str] = getattr(counts, name)
            setattr(self.figures, name, total.total())
        for topic in self._rows:
            self._convert(topic)
        return self

    def _note(self, lines: Sequence[Line]) -> None:
        for line in lines:
            if isinstance(line, End):
                self.over = line.last
            elif isinstance(line, Head):
                self.over = False
        self.last_ns = lines[-1].t

    def _keep(self, topic: str, records: list[Record]) -> None:
        pending = self._pending.setdefault(topic, [])
        pending.extend(records)
        self._rows[topic] += len(records)
        if len(pending) >= BATCH_ROWS:
            self._convert(topic)

    def _convert(self, topic: str) -> None:
        records = self._pending.pop(topic, [])
        for first in range(0, len(records), BATCH_ROWS):
            batch, _ = fitted_batch(self._digest.record_type(topic), records[first : first + BATCH_ROWS])
            self._batches.setdefault(topic, []).append(batch)

    def rows(self, topic: str) -> int:
        """How many rows a topic has."""
        return self._rows[topic]

    def batches(self, topic: str) -> list[pa.RecordBatch]:
        """The rows of a topic."""
        return self._batches.get(topic, [])

    def chunks(self, topic: str) -> list[Chunk]:
        """The same, to be read."""
        return [chunk_of(batch) for batch in self.batches(topic)]


def _portions(lines: Iterable[Line]) -> Iterator[list[Line]]:
    found = iter(lines)
    while some := list(itertools.islice(found, LINES_AT_ONCE)):
        yield some


def merged_gaps(books: Sequence[Sequence[Gap]]) -> GapBook:
    """The gaps of several recorders in one book: by begin, those of one recorder in the order in which it entered them.

    Those of a single recorder keep the order that the feed had.
    """
    found = [gap for gaps in books for gap in gaps]
    if len(books) > 1:
        found.sort(key=lambda gap: gap.start_ns)
    merged = GapBook(max(GAPS_KEPT, len(found)))
    for ordinal, gap in enumerate(found):
        merged.put(ordinal, gap)
    return merged


class LinesSource:
    """A recording in memory: the lines of a journal.

    :param lines: of any number of segments and recorders, each segment begun by its head
    :param id: what the recording is called
    :param created_ns: when it was made, ns since 1970 UTC
    :raises RecordingCorrupt: if they do not begin with a head
    """

    path: Path | None = None

    def __init__(self, lines: Sequence[Line], *, id: str, created_ns: int) -> None:  # noqa: A002 - the field's word
        if not lines or not isinstance(lines[0], Head):
            raise RecordingCorrupt("the lines of a recording begin with the head of a segment; there is none")
        self.id, self.created_ns = id, created_ns
        self.protocol = lines[0].protocol
        protocol_of(self.protocol)
        self._runs = _runs(lines)
        self._lock = threading.RLock()
        self._found: dict[str, Digested] | None = None
        self._rows: dict[str, Rows] = {}
        self._gaps: GapBook | None = None

    def _digested(self) -> Mapping[str, Digested]:
        with self._lock:
            if self._found is None:
                self._found = {recorder: self._digest(lines) for recorder, lines in self._runs.items()}
            return self._found

    def _digest(self, lines: Iterable[Line]) -> Digested:
        found = Digested(Digest(self.protocol, gaps_kept=GAPS_KEPT))
        found.take(_portions(lines))
        return found.finish()

    def topics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(topic for lines in self._runs.values() for topic in _head(lines).topics))

    def rows(self, topic: str) -> Rows:
        with self._lock:
            if topic not in self._rows:
                chunks = [found.chunks(topic) for found in self._digested().values()]
                self._rows[topic] = Rows(arrow_schema(record_of(self.protocol, topic)), chunks)
            return self._rows[topic]

    def count(self, topic: str) -> int:
        return sum(found.rows(topic) for found in self._digested().values())

    def stretches(self, topic: str) -> tuple[Stretch, ...]:
        found = [run.batches(topic) for run in self._digested().values()]
        return tuple(Stretch((table_of(batches),), span_of(map(chunk_of, batches))) for batches in found if batches)

    def gaps(self) -> GapBook:
        with self._lock:
            if self._gaps is None:
                self._gaps = merged_gaps([tuple(found.gaps.values()) for found in self._digested().values()])
            return self._gaps

    def url(self) -> str:
        return next((info.url for info in self.recorders()), "")

    def recorders(self) -> tuple[RecorderInfo, ...]:
        return tuple(_recorder_info(recorder, lines) for recorder, lines in self._runs.items())

    def figures(self) -> Figures:
        figures = Figures()
        for found in self._digested().values():
            figures.add(found.figures)
        return figures

    def lines(self) -> Iterator[tuple[str, Sequence[Line]]]:
        yield from self._runs.items()

    def tapes(self) -> tuple[Run, ...]:
        return tuple(LinesRun(lines) for lines in self._runs.values())

    def damage(self) -> tuple[Finding, ...]:
        return ()

    def refresh(self, *, anew: bool = False) -> bool:
        return False


def _runs(lines: Sequence[Line]) -> dict[str, list[Line]]:
    """The lines of each recorder."""
    runs: dict[str, list[Line]] = {}
    current: list[Line] = []
    for line in lines:
        if isinstance(line, Head):
            current = runs.setdefault(line.recorder, [])
        current.append(line)
    return runs


def _head(lines: Sequence[Line]) -> Head:
    head = lines[0]
    assert isinstance(head, Head)
    return head


def _recorder_info(recorder: str, lines: Sequence[Line]) -> RecorderInfo:
    head = _head(lines)
    segments = sum(isinstance(line, Head) for line in lines)
    return RecorderInfo(
        id=recorder,
        url=head.url,
        topics=head.topics,
        state="ended",
        started_ns=head.t,
        ended_ns=lines[-1].t,
        segments=segments,
        unsealed=segments,
    )
