"""Which feeds there are: ``connect`` shares them, ``simulate`` replaces them by name, ``close_all`` ends them.

Re-running a cell must not leak a connection. Nothing here is collected by itself (widgets keep feeds alive in a global
registry), so that sharing, replacing and closing are explicit; interpreter exit closes what is left.
"""

from __future__ import annotations

import atexit
import os
import ssl as ssl_module
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import checks, dispatch
from . import session as fsm
from .checks import Token
from .connections import Connections
from .dial import Options, Transport
from .dispatch import CallbackErrors
from .durations import seconds
from .feed import Feed
from .feeds import FEED_TYPES
from .hooks import Hooks
from .node.known import hosts as node_hosts
from .protocols import AURIGRAPH_HOSTS, PROTOCOLS, redact, tell
from .protocols.base import TokenBy

if TYPE_CHECKING:
    pass

DEFAULT_URL = "wss://dlt.aurigraph.io"
LOCAL_NODES = frozenset({"localhost:9003", "127.0.0.1:9003", "::1:9003"})
"""Where a local node is expected when it is not one of this process's own."""

_lock = threading.RLock()
_shared: dict[tuple[Any, ...], Feed] = {}
_named: dict[str, Feed] = {}
_loose: set[Feed] = set()
_turns: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()  # locks, while somebody uses them
_exit_hook_set = False
_hooks = Hooks(CallbackErrors())


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
    transport: Transport = "websockets",
    debug: bool = False,
    token_by: TokenBy | None = None,
    bootstrap: bool = False,
    send_queue: int | None = None,
    insecure_token_hosts: Sequence[str] = (),
) -> Feed:
    """A feed on a running server. Nothing is sent before a topic is opened by an access to its data.

    :param url: the server, such as ``wss://dlt.aurigraph.io`` or ``ws://localhost:9003/ws/metrics``;
        default: the environment's AURIGRAPH_URL, else ``wss://dlt.aurigraph.io``
    :param protocol: "portal" (topic streams), "live", "channels" or "fakeai", where the URL does not tell
    :param token: a JWT, or a callable that returns one at each attempt. Default: the environment's AURIGRAPH_TOKEN,
        which goes to the host of AURIGRAPH_URL and to no other
    :param token_by: how it travels: "header" (``Authorization: Bearer``), "query", "cookie" or "message" (the first
        one); default: what the system wants
    :param shared: give the feed that an equal call made before, if it is still open
    :param auto_connect: connect topics when they are opened; else :meth:`Feed.connect` does
    :param headers: more headers for the handshake
    :param ssl: a TLS context, for ``wss://`` servers with a certificate of their own
    :param compression: "deflate" or None
    :param open_timeout: for one attempt, seconds or a duration
    :param max_size: longest message, bytes; None for no limit
    :param reconnect: the series of delays; default: the protocol's (portal: 1 s, doubled up to 30 s, no limit)
    :param heartbeat_interval_s: seconds between heartbeats, and between keepalive pings
    :param heartbeat_timeout_s: seconds for a sign of life after one
    :param bootstrap: fetch one row of statistics by HTTP at the start, where the system has such ("live")
    :param send_queue: messages to the server that may wait for a connection; default: 100 for "fakeai", else none
    :param transport: the library that reads the socket: "websockets", or "picows" (the extra ``[fast]``), which takes
        less time a message, most of all in bursts; the feed is the same
    :param debug: keep the last 100 raw frames in ``feed.raw``
    :param insecure_token_hosts: hosts by name to which a token may go over unencrypted ``ws://``
    :raises BadUrl: for a URL that is malformed or does not tell its protocol
    :raises BadOption: for an option that is not accepted (BadOptionType for a wrong type)

    >>> import aurigraph_nb as ag
    >>> with ag.Node(seed=7, metrics_interval=0.1) as node:
    ...     feed = ag.connect(f"{node.url}/ws/metrics")
    ...     feed.metrics.wait(1, timeout=30) >= 1
    True
    """
    home = os.environ.get("AURIGRAPH_URL") or DEFAULT_URL
    url = url if url is not None else home
    name, full = tell(url, protocol, known_hosts=AURIGRAPH_HOSTS | LOCAL_NODES | node_hosts())
    token = checks.token_for(full, token, home, insecure_token_hosts)
    checks.check(headers, ssl, compression, max_size, reconnect, transport)
    checks.check_flags(shared=shared, auto_connect=auto_connect, bootstrap=bootstrap, debug=debug)
    options = Options(
        headers=dict(headers or {}),
        token=token,
        ssl=ssl,
        compression=compression,
        open_timeout_s=seconds(open_timeout, option="open_timeout"),
        max_size=max_size,
        heartbeat_interval_s=checks.positive("heartbeat_interval_s", heartbeat_interval_s),
        heartbeat_timeout_s=checks.positive("heartbeat_timeout_s", heartbeat_timeout_s),
        token_by=checks.checked_token_by(token_by, name),
        send_queue=checks.checked_queue(send_queue, name),
        transport=transport,
    )
    backoff = reconnect or fsm.PRESETS[name]
    shown = (
        full,
        name,
        checks.identity(token),
        checks.identity(headers),
        id(ssl),
        compression,
        options.open_timeout_s,
        max_size,
    )
    how = (backoff, options.heartbeat_interval_s, options.heartbeat_timeout_s, auto_connect, debug, bootstrap)
    key = (*shown, *how, options.token_by, options.send_queue, transport)

    def make() -> Feed:
        policy = fsm.Policy(
            name=name,
            backoff=backoff,
            stop_codes=fsm.STOP_CODES.get(name, frozenset()),
            token_sent=token is not None or bool(headers),
            url=redact(full),
            max_size=max_size,
        )
        kind = FEED_TYPES[name]
        return kind(
            full,
            PROTOCOLS[name],
            policy=policy,
            options=options,
            auto_connect=auto_connect,
            bootstrap=bootstrap,
            debug=debug,
        )

    return _share(key, make) if shared else keep(make())


