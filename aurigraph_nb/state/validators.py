"""The validators as far as they were seen, and what changed about them."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from aurigraph_nb.columns import records_to_table
from aurigraph_nb.schema import Validator
from aurigraph_nb.state.events import Event, EventList, Severity, Value, shown, told
from aurigraph_nb.state.keyed import LIMIT, Keyed
from aurigraph_nb.state.view import merge

_WATCHED: Final = {
    "status": ("STATUS_CHANGE", "status"),
    "voting_power": ("VOTING_POWER_CHANGE", "voting power"),
    "uptime_percent": ("UPTIME_CHANGE", "uptime percent"),
    "last_block_proposed": ("BLOCK_PROPOSED", "last block proposed"),
}
"""Columns whose change is an update, in the order in which the updates of one record come."""
_OUT_OF_SERVICE: Final = frozenset({"JAILED", "INACTIVE", "OFFLINE"})


class ValidatorUpdate(Event, frozen=True, kw_only=True):
    """One column of one validator changed from ``old`` to ``new``."""

    validator: str
    """Its id."""
    field: str
    """The column: ``status``, ``voting_power``, ``uptime_percent`` or ``last_block_proposed``."""


class ValidatorsState:
    """Every validator that was seen, by id, and the newest updates.

    A topic of validators is silent until something changes: whoever was not seen yet is unknown. :attr:`seen` and
    :attr:`expected` say how complete the picture is.

    >>> state = ValidatorsState()
    >>> state.apply(Validator(recv_ns=1, conn_epoch=1, n=0, id="v1", status="ACTIVE"))
    >>> state.apply(Validator(recv_ns=2, conn_epoch=1, n=1, id="v1", status="JAILED"))
    >>> state.updates[0].message, state.updates[0].severity
    ('v1: status ACTIVE → JAILED', 'warning')
    """

    def __init__(self, *, keep: int = 50, limit: int = LIMIT) -> None:
        self._current: Keyed[str, Validator] = Keyed(limit)
        self._updates: EventList[ValidatorUpdate] = EventList(keep)
        self._total: int | None = None
        self._active: int | None = None
        self._unkeyed = 0
        self._other_changes = 0

    @property
    def current(self) -> Keyed[str, Validator]:
        """The last known row of each validator, by id, in order of first sight."""
        return self._current

    @property
    def updates(self) -> EventList[ValidatorUpdate]:
        """The newest updates, newest first (50 unless told otherwise)."""
        return self._updates

    def __repr__(self) -> str:
        of = "" if self.expected is None else f" of {self.expected:,}"
        return f"<ValidatorsState: {self.seen:,}{of} validators seen, {told(self._updates)}>"

    @property
    def version(self) -> int:
        """Grows with every change, also of the updates and of :attr:`expected`."""
        return self._current.version + self._updates.version + self._other_changes

    @property
    def seen(self) -> int:
        """How many validators were seen."""
        return len(self._current)

    @property
    def expected(self) -> int | None:
        """How many validators are known to exist, or None if nobody said.

        That is the last known total of the consensus topic. Where only its number of active validators is known,
        it is that and those that were seen and are not active; at least as many as were seen.
        """
        if self._total is not None or self._active is None:
            return self._total
        idle = sum(v.status not in (None, "ACTIVE") for v in self._current.values())
        return max(self._active + idle, self.seen)

    @property
    def unkeyed(self) -> int:
        """Records without an id; they are in no row."""
        return self._unkeyed

    def expect(self, total: int | None, active: int | None = None) -> None:
        """Learn from the consensus topic how many validators there are; None leaves what is known."""
        before = (self._total, self._active)
        self._total = self._total if total is None else total
        self._active = self._active if active is None else active
        self._other_changes += before != (self._total, self._active)

    def apply(self, record: Validator) -> None:
        """Take the next record. The first sight of a validator, or of a column of it, is no update."""
        if record.id is None:
            self._unkeyed += 1
            self._other_changes += 1
            return
        old = self._current.get(record.id)
        new = merge(old, record)
        self._current.upsert(record.id, new)
        if old is not None:
            self._note_updates(record.id, old, new)

    def table(self) -> pa.Table:
        """The current rows in order of first sight, with the schema of the topic."""
        return records_to_table(Validator, list(self._current.values()))

    def _note_updates(self, key: str, old: Validator, new: Validator) -> None:
        for field in _WATCHED:
            before, after = getattr(old, field), getattr(new, field)
            if before is not None and before != after:
                self._updates.append(_update(key, field, before, after, new))


def _update(key: str, field: str, old: Value, new: Value, record: Validator) -> ValidatorUpdate:
    kind, words = _WATCHED[field]
    severity: Severity = "warning" if field == "status" and new in _OUT_OF_SERVICE else "info"
    return ValidatorUpdate(
        type=kind,
        severity=severity,
        message=f"{shown(key)}: {words} {shown(old)} → {shown(new)}",
        old=old,
        new=new,
        timestamp=record.timestamp,
        recv_ns=record.recv_ns,
        validator=key,
        field=field,
    )
