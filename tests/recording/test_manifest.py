"""Manifests: whole or not there, exact, and considerate of what later versions say."""

from __future__ import annotations

import errno
import os

import msgspec
import pytest

from aurigraph_nb.errors import RecordingCorrupt, RecordingError, RecordingTooNew
from aurigraph_nb.gaps import Cause, Certainty, Gap
from aurigraph_nb.recording import manifest as manifests
from aurigraph_nb.recording.manifest import Cut, Manifest, SegmentEntry, TopicPart

GAP = Gap("blocks", Cause.DISCONNECT, Certainty.UNKNOWN, 5, 9, None, 1, "gone")
PART = TopicPart(topic="blocks", path="topic=blocks/date=2026-01-01/a-1.parquet", rows=3, bytes=9, sha256="ab")


def entry(number: int) -> SegmentEntry:
    return SegmentEntry(
        number=number,
        journal=f"{number:06d}.jsonl.zst",
        bytes=10,
        sha256="cd",
        lines=5,
        frames=3,
        parts=(PART,),
        gaps=((0, GAP),),
    )


def manifest(**more: object) -> Manifest:
    return msgspec.structs.replace(
        Manifest(recorder="a", protocol="live", url="ws://h", topics=("blocks",), started_ns=5), **more
    )


def test_a_manifest_comes_back_as_it_was_saved(tmp_path):
    full = manifest(segments=(entry(1),)).with_cut(
        Cut(segment=2, bytes=3, lines=4, good_bytes=5, why="sudden", kept="kept/x")
    )
    full.save(tmp_path / "a.json")
    assert Manifest.load(tmp_path / "a.json") == full
    assert os.listdir(tmp_path) == ["a.json"]


def test_segments_stay_in_order_and_a_later_entry_replaces_an_earlier_one():
    found = manifest().with_segment(entry(3)).with_segment(entry(1))
    newer = msgspec.structs.replace(entry(3), lines=99)
    found = found.with_segment(newer)
    assert [e.number for e in found.segments] == [1, 3]
    assert found.entry(3) == newer
    assert found.entry(2) is None


def test_what_a_later_version_says_besides_is_kept_at_every_depth():
    plain = msgspec.json.decode(
        manifest(segments=(entry(1),)).with_cut(Cut(segment=2, bytes=3, lines=4, good_bytes=5, why="sudden")).encode()
    )
    plain["mood"] = "good"
    plain["cuts"][0]["by"] = "hand"
    plain["segments"][0]["colour"] = {"a": [1]}
    plain["segments"][0]["parts"][0]["bloom"] = 7
    read = Manifest.decode(msgspec.json.encode(plain))
    again = msgspec.json.decode(read.with_segment(entry(5)).encode())
    again["segments"].pop()
    assert again == plain


def test_a_newer_version_is_refused_by_name():
    data = manifest(version=manifests.VERSION + 1).encode()
    with pytest.raises(RecordingTooNew, match=r"a\.json has version 2; .* reads up to 1"):
        Manifest.decode(data, "a.json")


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b"\xff", b'{"version":"x"}', b'{"segments":5}', b'{"segments":[5]}', b"[" * 100_000],
)
def test_what_is_no_manifest_is_told_by_name(data):
    with pytest.raises(RecordingCorrupt, match=r"a\.json cannot be read"):
        Manifest.decode(data, "a.json")


def test_a_manifest_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    manifest().save(path)
    before = path.read_bytes()

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RecordingError, match="the disk is full"):
        manifest(state="ended").save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_link_in_place_of_a_manifest_is_not_followed(tmp_path):
    manifest().save(tmp_path / "outside.json")
    (tmp_path / "a.json").symlink_to(tmp_path / "outside.json")
    with pytest.raises(RecordingError, match="symbolic link"):
        Manifest.load(tmp_path / "a.json")


def test_a_file_too_large_for_a_manifest_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(manifests, "MAX_BYTES", 100)
    (tmp_path / "a.json").write_bytes(b" " * 101)
    with pytest.raises(RecordingCorrupt, match="larger than 100 bytes"):
        Manifest.load(tmp_path / "a.json")
