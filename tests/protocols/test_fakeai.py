"""The inference metrics stream: every message as documented, every message as the real server sends it, and worse."""

from __future__ import annotations

import json
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.columns import records_to_table
from aurigraph_nb.errors import BadOption
from aurigraph_nb.protocols.base import Batch, Fault, Frame, Ledger
from aurigraph_nb.protocols.fakeai import CONTROLS, FakeaiDecoder, FakeaiProtocol
from aurigraph_nb.protocols.fakeai_shapes import SECTIONS
from aurigraph_nb.protocols.fakeai_tables import KEYS, TABLES, TOPIC_OF
from aurigraph_nb.schema import LOCAL_COLUMNS, InferenceRecord

PROTOCOL = FakeaiProtocol()
NOON_S = 1_767_268_800
NOON_MS, NOON = NOON_S * 10**3, NOON_S * 10**9
RECV = NOON + 5_000_000
CHAT, EMBED = "/v1/chat/completions", "/v1/embeddings"


def frame(message: object, conn_epoch: int = 1, text: bool = True) -> Frame:
    data = message if isinstance(message, bytes) else json.dumps(message).encode()
    return Frame(data, text, RECV, conn_epoch, "stream")


def decode(*messages: object, text: bool = True) -> Batch:
    return FakeaiDecoder(Ledger()).decode([frame(message, text=text) for message in messages])


def documented(kind: str, data: object, **around: object) -> dict[str, object]:
    return {"type": kind, "timestamp": NOON_MS, "data": data, **around}


def real(data: dict[str, object], kind: str = "metrics_update", **around: object) -> dict[str, object]:
    return {"type": kind, "timestamp": NOON_S + 0.25, "data": data, **around}


def row(topic: str, message: object):
    batch = decode(message)
    assert not batch.undecoded and not batch.control, batch.undecoded or batch.control
    (only,) = batch.rows[topic]
    return only


def filled(record: InferenceRecord) -> dict[str, object]:
    """Its own columns that hold something."""
    skip = {*LOCAL_COLUMNS, "timestamp"}
    return {k: v for k, v in msgspec.to_builtins(record).items() if v is not None and k not in skip}


# As documented: wire data and the columns they become. Every field that the documents name is in here.
DOCUMENTED = {
    "metrics_update": (
        {
            "total_requests": 1200,
            "total_tokens": 64000,
            "total_cost": 3.25,
            "avg_latency_ms": 151.5,
            "error_rate": 0.02,
            "streaming_percentage": 0.75,
            "requests_per_second": 11.5,
            "tokens_per_second": 480.5,
            "active_connections": 4,
        },
        {
            "total_requests": 1200,
            "total_tokens": 64000,
            "total_cost": 3.25,
            "avg_latency_ms": 151.5,
            "error_rate": 0.02,
            "streaming_percentage": 0.75,
            "requests_per_s": 11.5,
            "tokens_per_s": 480.5,
            "active_connections": 4,
        },
    ),
    "model_update": (
        {
            "model": "m-large",
            "request_count": 10,
            "total_prompt_tokens": 100,
            "total_completion_tokens": 200,
            "total_tokens": 300,
            "total_latency_ms": 1500.5,
            "error_count": 1,
            "avg_latency_ms": 150.05,
            "error_rate": 0.1,
            "total_cost": 0.5,
            "tokens_per_second": 20.5,
        },
        {
            "model": "m-large",
            "request_count": 10,
            "total_prompt_tokens": 100,
            "total_completion_tokens": 200,
            "total_tokens": 300,
            "total_latency_ms": 1500.5,
            "error_count": 1,
            "avg_latency_ms": 150.05,
            "error_rate": 0.1,
            "total_cost": 0.5,
            "tokens_per_s": 20.5,
        },
    ),
    "request_update": (
        {
            "id": "req-1",
            "model": "m-large",
            "created": NOON_MS - 1000,
            "prompt_tokens": 10,
            "completion_tokens": 20,
            "total_tokens": 30,
            "latency_ms": 99.5,
            "streaming": True,
            "status": "error",
            "error_message": "<b>no</b>",
            "cost": 0.001,
            "user_id": "u1",
            "organization_id": "o1",
        },
        {
            "id": "req-1",
            "model": "m-large",
            "created": NOON - 10**9,
            "prompt_tokens": 10,
            "completion_tokens": 20,
            "total_tokens": 30,
            "latency_ms": 99.5,
            "streaming": True,
            "status": "error",
            "error_message": "<b>no</b>",
            "cost": 0.001,
            "user_id": "u1",
            "organization_id": "o1",
        },
    ),
    "error_update": (
        {
            "error_type": "timeout",
            "error_message": "took too long",
            "model": "m-large",
            "timestamp": NOON_MS,
            "stack_trace": "a\nb",
            "request_id": "req-1",
            "severity": "critical",
        },
        {
            "error_type": "timeout",
            "error_message": "took too long",
            "model": "m-large",
            "stack_trace": "a\nb",
            "request_id": "req-1",
            "severity": "critical",
        },
    ),
    "system_update": (
        {
            "cpu_usage": 45.5,
            "memory_usage": 61,
            "gpu_usage": 80,
            "gpu_memory_usage": 70.5,
            "disk_usage": 12,
            "network_in_bytes": 2**40,
            "network_out_bytes": 5,
            "active_workers": 8,
            "queue_size": 3,
        },
        {
            "cpu_percent": 45.5,
            "memory_percent": 61,
            "gpu_percent": 80,
            "gpu_memory_percent": 70.5,
            "disk_percent": 12,
            "network_in_bytes": 2**40,
            "network_out_bytes": 5,
            "active_workers": 8,
            "queue_size": 3,
        },
    ),
    "rate_limit_update": (
        {"endpoint": CHAT, "limit": 100, "remaining": 25, "reset_time": NOON_MS + 60_000, "percentage_used": 75.0},
        {"endpoint": CHAT, "limit": 100, "remaining": 25, "reset_time": NOON + 60 * 10**9, "used_percent": 75.0},
    ),
    "cost_update": (
        {
            "period": "day",
            "total_cost": 12.5,
            "breakdown_by_model": {"m-large": 12.5},
            "breakdown_by_service": {"chat": 10, "embeddings": 2.5},
            "projected_monthly_cost": 375,
        },
        {
            "period": "day",
            "total_cost": 12.5,
            "breakdown_by_model": '{"m-large":12.5}',
            "breakdown_by_service": '{"chat":10,"embeddings":2.5}',
            "projected_monthly_cost": 375,
        },
    ),
    "kv_cache_update": (
        {
            "cache_hits": 90,
            "cache_misses": 10,
            "hit_rate": 0.9,
            "cache_size_bytes": 2**33,
            "cache_entries": 55,
            "evictions": 2,
            "avg_lookup_time_ms": 0.25,
        },
        {
            "cache_hits": 90,
            "cache_misses": 10,
            "hit_rate": 0.9,
            "cache_size_bytes": 2**33,
            "cache_entries": 55,
            "evictions": 2,
            "avg_lookup_time_ms": 0.25,
        },
    ),
}

