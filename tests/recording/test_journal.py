"""The journal: nothing flushed gets lost, nothing damaged is taken for good, and a full disk is no end of the world."""

from __future__ import annotations

import errno
import io
import itertools
import os
import random
import subprocess
import sys
import textwrap
import threading
import zlib

import msgspec
import pytest
import zstandard

from aurigraph_nb.errors import BadOption, RecordingCorrupt, RecordingError, RecordingTooNew
from aurigraph_nb.recording import blocks, disk, journal
from aurigraph_nb.recording.blocks import Block, Damage
from aurigraph_nb.recording.journal import JournalWriter, chunks, read_head, read_raw, read_segment, scan
from aurigraph_nb.recording.lines import End, FrameLine, Tick, encode


@pytest.fixture
def segment(scribe, recording):
    """A segment of 40 flushes of 1 to 60 frames, ended well."""
    chance = random.Random(7)
    starts = [0]
    for _ in range(40):
        starts.append(starts[-1] + chance.randint(1, 60))
    flushes = [scribe.frames(b - a, a) for a, b in itertools.pairwise(starts)]
    return scribe.segment(recording, flushes)


def lines_of(path, **options):
    return [line for lines in read_segment(path, **options) for line in lines]


def read_rest(path):
    """All that can be read, and all damage."""
    damages: list[Damage] = []
    return lines_of(path, on_damage=damages.append), damages


def test_lines_come_back_as_they_were_written(scribe, recording):
    path = scribe.segment(recording, [scribe.frames(3), scribe.frames(1000, 3)])
    head, *frames, end = lines_of(path)
    assert head == scribe.head()
    assert frames == scribe.frames(1003)
    assert end.frames == 1003


def test_any_zstd_tool_reads_a_segment(segment):
    with zstandard.ZstdDecompressor().stream_reader(segment.read_bytes(), read_across_frames=True) as reader:
        assert reader.read() == encode(lines_of(segment))


def test_a_flush_is_one_write_of_one_block(scribe, recording, monkeypatch):
    written = []
    real = os.write
    with JournalWriter(recording.journal, scribe.head()) as writer:
        monkeypatch.setattr(os, "write", lambda fd, data: written.append(bytes(data)) or real(fd, data))
        count = writer.write(scribe.frames(1000))
        monkeypatch.undo()
    (data,) = written
    (block,) = blocks.read(io.BytesIO(data))
    assert block == Block(0, len(data), encode(scribe.frames(1000)))
    assert count == len(data)
    assert zstandard.get_frame_parameters(data).has_checksum
    assert zstandard.get_frame_parameters(data).content_size == len(encode(scribe.frames(1000)))


def test_the_writer_counts_what_it_wrote(scribe, recording):
    with JournalWriter(recording.journal, scribe.head()) as writer:
        writer.write([*scribe.frames(5), Tick(9)])
        found = scan(writer.path, live=True)
        assert (writer.lines, writer.frames, writer.bytes) == (7, 5, writer.path.stat().st_size)
        assert (found.lines, found.frames, found.size, found.raw_bytes) == (7, 5, writer.bytes, writer.raw_bytes)
        assert writer.write([]) == 0


def test_two_writers_never_get_the_same_number(scribe, recording):
    writers = [JournalWriter(recording.journal, scribe.head(name, 1)) for name in "abc"]
    for writer in writers:
        writer.close()
    assert [writer.segment for writer in writers] == [1, 2, 3]
    assert [read_head(writer.path).segment for writer in writers] == [1, 2, 3]
    assert sorted(os.listdir(recording.journal)) == [journal.file_name(n) for n in (1, 2, 3)]


def test_a_file_system_without_hard_links_will_do(scribe, recording, monkeypatch):
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    first = scribe.segment(recording, [scribe.frames(2)])
    with JournalWriter(recording.journal, scribe.head("b", 1)) as second:
        assert second.segment == 2
    assert lines_of(first)[1:3] == scribe.frames(2)
    assert len(os.listdir(recording.journal)) == 2


def test_power_durability_waits_for_the_disk_at_each_flush(scribe, recording, monkeypatch):
    waited = []
    monkeypatch.setattr(journal, "_sync_data", waited.append)
    with JournalWriter(recording.journal, scribe.head(), "power") as writer:
        writer.write(scribe.frames(1))
        writer.write(scribe.frames(1, 1))
    with JournalWriter(recording.journal, scribe.head("b"), "process") as writer:
        writer.write(scribe.frames(1))
    assert len(waited) == 2
    with pytest.raises(BadOption, match="durability='paper'"):
        JournalWriter(recording.journal, scribe.head(), "paper")