def _share(key: tuple[Any, ...], make: Callable[[], Feed]) -> Feed:
    with _lock:
        feed = _shared.get(key)
        if feed is None or feed.closed:
            feed = _shared[key] = _listen(make())
            _close_at_exit()
            feed.at_close(lambda: _forget_shared(key, feed))
        return feed


def _forget_shared(key: tuple[Any, ...], feed: Feed) -> None:
    with _lock:
        if _shared.get(key) is feed:
            del _shared[key]


def keep(feed: Feed) -> Feed:
    """Remember a feed that nobody shares, so that ``close_all`` finds it."""
    with _lock:
        _loose.add(_listen(feed))
        _close_at_exit()
    feed.at_close(lambda: _loose.discard(feed))
    return feed


def replace(name: str, make: Callable[[], Feed]) -> Feed:
    """Close the feed of this ``name``, if there is one, and put the one that ``make`` makes in its place."""
    with _lock:
        turn = _turns.get(name) or threading.RLock()
        _turns[name] = turn
    with turn:  # two threads that make the same feed: the second replaces the first's
        with _lock:
            old = _named.get(name)
        if old is not None:
            old.close()
        feed = _listen(make())
        with _lock:
            _named[name] = feed
            _close_at_exit()
        feed.at_close(lambda: _forget_named(name, feed))
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
    """Close every feed (and the nodes of the simulated ones). What they stored can still be read.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7)
    >>> ag.close_all()
    >>> feed.closed
    True
    """
    for feed in feeds():
        feed.close()


def connections() -> Connections:
    """The connections of all open feeds, as they are now.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7, metrics_interval=0.1)
    >>> _ = feed.metrics.wait(1, timeout=30)
    >>> ag.connections().to_pandas()["state"].tolist()
    ['CONNECTED']
    """
    return Connections(tuple(record for feed in feeds() for record in feed.connections), _hooks)


def _listen(feed: Feed) -> Feed:
    """Let a new feed tell those who listen to all of them."""
    feed.on_change(lambda: _hooks.fire("change"))
    return feed


def _close_at_exit() -> None:
    global _exit_hook_set
    if not _exit_hook_set:
        _exit_hook_set = True
        atexit.register(close_all)
        os.register_at_fork(after_in_child=_forget_all)


def _forget_all() -> None:
    """In a forked child: threads, loops and connections are the parent's."""
    global _lock
    _lock = threading.RLock()
    mine = (*_shared.values(), *_named.values(), *_loose)
    for known in (_shared, _named, _loose, _turns):
        known.clear()
    for feed in mine:
        feed.forget()
    dispatch.forget()
