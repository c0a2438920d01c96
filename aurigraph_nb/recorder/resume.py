"""Going on where a recording stopped: who writes now, and what was missed since."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ..errors import BadOption, FileError, RecordingInUse
from ..gaps import Cause, Certainty, Gap
from ..recording.directory import Contents, Segment, check_name
from ..recording.journal import read_head, read_segment
from ..recording.lines import GapBegins
from ..recording.manifest import Manifest
from ..topic import Topic

DOUBT_NS = 100_000_000
"""Where a recorder was not ended in good order: what came so shortly before its last line may not have reached it."""


MOST_CHARS = 60
"""Of a name that is asked for."""


def name_for(wanted: str | None, contents: Contents) -> str:
    """A recorder's name that nobody in the recording has had: ``wanted``, or with a number behind.

    :raises BadOption: if it is no name
    :raises RecordingInUse: if a recorder of that name is at work
    """
    if wanted is None:
        return f"r{secrets.token_hex(4)}"
    if len(check_name(wanted)) > MOST_CHARS:
        raise BadOption(f"name={wanted!r}: at most {MOST_CHARS} characters, so that there is room for a number behind")
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


class Moments(msgspec.Struct, frozen=True):
    """Up to when a recording goes."""

    topics: dict[str, int | None]
    """By topic, ns since 1970 UTC; None: somebody is recording it now, or nothing is known."""
    others: int | None
    """Of topics that were never recorded: the end of it all; None if it is empty, or somebody is writing to it now."""

    def of(self, topic: str) -> int | None:
        """Since when a topic is missing; None if it is not."""
        return self.topics.get(topic, self.others)


def last_moments(contents: Contents) -> Moments:
    """Up to when each topic was recorded, by whomever."""
    ends: dict[str, int | None] = {}
    lasting: set[str] = set()
    for recorder in contents.recorders:
        manifest = contents.manifests.get(recorder)
        segments = [s for s in contents.segments if s.recorder == recorder and s.present]
        topics = _topics(manifest, segments)
        if recorder in contents.live:
            lasting.update(topics)
            continue
        end = _end(manifest, segments)
        ends |= {topic: _later(ends.get(topic), end) for topic in topics}
    latest = max((end for end in ends.values() if end is not None), default=None)
    return Moments(ends | dict.fromkeys(lasting), None if contents.live else latest)


def _later(one: int | None, other: int | None) -> int | None:
    return max((end for end in (one, other) if end is not None), default=None)


def _topics(manifest: Manifest | None, segments: Sequence[Segment]) -> tuple[str, ...]:
    """What a recorder recorded; nothing if neither its manifest nor a first line can be read."""
    if manifest is not None:
        return manifest.topics
    for segment in segments:
        with contextlib.suppress(FileError):
            return read_head(segment.path).topics
    return ()


def _end(manifest: Manifest | None, segments: Sequence[Segment]) -> int | None:
    """Up to when a recorder that is no more wrote everything down, ns since 1970 UTC."""
    if manifest is not None and manifest.state == "ended" and manifest.ended_ns is not None:
        return manifest.ended_ns
    seen = [s.entry.last_ns for s in segments if s.entry is not None and s.entry.last_ns is not None]
    left = [s for s in segments if s.entry is None]
    seen += [ns for segment in left[-1:] if (ns := _end_of(segment)) is not None]
    return max((ns - DOUBT_NS for ns in seen), default=None)


def _end_of(segment: Segment) -> int | None:
    """The time of the last line that can be read."""
    last: int | None = None
    with contextlib.suppress(FileError):
        for lines in read_segment(segment.path):
            last = lines[-1].t if lines else last
    return last


def missed(topics: Iterable[Topic[Any]], moments: Moments, now_ns: int) -> list[GapBegins]:
    """What the recording misses of ``topics``: everything from their last moments to now, over already."""
    ends = [(topic, moments.of(topic.name)) for topic in topics]
    return [GapBegins(now_ns, _gap(topic, end, now_ns)) for topic, end in ends if end is not None]


def _gap(topic: Topic[Any], last_ns: int, now_ns: int) -> Gap:
    start_ns = min(last_ns, now_ns)  # the clock of this run may begin before that of the last one ended
    frames = None if topic.idle is None else topic.idle.missed(start_ns, now_ns)
    certainty = Certainty.UNKNOWN if frames is None else Certainty.BOUNDED
    return Gap(topic.name, Cause.RECORDER_DOWN, certainty, start_ns, now_ns, frames, 0, "nothing was recorded")
