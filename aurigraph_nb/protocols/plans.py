"""From the field names of a frame to a plan for reading it.

Systems write the same column in different ways. All spellings stand in one table of :class:`Alias` (column, name on the
wire, reader that knows its unit, shape). The names that a frame has decide its *shape*, and the shape decides the
unit of the spellings that more than one shape uses; values are never looked at. So a plan depends on the set of names
alone, is made once for it and kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ..schema import DECIMAL_LIMIT, Record, columns
from .base import FieldCounts
from .values import Reader, Unreadable, json_text

SERVER, PORTAL = "server", "portal"

PLANS_KEPT = 1_024
"""Plans kept; a feed that makes up ever new names gets its plans made anew."""


class Alias(NamedTuple):
    """One spelling of a column."""

    column: str
    wire: str
    read: Reader
    shape: str | None = None
    """The shape that the name is a mark of, or (where two shapes use it with different units) the one it is read in."""


class Plan(NamedTuple):
    """How to read the frames that have one set of field names."""

    shape: str | None
    """server, portal, or None: no mark, or marks of both."""
    fields: tuple[tuple[str, str, Reader], ...]
    """(wire name, column, reader)"""
    doubtful: tuple[str, ...]
    """Names whose unit the shape does not tell."""
    unnamed: tuple[str, ...]
    """Names that stand for no column."""
    columns: frozenset[str]
    """The columns that are read."""


class Table:
    """The spellings of one topic."""

    def __init__(self, record: type[Record], aliases: Iterable[Alias]) -> None:
        self.record = record
        self.aliases = tuple(aliases)
        self._by_wire: dict[str, list[Alias]] = {}
        for alias in self.aliases:
            self._by_wire.setdefault(alias.wire, []).append(alias)
        names = {c.name for c in columns(record)}
        unknown = [a.column for a in self.aliases if a.column not in names]
        assert not unknown, f"aliases for columns that {record.__name__} does not have: {unknown}"
        self._plans: dict[tuple[str, ...], Plan] = {}

    def plan(self, names: tuple[str, ...]) -> Plan:
        plan = self._plans.get(names)
        if plan is None:
            if len(self._plans) >= PLANS_KEPT:
                self._plans.clear()
            plan = self._plans[names] = self._make(names)
        return plan

    def _make(self, names: tuple[str, ...]) -> Plan:
        known = {name: self._by_wire[name] for name in names if name in self._by_wire}
        marks = {spelled[0].shape for spelled in known.values() if len(spelled) == 1} - {None}
        shape = marks.pop() if len(marks) == 1 else None
        chosen: dict[str, tuple[str, Reader]] = {}
        doubtful = []
        for alias in self.aliases:  # in the table's order: the first spelling of a column wins
            spelled = known.get(alias.wire)
            if spelled is None or (len(spelled) > 1 and alias.shape != shape):
                continue
            chosen.setdefault(alias.column, (alias.wire, alias.read))
        read = {wire for wire, _ in chosen.values()}
        for name, spelled in known.items():
            if len(spelled) > 1 and shape is None and name not in read:
                doubtful.append(name)
        unnamed = tuple(name for name in names if name not in read and name not in doubtful)
        fields = tuple((wire, column, read) for column, (wire, read) in chosen.items())
        return Plan(shape, fields, tuple(doubtful), unnamed, frozenset(chosen))


class Reading:
    """Reads objects by the plans of a table, counting what did not fit."""

    def __init__(self, topic: str, table: Table, unnamed: FieldCounts, wrong_type: FieldCounts, doubtful: FieldCounts):
        self.topic, self.table = topic, table
        self._unnamed, self._wrong_type, self._doubtful = unnamed, wrong_type, doubtful

    def plan(self, data: dict[str, Any]) -> Plan:
        return self.table.plan(tuple(data))

    def values(self, data: dict[str, Any], plan: Plan) -> dict[str, Any]:
        """Column values; what could not be placed stands under ``extra``."""
        values: dict[str, Any] = {}
        rest: dict[str, Any] | None = None
        for wire, column, read in plan.fields:
            value = data[wire]
            if value is None:
                continue
            try:
                values[column] = read(value)
            except Unreadable:
                self._wrong_type.add(self.topic, wire)
                rest = rest or {}
                rest[wire] = value
        if plan.unnamed or plan.doubtful:
            rest = rest or {}
            for names, counts in ((plan.unnamed, self._unnamed), (plan.doubtful, self._doubtful)):
                for name in names:
                    counts.add(self.topic, name)
                    rest[name] = data[name]
        if rest is not None:
            values["extra"] = json_text(rest)
        return values


def fits_decimal(digits: str) -> int | None:
    """The whole number that ``digits`` spells, if decimal128(38, 0) takes it."""
    if len(digits) <= 38 and digits.isascii() and digits.isdigit():
        return int(digits)
    body = digits[1:] if digits[:1] in ("-", "+") else digits
    if not (body.isascii() and body.isdigit()) or len(body) > 128:
        return None
    value = int(digits)
    return value if -DECIMAL_LIMIT < value < DECIMAL_LIMIT else None
