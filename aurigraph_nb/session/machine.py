"""The life of one connection that is wanted: a state machine as a table.

The rules
=========

A :class:`Session` decides; it does nothing. A client hands it what happened (events, with the time) and does what it
asks for (requests, in order). No clock, no socket and no sleep is in here, so that each rule can be tried by itself.

States. DISCONNECTED: nothing is under way. CONNECTING: one :class:`Dial` is out. CONNECTED: it succeeded.
RECONNECTING: one timer is out; when it fires, the next Dial follows (so a session that cannot connect goes back and
forth between CONNECTING and RECONNECTING). ERROR: given up, ``error`` says why. CLOSED: over for good.

1. At most one Dial (or the connection that it made) and at most one timer are out at any time. Whoever leaves
   CONNECTING or CONNECTED without being told that it is over hangs up; whoever leaves RECONNECTING otherwise than by
   its timer stops that.
2. The wishes. Connect: "be connected" (if it is so, or on the way, nothing happens). Reconnect: "a fresh connection,
   now" (an attempt that is under way is one). Disconnect: "not for now". Close: "never again".
3. What an outcome means is decided by :func:`~aurigraph_nb.session.verdict.classify` alone.
4. Delays follow the backoff series of the policy, or ``Retry-After`` if that is longer. The series begins anew with
   the first data, with ``health_s`` of standing, and with a Connect or Reconnect out of DISCONNECTED or ERROR. It does
   *not* begin anew because a connection was accepted: a server that accepts and closes meets growing delays. A
   Reconnect while waiting dials at once and keeps the series.
5. A gap opens when an open connection ends before its time, whether or not data had come on it: what was sent from
   then on is missing. It ends with the first data of a later connection, or with Close. A stream that ended as agreed
   (STOP) leaves no gap, unless somebody connects again: then what lies between is one.
6. Late words. An event whose ``dial`` or ``timer`` is not the one under way is ignored; but a connection that opens
   too late is hung up, in every state.

The table at the end has a row for each event and a column for each state; a test walks every cell.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import msgspec

from aurigraph_nb.errors import ConnectFailed
from aurigraph_nb.gaps import Cause
from aurigraph_nb.session.backoff import Policy
from aurigraph_nb.session.events import (
    Close,
    Connect,
    Dial,
    Disconnect,
    Event,
    Failed,
    FirstData,
    GapClosed,
    GapOpened,
    Hangup,
    Healthy,
    Lost,
    Opened,
    Outcome,
    Reconnect,
    Refused,
    Request,
    StartTimer,
    State,
    StopTimer,
    TimerFired,
)
from aurigraph_nb.session.verdict import Action, Tally, Verdict, classify

_CAUSES_KEPT = 64


class Session:
    """Decides when to connect, to wait, to give up, and when frames are missing. See the module's rules.

    Args:
        policy: what the protocol and the URL ask for.
        rng: source of the jitter; give a seeded one for a series that can be repeated.

    >>> session = Session(Policy(url="ws://node:9003/ws/metrics"), random.Random(1))
    >>> session.handle(Connect(), now_ns=0)
    [Dial(None, dial=1)]
    >>> session.handle(Opened(dial=1), now_ns=5), session.state.value
    ([], 'CONNECTED')
    """

    def __init__(self, policy: Policy, rng: random.Random) -> None:
        self.policy = policy
        self.state = State.DISCONNECTED
        self.attempts = 0
        """Tries again since the series began: 0 on the first attempt, and after data or health."""
        self.conn_epoch = 0
        """Ordinal of the connection that is open, or was last; 0 before the first."""
        self.last_error: str | None = None
        """What went wrong last, in words; stays when it is over."""
        self.error: ConnectFailed | None = None
        """Why the session gave up; None unless the state is ERROR, or CLOSED out of that."""
        self.next_try_ns: int | None = None
        """When the next attempt is due; None unless the state is RECONNECTING."""
        self.last_connected_ns: int | None = None
        self.last_disconnected_ns: int | None = None
        self.last_code: int | None = None
        """Close code of the connection lost last."""
        self.ended = False
        """True if the server ended the stream as agreed (a stop code), until the next Connect."""
        self.last_cause: str | None = None
        """What ended the last attempt or connection, such as ``tcp``, ``http 404`` or ``close 1011``."""
        self.exhausted = False
        """True if the last end was one to try again after, but no attempt was left."""
        self.causes: dict[str, int] = {}
        """How often each ``Verdict.cause`` came; beyond 64 different ones they count as ``other``."""
        self._rng = rng
        self._tally = Tally()
        self._dial = 0
        self._timer = 0
        self._gap_ns: int | None = None
        self._owed: tuple[int, str] | None = None  # start and words of the gap that a STOP leaves if we come back

    @property
    def reconnects(self) -> int:
        """Times that a connection opened after the first."""
        return max(0, self.conn_epoch - 1)

    @property
    def reconnecting(self) -> bool:
        """True from a loss or a failure until a connection stands again, waiting or dialling."""
        dialling = self.state is State.CONNECTING and (self.attempts > 0 or self.conn_epoch > 0)
        return dialling or self.state is State.RECONNECTING

    @property
    def _used_up(self) -> bool:
        return self.policy.backoff.exhausted(self.attempts)

    @property
    def in_gap(self) -> bool:
        """True while frames are missing, or may be."""
        return self._gap_ns is not None

    def handle(self, event: Event, now_ns: int) -> list[Request]:
        """Take one event in, at ``now_ns`` (ns since 1970 UTC), and return what to do, in order.

        Raises:
            TypeError: ``event`` is none of the event types. Nothing else raises, in no state and no order of events.
        """
        handler = TABLE.get((self.state, type(event)))
        if handler is None:
            raise TypeError(f"{event!r} is no event of a session")
        if isinstance(event, TimerFired):
            stale = event.timer not in (None, self._timer)
        else:
            stale = getattr(event, "dial", None) not in (None, self._dial)
        if stale:
            return self._stray(event, now_ns) if isinstance(event, Opened) else []
        return handler(self, event, now_ns)

    def __repr__(self) -> str:
        return f"<Session {self.policy.name} {self.state}>"

    # What happens in a cell of the table: one method each, which returns the requests in order.

    def _ignore(self, event: Event, now_ns: int) -> list[Request]:
        """It changes nothing here, or comes too late."""
        return []

    def _stray(self, event: Opened, now_ns: int) -> list[Request]:
        """A connection that nobody waits for any more."""
        return [Hangup(1000, "no longer wanted", self._dial if event.dial is None else event.dial)]

    def _start(self, event: Connect | Reconnect, now_ns: int) -> list[Request]:
        """Begin a new series. What was sent since a STOP becomes a gap."""
        self._begin_series()
        self.error, self.ended = None, False
        owed, self._owed = self._owed, None
        return (self._open_gap(*owed) if owed else []) + self._dial_now()

    def _redial(self, event: Reconnect, now_ns: int) -> list[Request]:
        """A fresh connection at once, in the series that goes on."""
        return self._interrupt("reconnect", now_ns) + self._dial_now()

    def _next_try(self, event: TimerFired, now_ns: int) -> list[Request]:
        return self._dial_now()

    def _disconnect(self, event: Disconnect, now_ns: int) -> list[Request]:
        requests = self._interrupt("disconnect", now_ns)
        self.state, self.error = State.DISCONNECTED, None
        return requests

    def _close(self, event: Close, now_ns: int) -> list[Request]:
        """The end of watching is no gap, and ends one."""
        requests = self._drop("close", now_ns) + self._close_gap(now_ns)
        self.state = State.CLOSED
        return requests

    def _opened(self, event: Opened, now_ns: int) -> list[Request]:
        self.state = State.CONNECTED
        self.conn_epoch += 1
        self.last_connected_ns = now_ns
        led = self._tally.kind == "redirect"  # the chain arrived; the next one is counted from its own start
        self._tally = Tally(reached=True) if led else msgspec.structs.replace(self._tally, reached=True)
        return []

    def _first_data(self, event: FirstData, now_ns: int) -> list[Request]:
        self._begin_series()
        return self._close_gap(now_ns)

    def _healthy(self, event: Healthy, now_ns: int) -> list[Request]:
        self._begin_series()
        return []

    def _broke(self, event: Outcome, now_ns: int) -> list[Request]:
        """An outcome that does not fit the state: something may still be open, so hang up as well."""
        return [Hangup(1000, "broken", self._dial), *self._over(event, now_ns)]

    def _over(self, event: Outcome, now_ns: int) -> list[Request]:
        """An attempt or a connection is over: classify, then do what the verdict says."""
        was_open = self._left(now_ns)
        verdict = classify(event, self._tally, self.policy)
        self._tally = verdict.tally
        self._note(event, verdict)
        if verdict.action is Action.FOLLOW:
            return self._dial_now(verdict.url)
        if verdict.action is Action.STOP:
            return self._stop(verdict, now_ns)
        gap = self._open_gap(self._complete_until(event, now_ns), verdict.came) if was_open else []
        return gap + self._retry_or_give_up(verdict, now_ns)

    # What those are made of.

    def _dial_now(self, url: str | None = None) -> list[Request]:
        self.state, self.next_try_ns = State.CONNECTING, None
        self._dial += 1
        return [Dial(url, self._dial)]

    def _begin_series(self) -> None:
        self.attempts, self._tally = 0, Tally(reached=self.conn_epoch > 0)

    def _left(self, now_ns: int) -> bool:
        """Book the end of an open connection; False if none was open."""
        if self.state is not State.CONNECTED or self.last_connected_ns is None:
            return False
        self.last_disconnected_ns = now_ns
        if now_ns - self.last_connected_ns >= self.policy.health_s * 1e9:
            self._begin_series()
        return True

    def _drop(self, reason: str, now_ns: int) -> list[Request]:
        """Give up, by request, whatever is out."""
        self._left(now_ns)
        self.next_try_ns = None
        if self.state is State.RECONNECTING:
            return [StopTimer()]
        if self.state in (State.CONNECTING, State.CONNECTED):
            return [Hangup(1000, reason, self._dial)]
        return []

    def _interrupt(self, reason: str, now_ns: int) -> list[Request]:
        was_open = self.state is State.CONNECTED
        requests = self._drop(reason, now_ns)
        return requests + (self._open_gap(now_ns, f"{reason} by request") if was_open else [])

    def _open_gap(self, start_ns: int, detail: str) -> list[Request]:
        if self._gap_ns is not None:
            return []
        self._gap_ns = start_ns
        return [GapOpened(Cause.DISCONNECT, start_ns, detail)]

    def _close_gap(self, end_ns: int) -> list[Request]:
        if self._gap_ns is None:
            return []
        start_ns, self._gap_ns = self._gap_ns, None
        return [GapClosed(max(start_ns, end_ns))]

    def _complete_until(self, outcome: Outcome, now_ns: int) -> int:
        """Now; for a connection that broke without the server's close frame, its last frame: it may be dead since."""
        if not isinstance(outcome, Lost) or outcome.last_ns is None or not (outcome.ours or outcome.code == 1006):
            return now_ns
        return min(max(outcome.last_ns, self.last_connected_ns or 0), now_ns)

    def _note(self, outcome: Outcome, verdict: Verdict) -> None:
        if isinstance(outcome, Lost):
            self.last_code = outcome.code
        self.last_cause = verdict.cause
        self.exhausted = verdict.error is None and verdict.action is Action.RETRY and self._used_up
        key = verdict.cause if verdict.cause in self.causes or len(self.causes) < _CAUSES_KEPT else "other"
        self.causes[key] = self.causes.get(key, 0) + 1

    def _stop(self, verdict: Verdict, now_ns: int) -> list[Request]:
        self.state, self.ended = State.DISCONNECTED, True
        self._owed = (now_ns, verdict.came) if self.conn_epoch else None
        return self._close_gap(now_ns)

    def _retry_or_give_up(self, verdict: Verdict, now_ns: int) -> list[Request]:
        self.last_error = verdict.message
        if verdict.error is None and not self._used_up:
            return self._wait(verdict.retry_after_s or 0.0, now_ns)
        if verdict.error is None:
            self.last_error = _exhausted(self.attempts, verdict)
        self.state, self.error = State.ERROR, (verdict.error or ConnectFailed)(self.last_error)
        return []

    def _wait(self, at_least_s: float, now_ns: int) -> list[Request]:
        delay_s = max(self.policy.backoff.delay(self.attempts, self._rng), at_least_s)
        self.attempts += 1
        self._timer += 1
        self.state, self.next_try_ns = State.RECONNECTING, now_ns + round(delay_s * 1e9)
        return [StartTimer(delay_s, self._timer)]


