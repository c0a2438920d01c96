"""What the ends of connections mean, and what is kept from view."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl

import pytest
from websockets.asyncio.server import serve
from websockets.datastructures import Headers
from websockets.exceptions import (
    ConnectionClosed,
    ConnectionClosedError,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    InvalidURI,
)
from websockets.frames import Close
from websockets.http11 import Response

from aurigraph_nb import session as fsm
from aurigraph_nb.dial import READ_QUEUE, Options, lost_event, open_connection, outcome
from aurigraph_nb.tokens import Secrets, TokenFailed, token_of


@pytest.mark.parametrize(
    "rcvd, sent, then_sent, code, ours",
    [
        (Close(1011, "oops"), Close(1011, "oops"), True, 1011, False),
        (None, None, None, 1006, False),
        (None, Close(1009, "too big"), None, 1009, True),
        (Close(1009, ""), Close(1009, "too big"), False, 1009, True),
        (None, Close(1011, "keepalive ping timeout"), None, 1011, True),
        (Close(1000, ""), Close(1000, ""), True, 1000, False),
    ],
)
def test_a_connection_ends_with_the_code_of_whoever_ended_it(rcvd, sent, then_sent, code, ours):
    lost = lost_event(ConnectionClosedError(rcvd, sent, then_sent), 3, 5)
    assert (lost.code, lost.ours, lost.dial, lost.last_ns) == (code, ours, 3, 5)


def refused(status, **headers):
    return InvalidStatus(Response(status, "", Headers({k.replace("_", "-"): v for k, v in headers.items()})))


@pytest.mark.parametrize(
    "exc, expected",
    [
        (refused(503, Retry_After="7"), fsm.Refused(503, 7.0, None, dial=1)),
        (refused(302, Location="/there"), fsm.Refused(302, None, "/there", dial=1)),
        (InvalidURI("x", "bad"), "url"),
        (ssl.SSLCertVerificationError("no"), "tls"),
        (socket.gaierror(-2, "Name or service not known"), "dns"),
        (TimeoutError(), "timeout"),
        (InvalidMessage("empty"), "handshake"),
        (EOFError(), "handshake"),
        (InvalidHandshake("odd"), "protocol"),
        (ConnectionRefusedError(111, "x"), "tcp"),
        (ConnectionResetError(), "handshake"),
        (TokenFailed("none"), "token"),
        (RuntimeError("odd"), "protocol"),
    ],
)
def test_a_failed_attempt_is_told_by_its_kind(exc, expected):
    event = outcome(exc, 1, 0)
    assert event.dial == 1
    if isinstance(expected, str):
        assert event.kind == expected and event.detail
    else:
        assert event == expected


def test_a_token_may_come_from_a_callable():
    assert asyncio.run(token_of("a")) == asyncio.run(token_of(lambda: "a")) == "a"
    with pytest.raises(TokenFailed, match="returned int"):
        asyncio.run(token_of(lambda: 5))


def test_secrets_are_scrubbed_and_shown_nowhere():
    secrets = Secrets({"Authorization": "Bearer abc", "X-Api-Token": "xyz", "Accept": "plain"})
    assert secrets.scrub("abc xyz plain") == "*** *** plain"
    assert "abc" not in repr(secrets)
    for i in range(300):
        secrets.add(f"token-{i:03}")
    assert secrets.scrub("token-299") == "***" and secrets.scrub("token-000") == "token-000"
    assert secrets.scrub("abc") == "***"  # what came with the call is never forgotten


def test_a_secret_is_known_in_a_url_in_json_and_cut_off():
    secrets = Secrets({}, "ws://h/ws?token=a/b+c%22d&x=1")
    for shape in ('a/b c"d', "a%2Fb%20c%22d", 'a/b c\\"d', 'a\\/b c"d'):
        assert secrets.scrub(f"<{shape}>") == "<***>", shape
    secrets.add("long-secret-token")
    assert secrets.scrub("preview long-sec") == "preview ***"
    assert secrets.scrub("x=1 long") == "x=1 long"
    assert "abc" not in repr(Options(headers={"Authorization": "abc"}, token="abc"))


async def received(handle, most):
    """What a connection brings from a server that does ``handle(ws)``, and what ended it."""
    came, portions = [], []
    async with serve(handle, "127.0.0.1", 0) as server, asyncio.timeout(30):
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        times = iter(range(10**6))
        wire = await open_connection(
            url, Options(), {}, subprotocols=(), now_ns=lambda: next(times), alive=lambda: None
        )
        try:
            while True:
                portion = await wire.take(most)
                portions.append(len(portion))
                came += portion
        except ConnectionClosedError as ended:
            return came, portions, ended


@pytest.mark.parametrize("most", [1, 3, 1_000])
def test_messages_whole_and_in_parts_come_in_their_order_before_the_end(most):
    async def handle(ws):
        for message in (b"\xff", "a", ["b", "c", "d"], "e", [b"f", b"g"]):
            await ws.send(message)
        await ws.close(1011, "done")

    came, portions, ended = asyncio.run(received(handle, most))
    assert [message[:2] for message in came] == [
        (b"\xff", False),
        (b"a", True),
        (b"bcd", True),
        (b"e", True),
        (b"fg", False),
    ]
    assert [at for _, _, at in came] == sorted(at for _, _, at in came)
    assert max(portions) <= most and ended.rcvd.code == 1011


def test_reading_goes_on_after_more_came_than_may_wait():
    count = 40 * READ_QUEUE

    async def handle(ws):
        for number in range(count):
            await ws.send(str(number))
        await ws.close(1011)

    came, portions, _ = asyncio.run(received(handle, 2 * READ_QUEUE))
    assert [data for data, _, _ in came] == [str(number).encode() for number in range(count)]
    assert max(portions) > 1


def test_a_message_of_which_the_end_never_came_is_none():
    async def handle(ws):
        await ws.send("whole")

        async def parts():
            yield "begun"
            ws.transport.abort()
            yield "never"

        await ws.send(parts())

    came, _, ended = asyncio.run(received(handle, 10))
    assert [data for data, _, _ in came] == [b"whole"] and ended.rcvd is None


@pytest.mark.parametrize("transport", ["websockets", "picows"])
def test_a_close_is_answered_although_reading_had_stopped(transport):
    if transport == "picows":
        pytest.importorskip("picows", reason="the extra [fast] is not installed")
    said = []

    async def handle(ws):
        with contextlib.suppress(ConnectionClosed):
            while True:
                await ws.send("x" * 10_000)
        await ws.wait_closed()
        said.append(ws.close_code)

    async def hang_up():
        async with serve(handle, "127.0.0.1", 0) as server, asyncio.timeout(30):
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            options = Options(transport=transport, compression=None)
            wire = await open_connection(url, options, {}, subprotocols=(), now_ns=lambda: 0, alive=lambda: None)
            socket_of = wire.transport if transport == "websockets" else wire._transport.underlying_transport
            while socket_of.is_reading():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0)
            await wire.close(1000, "enough")
            wire.arrivals.take()
            with pytest.raises(ConnectionClosed) as caught:
                await wire.take(1_000)
            assert caught.value.rcvd.code == 1000

    asyncio.run(hang_up())
    assert said == [1000]
