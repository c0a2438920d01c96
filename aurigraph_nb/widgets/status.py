"""How the connections are doing, and a button to try again."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any

from aurigraph_nb import registry
from aurigraph_nb.dispatch import CallbackErrors, Subscription
from aurigraph_nb.errors import BadOption, BadOptionType

from .assets import script, style
from .base import LiveWidget, Message, refuse_unknown
from .cards import Card, Item, count, milli
from .flow import DEFAULT_RATE_HZ
from .links import NOT_OPEN, NOT_RECORDED, Overview, looker
from .runs import is_recording, is_replay, name_of, run_of
from .sources import FeedLike, Source

LOOK_EVERY_S = 0.25
"""How often a feed is asked for its status, in seconds."""
FIGURES_EVERY_S = 1.0
"""How often counters and ages are sent while nothing else changes, in seconds."""
FOLD_AFTER_S = 3.0
"""How long the compact form stays unfolded, in seconds."""
MAX_ROWS = 50
"""Connections, and topics, that are listed; more are counted."""
_APART = ("connections", "topics", "kind", "word", "over", "facts")
_PLAIN = tuple(name for name in Overview.__struct_fields__ if name not in _APART)


class StatusWidget(LiveWidget):
    """What the full status and the badge share."""

    _esm = script("status")
    _css = style("status")

    def _build(self, given: object, setup: dict[str, Any], rate_hz: float) -> None:
        self._feed, self._look = looker(type(self).__name__, given)
        self._look_due = 0.0
        self._figures_due = 0.0
        self._sent: tuple[Any, ...] = ()
        self._now: Overview = self._look()
        super().__init__(Source(feed=self._feed), setup=setup, rate_hz=rate_hz)

    def overview(self) -> Overview:
        """How the connections are now."""
        return self._look()

    @property
    def details(self) -> bool:
        """Whether connections and topics are listed."""
        return bool(self._setup.get("details"))

    def _repr_source(self) -> str:
        return "all feeds" if self._feed is None else "feed"

    def _check_health(self, now: float) -> None:
        """Nothing to add to what the widget shows anyway."""

    def _notice(self) -> dict[str, Any]:
        """That the run is over is what the widget itself tells."""
        notice = super()._notice()
        return notice | {"closed": notice["closed"] and not self._now.over}

    def _news(self, now: float) -> bool:
        if now >= self._look_due:
            self._look_due = now + LOOK_EVERY_S
            self._now = self._look()
        return now >= self._figures_due or self._now.words() != self._sent

    def _snapshot(self, now: float) -> Message:
        seen = self._now = self._look()
        self._figures_due = now + FIGURES_EVERY_S
        self._sent = seen.words()
        return Message(self._body(seen))

    def _body(self, seen: Overview) -> dict[str, Any]:
        return {"state": seen.state, "ended": seen.ended, "error": seen.error} | _stands(seen)


class ConnectionBadge(StatusWidget):
    """The state of a feed (None: of all open feeds) as one small badge with its word.

    ``rate_hz``: most updates a second.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7)
    >>> ag.ConnectionBadge(feed)
    ConnectionBadge(feed)

    Raises:
        BadOptionType: something else was given, or there is no such option.
    """

    def __init__(self, feed: object = None, *, rate_hz: float = DEFAULT_RATE_HZ, **unknown: object) -> None:
        refuse_unknown(type(self), unknown)
        self._build(feed, {"title": "Connection", "form": "badge"}, rate_hz)


class ConnectionStatus(StatusWidget):
    """How a feed (None: all open feeds) is connected: state, health, attempts, latency, errors, and a button.

    Connected is green, connecting and reconnecting yellow and moving, an error red, disconnected grey; each has its
    word. Below are a row a connection (quality, latency, attempts, last error) and a row a topic. The button is off
    while there is nothing to do; after an error it calls ``feed.connect()``, else ``feed.reconnect()``, and then
    ``on_refresh``. A recording is told by its name, span, rows and gaps, a replay by what it does (PLAYING, PAUSED,
    SEEKING, REPLAY ENDED), a finite run by SIMULATION ENDED: nothing of that is a trouble, and they have no button.

    ``compact``: one line that unfolds at each change of state, or at a press, and folds after three seconds (readers
    who asked their system for less motion fold it themselves). ``show_details``: the rows; ``show_latency``: round trip
    times; ``position``: ``"inline"``, or ``"fixed"`` in the corner of the page; ``on_refresh``: called without argument
    on the callback thread; ``rate_hz``: most updates a second. A change of state shows at once, counters once a second.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7)
    >>> ag.ConnectionStatus(feed)
    ConnectionStatus(feed)

    Raises:
        BadOption: ``position`` is neither inline nor fixed.
        BadOptionType: something else was given, or there is no such option.
    """

    def __init__(
        self,
        feed: object = None,
        *,
        compact: bool = False,
        show_details: bool = True,
        show_latency: bool = True,
        position: str = "inline",
        on_refresh: Callable[[], object] | None = None,
        rate_hz: float = DEFAULT_RATE_HZ,
        **unknown: object,
    ) -> None:
        refuse_unknown(type(self), unknown)
        _check_flags(compact=compact, show_details=show_details, show_latency=show_latency)
        if position not in ("inline", "fixed"):
            raise BadOption(f'position={position!r}: expected "inline" or "fixed"')
        self._reconnect_wanted = False
        self._reconnecting: threading.Thread | None = None
        setup = {
            "title": _title(feed),
            "form": "compact" if compact else "full",
            "details": show_details,
            "latency": show_latency,
            "fixed": position == "fixed",
            "fold_ms": FOLD_AFTER_S * 1e3,
        }
        refreshed = _callback(on_refresh)
        self._build(feed, setup, rate_hz)
        errors = getattr(self._feed, "callback_errors", None) or CallbackErrors()
        self._refreshed = None if refreshed is None else _subscription(refreshed, errors)

    def close(self) -> None:
        """Remove the widget from the page; the feeds go on. Closing twice is harmless."""
        refreshed = getattr(self, "_refreshed", None)
        if refreshed is not None:
            refreshed.close()
        super().close()

    def _body(self, seen: Overview) -> dict[str, Any]:
        rows, topics = seen.connections[:MAX_ROWS], seen.topics[:MAX_ROWS]
        body: dict[str, Any] = {name: getattr(seen, name) for name in _PLAIN}
        sums = {
            "messages": seen.messages,
            "topics_total": len(seen.topics),
            "topics_open": sum(row[1] not in (NOT_OPEN, NOT_RECORDED) for row in seen.topics),
            "lag_ms": max((row[5] for row in seen.topics if row[5] is not None), default=None),
            "stale": [row[0] for row in seen.topics if row[2]][:8],
        }
        body |= {"total": seen.total, "active": seen.active, "health": seen.health, **sums}
        body |= _stands(seen) | {"facts": seen.facts}
        return body | ({"connections": rows, "topics": topics} if self._setup["details"] else {})

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
            for feed in registry.feeds() if self._feed is None else (self._feed,):
                _again(feed)
        except Exception as error:  # noqa: BLE001 - whatever it was, the reader of the widget is told
            self._action_failed(error)
        if self._refreshed is not None:
            self._refreshed.offer([None])
        self._painter.wake(self)


class ConnectionStats(Card):
    """The connections of a feed (None: of all open feeds) in figures.

    How many there are and stand, their health, messages, reconnects, latency, frames not understood, rows dropped.
    ``rate_hz``: most updates a second.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7)
    >>> ag.ConnectionStats(feed)
    ConnectionStats(feed)

    Raises:
        BadOptionType: something else was given, or there is no such option.
    """

    def __init__(self, feed: object = None, *, rate_hz: float = DEFAULT_RATE_HZ, **unknown: object) -> None:
        refuse_unknown(type(self), unknown)
        self._feed, self._look = looker(type(self).__name__, feed)
        self._look_due = 0.0
        self._shown: Sequence[Item] = ()
        self._fresh: Sequence[Item] = ()
        title = "All connections" if feed is None else "Connection figures"
        title = "Recording, in figures" if is_recording(feed) else title
        self._build(Source(feed=self._feed), title=title, rate_hz=rate_hz)

    def _repr_source(self) -> str:
        return "all feeds" if self._feed is None else "feed"

    def _check_health(self, now: float) -> None:
        """Nothing to add to what the card shows anyway, but that a run is over."""
        if self._feed is not None and now >= self._link_due:
            self._link_due = now + FIGURES_EVERY_S
            self._run = run_of(self._feed, self._feed.status)

    def _news(self, now: float) -> bool:
        if now >= self._look_due:
            self._look_due = now + FIGURES_EVERY_S
            self._fresh = _figures(self._look())
        return self._fresh != self._shown

    def items(self) -> Sequence[Item]:
        """The figures now."""
        return _figures(self._look())

    def _items(self) -> Sequence[Item]:
        self._shown = self._fresh = self.items()
        return self._shown


def _figures(seen: Overview) -> Sequence[Item]:
    if seen.kind == "recording":
        facts = [Item(label=label, text=figure, hint=words) for label, figure, words in seen.facts]
        told = seen.column(seen.topics, 7)
        return (*facts, Item(label="Not understood", text=count(told), hint="frames"))
    share = seen.active / seen.total if seen.total else None
    latency = seen.latency_ms if isinstance(seen.latency_ms, (int, float)) else None
    return (
        Item(label="Active", look="bar", text=f"{seen.active} of {seen.total}", hint="connections", level=share),
        Item(label="Health", look="badge", text=seen.health or "–"),
        Item(label="Messages", text=count(seen.column(seen.connections, 6))),
        Item(label="Reconnects", text=count(seen.column(seen.connections, 5))),
        Item(label="Latency", text=milli(latency), hint="round trip, the longest of all"),
        Item(label="Not understood", text=count(seen.column(seen.topics, 7)), hint="frames"),
        Item(label="Dropped", text=count(seen.column(seen.topics, 8)), hint="rows evicted from full stores"),
    )


def _title(feed: object) -> str:
    if feed is None:
        return "Connections"
    if is_recording(feed) or is_replay(feed):
        return name_of(feed) or ("Recording" if is_recording(feed) else "Replay")
    return "Connection"


def _stands(seen: Overview) -> dict[str, Any]:
    """What stands in place of a connection's state, and whether the button has any use; nothing, for a live feed."""
    if seen.kind in ("recording", "replay") or seen.over:
        retry = seen.kind == "live"
        return {"run": seen.kind, "word": seen.word, "over": seen.over, "retry": retry}
    return {}


def _again(feed: FeedLike) -> None:
    """Connect a feed that is not connected; one that is, on its way, or comes from a recording is left alone."""
    if is_recording(feed) or is_replay(feed):
        return
    state = str(feed.status.state)
    if state == "ERROR":
        feed.connect()
    elif state == "DISCONNECTED":
        feed.reconnect()


def _check_flags(**flags: object) -> None:
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise BadOptionType(f"{name}={value!r}: expected True or False")


def _callback(fn: Callable[[], object] | None) -> Callable[[Any], object] | None:
    if fn is None:
        return None
    if not callable(fn):
        raise BadOptionType(f"on_refresh={fn!r}: something callable was expected")

    @functools.wraps(fn)
    def call(_: Any) -> object:
        return fn()

    return call


def _subscription(fn: Callable[[Any], object], errors: CallbackErrors) -> Subscription:
    return Subscription(fn, where=None, batch=False, errors=errors, on_close=lambda _: None)
