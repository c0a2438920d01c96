"""How recordings end: by themselves, with a silent mirror, behind one that was killed; and what is left then."""

import os
import socket
import subprocess
import sys
import threading
import time

import pytest
from scripted import ScriptedServer, hold, sends

import aurigraph_nb as ag
from aurigraph_nb import intake as intakes
from aurigraph_nb.gaps import Cause
from aurigraph_nb.recorder import copying
from aurigraph_nb.recorder import inbox as inboxes
from aurigraph_nb.recording import directory as directories
from aurigraph_nb.recording import mirror as mirrors
from aurigraph_nb.recording.digest import Digest
from aurigraph_nb.recording.journal import read_segment
from aurigraph_nb.recording.verify import verify
from aurigraph_nb.simulate import _feed_on, _subscribe

IN_TIME_S = 15.0


@pytest.fixture(autouse=True)
def all_closed():
    yield
    ag.close_all()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "recording"


def metrics(i):
    return f'{{"timestamp":"2026-01-01T00:00:00Z","tps":{i},"cpu":1.0,"memory":2.0,"connections":3,"errorRate":0}}'


def connect(server):
    return ag.connect(server.url("/ws/metrics"), shared=False)


def lines_of(path):
    return [line for s in directories.open(path).segments() for lines in read_segment(s.path) for line in lines]


# By themselves


@pytest.mark.parametrize("topics", [None, ["metrics"]])
def test_a_recording_ends_with_the_run_of_its_feed(path, topics):
    node = ag.Node(seed=7, start="2026-01-01", speed=None, duration="20s")
    node.start()
    with _feed_on(node, "virtual", 7, "portal") as feed:
        feed.at_close(node.close)
        recorder = feed.record(path, topics)
        _subscribe(feed, recorder.topics)
        node.begin()
        feed.join(timeout=60)
        recorder.wait(timeout=30)
        assert feed.ended and not recorder.running and feed.recorders == (recorder,) and recorder.error is None
        contents = directories.open(path).read()
        assert contents.live == frozenset() and all(s.entry is not None for s in contents.segments)
        recorder.close()
    manifest = contents.manifests[recorder.name]
    assert manifest.state == "ended" and manifest.ended_ns is not None and recorder.rows >= 20
    assert len(ag.open_recording(path).metrics) == len(feed.metrics) == 20


def test_a_recording_of_a_run_that_is_over_ends_at_once(path):
    with ag.simulate(seed=7, start="2026-01-01", duration="5s") as feed:
        feed.metrics.open()
        feed.join(timeout=60)
        with feed.record(path, ["metrics"]) as recorder:
            recorder.wait(timeout=30)
        assert not recorder.running and recorder.frames == 0


# Mirrors that are silent


class Silent:
    """A mirror's file system whose writes never return, or not before they are let go."""

    protocol = "silent"

    def __init__(self):
        self.asked, self.go = threading.Event(), threading.Event()

    def __getattr__(self, name):
        def called(*_, **__):
            self.asked.set()
            self.go.wait(60)
            raise OSError("the line is dead")

        return called


@pytest.fixture
def silent(monkeypatch):
    store = Silent()
    monkeypatch.setattr(mirrors, "_file_system", lambda url, options: (store, "there"))
    monkeypatch.setattr(copying, "PATIENCE_S", 0.3)
    yield store
    store.go.set()


@pytest.mark.parametrize("end", ["recorder", "feed"])
def test_a_mirror_that_never_answers_holds_up_no_end(path, silent, end, caplog):
    with ScriptedServer(sends(metrics(1), metrics(2))) as server, connect(server) as feed:
        recorder = feed.record(path, ["metrics"], mirror="silent://there", name="m")
        recorder.wait(frames=2, timeout=10)
        begun = time.monotonic()
        (recorder if end == "recorder" else feed).close()
        assert time.monotonic() - begun < IN_TIME_S and silent.asked.is_set()
    contents = directories.open(path).read()
    assert contents.live == frozenset() and contents.manifests["m"].state == "ended"
    assert all(segment.entry is not None for segment in contents.segments)
    told = recorder.progress().sealing_error
    assert told is not None and "did not take everything in time" in told and told in caplog.text


