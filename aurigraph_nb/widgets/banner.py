"""Alerts on the page: a banner that says what is wrong, since when, and how often it was."""

from __future__ import annotations

from typing import Any

from aurigraph_nb.alerts import Alarm, Alert, register_view
from aurigraph_nb.errors import BadOptionType

from .assets import script, style
from .base import LiveWidget, Message, refuse_unknown
from .cells import milliseconds, text
from .sources import Source

MOST_ALERTS = 20
DEFAULT_RATE_HZ = 2.0


class AlertBanner(LiveWidget):
    """The alarms of alerts, newest first, until they are dismissed: what, since when, whether it is over, how often.

    Takes what :func:`aurigraph_nb.alert` returned, one or several, of one feed or of many. It is read aloud when an
    alarm comes. Dismissing hides the alarms that are shown, in every view of the banner; the alerts go on, and
    ``alert.events`` keeps them. Closing the banner closes no alert. ``rate_hz``: most updates a second.

    Raises:
        BadOptionType: something else was given, or there is no such option.

    >>> import aurigraph_nb as ag
    >>> feed = ag.simulate(seed=7)
    >>> slow = ag.alert(feed.metrics, lambda row: row.tps < 1e5, name="slow")
    >>> ag.AlertBanner(slow)
    AlertBanner(1 alert)
    """

    _esm = script("banner")
    _css = style("banner")

    def __init__(self, *alerts: Alert, rate_hz: float = DEFAULT_RATE_HZ, **unknown: object) -> None:
        refuse_unknown(type(self), unknown)
        self._alerts = _checked(alerts)
        self._dismissed = [0] * len(self._alerts)  # alarms of each alert that need not be shown any more
        self._dismiss_wanted: dict[int, int] = {}
        self._stamp: Any = None
        feeds = {id(alert.topic.feed): alert.topic.feed for alert in self._alerts}
        source = Source(feed=next(iter(feeds.values())) if len(feeds) == 1 else None)
        names = ", ".join(alert.name for alert in self._alerts)
        super().__init__(source, setup={"title": text(f"Alerts: {names}")}, rate_hz=rate_hz)

    def _repr_source(self) -> str:
        return "1 alert" if len(self._alerts) == 1 else f"{len(self._alerts)} alerts"

    @property
    def shown(self) -> tuple[Alarm, ...]:
        """The alarms that the banner shows: of each alert the newest, unless it was dismissed."""
        alarms = (self._newest(i) for i in range(len(self._alerts)))
        return tuple(alarm for alarm in alarms if alarm is not None)

    def dismiss(self) -> None:
        """Hide what is shown; the next alarm shows again."""
        for i, alert in enumerate(self._alerts):
            self._dismissed[i] = alert.raised
        self._painter.wake(self)

    def _newest(self, i: int) -> Alarm | None:
        """The newest raised alarm of an alert, if it is to be shown."""
        alert = self._alerts[i]
        with alert.lock:
            if alert.raised <= self._dismissed[i]:
                return None
            return next((event for event in alert.events if event.type == "ALERT"), None)

    # ---- messages

    def _receive(self, widget: object, content: object, buffers: object) -> None:
        seen = content.get("seen") if isinstance(content, dict) and content.get("kind") == "dismiss" else None
        pairs = seen if isinstance(seen, list) else []
        with self._guard:
            for pair in pairs[:MOST_ALERTS]:
                if isinstance(pair, list) and len(pair) == 2 and all(type(number) is int for number in pair):
                    self._dismiss_wanted[pair[0]] = pair[1]
        super()._receive(widget, content, buffers)

    def _serve(self) -> None:
        with self._guard:
            wanted, self._dismiss_wanted = self._dismiss_wanted, {}
        for i, count in wanted.items():
            if 0 <= i < len(self._alerts):
                self._dismissed[i] = max(self._dismissed[i], min(count, self._alerts[i].raised))

    def _look(self) -> tuple[Any, ...]:
        return tuple((alert.raised, alert.active, alert.errors) for alert in self._alerts), tuple(self._dismissed)

    def _news(self, now: float) -> bool:
        return bool(self._look() != self._stamp)

    def _snapshot(self, now: float) -> Message:
        self._stamp = self._look()
        return Message({"alarms": [told for i in range(len(self._alerts)) if (told := self._told(i)) is not None]})

    def _told(self, i: int) -> dict[str, Any] | None:
        """An alarm as the front end gets it."""
        alarm = self._newest(i)
        if alarm is None:
            return None
        alert = self._alerts[i]
        at_ns = alarm.recv_ns if alarm.timestamp is None else alarm.timestamp
        return {
            "alert": i,
            "name": text(alarm.message),
            "severity": alarm.severity,
            "at": milliseconds(at_ns),
            "active": alert.active,
            "count": alert.raised - self._dismissed[i],
            "raised": alert.raised,
            "error": None if alert.last_error is None else text(alert.last_error),
        }


def _checked(alerts: tuple[Any, ...]) -> tuple[Alert, ...]:
    wrong = [given for given in alerts if not isinstance(given, Alert)]
    if wrong or not 1 <= len(alerts) <= MOST_ALERTS:
        came = type(wrong[0]).__name__ if wrong else f"{len(alerts)} of them"
        raise BadOptionType(f"AlertBanner needs 1 to {MOST_ALERTS} alerts as ag.alert(…) returns them; {came} came.")
    return tuple(dict.fromkeys(alerts))


register_view("banner", AlertBanner)
