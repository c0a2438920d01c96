"""Files and directories that are there whole, or not at all; nothing that exists is replaced unless that is wanted."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..errors import FileError, RecordingError
from ..recording import disk
from .tables import WRITERS

_OURS = frozenset(suffix for suffix, _ in WRITERS.values())
_HARMLESS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})


@contextlib.contextmanager
def written(path: Path, *, overwrite: bool, directory: bool) -> Iterator[Path]:
    """A place to write to, beside ``path``; at the end of the block it takes that name. After an error nothing is left.

    :param directory: whether the place is a directory (empty) or a name for a file (that is not there)
    :raises RecordingError: if something is there and ``overwrite`` is False (or it is a directory with other things in
        it), or it cannot be written
    """
    path = path.absolute()
    if os.path.lexists(path) and not overwrite:
        raise RecordingError(f"Cannot export to {path}: something is there. Name another place, or say overwrite=True.")
    _refuse_foreign(path)
    draft = disk.temporary(path)
    try:
        with disk.told(f"Cannot export to {path}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            if directory:
                draft.mkdir()
        with _told(path):
            yield draft
        with disk.told(f"Cannot export to {path}"):
            _settle(draft, path)
    finally:
        _remove(draft)


def _refuse_foreign(path: Path) -> None:
    """Raise RecordingError if ``path`` is a directory with anything but tables in it: no export made that."""
    if path.is_symlink() or not path.is_dir():
        return
    with disk.told(f"Cannot export to {path}"), os.scandir(path) as entries:
        strange = sorted(entry.name for entry in entries if not _is_table(entry))
    if strange:
        raise RecordingError(
            f"Cannot export to {path}: it is a directory that holds other things than tables ({strange[0]!r}), and is "
            "not replaced. Name another place."
        )


def _is_table(entry: os.DirEntry[str]) -> bool:
    ours = os.path.splitext(entry.name)[1] in _OURS or entry.name in _HARMLESS
    return ours and entry.is_file(follow_symlinks=False)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Errors of the disk name the target; those of this package say more already."""
    try:
        yield
    except FileError:
        raise
    except OSError as exc:
        raise disk.error(f"Cannot export to {path}", exc) from exc


def _settle(draft: Path, path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        old = disk.temporary(path)
        os.rename(path, old)  # a directory with something in it is not replaced at one go
        try:
            os.rename(draft, path)
        except BaseException:
            os.rename(old, path)
            raise
        shutil.rmtree(old)
    elif draft.is_dir() and os.path.lexists(path):
        path.unlink()
        os.rename(draft, path)
    else:
        os.replace(draft, path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
