"""The node without sockets."""

import msgspec
import pytest

from aurigraph_nb.node.options import make
from aurigraph_nb.node.unplugged import Passing, Sent, Serving, Unplugged


def node(system, **options):
    return Unplugged(make(seed=7, start="2026-01-01", duration=options.pop("duration", "1min"), **options), system)


def test_the_topic_streams_come_to_whoever_is_there():
    sent = [h for h in node("portal").play() if isinstance(h, Sent)]
    assert {h.stream for h in sent} == {"metrics", "transactions", "validators", "consensus", "network"}
    assert sum(h.stream == "metrics" for h in sent) == 60
    assert "tps" in msgspec.json.decode(next(h for h in sent if h.stream == "metrics").data)


@pytest.mark.parametrize("system", ["portal", "live", "channels", "fakeai"])
def test_time_never_goes_back(system):
    unplugged = node(system, scenario="outage")
    unplugged.connect()
    times = [happening.time_ns for happening in unplugged.play()]
    assert times == sorted(times)
    assert unplugged.start_ns <= times[0] and times[-1] < unplugged.model.end_ns


def test_a_system_tells_nothing_to_nobody():
    assert not [h for h in node("live").play() if isinstance(h, Sent)]


def test_what_was_subscribed_comes_and_an_answer_says_so():
    unplugged = node("live")
    (welcome,) = unplugged.connect()
    (answer,) = unplugged.say('{"type":"subscribe","channel":"block_updates"}', unplugged.start_ns)
    kinds = {msgspec.json.decode(h.data)["type"] for h in unplugged.play() if isinstance(h, Sent)}
    assert b"connection_established" in welcome and b"subscription_confirmed" in answer
    assert kinds == {"tps_update", "block_update"}


def test_who_leaves_hears_nothing_more():
    unplugged = node("channels")
    unplugged.connect()
    heard = 0
    for happening in unplugged.play():
        heard += isinstance(happening, Sent)
        if heard == 5:
            unplugged.leave()
    assert heard == 5


def test_an_outage_is_told_and_time_passes_in_it():
    happenings = list(node("portal", scenario="outage", duration="3min").play())
    changes = [h.up for h in happenings if isinstance(h, Serving)]
    assert changes[:2] == [False, True]
    assert any(isinstance(h, Passing) for h in happenings)
