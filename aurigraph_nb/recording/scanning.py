"""What a segment of a journal holds, told after one walk through it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from .blocks import Damage
from .lines import End, FrameLine, Head, Line
from .reading import Chunk, chunks


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """What a segment holds, found by reading all of it."""

    size: int
    """Bytes of the file that were looked at."""
    good_bytes: int = 0
    """Offset up to which everything is whole."""
    last_bytes: int = 0
    """Offset after the last whole block; more than ``good_bytes`` if something before it is damaged."""
    blocks: int = 0
    lines: int = 0
    """Lines that can be read, :class:`Head` and :class:`End` among them."""
    frames: int = 0
    """Lines that are frames of the feed."""
    raw_bytes: int = 0
    """Size of the lines, uncompressed."""
    head: Head | None = None
    """The first line, if it is one; None also if the first block is damaged."""
    end: End | None = None
    """The last line, if the segment was ended in good order."""
    first_ns: int | None = None
    """Least receive time of a frame."""
    last_ns: int | None = None
    """Greatest receive time of a frame."""
    backwards: int = 0
    """Frames of a connection that come after frames of a later connection of the same endpoint: never in good order."""
    damages: tuple[Damage, ...] = ()

    @property
    def damage(self) -> Damage | None:
        """The first stretch that cannot be read, or None."""
        return self.damages[0] if self.damages else None


def scan(path: Path, *, live: bool = False) -> Scan:
    """Read all of a segment and tell what is in it. Damage is part of the answer.

    Raises:
        RecordingError, RecordingTooNew: as :func:`chunks`.
    """
    damages: list[Damage] = []
    count = _Count()
    for chunk in chunks(path, live=live, on_damage=damages.append):
        count.take(chunk)
    good = damages[0].start if damages else count.last_bytes
    size = max(count.last_bytes, damages[-1].end if damages else 0)
    return count.result(size, good, tuple(damages))


class _Count:
    """Goes along with the chunks of a segment."""

    def __init__(self) -> None:
        self.last_bytes = self.blocks = self.lines = self.frames = self.raw_bytes = self.backwards = 0
        self._head: Head | None = None
        self._last: Line | None = None
        self._times: tuple[int, int] | None = None
        self._epochs: dict[str, int] = {}

    def take(self, chunk: Chunk) -> None:
        if chunk.start == 0 and chunk.lines and isinstance(chunk.lines[0], Head):
            self._head = chunk.lines[0]
        self.last_bytes = chunk.end
        self.blocks += 1
        self.lines += len(chunk.lines)
        self.raw_bytes += chunk.raw_bytes
        self._last = chunk.lines[-1] if chunk.lines else self._last
        frames = [line for line in chunk.lines if type(line) is FrameLine]
        self.frames += len(frames)
        if frames:
            low, high = self._times or (frames[0].t, frames[0].t)
            self._times = min(low, min(f.t for f in frames)), max(high, max(f.t for f in frames))
        for frame in frames:
            newest = self._epochs.get(frame.e, 0)
            self.backwards += frame.c < newest
            self._epochs[frame.e] = max(newest, frame.c)

    def result(self, size: int, good_bytes: int, damages: tuple[Damage, ...]) -> Scan:
        first_ns, last_ns = self._times or (None, None)
        return Scan(
            size=size,
            good_bytes=good_bytes,
            last_bytes=self.last_bytes,
            blocks=self.blocks,
            lines=self.lines,
            frames=self.frames,
            raw_bytes=self.raw_bytes,
            head=self._head,
            end=self._last if isinstance(self._last, End) else None,
            first_ns=first_ns,
            last_ns=last_ns,
            backwards=self.backwards,
            damages=damages,
        )
