"""One segment of a journal: writing it so that nothing flushed gets lost, and reading it so that no damage hides.

What a flush writes is a block (:mod:`.blocks`), by one ``write`` at the end of the file. A process that is killed
leaves whole blocks and at most one torn one behind them. A reader takes blocks that are whole and tells of everything
else; it can read while the recorder writes, and then gets what stands there so far.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from ..errors import BadOption, RecordingError
from . import blocks, disk
from .blocks import Damage
from .lines import End, FrameLine, Head, Line, encode
from .reading import Chunk, chunks, read_head, read_raw, read_segment
from .scanning import Scan, scan

__all__ = [
    "DURABILITIES",
    "Chunk",
    "Damage",
    "JournalWriter",
    "Scan",
    "chunks",
    "file_name",
    "read_head",
    "read_raw",
    "read_segment",
    "scan",
]

DURABILITIES = ("process", "power")
SUFFIX = ".jsonl.zst"

_APPEND = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)
_sync_data: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)


def file_name(segment: int) -> str:
    """The name of a segment's file.

    >>> file_name(12)
    '000012.jsonl.zst'
    """
    return f"{segment:06d}{SUFFIX}"


class JournalWriter:
    """Writes one segment. For one thread; the counts may be read on any.

    The segment appears in ``directory`` at once with its first line. If the number in ``head`` is taken, the next free
    one is used: see :attr:`head`. A write that fails is taken back: it counts for nothing and can be tried again.

    Args:
        directory: the recording's ``journal/``.
        head: the first line.
        durability: "process": what was flushed outlives the process. "power": it outlives a power cut.

    Raises:
        BadOption: ``durability`` is something else.
        RecordingError: the disk is full, read-only, …
    """

    def __init__(self, directory: Path, head: Head, durability: str = "process") -> None:
        if durability not in DURABILITIES:
            raise BadOption(f"durability={durability!r}: expected 'process' or 'power'")
        self.durability = durability
        self.raw_bytes = 0
        """Bytes of lines, uncompressed."""
        self.bytes = 0
        """Size of the file."""
        self.lines = 0
        self.frames = 0
        """Lines that are frames of the feed."""
        self._fd = -1
        self._why_not = "the segment was closed"
        with disk.told(f"Cannot begin a segment in {directory}"):
            self.path, self.head = self._begin(Path(directory), head)
        if durability == "power":
            disk.sync_directory(Path(directory))

    @property
    def segment(self) -> int:
        """Number of the segment."""
        return self.head.segment

    def write(self, lines: Sequence[Line]) -> int:
        """Append lines and return the bytes that they take in the file. When this returns, they are flushed.

        Raises:
            RecordingError: they could not be written. The file is as it was before; if even that is impossible, the
                segment takes no more lines.
        """
        if self._fd < 0:
            raise RecordingError(f"Cannot write {self.path}: {self._why_not}.")
        if not lines:
            return 0
        raw = encode(lines)
        packed = b"".join(blocks.pack(piece) for piece in _pieces(raw, lines))
        try:
            _write_all(self._fd, packed)
            if self.durability == "power":
                _sync_data(self._fd)
        except OSError as exc:
            self._take_back(exc)
            raise disk.error(f"Cannot write {self.path}", exc) from exc
        self._count(lines, raw, packed)
        return len(packed)

    def end(self, end: End) -> None:
        """Write the last line and close the file.

        Raises:
            RecordingError: as :meth:`write`; the file is closed all the same.
        """
        try:
            self.write([end])
        finally:
            self.close()

    def close(self) -> None:
        """Close the file, with or without a last line. Closing twice is harmless."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> JournalWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<JournalWriter segment={self.segment} lines={self.lines} bytes={self.bytes}>"

    def _begin(self, directory: Path, head: Head) -> tuple[Path, Head]:
        """Make the file under a free number; it is never seen without its first line, if the file system has links."""
        while True:
            path = directory / file_name(head.segment)
            draft = disk.temporary(path)
            raw = encode([head])
            packed = blocks.pack(raw)
            try:
                disk.write_synced(draft, packed)
                disk.claim(draft, path)
                self._fd = os.open(path, _APPEND)
            except FileExistsError:
                head = msgspec.structs.replace(head, segment=head.segment + 1)
                continue
            finally:
                with contextlib.suppress(OSError):
                    draft.unlink()
            self._count([head], raw, packed)
            return path, head

    def _count(self, lines: Sequence[Line], raw: bytes, packed: bytes) -> None:
        self.raw_bytes += len(raw)
        self.bytes += len(packed)
        self.lines += len(lines)
        self.frames += sum(type(line) is FrameLine for line in lines)

    def _take_back(self, exc: OSError) -> None:
        """Cut off what a failed write left. Where that fails, or the disk itself did, nothing may follow."""
        try:
            os.ftruncate(self._fd, self.bytes)
            lost = exc.errno == errno.EIO
        except OSError:
            lost = True
        if lost:
            self._why_not = f"an earlier write failed ({exc.strerror})"
            self.close()


def _write_all(fd: int, data: bytes) -> None:
    """One write; more only where the system took a part (it says why at the next)."""
    rest = memoryview(data)
    while rest:
        written = os.write(fd, rest)
        if not written:
            raise OSError(errno.EIO, "the system wrote nothing")
        rest = rest[written:]


def _pieces(raw: bytes, lines: Sequence[Line]) -> Iterator[bytes]:
    """The lines in pieces that a block can hold: one, but for monstrous frames."""
    if len(raw) <= blocks.MAX_CONTENT:
        yield raw
        return
    middle = len(lines) // 2
    if not middle:
        raise RecordingError(f"A line of {len(raw):,} bytes cannot be recorded; at most {blocks.MAX_CONTENT:,} can.")
    for half in (lines[:middle], lines[middle:]):
        yield from _pieces(encode(half), half)
