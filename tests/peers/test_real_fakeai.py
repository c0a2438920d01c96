"""The inference metrics stream as the real server sends it, whatever its documents say."""

from __future__ import annotations

import itertools
import json
import threading

import pytest
from websockets.sync.client import connect as dial

import aurigraph_nb as ag
from aurigraph_nb.protocols.base import Frame, Ledger
from aurigraph_nb.protocols.fakeai import FakeaiDecoder, FakeaiProtocol
from aurigraph_nb.protocols.fakeai_tables import TABLES

CHAT, EMBED = "/v1/chat/completions", "/v1/embeddings"
TELLS = ("metrics", "throughput", "latency", "queue", "streaming")
"""The topics that the real server has something for."""


def ask(server, times=1):
    """Some requests as its users make them; one that it cannot parse; one streamed."""
    talk = [{"role": "user", "content": "hi there"}]
    for _ in range(times):
        assert server.post(CHAT, model="m-small", messages=talk, max_tokens=5) == 200
        assert server.post(CHAT, model="m-large", messages=talk, max_tokens=5, stream=True) == 200
        assert server.post(EMBED, model="m-embed", input="hi") == 200
        assert server.post(CHAT, model="m-small") == 422


def open_all(feed):
    for topic in feed:
        topic.open()
    return feed


def until(feed, true, timeout_s=30):
    """Waits for a condition that changes with the feed."""
    changed = threading.Event()
    with feed.on_change(changed.set):
        for _ in range(timeout_s * 10):
            if true():
                return
            changed.wait(0.1)
            changed.clear()
    pytest.fail(f"it did not come true in {timeout_s} s; {feed.status}")


