"""Recordings, read: in memory, in a directory, while they are written, merged, damaged; and that nothing leaks."""

import itertools
import shutil
import subprocess
import sys
import threading
import warnings

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import aurigraph_nb as ag
from aurigraph_nb import registry
from aurigraph_nb.errors import BadOption, FeedClosed, RecordingCorrupt, RecordingError, RecordingTooNew, UnknownTopic
from aurigraph_nb.gaps import Cause, Certainty, Gap
from aurigraph_nb.reading.recording import RecordingDamaged, RecordingRecovered, from_lines, open_recording
from aurigraph_nb.reading.rows import Rows, chunk_of
from aurigraph_nb.recording import directory as directories
from aurigraph_nb.recording.digest import Digest
from aurigraph_nb.recording.journal import JournalWriter
from aurigraph_nb.recording.lines import VERSION, End, FrameLine, GapBegins, GapEnds, Head, Opened
from aurigraph_nb.recording.manifest import Manifest
from aurigraph_nb.recording.sealer import Sealer
from aurigraph_nb.sample import Script, sample
from aurigraph_nb.schema import Metrics, arrow_schema

START = 1_767_225_600_000_000_000
SECOND = 1_000_000_000
DOUBLED = {"protocol": "live"}
IGNORED = pytest.mark.filterwarnings("ignore::aurigraph_nb.reading.recording.RecordingDamaged")
URL = "ws://127.0.0.1/ws"


def head(recorder="r1", segment=1, *, topics=("metrics", "validators", "consensus"), t=START, first=True, **state):
    return Head(
        v=VERSION,
        recorder=recorder,
        segment=segment,
        t=t,
        protocol="portal",
        url=URL,
        topics=topics,
        first=first,
        **state,
    )


def metrics(second, tps, *, late_ns=5, server=True):
    """A frame of metrics, received ``late_ns`` after the second."""
    stamp = f',"timestamp":"2026-01-01T00:{second // 60:02}:{second % 60:02}Z"' if server else ""
    return FrameLine(START + second * SECOND + late_ns, "metrics", 1, f'{{"tps":{tps}{stamp}}}')


def run_of(seconds, recorder="r1", **options):
    frames = [metrics(s, s, **options) for s in seconds]
    return [
        head(recorder, t=frames[0].t),
        Opened(frames[0].t, "metrics", 1),
        *frames,
        End(frames[-1].t, len(frames), True),
    ]


def write(path, *runs, sealed=True):
    """A recording in a directory: each run is the segments of one recorder."""
    protocol = runs[0][0][0].protocol
    directory = directories.create_or_open(path, protocol, recording_id="test", created_ns=START)
    number = 0
    for segments in runs:
        sealer = None
        for lines in segments:
            number += 1
            first = msgspec.structs.replace(lines[0], segment=number)
            with JournalWriter(directory.journal, first) as writer:
                writer.write(lines[1:])
            if sealed is True or (sealed and number in sealed):
                about = Manifest(
                    recorder=first.recorder, protocol=protocol, url=URL, topics=first.topics, started_ns=first.t
                )
                sealer = sealer or Sealer(directory, about)
                sealer.seal(number)
                if lines[-1].last:
                    sealer.note(state="ended", ended_ns=lines[-1].t)
    return open_recording(path)


@pytest.fixture(scope="module")
def memory():
    return sample("leader-churn", duration="3min", seed=7)


@pytest.fixture(scope="module")
def disk(memory, tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    sample(duration="1min", seed=8).save(runs / "it's a runaway")  # what a pattern would take for the one below
    return open_recording(memory.save(runs / "it's [a] run*"))


SELECTIONS = [
    {},
    {"columns": ["n"]},
    {"columns": ["n", "timestamp"], "start": "2026-01-01 00:00:30"},
    {"start": "2026-01-01 00:01", "end": "2026-01-01 00:02"},
    {"end": "2026-01-01 00:00:10"},
    {"start": "2030-01-01"},
    {"last": "20s"},
    {"last": "20s", "end": "2026-01-01 00:02:50"},
    {"limit": 7},
    {"limit": -7},
    {"limit": 0},
    {"last": "1min", "limit": -3},
    {"start": "2026-01-01 00:01", "limit": 5, "columns": "recv_ns"},
]


@pytest.mark.parametrize("selection", SELECTIONS, ids=str)
@pytest.mark.parametrize("index", ["timestamp", "recv", None])
def test_a_recording_reads_the_same_from_memory_from_disk_and_from_a_feed(memory, disk, selection, index):
    for topic in memory.topics:
        loaded = memory[topic].store.table()
        expected = ag.topic.frames.select(loaded, **{**selection, "by": "recv" if index == "recv" else "timestamp"})
        for recording in (memory, disk):
            frame = recording[topic].to_pandas(**selection, index=index)
            pd.testing.assert_frame_equal(frame, disk[topic].to_pandas(**selection, index=index))
            assert len(frame) == expected.num_rows
            if "n" in frame:
                assert frame["n"].tolist() == expected.column("n").to_pylist()


def test_a_live_feed_and_its_recording_are_equal_frame_for_frame(tmp_path):
    run = {"seed": 7, "scenario": "leader-churn", "duration": "1min", "start": "2026-01-01"}
    with ag.simulate(**run) as feed:
        feed.join(timeout=60)
        recording = sample(run["scenario"], run["duration"], run["seed"])
        saved = open_recording(recording.save(tmp_path / "run"))
        for topic in feed.topics:
            pd.testing.assert_frame_equal(saved[topic].to_pandas(), feed[topic].to_pandas())
        pd.testing.assert_frame_equal(saved.validators.current_table(), feed.validators.current_table())
        assert saved.consensus.events == feed.consensus.events
        assert saved.validators.state.expected == feed.validators.state.expected
        assert dict(saved.network.current) == dict(feed.network.current)
        assert saved.transactions.recent == feed.transactions.recent


def test_saving_twice_gives_the_same_files(memory, tmp_path):
    one, two = (memory.save(tmp_path / name, id="x", created_ns=5) for name in ("one", "two"))
    files = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(two) for p in two.rglob("*") if p.is_file())
    assert all((one / name).read_bytes() == (two / name).read_bytes() for name in files)
    assert open_recording(one).verify().ok


