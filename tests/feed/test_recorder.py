"""Recorders: everything that a feed takes in is written down, and what cannot be is counted."""

import asyncio
import errno
import logging
import os
import signal
import threading
import time
import warnings

import msgspec
import pandas as pd
import pyarrow as pa
import pytest
from scripted import ScriptedServer, hold, sends

import aurigraph_nb as ag
from aurigraph_nb import iothread
from aurigraph_nb.columns import records_to_table
from aurigraph_nb.errors import RecordingError, RecordingInUse
from aurigraph_nb.frames import to_pandas
from aurigraph_nb.gaps import Cause, Certainty
from aurigraph_nb.recorder import inbox as inboxes
from aurigraph_nb.recorder import steps
from aurigraph_nb.recorder import writer as writers
from aurigraph_nb.recording import directory as directories
from aurigraph_nb.recording import disk, journal
from aurigraph_nb.recording.digest import Digest
from aurigraph_nb.recording.journal import read_segment
from aurigraph_nb.recording.lines import Count, End, FrameLine, GapBegins, Head, Tick, data_of
from aurigraph_nb.recording.manifest import Manifest
from aurigraph_nb.recording.parts import read_part
from aurigraph_nb.recording.verify import verify
from aurigraph_nb.simulate import _feed_on, _subscribe

SYSTEMS = {
    "server": ("portal", {}),
    "portal": ("portal", {"shape": "portal"}),
    "live": ("live", {}),
    "channels": ("channels", {}),
    "fakeai": ("fakeai", {}),
    "fakeai-real": ("fakeai", {"inference_shape": "real"}),
}


@pytest.fixture(autouse=True)
def all_closed():
    yield
    ag.close_all()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "recording"


def lines_of(path):
    """All lines, by segment."""
    found = {}
    for segment in directories.open(path).segments():
        found[segment.number] = [line for lines in read_segment(segment.path) for line in lines]
    return found


def all_lines(path, kind=object):
    return [line for lines in lines_of(path).values() for line in lines if isinstance(line, kind)]


def digested(path, protocol="portal"):
    digest = Digest(protocol)
    digest.take(all_lines(path))
    return digest, digest.drain()


def metrics(i):
    return f'{{"timestamp":"2026-01-01T00:00:00Z","tps":{i},"cpu":1.0,"memory":2.0,"connections":3,"errorRate":0}}'


def connect(server, **options):
    return ag.connect(server.url("/ws/metrics"), shared=False, **options)


def virtual(protocol="portal", seed=7, duration="20s", scenario="steady", **options):
    """A node and a feed on a virtual clock that stands until the test begins it."""
    node = ag.Node(seed=seed, start="2026-01-01", speed=None, duration=duration, scenario=scenario, **options)
    node.start()
    feed = _feed_on(node, f"virtual {protocol}", seed, protocol)
    feed.at_close(node.close)
    return node, feed


def run(node, feed, topics=None):
    _subscribe(feed, tuple(feed.topics) if topics is None else topics)
    node.begin()
    feed.join(timeout=60)


# What is recorded is what was live


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_recorded_frames_are_the_live_ones_row_for_row(system, path, monkeypatch):
    monkeypatch.setattr(writers, "FLUSH_LINES", 10)
    protocol, options = SYSTEMS[system]
    duration = "3min" if protocol == "fakeai" else "20s"  # long enough for a segment to be full before the end
    node, feed = virtual(protocol, scenario="leader-churn", rate=100, duration=duration, **options)
    with feed, feed.record(path, segment_bytes=4096) as recorder:
        run(node, feed)
    assert recorder.error is None and recorder.lost == 0 and recorder.segments > 1
    _, rows = digested(path, protocol)
    assert sum(map(len, rows.values())) == recorder.rows > 30
    parts = [part for s in directories.open(path).segments() for part in s.entry.parts]
    for topic in feed:
        live = topic.store.table()
        assert records_to_table(topic.record_type, rows.get(topic.name, [])).equals(live), topic.name
        sealed = [read_part(path / part.path) for part in parts if part.topic == topic.name]
        if live.num_rows:
            frame = to_pandas(live, index=None)
            again = to_pandas(pa.concat_tables(sealed).cast(live.schema), index=None)
            pd.testing.assert_frame_equal(again, frame)


