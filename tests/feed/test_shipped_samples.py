"""The recordings that travel with the notebooks: small, whole, and made again by the commands beside them."""

import builtins
import errno
import hashlib
import os
import re
import shlex

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import aurigraph_nb as ag
from aurigraph_nb.cli import app
from aurigraph_nb.cli.lab import packaged_notebooks
from aurigraph_nb.recording.lines import encode
from aurigraph_nb.recording.parts import table_digest

SAMPLES = packaged_notebooks() / "samples"
NAMES = ("quiet", "leader-churn", "partition")
COMMAND = re.compile(r"^aurigraph-nb (sample (\S+) samples/(\S+) .*)$", re.MULTILINE)
COMMANDS = {found[2]: found[0] for found in COMMAND.findall((SAMPLES / "README.md").read_text(encoding="utf-8"))}


def made_again(name, folder):
    """The recording that the documented command makes."""
    target = folder / name
    words = [str(target) if word == f"samples/{name}" else word for word in shlex.split(COMMANDS[name])]
    result = CliRunner().invoke(app, words, prog_name="aurigraph-nb")
    assert result.exit_code == 0, result.output
    return ag.open_recording(target)


def lines_digest(recording):
    whole = hashlib.sha256()
    for recorder, lines in recording.source.lines():
        whole.update(recorder.encode() + encode(list(lines)))
    return whole.hexdigest()


def snapshot(folder):
    """What stands in a folder, and when each file and folder was changed last."""
    files = sorted([folder, *folder.rglob("*")])
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"") for path in files}


def test_there_is_a_command_for_each_sample_and_a_sample_for_each_command():
    there = {path.name for path in SAMPLES.iterdir() if path.is_dir()}
    assert there == set(NAMES) == set(COMMANDS)


def test_they_are_under_a_megabyte_together():
    assert sum(path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file()) < 1_000_000


@pytest.mark.parametrize("name", NAMES)
def test_the_documented_command_makes_the_same_frames_and_tables(name, tmp_path):
    shipped, again = ag.open_recording(SAMPLES / name), made_again(name, tmp_path)
    assert lines_digest(shipped) == lines_digest(again)
    for topic in shipped.topics:
        assert table_digest(shipped[topic].to_arrow()) == table_digest(again[topic].to_arrow()), topic
    assert (tmp_path / name / "recording.json").read_bytes() == (SAMPLES / name / "recording.json").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_is_twenty_minutes_of_all_topics_and_verifies(name):
    recording = ag.open_recording(SAMPLES / name, recover=False)
    assert recording.verify().ok
    assert len(recording.metrics) == 1200 and all(len(topic) for topic in recording)
    assert not recording.damage and [info.state for info in recording.source.recorders()] == ["ended"]


@pytest.mark.parametrize("name", NAMES)
def test_its_parquet_files_have_the_rows_that_the_recording_gives(name):
    recording = ag.open_recording(SAMPLES / name, recover=False)
    for topic in recording.topics:
        files = sorted((SAMPLES / name / f"topic={topic}").rglob("*.parquet"))
        direct = pa.concat_tables([pq.read_table(file, partitioning=None) for file in files])
        assert table_digest(direct) == table_digest(recording[topic].to_arrow())


def test_the_places_of_peers_are_known_where_a_region_is_cut_off():
    peers = ag.open_recording(SAMPLES / "partition").network.to_pandas()
    assert peers["country"].nunique() > 5 and peers["latitude"].notna().all()


@pytest.fixture
def read_only(monkeypatch):
    """A disk on which nothing can be written, also by root; notes who tried."""
    tried = []
    opened, os_opened = builtins.open, os.open

    def refuse(path):
        tried.append(os.fspath(path))
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), os.fspath(path))

    def guarded(file, mode="r", *args, **options):
        if not isinstance(file, int) and set(mode) & set("wax+"):
            refuse(file)
        return opened(file, mode, *args, **options)

    def os_guarded(path, flags, *args, **options):
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            refuse(path)
        return os_opened(path, flags, *args, **options)

    def gone(path, *args, **options):
        refuse(path)

    monkeypatch.setattr(builtins, "open", guarded)
    monkeypatch.setattr(os, "open", os_guarded)
    for name in ("mkdir", "rename", "replace", "remove", "unlink", "rmdir", "truncate", "link", "symlink"):
        monkeypatch.setattr(os, name, gone)
    return tried


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_is_read_where_nothing_can_be_written_and_nothing_tries(name, read_only):
    before = snapshot(SAMPLES / name)
    recording = ag.open_recording(SAMPLES / name)
    assert {topic: len(recording[topic].to_pandas()) for topic in recording.topics}["metrics"] == 1200
    assert recording.validators.current_table().shape[0] == len(recording.validators.current) > 0
    assert len(recording.gaps.to_pandas()) == 0 and recording.recovered == () and recording.damage == ()
    with ag.replay(SAMPLES / name, speed="max") as feed:
        feed.join(timeout=60)
        assert len(feed.metrics) == 1200
    recording.close()
    assert read_only == [] and snapshot(SAMPLES / name) == before


def test_the_disk_that_cannot_be_written_is_one(tmp_path, read_only):
    with pytest.raises(ag.RecordingError, match=r"(?i)read-only"):
        ag.sample(duration="10s").save(tmp_path / "r")
    assert read_only


def test_a_sample_is_queried_without_a_file_beside_it():
    before = snapshot(SAMPLES / "quiet")
    with ag.open_recording(SAMPLES / "quiet") as recording:
        assert recording.sql("SELECT count(*) FROM metrics").fetchall() == [(1200,)]
        assert recording.metrics.scan().collect().height == 1200
    assert snapshot(SAMPLES / "quiet") == before
