"""One rule for durations and one for times, for every option that takes either.

A duration is a number of seconds, or a text or timedelta as pandas reads it ("5min", "1h30m", a ``timedelta``). A text
that is only a number is seconds too: "10" on a command line means what 10 means in a cell.

A time is a text, ``datetime`` or ``Timestamp`` as pandas reads it, naive meaning UTC; or an integer as records carry
it, nanoseconds since 1970 UTC.
"""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from .errors import BadOption, BadOptionType

Duration: TypeAlias = float | str | timedelta | np.timedelta64
"""What an option that takes a duration accepts."""
Moment: TypeAlias = int | str | date | datetime | np.datetime64
"""What an option that takes a time accepts."""

_NS = 1_000_000_000
_LIMIT_NS = 2**63 - 1
_CLOCK_WORDS = frozenset({"now", "today"})
_DURATION = "expected a number of seconds, a text such as '5min' or '1h30m', or a timedelta"
_TIME = "expected a text such as '2026-01-01 12:00', a datetime, or an int of nanoseconds since 1970 UTC"


def seconds(value: Duration, *, option: str = "duration") -> float:
    """Return a duration in seconds.

    >>> seconds("5min"), seconds(0.25), seconds("10")
    (300.0, 0.25, 10.0)

    :param option: the option's name, for the error
    :raises BadOption: if it is negative, not finite, longer than 292 years, or no duration
    :raises BadOptionType: if it is of a type that is no duration
    """
    return nanoseconds(value, option=option) / _NS


def nanoseconds(value: Duration, *, option: str = "duration") -> int:
    """Return a duration in whole nanoseconds. Raises as :func:`seconds` does."""
    number = _number(value)
    ns = _timedelta_ns(value, option) if number is None else _number_ns(number, value, option)
    if ns < 0:
        raise BadOption(f"{option}={value!r} is negative; a duration is at least 0.")
    return ns


def parse_time(value: Moment, *, option: str = "time") -> int:
    """Return a time as nanoseconds since 1970 UTC; a time without a zone is UTC.

    >>> parse_time("2026-01-01"), parse_time("2026-01-01T02:00+02:00")
    (1767225600000000000, 1767225600000000000)

    :param option: the option's name, for the error
    :raises BadOption: if it is no time, or lies outside the years 1678 to 2261
    :raises BadOptionType: if it is of a type that is no time; a float is none, since its unit would be a guess
    """
    if isinstance(number := _number(value), int) and not isinstance(value, str):
        return _bounded(number, value, option)
    stamp = _timestamp(value, option)
    stamp = stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
    try:
        return int(stamp.as_unit("ns").value)
    except ValueError as error:
        raise BadOption(f"{option}={value!r} lies outside the years 1678 to 2261.") from error


def _number(value: Any) -> int | float | None:
    """The number that a value is, or that its text spells; None if it is neither."""
    if isinstance(value, bool | np.timedelta64):  # numpy counts its timedelta among the integers
        return None
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return None


def _number_ns(number: float, value: Any, option: str) -> int:
    if isinstance(number, float) and not math.isfinite(number):  # "nan" and "inf" spell numbers as well
        raise BadOption(f"{option}={value!r} is not finite; {_DURATION}.")
    # Cut before multiplying: 1e300 s would be an infinity of nanoseconds.
    return _bounded(round(min(max(number, -_LIMIT_NS), _LIMIT_NS) * _NS), value, option)


def _bounded(ns: int, value: Any, option: str) -> int:
    if abs(ns) > _LIMIT_NS:
        raise BadOption(f"{option}={value!r} does not fit into 64 bits of nanoseconds (292 years).")
    return ns


def _timedelta_ns(value: Any, option: str) -> int:
    if not isinstance(value, str | timedelta | np.timedelta64 | pd.offsets.Tick):
        raise BadOptionType(f"{option}={value!r} is no duration; {_DURATION}.")
    try:
        delta = pd.Timedelta(value)
        if pd.isna(delta):
            raise BadOption(f"{option}={value!r} is empty; {_DURATION}.")
        return int(delta.as_unit("ns").value)
    except (pd.errors.OutOfBoundsTimedelta, OverflowError) as error:
        raise BadOption(f"{option}={value!r} does not fit into 64 bits of nanoseconds (292 years).") from error
    except BadOption:
        raise
    except ValueError as error:
        raise BadOption(f"{option}={value!r} is no duration ({error}); {_DURATION}.") from error


def _timestamp(value: Any, option: str) -> pd.Timestamp:
    if not isinstance(value, str | date | np.datetime64):
        raise BadOptionType(f"{option}={value!r} is no time; {_TIME}.")
    if isinstance(value, str) and value.strip().lower() in _CLOCK_WORDS:
        # pandas reads these as local time, and a virtual clock has its own now.
        raise BadOption(f"{option}={value!r} depends on the clock; {_TIME}, say pandas.Timestamp.now('UTC').")
    try:
        stamp = pd.Timestamp(value)
    except (ValueError, OverflowError) as error:
        raise BadOption(f"{option}={value!r} is no time ({error}); {_TIME}.") from error
    if pd.isna(stamp):
        raise BadOption(f"{option}={value!r} is empty; {_TIME}.")
    return stamp
