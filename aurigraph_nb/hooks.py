"""Callbacks on what happens to a feed's connections; run on the callback thread like all others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from .dispatch import CallbackErrors, Subscription
from .errors import BadOptionType

NAMES = ("connect", "disconnect", "reconnecting", "reconnected", "error", "exhausted", "change")
"""What can be listened to. ``disconnect`` and ``error`` bring a reason, ``reconnecting`` the number of the attempt."""

BARE = frozenset({"connect", "reconnected", "change"})
"""Those whose callbacks take no argument."""


class Hooks:
    """The callbacks of one feed (or of all feeds), by name."""

    def __init__(self, errors: CallbackErrors) -> None:
        self._errors = errors
        self._lock = threading.Lock()
        self._subscriptions: dict[str, list[Subscription]] = {name: [] for name in NAMES}

    def add(self, name: str, fn: Callable[..., object]) -> Subscription:
        """Call ``fn`` whenever ``name`` happens.

        :raises BadOptionType: if ``fn`` cannot be called
        """
        if not callable(fn):
            raise BadOptionType(f"on_{name}({fn!r}): something callable was expected")
        call: Callable[[Any], object] = (lambda _: fn()) if name in BARE else fn
        subscription = Subscription(call, where=None, batch=False, errors=self._errors, on_close=self._forget)
        with self._lock:
            self._subscriptions[name].append(subscription)
        return subscription

    def fire(self, name: str, value: object = None) -> None:
        """Tell whoever listens; returns at once."""
        with self._lock:
            subscriptions = tuple(self._subscriptions[name])
        for subscription in subscriptions:
            subscription.offer([value])

    def _forget(self, subscription: Subscription) -> None:
        with self._lock:
            for subscriptions in self._subscriptions.values():
                if subscription in subscriptions:
                    subscriptions.remove(subscription)


class Announcer:
    """What tells those who asked of its connections; the topic streams have one a topic."""

    _hooks: Hooks

    def on_connect(self, fn: Callable[[], object]) -> Subscription:
        """Call ``fn()`` when a connection stands for the first time.

        >>> import aurigraph_nb as ag
        >>> feed, told = ag.simulate(seed=7, metrics_interval=0.1), []
        >>> with feed.on_connect(lambda: told.append("connected")):
        ...     _ = feed.metrics.wait(1, timeout=30)
        >>> told
        ['connected']
        """
        return self._hooks.add("connect", fn)

    def on_disconnect(self, fn: Callable[[str], object]) -> Subscription:
        """Call ``fn(reason)`` when the connection is lost or closed.

        >>> import threading
        >>> import aurigraph_nb as ag
        >>> feed, told = ag.simulate(seed=7, metrics_interval=0.1), threading.Event()
        >>> with feed.on_disconnect(lambda reason: told.set()):
        ...     _ = feed.metrics.wait(1, timeout=30)
        ...     feed.disconnect()
        ...     told.wait(30)
        True
        """
        return self._hooks.add("disconnect", fn)

    def on_reconnecting(self, fn: Callable[[int], object]) -> Subscription:
        """Call ``fn(attempt)`` at each attempt to come back.

        >>> import threading
        >>> import aurigraph_nb as ag
        >>> feed, told = ag.simulate(seed=7, metrics_interval=0.1), threading.Event()
        >>> with feed.on_reconnecting(lambda attempt: told.set()):
        ...     _ = feed.metrics.wait(1, timeout=30)
        ...     feed.node.stop()
        ...     told.wait(30)
        True
        """
        return self._hooks.add("reconnecting", fn)

    def on_reconnected(self, fn: Callable[[], object]) -> Subscription:
        """Call ``fn()`` when the connection stands again.

        >>> import threading
        >>> import aurigraph_nb as ag
        >>> feed, told = ag.simulate(seed=7, metrics_interval=0.1), threading.Event()
        >>> with feed.on_reconnected(told.set):
        ...     _ = feed.metrics.wait(1, timeout=30)
        ...     feed.reconnect()
        ...     told.wait(30)
        True
        """
        return self._hooks.add("reconnected", fn)

    def on_error(self, fn: Callable[[str], object]) -> Subscription:
        """Call ``fn(error)`` when a connection was given up.

        >>> import threading
        >>> import aurigraph_nb as ag
        >>> with ag.Node(token="secret") as node:
        ...     feed, told = ag.connect(f"{node.url}/ws/metrics", shared=False), threading.Event()
        ...     with feed.on_error(lambda error: told.set()):
        ...         feed.metrics.open()
        ...         told.wait(30)
        True
        """
        return self._hooks.add("error", fn)

    def on_exhausted(self, fn: Callable[[str], object]) -> Subscription:
        """Call ``fn(error)`` when the attempts allowed are used up.

        >>> import threading
        >>> import aurigraph_nb as ag
        >>> with ag.Node() as node:
        ...     url = f"{node.url}/ws/metrics"
        >>> twice = ag.Backoff(initial_s=0.1, attempts=2)
        >>> feed, told = ag.connect(url, reconnect=twice, shared=False), threading.Event()
        >>> with feed.on_exhausted(lambda error: told.set()):
        ...     feed.metrics.open()
        ...     told.wait(30)
        True
        """
        return self._hooks.add("exhausted", fn)

    def on_change(self, fn: Callable[[], object]) -> Subscription:
        """Call ``fn()`` at each change of the feed's state.

        >>> import threading
        >>> import aurigraph_nb as ag
        >>> feed, told = ag.simulate(seed=7, metrics_interval=0.1), threading.Event()
        >>> with feed.on_change(told.set):
        ...     feed.metrics.open()
        ...     told.wait(30)
        True
        """
        return self._hooks.add("change", fn)
