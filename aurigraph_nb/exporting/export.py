"""A recording in another format: for spreadsheets, databases, other languages and other tools."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ..durations import shown_time
from ..errors import BadOption, BadOptionType
from ..gaps import GAP_SCHEMA, Gap, gaps_to_table
from ..reading.scale import GAPS, view_names
from ..recording.lines import FrameLine
from ..recording.parts import topic_folder
from .atomic import written
from .database import write_duckdb
from .messages import write_mcap
from .progress import Tick, bar
from .tables import WRITERS, Batches

if TYPE_CHECKING:
    from ..reading.recording import Recording

FORMATS = (*WRITERS, "duckdb", "mcap")
"""Formats by name."""


def export(
    recording: Recording,
    to: str,
    path: str | os.PathLike[str] | None = None,
    *,
    topics: Sequence[str] | str | None = None,
    start: Any = None,
    end: Any = None,
    overwrite: bool = False,
    progress: bool = True,
) -> Path:
    """Write (a part of) a recording in another format; the target is there whole, or not at all.

    "parquet", "csv", "arrow" and "jsonl" make a directory with one file a topic and one of the gaps; a path that ends
    like such a file (``metrics.csv``) makes that file alone, of the one topic that is named. "duckdb" makes one file
    with a table a topic and one of the gaps; "mcap" one of the frames as they came, a channel a topic.

    CSV is safe for spreadsheets: a text that begins with ``=``, ``+``, ``-``, ``@``, a tab, a line break or ``'`` gets
    a ``'`` in front. Taking one off such texts is the exact way back.

    :param to: the format
    :param path: the target; default: beside the recording (``friday`` gives ``friday-csv/``, or ``friday.mcap``)
    :param topics: default: all that were recorded
    :param start: first time, included, by server time as in ``to_pandas`` (of MCAP: by receive time); or since the
        recording's start: a duration such as "30s", or a time of day such as "00:00:30"
    :param end: time from which on nothing is written; told like ``start``
    :param overwrite: replace what is at ``path``: a file, or a directory with nothing but such tables in it
    :param progress: show a bar where there is a terminal or a notebook
    :returns: the target, absolute. Warns (UserWarning) if nothing of the recording lies between ``start`` and ``end``.
    :raises BadOption: for an option that is not accepted
    :raises UnknownTopic: if there is no such topic
    :raises RecordingError: if something is there, or it cannot be written
    :raises MissingExtra: if the format needs a package that is not installed
    """
    if to not in FORMATS:
        raise BadOption(f"to={to!r}: expected one of {', '.join(FORMATS)}")
    for name, flag in (("overwrite", overwrite), ("progress", progress)):
        if not isinstance(flag, bool):
            raise BadOptionType(f"{name}={flag!r}: expected True or False")
    chosen = _topics(recording, topics)
    named = ((start, "start"), (end, "end"))
    times = tuple(None if t is None else recording.time_of(t, option=o) for t, o in named)
    if times[0] is not None and times[1] is not None and times[0] >= times[1]:
        raise BadOption(f"start={start!r} is not before end={end!r}: there is no time between them")
    job = _Job(recording, chosen, all_topics=topics is None, start_ns=times[0], end_ns=times[1])
    target = _target(recording, to, path)
    if to in WRITERS:
        _export_tables(job, to, target, overwrite, progress)
    elif to == "duckdb":
        with written(target, overwrite=overwrite, directory=False) as draft, job.bar(progress) as tick:
            write_duckdb(draft, job.tables(tick))
    else:
        _export_messages(job, target, overwrite, progress)
    if times != (None, None) and not job.found and not job.gaps():
        warnings.warn(job.nothing(), stacklevel=3)
    return target


def _topics(recording: Recording, topics: Sequence[str] | str | None) -> tuple[str, ...]:
    if topics is None:
        return recording.recorded_topics
    names = [topics] if isinstance(topics, str) else list(topics)
    if not names:
        raise BadOption("topics=[]: name at least one topic, or leave it out for all")
    return tuple(dict.fromkeys(recording[name].name for name in names))


def _target(recording: Recording, to: str, path: str | os.PathLike[str] | None) -> Path:
    if path is not None:
        return _outside(recording, Path(path).absolute())
    if recording.path is None:
        raise BadOption("path=None: this recording is in memory, so there is no place beside it; name a path")
    return recording.path.with_name(f"{recording.path.name}{'-' if to in WRITERS else '.'}{to}")


def _outside(recording: Recording, target: Path) -> Path:
    """The target, which neither is the recording, nor holds it, nor lies in it: overwriting would destroy it."""
    if recording.path is not None:
        place, home = target.resolve(), recording.path.resolve()
        if place == home or place in home.parents or home in place.parents:
            raise BadOption(f"path={str(target)!r}: the recording itself is there; name a place outside it")
    return target


class _Job:
    """What is exported: topics, and a range of times."""

    def __init__(
        self,
        recording: Recording,
        topics: tuple[str, ...],
        *,
        all_topics: bool,
        start_ns: int | None,
        end_ns: int | None,
    ) -> None:
        self.recording, self.topics, self.all_topics = recording, topics, all_topics
        self.start_ns, self.end_ns = start_ns, end_ns
        self.found = 0
        """Rows, or frames, that were in the range."""

    def nothing(self) -> str:
        """What to say where there is nothing in the range."""
        figures = self.recording.source.figures()
        asked = [f"{word} {shown_time(ns)}" for word, ns in (("from", self.start_ns), ("before", self.end_ns)) if ns]
        said = f"nothing of {self.recording.name} lies in the range that was asked for, {' and '.join(asked)}"
        if figures.first_ns is None or figures.last_ns is None:
            return f"{said}: nothing was recorded yet"
        return f"{said}; it was recorded from {shown_time(figures.first_ns)} to {shown_time(figures.last_ns)}"

    def bar(self, shown: bool) -> Any:
        total = sum(self.recording.source.count(topic) for topic in self.topics)
        return bar(total, "rows", shown=shown)

    def gaps(self) -> list[Gap]:
        """The gaps that touch the range, of the topics that are exported (and of all of a connection)."""
        return [gap for gap in self.recording.source.gaps().rows() if self._wants(gap)]

    def _wants(self, gap: Gap) -> bool:
        if gap.topic not in self.topics and gap.topic != "*":
            return False
        late = self.end_ns is not None and gap.start_ns >= self.end_ns
        early = self.start_ns is not None and gap.end_ns is not None and gap.end_ns < self.start_ns
        return not late and not early

    def inside(self, line: FrameLine) -> bool:
        """Whether a frame was received in the range."""
        begun = self.start_ns is None or line.t >= self.start_ns
        inside = begun and (self.end_ns is None or line.t < self.end_ns)
        self.found += inside
        return inside

    def batches(self, topic: str, tick: Tick) -> Batches:
        """The rows of a topic, at each call anew."""

        def rows() -> Iterator[pa.RecordBatch]:
            for batch in self.recording.source.rows(topic).batches(start=self.start_ns, end=self.end_ns):
                yield batch
                self.found += batch.num_rows
                tick(batch.num_rows)

        return rows

    def tables(self, tick: Tick) -> dict[str, tuple[pa.Schema, Batches]]:
        """All tables by name: those of the topics, and the gaps."""
        found: dict[str, tuple[pa.Schema, Batches]] = {}
        for topic, name in zip(self.topics, view_names(self.topics), strict=True):
            found[name] = (self.recording[topic].store_schema, self.batches(topic, tick))  # type: ignore[attr-defined]
        # Last: reading the rows may find more that is missing.
        found[GAPS] = (GAP_SCHEMA, lambda: gaps_to_table(self.gaps()).to_batches())
        return found


def _export_tables(job: _Job, to: str, target: Path, overwrite: bool, progress: bool) -> None:
    suffix, write = WRITERS[to]
    single = target.suffix == suffix
    if single and len(job.topics) != 1:
        raise BadOption(
            f"path={target.name!r} is one file, of {len(job.topics)} topics; name a directory, or one topic"
        )
    with written(target, overwrite=overwrite, directory=not single) as draft, job.bar(progress) as tick:
        for name, (schema, batches) in job.tables(tick).items():
            if not single:
                write(draft / f"{topic_folder(name).removeprefix('topic=')}{suffix}", schema, batches)
            elif name != GAPS:
                write(draft, schema, batches)


def _export_messages(job: _Job, target: Path, overwrite: bool, progress: bool) -> None:
    recording = job.recording
    frames = recording.source.figures().frames
    about = {"protocol": recording.protocol, "recording": recording.source.id, "url": recording.url}
    inside: Callable[[FrameLine], bool] = job.inside
    with written(target, overwrite=overwrite, directory=False) as draft, bar(frames, "frames", shown=progress) as tick:
        write_mcap(
            draft,
            recording.protocol,
            recording.source.lines(),
            topics=None if job.all_topics else job.topics,
            inside=inside,
            gaps=job.gaps(),
            about=about,
            tick=tick,
        )
