"""The options of ``connect``, checked one by one: what came, what was expected, what to do."""

from __future__ import annotations

import hashlib
import os
import ssl as ssl_module
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, cast, get_args
from urllib.parse import urlsplit

from . import session as fsm
from .dial import Transport
from .durations import seconds
from .errors import BadOption, BadOptionType, MissingExtra
from .protocols import PROTOCOLS
from .protocols.base import TokenBy
from .tokens import fits_header, is_this_machine

Token = str | Callable[[], str]


def token_for(url: str, token: Token | None, home: str, insecure_hosts: Sequence[str]) -> Token | None:
    """The token for ``url``: the one given, or the environment's if ``url`` is its host's.

    :raises BadOption: if it would travel unencrypted to another machine
    """
    parts = urlsplit(url)
    hosts = (insecure_hosts,) if isinstance(insecure_hosts, str) else tuple(insecure_hosts)
    if token is None:
        token = os.environ.get("AURIGRAPH_TOKEN") or None
        if token is None or parts.hostname != _host(home):
            return None
    if not (isinstance(token, str) or callable(token)):
        raise BadOptionType(f"token: text, or a callable that returns it, was expected; a {type(token).__name__} came")
    if isinstance(token, str) and not fits_header(token):
        raise BadOption("token: it is empty or holds blanks or characters that no header can carry")
    if parts.scheme == "ws" and not is_this_machine(url) and parts.hostname not in hosts:
        raise BadOption(
            f"a token would go to {parts.hostname} over unencrypted ws://, where anybody on the way can read it; use "
            f'wss://, or allow it by name: insecure_token_hosts=["{parts.hostname}"]'
        )
    return token


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def identity(secret: object) -> object:
    """What tells two tokens or header sets apart without holding them.

    A callable without a closure is known by its code, so that a cell which makes it anew shares its feed.
    """
    if not secret:
        return None
    if callable(secret):
        code = getattr(secret, "__code__", None)
        return id(secret) if code is None or getattr(secret, "__closure__", None) else code
    text = secret if isinstance(secret, str) else repr(sorted(dict(secret).items()))  # type: ignore[call-overload]
    return hashlib.sha256(text.encode()).hexdigest()


def check(
    headers: object, ssl: object, compression: object, max_size: object, reconnect: object, transport: object
) -> None:
    _check_headers(headers)
    if ssl is not None and not isinstance(ssl, ssl_module.SSLContext):
        raise BadOptionType(
            f"ssl={ssl!r}: an ssl.SSLContext was expected, such as ssl.create_default_context(cafile=…)"
        )
    if compression not in ("deflate", None):
        raise BadOption(f'compression={compression!r}: expected "deflate" or None')
    if max_size is not None and (not isinstance(max_size, int) or isinstance(max_size, bool) or max_size < 1):
        raise BadOption(f"max_size={max_size!r}: a number of bytes of at least 1 was expected, or None for no limit")
    if reconnect is not None and not isinstance(reconnect, fsm.Backoff):
        raise BadOptionType(f"reconnect={reconnect!r}: a Backoff was expected, such as ag.Backoff(1, 2, max_s=30)")
    if transport not in get_args(Transport):
        raise BadOption(f'transport={transport!r}: expected "websockets", or "picows" for bursts')
    if transport == "picows" and find_spec("picows") is None:
        raise MissingExtra("transport='picows' needs picows: pip install 'aurigraph-nb[fast]'")


def _check_headers(headers: object) -> None:
    if headers is None:
        return
    if not isinstance(headers, Mapping):
        raise BadOptionType(f"headers: a mapping of names to values was expected; a {type(headers).__name__} came")
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise BadOptionType(
                f"headers: names and values have to be text; the value of {name!r} is {type(value).__name__}"
            )
        if not (name.isascii() and name.isprintable() and ":" not in name and " " not in name and name):
            raise BadOption(f"headers: {name!r} is no name of a header")
        if not value.isprintable() or not _latin(value):
            raise BadOption(f"headers: the value of {name!r} holds line ends or characters that no header can carry")


def _latin(text: str) -> bool:
    return all(ord(c) < 256 for c in text)


def checked_token_by(token_by: object, protocol: str) -> TokenBy:
    if token_by is None:
        return PROTOCOLS[protocol].token_by
    if token_by not in get_args(TokenBy):
        raise BadOption(f"token_by={token_by!r}: expected one of {', '.join(map(repr, get_args(TokenBy)))}")
    return cast("TokenBy", token_by)


def checked_queue(send_queue: int | None, protocol: str) -> int:
    limit = fsm.SEND_QUEUES.get(protocol, 0) if send_queue is None else send_queue
    return fsm.Outbox[str](limit).limit


def positive(name: str, value: Any) -> float:
    limit = seconds(value, option=name)
    if limit <= 0:
        raise BadOption(f"{name}={value!r}: seconds above 0 were expected")
    return limit


def check_flags(**flags: object) -> None:
    """Options that are either on or off.

    :raises BadOptionType: if one is neither
    """
    for option, value in flags.items():
        if not isinstance(value, bool):
            raise BadOptionType(f"{option}={value!r}: expected True or False")
