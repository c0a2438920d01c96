"""Small statistics that several questions share."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_FAR = 400
"""Powers of two up to which values are taken as they are: squares and sums of many of them still fit into a float."""


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


def tamed(values: npt.ArrayLike) -> tuple[Floats, float]:
    """Values over a factor, and the factor: a power of two, 1 but where squares or sums would leave what a float holds.

    To divide by a power of two changes no digit, so results are those of the values themselves. What is not finite
    stays as it is.

    >>> tamed([1.5, 3.0])[1], float(tamed([1.7e308, 1e308])[0].sum()) > 1
    (1.0, True)
    """
    plain = np.asarray(values, dtype=np.float64)
    sizes = np.abs(plain[np.isfinite(plain)])
    power = math.frexp(float(sizes.max(initial=0.0)))[1]
    if -_FAR < power < _FAR:
        return plain, 1.0
    factor = 2.0 ** min(power, 1023)
    return plain / factor, factor


def times(values: Any, factor: float) -> Any:
    """A number, or numbers, times a factor of :func:`tamed`; infinite where that is more than a float holds."""
    if factor == 1:
        return values
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return np.multiply(values, factor)


def mean(values: npt.ArrayLike) -> float:
    """The mean, also of values whose sum is more than a float holds; NaN for none."""
    small, factor = tamed(values)
    return float(times(small.mean(), factor)) if len(small) else math.nan


def as_float(value: float | Decimal | Fraction | None) -> float:
    """A number as a float: infinite where it is beyond what a float holds, NaN where there is none."""
    if value is None:
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


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
