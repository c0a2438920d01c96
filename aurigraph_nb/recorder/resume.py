"""Going on where a recording stopped: who writes now, and what was missed since."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterable
from typing import Any

from ..errors import FileError, RecordingInUse
from ..gaps import Cause, Certainty, Gap
from ..recording.directory import Contents, Segment, check_name
from ..recording.journal import read_segment
from ..recording.lines import GapBegins
from ..topic import Topic

DOUBT_NS = 100_000_000
"""Where a recorder was not ended in good order: what came so shortly before its last line may not have reached it."""


def name_for(wanted: str | None, contents: Contents) -> str:
    """A recorder's name that nobody in the recording has had: ``wanted``, or with a number behind.

    :raises BadOption: if it is no name
    :raises RecordingInUse: if a recorder of that name is at work
    """
    if wanted is None:
        return f"r{secrets.token_hex(4)}"
    check_name(f"{wanted}-999")
    had = {*contents.recorders, *contents.live}
    number, name = 1, wanted
    while name in had:
        if name in contents.live:
            raise RecordingInUse(
                f"name={wanted!r}: a recorder of this name is at work in this recording; end it, or use another name"
            )
        number += 1
        name = f"{wanted}-{number}"
    return name


def last_moment(contents: Contents) -> int | None:
    """Up to when the recording goes, ns since 1970 UTC; None if it is empty, or if somebody is writing to it now."""
    if contents.live:
        return None
    exact = [m.ended_ns for m in contents.manifests.values() if m.state == "ended" and m.ended_ns is not None]
    seen = [s.entry.last_ns for s in contents.segments if s.entry is not None and s.entry.last_ns is not None]
    left = {s.recorder: s for s in contents.segments if s.entry is None and s.present}  # the last one of each
    seen += [ns for segment in left.values() if (ns := _end_of(segment)) is not None]
    return max([*exact, *(ns - DOUBT_NS for ns in seen)], default=None)


def _end_of(segment: Segment) -> int | None:
    """The time of the last line that can be read."""
    last: int | None = None
    with contextlib.suppress(FileError):
        for lines in read_segment(segment.path):
            last = lines[-1].t if lines else last
    return last


def missed(topics: Iterable[Topic[Any]], last_ns: int, now_ns: int) -> list[GapBegins]:
    """What the recording misses of ``topics``: everything from its last moment to now, over already."""
    return [GapBegins(now_ns, _gap(topic, last_ns, now_ns)) for topic in topics]


def _gap(topic: Topic[Any], last_ns: int, now_ns: int) -> Gap:
    start_ns = min(last_ns, now_ns)  # the clock of this run may begin before that of the last one ended
    frames = None if topic.idle is None else topic.idle.missed(start_ns, now_ns)
    certainty = Certainty.UNKNOWN if frames is None else Certainty.BOUNDED
    return Gap(topic.name, Cause.RECORDER_DOWN, certainty, start_ns, now_ns, frames, 0, "nothing was recorded")
