"""Who is let in, over real sockets: tokens in the handshake, in a first message, and none."""

import contextlib
import json
import logging

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from aurigraph_nb.clock import RealClock
from aurigraph_nb.node.events import STREAMS, SYSTEMS, TOPICS

BEARER = {"Authorization": "Bearer sesame"}


def end_of(client):
    """Read on until the connection ends; returns what came, its close code and reason."""
    came = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            came.append(client.recv(timeout=20))
    return came, client.close_code, client.close_reason


def path_of(node, stream):
    return node.system_urls.get(stream, f"{node.url}/ws/{stream}").removeprefix(node.url)


@pytest.mark.parametrize("stream", STREAMS)
def test_the_right_token_opens_every_stream(serving, dial, stream):
    node = serving(seed=7, rate=100, token="sesame", metrics_interval=0.1)
    for way in (
        {"additional_headers": BEARER},
        {"additional_headers": {"Cookie": "token=sesame"}},
        {"path": f"{path_of(node, stream)}?token=sesame"},
    ):
        assert dial(node, stream, **way).recv(timeout=20)
    assert node.stats().denied == 0


@pytest.mark.parametrize("stream", [stream for stream in STREAMS if stream != "channels"])
def test_without_a_token_the_answer_is_401_and_with_a_wrong_one_403(serving, dial, stream):
    node = serving(token=["sesame", "barley"])
    for token, status in ((None, 401), ("rye", 403)):
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        with pytest.raises(InvalidStatus) as refused:
            dial(node, path=path_of(node, stream), additional_headers=headers)
        response = refused.value.response
        assert response.status_code == status
        assert (response.headers.get("WWW-Authenticate") == "Bearer") == (status == 401)
        assert b"rye" not in response.body and b"sesame" not in response.body
    stats = node.stats()
    assert (stats.denied, stats.refused, stats.opened) == (2, 2, 0)


def test_channels_take_a_token_in_the_first_message(serving, dial, eventually):
    node = serving(seed=7, token="sesame")
    client = dial(node, "channels")
    client.send('{"type": "auth", "token": "sesame"}')
    assert json.loads(client.recv(timeout=20))["type"]
    eventually(lambda: node.stats().commands == 1)


def test_channels_send_nothing_before_and_close_for_a_wrong_token_or_another_message(serving, dial):
    node = serving(seed=7, token="sesame")
    for message, reason in (
        ('{"type": "auth", "token": "rye"}', "authentication failed"),
        ('{"type": "reboot"}', "authentication required"),
    ):
        client = dial(node, "channels")
        client.send(message)
        assert end_of(client) == ([], 1008, reason)
    assert node.stats().denied == 2
    with pytest.raises(InvalidStatus) as refused:
        dial(node, path="/ws", additional_headers={"Authorization": "Bearer rye"})
    assert refused.value.response.status_code == 403


class Hurrying(RealClock):
    """A clock on which what is to be done in ten seconds is done at once."""

    def call_later(self, seconds, fn):
        return super().call_later(seconds / 100, fn)


def test_who_does_not_authenticate_in_time_is_closed(serving, dial, eventually):
    node = serving(seed=7, token="sesame", clock=Hurrying())
    late, early = dial(node, "channels"), dial(node, "channels", additional_headers=BEARER)
    assert end_of(late) == ([], 1008, "authentication timeout")
    assert early.recv(timeout=20)
    eventually(lambda: node.stats().connections["channels"] == 1)
    assert node.stats().denied == 1


@pytest.mark.parametrize("stream", ["metrics", "live", "fakeai"])
def test_a_server_may_tell_it_after_the_upgrade(serving, dial, eventually, stream):
    node = serving(token="sesame", quirks="auth-after-upgrade")
    for headers, reason in (({}, "authentication required"), ({"Cookie": "token=x"}, "authentication failed")):
        client = dial(node, path=path_of(node, stream), additional_headers=headers)
        assert end_of(client) == ([], 1008, reason)
    eventually(lambda: node.stats().denied == 2)
    assert dial(node, stream, additional_headers=BEARER).recv(timeout=20)


def test_what_is_asked_by_http_needs_no_token(serving, http):
    node = serving(token="sesame")
    for path in ("/q/health", "/api/v11/websocket/stats", "/api/v11/blockchain/stats"):
        assert http(node, path).status_code == 200


def test_tokens_are_in_no_log(serving, dial, caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("aurigraph_nb.node").setLevel(logging.DEBUG)
    node = serving(seed=7, token="sesame")
    dial(node, "live", path="/api/v11/live/stream?token=sesame").recv(timeout=20)
    client = dial(node, "channels")
    client.send('{"type": "auth", "token": "sesame"}')
    client.recv(timeout=20)
    with pytest.raises(InvalidStatus):
        dial(node, path="/ws/metrics?token=rye")
    node.close()
    ours = [record for record in caplog.records if record.name.startswith("aurigraph_nb")]
    assert not [record for record in ours if "sesame" in record.getMessage() or "rye" in record.getMessage()]
    assert "sesame" not in repr(node) + repr(node.stats()) + repr(node.truth) + repr(node.server.options)


def test_all_streams_are_covered_here():
    assert STREAMS == TOPICS + SYSTEMS == (*TOPICS, "live", "channels", "fakeai")
