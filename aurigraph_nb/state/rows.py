"""Two shapes that a topic's state can have: the last row of each thing, and the newest rows as a list."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final, Generic, TypeVar

import pyarrow as pa

from aurigraph_nb.columns import records_to_table
from aurigraph_nb.errors import BadOption, BadOptionType
from aurigraph_nb.schema import Record
from aurigraph_nb.state.keyed import Keyed
from aurigraph_nb.state.view import merge

R = TypeVar("R", bound=Record)

THINGS: Final = 10_000
"""Things kept by default. Their names come from the feed, so their number has to have a bound."""


class Things(Generic[R]):
    """The last known row of each thing, by the column that names it; what a row leaves out is kept from the one before.

    The thing that was seen first goes when there are more than ``limit``.
    """

    record_type: ClassVar[type[Record]]
    key: ClassVar[str]
    """The column that names the thing."""

    def __init__(self, *, limit: int = THINGS) -> None:
        self._current: Keyed[str, R] = Keyed(limit)
        self._unkeyed = 0

    @property
    def current(self) -> Keyed[str, R]:
        """The last known row of each, by name, in order of first sight."""
        return self._current

    @property
    def version(self) -> int:
        """Grows with every change."""
        return self._current.version + self._unkeyed

    @property
    def unkeyed(self) -> int:
        """Records that name nothing; they are in no row."""
        return self._unkeyed

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: the last row of {len(self._current):,} by {self.key}>"

    def apply(self, record: R) -> None:
        """Take the next record."""
        name: str | None = getattr(record, self.key)
        if name is None:
            self._unkeyed += 1
        else:
            self._current.upsert(name, merge(self._current.get(name), record))

    def table(self) -> pa.Table:
        """The current rows in order of first sight, with the schema of the topic."""
        return records_to_table(self.record_type, list(self._current.values()))


class Latest(Generic[R]):
    """The newest records, newest first: a short list and a longer one behind it."""

    record_type: ClassVar[type[Record]]
    long_name: ClassVar[str]
    """What the longer list is called."""

    def __init__(self, recent: int, kept: int) -> None:
        self._recent, self._kept = _limit("recent", recent), _limit(self.long_name, kept)
        self._current: Keyed[str | int, R] = Keyed(max(recent, kept))
        self._total = 0
        self._resizes = 0

    @property
    def current(self) -> Keyed[str | int, R]:
        """The rows kept, oldest first, by id or (without one) by their ordinal, an int."""
        return self._current

    @property
    def recent(self) -> list[R]:
        """The newest rows, newest first."""
        return self._newest(self._recent)

    @property
    def total(self) -> int:
        """Every record ever received; not reset by :meth:`clear`."""
        return self._total

    @property
    def version(self) -> int:
        """Grows with every change."""
        return self._current.version + self._resizes

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self._current):,} rows kept of {self._total:,}>"

    def apply(self, record: R) -> None:
        """Take the next record."""
        self._total += 1
        key = self._key(record)
        self._current.upsert(key, merge(self._current.get(key), record))

    def filter(self, where: Callable[[R], object] | None = None, /, **equals: object) -> list[R]:
        """The rows of the longer list that fit, newest first.

        Args:
            where: keeps a row for which it returns something true.
            equals: columns and the value that each must have.

        Raises:
            BadOptionType: there is no column of that name.
        """
        for name in equals:
            if name not in self.record_type.__struct_fields__:
                known = ", ".join(self.record_type.__struct_fields__)
                raise BadOptionType(f"{name}={equals[name]!r}: there is no such column; the columns are {known}")
        rows = (r for r in self._newest(self._kept) if all(getattr(r, f) == value for f, value in equals.items()))
        return [row for row in rows if where is None or where(row)]

    def clear(self) -> None:
        """Forget the rows; the total stays."""
        self._current.clear()

    def table(self) -> pa.Table:
        """The rows of the longer list, newest first, with the schema of the topic."""
        return records_to_table(self.record_type, self._newest(self._kept))

    def _key(self, record: R) -> str | int:
        return self._total

    def _newest(self, count: int) -> list[R]:
        return [self._current[key] for key, _ in zip(reversed(self._current), range(count), strict=False)]

    def _resize(self, recent: int | None, kept: int | None) -> None:
        short = self._recent if recent is None else _limit("recent", recent)
        long = self._kept if kept is None else _limit(self.long_name, kept)
        self._recent, self._kept = short, long
        self._resizes += 1
        self._current.limit = max(short, long)
        while len(self._current) > self._current.limit:
            self._current.remove(next(iter(self._current)))


def _limit(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadOptionType(f"{name}={value!r}: expected a whole number")
    if value < 1:
        raise BadOption(f"{name}={value!r}: expected a whole number of at least 1")
    return value
