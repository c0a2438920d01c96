"""The directory: everything is checked before anything is written, and nothing leads outside."""

from __future__ import annotations

import errno
import os
import threading
import warnings

import msgspec
import pytest

from aurigraph_nb.errors import BadOption, RecordingCorrupt, RecordingError, RecordingInUse, RecordingTooNew
from aurigraph_nb.recording import directory as directories
from aurigraph_nb.recording import disk, identity, locks
from aurigraph_nb.recording.directory import ROOMS, Directory, create_or_open
from aurigraph_nb.recording.manifest import Manifest, SegmentEntry


def tree(path):
    return sorted(str(p.relative_to(path)) for p in path.rglob("*"))


def manifest(recorder="a", *numbers):
    entries = tuple(
        SegmentEntry(number=n, journal=f"{n:06d}.jsonl.zst", bytes=1, sha256="", lines=1, frames=0) for n in numbers
    )
    return Manifest(recorder=recorder, protocol="live", url="", topics=(), started_ns=5, segments=entries)


def test_a_new_recording_says_what_it_is(tmp_path):
    made = create_or_open(tmp_path / "deep" / "rec", "live", recording_id="r1", created_ns=5)
    said = msgspec.json.decode((made.path / "recording.json").read_bytes())
    assert said == {"format": "aurigraph-recording", "version": 1, "id": "r1", "created_ns": 5, "protocol": "live"}
    assert tree(made.path) == sorted([*ROOMS, "recording.json"])
    assert directories.open(made.path).identity == made.identity


def test_an_existing_recording_is_gone_on_with(recording):
    before = (recording.path / "recording.json").read_bytes()
    assert create_or_open(recording.path, "live", recording_id="other").identity == recording.identity
    assert (recording.path / "recording.json").read_bytes() == before


def test_ids_are_random_unless_told(tmp_path):
    made = {create_or_open(tmp_path / name, "live").identity.id for name in "abc"}
    assert len(made) == 3


def test_a_foreign_directory_is_left_alone(tmp_path):
    for name in ("thesis.tex", "data.csv", "a", "b"):
        (tmp_path / name).write_text("precious")
    with pytest.raises(RecordingError, match=r"not empty \('a', 'b', 'data.csv' and 1 more\)\. Nothing was written"):
        create_or_open(tmp_path, "live")
    assert tree(tmp_path) == ["a", "b", "data.csv", "thesis.tex"]


def test_what_desktops_and_killed_recorders_leave_is_no_foreign_thing(tmp_path):
    (tmp_path / ".DS_Store").write_bytes(b"")
    (tmp_path / ".recording.json.12-ab.tmp").write_bytes(b"{")
    assert create_or_open(tmp_path, "live").protocol == "live"


def test_a_file_is_no_place_for_a_recording(tmp_path):
    (tmp_path / "file").write_text("precious")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    with pytest.raises(RecordingError, match="it is a file"):
        create_or_open(tmp_path / "file", "live")
    with pytest.raises(RecordingError, match="a part of the path is a file"):
        create_or_open(tmp_path / "file" / "rec", "live")
    with pytest.raises(RecordingError, match="symbolic link to nothing"):
        create_or_open(tmp_path / "nowhere", "live")
    assert (tmp_path / "file").read_text() == "precious"


def test_another_protocol_is_refused(recording):
    before = tree(recording.path)
    with pytest.raises(RecordingError, match="is a recording of 'live', and this feed speaks 'portal'"):
        create_or_open(recording.path, "portal")
    assert tree(recording.path) == before


@pytest.mark.parametrize("opening", [directories.open, lambda path: create_or_open(path, "live")])
def test_a_newer_format_is_refused_by_name(recording, opening):
    said = msgspec.json.encode(msgspec.structs.replace(recording.identity, version=2))
    (recording.path / "recording.json").write_bytes(said)
    with pytest.raises(RecordingTooNew, match=r"rec has version 2 .* up to 1"):
        opening(recording.path)
    assert (recording.path / "recording.json").read_bytes() == said


@pytest.mark.parametrize(
    "said", [b"", b"{", b"[]", b'{"format":"other"}', b'{"format":"aurigraph-recording"}', b"\xff"]
)
def test_an_identity_that_makes_no_sense_is_told(recording, said):
    (recording.path / "recording.json").write_bytes(said)
    for opening in (directories.open, lambda path: create_or_open(path, "live")):
        with pytest.raises(RecordingCorrupt, match=r"recording\.json"):
            opening(recording.path)


