"""The verb `rebuild`."""

import pytest

from aurigraph_nb.errors import RecordingError
from aurigraph_nb.reading.recording import open_recording
from aurigraph_nb.recording import directory as directories
from aurigraph_nb.recording.verify import verify
from aurigraph_nb.sample import sample


@pytest.fixture
def path(tmp_path):
    return sample(duration="20s", seed=7).save(tmp_path / "friday")


def parts(path):
    return {file.relative_to(path): file.read_bytes() for file in path.rglob("*.parquet")}


def test_the_files_are_made_again_the_same(cli, path):
    before = parts(path)
    for file in before:
        (path / file).write_bytes(b"")
    result = cli("rebuild", str(path))
    assert result.exit_code == 0 and parts(path) == before and verify(directories.open(path)).ok
    rows = open_recording(path).info().rows
    assert result.output.splitlines() == ["By sample: 1 segment sealed", f"Sealed: 1 segment, {rows} rows"]


@pytest.mark.parametrize("options", [[], ["--left"]])
def test_what_a_killed_recorder_left_is_recovered_and_sealed(cli, path, options):
    before = parts(path)
    directories.open(path).manifest_path("sample").unlink()
    for file in before:
        (path / file).unlink()
    segment = next((path / "journal").iterdir())
    segment.write_bytes(segment.read_bytes() + b"\x28\xb5\x2f\xfd torn")
    result = cli("rebuild", str(path), *options)
    assert result.exit_code == 0 and "Recovered: Segment 1 of sample" in result.output
    assert "9 bytes cut off" in result.output and "Sealed: 1 segment" in result.output
    assert set(parts(path)) == set(before) and verify(directories.open(path)).ok


def test_what_is_sealed_is_left_as_it_is_where_only_the_rest_was_asked_for(cli, path):
    file = next(path.rglob("*.parquet"))
    file.write_bytes(b"")
    assert cli("rebuild", str(path), "--left").output == "Sealed: 0 segments, 0 rows\n"
    assert file.read_bytes() == b""


def test_recorders_at_work_are_left_alone_and_what_cannot_be_sealed_is_told(cli, path):
    directory = directories.open(path)
    (path / "lock").mkdir(exist_ok=True)
    with directory.lock("sample"):
        assert "Left alone, at work: sample" in cli("rebuild", str(path)).output
    next((path / "journal").iterdir()).write_bytes(b"nothing of a journal")
    directory.manifest_path("sample").unlink()
    result = cli("rebuild", str(path))
    assert result.exit_code == 1 and "Not sealed: " in result.output


def test_what_is_no_recording_is_refused(cli, tmp_path):
    with pytest.raises(RecordingError, match="no recording"):
        cli("rebuild", str(tmp_path))


def test_the_help_has_an_example(cli):
    assert "aurigraph-nb rebuild runs/friday" in cli("rebuild", "--help").output
