"""What a client promises beside rows: subscriptions, heartbeats, sending, hooks, tokens, statistics by HTTP."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import threading

import pytest
from scripted import ScriptedServer, closes, hold, sends
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.frames import Opcode
from websockets.http11 import Response

import aurigraph_nb as ag
from aurigraph_nb import fallback
from aurigraph_nb.session import State

QUICK = ag.Backoff(0.01, 1.5, max_s=0.05, jitter=False)
LIVE, CHANNELS, FAKEAI = "/api/v11/live/stream", "/ws", "/metrics/stream"


@pytest.fixture(autouse=True)
def all_closed():
    yield
    ag.close_all()


def until(feed, condition, timeout=10):
    with feed.news:
        assert feed.news.wait_for(condition, timeout), f"not met in {timeout} s; {feed.status}"


def wrap(kind, payload, at=1_767_225_600_000, key="payload"):
    return json.dumps({"type": kind, key: payload, "timestamp": at})


def tps(i):
    return wrap("tps_update", {"currentTPS": i, "peakTPS": 9, "averageTPS": 5, "latency": 3}, 1_767_225_600_000 + i)


def block(i):
    return wrap(
        "block_update",
        {"blockHeight": i, "blockTime": 2000, "transactions": 5, "producer": "v1"},
        1_767_225_600_000 + i,
    )


WELCOME = wrap("connection_established", {"connectionId": "c-1", "timestamp": 1})


def confirmed(channel):
    return wrap("subscription_confirmed", {"channel": channel, "status": "subscribed"})


class Recorder:
    """A script that notes what the client sends and answers by a function."""

    def __init__(self, answer=lambda message: (), first=()):
        self.messages, self.answer, self.first = [], answer, first
        self.came = threading.Condition()

    async def __call__(self, ws):
        for message in self.first:
            await ws.send(message)
        try:
            async for text in ws:
                with self.came:
                    self.messages.append(json.loads(text))
                    self.came.notify_all()
                for reply in self.answer(self.messages[-1]):
                    await ws.send(reply)
        except ConnectionClosed:
            pass

    def wait(self, condition, timeout=10):
        with self.came:
            assert self.came.wait_for(lambda: condition(self.messages), timeout), self.messages


# Subscriptions


def test_live_metrics_come_unasked_and_other_topics_are_asked_for_once_a_connection():
    def answer(message):
        return (confirmed(message["channel"]), block(1)) if message["type"] == "subscribe" else ()

    script = Recorder(answer, first=(WELCOME, tps(1)))
    with ScriptedServer(script) as server:
        feed = ag.connect(server.url(LIVE), reconnect=QUICK)
        feed.metrics.wait(1, timeout=10)
        feed.blocks.wait(1, timeout=10)
        feed.blocks.open()
        len(feed.blocks.to_pandas())
        feed.reconnect()
        feed.blocks.wait(2, timeout=10)
        asked = [m["channel"] for m in script.messages if m["type"] == "subscribe"]
        assert asked == ["block_updates", "block_updates"]  # once on each of two connections
        assert feed.status.connection_id == "c-1"


def test_what_nobody_opened_is_left_out_and_counted():
    with ScriptedServer(sends(WELCOME, tps(1), block(1), tps(2))) as server:
        feed = ag.connect(server.url(LIVE))
        feed.metrics.wait(2, timeout=10)
        assert len(feed.blocks) == 0 and feed.status.topics["blocks"].filtered == 1


def test_a_topic_that_was_left_brings_nothing_though_the_server_goes_on():
    numbers = itertools.count()
    script = Recorder(
        lambda m: [] if m["type"] == "ping" else [block(next(numbers)) for _ in range(3)], first=(WELCOME,)
    )
    with ScriptedServer(script) as server:
        feed = ag.connect(server.url(LIVE))
        feed.blocks.wait(3, timeout=10)
        feed.blocks.unsubscribe()
        script.wait(lambda seen: any(m["type"] == "unsubscribe" for m in seen))
        until(feed, lambda: feed.status.topics["blocks"].filtered == 3)
        assert len(feed.blocks.to_pandas()) == 3 and not feed.blocks.opened
        feed.blocks.open()
        script.wait(lambda seen: sum(m["type"] == "subscribe" for m in seen) == 2)


def test_exact_repeats_on_the_live_stream_are_suppressed_and_counted():
    with ScriptedServer(sends(WELCOME, tps(1), tps(1), tps(2))) as server:
        feed = ag.connect(server.url(LIVE))
        feed.metrics.wait(2, timeout=10)
        assert [r.tps for r in feed.metrics] == [1, 2]
        assert feed.status.topics["metrics"].suppressed == 1


def test_a_channel_that_dies_silently_makes_a_new_connection():
    async def silent(ws):
        await ws.send(tps(1))
        await ws.wait_closed()

    with ScriptedServer(silent, sends(tps(2))) as server:
        feed = ag.connect(server.url(LIVE), reconnect=QUICK)
        feed.metrics.idle._limit_ns = 50_000_000
        feed.metrics.wait(2, timeout=20)
        assert [r.conn_epoch for r in feed.metrics] == [1, 2]
        assert {g.cause for g in feed.gaps} >= {"disconnect"}


# Channels


def test_any_channel_is_a_topic_and_the_star_is_every_message():
    messages = [
        wrap("bandwidth_update", {"upload_mbps": 1.5, "download_mbps": 2, "latency_ms": 3}, key="data"),
        wrap(
            "session_update", {"action": "new", "session": {"session_id": "s1", "session_time_seconds": 5}}, key="data"
        ),
        wrap("ticket_update", {"id": 7, "who": {"name": "Ann"}}, key="data"),
        wrap("weather", {"sky": "blue"}, key="data"),
    ]

    async def script(ws):
        await asyncio.to_thread(go.wait, 10)
        for message in messages:
            await ws.send(message)
        await ws.wait_closed()

    go = threading.Event()
    with ScriptedServer(script) as server:
        feed = ag.connect(server.url(CHANNELS), protocol="channels")
        for name in ("bandwidth", "sessions", "tickets", "weather", "*"):
            feed[name].open()
        until(feed, lambda: feed.status.connected)
        go.set()
        feed["*"].wait(4, timeout=10)
        feed["weather"].wait(1, timeout=10)
        assert feed.bandwidth.latest.upload_mbps == 1.5
        assert list(feed.sessions.current) == ["s1"] and feed.sessions.by_time()[0].session_time_s == 5
        flat = feed.tickets.flat()
        assert flat["id"].tolist() == [7] and flat["who.name"].tolist() == ["Ann"]
        assert feed["weather"].flat()["sky"].tolist() == ["blue"]
        with pytest.raises(ag.UnknownTopic):
            feed[""]


def test_the_first_word_on_the_channels_is_the_token():
    script = Recorder(first=(wrap("weather", {}, key="data"),))
    with ScriptedServer(script) as server:
        feed = ag.connect(server.url(CHANNELS), protocol="channels", token="tok-en")
        feed["weather"].wait(1, timeout=10)
        script.wait(bool)
        assert script.messages[0] == {"type": "auth", "token": "tok-en"}
        assert "Authorization" not in server.headers[0]
        assert feed.send("refresh", {"a": 1}) == "sent"
        script.wait(lambda seen: len(seen) == 2)
        assert script.messages[1]["type"] == "refresh" and script.messages[1]["data"] == {"a": 1}


# Tokens


@pytest.mark.parametrize("by", ["header", "query", "cookie"])
def test_a_token_travels_as_it_is_told(by):
    with ScriptedServer(sends(tps(1))) as server:
        feed = ag.connect(server.url(LIVE), token="to+ken", token_by=by)
        feed.metrics.wait(1, timeout=10)
        seen = {
            "header": server.headers[0].get("Authorization") == "Bearer to+ken",
            "query": "token=to%2Bken" in server.paths[0],
            "cookie": server.headers[0].get("Cookie") == "token=to+ken",
        }
        assert [name for name, there in seen.items() if there] == [by]
        assert "to+ken" not in repr(feed.connections) + repr(feed.status)


def test_a_token_that_is_refused_in_a_message_ends_in_one_error():
    script = Recorder(lambda m: ['{"type":"auth_response","success":false,"message":"expired"}'])
    with ScriptedServer(script) as server:
        feed = ag.connect(server.url(CHANNELS), protocol="channels", token="old", reconnect=QUICK)
        with pytest.raises(ag.AuthRefused, match="expired") as caught:
            feed["*"].wait(1, timeout=10)
        assert "old" not in str(caught.value) and server.accepted == 1


def test_a_token_reaches_its_own_server_and_no_other():
    with ScriptedServer(sends(tps(1))) as mine, ScriptedServer(sends(tps(1))) as other:

        def redirect(ws, request):
            return Response(302, "Found", Headers(Location=other.url(LIVE).replace("ws:", "http:")))

        with ScriptedServer(process_request=redirect) as lying:
            trusting = ag.connect(lying.url(LIVE), token="secret-token", reconnect=QUICK)
            with pytest.raises(ag.ConnectFailed):
                trusting.metrics.wait(1, timeout=10)
        ag.connect(mine.url(LIVE), token="secret-token").metrics.wait(1, timeout=10)
        ag.connect(other.url(LIVE)).metrics.wait(1, timeout=10)
        assert "Authorization" in mine.headers[0]
        assert not any("secret-token" in str(h) for h in [*other.headers, *other.paths])


# Heartbeats


def test_a_heartbeat_goes_at_open_and_its_answer_is_the_latency():
    script = Recorder(lambda m: ['{"type":"pong","timestamp":1}'] if m["type"] == "ping" else ())
    with ScriptedServer(script) as server:
        feed = ag.connect(server.url(FAKEAI))
        feed.metrics.open()
        until(feed, lambda: feed.status.latency_ms is not None)
        assert 0 < feed.status.latency_ms < 5_000
        record = feed.connections[0]
        assert record.state is State.CONNECTED and record.quality in ("EXCELLENT", "GOOD", "FAIR", "POOR")


def test_silence_after_a_heartbeat_ends_the_connection():
    async def deaf(ws):
        ws.transport.pause_reading()
        await came_again.wait()
        ws.transport.abort()

    async def answers(ws):
        came_again.set()
        await sends(wrap("metrics_update", {"total_requests": 1}, key="data"))(ws)

    came_again = asyncio.Event()
    with ScriptedServer(deaf, answers) as server:
        feed = ag.connect(server.url(FAKEAI), heartbeat_timeout_s=0.1, reconnect=QUICK)
        feed.metrics.wait(1, timeout=20)
        assert feed.metrics.latest.conn_epoch == 2
        assert "no sign of life" in feed.gaps.rows()[0].detail


def test_any_frame_counts_as_life():
    numbers = itertools.count()

    def no_pong(message):
        at = next(numbers)
        return (wrap("metrics_update", {"total_requests": at}, 1_767_225_600_000 + at, key="data"),)

    async def mute(ws):
        keep_pings_from(ws, asyncio.Event())
        await script(ws)

    script = Recorder(no_pong)
    with ScriptedServer(mute) as server:
        feed = ag.connect(server.url(FAKEAI), heartbeat_interval_s=0.05, heartbeat_timeout_s=0.3, reconnect=QUICK)
        feed.metrics.wait(12, timeout=20)  # longer than silence would be borne
        assert {m["type"] for m in script.messages} == {"ping"}
        assert {r.conn_epoch for r in feed.metrics} == {1}


def keep_pings_from(ws, came):
    """Let no ping of the WebSocket protocol reach a server, which would answer it; the event tells of each."""
    original = ws.protocol.recv_frame

    def recv_frame(frame):
        if frame.opcode is Opcode.PING:
            came.set()
        else:
            original(frame)

    ws.protocol.recv_frame = recv_frame


# Sending


def test_messages_to_an_inference_server_wait_for_the_connection_in_order():
    script = Recorder()
    with ScriptedServer(script) as server:
        feed = ag.connect(server.url(FAKEAI), auto_connect=False, send_queue=2)
        feed.metrics.open()
        until(feed, lambda: feed.connections)
        assert [feed.send("note", {"i": i}) for i in range(3)] == ["queued", "queued", "dropped"]
        assert (feed.status.queued_messages, feed.status.dropped_messages) == (2, 1)
        feed.connect()
        script.wait(lambda seen: sum(m["type"] == "note" for m in seen) == 2)
        assert [m["data"]["i"] for m in script.messages if m["type"] == "note"] == [0, 1]


def test_other_systems_have_no_queue():
    feed = ag.connect("ws://127.0.0.1:1" + LIVE, reconnect=QUICK)
    feed.metrics.open()
    assert feed.send("note", {}) == "dropped"
    with pytest.raises(ag.BadOption, match="JSON"):
        feed.send("note", {"x": object()})
    feed.close()
    with pytest.raises(ag.FeedClosed):
        feed.send("note")


# Hooks


def test_hooks_tell_the_life_of_a_connection():
    told, done = [], threading.Event()

    def note(name):
        def hook(*arguments):
            told.append((name, *arguments))
            if name == "reconnected":
                done.set()

        return hook

    with ScriptedServer(closes(1011, "bye", tps(1)), closes(1011, "again"), sends(tps(2))) as server:
        feed = ag.connect(server.url(LIVE), reconnect=QUICK)
        for name in ("connect", "disconnect", "reconnecting", "reconnected", "error", "exhausted"):
            getattr(feed, f"on_{name}")(note(name))
        feed.metrics.wait(2, timeout=10)
        assert done.wait(10)
        names = [name for name, *_ in told]
        assert names[:3] == ["connect", "disconnect", "reconnecting"]
        assert "bye" in told[1][1] and told[2][1] == 1
        with pytest.raises(ag.BadOption):
            feed.on_connect("print")


def test_hooks_tell_when_the_attempts_are_used_up():
    done, told = threading.Event(), []
    feed = ag.connect("ws://127.0.0.1:1/ws/metrics", reconnect=ag.Backoff(0.01, 1, attempts=2, jitter=False))
    feed.on_exhausted(lambda error: (told.append(error), done.set()))
    with pytest.raises(ag.ConnectFailed, match=r"127\.0\.0\.1:1"):
        feed.metrics.wait(1, timeout=10)
    assert done.wait(10) and "127.0.0.1:1" in told[0]


# Statistics by HTTP

STATS = {"transactionStats": {"currentTPS": 7, "peakTPS": 9, "averageTPS": 8}, "currentHeight": 12}


def statistics(refuse):
    def process(ws, request):
        if request.path == "/api/v11/blockchain/stats":
            body = json.dumps(STATS).encode()
            return Response(200, "OK", Headers({"Content-Length": str(len(body)), "Connection": "close"}), body)
        return ws.respond(404, "no") if refuse() else None

    return process


def test_a_live_stream_that_cannot_be_reached_is_replaced_by_statistics_until_it_can(monkeypatch):
    monkeypatch.setattr(fallback, "DIAL_AGAIN_S", 0.2)
    refused = threading.Event()
    refused.set()
    with ScriptedServer(sends(tps(1)), process_request=statistics(refused.is_set)) as server:
        feed = ag.connect(server.url(LIVE), reconnect=QUICK)
        feed.metrics.wait(2, timeout=20)
        assert {r.source for r in feed.metrics} == {"rest"} and feed.metrics.latest.tps == 7
        until(feed, lambda: feed.status.fallback == "rest" and feed.status.reconnecting)  # between two attempts
        refused.clear()
        until(feed, lambda: feed.metrics.latest.source == "ws", 20)
        until(feed, lambda: feed.status.fallback is None and feed.status.connected)


def test_a_first_row_by_http_if_asked_for():
    with ScriptedServer(hold, process_request=statistics(lambda: False)) as server:
        feed = ag.connect(server.url(LIVE), bootstrap=True)
        feed.metrics.wait(1, timeout=10)
        assert [r.source for r in feed.metrics] == ["rest"]
        assert server.paths.count("/api/v11/blockchain/stats") == 1


# All connections


def test_all_connections_at_a_glance():
    with ScriptedServer(sends(tps(1))) as server:
        good = ag.connect(server.url(LIVE))
        bad = ag.connect("ws://127.0.0.1:1/ws/metrics", reconnect=QUICK)
        changed = threading.Event()
        with ag.connections().on_change(changed.set):
            good.metrics.wait(1, timeout=10)
            bad.metrics.open()
            until(bad, lambda: bad.status.error)
            assert changed.wait(10)
        seen = ag.connections()
        assert (seen.total, seen.active, seen.health) == (2, 1, "DEGRADED")
        assert {r.protocol for r in seen} == {"live", "portal"}
        frame = seen.to_pandas()
        assert len(frame) == 2 and set(frame["state"]) == {"CONNECTED", "RECONNECTING"}
        assert seen.diagnostics()["health"] == "DEGRADED" and json.dumps(seen.diagnostics())
        first, *lines = repr(seen).splitlines()
        assert first == "<Connections: 1 of 2 active, DEGRADED" and len(lines) == 2
        assert any(line.startswith("  CONNECTED ") and " messages" in line for line in lines)
        assert any(line.startswith("  RECONNECTING ") and bad.status.error[:40] in line for line in lines)
        assert "<strong>Connections: 1 of 2 active, DEGRADED</strong>" in seen._repr_html_()


# What a second look found


def test_hooks_tell_of_each_connection_and_of_nothing_that_did_not_happen():
    def script_for(ws):
        return sends(json.dumps({"currentTPS": 1}) if "metrics" in ws.request.path else "PING")(ws)

    told = []
    with ScriptedServer(script_for) as server:
        feed = ag.connect(server.url("/ws/metrics"), reconnect=QUICK)
        done = threading.Event()
        feed.on_connect(lambda: (told.append("connect"), len(told) == 3 and done.set()))
        feed.on_disconnect(lambda reason: told.append(reason))
        for name in ("metrics", "network", "consensus"):
            feed[name].open()
        assert done.wait(10) and told == ["connect"] * 3
        gone = threading.Event()
        feed.on_disconnect(lambda reason: gone.set())
        feed.disconnect()
        assert gone.wait(10) and "by request" in told


def test_a_live_stream_that_is_given_up_says_so_though_statistics_stand_in():
    done = threading.Event()
    feed = ag.connect("ws://127.0.0.1:1" + LIVE, reconnect=ag.Backoff(0.01, 1, attempts=2, jitter=False))
    feed.on_exhausted(lambda error: done.set())
    feed.metrics.open()
    assert done.wait(10)
    until(feed, lambda: feed.status.fallback == "rest")
    with pytest.raises(ag.FeedTimeout):
        feed.join(timeout=0.1)


def test_a_peer_that_does_not_read_does_not_silence_the_next_connection():
    async def deaf(ws):
        ws.transport.pause_reading()
        await heard.wait()
        ws.transport.abort()

    script = Recorder(first=(tps(1),))

    async def listens(ws):
        try:
            await script(ws)
        finally:
            heard.set()

    heard = asyncio.Event()
    with ScriptedServer(deaf, listens, max_size=None) as server:
        feed = ag.connect(server.url(LIVE), reconnect=QUICK)
        feed.metrics.open()
        until(feed, lambda: feed.status.connected)
        fates = [feed.send("note", {"x": random.randbytes(500_000).hex()}) for _ in range(30)]
        assert fates[0] == "sent" and fates[-1] == "dropped"
        feed.reconnect()
        feed.metrics.wait(1, timeout=10)
        assert feed.send("hello", {}) == "sent"
        script.wait(lambda seen: any(m["type"] == "hello" for m in seen))
        feed.close()


def test_a_stream_of_data_without_pongs_is_alive():
    async def mute(ws):
        came = asyncio.Event()
        keep_pings_from(ws, came)
        for i in range(6):
            await came.wait()
            came.clear()
            await ws.send(wrap("metrics_update", {"total_requests": i}, 1_767_225_600_000 + i, key="data"))
        await ws.wait_closed()

    with ScriptedServer(mute, max_queue=None) as server:
        feed = ag.connect(server.url(FAKEAI), heartbeat_interval_s=0.1, heartbeat_timeout_s=0.3, reconnect=QUICK)
        feed.metrics.wait(6, timeout=20)
        assert {r.conn_epoch for r in feed.metrics} == {1}
        feed.disconnect()


def test_reconnect_leaves_unsubscribed_topics_alone():
    feed = ag.simulate(seed=1)
    for topic in feed:
        topic.open()
    until(feed, lambda: feed.status.connected)
    for name in ("network", "consensus", "validators"):
        feed[name].unsubscribe()
    until(feed, lambda: len(feed.connections) == 2)
    until(feed, lambda: ag.connections().health == "HEALTHY")  # both stand
    feed.reconnect()
    until(
        feed,
        lambda: feed.status.topics["metrics"].reconnects == 1 and feed.status.topics["metrics"].state == "CONNECTED",
    )
    assert sum(feed.node.stats().connections.values()) == 2 and len(feed.connections) == 2


def test_a_refused_subscription_does_not_cost_the_connection():
    refused = wrap("subscription_confirmed", {"channel": "block_updates", "status": "refused"})
    script = Recorder(lambda m: [refused] if m["type"] == "subscribe" else (), first=(WELCOME, tps(1)))
    with ScriptedServer(script) as server:
        feed = ag.connect(server.url(LIVE), reconnect=QUICK)
        feed.blocks.idle._limit_ns = 50_000_000
        feed.blocks.open()
        feed.metrics.wait(1, timeout=10)
        until(feed, lambda: any(c.kind == "error" and c.topic == "blocks" for c in feed.control))
        with pytest.raises(ag.FeedTimeout):
            feed.blocks.wait(1, timeout=0.3)
        assert server.accepted == 1 and sum(m["type"] == "subscribe" for m in script.messages) == 1


def test_statistics_that_drip_keep_nobody_waiting(monkeypatch):
    from aurigraph_nb import rest

    monkeypatch.setattr(rest, "TOTAL_S", 0.2)

    class Dripping:
        def read1(self, size):
            return b" "

    with pytest.raises(OSError, match="longer than"):
        rest._body(Dripping())


def test_a_token_callable_that_takes_too_long_is_told():
    release = threading.Event()
    try:
        feed = ag.connect(
            "ws://127.0.0.1:1" + LIVE, token=lambda: release.wait(30) and "t", open_timeout=0.1, reconnect=QUICK
        )
        feed.metrics.open()
        until(feed, lambda: feed.status.error)
        assert "nothing within 0.1 s" in feed.status.error
    finally:
        release.set()


def test_a_token_does_not_go_to_a_proxy(monkeypatch):
    with ScriptedServer(hold, process_request=statistics(lambda: False)) as server, ScriptedServer(hold) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.url("").replace("ws:", "http:"))
        feed = ag.connect(server.url(LIVE), bootstrap=True, token="secret-token")
        feed.metrics.wait(1, timeout=10)
        assert proxy.headers == [] and proxy.paths == []


@pytest.mark.parametrize("frame", ['{"type":"secret-token","payload":{}}', "x" * 490 + "secret-token"])
def test_a_token_that_comes_back_in_what_is_not_understood_is_hidden(frame):
    with ScriptedServer(sends(frame, tps(1))) as server:
        feed = ag.connect(server.url(LIVE), token="secret-token", debug=True)
        feed.metrics.wait(1, timeout=10)
        shown = repr([feed.undecoded, feed.gaps.rows(), feed.raw, feed.control])
        assert feed.undecoded and "secret-token" not in shown and "secret-tok" not in shown


def test_flat_rows_are_exact_bounded_and_lose_nothing():
    payloads = [
        {"n": 9007199254740993, "a": {"b": 2}, "a.b": 1, "flag": True, "list": [1]},
        {f"k{i}": i for i in range(1_200)},
        [1, 2],
    ]
    with ScriptedServer(sends(*(wrap("weather", p, key="data") for p in payloads))) as server:
        feed = ag.connect(server.url(CHANNELS), protocol="channels")
        feed["weather"].wait(3, timeout=10)
        flat = feed["weather"].flat()
        assert len(flat.columns) <= 1_020 and flat.columns.is_unique
        assert flat["payload.n"].tolist()[0] == 9007199254740993  # n is the frame's own ordinal
        assert flat["a.b"].tolist()[0] == 2 and flat["[a.b]"].tolist()[0] == 1
        rest = [text for text in flat["payload"] if isinstance(text, str)]
        assert len(json.loads(rest[0])) >= 200 and json.loads(rest[1]) == [1, 2]
        with pytest.raises(ag.UnknownTopic):
            feed["x" * 200]


def test_a_wrong_protocol_is_suspected_when_nothing_is_understood():
    with ScriptedServer(sends(json.dumps({"currentTPS": 1}), json.dumps({"currentTPS": 2}))) as server:
        feed = ag.connect(server.url("/ws/metrics"), protocol="live")
        with pytest.raises(ag.FeedTimeout, match=r"is the protocol right\? This feed speaks protocol='live'"):
            feed.metrics.wait(1, timeout=0.5)
        assert feed.status.undecoded == 2


def test_an_error_of_the_past_is_no_error_of_a_feed_that_was_disconnected_by_request():
    with ScriptedServer(closes(1011, "oops", tps(1)), sends(tps(2))) as server:
        feed = ag.connect(server.url(LIVE), reconnect=QUICK)
        feed.metrics.wait(2, timeout=10)
        feed.disconnect()
        assert feed.status.error is None
