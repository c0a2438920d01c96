"""The topic streams: every spelling, both shapes, the envelope, and whatever a hostile feed may send."""

from __future__ import annotations

import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.columns import records_to_table
from aurigraph_nb.protocols import Batch, Frame, Ledger
from aurigraph_nb.protocols.base import Endpoint
from aurigraph_nb.protocols.portal import TABLES, PortalDecoder, PortalProtocol, quality_of

TOPICS = sorted(TABLES)
NOON = 1_767_268_800_000_000_000
RECV = NOON + 5_000_000


def decode(topic: str, *messages: object, text: bool = True) -> Batch:
    decoder = PortalDecoder(Ledger())
    return decoder.decode(frame(topic, m, text) for m in messages)


def frame(topic: str, message: object, text: bool = True) -> Frame:
    data = message if isinstance(message, bytes) else json.dumps(message).encode()
    return Frame(data, text, RECV, 1, topic)


def row(topic: str, message: object):
    batch = decode(topic, message)
    assert not batch.undecoded, batch.undecoded
    (only,) = batch.rows[topic]
    return only


SERVER = {
    "metrics": (
        b'{"timestamp":"2026-01-01T12:00:00Z","tps":1234.5,"cpu":-3,"memory":2048,"connections":7,"errorRate":0.02}',
        {"tps": 1234.5, "cpu_percent": -3, "memory_mb": 2048, "connections": 7, "error_rate": 0.02},
    ),
    "transactions": (
        b'{"timestamp":"2026-01-01T12:00:00Z","txHash":"0xa","from":"f","to":"t","value":"123456789012345678901234567890",'
        b'"status":"CONFIRMED","gasUsed":21000}',
        {
            "hash": "0xa",
            "sender": "f",
            "recipient": "t",
            "value": 123456789012345678901234567890,
            "value_text": "123456789012345678901234567890",
            "value_unit": "base",
            "status": "CONFIRMED",
            "gas_used": 21000,
        },
    ),
    "validators": (
        b'{"timestamp":"2026-01-01T12:00:00Z","validator":"v1","status":"ACTIVE","votingPower":5000,"uptime":99.5,'
        b'"lastBlockProposed":12}',
        {"id": "v1", "status": "ACTIVE", "voting_power": 5000, "uptime_percent": 99.5, "last_block_proposed": 12},
    ),
    "consensus": (
        b'{"timestamp":"2026-01-01T12:00:00Z","leader":"v1","state":"COMMITTED","epoch":3,"round":7,"term":2,'
        b'"performanceScore":0.5,"activeValidators":19}',
        {
            "leader": "v1",
            "state": "COMMITTED",
            "epoch": 3,
            "round": 7,
            "term": 2,
            "performance_percent": 50.0,
            "active_validators": 19,
        },
    ),
    "network": (
        b'{"timestamp":"2026-01-01T12:00:00Z","peerId":"p1","ip":"10.0.0.1","connected":true,"latency":42,"version":"1.2"}',
        {
            "peer_id": "p1",
            "address": "10.0.0.1",
            "status": "CONNECTED",
            "latency_ms": 42,
            "version": "1.2",
            "connection_quality": "EXCELLENT",
        },
    ),
}

