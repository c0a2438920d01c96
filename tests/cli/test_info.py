"""The verb `info`."""

import json

import pytest

from aurigraph_nb.errors import RecordingError
from aurigraph_nb.sample import sample


@pytest.fixture
def path(tmp_path):
    return sample(duration="20s", seed=7).save(tmp_path / "friday")


def files(path):
    return {file.relative_to(path): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_info_tells_what_is_in_a_recording(cli, path):
    result = cli("info", str(path))
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0] == f"Recording {path} (portal, sample-steady-7)"
    assert any(line.split()[:2] == ["metrics", "20"] for line in lines)


def test_info_as_json_is_one_object(cli, path):
    told = json.loads(cli("info", str(path), "--json", "--verify").output)
    assert told["protocol"] == "portal" and told["ok"] is True and told["findings"] == []
    assert told["rows"] == sum(topic["rows"] for topic in told["topics"])
    assert told["bytes_per_message"] > 0


def test_info_that_verifies_fails_where_something_is_off(cli, path):
    assert "All is as it was written" in cli("info", str(path), "--verify").output
    next(path.glob("topic=metrics/*/*.parquet")).unlink()
    result = cli("info", str(path), "--verify")
    assert result.exit_code == 1 and "missing" in result.output
    assert json.loads(cli("info", str(path), "--verify", "--json").output)["ok"] is False


def test_info_changes_nothing_on_the_disk(cli, path):
    segment = next((path / "journal").iterdir())
    for manifest in (path / "manifest").iterdir():
        manifest.unlink()
    segment.write_bytes(segment.read_bytes() + b"\x28\xb5\x2f\xfd torn")
    before = files(path)
    result = cli("info", str(path))
    assert result.exit_code == 0 and "1 segment, not sealed; " in result.output
    assert files(path) == before


def test_info_of_nothing_says_so(cli, tmp_path):
    with pytest.raises(RecordingError, match="no recording"):
        cli("info", str(tmp_path))


def test_the_help_has_an_example(cli):
    assert "aurigraph-nb info runs/friday --verify" in cli("info", "--help").output