def test_a_run_with_an_outage_has_the_same_gaps_and_marks(path):
    node, feed = virtual(scenario="outage", duration="10min")
    with feed, feed.record(path):
        run(node, feed)
    digest, rows = digested(path)
    assert digest.book.rows() == feed.gaps.rows() and len(feed.gaps) > 4
    for topic in feed:
        live = topic.store.table()
        assert records_to_table(topic.record_type, rows[topic.name]).equals(live)
        assert sum(live["gap_before"].to_pylist()) > 0
    assert verify(directories.open(path)).ok


def test_each_segment_can_be_read_by_itself_because_its_head_says_where_the_counting_stands(path, monkeypatch):
    monkeypatch.setattr(writers, "FLUSH_LINES", 20)
    node, feed = virtual(rate=200, duration="20s")
    with feed, feed.record(path, segment_bytes=8192) as recorder:
        run(node, feed)
    found = lines_of(path)
    assert len(found) == recorder.segments > 5
    alone = []
    for lines in found.values():
        digest = Digest("portal")
        digest.take(lines)
        alone += digest.drain().get("transactions", [])
    assert records_to_table(feed.transactions.record_type, alone).equals(feed.transactions.store.table())
    assert [lines[0].first for lines in found.values()] == [True] + [False] * (len(found) - 1)
    assert [lines[-1].last for lines in found.values()] == [False] * (len(found) - 1) + [True]
    assert all(lines[-1].frames == sum(isinstance(x, FrameLine) for x in lines) for lines in found.values())


def test_segments_end_by_age_too_but_not_while_nothing_comes(path):
    server_says = [metrics(i) for i in range(3)]
    with ScriptedServer(sends(*server_says)) as server, connect(server) as feed:
        recorder = feed.record(path, ["metrics"], segment_age=0.3)
        recorder.wait(frames=3, timeout=10)
        until(lambda: recorder.segments == 2)
        recorder.close()
    assert [len([x for x in lines if isinstance(x, FrameLine)]) for lines in lines_of(path).values()] == [3, 0]


def until(condition, timeout=10):
    waiting = threading.Event()
    for _ in range(timeout * 100):
        if condition():
            return
        waiting.wait(0.01)
    raise AssertionError("not met in time")


def test_only_connections_with_recorded_topics_are_written_down(path):
    node, feed = virtual()
    with feed, feed.record(path, "metrics"):
        run(node, feed)
    assert {line.e for line in all_lines(path, FrameLine)} == {"metrics"}
    assert len(feed.transactions.store) > 0 and all_lines(path, Head)[0].topics == ("metrics",)


def test_binary_and_broken_frames_are_kept_byte_for_byte(path):
    script = [b"\xff\xfe not text", metrics(1), "no JSON \u2028 \x7f"]
    with ScriptedServer(sends(*script)) as server, connect(server) as feed:
        with feed.record(path, ["metrics"]) as recorder:
            recorder.wait(frames=3, timeout=10)
        kept = [(data_of(line), line.b) for line in all_lines(path, FrameLine)]
        digest, rows = digested(path)
        assert kept == [(script[0], True), (script[1].encode(), False), (script[2].encode(), False)]
        assert digest.counts.undecoded.total() == feed.status.undecoded == 2
        assert [row.n for row in rows["metrics"]] == [row.n for row in feed.metrics]


# Starting, ending, going on


def test_recording_starts_at_once_and_opens_its_topics(path):
    with ScriptedServer(hold) as server, connect(server) as feed:
        recorder = feed.record(path, ["metrics"])
        assert isinstance(all_lines(path)[0], Head) and recorder.running
        assert feed.metrics.opened and not feed.network.opened
        assert feed.recorders == (recorder,)
        recorder.close()
        recorder.stop()
        assert feed.recorders == (recorder,) and not recorder.running and not feed.closed


