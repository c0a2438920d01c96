"""The consensus as it stands, and the events that two successive records make."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aurigraph_nb.schema import Consensus
from aurigraph_nb.session.text import brief
from aurigraph_nb.state.events import Event, EventList, Severity, Value, shown, told
from aurigraph_nb.state.view import merge, moved

PERFORMANCE_POINTS: Final = 5
"""A change of the performance by more than this, on the 0-100 scale, is an event."""
_LEADER: Final = frozenset({"leader"})  # None there says that nobody leads


class ConsensusEvent(Event, frozen=True, kw_only=True):
    """A change of leader, state, epoch or performance.

    ``type`` is LEADER_CHANGE, STATE_CHANGE, EPOCH_CHANGE or PERFORMANCE_UPDATE; ``epoch`` and ``round`` are the
    chain's at that moment, as far as known.
    """

    epoch: int | None
    round: int | None


class ConsensusState:
    """The consensus as last told, and the newest events.

    >>> state = ConsensusState()
    >>> state.apply(Consensus(recv_ns=1, conn_epoch=1, n=0, leader="v1", epoch=1))
    >>> state.apply(Consensus(recv_ns=2, conn_epoch=1, n=1, leader=None, epoch=2))
    >>> [event.message for event in state.events]
    ['Epoch 1 → 2', 'Leader v1 → None']
    """

    def __init__(self, *, keep: int = 50) -> None:
        self._current: Consensus | None = None
        self._events: EventList[ConsensusEvent] = EventList(keep)
        self._applied = 0

    @property
    def current(self) -> Consensus | None:
        """The last record, completed by what earlier ones told (but a leader of None stays None); None before any."""
        return self._current

    @property
    def events(self) -> EventList[ConsensusEvent]:
        """The newest events, newest first (50 unless told otherwise)."""
        return self._events

    def __repr__(self) -> str:
        now = self._current
        if now is None:
            return "<ConsensusState: nothing known yet>"
        known = f"leader {brief(now.leader, 40)}, epoch {now.epoch}, round {now.round}"
        return f"<ConsensusState: {known}, {told(self._events)}>"

    @property
    def version(self) -> int:
        """Grows with every record and with every change of the events."""
        return self._applied + self._events.version

    def apply(self, record: Consensus) -> None:
        """Take the next record. The first one makes no event."""
        old, new = self._current, merge(self._current, record, _LEADER)
        self._current = new
        self._applied += 1
        if old is not None:
            for event in _events(old, new):
                self._events.append(event)


def _events(old: Consensus, new: Consensus) -> Iterator[ConsensusEvent]:
    if old.leader != new.leader:
        severity: Severity = "warning" if new.leader is None else "info"
        yield _event("LEADER_CHANGE", severity, "Leader", old.leader, new.leader, new)
    if old.state is not None and old.state != new.state:
        yield _event("STATE_CHANGE", "info", "State", old.state, new.state, new)
    if old.epoch is not None and old.epoch != new.epoch:
        yield _event("EPOCH_CHANGE", "info", "Epoch", old.epoch, new.epoch, new)
    before, after = old.performance_percent, new.performance_percent
    if before is not None and after is not None and moved(before, after, PERFORMANCE_POINTS):
        severity = "warning" if after < before else "info"
        yield _event("PERFORMANCE_UPDATE", severity, "Performance percent", before, after, new)


def _event(kind: str, severity: Severity, what: str, old: Value, new: Value, record: Consensus) -> ConsensusEvent:
    return ConsensusEvent(
        type=kind,
        severity=severity,
        message=f"{what} {shown(old)} → {shown(new)}",
        old=old,
        new=new,
        timestamp=record.timestamp,
        recv_ns=record.recv_ns,
        epoch=record.epoch,
        round=record.round,
    )
