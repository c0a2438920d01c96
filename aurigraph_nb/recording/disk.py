"""What goes wrong with disks, in words; and files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import RecordingError

_BINARY = getattr(os, "O_BINARY", 0)  # Windows would translate line ends
_READ_ONLY = "the file system is read-only"
_DENIED = "there is no permission for that"
_WORDS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file has reached the size limit of this process",
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EIO: "the disk reports an error",
    errno.ENOENT: "it does not exist",
    errno.ENOTDIR: "a part of the path is a file",
    errno.ELOOP: "it is a symbolic link, and a recording holds none",
    errno.EMFILE: "this process has too many files open",
}
NO_HARD_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL})
"""What a file system without hard links answers to the wish for one."""


def error(doing: str, exc: OSError) -> RecordingError:
    """The error of this package for one of the system's; ``errno`` is kept.

    >>> str(error("Cannot write /data/rec", OSError(errno.ENOSPC, "No space left on device")))
    'Cannot write /data/rec: the disk is full.'
    """
    words = _WORDS.get(exc.errno or 0) or exc.strerror or str(exc) or type(exc).__name__
    told = RecordingError(f"{doing}: {words}.")
    told.errno = exc.errno
    return told


@contextlib.contextmanager
def told(doing: str) -> Iterator[None]:
    """Turn an OSError into a :class:`RecordingError` that says what was being done."""
    try:
        yield
    except RecordingError:
        raise
    except OSError as exc:
        raise error(doing, exc) from exc


def temporary(path: Path) -> Path:
    """A name beside ``path`` that nobody else uses and that begins with a dot, so that no reader takes it for data."""
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")


TEMPORARY = re.compile(r"\..+\.(\d{1,10})-[0-9a-f]{8}\.tmp")
"""Such a name, and in it the number of the process."""


def process_runs(pid: int) -> bool:
    """Whether a process of this number runs on this machine; True where that cannot be told."""
    if os.name == "nt":
        return True  # there, asking would end it
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def write_atomically(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path``: whoever looks sees the old content or the new one, also after a power cut.

    Raises:
        RecordingError: it cannot be written; then the old content is still there.
    """
    draft = temporary(path)
    with told(f"Cannot write {path}"):
        try:
            write_synced(draft, data)
            os.replace(draft, path)
        except BaseException:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise
    sync_directory(path.parent)


def write_synced(path: Path, data: bytes) -> None:
    """Write a new file and wait until it is on the disk. Raises FileExistsError, and whatever else the system says."""
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Make the names in a directory last through a power cut, where the system can; otherwise do nothing."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return  # Windows opens no directories
    try:
        os.fsync(fd)
    except OSError:
        pass  # some network file systems cannot, and there is nothing more to be done
    finally:
        os.close(fd)


def open_inside(path: Path) -> BinaryIO:
    """Open a file for reading, unless its name is a symbolic link or stands for no regular file.

    Raises:
        OSError: ELOOP for a link, EINVAL for a pipe or device, and whatever else the system says.
    """
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | _BINARY)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        return open(fd, "rb")
    except BaseException:
        os.close(fd)
        raise


def claim(draft: Path, path: Path) -> None:
    """Give the file ``draft`` the second name ``path``, whole, unless something has it.

    Where the file system has no hard links, the content is copied.

    Raises:
        FileExistsError: the name is taken.
        OSError: whatever else the system says.
    """
    try:
        os.link(draft, path)
        return
    except FileExistsError:
        raise
    except OSError as exc:
        if exc.errno not in NO_HARD_LINKS:
            raise
    data = draft.read_bytes()
    try:
        write_synced(path, data)
    except FileExistsError:
        raise
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise
