"""Exports: every format holds what the recording holds, whole or not at all, and no cell is a formula."""

import csv
import errno
import json

import msgspec
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from aurigraph_nb.errors import BadOption, BadOptionType, MissingExtra, RecordingError, UnknownTopic
from aurigraph_nb.exporting import tables
from aurigraph_nb.exporting.cells import safe, unsafe
from aurigraph_nb.exporting.export import FORMATS
from aurigraph_nb.exporting.progress import bar
from aurigraph_nb.gaps import Cause, Certainty, Gap
from aurigraph_nb.reading.recording import from_lines, open_recording
from aurigraph_nb.recording.lines import VERSION, End, FrameLine, GapBegins, Head, data_of
from aurigraph_nb.sample import sample

START = 1_767_225_600_000_000_000
SECOND = 1_000_000_000
MIDDLE = {"start": "2026-01-01 00:00:30", "end": "2026-01-01 00:01:00"}


@pytest.fixture(scope="module")
def recording():
    return sample("leader-churn", duration="90s", seed=7)


def portal(*frames, topics=("transactions",)):
    head = Head(
        v=VERSION, recorder="r", segment=1, t=START, protocol="portal", url="ws://h/ws", topics=topics, first=True
    )
    return from_lines([head, *frames, End(START, len(frames), True)])


def transaction(number, **fields):
    return FrameLine(START + number * SECOND, "transactions", 1, json.dumps({"status": "PENDING", **fields}))


@pytest.mark.parametrize("to", tables.WRITERS)
def test_a_format_of_tables_makes_a_file_for_each_topic_and_one_for_the_gaps(recording, tmp_path, to):
    target = recording.export(to, tmp_path / "out")
    assert target == tmp_path / "out"
    assert sorted(path.name for path in target.iterdir()) == sorted(f"{n}.{to}" for n in (*recording.topics, "gaps"))


def read(to, path):
    if to == "parquet":
        return pa.parquet.read_table(path)
    if to == "arrow":
        return pa.ipc.open_file(path).read_all()
    raise AssertionError(to)


@pytest.mark.parametrize("to", ["parquet", "arrow"])
@pytest.mark.parametrize("selection", [{}, MIDDLE], ids=str)
def test_parquet_and_arrow_are_the_same_tables(recording, tmp_path, to, selection):
    target = recording.export(to, tmp_path / "out", **selection)
    for topic in recording.topics:
        table, expected = read(to, target / f"{topic}.{to}"), recording[topic].to_arrow(**selection)
        assert table.schema.remove_metadata().equals(expected.schema)
        assert table.to_pylist() == expected.to_pylist()


def test_csv_reads_back_as_it_was(recording, tmp_path):
    path = recording.export("csv", tmp_path / "transactions.csv", topics="transactions")
    expected = recording.transactions.to_arrow()
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == expected.column_names
    assert [int(row["recv_ns"]) for row in rows] == expected.column("recv_ns").to_pylist()
    assert [row["value"] for row in rows] == [str(value) for value in expected.column("value").to_pylist()]
    assert [unsafe(row["hash"]) for row in rows] == expected.column("hash").to_pylist()
    times = pd.to_datetime([row["timestamp"] for row in rows], utc=True)
    assert times.as_unit("ns").asi8.tolist() == expected.column("timestamp").cast(pa.int64()).to_pylist()


HOSTILE = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "'quoted",
    '=HYPERLINK("x","y")',
    "\uff1d1",
    "",
    "fine",
]


def test_no_cell_of_a_csv_is_a_formula_and_the_way_back_is_exact(tmp_path):
    recording = portal(*(transaction(i, hash=text, **{text or "odd": 1}) for i, text in enumerate(HOSTILE)))
    path = recording.export("csv", tmp_path / "t.csv", topics="transactions")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row, text in zip(rows, HOSTILE, strict=True):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d")) for cell in row.values())
        assert unsafe(row["hash"]) == text
    assert all(row["recv_ns"].isdigit() for row in rows)


@given(st.lists(st.text() | st.none()))
def test_safe_texts_can_always_be_taken_back(texts):
    texts = [None if t is None else t.encode("utf-8", "replace").decode() for t in texts]
    cells = safe(pa.chunked_array([pa.array(texts, pa.string())])).to_pylist()
    assert [None if c is None else unsafe(c) for c in cells] == texts
    assert not [c for c in cells if c and c[0] in "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"]


