"""One contract for all systems: the same behaviours, whatever the wire. Against the local node, over real sockets."""

from __future__ import annotations

import threading

import pandas as pd
import pytest

import aurigraph_nb as ag
from aurigraph_nb.gaps import Cause
from aurigraph_nb.session import State


class System:
    """One system, one shape: which topic tells most, which another, and how the node is asked for it."""

    def __init__(self, name, protocol, topic, other, **options):
        self.name, self.protocol, self.topic, self.other, self.options = name, protocol, topic, other, options

    def __repr__(self):
        return self.name

    @property
    def fault_topic(self):
        """What the node's faults call this system's connections."""
        return self.topic if self.protocol == "portal" else self.protocol

    def simulate(self, **options):
        return ag.simulate(protocol=self.protocol, seed=11, **self.options, **options)


SYSTEMS = [
    System("portal, server shape", "portal", "metrics", "validators"),
    System("portal, portal shape", "portal", "metrics", "validators", shape="portal"),
    System("live stream", "live", "metrics", "blocks"),
    System("channel provider", "channels", "bandwidth", "sessions"),
    System("inference, documented", "fakeai", "metrics", "requests"),
    System("inference, real", "fakeai", "metrics", "latency", inference_shape="real"),
]
WHOLE = {"start": "2026-01-01", "duration": "1min"}


@pytest.fixture(params=SYSTEMS, ids=repr)
def system(request):
    yield request.param
    ag.close_all()


def until(feed, condition, timeout=20):
    with feed.news:
        assert feed.news.wait_for(condition, timeout), f"not met in {timeout} s; {feed.status}"


def test_it_connects_and_rows_come_typed_and_timed(system):
    feed = system.simulate(**WHOLE)
    feed.join(timeout=60)
    frame = feed[system.topic].to_pandas()
    assert len(frame) >= 25 and str(frame.index.dtype) == "datetime64[ns, UTC]"
    assert len(feed[system.other].to_pandas()) > 0
    assert not frame["timestamp_is_recv"].any() and not frame["gap_before"].any()
    assert len(feed.gaps) == 0 and feed.undecoded == () and feed.ended
    assert all(not feed.fields(topic.name)["unnamed"] for topic in feed)


def test_two_runs_are_equal(system):
    def run():
        feed = system.simulate(**WHOLE)
        feed.join(timeout=60)
        return {topic.name: topic.to_pandas() for topic in feed}

    first, second = run(), run()
    for name, frame in first.items():
        pd.testing.assert_frame_equal(frame, second[name])


def test_a_loss_is_a_gap_and_the_feed_comes_back_with_all_its_topics(system):
    feed = system.simulate(start="2026-01-01", speed=40, duration="2min")
    feed[system.topic].wait(3, timeout=30)
    feed[system.other].wait(1, timeout=30)
    feed.node.fault("drop")
    feed.join(timeout=60)
    gaps = [g for g in feed.gaps if g.cause == Cause.DISCONNECT]
    assert {system.topic, system.other} <= {g.topic for g in gaps}
    assert all(g.end_ns is not None and g.conn_epoch == 1 for g in gaps if g.topic == system.topic)
    for name in (system.topic, system.other):
        rows = list(feed[name])
        after = [r for r in rows if r.conn_epoch == 2]
        assert after and after[0].gap_before and not any(r.gap_before for r in after if r.n != after[0].n)
        assert [r.n for r in rows] == sorted(r.n for r in rows)
    assert feed.status.topics[system.topic].reconnects == 1


def test_a_close_is_told_and_survived(system):
    feed = system.simulate(start="2026-01-01", speed=40, duration="1min")
    feed[system.topic].wait(3, timeout=30)
    reasons = []
    with feed.on_disconnect(reasons.append):
        feed.node.fault("close", code=1012, reason="restart")
        feed.join(timeout=60)
    assert "1012" in reasons[0] and "restart" in reasons[0]
    assert {r.conn_epoch for r in feed[system.topic]} == {1, 2}


def test_garbage_is_counted_and_disturbs_nothing(system):
    feed = system.simulate(start="2026-01-01", speed=40, duration="1min")
    feed[system.topic].wait(3, timeout=30)
    feed.node.fault("garbage", topic=system.fault_topic, n=10)
    feed.join(timeout=60)
    assert 0 < len(feed.undecoded) <= 10
    assert any(g.cause == Cause.DECODE_ERROR for g in feed.gaps)
    assert {r.conn_epoch for r in feed[system.topic]} == {1}
    assert len(feed[system.topic]) >= 25


def test_repeats_are_suppressed_where_that_is_safe_and_kept_elsewhere(system):
    feed = system.simulate(start="2026-01-01", speed=40, duration="30s")
    feed[system.topic].wait(2, timeout=30)
    feed.node.fault("duplicate", topic=system.fault_topic, n=30)
    feed.join(timeout=60)
    frame = feed[system.topic].to_pandas().drop(columns=["recv_ns", "n"])
    suppressed = feed.status.topics[system.topic].suppressed
    if system.name in ("live stream", "inference, documented"):
        assert suppressed > 0 and not frame.reset_index().duplicated().any()
    else:
        assert suppressed == 0 and frame.reset_index().duplicated().any()


def test_a_slow_callback_loses_nothing_in_the_store_and_ends_no_connection(system):
    feed = system.simulate(**WHOLE)
    go, started = threading.Event(), threading.Event()

    def slow(row):
        started.set()
        assert go.wait(30)

    subscription = feed[system.topic].on_record(slow)
    until(feed, lambda: feed.ended, 60)
    subscription.close()
    go.set()
    frame = feed[system.topic].to_pandas()
    assert len(frame) >= 25 and set(frame["conn_epoch"]) == {1}


def test_after_close_all_can_be_read_and_nothing_waited_for(system):
    feed = system.simulate()
    feed[system.topic].wait(1, timeout=20)
    feed.close()
    assert feed.status.state is State.CLOSED
    assert len(feed[system.topic].to_pandas()) >= 1
    with pytest.raises(ag.FeedClosed):
        feed[system.topic].wait(1)
    with pytest.raises(ag.FeedClosed):
        feed.send("anything")


def test_the_books_balance(system):
    feed = system.simulate(start="2026-01-01", speed="max", duration="2min")
    feed.join(timeout=60)
    for topic in feed:
        status = feed.status.topics[topic.name]
        frames = len({r.n for r in topic})
        assert frames + status.undecoded + status.control == status.messages - status.dropped
