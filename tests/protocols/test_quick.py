"""The quick way and the ordinary way of reading a frame say the same."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurigraph_nb.protocols import Frame, Ledger
from aurigraph_nb.protocols.plans import Table
from aurigraph_nb.protocols.portal import METRICS, TABLES, PortalDecoder
from aurigraph_nb.protocols.quick import KEPT, QuickWay
from aurigraph_nb.protocols.values import Unreadable, iso_time, time

USUAL = {
    "metrics": {"timestamp": "2026-01-01T00:00:00.123456Z", "tps": 1.5, "cpu": 20, "memory": 4.0, "connections": 7},
    "transactions": {"timestamp": 1767225600123, "hash": "0xa", "from": "b", "value": "12", "status": "success"},
    "validators": {"timestamp": "2026-01-01T00:00:01Z", "validator": "v1", "status": "active", "votingPower": 5},
    "consensus": {"timestamp": "2026-01-01T00:00:01.5Z", "leader": "v1", "epoch": 3, "performanceScore": 0.9},
    "network": {"timestamp": "2026-01-01 00:00:01", "peerId": "p", "connected": True, "latency": 60},
}
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["5", "5%", "-0", "12.50", "2026-01-01T00:00:00.5Z", "10000000000000000000000000000000000000000"]),
    st.just({"city": "x", "coordinates": {"lat": 1}}),
    st.lists(st.integers(), max_size=2),
)


@st.composite
def streams(draw: st.DrawFn) -> tuple[str, list[bytes]]:
    """Frames of one topic: usual ones, ones with odd values, and ones with fields more or less."""
    topic = draw(st.sampled_from(list(USUAL)))
    names = [alias.wire for alias in TABLES[topic].aliases if "." not in alias.wire]
    frames = []
    for _ in range(draw(st.integers(2, 6))):
        fields = dict(USUAL[topic])
        for name in draw(st.lists(st.sampled_from(list(fields)), max_size=1)):
            del fields[name]
        odd = st.sampled_from([*names, *fields, "other", "type", "data", "channel"])
        fields.update(draw(st.dictionaries(odd, ODD, max_size=2)))
        frames.append(json.dumps(fields).encode())
    return topic, frames


def told(topic: str, frames: list[bytes]) -> tuple[object, ...]:
    """Everything that a decoder says of the frames."""
    decoder = PortalDecoder(Ledger())
    batch = decoder.decode(Frame(data, True, 10 + i, 1, topic) for i, data in enumerate(frames))
    counts = [counts.of(name) for name in TABLES for counts in (decoder.unnamed, decoder.wrong_type, decoder.doubtful)]
    rows = {name: [repr(row) for row in rows] for name, rows in batch.rows.items()}  # -0.0 is not 0.0 there
    return rows, batch.undecoded, batch.control, counts


@settings(max_examples=400, deadline=None)
@given(streams())
def test_the_quick_way_says_what_the_ordinary_one_says(stream: tuple[str, list[bytes]]) -> None:
    topic, frames = stream
    quickly = told(topic, frames)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(QuickWay, "values", lambda self, data: None)
        assert told(topic, frames) == quickly


@pytest.mark.parametrize("topic", USUAL)
def test_a_frame_with_the_names_of_one_before_goes_the_quick_way(topic: str) -> None:
    way = QuickWay(TABLES[topic])
    data = json.dumps(USUAL[topic]).encode()
    assert way.values(data) is None
    way.learn(tuple(USUAL[topic]))
    found = way.values(data)
    assert found is not None and found[0]["timestamp"] >= 1767225600 * 10**9


def test_shapes_that_come_by_turns_all_go_the_quick_way() -> None:
    way = QuickWay(METRICS)
    shapes = [{"tps": 1}, {"tps": 1, "cpu": 2}, {"tps": 1, "memory": 3}]
    for shape in shapes:
        way.learn(tuple(shape))
    assert all(way.values(json.dumps(shape).encode()) for shape in shapes * 2)


def test_ever_new_names_cost_no_more_than_a_bound() -> None:
    table = Table(METRICS.record, METRICS.aliases)
    way = QuickWay(table)
    names = [alias.wire for alias in table.aliases]
    for bits in range(1, 16 * KEPT):
        way.learn(tuple(name for place, name in enumerate(dict.fromkeys(names)) if bits >> place & 1))
    assert len(way._made) == KEPT


@given(st.from_regex(r"\A[0-9]{4}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-9]{2}[:0 ][0-9 ]{2}\.[0-9٣²]{0,10}Z\Z"))
def test_a_time_is_read_the_short_way_as_it_is_the_long_way(text: str) -> None:
    try:
        expected = iso_time(text)
    except Unreadable:
        expected = None
    try:
        found = time(text)
    except Unreadable:
        found = None
    in_range = expected is not None and -(2**63) < expected < 2**63
    assert found == (expected if in_range else None)


def test_msgspec_reads_numbers_of_both_ways_alike() -> None:
    assert str(msgspec.json.decode(b"-0", type=float)) == str(float(msgspec.json.decode(b"-0")))
