"""The course of numbers row by row: bounded, and no point twice."""

from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.schema import Peer
from aurigraph_nb.widgets import sparks
from aurigraph_nb.widgets.sparks import READ_ROWS, Sparks

from .doubles import FakeTopic


def test_points_come_once_and_all_of_them_to_whom_everything_is_new():
    topic = FakeTopic("network", Peer)
    course = Sparks(topic.store, "peer_id", {"latency_ms": 3})
    for value in (1.0, None, 2.0):
        topic.put(peer_id="p", latency_ms=value)
    course.read()
    assert course.new("p") == {"latency_ms": [1.0, 2.0]}
    assert course.new("p") == {"latency_ms": []}
    assert course.new("p", everything=True) == {"latency_ms": [1.0, 2.0]}
    assert course.new("unknown") == {}


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(-1e9, 1e9), st.booleans()), max_size=60))
def test_a_reader_that_comes_now_and_then_has_the_newest_points(steps):
    topic = FakeTopic("network", Peer)
    course, shown, sent = Sparks(topic.store, "peer_id", {"latency_ms": 4}), {}, {}
    for key, value, read in steps:
        topic.put(peer_id=key, latency_ms=value)
        sent.setdefault(key, []).append(float(f"{value:.5g}"))
        if read:
            course.read()
            for name in sent:
                shown[name] = (shown.get(name, []) + course.new(name)["latency_ms"])[-4:]
            assert shown == {name: points[-4:] for name, points in sent.items()}


def test_rows_and_points_are_bounded(monkeypatch):
    monkeypatch.setattr(sparks, "MAX_ROWS", 3)
    monkeypatch.setattr(sparks, "SENT_POINTS", 6)
    topic = FakeTopic("network", Peer)
    course = Sparks(topic.store, "peer_id", {"latency_ms": 60})
    for i in range(51):
        topic.put(peer_id=f"p{i % 3}", latency_ms=float(i))
    topic.put(peer_id="p3", latency_ms=0.0)
    course.read()
    assert (len(course), course.new("p0")) == (3, {})
    assert course.new("p2", everything=True) == {"latency_ms": [47.0, 50.0]}


def test_a_reader_far_behind_takes_only_the_newest_rows():
    topic = FakeTopic("network", Peer)
    record = topic.put(peer_id="old", latency_ms=1.0)
    new = topic.put(peer_id="new", latency_ms=1.0)
    topic.store.append([new] * READ_ROWS)
    course = Sparks(topic.store, "peer_id", {"latency_ms": 5})
    course.read()
    assert course.new(record.peer_id) == {}
    assert len(course.new("new")["latency_ms"]) == 5