OPTIONAL = {
    "request_update": ("error_message", "user_id", "organization_id"),
    "error_update": ("model", "stack_trace", "request_id"),
    "system_update": ("gpu_usage", "gpu_memory_usage"),
}

SPREAD = {"avg": 22.2, "min": 0.7, "max": 83.3, "p50": 11.0, "p90": 61.3, "p99": 81.1}

# As the real server (0.3.2) sends it: shortened by hand, every name kept.
REAL = {
    "throughput": {
        "requests_per_sec": {CHAT: 9.5, EMBED: 4.7},
        "responses_per_sec": {CHAT: 10.7},
        "tokens_per_sec": {CHAT: 84.0, EMBED: 29.6},
        "total_requests_per_sec": 14.2,
        "total_tokens_per_sec": 113.6,
    },
    "latency": {CHAT: SPREAD, EMBED: dict.fromkeys(SPREAD, 179.5)},
    "cache": {},
    "queue": {"active_streams": 1, "queue_depth": 2},
    "streaming": {"active_streams": 1, "completed_streams": 3, "failed_streams": 0},
    "error": {"errors_per_sec": {"/v1/images/generations": 1.2}, "total_errors_per_sec": 1.2},
}
# What it sends before anybody has asked it anything; the totals are then whole numbers.
REAL_AT_REST = {
    "throughput": {
        "requests_per_sec": {},
        "responses_per_sec": {},
        "tokens_per_sec": {},
        "total_requests_per_sec": 0,
        "total_tokens_per_sec": 0,
    },
    "latency": {},
    "cache": {},
    "queue": {"active_streams": 0, "queue_depth": 0},
    "streaming": {"active_streams": 0, "completed_streams": 0, "failed_streams": 0},
    "error": {"errors_per_sec": {}, "total_errors_per_sec": 0},
}
DELTAS = {"throughput": {"total_requests_per_sec": -0.5}, "streaming": {"active_streams_delta": 0}}


# The documented shape


@pytest.mark.parametrize("kind", DOCUMENTED)
def test_each_documented_message_becomes_a_row_of_its_topic(kind):
    data, columns = DOCUMENTED[kind]
    record = row(TOPIC_OF[kind], documented(kind, data, sequence=0))
    assert filled(record) == {**columns, "sequence": 0}
    assert (record.timestamp, record.recv_ns, record.conn_epoch, record.n) == (NOON, RECV, 1, 0)
    assert records_to_table(type(record), [record]).num_rows == 1


@pytest.mark.parametrize("kind", DOCUMENTED)
def test_the_samples_fill_every_column_that_the_documents_have(kind):
    topic = TOPIC_OF[kind]
    flat = {alias.column for alias in TABLES[topic].aliases if "." not in alias.wire} - {"timestamp"}
    assert set(DOCUMENTED[kind][1]) == flat


