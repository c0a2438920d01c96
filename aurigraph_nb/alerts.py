"""Alerts: tell when the rows of a topic begin to fulfil a condition, and not again at every row that still does.

An alert is *raised* by the first row that fulfils its condition (or by the last of ``after`` such rows in sequence) and
*cleared* by the first row that does not (or, with ``clear=``, that fulfils that other condition: a second threshold
keeps a value that hovers around the first one from raising it again and again). Between two raisings lie at least
``cooldown`` seconds. A raising that falls into them waits for their end: it is told then if the condition still holds,
and counted in ``suppressed`` if it does not.

Time is the receive time of the rows, so that a live feed, a replay and a simulation on a clock of its own give the same
alarms. Rows are looked at on the callback thread; the alarms kept are bounded, and what was not looked at is counted.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias, get_args

from .dispatch import Subscription
from .durations import Duration, nanoseconds
from .errors import BadOption, BadOptionType
from .recording.verify import many
from .schema import Record
from .session import brief
from .state import Event, EventList
from .state.events import Severity

Condition: TypeAlias = Callable[[Any], object]
Change = Literal["raised", "cleared"] | None

KEPT_ALARMS = 100
MOST_ALARMS = 10_000
COOLDOWN_S = 10.0
NAME_CHARS = 120

log = logging.getLogger("aurigraph_nb.alerts")


class Alarm(Event, frozen=True, kw_only=True):
    """One time that an alert was raised (type ``ALERT``) or cleared (type ``CLEARED``).

    >>> import aurigraph_nb as ag
    >>> alarms = []
    >>> feed = ag.replay(ag.sample(duration="5s", seed=7), speed="max", paused=True)
    >>> with ag.alert(feed.metrics, lambda row: row.tps > 0, alarms.append, name="traffic"):
    ...     feed.resume()
    ...     feed.join(timeout=30)
    >>> alarms[0].name, alarms[0].record.tps > 0
    ('traffic', True)
    """

    name: str
    """The alert's name."""
    record: Record
    """The row that did it."""


class Trigger:
    """When a condition that is seen row by row is told. Pure: truth and times go in, changes come out.

    >>> trigger = Trigger(cooldown_ns=0)
    >>> [trigger.step(bad, not bad, time) for time, bad in enumerate([False, True, True, False, True])]
    [None, 'raised', None, 'cleared', 'raised']
    """

    def __init__(self, *, after: int = 1, cooldown_ns: int = 0) -> None:
        self._after, self._cooldown_ns = after, cooldown_ns
        self._in_sequence = 0
        self._raised_ns: int | None = None
        self._waiting = False
        self.active = False
        """Raised, and not cleared yet."""
        self.suppressed = 0
        """Raisings that were over before the cooldown was."""

    def step(self, bad: bool, good: bool, now_ns: int) -> Change:
        """A row of ``now_ns`` that fulfils the condition (``bad``), and the one that clears it (``good``), or not."""
        if self.active:
            if good and not bad:
                self.active, self._in_sequence = False, 0
                return "cleared"
            return None
        self._in_sequence = self._in_sequence + 1 if bad else 0
        if self._waiting and good and not bad:
            self._waiting = False
            self.suppressed += 1
        if not self._waiting and self._in_sequence < self._after:
            return None
        if self._raised_ns is not None and now_ns - self._raised_ns < self._cooldown_ns:
            self._waiting = True
            return None
        self.active, self._waiting, self._raised_ns = True, False, now_ns
        return "raised"


