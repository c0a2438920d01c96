"""Crossings of a line, and the callback that is told of them."""

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb import widgets
from aurigraph_nb.dispatch import CallbackErrors
from aurigraph_nb.errors import BadOption, BadOptionType
from aurigraph_nb.widgets.thresholds import Threshold

from .doubles import START_NS


def settle(chart):
    """Until the callback thread is done with what there is."""
    end = time.monotonic() + 10
    while not chart._subscription.idle:
        assert time.monotonic() < end, "the callbacks do not end"


def test_only_a_change_of_side_is_a_crossing():
    line = Threshold(10.0)
    told = [line.take(value) for value in (5.0, 9.0, 11.0, 12.0, 10.0, 9.0, 10.0, 11.0)]
    assert told == [None, None, "up", None, None, "down", None, "up"]


def test_a_first_value_beyond_the_line_is_no_crossing():
    assert Threshold(10.0).take(50.0) is None


@pytest.mark.parametrize("nothing", [None, float("nan")])
def test_a_missing_value_says_nothing(nothing):
    line = Threshold(10.0)
    assert [line.take(value) for value in (5.0, nothing, 15.0)] == [None, None, "up"]


@given(st.lists(st.floats(0, 100), max_size=60), st.floats(0, 30))
def test_crossings_alternate_and_lie_beyond_the_band(values, hysteresis):
    line = Threshold(50.0, hysteresis=hysteresis)
    told = [(line.take(value), value) for value in values]
    crossings = [(way, value) for way, value in told if way]
    assert all(a != b for (a, _), (b, _) in itertools.pairwise(crossings))
    for way, value in crossings:
        assert value > 50 + hysteresis if way == "up" else value < 50 - hysteresis


def test_the_callback_gets_every_crossing_with_its_row(desk, feed):
    seen = []
    chart = widgets.TPSChart(feed, threshold=100.0, hysteresis=5.0, on_cross=seen.append)
    for tps in (90.0, 102.0, 106.0, 97.0, 94.0):
        feed["metrics"].put(tps=tps)
    settle(chart)
    assert [(c.column, c.direction, c.value, c.threshold) for c in seen] == [
        ("tps", "up", 106.0, 100.0),
        ("tps", "down", 94.0, 100.0),
    ]
    assert seen[0].recv_ns == seen[0].timestamp == START_NS + 2_000_000_000


def test_the_callback_is_told_though_nobody_looks_and_not_after_the_end(desk, feed):
    seen = []
    chart = widgets.LiveChart(feed["metrics"], y="cpu_percent", threshold=50, on_cross=seen.append)
    for cpu in (10.0, 90.0):
        feed["metrics"].put(cpu_percent=cpu)
    settle(chart)
    chart.close()
    chart.close()
    feed["metrics"].put(cpu_percent=10.0)
    assert [c.direction for c in seen] == ["up"]
    assert feed["metrics"].subscriptions == []


def test_an_error_in_the_callback_is_counted_under_its_own_name(desk, feed):
    feed.callback_errors = CallbackErrors()

    def on_cross(crossing):
        raise RuntimeError("no siren")

    chart = widgets.TPSChart(feed, threshold=100.0, on_cross=on_cross)
    for tps in (90.0, 110.0, 90.0):
        feed["metrics"].put(tps=tps)
    settle(chart)
    assert feed.callback_errors.count == 2
    assert "on_cross: RuntimeError: no siren" in feed.callback_errors.last


def test_a_closed_feed_refuses_the_callback_and_leaves_no_widget(desk, feed, monkeypatch):
    def refuse(fn):
        raise RuntimeError("closed")

    monkeypatch.setattr(feed["metrics"], "on_record", refuse)
    with pytest.raises(RuntimeError, match="closed"):
        widgets.TPSChart(feed, threshold=1.0, on_cross=print)
    assert len(desk.painter) == 0


@pytest.mark.parametrize(
    "options, kind, words",
    [
        ({"on_cross": print}, BadOption, "on_cross without threshold"),
        ({"hysteresis": 2}, BadOption, "hysteresis without threshold"),
        ({"threshold": 1, "hysteresis": -2}, BadOption, "at least 0"),
        ({"threshold": float("inf")}, BadOption, "a finite number"),
        ({"threshold": "high"}, BadOptionType, "threshold='high': expected a number"),
        ({"threshold": True}, BadOptionType, "expected a number"),
        ({"threshold": 1, "on_cross": "ring"}, BadOptionType, "something callable"),
        ({"threshold": 0, "log": True}, BadOption, "only values above 0"),
    ],
)
def test_a_bad_threshold_is_refused(desk, feed, options, kind, words):
    with pytest.raises(kind, match=words):
        widgets.TPSChart(feed, **options)
    assert len(desk.painter) == 0