@pytest.mark.parametrize("kind, names", OPTIONAL.items())
def test_optional_fields_may_be_absent_or_null(kind, names):
    data, columns = DOCUMENTED[kind]
    absent = row(TOPIC_OF[kind], documented(kind, {k: v for k, v in data.items() if k not in names}))
    null = row(TOPIC_OF[kind], documented(kind, {**data, **dict.fromkeys(names)}))
    assert absent == null and absent.extra is None
    assert len(filled(absent)) == len(columns) - len(names)


def test_metadata_are_kept_with_the_row():
    record = row("metrics", documented("metrics_update", {"total_requests": 1}, metadata={"region": "eu", "n": [1]}))
    assert json.loads(record.metadata) == {"region": "eu", "n": [1]}
    assert record.extra is None


def test_an_errors_own_time_is_its_time():
    message = documented("error_update", {"error_type": "t", "timestamp": NOON_MS - 5})
    record = row("errors", message)
    assert record.timestamp == NOON - 5_000_000 and record.extra is None
    message["data"]["timestamp"] = None
    assert row("errors", message).timestamp == NOON
    message["data"]["timestamp"] = "soon"
    record = row("errors", message)
    assert record.timestamp == NOON and json.loads(record.extra) == {"data.timestamp": "soon"}


@pytest.mark.parametrize(
    "sent, ns",
    [
        (NOON_MS, NOON),
        (NOON_S + 0.25, NOON + 250_000_000),
        (NOON_S, NOON),
        ("2026-01-01T12:00:00Z", NOON),
        (None, None),
    ],
)
def test_times_come_in_milliseconds_seconds_or_as_text(sent, ns):
    assert row("metrics", {"type": "metrics_update", "timestamp": sent, "data": {"total_cost": 1}}).timestamp == ns


@pytest.mark.parametrize("status", ["success", "error", "in_progress"])
def test_a_request_has_one_of_three_states(status):
    assert row("requests", documented("request_update", {"id": "r", "status": status.upper()})).status == status


@pytest.mark.parametrize("severity", ["low", "medium", "high", "critical"])
def test_an_error_has_one_of_four_severities(severity):
    assert row("errors", documented("error_update", {"error_type": "t", "severity": severity})).severity == severity


@pytest.mark.parametrize(
    "kind, first, second",
    [
        ("model_update", {"request_count": 1}, {"request_count": 2}),
        ("rate_limit_update", {"limit": 1}, {"limit": 2}),
        ("request_update", {"latency_ms": 1}, {"latency_ms": 2}),
    ],
)
def test_things_may_come_by_their_key_or_as_a_list(kind, first, second):
    topic = TOPIC_OF[kind]
    by_key = decode(documented(kind, {"a": first, "b": second})).rows[topic]
    as_list = decode(documented(kind, [{KEYS[topic]: "a", **first}, {KEYS[topic]: "b", **second}])).rows[topic]
    assert by_key == as_list
    assert [(getattr(r, KEYS[topic]), r.n) for r in by_key] == [("a", 0), ("b", 0)]


# The real server's shape


def test_the_real_metrics_update_gives_rows_of_several_topics():
    batch = decode(real(REAL, deltas=DELTAS))
    assert not batch.undecoded and not batch.control
    assert {topic: [filled(r) for r in rows] for topic, rows in batch.rows.items()} == {
        "metrics": [{"requests_per_s": 14.2, "tokens_per_s": 113.6, "errors_per_s": 1.2}],
        "throughput": [
            {"endpoint": CHAT, "requests_per_s": 9.5, "responses_per_s": 10.7, "tokens_per_s": 84.0},
            {"endpoint": EMBED, "requests_per_s": 4.7, "tokens_per_s": 29.6},
            {"endpoint": "/v1/images/generations", "errors_per_s": 1.2},
        ],
        "latency": [
            {"endpoint": CHAT, **{f"{point}_ms": ms for point, ms in SPREAD.items()}},
            {"endpoint": EMBED, **{f"{point}_ms": 179.5 for point in SPREAD}},
        ],
        "queue": [{"active_streams": 1, "queue_depth": 2}],
        "streaming": [{"active_streams": 1, "completed_streams": 3, "failed_streams": 0}],
    }
    for rows in batch.rows.values():
        assert {(r.timestamp, r.n, r.sequence, r.conn_epoch) for r in rows} == {(NOON + 250_000_000, 0, None, 1)}


def test_nothing_of_the_real_frames_is_unknown():
    decoder = FakeaiDecoder(Ledger())
    batch = decoder.decode(
        [frame(real(REAL, "historical_data")), frame(real(REAL_AT_REST)), frame(real(REAL, deltas=DELTAS))]
    )
    assert all(r.extra is None for rows in batch.rows.values() for r in rows)
    for counts in (decoder.unnamed, decoder.wrong_type, decoder.doubtful):
        assert not any(counts.of(topic) for topic in TABLES)


def test_deltas_are_known_and_left_out():
    with_deltas, without = decode(real(REAL, deltas=DELTAS)), decode(real(REAL, deltas={}))
    assert with_deltas.rows == without.rows == decode(real(REAL)).rows


