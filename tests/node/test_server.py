"""The node over real sockets on a real clock."""

import asyncio
import contextlib
import json
import socket
import threading
import time

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from aurigraph_nb.clock import RealClock
from aurigraph_nb.node.events import TOPICS
from aurigraph_nb.node.model import Model, ModelOptions

FIRST = {
    "metrics": {"timestamp", "tps", "cpu", "memory", "connections", "errorRate"},
    "transactions": {"timestamp", "txHash", "from", "to", "value", "status", "gasUsed"},
    "validators": {"timestamp", "validator", "status", "votingPower", "uptime", "lastBlockProposed"},
    "consensus": {"timestamp", "leader", "epoch", "round", "term", "state", "performanceScore", "activeValidators"},
    "network": {"timestamp", "peerId", "ip", "connected", "latency", "version"},
}


def drain(client):
    """All that comes until the connection ends."""
    got = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            got.append(client.recv(timeout=20, decode=False))
    return got


@pytest.mark.parametrize("topic", TOPICS)
def test_each_topic_sends_its_own_frames_as_text(serving, dial, topic):
    frame = dial(serving(seed=7, rate=100), topic).recv(timeout=20)
    assert isinstance(frame, str)
    assert set(json.loads(frame)) == FIRST[topic]


def test_the_portal_shape_is_spoken_on_request(serving, dial):
    frame = json.loads(dial(serving(shape="portal"), "metrics").recv(timeout=20))
    assert "currentTPS" in frame and isinstance(frame["timestamp"], int)


def test_the_other_documented_path_and_a_prefix_of_ones_own_work(serving, dial):
    node = serving(path_prefix="/streams")
    assert dial(node, path="/streams/metrics").recv(timeout=20)
    assert dial(node, path="/api/v11/ws/metrics").recv(timeout=20)
    with pytest.raises(InvalidStatus) as refused:
        dial(node, path="/ws/metrics")
    assert refused.value.response.status_code == 404


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_every_frame_that_was_counted_arrived(serving, compression):
    node = serving(seed=7, rate=3000, duration=1, compression=compression)
    with connect(f"{node.url}/ws/transactions", compression=compression, proxy=None) as client:
        assert bool(client.protocol.extensions) == bool(compression)
        got = drain(client)
    stats = node.stats()
    assert len(got) == stats.sent["transactions"] == stats.messages_sent > 1000
    assert stats.dropped == stats.withheld == stats.garbage == dict.fromkeys(TOPICS, 0)
    assert (client.close_code, client.close_reason) == (1000, "end of run")


def test_a_fast_stream_to_one_local_client_loses_nothing(serving):
    node = serving(seed=7, rate=20_000, duration=2, compression=None)
    with connect(f"{node.url}/ws/transactions", compression=None, proxy=None, max_queue=1024) as client:
        got = drain(client)
    stats, truth = node.stats(), node.truth
    assert len(got) == stats.sent["transactions"] > 15_000
    assert truth.frames["transactions"] - len(got) < 2000  # those from before it was connected
    assert stats.dropped["transactions"] == 0


def test_after_the_run_whoever_comes_is_told_so(serving, dial, eventually):
    node = serving(duration=0.05)
    eventually(lambda: node.server.finished)
    client = dial(node, path="/ws/metrics")
    assert drain(client) == []
    assert (client.close_code, client.close_reason) == (1000, "end of run")


def test_without_broadcast_nothing_is_sent_and_it_is_counted(serving, dial, eventually):
    node = serving(broadcast=False, rate=500)
    client = dial(node)
    eventually(lambda: node.stats().withheld["transactions"] > 50)
    with pytest.raises(TimeoutError):
        client.recv(timeout=0)
    assert node.stats().messages_sent == 0


def test_what_clients_say_is_tolerated_and_counted(serving, dial, eventually):
    node = serving(rate=100)
    client = dial(node)
    client.send('{"type":"ping","timestamp":1}')
    for message in ("hello", "[]", "{}", '{"type":1}', "7", b"\x00\xff", '"ping"', "[" * 5000):
        client.send(message)
    eventually(lambda: node.stats().pings + node.stats().ignored == 9)
    assert (node.stats().pings, node.stats().ignored) == (1, 8)
    assert client.recv(timeout=20)


def test_a_message_above_the_limit_closes_with_1009(serving, dial):
    client = dial(serving(max_size=1000, broadcast=False))
    client.send("x" * 1001)
    drain(client)
    assert client.close_code == 1009


def test_a_frame_above_64_kib_closes_with_1009_and_a_message_in_smaller_ones_does_not(serving, dial, eventually):
    node = serving(broadcast=False)
    client = dial(node)
    client.send(["x" * 60_000, "y" * 60_000])
    eventually(lambda: node.stats().ignored == 1)
    client.send("x" * 70_000)
    drain(client)
    assert client.close_code == 1009


def test_connections_above_the_limit_are_told_when_to_return(serving, dial):
    node = serving(max_connections=2)
    dial(node, "metrics")
    dial(node, "network")
    with pytest.raises(InvalidStatus) as refused:
        dial(node, path="/ws/metrics")
    response = refused.value.response
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert node.stats().refused == 1


def test_an_origin_decides_over_the_handshake(serving, dial):
    node = serving(cors=["https://portal.example"])
    assert dial(node, "metrics", origin="https://portal.example").recv(timeout=20)
    with pytest.raises(InvalidStatus) as refused:
        dial(node, path="/ws/metrics", origin="https://evil.example")
    assert refused.value.response.status_code == 403


