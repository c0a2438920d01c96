"""From the lines of a journal to rows and gaps, by the rules by which a live feed takes in what comes.

Pure: lines in, records out; no file, no clock. Given the lines that a recorder wrote, a digest has the same rows as the
feed had, with the same ordinals and marks, and the same gaps under the same ordinals.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from itertools import groupby
from operator import attrgetter

import msgspec

from ..errors import RecordingCorrupt, RecordingTooNew
from ..gaps import Cause, Certainty, Gap, GapBook
from ..losses import note_order, note_undecoded
from ..protocols import PROTOCOLS, Batch, Frame, Ledger, Undecoded
from ..schema import Record
from .lines import (
    VERSION,
    Closed,
    Count,
    End,
    FrameLine,
    GapBegins,
    GapEnds,
    Head,
    Line,
    Opened,
    Statistics,
    Tick,
    data_of,
    frame_of,
)

KEPT = 100
"""Undecoded frames that are kept for inspection."""
_LIMIT = 2**63


class Counts(msgspec.Struct):
    """What a digest met since it was made, or since :meth:`Digest.take_counts`."""

    lines: int = 0
    frames: int = 0
    rows: Counter[str] = msgspec.field(default_factory=Counter)
    """By topic, of those that are recorded."""
    filtered: Counter[str] = msgspec.field(default_factory=Counter)
    """Frames with rows of topics that are not recorded, by topic."""
    suppressed: Counter[str] = msgspec.field(default_factory=Counter)
    """Frames left out because they repeat another one exactly, by topic."""
    undecoded: Counter[str] = msgspec.field(default_factory=Counter)
    """Frames that were not understood, by topic; ``*`` where they named none."""
    control: Counter[str] = msgspec.field(default_factory=Counter)
    """Frames without data, by the topic that they are about, else by connection."""
    order: Counter[str] = msgspec.field(default_factory=Counter)
    """Faults in the server's numbering, by kind."""
    opened: int = 0
    """Connections that came to stand."""
    closed: int = 0
    """Connections that ended."""
    first_ns: int | None = None
    """Least receive time of a frame, ns since 1970 UTC; None without frames."""
    last_ns: int | None = None
    """Greatest receive time of a frame."""

    def saw(self, frames: list[Frame]) -> None:
        """Count frames."""
        self.frames += len(frames)
        times = [frame.recv_ns for frame in frames]
        self.first_ns = min(times if self.first_ns is None else [self.first_ns, *times])
        self.last_ns = max(times if self.last_ns is None else [self.last_ns, *times])