def test_a_server_at_rest_sends_zeros_and_no_endpoints():
    batch = decode(real(REAL_AT_REST))
    assert set(batch.rows) == {"metrics", "queue", "streaming"}
    assert filled(batch.rows["metrics"][0]) == {"requests_per_s": 0, "tokens_per_s": 0, "errors_per_s": 0}


def test_the_snapshot_at_open_is_no_data():
    batch = decode(real(REAL, "historical_data"))
    (control,) = batch.control
    assert (control.kind, control.detail) == ("snapshot", "throughput, latency, cache, queue, streaming, error")
    assert not batch.rows and not batch.undecoded


def test_completed_streams_have_times_to_first_token_and_speeds():
    streaming = {"completed_streams": 2, "ttft": SPREAD, "tokens_per_second": dict.fromkeys(SPREAD, 40.0)}
    (record,) = decode(real({"streaming": streaming})).rows["streaming"]
    assert (record.ttft_p99_ms, record.ttft_avg_ms, record.tokens_per_s_p50) == (81.1, 22.2, 40.0)
    assert record.extra is None
    ours = {f"ttft_{p}_ms" for p in SPREAD} | {f"tokens_per_s_{p}" for p in SPREAD}
    assert all(getattr(record, name) is not None for name in ours)


def test_a_filled_cache_section_leaves_its_doubtful_rate_open():
    decoder = FakeaiDecoder(Ledger())
    cache = {"hit_rate": 88.9, "cache_hits": 8, "total_lookups": 9}
    (record,) = decoder.decode([frame(real({"cache": cache}))]).rows["kv_cache"]
    assert (record.cache_hits, record.hit_rate) == (8, None)
    assert json.loads(record.extra) == {"cache.hit_rate": 88.9, "cache.total_lookups": 9}
    assert decoder.doubtful.of("kv_cache") == {"cache.hit_rate": 1}


def test_latencies_that_the_servers_own_filter_emptied_make_no_rows():
    data = {**REAL, "latency": {CHAT: {}, EMBED: {}}}
    batch = decode(real(data))
    assert "latency" not in batch.rows and not batch.undecoded
    assert batch.rows["metrics"][0].requests_per_s == 14.2


@pytest.mark.parametrize("section", sorted(SECTIONS - {"cache"}))
def test_each_section_is_understood_alone(section):
    batch = decode(real({section: REAL[section]}))
    topics = {"throughput": {"metrics", "throughput"}, "error": {"metrics", "throughput"}}.get(section, {section})
    assert set(batch.rows) == topics and not batch.undecoded


def test_a_frame_of_known_sections_without_values_is_told_as_such():
    batch = decode(real({"latency": {}, "cache": {}}))
    (control,) = batch.control
    assert control.kind == "info" and "without values" in control.detail
    assert not batch.rows and not batch.undecoded


def test_unknown_parts_of_a_real_frame_are_kept_and_counted():
    decoder = FakeaiDecoder(Ledger())
    data = {
        "throughput": {"requests_per_sec": {CHAT: 1}, "bytes_per_sec": {CHAT: 9}, "total_bytes": 9},
        "latency": {CHAT: {"avg": 1, "p75": 2}, EMBED: "slow"},
        "gpu": {"t": 1},
    }
    batch = decoder.decode([frame(real(data, region="eu"))])
    (metrics,), (throughput,), (latency,) = (batch.rows[t] for t in ("metrics", "throughput", "latency"))
    assert json.loads(metrics.extra) == {
        "gpu": {"t": 1},
        "throughput.total_bytes": 9,
        f"latency.{EMBED}": "slow",
        "envelope.region": "eu",
    }
    assert json.loads(throughput.extra) == {"throughput.bytes_per_sec": 9}
    assert json.loads(latency.extra) == {"latency.p75": 2}
    assert decoder.unnamed.of("latency") == {"latency.p75": 1}


def test_both_shapes_in_one_frame_are_both_read():
    record = row("metrics", real({"total_requests": 5, "error": {"total_errors_per_sec": 1}}))
    assert (record.total_requests, record.errors_per_s) == (5, 1)


# What carries no rows


CONTROL_CASES = [
    (documented("init", {"connection_id": "c-1"}), "welcome", "c-1"),
    (documented("init", {"features": []}), "welcome", ""),
    (documented("heartbeat", {"server_time": NOON_MS, "uptime_seconds": 5}), "heartbeat", '"uptime_seconds":5'),
    (documented("pong", {"client_time": 1, "server_time": 2}), "pong", '"server_time":2'),
    ({"type": "pong", "timestamp": NOON_S + 0.5}, "pong", str(NOON_S)),
    ({"type": "ping"}, "ping", "{}"),
    (real(REAL_AT_REST, "historical_data"), "snapshot", "throughput"),
    ({"type": "subscribed", "filters": {"endpoints": [CHAT], "interval": 0.5}}, "subscribed", CHAT),
    ({"type": "unsubscribed", "timestamp": NOON_S}, "unsubscribed", str(NOON_S)),
    (
        {"type": "error", "timestamp": NOON_S, "message": "Unknown message type: heartbeat"},
        "error",
        "Unknown message type: heartbeat",
    ),
    ({"type": "error", "timestamp": NOON_S, "message": "Invalid JSON: no"}, "error", "Invalid JSON: no"),
    ({"type": "error", "message": "Invalid metric type: x"}, "error", "Invalid metric type: x"),
    (documented("error", {"message": "no"}), "error", "no"),
    ({"type": "error", "code": 5}, "error", '{"type":"error","code":5}'),
]


