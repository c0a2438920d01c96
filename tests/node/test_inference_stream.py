"""The inference metrics stream: one server, in its documents' words and in its own."""

import itertools
import json
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurigraph_nb.node.systems.documented import Documented
from aurigraph_nb.node.systems.real import Real
from aurigraph_nb.node.systems.tape import ENDPOINTS, LENGTH, MODELS, Tape, Totals

NS = 1_000_000_000
START = 1_767_225_600 * NS
T = START + 10 * NS
TAPE = Tape(7, START)

FIELDS = {
    "metrics_update": "total_requests total_tokens total_cost avg_latency_ms error_rate streaming_percentage "
    "requests_per_second tokens_per_second active_connections",
    "model_update": "model request_count total_prompt_tokens total_completion_tokens total_tokens total_latency_ms "
    "error_count avg_latency_ms error_rate total_cost tokens_per_second",
    "system_update": "cpu_usage memory_usage gpu_usage gpu_memory_usage disk_usage network_in_bytes network_out_bytes "
    "active_workers queue_size",
    "rate_limit_update": "endpoint limit remaining reset_time percentage_used",
    "cost_update": "period total_cost breakdown_by_model breakdown_by_service projected_monthly_cost",
    "kv_cache_update": "cache_hits cache_misses hit_rate cache_size_bytes cache_entries evictions avg_lookup_time_ms",
    "heartbeat": "server_time uptime_seconds",
}
REQUEST = "id model created prompt_tokens completion_tokens total_tokens latency_ms streaming status cost"
MAY_REQUEST = {"error_message", "user_id", "organization_id"}
ERROR = "error_type error_message model timestamp request_id severity"


# The tape


