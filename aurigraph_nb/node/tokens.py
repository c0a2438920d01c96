"""Who may come in: tokens in the request of a handshake, or in a first message. Pure, and silent about the tokens."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any
from urllib.parse import parse_qsl, unquote

from ..errors import BadOption, BadOptionType

LONGEST = 4_096
"""Characters of a token at most."""
MOST_TOKENS = 1_000
MOST_PRESENTED = 8
"""A request may carry a token in several places; further ones are not looked at."""


class Verdict(Enum):
    """What a request's tokens are worth."""

    OPEN = "none is needed"
    GRANTED = "the right one"
    MISSING = "there was none"
    WRONG = "there was a wrong one"

    @property
    def passes(self) -> bool:
        return self in (Verdict.OPEN, Verdict.GRANTED)


class Tokens:
    """The tokens that are good. Its ``repr`` does not show them."""

    def __init__(self, tokens: Iterable[str] = ()) -> None:
        self._good = tuple(token.encode() for token in tokens)

    def __repr__(self) -> str:
        return f"<{len(self._good)} tokens>" if self._good else "<no token needed>"

    def __bool__(self) -> bool:
        return bool(self._good)

    def accepts(self, token: object) -> bool:
        """Whether ``token`` is one of them; anything may be asked."""
        if not isinstance(token, str) or len(token) > LONGEST:
            return False
        came = token.encode("utf-8", "surrogatepass")
        # All are compared, in a time that does not depend on where they differ.
        return sum(hmac.compare_digest(came, good) for good in self._good) > 0

    def judge(self, target: str, authorization: Iterable[str], cookies: Iterable[str]) -> Verdict:
        """What the request for ``target`` with those headers is worth."""
        if not self._good:
            return Verdict.OPEN
        found = False
        for count, token in enumerate(_presented(target, authorization, cookies)):
            if count == MOST_PRESENTED:
                break
            found = True
            if self.accepts(token):
                return Verdict.GRANTED
        return Verdict.WRONG if found else Verdict.MISSING


def _presented(target: str, authorization: Iterable[str], cookies: Iterable[str]) -> Iterator[str]:
    for header in authorization:
        scheme, _, token = header.strip().partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            yield token.strip()
    try:
        pairs = parse_qsl(target.partition("?")[2], max_num_fields=100)
    except ValueError:
        pairs = []
    yield from (value for name, value in pairs if name == "token")
    for header in cookies:
        for crumb in header.split(";"):
            name, _, value = crumb.strip().partition("=")
            if name == "token" and value:
                yield unquote(value.strip('"'))


def check(token: Any) -> Tokens:
    """The tokens of the option ``token``: None, one, or several.

    Raises:
        BadOption: one cannot travel in a header.
        BadOptionType: they are no texts. (Neither message shows them.)
    """
    if token is None:
        return Tokens()
    if isinstance(token, str):
        several = [token]
    elif isinstance(token, Iterable) and not isinstance(token, bytes):
        several = list(token)
    else:
        raise BadOptionType(f"token= is of type {type(token).__name__}; expected a text, or several.")
    for one in several:
        if not isinstance(one, str):
            raise BadOptionType(f"token= holds a value of type {type(one).__name__}; expected texts.")
        if not 1 <= len(one) <= LONGEST or not one.isascii() or not one.isprintable() or " " in one:
            raise BadOption(
                f"token= holds one that cannot travel in a header; expected 1 to {LONGEST} printable ASCII characters "
                "without spaces."
            )
    if len(several) > MOST_TOKENS:
        raise BadOption(f"token= holds {len(several)} tokens; expected {MOST_TOKENS} at most.")
    return Tokens(several)