def test_negative_numbers_in_csv_stay_numbers(tmp_path):
    frame = FrameLine(START, "metrics", 1, '{"tps":-5.5}')
    path = portal(frame, topics=("metrics",)).export("csv", tmp_path / "m.csv", topics=["metrics"])
    assert pd.read_csv(path)["tps"].tolist() == [-5.5]


def test_what_is_missing_and_what_is_empty_differ_in_csv(tmp_path):
    table = pa.table({"text": ["", None], "n": [1, None]})
    tables.write_csv(tmp_path / "t.csv", table.schema, table.to_batches)
    assert (tmp_path / "t.csv").read_text().splitlines() == ['"text","n"', '"",1', ","]


def test_json_lines_are_rows_with_exact_times_and_decimals(recording, tmp_path):
    path = recording.export("jsonl", tmp_path / "t.jsonl", topics="transactions", **MIDDLE)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    expected = recording.transactions.to_arrow(**MIDDLE)
    assert [row["recv_ns"] for row in rows] == expected.column("recv_ns").to_pylist()
    assert [int(row["value"]) for row in rows] == [int(v) for v in expected.column("value").to_pylist()]
    times = pd.to_datetime([row["timestamp"] for row in rows], format="ISO8601", utc=True).as_unit("ns")
    assert times.asi8.tolist() == expected.column("timestamp").cast(pa.int64()).to_pylist()


def test_a_duckdb_file_has_a_table_for_each_topic(recording, tmp_path):
    import duckdb

    path = recording.export("duckdb", tmp_path / "all.duckdb")
    with duckdb.connect(str(path), read_only=True) as connection:
        names = {name for (name,) in connection.sql("select table_name from duckdb_tables()").fetchall()}
        assert names == {*recording.topics, "gaps"}
        rows = connection.sql("select timestamp_ns, recv_ns, value, status from transactions").fetchall()
    table = recording.transactions.to_arrow(["timestamp", "recv_ns", "value", "status"])
    columns = [table.column("timestamp").cast(pa.int64()), *(table.column(n) for n in ("recv_ns", "value", "status"))]
    assert rows == list(zip(*(column.to_pylist() for column in columns), strict=True))
    assert sorted(tmp_path.iterdir()) == [path]


def messages(path):
    from mcap.reader import make_reader

    with path.open("rb") as file:
        return [(channel, message, schema) for schema, channel, message in make_reader(file).iter_messages()]


def test_mcap_has_the_frames_as_they_came_on_a_channel_a_topic(recording, tmp_path):
    found = messages(recording.export("mcap", tmp_path / "all.mcap"))
    lines = [line for _, some in recording.source.lines() for line in some if isinstance(line, FrameLine)]
    assert sorted((m.log_time, m.data) for _, m, _ in found) == sorted((line.t, data_of(line)) for line in lines)
    counts = pd.Series([channel.topic for channel, _, _ in found]).value_counts().to_dict()
    assert counts == {f"/{topic}": recording[topic].to_arrow()["n"].unique().__len__() for topic in recording.topics}
    assert {(channel.message_encoding, schema.encoding) for channel, _, schema in found} == {("json", "jsonschema")}
    assert json.loads(found[0][2].data)["type"] == "object"


def test_mcap_holds_what_was_asked_for_and_the_gaps(tmp_path):
    gap = Gap("metrics", Cause.DISCONNECT, Certainty.UNKNOWN, START + SECOND, START + 2 * SECOND)
    frames = [
        GapBegins(START, gap),
        FrameLine(START, "metrics", 1, '{"tps":1}'),
        FrameLine(START + SECOND, "metrics", 1, "nonsense"),
        FrameLine(START + 2 * SECOND, "metrics", 1, "AAE=", "b64", True),
        FrameLine(START + 3 * SECOND, "metrics", 1, '{"tps":2}'),
    ]
    recording = portal(*frames, topics=("metrics",))
    found = messages(recording.export("mcap", tmp_path / "all.mcap"))
    assert [(c.topic, c.message_encoding) for c, _, _ in found if c.topic != "/gaps"] == [
        ("/metrics", "json"),
        ("/endpoint/metrics", ""),
        ("/endpoint/metrics", ""),
        ("/metrics", "json"),
    ]
    (binary,) = ((c, m) for c, m, _ in found if c.metadata["opcode"] == "binary")
    assert binary[1].data == b"\x00\x01"
    gaps = [msgspec.json.decode(m.data, type=Gap) for c, m, _ in found if c.topic == "/gaps"]
    assert sorted(gaps, key=str) == sorted(recording.gaps.rows(), key=str) and gap in gaps
    part = messages(recording.export("mcap", tmp_path / "part.mcap", topics="metrics", start=START + 3 * SECOND))
    assert [c.topic for c, _, _ in part] == ["/metrics"]


