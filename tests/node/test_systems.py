"""The other systems over real sockets: frames, answers, faults, books; beside the topics, on one port."""

import asyncio
import contextlib
import itertools
import json
import socket
import time

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from aurigraph_nb.clock import RealClock
from aurigraph_nb.node.events import SYSTEMS, TOPICS

FIRST = {"live": "connection_established", "fakeai": "init"}


@pytest.fixture
def quick(serving):
    """Nodes whose time goes twenty times as fast; their clients are in step with nothing."""

    def make(**options):
        node = serving(**{"start": "2026-01-01", "speed": 20.0, "seed": 7} | options)
        node.begin()
        return node

    return make


def receive(client, count, kind=None):
    """The next ``count`` frames, of one type."""
    got = []
    while len(got) < count:
        frame = json.loads(client.recv(timeout=20))
        if kind in (None, frame.get("type")):
            got.append(frame)
    return got


def receive_until(client, seen, most=20_000):
    """Frames, until ``seen(frames)``: what was sent before a fault may still lie on the way. At most ``most``."""
    got = []
    while not seen(got):
        assert len(got) < most, "it never came"
        got.append(json.loads(client.recv(timeout=20)))
    return got


def end_of(client):
    with contextlib.suppress(ConnectionClosed):
        while True:
            client.recv(timeout=20, decode=False)
    return client.close_code, client.close_reason


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("compression", [None, "deflate"])
def test_each_system_is_on_the_port_of_the_topics(quick, dial, system, compression):
    node = quick()
    client = dial(node, system, compression=compression)
    frames = receive(client, 4)
    assert frames[0]["type"] == FIRST.get(system, frames[0]["type"])
    assert all("timestamp" in frame for frame in frames)
    assert node.system_urls[system].startswith(f"{node.url}/")


def test_the_live_stream_answers_and_subscribes(quick, dial, eventually):
    node = quick()
    client = dial(node, "live")
    for message in (
        {"type": "ping"},
        {"type": "subscribe", "payload": {"channel": "block_updates"}},
        {"type": "subscribe"},
        {"type": "horoscope"},
    ):
        client.send(json.dumps(message))
    assert [f["type"] for f in receive(client, 1)] == ["connection_established"]
    types = []
    while "block_update" not in types:
        types += [f["type"] for f in receive(client, 1)]
    assert [t for t in types if t not in ("tps_update", "block_update")] == ["pong", "subscription_confirmed", "error"]
    stats = node.stats()
    assert (stats.pings, stats.commands, stats.ignored, stats.answered["live"]) == (1, 2, 1, 4)
    eventually(lambda: node.stats().sent["live"] >= len(types) - 3)


def test_the_live_stream_tells_of_the_same_network_as_the_topics_and_the_statistics(quick, dial, http):
    node = quick()
    live, metrics = dial(node, "live"), dial(node, "metrics")
    tps = {frame["payload"]["currentTPS"] for frame in receive(live, 3, "tps_update")}
    assert tps & {frame["tps"] for frame in receive(metrics, 3)}
    told = http(node, "/api/v11/blockchain/stats").json()
    assert told["transactionStats"]["peakTPS"] >= max(tps) - 1
    assert told["validatorStats"]["total"] == 20 and told["networkHealth"]["peers"] == 17


def test_the_real_shape_of_the_inference_stream_is_spoken_on_request(quick, dial):
    node = quick(inference_shape="real")
    client = dial(node, "fakeai")
    first, second = receive(client, 2)
    assert (first["type"], second["type"]) == ("historical_data", "metrics_update")
    assert second["data"]["throughput"]["total_requests_per_sec"] > 0
    client.send('{"type": "heartbeat"}')
    assert receive(client, 1, "error")[0]["message"] == "Unknown message type: heartbeat"


def test_channels_take_the_sub_protocol_of_their_relatives_and_none(quick, dial):
    node = quick()
    assert dial(node, "channels", subprotocols=["isp-protocol-v1"]).subprotocol == "isp-protocol-v1"
    assert dial(node, "channels", subprotocols=["other"]).subprotocol is None
    assert dial(node, "channels").subprotocol is None


