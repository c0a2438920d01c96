"""Small statistics that several questions share."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def wilson(hits: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """The score interval of a share; (nan, nan) where nothing was counted.

    E. B. Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22, 209-212.

    >>> low, high = wilson(1, 10)
    >>> round(low, 4), round(high, 4)
    (0.0179, 0.4042)
    """
    if not of:
        return math.nan, math.nan
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share, z2 = hits / of, z * z / of
    middle = (share + z2 / 2) / (1 + z2)
    half = z * math.sqrt(share * (1 - share) / of + z2 / (4 * of)) / (1 + z2)
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    return low, 1.0 if hits == of else min(1.0, middle + half)


def survival_median(lengths: Floats, seen_end: npt.NDArray[np.bool_]) -> float | None:
    """The time by which half have ended, where some were still going on when last seen; None where it is not reached.

    E. L. Kaplan and P. Meier (1958), Nonparametric estimation from incomplete observations, JASA 53, 457-481.

    >>> survival_median(np.array([1.0, 2.0, 3.0, 9.0]), np.array([True, False, True, True]))
    3.0
    """
    times, place = np.unique(lengths, return_inverse=True)
    if not len(times):
        return None
    ended = np.bincount(place, weights=seen_end, minlength=len(times))
    gone = np.cumsum(np.bincount(place, minlength=len(times)))
    at_risk = len(lengths) - np.append(0, gone[:-1])
    alive = np.cumprod(1 - ended / at_risk)
    half = np.flatnonzero(alive <= 0.5 + 1e-9)
    return float(times[half[0]]) if len(half) else None


def counted(n: int, what: str) -> str:
    """A number and the noun that it counts.

    >>> counted(1, "round"), counted(1200, "round")
    ('1 round', '1,200 rounds')
    """
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def middle(values: npt.ArrayLike) -> float | None:
    """The median of the numbers that are there; None where there are none."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    return float(np.median(known)) if len(known) else None
