"""Tokens: how they are had and carried, and how they are kept from view."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from .errors import ConnectFailed
from .iothread import off_loop
from .protocols.base import TokenBy

SECRETS_KEPT = 100
"""Tokens of the past that are still looked for; a callable brings a new one at each attempt."""

CUT_CHARS = 6
"""As much of a secret at the end of a text that was cut is taken for it."""
OPEN_HEADERS = frozenset("accept accept-encoding accept-language cache-control origin pragma user-agent".split())
"""Headers whose values are no secrets; those of all others are treated as if they were."""
SECRET_NAME = re.compile(r"token|key|secret|pass|auth|sig|jwt|cookie", re.IGNORECASE)
SURE_CHARS = 16
"""A header's value of so many characters is taken for a secret whatever the header's name."""


class Secrets:
    """Texts that must be shown nowhere, even if the server sends them back."""

    def __init__(self, headers: Mapping[str, str], url: str = "") -> None:
        self._fixed: dict[str, None] = {}
        self._tokens: dict[str, None] = {}
        self._sure: dict[str, None] = {}  # those of the fixed ones that are secrets by their name or length
        for name, value in headers.items():
            if name.lower() not in OPEN_HEADERS:
                self._fix(name, [*_spellings(value), *_spellings(value.rpartition(" ")[2])])
        for name, value in parse_qsl(urlsplit(url).query):
            if len(value) >= 8 or SECRET_NAME.search(name):
                self._fix(name, _spellings(value))

    def _fix(self, name: str, spellings: list[str]) -> None:
        self._fixed |= dict.fromkeys(spellings)
        least = CUT_CHARS if SECRET_NAME.search(name) else SURE_CHARS
        self._sure |= dict.fromkeys(spelling for spelling in spellings if len(spelling) >= least)

    def __repr__(self) -> str:
        return "<Secrets>"

    def add(self, token: str) -> None:
        """A token that is in use from now on; the oldest of many are forgotten."""
        self._tokens |= dict.fromkeys(_spellings(token))
        while len(self._tokens) > SECRETS_KEPT:
            del self._tokens[next(iter(self._tokens))]

    def scrub(self, text: str) -> str:
        """``text`` without secrets; neither with the first part of one that was cut off at its end."""
        for secret in (*self._fixed, *self._tokens):
            text = text.replace(secret, "***")
            for length in range(min(len(secret) - 1, len(text)), CUT_CHARS - 1, -1):
                if text.endswith(secret[:length]):
                    text = text[:-length] + "***"
                    break
        return text

    def scrub_data(self, data: bytes) -> bytes:
        """Data that are kept, without secrets; the same object if they hold none.

        Where :meth:`scrub` replaces whatever might be one in a text for people, this leaves the harmless values of
        headers alone: a word such as "mainnet" has to stay in the data.
        """
        for secret in (*self._sure, *self._tokens):
            raw = secret.encode(errors="surrogatepass")
            if raw in data:
                data = data.replace(raw, b"***")
        return data


def _spellings(secret: str) -> list[str]:
    """A secret as it may come back: as it is, in a URL, in JSON."""
    forms = (secret, quote(secret, safe=""), quote(secret), json.dumps(secret)[1:-1], secret.replace("/", "\\/"))
    return list(dict.fromkeys(form for form in forms if form))


class TokenFailed(ConnectFailed):
    """The token callable brought none."""


def is_this_machine(url: str) -> bool:
    """Whether a URL stays on this machine for certain. (A name such as 127.example is a name, and may be anywhere.)"""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def carry(token: str, by: TokenBy, url: str, headers: dict[str, str]) -> str:
    """Put the token where the system wants it; returns the URL to dial. (A message carries it later.)"""
    if by == "header":
        headers["Authorization"] = f"Bearer {token}"
    elif by == "cookie":
        headers["Cookie"] = "; ".join(filter(None, [headers.get("Cookie"), f"token={token}"]))
    elif by == "query":
        parts = urlsplit(url)
        query = "&".join(filter(None, [parts.query, f"token={quote(token, safe='')}"]))
        return urlunsplit(parts._replace(query=query))
    return url


async def token_of(token: str | Callable[[], str], timeout_s: float = 10.0) -> str:
    """The token itself; a callable is asked on another thread, since it may well go and fetch one.

    :raises TokenFailed: if the callable fails
    """
    if isinstance(token, str):
        return token
    try:
        value = await off_loop(token, timeout_s)
    except TimeoutError:
        raise TokenFailed(f"the token callable brought nothing within {timeout_s:g} s (open_timeout=)") from None
    except Exception as exc:  # noqa: BLE001 - whatever it raises, its words may hold the token
        # The message of a token provider may hold the token: its type is all that is told.
        raise TokenFailed(
            f"the token callable raised {type(exc).__name__}; it should return the token as text"
        ) from None
    if not isinstance(value, str):
        raise TokenFailed(f"the token callable returned {type(value).__name__}; expected the token as text")
    if not fits_header(value):
        raise TokenFailed("the token callable returned an empty text, or one with blanks or line ends; strip() it")
    return value


def fits_header(token: str) -> bool:
    """Whether a token can travel in a header."""
    return bool(token) and all(" " < c < "\x7f" for c in token)
