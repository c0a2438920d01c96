"""The live stream: its frames field by field, and what it says to whom."""

import itertools
import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.node.model import Model, ModelOptions
from aurigraph_nb.node.systems.live import CHANNELS, Live
from aurigraph_nb.node.view import look

NS = 1_000_000_000
START = 1_767_225_600 * NS
T = START + 10 * NS

FIELDS = {
    "tps_update": "currentTPS peakTPS averageTPS latency",
    "block_update": "blockHeight blockTime transactions producer",
    "network_update": "activeNodes totalNodes networkHealth avgLatency",
    "validator_update": "totalValidators activeValidators inactiveValidators jailedValidators",
}
TYPES = dict(zip(CHANNELS, FIELDS, strict=True))


def live(*quirks, seed=7, scenario="steady"):
    model = Model(ModelOptions(seed=seed, scenario=scenario), START)

    def look_at():
        return look(model)

    system = Live(seed, START, frozenset(quirks), look_at)
    return model, system


def play(seconds, *quirks, channels=tuple(CHANNELS), **options):
    """Frames of a talk that subscribed to ``channels``, with the model's events beside it."""
    model, system = live(*quirks, **options)
    talk = system.talk(0, authenticated=False)
    for channel in channels:
        if channel != "tps_updates":
            talk.hear(json.dumps({"type": "subscribe", "channel": channel}), START)
    frames, events = [], []
    while (cue := system.score.next_ns) <= START + seconds * NS:
        events += model.take(cue)
        frames += [frame for emission in system.score.take(cue) for frame in talk.frames(emission)]
    return [json.loads(frame) for frame in frames], events, model


def of(frames, kind):
    return [frame for frame in frames if frame["type"] == kind]


def say(talk, message, now_ns=T):
    heard = talk.hear(message if isinstance(message, str | bytes) else json.dumps(message), now_ns)
    return heard.kind, [json.loads(answer) for answer in heard.answers]


@pytest.mark.parametrize("kind", FIELDS)
def test_a_frame_has_exactly_the_documented_fields(kind):
    frames, _, _ = play(10)
    for frame in of(frames, kind):
        assert list(frame) == ["type", "payload", "timestamp"]
        assert list(frame["payload"]) == FIELDS[kind].split()


