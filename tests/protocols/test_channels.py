"""The channel provider: its channels, its relatives' ways of writing them, exact payloads, and wild input."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.columns import records_to_table
from aurigraph_nb.errors import BadOption
from aurigraph_nb.protocols import Batch, Frame, Ledger
from aurigraph_nb.protocols.base import NAMES_KEPT
from aurigraph_nb.protocols.channels import CHANNELS, NAME_CHARS, TABLES, ChannelsDecoder, ChannelsProtocol, iso_ms
from aurigraph_nb.schema import Bandwidth, Message, UserSession

NOON = 1_767_268_800_000_000_000
NOON_ISO = "2026-01-01T12:00:00.000Z"
RECV = NOON + 5_000_000
PROTOCOL = ChannelsProtocol()
FREE = ["subscribers", "tickets", "invoices", "network_status"]


def frame(message: object, *, text: bool = True) -> Frame:
    data = message if isinstance(message, bytes) else json.dumps(message).encode()
    return Frame(data, text, RECV, 1, "stream")


def decode(*messages: object, text: bool = True) -> Batch:
    return PROTOCOL.decoder(Ledger()).decode(frame(m, text=text) for m in messages)


def the_row(topic: str, message: object):
    batch = decode(message)
    assert not batch.undecoded and not batch.control and set(batch.rows) == {topic, "*"}, batch
    (only,) = batch.rows[topic]
    return only


def the_control(message: object):
    batch = decode(message)
    assert not batch.undecoded and not batch.rows
    (only,) = batch.control
    return only


def own(record) -> dict[str, object]:
    local = ("recv_ns", "conn_epoch", "n", "gap_before")
    return {k: v for k, v in msgspec.to_builtins(record).items() if v is not None and k not in local}


LINE = {"timestamp": NOON_ISO, "upload_mbps": 93.5, "download_mbps": 412, "latency_ms": 11}
SESSION = {
    "session_id": "s-1",
    "username": "ada",
    "ip_address": "10.0.0.7",
    "nas_ip_address": "10.0.0.1",
    "upload_bytes": 2**60,
    "download_bytes": 5,
    "session_time_seconds": 3600,
    "last_update": NOON_ISO,
}
SESSION_ROW = {
    "timestamp": NOON,
    "action": "update",
    "session_id": "s-1",
    "username": "ada",
    "ip_address": "10.0.0.7",
    "nas_ip_address": "10.0.0.1",
    "upload_bytes": 2**60,
    "download_bytes": 5,
    "session_time_s": 3600,
    "last_update": NOON,
}


def enveloped(channel: str, data: object, **more: object) -> dict[str, object]:
    return {"type": channel, "data": data, "timestamp": NOON_ISO, **more}


def test_the_bandwidth_has_columns():
    record = the_row("bandwidth", enveloped("bandwidth_update", LINE))
    assert type(record) is Bandwidth
    assert own(record) == {"timestamp": NOON, "upload_mbps": 93.5, "download_mbps": 412, "latency_ms": 11}
    assert (record.recv_ns, record.conn_epoch, record.n, record.gap_before) == (RECV, 1, 0, False)
    assert PROTOCOL.periods_s == {"bandwidth": 2}


@pytest.mark.parametrize("action", ["new", "update", "terminate", " NEW "])
def test_a_session_is_nested_in_its_message(action):
    record = the_row("sessions", enveloped("session_update", {"action": action, "session": SESSION}))
    assert type(record) is UserSession
    assert own(record) == {**SESSION_ROW, "action": action.strip().lower()}
    assert PROTOCOL.keys == {"sessions": "session_id"}


def test_a_session_may_be_flat_too():
    assert own(the_row("sessions", enveloped("session_update", {"action": "update", **SESSION}))) == SESSION_ROW


def test_several_sessions_of_one_message_share_its_ordinal():
    two = [{"action": "new", "session": {**SESSION, "session_id": name}} for name in "ab"]
    batch = decode(enveloped("session_update", two), enveloped("session_update", two[:1]))
    assert [(r.session_id, r.n) for r in batch.rows["sessions"]] == [("a", 0), ("b", 0), ("a", 1)]
    assert [r.n for r in batch.rows["*"]] == [0, 1]


ALIASES = [(topic, alias) for topic, table in TABLES.items() for alias in table.aliases]


@pytest.mark.parametrize("topic, alias", ALIASES, ids=lambda a: getattr(a, "wire", a))
def test_every_alias_reaches_its_column(topic, alias):
    value = {"action": "new", "timestamp": NOON_ISO}.get(alias.wire, NOON_ISO if alias.column == "last_update" else 5)
    group, _, inner = alias.wire.partition(".")
    data: dict[str, object] = {group: {inner: value}} if inner else {group: value}
    if topic == "sessions" and alias.column != "session_id":
        data.setdefault("session_id", "s")
    elif alias.column == "timestamp":
        data["upload_mbps"] = 1
    record = the_row(topic, {"type": CHANNELS[topic], "data": data})
    assert getattr(record, alias.column) is not None and record.extra is None


@pytest.mark.parametrize("topic", FREE)
@pytest.mark.parametrize("data", [{"id": 1, "tags": ["a"]}, [1, 2], "text", 5, None, {}, True])
def test_a_free_payload_is_kept_as_json(topic, data):
    record = the_row(topic, enveloped(CHANNELS[topic], data))
    assert type(record) is Message and json.loads(record.payload) == data
    assert (record.channel, record.timestamp, record.extra) == (CHANNELS[topic], NOON, None)
    assert records_to_table(Message, [record]).num_rows == 1


def test_any_other_channel_works_the_same_way():
    record = the_row("outage_notice", enveloped("outage_notice", {"area": "Bern"}))
    assert (record.channel, record.payload) == ("outage_notice", '{"area": "Bern"}')
    assert PROTOCOL.other_topics is Message


@pytest.mark.parametrize(
    "payload",
    [
        b'{"amount":123456789012345678901234567890,"rate":0.10000000000000000000000000001}',
        b'{"a":1.50,"b":1e3,"c":-0,"d":"\\u00e9\\/"}',
        b'{ "spaced" : [ 1 ,2 ] }',
        b'{"n":' + b"9" * 200 + b"}",
        '{"city":"Zürich"}'.encode(),
    ],
)
def test_a_free_payload_is_the_very_text_that_came(payload):
    sent = b'{"type":"invoice_update","data": ' + payload + b' ,"timestamp":"2026-01-01T12:00:00Z"}'
    batch = decode(sent)
    assert batch.rows["invoices"][0].payload.encode() == payload
    assert batch.rows["*"][0].payload.encode() == sent


def test_every_message_is_whole_in_the_topic_of_all():
    messages = [enveloped("bandwidth_update", LINE), enveloped("ticket_update", {"id": 1}), enveloped("x", 5)]
    rows = decode(*messages).rows["*"]
    assert [json.loads(r.payload) for r in rows] == messages
    assert [(r.channel, r.n, r.timestamp) for r in rows] == [
        ("bandwidth_update", 0, NOON),
        ("ticket_update", 1, NOON),
        ("x", 2, NOON),
    ]


def test_a_channel_named_like_the_topic_of_all_is_in_it_once():
    batch = decode(enveloped("*", {"a": 1}))
    assert set(batch.rows) == {"*"} and len(batch.rows["*"]) == 1


def test_a_channel_named_like_a_topic_is_that_topic():
    assert the_row("bandwidth", enveloped("bandwidth", LINE)).upload_mbps == 93.5
    assert the_row("tickets", enveloped("tickets", {"id": 1})).payload == '{"id": 1}'


def test_the_time_of_a_row_is_the_datas_own_where_columns_are_known():
    later = "2026-01-01T12:00:01.5Z"
    assert the_row("bandwidth", enveloped("bandwidth_update", {**LINE, "timestamp": later})).timestamp > NOON
    assert the_row("bandwidth", enveloped("bandwidth_update", {"upload_mbps": 1})).timestamp == NOON
    assert the_row("tickets", enveloped("ticket_update", {"timestamp": later})).timestamp == NOON
    assert the_row("tickets", {"type": "ticket_update", "data": {"timestamp": NOON_ISO}}).timestamp == NOON
    assert the_row("tickets", {"type": "ticket_update", "data": 5}).timestamp is None


def test_a_time_that_is_none_is_counted():
    decoder = ChannelsDecoder(Ledger())
    batch = decoder.decode([frame({"type": "ticket_update", "data": {}, "timestamp": "soon"})])
    assert batch.rows["tickets"][0].timestamp is None and decoder.wrong_type.of("tickets") == {"timestamp": 1}


@pytest.mark.parametrize("bad", ["fast", True, [1]])
def test_a_field_of_a_wrong_type_is_null_raw_in_extra_and_counted(bad):
    decoder = ChannelsDecoder(Ledger())
    batch = decoder.decode([frame(enveloped("bandwidth_update", {**LINE, "upload_mbps": bad}))])
    (row,) = batch.rows["bandwidth"]
    assert row.upload_mbps is None and json.loads(row.extra) == {"upload_mbps": bad}
    assert decoder.wrong_type.of("bandwidth") == {"upload_mbps": 1}


def test_fields_that_nobody_named_go_to_extra_and_are_counted():
    decoder = ChannelsDecoder(Ledger())
    batch = decoder.decode(
        [
            frame(enveloped("session_update", {"action": "new", "session": {**SESSION, "speed": 9}, "why": "x"})),
            frame(enveloped("ticket_update", {"id": 1}, tenant_id="t", big=10**30)),
        ]
    )
    assert json.loads(batch.rows["sessions"][0].extra) == {"session.speed": 9, "why": "x"}
    assert json.loads(batch.rows["tickets"][0].extra) == {"tenant_id": "t", "big": 10**30}
    assert decoder.unnamed.of("sessions") == {"session.speed": 1, "why": 1}
    assert decoder.unnamed.of("tickets") == {"tenant_id": 1, "big": 1}


def test_an_action_that_is_no_word_stands_in_extra():
    record = the_row("sessions", enveloped("session_update", {"action": 5, "session": SESSION}))
    assert record.action is None and json.loads(record.extra) == {"action": 5}


# Relatives


@pytest.mark.parametrize(
    "message",
    [
        {"event": "session_update", "data": {"action": "update", "session": SESSION}, "timestamp": NOON_ISO},
        {"event_type": "session_update", "action": "update", **SESSION, "timestamp": NOON_ISO},
        {"event_type": "session_update", "action": "update", "session": SESSION, "timestamp": NOON_ISO},
        {"type": "session_update", "payload": {"action": "update", "session": SESSION}, "timestamp": NOON_ISO},
        {"type": "message", "event": "session_update", "data": {"action": "update", **SESSION}, "timestamp": NOON_ISO},
        {
            "type": "message",
            "channel": "session_update",
            "data": {"action": "update", **SESSION},
            "timestamp": NOON_ISO,
        },
    ],
)
def test_the_channel_may_be_told_by_other_fields(message):
    assert own(the_row("sessions", message)) == SESSION_ROW


def test_a_flat_free_message_keeps_all_its_fields_as_payload():
    sent = b'{"event_type":"ticket_update","id":12345678901234567890123,"rate":1.50,"timestamp":"2026-01-01T12:00:00Z"}'
    record = the_row("tickets", sent)
    assert record.payload == '{"id":12345678901234567890123,"rate":1.50}'
    assert (record.timestamp, record.channel, record.extra) == (NOON, "ticket_update", None)


def test_a_general_type_gives_way_to_the_relatives_fields_only_if_there_are_some():
    assert the_row("message", enveloped("message", {"text": "hi"})).channel == "message"
    record = the_row("ticket_update_2", {"type": "event", "event": "ticket_update_2", "data": 1})
    assert record.extra is None
    assert the_row("tickets", enveloped("ticket_update", 1, event="opened")).extra == '{"event":"opened"}'


@pytest.mark.parametrize(
    "error",
    [
        {"type": "error", "error": "rate_limit_exceeded", "retry_after": 60},
        {"type": "error", "data": {"error": "rate_limit_exceeded", "retry_after": 60.0}},
        {"event": "error", "error": "rate_limit_exceeded", "retry_after": 60},
        {"error": "rate_limit_exceeded", "retry_after": 60},
    ],
)
def test_a_rate_limit_is_told_with_its_time(error):
    control = the_control(error)
    assert (control.kind, control.detail) == ("error", "rate_limit_exceeded; retry after 60 s")


@pytest.mark.parametrize("after", [None, True, "60", -1, 10**400, 1e300])
def test_a_strange_time_to_wait_is_not_told(after):
    assert the_control({"type": "error", "error": "limit", "retry_after": after}).detail == "limit"


@pytest.mark.parametrize(
    "message, kind",
    [
        ({"type": "ping"}, "ping"),
        ({"event": "ping"}, "ping"),
        ({"type": "heartbeat", "event": "ping"}, "ping"),
        ({"type": "pong", "timestamp": NOON_ISO}, "pong"),
        ({"type": "heartbeat", "event": "pong"}, "pong"),
        ({"type": "heartbeat"}, "heartbeat"),
        ({"type": "connected", "data": {"client_id": "c-1"}}, "welcome"),
        ({"type": "auth_success"}, "auth_ok"),
        ({"type": "auth_required"}, "auth_required"),
        ({"type": "auth_error", "message": "expired"}, "auth_refused"),
        ({"type": "subscribed", "channel": "ticket_update"}, "subscribed"),
        ({"success": True}, "ack"),
    ],
)
def test_words_of_relatives_are_neither_rows_nor_errors(message, kind):
    control = the_control(message)
    assert (control.kind, control.endpoint) == (kind, "stream")
    reply = {"type": "pong", "data": {}, "timestamp": iso_ms(RECV)} if kind == "ping" else None
    assert (json.loads(control.reply) if control.reply else None) == reply


# Requests


def test_the_token_is_the_first_frame_and_nothing_else_is_sent():
    assert PROTOCOL.token_by == "message" and PROTOCOL.greeting(None, NOON) == []
    (first,) = PROTOCOL.greeting("a.b.c", NOON)
    assert json.loads(first) == {"type": "auth", "token": "a.b.c"}
    for topic in PROTOCOL.topics:
        assert PROTOCOL.subscribe(topic, NOON) == PROTOCOL.unsubscribe(topic, NOON) == []
        assert not PROTOCOL.acknowledges(topic)
    assert PROTOCOL.heartbeat(NOON) is None and not PROTOCOL.heartbeat_answered


def test_a_message_of_the_users_has_data_and_a_time_of_three_digits():
    sent = json.loads(PROTOCOL.message("restart", {"node": 1}, NOON + 123_456_789))
    assert sent == {"type": "restart", "data": {"node": 1}, "timestamp": "2026-01-01T12:00:00.123Z"}
    assert json.loads(PROTOCOL.message("restart", None, NOON)) == enveloped("restart", {})
    assert iso_ms(0) == "1970-01-01T00:00:00.000Z"
    with pytest.raises(BadOption, match="cannot be written as JSON"):
        PROTOCOL.message("restart", {1, 2, object()}, NOON)


def test_all_topics_share_one_connection():
    (endpoint,) = PROTOCOL.endpoints("ws://localhost:8000/ws").values()
    assert (endpoint.url, endpoint.topics) == ("ws://localhost:8000/ws", tuple(PROTOCOL.topics))
    assert set(PROTOCOL.topics) == {*CHANNELS, "*"} and PROTOCOL.topics["*"] is Message
    assert PROTOCOL.statistics_url("ws://localhost:8000/ws") is None and not PROTOCOL.reconnects_when_idle
    assert PROTOCOL.subprotocols == ("isp-protocol-v1",)


def test_there_are_no_statistics():
    batch = ChannelsDecoder(Ledger()).statistics(b"{}", RECV)
    assert not batch.rows and not batch.undecoded


# What is not understood


@pytest.mark.parametrize(
    "sent, reason",
    [
        (b"rubbish", "not JSON"),
        (b"PING", "not JSON"),
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b'{"type":"x","data":"\xed\xa0\x80"}', "UTF-8"),
        (b"null", "null"),
        (b"[]", "no object"),
        (b"{}", "no channel"),
        (b'{"type":5,"data":{}}', "no channel"),
        (b'{"type":"","data":{}}', "no channel"),
        (b'{"data":{"a":1}}', "no channel"),
    ],
)
def test_what_is_no_message_may_have_been_of_any_topic(sent, reason):
    decoder = ChannelsDecoder(Ledger())
    decoder.decode([frame(enveloped("other", 1))])
    (failed,) = decoder.decode([frame(sent)]).undecoded
    assert reason in failed.reason and (failed.topic, failed.n) == (None, 0)
    for channel, topic in (("other", "other"), ("ticket_update", "tickets"), ("bandwidth_update", "bandwidth")):
        row = decoder.decode([frame(enveloped(channel, LINE))]).rows[topic][0]
        assert row.gap_before


@pytest.mark.parametrize(
    "channel, data, topic",
    [
        ("bandwidth_update", {"sun": 1}, "bandwidth"),
        ("bandwidth_update", {"timestamp": NOON_ISO}, "bandwidth"),
        ("bandwidth_update", 5, "bandwidth"),
        ("bandwidth_update", None, "bandwidth"),
        ("bandwidth_update", [], "bandwidth"),
        ("session_update", {"action": "new", "username": "ada"}, "sessions"),
        ("session_update", {"action": "new", "session": "s-1"}, "sessions"),
        ("session_update", {"action": "new", "session": None}, "sessions"),
    ],
)
def test_a_message_without_its_fields_counts_in_its_topic_and_lacks_in_all(channel, data, topic):
    good = {"bandwidth": LINE, "sessions": {"action": "new", "session": SESSION}}[topic]
    batch = decode(enveloped(channel, good), enveloped(channel, data), enveloped(channel, good))
    (failed,) = batch.undecoded
    assert (failed.topic, failed.n) == (topic, 1) and topic in failed.reason
    assert [(r.n, r.gap_before) for r in batch.rows[topic]] == [(0, False), (2, True)]
    assert [(r.n, r.gap_before) for r in batch.rows["*"]] == [(0, False), (1, True)]


def test_a_binary_frame_is_not_taken_for_text():
    (failed,) = decode(enveloped("ticket_update", 1), text=False).undecoded
    assert "binary" in failed.reason


def test_made_up_channels_are_bounded():
    decoder = ChannelsDecoder(Ledger())
    for i in range(NAMES_KEPT + 5):
        batch = decoder.decode([frame(enveloped(f"made-up-{i}", 1))])
        assert len(batch.rows["*"]) == 1
    assert set(batch.rows) == {"*"} and decoder.left_out == 5
    assert "made-up-0" in decoder.decode([frame(enveloped("made-up-0", 1))]).rows
    assert "tickets" in decoder.decode([frame(enveloped("ticket_update", 1))]).rows


def test_a_channel_with_a_long_name_is_in_the_topic_of_all_only():
    decoder = ChannelsDecoder(Ledger())
    batch = decoder.decode([frame(enveloped("x" * (NAME_CHARS + 1), 1))])
    assert set(batch.rows) == {"*"} and decoder.left_out == 1
    assert batch.rows["*"][0].channel == "x" * NAME_CHARS


# Wild input

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
channels = st.sampled_from([*CHANNELS.values(), "*", "ping", "error", "subscribed", "message", "x"])
wire_names = st.sampled_from(sorted({*LINE, *SESSION, "action", "session", "error", "channel", "success"}))
datas = st.dictionaries(wire_names, json_values, max_size=6)
envelopes = st.fixed_dictionaries(
    {},
    optional={
        "type": channels | json_values,
        "event": channels,
        "event_type": channels,
        "data": datas | json_values,
        "payload": datas,
        "timestamp": json_values,
        "session": datas,
        "upload_mbps": json_values,
    },
)


def books_balance(messages: list[bytes], text: bool = True) -> None:
    batch = decode(*messages, text=text)
    whole = batch.rows.get("*", [])
    assert len(whole) + len(batch.undecoded) + len(batch.control) == len(messages)
    assert [r.n for r in whole] == list(range(len(whole))) and not batch.suppressed
    for topic, rows in batch.rows.items():
        record = PROTOCOL.topics.get(topic, Message)
        assert records_to_table(record, rows).num_rows == len(rows)
        assert {type(r) for r in rows} == {record}


@given(st.lists(st.binary(max_size=200), max_size=5), st.booleans())
def test_arbitrary_bytes_never_raise_and_are_all_accounted_for(messages, text):
    books_balance(messages, text)


@given(st.lists(json_values, max_size=5))
def test_arbitrary_json_never_raises_and_is_all_accounted_for(values):
    books_balance([json.dumps(v).encode() for v in values])


@given(st.lists(envelopes, max_size=6))
def test_envelopes_of_anything_are_all_accounted_for(values):
    books_balance([json.dumps(v).encode() for v in values])


VALID = [
    enveloped("bandwidth_update", LINE),
    enveloped("session_update", {"action": "new", "session": SESSION}),
    enveloped("ticket_update", {"id": 10**30}),
    {"event_type": "invoice_update", "id": 1.5, "timestamp": NOON_ISO},
]


@given(st.sampled_from(VALID), st.data())
def test_mutated_valid_frames_never_raise_and_are_all_accounted_for(message, data):
    raw = bytearray(json.dumps(message).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    books_balance([bytes(raw)])


@given(json_values)
def test_any_payload_comes_through_exactly(data):
    sent = json.dumps(data)
    batch = decode(f'{{"type":"x","data":{sent}}}'.encode())
    if not batch.undecoded:  # (numbers beyond what JSON readers take)
        assert batch.rows["x"][0].payload == sent


# What is known of this system, and the test that holds it

COVERED = {
    "{type: channel, data, timestamp: ISO}": test_every_message_is_whole_in_the_topic_of_all,
    "auth is the first frame if there is a token": test_the_token_is_the_first_frame_and_nothing_else_is_sent,
    "no reply to auth is specified; those of relatives": test_words_of_relatives_are_neither_rows_nor_errors,
    "subscribing is local: nothing is sent": test_the_token_is_the_first_frame_and_nothing_else_is_sent,
    "* is every message, whole": test_every_message_is_whole_in_the_topic_of_all,
    "bandwidth_update: timestamp, upload_mbps, download_mbps, latency_ms, every 2 s": test_the_bandwidth_has_columns,
    "session_update: action new, update, terminate, and session": test_a_session_is_nested_in_its_message,
    "session: all its fields": test_every_alias_reaches_its_column,
    "sessions keyed by session_id": test_a_session_is_nested_in_its_message,
    "subscriber_update, ticket_update, invoice_update, network_status: free": test_a_free_payload_is_kept_as_json,
    "rows keep the JSON": test_a_free_payload_is_the_very_text_that_came,
    "any other channel name": test_any_other_channel_works_the_same_way,
    "send {type, data, timestamp of three digits and Z}": (
        test_a_message_of_the_users_has_data_and_a_time_of_three_digits
    ),
    "event in place of type": test_the_channel_may_be_told_by_other_fields,
    "flat event_type in place of type": test_the_channel_may_be_told_by_other_fields,
    "flat with a free payload": test_a_flat_free_message_keeps_all_its_fields_as_payload,
    "auth by message unless told otherwise": test_the_token_is_the_first_frame_and_nothing_else_is_sent,
    "invalid JSON closes the socket: none is sent": test_a_message_of_the_users_has_data_and_a_time_of_three_digits,
    "error rate_limit_exceeded with retry_after": test_a_rate_limit_is_told_with_its_time,
    "commands are limited: no heartbeat of ours": test_the_token_is_the_first_frame_and_nothing_else_is_sent,
    "sub-protocol isp-protocol-v1": test_all_topics_share_one_connection,
    "pings": test_words_of_relatives_are_neither_rows_nor_errors,
    "bad JSON, invalid UTF-8, binary, plain text": test_what_is_no_message_may_have_been_of_any_topic,
}


@pytest.mark.parametrize("known", COVERED)
def test_everything_known_of_this_system_is_held_by_a_test(known):
    name = COVERED[known].__name__
    assert name.startswith("test_") and COVERED[known] is globals()[name]
