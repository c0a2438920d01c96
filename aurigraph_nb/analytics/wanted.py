"""What an analysis says when it was given other data than it asks for: which topic it wants, and which came."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from aurigraph_nb import schema
from aurigraph_nb.errors import BadOption

TOPICS: dict[str, frozenset[str]] = {
    topic: frozenset(column.name for column in schema.columns(record)) - {*schema.LOCAL_COLUMNS, "timestamp"}
    for topic, record in {
        "metrics": schema.Metrics,
        "transactions": schema.Transaction,
        "validators": schema.Validator,
        "consensus": schema.Consensus,
        "network": schema.Peer,
    }.items()
}
"""The columns of each topic of a portal that analyses ask for."""
_OF_ALL = frozenset.intersection(*TOPICS.values()) | {"timestamp", *schema.LOCAL_COLUMNS}
"""Columns that tell no topic from another."""


def topic_with(columns: Sequence[str]) -> str | None:
    """The first topic that has all of these columns; None where none has, or they tell no topic from another."""
    telling = set(columns) - _OF_ALL
    return next((topic for topic, own in TOPICS.items() if telling <= own), None) if telling else None


def lacking(
    data: Any, have: Sequence[str], missing: Sequence[str], needed: Sequence[str], either: Sequence[str], hint: str = ""
) -> BadOption:
    """The error for data in which columns are missing.

    Args:
        data: what came.
        have: the columns that it has.
        missing: what it lacks, in words.
        needed: the columns that have to be there.
        either: columns of which one has to be there.
        hint: what else to say about where they may be.
    """
    text = f"no column {', '.join(missing)}; there are {_listed(have)}{hint}"
    topic = topic_with([*needed, *either])
    if topic is None or topic == came(data, have):
        return BadOption(text)
    words = [*needed, *([" or ".join(either)] if either else [])]
    what = came(data, have)
    this = "this is a " + type(data).__name__ if what is None else f"this is `{what}`"
    return BadOption(
        f"{text}. {asking() or 'this'} wants the {topic} topic: columns {', '.join(words)}; {this}; use feed.{topic}"
    )


def check_topic(data: Any, have: Sequence[str], topic: str) -> None:
    """Refuse rows that are plainly of another topic, though they have the columns that are needed.

    Raises:
        BadOption: they are.
    """
    what = came(data, have)
    if what in TOPICS and what != topic:
        raise BadOption(f"{asking() or 'this'} wants the {topic} topic; this is `{what}`; use feed.{topic}")


def came(data: Any, have: Sequence[str]) -> str | None:
    """The topic that data are, or look like: that whose own columns are all there."""
    if hasattr(type(data), "on_record"):  # of its type: a frame may have a column that is called so
        return str(data.name)
    return next((topic for topic, own in TOPICS.items() if own <= set(have)), None)


def asking() -> str | None:
    """The public function of the analytics that somebody called; None where nobody did."""
    package = __package__ or ""
    public: set[str] = set(getattr(sys.modules.get(package), "__all__", ()))
    frame, found = sys._getframe(1), None
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith(package):
        found = frame.f_code.co_name if frame.f_code.co_name in public else found
        frame = frame.f_back  # type: ignore[assignment]  # None at the top, which ends the loop
    return found


def _listed(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(map(str, names[:most]))
    return (f"{shown} and {len(names) - most} more" if len(names) > most else shown) or "none"
