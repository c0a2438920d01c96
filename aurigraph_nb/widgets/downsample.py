"""Which points of a long line have to be drawn so that it looks the same: its outline.

Pure: numpy arrays in, positions out. Nothing is averaged: every point that is kept is a point of the line, so the
lowest and the highest value are exact, whatever the number of points.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.int64]


def outline(values: Floats, points: int) -> Positions:
    """Positions, ascending, of at most ``points`` columns of ``values`` that keep the outline of every line.

    ``values`` has the shape (lines, columns). The columns are cut into stretches of equal length; of each stretch stay
    the lowest and the highest value of every line and a break (a column without any value), besides both ends. With
    fewer than ``3 * lines + 2`` points there is one stretch, and that many columns stay.

    >>> outline(np.array([[0.0, 5.0, 1.0, 1.0, 1.0, -3.0, 1.0, 0.0]]), 6).tolist()
    [0, 1, 4, 5, 7]
    """
    lines, count = values.shape
    if count <= points:
        return np.arange(count, dtype=np.int64)
    breaks = np.flatnonzero(np.isnan(values).all(axis=0))
    if len(breaks) <= points // 4:
        edges = _edges(count, (points - 2 - len(breaks)) // (2 * lines))
    else:
        edges = _edges(count, (points - 2) // (2 * lines + 1))
        stretches = np.searchsorted(edges, breaks, side="right")
        breaks = breaks[np.unique(stretches, return_index=True)[1]]
    picked = [np.array([0, count - 1]), breaks, *(_extremes(line, edges) for line in values)]
    return np.unique(np.concatenate(picked)).astype(np.int64)


def _edges(count: int, stretches: int) -> Positions:
    """Where the stretches begin."""
    return np.linspace(0, count, max(1, stretches) + 1).astype(np.int64)[:-1]


def _extremes(line: Floats, edges: Positions) -> Positions:
    """Where each stretch of ``line`` has its lowest and its highest value."""
    low, high = np.where(np.isnan(line), np.inf, line), np.where(np.isnan(line), -np.inf, line)
    stops = np.append(edges[1:], len(line))
    pairs = zip(edges, stops, strict=True)
    found = [(a + int(np.argmin(low[a:b])), a + int(np.argmax(high[a:b]))) for a, b in pairs if b > a]
    return np.array(found, dtype=np.int64).ravel()
