"""What the ends of connections mean, and what is kept from view."""

from __future__ import annotations

import asyncio
import socket
import ssl

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidHandshake, InvalidMessage, InvalidStatus, InvalidURI
from websockets.frames import Close
from websockets.http11 import Response

from aurigraph_nb import session as fsm
from aurigraph_nb.dial import Options, lost_event, outcome
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
