"""Sealing: same rows, same lines, same bytes; and whoever is killed in between leaves what reads the same."""

from __future__ import annotations

import builtins
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journals import (
    files_of,
    gaps_of,
    model_lines,
    new_manifest,
    sealed_tables,
    segments_of,
    tables_of,
    unsealed,
    write_segments,
)

from aurigraph_nb.columns import records_to_table
from aurigraph_nb.errors import RecordingCorrupt, RecordingError
from aurigraph_nb.gaps import Cause, Gap
from aurigraph_nb.protocols import PROTOCOLS
from aurigraph_nb.recording import directory as directories
from aurigraph_nb.recording import journal, sealer, whole
from aurigraph_nb.recording.digest import Digest
from aurigraph_nb.recording.directory import Directory
from aurigraph_nb.recording.lines import FrameLine
from aurigraph_nb.recording.manifest import Cut, Manifest
from aurigraph_nb.recording.parts import read_part, table_digest
from aurigraph_nb.recording.sealer import Sealer, digest_segment
from aurigraph_nb.recording.verify import verify


def lines_of(directory: Directory, segment: int) -> bytes:
    path = directory.journal / journal.file_name(segment)
    return b"".join(block.data for block in journal.read_raw(path))


@pytest.mark.parametrize("protocol", sorted(PROTOCOLS))
def test_the_parts_hold_the_rows_of_the_lines_and_the_manifest_the_gaps(tmp_path: Path, protocol: str) -> None:
    directory, manifest = unsealed(tmp_path / "rec", protocol)
    lines = segments_of(model_lines(protocol), 1, protocol=protocol)[0]
    work = Sealer(directory, manifest)
    entries = [work.seal(number) for number in (1, 2, 3)]
    assert sealed_tables(directory) == {t: table_digest(x) for t, x in tables_of(protocol, lines).items()}
    whole = Digest(protocol)
    whole.take(lines)
    assert gaps_of(work.manifest) == whole.book.entries() and whole.book.entries()
    assert sum(entry.frames for entry in entries) == whole.counts.frames
    assert sum(entry.undecoded for entry in entries) == whole.counts.undecoded.total() == 1
    assert sum(part.rows for entry in entries for part in entry.parts) == whole.counts.rows.total()
    assert directory.manifest("rec") == work.manifest
    assert verify(directory).ok


