"""Files that are whole, or not there at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Any

from . import disk


class HashedFile:
    """A file under a passing name: what is written to it is hashed on the way. Written whole, or not there at all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes = 0
        self._sha256 = hashlib.sha256()
        self._passing = path.with_name(f".{path.name}.part")
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._passing)  # of somebody who was killed
        self._file = open(self._passing, "xb", buffering=0)  # noqa: SIM115 - lives as long as this object

    @property
    def closed(self) -> bool:
        return self._file.closed

    @property
    def sha256(self) -> str:
        """Of what was written so far, in hexadecimal."""
        return self._sha256.hexdigest()

    def write(self, data: Any) -> int:
        """Write all of ``data``."""
        view = memoryview(data).cast("B")
        self._sha256.update(view)
        rest = view
        while rest:
            rest = rest[self._file.write(rest) or 0 :]
        self.bytes += len(view)
        return len(view)

    def tell(self) -> int:
        return self.bytes

    def flush(self) -> None:
        """Nothing waits here."""

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        """Closing is :meth:`settle`'s or :meth:`drop`'s: a Parquet writer that closes its file has not settled it."""

    def settle(self) -> None:
        """On the disk, whole; then under its own name."""
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self._passing, self.path)
        disk.sync_directory(self.path.parent)

    def drop(self) -> None:
        """Not wanted after all; harmless after :meth:`settle`."""
        self._file.close()
        with contextlib.suppress(OSError):
            os.unlink(self._passing)


def size_and_sha256(path: Path) -> tuple[int, str]:
    """Size and checksum of a file.

    :raises OSError: if it cannot be read
    """
    found, size = hashlib.sha256(), 0
    with disk.open_inside(path) as file:
        while piece := file.read(2**20):
            found.update(piece)
            size += len(piece)
    return size, found.hexdigest()