def test_nothing_can_be_written_after_the_end(scribe, recording):
    writer = JournalWriter(recording.journal, scribe.head())
    writer.end(End(5, 0, last=True))
    writer.close()
    with pytest.raises(RecordingError, match="was closed"):
        writer.write(scribe.frames(1))


@pytest.mark.parametrize("taken", [0, 1, 57, None], ids=["nothing", "a byte", "a part", "all but one"])
def test_a_write_that_fails_half_way_counts_for_nothing(scribe, recording, monkeypatch, taken):
    """The file is as it was, and the same lines can be written once there is room again."""
    writer = JournalWriter(recording.journal, scribe.head())
    writer.write(scribe.frames(10))
    before = (writer.bytes, writer.lines, writer.frames, writer.raw_bytes, writer.path.read_bytes())
    real = os.write
    calls = []

    def filling(fd, data):
        calls.append(len(data))
        part = len(data) - 1 if taken is None else taken
        if len(calls) == 1 and part:
            return real(fd, bytes(data)[:part])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", filling)
    with pytest.raises(RecordingError, match=r"000001.jsonl.zst: the disk is full\.") as told:
        writer.write(scribe.frames(500, 10))
    monkeypatch.undo()
    assert told.value.errno == errno.ENOSPC
    assert (writer.bytes, writer.lines, writer.frames, writer.raw_bytes, writer.path.read_bytes()) == before
    writer.write(scribe.frames(500, 10))
    writer.end(End(5, writer.frames))
    assert lines_of(writer.path)[1:-1] == scribe.frames(510)


def test_a_write_in_two_parts_is_whole_all_the_same(scribe, recording, monkeypatch):
    real = os.write
    with JournalWriter(recording.journal, scribe.head()) as writer:
        monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data)[:100]))
        writer.write(scribe.frames(50))
        monkeypatch.undo()
        assert lines_of(writer.path)[1:] == scribe.frames(50)


def test_after_a_write_that_cannot_be_taken_back_nothing_follows(scribe, recording, monkeypatch):
    writer = JournalWriter(recording.journal, scribe.head())
    real = os.write
    calls = []

    def filling(fd, data):
        calls.append(data)
        if len(calls) == 1:
            return real(fd, bytes(data)[:9])
        raise OSError(errno.ENOSPC, "No space left on device")

    def broken(fd, size):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "write", filling)
    monkeypatch.setattr(os, "ftruncate", broken)
    with pytest.raises(RecordingError, match="disk is full"):
        writer.write(scribe.frames(9))
    monkeypatch.undo()
    with pytest.raises(RecordingError, match="an earlier write failed"):
        writer.write(scribe.frames(9))
    assert lines_of(writer.path, live=True) == [scribe.head()]


def test_what_the_disk_did_not_confirm_counts_for_nothing(scribe, recording, monkeypatch):
    writer = JournalWriter(recording.journal, scribe.head(), "power")

    def broken(fd):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(journal, "_sync_data", broken)
    with pytest.raises(RecordingError, match="the disk reports an error"):
        writer.write(scribe.frames(9))
    assert (writer.lines, writer.frames) == (1, 0)
    with pytest.raises(RecordingError, match="an earlier write failed"):
        writer.write(scribe.frames(9))