def _exhausted(attempts: int, verdict: Verdict) -> str:
    last = verdict.message.removesuffix("Trying again.").rstrip()
    times = "once" if attempts == 1 else f"{attempts} times"
    return (
        f"{last} Gave up after trying again {times}; feed.reconnect() begins anew, reconnect=Backoff(…, attempts=…) in "
        "connect() sets how often."
    )


Handler: TypeAlias = Callable[[Session, Any, int], list[Request]]

_S = Session
# fmt: off
_COLUMNS: tuple[State, ...] = (
    State.DISCONNECTED, State.CONNECTING, State.CONNECTED, State.RECONNECTING, State.ERROR, State.CLOSED,
)
_ROWS: Mapping[type[Event], tuple[Handler, ...]] = {
    #            DISCONNECTED  CONNECTING      CONNECTED       RECONNECTING    ERROR           CLOSED
    Connect:    (_S._start,    _S._ignore,     _S._ignore,     _S._ignore,     _S._start,      _S._ignore),
    Reconnect:  (_S._start,    _S._ignore,     _S._redial,     _S._redial,     _S._start,      _S._ignore),
    Disconnect: (_S._ignore,   _S._disconnect, _S._disconnect, _S._disconnect, _S._disconnect, _S._ignore),
    Close:      (_S._close,    _S._close,      _S._close,      _S._close,      _S._close,      _S._ignore),
    Opened:     (_S._stray,    _S._opened,     _S._ignore,     _S._stray,      _S._stray,      _S._stray),
    FirstData:  (_S._ignore,   _S._ignore,     _S._first_data, _S._ignore,     _S._ignore,     _S._ignore),
    Healthy:    (_S._ignore,   _S._ignore,     _S._healthy,    _S._ignore,     _S._ignore,     _S._ignore),
    TimerFired: (_S._ignore,   _S._ignore,     _S._ignore,     _S._next_try,   _S._ignore,     _S._ignore),
    Lost:       (_S._ignore,   _S._broke,      _S._over,       _S._ignore,     _S._ignore,     _S._ignore),
    Refused:    (_S._ignore,   _S._over,       _S._ignore,     _S._ignore,     _S._ignore,     _S._ignore),
    Failed:     (_S._ignore,   _S._over,       _S._broke,      _S._ignore,     _S._ignore,     _S._ignore),
}
# fmt: on
TABLE: Mapping[tuple[State, type[Event]], Handler] = MappingProxyType(
    {(state, event): handler for event, row in _ROWS.items() for state, handler in zip(_COLUMNS, row, strict=True)}
)
"""What each state does with each event; every pair has an entry."""