def test_gaps_of_the_topics_and_the_range_are_exported(tmp_path):
    def gap(topic, begin, end):
        return Gap(topic, Cause.IDLE, Certainty.BOUNDED, START + begin * SECOND, START + end * SECOND)

    all_of_them = [
        gap("transactions", 1, 2),
        gap("metrics", 3, 4),
        gap("transactions", 5, 6),
        gap("transactions", 8, 9),
    ]
    recording = portal(
        *(GapBegins(g.start_ns, g) for g in all_of_them), transaction(1), topics=("transactions", "metrics")
    )
    target = recording.export(
        "csv", tmp_path / "out", topics=["transactions"], start=START + 4 * SECOND, end=START + 8 * SECOND
    )
    assert len((target / "gaps.csv").read_text().splitlines()) == 2
    assert not (target / "metrics.csv").exists()


# Whole or not at all


@pytest.mark.parametrize("to", FORMATS)
def test_nothing_is_replaced_unless_it_is_wanted(recording, tmp_path, to):
    target = tmp_path / "there"
    target.write_text("mine")
    with pytest.raises(RecordingError, match="something is there"):
        recording.export(to, target, topics="metrics")
    assert target.read_text() == "mine"
    for _ in range(2):  # in place of a file, then of what the first time made
        assert recording.export(to, target, topics="metrics", overwrite=True) == target
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


@pytest.mark.parametrize("to", tables.WRITERS)
def test_an_export_that_fails_leaves_nothing_behind(recording, tmp_path, monkeypatch, to):
    def full(self, **_):
        yield from ()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("aurigraph_nb.reading.rows.Rows.batches", full)
    with pytest.raises(RecordingError, match="the disk is full"):
        recording.export(to, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_is_interrupted_keeps_what_was_there(recording, tmp_path, monkeypatch):
    target = recording.export("csv", tmp_path / "out")
    before = {path.name: path.read_bytes() for path in target.iterdir()}

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("aurigraph_nb.exporting.tables.pacsv.CSVWriter", interrupted)
    with pytest.raises(KeyboardInterrupt):
        recording.export("csv", target, overwrite=True)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_rows_that_fail_within_duckdb_fail_as_they_do_elsewhere(recording, tmp_path, monkeypatch):
    for error in (KeyboardInterrupt, OSError(errno.ENOSPC, "No space left on device")):

        def failing(self, error=error, **_):
            yield from ()
            raise error

        monkeypatch.setattr("aurigraph_nb.reading.rows.Rows.batches", failing)
        with pytest.raises(KeyboardInterrupt if error is KeyboardInterrupt else RecordingError):
            recording.export("duckdb", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("to", FORMATS)
def test_a_recording_is_never_overwritten_by_its_export(recording, tmp_path, to):
    saved = open_recording(recording.save(tmp_path / "runs" / "friday"))
    (tmp_path / "link").symlink_to(saved.path)
    for target in (saved.path, saved.path.parent, saved.path / "recording.json", tmp_path / "link", tmp_path):
        with pytest.raises(BadOption, match="name a place outside it"):
            saved.export(to, target, topics="metrics", overwrite=True)
    assert saved.verify().ok and open_recording(saved.path).metrics.to_pandas().shape[0] == 90


@pytest.mark.parametrize("to", FORMATS)
def test_a_directory_with_other_things_is_not_replaced(recording, tmp_path, to):
    mine = tmp_path / "mine"
    (mine / "deep").mkdir(parents=True)
    (mine / "metrics.csv").write_text("of an earlier export")
    (mine / "deep" / "thesis.tex").write_text("mine")
    with pytest.raises(RecordingError, match=r"other things than tables.*'deep'"):
        recording.export(to, mine, topics="metrics", overwrite=True)
    assert (mine / "deep" / "thesis.tex").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["deep", "metrics.csv", "mine", "thesis.tex"]


# What is asked for


def test_the_default_target_is_beside_the_recording(recording, tmp_path):
    saved = open_recording(recording.save(tmp_path / "friday"))
    assert saved.export("csv", topics="metrics") == tmp_path / "friday-csv"
    assert saved.export("mcap") == tmp_path / "friday.mcap"
    with pytest.raises(BadOption, match="in memory"):
        recording.export("csv")


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"to": "xlsx"}, BadOption, "parquet, csv, arrow, jsonl, duckdb, mcap"),
        ({"topics": []}, BadOption, "at least one topic"),
        ({"topics": "weather"}, UnknownTopic, "weather"),
        ({"path": "all.csv"}, BadOption, "one file, of 5 topics"),
        ({"start": "yesterday-ish"}, BadOption, "start"),
        ({"overwrite": "yes"}, BadOptionType, "True or False"),
    ],
)
def test_an_option_that_is_not_accepted_is_told_before_anything_is_written(
    recording, tmp_path, monkeypatch, options, error, words
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=words):
        recording.export(**{"to": "csv", "path": "out", **options})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("to, module", [("duckdb", "duckdb"), ("mcap", "mcap.writer")])
