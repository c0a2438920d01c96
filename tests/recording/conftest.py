"""What the tests of recordings share: lines to write, and a recorder as small as can be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from aurigraph_nb.recording import directory as directories
from aurigraph_nb.recording.directory import Directory
from aurigraph_nb.recording.journal import JournalWriter
from aurigraph_nb.recording.lines import VERSION, End, FrameLine, Head, Line

NOON = 1_767_268_800_000_000_000


class Scribe:
    """Makes lines, and writes them into recordings as a recorder would."""

    def head(self, recorder: str = "a", segment: int = 1, **more: Any) -> Head:
        settings = {"protocol": "live", "url": "ws://127.0.0.1:9000", "topics": ("blocks",), "first": True} | more
        return Head(v=VERSION, recorder=recorder, segment=segment, t=NOON, **settings)

    def frames(self, count: int, start: int = 0) -> list[Line]:
        """Frames that tell which they are, and do not all compress to nothing."""
        return [
            FrameLine(NOON + i * 1_000, "main", 1, f'{{"height":{i},"hash":"{i * 2654435761 % 2**32:08x}","ü":"✓"}}')
            for i in range(start, start + count)
        ]

    def recording(self, path: Path) -> Directory:
        return directories.create_or_open(path, "live", recording_id="r1", created_ns=NOON)

    def segment(
        self, where: Directory, flushes: Iterable[Sequence[Line]], recorder: str = "a", *, ended: bool = True
    ) -> Path:
        """One segment with a flush for each list of lines; ``ended=False`` leaves it as a sudden end does."""
        with JournalWriter(where.journal, self.head(recorder, where.next_segment())) as writer:
            for lines in flushes:
                writer.write(lines)
            if ended:
                writer.end(End(NOON, writer.frames, last=True))
            return writer.path


@pytest.fixture
def scribe() -> Scribe:
    return Scribe()


@pytest.fixture
def recording(scribe: Scribe, tmp_path: Path) -> Directory:
    return scribe.recording(tmp_path / "rec")