def test_an_entry_tells_of_its_segment(tmp_path: Path) -> None:
    directory, manifest = unsealed(tmp_path / "rec", count=1)
    manifest = manifest.with_cut(Cut(segment=1, bytes=77, lines=3, good_bytes=9, why="it ended suddenly"))
    (lines,) = segments_of(model_lines(), 1, protocol="portal")
    times = [line.t for line in lines if isinstance(line, FrameLine)]
    raw = lines_of(directory, 1)
    entry = Sealer(directory, manifest).seal(1)
    data = (directory.journal / entry.journal).read_bytes()
    assert (entry.number, entry.journal, entry.cut) == (1, "000001.jsonl.zst", 77)
    assert (entry.bytes, entry.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert (entry.lines, entry.frames, entry.raw_bytes) == (len(lines), len(times), len(raw))
    assert (entry.first_ns, entry.last_ns) == (min(times), max(times))


def test_the_journal_is_packed_again_with_the_very_same_lines(tmp_path: Path) -> None:
    directory, manifest = unsealed(tmp_path / "rec", count=1)
    path = directory.journal / "000001.jsonl.zst"
    before, size = lines_of(directory, 1), path.stat().st_size
    entry = Sealer(directory, manifest).seal(1)
    assert lines_of(directory, 1) == before and entry.bytes < size / 2
    scan = journal.scan(path)
    assert scan.damage is None and scan.end is not None and scan.blocks == -(-scan.lines // sealer.BLOCK_LINES)


def test_long_lines_end_a_block_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealer, "BLOCK_BYTES", 5_000)
    directory, manifest = unsealed(tmp_path / "rec", count=1)
    before = lines_of(directory, 1)
    Sealer(directory, manifest).seal(1)
    blocks = list(journal.read_raw(directory.journal / "000001.jsonl.zst"))
    assert lines_of(directory, 1) == before and 5_000 <= len(blocks[0].data) < 12_000


def test_equal_lines_are_sealed_to_equal_bytes_however_they_were_flushed(tmp_path: Path) -> None:
    found = []
    for flush in (1, 7, 1_000):
        directory = directories.create_or_open(tmp_path / str(flush), "portal")
        segments = segments_of(model_lines(), 2, protocol="portal")
        write_segments(directory, segments, flush=flush)
        work = Sealer(directory, new_manifest(segments[0][0]))
        work.seal(1)
        work.seal(2)
        found.append(files_of(directory))
    assert found[0] == found[1] == found[2] and len(found[0]) > 10


def test_a_row_goes_to_the_day_on_which_it_came(tmp_path: Path) -> None:
    directory, manifest = unsealed(tmp_path / "rec", count=1, start="2026-03-01T23:59:40Z")
    entry = Sealer(directory, manifest).seal(1)
    days = [(part.topic, part.path.split("/")[1], part.rows) for part in entry.parts if part.topic == "metrics"]
    assert [day for _, day, _ in days] == ["date=2026-03-01", "date=2026-03-02"]
    tables = [read_part(directory.path / p.path) for p in entry.parts if p.topic == "metrics"]
    assert all(table.num_rows for table in tables)
    whole = tables_of("portal", segments_of(model_lines(start="2026-03-01T23:59:40Z"), 1, protocol="portal")[0])
    assert table_digest(pa.concat_tables(tables)) == table_digest(whole["metrics"])


@settings(max_examples=6, deadline=None)
@given(order=st.permutations([1, 2, 3, 4]))
def test_segments_sealed_out_of_order_or_by_a_newcomer_have_the_same_rows_and_gaps(
    tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    directory, manifest = unsealed(tmp_path_factory.mktemp("order") / "rec", "live", count=4)
    for number in order:
        manifest = directory.manifest("rec") or manifest
        Sealer(directory, manifest).seal(number)  # who knows nothing of the segments before
    lines = segments_of(model_lines("live"), 1, protocol="live")[0]
    assert sealed_tables(directory) == {t: table_digest(x) for t, x in tables_of("live", lines).items()}
    whole = Digest("live")
    whole.take(lines)
    assert gaps_of(directory.manifest("rec")) == whole.book.entries()


def test_segments_of_several_recorders_do_not_mix(tmp_path: Path) -> None:
    directory = directories.create_or_open(tmp_path / "rec", "portal")
    a = segments_of(model_lines(), 2, protocol="portal", recorder="a")
    b = segments_of(model_lines(seed=9), 2, protocol="portal", recorder="b")
    write_segments(directory, [a[0], b[0], a[1], b[1]])
    for segments, numbers in ((a, (1, 3)), (b, (2, 4))):
        work = Sealer(directory, new_manifest(segments[0][0]))
        for number in numbers:
            work.seal(number)
    for name, seed in (("a", 1), ("b", 9)):
        expected = tables_of("portal", segments_of(model_lines(seed=seed), 1, protocol="portal")[0])
        assert sealed_tables(directory, name) == {t: table_digest(x) for t, x in expected.items()}


def test_the_manifest_can_be_noted_in_between(tmp_path: Path) -> None:
    directory, manifest = unsealed(tmp_path / "rec", count=2)
    work = Sealer(directory, manifest)
    work.seal(1)
    assert work.note(state="ended", ended_ns=9).state == "ended"
    work.seal(2)
    found = directory.manifest("rec")
    assert found is not None and (found.state, found.ended_ns, len(found.segments)) == ("ended", 9, 2)


# What is wrong


def test_damage_is_read_around_and_its_file_is_left_as_it_is(tmp_path: Path) -> None:
    directory, manifest = unsealed(tmp_path / "rec", count=1)
    path = directory.journal / "000001.jsonl.zst"
    block = list(journal.read_raw(path))[5]
    data = bytearray(path.read_bytes())
    data[block.start + 20] ^= 1
    path.write_bytes(data)
    work = Sealer(directory, manifest)
    entry = work.seal(1)
    assert path.read_bytes() == data and entry.sha256 == hashlib.sha256(data).hexdigest()
    down = [gap for _, gap in entry.gaps if gap.cause is Cause.RECORDER_DOWN]
    assert {gap.topic for gap in down} == set(PROTOCOLS["portal"].topics)
    assert all("000001.jsonl.zst is damaged" in gap.detail for gap in down)
    assert sum(part.rows for part in entry.parts) > 100
    assert not verify(directory).ok


def test_a_segment_that_cannot_be_digested_is_refused_and_left(tmp_path: Path) -> None:
    directory = directories.create_or_open(tmp_path / "rec", "portal")
    (lines,) = segments_of(model_lines(), 1, protocol="portal")
    lines[50:50] = [FrameLine(1, "metrics", 1, "%", "b64")]
    write_segments(directory, [lines])
    before = files_of(directory)
    with pytest.raises(RecordingCorrupt, match="segment 1 by rec cannot be read"):
        Sealer(directory, new_manifest(lines[0])).seal(1)
    assert files_of(directory) == before


def test_a_full_disk_leaves_the_segment_unsealed_and_the_next_try_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, manifest = unsealed(tmp_path / "rec", count=2)
    work = Sealer(directory, manifest)
    work.seal(1)
    before = files_of(directory)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", raises(OSError(28, "No space left on device")))
        with pytest.raises(RecordingError, match=r"Cannot seal segment 2 of .*: the disk is full"):
            work.seal(2)
    assert files_of(directory) == before
    work.seal(2)
    lines = segments_of(model_lines(), 1, protocol="portal")[0]
    expected = tables_of("portal", lines)
    assert sealed_tables(directory) == {t: table_digest(x) for t, x in expected.items()}
    whole = Digest("portal")
    whole.take(lines)
    assert gaps_of(work.manifest) == whole.book.entries()


def test_a_link_in_place_of_a_folder_is_not_followed(tmp_path: Path) -> None:
    directory, manifest = unsealed(tmp_path / "rec", count=1)
    (tmp_path / "elsewhere").mkdir()
    (directory.path / "topic=metrics").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RecordingCorrupt, match="symbolic link"):
        Sealer(directory, manifest).seal(1)
    assert list((tmp_path / "elsewhere").iterdir()) == []


# Killed at every step


class Killed(BaseException):
    """The process is no more; nothing that it would still do happens."""


def raises(exc: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise exc

    return fail


class Steps:
    """Counts what is done to files that may be written, and kills at one step: from there on nothing works.

    Of what is written to one file, the first portion is a step (and the fatal one is done by half).
    """

    def __init__(self, patch: pytest.MonkeyPatch, fatal: int | None = None) -> None:
        self.count, self.fatal = 0, fatal
        self.files: list[Any] = []
        patch.setattr(os, "fsync", lambda fd: None)  # takes its time
        for name in ("replace", "rename", "unlink", "fsync", "mkdir", "truncate", "ftruncate", "link"):
            patch.setattr(os, name, self.step(getattr(os, name)))
        plain, write = self.step(builtins.open), whole.HashedFile.write
        patch.setattr(builtins, "open", lambda *args, **options: self.keep(plain(*args, **options)))
        patch.setattr(whole.HashedFile, "write", lambda file, data: self.write(write, file, data))

    def keep(self, file: Any) -> Any:
        self.files.append(file)
        return file

    def write(self, do: Callable[..., Any], file: Any, data: Any) -> Any:
        if file.bytes and not self.dead:
            return do(file, data)
        if self.fatal == self.count + 1:
            do(file, bytes(data)[: len(data) // 2])
        return self.step(do)(file, data)

    @property
    def dead(self) -> bool:
        return self.fatal is not None and self.count >= self.fatal

    def step(self, do: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **options: Any) -> Any:
            self.count += 1
            if self.dead:
                raise Killed
            return do(*args, **options)

        return stepped


def seal_all(directory: Directory, manifest: Manifest) -> None:
    work = Sealer(directory, directory.manifest("rec") or manifest)
    for segment in directory.segments():
        if segment.entry is None:
            work.seal(segment.number)


def killed_at(fatal: int, do: Callable[[], object]) -> None:
    """Do it until this step, and clear away what a process takes with it."""
    with pytest.MonkeyPatch.context() as patch:
        steps = Steps(patch, fatal)
        with pytest.raises(Killed):
            do()
    for file in steps.files:
        file.close()


def read_through(directory: Directory) -> tuple[dict[str, str], dict[int, Gap]]:
    """What a reader gets: sealed segments out of their parts, the others out of their journals."""
    digest, tables = Digest(directory.protocol), {}
    manifest = directory.manifest("rec")
    for segment in directory.segments():
        for _ in digest_segment(segment.path, digest):
            pass
        rows = {t: records_to_table(digest.record_type(t), records) for t, records in digest.drain().items()}
        entry = manifest.entry(segment.number) if manifest else None
        if entry is not None:
            rows = {}
            for part in entry.parts:
                rows[part.topic] = read_part(directory.path / part.path, sha256=part.sha256)
            assert (segment.path.stat().st_size) == entry.bytes
        for topic, table in rows.items():
            tables.setdefault(topic, []).append(table)
    return {t: table_digest(pa.concat_tables(some)) for t, some in tables.items()}, digest.book.entries()


def test_killed_at_any_step_a_recording_reads_the_same_and_is_sealed_the_same(tmp_path: Path) -> None:
    made, manifest = unsealed(tmp_path / "made", count=2, duration="5s", topics=("metrics", "network"))
    expected = read_through(made)
    again = Path(shutil.copytree(made.path, tmp_path / "again"))
    with pytest.MonkeyPatch.context() as patch:
        steps = Steps(patch)
        seal_all(made, manifest)
    done = files_of(made)
    assert read_through(made) == expected and steps.count > 30
    for fatal in range(1, steps.count + 1):
        directory = directories.open(shutil.copytree(again, tmp_path / f"killed-{fatal}"))
        killed_at(fatal, lambda: seal_all(directory, manifest))  # noqa: B023 - called at once
        assert read_through(directory) == expected, f"killed at step {fatal}"
        seal_all(directory, manifest)
        assert read_through(directory) == expected
        assert {name: data for name, data in files_of(directory).items() if "/." not in name} == done