class Alert:
    """A condition on a topic's rows that is watched until :meth:`close`; made by :func:`alert`.

    >>> import aurigraph_nb as ag
    >>> feed = ag.replay(ag.sample(duration="5s", seed=7), speed="max", paused=True)
    >>> with ag.alert(feed.metrics, lambda row: row.tps < 0, name="never") as watched:
    ...     feed.resume()
    ...     feed.join(timeout=30)
    >>> watched.rows, watched.raised, watched.active
    (5, 0, False)
    """

    def __init__(
        self,
        topic: Any,
        condition: Condition,
        action: Callable[[Alarm], object] | None,
        *,
        name: str,
        clear: Condition | None,
        trigger: Trigger,
        severity: Severity,
        keep: int,
    ) -> None:
        self.topic = topic
        """The topic that is watched."""
        self.name = name
        self.severity = severity
        self.events: EventList[Alarm] = EventList(keep)
        """The newest alarms, newest first; raised and cleared ones. Read it with :attr:`lock` held."""
        self.lock = threading.RLock()
        self.rows = 0
        """Rows that were looked at."""
        self.raised = 0
        """How often the alert was raised."""
        self.errors = 0
        """How often the condition or the action raised an exception."""
        self.last_error: str | None = None
        self.view: Any = None
        """What shows the alert in a notebook; None unless it was asked for."""
        self._condition, self._clear, self._action, self._trigger = condition, clear, action, trigger
        self._subscription: Subscription | None = None

    def __repr__(self) -> str:
        state = "closed" if self.closed else "active" if self.active else "quiet"
        times = "once" if self.raised == 1 else f"{self.raised:,} times"
        known = [state, f"raised {times}" if self.raised else "never raised", f"{many(self.rows, 'row')} looked at"]
        if self.dropped:
            known.append(f"{self.dropped:,} not looked at")
        if self.errors:
            known.append(f"{many(self.errors, 'error')}, the last: {brief(self.last_error, 120)}")
        return f"<Alert {self.name}: {', '.join(known)}>"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """In a notebook an alert with a banner shows it."""
        if self.view is None:
            return {"text/plain": repr(self)}
        return self.view._repr_mimebundle_(**options)

    def __enter__(self) -> Alert:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def active(self) -> bool:
        """Whether the condition holds: raised, and not cleared yet."""
        return self._trigger.active

    @property
    def suppressed(self) -> int:
        """Raisings that were not told because they were over before the cooldown was."""
        return self._trigger.suppressed

    @property
    def dropped(self) -> int:
        """Rows that were not looked at because callbacks were too slow."""
        return 0 if self._subscription is None else self._subscription.dropped

    @property
    def closed(self) -> bool:
        return self._subscription is None or self._subscription.closed

    def close(self) -> None:
        """Watch no longer, and close its banner; the alarms stay readable. Closing twice is harmless."""
        if self._subscription is not None:
            self._subscription.close()
        if self.view is not None:
            self.view.close()

    def open(self) -> None:
        """Begin to watch."""
        self._subscription = self.topic.on_record(self.look, batch=True)

    def look(self, records: Sequence[Record]) -> None:
        """Look at rows in the order of their arrival; on the callback thread."""
        for record in records:
            alarm = self._step(record)
            if alarm is not None and self._action is not None:
                self._guarded(self._action, alarm)

    def _step(self, record: Record) -> Alarm | None:
        self.rows += 1
        bad = self._guarded(self._condition, record)
        good = (None if bad is None else not bad) if self._clear is None else self._guarded(self._clear, record)
        if bad is None or good is None:
            return None  # a row that cannot be judged changes nothing
        with self.lock:
            change = self._trigger.step(bool(bad), bool(good), record.recv_ns)
            if change is None:
                return None
            alarm = self._alarm(change, record)
            self.events.append(alarm)
            self.raised += change == "raised"
        return alarm if change == "raised" else None

    def _alarm(self, change: str, record: Record) -> Alarm:
        raised = change == "raised"
        return Alarm(
            type="ALERT" if raised else "CLEARED",
            severity=self.severity if raised else "info",
            message=self.name if raised else f"{self.name}: over",
            old=None,
            new=None,
            timestamp=record.timestamp,
            recv_ns=record.recv_ns,
            name=self.name,
            record=record,
        )

    def _guarded(self, fn: Callable[[Any], object], argument: Any) -> object:
        """What ``fn`` returns, as True or False for a condition; None if it raised, which is counted and kept."""
        try:
            result = fn(argument)
        except Exception as error:  # noqa: BLE001 - a fault of the user's function ends neither alert nor feed
            self.errors += 1
            self.last_error = f"{type(error).__name__}: {str(error)[:300]}"
            errors = getattr(getattr(self.topic, "feed", None), "callback_errors", None)
            if errors is not None:
                errors.add(fn, error)
            return None
        return bool(result)


_views: dict[str, Callable[[Alert], Any]] = {}


def register_view(name: str, make: Callable[[Alert], Any]) -> None:
    """Let ``action=name`` show an alert by what ``make`` returns; for the widgets, which stand above this module."""
    _views[name] = make


