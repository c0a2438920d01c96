"""Making Parquet files and manifests again from the journals, and sealing what a recorder that died left unsealed.

Nothing of old Parquet files is believed, so a decoder that knows more than the one of the day reads old feeds anew.
What is being rebuilt is first taken out of its manifest: it counts as unsealed, and reads out of its journal, until it
is sealed again. So whoever is killed in between leaves a whole recording. One thing is believed: where a journal has
lost lines since it was sealed, the Parquet files of that segment are all that is left of them, and stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import msgspec

from ..errors import FileError, RecordingCorrupt, RecordingError, RecordingInUse, RecordingTooNew
from . import disk, journal
from .directory import Directory, Segment
from .manifest import Manifest, SegmentEntry
from .recover import Recovered, recover
from .sealer import Sealer
from .whole import size_and_sha256


class Rebuilt(msgspec.Struct, frozen=True, kw_only=True):
    """What was sealed, and what could not be."""

    recovered: tuple[Recovered, ...] = ()
    """Segments that ended within a block, or suddenly: what was done about them."""
    entries: dict[str, tuple[SegmentEntry, ...]] = {}
    """The segments that were sealed now, by recorder."""
    removed: tuple[str, ...] = ()
    """Parquet files that belong to no segment any more, relative to the recording; they are gone."""
    live: tuple[str, ...] = ()
    """Recorders that are at work and were left alone."""
    problems: tuple[FileError, ...] = ()
    """What could not be sealed, and why. It stays as it is; its journal is the truth."""

    @property
    def segments(self) -> int:
        """How many segments were sealed now."""
        return sum(map(len, self.entries.values()))

    @property
    def rows(self) -> int:
        """How many rows they have."""
        return sum(part.rows for entries in self.entries.values() for entry in entries for part in entry.parts)

    def __repr__(self) -> str:
        return f"<Rebuilt segments={self.segments} rows={self.rows} problems={len(self.problems)}>"


def rebuild(directory: Directory, recorder: str | None = None) -> Rebuilt:
    """Seal all segments anew, out of their journals; whatever Parquet and manifests say.

    A segment whose journal lost lines since it was sealed is told of, and keeps the Parquet files that it has; so does
    the one after it, which cannot be decoded as it was without them.

    :param recorder: rebuild only this one's segments
    :raises RecordingInUse: if ``recorder`` is at work
    :raises RecordingError: if there is no ``recorder`` of that name, or something cannot be written
    """
    return _each(directory, recorder, _rebuild_one)


def seal_left(directory: Directory, recorder: str | None = None) -> Rebuilt:
    """Seal the segments that recorders which are no more left unsealed. Arguments and errors as :func:`rebuild`."""
    return _each(directory, recorder, _seal_left_of_one)


class _Work:
    """The segments of one recorder that is not at work, and what becomes of them."""

    def __init__(self, directory: Directory, recorder: str, segments: list[Segment]) -> None:
        self.directory, self.recorder, self.segments = directory, recorder, segments
        self.entries: list[SegmentEntry] = []
        self.removed: list[str] = []
        self.problems: list[FileError] = []

    def seal(self, sealer: Sealer, number: int, *, repack: bool) -> None:
        """Seal a segment; one whose journal cannot be digested is told of, and left."""
        try:
            self.entries.append(sealer.seal(number, repack=repack))
        except RecordingCorrupt as exc:
            self.problems.append(exc)

    def manifest(self, *, anew: bool) -> Manifest | None:
        """The recorder's manifest; if ``anew``, one is made in the place of one that cannot be read."""
        try:
            found = self.directory.manifest(self.recorder)
        except RecordingTooNew:
            raise
        except RecordingCorrupt:
            if not anew:
                raise
            found = None
        return found or self._from_head()

    def _from_head(self) -> Manifest | None:
        for segment in self.segments:
            try:
                head = journal.read_head(segment.path)
            except FileError as exc:
                self.problems.append(exc)
                continue
            return Manifest(
                recorder=self.recorder,
                protocol=head.protocol,
                url=head.url,
                topics=head.topics,
                started_ns=head.t,
                state="recovered",
            )
        return None


