"""Which rows of a store a chart is about: the newest span of time, the newest rows, or a range that was asked for.

Stores hold up to a million rows and are read several times a second, so no more of them is read than has to be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from aurigraph_nb.columns import ColumnStore, Since

from .downsample import Floats
from .series import Series, first_since, from_table, needed_columns, newest, times_ms

FIRST_LOOK = 4096
"""Rows that are read first in search of the begin of a window; four times as many next."""


class Window:
    """What a chart shows while it follows the feed.

    Args:
        y: the columns, one line each.
        last_s: span of time in seconds, up to the newest row; None: a number of rows.
        points: number of rows, if there is no span.
        end_ms: where the span ends at the earliest, ms since 1970 UTC; None: at the newest row.
    """

    def __init__(
        self,
        y: Sequence[str],
        *,
        last_s: float | None,
        points: int,
        end_ms: Callable[[], float] | None = None,
    ) -> None:
        self._end_ms = end_ms
        self.y = tuple(y)
        self.last_s = last_s
        self.points = points
        self.columns = needed_columns(y)
        self._look = FIRST_LOOK

    def rows(self, store: ColumnStore[Any]) -> Since:
        """The rows of the window, with the columns that :func:`.series.from_table` needs."""
        if self.last_s is None:
            return store.since(max(store.count - self.points, store.first), self.columns)
        while True:
            first = max(store.count - self._look, store.first)
            found = store.since(first, self.columns)
            times = times_ms(found.table)
            if found.first <= store.first or not len(times) or times[0] < self._begin_ms(times):
                return found
            self._look *= 4

    def table(self, store: ColumnStore[Any]) -> pa.Table:
        """The rows of the window and no others."""
        table = self.rows(store).table
        if self.last_s is None or not table.num_rows:
            return table
        times = times_ms(table)
        return table.slice(first_since(times, self._begin_ms(times)))

    def read(self, store: ColumnStore[Any]) -> tuple[Series, int]:
        """The points of the window, all of them, and the number of the row after them."""
        found = self.rows(store)
        series = from_table(found.table, self.y)
        if self.last_s is not None and len(series):
            series = newest(series, since_ms=self._begin_ms(series.times_ms))
            self._look = max(FIRST_LOOK, len(series) + len(series) // 4)
        return series, found.next

    def _begin_ms(self, times_ms: Floats) -> float:
        """Where the span begins, if these are the times of its rows."""
        end_ms = -np.inf if self._end_ms is None else self._end_ms()
        return max(float(times_ms[-1]), end_ms) - (self.last_s or 0.0) * 1e3

    def share(self, series: Series, after_ms: float | None, points: int) -> int:
        """How many of ``points`` fall to ``series``, as it follows ``after_ms``, if all are spread over the window."""
        if not len(series):
            return 0
        if self.last_s is None:
            return int(np.ceil(points * len(series) / self.points))
        begin_ms = float(series.times_ms[0]) if after_ms is None else after_ms
        span_ms = max(0.0, float(series.times_ms[-1]) - begin_ms)
        return int(np.ceil(points * min(1.0, span_ms / (self.last_s * 1e3))))


def rows_between(
    store: ColumnStore[Any], columns: Sequence[str], start_ms: float, end_ms: float, *, neighbours: bool = False
) -> pa.Table:
    """The stored rows with times in [start, end], in order of arrival.

    With ``neighbours`` the row before them and the one after come along, so that lines reach the edges.
    """
    table = store.table(columns=columns)
    times = times_ms(table)
    mask = (times >= start_ms) & (times <= end_ms)
    if not neighbours:
        return table.filter(pa.array(mask))
    inside = np.flatnonzero(mask)
    if len(inside):
        first, stop = int(inside[0]) - 1, int(inside[-1]) + 2
    else:
        before = int(np.count_nonzero(times < start_ms))
        first, stop = before - 1, before + 1
    first = max(0, first)
    return table.slice(first, max(0, stop - first))