def test_what_is_not_there_cannot_be_opened(tmp_path):
    with pytest.raises(RecordingError, match="there is nothing"):
        directories.open(tmp_path / "gone")
    with pytest.raises(RecordingError, match=r"holds no recording\.json"):
        directories.open(tmp_path)
    (tmp_path / "x").write_bytes(b"")
    with pytest.raises(RecordingError, match="it is a file"):
        directories.open(tmp_path / "x")


@pytest.mark.parametrize(
    "number, words", [(errno.EROFS, "read-only"), (errno.ENOSPC, "full"), (errno.EACCES, "permiss")]
)
def test_a_disk_that_takes_nothing_is_told_before_recording(tmp_path, recording, monkeypatch, number, words):
    def refuse(path, data):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(disk, "write_synced", refuse)
    before = tree(recording.path)
    for path in (recording.path, tmp_path / "new"):
        with pytest.raises(RecordingError, match=words):
            create_or_open(path, "live")
    assert tree(recording.path) == before


def test_a_disk_that_is_full_is_left_as_it_was(recording, monkeypatch):
    def full(fd):
        raise OSError(errno.ENOSPC, "No space left on device")

    before = tree(recording.path)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RecordingError, match="the disk is full"):
        create_or_open(recording.path, "live")
    assert tree(recording.path) == before


def test_what_may_not_be_looked_at_is_told(recording, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(type(recording.path), "is_symlink", refuse)
    with pytest.raises(RecordingError, match=r"Cannot read .*topic=a: there is no permission"):
        recording.inside("topic=a/date=2026-01-01/x.parquet")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_directory_without_permission_is_told(recording):
    recording.journal.chmod(0o500)
    try:
        with pytest.raises(RecordingError, match="no permission"):
            create_or_open(recording.path, "live")
    finally:
        recording.journal.chmod(0o700)


def test_many_that_found_the_same_recording_at_once_agree(tmp_path):
    start = threading.Barrier(8)
    found, errors = [], []

    def make():
        start.wait(30)
        try:
            found.append(create_or_open(tmp_path / "rec", "live").identity)
        except Exception as exc:  # noqa: BLE001 - shown below
            errors.append(exc)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []
    assert len(found) == 8
    assert len(set(map(msgspec.json.encode, found))) == 1


def test_who_comes_second_while_the_first_is_still_moving_in_is_welcome(recording):
    identity.refuse_foreign(recording.path)  # recording.json was not there a moment ago


def test_a_recorder_that_begins_while_somebody_looks_counts_as_alive(scribe, recording, monkeypatch):
    holding = []
    real = Directory._files

    def meanwhile(self):
        if not holding:
            holding.append(recording.lock("a"))
            monkeypatch.undo()
            scribe.segment(recording, [scribe.frames(1)], ended=False)
        return real(self)

    monkeypatch.setattr(Directory, "_files", meanwhile)
    (segment,) = recording.segments()
    assert segment.live
    holding[0].release()


def test_a_lock_on_a_file_that_its_last_owner_took_away_is_none(recording, monkeypatch):
    """Between opening the file and locking it, the one who had it goes, and another comes."""
    path = recording.path / "lock" / "a.lock"
    real = locks._try

    def meanwhile(fd, *, exclusive):
        monkeypatch.undo()
        path.unlink()
        path.write_bytes(b"")
        return real(fd, exclusive=exclusive)

    monkeypatch.setattr(locks, "_try", meanwhile)
    with recording.lock("a"):
        assert recording.alive("a")


def test_a_name_is_had_by_one_recorder_at_a_time(recording, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE_S", 0.0)
    with recording.lock("a") as lock:
        assert recording.alive("a")
        with pytest.raises(RecordingInUse, match=r"'a' is at work in .*rec already"):
            recording.lock("a")
        recording.lock("b").release()
        lock.beat()
    assert not recording.alive("a")
    recording.lock("a").release()
    assert os.listdir(recording.path / "lock") == []


def test_asking_who_lives_does_not_keep_anybody_from_living(recording):
    stop = threading.Event()

    def ask():
        while not stop.is_set():
            recording.alive("a")

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(50):
            recording.lock("a").release()
    finally:
        stop.set()
        asking.join(30)


def test_a_lock_file_that_a_dead_process_left_is_no_life(recording):
    (recording.path / "lock" / "a.lock").write_bytes(b"")
    assert not recording.alive("a")
    recording.lock("a").release()


def test_without_locks_the_age_of_the_file_tells(recording, monkeypatch):
    monkeypatch.setattr(locks, "fcntl", None)
    monkeypatch.setattr(locks, "PATIENCE_S", 0.0)
    lock = recording.lock("a")
    assert recording.alive("a")
    with pytest.raises(RecordingInUse):
        recording.lock("a")
    os.utime(lock.path, (1, 1))
    assert not recording.alive("a")
    lock.beat()
    assert recording.alive("a")
    os.utime(lock.path, (1, 1))
    recording.lock("a").release()


@pytest.mark.parametrize("name", ["", ".", "..", ".a", "a/b", "../a", "ä", "a" * 65, "a b", "a\n"])
def test_a_name_that_would_be_no_file_name_is_refused(recording, name):
    for use in (recording.lock, recording.alive, recording.manifest_path, recording.manifest):
        with pytest.raises(BadOption, match="the name of a recorder"):
            use(name)


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "", ".", "a\\b", "C:/x", "a\0b"])
def test_a_path_that_leads_outside_is_refused(recording, path):
    with pytest.raises(RecordingCorrupt, match="no path inside"):
        recording.inside(path)


