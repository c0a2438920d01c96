"""Average and peak over a moving window, exact, at the cost of what comes and goes. Pure."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import numpy as np

from .downsample import Floats

PIECE = 4096
"""Values that are summed up together."""


class _Piece(NamedTuple):
    times_ms: Floats
    values: Floats
    total: float
    peak: float
    peak_ms: float


class Rolling:
    """The values of a window: the newest ``last_s`` seconds, or the newest ``points`` values. NaN is no value.

    >>> rolling = Rolling(last_s=10.0)
    >>> rolling.add(np.array([0.0, 9_000.0, 12_000.0]), np.array([8.0, 1.0, 3.0]))
    >>> rolling.mean, rolling.peak, rolling.peak_ms
    (2.0, 3.0, 12000.0)
    """

    def __init__(self, *, last_s: float | None = None, points: int | None = None) -> None:
        self._last_ms = None if last_s is None else last_s * 1e3
        self._points = points
        self.restart()

    def restart(self) -> None:
        """Forget all values."""
        self._pieces: deque[_Piece] = deque()
        self._count = 0

    def add(self, times_ms: Floats, values: Floats) -> None:
        """Newer values, in the order in which they came."""
        valid = ~np.isnan(values)
        times_ms, values = times_ms[valid], values[valid]
        for start in range(0, len(values), PIECE):
            self._pieces.append(_piece(times_ms[start : start + PIECE], values[start : start + PIECE]))
        self._count += len(values)
        if len(times_ms):
            self._trim(float(times_ms[-1]))

    @property
    def count(self) -> int:
        """Values in the window."""
        return self._count

    @property
    def mean(self) -> float | None:
        """Their average, each counting the same; None without any."""
        return math.fsum(piece.total for piece in self._pieces) / self._count if self._count else None

    @property
    def peak(self) -> float | None:
        """The highest; None without any."""
        return max((piece.peak for piece in self._pieces), default=None)

    @property
    def peak_ms(self) -> float | None:
        """When the highest came first, ms since 1970 UTC."""
        best = max(self._pieces, key=lambda piece: piece.peak, default=None)
        return None if best is None else best.peak_ms

    def _trim(self, newest_ms: float) -> None:
        while self._pieces:
            piece = self._pieces[0]
            gone = self._gone(piece, newest_ms)
            if gone == 0:
                return
            self._count -= gone
            if gone < len(piece.values):
                self._pieces[0] = _piece(piece.times_ms[gone:], piece.values[gone:])
                return
            self._pieces.popleft()

    def _gone(self, piece: _Piece, newest_ms: float) -> int:
        """How many values at the begin of the oldest piece are out of the window."""
        if self._last_ms is None:
            return min(len(piece.values), max(0, self._count - (self._points or self._count)))
        inside = np.flatnonzero(piece.times_ms >= newest_ms - self._last_ms)
        return int(inside[0]) if len(inside) else len(piece.values)


def _piece(times_ms: Floats, values: Floats) -> _Piece:
    highest = int(np.argmax(values))
    return _Piece(times_ms, values, math.fsum(values), float(values[highest]), float(times_ms[highest]))
