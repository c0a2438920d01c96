"""The numbers behind a chart: rows of a store as times and values, with breaks where something is missing.

Pure: Arrow tables in, numpy arrays out. Times are float64 milliseconds since 1970 UTC, as a browser counts them (exact
to a microsecond); a missing value is NaN, and so is a break.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .downsample import Floats, outline

LARGEST = 1e100
"""Size up to which a number is drawn: what is infinite, or so large that an axis could not hold it, is missing."""


class Series(msgspec.Struct, frozen=True):
    """Points of several lines over the same times."""

    times_ms: Floats
    """Shape (points,)."""
    values: Floats
    """Shape (lines, points)."""
    thinned: int = 0
    """Points that were left out by :func:`thin`."""

    def __len__(self) -> int:
        return len(self.times_ms)

    def pack(self) -> bytes:
        """All times, then all values of the first line, of the second, …: float64, little-endian."""
        return np.concatenate([self.times_ms, self.values.ravel()]).astype("<f8", copy=False).tobytes()


def needed_columns(y: Sequence[str]) -> list[str]:
    """Columns that :func:`from_table` reads for the lines ``y``."""
    return list(dict.fromkeys(["timestamp", "recv_ns", "gap_before", *y]))


def from_table(table: pa.Table, y: Sequence[str]) -> Series:
    """Rows as points: server time, or receive time where it is missing; one NaN point before a row after a gap."""
    times = times_ms(table)
    values = np.stack([_floats(table.column(name)) for name in y])
    breaks = np.flatnonzero(np.asarray(table.column("gap_before").to_numpy(zero_copy_only=False), dtype=bool))
    if len(breaks):
        times = np.insert(times, breaks, times[breaks])
        values = np.insert(values, breaks, np.nan, axis=1)
    return Series(times, values)


def newest(series: Series, points: int | None = None, since_ms: float | None = None) -> Series:
    """The last ``points`` points, or those from ``since_ms`` on."""
    first = 0 if since_ms is None else first_since(series.times_ms, since_ms)
    if points is not None:
        first = max(first, len(series) - points)
    return Series(series.times_ms[first:], series.values[:, first:], series.thinned)


def first_since(times_ms: Floats, since_ms: float) -> int:
    """Place of the first time from ``since_ms`` on; behind the last one if there is none."""
    found = np.flatnonzero(times_ms >= since_ms)
    return int(found[0]) if len(found) else len(times_ms)


def thin(series: Series, points: int) -> Series:
    """At most ``points`` points that keep the outline of every line (:func:`.downsample.outline`).

    A series that is short enough comes back as it is.
    """
    count = len(series)
    if count <= points:
        return series
    keep = outline(series.values, points)
    return Series(series.times_ms[keep], series.values[:, keep], series.thinned + count - len(keep))


def times_ms(table: pa.Table) -> Floats:
    """The time of each row, ms since 1970 UTC: server time, or receive time where it is missing."""
    received = table.column("recv_ns")
    times = pc.coalesce(table.column("timestamp").cast(pa.int64()), received)
    return np.asarray(times.to_numpy(), dtype=np.int64) / 1e6


def _floats(column: pa.ChunkedArray[Any]) -> Floats:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    values = np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(values) <= LARGEST, values, np.nan)
