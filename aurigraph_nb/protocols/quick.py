"""The quick way for frames whose fields are just those of a frame before: read by one typed decoder.

Nearly all frames of a topic have the same field names, and values of the types that the documents show. A
:class:`Quick` reads exactly such frames, names and types checked by msgspec while it parses; anything else (another
set of names, a null, a number sent as text) it leaves alone, and the ordinary way takes it. Both give the same values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec.structs import astuple

from .plans import Plan, Table
from .values import (
    INT64_MAX,
    INT64_MIN,
    Reader,
    connected_word,
    exact_text,
    fraction_as_percent,
    integer,
    number,
    percent,
    percent_as_fraction,
    text,
    transaction_status,
    word,
)

KEPT = 64
"""How many are made of one table; a feed that makes up ever new names goes the ordinary way."""
TRIED = 3
"""How many of a topic are tried on a frame, the last one that read a frame first."""

_TYPES: dict[Reader, Any] = {
    number: float,
    percent: float,
    percent_as_fraction: float,
    fraction_as_percent: float,
    integer: Annotated[int, msgspec.Meta(ge=INT64_MIN, le=INT64_MAX)],
    text: str,
    exact_text: str,
    word: str,
    transaction_status: str,
    connected_word: bool,
}
"""What a reader takes most often; a reader that stands not here is given whatever comes."""
_AS_IT_IS = frozenset({number, percent, integer, text, exact_text})
"""Readers that change nothing about a value of that type."""


class Quick:
    """Reads the frames that have exactly the names of a plan, each with a value of its usual type.

    :param plan: one that has a column for each name
    """

    def __init__(self, plan: Plan) -> None:
        fields = [
            (f"f{place}", _TYPES.get(read, Any), msgspec.field(name=wire))
            for place, (wire, _, read) in enumerate(plan.fields)
        ]
        self.shape = plan.shape
        self._columns = tuple(column for _, column, _ in plan.fields)
        self._reads = tuple((place, read) for place, (_, _, read) in enumerate(plan.fields) if read not in _AS_IT_IS)
        wire = msgspec.defstruct("Wire", fields, frozen=True, gc=False, forbid_unknown_fields=True)
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(wire).decode

    def values(self, data: bytes) -> dict[str, Any] | None:
        """The columns' values; None if this is no such frame."""
        try:
            values = list(astuple(self._decode(data)))
            for place, read in self._reads:
                values[place] = read(values[place])
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        return dict(zip(self._columns, values, strict=True))


class QuickWay:
    """The quick ways of one topic, learnt from the frames that took the ordinary one."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._made: dict[tuple[str, ...], Quick] = {}
        self._tried: list[Quick] = []

    def values(self, data: bytes) -> tuple[dict[str, Any], str | None] | None:
        """The columns' values and the frame's shape; None if the frame has to go the ordinary way."""
        for place, quick in enumerate(self._tried):
            values = quick.values(data)
            if values is not None:
                if place:
                    self._tried.insert(0, self._tried.pop(place))
                return values, quick.shape
        return None

    def learn(self, names: tuple[str, ...]) -> None:
        """A frame with these names made a row, by them alone."""
        quick = self._made.get(names)
        if quick is None:
            plan = self._table.plan(names)
            if plan.unnamed or plan.doubtful or len(self._made) >= KEPT:
                return
            quick = self._made[names] = Quick(plan)
        if quick not in self._tried:
            self._tried = [quick, *self._tried[: TRIED - 1]]
