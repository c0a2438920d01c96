"""The options of a chart, checked, and what the front end is told of them once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa

from aurigraph_nb import durations
from aurigraph_nb.errors import BadOption, BadOptionType
from aurigraph_nb.schema import LOCAL_COLUMNS, Record, columns

from .base import checked_height
from .cells import text
from .labels import label_of, sentence, unit_of

MAX_POINTS = 1_000_000
"""Most rows that a chart may be asked to show."""
DEFAULT_POINTS = 3_000
WHOLE = 2**53 - 1
"""Rows of a chart that shows all there is, as that of a recording does: a number that a browser holds."""
BROWSER_POINTS = 4_000
"""Most points of a line that the browser ever holds: those of the window and those of a zoom."""
FINE_POINTS = 1_500
"""Most points of a zoom."""
WINDOW_POINTS = 2_000
"""Most points of a window in a snapshot; what comes after that may fill the rest."""
MAX_LINES = 8


class Rule(msgspec.Struct, frozen=True):
    """A horizontal line over the first axis."""

    kind: str
    """``threshold`` or ``target``."""
    value: float


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a chart shows, and how."""

    y: tuple[str, ...]
    y2: tuple[str, ...] = ()
    last_s: float | None = None
    points: int = DEFAULT_POINTS
    log: bool = False
    y_range: tuple[float, float] | None = None
    rules: tuple[Rule, ...] = ()
    height: int = 280
    title: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """All lines: those of the second axis are the last."""
        return self.y + self.y2

    @property
    def snapshot_points(self) -> int:
        """Points of a snapshot."""
        return min(self.points, WINDOW_POINTS)

    @property
    def held_points(self) -> int:
        """Points of the window that the browser may hold before a snapshot thins them."""
        return min(2 * self.snapshot_points, BROWSER_POINTS - FINE_POINTS)

    def describe(self) -> dict[str, Any]:
        """What the front end is told."""
        units = list(dict.fromkeys(scale_of(name) for name in self.y))
        lines = [_line(name, units.index(scale_of(name))) for name in self.y]
        unit = _unit(self.y[0])
        return {
            "title": self.title,
            "lines": lines + [_line(name, 0) | {"right": True} for name in self.y2],
            "panels": len(units),
            "height": self.height,
            "show": self.points,
            "points": self.held_points,
            "window_ms": None if self.last_s is None else self.last_s * 1e3,
            "log": self.log,
            "y_range": self.y_range,
            "rules": [
                {"kind": rule.kind, "value": rule.value, "label": f"{rule.kind} {_words(rule.value)} {unit}".strip()}
                for rule in self.rules
            ],
        }


def numeric_columns(record: type[Record]) -> list[str]:
    """Columns of a record type that a chart can draw."""
    own = (c for c in columns(record) if c.name not in LOCAL_COLUMNS)
    return [c.name for c in own if pa.types.is_integer(c.arrow) or pa.types.is_floating(c.arrow)]


def scale_of(column: str) -> str:
    """What has to be the same for two lines to share an axis: the unit, or the column itself if it has none."""
    return _unit(column) or column


