"""The manifest of a recorder: which segments are sealed, what is in them, and by which checksums to know them.

One JSON file a recorder, written only by it (or by whoever recovers or rebuilds what it left), always as a whole. What
is not named here does not count as sealed: its journal is the truth. Fields of a later version that this one does not
know are kept when a manifest is written again.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import msgspec

from ..errors import RecordingCorrupt, RecordingTooNew
from ..gaps import Gap
from . import disk

VERSION = 1
"""Version of the format of manifests."""
MAX_BYTES = 512 * 2**20
"""A larger file is no manifest."""


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A struct that carries along what it does not know."""

    extra: dict[str, Any] = {}
    """Fields of a later version."""


class TopicPart(_Kept, frozen=True, kw_only=True):
    """One Parquet file: the rows of a topic on one day out of one segment."""

    topic: str
    path: str
    """Relative to the recording, with ``/``."""
    rows: int
    bytes: int
    sha256: str
    footer_crc: int | None = None
    """CRC-32 of the file's footer, see :mod:`.footers`; None in manifests of before there was one."""
    first_ns: int | None = None
    """Least time of a row (server's, or receive time where it has none), ns since 1970 UTC; None without rows."""
    last_ns: int | None = None
    """Greatest time of a row, likewise."""


class Cut(_Kept, frozen=True, kw_only=True):
    """A segment that its recorder did not end itself, as recovery found and left it."""

    segment: int
    bytes: int
    """Removed from its end: a frame that was not whole."""
    lines: int
    """Left in it."""
    good_bytes: int
    """Left in it, before it was packed more tightly."""
    why: str
    kept: str | None = None
    """Where the original is, relative to the recording; None if nothing had to be removed."""


class SegmentEntry(_Kept, frozen=True, kw_only=True):
    """A sealed segment."""

    number: int
    journal: str
    """Name of its file in ``journal/``."""
    bytes: int
    """Size of that file."""
    sha256: str
    lines: int
    frames: int
    """Lines that are frames of the feed."""
    raw_bytes: int = 0
    """Size of the lines, uncompressed."""
    first_ns: int | None = None
    """Least receive time of a frame, ns since 1970 UTC; None without frames."""
    last_ns: int | None = None
    """Greatest receive time of a frame."""
    parts: tuple[TopicPart, ...] = ()
    undecoded: int = 0
    """Frames that made no sense."""
    suppressed: int = 0
    """Frames that repeated the one before and make no row."""
    control: int = 0
    """Frames of the conversation with the server."""
    filtered: int = 0
    """Frames of topics that were not recorded as rows."""
    misordered: int = 0
    """Frames out of the order of the server's numbering."""
    gaps: tuple[tuple[int, Gap], ...] = ()
    """Each gap that changed in this segment as it stood at its end, by its ordinal in the recorder's run."""
    cut: int = 0
    """Bytes that recovery removed from the end of the journal."""


