"""One rule for durations and one for times, for every option that takes either.

A duration is a number of seconds, or a text or timedelta as pandas reads it ("5min", "1h30m", a ``timedelta``). A text
that is only a number is seconds too: "10" on a command line means what 10 means in a cell.

A time is a text, ``datetime`` or ``Timestamp`` as pandas reads it, naive meaning UTC; or an integer as records carry
it, nanoseconds since 1970 UTC. A time of day without a day is none: which day that would be hangs on the clock.

In a recording, whose begin and end are known, a time can be told from there, too: a duration ("30s", "1min 5s", a
``timedelta``) or a time of day ("00:00:30") counts from the start, a negative one ("-30s") back from the end.
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime, timedelta
from numbers import Real
from typing import Any, TypeAlias, cast

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
_CLOCK_TIME = re.compile(r"([+-]?)(\d{1,4}):([0-5]?\d)(?::([0-5]?\d(?:\.\d{1,9})?))?", re.ASCII)
_DAYLESS = re.compile(r"T?\d{1,4}:\d{1,2}(:[\d.]*)?\s*([ap]\.?m\.?)?\s*(Z|UTC|[+-]\d\d(:?\d\d)?)?", re.ASCII | re.I)
_ROUNDING_NS = 1_000
"""What a float of seconds may be beyond the end, having been rounded."""
_DURATION_TEXT = "expected seconds, or a text such as '5min' or '1h30m'"
_TIME_TEXT = "expected one such as '2026-01-01 12:00', which is UTC unless it names a zone"
_DURATION = "expected a number of seconds, a text such as '5min' or '1h30m', or a timedelta"
_TIME = "expected a text such as '2026-01-01 12:00', a datetime, or an int of nanoseconds since 1970 UTC"
_PLACE = "negative ones count back from its end"


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
        _refuse_duration(value, option)  # of "30s" pandas makes the year 30
        raise BadOption(f"{option}={value!r} lies outside the years 1678 to 2261.") from error


def time_within(
    value: Any, first_ns: int, last_ns: int, *, option: str = "time", numbers: bool = False, inside: bool = True
) -> int:
    """Return a time in something that begins and ends, as nanoseconds since 1970 UTC.

    >>> first_ns = parse_time("2026-01-01 12:00")
    >>> [time_within(t, first_ns, first_ns + 60 * _NS) - first_ns for t in ("00:00:30", "30s", "2026-01-01 12:00:30")]
    [30000000000, 30000000000, 30000000000]

    :param value: a time; a duration or a time of day: since the start, or with a minus back from the end
    :param first_ns: the start
    :param last_ns: the end, which can be asked for, too
    :param option: the option's name, for the error
    :param numbers: take a number for seconds, since the start or back from the end
    :param inside: refuse a time outside; what is told from start or end has to lie inside in any case
    :raises BadOption: if it is no time, or lies outside
    :raises BadOptionType: if it is of a type that is no time
    """
    after_ns = offset_ns(value, option=option, numbers=numbers)
    if after_ns is None:
        at_ns = parse_time(value, option=option)
        if inside and not first_ns <= at_ns <= last_ns:
            raise BadOption(f"{option}={value!r}: {_outside(at_ns, first_ns, last_ns)}")
        return at_ns
    at_ns = last_ns + after_ns if after_ns < 0 else first_ns + after_ns
    if not first_ns - _ROUNDING_NS <= at_ns <= last_ns + _ROUNDING_NS:
        words = f"{_length(abs(after_ns))} {'before its end' if after_ns < 0 else 'after its start'}"
        raise BadOption(f"{option}={value!r}: {_outside(words, first_ns, last_ns)}")
    return min(max(at_ns, first_ns), last_ns)


def offset_ns(value: Any, *, option: str = "time", numbers: bool = False) -> int | None:
    """What a value tells from a start (or, negative, from an end), ns; None if it is a time, or nothing of the kind.

    >>> offset_ns("1min 5s"), offset_ns("-00:00:05"), offset_ns("2026-01-01"), offset_ns(30, numbers=True)
    (65000000000, -5000000000, None, 30000000000)

    :raises BadOption: for a duration that is empty, not finite, or longer than 292 years
    """
    if isinstance(value, timedelta | np.timedelta64 | pd.offsets.Tick):
        return _timedelta_ns(value, option)
    if isinstance(value, str):
        return _text_offset_ns(value, option)
    if not numbers or isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = _number(value)
        return _number_ns(float(cast("float", value)) if number is None else number, value, option)
    except OverflowError as error:
        raise BadOption(f"{option}={value!r} does not fit into 64 bits of nanoseconds (292 years).") from error


def _text_offset_ns(value: str, option: str) -> int | None:
    if found := _CLOCK_TIME.fullmatch(value.strip()):
        sign, hours, minutes, rest = found.groups()
        ns = (int(hours) * 3600 + int(minutes) * 60) * _NS + round(float(rest or 0) * _NS)
        return -ns if sign == "-" else ns
    number = _number(value)
    if number is not None:
        try:
            parse_time(value, option=option)  # such as a year
        except BadOption:
            return _number_ns(number, value, option)
        return None
    try:
        return None if pd.isna(pd.Timedelta(value)) else _timedelta_ns(value, option)
    except (pd.errors.OutOfBoundsTimedelta, ValueError, OverflowError):
        return None


def _outside(place: int | str, first_ns: int, last_ns: int) -> str:
    if isinstance(place, int):
        place = shown_time(place)
    return (
        f"{place} lies outside the recording, which goes from {shown_time(first_ns)} to {shown_time(last_ns)} "
        f"({_length(last_ns - first_ns)}). Expected a time in between, or one since its start such as '30s' or "
        f"'00:01:30'; {_PLACE}."
    )


def shown_time(ns: int) -> str:
    """A time for a message.

    >>> shown_time(1_767_225_600_000_000_001), shown_time(1_767_225_600_250_000_000)
    ('2026-01-01 00:00:00 UTC', '2026-01-01 00:00:00.250 UTC')
    """
    ms = ns // 1_000_000
    if not -(2**63) < ms * 1_000_000 < 2**63:
        return f"{ns} ns"
    text = np.datetime_as_string(np.datetime64(ms, "ms")).replace("T", " ")
    return f"{text.removesuffix('.000')} UTC"


def _length(ns: int) -> str:
    return f"{ns / _NS:,.3f}".rstrip("0").rstrip(".") + " s"


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


def _expected(value: Any, of_text: str, of_any: str) -> str:
    """What was expected: who gave a text, maybe on a command line, is told of texts."""
    return of_text if isinstance(value, str) else of_any


def _number_ns(number: float, value: Any, option: str) -> int:
    if isinstance(number, float) and not math.isfinite(number):  # "nan" and "inf" spell numbers as well
        raise BadOption(f"{option}={value!r} is not finite; {_expected(value, _DURATION_TEXT, _DURATION)}.")
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
            raise BadOption(f"{option}={value!r} is empty; {_expected(value, _DURATION_TEXT, _DURATION)}.")
        return int(delta.as_unit("ns").value)
    except (pd.errors.OutOfBoundsTimedelta, OverflowError) as error:
        raise BadOption(f"{option}={value!r} does not fit into 64 bits of nanoseconds (292 years).") from error
    except BadOption:
        raise
    except ValueError as error:
        raise BadOption(f"{option}={value!r} is no duration; {_expected(value, _DURATION_TEXT, _DURATION)}.") from error


def _refuse_duration(value: Any, option: str) -> None:
    """Say what is wrong with a duration where a time was expected: in a recording it would be one.

    :raises BadOption: if it is a duration
    """
    if isinstance(value, str) and _number(value) is None and _text_offset_ns(value, option) is not None:
        raise BadOption(f"{option}={value!r} is a duration, and here is no start to count from; {_TIME_TEXT}.")


def _timestamp(value: Any, option: str) -> pd.Timestamp:
    if not isinstance(value, str | date | np.datetime64):
        raise BadOptionType(f"{option}={value!r} is no time; {_TIME}.")
    if isinstance(value, str) and value.strip().lower() in _CLOCK_WORDS:
        # pandas reads these as local time, and a virtual clock has its own now.
        raise BadOption(f"{option}={value!r} depends on the clock; {_TIME_TEXT}, say pandas.Timestamp.now('UTC').")
    if isinstance(value, str) and _DAYLESS.fullmatch(value.strip()):
        # pandas takes today for the day.
        raise BadOption(f"{option}={value!r} names no day; {_TIME_TEXT}.")
    try:
        stamp = pd.Timestamp(value)
    except (ValueError, OverflowError) as error:
        _refuse_duration(value, option)
        raise BadOption(f"{option}={value!r} is no time; {_expected(value, _TIME_TEXT, _TIME)}.") from error
    if pd.isna(stamp):
        raise BadOption(f"{option}={value!r} is empty; {_expected(value, _TIME_TEXT, _TIME)}.")
    return stamp