def checked_lines(
    record: type[Record], y: str | Sequence[str] | None, y2: str | Sequence[str] | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns of the first axis, or axes, and those of the second one.

    Raises:
        BadOption: an unknown column, one too many, or units that do not fit together.
    """
    known = numeric_columns(record)
    left = _names("y", record, known, known[:1] if y is None else y)
    if y2 is None:
        return left, ()
    right = _names("y2", record, known, y2)
    for option, names in (("y", left), ("y2", right)):
        if len({scale_of(name) for name in names}) > 1:
            raise BadOption(
                f"{option}={names!r}: with a second axis all columns of an axis need the same unit; "
                "leave y2 out to get a panel for each unit"
            )
    if shared := [name for name in right if name in left]:
        raise BadOption(f"y2={right!r}: {shared[0]!r} stands in y already")
    if len(left) + len(right) > MAX_LINES:
        raise BadOption(f"y and y2 name {len(left) + len(right)} columns; a chart draws up to {MAX_LINES}")
    return left, right


def checked_window(last: durations.Duration | None, points: int | None) -> float | None:
    """The span of time of a chart, in seconds, or None.

    Raises:
        BadOption: both, or a span that is not above 0 and finite.
        BadOptionType: ``last`` is no duration.
    """
    if last is None:
        return None
    if points is not None:
        raise BadOption(f"last={last!r} and points={points!r}: give one of them, a span of time or a number of rows")
    window = durations.seconds(last, option="last")
    if not window > 0 or math.isinf(window):
        raise BadOption(f"last={last!r}: expected a span of time above 0")
    return window


def checked_points(points: int | None) -> int:
    """The number of rows of a chart.

    Raises:
        BadOptionType: not a whole number.
        BadOption: not from 10 to :data:`MAX_POINTS`.
    """
    if points is None:
        return DEFAULT_POINTS
    if isinstance(points, bool) or not isinstance(points, int):
        raise BadOptionType(f"points={points!r}: expected a whole number from 10 to {MAX_POINTS}")
    if not 10 <= points <= MAX_POINTS:
        raise BadOption(f"points={points!r}: expected a whole number from 10 to {MAX_POINTS}")
    return points


def checked_rules(*, threshold: float | None, target: float | None, log: bool) -> tuple[Rule, ...]:
    """The horizontal lines.

    Raises:
        BadOptionType: one of them is no number.
        BadOption: not finite, or not above 0 on a log axis.
    """
    given = (("threshold", threshold), ("target", target))
    rules = tuple(Rule(kind, checked_number(kind, value)) for kind, value in given if value is not None)
    for rule in rules:
        if log and rule.value <= 0:
            raise BadOption(f"{rule.kind}={rule.value:g} and log=True: a log axis has only values above 0")
    return rules


def checked_hysteresis(hysteresis: float, *, threshold: float | None, on_cross: object) -> float:
    """How far a value has to be beyond the threshold.

    Raises:
        BadOptionType: not a number, or ``on_cross`` cannot be called.
        BadOption: below 0, or there is no threshold.
    """
    checked = checked_number("hysteresis", hysteresis)
    if checked < 0:
        raise BadOption(f"hysteresis={hysteresis!r}: expected a number of at least 0, in the unit of the line")
    if on_cross is not None and not callable(on_cross):
        raise BadOptionType(f"on_cross={on_cross!r}: something callable was expected, such as lambda crossing: …")
    if threshold is None and (on_cross is not None or checked > 0):
        given = "on_cross" if on_cross is not None else "hysteresis"
        raise BadOption(f"{given} without threshold: say which value is to be crossed, such as threshold=100_000")
    return checked


def checked_range(y_range: Sequence[float] | None, *, log: bool) -> tuple[float, float] | None:
    """The ends of the first axis, or None for one that fits itself to the data.

    Raises:
        BadOptionType: not two numbers.
        BadOption: they are not ascending, or not above 0 on a log axis.
    """
    if y_range is None:
        return None
    if not isinstance(y_range, (list, tuple)) or len(y_range) != 2:
        raise BadOptionType(f"y_range={y_range!r}: expected two numbers, such as (0, 100)")
    low, high = (checked_number("y_range", end) for end in y_range)
    if not low < high:
        raise BadOption(f"y_range={y_range!r}: expected two ascending numbers, such as (0, 100)")
    if log and low <= 0:
        raise BadOption(f"y_range={y_range!r} and log=True: a log axis has only values above 0")
    return low, high


def checked_number(option: str, value: object) -> float:
    """A finite number.

    Raises:
        BadOptionType: not a number.
        BadOption: not finite.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadOptionType(f"{option}={value!r}: expected a number")
    if not math.isfinite(value):
        raise BadOption(f"{option}={value!r}: expected a finite number")
    return float(value)


def checked_flag(option: str, value: object) -> bool:
    """True or False.

    Raises:
        BadOptionType: something else.
    """
    if not isinstance(value, bool):
        raise BadOptionType(f"{option}={value!r}: expected True or False")
    return value


def plan(
    record: type[Record],
    *,
    y: str | Sequence[str] | None = None,
    y2: str | Sequence[str] | None = None,
    last: durations.Duration | None = None,
    points: int | None = None,
    log: bool = False,
    y_range: Sequence[float] | None = None,
    threshold: float | None = None,
    target: float | None = None,
    height: int = 280,
    title: str = "",
    whole: bool = False,
) -> Plan:
    """A chart of ``record`` rows; ``whole``: of all there is, unless ``last`` or ``points`` say otherwise.

    Raises:
        BadOption, BadOptionType: an option is not what it has to be.
    """
    left, right = checked_lines(record, y, y2)
    checked_flag("log", log)
    return Plan(
        y=left,
        y2=right,
        last_s=checked_window(last, points),
        points=WHOLE if whole and last is None and points is None else checked_points(points),
        log=log,
        y_range=checked_range(y_range, log=log),
        rules=checked_rules(threshold=threshold, target=target, log=log),
        height=checked_height(height),
        title=text(title),
    )


def title_of(topic: Any, y: str | Sequence[str] | None, y2: str | Sequence[str] | None = None) -> str:
    """What a chart is called unless its maker says so: by the line if it is one, else by the topic, and by the lines.

    Raises:
        BadOption: as :func:`checked_lines`.
    """
    left, right = checked_lines(topic.record_type, y, y2)
    names = [label_of(name) for name in (*left, *right)]
    if len(names) == 1:
        return names[0]
    return f"{sentence(str(topic.name))}: {', '.join(names)}"


def _names(option: str, record: type[Record], known: Sequence[str], given: str | Sequence[str]) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given)
    if not names or len(names) > MAX_LINES:
        words = ", ".join(known) or "none"
        raise BadOption(f"{option}={given!r}: expected one to {MAX_LINES} numeric columns out of {words}")
    for name in names:
        if name not in known:
            raise BadOption(
                f"{option}={name!r}: {record.__name__} has no such numeric column; it has {', '.join(known)}"
            )
    return tuple(dict.fromkeys(names))


def _unit(column: str) -> str:
    """The unit of a line; requests and tokens a second are not of one scale, though both are "/s"."""
    unit = unit_of(column)
    return f"{label_of(column).lower()}/s" if unit == "/s" else unit


def _words(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:,.6g}"


def _line(column: str, panel: int) -> dict[str, Any]:
    return {"name": label_of(column), "unit": _unit(column), "panel": panel, "right": False}