@pytest.mark.parametrize("message, kind, detail", CONTROL_CASES)
def test_messages_without_data_are_neither_rows_nor_errors_of_ours(message, kind, detail):
    batch = decode(message)
    (control,) = batch.control
    assert not batch.rows and not batch.undecoded
    assert (control.kind, control.endpoint) == (kind, "stream")
    assert detail in control.detail and bool(detail) == bool(control.detail)


def test_a_ping_of_the_servers_is_answered():
    (control,) = decode({"type": "ping", "timestamp": 1}).control
    assert json.loads(control.reply) == {"type": "pong"}
    assert all(c.reply is None for m, kind, _ in CONTROL_CASES if kind != "ping" for c in decode(m).control)


def test_what_a_control_says_is_cut():
    assert len(decode({"type": "error", "message": "x" * 10_000}).control[0].detail) == 200


# What is sent


def test_the_heartbeat_is_the_one_that_the_real_server_answers():
    assert json.loads(PROTOCOL.heartbeat(NOON)) == {"type": "ping", "timestamp": NOON_MS}
    assert PROTOCOL.heartbeat_answered


def test_nothing_needs_to_be_sent_to_be_told_everything():
    assert PROTOCOL.greeting(None, NOON) == []
    for topic in PROTOCOL.topics:
        assert PROTOCOL.subscribe(topic, NOON) == PROTOCOL.unsubscribe(topic, NOON) == []
        assert not PROTOCOL.acknowledges(topic)
    assert json.loads(PROTOCOL.greeting("s3cret", NOON)[0]) == {"type": "auth", "token": "s3cret"}
    assert PROTOCOL.token_by == "header"


@pytest.mark.parametrize(
    "kind, data, sent",
    [
        ("subscribe", {"endpoint": CHAT, "interval": 2}, {"filters": {"endpoint": CHAT, "interval": 2}}),
        ("subscribe", {"filters": {"metric_type": "latency"}}, {"filters": {"metric_type": "latency"}}),
        ("subscribe", None, {"filters": {}}),
        ("unsubscribe", None, {"timestamp": NOON_MS}),
        ("heartbeat", {"client_time": 1}, {"timestamp": NOON_MS, "data": {"client_time": 1}}),
        ("custom", [1], {"timestamp": NOON_MS, "data": [1]}),
    ],
)
def test_a_users_messages_are_framed_as_the_server_reads_them(kind, data, sent):
    assert json.loads(PROTOCOL.message(kind, data, NOON)) == {"type": kind, **sent}


def test_a_message_that_is_no_json_is_refused():
    with pytest.raises(BadOption):
        PROTOCOL.message("custom", {"f": object()}, NOON)


@pytest.mark.parametrize(
    "url, whole",
    [
        ("ws://h:8000/metrics/stream", "ws://h:8000/metrics/stream"),
        ("wss://h/api/metrics/stream?x=1", "wss://h/api/metrics/stream?x=1"),
        ("ws://h:8000", "ws://h:8000/metrics/stream"),
        ("ws://h:8000/?x=1", "ws://h:8000/metrics/stream?x=1"),
    ],
)
def test_one_connection_carries_everything(url, whole):
    (endpoint,) = PROTOCOL.endpoints(url).values()
    assert (endpoint.url, endpoint.topics) == (whole, tuple(TABLES))


def test_it_says_what_it_offers():
    assert PROTOCOL.name == "fakeai" and PROTOCOL.path == "/metrics/stream"
    assert PROTOCOL.periods_s == {"metrics": 1.0} and PROTOCOL.other_topics is None
    assert PROTOCOL.statistics_url("ws://h/metrics/stream") is None
    assert not PROTOCOL.decoder(Ledger()).statistics(b"{}", RECV).rows
    for topic, record in PROTOCOL.topics.items():
        assert topic not in PROTOCOL.keys or PROTOCOL.keys[topic] in record.__struct_fields__


# Numbers


def numbered(number: object, total: int = 0, kind: str = "metrics_update") -> dict[str, object]:
    return documented(kind, {"total_requests": total or number}, sequence=number)


def test_numbered_frames_in_order_have_no_fault():
    batch = decode(numbered(0), documented("heartbeat", {}, sequence=1), numbered(2))
    assert [r.sequence for r in batch.rows["metrics"]] == [0, 2]
    assert not batch.order and not batch.suppressed


def test_a_repeated_number_is_suppressed_and_told():
    batch = decode(numbered(0, 5), numbered(1, 6), numbered(1, 6), numbered(0, 5), numbered(2, 7))
    assert [r.total_requests for r in batch.rows["metrics"]] == [5, 6, 7]
    assert [r.n for r in batch.rows["metrics"]] == [0, 1, 2]
    assert batch.suppressed == {"metrics": 2}
    assert [(f.kind, f.got) for f in batch.order] == [(Fault.REPEAT, 1), (Fault.REPEAT, 0)]


