"""What is missing, why, and how sure that is: gaps are data like any other.

A :class:`Gap` is one interval of one topic in which frames are missing or may be. A :class:`GapBook` keeps the gaps of
a feed, bounded and counted, and gives them as rows or as an Arrow table. An :class:`IdleWatch` notices that a periodic
topic fell silent although its connection stands.

Nothing here reads a clock: every time is an argument, in nanoseconds since 1970 UTC.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from enum import StrEnum

import msgspec
import pyarrow as pa

from aurigraph_nb.errors import BadOption


class Cause(StrEnum):
    """Why frames are missing, or may be."""

    DISCONNECT = "disconnect"
    """There was no connection."""
    IDLE = "idle"
    """The connection stood, but a periodic topic was silent."""
    SERVER_OVERFLOW = "server_overflow"
    """The server dropped frames because we, or it, were too slow."""
    CLIENT_OVERFLOW = "client_overflow"
    """A bounded buffer on this side was full, or a store evicted rows that nobody had read."""
    DECODE_ERROR = "decode_error"
    """A frame came but could not be understood."""
    SEQUENCE_HOLE = "sequence_hole"
    """The server's own numbering has a hole."""
    RECORDER_DOWN = "recorder_down"
    """Nothing was recorded, whatever came."""
    CLOCK_STEP = "clock_step"
    """The local clock jumped; times on both sides of it do not compare."""


class Certainty(StrEnum):
    """How well the number of missing frames is known."""

    KNOWN = "known"
    """Exactly ``frames`` frames are missing."""
    BOUNDED = "bounded"
    """About ``frames`` are missing, by the topic's period; they lie between start and end."""
    UNKNOWN = "unknown"
    """Nobody can say how many are missing; perhaps none."""
    NONE = "none"
    """Nothing is missing; the interval is worth a note all the same."""


class Gap(msgspec.Struct, frozen=True):
    """One interval of one topic in which something is missing, or may be."""

    topic: str
    cause: Cause
    certainty: Certainty
    start_ns: int
    """Begin, ns since 1970 UTC: the last moment up to which the topic is known to be complete."""
    end_ns: int | None = None
    """End, ns since 1970 UTC; None while it lasts."""
    frames: int | None = None
    """Missing frames, as sure as ``certainty`` says; None if there is no figure."""
    conn_epoch: int = 0
    """Ordinal of the connection on which it began; 0 if none had been open."""
    detail: str = ""
    """What happened, in words."""

    @property
    def duration_s(self) -> float | None:
        """Length in seconds; None while the gap lasts."""
        return None if self.end_ns is None else (self.end_ns - self.start_ns) / 1e9