def test_closing_the_feed_ends_the_recording_in_good_order(path):
    with ScriptedServer(sends(metrics(1), metrics(2))) as server:
        feed = connect(server)
        recorder = feed.record(path, ["metrics"])
        feed.metrics.wait(2, timeout=10)
        feed.close()
    assert not recorder.running and recorder.frames == 2
    assert isinstance(all_lines(path)[-1], End) and all_lines(path)[-1].last
    assert directories.open(path).read().manifests[recorder.name].state == "ended"


def test_an_existing_recording_goes_on_with_a_gap_for_the_time_between(path):
    with ScriptedServer(sends(metrics(1), metrics(2))) as server, connect(server) as feed:
        for _ in range(2):
            with feed.record(path, ["metrics", "network"], name="roof") as recorder:
                feed.reconnect()
                recorder.wait(frames=2, timeout=10)
        gaps = {
            line.gap.topic: line.gap for line in all_lines(path, GapBegins) if line.gap.cause == Cause.RECORDER_DOWN
        }
        contents = directories.open(path).read()
    assert contents.recorders == ("roof", "roof-2") and len(contents.segments) == 2
    assert gaps["metrics"].certainty is Certainty.BOUNDED and gaps["metrics"].frames is not None
    assert gaps["network"].certainty is Certainty.UNKNOWN and gaps["network"].frames is None
    assert gaps["metrics"].start_ns == contents.manifests["roof"].ended_ns <= gaps["metrics"].end_ns
    assert gaps["metrics"].end_ns == contents.manifests["roof-2"].started_ns
    assert recorder.progress().gaps >= 2


def test_what_a_killed_recorder_left_tells_up_to_when_it_went(path):
    with ScriptedServer(sends(metrics(1))) as server, connect(server) as feed:
        with feed.record(path, ["metrics"]) as recorder:
            recorder.wait(frames=1, timeout=10)
        manifest = directories.open(path).manifest_path(recorder.name)
        manifest.unlink()  # as if it had never got so far
        last = all_lines(path)[-1].t
        with feed.record(path, ["metrics"]):
            pass
    gap = next(line.gap for line in all_lines(path, GapBegins) if line.gap.cause == Cause.RECORDER_DOWN)
    assert gap.start_ns == last - 100_000_000


def down(path):
    """Gaps between recorders: topic and begin, in their order."""
    lines = all_lines(path, GapBegins)
    return [(line.gap.topic, line.gap.start_ns) for line in lines if line.gap.cause is Cause.RECORDER_DOWN]


def test_each_topic_is_missing_from_where_that_topic_ended(path):
    with ScriptedServer(hold) as server, connect(server) as feed:
        for name, topics in (("a", ["network"]), ("b", ["metrics"]), ("c", ["network", "metrics"])):
            with feed.record(path, topics, name=name):
                pass
    ended = {name: manifest.ended_ns for name, manifest in directories.open(path).read().manifests.items()}
    assert down(path) == [("metrics", ended["a"]), ("network", ended["a"]), ("metrics", ended["b"])]
    assert ended["a"] < ended["b"]


def test_a_recorder_of_other_topics_makes_up_for_nothing(path):
    with ScriptedServer(hold) as server, connect(server) as one, connect(server) as two:
        with one.record(path, ["metrics"], name="a"):
            with two.record(path, ["network"], name="b"):
                pass
            with two.record(path, ["network", "metrics", "consensus"], name="c"):
                pass
        ended = directories.open(path).read().manifests["b"].ended_ns
    assert down(path) == [("network", ended)]