def test_a_hole_is_told_and_marked_in_every_topic():
    batch = decode(
        numbered(0), numbered(3), documented("model_update", {"model": "m"}, sequence=4), numbered(5), numbered(6)
    )
    (fault,) = batch.order
    assert (fault.kind, fault.expected, fault.got, fault.frames) == (Fault.HOLE, 1, 3, 2)
    assert [r.gap_before for r in batch.rows["metrics"]] == [False, True, False, False]
    assert [r.gap_before for r in batch.rows["models"]] == [True]


def test_a_late_frame_is_taken_and_told():
    batch = decode(numbered(0), numbered(2), numbered(1), numbered(3))
    assert [r.sequence for r in batch.rows["metrics"]] == [0, 2, 1, 3]
    assert [f.kind for f in batch.order] == [Fault.HOLE, Fault.REORDER]


def test_a_restart_at_0_after_a_reconnect_is_no_fault():
    decoder = FakeaiDecoder(Ledger())
    batch = decoder.decode([frame(numbered(n), 1) for n in (0, 1)] + [frame(numbered(n), 2) for n in (0, 1)])
    assert not batch.order and not batch.suppressed
    assert [(r.conn_epoch, r.sequence, r.n) for r in batch.rows["metrics"]] == [
        (1, 0, 0),
        (1, 1, 1),
        (2, 0, 2),
        (2, 1, 3),
    ]


def test_a_server_that_begins_anew_on_the_same_connection_is_followed():
    batch = decode(*(numbered(n, 10 + n) for n in range(3)), *(numbered(n, 20 + n) for n in range(3)))
    assert [r.total_requests for r in batch.rows["metrics"]] == [10, 11, 12, 20, 21, 22]
    assert not any(r.gap_before for r in batch.rows["metrics"])
    assert not batch.order and not batch.suppressed


def test_a_heartbeat_may_carry_the_number_of_the_frame_before_it():
    batch = decode(numbered(0), documented("pong", {}, sequence=0), numbered(1))
    assert [c.kind for c in batch.control] == ["pong"] and not batch.order and not batch.suppressed


def test_a_frame_that_could_not_be_read_is_not_missing_as_well():
    batch = decode(numbered(0), b'{"type":"metrics_update","sequence":1,', numbered(2), numbered(4))
    assert [(f.kind, f.frames) for f in batch.order] == [(Fault.HOLE, 1)]
    assert len(batch.undecoded) == 1
    assert [r.gap_before for r in batch.rows["metrics"]] == [False, True, True]


@pytest.mark.parametrize("number", [-1, "one", 1.5, True, {}, 2**70])
def test_a_number_that_is_none_is_kept_apart_and_counted(number):
    decoder = FakeaiDecoder(Ledger())
    batch = decoder.decode([frame(numbered(number, 5)), frame(numbered(number, 6))])
    assert [r.sequence for r in batch.rows["metrics"]] == [None, None] and not batch.order
    assert json.loads(batch.rows["metrics"][0].extra) == {"envelope.sequence": number}
    assert decoder.wrong_type.of("metrics") == {"envelope.sequence": 2}


# What is not understood


@pytest.mark.parametrize(
    "message, topic, reason",
    [
        (b"rubbish", None, "not JSON"),
        (b"", None, "not JSON"),
        (b"\xff\xfe", None, "not JSON"),
        (b'{"type":"\xed\xa0\x80"}', None, "UTF-8"),
        (b"null", None, "null"),
        (b"5", None, "no object with a type"),
        (b"[]", None, "no object with a type"),
        (b'{"data":{"total_requests":1}}', None, "no object with a type"),
        (b'{"type":5}', None, "no object with a type"),
        (b"[" * 200_000, None, "nested too deeply"),
        (b'{"type":"weather_update","data":{}}', None, "unknown type 'weather_update'; known are metrics_update"),
        (b'{"type":"metrics_update"}', "metrics", "no object"),
        (b'{"type":"metrics_update","data":[1]}', "metrics", "no object"),
        (b'{"type":"metrics_update","data":[]}', "metrics", "no object"),
        (b'{"type":"metrics_update","data":{"weather":"fine"}}', "metrics", "none of the fields"),
        (b'{"type":"system_update","data":{},"timestamp":1,"sequence":1}', "system", "fields were none"),
        (b'{"type":"model_update","data":{"request_count":1}}', "models", "needs 'model'"),
        (b'{"type":"model_update","data":{"model":null}}', "models", "needs 'model'"),
        (b'{"type":"request_update","data":{"id":[1]}}', "requests", "needs 'id'"),
        (b'{"type":"rate_limit_update","data":{"limit":1}}', "rate_limits", "needs 'endpoint'"),
    ],
)
def test_what_is_not_understood_is_told_and_kept(message, topic, reason):
    ledger = Ledger()
    batch = FakeaiDecoder(ledger).decode([frame(message)])
    (failed,) = batch.undecoded
    assert not batch.rows and not batch.control and reason in failed.reason
    assert (failed.topic, failed.size, failed.n, failed.recv_ns) == (topic, len(message), 0, RECV)
    assert topic is None or ledger.frames(topic) == 1


