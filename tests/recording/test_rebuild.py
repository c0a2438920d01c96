"""Making Parquet again from the journals: equal to what it was, whatever became of it, and never believed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
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

from aurigraph_nb.errors import RecordingCorrupt, RecordingError, RecordingInUse, RecordingTooNew
from aurigraph_nb.protocols import PROTOCOLS
from aurigraph_nb.recording import directory as directories
from aurigraph_nb.recording import journal
from aurigraph_nb.recording.directory import Directory
from aurigraph_nb.recording.manifest import Manifest
from aurigraph_nb.recording.parts import table_digest
from aurigraph_nb.recording.rebuild import rebuild, seal_left
from aurigraph_nb.recording.sealer import Sealer
from aurigraph_nb.recording.verify import verify


def expected(protocol: str = "portal") -> dict[str, str]:
    lines = segments_of(model_lines(protocol), 1, protocol=protocol)[0]
    return {topic: table_digest(table) for topic, table in tables_of(protocol, lines).items()}


@pytest.fixture
def sealed(tmp_path: Path) -> Directory:
    directory, manifest = unsealed(tmp_path / "rec")
    work = Sealer(directory, manifest)
    for number in (1, 2, 3):
        work.seal(number)
    work.note(state="ended", ended_ns=5)
    return directory


def remove_parts(directory: Directory) -> None:
    for folder in directory.path.glob("topic=*"):
        shutil.rmtree(folder)


def spoil_parts(directory: Directory) -> None:
    for path in directory.path.glob("topic=*/*/*.parquet"):
        path.write_bytes(b"PAR1 and nothing")


def remove_manifest(directory: Directory) -> None:
    directory.manifest_path("rec").unlink()


def spoil_manifest(directory: Directory) -> None:
    directory.manifest_path("rec").write_text("{")


def spoil_nothing(directory: Directory) -> None:
    pass


@pytest.mark.parametrize("protocol", sorted(PROTOCOLS))
def test_a_rebuilt_recording_is_the_original_byte_for_byte(tmp_path: Path, protocol: str) -> None:
    directory, manifest = unsealed(tmp_path / "rec", protocol)
    work = Sealer(directory, manifest)
    for number in (1, 2, 3):
        work.seal(number)
    before, tables = files_of(directory), sealed_tables(directory)
    assert tables == expected(protocol)
    remove_parts(directory)
    rebuilt = rebuild(directory)
    assert (rebuilt.segments, rebuilt.problems) == (3, ())
    assert files_of(directory) == before and sealed_tables(directory) == tables
    assert rebuilt.rows == sum(part.rows for entry in work.manifest.segments for part in entry.parts)


@pytest.mark.parametrize("spoil", [spoil_nothing, remove_parts, spoil_parts, remove_manifest, spoil_manifest])
def test_whatever_became_of_parts_and_manifest_the_rows_and_gaps_are_there_again(
    sealed: Directory, spoil: Callable[[Directory], None]
) -> None:
    gaps = gaps_of(sealed.manifest("rec"))
    spoil(sealed)
    rebuilt = rebuild(sealed)
    assert rebuilt.segments == 3 and rebuilt.problems == ()
    assert sealed_tables(sealed) == expected() and gaps_of(sealed.manifest("rec")) == gaps
    assert verify(sealed).ok


def test_a_newer_decoder_reads_old_feeds_anew(sealed: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sealed_tables(sealed)
    portal = type(PROTOCOLS["portal"])
    decoder = portal.decoder

    class Newer:
        """Knows no transactions any more."""

        def __init__(self, old: object) -> None:
            self._old = old

        def decode(self, frames: object) -> object:
            batch = self._old.decode(frames)  # type: ignore[attr-defined]
            batch.rows.pop("transactions", None)
            return batch

    monkeypatch.setattr(portal, "decoder", lambda self, ledger: Newer(decoder(self, ledger)))
    rebuilt = rebuild(sealed)
    after = sealed_tables(sealed)
    assert after == {topic: digest for topic, digest in before.items() if topic != "transactions"}
    assert len(rebuilt.removed) == 3 and all(path.startswith("topic=transactions/") for path in rebuilt.removed)
    assert not list(sealed.path.glob("topic=transactions/*/*.parquet"))
    monkeypatch.undo()
    rebuild(sealed)
    assert sealed_tables(sealed) == before


def test_a_journal_that_is_packed_already_is_not_packed_again(
    sealed: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    seal = Sealer.seal
    monkeypatch.setattr(
        Sealer, "seal", lambda self, n, *, repack: (asked.append(repack), seal(self, n, repack=repack))[1]
    )
    rebuild(sealed)
    remove_manifest(sealed)
    rebuild(sealed)
    assert asked == [False] * 3 + [True] * 3


def test_what_somebody_else_keeps_there_stays(sealed: Directory) -> None:
    folder = next(sealed.path.glob("topic=metrics/*"))
    mine = [folder / "mine.parquet", folder / "rec-x.parquet", sealed.path / "notes.txt"]
    stale = [folder / "rec-000099.parquet", folder / ".rec-000098.parquet.part"]
    for path in mine + stale:
        path.write_bytes(b"x")
    rebuilt = rebuild(sealed)
    assert all(path.exists() for path in mine) and not any(path.exists() for path in stale)
    assert sorted(rebuilt.removed) == sorted(path.relative_to(sealed.path).as_posix() for path in stale)


def test_killed_in_the_middle_of_rebuilding_it_reads_out_of_the_journal(
    sealed: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    seal = Sealer.seal

    def until_2(self: Sealer, segment: int, *, repack: bool = True) -> object:
        if segment == 3:
            raise Killed
        return seal(self, segment, repack=repack)

    monkeypatch.setattr(Sealer, "seal", until_2)
    with pytest.raises(Killed):
        rebuild(sealed)
    monkeypatch.undo()
    left = [segment.number for segment in sealed.segments() if segment.entry is None]
    assert left == [3]
    assert seal_left(sealed).segments == 1
    assert sealed_tables(sealed) == expected()


# Segments that were left


def test_what_a_dead_recorder_left_is_recovered_and_sealed(tmp_path: Path) -> None:
    directory, manifest = unsealed(tmp_path / "rec")
    Sealer(directory, manifest).seal(1)
    last = directory.journal / journal.file_name(3)
    last.write_bytes(last.read_bytes() + b"\x28\xb5\x2f\xfd torn")
    done = seal_left(directory)
    assert done.segments == 2 and [entry.number for entry in done.entries["rec"]] == [2, 3]
    assert sealed_tables(directory) == expected()
    found = directory.manifest("rec")
    assert found is not None and found.state == "recovered" and found.segments[2].cut == 9
    assert [recovered.bytes for recovered in done.recovered if recovered.bytes] == [9]
    assert seal_left(directory).segments == 0
    assert verify(directory).ok


def test_a_recorder_without_a_manifest_gets_one_from_its_head(tmp_path: Path) -> None:
    directory, manifest = unsealed(tmp_path / "rec")
    assert seal_left(directory).segments == 3
    found = directory.manifest("rec")
    assert found is not None
    assert (found.url, found.topics, found.started_ns) == (manifest.url, manifest.topics, manifest.started_ns)
    assert sealed_tables(directory) == expected()


def test_a_recorder_that_is_at_work_is_left_alone(sealed: Directory) -> None:
    segments = segments_of(model_lines(seed=4), 1, protocol="portal", recorder="busy")
    write_segments(sealed, segments)
    new_manifest(segments[0][0]).save(sealed.manifest_path("busy"))
    with sealed.lock("busy"):
        done = rebuild(sealed)
        assert done.live == ("busy",) and list(done.entries) == ["rec"]
        with pytest.raises(RecordingInUse, match="'busy' is at work in"):
            rebuild(sealed, "busy")
    assert rebuild(sealed, "busy").segments == 1
    assert list(seal_left(sealed, "rec").entries) == ["rec"]


def test_who_takes_the_name_in_between_is_at_work_too(sealed: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    def held(self: Directory, recorder: str) -> object:
        raise RecordingInUse("somebody was faster")

    monkeypatch.setattr(Directory, "lock", held)
    before = files_of(sealed)
    done = rebuild(sealed)
    assert (done.live, done.segments) == (("rec",), 0) and files_of(sealed) == before


def test_a_name_that_nobody_has_is_told(sealed: Directory) -> None:
    with pytest.raises(RecordingError, match=r"has no recorder 'who'; those who wrote there: rec\."):
        rebuild(sealed, "who")


# What cannot be sealed


def test_a_segment_without_its_first_lines_is_told_and_the_rest_is_rebuilt(sealed: Directory) -> None:
    path = sealed.journal / journal.file_name(2)
    path.write_bytes(b"nothing of a journal" * 10)
    remove_manifest(sealed)
    done = rebuild(sealed)
    assert [entry.number for entry in done.entries["rec"]] == [1, 3]
    assert any(path.name in str(problem) for problem in done.problems)


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def spoil_all(path: Path) -> None:
    path.write_bytes(b"nothing of a journal" * 10)


@pytest.mark.parametrize("harm", [flip_a_bit, cut_in_half, spoil_all, Path.unlink])
def test_rows_that_a_journal_has_lost_are_not_taken_from_the_parquet_files_too(
    sealed: Directory, harm: Callable[[Path], None]
) -> None:
    before = sealed_tables(sealed, "rec")
    path = sealed.journal / journal.file_name(2)
    harm(path)
    done = rebuild(sealed)
    assert sealed_tables(sealed, "rec") == before and done.removed == ()
    assert [entry.number for entry in done.entries["rec"]] == [1]
    assert any(path.name in str(problem) and "stay as they are" in str(problem) for problem in done.problems)


def test_what_comes_after_a_journal_that_is_missing_is_sealed(sealed: Directory) -> None:
    manifest = sealed.manifest("rec")
    assert manifest is not None
    work = Sealer(sealed, manifest)
    work.note(segments=manifest.segments[:2])
    (sealed.journal / journal.file_name(2)).unlink()
    done = seal_left(sealed)
    (entry,) = done.entries["rec"]
    was = manifest.segments[2]
    assert (entry.number, entry.frames, done.problems) == (3, was.frames, ())
    assert {part.path: part.rows for part in entry.parts} == {part.path: part.rows for part in was.parts}


def test_lines_that_make_no_sense_are_told_and_the_rest_is_rebuilt(tmp_path: Path) -> None:
    directory = directories.create_or_open(tmp_path / "rec", "live")
    segments = segments_of(model_lines("live"), 2, protocol="live")
    head = segments[1][0]
    segments[1][0] = msgspec.structs.replace(head, protocol="portal")
    write_segments(directory, segments)
    done = rebuild(directory)
    assert [entry.number for entry in done.entries["rec"]] == [1]
    (problem,) = done.problems
    assert isinstance(problem, RecordingCorrupt) and "is of the protocol 'portal'" in str(problem)


def test_a_manifest_of_a_newer_version_is_not_written_over(sealed: Directory) -> None:
    path = sealed.manifest_path("rec")
    path.write_text(path.read_text().replace('"version": 1', '"version": 99', 1))
    before = files_of(sealed)
    done = rebuild(sealed)
    assert files_of(sealed) == before and done.segments == 0
    assert [type(problem) for problem in done.problems] == [RecordingTooNew]


def test_a_rebuild_says_what_it_did(sealed: Directory) -> None:
    assert repr(rebuild(sealed)).startswith("<Rebuilt segments=3 rows=")
    assert isinstance(sealed.manifest("rec"), Manifest)
    assert sealed.manifest("rec").state == "ended"  # type: ignore[union-attr]
