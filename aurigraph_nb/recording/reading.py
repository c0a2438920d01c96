"""Reading one segment of a journal: block by block, damage told in its place, while it is written or long after."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from pathlib import Path

import msgspec

from ..errors import RecordingCorrupt, RecordingTooNew
from . import blocks, disk
from .blocks import Block, Damage
from .lines import VERSION, Head, Line, decode


class Chunk(msgspec.Struct, frozen=True):
    """The lines of one block."""

    start: int
    """Offset of the block in the file; a place to read on from."""
    end: int
    """Offset after it; likewise."""
    raw_bytes: int
    """Size of the lines, uncompressed."""
    lines: list[Line]


def read_raw(
    path: Path, *, start: int = 0, live: bool = False, on_damage: Callable[[Damage], None] | None = None
) -> Generator[Block, None, None]:
    """The blocks of a segment, unpacked and verified: lines as bytes. Arguments and errors as :func:`chunks`."""
    with disk.told(f"Cannot read {path}"), disk.open_inside(Path(path)) as file:
        for found in blocks.read(file, start):
            if isinstance(found, Block):
                yield found
            elif found.torn and live:
                return  # is being written at this moment
            else:
                _tell(Path(path), found, on_damage)


def chunks(
    path: Path, *, start: int = 0, live: bool = False, on_damage: Callable[[Damage], None] | None = None
) -> Generator[Chunk, None, None]:
    """The lines of a segment, block by block, in the order in which they were written.

    Args:
        path: of the segment's file.
        start: where a block begins, e.g. the ``end`` of an earlier chunk. (Sealing packs a segment again, into a new
            file: offsets do not outlast that.)
        live: whether its recorder may be writing: then what is not whole at the end is not there yet.
        on_damage: is told of what cannot be read, in its place; then reading goes on with the next whole block.

    Raises:
        RecordingError: the file cannot be opened or read.
        RecordingTooNew: a later version wrote it.
        RecordingCorrupt: something cannot be read, and there is no ``on_damage``. Everything before it was given.
    """
    for block in read_raw(path, start=start, live=live, on_damage=on_damage):
        try:
            lines = decode(block.data)
        except (ValueError, RecursionError) as exc:
            _refuse_newer(path, block.data)
            _tell(Path(path), Damage(block.start, block.end, f"its lines make no sense ({exc})"), on_damage)
            continue
        if lines and isinstance(lines[0], Head) and lines[0].v > VERSION:
            raise _too_new(path, lines[0].v)
        yield Chunk(block.start, block.end, len(block.data), lines)


def read_segment(
    path: Path, *, start: int = 0, live: bool = False, on_damage: Callable[[Damage], None] | None = None
) -> Generator[list[Line], None, None]:
    """As :func:`chunks`, the lines alone."""
    for chunk in chunks(path, start=start, live=live, on_damage=on_damage):
        yield chunk.lines


def read_head(path: Path) -> Head:
    """The first line of a segment. Raises as :func:`chunks`; RecordingCorrupt also if it is no :class:`Head`."""
    with contextlib.closing(read_segment(path)) as lists:
        first = next(lists, [])
    if not first or not isinstance(first[0], Head):
        raise RecordingCorrupt(f"{path} does not begin with the first line of a segment.")
    return first[0]


def _tell(path: Path, damage: Damage, on_damage: Callable[[Damage], None] | None) -> None:
    if on_damage is None:
        raise RecordingCorrupt(f"{path} is damaged, {damage}. verify() lists all damage; the rest can be read.")
    on_damage(damage)


def _refuse_newer(path: Path, data: bytes) -> None:
    """Raise if lines that make no sense were written by a later version, as the first of them says."""
    with contextlib.suppress(msgspec.DecodeError):
        first = msgspec.json.decode(data.partition(b"\n")[0])
        version = first.get("v") if isinstance(first, dict) and first.get("k") == "head" else None
        if isinstance(version, int) and version > VERSION:
            raise _too_new(path, version)


def _too_new(path: Path, version: int) -> RecordingTooNew:
    return RecordingTooNew(
        f"{path} has version {version} of the format; this version of aurigraph_nb reads up to {VERSION}. "
        "Install a newer one to read this segment."
    )
