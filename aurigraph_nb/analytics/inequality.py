"""The formulas of inequality, on shares that sum to 1; sources stand with the public functions that use them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from .inputs import Floats
from .powers import Holders

Measure = Callable[[Floats], float]


def coalition(found: Holders, limit: Fraction) -> int | None:
    """The smallest number of holders that together have more than ``limit`` of the whole; None without a whole."""
    wanted, sum_ = limit.numerator * found.total, 0
    for count, weight in enumerate(found.whole_weights, 1):
        sum_ += weight
        if sum_ * limit.denominator > wanted:
            return count
    return None


def gini_of(shares: Floats) -> float:
    """Gini coefficient of shares in any order."""
    ordered, n = np.sort(shares), len(shares)
    return max(0.0, float(np.sum((2 * np.arange(1, n + 1) - n - 1) * ordered) / n))


def herfindahl_of(shares: Floats) -> float:
    """Sum of squares of shares."""
    return float(np.sum(shares**2))


def entropy_of(shares: Floats) -> float:
    """Entropy of shares in bits."""
    held = shares[shares > 0]
    return max(0.0, float(-np.sum(held * np.log2(held))))


def theil_of(shares: Floats) -> float:
    """Theil's T of shares, in nats."""
    held = shares[shares > 0]
    return max(0.0, float(np.sum(held * np.log(held * len(shares)))))


MEASURES: dict[str, tuple[str, Measure]] = {
    "gini": ("", gini_of),
    "herfindahl": ("", herfindahl_of),
    "equal_members_herfindahl": ("members", lambda s: 1 / herfindahl_of(s)),
    "entropy": ("bits", entropy_of),
    "equal_members_entropy": ("members", lambda s: float(2 ** entropy_of(s))),
    "theil": ("nats", theil_of),
    "largest_share": ("", lambda s: float(np.max(s))),
}
"""What is computed of shares: name, unit, formula."""
