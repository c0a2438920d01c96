"""When to try again: the series of delays, the documented presets, and what a session is told about its protocol."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from aurigraph_nb.errors import BadOption, BadOptionType

LONGEST_S = 86_400.0
"""No delay is longer than a day, whatever the series says."""


class Backoff(msgspec.Struct, frozen=True):
    """A series of delays between connection attempts: ``initial_s * multiplier ** attempt``, at most ``max_s``.

    Raises:
        BadOption: a value is out of range.
        BadOptionType: a value has the wrong type.

    >>> exact = Backoff(initial_s=1, multiplier=2, max_s=5, jitter=False)
    >>> [exact.delay(attempt, random.Random()) for attempt in range(4)]
    [1.0, 2.0, 4.0, 5.0]
    """

    initial_s: float
    """First delay, seconds, above 0."""
    multiplier: float = 2.0
    """Factor from one delay to the next, at least 1."""
    max_s: float | None = None
    """Longest delay, seconds; None for no limit but a day."""
    attempts: int | None = None
    """Attempts in a row before giving up; None to go on for ever, 0 to give up at the first loss."""
    jitter: bool = True
    """Spread each delay d evenly over 0.1 d to d, so that many clients do not come back at once."""

    def __post_init__(self) -> None:
        _number("initial_s", self.initial_s, low=0.0, above=True)
        _number("multiplier", self.multiplier, low=1.0)
        if self.max_s is not None:
            _number("max_s", self.max_s, low=0.0, above=True)
        if self.attempts is not None and (isinstance(self.attempts, bool) or not isinstance(self.attempts, int)):
            raise BadOptionType(f"attempts={self.attempts!r}: expected a whole number, or None for no limit")
        if self.attempts is not None and self.attempts < 0:
            raise BadOption(f"attempts={self.attempts!r}: expected 0 or more, or None for no limit")
        if not isinstance(self.jitter, bool):
            raise BadOptionType(f"jitter={self.jitter!r}: expected True or False")

    def full_delay(self, attempt: int) -> float:
        """Seconds before attempt ``attempt`` (from 0), without jitter.

        Raises:
            BadOption: ``attempt`` is negative.
        """
        if attempt < 0:
            raise BadOption(f"attempt={attempt!r}: attempts are counted from 0")
        longest = LONGEST_S if self.max_s is None else min(self.max_s, LONGEST_S)
        try:
            return min(self.initial_s * float(self.multiplier) ** attempt, float(longest))
        except OverflowError:
            return float(longest)

    def delay(self, attempt: int, rng: random.Random) -> float:
        """Seconds to wait before attempt ``attempt`` (from 0); jittered by ``rng`` if ``jitter`` is on.

        Raises:
            BadOption: ``attempt`` is negative.
        """
        full = self.full_delay(attempt)
        return min(max(rng.uniform(0.1 * full, full), 0.1 * full), full) if self.jitter else full

    def exhausted(self, attempts: int) -> bool:
        """True if no attempt may follow after ``attempts`` of them."""
        return self.attempts is not None and attempts >= self.attempts


def _number(name: str, value: Any, *, low: float, above: bool = False) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadOptionType(f"{name}={value!r}: expected a number")
    finite = abs(value) <= sys.float_info.max  # isfinite() fails on an int that is no float
    if not finite or value < low or (above and value == low):
        raise BadOption(f"{name}={value!r}: expected a finite number {'above' if above else 'of at least'} {low:g}")


PRESETS: Mapping[str, Backoff] = MappingProxyType(
    {
        "portal": Backoff(initial_s=1.0, multiplier=2.0, max_s=30.0),
        "live": Backoff(initial_s=3.0, multiplier=2.0, attempts=5),
        "channels": Backoff(initial_s=3.0, multiplier=2.0, max_s=30.0, attempts=10),
        "fakeai": Backoff(initial_s=1.0, multiplier=1.5, max_s=30.0),
    }
)
"""The documented series of each protocol."""

STOP_CODES: Mapping[str, frozenset[int]] = MappingProxyType({"fakeai": frozenset({1000})})
"""Close codes that end the stream for good, by protocol; none for those not named."""


class Policy(msgspec.Struct, frozen=True):
    """What a session has to know about its protocol and its URL."""

    name: str = "portal"
    """Protocol, as ``protocol=`` spells it."""
    backoff: Backoff = PRESETS["portal"]
    stop_codes: frozenset[int] = frozenset()
    """Close codes that end the stream cleanly, see :data:`STOP_CODES`; a finite run adds 1000."""
    token_sent: bool = False
    """True if a token, or a header that may carry credentials, goes with the handshake."""
    health_s: float = 30.0
    """Seconds that a connection has to stand to count as good without data."""
    url: str = ""
    """For messages and as the base of redirects; secrets are already taken out of it."""
    max_size: int | None = None
    """Limit for one incoming message, bytes; None for none."""