def test_channels_close_for_nonsense_where_they_are_strict(quick, dial):
    node = quick(quirks=["strict-json"])
    text, binary = dial(node, "channels"), dial(node, "channels")
    text.send("nonsense")
    binary.send(b"\x00")
    assert (end_of(text)[0], end_of(binary)[0]) == (1007, 1003)


def test_too_many_commands_are_told(quick, dial):
    client = dial(quick(), "channels")
    for _ in range(31):
        client.send('{"type": "reboot", "data": {}}')
    (error,) = receive(client, 1, "error")
    assert error["error"] == "rate_limit_exceeded" and 1 <= error["retry_after"] <= 60


def test_doubled_frames_are_counted_apart(quick, dial, eventually):
    node = quick(quirks="doubled-frames")
    frames = receive(dial(node, "live"), 4, "tps_update")
    assert frames[0] == frames[1] != frames[2] == frames[3]
    eventually(lambda: node.stats().sent["live"] == node.stats().repeated["live"] >= 2)


@pytest.mark.parametrize("quirks, names", [((), "transactionStats"), (("flat-stats",), "throughput")])
def test_the_statistics_are_answered_by_http(quick, http, quirks, names):
    answer = http(quick(quirks=quirks), "/api/v11/blockchain/stats")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert names in answer.json()


def test_statistics_of_a_network_that_has_not_begun_are_not_there(serving, http):
    answer = http(serving(start="2026-01-01"), "/api/v11/blockchain/stats")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_a_wrong_path_is_forbidden_on_request(quick, dial):
    with pytest.raises(InvalidStatus) as refused:
        dial(quick(quirks="forbidden-paths"), path="/metrics/streams")
    assert refused.value.response.status_code == 403


def test_a_system_is_in_the_books_from_its_first_connection_on(quick, dial, http, eventually):
    node = quick()
    assert set(node.stats().sent) == set(TOPICS)
    with connect(node.system_urls["fakeai"], proxy=None, max_queue=None) as client:
        receive(client, 3)
        assert node.stats().connections == {**dict.fromkeys(TOPICS, 0), "fakeai": 1}
        assert http(node, "/api/v11/websocket/stats").json()["connections"]["fakeai"] == 1
    eventually(lambda: node.stats().connections["fakeai"] == 0)
    assert node.stats().sent["fakeai"] >= 2


def test_every_frame_that_was_counted_arrived(quick, dial):
    node = quick(duration=3)
    got = {system: [] for system in SYSTEMS}
    clients = {system: dial(node, system) for system in SYSTEMS}
    for system, client in clients.items():
        with contextlib.suppress(ConnectionClosed):
            while True:
                got[system].append(client.recv(timeout=20))
        assert (client.close_code, client.close_reason) == (1000, "end of run")
    stats = node.stats()
    for system in SYSTEMS:
        assert len(got[system]) == stats.sent[system] + stats.answered[system] > 2


def test_nothing_is_told_while_nobody_listens_and_it_goes_on_later(quick, eventually):
    node = quick()
    stage = node.server._stage
    with connect(node.system_urls["fakeai"], proxy=None, max_queue=None) as client:
        receive(client, 3)
        assert stage.next_ns is not None
    eventually(lambda: stage.next_ns is None)
    with connect(node.system_urls["fakeai"], proxy=None, max_queue=None) as client:
        _, first, *_ = receive(client, 3)
        assert first["sequence"] == 0


def test_a_system_goes_on_after_the_node_returned(quick, dial):
    node = quick()
    client = dial(node, "live")
    node.stop()
    assert end_of(client)[0] == 1001
    node.start()
    assert receive(dial(node, "live"), 2)[1]["type"] == "tps_update"


def test_without_broadcast_clients_are_answered_and_told_nothing(quick, dial, eventually):
    node = quick(broadcast=False)
    client = dial(node, "live")
    client.send('{"type": "ping"}')
    assert [f["type"] for f in receive(client, 2)] == ["connection_established", "pong"]
    eventually(lambda: node.stats().withheld["live"] >= 2)
    assert node.stats().sent["live"] == 0


class Leaping(RealClock):
    """The machine's time, and a leap: as after a lid was closed for a while."""

    leap_ns = 0

    def now_ns(self):
        return time.time_ns() + self.leap_ns

    async def sleep_until(self, ns):
        await asyncio.sleep(max(0, ns - self.now_ns()) / 1e9)