def _each(directory: Directory, recorder: str | None, do: Callable[[_Work], None]) -> Rebuilt:
    recovered = recover(directory)
    contents = directory.read()
    if recorder is not None and recorder not in contents.recorders:
        known = ", ".join(contents.recorders) or "nobody"
        raise RecordingError(f"{directory.path} has no recorder {recorder!r}; those who wrote there: {known}.")
    if recorder in contents.live:
        raise RecordingInUse(f"{recorder!r} is at work in {directory.path}: end it first; it seals what it wrote.")
    works: list[_Work] = []
    live = set(contents.live)
    for name in contents.recorders if recorder is None else (recorder,):
        work = _Work(directory, name, [s for s in contents.segments if s.recorder == name and s.present])
        try:
            _locked(work, do, live)
        except RecordingCorrupt as exc:
            work.problems.append(exc)
        works.append(work)
    nobodys = [s.path for s in contents.segments if s.present and s.recorder is None and recorder is None]
    heads = [RecordingCorrupt(f"{path} does not tell whose it is: its first lines cannot be read.") for path in nobodys]
    return Rebuilt(
        recovered=recovered,
        entries={work.recorder: tuple(work.entries) for work in works if work.recorder not in live},
        removed=tuple(path for work in works for path in work.removed),
        live=tuple(sorted(live)),
        problems=(*heads, *(problem for work in works for problem in work.problems)),
    )


def _locked(work: _Work, do: Callable[[_Work], None], live: set[str]) -> None:
    """Do it under the recorder's lock, so that nobody else does; whoever has it is at work."""
    if work.recorder in live:
        return
    try:
        lock = work.directory.lock(work.recorder)
    except RecordingInUse:
        live.add(work.recorder)
        return
    with lock:
        do(work)


def _rebuild_one(work: _Work) -> None:
    old = work.manifest(anew=True)
    if old is None:
        return
    there = {segment.number: segment.path for segment in work.segments}
    as_sealed = {e.number for e in old.segments if e.number in there and _is_as_sealed(there[e.number], e)}
    kept = _kept(work, old.segments, there, as_sealed)
    sealer = Sealer(work.directory, old)
    sealer.note(segments=tuple(entry for entry in old.segments if entry.number in kept))
    for number in there:
        if number not in kept:
            work.seal(sealer, number, repack=number not in as_sealed)
    _remove_others(work, {part.path for entry in sealer.manifest.segments for part in entry.parts})


def _is_as_sealed(path: Path, entry: SegmentEntry) -> bool:
    return size_and_sha256(path) == (entry.bytes, entry.sha256)


def _kept(
    work: _Work, entries: Sequence[SegmentEntry], there: Mapping[int, Path], as_sealed: Collection[int]
) -> frozenset[int]:
    """Segments that sealing would make poorer: those that lost lines, and those after them, which hang on these."""
    kept: set[int] = set()
    before_is_poorer = False
    for entry in entries:
        poorer = entry.number not in as_sealed and _is_poorer(work, there.get(entry.number), entry)
        if poorer or (before_is_poorer and entry.number in as_sealed):
            kept.add(entry.number)
        before_is_poorer = poorer
    return frozenset(kept)


def _is_poorer(work: _Work, path: Path | None, entry: SegmentEntry) -> bool:
    """Whether a journal has lost lines since it was sealed; what it says no more, its Parquet files may say still."""
    stay = "its Parquet files stay as they are"
    if path is None:
        work.problems.append(RecordingCorrupt(f"{entry.journal} is missing; {stay}."))
        return True
    try:
        found = journal.scan(path)
    except FileError as exc:
        work.problems.append(RecordingCorrupt(f"{exc} So {stay}."))
        return True
    if found.lines >= entry.lines:
        return False
    lost = f"{found.lines:,} of the {entry.lines:,} lines that it was sealed with can be read"
    work.problems.append(RecordingCorrupt(f"{path} is damaged: {lost}; {stay}."))
    return True


def _seal_left_of_one(work: _Work) -> None:
    manifest = work.manifest(anew=False)
    if manifest is None:
        return
    left = [s for s in work.segments if manifest.entry(s.number) is None]
    sealer = Sealer(work.directory, manifest)
    for segment in left:
        work.seal(sealer, segment.number, repack=True)


def _remove_others(work: _Work, named: set[str]) -> None:
    """Remove the recorder's Parquet files that no segment has (any more), and what a killed sealer left of some."""
    root = work.directory.path
    ours = re.compile(
        rf"{re.escape(work.recorder)}-\d{{6,18}}\.parquet|\.{re.escape(work.recorder)}-\d+\.parquet\.part"
    )
    with disk.told(f"Cannot remove old parts from {root}"):
        for path in sorted({*root.glob("topic=*/date=*/*"), *root.glob("topic=*/date=*/.*")}):
            relative = path.relative_to(root).as_posix()
            if ours.fullmatch(path.name) and relative not in named:
                path.unlink()
                work.removed.append(relative)
