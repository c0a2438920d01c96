"""The wire protocols, one module a system: bytes in, records out. No I/O, no clock.

:func:`tell` says which of them a URL speaks.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit, urlunsplit

from ..errors import BadOption, BadUrl
from . import channels, fakeai, live
from .base import Batch, Control, Decoder, Frame, Ledger, Undecoded, WireProtocol
from .portal import PortalProtocol

__all__ = [
    "AURIGRAPH_HOSTS",
    "PATHS",
    "PROTOCOLS",
    "Batch",
    "Control",
    "Decoder",
    "Frame",
    "Ledger",
    "Undecoded",
    "WireProtocol",
    "redact",
    "tell",
]

PROTOCOLS: dict[str, WireProtocol] = {
    protocol.name: protocol
    for protocol in (PortalProtocol(), live.LiveProtocol(), channels.ChannelsProtocol(), fakeai.FakeaiProtocol())
}
"""By the name that ``protocol=`` takes."""

PATHS: dict[str, str] = {"portal": "/ws", "live": live.PATH, "channels": channels.PATH, "fakeai": fakeai.PATH}
"""The path that each protocol's servers listen on, as documented; of the topic streams, what comes before the topic."""

AURIGRAPH_HOSTS = frozenset({"dlt.aurigraph.io"})
"""Hosts that are known to serve the topic streams, whatever the path."""

# What a path may mean; where it is not named here, anything.
_COULD_BE: dict[str, tuple[str, ...]] = {"/ws": ("portal", "channels")}

_EXAMPLE = "such as ws://localhost:9003/ws/metrics or wss://dlt.aurigraph.io"


def tell(url: str, protocol: str | None = None, *, known_hosts: frozenset[str] = AURIGRAPH_HOSTS) -> tuple[str, str]:
    """The protocol that ``url`` speaks, and the URL in full.

    :param protocol: the protocol's name, if it is known; it supplies the path where the URL has none
    :param known_hosts: hosts (``host`` or ``host:port``) that speak the topic streams on any ambiguous path
    :returns: (protocol name, URL with a path)
    :raises BadUrl: for a malformed URL, or one that could mean several protocols
    :raises BadOption: for a protocol that there is not

    >>> tell("ws://localhost:8000/metrics/stream")
    ('fakeai', 'ws://localhost:8000/metrics/stream')
    >>> tell("ws://localhost:9003", "live")
    ('live', 'ws://localhost:9003/api/v11/live/stream')
    """
    parts = _split(url)
    path = parts.path.rstrip("/")
    if protocol is not None:
        if not isinstance(protocol, str) or protocol not in PROTOCOLS:
            raise BadOption(f"protocol={protocol!r} is not known; it can be {_spellings(PROTOCOLS)}")
        return protocol, _with_path(parts, parts.path if path else PATHS[protocol])
    for name in ("live", "fakeai"):
        if path.endswith(PATHS[name]):
            return name, _with_path(parts, path)
    if path.rpartition("/")[2] in PROTOCOLS["portal"].topics:
        return "portal", _with_path(parts, path)
    host = parts.hostname or ""
    if known_hosts & {host, f"{host}:{parts.port}"} and path in ("", "/ws", "/api/v11/ws"):
        return "portal", _with_path(parts, path or "/ws")
    raise BadUrl(_ambiguous(url, path))


def _ambiguous(url: str, path: str) -> str:
    came = f"the path {path!r}" if path else "no path"
    choice = _spellings(_COULD_BE.get(path, tuple(PROTOCOLS)))
    return (
        f"{redact(url)} has {came}, which does not tell the protocol. Say which one it is with {choice}; "
        f"or give a path that tells it: /ws/<topic> such as /ws/metrics for the topic streams, {PATHS['live']} for "
        f"the live stream, {PATHS['fakeai']} for the inference metrics"
    )


def _spellings(names: Iterable[str]) -> str:
    return " or ".join(f'protocol="{name}"' for name in names)


def _split(url: str) -> SplitResult:
    if not isinstance(url, str):
        raise BadUrl(f"a URL as text was expected, {_EXAMPLE}; what came is of type {type(url).__name__}")
    try:
        parts = urlsplit(url.strip())
        parts.port  # noqa: B018 - reading it is what checks it
    except ValueError:
        # The library's own words are not shown: they may quote what stands where the port should, say a password.
        raise BadUrl(
            f"{redact(url)} is no URL (its host or port cannot be read); expected one like ws://host:port, {_EXAMPLE}"
        ) from None
    if parts.scheme not in ("ws", "wss"):
        hint = " (a WebSocket URL has ws:// in place of http:// and wss:// in place of https://)"
        raise BadUrl(
            f"{redact(url)} does not begin with ws:// or wss://{hint if parts.scheme.startswith('http') else ''}; "
            f"expected a URL {_EXAMPLE}"
        )
    if not parts.hostname:
        raise BadUrl(f"{redact(url)} names no host; expected a URL {_EXAMPLE}")
    if parts.username or parts.password:
        raise BadUrl(f"{redact(url)} carries a user or password; give a token by token=… instead")
    return parts


def _with_path(parts: SplitResult, path: str) -> str:
    return urlunsplit(parts._replace(path=path, fragment=""))


def redact(url: str) -> str:
    """``url`` for people's eyes: without user, password and query values, however malformed it is."""
    text = "".join(c for c in str(url) if c.isprintable())[:300]
    scheme, sep, rest = text.partition("://")
    if not sep:
        scheme, rest = "", text
    rest = rest.rpartition("@")[2]  # a password may hold any of the other marks
    place, question, query = rest.partition("#")[0].partition("?")
    names = "&".join(f"{pair.partition('=')[0]}=…" for pair in query.split("&")) if query and sep else ""
    return f"{scheme}{sep}{place}{question if sep else ''}{names}" or "(an empty text)"
