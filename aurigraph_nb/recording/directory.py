"""The directory of a recording: what is where, whose it is, and nothing outside it.

Several recorders may write into one directory at once, each under a name of its own. Nothing in it is written twice:
a recorder has its own lock, manifest and files, and the numbers of segments are taken one by one.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from pathlib import Path, PurePosixPath

import msgspec

from ..errors import (
    BadOption,
    FileError,
    RecordingCorrupt,
    RecordingError,
)
from . import disk, identity, journal, locks
from .identity import Identity
from .manifest import Cut, Manifest, SegmentEntry

ROOMS = ("journal", "manifest", "lock", "kept")

_SEGMENT = re.compile(r"(\d{6,15})\.jsonl\.zst")
_MOST = 10**15 - 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A segment of the journal, as the directory and the manifests tell of it."""

    number: int
    path: Path
    present: bool
    """Whether the file is there; a manifest may name one that is missing."""
    recorder: str | None
    """None if its first line cannot be read."""
    live: bool
    """Whether its recorder may be writing to it, or sealing it, at this moment."""
    entry: SegmentEntry | None = None
    """What the manifest says of it; None until it is sealed."""
    cut: Cut | None = None
    """What recovery said of it; None if its recorder ended it."""


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a recording at one moment."""

    segments: tuple[Segment, ...]
    """In the order of their numbers."""
    manifests: dict[str, Manifest]
    """By recorder."""
    live: frozenset[str]
    """Recorders that are at work."""
    problems: tuple[FileError, ...]
    """Manifests and first lines that cannot be read. What they would tell of is left out; the rest stands."""

    @property
    def recorders(self) -> tuple[str, ...]:
        """Everybody who wrote here, in the order of their first segments."""
        named = [segment.recorder for segment in self.segments if segment.recorder is not None]
        return tuple(dict.fromkeys([*named, *self.manifests, *sorted(self.live)]))


class Directory:
    """A recording's directory. Made by :func:`create_or_open` and :func:`open`; holds nothing open."""

    def __init__(self, path: Path, identity: Identity) -> None:
        self.path = path
        self.identity = identity

    @property
    def protocol(self) -> str:
        """Of every recorder in it."""
        return self.identity.protocol

    @property
    def journal(self) -> Path:
        """Where the segments are."""
        return self.path / "journal"

    def manifest_path(self, recorder: str) -> Path:
        """Where a recorder's manifest is, or would be."""
        return self.path / "manifest" / f"{check_name(recorder)}.json"

    def inside(self, relative: str) -> Path:
        """The path of something that a manifest names.

        Raises:
            RecordingCorrupt: it would lead out of the recording, also by a symbolic link.
            RecordingError: it cannot be looked at.
        """
        pure = PurePosixPath(relative)
        odd = pure.is_absolute() or ".." in pure.parts or not pure.parts or "\0" in relative
        if odd or "\\" in relative or ":" in pure.parts[0]:
            raise RecordingCorrupt(
                f"{self.path}: a manifest names {relative!r}, which is no path inside the recording."
            )
        path = self.path
        for part in pure.parts:
            path = path / part
            with disk.told(f"Cannot read {path}"):
                link = path.is_symlink()
            if link:
                raise RecordingCorrupt(f"{path} is a symbolic link, which a recording holds none of.")
        return path

    def lock(self, recorder: str) -> locks.Lock:
        """Take the name of a recorder until the lock is released or the process ends.

        Raises:
            BadOption: no name of a recorder.
            RecordingInUse: a recorder of this name is at work.
            RecordingError: the disk is full, read-only, …
        """
        return locks.Lock(self._lock_path(recorder))

    def alive(self, recorder: str) -> bool:
        """Whether a recorder of this name is at work."""
        return locks.held(self._lock_path(recorder))

    def recorders(self) -> tuple[str, ...]:
        """Everybody who wrote here, in the order of their first segments."""
        return self.read().recorders

    def segments(self) -> tuple[Segment, ...]:
        """All segments, in the order of their numbers."""
        return self.read().segments

    def next_segment(self) -> int:
        """A number above all that are taken. (It is taken by whoever makes the file first: see ``JournalWriter``.)"""
        named = [entry.number for manifest in self._manifests([]).values() for entry in manifest.segments]
        number = max([0, *self._files(), *named]) + 1
        if number > _MOST:
            raise RecordingError(f"Cannot record into {self.path}: there is no number above {_MOST} for a segment.")
        return number

    def manifest(self, recorder: str) -> Manifest | None:
        """The manifest of a recorder; None if it has none yet.

        Raises:
            RecordingTooNew, RecordingCorrupt, RecordingError: it has one that cannot be read.
        """
        path = self.manifest_path(recorder)
        return _manifest(path) if os.path.lexists(path) else None

    def read(self) -> Contents:
        """Look at everything: what is there, who is at work, what is sealed. Never fails for what one file holds.

        Raises:
            RecordingError: the directory cannot be read.
        """
        problems: list[FileError] = []
        # In this order: a recorder that comes or goes meanwhile counts as live, and what is sealed is there.
        live = self._live()
        manifests = self._manifests(problems)
        files = self._files()
        live |= self._live()
        sealed = {entry.number: (name, entry) for name, m in manifests.items() for entry in m.segments}
        found = []
        for number in sorted({*files, *sealed}):
            name, entry = sealed.get(number, (None, None))
            path = files.get(number, self.journal / journal.file_name(number))
            name = name if entry else self._recorder_of(path, problems)
            cut = manifests[name].cut(number) if name in manifests else None
            writing = entry is None and (name in live if name else bool(live))
            found.append(
                Segment(
                    number=number,
                    path=path,
                    present=number in files,
                    recorder=name,
                    live=writing,
                    entry=entry,
                    cut=cut,
                )
            )
        return Contents(segments=tuple(found), manifests=manifests, live=live, problems=tuple(problems))

    def __repr__(self) -> str:
        return f"<Directory {str(self.path)!r} protocol={self.protocol!r}>"

    def _lock_path(self, recorder: str) -> Path:
        return self.path / "lock" / f"{check_name(recorder)}.lock"

    def _names(self, room: str) -> list[str]:
        with disk.told(f"Cannot read {self.path / room}"):
            try:
                return sorted(os.listdir(self.path / room))
            except FileNotFoundError:
                return []

    def _live(self) -> frozenset[str]:
        names = [name.removesuffix(".lock") for name in self._names("lock") if name.endswith(".lock")]
        return frozenset(name for name in names if _NAME.fullmatch(name) and self.alive(name))

    def _files(self) -> dict[int, Path]:
        matches = [match for name in self._names("journal") if (match := _SEGMENT.fullmatch(name))]
        numbered = {int(match[1]): match[0] for match in matches}
        return {number: self.journal / name for number, name in numbered.items() if name == journal.file_name(number)}

    def _manifests(self, problems: list[FileError]) -> dict[str, Manifest]:
        found = {}
        for file in self._names("manifest"):
            name = file.removesuffix(".json")
            if name == file or not _NAME.fullmatch(name):
                continue
            try:
                found[name] = _manifest(self.manifest_path(name))
            except FileError as exc:
                problems.append(exc)
        return found

    def _recorder_of(self, path: Path, problems: list[FileError]) -> str | None:
        try:
            name = journal.read_head(path).recorder
        except FileError as exc:
            problems.append(exc)
            return None
        return name if _NAME.fullmatch(name) else None


