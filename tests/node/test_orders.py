"""Faults as they are ordered: checked before anything happens."""

import json

import pytest

from aurigraph_nb.errors import BadOption, BadOptionType
from aurigraph_nb.node import faults
from aurigraph_nb.node.events import STREAMS, SYSTEMS


def test_an_order_is_for_one_topic_or_for_all():
    assert faults.parse("drop", "metrics", {}).topics == ("metrics",)
    assert faults.parse("drop", "fakeai", {}).topics == ("fakeai",)
    assert faults.parse("drop", None, {}).topics == STREAMS


def test_the_defaults_are_told():
    fault = faults.parse("close", None, {})
    assert (fault.code, fault.reason) == (1011, "")
    assert faults.parse("garbage", None, {}).kinds == ("json", "utf8", "binary", "types", "unknown")
    assert faults.parse("refuse", None, {}).status == 503


def test_durations_are_read_as_everywhere():
    assert faults.parse("stall", None, {"duration": "2s"}).duration_ns == 2 * 10**9
    assert faults.parse("refuse", None, {"duration": 0.5, "retry_after": 3}).retry_after_s == 3


@pytest.mark.parametrize(
    "kind, topic, given, message",
    [
        (
            "burn",
            None,
            {},
            "fault 'burn' .*drop, close, stall, garbage, duplicate, reorder, oversize, half-open, refuse, clear",
        ),
        (
            "drop",
            "weather",
            {},
            "topic='weather' .*metrics, transactions, validators, consensus, network, live, channels, fakeai",
        ),
        ("close", None, {"code": 1006}, "code=1006 cannot be sent"),
        ("close", None, {"code": True}, "code=True"),
        ("close", None, {"reason": "x" * 124}, "at most 123 bytes"),
        ("garbage", None, {"n": 0}, "n=0 is not accepted"),
        ("garbage", None, {"kinds": ["json", "xml"]}, "kinds=.*json, utf8, binary, types, unknown"),
        ("garbage", None, {"kinds": []}, "kinds=.*some of"),
        ("duplicate", None, {"n": True}, "n=True is not accepted"),
        ("oversize", None, {"size": 10}, "size=10 is not accepted"),
        ("refuse", None, {"status": 200}, "status=200 .*401, 403, 404"),
        ("refuse", None, {"retry_after": -1}, "retry_after=-1"),
        ("stall", None, {"duration": "soon"}, "duration='soon'"),
    ],
)
def test_a_bad_order_is_named_with_what_is_accepted(kind, topic, given, message):
    with pytest.raises(BadOption, match=message):
        faults.parse(kind, topic, given)


@pytest.mark.parametrize("kind", faults.OPTIONS)
def test_an_unknown_option_is_named_with_those_of_the_fault(kind):
    with pytest.raises(BadOptionType, match=f"fault '{kind}' has no option volume; it has topic"):
        faults.parse(kind, None, {"volume": 11})


def test_a_detail_says_what_was_ordered():
    assert faults.parse("close", "metrics", {"code": 1008}).detail == "metrics: code 1008"
    assert faults.parse("garbage", None, {"n": 3}).detail == "all topics: 3 frames"
    assert faults.parse("duplicate", "live", {"n": 2}).detail == "live: 2 frames"
    assert faults.parse("oversize", "live", {}).detail == "live: 2097152 bytes"
    assert faults.parse("half-open", "channels", {}).detail == "channels"
    assert faults.parse("drop", None, {}).detail == "all topics"


@pytest.mark.parametrize("stream", STREAMS)
def test_garbage_of_wrong_types_speaks_the_words_of_its_stream(stream):
    text, data = faults.garbage(stream, "types")
    frame = json.loads(data)
    assert text and (("type" in frame) == (stream in SYSTEMS))


@pytest.mark.parametrize("size", [100, 1001, 2**21])
def test_an_oversize_frame_is_json_of_exactly_that_size(size):
    data = faults.oversize(size)
    assert len(data) == size and json.loads(data)["type"] == "oversize"
