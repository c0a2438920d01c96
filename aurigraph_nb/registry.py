"""Which feeds there are: ``connect`` shares them, ``simulate`` replaces them by name, ``close_all`` ends them.

Re-running a cell must not leak a connection. Nothing here is collected by itself (widgets keep feeds alive in a global
registry), so that sharing, replacing and closing are explicit; interpreter exit closes what is left.
"""

from __future__ import annotations

import atexit
import hashlib
import ipaddress
import os
import ssl as ssl_module
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from . import session as fsm
from .client import Options
from .durations import seconds
from .errors import BadOption, BadOptionType
from .feed import FEED_TYPES, Feed
from .protocols import AURIGRAPH_HOSTS, PROTOCOLS, redact, tell

DEFAULT_URL = "wss://dlt.aurigraph.io"
LOCAL_NODES = frozenset({"localhost:9003", "127.0.0.1:9003", "[::1]:9003", "::1:9003"})
"""Where a local node is expected when it is not one of this process's own."""

Token = str | Callable[[], str]

_lock = threading.RLock()
_shared: dict[tuple[Any, ...], Feed] = {}
_named: dict[str, Feed] = {}
_loose: set[Feed] = set()
_node_hosts: set[str] = set()
_exit_hook_set = False


def connect(
    url: str | None = None,
    *,
    protocol: str | None = None,
    token: Token | None = None,
    shared: bool = True,
    auto_connect: bool = True,
    headers: Mapping[str, str] | None = None,
    ssl: ssl_module.SSLContext | None = None,
    compression: str | None = "deflate",
    open_timeout: Any = 10,
    max_size: int | None = 2**20,
    reconnect: fsm.Backoff | None = None,
    heartbeat_interval_s: float = 30,
    heartbeat_timeout_s: float = 5,
    transport: str = "websockets",
    debug: bool = False,
    insecure_token_hosts: Sequence[str] = (),
) -> Feed:
    """A feed on a running server. Nothing is sent before a topic is opened by an access to its data.

    :param url: the server, such as ``wss://dlt.aurigraph.io`` or ``ws://localhost:9003/ws/metrics``;
        default: the environment's AURIGRAPH_URL, else ``wss://dlt.aurigraph.io``
    :param protocol: "portal" (the topic streams) where the URL does not tell
    :param token: a JWT, or a callable that returns one at each attempt; sent as ``Authorization: Bearer``. Default: the
        environment's AURIGRAPH_TOKEN, which goes to the host of AURIGRAPH_URL and to no other
    :param shared: give the feed that an equal call made before, if it is still open
    :param auto_connect: connect topics when they are opened; else :meth:`Feed.connect` does
    :param headers: more headers for the handshake
    :param ssl: a TLS context, for ``wss://`` servers with a certificate of their own
    :param compression: "deflate" or None
    :param open_timeout: for one attempt, seconds or a duration
    :param max_size: longest message, bytes; None for no limit
    :param reconnect: the series of delays; default: the protocol's (1 s, doubled up to 30 s, no limit)
    :param heartbeat_interval_s: seconds between keepalive pings
    :param heartbeat_timeout_s: seconds for the answer
    :param transport: "websockets"
    :param debug: keep the last 100 raw frames in ``feed.raw``
    :param insecure_token_hosts: hosts by name to which a token may go over unencrypted ``ws://``
    :raises BadUrl: for a URL that is malformed or does not tell its protocol
    :raises BadOption: for an option that is not accepted (BadOptionType for a wrong type)
    """
    home = os.environ.get("AURIGRAPH_URL") or DEFAULT_URL
    url = url if url is not None else home
    name, full = tell(url, protocol, known_hosts=AURIGRAPH_HOSTS | LOCAL_NODES | _node_hosts)
    token = _token_for(full, token, home, insecure_token_hosts)
    _check_options(headers, ssl, compression, max_size, reconnect, transport)
    options = Options(
        headers=dict(headers or {}),
        token=token,
        ssl=ssl,
        compression=compression,
        open_timeout_s=seconds(open_timeout, option="open_timeout"),
        max_size=max_size,
        heartbeat_interval_s=_positive("heartbeat_interval_s", heartbeat_interval_s),
        heartbeat_timeout_s=_positive("heartbeat_timeout_s", heartbeat_timeout_s),
    )
    backoff = reconnect or fsm.PRESETS[name]
    shown = (full, name, _identity(token), _identity(headers), id(ssl), compression, options.open_timeout_s, max_size)
    key = (*shown, backoff, heartbeat_interval_s, heartbeat_timeout_s, auto_connect, debug)

    def make() -> Feed:
        policy = fsm.Policy(
            name=name,
            backoff=backoff,
            stop_codes=fsm.STOP_CODES.get(name, frozenset()),
            token_sent=token is not None or bool(headers),
            url=redact(full),
            max_size=max_size,
        )
        return FEED_TYPES[name](
            full, PROTOCOLS[name], policy=policy, options=options, auto_connect=auto_connect, debug=debug
        )

    return _share(key, make) if shared else keep(make())


