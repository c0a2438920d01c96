"""A feed with its own node: exact on a virtual clock, re-runnable, and complete at any rate."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import pandas as pd
import pytest

import aurigraph_nb as ag
from aurigraph_nb import dispatch, iothread, registry
from aurigraph_nb.gaps import Cause
from aurigraph_nb.session import State


@pytest.fixture(autouse=True)
def all_closed():
    yield
    ag.close_all()


def run(**options):
    feed = ag.simulate(seed=7, start="2026-01-01", **options)
    feed.join(timeout=120)
    return feed


def frames_of(feed):
    return {topic.name: topic.to_pandas() for topic in feed}


@pytest.mark.parametrize("scenario", ["steady", "outage", "leader-churn"])
def test_two_runs_on_a_virtual_clock_are_equal_to_the_nanosecond(scenario):
    first = run(duration="2min", scenario=scenario)
    frames, gaps, states = frames_of(first), first.gaps.to_pandas(), first.validators.current
    second = run(duration="2min", scenario=scenario)
    assert second is not first and first.closed
    for name, frame in frames_of(second).items():
        assert len(frame) > 20
        pd.testing.assert_frame_equal(frame, frames[name])
    pd.testing.assert_frame_equal(second.gaps.to_pandas(), gaps)
    assert second.validators.current == states
    assert (len(gaps) > 0) == (scenario == "outage")


def test_the_documented_run_is_paced_and_equal_to_the_unpaced_one():
    paced = frames_of(run(speed=60, duration="5min"))
    quick = frames_of(run(speed="max", duration="5min"))
    for name, frame in paced.items():
        pd.testing.assert_frame_equal(frame, quick[name])
        assert str(frame.index.dtype) == "datetime64[ns, UTC]"
    assert len(paced["metrics"]) == 300
    assert paced["transactions"]["value"].dtype == "decimal128(38, 0)[pyarrow]"
    assert paced["validators"]["id"].dtype == "category"


def test_the_rows_are_what_the_node_sent_and_the_books_balance():
    feed = run(duration="3min", scenario="outage")
    sent = feed.node.stats().sent
    for name, status in feed.status.topics.items():
        assert status.rows == status.messages == sent[name]
    gap = next(g for g in feed.gaps if g.topic == "metrics")
    assert (gap.cause, gap.certainty) == (Cause.DISCONNECT, "bounded")
    metrics = feed.metrics.to_pandas()
    assert metrics["gap_before"].sum() == sum(g.topic == "metrics" and g.end_ns is not None for g in feed.gaps)
    missing = sum(g.frames or 0 for g in feed.gaps if g.topic == "metrics" and g.frames is not None)
    assert abs(len(metrics) + missing - 180) <= len(feed.gaps)


def test_faults_on_a_virtual_clock_are_seen_on_its_time():
    feed = ag.simulate(seed=3, start="2026-01-01", speed=50, duration="1min", topics=["metrics"])
    feed.metrics.wait(3, timeout=20)
    feed.node.fault("stall", topic="metrics", duration=12)
    feed.join(timeout=60)
    (gap,) = [g for g in feed.gaps if g.cause == Cause.IDLE]
    assert gap.certainty == "bounded" and 11 <= gap.duration_s <= 14 and 10 <= gap.frames <= 13
    assert feed.status.topics["transactions"].state is State.DISCONNECTED  # it was not subscribed


def test_garbage_is_counted_and_the_rest_is_untouched():
    feed = ag.simulate(seed=3, start="2026-01-01", speed=50, duration="30s", topics=["metrics"])
    feed.metrics.wait(3, timeout=20)
    feed.node.fault("garbage", topic="metrics", n=10)
    feed.join(timeout=60)
    status, stats = feed.status.topics["metrics"], feed.node.stats()
    assert status.undecoded > 0
    assert status.messages == stats.sent["metrics"] + stats.garbage["metrics"]
    assert len(feed.undecoded) == status.undecoded
    assert any(g.cause == Cause.DECODE_ERROR for g in feed.gaps)


def test_a_finite_run_ends_and_says_so():
    feed = run(duration="10s")
    assert feed.ended and feed.status.ended and feed.status.state is State.DISCONNECTED
    with pytest.raises(ag.FeedClosed, match="The run has ended"):
        feed.metrics.wait(1000, timeout=30)
    assert len(list(feed.metrics)) == 10
    feed.join(timeout=1)


def test_join_waits_for_the_callbacks_too():
    seen = []
    feed = ag.simulate(seed=1, start="2026-01-01", speed=30, duration="20s", topics=["metrics"])
    feed.metrics.on_record(seen.append)
    feed.join(timeout=30)
    assert len(seen) >= feed.metrics.store.count - 1


def test_join_without_an_end_times_out_and_says_how_to_get_one():
    feed = ag.simulate(seed=1)
    with pytest.raises(ag.FeedTimeout, match="duration"):
        feed.join(timeout=0.05)


def test_stopping_the_node_is_told_and_its_return_too():
    feed = ag.simulate(seed=2)
    feed.metrics.wait(1, timeout=10)
    feed.node.stop()
    with feed.news:
        assert feed.news.wait_for(lambda: feed.status.reconnecting, 2)
    count = feed.metrics.store.count
    feed.node.start()
    feed.metrics.wait(count + 1, timeout=20)
    assert feed.status.topics["metrics"].state is State.CONNECTED
    (gap,) = [g for g in feed.gaps if g.topic == "metrics"]
    assert gap.cause == Cause.DISCONNECT and gap.end_ns is not None
    assert any(row.gap_before for row in feed.metrics)


def threads():
    return [t.name for t in threading.enumerate()]


def test_running_a_cell_again_leaves_one_node_one_set_of_connections_and_one_thread():
    for _ in range(5):
        feed = ag.simulate(seed=11)
        for topic in feed:
            topic.open()
        for topic in feed:
            topic.wait(1, timeout=20)
    assert len(registry.feeds()) == 1
    assert sum(feed.node.stats().connections.values()) == 5
    assert threads().count(iothread.NAME) == 1 and threads().count(dispatch.Dispatcher.NAME) <= 1


def test_a_name_tells_feeds_apart():
    one, two = ag.simulate(seed=1, name="one"), ag.simulate(seed=1, name="two")
    assert not one.closed and repr(one) == "<PortalFeed one>"
    again = ag.simulate(seed=2, name="one")
    assert one.closed and not two.closed and not again.closed


def test_a_simulated_feed_has_the_same_repr_every_time():
    assert repr(ag.simulate(seed=7)) == repr(ag.simulate(seed=7)) == "<PortalFeed simulated seed=7, scenario='steady'>"


def test_the_bare_url_of_an_embedded_node_means_the_topic_streams():
    node = ag.simulate(seed=5).node
    assert ag.connect(node.url).metrics.wait(1, timeout=10) >= 1
    with ag.Node(seed=5, shape="portal") as other:
        feed = ag.connect(other.url, protocol="portal")
        feed.metrics.wait(1, timeout=10)
        assert feed.metrics.latest.memory_percent is not None


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"scenario": "flood"}, ag.BadOption, "steady"),
        ({"topics": ["weather"]}, ag.UnknownTopic, "metrics"),
        ({"speed": 0, "start": "2026-01-01"}, ag.BadOption, "above 0"),
        ({"speed": "fast", "start": "2026-01-01"}, ag.BadOption, "max"),
        ({"start": "yesterday-ish"}, ag.BadOption, "start"),
        ({"duration": "a while"}, ag.BadOption, "duration"),
        ({"validators": 0}, ag.BadOption, "validators"),
        ({"colour": "red"}, ag.BadOption, "colour"),
    ],
)
def test_a_bad_option_is_told_and_leaves_nothing_behind(options, error, words):
    with pytest.raises(error, match=words):
        ag.simulate(**options)
    assert registry.feeds() == ()


SENDS = 200_000


def test_twenty_thousand_messages_a_second_for_ten_seconds_all_arrive():
    """Counts, not times: the run is over when the node has sent ten seconds' worth, however long that takes."""
    feed = ag.simulate(seed=1, rate=20_000, start="2026-01-01", duration="10s", speed="max", compression=None)
    feed.join(timeout=300)
    sent = feed.node.stats()
    status = feed.status.topics
    assert sum(sent.sent.values()) > 0.8 * SENDS
    assert {name: s.messages for name, s in status.items()} == sent.sent
    assert {name: s.rows + s.dropped for name, s in status.items()} == sent.sent
    assert sum(sent.dropped.values()) == 0 and len(feed.gaps) == 0
    hashes = feed.transactions.to_arrow(["n"]).column("n").to_pylist()
    assert hashes == list(range(len(hashes)))


