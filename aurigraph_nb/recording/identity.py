"""``recording.json``: what makes a directory a recording, written once and never again."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec

from ..errors import RecordingCorrupt, RecordingError, RecordingTooNew
from . import disk
from .manifest import read_bounded

FORMAT = "aurigraph-recording"
VERSION = 1
"""Version of the layout. A higher one is refused by name."""
FILE = "recording.json"

_HARMLESS = frozenset({".DS_Store", ".ipynb_checkpoints", "Thumbs.db", "desktop.ini", "lost+found"})
_MAX_BYTES = 2**16


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What ``recording.json`` says; written once."""

    format: str = FORMAT
    version: int = VERSION
    id: str
    created_ns: int
    """ns since 1970 UTC."""
    protocol: str
    """Of every recorder in it."""


def refuse_foreign(where: Path) -> None:
    """Raise RecordingError unless a recording can be founded at ``where``; nothing is written."""
    with disk.told(f"Cannot record into {where}"):
        if where.is_symlink() and not where.exists():
            raise RecordingError(f"Cannot record into {where}: it is a symbolic link to nothing.")
        if where.exists() and not where.is_dir():
            raise RecordingError(f"Cannot record into {where}: it is a file, and a recording is a directory.")
        names = os.listdir(where) if where.exists() else []
    strange = sorted(name for name in names if not _ours(name)) if FILE not in names else []  # or somebody was first
    if strange:
        more = f" and {len(strange) - 3} more" if len(strange) > 3 else ""
        raise RecordingError(
            f"Cannot record into {where}: it is no recording, and not empty "
            f"({', '.join(map(repr, strange[:3]))}{more}). Nothing was written; name a new directory."
        )


def _ours(name: str) -> bool:
    """Whether a name may be in a directory that counts as empty: what desktops leave, or a recorder that was killed."""
    return name in _HARMLESS or (name.startswith(f".{FILE}.") and name.endswith(".tmp"))


def found(where: Path, identity: Identity) -> None:
    """Make the directory a recording. If somebody else was first, what they said stands.

    Raises:
        RecordingError: it cannot be written.
    """
    path = where / FILE
    draft = disk.temporary(path)
    with disk.told(f"Cannot record into {where}"):
        where.mkdir(parents=True, exist_ok=True)
        try:
            disk.write_synced(draft, msgspec.json.encode(identity) + b"\n")
            with contextlib.suppress(FileExistsError):  # another recorder was first
                disk.claim(draft, path)
        finally:
            with contextlib.suppress(OSError):
                draft.unlink()
    disk.sync_directory(where)


def read(path: Path) -> Identity:
    """Read ``recording.json``.

    Raises:
        RecordingError, RecordingTooNew, RecordingCorrupt: it cannot be read, or is of something else.
    """
    data = read_bounded(path, _MAX_BYTES)
    try:
        plain = msgspec.json.decode(data, type=dict[str, object])
        version = plain.get("version")
        if plain.get("format") != FORMAT:
            raise RecordingCorrupt(f"{path} does not say {FORMAT!r}: this is no recording.")
        if isinstance(version, int) and version > VERSION:
            raise RecordingTooNew(
                f"{path.parent} has version {version} of the format; this version of aurigraph_nb knows up to "
                f"{VERSION}. Install a newer one."
            )
        return msgspec.convert(plain, Identity)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise RecordingCorrupt(f"{path} cannot be read: {exc}.") from exc
