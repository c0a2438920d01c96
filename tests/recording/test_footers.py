"""Footers of Parquet files: any flipped bit is told before anything is parsed, and the rows come from the journal."""

import json
import random
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import aurigraph_nb as ag
from aurigraph_nb.errors import RecordingCorrupt
from aurigraph_nb.recording import directory as directories
from aurigraph_nb.recording.directory import Directory
from aurigraph_nb.recording.footers import check_footer, footer_crc
from aurigraph_nb.recording.manifest import TopicPart
from aurigraph_nb.recording.verify import verify

FLIPS = 60

READ = """
import json, sys, warnings
import aurigraph_nb as ag

path, part, places = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
whole = open(part, "rb").read()
expected = ag.open_recording(path).metrics.to_pandas()
for place, bit in places:
    data = bytearray(whole)
    data[place] ^= 1 << bit
    open(part, "wb").write(data)
    recording = ag.open_recording(path)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        rows = recording.metrics.to_pandas()
        asked = recording.sql("SELECT count(*) FROM metrics").fetchall()
    assert [w.category.__name__ for w in told] == ["RecordingDamaged"], (place, bit, told)
    assert rows.equals(expected) and asked == [(len(expected),)], (place, bit)
    assert not recording.verify().ok, (place, bit)
print("all told")
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return ag.sample(duration="20s", seed=7).save(tmp_path / "r")


def part_of(path: Path, topic: str = "metrics") -> tuple[Directory, TopicPart]:
    directory = directories.open(path)
    manifest = directory.manifest("sample")
    assert manifest is not None
    return directory, next(part for part in manifest.segments[0].parts if part.topic == topic)


def forget_checksums(path: Path) -> None:
    """What an earlier version wrote: manifests without checksums of footers."""
    for file in (path / "manifest").glob("*.json"):
        plain = json.loads(file.read_bytes())
        for entry in plain["segments"]:
            for part in entry["parts"]:
                del part["footer_crc"]
        file.write_text(json.dumps(plain))


def flips(data: bytes, seed: int) -> list[tuple[int, int]]:
    """Places in the footer, and bits; those of the last eight bytes among them."""
    length = int.from_bytes(data[-8:-4], "little") + 8
    chance = random.Random(seed)
    found = [(len(data) - 1 - chance.randrange(length), chance.randrange(8)) for _ in range(FLIPS - 8)]
    return found + [(len(data) - back, chance.randrange(8)) for back in range(1, 9)]


@pytest.mark.parametrize("known", [True, False])
def test_every_flipped_bit_of_a_footer_is_told_and_costs_neither_rows_nor_the_process(path: Path, known: bool) -> None:
    directory, part = part_of(path)
    if not known:
        forget_checksums(path)
    file = directory.inside(part.path)
    places = flips(file.read_bytes(), seed=6 + known)
    ran = subprocess.run(
        [sys.executable, "-c", READ, str(path), str(file), json.dumps(places)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ran.returncode, ran.stdout.strip()) == (0, "all told"), ran.stderr[-2000:]


def test_damage_that_comes_while_a_recording_is_open_is_told_too(path: Path) -> None:
    directory, part = part_of(path)
    recording = ag.open_recording(path)
    recording.source.rows("metrics")
    file = directory.inside(part.path)
    data = bytearray(file.read_bytes())
    data[-20] ^= 4
    file.write_bytes(data)
    with pytest.warns(ag.RecordingDamaged, match="its footer is not what was written"):
        assert len(recording.metrics.to_pandas()) == 20


def test_a_whole_part_is_compared_once_where_its_footer_has_no_checksum(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_checksums(path)
    read: list[Path] = []
    from aurigraph_nb.recording import footers

    compare = footers.size_and_sha256
    monkeypatch.setattr(footers, "size_and_sha256", lambda file: (read.append(file), compare(file))[1])
    recording = ag.open_recording(path)
    for _ in range(3):
        assert len(recording.metrics.to_pandas()) == 20
        assert len(recording.metrics.files()) == 1
    assert len(read) == 1 and recording.damage == ()


def test_the_manifest_says_what_the_footer_is(path: Path) -> None:
    directory, part = part_of(path)
    file = directory.inside(part.path)
    assert part.footer_crc == footer_crc(file) and part.footer_crc is not None
    check_footer(file, part)
    with pytest.raises(RecordingCorrupt, match="its footer is not what was written"):
        check_footer(file, msgspec.structs.replace(part, footer_crc=part.footer_crc ^ 1))
    data = file.read_bytes()
    file.write_bytes(data[:4] + data[-8:-4] + b"\xff" * 8)
    assert footer_crc(file) is None
    file.write_bytes(b"PAR1")
    assert footer_crc(file) is None
    file.unlink()
    with pytest.raises(RecordingCorrupt, match="is missing"):
        check_footer(file, part)


def test_a_damaged_footer_is_a_finding_of_verify(path: Path) -> None:
    directory, part = part_of(path)
    file = directory.inside(part.path)
    data = bytearray(file.read_bytes())
    data[-30] ^= 1
    file.write_bytes(data)
    assert [(finding.file, finding.kind) for finding in verify(directory).findings] == [(part.path, "checksum")]
