"""A table of rows by key that knows what changed: readers ask for the difference to what they have seen."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

from aurigraph_nb.errors import BadOption
from aurigraph_nb.session.text import brief

K = TypeVar("K")
V = TypeVar("V")

LIMIT = 100_000
"""Rows kept by default. Keys come from the feed, so their number has to have a bound."""
SHOWN = 5
"""Keys that a repr names."""
REMOVALS = 1_000
"""Removals remembered by default; a reader further behind takes everything anew."""


class Changes(NamedTuple, Generic[K, V]):
    """The difference between a version that a reader has seen and the present one."""

    version: int
    """The present version: what to ask with the next time."""
    changed: list[tuple[K, V]]
    """New and changed rows in order of insertion; all rows if ``reset``."""
    removed: list[K]
    """Keys that were there and are no longer; empty if ``reset``."""
    reset: bool
    """True if the reader has to replace all that it holds by ``changed``."""


class Keyed(Mapping[K, V], Generic[K, V]):
    """A mapping in order of insertion with a version; the oldest rows go when ``limit`` is exceeded.

    Raises:
        BadOption: ``limit`` or ``removals`` is below 1.
    """

    def __init__(self, limit: int = LIMIT, removals: int = REMOVALS) -> None:
        for name, bound in (("limit", limit), ("removals", removals)):
            if bound < 1:
                raise BadOption(f"{name}={bound!r}: expected a whole number of at least 1")
        self.limit = limit
        self._rows: OrderedDict[K, V] = OrderedDict()
        self._stamps: OrderedDict[K, int] = OrderedDict()  # last version of each key, oldest change first
        self._born: dict[K, int] = {}
        self._removals: deque[tuple[int, int, K]] = deque(maxlen=removals)  # version, version of birth, key
        self._forgotten = 0  # version of the newest removal that is no longer remembered
        self._version = 0
        self._evicted = 0
        self._upserts = 0

    @property
    def version(self) -> int:
        """Grows with every change."""
        return self._version

    @property
    def evicted(self) -> int:
        """Rows that went because of ``limit``."""
        return self._evicted

    @property
    def upserts(self) -> int:
        """Rows ever set, the same key again included."""
        return self._upserts

    def upsert(self, key: K, value: V) -> None:
        """Set the row of a key. A known key keeps its place."""
        self._version += 1
        self._upserts += 1
        self._born.setdefault(key, self._version)
        self._rows[key] = value
        self._stamps[key] = self._version
        self._stamps.move_to_end(key)
        if len(self._rows) > self.limit:
            self.remove(next(iter(self._rows)))
            self._evicted += 1

    def remove(self, key: K) -> None:
        """Remove a key; an unknown one is ignored."""
        if key not in self._rows:
            return
        self._version += 1
        del self._rows[key], self._stamps[key]
        if len(self._removals) == self._removals.maxlen:
            self._forgotten = self._removals[0][0]
        self._removals.append((self._version, self._born.pop(key), key))

    def clear(self) -> None:
        """Remove all rows at once; every reader gets a reset."""
        self._version += 1
        self._rows.clear()
        self._stamps.clear()
        self._born.clear()
        self._removals.clear()
        self._forgotten = self._version

    def changed_since(self, version: int) -> Changes[K, V]:
        """What a reader lacks that has seen ``version`` (0: nothing yet); costs what changed, not what there is."""
        if version < self._forgotten or version > self._version:
            return Changes(self._version, list(self._rows.items()), [], True)
        keys: list[K] = []
        for key, stamp in reversed(self._stamps.items()):
            if stamp <= version:
                break
            keys.append(key)
        keys.sort(key=self._born.__getitem__)
        return Changes(self._version, [(key, self._rows[key]) for key in keys], self._removed_since(version), False)

    def _removed_since(self, version: int) -> list[K]:
        gone: dict[K, None] = {}
        for stamp, born, key in reversed(self._removals):
            if stamp <= version:
                break
            if born <= version and key not in self._rows:
                gone[key] = None
        return list(reversed(gone))

    def __getitem__(self, key: K) -> V:
        return self._rows[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._rows)

    def __reversed__(self) -> Iterator[K]:
        return reversed(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        first = [brief(key, 40) for key in islice(tuple(self._rows), SHOWN)]
        names = f": {', '.join(first)}{', …' if len(self) > len(first) else ''}" if first else ""
        return f"<Keyed: {len(self):,} {'row' if len(self) == 1 else 'rows'}{names}>"
