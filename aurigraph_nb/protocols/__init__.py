"""The wire protocols, one module a system: bytes in, records out. No I/O, no clock.

:func:`tell` says which of them a URL speaks.
"""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit, urlunsplit

from ..errors import BadOption, BadUrl
from .base import Batch, Control, Decoder, Frame, Ledger, Undecoded, WireProtocol
from .portal import PortalProtocol

__all__ = [
    "AURIGRAPH_HOSTS",
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

PROTOCOLS: dict[str, WireProtocol] = {"portal": PortalProtocol()}

AURIGRAPH_HOSTS = frozenset({"dlt.aurigraph.io"})
"""Hosts that are known to serve the topic streams, whatever the path."""

_EXAMPLE = "such as ws://localhost:9003 or wss://dlt.aurigraph.io"


def tell(url: str, protocol: str | None = None, *, known_hosts: frozenset[str] = AURIGRAPH_HOSTS) -> tuple[str, str]:
    """The protocol that ``url`` speaks, and the URL in full.

    :param protocol: the protocol's name, if it is known
    :param known_hosts: hosts (``host`` or ``host:port``) that speak the topic streams on any ambiguous path
    :returns: (protocol name, URL with a path)
    :raises BadUrl: for a malformed URL, or one that could mean several protocols
    :raises BadOption: for a protocol that there is not
    """
    parts = _split(url)
    if protocol is not None:
        if protocol not in PROTOCOLS:
            raise BadOption(f"protocol={protocol!r} is not known; it can be {_spellings()}")
        return protocol, _with_path(parts, "/ws" if parts.path in ("", "/") else parts.path)
    path = parts.path.rstrip("/")
    if path.rpartition("/")[2] in PROTOCOLS["portal"].topics and path.count("/") >= 1:
        return "portal", _with_path(parts, path)
    host = parts.hostname or ""
    if known_hosts & {host, f"{host}:{parts.port}"} and path in ("", "/ws", "/api/v11/ws"):
        return "portal", _with_path(parts, path or "/ws")
    came = f"the path {path!r}" if path else "no path"
    raise BadUrl(
        f"{redact(url)} has {came}, which does not tell the protocol. Say which one it is: connect(url, protocol=…) "
        f"with {_spellings()}; or give the path of a topic, such as /ws/metrics"
    )


def _spellings() -> str:
    return " or ".join(f'protocol="{name}"' for name in PROTOCOLS)


def _split(url: str) -> SplitResult:
    if not isinstance(url, str):
        raise BadUrl(f"a URL as text was expected, {_EXAMPLE}; what came is of type {type(url).__name__}")
    try:
        parts = urlsplit(url.strip())
        parts.port  # noqa: B018 - reading it is what checks it
    except ValueError as exc:
        raise BadUrl(f"{redact(url)} is no URL ({exc}); expected one like ws://host:port, {_EXAMPLE}") from None
    if parts.scheme not in ("ws", "wss"):
        hint = " (a WebSocket URL has ws:// in place of http:// and wss:// in place of https://)"
        raise BadUrl(
            f"{redact(url)} does not begin with ws:// or wss://{hint if parts.scheme.startswith('http') else ''}; "
            f"expected a URL {_EXAMPLE}"
        )
    if not parts.hostname:
        raise BadUrl(f"{redact(url)} names no host; expected a URL {_EXAMPLE}")
    if parts.username or parts.password:
        raise BadUrl(f"{redact(url)} carries a user or password; give a token as connect(url, token=…) instead")
    return parts


def _with_path(parts: SplitResult, path: str) -> str:
    return urlunsplit(parts._replace(path=path, fragment=""))


def redact(url: str) -> str:
    """``url`` for people's eyes: without user, password and query values."""
    text = "".join(c for c in str(url) if c.isprintable())[:300]
    scheme, sep, rest = text.partition("://")
    rest, _, _ = rest.partition("#")
    place, question, query = rest.partition("?")
    host, slash, path = place.partition("/")
    host = host.rpartition("@")[2]
    names = "&".join(f"{pair.partition('=')[0]}=…" for pair in query.split("&")) if query else ""
    return f"{scheme}{sep}{host}{slash}{path}{question}{names}" if sep else text.partition("?")[0]
