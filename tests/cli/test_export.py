"""The verb `export`."""

import pytest

from aurigraph_nb.errors import BadOption, RecordingError
from aurigraph_nb.sample import sample


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return sample(duration="20s", seed=7).save(tmp_path_factory.mktemp("runs") / "friday")


def test_export_writes_the_topics_that_were_asked_for(cli, path, tmp_path):
    target = tmp_path / "out"
    result = cli("export", str(path), "--to", "csv", "--topics", "metrics, network", "--out", str(target))
    assert result.exit_code == 0 and result.output == f"Written: {target}\n"
    assert sorted(file.name for file in target.iterdir()) == ["gaps.csv", "metrics.csv", "network.csv"]
    assert len((target / "metrics.csv").read_text().splitlines()) == 21


def test_export_takes_a_range_and_one_file(cli, path, tmp_path):
    target = tmp_path / "metrics.jsonl"
    words = ["--topics", "metrics", "--start", "2026-01-01 00:00:05", "--end", "2026-01-01 00:00:10"]
    assert cli("export", str(path), "--to", "jsonl", "--out", str(target), *words, "--quiet").exit_code == 0
    assert len(target.read_text().splitlines()) == 5


def test_export_replaces_only_with_overwrite(cli, path, tmp_path):
    (tmp_path / "all.mcap").write_text("mine")
    words = ["export", str(path), "--to", "mcap", "--out", str(tmp_path / "all.mcap")]
    with pytest.raises(RecordingError, match="something is there"):
        cli(*words)
    assert cli(*words, "--overwrite").exit_code == 0
    assert (tmp_path / "all.mcap").read_bytes().startswith(b"\x89MCAP")


def test_export_tells_what_was_recovered_and_what_is_damaged(cli, path, tmp_path):
    import shutil

    hurt = tmp_path / "hurt"
    shutil.copytree(path, hurt)
    next(hurt.glob("topic=metrics/*/*.parquet")).unlink()
    result = cli("export", str(hurt), "--to", "csv", "--out", str(tmp_path / "out"))
    assert result.exit_code == 0
    assert "missing" in result.stderr and "made anew" in result.stderr
    assert len((tmp_path / "out" / "metrics.csv").read_text().splitlines()) == 21


def test_export_needs_a_format_that_there_is(cli, path):
    assert cli("export", str(path)).exit_code == 2
    with pytest.raises(BadOption, match="parquet"):
        cli("export", str(path), "--to", "xlsx")


def test_the_help_has_an_example(cli):
    assert "aurigraph-nb export runs/friday --to parquet" in cli("export", "--help").output


def test_export_tells_that_nothing_was_there(cli, path, tmp_path):
    result = cli("export", str(path), "--to", "csv", "--out", str(tmp_path / "out"), "--end", "2020-01-01")
    assert result.exit_code == 0 and "nothing of friday lies in the range that was asked for" in result.output