def test_after_a_machine_slept_a_system_goes_on_from_now(serving, dial):
    clock = Leaping()
    node = serving(seed=7, clock=clock)
    client = dial(node, "live")
    before = receive(client, 2)[-1]["timestamp"]
    clock.leap_ns = 3600 * 10**9
    times = [frame["timestamp"] for frame in receive(client, 2)]
    assert times[-1] - before >= 3_600_000 and all(t - before < 5000 or t - before > 3_599_000 for t in times)


def test_orders_for_frames_are_called_off(quick, dial, eventually):
    node = quick()
    client = dial(node, "fakeai")
    node.fault("duplicate", topic="fakeai", n=100_000)
    eventually(lambda: node.stats().repeated["fakeai"] > 3)
    node.fault("clear")
    repeated, sent = node.stats().repeated["fakeai"], node.stats().sent["fakeai"]
    eventually(lambda: node.stats().sent["fakeai"] > sent + 3)
    assert node.stats().repeated["fakeai"] == repeated
    assert receive(client, 1)


# Faults


@pytest.mark.parametrize("system", SYSTEMS)
def test_drop_close_and_refuse_are_for_one_system(quick, dial, system):
    node = quick()
    others = [dial(node, other) for other in (*SYSTEMS, "metrics") if other != system]
    client = dial(node, system)
    assert node.fault("drop", topic=system) == 1
    assert end_of(client)[0] == 1006
    client = dial(node, system)
    assert node.fault("close", topic=system, code=1012) == 1
    assert end_of(client)[0] == 1012
    node.fault("refuse", topic=system, status=503)
    with pytest.raises(InvalidStatus):
        dial(node, system)
    assert [other.recv(timeout=20) for other in others]


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_stall_withholds_what_a_system_tells(quick, dial, eventually, system):
    node = quick()
    client = dial(node, system)
    receive(client, 2)
    node.fault("stall", topic=system)
    eventually(lambda: node.stats().withheld[system] > 0)
    sent = node.stats().sent[system]
    client.send('{"type": "ping"}')
    eventually(lambda: node.stats().pings == 1)
    assert node.stats().sent[system] == sent
    node.fault("clear")
    eventually(lambda: node.stats().sent[system] > sent)


@pytest.mark.parametrize("system", SYSTEMS)
def test_garbage_and_oversize_come_between_the_frames(quick, dial, eventually, system):
    node = quick(broadcast=False)
    client = dial(node, system)
    if system in FIRST:
        receive(client, 1)
    assert node.fault("garbage", topic=system, n=5) == 1
    got = [client.recv(timeout=20, decode=False) for _ in range(5)]
    assert got[2] == b"\x00\x01\x02\x03" and b'"type"' in got[3]
    assert node.fault("oversize", topic=system, size=5000) == 1
    assert len(client.recv(timeout=20)) == 5000
    assert node.stats().garbage[system] == 6
    node.fault("oversize", topic=system)
    assert end_of(client)[0] == 1006 and client.protocol.close_sent.code == 1009


def repeats(frames):
    return len(frames) - len({json.dumps(frame) for frame in frames})


def test_frames_come_twice_on_order(quick, dial):
    node = quick()
    client = dial(node, "fakeai")
    receive(client, 2)
    node.fault("duplicate", topic="fakeai", n=2)
    numbers = [f["sequence"] for f in receive_until(client, lambda got: repeats(got) == 2)]
    numbers += [f["sequence"] for f in receive(client, 20)]
    twice = sorted({n for n in numbers if numbers.count(n) == 2})
    assert len(twice) == 2 and len(numbers) == len(set(numbers)) + 2
    assert node.stats().repeated["fakeai"] == 2


def test_frames_come_late_on_order(quick, dial):
    node = quick()
    client = dial(node, "fakeai")
    receive(client, 2)
    node.fault("reorder", topic="fakeai")
    numbers = [f["sequence"] for f in receive_until(client, lambda got: late(got, "sequence"))]
    numbers += [f["sequence"] for f in receive(client, 20)]
    assert numbers != sorted(numbers) and sorted(numbers) == list(range(min(numbers), max(numbers) + 1))
    assert len([a for a, b in itertools.pairwise(numbers) if a > b]) == 1


