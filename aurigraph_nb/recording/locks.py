"""Which recorders live: each holds a lock as long as its process runs, whatever ends it.

The lock is the system's (``flock``), so that no file left behind by a dead process looks alive. Where there is none
(Windows, some network file systems), the age of the file tells: its recorder touches it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
import weakref
from pathlib import Path
from types import ModuleType

from ..errors import RecordingInUse
from . import disk

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

STALE_S = 30.0
"""Without locks: a file that was not touched for so long belongs to nobody."""
PATIENCE_S = 0.5
"""How long taking a lock is tried: whoever asks whether a recorder lives holds it for a moment."""

_OPEN = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0)
_NO_LOCKS = frozenset({errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOLCK, errno.EINVAL})


class Lock:
    """A name that only one recorder can have at a time; released by :meth:`release` or the end of the process.

    Raises:
        RecordingInUse: somebody has it.
        RecordingError: the disk is read-only, …
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1
        until = time.monotonic() + PATIENCE_S
        with disk.told(f"Cannot lock {path}"):
            path.parent.mkdir(exist_ok=True)
            while not self._take():
                if time.monotonic() > until:
                    raise RecordingInUse(
                        f"{path.stem!r} is at work in {path.parent.parent} already ({path} is held): "
                        "wait until it ends, or record under another name."
                    )
                time.sleep(0.02)

    def beat(self) -> None:
        """Tell that the recorder lives, where there are no locks: at least every few seconds. Costs a microsecond."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.utime(self.path)

    def release(self) -> None:
        """Give it back. Twice is harmless."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        with contextlib.suppress(OSError):
            if os.name != "nt":
                self.path.unlink()
        os.close(fd)
        with contextlib.suppress(OSError):
            if os.name == "nt":
                self.path.unlink()

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()

    def _take(self) -> bool:
        existed = self.path.exists()
        fd = os.open(self.path, _OPEN | os.O_CREAT, 0o666)
        held = _try(fd, exclusive=True)
        if held is None:
            held = not existed or _stale(self.path)
        if not held or not _is_at(fd, self.path):  # the one before unlinked it when it was done
            os.close(fd)
            return False
        os.utime(fd) if os.utime in os.supports_fd else os.utime(self.path)
        self._fd = fd
        _mine.add(self)
        return True

    def forget(self) -> None:
        """In a forked child: the lock is the parent's, and must not outlive it here."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


_mine: weakref.WeakSet[Lock] = weakref.WeakSet()


def _forget_all() -> None:
    for lock in list(_mine):
        lock.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


def held(path: Path) -> bool:
    """True while somebody holds the lock at ``path``."""
    try:
        fd = os.open(path, _OPEN)
    except FileNotFoundError:
        return False
    except OSError:
        return _readable_held(path)
    try:
        got = _try(fd, exclusive=False)
        return not _stale(path) if got is None else not got
    finally:
        os.close(fd)


def _readable_held(path: Path) -> bool:
    """The same on a file that may only be read; what cannot be looked at counts as held by nobody."""
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return False
    try:
        got = _try(fd, exclusive=False)
        return not _stale(path) if got is None else not got
    finally:
        os.close(fd)


def _try(fd: int, *, exclusive: bool) -> bool | None:
    """Whether the lock was got; None if there are no locks here."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(fd, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as exc:
        if exc.errno in _NO_LOCKS:
            return None
        raise
    return True


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def _stale(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > STALE_S
    except FileNotFoundError:
        return True
