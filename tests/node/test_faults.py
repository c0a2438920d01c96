"""Faults over real sockets."""

import contextlib
import json

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from aurigraph_nb.errors import BadOption
from aurigraph_nb.node.events import TOPICS


def end_of(client):
    """Read on until the connection ends; returns its close code and reason."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            client.recv(timeout=20, decode=False)
    return client.close_code, client.close_reason


def test_drop_cuts_the_connections_of_one_topic(serving, dial):
    node = serving(rate=100)
    gone, stays = dial(node, "transactions"), dial(node, "metrics")
    assert node.fault("drop", topic="transactions") == 1
    assert end_of(gone) == (1006, "")
    assert stays.recv(timeout=20)
    assert node.truth.incidents[-1].kind == "fault:drop"


def test_drop_cuts_all_connections(serving, dial):
    node = serving()
    clients = [dial(node, topic) for topic in TOPICS]
    assert node.fault("drop") == 5
    assert [end_of(client)[0] for client in clients] == [1006] * 5


def test_close_says_code_and_reason(serving, dial):
    node = serving(rate=100)
    client = dial(node)
    assert node.fault("close", code=4001, reason="so ordered") == 1
    assert end_of(client) == (4001, "so ordered")


def test_a_stall_withholds_frames_until_it_is_cleared(serving, dial, eventually):
    node = serving(seed=7, rate=500, broadcast=True)
    client = dial(node)
    assert node.fault("stall", topic="transactions") == 1
    withheld = node.stats().withheld["transactions"]
    eventually(lambda: node.stats().withheld["transactions"] > withheld + 50)
    sent = node.stats().sent["transactions"]
    assert node.stats().sent["transactions"] == sent
    assert node.truth.incidents[-1].end_ns is None
    node.fault("clear")
    eventually(lambda: node.stats().sent["transactions"] > sent)
    for _ in range(sent + 1):
        client.recv(timeout=20)
    assert node.truth.incidents[-1].end_ns is not None


def test_a_stall_ends_by_itself(serving, dial, eventually):
    node = serving(rate=500)
    dial(node)
    node.fault("stall", duration=0.2)
    eventually(lambda: node.stats().withheld["transactions"] > 0)
    sent = node.stats().sent["transactions"]
    eventually(lambda: node.stats().sent["transactions"] > sent)


def test_garbage_comes_between_the_frames_and_is_booked_apart(serving, dial):
    node = serving(broadcast=False)
    client = dial(node, "metrics")
    assert node.fault("garbage", topic="metrics", n=5) == 1
    got = [client.recv(timeout=20, decode=False) for _ in range(5)]
    with pytest.raises(json.JSONDecodeError):
        json.loads(got[0])
    with pytest.raises(UnicodeDecodeError):
        got[1].decode()
    assert got[2] == b"\x00\x01\x02\x03"
    assert json.loads(got[3])["tps"] == "fast"
    assert json.loads(got[4])["type"] == "horoscope"
    stats = node.stats()
    assert stats.garbage == {**dict.fromkeys(TOPICS, 0), "metrics": 5} and stats.messages_sent == 0


def test_garbage_does_not_confuse_the_compression(serving, dial):
    node = serving(rate=300, seed=7)
    client = dial(node, compression="deflate")
    assert client.protocol.extensions
    client.recv(timeout=20)
    node.fault("garbage", kinds="binary", n=2)
    frames = [client.recv(timeout=20, decode=False) for _ in range(200)]
    assert frames.count(b"\x00\x01\x02\x03") == 2
    assert all(json.loads(frame)["txHash"] for frame in frames if frame[:1] == b"{")


@pytest.mark.parametrize("status", [401, 403, 404, 429, 503])
def test_refuse_answers_handshakes_until_it_is_cleared(serving, dial, status):
    node = serving()
    dial(node, "metrics")
    node.fault("refuse", status=status, retry_after=7)
    with pytest.raises(InvalidStatus) as refused:
        dial(node, path="/ws/metrics")
    response = refused.value.response
    assert (response.status_code, response.headers["Retry-After"]) == (status, "7")
    node.fault("clear")
    assert dial(node, "metrics").recv(timeout=20)


def test_refuse_is_for_one_topic_and_ends_by_itself(serving, dial, eventually):
    node = serving()
    node.fault("refuse", topic="metrics", duration=1)
    assert dial(node, "network")

    def admitted():
        with contextlib.suppress(InvalidStatus):
            return bool(dial(node, path="/ws/metrics"))

    with pytest.raises(InvalidStatus) as refused:
        dial(node, path="/ws/metrics")
    assert refused.value.response.status_code == 503
    assert "Retry-After" not in refused.value.response.headers
    eventually(admitted)
    assert node.stats().refused >= 1


def test_a_bad_order_changes_nothing(serving, dial):
    node = serving()
    client = dial(node, "metrics")
    with pytest.raises(BadOption):
        node.fault("burn")
    assert node.truth.incidents == ()
    assert client.recv(timeout=20)
