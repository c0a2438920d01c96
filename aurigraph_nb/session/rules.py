"""The rules for closes, refusals and failures: one row an outcome.

A row has the outcome's meaning, how many of its kind in a row make it final, and what a person can do about it.
:func:`~aurigraph_nb.session.verdict.classify` reads these tables; nothing else in the package decides such things.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from aurigraph_nb.errors import AuthRefused, ConnectFailed


class Row(NamedTuple):
    """What one outcome means."""

    meaning: str
    final: int | None
    """How many in a row are final; None: never."""
    advice: str
    """What to do; ``{…}`` are the words that :func:`~aurigraph_nb.session.verdict.classify` fills in."""
    error: type[ConnectFailed] = ConnectFailed
    kind: str = ""
    """What counts as the same kind in a row; empty: the cause."""


Codes: TypeAlias = Mapping[int, Row]
_AGAIN = "If this goes on, `aurigraph-nb doctor {url}` tells more."
_WRONG_PROTOCOL = "Check that this URL speaks the protocol {protocol!r} (protocol= in connect())."

CLOSE_CODES: Codes = MappingProxyType(
    {
        1000: Row("normal end", None, "The server ended the stream and was expected to go on."),
        1001: Row("going away", None, "The server is going down, or closes clients that keep silent."),
        1002: Row(
            "protocol error", 1, "Expected valid WebSocket frames: check host and port, and any proxy in between."
        ),
        1003: Row("unsupported data", 1, _WRONG_PROTOCOL),
        1005: Row("no code given", None, "The server gave no reason. " + _AGAIN),
        1006: Row("no close frame", None, "The network, a proxy or the server went away. " + _AGAIN),
        1007: Row("invalid payload", 1, "Expected valid UTF-8 and JSON. " + _WRONG_PROTOCOL),
        1009: Row(
            "message too big",
            3,
            "The limit here is {limit} (max_size= in connect()); the server's own limit was passed, or one in between.",
        ),
        1010: Row(
            "missing extension",
            1,
            "The two sides disagree on compression: try the other one of compression=None and compression='deflate'.",
        ),
        1011: Row("internal error", None, "The server failed; its log knows more."),
        1012: Row("service restart", None, "The server restarts."),
        1013: Row("try again later", None, "The server is overloaded."),
        1014: Row("bad gateway", None, "The proxy in between got no answer from the server. " + _AGAIN),
        1015: Row("TLS failure", None, "The TLS connection broke. " + _AGAIN),
    }
)
"""1008 is not here: it depends on the token and the reason, see :func:`~aurigraph_nb.session.verdict.classify`."""
PRIVATE = Row(
    "a code of the application", 3, "The server's documentation says what its code means.", kind="close 3000-4999"
)
UNLISTED = Row(
    "a code with no meaning here", 3, "Expected a code of RFC 6455. " + _WRONG_PROTOCOL, kind="close unlisted"
)
CLOSED_HERE: Codes = MappingProxyType(
    {
        1002: Row(
            "protocol error", 1, "What came is not valid WebSocket: check host and port, and any proxy in between."
        ),
        1009: Row(
            "message too big", 3, "A message was larger than the limit here, {limit}: raise max_size= in connect()."
        ),
        1011: Row("no answer to a ping", None, "The network or the server stalled. " + _AGAIN),
    }
)
"""Where it makes a difference that this side closed."""

HTTP_STATUS: Codes = MappingProxyType(
    {
        401: Row("Unauthorized", 1, "{token_advice}", AuthRefused),
        403: Row(
            "Forbidden",
            1,
            "Either the token or the path is wrong (some servers answer 403 to a path that they do not know). "
            "{token_advice} Path: check {path!r}.",
            AuthRefused,
        ),
        404: Row("Not Found", 1, "There is nothing at the path {path!r}: check path, port and prefix of the URL."),
        408: Row("Request Timeout", None, _AGAIN),
        425: Row("Too Early", None, _AGAIN),
        426: Row("Upgrade Required", 1, _WRONG_PROTOCOL),
        429: Row("Too Many Requests", None, "The server limits connections: open fewer, or share one feed."),
        500: Row("Internal Server Error", None, "The server failed; its log knows more."),
        502: Row("Bad Gateway", None, "The proxy is up, the server behind it is not."),
        503: Row("Service Unavailable", None, "The server is overloaded or starting."),
        504: Row("Gateway Timeout", None, "The proxy is up, the server behind it does not answer."),
    }
)
HTTP_REDIRECTS = frozenset({301, 302, 303, 307, 308})
HTTP_3XX = Row("a redirect that leads nowhere", 1, "Expected a Location to follow: connect to the final URL.")
HTTP_4XX = Row("a refusal", 1, "The server does not take the request as it stands: check the URL. " + _WRONG_PROTOCOL)
HTTP_5XX = Row("a failure of the server", None, _AGAIN)
HTTP_ELSE = Row("no WebSocket", 1, "There is something else than a WebSocket at the path {path!r}: check the URL.")
FOREIGN = (
    "Redirects are followed on the same host only (with a token: the same port, too), never from wss to ws: "
    "credentials never cross to another place. If you trust the target, connect to it directly."
)

FAILURES: Mapping[str, Row] = MappingProxyType(
    {
        "dns": Row("unknown host {host!r}", 3, "Check the spelling of the host, and that network, VPN and DNS are up."),
        "tcp": Row(
            "no connection to {host_port}",
            None,
            "Nothing listens there, or a firewall is in the way. `aurigraph-nb serve` starts a local node, "
            "`aurigraph-nb doctor {url}` tells what is wrong.",
        ),
        "tls": Row(
            "TLS failed with {host_port}",
            1,
            "Expected a valid certificate for {host!r}. Give ssl= a context that trusts a private CA, or use ws:// if "
            "the server has no TLS.",
        ),
        "url": Row("not a URL to connect to", 1, "Expected ws://host:port/path or wss://host/path: correct the URL."),
        "timeout": Row("no answer from {host_port} in time", None, "Raise open_timeout= in connect(). " + _AGAIN),
        "handshake": Row(
            "{host_port} closed the connection during the handshake",
            None,
            "The server may be starting or stopping; otherwise check that the port is one of a WebSocket server, and "
            "ws:// against wss://. " + _AGAIN,
        ),
        "protocol": Row(
            "no WebSocket handshake from {host_port}",
            3,
            "Expected HTTP status 101: check that the port is one of a WebSocket server. " + _AGAIN,
        ),
        "token": Row("there was no token to send", 3, "The callable given as token= has to return the token as text."),
    }
)
SPEAKS_OF_AUTH = re.compile(
    r"(?i)auth|token|jwt|bearer|credential|permission|forbidden|denied|log[ -]?in|sign[ -]?in|api[ -_]?key|password"
)