def check_name(recorder: str) -> str:
    """Return the name of a recorder.

    >>> check_name("berlin-2")
    'berlin-2'

    Raises:
        BadOption: it is none.
    """
    if not _NAME.fullmatch(recorder):
        raise BadOption(
            f"name={recorder!r}: the name of a recorder is made of 1 to 64 letters, digits, '-', '_' and '.', "
            "and begins with a letter or digit"
        )
    return recorder


def open(path: str | os.PathLike[str]) -> Directory:  # noqa: A001 - read as directory.open
    """The directory of a recording, for reading. Nothing is written.

    Raises:
        RecordingError: there is no recording, or it cannot be read.
        RecordingTooNew, RecordingCorrupt: it says what it is in a way that cannot be read.
    """
    where = Path(path).absolute()
    if not where.is_dir():
        what = "it is a file" if where.exists() else "there is nothing"
        raise RecordingError(f"Cannot open {where}: {what}, and a recording is a directory.")
    if not os.path.lexists(where / identity.FILE):
        raise RecordingError(f"Cannot open {where}: it holds no {identity.FILE}, so it is no recording.")
    directory = Directory(where, identity.read(where / identity.FILE))
    _refuse_links(where)
    return directory


def create_or_open(
    path: str | os.PathLike[str], protocol: str, *, recording_id: str | None = None, created_ns: int | None = None
) -> Directory:
    """The directory of a recording to write to; made if there is none.

    Everything is checked before anything is written. Whoever makes it first says what it is.

    Args:
        path: an empty directory, one that does not exist yet, or a recording.
        protocol: what is recorded; a recording is of one protocol.
        recording_id: of a new recording; random by default.
        created_ns: of a new recording, ns since 1970 UTC; now by default.

    Raises:
        RecordingError: a file or a foreign directory is there, another protocol was recorded, or it cannot be written.
        RecordingTooNew, RecordingCorrupt: there is a recording that cannot be read.
    """
    where = Path(path).absolute()
    if not os.path.lexists(where / identity.FILE):
        identity.refuse_foreign(where)
        born = time.time_ns() if created_ns is None else created_ns
        identity.found(where, Identity(id=recording_id or secrets.token_hex(8), created_ns=born, protocol=protocol))
    directory = open(where)
    if directory.protocol != protocol:
        raise RecordingError(
            f"Cannot record into {where}: it is a recording of {directory.protocol!r}, and this feed speaks "
            f"{protocol!r}. Name another directory."
        )
    with disk.told(f"Cannot record into {where}"):
        for room in ROOMS:
            (where / room).mkdir(exist_ok=True)
        probe = disk.temporary(where / "journal" / "probe")
        try:
            disk.write_synced(probe, b"\n")
        finally:
            probe.unlink(missing_ok=True)
    return directory


def _refuse_links(where: Path) -> None:
    for room in ROOMS:
        if (where / room).is_symlink():
            raise RecordingCorrupt(
                f"{where / room} is a symbolic link; a recording holds none, and it is not followed."
            )


def _manifest(path: Path) -> Manifest:
    manifest = Manifest.load(path)
    if manifest.recorder != path.stem:
        raise RecordingCorrupt(f"{path} is the manifest of {manifest.recorder!r}: it was renamed, or is a copy.")
    return manifest
