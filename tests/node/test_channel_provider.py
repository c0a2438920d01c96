"""The channel provider: its messages field by field, the lives of its sessions, and what clients may say."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.node.systems.channels import Channels
from aurigraph_nb.node.tokens import Tokens

NS = 1_000_000_000
START = 1_767_225_600 * NS
T = START + 10 * NS
CHANNELS = {
    "bandwidth_update", "session_update", "subscriber_update", "ticket_update", "invoice_update", "network_status",
}  # fmt: skip
SESSION = "session_id username ip_address nas_ip_address upload_bytes download_bytes session_time_seconds last_update"


def provider(*quirks, seed=7, tokens=()):
    return Channels(seed, START, frozenset(quirks), Tokens(tokens))


def play(seconds, *quirks, seed=7):
    system = provider(*quirks, seed=seed)
    return [json.loads(emission.body) for emission in system.score.take(START + seconds * NS)]


def of(messages, channel):
    return [message for message in messages if message["type"] == channel]


def talk(*quirks, tokens=(), authenticated=False):
    return provider(*quirks, tokens=tokens).talk(0, authenticated=authenticated)


def say(one, message, now_ns=T):
    heard = one.hear(message if isinstance(message, str | bytes) else json.dumps(message), now_ns)
    return heard.kind, [json.loads(answer) for answer in heard.answers], heard.close


def test_every_channel_speaks_within_half_a_minute():
    messages = play(30)
    assert {message["type"] for message in messages} == CHANNELS
    for message in messages:
        assert list(message) == ["type", "data", "timestamp"]
        assert len(message["timestamp"]) == 24 and message["timestamp"].endswith("Z")


def test_messages_come_in_time_order():
    times = [message["timestamp"] for message in play(120)]
    assert times == sorted(times)


def test_bandwidth_has_the_documented_fields_and_pace():
    updates = of(play(60), "bandwidth_update")
    assert list(updates[0]["data"]) == ["timestamp", "upload_mbps", "download_mbps", "latency_ms"]
    assert [update["timestamp"] for update in updates[:3]] == [f"2026-01-01T00:00:0{s}.000Z" for s in (0, 2, 4)]
    assert len(updates) == 31
    assert all(0 < update["data"]["latency_ms"] < 100 for update in updates)
    assert len({update["data"]["download_mbps"] for update in updates}) > 25


def test_a_session_has_the_documented_fields():
    for update in of(play(60), "session_update"):
        assert list(update["data"]) == ["action", "session"]
        assert list(update["data"]["session"]) == SESSION.split()
        assert update["data"]["session"]["last_update"] == update["timestamp"]


def test_sessions_begin_go_on_and_end():
    lives = {}
    for update in of(play(1200), "session_update"):
        lives.setdefault(update["data"]["session"]["session_id"], []).append(update["data"])
    whole = [life for life in lives.values() if life[0]["action"] == "new" and life[-1]["action"] == "terminate"]
    assert len(whole) > 20
    for life in whole:
        assert {step["action"] for step in life[1:-1]} == {"update"}
        for name in ("upload_bytes", "download_bytes", "session_time_seconds"):
            values = [step["session"][name] for step in life]
            assert values == sorted(values) and values[0] == 0 < values[-1]
        assert len({step["session"]["username"] for step in life}) == 1
    for life in lives.values():  # each ends once
        assert [step["action"] for step in life].count("terminate") <= 1
        assert "new" not in [step["action"] for step in life[1:]]


def test_a_population_is_there_from_the_start():
    first = of(play(13), "session_update")
    assert len({update["data"]["session"]["session_id"] for update in first}) >= 12
    assert any(update["data"]["session"]["session_time_seconds"] > 30 for update in first)


def test_tickets_are_opened_worked_on_and_closed():
    tickets = [message["data"] for message in of(play(300), "ticket_update")]
    assert [ticket["status"] for ticket in tickets[:3]] == ["open", "in_progress", "closed"]
    assert len({ticket["id"] for ticket in tickets[:3]}) == 1


def test_another_seed_has_other_people():
    assert play(60) == play(60)
    assert play(60) != play(60, seed=8)


@pytest.mark.parametrize(
    "quirk, names",
    [("event-key", ["event", "data", "timestamp"]), ("flat-events", ["event_type", "timestamp", "action", "session"])],
)
def test_relatives_name_the_channel_elsewhere(quirk, names):
    message = next(m for m in play(20, quirk) if "session_update" in m.values())
    assert list(message) == names


def test_a_flat_event_has_one_timestamp():
    message = next(m for m in play(5, "flat-events") if m["event_type"] == "bandwidth_update")
    assert list(message) == ["event_type", "timestamp", "upload_mbps", "download_mbps", "latency_ms"]


# What clients say


def test_nothing_greets_and_everything_comes():
    one = talk()
    assert one.greeting(T) == [] and not one.waits_for_token
    (emission, *_) = provider().score.take(START)
    assert one.frames(emission) == [emission.body]


@pytest.mark.parametrize(
    "message", [{"type": "auth", "token": "whatever"}, {"type": "ping"}, {}, [], "nonsense", b"\x01"]
)
def test_where_no_token_is_needed_anything_may_be_said(message):
    _, answers, close = say(talk(), message)
    assert answers == [] and close is None


def test_thirty_commands_a_minute_are_heeded_and_the_next_is_told_how_long_to_wait():
    one = talk()
    for i in range(30):
        assert say(one, {"type": "disconnect_user", "data": {}}, T + i * NS) == ("command", [], None)
    kind, (error,), close = say(one, {"type": "more"}, T + 30 * NS)
    assert kind == "ignored" and close is None
    assert error == {"type": "error", "error": "rate_limit_exceeded", "retry_after": 30}
    assert say(one, {"type": "more"}, T + 60 * NS)[0] == "command"
    assert say(one, {"type": "more"}, T + 60 * NS)[0] == "ignored"


def test_who_sends_all_at_once_waits_a_minute():
    one = talk()
    answers = [say(one, {"type": "reboot"})[1] for _ in range(31)]
    assert answers[30][0]["retry_after"] == 60


def test_pings_are_no_commands():
    one = talk()
    assert {say(one, {"type": "ping"})[0] for _ in range(50)} == {"ping"}


def test_strict_servers_close_for_what_is_no_json():
    assert say(talk("strict-json"), "nonsense")[2] == (1007, "invalid JSON")
    assert say(talk("strict-json"), b"\x00\x01")[2] == (1003, "text expected")
    assert say(talk("strict-json"), '{"type": "list"}')[2] is None


def test_a_token_in_the_first_message_opens():
    one = talk(tokens=["sesame"])
    (emission, *_) = provider().score.take(START)
    assert one.waits_for_token and one.frames(emission) == []
    assert say(one, {"type": "auth", "token": "sesame"}) == ("command", [], None)
    assert not one.waits_for_token and one.frames(emission) == [emission.body]
    assert say(one, {"type": "reboot"})[0] == "command"


def test_a_token_may_stand_in_the_data_as_the_other_messages_have_it():
    assert say(talk(tokens=["sesame"]), {"type": "auth", "data": {"token": "sesame"}})[0] == "command"


@pytest.mark.parametrize(
    "message, reason",
    [
        ({"type": "auth", "token": "barley"}, "authentication failed"),
        ({"type": "auth"}, "authentication failed"),
        ({"type": "auth", "token": ["sesame"]}, "authentication failed"),
        ({"type": "auth", "token": "sésame"}, "authentication failed"),
        ({"type": "reboot"}, "authentication required"),
        ({"type": "ping"}, "authentication required"),
        ("nonsense", "authentication required"),
        (b"\x00", "authentication required"),
    ],
)
def test_anything_else_first_is_closed_with_1008(message, reason):
    assert say(talk(tokens=["sesame"]), message) == ("denied", [], (1008, reason))


def test_who_authenticated_in_the_handshake_need_not_do_so_again():
    one = talk(tokens=["sesame"], authenticated=True)
    assert not one.waits_for_token
    assert say(one, {"type": "auth", "token": "sesame"})[0] == "command"
    assert say(one, {"type": "auth", "token": "barley"})[2] == (1008, "authentication failed")


@given(st.text() | st.binary() | st.from_regex(r'\{"type": ?("auth"|"x"|\[\]|null)(, "(token|data)": .*)?\}'))
def test_whatever_is_said_is_survived(message):
    for one in (talk(), talk(tokens=["sesame"]), talk("strict-json")):
        assert one.hear(message, T).kind in ("command", "ping", "ignored", "denied")
