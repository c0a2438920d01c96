"""Every row of the table of closes and refusals, over real sockets: retry or stop, the message, the status."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import pytest
from scripted import ScriptedServer, closes, hold, sends
from websockets.datastructures import Headers
from websockets.http11 import Response

import aurigraph_nb as ag
from aurigraph_nb.session import State

QUICK = ag.Backoff(0.01, 1.2, max_s=0.02, jitter=False)
TLS = Path(__file__).parents[1] / "node" / "tls"
PATHS = {"portal": "/ws/metrics", "live": "/api/v11/live/stream", "channels": "/ws", "fakeai": "/metrics/stream"}
TOPIC = {"portal": "metrics", "live": "metrics", "channels": "*", "fakeai": "metrics"}
FRAME = {
    "portal": json.dumps({"currentTPS": 1}),
    "live": json.dumps({"type": "tps_update", "payload": {"currentTPS": 1}, "timestamp": 1_767_225_600_000}),
    "channels": json.dumps({"type": "weather", "data": {}, "timestamp": "2026-01-01T00:00:00.000Z"}),
    "fakeai": json.dumps({"type": "metrics_update", "data": {"total_requests": 1}, "timestamp": 1_767_225_600_000}),
}


@pytest.fixture(autouse=True, params=["websockets", "picows"])
def all_closed(request, monkeypatch):
    """Each test runs on each transport."""
    if request.param == "picows":
        pytest.importorskip("picows", reason="the extra [fast] is not installed")
    monkeypatch.setitem(ag.connect.__kwdefaults__, "transport", request.param)
    yield
    ag.close_all()


def topic_of(server, protocol="portal", **options):
    feed = ag.connect(server.url(PATHS[protocol]), protocol=protocol, reconnect=QUICK, **options)
    return feed, feed[TOPIC[protocol]]


def comes_back(script, protocol="portal", **options):
    """After ``script`` the client connects again and gets its row; the status tells of the loss meanwhile."""
    with ScriptedServer(script, sends(FRAME[protocol])) as server:
        feed, topic = topic_of(server, protocol, **options)
        topic.wait(1, timeout=10)
        assert topic.latest.conn_epoch == 2
        return feed.gaps.rows()[0].detail


def gives_up(script, protocol="portal", error=ag.ConnectFailed, tries=1, **options):
    """After ``tries`` connections the client stops for good, and says why."""
    with ScriptedServer(script) as server:
        feed, topic = topic_of(server, protocol, **options)
        with pytest.raises(error) as caught:
            topic.wait(1, timeout=10)
        assert server.accepted == tries
        assert feed.status.state is State.ERROR and feed.status.error
        return str(caught.value)


@pytest.mark.parametrize("protocol", ["portal", "live", "channels"])
def test_1000_is_followed_by_a_new_connection_for_the_first_three_systems(protocol):
    assert "1000" in comes_back(closes(1000, "done"), protocol)


def test_1000_ends_the_inference_stream():
    with ScriptedServer(closes(1000, "done", FRAME["fakeai"])) as server:
        feed, topic = topic_of(server, "fakeai")
        topic.wait(1, timeout=10)
        feed.join(timeout=10)
        assert feed.ended and feed.status.state is State.DISCONNECTED and server.accepted == 1


@pytest.mark.parametrize("protocol", PATHS)
@pytest.mark.parametrize("code", [1001, 1011, 1012, 1013, 1014])
def test_what_passes_is_tried_again(protocol, code):
    assert str(code) in comes_back(closes(code, "a reason"), protocol)


async def abort(ws):
    ws.transport.abort()


async def close_without_code(ws):
    ws.protocol.send_close()
    ws.transport.write(b"".join(ws.protocol.data_to_send()))
    await ws.wait_closed()


def test_a_broken_connection_is_tried_again():
    assert "1006" in comes_back(abort)
    assert "1005" in comes_back(close_without_code)


def test_1008_without_a_token_is_tried_once_more_and_then_given_up():
    assert "1008" in gives_up(closes(1008, "policy"), tries=2)


def test_1008_that_speaks_of_authentication_ends_at_once():
    assert "1008" in gives_up(closes(1008, "authentication required"), error=ag.AuthRefused)


def test_1008_after_a_token_was_sent_ends_at_once():
    assert "Token" in gives_up(closes(1008, "policy"), error=ag.AuthRefused, token="tok")


def test_1009_is_tried_three_times_and_names_the_limit():
    words = gives_up(sends("x" * 5_000), tries=3, max_size=1_000)
    assert "1009" in words and ("1,000" in words or "1000" in words)


@pytest.mark.parametrize("code", [1002, 1003, 1007, 1010])
def test_what_cannot_pass_ends_at_once(code):
    assert str(code) in gives_up(closes(code, "no"))


@pytest.mark.parametrize("code", [3000, 4001, 4999])
def test_codes_of_applications_are_tried_three_times(code):
    assert str(code) in gives_up(closes(code, "custom"), tries=3)


def refusing(status, headers=(), times=None):
    """A handshake hook that refuses the first ``times`` attempts (None: all)."""
    seen = []

    def process(ws, request):
        if request.headers.get("Upgrade") is None:
            return Response(404, "Not Found", Headers({"Content-Length": "0", "Connection": "close"}))
        seen.append(request.path)
        if times is not None and len(seen) > times:
            return None
        return Response(status, "", Headers([("Content-Length", "0"), *headers]))

    return seen, process


@pytest.mark.parametrize("protocol", PATHS)
@pytest.mark.parametrize("status, words", [(401, "token"), (403, "path")])
def test_refused_tokens_end_at_once_on_every_system(protocol, status, words):
    seen, process = refusing(status)
    with ScriptedServer(hold, process_request=process) as server:
        feed, topic = topic_of(server, protocol)
        with pytest.raises(ag.AuthRefused, match=words):
            topic.wait(1, timeout=10)
        assert len(seen) == 1 and feed.status.state is State.ERROR and feed.status.fallback is None


@pytest.mark.parametrize("protocol", ["portal", "channels", "fakeai"])
def test_404_ends_at_once_and_names_the_path(protocol):
    seen, process = refusing(404)
    with ScriptedServer(hold, process_request=process) as server:
        _, topic = topic_of(server, protocol)
        with pytest.raises(ag.ConnectFailed, match=PATHS[protocol]):
            topic.wait(1, timeout=10)
        assert len(seen) == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_refusals_that_pass_are_tried_again(status):
    seen, process = refusing(status, times=2)
    with ScriptedServer(sends(FRAME["portal"]), process_request=process) as server:
        _, topic = topic_of(server)
        topic.wait(1, timeout=10)
        assert len(seen) == 3


def test_retry_after_is_honoured_and_told():
    _, process = refusing(429, headers=[("Retry-After", "120")])
    with ScriptedServer(hold, process_request=process) as server:
        feed, topic = topic_of(server)
        topic.open()
        with feed.news:
            assert feed.news.wait_for(lambda: feed.status.next_try_ns is not None, 10)
        assert 100 < (feed.status.next_try_ns - feed.now_ns()) / 1e9 <= 120
        assert "429" in feed.status.error and feed.status.reconnecting


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_on_the_same_host_is_followed(status):
    def process(ws, request):
        if request.path == "/ws/metrics":
            where = server.url("/elsewhere/metrics").replace("ws:", "http:")
            return Response(status, "", Headers([("Content-Length", "0"), ("Location", where)]))
        return None

    with ScriptedServer(sends(FRAME["portal"]), process_request=process) as server:
        _, topic = topic_of(server)
        topic.wait(1, timeout=10)
        assert server.paths == ["/ws/metrics", "/elsewhere/metrics"]


def test_an_untrusted_certificate_ends_at_once():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "cert.pem", TLS / "key.pem")
    with ScriptedServer(hold, ssl=context) as server:
        feed, topic = topic_of(server)
        with pytest.raises(ag.ConnectFailed, match="certificate"):
            topic.wait(1, timeout=10)
        assert feed.status.state is State.ERROR


def test_an_unknown_host_is_tried_three_times():
    told = []
    feed = ag.connect("ws://no-such-host.invalid/ws/metrics", reconnect=QUICK)
    feed.on_reconnecting(told.append)
    with pytest.raises(ag.ConnectFailed, match=r"no-such-host\.invalid"):
        feed.metrics.wait(1, timeout=30)
    assert feed.connections[0].attempts == 2