def _share(key: tuple[Any, ...], make: Callable[[], Feed]) -> Feed:
    with _lock:
        feed = _shared.get(key)
        if feed is None or feed.closed:
            feed = _shared[key] = make()
            _close_at_exit()
            feed.on_close(lambda: _forget_shared(key, feed))
        return feed


def _forget_shared(key: tuple[Any, ...], feed: Feed) -> None:
    with _lock:
        if _shared.get(key) is feed:
            del _shared[key]


def keep(feed: Feed) -> Feed:
    """Remember a feed that nobody shares, so that ``close_all`` finds it."""
    with _lock:
        _loose.add(feed)
        _close_at_exit()
    feed.on_close(lambda: _loose.discard(feed))
    return feed


def replace(name: str, make: Callable[[], Feed]) -> Feed:
    """Close the feed of this ``name``, if there is one, and put the one that ``make`` makes in its place."""
    with _lock:
        old = _named.pop(name, None)
    if old is not None:
        old.close()
    feed = make()
    with _lock:
        _named[name] = feed
        _close_at_exit()
    feed.on_close(lambda: _forget_named(name, feed))
    return feed


def _forget_named(name: str, feed: Feed) -> None:
    with _lock:
        if _named.get(name) is feed:
            del _named[name]


def feeds() -> tuple[Feed, ...]:
    """The feeds that are open."""
    with _lock:
        return (*_shared.values(), *_named.values(), *_loose)


def close_all() -> None:
    """Close every feed (and the nodes of the simulated ones). What they stored can still be read."""
    for feed in feeds():
        feed.close()


def know_node(url: str) -> Callable[[], None]:
    """``url`` is a node of this process, so that its bare URL speaks the topic streams. Returns what forgets it."""
    host = urlsplit(url).netloc
    _node_hosts.add(host)
    return lambda: _node_hosts.discard(host)


def _close_at_exit() -> None:
    global _exit_hook_set
    if not _exit_hook_set:
        _exit_hook_set = True
        atexit.register(close_all)


# Options


def _token_for(url: str, token: Token | None, home: str, insecure_hosts: Sequence[str]) -> Token | None:
    """The token for ``url``: the one given, or the environment's if ``url`` is its host's.

    :raises BadOption: if it would travel unencrypted to another machine
    """
    parts = urlsplit(url)
    if token is None:
        token = os.environ.get("AURIGRAPH_TOKEN") or None
        if token is None or parts.hostname != urlsplit(home).hostname:
            return None
    if not (isinstance(token, str) or callable(token)):
        raise BadOptionType(f"token: text, or a callable that returns it, was expected; a {type(token).__name__} came")
    if isinstance(token, str) and (not token or any(not " " < c < "\x7f" for c in token)):
        raise BadOption("token: it is empty or holds blanks or characters that no header can carry")
    if parts.scheme == "ws" and not _is_local(parts.hostname or "") and parts.hostname not in insecure_hosts:
        raise BadOption(
            f"a token would go to {parts.hostname} over unencrypted ws://, where anybody on the way can read it; use "
            f'wss://, or allow it by name: insecure_token_hosts=["{parts.hostname}"]'
        )
    return token


def _is_local(host: str) -> bool:
    """Whether ``host`` is this machine for certain: a name such as 127.example is a name, and may be anywhere."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _identity(secret: object) -> object:
    """What tells two tokens or header sets apart without holding them."""
    if secret is None or callable(secret):
        return id(secret) if secret is not None else None
    text = secret if isinstance(secret, str) else repr(sorted(dict(secret).items()))  # type: ignore[call-overload]
    return hashlib.sha256(text.encode()).hexdigest()


def _check_options(
    headers: object, ssl: object, compression: object, max_size: object, reconnect: object, transport: object
) -> None:
    if headers is not None and not isinstance(headers, Mapping):
        raise BadOptionType(f"headers: a mapping of names to values was expected; a {type(headers).__name__} came")
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
    if transport != "websockets":
        raise BadOption(f'transport={transport!r}: expected "websockets"')


def _positive(name: str, value: Any) -> float:
    limit = seconds(value, option=name)
    if limit <= 0:
        raise BadOption(f"{name}={value!r}: seconds above 0 were expected")
    return limit