def test_the_totals_are_the_sums_of_the_requests():
    lap = TAPE.lap_ns
    for t in (START, START + lap // 3, START + lap, START + 2 * lap + 12_345_678_901):
        requests = [TAPE.request(k) for k in range(TAPE.completed(t))]
        totals = TAPE.totals(t)
        assert totals.requests == len(requests)
        assert totals.tokens == sum(r.entry.prompt_tokens + r.entry.completion_tokens for r in requests)
        assert totals.cost_micro == sum(r.entry.cost_micro for r in requests)
        assert totals.errors == sum(r.entry.trouble is not None for r in requests)
        for part in ([TAPE.totals(t, model=m) for m in MODELS], [TAPE.totals(t, endpoint=e) for e in ENDPOINTS]):
            assert Totals(*(sum(column) for column in zip(*part, strict=True))) == totals


@given(st.integers(START, START + 10_000 * NS), st.integers(0, 120))
def test_what_is_between_two_times_is_the_difference_of_the_totals(t, seconds):
    requests = TAPE.between(t - seconds * NS, t)
    assert len(requests) == TAPE.window(t, seconds).requests
    assert all(t - seconds * NS < request.done_ns <= t for request in requests)


@given(st.integers(START, START + 10_000 * NS))
def test_the_active_ones_have_begun_and_not_completed(t):
    for request in TAPE.active(t):
        assert request.created_ns <= t < request.done_ns


def test_requests_have_ids_of_their_own_and_begin_in_order():
    ids = [TAPE.request(k).id for k in range(3 * LENGTH)]
    assert len(set(ids)) == len(ids)
    begun = [TAPE.started(j) for j in range(3 * LENGTH)]
    assert [r.created_ns for r in begun] == sorted(r.created_ns for r in begun)
    assert len({r.id for r in begun}) == len(begun)


# As documented


def documented(*quirks, seed=7):
    return Documented(seed, START, frozenset(quirks))


def play(seconds, *quirks, said=(), seed=7):
    system = documented(*quirks, seed=seed)
    talk = system.talk(0, authenticated=False)
    for message in said:
        talk.hear(json.dumps(message), START)
    emissions = system.score.take(START + seconds * NS)
    return [json.loads(frame) for emission in emissions for frame in talk.frames(emission)]


def of(frames, kind):
    return [frame for frame in frames if frame["type"] == kind]


def say(talk, message):
    heard = talk.hear(message if isinstance(message, str | bytes) else json.dumps(message), T)
    assert heard.close is None
    return heard.kind, [json.loads(answer) for answer in heard.answers]


@pytest.mark.parametrize("kind", FIELDS)
def test_a_frame_has_exactly_the_documented_fields(kind):
    frames = of(play(60), kind)
    assert frames
    for frame in frames:
        assert list(frame["data"]) == FIELDS[kind].split()
        assert isinstance(frame["timestamp"], int)


def test_every_documented_type_comes_within_a_minute():
    assert {f["type"] for f in play(60)} == {*FIELDS, "request_update", "error_update"}


def test_a_request_is_told_when_it_begins_and_when_it_ends():
    frames = of(play(120), "request_update")
    for frame in frames:
        data = frame["data"]
        assert set(REQUEST.split()) <= set(data) <= set(REQUEST.split()) | MAY_REQUEST
        assert data["total_tokens"] == data["prompt_tokens"] + data["completion_tokens"]
        assert ("error_message" in data) == (data["status"] == "error")
    stories = {}
    for frame in frames:
        stories.setdefault(frame["data"]["id"], []).append(frame)
    assert {tuple(f["data"]["status"] for f in story) for story in stories.values()} >= {
        ("in_progress", "success"),
        ("in_progress", "error"),
    }
    for begun, ended in (story for story in stories.values() if len(story) == 2):
        assert begun["timestamp"] == begun["data"]["created"] == ended["data"]["created"]
        assert ended["timestamp"] - begun["timestamp"] == ended["data"]["latency_ms"]


def test_an_error_is_told_beside_its_request():
    frames = play(300)
    errors = of(frames, "error_update")
    failed = {f["data"]["id"] for f in of(frames, "request_update") if f["data"]["status"] == "error"}
    assert {error["data"]["request_id"] for error in errors} == failed
    for error in errors:
        assert [name for name in error["data"] if name != "stack_trace"] == ERROR.split()
        assert error["data"]["severity"] in ("low", "medium", "high", "critical")
        assert error["data"]["timestamp"] == error["timestamp"]
    assert any("stack_trace" in error["data"] for error in of(play(3600), "error_update"))


def test_the_totals_agree_with_the_requests_that_were_told():
    frames = play(120)
    first, *_, last = of(frames, "metrics_update")
    ended = [f["data"] for f in of(frames, "request_update") if f["data"]["status"] != "in_progress"]
    assert last["data"]["total_requests"] - first["data"]["total_requests"] == len(ended)
    gained = last["data"]["total_cost"] - first["data"]["total_cost"]
    assert gained == pytest.approx(sum(request["cost"] for request in ended))


def test_models_and_rate_limits_come_by_turns():
    frames = play(30)
    assert [f["data"]["model"] for f in of(frames, "model_update")[:6]] == [*MODELS, MODELS[0]]
    assert [f["data"]["endpoint"] for f in of(frames, "rate_limit_update")[:3]] == list(ENDPOINTS)
    for limit in (f["data"] for f in of(frames, "rate_limit_update")):
        assert limit["limit"] - limit["remaining"] == pytest.approx(
            limit["percentage_used"] / 100 * limit["limit"], 0.1
        )


def test_the_breakdowns_of_the_cost_add_up():
    for cost in (f["data"] for f in of(play(60), "cost_update")):
        for parts in (cost["breakdown_by_model"], cost["breakdown_by_service"]):
            assert sum(parts.values()) == pytest.approx(cost["total_cost"])


def test_data_is_numbered_from_0_on_each_connection_and_the_rest_has_no_number():
    system = documented()
    first, second = (system.talk(i, authenticated=False) for i in range(2))
    emissions = system.score.take(START + 60 * NS)
    for talk, some in ((first, emissions), (second, emissions[50:])):
        frames = [json.loads(frame) for emission in some for frame in talk.frames(emission)]
        assert [f["sequence"] for f in frames if "sequence" in f] == list(
            range(len(frames) - len(of(frames, "heartbeat")))
        )
    assert "sequence" not in json.loads(first.greeting(T)[0])
    assert all("metadata" in f for f in of(play(5), "metrics_update"))


def test_a_sequence_may_restart():
    numbers = [f["sequence"] for f in play(60, "sequence-restart") if "sequence" in f]
    assert numbers == [n % 50 for n in range(len(numbers))] and len(numbers) > 150


def test_the_greeting_has_a_uuid4_that_follows_from_the_seed():
    ids = []
    for seed, ordinal in ((7, 0), (7, 0), (7, 1), (8, 0)):
        (frame,) = documented(seed=seed).talk(ordinal, authenticated=False).greeting(T)
        greeting = json.loads(frame)
        assert greeting["type"] == "init" and greeting["timestamp"] == T // 10**6
        ids.append(greeting["data"]["connection_id"])
    assert ids[0] == ids[1] and len(set(ids)) == 3 and uuid.UUID(ids[0]).version == 4


@pytest.mark.parametrize("kind", ["heartbeat", "ping"])
def test_a_heartbeat_is_answered_with_a_pong(kind):
    talk = documented().talk(0, authenticated=False)
    heard, (pong,) = say(talk, {"type": kind, "timestamp": 1})
    assert heard == "ping" and pong["type"] == "pong" and pong["timestamp"] == T // 10**6


def test_a_heartbeat_may_be_refused_and_a_ping_is_not():
    talk = documented("heartbeat-refused").talk(0, authenticated=False)
    _, (error,) = say(talk, {"type": "heartbeat"})
    assert (error["type"], error["message"]) == ("error", "Unknown message type: heartbeat")
    assert say(talk, {"type": "ping"})[1][0]["type"] == "pong"


def test_a_model_can_be_asked_for_alone():
    said = [{"type": "subscribe", "filters": {"model": MODELS[1]}}]
    frames = play(60, said=said)
    assert {f["data"]["model"] for f in frames if "model" in f["data"]} == {MODELS[1]}
    assert of(frames, "metrics_update")
    assert [f["sequence"] for f in frames if "sequence" in f] == list(range(len(frames) - 4))
    both = play(60, said=[*said, {"type": "unsubscribe"}])
    assert {f["data"]["model"] for f in of(both, "model_update")} == set(MODELS)


def test_another_seed_is_another_server():
    assert play(30) == play(30)
    assert play(30) != play(30, seed=8)


# As it really is


def real(seconds=0, said=(), since=START):
    system = Real(7, START, frozenset())
    talk = system.talk(0, authenticated=False)
    frames = talk.greeting(since)
    system.score.skip_to(since)
    for message in said:
        talk.hear(json.dumps(message), since)
    for emission in system.score.take(since + seconds * NS):
        frames += talk.frames(emission)
    return [json.loads(frame) for frame in frames]


SECTIONS = {
    "throughput": {
        "requests_per_sec", "responses_per_sec", "tokens_per_sec", "total_requests_per_sec", "total_tokens_per_sec",
    },
    "queue": {"active_streams", "queue_depth"},
    "streaming": {"active_streams", "completed_streams", "failed_streams", "ttft", "tokens_per_second"},
    "error": {"errors_per_sec", "total_errors_per_sec"},
    "cache": set(),
}  # fmt: skip


def test_history_comes_first_and_an_update_every_second():
    first, *updates = real(10)
    assert first["type"] == "historical_data" and first["timestamp"] == START / 1e9
    assert {update["type"] for update in updates} == {"metrics_update"}
    times = [update["timestamp"] for update in updates]
    assert [round(b - a, 6) for a, b in itertools.pairwise(times)] == [1.0] * 9
    assert list(updates[0]) == ["type", "timestamp", "data", "deltas"]
    assert isinstance(times[0], float)


def test_the_data_are_nested_as_the_real_ones():
    for frame in real(20):
        assert list(frame["data"]) == ["throughput", "latency", "cache", "queue", "streaming", "error"]
        for name, fields in SECTIONS.items():
            assert set(frame["data"][name]) == fields
        assert set(frame["data"]["latency"]) <= set(ENDPOINTS)
        for spread in frame["data"]["latency"].values():
            assert list(spread) == ["avg", "min", "max", "p50", "p90", "p99"]
            assert spread["min"] <= spread["p50"] <= spread["p90"] <= spread["p99"] <= spread["max"]


def test_the_deltas_are_what_changed_since_the_half_second_before():
    frames = real(5, said=[{"type": "subscribe", "filters": {"interval": 0.5}}])[1:]
    for before, now in itertools.pairwise(frames):
        change = (
            now["data"]["throughput"]["total_tokens_per_sec"] - before["data"]["throughput"]["total_tokens_per_sec"]
        )
        assert now["deltas"]["throughput"]["total_tokens_per_sec"] == pytest.approx(change, abs=1e-5)
        assert set(now["deltas"]["streaming"]) == {"active_streams_delta"}


def test_filters_are_added_confirmed_and_reset():
    talk = Real(7, START, frozenset()).talk(0, authenticated=False)
    _, (answer,) = say(talk, {"type": "subscribe", "filters": {"endpoint": ENDPOINTS[0], "interval": 2}})
    assert answer == {
        "type": "subscribed",
        "filters": {"endpoints": [ENDPOINTS[0]], "models": [], "metric_types": ["all"], "interval": 2.0},
    }
    _, (answer,) = say(talk, {"type": "subscribe", "filters": {"model": "m", "metric_type": "queue"}})
    assert answer["filters"]["models"] == ["m"] and answer["filters"]["metric_types"] == ["all", "queue"]
    assert answer["filters"]["endpoints"] == [ENDPOINTS[0]]
    assert say(talk, {"type": "unsubscribe"})[1][0]["type"] == "unsubscribed"
    assert say(talk, {"type": "subscribe"})[1][0]["filters"]["endpoints"] == []


def test_filters_leave_out_the_other_endpoints_and_set_the_pace():
    said = [{"type": "subscribe", "filters": {"endpoint": ENDPOINTS[1], "interval": 3}}]
    _, *updates = real(13, said=said)
    assert len(updates) == 4
    for update in updates:
        assert set(update["data"]["throughput"]["requests_per_sec"]) == {ENDPOINTS[1]}
        assert "total_requests_per_sec" in update["data"]["throughput"]


@pytest.mark.parametrize(
    "message, error",
    [
        ({"type": "heartbeat"}, "Unknown message type: heartbeat"),
        ({}, "Unknown message type: None"),
        ([], "Internal error: an object was expected"),
        ({"type": "subscribe", "filters": {"metric_type": "mood"}}, "Invalid metric type: mood"),
        ("nonsense", "Invalid JSON: "),
    ],
)
def test_errors_are_told_and_close_nothing(message, error):
    talk = Real(7, START, frozenset()).talk(0, authenticated=False)
    kind, (answer,) = say(talk, message)
    assert kind == "ignored" and answer["type"] == "error" and answer["message"].startswith(error)
    kind, (pong,) = say(talk, {"type": "ping"})
    assert kind == "ping" and pong == {"type": "pong", "timestamp": T / 1e9}


def test_filters_are_bounded():
    talk = Real(7, START, frozenset()).talk(0, authenticated=False)
    for i in range(1000):
        _, (answer,) = say(talk, {"type": "subscribe", "filters": {"model": f"{i}" * 1000, "interval": 10**400}})
    assert len(answer["filters"]["models"]) == 100
    assert max(map(len, answer["filters"]["models"])) == 100


WILD = st.text() | st.binary() | st.from_regex(r'\{"type": ?("subscribe"|"ping"|\[\]|1e999|7)(, "filters": .*)?\}')


@settings(deadline=None, max_examples=30)
@given(WILD)
def test_whatever_is_said_is_survived(message):
    for system in (documented(), Real(7, START, frozenset())):
        heard = system.talk(0, authenticated=False).hear(message, T)
        assert all(len(answer) < 2000 for answer in heard.answers) and heard.close is None
