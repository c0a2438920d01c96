"""The footer of a Parquet file: its description of itself, on which all reading rests, and which nothing in it seals.

Pages carry checksums; the footer does not, and a single flipped bit in it can end the process of who parses it. So its
checksum stands in the manifest, and is compared before anything is parsed.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path

from ..errors import RecordingCorrupt
from . import disk
from .manifest import TopicPart
from .whole import size_and_sha256

_TAIL = 8
"""What ends a Parquet file: the length of the footer, and four letters."""


def footer_crc(path: Path) -> int | None:
    """The CRC-32 of the footer of a Parquet file with the eight bytes behind it; None if there can be none.

    :raises OSError: if it cannot be read
    """
    with disk.open_inside(path) as file:
        size = file.seek(0, os.SEEK_END)
        if size < 2 * _TAIL:
            return None
        file.seek(size - _TAIL)
        length = int.from_bytes(file.read(4), "little") + _TAIL
        if length > size:
            return None
        file.seek(size - length)
        return zlib.crc32(file.read(length))


def check_footer(path: Path, part: TopicPart) -> None:
    """Look whether the footer is the one that was written. Nothing of it is parsed.

    Of a part whose manifest has no checksum of it, the whole file is compared.

    :raises RecordingCorrupt: naming the file, if it is another, or missing, or cannot be read
    """
    try:
        whole = matches(path, part)
    except FileNotFoundError:
        raise RecordingCorrupt(f"{path} is missing") from None
    except OSError as exc:
        raise RecordingCorrupt(f"{path} cannot be read: {exc.strerror or exc}") from exc
    if not whole:
        raise RecordingCorrupt(f"{path} is damaged: its footer is not what was written (checksum)")


def matches(path: Path, part: TopicPart) -> bool:
    """Whether the footer (without a checksum of it: the file) is the one that was written.

    :raises OSError: if it cannot be read
    """
    if part.footer_crc is not None:
        return footer_crc(path) == part.footer_crc
    return size_and_sha256(path)[1] == part.sha256
