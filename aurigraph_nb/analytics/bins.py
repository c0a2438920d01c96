"""Time cut into equal bins [start, end): which rows lie in which, and how much of each bin was seen.

Bins begin at whole multiples of their width since 1970 UTC, so those of two streams, or of two days, are the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from aurigraph_nb.durations import Duration, nanoseconds
from aurigraph_nb.errors import BadOption

from .inputs import Floats, Rows, Times, stamps

MOST_BINS = 5_000_000
"""Bins that one call may make; a wrong time in the data must not fill the memory."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Equal bins over the span of some rows."""

    first_ns: int
    every_ns: int
    count: int

    @property
    def starts_ns(self) -> Times:
        """Begin of each bin, ns since 1970 UTC."""
        return self.first_ns + self.every_ns * np.arange(self.count, dtype=np.int64)

    def starts(self) -> pd.DatetimeIndex:
        """Begin of each bin, UTC."""
        return stamps(self.starts_ns)

    def index(self, times: Times) -> Times:
        """Number of the bin of each time."""
        return np.asarray((times - self.first_ns) // self.every_ns, dtype=np.int64)

    def coverage(self, got: Rows) -> Floats:
        """Share (0-1) of each bin that was seen: inside the span of the rows, and in no gap.

        A row stands for some time around it, so what was seen reaches one mean distance of rows beyond the first and
        the last row; one row alone stands for its whole bin. A range that was asked for ends where it says; what it has
        before the first row of the data, or after the last one, was not seen.
        """
        if not self.count or got.start_ns is None or got.end_ns is None:
            return np.zeros(self.count)
        reach = got.spacing_ns or self.every_ns
        holes = got.holes if got.spacing_ns else got.holes_at(reach)
        starts = np.maximum(self.starts_ns, got.start_ns - (0 if got.asked[0] else reach))
        ends = np.minimum(self.starts_ns + self.every_ns, got.end_ns + (0 if got.asked[1] else reach))
        seen = np.maximum(ends - starts, 0) - holes.missing(starts, np.maximum(starts, ends))
        return np.asarray(np.clip(seen / self.every_ns, 0.0, 1.0))


def width(every: Duration, option: str = "every") -> int:
    """The width of bins in ns.

    Raises:
        BadOption: it is no duration above 0.
    """
    every_ns = nanoseconds(every, option=option)
    if every_ns < 1:
        raise BadOption(f"{option}={every!r}: a bin is longer than 0")
    return every_ns


def grid(got: Rows, every: Duration, option: str = "every") -> Grid:
    """Bins over the span of ``got``, from the one with its begin to the one with its last instant.

    Raises:
        BadOption: ``every`` is no duration above 0, or there would be more than 5,000,000 bins.
    """
    every_ns = width(every, option)
    if got.start_ns is None or got.end_ns is None:
        return Grid(0, every_ns, 0)
    newest = int(got.time_ns.max()) if len(got) else got.start_ns
    last = got.end_ns - 1 if got.end_ns > newest else got.end_ns
    first = got.start_ns // every_ns
    count = last // every_ns - first + 1
    if count > MOST_BINS:
        raise BadOption(
            f"{option}={every!r}: {count:,} bins from {stamps([got.start_ns])[0]} to {stamps([got.end_ns])[0]}, and "
            f"{MOST_BINS:,} are the most; take wider bins, or a range (start=, end=)"
        )
    return Grid(first * every_ns, every_ns, count)
