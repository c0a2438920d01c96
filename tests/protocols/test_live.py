"""The live stream: every message, request, reply and defect that is known of it, its statistics, and wild input."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.columns import records_to_table
from aurigraph_nb.errors import BadOption
from aurigraph_nb.protocols import Batch, Frame, Ledger
from aurigraph_nb.protocols.live import CHANNELS, REPEATS_KNOWN, TYPES, LiveDecoder, LiveProtocol
from aurigraph_nb.protocols.live_tables import STATISTICS, TABLES

NOON_MS = 1_767_268_800_000
NOON = NOON_MS * 1_000_000
RECV = NOON + 5_000_000
URL = "ws://localhost:9003/api/v11/live/stream"
PROTOCOL = LiveProtocol()


def frame(message: object, *, text: bool = True, conn_epoch: int = 1) -> Frame:
    data = message if isinstance(message, bytes) else json.dumps(message).encode()
    return Frame(data, text, RECV, conn_epoch, "stream")


def decode(*messages: object, text: bool = True) -> Batch:
    return PROTOCOL.decoder(Ledger()).decode(frame(m, text=text) for m in messages)


def the_row(topic: str, message: object):
    batch = decode(message)
    assert not batch.undecoded and not batch.control and set(batch.rows) == {topic}, batch.undecoded
    (only,) = batch.rows[topic]
    return only


def the_control(message: object):
    batch = decode(message)
    assert not batch.undecoded and not batch.rows
    (only,) = batch.control
    return only


def own(record) -> dict[str, object]:
    """What a row says, without what is stamped here."""
    local = ("recv_ns", "conn_epoch", "n", "gap_before", "source", "timestamp")
    return {k: v for k, v in msgspec.to_builtins(record).items() if v is not None and k not in local}


MESSAGES = {
    "metrics": (
        "tps_update",
        {"currentTPS": 776_000.5, "peakTPS": 750_000, "averageTPS": 700_000, "latency": 42.5},
        {"tps": 776_000.5, "peak_tps": 750_000, "average_tps": 700_000, "latency_ms": 42.5},
    ),
    "blocks": (
        "block_update",
        {"blockHeight": 12345678, "blockTime": 1500, "transactions": 321, "producer": "validator-3"},
        {"height": 12345678, "block_time_ms": 1500, "transactions": 321, "producer": "validator-3"},
    ),
    "network_status": (
        "network_update",
        {"activeNodes": 48, "totalNodes": 50, "networkHealth": "healthy", "avgLatency": 23.5},
        {"active_nodes": 48, "total_nodes": 50, "health": "HEALTHY", "average_latency_ms": 23.5},
    ),
    "validator_summary": (
        "validator_update",
        {"totalValidators": 20, "activeValidators": 17, "inactiveValidators": 2, "jailedValidators": 1},
        {"total_validators": 20, "active_validators": 17, "inactive_validators": 2, "jailed_validators": 1},
    ),
}
CASES = [(topic, *case) for topic, case in MESSAGES.items()]


def message(topic: str, at_ms: int = NOON_MS, **more: object) -> dict[str, object]:
    kind, payload, _ = MESSAGES[topic]
    return {"type": kind, "payload": {**payload, **more}, "timestamp": at_ms}


@pytest.mark.parametrize("topic, kind, payload, expected", CASES)
def test_each_message_is_a_row_of_its_topic(topic, kind, payload, expected):
    record = the_row(topic, {"type": kind, "payload": payload, "timestamp": NOON_MS})
    assert own(record) == expected
    assert (record.timestamp, record.recv_ns, record.conn_epoch, record.n) == (NOON, RECV, 1, 0)
    assert record.source == "ws" and record.extra is None
    assert records_to_table(type(record), [record]).num_rows == 1


@pytest.mark.parametrize("topic, kind, payload, expected", CASES)
@pytest.mark.parametrize("wrapped", ["data", "flat", "list", "by channel", "by nested channel", "in upper case"])
def test_other_wrappings_say_the_same(topic, kind, payload, expected, wrapped):
    channel = CHANNELS[topic]
    shapes = {
        "data": {"type": kind, "data": payload},
        "flat": {"type": kind, **payload},
        "list": {"type": kind, "payload": [payload]},
        "by channel": {"type": "message", "channel": channel, "payload": payload},
        "by nested channel": {"payload": {"channel": channel, **payload}},
        "in upper case": {"type": kind.upper(), "payload": payload},
    }
    record = the_row(topic, {**shapes[wrapped], "timestamp": NOON_MS})
    assert own(record) == expected and record.timestamp == NOON


def test_the_payloads_own_time_goes_before_the_envelopes():
    assert the_row("blocks", message("blocks", timestamp=NOON_MS + 7)).timestamp == NOON + 7_000_000
    assert the_row("blocks", message("blocks", timestamp="2026-01-01T12:00:00.5Z")).timestamp == NOON + 500_000_000
    assert the_row("blocks", {**message("blocks"), "timestamp": None}).timestamp is None


def test_a_time_that_is_none_is_counted():
    decoder = LiveDecoder(Ledger())
    (row,) = decoder.decode([frame({**message("blocks"), "timestamp": "soon"})]).rows["blocks"]
    assert row.timestamp is None and decoder.wrong_type.of("blocks") == {"timestamp": 1}


ALIASES = [(topic, alias) for topic, table in TABLES.items() for alias in table.aliases]


@pytest.mark.parametrize("topic, alias", ALIASES, ids=lambda a: getattr(a, "wire", a))
def test_every_alias_reaches_its_column(topic, alias):
    value = {"health": "fine", "networkHealth": "fine", "timestamp": NOON_MS}.get(alias.wire, 5)
    payload = {alias.wire: value}
    if alias.column == "timestamp":
        payload.update(MESSAGES[topic][1])
    record = the_row(topic, {"type": MESSAGES[topic][0], "payload": payload})
    assert getattr(record, alias.column) is not None and record.extra is None


def test_the_documented_target_is_taken_if_it_comes():
    assert the_row("metrics", message("metrics", targetTPS=2_000_000)).target_tps == 2_000_000
    assert the_row("metrics", message("metrics")).target_tps is None


def test_a_throughput_above_the_peak_is_kept_as_it_came():
    row = the_row("metrics", message("metrics", currentTPS=9, peakTPS=5))
    assert (row.tps, row.peak_tps) == (9, 5)


def test_fields_that_nobody_named_go_to_extra_and_are_counted():
    decoder = LiveDecoder(Ledger())
    sent = {**message("blocks", mood=10**40), "messageId": "m"}
    (row,) = decoder.decode([frame(sent)]).rows["blocks"]
    assert json.loads(row.extra) == {"mood": 10**40, "messageId": "m"}
    assert decoder.unnamed.of("blocks") == {"mood": 1, "messageId": 1}


@pytest.mark.parametrize("bad", ["fast", True, [1], {"a": 1}])
def test_a_field_of_a_wrong_type_is_null_raw_in_extra_and_counted(bad):
    decoder = LiveDecoder(Ledger())
    (row,) = decoder.decode([frame(message("metrics", currentTPS=bad))]).rows["metrics"]
    assert row.tps is None and row.peak_tps == 750_000 and json.loads(row.extra) == {"currentTPS": bad}
    assert decoder.wrong_type.of("metrics") == {"currentTPS": 1}


# Notices


@pytest.mark.parametrize(
    "welcome",
    [
        {"type": "connection_established", "payload": {"connectionId": "c-1", "timestamp": NOON_MS}},
        {"type": "connection_established", "connectionId": "c-1"},
        {"type": "welcome", "data": {"connection_id": "c-1"}},
        {"type": "connected", "payload": {"clientId": "c-1"}},
    ],
)
def test_a_welcome_tells_the_id_of_the_connection(welcome):
    control = the_control({**welcome, "timestamp": NOON_MS})
    assert (control.kind, control.detail, control.endpoint) == ("welcome", "c-1", "stream")
    assert control.reply is None and control.topic is None


def test_a_welcome_without_an_id_tells_none():
    assert the_control({"type": "welcome", "message": "hello"}).detail == ""


@pytest.mark.parametrize("topic, channel", CHANNELS.items())
@pytest.mark.parametrize(
    "shape",
    [
        {"type": "subscription_confirmed", "payload": {"channel": None, "status": "subscribed"}, "timestamp": NOON_MS},
        {"type": "subscription_confirmed", "channel": None},
        {"type": "subscribed", "payload": {"channel": None}},
        {"type": "ack", "payload": {"channel": None, "success": True}},
        {"status": "subscribed", "channel": None},
        {"success": True, "channel": None, "timestamp": NOON_MS},
        {"payload": {"channel": None, "status": "subscribed"}},
        {"event": "subscribed", "channel": None},
    ],
)
def test_an_acknowledgement_tells_its_topic(topic, channel, shape):
    control = the_control(json.loads(json.dumps(shape).replace("null", json.dumps(channel))))
    assert (control.kind, control.topic, control.reply) == ("subscribed", topic, None)


@pytest.mark.parametrize(
    "answer, kind, topic",
    [
        ({"success": True, "message": "Subscribed"}, "subscribed", None),
        ({"success": True}, "ack", None),
        ({"type": "subscription_confirmed", "channel": "weather"}, "subscribed", "weather"),
        ({"type": "unsubscribed", "channel": "block_updates"}, "unsubscribed", "blocks"),
        ({"type": "unsubscription_confirmed", "payload": {"channel": "block_updates"}}, "unsubscribed", "blocks"),
        ({"status": "unsubscribed", "payload": {"channel": "block_updates"}}, "unsubscribed", "blocks"),
        (
            {"type": "subscription_confirmed", "payload": {"channel": "block_updates", "status": "unsubscribed"}},
            "unsubscribed",
            "blocks",
        ),
        ({"success": False, "channel": "block_updates", "message": "no"}, "error", "blocks"),
        ({"type": "subscribed", "channel": "block_updates", "status": "denied"}, "error", "blocks"),
        ({"type": "heartbeat"}, "heartbeat", None),
        ({"type": "info", "message": "maintenance at noon"}, "info", None),
        ({"type": "auth_required"}, "auth_required", None),
        ({"type": "authenticated"}, "auth_ok", None),
        ({"type": "auth_response", "success": True}, "auth_ok", None),
        ({"type": "auth_response", "success": False}, "auth_refused", None),
        ({"type": "auth_response", "payload": {"status": "failed"}}, "auth_refused", None),
        ({"type": "auth_error", "message": "expired"}, "auth_refused", None),
    ],
)
def test_what_other_answers_mean(answer, kind, topic):
    control = the_control(answer)
    assert (control.kind, control.topic) == (kind, topic)


@pytest.mark.parametrize(
    "error, detail",
    [
        ({"type": "error", "payload": {"error": "Channel not specified"}}, "Channel not specified"),
        ({"type": "error", "payload": {"error": "Invalid message format"}}, "Invalid message format"),
        ({"type": "error", "error": "busy", "message": "try later"}, "busy; try later"),
        ({"type": "error", "message": "no such thing"}, "no such thing"),
        ({"error": "Channel not specified"}, "Channel not specified"),
        ({"type": "error", "payload": None}, '{"type":"error","payload":null}'),
        ({"type": "error", "error": "rate_limit_exceeded", "retry_after": 60}, "rate_limit_exceeded; retry after 60 s"),
    ],
)
def test_an_error_says_what_it_is_about(error, detail):
    control = the_control(error)
    assert (control.kind, control.detail) == ("error", detail)


def test_the_text_of_a_notice_is_cut():
    assert len(the_control({"type": "error", "error": "x" * 10_000, "retry_after": 1.5}).detail) == 200


def test_a_ping_is_answered_and_a_pong_is_not():
    ping = the_control({"type": "ping"})
    assert ping.kind == "ping" and json.loads(ping.reply) == {"type": "pong", "timestamp": RECV // 1_000_000}
    pong = the_control({"type": "pong", "timestamp": NOON_MS})
    assert (pong.kind, pong.reply) == ("pong", None)


# Requests


@pytest.mark.parametrize("topic", [t for t in CHANNELS if t != "metrics"])
def test_a_topic_is_asked_for_by_its_channel_at_the_top(topic):
    for ask, kind in ((PROTOCOL.subscribe, "subscribe"), (PROTOCOL.unsubscribe, "unsubscribe")):
        (sent,) = ask(topic, NOON)
        assert json.loads(sent) == {"type": kind, "channel": CHANNELS[topic], "timestamp": NOON_MS}
    assert PROTOCOL.acknowledges(topic)


def test_the_throughput_comes_unasked():
    assert PROTOCOL.subscribe("metrics", NOON) == PROTOCOL.unsubscribe("metrics", NOON) == []
    assert not PROTOCOL.acknowledges("metrics")


def test_the_heartbeat_is_a_ping_that_is_answered():
    assert json.loads(PROTOCOL.heartbeat(NOON)) == {"type": "ping", "timestamp": NOON_MS}
    assert PROTOCOL.heartbeat_answered


def test_a_message_of_the_users_has_a_payload_and_a_time():
    sent = json.loads(PROTOCOL.message("hello", {"a": 10**30}, NOON))
    assert sent == {"type": "hello", "payload": {"a": 10**30}, "timestamp": NOON_MS}
    assert json.loads(PROTOCOL.message("hello", None, NOON))["payload"] == {}


def test_a_channel_in_a_message_stands_where_every_server_looks():
    sent = json.loads(PROTOCOL.message("subscribe", {"channel": "block_updates"}, NOON))
    assert sent["channel"] == sent["payload"]["channel"] == "block_updates"


def test_what_is_no_json_is_told():
    with pytest.raises(BadOption, match="cannot be written as JSON"):
        PROTOCOL.message("hello", object(), NOON)


def test_nothing_greets_the_server_unless_the_token_travels_in_a_message():
    assert PROTOCOL.token_by == "header" and PROTOCOL.greeting(None, NOON) == []
    (sent,) = PROTOCOL.greeting("t", NOON)
    assert json.loads(sent) == {"type": "auth", "token": "t"}


def test_all_topics_share_one_connection():
    (endpoint,) = PROTOCOL.endpoints(URL).values()
    assert endpoint.url == URL and endpoint.topics == tuple(CHANNELS) == tuple(PROTOCOL.topics)
    assert PROTOCOL.periods_s == {"metrics": 1, "blocks": 2, "network_status": 3, "validator_summary": 5}
    assert PROTOCOL.reconnects_when_idle and PROTOCOL.other_topics is None
    assert set(TYPES.values()) == set(CHANNELS)


@pytest.mark.parametrize(
    "url, statistics",
    [
        (URL, "http://localhost:9003/api/v11/blockchain/stats"),
        ("wss://h/api/v11/live/stream?token=secret#x", "https://h/api/v11/blockchain/stats"),
        ("ws://h:1/behind/api/v11/live/stream/", "http://h:1/behind/api/v11/blockchain/stats"),
        ("ws://h/own/path", "http://h/api/v11/blockchain/stats"),
        ("ws://[::1]:9003/api/v11/live/stream", "http://[::1]:9003/api/v11/blockchain/stats"),
    ],
)
def test_the_statistics_are_on_the_same_server(url, statistics):
    assert PROTOCOL.statistics_url(url) == statistics


# Repeats


def test_an_exact_repeat_is_left_out_and_counted():
    batch = decode(*[message("blocks")] * 3, message("blocks", NOON_MS + 1))
    assert [(r.timestamp, r.n) for r in batch.rows["blocks"]] == [(NOON, 0), (NOON + 1_000_000, 1)]
    assert batch.suppressed == {"blocks": 2} and not batch.undecoded


def test_a_repeat_is_known_some_frames_later_and_among_other_topics():
    newer = [message("blocks", NOON_MS + i) for i in range(1, REPEATS_KNOWN)]
    batch = decode(message("blocks"), message("metrics"), *newer, message("blocks"))
    assert batch.suppressed == {"blocks": 1} and len(batch.rows["blocks"]) == REPEATS_KNOWN


def test_only_so_many_frames_are_remembered():
    newer = [message("blocks", NOON_MS + i) for i in range(1, REPEATS_KNOWN + 1)]
    assert not decode(message("blocks"), *newer, message("blocks")).suppressed


def test_a_new_connection_starts_afresh():
    decoder = LiveDecoder(Ledger())
    batch = decoder.decode([frame(message("blocks"), conn_epoch=epoch) for epoch in (1, 2, 2)])
    assert len(batch.rows["blocks"]) == 2 and batch.suppressed == {"blocks": 1}


def test_repeats_are_known_from_one_batch_to_the_next():
    decoder = LiveDecoder(Ledger())
    decoder.decode([frame(message("blocks"))])
    assert decoder.decode([frame(message("blocks"))]).suppressed == {"blocks": 1}


def test_frames_without_a_time_may_be_alike_and_are_no_repeats():
    untimed = {"type": "network_update", "payload": MESSAGES["network_status"][1]}
    assert len(decode(untimed, untimed).rows["network_status"]) == 2


def test_the_same_values_at_another_time_are_no_repeat():
    assert len(decode(message("metrics"), message("metrics", NOON_MS + 1)).rows["metrics"]) == 2


def test_notices_are_never_repeats():
    assert len(decode(*[{"type": "pong", "timestamp": NOON_MS}] * 2).control) == 2


def test_a_repeat_leaves_the_mark_of_a_gap_for_the_next_row():
    ledger = Ledger()
    decoder = LiveDecoder(ledger)
    decoder.decode([frame(message("blocks"))])
    ledger.mark_gap(["blocks"])
    batch = decoder.decode([frame(message("blocks")), frame(message("blocks", NOON_MS + 1))])
    assert [r.gap_before for r in batch.rows["blocks"]] == [True]


# Defects of servers


def test_what_comes_after_an_unsubscribe_is_still_a_row():
    """An unsubscribe has no effect on real servers; the feed leaves out what nobody wants."""
    batch = decode(
        message("blocks"), {"type": "unsubscribed", "channel": "block_updates"}, message("blocks", NOON_MS + 1)
    )
    assert len(batch.rows["blocks"]) == 2


@pytest.mark.parametrize(
    "sent, reason",
    [
        (b"rubbish", "not JSON"),
        (b"", "not JSON"),
        (b'{"type":"tps_update"', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"null", "null"),
        (b"5", "no object"),
        (b"[]", "no object"),
        (b"[" * 200_000, "nested too deeply"),
    ],
)
def test_what_is_no_message_may_have_been_of_any_topic(sent, reason):
    ledger = Ledger()
    decoder = LiveDecoder(ledger)
    (failed,) = decoder.decode([frame(sent)]).undecoded
    assert reason in failed.reason and (failed.topic, failed.n, failed.size) == (None, 0, len(sent))
    rows = decoder.decode(frame(message(topic)) for topic in CHANNELS).rows
    assert all(row.gap_before and row.n == 0 for (row,) in rows.values())


@pytest.mark.parametrize(
    "sent, reason",
    [
        ({"type": "weather_update", "payload": {"sun": 1}}, "type 'weather_update'; known are tps_update"),
        ({"payload": {"sun": 1}}, "no type"),
        ({"type": 5, "payload": {}}, "no type"),
        ({}, "no type"),
    ],
)
def test_a_message_of_another_kind_is_told_and_no_topic_misses_it(sent, reason):
    batch = decode(sent, message("blocks"))
    (failed,) = batch.undecoded
    assert failed.reason.startswith(reason) and failed.topic is None
    assert not batch.rows["blocks"][0].gap_before


@pytest.mark.parametrize(
    "payload, reason",
    [
        ({"sun": 1}, "none of the fields that make a row of blocks; fields were sun"),
        ({}, "fields were none"),
        ({"timestamp": 1}, "fields were timestamp"),
        ([], "no object"),
        ([1], "no object"),
        ("text", "no object"),
        (5, "no object"),
    ],
)
def test_a_message_without_its_fields_counts_in_its_topic(payload, reason):
    batch = decode(message("blocks"), {"type": "block_update", "payload": payload}, message("blocks", NOON_MS + 1))
    (failed,) = batch.undecoded
    assert reason in failed.reason and (failed.topic, failed.n) == ("blocks", 1)
    assert [(r.n, r.gap_before) for r in batch.rows["blocks"]] == [(0, False), (2, True)]


def test_a_binary_frame_is_not_taken_for_text():
    (failed,) = decode(message("blocks"), text=False).undecoded
    assert "binary" in failed.reason and not failed.text


def test_the_rows_of_one_frame_share_its_ordinal():
    _, payload, _ = MESSAGES["blocks"]
    batch = decode({"type": "block_update", "payload": [payload, payload], "timestamp": 1}, message("blocks"))
    assert [r.n for r in batch.rows["blocks"]] == [0, 0, 1]


# Statistics

NESTED = {
    "currentHeight": 12345678,
    "averageBlockTime": 1.5,
    "totalTransactions": 10**12,
    "timestamp": NOON_MS,
    "transactionStats": {"currentTPS": 776_000, "peakTPS": 800_000, "averageTPS": 700_000, "pending": 12},
    "performance": {"averageLatency": 42.5, "p50Latency": 40, "p95Latency": 60, "p99Latency": 80},
    "validatorStats": {"total": 127, "active": 121, "standby": 6, "stakingRatio": 68.5},
    "networkHealth": {"status": "EXCELLENT", "peers": 130, "activePeers": 127, "consensusHealth": "OPTIMAL"},
}


def statistics(answer: object) -> Batch:
    data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return LiveDecoder(Ledger()).statistics(data, RECV)


def test_the_nested_statistics_give_a_row_of_each_topic():
    batch = statistics(NESTED)
    rows = {topic: row for topic, (row,) in batch.rows.items()}
    said = {topic: {k: v for k, v in own(row).items() if k != "extra"} for topic, row in rows.items()}
    assert said == {
        "metrics": {"tps": 776_000, "peak_tps": 800_000, "average_tps": 700_000, "latency_ms": 42.5},
        "blocks": {"height": 12345678, "block_time_ms": 1500},
        "network_status": {"active_nodes": 127, "total_nodes": 130, "health": "EXCELLENT"},
        "validator_summary": {"total_validators": 127, "active_validators": 121, "inactive_validators": 6},
    }
    for row in rows.values():
        assert (row.source, row.timestamp, row.recv_ns, row.conn_epoch, row.n) == ("rest", NOON, RECV, 0, 0)
    assert not batch.undecoded and not batch.control


def test_what_else_the_statistics_say_stands_in_extra():
    rows = statistics(NESTED).rows
    assert json.loads(rows["metrics"][0].extra) == {
        "totalTransactions": 10**12,
        "transactionStats.pending": 12,
        "performance.p50Latency": 40,
        "performance.p95Latency": 60,
        "performance.p99Latency": 80,
    }
    assert json.loads(rows["network_status"][0].extra) == {"networkHealth.consensusHealth": "OPTIMAL"}
    assert json.loads(rows["validator_summary"][0].extra) == {"validatorStats.stakingRatio": 68.5}


@pytest.mark.parametrize(
    "field, column",
    [
        ("currentTPS", "tps"),
        ("tps", "tps"),
        ("peakTPS", "peak_tps"),
        ("peak", "peak_tps"),
        ("averageTPS", "average_tps"),
        ("average", "average_tps"),
        ("targetTPS", "target_tps"),
        ("target", "target_tps"),
        ("latency", "latency_ms"),
    ],
)
def test_flat_statistics_are_read_too(field, column):
    (row,) = statistics({field: 5.5}).rows["metrics"]
    assert getattr(row, column) == 5.5 and row.source == "rest" and row.extra is None


def test_a_throughput_of_unproven_unit_stands_in_extra():
    (row,) = statistics({"tps": 1, "throughput": 5}).rows["metrics"]
    assert json.loads(row.extra) == {"throughput": 5}


STATISTICS_ALIASES = [(topic, alias) for topic, table in STATISTICS.items() for alias in table.aliases]


@pytest.mark.parametrize("topic, alias", STATISTICS_ALIASES, ids=lambda a: getattr(a, "wire", a))
def test_every_field_of_the_statistics_reaches_its_column(topic, alias):
    group, _, inner = alias.wire.partition(".")
    value = "fine" if alias.column == "health" else 5
    answer = {group: {inner: value}} if inner else {group: value}
    if alias.column == "timestamp":
        answer = {"timestamp": NOON_MS, "tps": 1, "currentHeight": 1, "totalNodes": 1, "totalValidators": 1}
    (row,) = statistics(answer).rows[topic]
    assert getattr(row, alias.column) is not None and row.extra is None


def test_jailed_and_inactive_validators_are_told_apart():
    (row,) = statistics({"validatorStats": {"total": 9, "inactive": 2, "standby": 3, "jailed": 1}}).rows[
        "validator_summary"
    ]
    assert (row.inactive_validators, row.jailed_validators) == (2, 1)
    assert json.loads(row.extra) == {"validatorStats.standby": 3}


@pytest.mark.parametrize("answer", [b"", b"<html>", b"null", b"[]", b"5", {}, {"sun": 1}, {"performance": 5}])
def test_statistics_that_say_nothing_are_told(answer):
    batch = statistics(answer)
    assert not batch.rows and len(batch.undecoded) == 1 and batch.undecoded[0].topic is None


def test_rows_of_both_sources_share_the_ordinals_of_their_topic():
    decoder = LiveDecoder(Ledger())
    decoder.decode([frame(message("metrics"))])
    (row,) = decoder.statistics(json.dumps(NESTED).encode(), RECV).rows["metrics"]
    assert row.n == 1


# Wild input

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
kinds = st.sampled_from([*TYPES, "ping", "error", "subscription_confirmed", "connection_established", "message", "x"])
wire_names = st.sampled_from(
    sorted({a.wire for t in TABLES.values() for a in t.aliases} | {"payload", "data", "channel", "status", "error"})
)
payloads = st.dictionaries(wire_names, json_values, max_size=6)
envelopes = st.fixed_dictionaries(
    {}, optional={"type": kinds | json_values, "payload": payloads | json_values, "timestamp": json_values}
)


def books_balance(messages: list[bytes], text: bool = True) -> None:
    batch = decode(*messages, text=text)
    frames = {(topic, row.n) for topic, rows in batch.rows.items() for row in rows}
    assert len(frames) + len(batch.undecoded) + len(batch.control) + batch.suppressed.total() == len(messages)
    for topic, rows in batch.rows.items():
        assert records_to_table(TABLES[topic].record, rows).num_rows == len(rows)


@given(st.lists(st.binary(max_size=200), max_size=5), st.booleans())
def test_arbitrary_bytes_never_raise_and_are_all_accounted_for(messages, text):
    books_balance(messages, text)
    for data in messages:
        statistics(data)


@given(st.lists(json_values, max_size=5))
def test_arbitrary_json_never_raises_and_is_all_accounted_for(values):
    books_balance([json.dumps(v).encode() for v in values])


@given(st.lists(envelopes, max_size=6), st.lists(st.integers(0, 5), max_size=6))
def test_envelopes_of_anything_sent_in_any_order_are_all_accounted_for(values, order):
    sent = [json.dumps(v).encode() for v in values]
    books_balance(sent + [sent[i] for i in order if i < len(sent)])


@given(st.sampled_from(sorted(MESSAGES)), st.data())
def test_mutated_valid_frames_never_raise_and_are_all_accounted_for(topic, data):
    raw = bytearray(json.dumps(message(topic)).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    books_balance([bytes(raw)] * 2)


@given(st.dictionaries(st.sampled_from(sorted(NESTED)), json_values | payloads))
def test_arbitrary_statistics_never_raise(answer):
    batch = statistics(answer)
    assert bool(batch.rows) != bool(batch.undecoded)
    for topic, rows in batch.rows.items():
        assert records_to_table(TABLES[topic].record, rows).num_rows == 1


# What is known of this system, and the test that holds it

COVERED = {
    "one multiplexed socket, {type, payload, timestamp(ms)} from the server": test_each_message_is_a_row_of_its_topic,
    "{type, payload, timestamp(ms)} to the server": test_a_message_of_the_users_has_a_payload_and_a_time,
    "connection_established with payload.connectionId": test_a_welcome_tells_the_id_of_the_connection,
    "connection_id kept": test_a_welcome_tells_the_id_of_the_connection,
    "tps_update starts without a subscribe": test_the_throughput_comes_unasked,
    "tps_updates, tps_update: currentTPS, peakTPS, averageTPS, latency": test_each_message_is_a_row_of_its_topic,
    "target documented but not sent": test_the_documented_target_is_taken_if_it_comes,
    "block_updates, block_update: blockHeight, blockTime, transactions, producer": (
        test_each_message_is_a_row_of_its_topic
    ),
    "network_status, network_update: activeNodes, totalNodes, networkHealth (lower case), avgLatency": (
        test_each_message_is_a_row_of_its_topic
    ),
    "validator_metrics, validator_update: total, active, inactive, jailedValidators": (
        test_each_message_is_a_row_of_its_topic
    ),
    "every 1, 2, 3 and 5 s": test_all_topics_share_one_connection,
    "subscribe with the channel at the top": test_a_topic_is_asked_for_by_its_channel_at_the_top,
    "subscribe with the channel in the payload": test_a_channel_in_a_message_stands_where_every_server_looks,
    "unsubscribe": test_a_topic_is_asked_for_by_its_channel_at_the_top,
    "subscription_confirmed with channel and status": test_an_acknowledgement_tells_its_topic,
    "acknowledgements without a type": test_an_acknowledgement_tells_its_topic,
    "acknowledgements of the end": test_what_other_answers_mean,
    "error: Channel not specified": test_an_error_says_what_it_is_about,
    "error: Invalid message format": test_an_error_says_what_it_is_about,
    "ping is answered with pong, both ways": test_a_ping_is_answered_and_a_pong_is_not,
    "ping of ours": test_the_heartbeat_is_a_ping_that_is_answered,
    "unknown types": test_a_message_of_another_kind_is_told_and_no_topic_misses_it,
    "unsubscribe without effect": test_what_comes_after_an_unsubscribe_is_still_a_row,
    "subscribing twice doubles the frames": test_an_exact_repeat_is_left_out_and_counted,
    "a channel that dies silently": test_all_topics_share_one_connection,
    "currentTPS above peakTPS": test_a_throughput_above_the_peak_is_kept_as_it_came,
    "rows of statistics are marked rest": test_the_nested_statistics_give_a_row_of_each_topic,
    "GET /api/v11/blockchain/stats": test_the_statistics_are_on_the_same_server,
    "transactionStats, performance, validatorStats, networkHealth, currentHeight, averageBlockTime (s)": (
        test_the_nested_statistics_give_a_row_of_each_topic
    ),
    "flat currentTPS|tps, peakTPS|peak, averageTPS|average, targetTPS|target, latency": (
        test_flat_statistics_are_read_too
    ),
    "flat throughput": test_a_throughput_of_unproven_unit_stands_in_extra,
    "every alias": test_every_alias_reaches_its_column,
    "bad JSON, invalid UTF-8, binary": test_what_is_no_message_may_have_been_of_any_topic,
}


@pytest.mark.parametrize("known", COVERED)
def test_everything_known_of_this_system_is_held_by_a_test(known):
    name = COVERED[known].__name__
    assert name.startswith("test_") and COVERED[known] is globals()[name]
