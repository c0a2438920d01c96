"""The one door for data: topics, recordings and frames of four libraries become columns, times and gaps.

Every analysis asks :func:`rows` for the few columns that it needs. So they all take the same things: a topic, live or
recorded; a pandas, Polars or Dask frame; an Arrow table, or whatever else speaks the Arrow stream interface.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as _compute

from aurigraph_nb.durations import Moment, parse_time
from aurigraph_nb.errors import BadOption, Incomplete

from .gaptimes import Holes, holes_of
from .options import free_name as free_name  # all modules ask here for what they need of their input
from .options import one_of as one_of
from .options import share as share
from .options import whole as whole
from .readers import Reduce, is_topic, tables_of
from .sight import Sight, View, edges

pc: Any = _compute

Data: TypeAlias = Any
"""A topic, a pandas, Polars or Dask frame, an Arrow table, or anything with ``__arrow_c_stream__``."""
Gaps: TypeAlias = Any
"""Gaps that the data do not bring along: what ``feed.gaps.to_pandas()`` gives, or an iterable of ``Gap``."""
OnGap: TypeAlias = Literal["nan", "raise", "ignore"]
Floats: TypeAlias = npt.NDArray[np.float64]
Times: TypeAlias = npt.NDArray[np.int64]

ON_GAP = ("nan", "raise", "ignore")


@dataclass(frozen=True, eq=False)
class Rows:
    """Columns of one stream in arrival order, with the time of each row and the times that were not seen."""

    table: pa.Table
    """The columns asked for that are there; nothing else."""
    time_ns: Times
    """Time of each row, ns since 1970 UTC: the server's, or the receive time where that is missing."""
    holes: Holes
    """Times that were not seen, merged, in order, ns since 1970 UTC, each [start, end): the gaps of this stream, and
    what was asked for before its first row and after its last one."""
    start_ns: int | None
    """Begin of the range that was asked for, or the earliest row; None if there is neither."""
    end_ns: int | None
    """End of the range that was asked for, or the latest row; None if there is neither."""
    untimed: int = 0
    """Rows without any time; they are left out where time is needed."""
    source: str = "data"
    """Name of the topic, for messages."""
    inner: Holes = field(default_factory=Holes.none)
    """The gaps alone."""
    sight: Sight = field(default_factory=Sight)
    """What the rows, before any were left out, tell of the time in which the stream was watched."""
    asked: tuple[bool, bool] = (False, False)
    """Whether the begin, and the end, of the range were asked for."""

    def __len__(self) -> int:
        return len(self.time_ns)  # a table of no columns has forgotten how many rows it had

    def has(self, column: str) -> bool:
        """Whether a column came."""
        return column in self.table.column_names

    def numbers(self, column: str) -> Floats:
        """A column as float64; what is missing or not finite is NaN.

        Raises:
            BadOption: the column holds no numbers.
        """
        kept = self.table.column(column)
        if pa.types.is_null(kept.type):
            return np.full(len(kept), np.nan)
        if not (pa.types.is_boolean(kept.type) or pa.types.is_primitive(kept.type) or pa.types.is_decimal(kept.type)):
            raise BadOption(f"column {column!r} of {self.source} holds {kept.type}; numbers were expected")
        if pa.types.is_temporal(kept.type):
            kept = kept.cast(pa.int64())
        values = np.array(kept.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
        values[~np.isfinite(values)] = np.nan
        return values

    def integers(self, column: str) -> Times:
        """A column of whole numbers exactly, beyond 2**53 too; 0 where :meth:`numbers` has none.

        Raises:
            BadOption: the column holds no numbers, or one that does not fit into 64 bits.
        """
        kept: Any = self.table.column(column)
        if not pa.types.is_integer(kept.type):
            plain = np.nan_to_num(self.numbers(column))
            if np.any(np.abs(plain) >= 2.0**63):
                raise BadOption(f"column {column!r} of {self.source} holds numbers beyond 64 bits")
            return plain.astype(np.int64)
        try:
            return np.array(kept.fill_null(0).cast(pa.int64()).to_numpy(), dtype=np.int64)
        except pa.ArrowInvalid as error:
            raise BadOption(f"column {column!r} of {self.source} holds numbers beyond 64 bits ({error})") from None

    def texts(self, column: str) -> npt.NDArray[np.object_]:
        """A column as Python texts, None where it is missing."""
        kept = self.table.column(column)
        if pa.types.is_dictionary(kept.type):
            kept = kept.cast(pa.string())
        texts = np.empty(len(kept), dtype=object)
        texts[:] = [None if v is None else str(v) for v in kept.to_pylist()]
        return texts

    def objects(self, column: str) -> list[Any]:
        """A column as Python objects (int, Decimal, str …), None where it is missing."""
        return [_python(v) for v in self.table.column(column).to_pylist()]

    def where(self, mask: npt.NDArray[np.bool_]) -> Rows:
        """The rows for which ``mask`` is true; gaps and range stay."""
        return self._with(self.table.filter(pa.array(mask)), self.time_ns[mask])

    def by_time(self) -> Rows:
        """The rows in order of time; rows of one time stay in arrival order."""
        if len(self) < 2 or not np.any(self.time_ns[1:] < self.time_ns[:-1]):
            return self
        order = np.argsort(self.time_ns, kind="stable")
        return self._with(self.table.take(order), self.time_ns[order])

    def _with(self, table: pa.Table, time_ns: Times) -> Rows:
        return replace(self, table=table, time_ns=time_ns)

    def times(self) -> pd.DatetimeIndex:
        """The times of the rows as a UTC index of nanoseconds."""
        return stamps(self.time_ns)

    @property
    def span_s(self) -> float:
        """Seconds from begin to end."""
        return 0.0 if self.start_ns is None or self.end_ns is None else max(0, self.end_ns - self.start_ns) / 1e9

    @property
    def missing_s(self) -> float:
        """Seconds of the span that lie in gaps."""
        if self.start_ns is None or self.end_ns is None:
            return 0.0
        return float(self.holes.missing(np.array([self.start_ns]), np.array([self.end_ns]))[0]) / 1e9

    @property
    def coverage(self) -> float | None:
        """Share (0-1) of the span outside gaps; None where there is no span."""
        return 1 - self.missing_s / self.span_s if self.span_s > 0 else None

    @property
    def until_ns(self) -> int:
        """The end of what was seen of the span: the begin of a gap that lasts to its end; 0 without a span."""
        if self.start_ns is None or self.end_ns is None:
            return 0
        last = np.searchsorted(self.holes.starts, self.end_ns, side="left") - 1
        if last >= 0 and self.holes.ends[last] >= self.end_ns:
            return max(self.start_ns, int(self.holes.starts[last]))
        return self.end_ns

    @property
    def spacing_ns(self) -> int:
        """The mean distance of rows where they were seen, ns; 0 for fewer than 2."""
        return _spacing(self.sight, self.inner)

    def over(self, start: int | None, end: int | None, like: Rows) -> Rows:
        """The same rows as part of the range [start, end), its sides asked for where those of ``like`` are."""
        sight = replace(
            self.sight, before=self.sight.before or not like.asked[0], after=self.sight.after or not like.asked[1]
        )
        part = replace(self, start_ns=start, end_ns=end, sight=sight, asked=like.asked)
        return replace(part, holes=part.holes_at(part.spacing_ns))

    def holes_at(self, reach_ns: int) -> Holes:
        """The times that were not seen, if each row stands for so much time on either side."""
        return Holes.merged([*self.inner, *edges(self.sight, self.start_ns, self.end_ns, reach_ns)])

    def stretches(self) -> npt.NDArray[np.int64]:
        """Number of the unbroken stretch that each row lies in; sort by time before. Grows where a gap lies between."""
        return self.holes.stretches(self.time_ns)

    def shown_holes(self) -> tuple[tuple[int, int], ...]:
        """The gaps inside the span, for a chart."""
        if self.start_ns is None or self.end_ns is None:
            return ()
        return self.holes.clipped(self.start_ns, self.end_ns)


def rows(
    data: Data,
    *columns: str,
    either: Sequence[str] = (),
    optional: Sequence[str] = (),
    time: bool = True,
    start: Moment | None = None,
    end: Moment | None = None,
    gaps: Gaps = None,
    topic: str | None = None,
    reduce: Reduce | None = None,
) -> Rows:
    """The columns of ``data`` that an analysis needs, whatever ``data`` is.

    Gaps are those of ``gaps=``; else those that a topic's feed knows; else, where a row says ``gap_before``, the time
    between the row before and it (the real begin and end are then unknown, and lie inside), also where the row before
    lies outside the range. A gap counts whatever its certainty, but for ``none``; a gap of the topic ``*`` counts for
    all.

    What was asked for (``start``, ``end``) before the first row of the data, or after the last one, was not seen
    either, and counts as a gap; but a row stands for one mean distance of rows before and after it. Where the data go
    on beyond the range, the stream was watched: its silence is one, and counts as seen.

    Args:
        columns: columns that must be there.
        either: columns of which at least one must be there; all that are there are taken along.
        optional: columns that are taken along where they are there.
        time: whether rows need a time (``timestamp``, as a column or the index, or else ``recv_ns``).
        start: first time, included. Naive means UTC.
        end: end of the range, left out.
        gaps: gaps that the data do not bring along.
        topic: whose gaps they are; the topic's own name where data is one, else every gap counts.
        reduce: a table of fewer rows that tells the same, applied to each partition of a Dask frame and to nothing
            else; it must keep the time columns where time is needed.

    Raises:
        BadOption: a column is missing, or cannot be read, or start is not before end.
        BadOptionType: ``data`` is of no type that can be read.

    >>> import pandas as pd
    >>> times = pd.date_range("2026-01-01", periods=2, freq="1s", name="timestamp")
    >>> got = rows(pd.DataFrame({"tps": [1.0, 2.0]}, index=times), "tps")
    >>> len(got), got.span_s, got.numbers("tps").tolist()
    (2, 1.0, [1.0, 2.0])
    """
    time_of = getattr(getattr(data, "feed", None), "time_of", parse_time) if is_topic(data) else parse_time
    begin = None if start is None else time_of(start, option="start")
    stop = None if end is None else time_of(end, option="end")
    if begin is not None and stop is not None and begin >= stop:
        raise BadOption(f"start={start!r} is not before end={end!r}")
    extras = [*optional, *(("gap_before",) if time and gaps is None else ())]
    mine = data if is_topic(data) else None
    name = topic or ("data" if mine is None else str(mine.name))
    told = holes_of(mine, gaps, topic or (None if mine is None else name))
    view = View(begin, stop, told or Holes.none())
    table, times, untimed, sight = tables_of(data, columns, extras, either=either, time=time, view=view, reduce=reduce)
    inner = Holes.merged(sight.breaks) if told is None else told
    asked = (begin is not None, stop is not None)
    if time:
        begin = sight.first_ns if begin is None else begin
        stop = sight.last_ns if stop is None else stop
    sight = replace(sight, before=sight.before or not asked[0], after=sight.after or not asked[1])
    missed = edges(sight, begin, stop, _spacing(sight, inner)) if time else []
    holes = Holes.merged([*inner, *missed]) if missed else inner
    wanted = [c for c in (*columns, *either, *optional) if c in table.column_names]
    kept = table.select(list(dict.fromkeys(wanted)))
    return Rows(kept, times, holes, begin, stop, untimed, name, inner, sight, asked)


def _spacing(sight: Sight, inner: Holes) -> int:
    if sight.count < 2 or sight.first_ns is None or sight.last_ns is None:
        return 0
    ends = np.array([sight.first_ns]), np.array([sight.last_ns])
    seen = sight.last_ns - sight.first_ns - int(inner.missing(*ends)[0])
    return round(seen / (sight.count - 1))


def check_gaps(got: Rows, on_gap: OnGap) -> None:
    """Do what ``on_gap`` asks before anything is computed: check the word and, with ``raise``, the data.

    Raises:
        BadOption: ``on_gap`` is none of nan, raise and ignore.
        Incomplete: ``on_gap`` is ``raise`` and a gap lies in the span.
    """
    if on_gap not in ON_GAP:
        raise BadOption(f'on_gap={on_gap!r}: expected "nan", "raise" or "ignore"')
    found = got.shown_holes() if on_gap == "raise" else ()
    if found:
        raise Incomplete(
            f"{got.source} has {len(found)} gap{'' if len(found) == 1 else 's'}, {got.missing_s:,.3f} of "
            f'{got.span_s:,.3f} s{_beyond(got)}, and on_gap="raise" wants none. Choose a range without (start=, end=), '
            "or take "
            'on_gap="nan" for what was seen, with its coverage.'
        )


def _beyond(got: Rows) -> str:
    if not edges(got.sight, got.start_ns, got.end_ns, got.spacing_ns):
        return ""
    return " (what lies before the first row, or after the last one, was not seen)"


def without_gaps(got: Rows, on_gap: OnGap) -> Rows:
    """``got`` as :func:`check_gaps` lets it pass; with ``ignore``, the gaps are forgotten and all counts as seen."""
    check_gaps(got, on_gap)
    if on_gap != "ignore":
        return got
    return replace(got, holes=Holes.none(), inner=Holes.none(), sight=replace(got.sight, before=True, after=True))


def stamps(ns: Times | Iterable[int]) -> pd.DatetimeIndex:
    """Nanoseconds since 1970 UTC as a UTC index; the smallest int64 is NaT.

    >>> stamps([1_767_225_600_000_000_000])[0]
    Timestamp('2026-01-01 00:00:00+0000', tz='UTC')
    """
    values = np.asarray(ns if isinstance(ns, np.ndarray) else list(ns), dtype=np.int64)
    return pd.DatetimeIndex(values.view("datetime64[ns]")).tz_localize("UTC")


def _python(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