def test_a_slow_reader_loses_frames_and_the_others_do_not(serving, dial, eventually):
    node = serving(seed=7, rate=8000, compression=None, buffer_bytes=64 * 1024)
    stuck = socket.create_connection(("127.0.0.1", int(node.url.rpartition(":")[2])))
    with stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.sendall(
            b"GET /ws/transactions HTTP/1.1\r\nHost: node\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        eventually(lambda: node.stats().connections["transactions"] == 1)
        client = dial(node, max_queue=1024)
        count = threading.Event()
        got = []

        def read():
            with contextlib.suppress(ConnectionClosed):
                while True:
                    got.append(client.recv(decode=False))
                    count.set()

        reader = threading.Thread(target=read)
        reader.start()
        eventually(lambda: node.stats().dropped["transactions"] > 5000)
        assert node.stats().late_s < 2
        began = time.monotonic()
        node.stop()
        assert time.monotonic() - began < 5
        reader.join(20)
        assert not reader.is_alive()
    stats = node.stats()
    # Books: what both were sent, less what the stuck one lost, is what the reader got and the stuck one's buffers hold.
    assert len(got) > 5000
    assert [json.loads(frame)["status"] for frame in got].count("PENDING") > 2000
    assert stats.sent["transactions"] >= len(got)


def test_a_node_returns_on_its_port_and_the_network_went_on(serving, dial, eventually):
    node = serving(seed=7, rate=100)
    url = node.url
    before = dial(node, "consensus")
    first = json.loads(before.recv(timeout=20))
    node.stop()
    node.stop()
    drain(before)
    assert before.close_code == 1001 and not node.running
    with pytest.raises(ConnectionRefusedError):
        dial(node, path="/ws/metrics")
    stopped = node.truth
    time_of_stop = time.time_ns()
    eventually(lambda: time.time_ns() > time_of_stop + 1_100_000_000)
    node.start()
    node.start()
    assert node.url == url and node.running
    again = json.loads(dial(node, "consensus").recv(timeout=20))
    assert again["round"] >= first["round"] + 1
    incident = node.truth.incidents[-1]
    assert incident.kind == "stopped" and incident.end_ns - incident.start_ns >= 1_000_000_000
    assert len(node.truth.rounds) > len(stopped.rounds)


class Leaping(RealClock):
    """The machine's time, and a leap: as after a lid was closed for a while."""

    leap_ns = 0

    def now_ns(self):
        return time.time_ns() + self.leap_ns

    async def sleep_until(self, ns):
        await asyncio.sleep(max(0, ns - self.now_ns()) / 1e9)


def test_after_a_machine_slept_the_node_goes_on_from_now(serving, dial, eventually):
    clock = Leaping()
    node = serving(seed=7, clock=clock, metrics_interval=0.01)
    dial(node, "metrics")
    eventually(lambda: node.stats().sent["metrics"] > 5)
    sent = node.stats().sent["metrics"]
    clock.leap_ns = 3600 * 10**9
    eventually(lambda: any(i.kind == "late" for i in node.truth.incidents))
    eventually(lambda: node.stats().sent["metrics"] > sent + 5)
    stats = node.stats()
    assert stats.withheld["metrics"] > 300_000
    assert stats.sent["metrics"] < sent + 2000


def test_a_machine_may_fall_asleep_before_an_outage_and_wake_up_in_it(serving, dial, eventually):
    clock = Leaping()
    node = serving(seed=7, clock=clock, scenario="outage", metrics_interval=0.01)
    second, third = outages(node)[1:3]
    client = dial(node, "metrics")
    clock.leap_ns = second.start_ns - node.truth.now_ns + 2 * 10**9
    drain(client)
    assert client.close_code == 1012
    clock.leap_ns = third.end_ns - time.time_ns() + 20 * 10**9
    eventually(lambda: reachable(node))


def outages(node):
    start_ns = node.server._model.start_ns
    model = Model(ModelOptions(seed=7, scenario="outage"), start_ns)
    model.take(start_ns + 200 * 10**9, 10**9)
    return model.truth.incidents


def reachable(node):
    with contextlib.suppress(ConnectionRefusedError), connect(f"{node.url}/ws/metrics", proxy=None):
        return True


def test_a_failure_of_the_model_ends_its_connections(serving, dial, monkeypatch):
    node = serving(seed=7)
    client = dial(node, "network")
    monkeypatch.setattr(Model, "take", lambda *_: 1 / 0)
    drain(client)
    assert client.close_code == 1011


def test_a_silent_guest_does_not_keep_a_node_from_stopping(serving):
    node = serving()
    with socket.create_connection(("127.0.0.1", int(node.url.rpartition(":")[2]))) as silent:
        silent.sendall(b"GET / HT")
        began = time.monotonic()
        node.stop()
        assert time.monotonic() - began < 4


def test_truth_can_be_read_while_the_node_runs(serving, eventually):
    node = serving(seed=7, rate=5000)
    eventually(lambda: node.truth.settled > 500)
    truth = node.truth
    assert truth.seed == 7 and truth.scenario == "steady"
    assert truth.frames["transactions"] >= 2 * truth.settled
    assert node.truth.now_ns >= truth.now_ns


def test_a_node_that_was_not_started_has_an_empty_truth():
    from aurigraph_nb.node import Node

    truth = Node(seed=3).truth
    assert (truth.seed, truth.rounds, truth.frames) == (3, (), {})


def test_the_outage_scenario_is_left_by_stopping_and_starting(serving):
    node = serving(scenario="outage")
    assert node.running
    node.stop()
    node.start()
    assert node.running
