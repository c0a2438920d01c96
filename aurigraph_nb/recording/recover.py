"""What a recorder left that ended in the middle of a word: cut to the last whole block, and told.

Only segments whose recorder is dead are touched, and only what is torn at their end. The original is kept. Damage in
the middle of a file is no work of a sudden end: it stays, is read around, and :mod:`.verify` tells of it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import time
from pathlib import Path

import msgspec

from ..errors import FileError, RecordingInUse
from . import disk, journal
from .directory import ROOMS, Contents, Directory, Segment
from .journal import Damage, Scan
from .locks import Lock
from .manifest import Cut, Manifest

DRAFT_S = 60.0
"""A file gets its name at once; a draft that is so old, in seconds, gets none any more."""


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """What was done about one segment."""

    segment: int
    recorder: str
    bytes: int
    """Cut off its end."""
    lines: int
    """Kept: all that was flushed."""
    why: str
    kept: Path | None
    """Where the original is; None if nothing had to be cut."""
    problem: str = ""
    """Why nothing could be written, e.g. on a read-only disk. Then the segment is as it was, and is read as if cut."""

    def __str__(self) -> str:
        done = f"{self.bytes:,} bytes cut off" if self.bytes else "nothing had to be cut off"
        told = f"Segment {self.segment} of {self.recorder}: {self.why}; {done}, {self.lines:,} lines kept."
        return f"{told} (Not written down: {self.problem})" if self.problem else told


def recover(directory: Directory, contents: Contents | None = None) -> tuple[Recovered, ...]:
    """See to what dead recorders left; return what was done, by segment. What is whole and known is not read again.

    Several may recover at once: one does it, the others leave it alone.

    Args:
        directory: of the recording.
        contents: what is in it, if that was read a moment ago.

    Raises:
        RecordingError: the directory cannot be read. (One segment that cannot be read is left to ``verify``.)
    """
    found = directory.read() if contents is None else contents
    sweep(directory, found)
    done: list[Recovered] = []
    for segment in found.segments:
        if segment.entry is None and segment.present and not segment.live and segment.recorder is not None:
            told = _see_to(directory, segment, segment.recorder)
            if told is not None:
                done.append(told)
    return tuple(done)


def sweep(directory: Directory, contents: Contents) -> tuple[str, ...]:
    """Remove the drafts of files that a process left which was killed before it had given them their names.

    A draft is gone with its process, or after a minute. While recorders are at work both have to be so: one of them may
    run on another machine, where its number means another process.

    Returns:
        The drafts that were removed, relative to the recording.
    """
    removed = []
    for room in ROOMS:
        for path in sorted((directory.path / room).glob(".*.tmp")):
            found = disk.TEMPORARY.fullmatch(path.name)
            if found is None:
                continue
            with contextlib.suppress(OSError):  # gone meanwhile, or on a read-only disk: nothing depends on it
                dead = not disk.process_runs(int(found[1]))
                old = time.time() - path.lstat().st_mtime > DRAFT_S
                if (dead and old) if contents.live else (dead or old):
                    path.unlink()
                    removed.append(path.relative_to(directory.path).as_posix())
    return tuple(removed)


def _see_to(directory: Directory, segment: Segment, recorder: str) -> Recovered | None:
    try:
        if segment.cut is not None and segment.path.stat().st_size == segment.cut.good_bytes:
            return None
        with contextlib.ExitStack() as stack:
            problem = _hold(directory, recorder, stack)
            scan = journal.scan(segment.path)
            return _judge(directory, segment, recorder, scan, problem)
    except RecordingInUse:
        return None  # it came to life, or somebody else recovers it
    except (FileError, OSError):
        return None  # verify names it


def _hold(directory: Directory, recorder: str, stack: contextlib.ExitStack) -> str:
    """Take the dead recorder's place; return why that cannot be done on this disk."""
    try:
        lock: Lock = directory.lock(recorder)
    except RecordingInUse:
        raise
    except FileError as exc:
        return str(exc)
    stack.callback(lock.release)
    return ""


def _judge(directory: Directory, segment: Segment, recorder: str, scan: Scan, problem: str) -> Recovered | None:
    torn = next((damage for damage in scan.damages if damage.torn), None)
    manifest = None if problem else _manifest(directory, recorder, segment.path)
    known = manifest.cut(segment.number) if manifest else segment.cut
    if torn is None and (scan.end is not None or known is not None):
        return None
    cut = _cut_of(directory, segment, scan, torn, manifest)
    if manifest is not None:
        try:
            if torn is not None:
                _keep(directory, segment.path, cut)
            manifest.with_cut(cut).save(directory.manifest_path(recorder))
            if torn is not None:
                _truncate(segment.path, scan.last_bytes)
        except FileError as exc:
            problem = str(exc)
    return Recovered(
        segment=segment.number,
        recorder=recorder,
        bytes=cut.bytes,
        lines=cut.lines,
        why=cut.why,
        kept=directory.inside(cut.kept) if cut.kept and not problem else None,
        problem=problem,
    )


def _cut_of(directory: Directory, segment: Segment, scan: Scan, torn: Damage | None, manifest: Manifest | None) -> Cut:
    how = "its recorder ended suddenly"
    if manifest is not None and manifest.state == "failed":
        how = f"its recorder failed ({manifest.detail})" if manifest.detail else "its recorder failed"
    return Cut(
        segment=segment.number,
        bytes=torn.end - torn.start if torn else 0,
        lines=scan.lines,
        good_bytes=scan.last_bytes if torn else scan.size,
        why=f"{how}, and {torn.why}" if torn else how,
        kept=_free_name(directory, segment.path) if torn else None,
    )


def _free_name(directory: Directory, path: Path) -> str:
    """Where the original goes; where it is already, if an earlier recovery was cut short after that."""
    for number in itertools.count(1):
        name = f"kept/{path.name}" if number == 1 else f"kept/{path.name}.{number}"
        target = directory.inside(name)
        if not target.exists() or target.stat().st_size == path.stat().st_size:
            return name
    raise AssertionError("unreachable")


def _manifest(directory: Directory, recorder: str, path: Path) -> Manifest:
    """The dead recorder's manifest; made from the first line of the segment if it had got to none."""
    manifest = directory.manifest(recorder)
    if manifest is None:
        head = journal.read_head(path)
        manifest = Manifest(
            recorder=recorder, protocol=head.protocol, url=head.url, topics=head.topics, started_ns=head.t
        )
    return msgspec.structs.replace(manifest, state="recovered") if manifest.state == "recording" else manifest


def _keep(directory: Directory, path: Path, cut: Cut) -> None:
    """Copy the original, unless an earlier recovery that was cut short did."""
    target = directory.inside(cut.kept or "")
    draft = disk.temporary(target)
    with disk.told(f"Cannot keep the original of {path}"):
        target.parent.mkdir(exist_ok=True)
        if target.exists():
            return
        try:
            shutil.copyfile(path, draft, follow_symlinks=False)
            _sync(draft)
            os.replace(draft, target)
        finally:
            with contextlib.suppress(OSError):
                draft.unlink()
    disk.sync_directory(target.parent)


def _truncate(path: Path, size: int) -> None:
    with disk.told(f"Cannot cut {path}"):
        os.truncate(path, size)
        _sync(path)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDWR)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