PORTAL = {
    "metrics": (
        b'{"timestamp":1767268800000,"currentTPS":1234.5,"cpuUsage":45,"memoryUsage":61,"activeConnections":7,"errorRate":2}',
        {"tps": 1234.5, "cpu_percent": 45, "memory_percent": 61, "connections": 7, "error_rate": 0.02},
    ),
    "transactions": (
        b'{"timestamp":1767268800000,"hash":"0xa","from":"f","to":"t","value":"5","status":"SUCCESS","gasPrice":"20",'
        b'"blockNumber":9}',
        {
            "hash": "0xa",
            "sender": "f",
            "recipient": "t",
            "value": 5,
            "value_text": "5",
            "value_unit": "as-sent",
            "status": "CONFIRMED",
            "gas_price": "20",
            "block_number": 9,
        },
    ),
    "validators": (
        b'{"timestamp":1767268800000,"id":"v1","address":"0xv","name":"One","status":"UNBONDING","votingPower":5000,'
        b'"uptime":99.5,"lastBlockProposed":12,"commissionRate":5,"delegators":3,"totalStaked":"99999999999999999999",'
        b'"lastUpdate":1767268800000}',
        {
            "id": "v1",
            "address": "0xv",
            "name": "One",
            "status": "UNBONDING",
            "voting_power": 5000,
            "uptime_percent": 99.5,
            "last_block_proposed": 12,
            "commission_percent": 5,
            "delegators": 3,
            "total_staked": 99999999999999999999,
            "last_update": NOON,
        },
    ),
    "consensus": (
        b'{"timestamp":1767268800000,"currentLeader":"v1","state":"LEADER","epoch":3,"round":7,"term":2,'
        b'"performanceScore":50,"activeValidators":19,"totalValidators":20,"lastBlockTime":1767268799000,'
        b'"averageBlockTime":2.5,"consensusHealth":"OPTIMAL"}',
        {
            "leader": "v1",
            "state": "LEADER",
            "epoch": 3,
            "round": 7,
            "term": 2,
            "performance_percent": 50,
            "active_validators": 19,
            "total_validators": 20,
            "last_block_time": 1767268799000,
            "average_block_time": 2.5,
            "health": "OPTIMAL",
        },
    ),
    "network": (
        b'{"timestamp":1767268800000,"id":"p1","address":"10.0.0.1","status":"CONNECTING","latency":142,"version":"1.2",'
        b'"location":{"country":"CH","city":"Bern","latitude":46.9,"longitude":7.4},"uptime":60,"lastSeen":1767268800000,'
        b'"inboundBytes":1,"outboundBytes":2,"connectionQuality":"GOOD"}',
        {
            "peer_id": "p1",
            "address": "10.0.0.1",
            "status": "CONNECTING",
            "latency_ms": 142,
            "version": "1.2",
            "country": "CH",
            "city": "Bern",
            "latitude": 46.9,
            "longitude": 7.4,
            "uptime_s": 60,
            "last_seen": NOON,
            "inbound_bytes": 1,
            "outbound_bytes": 2,
            "connection_quality": "GOOD",
        },
    ),
}

CASES = [(t, *shape[t]) for shape in (SERVER, PORTAL) for t in TOPICS]


@pytest.mark.parametrize("topic, raw, expected", CASES)
def test_each_topic_is_read_in_both_shapes(topic, raw, expected):
    record = row(topic, raw)
    got = {k: v for k, v in msgspec.to_builtins(record).items() if v is not None}
    local = {"recv_ns": RECV, "conn_epoch": 1, "n": 0, "gap_before": False}
    assert got == {"timestamp": NOON, **expected, **local}
    assert records_to_table(type(record), [record]).num_rows == 1


@pytest.mark.parametrize("topic, raw, expected", CASES)
def test_the_envelope_gives_the_same_row_on_any_path(topic, raw, expected):
    bare = row(topic, raw)
    wrapped = {"type": "message", "channel": topic, "data": json.loads(raw), "timestamp": 1, "messageId": "m"}
    elsewhere = "metrics" if topic != "metrics" else "network"
    (record,) = decode(elsewhere, wrapped).rows[topic]
    assert record == bare