def test_a_disk_that_fills_up_leaves_every_flushed_line(scribe, recording, tmp_path):
    """A real limit of the system, in a process of its own."""
    script = """
        import resource, signal, sys
        from pathlib import Path
        from aurigraph_nb.errors import RecordingError
        from aurigraph_nb.recording.journal import JournalWriter
        from aurigraph_nb.recording.lines import FrameLine, Head
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        head = Head(v=1, recorder="a", segment=1, t=1, protocol="live", url="", topics=())
        writer = JournalWriter(Path(sys.argv[1]), head)
        try:
            for i in range(100_000):
                writer.write([FrameLine(i, "main", 1, f"{i * 2654435761}")])
        except RecordingError as exc:
            sys.stdout.write(f"{writer.frames} {exc}")
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(recording.journal)]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    flushed, _, words = told.partition(" ")
    assert words.endswith("the file has reached the size limit of this process.")
    _, *frames = lines_of(recording.journal / "000001.jsonl.zst")
    assert [line.t for line in frames] == list(range(int(flushed)))
    assert int(flushed) > 100


def test_truncation_anywhere_leaves_an_exact_prefix_and_is_told(segment, tmp_path):
    whole = lines_of(segment)
    data = segment.read_bytes()
    ends = {block.end for block in read_raw(segment)}
    cut = tmp_path / "cut"
    for size in random.Random(60).sample(range(len(data)), 60):
        cut.write_bytes(data[:size])
        found, damages = read_rest(cut)
        assert found == whole[: len(found)]
        last = max([0, *(end for end in ends if end <= size)])
        assert [(d.start, d.end, d.torn) for d in damages] == ([(last, size, True)] if last < size else [])
        told = scan(cut)
        assert told.end is None  # what ended well says so in its last line
        assert (told.good_bytes, told.last_bytes, told.lines) == (last, last, len(found))
        if last < size:
            with pytest.raises(RecordingCorrupt, match="the file ends within a frame"):
                lines_of(cut)
        assert lines_of(cut, live=True) == found


def test_a_single_flipped_bit_costs_one_flush_and_is_told(segment, tmp_path):
    """Every line that is read is exact; everything but the damaged flush is read."""
    data = segment.read_bytes()
    flushes = list(chunks(segment))
    broken = tmp_path / "broken"
    for bit in random.Random(40).sample(range(len(data) * 8), 40):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        broken.write_bytes(flipped)
        hit = next(chunk for chunk in flushes if bit // 8 < chunk.end)
        found, damages = read_rest(broken)
        assert found == [line for chunk in flushes if chunk is not hit for line in chunk.lines]
        assert [(d.start, d.end) for d in damages] == [(hit.start, hit.end)]
        with pytest.raises(RecordingCorrupt, match=rf"broken is damaged, bytes {hit.start:,} to"):
            lines_of(broken)


def test_every_flipped_bit_of_a_block_is_told():
    """Also those that change nothing in what the block unpacks to."""
    around = blocks.pack(b"before\n"), blocks.pack(b"after\n")
    packed = blocks.pack(b"".join(b'{"k":"tick","t":%d}\n' % (i * i) for i in range(20)))
    for bit in range(len(packed) * 8):
        flipped = bytearray(packed)
        flipped[bit // 8] ^= 1 << bit % 8
        before, damage, after = blocks.read(io.BytesIO(around[0] + flipped + around[1]))
        assert (before.data, after.data) == (b"before\n", b"after\n")
        assert (damage.start, damage.end) == (before.end, before.end + len(packed))


def test_zeros_that_a_power_cut_left_are_told(segment):
    size = segment.stat().st_size
    whole = lines_of(segment)
    with segment.open("ab") as file:
        file.write(bytes(5000))
    found, (damage,) = read_rest(segment)
    assert found == whole
    assert (damage.start, damage.end, damage.torn) == (size, size + 5000, True)
    assert scan(segment).last_bytes == size


def test_reading_goes_on_from_where_an_earlier_reading_ended(scribe, recording):
    with JournalWriter(recording.journal, scribe.head()) as writer:
        writer.write(scribe.frames(5))
        *_, last = chunks(writer.path, live=True)
        writer.write(scribe.frames(7, 5))
        assert lines_of(writer.path, start=last.end, live=True) == scribe.frames(7, 5)
        assert lines_of(writer.path, start=last.start, live=True) == scribe.frames(12)


def test_a_reader_meets_a_prefix_at_every_moment_of_writing(scribe, recording):
    """Flushes of two halves, so that a reader can meet the middle of one."""
    whole = [scribe.head(), *scribe.frames(600)]
    met = threading.Event()
    failed: list[str] = []
    seen = set()

    def read():
        while True:
            last = met.is_set()
            found = lines_of(path, live=True)
            seen.add(len(found))
            if found != whole[: len(found)]:
                failed.append(f"no prefix at {len(found)} lines")
            if last:
                return

    with JournalWriter(recording.journal, scribe.head()) as writer:
        path = writer.path
        reader = threading.Thread(target=read)
        reader.start()
        try:
            for start in range(0, 600, 3):
                packed = blocks.pack(encode(scribe.frames(3, start)))
                for half in (packed[:20], packed[20:]):
                    os.write(writer._fd, half)
        finally:
            met.set()
            reader.join(30)
    assert not reader.is_alive()
    assert failed == []
    assert max(seen) == 601


def _framed(frame: bytes) -> bytes:
    return frame + b"\x5a\x2a\x4d\x18\x04\x00\x00\x00" + zlib.crc32(frame).to_bytes(4, "little")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    """A frame of a few bytes that declares a gigabyte of one letter, with a good seal and all."""
    run = (2**17 << 3 | 1 << 1).to_bytes(3, "little") + b"x"
    last = (2**17 << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"x"
    head = b"\x28\xb5\x2f\xfd\xa4" + (2**30).to_bytes(4, "little")
    bomb = _framed(head + run * (2**13 - 1) + last + bytes(4))
    path = tmp_path / "bomb"
    path.write_bytes(bomb + blocks.pack(encode([Tick(5)])))
    found, (damage,) = read_rest(path)
    assert found == [Tick(5)]
    assert "declares 1,073,741,824 bytes; at most 268,435,456 are read" in str(damage)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"write_content_size": False, "write_checksum": True}, "how long"),
        ({"write_content_size": True, "write_checksum": False}, "no recorder writes"),
    ],
)
def test_frames_that_hide_what_they_are_are_refused(tmp_path, options, words):
    path = tmp_path / "odd"
    path.write_bytes(_framed(zstandard.ZstdCompressor(**options).compress(b'{"k":"tick","t":5}\n' * 9)))
    found, (damage,) = read_rest(path)
    assert found == []
    assert words in damage.why


def test_a_file_full_of_beginnings_is_given_up_soon(tmp_path):
    path = tmp_path / "odd"
    path.write_bytes(b"\x28\xb5\x2f\xfd\x24\x10" * 50_000)
    _, (damage,) = read_rest(path)
    assert (damage.start, damage.end) == (0, 300_000)


def test_the_search_for_the_next_block_is_bounded(monkeypatch):
    file = io.BytesIO(b"\x28\xb5\x2f\xfd\x24\x10" * 6 + blocks.pack(b"found\n"))
    assert [type(found) for found in blocks.read(file)] == [Damage, Block]
    monkeypatch.setattr(blocks, "_HOPELESS_TRIES", 5)
    assert [type(found) for found in blocks.read(file)] == [Damage]


def test_a_block_that_would_not_be_read_back_is_not_written(scribe, recording, monkeypatch):
    monkeypatch.setattr(blocks, "MAX_CONTENT", 2_000)
    with JournalWriter(recording.journal, scribe.head()) as writer:
        writer.write(scribe.frames(100))  # in several blocks
        with pytest.raises(RecordingError, match="cannot be recorded; at most 2,000"):
            writer.write([FrameLine(5, "main", 1, "x" * 2_000)])
        assert scan(writer.path).blocks > 2
        assert lines_of(writer.path)[1:] == scribe.frames(100)


def test_lines_that_make_no_sense_are_told_and_read_around(scribe, recording):
    path = scribe.segment(recording, [scribe.frames(3)], ended=False)
    with path.open("ab") as file:
        file.write(blocks.pack(b'{"k":"riddle"}\n') + blocks.pack(encode([Tick(5)])))
    found, (damage,) = read_rest(path)
    assert found[-1] == Tick(5)
    assert "its lines make no sense" in damage.why


@pytest.mark.parametrize("rest", [b"", b'{"k":"riddle","of":"tomorrow"}\n'])
def test_a_segment_of_a_newer_format_is_refused_by_name(scribe, recording, rest):
    newer = msgspec.structs.replace(scribe.head(), v=2)
    path = recording.journal / "000001.jsonl.zst"
    path.write_bytes(blocks.pack(encode([newer]) + rest))
    for reading in (lambda: lines_of(path), lambda: scan(path), lambda: read_head(path), lambda: read_rest(path)):
        with pytest.raises(RecordingTooNew, match=r"000001.* has version 2 .* reads up to 1"):
            reading()


def test_what_is_no_regular_file_is_not_read(segment, tmp_path):
    (tmp_path / "link").symlink_to(segment)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RecordingError, match="symbolic link"):
        lines_of(tmp_path / "link")
    with pytest.raises(RecordingError, match="no regular file"):
        lines_of(tmp_path / "pipe")
    with pytest.raises(RecordingError, match="does not exist"):
        lines_of(tmp_path / "nothing")


def test_a_segment_without_a_first_line_has_no_head(tmp_path):
    (tmp_path / "x").write_bytes(blocks.pack(encode([Tick(5)])))
    (tmp_path / "empty").write_bytes(b"")
    for name in ("x", "empty"):
        with pytest.raises(RecordingCorrupt, match="does not begin with the first line"):
            read_head(tmp_path / name)
    assert scan(tmp_path / "x").head is None


def test_a_scan_tells_times_counts_and_disorder(scribe, recording):
    flushes = [[FrameLine(t, "main", c, "{}") for t, c in ((50, 1), (40, 2), (60, 1))], [Tick(70)]]
    found = scan(scribe.segment(recording, flushes))
    assert (found.first_ns, found.last_ns, found.frames, found.lines, found.backwards) == (40, 60, 3, 6, 1)
    assert found.head == scribe.head()
    assert found.end is not None
    assert found.damage is None


@pytest.mark.parametrize(
    "number, words",
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "no permission"),
        (errno.EDQUOT, "quota"),
        (errno.EBADF, "Bad file"),
    ],
)
def test_what_the_system_says_becomes_a_sentence(number, words):
    told = disk.error("Cannot write x", OSError(number, os.strerror(number)))
    assert words in str(told)
    assert told.errno == number
    assert isinstance(told, OSError)