class Manifest(_Kept, frozen=True, kw_only=True):
    """What one recorder wrote.

    >>> manifest = Manifest(recorder="a1", protocol="live", url="ws://h/live", topics=("blocks",), started_ns=5)
    >>> Manifest.decode(manifest.encode()) == manifest
    True
    """

    version: int = VERSION
    recorder: str
    protocol: str
    url: str
    """Of the server, without secrets."""
    topics: tuple[str, ...]
    started_ns: int
    ended_ns: int | None = None
    state: str = "recording"
    """"recording", "ended" (in good order), "failed" (e.g. by a full disk) or "recovered" (by somebody else)."""
    detail: str = ""
    """Why it failed, in words."""
    segments: tuple[SegmentEntry, ...] = ()
    """In the order of their numbers."""
    cuts: tuple[Cut, ...] = ()

    def entry(self, number: int) -> SegmentEntry | None:
        """The entry of a sealed segment, or None."""
        return next((entry for entry in self.segments if entry.number == number), None)

    def cut(self, number: int) -> Cut | None:
        """What recovery did to a segment, or None."""
        return next((cut for cut in self.cuts if cut.segment == number), None)

    def with_segment(self, entry: SegmentEntry) -> Manifest:
        """The same with this segment sealed; an entry of the same number is replaced."""
        others = [old for old in self.segments if old.number != entry.number]
        ordered = sorted([*others, entry], key=lambda e: e.number)
        return msgspec.structs.replace(self, segments=tuple(ordered))

    def with_cut(self, cut: Cut) -> Manifest:
        """The same with this recovery noted; an earlier note on the same segment is replaced."""
        others = [old for old in self.cuts if old.segment != cut.segment]
        return msgspec.structs.replace(self, cuts=tuple(sorted([*others, cut], key=lambda c: c.segment)))

    def encode(self) -> bytes:
        """As JSON, laid out for reading; equal manifests are equal bytes."""
        plain = _flat(msgspec.to_builtins(self))
        return msgspec.json.format(msgspec.json.encode(plain), indent=1) + b"\n"

    @classmethod
    def decode(cls, data: bytes, name: str = "a manifest") -> Manifest:
        """Read the JSON of a manifest.

        Raises:
            RecordingTooNew: a later version wrote it.
            RecordingCorrupt: it is no manifest.
        """
        try:
            plain = msgspec.json.decode(data, type=dict[str, Any])
            version = plain.get("version")
            if isinstance(version, int) and version > VERSION:
                raise RecordingTooNew(
                    f"{name} has version {version}; this version of aurigraph_nb reads up to {VERSION}. "
                    "Its segments are left aside; a newer aurigraph_nb reads them."
                )
            return msgspec.convert(_deep(plain), cls)
        except RecordingTooNew:
            raise
        except (msgspec.DecodeError, ValueError, TypeError, AttributeError, RecursionError) as exc:
            raise RecordingCorrupt(
                f"{name} cannot be read: {exc}. Its journal is not touched by that; rebuild() makes a manifest again."
            ) from exc

    @classmethod
    def load(cls, path: Path) -> Manifest:
        """Read a manifest.

        Raises:
            RecordingError: the file cannot be read.
            RecordingTooNew, RecordingCorrupt: as :meth:`decode`.
        """
        return cls.decode(read_bounded(path, MAX_BYTES), str(path))

    def save(self, path: Path) -> None:
        """Write it as a whole: readers see the old manifest or this one.

        Raises:
            RecordingError: it cannot be written; the old one is still there.
        """
        disk.write_atomically(path, self.encode())


def read_bounded(path: Path, limit: int) -> bytes:
    """The bytes of a file that is no symbolic link and not larger than ``limit``."""
    with disk.told(f"Cannot read {path}"), contextlib.closing(disk.open_inside(path)) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise RecordingCorrupt(f"{path} is larger than {limit:,} bytes, which no such file is.")
    return data


def _flat(plain: Any) -> Any:
    """Builtins of a struct with ``extra`` laid among the other fields."""
    if isinstance(plain, dict):
        extra = plain.pop("extra", None) or {}
        own = {key: _flat(value) for key, value in plain.items()}
        return own | {key: value for key, value in extra.items() if key not in own}
    return [_flat(value) for value in plain] if isinstance(plain, list | tuple) else plain


def _deep(plain: dict[str, Any]) -> dict[str, Any]:
    """The reverse for a manifest and the structs in it."""
    found = _split(plain, Manifest)
    found["cuts"] = [_split(cut, Cut) for cut in found.get("cuts", ())]
    found["segments"] = [_split(entry, SegmentEntry) for entry in found.get("segments", ())]
    for entry in found["segments"]:
        entry["parts"] = [_split(part, TopicPart) for part in entry.get("parts", ())]
    return found


def _split(plain: dict[str, Any], kind: type[_Kept]) -> dict[str, Any]:
    known = set(kind.__struct_fields__) - {"extra"}
    own = {key: value for key, value in plain.items() if key in known}
    strange = {key: value for key, value in plain.items() if key not in known}
    return own | {"extra": strange} if strange else own
