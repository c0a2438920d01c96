"""Verification: all is as it was written, or what is not is named."""

from __future__ import annotations

import hashlib
import os
import random
import threading

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aurigraph_nb.recording import verify as verifying
from aurigraph_nb.recording.journal import JournalWriter, scan
from aurigraph_nb.recording.lines import End, FrameLine
from aurigraph_nb.recording.manifest import Manifest, SegmentEntry, TopicPart
from aurigraph_nb.recording.verify import FINDING_SCHEMA, verify


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_part(recording, number, ordinals, compression="zstd"):
    path = recording.path / "topic=blocks" / "date=2026-01-01" / f"a-{number}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({"n": pa.array(ordinals, pa.int64()), "height": pa.array([n * 7 for n in ordinals], pa.int64())})
    pq.write_table(table, path, compression=compression, write_page_checksum=True, row_group_size=50)
    relative = path.relative_to(recording.path).as_posix()
    return TopicPart(topic="blocks", path=relative, rows=len(ordinals), bytes=path.stat().st_size, sha256=sha256(path))


def entry_of(path, number, *parts):
    found = scan(path)
    return SegmentEntry(
        number=number,
        journal=path.name,
        bytes=found.size,
        sha256=sha256(path),
        lines=found.lines,
        frames=found.frames,
        parts=parts,
    )


def save(recording, *entries):
    manifest = Manifest(recorder="a", protocol="live", url="", topics=("blocks",), started_ns=5, segments=entries)
    manifest.save(recording.manifest_path("a"))


@pytest.fixture
def sealed(scribe, recording):
    """Two sealed segments, with the rows of one topic."""
    entries = []
    for number, start in ((1, 0), (2, 120)):
        path = scribe.segment(recording, [scribe.frames(60, start), scribe.frames(60, start + 60)])
        entries.append(entry_of(path, number, write_part(recording, number, list(range(start, start + 120)))))
    save(recording, *entries)
    return entries


def kinds(report):
    return [(f.segment, f.kind) for f in report.findings]


def test_what_is_as_it_was_written_is_clean(recording, sealed):
    report = verify(recording)
    assert report.ok
    assert report
    assert (report.segments, report.rows, report.lines) == (2, 240, 244)
    assert str(report).startswith("All is as it was written: 2 segments, 244 lines, 240 rows")
    assert repr(report) == str(report)
    assert report.table().schema == FINDING_SCHEMA
    assert report.to_pandas().empty
    assert report.bytes == sum(e.bytes + e.parts[0].bytes for e in sealed)


def test_progress_is_told_segment_by_segment(recording, sealed):
    told = []
    verify(recording, progress=lambda done, of: told.append((done, of)))
    assert told == [(1, 2), (2, 2)]