def late(frames, key):
    return any(a[key] > b[key] for a, b in itertools.pairwise(frames))


@pytest.mark.parametrize("topic", ["metrics", "transactions"])
def test_the_topics_have_these_faults_too(quick, dial, topic):
    node = quick(rate=200, metrics_interval=0.05)
    client = dial(node, topic)
    node.fault("duplicate", topic=topic, n=3)
    node.fault("reorder", topic=topic, n=3)
    frames = receive_until(client, lambda got: repeats(got) == 3 and late(got, "timestamp"))
    frames += receive(client, 20)
    assert repeats(frames) == 3 == node.stats().repeated[topic]


def test_a_frame_that_waits_for_the_next_is_sent_before_the_close(quick, dial, eventually):
    node = quick()
    client = dial(node, "channels")
    node.fault("reorder", topic="channels")
    outlet = next(iter(node.server._hub._outlets["channels"]))
    eventually(lambda: outlet.mischief is not None and outlet.mischief.holds)
    sent = node.stats().sent["channels"]
    assert node.fault("close", topic="channels", code=1000) == 1
    got = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            got.append(client.recv(timeout=20))
    assert len(got) == sent + 1 == node.stats().sent["channels"]


def test_a_frame_that_waits_when_the_connection_is_cut_was_withheld(quick, dial, eventually):
    node = quick()
    dial(node, "channels")
    node.fault("reorder", topic="channels")
    outlet = next(iter(node.server._hub._outlets["channels"]))
    eventually(lambda: outlet.mischief is not None and outlet.mischief.holds)
    node.fault("drop", topic="channels")
    eventually(lambda: node.stats().withheld["channels"] == 1)


@pytest.mark.parametrize("stream", ["live", "metrics"])
def test_a_half_open_connection_says_nothing_and_stays(quick, dial, eventually, stream):
    node = quick(metrics_interval=0.1)
    client = dial(node, stream, close_timeout=0.2)
    receive_any(client, 2)
    assert node.fault("half-open", topic=stream) == 1
    withheld = node.stats().withheld[stream]
    pong = client.ping()
    client.send('{"type": "ping"}')
    eventually(lambda: node.stats().pings == 1)  # it is heard, and not answered
    eventually(lambda: node.stats().withheld[stream] > withheld)
    with contextlib.suppress(TimeoutError):
        while True:
            client.recv(timeout=0)
    assert not pong.wait(timeout=0) and client.state.name == "OPEN"
    assert node.stats().connections[stream] == 1
    assert node.fault("garbage", topic=stream) == 1 and node.stats().garbage[stream] == 0
    receive_any(dial(node, stream), 2)  # a new connection is well
    node.fault("clear")
    assert not pong.wait(timeout=0)


def receive_any(client, count):
    return [client.recv(timeout=20) for _ in range(count)]


def test_a_half_open_connection_does_not_answer_a_close_and_ends_with_its_client(quick, dial, eventually):
    node = quick()
    client = dial(node, "live", close_timeout=0.2)
    receive(client, 1)
    node.fault("half-open", topic="live")
    client.close()
    assert client.protocol.close_rcvd is None
    eventually(lambda: node.stats().connections["live"] == 0)


def test_a_node_with_a_half_open_connection_stops_at_once(quick, dial):
    node = quick()
    client, closing = dial(node, "live"), dial(node, "channels")
    receive(client, 1)
    node.fault("half-open")
    with closing.protocol_mutex:
        closing.protocol.send_close(1000)
        closing.socket.sendall(b"".join(closing.protocol.data_to_send()))
    node.stop()
    assert end_of(client)[0] == end_of(closing)[0] == 1006


def test_who_does_not_read_its_answers_loses_them_alone(serving, dial, eventually):
    node = serving(seed=7, compression=None, buffer_bytes=2**12)
    port = int(node.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.sendall(
            b"GET /api/v11/live/stream HTTP/1.1\r\nHost: node\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        eventually(lambda: node.stats().opened == 1)
        ping = b'{"type":"ping"}'
        frame = bytes([0x81, 0x80 | len(ping), 0, 0, 0, 0]) + ping
        stuck.settimeout(20)
        while not node.stats().unanswered:
            stuck.sendall(frame * 1000)
        assert receive(dial(node, "live"), 2)