def test_a_name_that_came_and_went_meanwhile_is_not_taken_again(path, monkeypatch):
    take, theirs = directories.Directory.lock, []

    def late(self, name):
        if not theirs:
            manifest = Manifest(recorder=name, protocol="portal", url="", topics=("metrics",), started_ns=5)
            manifest.save(self.manifest_path(name))
            theirs.append(self.manifest_path(name).read_bytes())
        return take(self, name)

    monkeypatch.setattr(directories.Directory, "lock", late)
    with ScriptedServer(hold) as server, connect(server) as feed, feed.record(path, name="roof") as recorder:
        assert recorder.name == "roof-2" and directories.open(path).read().live == {"roof-2"}
    assert (path / "manifest" / "roof.json").read_bytes() == theirs[0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_in_a_forked_child_there_is_nothing_to_wait_for(path):
    with ScriptedServer(sends(metrics(1))) as server, connect(server) as feed:
        recorder = feed.record(path, ["metrics"])
        recorder.wait(frames=1, timeout=10)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # there are threads, and they stay behind
            child = os.fork()
        if child == 0:
            signal.alarm(10)  # whoever waits for threads that are not there is ended
            refused = 0
            for wait in (recorder.wait, recorder.flush):
                try:
                    wait()
                except RecordingError:
                    refused += 1
            recorder.close()
            os._exit(0 if refused == 2 and not recorder.running else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert recorder.running
        recorder.close()
    assert verify(directories.open(path)).ok and isinstance(all_lines(path)[-1], End)


def test_two_recorders_share_a_directory_and_neither_finds_a_gap(path):
    with ScriptedServer(hold) as server, connect(server) as one, connect(server) as two:
        with one.record(path, ["metrics"], name="a") as a:
            with pytest.raises(RecordingInUse, match="name='a'"):
                two.record(path, ["metrics"], name="a")
            with two.record(path, ["metrics"], name="b") as b:
                assert {a.name, b.name} == directories.open(path).read().live
        assert not all_lines(path, GapBegins)
        assert not directories.open(path).read().live


def test_the_same_call_again_gives_the_recorder_that_runs(path):
    with ScriptedServer(hold) as server, connect(server) as feed:
        recorder = feed.record(path, ["metrics"])
        assert feed.record(str(path), "metrics") is recorder
        with pytest.raises(RecordingInUse, match="other options"):
            feed.record(path, ["metrics", "network"])
        recorder.close()
        assert feed.record(path, ["metrics"]) is not recorder


def test_a_second_system_is_refused_and_nothing_is_written(path):
    with ScriptedServer(hold) as server, connect(server) as feed, feed.record(path):
        pass
    before = sorted(p.name for p in path.rglob("*"))
    _, other = virtual("live")
    with other, pytest.raises(RecordingError, match="'portal'"):
        other.record(path)
    assert sorted(p.name for p in path.rglob("*")) == before
    assert other.recorders == ()


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"topics": []}, ag.BadOption, "at least one"),
        ({"topics": ["nothing"]}, ag.UnknownTopic, "nothing"),
        ({"topics": 5}, ag.BadOptionType, "list of topic names"),
        ({"durability": "paper"}, ag.BadOption, "'process' or 'power'"),
        ({"segment_bytes": 10}, ag.BadOption, "4,096"),
        ({"segment_bytes": "1"}, ag.BadOptionType, "whole number"),
        ({"segment_age": 0}, ag.BadOption, "more than 0"),
        ({"name": "a/b"}, ag.BadOption, "^name='a/b': "),
        ({"name": "a" * 61}, ag.BadOption, "at most 60"),
        ({"name": 5}, ag.BadOptionType, "text"),
        ({"name": ""}, ag.BadOption, "empty"),
        ({"mirror_options": {}}, ag.BadOption, "no mirror"),
        ({"mirror": "s3://b", "mirror_options": 5}, ag.BadOptionType, "dict"),
    ],
)
def test_wrong_options_are_refused(path, options, error, words):
    with ScriptedServer(hold) as server, connect(server) as feed:
        with pytest.raises(error, match=words):
            feed.record(path, **options)
        assert feed.recorders == () and not list(path.rglob("*.zst"))


@pytest.mark.parametrize("place, error", [("", ag.BadOption), ("s3://b/c", ag.BadOption), (5, ag.BadOptionType)])
def test_a_path_that_is_none_is_refused(place, error):
    with ScriptedServer(hold) as server, connect(server) as feed, pytest.raises(error, match="path="):
        feed.record(place)


