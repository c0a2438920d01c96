"""The verb `sample`."""

import pytest

from aurigraph_nb.errors import BadOption, RecordingError
from aurigraph_nb.reading.recording import open_recording
from aurigraph_nb.sample import sample


def test_sample_makes_the_recording_that_the_function_makes(cli, tmp_path):
    words = [
        "--duration",
        "1min",
        "--seed",
        "7",
        "--rate",
        "20",
        "--shape",
        "portal",
        "--peers",
        "5",
        "--validators",
        "4",
    ]
    result = cli("sample", "partition", str(tmp_path / "p"), *words)
    assert result.exit_code == 0 and result.output.endswith(f"): {tmp_path / 'p'}\n")
    made = sample("partition", "1min", 7, rate=20, shape="portal", peers=5, validators=4)
    recording = open_recording(tmp_path / "p")
    assert all(recording[name].to_pandas().equals(made[name].to_pandas()) for name in made.topics)
    assert f"Made {sum(len(topic) for topic in made):,} rows" in result.output


def test_sample_takes_a_name_and_times(cli, tmp_path):
    words = ["--duration", "10s", "--start", "2026-02-03", "--id", "mine", "--created", "2026-02-04"]
    assert cli("sample", "steady", str(tmp_path / "p"), *words).exit_code == 0
    recording = open_recording(tmp_path / "p")
    assert (recording.source.id, recording.source.created_ns) == ("mine", 1_770_163_200_000_000_000)
    assert str(recording.metrics.to_pandas().index[0]).startswith("2026-02-03 00:00:00")


def test_sample_writes_over_nothing(cli, tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "mine.txt").write_text("mine")
    with pytest.raises(RecordingError, match="something is there"):
        cli("sample", "steady", str(tmp_path / "p"), "--duration", "10s")
    assert [path.name for path in (tmp_path / "p").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("words", [("calm",), ("steady", "--protocol", "morse"), ("steady", "--duration", "soon")])
def test_what_cannot_be_is_told_with_what_can(cli, tmp_path, words):
    with pytest.raises(BadOption, match=r"steady|portal|duration"):
        cli("sample", words[0], str(tmp_path / "p"), *words[1:])


def test_the_help_has_an_example(cli):
    assert "aurigraph-nb sample partition runs/partition" in cli("sample", "--help").output
