"""From values of the feed to what a front end may be given: bounded plain text, finite numbers, whole integers.

Everything here is data for ``textContent``; nothing is escaped, because nothing is ever read as markup.
"""

from __future__ import annotations

import math
from typing import Any

from aurigraph_nb.state.events import shown

MAX_TEXT = 256
"""Longest text of a cell or a message, in characters; the rest becomes an ellipsis."""
SAFE_INTEGER = 2**53
"""First magnitude that a number in a browser may not hold exactly."""

Cell = str | int | float | None

_STEPS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


def text(value: object, limit: int = MAX_TEXT) -> str:
    """``value`` as valid Unicode of at most ``limit`` characters.

    >>> text("x" * 300, limit=5)
    'xxxx…'
    """
    word = value if isinstance(value, str) else str(value)
    if len(word) > limit:
        word = word[: limit - 1] + "…"
    return word.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate would break the message


def number(value: float, scale: float = 1.0, digits: int | None = None) -> Cell:
    """A number that JSON and a browser hold: None if not finite, exact text for an integer too large for a float.

    >>> number(2**60), number(float("nan")), number(0.12345, 100, 1)
    ('1152921504606846976', None, 12.3)
    """
    if isinstance(value, int) and scale == 1.0:
        return value if -SAFE_INTEGER < value < SAFE_INTEGER else str(value)
    scaled = value * scale
    if not math.isfinite(scaled):
        return None
    return scaled if digits is None else round(scaled, digits)


def milliseconds(ns: int | None) -> float | None:
    """Nanoseconds since 1970 as the milliseconds that JavaScript counts in."""
    return None if ns is None else round(ns / 1e6, 3)


def short(value: float | None) -> str:
    """A number in at most five characters or so.

    >>> short(8_512_345.2), short(950), short(1_500), short(None)
    ('8.51M', '950', '1.50k', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    size = abs(value)
    for step, letter in _STEPS:
        if size >= step * 0.9995:  # 999.96k would print as 1000k
            return f"{_three(value / step)}{letter}"
    return f"{value:.0f}" if size >= 100 or value == int(value) else f"{value:.3g}"


def _three(value: float) -> str:
    """Three significant digits, without an exponent."""
    size = abs(value)
    return f"{value:.0f}" if size >= 99.95 else f"{value:.1f}" if size >= 9.995 else f"{value:.2f}"


def event_words(event: Any) -> str:
    """The message of an event for people's eyes: a value that there was not is a dash.

    ``event``: an :class:`~aurigraph_nb.state.Event`, whose messages tell the two values at their end.
    """
    message = str(event.message)
    told = f"{shown(event.old)} → {shown(event.new)}"
    if (event.old is None) == (event.new is None) or not message.endswith(told):
        return message
    old, new = ("—" if value is None else shown(value) for value in (event.old, event.new))
    return f"{message.removesuffix(told)}{old} → {new}"


def full(value: float | None, unit: str = "") -> str:
    """A number with all its digits and groups of three, and its unit."""
    if value is None or not math.isfinite(value):
        return "not known"
    digits = f"{value:,}" if isinstance(value, int) else f"{value:,.6f}".rstrip("0").rstrip(".")
    return f"{digits} {unit}".rstrip()


def percent(value: float | None, digits: int = 1) -> str:
    """A value on the 0-100 scale with its sign.

    >>> percent(41.26), percent(None)
    ('41.3%', '–')
    """
    return "–" if value is None or not math.isfinite(value) else f"{value:.{digits}f}%"
