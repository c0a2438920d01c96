"""Who holds how much: the members of a set and their weights, exactly, and how many of them were seen.

Weights are kept as fractions, so that three equal members hold exactly a third each and sums of stakes lose nothing.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as _compute

from aurigraph_nb.durations import Moment
from aurigraph_nb.errors import BadOption, Incomplete, UnknownTopic

from .inputs import Data, Floats, Rows, rows, whole
from .numeric import counted
from .readers import TIME_COLUMNS, is_topic, row_times
from .result import AnalyticsWarning

pc: Any = _compute
Weight = Fraction | int

WEIGHTS = ("voting_power", "total_staked")
"""What is taken for the weight, in this order: the first that any member has."""


@dataclass(frozen=True, eq=False)
class Holders:
    """Members with their weights, heaviest first; equal ones in the order in which they were first seen."""

    ids: tuple[str, ...]
    weights: tuple[Weight, ...]
    weight: str
    """The column that the weights are from."""
    active: int | None = None
    """How many members there are, where anybody said."""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def whole_weights(self) -> tuple[int, ...]:
        """The weights times one number that makes all of them whole: in the same proportions, exactly."""
        return whole_numbers(self.weights)

    @cached_property
    def total(self) -> int:
        """Sum of the whole weights, exact."""
        return sum(self.whole_weights)

    @property
    def coverage(self) -> float | None:
        """``members_seen / active_validators``, at most 1; None where nobody said how many there are."""
        return None if not self.active else min(1.0, len(self) / self.active)

    def shares(self) -> Floats:
        """Share of each member in the whole (0-1), heaviest first; empty where the whole is 0."""
        total = self.total
        return np.array([w / total for w in self.whole_weights] if total else [], dtype=np.float64)

    def table(self) -> pd.DataFrame:
        """One row a member: rank, id, weight, share and cumulative_share."""
        shares = self.shares()
        shares = shares if len(shares) else np.full(len(self), np.nan)
        return pd.DataFrame(
            {
                "rank": np.arange(1, len(self) + 1, dtype=np.int64),
                "id": pd.Series(list(self.ids), dtype="str"),
                "weight": np.array([float(w) for w in self.weights], dtype=np.float64),
                "share": shares,
                "cumulative_share": np.minimum(np.cumsum(shares), 1.0),
            }
        )


def whole_numbers(weights: Sequence[Weight]) -> tuple[int, ...]:
    """Weights as whole numbers in the same proportions: all times the least common multiple of their denominators.

    >>> whole_numbers([Fraction(1, 2), Fraction(1, 3), 2])
    (3, 2, 12)
    """
    scale = math.lcm(*{w.denominator for w in weights})
    return tuple(w.numerator * (scale // w.denominator) for w in weights)


def holders(
    data: Data,
    *,
    weight: str | None = None,
    status: str | None = "ACTIVE",
    active: Any = None,
    require_complete: bool = False,
    start: Moment | None = None,
    end: Moment | None = None,
) -> Holders:
    """The members of ``data`` by their last known weights.

    Rows are put together in order of time, as far as they have one, and as the state of the topic does it: what a row
    leaves out is kept from the row before. Members
    whose last known status is another than ``status`` do not count; those of whom no status is known do.

    Args:
        data: rows with ``id`` and a weight; a topic without a range is asked for its state, which forgets no row.
        weight: column of the weights; None for voting_power, or total_staked where nobody has a voting power.
        status: status of the members that count, None for all.
        active: how many members there are: a number, or consensus rows (their last ``active_validators``), or None for
            what the consensus topic of the same feed says, if that is open.
        require_complete: whether a missing member is an error.
        start: first time, included.
        end: end of the range, left out.

    Raises:
        BadOption: a column is missing.
        Incomplete: ``require_complete=True``, and members are missing or nobody says how many there are.
    """
    known = members_said(data, active, end)
    if is_topic(data) and start is None and end is None and hasattr(data, "current_table"):
        data = data.current_table().reset_index()
    choices = WEIGHTS if weight is None else (weight,)
    ranged = start is not None or end is not None
    extras = ("status", *TIME_COLUMNS)
    got = rows(data, "id", either=choices, optional=extras, time=ranged, start=start, end=end, reduce=newest)
    last = _filtered(got, status)
    return check_complete(_ranked(last, choices, known), require_complete)


def members_said(data: Data, active: Any, end: Moment | None = None) -> int | None:
    """How many members there are (before ``end``), as ``active=`` or the consensus topic of the same feed says."""
    if isinstance(active, int | np.integer):
        return whole("active", active)
    consensus = consensus_of(data) if active is None else active
    return None if consensus is None else _last_active(consensus, end)


def check_complete(found: Holders, require_complete: bool) -> Holders:
    """Warn where members are missing, or raise with ``require_complete``; the same holders, with a note."""
    seen, said = len(found), found.active
    notes = found.notes
    if require_complete and (said is None or seen < said):
        of = "an unknown number" if said is None else f"{said:,}"
        raise Incomplete(
            f"{seen:,} members seen of {of} active validators, and require_complete=True wants all. Listen longer, "
            "or say how many there are: active=…"
        )
    if said is None:
        notes += ("nobody said how many members there are (active=…), so those that were not seen are unknown",)
    elif seen < said:
        text = f"{seen:,} of {said:,} active validators seen; the others' weights are unknown and not estimated"
        warnings.warn(text, AnalyticsWarning, stacklevel=_depth())
        notes += (text,)
    elif seen > said:
        notes += (f"{seen:,} members seen, though {said:,} were said to be active; some have left unheard",)
    return Holders(found.ids, found.weights, found.weight, said, notes)


def in_order(table: pa.Table) -> pa.Table:
    """The rows in order of time, those without one first; in the order they came where no times can be read."""
    if not any(c in table.column_names for c in TIME_COLUMNS):
        return table
    try:
        times: Any = row_times(table).fill_null(np.iinfo(np.int64).min)
    except BadOption:  # a snapshot needs no times: a column that is called so may be a text
        return table
    order = np.argsort(np.asarray(times.to_numpy(), dtype=np.int64), kind="stable")
    return table if np.all(np.diff(order) > 0) else table.take(order)


def newest(table: pa.Table) -> pa.Table:
    """Those rows that say the last known value of something about somebody, or that are the first about somebody."""
    table = in_order(table.filter(pc.is_valid(table.column("id"))))
    codes = _codes(table)
    kept = [np.unique(codes, return_index=True)[1]]
    for name in table.column_names:
        places = np.flatnonzero(np.asarray(pc.is_valid(table.column(name))))
        last = np.full(int(codes.max(initial=-1)) + 1, -1, dtype=np.int64)
        last[codes[places]] = places  # of several places for one id, the last stays
        kept.append(last[last >= 0])
    return table.take(np.unique(np.concatenate(kept)).astype(np.int64))


def last_known(table: pa.Table) -> pa.Table:
    """The last known value of each column for each ``id``, in order of first sight; rows without an id are left out."""
    table = in_order(table.filter(pc.is_valid(table.column("id"))))
    codes = _codes(table)
    count = int(codes.max()) + 1 if len(codes) else 0
    columns: dict[str, Any] = {}
    for name in table.column_names:
        column: Any = table.column(name)
        places = np.flatnonzero(np.asarray(pc.is_valid(column)))
        newest = np.full(count, -1, dtype=np.int64)
        newest[codes[places]] = places  # of several places for one id, the last stays
        columns[name] = column.take(pa.array(newest, mask=newest < 0))
    return pa.table(columns)


def _codes(table: pa.Table) -> Any:
    """A number for the ``id`` of each row, in order of first sight."""
    ids: Any = table.column("id")
    if pa.types.is_dictionary(ids.type):
        ids = ids.cast(pa.string())
    return pd.factorize(np.asarray(ids.to_pylist(), dtype=object))[0]


def ranked(ids: list[str], values: list[Any], weight: str, active: int | None) -> Holders:
    """Holders of these weights: those without one, or with one below 0, are left out and counted."""
    good: list[tuple[str, Weight]] = []
    for name, value in zip(ids, values, strict=True):
        exact = _exact(value)
        if exact is not None and exact >= 0:
            good.append((name, exact))
    left = len(ids) - len(good)
    notes = (f"left out, without a {weight} of at least 0: {counted(left, 'member')}",) if left else ()
    sizes = whole_numbers([w for _, w in good])
    good = [good[i] for i in sorted(range(len(good)), key=lambda i: -sizes[i])]
    return Holders(tuple(i for i, _ in good), tuple(w for _, w in good), weight, active, notes)


def _filtered(got: Rows, status: str | None) -> Rows:
    table = last_known(got.table)
    last = Rows(table, np.zeros(table.num_rows, np.int64), got.holes, got.start_ns, got.end_ns)
    if status is None or not last.has("status"):
        return last
    return last.where(np.array([s is None or s == status for s in last.texts("status")], dtype=bool))


def _ranked(last: Rows, choices: tuple[str, ...], active: int | None) -> Holders:
    there = [c for c in choices if last.has(c)]
    weight = next((c for c in there if np.isfinite(last.numbers(c)).any()), there[0])
    return ranked([str(i) for i in last.texts("id")], last.objects(weight), weight, active)


@lru_cache(maxsize=65_536, typed=True)
def _exact(value: Any) -> Weight | None:
    """A weight as an exact number, None where it is none."""
    if value is None or isinstance(value, bool | str):
        return None
    try:
        exact = Fraction(value)
    except (TypeError, ValueError, OverflowError):  # NaN and the infinities
        return None
    return exact.numerator if exact.denominator == 1 else exact


def consensus_of(data: Data) -> Any:
    """The consensus topic of the feed that the topic ``data`` is of, if it is open, or was recorded; else None.

    Reading a topic opens it, and asking for one measure must not make a feed listen to more than it was told to.
    """
    feed = getattr(data, "feed", None) if is_topic(data) else None
    try:
        consensus = None if feed is None else feed["consensus"]
    except (UnknownTopic, KeyError, TypeError):
        return None
    there = getattr(consensus, "recorded", False) or getattr(consensus, "opened", True)  # in a recording none is open
    return consensus if consensus is not None and there else None


def _last_active(consensus: Data, end: Moment | None) -> int | None:
    known = rows(consensus, "active_validators", time=end is not None, end=end).numbers("active_validators")
    known = known[known > 0]
    return int(known[-1]) if len(known) else None


def _depth() -> int:
    """How far up the caller outside this package is, so that a warning points at the user's line."""
    import sys

    depth, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(__package__ or "-"):
        depth, frame = depth + 1, frame.f_back
    return depth