def test_a_closed_feed_and_the_io_thread_cannot_record(path):
    with ScriptedServer(hold) as server:
        feed = connect(server)

        async def on_the_loop():
            return feed.record(path)

        with pytest.raises(ag.WrongThread):
            iothread.get().run(on_the_loop(), 10)
        feed.close()
        with pytest.raises(ag.FeedClosed):
            feed.record(path)
    assert not path.exists()


# Waiting


def test_flush_and_wait_tell_what_is_on_the_disk(path, monkeypatch):
    monkeypatch.setattr(writers, "FLUSH_S", 3600)
    with ScriptedServer(sends(metrics(1), metrics(2))) as server, connect(server) as feed:
        recorder = feed.record(path, ["metrics"])
        feed.metrics.wait(2, timeout=10)
        with pytest.raises(ag.FeedTimeout, match="0 frames on the disk, not 2 frames"):
            recorder.wait(frames=2, timeout=0.1)
        recorder.flush()
        assert recorder.frames == 2 == len(all_lines(path, FrameLine))
        recorder.close()
        recorder.wait(timeout=1)
        recorder.flush()
        with pytest.raises(RecordingError, match="ended with 2 frames, not 3"):
            recorder.wait(frames=3)


def test_a_thousand_lines_are_flushed_though_the_time_has_not_come(path, monkeypatch):
    monkeypatch.setattr(writers, "FLUSH_S", 3600)
    with ScriptedServer(sends(*[metrics(i) for i in range(1_500)])) as server, connect(server) as feed:
        recorder = feed.record(path, ["metrics"])
        feed.metrics.wait(1_500, timeout=20)
        recorder.wait(frames=900, timeout=10)
        assert recorder.frames < 1_500
    assert recorder.frames == 1_500


def test_silence_is_noted_on_a_real_clock(path, monkeypatch):
    monkeypatch.setattr(writers, "TICK_S", 0.05)
    monkeypatch.setattr(writers, "BEAT_S", 0.05)
    with ScriptedServer(hold) as server, connect(server) as feed, feed.record(path, ["metrics"]):
        until(lambda: len(all_lines(path, Tick)) > 1)


# What could not be written


class Slow:
    """A disk that takes nothing until it is told to."""

    def __init__(self, monkeypatch):
        self.go, self.stuck = threading.Event(), threading.Event()
        write = journal._write_all

        def slow(fd, data):
            if threading.current_thread().name.startswith("aurigraph-nb-recorder"):
                self.stuck.set()
                assert self.go.wait(30)
            write(fd, data)

        monkeypatch.setattr(journal, "_write_all", slow)


def test_a_slow_disk_costs_frames_which_are_counted_and_the_ordinals_stay_right(path, monkeypatch):
    slow = Slow(monkeypatch)
    monkeypatch.setattr(writers, "FLUSH_LINES", 1)
    monkeypatch.setattr(
        inboxes.Inbox.__init__, "__kwdefaults__", inboxes.Inbox.__init__.__kwdefaults__ | {"max_lines": 50}
    )
    more = threading.Event()

    async def script(ws):
        for i in range(400):
            await ws.send(metrics(i))
        assert await asyncio.to_thread(more.wait, 30)
        for i in range(400, 410):
            await ws.send(metrics(i))
        await ws.wait_closed()

    with ScriptedServer(script) as server, connect(server) as feed:
        recorder = feed.record(path, ["metrics"])
        feed.metrics.wait(400, timeout=20)
        assert slow.stuck.wait(10) and recorder.lost > 200
        assert feed.status.recording_lost == recorder.lost
        slow.go.set()
        recorder.flush()
        more.set()
        feed.metrics.wait(410, timeout=10)
        recorder.close()
        digest, rows = digested(path)
        live = {row.n: row for row in feed.metrics}
    lost = [gap for gap in digest.book.rows() if gap.cause == Cause.CLIENT_OVERFLOW]
    assert len(lost) == 1 and lost[0].certainty is Certainty.KNOWN and lost[0].topic == "*"
    assert lost[0].frames == recorder.lost == 410 - recorder.frames
    first_after = next(row for row in rows["metrics"] if row.n >= 400)
    for row in rows["metrics"]:
        assert row.gap_before is (row is first_after or live[row.n].gap_before)
        assert msgspec.structs.replace(row, gap_before=False) == msgspec.structs.replace(live[row.n], gap_before=False)
    assert recorder.progress().gaps == len(feed.gaps) + 1 and recorder.error is None