def test_a_link_inside_is_not_followed(recording, tmp_path):
    (tmp_path / "secrets").mkdir()
    (recording.path / "topic=a").symlink_to(tmp_path / "secrets")
    with pytest.raises(RecordingCorrupt, match="symbolic link"):
        recording.inside("topic=a/date=2026-01-01/x.parquet")
    assert recording.inside("topic=b/x.parquet") == recording.path / "topic=b" / "x.parquet"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_that_is_a_link_is_refused(recording, tmp_path, room):
    (tmp_path / "outside").mkdir()
    (recording.path / room).rmdir()
    (recording.path / room).symlink_to(tmp_path / "outside")
    for opening in (directories.open, lambda path: create_or_open(path, "live")):
        with pytest.raises(RecordingCorrupt, match="symbolic link"):
            opening(recording.path)
    assert os.listdir(tmp_path / "outside") == []


def test_segments_are_told_in_order_with_who_wrote_them(scribe, recording):
    for recorder in ("b", "a", "b"):
        scribe.segment(recording, [scribe.frames(2)], recorder)
    manifest("b", 1).save(recording.manifest_path("b"))
    with recording.lock("a"):
        found = recording.read()
    assert [(s.number, s.recorder, s.live, s.entry is not None) for s in found.segments] == [
        (1, "b", False, True),
        (2, "a", True, False),
        (3, "b", False, False),
    ]
    assert found.recorders == ("b", "a") == recording.recorders()
    assert found.problems == ()
    assert recording.next_segment() == 4


def test_a_segment_that_only_a_manifest_knows_is_missing_and_its_number_stays_taken(recording):
    manifest("a", 7).save(recording.manifest_path("a"))
    (segment,) = recording.segments()
    assert (segment.number, segment.present) == (7, False)
    assert recording.next_segment() == 8


def test_what_cannot_be_read_is_named_and_the_rest_stands(scribe, recording):
    good = scribe.segment(recording, [scribe.frames(2)])
    bad = scribe.segment(recording, [scribe.frames(2)], "b")
    bad.write_bytes(b"rubbish")
    recording.manifest_path("c").write_bytes(b"{")
    recording.manifest_path("d").write_bytes(msgspec.structs.replace(manifest("d"), version=9).encode())
    recording.manifest_path("e").write_bytes(manifest("f").encode())
    found = recording.read()
    assert [(s.path, s.recorder) for s in found.segments] == [(good, "a"), (bad, None)]
    told = [str(problem) for problem in found.problems]
    assert len(told) == 4
    for name in ("c.json", "d.json has version 9", "e.json is the manifest of 'f'", "000002.jsonl.zst"):
        assert any(name in words for words in told)
    assert recording.manifest("a") is None
    with pytest.raises(RecordingTooNew):
        recording.manifest("d")


def test_files_of_other_names_are_no_segments(scribe, recording):
    for name in ("x.jsonl.zst", ".000009.jsonl.zst.1-a.tmp", "0000009.jsonl.zst", "000009.jsonl"):
        (recording.journal / name).write_bytes(b"")
    assert recording.segments() == ()
    assert recording.next_segment() == 1


def test_numbers_end_before_they_get_too_long(recording):
    (recording.journal / f"{10**15 - 1}.jsonl.zst").write_bytes(b"")
    with pytest.raises(RecordingError, match="no number above"):
        recording.next_segment()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_does_not_keep_its_parents_recorder_alive(tmp_path):
    (tmp_path / "lock").mkdir()
    lock = locks.Lock(tmp_path / "lock" / "roof.lock")
    ready, go = os.pipe(), os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other tests left threads behind
        child = os.fork()
    if child == 0:
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        os._exit(0)
    try:
        os.read(ready[0], 1)
        fd, lock._fd = lock._fd, -1
        os.close(fd)  # as the end of the parent's process does
        assert not locks.held(tmp_path / "lock" / "roof.lock")
    finally:
        os.write(go[1], b"x")
        os.waitpid(child, 0)
        for end in (*ready, *go):
            os.close(end)
