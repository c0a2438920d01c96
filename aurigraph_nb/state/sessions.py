"""The subscriber sessions that are open now, what just changed about them, and which have just ended."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import pyarrow as pa

from aurigraph_nb.columns import records_to_table
from aurigraph_nb.schema import Record, UserSession
from aurigraph_nb.state.keyed import LIMIT, Keyed
from aurigraph_nb.state.view import merge

MARKED_NS: Final = 2_000_000_000
"""How long a session counts as changed, and as just ended, in nanoseconds."""
ENDED_KEPT: Final = 1_000
"""Sessions that have just ended, at most: more than anybody sees in two seconds."""

_OPENS: Final = frozenset({"new", "update", None})
_SHOWN: Final = tuple(f for f in UserSession.__struct_fields__ if f not in {*Record.__struct_fields__, "action"})


class SessionsState:
    """Every session that is open, by its id.

    ``new`` and ``update`` set its row (so does a record with no action), ``terminate`` removes it.

    >>> state = SessionsState()
    >>> state.apply(UserSession(recv_ns=1, conn_epoch=1, n=0, action="new", session_id="s1", session_time_s=1.0))
    >>> state.apply(UserSession(recv_ns=2, conn_epoch=1, n=1, action="new", session_id="s2", session_time_s=9.0))
    >>> [session.session_id for session in state.by_time()]
    ['s2', 's1']
    >>> state.apply(UserSession(recv_ns=3, conn_epoch=1, n=2, action="terminate", session_id="s2"))
    >>> list(state.current), [session.session_id for session in state.ended_since(now_ns=4)]
    (['s1'], ['s2'])
    """

    def __init__(self, *, limit: int = LIMIT) -> None:
        self._current: Keyed[str, UserSession] = Keyed(limit)
        self._changed: OrderedDict[str, int] = OrderedDict()  # when each changed last, oldest change first
        self._ended: OrderedDict[str, UserSession] = OrderedDict()  # in the order of their ends
        self._unkeyed = 0
        self._unknown = 0

    @property
    def current(self) -> Keyed[str, UserSession]:
        """The last known row of each open session, by id, in order of first sight."""
        return self._current

    @property
    def version(self) -> int:
        """Grows with every change. (That a mark goes after two seconds is none: it depends on the time asked about.)"""
        return self._current.version + self._unkeyed + self._unknown

    @property
    def unkeyed(self) -> int:
        """Records without a session id; they are in no row."""
        return self._unkeyed

    @property
    def unknown(self) -> int:
        """Records with an action other than new, update and terminate; they change no row."""
        return self._unknown

    def __repr__(self) -> str:
        return f"<SessionsState: {len(self._current):,} sessions open, {len(self._ended):,} ended lately>"

    def apply(self, record: UserSession) -> None:
        """Take the next record."""
        self._forget_before(record.recv_ns - MARKED_NS)
        if record.session_id is None:
            self._unkeyed += 1
        elif record.action == "terminate":
            self._end(record.session_id, record)
        elif record.action in _OPENS:
            self._set(record.session_id, record)
        else:
            self._unknown += 1

    def by_time(self) -> list[UserSession]:
        """The open sessions, longest session time first; those of unknown time last, equal ones by first sight."""
        return sorted(self._current.values(), key=_shortness)

    def is_changed(self, session: UserSession, now_ns: int) -> bool:
        """Whether less than 2.000 s have passed since an open session last changed; its first sight is no change."""
        changed_ns = None if session.session_id is None else self._changed.get(session.session_id)
        return changed_ns is not None and now_ns - changed_ns < MARKED_NS

    def ended_since(self, now_ns: int) -> tuple[UserSession, ...]:
        """The sessions that ended less than 2.000 s before ``now_ns``, in the order of their ends.

        Each is its last known row, completed by what its end told, with the receive time of the end.
        """
        return tuple(s for s in self._ended.values() if now_ns - s.recv_ns < MARKED_NS)

    def table(self) -> pa.Table:
        """The rows of :meth:`by_time`, with the schema of the topic."""
        return records_to_table(UserSession, self.by_time())

    def _set(self, key: str, record: UserSession) -> None:
        old = self._current.get(key)
        new = merge(old, record)
        self._ended.pop(key, None)
        self._current.upsert(key, new)
        if old is not None and any(getattr(old, f) != getattr(new, f) for f in _SHOWN):
            self._changed[key] = record.recv_ns
            self._changed.move_to_end(key)
            if len(self._changed) > self._current.limit:
                self._changed.popitem(last=False)

    def _end(self, key: str, record: UserSession) -> None:
        old = self._current.get(key)
        if old is None:
            return
        self._current.remove(key)
        self._changed.pop(key, None)
        self._ended[key] = merge(old, record)
        if len(self._ended) > ENDED_KEPT:
            self._ended.popitem(last=False)

    def _forget_before(self, oldest_ns: int) -> None:
        while self._changed and next(iter(self._changed.values())) <= oldest_ns:
            self._changed.popitem(last=False)
        while self._ended and next(iter(self._ended.values())).recv_ns <= oldest_ns:
            self._ended.popitem(last=False)


def _shortness(session: UserSession) -> float:
    seconds = session.session_time_s
    return float("inf") if seconds is None or seconds != seconds else -seconds