def test_a_callback_that_blocks_costs_the_recording_nothing(path):
    go = threading.Event()
    with ScriptedServer(sends(*[metrics(i) for i in range(300)])) as server, connect(server) as feed:
        with feed.record(path, ["metrics"]) as recorder:
            feed.metrics.on_record(lambda row: go.wait(30))
            recorder.wait(frames=300, timeout=20)
        go.set()
    assert recorder.lost == 0


def test_a_full_disk_ends_the_recording_and_not_the_feed(path, monkeypatch, caplog):
    full, write = threading.Event(), journal._write_all

    def limited(fd, data):
        if full.is_set():
            raise OSError(errno.ENOSPC, "No space left on device")
        write(fd, data)

    monkeypatch.setattr(journal, "_write_all", limited)
    go = threading.Event()

    async def script(ws):
        await ws.send(metrics(1))
        assert await asyncio.to_thread(go.wait, 30)
        for i in range(2, 5):
            await ws.send(metrics(i))
        await ws.wait_closed()

    with ScriptedServer(script) as server, connect(server) as feed, caplog.at_level(logging.WARNING, "aurigraph_nb"):
        recorder = feed.record(path, ["metrics"])
        recorder.wait(frames=1, timeout=10)
        full.set()
        go.set()
        feed.metrics.wait(4, timeout=10)
        recorder.wait(timeout=10)
        assert not recorder.running and "the disk is full" in recorder.error
        assert feed.status.recording_error == recorder.error and recorder.lost == feed.status.recording_lost > 0
        with pytest.raises(RecordingError, match="the disk is full"):
            recorder.flush()
        assert feed.status.connected and feed.recorders == (recorder,) and not recorder.running
        recorder.close()
        full.clear()
        assert len(all_lines(path, FrameLine)) == 1
        contents = directories.open(path).read()
        assert contents.live == frozenset() and contents.manifests[recorder.name].state == "failed"
    assert any("the disk is full" in record.getMessage() for record in caplog.records)


def test_a_disk_that_is_full_at_the_start_is_told_and_the_feed_is_left_as_it_was(path, monkeypatch):
    claim, full = disk.claim, [True]

    def limited(draft, place):
        if full[0] and place.suffix == ".zst":
            raise OSError(errno.ENOSPC, "No space left on device")
        claim(draft, place)

    monkeypatch.setattr(disk, "claim", limited)
    with ScriptedServer(hold) as server, connect(server) as feed:
        with pytest.raises(RecordingError, match="the disk is full"):
            feed.record(path, ["metrics"])
        full[0] = False
        assert feed.recorders == () and not directories.open(path).read().live and not feed.metrics.opened
        assert feed.record(path, ["metrics"]).running


def test_a_fault_of_the_recorder_is_told_like_any_other_end(path, monkeypatch):
    def broken(self, frames):
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(writers.Writer, "_take_frames", broken)
    with ScriptedServer(sends(metrics(1))) as server, connect(server) as feed:
        recorder = feed.record(path, ["metrics"])
        recorder.wait(timeout=10)
        assert "ZeroDivisionError" in recorder.error and feed.status.connected


# Secrets