def test_every_flipped_bit_of_a_sealed_segment_is_told(recording, sealed):
    files = [recording.journal / sealed[0].journal, recording.path / sealed[0].parts[0].path]
    chance = random.Random(40)
    for path in files:
        data = path.read_bytes()
        for bit in chance.sample(range(len(data) * 8), 40):
            flipped = bytearray(data)
            flipped[bit // 8] ^= 1 << bit % 8
            path.write_bytes(flipped)
            report = verify(recording)
            assert (1, "checksum") in kinds(report)
            assert all(f.file == str(path.relative_to(recording.path)) for f in report.findings)
        path.write_bytes(data)
    assert verify(recording).ok


def test_every_truncation_of_a_sealed_segment_is_told_also_by_a_quick_look(recording, sealed):
    path = recording.journal / sealed[1].journal
    data = path.read_bytes()
    for size in random.Random(60).sample(range(len(data)), 60):
        path.write_bytes(data[:size])
        assert (2, "size") in kinds(verify(recording))
        assert kinds(verify(recording, quick=True)) == [(2, "size")]


def test_missing_files_are_named(recording, sealed):
    (recording.path / sealed[0].parts[0].path).unlink()
    (recording.journal / sealed[1].journal).unlink()
    report = verify(recording)
    assert kinds(report) == [(1, "missing"), (2, "missing")]
    assert report.findings[0].file == sealed[0].parts[0].path
    assert kinds(verify(recording, quick=True)) == kinds(report)
    assert report.to_pandas()["kind"].tolist() == ["missing", "missing"]


def test_a_lost_segment_that_no_manifest_names_leaves_a_hole_in_the_numbers(scribe, recording):
    paths = [scribe.segment(recording, [scribe.frames(3)]) for _ in range(5)]
    for path in (paths[0], paths[2], paths[3]):
        path.unlink()
    assert [f.detail.partition(" is")[0] for f in verify(recording).findings] == ["segment 1", "segments 3 to 4"]


def test_damage_of_an_unsealed_segment_is_told(scribe, recording):
    path = scribe.segment(recording, [scribe.frames(40), scribe.frames(40, 40)])
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    (finding,) = verify(recording).findings
    assert (finding.segment, finding.recorder, finding.kind, finding.file) == (1, "a", "damage", f"journal/{path.name}")
    assert verify(recording, quick=True).ok


def test_what_is_written_at_this_moment_is_no_finding(scribe, recording):
    path = scribe.segment(recording, [scribe.frames(4)], ended=False)
    with recording.lock("a"):
        assert verify(recording).ok
        os.truncate(path, path.stat().st_size - 5)
        assert verify(recording).ok
    assert "unfinished" in {f.kind for f in verify(recording).findings}


def test_counts_that_disagree_are_told(recording, sealed):
    part = msgspec.structs.replace(sealed[0].parts[0], rows=7)
    save(recording, msgspec.structs.replace(sealed[0], lines=9, frames=8, parts=(part,)), sealed[1])
    report = verify(recording)
    assert kinds(report) == [(1, "count")] * 3
    assert [f.detail for f in report.findings] == [
        "122 lines; the manifest says 9",
        "120 frames; the manifest says 8",
        "120 rows; the manifest says 7",
    ]


@pytest.mark.parametrize("ordinals", [[120, 122, 121], [119, 121], [5]])
def test_ordinals_that_fall_are_told(recording, sealed, ordinals):
    """Within a part, or from one segment of a recorder to the next (the first ends with 119)."""
    part = write_part(recording, 2, ordinals)
    save(recording, sealed[0], msgspec.structs.replace(sealed[1], parts=(part,)))
    assert kinds(verify(recording)) == ([] if ordinals == [119, 121] else [(2, "order")])


def test_frames_out_of_the_order_of_connections_are_told(scribe, recording):
    scribe.segment(recording, [[FrameLine(1, "main", c, "{}") for c in (1, 3, 2)]])
    (finding,) = verify(recording).findings
    assert (finding.kind, finding.detail) == ("order", "1 frames of earlier connections come after later ones")


def test_segments_under_another_name_are_told(scribe, recording, sealed):
    first, second = (recording.journal / e.journal for e in sealed)
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    assert {(s, k) for s, k in kinds(verify(recording))} >= {(1, "order"), (2, "order")}


def test_a_last_line_that_miscounts_is_told(scribe, recording):
    writer = JournalWriter(recording.journal, scribe.head())
    writer.write(scribe.frames(3))
    writer.end(End(5, 4))
    assert [f.detail for f in verify(recording).findings] == ["3 frames; its last line says 4"]


def test_a_path_that_leads_outside_is_not_followed(recording, sealed, tmp_path):
    outside = tmp_path / "outside.parquet"
    outside.write_bytes((recording.path / sealed[0].parts[0].path).read_bytes())
    part = msgspec.structs.replace(sealed[0].parts[0], path="../outside.parquet")
    save(recording, msgspec.structs.replace(sealed[0], parts=(part,)), sealed[1])
    (finding,) = verify(recording).findings
    assert finding.kind == "unreadable"
    assert "no path inside" in finding.detail
    (recording.path / "linked.parquet").symlink_to(outside)
    part = msgspec.structs.replace(sealed[0].parts[0], path="linked.parquet")
    save(recording, msgspec.structs.replace(sealed[0], parts=(part,)), sealed[1])
    assert "symbolic link" in verify(recording).findings[0].detail


def test_a_file_that_is_no_parquet_is_told_and_the_rest_is_looked_at(recording, sealed):
    path = recording.path / sealed[0].parts[0].path
    path.write_bytes(b"rubbish")
    part = msgspec.structs.replace(sealed[0].parts[0], bytes=7, sha256=sha256(path))
    save(recording, msgspec.structs.replace(sealed[0], parts=(part,)), sealed[1])
    report = verify(recording)
    assert kinds(report) == [(1, "unreadable")]
    assert report.rows == 120


def test_a_page_that_was_damaged_before_it_was_hashed_is_told(recording, sealed):
    """The file has the checksum that the manifest names, and a value of a column that nobody looks at is wrong."""
    part = write_part(recording, 2, list(range(120, 240)), compression="none")
    path = recording.path / part.path
    data = path.read_bytes()
    value = (130 * 7).to_bytes(8, "little")
    assert data.count(value) == 1
    path.write_bytes(data.replace(value, (131 * 7).to_bytes(8, "little")))
    part = msgspec.structs.replace(part, sha256=sha256(path))
    save(recording, sealed[0], msgspec.structs.replace(sealed[1], parts=(part,)))
    (finding,) = verify(recording).findings
    assert (finding.segment, finding.kind) == (2, "unreadable")
    assert "CRC" in finding.detail


def test_a_row_group_that_nobody_wrote_is_not_unpacked(recording, sealed, monkeypatch):
    monkeypatch.setattr(verifying, "_MAX_GROUP", 40)
    assert [f.kind for f in verify(recording).findings] == ["unreadable", "unreadable"]


def test_what_cannot_be_read_of_a_manifest_is_a_finding(recording, sealed):
    recording.manifest_path("b").write_bytes(b"{")
    (finding,) = verify(recording).findings
    assert (finding.kind, finding.segment) == ("unreadable", None)
    assert "b.json" in finding.detail


def test_a_long_report_is_cut_short_in_print_only(scribe, recording):
    for _ in range(25):
        scribe.segment(recording, [scribe.frames(1)], ended=False)
    report = verify(recording)
    assert len(report.findings) == report.table().num_rows == 25
    assert str(report).endswith("and 5 more; table() has them all")
    assert not report


def test_looking_while_recorders_write_never_finds_anything(scribe, recording):
    """A recorder that begins, flushes and ends segments, and two that look at everything meanwhile."""
    done = threading.Event()
    found = []

    def look():
        while not done.is_set():
            found.extend(map(str, verify(recording).findings))

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for looker in lookers:
        looker.start()
    try:
        for recorder in ("a", "b", "c"):
            with recording.lock(recorder):
                for _ in range(8):
                    scribe.segment(recording, [scribe.frames(20), scribe.frames(20, 20)], recorder)
    finally:
        done.set()
        for looker in lookers:
            looker.join(30)
    assert found == []
    assert verify(recording).segments == 24