def test_the_envelopes_time_serves_where_the_data_has_none():
    (record,) = decode(
        "metrics", {"type": "metrics", "channel": "metrics", "data": {"tps": 1}, "timestamp": NOON // 10**6}
    ).rows["metrics"]
    assert record.timestamp == NOON


def test_an_unknown_channel_is_told():
    batch = decode("metrics", {"type": "message", "channel": "weather", "data": {"tps": 1}})
    assert not batch.rows and "unknown channel 'weather'" in batch.undecoded[0].reason
    assert batch.undecoded[0].topic == "metrics"


def test_the_rows_of_one_frame_share_its_ordinal():
    batch = decode("metrics", [{"tps": 1}, {"tps": 2}], {"tps": 3})
    assert [(r.tps, r.n) for r in batch.rows["metrics"]] == [(1, 0), (2, 0), (3, 1)]


ALIASES = [(topic, alias) for topic in TOPICS for alias in TABLES[topic].aliases if alias.shape is None]
SAMPLES = {
    "cpuUsagePercent": "45.5%",
    "commission": "5.0%",
    **dict.fromkeys(("status", "state", "nodeState", "phase", "health", "quality"), "active"),
    **dict.fromkeys(("connectionQuality", "connection_quality"), "good"),
    "timestamp": "2026-01-01T12:00:00Z",
    "lastUpdate": NOON // 10**9,
    "last_update": NOON // 10**9,
    "last_seen": NOON // 10**9,
}


@pytest.mark.parametrize("topic, alias", ALIASES, ids=lambda a: getattr(a, "wire", a))
def test_every_other_alias_reaches_its_column(topic, alias):
    key = PortalProtocol.keys.get(topic)
    other = {"hash": "txHash", "id": "validator", "peer_id": "peerId"}.get(key)
    data: dict[str, object] = {alias.wire: SAMPLES.get(alias.wire, 5)}
    if alias.column != key and other:
        data[other] = "thing"
    elif alias.column == "timestamp":
        data["tps" if topic == "metrics" else "epoch"] = 1
    record = row(topic, data)
    assert getattr(record, alias.column) is not None
    assert record.extra is None


@pytest.mark.parametrize("nested", ["latitude", "lat"])
def test_a_location_may_hold_coordinates(nested):
    record = row("network", {"id": "p", "location": {"city": "Bern", "coordinates": {nested: 46.9, "lng": 7.4}}})
    assert (record.city, record.latitude, record.longitude) == ("Bern", 46.9, 7.4)


@pytest.mark.parametrize(
    "topic, wire, column, mixed",
    [
        ("metrics", "errorRate", "error_rate", {"tps": 1, "cpuUsage": 5}),
        ("metrics", "errorRate", "error_rate", {"cpu_usage": 5}),
        ("consensus", "performanceScore", "performance_percent", {"leader": "a", "totalValidators": 3}),
        ("consensus", "performanceScore", "performance_percent", {"epoch": 1}),
    ],
)
def test_a_scale_that_the_shape_does_not_tell_is_left_open(topic, wire, column, mixed):
    decoder = PortalDecoder(Ledger())
    (record,) = decoder.decode([frame(topic, {**mixed, wire: 0.5})]).rows[topic]
    assert getattr(record, column) is None
    assert json.loads(record.extra)[wire] == 0.5
    assert decoder.doubtful.of(topic) == {wire: 1}


def test_a_scale_is_never_guessed_from_a_value():
    assert row("metrics", {"tps": 1, "errorRate": 55}).error_rate == 55
    assert row("metrics", {"currentTPS": 1, "errorRate": 0.001}).error_rate == 0.00001
    assert row("consensus", {"leader": None, "performanceScore": 88}).performance_percent == 8800
    assert row("consensus", {"currentLeader": None, "performanceScore": 0.9}).performance_percent == 0.9


def test_the_unit_of_a_value_follows_the_shape():
    decoder = PortalDecoder(Ledger())
    message = {"transactionHash": "a", "amount": 12}
    (record,) = decoder.decode([frame("transactions", message)]).rows["transactions"]
    assert (record.value, record.value_text, record.value_unit) == (12, "12", None)
    assert decoder.doubtful.of("transactions") == {"value": 1}


@pytest.mark.parametrize(
    "sent, value, text",
    [
        (b'"99999999999999999999999999999999999999"', 10**38 - 1, "9" * 38),
        (b'"100000000000000000000000000000000000000"', None, "1" + "0" * 38),
        (b'"-5"', -5, "-5"),
        (b'"1.5"', None, "1.5"),
        (b'"007"', 7, "007"),
        (b'"1e3"', None, "1e3"),
        (b'""', None, ""),
        (b"9007199254740993", 9007199254740993, "9007199254740993"),
        (b"123456789012345678901234567890", 123456789012345678901234567890, "123456789012345678901234567890"),
        (b"0.1000000000000000000000000000001", None, "0.1000000000000000000000000000001"),
        (b"1.50", None, "1.50"),
    ],
)
def test_amounts_are_exact(sent, value, text):
    record = row("transactions", b'{"txHash":"a","value":' + sent + b"}")
    assert (record.value, record.value_text) == (value, text)
    envelope = b'{"channel":"transactions","data":[{"txHash":"b"},{"txHash":"a","value":' + sent + b"}]}"
    assert decode("transactions", envelope).rows["transactions"][1].value_text == text


def test_a_stake_that_does_not_fit_stands_in_extra():
    record = row("validators", {"id": "v", "totalStaked": "1" + "0" * 38})
    assert record.total_staked is None and json.loads(record.extra) == {"totalStaked": "1" + "0" * 38}


def test_fields_that_nobody_named_go_to_extra_and_are_counted():
    decoder = PortalDecoder(Ledger())
    batch = decoder.decode(
        [frame("metrics", {"tps": 1, "mood": {"a": [1]}, "big": 10**40}), frame("metrics", {"tps": 1, "mood": 1})]
    )
    assert json.loads(batch.rows["metrics"][0].extra) == {"mood": {"a": [1]}, "big": 10**40}
    assert decoder.unnamed.of("metrics") == {"mood": 2, "big": 1}


@pytest.mark.parametrize("bad", ["fast", True, [1], {"a": 1}, "nan", "Infinity"])
def test_a_field_of_a_wrong_type_is_null_raw_in_extra_and_counted(bad):
    decoder = PortalDecoder(Ledger())
    (record,) = decoder.decode([frame("metrics", {"tps": bad, "cpu": 5})]).rows["metrics"]
    assert (record.tps, record.cpu_percent) == (None, 5)
    assert json.loads(record.extra) == {"tps": bad}
    assert decoder.wrong_type.of("metrics") == {"tps": 1}


def test_nulls_are_allowed_everywhere():
    for topic in TOPICS:
        for shape in (SERVER, PORTAL):
            data = dict.fromkeys(json.loads(shape[topic][0]))
            record = row(topic, data)
            assert record.extra is None


@pytest.mark.parametrize(
    "message, reason",
    [
        (b"rubbish", "not JSON"),
        (b"", "not JSON"),
        (b'{"tps":1', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'{"tps":"\xed\xa0\x80"}', "UTF-8"),
        (b"null", "null"),
        (b"5", "no object"),
        (b"[]", "no object"),
        (b"[1]", "no object"),
        (b"{}", "none of the fields"),
        (b'{"timestamp":1}', "none of the fields"),
        (b'{"weather":"fine"}', "none of the fields"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"tps":1e999}', "not JSON"),
    ],
)
def test_what_is_not_understood_is_told_and_kept(message, reason):
    batch = decode("metrics", message)
    (failed,) = batch.undecoded
    assert not batch.rows and reason in failed.reason
    assert (failed.topic, failed.size, failed.n, failed.recv_ns) == ("metrics", len(message), 0, RECV)
    assert len(failed.preview) <= 500


def test_a_binary_frame_is_not_taken_for_text():
    batch = decode("metrics", b'{"tps":1}', text=False)
    assert not batch.rows and "binary" in batch.undecoded[0].reason and batch.undecoded[0].text is False


@pytest.mark.parametrize("topic, other", [("transactions", "status"), ("validators", "status"), ("network", "latency")])
def test_a_row_about_a_thing_needs_its_key(topic, other):
    assert decode(topic, {other: "1", "uptime": 5}).undecoded


def test_what_was_not_understood_leaves_a_gap_before_the_next_row():
    batch = decode("metrics", {"tps": 1}, b"rubbish", {"tps": 2}, {"tps": 3})
    assert [(r.n, r.gap_before) for r in batch.rows["metrics"]] == [(0, False), (2, True), (3, False)]


@pytest.mark.parametrize(
    "message, kind, reply",
    [
        (b'{"type":"ping","timestamp":1}', "ping", '{"type":"pong"}'),
        (b'{"type":"pong"}', "pong", None),
        (b'{"type":"HEARTBEAT"}', "heartbeat", None),
        (b'{"type":"WELCOME","message":"hi"}', "welcome", None),
        (b'{"type":"auth_required"}', "auth_required", None),
        (b'{"type":"auth_response","success":true}', "auth_response", None),
        (b'{"success":true,"message":"subscribed"}', "ack", None),
        (b'{"status":"subscribed","channel":"metrics"}', "ack", None),
        (b"PING", "ping", "PONG"),
        (b"PONG", "pong", None),
        (b"SUBSCRIBED metrics", "subscribed", None),
        (b"ERROR: no such command", "error", None),
    ],
)
@pytest.mark.parametrize("topic", TOPICS)
def test_words_of_relatives_are_neither_rows_nor_errors(topic, message, kind, reply):
    batch = decode(topic, message)
    (control,) = batch.control
    assert not batch.rows and not batch.undecoded
    assert (control.kind, control.reply, control.endpoint) == (kind, reply, topic)


def test_the_quality_of_a_connection_follows_its_latency_where_it_is_not_sent():
    assert [quality_of(ms) for ms in (49.9, 50, 99.9, 100, 149.9, 150)] == [
        "EXCELLENT",
        "GOOD",
        "GOOD",
        "FAIR",
        "FAIR",
        "POOR",
    ]
    assert row("network", {"peerId": "p", "latency": 10, "connectionQuality": "poor"}).connection_quality == "POOR"
    assert row("network", {"peerId": "p"}).connection_quality is None


def test_a_topics_address_follows_from_any_of_the_urls():
    protocol = PortalProtocol()
    for url in ("ws://h:1/ws", "ws://h:1/ws/metrics", "ws://h:1"):
        assert protocol.endpoints(url)["network"] == Endpoint("ws://h:1/ws/network", ("network",))
    assert protocol.endpoints("wss://h/api/v11/ws/metrics?x=1")["consensus"].url == "wss://h/api/v11/ws/consensus?x=1"
    assert json.loads(protocol.heartbeat(NOON)) == {"type": "ping", "timestamp": NOON // 10**6}


# Wild input

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
wire_names = st.sampled_from(
    sorted({a.wire for t in TABLES.values() for a in t.aliases} | {"location", "data", "channel", "type"})
)


def books_balance(topic: str, messages: list[bytes], text: bool = True) -> None:
    batch = decode(topic, *messages, text=text)
    frames = {(name, r.n) for name, rows in batch.rows.items() for r in rows}
    assert len(frames) + len(batch.undecoded) + len(batch.control) == len(messages)
    for name, rows in batch.rows.items():
        assert records_to_table(TABLES[name].record, rows).num_rows == len(rows)


@given(st.sampled_from(TOPICS), st.lists(st.binary(max_size=200), max_size=5), st.booleans())
def test_arbitrary_bytes_never_raise_and_are_all_accounted_for(topic, messages, text):
    books_balance(topic, messages, text)


@given(st.sampled_from(TOPICS), st.lists(json_values, max_size=5))
def test_arbitrary_json_never_raises_and_is_all_accounted_for(topic, values):
    books_balance(topic, [json.dumps(v).encode() for v in values])


@given(st.sampled_from(TOPICS), st.lists(st.dictionaries(wire_names, json_values, max_size=8), max_size=4))
def test_known_names_with_arbitrary_values_never_raise(topic, values):
    books_balance(topic, [json.dumps(v).encode() for v in values])


@given(st.sampled_from(CASES), st.data())
def test_mutated_valid_frames_never_raise_and_are_all_accounted_for(case, data):
    topic, raw, _ = case
    raw = bytearray(raw)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    books_balance(topic, [bytes(raw)])


@given(st.sampled_from(TOPICS), st.sampled_from([SERVER, PORTAL]), st.data())
def test_a_known_field_with_any_value_leaves_the_others_alone(topic, shape, data):
    message = json.loads(shape[topic][0])
    name = data.draw(st.sampled_from(sorted(message)))
    untouched = row(topic, json.dumps(message).encode())
    message[name] = data.draw(json_values)
    batch = decode(topic, json.dumps(message).encode())
    for record in batch.rows.get(topic, []):
        old, new = msgspec.to_builtins(untouched), msgspec.to_builtins(record)
        differing = {k for k in old if old[k] != new[k]}
        assert len(differing - {"extra", "value", "value_text", "value_unit", "connection_quality"}) <= (
            4 if name == "location" else 1
        )


@given(st.integers(-(10**38) + 1, 10**38 - 1))
def test_every_integer_of_38_digits_is_kept_to_the_last(value):
    record = row("transactions", {"txHash": "a", "value": str(value)})
    assert record.value == value and Decimal(record.value_text) == value
