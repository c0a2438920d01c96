"""Recovery: what a sudden end left is cut to the last whole flush, told, written down, and the original kept."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys

import msgspec
import pytest

from aurigraph_nb.errors import RecordingError
from aurigraph_nb.recording import disk
from aurigraph_nb.recording import recover as recovery
from aurigraph_nb.recording.journal import chunks, read_segment, scan
from aurigraph_nb.recording.manifest import Manifest
from aurigraph_nb.recording.recover import recover
from aurigraph_nb.recording.verify import verify


@pytest.fixture
def torn(scribe, recording):
    """A segment whose third flush got half-way to the disk."""
    path = scribe.segment(recording, [scribe.frames(5), scribe.frames(6, 5), scribe.frames(50, 11)], ended=False)
    os.truncate(path, path.stat().st_size - 40)
    return path


def lines_of(path):
    return [line for lines in read_segment(path) for line in lines]


def test_a_torn_flush_is_cut_off_told_and_the_original_kept(scribe, recording, torn):
    before = torn.read_bytes()
    (told,) = recover(recording)
    assert lines_of(torn) == [scribe.head(), *scribe.frames(11)]
    assert told.kept == recording.path / "kept" / "000001.jsonl.zst"
    assert told.kept.read_bytes() == before
    assert told.bytes == len(before) - torn.stat().st_size
    assert (told.segment, told.recorder, told.lines, told.problem) == (1, "a", 12, "")
    assert str(told) == (
        "Segment 1 of a: its recorder ended suddenly, and the file ends within a frame; "
        f"{told.bytes} bytes cut off, 12 lines kept."
    )


def test_recovery_is_written_down_and_done_once(recording, torn):
    (told,) = recover(recording)
    manifest = Manifest.load(recording.manifest_path("a"))
    cut = manifest.cut(1)
    assert manifest.state == "recovered"
    assert (cut.bytes, cut.lines, cut.good_bytes, cut.kept) == (
        told.bytes,
        12,
        torn.stat().st_size,
        "kept/000001.jsonl.zst",
    )
    assert recover(recording) == ()
    assert verify(recording).ok
    assert os.listdir(recording.path / "lock") == []


def test_a_sudden_end_between_two_flushes_is_told_as_well(scribe, recording):
    path = scribe.segment(recording, [scribe.frames(5)], ended=False)
    before = path.read_bytes()
    (finding,) = verify(recording).findings
    assert finding.kind == "unfinished" and "rebuild() makes it whole" in finding.detail
    (told,) = recover(recording)
    assert (told.bytes, told.lines, told.kept) == (0, 6, None)
    assert "nothing had to be cut off, 6 lines kept" in str(told)
    assert path.read_bytes() == before
    assert verify(recording).ok
    assert recover(recording) == ()


def test_what_ended_in_good_order_is_left_alone(scribe, recording):
    scribe.segment(recording, [scribe.frames(5)])
    assert recover(recording) == ()
    assert os.listdir(recording.path / "manifest") == []


def test_what_comes_after_a_good_end_is_cut_off(scribe, recording):
    path = scribe.segment(recording, [scribe.frames(5)])
    before = lines_of(path)
    with path.open("ab") as file:
        file.write(bytes(64))
    (told,) = recover(recording)
    assert told.bytes == 64
    assert lines_of(path) == before


def test_the_segment_of_a_living_recorder_is_not_touched(recording, torn):
    before = torn.read_bytes()
    with recording.lock("a"):
        assert recover(recording) == ()
    assert torn.read_bytes() == before
    assert len(recover(recording)) == 1


def test_a_recorder_that_comes_to_life_meanwhile_is_left_alone(recording, torn):
    looked = recording.read()
    before = torn.read_bytes()
    with recording.lock("a"):
        assert recover(recording, looked) == ()
    assert torn.read_bytes() == before


def test_damage_in_the_middle_stays_and_only_the_torn_end_goes(scribe, recording, torn):
    data = bytearray(torn.read_bytes())
    data[scan(torn).good_bytes // 2] ^= 4
    torn.write_bytes(data)
    (told,) = recover(recording)
    after = torn.read_bytes()
    assert after == bytes(data)[: len(after)]
    assert len(after) == len(data) - told.bytes
    assert told.lines < 12
    assert [f.kind for f in verify(recording).findings] == ["damage"]


def test_a_segment_whose_first_line_is_gone_is_left_to_verify(recording, torn):
    torn.write_bytes(b"\0" * 100)
    assert recover(recording) == ()
    assert torn.read_bytes() == b"\0" * 100
    assert {f.kind for f in verify(recording).findings} == {"unreadable", "damage"}


def test_a_recording_that_cannot_be_written_is_told_and_read_as_if_cut(scribe, recording, torn, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    before = torn.read_bytes()
    monkeypatch.setattr(disk, "write_synced", refuse)
    monkeypatch.setattr(shutil, "copyfile", refuse)
    (told,) = recover(recording)
    assert (told.lines, told.kept) == (12, None)
    assert "read-only" in told.problem
    assert "Not written down" in str(told)
    assert torn.read_bytes() == before
    monkeypatch.undo()
    assert recover(recording)[0].problem == ""


@pytest.mark.parametrize("step", ["keep", "save", "cut"])
def test_a_recovery_that_is_cut_short_is_done_again(recording, torn, monkeypatch, step):
    before = torn.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise RecordingError("the power went")

    place = {"keep": (recovery, "_keep"), "save": (Manifest, "save"), "cut": (recovery, "_truncate")}[step]
    monkeypatch.setattr(*place, fail)
    assert recover(recording)[0].problem == "the power went"
    assert torn.read_bytes() == before
    monkeypatch.undo()
    (told,) = recover(recording)
    assert told.kept.read_bytes() == before
    assert os.listdir(recording.path / "kept") == ["000001.jsonl.zst"]
    assert verify(recording).ok


def test_an_original_that_was_kept_is_never_overwritten(recording, torn):
    first = recording.path / "kept" / "000001.jsonl.zst"
    first.write_bytes(b"of an earlier time")
    (told,) = recover(recording)
    assert told.kept.name == "000001.jsonl.zst.2"
    assert first.read_bytes() == b"of an earlier time"


def test_a_recorder_that_failed_has_its_reason_told(scribe, recording):
    scribe.segment(recording, [scribe.frames(5)], ended=False)
    Manifest(
        recorder="a", protocol="live", url="", topics=(), started_ns=5, state="failed", detail="the disk is full"
    ).save(recording.manifest_path("a"))
    (told,) = recover(recording)
    assert told.why == "its recorder failed (the disk is full)"
    assert Manifest.load(recording.manifest_path("a")).state == "failed"


def test_a_manifest_of_a_newer_version_is_not_written_over(recording, torn):
    path = recording.manifest_path("a")
    newer = Manifest(recorder="a", protocol="live", url="", topics=(), started_ns=5, version=9).encode()
    path.write_bytes(newer)
    before = torn.read_bytes()
    assert recover(recording) == ()
    assert (path.read_bytes(), torn.read_bytes()) == (newer, before)
    assert any("version 9" in f.detail for f in verify(recording).findings)


def test_what_is_taken_away_after_recovery_is_told(scribe, recording):
    path = scribe.segment(recording, [scribe.frames(5), scribe.frames(3, 5)], ended=False)
    recover(recording)
    os.truncate(path, list(chunks(path))[1].end)
    assert recover(recording) == ()
    assert [f.kind for f in verify(recording).findings] == ["count"]


def test_the_manifest_of_a_recorder_keeps_what_it_says_of_sealed_segments(recording, torn):
    old = Manifest(recorder="a", protocol="live", url="ws://h", topics=("x",), started_ns=5, detail="kept")
    old.save(recording.manifest_path("a"))
    recover(recording)
    new = Manifest.load(recording.manifest_path("a"))
    assert msgspec.structs.replace(new, cuts=(), state="recording") == old


# Drafts


def gone_pid():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def draft_of(recording, pid, *, old=False, room="journal"):
    path = recording.path / room / f".000005.jsonl.zst.{pid}-0123abcd.tmp"
    path.write_bytes(b"half")
    if old:
        os.utime(path, (1, 1))
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="there, age alone tells")
@pytest.mark.parametrize("room", ["journal", "manifest", "kept"])
def test_a_draft_goes_with_its_process(recording, room):
    of_the_dead, of_the_living = draft_of(recording, gone_pid(), room=room), draft_of(recording, os.getpid(), room=room)
    recover(recording)
    assert not of_the_dead.exists() and of_the_living.exists()


def test_a_draft_is_gone_after_a_minute(recording):
    old = draft_of(recording, os.getpid(), old=True)
    recover(recording)
    assert not old.exists()


def test_while_recorders_are_at_work_only_what_is_old_and_of_the_dead_is_removed(recording):
    with recording.lock("busy"):
        kept = [draft_of(recording, gone_pid()), draft_of(recording, os.getpid(), old=True)]
        contents = recording.read()
        assert contents.live == {"busy"} and recovery.sweep(recording, contents) == ()
        assert all(path.exists() for path in kept)
        os.utime(kept[0], (1, 1))
        assert recovery.sweep(recording, contents) == (f"journal/{kept[0].name}",)


def test_other_files_are_no_drafts(recording):
    others = [recording.path / "journal" / name for name in (".x.tmp", "a.1-0123abcd.tmp", ".a.1-0123abcd.tmp.gz")]
    for path in others:
        path.write_bytes(b"theirs")
        os.utime(path, (1, 1))
    recover(recording)
    assert all(path.exists() for path in others)