def stats_once(url, condition, limit_s=30):
    """What the node says of itself, as soon as it meets a condition."""
    end = time.monotonic() + limit_s
    while True:
        with urllib.request.urlopen(url.replace("ws:", "http:") + "/api/v11/websocket/stats", timeout=10) as answer:
            stats = json.load(answer)
        if condition(stats):
            return stats
        assert time.monotonic() < end, stats
        threading.Event().wait(0.05)


def test_a_node_in_another_process_loses_nothing_at_a_high_rate():
    command = [sys.executable, "-m", "aurigraph_nb", "serve", "--port", "0", "--rate", "20000", "--no-compression"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            for line in process.stdout:
                found = re.search(r"ws://127\.0\.0\.1:\d+", line)
                if found:
                    break
            url = found.group()
            feed = ag.connect(url, protocol="portal", compression=None, shared=False)
            for topic in feed:
                topic.open()
            feed.transactions.wait(100_000, timeout=120)
            feed.disconnect()
            stats = stats_once(url, lambda s: s["connections"]["total"] == 0)
            ordinals = feed.transactions.to_arrow(["n"]).column("n").to_pylist()
            assert ordinals == list(range(len(ordinals)))
            received = sum(s.messages for s in feed.status.topics.values())
            # What was on its way when we hung up was sent and never received: what the node's five buffers of 8 MiB
            # hold for us, in frames of 200 bytes and more. Nothing else may be missing.
            assert received <= stats["messages_sent"] <= received + 5 * 8 * 2**20 // 200
            assert not [g for g in feed.gaps if g.cause != Cause.DISCONNECT]
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)


def test_the_bare_url_of_any_node_of_this_process_means_the_topic_streams():
    for host in ("127.0.0.1", "::1"):
        with ag.Node(seed=5, host=host) as node:
            assert ag.connect(node.url).metrics.wait(1, timeout=10) >= 1
            ag.close_all()