def test_a_binary_frame_is_not_taken_for_text():
    batch = decode(json.dumps(real(REAL)).encode(), text=False)
    assert not batch.rows and "binary" in batch.undecoded[0].reason and batch.undecoded[0].text is False


def test_what_was_not_understood_leaves_a_gap_where_it_may_belong():
    metrics, model = numbered(None, 1), documented("model_update", {"model": "m"})
    batch = decode(metrics, model, documented("model_update", {}), metrics, model)
    assert [(r.n, r.gap_before) for r in batch.rows["metrics"]] == [(0, False), (1, False)]
    assert [(r.n, r.gap_before) for r in batch.rows["models"]] == [(0, False), (2, True)]
    anything = decode(metrics, model, b"{", metrics, model)
    assert [r.gap_before for topic in ("metrics", "models") for r in anything.rows[topic]] == [False, True] * 2
    foreign = decode(metrics, documented("weather_update", {}), metrics)
    assert not any(r.gap_before for r in foreign.rows["metrics"])


def test_fields_that_nobody_named_are_kept_and_counted():
    decoder = FakeaiDecoder(Ledger())
    (record,) = decoder.decode([frame(documented("cost_update", {"total_cost": 1, "tax": 2}, host="h"))]).rows["costs"]
    assert json.loads(record.extra) == {"tax": 2, "envelope.host": "h"}
    assert decoder.unnamed.of("costs") == {"tax": 1, "envelope.host": 1}


@pytest.mark.parametrize(
    "kind, field, bad",
    [
        ("metrics_update", "total_requests", 1.5),
        ("metrics_update", "error_rate", "many"),
        ("request_update", "streaming", 1),
        ("request_update", "status", 5),
        ("cost_update", "breakdown_by_model", [1]),
        ("rate_limit_update", "reset_time", "soon"),
        ("system_update", "cpu_usage", True),
    ],
)
def test_a_field_of_a_wrong_type_is_null_raw_in_extra_and_counted(kind, field, bad):
    decoder, topic = FakeaiDecoder(Ledger()), TOPIC_OF[kind]
    data = {**DOCUMENTED[kind][0], field: bad}
    (record,) = decoder.decode([frame(documented(kind, data))]).rows[topic]
    assert json.loads(record.extra) == {field: bad}
    assert len(filled(record)) == len(DOCUMENTED[kind][1])
    assert decoder.wrong_type.of(topic) == {field: 1}


# Wild input

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
kinds = st.sampled_from(sorted({*TOPIC_OF, *CONTROLS, "weather_update"}))
wire_names = st.sampled_from(
    sorted({a.wire for t in TABLES.values() for a in t.aliases if "." not in a.wire} | SECTIONS)
)
section_names = st.sampled_from(
    [*sorted(REAL["throughput"]), "errors_per_sec", "ttft", "queue_depth", "hit_rate", CHAT]
)
messages = st.fixed_dictionaries(
    {"type": kinds},
    optional={
        "timestamp": json_values,
        "sequence": st.integers(-1, 6) | json_values,
        "metadata": json_values,
        "deltas": json_values,
        "data": json_values
        | st.dictionaries(wire_names, json_values, max_size=6)
        | st.dictionaries(
            st.sampled_from(sorted(SECTIONS)),
            st.dictionaries(section_names, json_values | st.dictionaries(st.text(), json_values), max_size=4),
            max_size=6,
        ),
    },
)


