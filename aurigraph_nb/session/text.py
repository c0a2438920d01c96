"""Text and addresses from a server, made fit to show or to follow. All of it is hostile until it went through here."""

from __future__ import annotations

import datetime as dt
import math
import re
import unicodedata
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

SHOWN_CHARS = 200
"""Characters of foreign text that a message shows at most."""
_READ_CHARS = 4096
_SPACED = {"Cc", "Zl", "Zp"}
_UNSHOWN = {"Cf", "Cs", "Co", "Cn"}
_SECRETS = (
    re.compile(r"(?i)(\bbearer\s+)\S+"),
    re.compile(r"(?i)((?:token|jwt|api[-_]?key|password|passwd|secret|authorization|signature)=)[^\s&\"',;]+"),
    re.compile(r"(?i)((?:token|jwt|api[-_]?key|password|passwd|secret)[:\s]\s*)(?=\S*\d)[^\s\"',;]{16,}"),
    re.compile(r"()\beyJ[\w-]+(?:\.[\w-]*){0,2}"),
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HTTP_DATE = re.compile(r"\w{3}, (\d{2}) (\w{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT")
_PORTS = {"ws": 80, "wss": 443}
_AS_WS = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


def clean(text: str) -> str:
    """Foreign text on one line of at most 200 characters: no control or invisible characters, nothing like a secret.

    >>> clean("bad\\x1b[31m\\n  token=abc")
    'bad [31m token=***'
    """
    line = " ".join("".join(map(_plain, text[:_READ_CHARS])).split())
    for secret in _SECRETS:
        line = secret.sub(r"\1***", line)
    return line if len(line) <= SHOWN_CHARS else line[: SHOWN_CHARS - 1] + "…"


def brief(text: object, chars: int = 80) -> str:
    """Foreign text for a repr: as :func:`clean` makes it, and shorter.

    >>> brief("x" * 200, 4)
    'xxx…'
    """
    line = clean(str(text))
    return line if len(line) <= chars else line[: chars - 1] + "…"


def _plain(char: str) -> str:
    category = unicodedata.category(char)
    return " " if category in _SPACED else "" if category in _UNSHOWN else char


def split(url: str) -> SplitResult:
    """Parts of a URL; of the empty one if it is malformed."""
    try:
        parts = urlsplit(url)
        _ = parts.port, parts.hostname
    except ValueError:
        return urlsplit("")
    return parts


def shown(url: str) -> str:
    """A URL without what may be secret in it (user, query, fragment), cleaned.

    >>> shown("wss://me:pw@host:9003/ws/metrics?token=abc#x")
    'wss://host:9003/ws/metrics'
    """
    parts = split(url)
    return clean(urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "")))


def endpoint(url: str) -> str:
    """``host:port`` of a URL, the port filled in; empty if it names no host."""
    parts = split(url)
    host = parts.hostname or ""
    port = parts.port or _PORTS.get(_AS_WS.get(parts.scheme, ""))
    host = f"[{host}]" if ":" in host else host
    return clean(f"{host}:{port}" if host and port else host)


def redirect_target(url: str, location: str, *, same_origin: bool = False) -> str | None:
    """Where a redirect leads; None if it must not be followed.

    Followed is what stays on the same host (http is read as ws, https as wss). Never followed: another host, wss to ws,
    a user name in the URL, a malformed one.

    Args:
        url: the URL that was dialled.
        location: the ``Location`` header, absolute or relative.
        same_origin: the port has to be the same, too (or go from 80 to 443 with TLS), as credentials must not cross.

    >>> redirect_target("ws://node:9003/ws/metrics", "http://node:9003/v2/metrics")
    'ws://node:9003/v2/metrics'
    >>> redirect_target("ws://node:9003/ws/metrics", "//elsewhere/ws/metrics") is None
    True
    """
    if len(location) > _READ_CHARS or "\\" in location or any(c <= " " or c == "\x7f" for c in location):
        return None
    origin = split(url)
    try:
        target = split(urljoin(_as_http(origin), location))
    except ValueError:
        return None
    if not _may_follow(origin, target) or (same_origin and not _same_origin(origin, target)):
        return None
    return urlunsplit((_AS_WS[target.scheme], target.netloc, target.path, target.query, ""))


def _as_http(parts: SplitResult) -> str:
    scheme = "https" if _AS_WS.get(parts.scheme) == "wss" else "http"
    return urlunsplit((scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))


def _may_follow(origin: SplitResult, target: SplitResult) -> bool:
    if _AS_WS.get(target.scheme) is None or target.username is not None or target.password is not None:
        return False
    downgrade = _AS_WS.get(origin.scheme) == "wss" and _AS_WS[target.scheme] == "ws"
    return bool(target.hostname) and target.hostname == origin.hostname and not downgrade


def _same_origin(origin: SplitResult, target: SplitResult) -> bool:
    old, new = _AS_WS.get(origin.scheme, "ws"), _AS_WS[target.scheme]
    old_port, new_port = origin.port or _PORTS[old], target.port or _PORTS[new]
    return old_port == new_port or (old_port, new_port, new) == (80, 443, "wss")


def parse_retry_after(value: str | None, now_ns: int) -> float | None:
    """Seconds to wait that a ``Retry-After`` header asks for (a number or an HTTP date); None if it says nothing.

    >>> parse_retry_after("120", now_ns=0), parse_retry_after("Thu, 01 Jan 1970 00:01:00 GMT", now_ns=0)
    (120.0, 60.0)
    """
    text = (value or "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        return float(text)
    found = _HTTP_DATE.fullmatch(text)
    if found is None or found[2] not in _MONTHS:
        return None
    year, month, day = int(found[3]), _MONTHS.index(found[2]) + 1, int(found[1])
    try:
        when = dt.datetime(year, month, day, int(found[4]), int(found[5]), int(found[6]), tzinfo=dt.UTC)
    except ValueError:
        return None
    return max(0.0, when.timestamp() - now_ns / 1e9)


def bounded_wait(wait_s: float | None, limit_s: float) -> float | None:
    """A wait between 0 and ``limit_s``; None if it is none or no number."""
    if wait_s is None or math.isnan(wait_s):
        return None
    return min(max(wait_s, 0.0), limit_s)