def test_who_interrupts_the_end_waits_for_no_mirror(path, silent, monkeypatch):
    monkeypatch.setattr(copying, "PATIENCE_S", 3600.0)
    monkeypatch.setattr(copying, "MOST_S", 3600.0)
    with ScriptedServer(sends(metrics(1))) as server, connect(server) as feed:
        recorder = feed.record(path, ["metrics"], mirror="silent://there")
        recorder.wait(frames=1, timeout=10)
        wait, done = recorder._done.wait, []

        def interrupted(timeout=None):
            if timeout is None and not done:
                done.append(silent.asked.wait(10))
                raise KeyboardInterrupt
            return wait(timeout)

        monkeypatch.setattr(recorder._done, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            recorder.close()
        begun = time.monotonic()
        recorder.close()
        assert done == [True] and time.monotonic() - begun < IN_TIME_S and not recorder.running


def test_the_verb_ends_though_its_s3_accepts_and_never_answers(path, tmp_path):
    pytest.importorskip("s3fs")
    with socket.create_server(("127.0.0.1", 0)) as server, ScriptedServer(sends(metrics(1))) as feed:
        code = f"""
from aurigraph_nb.recorder import copying
copying.PATIENCE_S = 0.5
from aurigraph_nb.cli import main
main(["record", {feed.url()!r}, {str(path)!r}, "--topics", "metrics", "--for", "1", "--mirror", "s3://bucket/x"])
"""
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        keys = {"AWS_ACCESS_KEY_ID": "testing-key", "AWS_SECRET_ACCESS_KEY": "testing-secret"}
        ran = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **keys, "AWS_ENDPOINT_URL": address, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    assert "Recorded 1 frame" in ran.stdout and "Not everything could be sealed or mirrored" in ran.stdout
    assert directories.open(path).read().live == frozenset()


# What earlier recorders left


def unsealed(path, server):
    """A recording whose recorder was killed before it had sealed anything, as far as its files tell."""
    with connect(server) as feed, feed.record(path, ["metrics"], name="dead") as recorder:
        recorder.wait(frames=2, timeout=10)
    directories.open(path).manifest_path("dead").unlink()
    for part in path.glob("topic=*/*/*"):
        part.unlink()


def test_what_a_dead_recorder_left_is_sealed_and_mirrored_by_the_next(path, tmp_path):
    with ScriptedServer(sends(metrics(1), metrics(2))) as server:
        unsealed(path, server)
        rows = ag.open_recording(path, recover=False).metrics.to_pandas(index=None)
        ag.open_recording(path)
        assert list(path.glob("topic=*/*/*")) == []  # opening writes none
        mirror = tmp_path / "mirror"
        with connect(server) as feed, feed.record(path, ["metrics"], name="next", mirror=mirror.as_uri()) as recorder:
            recorder.wait(frames=2, timeout=10)
    for place in (path, mirror):
        contents = directories.open(place).read()
        assert set(contents.manifests) == {"dead", "next"} and len(contents.segments) == 2
        assert all(segment.entry is not None and segment.present for segment in contents.segments)
        assert verify(directories.open(place)).ok
    again = ag.open_recording(path).metrics.to_pandas(index=None)
    assert again["tps"].tolist()[:2] == rows["tps"].tolist() == [1, 2]


def test_what_cannot_be_sealed_of_a_dead_recorder_stops_nobody(path, caplog):
    with ScriptedServer(sends(metrics(1), metrics(2))) as server:
        unsealed(path, server)
        directories.open(path).manifest_path("dead").write_text("{")
        with connect(server) as feed, feed.record(path, ["metrics"], name="next") as recorder:
            recorder.wait(frames=2, timeout=10)
    assert recorder.error is None and recorder.progress().sealing_error is None
    assert "an earlier recorder's segment was not sealed" in caplog.text
    assert directories.open(path).manifest("next").state == "ended"


# What a feed keeps of them


def test_a_feed_keeps_the_last_recorders_that_ended_and_sums_of_all(path):
    with ScriptedServer(hold) as server, connect(server) as feed:
        hooks = len(feed._on_close)
        had = []
        for _ in range(10):
            with feed.record(path, ["metrics"]) as recorder:
                recorder._inbox.lost += 3
            had.append(recorder)
        assert feed.recorders == tuple(had[-8:]) and feed._listeners == set() and len(feed._on_close) == hooks
        assert feed.status.recording_lost == 30 and feed.status.recording_error is None
        with feed.record(path, ["metrics"]) as recorder:
            assert feed.recorders[-1] is recorder and recorder.running and len(feed._on_close) == hooks + 1


# Monstrous frames


def test_of_a_batch_only_the_frame_that_is_too_large_is_lost(path, monkeypatch):
    monkeypatch.setattr(intakes, "LARGE_FRAME", 10_000)
    monkeypatch.setattr(inboxes, "MAX_FRAME_BYTES", 10_000)
    sent = [metrics(i) + " " * (20_000 if i == 2 else 0) for i in range(8)]
    with ScriptedServer(sends(*sent)) as server, connect(server) as feed:
        with feed.record(path, ["metrics"]) as recorder:
            feed.metrics.wait(8, timeout=10)
            recorder.flush(timeout=10)
        live = feed.metrics.to_pandas(index=None)
    assert recorder.lost == 1 and recorder.frames == 7
    digest = Digest("portal")
    digest.take(lines_of(path))
    rows = digest.drain()["metrics"]
    assert [row.tps for row in rows] == [0, 1, 3, 4, 5, 6, 7]
    assert [row.n for row in rows] == [n for n in live["n"] if n != live["n"][2]]
    gaps = [gap for gap in digest.book.rows() if gap.cause is Cause.CLIENT_OVERFLOW]
    assert [gap.frames for gap in gaps] == [1] and "MiB" in gaps[0].detail


def test_the_limits_of_taps_and_of_recorders_are_one():
    assert inboxes.MAX_FRAME_BYTES == intakes.LARGE_FRAME == 40 * 2**20