@pytest.mark.parametrize("channel, period", CHANNELS.items())
def test_each_channel_has_its_own_pace(channel, period):
    frames, _, _ = play(60)
    times = [frame["timestamp"] for frame in of(frames, TYPES[channel])]
    assert {b - a for a, b in itertools.pairwise(times)} == {period * 1000}
    assert len(times) in (60 // period, 60 // period + 1)


def test_the_throughput_is_that_of_the_topic_stream():
    frames, events, _ = play(30)
    metrics = [(e.time_ns // 10**6, e.tps) for e in events if e.topic == "metrics"]
    assert [(f["timestamp"], f["payload"]["currentTPS"]) for f in of(frames, "tps_update")] == metrics
    last = of(frames, "tps_update")[-1]["payload"]
    assert last["peakTPS"] == max(tps for _, tps in metrics)
    assert last["averageTPS"] == pytest.approx(sum(tps for _, tps in metrics) / len(metrics), abs=0.1)


def test_the_blocks_are_those_of_the_consensus():
    frames, events, _ = play(60)
    for frame in of(frames, "block_update"):
        t = frame["timestamp"] * 10**6
        commits = [e for e in events if e.topic == "consensus" and e.phase == "COMMITTED" and e.time_ns <= t]
        proposals = [e.last_block_proposed for e in events if e.topic == "validators" and e.time_ns <= t]
        payload = frame["payload"]
        assert payload["producer"] == commits[-1].leader
        assert payload["blockHeight"] == max(proposals)
        if len(commits) > 1:
            between_ns = commits[-1].time_ns - commits[-2].time_ns
            assert payload["blockTime"] == pytest.approx(between_ns / 1e6, abs=0.1)


def test_the_network_and_the_validators_are_those_of_the_topic_streams():
    frames, events, model = play(60, scenario="partition")
    view = look(model)
    network, validators = of(frames, "network_update")[-1]["payload"], of(frames, "validator_update")[-1]["payload"]
    assert network["totalNodes"] == 17 and validators["totalValidators"] == 20
    assert network["networkHealth"] in ("healthy", "degraded", "critical")
    assert sum(validators.values()) == 40  # all of them, and all by state
    seen = {e.peer_id: e.connected for e in events if e.topic == "network"}
    assert view.active_nodes == sum(seen.values()) + 17 - len(seen)
    shares = [f["payload"]["activeNodes"] for f in of(frames, "network_update")]
    assert min(shares) < 17 == max(shares)  # some were cut off for a while


def test_the_welcome_has_a_uuid4_that_follows_from_the_seed():
    _, one = live()
    _, same = live()
    _, other = live(seed=8)
    ids = []
    for system, ordinal in ((one, 0), (same, 0), (one, 1), (other, 0)):
        (frame,) = system.talk(ordinal, authenticated=False).greeting(T)
        welcome = json.loads(frame)
        assert list(welcome) == ["type", "payload", "timestamp"]
        assert welcome["type"] == "connection_established" and welcome["payload"]["timestamp"] == T // 10**6
        ids.append(welcome["payload"]["connectionId"])
    assert ids[0] == ids[1] and len(set(ids)) == 3
    assert all(uuid.UUID(one).version == 4 for one in ids)


def test_throughput_comes_unasked_and_nothing_else_does():
    frames, _, _ = play(30, channels=())
    assert {frame["type"] for frame in frames} == {"tps_update"}


@pytest.mark.parametrize("message", [{"channel": "block_updates"}, {"payload": {"channel": "block_updates"}}])
def test_a_channel_is_taken_from_the_top_or_the_payload(message):
    talk = live()[1].talk(0, authenticated=False)
    kind, (answer,) = say(talk, {"type": "subscribe", **message})
    assert kind == "command"
    assert answer == {
        "type": "subscription_confirmed",
        "payload": {"channel": "block_updates", "status": "subscribed"},
        "timestamp": T // 10**6,
    }


@pytest.mark.parametrize(
    "message, error",
    [
        ({"type": "subscribe"}, "Channel not specified"),
        ({"type": "subscribe", "payload": {}}, "Channel not specified"),
        ({"type": "unsubscribe", "payload": "block_updates"}, "Channel not specified"),
        ({"type": "subscribe", "channel": "weather"}, "Unknown channel: weather"),
        ({"type": "subscribe", "channel": [1]}, "Unknown channel: [1]"),
        ("no json", "Invalid message format"),
        (b"\x00\xff", "Invalid message format"),
        ("[1]", "Invalid message format"),
        ("[" * 5000, "Invalid message format"),
    ],
)
def test_what_cannot_be_done_is_told(message, error):
    talk = live()[1].talk(0, authenticated=False)
    _, (answer,) = say(talk, message)
    assert (answer["type"], answer["payload"]) == ("error", {"error": error})


def test_a_ping_is_answered_and_an_unknown_type_is_ignored():
    talk = live()[1].talk(0, authenticated=False)
    kind, (answer,) = say(talk, {"type": "ping", "timestamp": 1})
    assert kind == "ping" and answer == {"type": "pong", "payload": {"timestamp": T // 10**6}, "timestamp": T // 10**6}
    assert say(talk, {"type": "horoscope"}) == say(talk, {}) == ("ignored", [])


@given(st.text() | st.binary() | st.from_regex(r'\{"type": ?("subscribe"|"ping"|\[\]|1e999|7)(, "channel": .*)?\}'))
def test_whatever_is_said_is_survived(message):
    talk = live()[1].talk(0, authenticated=False)
    heard = talk.hear(message, T)
    assert all(len(answer) < 1000 for answer in heard.answers) and heard.close is None


# Subscriptions and quirks


def block(*quirks, said=()):
    """What a talk sends of each of eight block updates, after some messages."""
    model, system = live(*quirks)
    talk = system.talk(0, authenticated=False)
    for message in said:
        say(talk, message)
    model.take(START + 20 * NS)
    blocks = [e for e in system.score.take(START + 17 * NS) if e.channel == "block_updates"]
    return [len(talk.frames(emission)) for emission in blocks]


ASK = {"type": "subscribe", "channel": "block_updates"}
END = {"type": "unsubscribe", "channel": "block_updates"}


@pytest.mark.parametrize(
    "quirks, said, copies",
    [
        ((), [], 0),
        ((), [ASK], 1),
        ((), [ASK, ASK], 1),
        ((), [ASK, END], 0),
        (("unsubscribe-ignored",), [ASK, END], 1),
        (("doubled-frames",), [ASK], 2),
        (("doubled-subscriptions",), [ASK], 1),
        (("doubled-subscriptions",), [ASK, ASK], 2),
        (("doubled-subscriptions",), [ASK] * 50, 10),
        (("lost-subscriptions",), [ASK], 0),
        (("lost-subscriptions",), [ASK, ASK], 1),
    ],
)
def test_how_often_a_frame_comes(quirks, said, copies):
    assert block(*quirks, said=said) == [copies] * 8


def test_a_lost_subscription_is_not_answered_and_the_next_is():
    talk = live("lost-subscriptions")[1].talk(0, authenticated=False)
    assert say(talk, ASK)[1] == []
    assert say(talk, ASK)[1][0]["type"] == "subscription_confirmed"


def test_one_channel_falls_silent_and_the_others_go_on():
    assert block("silent-channel", said=[ASK]) == [1] * 5 + [0] * 3
    frames, _, _ = play(30, "silent-channel")
    assert len(of(frames, "block_update")) == 5 and len(of(frames, "network_update")) == 10


def test_throughput_above_the_peak_and_a_target_are_sent_on_request():
    frames, _, _ = play(60, "tps-above-peak", "target-tps")
    updates = [frame["payload"] for frame in of(frames, "tps_update")]
    assert any(update["currentTPS"] > update["peakTPS"] for update in updates)
    assert list(updates[0]) == [*FIELDS["tps_update"].split(), "targetTPS"]
    honest = [frame["payload"] for frame in of(play(60)[0], "tps_update")]
    assert all(update["currentTPS"] <= update["peakTPS"] for update in honest)