def alert(
    topic: Any,
    condition: Condition,
    action: Callable[[Alarm], object] | str = "log",
    *,
    name: str | None = None,
    clear: Condition | None = None,
    after: int = 1,
    cooldown: Duration = COOLDOWN_S,
    severity: Severity = "warning",
    keep: int = KEPT_ALARMS,
) -> Alert:
    """Watch a topic's new rows, and act once each time when they begin to fulfil a condition.

    >>> import aurigraph_nb as ag
    >>> from aurigraph_nb.alerts import alert
    >>> feed = ag.replay(ag.sample(duration="30s", seed=7), speed="max", paused=True)
    >>> with alert(feed.metrics, lambda row: row.tps > 0, lambda alarm: None, name="traffic") as traffic:
    ...     feed.resume()
    ...     feed.join(timeout=30)
    >>> traffic.raised, traffic.events[0].message
    (1, 'traffic')

    Args:
        topic: such as ``feed.metrics``.
        condition: called with each row; something true means that it is fulfilled. A row for which it raises (say
            because a value is missing) changes nothing and is counted in ``errors``.
        action: what to do when the alert is raised: a function that takes the :class:`Alarm`, ``"log"`` (a line in the
            log ``aurigraph_nb.alerts``) or ``"banner"`` (shown where the alert is a cell's result).
        name: what the alarm says; by default the name of the topic and of the condition.
        clear: the condition that ends an alarm; by default that ``condition`` does not hold.
        after: how many rows in sequence have to fulfil the condition.
        cooldown: least time between two alarms, by the rows' receive times; seconds or a duration.
        severity: ``"info"``, ``"warning"`` or ``"error"``.
        keep: alarms that are kept, up to 10,000.

    Raises:
        BadOption: an option out of its bounds.
        BadOptionType: something else than a topic, or an option of a wrong type.
        FeedClosed: the feed is closed.
    """
    _check(topic, condition, clear, after, severity, keep)
    made = Alert(
        topic,
        condition,
        _action(action),
        name=_checked_name(name, topic, condition),
        clear=clear,
        trigger=Trigger(after=after, cooldown_ns=nanoseconds(cooldown, option="cooldown")),
        severity=severity,
        keep=keep,
    )
    made.open()
    if isinstance(action, str) and action in _views:
        made.view = _views[action](made)
    return made


def _action(action: Any) -> Callable[[Alarm], object] | None:
    if callable(action):
        return action  # type: ignore[no-any-return]
    if action == "log":
        return _log
    if isinstance(action, str) and action in _views:
        return None
    known = ", ".join(f'"{name}"' for name in ("log", *_views))
    raise BadOption(f"action={action!r}: expected a function that takes the alarm, or one of {known}")


def _log(alarm: Alarm) -> None:
    level = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}[alarm.severity]
    log.log(level, "alert: %s (row %d, %s)", alarm.message, alarm.record.n, alarm.record.time.isoformat())


def _check(topic: Any, condition: Any, clear: Any, after: Any, severity: Any, keep: Any) -> None:
    if not hasattr(topic, "on_record") or not hasattr(topic, "record_type"):
        raise BadOptionType(f"alert needs a topic such as feed.metrics, not {type(topic).__name__}.")
    for option, fn in (("condition", condition), ("clear", clear)):
        if not callable(fn) and not (option == "clear" and fn is None):
            raise BadOptionType(f"{option}={fn!r}: something callable was expected, such as lambda row: row.tps < 1e5")
    for option, value, most in (("after", after, MOST_ALARMS), ("keep", keep, MOST_ALARMS)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise BadOptionType(f"{option}={value!r}: expected a whole number from 1 to {most:,}")
        if not 1 <= value <= most:
            raise BadOption(f"{option}={value!r}: expected a whole number from 1 to {most:,}")
    if severity not in get_args(Severity):
        raise BadOption(f"severity={severity!r}: expected one of {', '.join(map(repr, get_args(Severity)))}")


def _checked_name(name: Any, topic: Any, condition: Condition) -> str:
    if name is None:
        own = getattr(condition, "__name__", "condition")
        name = str(topic.name) if own == "<lambda>" else f"{topic.name}: {own}"
    if not isinstance(name, str):
        raise BadOptionType(f"name={name!r}: expected a text")
    plain = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    if not plain:
        raise BadOption(f"name={name!r}: expected a text that can be read")
    return plain if len(plain) <= NAME_CHARS else plain[: NAME_CHARS - 1] + "…"