_WORD = pa.dictionary(pa.int32(), pa.string())
GAP_SCHEMA = pa.schema(
    [
        pa.field("topic", _WORD, nullable=False),
        pa.field("cause", _WORD, nullable=False),
        pa.field("certainty", _WORD, nullable=False),
        pa.field("start", pa.timestamp("ns", "UTC"), nullable=False),
        pa.field("end", pa.timestamp("ns", "UTC")),
        pa.field("duration_s", pa.float64()),
        pa.field("frames", pa.int64()),
        pa.field("conn_epoch", pa.int64(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
    ]
)
"""Columns of :meth:`GapBook.table`. ``end`` and ``duration_s`` are null while a gap lasts."""


def gaps_to_table(gaps: Sequence[Gap]) -> pa.Table:
    """The gaps as an Arrow table with the schema :data:`GAP_SCHEMA`, in the order given."""
    values: dict[str, list[object]] = {
        "topic": [g.topic for g in gaps],
        "cause": [g.cause.value for g in gaps],
        "certainty": [g.certainty.value for g in gaps],
        "start": [g.start_ns for g in gaps],
        "end": [g.end_ns for g in gaps],
        "duration_s": [g.duration_s for g in gaps],
        "frames": [g.frames for g in gaps],
        "conn_epoch": [g.conn_epoch for g in gaps],
        "detail": [g.detail for g in gaps],
    }
    return pa.table([pa.array(values[field.name], field.type) for field in GAP_SCHEMA], schema=GAP_SCHEMA)


class GapBook:
    """The gaps of a feed, bounded: the oldest finished ones go first, and what went is counted.

    One gap of a topic and cause can be open at a time; opening it again widens nothing and adds no row. Safe to write
    and read on any thread.

    Args:
        keep: gaps kept, at least 1.

    Raises:
        BadOption: ``keep`` is below 1.

    >>> book = GapBook()
    >>> _ = book.open("metrics", Cause.DISCONNECT, Certainty.UNKNOWN, start_ns=1_000_000_000, conn_epoch=1)
    >>> book.close("metrics", Cause.DISCONNECT, end_ns=3_500_000_000).duration_s
    2.5
    """

    def __init__(self, keep: int = 10_000) -> None:
        if keep < 1:
            raise BadOption(f"keep={keep!r}: a gap book keeps at least 1 gap")
        self.keep = keep
        self._lock = threading.Lock()
        self._gaps: dict[int, Gap] = {}  # by ordinal, so in the order in which they began
        self._open: dict[tuple[str, Cause], int] = {}
        self._grown: dict[tuple[str, Cause], int] = {}
        self._total = 0
        self._dropped = 0
        self._version = 0
        self._rows: tuple[Gap, ...] | None = ()

    @property
    def total(self) -> int:
        """Gaps ever entered."""
        return self._total

    @property
    def dropped(self) -> int:
        """Gaps that were evicted because the book was full."""
        return self._dropped

    @property
    def version(self) -> int:
        """Grows with every change; equal versions mean equal rows."""
        return self._version

    def __len__(self) -> int:
        return len(self._gaps)

    def __bool__(self) -> bool:
        return True  # an empty book is still a book

    def open(
        self,
        topic: str,
        cause: Cause,
        certainty: Certainty,
        start_ns: int,
        conn_epoch: int,
        detail: str = "",
        frames: int | None = None,
    ) -> Gap:
        """Begin a gap and return it.

        If one of this topic and cause is open, that one goes on (its start and words stay) and ``frames`` are added.
        """
        with self._lock:
            ordinal = self._open.get((topic, cause))
            if ordinal is not None:
                return self._add_frames(ordinal, frames)
            gap = Gap(topic, cause, certainty, start_ns, None, frames, conn_epoch, detail)
            self._open[topic, cause] = self._total
            self._enter(gap)
            return gap

    def close(self, topic: str, cause: Cause, end_ns: int, frames: int | None = None) -> Gap | None:
        """End the open gap of this topic and cause and return it; None if there is none (harmless).

        An end before the start (the clock stepped) counts as the start. ``frames`` is the final figure; None keeps the
        one that the gap has.
        """
        with self._lock:
            ordinal = self._open.pop((topic, cause), None)
            if ordinal is None:
                return None
            old = self._gaps[ordinal]
            total = old.frames if frames is None else frames
            gap = msgspec.structs.replace(old, end_ns=max(end_ns, old.start_ns), frames=total)
            self._put(ordinal, gap)
            return gap

    def add(self, gap: Gap) -> None:
        """Enter a gap that is over; one without an end is opened, as :meth:`open` does."""
        if gap.end_ns is None:
            self.open(gap.topic, gap.cause, gap.certainty, gap.start_ns, gap.conn_epoch, gap.detail, gap.frames)
            return
        with self._lock:
            self._enter(gap)

    def grow(self, gap: Gap) -> Gap:
        """Enter a gap that is over and continues the one of this topic, cause and connection: that one is widened.

        ``frames`` are added, the start stays, the end moves. Without such a predecessor it is entered as it is.
        """
        with self._lock:
            ordinal = self._grown.get((gap.topic, gap.cause))
            if ordinal not in self._gaps or self._gaps[ordinal].conn_epoch != gap.conn_epoch:
                self._grown[gap.topic, gap.cause] = self._total
                self._enter(gap)
                return gap
            old = self._gaps[ordinal]
            frames = None if old.frames is None or gap.frames is None else old.frames + gap.frames
            wider = msgspec.structs.replace(old, end_ns=gap.end_ns, frames=frames, detail=gap.detail)
            self._put(ordinal, wider)
            return wider

    def fill(self, topic: str, cause: Cause) -> Gap | None:
        """A missing frame came late: the newest gap of this topic and cause that misses any misses one less."""
        with self._lock:
            for ordinal, gap in reversed(self._gaps.items()):
                if (gap.topic, gap.cause) == (topic, cause) and gap.frames:
                    fuller = msgspec.structs.replace(gap, frames=gap.frames - 1)
                    self._put(ordinal, fuller)
                    return fuller
            return None

    def current(self, topic: str, cause: Cause) -> Gap | None:
        """The open gap of this topic and cause, or None."""
        with self._lock:
            ordinal = self._open.get((topic, cause))
            return None if ordinal is None else self._gaps[ordinal]

    def is_open(self, topic: str, cause: Cause | None = None) -> bool:
        """True while a gap of this topic (and cause, if given) lasts."""
        with self._lock:
            if cause is not None:
                return (topic, cause) in self._open
            return any(name == topic for name, _ in self._open)

    def entries(self) -> dict[int, Gap]:
        """The gaps kept, by the ordinals under which they were entered (they stay as a gap changes)."""
        with self._lock:
            return dict(self._gaps)

    def put(self, ordinal: int, gap: Gap) -> None:
        """Set a gap under its ordinal, as :meth:`entries` of another book gave it."""
        with self._lock:
            self._total = max(self._total, ordinal + 1)
            for mine, other in list(self._open.items()):
                if other == ordinal:
                    del self._open[mine]
            if gap.end_ns is None:
                self._open[gap.topic, gap.cause] = ordinal
            self._put(ordinal, gap)
            if len(self._gaps) > self.keep:
                self._evict()

    def reset(self) -> None:
        """Forget all gaps."""
        with self._lock:
            self._gaps.clear()
            self._open.clear()
            self._grown.clear()
            self._dropped = 0
            self._version += 1
            self._rows = None

    def rows(self) -> tuple[Gap, ...]:
        """The gaps kept, in the order in which they were entered; open ones have ``end_ns`` None."""
        with self._lock:
            if self._rows is None:
                self._rows = tuple(self._gaps.values())
            return self._rows

    def table(self) -> pa.Table:
        """The same rows as an Arrow table; times are ``timestamp[ns, UTC]``, ``duration_s`` is in seconds."""
        return gaps_to_table(self.rows())

    def __repr__(self) -> str:
        return f"<GapBook keep={self.keep}>"

    # Below: the lock is held.

    def _add_frames(self, ordinal: int, frames: int | None) -> Gap:
        gap = self._gaps[ordinal]
        if frames is None:
            return gap
        gap = msgspec.structs.replace(gap, frames=(gap.frames or 0) + frames)
        self._put(ordinal, gap)
        return gap

    def _enter(self, gap: Gap) -> None:
        self._put(self._total, gap)
        self._total += 1
        if len(self._gaps) > self.keep:
            self._evict()

    def _put(self, ordinal: int, gap: Gap) -> None:
        self._gaps[ordinal] = gap
        self._version += 1
        self._rows = None

    def _evict(self) -> None:
        """Drop the oldest finished gap; if every one is open, the oldest."""
        oldest = next(iter(self._gaps))
        ordinal = next((o for o, gap in self._gaps.items() if gap.end_ns is not None), oldest)
        gap = self._gaps.pop(ordinal)
        if gap.end_ns is None:
            del self._open[gap.topic, gap.cause]
        self._dropped += 1


class IdleWatch:
    """Tells when a periodic topic is silent for longer than chance allows.

    A frame is due every ``period_s``; a spell of silence begins once ``periods`` of them passed without one. It is told
    once, by :meth:`check`, and its end by :meth:`frame`.

    Args:
        period_s: seconds between two frames, above 0.
        periods: how many may be missed, at least 1.

    Raises:
        BadOption: a value is out of range.

    >>> watch = IdleWatch(period_s=1.0, periods=5)
    >>> watch.start(0)
    >>> watch.check(4_000_000_000), watch.check(5_000_000_000), watch.check(6_000_000_000)
    (None, 0, None)
    >>> watch.frame(9_000_000_000)
    0
    """

    def __init__(self, period_s: float, periods: int = 5) -> None:
        if not 0 < period_s < float("inf"):
            raise BadOption(f"period_s={period_s!r}: the seconds between two frames must be above 0 and finite")
        if periods < 1:
            raise BadOption(f"periods={periods!r}: at least 1 period must pass before a topic counts as idle")
        self.period_s = period_s
        self.periods = periods
        self._limit_ns = round(period_s * periods * 1e9)
        self._last_ns: int | None = None
        self._idle = False

    @property
    def idle(self) -> bool:
        """True from the :meth:`check` that found the silence until the next frame."""
        return self._idle

    @property
    def due_ns(self) -> int | None:
        """When the next check is worth making, ns; None if nothing is watched or the silence is already told."""
        return None if self._last_ns is None or self._idle else self._last_ns + self._limit_ns

    def start(self, now_ns: int) -> None:
        """A connection opened: frames are due from now on."""
        self._last_ns = now_ns
        self._idle = False

    def stop(self) -> None:
        """The connection went: silence means nothing any more."""
        self._last_ns = None
        self._idle = False

    def check(self, now_ns: int) -> int | None:
        """Start of a silence (time of the last frame, ns) that has just become too long; None otherwise."""
        if self._last_ns is None or self._idle or now_ns - self._last_ns < self._limit_ns:
            return None
        self._idle = True
        return self._last_ns

    def frame(self, now_ns: int) -> int | None:
        """A frame came. Returns the start (ns) of the silence that it ends; None if there was none."""
        ended = self._last_ns if self._idle else None
        self._last_ns = now_ns
        self._idle = False
        return ended

    def missed(self, start_ns: int, end_ns: int) -> int:
        """Frames that were due strictly between two frames at ``start_ns`` and ``end_ns``, by the period."""
        return max(0, round((end_ns - start_ns) / (self.period_s * 1e9)) - 1)