def test_a_format_whose_package_is_missing_says_how_to_get_it(recording, tmp_path, monkeypatch, to, module):
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(MissingExtra, match="pip install"):
        recording.export(to, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_hostile_topic_names_become_harmless_file_names(tmp_path):
    names = ("../up", "gaps", "Gaps", "a/b")
    head = Head(
        v=VERSION, recorder="r", segment=1, t=START, protocol="channels", url="ws://h/ws", topics=names, first=True
    )
    target = from_lines([head, End(START, 0, True)]).export("csv", tmp_path / "out")
    assert len(list(target.iterdir())) == len(names) + 1
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_bar_counts_to_the_end_where_somebody_looks_and_is_silent_elsewhere(tmp_path):
    screen = Console(force_terminal=True, force_interactive=True, record=True, file=(tmp_path / "screen").open("w"))
    with bar(10, "rows", shown=True, console=screen) as tick:
        tick(4)
    screen.file.close()
    assert "10/10" in (tmp_path / "screen").read_text()
    for shown, terminal in ((False, True), (True, False)):
        quiet = Console(force_terminal=terminal, file=(tmp_path / "quiet").open("w"))
        with bar(10, "rows", shown=shown, console=quiet) as tick:
            tick(4)
        quiet.file.close()
        assert (tmp_path / "quiet").read_text() == ""


@pytest.mark.parametrize("end", ["2026-01-01 00:00:10", "2026-01-01 00:00:30"])
def test_a_start_that_is_not_before_the_end_is_refused(recording, tmp_path, end):
    with pytest.raises(BadOption, match=r"start='2026-01-01 00:00:30' is not before end="):
        recording.export("csv", tmp_path / "x", start="2026-01-01 00:00:30", end=end)
    assert list(tmp_path.iterdir()) == []


def test_a_part_can_be_told_from_the_start_of_the_recording(recording, tmp_path):
    by_time = recording.export("csv", tmp_path / "a", topics="metrics", **MIDDLE)
    by_offset = recording.export("csv", tmp_path / "b", topics="metrics", start="30s", end="00:01:00")
    assert (by_time / "metrics.csv").read_bytes() == (by_offset / "metrics.csv").read_bytes()


@pytest.mark.parametrize("to", ["csv", "duckdb", "mcap"])
def test_an_export_of_a_time_without_anything_is_told_with_the_times_that_there_are(tmp_path, to):
    recording = sample(duration="10s", seed=7)
    with pytest.warns(UserWarning, match=r"from 2027-01-01 00:00:00 UTC; it was recorded from 2026-01-01 00:00:00"):
        recording.export(to, tmp_path / "later", start="2027-01-01", progress=False)
    assert (tmp_path / "later").exists()