def test_every_frame_is_understood_and_the_connection_holds(fakeai_server):
    with ag.connect(fakeai_server.url, shared=False) as feed:
        open_all(feed)
        feed.metrics.wait(1, timeout=30)
        ask(fakeai_server, times=3)
        feed.metrics.wait(20, timeout=60)  # the server's own frames, one a second

        assert feed.undecoded == () and feed.gaps.rows() == ()
        for topic in feed:
            status = feed.status.topics[topic.name]
            assert (status.undecoded, status.reconnects, status.suppressed) == (0, 0, 0)
            assert not any(feed.fields(topic.name).values())
            assert all(r.extra is None and r.conn_epoch == 1 and r.timestamp is not None for r in topic)
        assert {topic.name for topic in feed if len(topic)} == set(TELLS)

        rates = {r.endpoint: r for r in feed.throughput if r.requests_per_s}
        assert set(rates) == {CHAT, EMBED} and rates[CHAT].tokens_per_s > 0
        assert max(r.requests_per_s for r in feed.metrics) > 0 and max(r.tokens_per_s for r in feed.metrics) > 0
        spread = {r.endpoint: r for r in feed.latency}[CHAT]
        assert 0 < spread.min_ms <= spread.p50_ms <= spread.p90_ms <= spread.p99_ms <= spread.max_ms
        assert feed.queue.latest.queue_depth is not None and feed.streaming.latest.completed_streams is not None

        periods_s = [(b.timestamp - a.timestamp) / 1e9 for a, b in itertools.pairwise(feed.metrics)]
        assert 0.5 < sorted(periods_s)[len(periods_s) // 2] < 2
        assert feed.status.connected and 0 < feed.status.latency_ms < 5_000
        kinds = [c.kind for c in feed.control]
        assert kinds[0] == "snapshot" and set(kinds[1:]) == {"pong"}


def test_heartbeats_are_answered_and_filters_are_acknowledged(fakeai_server):
    with ag.connect(fakeai_server.url, shared=False, heartbeat_interval_s=0.25) as feed:
        feed.metrics.wait(1, timeout=30)
        ask(fakeai_server)
        assert feed.send("subscribe", {"endpoint": CHAT, "interval": 0.5}) == "sent"
        until(feed, lambda: "subscribed" in [c.kind for c in feed.control])
        until(feed, lambda: [c.kind for c in feed.control].count("pong") >= 4)
        assert "error" not in [c.kind for c in feed.control]
        feed.throughput.take(2, timeout=30)
        assert feed.throughput.latest.endpoint == CHAT
        assert feed.send("unsubscribe") == "sent"
        until(feed, lambda: "unsubscribed" in [c.kind for c in feed.control])
        assert feed.undecoded == () and feed.status.topics["metrics"].reconnects == 0


@pytest.mark.parametrize(
    "sent, kind, says",
    [
        (FakeaiProtocol().heartbeat(0), "pong", "timestamp"),
        ('{"type":"heartbeat","timestamp":1,"data":{"client_time":1}}', "error", "Unknown message type: heartbeat"),
        ('{"type":"zap"}', "error", "Unknown message type: zap"),
        ("{nope", "error", "Invalid JSON"),
        ("[1]", "error", "Internal error"),
        ('{"type":"subscribe","filters":{"metric_type":"zap"}}', "error", "Invalid metric type"),
        ('{"type":"subscribe","filters":{"endpoint":"/e","model":"m","metric_type":"latency"}}', "subscribed", "/e"),
        ('{"type":"unsubscribe"}', "unsubscribed", "timestamp"),
    ],
)
def test_each_of_its_replies_is_understood_and_none_ends_the_connection(fakeai_server, sent, kind, says):
    decoder = FakeaiDecoder(Ledger())
    with dial(fakeai_server.url, proxy=None) as socket:
        kinds = []
        for message in itertools.chain([None, sent], ['{"type":"ping"}']):
            if message is not None:
                socket.send(message)
            heard = []
            while not heard:
                data = socket.recv(timeout=30)
                batch = decoder.decode([Frame(data.encode(), True, 1, 1, "stream")])
                assert not batch.undecoded and set(batch.rows) <= set(TELLS)
                heard = batch.control
            kinds.append(heard[0])
        assert [c.kind for c in kinds] == ["snapshot", kind, "pong"]
        assert says in kinds[1].detail


def test_its_snapshot_and_its_updates_have_the_same_sections(fakeai_server):
    with dial(fakeai_server.url, proxy=None) as socket:
        first, second = (json.loads(socket.recv(timeout=30)) for _ in range(2))
    assert first["type"] == "historical_data" and second["type"] == "metrics_update"
    assert set(first) | {"deltas"} == set(second) == {"type", "timestamp", "data", "deltas"}
    assert set(first["data"]) == set(second["data"])


def test_a_wrong_path_is_refused_and_the_message_names_it(fakeai_server):
    wrong = fakeai_server.url.replace("/stream", "/nowhere")
    with ag.connect(wrong, protocol="fakeai", shared=False) as feed:
        with pytest.raises(ag.errors.ConnectFailed) as refused:
            feed.metrics.wait(1, timeout=30)
        assert "403" in str(refused.value) and "/metrics/nowhere" in str(refused.value)


def test_a_restart_of_the_server_is_one_gap_and_the_feed_goes_on(fakeai_server):
    with ag.connect(fakeai_server.url, shared=False, reconnect=ag.Backoff(0.2, 1.0, 0.2)) as feed:
        open_all(feed)
        feed.metrics.wait(2, timeout=30)
        reasons = []
        with feed.on_disconnect(reasons.append):
            fakeai_server.stop()
            until(feed, lambda: reasons and feed.status.reconnecting)
        assert "1012" in reasons[0]
        fakeai_server.start()
        feed.metrics.take(2, timeout=60)
        assert {r.conn_epoch for r in feed.metrics} == {1, 2}
        assert [r.gap_before for r in feed.metrics].count(True) == 1
        (gap,) = [g for g in feed.gaps.rows() if g.topic == "metrics"]
        assert gap.cause == "disconnect" and gap.end_ns is not None
        assert feed.undecoded == () and feed.status.topics["metrics"].reconnects == 1


def test_the_topics_are_those_that_the_decoder_knows():
    assert set(TELLS) < set(TABLES) == set(FakeaiProtocol().topics)
