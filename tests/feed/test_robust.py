"""What once broke, or nearly did: faults of users, of machines and of moments."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
import textwrap
import threading

import pytest
from scripted import ScriptedServer, hold, sends

import aurigraph_nb as ag
from aurigraph_nb import registry
from aurigraph_nb.client import Link
from aurigraph_nb.gaps import Cause
from aurigraph_nb.session import State

QUICK = ag.Backoff(0.01, 1.5, max_s=0.05, jitter=False)


@pytest.fixture(autouse=True)
def all_closed():
    yield
    ag.close_all()


def until(feed, condition, timeout=10):
    with feed.news:
        assert feed.news.wait_for(condition, timeout), f"not met in {timeout} s; {feed.status}"


def metric(i):
    return json.dumps({"timestamp": 1_767_225_600_000 + i * 1000, "currentTPS": i})


@pytest.mark.parametrize(
    "frame",
    [
        '{"txHash":"a","amount":1.5,"value":2.5}',
        '{"txHash":"a","value":"10","amount":1.5}',
        '{"txHash":"a","value":0.5,"data":["x"]}',
        '{"txHash":"a","value":0.5,"data":{"x":[0.5]}}',
    ],
)
def test_no_frame_takes_others_with_it(frame):
    good = [json.dumps({"txHash": f"t{i}", "value": "1"}) for i in range(20)]
    with ScriptedServer(sends(*good[:10], frame, *good[10:])) as server:
        feed = ag.connect(server.url("/ws/transactions"))
        feed.transactions.wait(20, timeout=10)
        until(feed, lambda: feed.status.topics["transactions"].messages == 21)
        status = feed.status.topics["transactions"]
        assert status.rows + status.undecoded == 21


def test_a_fault_of_ours_is_told_as_a_loss_and_the_feed_goes_on(monkeypatch):
    faults = []

    def faulty(self, link, frames):
        if not faults:
            faults.append(frames)
            raise RuntimeError("a bug")
        return original(self, link, frames)

    from aurigraph_nb.intake import Intake

    original = Intake._take_frames
    monkeypatch.setattr(Intake, "_take_frames", faulty)
    with ScriptedServer(sends(metric(0)), sends(metric(1))) as server:
        feed = ag.connect(server.url(), reconnect=QUICK)
        feed.metrics.wait(1, timeout=10)
        assert feed.metrics.latest.conn_epoch == 2
        assert "a fault of this client: RuntimeError" in feed.gaps.rows()[0].detail


@pytest.mark.parametrize("bad", [SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_nothing_that_a_callback_raises_ends_the_callbacks(bad):
    def fails(row):
        raise bad("mine")

    with ScriptedServer(sends(metric(0), metric(1))) as server:
        feed = ag.connect(server.url(), auto_connect=False)
        done = threading.Event()
        feed.metrics.on_record(fails)
        feed.metrics.on_record(lambda row: row.tps == 1 and done.set(), where=lambda row: True)
        feed.connect()
        assert done.wait(10)
        assert feed.status.callback_errors == 2


def test_a_callback_that_takes_lists_gets_all_that_waits_at_once():
    sizes, go, done = [], threading.Event(), threading.Event()

    def slow(rows):
        assert go.wait(10)
        sizes.append(len(rows))
        if sum(sizes) == 3_000:
            done.set()

    with ScriptedServer(sends(*(metric(i) for i in range(3_000)))) as server:
        feed = ag.connect(server.url())
        feed.metrics.on_record(slow, batch=True)
        feed.metrics.wait(3_000, timeout=20)
        go.set()
        assert done.wait(10) and len(sizes) <= 2


def test_rows_that_come_after_disconnect_are_left_out_and_the_gap_is_marked_after_it():
    feed = ag.simulate(seed=1, rate=3_000)
    feed.transactions.wait(100, timeout=20)
    feed.disconnect()
    stored = feed.transactions.store.count
    feed.connect()
    feed.transactions.wait(stored + 1, timeout=20)
    first = next(feed.transactions.store.records(stored))
    assert (first.gap_before, first.conn_epoch) == (True, 2)
    assert sum(r.gap_before for r in feed.transactions) == 1


def test_the_silence_of_a_stalled_topic_ends_with_its_connection():
    feed = ag.simulate(seed=3, start="2026-01-01", speed=50, duration="1min", topics=["metrics"])
    feed.metrics.wait(2, timeout=20)
    feed.node.fault("stall", topic="metrics")
    until(feed, lambda: any(g.cause == Cause.IDLE for g in feed.gaps), 20)
    feed.node.fault("drop", topic="metrics")
    feed.node.fault("clear")
    feed.join(timeout=60)
    spans = sorted((g.start_ns, g.end_ns) for g in feed.gaps)
    assert all(end is not None for _, end in spans)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans)), spans


def test_closing_ends_every_gap():
    feed = ag.simulate(seed=3, start="2026-01-01", speed=50, topics=["metrics"])
    feed.metrics.wait(2, timeout=20)
    feed.node.fault("stall", topic="metrics")
    until(feed, lambda: any(g.cause == Cause.IDLE for g in feed.gaps), 20)
    feed.close()
    assert all(g.end_ns is not None for g in feed.gaps)


@pytest.mark.parametrize("seed, duration", [(2, "2min"), (9, "2min"), (0, "5min"), (10, "5min")])
def test_a_run_ends_even_if_the_node_is_away_at_its_end(seed, duration):
    feed = ag.simulate(seed=seed, scenario="outage", start="2026-01-01", duration=duration)
    feed.join(timeout=60)
    assert feed.ended


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    feed = ag.simulate(seed=1)
    assert feed.metrics.wait(1, timeout=20) >= 1


def test_an_interrupted_close_can_be_repeated(monkeypatch):
    feed = ag.simulate(seed=1)
    feed.metrics.wait(1, timeout=20)
    ran = []

    def interrupted():
        ran.append(1)
        raise KeyboardInterrupt

    feed.at_close(interrupted)
    with pytest.raises(KeyboardInterrupt):
        feed.close()
    assert ran == [1] and not feed.node.running and feed not in registry.feeds()
    feed.close()


def test_an_interrupt_while_a_simulation_subscribes_leaves_nothing(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    made = []
    module = sys.modules["aurigraph_nb.simulate"]  # the name in the package is the function
    monkeypatch.setattr(module, "_subscribe", lambda feed, *_: (made.append(feed), interrupted()))
    with pytest.raises(KeyboardInterrupt):
        ag.simulate(seed=1, start="2026-01-01")
    assert made[0].closed and registry.feeds() == ()


def test_threads_that_make_the_same_feed_leave_one():
    feeds = []
    threads = [threading.Thread(target=lambda: feeds.append(ag.simulate(seed=3))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(feeds) == 6 and sum(not feed.closed for feed in feeds) == 1
    assert len(registry.feeds()) == 1


FORKED = textwrap.dedent(
    """
    import os, sys, warnings
    warnings.simplefilter("ignore")
    import aurigraph_nb as ag
    feed = ag.simulate(seed=1)
    feed.metrics.wait(1, timeout=20)
    feed.metrics.on_record(lambda row: None)
    child = os.fork()
    if child == 0:
        assert feed.closed and len(feed.metrics.to_pandas()) >= 1
        feed.close()
        mine = ag.simulate(seed=2)
        assert mine.metrics.wait(1, timeout=20) >= 1
        sys.exit(0)
    _, status = os.waitpid(child, 0)
    assert not feed.closed
    sys.exit(os.waitstatus_to_exitcode(status))
    """
)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_starts_afresh_and_ends():
    result = subprocess.run([sys.executable, "-c", FORKED], timeout=90, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_secrets_of_urls_and_headers_are_shown_nowhere():
    secret, key = "s3cret-value", "api-key-9876"
    with ScriptedServer(sends(f"rubbish {secret} {key}", metric(0))) as server:
        feed = ag.connect(server.url() + f"?token={secret}", headers={"X-Api-Key": key}, debug=True)
        feed.metrics.wait(1, timeout=10)
        shown = repr(
            [feed.undecoded, feed.raw, feed.status, feed.connections, feed.gaps.rows(), feed, repr(vars(feed))]
        )
        assert secret not in shown and key not in shown
        assert secret in server.paths[0] and server.headers[0]["X-Api-Key"] == key


@pytest.mark.parametrize(
    "url",
    [
        "me:S3CRET@host:9003/ws/metrics",
        "ws:/me:S3CRET@host/ws/metrics",
        "ws://me:S3/CRET@host/ws/metrics",
        "ws://me:S3CRET#1@host/ws/metrics",
        "ws://me:S3CRET@host:port/ws/metrics",
    ],
)
def test_a_malformed_url_does_not_show_its_password(url):
    with pytest.raises(ag.BadUrl) as caught:
        ag.connect(url)
    assert "S3" not in str(caught.value) and "CRET" not in str(caught.value)


def test_a_host_is_allowed_whole_or_not_at_all():
    with pytest.raises(ag.BadOption, match="unencrypted"):
        ag.connect("ws://lab/ws/metrics", token="t", insecure_token_hosts="lab.internal.example")
    ag.connect("ws://lab/ws/metrics", token="t", insecure_token_hosts="lab")


def test_a_flood_of_rubbish_does_not_push_out_what_else_is_missing():
    with ScriptedServer(sends(metric(0), *["rubbish"] * 12_000, metric(1))) as server:
        feed = ag.connect(server.url(), reconnect=QUICK)
        feed.metrics.wait(2, timeout=30)
        feed.reconnect()
        feed.metrics.wait(3, timeout=30)
        assert feed.gaps.dropped == 0
        assert {g.cause for g in feed.gaps} == {Cause.DECODE_ERROR, Cause.DISCONNECT}
        assert len(feed.gaps) <= 4


def test_join_in_a_callback_is_refused_at_once():
    caught, done = [], threading.Event()
    feed = ag.simulate(seed=1)

    def callback(row):
        with pytest.raises(ag.WrongThread, match="callback"):
            feed.join()
        caught.append(row)
        done.set()

    with feed.metrics.on_record(callback):
        assert done.wait(20) and caught


def test_runs_of_different_topics_are_different_feeds():
    one = ag.simulate(seed=5, topics=["metrics"])
    two = ag.simulate(seed=5, topics=["network"])
    three = ag.simulate(seed=5, compression=None)
    assert not one.closed and not two.closed and not three.closed
    with pytest.raises(ag.BadOption, match="at least one"):
        ag.simulate(topics=[])


def test_a_misspelt_topic_is_told():
    feed = ag.connect("ws://127.0.0.1:1/ws/metrics")
    with pytest.raises(ag.UnknownTopic, match=r"metricz.*topics are metrics"):
        feed.metricz  # noqa: B018
    assert not hasattr(feed, "metricz")


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {1: "a"}},
        {"headers": {"a": None}},
        {"headers": {"a b": "c"}},
        {"headers": {"a": "b\nc"}},
        {"headers": {"a": "\u4e00"}},
        {"debug": []},
        {"shared": None},
        {"protocol": ["portal"]},
        {"send_queue": -1},
        {"token_by": "pigeon"},
    ],
)
def test_odd_options_are_told(options):
    with pytest.raises(ag.BadOption):
        ag.connect("ws://127.0.0.1:1/ws/metrics", **options)


@pytest.mark.parametrize("options", [{"speed": [1]}, {"topics": 5}, {"topics": [["a"]]}, {"protocol": "gopher"}])
def test_odd_options_of_a_simulation_are_told(options):
    with pytest.raises((ag.BadOption, ag.UnknownTopic)):
        ag.simulate(start="2026-01-01", **options)
    assert registry.feeds() == ()


def test_equal_options_in_other_words_share_a_feed():
    with ScriptedServer(hold) as server:
        url = server.url()
        feed = ag.connect(url, heartbeat_interval_s=30, headers={}, token=lambda: "t")
        assert ag.connect(url, heartbeat_interval_s="30s", headers=None, token=lambda: "t") is not None
        again = [ag.connect(url, token=eval("lambda: 't'")) for _ in range(3)]
        assert len({id(f) for f in again}) == 1
        assert ag.connect(url, heartbeat_interval_s="30s") is ag.connect(url, headers={})
        assert feed.status.state is State.DISCONNECTED


def test_the_calls_of_a_frame_check_their_arguments():
    with ScriptedServer(sends(*(metric(i) for i in range(5)))) as server:
        feed = ag.connect(server.url())
        feed.metrics.wait(5, timeout=10)
        assert len(feed.metrics.to_pandas(columns=[], index=None)) == 5
        assert list(feed.metrics.to_pandas(columns=["tps", "tps"], index=None).columns) == ["tps"]
        assert len(feed.metrics.to_pandas(limit=2**70)) == 5
        with pytest.raises(ag.BadOption, match="columns"):
            feed.metrics.to_pandas(columns=5)
        with pytest.raises(ag.BadOption, match="last="):
            feed.metrics.to_pandas(last="whenever")
        with pytest.raises(ag.BadOption, match="start="):
            feed.metrics.to_pandas(start="whenever")


def test_a_link_knows_nothing_after_it_was_closed():
    feed = ag.simulate(seed=1)
    feed.metrics.wait(1, timeout=20)
    (link,) = [one for one in feed._links.values() if isinstance(one, Link)]
    feed.close()
    assert link.session.state is State.CLOSED and not link._work and link._beat_timer is None