def test_a_token_that_the_server_repeats_is_not_written_down(path):
    token = "s3cr3t-t0ken-of-mine"
    echo = f'{{"timestamp":"2026-01-01T00:00:00Z","tps":1,"you_said":"{token}"}}'
    with ScriptedServer(sends(echo, metrics(1), echo.encode() + b"\xff")) as server:
        headers = {"X-Api-Key": "key-0123456789", "X-Net": "tps"}
        with connect(server, token=token, headers=headers) as feed:
            with feed.record(path, ["metrics"], segment_bytes=4096) as recorder:
                recorder.wait(frames=3, timeout=10)
            shown = repr(recorder) + repr(recorder.options) + repr(recorder.progress())
    lines = all_lines(path)
    assert "***" in lines_text(lines) and token not in lines_text(lines) + shown
    assert data_of(all_lines(path, FrameLine)[1]) == metrics(1).encode()  # a harmless header's value stays in the data
    files = b"".join(p.read_bytes() for p in path.rglob("*") if p.is_file())
    assert token.encode() not in files and b"key-0123456789" not in files


def lines_text(lines):
    return "".join(str(line) for line in lines)


def test_its_repr_tells_of_whom_whereto_and_how_far(path):
    with ScriptedServer(hold) as server, connect(server) as feed:
        with feed.record(path) as recorder:
            words = f"<Recorder of {feed.name} into {path.name}: recording, 0 frames, 0 rows, "
            assert repr(recorder).startswith(words)
        assert f"into {path.name}: ended, 0 frames, 0 rows" in repr(recorder) and "lost" not in repr(recorder)
        assert str(path.parent) not in repr(recorder)


# Mirrors


def test_sealed_segments_go_to_the_mirror_and_the_end_too(path, tmp_path):
    mirror = tmp_path / "mirror"
    node, feed = virtual(rate=100)
    with feed, feed.record(path, segment_bytes=50_000, mirror=mirror.as_uri(), name="m") as recorder:
        run(node, feed)
    there = directories.open(mirror)
    assert there.read().manifests == directories.open(path).read().manifests
    assert there.manifest("m").state == "ended" and recorder.progress().sealing_error is None
    assert verify(there).ok


# Steps of the clock


def test_a_step_of_the_machines_clock_is_noted_as_a_gap_without_loss(path, monkeypatch):
    ahead = [0]
    real = time.time_ns
    monkeypatch.setattr(steps.StepWatch.__init__, "__defaults__", (lambda: real() + ahead[0], time.monotonic_ns))
    go = threading.Event()

    async def script(ws):
        await ws.send(metrics(1))
        assert await asyncio.to_thread(go.wait, 30)
        await ws.send(metrics(2))
        await ws.wait_closed()

    with ScriptedServer(script) as server, connect(server) as feed, feed.record(path, ["metrics"]) as recorder:
        recorder.wait(frames=1, timeout=10)
        ahead[0] = -3_600_000_000_000
        go.set()
        recorder.wait(frames=2, timeout=10)
        recorder.close()
        (line,) = all_lines(path, GapBegins)
    assert (line.gap.cause, line.gap.certainty, line.marks) == (Cause.CLOCK_STEP, Certainty.NONE, False)
    assert abs(line.gap.duration_s - 3600) < 1 and "-3600." in line.gap.detail
    assert not any(row.gap_before for row in digested(path)[1]["metrics"])


def test_a_virtual_clock_knows_no_steps_and_no_ticks(path, monkeypatch):
    monkeypatch.setattr(writers, "TICK_S", 0.0)
    node, feed = virtual(duration="10min")
    with feed, feed.record(path):
        run(node, feed)
    assert not all_lines(path, Tick) and not all_lines(path, Count)
    assert {line.gap.cause for line in all_lines(path, GapBegins)} <= {Cause.DISCONNECT, Cause.IDLE}


def test_a_simulation_is_recorded_from_its_first_frame_on(path):
    with ag.simulate(seed=7, start="2026-01-01", duration="20s", record=path) as feed:
        feed.join(timeout=60)
        live = {topic.name: topic.store.table() for topic in feed}
    _, rows = digested(path, "portal")
    assert len(rows["metrics"]) == 20
    for name, table in live.items():
        assert records_to_table(feed[name].record_type, rows[name]).equals(table), name