def books_balance(raw: list[bytes], text: bool = True) -> None:
    """Every frame is in rows, or suppressed, or not understood, or a control; never in two of these, never in none."""
    ledger = Ledger()
    decoder = FakeaiDecoder(ledger)
    for at, data in enumerate(raw):
        batch = decoder.decode([Frame(data, text, RECV + at, 1 + at // 4, "stream")])
        places = [bool(batch.rows), len(batch.undecoded), len(batch.control), sum(batch.suppressed.values())]
        assert sorted(places) == [0, 0, 0, 1], places
        for topic, rows in batch.rows.items():
            assert rows and len({r.n for r in rows}) == 1
            assert records_to_table(TABLES[topic].record, rows).num_rows == len(rows)
            assert rows[0].n == ledger.frames(topic) - 1


@given(st.lists(st.binary(max_size=200), max_size=5), st.booleans())
def test_arbitrary_bytes_never_raise_and_are_all_accounted_for(raw, text):
    books_balance(raw, text)


@given(st.lists(json_values, max_size=5))
def test_arbitrary_json_never_raises_and_is_all_accounted_for(values):
    books_balance([json.dumps(value).encode() for value in values])


@given(st.lists(messages, max_size=8))
def test_known_messages_with_arbitrary_values_never_raise_and_are_all_accounted_for(values):
    books_balance([json.dumps(value).encode() for value in values])


VALID = [json.dumps(documented(kind, data, sequence=3)).encode() for kind, (data, _) in DOCUMENTED.items()]
VALID += [
    json.dumps(m).encode() for m in (real(REAL, deltas=DELTAS), real(REAL_AT_REST), real(REAL, "historical_data"))
]


@given(st.sampled_from(VALID), st.data())
def test_mutated_valid_frames_never_raise_and_are_all_accounted_for(raw, data):
    raw = bytearray(raw)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    books_balance([bytes(raw)])


@given(st.lists(st.integers(0, 12), max_size=30))
def test_rows_suppressed_and_holes_add_up_to_what_was_sent(later):
    numbers = [0, *later]
    batch = decode(*(numbered(n, 100 + n) for n in numbers))
    rows = [r.sequence for r in batch.rows["metrics"]]
    assert sorted(rows) == sorted(set(numbers))
    assert len(rows) + batch.suppressed["metrics"] == len(numbers)
    missing = sum(f.frames for f in batch.order if f.kind is Fault.HOLE)
    late = sum(f.kind is Fault.REORDER for f in batch.order)
    assert len(rows) + missing - late == max(numbers) + 1


# Everything that the contract of this system lists, and the case that covers it

COVERED = {
    "frame {type, timestamp, data, sequence?, metadata?}": test_each_documented_message_becomes_a_row_of_its_topic,
    "documented times in ms, real ones in float seconds": test_times_come_in_milliseconds_seconds_or_as_text,
    "metadata kept": test_metadata_are_kept_with_the_row,
    **{f"doc: {kind}": test_each_documented_message_becomes_a_row_of_its_topic for kind in TOPIC_OF},
    "doc: all fields of all types": test_the_samples_fill_every_column_that_the_documents_have,
    "doc: optional fields": test_optional_fields_may_be_absent_or_null,
    "doc: request status success|error|in_progress": test_a_request_has_one_of_three_states,
    "doc: severity low|medium|high|critical": test_an_error_has_one_of_four_severities,
    "doc: error_update's own timestamp": test_an_errors_own_time_is_its_time,
    "doc: models keyed by model, rate limits by endpoint": test_things_may_come_by_their_key_or_as_a_list,
    **{f"control: {kind}": test_messages_without_data_are_neither_rows_nor_errors_of_ours for kind in CONTROLS},
    "doc: sequence from 0": test_numbered_frames_in_order_have_no_fault,
    "sequence: holes": test_a_hole_is_told_and_marked_in_every_topic,
    "sequence: repeats suppressed": test_a_repeated_number_is_suppressed_and_told,
    "sequence: re-ordering": test_a_late_frame_is_taken_and_told,
    "sequence: restart at 0 after a reconnect": test_a_restart_at_0_after_a_reconnect_is_no_fault,
    "real: no sequence": test_the_real_metrics_update_gives_rows_of_several_topics,
    "real: historical_data on open is a snapshot": test_the_snapshot_at_open_is_no_data,
    "real: metrics_update nested, of several topics": test_the_real_metrics_update_gives_rows_of_several_topics,
    **{f"real: section {section}": test_each_section_is_understood_alone for section in sorted(SECTIONS - {"cache"})},
    "real: section cache": test_a_filled_cache_section_leaves_its_doubtful_rate_open,
    "real: empty sections before the first request": test_a_server_at_rest_sends_zeros_and_no_endpoints,
    "real: times to first token of completed streams": test_completed_streams_have_times_to_first_token_and_speeds,
    "real: deltas": test_deltas_are_known_and_left_out,
    "real: endpoint filter empties latencies": test_latencies_that_the_servers_own_filter_emptied_make_no_rows,
    "real: nothing of a frame is unknown": test_nothing_of_the_real_frames_is_unknown,
    "request: ping, and not heartbeat": test_the_heartbeat_is_the_one_that_the_real_server_answers,
    "request: subscribe with filters, unsubscribe": test_a_users_messages_are_framed_as_the_server_reads_them,
    "request: nothing on open": test_nothing_needs_to_be_sent_to_be_told_everything,
    "reply: pong to the server's ping": test_a_ping_of_the_servers_is_answered,
    "path /metrics/stream": test_one_connection_carries_everything,
    "unknown type, bad JSON, invalid UTF-8, binary": test_what_is_not_understood_is_told_and_kept,
    "fields that nobody named": test_fields_that_nobody_named_are_kept_and_counted,
    "fields of a wrong type": test_a_field_of_a_wrong_type_is_null_raw_in_extra_and_counted,
}


@pytest.mark.parametrize("item", COVERED)
def test_each_item_of_the_contract_has_a_case(item):
    case = COVERED[item]
    assert getattr(sys.modules[__name__], case.__name__) is case


def test_every_message_type_has_a_sample():
    assert set(DOCUMENTED) == set(TOPIC_OF)
    assert {message["type"] for message, _, _ in CONTROL_CASES} == set(CONTROLS)
    assert set(REAL) == set(REAL_AT_REST) == SECTIONS
