"""Manners of a demo: when a simulated feed rests, what it says then, and what ends the rest."""

from __future__ import annotations

import logging
import threading

import pytest

import aurigraph_nb as ag
from aurigraph_nb import demo
from aurigraph_nb.demo import IDLE, Idleness, idle_limit_s
from aurigraph_nb.errors import BadOption, BadOptionType
from aurigraph_nb.gaps import Cause
from aurigraph_nb.session import State

LIMIT_S = 30


@pytest.fixture(autouse=True)
def all_closed():
    yield
    ag.close_all()


def until(feed, condition):
    with feed.news:
        assert feed.news.wait_for(condition, LIMIT_S), feed.status


@pytest.fixture
def a_demo(monkeypatch):
    """A feed of a demo that rests after half a second without a viewer, which has brought rows."""
    monkeypatch.setenv(IDLE, "500ms")
    feed = ag.simulate(seed=7, metrics_interval=0.05)
    feed.metrics.wait(2, timeout=LIMIT_S)
    return feed


def rests(feed):
    until(feed, lambda: feed.resting is not None and feed.status.state is State.DISCONNECTED and not feed.node.running)


# ---- decisions, by a clock that the test turns


def test_nothing_happens_before_the_limit():
    idle = Idleness(900, now=100.0)
    assert [idle.look(now) for now in (100.0, 400.0, 999.0)] == [900.0, 600.0, 1.0]
    assert not idle.resting


def test_a_view_begins_the_limit_anew():
    idle = Idleness(900, now=0.0)
    assert not idle.viewed(899.0)
    assert idle.look(900.0) == 899.0
    assert idle.look(1799.0) == 0.0
    assert idle.resting


def test_a_rest_ends_with_the_first_view_and_only_with_that():
    idle = Idleness(900, now=0.0)
    assert idle.look(1000.0) == 0.0
    assert idle.look(5000.0) == float("inf")
    assert [idle.viewed(6000.0), idle.viewed(6000.0)] == [True, False]
    assert idle.look(6000.0) == 900.0


def test_a_view_from_a_thread_whose_clock_was_read_earlier_takes_nothing_back():
    idle = Idleness(10, now=0.0)
    idle.viewed(8.0)
    idle.viewed(7.9)
    assert idle.look(10.0) == 8.0


# ---- the variable


@pytest.mark.parametrize("value, limit_s", [("15min", 900.0), ("90", 90.0), (" 1h ", 3600.0), ("", None), ("  ", None)])
def test_the_variable_is_a_duration_or_empty(value, limit_s):
    assert idle_limit_s({IDLE: value}) == limit_s
    assert idle_limit_s({}) is None


@pytest.mark.parametrize("value", ["soon", "0", "-1min", "nan"])
def test_a_variable_that_makes_no_sense_is_told(value):
    with pytest.raises((BadOption, BadOptionType), match=IDLE):
        idle_limit_s({IDLE: value})


def test_a_bad_variable_leaves_no_node_behind(monkeypatch):
    monkeypatch.setenv(IDLE, "soon")
    before = threading.active_count()
    with pytest.raises(BadOption, match=IDLE):
        ag.simulate(seed=7)
    monkeypatch.delenv(IDLE)
    ag.simulate(seed=7).close()
    assert threading.active_count() <= before + 1  # the I/O thread may be new


def test_outside_of_a_demo_nobody_is_told_of_views(monkeypatch):
    monkeypatch.delenv(IDLE, raising=False)
    feed = ag.simulate(seed=7)
    feed.viewed()
    assert feed.on_view is None
    assert feed.resting is None


# ---- a feed


def test_a_feed_that_nobody_looks_at_rests_and_says_so(a_demo, caplog):
    caplog.set_level(logging.INFO, logger=demo.__name__)
    rests(a_demo)
    assert "nobody has looked" in a_demo.status.error
    until(a_demo, lambda: any("nobody has looked" in record.message for record in caplog.records))
    until(a_demo, lambda: not any(a_demo.node.stats().connections.values()))


def test_reading_wakes_it_and_the_rest_is_a_gap(a_demo, caplog):
    caplog.set_level(logging.INFO, logger=demo.__name__)
    rests(a_demo)
    rows = len(a_demo.metrics.take(3, timeout=LIMIT_S))
    assert rows == 3
    assert a_demo.node.running
    assert a_demo.status.error is None
    assert [gap.cause for gap in a_demo.gaps if gap.topic == "metrics"] == [Cause.DISCONNECT]
    assert any("goes on" in record.message for record in caplog.records)


def test_a_view_wakes_it_and_it_rests_again(a_demo):
    for _ in range(2):
        rests(a_demo)
        count = a_demo.metrics.store.count
        a_demo.viewed()
        until(a_demo, lambda c=count: a_demo.metrics.store.count > c)
        assert a_demo.resting is None


def test_connect_and_reconnect_wake_it(a_demo):
    for wake in (a_demo.connect, a_demo.reconnect):
        rests(a_demo)
        count = a_demo.metrics.store.count
        wake()
        until(a_demo, lambda c=count: a_demo.metrics.store.count > c)


def test_views_keep_it_awake(monkeypatch):
    monkeypatch.setenv(IDLE, "2s")
    feed = ag.simulate(seed=7, metrics_interval=0.05)
    for _ in range(60):  # three seconds of rows
        feed.metrics.take(1, timeout=LIMIT_S)
        assert feed.resting is None
    assert len(feed.gaps) == 0


def test_who_waits_for_long_is_a_viewer(a_demo):
    a_demo.metrics.wait(a_demo.metrics.store.count + 30, timeout=LIMIT_S)  # three times as long as the limit
    assert len(a_demo.gaps) == 0


def test_a_feed_that_its_user_disconnected_stays_so_after_a_view(a_demo):
    a_demo.disconnect()
    rests(a_demo)
    a_demo.viewed()
    until(a_demo, lambda: a_demo.resting is None)
    assert a_demo.node.running
    assert a_demo.status.state is State.DISCONNECTED


def test_a_node_that_was_stopped_by_hand_stays_so(a_demo):
    a_demo.node.stop()
    a_demo.viewed()
    until(a_demo, lambda: a_demo.status.attempts >= 4)  # seconds later, which is beyond the limit
    assert a_demo.resting is None
    assert not a_demo.node.running


def test_a_resting_feed_can_be_closed_and_read(a_demo):
    rests(a_demo)
    rows = len(a_demo.metrics)
    a_demo.close()
    a_demo.viewed()
    assert len(a_demo.metrics.to_pandas()) == rows
    assert a_demo.status.state is State.CLOSED


def test_a_finite_run_ends_as_it_would_elsewhere(monkeypatch):
    monkeypatch.setenv(IDLE, "1min")
    feed = ag.simulate(seed=7, start="2026-01-01", duration="10s")
    feed.join(timeout=LIMIT_S)
    assert len(feed.metrics) == 10
    assert len(feed.gaps) == 0
