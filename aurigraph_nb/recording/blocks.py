"""The blocks of a journal file: what one flush writes, and how to tell that it is whole.

A block is one zstd frame with content size and checksum, and its seal: a skippable zstd frame with the CRC-32 of the
frame before. The frame's own checksum is of what comes out of it, and some flipped bits change nothing there; the seal
tells every one. Any zstd tool reads the file and skips the seals.

Blocks are read one by one. (Readers that run across frames take a torn file for a short one, and say nothing.)
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

import msgspec
import zstandard

from ..errors import RecordingError

MAX_CONTENT = 256 * 2**20
"""Bytes that a block may hold uncompressed. A larger one is refused before it is unpacked."""
FLUSH_LEVEL = 1
"""Compression of what is flushed."""
SEALED_LEVEL = 9
"""Compression of what is packed again when a segment is sealed."""

_MAX_PACKED = MAX_CONTENT + MAX_CONTENT // 128
_MAGIC = b"\x28\xb5\x2f\xfd"
_SEAL = b"\x5a\x2a\x4d\x18\x04\x00\x00\x00"
_SEAL_BYTES = len(_SEAL) + 4
_SINGLE_SEGMENT = 0x20
_ALWAYS = 0x04  # a checksum
_NEVER = 0x1B  # reserved bits, a dictionary
_RAW, _RLE, _COMPRESSED = 0, 1, 2
_HOPELESS_TRIES = 1_000
_CHUNK = 2**20


class Block(msgspec.Struct, frozen=True, gc=False):
    """One block, unpacked and verified."""

    start: int
    """Offset of its first byte in the file."""
    end: int
    """Offset after its last byte."""
    data: bytes
    """Lines, each ended by a line feed."""


class Damage(msgspec.Struct, frozen=True, gc=False):
    """A stretch of a journal file that cannot be read; what stands before and after it can."""

    start: int
    """Offset of its first byte."""
    end: int
    """Offset after its last byte."""
    why: str
    torn: bool = False
    """Whether it reaches to the end of the file: what a sudden end of the recorder leaves."""

    def __str__(self) -> str:
        return f"bytes {self.start:,} to {self.end:,}: {self.why}"


class _Bad(Exception):
    """There is no whole block here."""


def pack(data: bytes, level: int = FLUSH_LEVEL) -> bytes:
    """One block with these lines in it.

    Raises:
        RecordingError: they are longer than :data:`MAX_CONTENT`.

    >>> len(pack(b"")), zstandard.ZstdDecompressor().decompress(pack(b"a line"))
    (25, b'a line')
    """
    if len(data) > MAX_CONTENT:
        raise RecordingError(f"{len(data):,} bytes in one block of a journal; at most {MAX_CONTENT:,} are read back.")
    frame = zstandard.ZstdCompressor(level=level, write_checksum=True, write_content_size=True).compress(data)
    return frame + _SEAL + zlib.crc32(frame).to_bytes(4, "little")


def read(file: BinaryIO, start: int = 0, stop: int | None = None) -> Iterator[Block | Damage]:
    """The blocks of a file from the offset ``start`` on, and what is not readable, in their order.

    Together they cover the file up to ``stop`` (by default, its size at this moment) without a hole. Memory: one block.

    Args:
        file: open for reading, binary, seekable.
        start: where a block begins.
        stop: what lies behind is not looked at.

    Raises:
        OSError: as the file does.
    """
    size = file.seek(0, 2) if stop is None else stop
    unpacker = zstandard.ZstdDecompressor()
    while start < size:
        try:
            block = _block(file, start, size, unpacker)
        except _Bad as bad:
            found = _next(file, start, size, unpacker)
            end = size if found is None else found.start
            yield Damage(start, end, str(bad), torn=found is None)
            if found is None:
                return
            block = found
        yield block
        start = block.end


def _block(file: BinaryIO, start: int, size: int, unpacker: zstandard.ZstdDecompressor) -> Block:
    end = _frame_end(file, start, size)
    if end + _SEAL_BYTES > size:
        raise _Bad("the file ends within a frame")
    file.seek(start)
    frame = file.read(end - start)
    seal = file.read(_SEAL_BYTES)
    if len(seal) < _SEAL_BYTES:
        raise _Bad("the file ends within a frame")
    if seal != _SEAL + zlib.crc32(frame).to_bytes(4, "little"):
        raise _Bad("a frame does not match its checksum")
    try:
        data = unpacker.decompress(frame, allow_extra_data=False)
    except (zstandard.ZstdError, MemoryError) as exc:
        raise _Bad(f"a frame cannot be unpacked ({exc})") from None
    return Block(start, end + _SEAL_BYTES, data)


def _frame_end(file: BinaryIO, start: int, size: int) -> int:
    """The offset after the zstd frame at ``start``, by the sizes that its parts declare (RFC 8878, 3.1.1)."""
    file.seek(start)
    head = file.read(18)
    if not head.startswith(_MAGIC[: len(head)]):
        raise _Bad("no frame begins here")
    if len(head) < 5:
        raise _Bad("the file ends within a frame")
    flags = head[4]
    if flags & _NEVER or not flags & _ALWAYS:
        raise _Bad("a frame is of a kind that no recorder writes")
    at = 5 + (0 if flags & _SINGLE_SEGMENT else 1)
    width = 1 << (flags >> 6) if flags >= 0x40 else flags & _SINGLE_SEGMENT and 1
    if not width:
        raise _Bad("a frame does not say how long its content is")
    content = int.from_bytes(head[at : at + width], "little") + (256 if width == 2 else 0)
    if content > MAX_CONTENT:
        raise _Bad(f"a frame declares {content:,} bytes; at most {MAX_CONTENT:,} are read")
    return _parts_end(file, start, start + at + width, size) + 4


def _parts_end(file: BinaryIO, start: int, at: int, size: int) -> int:
    last = False
    while not last:
        file.seek(at)
        head = int.from_bytes(file.read(3), "little")
        if at + 3 > size:
            raise _Bad("the file ends within a frame")
        last, kind, length = bool(head & 1), head >> 1 & 3, head >> 3
        if kind not in (_RAW, _RLE, _COMPRESSED):
            raise _Bad("a frame has a part of a kind that there is not")
        at += 3 + (1 if kind == _RLE else length)
        if at - start > _MAX_PACKED:
            raise _Bad("a frame is longer than any that a recorder writes")
    return at


def _next(file: BinaryIO, start: int, size: int, unpacker: zstandard.ZstdDecompressor) -> Block | None:
    """The next whole block behind damage at ``start``. (Lengths that the damage may have changed are not believed.)"""
    for tries, at in enumerate(_magics(file, start + 1, size)):
        if tries >= _HOPELESS_TRIES:
            return None
        try:
            return _block(file, at, size, unpacker)
        except _Bad:
            pass
    return None


def _magics(file: BinaryIO, start: int, size: int) -> Iterator[int]:
    """Offsets at which a frame may begin."""
    while start < size:
        file.seek(start)
        chunk = file.read(min(_CHUNK, size - start))
        at = chunk.find(_MAGIC)
        while at >= 0:
            yield start + at
            at = chunk.find(_MAGIC, at + 1)
        if len(chunk) < _CHUNK:
            return
        start += len(chunk) - len(_MAGIC) + 1
