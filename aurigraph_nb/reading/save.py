"""Writing a recording that is in memory into a directory: the journal, sealed at once. Same lines, same files."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from ..errors import RecordingError
from ..recording import directory as directories
from ..recording import disk
from ..recording.journal import JournalWriter
from ..recording.lines import Head, Line
from ..recording.manifest import Manifest
from ..recording.sealer import Sealer

BLOCK_LINES = 1_000


def save_lines(path: Path, protocol: str, lines: Sequence[Line], *, recording_id: str, created_ns: int) -> Path:
    """Make a directory of the lines of a journal; it is there whole, or not at all.

    :param path: where; nothing may be there but an empty directory
    :param lines: of any number of segments and recorders, each segment begun by its head
    :returns: ``path``, absolute
    :raises RecordingError: if something is there, or it cannot be written
    """
    path = path.absolute()
    with disk.told(f"Cannot save a recording at {path}"):
        if path.is_symlink() or (path.exists() and (not path.is_dir() or any(path.iterdir()))):
            raise RecordingError(f"Cannot save a recording at {path}: something is there; name another place.")
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = disk.temporary(path)
        try:
            _write(draft, protocol, lines, recording_id, created_ns)
            with contextlib.suppress(FileNotFoundError):
                path.rmdir()
            os.replace(draft, path)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        disk.sync_directory(path.parent)
    return path


def _write(draft: Path, protocol: str, lines: Sequence[Line], recording_id: str, created_ns: int) -> None:
    directory = directories.create_or_open(draft, protocol, recording_id=recording_id, created_ns=created_ns)
    sealers: dict[str, Sealer] = {}
    for number, segment in enumerate(_segments(lines), 1):
        head = segment[0]
        assert isinstance(head, Head)
        with JournalWriter(directory.journal, msgspec.structs.replace(head, segment=number)) as writer:
            for some in _blocks(segment[1:]):
                writer.write(some)
        sealer = sealers.get(head.recorder) or Sealer(directory, _manifest(head))
        sealers[head.recorder] = sealer
        sealer.seal(number)
        sealer.note(state="ended", ended_ns=segment[-1].t)


def _segments(lines: Iterable[Line]) -> Iterator[list[Line]]:
    segment: list[Line] = []
    for line in lines:
        if isinstance(line, Head) and segment:
            yield segment
            segment = []
        segment.append(line)
    if segment:
        yield segment


def _blocks(lines: Sequence[Line]) -> Iterator[Sequence[Line]]:
    return (lines[i : i + BLOCK_LINES] for i in range(0, len(lines), BLOCK_LINES))


def _manifest(head: Head) -> Manifest:
    return Manifest(recorder=head.recorder, protocol=head.protocol, url=head.url, topics=head.topics, started_ns=head.t)
