"""How a table's reader wants its numbers: in which unit, with how many decimals, short, or as a percentage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from aurigraph_nb.errors import BadOption, BadOptionType

from .rows import TableColumn

MOST_DIGITS: Final = 12
SPARK_POINTS: Final = 30
MOST_SPARK_POINTS: Final = 60
_TIMES: Final = {"ns": 1e9, "µs": 1e6, "ms": 1e3, "s": 1.0, "min": 1 / 60, "h": 1 / 3600, "d": 1 / 86400}
_BYTES: Final = {
    "bytes": 1.0,
    "kB": 1e-3,
    "MB": 1e-6,
    "GB": 1e-9,
    "TB": 1e-12,
    "KiB": 2.0**-10,
    "MiB": 2.0**-20,
    "GiB": 2.0**-30,
}
_RATES: Final = {"kbit/s": 1e3, "Mbit/s": 1.0, "Gbit/s": 1e-3}
_FAMILIES: Final[Sequence[Mapping[str, float]]] = (_TIMES, _BYTES, _RATES)
"""Units that can stand for each other, with how many of each make one of the same thing."""


def with_unit(column: TableColumn, unit: str) -> TableColumn:
    """``column`` in another unit.

    >>> column = TableColumn(field="uptime_s", label="Uptime", kind="number", unit="s")
    >>> hours = with_unit(column, "h")
    >>> hours.unit, round(hours.scale * 7200, 6)
    ('h', 2.0)

    Raises:
        BadOption: the column has no unit, or none that ``unit`` can stand for.
    """
    family = next((units for units in _FAMILIES if column.unit in units), None)
    if family is None or unit not in family:
        known = "has no unit that can be changed" if family is None else f"can be shown in {', '.join(family)}"
        raise BadOption(f"units: {column.field!r} {known}; {unit!r} came")
    return msgspec.structs.replace(column, unit=unit, scale=column.scale * family[unit] / family[column.unit])


def with_format(column: TableColumn, form: object) -> TableColumn:
    """``column`` with another form of its numbers: so many decimals, ``"short"`` or ``"percent"`` (of a fraction).

    >>> column = TableColumn(field="error_rate", label="Error rate", kind="number")
    >>> told = with_format(column, "percent")
    >>> told.unit, told.scale, told.digits
    ('%', 100.0, 2)

    Raises:
        BadOption: the column holds no numbers, or there is no such form.
    """
    if column.kind not in ("number", "gauge"):
        raise BadOption(f"formats: {column.field!r} holds no numbers; leave it out")
    if isinstance(form, int) and not isinstance(form, bool) and 0 <= form <= MOST_DIGITS:
        return msgspec.structs.replace(column, digits=form)
    if form == "short":
        return msgspec.structs.replace(column, short=True)
    if form == "percent":
        return msgspec.structs.replace(column, unit="%", scale=column.scale * 100, digits=2)
    raise BadOption(
        f'formats: {column.field!r} cannot be shown as {form!r}; expected decimals from 0 to {MOST_DIGITS}, "short" or '
        f'"percent"'
    )


def formatted(
    columns: Sequence[TableColumn], formats: Mapping[str, Any] | None, units: Mapping[str, str] | None
) -> list[TableColumn]:
    """``columns`` with the units and forms asked for, both by field.

    Raises:
        BadOption: an unknown column, unit or form.
        BadOptionType: no mapping.
    """
    made = {column.field: column for column in columns}
    for option, given, change in (("units", units, with_unit), ("formats", formats, with_format)):
        for field, value in _checked_mapping(option, given).items():
            if field not in made:
                raise BadOption(f"{option}: {field!r} is no column of this table; it has {', '.join(made)}")
            made[field] = change(made[field], value)
    return [msgspec.structs.replace(c, width=max(c.width, len(c.label) + len(c.unit) + 4)) for c in made.values()]


def with_sparklines(columns: Sequence[TableColumn], wanted: Sequence[str] | Mapping[str, int]) -> list[TableColumn]:
    """``columns``, and behind each one named in ``wanted`` the course of its newest values.

    ``wanted``: fields, or a mapping of fields to the number of points, from 2 to 60 (otherwise 30).

    Raises:
        BadOption: an unknown column, one without numbers, or a number of points out of bounds.
        BadOptionType: neither a list nor a mapping.
    """
    if isinstance(wanted, str) or not isinstance(wanted, (Sequence, Mapping)):
        raise BadOptionType(f"sparklines={wanted!r}: expected a list of columns, or a mapping of columns to points")
    points = dict(wanted) if isinstance(wanted, Mapping) else dict.fromkeys(wanted, SPARK_POINTS)
    numeric = [column.field for column in columns if column.kind in ("number", "gauge")]
    for field, count in points.items():
        if field not in numeric:
            raise BadOption(f"sparklines: {field!r} is no column of numbers here; those are {', '.join(numeric)}")
        if isinstance(count, bool) or not isinstance(count, int) or not 2 <= count <= MOST_SPARK_POINTS:
            raise BadOption(f"sparklines: {count!r} points of {field!r}; expected 2 to {MOST_SPARK_POINTS}")
    made: list[TableColumn] = []
    for column in columns:
        made.append(column)
        if column.field in points:
            made.append(_spark(column, points[column.field]))
    return made


def _spark(column: TableColumn, points: int) -> TableColumn:
    return TableColumn(
        field=column.field,
        label=f"{column.label}, course",
        kind="spark",
        unit=column.unit,
        scale=column.scale,
        digits=column.digits,
        width=max(16, len(column.label) + 10),
        points=points,
    )


def _checked_mapping(option: str, given: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise BadOptionType(f"{option}={given!r}: expected a mapping of columns, such as {{'latency_ms': …}}")
    return given


def home_order(columns: Sequence[TableColumn], sort: str | Sequence[str] | None) -> list[tuple[int, bool]]:
    """The order asked for by column names, ``-`` before one meaning downwards, as places and directions.

    >>> home_order([TableColumn(field="id", label="ID"), TableColumn(field="tps", label="TPS")], ["-tps", "id"])
    [(1, True), (0, False)]

    Raises:
        BadOption: an unknown column.
        BadOptionType: neither a name nor a list of names.
    """
    names = [sort] if isinstance(sort, str) else [] if sort is None else sort
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise BadOptionType(f"sort={sort!r}: expected a column such as '-tps' ('-': downwards), or a list of them")
    places = {c.field: i for i, c in reversed(list(enumerate(columns))) if c.kind != "spark"}
    unknown = [name for name in names if name.removeprefix("-") not in places]
    if unknown:
        raise BadOption(f"sort={sort!r}: no column {unknown[0]!r} here; there are {', '.join(reversed(places))}")
    return [(places[name.removeprefix("-")], name.startswith("-")) for name in names]
