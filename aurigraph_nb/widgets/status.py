"""How the connection is doing, and a button to try again at once."""

from __future__ import annotations

import threading
from typing import Any

from .assets import script, style
from .base import LiveWidget, Message, refuse_unknown
from .cells import number, text
from .flow import DEFAULT_RATE_HZ
from .sources import StatusLike, TopicStatusLike, of_feed

LOOK_EVERY_S = 0.25
"""How often the feed is asked for its status, in seconds."""
FIGURES_EVERY_S = 1.0
"""How often counters and ages are sent while nothing else changes, in seconds."""


class ConnectionStatus(LiveWidget):
    """State of a feed's connection, attempts, next try, age of the data, lag, and a row a topic.

    A change of state shows at once, counters once a second; ages and the countdown go on in the browser. The button
    calls ``feed.reconnect()``. ``rate_hz``: most updates a second.

    Raises:
        BadOptionType: no feed was given, or there is no such option.
    """

    _esm = script("status")
    _css = style("status")

    def __init__(self, feed: object, *, rate_hz: float = DEFAULT_RATE_HZ, **unknown: object) -> None:
        refuse_unknown(type(self), unknown)
        source = of_feed(type(self).__name__, feed)
        self._look_due = 0.0
        self._figures_due = 0.0
        self._status: StatusLike = source.feed.status
        self._sent: tuple[Any, ...] = ()
        self._reconnect_wanted = False
        self._reconnecting: threading.Thread | None = None
        super().__init__(source, setup={"title": "Connection"}, rate_hz=rate_hz)

    def _check_health(self, now: float) -> None:
        """Nothing to add to what the widget shows anyway."""

    def _news(self, now: float) -> bool:
        if now >= self._look_due:
            self._look_due = now + LOOK_EVERY_S
            self._status = self._source.feed.status
        return now >= self._figures_due or _words(self._status) != self._sent

    def _snapshot(self, now: float) -> Message:
        status = self._status = self._source.feed.status
        self._figures_due = now + FIGURES_EVERY_S
        self._sent = _words(status)
        now_ns = self._source.feed.now_ns()
        body = {
            "state": text(status.state, 32),
            "url": text(status.url),
            "protocol": text(status.protocol, 32),
            "ended": bool(getattr(status, "ended", False)),
            "attempts": status.attempts,
            "next_try_ms": _until_ms(status.next_try_ns, now_ns),
            "age_ms": None if status.last_update is None else round((now_ns - status.last_update) / 1e6),
            "error": None if status.error is None else text(status.error, 512),
            "callback_errors": status.callback_errors,
            "callback_error": None if status.last_callback_error is None else text(status.last_callback_error, 512),
            "topics": [_topic_row(name, topic) for name, topic in status.topics.items()],
        }
        return Message(body)

    # ---- the button

    def _request(self, kind: str) -> None:
        if kind == "reconnect":
            self._reconnect_wanted = True

    def _serve(self) -> None:
        with self._guard:
            wanted, self._reconnect_wanted = self._reconnect_wanted, False
        busy = self._reconnecting is not None and self._reconnecting.is_alive()
        if wanted and not busy and not self._source.closed:
            # Reconnecting may wait for the network, and the painter has other widgets to serve.
            self._reconnecting = threading.Thread(target=self._reconnect, name="aurigraph-reconnect", daemon=True)
            self._reconnecting.start()

    def _reconnect(self) -> None:
        self._action_error = None
        try:
            self._source.feed.reconnect()
        except Exception as error:  # noqa: BLE001 - whatever it was, the reader of the widget is told
            self._action_failed(error)


def _words(status: StatusLike) -> tuple[Any, ...]:
    """What is worth a message at once: everything but counters and ages."""
    topics = tuple((n, str(t.state), t.stale, t.attempts, t.error) for n, t in status.topics.items())
    return (str(status.state), status.attempts, status.next_try_ns, status.error, status.callback_errors, topics)


def _until_ms(ns: int | None, now_ns: int) -> int | None:
    return None if ns is None else max(0, round((ns - now_ns) / 1e6))


def _topic_row(name: str, topic: TopicStatusLike) -> list[Any]:
    """A topic as the front end gets it: name, state, stale, messages, rate, lag, age, undecoded, dropped, error."""
    return [
        text(name, 64),
        text(topic.state, 32),
        topic.stale,
        topic.messages,
        number(topic.rate_hz, digits=2),
        None if topic.lag_ms is None else number(topic.lag_ms, digits=1),
        None if topic.staleness_s is None else round(topic.staleness_s * 1000),
        topic.undecoded,
        topic.dropped,
        None if topic.error is None else text(topic.error),
    ]
