"""Readers: one value off the wire, one value of a column.

A reader takes what JSON gave (never None) and returns the column's value, or raises :class:`Unreadable` if it has
the wrong type. Units are in the reader's name; a reader never looks at a value to guess its scale. The one exception
are times, whose four encodings are told apart by magnitude, as the systems' documents define.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import re
from collections.abc import Callable
from typing import Any

import msgspec

from ..schema import DECIMAL_LIMIT

Reader = Callable[[Any], Any]

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


class Unreadable(ValueError):
    """The value does not have a type or form that the column takes."""


_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\Z", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+\Z", re.ASCII)
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d{0,9}))?)?\s*(Z|z|[+-]\d\d(?::?\d\d)?)?\Z", re.ASCII
)


def number(value: Any) -> float:
    """A number, or text that is one."""
    if type(value) is float or type(value) is int:
        try:
            return float(value)
        except OverflowError:
            raise Unreadable from None
    if type(value) is str and len(value) <= 64 and _NUMBER.match(value):
        result = float(value)
        if result not in (float("inf"), float("-inf")):
            return result
    raise Unreadable


def integer(value: Any) -> int:
    """A whole number of 64 bits, or text that is one."""
    if (type(value) is str and len(value) <= 64 and _INTEGER.match(value)) or (
        type(value) is float and value.is_integer()
    ):
        value = int(value)
    if type(value) is int and INT64_MIN <= value <= INT64_MAX:
        return value
    raise Unreadable


def text(value: Any) -> str:
    """Text; a whole number is taken for the text of it."""
    if type(value) is str:
        return value
    return _digits(value)


def _digits(value: Any) -> str:
    if type(value) is not int or value.bit_length() > 1_000:
        raise Unreadable
    return str(value)


def word(value: Any) -> str:
    """A status word, in upper case."""
    if type(value) is str:
        return value.strip().upper()
    raise Unreadable


def transaction_status(value: Any) -> str:
    """A transaction's status; SUCCESS (portal shape) and CONFIRMED (server shape) are one."""
    status = word(value)
    return "CONFIRMED" if status == "SUCCESS" else status


def connected_word(value: Any) -> str:
    """CONNECTED or DISCONNECTED from a truth value."""
    if type(value) is bool:
        return "CONNECTED" if value else "DISCONNECTED"
    raise Unreadable


def percent(value: Any) -> float:
    """A percentage: ``5``, ``"5"`` or ``"5.0%"``."""
    return number(value.rstrip().removesuffix("%").rstrip() if type(value) is str else value)


def percent_as_fraction(value: Any) -> float:
    return percent(value) / 100.0


def fraction_as_percent(value: Any) -> float:
    return number(value) * 100.0


def big_integer(value: Any) -> int:
    """A whole number of at most 38 digits; as text, or as a JSON integer (which is exact at any size here)."""
    if type(value) is str and len(value) <= 128 and _INTEGER.match(value):
        value = int(value)
    if type(value) is int and -DECIMAL_LIMIT < value < DECIMAL_LIMIT:
        return value
    raise Unreadable


@functools.lru_cache(maxsize=4096)
def _minute_ns(date: str, minute: str) -> int:
    """Start of a minute, ns since 1970, as if in UTC. Frames share their minute, so this is nearly always cached."""
    start = dt.datetime.fromisoformat(f"{date}T{minute}:00+00:00")
    return (start - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(seconds=1) * 1_000_000_000


def iso_time(value: str) -> int:
    """ISO-8601 with 0-9 fraction digits and ``Z``, an offset or nothing (which means UTC), as ns since 1970 UTC."""
    match = _ISO.match(value) if len(value) <= 64 else None
    if match is None:
        raise Unreadable
    date, minute, second, fraction, zone = match.groups()
    try:
        ns = _minute_ns(date, minute)
    except ValueError:
        raise Unreadable from None
    whole = int(second or 0)
    if whole > 60:
        raise Unreadable
    ns += whole * 1_000_000_000 + int((fraction or "").ljust(9, "0"))
    if zone and zone not in "Zz":
        offset = int(zone[1:3]) * 3600 + int(zone[-2:] if len(zone) > 3 else 0) * 60
        ns += (-offset if zone[0] == "+" else offset) * 1_000_000_000
    return ns


@functools.lru_cache(maxsize=4096)
def _second_ns(start: str) -> int | None:
    """Start of a second, spelled out in 19 characters; None if it is none, or too near to the ends of time."""
    if start[16:17] != ":":
        return None
    try:
        ns = iso_time(f"{start}Z")
    except Unreadable:
        return None
    return ns if INT64_MIN < ns <= INT64_MAX - 1_000_000_000 else None


_SCALES: tuple[int, ...] = tuple(10 ** (9 - digits) for digits in range(10))


def time(value: Any) -> int:
    """A time as ns since 1970 UTC: ISO text, or a number above 1e14 in µs, above 1e11 in ms, else in s."""
    if type(value) is str:
        # What nearly all frames have, the short way: 2026-01-01T00:00:00.123456Z. Neighbours share their second.
        if value[-1:] == "Z" and value[19:20] == ".":
            fraction = value[20:-1]
            if len(fraction) <= 9 and fraction.isdigit() and fraction.isascii():
                second_ns = _second_ns(value[:19])
                if second_ns is not None:
                    return second_ns + int(fraction) * _SCALES[len(fraction)]
        if not _NUMBER.match(value):
            return _checked_ns(iso_time(value))
        value = int(value) if _INTEGER.match(value) and len(value) <= 64 else number(value)
    if type(value) is int:
        scale = 1_000 if value > 10**14 else 1_000_000 if value > 10**11 else 1_000_000_000
        return _checked_ns(value * scale)
    if type(value) is float:
        # A float of seconds resolves to 0.2 µs today: rounding to µs keeps all that it really says.
        micros = value if value > 1e14 else value * 1e3 if value > 1e11 else value * 1e6
        if abs(micros) < 1e16:
            return _checked_ns(round(micros) * 1_000)
    raise Unreadable


def _checked_ns(ns: int) -> int:
    if INT64_MIN < ns <= INT64_MAX:
        return ns
    raise Unreadable


class RawNumber(str):
    """A JSON number in the very digits of the frame."""

    __slots__ = ()


def exact_text(value: Any) -> str:
    """An amount's text exactly as sent. (A float has lost its digits: the caller reads the frame again.)"""
    return str(value) if isinstance(value, str) else _digits(value)


def json_text(value: Any) -> str:
    """JSON text of anything that came out of JSON, integers of any size included."""
    try:
        return msgspec.json.encode(value).decode()
    except (OverflowError, ValueError, TypeError, RecursionError):
        pass  # an integer beyond 64 bits, or a RawNumber: the standard library writes those
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, TypeError, RecursionError):
        return '"(a number of too many digits)"'