class Digest:
    """Takes the lines of one recorder after the other, each from the head of a segment on.

    :param protocol: name of the recording's protocol
    :param topics: topics to make rows of; None: those that each head names
    :param scrub: what cleans the texts of frames that are shown to people (their reasons and previews)
    :param gaps_kept: gaps that are remembered, see :class:`~aurigraph_nb.gaps.GapBook`
    :raises RecordingCorrupt: if there is no such protocol here

    >>> from aurigraph_nb.recording.lines import FrameLine, Head
    >>> digest = Digest("portal")
    >>> digest.take(Head(v=1, recorder="r", segment=1, t=0, protocol="portal", url="", topics=("metrics",), first=True))
    >>> digest.take(FrameLine(5, "metrics", 1, '{"tps": 3.5}'))
    >>> [(row.n, row.recv_ns, row.tps) for row in digest.drain()["metrics"]]
    [(0, 5, 3.5)]
    """

    def __init__(
        self,
        protocol: str,
        topics: Iterable[str] | None = None,
        *,
        scrub: Callable[[str], str] | None = None,
        gaps_kept: int = 10_000,
    ) -> None:
        if protocol not in PROTOCOLS:
            known = ", ".join(PROTOCOLS)
            raise RecordingCorrupt(f"the recording's protocol {protocol[:50]!r} is not known here; known are {known}")
        self.protocol = PROTOCOLS[protocol]
        self.head: Head | None = None
        """The latest head."""
        self.end: End | None = None
        """The end of the latest segment, if it came."""
        self.book = GapBook(gaps_kept)
        self.ledger = Ledger()
        self.decoder = self.protocol.decoder(self.ledger)
        self.undecoded: deque[Undecoded] = deque(maxlen=KEPT)
        """The last frames that were not understood."""
        self.up: dict[str, int] = {}
        """Connections that stand, by endpoint, with their ordinals."""
        self.counts = Counts()
        self._wanted = None if topics is None else frozenset(topics)
        self._topics: frozenset[str] = self._wanted or frozenset()
        self._scrub = scrub
        self._rows: dict[str, list[Record]] = {}
        self._hole: str | None = None
        self._last_ns = 0

    @property
    def topics(self) -> frozenset[str]:
        """Topics that rows are made of."""
        return self._topics

    def record_type(self, topic: str) -> type[Record]:
        """Type of a topic's records.

        :raises RecordingCorrupt: if the protocol has no such topic
        """
        record = self.protocol.topics.get(topic) or self.protocol.other_topics
        if record is None:
            raise RecordingCorrupt(f"the recording names the topic {topic[:100]!r}; {self.protocol.name} has none such")
        return record

    def drain(self) -> dict[str, list[Record]]:
        """The rows since the last call, by topic, in the order in which they came."""
        rows, self._rows = self._rows, {}
        return rows

    def take_counts(self) -> Counts:
        """The counts since the last call."""
        counts, self.counts = self.counts, Counts()
        return counts

    def take(self, lines: Line | Iterable[Line]) -> None:
        """Take in lines, in order. Where one cannot be taken, those before it were.

        :raises RecordingCorrupt: if a line cannot be: before any head, of another protocol, with an impossible time
        :raises RecordingTooNew: if a head has a newer version
        """
        frames: list[Frame] = []
        try:
            for line in [lines] if isinstance(lines, Line) else lines:
                self._check(line)
                if type(line) is FrameLine:
                    frames.append(self._frame(line))
                    continue
                if frames:
                    self._frames(frames)
                    frames = []
                self._other(line)
        finally:
            if frames:
                self._frames(frames)

    def hole(self, why: str) -> None:
        """Lines are missing here, nobody knows how many: every topic has a gap until the next line, and is marked.

        :param why: what can be told of it, in words
        """
        if self.head is None:
            return
        self._hole = why

    def _fill_hole(self, line: Line) -> None:
        """The first line behind a hole tells when it ended. (A head tells what is right by itself.)"""
        why, self._hole = self._hole or "", None
        if isinstance(line, Head):
            return
        start_ns = min(self._last_ns, line.t)
        for topic in sorted(self._topics):
            self.book.add(Gap(topic, Cause.RECORDER_DOWN, Certainty.UNKNOWN, start_ns, line.t, None, 0, why))
        self.ledger.mark_gap(self._topics)

    def _check(self, line: Line) -> None:
        if not -_LIMIT <= line.t < _LIMIT:
            raise RecordingCorrupt(f"a line{self._where()} has an impossible time: {line.t}")
        if self.head is None and not isinstance(line, Head):
            raise RecordingCorrupt(f"a segment begins with a line of kind {type(line).__name__}; expected its head")
        if self._hole is not None:
            self._fill_hole(line)
        self.counts.lines += 1
        self._last_ns = line.t

    def _where(self) -> str:
        return "" if self.head is None else f" of segment {self.head.segment} by {self.head.recorder}"

    # Frames

    def _frame(self, line: FrameLine) -> Frame:
        if not 0 <= line.c < _LIMIT:
            raise RecordingCorrupt(f"a frame{self._where()} has an impossible connection: {line.c}")
        try:
            return frame_of(line)
        except ValueError as exc:
            raise RecordingCorrupt(f"a frame{self._where()} cannot be read: {exc}") from None

    def _frames(self, frames: list[Frame]) -> None:
        self.counts.saw(frames)
        self._book(self.decoder.decode(frames))

    def _book(self, batch: Batch) -> None:
        counts = self.counts
        for failed in batch.undecoded:
            self._note_undecoded(failed)
        for fault in batch.order:
            counts.order[fault.kind.value] += 1
            note_order(self.book, fault)
        counts.suppressed.update(batch.suppressed)
        for control in batch.control:
            counts.control[control.topic or control.endpoint] += 1
        for topic, rows in batch.rows.items():
            if topic in self._topics:
                counts.rows[topic] += len(rows)
                self._rows.setdefault(topic, []).extend(rows)
            else:
                counts.filtered[topic] += sum(1 for _ in groupby(rows, attrgetter("n")))

    def _note_undecoded(self, failed: Undecoded) -> None:
        if self._scrub is not None:
            shown, reason = self._scrub(failed.preview), self._scrub(failed.reason)
            failed = msgspec.structs.replace(failed, preview=shown, reason=reason)
        self.undecoded.append(failed)
        self.counts.undecoded[failed.topic or "*"] += 1
        note_undecoded(self.book, failed)

    # Everything else

    def _other(self, line: Line) -> None:
        match line:
            case Head():
                self._begin(line)
            case Opened():
                self.counts.opened += 1
                self.up[line.e] = line.c
            case Closed():
                self.counts.closed += 1
                self.up.pop(line.e, None)
            case GapBegins():
                self.book.add(self._possible(line.gap))
                if line.marks:
                    self.ledger.mark_gap([line.gap.topic])
            case GapEnds():
                self._gap_ends(line)
            case Statistics():
                self._statistics(line)
            case Count():
                self.ledger.restore(line.ledger, line.marks)
            case End():
                self.end = line
            case _:
                assert isinstance(line, Tick)

    def _possible(self, gap: Gap) -> Gap:
        figures = (gap.start_ns, gap.end_ns or 0, gap.frames or 0, gap.conn_epoch)
        if not all(-_LIMIT <= figure < _LIMIT for figure in figures):
            raise RecordingCorrupt(f"a gap{self._where()} has an impossible time or number: {gap}")
        return gap

    def _gap_ends(self, line: GapEnds) -> None:
        try:
            cause = Cause(line.cause)
        except ValueError:
            raise RecordingCorrupt(f"a gap{self._where()} ends with an unknown cause: {line.cause[:50]!r}") from None
        figures = (line.end_ns, line.frames or 0)
        if not all(-_LIMIT <= figure < _LIMIT for figure in figures):
            raise RecordingCorrupt(f"a gap{self._where()} has an impossible end or number: {line}")
        self.book.close(line.topic, cause, line.end_ns, line.frames)

    def _statistics(self, line: Statistics) -> None:
        try:
            body = data_of(line)
        except ValueError as exc:
            raise RecordingCorrupt(f"statistics{self._where()} cannot be read: {exc}") from None
        self._book(self.decoder.statistics(body, line.t))

    def _begin(self, head: Head) -> None:
        if head.v > VERSION:
            raise RecordingTooNew(
                f"segment {head.segment} by {head.recorder} has format version {head.v}, and this aurigraph_nb reads "
                f"up to {VERSION}; upgrade it"
            )
        if head.protocol != self.protocol.name:
            raise RecordingCorrupt(
                f"segment {head.segment} by {head.recorder} is of the protocol {head.protocol[:50]!r}; the recording "
                f"is of {self.protocol.name!r}"
            )
        before = self.head
        if head.first or before is None or before.recorder != head.recorder:
            self._start_anew(keep_gaps=before is None and not head.first)
        self.head, self.end = head, None
        # What was lost on the way to the disk is marked here alone: the feed itself missed nothing.
        self.ledger.restore(head.ledger, {*head.marks, *self.ledger.snapshot()[1]})
        self._agree(head)
        self.up = dict(head.up)
        if self._wanted is None:
            self._topics = frozenset(head.topics)

    def _start_anew(self, *, keep_gaps: bool) -> None:
        """Another run: nothing of the one before counts. Gaps that were put in beforehand may stay."""
        self.ledger.restore({}, ())
        self.decoder = self.protocol.decoder(self.ledger)
        if not keep_gaps:
            self.book = GapBook(self.book.keep)

    def _agree(self, head: Head) -> None:
        """Let the gaps that last be those of the head: they differ only where something before it is missing."""
        lasting = {(gap.topic, gap.cause): gap for gap in head.open}
        for gap in self.book.rows():
            if gap.end_ns is None and (gap.topic, gap.cause) not in lasting:
                self.book.close(gap.topic, gap.cause, head.t)
        for gap in head.open:
            self._open(gap)

    def _open(self, gap: Gap) -> None:
        if not self.book.is_open(gap.topic, gap.cause):
            self.book.add(self._possible(gap))