def test_saving_replaces_nothing(memory, disk, tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").write_text("mine")
    with pytest.raises(RecordingError, match="something is there"):
        memory.save(tmp_path / "taken")
    assert [p.name for p in tmp_path.rglob("*")] == ["taken", "thesis.txt"]
    with pytest.raises(BadOption, match=r"is in .* already"):
        disk.save(tmp_path / "other")


def test_a_recording_waits_for_nothing_and_says_so(disk):
    calls = [
        lambda: disk.metrics.wait(1),
        lambda: disk.metrics.take(1),
        lambda: disk.metrics.on_record(print),
        lambda: disk.send("hello"),
        lambda: disk.connect(),
        lambda: disk.record("elsewhere"),
    ]
    for call in calls:
        with pytest.raises(FeedClosed, match="recording"):
            call()
    disk.join(timeout=1)
    assert disk.ended and disk.closed and str(disk.status.state) == "CLOSED"


def test_reading_starts_no_thread_opens_no_file_for_long_and_registers_nothing(disk):
    before = threading.active_count()
    recording = open_recording(disk.path)
    recording.metrics.to_pandas(last="10s")
    recording.validators.current, recording.gaps, recording.info()
    assert threading.active_count() == before
    assert recording not in registry.feeds()
    recording.close()
    assert len(recording.metrics.to_pandas()) == 180


READS_ONLY = """
import sys, threading
from aurigraph_nb.reading.recording import open_recording
seen = []
sys.addaudithook(lambda event, args: event.startswith(("socket.", "_thread.start")) and seen.append((event, args)))
recording = open_recording(sys.argv[1])
recording.metrics.latest, recording.status, recording.validators.state, repr(recording), recording.stats()
ours = [t.name for t in threading.enumerate() if t.name.startswith("aurigraph")]
assert not ours, ours
assert not [event for event, _ in seen if event.startswith("socket.")], seen
"""


def test_opening_a_recording_needs_no_io_thread_and_no_socket(disk):
    done = subprocess.run(
        [sys.executable, "-c", READS_ONLY, str(disk.path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


ASKS_AND_ENDS = """
import sys
import aurigraph_nb as ag
recording = ag.open_recording(sys.argv[1])
assert recording.sql("SELECT count(*) FROM metrics").fetchall() == [(180,)]
controls = ag.ReplayControls(ag.replay(recording))
"""


def test_a_script_that_asked_in_sql_and_showed_a_replay_ends_without_a_word(disk):
    done = subprocess.run(
        [sys.executable, "-c", ASKS_AND_ENDS, str(disk.path)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_naming_and_counting_read_no_rows(disk, monkeypatch):
    recording = open_recording(disk.path)
    monkeypatch.setattr(Rows, "batches", lambda *_, **__: pytest.fail("rows were read"))
    assert len(recording.metrics) == 180
    assert repr(recording.metrics).startswith("<Topic metrics: 180 rows recorded")
    assert recording.status.topics["metrics"].rows == 180
    assert recording.stats().to_pandas().loc["metrics", "rows"] == 180
    assert recording.info().rows == sum(len(recording[name]) for name in recording.topics)


def test_columns_and_times_are_pushed_down_to_the_files(tmp_path, monkeypatch):
    recording = write(
        tmp_path / "r", [run_of(range(60)), [head(first=False, t=START + 60 * SECOND), *run_of(range(60, 120))[2:]]]
    )
    read = []
    real = pa.parquet.ParquetFile.read_row_group
    monkeypatch.setattr(
        pa.parquet.ParquetFile,
        "read_row_group",
        lambda self, i, columns=None, **kw: read.append(list(columns)) or real(self, i, columns=columns, **kw),
    )
    frame = recording.metrics.to_pandas(["tps"], start="2026-01-01 00:01:30", index=None)
    assert frame["tps"].tolist() == list(range(90, 120))
    assert [sorted(columns) for columns in read] == [["recv_ns", "timestamp", "tps"]]
    late = recording.metrics.to_pandas(["tps"], start="2026-01-01 00:00:55", end="2026-01-01 00:01:03", index=None)
    assert late["tps"].tolist() == list(range(55, 63))
    read.clear()
    assert recording.metrics.to_pandas(["n"], limit=3, index=None)["n"].tolist() == [0, 1, 2]
    assert read == [["n"]]


def test_iterating_gives_records_and_the_latest_is_the_last(disk, memory):
    rows = list(disk.consensus)
    assert rows == list(memory.consensus)
    assert disk.consensus.latest == rows[-1]
    assert from_lines([head(), End(START, 0, True)]).metrics.latest is None


def test_other_tools_take_a_topic_as_it_is(disk):
    import polars as pl

    assert pa.table(disk.metrics).num_rows == pl.DataFrame(disk.metrics).height == 180


@pytest.mark.parametrize("minute", ["2026-01-01 00:00:20", "2026-01-01 00:01", "2027-01-01", "2020-01-01"])
def test_the_state_at_a_time_is_that_of_the_rows_up_to_it(memory, disk, minute):
    until = pd.Timestamp(minute, tz="UTC").value
    for topic in ("validators", "consensus", "network", "transactions"):
        rows = [row for row in memory[topic] if (row.timestamp or row.recv_ns) <= until]
        expected = type(memory[topic].state)()
        for row in rows:
            expected.apply(row)
        found = disk[topic].at(minute)
        assert (
            list(found.current.items() if topic != "consensus" else [found.current])
            == list(expected.current.items() if topic != "consensus" else [expected.current])
            if topic != "transactions"
            else found.recent == expected.recent
        )
    assert disk.validators.at(minute).table().num_rows == len(disk.validators.at(minute).current)


def test_the_state_at_a_time_knows_how_many_validators_there_were(disk):
    assert disk.validators.at("2026-01-01 00:01").expected == 20
    assert disk.validators.at("2020-01-01").expected is None


@pytest.mark.parametrize(
    "query, words",
    [
        ("select * from nosuch", "Table with name nosuch does not exist! Tables: consensus, gaps, metrics,"),
        ("select * from metricss", "Did you mean metrics? Tables: "),
        ("select tsp from metrics", "Did you mean tps?\n  metrics has recv, timestamp, timestamp_ns, tps, "),
        ("select m.tsp from metrics m, gaps", "\n  gaps has topic, cause, "),
        ("selec * from metrics", 'sql: syntax error at or near "selec"\nLINE 1: selec'),
        ("select nosuch(tps) from metrics", "Scalar Function with name nosuch does not exist!"),
        ("insert into metrics values (1)", "sql: metrics is not a"),
        (5, "query=5: a text in SQL was expected"),
    ],
)
def test_a_query_that_makes_no_sense_is_told_with_what_there_is(disk, query, words):
    pytest.importorskip("duckdb")
    with pytest.raises(BadOption) as caught:
        disk.sql(query)
    assert words in str(caught.value) and len(str(caught.value)) < 1_500
    assert "\N{ZERO WIDTH SPACE}" not in str(caught.value), "tables that only views look at are not named"
    assert disk.sql("select count(*) from metrics").fetchall()[0][0] == len(disk.metrics), "the next one goes on"


def test_a_file_that_a_query_cannot_read_is_an_error_of_this_package(disk):
    pytest.importorskip("duckdb")
    with pytest.raises(RecordingError, match="No files found"):
        disk.sql("select * from read_parquet('nowhere.parquet')")


def test_times_in_a_recording_can_be_told_from_its_start_or_its_end(disk):
    by_time = disk.metrics.to_pandas(start="2026-01-01 00:00:30", end="2026-01-01 00:01:00")
    assert len(by_time) == 30
    for start, end in (("00:00:30", "00:01:00"), ("30s", "1min"), (pd.Timedelta("30s"), "00:01")):
        pd.testing.assert_frame_equal(disk.metrics.to_pandas(start=start, end=end), by_time)
    ends = disk.runs()[-1].end_ns
    assert disk.metrics.to_pandas(start="-10s").index[0] == pd.Timestamp(ends, tz="UTC") - pd.Timedelta("10s")
    then = disk.consensus.at("2026-01-01 00:00:30").current
    assert disk.consensus.at("00:00:30").current == disk.consensus.at("30s").current == then


def test_a_time_from_the_start_that_lies_behind_the_end_is_refused(disk):
    for ask in (lambda: disk.metrics.to_pandas(start="3h"), lambda: disk.consensus.at("3h")):
        with pytest.raises(
            BadOption, match="10,800 s after its start lies outside the recording, which goes from 2026"
        ):
            ask()


def test_analytics_of_a_recording_take_the_same_times(disk):
    part = ag.analytics.throughput(disk.metrics, start="30s", end="00:01:00")
    whole = ag.analytics.throughput(disk.metrics, start="2026-01-01 00:00:30", end="2026-01-01 00:01:00")
    assert (repr(part), part.value) == (repr(whole), whole.value)


def test_a_topic_without_a_state_says_what_to_ask_for(disk):
    with pytest.raises(BadOption, match="to_pandas"):
        disk.metrics.at("2026-01-01")


def test_a_topic_that_was_not_recorded_has_no_rows_and_says_so():
    recording = from_lines(run_of(range(3)))
    assert not recording.network.recorded and recording.metrics.recorded
    assert len(recording.network.to_pandas()) == 0
    assert recording.recorded_topics == ("metrics", "validators", "consensus")
    with pytest.raises(UnknownTopic, match="no topic 'weather' in this recording"):
        recording["weather"]


def test_widgets_show_a_recording(disk):
    card, table = ag.MetricsCard(disk.metrics), ag.ValidatorTable(disk.validators)
    try:
        assert card.source is disk.metrics and table.source is disk.validators
        assert len(disk.metrics.store) == 180
    finally:
        card.close()
        table.close()


# Several recorders


def test_rows_of_recorders_at_once_are_merged_by_receive_time(tmp_path):
    a = run_of(range(0, 40, 2), "a")
    b = run_of(range(1, 41, 2), "b", late_ns=3)
    recording = write(tmp_path / "r", [a], [b])
    assert recording.metrics.to_pandas(index=None)["tps"].tolist() == list(range(40))
    assert recording.metrics.to_pandas(index=None, limit=-3)["tps"].tolist() == [37, 38, 39]
    assert recording.metrics.to_pandas(index=None, limit=3)["tps"].tolist() == [0, 1, 2]
    assert recording.metrics.scan().collect()["tps"].to_list() == list(range(40))
    assert [info.id for info in recording.info().recorders] == ["a", "b"]


def test_a_clock_that_stepped_back_does_not_reorder_a_recorders_rows(tmp_path):
    frames = [metrics(s, i) for i, s in enumerate([0, 50, 10, 11, 60])]
    a = [head("a"), *frames, End(frames[-1].t, 5, True)]
    alone = write(tmp_path / "alone", [a])
    assert alone.metrics.to_pandas(index=None)["tps"].tolist() == [0, 1, 2, 3, 4]
    b = [head("b"), metrics(55, 100), End(START + 55 * SECOND, 1, True)]
    both = write(tmp_path / "both", [a], [b])
    assert both.metrics.to_pandas(index=None)["tps"].tolist() == [0, 1, 2, 3, 100, 4]
    assert both.metrics.scan().collect()["tps"].to_list() == [0, 1, 2, 3, 100, 4]


@pytest.mark.parametrize("seed", range(20))
def test_merging_piece_by_piece_is_merging_at_once(seed):
    rng = np.random.default_rng(seed)
    schema = arrow_schema(Metrics)
    recorders, rows = [], []
    for r in range(rng.integers(1, 5)):
        recv = np.sort(rng.integers(0, 30, rng.integers(1, 40)))
        records = [Metrics(recv_ns=int(t), conn_epoch=r, n=i, tps=1.0) for i, t in enumerate(recv)]
        rows += [(row.recv_ns, r, row.n) for row in records]
        cuts = sorted({0, len(records), *rng.integers(0, len(records) + 1, 4).tolist()})
        batches = [ag.columns.records_to_batch(Metrics, records[a:b]) for a, b in itertools.pairwise(cuts)]
        recorders.append([chunk_of(batch) for batch in batches])
    table = Rows(schema, recorders).select(columns=["recv_ns", "conn_epoch", "n"])
    assert [tuple(row.values()) for row in table.to_pylist()] == sorted(rows)
    start, end = sorted(rng.integers(0, 30, 2).tolist())
    part = Rows(schema, recorders).select(columns=["n"], start=start, end=end, limit=5)
    assert part.column("n").to_pylist() == [n for t, _, n in sorted(rows) if start <= t < end][:5]


def test_gaps_of_recorders_stand_by_their_begin(tmp_path):
    def gap(second):
        return Gap(
            "metrics", Cause.DISCONNECT, Certainty.UNKNOWN, START + second * SECOND, START + (second + 1) * SECOND
        )

    a, b = run_of(range(0, 40, 2), "a"), run_of(range(1, 41, 2), "b")
    a[2:2] = [GapBegins(START, gap(20))]
    b[2:2] = [GapBegins(START, gap(10))]
    recording = write(tmp_path / "r", [a], [b])
    assert recording.gaps.rows() == (gap(10), gap(20))


# While it is being written, and after a sudden end


def in_segments(lines, frames_each):
    """The lines as segments, each with a head that tells where the counting stands."""
    digest, parts, frames = Digest(lines[0].protocol), [[]], 0
    for line in lines:
        if isinstance(line, FrameLine) and frames and frames % frames_each == 0:
            ledger, marks = digest.ledger.snapshot()
            state = {"ledger": ledger, "marks": marks, "up": dict(digest.up)}
            parts[-1].append(End(line.t, frames_each))
            parts.append([msgspec.structs.replace(lines[0], t=line.t, first=False, **state)])
        frames += isinstance(line, FrameLine)
        digest.take(line)
        parts[-1].append(line)
    return parts


@pytest.mark.parametrize("system", [{"protocol": "portal"}, {"protocol": "channels"}, DOUBLED], ids=str)
def test_what_is_not_sealed_is_read_from_the_journal_with_the_decoder_where_it_stood(tmp_path, system):
    run = {"protocol": "portal", "scenario": "leader-churn", "duration": "2min", "seed": 7, "start": "2026-01-01"}
    lines = list(Script(**{**run, **system}).lines())
    if system is DOUBLED:  # every frame comes twice, and a segment ends between the two
        lines = [copy for line in lines for copy in ((line, line) if isinstance(line, FrameLine) else (line,))]
    parts = in_segments(lines, (sum(isinstance(line, FrameLine) for line in lines) // 3) | 1)[:3]
    whole = from_lines([line for part in parts for line in part])
    assert len(parts) == 3
    for sealed in ({1}, {1, 2}, {2}, set()):
        recording = write(tmp_path / f"r{len(sealed)}{sum(sealed)}", [list(part) for part in parts], sealed=sealed)
        for topic in whole.topics:
            pd.testing.assert_frame_equal(recording[topic].to_pandas(), whole[topic].to_pandas())
        info = recording.info()
        assert info.unsealed == len(parts) - len(sealed)
        assert (info.frames, info.suppressed) == (whole.info().frames, whole.info().suppressed)


def test_opening_decodes_nothing_that_is_not_sealed(tmp_path, monkeypatch):
    lines = list(Script(protocol="portal", scenario="steady", duration="30s", seed=7, start="2026-01-01").lines())
    path = write(tmp_path / "r", [lines], sealed=False).path
    monkeypatch.setattr(Digest, "take", lambda *_: pytest.fail("lines were decoded"))
    recording = open_recording(path)
    assert recording.url == lines[0].url and "metrics" in recording.topics


def test_a_recording_can_be_read_while_it_is_written(tmp_path):
    with ag.simulate(seed=7, rate=400, name="written and read") as feed, feed.record(tmp_path / "live") as recorder:
        recorder.wait(frames=100, timeout=30)
        recording = open_recording(tmp_path / "live")
        first = len(recording.transactions)
        assert recording.info().recorders[0].state == "recording"
        assert recording.recovered == ()
        recorder.wait(frames=recorder.frames + 200, timeout=30)
        assert len(recording.transactions) == first
        version = recording.transactions.store.generation
        assert recording.refresh()
        assert len(recording.transactions) > first
        assert recording.transactions.store.generation == version + 1
        assert len(recording.transactions.store) == len(recording.transactions)
    recording.refresh()
    assert recording.info().recorders[0].state == "ended"
    assert not recording.refresh()
    for topic in feed.topics:
        live = feed[topic].to_pandas()
        recorded = recording[topic].to_pandas()
        pd.testing.assert_frame_equal(recorded, live[live["n"].isin(recorded["n"])], check_categorical=False)


def test_a_torn_end_is_cut_and_told(tmp_path):
    write(tmp_path / "r", [run_of(range(10))], sealed=False).close()
    segment = tmp_path / "r" / "journal" / "000001.jsonl.zst"
    whole = segment.read_bytes()
    segment.write_bytes(whole[:-7])
    with pytest.warns(RecordingRecovered, match="ended suddenly"):
        recording = open_recording(tmp_path / "r")
    assert [told.segment for told in recording.recovered] == [1]
    assert recording.recovered[0].kept.read_bytes() == whole[:-7]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_recording(tmp_path / "r").recovered == ()


@IGNORED
def test_without_recovery_nothing_is_changed_and_the_rest_is_read(tmp_path):
    lines = run_of(range(10))
    write(tmp_path / "r", [lines], sealed=False)
    segment = tmp_path / "r" / "journal" / "000001.jsonl.zst"
    with segment.open("ab") as file:
        file.write(b"\x28\xb5\x2f\xfd torn")
    before = segment.read_bytes()
    recording = open_recording(tmp_path / "r", recover=False)
    assert recording.metrics.to_pandas()["tps"].tolist() == list(range(10))
    assert [finding.kind for finding in recording.damage] == ["damage"]
    assert segment.read_bytes() == before


# Damage


@pytest.fixture
def damaged(tmp_path):
    """A recording of two sealed segments, and the paths of their Parquet files of metrics."""
    second = [head(first=False, t=START + 60 * SECOND, ledger={"metrics": 60}), *run_of(range(60, 120))[2:]]
    write(tmp_path / "r", [[*run_of(range(60))[:-1], End(START + 59 * SECOND, 60)], second])
    return tmp_path / "r", sorted((tmp_path / "r").glob("topic=metrics/*/*.parquet"))


@IGNORED
def test_rows_of_a_missing_file_come_from_the_journal_and_it_is_told(damaged):
    path, files = damaged
    files[0].unlink()
    recording = open_recording(path)
    assert recording.metrics.to_pandas(index=None)["tps"].tolist() == list(range(120))
    assert [(f.kind, f.segment) for f in recording.damage] == [("missing", 1)]
    assert "made anew from the journal" in recording.damage[0].detail
    assert recording.metrics.files() == (files[1],)
    assert recording.metrics.scan().collect()["tps"].to_list() == list(range(120))
    assert recording.sql("select count(*), max(tps) from metrics").fetchall() == [(120, 119.0)]
    assert recording.metrics.to_dask()["tps"].compute().tolist() == list(range(120))
    assert not recording.verify().ok
    recording.rebuild()
    assert recording.verify().ok and recording.metrics.files() == tuple(files)
    assert recording.damage == ()


@IGNORED
@pytest.mark.parametrize("place", [0.2, 0.5, 0.999])
def test_rows_of_a_damaged_file_come_from_the_journal_and_it_is_told(damaged, place):
    path, files = damaged
    data = bytearray(files[0].read_bytes())
    data[int(len(data) * place)] ^= 0x10
    files[0].write_bytes(data)
    recording = open_recording(path)
    verification = recording.verify()
    assert not verification.ok
    assert recording.metrics.to_pandas(index=None)["tps"].tolist() == list(range(120))
    assert recording.metrics.to_pandas(index=None)["n"].tolist() == list(range(120))


def test_damage_is_a_warning_when_it_is_met_and_no_second_time(damaged):
    path, files = damaged
    files[0].unlink()
    recording = open_recording(path)
    with pytest.warns(RecordingDamaged, match="missing") as told:
        recording.metrics.to_pandas()
    assert told[0].filename.endswith(("topic.py", "test_recordings.py"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(recording.metrics.to_pandas()) == 120


@IGNORED
def test_a_damaged_page_is_told(damaged):
    path, files = damaged
    data = bytearray(files[1].read_bytes())
    data[len(data) // 10] ^= 0xFF
    files[1].write_bytes(data)
    recording = open_recording(path)
    assert recording.metrics.to_pandas(index=None)["tps"].tolist() == list(range(120))
    assert [(f.kind, f.segment) for f in recording.damage] == [("damage", 2)]


@IGNORED
def test_a_flipped_bit_never_changes_a_row(damaged):
    path, files = damaged
    whole = files[0].read_bytes()
    pages = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for place in range(4, pages, pages // 40):
        data = bytearray(whole)
        data[place] ^= 1 << (place % 8)
        files[0].write_bytes(data)
        frame = open_recording(path).metrics.to_pandas(["tps", "n"], index=None)
        assert frame["tps"].tolist() == frame["n"].tolist() == list(range(120)), place


@IGNORED
def test_what_neither_file_has_is_a_gap_and_the_rest_is_read(damaged):
    path, files = damaged
    files[0].unlink()
    (path / "journal" / "000001.jsonl.zst").unlink()
    recording = open_recording(path)
    assert recording.metrics.to_pandas(index=None)["tps"].tolist() == list(range(60, 120))
    assert "lost" in {finding.kind for finding in recording.damage}
    (gap,) = recording.gaps.rows()
    assert (gap.topic, gap.cause, gap.certainty) == ("metrics", Cause.RECORDER_DOWN, Certainty.UNKNOWN)
    assert "60 rows are lost" in gap.detail


@IGNORED
def test_a_damaged_block_of_an_unsealed_journal_is_a_gap_and_the_rest_is_read(tmp_path):
    directory = directories.create_or_open(tmp_path / "r", "portal", recording_id="x", created_ns=0)
    lines = run_of(range(30))
    with JournalWriter(directory.journal, lines[0]) as writer:
        sizes = [writer.write(some) for some in (lines[1:11], lines[11:21], lines[21:])]
    segment = tmp_path / "r" / "journal" / "000001.jsonl.zst"
    data = bytearray(segment.read_bytes())
    data[len(data) - sizes[2] - sizes[1] // 2] ^= 0x01
    segment.write_bytes(data)
    recording = open_recording(tmp_path / "r")
    tps = recording.metrics.to_pandas(index=None)["tps"].tolist()
    assert tps == [*range(9), *range(19, 30)]
    assert [finding.kind for finding in recording.damage] == ["damage"]
    assert {gap.cause for gap in recording.gaps} == {Cause.RECORDER_DOWN}
    assert recording.metrics.to_pandas(index=None)["gap_before"].tolist().index(True) == 9


@IGNORED
def test_a_manifest_of_a_newer_version_is_told_and_its_journal_is_read(damaged):
    path, _ = damaged
    manifest = path / "manifest" / "r1.json"
    manifest.write_text(manifest.read_text().replace('"version": 1', '"version": 99'))
    recording = open_recording(path, recover=False)
    assert recording.metrics.to_pandas(index=None)["tps"].tolist() == list(range(120))
    assert "version 99" in recording.damage[0].detail


def test_a_recording_of_a_newer_version_is_refused_by_name(damaged):
    path, _ = damaged
    about = path / "recording.json"
    about.write_text(about.read_text().replace('"version":1', '"version":99').replace('"version": 1', '"version": 99'))
    with pytest.raises(RecordingTooNew, match="99"):
        open_recording(path)


def test_what_is_no_recording_is_refused(tmp_path):
    with pytest.raises(RecordingError, match="nothing"):
        open_recording(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(RecordingError, match="file"):
        open_recording(tmp_path / "file")
    with pytest.raises(RecordingError, match="no recording"):
        open_recording(tmp_path)


def test_lines_without_a_head_are_refused():
    for lines in ([], [metrics(1, 1)]):
        with pytest.raises(RecordingCorrupt, match="head"):
            from_lines(lines)


def test_a_protocol_that_is_not_known_is_refused():
    with pytest.raises(RecordingCorrupt, match="semaphore"):
        from_lines([msgspec.structs.replace(head(), protocol="semaphore")])


def test_in_memory_there_is_nothing_to_verify_or_rebuild(memory):
    for call in (memory.verify, memory.rebuild):
        with pytest.raises(BadOption, match="in memory"):
            call()
    assert memory.path is None and memory.refresh() is False


# What a recording tells


def test_a_player_gets_the_lines_from_the_segment_before_the_time_it_asks_for(tmp_path):
    segments = [[*run_of(range(10))[:-1], End(START + 9 * SECOND, 10)]]
    for first in (10, 20, 30):
        frames = run_of(range(first, first + 10))[2:]
        segments.append([head(first=False, t=START + first * SECOND, ledger={"metrics": first}), *frames])
    (tape,) = write(tmp_path / "r", segments, sealed={1, 2}).runs()
    assert (tape.recorder, tape.start_ns, tape.end_ns) == ("r1", START + 5, START + 39 * SECOND + 5)
    for since, firsts in ((0, [1, 2, 3, 4]), (START + 25 * SECOND, [2, 3, 4]), (START + 99 * SECOND, [3, 4])):
        lines = [line for lines in tape.lines(since) for line in lines]
        assert [line.segment for line in lines if isinstance(line, Head)] == firsts
        assert isinstance(lines[0], Head)
    (tape,) = from_lines(segments[0]).runs()
    assert [line for lines in tape.lines(0) for line in lines] == segments[0]


def test_the_report_tells_what_is_in_it(disk):
    info = disk.info()
    text = str(info)
    assert "180 rows" in text and "portal" in text and "1 segment, sealed; 0 gaps" in text
    plain = info.to_dict()
    assert plain["frames"] == info.frames > 0
    assert plain["bytes_per_message"] == pytest.approx(info.bytes / info.frames)
    assert plain["bytes"] == sum(p.stat().st_size for p in disk.path.rglob("*.zst")) + sum(
        p.stat().st_size for p in disk.path.rglob("*.parquet")
    )
    assert {topic["name"]: topic["rows"] for topic in plain["topics"]}["metrics"] == 180
    assert msgspec.json.encode(plain)


def test_undecoded_frames_and_strange_fields_are_found_by_decoding_again():
    lines = run_of(range(3))
    lines[3:3] = [
        FrameLine(START + SECOND, "metrics", 1, "{broken"),
        FrameLine(START + SECOND, "metrics", 1, '{"tps":1,"odd":2}'),
    ]
    recording = from_lines(lines)
    assert [failed.topic for failed in recording.undecoded] == ["metrics"]
    assert recording.fields("metrics")["unnamed"] == {"odd": 1}
    assert recording.status.undecoded == recording.info().undecoded == 1
    assert [gap.cause for gap in recording.gaps] == [Cause.DECODE_ERROR]


def test_gaps_that_ended_and_gaps_that_last_are_told():
    lines = run_of(range(3))
    lasting = Gap("validators", Cause.DISCONNECT, Certainty.UNKNOWN, START)
    over = Gap("metrics", Cause.IDLE, Certainty.BOUNDED, START)
    lines[2:2] = [
        GapBegins(START, lasting),
        GapBegins(START, over),
        GapEnds(START, "metrics", "idle", START + SECOND, 3),
    ]
    frame = from_lines(lines).gaps.to_pandas()
    assert frame["end"].isna().tolist() == [True, False]
    assert frame["frames"].tolist()[1] == 3


# More rows than memory holds


@pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")  # DuckDB's own call to pandas
def test_sql_gives_times_with_zone_and_whole_nanoseconds_beside(disk):
    relation = disk.sql(
        "select date_trunc('minute', timestamp) as minute, count(*) as n from metrics group by 1 order by 1"
    )
    frame = relation.df()
    assert frame["n"].tolist() == [60, 60, 60]
    assert str(frame["minute"].dt.tz) == "UTC"
    types = dict(disk.sql("select column_name, column_type from (describe metrics)").fetchall())
    assert types["timestamp"] == types["recv"] == "TIMESTAMP WITH TIME ZONE"
    assert types["timestamp_ns"] == types["recv_ns"] == "BIGINT"
    exact = disk.sql("select timestamp_ns, recv_ns from transactions order by recv_ns, n").fetchall()
    table = disk.transactions.to_arrow(["timestamp", "recv_ns"])
    assert exact == list(zip(table.column(0).cast(pa.int64()).to_pylist(), table.column(1).to_pylist(), strict=True))


def test_sql_keeps_decimals_exact_and_gives_gaps(disk):
    total = disk.sql("select sum(value) from transactions").fetchall()[0][0]
    assert total == sum(row.value for row in disk.transactions if row.value is not None)
    assert disk.sql("select count(*) from gaps").fetchall()[0][0] == len(disk.gaps)


def test_sql_sees_what_is_not_sealed_and_a_refresh(tmp_path):
    recording = write(
        tmp_path / "r",
        [[*run_of(range(5))[:-1], End(START, 5)], [head(first=False), *run_of(range(5, 8))[2:]]],
        sealed={1},
    )
    assert recording.sql("select count(*) from metrics").fetchall() == [(8,)]
    assert len(recording.metrics.files()) == 1


def test_hostile_names_of_topics_are_quoted():
    names = ('a"; DROP TABLE x; --', "Gaps", "METRICS", "metrics", "'", "zero\0byte", "*")
    lines = [
        Head(v=VERSION, recorder="r", segment=1, t=START, protocol="channels", url=URL, topics=names, first=True),
        End(START, 0, True),
    ]
    recording = from_lines(lines)
    views = {name for (name,) in recording.sql("select view_name from duckdb_views() where not internal").fetchall()}
    assert {'a"; DROP TABLE x; --', "gaps", "Gaps_", "METRICS", "metrics_", "'", "*"} <= views
    assert recording.sql('select count(*) from "a""; DROP TABLE x; --"').fetchall() == [(0,)]


def test_polars_duckdb_dask_and_pandas_agree(disk):
    expected = disk.transactions.to_pandas()
    assert disk.transactions.scan().collect().equals(disk.transactions.to_polars())
    assert disk.sql("select sum(gas_used) from transactions").fetchall()[0][0] == expected["gas_used"].sum()
    dask = disk.transactions.to_dask()
    pd.testing.assert_frame_equal(dask.compute(scheduler="synchronous"), expected)
    pd.testing.assert_frame_equal(
        disk.transactions.to_dask(["status"], index="recv").compute(scheduler="synchronous"),
        disk.transactions.to_pandas(["status"], index="recv"),
    )
    empty = from_lines(run_of(range(2))).consensus
    assert len(empty.to_dask().compute(scheduler="synchronous")) == len(empty.scan().collect()) == 0


def test_dask_wants_a_known_index(disk):
    with pytest.raises(BadOption, match="index"):
        disk.metrics.to_dask(index="row")


def test_the_files_can_be_read_without_this_package(disk):
    parts = [pd.read_parquet(path, partitioning=None) for path in disk.metrics.files()]
    assert sum(map(len, parts)) == 180
    assert all(path.is_file() for path in disk.metrics.files())


@pytest.mark.parametrize("protocol", ["live", "channels", "fakeai"])
def test_recordings_of_every_system_have_typed_topics(protocol, tmp_path):
    recording = sample(duration="30s", seed=1, protocol=protocol)
    assert type(recording).__name__ == f"{protocol.title()}Recording"
    assert isinstance(recording, ag.feeds.FEED_TYPES[protocol])
    saved = open_recording(recording.save(tmp_path / "r"))
    for topic in recording.topics:
        attribute = getattr(saved, topic) if hasattr(type(saved), topic) else saved[topic]
        pd.testing.assert_frame_equal(attribute.to_pandas(), recording[topic].to_pandas())
        assert attribute.recorded == (topic in recording.recorded_topics)
    assert shutil.rmtree(tmp_path / "r") is None


def test_what_a_recording_is_called_names_no_machine(disk, memory):
    assert repr(disk).startswith(f"<{type(disk).__name__} {disk.path.name}: ")
    assert str(disk.path.parent) not in repr(disk)
    assert disk.path.is_absolute() and str(disk.path) in str(disk.info())
    assert repr(memory).startswith(f"<{type(memory).__name__} {memory.name}: ")


@pytest.mark.parametrize("sealed, words", [((1, 2, 3), "0 of them not sealed"), ((1,), "2 of them not sealed")])
def test_the_report_counts_in_words_that_fit(tmp_path, sealed, words):
    recording = write(tmp_path / "r", *([run_of(range(i, i + 1), f"r{i}")] for i in range(3)), sealed=sealed)
    assert f"  3 segments, {words}; " in str(recording.info()) and "3 messages, 3 rows" in str(recording.info())
